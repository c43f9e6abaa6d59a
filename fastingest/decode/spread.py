"""Rows of several places, or behind stars → columns, a whole run of messages at once.

A shape, as those of :mod:`fastingest.decode.shapes`: messages are parsed into structs, of which the
rows are gathered (:mod:`fastingest.decode.row_places`), message by message.

Structs do not say in which order members stood. Where there are several places, these must be below
members of one object, and its names are parsed once more, with all that is in them passed over.

What is not there, or null, makes a message fail here, but for places that are optional, of which
one must be there. So does a star that leads to rows in one message and to arrays of rows in
another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, compress, islice, repeat
from typing import Any

import msgspec

from fastingest.decode.cells import Cells, cells_of
from fastingest.decode.column_types import column_type
from fastingest.decode.row_places import Found, Place, Way, members_of, names_decoder
from fastingest.decode.shapes import (
    Columns,
    Leaves,
    MessageShape,
    first_that_fits,
    lenient,
)
from fastingest.decode.struct_columns import (
    Extractor,
    Texts,
    Wanted,
    ask,
    columns_of,
    expect,
    filter_of,
)
from fastingest.decode.struct_types import PathNode, compiled, decoder_of
from fastingest.model.jsonpath import Each, Embedded, JsonPath, NoTree
from fastingest.model.schema import Schema

__all__ = ["is_spread", "shape_of"]

_MAX_ORDERS = 64  # of members, that are remembered


def is_spread(schema: Schema) -> bool:
    """Whether no other shape can have the rows of a table."""
    places = schema.rows.places
    has_stars = any(isinstance(step, Each) for place in places for step in place.steps)
    return len(places) > 1 or has_stars or bool(schema.own)


def shape_of(schema: Schema, sample: bytes) -> MessageShape | None:
    """As :func:`fastingest.decode.shapes.shape_of`, of a table that :func:`is_spread`."""
    forms = (True, False) if schema.has_arrays else (False,)
    return first_that_fits([partial(_Spread, are_arrays=each) for each in forms], schema, sample)


class _Spread(MessageShape):
    """Rows of all the places.

    :param are_arrays: whether an array of rows stands at each.
    """

    name = "spread"

    def __init__(self, schema: Schema, leaves: Leaves, like: Any, *, are_arrays: bool) -> None:
        if schema.row_container is None and "@value" not in schema.own:
            raise NoTree  # a row may be anything
        if any(isinstance(step, Embedded) for place in schema.rows.places for step in place.steps):
            raise NoTree
        self.lenient = lenient(schema, leaves)
        self._are_arrays = are_arrays
        self._columns = columns_of(schema)
        self._own = schema.own - {"@value"}
        root = PathNode()
        of_root = [each for each in self._columns if each.path.from_root]
        self._root_extractor = Extractor(root, of_root, (), is_loose=leaves.is_loose)
        wanted = [(condition, condition.path.steps) for condition in schema.where_message]
        for condition, steps in wanted:
            expect(root, condition, steps)
        rows = _Rows(schema, self._columns, leaves, are_arrays=are_arrays)
        places = schema.rows.places
        way, members = members_of(places)
        ways = [
            Way(root, place, member, are_arrays=are_arrays)
            for place, member in zip(places, members, strict=True)
        ]
        for each in ways:
            rows.put(each.row)
        root.arrange(like)
        self._parse = decoder_of(compiled(root, leaves.text))
        self._root_extractor.compile()
        self._texts = Texts(root, wanted)
        self._extractor, self._flags, self._may_be_null = rows.compile()
        self._places = [way.compile() for way in ways]
        self._names_of = None if len(places) == 1 else names_decoder(way)
        self._orders: dict[tuple[str, ...], list[Place]] = {}
        is_plain = self._names_of is None and not schema.rows.is_optional
        self.decode = self._parse if is_plain else self._decode_several

    def _decode_several(self, message: bytes) -> tuple[Any, list[Place]]:
        """Parse a message; its struct, and the places that it has, in its order."""
        struct = self._parse(message)
        places = self._places
        if self._names_of is not None:
            places = self._ordered(tuple(self._names_of(message)))
        there = [place for place in places if place.get(struct) is not None]
        if not there:
            raise ValueError("none of the places is there")
        if len(there) < len(self._places) and (b'null"' in message.lower() or b"\\" in message):
            raise ValueError("what seems not to be there may be a string")
        return struct, there

    def _ordered(self, names: tuple[str, ...]) -> list[Place]:
        """The places in the order of the members that they are below."""
        places = self._orders.get(names)
        if places is None:
            places = sorted(
                (place for place in self._places if place.member in names),
                key=lambda place: names.index(place.member),
            )
            if len(self._orders) < _MAX_ORDERS:
                self._orders[names] = places
        return places

    def columns(self, parsed: list[Any]) -> Columns | None:
        """As in :class:`MessageShape`."""
        pairs = parsed
        if self.decode is self._parse:
            pairs = [(struct, self._places) for struct in parsed]
        structs = [struct for struct, _ in pairs]
        if not self._texts.hold(structs):
            return None
        found = Found(self._are_arrays, {name: [] for name in self._own})
        counts, total = [], 0
        for struct, places in pairs:
            for place in places:
                found.gather(place.get(struct), place.stars)
                if (names := found.own.get("@rows")) is not None:
                    names.extend(repeat(place.name, len(found.elements) - len(names)))
            counts.append(len(found.elements) - total)
            total += counts[-1]
        if self._may_be_null and any(bytes(each) == b"null" for each in found.elements):
            return None  # which is no row behind a star
        self._leave_out(found, counts)
        read = self._extractor.read(found.elements)
        read_in_root = self._root_extractor.read(structs)
        if read is None or read_in_root is None or read_in_root[1]:
            return None
        sources = {
            "row": iter(read[0]),
            "root": (chain.from_iterable(map(repeat, each, counts)) for each in read_in_root[0]),
        }
        columns, blanked = [], read[1]
        for each in self._columns:
            if each.path.own in self._own:
                cells = _own_cells(each, found.own[each.path.own])
                if cells is None:
                    return None
                columns.append(cells.cells)
                blanked += cells.blanked
            else:
                columns.append(list(next(sources["root" if each.path.from_root else "row"])))
        return Columns(columns, counts, found.ignored, blanked)

    def _leave_out(self, found: Found, counts: list[int]) -> None:
        """Drop the rows for which the conditions do not hold."""
        flags = None if self._flags is None else self._flags(found.elements)
        if flags is None or all(flags):
            return
        found.elements = list(compress(found.elements, flags))
        found.own = {name: list(compress(each, flags)) for name, each in found.own.items()}
        found.ignored += len(flags) - len(found.elements)
        left = iter(flags)
        counts[:] = [sum(islice(left, count)) for count in counts]


class _Rows:
    """What is read of rows. At each place they are parsed by a tree of its own; all are alike.

    :param columns: all that come from the feed.
    :param are_arrays: whether an array of rows stands at each place.
    """

    def __init__(
        self, schema: Schema, columns: Sequence[Wanted], leaves: Leaves, *, are_arrays: bool
    ) -> None:
        self._are_arrays = are_arrays
        self._are_values = "@value" in schema.own
        self._leaves = leaves
        self._columns = [
            each._replace(path=JsonPath()) if each.path.own == "@value" else each
            for each in columns
            if not each.path.from_root and each.path.own not in schema.own - {"@value"}
        ]
        self._wanted = [(condition, condition.path.steps) for condition in schema.where_row]
        self._is_list = schema.row_container is list
        self._made: list[tuple[PathNode, Extractor]] = []

    def put(self, node: PathNode) -> None:
        """Make a node a row.

        :raises NoTree: it cannot be one, or not one that is like the others.
        """
        if node.steps:  # of paths that lead into it from the root
            raise NoTree
        extractor = Extractor(node, self._columns, (), is_loose=self._leaves.is_loose)
        for condition, steps in self._wanted:
            ask(node, condition, steps)
        node.is_row = self._is_list and not self._are_arrays
        node.check_row()
        if self._are_values and (node.takes_arrays or not node.is_required):
            raise NoTree  # an array is one of rows; and what is not there, no empty cell
        self._made.append((node, extractor))

    def compile(self) -> tuple[Extractor, Callable[[Sequence[Any]], list[bool]] | None, bool]:
        """What reads columns of rows, what says which are left, and whether one may be null."""
        node, extractor = self._made[0]
        extractor.compile()
        flags = filter_of(node, self._wanted) if self._wanted else None
        is_text = any(kind.parsed is None for kind in node.kinds) and self._leaves.text is not str
        return extractor, flags, self._are_values and (node.is_raw or is_text)


def _own_cells(wanted: Wanted, values: list[Any]) -> Cells | None:
    """A column of what there is of rows besides what stands in them, if all cells fit."""
    kind = wanted.kind
    if kind is _OWN_TYPES.get(wanted.path.own):
        return Cells(values) if not wanted.is_required or None not in values else None
    texts = [None if value is None else msgspec.json.encode(value) for value in values]
    return cells_of(kind, kind.settle_raw, texts, required=wanted.is_required)


_OWN_TYPES = {
    "@key": column_type("str"),
    "@rows": column_type("str"),
    "@index": column_type("int"),
}
"""The types whose cells these are as they are gathered."""
