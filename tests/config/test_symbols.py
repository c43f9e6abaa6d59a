from __future__ import annotations

import json
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.config.symbols import Symbols, check_symbol, has_place

GOOD = [
    *("AAPL", "BRK.B", "BTC/USD", "BTC-USD", "BTC_USDC-PERPETUAL", "BINANCE:BTCUSDT", "*"),
    *("^GSPC", "!ticker", "T.A", "1INCH", "BTC-27DEC24-60000-C", "a@b", "币安人生USDT", "A+B"),
]


@pytest.mark.parametrize("symbol", GOOD)
def test_the_spellings_of_venues_are_taken(symbol: str) -> None:
    assert check_symbol(symbol) == symbol


@pytest.mark.parametrize(
    "symbol",
    [
        *("", '"', 'A"B', "A,B", "A B", "A\n", "A&b=1", "A?b", "A#b", "A%20", "{symbol}", "${KEY}"),
        *("A\\", "../..", "/etc", "A/", "'A'", "[A]", "A" * 101, "A\u0000", "A=B", "<A>", "A;B"),
    ],
)
def test_what_could_break_out_is_no_symbol(symbol: str) -> None:
    with pytest.raises(ValueError, match="cannot be a symbol"):
        check_symbol(symbol)


def test_symbols_are_joined_each_in_its_form() -> None:
    how = Symbols(each="{symbol}@trade/{symbol}@ticker", join="/")
    assert how.fill("wss://host/{symbols}?x={}", ["a", "b"]) == (
        "wss://host/a@trade/a@ticker/b@trade/b@ticker?x={}"
    )


def test_other_braces_are_left_alone() -> None:
    text = '{"a":{"symbol":1},"b":[{symbols}],"c":"{symbol}","d":{}}'
    filled = Symbols(each='"{symbol}"').fill(text, ["X", "Y"], one="X")
    assert filled == '{"a":{"symbol":1},"b":["X","Y"],"c":"X","d":{}}'


@pytest.mark.parametrize(("case", "chosen"), [("lower", "ab"), ("upper", "AB"), ("", "aB")])
def test_case(case: str, chosen: str) -> None:
    assert Symbols(case=case).chosen(["aB"]) == (chosen,)


def test_given_symbols_take_the_place_of_the_default_and_count_once() -> None:
    how = Symbols(default=("A", "B"), case="upper")
    assert how.chosen(()) == ("A", "B")
    assert how.chosen(["c", "D", "C"]) == ("C", "D")


@pytest.mark.parametrize(
    ("text", "found"),
    [("{symbol}", True), ("x{symbols}", True), ("{symbol", False), ('{"symbol":1}', False)],
)
def test_a_place_for_symbols_is_found(text: str, found: bool) -> None:
    assert has_place(text) is found


def is_symbol(text: str) -> bool:
    try:
        check_symbol(text)
    except ValueError:
        return False
    return True


SYMBOLS = st.one_of(st.sampled_from(GOOD), st.text(max_size=12).filter(is_symbol))


@given(st.lists(SYMBOLS, min_size=1, unique=True))
def test_no_symbol_breaks_out_of_json_or_of_a_url(symbols: list[str]) -> None:
    filled = Symbols(each='"{symbol}"').fill('{"args":[{symbols}]}', symbols)
    assert json.loads(filled) == {"args": symbols}
    url = Symbols(join=",").fill_url("wss://host/stream?a=1&symbols={symbols}&b=2", symbols)
    parts = urlsplit(url)
    assert (parts.netloc, parts.path, parts.fragment) == ("host", "/stream", "")
    assert parse_qsl(parts.query) == [("a", "1"), ("symbols", ",".join(symbols)), ("b", "2")]
