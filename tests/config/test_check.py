from __future__ import annotations

from pathlib import Path

import pytest

from fastingest import OptionError
from fastingest.cli import commands as cli
from fastingest.config.check import check, check_text

GOOD = """\
out = "quotes.csv"
flush-interval = "100ms"
[[feed]]
url = "wss://me:word@feed.example/x?key=${NOT_SET_ANYWHERE}"
headers = ["A: ${NOT_SET_ANYWHERE}", "B: ${file:/nowhere/at/all}"]
subscribe = ["a", "b"]
heartbeat = {send = "ping", every = "1s"}
[[feed.table]]
columns = "a=b, c=d"
[[feed.table]]
name = "more"
columns = "e=f"
[[feed]]
name = "second"
url = "wss://other.example"
out = "second.csv"
"""
BAD = """\
flush-interval = "0s"
batch-size = 0
[[feed]]
columns = ["a:int=b", "c:itn=d"]
where = "x"
"""


def file(folder: Path, text: str) -> Path:
    path = folder / "f.toml"
    path.write_text(text)
    return path


def test_a_good_file_is_summed_up_without_secrets(tmp_path: Path) -> None:
    path = file(tmp_path, GOOD)
    lines = check_text(check(path)).splitlines()
    assert lines[:8] == [
        f"{path}: 2 feeds",
        "  sets out, flush-interval",
        "feed.example: wss://***@feed.example/x?key=***",
        "  sends 2 messages after a connect, 1 by the clock",
        "  quotes.csv: a,c",
        "  quotes_more.csv: e",
        "second: wss://other.example",
        "  second.csv: symbol,price,volume",
    ]
    assert len(lines) == 10
    assert lines[8].startswith("note: the environment variable NOT_SET_ANYWHERE is not set")
    assert lines[9].startswith("note: the secret's file /nowhere/at/all: No such file")


def test_every_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    path = file(tmp_path, BAD)
    said = check_text(check(path)).splitlines()
    assert [line.removeprefix(f"{path}:").partition(": ")[0] for line in said] == list("12345")
    assert said[0].endswith("1: 0s is out of range; it must be at least 1ms")
    assert said[1].endswith("2: 0 is out of range; it must be at least 1")
    assert "there is no 'url'" in said[2]
    assert "'itn' is no type" in said[3]
    assert "'x' is no condition" in said[4]


def test_options_are_judged_together(tmp_path: Path) -> None:
    good = 'reconnect-initial = "60s"\nreconnect-max = "90s"\n'
    assert check(file(tmp_path, good)).problems == ()
    (problem,) = check(file(tmp_path, 'reconnect-initial = "60s"\n')).problems
    assert "is longer than --reconnect-max" in str(problem)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = \n", ":1: is no TOML: "),
        ("url='ws://a'\n[[table]]\ncolumns='a=b'\n[[table]]\ncolumns='b'\n", ":4: another table"),
    ],
)
def test_what_is_wrong_between_tables_is_told(tmp_path: Path, text: str, said: str) -> None:
    path = file(tmp_path, text)
    (line,) = check_text(check(path)).splitlines()
    assert line.startswith(f"{path}{said}")


def test_symbols_may_be_left_to_the_command_line(tmp_path: Path) -> None:
    path = file(tmp_path, "url='ws://a/{symbols}'\n")
    assert check_text(check(path)).splitlines() == [
        f"{path}: 1 feed",
        "a: ws://a/SYMBOL",
        "  stock_data.csv: symbol,price,volume",
        "note: it needs --symbols, which are shown as SYMBOL",
    ]


