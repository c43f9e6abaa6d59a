from __future__ import annotations

from typing import Any

from fastingest.probe.reading import rows_in
from fastingest.probe.tables.field_profile import FieldProfile
from fastingest.probe.tables.rows import find_rows
from fastingest.probe.tables.table_columns import TableColumns, TakenMessage
from fastingest.probe.text import column_text

NOW = 1_700_000_000.0


def columns_of(*messages: Any) -> tuple[list[str], list[str]]:
    """The columns of the first table for messages, as they are written, and what is left out."""
    where = find_rows(FieldProfile(messages), NOW)[0]
    taken = [TakenMessage(each, rows_in(each, where.rows) or []) for each in messages]
    columns = TableColumns(taken, NOW)
    columns.add_rows(where, ())
    if where.rows.places[0].steps:
        columns.add_around(where, ())
    return [column_text(column) for column in columns.found], columns.notes


def test_a_book_has_a_side_and_a_level() -> None:
    message = {"s": "X", "b": [["1.5", "2"]], "a": [["1.6", "2"]]}
    assert columns_of(message)[0] == [
        *("side:str=@rows", "level:int=@index", "price:decimal=[0]", "size:decimal=[1]"),
        "symbol:str=$.s",
    ]


def test_a_map_has_its_names_and_its_values_unless_records_say_their_names() -> None:
    assert columns_of({"mids": {"AAA": "1.5", "BBB": "2.5"}})[0] == [
        "symbol:str=@key",
        "price:decimal=@value",
    ]
    record = {"bid": "1.5", "ask": "1.6"}
    assert columns_of({"AAA": record, "BBB": record})[0][0] == "symbol:str=@key"
    named = {name: {**record, "s": name} for name in ("AAA", "BBB")}
    assert columns_of(named)[0] == ["bid:decimal", "ask:decimal", "symbol:str=s"]


def test_what_says_the_same_as_a_column_and_a_word_is_no_column() -> None:
    def around(**members: Any) -> list[str]:
        messages = [
            {**members, "topic": f"trade.{name}", "data": {"i": name, "p": 1.5, "q": 2}}
            for name in ("BTC-USD", "ETH-USD")
        ]
        return [text for text in columns_of(*messages)[0] if "$" in text]

    assert around() == []
    assert around(type="message") == []
    assert around(type="snapshot") == ["type:str=$.type"]
    assert around(venue="x.y") == ["venue:str=$.venue"]


def test_a_topic_of_several_words_for_one_symbol_stays() -> None:
    messages = [
        {"topic": f"{word}.BTC-USD", "data": {"i": "BTC-USD", "p": 1.5, "q": 2}}
        for word in ("trade", "fill")
    ]
    assert "topic:str=$.topic" in columns_of(*messages)[0]


def test_what_nearly_all_messages_lack_is_left_out() -> None:
    rows = [{"p": 1.5, "q": number} for number in range(30)]
    found, notes = columns_of(*({"data": [row]} for row in rows), {"keys": "x", "data": rows})
    assert found == ["price:float=p", "quantity:number=q"]
    assert notes == ["left out: $.keys, which only 1 of 31 had"]


def test_an_empty_text_among_numbers_makes_a_column_optional() -> None:
    assert columns_of({"p": "1.5", "q": ""}, {"p": "", "q": "NaN"}, {"p": "2", "q": "3"})[0] == [
        "price:decimal?=p",
        "quantity:decimal?=q",
    ]


def test_the_best_prices_are_told_from_their_sizes() -> None:
    found, _ = columns_of({"b": "1.5", "B": "2", "a": "1.6", "A": "3"})
    assert found == [
        "bid_price:decimal=b",
        "bid_size:decimal=B",
        "ask_price:decimal=a",
        "ask_size:decimal=A",
    ]
