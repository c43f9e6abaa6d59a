from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import polars as pl
import pytest

from bench.burst import FIRST_NUMBER, records
from tests.faults.evidence import Fault, Missing, check_order, connections, missing, numbers

HEADER = b"symbol,price,volume\n"


ROWS = records(1000, numbered=True)


def line(number: int, block: int = 1000) -> bytes:
    symbol, price, _ = ROWS[number % block]
    return f"{symbol},{float(price)},{FIRST_NUMBER + number}\n".encode()


def write(path: Path, rows: Iterable[int], block: int = 1000) -> Path:
    path.write_bytes(HEADER + b"".join(line(row, block) for row in rows))
    return path


def series(*rows: int) -> pl.Series:
    return pl.Series(rows, dtype=pl.Int64)


@pytest.mark.parametrize("rows", [[], [0], [0, 1, 2], [999, 1000, 123_456_789], [5, 5, 3]])
def test_numbers_of_a_file(tmp_path: Path, rows: list[int]) -> None:
    found = numbers(write(tmp_path / "out.csv", rows))
    assert found.dtype == pl.Int64
    assert found.to_list() == rows


def test_numbers_of_several_files(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "1.csv", range(1500)),
        write(tmp_path / "2.csv", []),
        write(tmp_path / "3.csv", range(1500, 1600)),
    ]
    assert numbers(paths).to_list() == list(range(1600))
    assert numbers([]).to_list() == []


def test_numbers_of_a_feed_of_other_blocks(tmp_path: Path) -> None:
    out = write(tmp_path / "out.csv", range(25), block=10)
    assert numbers(out, block=10).to_list() == list(range(25))
    with pytest.raises(Fault, match="line 12: "):
        numbers(out)


ROW = line(1)


@pytest.mark.parametrize(
    "wrong",
    [
        line(2)[:5] + ROW[5:],
        ROW.replace(b".", b".0", 1),
        ROW.replace(b",1000000001", b",1000000002"),
        ROW.replace(b",1000000001", b",01000000001"),
        ROW.replace(b",1000000001", b",1000000001.0"),
        ROW.replace(b",1000000001", b",0000000001"),
        ROW.replace(b",1000000001", b","),
        ROW.replace(b",1000000001\n", b"\n"),
        ROW.replace(b"\n", b",\n"),
        ROW.replace(b"\n", b"\x1f\n"),
        b'"' + ROW.replace(b",", b'",', 1),
        ROW[:9] + b"\n" + ROW[9:],
        ROW[:9] + ROW,
        ROW[:-1] + line(2),
        ROW[1:],
        b" " + ROW,
        HEADER,
        b"\n",
        b"\n" + ROW,
        b"\r\n",
        ROW.replace(b"\n", b"\r\n"),
        b"\0" * 30 + b"\n",
        b"\xff" + ROW[1:],
        b"\xef\xbb\xbf" + ROW,
    ],
)
def test_a_line_that_is_no_row_is_found(tmp_path: Path, wrong: bytes) -> None:
    out = tmp_path / "out.csv"
    for before, after in [(b"", b""), (line(0), b""), (b"", line(7)), (line(0), line(7))]:
        out.write_bytes(HEADER + before + wrong + after)
        with pytest.raises(Fault, match=r"out\.csv"):
            numbers(out)


