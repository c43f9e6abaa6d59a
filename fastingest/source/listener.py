"""What picows calls for each frame of a feed: frames in, messages to the intake.

Theory of operation. picows calls ``on_ws_frame`` for every frame, and marks the last one of a read
(``last_in_buffer``). What a frame means is said by :mod:`fastingest.source.frames`, what becomes of
a message by :mod:`fastingest.source.intake`; here is who of them is called, and when.

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
reads the whole text messages of the usual state itself, straight into the columns of the batch. All
other frames it hands on, each in its place, and messages that are put together here go to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeAlias, cast

import picows
from picows import WSFrame, WSMsgType, WSTransport

from fastingest.access.secrets import Redactor
from fastingest.decode.batch_builder import ColumnBuffers
from fastingest.source.arrivals import Arrivals, Brought, MessageReader
from fastingest.source.documents import MAX_WAITING_DOCUMENTS, Documents
from fastingest.source.frames import MessageAssembler, answer_close, answer_ping, check_control
from fastingest.source.inflate import inflate_of
from fastingest.source.intake import MAX_WAITING_BYTES, Intake

__all__ = ["FrameReader", "Listener", "MakeReader"]


class FrameReader(MessageReader, Protocol):
    """Stands before a listener, and reads messages natively; a :class:`picows.WSListener`."""

    is_on: bool
    """Whether it reads; otherwise it hands on everything."""


MakeReader: TypeAlias = "Callable[[Listener, Intake, int], tuple[FrameReader, ColumnBuffers]]"
"""Makes one for a listener and its intake: with the most bytes of a message. The rows are in the
buffers."""


class Listener(picows.WSListener):
    """Takes a feed's frames, over all its connections, one at a time.

    A feed that has several at a time has a listener for each; they share the intake.

    :param intake: takes the messages.
    :param max_message_size: bytes; a split message that grows larger fails the connection.
    :param make_reader: what reads messages natively; None: all are read in Python.
    :param inflate: how the server compresses its binary messages, one of
        :data:`fastingest.model.feed.INFLATES`; empty: it does not.
    :param arrivals: the intake's, for what comes here; None: the first.
    :param documents: finds what is to be taken for messages in those that come; None: they are.
    """

    def __init__(
        self,
        intake: Intake,
        *,
        max_message_size: int,
        make_reader: MakeReader | None = None,
        inflate: str = "",
        arrivals: Arrivals | None = None,
        documents: Documents | None = None,
    ) -> None:
        self._intake = intake
        self._documents = documents
        self.arrivals = arrivals or intake.first
        """The intake's."""
        self._max_message_size = max_message_size
        self._assembler = MessageAssembler(
            max_message_size, inflate_of(inflate, max_message_size) if inflate else None
        )
        self._awaited: tuple[Callable[[bytes], bool], asyncio.Future[None]] | None = None
        self._native: FrameReader | None = None
        if make_reader is not None:
            self._native, columns = make_reader(self, intake, max_message_size)
            intake.read_with(self._native, columns)
        self._one = intake.waiting.append if self._native is None else self._native.take
        self._message = self._one if documents is None else partial(self._take_documents, documents)
        self._plain_handler = self._make_handler()
        self._usual_handler = self._plain_handler
        self._ignore_all()
        intake.when_stopped(self._ignore_all)
        self.reads = 0
        """How many reads have brought a whole frame."""
        self.is_connected = False
        """Whether a connection is open, from the end of the handshake on."""

    @property
    def front(self) -> picows.WSListener:
        """What picows is to call."""
        return self if self._native is None else cast(picows.WSListener, self._native)

    @property
    def has_enough(self) -> bool:
        """Whether all the rows have come that were wanted."""
        return self._intake.has_enough

    @property
    def brought(self) -> Brought:
        """What has been decoded of what came here."""
        return self._intake.brought(self.arrivals)

    def hide_with(self, redactor: Redactor) -> None:
        """Hide in rejects what ``redactor`` hides."""
        self._intake.hide_with(redactor, self.arrivals)

    def decode(self) -> None:
        """Decode what waits for more to be decoded with."""
        self._intake.decode(self.arrivals)

    def stop(self) -> None:
        """Hand on everything received, and take nothing any more."""
        self._intake.stop()

    def negotiated(self, inflate: Callable[[bytes], bytes] | None) -> None:
        """Take note of how the messages of the next connection are inflated; None: they are not."""
        self._assembler.inflate_with(inflate)
        self._usual_handler = (
            self._plain_handler if inflate is None else self._make_inflating_handler()
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
        self._assembler.begin()
        self._awaited = None
        self._intake.connected(self.arrivals)
        self._handle_with(self._ignore if self._intake.closed else self._first_handler)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Hand on what the connection brought."""
        self.is_connected = False
        self._intake.disconnected(self.arrivals)

    def end_of_read(self, transport: WSTransport) -> None:
        """Take note that a read has ended."""
        self.reads += 1
        self._assembler.inflated_bytes = 0
        # A frame that picows has refused for its size still comes here, once it is complete.
        if transport.is_close_frame_sent and self._intake.drop_larger_than(self._max_message_size):
            self._ignore_all()
        self._intake.end_of_read(self.arrivals)

    # Handlers

    def _handle_with(self, handler: Callable[[WSTransport, WSFrame], None]) -> None:
        self.on_ws_frame = handler  # type: ignore[assignment, method-assign]  # looked up every time
        if self._native is not None:
            self._native.is_on = handler is self._plain_handler

    def _handle_usually(self) -> None:
        """Go on as the state says, unless nothing is taken any more."""
        if self.on_ws_frame != self._ignore:
            careful = self._assembler.is_split or self._awaited is not None
            self._handle_with(self._careful_handler if careful else self._usual_handler)

    def _ignore_all(self) -> None:
        """Take nothing any more, of this connection."""
        self._handle_with(self._ignore)

    def _make_handler(self) -> Callable[[WSTransport, WSFrame], None]:
        text = WSMsgType.TEXT
        # Not the native reader: it has read what it wants, and handed on the others.
        append = self._intake.waiting.append if self._documents is None else self._message
        assembler = self._assembler
        special_frame = self._special_frame
        end_of_read = self.end_of_read

        def on_ws_frame(transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type is text and frame.fin:
                append(frame.get_payload_as_bytes())
            else:
                special_frame(transport, frame)
            if frame.last_in_buffer or assembler.inflated_bytes >= MAX_WAITING_BYTES:
                end_of_read(transport)

        return on_ws_frame

    def _make_inflating_handler(self) -> Callable[[WSTransport, WSFrame], None]:
        text = WSMsgType.TEXT
        assembler = self._assembler
        inflated = assembler.inflated
        message = self._message
        special_frame = self._special_frame
        end_of_read = self.end_of_read

        def on_ws_frame(transport: WSTransport, frame: WSFrame) -> None:
            if frame.rsv1 and frame.fin and frame.msg_type is text:
                try:
                    message(inflated(frame.get_payload_as_bytes()))
                except picows.WSProtocolError:
                    self._fail()
                    raise
            else:
                special_frame(transport, frame)
            if frame.last_in_buffer or assembler.inflated_bytes >= MAX_WAITING_BYTES:
                end_of_read(transport)

        return on_ws_frame

    def _first_handler(self, transport: WSTransport, frame: WSFrame) -> None:
        """For the first frame: a server that compresses unasked mostly shows it there."""
        self._handle_usually()
        self._careful_handler(transport, frame)

    def _careful_handler(self, transport: WSTransport, frame: WSFrame) -> None:
        self._special_frame(transport, frame)
        if frame.last_in_buffer or self._assembler.inflated_bytes >= MAX_WAITING_BYTES:
            self.end_of_read(transport)

    def _ignore(self, transport: WSTransport, frame: WSFrame) -> None:
        """For frames that come when nothing is taken any more; a close frame is still answered."""
        if frame.msg_type is WSMsgType.CLOSE:
            answer_close(transport)

    def _special_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Any frame, whatever it is."""
        kind = frame.msg_type
        try:
            if kind is WSMsgType.CLOSE or kind is WSMsgType.PING or kind is WSMsgType.PONG:
                self._control_frame(transport, frame)
                return
            message = self._assembler.put(frame)
        except picows.WSProtocolError:  # with whose code picows closes
            self._assembler.begin()
            self._fail()
            raise
        if message is not None:
            if (
                self._awaited is not None
                and self._documents is None  # otherwise it may be one of those
                and self._awaited[0](message)
            ):
                self._answered(self._awaited[1], message)
            else:
                self._message(message)
        if not frame.fin or kind is WSMsgType.CONTINUATION:  # a split message begins, or ends
            self._handle_usually()

    def _take_documents(self, documents: Documents, message: bytes) -> None:
        """Take the documents in a message, of which one may be what is waited for."""
        if len(message) > self._max_message_size:  # which picows has refused, and still brings
            self._fail()
            return
        number = 0
        for number, document in enumerate(documents(message), 1):
            if self._awaited is not None and self._awaited[0](document):
                self._answered(self._awaited[1], document)
            else:
                self._one(document)
            if number % MAX_WAITING_DOCUMENTS == 0:
                self._intake.decode(self.arrivals)
            if self._intake.closed:
                return
        if not number:
            self._intake.count_ignored(self.arrivals)

    def _fail(self) -> None:
        """Take nothing any more of this connection, whose read ends here, in the middle."""
        self._ignore_all()
        self._intake.decode(self.arrivals)

    def _control_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        check_control(frame)
        if frame.msg_type is WSMsgType.PING:
            # An answer says that what came before is here: then it is accounted for, whoever dies.
            self._intake.decode(self.arrivals)
            if not self._intake.closed:
                answer_ping(transport, frame.get_payload_as_bytes())
        elif frame.msg_type is WSMsgType.CLOSE:
            self._ignore_all()
            answer_close(transport)
        # A pong is a sign of life, and as such counted where the bytes are read.

    def _answered(self, future: asyncio.Future[None], message: bytes) -> None:
        self._awaited = None
        if not future.done():
            future.set_result(None)
        if self.arrivals.memory is not None:
            self._intake.decode(self.arrivals)  # what came before does not know of it
            self.arrivals.remember(message)
        self._intake.count_ignored(self.arrivals)
        self._handle_usually()
