"""What the log tells of an event."""

from __future__ import annotations

from fastingest.model.event import Event, Level, Value

__all__ = ["Told", "told"]

Told = tuple[Level, str, dict[str, Value]]
"""Level, words and fields."""


def told(event: Event) -> Told:
    return event.level, event.message, event.fields
