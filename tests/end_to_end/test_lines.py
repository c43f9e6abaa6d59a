"""The real command against venues that give a connection so many symbols, and no more."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from fastingest.storage.ledger import read_entries
from tests.end_to_end.command import Command, wait_until
from tests.peers.venue import Client, Desk, Step, Venue, accept, refuse, stream, unless

QUICK = ["--reconnect-initial", "20ms", "--reconnect-max", "50ms", "--flush-interval", "50ms"]
SYMBOLS = [f"S{number}" for number in range(1, 71)]
SUBSCRIBE = """{send = '{"sub":[{symbols}]}', reply = ["$.event=ok"]}"""
ROW = '{"s":"{symbol}","n":{n}}'
DESK = Desk(re.compile(r'"(S\d+)"'), granted='{"event":"ok","symbol":"{symbol}"}')
NATIVE = pytest.mark.parametrize("native", ["0", "1"])


def config(folder: Path, url: str, more: str = "", columns: str = '"s", "n:int"') -> list[str]:
    """The arguments for a feed of seventy symbols, thirty on a connection."""
    path = folder / "feed.toml"
    path.write_text(
        f'name = "venue"\nurl = "{url}"\nsubscribe = [{SUBSCRIBE}]\nper-connection = 30\n'
        f"columns = [{columns}]\nrefused = ['$.event=error']\n{more}\n"
        f"[symbols]\ndefault = {SYMBOLS}\neach = '\"{{symbol}}\"'\n",
        encoding="utf-8",
    )
    return ["--config", str(path), "--out", str(folder / "o.csv"), *QUICK]


def rows(folder: Path) -> list[list[str]]:
    out = folder / "o.csv"
    lines = out.read_text("utf-8").splitlines()[1:] if out.exists() else []
    return [line.split(",") for line in lines]


def lines_of(clients: Sequence[Client]) -> list[Client]:
    """The latest of each of the feed's connections, in their order."""
    latest = {client.texts[0]: client for client in clients if client.texts}
    return sorted(latest.values(), key=lambda client: int(client.granted[0][1:]))


def told(command: Command, event: str) -> list[dict[str, Any]]:
    return [entry for entry in command.events if entry["event"] == event]


def gaps(folder: Path) -> list[dict[str, Any]]:
    """Those in the ledger."""
    (line,) = read_entries(folder / "o.csv")
    noted: list[dict[str, Any]] = line["gaps"]
    return noted


@NATIVE
def test_a_feed_has_as_many_connections_as_its_symbols_need(tmp_path: Path, native: str) -> None:
    """They bring rows by turns, one of them is cut, and all is one feed in one order."""
    turns, has_begun = 40, False

    async def turn(client: Client) -> None:
        nonlocal has_begun
        await client.until(lambda: bool(client.granted))
        asked = [each for each in venue.clients if each.granted]
        if len(asked) < 3 or has_begun:  # the last one that asks leads
            return
        has_begun, clients = True, lines_of(asked)
        for number in range(turns):
            each = clients[number % 3]
            await each.put(ROW.replace("{symbol}", each.granted[0]).replace("{n}", str(number)))
        clients[1].drop()

    columns = '"s", "n:int", "c=@connection", "f=@feed", "no=@sequence"'
    with Venue([accept(), turn], desk=DESK) as venue:
        arguments = config(tmp_path, venue.url, columns=columns)
        with Command(*arguments, environment={"FASTINGEST_NATIVE": native}) as command:
            gap = command.wait_for("gap")
            wait_until(lambda: len(rows(tmp_path)) >= turns)
            summary = command.stop()
    assert [client.granted for client in lines_of(venue.clients[:3])] == [
        SYMBOLS[:30],
        SYMBOLS[30:60],
        SYMBOLS[60:],
    ]
    assert venue.clients[3].granted == SYMBOLS[30:60]
    found = rows(tmp_path)
    assert [int(row[1]) for row in found] == list(range(turns))
    assert [int(row[4]) for row in found] == list(range(1, turns + 1))
    assert [row[0] for row in found[:6]] == ["S1", "S31", "S61"] * 2
    numbers = [row[2] for row in found]
    assert {*numbers} == {"1", "2", "3"}
    assert numbers == [*numbers[:3] * turns][:turns]
    assert (summary["written"], summary["connections"], summary["gaps"]) == (turns, 4, 1)
    assert [feed["name"] for feed in summary["feeds"]] == ["venue"]
    assert gap["connection"] == 2
    (noted,) = gaps(tmp_path)
    assert noted["reason"].startswith("the server broke the connection off without a close frame")
    assert {name: noted[name] for name in ("feed", "connection", "symbols")} == {
        "feed": "venue",
        "connection": 2,
        "symbols": 30,
    }
    assert (noted["first_symbol"], noted["last_symbol"]) == ("S31", "S60")
    assert [entry["connection"] for entry in told(command, "connected")[3:]] == [2]


