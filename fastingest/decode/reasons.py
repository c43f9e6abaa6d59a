"""Why a message is no row, in words for a person."""

from __future__ import annotations

import re

__all__ = ["MAX_BAD_ELEMENTS", "Unfit", "reason_of", "too_many_bad"]

MAX_BAD_ELEMENTS = 1000
"""Elements of one array that are rejected one by one; with one more, the message is rejected whole.

A message of 16 MiB has room for millions of them, which would take minutes and gigabytes.
"""


# What msgspec raises on bytes that are not what they should be. A UnicodeDecodeError is a
# ValueError, and so is every error of msgspec's own; deep nesting is a RecursionError.
Unfit = (ValueError, RecursionError)


_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "int | float": "a number",
    "bool": "true or false",
    "object": "an object",
    "array": "an array",
    "null": "null",
}
"""msgspec's types, for a person."""


def reason_of(error: Exception) -> str:
    """``error`` as a reason for a person, in one line."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: byte {error.start}"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    # The bounds of a double, which shut out inf and nan.
    text = re.sub(r"Expected `float` [<>]= -?[\d.e+]+", "a number that is not finite", str(error))
    text = re.sub(r"`([\w| ]+)`", lambda match: _WORDS.get(match[1], match[0]), text)
    text = text.replace(" - at `$[...]`", "")
    for theirs, ours in (
        ("Number out of range", "a number that no double holds"),
        ("JSON is malformed: ", "not JSON: "),
        ("Input data was truncated", "not JSON: it ends too early"),
    ):
        text = text.replace(theirs, ours)
    return text


def too_many_bad(first: str) -> str:
    """The reason of a message that is rejected whole for its bad elements.

    :param first: the reason of the first of them.
    """
    return f"more than {MAX_BAD_ELEMENTS:,} of its rows are none; the first: {first}"
