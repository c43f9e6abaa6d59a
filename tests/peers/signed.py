"""Servers that look at credentials made at the moment: a signature over a time, and tokens."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
import time
from types import TracebackType

from tests.peers.raw import CLOSE, RawConnection, Script

__all__ = ["TokenServer", "admits_tokens", "checks_signature"]

MAX_AGE = 60.0
"""Seconds from when a time was read until the signature over it is too old."""


def checks_signature(secret: str, rows: int = 1) -> Script:
    """Sends rows to whoever signs, and ends the connection; answers 401 to anybody else.

    ``X-Sign`` must be the HMAC-SHA-256 of ``X-Time``, in milliseconds, then method and path.
    """

    def script(peer: RawConnection) -> None:
        peer.read_request()
        method, path, _ = peer.request_line.split()
        said = peer.headers.get("x-time", "")
        signed = hmac.new(secret.encode(), f"{said}{method}{path}".encode(), hashlib.sha256)
        is_right = hmac.compare_digest(signed.hexdigest(), peer.headers.get("x-sign", ""))
        if not (is_right and abs(time.time() - int(said) / 1000) < MAX_AGE):
            peer.reject(401, body=b'{"error":"bad signature"}')
            return
        _stream(peer, rows)

    return script


def _stream(peer: RawConnection, rows: int) -> None:
    peer.handshake()
    for number in range(rows):
        peer.send_text(json.dumps({"symbol": "A", "price": 1, "volume": number}))
    peer.close(1001)


class TokenServer:
    """Gives out a token for each POST, over HTTP; fails the second time, with status 503."""

    def __init__(self) -> None:
        self.asked = 0
        self.given: list[str] = []
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                server.asked += 1
                if server.asked == 2:
                    self.send_error(503)
                    return
                server.given.append(f"token-{server.asked}-4711")
                body = json.dumps({"data": {"token": server.given[-1]}}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self._http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, name="token server")

    def __enter__(self) -> TokenServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def url(self) -> str:
        """Where to ask."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/"


def admits_tokens(tokens: TokenServer) -> Script:
    """Sends a row to whoever has the token given out last, which it tells; and ends it."""
    used: set[str] = set()

    def script(peer: RawConnection) -> None:
        peer.read_request()
        token = peer.request_line.split()[1].rpartition("token=")[2]
        if token in used or token != tokens.given[-1]:
            peer.reject(401)
            return
        used.add(token)
        peer.handshake()
        peer.send_text(json.dumps({"welcome": token}))
        peer.send_text('{"symbol": "A", "price": 1}')
        peer.send_frame(CLOSE, b"\x03\xe9" + f"bye {token}".encode())
        peer.drop()

    return script
