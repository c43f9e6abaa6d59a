"""Arguments and environment, and the settings that come of them."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trustme

from fastingest import (
    OptionError,
    Options,
)
from fastingest.cli import commands as cli
from tests.support.command_line import run


@pytest.fixture
def parse(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Options]:
    for name in os.environ:
        if name.startswith("FASTINGEST_"):
            monkeypatch.delenv(name)

    def parse(*arguments: str, **variables: str) -> Options:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        options = cli.parse(arguments)
        assert isinstance(options, Options)
        return options

    return parse


class Ended(NamedTuple):
    """What the command has come to."""

    status: int
    stdout: str
    stderr: str


@pytest.fixture
def main(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Ended]:
    """The command without a process of its own, in an empty directory."""
    for name in os.environ:
        if name.startswith("FASTINGEST_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)

    def main(*arguments: str, **variables: str) -> Ended:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        status = cli.main(arguments)
        return Ended(status, *capsys.readouterr())

    return main


def test_help_has_every_option_with_its_default(tmp_path: Path) -> None:
    ended = run("--help", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    words = " ".join(re.sub(r"[│╭╮╰╯─]", " ", ended.stdout).split())
    words = words[words.index(" Options ") :]  # commands speak of options, too
    fields = [field for field in dataclasses.fields(Options) if field.init]
    names = ["--" + field.name.replace("_", "-") for field in fields]
    assert re.findall(r"(?<=[│]) +(--[a-z-]+)", ended.stdout) == [*names, "--help", "--version"]
    for field, name, following in zip(fields, names, [*names[1:], "--help"], strict=True):
        start = words.index(f" {name} ")
        entry = words[start : words.index(f" {following} ", start + 1)]
        assert field.metadata["help"] in entry
        if field.default in (None, (), False, dataclasses.MISSING):
            assert "[default:" not in entry
        else:
            assert f"[default: {field.metadata['show'](field.default)}]" in entry
        assert (" Or: off." in entry) == field.metadata["off"]
        assert field.metadata["metavar"] in entry
    assert "--no-" not in ended.stdout
    assert "FASTINGEST_FLUSH_INTERVAL" in words


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_wins_over_what_is_missing(flag: str, tmp_path: Path) -> None:
    assert run(flag, cwd=tmp_path).stdout.startswith(
        "Usage: fastingest (URL | --feed NAME | --config PATH) [OPTIONS]\n"
    )


def test_defaults_are_those_of_options(parse: Callable[..., Options]) -> None:
    assert parse("--url", "ws://x") == Options(url=("ws://x",))


_AUTHORITY = Path(__file__).with_name("authority.pem")  # of a certificate authority of no use

GIVEN: dict[str, tuple[str, Any]] = {
    "url": ("wss://host/path?a=%20", ("wss://host/path?a=%20",)),
    "out": ("other.csv", Path("other.csv")),
    "feed": ("okx-trades", ("okx-trades",)),
    "symbols": ("A,B", ("A", "B")),
    "config": ("options.toml", Path("options.toml")),
    "columns": ("a:int=b, c", "a:int=b, c"),
    "rows": ("data", "data"),
    "where": ("$.e=t", ("$.e=t",)),
    "receivers": ("2", 2),
    "batch_size": ("250", 250),
    "flush_interval": ("1.5s", 1.5),
    "max_rows": ("1_000", 1000),
    "duration": ("2h", 7200.0),
    "header": ("A: 1", ("A: 1",)),
    "subscribe": ('["a", 1]', ('["a", 1]',)),
    "strip": ("42", ("42",)),
    "split": ("lines", "lines"),
    "connect_timeout": ("30s", 30.0),
    "ping_interval": ("off", None),
    "idle_timeout": ("OFF", None),
    "stale_after": ("30s", 30.0),
    "stale_by": ("price", "price"),
    "when_stale": ("reconnect", "reconnect"),
    "reconnect_initial": ("250ms", 0.25),
    "reconnect_max": ("1m", 60.0),
    "max_message_size": ("64KiB", 65536),
    "memory_limit": ("64MiB", 64 * 2**20),
    "spill_limit": ("0", 0),
    "spill_dir": (str(_AUTHORITY.parent), _AUTHORITY.parent),
    "when_full": ("drop", "drop"),
    "fsync": ("batch", 0.0),
    "min_free": ("1.5GiB", 3 * 2**29),
    "max_rejects": ("Off", None),
    "journal": ("off", "off"),
    "compression": ("deflate", "deflate"),
    "cert_file": ("own.pem", Path("own.pem")),
    "key_file": ("own.pem", Path("own.pem")),
    "ca_file": (str(_AUTHORITY), _AUTHORITY),
    "proxy": ("socks5://host:1080", "socks5://host:1080"),
    "log_level": ("debug", "debug"),
    "log_format": ("json", "json"),
}

NEEDS = {
    "symbols": ("--subscribe", "{symbols}"),
    "rows": ("--columns", "a"),
    "where": ("--columns", "a"),
    "key_file": ("--cert-file", "own.pem"),
    "stale_by": ("--stale-after", "30s"),
    "when_stale": ("--stale-after", "30s"),
}
"""What must be given as well."""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The files that GIVEN names."""
    monkeypatch.chdir(tmp_path)
    Path("options.toml").write_text("")
    own = trustme.CA().issue_cert("client.example")
    own.private_key_and_cert_chain_pem.write_to_path("own.pem")


