"""Known feeds, probed: a file says the same of them, and much of it if nobody has said so."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from fastingest import Options
from fastingest.model.feed import Feed, Subscription
from fastingest.probe.beside.side_messages import Rule
from fastingest.probe.listen import Sample
from fastingest.probe.proposal import Proposal, proposal_of
from fastingest.probe.text import config_text
from tests.feeds.recorded import EXPECTED, SECRETS, messages_of

NOW = 1_700_000_000.0
GROWN = {"tables", "stale_by", "ignore", "answers"}
"""What depends on the messages that have come."""

ACKNOWLEDGED = {"coinbase-advanced-trades": (0,), "coinbase-level2": (0,)}
"""Replies that a known feed does not wait for: to the subscription to heartbeats."""

ERRORS = {"alpaca-bars": 1}
"""Errors that refuse nothing, as only their documentation says: Alpaca's 407, a slow client."""


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def known(name: str) -> Feed:
    (feed,) = Options(feed=(name,)).feeds
    return feed


def probed(name: str, feed: Feed, tmp_path: Path) -> tuple[Proposal, Feed]:
    messages = messages_of(name)
    proposal = proposal_of(messages, NOW, feed.subscriptions)
    path = tmp_path / "probed.toml"
    path.write_text(config_text(Sample(feed, messages, 5.0), proposal), "utf-8")
    (again,) = Options(config=path).feeds
    return proposal, again


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_what_was_said_of_a_feed_is_said_again(name: str, tmp_path: Path) -> None:
    feed = known(name)
    _, again = probed(name, feed, tmp_path)
    for each in fields(Feed):
        if each.name not in GROWN:
            assert getattr(again, each.name) == getattr(feed, each.name), each.name
    if feed.answers:
        assert again.answers == feed.answers


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_replies_and_refusals_are_found_where_only_subscriptions_are_given(
    name: str, tmp_path: Path
) -> None:
    feed = known(name)
    sent = tuple(Subscription(each.text) for each in feed.subscriptions)
    bare = Feed(feed.name, feed.url, feed.tables, subscriptions=sent)
    proposal, again = probed(name, bare, tmp_path)
    messages, expected = messages_of(name), EXPECTED[name]
    assert [each.text for each in again.subscriptions] == [each.text for each in sent]
    replies = [Rule(reply) for reply in proposal.side.replies if reply]
    acknowledged = (*ACKNOWLEDGED.get(name, ()), *expected.replies)
    assert len(replies) == len(acknowledged)
    for index in acknowledged:
        assert any(rule.holds(messages[index]) for rule in replies)
    refused = list(map(Rule, again.refused))
    said_no = sum(any(rule.holds(each) for rule in refused) for each in messages)
    assert said_no == expected.refused + ERRORS.get(name, 0)
    assert again.symbols in ((), feed.symbols)
