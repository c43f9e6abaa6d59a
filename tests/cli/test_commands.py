"""The command, run as a user runs it: as a process, on a pipe and on a terminal."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import importlib.metadata
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import pytest
import trustme

import fastingest
from fastingest import (
    Aborted,
    FastingestError,
    FeedRefused,
    HeaderMismatch,
    OptionError,
    Options,
    OutboxFull,
    OutputLocked,
    ProcessDied,
    RowsLost,
    Summary,
    WriteFailed,
    __main__,
)
from fastingest.cli import commands as cli
from fastingest.native.availability import find_native
from fastingest.storage.ledger import Region, append_entry
from fastingest.storage.lock import OutputLock
from tests.cli.test_view import EMPTY, RUNNING
from tests.end_to_end.command import ROOT, read_rows, wait_until
from tests.peers.raw import RawConnection, RawServer
from tests.support.patience import LIMIT

COMMAND = [sys.executable, "-m", "fastingest"]
FEED = "demo://?rate=20000&burst=1"


def environment(**more: str) -> dict[str, str]:
    plain = {k: v for k, v in os.environ.items() if not k.startswith("FASTINGEST_")}
    plain.update(PYTHONPATH=str(ROOT), COLUMNS="100", TERM="xterm-256color")
    plain.pop("NO_COLOR", None)
    return plain | more


def execute(
    command: Sequence[str],
    cwd: Path,
    variables: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment(**(variables or {})),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def run(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return execute([*COMMAND, *arguments], cwd, variables)


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


# Arguments


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
        "Usage: fastingest (--url URL | --feed NAME | --config PATH) [OPTIONS]\n"
    )


def test_version(tmp_path: Path) -> None:
    ended = run("--version", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, second, third = ended.stdout.splitlines()
    assert first == f"fastingest {fastingest.__version__}" == "fastingest 0.1.0"
    for package in ("picows", "msgspec", "polars", "uvloop"):
        assert f"{package} {importlib.metadata.version(package)}" in second
    assert "Python 3." in second
    native = find_native({})
    assert third == f"native listener: {'used' if native.is_used else native.reason}"


def test_the_version_says_that_the_native_listener_is_switched_off(tmp_path: Path) -> None:
    ended = run("--version", cwd=tmp_path, FASTINGEST_NATIVE="0")
    last = "native listener: switched off by FASTINGEST_NATIVE=0"
    assert ended.stdout.splitlines()[-1] == last


@pytest.mark.parametrize("said", ["1", "yes"])
def test_the_version_is_said_whatever_is_demanded_of_the_native_listener(
    said: str, tmp_path: Path
) -> None:
    ended = run("--version", cwd=tmp_path, FASTINGEST_NATIVE=said)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == run("--version", cwd=tmp_path).stdout


def test_a_run_that_is_told_so_uses_the_python_listener(tmp_path: Path) -> None:
    ended = run("--url", FEED, "--max-rows", "10", cwd=tmp_path, FASTINGEST_NATIVE="0")
    assert ended.returncode == 0, ended.stderr
    assert "\n  listener     Python (switched off by FASTINGEST_NATIVE=0)\n" in ended.stdout


def test_a_wrong_choice_of_the_listener_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    ended = run("--url", FEED, cwd=tmp_path, FASTINGEST_NATIVE="yes")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "fastingest: error: FASTINGEST_NATIVE: 'yes' is neither 0 nor 1\n"
    assert list(tmp_path.iterdir()) == []


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
    "ping_interval": ("off", None),
    "idle_timeout": ("OFF", None),
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
    assert {*GIVEN, "quiet", "escape_formulas"} == names


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
        (("check",), "FILE needs a value; see fastingest --help"),
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
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    ended = run(*arguments, cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr.startswith(f"fastingest: error: {said}")
    assert ended.stderr.count("\n") == 1
    assert ended.stderr.endswith("\n")
    assert [path.name for path in tmp_path.iterdir() if path.suffix != ".lock"] == []


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
def test_an_error_names_the_variable(variable: str, value: str, said: str, tmp_path: Path) -> None:
    ended = run(*URL, cwd=tmp_path, **{variable: value})
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"fastingest: error: {said}")
    assert ended.stderr.count("\n") == 1


def test_an_option_that_overrides_a_variable_is_blamed_itself(
    parse: Callable[..., Options],
) -> None:
    with pytest.raises(OptionError, match=r"^--batch-size: 0 is"):
        parse(*URL, "--batch-size=0", FASTINGEST_BATCH_SIZE="5")


# Runs on a pipe


def test_a_run_ends_with_its_summary(tmp_path: Path) -> None:
    ended = run("--url", FEED, "--max-rows", "5000", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert len(read_rows(tmp_path / "stock_data.csv")) == 5000
    lines = ended.stdout.splitlines()
    assert lines[:8] == [
        FEED,
        "  received     5,000",
        "  written      5,000",
        "  quarantined      0",
        "  ignored          0",
        "  dropped          0",
        "  lost             0",
        "  in flight        0",
    ]
    assert re.fullmatch(r"  rows/s +[\d,]+ mean, [\d,]+ best second", lines[8])
    assert re.fullmatch(
        r"  latency +p50 [\d.]+m?s, p99 [\d.]+m?s, max [\d.]+m?s \(from receipt to file\)", lines[9]
    )
    assert lines[10] == "  connections  1, 0 gaps"
    assert lines[11] == f"  listener     {find_native({}).listener}"
    assert re.fullmatch(r"  file +stock_data\.csv, [\d.]+KiB", lines[12])
    assert re.fullmatch(r"  run length +[\d.]+s", lines[13])
    assert len(lines) == 14
    stamp = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    for line in ended.stderr.splitlines():
        assert re.fullmatch(rf"{stamp} (INFO   |WARNING) .+", line)
    assert " connected url=ws://127.0.0.1:" in ended.stderr


def test_json_is_json_throughout(tmp_path: Path) -> None:
    ended = run("--url", FEED, "--max-rows", "5000", "--log-format", "json", cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout)
    assert ended.stdout.count("\n") == 1
    assert (summary["received"], summary["written"], summary["in_flight"]) == (5000, 5000, 0)
    assert summary["file_size"] == (tmp_path / "stock_data.csv").stat().st_size
    events = [json.loads(line)["event"] for line in ended.stderr.splitlines()]
    assert "connected" in events


def test_quiet_says_nothing(tmp_path: Path) -> None:
    ended = run("--url", FEED, "--max-rows", "5000", "--quiet", cwd=tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
    assert len(read_rows(tmp_path / "stock_data.csv")) == 5000


@pytest.mark.usefixtures("logger")
def test_progress_is_logged_where_there_is_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = Options(url=(FEED,), out=tmp_path / "o.csv", max_rows=20_000)
    assert cli.run(options, progress_interval=0.1) == 0
    lines = [line for line in capsys.readouterr().err.splitlines() if " progress " in line]
    number, size = r"\d+", r"[\d.]+(?:B|KiB|MiB)"
    pattern = (
        rf"\S+ INFO    progress rows=({number}) rate={number}/s rejected=0 queue={size} "
        rf"p99=(?:-|[\d.]+m?s) file={size} state=[a-z]+"
    )
    rows = []
    for line in lines:
        match = re.fullmatch(pattern, line)
        assert match is not None, line
        rows.append(int(match[1]))
    assert rows == sorted(rows)
    assert rows[0] < 20_000
    assert len(rows) >= 5
    assert any(0 < count < 20_000 for count in rows)


def test_progress_comes_every_ten_seconds() -> None:
    assert cli.PROGRESS_INTERVAL == 10.0
    assert cli.VIEW_INTERVAL == 0.5


def test_a_reader_that_leaves_costs_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as stdout:
        command = [*COMMAND, "--url", FEED, "--max-rows", "10"]
        ended = execute(command, tmp_path, stdout=stdout)
    assert ended.returncode == 0
    assert "rror" not in ended.stderr
    assert len(read_rows(tmp_path / "stock_data.csv")) == 10


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_summary_that_cannot_be_printed_is_an_error(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as stdout:
        command = [*COMMAND, "--url", FEED, "--max-rows", "10", "--log-level", "error"]
        ended = execute(command, tmp_path, stdout=stdout)
    assert ended.returncode == 1
    assert ended.stderr == (
        "fastingest: error: the summary could not be printed: No space left on device\n"
    )


def test_the_command_does_not_load_what_the_writer_needs(tmp_path: Path) -> None:
    script = (
        "import sys; from fastingest.cli import commands as cli\n"
        f"status = cli.main(['--url', {FEED!r}, '--max-rows', '10', '--quiet'])\n"
        "print(status, 'polars' in sys.modules)"
    )
    ended = execute([sys.executable, "-c", script], tmp_path)
    assert (ended.stdout, ended.stderr) == ("0 False\n", "")


# Verify


def keep_ledger(out: Path, rows: bytes, crc32: int | None = None) -> None:
    """A file with ``rows``, as one run has left it."""
    start = len(b"symbol,price,volume\n")
    out.write_bytes(b"symbol,price,volume\n" + rows)
    crc = zlib.crc32(rows) if crc32 is None else crc32
    region = Region(start, start + len(rows), rows.count(b"\n"), crc)
    append_entry(out, {"run": 1795356180 * 10**9, "file": region.to_json()})


def test_verify_is_in_the_help(tmp_path: Path) -> None:
    said = run("--help", cwd=tmp_path).stdout
    assert re.search(r"^│ verify  Say whether a file is what its ledger says\. +│$", said, re.M)
    ended = run("verify", "--help", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Usage: fastingest verify FILE\n")
    assert "Exit status: 0 it is, 1 it is not, 2 something" in ended.stdout


def test_verify_of_a_file_that_agrees(tmp_path: Path) -> None:
    keep_ledger(tmp_path / "o.csv", b"A,1.0,2\nB,1.5,\n")
    ended = run("verify", "o.csv", cwd=tmp_path, FASTINGEST_BATCH_SIZE="x")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        "o.csv: 2 rows, 35B\n  2026-11-22T14:03:00Z  2 rows  15B  agrees\nagrees with its ledger\n"
    )


def test_verify_of_a_file_that_does_not_agree(tmp_path: Path) -> None:
    keep_ledger(tmp_path / "o.csv", b"A,1.0,2\n", crc32=0xABC)
    ended = run("verify", str(tmp_path / "o.csv"), cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    last = ended.stdout.splitlines()[-1]
    assert last == (
        "does NOT agree: run 2026-11-22T14:03:00Z, bytes 20 to 28 (line 2): "
        f"CRC-32 {zlib.crc32(b'A,1.0,2' + bytes([10])):08x}, and 00000abc in the ledger"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "FILE needs a value; see fastingest --help"),
        (("o.csv",), "o.csv: no ledger is beside it; o.csv.ledger.jsonl does not exist"),
        (("none.csv",), "none.csv: No such file or directory"),
        (("a\nb",), r"a\nb: No such file or directory"),
        (("/",), "/: is not a regular file"),
        (("o.csv", "b"), "'b' belongs to no option; see fastingest --help"),
        (("o.csv", "--quiet"), "unknown option: --quiet; see fastingest --help"),
        (("--url", "ws://x"), "unknown option: --url; see fastingest --help"),
    ],
)
def test_what_verify_cannot_do_is_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "o.csv").write_text("symbol,price,volume\n")
    ended = run("verify", *arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"fastingest: error: {said}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["o.csv"]


def test_verify_belongs_to_no_run(tmp_path: Path) -> None:
    ended = run(*URL, "verify", cwd=tmp_path)
    said = "fastingest: error: 'verify' belongs to no option; see fastingest --help\n"
    assert (ended.returncode, ended.stderr) == (2, said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_report_that_cannot_be_printed_is_an_error(tmp_path: Path) -> None:
    keep_ledger(tmp_path / "o.csv", b"A,1.0,2\n")
    with open("/dev/full", "wb") as stdout:
        ended = execute([*COMMAND, "verify", "o.csv"], tmp_path, stdout=stdout)
    assert ended.returncode == 1
    problem = "the report could not be printed: No space left on device"
    assert ended.stderr == f"fastingest: error: {problem}\n"


# Errors


def test_another_header_is_one_line_and_the_file_stays(tmp_path: Path) -> None:
    out = tmp_path / "stock_data.csv"
    out.write_text("time,value\n1,2\n")
    ended = run("--url", FEED, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("fastingest: error: stock_data.csv: its header is 'time,value")
    assert ended.stderr.count("\n") == 1
    assert out.read_text() == "time,value\n1,2\n"


def test_a_feed_that_refuses_ends_with_one_line(tmp_path: Path) -> None:
    def refuse(connection: RawConnection) -> None:
        connection.reject(404)

    with RawServer(refuse) as server:
        ended = run("--url", server.url, "--log-level", "error", cwd=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"fastingest: error: {server.url}: ")
    assert ended.stderr.count("\n") == 1
    assert ended.stdout == ""  # nothing was captured, and nothing is said about it


@pytest.mark.usefixtures("logger")
@pytest.mark.parametrize("summary", [RUNNING, EMPTY, None])
@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FeedRefused("ws://x", "says no\nnever"), 2),
        (OutputLocked(Path("o.csv"), 42), 2),
        (HeaderMismatch(Path("o.csv"), "a", "b"), 2),
        (WriteFailed(Path("o.csv"), "No space left on device"), 1),
        (ProcessDied("writer", -9, 10), 1),
        (RowsLost("2 rows were dropped while the outbox was full"), 3),
        (OutboxFull(), 3),
        (Aborted(), 130),
    ],
)
def test_the_error_decides_the_exit_status(
    error: FastingestError,
    status: int,
    summary: Summary | None,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> Summary:
        error.summary = summary
        raise error

    monkeypatch.setattr(cli, "ingest", fail)
    assert cli.run(Options(url=("ws://x",))) == status
    out, err = capsys.readouterr()
    assert err == f"fastingest: error: {error}\n".replace("\nn", r"\nn")
    # What was refused has captured nothing, unless there were other feeds.
    shown = summary is RUNNING or (summary is EMPTY and status != 2)
    received = f"{summary.ledger.received:,}" if summary else ""
    assert out.startswith(f"wss://feed.example/trades\n  received     {received}" if shown else "")
    assert bool(out) == shown
    assert cli.run(Options(url=("ws://x",), quiet=True)) == status
    assert capsys.readouterr() == ("", err)
    assert cli.run(Options(url=("ws://x",), log_format="json")) == status
    out, err = capsys.readouterr()
    entry = json.loads(err)
    assert (entry["level"], entry["event"]) == ("error", str(error))
    assert entry["error"] == type(error).__name__
    in_flight = summary.ledger.in_flight if summary else None
    assert (json.loads(out)["in_flight"] == in_flight) if shown else out == ""


@pytest.mark.usefixtures("logger")
def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Summary:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "ingest", fail)
    with pytest.raises(ZeroDivisionError):
        cli.run(Options(url=("ws://x",)))


def test_an_interrupt_before_the_run_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupt)
    assert __main__.main() == 130


# Runs on a terminal


class Screen:
    """What a terminal shows after the output so far; of its controls those that rich uses."""

    _TOKEN = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")

    def __init__(self) -> None:
        self.lines = [""]
        self.seen: list[list[str]] = []  # the lines, whenever they were to be drawn again
        self.cursor_hidden = False
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        end = 0
        for token in self._TOKEN.finditer(text):
            assert token.start() == end, text[end : token.start()]
            end = token.end()
            argument, command, move, plain = token.groups()
            if plain:
                line = self.lines[self._row].ljust(self._column)
                rest = line[self._column + len(plain) :]
                self.lines[self._row] = line[: self._column] + plain + rest
                self._column += len(plain)
            elif move == "\r":
                self._column = 0
            elif move == "\n":
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            else:
                self._control(argument, command)
        assert end == len(text), text[end:]

    def _control(self, argument: str, command: str) -> None:
        match command, argument:
            case "A", count:
                self._row -= int(count or 1)
                assert self._row >= 0
            case "K", "2":
                if self._row == len(self.lines) - 1:
                    self.seen.append(list(self.lines))
                self.lines[self._row] = ""
            case "l" | "h", "?25":
                self.cursor_hidden = command == "l"
            case "m", _:
                pass
            case _:
                raise AssertionError((argument, command))


class Terminal:
    """The command on a pseudo-terminal."""

    def __init__(self, *arguments: str, cwd: Path, columns: int = 80, **variables: str) -> None:
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.screen = Screen()
        self.raw = ""
        self._environment = environment(**variables)
        del self._environment["COLUMNS"]
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=self._environment,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        with contextlib.suppress(OSError):
            os.close(self.slave)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def read(self) -> bool:
        """Take some output; False at the end."""
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so at a pseudo-terminal's end
            return False
        text = data.decode()  # no character is ever cut: each write is one, and less than a page
        self.raw += text
        self.screen.feed(text)
        return bool(data)

    def read_until(self, pattern: str) -> re.Match[str]:
        while not (match := re.search(pattern, "\n".join(self.screen.lines), re.MULTILINE)):
            assert self.read(), self.screen.lines
        return match

    def count(self, name: str) -> int:
        """A number of the summary."""
        match = re.search(rf"^  {name} +([\d,]+)$", "\n".join(self.screen.lines), re.MULTILINE)
        assert match is not None, self.screen.lines
        return int(match[1].replace(",", ""))

    def finish(self) -> int:
        """Read to the end; the exit status."""
        os.close(self.slave)
        while self.read():
            pass
        return self.process.wait(LIMIT)


LOG = r"20\d\d-\d\d-\d\dT\S+Z (INFO   |WARNING) \S.*"
VIEW = r"● |rows    |rate    |queue   |latency |file    |feed    |━|─"


@pytest.mark.parametrize("columns", [80, 40])
def test_a_terminal_shows_the_view_in_place(tmp_path: Path, columns: int) -> None:
    # the dropped connections bring lines of the log while the view stands
    feed = FEED + "&drop-every=500ms"
    arguments = ("--url", feed, "--max-rows", "40000", "--reconnect-initial", "10ms")
    with Terminal(*arguments, cwd=tmp_path, columns=columns) as terminal:
        status = terminal.finish()
    assert status == 0
    screen = terminal.screen
    views = 0
    for lines in screen.seen:
        starts = [i for i, line in enumerate(lines) if line.startswith("● ")]
        assert len(starts) <= 1
        if not starts or not lines[-1]:
            continue
        views += 1
        log, view = lines[: starts[0]], lines[starts[0] :]
        assert all(re.fullmatch(LOG, line) for line in log), lines
        assert len(view) == 8
        assert all(re.match(VIEW, line) and len(line) <= columns - 2 for line in view), lines
        assert re.match(r"rows    [\d,]+ written  0 rejected", view[1])
    assert views >= 3
    assert not screen.cursor_hidden
    lines = screen.lines
    summary = lines.index(feed)
    assert all(re.fullmatch(LOG, line) for line in lines[:summary])
    assert sum(" WARNING gap " in line for line in lines[:summary]) >= 2
    assert lines[summary + 1 : summary + 3] == ["  received     40,000", "  written      40,000"]
    assert len(lines[summary:]) == 15
    assert lines[-1] == ""
    assert len(read_rows(tmp_path / "stock_data.csv")) == 40_000


def test_interrupting_a_run_on_a_terminal_ends_it_well(tmp_path: Path) -> None:
    with Terminal("--url", FEED, cwd=tmp_path, NO_COLOR="1") as terminal:
        terminal.read_until(r"^rows    [\d,]*[1-9]")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.finish() == 0
    received = terminal.count("received")
    assert received == terminal.count("written") > 0
    assert len(read_rows(tmp_path / "stock_data.csv")) == received
    assert not re.search(r"\x1b\[[\d;]*3\dm", terminal.raw), "NO_COLOR was set"


def test_a_stopped_terminal_does_not_stop_the_run(tmp_path: Path) -> None:
    with Terminal("--url", FEED, "--duration", "4s", cwd=tmp_path) as terminal:
        terminal.read_until(r"^rows    [\d,]*[1-9]")
        termios.tcflow(terminal.slave, termios.TCOOFF)  # what Ctrl-S does
        wait_until(lambda: is_free(tmp_path / "stock_data.csv"), "the run goes on")
        assert terminal.process.poll() is None  # it has words left to say
        termios.tcflow(terminal.slave, termios.TCOON)
        assert terminal.finish() == 0
    assert re.search(
        r'INFO    stopping reason="duration reached"', "\n".join(terminal.screen.lines)
    )
    assert terminal.count("written") == len(read_rows(tmp_path / "stock_data.csv"))


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("--log-format", "json"), {}),
        (("--quiet",), {}),
        ((), {"TERM": "dumb"}),
    ],
)
def test_some_want_no_view(
    arguments: tuple[str, ...], variables: dict[str, Any], tmp_path: Path
) -> None:
    with Terminal(
        "--url", FEED, "--max-rows", "15000", *arguments, cwd=tmp_path, **variables
    ) as terminal:
        assert terminal.finish() == 0
    assert "\x1b" not in terminal.raw
    assert "●" not in terminal.raw
    assert ("--quiet" in arguments) == (terminal.raw == "")


def is_free(out: Path) -> bool:
    try:
        OutputLock(out).release()
    except OutputLocked:
        return False
    return True
