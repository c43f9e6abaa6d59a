"""Listening to a feed for a while, and keeping what it sends.

The connection is the one that captures (:mod:`fastingest.source.connection`), with all that it
knows of subscriptions, heartbeats, secrets, proxies and compression. Only the decoder is another:
it keeps the messages. The first trouble ends it; there is no second connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from fastingest.access.secrets import shown
from fastingest.config.options import Options
from fastingest.decode.decoder import Decoder
from fastingest.demo.exchange import serve
from fastingest.demo.settings import parse
from fastingest.errors import FeedRefused, OptionError, UsageError
from fastingest.metrics.counters import Counters, FeedCounters
from fastingest.model.batch import Batch
from fastingest.model.feed import Feed
from fastingest.model.schema import TRADES
from fastingest.probe.inflation import inflated
from fastingest.probe.options import ProbeOptions
from fastingest.source.base import SourceObserver
from fastingest.source.connection import Connection
from fastingest.source.documents import Documents
from fastingest.source.intake import Intake
from fastingest.source.listener import Listener
from fastingest.source.loop import ReceiverLoop
from fastingest.source.side_messages import SideMessages
from fastingest.units import format_duration

__all__ = ["Sample", "listen"]

_MAX_BYTES = 8 * 2**20  # of messages that are kept
_FLUSH_INTERVAL = 0.05  # seconds that a message waits before it is kept


@dataclass(frozen=True)
class Sample:
    """What came.

    :param feed: from where; where it compresses messages by itself, that is said of it.
    :param messages: in the order received, with no secret of ours in them; at least one.
    :param seconds: from the connect to the end.
    :param ended: why it ended, for a person; empty where the time was over.
    :param whole: the feed with all its connections, where it has several and this was the first.
    """

    feed: Feed
    messages: list[bytes]
    seconds: float
    ended: str = ""
    whole: Feed | None = None


class _Keeper(Decoder):
    """Keeps messages in place of making rows of them."""

    def __init__(self, most: int) -> None:
        super().__init__([TRADES], batch_size=1)
        self.messages: list[bytes] = []
        self._most = most
        self._left = _MAX_BYTES
        self.enough = asyncio.Event()

    def decode(
        self, messages: list[bytes], stamps: list[tuple[int, int]], limit: int | None = None
    ) -> list[Batch]:
        """Keep ``messages``, as far as more are wanted."""
        for message in messages:
            if len(self.messages) == self._most or self._left <= 0:
                self.enough.set()
                break
            self.messages.append(message)
            self._left -= len(message)
        if len(self.messages) == self._most:
            self.enough.set()
        return []


def listen(
    options: Options, how: ProbeOptions, connected: Callable[[Feed], None] | None = None
) -> Sample:
    """Connect, and keep what comes.

    SIGINT and SIGTERM end it, as the end of the time does.

    :param options: they must describe one feed.
    :param connected: called with it when it is connected.
    :raises UsageError: they describe several, the feed cannot be had, or nothing came.
    :raises KeyboardInterrupt: it was interrupted before anything came.
    """
    if len(options.feeds) != 1:
        raise UsageError(
            f"{len(options.feeds)} feeds are named, and a probe is of one; name one of them"
        )
    with asyncio.Runner(loop_factory=ReceiverLoop) as runner:
        feed = options.feeds[0]
        first = feed.by_line()[0]  # of several connections one will do
        sample = runner.run(_listen(first, options, how, connected))
    return replace(sample, whole=feed) if feed.lines else sample


class _Observer(SourceObserver):
    """What has become of the connection so far."""

    def __init__(self) -> None:
        self.is_connected = asyncio.Event()
        self.since = 0.0
        """When it was, by the monotonic clock."""
        self.is_over = asyncio.Event()
        self.failures: list[str] = []
        """Why there was none, or is none any more."""

    def connected(self) -> None:
        self.since = time.monotonic()
        self.is_connected.set()

    def failed(self, reason: str) -> None:
        self.failures.append(reason)
        self.is_over.set()


async def _listen(
    feed: Feed,
    options: Options,
    how: ProbeOptions,
    on_connected: Callable[[Feed], None] | None,
) -> Sample:
    keeper = _Keeper(how.messages)
    counters = FeedCounters([Counters.create()])
    side = SideMessages(feed, counters)
    intake = Intake(
        keeper,
        counters,
        emit=lambda batch: None,
        finished=lambda: None,
        flush_interval=_FLUSH_INTERVAL,
        side=side,
    )
    listener = Listener(
        intake,
        max_message_size=options.max_message_size,
        inflate=feed.inflate,
        documents=Documents.of(feed),
    )
    observer = _Observer()
    connected, over, troubles = observer.is_connected, observer.is_over, observer.failures
    interrupted = asyncio.Event()
    async with _reachable(feed) as there:
        connection = Connection(
            there,
            options,
            listener,
            counters,
            lambda event: None,
            side=side,
            observer=observer,
        )
        run = asyncio.create_task(connection.run())
        with _signals(interrupted):
            await _until(run, connected, over, interrupted)
            if connected.is_set():
                if on_connected is not None:
                    on_connected(feed)
                waits = (keeper.enough, over, interrupted)
                await _until(run, *waits, timeout=how.duration)
        seconds = time.monotonic() - observer.since if connected.is_set() else 0.0
        connection.stop()
        await run
    found, messages = inflated(keeper.messages, options.max_message_size)
    feed = replace(feed, inflate=feed.inflate or found)
    if connection.redactor:
        messages = list(map(connection.redactor.hide_in, messages))
    if not messages and interrupted.is_set():
        raise KeyboardInterrupt
    if not connected.is_set():
        raise FeedRefused(shown(feed.url), troubles[0])
    if not messages:
        raise UsageError(_nothing_came(feed, how, troubles))
    ended = next(iter(troubles), "interrupted" if interrupted.is_set() else "")
    return Sample(feed, messages, seconds, ended)


def _nothing_came(feed: Feed, how: ProbeOptions, troubles: list[str]) -> str:
    what = (
        f"{troubles[0]}, and no message came before"
        if troubles
        else f"no message came within {format_duration(how.duration)}"
    )
    return (
        f"{shown(feed.url)}: {what}; a feed that waits to be asked needs --subscribe, "
        "and a quiet one a longer --duration"
    )


@contextlib.asynccontextmanager
async def _reachable(feed: Feed) -> AsyncIterator[Feed]:
    """The feed; one of ``demo://`` at an exchange that was started for it."""
    if urlsplit(feed.url).scheme != "demo":
        yield feed
        return
    try:
        settings = parse(feed.url)
    except ValueError as error:
        raise OptionError("url", str(error)) from None
    exchange = await serve(settings)
    try:
        yield replace(feed, url=f"ws://127.0.0.1:{exchange.port}/")
    finally:
        exchange.close()


@contextlib.contextmanager
def _signals(event: asyncio.Event) -> Iterator[None]:
    """Let the signals that end a program set the event, where they may: in the main thread."""
    loop = asyncio.get_running_loop()
    is_main = threading.current_thread() is threading.main_thread()
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    for number in numbers:
        loop.add_signal_handler(number, event.set)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


async def _until(
    run: asyncio.Task[None], *events: asyncio.Event, timeout: float | None = None
) -> None:
    """Wait for one of the events.

    :raises FeedRefused: the feed cannot be had.
    """
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait((run, *waits), timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        if run.done():
            run.result()
    finally:
        for wait in waits:
            wait.cancel()
