"""Whether something is measured in a message, as in market data."""

from __future__ import annotations

import re
from typing import Any

from fastingest.probe.beside.member_words import words
from fastingest.probe.tables.field_profile import kind_of

__all__ = ["measures"]

_MEASURES = {
    *("price", "px", "bid", "ask", "bids", "asks", "qty", "quantity", "size", "sz", "amount"),
    *("volume", "vol", "rate", "high", "low", "close", "last", "p", "q", "v", "b", "a"),
}
_NO_MEASURE = {"id", "time", "ts", "seq", "sequence"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
_DEPTH = 5


def measures(value: Any, depth: int = 0) -> bool:
    """Whether something in it is measured, as market data is."""
    if depth >= _DEPTH:
        return False
    if isinstance(value, dict):
        return any(
            (_is_number(member) and _is_measure(name))
            or (isinstance(member, (dict, list)) and measures(member, depth + 1))
            for name, member in value.items()
        )
    if kind_of(value) in ("records", "lists", "mixed"):
        numbers = sum(_is_number(each) and "." in str(each) for each in value)
        return bool(numbers) or any(
            measures(each, depth + 1) for each in value if isinstance(each, (dict, list))
        )
    if isinstance(value, list) and depth:
        return sum(map(_is_number, value)) >= 2
    return False


def _is_measure(name: str) -> bool:
    own = set(words(name)) if len(name) > 1 else {name.lower()}
    return bool(own & _MEASURES) and not own & _NO_MEASURE


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return _NUMBER.fullmatch(value) is not None
    return isinstance(value, (int, float)) and not isinstance(value, bool)