def test_the_table_of_values_is_complete() -> None:
    names = {field.name for field in dataclasses.fields(Options) if field.init}
    assert {*GIVEN, "quiet", "strict", "escape_formulas"} == names


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("name", GIVEN)
@pytest.mark.parametrize("way", ["two words", "equals sign", "environment"])
def test_each_option_each_way(name: str, way: str, parse: Callable[..., Options]) -> None:
    text, value = GIVEN[name]
    option = "--" + name.replace("_", "-")
    others = {} if name == "url" else {"--url": "ws://x"}
    others |= dict([NEEDS[name]] if name in NEEDS else [])
    more = [word for pair in others.items() for word in pair]
    match way:
        case "two words":
            options = parse(*more, option, text)
        case "equals sign":
            options = parse(*more, f"{option}={text}")
        case _:
            options = parse(*more, **{"FASTINGEST_" + name.upper(): text})
    expected: dict[str, Any] = {
        other[2:].replace("-", "_"): (given,) if other == "--subscribe" else given
        for other, given in others.items()
    }
    assert options == Options(**(expected | {name: value}))


def test_quiet_is_a_flag(parse: Callable[..., Options]) -> None:
    assert parse("--url", "ws://x", "--escape-formulas").escape_formulas is True
    assert parse("--url", "ws://x").escape_formulas is False
    assert parse("--url", "ws://x", "--quiet").quiet is True
    assert parse("--url", "ws://x", FASTINGEST_QUIET="1").quiet is True
    assert parse("--url", "ws://x", FASTINGEST_QUIET="0").quiet is False


@pytest.mark.parametrize(
    "arguments",
    [
        ("ws://x", "--quiet"),
        ("--quiet", "ws://x"),
        ("--out", "stock_data.csv", "ws://x", "--quiet"),
        ("--out=stock_data.csv", "ws://x", "--quiet"),
    ],
)
def test_a_url_needs_no_option(arguments: tuple[str, ...], parse: Callable[..., Options]) -> None:
    assert parse(*arguments) == Options(url="ws://x", quiet=True)


def test_urls_by_themselves_and_by_option_keep_their_order(parse: Callable[..., Options]) -> None:
    options = parse("ws://a", "--url", "ws://b", "ws://c", FASTINGEST_URL="ws://env")
    assert options.url == ("ws://a", "ws://b", "ws://c")


def test_a_url_that_is_an_option_s_value_is_no_feed(parse: Callable[..., Options]) -> None:
    options = parse("ws://a", "--proxy", "http://proxy:1", "--subscribe", "see http://x")
    assert (options.url, options.proxy) == (("ws://a",), "http://proxy:1")
    assert options.subscribe == ("see http://x",)


def test_a_variable_that_is_no_setting_is_warned_of(tmp_path: Path) -> None:
    variables = {"FASTINGEST_FLUSH": "1s", "FASTINGEST_XYZZY": "1", "FASTINGEST_EMPTY": ""}
    arguments = ("demo://?rate=100", "--max-rows", "1", "--log-format", "json")
    ended = run(*arguments, cwd=tmp_path, FASTINGEST_NATIVE="0", **variables)
    assert ended.returncode == 0
    records = [json.loads(line) for line in ended.stderr.splitlines()]
    warnings = [each for each in records if each["event"] == "a variable is no setting"]
    assert [(each["level"], each["variable"], each.get("did_you_mean")) for each in warnings] == [
        ("warning", "FASTINGEST_FLUSH", "FASTINGEST_FLUSH_INTERVAL"),
        ("warning", "FASTINGEST_XYZZY", None),
    ]


def test_a_probe_takes_a_url_as_it_stands_and_warns_of_variables(tmp_path: Path) -> None:
    ended = run("probe", "ws://127.0.0.1:9/x y", cwd=tmp_path, FASTINGEST_DURATIO="1s")
    first = "'ws://127.0.0.1:9/x y' holds a space or a control character; write %20 for a space"
    assert ended.stderr == f"fastingest: error: --url: {first}\n"
    ended = run(
        "probe", "demo://?rate=100", "--messages", "3", cwd=tmp_path, FASTINGEST_DURATIO="1s"
    )
    assert ended.returncode == 0
    assert ended.stderr.startswith(
        "fastingest: warning: FASTINGEST_DURATIO is no setting; did you mean FASTINGEST_DURATION?\n"
    )


