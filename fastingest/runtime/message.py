"""What all messages between the processes of a run are: :mod:`fastingest.runtime.control`."""

from __future__ import annotations

import msgspec

__all__ = ["Message"]


class Message(msgspec.Struct, frozen=True, tag=True, forbid_unknown_fields=True):
    """One message."""
