"""How our charts look, in light and in dark pages.

A chart is drawn in the colours of a light page. In the SVG, which has no background, these become
variables, and a style sheet says what each one is on a light page and on a dark one; its letters
are the reader's own. A PNG cannot know, so it has a background.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib as mpl

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["ACCENT", "GRID", "INK", "MUTED", "OTHER", "SECOND", "plain", "save"]

INK, MUTED, GRID = "#1f2328", "#59636e", "#d5dae0"
ACCENT, SECOND, OTHER = "#0b7285", "#e8590c", "#a5aeb8"
PAPER = "#ffffff"
DARK = {
    INK: "#f0f6fc",
    MUTED: "#9198a1",
    GRID: "#32383f",
    ACCENT: "#3bc9db",
    SECOND: "#ff922b",
    OTHER: "#5c646d",
}
"""What stands for each colour on a dark page."""
FONTS = ["system-ui", "Segoe UI", "Helvetica", "Arial", "DejaVu Sans", "sans-serif"]


def plain(axes: Axes) -> None:
    """Leave nothing of the frame but what is needed to read the figures."""
    axes.set_facecolor("none")
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0, colors=MUTED, labelsize=9)


def save(figure: Figure, stem: Path) -> None:
    """Write ``stem.svg`` and ``stem.png``."""
    svg = stem.with_suffix(".svg")
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "the same each time"}):
        figure.savefig(svg, transparent=True, metadata={"Date": None})
    svg.write_text(themed(svg.read_text()))
    figure.savefig(stem.with_suffix(".png"), facecolor=PAPER, dpi=200)


def themed(svg: str) -> str:
    """The SVG with variables for its colours, and with the reader's letters."""
    light, dark = [], []
    for number, (colour, on_dark) in enumerate(DARK.items()):
        svg = svg.replace(colour, f"var(--c{number})")
        light.append(f"--c{number}: {colour}")
        dark.append(f"--c{number}: {on_dark}")
    families = ", ".join(f"'{font}'" if " " in font else font for font in FONTS)
    svg = svg.replace("'DejaVu Sans'", families)
    style = (
        f"<style>svg {{ {'; '.join(light)} }} "
        f"@media (prefers-color-scheme: dark) {{ svg {{ {'; '.join(dark)} }} }}</style>"
    )
    head, tag, rest = svg.partition("<svg")
    attributes, end, body = rest.partition(">")
    return f"{head}{tag}{attributes}{end}\n {style}{body}"
