"""A venue that misbehaves by a script, for tests of refusals, limits, silence and downtime.

    with Venue(
        [refuse(503)],                                      # what the first connection meets
        [accept(), every(0.2, ROW, times=10), silence()],   # the second, and all after it
        desk=Desk(re.compile(r"live_(\\w+)"), refused={"luna": '{"error": "no {symbol}"}'}),
        messages=Rate(5, 1.0),                              # the sixth in a second: code 1008
        openings=Rate(5, 2.0, ban=10.0),                    # the sixth in two seconds: 429
    ) as venue:
        ...  # connect to venue.url
        venue.wait_for(lambda: len(venue.clients) > 1)
    assert venue.clients[0].texts == [...]

A script is a sequence of steps, each of which is an async function that takes the
:class:`Client`; a test may write one of its own. The request has been read before the first step.
After the last one the connection stays open, and pings are answered, until the client leaves;
``close``, ``drop`` and ``refuse`` end it before. :meth:`Venue.play` changes the scripts of what
connects from then on, :meth:`Venue.close_port` and :meth:`Venue.open_port` are a restart.

It runs in a thread of its own. What it got is in :attr:`Venue.clients`, in order.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any

from tests.peers.venue_client import Client
from tests.peers.venue_limits import Desk, Meter, Rate
from tests.peers.venue_steps import (
    Script,
    Step,
    accept,
    close,
    drop,
    every,
    hear,
    refuse,
    send,
    silence,
    stream,
    unless,
    wait,
)
from tests.support.patience import LIMIT

__all__ = [
    "Client",
    "Desk",
    "Meter",
    "Rate",
    "Script",
    "Step",
    "Venue",
    "accept",
    "close",
    "drop",
    "every",
    "hear",
    "refuse",
    "send",
    "silence",
    "stream",
    "unless",
    "wait",
]


class Venue:
    """A context manager: a server that hands each connection the next script.

    :param scripts: at least one; the last is that of all further connections.
    :param desk: answers texts; None: they are only noted.
    :param openings: a limit of all clients together; what exceeds it is answered with 429, and
        meets no script.
    :param messages: a limit of each connection; what exceeds it is closed with code 1008.
    :param too_fast: what is said instead of closing.
    :param tls: what to wrap connections in; None means plain TCP.
    """

    def __init__(
        self,
        *scripts: Script,
        desk: Desk | None = None,
        openings: Rate | None = None,
        messages: Rate | None = None,
        too_fast: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._desk, self._messages, self._too_fast = desk, messages, too_fast
        self.clients: list[Client] = []
        """All that have sent a whole request, in order."""
        self.errors: list[BaseException] = []
        """What steps have raised; leaving the context raises the first."""
        self._scripts = deque(scripts)
        self._openings = Meter(openings) if openings else None
        self._tls = tls
        self._port = 0
        self._news = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __enter__(self) -> Venue:
        self._thread = threading.Thread(target=self._loop.run_forever, name="venue")
        self._thread.start()
        self.open_port()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close_port()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        if self.errors and error is None:
            raise self.errors[0]

    @property
    def port(self) -> int:
        """Where it listens, or will again."""
        return self._port

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self._port}/"

    def play(self, *scripts: Script) -> None:
        """Have those who connect from now on meet other scripts."""
        self._scripts = deque(scripts)

    def open_port(self) -> None:
        """Listen; the port is the same each time."""
        self._run(self._open())

    def close_port(self) -> None:
        """Listen no more, and end all connections without a word."""
        self._run(self._close())

    def wait_for(self, holds: Callable[[], bool], timeout: float = LIMIT) -> None:
        """Wait until something holds that a client can change.

        :raises TimeoutError: it does not, within ``timeout`` seconds.
        """
        with self._news:
            if not self._news.wait_for(holds, timeout):
                statuses = [client.status for client in self.clients]
                raise TimeoutError(f"not in {timeout:g} s; answered so far: {statuses}")

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(LIMIT)

    async def _open(self) -> None:
        self._server = await asyncio.start_server(
            self._connected, "127.0.0.1", self._port, ssl=self._tls, reuse_address=True
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(
            reader,
            writer,
            desk=self._desk,
            pace=Meter(self._messages) if self._messages else None,
            too_fast=self._too_fast,
            tell=self._tell,
        )
        task = self._loop.create_task(self._serve(client))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, client: Client) -> None:
        hearing: asyncio.Task[None] | None = None
        playing: asyncio.Task[None] | None = None
        try:
            await client.read_request()
            hearing = asyncio.create_task(client.take_frames())
            self.clients.append(client)
            self._tell()
            playing = asyncio.create_task(self._play(client))
            await hearing
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has left in its handshake
        except Exception as error:
            self.errors.append(error)
        finally:
            tasks = [task for task in (hearing, playing) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            client.drop()
            self._tell()

    async def _play(self, client: Client) -> None:
        if self._openings is not None and self._openings.exceeded(client.at):
            script: Script = [refuse(429)]
        else:
            script = self._scripts[0] if len(self._scripts) == 1 else self._scripts.popleft()
        try:
            for step in script:
                if client.has_left:
                    break
                await step(client)
                self._tell()
        except ConnectionError:
            pass  # the client has left
        except Exception as error:
            self.errors.append(error)
