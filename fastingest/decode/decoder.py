"""Messages → rows, rejects, and what is neither. No I/O: bytes in, batches out.

A feed has one decoder for all its tables, :class:`fastingest.decode.feed_decoder.FeedDecoder`.
What is here is what whoever feeds a decoder knows of it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Literal

from fastingest.decode.batch_builder import BatchBuilder
from fastingest.decode.values import Recall
from fastingest.model.batch import Batch
from fastingest.model.schema import Schema

__all__ = ["Decoder"]


class Decoder(ABC):
    """Decodes one feed's messages into the batches that are being filled, one for each table.

    :param schemas: the feed's tables.
    :param batch_size: the rows that close a batch.
    :param name: the feed's name.
    :param ignore: messages that are neither row nor reject, word for word.
    """

    def __init__(
        self,
        schemas: Sequence[Schema],
        batch_size: int,
        name: str = "",
        ignore: Iterable[str] = (),
    ) -> None:
        self.tables = [
            BatchBuilder(schema, batch_size, name, table) for table, schema in enumerate(schemas)
        ]
        self._ignore = frozenset(text.encode() for text in ignore)
        self.ignored = 0
        """Messages that no table takes, and rows that a table leaves out, so far."""

    @abstractmethod
    def decode(
        self, messages: list[bytes], stamps: list[tuple[int, int]], limit: int | None = None
    ) -> list[Batch]:
        """Add what ``messages`` say; the batches that this has closed.

        :param messages: whole messages, in the order received.
        :param stamps: pairs (end, time): the messages before ``end``, from where the pair before
            ended, came at ``time``, in nanoseconds since the epoch. The last ``end`` is their
            number.
        :param limit: stop after so many rows, in all tables together. None: no limit.
        """

    def recall_with(self, recall: Recall) -> None:  # noqa: B027  # there may be nothing to recall
        """Have what is remembered (``|remembered``) found with ``recall`` from now on."""

    def fate_of(self, message: bytes) -> Literal["row", "reject", "ignored"]:
        """What becomes of a message: it brings at least a row, or else a reject, or neither."""
        return "reject"

    @property
    def rows(self) -> int:
        """Rows decoded so far, in all tables."""
        return sum(table.rows for table in self.tables)

    @property
    def is_empty(self) -> bool:
        """Whether no batch being filled holds anything."""
        return all(table.is_empty for table in self.tables)

    @property
    def room(self) -> int:
        """How many rows each of the batches being filled still takes; at least one."""
        return min(table.room for table in self.tables)

    @property
    def oldest(self) -> int:
        """When the oldest row or reject in them came, in ns since the epoch; 0: they are empty."""
        return min((oldest for table in self.tables if (oldest := table.oldest)), default=0)

    def take(self) -> list[Batch]:
        """Close the batches being filled that hold anything, and start others."""
        return [table.take() for table in self.tables if not table.is_empty]

    def connected(self, number: int) -> None:
        """What comes from now on comes by the feed's connection ``number``."""
        for table in self.tables:
            table.connected(number)
