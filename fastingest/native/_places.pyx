# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Rows that stars lead to, and columns that show where a row is: see the parser.

They are functions, and of a module of their own, so that what most tables need stays as it is: what
a compiler puts into one function with it takes some of its speed.
"""

from libc.stdint cimport uint64_t

from fastingest.native._column cimport add_integer
from fastingest.native._json cimport behind_item, scalar, space, string
from fastingest.native._parser cimport RowParser
from fastingest.native._strings cimport add_text
from fastingest.native._tree cimport INDEX, KEY, NAMES, PLACE, VALUE, Node, is_new

cdef extern from *:
    int __builtin_popcountll(unsigned long long word) nogil


cdef const char* each_member(
    RowParser parser, Node* node, const char* p, const char* end
) except? NULL:
    """Take an object of which each member leads to rows."""
    cdef const char* before = parser.key
    cdef bint closed = False
    cdef uint64_t walk
    cdef int left = NAMES // 2
    if p[0] != b"{":
        return NULL
    parser.walk += 1
    walk = parser.walk
    p = space(p + 1)
    if p[0] == b"}":
        parser.ignored += __builtin_popcountll(node.places)
        parser.found |= node.places
        return p + 1
    while not closed:
        parser.key = p
        left -= 1
        if p[0] != b'"' or left < 0:
            return NULL
        p = string(p + 1, end)
        if p is NULL or not is_new(node, parser.key, p - parser.key, walk):
            return NULL
        p = space(p + 1)
        if p[0] != b":":
            return NULL
        p = behind_item(match(parser, node, space(p + 1), end), end, b"}", &closed)
        if p is NULL:
            return NULL
    parser.key = before
    return p


cdef const char* each_element(
    RowParser parser, Node* node, const char* p, const char* end
) except? NULL:
    """Take an array of which each element leads to rows."""
    cdef Py_ssize_t before = parser.index
    cdef Py_ssize_t position = 0
    cdef bint closed = False
    if p[0] != b"[":
        return NULL
    p = space(p + 1)
    if p[0] == b"]":
        parser.ignored += __builtin_popcountll(node.places)
        parser.found |= node.places
        return p + 1
    while not closed:
        parser.index = position
        position += 1
        p = behind_item(match(parser, node, p, end), end, b"]", &closed)
        if p is NULL:
            return NULL
    parser.index = before
    return p


cdef const char* match(
    RowParser parser, Node* node, const char* p, const char* end
) except? NULL:
    """Take a member or an element that leads to rows."""
    cdef uint64_t found = parser.found
    parser.found = 0
    parser.walk += 1
    p = parser.value(node.children[0].node, parser.walk, p, end)
    parser.ignored += __builtin_popcountll(node.places & ~parser.found)
    parser.found = found | node.places
    return p


cdef const char* own_rows(
    RowParser parser, int place, const char* p, const char* end
) except? NULL:
    """The same where columns show where a row is."""
    cdef char opening = b"[" if parser.is_array else b"{"
    cdef Py_ssize_t position = 0
    cdef bint closed = False
    if parser.is_value or p[0] != opening or (parser.is_array and space(p + 1)[0] == b"["):
        if p[0] == b"[" and parser.many:
            p = space(p + 1)
            while not closed:
                p = behind_item(own_row(parser, place, position, p, end), end, b"]", &closed)
                position += 1
                if p is NULL:
                    return NULL
            return p
    return own_row(parser, place, parser.index, p, end)


cdef const char* own_row(
    RowParser parser, int place, Py_ssize_t position, const char* p, const char* end
) except? NULL:
    """Take a row, and show where it is."""
    cdef Py_ssize_t rows = parser.columns.rows
    cdef const char* value = p
    cdef char opening = b"[" if parser.is_array else b"{"
    cdef int index
    if parser.is_value:
        if rows == parser.columns.capacity:
            parser.columns.make_room()
        p = scalar(p, end)
        parser.columns.rows += 1
    elif p[0] == opening:
        p = parser.row(p, end)
    else:
        return NULL
    if p is NULL or parser.columns.rows == rows:
        return p
    for index in range(parser.columns.width):
        reading = &parser.readings[index]
        if reading.own == INDEX:
            add_integer(&parser.columns.columns[index], position)
        elif reading.own == PLACE:
            text = &parser.places[place]
            add_text(&parser.columns.columns[index], text.text, text.size)
        elif reading.own == VALUE:
            if parser.cell(index, value, end) is NULL:
                return NULL
        elif reading.own == KEY:
            if parser.key is not NULL:
                if parser.cell(index, parser.key, end) is NULL:
                    return NULL
            elif reading.required:
                return NULL
            else:
                parser.columns.add_null(&parser.columns.columns[index])
    return p
