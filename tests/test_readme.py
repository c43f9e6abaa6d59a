"""What the README says of commands, options, feeds and files is so."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastingest import FastingestError, Options, errors
from fastingest.access.references import variables_in
from fastingest.access.secrets import shown
from fastingest.cli import commands as cli
from fastingest.config.catalog import known_feed, known_names, known_text
from fastingest.config.check import check
from fastingest.model.batch import Batch, Layout
from fastingest.model.chunks import segment_of
from fastingest.model.schema import TRADES, check_type, parse_columns
from fastingest.writer.set_aside import set_aside
from tests.end_to_end.command import ROOT
from tests.feeds.recorded import messages_of
from tests.support.patience import LIMIT

README = (ROOT / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def table(section: str) -> list[list[str]]:
    """The cells of the last table of a section, without its heading."""
    text = README.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^\|.*\|$", text, re.MULTILINE)
    start = max(index for index, line in enumerate(lines) if re.fullmatch(r"[|-]+", line))
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines[start + 1 :]]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in cells]


def commands() -> Iterator[list[str]]:
    """The arguments of each run of fastingest in the examples."""
    for block in blocks("sh"):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words and words[0] in ("fastingest", "scripts/run"):
                yield words[1 : words.index(">") if ">" in words else None]


@pytest.fixture
def anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory, and no setting in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith("FASTINGEST_"):
            monkeypatch.delenv(name)


def test_every_option_stands_in_the_table_with_its_default() -> None:
    shown = []
    *options, (others, *_) = table("Options")
    assert others == "`--version`, `--help`"
    for first, default, _ in options:
        name, _, metavar = first.strip("`").partition(" ")
        shown.append((name, bool(metavar), default.strip("`")))
    expected = []
    for field in dataclasses.fields(Options):
        if field.init:
            name = "--" + field.name.replace("_", "-")
            nothing = field.default in (None, (), False)
            default = "" if nothing else field.metadata["show"](field.default)
            expected.append((name, field.default is not False, default))
    assert shown == expected


def test_every_known_feed_stands_in_the_table_with_what_it_needs() -> None:
    shown = [(name.strip("`"), re.findall(r"`(\w+)`", needs)) for name, _, needs in _feeds()]
    assert shown == [
        (name, variables_in(text for feed in known_feed(name).feeds for text in feed.texts))
        for name in known_names()
    ]


def test_every_known_feed_is_described_as_it_describes_itself() -> None:
    for name, what, _ in _feeds():
        own = known_text(name.strip("`")).partition("\n")[0].strip("# .")
        assert what == re.sub(r"<\w+>", "…", own)


def _feeds() -> list[list[str]]:
    return table("Known feeds")


def test_every_type_of_a_column_in_the_table_is_one() -> None:
    types = []
    for names, *_ in table("Any other feed, described"):
        base = ""
        for name in re.findall(r"`([^`]+)`", names):
            base = name.partition("[")[0] or base
            types.append(check_type(name if not name.startswith("[") else base + name))
    assert {"str", "int", "float", "number", "decimal", "bool"} <= set(types)
    assert {f"timestamp[{unit}]" for unit in ("s", "ms", "us", "ns", "iso")} <= set(types)


def test_the_example_of_a_file_passes_the_check(tmp_path: Path) -> None:
    text, *_ = blocks("toml")
    path = tmp_path / "example.toml"
    path.write_text(text, "utf-8")
    found = check(path)
    assert found.problems == ()
    assert found.settings == ("flush_interval",)
    (feed,) = found.feeds
    assert [str(each.out) for each in feed.tables] == ["trades.csv", "quotes.csv"]
    assert [each.schema.header for each in feed.tables] == [
        "symbol,price,time,received",
        "symbol,bid,ask",
    ]
    assert [each.text for each in feed.subscriptions] == [
        '{"op":"auth"}',
        '{"op":"subscribe","args":["trade.BTCUSDT"]}',
    ]


def test_the_example_of_socket_io_passes_the_check(tmp_path: Path) -> None:
    path = tmp_path / "example.toml"
    path.write_text(blocks("toml")[1], "utf-8")
    found = check(path)
    assert found.problems == ()
    (feed,) = found.feeds
    assert (feed.strip, [each.send for each in feed.answers][::2]) == (("42",), ["40", "3"])


def test_the_examples_of_credentials_pass_the_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEY", "a key")
    path = tmp_path / "example.toml"
    path.write_text(blocks("toml")[2], "utf-8")
    found = check(path)
    assert found.problems == ()
    assert found.notes == ()
    assert [shown(each.url) for each in found.feeds] == [
        "wss://ws-api-spot.kucoin.com/?token=***",
        "wss://feed.example/private",
    ]


@pytest.mark.usefixtures("anywhere")
def test_every_command_of_the_examples_can_be_run() -> None:
    seen = set()
    for arguments in commands():
        if "--config" in arguments:
            file = Path(arguments[arguments.index("--config") + 1])
            file.write_text(known_text("kraken-trades"), "utf-8")
        asked = cli.parse(arguments)
        assert isinstance(asked, Options) or callable(asked)
        seen |= {each for each in arguments if each.startswith("--")}
        seen |= set(arguments[:1]) & {"probe", "feeds"}
    wanted = {"--url", "--feed", "--config", "--columns", "--rows", "--where", "probe", "feeds"}
    assert wanted <= seen


@pytest.mark.usefixtures("anywhere")
def test_the_example_of_columns_is_what_it_is_shown_to_be() -> None:
    (arguments,) = (each for each in commands() if "--columns" in each)
    options = cli.parse(arguments)
    assert isinstance(options, Options)
    ((described,),) = (feed.tables for feed in options.feeds)
    assert described.schema.header == "symbol,price,quantity,time,received"
    assert str(described.schema.rows) == "data"
    assert list(map(str, described.schema.where)) == ["$.data.e=trade"]


@pytest.mark.usefixtures("anywhere")
def test_the_example_of_a_trial_is_what_it_prints(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (shown,) = re.findall(r"^```\n\$ fastingest (try .*?)^```$", README, re.DOTALL | re.MULTILINE)
    command, _, printed = shown.partition("\n")
    Path("messages.jsonl").write_bytes(b"\n".join(messages_of("finnhub-trades")))
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(shlex.split(command)) == 1
    said = capsys.readouterr().out
    assert said.replace("read in Python", "read natively") == printed


def test_every_description_of_a_column_parses() -> None:
    section = README.partition("\n## Any other feed, described\n")[2].partition("\n## ")[0]
    examples = re.findall(r"`([a-z]+(?::[a-z]+(?:\[\w+\])?\??)?=[$@]\S+?)`", section)
    assert {"symbol=$.arg.instId", "symbol=$[3]", "time:timestamp[ns]=@received"} <= {*examples}
    for example in examples:
        parse_columns(["other", example])
    ((in_table,),) = (
        re.findall(r"`'(.*)'`", what) for name, _, what in table("Options") if "--columns" in name
    )
    assert [column.name for column in parse_columns(in_table)] == ["symbol", "price", "time"]


def test_the_default_header_is_the_one_that_is_named() -> None:
    assert f"The header is `{TRADES.header}`." in README


def test_every_command_is_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.parse(["--help"]) is None
    box = capsys.readouterr().out.partition(" Commands ")[2].partition(" Options ")[0]
    names = re.findall(r"^│ (\w+) ", box, re.MULTILINE)
    assert {"check", "feeds", "probe", "verify"} <= {*names}
    for name in names:
        assert re.search(rf"fastingest {name}\b", README), name


def test_every_exit_status_stands_in_the_table() -> None:
    classes = [getattr(errors, name) for name in errors.__all__]
    assert all(issubclass(each, FastingestError) for each in classes)
    statuses = {0, *(each.exit_status for each in classes)}
    assert [int(status) for status, _ in table("The end")] == sorted(statuses)


@pytest.mark.usefixtures("anywhere")
def test_the_program_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (program,) = blocks("python")
    program = program.replace("wss://feed.example/trades", "demo://?rate=1000")
    program = program.replace("60s", "1s")
    exec(compile(program, "README.md", "exec"), {})
    assert re.fullmatch(r"[1-9]\d* rows, 0 gaps\n", capsys.readouterr().out)
    assert Path("trades.csv").read_text().startswith(TRADES.header)


@pytest.mark.usefixtures("anywhere")
def test_the_programs_pass_a_strict_type_checker(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="needs mypy, which scripts/check installs")
    (first,), (second,) = blocks("python"), blocks("py")
    forms = (
        "from pathlib import Path",
        "from fastingest import Options",
        'Options(url=["ws://a", "ws://b"][0], out=Path("a.csv"), columns=["a", "b:int"])',
        'Options(subscribe="text", header="A: b", where="a=b", duration=1.5, columns="a, b")',
    )
    paths = [tmp_path / f"program_{number}.py" for number in range(3)]
    for path, text in zip(paths, (first, second, "\n".join(forms)), strict=True):
        path.write_text(text)
    command = [sys.executable, "-m", "mypy", "--strict", "--scripts-are-modules", *map(str, paths)]
    ended = subprocess.run(
        command,
        cwd=tmp_path,
        env=os.environ | {"MYPYPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=2 * LIMIT,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stdout


@pytest.mark.usefixtures("anywhere")
def test_what_is_set_aside_is_read_as_it_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    cells: list[list[Any]] = [["A"], [1.5], [7]]
    layout = Layout(TRADES.names, TRADES.types, "feed")
    batch = Batch(1, [segment_of(cells, TRADES.types)], layout, [(1, 7)], stream=64, sequence=3)
    path = set_aside(Path("stock_data.csv"), batch, 0)
    assert path.name == "stock_data.csv.64-3.failed"
    (program,) = blocks("py")
    exec(compile(program, "README.md", "exec"), {})
    assert capsys.readouterr().out == f"{TRADES.names} {cells} []\n"


def test_every_file_that_is_linked_is_there() -> None:
    links = re.findall(r"\]\(([^):#]+)\)", README)
    assert "fastingest/config/resolve.py" in links
    assert [link for link in links if not (ROOT / link).exists()] == []
