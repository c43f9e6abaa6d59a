"""Venues that want to be asked, probed and then captured with the file that was printed."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from fastingest import Options
from fastingest.model.feed import Feed
from tests.peers.venue import Script, Venue, accept, close, hear, send
from tests.support.command_line import run

SUBSCRIBE = '{"method":"SUBSCRIBE","params":["btcusdt@trade","ethusdt@trade"],"id":1}'
REPLY = '{"result":null,"id":1}'
PING = '{"ping":1492420473027}'
TRADES = [
    f'{{"stream":"{name.lower()}@trade","data":{{"e":"trade","s":"{name}","p":"{n}.50"}}}}'
    for n in range(10)
    for name in ("BTCUSDT", "ETHUSDT")
]
GRANTED: Script = [accept(), hear(), send(REPLY, TRADES[0], PING, *TRADES[1:])]


def probe(venue: Venue, tmp_path: Path, messages: int, *sent: str) -> tuple[Path, str]:
    """The file that a probe prints, checked, and what it says."""
    asked = [word for text in sent for word in ("--subscribe", text)]
    probed = run(*("probe", "--url", venue.url, "--messages", str(messages), *asked), cwd=tmp_path)
    assert probed.returncode == 0, probed.stderr
    config = tmp_path / "probed.toml"
    config.write_text(probed.stdout, "utf-8")
    checked = run("check", str(config), cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    return config, probed.stderr


def feed_of(config: Path) -> Feed:
    (feed,) = Options(config=config).feeds
    return feed


def summary_of(config: Path, *more: str) -> dict[str, Any]:
    captured = run(*("--config", str(config), "--log-format", "json", *more), cwd=config.parent)
    assert captured.returncode == 0, captured.stderr
    found: dict[str, Any] = json.loads(captured.stdout.splitlines()[-1])
    return found


def test_a_venue_that_wants_to_be_asked_is_captured_as_it_was_probed(tmp_path: Path) -> None:
    with Venue(GRANTED) as venue:
        config, said = probe(venue, tmp_path, len(TRADES) + 2, SUBSCRIBE)
        summary = summary_of(config, "--max-rows", "20")
        venue.wait_for(lambda: '{"pong":1492420473027}' in venue.clients[1].texts)
    assert "tried on these messages: 20 rows, 2 ignored, 0 rejected" in said
    feed = feed_of(config)
    assert feed.symbols == ("btcusdt", "ethusdt")
    (subscription,) = feed.subscriptions
    assert (subscription.text, subscription.reply and str(subscription.reply[0])) == (
        SUBSCRIBE,
        "$.id=1",
    )
    assert [client.texts[0] for client in venue.clients] == [SUBSCRIBE] * 2
    (out,) = tmp_path.glob("*_trade.csv")
    rows = list(csv.DictReader(out.read_text("utf-8").splitlines()))
    assert [(row["symbol"], row["price"]) for row in rows] == [
        (name, f"{n}.50") for n in range(10) for name in ("BTCUSDT", "ETHUSDT")
    ]
    assert all(re.fullmatch(r"1\d{18}", row["received"]) for row in rows)
    assert (summary["written"], summary["quarantined"], summary["ignored"]) == (20, 0, 2)
    assert summary["refused"] == 0


def test_a_refusal_that_only_was_guessed_ends_the_run(tmp_path: Path) -> None:
    words = '{"error":{"code":2,"msg":"Invalid request"},"id":1}'
    with Venue(GRANTED, [accept(), hear(), send(words)]) as venue:
        config, _ = probe(venue, tmp_path, len(TRADES) + 2, SUBSCRIBE)
        captured = run("--config", str(config), "--symbols", "SOLUSDT", cwd=tmp_path)
    assert "# No refusal has come: this is a guess at what one is like." in config.read_text()
    assert venue.clients[1].texts[0] == ('{"method":"SUBSCRIBE","params":["solusdt@trade"],"id":1}')
    assert captured.returncode == 2
    assert words in captured.stderr


def test_each_subscription_has_its_reply_and_is_sent_after_the_one_before(tmp_path: Path) -> None:
    texts = [
        f'{{"op":"subscribe","args":[{{"channel":"{channel}","instId":"BTC-USDT"}}]}}'
        for channel in ("trades", "tickers")
    ]
    acks = [
        f'{{"event":"subscribe","arg":{{"channel":"{channel}","instId":"BTC-USDT"}}}}'
        for channel in ("trades", "tickers")
    ]
    data = [
        '{"arg":{"channel":"trades","instId":"BTC-USDT"},'
        '"data":[{"instId":"BTC-USDT","px":"42219.9","sz":"0.1","side":"buy"}]}',
        '{"arg":{"channel":"tickers","instId":"BTC-USDT"},'
        '"data":[{"instId":"BTC-USDT","bidPx":"1.5","askPx":"2.5"}]}',
    ]
    script: Script = [
        *(accept(), hear(1), send(acks[0], data[0]), hear(2), send(acks[1], data[1])),
        *(send("pong", *data * 4),),
    ]
    with Venue(script) as venue:
        config, said = probe(venue, tmp_path, 13, *texts)
        summary = summary_of(config, "--max-rows", "10")
    feed = feed_of(config)
    assert [each.text for each in feed.subscriptions] == texts
    assert [each.reply and str(each.reply[0]) for each in feed.subscriptions] == [
        "$.event=subscribe"
    ] * 2
    assert "2  a reply" in said
    assert venue.clients[1].texts[:2] == texts
    assert (summary["written"], summary["quarantined"]) == (10, 0)


@pytest.mark.parametrize("ends", [[], [close(1008, "bye")]])
def test_a_probe_that_is_refused_says_so_in_the_venue_s_words(
    tmp_path: Path, ends: list[Any]
) -> None:
    words = '{"event":"error","code":"60012","msg":"no such channel"}'
    with Venue([accept(), hear(), send(words), *ends]) as venue:
        probed = run(
            *("probe", venue.url, "--duration", "300ms", "--subscribe", '{"op":"subscribe"}'),
            cwd=tmp_path,
        )
    assert (probed.returncode, probed.stdout) == (2, "")
    assert probed.stderr.splitlines()[-1] == (
        f"fastingest: error: {venue.url}: refused by the feed: {words}"
    )
