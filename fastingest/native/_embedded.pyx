# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Strings whose text is JSON: it is unescaped into a buffer, and read there as the rest is.

What was read may point into the buffer until the message is over, so a buffer that is full is kept
until then, and a new one begun.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from libc.string cimport memset

from fastingest.native._json cimport literal, space, unescape
from fastingest.native._parser cimport RowParser
from fastingest.native._tree cimport Node

cdef enum:
    PADDING = 16  # bytes before a text and behind it, which may be looked at, or overwritten
    FIRST_ROOM = 4096
    MAX_KEPT = 1024 * 1024  # bytes of a buffer that is used for the next message


cdef const char* embedded(
    RowParser parser, Node* node, uint64_t walk, const char* p, const char* end
) except? NULL:
    """Take a string whose text is JSON."""
    cdef const char* behind
    cdef const char* inside
    cdef char* start
    cdef char* out
    if p[0] == b"n":
        return literal(p, end)
    if p[0] != b'"':
        return NULL
    start = out = room_for(parser, end - p)
    behind = unescape(p + 1, end, &out)
    if behind is NULL:
        return NULL
    out[0] = 0
    parser.used += out - start + 2 * PADDING
    inside = space(start)
    while out > inside and (out - 1)[0] in b" \n\r\t":
        out -= 1
    if out == inside:  # nothing is there
        return behind + 1
    if (out - 1)[0] not in b"}]":
        return NULL
    if parser.value(node.children[0].node, walk, inside, out) != out:
        return NULL
    return behind + 1


cdef char* room_for(RowParser parser, Py_ssize_t size) except NULL:
    """Where a text may be put of at most so many bytes; zeros stand before it."""
    cdef Py_ssize_t room = PyBytes_GET_SIZE(parser.scratch)
    cdef char* start
    size += 2 * PADDING
    if parser.used == 0:  # by this message
        parser.full.clear()
    if parser.used + size > room or (parser.used == 0 and room > MAX_KEPT):
        if parser.used:
            parser.full.append(parser.scratch)
        parser.scratch = PyBytes_FromStringAndSize(NULL, max(FIRST_ROOM, 2 * size))
        parser.used = 0
    start = PyBytes_AS_STRING(parser.scratch) + parser.used + PADDING
    memset(start - PADDING, 0, PADDING)
    return start
