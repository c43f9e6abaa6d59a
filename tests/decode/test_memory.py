from __future__ import annotations

from typing import Any

import pytest

from fastingest.decode import memory
from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.decode.memory import PADDING, Memory
from fastingest.decode.values import Values
from fastingest.model.jsonpath import Embedded
from tests.support.any_feed import schema_of

KEY = ("id",)


def found(message: bytes, key: bytes) -> Values:
    return {(): message, KEY: key}


def remembering(*messages: tuple[bytes, bytes]) -> Memory:
    made = Memory(KEY, [("s",), ("a", 0)])
    for message, key in messages:
        made.keep(found(message, key))
    return made


def test_a_message_is_remembered_by_the_text_of_its_key() -> None:
    of = remembering((b'{"id":7,"s":"A"}', b"7"), (b'{"id":"x","s":null,"a":[1]}', b'"x"'))
    assert of.recall(b'"7"') == of.recall(b"7") == b'{"id":7,"s":"A"}'
    assert of.recall(b"7.0") is None
    assert of.values == {b"7": (b'"A"' + PADDING, None), b"x": (None, b"1" + PADDING)}


def test_what_has_no_text_is_no_key() -> None:
    of = remembering((b'{"id":[7]}', b"[7]"))
    of.keep({(): b"{}"})
    assert len(of) == 0
    assert of.recall(b"[7]") is None


def test_the_last_message_of_a_key_counts_until_all_is_forgotten() -> None:
    of = remembering((b'{"s":"A"}', b"7"), (b'{"s":"B"}', b"7"))
    assert of.recall(b"7") == b'{"s":"B"}'
    of.forget()
    assert (of.recall(b"7"), of.values, len(of)) == (None, {}, 0)


def test_no_more_are_remembered_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST", 2)
    of = remembering((b"{}", b"1"), (b"{}", b"2"), (b"{}", b"1"), (b"{}", b"3"))
    assert [of.recall(key) is not None for key in (b"1", b"2", b"3")] == [True, False, True]
    assert list(of.values) == [b"1", b"3"]


def test_what_should_hold_json_and_does_not_is_no_value() -> None:
    of = Memory(KEY, [("s", Embedded.JSON, "x"), ("s",), ("t", Embedded.JSON)])
    of.keep(found(b'{"id":7,"s":"{broken","t":" "}', b"7"))
    assert of.values == {b"7": (PADDING, b'"{broken"' + PADDING, None)}


def decoded(of: Memory, message: bytes, *schema: str) -> Any:
    decoder = FeedDecoder([schema_of(*schema)], 1000)
    decoder.recall_with(of.recall)
    batches = decoder.decode([message], [(1, 1)]) + decoder.take()
    rows = [row for batch in batches for row in zip(*batch.columns(), strict=True)]
    return rows, [reject.reason for batch in batches for reject in batch.rejects], decoder.ignored


def test_a_column_and_a_condition_go_on_in_what_is_remembered() -> None:
    of = remembering((b'{"id":7,"s":"A","a":["12"]}', b"7"))
    columns, where = (
        "s=$[0]|remembered.s, n:int?=$[0]|remembered.a[0], p:decimal=[0]",
        "$[0]|remembered.s=A",
    )
    assert decoded(of, b'[7,"te",[1.5]]', columns, "[2]", where) == ([("A", 12, "1.5")], [], 0)
    assert decoded(of, b'["7","te",[[1.5],[2]]]', columns, "[2]", where) == (
        [("A", 12, "1.5"), ("A", 12, "2")],
        [],
        0,
    )
    assert decoded(of, b'[8,"te",[1.5]]', columns, "[2]", where) == ([], [], 1)
    (reason,) = decoded(of, b'[8,"te",[1.5]]', columns, "[2]")[1]
    assert reason == "s: $[0]|remembered.s is missing"
    optional = columns.replace("s=", "s?=", 1)
    assert decoded(of, b'[8,"te",[1.5]]', optional, "[2]") == ([(None, None, "1.5")], [], 0)


def test_the_key_may_stand_in_the_row() -> None:
    of = remembering((b'{"s":"A"}', b"7"), (b'{"s":"B"}', b"8"))
    rows, _, _ = decoded(of, b'{"d":[{"c":8},{"c":7}]}', "s=c|remembered.s", "d")
    assert rows == [("B",), ("A",)]
