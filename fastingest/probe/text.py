"""A proposal in words: for a person who reads along, and as a file for ``--config``.

The file says again what the command line said of the feed, as it was written there: a secret stays
a ``${NAME}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from textwrap import wrap

from fastingest.access.secrets import shown
from fastingest.config.spec import Message
from fastingest.config.symbols import Symbols
from fastingest.model.feed import Feed
from fastingest.model.message_conditions import Groups
from fastingest.model.schema import Column, Schema
from fastingest.probe.dry_run import DryRun
from fastingest.probe.known_symbols import known_symbols
from fastingest.probe.listen import Sample
from fastingest.probe.outputs import outputs_of, with_received
from fastingest.probe.proposal import Proposal, ProposedTable
from fastingest.probe.symbols import Placed, placed
from fastingest.text import counted, escape
from fastingest.units import format_duration

__all__ = ["column_text", "config_text", "nothing_text", "report_text"]

_WIDTH = 100  # characters of a line, as far as it can be broken
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


def nothing_text(sample: Sample, proposal: Proposal) -> str:
    """Why nothing is proposed, for a person: in the server's words where it has refused."""
    refusal = proposal.side.refusal
    if refusal is not None:
        return f"{shown(sample.feed.url)}: refused by the feed: {_shortened(refusal, _EXAMPLE)}"
    return "nothing came that looks like data; ask for some with --subscribe, or listen longer"


def config_text(sample: Sample, proposal: Proposal) -> str:
    """The file: the feed, its tables, and what they were made from."""
    feed = _with_replies(sample.feed, proposal)
    spec = placed(feed, _symbols_of(sample, proposal)) or _as_given(feed)
    names = [""] if proposal.is_default else [table.name for table in proposal.tables]
    outs = outputs_of(feed, names)
    lines = [
        f"# Proposed from {counted(len(sample.messages), 'message')} of "
        f"{_length(sample)}. Read it, fix it, and then:",
        "#   fastingest check FILE",
        "#   fastingest --config FILE",
        "# A column is name:type=path; a ? behind the type is for one that a row may lack.",
        '# "@received" is when the row came.',
        *_omitted(sample),
        "",
        "[[feed]]",
        f"name = {_quoted(feed.name)}",
        *_connection(feed, spec),
        *_said(feed, proposal),
        *_staleness(feed, proposal),
    ]
    if proposal.is_default:
        lines += [
            f"out = {_quoted(outs[0])}",
            "",
            "# Without columns, messages are told by themselves: symbol, price, volume.",
        ]
    elif len(proposal.tables) == 1:
        lines += ["", *_table(proposal.tables[0], outs[0])]
    else:
        for table, out in zip(proposal.tables, outs, strict=True):
            lines += ["", "[[feed.table]]", *_table(table, out)]
    return "\n".join(lines)


def _with_replies(feed: Feed, proposal: Proposal) -> Feed:
    """The feed with the replies that are proposed."""
    if not proposal.side.replies:
        return feed
    pairs = zip(feed.subscriptions, proposal.side.replies, strict=True)
    return replace(
        feed,
        subscriptions=tuple(replace(each, reply=reply) for each, reply in pairs),
    )


def _symbols_of(sample: Sample, proposal: Proposal) -> set[str]:
    """The symbols for which there may be places: the feed's own, or else those of the data."""
    if sample.whole is not None:
        return set()  # the file is about some of them only
    own = set(sample.feed.symbols)
    return own or known_symbols(proposal, sample.messages)


def _as_given(feed: Feed) -> Placed:
    """The feed with its symbols where they are."""
    messages = tuple(
        Message(
            each.text,
            None if each.reply is None else tuple(map(str, each.reply)),
            each.timeout,
            tuple(tuple(map(str, group)) for group in each.refused),
        )
        for each in feed.subscriptions
    )
    return Placed(Symbols(), feed.url, messages)


def _omitted(sample: Sample) -> Iterator[str]:
    """What of the feed is not in the file."""
    if sample.whole is not None:
        yield (
            f"# It was the first of {len(sample.whole.lines)} connections: the file asks for "
            f"{len(sample.feed.symbols):,} of {counted(len(sample.whole.symbols), 'symbol')} only."
        )


