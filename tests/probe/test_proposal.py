"""Proposals for messages as venues send them, and for any others.

What a proposal means is read by :mod:`tests.peers.plain_reading`, which shares nothing with it.
"""

from __future__ import annotations

import json
import string
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.model.schema import Schema, parse_columns
from fastingest.probe.proposal import Proposal, proposal_of
from fastingest.probe.text import column_text
from tests.feeds.recorded import EXPECTED, messages_of
from tests.peers.plain_reading import read

NOW = 1_700_000_000.0


def propose(*messages: Any) -> Proposal:
    """Of messages, texts as they are and others as JSON."""
    return proposal_of([_raw(message) for message in messages], NOW)


def _raw(message: Any) -> bytes:
    return message.encode() if isinstance(message, str) else json.dumps(message).encode()


def described(schema: Schema) -> tuple[str, list[str], list[str]]:
    """The rows, the conditions and the columns, as they are written."""
    columns = [
        f"{column.name}:{column.type}{'' if column.required else '?'}={column.path}"
        for column in schema.columns
    ]
    return str(schema.rows), [str(each) for each in schema.where], columns


def texts_of(found: Proposal, *messages: Any) -> list[tuple[int, int]]:
    """How many rows and rejects each table has of the messages."""
    reading = read(
        [table.schema for table in found.tables], list(map(_raw, messages)), ignore=found.ignore
    )
    return [(len(table.rows), len(table.rejects)) for table in reading.tables]


# Venues

REPLY = {"result": None, "id": 1}
TRADE = {
    "stream": "btcusdt@trade",
    "data": {"e": "trade", "E": 1699999999136, "s": "BTCUSDT", "t": 4012345678, "p": "0.00100000"},
}
BOOK = {"stream": "btcusdt@bookTicker", "data": {"u": 400900217, "s": "BTCUSDT", "b": "25.3"}}
OTHER_TRADE = {**TRADE, "stream": "ethusdt@trade"}


def test_a_combined_stream_has_a_table_for_each_kind_of_event() -> None:
    messages = [REPLY, TRADE, OTHER_TRADE, BOOK]
    found = propose(*messages)
    assert [described(table.schema) for table in found.tables] == [
        (
            "data",
            ["$.data.e=trade"],
            [
                "event_time:timestamp[ms]=E",
                "symbol:str=s",
                "t:number=t",
                "price:decimal=p",
                "stream:str=$.stream",  # of which the symbol here is another
            ],
        ),
        (
            "data",
            ["$.stream~=*@bookTicker"],
            ["u:number=u", "symbol:str=s", "b:decimal=b"],
        ),
    ]
    assert [table.name for table in found.tables] == ["trade", "bookticker"]
    assert texts_of(found, *messages) == [(2, 0), (1, 0)]
    assert [table.notes for table in found.tables] == [(), ()]


def test_a_reply_without_the_members_of_a_row_is_kept_out_by_them() -> None:
    messages = [REPLY, BOOK["data"], REPLY, BOOK["data"]]
    found = propose(*messages)
    assert described(found.tables[0].schema)[:2] == ("", ["$.b exists"])
    assert found.ignore == ()
    assert texts_of(found, *messages) == [(2, 0)]


def test_positional_trades_have_their_rows_inside() -> None:
    messages = [
        {"event": "systemStatus", "connectionID": 8628615390848610000, "status": "online"},
        [0, [["5541.2", "0.1", "1534614057.321597", "s", "l"]], "trade", "XBT/USD"],
        {"event": "heartbeat"},
        [0, [["5541.3", "0.2", "1534614058.3", "b", "m"]] * 2, "trade", "ETH/USD"],
    ]
    found = propose(*messages)
    assert [described(table.schema) for table in found.tables] == [
        (
            "[1]",
            ["$[2]=trade"],
            [
                "price:decimal=[0]",
                "size:decimal=[1]",
                "time:timestamp[s:6]=[2]",
                "side:str=[3]",
                "column_4:str=[4]",
                "message_0:number=$[0]",
                "symbol:str=$[3]",
            ],
        )
    ]
    assert texts_of(found, *messages) == [(3, 0)]
    assert found.ignore == ()


