"""Every setting of a run, once: its type, unit, default, what ``None`` means, and its line of help.

The command line, the environment variables and the help text are made from the fields of
:class:`Options`; a default stands nowhere else. Numbers that people write carry a unit
(:func:`parse_duration`, :func:`parse_size`); inside the program durations are seconds and sizes are
bytes.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from fastingest.access.secrets import SecretError, expand_url, shown
from fastingest.errors import OptionError
from fastingest.model.batch import LANES
from fastingest.model.feed import MOST_FEEDS, Feed

__all__ = [
    "Options",
    "check_expanded_url",
    "check_proxy",
    "check_url",
    "format_duration",
    "format_size",
    "parse_duration",
    "parse_size",
]

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_QUANTITY = re.compile(r"([+-]?(?:\d+(?:\.\d*)?|\.\d+))\s*([a-zA-Z]*)")


def _parse_quantity(text: str, units: dict[str, Any], what: str, example: str) -> float:
    match = _QUANTITY.fullmatch(text.strip())
    if match is None or (match[2] and match[2].lower() not in units):
        raise ValueError(f"{text!r} is no {what}; write for example {example}")
    if not match[2] and float(match[1]) != 0:
        raise ValueError(f"{text!r} has no unit; write for example {example}")
    return float(match[1]) * float(units[match[2].lower()] if match[2] else 1)


def parse_duration(text: str) -> float:
    """Seconds in a text such as ``250ms``, ``1.5s``, ``10m``, ``2h`` or ``1d``.

    :raises ValueError: the text is no number with a unit of time; only zero may go without one.
    """
    return _parse_quantity(text, _SECONDS, "duration", "250ms, 10s or 5m")


def parse_size(text: str) -> int:
    """Bytes in a text such as ``64KiB``, ``16MiB`` (powers of two) or ``10MB`` (powers of ten).

    :raises ValueError: the text is no number with a unit of size; only zero may go without one.
    """
    return round(_parse_quantity(text, _BYTES, "size", "64KiB or 16MiB"))


def format_duration(seconds: float) -> str:
    """``seconds`` as :func:`parse_duration` reads it, in the largest unit that keeps it short."""
    if seconds < 0:
        return f"-{format_duration(-seconds)}"
    for unit, length in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    if seconds >= 1 or seconds == 0:
        return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{seconds * 1e3:.3f}".rstrip("0").rstrip(".") + "ms"


def format_size(size: float) -> str:
    """``size`` bytes in binary units, with one decimal above a KiB unless it is whole."""
    for unit, length in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if size >= length:
            return f"{size / length:.1f}".removesuffix(".0") + unit
    return f"{size:.0f}B"


def parse_fsync(text: str) -> float | None:
    """Seconds between two syncs; 0.0 for ``batch``, None for ``never``.

    :raises ValueError: the text is neither of them, nor a duration.
    """
    named = {"never": None, "batch": 0.0}
    if text in named:
        return named[text]
    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither never, nor batch, nor a duration such as 1s"
        ) from None


def format_fsync(seconds: float | None) -> str:
    """As :func:`parse_fsync` reads it."""
    if seconds is None:
        return "never"
    return format_duration(seconds) if seconds else "batch"


def setting(
    help: str,  # noqa: A002 - the field's standard name, as in argparse
    default: Any = dataclasses.MISSING,
    *,
    parse: Callable[[str], Any] | None = None,
    show: Callable[[Any], str] = str,
    metavar: str = "",
    off: bool = False,
) -> Any:
    """A field of :class:`Options`.

    :param help: its line of help.
    :param parse: reads what a person wrote; None where the type alone says how.
    :param show: writes a value the way ``parse`` reads it, for the help text.
    :param metavar: what the help text shows for the value.
    :param off: whether ``off`` may be written, meaning None.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "parse": parse,
            "show": show,
            "metavar": metavar,
            "off": off,
        },
    )


def _duration(help: str, default: float | None, *, off: bool = False) -> Any:  # noqa: A002
    return setting(
        help, default, parse=parse_duration, show=format_duration, metavar="DURATION", off=off
    )


def _size(help: str, default: int | None, *, off: bool = False) -> Any:  # noqa: A002
    return setting(help, default, parse=parse_size, show=format_size, metavar="SIZE", off=off)


