from __future__ import annotations

import dataclasses
import io
import itertools
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from fastingest import Counts, Options, Summary
from fastingest.cli.view import View, progress_share, sparkline
from fastingest.metrics.counters import State
from tests.support.summaries import EMPTY, RUNNING, change, feed, several

ENDLESS = Options(url="wss://feed.example/trades")


def render(
    summary: Summary,
    width: int,
    options: Options = ENDLESS,
    encoding: str = "utf-8",
    height: int = 100,
) -> list[str]:
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    console.print(View(summary, options), end="")
    file.seek(0)
    lines = file.read().splitlines()
    assert max(map(cell_len, lines)) <= width - 2
    return lines


def test_the_view_at_80_columns() -> None:
    assert render(RUNNING, 80, dataclasses.replace(ENDLESS, duration=100.0)) == [
        "● connected  run 1m 23s  wss://feed.example/trades",
        "rows    1,234,567 written  12 rejected",
        "rate    50,000/s ▁▅██",
        "queue   9KiB  peak 3MiB",
        "latency p50 2.1ms  p99 8.43ms",
        "file    31MiB  stock_data.csv",
        "feed    3 connections  2 gaps, 12.3s",
        "━" * 51 + "─" * 11 + " 83%, 16.6s left",
    ]


def test_the_view_at_40_columns() -> None:
    summary = change(
        url="wss://feed.example/trades/and/a/long/path",
        out=Path("/var/lib/captures/stock_data.csv"),
        rates=tuple(float(i) for i in range(60)),
    )
    assert render(summary, 40) == [
        "● connected  run 1m 23s  wss://feed.e…",
        "rows    1,234,567 written  12 rejected",
        "rate    59/s ▆▆▆▆▆▆▆▆▇▇▇▇▇▇▇▇█████████",
        "queue   9KiB  peak 3MiB",
        "latency p50 2.1ms  p99 8.43ms",
        "file    31MiB  /var/lib/captures/stoc…",
        "feed    3 connections  2 gaps, 12.3s",
    ]


def test_the_view_before_the_first_row() -> None:
    lines = render(EMPTY, 80)
    assert lines[1:] == [
        "rows    0 written  0 rejected",
        "rate    0/s",
        "queue   9KiB  peak 3MiB",
        "latency p50 -  p99 -",
        "file    31MiB  stock_data.csv",
        "feed    3 connections  0 gaps",
    ]


def test_the_view_without_unicode() -> None:
    options = dataclasses.replace(ENDLESS, max_rows=2_469_134)
    lines = render(change(out=Path("x" * 90)), 40, options, "ascii")
    assert lines[0].startswith("* connected")
    assert lines[2] == "rate    50,000/s _=##"
    assert lines[5].endswith("x~")
    assert lines[7].startswith("#")
    assert lines[7].endswith("- 50%, 1m 23s left")


def test_the_view_names_what_went_wrong() -> None:
    summary = change(
        state=State.PAUSED,
        pauses=1,
        spill_bytes=5 * 2**20,
        restarts=2,
        refused=3,
        ledger=Counts(20, written=10, rejected=0, ignored=0, dropped=7, lost=2),
    )
    lines = render(summary, 80)
    assert lines[0].startswith("● paused, the writer is behind  ")
    assert lines[1] == "rows    10 written  0 rejected  3 refused  7 dropped  2 lost"
    assert lines[3] == "queue   9KiB  peak 3MiB  5MiB on disk  1 pause"
    assert lines[6] == "feed    3 connections  2 gaps, 12.3s  2 restarts"


@pytest.mark.parametrize("state", State)
def test_every_state_has_words(state: State) -> None:
    assert render(change(state=state), 80)[0].startswith(
        "● " + {"SUBSCRIBING": "connected, not subscribed yet"}.get(state.name, state.name.lower())
    )


def test_names_cannot_control_the_terminal() -> None:
    lines = render(change(url="demo://\x1b[2J", out=Path("a\nb.csv")), 80)
    assert lines[0].endswith(r"demo://\x1b[2J")
    assert lines[5].endswith(r"a\nb.csv")


def test_the_view_names_what_is_set_aside() -> None:
    ledger = Counts(1_234_690, written=1_234_567, rejected=12, set_aside=5)
    lines = View(change(ledger=ledger), ENDLESS).lines(80)
    (shown,) = (line for line in lines if line[0][0].startswith("rows"))
    assert ("  5 set aside", "bold red") in shown


# Several feeds and outputs