def test_a_snapshot_and_its_updates_are_one_table() -> None:
    row = {"symbol": "BTC/USD", "price": 0.5, "timestamp": "2023-09-25T07:48:36.925533Z"}
    messages = [
        {"channel": "status", "type": "update", "data": [{"system": "online", "version": "2.0"}]},
        {"channel": "trade", "type": "snapshot", "data": [row, row]},
        {"channel": "trade", "type": "update", "data": [{**row, "price": 1}]},
        {"channel": "heartbeat"},
    ]
    found = propose(*messages)
    assert [described(table.schema) for table in found.tables] == [
        (
            "data",
            ["$.channel=trade"],
            [
                "symbol:str=symbol",
                "price:number=price",
                "timestamp:timestamp[iso]=timestamp",
                "type:str=$.type",
            ],
        )
    ]
    assert texts_of(found, *messages) == [(3, 0)]


def test_a_reply_of_the_same_channel_has_no_rows_and_is_ignored() -> None:
    argument = {"channel": "trades", "instId": "BTC-USDT"}
    messages = [
        {"event": "subscribe", "arg": argument, "connId": "a4d3ae55"},
        {"arg": argument, "data": [{"instId": "BTC-USDT", "px": "42219.9", "sz": "0.1"}]},
        "pong",
    ]
    found = propose(*messages)
    assert [described(table.schema) for table in found.tables] == [
        (
            "data?",
            ["$.arg.channel=trades"],
            ["inst_id:str=instId", "px:decimal=px", "sz:decimal=sz"],
        )
    ]
    assert found.ignore == ("pong",)
    assert texts_of(found, *messages) == [(1, 0)]


def test_arrays_of_several_kinds_of_rows_have_a_table_for_each_kind() -> None:
    trade = {"T": "t", "S": "AAPL", "p": 126.55, "s": 1, "t": "2021-02-22T15:51:44Z", "c": ["@"]}
    quote = {"T": "q", "S": "AMD", "bp": 87.66, "ap": 87.68, "t": "2021-02-22T15:51:45Z"}
    messages = [[{"T": "success", "msg": "connected"}], [trade, quote], [trade]]
    found = propose(*messages)
    assert [described(table.schema) for table in found.tables] == [
        (
            "",
            ["T=t"],
            ["symbol:str=S", "price:float=p", "size:number=s", "time:timestamp[iso]=t", "c:json=c"],
        ),
        (
            "",
            ["T=q"],
            ["symbol:str=S", "bp:float=bp", "ap:float=ap", "time:timestamp[iso]=t"],
        ),
    ]
    assert texts_of(found, *messages) == [(2, 0), (1, 0)]


def test_rows_of_several_kinds_inside_a_message_have_a_table_for_each_kind() -> None:
    message = {
        "type": "update",
        "eventId": 36902233362,
        "events": [
            {"type": "trade", "price": "53492.81", "makerSide": "ask"},
            {"type": "change", "side": "bid", "price": "53492.8", "delta": "0.1"},
        ],
    }
    found = propose(message, message)
    assert [described(table.schema)[:2] for table in found.tables] == [
        ("events", ["type=trade"]),
        ("events", ["type=change"]),
    ]
    assert texts_of(found, message, message) == [(2, 0), (2, 0)]


def test_a_book_has_both_sides_in_one_table_beside_that_of_its_changes() -> None:
    messages = [
        {"type": "snapshot", "product_id": "X", "bids": [["1.5", "2"]], "asks": [["2.5", "3"]]},
        {"type": "l2update", "product_id": "X", "changes": [["buy", "1.5", "0.16"]]},
    ]
    found = propose(*messages)
    assert [described(table.schema) for table in found.tables] == [
        (
            "bid=bids, ask=asks",
            ["$.type=snapshot"],
            [
                "side:str=@rows",
                "level:int=@index",
                "price:decimal=[0]",
                "size:decimal=[1]",
                "product_id:str=$.product_id",
            ],
        ),
        (
            "changes",
            ["$.type=l2update"],
            [
                "side:str=[0]",
                "price:decimal=[1]",
                "size:decimal=[2]",
                "product_id:str=$.product_id",
            ],
        ),
    ]
    assert [(shape.says, shape.tables) for shape in found.shapes] == [
        ("data", (0,)),
        ("data", (1,)),
    ]


