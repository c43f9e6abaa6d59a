"""Values as they are written in a TOML file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["WIDTH", "array", "quoted"]

WIDTH = 100
"""Characters of a line, as far as it can be broken."""


def array(key: str, items: Iterable[str]) -> Sequence[str]:
    """``key = […]``; nothing where it would be empty."""
    texts = list(items)
    if not texts:
        return []
    line = f"{key} = [{', '.join(texts)}]"
    if len(line) <= WIDTH and len(texts) <= 2:
        return [line]
    return [f"{key} = [", *(f"    {text}," for text in texts), "]"]


def quoted(text: str) -> str:
    """``text`` as a TOML string, in ASCII: literal where it can be, for JSON is full of quotes."""
    if text.isascii() and text.isprintable() and "'" not in text and '"' in text:
        return f"'{text}'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isascii() and character.isprintable():
        return character
    return f"\\U{ord(character):08x}"
