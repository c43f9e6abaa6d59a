"""Which option makes JSON of messages that are none."""

from __future__ import annotations

import pytest

from fastingest.probe.documents import option_for


@pytest.mark.parametrize(
    ("messages", "option"),
    [
        ((), ""),
        ((b'{"a":1}', b'{"a":\n1}', b"pong"), ""),
        ((b'{"a":1}\n{"a":2}\n',), "--split lines"),
        ((b'{"a":1}\x1e{"a":2}\x1e',), "--split records"),
        ((b'{"a":1}\x1e',), "--split records"),
        ((b'{"a":1}\nb\n',), ""),
        ((b"0{}", b"40{}", b'42["a",1]', b'42["a",2]'), "--strip 42"),
        ((b'42["a",1]',), ""),  # one says little
        ((b'a: {"b":1}', b'a: {"b":2}'), "--strip 'a: '"),
        ((b"42[", b"42["), ""),
        ((b"\xff", b"1", b"\n", b""), ""),
    ],
)
def test_the_option_that_most_of_them_need(messages: tuple[bytes, ...], option: str) -> None:
    assert option_for(messages) == option
