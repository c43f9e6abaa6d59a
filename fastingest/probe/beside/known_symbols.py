"""The symbols that the data of a probe names: in columns, and in the names of streams."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from fastingest.config.symbols import check_symbol
from fastingest.decode.factory import decoder_of
from fastingest.model.feed import Feed, Table
from fastingest.model.schema import Column
from fastingest.probe.beside.member_words import words
from fastingest.probe.proposal import Proposal
from fastingest.probe.tables.words import are_pairs

__all__ = ["NAMES", "known_symbols"]

NAMES = {
    *("symbol", "symbols", "sym", "instrument", "instruments", "inst", "product", "products"),
    *("pair", "pairs", "ticker", "tickers", "coin", "coins", "market", "markets"),
}
"""Words of a name by which it is that of a symbol."""

_STREAMS = {"stream", "topic", "channel", "ch", "chan"}
_MAX_MESSAGES = 5000  # of a table that are looked into
_DEPTH = 3

_QUOTES = "usdt|usdc|fdusd|busd|usd|eur|gbp|jpy|krw|try|btc|eth|perp|perpetual"
# A pair of currencies in the name of a stream, between marks.
_PAIR_IN_STREAM = re.compile(
    rf"(?<![A-Za-z0-9])[A-Za-z0-9]{{2,12}}[/_-]?(?:{_QUOTES})(?![A-Za-z0-9])", re.IGNORECASE
)


def known_symbols(proposal: Proposal, messages: Sequence[bytes]) -> set[str]:
    """The symbols of which rows have come, each as the data spells it.

    :param messages: those that the proposal was made from.
    """
    found = set()
    for table in proposal.tables:
        own = [messages[index] for index in table.sources[:_MAX_MESSAGES]]
        feed = Feed("", "", (Table(Path(), table.schema),))
        decoder = decoder_of(feed, batch_size=1_000_000)
        columns = [column for column in table.schema.columns if not column.is_metadata]
        for batch in decoder.decode(own, [(len(own), 0)]) + decoder.take():
            for column, cells in zip(columns, batch.columns(), strict=False):
                texts = {cell for cell in cells if isinstance(cell, str)}
                if column.type == "str" and _holds_symbols(column, texts):
                    found |= texts
        for message in own:
            for name in set(_streams(msgspec.json.decode(message))):
                found |= set(_PAIR_IN_STREAM.findall(name))
    return set(filter(_is_symbol, found))


def _holds_symbols(column: Column, texts: set[str]) -> bool:
    steps = column.path.steps if column.path is not None else ()
    names = [column.name, *(step for step in steps[-1:] if isinstance(step, str))]
    said = {word for name in names for word in words(name)}
    return bool(said & NAMES) or are_pairs(texts)


def _streams(value: Any, depth: int = 0) -> Iterator[str]:
    """The names of streams in a message."""
    if isinstance(value, dict) and depth < _DEPTH:
        for name, member in value.items():
            if isinstance(member, str) and name.lower() in _STREAMS:
                yield member
            elif isinstance(member, dict):
                yield from _streams(member, depth + 1)


def _is_symbol(text: str) -> bool:
    try:
        check_symbol(text)
    except ValueError:
        return False
    return len(text) > 1 and re.search("[A-Za-z]", text) is not None
