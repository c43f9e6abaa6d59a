"""What each known feed makes of the messages that its venue documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Sequence

import pytest

from fastingest import Options
from fastingest.config.catalog import known_names
from fastingest.decode.factory import decoder_of
from fastingest.format.csv import to_csv, to_frame
from fastingest.metrics.counters import Counters, FeedCounters
from fastingest.model.batch import Batch
from fastingest.model.feed import Feed
from fastingest.source.refusals import About
from fastingest.source.side_messages import SideMessages
from tests.feeds.recorded import EXPECTED, SECRETS, messages_of
from tests.peers.plain_reading import Reading, read

KNOWN = sorted(EXPECTED)


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def feed_of(name: str) -> Feed:
    (feed,) = Options(feed=(name,)).feeds
    return feed


def reading_of(feed: Feed, messages: list[bytes]) -> Reading:
    schemas = [table.schema for table in feed.tables]
    return read(schemas, messages, ignore=feed.ignore, remember=feed.remember)


def rows_of(feed: Feed, batches: Iterable[Batch]) -> list[list[str]]:
    """The cells as the file shows them, but for metadata columns."""
    columns = feed.tables[0].schema.columns
    shown = [index for index, column in enumerate(columns) if not column.is_metadata]
    text = b"".join(to_csv(to_frame(batch)) for batch in batches if batch.rows).decode()
    return [[row[index] for index in shown] for row in csv.reader(io.StringIO(text), strict=True)]


def test_each_known_feed_is_recorded() -> None:
    assert list(known_names()) == KNOWN


@pytest.mark.parametrize("name", KNOWN)
def test_the_recorded_messages_read_as_expected(name: str) -> None:
    expected, messages = EXPECTED[name], messages_of(name)
    assert len(messages) >= 8
    reading = reading_of(feed_of(name), messages)
    assert reading.tables[0].rows[0] == expected.first
    assert len(reading.tables[0].rows) == expected.rows
    assert len(reading.tables[0].rejects) == expected.rejects
    assert reading.ignored == expected.ignored


@pytest.mark.parametrize("run", [1, 3, 1000])
@pytest.mark.parametrize("name", KNOWN)
def test_the_recorded_messages_decode_as_they_read(name: str, run: int) -> None:
    """In runs of so many messages."""
    feed, messages = feed_of(name), messages_of(name)
    decoder = decoder_of(feed, 10_000)
    decoder.connected(1)
    side = side_of(feed)
    if side.memory is not None:
        decoder.recall_with(side.memory.recall)
        for found in filter(None, map(side.to_remember, messages)):
            side.memory.keep(found)
    batches = []
    for start in range(0, len(messages), run):
        part = messages[start : start + run]
        batches += decoder.decode(part, [(len(part), 1_700_000_000_000_000_000 + start)])
    batches += decoder.take()
    reading = reading_of(feed, messages)
    assert rows_of(feed, batches) == reading.tables[0].rows
    rejects = [reject.raw for batch in batches for reject in batch.rejects]
    assert rejects == reading.tables[0].rejects
    assert decoder.ignored == reading.ignored


@pytest.mark.parametrize("name", KNOWN)
def test_a_reply_is_neither_row_nor_reject(name: str) -> None:
    feed, messages = feed_of(name), messages_of(name)
    reading = reading_of(feed, [messages[index] for index in EXPECTED[name].replies])
    assert (reading.tables[0].rows, reading.tables[0].rejects) == ([], [])


def side_of(feed: Feed) -> SideMessages:
    return SideMessages(feed, FeedCounters([Counters.create()]))


class Acting:
    """Takes note of what a server says beside the rows."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.refused_words: list[str] = []
        self.asked: list[str] = []
        self.answers: list[str] = []

    def refused(self, words: str, symbols: Sequence[str], subscription: int | None) -> About:
        self.refused_words.append(words)
        return About(subscription)

    def asked_to_reconnect(self, words: str) -> None:
        self.asked.append(words)

    def answer(self, number: int, fill: Callable[[str], str]) -> None:
        self.answers.append(fill(self._feed.answers[number].send))


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_said_beside_the_rows_is_understood(name: str) -> None:
    """Each venue's refusals, its wish for another connection, and what it wants answered."""
    feed, messages, expected = feed_of(name), messages_of(name), EXPECTED[name]
    side = side_of(feed)
    acting = Acting(feed)
    side.act_by(acting)
    taken = [
        index
        for index, message in enumerate(messages)
        if side.take(message) and side.to_remember(message) is None
    ]
    assert len(acting.refused_words) == expected.refused > 0
    assert acting.asked == [side.words(messages[index]) for index in expected.reconnects]
    assert tuple(acting.answers) == expected.answers
    assert not set(taken) & set(expected.replies)
    said = len(acting.refused_words) + len(acting.asked) + len(acting.answers)
    assert len(taken) == said


@pytest.mark.parametrize("name", KNOWN)
def test_only_messages_without_rows_are_looked_at_natively(name: str) -> None:
    """Their conditions have pieces by which most messages are passed over."""
    side = side_of(feed_of(name))
    assert side.has_rules
    assert not side.takes_any
