"""How a cost grows with something: figures at some points of it, and the table of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from bench.results import Figure, Rounds, short

__all__ = ["Point", "Trend", "Trends"]


@dataclass
class Point(Rounds):
    """The figures at one point.

    :param at: where it is, as a number.
    :param message_size: bytes of a message, on average.
    """

    at: float
    label: str
    message_size: float

    def cells(self) -> list[str]:
        """The table's row."""
        rate, cost = Figure.of(self.rates), Figure.of(self.costs).median
        return [
            self.label,
            short(rate.median),
            f"{short(rate.least)}, {short(rate.greatest)}",
            f"{rate.median * self.message_size / 2**20:,.1f}",
            f"{cost:,.0f}",
            f"{cost / self.message_size * 1024:,.0f}",
            f"{Figure.of(self.peaks).median:,.0f}",
        ]


@dataclass
class Trend:
    """The figures at all points.

    :param name: for the command line.
    :param title: what changes from point to point, for people.
    """

    name: str
    title: str
    points: list[Point] = field(default_factory=list)

    def markdown(self) -> str:
        """The table."""
        heads = ["rows/s", "from, to", "MiB/s", "CPU ns a row", "CPU ns a KiB", "memory, MiB"]
        rows = [[self.title, *heads], ["---", *["--:"] * len(heads)]]
        rows += [point.cells() for point in self.points]
        return "".join(f"| {' | '.join(row)} |\n" for row in rows)


@dataclass
class Trends:
    """All of them, and what they were measured on."""

    machine: dict[str, str]
    version: str
    trends: list[Trend] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """All figures, as JSON has them."""
        return asdict(self)

    def markdown(self) -> str:
        """The tables."""
        machine = ", ".join(f"{name}: {value}" for name, value in self.machine.items())
        tables = [trend.markdown() for trend in self.trends]
        return "\n".join([*tables, f"fastingest {self.version}; {machine}.\n"])