def test_an_array_around_the_rows_is_gone_through() -> None:
    trade = {"trade_id": "1", "price": "1260.01", "side": "BUY"}
    found = propose({"channel": "trades", "events": [{"type": "update", "trades": [trade] * 2}]})
    (table,) = found.tables
    assert described(table.schema)[:2] == ("events[*].trades", ["$.channel=trades"])
    assert table.rows == 2
    assert table.notes == ()


def test_of_an_array_around_the_rows_the_first_element_is_meant_where_it_says_whose_they_are() -> (
    None
):
    update = {"side": "bid", "price_level": "21921.73", "new_quantity": "0.06"}
    event = {"type": "update", "product_id": "X", "updates": [update] * 2}
    (table,) = propose({"channel": "l2_data", "events": [event]}).tables
    assert str(table.schema.rows) == "events[0].updates"
    assert "product_id:str=$.events[0].product_id" in described(table.schema)[2]
    assert table.notes == (
        "events had one element in every message; rows of a second one would be left out",
    )


def test_executions_and_the_snapshot_of_them_are_two_tables() -> None:
    execution = [401597395, 1574694478808, 0.005, 7245.3]
    sale = [401597396, 1574694478809, -0.004, 7245.4]
    messages = [
        {"event": "subscribed", "channel": "trades", "chanId": 19111},
        [19111, [execution, sale, execution]],
        [19111, "te", execution],
        [19111, "hb"],
        [19111, "te", sale],
    ]
    found = propose(*messages)
    assert [described(table.schema)[:2] for table in found.tables] == [
        ("[1]?", ["$[1]!=hb,te"]),
        ("[2]", ["$[1]=te"]),
    ]
    assert [table.schema.header for table in found.tables] == ["id,time,size,price,message_0"] * 2
    assert texts_of(found, *messages) == [(3, 0), (2, 0)]
    assert found.ignore == ()


def test_what_measures_nothing_is_proposed_where_there_is_nothing_else() -> None:
    found = propose({"user": "ada", "text": "hello"}, {"user": "bob", "text": "hi"})
    assert [described(table.schema) for table in found.tables] == [
        ("", [], ["user:str=user", "text:str=text"])
    ]


def test_replies_alone_make_no_table() -> None:
    found = propose({"event": "subscribed", "chanId": 5}, {"event": "heartbeat"})
    assert found.tables == ()
    assert not found.is_default
    assert [shape.says for shape in found.shapes] == ["a reply", "a sign of life"]


# The default, and what is no object or array


def test_prices_by_symbol_need_no_columns() -> None:
    found = propose({"AAPL": 145.67, "MSFT": 289}, {"symbol": "AAPL", "price": 145.67})
    assert found.is_default
    assert found.tables == ()
    assert [shape.says for shape in found.shapes] == ["data", "prices by symbol"]


def test_prices_by_symbol_beside_other_data_are_a_table_as_well() -> None:
    found = propose({"AAPL": 145.67, "MSFT": 289.12}, TRADE)
    assert not found.is_default
    assert [described(table.schema)[::2] for table in found.tables][1:] == [
        ("*", ["symbol:str=@key", "price:float=@value"])
    ]
    assert texts_of(found, {"AAPL": 145.67, "MSFT": 289.12}, TRADE) == [(1, 0), (2, 0)]


def test_a_member_that_some_rows_lack_or_that_is_null_is_optional() -> None:
    rows = [{"symbol": "A", "price": 1.5, "volume": 3}, {"symbol": "A", "price": 1, "volume": None}]
    found = propose(rows, {"symbol": "B", "price": 2.5})
    assert [described(table.schema)[2] for table in found.tables] == [
        ["symbol:str=symbol", "price:number=price", "volume:number?=volume"]
    ]
    assert found.tables[0].rows == 3


def test_texts_are_ignored_unless_they_are_many_or_no_text() -> None:
    assert propose("pong", '"ping"', "7", TRADE).ignore == ("pong", '"ping"', "7")
    many = propose(*(f"tick {number}" for number in range(9)), TRADE)
    assert many.ignore == ()
    assert many.shapes[-1].says == "no JSON object or array"
    assert proposal_of([b"\xff", _raw(TRADE)], NOW).ignore == ()


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_recorded_feed_is_taken_by_its_tables(name: str) -> None:
    hold_to_its_messages(messages_of(name))


