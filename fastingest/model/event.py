"""What happens and is for the log: each kind of event is a class of its own.

The class says how bad it is and in which words the log tells it; its instances hold the rest, in
typed fields. Nobody decides anything by the words. Each room has its kinds in its ``events.py``,
and to add one is to add a class there::

    class Gap(Event, frozen=True):
        "A feed had no connection for a time."

        level = "warning"
        text = "gap"
        start_ns: int
        length: float
        reason: str

The log has the fields by their names, in this order. How it shows one may depend on the name
(:mod:`fastingest.cli.log`): a length is in seconds, and a moment, in nanoseconds since the epoch,
has a name in ``_ns``.
"""

from __future__ import annotations

from collections.abc import Callable
from string import Formatter
from typing import ClassVar, Literal, Self, TypeAlias

import msgspec

__all__ = ["Event", "Level", "Value"]

Level: TypeAlias = Literal["debug", "info", "warning", "error"]
"""How bad it is."""

Value: TypeAlias = str | int | float | bool
"""What a field holds, where it is not None: what any process can be told, and JSON knows."""


class Event(msgspec.Struct, frozen=True):
    """Something that has happened."""

    level: ClassVar[Level]
    text: ClassVar[str]
    """What has happened, in words that name no case; ``{field}`` stands for a field's value."""

    @property
    def message(self) -> str:
        """What has happened, in words."""
        return self.text.format_map(msgspec.structs.asdict(self))

    @property
    def fields(self) -> dict[str, Value]:
        """More of it, by name: what is not None, and not in the words already."""
        told = {name for _, name, _, _ in Formatter().parse(self.text)}
        return {
            name: value
            for name, value in msgspec.structs.asdict(self).items()
            if value is not None and name not in told
        }

    def with_strings(self, change: Callable[[str], str]) -> Self:
        """The same event, each string in it changed."""
        fields = msgspec.structs.asdict(self).items()
        return msgspec.structs.replace(
            self, **{name: change(value) for name, value in fields if isinstance(value, str)}
        )
