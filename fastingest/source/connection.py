"""One feed's connection: connect, subscribe, watch, and connect again.

Theory of operation. :meth:`Connection.run` is one loop: open a connection, stay with it until it is
lost, wait, and again, until :meth:`Connection.stop`. Everything that can go wrong becomes a
:class:`~fastingest.source.failure.Trouble`, in words that hold no secret. Only before the first
connection of a run does a *hopeless* one end it (``FeedRefused``): a feed that has worked will work
again, whatever it says in between.

A time without a connection is a *gap*. It starts when the connection was lost, or, where that was
found out by waiting, when the feed went silent; it ends with the next connection, and is then
counted and logged.

A connection that is dead without saying so (half-open) is found by two clocks. Nothing at all for
``ping_interval``: a ping is sent, and if nothing at all comes for as long again, the connection is
given up. No message for ``idle_timeout``: given up as well, even though pings are answered. A third
clock runs while the reply to a subscription is waited for. All stand still while the socket is not
being read.

A connection is *ready* when all subscriptions are sent, and answered where an answer is expected.
Only one that has been ready for a while makes the waits start over.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import replace

import picows

from fastingest.access.endpoint import Access
from fastingest.access.secrets import Redactor, shown
from fastingest.config.options import Options
from fastingest.errors import FeedRefused
from fastingest.metrics.counters import FeedCounters, Slot, State
from fastingest.model.feed import Feed
from fastingest.source.backoff import delays
from fastingest.source.connector import Opening
from fastingest.source.failure import Trouble, diagnose
from fastingest.source.listener import Listener
from fastingest.source.loop import BoundedReads
from fastingest.source.subscriptions import NoReply, beat, subscribe
from fastingest.units import format_duration

__all__ = ["Connection"]

HEALTHY = 60.0
"""Seconds after which a connection that is ready counts as success, and the waits start over."""

_CLOSE_TIMEOUT = 0.3  # seconds that the server gets to answer our close frame


class _Gap:
    """A time without a connection, from the moment that the feed went silent.

    :param reason: why.
    :param silence: how long it has been silent already, in seconds.
    """

    def __init__(self, reason: str, silence: float) -> None:
        self.reason = reason
        self.start = time.monotonic() - silence
        self.start_ns = time.time_ns() - round(silence * 1e9)

    @classmethod
    def since(cls, start: int, reason: str) -> _Gap:
        """One that has begun at ``start``, in nanoseconds since the epoch."""
        return cls(reason, max(0.0, (time.time_ns() - start) / 1e9))


class Connection:
    """Keeps one feed connected.

    :param feed: where to, and what to say there.
    :param options: how.
    :param listener: takes the frames.
    :param counters: the feed's.
    :param report: takes events for the log: level, what happened, and facts by name.
    :param gap_ended: told of each gap that is over: from when on it was, in nanoseconds since the
        epoch, its length in seconds, and why it was, without secrets.
    """

    def __init__(
        self,
        feed: Feed,
        options: Options,
        listener: Listener,
        counters: FeedCounters,
        report: Callable[..., None],
        *,
        gap_ended: Callable[[int, float, str], None] = lambda *_: None,
    ) -> None:
        self._feed = feed
        self._url = shown(feed.url)
        self._options = options
        self._listener = listener
        self._counters = counters
        self._tell = report
        self._gap_ended = gap_ended
        self.redactor = Redactor()
        """Hides the secrets in use, in what others say."""
        listener.hide_with(self.redactor)
        self._door = Opening(feed, listener, options.max_message_size, self.redactor)
        self._transport: picows.WSTransport | None = None
        self._stopping = asyncio.Event()
        self._opening: asyncio.Task[tuple[picows.WSTransport, Access]] | None = None
        self._ready_at: float | None = None  # when the connection was ready
        self._paused = False
        self._given_up: Trouble | None = None  # why this side ended the connection
        self._silence = 0.0  # seconds that nothing had come when the connection was lost

    async def run(self, since: tuple[int, str] | None = None) -> None:
        """Stay connected until :meth:`stop`.

        :param since: from when on, in nanoseconds since the epoch, and why there has been no
            connection. None: there has not been one yet.
        :raises FeedRefused: the feed cannot be had, and waiting will not change that.
        """
        waits = delays(self._options.reconnect_initial, self._options.reconnect_max)
        gap = None if since is None else self._begin(_Gap.since(*since))
        while not self._stopping.is_set():
            self._state(State.CONNECTING)
            self._opening = asyncio.create_task(self._door.open())
            try:
                transport, access = await self._opening
            except asyncio.CancelledError:
                break  # by stop()
            except Exception as error:
                trouble = self._without_secrets(diagnose(error))
                if trouble.hopeless and not self._counters[Slot.CONNECTIONS]:
                    raise FeedRefused(self._url, trouble.reason) from None
            else:
                self._counters.add(Slot.CONNECTIONS)
                self._report("info", "connected", url=self._url)
                if gap is not None:
                    self._end(gap)
                gap = None
                trouble = self._without_secrets(await self._stay(transport, access))
                if self._stopping.is_set():
                    break
                gap = self._begin(_Gap(trouble.reason, self._silence))
                ready_at = self._ready_at
                if ready_at is not None and time.monotonic() - ready_at >= HEALTHY:
                    waits = delays(self._options.reconnect_initial, self._options.reconnect_max)
            wait = max(next(waits), trouble.retry_after)
            self._state(State.WAITING)
            self._report(
                "warning", "no connection", reason=trouble.reason, retry_in=format_duration(wait)
            )
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), wait)
        if gap is not None:
            self._end(gap)
        self._state(State.CLOSED)

    def stop(self) -> None:
        """Take nothing more, hand on everything received, and close with code 1000."""
        self._listener.stop()
        self._stopping.set()
        if self._opening is not None and not self._listener.is_connected:
            self._door.abort()
            self._opening.cancel()
        if self._transport is not None:
            self.resume()
            self._transport.send_close(picows.WSCloseCode.OK)

    def pause(self) -> None:
        """Do not read the socket until :meth:`resume`: the kernel, then the server, must wait."""
        if self._transport is None:
            return
        if not self._paused:
            self._paused = True
            self._counters.add(Slot.PAUSES)
            self._state(State.PAUSED)
        below = self._transport.underlying_transport
        self._hold(below, True)
        if below.is_reading():  # again, maybe: behind a proxy a turn of the loop ends it
            below.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._state(State.CONNECTED)
            below = self._transport.underlying_transport
            self._hold(below, False)
            below.resume_reading()

    @staticmethod
    def _hold(transport: asyncio.Transport, on: bool) -> None:
        protocol = transport.get_protocol()
        if isinstance(protocol, BoundedReads):
            protocol.is_held = on

    def _state(self, state: State) -> None:
        self._counters[Slot.STATE] = state

    def _without_secrets(self, trouble: Trouble) -> Trouble:
        return replace(trouble, reason=self.redactor.hide(trouble.reason))

    def _report(self, level: str, event: str, **facts: object) -> None:
        hide = self.redactor.hide
        self._tell(
            level, event, **{k: hide(v) if isinstance(v, str) else v for k, v in facts.items()}
        )

    async def _stay(self, transport: picows.WSTransport, access: Access) -> Trouble:
        """Subscribe, and stay until the connection is over; the trouble says why it is."""
        self._transport, self._paused = transport, False
        self._given_up, self._silence, self._ready_at = None, 0.0, None
        self._state(State.CONNECTED)
        if self._stopping.is_set():  # the first read has brought all the rows that are wanted
            transport.send_close(picows.WSCloseCode.OK)
        tasks = [
            asyncio.create_task(self._watch(transport)),
            asyncio.create_task(self._subscribe(transport, access)),
        ]
        for heartbeat, text in zip(self._feed.heartbeats, access.heartbeats, strict=True):
            tasks.append(asyncio.create_task(beat(transport, heartbeat, text)))
        for task in tasks:
            task.add_done_callback(lambda done: self._task_ended(transport, done))
        over = asyncio.ensure_future(transport.wait_disconnected())
        stop = asyncio.create_task(self._stopping.wait())
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
            return diagnose(error)
        finally:
            self._transport = None
            stop.cancel()
            for task in tasks:
                task.cancel()
        return self._given_up or self._why_closed(transport)

    def _task_ended(self, transport: picows.WSTransport, task: asyncio.Task[None]) -> None:
        """A connection without what watches it, or speaks for it, is worse than none."""
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        if not isinstance(error, (picows.WSError, OSError)):
            message = {"message": "a task of a connection failed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(message)
        if self._transport is transport:
            self._give_up(transport, str(error) or repr(error), 0.0)

    async def _subscribe(self, transport: picows.WSTransport, access: Access) -> None:
        texts = list(zip(self._feed.subscriptions, access.subscriptions, strict=True))
        try:
            await subscribe(transport, self._listener, texts, lambda: self._paused)
        except NoReply as error:
            self._give_up(transport, str(error), 0.0)
        else:
            self._ready_at = time.monotonic()

    def _why_closed(self, transport: picows.WSTransport) -> Trouble:
        handshake = transport.close_handshake
        if handshake is None or handshake.recv is None:
            return Trouble("the server broke the connection off without a close frame")
        code, reason = handshake.recv.code, handshake.recv.reason
        said = "no code" if code is picows.WSCloseCode.NO_INFO else f"code {code.value}"
        return Trouble(f"the server closed with {said}{': ' if reason else ''}{reason or ''}")

    async def _watch(self, transport: picows.WSTransport) -> None:
        """Give the connection up when it is dead without saying so."""
        ping, idle = self._options.ping_interval, self._options.idle_timeout
        limits = [limit for limit in (ping, idle) if limit is not None]
        if not limits:
            return
        tick = min(1.0, min(limits) / 4)
        quiet = silent = 0.0  # seconds without anything at all, and without a message
        pinged: float | None = None  # seconds since a ping that nothing has followed
        reads, messages = self._reads(transport), self._counters[Slot.MESSAGES]
        while True:
            await asyncio.sleep(tick)
            before = reads, messages
            reads, messages = self._reads(transport), self._counters[Slot.MESSAGES]
            if self._paused or reads != before[0]:
                quiet, pinged = 0.0, None
            else:
                quiet += tick
                pinged = None if pinged is None else pinged + tick
            silent = 0.0 if self._paused or messages != before[1] else silent + tick
            if idle is not None and silent >= idle:
                self._give_up(transport, f"no message for {format_duration(idle)}", silent)
                return
            if ping is None or quiet < ping:
                continue
            if pinged is None:
                transport.send_ping()
                pinged = 0.0
            elif pinged >= ping:
                self._give_up(transport, f"no answer to a ping for {format_duration(ping)}", quiet)
                return

    def _reads(self, transport: picows.WSTransport) -> int:
        """How often anything has come: bytes, not frames, since a long frame may take its time."""
        protocol = transport.underlying_transport.get_protocol()
        # Behind a proxy picows puts its own protocol there; then it is frames that are counted.
        return protocol.reads if isinstance(protocol, BoundedReads) else self._listener.reads

    def _give_up(self, transport: picows.WSTransport, reason: str, silence: float) -> None:
        self._given_up, self._silence = Trouble(reason), silence
        transport.send_close(picows.WSCloseCode.GOING_AWAY)
        transport.disconnect(graceful=False)  # a dead peer acknowledges nothing

    def _begin(self, gap: _Gap) -> _Gap:
        self._counters[Slot.GAP_SINCE] = gap.start_ns
        return gap

    def _end(self, gap: _Gap) -> None:
        self._counters[Slot.GAP_SINCE] = 0
        length = time.monotonic() - gap.start
        self._counters.add(Slot.GAPS)
        self._counters.add(Slot.GAP_NS, round(length * 1e9))
        self._gap_ended(gap.start_ns, length, self.redactor.hide(gap.reason))
        self._report("warning", "gap", start_ns=gap.start_ns, length=length, reason=gap.reason)
