"""Where in the messages of one shape their rows are.

A message is mostly a letter in an envelope: what is measured stands in one member (``data``), as an
object or as an array of them, and what is around it says whose it is. So the rows are

- the sides of an order book: arrays beside each other whose elements are alike, and that which has
  been empty all the time beside its sister;
- otherwise the elements of the one array of objects, or of arrays, that holds quantities, or the
  members of the one map, unless there are more quantities around it than in it;
- otherwise the object that is left when envelopes are taken off: as long as there is one object in
  it that holds more values than stand around it;
- in an array that is told by position, the one element that is an object or an array.

Arrays beside each other whose elements are not alike are rows of several tables.
"""

from __future__ import annotations

from dataclasses import dataclass

from fastingest.model.jsonpath import Each, PlaceSteps, text_of_steps
from fastingest.model.rows import RowPlace, Rows
from fastingest.probe.tables.arrays import RowArray, arrays_in, in_clusters, with_sisters
from fastingest.probe.tables.columns import is_quantity, type_of
from fastingest.probe.tables.discriminators import is_generic, is_phase, is_type
from fastingest.probe.tables.field_profile import FieldProfile, Steps
from fastingest.probe.tables.words import says_whose, side_of, words

__all__ = ["FoundRows", "find_rows", "quantities"]

_SEVERAL = {"data", "result", "results", "trades", "updates", "changes", "events", "items", "rows"}
_LONG = 6  # elements of an array that is a row
_OFTEN = 5  # arrays of two, after which there are two each time
_LEVELS = {"level", "levels", "book", "orderbook", "depth", "units", "obu", "b", "a"}


@dataclass(frozen=True)
class FoundRows:
    """Where the rows of one table are.

    :param around: objects inside the message that rows stand in, by the steps to them; of each
        there was one in every message.
    :param is_book: whether they are levels of an order book.
    :param notes: what of the message is lost to the table, for a person.
    :param pairs: the arrays of two records that are no rows.
    """

    rows: Rows
    around: tuple[tuple[Steps, FieldProfile], ...] = ()
    is_book: bool = False
    notes: tuple[str, ...] = ()
    pairs: tuple[PlaceSteps, ...] = ()


def find_rows(seen: FieldProfile, now: float) -> list[FoundRows]:
    """Where the rows of these messages are, for each table that they have some for.

    :param seen: of all of them.
    :param now: seconds since the epoch at the time of the probe.
    """
    if seen.is_map:
        return [FoundRows(Rows((RowPlace((Each.MEMBER,)),)))]
    full = [each for each in arrays_in(seen) if quantities(each.elements, now)]
    pairs = _mark_pairs(full)
    if pairs:
        full = [each for each in arrays_in(seen) if quantities(each.elements, now)]
    clusters = in_clusters(full)
    around = _around(seen, full, now)
    books = [with_sisters(cluster) for cluster in clusters if _is_book(cluster)]
    others = [
        cluster
        for cluster in clusters
        if not _is_book(cluster)
        and max(quantities(each.elements, now) for each in cluster) >= max(around, 1)
    ]
    if books or others:
        return [_found(cluster, pairs) for cluster in (*books, *others)]
    every = list(arrays_in(seen))
    if len(every) == 1 and not full and not around:
        return [_found(every, pairs)]
    return [FoundRows(Rows.at(_unwrapped(seen)), pairs=pairs)]


def quantities(seen: FieldProfile, now: float) -> int:
    """How many of a row's values measure something."""
    if seen.is_numeric:
        return 1
    return sum(
        is_quantity(type_of(leaf, steps[-1], now), steps[-1])
        for steps, leaf in seen.leaves()
        if leaf.is_scalar
    )


def _around(seen: FieldProfile, arrays: list[RowArray], now: float) -> int:
    """How many quantities stand beside the arrays."""
    places = [each.steps for each in arrays]
    return sum(
        is_quantity(type_of(leaf, steps[-1], now), steps[-1])
        for steps, leaf in seen.leaves()
        if leaf.is_scalar and not any(steps == place[: len(steps)] for place in places)
    )


def _is_book(cluster: list[RowArray]) -> bool:
    """Whether these are levels: sides, or arrays whose elements have both sides."""
    if any(each.side for each in cluster):
        return True
    if not any(words(step) & _LEVELS for step in cluster[0].steps if isinstance(step, str)):
        return False
    names = cluster[0].elements.members.keys()
    return {"bid", "ask"} <= set(map(side_of, names)) or any(
        name.startswith("b") and f"a{name[1:]}" in names for name in names
    )


