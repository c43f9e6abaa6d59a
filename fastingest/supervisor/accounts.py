"""The accounts of all outputs of a run: opened before it begins, and closed when it has ended."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from fastingest.access.secrets import shown
from fastingest.config.options import Options
from fastingest.errors import (
    CaptureIncomplete,
    FastingestError,
    FeedsStale,
    NeverReady,
    RowsLost,
    RunFailed,
    UsageError,
)
from fastingest.metrics.counters import Slot
from fastingest.model.feed import Feed
from fastingest.runtime.assignment import OutputSpec, SharedOutput
from fastingest.runtime.control import GapEnded
from fastingest.storage.ledger import ledger_path
from fastingest.storage.lock import OutputLock
from fastingest.supervisor.account import Account, problem_of, report_fallbacks
from fastingest.supervisor.events import LedgerUnwritable, LeftoversStay
from fastingest.supervisor.line_states import LineStates
from fastingest.supervisor.log import report, said
from fastingest.supervisor.outcome import Outcome

__all__ = ["Accounts"]

_MAX_NUMBERS = 10  # of connections in a message about a feed that has more


class Accounts:
    """One account for each output, in the outputs' order.

    :param options: the run's settings.
    :param locked: its outputs, each with its lock.
    :param feeds: its feeds.
    :raises OptionError: one shall keep no journal, and there is one that is needed.
    :raises OutputRefused: there is no place for one. Nothing is left of any.

    ``shares`` is what the processes share of each.
    """

    def __init__(
        self,
        options: Options,
        locked: Sequence[tuple[OutputSpec, OutputLock]],
        feeds: Sequence[Feed],
    ) -> None:
        self._shown = {
            feed.name: feed.name if len(feeds) > 1 else shown(feed.url) for feed in feeds
        }
        self._is_strict = options.strict
        self._feeds = {feed.name: feed for feed in feeds}
        # Why each feed had its last gap, or each of several connections, by their numbers.
        self._reasons: dict[tuple[str, int | None], str] = {}
        self.lines = LineStates()
        """How connections stand of feeds that have several."""
        self.each: list[Account] = []
        self.shares: list[SharedOutput] = []
        try:
            for target, lock in locked:
                account = Account(options, target, feeds)
                self.each.append(account)
                share = SharedOutput(target, account.run, account.places, account.counters, lock)
                self.shares.append(share)
        except (OSError, FastingestError):
            for account in self.each:
                _clean_up(account, complete=False)
            raise

    def report_fallbacks(self) -> None:
        """Say what is on disk that should be in memory."""
        report_fallbacks(self.each, report)

    def note_gap(self, gap: GapEnded) -> None:
        """A feed was not ready: that belongs to the account of each output that it goes to."""
        self._reasons[gap.feed, gap.connection] = gap.reason
        of_line: dict[str, Any] = {}
        if gap.connection is not None:
            symbols = self._feeds[gap.feed].lines[gap.connection - 1].symbols
            of_line = {"connection": gap.connection, "symbols": len(symbols)}
            of_line |= {"first_symbol": symbols[0], "last_symbol": symbols[-1]}
        for share, account in zip(self.shares, self.each, strict=True):
            if gap.feed in share.target.tables:
                account.events.gap(gap.feed, gap.start, gap.seconds, gap.reason, of_line)

    def note_stale(self, feed: str, names: tuple[str, ...]) -> None:
        """Something else of a feed is stale now: for the account of each output of it."""
        for share, account in zip(self.shares, self.each, strict=True):
            if feed in share.target.tables:
                account.stale[feed] = names

    @property
    def problem(self) -> RowsLost | NeverReady | CaptureIncomplete | FeedsStale | None:
        """What the user must know where not every row is in its file, or kept, or was granted.

        With ``--strict`` also where something is stale.
        """
        lost, unready, refused = problem_of(self.each), self._never_ready(), self._refused()
        stale = self._stale() if self._is_strict else None
        if lost is not None:
            more = [str(each) for each in (unready, refused, stale) if each is not None]
            return RowsLost("; ".join([lost.problem, *more]))
        return unready or refused or stale

    def _counted(self, feed: str, slot: Slot) -> int:
        """What is counted of a feed itself: the same in each output that it goes to."""
        return next(
            share.counters.of(feed)[slot] for share in self.shares if feed in share.target.tables
        )

    def _never_ready(self) -> NeverReady | None:
        feeds = [
            self._why_never_ready(feed)
            for feed in self._shown
            if self._counted(feed, Slot.NEVER_READY)
        ]
        return NeverReady(feeds) if feeds else None

    def _why_never_ready(self, feed: str) -> tuple[str, str]:
        """What a feed is called, or those of its connections that it is about, and why."""
        name, numbers = self._shown[feed], self.lines.never_ready(feed)
        reason = self._reasons.get((feed, numbers[0] if numbers else None), "its receiver died")
        if len(numbers) < len(self._feeds[feed].lines):
            shown = ", ".join(map(str, numbers[:_MAX_NUMBERS]))
            more = f" and {left} more" if (left := len(numbers) - _MAX_NUMBERS) > 0 else ""
            name = f"{name}, connection{'s' * (len(numbers) > 1)} {shown}{more}"
        return name, reason

    def _refused(self) -> CaptureIncomplete | None:
        """What feeds refuse at the end."""
        counts = [(feed, self._counted(feed, Slot.REFUSED_NOW)) for feed in self._shown]
        feeds = [(feed, count) for feed, count in counts if count]
        return CaptureIncomplete(feeds) if feeds else None

    def _stale(self) -> FeedsStale | None:
        """What is stale at the end."""
        feeds = {
            feed: (share.counters.of(feed)[Slot.STALE], account.stale.get(feed, ()))
            for share, account in zip(self.shares, self.each, strict=True)
            for feed in share.target.tables
        }
        stale = [(feed, count, names) for feed, (count, names) in feeds.items() if count]
        return FeedsStale(stale) if stale else None

    def close(
        self, ended: int, complete: Collection[int], outcome: Outcome, *, has_begun: bool
    ) -> None:
        """Say what became of all rows, in the ledgers, and remove what is not needed any more.

        To be called when all processes have ended. A run that was refused before anything was
        captured gets no line, and leaves no file that it has made.

        :param ended: when the run ended, in nanoseconds since the epoch.
        :param complete: the outputs, by their index, for which all there was is written.
        :param outcome: of the run; here as well it may fail.
        :param has_begun: whether a writer has had the files open.
        """
        for number, account in enumerate(self.each):
            _balance(account, outcome, complete=number in complete)
        has_captured = any(account.counters.whole_ledger.received for account in self.each)
        has_lines = has_begun and (has_captured or not isinstance(outcome.failure, UsageError))
        for number, account in enumerate(self.each):
            if not has_lines or _close(account, ended, outcome):
                _clean_up(account, complete=number in complete)
            if not has_lines:
                account.remove_bare_output()


def _balance(account: Account, outcome: Outcome, *, complete: bool) -> None:
    try:
        account.balance(complete)
    except (OSError, FastingestError) as error:
        problem = f"{account.out}: what is kept of it cannot be told: {said(error)}"
        outcome.fail(RunFailed(problem))


def _close(account: Account, ended: int, outcome: Outcome) -> bool:
    """Add the account's line to the ledger; whether that could be done."""
    try:
        account.close(ended)
    except (OSError, FastingestError) as error:
        why = (isinstance(error, OSError) and error.strerror) or str(error)
        problem = f"{ledger_path(account.out)}: cannot be written: {why}"
        report(LedgerUnwritable(problem))
        outcome.fail(RunFailed(f"{problem}; the next run does that"))
        return False
    return True


def _clean_up(account: Account, *, complete: bool) -> None:
    try:
        account.clean_up(complete)
    except (OSError, FastingestError) as error:  # the next start does it
        report(LeftoversStay(str(account.out), said(error)))
