"""Each peer of the comparison captures a feed exactly, where it is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.capture import capture
from bench.expected import check
from bench.roster import Peer, peers
from bench.side_by_side import Bench

ALL = peers()
ROWS = 20_000


def _named(peer: Peer) -> str:
    return peer.name


@pytest.fixture(params=ALL, ids=_named)
def peer(request: pytest.FixtureRequest) -> Peer:
    each: Peer = request.param
    if each.missing:
        pytest.skip(each.missing)
    return each


@pytest.mark.long
def test_it_captures_every_row_and_ends_by_itself(peer: Peer, tmp_path: Path) -> None:
    done = Bench(tmp_path, seconds=5.0, numbered=True).run(peer, ROWS)
    assert done.rows == ROWS
    assert 0 < done.seconds < done.wall
    assert done.peak > 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
@pytest.mark.parametrize(
    "peer",
    [each for each in ALL if each.kind != "fastingest"],  # which connects again
    ids=_named,
    indirect=True,
)
def test_it_ends_where_the_server_does(peer: Peer, tmp_path: Path) -> None:
    out = tmp_path / "rows.csv"
    capture(
        lambda url: peer.command(url, out, ROWS),
        1000,
        ["--rows", "1000"],
        timeout=30,
        stderr=tmp_path / "stderr",
        environment=peer.environment,
    )
    check(out, 1000)


def test_it_says_what_it_is_made_of(peer: Peer) -> None:
    versions = peer.versions()
    assert versions
    assert all(any(character.isdigit() for character in each) for each in versions.values())


def test_names_are_unique() -> None:
    assert len({peer.name for peer in ALL}) == len({peer.title for peer in ALL}) == len(ALL)
