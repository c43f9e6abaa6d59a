"""What a connect needs of a feed, with the secrets in their places.

:func:`check_feed` tries all of it before anything is captured, but runs no command.
:func:`access_to` reads it anew for each connect, since secrets change.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

from fastingest.access.command import run_command
from fastingest.access.environment import environment_proxy
from fastingest.access.references import SecretError, starts_with_command
from fastingest.access.secrets import (
    Answers,
    Redactor,
    Unanswered,
    expand,
    expand_url,
    user_info,
)
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
    _endpoint(feed, Answers(is_trial=True))
    files = (feed.ca_file, feed.cert_file, feed.key_file)
    if any(file is not None for file in files):
        client_context(*files)


async def access_to(feed: Feed) -> Endpoint:
    """Read the secrets of ``feed`` anew, and run its commands, each once.

    All its texts have the same time.

    :raises OptionError: as :func:`check_feed`, for texts; or a command fails.
    """
    answers = Answers()
    while True:
        try:
            return _endpoint(feed, answers)
        except _Waiting as waiting:
            words, values = waiting.command.words, waiting.command.values
            try:
                answers.outputs[words] = await run_command(words)
            except SecretError as error:
                redactor = Redactor()  # what the command has said may repeat what it was told
                redactor.use(values | _named_in(words))
                raise OptionError(waiting.option, redactor.hide(str(error))) from None


def _named_in(words: Sequence[str]) -> set[str]:
    """The values of the environment variables that a command names, and may read itself."""
    names = set(re.findall(r"\w+", " ".join(words)))
    return {value for name, value in os.environ.items() if name in names}


class _Waiting(Exception):
    """A command has to be run, for a text of ``option``."""

    def __init__(self, option: str, command: Unanswered) -> None:
        super().__init__(option)
        self.option = option
        self.command = command


def _endpoint(feed: Feed, answers: Answers) -> Endpoint:
    values: set[str] = set()

    def read(option: str, text: str) -> str:
        try:
            return (expand_url if option in ("url", "proxy") else expand)(text, values, answers)
        except SecretError as error:
            raise OptionError(option, str(error)) from None
        except Unanswered as command:
            raise _Waiting(option, command) from None

    expanded = read("url", feed.url)
    if not (answers.is_trial and starts_with_command(feed.url)):
        check_url(feed.url, expanded)
    url, credentials = user_info(expanded)
    headers = [parse_header(line, read("header", line).partition(":")[2]) for line in feed.headers]
    if credentials is not None:
        if any(name.lower() == "authorization" for name, _ in headers):
            raise OptionError(
                "header", "Authorization is given, and so is a user name in the URL; keep one"
            )
        headers.append(("Authorization", _basic(*credentials)))
    proxy = None
    if feed.proxy is None:
        proxy = _environment_proxy(url, values)
    elif feed.proxy.lower() not in NO_PROXY:
        expanded = read("proxy", feed.proxy)
        if not (answers.is_trial and starts_with_command(feed.proxy)):
            proxy = _proxy(feed.proxy, expanded)
    return Endpoint(
        url=_in_ascii(url),
        headers=tuple(headers),
        subscriptions=tuple(read("subscribe", each.text) for each in feed.subscriptions),
        heartbeats=tuple(read("heartbeat", each.text) for each in feed.heartbeats),
        answers=tuple(read("answer", each.send) for each in feed.answers),
        proxy=proxy,
        values=frozenset(values),
    )


def proxy_to(feed: Feed, url: str, endpoint: Endpoint) -> tuple[Proxy | None, frozenset[str]]:
    """The proxy through which ``url`` is connected to, and the secrets in it.

    :param url: one that the feed's own leads to, well-formed.
    :param endpoint: what was made for the feed's own.
    :raises OptionError: as :func:`check_feed`, for ``proxy``.
    """
    if feed.proxy is not None:
        return endpoint.proxy, frozenset()
    values: set[str] = set()
    return _environment_proxy(url, values), frozenset(values)


def _environment_proxy(url: str, values: set[str]) -> Proxy | None:
    found = environment_proxy(url)
    if found is None:
        return None
    variable, text = found
    written = text.replace("${", "$${")  # nothing is expanded there
    try:
        return _proxy(written, expand_url(written, values))
    except OptionError as error:
        raise OptionError("proxy", f"{variable} in the environment: {error.problem}") from None


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


def _proxy(written: str, expanded: str) -> Proxy:
    check_proxy(written, expanded)
    url, credentials = user_info(expanded)
    parts = urlsplit(url)
    user, password = credentials or (None, "")
    if parts.scheme.startswith("socks") and not f"{user}{password}".isascii():
        raise OptionError("proxy", "user name and password for a SOCKS proxy must be ASCII")
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return Proxy(parts.scheme, parts.hostname or "", port, user, password)


def _quoted(text: str) -> str:
    return quote(text, safe="")
