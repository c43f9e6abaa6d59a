from __future__ import annotations

from random import Random

import msgspec
import pytest

from tests.fuzz.mutation import mutate

TEXT = b'{"a": [1, -2.5e3, "x y"], "b": {"c": null, "d": "0.10"}}'


def test_the_same_seed_makes_the_same() -> None:
    assert [mutate(TEXT, Random(seed)) for seed in range(99)] == [
        mutate(TEXT, Random(seed)) for seed in range(99)
    ]


@pytest.mark.parametrize("text", [b"", b"{", b'""', b'"', b"\xff\x00", b"[[[", b",,:", TEXT])
def test_any_text_can_be_changed_again_and_again(text: bytes) -> None:
    for seed in range(500):
        random, changed = Random(seed), text
        for _ in range(5):
            changed = mutate(changed, random)


@pytest.mark.parametrize(
    "kind",
    [
        b'"c": null,"c": null',
        b"[1, 1,",
        b'"x y", -2.5e3]',
        b"01",
        b'"1"',
        b"\x0b",
        b'"a\nb"',
        b'[{"x":1},',
        b'"d": "0.10"}]',
        b'{"b": {',
        b"]}]",
    ],
)
def test_it_comes_upon_what_no_writer_of_json_writes(kind: bytes) -> None:
    texts = (mutate(TEXT, Random(seed)) for seed in range(20_000))
    assert kind not in TEXT
    assert any(kind in text for text in texts)


def test_of_what_it_makes_some_is_json_and_some_is_not() -> None:
    decode = msgspec.json.decode
    good = 0
    for seed in range(1000):
        try:
            decode(mutate(TEXT, Random(seed)))
            good += 1
        except (ValueError, UnicodeDecodeError):
            pass
    assert 300 < good < 900
