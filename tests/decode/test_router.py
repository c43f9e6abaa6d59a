from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.decode.reasons import Unfit
from fastingest.decode.reference import DecodedMessage, ReferenceDecoder
from fastingest.decode.router import Route, Router, routers_of
from fastingest.decode.values import json_of
from fastingest.model.jsonpath import NoTree, parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import Schema, parse_columns


def _schema(columns: str, rows: str = "", *where: str) -> Schema:
    return Schema(parse_columns(columns), parse_rows(rows), tuple(map(parse_condition, where)))


def _sort(tables: Sequence[tuple[Schema, bool]], *messages: str) -> list[Route]:
    """By as many routers as it needs."""
    raw = [message.encode() for message in messages]
    return [route for router in routers_of(tables) for route in router.sort(raw)]


_PLAIN = _schema("a")
_TRADES = _schema("a", "", "$.e=t")
_QUOTES = _schema("a", "", "$.e=q,1")
_MINE = _schema("a", "d", "k=x")


def test_tables_without_conditions_need_no_sieve() -> None:
    assert routers_of([(_PLAIN, True), (_PLAIN, False)]) == []
    assert routers_of([(_MINE, False)]) == []
    assert len(routers_of([(_MINE, True)])) == 1


def test_one_sieve_sorts_for_all_tables() -> None:
    tables = [(_TRADES, True), (_PLAIN, True), (_QUOTES, False)]
    assert len(routers_of(tables)) == 1
    messages = ['{"e":"t"}', '{"e":"q"}', '{"e":1}', '{"e":"z"}', "{}"]
    assert _sort(tables, *messages) == [
        Route([True, False, False, False, False]),
        Route(),
        Route([False, True, True, False, False]),
    ]


def test_conditions_of_the_row_count_where_messages_are_one_row() -> None:
    both = _schema("a", "d", "$.e=t", "k=x")
    x, y, none = (f'{{"e":"t","d":{d}}}' for d in ('{"k":"x"}', '{"k":"y"}', "null"))
    messages = [x, y, none, x.replace('"t"', '"u"')]
    takes = [True, True, True, False]
    assert _sort([(both, True)], *messages) == [Route(takes, [True, False, True, True])]
    assert _sort([(both, False)], *messages) == [Route(takes)]
    # Where no row is there, its conditions are not asked: what is meant then is not the router's.
    assert _sort([(_MINE, True)], "{}", y) == [Route(None, [True, False])]


def test_tables_that_contradict_each_other_have_a_sieve_each() -> None:
    inner = _schema("a", "", "$.e.kind=t")
    tables = [(_TRADES, True), (inner, True), (_PLAIN, True)]
    assert len(routers_of(tables)) == 3
    assert _sort(tables, '{"e":"u"}', '{"e":{"kind":"u"}}') == [
        Route([False, True]),
        Route([True, False]),
        Route(),
    ]


def test_a_table_that_contradicts_itself_may_take_all() -> None:
    itself = _schema("a", "", "$.e=t", "$.e.kind=t")
    with pytest.raises(NoTree):
        Router([(itself, True)])
    assert _sort([(itself, True), (_TRADES, True)], '{"e":"u"}', "5") == [
        Route(),
        Route([False, True]),
    ]


@pytest.mark.parametrize("odd", ["", "5", "[]", '{"e":5}', '{"e":{}}', '{"e":"u"', '{"e":"u"}}'])
def test_what_cannot_be_sorted_passes_wherever_it_stands(odd: str) -> None:
    t, u = '{"e":"t"}', '{"e":"u"}'
    messages = [odd, t, u, odd, odd, u, t, odd]
    assert _sort([(_TRADES, True)], *messages) == [
        Route([True, True, False, True, True, False, True, True])
    ]


def test_an_array_of_rows_that_are_arrays_is_not_taken_for_one_row() -> None:
    table = _schema("a=[0]", "", "[1]=x")
    messages = ['["A","x"]', '["A","y"]', '[["A","x"],"y"]', '[[],"y"]', "[]"]
    assert _sort([(table, True)], *messages) == [Route(None, [True, False, True, True, True])]


def test_a_text_with_an_escape_is_compared_as_any_other() -> None:
    messages = ['{"e":"z"}', '{"e":"\\u0031"}', "5", '{"e":"z"}']
    assert _sort([(_QUOTES, True), (_TRADES, True)], *messages) == [
        Route([False, True, True, False]),
        Route([False, False, True, False]),
    ]


def test_no_messages_have_no_verdicts() -> None:
    both = _schema("a", "d", "$.e=t", "k=x")
    assert _sort([(both, True), (_PLAIN, True)]) == [Route([], []), Route()]


# Only "no" counts, and it is never wrong.

_WHERE = [
    "$.e=t",
    "$.e=1,t",
    "$.n=null",
    "$.d.k=x",
    "e=t",
    "k=x",
    "k=1",
    "k=x,true",
    "m.k=y",
    "[0]=x",
]
_VALUES = [
    '"t"',
    '"x"',
    '"y"',
    "1",
    '"1"',
    "true",
    "null",
    '"\\u0078"',
    "[]",
    "{}",
    '["x"]',
    '"\\ud800"',
]


@st.composite
def _tables(draw: st.DrawFn) -> tuple[Schema, bool]:
    rows = draw(st.sampled_from(["", "", "d", "d[0]"]))
    where = draw(st.lists(st.sampled_from(_WHERE), max_size=3))
    column = "a?=[1]" if "[0]=x" in where else "a?"
    return _schema(column, rows, *where), draw(st.booleans())


_value = st.sampled_from(_VALUES)


def _object(draw: st.DrawFn, names: str, **more: str) -> str:
    members = [f'"{name}":{draw(_value)}' for name in names if draw(st.booleans())]
    members += [f'"{name}":{value}' for name, value in more.items() if draw(st.booleans())]
    return f"{{{','.join(draw(st.permutations(members)))}}}"


@st.composite
def _messages(draw: st.DrawFn) -> bytes:
    if draw(st.integers(0, 9)) == 0:
        return draw(st.sampled_from([b"", b"5", b"[]", b'["x"]', b'[["x"]]', b'{"e":"u"', b"{}"]))
    m = _object(draw, "k")
    row = _object(draw, "kez", m=m)
    d = draw(st.sampled_from([row, f"[{row}]", f"[{row},{row}]", '["x","A"]', "5", "[]"]))
    return _object(draw, "kenz", d=d, m=m).encode()


@given(st.lists(_tables(), min_size=1, max_size=3), st.lists(_messages(), max_size=8))
def test_what_is_sorted_out_is_not_taken_or_is_one_row_left_out(
    tables: list[tuple[Schema, bool]], messages: list[bytes]
) -> None:
    routes = [route for router in routers_of(tables) for route in router.sort(messages)]
    for (schema, _), (takes, keeps) in zip(tables, routes or [Route()] * len(tables), strict=True):
        assert {len(flags) for flags in (takes, keeps) if flags is not None} <= {len(messages)}
        for index, message in enumerate(messages):
            try:
                outcome = ReferenceDecoder(schema).of(json_of(message), message)
            except Unfit:
                assert takes is None or takes[index]
                assert keeps is None or keeps[index]
                continue
            if takes is not None and not takes[index]:
                assert not outcome.taken
            elif keeps is not None and not keeps[index]:
                assert outcome == DecodedMessage(ignored=1)
