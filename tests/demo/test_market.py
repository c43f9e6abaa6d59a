from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.demo.market import Market

SplitFrames = Callable[[bytes], list[bytes]]

_ROW = re.compile(rb'\{"symbol": "([A-Z.]+)", "price": ([0-9]+\.[0-9]{2}), "volume": ([0-9]+)\}')
_LAP = 20_000


def _volumes(payloads: list[bytes]) -> list[int]:
    return [json.loads(payload)["volume"] for payload in payloads]


@pytest.mark.parametrize("sequence", [False, True])
@pytest.mark.parametrize("symbols", [1, 50, 60, 10_000])
def test_rows_are_exactly_of_the_format(
    symbols: int, sequence: bool, split_frames: SplitFrames
) -> None:
    payloads = split_frames(Market(symbols, sequence=sequence).frames(_LAP + 1))
    assert len(payloads) == _LAP + 1
    for payload in payloads:
        match = _ROW.fullmatch(payload)
        assert match is not None
        row = json.loads(payload)
        assert list(row) == ["symbol", "price", "volume"]
        assert row == {
            "symbol": match[1].decode(),
            "price": float(match[2]),
            "volume": int(match[3]),
        }
    assert len({json.loads(payload)["symbol"] for payload in payloads}) == symbols


def test_well_known_symbols_come_first(split_frames: SplitFrames) -> None:
    def symbols(count: int) -> set[str]:
        payloads = split_frames(Market(count).frames(_LAP))
        return {json.loads(payload)["symbol"] for payload in payloads}

    assert symbols(1) == {"AAPL"}
    assert symbols(3) == {"AAPL", "MSFT", "NVDA"}
    assert symbols(51) - symbols(50) == {"AAA"}


def test_prices_walk_without_jumps(split_frames: SplitFrames) -> None:
    prices: dict[str, list[float]] = {}
    for payload in split_frames(Market(50, seed=7).frames(2 * _LAP + 5000)):
        row = json.loads(payload)
        prices.setdefault(row["symbol"], []).append(row["price"])
    for walk in prices.values():
        assert len(set(walk)) > 10
        assert all(10 < price < 1000 for price in walk)
        # A move, its share of the bridge's drift, and a cent of rounding.
        assert all(abs(b - a) < 2e-3 * a + 0.01 for a, b in itertools.pairwise(walk))


def test_volumes_are_round_lots(split_frames: SplitFrames) -> None:
    volumes = _volumes(split_frames(Market(50).frames(5000)))
    assert all(volume > 0 and volume % 100 == 0 for volume in volumes)
    assert len(set(volumes)) > 10


def test_the_seed_decides() -> None:
    assert Market(50, seed=1).frames(5000) == Market(50, seed=1).frames(5000)
    assert Market(50, seed=1).frames(5000) != Market(50, seed=2).frames(5000)


def test_numbering_changes_nothing_but_the_volumes(split_frames: SplitFrames) -> None:
    def trades(sequence: bool) -> list[bytes]:
        frames = Market(50, seed=3, sequence=sequence).frames(_LAP + 1000)
        return [payload.partition(b', "volume"')[0] for payload in split_frames(frames)]

    assert trades(sequence=True) == trades(sequence=False)


@settings(max_examples=20)
@given(st.lists(st.integers(0, 25_000), max_size=12), st.booleans())
def test_however_it_is_cut_the_tape_is_the_same(counts: list[int], sequence: bool) -> None:
    market = Market(5, sequence=sequence)
    pieces = b"".join(market.frames(count) for count in counts)
    assert pieces == Market(5, sequence=sequence).frames(sum(counts))


def test_numbers_count_up(split_frames: SplitFrames) -> None:
    volumes = _volumes(split_frames(Market(50, sequence=True).frames(130_000)))
    assert volumes == list(range(130_000))


def test_numbers_count_on_where_they_grow_by_a_digit(split_frames: SplitFrames) -> None:
    market = Market(50, sequence=True)
    market.frames(999_990)
    assert _volumes(split_frames(market.frames(20))) == list(range(999_990, 1_000_010))
