from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from fastingest import OptionError
from fastingest.config.settings import Settings


def test_defaults_are_as_documented_types() -> None:
    settings = Settings()
    assert settings.out == Path("stock_data.csv")
    assert settings.header == ()
    assert settings.max_rows is None
    assert (settings.memory_limit, settings.spill_limit, settings.min_free) == (2**28, 2**33, 2**28)
    assert (settings.fsync, settings.when_full, settings.journal) == (1.0, "block", "on")
    assert settings.spill_dir is None


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
    field = Settings.__dataclass_fields__[name]
    assert (field.metadata["show"](field.default) if field.default is not None else None) == shown


def test_every_setting_has_a_line_of_help() -> None:
    for field in dataclasses.fields(Settings):
        line = field.metadata["help"]
        assert line.endswith(".")
        assert "\n" not in line


@pytest.mark.parametrize(
    ("change", "says"),
    [
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
        ({"reconnect_initial": 0.0}, "at least 1ms"),
        ({"memory_limit": 2**20 - 1}, "at least 1MiB"),
        ({"memory_limit": None}, "not a whole number"),
        ({"spill_limit": -1}, "--spill-limit: -1B is out of range; it must be at least 0B"),
        ({"spill_limit": 2**61}, "at most 1073741824GiB"),
        ({"spill_dir": "/nowhere/at/all"}, "/nowhere/at/all is not a directory; make it first"),
        ({"spill_dir": __file__}, "is not a directory; make it first"),
        ({"when_full": "wait"}, "--when-full: 'wait' is not one of block, drop, exit"),
        ({"fsync": -1.0}, "out of range"),
        ({"fsync": 100_000.0}, "at most 1d"),
        ({"fsync": "often"}, "--fsync: 'often' is neither never, nor batch, nor a duration"),
        ({"duration": "10"}, "--duration: '10' has no unit; write for example"),
        ({"batch_size": "10"}, "not a whole number"),
        ({"min_free": -1}, "at least 0B"),
        ({"max_rejects": -1}, "--max-rejects: -1B is out of range; it must be at least 0B"),
        ({"journal": "yes"}, "--journal: 'yes' is not one of on, off"),
        ({"log_level": "loud"}, "not one of debug, info, warning, error"),
        ({"log_format": "xml"}, "not one of text, json"),
    ],
)
def test_a_bad_value_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError) as refused:
        Settings(**change)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_status == 2
    assert refused.value.option in change


def test_numbers_with_a_unit_may_be_texts_as_on_the_command_line() -> None:
    texts: dict[str, Any] = {"fsync": "batch", "idle_timeout": "off", "memory_limit": "2MiB"}
    settings = Settings(duration="10s", **texts)
    assert (settings.duration, settings.run_length, settings.fsync) == (10.0, 10.0, 0.0)
    assert (settings.idle_timeout, settings.memory_limit) == (None, 2**21)


def test_what_may_be_several_may_be_one() -> None:
    one = Settings(out="a.csv", subscribe="text", header="A: b", where="a=b", columns=["a", "b"])
    assert (one.out, one.subscribe, one.header) == (Path("a.csv"), ("text",), ("A: b",))
    assert (one.where, one.columns) == (("a=b",), ("a", "b"))
    hash(one)


def test_a_longest_wait_below_the_first_one_lowers_that() -> None:
    settings = Settings(reconnect_max=0.1)
    assert (settings.reconnect_initial, settings.reconnect_max) == (0.1, 0.1)


@pytest.mark.parametrize("symbols", ["A,B", ("A,B",), ("A", "B"), ["A", " B,"]])
def test_symbols_are_split_at_commas(symbols: Any) -> None:
    assert Settings(symbols=symbols).symbols == ("A", "B")


def test_the_least_and_the_none_of_the_outbox_are_taken(tmp_path: Path) -> None:
    settings = Settings(
        memory_limit=2**20,
        spill_limit=0,
        spill_dir=tmp_path,
        fsync=None,
        min_free=0,
    )
    assert settings.spill_dir == tmp_path
    assert (settings.fsync, settings.min_free, settings.spill_limit) == (None, 0, 0)


def test_a_subscription_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "binary"
    file.write_bytes(b"\xff")
    with pytest.raises(OptionError, match="is not UTF-8"):
        Settings(subscribe=(f"@{file}",))
