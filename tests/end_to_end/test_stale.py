"""The real command against venues that fall silent: all of it, a channel, or the rows alone."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest

from fastingest.storage.ledger import read_entries
from tests.end_to_end.command import Command, wait_until
from tests.peers.venue import Client, Desk, Step, Venue, accept, every, hear, send, stream, wait

QUICK = ["--reconnect-initial", "20ms", "--reconnect-max", "50ms", "--flush-interval", "50ms"]
ROW = '{"type":"trade","s":"{symbol}","p":1.5}'
DESK = Desk(re.compile(r'"sub":"(\w+)"'))
TRADE = '{"type":"trade","s":"A","p":1.5}'

SYMBOLS = """
subscribe = '{"sub":"{symbol}"}'
symbols = ["a", "b", "c"]
stale-by = "s"
"""


def config(folder: Path, url: str, more: str) -> list[str]:
    """The arguments for a feed of trades."""
    path = folder / "feed.toml"
    path.write_text(
        f'name = "venue"\nurl = "{url}"\ncolumns = ["s", "p:float"]\n'
        f'where = ["$.type=trade"]\n{more}\n',
        encoding="utf-8",
    )
    return ["--config", str(path), "--out", str(folder / "o.csv"), *QUICK]


def rows(folder: Path) -> list[str]:
    out = folder / "o.csv"
    return out.read_text("utf-8").splitlines()[1:] if out.exists() else []


def told(command: Command, event: str) -> list[str]:
    return [entry["names"] for entry in command.events if entry["event"] == event]


def rows_for(seconds: float, *, but: str = "") -> Step:
    """Rows of all symbols for a while, but of one."""

    async def step(client: Client) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for symbol in client.granted:
                if symbol != but:
                    await client.send(ROW.replace("{symbol}", symbol))
            await wait(0.05)(client)

    return step


# The watchdog


def test_answers_to_our_heartbeat_do_not_keep_a_dead_feed_connected(tmp_path: Path) -> None:
    async def answer(client: Client) -> None:
        answered = 0
        while not client.has_left:
            await hear(answered + 1)(client)
            answered += 1
            if not client.has_left:
                await client.send("pong")

    more = 'heartbeat = {send = "ping", every = "200ms"}\nignore = ["pong"]'
    first: list[Step] = [accept(), send(*[TRADE] * 5), answer]
    with Venue(first, [accept(), every(0.05, TRADE)]) as venue:
        arguments = config(tmp_path, venue.url, more)
        with Command(*arguments, "--idle-timeout", "2s") as command:
            wait_until(lambda: len(rows(tmp_path)) > 5)
            summary = command.stop()
    assert len(venue.clients[0].texts) > 1
    assert summary["connections"] == 2
    (gap,) = [entry for entry in command.events if entry["event"] == "gap"]
    assert gap["reason"] == "no row for 2s; only messages that are ignored came"
    assert gap["length"] >= 2.0


def test_heartbeats_of_the_venue_do_not_either(tmp_path: Path) -> None:
    first: list[Step] = [accept(), send(TRADE), every(0.1, '{"type":"heartbeat"}')]
    with Venue(first, [accept(), every(0.05, TRADE)]) as venue:
        with Command(*config(tmp_path, venue.url, ""), "--idle-timeout", "1s") as command:
            wait_until(lambda: len(rows(tmp_path)) > 1)
            command.stop()
    lost = next(entry for entry in command.events if entry["event"] == "no connection")
    assert lost["reason"].startswith("no row for 1s; only messages that are ignored came")


def test_rows_that_wait_to_be_decoded_keep_it_connected(tmp_path: Path) -> None:
    """A flush interval that is longer than the limit."""
    limits = ("--idle-timeout", "1s", "--max-rows", 30)
    with Venue([accept(), every(0.2, TRADE)]) as venue:
        arguments = config(tmp_path, venue.url, 'flush-interval = "3s"')[: -len(QUICK)]
        with Command(*arguments, *limits) as command:
            summary = command.summary()
    assert (summary["connections"], summary["written"]) == (1, 30)


# What is stale


def test_a_symbol_that_stops_is_told_by_name(tmp_path: Path) -> None:
    more = SYMBOLS + 'stale-after = "2s"'
    script: list[Step] = [
        accept(),
        hear(3),
        rows_for(1),
        rows_for(5, but="b"),
        stream(0.05, ROW),
    ]
    with Venue(script, desk=DESK) as venue:
        with Command(*config(tmp_path, venue.url, more)) as command:
            stale = command.wait_for("stale")
            command.wait_for("no longer stale")
            summary = command.stop()
    assert (stale["level"], stale["names"], stale["length"]) == ("warning", "b", 2.0)
    assert told(command, "stale") == told(command, "no longer stale") == ["b"]
    assert (summary["connections"], summary["gaps"], summary["stale"]) == (1, 0, 0)
    assert summary["feeds"][0]["stale_names"] == []


def test_what_is_stale_at_the_end_is_in_the_summary_and_the_ledger(tmp_path: Path) -> None:
    """Of three symbols one was never heard of, and one has another name in the rows."""
    more = SYMBOLS + 'stale-after = "1500ms"'
    row = ROW.replace("{symbol}", "live_{symbol}")
    with Venue([accept(), stream(0.05, row, but=["c"])], desk=DESK) as venue:
        with Command(*config(tmp_path, venue.url, more)) as command:
            command.wait_for("stale")
            summary = command.stop()
    assert told(command, "stale") == ["c"]
    (line,) = read_entries(tmp_path / "o.csv")
    for entry in (summary, line):
        assert entry["stale"] == entry["feeds"][0]["stale"] == 1
        assert entry["feeds"][0]["stale_names"] == ["c"]


@pytest.mark.parametrize("native", ["0", "1"])
def test_with_strict_it_is_an_error(tmp_path: Path, native: str) -> None:
    more = SYMBOLS
    limits = ("--strict", "--stale-after", "1500ms")
    with Venue([accept(), stream(0.05, ROW, but=["b"])], desk=DESK) as venue:
        arguments = [*config(tmp_path, venue.url, more), *limits]
        with Command(*arguments, environment={"FASTINGEST_NATIVE": native}) as command:
            command.wait_for("stale")
            summary = command.stop(3)
    assert summary["stale"] == 1
    last = command.events[-1]
    assert last["error"] == "FeedsStale"
    assert last["event"].startswith("stale at the end: venue: b")


def test_a_silent_feed_is_connected_anew_where_that_is_asked_for(tmp_path: Path) -> None:
    more = 'when-stale = "warn"'  # the command line comes before it
    options = ("--stale-after", "500ms", "--when-stale", "reconnect")
    beating = every(0.05, '{"type":"heartbeat"}')
    first: list[Step] = [accept(), send(TRADE), beating]
    with Venue(first, [accept(), beating], [accept(), every(0.05, TRADE)]) as venue:
        with Command(*config(tmp_path, venue.url, more), *options) as command:
            command.wait_for("no longer stale")
            summary = command.stop()
    assert told(command, "stale") == told(command, "no longer stale") == ["venue"]
    assert summary["connections"] == 3  # it is tried again
    lost = [entry for entry in command.events if entry["event"] == "no connection"]
    assert [entry["reason"].partition(";")[0] for entry in lost] == [
        "stale, no row for 500ms: venue"
    ] * 2


def test_a_time_without_a_connection_makes_nothing_stale(tmp_path: Path) -> None:
    script: list[Step] = [accept(), every(0.05, TRADE)]
    with Venue(script) as venue:
        limit = ("--stale-after", "2s")
        with Command(*config(tmp_path, venue.url, ""), *limit) as command:
            wait_until(lambda: rows(tmp_path))
            venue.close_port()
            command.wait_for("no connection", 10)
            time.sleep(3.0)  # in which nothing may be told
            before = len(rows(tmp_path))
            venue.open_port()
            wait_until(lambda: len(rows(tmp_path)) > before)
            command.stop()
    assert told(command, "stale") == []


def test_a_receiver_that_follows_begins_anew(tmp_path: Path) -> None:
    more = SYMBOLS + 'stale-after = "1500ms"'

    with Venue([accept(), stream(0.05, ROW, but=["b"])], desk=DESK) as venue:
        with Command(*config(tmp_path, venue.url, more)) as command:
            command.wait_for("stale")
            os.kill(command.child("receiver"), signal.SIGKILL)
            command.wait_for("stale", 2)
            summary = command.stop(0, 3)
    assert summary["feeds"][0]["stale_names"] == ["b"]
    assert told(command, "stale") == ["b", "b"]
