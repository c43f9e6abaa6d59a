from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from fastingest import OptionError, Options
from fastingest.access.urls import parse_header
from fastingest.config.settings import format_fsync, parse_fsync, read_subscription


@pytest.mark.parametrize(
    ("text", "seconds"), [("never", None), ("batch", 0.0), ("1s", 1.0), ("250ms", 0.25), ("0", 0.0)]
)
def test_fsync_is_a_word_or_a_duration(text: str, seconds: float | None) -> None:
    assert parse_fsync(text) == seconds
    assert parse_fsync(format_fsync(seconds)) == seconds


@pytest.mark.parametrize("text", ["", "always", "off", "Batch", "1"])
def test_what_is_no_fsync_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is neither never, nor batch, nor a duration such as 1s"):
        parse_fsync(text)


def test_defaults_are_as_documented_types() -> None:
    options = Options(url=("ws://127.0.0.1/",))
    assert options.out == Path("stock_data.csv")
    assert options.header == ()
    assert options.max_rows is None
    assert (options.memory_limit, options.spill_limit, options.min_free) == (2**28, 2**33, 2**28)
    assert (options.fsync, options.when_full, options.journal) == (1.0, "block", "on")
    assert options.spill_dir is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("memory_limit", "256MiB"),
        ("spill_limit", "8GiB"),
        ("spill_dir", None),
        ("when_full", "block"),
        ("fsync", "1s"),
        ("min_free", "256MiB"),
        ("max_rejects", "1GiB"),
        ("journal", "on"),
    ],
)
def test_a_default_is_shown_as_it_is_written(name: str, shown: str | None) -> None:
    """That the help text has it, tests/cli/test_arguments.py sees."""
    field = Options.__dataclass_fields__[name]
    assert (field.metadata["show"](field.default) if field.default is not None else None) == shown


def test_every_setting_has_a_line_of_help() -> None:
    for field in filter(lambda field: field.init, dataclasses.fields(Options)):
        line = field.metadata["help"]
        assert line.endswith(".")
        assert "\n" not in line


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": ""}, "--url: no feed was named"),
        ({"url": "http://host/"}, "must begin with ws://, wss:// or demo://"),
        ({"url": "ws://host/a b"}, "holds a space"),
        ({"url": "ws://host/\n"}, "holds a space or a control character"),
        ({"url": "ws://"}, "names no host"),
        ({"url": "ws://:80/"}, "names no host"),
        ({"url": "ws://host:0/"}, "port 0"),
        ({"url": "ws://host:99999/"}, "malformed"),
        ({"url": "ws://[::1/"}, "malformed"),
        ({"url": "ws://host/#top"}, "fragment"),
        ({"batch_size": 0}, "--batch-size: 0 is out of range; it must be at least 1"),
        ({"batch_size": -5}, "--batch-size: -5 is out of range"),
        ({"batch_size": 2.5}, "not a whole number"),
        ({"batch_size": True}, "not a whole number"),
        ({"flush_interval": 0.0}, "--flush-interval: 0s is out of range; it must be at least 1ms"),
        ({"flush_interval": -1.0}, "out of range"),
        ({"flush_interval": None}, "not a number"),
        ({"max_rows": 0}, "at least 1"),
        ({"duration": 0}, "at least 1ms"),
        ({"ping_interval": 0}, "at least 10ms"),
        ({"idle_timeout": float("nan")}, "out of range"),
        ({"reconnect_initial": 60.0}, "longer than --reconnect-max"),
        ({"max_message_size": 0}, "at least 1B"),
        ({"header": ("no colon",)}, "'Name: value'"),
        ({"header": ("Bad Name: x",)}, "'Name: value'"),
        ({"header": ("X-Split: a\r\nY: b",)}, "no header may"),
        ({"subscribe": ("@/nowhere/at/all",)}, "No such file"),
        ({"ca_file": "/nowhere/at/all"}, "No such file"),
        ({"ca_file": __file__}, "holds no certificates"),
        ({"reconnect_initial": 0.0}, "at least 1ms"),
        ({"proxy": "ftp://host"}, "must be http://"),
        ({"proxy": "http://host:x"}, "must be http://"),
        ({"memory_limit": 2**20 - 1}, "at least 1MiB"),
        ({"memory_limit": None}, "not a whole number"),
        ({"spill_limit": -1}, "--spill-limit: -1B is out of range; it must be at least 0B"),
        ({"spill_limit": 2**61}, "at most 1073741824GiB"),
        ({"spill_dir": "/nowhere/at/all"}, "/nowhere/at/all is not a directory; make it first"),
        ({"spill_dir": __file__}, "is not a directory; make it first"),
        ({"when_full": "wait"}, "--when-full: 'wait' is not one of block, drop, exit"),
        ({"fsync": -1.0}, "out of range"),
        ({"fsync": 100_000.0}, "at most 1d"),
        ({"fsync": "batch"}, "not a number"),
        ({"min_free": -1}, "at least 0B"),
        ({"max_rejects": -1}, "--max-rejects: -1B is out of range; it must be at least 0B"),
        ({"journal": "yes"}, "--journal: 'yes' is not one of on, off"),
        ({"log_level": "loud"}, "not one of debug, info, warning, error"),
        ({"log_format": "xml"}, "not one of text, json"),
    ],
)
def test_a_bad_value_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError) as refused:
        Options(**{"url": "ws://127.0.0.1/", **change})
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_status == 2
    assert refused.value.option in change


@pytest.mark.parametrize(
    "url",
    ["ws://host", "wss://host:8443/a?b=c", "ws://[::1]:9/", "ws://bücher.example/", "demo://"],
)
def test_good_urls_are_taken(url: str) -> None:
    assert Options(url=(url,)).url == (url,)


@pytest.mark.parametrize("symbols", ["A,B", ("A,B",), ("A", "B"), ["A", " B,"]])
def test_symbols_are_split_at_commas(symbols: Any) -> None:
    assert Options(feed=("binance-trades",), symbols=symbols).symbols == ("A", "B")


def test_the_least_and_the_none_of_the_outbox_are_taken(tmp_path: Path) -> None:
    options = Options(
        url=("ws://host",),
        memory_limit=2**20,
        spill_limit=0,
        spill_dir=tmp_path,
        fsync=None,
        min_free=0,
    )
    assert options.spill_dir == tmp_path
    assert (options.fsync, options.min_free, options.spill_limit) == (None, 0, 0)


def test_a_header_line_is_split_at_its_first_colon() -> None:
    assert parse_header("Authorization: Bearer a:b") == ("Authorization", "Bearer a:b")


def test_a_subscription_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "subscribe.json"
    file.write_text('{"op": "subscribe", "symbol": "é"}', "utf-8")
    assert read_subscription(f"@{file}") == '{"op": "subscribe", "symbol": "é"}'
    assert read_subscription("as it is") == "as it is"


def test_a_subscription_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "binary"
    file.write_bytes(b"\xff")
    with pytest.raises(OptionError, match="is not UTF-8"):
        Options(url=("ws://host/",), subscribe=(f"@{file}",))


def test_an_exact_number_of_rows_needs_one_receiver() -> None:
    two = ("ws://127.0.0.1:1/", "ws://127.0.0.1:2/")
    with pytest.raises(OptionError, match="--max-rows: is exact within one receiver only"):
        Options(url=two, receivers=2, max_rows=5)
    assert Options(url=two, receivers=1, max_rows=5).max_rows == 5
    assert Options(url=two[:1], receivers=2, max_rows=5).receivers == 2  # one feed has one receiver
