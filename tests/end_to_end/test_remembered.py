"""The real command against a venue that names each channel once, on two connections at a time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, wait_until
from tests.end_to_end.test_lines import rows
from tests.peers.venue import Client, Desk, Venue, accept

CONFIG = """
name = "venue"
url = "{url}"
subscribe = [{{send = '{{"event":"subscribe","symbol":"{{symbol}}"}}'}}]
per-connection = 1
remember = {{when = ["$.event=subscribed"], key = "$.chanId"}}
rows = "[2]"
where = ["$[1]=te"]
columns = ["s=$[0]|remembered.symbol", "n:int=[0]"]
symbols = ["tAAAUSD", "tBBBUSD"]
"""
DESK = Desk(
    re.compile(r'"symbol":"(t\w+)"'),
    granted='{"event":"subscribed","channel":"trades","chanId":7,"symbol":"{symbol}"}',
)


@pytest.mark.parametrize("native", ["0", "1"])
def test_the_same_number_is_another_channel_on_another_connection(
    tmp_path: Path, native: str
) -> None:
    turns, has_begun = 40, False
    expected: list[list[str]] = []

    async def turn(client: Client) -> None:
        nonlocal has_begun
        await client.until(lambda: bool(client.granted))
        asked = [each for each in venue.clients if each.granted]
        if len(asked) < 2 or has_begun:  # the last one that asks leads
            return
        has_begun = True
        for number in range(turns):
            each = asked[number % 2]
            expected.append([each.granted[0], str(number)])
            await each.put(f'[7,"te",[{number}]]')

    with Venue([accept(), turn], desk=DESK) as venue:
        path = tmp_path / "feed.toml"
        path.write_text(CONFIG.format(url=venue.url), encoding="utf-8")
        arguments = ["--config", str(path), "--out", str(tmp_path / "o.csv")]
        more = ["--flush-interval", "50ms"]
        with Command(*arguments, *more, environment={"FASTINGEST_NATIVE": native}) as command:
            wait_until(lambda: len(rows(tmp_path)) >= turns)
            summary = command.stop()
    assert sorted(rows(tmp_path), key=lambda row: int(row[1])) == expected
    assert (summary["written"], summary["quarantined"]) == (turns, 0)
