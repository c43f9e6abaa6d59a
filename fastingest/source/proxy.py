"""A socket to a server through a proxy.

``http``, ``socks4`` and ``socks5`` proxies give a plain socket, to which the loop's bounds on reads
apply as to any other. Not so ``https``: its TLS is around all that follows, so picows does that one
by itself.

python-socks (3.2) does SOCKS here, and could ask an ``http`` proxy as well, but it takes what its
first read brings for the whole answer. One that comes in pieces fails, and of one that is longer
the rest is read as if the server had sent it. It also takes no other status than 200 for a yes, and
no user name that is not Latin-1. So CONNECT is asked for here.
"""

from __future__ import annotations

import asyncio
import base64
import os
import re
import socket

import python_socks
from python_socks.async_.asyncio import Proxy as SocksProxy

from fastingest.access.endpoint import Proxy
from fastingest.source.loop import CONNECT_TIMEOUT, open_socket

__all__ = ["ProxyFailed", "connect_through"]

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
    def with_status(cls, status: int, phrase: str = "") -> ProxyFailed:
        """The proxy has answered so."""
        said = f"the proxy answered {status} {phrase}".rstrip()
        return cls(said, permanent=status in _PERMANENT_STATUS)


async def connect_through(proxy: Proxy, host: str, port: int) -> socket.socket:
    """A socket that is connected to ``host`` through ``proxy``, which is no ``https`` one.

    :raises ProxyFailed: it does not connect us.
    """
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT):
            if proxy.scheme == "http":
                return await _connect_by_http(proxy, host, port)
            socks = SocksProxy.create(
                _SOCKS[proxy.scheme], proxy.host, proxy.port, proxy.user or "", proxy.password
            )
            return await socks.connect(host, port, timeout=CONNECT_TIMEOUT)
    except TimeoutError:
        raise ProxyFailed("the proxy did not answer in time") from None
    except OSError as error:
        # What the loop says beside the number differs from call to call.
        number = error.errno or 0
        said = os.strerror(number) if number > 0 else error.strerror or error
        raise ProxyFailed(f"the proxy cannot be reached: {said}") from None
    except python_socks.ProxyError as error:
        raise ProxyFailed(f"the proxy does not connect us: {error}") from None


async def _connect_by_http(proxy: Proxy, host: str, port: int) -> socket.socket:
    """Ask for a tunnel (RFC 9110, section 9.3.6)."""
    loop = asyncio.get_running_loop()
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if proxy.user is not None:
        pair = base64.b64encode(f"{proxy.user}:{proxy.password}".encode()).decode()
        lines.append(f"Proxy-Authorization: Basic {pair}")
    sock = await open_socket(proxy.host, proxy.port)
    try:
        await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode("ascii"))
        answer = b""
        while b"\r\n\r\n" not in answer and len(answer) < _MAX_ANSWER:
            piece = await loop.sock_recv(sock, 4096)
            if not piece:
                raise ProxyFailed("the proxy closed the connection without an answer")
            answer += piece
        match = _STATUS.match(answer)
        if match is None:
            raise ProxyFailed("the proxy's answer is no HTTP")
        if not match[1].startswith(b"2"):
            raise ProxyFailed.with_status(int(match[1]), match[2].decode("latin-1").strip())
        # A WebSocket server says nothing before it is asked.
        if not answer.endswith(b"\r\n\r\n"):
            raise ProxyFailed("the proxy's answer has no end, or something behind it")
    except BaseException:
        sock.close()
        raise
    return sock
