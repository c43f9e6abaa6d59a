"""Feeds of any description, with messages that fit it, or nearly: strategies for hypothesis."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any

from hypothesis import strategies as st

from fastingest.model.jsonpath import (
    Condition,
    Each,
    Embedded,
    JsonPath,
    PlaceSteps,
    Steps,
    parse_condition,
)
from fastingest.model.rows import RowPlace, Rows, parse_rows
from fastingest.model.schema import Column, Schema, base_type, parse_columns

__all__ = ["feeds", "mixed", "schema_of", "spread_feeds"]


def schema_of(columns: str, rows: str = "", *where: str) -> Schema:
    return Schema(parse_columns(columns), parse_rows(rows), tuple(map(parse_condition, where)))


_NAMES = ["a", "b", "e", "x y", "é", 'q"']
_FITTING = {
    "str": ['"A"', '"é"', '"a\\"b,c"', '""', '"line\\nbreak"', '"\\u0041"'],
    "int": ["1", "-7", '"12"', "9223372036854775807", "9223372036854775808", "1.0", "1e3", "-0"],
    "float": ["1.5", '"2.25"', "7", "1e-7", "1e16", '"1E5"', "-0.0", "-0", "123456789.125"],
    "number": ["1", "0.25", '"1500"', "2.0", "1e18", '"99999999999999999999"', "-0.0", "1e300"],
    "bool": ["true", "false", "1", "0", '"TRUE"', '"0"', "-0"],
    "decimal": ["1.50", '"0.00100000"', "1E5", '"-1e-9"', "12345678901234567890.123", "7", '"7"'],
    "json": ['["@","I"]', '{"x": [1 ,2.50],"y":null}', '"a,\\"b"', "1.50", "[]", "null", '""'],
    "timestamp[s]": ["1534614057.321597", '"1534614057"', "0", "-1", "253402300799.99", '"1.50"'],
    "timestamp[ms]": [
        "1672515782136",
        '"1672515782136"',
        "-1",
        "253402300799999",
        "0",
        "1672515782136.25",
    ],
    "timestamp[us]": ["1672515782136001", "-62135596800000000", '"5"', '"1672515782136001.125"'],
    "timestamp[ns]": ["1672515782136000001", "-9223372036854775808", '"1"'],
    "timestamp[iso]": [
        '"2024-02-29T23:59:59.123Z"',
        '"2024-02-29T23:59:59.124Z"',
        '"2024-01-01T00:00:00Z"',
        '"2024-01-01 00:00:00.5z"',
        '"2024-01-01T00:00:00+05:30"',
        '"2024-12-31t23:00:00.25-02:00"',
        '"2024-03-31 23:00:00.123456"',
        '"2024-01-01T00:00:00+0900"',
        '"2024-01-01T00:00:00.5-09"',
    ],
}
_COLUMN_TYPES = [
    *_FITTING,
    "timestamp[ms,ns]",
    "timestamp[s,us]",
    "timestamp[iso,ms]",
    "timestamp[ns,s]",
    "timestamp[ms,us]",
    "timestamp[iso:6]",
    "timestamp[iso:0]",
    "timestamp[s:3]",
    "timestamp[ms:6]",
    "timestamp[ms:1]",
    "timestamp[us:6]",
    "timestamp[us:9]",
    "timestamp[ns:6]",
]
_NEARLY = [
    *(token for tokens in _FITTING.values() for token in tokens),
    *("null", "[]", "{}", '[["A"]]', '{"a":1}', "[1,2]", "1e400", '"nan"', '"01"', '"+1"', '" 1"'),
    *("9" * 400, "1.5e3", '"1\\n2"', '"1,2"', '"trade"', '"tr\\u0061de"', '"2023-02-29T00:00:00Z"'),
    *('"2024-01-01T24:00:00Z"', '"2024-01-01T00:00:60Z"', '"0001-01-01T00:00:00+23:59"', '"1"'),
    *("253402300800000", "-62135596801", "253402300800", "1e9", '"2024-01-01T00:00:00"', '"t"'),
    *('"null"', '"NULL"', '"nul\\u006c"'),
    *('"1.0000"', "1672515782136.000", "9007199254740993.0", "-0.5", "-1000.250", "1.5e-3"),
    *("253402300799999.9", "253402300800000.0", "-62135596800000.1", "0.12345678901234567890"),
    *('"2024-01-01T00:00:00-05Z"', '"2024-01-01T00:00:00+2400"', '"2024-01-01T00:00:00+010"'),
    *('"2024-04-31T00:00:00"', '"2024-04-30T00:00:00z"', '"2024-02-29 00:00:00"'),
    *('"2024-01-01T00:00"', "9007199254740995.0", "1.55e1"),
    *('"2024-02-29T23:59:59.1230000Z"', '"2024-02-29T23:59:59.1234567Z"', "1672515782.1250000"),
    *("1672515782100", "1672515782136000", "1672515782000000000"),
    *('"2024-02-29T23:59:59.000000000"',),
    *('""', '"NaN"', '"-Infinity"', '"∞"', '"-\\u221e"', '"+INF"', '"nan "', '"++nan"', '"infin"'),
]  # fmt: skip
_VALUES = ["A", "trade", "1", "true", "null", "1.0", "", "t"]
_BEGINNINGS = ["A", "tr", "1", "nu", "é", "12"]
_PATTERNS = ["*", "t*", "*a*e", "?", "1*", "**2?*", "A", "", "*\n*", "t?ade"]
_TESTS = ["=", "=", "=", "!=", "^=", "~=", "exists", "absent"]


def _texts_of(test: str) -> st.SearchStrategy[tuple[str, ...]]:
    """What a condition may compare with."""
    if test in ("exists", "absent"):
        return st.just(())
    texts = {"^=": _BEGINNINGS, "~=": _PATTERNS}.get(test, _VALUES)
    return st.lists(st.sampled_from(texts), min_size=1, max_size=2).map(tuple)


_CONSTANTS = ['"bid"', '""', '"=a, \\"b\\"\\n"', '"é"']
_SELDOM = st.sampled_from([0, 0, 0, 1])

_names = st.sampled_from(_NAMES)
_indices = st.sampled_from([0, 1, 2, -1, -2])


_more = st.lists(st.sampled_from(["a", "b", 0, 1, -1]), max_size=1)


def _steps(first: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[str | int, ...]]:
    several = st.sampled_from([False, False, True]).flatmap(
        lambda more: _more if more else st.just([])
    )
    return st.builds(lambda step, rest: (step, *rest), first, several)


MEMBER, ELEMENT = Each.MEMBER, Each.ELEMENT
_PLACES: list[list[PlaceSteps]] = [
    [("d", MEMBER)],
    [("d", ELEMENT)],
    [("d", ELEMENT, "a")],
    [("d", ELEMENT, -1)],
    [(MEMBER,)],
    [("d", MEMBER, "a")],
    [("d", MEMBER, ELEMENT)],
    [("d", MEMBER, MEMBER)],
    [("d",), ("b",)],
    [("b",), ("d", "a"), ("d", "b")],
    [("d", 1), ("d", 0)],
    [("d", ELEMENT), ("b",)],
    [("d", MEMBER), ("d", "a")],
]


@st.composite
def _rows(draw: st.DrawFn) -> Rows:
    """Several places, or one that stars lead to."""
    return Rows(
        tuple(
            RowPlace(steps, draw(st.integers(0, 2)) == 0, draw(st.sampled_from(["", "", "bid"])))
            for steps in draw(st.sampled_from(_PLACES))
        )
    )


@st.composite
def _elsewhere(draw: st.DrawFn, schema: Schema) -> Schema:
    """A table with its rows in other places, and columns that show where, in the place of some."""
    own = {
        "@index": "int",
        "@rows": "str",
        "@key": draw(st.sampled_from(["str", "str", "decimal", "int", "json"])),
        "@value": draw(st.sampled_from(_COLUMN_TYPES)),
    }
    shown = draw(st.lists(st.sampled_from(list(own)), max_size=3, unique=True))
    extra = tuple(
        Column(name, own[name], JsonPath(own=name), required=draw(st.integers(0, 3)) > 0)
        for name in shown
    )
    columns = (*schema.columns, *extra)[-4:]
    where = tuple(each for each in schema.where if draw(st.booleans()))
    return replace(schema, columns=columns, where=where, rows=draw(_rows()))


@st.composite
def _in_strings(draw: st.DrawFn, schema: Schema) -> Schema:
    """A table of messages in which some members are strings whose text is JSON."""
    names = draw(st.lists(st.sampled_from(["d", "d", "a", "b"]), min_size=1, unique=True))
    is_last = draw(st.booleans())

    def inside(steps: PlaceSteps, *, is_last: bool = False) -> Any:
        found: list[Any] = []
        for number, step in enumerate(steps, 1):
            found.append(step)
            if step in names and (is_last or number < len(steps)):
                found.append(Embedded.JSON)
        return tuple(found)

    def path_inside(path: JsonPath) -> JsonPath:
        return path._replace(steps=inside(path.steps))

    return replace(
        schema,
        columns=tuple(
            replace(column, path=None if column.path is None else path_inside(column.path))
            for column in schema.columns
        ),
        where=tuple(each._replace(path=path_inside(each.path)) for each in schema.where),
        rows=Rows(
            tuple(
                place._replace(steps=inside(place.steps, is_last=is_last))
                for place in schema.rows.places
            )
        ),
    )


def _tables() -> st.SearchStrategy[Schema]:
    """Any table."""
    plain = _schemas()
    tables = st.integers(0, 3).flatmap(lambda n: plain if n else plain.flatmap(_elsewhere))
    return st.integers(0, 3).flatmap(lambda n: tables if n else tables.flatmap(_in_strings))


@st.composite
def _schemas(draw: st.DrawFn) -> Schema:
    rows = draw(st.sampled_from([(), (), (), ("d",), ("d", "a"), ("d", 0), (1,), (-1,)]))
    step: Any = draw(st.sampled_from([_names, _names, _indices]))
    root_step: Any = _indices if rows and isinstance(rows[0], int) else _names
    of_row = _steps(step).map(JsonPath)
    of_root = _steps(root_step).map(lambda steps: JsonPath(steps, from_root=True))
    inside = st.builds(lambda path: JsonPath(rows + path.steps, from_root=True), of_row)
    path = st.integers(0, 9).flatmap(lambda n: of_root if n == 0 else inside if n == 1 else of_row)
    # Two columns may have one path, or contradict each other; mostly they do not.
    own = None if draw(st.integers(0, 3)) == 0 else lambda column: column[1].steps[0]
    columns = draw(
        st.lists(
            st.tuples(st.sampled_from(_COLUMN_TYPES), path, st.integers(0, 3)),
            min_size=1,
            max_size=4,
            unique_by=own,
        )
    )
    conditions = st.builds(
        lambda path, test, values: Condition(path, values[test], test),
        st.integers(0, 4).flatmap(lambda n: of_row if n < 2 else inside if n == 2 else of_root),
        st.sampled_from(_TESTS),
        st.fixed_dictionaries({test: _texts_of(test) for test in _TESTS}),
    )
    columns += [("str", JsonPath(own=draw(st.sampled_from(_CONSTANTS))), 1)] * draw(_SELDOM)
    draw(st.randoms()).shuffle(columns)
    where = draw(st.just([]) | st.lists(conditions, max_size=2))
    return Schema(
        tuple(
            Column(f"c{index}", type_, path, required=optional > 0)
            for index, (type_, path, optional) in enumerate(columns)
        ),
        Rows.at(rows, is_optional=bool(rows) and draw(st.integers(0, 3)) == 0),
        tuple(where),
    )


class _Token(str):
    """A JSON text that is put into a message as it stands."""

    __slots__ = ()


class _String:
    """A string whose text is JSON."""

    inside: Any = None


def _put(value: Any, steps: Steps, leaf: Any) -> Any:
    """``value`` with a leaf where the steps lead; what is in the way stays."""
    if not steps:
        return leaf if value is None else value
    step, *rest = steps
    if value is None:
        value = {} if isinstance(step, str) else [] if isinstance(step, int) else _String()
    if isinstance(step, Embedded) and isinstance(value, _String):
        value.inside = _put(value.inside, tuple(rest), leaf)
    if isinstance(step, str) and isinstance(value, dict):
        value[step] = _put(value.get(step), tuple(rest), leaf)
    elif isinstance(step, int) and isinstance(value, list):
        value += [None] * (max(step + 1, -step) - len(value))
        if step < 0 and value[step] is not None:
            value += [None] * -step
        value[step] = _put(value[step], tuple(rest), leaf)
    return value


def _from_end(of: Condition | Column) -> tuple[bool, int]:
    """What is counted from the end is put last, and the last element behind those before it."""
    steps = of.path.steps if of.path is not None else ()
    indices = [step for step in steps if isinstance(step, int) and step < 0]
    return bool(indices), min(indices, default=0)


def _text(value: Any, space: str) -> str:
    if isinstance(value, dict):
        inside = f",{space}".join(
            f"{json.dumps(name, ensure_ascii=False)}{space}:{_text(each, space)}"
            for name, each in value.items()
        )
        return f"{{{space}{inside}}}"
    if isinstance(value, list):
        return f"[{f'{space},'.join(_text(each, space) for each in value)}{space}]"
    if isinstance(value, _String):
        text = json.dumps(f"{space}{_text(value.inside, space)}{space}", ensure_ascii=space == " ")
        return text.replace('\\"', "\\u0022") if space == "\n" else text
    return "7" if value is None else value


@st.composite
def _messages(draw: st.DrawFn, tables: Sequence[Schema], wrong: int) -> bytes:
    """One that fits a table, or nearly.

    :param wrong: how many tenths of the values are any value.
    """
    schema = draw(st.sampled_from(list(tables)))

    def token(type_: str, *, is_other: bool) -> _Token | None:
        chance = draw(st.integers(0, 9))
        if chance < wrong or is_other:
            return None if chance == 0 else _Token(draw(st.sampled_from(_NEARLY)))
        return _Token(draw(st.sampled_from(_FITTING[base_type(type_)])))

    def value_of(condition: Condition, is_other: bool) -> _Token | None:
        if is_other and draw(st.integers(0, 4)):
            return _Token('"other"')
        if is_other or draw(st.integers(0, 9)) < wrong:
            return _Token(draw(st.sampled_from(_NEARLY)))
        if condition.test == "absent":
            return _Token("null") if draw(st.booleans()) else None
        if condition.test in ("!=", "exists"):
            return _Token(draw(st.sampled_from(['"other"', "5", "{}", "[]", '"t"'])))
        value = draw(st.sampled_from(condition.values))
        if condition.test != "=":
            value = value.replace("*", draw(st.sampled_from(["", "a", "2e"]))).replace("?", "r")
        is_bare = value in ("1", "true", "null", "1.0") and draw(st.booleans())
        return _Token(value if is_bare else json.dumps(value))

    def fill(value: Any, *, from_root: bool, is_other: bool = False) -> Any:
        for condition in sorted(schema.where, key=_from_end):
            if condition.path.from_root == from_root:
                leaf = value_of(condition, is_other)
                if leaf is not None:
                    value = _put(value, condition.path.steps, leaf)
        for column in sorted(schema.columns, key=_from_end):
            assert column.path is not None
            if column.path.from_root == from_root and not column.path.own:
                leaf = token(column.type, is_other=is_other)
                if leaf is not None:
                    value = _put(value, column.path.steps, leaf)
        if from_root or draw(st.integers(0, 3)):
            return value
        return _put(value, ("other",), _Token(draw(st.sampled_from(_NEARLY))))

    values = [
        column.type
        for column in schema.columns
        if column.path is not None and column.path.own == "@value"
    ]

    def row(*, is_other: bool = False) -> Any:
        if values and draw(st.integers(0, 4)) > 0:
            return token(values[0], is_other=is_other)
        return fill(None, from_root=False, is_other=is_other)

    def rows() -> Any:
        if draw(st.booleans()):
            return row()
        # Elements of another kind stand among those that a condition takes.
        others = draw(st.sampled_from([0, 5])) if wrong or schema.where else 0
        return [
            row(is_other=draw(st.integers(0, 9)) < others)
            for _ in range(draw(st.sampled_from([0, 1, 2, 2, 3])))
        ]

    def each(value: Any, steps: PlaceSteps) -> Any:
        """``value`` with rows where the steps lead to, or nearly."""
        before = tuple(takewhile(lambda step: not isinstance(step, Each), steps))
        plain = tuple(step for step in before if not isinstance(step, Each))
        if len(before) == len(steps):
            there = draw(st.integers(0, 15))
            return _put(value, plain, rows() if there > 1 else _Token("null")) if there else value
        names: list[str] = draw(
            st.lists(
                st.sampled_from(["A", "7", "1.5", "NaN", "", *_NAMES]), max_size=3, unique=True
            )
        )
        inside = [each(None, steps[len(before) + 1 :]) for _ in names]
        is_array = steps[len(before)] is ELEMENT
        return _put(value, plain, inside if is_array else dict(zip(names, inside, strict=True)))

    message = None
    for place in draw(st.permutations(schema.rows.places)):
        message = each(message, place.steps)
    message = fill(message, from_root=True)
    text = _text(message, draw(st.sampled_from(["", "", " ", "\n"])))
    if "\\" in text and draw(st.integers(0, 20)) == 0:  # mostly of the text of a string
        text = text.replace('\\"', draw(st.sampled_from(["", "'", '\\"\\"', "\\n"])), 1)
    kind = draw(st.integers(0, 40))
    if kind == 0:
        return text.encode()[: draw(st.integers(0, len(text)))]
    if kind == 1:
        return text.encode() + draw(st.sampled_from([b"\xff", b" ", b"]", b"{}"]))
    return text.encode()


_ODD = [
    b"pong", b"", b"null", b"5", b'"trade"', b"[]", b"{}", b"[[]]", b"[null]", b"[[], 1]", b"NaN",
    b'{"a":NaN}', b'{"z":"\\ud800"}', b'{"a":"1","a":"2","a":2}', b'\xef\xbb\xbf{"a":1}', b"\xff",
    b'{"z":"\xff"}', b'{"a":1}{"a":1}', b'{"d":null,"a":1}', b'{"d":[],"a":"A"}', b'{"d":[null]}',
    b"[" * 5000 + b"]" * 5000, b'{"z":' + b"[" * 5000 + b"]" * 5000 + b"}", b'{"a":"\xc3\xa9"}',
]  # fmt: skip


@st.composite
def feeds(draw: st.DrawFn) -> tuple[list[Schema], list[bytes]]:
    tables = draw(st.lists(_tables(), min_size=1, max_size=3) | _tables().map(lambda s: [s]))
    wrong = draw(st.sampled_from([0, 0, 0, 1, 3]))
    some = draw(st.lists(_messages(tables, wrong), min_size=1, max_size=6))
    odd = draw(st.just([]) | st.lists(st.sampled_from(_ODD), max_size=2))
    order = draw(st.lists(st.sampled_from([*some, *some, *some, *odd]), max_size=16))
    return tables, [*some, *order]


@st.composite
def spread_feeds(draw: st.DrawFn) -> tuple[Schema, list[bytes]]:
    """One table with rows of several places, or behind stars, and messages that are much alike."""
    table = draw(_schemas().flatmap(_elsewhere))
    if draw(st.integers(0, 3)) == 0:
        table = replace(draw(_in_strings(table)), rows=table.rows)
    some = draw(st.lists(_messages([table], draw(st.sampled_from([0, 0, 1]))), min_size=1))
    return table, draw(st.lists(st.sampled_from(some), min_size=1, max_size=24))


def _element(kind: str, type_: str, *, nearly: bool) -> st.SearchStrategy[str]:
    """A row of a kind, of which ``v`` is a value of a type."""
    values = st.sampled_from(_NEARLY if nearly else _FITTING[type_])
    return values.map(lambda value: f'{{"k":{kind},"v":{value},"kind {kind.strip(chr(34))}":1}}')


@st.composite
def mixed(draw: st.DrawFn) -> tuple[list[Schema], list[bytes]]:
    """Arrays of rows that are for several tables, or for none."""
    types = draw(st.lists(st.sampled_from(list(_FITTING)), min_size=1, max_size=3))
    kinds = ["x", "y", "1"][: len(types)]
    tables = [
        schema_of(f'v:{type_}, own:int=["kind {kind}"], all?=$.s', "d", f"k={kind}")
        for kind, type_ in zip(kinds, types, strict=True)
    ]
    wrong = draw(st.booleans())
    elements = [
        element
        for kind, type_ in zip(['"x"', '"y"', "1"], types, strict=False)
        for element in [_element(kind, type_, nearly=False), _element(kind, type_, nearly=wrong)]
    ]
    other = st.sampled_from(['{"k":"z"}', '{"k":"z","v":[]}', "{}"] + ["5", '{"k":7}'] * wrong)
    arrays = st.lists(st.one_of(*elements, other), max_size=6)
    messages = draw(st.lists(arrays, min_size=1, max_size=8))
    return tables, [f'{{"s":"A","d":[{",".join(rows)}]}}'.encode() for rows in messages]
