"""One life of a socket, from the end of the handshake on: subscribe, watch, and why it is over.

A session is *ready* when all subscriptions are sent, and answered where an answer is expected. It
ends when the server ends it, when it is closed (:meth:`Session.close`), and when it is given up: a
reply does not come, the watchdog finds it dead, or a task of its own fails. Whatever ends it, its
tasks are cancelled, and :meth:`Session.run` says why in a :class:`ConnectionFailure`.
"""

from __future__ import annotations

import asyncio
import time

import picows

from fastingest.access.endpoint import Endpoint
from fastingest.config.settings import Settings
from fastingest.metrics.counters import FeedCounters, Slot, State
from fastingest.model.feed import Feed
from fastingest.source.failure import ConnectionFailure, classify
from fastingest.source.listener import Listener
from fastingest.source.loop import BoundedReads
from fastingest.source.subscriptions import NoReply, beat, subscribe
from fastingest.source.watchdog import Dead, Watchdog

__all__ = ["Session"]

_CLOSE_TIMEOUT = 0.3  # seconds that the server gets to answer our close frame


class Session:
    """What is done with an open connection.

    :param transport: the connection.
    :param access: what it was made with.
    :param feed: what to say there.
    :param options: how long to wait for what.
    :param listener: takes the frames.
    :param counters: the feed's.
    """

    def __init__(
        self,
        transport: picows.WSTransport,
        access: Endpoint,
        *,
        feed: Feed,
        options: Settings,
        listener: Listener,
        counters: FeedCounters,
    ) -> None:
        self._transport = transport
        self._access = access
        self._feed = feed
        self._options = options
        self._listener = listener
        self._counters = counters
        self._is_over = False
        self._is_paused = False
        self._given_up: ConnectionFailure | None = None  # why this side ended it
        self._ready_at: float | None = None
        self.silence = 0.0
        """Seconds that nothing had come when it was given up; 0.0 where it was not."""
        self._counters[Slot.STATE] = State.CONNECTED

    @property
    def ready_for(self) -> float | None:
        """Seconds since it was ready; None: it was not."""
        return None if self._ready_at is None else time.monotonic() - self._ready_at

    async def run(self, stopping: asyncio.Event) -> ConnectionFailure:
        """Subscribe, and stay until it is over; the trouble says why it is.

        :param stopping: when it is set, the server has a moment left to answer our close frame.
        """
        transport = self._transport
        if stopping.is_set():  # the first read has brought all the rows that are wanted
            transport.send_close(picows.WSCloseCode.OK)
        tasks = [asyncio.create_task(self._watch()), asyncio.create_task(self._subscribe())]
        for heartbeat, text in zip(self._feed.heartbeats, self._access.heartbeats, strict=True):
            tasks.append(asyncio.create_task(beat(transport, heartbeat, text)))
        for task in tasks:
            task.add_done_callback(self._task_ended)
        over = asyncio.ensure_future(transport.wait_disconnected())
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait((over, stop), return_when=asyncio.FIRST_COMPLETED)
            if not over.done():
                await asyncio.wait((over,), timeout=_CLOSE_TIMEOUT)
                transport.disconnect(graceful=False)
            await over
        except Exception as error:
            # Only a fault in the listener itself arrives here as anything but picows' own errors.
            if not isinstance(error, (picows.WSError, OSError)):
                raise
            return classify(error)
        finally:
            self._is_over = True
            stop.cancel()
            for task in tasks:
                task.cancel()
        return self._given_up or _why_closed(transport)

    def close(self) -> None:
        """Close with code 1000."""
        if not self._is_over:
            self.resume()
            self._transport.send_close(picows.WSCloseCode.OK)

    def pause(self) -> None:
        """Do not read the socket until :meth:`resume`: the kernel, then the server, must wait."""
        if self._is_over:
            return
        if not self._is_paused:
            self._is_paused = True
            self._counters.add(Slot.PAUSES)
            self._counters[Slot.STATE] = State.PAUSED
        below = self._transport.underlying_transport
        _hold(below, True)
        if below.is_reading():  # again, maybe: behind a proxy a turn of the loop ends it
            below.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._is_paused and not self._is_over:
            self._is_paused = False
            self._counters[Slot.STATE] = State.CONNECTED
            below = self._transport.underlying_transport
            _hold(below, False)
            below.resume_reading()

    async def _subscribe(self) -> None:
        texts = list(zip(self._feed.subscriptions, self._access.subscriptions, strict=True))
        try:
            await subscribe(
                self._transport,
                self._listener,
                texts,
                lambda: self._is_paused,
                self._feed.subscribe_every,
            )
        except NoReply as error:
            self._give_up(str(error))
        else:
            self._ready_at = time.monotonic()

    async def _watch(self) -> None:
        """Do as the watchdog says."""
        ping, idle = self._options.ping_interval, self._options.idle_timeout
        watchdog = Watchdog(ping, idle, self._reads(), self._counters[Slot.MESSAGES])
        while watchdog.tick is not None:
            await asyncio.sleep(watchdog.tick)
            come = self._reads(), self._counters[Slot.MESSAGES]
            action = watchdog.look(watchdog.tick, *come, is_paused=self._is_paused)
            if action == "ping":
                self._transport.send_ping()
            elif isinstance(action, Dead):
                self._give_up(action.reason, action.silence)
                return

    def _reads(self) -> int:
        """How often anything has come: bytes, not frames, since a long frame may take its time."""
        protocol = self._transport.underlying_transport.get_protocol()
        # Behind a proxy picows puts its own protocol there; then it is frames that are counted.
        return protocol.reads if isinstance(protocol, BoundedReads) else self._listener.reads

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """A connection without what watches it, or speaks for it, is worse than none."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if not isinstance(error, (picows.WSError, OSError)):
            message = {"message": "a task of a connection failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(message)
        if not self._is_over:
            self._give_up(str(error) or repr(error))

    def _give_up(self, reason: str, silence: float = 0.0) -> None:
        self._given_up, self.silence = ConnectionFailure(reason), silence
        self._transport.send_close(picows.WSCloseCode.GOING_AWAY)
        self._transport.disconnect(graceful=False)  # a dead peer acknowledges nothing


def _hold(transport: asyncio.Transport, on: bool) -> None:
    protocol = transport.get_protocol()
    if isinstance(protocol, BoundedReads):
        protocol.is_held = on


def _why_closed(transport: picows.WSTransport) -> ConnectionFailure:
    handshake = transport.close_handshake
    if handshake is None or handshake.recv is None:
        return ConnectionFailure("the server broke the connection off without a close frame")
    code, reason = handshake.recv.code, handshake.recv.reason
    said = "no code" if code is picows.WSCloseCode.NO_INFO else f"code {code.value}"
    return ConnectionFailure(f"the server closed with {said}{': ' if reason else ''}{reason or ''}")
