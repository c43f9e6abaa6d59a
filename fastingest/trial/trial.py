"""Messages → what a capture would make of them. No I/O, and no clock.

Each message is decoded alone, in the order in which they stand, by the decoder that captures, and
natively where a capture would do that; only so it is known which message it was that brought
nothing. What is shown of rows is what is in the first batches of a table, which are small for that;
later ones are let go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias

from fastingest.decode.factory import decoder_of
from fastingest.decode.memory import memory_of
from fastingest.model.batch import Batch
from fastingest.model.feed import Feed, Table
from fastingest.native.factory import parser_of
from fastingest.source.documents import Documents
from fastingest.trial.beside import Beside, Kind

if TYPE_CHECKING:
    from fastingest.native._parser import RowParser

__all__ = ["Rejected", "Seen", "TableTrial", "Trial", "try_messages"]

_BATCH_SIZE = 50_000  # rows, behind those that are shown
_MAX_LINES = 3  # numbers of messages that are alike
_MAX_SEEN = 1000  # messages that are told apart, of each kind
_DIGITS = re.compile(rb"[0-9]+")

What: TypeAlias = Literal["ignored"] | Kind
"""What a message is that brings neither row nor reject."""


@dataclass(frozen=True)
class Rejected:
    """A message, or an element of an array of rows, that is no row.

    :param line: the message's number.
    """

    line: int
    reason: str
    raw: bytes


@dataclass
class Seen:
    """Messages that are equal but for numbers.

    :param example: the first of them.
    :param lines: the numbers of the first ones.
    :param count: how many there are.
    :param answer: what is sent back, for people; empty: nothing is.
    """

    example: bytes
    lines: list[int]
    count: int = 1
    answer: str = ""


@dataclass
class TableTrial:
    """What a table has.

    :param first: batches of its first rows.
    :param shown: how many these are.
    """

    table: Table
    first: list[Batch] = field(default_factory=list)
    shown: int = 0
    rows: int = 0
    rejected: int = 0


@dataclass
class Trial:
    """What became of messages.

    :param is_native: whether they were read natively, where that was certain.
    :param messages: how many there are.
    :param ignored: messages that no table takes, those of :attr:`beside` among them, and rows that
        a table leaves out.
    :param left_out: of these, rows that were left out of messages that have others, or rejects.
    :param blanked: cells that are empty because their value is no number.
    :param rejects: the first of them, by line.
    :param seen: messages that brought neither row nor reject, by what they are.
    :param counts: how many there are of each.
    """

    tables: list[TableTrial]
    is_native: bool = False
    messages: int = 0
    ignored: int = 0
    left_out: int = 0
    blanked: int = 0
    rejects: list[Rejected] = field(default_factory=list)
    seen: dict[What, list[Seen]] = field(default_factory=dict)
    counts: dict[What, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Rows, in all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def rejected(self) -> int:
        """Rejects, of all tables."""
        return sum(table.rejected for table in self.tables)


def try_messages(
    feed: Feed,
    messages: Iterable[tuple[int, bytes]],
    *,
    show: int,
    now: int = 0,
    native: bool = False,
    escape_formulas: bool = False,
) -> Trial:
    """What ``feed`` makes of ``messages``.

    :param messages: each with a number, from 1; these increase. Where a feed has several documents
        in one, each of these is one.
    :param show: how many rows of each table are kept, at least, and how many rejects.
    :param now: when the first one was received, in nanoseconds since the epoch.
    :param native: whether a capture would use the native listener.
    """
    decoding = _Decoding(feed, show, now, native=native, escape_formulas=escape_formulas)
    beside = Beside(feed, decoding.memory)
    trial = decoding.trial
    kept = dict[tuple[What, bytes], Seen]()
    for line, message in _documents(feed, messages):
        trial.messages += 1
        said = beside.take(message, decoding.decoder.fate_of)
        if said is not None:
            trial.ignored += 1
        elif not decoding.is_ignored(line, message):
            continue
        what: What = "ignored" if said is None else said.kind
        trial.counts[what] = trial.counts.get(what, 0) + 1
        alike = trial.seen.setdefault(what, [])
        key = (what, _DIGITS.sub(b"0", message))
        if (seen := kept.get(key)) is not None:
            seen.count += 1
            if len(seen.lines) < _MAX_LINES:
                seen.lines.append(line)
        elif len(alike) < _MAX_SEEN:
            kept[key] = Seen(message, [line], answer="" if said is None else said.answer)
            alike.append(kept[key])
    decoding.finish()
    return trial


def _documents(feed: Feed, messages: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """What is to be taken for messages, each with the number of the one that it stands in."""
    documents = Documents.of(feed)
    for line, message in messages:
        for document in [message] if documents is None else documents(message):
            yield line, document


class _Decoding:
    """The decoder, and what comes of it."""

    def __init__(
        self, feed: Feed, show: int, now: int, *, native: bool, escape_formulas: bool
    ) -> None:
        self._show = show
        self._now = now
        self._parser: RowParser | None = parser_of(feed) if native else None
        self._natively = (0, 0)  # ignored and blanked
        self.decoder = decoder_of(feed, show or _BATCH_SIZE)
        self.decoder.connected(1)
        self.memory = memory_of(feed)
        if self.memory is not None:
            self.decoder.recall_with(self.memory.recall)
            if self._parser is not None:
                self._parser.remembered = self.memory.values
        for builder in self.decoder.tables:
            if escape_formulas:
                builder.escape_formulas()
        if self._parser is not None:
            self.decoder.tables[0].gather_in(self._parser.columns)
        self.trial = Trial(list(map(TableTrial, feed.tables)), self._parser is not None)

    def is_ignored(self, line: int, message: bytes) -> bool:
        """Decode a message; whether it brings neither row nor reject."""
        decoder = self.decoder
        ignored, before = decoder.ignored, [table.counts[:2] for table in decoder.tables]
        self._take(self._decode(message, self._now + line - 1))
        if before == [table.counts[:2] for table in decoder.tables]:
            return True
        self.trial.left_out += decoder.ignored - ignored
        return False

    def _decode(self, message: bytes, time: int) -> list[Batch]:
        parser, (table, *_) = self._parser, self.decoder.tables
        if parser is None or not parser.parse(message):
            return self.decoder.decode([message], [(1, time)])
        ignored, blanked = self._natively
        self._natively = parser.ignored, parser.blanked
        self.decoder.ignored += parser.ignored - ignored
        table.blanked += parser.blanked - blanked
        return table.settle(time, None)

    def _take(self, batches: Iterable[Batch]) -> None:
        for batch in batches:
            table = self.trial.tables[batch.table]
            if table.shown < self._show and batch.rows:
                table.first.append(batch)
                table.shown += batch.rows
            if table.shown >= self._show:
                self.decoder.tables[batch.table].batch_size = _BATCH_SIZE
            # The first ones of each table: they are sorted when all are there.
            self.trial.rejects += [
                Rejected(each.time - self._now + 1, each.reason, each.raw)
                for each in batch.rejects[: max(0, self._show - table.rejected)]
            ]
            table.rejected += len(batch.rejects)

    def finish(self) -> None:
        """Take what the decoder still has, and sum up."""
        self._take(self.decoder.take())
        trial = self.trial
        for table, builder in zip(trial.tables, self.decoder.tables, strict=True):
            table.rows = builder.rows
        trial.blanked = sum(builder.blanked for builder in self.decoder.tables)
        trial.ignored += self.decoder.ignored
        trial.rejects.sort(key=lambda each: each.line)
        del trial.rejects[self._show :]
