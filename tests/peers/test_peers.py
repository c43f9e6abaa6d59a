"""The peers keep their word: a client of the ``websockets`` library reads what they send."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.frames import CloseCode
from websockets.sync.client import ClientConnection, connect

from tests.peers import node
from tests.peers.process import Peer, PeerError
from tests.peers.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PONG,
    TEXT,
    RawConnection,
    RawServer,
    certificates,
    closed_port,
    frame,
    free_port,
)
from tests.peers.rows import message, row
from tests.peers.websockets_server import DROPS, drop_points
from tests.support.patience import LIMIT

RECORD = '{"symbol": "AAPL", "price": 145.67, "volume": 1500}'


class Trade(msgspec.Struct, array_like=False):
    symbol: str
    price: float
    volume: int


decode = msgspec.json.Decoder(Trade | list[Trade]).decode


def receive(url: str) -> tuple[list[tuple[str, float, int]], list[str], int | None]:
    """Rows, kinds of messages ("text"/"binary", records in it), and the close code of one
    connection; None where there was no close frame."""
    rows: list[tuple[str, float, int]] = []
    kinds = []
    with connect(url, compression=None, max_queue=None, open_timeout=LIMIT) as client:
        try:
            while True:
                data = client.recv(timeout=LIMIT)
                found = decode(data)
                trades = found if isinstance(found, list) else [found]
                rows += [(trade.symbol, trade.price, trade.volume) for trade in trades]
                kinds.append(f"{'text' if isinstance(data, str) else 'binary'} {len(trades)}")
        except ConnectionClosed as closed:
            return rows, kinds, None if closed.rcvd is None else closed.rcvd.code


def node_command(*arguments: str) -> list[str]:
    try:
        node.install()
    except node.NodeError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    return node.server_command(*arguments)


def websockets_command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.peers.websockets_server", *arguments]


class FeedTests:
    """What both servers do."""

    def command(self, *arguments: str) -> list[str]:
        raise NotImplementedError

    def test_numbering_survives_drops(self) -> None:
        rows, drops = 6_000, 5
        with Peer(self.command("--rows", f"{rows}", "--drops", "5", "--burst", "700")) as peer:
            results = [receive(peer.url) for _ in range(drops + 1)]
            peer.wait_for("done", LIMIT)
            with connect(peer.url, open_timeout=LIMIT) as late, pytest.raises(TimeoutError):
                late.recv(timeout=0)
            peer.wait_for("connection", LIMIT, count=drops + 2)

        ends = [*DROPS, "1000"]
        points = [0, *drop_points(rows, drops), rows]
        for k, (received, kinds, code) in enumerate(results):
            first, sent = points[k : k + 2]
            expected = list(map(row, range(first, sent)))
            if ends[k] == "abort":
                assert received == expected[: len(received)]
            else:
                assert received == expected
            assert code == (int(ends[k]) if ends[k].isdigit() else None)
            assert set(kinds) <= {"text 1"}
        connections = [event for event in peer.events if "connection" in event]
        assert connections == [
            {"connection": k, "first": points[k], "sent": points[k + 1], "end": ends[k]}
            for k in range(drops + 1)
        ] + [{"connection": drops + 1, "first": rows, "sent": rows, "end": "client"}]

    def test_shapes(self) -> None:
        arguments = ("--rows", "237", "--burst", "100", "--shapes")
        with Peer(self.command(*arguments)) as peer:
            rows, kinds, code = receive(peer.url)
        assert rows == list(map(row, range(237)))
        assert kinds[:6] == ["text 1", "text 10", "text 1", "binary 1", "text 10", "text 1"]
        assert code == 1000

    def test_messages_are_exact(self) -> None:
        with (
            Peer(self.command("--rows", "150")) as peer,
            connect(peer.url, open_timeout=LIMIT) as client,
        ):
            assert [*client] == list(map(message, range(150)))

    def test_client_that_leaves_repeats_no_number(self) -> None:
        with Peer(self.command("--rows", "2000", "--burst", "10")) as peer:
            with connect(peer.url, compression=None, open_timeout=LIMIT) as client:
                assert decode(client.recv(timeout=LIMIT)) == Trade(*row(0))
            left = peer.wait_for("connection", LIMIT)
            assert left["end"] == "client"
            assert 0 < left["sent"] < 2000
            rows, _, code = receive(peer.url)
            assert rows == list(map(row, range(left["sent"], 2000)))
            assert code == 1000


class TestWebsocketsServer(FeedTests):
    def command(self, *arguments: str) -> list[str]:
        return websockets_command(*arguments)


@pytest.mark.node
class TestNodeServer(FeedTests):
    def command(self, *arguments: str) -> list[str]:
        return node_command(*arguments)


class TestPeer:
    def test_ended_early(self) -> None:
        command = [sys.executable, "-c", "import sys; sys.exit('no such feed')"]
        with pytest.raises(PeerError, match="no such feed"), Peer(command):
            pass

    def test_nothing_said(self) -> None:
        command = [sys.executable, "-c", "import sys; sys.stdin.close(); print('hm', flush=True)"]
        command[-1] += "; import signal; signal.pause()"
        with pytest.raises(TimeoutError, match="0 of 1 times"), Peer(command, start_timeout=0.2):
            pass

    def test_killed_when_it_ignores_the_signal(self) -> None:
        program = (
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
            "print('{\"listening\": 1}', flush=True);"
            "signal.pause()"
        )
        with Peer([sys.executable, "-c", program]) as peer:
            assert peer.url == "ws://127.0.0.1:1/"
        assert peer.wait(0) == -9
        assert peer.events == [{"listening": 1}]

    def test_ends_by_itself(self) -> None:
        with Peer([sys.executable, "-c", "print('{\"listening\": 1}')"]) as peer:
            assert peer.wait(LIMIT) == 0
            with pytest.raises(PeerError, match="ended without 'listening': it came 1 of 2"):
                peer.wait_for("listening", count=2)


@pytest.fixture
def raw_client() -> Iterator[socket.socket]:
    with socket.socket() as client:
        client.settimeout(LIMIT)
        yield client


def open_client(server: RawServer, tls: ssl.SSLContext | None = None) -> ClientConnection:
    return connect(
        server.url, compression=None, open_timeout=LIMIT, close_timeout=LIMIT, ssl=tls, proxy=None
    )


class TestRawServer:
    def test_frames_both_ways(self) -> None:
        received = []

        def script(connection: RawConnection) -> None:
            connection.handshake({"X-Feed": "raw"}, then=frame(TEXT, b"glued"))
            connection.send_text(RECORD)
            connection.send_text("ab", fin=False)
            connection.ping(b"between")
            connection.send_frame(CONTINUATION, b"c")
            connection.send_frame(BINARY, b"x" * 70_000)
            for _ in range(6):  # the pong, two messages, and one in three fragments
                received.append(connection.recv_frame())
            connection.close(1001, "bye")

        with RawServer(script) as server, open_client(server) as client:
            assert client.response is not None
            assert client.response.headers["X-Feed"] == "raw"
            client.send("s" * 200)
            client.send(b"b" * 70_000)
            client.send(["one", "two"])
            got = [client.recv(timeout=LIMIT) for _ in range(4)]
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=LIMIT)
        assert got == ["glued", RECORD, "abc", b"x" * 70_000]
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "bye")
        pong = (PONG, b"between", True)
        sent = [item for item in received if item != pong]
        assert sent[0:2] == [(TEXT, b"s" * 200, True), (BINARY, b"b" * 70_000, True)]
        assert server.errors == []
        assert server.accepted[0].request_line == "GET / HTTP/1.1"
        assert server.accepted[0].headers["upgrade"] == "websocket"

    def test_pong(self) -> None:
        received = []
        answered = threading.Event()

        def script(connection: RawConnection) -> None:
            connection.handshake()
            connection.ping(b"1")
            received.append(connection.recv_frame())
            answered.set()
            received.append(connection.recv_frame())
            connection.send_frame(CLOSE, b"\x03\xe8")

        with RawServer(script) as server, open_client(server):
            assert answered.wait(10)  # or the client's goodbye might be first
        assert server.errors == []
        assert received == [(PONG, b"1", True), (CLOSE, b"\x03\xe8", True)]

    @pytest.mark.parametrize("sent", [b"", b"\x81", b"\x81\x85mask1234"])
    def test_end_of_file(self, raw_client: socket.socket, sent: bytes) -> None:
        received: list[object] = []

        def script(connection: RawConnection) -> None:
            connection.handshake()
            received.append(connection.recv_frame())

        with RawServer(script) as server:
            raw_client.connect(("127.0.0.1", server.port))
            raw_client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + sent)
            raw_client.shutdown(socket.SHUT_WR)
            while raw_client.recv(4096):
                pass
        assert received == [None]
        assert server.errors == []

    def test_reject(self) -> None:
        def script(connection: RawConnection) -> None:
            connection.reject(503, {"Retry-After": "7"}, b"later")

        with RawServer(script) as server, pytest.raises(InvalidStatus) as rejected:
            open_client(server)
        assert server.errors == []
        response = rejected.value.response
        assert (response.status_code, response.body) == (503, b"later")
        assert response.headers["Retry-After"] == "7"

    def test_scripts_in_turn(self) -> None:
        def script(name: str) -> Callable[[RawConnection], None]:
            def send(connection: RawConnection) -> None:
                connection.handshake()
                connection.send_text(name)

            return send

        got = []
        with RawServer(script("first"), script("last")) as server:
            for _ in range(3):
                with open_client(server) as client:
                    got.append(client.recv(timeout=LIMIT))
                    with pytest.raises(ConnectionClosedError):
                        client.recv(timeout=LIMIT)
            server.wait_connections(3)
            assert server.connections == 3
            with pytest.raises(TimeoutError, match="3 of 4"):
                server.wait_connections(4, timeout=0)
        assert got == ["first", "last", "last"]
        assert server.errors == []

    def test_reset(self, raw_client: socket.socket) -> None:
        with RawServer(RawConnection.reset) as server:
            with pytest.raises(ConnectionResetError):  # noqa: PT012 - by the one or the other
                raw_client.connect(("127.0.0.1", server.port))
                raw_client.recv(1)
        assert server.errors == []

    def test_drop_delivers_everything(self) -> None:
        def script(connection: RawConnection) -> None:
            connection.handshake()
            for _ in range(10_000):
                connection.send_text(RECORD)
            connection.drop()

        with RawServer(script) as server:
            rows, _, code = receive(server.url)
        assert (len(rows), code) == (10_000, None)
        assert server.errors == []

    def test_stall_ends_with_the_server(self) -> None:
        def script(connection: RawConnection) -> None:
            connection.handshake()
            connection.stall()

        with RawServer(script) as server:
            client = open_client(server)
        with client, pytest.raises(ConnectionClosedError):
            client.recv(timeout=LIMIT)
        assert server.errors == []

    def test_closing_wakes_a_script_that_reads(self) -> None:
        def script(connection: RawConnection) -> None:
            connection.handshake()
            connection.recv_frame(timeout=3600)

        with RawServer(script) as server:
            client = open_client(server)
        with client, pytest.raises(ConnectionClosedError):
            client.recv(timeout=LIMIT)
        assert server.errors == []

    def test_error_in_a_script(self, raw_client: socket.socket) -> None:
        def script(connection: RawConnection) -> None:
            raise KeyError("oops")

        with RawServer(script) as server:
            raw_client.connect(("127.0.0.1", server.port))
            assert raw_client.recv(1) == b""
        assert [repr(error) for error in server.errors] == ["KeyError('oops')"]

    def test_unmasked_client_frame(self, raw_client: socket.socket) -> None:
        def script(connection: RawConnection) -> None:
            connection.handshake()
            connection.recv_frame()

        with RawServer(script) as server:
            raw_client.connect(("127.0.0.1", server.port))
            raw_client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + frame(TEXT, b"naked"))
            while raw_client.recv(4096):
                pass
        assert [str(error) for error in server.errors] == [
            "the client has sent a frame that is not masked"
        ]

    def test_silence_is_an_error(self, raw_client: socket.socket) -> None:
        with RawServer(lambda connection: print(connection.recv_frame(0.01))) as server:
            raw_client.connect(("127.0.0.1", server.port))
            assert raw_client.recv(1) == b""
        assert [type(error) for error in server.errors] == [TimeoutError]

    def test_tls(self, tmp_path: Path) -> None:
        def script(connection: RawConnection) -> None:
            connection.handshake()
            connection.send_text(RECORD)
            connection.close()

        made = certificates(tmp_path)
        trusting = ssl.create_default_context(cafile=str(made.ca_file))
        with RawServer(script, tls=made.server) as server:
            with pytest.raises(ssl.SSLCertVerificationError):
                open_client(server, ssl.create_default_context())
            assert server.url.startswith("wss://")
            with open_client(server, trusting) as client:
                assert [*client] == [RECORD]
        assert [type(error) for error in server.tls_errors] == [ssl.SSLError]
        assert (server.connections, len(server.accepted), server.errors) == (2, 1, [])

    def test_tls_for_another_host(self, tmp_path: Path) -> None:
        made = certificates(tmp_path, "feed.example")
        trusting = ssl.create_default_context(cafile=str(made.ca_file))
        refused = pytest.raises(ssl.SSLCertVerificationError, match="IP address mismatch")
        with RawServer(RawConnection.stall, tls=made.server) as server, refused:
            open_client(server, trusting)

    def test_ports(self) -> None:
        with closed_port() as port, pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=LIMIT)
        with socket.create_server(("127.0.0.1", free_port())):
            pass


class TestBurst:
    """bench/burst.py is a peer too."""

    def receive(self, *arguments: str) -> tuple[list[tuple[str, float, int]], list[dict[str, Any]]]:
        with Peer([sys.executable, "-m", "bench.burst", *arguments]) as peer:
            rows, _, code = receive(peer.url)
            assert code == CloseCode.NORMAL_CLOSURE
            peer.wait_for("sent", LIMIT)
            assert peer.wait(LIMIT) == 0
        return rows, peer.events

    @pytest.mark.parametrize("shape", ["record", "array50"])
    def test_numbered(self, shape: str) -> None:
        rows, events = self.receive(
            "--rows", "23457", "--block", "1000", "--shape", shape, "--numbered"
        )
        assert [volume - 10**9 for _, _, volume in rows] == [*range(23457)]
        assert (events[-1]["sent"], events[-1]["complete"]) == (23457, True)

    def test_partial_block_and_pauses(self) -> None:
        rows, _ = self.receive(
            "--rows", "2345", "--block", "100", "--pause", "1ms", "--burst-rows", "500"
        )
        assert len(rows) == 2345
        assert rows[:100] == rows[100:200]
        assert len(set(rows[:100])) == 100

    def test_map(self) -> None:
        command = [sys.executable, "-m", "bench.burst", "--shape", "map", "--rows", "30120"]
        with Peer(command) as peer, connect(peer.url, open_timeout=LIMIT) as client:
            sizes = [len(msgspec.json.decode(data, type=dict[str, float])) for data in client]
        assert sizes == [50] * 602 + [20]

    def test_client_that_leaves_early(self) -> None:
        command = [sys.executable, "-m", "bench.burst", "--rows", "50000000"]
        with Peer(command) as peer:
            with connect(peer.url, open_timeout=LIMIT, close_timeout=0) as client:
                client.recv(timeout=LIMIT)
            assert peer.wait_for("sent", LIMIT)["complete"] is False
            assert peer.wait(LIMIT) == 1


CAPTURE = """
import sys
from websockets.sync.client import connect
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with open(options["--out"], "w") as file, connect(options["--url"], open_timeout=60) as client:
    print("header", file=file)
    for number, line in enumerate(client):
        if number != {lost}:
            print(line, file=file)
"""


@pytest.mark.parametrize(("lost", "status"), [(None, 0), (1234, 1)])
def test_end_to_end(tmp_path: Path, lost: int | None, status: int) -> None:
    """The benchmark has a table for a capture that is exact, and none for one that is not."""
    capture = tmp_path / "capture.py"
    capture.write_text(CAPTURE.format(lost=lost))
    command = [sys.executable, "-m", "bench.end_to_end", "--rows", "5000", "--rounds", "2"]
    command += ["--dir", str(tmp_path), "--command", f"{sys.executable} {capture}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == status, done.stderr
    lines = [line.split()[0] for line in done.stdout.splitlines()]
    assert lines[:4] == (["round", "1", "2", "median"] if status == 0 else [])
    assert ("has 5,000 lines, not 5,001" in done.stderr) == (status == 1)
    assert list(tmp_path.iterdir()) == [capture]