def _mark_pairs(arrays: list[RowArray]) -> tuple[PlaceSteps, ...]:
    """Say of arrays of two records that are no sides that they get a column for each value."""
    marked = []
    for array in arrays:
        last = array.steps[-1]
        child = dict(array.holder.children()).get(last) if isinstance(last, str | int) else None
        if child is None or array.side or child.lengths != {2} or len(child.arrays) < _OFTEN:
            continue
        if (
            isinstance(last, Each)
            or words(last) & _SEVERAL
            or set(child.kinds) - {"records", "mixed", "null"}
        ):
            continue
        if all(each is None or isinstance(each, dict) for pair in child.arrays for each in pair):
            child.mark_as_pair()
            marked.append(array.steps)
    return tuple(marked)


def _found(cluster: list[RowArray], pairs: tuple[PlaceSteps, ...]) -> FoundRows:
    """The places of these arrays."""
    places = []
    around: dict[Steps, FieldProfile] = {}
    notes: list[str] = []
    for array in cluster:
        steps, inside, lost = _settled(array)
        around |= inside
        notes += [each for each in lost if each not in notes]
        is_optional = len(cluster) > 1 and not array.is_always
        places.append(RowPlace(steps, is_optional, array.side if len(cluster) > 1 else ""))
    is_map = any(isinstance(array.steps[-1], Each) for array in cluster)
    return FoundRows(
        Rows(tuple(places)),
        tuple(around.items()),
        _is_book(cluster) and not is_map,
        tuple(notes),
        pairs,
    )


def _settled(array: RowArray) -> tuple[PlaceSteps, dict[Steps, FieldProfile], list[str]]:
    """The steps to an array, which may lead through others.

    Of an array that is on the way to it, the first element is meant where it never had another and
    has something to say itself; otherwise each.
    """
    steps = list(array.steps)
    around: dict[Steps, FieldProfile] = {}
    notes: list[str] = []
    for through in array.through:
        said = [
            str(way[-1])
            for way, leaf in through.inside.leaves()
            if leaf.is_scalar and _says_something(str(way[-1]), leaf, array)
        ]
        path = text_of_steps(tuple(steps[: through.at]))
        if said and through.profile.arrays and through.profile.lengths <= {0, 1}:
            steps[through.at] = 0
            notes.append(
                f"{path} had one element in every message; rows of a second one would be left out"
            )
            plain = tuple(step for step in steps[: through.at + 1] if isinstance(step, str | int))
            if len(plain) == through.at + 1:
                around[plain] = through.inside
        elif said:
            notes.append(f"left out: {', '.join(said)} of {path}, which has several elements")
    return tuple(steps), around, notes


def _says_something(name: str, leaf: FieldProfile, array: RowArray) -> bool:
    """Whether a member beside the rows is more than a word for them, and they lack it."""
    if name in array.elements.members:
        return False
    texts = leaf.texts
    return (
        not texts
        or says_whose(name)
        or not (is_phase(texts) or is_generic(texts) or is_type(texts))
    )


def _is_long_row(seen: FieldProfile) -> bool:
    """Whether it is an array whose positions have a meaning, and too many for its neighbours."""
    return (
        set(seen.kinds) == {"mixed"}
        and not seen.is_unrolled
        and min(seen.lengths) >= _LONG
        and all(one.is_scalar or set(one.kinds) == {"null"} for one in seen.positions.values())
        and len({one.is_numeric for one in seen.positions.values()}) > 1
    )


def _unwrapped(seen: FieldProfile) -> Steps:
    """The way to the object that is left when envelopes are taken off."""
    place: Steps = ()
    while True:
        inner = [
            (step, child)
            for step, child in seen.children()
            if (
                set(child.kinds) <= ({"object", "mixed", "null"} if seen.positions else {"object"})
                or _is_long_row(child)
            )
            and not child.is_map
            and (child.members or child.positions)
        ]
        if len(inner) != 1:
            return place
        step, child = inner[0]
        values = sum(leaf.is_scalar for _, leaf in child.leaves())
        around = sum(other.is_scalar for _, other in seen.children())
        if not seen.positions and values <= around:
            return place
        place, seen = (*place, step), child
        if seen.positions:
            return place
