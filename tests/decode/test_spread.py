from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.decode.shapes import Columns, MessageShape
from fastingest.decode.spread import is_spread, shape_of
from fastingest.decode.table_decoder import TableDecoder
from fastingest.model.schema import Schema
from tests.fuzz.mutation import mutate
from tests.support.any_feed import schema_of, spread_feeds

BOOK = schema_of("side=@rows, n:int=@index, p:decimal=[0], s=$.s", "bid=b, ask=a", "$.e=d")
EVENTS = schema_of("n=@index, i:int", "events[*].trades", "k!=z")
MIDS = schema_of("s=@key, p:decimal=@value", "d.*")


def shape(schema: Schema, sample: str) -> MessageShape:
    assert is_spread(schema)
    found = shape_of(schema, sample.encode())
    assert found is not None
    return found


def run(found: MessageShape, *messages: str) -> Columns | None:
    return found.columns([found.decode(message.encode()) for message in messages])


def read(decoder: TableDecoder, messages: list[bytes], *, together: bool) -> tuple[Any, ...]:
    decoded = decoder.new_run()
    if together:
        decoder.read(messages, decoded, len(messages))
    else:
        for message in messages:
            decoded.add_alone(decoder.decode_alone(message))
    stamps = decoded.stamps([(index + 1, index) for index in range(len(messages))])
    return (
        repr(decoded.columns),
        decoded.rejects,
        decoded.ignored,
        decoded.blanked,
        decoded.untaken,
        stamps,
    )


@given(spread_feeds())
@settings(max_examples=300)
def test_messages_together_mean_what_each_means_alone(feed: tuple[Schema, list[bytes]]) -> None:
    schema, messages = feed
    messages = [each for each in messages if _is_utf8(each)]
    decoder = TableDecoder(schema, frozenset(), is_first=True)
    expected = read(decoder, messages, together=False)
    assert read(decoder, messages, together=True) == expected
    # By the shapes that have been found.
    assert read(decoder, messages, together=True) == expected


FEEDS = [
    (
        BOOK,
        [
            b'{"e":"d","s":"A","b":[["1","2"],["3",4]],"a":[["4.50"]]}',
            b'{"a":[[5]],"s":"B","b":[[6],[7,"x"]],"e":"d"}',
            b'{"e":"d","s":"A","b":[],"a":[["4","1"]]}',
        ],
    ),
    (
        schema_of(
            "p:float?=p, k?=@key, n=@index, i:number?=$.id", "bid=d.b.*, ask=d.a[*]?", "q!=0"
        ),
        [
            b'{"i":1,"d":{"b":{"x":{"p":1.5,"q":1},"y":{"p":"NaN"}},"a":[{"p":2,"q":"0"},{"q":2}]}}',
            b'{"i":"2","d":{"a":[{"p":2}],"b":{"z":{"p":null,"q":7}}}}',
            b'{"d":{"b":{"z":{"p":"","q":7}},"a":null}}',
        ],
    ),
    (
        schema_of(
            "s=product, p:decimal=price, t:timestamp=time, n=@index", "events[*].trades", "$.c=t"
        ),
        [
            b'{"c":"t","events":[{"trades":[{"product":"A","price":"1.0","time":"2023-01-01T00:00:00Z"},'
            b'{"product":"B","price":"2","time":"2023-01-01T00:00:00.5Z"}]},{"trades":[]}]}',
            b'{"events":[{"trades":[{"price":3,"product":"C","time":"2023-01-01T00:00:00Z"}]}],"c":"t"}',
        ],
    ),
    (MIDS, [b'{"d":{"A":"1.50","B":"2"}}', b'{"d":{"C":3,"A":1}}', b'{"d":{}}']),
    (
        schema_of("k:float?=@key, v:float?=@value, m?=$.m", "d.*.*"),
        [b'{"d":{"A":{"1":1.5,"2":"7"},"B":{"3":"NaN"}},"m":"x"}', b'{"d":{"A":{"inf":2}}}'],
    ),
    (
        schema_of("a=[0], z:json?=[1], side=@rows, n:int=$.n", "d.b.*, d.a.*", "[2] absent"),
        [
            b'{"n":1,"d":{"b":{"x":["A",1],"y":["B",2]},"a":{"z":["C",3]}}}',
            b'{"n":2,"d":{"a":{"x":["A",1]},"b":{"z":["C",null],"x":["A","1"]}}}',
        ],
    ),
]


