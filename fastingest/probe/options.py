"""How long a probe listens, and what it keeps. Its other settings are those of a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastingest.config.setting import setting
from fastingest.errors import OptionError
from fastingest.units import format_duration, parse_duration

__all__ = ["ProbeOptions"]


@dataclass(frozen=True, kw_only=True)
class ProbeOptions:
    """How long to listen; whatever comes first ends it. Durations are in seconds.

    No file for the messages: they are not kept.

    :raises OptionError: a value cannot be used.
    """

    duration: float = setting(
        "Listen for this long.",
        5.0,
        parse=parse_duration,
        show=format_duration,
        metavar="DURATION",
    )
    messages: int = setting("Listen to this many messages.", 10_000)
    save: Path | None = setting(
        "Keep the messages in this new file, one a line, for fastingest try.",
        None,
        metavar="PATH",
    )

    def __post_init__(self) -> None:
        if not 0 < self.duration <= 86400:
            raise OptionError(
                "duration", f"{self.duration:g} seconds is out of range; write for example 5s"
            )
        if not 1 <= self.messages <= 1_000_000:
            raise OptionError(
                "messages", f"{self.messages} is out of range; it must be from 1 to 1000000"
            )
