"""What a connect needs of a feed, with the secrets in their places.

:func:`check_feed` tries all of it before anything is captured. :func:`access_to` reads it anew for
each connect, since secrets change.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from fastingest.access.environment import environment_proxy
from fastingest.access.secrets import SecretError, expand, expand_url, user_info
from fastingest.access.tls import client_context
from fastingest.access.urls import NO_PROXY, check_proxy, check_url, parse_header
from fastingest.errors import OptionError
from fastingest.model.feed import Feed

__all__ = ["Endpoint", "Proxy", "access_to", "check_feed", "proxy_to"]

_DEFAULT_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks5": 1080}


class Proxy(NamedTuple):
    """A proxy to connect through."""

    scheme: str
    """``http``, ``https``, ``socks4`` or ``socks5``."""
    host: str
    port: int
    user: str | None
    """None: it asks for no credentials."""
    password: str

    @property
    def url(self) -> str:
        """All of it; not for display."""
        user = "" if self.user is None else f"{_quoted(self.user)}:{_quoted(self.password)}@"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{user}{host}:{self.port}"


@dataclass(frozen=True)
class Endpoint:
    """What one connect needs. It holds secrets: it is neither shown nor kept.

    :param url: without user info; the host in ASCII.
    :param headers: for the opening request, that of the user info among them.
    :param subscriptions: the texts, in the order of the feed's.
    :param heartbeats: the texts, in the order of the feed's.
    :param answers: the texts, in the order of the feed's.
    :param proxy: the proxy to connect through; None: none.
    :param values: the secrets, to be hidden where they are met.
    """

    url: str
    headers: tuple[tuple[str, str], ...]
    subscriptions: tuple[str, ...]
    heartbeats: tuple[str, ...]
    answers: tuple[str, ...]
    proxy: Proxy | None
    values: frozenset[str]


def check_feed(feed: Feed) -> None:
    """Refuse a feed that could not be connected to as it is described.

    :raises OptionError: a secret cannot be read, a text is malformed with it in its place, or a
        file for TLS cannot be used. ``option`` is ``url``, ``header``, ``subscribe``,
        ``heartbeat``, ``answer``, ``proxy``, ``ca_file``, ``cert_file`` or ``key_file``.
    """
    access_to(feed)
    files = (feed.ca_file, feed.cert_file, feed.key_file)
    if any(file is not None for file in files):
        client_context(*files)


def access_to(feed: Feed) -> Endpoint:
    """Read the secrets of ``feed`` anew.

    :raises OptionError: as :func:`check_feed`, for texts.
    """
    values: set[str] = set()
    expanded = _read("url", feed.url, values)
    check_url(feed.url, expanded)
    url, credentials = user_info(expanded)
    headers = [
        parse_header(line, _read("header", line, values).partition(":")[2]) for line in feed.headers
    ]
    if credentials is not None:
        if any(name.lower() == "authorization" for name, _ in headers):
            raise OptionError(
                "header", "Authorization is given, and so is a user name in the URL; keep one"
            )
        headers.append(("Authorization", _basic(*credentials)))
    return Endpoint(
        url=_in_ascii(url),
        headers=tuple(headers),
        subscriptions=tuple(_read("subscribe", s.text, values) for s in feed.subscriptions),
        heartbeats=tuple(_read("heartbeat", h.text, values) for h in feed.heartbeats),
        answers=tuple(_read("answer", a.send, values) for a in feed.answers),
        proxy=_proxy_of(feed, url, values),
        values=frozenset(values),
    )


def proxy_to(feed: Feed, url: str) -> tuple[Proxy | None, frozenset[str]]:
    """The proxy through which ``url`` is connected to, and the secrets in it.

    :param url: the feed's own, or one that it leads to, well-formed.
    :raises OptionError: as :func:`check_feed`, for ``proxy``.
    """
    values: set[str] = set()
    return _proxy_of(feed, url, values), frozenset(values)


def _proxy_of(feed: Feed, url: str, values: set[str]) -> Proxy | None:
    if feed.proxy is not None:
        return None if feed.proxy.lower() in NO_PROXY else _proxy(feed.proxy, values)
    found = environment_proxy(url)
    if found is None:
        return None
    variable, text = found
    try:
        return _proxy(text.replace("${", "$${"), values)  # nothing is expanded there
    except OptionError as error:
        raise OptionError("proxy", f"{variable} in the environment: {error.problem}") from None


def _read(option: str, text: str, values: set[str]) -> str:
    try:
        return (expand_url if option in ("url", "proxy") else expand)(text, values)
    except SecretError as error:
        raise OptionError(option, str(error)) from None


def _basic(user: str, password: str) -> str:
    """The value of an Authorization header (RFC 7617), in UTF-8."""
    if ":" in user:
        raise OptionError("url", "a user name may not hold a colon (RFC 7617)")
    if re.search(r"[\x00-\x1f\x7f\ufffd]", user + password):
        raise OptionError("url", "user name or password hold what is no UTF-8 text")
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _in_ascii(url: str) -> str:
    """``url`` with its host as it goes into the Host header (IDNA)."""
    parts = urlsplit(url)
    if parts.netloc.isascii():
        return url
    host = (parts.hostname or "").encode("idna").decode()
    return urlunsplit(parts._replace(netloc=host + (f":{parts.port}" if parts.port else "")))


def _proxy(text: str, values: set[str]) -> Proxy:
    expanded = _read("proxy", text, values)
    check_proxy(text, expanded)
    url, credentials = user_info(expanded)
    parts = urlsplit(url)
    user, password = credentials or (None, "")
    if parts.scheme.startswith("socks") and not f"{user}{password}".isascii():
        raise OptionError("proxy", "user name and password for a SOCKS proxy must be ASCII")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return Proxy(parts.scheme, parts.hostname or "", port, user, password)


def _quoted(text: str) -> str:
    return quote(text, safe="")
