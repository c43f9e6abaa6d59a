"""Text for people: what is safe to show, and words for numbers."""

from __future__ import annotations

__all__ = ["MAX_SHOWN", "counted", "escape", "shortened"]

MAX_SHOWN = 300
"""Characters of somebody else's words that are shown."""


def escape(text: str) -> str:
    r"""``text`` on one line, with ``\n`` and the like for what cannot be printed."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def shortened(text: str, most: int = MAX_SHOWN) -> str:
    """``text`` on one line, cut off behind so many characters."""
    text = escape(text)
    return text if len(text) <= most else text[: most - 1] + "…"


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
