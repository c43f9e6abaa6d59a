"""What would make JSON of messages that are none: options that split them, or cut off a prefix."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

import msgspec

from fastingest.source.documents import Documents

__all__ = ["option_for"]

_SPLITS = ("records", "lines")
_PREFIX = re.compile(rb"([0-9A-Za-z:;,|#/ ]{1,16})[\[{]")
_LEAST = 2  # messages that begin alike; one says little


def option_for(messages: Iterable[bytes]) -> str:
    """The option that most of those messages need that are no JSON; empty: none is known."""
    needed = Counter(
        option for message in messages if not _is_json(message) for option in _options(message)
    )
    options = [
        option
        for option, count in needed.most_common()
        if count >= _LEAST or not option.startswith("--strip")
    ]
    return options[0] if options else ""


def _options(message: bytes) -> Iterable[str]:
    for split in _SPLITS:
        if all(map(_is_json, documents := [*Documents(split=split)(message)])) and documents:
            return [f"--split {split}"]
    prefix = _PREFIX.match(message)
    if prefix is None or not _is_json(message[prefix.end(1) :]):
        return []
    text = prefix[1].decode()
    return [f"--strip {text}" if text.isalnum() else f"--strip '{text}'"]


def _is_json(message: bytes) -> bool:
    """Whether it is an object or an array, as the messages of a feed are."""
    try:
        return isinstance(msgspec.json.decode(message), dict | list)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
