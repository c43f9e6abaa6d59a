"""Messages of several connections, taken apart into runs, and made rows of in one order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import picows
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.decode.feed_decoder import FeedDecoder
from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.model.batch import Batch
from fastingest.model.schema import Schema, parse_columns
from fastingest.native.factory import reader_with
from fastingest.native.parse_plan import plan_of
from fastingest.source.arrivals import Arrivals, runs_of
from fastingest.source.intake import Intake
from fastingest.source.listener import Listener
from tests.support.native import native_module

SCHEMA = Schema(parse_columns("n:int, s, c=@connection"), described=True)
OPEN = cast(Any, SimpleNamespace(is_close_frame_sent=False))

# A row that is certain, one that only Python reads, a reject, and what a reader leaves alone.
KINDS = ('{"n": %d, "s": "a"}', '{"n": %d, "s": "\\u00e9"}', '{"n": "no %d"}', "[%d]")
Reads = list[tuple[int, list[str]]]
READS = st.lists(
    st.tuples(st.integers(0, 2), st.lists(st.sampled_from(KINDS), min_size=1, max_size=40)),
    max_size=12,
)


def test_messages_are_in_runs_of_one_connection_each() -> None:
    a, b = Arrivals(None), Arrivals(None)
    messages = [b"0", b"1", b"2", b"3", b"4"]
    runs = list(runs_of(messages, [(1, 10), (3, 11), (4, 12), (5, 13)], [a, a, b, a]))
    assert runs == [
        ([b"0", b"1", b"2"], [(1, 10), (3, 11)], a),
        ([b"3"], [(1, 12)], b),
        ([b"4"], [(1, 13)], a),
    ]


class Heard:
    """Three connections of a feed, and what comes of them."""

    def __init__(self, native: bool, batch_size: int) -> None:
        self.batches: list[Batch] = []
        self.counters = Counters.create()
        intake = Intake(
            FeedDecoder([SCHEMA], batch_size),
            FeedCounters([self.counters]),
            emit=self.batches.append,
            finished=lambda: None,
            flush_interval=60.0,
        )
        self.intake = intake
        make_reader = None
        if native:
            native_module("_listener")
            make_reader = reader_with(native_module("_parser").RowParser(plan_of(SCHEMA)))
        arrivals = [intake.first, intake.another(None), intake.another(None)]
        self.listeners = [
            Listener(intake, max_message_size=1024, make_reader=make_reader, arrivals=each)
            for each in arrivals
        ]
        for listener in self.listeners:
            listener.on_ws_connected(OPEN)

    def read(self, line: int, messages: Sequence[bytes]) -> None:
        """A read of a connection, whole, as it is where messages are split or inflated."""
        for message in messages:
            self.listeners[line]._message(message)
        self.listeners[line].end_of_read(OPEN)

    @property
    def rows(self) -> list[tuple[int, int]]:
        """Number and connection of each row."""
        found = []
        for batch in self.batches:
            if batch.rows:
                ends = [*(start for start, _ in batch.connections[1:]), batch.rows]
                numbers = [
                    number
                    for (start, number), end in zip(batch.connections, ends, strict=True)
                    for _ in range(start, end)
                ]
                found += list(zip(batch.columns()[0], numbers, strict=True))
        return found


@pytest.mark.parametrize("native", [False, True])
@settings(max_examples=60)
@given(reads=READS, batch_size=st.sampled_from([1, 7, 1000]))
def test_rows_are_in_the_order_of_the_reads_and_counted_by_connection(
    native: bool, reads: Reads, batch_size: int
) -> None:
    async def scenario() -> None:
        heard = Heard(native, batch_size)
        wanted: list[tuple[int, int]] = []
        messages: Counter[int] = Counter()
        rejects: Counter[int] = Counter()
        number = 0
        for line, kinds in reads:
            texts = []
            for kind in kinds:
                texts.append((kind % number).encode())
                if kind in KINDS[:2]:
                    wanted.append((number, line + 1))
                else:
                    rejects[line] += 1
                number += 1
            messages[line] += len(kinds)
            heard.read(line, texts)
        heard.intake.flush()
        assert heard.rows == wanted
        for line, listener in enumerate(heard.listeners):
            rows = sum(connection == line + 1 for _, connection in wanted)
            assert listener.brought == (messages[line], rows, rejects[line])
        assert heard.counters[Slot.MESSAGES] == heard.counters[Slot.DECODED] == number

    asyncio.run(scenario())


@pytest.mark.parametrize("native", [False, True])
def test_one_that_is_connected_anew_has_another_number(native: bool) -> None:
    async def scenario() -> None:
        heard = Heard(native, 100)
        heard.read(0, [b'{"n": 1, "s": "a"}'])
        heard.read(1, [b'{"n": 2, "s": "a"}'])
        heard.listeners[1].on_ws_disconnected(OPEN)
        heard.listeners[1].on_ws_connected(OPEN)
        heard.read(0, [b'{"n": 3, "s": "a"}'])
        heard.read(1, [b'{"n": 4, "s": "a"}'])
        heard.intake.flush()
        assert heard.rows == [(1, 1), (2, 2), (3, 1), (4, 4)]

    asyncio.run(scenario())


@pytest.mark.parametrize("native", [False, True])
def test_what_a_read_has_brought_that_ends_in_the_middle_is_of_its_connection(native: bool) -> None:
    """The frame behind it breaks the protocol, so nothing says that the read is over."""

    async def scenario() -> None:
        heard = Heard(native, 100)
        heard.listeners[0]._message(b'{"n": 1, "s": "a"}')
        with pytest.raises(picows.WSProtocolError):
            heard.listeners[0]._special_frame(OPEN, _split_without_beginning())
        heard.read(1, [b'{"n": 2, "s": "a"}'])
        heard.intake.flush()
        assert heard.rows == [(1, 1), (2, 2)]
        assert [listener.brought.rows for listener in heard.listeners] == [1, 1, 0]

    asyncio.run(scenario())


def _split_without_beginning() -> Any:
    """The end of a message that has no beginning."""
    kind = picows.WSMsgType.CONTINUATION
    return SimpleNamespace(msg_type=kind, rsv1=False, rsv2=False, rsv3=False, fin=True)
