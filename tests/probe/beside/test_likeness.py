"""Symbols that have not come: told where something says so, and never guessed."""

from __future__ import annotations

import pytest

from fastingest.config.symbols import Symbols
from fastingest.probe.beside.likeness import alike, by_likeness, fits, is_like


@pytest.mark.parametrize(
    ("said", "before", "found"),
    [
        (['"t.trade.A-B"', '"t.trade.C-D"'], "[", ["A-B", "C-D"]),
        (['"A-B"', '"C-D"'], '{"instIds":[', ["A-B", "C-D"]),
        (["A-B", "C-D"], "wss://feed.example/?symbols=", ["A-B", "C-D"]),
        (['"A-B"', '"C-D"'], '{"args":[', ["A-B", None]),
        (["A-B", "C-D"], "wss://feed.example/?key=", ["A-B", None]),
        (['"trade.A-B"', '"quote.C-D"'], "[", ["A-B", None]),
        (['"trade.A-B"', '"trade."'], "[", ["A-B", None]),
        (['"trade.A-B"', '"trade.C D"'], "[", ["A-B", None]),
        (['"trade.A-B"', '"trade.-C"'], "[", ["A-B", None]),
        # with two symbols in one piece, or two ways of writing one
        (['{"id":"A-B","of":"A-B"}', '{"id":"C-D","of":"C-D"}'], "[", ["A-B", None]),
    ],
)
def test_pieces_of_a_list(said: list[str], before: str, found: list[str | None]) -> None:
    assert by_likeness(said, ["A-B", None], before) == found


@pytest.mark.parametrize(
    ("template", "text", "found"),
    [
        ('{"args":["trade.{symbol}"]}', '{"args":["trade.C-D"]}', {"C-D"}),
        ('{"args":["trade.{symbol}"]}', '{"args":["trade.C-D","trade.E"]}', set()),
        ('{"args":["trade.{symbol}"]}', '{"args":["heartbeat"]}', set()),
        ('{"args":["{symbol}"]}', '{"args":["C-D"]}', set()),
        ('{"op":"trade","args":["{symbol}"]}', '{"op":"trade","args":["C-D"]}', set()),
        ('{"symbol":"{symbol}"}', '{"symbol":"C-D"}', {"C-D"}),
        ('{"symbol":"{symbol}"}', '{"symbol": "C-D"}', set()),
        ('{"a":"{symbol}","pair":"{symbol}"}', '{"a":"C-D","pair":"C-D"}', {"C-D"}),
        ('{"a":"{symbol}","pair":"{symbol}"}', '{"a":"C-D","pair":"E-F"}', set()),
        ("sub trades {symbol}", "sub trades C-D", set()),
    ],
)
def test_texts_that_are_alike(template: str, text: str, found: set[str]) -> None:
    assert alike([template, template], {text}) == found


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ('{"args":["trade.C-D"]}', True),
        ('{"args":["trade.C-D","trade.E-F"]}', True),
        ('{"args":["trade.C-D","heartbeat"]}', False),
        ('{"args":["trade.C-D","trade."]}', False),
        ('{"args":[]}', False),
        ('{"args":["trade.C-D"],"id":1}', False),
    ],
)
def test_whether_a_text_may_have_the_same_list(text: str, is_one: bool) -> None:
    assert is_like(text, '{"args":[{symbols}]}', Symbols(each='"trade.{symbol}"')) is is_one


def test_whether_a_text_may_have_another_symbol() -> None:
    assert is_like('{"s":"heartbeat"}', '{"s":"{symbol}"}', Symbols())
    assert not is_like('{"s":"a b"}', '{"s":"{symbol}"}', Symbols())
    assert fits("c-d@trade", "{symbol}@trade")
    assert not fits("c-d@depth", "{symbol}@trade")