Texts: TypeAlias = tuple[str, ...] | str
"""Several texts, or one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options:
    """What to capture, where to, and how. Durations are in seconds, sizes in bytes.

    :raises OptionError: a value cannot be used; the message names the setting and what it may be.
    """

    url: Texts = setting(
        "WebSocket feed to capture: ws://, wss://, or demo:// for a made-up one; repeatable.",
        (),
        metavar="URL",
    )
    out: Path = setting("CSV file to append to.", Path("stock_data.csv"), metavar="PATH")
    feed: Texts = setting(
        "Known feed to capture, see fastingest feeds; a --url replaces its own; repeatable.",
        (),
        metavar="NAME",
    )
    symbols: Texts = setting(
        "What to subscribe to at known feeds, with commas: BTCUSDT,ETHUSDT.", (), metavar="NAMES"
    )
    config: Path | None = setting(
        "TOML file that describes feeds and tables, see fastingest check.", None, metavar="PATH"
    )
    columns: str | None = setting(
        "Columns of the file: 'symbol:str=s, price:float=p, time:timestamp[ms]=T'.",
        None,
        metavar="TEXT",
    )
    rows: str | None = setting(
        "Where in a message its rows are: data, data.trades, [1]; without, it is itself one.",
        None,
        metavar="PATH",
    )
    where: tuple[str, ...] = setting(
        "Take only what says so: '$.data.e=trade'; repeatable, all must hold.", (), metavar="TEXT"
    )
    receivers: int = setting("Processes that share the feeds.", 1)
    batch_size: int = setting("Rows that travel to the file together at most.", 50_000)
    flush_interval: float = _duration("A row waits no longer than this for its batch.", 0.25)
    max_rows: int | None = setting("Stop by itself after exactly this many rows.", None)
    duration: float | None = _duration("Stop by itself after this long.", None)
    header: tuple[str, ...] = setting(
        "Header for the opening request, as 'Name: value'; repeatable.", (), metavar="TEXT"
    )
    subscribe: tuple[str, ...] = setting(
        "Text to send after every connect, @file reads it from a file; repeatable, in order.",
        (),
        metavar="TEXT",
    )
    ping_interval: float | None = _duration(
        "Silence after which the server is pinged; a ping not answered for as long reconnects.",
        20.0,
        off=True,
    )
    idle_timeout: float | None = _duration(
        "Reconnect after this long without a message.", 300.0, off=True
    )
    reconnect_initial: float = _duration("Longest first wait before a reconnect.", 0.5)
    reconnect_max: float = _duration(
        "Longest wait before a reconnect, unless the server asks for more.", 30.0
    )
    max_message_size: int = _size(
        "A larger message closes the connection (code 1009) and reconnects.", 16 * 2**20
    )
    memory_limit: int = _size(
        "Rows that the writer has not taken yet wait in memory up to this.", 256 * 2**20
    )
    spill_limit: int = _size("And then on disk up to this.", 8 * 2**30)
    spill_dir: Path | None = setting(
        "Directory for them on disk, instead of the output's.", None, metavar="PATH"
    )
    when_full: str = setting(
        "And then: block (do not read the feed), drop (new rows, counted) or exit (status 3).",
        "block",
        metavar="WHAT",
    )
    fsync: float | None = setting(
        "How often the output is synced to the disk: never, a duration, or batch (each of them).",
        1.0,
        parse=parse_fsync,
        show=format_fsync,
        metavar="WHEN",
    )
    min_free: int = _size(
        "Do not append, nor keep rejects, while less than this would stay free on the disk.",
        256 * 2**20,
    )
    max_rejects: int | None = _size(
        "Rejects that a run keeps of an output; further ones are counted, and sampled.",
        2**30,
        off=True,
    )
    escape_formulas: bool = setting(
        "Write text that a spreadsheet takes for a formula (=, +, -, @ in front) behind a '.", False
    )
    journal: str = setting(
        "off, for comparing: keep none; whatever process dies ends the run, and costs what waits.",
        "on",
        metavar="on|off",
    )
    compression: str = setting(
        "deflate offers permessage-deflate to the server, off does not.", "off", metavar="WHAT"
    )
    ca_file: Path | None = setting(
        "PEM file of the certificate authorities to trust, instead of the system's.",
        None,
        metavar="PATH",
    )
    cert_file: Path | None = setting(
        "PEM file of our own certificate, for a server that asks for one.", None, metavar="PATH"
    )
    key_file: Path | None = setting(
        "PEM file of its key, where that is another one.", None, metavar="PATH"
    )
    proxy: str | None = setting(
        "Proxy to connect through: http://, https://, socks4:// or socks5://.", None, metavar="URL"
    )
    log_level: str = setting(
        "Least level that is logged: debug, info, warning or error.", "info", metavar="LEVEL"
    )
    log_format: str = setting(
        "How log lines and the summary are written: text or json.", "text", metavar="FORMAT"
    )
    quiet: bool = setting("Show warnings and errors only: no view, no progress, no summary.", False)

    feeds: tuple[Feed, ...] = dataclasses.field(init=False, repr=False, compare=False)
    """What is captured, as all of these settings together describe it; at least one."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "out", Path(self.out))
        for name in ("url", "feed", "header", "where"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        symbols: Any = self.symbols
        symbols = (symbols,) if isinstance(symbols, str) else symbols
        split = [each.strip() for text in symbols for each in text.split(",")]
        object.__setattr__(self, "symbols", tuple(filter(None, split)))
        # Read once, and here: what stands behind @ may be a pipe, or change.
        object.__setattr__(self, "subscribe", tuple(map(read_subscription, self.subscribe)))
        for name in ("ca_file", "cert_file", "key_file", "config", "spill_dir"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)))
        self._check_range("receivers", 1, LANES, int)
        self._check_range("batch_size", 1, 1_000_000, int)
        self._check_range("flush_interval", 1e-3, 3600)
        self._check_range("max_rows", 1, 2**63, int)
        self._check_range("duration", 1e-3, float("inf"))
        self._check_range("ping_interval", 1e-2, 86400)
        self._check_range("idle_timeout", 1e-2, float("inf"))
        self._check_range("reconnect_initial", 1e-3, 86400)
        self._check_range("reconnect_max", 1e-3, 86400)
        self._check_range("max_message_size", 1, 2**30, int)
        self._check_range("memory_limit", 2**20, 2**50, int)
        self._check_range("spill_limit", 0, 2**60, int)
        self._check_range("fsync", 0, 86400)
        self._check_range("min_free", 0, 2**60, int)
        self._check_range("max_rejects", 0, 2**60, int)
        if self.reconnect_initial > self.reconnect_max:
            raise OptionError(
                "reconnect_initial",
                f"{format_duration(self.reconnect_initial)} is longer than --reconnect-max "
                f"({format_duration(self.reconnect_max)})",
            )
        for line in self.header:
            parse_header(line)
        if self.spill_dir is not None and not self.spill_dir.is_dir():
            raise OptionError("spill_dir", f"{self.spill_dir} is not a directory; make it first")
        if self.spill_dir is not None and not os.access(self.spill_dir, os.W_OK | os.X_OK):
            raise OptionError("spill_dir", f"{self.spill_dir} may not be written")
        self._check_choice("when_full", ("block", "drop", "exit"))
        self._check_choice("journal", ("on", "off"))
        self._check_choice("log_level", ("debug", "info", "warning", "error"))
        self._check_choice("log_format", ("text", "json"))
        self._check_choice("compression", ("off", "deflate"))
        from fastingest.config.resolve import feeds_of  # which needs this module

        object.__setattr__(self, "feeds", feeds_of(self))
        if len(self.feeds) > MOST_FEEDS:
            raise OptionError(
                "url", f"{len(self.feeds):,} feeds are too many; {MOST_FEEDS:,} is the most"
            )
        if self.max_rows is not None and min(self.receivers, len(self.feeds)) > 1:
            raise OptionError(
                "max_rows",
                "is exact within one receiver only; leave --receivers at 1, or end by --duration",
            )

    def _check_range(
        self, name: str, least: float, most: float, kind: type[int] | type[float] = float
    ) -> None:
        value = getattr(self, name)
        if value is None and _is_optional(name):
            return
        if isinstance(value, bool) or not isinstance(value, (int, kind)):
            raise OptionError(name, f"{value!r} is not {'a whole' if kind is int else 'a'} number")
        if not least <= value <= most:
            show: Callable[[Any], str] = _metadata(name)["show"]
            limit = f"at least {show(least)}" if value < least else f"at most {show(most)}"
            raise OptionError(name, f"{show(value)} is out of range; it must be {limit}")

    def _check_choice(self, name: str, choices: tuple[str, ...]) -> None:
        value = getattr(self, name)
        if value not in choices:
            raise OptionError(name, f"{value!r} is not one of {', '.join(choices)}")


