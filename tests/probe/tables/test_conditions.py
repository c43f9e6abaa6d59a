from __future__ import annotations

from typing import Any

from fastingest.probe.tables.conditions import conditions_for
from fastingest.probe.tables.discriminators import Discriminators

TRADE = {"type": "trade", "topic": "x.1", "data": {"p": 1}}


def conditions(
    values: list[Any], others: list[Any], *, from_root: bool = True
) -> tuple[list[str], int]:
    """The conditions, and how many others they let in."""
    said_by = Discriminators([*values, *others])
    found, clashes = conditions_for(values, others, said_by, from_root=from_root)
    return [str(condition) for condition in found], len(clashes)


def test_the_first_discriminator_that_names_a_type_is_always_a_condition() -> None:
    assert conditions([TRADE, {**TRADE, "topic": "x.2"}], []) == (["$.type=trade"], 0)
    assert conditions([{"type": "trade"}], [], from_root=False) == (["type=trade"], 0)


def test_the_name_of_a_stream_is_cut_and_never_holds_a_symbol() -> None:
    streams = [{"stream": f"{name}@bookTicker", "b": 1} for name in ("aaa", "bbb")]
    assert conditions(streams, []) == (["$.stream~=*@bookTicker"], 0)
    topics = [{"topic": f"publicTrade.{name}", "s": name} for name in ("BTCUSDT", "ETHUSDT")]
    assert conditions(topics, []) == (["$.topic^=publicTrade."], 0)
    books = [{"channel": "book.BTC-PERPETUAL.100ms", "p": 1}]
    assert conditions(books, []) == (["$.channel~=book.*.100ms"], 0)
    assert conditions([{"topic": "BTCUSDT", "p": 1}], [{"topic": "ETHUSDT", "p": 2}]) == ([], 1)


def test_what_only_others_say_or_have_keeps_them_out() -> None:
    update = {"channel": "spot.trades", "event": "update", "result": {"p": 1}}
    reply = {"channel": "spot.trades", "event": "subscribe", "result": {"status": "success"}}
    assert conditions([update], [reply]) == (["$.channel=spot.trades", "$.event!=subscribe"], 0)
    assert conditions([[5, [[1, 2]]]], [[5, "te", [1, 2]], [5, "hb"]]) == (["$[1]!=hb,te"], 0)
    assert conditions([{"p": 1}], [{"q": 1}, {"r": 1}]) == (["$.p exists"], 0)
    assert conditions([{"p": 1}], [{"p": 1, "r": 1}]) == (["$.r absent"], 0)


def test_words_that_may_be_symbols_are_no_conditions() -> None:
    one, other = [1, "spy", 1.5], [1, "vym", 1.5, 2.5]
    assert conditions([one], [other]) == (["$[3] absent"], 0)
    assert conditions([other], [one]) == (["$[3] exists"], 0)
    assert conditions([{"topic": "spy", "p": 1}], [{"topic": "vym", "p": 1}]) == ([], 1)


def test_what_cannot_be_kept_out_is_counted() -> None:
    assert conditions([TRADE], [TRADE]) == (["$.type=trade"], 1)


def test_a_discriminator_with_many_values_or_that_some_lack_is_no_condition() -> None:
    kinds = [{"type": f"kind{letter}"} for letter in "abcdefghi"]
    assert conditions(kinds, [{"p": 1}]) == (["$.type exists"], 0)
    assert conditions([{"type": "trade"}, {"p": 1}], []) == ([], 0)


def test_phases_are_conditions_where_another_type_stands_in_their_place() -> None:
    assert conditions([{"type": "snapshot"}], []) == ([], 0)
    assert conditions([{"type": "snapshot"}], [{"type": "delta"}]) == (["$.type!=delta"], 0)
    assert conditions([{"type": "snapshot"}], [{"type": "l2update"}]) == (["$.type=snapshot"], 0)
    assert conditions([{"type": "heartbeat"}], []) == ([], 0)


def test_a_condition_on_a_row_fits_what_a_row_is() -> None:
    assert conditions([{"p": 1}], [["x", 1]], from_root=False) == (["p exists"], 0)
