"""Who receives what, over the lives of the receivers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest import Options
from fastingest.metrics.counters import Slot
from fastingest.model.batch import partition_of
from fastingest.model.feed import Feed, Table
from fastingest.runtime.assignment import SharedOutput, targets_of
from fastingest.storage.lock import OutputLock
from fastingest.supervisor.account import Account
from fastingest.supervisor.receivers import ReceiverPool


@pytest.fixture
def shares(tmp_path: Path) -> Iterator[tuple[list[Feed], list[SharedOutput], list[Account]]]:
    """Three feeds; all of them go to one file, the second to another as well."""
    both, other = tmp_path / "both.csv", tmp_path / "other.csv"
    feeds = [Feed(name, f"ws://127.0.0.1/{name}", (Table(both),)) for name in ("a", "b", "c")]
    feeds[1] = Feed("b", "ws://127.0.0.1/b", (Table(both), Table(other)))
    options = Options(url="ws://127.0.0.1/")
    made, accounts = [], []
    for target in targets_of(feeds):
        account = Account(options, target, feeds)
        lock = OutputLock(target.path)
        made.append(SharedOutput(target, account.run, account.places, account.counters, lock))
        accounts.append(account)
    yield feeds, made, accounts
    for share, account in zip(made, accounts, strict=True):
        share.lock.release()
        account.places.remove()


Shares = tuple[list[Feed], list[SharedOutput], list[Account]]


def test_one_receiver_has_everything(shares: Shares) -> None:
    pool = ReceiverPool(*shares, receivers=1, native=False)
    assert dict(pool.partitions) == {"receiver": 0}
    plan = pool.begin("receiver", {})
    assert [feed.name for feed in plan.feeds] == ["a", "b", "c"]
    assert list(plan.shares) == [0, 1]
    assert (plan.parts, plan.is_one_of_many) == (2, True)


@pytest.mark.parametrize("native", [False, True])
def test_every_receiver_is_told_whether_the_native_listener_is_used(
    shares: Shares, native: bool
) -> None:
    pool = ReceiverPool(*shares, receivers=2, native=native)
    assert [pool.begin(name, {}).native for name in pool.partitions] == [native, native]


def test_receivers_share_the_feeds_and_have_partitions_of_their_own(shares: Shares) -> None:
    pool = ReceiverPool(*shares, receivers=2, native=False)
    first, second = (pool.begin(name, {}) for name in pool.partitions)
    feeds = ([feed.name for feed in each.feeds] for each in (first, second))
    assert list(feeds) == [["a", "c"], ["b"]]
    assert (list(first.shares), list(second.shares)) == ([0], [0, 1])
    assert first.parts == second.parts == 3
    assert (partition_of(first.stream), partition_of(second.stream)) == (0, 1)
    assert min(share.run for share in shares[1]) < first.stream < second.stream


def test_there_are_no_more_receivers_than_feeds(shares: Shares) -> None:
    pool = ReceiverPool(*shares, receivers=9, native=False)
    assert list(pool.partitions) == ["receiver 1", "receiver 2", "receiver 3"]


def test_who_follows_on_a_dead_receiver_knows_what_was_before_it(shares: Shares) -> None:
    pool = ReceiverPool(*shares, receivers=2, native=False)
    plan = pool.begin("receiver 1", {})
    assert sorted(pool.before["receiver 1"][0]) == [(0, 0, 0), (2, 0, 0)]
    counters = shares[1][0].counters.feeds
    counters[0][Slot.RECEIVED], counters[0][Slot.DROPPED], counters[0][Slot.UNREADABLE] = 9, 2, 1
    counters[0][Slot.CONNECTIONS] = 1
    counters[2][Slot.MESSAGES], counters[2][Slot.DECODED] = 7, 4
    counters[2][Slot.GAP_SINCE] = 1234
    gaps = pool.bury("receiver 1", "it was killed")
    assert counters[2][Slot.LOST_MESSAGES] == 3
    assert gaps.keys() == {"a", "c"}
    assert gaps["c"] == (1234, "it was killed")
    assert gaps["a"][0] > plan.stream
    following = pool.begin("receiver 1", gaps)
    assert following.stream > plan.stream
    assert partition_of(following.stream) == 0
    assert following.gaps == gaps
    assert following.lines == {"a": {}, "c": {}}
    assert sorted(pool.before["receiver 1"][0]) == [(0, 9, 3), (2, 0, 0)]


def test_a_restart_is_counted_where_the_receiver_has_rows(shares: Shares) -> None:
    pool = ReceiverPool(*shares, receivers=2, native=False)
    for name in pool.partitions:
        pool.begin(name, {})
    pool.count_restart("receiver 1")
    pool.count_restart("receiver 2")
    assert [share.counters[Slot.RECEIVER_RESTARTS] for share in shares[1]] == [2, 1]
