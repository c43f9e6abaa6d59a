"""What happens in a run and the counters cannot hold, noted as it happens."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fastingest.isotime import iso_time
from fastingest.storage.ownership import open_own, remove_own

__all__ = ["MAX_GAPS", "Events", "read_events"]

MAX_GAPS = 10_000
"""Gaps that are noted one by one; more are only counted."""


class Events:
    """The events of a run, as they happen.

    :param path: where they are noted.
    :param feeds: name and URL of each of the output's feeds, by their index.
    :param spare: says where else they can be, when there is no room; None: nowhere.
    """

    def __init__(
        self,
        path: Path,
        feeds: dict[int, tuple[str, str]],
        spare: Callable[[], Path | None] = lambda: None,
    ) -> None:
        self._path = path
        self._spare = spare
        described = [
            {"index": index, "name": name, "url": url} for index, (name, url) in feeds.items()
        ]
        self.known: dict[str, Any] = {"feeds": described, "gaps": []}
        """What :func:`read_events` returns of them."""
        self._note({"feeds": described})

    def gap(
        self,
        feed: str,
        start: int,
        seconds: float,
        reason: str,
        of_line: Mapping[str, Any] | None = None,
    ) -> None:
        """A feed had no connection for so long.

        :param feed: its name.
        :param start: from when on, in nanoseconds since the epoch.
        :param of_line: which of several connections it was, and what that asks for.
        """
        if len(self.known["gaps"]) < MAX_GAPS:
            length = round(seconds, 6)
            gap = {"feed": feed, "start": iso_time(start), "seconds": length, "reason": reason}
            gap |= of_line or {}
            self.known["gaps"].append(gap)
            self._note({"gap": gap})

    def _note(self, event: dict[str, Any]) -> None:
        try:
            _append(self._path, [event])
        except OSError:
            # Nowhere at all: then the line in the ledger says a little less.
            with contextlib.suppress(OSError):
                self._move()

    def _move(self) -> None:
        """Note all of them elsewhere, since what is there takes the place of these."""
        spare = self._spare()
        if spare is None or spare == self._path:
            return
        gaps = [{"gap": gap} for gap in self.known["gaps"]]
        try:
            _append(spare, [{"feeds": self.known["feeds"]}, *gaps])
        except OSError:
            remove_own(spare)
            raise
        self._path = spare


def _append(path: Path, events: Sequence[dict[str, Any]]) -> None:
    lines = b"".join(msgspec.json.encode(event) + b"\n" for event in events)
    with open(open_own(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "wb") as file:
        file.write(lines)


def read_events(path: Path) -> dict[str, Any]:
    """``feeds`` and ``gaps`` of a run, as far as they were noted."""
    feeds: list[dict[str, Any]] = []
    gaps: list[dict[str, Any]] = []
    with contextlib.suppress(OSError):
        with open(open_own(path, os.O_RDONLY), "rb") as file:
            lines = file.read().splitlines()
        for line in lines:
            with contextlib.suppress(msgspec.DecodeError):
                event = msgspec.json.decode(line)
                feeds = event.get("feeds", feeds)
                gaps += [event["gap"]] if "gap" in event else []
    return {"feeds": feeds, "gaps": gaps}
