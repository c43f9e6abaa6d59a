"""A run in words: what it says while it goes on, at its end, and of an error."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from fastingest import (
    Aborted,
    Counts,
    FastingestError,
    FeedRefused,
    HeaderMismatch,
    Options,
    OutboxFull,
    OutputLocked,
    ProcessDied,
    RowsLost,
    Summary,
    WriteFailed,
)
from fastingest.cli import run as cli
from fastingest.cli.run import progress_of
from fastingest.metrics.counters import State
from fastingest.native.availability import find_native
from tests.end_to_end.command import read_rows
from tests.peers.raw import RawConnection, RawServer
from tests.support.command_line import FEED, run, run_program
from tests.support.summaries import EMPTY, RUNNING, change, feed, several


def test_a_run_ends_with_its_summary(tmp_path: Path) -> None:
    ended = run("--url", FEED, "--max-rows", "5000", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert len(read_rows(tmp_path / "stock_data.csv")) == 5000
    lines = ended.stdout.splitlines()
    assert lines[:8] == [
        FEED,
        "  received     5,000",
        "  written      5,000",
        "  quarantined      0",
        "  ignored          0",
        "  dropped          0",
        "  lost             0",
        "  in flight        0",
    ]
    assert re.fullmatch(r"  rows/s +[\d,]+ mean, [\d,]+ best second", lines[8])
    assert re.fullmatch(
        r"  latency +p50 [\d.]+m?s, p99 [\d.]+m?s, max [\d.]+m?s \(from receipt to file\)", lines[9]
    )
    assert lines[10] == "  connections  1, 0 gaps"
    assert lines[11] == f"  listener     {find_native({}).listener}"
    assert re.fullmatch(r"  file +stock_data\.csv, [\d.]+KiB", lines[12])
    assert re.fullmatch(r"  run length +[\d.]+s", lines[13])
    assert len(lines) == 14
    stamp = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    for line in ended.stderr.splitlines():
        assert re.fullmatch(rf"{stamp} (INFO   |WARNING) .+", line)
    assert " connected url=ws://127.0.0.1:" in ended.stderr


def test_json_is_json_throughout(tmp_path: Path) -> None:
    ended = run("--url", FEED, "--max-rows", "5000", "--log-format", "json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert ended.stdout.count("\n") == 1
    assert (summary["received"], summary["written"], summary["in_flight"]) == (5000, 5000, 0)
    assert summary["file_size"] == (tmp_path / "stock_data.csv").stat().st_size
    events = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert "connected" in events


def test_quiet_says_nothing(tmp_path: Path) -> None:
    ended = run("--url", FEED, "--max-rows", "5000", "--quiet", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert len(read_rows(tmp_path / "stock_data.csv")) == 5000


@pytest.mark.usefixtures("logger")
def test_progress_is_logged_where_there_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(url=(FEED,), out=tmp_path / "o.csv", max_rows=20_000)
    assert cli.run(options, progress_interval=0.1) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if " progress " in line]
    number, size = r"\d+", r"[\d.]+(?:B|KiB|MiB)"
    pattern = (
        rf"\S+ INFO    progress rows=({number}) rate={number}/s rejected=0 queue={size} "
        rf"p99=(?:-|[\d.]+m?s) file={size} state=[a-z]+"
    )
    rows = []
    for line in lines:
        match = re.fullmatch(pattern, line)
        assert match is not None, line
        rows.append(int(match[1]))
    assert rows == sorted(rows)
    assert rows[0] < 20_000
    assert len(rows) >= 5
    assert any(0 < count < 20_000 for count in rows)


def test_progress_comes_every_ten_seconds() -> None:
    assert cli.PROGRESS_INTERVAL == 10.0
    assert cli.VIEW_INTERVAL == 0.5


def test_a_run_that_is_told_so_uses_the_python_listener(tmp_path: Path) -> None:
    ended = run("--url", FEED, "--max-rows", "10", cwd=tmp_path, FASTINGEST_NATIVE="0")
    assert ended.returncode == 0, ended.stderr
    assert "\n  listener     Python (switched off by FASTINGEST_NATIVE=0)\n" in ended.stdout


def test_a_wrong_choice_of_the_listener_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    ended = run("--url", FEED, cwd=tmp_path, FASTINGEST_NATIVE="yes")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "fastingest: error: FASTINGEST_NATIVE: 'yes' is neither 0 nor 1\n"
    assert list(tmp_path.iterdir()) == []


def test_the_command_does_not_load_what_the_writer_needs(tmp_path: Path) -> None:
    script = (
        "import sys; from fastingest.cli import commands as cli\n"
        f"status = cli.main(['--url', {FEED!r}, '--max-rows', '10', '--quiet'])\n"
        "print(status, 'polars' in sys.modules)"
    )
    ended = run_program(script, cwd=tmp_path)
    assert (ended.stdout, ended.stderr) == ("0 False\n", "")


# Progress


def test_what_the_progress_says() -> None:
    assert progress_of(RUNNING).fields == {
        "rows": 1_234_567,
        "rate": pytest.approx(31_219.05),
        "rejected": 12,
        "queue": 9216,
        "p99": 0.00843,
        "file": 32_505_856,
        "state": "connected",
    }
    assert progress_of(EMPTY).rate == 0.0
    assert progress_of(EMPTY).fields.keys() == progress_of(RUNNING).fields.keys()
    lossy = change(ledger=Counts(6, written=1, rejected=0, ignored=0, dropped=2, lost=3))
    assert (progress_of(lossy).dropped, progress_of(lossy).lost) == (2, 3)
    idle = change(ledger=Counts(4, written=0, rejected=0, ignored=4, dropped=0, lost=0))
    assert progress_of(idle).ignored == 4


def test_the_progress_of_several_feeds_says_what_needs_to_be_looked_at() -> None:
    progress = progress_of(several(feed("a"), feed("b", State.WAITING), outputs=2))
    assert (progress.state, progress.rows, progress.file) == ("waiting", 2000, 3 * 2**20)


def test_what_is_set_aside_is_in_the_progress() -> None:
    ledger = Counts(1_234_690, written=1_234_567, rejected=12, set_aside=5)
    assert progress_of(change(ledger=ledger)).set_aside == 5


# Errors


def test_another_header_is_one_line_and_the_file_stays(tmp_path: Path) -> None:
    out = tmp_path / "stock_data.csv"
    out.write_text("time,value\n1,2\n")
    ended = run("--url", FEED, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("fastingest: error: stock_data.csv: its header is 'time,value")
    assert ended.stderr.count("\n") == 1
    assert out.read_text() == "time,value\n1,2\n"


def test_a_feed_that_refuses_ends_with_one_line(tmp_path: Path) -> None:
    def refuse(connection: RawConnection) -> None:
        connection.reject(404)

    with RawServer(refuse) as server:
        ended = run("--url", server.url, "--log-level", "error", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"fastingest: error: {server.url}: ")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""  # nothing was captured, and nothing is said about it


@pytest.mark.usefixtures("logger")
@pytest.mark.parametrize("summary", [RUNNING, EMPTY, None])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FeedRefused("ws://x", "says no\nnever"), 2),
        (OutputLocked(Path("o.csv"), 42), 2),
        (HeaderMismatch(Path("o.csv"), "a", "b"), 2),
        (WriteFailed(Path("o.csv"), "No space left on device"), 1),
        (ProcessDied("writer", -9, 10), 1),
        (RowsLost("2 rows were dropped while the outbox was full"), 3),
        (OutboxFull(), 3),
        (Aborted(), 130),
    ],
)
def test_the_error_decides_the_exit_status(
    error: FastingestError,
    status: int,
    summary: Summary | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> Summary:
        error.summary = summary
        raise error

    monkeypatch.setattr(cli, "ingest", fail)
    assert cli.run(Options(url=("ws://x",))) == status
    out, err = capsys.readouterr()
    assert err == f"fastingest: error: {error}\n".replace("\nn", r"\nn")
    # What was refused has captured nothing, unless there were other feeds.
    shown = summary is RUNNING or (summary is EMPTY and status != 2)
    received = f"{summary.ledger.received:,}" if summary else ""
    assert out.startswith(f"wss://feed.example/trades\n  received     {received}" if shown else "")
    assert bool(out) == shown
    assert cli.run(Options(url=("ws://x",), quiet=True)) == status
    assert capsys.readouterr() == ("", err)
    assert cli.run(Options(url=("ws://x",), log_format="json")) == status
    out, err = capsys.readouterr()
    entry = json.loads(err)
    assert (entry["level"], entry["event"]) == ("error", str(error))
    assert entry["error"] == type(error).__name__
    in_flight = summary.ledger.in_flight if summary else None
    assert (json.loads(out)["in_flight"] == in_flight) if shown else out == ""


@pytest.mark.usefixtures("logger")
def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Summary:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "ingest", fail)
    with pytest.raises(ZeroDivisionError):
        cli.run(Options(url=("ws://x",)))
