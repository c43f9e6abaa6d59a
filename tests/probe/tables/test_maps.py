from __future__ import annotations

from typing import Any

import pytest

from fastingest.probe.tables.field_profile import FieldProfile
from fastingest.probe.tables.maps import is_ticker


@pytest.mark.parametrize(
    ("name", "is_symbol"),
    [
        ("BTC", True),
        ("BTC-USD", True),
        ("PURR/USDC", True),
        ("@107", True),
        ("kPEPE", True),
        ("A", False),
        ("price", False),
        ("PRICE", False),
        ("bookTicker", False),
        ("123", False),
    ],
)
def test_a_ticker_is_in_capitals_and_no_word_for_a_column(name: str, is_symbol: bool) -> None:
    assert is_ticker(name) is is_symbol


RECORD = {"bid": "1.5", "ask": "1.6"}


@pytest.mark.parametrize(
    ("objects", "is_map"),
    [
        ([{"AAA": "1.5", "BBB": "2.5"}], True),
        ([{"AAA": 1.5, "BBB": 2}], True),
        ([{"AAA": "1.5", "BBB": 2}], False),
        ([{"AAA": "1.5", "BBB": "x"}], False),
        ([{"AAA": "1.5"}], False),
        ([{"AAA-USD": "1.5"}], True),
        ([{"AAA": RECORD, "BBB": RECORD}], True),
        ([{"AAA": RECORD, "BBB": {"x": 1, "y": 2}}], False),
        ([{"bid": RECORD, "ask": RECORD}], False),
        ([{"aaausd": RECORD, "bbbusd": RECORD}, {"cccusd": RECORD}], True),
        ([{"BID": 1.5, "ASK": 1.6}], False),
        ([{"u": 1, "b": "2", "B": "3", "a": "4", "A": "5"}], False),
        ([{f"{number}.5": "1"} for number in range(9)], True),
        ([{}], False),
    ],
)
def test_a_map_has_values_of_one_kind_and_names_of_their_own(
    objects: list[Any], is_map: bool
) -> None:
    assert FieldProfile(objects).is_map is is_map
