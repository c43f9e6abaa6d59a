"""The URLs of feeds and proxies, and header lines: what is none is refused."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from fastingest.access.references import pieces_of
from fastingest.access.secrets import shown
from fastingest.errors import OptionError

__all__ = ["NO_PROXY", "check_proxy", "check_url", "check_written_url", "parse_header"]

NO_PROXY = ("off", "")
"""What is written where no proxy is wanted, whatever the environment says."""

_BRACKETS = re.compile(r"\[[^\]/?#]*\0[^\]/?#]*\]")  # around a reference: [${ADDRESS}]


def parse_header(line: str, value: str | None = None) -> tuple[str, str]:
    """The name and the value of a ``Name: value`` line (RFC 9110, section 5).

    :param value: the value with the secrets in their places; None: what they are does not matter.
    :raises OptionError: there is no colon, the name is no token, or the value has a line break.
    """
    name, colon, written = line.partition(":")
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name.strip()):
        raise OptionError("header", f"{line!r} is not of the form 'Name: value'")
    value = _filled(written) if value is None else value
    # 0x20 to 0x7e and the tab: what RFC 9110 calls a field value, less the obsolete octets.
    if not re.fullmatch(r"[\t\x20-\x7e]*", value):
        raise OptionError(
            "header", f"the value of {name.strip()!r} holds a character that no header may"
        )
    return name.strip(), value.strip()


def check_url(written: str, url: str) -> None:
    """Refuse what is no URL of a feed.

    :param written: the URL as it was written, for messages.
    :param url: the URL with the secrets in their places.
    :raises OptionError: it is none; the message says why.
    """
    name = repr(shown(written))
    if re.search(r"[\x00-\x20\x7f]", url):
        raise OptionError(
            "url", f"{name} holds a space or a control character; write %20 for a space"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
        host = (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError as error:  # UnicodeError is one
        # What it says may be a part of what is not to be shown.
        why = f": {error}" if shown(written) == url else ""
        raise OptionError("url", f"{name} is malformed{why}") from None
    if parts.scheme == "demo":
        return  # fastingest.demo reads what follows, and says what is wrong with it
    if parts.scheme not in ("ws", "wss"):
        raise OptionError("url", f"{name} must begin with ws://, wss:// or demo://")
    if not host or port == 0:
        raise OptionError(
            "url", f"{name} names no host" if not host else f"{name}: port 0 is no port"
        )
    if parts.fragment:
        raise OptionError("url", f"{name} has a fragment (#…), which WebSocket URLs may not have")


def check_written_url(url: str) -> None:
    """Refuse what can be no URL of a feed, whatever its secrets are.

    :raises OptionError: it is none.
    """
    before, _, _ = url.partition("${")
    if "://" in before or before == url:
        check_url(url, _filled(url))


def _filled(text: str) -> str:
    """``text`` with a digit for each reference: one may stand in a host, in a port, anywhere."""
    marked = "".join(each if isinstance(each, str) else "\0" for each in pieces_of(text))
    return _BRACKETS.sub("[::1]", marked).replace("\0", "1")


def check_proxy(written: str, proxy: str) -> None:
    """Refuse what is no URL of a proxy.

    :param written: the URL as it was written, for messages.
    :param proxy: the URL with the secrets in their places.
    :raises OptionError: it is none.
    """
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https", "socks4", "socks5") and bool(parts.hostname)
        parts.port  # noqa: B018 - raises where it is no number
    except ValueError:
        usable = False
    if not usable or re.search(r"\s", proxy):
        raise OptionError(
            "proxy",
            f"{shown(written)!r} must be http://, https://, socks4:// or socks5:// and a host, "
            "or off",
        )
