"""The load generator's larger records, its rate, and its connections at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time

import msgspec
import pytest
from websockets.sync.client import connect

from bench.frames import blocks, column_names, frame, records
from tests.peers.process import Peer
from tests.support.patience import LIMIT


def burst(*arguments: str) -> Peer:
    return Peer([sys.executable, "-m", "bench.burst", *arguments])


def received(url: str) -> list[dict[str, object]]:
    with connect(url, open_timeout=LIMIT, max_size=None, proxy=None) as client:
        return [msgspec.json.decode(message) for message in client]


@pytest.mark.parametrize(
    ("size", "head"),
    [(125, "817d"), (126, "817e007e"), (65535, "817effff"), (65536, "817f0000000000010000")],
)
def test_a_frame_has_a_length_of_its_size(size: int, head: str) -> None:
    assert frame("x" * size) == bytes.fromhex(head) + b"x" * size


def test_more_columns_repeat_the_three() -> None:
    assert column_names(3) == ["symbol", "price", "volume"]
    assert column_names(5) == ["symbol", "price", "volume", "symbol2", "price2"]
    assert column_names(7)[-2:] == ["volume2", "symbol3"]


def test_three_columns_without_padding_are_the_usual_record() -> None:
    usual = b"".join(piece for piece, _ in blocks(1234, 1000, "record", False))
    assert usual == b"".join(
        frame(f'{{"symbol": "{symbol}", "price": {price}, "volume": {volume}}}')
        for symbol, price, volume in [*records(1000, False), *records(234, False)]
    )


def test_a_record_may_be_larger() -> None:
    with burst("--rows", "25", "--block", "10", "--columns", "5", "--padding", "70000") as peer:
        rows = received(peer.url)
    expected = [(symbol, float(price)) for symbol, price, _ in records(10, False)]
    assert [(row["symbol2"], row["price2"]) for row in rows] == (expected * 3)[:25]
    assert {len(str(row["padding"])) for row in rows} == {70000}


def test_a_rate_is_kept() -> None:
    with burst("--rows", "1000", "--block", "10", "--rate", "2000") as peer:
        started = time.monotonic()
        assert len(received(peer.url)) == 1000
        seconds = time.monotonic() - started
        said = peer.wait_for("sent", LIMIT)["seconds"]
    assert said >= 0.5  # the last block is due after 990 rows, and its own time passes, too
    assert seconds >= 0.495


def test_connections_at_once_get_all_rows_each() -> None:
    counts: list[int] = []
    arguments = ("--rows", "2500", "--block", "1000")
    with burst(*arguments, "--connections-served", "6", "--together", "3") as peer:
        for _ in range(2):
            threads = [
                threading.Thread(target=lambda: counts.append(len(received(peer.url))))
                for _ in range(3)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(LIMIT)
        assert peer.wait(LIMIT) == 0
        assert peer.wait_for("sent", LIMIT, count=6)["complete"] is True
    assert counts == [2500] * 6


def test_nobody_is_served_before_all_are_there() -> None:
    arguments = ("--rows", "10", "--block", "10", "--connections-served", "2", "--together", "2")
    with burst(*arguments) as peer, connect(peer.url, open_timeout=LIMIT, proxy=None) as first:
        with pytest.raises(TimeoutError):
            first.recv(timeout=0.3)
        with connect(peer.url, open_timeout=LIMIT, proxy=None) as second:
            assert len(list(first)) == len(list(second)) == 10


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--columns", "2"], "--columns must be 3 or more"),
        (["--columns", "4", "--numbered"], "with --numbered it must be 3"),
        (["--padding", "1", "--shape", "map"], "only a record can have"),
        (["--rate", "1", "--pause", "1s"], "either --rate or --pause"),
        (["--together", "2"], "must be a multiple of --together"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: list[str], error: str) -> None:
    command = [sys.executable, "-m", "bench.burst", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=LIMIT)
    assert done.returncode == 2
    assert error in done.stderr
