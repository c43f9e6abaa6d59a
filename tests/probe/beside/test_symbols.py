"""Places for the symbols of what was sent, which must be sent again byte by byte."""

from __future__ import annotations

import json
from collections.abc import Collection

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.config.symbols import Symbols
from fastingest.model.feed import Feed, Subscription
from fastingest.model.message_conditions import parse_message_condition
from fastingest.probe.beside.symbols import Placed, placed

URL = "wss://feed.example/ws"
CRYPTO = {"BTCUSDT", "ETHUSDT"}
PAIRS = {"BTC-USD", "ETH-USD"}


def place(*texts: str, known: Collection[str], url: str = URL) -> Placed | None:
    return placed(Feed("x", url, (), subscriptions=tuple(map(Subscription, texts))), known)


def described(found: Placed | None) -> tuple[list[str], Symbols] | None:
    return None if found is None else ([each.text for each in found.messages], found.symbols)


@pytest.mark.parametrize(
    ("sent", "known", "text", "symbols"),
    [
        (
            '{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":1}',
            CRYPTO,
            '{"method":"SUBSCRIBE","params":[{symbols}],"id":1}',
            Symbols(("BTCUSDT", "ETHUSDT"), '"{symbol}@trade"', case="lower"),
        ),
        (
            '{"params": ["btcusdt@trade", "btcusdt@depth", "ethusdt@trade", "ethusdt@depth"]}',
            {"btcusdt", "ethusdt"},
            '{"params": [{symbols}]}',
            Symbols(("btcusdt", "ethusdt"), '"{symbol}@trade", "{symbol}@depth"', ", "),
        ),
        (
            '{"type":"subscribe","channels":[{"name":"ticker","product_ids":["BTC-USD"]}]}',
            PAIRS,
            '{"type":"subscribe","channels":[{"name":"ticker","product_ids":[{symbols}]}]}',
            Symbols(("BTC-USD",), '"{symbol}"'),
        ),
        (
            '{"args":[{"channel":"trades","instId":"BTC-USD"},'
            '{"channel":"trades","instId":"ETH-USD"}]}',
            PAIRS,
            '{"args":[{symbols}]}',
            Symbols(("BTC-USD", "ETH-USD"), '{"channel":"trades","instId":"{symbol}"}'),
        ),
        (
            '{"action":"subscribe","params":"T.AAPL,T.MSFT"}',
            {"AAPL", "MSFT"},
            '{"action":"subscribe","params":"{symbols}"}',
            Symbols(("AAPL", "MSFT"), "T.{symbol}"),
        ),
        (
            '{"type":"subscribe","symbol":"AAPL"}',
            {"AAPL"},
            '{"type":"subscribe","symbol":"{symbol}"}',
            Symbols(("AAPL",)),
        ),
        # One of which nothing has come yet is told by what is like it.
        (
            '{"args":["trade.BTC-USD","trade.SOL-USD","trade.ETH-USD"]}',
            PAIRS,
            '{"args":[{symbols}]}',
            Symbols(("BTC-USD", "SOL-USD", "ETH-USD"), '"trade.{symbol}"'),
        ),
        (
            '{"product_ids":["BTC-USD","SOL-USD"]}',
            PAIRS,
            '{"product_ids":[{symbols}]}',
            Symbols(("BTC-USD", "SOL-USD"), '"{symbol}"'),
        ),
    ],
)
def test_symbols_of_one_subscription(
    sent: str, known: set[str], text: str, symbols: Symbols
) -> None:
    assert described(place(sent, known=known)) == ([text], symbols)


