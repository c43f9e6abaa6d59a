from __future__ import annotations

import pytest

from fastingest.probe.tables.words import says_whose, side_of, snake, words


def test_a_name_is_cut_at_capitals_and_at_what_is_no_letter() -> None:
    assert snake("lastTradeID") == "last_trade_id"
    assert snake("@type.of-X") == "type_of_x"
    assert words("HTTPStatus") == {"http", "status"}
    assert words(3) == {"3"}


@pytest.mark.parametrize(
    ("name", "side"),
    [
        *(("b", "bid"), ("asks", "ask"), ("bidLevels", "bid"), ("ask_size", "ask"), ("as", "ask")),
        *(("buy", "bid"), ("price", ""), ("bid_ask", ""), (0, "")),
    ],
)
def test_a_name_may_say_a_side(name: str | int, side: str) -> None:
    assert side_of(name) == side


def test_a_name_may_say_whose_a_value_is() -> None:
    assert [name for name in ("symbol", "productId", "s", "type", "event") if says_whose(name)] == [
        "symbol",
        "productId",
        "s",
    ]
