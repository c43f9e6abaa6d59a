from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.model.event import Event
from fastingest.source.events import GrantedByFeed, RefusedByFeed
from fastingest.source.refusals import GATHERED_FOR, MAX_WORDS, Refusals


class Rig:
    """Refusals, with what the log is told, and a timer that is set off by hand."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, *symbols: str, lines: int = 1, before: int = 0
    ) -> None:
        self.counters = Counters.create()
        self.counters[Slot.REFUSED_NOW] = before
        self.told: list[dict[str, Any]] = []
        self.timers: list[tuple[float, Any]] = []
        loop = SimpleNamespace(call_later=self._call_later)
        monkeypatch.setattr(asyncio, "get_running_loop", lambda: loop)
        self.refusals = Refusals(symbols, FeedCounters([self.counters]), self._report, lines)

    def _report(self, event: Event) -> None:
        assert isinstance(event, RefusedByFeed | GrantedByFeed)
        self.told.append(event.fields)

    def _call_later(self, delay: float, call: Any) -> Any:
        self.timers.append((delay, call))
        return SimpleNamespace(cancel=self.timers.clear)

    @property
    def counts(self) -> tuple[int, int]:
        return self.counters[Slot.REFUSED], self.counters[Slot.REFUSED_NOW]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Incorrect channel: live_trades_lunausd", ("lunausd",)),
        ("no LUNAUSD, nor btc-usd.", ("lunausd", "BTC-USD")),
        ("BTC-USDT is none", ("BTC-USDT",)),
        ("xlunausd lunausd2", ()),
        ("nothing", ()),
    ],
)
def test_symbols_are_found_as_whole_words(
    monkeypatch: pytest.MonkeyPatch, text: str, named: tuple[str, ...]
) -> None:
    rig = Rig(monkeypatch, "lunausd", "BTC-USD", "BTC-USDT")
    assert rig.refusals.named_in(text) == named


def test_without_symbols_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Rig(monkeypatch).refusals.named_in("anything") == ()


def test_the_same_words_are_told_once_and_counted_each_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch)
    for number in (1, 2):
        rig.refusals.add(f'{{"error": "no", "ts": 170000000000{number}}}', (), None)
    rig.refusals.add('{"error": "other"}', (), "sub")
    rig.refusals.flush()
    assert rig.told == [
        {"said": '{"error": "no", "ts": 1700000000001}'},
        {"said": '{"error": "other"}', "subscription": "sub"},
    ]
    assert rig.counts == (3, 3)


def test_further_symbols_are_gathered_and_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, "A", "B", "C")
    rig.refusals.add("no such symbol: A", ("A",), "sub")
    for symbol in ("B", "C", "B", "A"):
        rig.refusals.add(f"no such symbol: {symbol}", (symbol,), "sub")
    assert rig.told == [{"said": "no such symbol: A", "symbols": "A"}]
    ((delay, call),) = rig.timers
    assert delay == GATHERED_FOR
    call()
    assert rig.told[1:] == [{"said": "no such symbol: B", "symbols": "B C"}]
    rig.refusals.flush()
    assert len(rig.told) == 2


def test_words_that_are_always_others_do_not_fill_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch)
    for number in range(2 * MAX_WORDS):
        rig.refusals.add(f"no {number}", (), None)
    assert len(rig.told) == MAX_WORDS
    assert rig.counts == (2 * MAX_WORDS, 2 * MAX_WORDS)


def test_what_is_refused_now_is_that_of_the_latest_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch)
    for number in range(3):
        rig.refusals.add(f"no {number}", (), None)
    rig.refusals.connected()
    rig.refusals.add("no 0", (), None)
    assert rig.counts == (4, 3)  # it is not known yet whether the others are granted now
    rig.refusals.ready()
    assert rig.counts == (4, 1)
    rig.refusals.connected()
    rig.refusals.ready()
    assert rig.counts == (4, 0)


def test_what_is_asked_for_again_is_refused_now_until_it_is_granted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch, "A", "B")
    rig.refusals.ready()
    rig.refusals.add("no", (), None)  # nobody knows of what, so it stays
    for things, symbol in [(1, "A"), (2, "B"), (2, "A"), (2, "B")]:
        rig.refusals.retried(things)
        rig.refusals.add(f"no {symbol}", (symbol,), None, is_retried=True)
    assert rig.counts == (5, 3)
    rig.refusals.retried(1)
    rig.refusals.granted(("A",), "sub")
    assert rig.counts == (5, 2)
    assert [each for each in rig.told if "said" not in each] == [{"symbols": "A"}]
    rig.refusals.add("no A", ("A",), None, is_retried=True)  # anew, so it is news
    rig.refusals.flush()
    assert rig.told[-1] == {"said": "no A", "symbols": "A"}
    rig.refusals.connected()
    rig.refusals.ready()
    assert rig.counts == (6, 0)


def test_what_is_refused_now_is_that_of_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(monkeypatch, lines=2, before=2)
    refusals = rig.refusals
    refusals.connected(0)
    for _ in range(3):
        refusals.add("no", (), None, 0)
    assert rig.counts == (3, 3)
    refusals.ready(0)
    refusals.add("no", (), None, 1)
    assert rig.counts == (4, 4)
    refusals.ready(1)
    for line, now in ((0, 1), (1, 0)):  # both are made anew, and refused nothing
        refusals.connected(line)
        refusals.ready(line)
        assert rig.counts == (4, now)


def test_what_a_process_before_has_seen_holds_until_all_are_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rig = Rig(monkeypatch, lines=2, before=5)
    rig.refusals.ready(0)
    assert rig.counts == (0, 5)
    rig.refusals.ready(1)
    assert rig.counts == (0, 0)
