"""The comparison as a command, and its rounds with peers of our own."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bench.capture import ROOT, BenchmarkError
from bench.expected import WrongFileError
from bench.roster import Peer, peers
from bench.side_by_side import Bench, chosen, measure

CLIENT = """
import sys
from json import loads
from websockets.sync.client import connect
with connect(sys.argv[1], open_timeout=60, proxy=None) as client, open(sys.argv[2], "w") as file:
    file.write("symbol,price,volume\\n")
    for number, message in enumerate(client, 1):
        if number != {lost}:
            print(*loads(message).values(), sep=",", file=file)
        if number == int(sys.argv[3]):
            break
sys.exit({status})
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    folder = tmp_path / "captures"
    folder.mkdir()
    return Bench(folder, seconds=0.1)


def client(folder: Path, name: str, *, lost: int = 0, status: str = "0") -> Peer:
    """A peer that loses a row, or exits with that status."""
    script = folder / f"{name}.py"
    script.write_text(CLIENT.format(lost=lost, status=status))
    return Peer(name, name.title(), "Python", [sys.executable, str(script)])


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.side_by_side", *arguments]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


def test_peers_take_turns(bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    both = [client(tmp_path, "one"), client(tmp_path, "two")]
    results = measure(bench, both, 2, required=True)
    assert [len(result.rates) for result in results.peers] == [2, 2]
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [line[2] for line in lines[:2]] == [f"{result.rows:,}" for result in results.peers]
    said = [line[:2] for line in lines]
    assert said[2:] == [["1/2", "One"], ["1/2", "Two"], ["2/2", "Two"], ["2/2", "One"]]
    assert list(bench.folder.iterdir()) == []


def test_a_peer_whose_file_is_not_exact_ends_the_run(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(WrongFileError, match=r"loser: .*row 1,234 is"):
        measure(bench, [client(tmp_path, "loser", lost=1234)], 1, required=False)


def test_a_peer_that_cannot_run_is_left_out(bench: Bench, tmp_path: Path) -> None:
    failing = client(tmp_path, "failing", status="'it is not built; build it'")
    absent = replace(client(tmp_path, "absent"), missing="needs it: install it")
    results = measure(bench, [failing, absent], 1, required=False)
    assert results.peers == []
    assert results.skipped == {
        "Failing": "it is not built; build it",
        "Absent": "needs it: install it",
    }


def test_a_peer_that_was_asked_for_by_name_must_run(bench: Bench, tmp_path: Path) -> None:
    absent = replace(client(tmp_path, "absent"), missing="needs it: install it")
    with pytest.raises(BenchmarkError, match="absent: needs it: install it"):
        measure(bench, [absent], 1, required=True)


def test_peers_are_chosen_by_name() -> None:
    known = peers()
    assert [peer.name for peer in chosen("fastingest, classic", known)] == ["classic", "fastingest"]
    with pytest.raises(BenchmarkError, match="there is no nobody; --list says"):
        chosen("classic,nobody", known)


@pytest.mark.long
@pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib for the charts"
)
def test_a_run_writes_figures_a_table_and_charts(tmp_path: Path) -> None:
    done = run(
        *("--peers", "picows-msgspec", "--rounds", "1", "--seconds", "0.2"),
        *("--output", str(tmp_path / "results")),
    )
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "results" / "side_by_side.md").read_text()
    assert table in done.stdout
    assert "| picows + msgspec + csv |" in table
    read = json.loads((tmp_path / "results" / "side_by_side.json").read_text())
    assert [len(peer["rates"]) for peer in read["peers"]] == [1]
    svg = (tmp_path / "results" / "side_by_side.svg").read_text()
    assert "prefers-color-scheme: dark" in svg
    assert re.search(r"#[0-9a-f]{6}\b", svg.partition("</style>")[2]) is None
    assert (tmp_path / "results" / "side_by_side.png").read_bytes().startswith(b"\x89PNG")
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert names == [f"side_by_side.{end}" for end in ("json", "md", "png", "svg")]


def test_errors_are_one_line() -> None:
    done = run("--peers", "nobody")
    assert done.returncode == 1
    assert done.stderr == "bench: --peers: there is no nobody; --list says which there are\n"


def test_the_list_names_every_peer() -> None:
    done = run("--list")
    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == [p.name for p in peers()]
