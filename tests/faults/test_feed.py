from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import termios
import time
from collections.abc import Iterator
from itertools import pairwise

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from bench.burst import FIRST_NUMBER, records
from tests.end_to_end.command import wait_until
from tests.faults.evidence import connections
from tests.faults.feed import Pace, Pings, Source, parse_arguments
from tests.peers.process import Peer
from tests.peers.raw import CLOSE, PING, PONG, TEXT, frame
from tests.support.patience import LIMIT

BLOCK = 1000
OPENING = (
    b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
FAST = ("--rate", "1e9")
ROWS = records(BLOCK, numbered=True)


@contextlib.contextmanager
def feeding(*arguments: object) -> Iterator[Peer]:
    """A feed that writes nothing to its stderr."""
    with Peer([sys.executable, "-m", "tests.faults.feed", *map(str, arguments)]) as feed:
        yield feed
        assert feed.stderr == ""


def open_client(feed: Peer) -> ClientConnection:
    # With a bound to its queue it stops reading, and then answers no ping either.
    return connect(
        feed.url,
        compression=None,
        proxy=None,
        max_queue=None,
        close_timeout=LIMIT,
        open_timeout=LIMIT,
    )


class RawClient:
    """A context manager: a connection that reads what it is told to, and leaves as it is told."""

    def __init__(self, feed: Peer, buffer: int = 0) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(LIMIT)
        if buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.socket.connect(("127.0.0.1", feed.port))
        self.rest = b""
        """What has come, and was not returned."""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.socket.close()

    def handshake(self) -> RawClient:
        self.socket.sendall(OPENING)
        while b"\r\n\r\n" not in self.rest:
            assert self._receive()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        return self

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Opcode and payload of each frame, until the server closes."""
        while True:
            while len(self.rest) >= 2 and len(self.rest) >= (end := 2 + self.rest[1]):
                opcode, payload = self.rest[0] & 0x0F, self.rest[2:end]
                self.rest = self.rest[end:]
                yield opcode, payload
            if not self._receive():
                return

    def frames_to_the_close(self) -> Iterator[tuple[int, bytes]]:
        """The same, up to a close frame, which is not answered."""
        for opcode, payload in self.frames():
            yield opcode, payload
            if opcode == CLOSE:
                return

    def numbers(self) -> list[int]:
        """The rows until the server closes, or sends a close frame, which is answered."""
        found = []
        for opcode, payload in self.frames():
            if opcode == CLOSE:
                assert payload == b"\x03\xe8"
                self.send(CLOSE, payload)
            elif opcode == TEXT:
                found.append(number(payload))
        return found

    def wait_until_full(self) -> None:
        """Wait until the kernel holds all that it takes: nothing more has come for a while."""
        looks: list[int] = []

        def is_full() -> bool:
            unread = fcntl.ioctl(self.socket, termios.FIONREAD, bytes(4))
            looks.append(int.from_bytes(unread, sys.byteorder))
            return len(looks) >= 20 and 0 < looks[-20] == looks[-1]

        wait_until(is_full, "the feed sends on and on")

    def send(self, opcode: int, payload: bytes = b"") -> None:
        self.socket.sendall(frame(opcode, payload, masked=True))

    def reset(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def _receive(self) -> bool:
        data = self.socket.recv(65536)
        self.rest += data
        return bool(data)


def number(message: str | bytes) -> int:
    """Which row it is; it must be that row."""
    row = json.loads(message)
    found: int = row["volume"] - FIRST_NUMBER
    symbol, price, _ = ROWS[found % BLOCK]
    assert row == {"symbol": symbol, "price": float(price), "volume": FIRST_NUMBER + found}
    return found


@pytest.mark.parametrize("rows", [1, 999, 1000, 2500])
def test_every_row_comes_once_in_order_and_then_a_close_frame(rows: int) -> None:
    with feeding(*FAST, "--rows", rows) as feed:
        with RawClient(feed).handshake() as client:
            assert client.numbers() == list(range(rows))
            assert client.rest == b""
        assert feed.wait() == 0
        listening, connected, disconnected = feed.events
    assert listening == {"listening": feed.port}
    assert connected == {"connected": 0, "time": pytest.approx(time.time(), abs=60)}
    assert disconnected == {
        "disconnected": rows,
        "sent": rows,
        "reason": "end",
        "slowest_pong": None,
        "pongs": 0,
        "unanswered": 0,
    }


def test_rows_keep_the_pace() -> None:
    with feeding("--rate", 20_000, "--rows", 10_000) as feed, RawClient(feed).handshake() as client:
        started = time.monotonic()
        assert client.numbers() == list(range(10_000))
        assert time.monotonic() - started >= 0.4


def test_the_pace_of_a_client_that_reads() -> None:
    pace = Pace(10_000, BLOCK, now=5.0)
    due = []
    for _ in range(4):
        due.append(pace.due)
        pace.send(BLOCK, pace.due + 0.01)  # a bit late each time
    assert due == pytest.approx([5.0, 5.1, 5.2, 5.3])


@pytest.mark.parametrize(("rate", "parts"), [(100_000, 20), (10_000, 2), (1000, 1), (100, 1)])
def test_a_client_that_did_not_read_gets_a_fifth_of_a_second_at_once(rate: int, parts: int) -> None:
    pace = Pace(rate, BLOCK, now=0.0)
    pace.send(BLOCK, 0.0)
    now = 1000.001  # a hair past a whole number of parts, for the roundings
    caught_up = 0
    while pace.due <= now:
        pace.send(BLOCK, now)
        caught_up += 1
    assert caught_up == parts
    assert pace.due == pytest.approx(now + BLOCK / rate, abs=BLOCK / rate)


def test_numbers_go_on_over_connections() -> None:
    with feeding("--rate", 100_000) as feed:
        got: list[list[int]] = []
        for count in (1, 700, 2500):
            with open_client(feed) as client:
                got.append([number(client.recv(timeout=LIMIT)) for _ in range(count)])
            feed.wait_for("disconnected", count=len(got))
        ranges = connections(feed.events)
        ends = [event for event in feed.events if "disconnected" in event]
    assert [len(numbers) for numbers in got] == [1, 700, 2500]
    for numbers, rows, end in zip(got, ranges, ends, strict=True):
        assert numbers == list(rows[: len(numbers)])
        assert len(numbers) <= end["sent"] <= len(rows)
        assert end["reason"] == "eof"
    assert all(one.stop == other.start for one, other in pairwise(ranges))


@pytest.mark.parametrize("blocked", [False, True])
def test_a_close_frame_of_the_client_is_answered_after_a_whole_frame(blocked: bool) -> None:
    with feeding(*FAST) as feed, RawClient(feed, buffer=4096).handshake() as client:
        if blocked:
            client.wait_until_full()
        client.send(CLOSE, b"\x03\xe8")
        *rows, last = client.frames()
        assert last == (CLOSE, b"\x03\xe8")
        assert client.rest == b""
        numbers = [number(payload) for _, payload in rows]
        client.socket.close()
        assert feed.wait_for("disconnected")["sent"] == len(numbers)
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("way", ["reset", "eof"])
def test_a_client_that_breaks_off_under_load(way: str) -> None:
    with feeding(*FAST) as feed:
        with RawClient(feed).handshake() as client:
            assert next(client.frames())[0] == TEXT
            if way == "reset":
                client.reset()
            else:
                client.socket.shutdown(socket.SHUT_WR)
            end = feed.wait_for("disconnected")
        with RawClient(feed).handshake() as client:
            _, payload = next(client.frames())
        first = feed.wait_for("connected", count=2)["connected"]
    assert end["reason"] == way
    assert 0 < end["sent"] <= end["disconnected"]
    assert end["disconnected"] % BLOCK == 0  # the part under way was given up
    assert number(payload) == first == end["disconnected"]


def test_a_second_client_waits_for_the_first_one_to_leave() -> None:
    with feeding("--rate", 100_000) as feed:
        with RawClient(feed).handshake() as first, RawClient(feed) as second:
            second.socket.sendall(OPENING)
            rows = first.frames()
            assert [number(next(rows)[1]) for _ in range(3000)] == list(range(3000))
            assert len([event for event in feed.events if "connected" in event]) == 1
            first.reset()
            second.handshake()
            _, payload = next(second.frames())
            assert number(payload) == feed.wait_for("disconnected")["disconnected"]


@pytest.mark.parametrize(
    ("rows", "cuts"), [(4000, 3), (2500, 4), (7, 6)], ids=["between blocks", "in blocks", "each"]
)
def test_a_cut_brings_all_rows_before_it_and_half_a_frame(rows: int, cuts: int) -> None:
    places = [rows * cut // (cuts + 1) for cut in range(cuts + 2)]
    with feeding(*FAST, "--rows", rows, "--cuts", cuts) as feed:
        halves = []
        for first, end in pairwise(places):
            with RawClient(feed).handshake() as client:
                assert client.numbers() == list(range(first, end))
                halves.append((end, client.rest))
        assert feed.wait() == 0
        ends = [event for event in feed.events if "disconnected" in event]
        assert connections(feed.events) == [range(*pair) for pair in pairwise(places)]
    assert [end["reason"] for end in ends] == ["cut"] * cuts + ["end"]
    assert [end["sent"] for end in ends] == [end - first for first, end in pairwise(places)]
    assert halves.pop() == (rows, b"")
    whole = 2 + len(f'{{"symbol": "ABCD", "price": 123.45, "volume": {FIRST_NUMBER}}}')
    for end, half in halves:
        symbol, _, _ = ROWS[end % BLOCK]
        assert len(half) == whole // 2
        assert half[2:].decode().startswith(f'{{"symbol": "{symbol}", ')


def test_a_cut_whose_row_was_given_up_is_not_made() -> None:
    source = Source(rows=3000, block=BLOCK, cuts=5)  # at 500, 1000, ...
    taken = []
    while source.next < source.end:
        source.resume()
        taken.append(source.take()[1])
    assert taken == [500] * 6
    source.resume()
    assert source.pauses
    assert not source.at_cut


def test_what_a_slow_client_has_not_read_survives_the_cut() -> None:
    with feeding(*FAST, "--rows", 20_000, "--cuts", 1) as feed:
        with RawClient(feed, buffer=4096).handshake() as client:
            numbers = []
            for opcode, payload in client.frames():
                if opcode == TEXT:
                    numbers.append(number(payload))
                    if len(numbers) % 50 == 0:
                        client.send(PING)  # to a socket that is closed, it would cause a RST
            assert numbers == list(range(10_000))
        with RawClient(feed).handshake() as client:
            assert client.numbers() == list(range(10_000, 20_000))
        assert feed.wait() == 0


def test_a_client_that_does_not_answer_the_close_frame_gets_it_again() -> None:
    with feeding(*FAST, "--rows", 10) as feed:
        with RawClient(feed).handshake() as client:
            assert [opcode for opcode, _ in client.frames_to_the_close()] == [TEXT] * 10 + [CLOSE]
        assert feed.wait_for("disconnected")["reason"] in ("eof", "reset")
        with RawClient(feed).handshake() as client:
            assert client.numbers() == []
        assert feed.wait() == 0
        assert connections(feed.events) == [range(10), range(10, 10)]


def test_a_client_that_closes_after_the_last_row_ends_the_feed() -> None:
    # A slow feed: if it waited for the next part to fall due, the client would be the first.
    with feeding("--rate", 10, "--rows", 10, "--block", 10) as feed:
        with RawClient(feed).handshake() as client:
            rows = client.frames()
            assert [number(next(rows)[1]) for _ in range(10)] == list(range(10))
            client.send(CLOSE, b"\x03\xe8")
            assert list(rows) == [(CLOSE, b"\x03\xe8")]
        assert feed.wait() == 0
        assert feed.events[-1]["reason"] == "end"


def test_pings_are_answered_by_a_client_that_reads() -> None:
    with feeding("--rate", 20_000, "--rows", 10_000, "--ping-every", 0.05) as feed:
        with open_client(feed) as client, contextlib.suppress(ConnectionClosed):
            assert client.ping().wait(LIMIT)
            while True:
                client.recv(timeout=LIMIT)
        end = feed.wait_for("disconnected")
    assert end["reason"] == "end"
    assert 3 <= end["pongs"] <= 10
    assert 0 < end["slowest_pong"] < LIMIT
    assert end["unanswered"] == 0


def test_pongs_are_noticed_while_the_client_does_not_read() -> None:
    with feeding(*FAST, "--ping-every", 0.05) as feed:
        with RawClient(feed, buffer=4096).handshake() as client:
            # It cannot know which pings have been sent; pongs to later ones are passed over.
            pongs = b"".join(frame(PONG, str(n).encode(), masked=True) for n in range(1, 200))
            until = time.monotonic() + 1.0
            while time.monotonic() < until:
                client.socket.sendall(pongs)
                time.sleep(0.01)  # between two answers
            client.reset()
        end = feed.wait_for("disconnected")
    assert end["reason"] == "reset"
    assert end["sent"] < end["disconnected"]  # a part was under way, and could not be sent
    assert end["pongs"] >= 5
    assert end["slowest_pong"] < 0.5
    assert end["unanswered"] == 0


def test_pings_come_between_frames_and_are_told_apart() -> None:
    with feeding("--rate", 20_000, "--rows", 10_000, "--ping-every", 0.05) as feed:
        with RawClient(feed).handshake() as client:
            frames = list(client.frames_to_the_close())
            client.send(CLOSE, b"\x03\xe8")
        pings = [payload for opcode, payload in frames if opcode == PING]
        assert [number(payload) for opcode, payload in frames if opcode == TEXT] == list(
            range(10_000)
        )
        assert pings == [str(n).encode() for n in range(1, len(pings) + 1)]
        assert len(pings) >= 3
        assert feed.wait_for("disconnected")["pongs"] == 0


def test_a_pong_answers_the_pings_before_its_own() -> None:
    pings = Pings()
    asked = [pings.ask(now) for now in (0.0, 1.0, 2.0, 3.0)]
    assert asked == [b"1", b"2", b"3", b"4"]
    assert pings.unanswered(2.5) == 2
    for payload in (b"5", b"", b"x", b"\xc2\xb2"):  # answers to nothing
        pings.hear(payload, 3.0)
    assert (pings.answered, pings.slowest) == (0, None)
    pings.hear(b"2", 3.5)
    pings.hear(b"2", 9.0)
    assert (pings.answered, pings.slowest) == (2, 3.5)
    pings.hear(b"3", 4.0)
    assert (pings.answered, pings.slowest) == (3, 3.5)
    assert pings.unanswered(4.0) == 0
    assert pings.unanswered(4.1) == 1


def test_sigterm_during_a_connection() -> None:
    with feeding("--rate", 100_000) as feed, RawClient(feed).handshake() as client:
        rows = client.frames()
        assert [number(next(rows)[1]) for _ in range(1500)] == list(range(1500))
        feed.stop()
        end = feed.events[-1]
    assert end["reason"] == "end"
    assert 1500 <= end["sent"] <= end["disconnected"]
    assert feed.wait() == 0


def test_sigterm_while_the_client_does_not_read() -> None:
    with feeding(*FAST) as feed, RawClient(feed, buffer=4096).handshake() as client:
        client.wait_until_full()
        feed.stop()
        end = feed.events[-1]
        numbers = client.numbers()
    assert feed.wait() == 0
    assert numbers == list(range(end["sent"]))
    assert end["sent"] <= end["disconnected"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("connected", [False, True], ids=["no client", "a silent client"])
def test_a_signal_without_a_handshake(number: int, connected: bool) -> None:
    with feeding() as feed, contextlib.ExitStack() as stack:
        if connected:
            stack.enter_context(RawClient(feed))
        os.kill(feed.pid, number)
        assert feed.wait() == 0
        assert len(feed.events) == 1


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: here\r\n\r\n"])
def test_a_client_that_fails_in_its_handshake_costs_no_row(said: bytes) -> None:
    with feeding(*FAST, "--rows", 10) as feed:
        with RawClient(feed) as client:
            client.socket.sendall(said)
            client.socket.shutdown(socket.SHUT_WR)
            assert client.numbers() == []
        with RawClient(feed).handshake() as client:
            assert client.numbers() == list(range(10))
        assert feed.wait() == 0
        assert connections(feed.events) == [range(10)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--rows -1", "--rows must be"),
        ("--rows 9000000001", "--rows must be"),
        ("--rate 0", "--rate must be"),
        ("--block 500", "power of ten"),
        ("--block 0", "power of ten"),
        ("--cuts 1", "--cuts must be"),
        ("--rows 3 --cuts 3", "--cuts must be"),
        ("--rows 3 --cuts -1", "--cuts must be"),
    ],
)
def test_arguments_that_make_no_feed(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: str,
    message: str,
) -> None:
    monkeypatch.setattr(sys, "argv", ["feed", *arguments.split()])
    with pytest.raises(SystemExit):
        parse_arguments()
    assert message in capsys.readouterr().err
