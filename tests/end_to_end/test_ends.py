"""How a run ends, and what it leaves."""

from __future__ import annotations

import json
import os
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fastingest import FeedRefused, OptionError, Options, OutputRefused, Summary, ingest
from fastingest.metrics.counters import Counters
from fastingest.model.batch import Batch
from fastingest.spool import segment
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.ledger import read_entries
from tests.end_to_end.command import (
    ROOT,
    Command,
    is_running,
    left_by,
    read_rows,
    wait_until,
)
from tests.end_to_end.test_connection import QUICK, volumes
from tests.peers.raw import CLOSE, PING, TEXT, RawConnection, RawServer, frame
from tests.support.command_line import run_program
from tests.support.constants import with_constants
from tests.support.serving import answer_close, record, serve

ENDLESS = "demo://?rate=20000&sequence=1&burst=1"
CLEAN = ["out.csv", "out.csv.ledger.jsonl"]  # what a run that has written everything leaves


def _rows_come(out: Path, size: int = 100_000) -> None:
    wait_until(lambda: out.exists() and out.stat().st_size > size, "no rows")


def _is_whole(out: Path) -> int:
    """The file holds rows 0 to n - 1, whole and in order; n."""
    numbers = volumes(out)
    assert numbers == list(range(len(numbers)))
    return len(numbers)


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.long)],
)
def test_a_signal_ends_the_run_with_everything_written(tmp_path: Path, number: int) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        children = command.children()
        os.killpg(command.pid, number)  # as a terminal does it, or systemd: to all of them
        summary = command.summary()
    assert _is_whole(out) == summary["written"] == summary["received"]
    assert summary["in_flight"] == 0
    assert not any(map(is_running, children))
    assert left_by(out) == CLEAN


def test_the_server_gets_a_close_frame(tmp_path: Path) -> None:
    frames: list[tuple[int, bytes, bool] | None] = []

    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        frames.append(connection.recv_frame(30))
        connection.send_frame(CLOSE, struct.pack("!H", 1000))

    out = tmp_path / "out.csv"
    with RawServer(script) as server:
        with Command("--url", server.url, "--out", out, *QUICK) as command:
            wait_until(lambda: out.exists() and out.read_bytes().endswith(b"A,1.5,1\n"))
            command.stop()
    assert frames == [(CLOSE, struct.pack("!H", 1000), True)]


def test_a_server_that_does_not_answer_the_close_frame_is_left(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(1))
        connection.stall()

    with RawServer(script) as server:
        with Command("--url", server.url, "--out", out, "--flush-interval", "1h") as command:
            command.wait_for("connected")
            wait_until(lambda: server.accepted)
            time.sleep(0.05)  # the row is on its way; whether it arrives is not what is tested
            summary = command.stop()
    assert summary["written"] == len(read_rows(out)) == summary["received"]


def test_a_signal_while_there_is_no_connection(tmp_path: Path) -> None:
    def busy(connection: RawConnection) -> None:
        connection.reject(503, {"Retry-After": "3600"})

    with RawServer(busy) as server:
        with Command("--url", server.url, "--out", tmp_path / "out.csv") as command:
            command.wait_for("no connection")
            assert command.stop(3)["written"] == 0


def test_a_signal_while_the_handshake_is_not_answered(tmp_path: Path) -> None:
    with RawServer(RawConnection.stall) as server:
        with Command("--url", server.url, "--out", tmp_path / "out.csv") as command:
            server.wait_connections(1)
            command.signal(signal.SIGTERM)
            assert command.wait(timeout=9) == 3  # the handshake would get 10 s