def test_the_view_of_three_feeds_and_two_outputs() -> None:
    summary = several(
        feed("binance", written=1_234_567),
        feed("kraken", State.WAITING, 89, gaps=2),
        feed("a name that is longer"),
        outputs=2,
    )
    assert render(summary, 80)[5:] == [
        "file    1MiB  1,000 rows  data/0.csv",
        "file    2MiB  1,235,656 rows  data/1.csv",
        "feeds   2 of 3 connected  2 gaps, 3.0s",
        "      ● kraken                        89  waiting to reconnect  2 gaps, 3.0s",
        "      ● binance                1,234,567",
        "      ● a name that is longer      1,000",
    ]
    assert render(summary, 80)[0] == "● waiting to reconnect  run 1m 23s  3 feeds"


def test_the_view_of_300_feeds_shows_those_in_trouble() -> None:
    feeds = [feed(f"feed {number}") for number in range(300)]
    assert render(several(*feeds), 80)[7:] == [
        *(f"      ● feed {number}  1,000" for number in range(8)),
        "        and 292 more, connected",
    ]
    feeds[250] = feed("feed 250", State.PAUSED)
    feeds[100] = feed("feed 100", State.CLOSED)
    lines = render(several(*feeds), 80)
    assert lines[6] == "feeds   298 of 300 connected  0 gaps"
    assert lines[7] == "      ● feed 100  1,000  closed"
    assert lines[8] == "      ● feed 250  1,000  paused, the writer is behind"
    assert lines[15:] == ["        and 292 more, connected"]


@pytest.mark.parametrize("troubled", [8, 9, 300])
def test_feeds_in_trouble_that_are_not_shown_are_not_called_connected(troubled: int) -> None:
    feeds = [
        feed(f"feed {n}", State.WAITING if n < troubled else State.CONNECTED) for n in range(300)
    ]
    assert render(several(*feeds), 80)[-1] == (
        "        and 292 more" + (", connected" if troubled == 8 else "")
    )


@pytest.mark.parametrize("count", [1, 4, 5, 30])
def test_the_view_of_many_outputs_is_short(count: int) -> None:
    lines = render(several(feed("a", written=500), feed("b", written=500), outputs=count), 80)
    files = [line for line in lines if line.startswith("file ")]
    rows = "  1,000 rows" if count > 1 else ""
    assert files == [f"file    {n + 1}MiB{rows}  data/{n}.csv" for n in range(min(count, 4))]
    more = [line for line in lines if line.endswith("more files")]
    assert more == ([f"        and {count - 4} more files"] if count > 4 else [])


def test_a_low_terminal_shows_less_of_outputs_and_feeds() -> None:
    feeds = [feed(f"feed {number}") for number in range(30)]
    ending = dataclasses.replace(ENDLESS, duration=100.0)
    lines = render(several(*feeds[:3], outputs=6), 60, ending, height=11)
    assert lines[5:10] == [
        "files   21MiB  6 files",
        "feeds   3 of 3 connected  0 gaps",
        *(f"      ● feed {number}  1,000" for number in range(3)),
    ]
    assert lines[10].endswith(" left")
    assert render(several(*feeds, outputs=2), 60, height=10)[5:] == [
        "files   3MiB  2 files",
        "feeds   30 of 30 connected  0 gaps",
        "      ● feed 0  1,000",
        "      ● feed 1  1,000",
        "        and 28 more, connected",
    ]
    assert len(render(several(feeds[0], outputs=9), 60, ending, height=10)) == 10


@pytest.mark.parametrize("height", range(8, 40))
@pytest.mark.parametrize(("feeds", "outputs"), [(1, 1), (1, 30), (30, 1), (2, 2), (30, 30), (9, 5)])
def test_no_line_of_the_view_is_below_the_terminal(height: int, feeds: int, outputs: int) -> None:
    summary = several(*(feed(str(number)) for number in range(feeds)), outputs=outputs)
    lines = render(summary, 80, dataclasses.replace(ENDLESS, duration=100.0), height=height)
    assert len(lines) <= height
    assert lines[-1].endswith(" left")


