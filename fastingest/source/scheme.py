"""``ws://`` where TLS is spoken, and ``wss://`` where none is: which of them would work.

Often the server's bytes tell: what answers plain text with TLS, or TLS with plain text, has said
enough. A server that just ends the connection, or waits, has not. Then the place is asked the other
way round, with nothing in the question that is a secret.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
from collections.abc import Awaitable, Callable

import picows

from fastingest.source.answer import NoAnswer
from fastingest.source.proxy import ProxyFailed

__all__ = ["WrongScheme", "is_in_doubt", "is_seen_in", "speaks_other"]

_TIME = 2.0  # seconds that an answer may take

# OpenSSL's words for a first record that is none.
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_MESSAGE"}
_NO_TLS |= {"UNKNOWN_PROTOCOL", "RECORD_LAYER_FAILURE"}
# nginx: "The plain HTTP request was sent to HTTPS port"; Go: "Client sent an HTTP request to an
# HTTPS server"; Apache: "You're speaking plain HTTP to an SSL-enabled server port".
_WANTS_TLS = re.compile(rb"HTTP(?: request)?\b[^<\n]{1,40}\b(?:HTTPS|SSL-enabled) (?:port|server)")

Connect = Callable[[], Awaitable[socket.socket]]
"""Makes a connection to the place that is in question."""


class WrongScheme(Exception):
    """The place is to be had by the other scheme.

    :param reason: one line for people.
    :param permanent: whether waiting cannot change it.
    """

    def __init__(self, scheme: str, permanent: bool) -> None:
        self.permanent = permanent
        if scheme == "ws":
            self.reason = "the server speaks TLS there: write wss:// in place of ws://"
        else:
            self.reason = (
                "the server does not speak TLS there: ws:// in place of wss:// would work, "
                "unencrypted"
            )
        super().__init__(self.reason)


def is_seen_in(error: BaseException, scheme: str) -> bool:
    """Whether an error, from a connect by ``scheme``, says itself that the other one is right."""
    match error:
        case NoAnswer():
            return scheme == "ws" and error.is_tls
        case picows.WSHandshakeError(raw_body=bytes(body)):
            return scheme == "ws" and _WANTS_TLS.search(body) is not None
        case ssl.SSLError():
            return scheme == "wss" and error.reason in _NO_TLS
    return False


def is_in_doubt(error: BaseException, scheme: str, has_spoken: bool) -> bool:
    """Whether an error, from a connect by ``scheme``, may come from its being the wrong one.

    :param has_spoken: whether the server has spoken as the scheme says.
    """
    if has_spoken or isinstance(error, (ProxyFailed, socket.gaierror, ConnectionRefusedError)):
        return False
    if scheme == "ws":  # TLS is quick to see that this is none
        return isinstance(error, (ConnectionError, picows.WSError))
    return isinstance(error, (ConnectionError, TimeoutError, ssl.SSLEOFError))


async def speaks_other(scheme: str, host: str, connect: Connect) -> bool:
    """Whether the place is to be had by the other scheme than ``scheme``."""
    with contextlib.suppress(OSError, ProxyFailed):
        async with asyncio.timeout(_TIME):
            sock = await connect()
            return await (_speaks_tls(sock, host) if scheme == "ws" else _speaks_http(sock))
    return False


async def _speaks_tls(sock: socket.socket, host: str) -> bool:
    """Whether TLS is spoken, by whatever certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is said there
    transport, _ = await asyncio.get_running_loop().create_connection(
        asyncio.Protocol, sock=sock, ssl=context, server_hostname=host
    )
    transport.abort()
    return True


async def _speaks_http(sock: socket.socket) -> bool:
    """Whether plain HTTP is spoken, and not only to say that it should be TLS."""
    loop = asyncio.get_running_loop()
    with sock:
        await loop.sock_sendall(sock, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while len(answer) < len(b"HTTP/1.1 400"):
            piece = await loop.sock_recv(sock, 64)
            if not piece:
                break
            answer += piece
    return re.match(rb"HTTP/1\.\d (?!400)\d{3}", answer) is not None
