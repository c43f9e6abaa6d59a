"""Which objects are maps: of symbol to price, of symbol to record, of anything by its own name.

The names of a record are few, are the same each time, and say what a value means. Those of a map
say whose a value is, while all its values are of one kind.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Protocol

__all__ = ["Member", "are_names_of_a_map", "is_ticker"]

_TICKER = re.compile(r"[@#k]?[A-Z0-9][A-Z0-9._/:@#-]*")
_PAIR = re.compile(r"[A-Z0-9]{2,}[/:_-][A-Z0-9]{2,}([/:_-][A-Z0-9]+)*")
# Names that columns have at venues that write them in capitals.
_COLUMNS = {
    *("ID", "TIME", "TIMESTAMP", "TS", "TYPE", "SYMBOL", "PRICE", "VOLUME", "SIZE", "QUANTITY"),
    *("QTY", "AMOUNT", "BID", "ASK", "BIDSIZE", "ASKSIZE", "BID_SIZE", "ASK_SIZE", "BID_PRICE"),
    *("ASK_PRICE", "OPEN", "HIGH", "LOW", "CLOSE", "LAST", "SIDE", "BUY", "SELL", "SEQ", "COUNT"),
}
_ALIKE = 0.8


class Member(Protocol):
    """What is known of a member of several objects."""

    @property
    def seen(self) -> int:
        """How many of them have it."""

    @property
    def kinds(self) -> Mapping[str, int]:
        """Of what kinds its values were, and how often of each."""

    @property
    def is_numeric(self) -> bool:
        """Whether all its values were numbers, in strings or not."""

    @property
    def strings(self) -> Collection[str]:
        """Those that were strings."""

    @property
    def members(self) -> Collection[str]:
        """The names of the members of those that were objects."""


def is_ticker(name: str) -> bool:
    """Whether this may be a symbol and no word."""
    return (
        len(name) > 1
        and _TICKER.fullmatch(name) is not None
        and name not in _COLUMNS
        and not name.isdigit()
    )


def are_names_of_a_map(members: Mapping[str, Member], objects: int) -> bool:
    """Whether these are the members of maps.

    :param objects: of how many.
    """
    count = len(members)
    if not _are_of_one_kind(members):
        return False
    tickers = sum(map(is_ticker, members))
    if tickers >= _ALIKE * count and (count > 1 or _PAIR.fullmatch(next(iter(members)))):
        return True
    is_record = next(iter(members.values())).members
    each_time = sum(each.seen for each in members.values()) / (count * (objects or 1))
    if is_record:
        # Names that are the same each time may be words, such as bid and ask, day and week.
        return (count >= 3 and each_time < 1) or count > 8
    return count >= 8 and each_time < 0.5


def _are_of_one_kind(members: Mapping[str, Member]) -> bool:
    """Whether all values are numbers, or all are records of the same names."""
    profiles = list(members.values())
    if all(each.is_numeric for each in profiles):
        in_strings = [bool(each.strings) for each in profiles]
        return all(in_strings) or not any(in_strings)
    names = [frozenset(each.members) for each in profiles]
    if not all(names) or not all(set(each.kinds) <= {"object", "null"} for each in profiles):
        return False
    everything = frozenset().union(*names)
    shared = sum(len(each) for each in names) / len(names)
    return len(everything) > 1 and shared >= _ALIKE * len(everything)
