from __future__ import annotations

from fastingest.isotime import iso_time


def test_a_time_keeps_its_nanoseconds() -> None:
    assert iso_time(999_999_999) == "1970-01-01T00:00:00.999999999Z"


def test_a_fraction_is_cut_and_not_rounded() -> None:
    assert iso_time(1_999_999_999, digits=3) == "1970-01-01T00:00:01.999Z"
