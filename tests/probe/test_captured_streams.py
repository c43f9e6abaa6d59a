"""Streams probed and captured from a server: the printed file, held to what an expert would write.

The rows of all of its files together are those that an expert's tables have of the same messages.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from fastingest import Options
from fastingest.model.feed import Feed
from fastingest.model.schema import Schema
from tests.peers.raw import RawConnection, RawServer
from tests.probe.streams import STREAMS, Stream
from tests.probe.test_streams import captured, schema_of, sources_of
from tests.support.command_line import run

# Their times are named as such, or else they would have to be of today.
_NAMES = (
    "levels of one side",
    "a map of symbol to price",
    "Coinbase: matches, level2 and ticker",
    "Kraken v1: book",
    "OKX: trades, books and tickers",
    "Hyperliquid: trades, mids, best bid and ask, and book",
    "Bitfinex: trades",
)


@pytest.mark.parametrize("name", _NAMES)
def test_the_file_of_a_probe_captures_what_an_expert_would(name: str, tmp_path: Path) -> None:
    (stream,) = [each for each in STREAMS if each.name == name]
    everything = stream.heard + stream.later

    def probed(peer: RawConnection) -> None:
        _serve(peer, stream.heard)

    def goes_on(peer: RawConnection) -> None:
        _serve(peer, everything)

    expected = _expected(stream, everything)
    config = tmp_path / "my.toml"
    with RawServer(probed, goes_on) as server:
        count = str(len(stream.heard))
        found = run("probe", "--url", server.url, "--messages", count, cwd=tmp_path)
        assert found.returncode == 0, found.stderr
        config.write_text(found.stdout, "utf-8")
        rows = str(len(expected))
        capture = run(
            *("--config", str(config), "--max-rows", rows, "--duration", "30s"), cwd=tmp_path
        )
        assert capture.returncode == 0, capture.stderr
    (feed,) = Options(config=config).feeds
    assert sorted(_written(feed, expected, tmp_path)) == sorted(expected)


def _serve(peer: RawConnection, messages: list[bytes]) -> None:
    peer.handshake()
    for message in messages:
        peer.send_text(message.decode())
    peer.stall()


def _expected(stream: Stream, messages: list[bytes]) -> list[list[tuple[str, str]]]:
    """The rows of the expert's tables, each cell with its source."""
    nothing = Feed(name="", url="", tables=(), ignore=("pong",))
    return [
        sorted(row.items())
        for expert in stream.tables
        for row in captured(nothing, schema_of(expert), messages)[0]
    ]


def _written(
    feed: Feed, expected: list[list[tuple[str, str]]], directory: Path
) -> list[list[tuple[str, str]]]:
    """The rows of the files, each cell with its source where an expert has it, too."""
    files: dict[Path, list[Schema]] = {}
    for table in feed.tables:
        files.setdefault(directory / table.out, []).append(table.schema)
    rows = []
    for path, schemas in files.items():
        _, *lines = csv.reader(path.read_text("utf-8").splitlines())
        rows += [_row(line, schemas, expected) for line in lines]
    return rows


def _row(
    line: list[str], schemas: list[Schema], expected: list[list[tuple[str, str]]]
) -> list[tuple[str, str]]:
    """A row of a file, as one of the tables that write it says it."""
    wanted = {frozenset(source for source, _ in row) for row in expected}
    forms = []
    for schema in schemas:
        cells = dict(zip(sources_of(schema), line, strict=True))
        sources = max(wanted, key=lambda each: len(each & cells.keys()))
        forms.append(sorted((source, cells[source]) for source in sources & cells.keys()))
    return next((form for form in forms if form in expected), forms[0])
