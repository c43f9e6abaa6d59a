"""What venues' messages become, held to readings by hand for each venue, byte by byte."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.format.csv import to_csv, to_frame
from fastingest.model.batch import Batch
from fastingest.native.parse_plan import plan_of
from tests.feeds.readings import READINGS, VenueReading
from tests.peers.raw import TEXT, frame
from tests.support.hearing import hear
from tests.support.native import native_module


@st.composite
def sent(draw: st.DrawFn, venue: VenueReading) -> list[bytes]:
    """Messages of a venue, with what it sends besides between them."""
    texts = draw(st.lists(venue.messages, min_size=1, max_size=6))
    for text in draw(st.lists(st.sampled_from(venue.others), max_size=3)):
        texts.insert(draw(st.integers(0, len(texts))), text)
    return [text.encode() for text in texts]


def by_hand(venue: VenueReading, messages: Sequence[bytes]) -> bytes:
    """The file's lines."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for message in messages:
        if message.decode() not in venue.others:
            writer.writerows(venue.read(json.loads(message, parse_float=str, parse_int=str)))
    return file.getvalue().encode()


def written(batches: Iterable[Batch]) -> bytes:
    """The same by the package, which rejects nothing of it."""
    taken = list(batches)
    assert [reject for batch in taken for reject in batch.rejects] == []
    return b"".join(bytes(to_csv(to_frame(batch))) for batch in taken if batch.rows)


def ignored_texts(venue: VenueReading) -> tuple[str, ...]:
    """What is no JSON at all must be named to be ignored."""
    return tuple(text for text in venue.others if text[0] not in "{[")


@pytest.mark.parametrize("name", READINGS)
@given(data=st.data())
@settings(max_examples=20)
def test_python_reads_what_the_hand_reads(name: str, data: st.DataObject) -> None:
    """Whether the messages come one by one or at once."""
    venue = READINGS[name]
    messages = data.draw(sent(venue))
    expected = by_hand(venue, messages)
    for size in (1, len(messages)):
        decoder = FeedDecoder([venue.schema], 10_000, ignore=ignored_texts(venue))
        batches = []
        for start in range(0, len(messages), size):
            run = messages[start : start + size]
            batches += decoder.decode(run, [(len(run), 1)])
        assert written([*batches, *decoder.take()]) == expected


@pytest.mark.parametrize("name", READINGS)
@given(data=st.data())
@settings(max_examples=20)
def test_the_native_reader_is_certain_of_what_the_hand_reads(
    name: str, data: st.DataObject
) -> None:
    """It leaves rows to Python only for escapes and letters beyond ASCII, and has as many."""
    parser = native_module("_parser")
    venue = READINGS[name]
    plan = plan_of(venue.schema)
    assert plan is not None
    rows = parser.RowParser(plan)
    for message in data.draw(st.lists(venue.messages, min_size=1, max_size=6)):
        before = rows.columns.rows
        is_certain = rows.parse(message.encode())
        read = list(venue.read(json.loads(message, parse_float=str, parse_int=str)))
        assert rows.columns.rows - before == (len(read) if is_certain else 0)
        if venue.is_certain and read and message.isascii() and "\\" not in message:
            assert is_certain


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("name", READINGS)
@given(data=st.data())
@settings(max_examples=4)
def test_what_is_received_becomes_what_the_hand_reads(
    name: str, native: bool, data: st.DataObject
) -> None:
    """From the socket to the file's lines, by both listeners."""
    venue = READINGS[name]
    messages = data.draw(sent(venue))
    heard = hear(
        *(frame(TEXT, message) for message in messages),
        native=native,
        schema=venue.schema,
        ignore=ignored_texts(venue),
    )
    assert written(heard.batches) == by_hand(venue, messages)


@pytest.mark.parametrize("name", READINGS)
def test_what_a_venue_sends_besides_has_no_rows(name: str) -> None:
    venue = READINGS[name]
    decoder = FeedDecoder([venue.schema], 100, ignore=ignored_texts(venue))
    for text in venue.others:
        assert decoder.fate_of(text.encode()) == "ignored"
