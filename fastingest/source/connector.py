"""Opening one connection: secrets, proxy, request, redirects, and what the server agrees to.

picows would follow redirects by itself, and send the headers to whatever server it is sent to. Here
credentials go to the server that they are for, and to no other. What the server answers is read by
:mod:`fastingest.source.answer` first.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

import picows
from picows.url import parse_url

from fastingest.access.endpoint import Endpoint, Proxy, access_to, proxy_to
from fastingest.access.references import has_secret
from fastingest.access.secrets import Redactor, user_info
from fastingest.access.tls import client_context
from fastingest.model.feed import Feed
from fastingest.source.answer import REDIRECTS, OpeningAnswer
from fastingest.source.deflate import HEADER, OFFER, agreed, make_inflate
from fastingest.source.listener import Listener
from fastingest.source.loop import READ_BUFFER, BoundedReads, open_socket
from fastingest.source.proxy import ProxyFailed, connect_through, tunnel_through
from fastingest.source.scheme import WrongScheme, is_in_doubt, is_seen_in, speaks_other
from fastingest.version import __version__

__all__ = ["Connector"]

_MAX_REDIRECTS = 5
_CREDENTIALS = {"authorization", "cookie", "proxy-authorization"}

# picows logs what it also raises; one line for each trouble is enough.
_silent = logging.Logger("picows", logging.CRITICAL + 1)


@dataclass
class _Attempt:
    """A connection that is being opened."""

    url: str
    proxy: Proxy | None
    answer: OpeningAnswer = field(default_factory=OpeningAnswer)
    inside: BoundedReads | None = None
    """What has it, as soon as there is one."""
    is_at_proxy: bool = False
    """Whether it is the proxy that is waited for."""

    @property
    def has_spoken(self) -> bool:
        """Whether the server has spoken as the URL's scheme says: TLS, or an answer."""
        is_secure = self.url.startswith("wss:")
        return self.answer.has_begun or (
            is_secure and self.inside is not None and self.inside.is_connected
        )

    def made(self, inside: BoundedReads) -> None:
        """For the loop."""
        self.inside = inside
        inside.read_with(self.answer)

    def abort(self) -> None:
        """End it at once."""
        if self.inside is not None:
            self.inside.abort()

    async def socket(self, timeout: float) -> socket.socket:
        """One that is connected to the server, maybe through a proxy, which is no https one."""
        target = parse_url(self.url)
        if self.proxy is None:
            return await open_socket(target.host, target.port)
        self.is_at_proxy = True
        sock = await connect_through(self.proxy, target.host, target.port, timeout)
        self.is_at_proxy = False
        return sock

    async def tunnel(self, timeout: float, context: ssl.SSLContext) -> asyncio.Transport:
        """A connection to the server through an https proxy."""
        if self.proxy is None:
            raise AssertionError("no proxy")
        target = parse_url(self.url)
        self.is_at_proxy = True
        transport = await tunnel_through(self.proxy, target.host, target.port, timeout, context)
        self.is_at_proxy = False
        return transport


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
        sent += [each.send for each in feed.answers]
        self._sends_secrets = any(map(has_secret, sent))
        self._tls: ssl.SSLContext | None = None
        self._attempt: _Attempt | None = None
        self._doubts = 0  # connects that may have failed for the wrong scheme
        self._is_wrong_scheme: bool | None = None  # None: nobody has asked

    def abort(self) -> None:
        """End the connection that is being opened; whoever waits for it must be cancelled, too.

        picows would leave it open, and complain of an answer that nobody waits for.
        """
        if self._attempt is not None:
            self._attempt.abort()

    async def open(self) -> tuple[picows.WSTransport, Endpoint]:
        """A connection, and what it was made with.

        :raises Exception: any that :func:`fastingest.source.failure.classify` knows.
        """
        access = await access_to(self._feed)
        self._redactor.use(access.values)
        headers = list(access.headers)
        if not any(name.lower() == "user-agent" for name, _ in headers):
            headers.append(("User-Agent", f"fastingest/{__version__}"))
        if self._feed.compression == "deflate":
            headers.append((HEADER, OFFER))
        try:
            async with asyncio.timeout(self._feed.connect_timeout):
                transport = await self._follow(headers, access)
        except Exception as error:
            self.abort()
            raise await self._explained(error) from error
        except BaseException:
            self.abort()
            raise
        self._is_wrong_scheme = False
        return transport, access

    async def _explained(self, error: Exception) -> Exception:
        """The error, or what it means."""
        attempt = self._attempt
        if attempt is None:
            return error
        if isinstance(error, TimeoutError) and attempt.is_at_proxy:
            return ProxyFailed.late()
        if isinstance(error, picows.WSHandshakeError) and error.raw_body:
            error.raw_body = self._redactor.hide_in(error.raw_body)
        target = parse_url(attempt.url)
        if is_seen_in(error, target.scheme):
            return WrongScheme(target.scheme, permanent=True)
        is_askable = attempt.proxy is None or attempt.proxy.scheme != "https"
        if is_askable and is_in_doubt(error, target.scheme, attempt.has_spoken):
            self._doubts += 1
            # Asked once, never where a connect has worked, and not of a server that has only once
            # ended a connection.
            is_time = target.scheme == "wss" or self._doubts > 1
            if self._is_wrong_scheme is None and is_time:
                connect = partial(attempt.socket, self._feed.connect_timeout)
                asked = speaks_other(target.scheme, target.host, connect)
                self._is_wrong_scheme = await asked
            if self._is_wrong_scheme:
                return WrongScheme(target.scheme, permanent=False)
        return error

    async def _follow(self, headers: list[tuple[str, str]], access: Endpoint) -> picows.WSTransport:
        """Connect to where ``access`` says, or to where that leads."""
        url, proxy = access.url, access.proxy
        for left in reversed(range(_MAX_REDIRECTS + 1)):
            self._attempt = _Attempt(url, proxy)
            try:
                return await self._handshake(self._attempt, headers)
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
                proxy, values = proxy_to(self._feed, target, access)
                self._redactor.use(access.values | values)
            url = target
        raise AssertionError("unreachable")

    async def _handshake(
        self, attempt: _Attempt, headers: list[tuple[str, str]]
    ) -> picows.WSTransport:
        more: dict[str, Any] = {}
        timeout = self._feed.connect_timeout
        if urlsplit(attempt.url).scheme == "wss":
            # A server that is gone does not answer TLS's goodbye; uvloop would wait 30 s for it.
            more |= {"ssl_shutdown_timeout": 1.0, "ssl_context": self._context()}
            more |= {"ssl_handshake_timeout": timeout + 1.0}  # ours ends before
        if attempt.proxy is not None and attempt.proxy.scheme == "https":
            context = client_context(self._feed.ca_file)
            more["tunnel"] = partial(attempt.tunnel, timeout, context)
        elif attempt.proxy is not None:
            more["socket_factory"] = lambda _: attempt.socket(timeout)
        transport, _ = await picows.ws_connect(
            self._agree,
            attempt.url,
            websocket_handshake_timeout=None,
            logger_name=_silent,
            enable_auto_ping=False,
            enable_auto_pong=False,
            max_frame_size=self._max_message_size,
            extra_headers=headers,
            max_redirects=0,
            read_buffer_init_size=READ_BUFFER,
            use_aiofastnet=False,
            made=attempt.made,
            **more,
        )
        if transport.response is None:  # picows takes an end of file for the end of the handshake
            raise (attempt.inside and attempt.inside.error) or picows.WSError(
                "the server closed the connection"
            )
        return transport

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
    if response is None or response.status not in REDIRECTS or location is None:
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
