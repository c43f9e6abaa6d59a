"""One life of a socket, from the end of the handshake on: subscribe, watch, and why it is over.

A session is *ready* when all subscriptions are sent, and answered where an answer is expected. It
ends when the server ends it, when it is closed (:meth:`Session.close`), and when it is given up: a
reply does not come, the watchdog finds it dead, the server refuses all that it is asked for, or
asks for another connection, or a task of its own fails. Whatever ends it, its tasks are cancelled,
and :meth:`Session.run` says why in a :class:`ConnectionFailure`, in the server's own words where it
has said something.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import picows

from fastingest.access.endpoint import Endpoint
from fastingest.config.settings import Settings
from fastingest.metrics.counters import FeedCounters, Slot, State
from fastingest.model.feed import Feed
from fastingest.source.clock import elapsed
from fastingest.source.failure import ConnectionFailure, classify
from fastingest.source.listener import Listener
from fastingest.source.loop import BoundedReads
from fastingest.source.receipt import Receipt
from fastingest.source.side_messages import SideMessages
from fastingest.source.subscriptions import NoReply, Subscriber, beat
from fastingest.source.watchdog import Come, Dead, Watchdog

__all__ = ["Session", "rows_of"]

_CLOSE_TIMEOUT = 0.3  # seconds that the server gets to answer our close frame
_TICK = 1.0  # seconds between two looks at a connection that no clock is to end


class Session:
    """What is done with an open connection.

    :param transport: the connection.
    :param access: what it was made with.
    :param feed: what to say there.
    :param options: how long to wait for what.
    :param listener: takes the frames.
    :param counters: the feed's.
    :param on_ready: called when it is ready.
    :param side: brings what the server says beside the rows.
    :param is_first: whether the feed has never worked in this run: then it ends if it is refused.
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
        on_ready: Callable[[], None],
        side: SideMessages,
        is_first: bool,
    ) -> None:
        self._transport = transport
        self._access = access
        self._feed = feed
        self._options = options
        self._listener = listener
        self._counters = counters
        self._on_ready = on_ready
        self._side = side
        self._is_first = is_first
        self._rows_before = rows_of(counters)
        self._subscriber = Subscriber(
            transport,
            listener,
            list(zip(feed.subscriptions, access.subscriptions, strict=True)),
            is_refusal=side.is_refusal,
            is_paused=lambda: self._is_paused,
            every=feed.subscribe_every,
        )
        self._is_over = False
        self._is_paused = False
        self._given_up: ConnectionFailure | None = None  # why this side ended it
        self._is_asked_to_end = False  # by what the server has said
        self._ready_at: float | None = None
        self._protocol = transport.underlying_transport.get_protocol()
        self._receipt = Receipt(elapsed(), self._reads)
        self.silence = 0.0
        """Seconds since the last bytes came, or since the last row where it is the lack of these
        that has ended it; once it is over."""
        self._show_state()
        side.act_by(self)

    @property
    def has_rows(self) -> bool:
        """Whether it has brought any."""
        return rows_of(self._counters) > self._rows_before

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
            return self._with_reason(self._given_up or classify(error))
        finally:
            self._is_over = True
            silence = self._receipt.silence(elapsed(), self._reads, self._age)
            self.silence = max(self.silence, silence)
            stop.cancel()
            for task in tasks:
                task.cancel()
        return self._with_reason(self._given_up or _why_closed(transport))

    def _with_reason(self, trouble: ConnectionFailure) -> ConnectionFailure:
        """A trouble, with what the server may have said of it."""
        said = self._side.reason(has_rows=self.has_rows)
        if not said or self._is_asked_to_end:  # the trouble has its words
            return trouble
        return replace(trouble, reason=f"{trouble.reason}; the server said: {said}")

    def give_up(self, reason: str) -> None:
        """End it, for this reason."""
        self._give_up(ConnectionFailure(reason))

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
            self._show_state()
        below = self._transport.underlying_transport
        _hold(below, True)
        if below.is_reading():  # again, maybe: behind a proxy a turn of the loop ends it
            below.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._is_paused and not self._is_over:
            self._is_paused = False
            self._show_state()
            below = self._transport.underlying_transport
            _hold(below, False)
            below.resume_reading()

    async def _subscribe(self) -> None:
        try:
            await self._subscriber.run()
        except NoReply as error:
            self._give_up(ConnectionFailure(str(error)))
        else:
            if not self._subscriber.is_refused:
                self._ready_at = time.monotonic()
                self._show_state()
                self._side.refusals.ready()
                self._on_ready()

    def _show_state(self) -> None:
        state = State.SUBSCRIBING if self._ready_at is None else State.CONNECTED
        self._counters[Slot.STATE] = State.PAUSED if self._is_paused else state

    # What the server says; it is in the middle of a read then

    def refused(self, words: str, symbols: Sequence[str], subscription: int | None) -> int | None:
        """As in :class:`fastingest.source.side_messages.SideActor`."""
        about = self._subscriber.refuse(symbols, subscription, has_rows=self.has_rows)
        is_refused = self._subscriber.is_refused
        if self._options.strict or is_refused:
            permanent = self._options.strict or (self._is_first and not self.has_rows)
            self._give_up_soon(ConnectionFailure(f"it refuses: {words}", permanent=permanent))
        return about

    def asked_to_reconnect(self, words: str) -> None:
        """As in :class:`fastingest.source.side_messages.SideActor`."""
        self._give_up_soon(
            ConnectionFailure(f"the server asked for another connection: {words}", asked=True)
        )

    def answer(self, number: int, fill: Callable[[str], str]) -> None:
        """As in :class:`fastingest.source.side_messages.SideActor`."""
        if not self._is_over and self._given_up is None:
            text = fill(self._access.answers[number])
            self._transport.send(picows.WSMsgType.TEXT, text)

    def _give_up_soon(self, trouble: ConnectionFailure) -> None:
        self._is_asked_to_end = True
        asyncio.get_running_loop().call_soon(self._give_up, trouble)

    async def _watch(self) -> None:
        """Do as the watchdog says."""
        ping, idle = self._options.ping_interval, self._options.idle_timeout
        watchdog = Watchdog(ping, idle, self._come())
        looked = elapsed()
        while True:
            await asyncio.sleep(watchdog.tick or _TICK)
            before, looked = looked, elapsed()
            self._receipt.look(looked, self._reads, self._age)
            action = watchdog.look(looked - before, self._come(), is_paused=self._is_paused)
            if action == "ping":
                self._transport.send_ping()
            elif isinstance(action, Dead):
                self._give_up(ConnectionFailure(action.reason), action.silence)
                return

    def _come(self) -> Come:
        """What has come so far."""
        if self._options.idle_timeout is not None:
            self._listener.decode()  # what waits for company may be rows
        rows = sum(output[Slot.RECEIVED] for output in self._counters.outputs)
        return Come(self._reads, self._counters[Slot.MESSAGES], rows)

    @property
    def _reads(self) -> int:
        """How often anything has come: bytes, not frames, since a long frame may take its time."""
        # Behind a proxy picows puts its own protocol there; then it is frames that are counted.
        protocol = self._protocol
        return protocol.reads if isinstance(protocol, BoundedReads) else self._listener.reads

    @property
    def _age(self) -> float:
        """Seconds since the last time; 0.0 where that is not known any better."""
        protocol = self._protocol
        if not isinstance(protocol, BoundedReads):
            return 0.0
        return asyncio.get_running_loop().time() - protocol.read_at

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        """A connection without what watches it, or speaks for it, is worse than none."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if not isinstance(error, (picows.WSError, OSError)):
            message = {"message": "a task of a connection failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(message)
        if not self._is_over:
            self._give_up(ConnectionFailure(str(error) or repr(error)))

    def _give_up(self, trouble: ConnectionFailure, silence: float = 0.0) -> None:
        if self._is_over or self._given_up is not None:
            return
        self._given_up, self.silence = trouble, silence
        self._transport.send_close(picows.WSCloseCode.GOING_AWAY)
        self._transport.disconnect(graceful=False)  # a dead peer acknowledges nothing


def rows_of(counters: FeedCounters) -> int:
    """How many rows a feed has brought in this run."""
    return sum(output.rows_received for output in counters.outputs)


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