@pytest.mark.parametrize(
    "texts",
    [
        ['{"args":["trades","BTC-USD"]}'],  # nobody says what trades is
        ['{"args":["SOL-USD","BTC-USD"]}'],
        ['{"args":["a.BTC-USD","b.ETH-USD"]}'],
        ['{"a":["BTC-USD"],"b":["ETH-USD"]}'],
        ['{"a":"BTC-USD","b":"ETH-USD"}'],
        ['{"args":["BTC-USD" , "ETH-USD","BTC-USD"]}'],
        ['{"args":["trade.BTC-USD"]}', '{"args":["quote.BTC-USD"]}', '{"args":["trade.ETH-USD"]}'],
        ['{"args":["BTC-USD"]}', '{"symbol":"BTC-USD","also":"ETH-USD"}'],
        ['{"args":["{symbol}","BTC-USD"]}'],
        ['{"args":["BTC-USD"]}', '{"args":["SOL-USD"]}'],  # nor what this is
        ['{"args":["BTC-USD"]}', '{"args":["SOL-USD","ADA-USD"]}'],
        ['{"args":["BTC-USD","ETH-USD"]}', '{"args":["SOL-USD"]}'],
        ['{"args":["t.BTC-USD","t.ETH-USD"]}', '{"args":["t.SOL-USD"]}'],
        ["sub BTC-USD", "sub heartbeats"],
        ['{"args":["xBTC-USDx"]}'],
        ['{"BTC-USD":1}'],
        ['{"key":"${BTC-USD}"}'],
        ['{"args":[]}'],
        [],
    ],
)
def test_what_is_not_certain_stays(texts: list[str]) -> None:
    assert place(*texts, known=PAIRS) is None


def test_a_text_that_is_no_json_has_places_as_well() -> None:
    assert described(place("sub BTC-USD {", known=PAIRS)) == (
        ["sub {symbol} {"],
        Symbols(("BTC-USD",)),
    )


def test_short_symbols_are_no_words_in_other_letters() -> None:
    found = place('{"op":"sub","coin":"OP"}', known={"OP"})
    assert described(found) == (['{"op":"sub","coin":"{symbol}"}'], Symbols(("OP",)))
    assert place('{"op":"sub","coin":"SUB"}', known={"OP"}) is None


def test_subscriptions_one_after_the_other_become_one() -> None:
    feed = Feed(
        "x",
        URL,
        (),
        subscriptions=(
            Subscription('{"op":"login"}', (parse_message_condition("$.event=login"),)),
            *(
                Subscription(
                    f'{{"sub":"market.{name}.trade","id":"{name}"}}',
                    (parse_message_condition(f"$.id={name}"),),
                )
                for name in ("btcusdt", "ethusdt")
            ),
        ),
    )
    found = placed(feed, CRYPTO)
    assert found is not None
    assert [(each.text, each.reply) for each in found.messages] == [
        ('{"op":"login"}', ("$.event=login",)),
        ('{"sub":"market.{symbol}.trade","id":"{symbol}"}', ("$.id={symbol}",)),
    ]
    assert found.symbols == Symbols(("BTCUSDT", "ETHUSDT"), case="lower")


@pytest.mark.parametrize(
    ("template", "reply"),
    [
        ('{"ids":7,"args":["trade.{symbol}.raw"]}', "$.topic=trade.{symbol}"),
        ('{"sub":"market.{symbol}.trade","id":"{symbol}"}', "$.id={symbol}"),
        ('{"op":"subscribe","product_id":"{symbol}"}', "$.ok"),
    ],
)
@pytest.mark.parametrize("names", [["ADA-USD", "BTC-USD", "SOL-USD"], ["BTC-USD", "SOL-USD"]])
def test_those_of_which_nothing_has_come_are_told_by_what_is_like_them(
    template: str, reply: str, names: list[str]
) -> None:
    hello = Subscription('{"op":"hello"}')
    sent = [
        Subscription(
            template.replace("{symbol}", name),
            (parse_message_condition(reply.replace("{symbol}", name)),),
        )
        for name in names
    ]
    found = placed(Feed("x", URL, (), subscriptions=(hello, *sent)), PAIRS)
    assert described(found) == ([hello.text, template], Symbols(tuple(names)))
    assert found is not None
    assert found.messages[1].reply == (reply,)


def test_what_is_like_no_other_has_no_place() -> None:
    texts = ['{"args":["trade.BTC-USD"]}', '{"args":["heartbeat"]}', '{"args":[]}']
    assert described(place(*texts, known=PAIRS)) == (
        ['{"args":[{symbols}]}', *texts[1:]],
        Symbols(("BTC-USD",), '"trade.{symbol}"'),
    )