def test_repeatable_options_keep_their_order(parse: Callable[..., Options]) -> None:
    arguments = ("--subscribe", "b", "--header", "X: 1", "--subscribe", "a", "--subscribe=-c")
    options = parse("--url", "ws://x", *arguments)
    assert options.subscribe == ("b", "a", "-c")
    assert options.header == ("X: 1",)


def test_repeatable_options_are_lines_in_the_environment(parse: Callable[..., Options]) -> None:
    options = parse(
        FASTINGEST_URL="ws://x",
        FASTINGEST_HEADER="A: 1 2\n\nB: [3]\n",
        FASTINGEST_SUBSCRIBE='{"op": "subscribe", "args": ["a b"]}',
    )
    assert options.header == ("A: 1 2", "B: [3]")
    assert options.subscribe == ('{"op": "subscribe", "args": ["a b"]}',)


def test_a_subscription_may_come_from_a_file(tmp_path: Path, parse: Callable[..., Options]) -> None:
    (tmp_path / "sub.json").write_text("{}")
    argument = f"@{tmp_path / 'sub.json'}"
    assert parse("--url", "ws://x", "--subscribe", argument).subscribe == ("{}",)


def test_the_command_line_comes_before_the_environment(parse: Callable[..., Options]) -> None:
    variables = {"FASTINGEST_URL": "ws://env", "FASTINGEST_HEADER": "A: env"}
    options = parse("--url", "ws://line", "--header", "B: line", **variables)
    assert (options.url, options.header) == (("ws://line",), ("B: line",))


def test_a_file_comes_behind_the_environment_and_the_command_line(
    tmp_path: Path, parse: Callable[..., Options]
) -> None:
    path = tmp_path / "options.toml"
    path.write_text("batch-size = 1\nmax-rows = 1\nduration = '1s'\n")
    options = parse(
        *("--url", "ws://x", "--config", str(path), "--batch-size", "3"),
        FASTINGEST_MAX_ROWS="2",
        FASTINGEST_BATCH_SIZE="2",
    )
    assert (options.batch_size, options.max_rows, options.duration) == (3, 2, 1.0)


def test_an_empty_variable_is_not_set(parse: Callable[..., Options]) -> None:
    variables = dict.fromkeys(("FASTINGEST_MAX_ROWS", "FASTINGEST_PROXY", "FASTINGEST_HEADER"), "")
    assert parse("--url", "ws://x", FASTINGEST_QUIET="", **variables) == Options(url=("ws://x",))


