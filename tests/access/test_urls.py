from __future__ import annotations

from fastingest.access.urls import parse_header


def test_a_header_line_is_split_at_its_first_colon() -> None:
    assert parse_header("Authorization: Bearer a:b") == ("Authorization", "Bearer a:b")
