"""How a run ends, and what it leaves."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from fastingest import FeedRefused, Options, Summary, ingest
from tests.end_to_end.command import (
    ROOT,
    Command,
    is_running,
    read_rows,
    wait_until,
)
from tests.end_to_end.test_connection import QUICK, answer_close, record, serve, volumes
from tests.peers.raw import CLOSE, PING, TEXT, RawConnection, RawServer, frame

ENDLESS = "demo://?rate=20000&sequence=1&burst=1"


def _rows_come(out: Path) -> None:
    wait_until(lambda: out.exists() and out.stat().st_size > 100_000, "no rows")


def _is_whole(out: Path) -> int:
    """The file holds rows 0 to n - 1, whole and in order; n."""
    numbers = volumes(out)
    assert numbers == list(range(len(numbers)))
    return len(numbers)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv"]


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
            assert command.stop()["written"] == 0


def test_a_signal_while_the_handshake_is_not_answered(tmp_path: Path) -> None:
    with RawServer(RawConnection.stall) as server:
        with Command("--url", server.url, "--out", tmp_path / "out.csv") as command:
            server.wait_connections(1)
            command.signal(signal.SIGTERM)
            assert command.wait(timeout=5) == 0  # the handshake would get 10 s


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
            wait_until(lambda: _has_ended_receiving(run.pid), "the run goes on", timeout=10)
            with open(reading, "rb") as log:
                said = log.read()
            assert run.wait(10) == 0
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
            assert command.process.poll() is None
            command.signal(signal.SIGINT)
            summary = command.summary(status=130)
            children = command.children()
    assert server.errors == []
    assert not any(map(is_running, children))
    lost = summary["in_flight"]
    # The writer may have been stopped after it appended row 0, and before it counted it.
    assert (summary["received"], lost) in ((2, 1), (2, 2))
    error = next(entry for entry in command.events if entry.get("error") == "Aborted")
    assert error["event"] == f"stopped at once; {lost} received rows were not written"
    assert volumes(out) == [0]


@pytest.mark.parametrize("count", [1, 9_999, 10_000, 10_001, 34_567])
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


def test_a_torn_last_line_goes_to_the_quarantine(tmp_path: Path) -> None:
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
        with Command("--url", server.url, "--out", out) as command:
            assert command.wait() == 2
        assert server.connections == 0
    (error,) = command.events
    assert error["event"].startswith(f"{out}: ")
    if kind == "header":
        assert out.read_text() == "time,price\n"


def test_a_file_that_another_run_writes_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with RawServer(serve(1)) as server, Command("--url", server.url, "--out", out) as first:
        first.wait_for("connected")
        with Command("--url", server.url, "--out", out) as second:
            assert second.wait() == 2
        assert second.events[-1]["event"].startswith(f"{out}: process {first.pid} is writing it")
        assert server.connections == 1
        first.stop()


# Whatever dies, the others follow


def _killed(command: Command, pid: int) -> int:
    """Kill one process of a run; the run's status, once all of it has gone, within two seconds."""
    children = command.children()
    os.kill(pid, signal.SIGKILL)
    killed = time.monotonic()
    status = command.wait()
    wait_until(lambda: not any(map(is_running, children)), "an orphan", timeout=2)
    assert time.monotonic() - killed < 2
    return status


@pytest.mark.parametrize("victim", ["supervisor", "receiver", "writer", "demo exchange"])
def test_when_one_process_is_killed_the_others_are_gone_within_two_seconds(
    tmp_path: Path, victim: str
) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        assert len(command.children()) == 3
        pid = command.pid if victim == "supervisor" else command.child(victim)
        status = _killed(command, pid)
    assert _is_whole(out) > 0
    if victim != "supervisor":
        assert status == 1
        error = command.events[-1]
        assert error["error"] == "ProcessDied"
        assert f"the {victim} process was killed by signal 9" in error["event"]
        assert ("not decoded yet" in error["event"]) <= (victim == "receiver")
    with Command("--url", "demo://?rows=5", "--out", out, "--max-rows", "5") as command:
        assert command.wait() == 0  # nothing is locked, nothing is torn


@pytest.mark.parametrize("stopped", ["receiver", "writer"])
def test_a_process_that_hangs_does_not_keep_the_run_alive_after_a_death(
    tmp_path: Path, stopped: str
) -> None:
    out = tmp_path / "out.csv"
    with Command("--url", ENDLESS, "--out", out) as command:
        _rows_come(out)
        os.kill(command.child(stopped), signal.SIGSTOP)
        other = "writer" if stopped == "receiver" else "receiver"
        assert _killed(command, command.child(other)) == 1


def test_a_write_that_fails_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    limited = ["bash", "-c", 'ulimit -f 200; trap "" XFSZ; exec "$@"', "bash"]  # 200 KiB
    command = [sys.executable, "-m", "fastingest", "--url", ENDLESS, "--out", str(out)]
    ended = subprocess.run(
        [*limited, *command], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 1
    assert f"fastingest: error: {out}: rows could not be appended: File too large" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert _is_whole(out) > 0


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
    ended = subprocess.run(
        [sys.executable, script, tmp_path / "out.csv"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
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
    assert not (tmp_path / "out.csv.lock").exists()


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
