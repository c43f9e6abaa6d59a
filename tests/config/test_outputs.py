from __future__ import annotations

import re
from pathlib import Path

import pytest

from fastingest import ConfigError, OptionError
from fastingest.config.outputs import check_outputs, outputs_of
from fastingest.config.spec import FeedSpec, TableSpec
from fastingest.config.toml_file import TomlFile
from fastingest.model.feed import Feed, Table
from fastingest.model.schema import Schema, parse_columns

A, B = (Schema(parse_columns(name)) for name in ("a", "b"))
OUT = Path("d/x.csv")


def spec(*tables: TableSpec, out: str = "") -> FeedSpec:
    return FeedSpec(tables, out=Path(out) if out else None)


def feed(*tables: tuple[str, Schema]) -> Feed:
    return Feed("n", "ws://h", tuple(Table(Path(out), schema) for out, schema in tables))


def test_the_only_table_goes_where_the_user_says_whatever_it_says() -> None:
    only = [spec(TableSpec(A, out=Path("own.csv")), out="feed.csv")]
    assert outputs_of(only, OUT, is_given=True) == [(OUT,)]
    assert outputs_of(only, OUT, is_given=False) == [(Path("own.csv"),)]


def test_a_name_stands_behind_the_stem_of_the_feeds_file_or_else_of_the_runs() -> None:
    quotes, trades = TableSpec(A, name="quotes"), TableSpec(B)
    specs = [spec(quotes, trades), spec(quotes, trades, out="e/y")]
    assert outputs_of(specs, OUT, is_given=True) == [
        (Path("d/x_quotes.csv"), OUT),
        (Path("e/y_quotes"), Path("e/y")),
    ]


def test_an_output_that_nothing_would_write_is_refused_only_if_it_was_asked_for() -> None:
    specs = [spec(TableSpec(A, out=Path("a"))), spec(TableSpec(A), out="b")]
    assert outputs_of(specs, OUT, is_given=False) == [(Path("a"),), (Path("b"),)]
    with pytest.raises(OptionError, match=r"^--out: every table says where it goes"):
        outputs_of(specs, OUT, is_given=True)


def test_two_tables_of_a_feed_that_write_one_file_are_told_by_the_second_ones_line() -> None:
    file = TomlFile(Path("f.toml"), "[[table]]\n\n[[table]]\n")
    tables = (TableSpec(A, ("table", 0)), TableSpec(A, ("table", 1)))
    both = feed(("x.csv", A), ("y/../x.csv", B))
    with pytest.raises(
        ConfigError, match=r"^f\.toml:3: another table of this feed writes"
    ) as caught:
        check_outputs([FeedSpec(tables, file=file)], [both])
    assert "too, and its header is 'a' and not 'b'; give each" in str(caught.value)
    with pytest.raises(OptionError, match=r"^--out: two tables would write y/\.\./x\.csv, and its"):
        check_outputs([FeedSpec(tables)], [both])


@pytest.mark.parametrize(
    ("first", "second", "problem"),
    [
        ("a=x, side='bid'", "a=y, side='ask'", ""),
        ("a:int, @received", "a:int=y, @received", ""),
        ("a:int", "a:float", "its column 'a' is int and not float"),
        ("a, @received:timestamp[ns]", "a, @received", "its column 'received' is @received:time"),
        ("a, n=@sequence", "a, n=@sequence", "their rows would have the same numbers in 'n'"),
    ],
)
def test_two_tables_of_a_feed_share_a_file_if_their_columns_agree(
    first: str, second: str, problem: str
) -> None:
    schemas = [Schema(parse_columns(text)) for text in (first, second)]
    both = feed(*(("x.csv", schema) for schema in schemas))
    specs = [FeedSpec(tuple(map(TableSpec, schemas)))]
    if not problem:
        check_outputs(specs, [both])
    else:
        with pytest.raises(OptionError, match=re.escape(problem)):
            check_outputs(specs, [both])


def test_two_feeds_share_a_file_only_with_one_header() -> None:
    specs = [spec(TableSpec(A)), spec(TableSpec(A))]
    check_outputs(specs, [feed(("x", A)), feed(("x", A))])
    with pytest.raises(OptionError, match=r"^--out: x cannot have the header 'a' of n and 'b' of"):
        check_outputs(specs, [feed(("x", A)), feed(("x", B))])
