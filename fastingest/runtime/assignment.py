"""Who does what in a run: which tables go to which output, and which feeds to which receiver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fastingest.metrics.counters import Counters
from fastingest.model.feed import Feed
from fastingest.runtime.control import LineState
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.lock import OutputLock
from fastingest.storage.names import named

__all__ = ["Assignment", "OutputSpec", "SharedOutput", "feeds_of_partition", "targets_of"]


@dataclass(frozen=True)
class OutputSpec:
    """An output of a run, and what goes there.

    :param path: the CSV file.
    :param header: its first line, without the end.
    :param tables: for each feed that goes there, by its name, which of its tables do.
    """

    path: Path
    header: str
    tables: dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class SharedOutput:
    """What the processes of a run share of one output.

    :param target: the output.
    :param run: the run's id, in the output's account.
    :param places: where its spool and its spill are.
    :param counters: its counters.
    :param lock: the output's; a process that has it holds it for as long as it lives, since the
        next start takes what it has in the spool.
    """

    target: OutputSpec
    run: int
    places: SpoolDirectories
    counters: Counters
    lock: OutputLock


@dataclass(frozen=True)
class Assignment:
    """What one receiver has to do.

    :param stream: the id of this life of it.
    :param feeds: its feeds (the demo's URL has been resolved to a real one).
    :param shares: the outputs that they go to, by their index.
    :param gaps: for each feed that was to be connected before, by its name: since when, in
        nanoseconds since the epoch, and why it has had no ready connection.
    :param lines: for such a feed that has several connections, how each of them stood, by its
        number.
    :param parts: how many outboxes all receivers of the run have.
    :param is_one_of_many: whether the run has other feeds.
    :param native: whether the native listener is used (:mod:`fastingest.native.availability`).
    """

    stream: int
    feeds: tuple[Feed, ...]
    shares: dict[int, SharedOutput]
    gaps: dict[str, tuple[int, str]]
    lines: dict[str, dict[int, LineState]]
    parts: int
    is_one_of_many: bool
    native: bool


def targets_of(feeds: Sequence[Feed]) -> tuple[OutputSpec, ...]:
    """The outputs of a run, in the order in which the feeds name them."""
    targets: dict[Path, OutputSpec] = {}
    for feed in feeds:
        for number, table in enumerate(feed.tables):
            path = named(table.out)
            if path not in targets:
                targets[path] = OutputSpec(table.out, table.schema.header, {})
            tables = targets[path].tables
            tables[feed.name] = (*tables.get(feed.name, ()), number)
    return tuple(targets.values())


def feeds_of_partition(partition: int, partitions: int, feeds: Sequence[Feed]) -> tuple[Feed, ...]:
    """Which feeds of a run the receiver ``partition`` of ``partitions`` has."""
    return tuple(feeds[partition::partitions])
