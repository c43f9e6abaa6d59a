"""What the fuzzer compares, and with what: it must be able to find something."""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz.mutation import mutate
from tests.support.native import native_module

native_module("_parser")

from tests.fuzz import comparison  # noqa: E402  # it imports the compiled module
from tests.fuzz.comparison import SHAPES, compare  # noqa: E402


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_of_the_messages_that_the_fuzzer_begins_with_some_are_read_natively(shape: int) -> None:
    messages = SHAPES[shape].messages
    alone = sum(compare(shape, [message]) for message in messages)
    assert alone >= 2
    assert compare(shape, messages) == alone


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_changed_messages_are_read_alike(shape: int) -> None:
    certain = 0
    for seed in range(200):
        random = Random(seed)
        messages = [mutate(message, random) for message in SHAPES[shape].messages[:4]]
        certain += compare(shape, messages)
    assert 0 < certain < 800


# Of a message that both read, what Python is made to read otherwise.
@pytest.mark.parametrize(
    ("python", "problem"),
    [
        (b'{"symbol": "A", "price": 2.5, "volume": 1}', "1.5"),
        (b'{"symbol": "A", "price": 1.5, "volume": null}', "None"),
        (b'{"symbol": "A", "volume": 1}', "price: price is missing"),
        (b'[{"symbol": "A", "price": 1.5}, {"symbol": "A", "price": 1.5}]', "1 rows and not 2"),
    ],
)
def test_a_difference_is_found(
    python: bytes, problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = comparison.decoder_of(0)
    decode = decoder.decode
    monkeypatch.setattr(decoder, "decode", lambda messages, stamps: decode([python], stamps))
    with pytest.raises(AssertionError, match=problem):
        compare(0, [b'{"symbol": "A", "price": 1.5, "volume": 1}'])
