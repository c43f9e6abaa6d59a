"""A reject as a line of ``<out>.rejected.jsonl``."""

from __future__ import annotations

import base64
import codecs
from collections.abc import Sequence
from typing import Any

import msgspec

from fastingest.isotime import iso_time
from fastingest.model.batch import Reject

__all__ = ["to_line", "to_lines"]

_encode = msgspec.json.Encoder().encode
_decoder = codecs.getincrementaldecoder("utf-8")


def to_line(reject: Reject, feed: str, size: int | None = None) -> bytes:
    """A reject as it stands in the file.

    :param size: bytes of the message that are kept; None: all.
    """
    entry: dict[str, Any] = {"time": iso_time(reject.time)}
    if feed:
        entry["feed"] = feed
    entry["reason"] = reject.reason
    is_cut = size is not None and len(reject.raw) > size
    raw = reject.raw[:size]
    try:
        entry["text"] = _decoder().decode(raw, final=not is_cut)  # without half a character
    except UnicodeDecodeError:
        entry["base64"] = base64.b64encode(raw).decode("ascii")
    if is_cut:
        entry["length"] = len(reject.raw)
    return _encode(entry) + b"\n"


def to_lines(rejects: Sequence[Reject], feed: str = "") -> bytes:
    """The rejects as they stand in the file.

    :param feed: the name of the feed that they came from; empty where there is none.
    """
    return b"".join(to_line(reject, feed) for reject in rejects)
