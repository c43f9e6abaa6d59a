"""Opening one connection: secrets, proxy, request, redirects, and what the server agrees to.

picows would follow redirects by itself, and send the headers to whatever server it is sent to. Here
credentials go to the server that they are for, and to no other.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import picows

from fastingest.access.endpoint import Endpoint, access_to
from fastingest.access.references import has_secret
from fastingest.access.secrets import Redactor, user_info
from fastingest.access.tls import client_context
from fastingest.model.feed import Feed
from fastingest.source.deflate import HEADER, OFFER, agreed, make_inflate
from fastingest.source.listener import Listener
from fastingest.source.loop import CONNECT_TIMEOUT, READ_BUFFER, BoundedReads
from fastingest.source.proxy import connect_through

__all__ = ["Connector"]

_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_CREDENTIALS = {"authorization", "cookie", "proxy-authorization"}

# picows logs what it also raises; one line for each trouble is enough.
_silent = logging.Logger("picows", logging.CRITICAL + 1)


class Connector:
    """Opens a feed's connections, one after the other.

    :param feed: where to, and what to say there.
    :param listener: takes the frames.
    :param max_message_size: bytes; a larger message closes the connection.
    :param redactor: is told the secrets in use.
    """

    def __init__(
        self, feed: Feed, listener: Listener, max_message_size: int, redactor: Redactor
    ) -> None:
        self._feed = feed
        self._listener = listener
        self._max_message_size = max_message_size
        self._redactor = redactor
        self._secret_headers = {
            line.partition(":")[0].strip().lower() for line in feed.headers if has_secret(line)
        }
        sent = [each.text for each in feed.subscriptions]
        sent += [each.text for each in feed.heartbeats]
        self._sends_secrets = any(map(has_secret, sent))
        self._tls: ssl.SSLContext | None = None
        self._inside: BoundedReads | None = None  # what has the connection that is being opened

    def abort(self) -> None:
        """End the connection that is being opened; whoever waits for it must be cancelled, too.

        picows would leave it open, and complain of an answer that nobody waits for.
        """
        if self._inside is not None:
            self._inside.abort()

    async def open(self) -> tuple[picows.WSTransport, Endpoint]:
        """A connection, and what it was made with.

        :raises Exception: any that :func:`fastingest.source.failure.classify` knows.
        """
        access = await access_to(self._feed)
        self._redactor.use(access.values)
        url, headers = access.url, list(access.headers)
        if self._feed.compression == "deflate":
            headers.append((HEADER, OFFER))
        try:
            return await self._follow(url, headers, access), access
        except BaseException:
            self.abort()
            raise

    async def _follow(
        self, url: str, headers: list[tuple[str, str]], access: Endpoint
    ) -> picows.WSTransport:
        """Connect to ``url``, or to where that leads."""
        async with asyncio.timeout(3 * CONNECT_TIMEOUT):  # with what proxies and redirects add
            for left in reversed(range(_MAX_REDIRECTS + 1)):
                self._inside = None
                try:
                    return await self._handshake(url, headers, access)
                except picows.WSHandshakeError as error:
                    target = _redirected(url, error)
                    if target is None or not left:
                        raise
                if _origin(target) != _origin(url):
                    if self._sends_secrets:
                        raise picows.WSError(
                            f"the server redirects to {urlsplit(target).hostname}, which must not "
                            "get the secrets that are sent after a connect; name it with --url"
                        )
                    private = _CREDENTIALS | self._secret_headers
                    headers = [each for each in headers if each[0].lower() not in private]
                url = target
        raise AssertionError("unreachable")

    async def _handshake(
        self, url: str, headers: list[tuple[str, str]], access: Endpoint
    ) -> picows.WSTransport:
        more: dict[str, Any] = {}
        if urlsplit(url).scheme == "wss":
            # A server that is gone does not answer TLS's goodbye; uvloop would wait 30 s for it.
            more |= {"ssl_shutdown_timeout": 1.0, "ssl_context": self._context()}
        proxy = access.proxy
        if proxy is not None and proxy.scheme == "https":
            more |= {"proxy": proxy.url, "proxy_ssl_context": client_context(self._feed.ca_file)}
        elif proxy is not None:

            async def through(target: Any) -> socket.socket:
                return await connect_through(proxy, target.host, target.port)

            more["socket_factory"] = through
        transport, _ = await picows.ws_connect(
            self._agree,
            url,
            websocket_handshake_timeout=CONNECT_TIMEOUT,
            logger_name=_silent,
            enable_auto_ping=False,
            enable_auto_pong=False,
            max_frame_size=self._max_message_size,
            extra_headers=headers,
            max_redirects=0,
            read_buffer_init_size=READ_BUFFER,
            use_aiofastnet=False,
            made=self._is_made,
            **more,
        )
        if transport.response is None:  # picows takes an end of file for the end of the handshake
            raise (self._inside and self._inside.error) or picows.WSError(
                "the server closed the connection"
            )
        return transport

    def _is_made(self, inside: BoundedReads) -> None:
        self._inside = inside

    def _agree(
        self, request: picows.WSUpgradeRequest, response: picows.WSUpgradeResponse
    ) -> picows.WSListener:
        offered = self._feed.compression == "deflate"
        inflate: Callable[[bytes], bytes] | None = None
        if agreed(response.headers.getall(HEADER, []), offered):
            inflate = make_inflate(self._max_message_size)
        self._listener.negotiated(inflate)
        return self._listener.front

    def _context(self) -> ssl.SSLContext:
        """What TLS needs; made anew where there is a certificate of ours, since those expire."""
        feed = self._feed
        if self._tls is None or feed.cert_file is not None:
            self._tls = client_context(feed.ca_file, feed.cert_file, feed.key_file)
        return self._tls


def _redirected(url: str, error: picows.WSHandshakeError) -> str | None:
    """Where the server's answer to ``url`` leads; None: nowhere.

    :raises picows.WSError: to where no connection is made.
    """
    response = error.response
    location = response.headers.get("Location") if response else None
    if response is None or response.status not in _REDIRECTS or location is None:
        return None
    target, _ = user_info(urljoin(url, location))
    if target.startswith("http"):
        target = "ws" + target[4:]
    secure = target.startswith("wss://")
    if not secure and (url.startswith("wss://") or not target.startswith("ws://")):
        raise picows.WSError("the server redirects to where no secure WebSocket is")
    return target


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
