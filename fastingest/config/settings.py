"""Every setting of a run, once: its type, unit, default, what ``None`` means, and its line of help.

The command line, the environment variables and the help text are made from the fields of
:class:`Settings`; a default stands nowhere else. Numbers that people write carry a unit
(:func:`parse_duration`, :func:`parse_size`); inside the program durations are seconds and sizes are
bytes.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

from fastingest.access.urls import parse_header
from fastingest.config.setting import (
    check_choice,
    check_range,
    duration_setting,
    format_fsync,
    parse_fsync,
    read_subscription,
    read_value,
    setting,
    size_setting,
)
from fastingest.errors import OptionError
from fastingest.model.batch import PARTITIONS
from fastingest.model.feed import SPLITS, WHEN_STALE
from fastingest.storage.ownership import check_writable
from fastingest.units import format_duration

__all__ = ["Settings", "Texts"]

_FIRST_WAIT = 0.5

Texts: TypeAlias = tuple[str, ...] | str
"""Several texts, or one."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What to capture, where to, and how. Durations are in seconds, sizes in bytes.

    Either may be given as on the command line, ``"10s"`` or ``"64MiB"``, and becomes a number; a
    path may be given as text.

    :raises OptionError: a value cannot be used; the message names the setting and what it may be.
    """

    url: Texts = setting(
        "WebSocket feed to capture: ws://, wss://, or demo:// for a synthetic one; repeatable.",
        (),
        metavar="URL",
    )
    out: Path | str = setting("CSV file to append to.", Path("stock_data.csv"), metavar="PATH")
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
    columns: str | Sequence[str] | None = setting(
        "Columns of the file: 'symbol:str=s, price:float=p, time:timestamp[ms]=T'.",
        None,
        metavar="TEXT",
    )
    rows: str | None = setting(
        "Where in a message its rows are: data, events[*].trades, [1]; without, it is itself one.",
        None,
        metavar="PATH",
    )
    where: Texts = setting(
        "Take only what says so: '$.data.e=trade'; repeatable, all must hold.", (), metavar="TEXT"
    )
    receivers: int = setting("Processes that share the feeds.", 1, limits=(1, PARTITIONS))
    batch_size: int = setting(
        "Rows that travel to the file together at most.", 50_000, limits=(1, 1_000_000)
    )
    flush_interval: float = duration_setting(
        "A row waits no longer than this for its batch.", 0.25, (1e-3, 3600)
    )
    max_rows: int | None = setting(
        "Stop by itself after exactly this many rows.", None, limits=(1, 2**63)
    )
    duration: float | str | None = duration_setting(
        "Stop by itself after this long.", None, (1e-3, math.inf)
    )
    header: Texts = setting(
        "Header for the opening request, as 'Name: value'; repeatable.", (), metavar="TEXT"
    )
    subscribe: Texts = setting(
        "Text to send after every connect, @file reads it from a file; repeatable, in order.",
        (),
        metavar="TEXT",
    )
    strip: Texts = setting(
        "Prefix to cut off messages that begin with it, as 42 of socket.io; repeatable.",
        (),
        metavar="TEXT",
    )
    split: str | None = setting(
        "Take a message for several: lines (each is one), records (ASCII 30 stands between).",
        None,
        metavar="WHAT",
        choices=SPLITS,
    )
    connect_timeout: float = duration_setting(
        "A connect may take this long in all, until the server has agreed.", 10.0, (1e-2, 86400)
    )
    ping_interval: float | None = duration_setting(
        "Silence after which the server is pinged; a ping not answered for as long reconnects.",
        20.0,
        (1e-2, 86400),
        off=True,
    )
    idle_timeout: float | None = duration_setting(
        "Reconnect after this long without a message that brings a row or a reject.",
        300.0,
        (1e-2, math.inf),
        off=True,
    )
    stale_after: float | None = duration_setting(
        "Say of a feed, or of a symbol, that it is stale after this long without a row.",
        None,
        (1e-2, math.inf),
        off=True,
    )
    stale_by: str | None = setting(
        "Column of which each value may be stale by itself, and each symbol that was asked for.",
        None,
        metavar="COLUMN",
    )
    when_stale: str | None = setting(
        "What is done then: warn (say so), or reconnect as well.",
        None,
        metavar="WHAT",
        choices=WHEN_STALE,
    )
    reconnect_initial: float = duration_setting(
        "Longest first wait before a reconnect.", _FIRST_WAIT, (1e-3, 86400)
    )
    reconnect_max: float = duration_setting(
        "Longest wait before a reconnect, unless the server asks for more.", 30.0, (1e-3, 86400)
    )
    max_message_size: int = size_setting(
        "A larger message closes the connection (code 1009) and reconnects.", 16 * 2**20, (1, 2**30)
    )
    memory_limit: int = size_setting(
        "Rows that the writer has not taken yet wait in memory up to this.",
        256 * 2**20,
        (2**20, 2**50),
    )
    spill_limit: int = size_setting("And then on disk up to this.", 8 * 2**30, (0, 2**60))
    spill_dir: Path | None = setting(
        "Directory for them on disk, instead of the output's.", None, metavar="PATH"
    )
    strict: bool = setting(
        "End with status 2 when a feed refuses anything, with 3 if something is stale at the end.",
        False,
    )
    when_full: str = setting(
        "And then: block (do not read the feed), drop (new rows, counted) or exit (status 3).",
        "block",
        metavar="WHAT",
        choices=("block", "drop", "exit"),
    )
    fsync: float | None = setting(
        "How often the output is synced to the disk: never, a duration, or batch (each of them).",
        1.0,
        parse=parse_fsync,
        show=format_fsync,
        metavar="WHEN",
        limits=(0, 86400),
    )
    min_free: int = size_setting(
        "Do not append, nor keep rejects, while less than this would stay free on the disk.",
        256 * 2**20,
        (0, 2**60),
    )
    max_rejects: int | None = size_setting(
        "Rejects that a run keeps of an output; further ones are counted, and sampled.",
        2**30,
        (0, 2**60),
        off=True,
    )
    escape_formulas: bool = setting(
        "Write text that a spreadsheet takes for a formula (=, +, -, @ in front) behind a '.", False
    )
    journal: str = setting(
        "off, for comparing: keep none; whatever process dies ends the run, and costs what waits.",
        "on",
        metavar="on|off",
        choices=("on", "off"),
    )
    compression: str = setting(
        "deflate offers permessage-deflate to the server, off does not.",
        "off",
        metavar="WHAT",
        choices=("off", "deflate"),
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
        "Proxy to connect through: http://, https://, socks4:// or socks5://; "
        "off: not even one that the environment names (HTTPS_PROXY, ALL_PROXY).",
        None,
        metavar="URL",
    )
    log_level: str = setting(
        "Least level that is logged: debug, info, warning or error.",
        "info",
        metavar="LEVEL",
        choices=("debug", "info", "warning", "error"),
    )
    log_format: str = setting(
        "How log lines and the summary are written: text or json.",
        "text",
        metavar="FORMAT",
        choices=("text", "json"),
    )
    quiet: bool = setting("Show warnings and errors only: no view, no progress, no summary.", False)

    @property
    def run_length(self) -> float | None:
        """:attr:`duration`, in seconds."""
        return None if self.duration is None else float(self.duration)

    def __post_init__(self) -> None:
        self._normalize()
        for field in dataclasses.fields(Settings):
            check_range(field, getattr(self, field.name))
        if self.reconnect_initial > self.reconnect_max:
            if self.reconnect_initial != _FIRST_WAIT:  # it was given
                raise OptionError(
                    "reconnect_initial",
                    f"{format_duration(self.reconnect_initial)} is longer than --reconnect-max "
                    f"({format_duration(self.reconnect_max)})",
                )
            object.__setattr__(self, "reconnect_initial", self.reconnect_max)
        for line in self.header:
            parse_header(line)
        if "" in self.strip:
            raise OptionError("strip", "every message begins with nothing; write for example 42")
        if self.spill_dir is not None:
            _check_directory("spill_dir", self.spill_dir)
        for field in dataclasses.fields(Settings):
            check_choice(field, getattr(self, field.name))

    def _normalize(self) -> None:
        """Bring what was given in another form to the field's type."""
        for field in dataclasses.fields(Settings):
            given = getattr(self, field.name)
            if isinstance(given, str):
                object.__setattr__(self, field.name, read_value(field, given))
        object.__setattr__(self, "out", Path(self.out))
        for name in ("url", "feed", "header", "where", "subscribe", "strip"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        if self.columns is not None and not isinstance(self.columns, str):
            object.__setattr__(self, "columns", tuple(self.columns))
        symbols: Any = self.symbols
        symbols = (symbols,) if isinstance(symbols, str) else symbols
        split = [each.strip() for text in symbols for each in text.split(",")]
        object.__setattr__(self, "symbols", tuple(filter(None, split)))
        # Read once, and here: what stands behind @ may be a pipe, or change.
        object.__setattr__(self, "subscribe", tuple(map(read_subscription, self.subscribe)))
        for name in ("ca_file", "cert_file", "key_file", "config", "spill_dir"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, Path(getattr(self, name)))


def _check_directory(option: str, path: Path) -> None:
    if not path.is_dir():
        raise OptionError(option, f"{path} is not a directory; make it first")
    try:
        check_writable(path)
    except OSError as error:
        raise OptionError(option, f"{path} may not be written: {error.strerror}") from None
    try:
        os.path.realpath(path).encode()
    except UnicodeEncodeError:
        raise OptionError(option, f"the name of {path} is no UTF-8; name another one") from None
