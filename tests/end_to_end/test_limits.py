"""The real command against a venue with limits."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, wait_until
from tests.peers.venue import Desk, Rate, Venue, accept, refuse, send, stream, unless

QUICK = ["--reconnect-initial", "20ms", "--reconnect-max", "50ms", "--flush-interval", "50ms"]
ROW = '{"symbol": "{symbol}", "price": 1.5, "volume": {n}}'


def symbols_in(out: Path) -> set[str]:
    """The symbols that have rows."""
    if not out.exists():
        return set()
    lines = out.read_text().split("\n")[1:-1]
    return {line.partition(",")[0] for line in lines}


def test_subscriptions_are_paced(tmp_path: Path) -> None:
    out, config = tmp_path / "out.csv", tmp_path / "feed.toml"
    names = {f"S{number}" for number in range(12)}
    desk = Desk(re.compile(r"get (\w+)"))
    with Venue([accept(), stream(0.1, ROW)], desk=desk, messages=Rate(5, 1.0)) as venue:
        config.write_text(
            f'url = "{venue.url}"\nsubscribe = ["get {{symbol}}"]\nsubscribe-every = "250ms"\n'
        )
        symbols = ["--symbols", ",".join(names)]
        with Command("--config", config, "--out", out, *symbols, *QUICK) as command:
            wait_until(lambda: symbols_in(out) == names)
            command.stop(0)
    (client,) = venue.clients
    assert len(client.said) == 12
    assert client.said[-1][0] - client.said[0][0] > 2.7


def test_as_many_symbols_of_binance_as_a_connection_may_have(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    names = [f"S{number}USDT" for number in range(1024)]
    row = (
        '{"stream":"{symbol}@bookTicker","data":'
        '{"u":{n},"s":"{symbol}","b":"1.50","B":"2","a":"1.60","A":"3"}}'
    )
    # A server takes no longer request line, and would answer 414 for ever.
    short = unless(lambda client: len(client.request_line) < 8192, refuse(414))
    desk = Desk(re.compile(r'"(\w+)@bookTicker"'), granted='{"result":null,"id":1}')
    script = [short, accept(), stream(1.0, row)]
    with Venue(script, desk=desk, messages=Rate(5, 1.0)) as venue:
        feed = ["--feed", "binance-book-tickers", "--url", venue.url]
        symbols = ["--symbols", ",".join(names)]
        with Command(*feed, *symbols, "--out", out, *QUICK) as command:
            wait_until(lambda: out.exists() and out.read_text().count("\n") > 1024)
            command.stop(0)
    (client,) = venue.clients
    assert len(client.texts) == 6


@pytest.mark.parametrize("ban", [2.0, pytest.param(10.0, marks=pytest.mark.long)])
@pytest.mark.parametrize("receivers", [pytest.param(1, marks=pytest.mark.long), 2])
def test_many_feeds_of_a_host_get_in_though_each_try_prolongs_a_ban(
    tmp_path: Path, ban: float, receivers: int
) -> None:
    out = tmp_path / "out.csv"
    row = '{"symbol": "A", "price": 1.5, "volume": 1}'
    with Venue([accept(), send(row)], openings=Rate(5, 2.0, ban=ban)) as venue:
        urls = [text for n in range(20) for text in ("--url", f"{venue.url}{n}")]
        with Command(*urls, "--out", out, "--receivers", receivers, *QUICK) as command:
            wait_until(lambda: out.exists() and out.read_text().count("\n") == 21)
            command.stop(0)
    first = min(client.at for client in venue.clients)
    accepted = [client.at - first for client in venue.clients if client.status == 101]
    assert len(accepted) == 20
    assert max(accepted) < 60
    assert len(venue.clients) - 20 <= 17  # fifteen of those who had asked before it said so


def test_a_supervisor_that_is_stopped_keeps_nobody_from_connecting_again(tmp_path: Path) -> None:
    """Two receivers, which ask it for their turn; what they wait for its answer has a bound."""
    out = tmp_path / "out.csv"
    row = '{"symbol": "A", "price": 1.5, "volume": 1}'
    with Venue([accept(), send(row)]) as venue:
        urls = [text for n in range(2) for text in ("--url", f"{venue.url}{n}")]
        with Command(*urls, "--out", out, "--receivers", 2, *QUICK) as command:
            wait_until(lambda: out.exists() and out.read_text().count("\n") == 3)
            command.signal(signal.SIGSTOP)
            try:
                venue.close_port()
                venue.open_port()
                wait_until(lambda: out.read_text().count("\n") == 5)
            finally:
                command.signal(signal.SIGCONT)
            summary = command.stop(0)
    assert (summary["written"], summary["restarts"]) == (4, 0)