def _metadata(name: str) -> Any:
    return Options.__dataclass_fields__[name].metadata


def _is_optional(name: str) -> bool:
    return "None" in str(Options.__dataclass_fields__[name].type)


def parse_header(line: str, value: str | None = None) -> tuple[str, str]:
    """The name and the value of a ``Name: value`` line (RFC 9110, section 5).

    :param value: the value with the secrets in their places; None: as it stands in the line.
    :raises OptionError: there is no colon, the name is no token, or the value has a line break.
    """
    name, colon, written = line.partition(":")
    if not colon or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name.strip()):
        raise OptionError("header", f"{line!r} is not of the form 'Name: value'")
    value = written if value is None else value
    # 0x20 to 0x7e and the tab: what RFC 9110 calls a field value, less the obsolete octets.
    if not re.fullmatch(r"[\t\x20-\x7e]*", value):
        raise OptionError(
            "header", f"the value of {name.strip()!r} holds a character that no header may"
        )
    return name.strip(), value.strip()


def read_subscription(text: str) -> str:
    """The text to send: ``text`` itself, or what stands in FILE where it is ``@FILE``.

    :raises OptionError: the file cannot be read, or is not UTF-8.
    """
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text("utf-8")
    except OSError as error:
        raise OptionError("subscribe", f"{text[1:]}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OptionError("subscribe", f"{text[1:]}: is not UTF-8") from None


def check_url(url: str) -> None:
    """Refuse what is no URL of a feed, with its secrets in their places.

    :raises OptionError: it is none, or a secret cannot be read; the message says why.
    """
    if not isinstance(url, str) or not url:
        raise OptionError("url", "no feed was named; write for example --url wss://host/path")
    try:
        check_expanded_url(url, expand_url(url))
    except SecretError as error:
        raise OptionError("url", str(error)) from None


def check_expanded_url(written: str, url: str) -> None:
    """As :func:`check_url`, once the secrets were read.

    :param written: the URL as it was written, for messages.
    :param url: the URL with the secrets in their places.
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
            f"{shown(written)!r} must be http://, https://, socks4:// or socks5:// and a host",
        )
