"""Frames → messages → rows, in Python: the reference for the native listener, and what it leaves.

Theory of operation. picows calls ``on_ws_frame`` for every frame, and marks the last one of a read
(``last_in_buffer``). Complete messages wait in a list until it pays to decode them together: at the
end of a read that brought many, or when enough small reads have come, or when the flush interval of
the oldest is over. Each read gets one time stamp. Decoded rows fill a batch, which is handed on
(``emit``) when it is full or when the flush interval is over.

What it costs is counted in nanoseconds a frame, hence the shape of the handler:

- It is a closure on the instance, not a method: no ``self``, no attribute look-ups. picows looks
  ``on_ws_frame`` up anew for every frame, so a state in which frames mean something else (a split
  message under way, a connection that is over) is another handler, and the usual one has no flags
  to test.
- picows' own answer to pings is switched off (``enable_auto_pong=False``): it would swallow a ping
  that ends a read, and with it the mark that the read is over; the rows before it would wait for
  the next read, however long that takes.
- So a connection that compresses has a usual handler of its own, and while an answer is waited for
  (:meth:`Listener.wait_for`), every frame goes the careful way.
- The reserved bits of a whole text message are not looked at where nothing is compressed, but for a
  connection's first frame: it would be 28 ns a frame, one tenth of all, for a mistake that costs a
  reject. Those of other frames are.

With a native listener (:mod:`fastingest.native._listener`) it is that one which picows calls. It
reads the whole text messages of the usual state itself, straight into the columns of the batch, as
long as it is certain what they mean; so it does with those that are put together here. All other
frames and messages it hands on, each in its place. What it has read is settled here: at the end of
a read, when it fills a batch, and before anything is decoded in Python.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol, TypeAlias, cast

import picows
from picows import WSCloseCode, WSFrame, WSMsgType, WSTransport

from fastingest.access.secrets import Redactor
from fastingest.decode.batch_builder import ColumnBuffers
from fastingest.decode.decoder import Decoder
from fastingest.metrics.counters import FeedCounters, Slot
from fastingest.model.batch import Batch

__all__ = ["FrameReader", "Limit", "Listener", "MakeReader"]

# A read that brings this many messages is decoded at once; smaller ones wait for company. Decoding
# one message alone takes 3.2 µs, one of 32 together 0.45, one of 1,000 0.34.
_MANY = 32
# What may wait undecoded, in messages and in bytes.
_MOST_WAITING = 1024
_MOST_WAITING_BYTES = 256 * 1024

# Bytes of answers that a server has not taken yet, from which on its pings are not answered. One
# that sends pings and reads nothing would fill the memory.
_MOST_UNSENT = 64 * 1024

# Close codes for programs to see, never for the wire (RFC 6455, section 7.4.1).
_NEVER_SENT = {1004, 1005, 1006, 1015}


class FrameReader(Protocol):
    """Stands before a listener, and reads messages natively; a :class:`picows.WSListener`."""

    is_on: bool
    """Whether it reads; otherwise it hands on everything."""

    def take(self, message: bytes) -> None:
        """Take a message that the listener has put together, or inflated."""

    def take_counts(self) -> tuple[int, int]:
        """Messages read since this was last asked, and of them (or their rows) those ignored."""


MakeReader: TypeAlias = (
    "Callable[[Listener, list[bytes], int, int], tuple[FrameReader, ColumnBuffers]]"
)
"""Makes one for a listener: with its list of messages that wait to be decoded, the rows from which
on it is told at once, and the most bytes of a message. The rows are in the buffers."""


class Limit:
    """How many rows may still be taken, by all listeners that share it; None: any number."""

    def __init__(self, left: int | None = None) -> None:
        self.left = left


class Listener(picows.WSListener):
    """Takes one feed's messages, over all its connections, one at a time.

    :param decoder: makes rows of messages.
    :param counters: the feed's, for each of its tables; what is not of one table is counted in the
        first.
    :param emit: takes each batch when it is closed.
    :param finished: called when the limit is reached; nothing is taken after that.
    :param flush_interval: seconds after which a batch is closed anyway.
    :param max_message_size: bytes; a split message that grows larger fails the connection.
    :param limit: may be shared with others.
    :param make_reader: what reads messages natively; None: all are read in Python.
    """

    def __init__(
        self,
        decoder: Decoder,
        counters: FeedCounters,
        *,
        emit: Callable[[Batch], None],
        finished: Callable[[], None],
        flush_interval: float,
        max_message_size: int,
        limit: Limit | None = None,
        make_reader: MakeReader | None = None,
    ) -> None:
        self._decoder = decoder
        self._counters = counters
        self._emit = emit
        self._finished = finished
        self._flush_interval = flush_interval
        self._max_message_size = max_message_size
        self._limit = limit or Limit()
        self._all_slots = [table.slots for table in counters.tables]
        self._call_later = asyncio.get_running_loop().call_later
        self._timer: asyncio.TimerHandle | None = None
        self._messages: list[bytes] = []  # not decoded yet
        self._stamps: list[tuple[int, int]] = []  # of them: (end, nanoseconds since the epoch)
        self._waiting_bytes = 0
        self._split: bytearray | None = None  # the split message under way
        self._split_deflated = False
        self._inflate: Callable[[bytes], bytes] | None = None
        self._inflated = 0  # bytes, of this read so far: a small one may hold large messages
        self._awaited: tuple[Callable[[bytes], bool], asyncio.Future[None]] | None = None
        self._time = 0  # of the read under way, in ns since the epoch; 0: not asked for yet
        self._native: FrameReader | None = None
        if make_reader is not None:
            size = decoder.tables[0].batch_size
            self._native, columns = make_reader(self, self._messages, size, max_message_size)
            decoder.tables[0].gather_in(columns)
        self._append = self._messages.append if self._native is None else self._native.take
        """Takes a whole message."""
        self._plain_handler = self._make_handler()
        self._usual_handler = self._plain_handler
        self._handle_with(self._ignore)
        self._bound_waiting()
        self.closed = False
        """Whether :meth:`stop` was called, or the limit was reached."""
        self.reads = 0
        """How many reads have brought a whole frame."""
        self.is_connected = False
        """Whether a connection is open, from the end of the handshake on."""

    @property
    def front(self) -> picows.WSListener:
        """What picows is to call."""
        return self if self._native is None else cast(picows.WSListener, self._native)

    def hide_with(self, redactor: Redactor) -> None:
        """Hide in rejects what ``redactor`` hides."""
        for table in self._decoder.tables:
            table.redactor = redactor

    def negotiated(self, inflate: Callable[[bytes], bytes] | None) -> None:
        """Take note of how the messages of the next connection are inflated; None: they are not."""
        self._inflate = inflate
        self._usual_handler = (
            self._plain_handler if inflate is None else self._make_inflating_handler(inflate)
        )

    def wait_for(self, is_it: Callable[[bytes], bool]) -> asyncio.Future[None]:
        """Wait for a message that ``is_it``: done when it has come. It counts as ignored.

        Other messages are taken as usual meanwhile. Cancelling ends the wait.
        """
        future = asyncio.get_running_loop().create_future()
        self._awaited = (is_it, future)
        future.add_done_callback(self._waited)
        self._handle_usually()
        return future

    def _waited(self, future: asyncio.Future[None]) -> None:
        if self._awaited is not None and self._awaited[1] is future:
            self._awaited = None
            self._handle_usually()

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Start over with a new connection."""
        self.is_connected = True
        self._split = None
        self._awaited = None
        self._decoder.connected(self._counters[Slot.CONNECTIONS] + 1)
        self._handle_with(self._ignore if self.closed else self._first_handler)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Hand on what the connection brought; half a message is none."""
        self.is_connected = False
        self.flush()
        self._time = 0

    def stop(self) -> None:
        """Hand on everything received, and take nothing any more."""
        self.closed = True
        self._handle_with(self._ignore)
        self.flush()

    def flush(self) -> None:
        """Close the batch under way, if there is anything in it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.decode()
        if not self._decoder.is_empty:
            for batch in self._decoder.take():
                self._emit(batch)
            self._bound_waiting()

    def _handle_with(self, handler: Callable[[WSTransport, WSFrame], None]) -> None:
        self.on_ws_frame = handler  # type: ignore[assignment, method-assign]  # looked up every time
        if self._native is not None:
            self._native.is_on = handler is self._plain_handler

    def _make_handler(self) -> Callable[[WSTransport, WSFrame], None]:
        text = WSMsgType.TEXT
        append = self._messages.append
        special_frame = self._special_frame
        end_of_read = self.end_of_read

        def on_ws_frame(transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type is text and frame.fin:
                append(frame.get_payload_as_bytes())
            else:
                special_frame(transport, frame)
            if frame.last_in_buffer:
                end_of_read(transport)

        return on_ws_frame

    def _make_inflating_handler(
        self, inflate: Callable[[bytes], bytes]
    ) -> Callable[[WSTransport, WSFrame], None]:
        text = WSMsgType.TEXT
        append = self._append
        special_frame = self._special_frame
        end_of_read = self.end_of_read
        inflated = self._inflated_message

        def on_ws_frame(transport: WSTransport, frame: WSFrame) -> None:
            if frame.rsv1 and frame.fin and frame.msg_type is text:
                append(inflated(inflate, frame.get_payload_as_bytes()))
            else:
                special_frame(transport, frame)
            if frame.last_in_buffer or self._inflated >= _MOST_WAITING_BYTES:
                end_of_read(transport)

        return on_ws_frame

    def _first_handler(self, transport: WSTransport, frame: WSFrame) -> None:
        """For the first frame: a server that compresses unasked mostly shows it there."""
        self._handle_usually()
        self._careful_handler(transport, frame)

    def _careful_handler(self, transport: WSTransport, frame: WSFrame) -> None:
        self._special_frame(transport, frame)
        if frame.last_in_buffer or self._inflated >= _MOST_WAITING_BYTES:
            self.end_of_read(transport)

    def _ignore(self, transport: WSTransport, frame: WSFrame) -> None:
        """For frames that come when nothing is taken any more; a close frame is still answered."""
        if frame.msg_type is WSMsgType.CLOSE:
            self._close(transport)

    def _handle_usually(self) -> None:
        """Go on as the state says, unless nothing is taken any more."""
        if self.on_ws_frame != self._ignore:
            careful = self._split is not None or self._awaited is not None
            self._handle_with(self._careful_handler if careful else self._usual_handler)

    def _special_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Any frame, whatever it is (RFC 6455, sections 5.4 and 5.5)."""
        kind = frame.msg_type
        begins = kind is WSMsgType.TEXT or kind is WSMsgType.BINARY
        if frame.rsv2 or frame.rsv3 or (frame.rsv1 and not (begins and self._inflate)):
            self._fail(WSCloseCode.PROTOCOL_ERROR, "a frame has a reserved bit set")
        elif kind is WSMsgType.CLOSE:
            self._close(transport)
        elif kind is WSMsgType.PING:
            if transport.underlying_transport.get_write_buffer_size() < _MOST_UNSENT:
                transport.send_pong(frame.get_payload_as_bytes())
        elif kind is WSMsgType.PONG:
            pass  # a sign of life, and as such counted where the bytes are read
        elif begins == (self._split is not None):
            self._fail(
                WSCloseCode.PROTOCOL_ERROR,
                "a continuation without a message to continue"
                if self._split is None
                else "a split message was interrupted by another",
            )
        elif frame.fin and self._split is None:
            self._take(frame.get_payload_as_bytes(), frame.rsv1)
        else:
            if self._split is None:
                self._split, self._split_deflated = bytearray(), frame.rsv1
            split = self._split
            split += frame.get_payload_as_bytes()
            if len(split) > self._max_message_size:
                self._fail(
                    WSCloseCode.MESSAGE_TOO_BIG,
                    f"a split message is over {self._max_message_size} bytes",
                )
            if frame.fin:
                self._split = None
                self._take(bytes(split), self._split_deflated)
            self._handle_usually()

    def _take(self, message: bytes, deflated: bool) -> None:
        """Take a whole message."""
        if deflated and self._inflate is not None:
            message = self._inflated_message(self._inflate, message)
        if self._awaited is not None and self._awaited[0](message):
            self._answered(self._awaited[1])
        else:
            self._append(message)

    def _inflated_message(self, inflate: Callable[[bytes], bytes], deflated: bytes) -> bytes:
        try:
            message = inflate(deflated)
        except picows.WSProtocolError:
            self._handle_with(self._ignore)
            raise
        self._inflated += len(message)
        return message

    def _answered(self, future: asyncio.Future[None]) -> None:
        self._awaited = None
        if not future.done():
            future.set_result(None)
        self._counters.tables[0].add(Slot.IGNORED)
        self._counters.add(Slot.MESSAGES)
        self._counters.add(Slot.DECODED)
        self._handle_usually()

    def _fail(self, code: WSCloseCode, reason: str) -> None:
        self._split = None
        self._handle_with(self._ignore)
        raise picows.WSProtocolError(code, reason)  # picows closes with the code

    def _close(self, transport: WSTransport) -> None:
        """Answer the server's close frame with its own code (RFC 6455, section 5.5.1)."""
        self._handle_with(self._ignore)
        handshake = transport.close_handshake
        code = handshake.recv.code if handshake and handshake.recv else WSCloseCode.OK
        if code is WSCloseCode.NO_INFO:
            code = WSCloseCode.OK
        elif not 1000 <= code.value < 5000 or code.value in _NEVER_SENT:
            code = WSCloseCode.PROTOCOL_ERROR
        transport.send_close(code)
        transport.disconnect()

    def end_of_read(self, transport: WSTransport) -> None:
        """Take note that a read has ended, and decode what is worth it."""
        self.reads += 1
        self._inflated = 0
        messages, stamps = self._messages, self._stamps
        if transport.is_close_frame_sent:
            self._drop_oversized()
        self.settle()
        counted = stamps[-1][0] if stamps else 0
        new = len(messages) - counted
        if not new:
            self._time = 0
            return
        self._count_messages(new)
        stamps.append((len(messages), self._now()))
        self._time = 0
        if new < _MANY:
            self._waiting_bytes += sum(map(len, messages[counted:]))
            if len(messages) < self._most_waiting and self._waiting_bytes < _MOST_WAITING_BYTES:
                return
        self.decode()

    def _now(self) -> int:
        """When the read under way came."""
        if not self._time:
            self._time = time.time_ns()
        return self._time

    def _count_messages(self, new: int) -> None:
        for slots in self._all_slots:
            slots[Slot.MESSAGES] += new
        if self._timer is None:
            self._timer = self._call_later(self._flush_interval, self.flush)

    def _drop_oversized(self) -> None:
        """A frame that picows has refused for its size still comes here, once it is complete."""
        for index, message in enumerate(self._messages):
            if len(message) > self._max_message_size:
                del self._messages[index:]
                self._handle_with(self._ignore)
                return

    def settle(self) -> None:
        """Account for what the native listener has read."""
        if self._native is None:
            return
        messages, ignored = self._native.take_counts()
        if not messages:
            return
        self._count_messages(messages)
        table = self._decoder.tables[0]
        before = [(table.rows, table.rejects)]
        self._decoder.ignored += ignored
        closed = table.settle(self._now(), self._limit.left)
        self._account(before, ignored, messages, closed)

    def decode(self) -> None:
        """Make rows of the waiting messages, and close the batches that this fills."""
        self.settle()
        messages, decoder = self._messages, self._decoder
        if not messages:
            return
        counted = self._stamps[-1][0] if self._stamps else 0
        if counted < len(messages):  # it is not the end of a read
            self._count_messages(len(messages) - counted)
            self._stamps.append((len(messages), self._now()))
        before = [(table.rows, table.rejects) for table in decoder.tables]
        ignored, closed = decoder.ignored, []
        if self._limit.left != 0:  # as it is where another listener has reached it
            closed = decoder.decode(messages, self._stamps, self._limit.left)
        decoded = len(messages)
        messages.clear()
        self._stamps.clear()
        self._waiting_bytes = 0
        self._account(before, decoder.ignored - ignored, decoded, closed)

    def _account(
        self, before: list[tuple[int, int]], ignored: int, decoded: int, closed: list[Batch]
    ) -> None:
        """Count what messages have brought, and hand on the batches that this has closed.

        :param before: of each table, its rows and rejects before.
        """
        decoder = self._decoder
        taken = 0
        tables = zip(decoder.tables, self._counters.tables, before, strict=True)
        for table, counters, (rows, rejects) in tables:
            rows, rejects = table.rows - rows, table.rejects - rejects  # noqa: PLW2901
            counters.add(Slot.RECEIVED, rows + rejects)
            if rejects:
                counters.add(Slot.REJECTED, rejects)
            taken += rows
        if ignored:
            self._counters.tables[0].add(Slot.IGNORED, ignored)
        # Last: what a kill finds in between is counted twice rather than not at all.
        self._counters.add(Slot.DECODED, decoded)
        for batch in closed:
            self._emit(batch)
        if closed and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            if decoder.oldest:
                waited = (time.time_ns() - decoder.oldest) / 1e9
                left = min(max(0.0, self._flush_interval - waited), self._flush_interval)
                self._timer = self._call_later(left, self.flush)
        if self._limit.left is not None:
            self._limit.left -= taken
            if self._limit.left == 0 and not self.closed:
                self.stop()
                self._finished()
        self._bound_waiting()

    def _bound_waiting(self) -> None:
        """Set how many messages may wait: fewer than fill the batch, or the run."""
        most = min(_MOST_WAITING, self._decoder.room)
        left = self._limit.left
        self._most_waiting = most if left is None else min(most, left)