def test_all_subscriptions_use_the_same_symbols() -> None:
    texts = [f'{{"ch":"{kind}","symbols":["BTC-USD","ETH-USD"]}}' for kind in ("t", "q")]
    assert described(place(*texts, known=PAIRS)) == (
        ['{"ch":"t","symbols":[{symbols}]}', '{"ch":"q","symbols":[{symbols}]}'],
        Symbols(("BTC-USD", "ETH-USD"), '"{symbol}"'),
    )
    texts = [f'{{"ch":"{kind}","s":"{name}"}}' for kind in "tq" for name in sorted(PAIRS)]
    assert described(place(*texts, known=PAIRS)) == (
        ['{"ch":"t","s":"{symbol}"}', '{"ch":"q","s":"{symbol}"}'],
        Symbols(("BTC-USD", "ETH-USD")),
    )


@pytest.mark.parametrize(
    ("url", "text", "symbols"),
    [
        (
            "wss://feed.example/stream?key=${KEY}&streams=btcusdt@trade/ethusdt@trade",
            "wss://feed.example/stream?key=${KEY}&streams={symbols}",
            Symbols(("BTCUSDT", "ETHUSDT"), "{symbol}@trade", "/", "lower"),
        ),
        (
            "wss://feed.example/ws/btcusdt@trade",
            "wss://feed.example/ws/{symbols}",
            Symbols(("BTCUSDT",), "{symbol}@trade", case="lower"),
        ),
        (
            "wss://feed.example/?symbols=BTCUSDT,ETHUSDT&x=1",
            "wss://feed.example/?symbols={symbols}&x=1",
            Symbols(("BTCUSDT", "ETHUSDT")),
        ),
        # One of which nothing has come yet is told by what is like it.
        (
            "wss://feed.example/stream?streams=btcusdt@trade/solusdt@trade",
            "wss://feed.example/stream?streams={symbols}",
            Symbols(("BTCUSDT", "SOLUSDT"), "{symbol}@trade", "/", "lower"),
        ),
        (
            "wss://feed.example/ws/solusdt@trade/btcusdt@trade",
            "wss://feed.example/ws/{symbols}",
            Symbols(("SOLUSDT", "BTCUSDT"), "{symbol}@trade", "/", "lower"),
        ),
        (
            "wss://feed.example/ws?symbols=SOLUSDT,BTCUSDT&key=${KEY}",
            "wss://feed.example/ws?symbols={symbols}&key=${KEY}",
            Symbols(("SOLUSDT", "BTCUSDT")),
        ),
        (
            "wss://feed.example/ws/BTCUSDT",
            "wss://feed.example/ws/{symbols}",
            Symbols(("BTCUSDT",)),
        ),
    ],
)
def test_symbols_in_the_url(url: str, text: str, symbols: Symbols) -> None:
    found = place(known=CRYPTO, url=url)
    assert found is not None
    assert (found.url, found.symbols) == (text, symbols)


def test_a_host_is_no_symbol() -> None:
    assert place(known=PAIRS, url="wss://btc-usd.example/btc") is None
    assert place(known=CRYPTO, url="wss://x/?a=btcusdt&b=ethusdt@trade") is None
    assert place(known=CRYPTO, url="wss://x/?a=btcusdt,trades") is None


NAMES = st.lists(
    st.sampled_from(["BTC-USD", "ETH-USD", "SOL-USD", "trades", "op", "a.BTC-USD", "x"]),
    max_size=5,
)


@given(st.lists(st.tuples(NAMES, st.sampled_from(["ids", "args", "symbol"])), max_size=4))
def test_what_is_sent_is_what_was_sent(said: list[tuple[list[str], str]]) -> None:
    texts = [json.dumps({"op": "sub", name: names}) for names, name in said]
    found = place(*texts, known=PAIRS)
    if found is not None:
        how, chosen = found.symbols, found.symbols.chosen(())
        made = [sent.text for each in found.messages for sent in each.subscriptions(how, chosen)]
        assert made == texts
