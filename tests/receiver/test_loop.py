from __future__ import annotations

import asyncio

import pytest

from fastingest.receiver import loop
from fastingest.receiver.loop import ReceiverLoop
from tests.peers.raw import RawConnection, RawServer

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
