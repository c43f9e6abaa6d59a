from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from fastingest.config.section import Section, json_text
from fastingest.config.toml_file import TomlFile
from fastingest.errors import ConfigError, OptionError

TEXT = """\
max-rows = 5
quiet = true
name = "n"
empty = ""
one = "alone"
several = ["a", 1, "b"]
at = 1979-05-27

[[each]]
key = 1
[[each]]
key = 2

[single]
key = 3
"""


@pytest.fixture
def section() -> Section:
    file = TomlFile(Path("f.toml"), TEXT)
    return Section(file, (), file.values, [])


def told(section: Section) -> list[str]:
    return [str(problem).removeprefix("f.toml:") for problem in section.problems]


def test_a_key_is_known_by_its_name_however_it_is_written(section: Section) -> None:
    assert "max_rows" in section
    assert "max-rows" not in section
    assert section.get("max_rows", int) == 5
    assert section.key_of("max_rows") == ("max-rows",)
    assert section.key_of("not_there") == ("not_there",)


def test_a_key_that_is_written_both_ways_is_told_and_the_first_counts() -> None:
    problems: list[ConfigError] = []
    file = TomlFile(Path("f.toml"), "a_b = 1\n\na-b = 2\n")
    section = Section(file, (), file.values, problems)
    assert section.get("a_b", int) == 1
    assert told(section) == ["3: 'a-b' and 'a_b' are the same"]


def test_what_is_wrong_reads_as_if_it_were_not_there(section: Section) -> None:
    assert section.get("name", int, list) is None
    assert section.text("empty") is None
    assert section.choice("name", ("x", "y")) is None
    assert section.get("at", str) is None
    assert told(section) == [
        "3: 'name' must be a whole number or an array, and is a text",
        "4: 'empty' is empty",
        "3: 'n' is not one of x, y",
        "7: 'at' must be a text, and is a date or a time",
    ]


def test_what_is_not_there_is_no_mistake(section: Section) -> None:
    found = [section.get("x", int), section.text("x"), section.choice("x", ("a",))]
    assert [*found, section.items("x", str), section.texts("x")] == [None] * 5
    assert section.read("x", None, int) is None
    assert section.sections("x") == []
    assert told(section) == []


def test_true_is_no_number(section: Section) -> None:
    assert section.get("quiet", int, float) is None
    assert told(section) == ["2: 'quiet' must be a whole number or a number, and is true or false"]


def test_elements_of_another_kind_are_left_out_and_told(section: Section) -> None:
    assert section.texts("several") == ("a", "b")
    assert section.texts("one") == ("alone",)
    assert section.is_array("several")
    assert not section.is_array("one")
    assert told(section) == ["6: each of 'several' must be a text, and one is a whole number"]


@pytest.mark.parametrize("error", [ValueError("no"), OptionError("other", "no")])
def test_what_cannot_be_read_is_told_where_it_stands(section: Section, error: Exception) -> None:
    def parse(_: str) -> None:
        raise error

    assert section.read("name", "n", parse) is None
    assert section.read("several", "b", parse, 2) is None
    assert told(section) == ["3: no", "6: no"]


def test_tables_are_sections_that_tell_at_one_place(section: Section) -> None:
    first, second = section.sections("each")
    (single,) = section.sections("single")
    assert [each.get("key", int) for each in (first, second, single)] == [1, 2, 3]
    second.problem("key", "wrong")
    single.problem("key", "wrong, too")
    assert told(section) == ["12: wrong", "15: wrong, too"]
    assert section.sections("several") == []
    assert len(told(section)) == 5


def test_a_key_that_is_not_allowed_is_told_with_the_one_that_was_meant(section: Section) -> None:
    allowed = ("max_row", "name", "empty", "one", "several", "at", "single")
    section.only(allowed, elsewhere=("each", "quite_else"))
    assert told(section) == [
        "1: there is no key 'max-rows' here; did you mean 'max-row'?",
        "2: there is no key 'quiet' here",
        "9: 'each' belongs into [[feed]]; move it there",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ('{"as": it is}', '{"as": it is}'),
        ({"a": [1, 1.5, True, "é"]}, '{"a":[1,1.5,true,"é"]}'),
        (["a"], '["a"]'),
    ],
)
def test_what_is_no_text_is_written_as_json(value: Any, text: str) -> None:
    assert json_text(value) == text


@pytest.mark.parametrize(
    "value",
    [float("inf"), {"a": float("nan")}, [datetime.date(1979, 5, 27)], {"a": datetime.time()}],
)
def test_what_json_has_no_word_for_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^JSON has no dates, no times, no inf and no nan;"):
        json_text(value)
