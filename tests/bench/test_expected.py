"""The checker of the comparison's files finds whatever is not as it was sent."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.expected import BLOCK, WrongFileError, check, spelled
from bench.frames import records

ROWS = BLOCK + 345
HEADER = "symbol,price,volume\n"


@pytest.fixture(params=[False, True], ids=["plain", "numbered"])
def numbered(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def lines(numbered: bool) -> list[str]:
    """The file's lines, as they should be."""
    block = records(BLOCK, numbered)
    rest = [(symbol, price, volume + BLOCK * numbered) for symbol, price, volume in block]
    text = spelled([*block, *rest[: ROWS - BLOCK]]).decode()
    return [HEADER, *text.splitlines(keepends=True)]


def check_lines(path: Path, lines: list[str], numbered: bool) -> None:
    path.write_text("".join(lines))
    check(path, ROWS, numbered=numbered)


def refused(path: Path, lines: list[str], numbered: bool) -> str:
    with pytest.raises(WrongFileError) as caught:
        check_lines(path, lines, numbered)
    return str(caught.value)


class TestCheck:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "rows.csv"

    def test_a_file_as_it_was_sent_passes(
        self, path: Path, lines: list[str], numbered: bool
    ) -> None:
        check_lines(path, lines, numbered)

    @pytest.mark.parametrize("row", [1, BLOCK, BLOCK + 1, ROWS - 1])
    def test_a_missing_row_is_found(
        self, path: Path, lines: list[str], numbered: bool, row: int
    ) -> None:
        del lines[row]
        assert f"row {row:,} is" in refused(path, lines, numbered)

    def test_a_missing_last_row_is_found(
        self, path: Path, lines: list[str], numbered: bool
    ) -> None:
        del lines[-1]
        assert f"it ends after {ROWS - 1:,} rows" in refused(path, lines, numbered)

    @pytest.mark.parametrize("row", [1, BLOCK, ROWS - 1])
    def test_a_doubled_row_is_found(
        self, path: Path, lines: list[str], numbered: bool, row: int
    ) -> None:
        lines.insert(row, lines[row])
        assert f"row {row + 1:,} is" in refused(path, lines, numbered)

    def test_a_doubled_last_row_is_found(
        self, path: Path, lines: list[str], numbered: bool
    ) -> None:
        lines.append(lines[-1])
        assert f"behind all of the {ROWS:,} rows" in refused(path, lines, numbered)

    @pytest.mark.parametrize("row", [7, BLOCK, BLOCK + 100])
    def test_swapped_rows_are_found(
        self, path: Path, lines: list[str], numbered: bool, row: int
    ) -> None:
        lines[row], lines[row + 1] = lines[row + 1], lines[row]
        assert f"row {row:,} is" in refused(path, lines, numbered)

    @pytest.mark.parametrize("cell", [0, 1, 2])
    def test_a_changed_cell_is_found(
        self, path: Path, lines: list[str], numbered: bool, cell: int
    ) -> None:
        cells = lines[10123].rstrip("\n").split(",")
        cells[cell] += "1"
        lines[10123] = ",".join(cells) + "\n"
        assert "row 10,123 is" in refused(path, lines, numbered)

    @pytest.mark.parametrize(
        "line",
        ["", "\n", "A,1,2", "A,1,2,3\n", "A,,\n"],
        ids=["gone", "empty", "torn", "wide", "hollow"],
    )
    def test_a_line_that_is_no_row_is_found(
        self, path: Path, lines: list[str], numbered: bool, line: str
    ) -> None:
        lines[-3] = line
        assert f"row {ROWS - 2:,} is" in refused(path, lines, numbered)

    def test_a_last_line_without_its_end_is_found(
        self, path: Path, lines: list[str], numbered: bool
    ) -> None:
        lines[-1] = lines[-1].rstrip("\n")
        assert f"row {ROWS:,} is" in refused(path, lines, numbered)

    def test_another_header_is_found(self, path: Path, lines: list[str], numbered: bool) -> None:
        lines[0] = "symbol,volume,price\n"
        assert "header" in refused(path, lines, numbered)

    def test_an_empty_file_is_found(self, path: Path, numbered: bool) -> None:
        assert "header" in refused(path, [], numbered)

    def test_values_may_be_spelled_otherwise(
        self, path: Path, lines: list[str], numbered: bool
    ) -> None:
        other = []
        for line in lines[1:]:
            symbol, price, volume = line.rstrip("\n").split(",")
            other.append(f'"{symbol}",{price.removesuffix(".0")},"{volume}.0"\r\n')
        assert other != lines[1:]
        check_lines(path, ["symbol,price,volume\r\n", *other], numbered)

    def test_a_wrong_row_is_found_in_a_file_that_is_spelled_otherwise(
        self, path: Path, lines: list[str], numbered: bool
    ) -> None:
        quoted = [re.sub(r"^(\w+)", r'"\1"', line) for line in lines]
        del quoted[BLOCK + 200]
        assert f"row {BLOCK + 200:,} is" in refused(path, quoted, numbered)

    @pytest.mark.parametrize("price", ["nan", "inf", " 1", "1_0", ""])
    def test_a_number_must_be_one(
        self, path: Path, lines: list[str], numbered: bool, price: str
    ) -> None:
        symbol, _, volume = lines[5].split(",")
        lines[5] = f"{symbol},{price},{volume}"
        assert "row 5 is" in refused(path, lines, numbered)