URL = ("--url", "ws://127.0.0.1:9/")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "--url: no feed was named; write for example --url wss://host/path"),
        (("--urll", "x"), "unknown option: --urll. Did you mean --url? see fastingest --help"),
        ((*URL, "--zzz"), "unknown option: --zzz; see fastingest --help"),
        ((*URL, "--flush", "1s"), "unknown option: --flush. Did you mean --flush-interval? see"),
        ((*URL, "--re"), "unknown option: --re"),
        ((*URL, "--no-quiet"), "unknown option: --no-quiet. Did you mean --quiet?"),
        ((*URL, "-q"), "unknown option: -q; see fastingest --help"),
        (("--url",), "--url needs a value; see fastingest --help"),
        (("try",), "FILE needs a value; see fastingest try --help"),
        (("try", "m", "--zzz"), "unknown option: --zzz; see fastingest try --help"),
        (("feeds", "a", "b"), "'b' belongs to no option; see fastingest feeds --help"),
        ((*URL, "--batch-size"), "--batch-size needs a value; see fastingest --help"),
        ((*URL, "--batch-size", "--quiet"), "--batch-size: needs a value, and --quiet is none"),
        ((*URL, "--out", "--quiet"), "--out needs a value; see fastingest --help"),
        ((*URL, "--batch-size", "x"), "--batch-size: 'x' is not a whole number"),
        ((*URL, "--batch-size", "1.5"), "--batch-size: '1.5' is not a whole number"),
        ((*URL, "--batch-size", "0"), "--batch-size: 0 is out of range; it must be at least 1"),
        ((*URL, "--max-rows", "-1"), "--max-rows: -1 is out of range; it must be at least 1"),
        ((*URL, "--flush-interval", "250"), "--flush-interval: '250' has no unit; write for"),
        ((*URL, "--flush-interval", "0"), "--flush-interval: 0s is out of range; it must be at"),
        ((*URL, "--flush-interval", "-5"), "--flush-interval: '-5' has no unit; write for"),
        ((*URL, "--flush-interval", "-5s"), "--flush-interval: "),
        ((*URL, "--max-message-size", "1XB"), "--max-message-size: '1XB' is no size; write for"),
        ((*URL, "--duration", "off"), "--duration: 'off' is no duration; write for"),
        ((*URL, "--log-level", "loud"), "--log-level: 'loud' is not one of debug, info, warning"),
        ((*URL, "--quiet=maybe"), "invalid value for --quiet: "),
        ((*URL, *URL), "--url: the same URL is named twice; its rows would be, too"),
        (
            (*URL, "--out", "a", "--out", "b"),
            "parameter --out specified multiple times; see fastingest --help",
        ),
        (("--feed", "okx-trade"), "--feed: 'okx-trade' is no known feed; did you mean okx-trades"),
        (("--config", "nowhere.toml"), "--config: nowhere.toml: No such file or directory"),
        (
            ("--feed", "binance"),
            "--feed: 'binance' is no known feed; did you mean binance-book-tic",
        ),
        (("feeds", "binance"), "'binance' is no known feed; did you mean binance-book-tickers or "),
        (("feeds", "zzz"), "'zzz' is no known feed; 'fastingest feeds' lists them"),
        (("prob",), "'prob' is no command; did you mean probe? see fastingest --help"),
        (("prob", "ws://x"), "'prob' is no command; did you mean probe? see fastingest --help"),
        (("verfy", "x.csv"), "'verfy' is no command; did you mean verify? see fastingest --help"),
        (("--quiet", "prob"), "'prob' belongs to no option; see fastingest --help"),
        (("http://x",), "--url: 'http://x' must begin with ws://, wss:// or demo://"),
        (("ws://x", "--url", "ws://x"), "--url: the same URL is named twice"),
        (("verify", "ws://x"), "ws:/x: No such file or directory"),
        (("ws://x", "--columns", "a b"), "--columns: 'a b' has no comma between the columns"),
        (("check",), "FILE needs a value; see fastingest check --help"),
        ((*URL, "garbage"), "'garbage' belongs to no option; see fastingest --help"),
        ((*URL, "-5"), "'-5' belongs to no option; see fastingest --help"),
        ((*URL, "--", "x\ny"), r"'x\ny' belongs to no option; see fastingest --help"),
        ((*URL, "--a\nb=1"), r"unknown option: --a\nb; see fastingest --help"),
        (("--url", "ws://a b"), "--url: 'ws://a b' holds a space or a control character; write"),
        (("--url", "http://x"), "--url: 'http://x' must begin with ws://, wss:// or demo://"),
        (("--url", "demo://?rate=x"), "--url: the demo URL's parameter 'rate' is 'x', but must"),
        ((*URL, "--subscribe", "@nowhere"), "--subscribe: nowhere: No such file or directory"),
        ((*URL, "--header", "x"), "--header: 'x' is not of the form 'Name: value'"),
    ],
)
def test_a_wrong_argument_is_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path, main: Callable[..., Ended]
) -> None:
    check_wrong(main(*arguments), said, tmp_path)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((*URL, "--", "x\ny"), r"'x\ny' belongs to no option"), (("prob",), "'prob' is no command")],
)
def test_so_it_is_of_the_command(arguments: tuple[str, ...], said: str, tmp_path: Path) -> None:
    ended = run(*arguments, cwd=tmp_path)
    check_wrong(Ended(ended.returncode, ended.stdout, ended.stderr), said, tmp_path)


def check_wrong(ended: Ended, said: str, directory: Path) -> None:
    assert (ended.status, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"fastingest: error: {said}")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.endswith("\n")
    assert [path.name for path in directory.iterdir() if path.suffix != ".lock"] == []


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("FASTINGEST_BATCH_SIZE", "x", "FASTINGEST_BATCH_SIZE: 'x' is not a whole number"),
        ("FASTINGEST_DURATION", "5", "FASTINGEST_DURATION: '5' has no unit; write for"),
        ("FASTINGEST_BATCH_SIZE", "0", "FASTINGEST_BATCH_SIZE: 0 is out of range; it must"),
        ("FASTINGEST_HEADER", "A: 1\nb", "FASTINGEST_HEADER: 'b' is not of the form"),
        ("FASTINGEST_QUIET", "maybe", "invalid value for FASTINGEST_QUIET from env: "),
    ],
)
def test_an_error_names_the_variable(
    variable: str, value: str, said: str, tmp_path: Path, main: Callable[..., Ended]
) -> None:
    check_wrong(main(*URL, **{variable: value}), said, tmp_path)


def test_an_option_that_overrides_a_variable_is_blamed_itself(
    parse: Callable[..., Options],
) -> None:
    with pytest.raises(OptionError, match=r"^--batch-size: 0 is"):
        parse(*URL, "--batch-size=0", FASTINGEST_BATCH_SIZE="5")
