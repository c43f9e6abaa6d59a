"""What a format is: it makes the bytes of an output of batches, and knows nothing of files.

A format is pure: no I/O, no clock. A part of an output is what :meth:`Format.begin` makes, then
what :meth:`Format.encode` makes of each batch, then what :meth:`Format.end` makes. The writer
relies on one thing above all: the same batch becomes the same bytes, in whatever process and
however often. So what a writer that died has left behind its last commit can be told from another
program's.

A format whose bytes depend on those before (a compressed one, one with a table of contents at the
end) says in :meth:`Format.snapshot` what it has to know of them, and goes on with that in another
process. Today's only one, :class:`fastingest.format.csv.CsvFormat`, has no such state.
"""

from __future__ import annotations

from typing import Protocol

from fastingest.model.batch import Batch
from fastingest.model.schema import Schema

__all__ = ["Format"]


class Format(Protocol):
    """The bytes of one output, in order."""

    @property
    def suffix(self) -> str:
        """What the name of such a file ends with, with its dot."""

    @property
    def defects(self) -> tuple[type[BaseException], ...]:
        """What :meth:`encode` may raise for a batch in which something is wrong."""

    def begin(self, schema: Schema) -> bytes:
        """What stands in front of the first batch; empty where nothing does."""

    def encode(self, batch: Batch) -> memoryview:
        """A batch's rows: the same bytes each time; none where it has only rejects.

        :raises BaseException: something is wrong in the batch; one of :attr:`defects`.
        """

    def end(self) -> bytes:
        """What stands behind the last batch; empty where nothing does."""

    def snapshot(self) -> bytes:
        """All that :meth:`encode` and :meth:`end` have to know of what was encoded so far."""

    def resume(self, state: bytes) -> None:
        """Go on behind what was encoded when :meth:`snapshot` said this.

        :raises ValueError: it is no state of this format.
        """