def test_the_line_is_named(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_bytes(HEADER + line(0) + line(1) + b"XXXX,1.0,1000000002\n" + line(3))
    with pytest.raises(Fault, match=r"out\.csv, line 4: 'XXXX,1\.0,1000000002' is no row"):
        numbers(out)


def test_a_file_cut_at_any_byte_inside_a_row_is_found(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    whole = HEADER + line(0) + line(1)
    ends = {len(HEADER): 0, len(HEADER + line(0)): 1, len(whole): 2}
    for size in range(len(whole) + 1):
        out.write_bytes(whole[:size])
        if size in ends:
            assert numbers(out).to_list() == list(range(ends[size]))
        else:
            with pytest.raises(Fault, match=r"out\.csv"):
                numbers(out)


@pytest.mark.parametrize("rows", [(), (7,), (0, 1, 2), (3, 10, 11)])
def test_rows_in_order(rows: tuple[int, ...]) -> None:
    check_order(series(*rows))


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((4, 4), "row 4, at 1 from the start, after row 4, is there twice"),
        ((1, 2, 3, 2, 5), "row 2, at 3 from the start, after row 3, is there twice"),
        ((1, 3, 2, 3), "row 2, at 2 from the start, after row 3, is out of order"),
    ],
)
def test_rows_out_of_order(rows: tuple[int, ...], message: str) -> None:
    with pytest.raises(Fault, match=re.escape(message)):
        check_order(series(*rows))
    with pytest.raises(Fault, match=re.escape(message)):
        missing(series(*rows), [range(10)])


def events(*rows: range) -> list[dict[str, object]]:
    made: list[dict[str, object]] = [{"listening": 80}]
    for connection in rows:
        made += [
            {"connected": connection.start, "time": 1.0},
            {"disconnected": connection.stop, "sent": 0, "reason": "eof"},
        ]
    return made


def test_connections() -> None:
    rows = [range(10), range(10, 10), range(12, 20)]
    assert connections(events(*rows)) == rows
    assert connections(events()) == []


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ([*events(range(10)), {"connected": 10, "time": 1.0}], "from row 10 on has not ended"),
        ([{"disconnected": 10}], "belongs to no connection"),
        (events(range(10), range(8, 12)), "rows 8 to 9 belong to two connections"),
    ],
)
def test_a_feed_that_cannot_be_right(said: list[dict[str, object]], message: str) -> None:
    with pytest.raises(Fault, match=message):
        connections(said)


@pytest.mark.parametrize(
    ("rows", "ranges", "counts"),
    [
        (range(10, 20), [], (0, 0, 0)),
        (range(12, 20), [range(10, 12)], (2, 0, 0)),
        (range(10, 17), [range(17, 20)], (0, 0, 3)),
        ([10, 12, 15, 16, 17, 18, 19], [range(11, 12), range(13, 15)], (0, 3, 0)),
        ([11, 13], [range(10, 11), range(12, 13), range(14, 20)], (1, 1, 6)),
        ([], [range(10, 20)], (0, 0, 10)),
    ],
    ids=["nothing", "start", "end", "inside", "everywhere", "all"],
)
@pytest.mark.parametrize("neighbours", [False, True])
def test_missing_rows_of_a_connection(
    rows: Iterable[int], ranges: list[range], counts: tuple[int, int, int], neighbours: bool
) -> None:
    around = [range(10), range(20, 30)] if neighbours else [range(10, 10), range(20, 20)]
    found = series(*around[0], *rows, *around[1])
    before, this, after = missing(found, [around[0], range(10, 20), around[1]])
    assert this == Missing(range(10, 20), tuple(ranges), *counts)
    assert before == Missing(around[0], (), 0, 0, 0)
    assert after == Missing(around[1], (), 0, 0, 0)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ((4, 5, 6), "row 4, at 0 from the start,"),
        ((5, 9, 10, 12), "row 10, at 2 from the start,"),
        ((5, 11, 12), "row 11, at 1 from the start,"),
        ((5, 14, 15), "row 15, at 2 from the start,"),
        ((20,), "row 20, at 0 from the start,"),
    ],
)
def test_a_row_that_was_never_sent_is_found(rows: tuple[int, ...], message: str) -> None:
    with pytest.raises(Fault, match=message):
        missing(series(*rows), [range(5, 10), range(12, 15)])


def test_no_connections() -> None:
    assert missing(series(), []) == []
    with pytest.raises(Fault, match="row 3, at 0"):
        missing(series(3), [])
