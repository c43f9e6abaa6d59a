"""A proposal in words: for a person who reads along, and as a file for ``--config``.

The file says again what the command line said of the feed, as it was written there: a secret stays
a ``${NAME}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fastingest.access.secrets import shown
from fastingest.model.feed import Feed
from fastingest.model.rows import Rows
from fastingest.model.schema import Column, Schema
from fastingest.probe.beside.side_text import asked_for, message_text, said_lines, symbols_lines
from fastingest.probe.beside.symbols import Placed
from fastingest.probe.documents import option_for
from fastingest.probe.dry_run import DryRun
from fastingest.probe.listen import Sample
from fastingest.probe.outputs import outputs_of, with_received
from fastingest.probe.proposal import Proposal, ProposedTable
from fastingest.probe.toml_text import array, quoted
from fastingest.text import counted, escape, shortened
from fastingest.units import format_duration

__all__ = ["column_text", "config_text", "nothing_text", "report_text"]

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
    option = option_for(sample.messages)
    then = f"try {option}" if option else "ask for some with --subscribe, or listen longer"
    return f"nothing came that looks like data; {then}"


def config_text(sample: Sample, proposal: Proposal) -> str:
    """The file: the feed, its tables, and what they were made from."""
    feed = sample.feed
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
        f"name = {quoted(feed.name)}",
        *_connection(feed, asked_for(sample, proposal)),
        *said_lines(feed, proposal),
        *_staleness(feed, proposal),
    ]
    if proposal.is_default:
        lines += [
            f"out = {quoted(outs[0])}",
            "",
            "# Without columns, messages are told by themselves: symbol, price, volume.",
        ]
    elif len(proposal.tables) == 1:
        lines += ["", *_table(proposal.tables[0], outs[0])]
    else:
        for table, out in zip(proposal.tables, outs, strict=True):
            lines += ["", "[[feed.table]]", *_table(table, out)]
    return "\n".join(lines)


def _omitted(sample: Sample) -> Iterator[str]:
    """What of the feed is not in the file."""
    if sample.whole is not None:
        yield (
            f"# It was the first of {len(sample.whole.lines)} connections: the file asks for "
            f"{len(sample.feed.symbols):,} of {counted(len(sample.whole.symbols), 'symbol')} only."
        )


def _connection(feed: Feed, asked: Placed) -> Iterator[str]:
    yield f"url = {quoted(asked.url)}"
    if feed.headers:
        if not all("${" in header for header in feed.headers):
            yield '# "Name: ${VARIABLE}" keeps a secret out of this file.'
        yield from array("headers", map(quoted, feed.headers))
    yield from array("subscribe", map(message_text, asked.messages))
    yield from symbols_lines(asked.symbols)
    if feed.subscribe_every:
        yield f"subscribe-every = {quoted(format_duration(feed.subscribe_every))}"
    yield from array(
        "heartbeat",
        (
            f"{{send = {quoted(each.text)}, every = {quoted(format_duration(each.every))}}}"
            for each in feed.heartbeats
        ),
    )
    if feed.inflate:
        yield f"inflate = {quoted(feed.inflate)}"
    yield from array("strip", map(quoted, feed.strip))
    if feed.split:
        yield f"split = {quoted(feed.split)}"
    if feed.compression != "off":
        yield f"compression = {quoted(feed.compression)}"
    if feed.connect_timeout != Feed.connect_timeout:
        yield f"connect-timeout = {quoted(format_duration(feed.connect_timeout))}"
    for key, value in (
        ("proxy", feed.proxy),
        ("ca-file", feed.ca_file),
        ("cert-file", feed.cert_file),
        ("key-file", feed.key_file),
    ):
        if value is not None:
            yield f"{key} = {quoted(str(value))}"


def _staleness(feed: Feed, proposal: Proposal) -> Iterator[str]:
    if feed.stale_after is not None:
        yield f"stale-after = {quoted(format_duration(feed.stale_after))}"
    columns = {column.name for table in proposal.tables for column in table.schema.columns}
    if feed.stale_by and (feed.stale_by in columns or proposal.is_default):
        yield f"stale-by = {quoted(feed.stale_by)}"
    if feed.when_stale != Feed.when_stale:
        yield f"when-stale = {quoted(feed.when_stale)}"


def _table(table: ProposedTable, out: str) -> Iterator[str]:
    rows = "" if table.rows == len(table.sources) else f", {counted(table.rows, 'row')}"
    yield f"# {counted(len(table.sources), 'message')}{rows}, such as"
    yield f"#   {_shortened(table.example, _EXAMPLE)}"
    for note in table.notes:
        yield f"# {escape(note)}"
    yield f"out = {quoted(out)}"
    yield from _rows(table.schema.rows)
    yield from array("where", (quoted(str(each)) for each in table.schema.where))
    schema: Schema = with_received(table.schema)
    yield from array("columns", (quoted(column_text(each)) for each in schema.columns))


def _rows(rows: Rows) -> Sequence[str]:
    """Where the rows are; nothing where the message itself is the row."""
    if len(rows.places) == 1:
        return [f"rows = {quoted(str(rows))}"] if str(rows) else []
    names = [place.name for place in rows.places]
    if len({*names} - {""}) < len(names):
        return array("rows", (quoted(str(place)) for place in rows.places))
    places = (f"{place.name} = {quoted(str(place._replace(name='')))}" for place in rows.places)
    return [f"rows = {{{', '.join(places)}}}"]


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


def _shortened(raw: bytes, width: int) -> str:
    return shortened(raw[: 4 * width + 4].decode(errors="replace"), width)


def _length(sample: Sample) -> str:
    return format_duration(round(sample.seconds, 1 if sample.seconds >= 1 else 3))
