"""Binary messages that a server compresses by itself."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import picows
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.model.feed import INFLATES
from fastingest.source.inflate import inflate_of

MAX_SIZE = 1000


def raw(data: bytes) -> bytes:
    compress = zlib.compressobj(wbits=-15)
    return compress.compress(data) + compress.flush()


COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "raw": raw,
}


def test_there_is_a_test_for_each() -> None:
    assert COMPRESS.keys() == set(INFLATES)


@pytest.mark.parametrize("kind", INFLATES)
@given(message=st.binary(max_size=MAX_SIZE))
def test_what_was_compressed_is_inflated(kind: str, message: bytes) -> None:
    assert inflate_of(kind, MAX_SIZE)(COMPRESS[kind](message)) == message


@pytest.mark.parametrize("kind", INFLATES)
def test_what_is_not_compressed_stays_as_it_is(kind: str) -> None:
    inflate = inflate_of(kind, MAX_SIZE)
    for data in (b'{"symbol":"A"}', b"\xff\xff", b"\x1f\x8b\x08", COMPRESS[kind](b"a") + b"more"):
        assert inflate(data) == data
    for other in COMPRESS.keys() - {kind}:
        data = COMPRESS[other](b'{"symbol":"A"}')
        assert inflate(data) == data


@pytest.mark.parametrize("kind", ["gzip", "zlib"])
def test_half_of_it_stays_as_it_is(kind: str) -> None:
    data = COMPRESS[kind](b'{"symbol":"A","price":1}')
    assert inflate_of(kind, MAX_SIZE)(data[:-1]) == data[:-1]


def test_a_stream_that_is_flushed_and_not_ended_is_read() -> None:
    compress = zlib.compressobj(wbits=-15)
    data = compress.compress(b"some text") + compress.flush(zlib.Z_SYNC_FLUSH)
    assert inflate_of("raw", MAX_SIZE)(data) == b"some text"


@pytest.mark.parametrize("kind", INFLATES)
def test_a_bomb_is_too_big_before_it_takes_memory(kind: str) -> None:
    bomb = COMPRESS[kind](bytes(50_000_000))
    inflate = inflate_of(kind, MAX_SIZE)
    tracemalloc.start()
    with pytest.raises(picows.WSProtocolError, match="over 1000 bytes when inflated") as caught:
        inflate(bomb)
    assert caught.value.code is picows.WSCloseCode.MESSAGE_TOO_BIG
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
