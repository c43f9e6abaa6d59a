"""Proposals for streams, held to what a person who knows the venue would write.

They are compared by what they make of the stream and of how it goes on: the rows and their cells,
whatever the columns are called.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from fastingest.decode.factory import decoder_of
from fastingest.format.csv import to_csv, to_frame
from fastingest.model.feed import Feed, Table
from fastingest.model.jsonpath import JsonPath, parse_condition, text_of_steps
from fastingest.model.rows import parse_rows
from fastingest.model.schema import Schema, parse_columns
from fastingest.probe.proposal import proposal_of
from tests.probe.streams import STREAMS, Expert, Stream
from tests.probe.streams.stream import NOW


def schema_of(expert: Expert) -> Schema:
    return Schema(
        parse_columns(expert.columns),
        parse_rows(expert.rows),
        tuple(map(parse_condition, expert.where)),
    )


def sources_of(schema: Schema) -> list[str]:
    """Where each column's values are, from the message's root if there is one place of rows."""
    places = schema.rows.places
    before = places[0].steps if len(places) == 1 else ("each row",)
    return [
        column.type if column.path is None else _source(column.path, before)
        for column in schema.columns
    ]


def _source(path: JsonPath, before: Sequence[object]) -> str:
    if path.own:
        return path.own
    return text_of_steps(path.steps if path.from_root else (*before, *path.steps))  # type: ignore[arg-type]


def captured(feed: Feed, schema: Schema, messages: list[bytes]) -> tuple[list[dict[str, str]], int]:
    """The rows' cells by their sources, and how many rejects there are."""
    decoder = decoder_of(replace(feed, tables=(Table(Path(), schema),)), batch_size=100_000)
    batches = decoder.decode(list(messages), [(len(messages), 0)]) + decoder.take()
    text = b"".join(to_csv(to_frame(batch)) for batch in batches if batch.rows).decode()
    rows = list(csv.reader(io.StringIO(text), strict=True))
    sources = sources_of(schema)
    return (
        [dict(zip(sources, row, strict=True)) for row in rows],
        sum(len(batch.rejects) for batch in batches),
    )


@pytest.mark.parametrize("stream", STREAMS, ids=[stream.name for stream in STREAMS])
def test_a_stream_is_described_as_an_expert_would(stream: Stream) -> None:
    proposal = proposal_of(stream.heard, NOW)
    proposed = [table.schema for table in proposal.tables]
    feed = Feed(name="", url="", tables=(), ignore=proposal.ignore)
    messages = stream.heard + stream.later
    assert [captured(feed, schema, stream.heard)[1] for schema in proposed] == [0] * len(proposed)
    wanted = [(expert, *captured(feed, schema_of(expert), messages)) for expert in stream.tables]
    found = [(schema, *captured(feed, schema, messages)) for schema in proposed]
    for expert, rows, rejects in wanted:
        assert rows
        sources = set(rows[0])
        likeliest = min(
            found, key=lambda each: len(sources ^ set(sources_of(each[0]))), default=None
        )
        assert likeliest is not None, "no table is proposed"
        found.remove(likeliest)
        schema, rows_found, rejects_found = likeliest
        told = f"{schema.rows} where {list(map(str, schema.where))}"
        assert set(sources_of(schema)) - set(expert.more) == sources, told
        plain = [{source: row[source] for source in sources} for row in rows_found]
        assert plain == rows, told
        assert rejects_found <= rejects, told
    assert found == [], "there are tables that an expert would not have"
