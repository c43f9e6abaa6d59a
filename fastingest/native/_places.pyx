# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What few tables or few messages need: rows that stars lead to, columns that show where a row is,
those that are added for all rows at once, what is remembered of messages before, elements that are
counted from the end, and empty cells.

See the parser. They are functions, and of a module of their own, so that what most tables need
stays as it is: what a compiler puts into one function with it takes some of its speed.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t

from fastingest.native._cells cimport no_number
from fastingest.native._column cimport add_integer
from fastingest.native._json cimport behind_item, skip, space, string
from fastingest.native._parser cimport RowParser
from fastingest.native._strings cimport add_text
from fastingest.native._tree cimport (
    ABSENT,
    EACH_ELEMENT,
    EACH_MEMBER,
    INDEX,
    IS_NOT,
    JSON,
    KEY,
    MAX_FROM_END,
    NAMES,
    PLACE,
    RECALLED,
    SEVERAL,
    TEXT,
    VALUE,
    Node,
    is_new,
)

cdef enum:
    PADDING = 16  # bytes, as fastingest.decode.memory has it

cdef extern from *:
    int __builtin_popcountll(unsigned long long word) nogil


cdef const char* rare_value(
    RowParser parser, Node* node, uint64_t walk, const char* p, const char* end
) except? NULL:
    """Take the value of a node of which few tables have any: ``SEVERAL`` and those behind it."""
    if node.kind == SEVERAL:
        return several(parser, node, walk, p, end)
    if node.kind == EACH_MEMBER:
        return each_member(parser, node, p, end)
    if node.kind == EACH_ELEMENT:
        return each_element(parser, node, p, end)
    return recalled(parser, node, p, end)


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
        p = skip(p, end)
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
            if not own_cell(parser, index, value, p, end):
                return NULL
        elif reading.own == KEY:
            if parser.key is not NULL:
                if not own_cell(parser, index, parser.key, string(parser.key + 1, end) + 1, end):
                    return NULL
            elif reading.required:
                return NULL
            else:
                parser.columns.add_null(&parser.columns.columns[index])
    return p


cdef bint own_cell(
    RowParser parser, int index, const char* p, const char* behind, const char* end
) except -1:
    """Add a cell of what a row has besides; whether it is certain what that is."""
    if parser.readings[index].type == JSON:
        return parser.add_whole(index, p, behind)
    return parser.cell(index, p, end) is not NULL


cdef const char* several(
    RowParser parser, Node* node, uint64_t walk, const char* p, const char* end
) except? NULL:
    """Take a value for each of the nodes that it is for."""
    cdef int index
    cdef const char* behind = NULL
    for index in range(node.count):
        behind = parser.value(node.children[index].node, walk, p, end)
        if behind is NULL:
            return NULL
    return behind


cdef const char* array_from_end(
    RowParser parser, Node* node, uint64_t walk, const char* p, const char* end
) except? NULL:
    """Take an array of which some elements are counted from the end: these come last."""
    cdef const char* last[MAX_FROM_END]
    cdef const char* value
    cdef int number, from_end
    cdef Py_ssize_t position = 0
    cdef bint closed = False
    p = space(p + 1)
    if p[0] == b"]":
        return p + 1
    while not closed:
        last[position % MAX_FROM_END] = p
        number = node.children[position].node if position < node.count else -1
        position += 1
        p = skip(p, end) if number < 0 else parser.value(number, walk, p, end)
        p = behind_item(p, end, b"]", &closed)
        if p is NULL:
            return NULL
    for from_end in range(<int>min(position, node.from_end), 0, -1):
        number = node.children[node.count + from_end - 1].node
        if number >= 0:
            value = last[(position - from_end) % MAX_FROM_END]
            if parser.value(number, walk, value, end) is NULL:
                return NULL
    return p


cdef bint read_later(RowParser parser, Py_ssize_t start, const char* end) except -1:
    """Add the columns of the root, and constants, once for each row of the message."""
    cdef int index
    for index in range(parser.columns.width):
        reading = &parser.readings[index]
        if reading.constant is not NULL:
            column = &parser.columns.columns[index]
            for _ in range(start, parser.columns.rows):
                add_text(column, reading.constant, reading.constant_size)
        elif reading.is_later and not reading.own:
            if reading.later is NULL and reading.required:
                return False
            for _ in range(start, parser.columns.rows):
                if reading.later is NULL:
                    parser.columns.add_null(&parser.columns.columns[index])
                elif reading.recall >= 0:
                    if not recalled_cell(parser, index, reading.later, reading.behind):
                        return False
                elif reading.type == JSON:
                    parser.add_whole(index, reading.later, reading.behind)
                elif parser.cell(index, reading.later, end) is NULL:
                    return False
    return True


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
    found = remembered(parser, parser.tests[node.index].recall, p, behind)
    if found is None:
        kind = parser.tests[node.index].kind
        parser.failed = parser.failed or not (kind == IS_NOT or kind == ABSENT)
        return behind
    text = PyBytes_AS_STRING(found)
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
    found = remembered(parser, reading.recall, p, behind)
    if found is None:
        if reading.required:
            return False
        parser.columns.add_null(&parser.columns.columns[index])
        return True
    text = PyBytes_AS_STRING(found)
    end = text + PyBytes_GET_SIZE(found)
    if reading.type == JSON:
        return parser.add_whole(index, text, end - PADDING)
    return parser.cell(index, text, end) is not NULL


cdef bytes remembered(RowParser parser, int number, const char* p, const char* behind):
    """The value that is remembered by a key, with its padding; None: there is none."""
    if p[0] == b'"':
        p += 1
        behind -= 1
    values = parser.remembered.get(PyBytes_FromStringAndSize(p, behind - p))
    return None if values is None else (<tuple>values)[number]


cdef const char* blank(RowParser parser, int index, const char* p, const char* end) except? NULL:
    """Add an empty cell for a string that says that there is no value."""
    reading = &parser.readings[index]
    if p[0] != b'"' or reading.type == TEXT:
        return NULL
    if p[1] == b'"':
        p += 2
    elif reading.has_words:
        p = no_number(p, end)
        if p is NULL:
            return NULL
        if parser.blanked_walk != parser.walk:
            parser.blanked_walk, parser.blanked_in_row = parser.walk, 0
        parser.blanked_in_row += 1
        parser.blanked += 1
    else:
        return NULL
    parser.columns.add_null(&parser.columns.columns[index])
    return p


cdef bint fill_up(RowParser parser) except -1:
    """Give the row an empty cell for each column that it lacks, if there may be one."""
    cdef int index
    for index in range(parser.columns.width):
        column = &parser.columns.columns[index]
        if column.count == parser.columns.rows and not parser.readings[index].is_later:
            if parser.readings[index].required:
                return False
            parser.columns.add_null(column)
    return True
