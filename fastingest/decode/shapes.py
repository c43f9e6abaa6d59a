"""Messages that are alike → columns, a whole run at once.

A table's messages have few shapes, and a feed hardly ever mixes them:

- ``row``: one row a message;
- ``rows``: an array of rows, all of which have the columns' types;
- ``mixed``: an array in which rows that the conditions leave out are of other types;
- ``spread``: rows of several places, or behind stars (:mod:`fastingest.decode.spread`).

Each is tried with numbers that stay text (``decimal``) as strings, as bare numbers, and *loosely*:
then every column whose values may be of several types, such as an optional one for ``""``, is read
of the values' texts. A
:class:`MessageShape` takes messages in two steps: :attr:`MessageShape.decode` one message, meant
for ``map``, and :meth:`MessageShape.columns` what that made of many. Either may fail; where both
succeed the outcome is that of :class:`fastingest.decode.reference.ReferenceDecoder`. What keeps
that true:

- A condition of the message is a ``Literal`` type, or checked afterwards: a message that the table
  does not take fails.
- What must be there has no default, and only what may be null is a union with None.
- An object and an array are different types. Where rows are arrays themselves, the first element
  of a single row is nothing that an array fits (:attr:`PathNode.is_row`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import chain, compress, islice, repeat
from typing import Any, NamedTuple, TypeAlias

import msgspec

from fastingest.decode.reasons import Unfit
from fastingest.decode.struct_columns import Extractor, Texts, ask, columns_of, expect, filter_of
from fastingest.decode.struct_types import PathNode, access, compiled, comprehension, decoder_of
from fastingest.model.jsonpath import NoTree
from fastingest.model.schema import Schema

__all__ = [
    "Columns",
    "Leaves",
    "MessageShape",
    "first_that_fits",
    "lenient",
    "shape_of",
]

# Bytes of a mixed message: a list of the texts of all its elements takes up to 40 times as much.
_MAX_MIXED = 1024 * 1024


class Leaves(NamedTuple):
    """As what values are parsed.

    :param text: ``str`` or ``msgspec.Raw``: numbers that stay text.
    :param is_loose: whether values that may be of several types stay text, too.
    """

    text: Any
    is_loose: bool = False


_STRINGS, _NUMBERS, _LOOSE = Leaves(str), Leaves(msgspec.Raw), Leaves(msgspec.Raw, is_loose=True)


class Columns(NamedTuple):
    """What messages in a row have brought.

    :param columns: their cells, a list for each column that is no metadata.
    :param counts: how many rows each message has; None: one.
    :param ignored: rows left out, and empty arrays of rows.
    :param blanked: cells that are empty because their value is no number.
    """

    columns: list[list[Any]]
    counts: list[int] | None = None
    ignored: int = 0
    blanked: int = 0


class MessageShape(ABC):
    """See the module; :func:`shape_of` makes them."""

    name: str
    """As above, or what else :mod:`fastingest.decode.auto` has."""

    lenient: tuple[int, ...] = ()
    """Columns that are empty for the string "null" as well as for null, as msgspec takes "1" for 1:
    where they are empty, it takes a closer look."""

    decode: Callable[[bytes], Any]
    """Parses a message, or raises what is in :data:`Unfit`."""

    @abstractmethod
    def columns(self, parsed: list[Any]) -> Columns | None:
        """The columns of messages that were parsed; None: at least one does not fit."""


def shape_of(schema: Schema, sample: bytes) -> MessageShape | None:
    """The shape of a message that has rows for a table; None: it has none.

    Members may be in any order in other messages, but the sample's is the fastest.
    """
    makers: list[_Maker] = [_Row]
    if schema.row_container is not None:
        makers.append(_Rows)
        if schema.where_row:
            makers.append(_Mixed)
    return first_that_fits(makers, schema, sample)


_Maker: TypeAlias = Callable[[Schema, Leaves, Any], MessageShape]


def first_that_fits(makers: Sequence[_Maker], schema: Schema, sample: bytes) -> MessageShape | None:
    """The first shape of a table that takes a message; None: none does.

    :param makers: each makes one, of how values are parsed and of the message, to be like it.
    """
    wanted = columns_of(schema)
    texts = [_STRINGS]
    if any(each.kind.parsed is None for each in wanted):
        texts.append(_NUMBERS)
    if any(each.is_loose for each in wanted):
        texts.append(_LOOSE)
    try:
        like = msgspec.json.decode(sample)
    except Unfit:  # such as a number that only a decimal can hold
        like = None
    for maker in makers:
        for text in texts:
            with suppress(NoTree, *Unfit):
                shape = maker(schema, text, like)
                if shape.columns([shape.decode(sample)]) is not None:
                    return shape
    return None


def lenient(schema: Schema, leaves: Leaves) -> tuple[int, ...]:
    """The columns that :attr:`MessageShape.lenient` speaks of."""
    if leaves.is_loose:  # all of them stay text
        return ()
    return tuple(index for index, each in enumerate(columns_of(schema)) if each.may_be_blank)


class _Row(MessageShape):
    """One row a message."""

    name = "row"

    def __init__(self, schema: Schema, leaves: Leaves, like: Any) -> None:
        root, start = PathNode(), schema.rows.steps
        self.lenient = lenient(schema, leaves)
        root.require(start).is_row = schema.row_container is list
        self._cells = Extractor(root, columns_of(schema), start, is_loose=leaves.is_loose)
        wanted = []
        for condition in schema.where:
            path = condition.path
            wanted.append((condition, path.steps if path.from_root else start + path.steps))
            expect(root, *wanted[-1])
        root.at(start).check_row()
        root.arrange(like)
        self.decode = decoder_of(compiled(root, leaves.text))
        self._cells.compile()
        self._texts = Texts(root, wanted)

    def columns(self, parsed: list[Any]) -> Columns | None:
        found = self._cells.read(parsed) if self._texts.hold(parsed) else None
        return None if found is None else Columns(found[0], blanked=found[1])


class _Array(MessageShape):
    """An array of rows in each message."""

    _row_extractor: Extractor  # of the columns that are read from the row

    def __init__(self, schema: Schema, element: PathNode, leaves: Leaves, like: Any) -> None:
        root = PathNode()
        self.lenient = lenient(schema, leaves)
        rows = root.require(schema.rows.steps)
        rows.elements = element
        columns = columns_of(schema)
        self._of_root = [column.path.from_root for column in columns]
        of_root = list(compress(columns, self._of_root))
        self._root_extractor = (
            Extractor(root, of_root, (), is_loose=leaves.is_loose) if of_root else None
        )
        wanted = [(condition, condition.path.steps) for condition in schema.where_message]
        for condition, steps in wanted:
            expect(root, condition, steps)
        root.arrange(like)
        self.decode = decoder_of(compiled(root, leaves.text))
        if self._root_extractor is not None:
            self._root_extractor.compile()
        self._texts = Texts(root, wanted)
        self._rows_of = comprehension([access(root, schema.rows.steps)])

    def columns(self, parsed: list[Any]) -> Columns | None:
        if not self._texts.hold(parsed):
            return None
        (arrays,) = self._rows_of(parsed)
        elements: list[Any] = list(chain.from_iterable(arrays))
        if len(elements) == len(arrays) and all(arrays):
            counts, ignored = None, 0
        else:
            counts = list(map(len, arrays))
            ignored = counts.count(0)
        try:
            elements, kept = self._kept(elements)
        except Unfit:
            return None
        if kept is not None:
            flags = iter(kept)
            counts = [sum(islice(flags, count)) for count in counts or repeat(1, len(arrays))]
            ignored += len(kept) - len(elements)
        found = self._row_extractor.read(elements)
        if found is None:
            return None
        columns, blanked = found
        if self._root_extractor is None:
            return Columns(columns, counts, ignored, blanked)
        found_in_root = self._root_extractor.read(parsed)
        if found_in_root is None or found_in_root[1]:  # what is no number counts for each row
            return None
        of_root = found_in_root[0]
        if counts is not None:
            of_root = [list(chain.from_iterable(map(repeat, each, counts))) for each in of_root]
        sources = {True: iter(of_root), False: iter(columns)}
        columns = [next(sources[is_of_root]) for is_of_root in self._of_root]
        return Columns(columns, counts, ignored, blanked)

    @abstractmethod
    def _kept(self, elements: list[Any]) -> tuple[list[Any], list[bool] | None]:
        """The structs of the rows that the conditions leave, and of which elements; None: all."""


def _row_tree(schema: Schema, leaves: Leaves) -> tuple[PathNode, Extractor]:
    element = PathNode(is_required=True)
    columns = [column for column in columns_of(schema) if not column.path.from_root]
    return element, Extractor(element, columns, (), is_loose=leaves.is_loose)


class _Rows(_Array):
    """An array of rows that are all of the columns' types."""

    name = "rows"

    def __init__(self, schema: Schema, leaves: Leaves, like: Any) -> None:
        element, self._row_extractor = _row_tree(schema, leaves)
        wanted = [(condition, condition.path.steps) for condition in schema.where_row]
        for condition, steps in wanted:
            ask(element, condition, steps)
        super().__init__(schema, element, leaves, like)
        self._row_extractor.compile()
        self._flags = filter_of(element, wanted) if wanted else None

    def _kept(self, elements: list[Any]) -> tuple[list[Any], list[bool] | None]:
        flags = self._flags(elements) if self._flags is not None else None
        if flags is None or all(flags):
            return elements, None
        return list(compress(elements, flags)), flags


