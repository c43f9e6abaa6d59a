"""What a ``demo://`` URL asks the synthetic exchange for.

``demo://?rate=50000&symbols=50&burst=10&drop-every=30s&sequence=1``: no host, since the exchange is
started on loopback for the run; every parameter is optional, and none may be given twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from fastingest.units import parse_duration

__all__ = ["DemoSettings", "parse"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """What the synthetic exchange sends. :func:`parse` checks the ranges; this class does not.

    :param rate: rows a second, on average.
    :param symbols: how many instruments are traded.
    :param burst: how many times the average rate the feed runs at during a burst; 1 is steady.
    :param drop_every: seconds that a connection lives before the exchange cuts it without a close
        frame. None keeps it.
    :param sequence: whether the volumes count 0, 1, 2, … over the life of the exchange, so that a
        reader can tell whether every row is there, once, in order.
    :param rows: rows in all, after which connections are closed with code 1000. None is endless.
    :param seed: the same seed makes the same walks.
    """

    rate: float = 10_000.0
    symbols: int = 50
    burst: float = 10.0
    drop_every: float | None = None
    sequence: bool = False
    rows: int | None = None
    seed: int = 0


def _number(
    convert: Callable[[str], float], least: float, most: float, *, open_below: bool = False
) -> Callable[[str], float]:
    def read(text: str) -> float:
        value = convert(text)
        # Written so that a NaN, which compares false with everything, is refused.
        if not (least < value <= most if open_below else least <= value <= most):
            raise ValueError(text)
        return value

    return read


def _flag(text: str) -> bool:
    return {"0": False, "1": True}[text]


_MAX_ROWS = 10**15

# Parameter: how its text is read (ValueError or KeyError: it may not be), and what is allowed.
_PARAMETERS: dict[str, tuple[Callable[[str], Any], str]] = {
    "rate": (
        _number(float, 0, 10_000_000, open_below=True),
        "rows a second, above 0 and at most 10 million",
    ),
    "symbols": (_number(int, 1, 10_000), "a whole number from 1 to 10000"),
    "burst": (_number(float, 1, 1000), "a number from 1 (steady) to 1000"),
    "drop-every": (
        _number(parse_duration, 0.01, 86_400),
        "a duration with its unit from 10ms to 24h, such as 30s",
    ),
    "sequence": (_flag, "0 or 1"),
    "rows": (_number(int, 1, _MAX_ROWS), f"a whole number from 1 to {_MAX_ROWS}"),
    "seed": (_number(int, -(2**63), 2**63), "a whole number of at most 63 bits"),
}


def parse(url: str) -> DemoSettings:
    """The settings in a ``demo://`` URL.

    :raises ValueError: it is no such URL, or names a host or a path; or a parameter is unknown, is
        there twice, or has a value that is not allowed. The message is one sentence.
    """
    scheme, separator, rest = url.partition("://")
    if scheme.lower() != "demo" or not separator:
        raise ValueError(f"the URL {url!r} does not begin with demo://")
    place, _, query = rest.partition("?")
    if place not in ("", "/"):
        raise ValueError(
            f"the demo URL names the host or path {place!r}, but takes none; "
            "parameters follow a question mark, as in demo://?rate=50000"
        )
    values: dict[str, Any] = {}
    for name, text in parse_qsl(query, keep_blank_values=True):
        if name not in _PARAMETERS:
            raise ValueError(
                f"the demo URL's parameter {name!r} is unknown; "
                f"it may be one of {', '.join(_PARAMETERS)}"
            )
        field = name.replace("-", "_")
        if field in values:
            raise ValueError(f"the demo URL's parameter {name!r} is there twice; give it once")
        read, allowed = _PARAMETERS[name]
        try:
            values[field] = read(text)
        except (ValueError, KeyError):
            raise ValueError(
                f"the demo URL's parameter {name!r} is {text!r}, but must be {allowed}"
            ) from None
    return DemoSettings(**values)
