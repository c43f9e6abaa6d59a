"""The words that a name is made of, and what some of them say."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

__all__ = ["are_pairs", "file_word", "says_whose", "side_of", "snake", "words"]

_WHOSE = {
    *("symbol", "symbols", "sym", "s", "instrument", "inst", "pair", "market", "code", "cd"),
    *("product", "coin", "currency", "base", "quote", "id", "ids", "name", "i", "side", "maker"),
    *("taker", "user", "account", "order", "exchange", "tape", "tick", "direction"),
}
_SIDES = {
    "bid": {"b", "bid", "bids", "bs", "buy", "buys"},
    "ask": {"a", "ask", "asks", "as", "sell", "sells", "offer", "offers"},
}


_PAIR = re.compile(r"[A-Z0-9]{2,}[/:_-][A-Z0-9]{2,}")


def are_pairs(texts: Collection[str]) -> bool:
    """Whether texts are pairs of currencies, such as ``BTC-USD``, and there are any."""
    return bool(texts) and all(map(_PAIR.fullmatch, texts))


def file_word(name: str) -> str:
    """A name as a part of a file's name: small letters of ASCII, digits, and _ for all else."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


@lru_cache(maxsize=4096)
def snake(name: str) -> str:
    """``lastTradeID`` as ``last_trade_id``; only letters, digits and _ are left."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return re.sub(r"_+", "_", re.sub(r"\W+", "_", name)).strip("_").lower()


@lru_cache(maxsize=4096)
def words(name: str | int) -> frozenset[str]:
    """The words of a name, in lower case."""
    return frozenset(snake(str(name)).split("_"))


@lru_cache(maxsize=4096)
def side_of(name: str | int) -> str:
    """``bid`` or ``ask``, where a name says one of them; otherwise nothing."""
    said = [side for side, names in _SIDES.items() if words(name) & names]
    return said[0] if len(said) == 1 else ""


@lru_cache(maxsize=4096)
def says_whose(name: str | int) -> bool:
    """Whether a name says whose a value is, and not what: ``symbol``, ``product_id``."""
    return bool(words(name) & _WHOSE)
