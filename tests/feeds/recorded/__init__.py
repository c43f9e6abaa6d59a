"""Messages as each known feed's venue documents them, and what they must become.

A file has one message a line, in the order in which a server would send them: its replies,
heartbeats, errors and oddities among them.
"""

from __future__ import annotations

from pathlib import Path

from tests.feeds.recorded.books import BOOKS
from tests.feeds.recorded.expected import Expected
from tests.feeds.recorded.figures import FIGURES
from tests.feeds.recorded.trades import TRADES

__all__ = ["EXPECTED", "SECRETS", "Expected", "messages_of"]

SECRETS = {
    "APCA_API_KEY_ID": "PKAPCA-7f21",
    "APCA_API_SECRET_KEY": "alpaca-secret-91ab",
    "FINNHUB_TOKEN": "finnhub-token-55c0",
    "POLYGON_API_KEY": "polygon-key-0c1d",
}
"""The variables that known feeds need."""

EXPECTED: dict[str, Expected] = {**BOOKS, **FIGURES, **TRADES}


def messages_of(name: str) -> list[bytes]:
    """The messages of a known feed."""
    return (Path(__file__).parent / f"{name}.jsonl").read_bytes().splitlines()
