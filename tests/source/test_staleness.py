"""What is stale, by a clock that is told how the time goes."""

from __future__ import annotations

import pytest

from fastingest.source import staleness
from fastingest.source.staleness import Change, Staleness, is_meant

NOTHING = Change((), (), False)


def follow(*symbols: str) -> Staleness:
    """A feed whose limit is ten seconds."""
    return Staleness("venue", 10.0, symbols)


def test_a_feed_without_rows_is_stale_once_and_comes_back() -> None:
    followed = follow()
    assert followed.look(9.0) == NOTHING
    assert followed.look(1.0) == Change(("venue",), (), True)
    assert list(followed.names) == ["venue"]
    assert followed.look(5.0)[:2] == ((), ())
    followed.see()
    assert followed.look(0.0) == Change((), ("venue",), False)
    assert list(followed.names) == []
    assert followed.look(10.0).stale == ("venue",)


def test_each_value_is_stale_by_itself() -> None:
    followed = follow()
    followed.see(["A", "B"])
    for _ in range(3):
        assert followed.look(3.0) == NOTHING
        followed.see(["A"])
    assert followed.look(1.0) == Change(("B",), (), True)
    followed.see(["A", "B"])
    assert followed.look(1.0) == Change((), ("B",), False)


def test_a_symbol_that_never_brings_a_row_is_stale() -> None:
    followed = follow("btcusd", "lunausd", "*")
    followed.see(["live_trades_BTCUSD"])
    assert followed.look(6.0) == NOTHING
    followed.see(["live_trades_BTCUSD"])
    assert followed.look(4.0).stale == ("lunausd",)
    followed.see(["live_trades_BTCUSD", "live_trades_lunausd"])
    assert followed.look(6.0) == Change((), ("lunausd",), False)
    # From its first row on it is followed by its value.
    followed.see(["live_trades_BTCUSD"])
    assert followed.look(4.0).stale == ("live_trades_lunausd",)


def test_a_symbol_whose_name_is_a_value_is_not_that_of_another_one() -> None:
    followed = follow("BTC", "BTC-USD")
    followed.see(["BTC-USD"])
    followed.look(5.0)
    followed.see(["BTC-USD"])
    assert followed.look(5.0).stale == ("BTC",)


def test_the_feed_comes_before_its_symbols() -> None:
    followed = follow("B", "A")
    followed.see(["C"])
    assert followed.look(10.0).stale == ("venue", "B", "A", "C")
    followed.see(["A"])
    assert followed.look(0.0).back == ("venue", "A")


def test_a_value_that_is_called_like_the_feed_is_another_thing() -> None:
    followed = follow()
    followed.see(["venue"])
    followed.look(6.0)
    followed.see(["other"])
    assert followed.look(4.0).stale == ("venue",)
    followed.see(["other"])
    assert followed.look(9.0) == NOTHING
    assert followed.names == ("venue",)


def test_the_clock_stands_still_where_there_is_no_connection() -> None:
    followed = follow()
    assert followed.look(9.0) == NOTHING
    for _ in range(100):
        assert followed.look(0.0) == NOTHING
    assert followed.look(1.0).stale == ("venue",)


def test_another_connection_is_tried_once_for_a_value() -> None:
    followed = follow()
    followed.see(["A", "B"])
    followed.look(5.0)
    followed.see(["A"])
    assert followed.look(5.0) == Change(("B",), (), True)
    followed.gave_up()
    for _ in range(10):  # and A has its whole time again
        assert followed.look(9.0) == NOTHING
        followed.see(["A"])
    assert followed.look(10.0) == Change(("venue", "A"), (), True)


def test_another_connection_is_tried_again_and_again_for_the_feed() -> None:
    followed = follow()
    assert followed.look(10.0).must_reconnect
    followed.gave_up()
    assert [followed.look(5.0).must_reconnect for _ in range(2)] == [False, True]
    followed.gave_up()
    assert [followed.look(5.0).must_reconnect for _ in range(2)] == [False, True]


def test_so_many_values_are_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staleness, "MAX_VALUES", 2)
    followed = follow("D")
    followed.see(["A", "B"])
    before = followed.is_full
    followed.see(["C", "B"])
    assert [before, followed.is_full] == [False, True]
    assert followed.look(10.0).stale == ("venue", "D", "A", "B")


@pytest.mark.parametrize(
    ("symbol", "value"),
    [
        ("btcusd", "BTCUSD"),
        ("btcusd", "live_trades_btcusd"),
        ("trade:1m:tBTCUSD", "tBTCUSD"),
        ("BTC-USDT", "btc/usdt"),
        ("BTC/USD", "BTCUSD"),
        ("AAPL", "AAPL.O"),
    ],
)
def test_a_value_is_of_a_symbol(symbol: str, value: str) -> None:
    assert is_meant(symbol, value)


@pytest.mark.parametrize(
    ("symbol", "value"), [("btcusd", "btcusdt"), ("BTC", "WBTC"), ("BTC", ""), ("A.B", "AxB")]
)
def test_a_value_is_of_another_symbol(symbol: str, value: str) -> None:
    assert not is_meant(symbol, value)


# By several connections


def follow_lines() -> Staleness:
    return Staleness("venue", 10.0, ("a", "b", "c"), (("a", "b"), ("c",)))


def test_a_symbol_is_followed_by_the_clock_of_its_connection() -> None:
    followed = follow_lines()
    followed.see(["x_a", "C", "other"])
    assert followed.look(6.0, (6.0, 0.0)) == NOTHING
    followed.see(["other"])
    assert followed.look(4.0, (4.0, 0.0)) == Change(("b", "x_a"), (), True, frozenset({0}))
    followed.see(["other"])
    assert followed.look(9.0, (0.0, 9.0)) == NOTHING
    followed.see(["other"])
    assert followed.look(1.0, (0.0, 1.0)) == Change(("C",), (), True, frozenset({1}))


def test_for_the_feed_or_an_unknown_value_all_connections_are_made_anew() -> None:
    followed = follow_lines()
    followed.see(["a", "other"])
    followed.look(5.0, (5.0, 5.0))
    followed.see(["a", "b", "c"])
    assert followed.look(5.0, (5.0, 5.0)) == Change(("other",), (), True)
    followed = follow_lines()
    assert followed.look(10.0, (10.0, 10.0)) == Change(("venue", "a", "b", "c"), (), True)


def test_only_what_comes_by_the_connection_that_is_given_up_has_its_time_again() -> None:
    followed = follow_lines()
    followed.see(["a", "c"])
    followed.look(5.0, (5.0, 5.0))
    followed.see(["a", "c"])
    assert followed.look(5.0, (5.0, 5.0)).stale == ("b",)
    followed.gave_up(frozenset({0}))
    assert followed.look(5.0, (5.0, 5.0)) == Change(("venue", "c"), (), True)
    assert followed.look(5.0, (5.0, 5.0)).stale == ("a",)
