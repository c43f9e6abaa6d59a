"""The accounts of several outputs, over the life of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fastingest import CaptureIncomplete, FeedsStale, Options, OutputRefused, RowsLost, RunFailed
from fastingest.errors import FeedRefused, NeverReady
from fastingest.metrics.counters import Slot
from fastingest.model.feed import Feed, Line, Table
from fastingest.runtime.assignment import OutputSpec, targets_of
from fastingest.runtime.control import GapEnded, LineState
from fastingest.storage.ledger import read_entries
from fastingest.storage.lock import OutputLock
from fastingest.supervisor.account import Account
from fastingest.supervisor.accounts import Accounts
from fastingest.supervisor.outcome import Outcome

ENDED = 1_700_000_000_000_000_000
GAP = GapEnded("b", 1_600_000_000_000_000_000, 2.5, "no answer in time")
REFUSED = FeedRefused("ws://127.0.0.1/a", "403")


class Outputs:
    """Two outputs: feeds ``a`` and ``b`` go to the first one, ``b`` to the second as well."""

    def __init__(self, directory: Path) -> None:
        self.paths = directory / "both.csv", directory / "other.csv"
        both, other = map(Table, self.paths)
        self.feeds = [
            Feed("a", "ws://127.0.0.1/a", (both,)),
            Feed("b", "ws://127.0.0.1/b", (both, other)),
        ]
        self.locks = [(each, OutputLock(each.path)) for each in targets_of(self.feeds)]

    def open(self, *, strict: bool = False) -> Accounts:
        return Accounts(Options(url="ws://127.0.0.1/", strict=strict), self.locks, self.feeds)

    @property
    def lines(self) -> list[list[dict[str, Any]]]:
        return [read_entries(path) for path in self.paths]


@pytest.fixture
def outputs(tmp_path: Path) -> Iterator[Outputs]:
    with ExitStack() as locks:
        outputs = Outputs(tmp_path)
        for _, lock in outputs.locks:
            locks.callback(lock.release)
        yield outputs


def _spools(accounts: Sequence[Account]) -> list[bool]:
    return [account.places.spool.exists() for account in accounts]


def test_each_output_has_an_account_that_its_processes_share(outputs: Outputs) -> None:
    accounts = outputs.open()
    assert [each.target.path for each in accounts.shares] == list(outputs.paths)
    for account, share in zip(accounts.each, accounts.shares, strict=True):
        assert (share.run, share.counters) == (account.run, account.counters)
        assert len(share.counters.feeds) == 2
    accounts.close(ENDED, {0, 1}, Outcome(), has_begun=False)
    assert outputs.lines == [[], []]
    assert _spools(accounts.each) == [False, False]


def test_where_one_cannot_be_opened_nothing_is_left_of_any(
    outputs: Outputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Account] = []

    def open_one(options: Options, target: OutputSpec, feeds: Sequence[Feed]) -> Account:
        if opened:
            raise OutputRefused(target.path, "no")
        opened.append(Account(options, target, feeds))
        return opened[0]

    monkeypatch.setattr("fastingest.supervisor.accounts.Account", open_one)
    with pytest.raises(OutputRefused, match=r"other\.csv: no"):
        outputs.open()
    assert len(opened) == 1
    assert _spools(opened) == [False]


def test_a_gap_is_in_the_account_of_each_output_of_its_feed(outputs: Outputs) -> None:
    accounts = outputs.open()
    accounts.note_gap(GAP)
    accounts.note_gap(GapEnded("a", GAP.start, 0.5, "the server closed"))
    accounts.close(ENDED, {0, 1}, Outcome(), has_begun=True)
    both, other = ([gap["feed"] for gap in line["gaps"]] for (line,) in outputs.lines)
    assert (both, other) == (["b", "a"], ["b"])
    assert outputs.lines[1][0]["gaps"] == [
        {
            "feed": "b",
            "start": "2020-09-13T12:26:40.000000000Z",
            "seconds": 2.5,
            "reason": "no answer in time",
        }
    ]


def test_what_is_not_written_and_not_kept_is_lost_and_the_user_s_to_know(outputs: Outputs) -> None:
    accounts, outcome = outputs.open(), Outcome()
    counters = accounts.shares[0].counters.feeds[1]
    counters[Slot.RECEIVED], counters[Slot.WRITTEN] = 9, 5
    accounts.close(ENDED, {1}, outcome, has_begun=True)
    assert outcome.failure is None
    assert str(accounts.problem) == "4 received rows were lost with a receiver that died"
    assert [line["lost"] for (line,) in outputs.lines] == [4, 0]


def test_a_feed_that_was_never_ready_is_a_problem_with_its_reason(outputs: Outputs) -> None:
    accounts = outputs.open()
    unready = [share.counters.of("b") for share in accounts.shares]
    for counters in unready:
        counters[Slot.NEVER_READY] = 1
    accounts.note_gap(GAP)
    said = "b: it was not ready once in this run: no answer in time"
    problem = accounts.problem
    assert isinstance(problem, NeverReady)
    assert (str(problem), problem.exit_status) == (said, 3)
    counters = accounts.shares[0].counters.of("a")
    counters[Slot.RECEIVED] = counters[Slot.DROPPED] = 9
    problem = accounts.problem
    assert isinstance(problem, RowsLost)
    assert str(problem) == f"9 rows were dropped while the outbox was full; {said}"
    for counters in unready:
        counters[Slot.NEVER_READY] = 0
    assert "not ready" not in str(accounts.problem)


def test_a_feed_that_nobody_has_begun_with_is_no_problem(outputs: Outputs) -> None:
    assert outputs.open().problem is None


@pytest.mark.parametrize(("received", "lines"), [(0, 0), (3, 1)])
def test_a_run_that_was_refused_has_a_line_where_it_has_captured_anything(
    outputs: Outputs, received: int, lines: int
) -> None:
    accounts, outcome = outputs.open(), Outcome()
    outcome.fail(REFUSED)
    counters = accounts.shares[1].counters.feeds[1]
    counters[Slot.RECEIVED] = counters[Slot.WRITTEN] = received
    accounts.close(ENDED, {0, 1}, outcome, has_begun=True)
    assert [len(each) for each in outputs.lines] == [lines, lines]
    assert _spools(accounts.each) == [False, False]


def test_what_goes_wrong_at_one_hides_neither_the_other_nor_the_reason(
    outputs: Outputs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    accounts, outcome = outputs.open(), Outcome()
    accounts.shares[0].counters[Slot.RECEIVED] = 1
    broken = accounts.each[0]

    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system", "/some/file")

    for name in ("balance", "close"):
        monkeypatch.setattr(broken, name, fail)
    monkeypatch.setattr(accounts.each[1], "clean_up", fail)
    accounts.close(ENDED, {0, 1}, outcome, has_begun=True)
    problem = "what is kept of it cannot be told: /some/file: Read-only file system"
    assert type(outcome.failure) is RunFailed
    assert str(outcome.failure) == f"{outputs.paths[0]}: {problem}"
    assert [len(each) for each in outputs.lines] == [0, 1]
    assert [each.message for each in caplog.records] == [
        "the ledger cannot be written; the next start does it",
        "what is not needed any more cannot be removed",
    ]
    monkeypatch.undo()
    broken.places.remove()
    accounts.each[1].places.remove()


def test_what_a_feed_refuses_at_the_end_is_told_of_each_feed_once(outputs: Outputs) -> None:
    accounts = outputs.open()
    assert _problem(accounts) is None
    for share in accounts.shares:
        share.counters.of("b")[Slot.REFUSED] = 7
    assert _problem(accounts) is None  # it has granted it since
    for share in accounts.shares:
        share.counters.of("b")[Slot.REFUSED_NOW] = 2
    problem = _problem(accounts)
    assert isinstance(problem, CaptureIncomplete)
    assert problem.feeds == [("b", 2)]
    accounts.shares[0].counters.of("a")[Slot.RECEIVED] = 1
    accounts.shares[0].counters.of("a")[Slot.DROPPED] = 1
    lost = _problem(accounts)
    assert isinstance(lost, RowsLost)
    assert lost.problem == f"1 rows were dropped while the outbox was full; {problem}"
    accounts.close(ENDED, {0, 1}, Outcome(), has_begun=False)


@pytest.mark.parametrize("strict", [False, True])
def test_what_is_stale_at_the_end_is_in_the_line_and_a_problem_where_that_is_strict(
    outputs: Outputs, strict: bool
) -> None:
    accounts = outputs.open(strict=strict)
    accounts.note_stale("a", ("X",))
    accounts.note_stale("b", ("b", "Y", "Z"))
    for share in accounts.shares:
        share.counters.of("b")[Slot.STALE] = 7
    problem = _problem(accounts)
    if strict:
        assert isinstance(problem, FeedsStale)
        assert (str(problem), problem.exit_status) == ("stale at the end: b: Y, Z, 4 more", 3)
    else:
        assert problem is None
    accounts.close(ENDED, {0, 1}, Outcome(), has_begun=True)
    both, other = outputs.lines
    assert [line["stale"] for (line,) in (both, other)] == [7, 7]
    assert [feed["stale"] for feed in both[0]["feeds"]] == [0, 7]
    assert [feed["stale_names"] for feed in both[0]["feeds"]] == [["X"], ["b", "Y", "Z"]]


def _problem(accounts: Accounts) -> Exception | None:
    return accounts.problem


def test_a_gap_of_one_of_several_connections_says_what_that_asks_for(outputs: Outputs) -> None:
    lines = (Line("ws://h", (), ("A", "B")), Line("ws://h", (), ("C",)))
    outputs.feeds[1] = replace(outputs.feeds[1], lines=lines)
    accounts = outputs.open()
    accounts.note_gap(GapEnded("b", GAP.start, 0.5, "why", 1))
    accounts.note_gap(GapEnded("b", GAP.start, 0.5, "why", 2))
    accounts.close(ENDED, {0, 1}, Outcome(), has_begun=True)
    names = ("connection", "symbols", "first_symbol", "last_symbol")
    noted = outputs.lines[1][0]["gaps"]
    assert [tuple(gap[name] for name in names) for gap in noted] == [
        (1, 2, "A", "B"),
        (2, 1, "C", "C"),
    ]


@pytest.mark.parametrize(
    ("numbers", "said"),
    [((2,), "b, connection 2"), ((1, 3), "b, connections 1, 3"), ((1, 2, 3), "b")],
)
def test_connections_that_were_never_ready_are_told_by_their_numbers(
    outputs: Outputs, numbers: tuple[int, ...], said: str
) -> None:
    lines = tuple(Line("ws://h", (), (symbol,)) for symbol in "ABC")
    outputs.feeds[1] = replace(outputs.feeds[1], lines=lines)
    accounts = outputs.open()
    for share in accounts.shares:
        share.counters.of("b")[Slot.NEVER_READY] = len(numbers)
    for number in (1, 2, 3):
        accounts.lines.note(LineState("b", number, 0, never_ready=number in numbers))
        accounts.note_gap(GapEnded("b", GAP.start, 0.5, f"why {number}", number))
    expected = f"{said}: it was not ready once in this run: why {numbers[0]}"
    assert str(accounts.problem) == expected
