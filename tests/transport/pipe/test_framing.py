"""Held against what ``multiprocessing`` itself puts on a pipe."""

from __future__ import annotations

import multiprocessing
import os
import struct

import pytest

from fastingest.transport.pipe.framing import header, span


@pytest.mark.parametrize("size", [0, 1, 1000, 40_000])
def test_it_is_what_a_connection_sends(size: int) -> None:
    ours, theirs = multiprocessing.Pipe()
    message = bytes(range(256)) * (size // 256) + bytes(size % 256)
    theirs.send_bytes(message)
    sent = os.read(ours.fileno(), size + 100)
    assert sent == header(size) + message
    assert span(sent) == (len(sent) - size, len(sent))
    ours.close()
    theirs.close()


def test_a_long_message_has_a_long_header() -> None:
    assert header(2**31 - 1) == struct.pack("!i", 2**31 - 1)
    assert header(2**31) == struct.pack("!iQ", -1, 2**31)
    assert span(header(2**31)) == (12, 12 + 2**31)


@pytest.mark.parametrize("size", [5, 2**31])
def test_a_header_that_is_not_all_there_ends_behind_what_there_is(size: int) -> None:
    whole = header(size)
    for length in range(len(whole)):
        body, end = span(b"xx" + whole[:length], 2)
        assert body == end == 2 + (4 if length < 4 else len(whole))
