"""One feed's connection: connect, subscribe, watch, and connect again.

Theory of operation. :meth:`Connection.run` is one loop: open a connection, stay with it until it is
lost, wait, and again, until :meth:`Connection.stop`. Everything that can go wrong becomes a
:class:`~fastingest.receiver.trouble.Trouble`. Only before the first connection of a run does a
*hopeless* one end it (``FeedRefused``): a feed that has worked will work again, whatever it says in
between.

A time without a connection is a *gap*. It starts when the connection was lost, or, where that was
found out by waiting, when the feed went silent; it ends with the next connection, and is then
counted and logged.

A connection that is dead without saying so (half-open) is found by two clocks. Nothing at all for
``ping_interval``: a ping is sent, and if nothing at all comes for as long again, the connection is
given up. No message for ``idle_timeout``: given up as well, even though pings are answered. Both
stand still while the socket is not being read.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import picows

from fastingest.counters import Counters, Slot, State
from fastingest.errors import FeedRefused
from fastingest.options import Options, format_duration, parse_header
from fastingest.receiver.backoff import delays
from fastingest.receiver.listener import Listener
from fastingest.receiver.loop import CONNECT_TIMEOUT, READ_BUFFER, BoundedReads
from fastingest.receiver.trouble import Trouble, diagnose

__all__ = ["Connection"]

HEALTHY = 60.0
"""Seconds after which a connection counts as success, and the waits start over."""

_CLOSE_TIMEOUT = 0.3  # seconds that the server gets to answer our close frame

# picows logs what it also raises; one line for each trouble is enough.
_silent = logging.Logger("picows", logging.CRITICAL + 1)


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

    :param url: where to.
    :param options: how.
    :param listener: takes the frames.
    :param counters: the feed's.
    :param report: takes events for the log: level, what happened, and facts by name.
    """

    def __init__(
        self,
        url: str,
        options: Options,
        listener: Listener,
        counters: Counters,
        report: Callable[..., None],
    ) -> None:
        self._url = url
        self._options = options
        self._listener = listener
        self._counters = counters
        self._report = report
        self._headers = [parse_header(line) for line in options.header]
        self._subscriptions = options.subscribe
        self._tls = ssl.create_default_context(cafile=options.ca_file)
        self._transport: picows.WSTransport | None = None
        self._stopping = asyncio.Event()
        self._opening: asyncio.Task[picows.WSTransport] | None = None
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
            self._opening = asyncio.create_task(self._open())
            try:
                transport = await self._opening
            except asyncio.CancelledError:
                break  # by stop()
            except Exception as error:
                trouble = diagnose(error)
                if trouble.hopeless and not self._counters[Slot.CONNECTIONS]:
                    raise FeedRefused(self._url, trouble.reason) from error
            else:
                opened = time.monotonic()
                self._counters.add(Slot.CONNECTIONS)
                self._report("info", "connected", url=self._url)
                if gap is not None:
                    self._end(gap)
                gap = None
                trouble = await self._stay(transport)
                if self._stopping.is_set():
                    break
                gap = self._begin(_Gap(trouble.reason, self._silence))
                if time.monotonic() - opened >= HEALTHY:
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
        if below.is_reading():  # again, maybe, since a turn of the loop has ended
            below.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if self._paused and self._transport is not None:
            self._paused = False
            self._state(State.CONNECTED)
            self._transport.underlying_transport.resume_reading()

    def _state(self, state: State) -> None:
        self._counters[Slot.STATE] = state

    async def _open(self) -> picows.WSTransport:
        # A server that is gone does not answer TLS's goodbye either; uvloop would wait 30 s for it.
        more: dict[str, Any] = {}
        if urlsplit(self._url).scheme == "wss":
            more["ssl_shutdown_timeout"] = 1.0
        async with asyncio.timeout(3 * CONNECT_TIMEOUT):  # with what proxies and redirects add
            transport, _ = await picows.ws_connect(
                lambda: self._listener,
                self._url,
                ssl_context=self._tls,
                websocket_handshake_timeout=CONNECT_TIMEOUT,
                logger_name=_silent,
                enable_auto_ping=False,
                enable_auto_pong=False,
                max_frame_size=self._options.max_message_size,
                extra_headers=self._headers,
                proxy=self._options.proxy,
                read_buffer_init_size=READ_BUFFER,
                use_aiofastnet=False,
                **more,
            )
        if transport.response is None:  # picows takes an end of file for the end of the handshake
            raise picows.WSError("the server closed the connection")
        return transport

    async def _stay(self, transport: picows.WSTransport) -> Trouble:
        """Subscribe, and stay until the connection is over; the trouble says why it is."""
        self._transport, self._paused = transport, False
        self._given_up, self._silence = None, 0.0
        self._state(State.CONNECTED)
        if self._stopping.is_set():  # the first read has brought all the rows that are wanted
            transport.send_close(picows.WSCloseCode.OK)
        for text in self._subscriptions:
            transport.send(picows.WSMsgType.TEXT, text)
        watch = asyncio.create_task(self._watch(transport))
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
            watch.cancel()
            stop.cancel()
        return self._given_up or self._why_closed(transport)

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
        self._report("warning", "gap", start_ns=gap.start_ns, length=length, reason=gap.reason)
