"""Which conditions let some messages, or rows, into a table, and keep the others out.

They are few on purpose, and say nothing that only happened to be seen: a condition that holds a
symbol leaves out the next one without a word. The most telling discriminator that names a type is
always one, since a message of another type that comes one day is not ours. Others are added only
where they keep something out that has been seen; in this order:

1. other types, and names of streams with a star for the symbol;
2. what the others say at a discriminator, where it is none of ours (``$.event!=subscribe``);
3. what is there in all of ours, and in none of the others, or the other way round;
4. phases, and words that any message may have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fastingest.model.jsonpath import Condition, JsonPath
from fastingest.probe.reading import holds
from fastingest.probe.tables.discriminators import (
    Discriminators,
    is_control,
    is_generic,
    is_phase,
    rank,
)
from fastingest.probe.tables.field_profile import Steps, follow
from fastingest.probe.tables.skeleton import skeleton_of
from fastingest.probe.tables.words import words

__all__ = ["conditions_for"]

_MAX_VALUES = 8  # of a discriminator in one condition
_PRICES = {"p", "px", "price", "last", "bid", "ask", "b", "a", "tp", "bp", "ap", "open", "close"}
_MAX_COMPARED = 500  # messages that are looked at for what is there in all of them


def conditions_for(
    values: Sequence[Any],
    others: Sequence[Any],
    said_by: Discriminators,
    *,
    from_root: bool = True,
    only_types: bool = False,
) -> tuple[tuple[Condition, ...], list[Any]]:
    """The conditions that hold for all ``values``, and those of the ``others`` that fulfil them.

    :param values: messages, or rows, that the table shall take.
    :param others: what it shall not take.
    :param said_by: of all of them.
    :param from_root: whether the conditions are of the message; otherwise they are of the row.
    :param only_types: whether nothing but types will do.
    """
    chosen: list[Condition] = []
    left = list(others)
    for condition, is_needed in _possible(values, left, said_by, from_root):
        if only_types and condition.test not in ("=", "^=", "~="):
            continue
        if not from_root and isinstance(condition.path.steps[0], int) != isinstance(
            values[0], list
        ):
            continue  # a row would have to be both, an object and an array
        if is_needed and not left:
            break
        after = [other for other in left if holds(condition, other)]
        if is_needed and len(after) == len(left):
            continue
        if all(holds(condition, value) for value in values):
            chosen.append(condition)
            left[:] = after  # what further conditions are looked for in
    return tuple(chosen), left


def _possible(
    values: Sequence[Any], others: Sequence[Any], said_by: Discriminators, from_root: bool
) -> Iterator[tuple[Condition, bool]]:
    """The conditions, the best first, and whether one is needed only to keep something out."""
    shared = _shared_discriminators(values, said_by)
    is_first = True
    vague: list[Condition] = []
    for steps, texts in shared:
        path = JsonPath(steps, from_root)
        is_word = is_generic(texts) or is_phase(texts) or is_control(texts)
        if is_word and is_first and said_by.has_types_at(steps):
            yield Condition(path, tuple(sorted(texts))), False
            is_first = False
        elif is_word:
            vague.append(Condition(path, tuple(sorted(texts))))
        else:
            condition = _said(path, {said_by.type_at(steps, text) for text in texts})
            if condition is not None and said_by.is_telling(steps, texts):
                yield condition, not is_first
                is_first = False
    yield from ((each, True) for each in _unlike(values, others, said_by, from_root))
    yield from ((each, True) for each in _there(values, others, from_root))
    yield from ((each, True) for each in vague)


def _said(path: JsonPath, types: set[str]) -> Condition | None:
    """That one of the types is there; None: some message says none that a condition can say."""
    if "" in types or len(types) > _MAX_VALUES:
        return None
    if not any("*" in each for each in types):
        return Condition(path, tuple(sorted(types)))
    beginnings = {each.removesuffix("*") for each in types if each.endswith("*")}
    if len(beginnings) == len(types) and not any("*" in each for each in beginnings):
        return Condition(path, tuple(sorted(beginnings)), "^=")
    return Condition(path, tuple(sorted(types)), "~=")


def _unlike(
    values: Sequence[Any], others: Sequence[Any], said_by: Discriminators, from_root: bool
) -> Iterator[Condition]:
    """What only others say at discriminators."""
    ours: dict[Steps, set[str]] = {}
    theirs: dict[Steps, set[str]] = {}
    for found, which in ((ours, values), (theirs, others)):
        for value in which:
            for steps, text in said_by.of(value).items():
                found.setdefault(steps, set()).add(said_by.type_at(steps, text))
    for steps in sorted(theirs, key=rank):
        said = theirs[steps] - ours.get(steps, set()) - {""}
        plain = {each for each in said if "*" not in each and _is_word(steps, each, said_by)}
        if plain and len(plain) <= _MAX_VALUES and (steps in ours or isinstance(steps[-1], int)):
            yield Condition(JsonPath(steps, from_root), tuple(sorted(plain)), "!=")


def _is_word(steps: Steps, text: str, said_by: Discriminators) -> bool:
    """Whether a text surely says what a message is, and is no symbol."""
    said = (text,)
    return is_phase(said) or is_control(said) or said_by.is_telling(steps, said)


def _there(values: Sequence[Any], others: Sequence[Any], from_root: bool) -> Iterator[Condition]:
    """What is there in all of ours and in few of the others, or in none of ours."""
    ours = [_there_in(value) for value in values[:_MAX_COMPARED]]
    theirs = [_there_in(value) for value in others[:_MAX_COMPARED]]
    if not ours or not theirs:
        return
    common, anywhere = frozenset.intersection(*ours), frozenset().union(*ours)
    absent = frozenset.intersection(*theirs) - anywhere
    said = frozenset().union(*theirs)
    first = values[0]
    for steps in sorted(common - said, key=lambda each: _plainness(each, first)):
        yield Condition(JsonPath(steps, from_root), (), "exists")
    for steps in sorted(absent, key=_plainness):
        yield Condition(JsonPath(steps, from_root), (), "absent")
    for steps in sorted(said - anywhere - absent, key=_plainness):
        yield Condition(JsonPath(steps, from_root), (), "absent")
    for steps in sorted(common, key=lambda each: _plainness(each, first)):
        yield Condition(JsonPath(steps, from_root), (), "exists")


def _there_in(value: Any) -> frozenset[Steps]:
    """Where something is, that is not null."""
    found = {steps for steps, _ in skeleton_of(value) if "" not in steps}
    found |= {(*steps, 0) for steps in found if isinstance(follow(value, steps), list)}
    if isinstance(value, dict):
        found |= {(name,) for name, member in value.items() if member == [] and name}
    return frozenset(found)


def _plainness(steps: Steps, example: Any = None) -> tuple[int, bool, bool, str]:
    """A near member says what a message is rather than a deep one, and a price rather than a text.

    :param example: a message, in which it is looked for what stands there.
    """
    is_price = bool(words(steps[-1]) & _PRICES) and not isinstance(follow(example, steps), list)
    is_inside = any(isinstance(step, int) for step in steps)
    return (len(steps), not is_price, is_inside, str(steps))


def _shared_discriminators(
    values: Iterable[Any], said_by: Discriminators
) -> list[tuple[Steps, set[str]]]:
    """The discriminators that all have; the most telling first."""
    texts: dict[Steps, set[str]] = {}
    counts: dict[Steps, int] = {}
    total = 0
    for value in values:
        total += 1
        for steps, text in said_by.of(value).items():
            texts.setdefault(steps, set()).add(text)
            counts[steps] = counts.get(steps, 0) + 1

    def order(item: tuple[Steps, set[str]]) -> tuple[bool, tuple[int, int, int]]:
        steps, said = item
        return (any("*" in (said_by.type_at(steps, text) or "*") for text in said), rank(steps))

    return sorted(
        ((steps, said) for steps, said in texts.items() if counts[steps] == total), key=order
    )
