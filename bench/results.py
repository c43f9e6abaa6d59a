"""What a run of :mod:`bench.side_by_side` has found: figures, and the table of them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.capture import Capture

__all__ = ["Figure", "Result", "Results", "Rounds"]


@dataclass(frozen=True)
class Figure:
    """A figure of several rounds."""

    median: float
    least: float
    greatest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Figure:
        """The figure of those values, one at least."""
        return cls(statistics.median(values), min(values), max(values))


@dataclass
class Rounds:
    """What rounds have found.

    :param rates: rows a second, of each round.
    :param costs: nanoseconds of CPU time a row, of all processes.
    :param peaks: MiB of memory, of all processes, added up.
    """

    rates: list[float] = field(default_factory=list, kw_only=True)
    costs: list[float] = field(default_factory=list, kw_only=True)
    peaks: list[float] = field(default_factory=list, kw_only=True)

    def add(self, done: Capture) -> None:
        """Take in a round."""
        self.rates.append(done.rate)
        self.costs.append(done.cost)
        self.peaks.append(done.peak)


@dataclass
class Result(Rounds):
    """A peer's figures.

    :param rows: of a round.
    """

    name: str
    title: str
    kind: str
    versions: dict[str, str]
    rows: int

    @property
    def rate(self) -> Figure:
        """Rows a second."""
        return Figure.of(self.rates)


@dataclass
class Results:
    """The figures of all peers.

    :param seconds: what a capture should take.
    :param skipped: who was left out, and why.
    """

    machine: dict[str, str]
    seconds: float
    peers: list[Result] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)

    @property
    def ranking(self) -> list[Result]:
        """The peers, the fastest first."""
        return sorted(self.peers, key=lambda result: -result.rate.median)

    @property
    def subject(self) -> Result | None:
        """The fastest of fastingest's own, with which the others are compared."""
        return next((result for result in self.ranking if result.kind == "fastingest"), None)

    def as_dict(self) -> dict[str, Any]:
        """All figures, as JSON has them."""
        return asdict(self)

    def markdown(self) -> str:
        """The table, with what it was measured with."""
        if not self.peers:
            return "Nobody could take part.\n" + self._skipped()
        lines = [
            "| | rows/s | from, to | CPU time a row | memory | times the slowest |",
            "|---|--:|--:|--:|--:|--:|",
        ]
        slowest = self.ranking[-1].rate.median
        for result in self.ranking:
            rate, cost = result.rate, Figure.of(result.costs).median
            title = f"**{result.title}**" if result.kind == "fastingest" else result.title
            lines.append(
                f"| {title.replace('|', chr(92) + '|')} | {short(rate.median)} "
                f"| {short(rate.least)}, {short(rate.greatest)} | {cost:,.0f} ns "
                f"| {Figure.of(result.peaks).median:,.0f} MiB | {times(rate.median / slowest)} |"
            )
        return "\n".join(lines) + "\n\n" + self._comparison() + self._basis() + self._skipped()

    def _comparison(self) -> str:
        """How fast fastingest is, beside the slowest, the next one, and the reference."""
        subject = self.subject
        others = [each for each in self.ranking if each.kind != "fastingest"]
        if subject is None or not others:
            return ""
        rivals = [each for each in others if each.kind != "reference"]
        compared = [*others[-1:], *rivals[:1], *(each for each in others if each not in rivals)]
        parts: dict[str, str] = {}  # a peer may be the slowest and the next one
        for other in compared:
            ratio = times(subject.rate.median / other.rate.median)
            parts[other.name] = f"{ratio} times as fast as {other.title}"
        return f"{subject.title} is {'; '.join(parts.values())}.\n\n"

    def _basis(self) -> str:
        """The machine, the rounds, the rows of each, and the versions."""
        versions: dict[str, str] = {}
        for result in self.peers:
            versions |= result.versions
        rows = ", ".join(f"{result.title} {short(result.rows)}" for result in self.ranking)
        return (
            f"{', '.join(f'{name}: {value}' for name, value in self.machine.items())}.\n"
            f"Medians of {len(self.peers[0].rates)} rounds; the load generator ran on the same "
            "cores. Memory is the sum of the processes' peaks.\n"
            f"Rows a round, so that it takes {self.seconds:g} s or so: {rows}.\n"
            f"Versions: {', '.join(f'{name} {version}' for name, version in versions.items())}.\n"
        )

    def _skipped(self) -> str:
        """Who was left out."""
        return "".join(f"Left out: {title}: {reason}\n" for title, reason in self.skipped.items())


SCALES: list[tuple[float, Callable[[float], str]]] = [
    (999.5e3, lambda value: f"{value / 1e6:.2f} M"),
    (9.995e3, lambda value: f"{value / 1e3:.0f} k"),
    (0.9995e3, lambda value: f"{value / 1e3:.1f} k"),
]


def short(value: float) -> str:
    """A number for people: ``15.1 k``, ``905 k``, ``9.44 M``."""
    return next((text(value) for least, text in SCALES if value >= least), f"{value:.0f}")


def times(ratio: float) -> str:
    """A ratio for people: two digits at least, but for 1 itself."""
    if ratio == 1:
        return "1"
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"
