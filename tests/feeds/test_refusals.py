"""What each known feed makes of its venue's refusals, and of what it asks for, by the real command.

The feeds are those of the catalog, word for word, with other URLs: many of them in one run.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, wait_until
from tests.feeds.recorded import SECRETS
from tests.feeds.venues import VENUES, config_of
from tests.peers.raw import TEXT, frame
from tests.peers.venue import Client, Step, Venue, accept, hear, send, stream

QUICK = ["--reconnect-initial", "50ms", "--reconnect-max", "100ms", "--flush-interval", "50ms"]

BINANCE = {
    "binance-trades": (
        '{"stream":"s@trade","data":{"e":"trade","E":1672515782136,"s":"{symbol}","t":{n},'
        '"p":"16541.88","q":"0.00184","T":1672515782135,"m":true}}'
    ),
    "binance-book-tickers": (
        '{"stream":"s@bookTicker","data":{"u":{n},"s":"{symbol}","b":"1","B":"2","a":"3","A":"4"}}'
    ),
    "binance-depth": (
        '{"stream":"s@depth@100ms","data":{"e":"depthUpdate","E":1672515782136,"s":"{symbol}",'
        '"U":{n},"u":{n},"b":[],"a":[["0.0026","100"]]}}'
    ),
    "binance-klines": (
        '{"stream":"s@kline_1m","data":{"e":"kline","E":1672515782136,"s":"{symbol}","k":{"t":'
        '1672515780000,"T":1672515839999,"i":"1m","o":"1","c":"2","h":"3","l":"1","v":"9","n":{n},'
        '"x":false,"q":"9","V":"4","Q":"4"}}}'
    ),
    "binance-futures-trades": (
        '{"stream":"s@aggTrade","data":{"e":"aggTrade","E":1672515782136,"s":"{symbol}","a":{n},'
        '"p":"16541.8","q":"0.1","f":100,"l":105,"T":1672515782130,"m":true}}'
    ),
    "binance-futures-mark-prices": (
        '{"stream":"s@markPrice@1s","data":{"e":"markPriceUpdate","E":1672515782000,"s":"{symbol}",'
        '"p":"16541.8","P":"16540.2","i":"16545.6","r":"0.0001","T":1672531200000}}'
    ),
}
TOO_MANY = '{"error":{"code":4,"msg":"Too many subscriptions"},"id":1}'
SYMBOLS = [f"S{number}USDT" for number in range(201)]  # one more than a message has


@contextlib.contextmanager
def running(
    folder: Path, venues: Mapping[str, Venue], symbols: Mapping[str, Sequence[str]]
) -> Iterator[Command]:
    """Capture these known feeds from these venues, each into a file of its name."""
    config = folder / "feeds.toml"
    parts = (
        config_of(name, venue.url, symbols[name], folder / f"{name}.csv")
        for name, venue in venues.items()
    )
    config.write_text("".join(parts), encoding="utf-8")
    with Command("--config", config, *QUICK, environment=SECRETS) as command:
        yield command


def rows_of(folder: Path, name: str) -> str:
    out = folder / f"{name}.csv"
    return out.read_text("utf-8") if out.exists() else ""


def wait_for_rows(folder: Path, name: str, symbols: Iterable[str], times: int = 1) -> None:
    """Wait until each of the symbols has this many rows."""
    rows = [re.compile(rf"(?m)^.*{re.escape(symbol)}.*$") for symbol in symbols]

    def are_there() -> bool:
        written = rows_of(folder, name)
        return all(len(row.findall(written)) >= times for row in rows)

    wait_until(are_there, name)


async def binance(client: Client) -> None:
    """Grant the first message, and refuse the second."""
    await client.until(lambda: len(client.said) >= 1)
    await client.send('{"result":null,"id":1}')
    await client.until(lambda: len(client.said) >= 2)
    await client.send(TOO_MANY)
    client.granted += [SYMBOLS[0], SYMBOLS[199]]


def test_an_unknown_symbol_is_named_and_the_others_are_captured(tmp_path: Path) -> None:
    """By every feed whose venue refuses symbol by symbol; Binance refuses a whole message."""
    symbols: dict[str, Sequence[str]] = {name: known.symbols for name, known in VENUES.items()}
    symbols |= dict.fromkeys(BINANCE, SYMBOLS)
    granted = {name: known.granted for name, known in VENUES.items()}
    granted |= dict.fromkeys(BINANCE, (SYMBOLS[0], SYMBOLS[199]))
    words = {
        name: known.refuses.replace("{symbol}", known.unknown) for name, known in VENUES.items()
    }
    words |= dict.fromkeys(BINANCE, TOO_MANY)
    named = {name: known.unknown for name, known in VENUES.items()}
    named |= dict.fromkeys(BINANCE, SYMBOLS[200].lower())
    with contextlib.ExitStack() as stack:
        venues = {
            name: stack.enter_context(Venue([accept(), stream(0.1, known.row)], desk=known.desk))
            for name, known in VENUES.items()
        }
        for name, row in BINANCE.items():
            venues[name] = stack.enter_context(Venue([accept(), binance, stream(0.1, row)]))
        command = stack.enter_context(running(tmp_path, venues, symbols))
        for name in venues:
            wait_for_rows(tmp_path, name, granted[name])
        command.wait_for("refused by the feed", len(venues))
        summary = command.stop(3)
        connections = {name: len(venue.clients) for name, venue in venues.items()}
    refusals = [entry for entry in command.events if entry["event"] == "refused by the feed"]
    assert {entry["feed"]: entry["said"] for entry in refusals} == words
    assert {entry["feed"]: entry["symbols"] for entry in refusals} == named
    assert {entry["level"] for entry in refusals} == {"warning"}
    assert len(refusals) == len(venues)
    assert {feed["name"]: feed["refused"] for feed in summary["feeds"]} == dict.fromkeys(venues, 1)
    assert connections == dict.fromkeys(venues, 1)
    assert summary["gaps"] == 0


def test_what_is_refused_behind_a_reply_is_not_what_it_has_granted(tmp_path: Path) -> None:
    """Kraken has a reply for each symbol; here the second one does not tell its symbol."""
    known = VENUES["kraken-trades"]
    words = '{"error":"Exceeded msg rate","method":"subscribe","success":false}'
    granted = (known.grants or "").replace("{symbol}", "BTC/USD")
    row = known.row.replace("{symbol}", "BTC/USD").replace("{n}", "1")

    async def in_one_read(client: Client) -> None:
        await client.until(lambda: len(client.said) >= 1)
        frames = (frame(TEXT, text.encode()) for text in (granted, words, row))
        await client.write(b"".join(frames))

    with (
        Venue([accept(), in_one_read]) as venue,
        running(
            tmp_path, {"kraken-trades": venue}, {"kraken-trades": ("BTC/USD", "ETH/USD")}
        ) as command,
    ):
        wait_for_rows(tmp_path, "kraken-trades", ["BTC/USD"])
        refusal = command.wait_for("refused by the feed")
        command.stop(3)
        assert len(venue.clients) == 1
    assert (refusal["said"], refusal.get("symbols")) == (words, None)


UPGRADE = (
    '{"event":"notice","code":"64008","msg":"The connection will soon be closed for a service '
    'upgrade. Please reconnect.","connId":"accb8e21"}'
)
SHUTDOWN = '{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}'
ASKS = {
    "bitfinex-trades": '{"event":"info","code":20051,"msg":"Stopping. Please try to reconnect"}',
    "bitstamp-trades": '{"event":"bts:request_reconnect","channel":"","data":""}',
    "okx-trades": UPGRADE,
    "okx-books": UPGRADE,
    "binance-trades": SHUTDOWN,
    "binance-depth": SHUTDOWN,
    "binance-klines": SHUTDOWN,
}


def test_a_venue_that_asks_for_another_connection_gets_one(tmp_path: Path) -> None:
    """Binance, Bitfinex, Bitstamp and OKX say beforehand that they are about to close one."""

    async def other_connection(client: Client) -> None:
        await client.until(lambda: client.has_left)

    known = BINANCE | {name: venue.row for name, venue in VENUES.items()}
    rows = {name: known[name].replace("{symbol}", "btcusd").replace("{n}", "1") for name in ASKS}
    grants = {name: VENUES[name].grants for name in ASKS if name in VENUES}
    with contextlib.ExitStack() as stack:
        venues = {}
        for name, asks in ASKS.items():
            grant = (grants.get(name) or '{"result":null,"id":1}').replace("{symbol}", "btcusd")
            first: list[Step] = [accept(), hear(), send(grant, rows[name], asks), other_connection]
            then: list[Step] = [accept(), hear(), send(grant, rows[name])]
            venues[name] = stack.enter_context(Venue(first, then))
        symbols = dict.fromkeys(venues, ("btcusd",))
        command = stack.enter_context(running(tmp_path, venues, symbols))
        for name in venues:
            wait_for_rows(tmp_path, name, ["btcusd"], 2)
        summary = command.stop()
    assert summary["refused"] == 0
    reasons = {}
    for name in venues:
        (ledger,) = (tmp_path / f"{name}.csv.ledger.jsonl").read_text("utf-8").splitlines()
        (gap,) = json.loads(ledger)["gaps"]
        reasons[name] = gap["reason"]
    assert reasons == {
        name: f"the server asked for another connection: {words}" for name, words in ASKS.items()
    }


HELLO = '[{"T":"success","msg":"connected"}]'
LOGGED_IN = '[{"T":"success","msg":"authenticated"}]'
POLYGON_IN = '[{"ev":"status","status":"auth_success","message":"authenticated"}]'


@pytest.mark.parametrize(
    ("name", "granted", "words"),
    [
        ("alpaca-trades", [], '[{"T":"error","code":402,"msg":"auth failed"}]'),
        (
            "polygon-trades",
            [],
            '[{"ev":"status","status":"auth_failed","message":"authentication failed"}]',
        ),
        pytest.param(
            *("alpaca-quotes", [], '[{"T":"error","code":406,"msg":"connection limit exceeded"}]'),
            marks=pytest.mark.long,
        ),
        pytest.param(
            "polygon-trades",
            [],
            '[{"ev":"status","status":"max_connections","message":"Maximum number of connections '
            'exceeded."}]',
            marks=pytest.mark.long,
        ),
        ("hyperliquid-mids", [], '{"channel":"error","data":"Invalid subscription allMids"}'),
        pytest.param(
            *("upbit-trades", [], '{"error":{"name":"WRONG_FORMAT","message":"no format"}}'),
            marks=pytest.mark.long,
        ),
        pytest.param(
            *("alpaca-bars", [], '[{"T":"error","code":402,"msg":"auth failed"}]'),
            marks=pytest.mark.long,
        ),
        *(
            pytest.param(
                *(name, [POLYGON_IN]),
                '[{"ev":"status","status":"error","message":"not authorized"}]',
                marks=pytest.mark.long,
            )
            for name in ("polygon-quotes", "polygon-bars")
        ),
        pytest.param(
            *("alpaca-trades", [LOGGED_IN]),
            '[{"T":"error","code":405,"msg":"symbol limit exceeded"}]',
            marks=pytest.mark.long,
        ),
        pytest.param(
            *("polygon-trades", [POLYGON_IN]),
            '[{"ev":"status","status":"error","message":"not authorized"}]',
            marks=pytest.mark.long,
        ),
    ],
)
def test_a_login_or_all_of_it_refused_at_first_ends_the_run(
    name: str, granted: list[str], words: str, tmp_path: Path
) -> None:
    """At once, with the words: those of the element that refuses, where a message is an array."""
    said_of_it = words.strip("[]")
    steps: list[Step] = [accept(), send(HELLO)]
    for number, said in enumerate([*granted, words]):
        steps += [hear(number + 1), send(said)]
    with (
        Venue(steps) as venue,
        Command(
            *("--feed", name, "--url", venue.url, "--out", tmp_path / "o.csv", *QUICK),
            environment=SECRETS,
        ) as command,
    ):
        assert command.wait() == 2
        assert len(venue.clients) == 1
        assert len(venue.clients[0].texts) == len(granted) + 1
    assert command.events[-1]["event"] == f"{venue.url}: it refuses: {said_of_it}"
    (refusal,) = [entry for entry in command.events if entry["event"] == "refused by the feed"]
    assert refusal["said"] == said_of_it
    assert not any(secret in json.dumps(command.events) for secret in SECRETS.values())
