"""What a message of nothing but bad elements costs the receiver."""

from __future__ import annotations

import importlib.util
from functools import partial
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, rejects_of, wait_until
from tests.end_to_end.test_connection import QUICK
from tests.peers.raw import RawConnection, RawServer
from tests.support.serving import answer_close, record

pytestmark = pytest.mark.long

SIZE = 14_000_000
ELEMENTS = (b"1", b"{}", b"[]", b'{"a":[[[[]]]]}')
# Good rows in a message of this size take 170 MiB; a list of these elements took 360 to 970.
MOST = 150 * 2**20


def _array(element: bytes) -> bytes:
    return b"[" + b",".join([element] * (SIZE // (len(element) + 1))) + b"]"


def _send(connection: RawConnection) -> None:
    connection.handshake()
    for number, element in enumerate(ELEMENTS):
        connection.send_text(_array(element))
        connection.send_text(record(number))
    answer_close(connection)


def _has_lines(out: Path, count: int) -> bool:
    return out.exists() and out.read_bytes().count(b"\n") >= count


def _peak_memory(pid: int) -> int:
    """VmHWM, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs Linux's /proc")
@pytest.mark.parametrize("native", ["0", "1"])
@pytest.mark.parametrize(
    "columns",
    [
        [],
        ["--columns", "symbol, price:float, volume:int"],
    ],
    ids=["usual", "described"],
)
def test_millions_of_bad_elements_take_no_more_memory_than_good_ones(
    tmp_path: Path, columns: list[str], native: str
) -> None:
    if native == "1" and importlib.util.find_spec("fastingest.native._parser") is None:
        pytest.skip("needs the native listener (FASTINGEST_BUILD_NATIVE=1)")
    out = tmp_path / "out.csv"
    with RawServer(_send) as server:
        arguments = ["--url", server.url, "--out", out, *QUICK, *columns]
        environment = {"FASTINGEST_NATIVE": native}
        with Command(*arguments, environment=environment) as command:
            peaks = []
            for rows, _ in enumerate(ELEMENTS, 1):
                # The header, and a row behind each message.
                wait_until(partial(_has_lines, out, rows + 1), "no row", 60)
                peaks.append(_peak_memory(command.child("receiver")))
            command.stop()
    assert server.errors == []
    assert max(peaks) < MOST, peaks
    reasons = [reject["reason"] for reject in rejects_of(out)]
    assert len(reasons) == len(ELEMENTS)
    assert all("more than 1,000 of its rows are none" in reason for reason in reasons)
