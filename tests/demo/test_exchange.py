from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import select
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

import pytest
import uvloop
import websockets
import websockets.sync.client
from websockets.asyncio.client import ClientConnection, connect

from fastingest.demo import exchange as exchange_module
from fastingest.demo.exchange import Exchange, main, serve
from fastingest.demo.settings import parse
from tests.support.patience import LIMIT

SplitFrames = Callable[[bytes], list[bytes]]

_ROOT = Path(__file__).parents[2]
_OPENING = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
# Masked with zeros, so that what it says can be read here.
_PING = b"\x89\x82\0\0\0\0hi"


def run(scenario: Coroutine[Any, Any, None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(LIMIT):
            await scenario

    uvloop.run(limited())


@asynccontextmanager
async def serving(url: str) -> AsyncIterator[Exchange]:
    exchange = await serve(parse(url))
    try:
        yield exchange
    finally:
        exchange.close()
        await exchange.wait_closed()


def open_client(exchange: Exchange) -> connect:
    # With a bound to its queue it stops reading, and then waits for our close frame in vain.
    url = f"ws://127.0.0.1:{exchange.port}/"
    return connect(url, max_size=None, max_queue=None, open_timeout=LIMIT)


async def open_raw(exchange: Exchange) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection past its opening handshake, of which nothing is read but what is asked for."""
    reader, writer = await asyncio.open_connection("127.0.0.1", exchange.port)
    writer.write(_OPENING)
    assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    return reader, writer


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


async def numbers_until_closed(client: ClientConnection) -> tuple[list[int], int | None]:
    """The volumes a connection brings, and its close code: None when it was cut."""
    numbers = []
    try:
        while True:
            numbers.append(json.loads(await client.recv())["volume"])
    except websockets.ConnectionClosed as closed:
        return numbers, closed.rcvd.code if closed.rcvd else None


def numbers_in(payloads: list[bytes]) -> list[int]:
    return [json.loads(payload)["volume"] for payload in payloads]


@pytest.mark.parametrize(
    "pace",
    ["rate=100000&burst=1", "rate=100000&burst=10", "rate=100000&burst=1000", "rate=10000000"],
)
def test_every_row_comes_once_in_order_and_then_a_close_frame(pace: str) -> None:
    async def scenario() -> None:
        async with (
            serving(f"demo://?sequence=1&rows=20000&{pace}") as exchange,
            open_client(exchange) as client,
        ):
            assert await numbers_until_closed(client) == (list(range(20_000)), 1000)
            assert exchange.sent == 20_000

    run(scenario())


@pytest.mark.parametrize("talks", [False, True], ids=["silent client", "talking client"])
def test_numbering_goes_on_without_a_gap_across_cuts(talks: bool) -> None:
    async def talk(client: ClientConnection) -> None:
        try:
            while True:
                await client.send("subscribe")
                await client.ping()
                await asyncio.sleep(0)
        except websockets.ConnectionClosed:
            pass

    async def scenario() -> None:
        url = "demo://?rate=100000&burst=1&drop-every=40ms&sequence=1&rows=20000"
        numbers: list[int] = []
        codes: list[int | None] = []
        async with serving(url) as exchange:
            while not codes or codes[-1] is None:
                async with open_client(exchange) as client, asyncio.TaskGroup() as tasks:
                    if talks:
                        tasks.create_task(talk(client))
                    more, code = await numbers_until_closed(client)
                numbers += more
                codes.append(code)
        assert numbers == list(range(20_000))
        assert len(codes) > 1
        assert codes == [None] * (len(codes) - 1) + [1000]

    run(scenario())


def test_a_cut_delivers_what_a_slow_client_has_not_read_yet(split_frames: SplitFrames) -> None:
    async def scenario() -> None:
        async with serving("demo://?rate=10000000&burst=1&drop-every=200ms&sequence=1") as exchange:
            reader, writer = await open_raw(exchange)
            await until(lambda: len(exchange._half_closed) == 1)
            written = exchange.sent
            writer.write(_PING * 1000)  # must not be answered, nor make a reset of what is left
            numbers = numbers_in(split_frames(await reader.read()))
            assert numbers == list(range(written))
            writer.close()
            await writer.wait_closed()
            await until(lambda: not exchange._half_closed)
            async with open_client(exchange) as client:
                assert json.loads(await client.recv())["volume"] == written

    run(scenario())


def test_a_slow_client_delays_rows_and_costs_none(split_frames: SplitFrames) -> None:
    async def scenario() -> None:
        rows = 300_000
        url = f"demo://?rate=10000000&burst=1&sequence=1&rows={rows}"
        async with serving(url) as exchange:
            reader, writer = await open_raw(exchange)
            await until(lambda: any(not client.has_room for client in exchange._clients))
            assert exchange.sent < rows
            (client,) = exchange._clients
            waiting = client.transport.underlying_transport.get_write_buffer_size()
            assert waiting < 2 * exchange_module._SLICE * 70
            close = b"\x88\x1c\x03\xe8the demo has sent its rows"
            data = bytearray()
            while not data.endswith(close):
                data += await reader.read(1 << 20)
            assert numbers_in(split_frames(bytes(data).removesuffix(close))) == list(range(rows))
            writer.close()
            await writer.wait_closed()

    run(scenario())


def test_every_client_is_sent_the_same_rows() -> None:
    async def scenario() -> None:
        async with (
            serving("demo://?rate=100000&burst=1&sequence=1&rows=10000") as exchange,
            open_client(exchange) as first,
            open_client(exchange) as second,
        ):
            (all_rows, code), (later_rows, later_code) = await asyncio.gather(
                numbers_until_closed(first), numbers_until_closed(second)
            )
            assert (code, later_code) == (1000, 1000)
            assert all_rows == list(range(10_000))
            assert later_rows == all_rows[-len(later_rows) :]

    run(scenario())


def test_no_row_is_made_while_nobody_is_there() -> None:
    async def scenario() -> None:
        async with serving("demo://?rate=1000000&burst=1&sequence=1") as exchange:
            async with open_client(exchange) as client:
                assert json.loads(await client.recv())["volume"] == 0
            sent, stopped_at = exchange.sent, exchange._feed_time()
            now = asyncio.get_running_loop().time()
            await until(lambda: asyncio.get_running_loop().time() > now)
            assert exchange._feed_time() == stopped_at
            assert not exchange._may_flow.is_set()
            async with open_client(exchange) as client:
                assert json.loads(await client.recv())["volume"] == sent

    run(scenario())


def test_after_the_last_row_connections_stay_open_and_silent() -> None:
    async def scenario() -> None:
        async with serving("demo://?rows=1&drop-every=10s") as exchange:
            async with open_client(exchange) as client:
                rows, code = await numbers_until_closed(client)
                assert (len(rows), code) == (1, 1000)
            async with open_client(exchange) as client:
                assert [connected._cut for connected in exchange._clients] == [None]
                # The pong comes after anything that was sent before it.
                await (await client.ping())
                await client.close()
                assert [message async for message in client] == []
                assert client.close_code == 1000

    run(scenario())


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_a_close_frame_is_answered_in_kind(code: int) -> None:
    async def scenario() -> None:
        async with serving("demo://") as exchange, open_client(exchange) as client:
            await client.recv()
            await client.close(code)
            assert client.close_code == code

    run(scenario())


def test_a_close_frame_without_a_code_is_answered() -> None:
    async def scenario() -> None:
        async with serving("demo://?rows=1") as exchange:
            async with open_client(exchange) as client:
                await numbers_until_closed(client)
            reader, writer = await open_raw(exchange)
            writer.write(b"\x88\x80\0\0\0\0")
            assert await reader.read() == b"\x88\x02\x03\xe8"
            writer.close()
            await writer.wait_closed()

    run(scenario())


def test_a_ping_is_answered_while_rows_flow() -> None:
    async def scenario() -> None:
        async with (
            serving("demo://?rate=1000000&burst=1") as exchange,
            open_client(exchange) as client,
        ):
            pong = asyncio.ensure_future(await client.ping(b"payload"))
            while not pong.done():
                await client.recv()

    run(scenario())


def test_a_client_that_vanishes_leaves_the_rest_alone() -> None:
    async def scenario() -> None:
        async with serving("demo://?rate=10000000&burst=1") as exchange:
            _, writer = await open_raw(exchange)
            await until(lambda: any(not client.has_room for client in exchange._clients))
            writer.transport.abort()
            await until(lambda: not exchange._clients)
            async with open_client(exchange) as client:
                await client.recv()

    run(scenario())


def test_close_ends_every_connection() -> None:
    async def scenario() -> None:
        async with serving("demo://?rate=10000000&burst=1&drop-every=100ms") as exchange:
            _, cut = await open_raw(exchange)
            await until(lambda: len(exchange._half_closed) == 1)
            _, full = await open_raw(exchange)
            exchange.close()
            await exchange.wait_closed()
            await until(lambda: not exchange._clients and not exchange._half_closed)
            for writer in (cut, full):
                writer.transport.abort()
            with pytest.raises(OSError, match="refused"):
                await asyncio.open_connection("127.0.0.1", exchange.port)

    run(scenario())


def test_a_port_in_use_is_an_error() -> None:
    async def scenario() -> None:
        async with serving("demo://") as exchange:
            with pytest.raises(OSError, match="address already in use"):
                await serve(parse("demo://"), exchange.port)

    run(scenario())


@pytest.fixture
def child() -> Any:
    """An exchange in a child process: it, our end of its lifeline, and its port."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=main, args=(parse("demo://?sequence=1"), theirs))
    process.start()
    theirs.close()
    try:
        assert ours.poll(LIMIT)
        yield process, ours, ours.recv()
    finally:
        ours.close()
        process.kill()
        process.join(LIMIT)


Child = tuple[SpawnProcess, Connection, int]


def test_a_child_tells_its_port_and_ends_with_its_lifeline(child: Child) -> None:
    process, lifeline, port = child
    with websockets.sync.client.connect(f"ws://127.0.0.1:{port}/", open_timeout=LIMIT) as client:
        assert json.loads(client.recv(LIMIT))["volume"] == 0
        lifeline.send("anything sent to it is ignored")
        client.ping().wait(LIMIT)
        assert process.is_alive()
        lifeline.close()
        process.join(LIMIT)
    assert process.exitcode == 0


def test_a_child_ends_on_sigterm(child: Child) -> None:
    process, _, _ = child
    process.terminate()
    process.join(LIMIT)
    assert process.exitcode == 0


def test_a_child_whose_parent_is_gone_already_ends() -> None:
    ours, theirs = multiprocessing.Pipe()
    ours.close()
    main(parse("demo://"), theirs)
    theirs.close()


_PARENT = """
import multiprocessing, signal
from fastingest.demo.exchange import main
from fastingest.demo.settings import parse

if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=main, args=(parse("demo://"), theirs))
    child.start()
    print(child.pid, ours.recv(), flush=True)
    signal.pause()
"""


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(_PARENT)
    environment = os.environ | {"PYTHONPATH": str(_ROOT)}
    with subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        pid, port = map(int, parent.stdout.readline().split())
        exchange = os.pidfd_open(pid)
        try:
            with websockets.sync.client.connect(
                f"ws://127.0.0.1:{port}/", open_timeout=LIMIT
            ) as client:
                client.recv(LIMIT)
                parent.send_signal(signal.SIGKILL)
                # A pid's descriptor is readable once its process has ended.
                assert select.select([exchange], [], [], LIMIT)[0] == [exchange]
        finally:
            parent.kill()
            os.close(exchange)


def test_starting_it_imports_nothing_heavy() -> None:
    program = (
        "import sys, fastingest.demo.exchange; "
        "print({'polars', 'rich', 'cyclopts'} & sys.modules.keys())"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "set()\n"