@pytest.mark.parametrize("width", [12, 20, 40, 79, 80, 300])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_whatever_is_shown_no_line_is_too_wide(width: int, encoding: str) -> None:
    """As :func:`render` sees."""
    names = ["x" * 200, "日本語" if encoding == "utf-8" else "ja", "a\nb\x1b[2J", ""]
    feeds = [
        feed(f"{name}{number}", state, 10**number, gaps=number)
        for number, (name, state) in enumerate(itertools.product(names, State))
    ]
    for count in (1, 2, len(feeds)):
        summary = dataclasses.replace(
            several(*feeds[:count], outputs=count), pauses=7, spill_bytes=2**40, restarts=9
        )
        assert (
            len(render(summary, width, dataclasses.replace(ENDLESS, duration=100.0), encoding)) > 7
        )


@pytest.mark.parametrize("state", State)
def test_a_feed_has_the_colour_of_its_state(state: State) -> None:
    colours = {
        State.STARTING: "yellow",
        State.CONNECTING: "yellow",
        State.SUBSCRIBING: "yellow",
        State.CONNECTED: "green",
        State.WAITING: "red",
        State.PAUSED: "yellow",
        State.CLOSED: "dim",
    }
    lines = list(View(several(feed("good"), feed("other", state)), ENDLESS).lines(80))
    dots = {line[1][0].split()[0]: line[0][1] for line in lines if line[0][0].endswith("● ")}
    assert (dots["good"], dots["other"]) == ("green", colours[state])


@pytest.mark.parametrize(
    ("row_age", "stale", "said", "colour"),
    [
        (0.1, 0, "connected  ", "green"),
        (10.2, 0, "connected  ", "green"),
        (10.3, 0, "connected, no row for 10s  ", "yellow"),
        (75.0, 0, "connected, no row for 1m 15s  ", "yellow"),
        (75.0, 1, "connected, no row for 1m 15s  ", "red"),
        (None, 0, "connected, no row yet  ", "yellow"),
        (0.1, 2, "connected  ", "red"),
    ],
)
def test_a_feed_that_is_silent_is_never_green(
    row_age: float | None, stale: int, said: str, colour: str
) -> None:
    lines = list(View(change(row_age=row_age, stale=stale), ENDLESS).lines(80))
    assert lines[0][:2] == [("● ", colour), (said, f"bold {colour}")]
    assert ((f"  {stale} stale", "bold red") in lines[1]) == (stale > 0)


def test_of_several_feeds_those_that_are_silent_are_counted_and_shown_first() -> None:
    feeds = [
        feed("good"),
        feed("silent", row_age=20.0, stale=1),
        feed("quiet", row_age=None),
        feed("partly", stale=3),
    ]
    lines = render(several(*feeds), 80)
    assert lines[0] == "● connected, 2 of 4 silent  run 1m 23s  4 feeds"
    assert lines[1].endswith("  4 stale")
    assert lines[7:] == [
        "      ● silent  1,000  connected, no row for 20s  1 stale",
        "      ● quiet   1,000  connected, no row yet",
        "      ● partly  1,000  3 stale",
        "      ● good    1,000",
    ]
    feeds += [feed(str(number)) for number in range(20)] + [feed("last", stale=1)]
    assert render(several(*feeds), 80)[-1] == "        and 17 more, connected"
    assert render(several(*[feed("x", row_age=None)] * 9), 80)[-1] == "        and 1 more"


# Numbers


@pytest.mark.parametrize(
    ("rates", "width", "bars"),
    [
        ((), 60, ""),
        ((0.0, 0.0), 60, "▁▁"),
        ((0.0, 0.001, 7.0), 60, "▁▂█"),
        ((1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0), 60, "▂▃▄▅▆▇█"),
        ((9.0, 1.0, 2.0), 2, "▅█"),
        ((1.0,), 0, ""),
        ((1.0,), -3, ""),
    ],
)
def test_sparkline(rates: tuple[float, ...], width: int, bars: str) -> None:
    assert sparkline(rates, width) == bars


@pytest.mark.parametrize(
    ("max_rows", "duration", "share"),
    [
        (None, None, None),
        (2_469_134, None, 0.5),
        (None, 834.0, 0.1),
        (2_469_134, 834.0, 0.5),
        (12_345_670, 166.8, 0.5),
        (1, None, 1.0),
    ],
)
def test_progress_is_by_the_nearer_end(
    max_rows: int | None, duration: float | None, share: float | None
) -> None:
    options = dataclasses.replace(ENDLESS, max_rows=max_rows, duration=duration)
    assert progress_share(RUNNING, options) == (share and pytest.approx(share))


def test_the_bar_before_anything_has_happened() -> None:
    lines = render(change(seconds=0.0), 40, dataclasses.replace(ENDLESS, duration=10.0))
    assert lines[7] == "─" * 35 + " 0%"
