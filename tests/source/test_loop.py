from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from fastingest.source import loop
from fastingest.source.loop import ReceiverLoop, open_socket
from tests.peers.raw import RawConnection, RawServer, closed_port

SIZE = 2**20


class _Sink(asyncio.BufferedProtocol):
    """Offers a large buffer, and notes how much each read brought and in which turn of the loop."""

    def __init__(self) -> None:
        self.buffer = bytearray(2**20)
        self.reads: list[tuple[int, int]] = []
        self.turn = 0
        self.over = asyncio.get_running_loop().create_future()
        self._count_turns()

    def _count_turns(self) -> None:
        self.turn += 1
        if not self.over.done():
            asyncio.get_running_loop().call_soon(self._count_turns)

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.buffer)

    def buffer_updated(self, nbytes: int) -> None:
        self.reads.append((nbytes, self.turn))

    def eof_received(self) -> None:
        self.over.set_result(None)


def _flood(connection: RawConnection) -> None:
    connection.send_raw(bytes(SIZE))


def test_a_burst_is_read_in_bounded_pieces_one_a_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    # Small, so that there is always more to read, however slow the server is.
    monkeypatch.setattr(loop, "_READ_SIZE", 1024)

    async def run(port: int) -> list[tuple[int, int]]:
        sinks: list[_Sink] = []

        def make() -> _Sink:
            sinks.append(_Sink())
            return sinks[0]

        running = asyncio.get_running_loop()
        transport, sink = await running.create_connection(make, "127.0.0.1", port)
        assert sink is sinks[0]  # the caller's own protocol, not what is around it
        await sinks[0].over
        transport.close()
        return sinks[0].reads

    with RawServer(_flood) as server, asyncio.Runner(loop_factory=ReceiverLoop) as runner:
        reads = runner.run(run(server.port))
    assert sum(size for size, _ in reads) == SIZE
    full = [turn for size, turn in reads if size == loop._READ_SIZE]
    assert max(size for size, _ in reads) == loop._READ_SIZE
    assert len(full) > SIZE / 1024 / 2
    assert len(full) == len(set(full))


def test_protocols_of_other_kinds_are_left_alone() -> None:
    class Lines(asyncio.Protocol):
        def __init__(self) -> None:
            self.received = b""
            self.over = asyncio.get_running_loop().create_future()

        def data_received(self, data: bytes) -> None:
            self.received += data

        def connection_lost(self, exc: Exception | None) -> None:
            self.over.set_result(None)

    async def run(port: int) -> bytes:
        running = asyncio.get_running_loop()
        _, lines = await running.create_connection(Lines, "127.0.0.1", port)
        await lines.over
        return lines.received

    with RawServer(lambda connection: connection.send_raw(b"hello")) as server:
        with asyncio.Runner(loop_factory=ReceiverLoop) as runner:
            assert runner.run(run(server.port)) == b"hello"


# Names with several addresses


class _Names(ReceiverLoop):
    """Where every name has the addresses of ``ports`` on the loopback interface."""

    ports: tuple[int, ...] = ()

    async def getaddrinfo(self, host: Any, *arguments: Any, **more: Any) -> Any:
        if host != "feed.example":  # uvloop asks for addresses as well
            return await super().getaddrinfo(host, *arguments, **more)
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, ("127.0.0.1", port)) for port in self.ports]


def _loop_with(*ports: int) -> type[_Names]:
    return type("_Named", (_Names,), {"ports": ports})


@contextlib.contextmanager
def _silent_port() -> Iterator[int]:
    """A port that does not answer: there is no room for another connection."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(listener.getsockname())
        yield listener.getsockname()[1]


async def _port_reached() -> int:
    with await open_socket("feed.example", 1) as sock:
        port: int = sock.getpeername()[1]
    return port


def test_addresses_that_do_not_answer_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_NEXT_ADDRESS", 0.01)
    with _silent_port() as silent, closed_port() as closed:
        with RawServer(RawConnection.stall) as server:
            named = _loop_with(silent, closed, silent, silent, server.port)
            with asyncio.Runner(loop_factory=named) as runner:
                reached = runner.run(asyncio.wait_for(_port_reached(), 5))
    assert reached == server.port


def test_the_first_address_is_taken_if_it_answers() -> None:
    with RawServer(RawConnection.stall) as first, RawServer(RawConnection.stall) as second:
        with asyncio.Runner(loop_factory=_loop_with(first.port, second.port)) as runner:
            assert runner.run(_port_reached()) == first.port
        assert second.connections == 0


def test_no_address_that_answers_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_NEXT_ADDRESS", 0.01)
    with closed_port() as one, closed_port() as other:
        with asyncio.Runner(loop_factory=_loop_with(one, other)) as runner:
            with pytest.raises(ConnectionRefusedError):
                runner.run(_port_reached())
    with asyncio.Runner(loop_factory=_loop_with()) as runner:
        with pytest.raises(OSError, match="has no address"):
            runner.run(_port_reached())


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_address_in_place_of_a_name_is_connected_to(host: str) -> None:
    async def run(port: int) -> None:
        running = asyncio.get_running_loop()
        transport, _ = await running.create_connection(asyncio.Protocol, host, port)
        transport.close()
        with await open_socket(host, port) as sock:
            assert sock.getpeername()[:2] == (host, port)

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        with asyncio.Runner(loop_factory=ReceiverLoop) as runner:
            runner.run(run(server.getsockname()[1]))
