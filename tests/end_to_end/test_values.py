"""The real command, native and not, with values as venues write them: the file, and the counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastingest.storage.ledger import read_entries
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, rejects_of
from tests.end_to_end.test_tables import QUICK, cells, says
from tests.peers.raw import RawServer

COLUMNS = "s=s, b:decimal?=b, a:decimal?=a, t:timestamp[ms]?=t, i:timestamp?=i"
MESSAGES = {
    '{"s":"A","b":"","a":"1.5"}': ["A", "", "1.5", "", ""],
    '{"s":"A","b":"2.5","a":"NaN","t":1700000000123}': [
        *("A", "2.5", "", "2023-11-14T22:13:20.123Z", "")
    ],
    '{"s":"B","b":"-∞","a":"Infinity","t":"1700000000123.25","i":"2026-01-01 10:00:00.123456"}': [
        *("B", "", "", "2023-11-14T22:13:20.12325Z", "2026-01-01T10:00:00.123456Z")
    ],
    '{"s":"C","b":"1","t":1700000000123.5,"i":"2026-01-01T10:00:00+0900"}': [
        *("C", "1", "", "2023-11-14T22:13:20.1235Z", "2026-01-01T01:00:00Z")
    ],
}
BAD = {
    '{"s":"C","b":"n/a"}': 'b: Expected a number, got "n/a"',
}


@pytest.mark.parametrize("native", ["0", "1"])
def test_values_as_venues_write_them(native: str, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    arguments = ("--out", out, "--max-rows", 2 * len(MESSAGES), "--columns", COLUMNS, *QUICK)
    with (
        RawServer(says(*BAD, *MESSAGES, *MESSAGES)) as server,
        Command(
            "--url", server.url, *arguments, environment={"FASTINGEST_NATIVE": native}
        ) as command,
    ):
        summary = command.summary()
    assert cells(out)[1:] == [*MESSAGES.values(), *MESSAGES.values()]
    assert {each["text"]: each["reason"] for each in rejects_of(out)} == BAD
    (run,) = read_entries(out)
    assert summary["blanked"] == summary["feeds"][0]["blanked"] == 6
    assert run["blanked"] == run["feeds"][0]["blanked"] == 6
    assert verify(out).agrees
