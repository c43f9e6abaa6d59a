"""The proxy that the environment names: what curl takes from there, and most programs with it.

Where a feed names no proxy, the first of these variables that is set says it; each in lower case,
or else in upper case. Without a scheme it is an ``http`` one. An empty one counts as not set.

==========  ===================================================
``wss://``  ``wss_proxy``, ``https_proxy``, ``all_proxy``
``ws://``   ``ws_proxy``, ``http_proxy``, ``all_proxy``
==========  ===================================================

``no_proxy`` names hosts that are connected to without one, with commas or blanks: ``example.com``
and ``.example.com`` (it, and all below it), an address, a network (``10.0.0.0/8``), each with or
without a port; ``*`` is all. This machine itself, ``localhost`` and loopback addresses, never has
one, since an exchange of our own is there, and a proxy elsewhere would not find it. ``HTTP_PROXY``
is not read where ``REQUEST_METHOD`` is set: a CGI program gets it from whoever asks it.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

__all__ = ["environment_proxy"]

_NAMES = {
    "wss": ("wss_proxy", "https_proxy", "all_proxy"),
    "ws": ("ws_proxy", "http_proxy", "all_proxy"),
}
_DEFAULT_PORTS = {"wss": 443, "ws": 80}
_SCHEMES = {"socks": "socks4", "socks5h": "socks5"}  # curl's names, and ours


def environment_proxy(url: str) -> tuple[str, str] | None:
    """The variable that names the proxy for ``url``, and the proxy's URL; None: there is none.

    :param url: of a feed, well-formed.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    for name in _names(parts.scheme):
        value = os.environ.get(name, "").strip()
        if value:
            port = parts.port or _DEFAULT_PORTS[parts.scheme]
            return None if _is_direct(host, port) else (name, _with_scheme(value))
    return None


def _names(scheme: str) -> Iterator[str]:
    for name in _NAMES.get(scheme, ()):
        yield name
        if name != "http_proxy" or "REQUEST_METHOD" not in os.environ:
            yield name.upper()


def _with_scheme(value: str) -> str:
    scheme, colon, rest = value.partition("://")
    return (
        f"{_SCHEMES.get(scheme.lower(), scheme.lower())}://{rest}" if colon else f"http://{value}"
    )


def _is_direct(host: str, port: int) -> bool:
    """Whether a host is connected to without a proxy."""
    address = _address(host)
    if host == "localhost" or (address is not None and address.is_loopback):
        return True
    said = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    return any(_names_it(each, host, address, port) for each in re.split(r"[,\s]+", said) if each)


def _names_it(
    entry: str,
    host: str,
    address: ipaddress.IPv4Address | ipaddress.IPv6Address | None,
    port: int,
) -> bool:
    """Whether an entry of ``no_proxy`` names a host."""
    entry = entry.lower()
    if entry == "*":
        return True
    if with_port := re.fullmatch(r"(\[[^\]]*\]|[^:]*):(\d+)", entry):
        if int(with_port[2]) != port:
            return False
        entry = with_port[1]
    entry = entry.strip("[]")
    if address is None:
        name = entry.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith("." + name))
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:  # a name
        return False


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
