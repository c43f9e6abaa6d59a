"""The chart of how costs grow: a column of small charts for each trend, a row for each figure.

All charts of a row have one scale, so that they compare. The dots are medians; a thin line goes
from the least round to the greatest.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, NullFormatter

from bench.chart import ACCENT, GRID, INK, MUTED, plain, save
from bench.results import Figure
from bench.trend import Point, Trend, Trends

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw_multiples"]


@dataclass(frozen=True)
class Row:
    """A row of charts.

    :param units: what a number is from how much on, the largest first.
    :param is_logarithmic: whether the scale is; otherwise it begins with nothing.
    """

    title: str
    values: Callable[[Point], list[float]]
    units: Sequence[tuple[float, str]]
    is_logarithmic: bool


COUNTS = [(1e6, " M"), (1e3, " k")]
TIMES = [(1e6, " ms"), (1e3, " \N{MICRO SIGN}s"), (1, " ns")]
ROWS = [
    Row("rows a second", lambda point: point.rates, COUNTS, True),
    Row("CPU time a row, all processes", lambda point: point.costs, TIMES, True),
    Row("memory, all processes", lambda point: point.peaks, [(1, " MiB")], False),
]


def draw_multiples(trends: Trends, stem: Path) -> None:
    """Draw the trends into ``stem.svg`` and ``stem.png``."""
    count = len(trends.trends)
    if not count:
        return
    canvas = Canvas(figsize=(1.2 + 2.0 * count, 6.6))
    grid = canvas.subplots(len(ROWS), count, squeeze=False, sharey="row", sharex="col")
    canvas.subplots_adjust(
        left=0.85 / canvas.get_figwidth(),
        right=1 - 0.25 / canvas.get_figwidth(),
        top=0.815,
        bottom=0.085,
        wspace=0.16,
        hspace=0.34,
    )
    for row, charts in zip(ROWS, grid, strict=True):
        for trend, axes in zip(trends.trends, charts, strict=True):
            draw(axes, trend, row)
        values = [row.values(point) for trend in trends.trends for point in trend.points]
        least, greatest = min(map(min, values)), max(map(max, values))
        if row.is_logarithmic:
            charts[0].set_ylim(10 ** math.floor(math.log10(least)), greatest * 2)
        else:
            charts[0].set_ylim(0, greatest * 1.1)
        charts[0].set_title(row.title, loc="left", color=MUTED, fontsize=9, pad=6)
    for trend, axes in zip(trends.trends, grid[0], strict=True):
        axes.annotate(
            trend.title,
            (0, 1),
            xycoords="axes fraction",
            xytext=(0, 24),
            textcoords="offset points",
            color=INK,
            fontsize=10,
            fontweight="bold",
        )
    canvas.text(
        0.02, 0.965, "How the cost of fastingest grows", color=INK, fontsize=13, weight="bold"
    )
    machine = trends.machine
    canvas.text(
        0.02,
        0.93,
        f"{machine.get('cores', '?')} cores of {machine.get('processor', 'an unknown machine')}, "
        "the load generator on the same",
        color=MUTED,
        fontsize=9,
    )
    save(canvas, stem)


def draw(axes: Axes, trend: Trend, row: Row) -> None:
    """Draw a trend's figures into one chart."""
    plain(axes)
    axes.grid(axis="y", color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    figures = [Figure.of(row.values(point)) for point in trend.points]
    is_long = trend.name == "files"  # its points are as far apart as they are
    places = [point.at for point in trend.points] if is_long else [*range(len(trend.points))]
    medians = [figure.median for figure in figures]
    axes.vlines(
        places,
        [figure.least for figure in figures],
        [figure.greatest for figure in figures],
        color=ACCENT,
        linewidth=1.2,
        alpha=0.55,
    )
    axes.plot(places, medians, color=ACCENT, linewidth=1.6, marker="o", markersize=3.6)
    if row.is_logarithmic:
        axes.set_yscale("log")
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value, row.units)))
    axes.minorticks_off()
    if is_long:
        axes.set_xlim(0, None)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.locator_params(axis="x", nbins=5)
    else:
        axes.set_xticks(places, [place(point) for point in trend.points])
        axes.set_xlim(-0.35, len(places) - 0.65)


def amount(value: float, units: Sequence[tuple[float, str]]) -> str:
    """A number for an axis, in the unit for such numbers."""
    least, unit = next((each for each in units if value >= each[0]), (1, ""))
    return f"{value / least:g}{unit}"


def place(point: Point) -> str:
    """Where a point is, as short as it gets."""
    if not point.at:
        return "max"
    for least, letter in ((1e6, "M"), (2**10, "k"), (1e3, "k")):
        if point.at >= least and point.at % least == 0:
            return f"{point.at / least:g}{letter}"
    return f"{point.at:.0f}"
