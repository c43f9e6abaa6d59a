"""The real command, native and not, with values as venues write them: the file, and the counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastingest.storage.ledger import read_entries
from fastingest.verify.verify import verify
from tests.end_to_end.command import Command, rejects_of
from tests.end_to_end.test_tables import QUICK, cells, says
from tests.peers.raw import RawServer

COLUMNS = "s=s, b:decimal?=b, a:decimal?=a, t:timestamp[ms]?=t, i:timestamp?=i, c:json?=c"
MESSAGES = {
    '{"s":"A","b":"","a":"1.5"}': ["A", "", "1.5", "", "", ""],
    '{"s":"A","b":"2.5","a":"NaN","t":1700000000123}': [
        *("A", "2.5", "", "2023-11-14T22:13:20.123Z", "", "")
    ],
    '{"s":"B","b":"-∞","a":"Infinity","t":"1700000000123.25","i":"2026-01-01 10:00:00.123456"}': [
        *("B", "", "", "2023-11-14T22:13:20.12325Z", "2026-01-01T10:00:00.123456Z", "")
    ],
    '{"s":"C","b":"1","t":1700000000123.5,"i":"2026-01-01T10:00:00+0900","c":["@", "I"]}': [
        *("C", "1", "", "2023-11-14T22:13:20.1235Z", "2026-01-01T01:00:00Z", '["@", "I"]')
    ],
}
BAD = {
    '{"s":"C","b":"n/a"}': 'b: Expected a number, got "n/a"',
}


WIDE = "i:timestamp[iso:6]=i, t:timestamp[ms:4]?=t"


def test_a_file_of_times_of_other_widths_goes_on_with_a_fixed_one(tmp_path: Path) -> None:
    """The header, which is nothing but names, is that of the version before."""
    out = tmp_path / "out.csv"
    before = "i,t\n2026-01-01T10:00:00.5Z,2023-11-14T22:13:20.123Z\n"
    out.write_text(before, "utf-8")
    messages = [
        '{"i":"2026-01-01T10:00:00Z","t":1700000000123}',
        '{"i":"2026-01-01T10:00:00.1234567Z"}',
        '{"i":"2026-01-01T10:00:00.1","t":"1700000000123.25"}',
        '{"i":"2026-01-01T12:00:00.12345600+02:00","t":"1700000000123.5"}',
    ]
    arguments = ("--out", out, "--max-rows", 2, "--columns", WIDE, *QUICK)
    with (
        RawServer(says(*messages)) as server,
        Command("--url", server.url, *arguments) as command,
    ):
        assert command.summary()["quarantined"] == 2
    assert out.read_text("utf-8") == (
        f"{before}2026-01-01T10:00:00.000000Z,2023-11-14T22:13:20.1230Z\n"
        "2026-01-01T10:00:00.123456Z,2023-11-14T22:13:20.1235Z\n"
    )
    reasons = [each["reason"] for each in rejects_of(out)]
    assert reasons == [
        'i: "2026-01-01T10:00:00.1234567Z" has more digits behind the second than '
        "timestamp[iso:6] writes",
        't: "1700000000123.25" has more digits behind the second than timestamp[ms:4] writes',
    ]
    assert verify(out).agrees


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
