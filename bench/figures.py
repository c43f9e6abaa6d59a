"""What a benchmark notes beside its times: rows a second, and CPU time and memory of processes.

pytest-benchmark times a function. Where a round starts processes, that would be Python's imports
for the most part, so such a benchmark has a :class:`Stopwatch` for a clock, which goes on by what
the round itself says that it took::

    pytestmark = pytest.mark.benchmark(timer=stopwatch)

All figures of several rounds are their medians. They are in the JSON under ``extra_info``:
``rows`` of a round, ``rows_per_second`` and ``ns_per_row`` by the clock, and where they are known
``cpu_ns_per_row`` and ``peak_mib`` of each process by its name, and ``latency_ms`` by quantile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import Any, ParamSpec, Protocol, TypeVar

__all__ = ["Benchmark", "Figures", "Scale", "Stopwatch", "stopwatch"]

P = ParamSpec("P")
T = TypeVar("T")


class Benchmark(Protocol):
    """The fixture ``benchmark`` of pytest-benchmark, which has no types for most of it."""

    name: str
    stats: Any
    extra_info: dict[str, Any]

    def __call__(self, target: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Time a function, in as many rounds as take a second; what it has returned last."""

    def pedantic(self, target: Callable[[], T], *, rounds: int) -> T:
        """Time a function in so many rounds; what it has returned last."""


class Stopwatch:
    """A clock that goes on only when it is told to."""

    __name__ = "stopwatch"  # what pytest-benchmark calls it in the JSON

    def __init__(self) -> None:
        self._seconds = 0.0

    def __call__(self) -> float:
        """The time."""
        return self._seconds

    def add(self, seconds: float) -> None:
        """Let so many seconds pass."""
        self._seconds += seconds


stopwatch = Stopwatch()
"""The clock of all benchmarks whose rounds say how long they took."""


class Scale:
    """How much is measured.

    :param is_quick: very little, only to see that it works.
    """

    LESS = 200  # times as few rows then

    def __init__(self, is_quick: bool) -> None:
        self._is_quick = is_quick

    def rows(self, rows: int) -> int:
        """How many to take, of how many it should be."""
        return rows // self.LESS if self._is_quick else rows

    def rounds(self, rounds: int = 3) -> int:
        """How many there shall be, of how many it should be."""
        return 1 if self._is_quick else rounds


class Figures:
    """A benchmark's figures."""

    def __init__(self, benchmark: Benchmark) -> None:
        self._benchmark = benchmark

    def note(
        self,
        rows: int,
        *,
        cpu: Sequence[Mapping[str, float]] = (),
        peaks: Sequence[Mapping[str, float]] = (),
        latency: Sequence[Mapping[str, float]] = (),
    ) -> None:
        """Note the figures, when all rounds are over.

        :param rows: of a round.
        :param cpu: of each round, CPU seconds of each process, by its name.
        :param peaks: the same, MiB.
        :param latency: of each round, seconds by the name of the quantile.
        """
        seconds = self._benchmark.stats["median"]
        info: dict[str, Any] = {
            "rows": rows,
            "rows_per_second": digits(rows / seconds),
            "ns_per_row": digits(seconds / rows * 1e9),
        }
        for name, found, unit in (
            ("cpu_ns_per_row", cpu, 1e9 / rows),
            ("peak_mib", peaks, 1.0),
            ("latency_ms", latency, 1e3),
        ):
            if any(found):
                info[name] = {each: digits(value * unit) for each, value in medians(found)}
        self._benchmark.extra_info.update(info)

    @property
    def are_there(self) -> bool:
        """Whether they were noted; a benchmark may have been skipped, or have failed."""
        return bool(self._benchmark.extra_info)

    def __str__(self) -> str:
        """The figures in one line."""
        info = self._benchmark.extra_info
        line = f"{self._benchmark.name}: {info['rows_per_second']:,.0f} rows/s"
        line += f", {info['ns_per_row']:,g} ns a row"
        for name, what, unit in (
            ("cpu_ns_per_row", "CPU", "ns"),
            ("peak_mib", "memory", "MiB"),
            ("latency_ms", "latency", "ms"),
        ):
            if name in info:
                parts = (f"{each} {value:g}" for each, value in info[name].items())
                line += f"; {what} {', '.join(parts)} {unit}"
        return line


def medians(rounds: Sequence[Mapping[str, float]]) -> list[tuple[str, float]]:
    """The median of each value over the rounds that have it."""
    names = dict.fromkeys(name for each in rounds for name in each)
    return [(name, median(each[name] for each in rounds if name in each)) for name in names]


def digits(value: float) -> float:
    """A figure to four digits, which is more than any measurement here is worth."""
    return float(f"{value:.4g}")
