"""Times without a feed, as the log, the ledger, the summary and the exit status tell them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fastingest.storage.ledger import read_entries
from tests.end_to_end.command import Command, is_running, read_rows, wait_until
from tests.peers.raw import closed_port
from tests.peers.venue import (
    Client,
    Step,
    Venue,
    accept,
    close,
    drop,
    every,
    hear,
    refuse,
    send,
    silence,
    wait,
)
from tests.support.command_line import run

QUICK = ["--reconnect-initial", "20ms", "--reconnect-max", "50ms", "--flush-interval", "50ms"]
ROW = '{"symbol": "A", "price": 1.5, "volume": 1}'
GRANTED = '{"event": "subscribed"}'
STOPPED = 6.5
"""Seconds that a process is stopped: more than a busy machine makes it wait now and then."""


def started(venue: Venue, out: Path, *arguments: object) -> Command:
    return Command("--url", venue.url, "--out", out, *QUICK, *arguments)


def subscribing(venue: Venue, folder: Path, *arguments: object, timeout: str = "10s") -> Command:
    """A run whose subscription expects a reply."""
    config = folder / "feeds.toml"
    config.write_text(
        f'[[feed]]\nurl = "{venue.url}"\nout = "{folder / "out.csv"}"\n'
        f"subscribe = [{{send = 'please', reply = [\"$.event=subscribed\"], "
        f'timeout = "{timeout}"}}]\n'
    )
    return Command("--config", config, *QUICK, *arguments)


def seconds(stamp: str) -> float:
    """Since the epoch."""
    return datetime.fromisoformat(stamp).timestamp()


def gaps(command: Command) -> list[dict[str, Any]]:
    return [entry for entry in command.events if entry["event"] == "gap"]


def the_gap(command: Command, summary: dict[str, Any], out: Path) -> dict[str, Any]:
    """The only gap of a run that has ended; everybody tells the same of it."""
    (gap,) = gaps(command)
    assert summary["gaps"] == 1
    assert summary["gap_seconds"] == pytest.approx(gap["length"], abs=0.01)
    (line,) = read_entries(out)
    (noted,) = line["gaps"]
    assert noted["reason"] == gap["reason"]
    assert noted["seconds"] == pytest.approx(gap["length"], abs=0.01)
    assert seconds(noted["start"]) == pytest.approx(seconds(gap["start"]), abs=0.01)
    return gap


def has_rows(out: Path, count: int = 1) -> Callable[[], bool]:
    return lambda: out.exists() and out.read_bytes().count(b"\n") > count


@contextlib.contextmanager
def stopped(command: Command) -> Iterator[None]:
    """Have none of the command's processes run meanwhile, as on a machine that is suspended."""
    os.killpg(command.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(command.pid, signal.SIGCONT)


# At the beginning


def test_a_server_that_is_down_at_first_is_a_gap_from_the_beginning(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Venue([refuse(503)]) as venue, started(venue, out) as command:
        first = command.wait_for("no connection")
        venue.wait_for(lambda: len(venue.clients) >= 3)
        venue.play([accept(), every(0.05, ROW)])
        wait_until(has_rows(out))
        summary = command.stop()
    gap = the_gap(command, summary, out)
    assert gap["reason"] == "the server answered 503 Service Unavailable"
    assert seconds(gap["start"]) <= seconds(first["time"])
    connected = next(client for client in venue.clients if client.status == 101)
    assert gap["length"] >= connected.at - venue.clients[0].at
    assert summary["never_ready"] == []


def test_the_first_connect_is_no_gap_however_long_it_takes(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Venue([wait(1.0), accept(), every(0.05, ROW)]) as venue, started(venue, out) as command:
        wait_until(has_rows(out))
        summary = command.stop()
    assert (summary["gaps"], gaps(command)) == (0, [])


def test_a_run_without_a_ready_connection_ends_with_status_3(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with closed_port() as port:
        url = f"ws://127.0.0.1:{port}/"
        with Command("--url", url, "--out", out, "--duration", "1s", *QUICK) as command:
            summary = command.summary(3)
    gap = the_gap(command, summary, out)
    assert gap["reason"] == "Connection refused"
    assert gap["length"] > 0.5
    assert summary["never_ready"] == [feed["name"] for feed in summary["feeds"]]
    assert summary["feeds"][0]["never_ready"] is True
    (line,) = read_entries(out)
    assert line["feeds"][0]["never_ready"] is True
    said = f"{url}: it was not ready once in this run: Connection refused"
    (error,) = [entry for entry in command.events if entry["level"] == "error"]
    assert (error["error"], error["event"]) == ("NeverReady", said)


def test_a_run_without_a_ready_connection_says_so_in_words(tmp_path: Path) -> None:
    with closed_port() as port:
        url = f"ws://127.0.0.1:{port}/"
        ended = run("--url", url, "--out", "o.csv", "--duration", "500ms", *QUICK, cwd=tmp_path)
    assert ended.returncode == 3
    assert f"{url}: it was not ready once in this run: Connection refused" in ended.stderr
    (line,) = (line for line in ended.stdout.splitlines() if line.startswith("  connections"))
    assert line.startswith("  connections  0, 1 gap, ")
    assert line.endswith(" in all, never ready")


def test_one_feed_of_two_that_is_never_ready_is_named(tmp_path: Path) -> None:
    with Venue([accept(), every(0.05, ROW)]) as venue, closed_port() as port:
        config = tmp_path / "feeds.toml"
        config.write_text(
            f'[[feed]]\nname = "good"\nurl = "{venue.url}"\nout = "{tmp_path / "good.csv"}"\n'
            f'[[feed]]\nname = "bad"\nurl = "ws://127.0.0.1:{port}/"\n'
            f'out = "{tmp_path / "bad.csv"}"\n'
        )
        with Command("--config", config, *QUICK) as command:
            command.wait_for("no connection")
            wait_until(has_rows(tmp_path / "good.csv"))
            summary = command.stop(3)
    assert summary["never_ready"] == ["bad"]
    assert summary["written"] == len(read_rows(tmp_path / "good.csv"))
    assert command.events[-1]["event"] == "bad: it was not ready once in this run: " + (
        "Connection refused"
    )


# Subscriptions


def test_a_server_that_never_grants_is_one_gap_however_often_it_is_asked(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    script = [accept(), hear(), send('{"event": "error"}'), close(4001, "not now")]
    with Venue(script) as venue, subscribing(venue, tmp_path) as command:
        venue.wait_for(lambda: len(venue.clients) >= 4)
        summary = command.stop(3)
    gap = the_gap(command, summary, out)
    closed = "the server closed with code 4001: not now"
    assert gap["reason"] == f'{closed}; the server said: {{"event": "error"}}'
    assert gap["length"] >= venue.clients[3].at - venue.clients[0].at
    assert summary["connections"] >= 3
    assert len(summary["never_ready"]) == 1


def test_a_server_that_says_nothing_and_stays_is_one_gap(tmp_path: Path) -> None:
    """First with a reply that is given up, then with one for which the run is too short."""
    out = tmp_path / "out.csv"
    with Venue([accept()]) as venue, subscribing(venue, tmp_path, timeout="100ms") as command:
        venue.wait_for(lambda: len(venue.clients) >= 3)
        summary = command.stop(3)
    gap = the_gap(command, summary, out)
    assert gap["reason"] == "no reply for 100ms to the subscription please"
    assert gap["length"] >= venue.clients[2].at - venue.clients[0].at
    out.with_name("out.csv.ledger.jsonl").unlink()
    with Venue([accept()]) as venue, subscribing(venue, tmp_path, timeout="1h") as command:
        venue.wait_for(lambda: bool(venue.clients and venue.clients[0].texts))
        summary = command.stop(3)
    gap = the_gap(command, summary, out)
    assert gap["reason"] == "its subscriptions were not all sent and answered when the run ended"


def test_a_gap_ends_when_the_subscription_is_granted(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    first: list[Step] = [accept(), hear(), send(GRANTED, ROW), wait(0.2), drop()]
    later: list[Step] = [accept(), hear(), wait(1.0), send(GRANTED), every(0.05, ROW)]
    with Venue(first, later) as venue, subscribing(venue, tmp_path) as command:
        command.wait_for("gap")
        wait_until(has_rows(out, 2))
        summary = command.stop()
    gap = the_gap(command, summary, out)
    assert gap["length"] >= 1.2  # from the row on, which was the last that came


def test_who_has_all_rows_before_the_reply_has_no_gap(tmp_path: Path) -> None:
    """The venue streams at once, and says afterwards that it will."""
    out = tmp_path / "out.csv"
    with Venue([accept(), every(0.05, ROW)]) as venue:
        with subscribing(venue, tmp_path, "--max-rows", 2) as command:
            summary = command.summary(0)
    assert (summary["written"], summary["gaps"], summary["never_ready"]) == (2, 0, [])
    assert len(read_rows(out)) == 2


# Not running


def test_a_silent_connection_is_a_gap_from_its_last_bytes_though_we_did_not_run(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.csv"
    last: list[float] = []

    async def note(client: Client) -> None:
        last.append(time.monotonic())

    first: list[Step] = [accept(), silence(), send(ROW), note]
    with Venue(first, [accept(), every(0.05, ROW)]) as venue:
        with started(venue, out, "--ping-interval", "1s") as command:
            wait_until(has_rows(out))
            with stopped(command):
                time.sleep(STOPPED)  # this is what is tested
            command.wait_for("gap")
            wait_until(has_rows(out, 2))
            summary = command.stop()
    gap = the_gap(command, summary, out)
    assert gap["reason"] == "no answer to a ping for 1s"
    whole = venue.clients[1].at - last[0]
    assert whole > STOPPED
    assert gap["length"] == pytest.approx(whole, abs=1.5)


def test_a_connection_that_lives_on_has_missed_nothing_though_we_did_not_run(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.csv"
    sent = 0

    async def rows(client: Client) -> None:
        nonlocal sent
        while True:
            await client.send(f'{{"symbol": "A", "price": 1.5, "volume": {sent}}}')
            sent += 1
            await wait(0.05)(client)

    with Venue([accept(), rows]) as venue:
        limits = ("--ping-interval", "1s", "--idle-timeout", "2s")
        with started(venue, out, *limits) as command:
            wait_until(has_rows(out))
            with stopped(command):
                time.sleep(STOPPED)  # this is what is tested
                before = sent
            wait_until(has_rows(out, before + 20))
            summary = command.stop()
    assert (summary["connections"], summary["gaps"]) == (1, 0)
    numbers = [int(volume) for _, _, volume in read_rows(out)]
    assert numbers == list(range(len(numbers)))


def test_a_connection_that_ended_while_we_did_not_run_may_have_ended_at_once(
    tmp_path: Path,
) -> None:
    """What had come until then waits in the kernel, and nobody knows when its end came."""
    out = tmp_path / "out.csv"
    first: list[Step] = [accept(), every(0.05, ROW, times=40), close(1001, "restart")]
    with Venue(first, [accept(), every(0.05, ROW)]) as venue, started(venue, out) as command:
        wait_until(has_rows(out))
        with stopped(command):
            begun = time.time()
            time.sleep(STOPPED)  # this is what is tested
        command.wait_for("gap")
        wait_until(has_rows(out, 41))
        summary = command.stop()
    gap = the_gap(command, summary, out)
    assert gap["reason"] == "the server closed with code 1001: restart"
    assert seconds(gap["start"]) <= begun + 0.01
    assert gap["length"] >= STOPPED


@pytest.mark.parametrize("killed", ["all", "the supervisor"])
def test_a_gap_in_which_the_run_is_killed_is_in_its_line(tmp_path: Path, killed: str) -> None:
    out = tmp_path / "out.csv"
    with Venue([accept(), send(ROW), drop()], [refuse(503)]) as venue:
        with started(venue, out) as command:
            began = command.wait_for("no connection")
            wait_until(has_rows(out))
            if killed == "all":
                os.killpg(command.pid, signal.SIGKILL)
            else:
                os.kill(command.pid, signal.SIGKILL)
                wait_until(lambda: not any(map(is_running, command.children())))
        venue.play([accept(), every(0.05, ROW)])
        with started(venue, out) as command:
            wait_until(has_rows(out, count=2))
            command.stop()
    interrupted, whole = read_entries(out)
    (gap,) = interrupted["gaps"]
    assert (interrupted["end"], whole["gaps"]) == (None, [])
    if killed == "all":
        assert gap["reason"] == "it was not over when the run was interrupted"
        # The log's moments are in milliseconds, without what is left over.
        assert seconds(interrupted["start"]) < seconds(gap["start"])
        assert seconds(gap["start"]) < seconds(began["time"]) + 0.001
        assert gap["seconds"] is None
    else:
        assert gap["reason"] == "it ended after the supervisor was killed, which notes them"
        assert gap["start"] is None
        assert gap["seconds"] > 0


def test_a_gap_goes_on_though_the_receiver_dies_in_it(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with Venue([refuse(503)]) as venue, started(venue, out) as command:
        first = command.wait_for("no connection")
        receiver = command.child("receiver")
        os.kill(receiver, signal.SIGKILL)
        wait_until(lambda: command.child("receiver") != receiver)
        count = len(venue.clients)
        venue.wait_for(lambda: len(venue.clients) >= count + 2)
        venue.play([accept(), every(0.05, ROW)])
        wait_until(has_rows(out))
        summary = command.stop()
    gap = the_gap(command, summary, out)
    assert gap["reason"] == "the receiver process was killed by signal 9"
    assert seconds(gap["start"]) <= seconds(first["time"])
