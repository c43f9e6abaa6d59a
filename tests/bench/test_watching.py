"""What is seen of a process while it captures: here one that writes rows with a pause between."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.capture import Capture
from bench.process import Usage
from bench.watching import Watch, peaks, quantiles

WRITER = """
import sys, time
with open(sys.argv[1], "w", buffering=1) as file:
    print("symbol,received", file=file)
    for _ in range(3):
        received = time.time_ns()
        time.sleep(0.1)
        file.write(f"A,{received}\\nB,{received - 10**9}\\n")
"""


def capture(usage: list[Usage], cpu: float = 3.0) -> Capture:
    return Capture(1000, 1.0, 2.0, cpu, 0.5, 0.25, 0.9, usage)


def test_a_row_is_late_by_the_time_from_its_stamp_to_when_it_was_seen(tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    watch = Watch(out)
    with subprocess.Popen([sys.executable, "-c", WRITER, str(out)]) as process:
        watcher = threading.Thread(target=watch, args=(process.pid,))
        watcher.start()
        assert process.wait(10) == 0
    watcher.join(10)
    found = list(watch.latencies())
    assert len(found) == 6
    for first, second in zip(found[::2], found[1::2], strict=True):
        assert 0.1 <= first < 5
        assert second - first == pytest.approx(1.0, abs=1e-6)


def test_cpu_time_is_that_since_the_connection() -> None:
    watch = Watch()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        watch(process.pid)
        process.communicate(b"\n")
    usage = [Usage("supervisor", 100.0, 1.0), Usage("writer", 1.5, 1.0), Usage("writer", 0.5, 1.0)]
    used = watch.cpu(capture([*usage, Usage("resource_tracker", 1.0, 1.0)]))
    assert 99 < used.pop("supervisor") <= 100
    assert used == {"writer": 2.0, "all": 2.5, "generator": 0.25}


def test_memory_is_the_most_that_one_of_a_kind_had() -> None:
    usage = [Usage("writer", 1.0, 60.0), Usage("writer", 1.0, 50.0), Usage("receiver", 1.0, 30.0)]
    assert peaks(capture(usage)) == {"writer": 60.0, "receiver": 30.0, "all": 140.0}
    assert peaks(capture([])) == {}


def test_quantiles_are_values_that_there_are() -> None:
    values = [float(value) for value in range(1000, 0, -1)]
    assert quantiles(values, ["p50", "p99", "p99.9"]) == {"p50": 501.0, "p99": 991.0, "p99.9": 1000}
    assert quantiles([7.0], ["p50", "p99.9"]) == {"p50": 7.0, "p99.9": 7.0}
