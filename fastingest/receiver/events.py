"""What the log tells of a receiver and its outbox. ``queue`` is what the outbox holds, in bytes."""

from __future__ import annotations

from fastingest.model.event import Event

__all__ = [
    "OutboxFullBlocks",
    "OutboxFullDrops",
    "OutboxFullExits",
    "OutboxHasRoom",
    "PipeUnusable",
    "ReceivingEnded",
    "RowsDropped",
    "RowsUnsaved",
    "SpillEmpty",
    "SpoolSmall",
    "WriterBehind",
]


class ReceivingEnded(Event, frozen=True):
    """All feeds are closed.

    :param unacknowledged: batches that the writer has yet to commit.
    """

    level = "debug"
    text = "receiving ended"
    unacknowledged: int


class PipeUnusable(Event, frozen=True):
    """A pipe to the writer has come and cannot be opened; another one is asked for."""

    level = "warning"
    text = "a pipe cannot be used"
    problem: str


class SpoolSmall(Event, frozen=True):
    """Less fits into memory than the options say.

    :param room: bytes.
    """

    level = "warning"
    text = "the spool has less room than --memory-limit"
    room: int


class WriterBehind(Event, frozen=True):
    """The outbox has come to the limit in memory."""

    level = "warning"
    text = "the writer is behind, spilling to disk"
    queue: int


class SpillEmpty(Event, frozen=True):
    """The outbox needs the disk no more."""

    level = "info"
    text = "the spill is empty again"


class OutboxFullBlocks(Event, frozen=True):
    """The outbox has come to its last limit, with ``--when-full block``."""

    level = "warning"
    text = "the outbox is full, the feed is not read until there is room"
    queue: int


class OutboxFullDrops(Event, frozen=True):
    """The outbox has come to its last limit, with ``--when-full drop``."""

    level = "warning"
    text = "the outbox is full, new rows are dropped until there is room"
    queue: int


class OutboxFullExits(Event, frozen=True):
    """The outbox has come to its last limit, with ``--when-full exit``."""

    level = "warning"
    text = "the outbox is full, the run ends"
    queue: int


class OutboxHasRoom(Event, frozen=True):
    """The outbox takes rows again."""

    level = "info"
    text = "the outbox has room again"
    queue: int


class RowsDropped(Event, frozen=True):
    """Rows were dropped, as the options say.

    :param rows: those since this was last said.
    """

    level = "warning"
    text = "rows dropped, the outbox is full"
    rows: int


class RowsUnsaved(Event, frozen=True):
    """At the end of a run there are rows in this process alone, and no room for them.

    :param memory: where the spool is.
    """

    level = "error"
    text = "received rows find room neither in memory nor on disk"
    rows: int
    memory: str
    problem: str
