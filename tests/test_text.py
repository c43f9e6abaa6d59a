from __future__ import annotations

import pytest

from fastingest.text import MAX_SHOWN, counted, escape, shortened


def test_what_cannot_be_printed_is_escaped() -> None:
    assert escape("a\x1b[31m\né\ud800") == r"a\x1b[31m\né\ud800"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("x" * MAX_SHOWN, "x" * MAX_SHOWN),
        ("x" * (MAX_SHOWN + 1), "x" * (MAX_SHOWN - 1) + "…"),
        ("\n" * MAX_SHOWN, "\\n" * (MAX_SHOWN // 2 - 1) + "\\…"),
    ],
)
def test_somebody_elses_words_are_cut_off(text: str, shown: str) -> None:
    assert shortened(text) == shown


def test_things_are_counted_in_words() -> None:
    assert (counted(1, "row"), counted(2000, "row")) == ("1 row", "2,000 rows")
