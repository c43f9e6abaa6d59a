# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What picows calls for each frame: the native half of :mod:`fastingest.source.listener`.

A whole text message of the usual state is read where it lies, in picows' buffer. Other frames go to
the Python listener, and all of them as long as the state is not the usual one (``is_on``). From
there come back messages that were put together, or inflated. Messages that the reader is not
certain about are left to Python as well. The order is that in which they came: what Python has
waiting is decoded before another message is read here, and the intake settles what was read here
before it decodes.

A message that brings no row may say what is wrong, or ask for something. It goes to
:mod:`fastingest.source.side_messages` if it contains what such a message does, or as long as there
are looks left at what is ignored.

Decoding one message alone in Python takes ten times as long as one of many. So where messages are
uncertain again and again, all of them go to Python for a while, in which it has runs of them, and
the while is longer each time, until most of them are certain.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.list cimport PyList_GET_SIZE
from cpython.tuple cimport PyTuple_GET_SIZE
from libc.string cimport memchr
from picows.picows cimport WSFrame, WSListener, WSMsgType, WSTransport

from fastingest.native._parser cimport RowParser

from picows.picows import _make_test_ws_frame

cdef extern from "string.h":  # where Python.h has asked for GNU's, which macOS has as well
    void* memmem(const void* text, size_t size, const void* piece, size_t length) nogil

cdef enum:
    MISS = 16  # what a message that is not certain weighs, against one that is
    MAX_MISSED = 256
    FIRST_PAUSE = 1024  # messages
    MAX_PAUSE = 65536


cdef class NativeListener(WSListener):
    """Stands before a Python listener.

    :param listener: a :class:`fastingest.source.listener.Listener`.
    :param intake: the :class:`fastingest.source.intake.Intake` that it feeds.
    :param parser: what reads messages: one for all connections of a feed.
    :param max_message_size: bytes.
    """

    cdef object listener
    cdef object intake
    cdef RowParser parser
    cdef list waiting  # messages that the intake has not decoded yet
    cdef Py_ssize_t batch_size  # rows from which on the intake is told at once
    cdef Py_ssize_t max_message_size
    cdef int missed
    cdef int pause  # messages left that go to Python
    cdef int next_pause
    cdef public bint is_on
    cdef object arrivals  # the listener's
    cdef dict remembered  # on the connection; None: nothing ever is
    cdef object side  # None: nobody wants what brings no row
    cdef tuple needles
    cdef bint takes_any
    cdef bint has_rules  # whether any message may say what is asked for
    cdef Py_ssize_t looks

    def __init__(self, listener, intake, RowParser parser, Py_ssize_t max_message_size):
        self.listener = listener
        self.intake = intake
        self.parser = parser
        self.waiting = intake.waiting
        self.batch_size = intake.batch_size
        self.max_message_size = max_message_size
        self.next_pause = FIRST_PAUSE
        self.arrivals = listener.arrivals
        self.side, self.needles = self.arrivals.side, ()
        if self.arrivals.memory is not None:
            self.remembered = self.arrivals.memory.values
        if self.side is not None:
            self.needles, self.takes_any = self.side.needles, self.side.takes_any
            self.has_rules = self.side.has_rules
            self.side.when_refilled(self.refill)

    def refill(self, Py_ssize_t looks):
        """Look at so many more messages that bring no row."""
        self.looks = looks

    cpdef on_ws_connected(self, WSTransport transport):
        self.listener.on_ws_connected(transport)

    cpdef on_ws_disconnected(self, WSTransport transport):
        self.listener.on_ws_disconnected(transport)

    cpdef pause_writing(self):
        self.listener.pause_writing()

    cpdef resume_writing(self):
        self.listener.resume_writing()

    cpdef on_ws_frame(self, WSTransport transport, WSFrame frame):
        if (
            not self.is_on
            or frame.msg_type != WSMsgType.TEXT
            or not frame.fin
            or frame.rsv1 | frame.rsv2 | frame.rsv3
        ):
            self.listener.on_ws_frame(transport, frame)
            return
        if frame.payload_size > self.max_message_size:  # which picows has refused, and still brings
            self.is_on = False
            self.listener.on_ws_frame(transport, frame)
            return
        self.take_text(frame.payload_ptr, frame.payload_size)
        if frame.last_in_buffer:
            self.listener.end_of_read(transport)

    def take(self, bytes message):
        """Take a message that the Python listener has put together, or inflated."""
        self.take_text(PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message))

    cdef bint may_say(self, const char* text, Py_ssize_t size) noexcept:
        """Whether the message may be one that is asked for."""
        cdef Py_ssize_t index
        cdef Py_ssize_t count = PyTuple_GET_SIZE(self.needles)
        if self.takes_any or memchr(text, b"\\", size) is not NULL:
            return True
        for index in range(count):
            needle = <bytes>self.needles[index]
            if memmem(text, size, PyBytes_AS_STRING(needle), PyBytes_GET_SIZE(needle)) is not NULL:
                return True
        return False

    cdef bint take_text(self, const char* text, Py_ssize_t size) except False:
        cdef Py_ssize_t rows
        if self.pause:
            self.pause -= 1
            self.waiting.append(PyBytes_FromStringAndSize(text, size))
            return True
        if PyList_GET_SIZE(self.waiting):
            self.intake.decode(self.arrivals)
        if self.remembered is not None:
            self.parser.remembered = self.remembered
        rows = self.parser.columns.rows
        if self.parser.read(text, size):
            self.parser.messages += 1
            if self.parser.columns.rows == rows:
                if self.looks or (self.has_rules and self.may_say(text, size)):
                    message = PyBytes_FromStringAndSize(text, size)
                    self.looks = self.side.brought_no_row(message)
            elif self.parser.columns.rows >= self.batch_size:
                self.intake.settle(self.arrivals)
            if self.missed:
                self.missed -= 1
                if not self.missed:
                    self.next_pause = FIRST_PAUSE
            return True
        self.missed += MISS
        if self.missed > MAX_MISSED:
            self.pause = self.next_pause
            self.next_pause = min(2 * self.next_pause, MAX_PAUSE)
            self.missed = MAX_MISSED - MISS
        self.waiting.append(PyBytes_FromStringAndSize(text, size))
        self.intake.decode(self.arrivals)
        return True

    def take_counts(self):
        """As in :class:`fastingest.source.arrivals.MessageReader`.

        By whichever of the listeners that share the parser.
        """
        parser = self.parser
        counts = parser.messages, parser.ignored, parser.blanked
        parser.messages = parser.ignored = parser.blanked = 0
        return counts


def check():
    """Make sure that picows' objects are laid out here as they are there.

    :raises RuntimeError: they are not; using them would end in a crash.
    """
    cdef WSFrame frame
    payload = b"a payload"
    for kind in (WSMsgType.TEXT, WSMsgType.PING):
        for fin in (True, False):
            for rsv1 in (True, False):
                frame = _make_test_ws_frame(kind, payload, fin, rsv1)
                if (
                    frame.msg_type != kind
                    or frame.fin != fin
                    or frame.rsv1 != rsv1
                    or frame.payload_size != len(payload)
                    or frame.payload_ptr[: frame.payload_size] != payload
                ):
                    raise RuntimeError("picows' frames are not as they were when this was built")