def test_a_signal_while_nobody_reads_the_log(tmp_path: Path) -> None:
    """A full pipe must not hold up the run, nor its end."""

    def busy(connection: RawConnection) -> None:
        connection.reject(503)

    reading, writing = os.pipe()
    with RawServer(busy) as server:
        arguments = ["--url", server.url, "--out", str(tmp_path / "out.csv")]
        arguments += ["--reconnect-initial", "1ms", "--reconnect-max", "1ms"]
        run = subprocess.Popen(
            [sys.executable, "-m", "fastingest", *arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=writing,
        )
        os.close(writing)
        try:
            # A line each, of some 100 bytes: more than a pipe holds, so it has not stood still.
            server.wait_connections(1500)
            run.terminate()
            wait_until(lambda: _has_ended_receiving(run.pid), "the run goes on")
            with open(reading, "rb") as log:
                said = log.read()
            assert run.wait(10) == 3
        finally:
            run.kill()
            run.wait()
    assert said.count(b"503 Service Unavailable") > 100


def _has_ended_receiving(pid: int) -> bool:
    """Whether the process has no children any more but the resource tracker (Linux)."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return not children.exists() or len(children.read_text().split()) <= 1


def test_a_signal_before_the_run_has_begun(tmp_path: Path) -> None:
    with Command("--url", ENDLESS, "--out", tmp_path / "out.csv") as command:
        command.wait_for("started")
        assert command.stop()["received"] == 0


def test_a_second_interrupt_stops_at_once(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    writer_stopped, row_read = threading.Event(), threading.Event()

    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(record(0))
        assert writer_stopped.wait(30)
        connection.send_raw(frame(TEXT, record(1)) + frame(PING))
        assert connection.recv_frame() is not None  # the pong: the row has been read
        row_read.set()
        connection.stall()

    with RawServer(script) as server:
        with Command("--url", server.url, "--out", out, *QUICK) as command:
            wait_until(lambda: out.exists() and out.read_bytes().endswith(b"A,1.5,0\n"))
            os.kill(command.child("writer"), signal.SIGSTOP)  # so that one cannot end the run
            writer_stopped.set()
            assert row_read.wait(30)
            command.signal(signal.SIGINT)
            command.wait_for("stopping")
            wait_until(lambda: _spooled(out)[-1:] == [1], "the row is in no batch")
            assert command.process.poll() is None
            command.signal(signal.SIGINT)
            summary = command.summary(status=130)
            children = command.children()
    assert server.errors == []
    assert not any(map(is_running, children))
    kept = summary["in_flight"]
    # The writer may have been stopped after it appended row 0, and before it said so.
    assert (summary["received"], kept) in ((2, 1), (2, 2))
    assert (summary["lost"], summary["messages_lost"]) == (0, 0)
    error = next(entry for entry in command.events if entry.get("error") == "Aborted")
    assert error["event"] == (
        f"stopped at once; {kept} received rows are kept, "
        "and written by the next run of this output"
    )
    assert volumes(out) == [0]
    assert _next_run(out, 7)["rows"] == kept
    assert volumes(out) == [0, 1, 7]
    assert [(line["received"], line["written"], line["lost"]) for line in read_entries(out)][
        -2:
    ] == [
        (2, 2, 0),
        (1, 1, 0),
    ]


@pytest.mark.parametrize(
    "count",
    [
        *(pytest.param(count, marks=pytest.mark.long) for count in (1, 9_999, 10_000, 34_567)),
        10_001,
    ],
)
def test_max_rows_writes_exactly_so_many(tmp_path: Path, count: int) -> None:
    out = tmp_path / "out.csv"
    with Command(
        "--url", "demo://?sequence=1&rate=100000", "--out", out, "--max-rows", str(count)
    ) as c:
        summary = c.summary()
    assert _is_whole(out) == count == summary["written"] == summary["received"]


def test_max_rows_that_come_with_the_handshake(tmp_path: Path) -> None:
    """The run ends before the connection is known to be open; it is closed all the same."""
    out = tmp_path / "out.csv"
    frames: list[tuple[int, bytes, bool] | None] = []

    def script(connection: RawConnection) -> None:
        connection.handshake(then=b"".join(frame(TEXT, record(number)) for number in range(100)))
        frames.append(connection.recv_frame())

    with RawServer(script) as server:
        with Command("--url", server.url, "--out", out, "--max-rows", "10") as command:
            summary = command.summary()
    assert volumes(out) == list(range(10))
    assert summary["connections"] == 1
    assert frames == [(CLOSE, struct.pack("!H", 1000), True)]


def test_small_batches_of_single_messages_do_not_wait_for_the_flush_interval(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.csv"

    def script(connection: RawConnection) -> None:
        connection.handshake()
        for number in range(12):
            connection.send_text(record(number))
            connection.ping()
            connection.recv_frame()  # the pong: the message has been read by itself
        answer_close(connection)

    slow = ["--flush-interval", "1h", "--batch-size", "5"]
    with RawServer(script) as server:
        with Command("--url", server.url, "--out", out, *slow, "--max-rows", "12") as command:
            assert command.summary()["written"] == 12  # and not after an hour
    assert volumes(out) == list(range(12))


def test_max_rows_cuts_within_an_array(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    def script(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text(b"[" + b",".join(record(n) for n in range(10)) + b"]")
        answer_close(connection)

    with RawServer(script) as server:
        with Command("--url", server.url, "--out", out, "--max-rows", "7", *QUICK) as command:
            assert command.summary()["received"] == 7
    assert volumes(out) == list(range(7))


def test_duration_ends_the_run(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out, "--duration", "1500ms") as command:
        summary = command.summary()
    assert summary["seconds"] >= 1.5
    assert _is_whole(out) == summary["written"] > 0


def test_later_runs_append(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    for numbers in ((1, 2), (3,)):
        with RawServer(serve(*numbers)) as server:
            arguments = ["--url", server.url, "--out", out, "--max-rows", str(len(numbers)), *QUICK]
            with Command(*arguments) as command:
                assert command.wait() == 0
    assert volumes(out) == [1, 2, 3]


def test_a_torn_last_line_goes_to_the_rejects(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("symbol,price,volume\nA,1.5,0\nB,2.")
    with RawServer(serve(1)) as server:
        arguments = ["--url", server.url, "--out", out, "--max-rows", "1", *QUICK]
        with Command(*arguments) as command:
            summary = command.summary()
    assert volumes(out) == [0, 1]
    warning = command.wait_for("cut off a torn last line")
    kept = json.loads(Path(warning["kept_in"]).read_text())
    assert (kept["text"], kept["reason"]) == ("B,2.", "torn last line of the file")
    assert (summary["received"], summary["quarantined"]) == (1, 0)  # it was not received


# Refused before any connection


@pytest.mark.parametrize("kind", ["header", "directory", "parent", "device", "full"])
def test_an_output_that_cannot_be_is_refused_before_any_connection(
    tmp_path: Path, kind: str
) -> None:
    out = tmp_path / "out.csv"
    if kind == "header":
        out.write_text("time,price\n")
    elif kind == "directory":
        out.mkdir()
    elif kind == "parent":
        out = tmp_path / "none" / "out.csv"
    elif kind == "device":
        out = Path("/dev/full")
    else:
        out = Path("/proc/out.csv")
    with RawServer(serve(1)) as server:
        with pytest.raises(OutputRefused) as refused:
            ingest(Options(url=server.url, out=out))
        assert str(refused.value).startswith(f"{out}: ")
        if kind == "header":  # any of them is told so, and ends with 2
            with Command("--url", server.url, "--out", out) as command:
                assert command.wait() == 2
            (error,) = command.events
            assert error["event"] == str(refused.value)
            assert out.read_text() == "time,price\n"
        assert server.connections == 0


def test_a_file_that_another_run_writes_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with RawServer(serve(1)) as server, Command("--url", server.url, "--out", out) as first:
        first.wait_for("connected")
        with Command("--url", server.url, "--out", out) as second:
            assert second.wait() == 2
        assert second.events[-1]["event"].startswith(f"{out}: process {first.pid} is writing it")
        assert server.connections == 1
        first.stop()


# Whatever dies, the rows are written


def _spooled(out: Path) -> list[int]:
    """The volumes of the rows in the spool of ``out``."""
    found = []
    for _, path in SpoolDirectories.of(out).segments():
        data = path.read_bytes()
        for batch in segment.read(data)[1]:
            columns = Batch.from_bytes(data[batch.start : batch.end]).columns()
            found += columns[2] if columns else []
    return sorted(found)


def _next_run(out: Path, *numbers: int) -> dict[str, Any]:
    """Capture these rows in another run; what it says about those that it has taken up."""
    with RawServer(serve(*numbers)) as server:
        arguments = ["--url", server.url, "--out", out, "--max-rows", len(numbers), *QUICK]
        with Command(*arguments) as command:
            summary = command.summary()
    assert summary["received"] == summary["written"] == len(numbers)
    assert left_by(out) == CLEAN
    return command.wait_for("took up what an earlier run had left")


def _kill(command: Command, role: str) -> None:
    """Kill one of the processes, and wait until another one has taken its place."""
    pid = command.child(role)
    os.kill(pid, signal.SIGKILL)
    found = command.wait_for("a process was killed by signal 9")
    assert found["level"] == "error"
    assert (found["process"], found["pid"]) == (role, pid)
    assert found["next"] == "another one takes its place"
    _wait_for_other(command, role, pid)


def _wait_for_other(command: Command, role: str, pid: int) -> None:
    wait_until(lambda: command.child(role) != pid, f"no other {role}")


def _goes_on(out: Path) -> None:
    before = out.stat().st_size
    wait_until(lambda: out.stat().st_size > before + 50_000, "no more rows")


def test_when_the_supervisor_is_killed_the_others_are_gone_within_two_seconds(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        children = command.children()
        assert len(children) == 3
        os.kill(command.pid, signal.SIGKILL)
        wait_until(lambda: not any(map(is_running, children)), "an orphan", timeout=10)
    count = _is_whole(out)
    assert count > 0
    assert set(left_by(out)) >= {"out.csv", "out.csv.journal", str(SpoolDirectories.of(out).spool)}
    taken = _next_run(out, -1)["rows"]
    numbers = volumes(out)
    assert numbers == [*range(count + taken), -1]
    interrupted, last = read_entries(out)[-2:]
    assert (interrupted["interrupted"], last["interrupted"]) == (True, False)
    assert interrupted["received"] == interrupted["written"] == count + taken
    assert interrupted["lost"] == 0


def test_a_writer_that_is_killed_costs_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        _kill(command, "writer")
        _goes_on(out)
        summary = command.stop()
    assert _is_whole(out) == summary["written"] == summary["received"]
    assert (summary["lost"], summary["messages_lost"], summary["in_flight"]) == (0, 0, 0)
    assert (summary["restarts"], summary["connections"], summary["gaps"]) == (1, 1, 0)
    assert left_by(out) == CLEAN


def test_a_receiver_that_is_killed_costs_what_it_had_not_put_into_a_batch(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    is_written, is_read = threading.Event(), threading.Event()

    def dies(connection: RawConnection) -> None:
        connection.handshake()
        for number in range(5):
            connection.send_text(record(number))
        assert is_written.wait(30)
        for number in (5, 6, 7):
            connection.send_text(record(number))
        for _ in range(2):  # the second pong: the read that brought the first ping is through
            connection.ping()
            assert connection.recv_frame() is not None
        is_read.set()
        connection.recv_frame(30)

    batches_of_five = ["--batch-size", "5", "--flush-interval", "1h", "--reconnect-initial", "20ms"]
    with RawServer(dies, serve(*range(8, 13))) as server:
        with Command("--url", server.url, "--out", out, *batches_of_five) as command:
            wait_until(lambda: out.exists() and out.read_bytes().endswith(b"A,1.5,4\n"))
            is_written.set()
            assert is_read.wait(30)
            _kill(command, "receiver")
            wait_until(lambda: out.read_bytes().endswith(b"A,1.5,12\n"))
            command.signal(signal.SIGTERM)
            summary = command.summary(status=3)
    assert server.errors == []
    assert volumes(out) == [*range(5), *range(8, 13)]
    assert summary["lost"] + summary["messages_lost"] == 3
    assert (summary["received"], summary["written"]) == (10 + summary["lost"], 10)
    assert (summary["in_flight"], summary["restarts"]) == (0, 1)
    assert left_by(out) == CLEAN


def test_a_receiver_that_is_killed_under_load_leaves_one_hole_at_most(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        _kill(command, "receiver")
        gap = command.wait_for("gap")
        assert gap["reason"] == "the receiver process was killed by signal 9"
        assert 0 < gap["length"] < 30
        _goes_on(out)
        command.signal(signal.SIGTERM)
        lost = command.wait() == 3
        summary = command.summary(status=3 if lost else 0)
    assert summary["received"] == summary["written"] + summary["lost"]
    assert lost == (summary["lost"] + summary["messages_lost"] > 0)
    assert (summary["in_flight"], summary["restarts"]) == (0, 1)
    numbers = volumes(out)
    assert (len(numbers), numbers[0]) == (summary["written"], 0)
    holes = [(before, after) for before, after in pairwise(numbers) if after != before + 1]
    assert len(holes) <= 1
    assert all(before < after for before, after in holes)
    assert summary["lost"] <= sum(after - before - 1 for before, after in holes)
    assert (summary["connections"], summary["gaps"]) == (2, 1)
    if lost:
        error = next(entry for entry in command.events if entry.get("error") == "RowsLost")
        assert error["event"].startswith(f"{summary['lost']} received rows")
        assert error["event"].endswith(" were lost with a receiver that died")
    numbers = volumes(out)
    assert len(numbers) == summary["written"]
    assert numbers[0] == 0
    steps = [later - earlier for earlier, later in pairwise(numbers)]
    assert sorted(steps)[:-1] == [1] * (len(numbers) - 2)  # what was in the sockets, at one place
    assert left_by(out) == CLEAN


def test_when_the_demo_exchange_is_killed_the_run_ends_in_order(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        children = command.children()
        os.kill(command.child("demo exchange"), signal.SIGKILL)
        summary = command.summary(status=1)
    assert not any(map(is_running, children))
    error = command.events[-1]
    assert error["error"] == "ProcessDied"
    assert error["event"] == (
        "the demo exchange process was killed by signal 9; every row received is written"
    )
    assert _is_whole(out) == summary["written"] == summary["received"]
    assert left_by(out) == CLEAN


@pytest.mark.parametrize("stopped", ["receiver", pytest.param("writer", marks=pytest.mark.long)])
def test_a_process_that_hangs_while_the_other_dies_goes_on(tmp_path: Path, stopped: str) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        hanging = command.child(stopped)
        os.kill(hanging, signal.SIGSTOP)
        _kill(command, "writer" if stopped == "receiver" else "receiver")
        os.kill(hanging, signal.SIGCONT)
        _goes_on(out)
        command.signal(signal.SIGTERM)
        status = command.wait()
        summary = command.summary(status)
    assert status in ((0,) if stopped == "receiver" else (0, 3))
    assert summary["received"] == summary["written"] + summary["lost"]
    assert summary["in_flight"] == 0
    assert len(volumes(out)) == summary["written"]
    if stopped == "receiver":
        _is_whole(out)
    assert left_by(out) == CLEAN


# Who dies again and again gets minutes, and pauses between; not here.
HURRIED = with_constants(restart_policy__PATIENCE=0.0, restart_policy__LAST_PAUSE=0.2)


def test_a_process_that_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out, program=HURRIED) as command:
        _rows_come(out)
        for count in range(1, 11):
            writer = command.child("writer")
            os.kill(writer, signal.SIGKILL)
            said = command.wait_for("a process was killed by signal 9", count)
            if count < 10:
                assert said["next"] == "another one takes its place"
                _wait_for_other(command, "writer", writer)
        assert said["next"] == "it is not started again"
        summary = command.summary(status=1)
    kept = summary["in_flight"]
    assert summary["lost"] == 0
    error = next(entry for entry in command.events if entry.get("error") == "ProcessDied")
    assert error["event"].startswith(
        "the writer process died 10 times in a row, and at last was killed by signal 9; "
    )
    # The last kill may have come between an append and the journal: then the file has more rows,
    # which count as kept, and the next run finds that they are there.
    assert summary["written"] <= _is_whole(out) <= summary["received"]
    assert kept == summary["received"] - summary["written"]
    if kept:
        assert f"; {kept} received rows are kept" in error["event"]
        assert _next_run(out, -1)["rows"] == kept
        assert volumes(out) == [*range(summary["received"]), -1]


# Writing that fails


def _limit(command: Command, size: int, *roles: str) -> None:
    """Let no file of these processes grow beyond ``size`` bytes; -1 is no limit."""
    for role in roles:
        limits = (size, resource.RLIM_INFINITY)
        resource.prlimit(command.child(role), resource.RLIMIT_FSIZE, limits)


def test_a_write_that_fails_is_tried_again(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        _limit(command, 200 * 1024, "writer")
        failed = command.wait_for("cannot write, trying again")
        assert failed["problem"] == f"{out}: cannot be appended to: File too large"
        _is_whole(out)  # what had been appended of the batch is cut off again
        _limit(command, -1, "writer")
        command.wait_for("writing again")
        summary = command.stop()
    assert _is_whole(out) == summary["written"] == summary["received"]
    assert summary["restarts"] == 0
    assert left_by(out) == CLEAN


def test_a_write_that_fails_until_the_end_is_done_by_the_next_run(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        _limit(command, 200 * 1024, "writer")
        command.wait_for("cannot write, trying again")
        children = command.children()
        command.signal(signal.SIGTERM)
        summary = command.summary(status=1)
    assert not any(map(is_running, children))
    kept = summary["in_flight"]
    assert kept > 0
    error = next(entry for entry in command.events if entry.get("error") == "WriteFailed")
    assert error["event"] == (
        f"{out}: cannot be appended to: File too large; {kept} received rows are kept, "
        "and written by the next run of this output"
    )
    assert (summary["lost"], summary["messages_lost"], summary["dropped"]) == (0, 0, 0)
    assert _is_whole(out) == summary["written"] == summary["received"] - kept
    assert _next_run(out, -1)["rows"] == kept
    assert volumes(out) == [*range(summary["received"]), -1]


def test_nothing_is_lost_where_no_file_may_grow(tmp_path: Path) -> None:
    """The spool and the spill cannot be written either; the receiver keeps what it has."""
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        _limit(command, 200 * 1024, "receiver", "writer")
        command.wait_for("cannot write, trying again")
        command.wait_for("the spool cannot be written; batches go to disk")
        _limit(command, -1, "receiver", "writer")
        command.wait_for("writing again")
        summary = command.stop()
    assert _is_whole(out) == summary["written"] == summary["received"]


@pytest.mark.parametrize(
    "trouble", ["a receiver has died", pytest.param("no room", marks=pytest.mark.long)]
)
def test_what_is_said_to_be_kept_is_written_by_the_next_run(tmp_path: Path, trouble: str) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        _limit(command, 200 * 1024, "writer")
        command.wait_for("cannot write, trying again")
        if trouble == "a receiver has died":
            _kill(command, "receiver")
            command.wait_for("gap")
        elif trouble == "no room":
            _limit(command, 200 * 1024, "receiver")
            command.wait_for("the spool cannot be written; batches go to disk")
        command.signal(signal.SIGTERM)
        summary = command.summary(status=1)
    written = len(volumes(out))
    assert summary["written"] == written
    assert summary["received"] == written + summary["in_flight"] + summary["lost"]
    with RawServer(serve(-1)) as server:
        arguments = ["--url", server.url, "--out", out, "--max-rows", "1", *QUICK]
        with Command(*arguments) as following:
            following.summary()
    assert len(volumes(out)) == written + summary["in_flight"] + 1


def test_who_stops_at_once_without_a_journal_is_told_what_is_lost(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out, "--journal", "off") as command:
        _rows_come(out)
        os.kill(command.child("writer"), signal.SIGSTOP)
        (path,) = SpoolDirectories.of(out).spool.glob("*.counters")
        counters = Counters.open(path)
        wait_until(lambda: counters.ledger.in_flight > 0, "nothing is received")
        command.signal(signal.SIGINT)
        command.wait_for("stopping")
        command.signal(signal.SIGINT)
        summary = command.summary(status=130)
    assert summary["lost"] > 0
    assert summary["received"] == summary["written"] + summary["lost"]
    error = next(entry for entry in command.events if entry.get("error") == "Aborted")
    assert "every row received is written" not in error["event"]
    assert str(summary["lost"]) in error["event"]


# A writer that is behind

BEHIND = ["--memory-limit", "1MiB", "--spill-limit", "0", "--batch-size", "1000", "--min-free", "0"]


def _until_full(command: Command, what: str) -> None:
    """Stop the writer until the outbox is full."""
    os.kill(command.child("writer"), signal.SIGSTOP)
    command.wait_for(f"the outbox is full, {what}")


def test_a_full_outbox_blocks_the_feed(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out, *BEHIND) as command:
        _rows_come(out)
        _until_full(command, "the feed is not read until there is room")
        os.kill(command.child("writer"), signal.SIGCONT)
        command.wait_for("the outbox has room again")
        _goes_on(out)
        summary = command.stop()
    assert _is_whole(out) == summary["written"] == summary["received"]
    assert summary["pauses"] > 0
    assert (summary["dropped"], summary["spill_peak"], summary["gaps"]) == (0, 0, 0)


def test_a_full_outbox_drops_rows_and_counts_them(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out, *BEHIND, "--when-full", "drop") as command:
        _rows_come(out)
        _until_full(command, "new rows are dropped until there is room")
        dropped = command.wait_for("rows dropped, the outbox is full")["rows"]
        assert dropped > 0
        os.kill(command.child("writer"), signal.SIGCONT)
        command.wait_for("the outbox has room again")
        _goes_on(out)
        command.signal(signal.SIGTERM)
        summary = command.summary(status=3)
    assert summary["dropped"] >= dropped
    assert summary["received"] == summary["written"] + summary["dropped"]
    assert summary["pauses"] == 0
    numbers = volumes(out)
    assert len(numbers) == summary["written"]
    assert numbers == sorted(set(numbers))
    error = next(entry for entry in command.events if entry.get("error") == "RowsLost")
    assert error["event"] == f"{summary['dropped']} rows were dropped while the outbox was full"


def test_a_full_outbox_ends_the_run_where_that_is_wanted(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out, *BEHIND, "--when-full", "exit") as command:
        _rows_come(out)
        _until_full(command, "the run ends")
        os.kill(command.child("writer"), signal.SIGCONT)
        summary = command.summary(status=3)
    assert _is_whole(out) == summary["written"] == summary["received"]
    error = next(entry for entry in command.events if entry.get("error") == "OutboxFull")
    assert error["event"] == (
        "the outbox was full, and --when-full is exit; every row received is written"
    )
    assert left_by(out) == CLEAN


def test_what_has_no_room_in_memory_goes_to_disk_and_back(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    spilling = ["--memory-limit", "1MiB", "--batch-size", "1000", "--min-free", "0"]
    with Command("--url", ENDLESS, "--out", out, *spilling) as command:
        _rows_come(out)
        os.kill(command.child("writer"), signal.SIGSTOP)
        command.wait_for("the writer is behind, spilling to disk")
        spill = SpoolDirectories.of(out).spill
        wait_until(lambda: len(list(spill.glob("*.segment"))) >= 3, "nothing on disk")
        os.kill(command.child("writer"), signal.SIGCONT)
        command.wait_for("the spill is empty again")
        summary = command.stop()
    assert _is_whole(out) == summary["written"] == summary["received"]
    assert summary["spill_peak"] > 3 * 256 * 1024
    assert (summary["dropped"], summary["lost"]) == (0, 0)
    assert left_by(out) == CLEAN


@pytest.mark.parametrize("damage", ["changed", pytest.param("deleted", marks=pytest.mark.long)])
def test_what_is_damaged_on_disk_is_counted_and_holds_up_nothing(
    tmp_path: Path, damage: str
) -> None:
    out = tmp_path / "out.csv"
    spilling = ["--memory-limit", "1MiB", "--batch-size", "1000", "--min-free", "0"]
    with Command("--url", ENDLESS, "--out", out, *spilling) as command:
        _rows_come(out)
        os.kill(command.child("writer"), signal.SIGSTOP)
        spill = SpoolDirectories.of(out).spill
        wait_until(lambda: len(list(spill.glob("*.segment"))) >= 3, "nothing on disk")
        path = min(spill.glob("*.segment"), key=lambda path: path.stat().st_mtime_ns)
        data = bytearray(path.read_bytes())
        _, *rest = segment.read(bytes(data))[1]
        if damage == "changed":
            data[rest[0].start + 10] ^= 1
            path.write_bytes(data)
        else:
            path.unlink()
        os.kill(command.child("writer"), signal.SIGCONT)
        said = command.wait_for("rows in the spill cannot be read")
        command.wait_for("the spill is empty again")
        _goes_on(out)
        command.signal(signal.SIGTERM)
        summary = command.summary(status=3)
    assert (
        said["problem"]
        == {
            "changed": "it is damaged",
            "deleted": "No such file or directory",
        }[damage]
    )
    assert summary["lost"] == said["rows"] > 0
    assert summary["received"] == summary["written"] + summary["lost"]
    error = next(entry for entry in command.events if entry.get("error") == "RowsLost")
    assert error["event"] == f"{said['rows']} received rows in the spill could not be read again"
    numbers = volumes(out)
    assert len(numbers) == summary["written"]
    assert numbers == sorted(set(numbers))
    steps = [later - earlier for earlier, later in pairwise(numbers)]
    assert sorted(steps)[-2:] == [1, 1 + said["rows"]]
    assert left_by(out) == CLEAN


def test_max_rows_counts_what_a_dead_receiver_had_received(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out, "--max-rows", "50000") as command:
        _rows_come(out)
        _kill(command, "receiver")
        status = command.wait()
        summary = command.summary(status)
    assert status in (0, 3)
    assert summary["received"] == 50_000 == summary["written"] + summary["lost"]
    assert len(volumes(out)) == summary["written"]


def test_without_a_journal_everything_is_written_as_well(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    for count in (1, 2):
        with Command("--url", ENDLESS, "--out", out, "--journal", "off") as command:
            _rows_come(out, count * 300_000)
            assert left_by(out) == sorted(
                ["out.csv", "out.csv.lock", str(SpoolDirectories.of(out).spool)]
                + ["out.csv.ledger.jsonl"] * (count > 1)
            )
            assert list(SpoolDirectories.of(out).segments()) == []
            summary = command.stop()
        numbers = volumes(out)[-summary["written"] :]
        assert numbers == list(range(summary["received"]))
        assert left_by(out) == CLEAN
    assert [line["file"] for line in read_entries(out)] == [None, None]


# From a program


def test_a_program_needs_no_guard_around_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys\n"
        "from fastingest import Options, ingest\n"
        "assert 'polars' not in sys.modules\n"
        "summary = ingest(Options(url='demo://?rows=100', out=sys.argv[1], max_rows=100))\n"
        "print(summary.ledger.written)\n"
    )
    ended = run_program(script, tmp_path / "out.csv", cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == ("100\n", "")


def test_ingest_reports_and_returns_the_numbers(tmp_path: Path) -> None:
    ticks: list[Summary] = []
    before = signal.getsignal(signal.SIGINT)
    summary = ingest(
        Options(url=ENDLESS, out=tmp_path / "out.csv", duration=1.0), on_tick=ticks.append, tick=0.1
    )
    assert signal.getsignal(signal.SIGINT) is before
    assert len(ticks) >= 5
    assert summary.ledger.written == summary.ledger.received == len(read_rows(summary.out))
    assert summary.file_size == summary.out.stat().st_size
    assert 0 < summary.latency[0] <= summary.latency[1] <= summary.latency[2]
    written = [tick.ledger.written for tick in ticks]
    assert written == sorted(written)


def test_signals_that_the_program_handles_do_not_end_the_run(tmp_path: Path) -> None:
    alarms: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: alarms.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        summary = ingest(Options(url=ENDLESS, out=tmp_path / "out.csv", duration=1.0))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(alarms) > 3
    assert summary.seconds >= 1.0


def test_ingest_works_in_another_thread(tmp_path: Path) -> None:
    found = []

    def run() -> None:
        options = Options(url="demo://?rows=10", out=tmp_path / "out.csv", max_rows=10)
        found.append(ingest(options).ledger.written)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    assert found == [10]


def test_ingest_raises_what_the_command_prints(tmp_path: Path) -> None:
    def forbidden(connection: RawConnection) -> None:
        connection.reject(403)

    with RawServer(forbidden) as server, pytest.raises(FeedRefused, match="403 Forbidden") as error:
        ingest(Options(url=server.url, out=tmp_path / "out.csv"))
    assert error.value.summary is not None
    assert error.value.summary.ledger.received == 0
    assert left_by(tmp_path / "out.csv") == []  # a file with nothing but its header is removed


def test_a_demo_that_cannot_be_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="rate"):
        ingest(Options(url="demo://?rate=x", out=tmp_path / "out.csv"))
    assert left_by(tmp_path / "out.csv") == []


# What it costs


def test_a_burst_leaves_every_process_small(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    url = "demo://?rate=2000000&burst=1"
    with Command("--url", url, "--out", out, "--max-rows", "1500000") as command:
        processes = {role: command.child(role) for role in ("receiver", "writer")}
        peaks: dict[str, int] = {}
        while command.process.poll() is None:
            for role, pid in processes.items():
                peaks[role] = max(peaks.get(role, 0), _peak_memory(pid))
            time.sleep(0.05)
        assert command.wait() == 0
    assert 0 < max(peaks.values()) < 150 * 2**20, peaks


def _peak_memory(pid: int) -> int:
    """VmHWM in bytes; zero where the process has ended, or the system has no /proc."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), 0)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_the_receiver_has_one_thread(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        assert len(list(Path(f"/proc/{command.child('receiver')}/task").iterdir())) == 1
        command.stop()
