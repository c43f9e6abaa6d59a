"""What the pipe between a receiver and the writer can carry."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from contextlib import closing
from multiprocessing.connection import Connection

import pytest

from bench.figures import Benchmark, Figures, Scale, stopwatch
from bench.samples import batch_of
from fastingest.model.batch import Position
from fastingest.source.loop import ReceiverLoop
from fastingest.transport.pipe.inlet import Inlet
from fastingest.transport.pipe.uplink import PipeUplink

ROWS = 20_000_000  # of a round
WINDOW = 4 * 2**20  # bytes that are not acknowledged at most, as in a receiver
STREAM = 1


def take_all(pipe: Connection, ready: Connection) -> None:
    """The writer's end, in a process of its own: acknowledge all that comes, and look at nothing.

    :param ready: told when it begins, and in the end the CPU seconds.
    """
    inlet = Inlet(pipe, STREAM)
    inlet.acknowledge(Position(STREAM, -1))
    ready.send(None)
    started, sequence = time.process_time(), 0
    try:
        while True:
            if inlet.receive() is not None:
                inlet.acknowledge(Position(STREAM, sequence))
                sequence += 1
            inlet.flush()
    except EOFError:
        ready.send(time.process_time() - started)


class Sending:
    """The receiver's end: sends so many batches, until all are stored."""

    def __init__(self, wire: bytes, batches: int) -> None:
        self._wire = wire
        self._batches = batches
        self._most = max(1, WINDOW // len(wire))
        self._sent = 0
        self._done = asyncio.get_running_loop().create_future()
        self._uplink = PipeUplink(STREAM, self)

    async def run(self, pipe: Connection) -> None:
        """Send them by ``pipe``."""
        await self._uplink.open(pipe)
        await self._done
        await self._uplink.close()

    def linked(self, at: Position | None) -> None:
        """The other end has started: send as many as may be on their way."""
        self._send_on(0)

    def stored(self, at: Position) -> None:
        """Send as many more as it has taken."""
        if at.sequence + 1 == self._batches:
            self._done.set_result(None)
        self._send_on(at.sequence + 1)

    def lost(self) -> None:
        """The other end is gone."""
        if not self._done.done():
            self._done.set_exception(EOFError("the other end is gone"))

    def _send_on(self, taken: int) -> None:
        while self._sent < self._batches and self._sent < taken + self._most:
            self._uplink.send(Position(STREAM, self._sent), self._wire)
            self._sent += 1


async def send_all(pipe: Connection, wire: bytes, batches: int) -> None:
    """Send so many batches, and wait until all are stored."""
    await Sending(wire, batches).run(pipe)


@pytest.mark.benchmark(timer=stopwatch)
@pytest.mark.parametrize("rows", [10_000, 50_000])
def test_batches_go_through_the_pipe(
    benchmark: Benchmark,
    figures: Figures,
    scale: Scale,
    rows: int,
) -> None:
    """A round sends 20 million rows in batches of that size from this process to another one.

    They are only received there; each batch is acknowledged, and 4 MiB may be on their way.
    """
    wire = batch_of("record", rows, is_native=False).to_bytes()
    batches = scale.rows(ROWS) // rows
    cpu = []

    def go_through() -> None:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        ready, its_ready = context.Pipe()
        process = context.Process(target=take_all, args=(theirs, its_ready), daemon=True)
        process.start()
        theirs.close()
        its_ready.close()
        with closing(ready), asyncio.Runner(loop_factory=ReceiverLoop) as runner:
            ready.recv()
            started, cpu_started = time.perf_counter(), time.process_time()
            runner.run(send_all(ours, wire, batches))
            stopwatch.add(time.perf_counter() - started)
            ours_cpu = time.process_time() - cpu_started
            cpu.append({"receiver": ours_cpu, "writer": ready.recv()})
        process.join()

    benchmark.pedantic(go_through, rounds=scale.rounds())
    figures.note(batches * rows, cpu=cpu)
