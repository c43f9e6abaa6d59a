"""Against servers that are not ours: a few hundred thousand numbered rows, and dropped connections.

What the server handed to a socket and the client never got is the network's loss; what the client
received must be in the file once and in order. A server that ends with all data delivered (a plain
end of file, a close frame) leaves nothing to lose.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.end_to_end.command import Command, read_rows, wait_until
from tests.peers import node
from tests.peers.process import Peer
from tests.peers.rows import row

pytestmark = pytest.mark.long

ROWS = 200_000
DROPS = 5


def _websockets(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.peers.websockets_server", *arguments]


def _node(*arguments: str) -> list[str]:
    node.install()
    return node.server_command(*arguments)


@pytest.mark.parametrize(
    "server", [_websockets, pytest.param(_node, marks=pytest.mark.node)], ids=["websockets", "ws"]
)
@pytest.mark.parametrize("shapes", [[], ["--shapes"]], ids=["records", "shapes"])
def test_every_row_received_is_in_the_file_once_and_in_order(
    tmp_path: Path, server: object, shapes: list[str]
) -> None:
    out = tmp_path / "out.csv"
    command_line = ["--rows", str(ROWS), "--drops", str(DROPS), "--burst", "5000", *shapes]
    assert callable(server)
    with Peer(server(*command_line)) as peer:
        quick = ["--reconnect-initial", "10ms", "--reconnect-max", "50ms"]
        with Command("--url", peer.url, "--out", out, *quick) as command:
            peer.wait_for("done", 90)
            ends = [event for event in peer.events if "connection" in event]
            wait_until(lambda: out.read_bytes().endswith(_line(ROWS - 1)))
            summary = command.stop()
    assert len(ends) >= DROPS + 1
    numbers = [int(volume) for _, _, volume in read_rows(out)]
    for number, cells in zip(numbers, read_rows(out), strict=True):
        symbol, price, volume = row(number)
        assert cells[0] == symbol
        assert float(cells[1]) == price
        assert cells[2] == str(volume)
    position = 0
    for end in ends:
        first, sent = end["first"], end["sent"]
        received = [n for n in numbers[position : position + sent - first] if first <= n < sent]
        # what came is a beginning of what was sent, without a hole
        assert received == list(range(first, first + len(received)))
        if end["end"] not in ("abort", "client"):
            assert len(received) == sent - first
        position += len(received)
    assert position == len(numbers)
    assert summary["received"] == summary["written"] == len(numbers)
    assert summary["quarantined"] == summary["dropped"] == summary["in_flight"] == 0
    assert summary["gaps"] >= DROPS
    assert not (tmp_path / "out.csv.rejected.jsonl").exists()


def _line(number: int) -> bytes:
    symbol, price, volume = row(number)
    return f"{symbol},{price!r},{volume}\n".encode()
