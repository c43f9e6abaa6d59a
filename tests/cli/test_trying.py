"""``fastingest try`` and ``fastingest feeds NAME --try``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from fastingest.cli import commands as cli
from tests.feeds.recorded import messages_of
from tests.support.command_line import execute, run

ROW = '{"symbol":"A","price":1.5,"volume":2}\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FASTINGEST_NATIVE", "0")
    return tmp_path


def test_the_installed_command_tries_messages(here: Path) -> None:
    """The one that pip made, where there is one beside this Python."""
    command = shutil.which("fastingest", path=str(Path(sys.executable).parent))
    start = [command] if command else [sys.executable, "-m", "fastingest"]
    (here / "m.jsonl").write_text(ROW)
    ended = execute([*start, "try", "m.jsonl"], here)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("stock_data.csv: 1 row\nsymbol,price,volume\nA,1.5,2\n\n")
    assert [path.name for path in here.iterdir()] == ["m.jsonl"]


def test_its_help_says_what_the_exit_status_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["try", "--help"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Usage: fastingest try FILE [OPTIONS]\n")
    assert "Exit status: 0 nothing is rejected, 1 something is, 2 it cannot be tried." in said


def test_columns_are_tried_as_in_a_run(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "m.jsonl").write_text('{"d":[{"s":"A"},{"s":"B"},{"s":"C"}],"t":1}\n{"t":2}\n')
    arguments = ["--columns", "name=s", "--rows", "d", "--where", "$.t=1", "--out", "o.csv"]
    assert cli.main(["try", *arguments, "m.jsonl", "--show", "2"]) == 0
    assert capsys.readouterr().out == (
        "o.csv: 3 rows, the first 2\nname\nA\nB\n\n"
        "m.jsonl: 2 messages of feed, read in Python\n"
        "  rows              3\n"
        "  rejected          0\n"
        "  ignored           1\n"
        'ignored:\n  line 2: {"t":2}\n'
    )
    assert [path.name for path in here.iterdir()] == ["m.jsonl"]


def test_something_that_is_rejected_shows_in_the_exit_status(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "m.jsonl").write_text(ROW + "\n?\n")
    assert cli.main(["try", "m.jsonl"]) == 1
    assert "  line 3: not JSON: invalid character (byte 0)\n    ?\n" in capsys.readouterr().out


def test_a_file_with_several_feeds_and_secrets_is_tried_by_name(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "m.jsonl").write_text(ROW)
    (here / "f.toml").write_text(
        '[[feed]]\nname = "a"\nurl = "wss://h/${NO_SUCH_SECRET}"\ncolumns = "symbol"\n'
        'out = "a.csv"\n[[feed]]\nname = "b"\nurl = "wss://h"\nout = "b.csv"\n'
    )
    assert cli.main(["try", "m.jsonl", "--config", "f.toml", "--feed", "a"]) == 0
    assert capsys.readouterr().out.startswith("a.csv: 1 row\nsymbol\nA\n\n")
    assert cli.main(["try", "m.jsonl", "--config", "f.toml"]) == 2
    assert capsys.readouterr().err == (
        "fastingest: error: --feed: messages are of one feed; f.toml has 2, "
        "name one of them: a, b\n"
    )


def test_a_known_feed_is_tried_without_its_secrets(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FINNHUB_TOKEN", raising=False)
    (here / "m.jsonl").write_bytes(b"\n".join(messages_of("finnhub-trades")))
    assert cli.main(["feeds", "finnhub-trades", "--try", "m.jsonl"]) == 1
    assert "m.jsonl: 9 messages of finnhub-trades" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("try",), "FILE needs a value; see fastingest --help"),
        (("try", "none"), "none: No such file or directory"),
        (("try", "empty"), "empty: there is no message in it; it must have one a line"),
        (("try", "empty", "--show", "x"), "--show: 'x' is not a whole number"),
        (("try", "empty", "more"), "'more' belongs to no option; see fastingest --help"),
        (
            ("feeds", "--try", "empty"),
            "--try needs the name of a feed; fastingest feeds lists them",
        ),
        (
            ("feeds", "okx", "--try", "empty"),
            "--feed: 'okx' is no known feed; did you mean okx-books or okx-trades?",
        ),
    ],
)
def test_what_cannot_be_tried_is_one_line(
    arguments: tuple[str, ...], said: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "empty").write_text("\n")
    assert cli.main(arguments) == 2
    assert capsys.readouterr() == ("", f"fastingest: error: {said}\n")


def test_messages_are_read_from_stdin(here: Path) -> None:
    ended = run("try", "-", cwd=here)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "fastingest: error: stdin: there is no message in it; it must have one a line\n"
    )
