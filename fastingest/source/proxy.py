"""A connection to a server through a proxy.

``http``, ``socks4`` and ``socks5`` proxies give a plain socket (:func:`connect_through`). The TLS
of an ``https`` proxy is around all that follows, so it gives a transport (:func:`tunnel_through`).

python-socks (3.2) does SOCKS here, and could ask an ``http`` proxy as well, but it takes what its
first read brings for the whole answer. One that comes in pieces fails, and of one that is longer
the rest is read as if the server had sent it. It also takes no other status than 200 for a yes, and
no user name that is not Latin-1. So CONNECT is asked for here. picows takes what stands behind a
proxy's answer for nothing, and speaks to an ``https`` proxy in a protocol of its own, which the
loop's bounds on reads would not hold.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import re
import socket
import ssl
from collections.abc import Iterator

import python_socks
from python_socks.async_.asyncio import Proxy as SocksProxy

from fastingest.access.endpoint import Proxy
from fastingest.source.loop import open_socket

__all__ = ["ProxyFailed", "connect_through", "tunnel_through"]

_CLOSED = "the proxy closed the connection without an answer"
_MAX_ANSWER = 64 * 1024  # bytes of a proxy's answer
_STATUS = re.compile(rb"HTTP/\d\.\d (\d{3})([^\r\n]*)")
_SOCKS = {"socks4": python_socks.ProxyType.SOCKS4, "socks5": python_socks.ProxyType.SOCKS5}

# Answers that waiting does not change: it wants credentials, or others; it may not connect there.
_PERMANENT_STATUS = {403, 407}


class ProxyFailed(Exception):
    """There is no connection because of the proxy.

    :param reason: one line for people.
    :param permanent: whether waiting cannot change it.
    """

    def __init__(self, reason: str, permanent: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.permanent = permanent

    @classmethod
    def late(cls) -> ProxyFailed:
        """The proxy has not answered."""
        return cls("the proxy did not answer in time")

    @classmethod
    def with_status(cls, status: int, phrase: str = "") -> ProxyFailed:
        """The proxy has answered so."""
        said = f"the proxy answered {status} {phrase}".rstrip()
        return cls(said, permanent=status in _PERMANENT_STATUS)


async def connect_through(proxy: Proxy, host: str, port: int, timeout: float) -> socket.socket:
    """A socket that is connected to ``host`` through ``proxy``, which is no ``https`` one.

    :param timeout: seconds after which whoever waits for it cancels that.
    :raises ProxyFailed: it does not connect us.
    """
    with _told():
        if proxy.scheme == "http":
            return await _connect_by_http(proxy, host, port)
        socks = SocksProxy.create(
            _SOCKS[proxy.scheme], proxy.host, proxy.port, proxy.user or "", proxy.password
        )
        return await socks.connect(host, port, timeout=_beyond(timeout))


async def tunnel_through(
    proxy: Proxy, host: str, port: int, timeout: float, context: ssl.SSLContext
) -> asyncio.Transport:
    """A connection to ``host`` through ``proxy``, an ``https`` one, within its TLS.

    :param timeout: seconds after which whoever waits for it cancels that.
    :param context: for the proxy's TLS.
    :raises ProxyFailed: it does not connect us.
    :raises ssl.SSLError: its TLS fails, or is not trusted.
    """
    with _told():
        transport, protocol = await asyncio.get_running_loop().create_connection(
            _TunnelProtocol,
            proxy.host,
            proxy.port,
            ssl=context,
            server_hostname=proxy.host,
            ssl_handshake_timeout=_beyond(timeout),
        )
        try:
            transport.write(_request(proxy, host, port))
            await protocol.opened
        except BaseException:
            transport.abort()
            raise
        return transport


def _beyond(timeout: float) -> float:
    """For what has a time of its own, which must not end before."""
    return timeout + 60.0


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say of whatever goes wrong that it is the proxy's."""
    try:
        yield
    except ssl.SSLError:
        raise
    except OSError as error:
        # What the loop says beside the number differs from call to call.
        number = error.errno or 0
        said = os.strerror(number) if number > 0 else error.strerror or error
        raise ProxyFailed(f"the proxy cannot be reached: {said}") from None
    except python_socks.ProxyError as error:
        raise ProxyFailed(f"the proxy does not connect us: {error}") from None


async def _connect_by_http(proxy: Proxy, host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    sock = await open_socket(proxy.host, proxy.port)
    try:
        await loop.sock_sendall(sock, _request(proxy, host, port))
        answer = b""
        while not _is_open(answer):
            piece = await loop.sock_recv(sock, 4096)
            if not piece:
                raise ProxyFailed(_CLOSED)
            answer += piece
    except BaseException:
        sock.close()
        raise
    return sock


class _TunnelProtocol(asyncio.Protocol):
    """Waits for the answer to a CONNECT."""

    def __init__(self) -> None:
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._answer = b""

    def data_received(self, data: bytes) -> None:
        self._answer += data
        try:
            is_open = _is_open(self._answer)
        except ProxyFailed as error:
            self._end(error)
        else:
            if is_open and not self.opened.done():
                self.opened.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(exc or ProxyFailed(_CLOSED))

    def _end(self, error: Exception) -> None:
        if not self.opened.done():
            self.opened.set_exception(error)


def _request(proxy: Proxy, host: str, port: int) -> bytes:
    """What asks for a tunnel (RFC 9110, section 9.3.6)."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.user is not None:
        pair = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {pair}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _is_open(answer: bytes) -> bool:
    """Whether the proxy has answered, and opened the tunnel.

    :raises ProxyFailed: it has not, and will not.
    """
    if b"\r\n\r\n" not in answer and len(answer) < _MAX_ANSWER:
        return False
    match = _STATUS.match(answer)
    if match is None:
        raise ProxyFailed("the proxy's answer is no HTTP")
    if not match[1].startswith(b"2"):
        raise ProxyFailed.with_status(int(match[1]), match[2].decode("latin-1").strip())
    # A WebSocket server says nothing before it is asked.
    if not answer.endswith(b"\r\n\r\n"):
        raise ProxyFailed("the proxy's answer has no end, or something behind it")
    return True