# Any


def json_values(names: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    leaves = (
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False, allow_infinity=False, width=32)
        | st.sampled_from(["", "trade", "quote", "snapshot", "BTC/USD", "1.50", "007", "a,b", "é"])
        | st.sampled_from([1699999999136, 1699999999, "1699999999.25", "2023-01-01 00:00:00+01:00"])
        | st.sampled_from(["2023-02-30T00:00:00Z", "0000-01-01T00:00:00Z", "-0", "1e5"])
    )
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
        max_leaves=12,
    )


NAMES = st.sampled_from(
    ["type", "e", "T", "data", "s", "p", "time", "id", "@type", "a.b", "A=B", "", 'q"', "ä", "e\n"]
) | st.text(string.printable, max_size=4)


@settings(max_examples=300)
@given(st.lists(json_values(NAMES), min_size=1, max_size=8))
def test_a_table_takes_the_messages_that_it_was_made_from(values: list[Any]) -> None:
    hold_to_its_messages([json.dumps(value).encode() for value in values])


def hold_to_its_messages(messages: Sequence[bytes]) -> None:
    found = proposal_of(messages, NOW)
    for table in found.tables:
        sources = [messages[index] for index in table.sources]
        (alone,) = read([table.schema], sources).tables
        assert alone.rejects == []
        assert len(alone.rows) == table.rows
        assert len({column.name for column in table.schema.columns}) == len(table.schema.columns)
    # Nor do tables reject, or take, what others were made from.
    taken = {index for table in found.tables for index in table.sources}
    reading = read([table.schema for table in found.tables], [messages[i] for i in sorted(taken)])
    assert [len(each.rows) for each in reading.tables] == [table.rows for table in found.tables]
    assert [each.rejects for each in reading.tables] == [[] for _ in found.tables]


SCALARS = {
    "str": st.text(string.ascii_letters, min_size=1, max_size=5),
    "price": st.floats(0.01, 1e6).map(lambda price: round(price, 2)),
    "decimal": st.decimals(0, 10**9, places=4).map(str),
    "time": st.integers(1_650_000_000_000, 1_699_999_999_999),
    "flag": st.booleans(),
}


@st.composite
def feeds(draw: st.DrawFn) -> list[bytes]:
    """Messages of a few types, in an envelope or without, with rows of columns of their own."""
    types = draw(st.lists(st.sampled_from(["trade", "quote", "bar"]), min_size=1, unique=True))
    place = draw(st.sampled_from(["root", "data", "list"]))
    kinds = {
        kind: draw(
            st.dictionaries(
                st.sampled_from(["s", "price", "size", "t", "flag", "last.price", "x", "y", "z"]),
                st.sampled_from(sorted(SCALARS)),
                min_size=2,
                max_size=6,
            )
        )
        for kind in types
    }
    messages = []
    for kind in draw(st.lists(st.sampled_from(types), min_size=1, max_size=20)):
        rows = [
            {name: draw(SCALARS[each]) for name, each in kinds[kind].items()}
            for _ in range(draw(st.integers(1, 3)) if place == "list" else 1)
        ]
        message: dict[str, Any] = {"type": kind}
        if place == "root":
            message |= rows[0]
        else:
            message["data"] = rows if place == "list" else rows[0]
        messages.append(json.dumps(message).encode())
    return messages


@settings(max_examples=150)
@given(feeds())
def test_a_feed_of_several_types_is_taken_by_its_tables(messages: list[bytes]) -> None:
    hold_to_its_messages(messages)


@given(st.lists(json_values(NAMES), min_size=1, max_size=5))
@settings(max_examples=100)
def test_the_columns_can_be_written_and_read_again(values: list[Any]) -> None:
    for table in proposal_of([json.dumps(value).encode() for value in values], NOW).tables:
        columns = table.schema.columns
        assert parse_columns([column_text(column) for column in columns]) == columns


@pytest.mark.parametrize("deep", [100, 3000])
def test_deep_nesting_is_no_obstacle(deep: int) -> None:
    found = proposal_of([b"[" * deep + b"]" * deep, b'{"a":' * deep + b"1" + b"}" * deep], NOW)
    assert found.tables == ()