class _Mixed(_Array):
    """An array of which some elements are rows of the columns' types, as the conditions say."""

    name = "mixed"

    def __init__(self, schema: Schema, leaves: Leaves, like: Any) -> None:
        element, self._row_extractor = _row_tree(schema, leaves)
        router = PathNode(is_required=True)
        wanted = [(condition, condition.path.steps) for condition in schema.where_row]
        for condition, steps in wanted:
            expect(element, condition, steps)
            ask(router, condition, steps)
        root = PathNode()
        root.at(schema.rows.steps).elements = element
        root.arrange(like)
        self._decode_row = decoder_of(compiled(element, leaves.text))
        self._decode_conditions = decoder_of(compiled(router, str))
        self._row_extractor.compile()
        self._texts_of_row = Texts(element, wanted)
        self._flags = filter_of(router, wanted)
        super().__init__(schema, PathNode(is_whole=True, is_required=True), leaves, like)
        self._decode_whole = self.decode
        self.decode = self._decode_short

    def _decode_short(self, message: bytes) -> Any:
        """Parse a message, unless the list of its elements' texts could be a large one."""
        if len(message) > _MAX_MIXED:
            raise ValueError("too long to have all elements at once")
        return self._decode_whole(message)

    def _kept(self, elements: list[Any]) -> tuple[list[Any], list[bool] | None]:
        flags = self._flags(list(map(self._decode_conditions, elements)))
        rows = list(map(self._decode_row, compress(elements, flags)))
        if not self._texts_of_row.hold(rows):
            raise ValueError("a condition takes a closer look")
        return rows, flags