@given(st.integers(0, len(FEEDS) - 1), st.integers(0, 10**9), st.integers(0, 4))
@settings(max_examples=300)
def test_changed_messages_among_others_mean_what_each_means_alone(
    feed: int, seed: int, changes: int
) -> None:
    schema, some = FEEDS[feed]
    random = Random(seed)
    messages = random.choices(some, k=8)
    for _ in range(changes):
        at = random.randrange(len(messages))
        messages[at] = mutate(messages[at], random)
    messages = [each for each in messages if _is_utf8(each)]
    decoder = TableDecoder(schema, frozenset(), is_first=True)
    read(decoder, some, together=True)
    expected = read(decoder, messages, together=False)
    assert read(decoder, messages, together=True) == expected


@pytest.mark.parametrize(("schema", "some"), FEEDS)
def test_the_messages_that_are_changed_have_a_shape(schema: Schema, some: list[bytes]) -> None:
    found = shape_of(schema, some[0])
    assert found is not None
    assert found.columns([found.decode(each) for each in some[:1] * 3]) is not None


def _is_utf8(message: bytes) -> bool:
    try:
        message.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_rows_of_several_places_come_in_the_order_of_the_message() -> None:
    first = '{"e":"d","s":"A","b":[["1","2"],["3"]],"a":[["4"]]}'
    second = '{"a":[["5"]],"s":"B","b":[["6"]],"e":"d"}'
    found = shape(BOOK, first)
    assert found.name == "spread"
    assert run(found, first, second) == Columns(
        [
            ["bid", "bid", "ask", "ask", "bid"],
            [0, 1, 0, 0, 0],
            ["1", "3", "4", "5", "6"],
            ["A", "A", "A", "B", "B"],
        ],
        [3, 2],
    )


def test_a_member_that_is_there_twice_has_its_first_place_and_its_last_value() -> None:
    message = '{"e":"d","s":"A","b":[["1"]],"a":[["2"]],"b":[["3"]]}'
    assert run(shape(BOOK, message), message) == Columns(
        [["bid", "ask"], [0, 0], ["3", "2"], ["A", "A"]], [2]
    )


def test_an_empty_array_of_rows_is_one_ignored() -> None:
    message = '{"e":"d","s":"A","b":[],"a":[["4"]]}'
    found = shape(BOOK, '{"e":"d","s":"A","b":[["1"]],"a":[["4"]]}')
    assert run(found, message) == Columns([["ask"], [0], ["4"], ["A"]], [1], 1)


def test_arrays_behind_stars_and_the_conditions_of_their_rows() -> None:
    message = (
        '{"events":[{"trades":[{"i":1},{"k":"z","i":2}]},{"trades":[]},{"trades":[{"i":"3"}]}]}'
    )
    assert run(shape(EVENTS, message), message, '{"events":[]}') == Columns(
        [[0, 0], [1, 3]], [2, 0], 3
    )


def test_the_members_of_an_object_are_rows() -> None:
    message = '{"d":{"A":"1.50","é\\n":"2"}}'
    assert run(shape(MIDS, message), message) == Columns([["A", "é\n"], ["1.50", "2"]], [2])
    bare = '{"d":{"A":1.50,"B":2e3}}'
    assert run(shape(MIDS, bare), bare) == Columns([["A", "B"], ["1.50", "2e3"]], [2])


