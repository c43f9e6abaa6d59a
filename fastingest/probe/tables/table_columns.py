"""The columns of one table: what its rows hold, what stands around them, and where they are."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from fastingest.model.jsonpath import Each, JsonPath, PlaceSteps
from fastingest.model.schema import Column
from fastingest.probe.reading import Row
from fastingest.probe.tables.columns import (
    has_blanks,
    is_quantity,
    name_of,
    names_of_positions,
    type_of,
    unique,
)
from fastingest.probe.tables.discriminators import is_generic, is_type
from fastingest.probe.tables.field_profile import FieldProfile, Steps, follow
from fastingest.probe.tables.rows import FoundRows
from fastingest.probe.tables.words import says_whose

__all__ = ["TableColumns", "TakenMessage"]

_ENVELOPE = {"jsonrpc"}  # says which protocol it is, never anything of a row
_MAX_COMPARED = 500  # messages in which it is looked for what is said twice
_ENOUGH = 10  # messages, or rows, from which on it can be said what nearly all of them lack
_SELDOM = {False: 0.02, True: 0.1}  # of rows, and of messages
_BEST: dict[str | int, str] = {
    **{"b": "bid_price", "B": "bid_size", "a": "ask_price", "A": "ask_size"}
}
_KEY_NAMES = {"mids", "prices", "rates", "tickers", "mid"}


@dataclass(frozen=True)
class TakenMessage:
    """A message and its rows."""

    value: Any
    rows: list[Row]


class TableColumns:
    """The columns of one table.

    :param taken: its messages.
    :param now: seconds since the epoch at the time of the probe.
    """

    def __init__(self, taken: Sequence[TakenMessage], now: float) -> None:
        self.found: list[Column] = []
        self.notes: list[str] = []
        """What is left out, and why."""
        self.quantities = 0
        self._now = now
        self._names: set[str] = set()
        self._taken = taken
        self._rows = [row for message in taken for row in message.rows]
        self._texts: list[Steps] = []  # where rows say what they are of
        self._around: list[Steps] = []  # where texts stand beside them
        self._added: set[Steps] = set()

    def add_rows(self, where: FoundRows, said: Collection[PlaceSteps]) -> None:
        """Add what the rows hold, and what there is of them besides.

        :param said: where a condition says it already.
        """
        seen = FieldProfile(row.value for row in self._rows)
        for place in where.rows.places:
            _mark(seen, where.pairs, place.steps)
        starred = any(Each.MEMBER in place.steps for place in where.rows.places)
        if starred and not self._is_key_said():
            self._add_key(where)
        if len(where.rows.places) > 1:
            sides = all(place.name for place in where.rows.places)
            self._add_own("side" if sides else "place", "str", "@rows")
        if where.is_book:
            self._add_own("level", "int", "@index")
        if seen.is_scalar:
            self._add_value(where, seen)
            return
        positions = {
            int(step): (kind, leaf)
            for step, leaf in seen.positions.items()
            if (kind := type_of(leaf, step, self._now)) is not None
        }
        guessed = names_of_positions(positions, is_level=where.is_book)
        for steps, leaf in seen.leaves():
            if steps in said or steps[-1] in _ENVELOPE:
                continue
            first = steps[0]
            guess = guessed.get(first) if len(steps) == 1 and isinstance(first, int) else None
            if len(steps) == 1 and seen.members.keys() >= _BEST.keys():
                guess = _BEST.get(first, guess)
            self._add(steps, leaf, JsonPath(steps), len(self._rows), guess)

    def add_around(self, where: FoundRows, said: Collection[PlaceSteps]) -> None:
        """Add what stands beside the rows.

        :param said: where a condition says it already.
        """
        root = FieldProfile(message.value for message in self._taken)
        _mark(root, where.pairs, ())
        every = [((), root), *where.around]
        self._around = [
            (*at, *inner)
            for at, seen in every
            for inner, leaf in seen.leaves()
            if _can_be_symbols(inner, leaf)
        ]
        for at, seen in every:
            self._add_beside(seen, at, [place.steps for place in where.rows.places], said)

    def _add_beside(
        self,
        seen: FieldProfile,
        at: Steps,
        places: Collection[PlaceSteps],
        said: Collection[PlaceSteps],
    ) -> None:
        """Add those of the messages, or of what stands at ``at`` in each."""
        for inner, leaf in seen.leaves():
            steps = (*at, *inner)
            if steps in said or steps[-1] in _ENVELOPE:
                continue
            if any(
                steps[: len(place)] == place or place[: len(steps)] == steps for place in places
            ):
                continue
            if is_generic(leaf.texts) and len(leaf.texts) == 1:
                continue
            if any(_is_way(steps, place) for place in places) or self._is_said_twice(steps, leaf):
                continue
            self._add(steps, leaf, JsonPath(steps, True), len(self._taken))

    def _add_own(self, name: str, kind: str, own: str) -> None:
        self._names.add(name)
        self.found.append(Column(name, kind, JsonPath(own=own)))

    def _add_key(self, where: FoundRows) -> None:
        """Add the names of the rows in a map, which are symbols, or the prices of a book."""
        keys = FieldProfile(row.key for row in self._rows)
        if keys.is_numeric and all(place.name for place in where.rows.places):
            self._add_own("price", "decimal", "@key")
        else:
            has_symbols = any(re.search("[A-Z]", key) for key in keys.strings)
            self._add_own("symbol" if has_symbols else "key", "str", "@key")

    def _add_value(self, where: FoundRows, seen: FieldProfile) -> None:
        """Add the rows themselves, which are numbers or texts."""
        names = {step for place in where.rows.places for step in place.steps}
        name = "price" if not names - {Each.MEMBER} or names & _KEY_NAMES else "value"
        if "price" in self._names:
            name = "size"
        kind = type_of(seen, name, self._now)
        if kind is None:
            self.notes.append(f"left out: the values, {_why_left_out(seen)}")
            return
        required = not seen.kinds["null"] and not has_blanks(seen)
        self.found.append(Column(name, kind, JsonPath(own="@value"), required))
        self._names.add(name)
        self.quantities += is_quantity(kind, name)

    def _add(
        self, steps: Steps, leaf: FieldProfile, path: JsonPath, count: int, guess: str | None = None
    ) -> None:
        kind = type_of(leaf, steps[-1], self._now)
        if kind is None:
            self.notes.append(f"left out: {path}, {_why_left_out(leaf)}")
            return
        there = leaf.seen - leaf.kinds["null"]
        if count >= _ENOUGH and there <= max(1, _SELDOM[path.from_root] * count):
            self.notes.append(f"left out: {path}, which only {there} of {count} had")
            return
        named = guess or name_of(steps, kind, leaf, in_root=path.from_root)
        name = unique(named, self._names, path)
        blank = kind != "str" and has_blanks(leaf)
        self.found.append(Column(name, kind, path, there == count and not blank))
        if there == count and not path.from_root and _can_be_symbols(steps, leaf):
            self._texts.append(steps)
        self.quantities += is_quantity(kind, steps[-1])
        if path.from_root:
            self._added.add(steps)

    def _is_key_said(self) -> bool:
        """Whether a member of each row says its key."""
        rows = [row for row in self._rows if isinstance(row.value, dict)]
        if not rows or len(rows) < len(self._rows):
            return False
        return any(all(row.value.get(name) == row.key for row in rows) for name in rows[0].value)

    def _is_said_twice(self, steps: Steps, leaf: FieldProfile) -> bool:
        """Whether a text beside the rows says but what a column of each row says, and a word."""
        if not leaf.texts:
            return False
        return any(self._says_again(steps, inner, False) for inner in self._texts) or any(
            self._says_again(steps, other, True) for other in self._around if other != steps
        )

    def _says_again(self, steps: Steps, other: Steps, in_root: bool) -> bool:
        rest: set[str] = set()
        for message in self._taken[:_MAX_COMPARED]:
            text = follow(message.value, steps)
            for value in [message.value] if in_root else [row.value for row in message.rows]:
                said = follow(value, other)
                if not isinstance(text, str) or not isinstance(said, str) or not said:
                    return False
                parts = re.split(
                    rf"(?<![A-Za-z0-9])(?:{re.escape(said)}|{re.escape(_joined(said))})"
                    r"(?![A-Za-z0-9])",
                    text,
                    maxsplit=1,
                    flags=re.IGNORECASE,
                )
                if len(parts) == 1:
                    return False
                rest.add("*".join(parts))
        # Of two that say the same, one stays.
        return len(rest) == 1 and (rest != {"*"} or not in_root or other in self._added)


def _joined(symbol: str) -> str:
    """A symbol without what separates its parts; where there is nothing else, as it is."""
    return re.sub(r"[-/_:]", "", symbol) or symbol


def _can_be_symbols(steps: Steps, leaf: FieldProfile) -> bool:
    """Whether texts may say whose a row is, and are no words for its kind."""
    return bool(leaf.texts) and (says_whose(steps[-1]) or not is_type(leaf.texts))


def _mark(seen: FieldProfile, pairs: Collection[PlaceSteps], place: PlaceSteps) -> None:
    """Say of the arrays that are pairs that they are, in what stands at a place."""
    for pair in pairs:
        node: FieldProfile | None = seen
        for step in pair[len(place) :] if pair[: len(place)] == place else ():
            node = dict(node.children()).get(step) if node and isinstance(step, str | int) else None
        if node is not None and node is not seen:
            node.mark_as_pair()


def _is_way(steps: Steps, place: PlaceSteps) -> bool:
    """Whether a place of rows is inside what stands at the steps, through stars or positions."""
    return len(steps) <= len(place) and all(
        one == other or isinstance(other, Each) for one, other in zip(steps, place, strict=False)
    )


def _why_left_out(leaf: FieldProfile) -> str:
    kinds = set(leaf.kinds) - {"null"}
    if not kinds:
        return "which was null in every message"
    if kinds == {"scalar"}:
        if any(len(text) > 1000 for text in leaf.strings):
            return "which holds long texts"
        return "whose values are of several types"
    if "scalar" in kinds:
        return "which is not always a single value"
    if kinds == {"object"}:
        return "an object that has many names" if leaf.is_map else "an object"
    return "a long array" if leaf.arrays else "an array that was always empty"
