"""Keeps one feed connected over a WebSocket: connect, stay, wait, and again.

Theory of operation. :meth:`Connection.run` is one loop with these states
(:class:`fastingest.metrics.counters.State`), until :meth:`Connection.stop`::

    CONNECTING ──▶ SUBSCRIBING ──▶ CONNECTED    Connector opens, then Session stays
        ▲ │             │     PAUSED     │      while the socket is not read
        │ ▼             ▼                ▼      a failure, or the end of a session
       WAITING ◀────────┴────────────────┘      for as long as the backoff says
                                                CLOSED is where stop() leads

Everything that can go wrong becomes a :class:`~fastingest.source.failure.ConnectionFailure`, in
words that hold no secret. Only before the first connection of a run does a *permanent* one end it
(``FeedRefused``): a feed that has worked will work again, whatever it says in between, unless
``--strict`` says otherwise. Where the feed has several connections, that has to become of all of
them (:class:`Prospects`). Only a session that has been ready for a while makes the waits start
over, or one that has brought rows and was ended because the server had asked for another.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

import picows

from fastingest.access.endpoint import Endpoint
from fastingest.access.secrets import Redactor, shown
from fastingest.config.settings import Settings
from fastingest.errors import FeedRefused
from fastingest.metrics.counters import FeedCounters, Slot, State
from fastingest.model.event import Event
from fastingest.model.feed import Feed
from fastingest.runtime.gate import Gate
from fastingest.source.backoff import delays
from fastingest.source.base import SourceObserver
from fastingest.source.clock import elapsed
from fastingest.source.connect_queue import ConnectQueue
from fastingest.source.connector import Connector
from fastingest.source.events import Connected, NoConnection
from fastingest.source.failure import ConnectionFailure, classify
from fastingest.source.gap import GapRecorder, Outage
from fastingest.source.listener import Listener
from fastingest.source.session import Session
from fastingest.source.side_messages import SideMessages
from fastingest.text import shortened
from fastingest.units import format_duration

__all__ = ["Connection", "Prospects"]

_MAX_URL = 200  # characters that the log shows; with many symbols a URL may have thousands

HEALTHY = 60.0
"""Seconds after which a connection that is ready counts as success, and the waits start over."""


class Prospects:
    """Whether anything may still come of a feed, of which nothing has come yet.

    :param lines: how many connections it has.
    """

    def __init__(self, lines: int = 1) -> None:
        self._good = set(range(lines))

    def end(self, line: int) -> bool:
        """A connection cannot be had, and waiting will not change that; whether it is the last."""
        self._good.discard(line)
        return not self._good

    def begin(self, line: int) -> None:
        """A connection is ready."""
        self._good.add(line)


class Connection:
    """Keeps one feed connected; a :class:`fastingest.source.base.Source`.

    A feed with many symbols may need several (:mod:`fastingest.source.lines`).

    :param feed: where to, and what to say there.
    :param options: how.
    :param listener: takes the frames.
    :param counters: the feed's.
    :param report: takes events for the log.
    :param side: brings what the server says beside the rows.
    :param observer: told what becomes of the connection; None: nobody is.
    :param queue: that of the host; None: one of its own.
    :param line: which of the feed's connections it is, from 0.
    :param prospects: the feed's.
    """

    def __init__(
        self,
        feed: Feed,
        options: Settings,
        listener: Listener,
        counters: FeedCounters,
        report: Callable[[Event], None],
        *,
        side: SideMessages,
        observer: SourceObserver | None = None,
        queue: ConnectQueue | None = None,
        line: int = 0,
        prospects: Prospects | None = None,
    ) -> None:
        self._feed = feed
        self._url = shortened(shown(feed.url), _MAX_URL)
        self._options = options
        self._listener = listener
        self._counters = counters
        self._tell = report
        self.redactor = Redactor()
        """Hides the secrets in use, in what others say."""
        listener.hide_with(self.redactor)
        self._side = side
        self._opening = Connector(feed, listener, options.max_message_size, self.redactor)
        self._queue = queue or ConnectQueue(Gate(), elapsed)
        self._asked_at = 0.0
        self._observer = observer or SourceObserver()
        side.tell(self._report, self._observer.sampled)
        self._gaps = GapRecorder(counters, self._report, ended=self._observer.gap_ended)
        self._stopping = asyncio.Event()
        self._being_opened: asyncio.Task[tuple[picows.WSTransport, Endpoint]] | None = None
        self._session: Session | None = None  # the last one, from its connect on
        self._line = line
        self._prospects = prospects or Prospects()
        self._has_connected = counters[Slot.CONNECTIONS] > 0
        self._has_been_ready = any(table.rows_received for table in counters.tables)

    async def run(self, since: Outage | None = None) -> None:
        """Stay connected until :meth:`stop`.

        :param since: from when on there has been no ready connection, and why. None: none has been
            tried yet.
        :raises FeedRefused: the feed cannot be had, and waiting will not change that.
        """
        waits = self._new_waits()
        if since is not None:
            self._gaps.resume(since)
        elif not self._stopping.is_set():
            self._gaps.start()
        while not self._stopping.is_set():
            self._state(State.CONNECTING)
            self._being_opened = asyncio.create_task(self._open())
            try:
                transport, access = await self._being_opened
            except asyncio.CancelledError:
                break  # by stop()
            except Exception as error:
                trouble = self._without_secrets(classify(error))
                if trouble.permanent and not self._has_connected and self._must_end():
                    raise FeedRefused(self._url, trouble.reason) from None
                self._gaps.fail(trouble.reason)
                if trouble.too_often:
                    self._queue.refused(self._asked_at, trouble.retry_after)
            else:
                session = Session(
                    transport,
                    access,
                    feed=self._feed,
                    options=self._options,
                    listener=self._listener,
                    counters=self._counters,
                    on_ready=self._ready,
                    on_unready=self._gaps.fail,
                    side=self._side,
                    is_first=not self._has_been_ready,
                )
                trouble = await self._stay(session)
                if self._stopping.is_set():
                    break
                if trouble.permanent and self._must_end():
                    raise FeedRefused(self._url, trouble.reason)
                self._gaps.fail(trouble.reason, session.silence)
                ready_for = session.ready_for
                self._has_been_ready |= ready_for is not None
                is_asked = trouble.asked and session.has_rows
                if is_asked or (ready_for is not None and ready_for >= HEALTHY):
                    waits = self._new_waits()
            wait = max(next(waits), trouble.retry_after, self._queue.wait)
            self._state(State.WAITING)
            self._observer.failed(trouble.reason)
            self._report(NoConnection(trouble.reason, retry_in=format_duration(wait)))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
        self._gaps.stop("" if self._listener.has_enough else self._unready)
        self._state(State.CLOSED)

    def stop(self) -> None:
        """Take nothing more, hand on everything received, and close with code 1000."""
        self._listener.stop()
        self._stopping.set()
        if self._being_opened is not None and not self._listener.is_connected:
            self._opening.abort()
            self._being_opened.cancel()
        if self._session is not None:
            self._session.close()

    def pause(self) -> None:
        """Do not read the socket until :meth:`resume`; nothing where there is none."""
        if self._session is not None:
            self._session.pause()

    def resume(self) -> None:
        """Read again."""
        if self._session is not None:
            self._session.resume()

    def give_up(self, reason: str, lines: Collection[int] | None = None) -> None:
        """Connect anew; nothing where there is no connection, or it is not among ``lines``."""
        if lines is not None and self._line not in lines:
            return
        if self._session is not None:
            self._session.give_up(reason)

    async def _open(self) -> tuple[picows.WSTransport, Endpoint]:
        self._asked_at = await self._queue.turn()
        return await self._opening.open()

    async def _stay(self, session: Session) -> ConnectionFailure:
        """Stay with a session until it is over; the trouble says why it is."""
        self._session = session
        self._counters.add(Slot.CONNECTIONS)
        self._has_connected = True
        self._observer.connected()
        self._report(Connected(self._url))
        trouble = self._without_secrets(await session.run(self._stopping))
        self._side.disconnected()
        return trouble

    def _ready(self) -> None:
        self._prospects.begin(self._line)
        self._gaps.ready()

    def _must_end(self) -> bool:
        """Whether a run ends for what waiting will not change here."""
        return self._options.strict or self._prospects.end(self._line)

    @property
    def _unready(self) -> str:
        """What there was in place of a ready connection, when the run ended."""
        if self._session is None:
            return "it was not connected yet when the run ended"
        return "its subscriptions were not all sent and answered when the run ended"

    def _new_waits(self) -> Iterator[float]:
        return delays(self._options.reconnect_initial, self._options.reconnect_max)

    def _state(self, state: State) -> None:
        self._counters[Slot.STATE] = state

    def _without_secrets(self, trouble: ConnectionFailure) -> ConnectionFailure:
        return replace(trouble, reason=self.redactor.hide(trouble.reason))

    def _report(self, event: Event) -> None:
        self._tell(event.with_strings(self.redactor.hide))
