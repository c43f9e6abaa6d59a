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
        self._feed, self._counters, self._around = feed, counters, around
        parts = feed.by_line()
        self._has_several = len(parts) > 1
        numbers = range(1, len(parts) + 1)
        by_line: Sequence[FeedCounters] = [counters]
        if self._has_several:
            never = [number in before and before[number].never_ready for number in numbers]
            by_line = counters_by_line(counters, never, self._line_changed)
        self.stale_watch: StaleWatch | None = None
        """What watches it, where it has a limit."""
        if feed.stale_after is not None:
            self.stale_watch = StaleWatch(
                feed,
                counters,
                flush_interval=around.options.flush_interval,
                report=self._report,
                tell=around.tell,
                lines=by_line,
            )
            emits = [self.stale_watch.through(emit) for emit in emits]
        refusals = None
        if self._has_several:
            refusals = Refusals(feed.symbols, counters, self._report, len(parts))
        sides = [SideMessages(parts[0], counters, refusals=refusals)]
        sides += [
            SideMessages(part, counters, line=line, sister=sides[0], refusals=refusals)
            for line, part in enumerate(parts[1:], 1)
        ]
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
        arrivals = [self.intake.first, *map(self.intake.another, sides[1:])]
        make_reader = reader_of(feed) if around.native else None
        prospects = Prospects(len(parts))
        connections = []
        for line, part in enumerate(parts):
            number = numbers[line] if self._has_several else None
            listener = Listener(
                self.intake,
                max_message_size=around.options.max_message_size,
                make_reader=make_reader,
                inflate=feed.inflate,
                arrivals=arrivals[line],
            )
            connections.append(
                Connection(
                    part,
                    around.options,
                    listener,
                    by_line[line],
                    partial(self._report, connection=number),
                    side=sides[line],
                    observer=Teller(feed.name, around.tell, number),
                    queue=around.queues.of(part.url),
                    line=line,
                    prospects=prospects,
                )
            )
        since = {number - 1: state.since for number, state in before.items()}
        self.source: Source = Lines(connections, since) if self._has_several else connections[0]
        """What keeps it coming."""

    def _line_changed(self, line: int, since: int, never_ready: bool) -> None:
        self._around.tell(LineState(self._feed.name, line + 1, since, never_ready))

    def _report(self, event: Event, connection: int | None = None) -> None:
        feed = self._feed.name if self._around.is_one_of_many else None
        self._around.tell(Report.of(event, feed, connection))