def _connection(feed: Feed, spec: Placed) -> Iterator[str]:
    yield f"url = {_quoted(spec.url)}"
    if feed.headers:
        if not all("${" in header for header in feed.headers):
            yield '# "Name: ${VARIABLE}" keeps a secret out of this file.'
        yield from _array("headers", map(_quoted, feed.headers))
    yield from _array("subscribe", map(_message, spec.messages))
    yield from _symbols(spec.symbols)
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


def _message(message: Message) -> str:
    if message.reply is None and not message.refused:
        return _quoted(message.text)
    parts = [f"send = {_quoted(message.text)}"]
    if message.reply is not None:
        parts.append(f"reply = [{', '.join(map(_quoted, message.reply))}]")
    if message.timeout != Message.timeout:
        parts.append(f"timeout = {_quoted(format_duration(message.timeout))}")
    if message.refused:
        groups = (f"[{', '.join(map(_quoted, group))}]" for group in message.refused)
        parts.append(f"refused = [{', '.join(groups)}]")
    return f"{{{', '.join(parts)}}}"


def _symbols(symbols: Symbols) -> Iterator[str]:
    if not symbols.default:
        return
    yield "# --symbols says what to ask for in their place."
    names = ", ".join(map(_quoted, symbols.default))
    if len(names) < _WIDTH - 20:
        yield f"symbols.default = [{names}]"
    else:
        lines = wrap(f"{names},", _WIDTH - 4, break_long_words=False, break_on_hyphens=False)
        yield from ("symbols.default = [", *(f"    {line}" for line in lines), "]")
    if symbols.each != Symbols.each:
        yield f"symbols.each = {_quoted(symbols.each)}"
    if symbols.join != Symbols.join:
        yield f"symbols.join = {_quoted(symbols.join)}"
    if symbols.case:
        yield f"symbols.case = {_quoted(symbols.case)}"


def _said(feed: Feed, proposal: Proposal) -> Iterator[str]:
    """What the server says beside the rows, and what is said to that."""
    side = proposal.side
    if feed.refused or any(each.refused for each in feed.subscriptions):
        yield from _groups("refused", feed.refused)
    else:
        if side.guessed and side.refused:
            first = "The first" if len(side.refused) == 1 else f"The first {len(side.refused)}"
            yield f"# {first} came; what follows is a guess."
        elif side.guessed:
            yield "# No refusal has come: this is a guess at what one is like."
        yield from _groups("refused", (*side.refused, *side.guessed))
    if feed.retry_refused:
        yield f"retry-refused = {_quoted(format_duration(feed.retry_refused))}"
    yield from _groups("reconnect", feed.reconnect)
    answers = feed.answers or side.answers
    yield from _array(
        "answer",
        (
            f"{{when = [{', '.join(map(_group, each.when))}], send = {_quoted(each.send)}}}"
            for each in answers
        ),
    )
    yield from _array("ignore", map(_quoted, dict.fromkeys((*feed.ignore, *proposal.ignore))))


def _groups(key: str, groups: Groups) -> Sequence[str]:
    if len(groups) == 1:
        return _array(key, (_quoted(str(each)) for each in groups[0]))
    return _array(key, map(_group, groups))


def _group(group: Iterable[object]) -> str:
    return f"[{', '.join(_quoted(str(each)) for each in group)}]"


def _table(table: ProposedTable, out: str) -> Iterator[str]:
    rows = "" if table.rows == len(table.sources) else f", {counted(table.rows, 'row')}"
    yield f"# {counted(len(table.sources), 'message')}{rows}, such as"
    yield f"#   {_shortened(table.example, _EXAMPLE)}"
    for note in table.notes:
        yield f"# {escape(note)}"
    yield f"out = {_quoted(out)}"
    if str(table.schema.rows):
        yield f"rows = {_quoted(str(table.schema.rows))}"
    yield from _array("where", (_quoted(str(each)) for each in table.schema.where))
    schema: Schema = with_received(table.schema)
    yield from _array("columns", (_quoted(column_text(each)) for each in schema.columns))


def column_text(column: Column) -> str:
    """A column as it is written in a file."""
    if column.is_metadata:
        own, _, kind = column.type.partition(":")
        name = f"{column.name}:{kind}" if kind else column.name
        return own if name == own[1:] else f"{name}={own}"
    path = str(column.path)
    if column.is_constant:
        return f"{column.name}={path}"
    is_own = column.path is not None and bool(column.path.own)
    if path.startswith("@") and not is_own:  # a member, which by itself would be a metadata column
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
    if len(line) <= _WIDTH and len(texts) <= 2:
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
