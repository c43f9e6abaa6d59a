"""What a listener can take from a socket."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from bench.capture import ROOT, Generator
from bench.figures import Benchmark, Figures, Scale, stopwatch

ROWS = 2_000_000

pytestmark = [pytest.mark.benchmark(timer=stopwatch), pytest.mark.timeout(300)]


@pytest.mark.parametrize("shape", ["record", "array50", "binance"])
def test_a_feed_is_listened_to(
    benchmark: Benchmark,
    figures: Figures,
    scale: Scale,
    is_native: bool,
    shape: str,
) -> None:
    """A round takes 2 million rows from the load generator, up to closed batches.

    The listener has a process to itself (:mod:`bench.listening`), and the generator another one.
    What the first read brings is not timed, and made up for in proportion.
    """
    rows = scale.rows(ROWS)
    cpu, memory = [], []

    def listen() -> None:
        with Generator(["--rows", str(rows), "--shape", shape], lambda: None) as url:
            command = [sys.executable, "-m", "bench.listening", "--url", url, "--shape", shape]
            command += ["--native"] * is_native
            done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
        each = json.loads(done.stdout)
        assert (each["rows"], each["rejected"]) == (rows, 0)
        less = each["timed"] / rows
        stopwatch.add(each["seconds"] / less)
        cpu.append({"listener": each["cpu_seconds"] / less})
        memory.append({"listener": each["peak"]} if "peak" in each else {})

    benchmark.pedantic(listen, rounds=scale.rounds())
    figures.note(rows, cpu=cpu, peaks=memory)
