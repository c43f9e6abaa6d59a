"""What a server may answer, and inflating; with a real connection, see test_deflate.py."""

from __future__ import annotations

import random
import time
import tracemalloc
import zlib

import picows
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.source.deflate import agreed, make_inflate


@pytest.mark.parametrize(
    "answers",
    [
        ["permessage-deflate"],
        ["Permessage-Deflate"],
        ["permessage-deflate; server_no_context_takeover"],
        [" permessage-deflate ;client_no_context_takeover; server_max_window_bits = 8 "],
        ['permessage-deflate; client_max_window_bits="15"; server_max_window_bits=10'],
    ],
)
def test_a_right_answer_is_agreed_to(answers: list[str]) -> None:
    assert agreed(answers, offered=True)
    with pytest.raises(picows.WSError, match="uses an extension that was not offered"):
        agreed(answers, offered=False)


@pytest.mark.parametrize("answers", [[], [""], [" "]])
def test_no_answer_is_no_compression(answers: list[str]) -> None:
    assert not agreed(answers, offered=True)
    assert not agreed(answers, offered=False)


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        (["x-webkit-deflate-frame"], "was not offered: x-webkit-deflate-frame"),
        (["permessage-deflate, x"], "was not offered"),
        (["permessage-deflate", "permessage-deflate"], "was not offered"),
        (["permessage-deflate;"], "was not offered"),
        (["permessage-deflate=1"], "was not offered"),
        (["permessage-deflate; x"], "cannot have 'x' there"),
        (["permessage-deflate; x=1"], "cannot have 'x' there"),
        (["permessage-deflate; server_no_context_takeover=1"], "bad server_no_context_takeover"),
        (["permessage-deflate; server_max_window_bits"], "bad server_max_window_bits: ''"),
        (["permessage-deflate; client_max_window_bits"], "bad client_max_window_bits: ''"),
        (["permessage-deflate; server_max_window_bits=7"], "bad server_max_window_bits: '7'"),
        (["permessage-deflate; server_max_window_bits=16"], "bad server_max_window_bits: '16'"),
        (["permessage-deflate; server_max_window_bits=08"], "bad server_max_window_bits: '08'"),
        (
            ["permessage-deflate; client_no_context_takeover; client_no_context_takeover"],
            "cannot have 'client_no_context_takeover' there",
        ),
    ],
)
def test_a_wrong_answer_fails_the_handshake(answers: list[str], says: str) -> None:
    with pytest.raises(picows.WSError, match=says):
        agreed(answers, offered=True)


def deflate(messages: list[bytes], bits: int = 15, takeover: bool = True) -> list[bytes]:
    """``messages`` as a server sends them."""
    sent = []
    compress = zlib.compressobj(wbits=-bits)
    for message in messages:
        sent.append((compress.compress(message) + compress.flush(zlib.Z_SYNC_FLUSH))[:-4])
        if not takeover:
            compress = zlib.compressobj(wbits=-bits)
    return sent


@given(st.lists(st.binary(max_size=300)), st.integers(9, 15), st.booleans())
def test_what_was_deflated_is_inflated(messages: list[bytes], bits: int, takeover: bool) -> None:
    inflate = make_inflate(300)
    assert [inflate(data) for data in deflate(messages, bits, takeover)] == messages


def test_a_long_run_of_messages_refers_to_all_of_the_window() -> None:
    chance = random.Random(1)
    words = [chance.randbytes(400) for _ in range(200)]  # 80 KB, more than a window
    messages = [chance.choice(words) for _ in range(2000)]
    inflate = make_inflate(400)
    assert [inflate(data) for data in deflate(messages)] == messages


def test_a_message_just_small_enough_is_inflated_and_one_byte_more_is_too_much() -> None:
    inflate = make_inflate(1000)
    assert inflate(deflate([b"x" * 1000])[0]) == b"x" * 1000
    with pytest.raises(picows.WSProtocolError, match="over 1000 bytes") as error:
        make_inflate(1000)(deflate([b"x" * 1001])[0])
    assert error.value.code is picows.WSCloseCode.MESSAGE_TOO_BIG


def test_a_bomb_is_not_inflated_to_its_end() -> None:
    bomb = deflate([bytes(2**28)])[0]
    tracemalloc.start()
    with pytest.raises(picows.WSProtocolError, match="over 1000000 bytes"):
        make_inflate(1_000_000)(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2**23


@pytest.mark.parametrize("data", [b"\xff\xff\xff", b"\x07", deflate([b"abc" * 50])[0][3:]])
def test_what_cannot_be_inflated_is_refused(data: bytes) -> None:
    with pytest.raises(picows.WSProtocolError, match="cannot be inflated") as error:
        make_inflate(1000)(data)
    assert error.value.code is picows.WSCloseCode.INVALID_TEXT


def _final(message: bytes) -> bytes:
    """``message`` in blocks of which the last says so (RFC 7692, section 7.2.3.4)."""
    compress = zlib.compressobj(wbits=-15)
    return compress.compress(message) + compress.flush(zlib.Z_FINISH)


def test_a_final_block_ends_no_connection() -> None:
    messages = [b"first message", b"second message", b"x" * 1000, b"third"]
    inflate = make_inflate(1000)
    sent = [_final(messages[0]) + b"\0", _final(messages[1]), _final(messages[2]) + b"\0"]
    assert [inflate(data) for data in (*sent, *deflate(messages[3:]))] == messages
    with pytest.raises(picows.WSProtocolError, match="over 1000 bytes"):
        inflate(_final(b"y" * 600) + _final(b"y" * 600) + b"\0")


def test_a_message_of_nothing_but_final_blocks_is_refused_at_once() -> None:
    start = time.process_time()
    with pytest.raises(picows.WSProtocolError, match="too many last blocks") as error:
        make_inflate(1000)(_final(b"") * 500_000)  # it would be minutes
    assert error.value.code is picows.WSCloseCode.INVALID_TEXT
    assert time.process_time() - start < 5


def test_blocks_after_a_final_one_belong_to_the_message() -> None:
    inflate = make_inflate(1000)
    assert (
        inflate(_final(b"one, ") + _final(b"two, ") + deflate([b"three"])[0]) == b"one, two, three"
    )
    assert inflate(deflate([b"four"])[0]) == b"four"
