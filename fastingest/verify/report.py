"""What was found when an output was verified, and the same in words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fastingest.text import counted, escape
from fastingest.units import format_size

__all__ = ["RegionResult", "Report", "report_text"]

_SHOWN = 20
"""This many regions are shown although nothing is wrong with them: the last ones."""


@dataclass(frozen=True)
class RegionResult:
    """What one run appended.

    :param run: when it started, ISO 8601.
    :param rows: how many the ledger says.
    :param bytes: how many the ledger says.
    :param problem: what is wrong with them, empty where nothing is.
    """

    run: str
    rows: int
    bytes: int
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """What :func:`fastingest.verify.verify.verify` found.

    :param out: the output.
    :param rows: in the file, without the header; of a torn one at the end nothing is counted.
    :param size: bytes.
    :param regions: those that should be in the file, in the ledger's order.
    :param problems: all disagreements, those of the regions among them, a sentence each.
    :param notes: what is worth knowing and no disagreement.
    """

    out: Path
    rows: int
    size: int
    regions: list[RegionResult]
    problems: list[str]
    notes: list[str]

    @property
    def agrees(self) -> bool:
        """Whether the file is what its ledger says."""
        return not self.problems


def report_text(report: Report) -> str:
    """The report for people, several lines without the last one's end."""
    lines = [
        f"{escape(str(report.out))}: {counted(report.rows, 'row')}, {format_size(report.size)}"
    ]
    rows = [counted(each.rows, "row") for each in report.regions]
    sizes = [format_size(each.bytes) for each in report.regions]
    pad_rows, pad_sizes = (max(map(len, texts), default=0) for texts in (rows, sizes))
    hidden = 0
    for index, region in enumerate(report.regions):
        if not region.problem and index < len(report.regions) - _SHOWN:
            hidden += 1
            continue
        verdict = "does NOT agree" if region.problem else "agrees"
        cells = f"{rows[index]:>{pad_rows}}  {sizes[index]:>{pad_sizes}}"
        lines.append(f"  {region.run}  {cells}  {verdict}")
    if hidden:
        lines.insert(1, f"  {hidden:,} more before these agree")
    lines += [f"  note: {escape(note)}" for note in report.notes]
    lines += [f"does NOT agree: {escape(problem)}" for problem in report.problems]
    return "\n".join(lines if report.problems else [*lines, "agrees with its ledger"])
