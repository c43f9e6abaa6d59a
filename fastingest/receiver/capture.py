"""What captures a feed: its connections, and what makes rows of what they bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from fastingest.config.settings import Settings
from fastingest.decode.decoder import Decoder
from fastingest.metrics.counters import FeedCounters
from fastingest.model.batch import Batch
from fastingest.model.event import Event
from fastingest.model.feed import Feed
from fastingest.native.factory import reader_of
from fastingest.receiver.stale_watch import StaleWatch
from fastingest.receiver.teller import Teller
from fastingest.runtime.control import LineState, Notice, Report
from fastingest.source.base import Source
from fastingest.source.connect_queue import HostQueues
from fastingest.source.connection import Connection, Prospects
from fastingest.source.documents import Documents
from fastingest.source.intake import Intake, Limit
from fastingest.source.line_counters import counters_by_line
from fastingest.source.lines import Lines
from fastingest.source.listener import Listener
from fastingest.source.refusals import Refusals
from fastingest.source.side_messages import SideMessages

__all__ = ["Capture", "Surroundings"]


@dataclass(frozen=True)
class Surroundings:
    """What all feeds of a receiver share.

    :param options: the run's settings.
    :param native: whether the native listener is used.
    :param is_one_of_many: whether the run has several feeds.
    :param limit: of rows.
    :param queues: of the hosts.
    :param tell: takes notices for the supervisor.
    :param finished: called when the limit is reached.
    """

    options: Settings
    native: bool
    is_one_of_many: bool
    limit: Limit
    queues: HostQueues
    tell: Callable[[Notice], None]
    finished: Callable[[], None]


class Capture:
    """The capture of one feed.

    :param feed: the feed.
    :param around: what it shares with others.
    :param decoder: makes its rows.
    :param counters: the feed's.
    :param emits: what takes the batches of each of its tables.
    :param before: how its connections stood, by their numbers from 1, where it has several and a
        process before has tried to make them; otherwise empty.
    """

    def __init__(
        self,
        feed: Feed,
        around: Surroundings,
        *,
        decoder: Decoder,
        counters: FeedCounters,
        emits: Sequence[Callable[[Batch], None]],
        before: Mapping[int, LineState],
    ) -> None:
        self._feed, self._around = feed, around
        self._parts = feed.by_line()
        self._numbers: list[int | None] = [None]
        self._by_line: Sequence[FeedCounters] = [counters]
        if feed.lines:
            numbers = range(1, len(feed.lines) + 1)
            never = [number in before and before[number].never_ready for number in numbers]
            self._numbers = [*numbers]
            self._by_line = counters_by_line(counters, never, self._line_changed)
        self.stale_watch: StaleWatch | None = None
        """What watches it, where it has a limit."""
        if feed.stale_after is not None:
            self.stale_watch = StaleWatch(
                feed,
                counters,
                flush_interval=around.options.flush_interval,
                report=self._report,
                tell=around.tell,
                lines=self._by_line,
            )
            emits = [self.stale_watch.through(emit) for emit in emits]
        sides = self._sides(counters)
        self.intake = Intake(
            decoder,
            counters,
            emit=emits[0] if len(emits) == 1 else lambda batch: emits[batch.table](batch),
            finished=around.finished,
            flush_interval=around.options.flush_interval,
            limit=around.limit,
            side=sides[0],
        )
        """What makes rows."""
        connections = self._connections(sides)
        since = {number - 1: state.since for number, state in before.items()}
        self.source: Source = Lines(connections, since) if feed.lines else connections[0]
        """What keeps it coming."""

    def _sides(self, counters: FeedCounters) -> list[SideMessages]:
        """What takes what each connection says beside the rows."""
        refusals = None
        if self._feed.lines:
            refusals = Refusals(self._feed.symbols, counters, self._report, len(self._parts))
        sides = [SideMessages(self._parts[0], counters, refusals=refusals)]
        sides += [
            SideMessages(part, counters, line=line, sister=sides[0], refusals=refusals)
            for line, part in enumerate(self._parts[1:], 1)
        ]
        return sides

    def _connections(self, sides: Sequence[SideMessages]) -> list[Connection]:
        feed, around = self._feed, self._around
        arrivals = [self.intake.first, *map(self.intake.another, sides[1:])]
        make_reader = reader_of(feed) if around.native else None
        prospects = Prospects(len(self._parts))
        return [
            Connection(
                part,
                around.options,
                Listener(
                    self.intake,
                    max_message_size=around.options.max_message_size,
                    make_reader=make_reader,
                    inflate=feed.inflate,
                    arrivals=arrivals[line],
                    documents=Documents.of(feed),
                ),
                self._by_line[line],
                partial(self._report, connection=self._numbers[line]),
                side=sides[line],
                observer=Teller(feed.name, around.tell, self._numbers[line]),
                queue=around.queues.of(part.url),
                line=line,
                prospects=prospects,
            )
            for line, part in enumerate(self._parts)
        ]

    def _line_changed(self, line: int, since: int, never_ready: bool) -> None:
        self._around.tell(LineState(self._feed.name, line + 1, since, never_ready))

    def _report(self, event: Event, connection: int | None = None) -> None:
        feed = self._feed.name if self._around.is_one_of_many else None
        self._around.tell(Report.of(event, feed, connection))
