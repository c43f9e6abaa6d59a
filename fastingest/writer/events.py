"""What the log tells of the writer and its files. ``bytes`` and ``bytes_…`` are sizes."""

from __future__ import annotations

from fastingest.model.event import Event

__all__ = [
    "AppendedByOthers",
    "BatchSetAside",
    "BatchUnwritable",
    "CountersUnreadable",
    "DamageCut",
    "EarlierRowsLost",
    "EarlierRowsTaken",
    "HeaderReplaced",
    "KeptRowsGone",
    "NoEarlierRows",
    "OutputChanged",
    "OutputDamaged",
    "OutputEmptied",
    "OutputShort",
    "OutputShorterThanLedger",
    "OutputSwapped",
    "RejectsGone",
    "RowsGone",
    "RowsLostWithReceiver",
    "SyncFailed",
    "TooManyRejects",
    "TornLineCut",
    "UncommittedRowsKept",
    "WriteFailing",
    "WriterBroken",
    "WritingAgain",
]

# Batches


class BatchUnwritable(Event, frozen=True):
    """A batch could not be made into text; that is tried again."""

    level = "warning"
    text = "a batch cannot be written"
    problem: str


class BatchSetAside(Event, frozen=True):
    """A batch could not be made into text for too often."""

    level = "error"
    text = "a batch that cannot be written is set aside"
    rows: int
    problem: str
    kept_in: str


class TooManyRejects(Event, frozen=True):
    """From here on not every reject is kept."""

    level = "warning"
    text = "there are too many rejects to keep them all; they are counted, and sampled"
    kept_in: str


# The disk


class WriteFailing(Event, frozen=True):
    """An output cannot be written; that is tried again, and not said each time."""

    level = "error"
    text = "cannot write, trying again"
    problem: str


class WritingAgain(Event, frozen=True):
    """An output is written again."""

    level = "info"
    text = "writing again"


class WriterBroken(Event, frozen=True):
    """The writer ends of an error that another one may not have."""

    level = "error"
    text = "the writer cannot go on"
    output: str
    problem: str


class SyncFailed(Event, frozen=True):
    """What was written may not be on the disk, and is not in the system's memory any more."""

    level = "error"
    text = "the output could not be synced, what it was to put on the disk is written again"
    problem: str


class RowsGone(Event, frozen=True):
    """Rows were not on the disk after a failed sync, and could not be written again."""

    level = "error"
    text = "rows that could not be synced are gone: the system has dropped them"
    rows: int


class RejectsGone(Event, frozen=True):
    """As :class:`RowsGone`, of rejects."""

    level = "error"
    text = "rejects that could not be synced are gone"
    bytes: int
    path: str


# What others have done to the file


class AppendedByOthers(Event, frozen=True):
    """Another program has added lines."""

    level = "warning"
    text = "another program has appended to the output"
    path: str
    bytes: int


class OutputEmptied(Event, frozen=True):
    """Another program has cut the file off."""

    level = "warning"
    text = "the output was truncated, going on in it"
    path: str
    bytes_before: int


class OutputChanged(Event, frozen=True):
    """The file is not at its place any more.

    :param change: it was ``moved`` or ``deleted``.
    """

    level = "warning"
    text = "the output was {change}, going on in a new one"
    change: str
    path: str
    bytes_before: int


class OutputSwapped(Event, frozen=True):
    """Between two lives of a writer another file has got the name."""

    level = "warning"
    text = "the output is another file than it was"
    path: str


class OutputShorterThanLedger(Event, frozen=True):
    """Between two runs the file has lost something."""

    level = "warning"
    text = "the output is shorter than its ledger says; see fastingest verify"
    bytes_missing: int


# What a writer finds in the file when it begins


class TornLineCut(Event, frozen=True):
    """The file ended in a piece of a row, which is a reject now."""

    level = "warning"
    text = "cut off a torn last line"
    bytes: int
    kept_in: str


class DamageCut(Event, frozen=True):
    """The end of the file was something else than what was written; it is among the rejects now."""

    level = "error"
    text = "cut off what is not as it was written"
    bytes: int
    kept_in: str


class HeaderReplaced(Event, frozen=True):
    """The file had other columns, and has never had a row of them."""

    level = "warning"
    text = "replaced the header of a file without rows"
    path: str
    found: str


class OutputShort(Event, frozen=True):
    """The file has less than the journal says."""

    level = "error"
    text = "the file is shorter than recorded"
    bytes_missing: int
    rows_missing: int


class OutputDamaged(Event, frozen=True):
    """The file has something else than what was written.

    :param start: the offset where what it may be begins.
    :param end: that where it ends.
    """

    level = "error"
    text = "the file is not as it was written, which rows are damaged is not known"
    path: str
    start: int
    end: int


class UncommittedRowsKept(Event, frozen=True):
    """The file has whole rows that nobody has recorded."""

    level = "warning"
    text = "rows behind the last commit are kept"
    bytes: int


# What earlier runs, and receivers, have left


class EarlierRowsTaken(Event, frozen=True):
    """An earlier run had left rows, and they are written now."""

    level = "warning"
    text = "took up what an earlier run had left"
    rows: int


class NoEarlierRows(Event, frozen=True):
    """An earlier run was interrupted, and had left no rows."""

    level = "info"
    text = EarlierRowsTaken.text
    rows: int


class EarlierRowsLost(Event, frozen=True):
    """An earlier run had received rows, or messages, that are nowhere."""

    level = "error"
    text = "an earlier run has lost rows"
    rows: int
    messages: int


class KeptRowsGone(Event, frozen=True):
    """An earlier run had left rows in memory, and the machine was started anew."""

    level = "error"
    text = "rows that an earlier run had kept in memory are gone"
    rows: int


class CountersUnreadable(Event, frozen=True):
    """Another version of fastingest has made the counters of an earlier run."""

    level = "warning"
    text = "what an earlier run has counted cannot be read, and is unknown"
    problem: str


class RowsLostWithReceiver(Event, frozen=True):
    """A receiver that died had received rows that are nowhere."""

    level = "error"
    text = "rows were lost with the receiver"
    rows: int
