from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.access.references import SecretError
from fastingest.access.secrets import Redactor, expand, expand_url, joint, shown, user_info


@pytest.fixture(autouse=True)
def _variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "a/b@c?d")
    monkeypatch.setenv("EMPTY", "")
    monkeypatch.delenv("MISSING", raising=False)


def test_variables_and_files_take_their_places(tmp_path: Path) -> None:
    file = tmp_path / "a secret"
    file.write_text("é}\n\n")
    values: set[str] = set()
    text = f"<${{KEY}}> <${{ KEY }}> <${{file:{file}}}> <${{file: {file}}}>"
    assert expand(text, values) == "<a/b@c?d> <a/b@c?d> <é}\n> <é}\n>"
    assert values == {"a/b@c?d", "é}\n"}
    assert shown(text) == "<***> <***> <***> <***>"


def test_a_file_is_read_anew_each_time(tmp_path: Path) -> None:
    file = tmp_path / "token"
    for content in ("first", "second\n", "third\r\n"):
        file.write_text(content)
        assert expand(f"${{file:{file}}}") == content.strip()


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$${KEY}", "${KEY}"),
        ("$$${KEY}", "$${KEY}"),
        ("$${", "${"),
        ("$ {KEY} $KEY } $", "$ {KEY} $KEY } $"),
        ('{"a": {"b": "$"}}', '{"a": {"b": "$"}}'),
    ],
)
def test_what_is_no_secret_stays(text: str, expanded: str) -> None:
    assert expand(text) == shown(text) == expanded


@given(st.text(alphabet="$ab :/@"))
def test_a_text_without_braces_stays(text: str) -> None:
    assert expand(text) == text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${MISSING}", "the environment variable MISSING is not set; set it"),
        ("${EMPTY}", "the environment variable EMPTY is empty"),
        ("${}", "${} names no environment variable; write ${NAME}"),
        ("${two words}", "names no environment variable"),
        ("a ${KEY", "a ${ has no } behind it; write $${"),
        ("${file:}", "${file:} names no file"),
        ("${file:/nowhere/at/all}", "/nowhere/at/all: No such file"),
        ("${file:/dev/null}", "/dev/null is no regular file"),
        ("${file:/}", "/ is no regular file"),
        ("${file:a\0b}", "no file can have"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named(text: str, says: str) -> None:
    with pytest.raises(SecretError) as error:
        expand(text)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "is empty"), (b"\n", "is empty"), (b"\xff", "is not UTF-8"), (b"x" * 70_000, "longer")],
)
def test_a_file_that_is_no_secret_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(SecretError, match=says):
        expand(f"${{file:{file}}}")


def test_a_pipe_does_not_block(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SecretError, match="is no regular file"):
        expand(f"${{file:{tmp_path}/pipe}}")


def test_a_secret_in_the_user_info_stands_for_itself_and_elsewhere_as_it_is() -> None:
    values: set[str] = set()
    url = expand_url("wss://me:${KEY}@host/${KEY}", values)
    assert url == "wss://me:a%2Fb%40c%3Fd@host/a/b@c?d"
    assert user_info(url) == ("wss://host/a/b@c?d", ("me", "a/b@c?d"))
    assert values == {"a/b@c?d", "bWU6YS9iQGM/ZA=="}


def test_a_whole_url_may_be_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("URL", "wss://me:pass%20word@host/")
    values: set[str] = set()
    assert expand_url("${URL}", values) == "wss://me:pass%20word@host/"
    assert "pass word" in values
    assert shown("${URL}") == "***"


@pytest.mark.parametrize(
    ("text", "display"),
    [
        ("wss://me:pw@host/x", "wss://***@host/x"),
        ("wss://token@host", "wss://***@host"),
        ("wss://me:p@w@host/", "wss://***@host/"),
        ("wss://${A}:${file:/a/b@c}@host/?k=${K}&l=1", "wss://***@host/?k=***&l=1"),
        ("ws://me:pass/word@host/", "ws://***@host/"),
        ("wss://host:80/btcusdt@trade", "wss://host:80/btcusdt@trade"),
        ("wss://host/btcusdt@trade", "wss://host/btcusdt@trade"),
        ("wss://[::1]:80/a@b", "wss://[::1]:80/a@b"),
        ("wss://[::1]/a@b", "wss://[::1]/a@b"),
        ("wss://host:${PORT}/a@b", "wss://host:***/a@b"),
        ("demo://?rate=1", "demo://?rate=1"),
        ("wss://${command:a/b @c {d}}:${shell:x}@host/?t=${now:ms}", "wss://***@host/?t=${now:ms}"),
        ("wss://${command:whose a@b}/${command:jq '{a: .b}' ${KEY}}x", "wss://***/***x"),
        ("wss://host/?a=${command:x", "wss://host/?a=***"),
        ("wss://host/?a=${now:s", "wss://host/?a=***"),
        ("${command:echo wss://me:pw@host}", "***"),
    ],
)
def test_what_is_shown_of_a_url(text: str, display: str) -> None:
    assert shown(text) == display


def test_known_values_are_hidden_however_they_are_written() -> None:
    redactor = Redactor()
    assert not redactor
    assert redactor.hide("a/b@c") == "a/b@c"
    redactor.use({'a/b"c é', "abc", 'longer a/b"c é'})
    assert redactor
    for form in ('a/b"c é', r"a/b\"c é", r"a/b\"c \u00e9", r"a\/b\"c \u00e9", "a%2Fb%22c%20%C3%A9"):
        assert redactor.hide(f"<{form}>") == "<***>"
        assert redactor.hide_in(f"<{form}>".encode()) == b"<***>"
    assert redactor.hide('longer a/b"c é') == "***"
    assert redactor.hide("abc") == "abc"  # too short to be told from what anybody says


def test_the_beginning_of_a_value_that_is_cut_off_is_hidden() -> None:
    redactor = Redactor()
    redactor.use({"0123456789", "other"})
    assert redactor.hide('a: Expected a number, got "01234567…') == (
        'a: Expected a number, got "***…'
    )
    assert redactor.hide("0123… othe… 012… 5678…") == "***… ***… 012… 5678…"
    assert redactor.hide("01234 and what ends with 01234") == "01234 and what ends with ***"


def test_values_are_hidden_until_the_connect_after_the_next() -> None:
    redactor = Redactor()
    for values in ({"first"}, {"second"}, {"second"}, {"third"}):
        redactor.use(values)
    assert redactor.hide("first second third") == "first *** ***"


def test_several_redactors_hide_together_whatever_they_are_told_later() -> None:
    one, other = Redactor(), Redactor()
    both = joint([one, other])
    assert not both
    one.use(["first"])
    other.use(["second"])
    assert both
    assert both.hide("first, second, third") == "***, ***, third"
    assert both.hide_in(b"first, second, third") == b"***, ***, third"
    assert joint([one]) is one
