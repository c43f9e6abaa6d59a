from __future__ import annotations

from pathlib import Path

import pytest

from fastingest.model.jsonpath import parse_condition
from fastingest.model.schema import parse_columns
from tests.support.config_text import URL, feed_in, problems_in


def test_columns_rows_and_conditions_are_a_schema() -> None:
    text = 'columns = ["a:int=b", "c=$.d"]\nrows = "data"\nwhere = ["$.t=x", "u=1,2"]\n'
    schema = feed_in(URL + text).tables[0].schema
    assert schema.columns == parse_columns("a:int=b, c=$.d")
    assert str(schema.rows) == "data"
    assert schema.where == (parse_condition("$.t=x"), parse_condition("u=1,2"))
    assert schema.described


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        ("'events[*].trades'", "events[*].trades"),
        ('["data.b", "data.a?"]', "data.b, data.a?"),
        ('{bid = "data.b", ask = "data.a"}', "bid=data.b, ask=data.a"),
        ('"bid=data.b, data.a"', "bid=data.b, data.a"),
    ],
)
def test_rows_may_be_in_several_places(rows: str, shown: str) -> None:
    schema = feed_in(f"{URL}columns = 'side=@rows, a=[0]'\nrows = {rows}\n").tables[0].schema
    assert str(schema.rows) == shown


@pytest.mark.parametrize(
    "text",
    [
        """columns = 'a, side="bid"'""",
        """columns = "a, side='bid'\"""",
        """columns = "a, side=\\"bid\\"\"""",
        """columns = ["a", "side='bid'"]""",
        """columns = ['a', 'side="b\\u0069d"']""",
    ],
)
def test_a_constant_has_either_quotes(text: str) -> None:
    assert feed_in(URL + text).tables[0].schema.columns == parse_columns("a, side='bid'")


def test_a_feed_may_have_several_tables() -> None:
    feed = feed_in(
        f'[[feed]]\n{URL}out = "f.csv"\n[[feed.table]]\nout = "a.csv"\ncolumns = "a=b"\n'
        '[[feed.table]]\nname = "q"\ncolumns = "c=d"\nrows = "x"\nwhere = "$.t=q"\n'
    )
    first, second = feed.tables
    assert (feed.out, first.out, first.name) == (Path("f.csv"), Path("a.csv"), None)
    assert (second.out, second.name, str(second.schema.rows)) == (None, "q", "x")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("columns = 'a:strr=b'\n", "2: column 'a': 'strr' is no type"),
        ("columns = ['a=b',\n\n'c=[x']\n", "4: column 'c': '[x' is no path"),
        ("columns = ['a=b',\n5]\n", "3: each of 'columns' must be a text, and one is a whole"),
        ("columns = ['a=b',\n'a=c']\n", "2: two columns are named 'a'"),
        ("columns = ['a', 'b=\"x']\n", "2: column 'b': \"x is no text in quotes"),
        ("columns = '@received'\n", "2: there is no column that comes from the feed"),
        ("columns = 'a=b'\nrows = 'a b'\n", "3: 'a b' is no path"),
        ("columns = 'a=b'\nrows = '.*'\n", "3: '.*' is no path; write for example data, events[*]"),
        ("columns = 'a=b'\nrows = 'a|jsn.b'\n", "3: 'a|jsn.b' is no path; write for example pay"),
        ("columns = 'a=|json.b'\n", "2: column 'a': '|json.b': a row is no string; where rows"),
        ("columns = 'a|json.b'\n", "2: column 'a|json.b' looks like a path; give it a name"),
        ("columns = 'a=b'\nwhere = ['$.a=1',\n\n'b']\n", "5: 'b' is no condition"),
        ("rows = 'a'\n", "2: goes with 'columns'"),
        ("columns = 'a=b'\nrows = ['x', 'y z']\n", "3: 'y z' is no path"),
        ("columns = 'a=b'\nrows = ['x', 5]\n", "3: a place of rows must be a text, and 5 is none"),
        ("columns = 'a=b'\nrows = {bid = 5}\n", "3: a place of rows must be a text"),
        ("columns = 'a=b'\nrows = 5\n", "3: 'rows' must be a text or an array or a table, and is"),
        ("columns = 'a=b'\nrows = ['x', 'x']\n", "3: 'x' is named twice; its rows would be, too"),
        ("columns = ['a=@key']\nrows = 'x'\n", "2: column 'a': @key is the name that a .* in"),
        ("columns = 'a=b.*'\n", "2: column 'a': 'b.*' is no path of one value; * stands only"),
        ("columns = 'a=b'\nwhere = 'b[*]=1'\n", "3: 'b[*]' is no path of one value"),
        ("[[table]]\n", "2: a table needs 'columns'"),
        (
            "columns = 'a=b'\n[[table]]\ncolumns = 'a=b'\n",
            "2: 'columns' belongs into [[feed.table]]",
        ),
        (
            "[[table]]\ncolumns = 'a=b'\nname = 'a/b'\n",
            "4: 'a/b' cannot be a part of a file's name",
        ),
        (
            "[[table]]\ncolumns = 'a=b'\nname = 'a'\nout = 'b'\n",
            "4: 'out' says where the table goes",
        ),
        ("[[table]]\ncolumns = 'a=b'\nurl = 'x'\n", "4: there is no key 'url' here"),
    ],
)
def test_a_mistake_in_a_table_is_told_with_its_line(text: str, said: str) -> None:
    (problem,) = problems_in(URL + text)
    assert problem.startswith(f"f.toml:{said}")
    assert "\n" not in problem
