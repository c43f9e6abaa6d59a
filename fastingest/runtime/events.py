"""What the log tells of any process."""

from __future__ import annotations

from fastingest.model.event import Event

__all__ = ["InternalError", "NativeUnused"]


class NativeUnused(Event, frozen=True):
    """The native listener was built, and cannot be used."""

    level = "warning"
    text = "native listener not used"
    reason: str


class InternalError(Event, frozen=True):
    """A fault of fastingest itself, or of what it is made of."""

    level = "error"
    text = "internal error"
    what: str
    traceback: str
