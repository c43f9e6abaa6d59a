"""What becomes of recorded messages is what a capture makes of them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from fastingest import Options
from fastingest.config.catalog import known_names
from fastingest.decode.factory import decoder_of
from fastingest.format.csv import CsvFormat
from fastingest.model.feed import Feed, Remember, Table
from fastingest.model.jsonpath import JsonPath
from fastingest.model.message_conditions import parse_message_condition
from fastingest.model.schema import TRADES, Schema
from fastingest.trial.trial import Rejected, Trial, try_messages
from tests.feeds.recorded import EXPECTED, SECRETS, messages_of
from tests.support.any_feed import feeds, schema_of
from tests.support.native import native_module

NATIVE = [False, pytest.param(True, id="native")]


def feed_of(*schemas: Schema, ignore: tuple[str, ...] = ()) -> Feed:
    tables = tuple(Table(Path(f"{n}.csv"), schema) for n, schema in enumerate(schemas))
    return Feed(name="f", url="", tables=tables, ignore=ignore)


def tried(feed: Feed, *messages: bytes, show: int = 10, native: bool = False) -> Trial:
    if native:
        native_module("_parser")
    return try_messages(feed, enumerate(messages, 1), show=show, now=1000, native=native)


def rows_of(trial: Trial, table: int = 0) -> list[str]:
    text = b"".join(map(CsvFormat().encode, trial.tables[table].first)).decode()
    return text.splitlines()


def row(symbol: str, price: str) -> bytes:
    return f'{{"symbol":"{symbol}","price":{price},"volume":1}}'.encode()


@pytest.mark.parametrize("native", NATIVE)
@pytest.mark.parametrize("name", known_names())
def test_the_recorded_messages_of_a_known_feed_become_what_a_capture_makes_of_them(
    name: str, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in SECRETS.items():
        monkeypatch.setenv(variable, value)
    (feed,) = Options(feed=(name,)).feeds
    expected, messages = EXPECTED[name], messages_of(name)
    trial = tried(feed, *messages, native=native)
    assert trial.is_native == native
    assert (trial.messages, trial.rows, trial.rejected) == (
        len(messages),
        expected.rows,
        expected.rejects,
    )
    lines = {kind: [seen.lines for seen in each] for kind, each in trial.seen.items()}
    replies = {line for each in lines.get("reply", []) for line in each}
    assert replies >= {each + 1 for each in expected.replies}
    assert trial.counts["refused"] == expected.refused
    assert lines.get("reconnect", []) == [[each + 1] for each in expected.reconnects]
    answers = tuple(seen.answer for seen in trial.seen.get("answer", []))
    assert answers == expected.answers
    assert sum(trial.counts.values()) + trial.left_out <= trial.ignored
    # All others bring a row or a reject.
    assert trial.messages - sum(trial.counts.values()) <= trial.rows + trial.rejected


@given(feeds())
@settings(max_examples=100)
def test_anything_becomes_what_the_decoder_makes_of_it_together(
    described: tuple[list[Schema], list[bytes]],
) -> None:
    schemas, messages = described
    feed = feed_of(*schemas, ignore=("pong",))
    decoder = decoder_of(feed, 1000)
    decoder.connected(1)
    stamps = [(number, 999 + number) for number in range(1, len(messages) + 1)]
    batches = {batch.table: batch for batch in decoder.decode(messages, stamps) + decoder.take()}
    for native in (False, True):
        trial = tried(feed, *messages, show=1000, native=native)
        assert (trial.rows, trial.ignored) == (decoder.rows, decoder.ignored)
        assert trial.blanked == sum(table.blanked for table in decoder.tables)
        rejects = [each for batch in batches.values() for each in batch.rejects]
        assert trial.rejected == len(rejects)
        assert sorted((each.line + 999, each.reason, each.raw) for each in trial.rejects) == sorted(
            rejects
        )
        for index, table in enumerate(trial.tables):
            batch = batches.get(index)
            expected = b"" if batch is None else bytes(CsvFormat().encode(batch))
            assert b"".join(map(CsvFormat().encode, table.first)) == expected


@pytest.mark.parametrize("native", NATIVE)
def test_only_the_first_rows_are_kept_and_all_are_counted(native: bool) -> None:
    messages = [row("A", str(number)) for number in range(250)]
    trial = tried(feed_of(TRADES), *messages, show=3, native=native)
    assert rows_of(trial) == ["A,0.0,1", "A,1.0,1", "A,2.0,1"]
    assert (trial.rows, trial.tables[0].shown, trial.rejected, trial.ignored) == (250, 3, 0, 0)
    none = tried(feed_of(TRADES), *messages, show=0, native=native)
    assert (rows_of(none), none.rows) == ([], 250)


@pytest.mark.parametrize("native", NATIVE)
def test_what_is_ours_is_as_in_a_run(native: bool) -> None:
    schema = schema_of("symbol, at=@received, feed=@feed, by=@connection, number=@sequence")
    trial = tried(feed_of(schema), row("A", "1"), b"?", row("B", "2"), show=1, native=native)
    assert rows_of(trial) == ["A,1000,f,1,1"]
    assert (trial.rows, trial.rejected) == (2, 1)


def test_the_rejects_of_all_tables_stand_by_line() -> None:
    first, second = schema_of("a:int", "", "$.t=1"), schema_of("b:int", "", "$.t=2")
    messages = [b'{"t":2}', b'{"t":1}', b"no", b'{"t":1,"a":1}', b'{"t":2,"b":"x"}', b'{"t":1}']
    trial = tried(feed_of(first, second), *messages, show=4)
    assert [each.line for each in trial.rejects] == [1, 2, 3, 5]
    assert [(table.rows, table.rejected) for table in trial.tables] == [(1, 3), (0, 2)]
    assert trial.rejects[0] == Rejected(1, "b: b is missing", b'{"t":2}')


def test_only_the_bad_element_of_an_array_is_a_reject() -> None:
    trial = tried(feed_of(schema_of("a:int", "d")), b'{"d":[{"a":1},{"a":"x"},{"a":2}]}')
    assert (trial.rows, trial.rejected) == (2, 1)
    assert trial.rejects[0].raw == b'{"a":"x"}'


@pytest.mark.parametrize("native", NATIVE)
def test_messages_that_are_alike_but_for_numbers_are_told_together(native: bool) -> None:
    feed = feed_of(schema_of("a:int", "", "$.t=1"))
    beats = [b'{"beat":%d}' % number for number in range(5)]
    trial = tried(feed, *beats, b'{"t":1,"a":7}', b'{"other":1}', *beats, native=native)
    alike, other = trial.seen["ignored"]
    assert (alike.example, alike.lines, alike.count) == (b'{"beat":0}', [1, 2, 3], 10)
    assert (other.example, other.lines, other.count) == (b'{"other":1}', [7], 1)
    assert (trial.counts, trial.ignored, trial.rows) == ({"ignored": 11}, 11, 1)


@pytest.mark.parametrize("native", NATIVE)
def test_rows_left_out_are_told_apart_from_messages_that_bring_nothing(native: bool) -> None:
    feed = feed_of(schema_of("a:int", "d", "k=1"))
    some = b'{"d":[{"k":1,"a":1},{"k":2,"a":2},{"k":3,"a":3}]}'
    none = b'{"d":[{"k":2,"a":2},{"k":2,"a":3}]}'
    trial = tried(feed, some, none, native=native)
    assert (trial.rows, trial.ignored, trial.left_out) == (1, 4, 2)
    assert [seen.lines for seen in trial.seen["ignored"]] == [[2]]


def test_cells_that_are_empty_for_a_word_are_counted() -> None:
    feed = feed_of(schema_of("a:float?"))
    for native in (False, True):
        trial = tried(feed, b'{"a":"NaN", "b": 123456}', b'{"a":1.5}', native=native)
        assert (rows_of(trial), trial.blanked) == (["", "1.5"], 1)


def test_formulas_are_escaped_where_that_is_asked_for() -> None:
    feed = feed_of(schema_of("s"))
    messages = [(1, b'{"s":"=1+1"}')]
    plain = try_messages(feed, messages, show=1)
    escaped = try_messages(feed, messages, show=1, escape_formulas=True)
    assert (rows_of(plain), rows_of(escaped)) == (["=1+1"], ["'=1+1"])


@pytest.mark.parametrize("native", NATIVE)
def test_what_is_said_once_is_remembered_for_the_rows_behind_it(native: bool) -> None:
    schema = schema_of("s=$[0]|remembered.symbol, p:decimal=[0]", "[2]", "$[1]=te")
    when = (parse_message_condition("$.event=subscribed"),)
    feed = replace(feed_of(schema), remember=Remember((when,), JsonPath(("chanId",), True)))
    trial = tried(
        feed,
        b'[7,"te",["1.0"]]' + b" " * 16,
        b'{"event":"subscribed","chanId":7,"symbol":"A"}',
        b'[7,"te",["1.5"]]',
        b'{"event":"subscribed","chanId":7,"symbol":"B"}',
        b'[7,"te",["2.5"]]',
        native=native,
    )
    assert rows_of(trial) == ["A,1.5", "B,2.5"]
    assert [reject.line for reject in trial.rejects] == [1]
    assert [seen.lines for seen in trial.seen["remember"]] == [[2], [4]]


@pytest.mark.parametrize("native", NATIVE)
def test_documents_in_a_message_are_messages_of_its_line(native: bool) -> None:
    feed = replace(feed_of(TRADES), strip=("42",), split="records")
    first = b"42%b\x1e%b\x1e%b\x1e" % (row("A", "1"), row("B", "true"), row("C", "3"))
    trial = tried(feed, first, b"42 \x1e", row("D", "4"), native=native)
    assert rows_of(trial) == ["A,1.0,1", "C,3.0,1", "D,4.0,1"]
    assert [(each.line, each.raw) for each in trial.rejects] == [(1, row("B", "true"))]
    assert (trial.messages, trial.rows, trial.rejected, trial.ignored) == (5, 3, 1, 1)
    assert [seen.lines for seen in trial.seen["ignored"]] == [[2]]


@pytest.mark.parametrize("native", NATIVE)
def test_nothing_behind_a_prefix_is_a_reject_where_nothing_is_split(native: bool) -> None:
    trial = tried(
        replace(feed_of(TRADES), strip=("42",)), b"42", b"42" + row("A", "1"), native=native
    )
    assert (trial.messages, trial.rows, trial.rejected, trial.ignored) == (2, 1, 1, 0)


@pytest.mark.parametrize("native", NATIVE)
def test_what_brings_a_row_is_not_remembered(native: bool) -> None:
    schema = schema_of("s?=$.id|remembered.s, p:int=p")
    remember = Remember(((parse_message_condition("$.s exists"),),), JsonPath(("id",), True))
    feed = replace(feed_of(schema), remember=remember)
    messages = [b'{"id":7,"s":"A","p":1}', b'{"id":7,"p":2    }']
    messages += [b'{"id":7,"s":"B","p":"x"}', b'{"id":7,"p":3    }']
    assert rows_of(tried(feed, *messages, native=native)) == [",1", ",2", "B,3"]