@NATIVE
def test_one_that_is_refused_and_one_that_never_answers(tmp_path: Path, native: str) -> None:
    """The others are captured, and the run's end tells of both."""
    no = '{"event":"error","symbol":"{symbol}"}'
    desk = Desk(
        re.compile(r'"(S(?!3[1-9]|[45]\d|60)\d+)"'),  # what it does not find gets no answer
        granted=DESK.granted,
        refused=dict.fromkeys(SYMBOLS[60:], no),
    )
    with Venue([accept(), stream(0.05, ROW)], desk=desk) as venue:
        arguments = config(tmp_path, venue.url)
        with Command(*arguments, environment={"FASTINGEST_NATIVE": native}) as command:
            wait_until(lambda: {row[0] for row in rows(tmp_path)} == {*SYMBOLS[:30]})
            venue.wait_for(lambda: len(venue.clients) > 4)
            summary = command.stop(3)
    assert summary["never_ready"] == ["venue"]
    assert {entry["connection"] for entry in told(command, "no connection")} == {3}
    (refused,) = [entry for entry in told(command, "refused by the feed") if "S61" in str(entry)]
    assert "connection" not in refused
    noted = {gap["connection"]: gap["reason"] for gap in gaps(tmp_path)}
    assert noted.keys() == {2, 3}
    assert noted[2] == "its subscriptions were not all sent and answered when the run ended"
    assert noted[3].startswith("it refuses: ")
    said = command.events[-1]
    assert said["error"] == "NeverReady"
    assert said["event"] == (
        f"{venue.url}, connections 2, 3: it was not ready once in this run: {noted[2]}"
    )


def test_a_venue_that_refuses_all_of_them_ends_the_run(tmp_path: Path) -> None:
    no = '{"event":"error","symbol":"{symbol}"}'
    desk = Desk(DESK.symbols, refused=dict.fromkeys(SYMBOLS, no))
    with Venue([accept()], desk=desk) as venue:
        with Command(*config(tmp_path, venue.url)) as command:
            command.summary(2)
    assert "it refuses: " in command.events[-1]["event"]


def test_a_silent_one_is_noticed_though_the_others_bring_rows(tmp_path: Path) -> None:
    fell_silent: list[Client] = []

    async def rows_or_none(client: Client) -> None:
        if "S61" in client.texts[0] and not fell_silent:
            fell_silent.append(client)
            return
        await stream(0.05, ROW)(client)

    async def asked(client: Client) -> None:
        await client.until(lambda: bool(client.granted))

    with Venue([accept(), asked, rows_or_none], desk=DESK) as venue:
        with Command(*config(tmp_path, venue.url), "--idle-timeout", "5s") as command:
            command.wait_for("gap")
            wait_until(lambda: {row[0] for row in rows(tmp_path)} == {*SYMBOLS})
            command.stop()
    assert len(venue.clients) == 4
    (noted,) = gaps(tmp_path)
    assert noted["connection"] == 3
    assert noted["reason"].startswith("no row for 5s")


def test_each_goes_on_with_its_gap_though_the_receiver_dies_in_it(tmp_path: Path) -> None:
    """Symbols in the URL, by which the venue tells one that it does not let in."""
    is_open = False
    barred = unless(lambda client: is_open or "S61" not in client.request_line, refuse(503))
    script: list[Step] = [barred, accept(), stream(0.05, ROW)]
    with Venue(script, desk=DESK) as venue:
        arguments = config(tmp_path, f"{venue.url}?all={{symbols}}")
        with Command(*arguments) as command:
            first = command.wait_for("no connection")
            wait_until(lambda: len({row[0] for row in rows(tmp_path)}) == 60)
            receiver = command.child("receiver")
            os.kill(receiver, signal.SIGKILL)
            wait_until(lambda: command.child("receiver") != receiver)
            command.wait_for("gap", 2)
            is_open = True
            wait_until(lambda: len({row[0] for row in rows(tmp_path)}) == 70)
            summary = command.stop(0, 3)
    assert first["connection"] == 3
    assert summary["never_ready"] == []
    noted = sorted(gaps(tmp_path), key=lambda gap: int(gap["connection"]))
    assert [gap["connection"] for gap in noted] == [1, 2, 3]
    assert {gap["reason"] for gap in noted} == {"the receiver process was killed by signal 9"}
    begun = [gap["start"] for gap in noted]
    assert begun[2] <= first["time"] < begun[0]
    assert begun[0] == begun[1]


@pytest.mark.parametrize(("barred", "status"), [("S61", 3), ("S", 2)])
def test_the_run_ends_at_once_only_when_none_of_them_can_be_had(
    tmp_path: Path, barred: str, status: int
) -> None:
    let_in = unless(lambda client: barred not in client.request_line, refuse(404))
    with Venue([let_in, accept(), stream(0.05, ROW)], desk=DESK) as venue:
        with Command(*config(tmp_path, f"{venue.url}?all={{symbols}}")) as command:
            if status == 3:
                wait_until(lambda: len({row[0] for row in rows(tmp_path)}) == 60)
                summary = command.stop(3)
                assert summary["never_ready"] == ["venue"]
            else:
                assert command.wait() == 2
    assert "404" in command.events[-1]["event"]


def test_the_connection_of_a_stale_symbol_is_made_anew_alone(tmp_path: Path) -> None:
    more = 'stale-by = "s"\nstale-after = "1s"\nwhen-stale = "reconnect"'
    first: list[Step] = [accept(), stream(0.05, ROW, but=["S40"])]
    with Venue(first, first, first, [accept(), stream(0.05, ROW)], desk=DESK) as venue:
        with Command(*config(tmp_path, venue.url, more)) as command:
            command.wait_for("no longer stale")
            summary = command.stop()
    assert [entry["names"] for entry in told(command, "stale")] == ["S40"]
    assert summary["connections"] == 4
    (noted,) = gaps(tmp_path)
    assert noted["connection"] == 2
    assert noted["reason"].startswith("stale, no row for 1s: S40")
