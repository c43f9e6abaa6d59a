"""Each known feed, captured by the real command from a server that behaves as its venue does.

What each reads as is in test_recorded.py as well, which starts no processes.
"""

from __future__ import annotations

import csv
import gzip
import re
import shutil
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fastingest import Options
from fastingest.access.secrets import expand
from fastingest.config.catalog import known_feed
from fastingest.model.feed import Feed
from tests.end_to_end.command import Command, rejects_of, wait_until
from tests.feeds.recorded import EXPECTED, SECRETS, messages_of
from tests.peers.plain_reading import read
from tests.peers.raw import BINARY, PONG, TEXT, RawConnection, RawServer, Script
from tests.peers.signed import TokenServer
from tests.support.patience import LIMIT
from tests.support.serving import answer_close


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


TOKENS = "https://api.kucoin.com/api/v1/bullet-public"
"""Where a known feed fetches a token."""


def venue(
    name: str,
    feed: Feed,
    answers: list[str],
    read_by_client: threading.Event,
    tokens: TokenServer,
) -> Script:
    """Send what was recorded; each reply once its subscription has come, and not before.

    What asks for another connection is left out.

    :param answers: gets what the client has said besides.
    :param tokens: gives out what stands for a token.
    """
    url = urlsplit(expand(feed.url))
    texts = [subscription.text for subscription in feed.subscriptions]
    expected = EXPECTED[name]
    replies, reconnects = expected.replies, expected.reconnects

    def receive(connection: RawConnection, text: str) -> None:
        received = connection.recv_frame()
        assert received is not None
        assert received[0] == TEXT
        assert re.fullmatch(_pattern(text), received[1].decode())

    def script(connection: RawConnection) -> None:
        connection.handshake()
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        if TOKENS in feed.url:
            target = target.replace("?token=S", f"?token={tokens.given[-1]}")
        assert connection.request_line == f"GET {target} HTTP/1.1"
        wanted = iter(texts)
        for _ in range(len(texts) - len(replies)):  # those that nothing answers
            receive(connection, next(wanted))
        for index, message in enumerate(messages_of(name)):
            if index in replies:
                receive(connection, next(wanted))
            if index in reconnects:
                continue
            if feed.inflate:
                connection.send_frame(BINARY, gzip.compress(message))
            elif expected.binary:
                connection.send_frame(BINARY, message)
            else:
                connection.send_text(message)
        connection.ping(b"all sent")
        while (received := connection.recv_frame()) is not None and received[0] != PONG:
            if received[0] == TEXT:
                answers.append(received[1].decode())
        read_by_client.set()
        answer_close(connection)

    return script


@pytest.mark.long
@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_known_feed_is_captured_as_it_reads(name: str, tmp_path: Path) -> None:
    (feed,) = Options(feed=(name,)).feeds
    (table,) = feed.tables
    described = known_feed(name).feeds[0].url
    assert described is not None
    if TOKENS in described and shutil.which("curl") is None:
        pytest.skip("needs curl")
    out, expected = tmp_path / "out.csv", EXPECTED[name]
    answers: list[str] = []
    read_by_client = threading.Event()
    with (
        TokenServer() as tokens,
        RawServer(venue(name, feed, answers, read_by_client, tokens)) as server,
    ):
        template = urlsplit(described.replace(TOKENS, tokens.url))
        url = template._replace(scheme="ws", netloc=f"127.0.0.1:{server.port}").geturl()
        with Command(
            *("--feed", name, "--url", url, "--out", out, "--flush-interval", "20ms")
        ) as command:
            wait_until(lambda: _lines(out) > expected.rows, "rows")
            rejected = out.with_name("out.csv.rejected.jsonl")
            wait_until(lambda: _lines(rejected) == expected.rejects, "rejects")
            assert read_by_client.wait(LIMIT)
            summary = command.stop(3)  # something is refused
    assert server.errors == []
    # A reply that was waited for is one message, whatever it holds.
    messages = messages_of(name)
    replies = [messages[index] for index in expected.replies]
    left_out = {*expected.replies, *expected.reconnects}
    others = [message for index, message in enumerate(messages) if index not in left_out]
    whole = read(
        [table.schema], others, ignore=feed.ignore, remember=feed.remember, said_before=replies
    )
    reading = whole.tables[0]
    with out.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file, strict=True)
    assert header == list(table.schema.names)
    shown = [n for n, column in enumerate(table.schema.columns) if not column.is_metadata]
    assert [[row[index] for index in shown] for row in rows] == reading.rows
    assert [entry["text"].encode() for entry in rejects_of(out)] == reading.rejects
    assert summary["written"] == expected.rows
    assert summary["quarantined"] == expected.rejects
    assert summary["refused"] == expected.refused
    assert tuple(answers) == expected.answers
    assert summary["ignored"] == whole.ignored + len(replies)


def _pattern(text: str) -> str:
    """What a text of the feed is when it is sent, as a regular expression."""
    return r"\d{10}".join(re.escape(expand(part)) for part in text.split("${now:s}"))


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0
