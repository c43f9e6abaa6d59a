from __future__ import annotations

from pathlib import Path

from fastingest.model.feed import Answer, Feed, Subscription, Table
from fastingest.model.message_conditions import Groups, parse_message_condition
from fastingest.source.side_rules import SideRules, filled, places_in, replies_of, rules_of


def groups(*texts: str) -> Groups:
    return tuple(tuple(map(parse_message_condition, text.split(";"))) for text in texts)


FEED = Feed(
    "f",
    "",
    (Table(Path()),),
    subscriptions=(
        Subscription("a", refused=groups("$.id=7")),
        Subscription("b", groups("$.ok=true")[0]),
    ),
    refused=groups("$.ok=false", "$.id=7;$.bad"),
    reconnect=groups("$.bye"),
    answers=(Answer(groups("$[*].ping"), "{$[*].ping}"),),
)


def held(rules: SideRules, message: bytes) -> list[tuple[str, int | None]]:
    return [(rule.kind, rule.number) for rule, _ in rules.holding(message)]


def test_the_rules_that_hold_come_in_the_order_in_which_they_are_asked() -> None:
    rules = SideRules(rules_of(FEED), places_in(FEED.answers[0].send))
    assert rules
    assert held(rules, b'{"id":7,"bad":1,"bye":1}') == [
        ("refused", 0),
        ("refused", None),
        ("reconnect", None),
    ]
    assert held(rules, b'{"ok":true}') == held(rules, b"pong") == []
    ((rule, matches),) = rules.holding(b'[{"ping":1},{"x":2},{"ping":3}]')
    assert (rule.kind, rule.number, len(matches)) == ("answer", 0, 2)
    assert filled(FEED.answers[0].send, matches[1].values) == "3"


def test_a_message_that_lacks_the_needles_fulfils_nothing() -> None:
    rules = SideRules(rules_of(FEED))
    assert not rules.takes_any
    assert [rules.may_be(each) for each in (b'{"id":8}', b'{"price":1}', rb'{"\u0062ye":1}')] == [
        True,
        False,
        True,
    ]


def test_a_feed_without_conditions_has_no_rules() -> None:
    rules = SideRules(rules_of(Feed("f", "", (Table(Path()),))))
    assert not rules
    assert (rules.takes_any, rules.may_be(b'{"id":7}')) == (False, False)
    assert held(rules, b'{"id":7}') == []


def test_replies_have_the_number_of_their_subscription() -> None:
    assert held(SideRules(replies_of(FEED)), b'{"ok":true}') == [("reply", 1)]
