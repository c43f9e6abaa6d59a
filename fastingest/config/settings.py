"""Every setting of a run, once: its type, unit, default, what ``None`` means, and its line of help.

The command line, the environment variables and the help text are made from the fields of
:class:`Settings`; a default stands nowhere else. Numbers that people write carry a unit
(:func:`parse_duration`, :func:`parse_size`); inside the program durations are seconds and sizes are
bytes.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from fastingest.access.urls import parse_header
from fastingest.errors import OptionError
from fastingest.model.batch import LANES
from fastingest.units import (
    format_duration,
    format_size,
    parse_duration,
    parse_size,
)

__all__ = [
    "Settings",
    "Texts",
    "format_fsync",
    "parse_fsync",
    "read_subscription",
    "setting",
]


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
    """A field of :class:`Settings`.

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
class Settings:
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
    return Settings.__dataclass_fields__[name].metadata


def _is_optional(name: str) -> bool:
    return "None" in str(Settings.__dataclass_fields__[name].type)


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
