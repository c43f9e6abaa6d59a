from __future__ import annotations

import pytest

from fastingest.model.jsonpath import JsonPath
from fastingest.model.rows import Rows, parse_rows


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("", Rows()),
        ("data", Rows(JsonPath(("data",)))),
        ("c.bids?", Rows(JsonPath(("c", "bids")), is_optional=True)),
        (" [1] ? ", Rows(JsonPath((1,)), is_optional=True)),
    ],
)
def test_where_rows_are(text: str, rows: Rows) -> None:
    assert parse_rows(text) == rows
    assert parse_rows(str(rows)) == rows


@pytest.mark.parametrize("text", ["?", "a??", "a b", "a?.b"])
def test_what_says_it_of_nowhere_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no path|which is always there"):
        parse_rows(text)
