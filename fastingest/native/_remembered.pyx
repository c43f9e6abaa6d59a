# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What is remembered of messages before, as :class:`fastingest.decode.memory.Memory` has it.

A value that was remembered is read as if it stood in the place of its key. It stays as it is while
a message is read: only what brings no row is remembered, and not before that is known.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr

from fastingest.native._json cimport skip
from fastingest.native._parser cimport RowParser
from fastingest.native._places cimport add_whole
from fastingest.native._tree cimport ABSENT, IS_NOT, JSON, RECALLED, Node

from fastingest.decode import memory

cdef Py_ssize_t PADDING = len(memory.PADDING)


cdef const char* recalled(
    RowParser parser, Node* node, const char* p, const char* end
) except? NULL:
    """Take a key, by which the value of a column or of a condition is remembered."""
    cdef const char* behind = skip(p, end)
    cdef const char* text
    if behind is NULL:
        return NULL
    if node.kind == RECALLED:
        parser.cells += 1
        return behind if recalled_cell(parser, node.index, p, behind) else NULL
    if not is_plain(p, behind):
        return NULL
    found = remembered(parser, parser.tests[node.index].recall, p, behind)
    if found is None:
        kind = parser.tests[node.index].kind
        parser.failed = parser.failed or not (kind == IS_NOT or kind == ABSENT)
        return behind
    text = PyBytes_AS_STRING(found)
    if PyBytes_GET_SIZE(found) == PADDING:
        return NULL
    if parser.condition(node.index, text, text + PyBytes_GET_SIZE(found)) is NULL:
        return NULL
    return behind


cdef bint recalled_cell(
    RowParser parser, int index, const char* p, const char* behind
) except -1:
    """Add the cell that is remembered by a key; whether it is certain what that is."""
    cdef const char* text
    cdef const char* end
    reading = &parser.readings[index]
    if not is_plain(p, behind):
        return False
    found = remembered(parser, reading.recall, p, behind)
    if found is None:
        if reading.required:
            return False
        parser.columns.add_null(&parser.columns.columns[index])
        return True
    text = PyBytes_AS_STRING(found)
    end = text + PyBytes_GET_SIZE(found)
    if end - text == PADDING:
        return False
    if reading.type == JSON:
        return add_whole(parser, index, text, end - PADDING)
    return parser.cell(index, text, end) is not NULL


cdef inline bint is_plain(const char* p, const char* behind) noexcept nogil:
    """Whether a key's text is what stands here: an escape stands for another character."""
    return p[0] != b'"' or memchr(p, b"\\", behind - p) is NULL


cdef bytes remembered(RowParser parser, int number, const char* p, const char* behind):
    """The value that is remembered by a key, with its padding; None: there is none.

    The padding alone is no value: only Python knows what that means.
    """
    if p[0] == b"{" or p[0] == b"[":  # by which nothing is, though its text may be another key's
        return None
    if p[0] == b'"':
        p += 1
        behind -= 1
    values = parser.remembered.get(PyBytes_FromStringAndSize(p, behind - p))
    return None if values is None else (<tuple>values)[number]
