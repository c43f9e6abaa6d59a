from __future__ import annotations

from pathlib import Path

import pytest

from fastingest.model.feed import Feed, Table
from fastingest.model.schema import TRADES, Schema
from fastingest.native.factory import layout_problem, parser_of
from tests.support.any_feed import schema_of
from tests.support.native import native_module

native_module("_listener")


def _feed(*schemas: Schema, ignore: tuple[str, ...] = ()) -> Feed:
    tables = tuple(Table(Path("rows.csv"), schema) for schema in schemas)
    return Feed("feed", "ws://127.0.0.1/", tables=tables, ignore=ignore)


def test_picows_is_laid_out_as_it_was_compiled() -> None:
    assert layout_problem() is None


def test_one_table_is_read_natively() -> None:
    assert parser_of(_feed(TRADES)) is not None
    assert parser_of(_feed(schema_of("s, p:decimal", "data", "$.data.e=trade"))) is not None


def test_several_tables_are_not() -> None:
    assert parser_of(_feed(schema_of("s", "", "e=a"), schema_of("s", "", "e=b"))) is None


def test_what_is_not_a_tree_is_not() -> None:
    assert parser_of(_feed(schema_of("a:int, b:int=a.b"))) is None


@pytest.mark.parametrize(
    ("ignored", "is_native"),
    [
        ('{"e": "pong", "s": "A"}', True),  # ignored either way
        ("pong", True),
        ('{"e": "trade", "s": "A"}', False),
        ('[{"e": "pong"}, {"e": "pong"}]', False),
    ],
)
def test_a_message_to_be_ignored_that_counts_otherwise_is_not(
    ignored: str, is_native: bool
) -> None:
    feed = _feed(schema_of("s", "", "e=trade"), ignore=(ignored,))
    assert (parser_of(feed) is not None) == is_native


@pytest.mark.parametrize(
    ("columns", "where"),
    [
        ("s=$[0]|remembered.s, p:decimal=[0]", ()),
        ("s?=$[0]|remembered.s, p:decimal=[0]", ()),
        ("p:decimal=[0]", ("$[0]|remembered.s=x",)),
        ("p:decimal=[0]", ("$[0]|remembered.s exists", "$[1]=te")),
    ],
)
def test_nor_one_that_may_count_otherwise_once_something_is_remembered(
    columns: str, where: tuple[str, ...]
) -> None:
    schema = schema_of(columns, "[2]", *where)
    assert parser_of(_feed(schema, ignore=('[7, "te", [1.50]]',))) is None
    assert parser_of(_feed(schema, ignore=('[7,"hb", "---"]', "pong"))) is not None
