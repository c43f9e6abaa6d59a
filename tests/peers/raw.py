"""A server that does what a script tells it, however wrong, for the tests of connection faults.

    def hang_up(connection: RawConnection) -> None:
        connection.handshake()
        connection.send_text('{"symbol": "AAPL", "price": 145.67, "volume": 1500}')
        connection.reset()

    with RawServer(hang_up) as server:
        ...  # connect to server.url
    assert server.errors == []

Each connection runs its script in a thread of its own, on a blocking socket. Every wait has a
limit.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import os
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import trustme

from tests.support.patience import LIMIT

__all__ = [
    "BINARY",
    "CLOSE",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "Certificates",
    "RawConnection",
    "RawServer",
    "Script",
    "certificates",
    "closed_port",
    "frame",
    "free_port",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


def frame(
    opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0, masked: bool = False
) -> bytes:
    """One frame (RFC 6455, section 5.2). ``rsv`` is the three reserved bits as a number, 0 to 7."""
    first = (0x80 if fin else 0) | rsv << 4 | opcode
    mask_bit = 0x80 if masked else 0
    if len(payload) < 126:
        head = struct.pack("!BB", first, mask_bit | len(payload))
    elif len(payload) < 2**16:
        head = struct.pack("!BBH", first, mask_bit | 126, len(payload))
    else:
        head = struct.pack("!BBQ", first, mask_bit | 127, len(payload))
    if masked:
        mask = os.urandom(4)
        return head + mask + _masked(payload, mask)
    return head + payload


def _masked(payload: bytes, mask: bytes) -> bytes:
    """``payload`` masked, or, if it was, unmasked."""
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


class RawConnection:
    """One accepted connection, in the hands of a script.

    When the script returns, or the client has gone, the connection is dropped.
    """

    request_line = ""
    """The client's request, such as ``GET /feed HTTP/1.1``, once it was read."""

    def __init__(self, sock: socket.socket, closing: threading.Event) -> None:
        self.socket = sock
        self.headers: dict[str, str] = {}
        """The request's headers; the names are in lower case."""
        self._closing = closing
        self._received = b""

    # The handshake

    def read_request(self) -> None:
        """Read the request, into ``request_line`` and ``headers``. Do nothing if it was read."""
        while not self.request_line:
            head, found, rest = self._received.partition(b"\r\n\r\n")
            if found:
                self.request_line, *lines = head.decode("latin-1").split("\r\n")
                pairs = (line.partition(":") for line in lines)
                self.headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
                self._received = rest
            elif not self._receive(LIMIT):
                raise ConnectionError("the client left in its handshake")

    def handshake(
        self,
        headers: Mapping[str, str] | None = None,
        *,
        accept: str | None = None,
        then: bytes = b"",
    ) -> None:
        """Read the request and answer 101.

        :param headers: more headers.
        :param accept: a wrong ``Sec-WebSocket-Accept``; None means the right one.
        :param then: bytes that follow in the same segment.
        """
        self.read_request()
        key = self.headers.get("sec-websocket-key", "").encode()
        right = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
        answer = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": right if accept is None else accept,
        }
        self.send_raw(_response(101, {**answer, **(headers or {})}) + then)

    def reject(
        self, status: int, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> None:
        """Read the request, answer with an HTTP ``status``, and drop the connection."""
        self.read_request()
        length = {"Content-Length": str(len(body)), "Connection": "close"}
        self.send_raw(_response(status, {**length, **(headers or {})}) + body)
        self.drop()

    # Frames

    def send_raw(self, data: bytes) -> None:
        """Send ``data`` as it is. A client that does not take it for ``LIMIT`` is an error."""
        self.socket.settimeout(LIMIT)
        self.socket.sendall(data)

    def send_frame(
        self,
        opcode: int,
        payload: bytes = b"",
        fin: bool = True,
        rsv: int = 0,
        masked: bool = False,
    ) -> None:
        """Send a :func:`frame`. ``masked=True`` breaks the protocol, for a server must not mask."""
        self.send_raw(frame(opcode, payload, fin, rsv, masked))

    def send_text(self, text: str | bytes, fin: bool = True) -> None:
        """Send a text frame; bytes may be wrong UTF-8."""
        self.send_frame(TEXT, text.encode() if isinstance(text, str) else text, fin)

    def ping(self, payload: bytes = b"") -> None:
        """Send a ping."""
        self.send_frame(PING, payload)

    def recv_frame(self, timeout: float = LIMIT) -> tuple[int, bytes, bool] | None:
        """The client's next frame: opcode, unmasked payload, fin. None at the end of the file.

        A reset is an end of file, too.

        :raises TimeoutError: no whole frame came within ``timeout`` seconds of silence.
        :raises AssertionError: the frame is not masked, as a client's must be.
        """
        try:
            head = self._take(2, timeout)
            size = head[1] & 0x7F
            if size == 126:
                (size,) = struct.unpack("!H", self._take(2, timeout))
            elif size == 127:
                (size,) = struct.unpack("!Q", self._take(8, timeout))
            if not head[1] & 0x80:
                raise AssertionError("the client has sent a frame that is not masked")
            mask = self._take(4, timeout)
            payload = _masked(self._take(size, timeout), mask)
        except ConnectionError:
            return None
        return head[0] & 0x0F, payload, bool(head[0] & 0x80)

    # Endings

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Send a close frame, wait for the client's close frame or its leaving, and drop.

        :raises TimeoutError: neither came within ``LIMIT`` seconds of silence.
        """
        self.send_frame(CLOSE, struct.pack("!H", code) + reason.encode())
        while (received := self.recv_frame()) is not None and received[0] != CLOSE:
            pass
        self.drop()

    def drop(self) -> None:
        """Close with a FIN after everything sent, without a close frame or a TLS ``close_notify``.

        What the client still sends is read and thrown away, while it is never silent for a second:
        unread bytes would turn the FIN into a RST.
        """
        with contextlib.suppress(OSError):
            # The socket's own methods: those of an SSLSocket would work on the TLS layer.
            socket.socket.shutdown(self.socket, socket.SHUT_WR)
            self.socket.settimeout(1.0)
            while not self._closing.is_set() and socket.socket.recv(self.socket, 65536):
                pass
        self.socket.close()

    def reset(self) -> None:
        """Close with a RST; what the client has not read yet may be lost."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def stall(self) -> None:
        """Keep the connection open, neither reading nor writing, until the server is closed."""
        self._closing.wait()

    # Reading

    def _take(self, size: int, timeout: float) -> bytes:
        while len(self._received) < size:
            if not self._receive(timeout):
                raise ConnectionError("the client has left")
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def _receive(self, timeout: float) -> bool:
        """Read some more; False at the end of the file."""
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65536)
        except ssl.SSLEOFError:  # no close_notify
            return False
        self._received += data
        return bool(data)


