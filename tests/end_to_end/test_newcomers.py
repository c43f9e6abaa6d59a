"""What goes wrong at a first try, each with one clear line; and the second try works."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, left_by, rejects_of, wait_until
from tests.end_to_end.test_connection import QUICK
from tests.faults.disks import small_disk
from tests.peers.raw import RawConnection, RawServer
from tests.support.command_line import COMMAND, environment, run
from tests.support.patience import LIMIT
from tests.support.serving import serve

DEMO = "demo://?rate=1000&burst=1"


def test_a_first_try_whose_columns_do_not_fit_keeps_nobody_from_a_second(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command(DEMO, "--columns", "sym, p:float", "--out", out, *QUICK) as command:
        wait_until((tmp_path / "out.csv.rejected.jsonl").exists, "rejects")
        command.stop()
    assert out.read_text() == "sym,p\n"
    with Command(DEMO, "--columns", "symbol", "--out", out, "--max-rows", 5) as command:
        command.summary()
        replaced = [each for each in command.events if "replaced" in each["event"]]
    assert [(each["level"], each["found"]) for each in replaced] == [("warning", "sym,p")]
    lines = out.read_text().splitlines()
    assert (lines[0], len(lines)) == ("symbol", 6)
    assert verify(out).agrees
    # There are rows now.
    with Command(DEMO, "--columns", "price", "--out", out, "--max-rows", 5) as command:
        assert command.wait() == 2
        assert "its header is 'symbol', this run writes 'price'" in command.events[-1]["event"]
    assert out.read_text().splitlines() == lines


def test_a_first_try_that_the_feed_refuses_leaves_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with RawServer(lambda peer: peer.reject(404)) as server:
        with Command(server.url, "--out", out) as command:
            assert command.wait() == 2
        assert left_by(out) == []
        out.write_text("symbol,price,volume\n")  # one that was there stays
        with Command(server.url, "--out", out) as command:
            assert command.wait() == 2
    assert left_by(out) == ["out.csv"]


def test_a_heartbeat_is_no_row(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    def script(peer: RawConnection) -> None:
        peer.handshake()
        for _ in range(12):
            peer.send_text('{"ping":1795729903425}')
        peer.send_text('{"symbol": "A", "price": 1, "volume": 2}')
        peer.stall()

    with RawServer(script) as server:
        with Command(server.url, "--out", out, *QUICK) as command:
            wait_until(lambda: out.exists() and b"A,1.0,2\n" in out.read_bytes(), "the row")
            command.stop()
            said = [each for each in command.events if "most of what" in each["event"]]
    assert out.read_bytes() == b"symbol,price,volume\nA,1.0,2\n"
    reason = "its only member is 'ping', which is no symbol"
    assert [each["reason"] for each in rejects_of(out)] == [reason] * 12
    assert [(each["level"], each["rejected"], each["rows"]) for each in said] == [
        ("warning", 12, 1)
    ]


def test_verify_says_that_the_first_run_is_still_going_on(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Command(DEMO, "--out", out, *QUICK) as command:
        wait_until(lambda: out.exists() and out.read_bytes().count(b"\n") > 10, "rows")
        ended = run("verify", "out.csv", cwd=tmp_path)
        said = "its first run is writing it now; there is a ledger when that has ended"
        assert (ended.returncode, ended.stderr) == (2, f"fastingest: error: out.csv: {said}\n")
        command.stop()
    assert run("verify", "out.csv", cwd=tmp_path).returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("place", [b"out\xff.csv", b"\xff/out.csv"])
def test_an_output_whose_name_is_no_text_is_refused(tmp_path: Path, place: bytes) -> None:
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    before = sorted(os.walk(os.fsencode(tmp_path)))
    ended = subprocess.run(
        [*COMMAND, DEMO, "--out", os.fsencode(tmp_path) + b"/" + place],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.endswith(
        ": its name, or its directory's, is no UTF-8; name another file with --out\n"
    )
    assert ended.stderr.count("\n") == 1
    assert sorted(os.walk(os.fsencode(tmp_path))) == before


def test_a_read_only_mount_is_called_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2**20) as disk:
        (disk / "there.csv").write_text("symbol,price,volume\n")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        for name in ("there.csv", "new.csv"):
            ended = run(DEMO, "--out", str(disk / name), cwd=tmp_path)
            said = f"{disk / name}: cannot be written: its file system is mounted read-only"
            assert (ended.returncode, ended.stderr) == (2, f"fastingest: error: {said}\n")
        ended = run(DEMO, "--spill-dir", str(disk), cwd=tmp_path)
        said = f"--spill-dir: {disk} may not be written: its file system is mounted read-only"
        assert (ended.returncode, ended.stderr) == (2, f"fastingest: error: {said}\n")


def test_the_names_of_two_feeds_of_one_host_tell_them_apart(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    columns = ("--columns", "symbol, @feed", "--out", out)
    with RawServer(serve(1)) as server:
        plain = server.url.rstrip("/")
        with Command(plain, f"{plain}/a", *columns, *QUICK) as command:
            wait_until(lambda: out.exists() and out.read_bytes().count(b"\n") >= 3, "rows")
            command.stop()
    names = {line.split(",")[1] for line in out.read_text().splitlines()[1:]}
    assert names == {f"127.0.0.1:{server.port}", f"127.0.0.1:{server.port}/a"}
