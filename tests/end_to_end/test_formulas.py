"""Text that a spreadsheet takes for a formula."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from fastingest.spool.directories import SpoolDirectories
from tests.end_to_end.command import Command, left_by, read_rows, wait_until
from tests.peers.raw import TEXT, RawConnection, RawServer, frame
from tests.support.serving import answer_close

pytestmark = pytest.mark.long

QUICK = ["--flush-interval", "20ms"]


def serve(*symbols: str, when: threading.Event | None = None) -> RawServer:
    """Send a record for each symbol, and stay."""
    records = (f'{{"symbol": "{symbol}", "price": -1.5, "volume": -7}}' for symbol in symbols)
    frames = b"".join(frame(TEXT, record.encode()) for record in records)

    def script(connection: RawConnection) -> None:
        connection.handshake()
        if when is not None:
            assert when.wait(30)
        connection.send_raw(frames)
        answer_close(connection)

    return RawServer(script)


@pytest.mark.parametrize("native", ["0", "1"])
@pytest.mark.parametrize("escape", [[], ["--escape-formulas"]])
def test_it_is_written_as_it_is_unless_asked_otherwise(
    escape: list[str], native: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    quote = "'" if escape else ""
    with serve("=1+1", "@A", "-B", "+C", "D", "'E") as server:
        arguments = ["--url", server.url, "--out", out, "--max-rows", "6", *QUICK, *escape]
        with Command(*arguments, environment={"FASTINGEST_NATIVE": native}) as command:
            assert command.wait() == 0
    symbols = [f"{quote}{symbol}" for symbol in ("=1+1", "@A", "-B", "+C")]
    assert read_rows(out) == [[symbol, "-1.5", "-7"] for symbol in [*symbols, "D", "'E"]]


@pytest.mark.parametrize("escape", [[], ["--escape-formulas"]])
@pytest.mark.parametrize("begun", [1, 13, 26])
def test_another_run_that_is_asked_otherwise_knows_what_a_dead_writer_had_begun_with(
    begun: int, escape: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    quote, others = (b"'", []) if escape else (b"", ["--escape-formulas"])
    spool = SpoolDirectories.of(out).spool
    may_send = threading.Event()
    with serve("=A", "=B", when=may_send) as server:
        with Command("--url", server.url, "--out", out, *QUICK, *escape) as command:
            command.wait_for("connected")
            os.kill(command.child("writer"), signal.SIGSTOP)
            may_send.set()
            wait_until(lambda: any(b"=B" in path.read_bytes() for path in spool.glob("*.segment")))
            for pid in (command.pid, *command.children()):
                os.kill(pid, signal.SIGKILL)
            command.process.wait()
    header = b"symbol,price,volume\n"
    rows = b"%s=A,-1.5,-7\n%s=B,-1.5,-7\n" % (quote, quote)
    out.write_bytes(header + rows[:begun])
    with serve("=C") as server:
        arguments = ["--url", server.url, "--out", out, "--max-rows", "1", *QUICK, *others]
        with Command(*arguments) as command:
            assert command.wait() == 0
    last = b"%s=C,-1.5,-7\n" % (b"'" if others else b"")
    assert out.read_bytes() == header + rows + last
    assert left_by(out) == ["out.csv", "out.csv.ledger.jsonl"]
