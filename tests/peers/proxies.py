"""Proxies that ask for a user name and a password, as scripts of a :class:`RawServer`.

They connect wherever they are asked to, and note it. A wrong user name or password is refused.
"""

from __future__ import annotations

import base64
import select
import socket
import struct

from tests.peers.raw import RawConnection, Script

__all__ = ["PASSWORD", "USER", "USER_INFO", "http_proxy", "socks4_proxy", "socks5_proxy"]

USER, PASSWORD = "us/er", "pass:w/rd@"
USER_INFO = "us%2Fer:pass%3Aw%2Frd%40"
"""Both as they stand in a URL."""


def http_proxy(asked: list[str], *, piecemeal: bool = False, to: int | None = None) -> Script:
    """HTTP CONNECT (RFC 9110, section 9.3.6); for an ``https`` one, serve it with TLS.

    :param piecemeal: send the answer byte by byte.
    :param to: the port of this machine to connect to, whatever is asked for; None: what is.
    """
    right = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def script(client: RawConnection) -> None:
        client.read_request()
        if client.headers.get("proxy-authorization") != f"Basic {right}":
            client.reject(407, {"X-Echo": client.headers.get("proxy-authorization", "")})
            return
        method, target, _ = client.request_line.split()
        assert method == "CONNECT"
        asked.append(target)
        host, _, port = target.rpartition(":")
        answer = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 me\r\n\r\n"
        address = (host.strip("[]"), int(port)) if to is None else ("127.0.0.1", to)
        with socket.create_connection(address) as onward:
            for piece in [answer] if not piecemeal else [bytes([byte]) for byte in answer]:
                client.send_raw(piece)
            _relay(client.socket, onward)

    return script


def socks5_proxy(asked: list[str]) -> Script:
    """RFC 1928, with the user names of RFC 1929."""

    def script(client: RawConnection) -> None:
        sock = client.socket
        _, count = _take(sock, 2)
        assert 2 in _take(sock, count)  # user name and password
        sock.sendall(b"\x05\x02")
        _, size = _take(sock, 2)
        user = _take(sock, size).decode()
        (size,) = _take(sock, 1)
        password = _take(sock, size).decode()
        if (user, password) != (USER, PASSWORD):
            sock.sendall(b"\x01\x01")
            return
        sock.sendall(b"\x01\x00")
        _, _, _, kind = _take(sock, 4)
        if kind == 3:
            host = _take(sock, *_take(sock, 1)).decode()
        else:
            host = socket.inet_ntop(
                *(
                    (socket.AF_INET, _take(sock, 4))
                    if kind == 1
                    else (socket.AF_INET6, _take(sock, 16))
                )
            )
        (port,) = struct.unpack("!H", _take(sock, 2))
        asked.append(f"{host}:{port}")
        with socket.create_connection((host, port)) as onward:
            sock.sendall(b"\x05\x00\x00\x01" + bytes(6))
            _relay(sock, onward)

    return script


def socks4_proxy(asked: list[str]) -> Script:
    """SOCKS 4, which knows a user name and no password."""

    def script(client: RawConnection) -> None:
        sock = client.socket
        _, _, port = struct.unpack("!BBH", _take(sock, 4))
        host = socket.inet_ntoa(_take(sock, 4))
        user = b""
        while (byte := _take(sock, 1)) != b"\0":
            user += byte
        if user.decode() != USER:
            sock.sendall(b"\x00\x5d" + bytes(6))
            return
        asked.append(f"{host}:{port}")
        with socket.create_connection((host, port)) as onward:
            sock.sendall(b"\x00\x5a" + bytes(6))
            _relay(sock, onward)

    return script


def _take(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = sock.recv(size - len(data))
        if not piece:
            raise ConnectionError("the client has left")
        data += piece
    return data


def _relay(client: socket.socket, onward: socket.socket) -> None:
    """Carry bytes both ways until one side ends."""
    while True:
        # What TLS has decrypted already does not show in select.
        pending = getattr(client, "pending", int)()
        ready = [client] if pending else select.select([client, onward], [], [], 30)[0]
        if not ready:
            return
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            (onward if source is client else client).sendall(data)
