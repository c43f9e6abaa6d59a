from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastingest.decode.decoded import DecodedRun
from fastingest.decode.reference import DecodedMessage
from fastingest.decode.table_decoder import TableDecoder
from fastingest.model.jsonpath import parse_condition
from fastingest.model.rows import parse_rows
from fastingest.model.schema import Schema, parse_columns


def _decoder(columns: str, rows: str = "", *where: str, is_first: bool = True) -> TableDecoder:
    schema = Schema(
        parse_columns(columns), parse_rows(rows), tuple(parse_condition(each) for each in where)
    )
    return TableDecoder(schema, frozenset([b"pong"]), is_first=is_first)


def _read(
    decoder: TableDecoder, *messages: bytes, most_misses: int = 10**6
) -> tuple[DecodedRun, bool]:
    decoded = decoder.new_run()
    return decoded, decoder.read(messages, decoded, most_misses)


def _content(decoded: DecodedRun) -> tuple[Any, ...]:
    messages = decoded.messages
    return (
        decoded.columns,
        decoded.rejects,
        decoded.ignored,
        decoded.untaken,
        messages,
        # Each message at its own time.
        decoded.stamps([(index + 1, 1000 * index) for index in range(messages)]),
    )


def _alone(decoder: TableDecoder, messages: Sequence[bytes]) -> DecodedRun:
    decoded = decoder.new_run()
    for message in messages:
        decoded.add_alone(decoder.decode_alone(message))
    return decoded


_ROW, _OTHER = b'{"k":"x","p":"1.50"}', b'{"k":"y","p":"2"}'
_MESSAGES = [
    _ROW,
    b'{"p":"-7","k":"x","z":[{}]}',
    b'{"k":"x","p":3}',
    b'{"k":"x","p":"one"}',
    b'{"k":"x"}',
    b'{"k":"\\u0078","p":"5"}',
    _OTHER,
    b'[{"k":"x","p":"6"},{"k":"x","p":"7"}]',
    b'[{"k":"x","p":8},{"k":"y"},{"k":"x","p":null}]',
    b'[{"k":"y","p":[]}]',
    b"[]",
    b"pong",
    b"5",
    b'{"k":"x","p":',
]
_runs = st.lists(
    st.tuples(st.sampled_from(_MESSAGES), st.integers(1, 5)).map(lambda run: [run[0]] * run[1]),
    max_size=8,
).map(lambda runs: [message for run in runs for message in run])


@given(st.lists(_runs, min_size=1, max_size=3), st.booleans())
def test_messages_that_are_read_together_bring_what_they_bring_alone(
    parts: list[list[bytes]], is_first: bool
) -> None:
    decoder = _decoder("p:decimal, k", "", "k=x", is_first=is_first)
    for messages in parts:
        decoded, is_whole = _read(decoder, *messages)
        assert is_whole
        assert _content(decoded) == _content(_alone(decoder, messages))


def test_a_message_is_known_to_be_one_row_once_one_was() -> None:
    decoder = _decoder("p:decimal", "", "k=x")
    known = []
    nothing = (b"5", b'{"k":"x","p":"one"}', _OTHER, b"[]")
    for messages in (nothing, (_ROW,), nothing, (b"[%b]" % _ROW,), nothing, (_ROW,)):
        _read(decoder, *messages)
        known.append(decoder.takes_one_row)
    assert known == [False, True, True, False, False, True]


def test_nothing_to_read_is_all_read() -> None:
    decoded, is_whole = _read(_decoder("p:float"), most_misses=0)
    assert is_whole
    assert _content(decoded) == ([[]], [], 0, [], 0, [])


@pytest.mark.parametrize("most", [0, 1, 3])
def test_it_gives_up_after_too_many_messages_for_nothing(most: int) -> None:
    decoder = _decoder("p:decimal", "", "k=x")
    messages = [_ROW, _OTHER, _ROW] * 4
    decoded, is_whole = _read(decoder, *messages, most_misses=most)
    assert (is_whole, decoded.misses) == (False, most + 1)
    assert decoded.messages == messages.index(_OTHER) + 3 * most + 1
    assert _read(decoder, *messages, most_misses=4)[1]


def test_rejects_are_no_messages_for_nothing() -> None:
    decoded, is_whole = _read(_decoder("p:float"), *[b"not JSON", b"{}"] * 3, most_misses=0)
    assert (is_whole, decoded.misses, len(decoded.rejects)) == (True, 0, 6)


def test_one_cell_that_does_not_fit_is_found_in_a_run_of_any_length() -> None:
    decoder = _decoder("p:decimal")
    for length in (1, 2, 7, 64):
        for bad in {0, length // 2, length - 1}:
            messages = [b'{"p":"%d"}' % index for index in range(length)]
            messages[bad] = b'{"p":"x"}'
            decoded, _ = _read(decoder, b'{"p":"0"}', *messages)
            assert [(index, raw) for index, raw, _ in decoded.rejects] == [(bad + 1, messages[bad])]
            (cells,) = decoded.columns
            assert cells == ["0", *(str(index) for index in range(length) if index != bad)]


def test_what_is_not_json_is_a_reject_of_the_first_table_alone() -> None:
    first, other = _decoder("p"), _decoder("p", is_first=False)
    for message, reason in (
        (b"{", "not JSON: it ends too early"),
        (b'{"p":"\xff"}', "not UTF-8: byte 6"),
        (b"[" * 100_000, "nested too deeply"),
    ):
        assert first.decode_alone(message) == DecodedMessage(rejects=[(message, reason)])
        assert other.decode_alone(message) == DecodedMessage(taken=False)


def test_what_is_to_be_ignored_is_not_taken_but_has_a_meaning() -> None:
    decoder = _decoder("p")
    assert decoder.decode_alone(b"pong") == DecodedMessage(taken=False)
    assert decoder.decode_regardless(b"pong").rejects != []
    assert decoder.decode_alone(b'"pong"') == decoder.decode_regardless(b'"pong"')


def test_a_harvest_has_a_list_for_each_column_of_the_feed() -> None:
    assert _decoder("@received, a, @feed, b:int?").new_run().columns == [[], []]
