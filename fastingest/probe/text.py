"""A proposal in words: for a person who reads along, and as a file for ``--config``.

The file says again what the command line said of the feed, as it was written there: a secret stays
a ``${NAME}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from fastingest.access.secrets import shown
from fastingest.model.feed import Feed, Subscription
from fastingest.model.rows import Rows
from fastingest.model.schema import Column
from fastingest.probe.dry_run import DryRun
from fastingest.probe.listen import Sample
from fastingest.probe.proposal import Proposal, ProposedTable
from fastingest.text import counted, escape
from fastingest.units import format_duration

__all__ = ["column_text", "config_text", "report_text"]

_EXAMPLE = 200  # characters of a message that are shown in the file


def report_text(sample: Sample, proposal: Proposal, tried: DryRun | None, width: int) -> str:
    """What came, and what the proposed tables make of it.

    :param tried: None: none is proposed.
    :param width: characters of a line.
    """
    count = len(sample.messages)
    why = f"; {sample.ended}" if sample.ended else ""
    lines = [f"{shown(sample.feed.url)}: {counted(count, 'message')} in {_length(sample)}{why}"]
    says = [shape.says for shape in proposal.shapes]
    longest = max(map(len, says))
    for shape, what in zip(proposal.shapes, says, strict=True):
        beginning = f"{shape.messages:>9,}  {what:<{longest}}  "
        lines.append(beginning + _shortened(shape.example, max(width - len(beginning), 20)))
    if tried is None:
        return "\n".join(lines)
    if proposal.is_default:
        lines.append("proposed: no columns, since messages such as these are told by themselves")
    else:
        lines.append(f"proposed: {counted(len(proposal.tables), 'table')}")
    lines.append(
        f"tried on these messages: {counted(tried.rows, 'row')}, {tried.ignored:,} ignored, "
        f"{tried.rejected:,} rejected"
    )
    if tried.reason:
        lines.append(f"  rejected, first of all: {escape(tried.reason)}")
    return "\n".join(lines)


def config_text(sample: Sample, proposal: Proposal) -> str:
    """The file: the feed, its tables, and what they were made from."""
    feed = sample.feed
    lines = [
        f"# Proposed from {counted(len(sample.messages), 'message')} of "
        f"{_length(sample)}. Read it, fix it, and then:",
        "#   fastingest check FILE",
        "#   fastingest --config FILE",
        "# A column is name:type=path; a ? behind the type is for one that a row may lack.",
        '# "@received" is a column, too: when the row came.',
        *_omitted(sample),
        "",
        "[[feed]]",
        f"name = {_quoted(feed.name)}",
        *_connection(feed),
        *_array("ignore", map(_quoted, proposal.ignore)),
        *_staleness(feed, proposal),
    ]
    if proposal.is_default:
        lines += ["", "# Without columns, messages are told by themselves: symbol, price, volume."]
    elif len(proposal.tables) == 1:
        lines += ["", *_table(proposal.tables[0])]
    else:
        for table in proposal.tables:
            out = f"{_file_word(feed.name)}_{table.name}.csv"
            lines += ["", "[[feed.table]]", f"out = {_quoted(out)}", *_table(table)]
    return "\n".join(lines)


def _omitted(sample: Sample) -> Iterator[str]:
    """What of the feed is not in the file."""
    if sample.whole is not None:
        yield (
            f"# It was the first of {len(sample.whole.lines)} connections: the file asks for "
            f"{len(sample.feed.symbols):,} of {counted(len(sample.whole.symbols), 'symbol')} only."
        )


def _connection(feed: Feed) -> Iterator[str]:
    yield f"url = {_quoted(feed.url)}"
    if feed.headers:
        if not all("${" in header for header in feed.headers):
            yield '# "Name: ${VARIABLE}" keeps a secret out of this file.'
        yield from _array("headers", map(_quoted, feed.headers))
    yield from _array("subscribe", map(_subscription, feed.subscriptions))
    if feed.subscribe_every:
        yield f"subscribe-every = {_quoted(format_duration(feed.subscribe_every))}"
    yield from _array(
        "heartbeat",
        (
            f"{{send = {_quoted(each.text)}, every = {_quoted(format_duration(each.every))}}}"
            for each in feed.heartbeats
        ),
    )
    if feed.inflate:
        yield f"inflate = {_quoted(feed.inflate)}"
    if feed.compression != "off":
        yield f"compression = {_quoted(feed.compression)}"
    if feed.connect_timeout != Feed.connect_timeout:
        yield f"connect-timeout = {_quoted(format_duration(feed.connect_timeout))}"
    for key, value in (
        ("proxy", feed.proxy),
        ("ca-file", feed.ca_file),
        ("cert-file", feed.cert_file),
        ("key-file", feed.key_file),
    ):
        if value is not None:
            yield f"{key} = {_quoted(str(value))}"


def _staleness(feed: Feed, proposal: Proposal) -> Iterator[str]:
    if feed.stale_after is not None:
        yield f"stale-after = {_quoted(format_duration(feed.stale_after))}"
    columns = {column.name for table in proposal.tables for column in table.schema.columns}
    if feed.stale_by and (feed.stale_by in columns or proposal.is_default):
        yield f"stale-by = {_quoted(feed.stale_by)}"
    if feed.when_stale != Feed.when_stale:
        yield f"when-stale = {_quoted(feed.when_stale)}"


def _subscription(subscription: Subscription) -> str:
    if subscription.reply is None:
        return _quoted(subscription.text)
    reply = ", ".join(_quoted(str(condition)) for condition in subscription.reply)
    timeout = _quoted(format_duration(subscription.timeout))
    return f"{{send = {_quoted(subscription.text)}, reply = [{reply}], timeout = {timeout}}}"


def _table(table: ProposedTable) -> Iterator[str]:
    rows = "" if table.rows == len(table.sources) else f", {counted(table.rows, 'row')}"
    yield f"# {counted(len(table.sources), 'message')}{rows}, such as"
    yield f"#   {_shortened(table.example, _EXAMPLE)}"
    for note in table.notes:
        yield f"# {escape(note)}"
    yield from _rows(table.schema.rows)
    yield from _array("where", (_quoted(str(each)) for each in table.schema.where))
    yield from _array("columns", (_quoted(column_text(each)) for each in table.schema.columns))


def _rows(rows: Rows) -> Sequence[str]:
    """Where the rows are; nothing where the message itself is the row."""
    if len(rows.places) == 1:
        return [f"rows = {_quoted(str(rows))}"] if str(rows) else []
    names = [place.name for place in rows.places]
    if len({*names} - {""}) < len(names):
        return _array("rows", (_quoted(str(place)) for place in rows.places))
    places = (f"{place.name} = {_quoted(str(place._replace(name='')))}" for place in rows.places)
    return [f"rows = {{{', '.join(places)}}}"]


def column_text(column: Column) -> str:
    """A column as it is written in a file."""
    if column.path is not None and column.path.own:
        return f"{column.name}:{column.type}{'' if column.required else '?'}={column.path}"
    path = str(column.path)
    if path.startswith("@"):  # by itself it would be a metadata column
        name, rest = re.fullmatch(r"([\w@/:-]+)(.*)", path, re.DOTALL).groups()  # type: ignore[union-attr]
        path = f'["{name}"]{rest}'
    kind = f":{column.type}{'' if column.required else '?'}"
    return f"{column.name}{kind}" + ("" if path == column.name else f"={path}")


def _array(key: str, items: Iterable[str]) -> Sequence[str]:
    """``key = […]``; nothing where it would be empty."""
    texts = list(items)
    if not texts:
        return []
    line = f"{key} = [{', '.join(texts)}]"
    if len(line) <= 100 and len(texts) <= 2:
        return [line]
    return [f"{key} = [", *(f"    {text}," for text in texts), "]"]


def _quoted(text: str) -> str:
    """``text`` as a TOML string, in ASCII: literal where it can be, for JSON is full of quotes."""
    if text.isascii() and text.isprintable() and "'" not in text and '"' in text:
        return f"'{text}'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isascii() and character.isprintable():
        return character
    return f"\\U{ord(character):08x}"


def _shortened(raw: bytes, width: int) -> str:
    text = escape(raw[: 4 * width + 4].decode(errors="replace"))
    return text if len(text) <= width else text[: width - 1] + "…"


def _length(sample: Sample) -> str:
    return format_duration(round(sample.seconds, 1 if sample.seconds >= 1 else 3))


def _file_word(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "feed"
