from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest import ConfigError, OptionError
from fastingest.config.toml_file import Key, TomlFile, lines_of

TEXT = '''\
# a comment with [brackets] and = and "quotes
out = "a#b.csv"
"odd key" = 1
'literal' = 2
dotted . "key" = true

[[feed]]
name = "one" # behind
columns = [
  "a=b",  # [ in a comment
  'c=d',

  "e=f", "g=h",
]
[feed.symbols]
each = """
{symbol}"""
join = \'\'\'
'quoted\'\'\'\'
case = "lower"
[[feed.table]]
[[feed.table]]
where = []
[[ feed ]]
subscribe = [{send = {op = "x", args = [1, [2]]}, reply = "y"}, "z"]
since = 1979-05-27 07:32:00
'''

LINES: dict[Key, int] = {
    ("out",): 2,
    ("odd key",): 3,
    ("literal",): 4,
    ("dotted", "key"): 5,
    ("feed", 0): 7,
    ("feed", 0, "name"): 8,
    ("feed", 0, "columns"): 9,
    ("feed", 0, "columns", 0): 10,
    ("feed", 0, "columns", 1): 11,
    ("feed", 0, "columns", 2): 13,
    ("feed", 0, "columns", 3): 13,
    ("feed", 0, "symbols"): 15,
    ("feed", 0, "symbols", "each"): 16,
    ("feed", 0, "symbols", "join"): 18,
    ("feed", 0, "symbols", "case"): 20,
    ("feed", 0, "table", 0): 21,
    ("feed", 0, "table", 1): 22,
    ("feed", 0, "table", 1, "where"): 23,
    ("feed", 1): 24,
    ("feed", 1, "subscribe", 0, "send", "args", 1, 0): 25,
    ("feed", 1, "subscribe", 1): 25,
    ("feed", 1, "since"): 26,
}


def keys_of(value: Any, key: Key = ()) -> set[Key]:
    """Every table, key and element of what tomllib has read."""
    if isinstance(value, dict):
        inner = [(name, each) for name, each in value.items()]
    elif isinstance(value, list):
        inner = list(enumerate(value))
    else:
        inner = []
    return {key}.union(*(keys_of(each, (*key, name)) for name, each in inner))


def test_every_value_has_its_line() -> None:
    lines = lines_of(TEXT)
    assert {key: lines[key] for key in LINES} == LINES
    assert set(lines) == keys_of(tomllib.loads(TEXT))


VALUES = (
    "1",
    "-1.5e3",
    "true",
    "inf",
    "1979-05-27T07:32:00Z",
    "1979-05-27 07:32:00.5",
    "07:32:00",
    '"a # [b] = {c} \\" \\\\"',
    "'it is \"that\" \\'",
    '""',
    "''",
    '"""\n\n"one" ""two"" \\""""""',
    "'''\n'one' ''two'''''",
    '"""a\\\n   b"""',
    "[]",
    "[ 1 , 2 , ]",
    '[\n  1, # one ]\n\n  [2, "]"],\n  {x = "}", y.z = [3]}\n]',
    "{}",
    '{ a = 1, "b c" = {d = [{e = 2}, {}]} }',
)
SPACES = st.sampled_from(("", "\n", "# a = [\n", "  \t\n", "\r\n"))


@given(st.lists(st.tuples(SPACES, st.sampled_from(VALUES), st.sampled_from(("", " # [x]")))))
def test_a_line_is_found_whatever_stands_before(parts: list[tuple[str, str, str]]) -> None:
    text, expected = "", dict[Key, int]()
    for number, (space, value, comment) in enumerate(parts):
        text += space
        if number % 3 == 2:
            expected["t", number // 3] = text.count("\n") + 1
            text += "[[t]]\n"
        table: Key = ("t", (number - 2) // 3) if number >= 2 else ()
        expected[(*table, f"k{number}")] = text.count("\n") + 1
        text += f"k{number} = {value}{comment}\n"
    lines = lines_of(text)
    assert {key: lines[key] for key in expected} == expected
    assert set(lines) == keys_of(tomllib.loads(text))


def test_what_is_not_in_the_file_has_the_line_of_its_table() -> None:
    file = TomlFile(Path("f.toml"), "a = 1\n[t]\nb = 2\n")
    assert file.line_of(("t", "missing", 3)) == 2
    assert file.line_of(("missing",)) == 1
    assert str(file.error(("t", "b"), "is wrong")) == "f.toml:3: is wrong"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\nb = \n", "f.toml:2: is no TOML: Invalid value"),
        ("a = 1\n\n\na = 2", "f.toml:4: is no TOML: Cannot overwrite a value"),
        ('a = """\nb', "f.toml:2: is no TOML: "),
    ],
)
def test_what_is_no_toml_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        TomlFile(Path("f.toml"), text)
    assert str(refused.value).startswith(said)
    assert "\n" not in str(refused.value)


def test_a_byte_order_mark_is_none_of_the_text(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_bytes(b"\xef\xbb\xbfa = 1\n")
    assert TomlFile.read(tmp_path / "f.toml").values == {"a": 1}


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="No such file or directory"):
        TomlFile.read(tmp_path / "missing")
    (tmp_path / "binary").write_bytes(b"a = '\xff'")
    with pytest.raises(OptionError, match="is not UTF-8"):
        TomlFile.read(tmp_path / "binary")