def test_single_rows_behind_stars_in_stars() -> None:
    schema = schema_of("a=@key, n=@index, v:int=x.y", "m[*].*.o")
    message = '{"m":[{"A":{"o":{"x":{"y":1}}}},{"B":{"o":{"x":{"y":2}}},"C":{"o":{"x":{"y":3}}}}]}'
    assert run(shape(schema, message), message) == Columns(
        [["A", "B", "C"], [0, 1, 1], [1, 2, 3]], [3]
    )


@pytest.mark.parametrize(
    "message",
    [
        '{"e":"d","s":"A","b":[["1"]]}',  # a place is missing
        '{"e":"d","s":"A","b":[["1"]],"a":null}',
        '{"e":"x","s":"A","b":[["1"]],"a":[["2"]]}',  # it is not for the table
        '{"e":"d","s":"A","b":["1"],"a":[["2"]]}',  # a row, and no array of rows
        '{"e":"d","s":"A","b":[["1"]],"a":[null]}',
        '{"e":"d","b":[["1"]],"a":[["2"]]}',
    ],
)
def test_what_is_not_alike_fails(message: str) -> None:
    found = shape(BOOK, '{"e":"d","s":"A","b":[["1"]],"a":[["2"]]}')
    with pytest.raises(ValueError, match=r"."):
        found.decode(message.encode())


def test_one_of_several_places_may_be_missing_if_it_is_optional() -> None:
    schema = schema_of("p:decimal=[0], side=@rows", "d.b?, d.a?", "$.e=d")
    both = '{"e":"d","d":{"a":[["1"]],"b":[["2"]]}}'
    found = shape(schema, both)
    some = ['{"e":"d","d":{"b":[["3"]]}}', '{"e":"d","d":{"a":[["4"]],"b":null}}']
    expected = [["1", "2", "3", "4"], ["d.a", "d.b", "d.b", "d.a"]]
    assert run(found, both, *some) == Columns(expected, [2, 1, 1])
    for message in (
        '{"e":"d","d":{}}',
        '{"e":"d","d":{"a":null}}',
        '{"e":"d"}',
        '{"e":"d","d":{"a":[["1"]],"b":"NULL"}}',
        '{"e":"d","d":{"a":[["1"]],"b":"nul\\u006c"}}',
    ):
        with pytest.raises(ValueError, match=r"."):
            found.decode(message.encode())


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (schema_of("p:decimal=@value, v:json=@value", "d.*"), '{"d":{"A":1}}'),
        (schema_of("s=@key", "d.*"), '{"d":{"A":1}}'),
        (schema_of("a", "d[*].b, d[*].a"), '{"d":[{"b":{"a":"1"},"a":{"a":"2"}}]}'),
        (schema_of("a", "d[0], d[1]"), '{"d":[{"a":"1"},{"a":"2"}]}'),
        (schema_of("a, n=@index, b=$.d.b", "d"), '{"d":{"a":"1","b":"2"}}'),
        (schema_of("p:decimal?=@value, n=@index", "d?"), '{"d":"1"}'),
    ],
)
def test_what_structs_do_not_tell_has_no_shape(schema: Schema, message: str) -> None:
    assert is_spread(schema)
    assert shape_of(schema, message.encode()) is None


def test_a_null_among_values_fails() -> None:
    schema = schema_of("s=@key, p:decimal?=@value", "d.*")
    found = shape(schema, '{"d":{"A":1}}')
    assert run(found, '{"d":{"A":1,"B":null}}') is None


def test_names_that_are_read_as_other_types() -> None:
    schema = schema_of("p:float=@key, n:decimal=@index, v:int=@value", "d.*")
    message = '{"d":{"1.5":1,"2":2}}'
    assert run(shape(schema, message), message) == Columns([[1.5, 2.0], ["0", "0"], [1, 2]], [2])
    assert run(shape(schema, message), '{"d":{"x":1}}') is None
