from __future__ import annotations

import pytest

from fastingest.config.overrides import Overrides, build_feeds
from fastingest.errors import ConfigError, OptionError
from fastingest.model.feed import Answer, Feed, Remember
from fastingest.model.jsonpath import JsonPath
from fastingest.model.message_conditions import Groups, parse_message_condition
from tests.support.config_text import URL, feed_in, problems_in


def groups(*each: tuple[str, ...]) -> Groups:
    return tuple(tuple(map(parse_message_condition, group)) for group in each)


def built(text: str, *symbols: str) -> Feed:
    (feed,) = build_feeds([feed_in(URL + text)], Overrides(symbols=symbols))
    return feed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'$.a=1'", groups(("$.a=1",))),
        ("['$.a=1', '$.b']", groups(("$.a=1", "$.b"))),
        ("[['$.a=1', '$.b'], ['$.c=[]']]", groups(("$.a=1", "$.b"), ("$.c=[]",))),
        ("[['$.a=1', '$.b'], '$=no']", groups(("$.a=1", "$.b"), ("$=no",))),
    ],
)
@pytest.mark.parametrize("key", ["refused", "reconnect"])
def test_conditions_are_one_group_or_several(key: str, text: str, expected: Groups) -> None:
    assert getattr(built(f"{key} = {text}"), key) == expected


def test_what_is_refused_may_be_asked_for_again() -> None:
    assert feed_in(URL + "refused = '$.e'\nretry-refused = '250ms'\n").retry_refused == 0.25
    own = "subscribe = {send = 'a', refused = '$.e'}\nretry-refused = '1m'\n"
    assert feed_in(URL + own).retry_refused == 60
    assert feed_in(URL + "refused = '$.e'\n").retry_refused == 0


def test_a_subscription_has_its_own_with_its_symbols_in_them() -> None:
    feed = built(
        """subscribe = {send = '{"c":"{symbol}"}', refused = ["$.error", "$.c={symbol}"]}
        symbols.case = "lower" """,
        "A",
        "B",
    )
    assert feed.symbols == ("a", "b")
    assert [(each.symbols, each.refused) for each in feed.subscriptions] == [
        ((symbol,), groups(("$.error", f"$.c={symbol}"))) for symbol in ("a", "b")
    ]


def test_a_subscription_to_all_symbols_has_them_all() -> None:
    feed = built("subscribe = ['{\"auth\":1}', '{symbols}']\nsymbols = ['A', 'B']")
    assert [each.symbols for each in feed.subscriptions] == [(), ("A", "B")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{when = '$=ping', send = 'pong'}", [Answer(groups(("$=ping",)), "pong")]),
        (
            """[{when = ['$.ping'], send = '{"pong":{$.ping}}'}]""",
            [Answer(groups(("$.ping",)), '{"pong":{$.ping}}')],
        ),
        (
            "[{when = '$.ping', send = {pong = '{$.ping}', id = 1}}]",
            [Answer(groups(("$.ping",)), '{"pong":{$.ping},"id":1}')],
        ),
    ],
)
def test_answers(text: str, expected: list[Answer]) -> None:
    assert list(built(f"answer = {text}").answers) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("refused = []\n", "2: 'refused' has no condition"),
        ("refused = [[]]\n", "2: 'refused' has no condition"),
        ("refused = ['$.a',\n'error']\n", "3: 'error' is no condition"),
        ("refused = [['$.a'],\n['error']]\n", "3: 'error' is no condition"),
        ("refused = '$[*][*].a=1'\n", "2: '$[*][*].a' is no path here; [*] may stand once"),
        (
            "columns = 'a=b[*]'\n",
            "2: column 'a': 'b[*]' is no path of one value; * stands only where",
        ),
        ("refused = 5\n", "2: 'refused' must be an array or a text"),
        ("refused = [['$.a', 5]]\n", "2: each condition must be a text"),
        ("reconect = '$.a'\n", "2: there is no key 'reconect' here; did you mean 'reconnect'?"),
        ("answer = {when = '$.a'}\n", "2: an answer needs 'send'"),
        ("answer = {send = 'a'}\n", "2: an answer needs 'when'"),
        ("answer = {when = '$.a', send = ''}\n", "2: 'send' is empty"),
        ("answer = {when = '$.a', send = '{$.a..b}'}\n", "2: '$.a..b' is no path"),
        ("answer = ['pong']\n", "2: 'answer' must be tables"),
        ("retry-refused = '5s'\n", "2: it goes with 'refused', which says what a refusal is"),
        ("refused = 'a=1'\nretry-refused = '0s'\n", "3: '0s' is out of range"),
        ("refused = 'a=1'\nretry-refused = 5\n", "3: 'retry-refused' must be a text"),
        ("refused = 'b'\nretry-refused = '5s'\n", "2: 'b' is no condition"),
        ("subscribe = {send = 'a', refused = 'b'}\n", "2: 'b' is no condition"),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, said: str) -> None:
    (problem,) = problems_in(URL + text)
    assert problem.startswith(f"f.toml:{said}")
    assert "\n" not in problem


REMEMBER = """remember = {when = ["$.event=subscribed"], key = "$.chanId"}\n"""


def test_what_is_said_once_is_remembered() -> None:
    feed = built(REMEMBER + "columns = ['s=$[0]|remembered.symbol', 'p=[1]']")
    assert feed.remember == Remember(groups(("$.event=subscribed",)), JsonPath(("chanId",), True))
    assert built("").remember is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("remember = 'x'", ["'remember' must be a table"]),
        ("remember = {key = '$.a'}", ["'remember' needs 'when'"]),
        ("remember = {when = '$.a=1', key = '$'}", ["'$' is no path of one value"]),
        ("remember = {when = '$.a=1', key = '$[*].a'}", ["'$[*].a' is no path of one value"]),
        ("remember = {when = '$.a=1', key = 'a|remembered.b'}", ["'a|remembered.b' is no path"]),
        ("refused = ['$.a|remembered.b=1']", ["'$.a|remembered.b' is no path here"]),
        ("columns = ['s=|remembered.a']", ["|remembered stands once, behind"]),
        ("columns = ['s=$[0]|remembered']", ["'$[0]|remembered' is no path"]),
        ("columns = ['s=a|remembered.b|remembered.c']", ["|remembered stands once, behind"]),
        ("columns = ['a']\nrows = 'a|remembered.b'", ["what is remembered has no rows"]),
    ],
)
def test_what_cannot_be_remembered_is_refused(text: str, expected: list[str]) -> None:
    found = problems_in(URL + text)
    assert len(found) == len(expected)
    assert all(piece in each for piece, each in zip(expected, found, strict=True))


@pytest.mark.parametrize("where", ["", "where = ['$[0]|remembered.c=trades']\n"])
def test_what_nothing_remembers_cannot_be_asked_for(where: str) -> None:
    columns = "columns = ['p=[1]']\n" if where else "columns = ['s=$[0]|remembered.symbol']\n"
    with pytest.raises(ConfigError, match="remembered goes into a message that the feed remembers"):
        built(columns + where)
    spec = feed_in(URL + "columns = ['p=[1]']\n")
    given = Overrides(where=("$[0]|remembered.c=trades",))
    with pytest.raises(OptionError, match=r"--where: .remembered goes into a message"):
        build_feeds([spec], given)