Script = Callable[[RawConnection], None]


def _response(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {http.client.responses.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


class RawServer:
    """A context manager that hands each connection to the next script; the last one repeats.

    Leaving it closes all connections and joins all threads.

    :param scripts: at least one.
    :param tls: what to wrap connections in; None means plain TCP.
    """

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        if not scripts:
            raise ValueError("a RawServer needs a script")
        self.errors: list[BaseException] = []
        """What scripts have raised, but for a ``ConnectionError``: a client may leave. Whole once
        the server is closed."""
        self.tls_errors: list[OSError] = []
        """TLS handshakes that failed; their connections meet no script, and use none up."""
        self.accepted: list[RawConnection] = []
        """The connections that were handed to a script."""
        self._scripts = list(scripts)
        self._tls = tls
        self._news = threading.Condition()
        self._count = 0
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> RawServer:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._wake, self._woken = socket.socketpair()
        self._acceptor = threading.Thread(target=self._accept, name="raw server")
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._wake.close()
        self._acceptor.join()
        for sock in self._sockets:
            with contextlib.suppress(OSError):  # it is closed, or the client has gone
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # wakes a thread that is reading
        for thread in self._threads:
            thread.join()
        for sock in self._sockets:
            sock.close()
        self._listener.close()
        self._woken.close()

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}/"

    @property
    def connections(self) -> int:
        """How many connections were accepted, those whose TLS handshake failed among them."""
        return self._count

    def wait_connections(self, count: int, timeout: float = LIMIT) -> None:
        """Wait until ``count`` connections were accepted.

        :raises TimeoutError: they were not, within ``timeout`` seconds.
        """
        with self._news:
            if not self._news.wait_for(lambda: self._count >= count, timeout):
                raise TimeoutError(f"{self._count} of {count} connections in {timeout:g} s")

    def _accept(self) -> None:
        while True:
            ready, _, _ = select.select([self._listener, self._woken], [], [])
            if self._woken in ready:
                return
            try:
                sock, _ = self._listener.accept()
            except OSError:  # the client has left already
                continue
            sock.settimeout(LIMIT)
            if self._tls is not None:
                # Wrapped here, so that closing it later finds the socket; the handshake, which
                # waits for the client, has the thread.
                try:
                    sock = self._tls.wrap_socket(
                        sock, server_side=True, do_handshake_on_connect=False
                    )
                except OSError as error:  # the client has left already
                    self.tls_errors.append(error)
                    sock.close()
                    continue
            thread = threading.Thread(target=self._serve, args=(sock,), name="raw connection")
            self._sockets.append(sock)
            self._threads.append(thread)
            with self._news:
                self._count += 1
                self._news.notify_all()
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        if isinstance(sock, ssl.SSLSocket):
            try:
                sock.do_handshake()
            except OSError as error:
                if not self._closing.is_set():
                    self.tls_errors.append(error)
                sock.close()
                return
        connection = RawConnection(sock, self._closing)
        with self._news:
            script = self._scripts[min(len(self.accepted), len(self._scripts) - 1)]
            self.accepted.append(connection)
        try:
            script(connection)
        except (ConnectionError, ssl.SSLEOFError):
            pass
        except BaseException as error:
            if not self._closing.is_set():
                self.errors.append(error)
        connection.drop()


def free_port() -> int:
    """A port that was free just now, for a server that starts later."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def closed_port() -> Iterator[int]:
    """A port where connections are refused; nobody else gets it while the context lasts."""
    with socket.socket() as holder:  # bound, and never listening
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


class Certificates(NamedTuple):
    """What :func:`certificates` has made."""

    ca_file: Path
    """The authority's certificate, in PEM, for a client to trust."""
    server: ssl.SSLContext
    """For ``RawServer(tls=…)``."""
    authority: trustme.CA
    """The authority, to issue more."""


def certificates(folder: Path, *names: str) -> Certificates:
    """Make an authority and a server's certificate from it.

    :param names: the hosts it is for; none means ``127.0.0.1`` and ``localhost``.
    """
    authority = trustme.CA()
    ca_file = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*(names or ("127.0.0.1", "localhost"))).configure_cert(context)
    return Certificates(ca_file, context, authority)
