"""What each known feed makes of the messages that its venue documents."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

import pytest

from fastingest import Options
from fastingest.config.catalog import known_names
from fastingest.decode.factory import decoder_of
from fastingest.format.csv import to_csv, to_frame
from fastingest.model.batch import Batch
from fastingest.model.feed import Feed
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
    return read([table.schema for table in feed.tables], messages, ignore=feed.ignore)


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
