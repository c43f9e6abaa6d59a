"""Who has what to do in a run."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastingest.model.batch import PARTITIONS
from fastingest.model.feed import MAX_FEEDS, Feed, Table
from fastingest.model.schema import TRADES, Schema, parse_columns
from fastingest.runtime.assignment import OutputSpec, feeds_of_partition, targets_of

QUOTES = Schema(parse_columns('symbol, "bid, ask":float=b'))


def feed(name: str, *tables: Table) -> Feed:
    return Feed(name, f"ws://{name}", tables)


@pytest.mark.parametrize("partitions", [1, 2, 3, 7, PARTITIONS])
@pytest.mark.parametrize("feeds", [1, 2, 7, PARTITIONS, MAX_FEEDS])
def test_every_feed_has_one_receiver_and_they_have_about_as_many(
    partitions: int, feeds: int
) -> None:
    partitions = min(partitions, feeds)
    all_feeds = [feed(str(index)) for index in range(feeds)]
    shares = [
        [int(each.name) for each in feeds_of_partition(partition, partitions, all_feeds)]
        for partition in range(partitions)
    ]
    assert sorted(index for share in shares for index in share) == list(range(feeds))
    assert all(
        index % partitions == partition for partition, share in enumerate(shares) for index in share
    )
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_an_output_is_made_of_all_tables_that_go_there(tmp_path: Path) -> None:
    trades, quotes = tmp_path / "trades.csv", tmp_path / "quotes.csv"
    feeds = [
        feed("a", Table(trades)),
        feed("b", Table(quotes, QUOTES), Table(trades)),
        feed("c", Table(quotes, QUOTES)),
    ]
    assert targets_of(feeds) == (
        OutputSpec(trades, TRADES.header, {"a": (0,), "b": (1,)}),
        OutputSpec(quotes, 'symbol,"bid, ask"', {"b": (0,), "c": (0,)}),
    )


def test_two_tables_of_a_feed_may_go_to_one_output(tmp_path: Path) -> None:
    both, quotes = tmp_path / "both.csv", tmp_path / "quotes.csv"
    assert targets_of([feed("a", Table(both), Table(quotes, QUOTES), Table(both))]) == (
        OutputSpec(both, TRADES.header, {"a": (0, 2)}),
        OutputSpec(quotes, 'symbol,"bid, ask"', {"a": (1,)}),
    )


def test_names_of_one_output_are_one_and_the_first_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    names = [Path("o.csv"), tmp_path / "o.csv", Path("link/o.csv"), Path("data/../o.csv")]
    feeds = [feed(str(number), Table(name)) for number, name in enumerate(names)]
    assert targets_of(feeds) == (
        OutputSpec(Path("o.csv"), TRADES.header, dict.fromkeys("0123", (0,))),
    )


def test_a_link_that_is_the_output_itself_is_another_name(tmp_path: Path) -> None:
    """What it leads to may be another file tomorrow; the lock on the file tells today."""
    (tmp_path / "link.csv").symlink_to(tmp_path / "o.csv")
    feeds = [feed("a", Table(tmp_path / "o.csv")), feed("b", Table(tmp_path / "link.csv"))]
    assert [target.path.name for target in targets_of(feeds)] == ["o.csv", "link.csv"]
