"""The chart of a comparison: a bar for each peer, the fastest on top.

The scale is linear, so that a bar that is twice as long is twice as fast; the slow ones have next
to none, and their figures stand beside it. A thin line goes from the slowest round to the fastest.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from bench.chart import ACCENT, GRID, INK, MUTED, OTHER, plain, save
from bench.results import Results, short, times

__all__ = ["draw_bars"]

HEIGHT = 0.36  # inches of a bar, with what is around it


def draw_bars(results: Results, stem: Path) -> None:
    """Draw the peers' rates into ``stem.svg`` and ``stem.png``."""
    ranking = results.ranking
    if not ranking:
        return
    figure = Figure(figsize=(9, 1.35 + HEIGHT * len(ranking)))
    top = 1 - 0.95 / figure.get_figheight()
    axes = figure.add_axes((0.25, 0.035, 0.72, top - 0.035))
    plain(axes)
    slowest = ranking[-1].rate.median
    greatest = max(result.rate.greatest for result in ranking)
    for at, result in enumerate(ranking):
        rate = result.rate
        ours, limit = result.kind == "fastingest", result.kind == "reference"
        axes.barh(
            at,
            rate.median,
            height=0.66,
            color="none" if limit else ACCENT if ours else OTHER,
            edgecolor=OTHER if limit else "none",
            linewidth=1.2,
            linestyle=(0, (3, 2)),
        )
        axes.plot([rate.least, rate.greatest], [at, at], color=INK, linewidth=1.1, alpha=0.75)
        end = max(rate.median, rate.greatest) + greatest * 0.012
        axes.annotate(
            short(rate.median),
            (end, at),
            va="center",
            color=INK,
            fontsize=10,
            fontweight="bold" if ours else "normal",
        )
        axes.annotate(
            f"{times(rate.median / slowest)}\N{MULTIPLICATION SIGN}",
            (end, at),
            xytext=(48, 0),
            textcoords="offset points",
            va="center",
            color=MUTED,
            fontsize=9,
        )
    axes.set_xlim(0, greatest * 1.17)
    axes.set_ylim(len(ranking) - 0.45, -0.55)
    axes.set_xticks([])
    axes.set_yticks(range(len(ranking)), [result.title for result in ranking], color=INK)
    axes.tick_params(axis="y", labelsize=10, pad=6)
    for label, result in zip(axes.get_yticklabels(), ranking, strict=True):
        label.set_fontweight("bold" if result.kind == "fastingest" else "normal")
    axes.axvline(0, color=GRID, linewidth=1)
    write_heading(figure, results)
    save(figure, stem)


def write_heading(figure: Figure, results: Results) -> None:
    """What is shown, and on what it was measured."""
    height = figure.get_figheight()
    title = "JSON over one WebSocket into a CSV file: rows a second"
    figure.text(0.02, 1 - 0.2 / height, title, va="top", color=INK, fontsize=13, weight="bold")
    machine = results.machine
    subtitle = (
        f"Medians of {len(results.peers[0].rates)} rounds, and how many times the slowest; thin "
        "line: all rounds; dashed: no journal, no care, the limit.\n"
        f"{machine.get('cores', '?')} cores of {machine.get('processor', 'an unknown machine')}, "
        "the load generator on the same."
    )
    figure.text(0.02, 1 - 0.5 / height, subtitle, va="top", color=MUTED, fontsize=9)