@pytest.mark.parametrize(("count", "messages"), [(0, "0 messages"), (1, "1 message")])
def test_what_is_sent_is_counted(count: int, messages: str, tmp_path: Path) -> None:
    sent = f"url='ws://a'\nsubscribe={['x'] * count}\nheartbeat={{send='y', every='1s'}}\n"
    lines = check_text(check(file(tmp_path, sent))).splitlines()
    assert lines[2] == f"  sends {messages} after a connect, 1 by the clock"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stale-after='30s'", "  stale after 30s without a row"),
        (
            "stale-after='30s'\nstale-by='symbol'\nwhen-stale='reconnect'",
            "  stale after 30s without a row, by symbol, then it reconnects",
        ),
        (
            "stale-by='symbol'",
            "  stale by symbol, where --stale-after or a stale-after says when",
        ),
    ],
)
def test_what_is_done_about_silence_is_told(text: str, said: str, tmp_path: Path) -> None:
    lines = check_text(check(file(tmp_path, f"url='ws://a'\n{text}\n"))).splitlines()
    assert lines[2] == said


def test_a_column_that_there_is_not_is_a_mistake_at_its_line(tmp_path: Path) -> None:
    path = file(tmp_path, "url='ws://a'\nstale-by='s'\n")
    assert check_text(check(path)) == (
        f"{path}:2: ws://a has no column 's' from the feed; it has symbol, price, volume"
    )


def test_a_file_of_options_is_told_as_such(tmp_path: Path) -> None:
    path = file(tmp_path, "max-rows = 1\n")
    assert check_text(check(path)).splitlines() == [
        f"{path}: no feed; it goes with --url or --feed",
        "  sets max-rows",
    ]


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="No such file or directory"):
        check(tmp_path / "missing.toml")


@pytest.mark.parametrize(("text", "status"), [(GOOD, 0), (BAD, 2)])
def test_the_commands_exit_status(
    tmp_path: Path, text: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, text)
    assert cli.main(["check", str(path)]) == status
    assert capsys.readouterr().out == check_text(check(path)) + "\n"


def test_the_command_says_that_there_is_no_such_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "missing.toml"
    assert cli.main(["check", str(path)]) == 2
    said = f"fastingest: error: {path}: No such file or directory\n"
    assert capsys.readouterr().err == said


def test_a_command_is_not_run_and_one_that_is_not_there_is_noted(tmp_path: Path) -> None:
    made = tmp_path / "made"
    path = file(
        tmp_path,
        f"""\
url = "wss://feed.example/?t=${{command:touch {made}}}"
headers = ["A: ${{command:fi-no-such-program ${{now:ms}}}}"]
subscribe = '{{"t":"${{shell:touch {made}}}","now":${{now:s}}}}'
""",
    )
    lines = check_text(check(path)).splitlines()
    assert lines[1] == "feed.example: wss://feed.example/?t=***"
    notes = [line for line in lines if line.startswith("note: ")]
    assert notes == [
        "note: the command 'fi-no-such-program' is not there; install it, or name its path"
    ]
    assert not made.exists()


def test_a_secret_that_is_not_well_formed_is_a_mistake_of_its_line(tmp_path: Path) -> None:
    path = file(
        tmp_path,
        """\
url = "wss://feed.example/?t=${now:days}"
headers = [
    "A: b",
    "C: ${command:echo 'a}",
]
subscribe = [
    "${command:}",
    {send = "${shell:echo ${KEY}}"},
]
heartbeat = {send = "${KEY", every = "1s"}
proxy = "${two words}"
""",
    )
    found = check_text(check(path)).splitlines()
    said = [(1, "${now:days} names no unit"), (4, "not whole: No closing quotation")]
    said += [(7, "names no command"), (8, "write $NAME or $(cat PATH)")]
    said += [(10, "has no } behind it"), (11, "names no environment variable")]
    assert len(found) == len(said)
    for line, (number, words) in zip(found, said, strict=True):
        assert line.startswith(f"{path}:{number}: ")
        assert words in line


def test_connections_are_counted_where_there_are_several(tmp_path: Path) -> None:
    text = "url='ws://a'\nsubscribe=['{symbol}', 'x']\nper-connection=2\nsymbols=['A','B','C']\n"
    lines = check_text(check(file(tmp_path, text))).splitlines()
    assert lines[2:4] == [
        "  sends 3 messages after a connect, 0 by the clock",
        "  asks for 3 symbols on 2 connections, 2 on each at most",
    ]
