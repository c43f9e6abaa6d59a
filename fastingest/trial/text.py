"""A trial in words: the rows as they would stand in the files, then what became of the messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fastingest.format.csv import CsvFormat
from fastingest.model.feed import Feed
from fastingest.text import counted, escape, shortened
from fastingest.trial.trial import Seen, TableTrial, Trial, What

__all__ = ["trial_text"]

_TITLES: dict[What, tuple[str, str, str]] = {
    "reply": ("reply", "replies", "replies to subscriptions"),
    "refused": ("refused", "refused", "refused by the feed"),
    "reconnect": ("reconnect", "reconnect", "asks for another connection"),
    "answer": ("answered", "answered", "answered"),
    "remember": ("remembered", "remembered", "remembered for later rows"),
    "ignored": ("ignored", "ignored", "ignored"),
}
"""What messages are that bring no row: one and several in the counts, and above them."""

_LEAST = 20  # characters of a message that are shown however narrow the terminal is


def trial_text(trial: Trial, feed: Feed, name: str, *, show: int, width: int) -> str:
    """What became of the messages.

    :param name: of the file that they are from.
    :param show: how many of everything are shown.
    :param width: characters of a line; rows may be longer.
    """
    lines: list[str] = []
    for table in trial.tables:
        more = f", the first {table.shown:,}" if 0 < table.shown < table.rows else ""
        lines.append(f"{escape(str(table.table.out))}: {counted(table.rows, 'row')}{more}")
        if show:
            lines += [*_rows(table), ""]
    how = "natively" if trial.is_native else "in Python"
    feed_name = escape(feed.name)
    lines.append(f"{escape(name)}: {counted(trial.messages, 'message')} of {feed_name}, read {how}")
    lines += _counts(trial)
    if show:
        lines += _rejects(trial, show, width)
        for what, (_, _, title) in _TITLES.items():
            lines += _seen(title, trial.seen.get(what, []), show, width)
    if feed.inflate:
        lines.append(
            f'note: inflate = "{feed.inflate}" is not tried; messages are taken as they are when '
            "they are inflated"
        )
    return "\n".join(lines)


def _rows(table: TableTrial) -> Iterator[str]:
    """The beginning of the table's file."""
    csv = CsvFormat()
    text = csv.begin(table.table.schema) + b"".join(map(csv.encode, table.first)) + csv.end()
    return map(escape, text.decode().removesuffix("\n").split("\n"))


def _counts(trial: Trial) -> Iterator[str]:
    yield f"  rows      {trial.rows:>9,}"
    yield f"  rejected  {trial.rejected:>9,}"
    among = [
        f"{trial.counts[what]:,} {one if trial.counts[what] == 1 else several}"
        for what, (one, several, _) in _TITLES.items()
        if what != "ignored" and what in trial.counts
    ]
    if trial.left_out:
        among.append(f"{trial.left_out:,} left out of messages that have other rows")
    yield f"  ignored   {trial.ignored:>9,}{', among them ' if among else ''}{', '.join(among)}"
    if trial.blanked:
        yield f"  blanked   {trial.blanked:>9,}"


def _rejects(trial: Trial, show: int, width: int) -> Iterator[str]:
    if trial.rejects:
        yield _titled("rejected", len(trial.rejects), trial.rejected)
    for each in trial.rejects[:show]:
        yield f"  line {each.line}: {escape(each.reason)}"
        yield _fitting("    ", each.raw, width)


def _seen(title: str, seen: Sequence[Seen], show: int, width: int) -> Iterator[str]:
    if seen:
        yield _titled(title, min(show, len(seen)), len(seen))
    for each in seen[:show]:
        numbers = ", ".join(map(str, each.lines))
        others = each.count - len(each.lines)
        more = f" and {others:,} more" if others else ""
        beginning = f"  line{'s' if each.count > 1 else ''} {numbers}{more}: "
        yield _fitting(beginning, each.example, width)
        if each.answer:
            yield _fitting("    with ", each.answer.encode(), width)


def _titled(title: str, shown: int, count: int) -> str:
    return f"{title}, the first {shown:,}:" if shown < count else f"{title}:"


def _fitting(beginning: str, message: bytes, width: int) -> str:
    """A line with as much of a message as there is room for."""
    text = message.decode(errors="backslashreplace")
    return beginning + shortened(text, max(width - len(beginning), _LEAST))
