# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""JSON text → cells in column buffers, with no Python object for a row: what is certain, fast.

Theory of operation. A table's paths are a tree of *nodes* (:mod:`fastingest.native.parse_plan`
makes it): objects whose members lead on, arrays whose elements do, and at the ends columns and
conditions. :meth:`RowParser.read` walks through a message along this tree, and adds a cell to a
column as it comes by; what nobody asked for is passed over, and checked no less.

**Certain or nothing.** A message is read to its end or not at all: whatever is not known for
certain to mean what :mod:`fastingest.decode.reference` and :mod:`fastingest.decode.auto` say
ends the walk, all is as it was before, and it is up to them. Such are an escape in a string, a
character that is not ASCII, a member twice, a value that is not of the column's type, an integer
past 64 bits, what is missing or null and must not be, an empty array, and all that is no
JSON. So no reject is made here, and no reason.

**Doubles** are exact. Up to 19 digits are one integer; where it is below 2**53, it and the power of
ten that the point stands for are doubles, so that their quotient is rounded correctly (W. Clinger,
*How to read floating point numbers accurately*, PLDI 1990). Others go through CPython's ``strtod``.

**The order of members** is expected to be that of the message before: a node remembers the names as
they came, those that lead nowhere as well, and compares 16 bytes at once. Another order costs a
search, and is the one expected from then on.

**Where the root has columns** besides the rows, their texts are remembered, and read once it is
known how many rows there are.

``p`` points to a byte of the message everywhere but behind a bracket that closes, where it is
compared with the end; see :mod:`fastingest.native._json` for why that is enough.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.math cimport isfinite
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.string cimport memcmp, memcpy

from fastingest.native._builders cimport (
    WHOLE,
    Column,
    ColumnBuilders,
    add_bool,
    add_text,
    put_double,
    put_integer,
)
from fastingest.native._json cimport (
    Number,
    behind_item,
    digits,
    is_digit,
    literal,
    load,
    number,
    scalar,
    skip,
    space,
    string,
)

from fastingest.native.parse_plan import NodeKind, Notation

cdef extern from *:
    """
    /* Of ten: exact, as all are up to 10**22. */
    static const double fi_powers[] = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19
    };
    #define FI_LAST_SECOND 253402300799u
    """
    const double* POWERS "fi_powers"
    const uint64_t LAST_SECOND "FI_LAST_SECOND"  # of the year 9999, since the epoch

cdef extern from "Python.h":
    double PyOS_string_to_double(const char* text, char** end, object error) except? -1.0

cdef enum:  # kinds of nodes
    OBJECT
    ARRAY
    COLUMN
    CONDITION
    ROWS
    LATER

cdef enum:  # how cells are read
    TEXT
    DOUBLE
    INTEGER
    NUMBER
    BOOL
    DECIMAL
    SECONDS
    ISO

# What the plan calls them.
cdef dict KINDS = {
    NodeKind.OBJECT: OBJECT,
    NodeKind.ARRAY: ARRAY,
    NodeKind.COLUMN: COLUMN,
    NodeKind.CONDITION: CONDITION,
    NodeKind.ROWS: ROWS,
    NodeKind.LATER: LATER,
}
cdef dict NOTATIONS = {
    Notation.TEXT: TEXT,
    Notation.DOUBLE: DOUBLE,
    Notation.INTEGER: INTEGER,
    Notation.NUMBER: NUMBER,
    Notation.BOOL: BOOL,
    Notation.DECIMAL: DECIMAL,
    Notation.SECONDS: SECONDS,
    Notation.ISO: ISO,
}

cdef enum:
    SHORTEST = 16  # bytes of a message: as many can be looked at together at its end
    MAX_EXACT = 19  # digits of which an integer of 64 bits without a sign holds any
    MAX_DOUBLE = 64

cdef inline uint64_t mask_of(int size) noexcept nogil:
    """The first bytes of a word, on a little-endian machine."""
    return 0 if size <= 0 else ~<uint64_t>0 if size >= 8 else (<uint64_t>1 << (8 * size)) - 1


cdef inline void words(
    const char* p, const char* end, uint64_t* first, uint64_t* second
) noexcept nogil:
    """The next 16 bytes, zeros where the message has fewer."""
    cdef Py_ssize_t rest = end - p
    if rest >= 16:
        first[0], second[0] = load(p), load(p + 8)
    elif rest > 8:
        first[0], second[0] = load(p), load(end - 8) >> (8 * (16 - rest))
    else:
        first[0], second[0] = load(end - 8) >> (8 * (8 - rest)), 0


cdef void* zeroed(size_t size) except NULL:
    cdef void* memory = PyMem_Calloc(size + 1, 1)
    if memory is NULL:
        raise MemoryError
    return memory


@cython.final
cdef class RowParser:
    """Reads one table's messages into :attr:`columns`, and counts in :attr:`ignored`.

    :param plan: the table's :class:`fastingest.native.parse_plan.ParsePlan`.
    """

    def __cinit__(self, plan):
        cdef int index, child = 0, object_ = 0
        self.in_row = len(plan.columns)
        children = sum([len(leads_to) for _, _, leads_to in plan.nodes])
        objects = sum([kind is NodeKind.OBJECT for kind, _, _ in plan.nodes])
        self.readings = <Reading*>zeroed(self.in_row * sizeof(Reading))
        self.nodes = <Node*>zeroed(len(plan.nodes) * sizeof(Node))
        self.children = <Child*>zeroed(children * sizeof(Child))
        self.expected = <Expected*>zeroed(objects * EXPECTED * sizeof(Expected))
        for index, column in enumerate(plan.columns):
            reading = &self.readings[index]
            reading.type, reading.required = NOTATIONS[column.notation], column.required
            reading.least, reading.greatest = column.least, column.greatest
        self.names = []
        for index, (kind, of, leads_to) in enumerate(plan.nodes):
            node = &self.nodes[index]
            node.kind, node.index = KINDS[kind], of
            node.children, node.count = child, len(leads_to)
            if node.kind == OBJECT:
                node.expected = &self.expected[object_ * EXPECTED]
                object_ += 1
            elif node.kind == LATER:
                self.readings[node.index].is_later = True
                self.in_row -= 1
            for name, leads_on in leads_to:
                self.names.append(name)
                self.children[child].name = PyBytes_AS_STRING(name)
                self.children[child].size = len(name)
                self.children[child].node = leads_on
                child += 1
        self.conditions = list(plan.conditions)
        self.of_root = plan.of_root
        self.of_row = len(plan.conditions) - plan.of_root
        self.is_array, self.many = plan.is_array, plan.many
        self.columns = ColumnBuilders([column.kind for column in plan.columns])

    def __dealloc__(self):
        PyMem_Free(self.readings)
        PyMem_Free(self.nodes)
        PyMem_Free(self.children)
        PyMem_Free(self.expected)

    def parse(self, bytes message):
        """Read a message; whether it was certain what it means."""
        return self.read(PyBytes_AS_STRING(message), PyBytes_GET_SIZE(message))

    cdef bint read(self, const char* message, Py_ssize_t size) except -1:
        """Read a message; whether it was certain what it means. Otherwise nothing has changed."""
        cdef const char* end = message + size
        cdef Py_ssize_t rows = self.columns.rows
        cdef Py_ssize_t ignored = self.ignored
        cdef bint certain = False
        while end > message and (end - 1)[0] in b" \n\r\t":
            end -= 1
        if end - message < SHORTEST or (end - 1)[0] not in b"}]":
            return False
        if self.columns.holding:  # Python objects, until the batch is closed
            return False
        try:
            certain = self.message(space(message), end)
        finally:
            if not certain:
                self.columns.cut_to(rows)
                self.ignored = ignored
        return certain

    cdef bint message(self, const char* p, const char* end) except -1:
        cdef Py_ssize_t rows = self.columns.rows
        cdef Py_ssize_t ignored = self.ignored
        cdef int index
        self.walk += 1
        self.failed = self.found = False
        self.held = 0
        if self.in_row != self.columns.width:
            for index in range(self.columns.width):
                self.readings[index].later = NULL
        if self.nodes[0].kind == ROWS:
            p = self.rows(p, end)
        else:
            p = self.value(0, self.walk, p, end)
        if p != end:
            return False
        if self.failed or self.held != self.of_root or not self.found:
            if not self.failed and self.held == self.of_root and self.of_root:
                return False  # it was meant to have rows
            self.columns.cut_to(rows)
            self.ignored = ignored + 1
        elif self.in_row != self.columns.width:
            return self.read_later(rows, end)
        return True

    cdef bint read_later(self, Py_ssize_t start, const char* end) except -1:
        """Read the columns of the root, once for each row of the message."""
        cdef int index
        for index in range(self.columns.width):
            reading = &self.readings[index]
            if reading.is_later:
                if reading.later is NULL and reading.required:
                    return False
                for _ in range(start, self.columns.rows):
                    if reading.later is NULL:
                        self.columns.add_null(&self.columns.columns[index])
                    elif self.cell(index, reading.later, end) is NULL:
                        return False
        return True

    # Structure

    cdef inline const char* value(
        self, int number, uint64_t walk, const char* p, const char* end
    ) except? NULL:
        """Take the value of a node; what stands behind it."""
        node = &self.nodes[number]
        if node.seen == walk:
            return NULL  # of members with one name the last one counts
        node.seen = walk
        if node.kind == COLUMN and not self.failed:
            self.cells += 1
            return self.cell(node.index, p, end)
        return self.other_value(node, walk, p, end)

    cdef const char* other_value(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL:
        if self.failed:
            return skip(p, end)
        if node.kind == OBJECT:
            if p[0] == b"{":
                return self.object(node, walk, p, end)
            return NULL
        if node.kind == ROWS:
            return self.rows(p, end)
        if node.kind == CONDITION:
            return self.condition(node.index, p, end)
        if node.kind == LATER:
            self.readings[node.index].later = p
            return skip(p, end)
        if p[0] == b"[":
            return self.array(node, walk, p, end)
        return NULL

    cdef const char* object(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL:
        cdef uint64_t first = 0
        cdef uint64_t second = 0
        cdef int number
        cdef int position = 0
        cdef const char* name
        cdef bint closed = False
        p = space(p + 1)
        if p[0] == b"}":
            return p + 1
        while True:
            words(p, end, &first, &second)
            expected = &node.expected[position]
            if (
                position < node.known
                and expected.size
                and ((first ^ expected.first) & expected.first_mask) == 0
                and ((second ^ expected.second) & expected.second_mask) == 0
            ):
                number = expected.node
                p += expected.size
            else:
                name = p
                if p[0] != b'"':
                    return NULL
                p = string(p + 1, end)
                if p is NULL:
                    return NULL
                p += 1
                number = self.child(node, name, p - name)
                if position < EXPECTED and position <= node.known:
                    node.known = max(node.known, position + 1)
                    expected.node = number
                    expected.size = <int>(p - name) if p - name <= 16 else 0
                    expected.first_mask = mask_of(expected.size)
                    expected.second_mask = mask_of(expected.size - 8)
                    expected.first = first & expected.first_mask
                    expected.second = second & expected.second_mask
            position += position < EXPECTED - 1
            p = space(p)
            if p[0] != b":":
                return NULL
            p = space(p + 1)
            p = skip(p, end) if number < 0 else self.value(number, walk, p, end)
            p = behind_item(p, end, b"}", &closed)
            if p is NULL or closed:
                return p

    cdef int child(self, Node* node, const char* name, Py_ssize_t size) noexcept:
        cdef int index
        for index in range(node.children, node.children + node.count):
            child = &self.children[index]
            if child.size == size and memcmp(child.name, name, size) == 0:
                return child.node
        return -1

    cdef const char* array(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL:
        cdef int number
        cdef int position = 0
        cdef bint closed = False
        p = space(p + 1)
        if p[0] == b"]":
            return p + 1
        while True:
            number = self.children[node.children + position].node if position < node.count else -1
            position += position < node.count
            p = skip(p, end) if number < 0 else self.value(number, walk, p, end)
            p = behind_item(p, end, b"]", &closed)
            if p is NULL or closed:
                return p

    cdef const char* rows(self, const char* p, const char* end) except? NULL:
        """Take what stands where the rows are: one, or an array of them."""
        cdef int held = self.held
        cdef char opening = b"[" if self.is_array else b"{"
        cdef char inside = space(p + 1)[0] if p[0] == b"[" else 0
        cdef bint closed = False
        self.found = True
        if inside == b"]":
            return NULL
        if p[0] == opening and inside != b"[":
            p = self.row(p, end)
        elif p[0] == b"[" and self.many:
            p = space(p + 1)
            while not closed:
                if p[0] != opening:
                    return NULL
                p = behind_item(self.row(p, end), end, b"]", &closed)
                if p is NULL:
                    return NULL
        else:
            return NULL
        self.failed = False
        self.held = held
        return p

    cdef const char* row(self, const char* p, const char* end) except? NULL:
        columns = self.columns
        if columns.rows == columns.capacity:
            columns.make_room()
        self.walk += 1
        self.failed = False
        self.held = self.cells = 0
        node = &self.nodes[1]
        if self.is_array:
            p = self.array(node, self.walk, p, end)
        else:
            p = self.object(node, self.walk, p, end)
        if p is NULL:
            return NULL
        if self.failed or self.held != self.of_row:
            columns.cut_to(columns.rows)
            self.ignored += 1
            return p
        if self.cells != self.in_row and not self.fill_up():
            return NULL
        columns.rows += 1
        return p

    cdef bint fill_up(self) except -1:
        """Give the row an empty cell for each column that it lacks, if there may be one."""
        cdef int index
        for index in range(self.columns.width):
            column = &self.columns.columns[index]
            if column.count == self.columns.rows and not self.readings[index].is_later:
                if self.readings[index].required:
                    return False
                self.columns.add_null(column)
        return True

    cdef const char* condition(self, int index, const char* p, const char* end) except? NULL:
        cdef const char* behind
        cdef Py_ssize_t size
        if p[0] == b"{" or p[0] == b"[":  # which nothing equals
            self.failed = True
            return skip(p, end)
        behind = scalar(p, end)
        if behind is NULL:
            return NULL
        size = behind - p
        if p[0] == b'"':
            p += 1
            size -= 2
        for text in <tuple>self.conditions[index]:
            if (
                PyBytes_GET_SIZE(text) == size
                and memcmp(PyBytes_AS_STRING(text), p, size) == 0
            ):
                self.held += 1
                return behind
        self.failed = True
        return behind

    # Cells

    cdef const char* cell(self, int index, const char* p, const char* end) except? NULL:
        """Add the cell that stands here; what stands behind it."""
        cdef Number found
        cdef const char* behind
        cdef double value = 0.0
        cdef int64_t whole
        reading = &self.readings[index]
        column = &self.columns.columns[index]
        if p[0] == b"n":
            p = literal(p, end)
            if reading.required or p is NULL:
                return NULL
            self.columns.add_null(column)
            return p
        if reading.type == TEXT or reading.type == ISO:
            if p[0] != b'"':
                return NULL
            behind = string(p + 1, end)
            if behind is NULL or (reading.type == ISO and not is_moment(p + 1, behind)):
                return NULL
            add_text(self.columns, column, p + 1, behind - p - 1)
            return behind + 1
        if reading.type == BOOL:
            behind = literal(p, end)
            if behind is not NULL:
                add_bool(column, p[0] == b"t")
            return behind
        # A number, which may stand in a string.
        behind = p
        p += p[0] == b'"'
        if not number(p, end, &found):
            return NULL
        if behind == p:
            behind = found.end
        elif found.end[0] == b'"':
            behind = found.end + 1
        else:
            return NULL
        if reading.type == DOUBLE or (reading.type == NUMBER and not is_whole(&found)):
            if (
                found.count <= MAX_EXACT
                and found.digits < <uint64_t>WHOLE
                and not found.has_exponent
            ):
                value = <double>found.digits / POWERS[found.fraction]
                if found.negative:
                    value = -value
                    if found.digits == 0:
                        return NULL
            elif not to_double(p, found.end, &value):
                return NULL
            if put_double(self.columns, column, value):
                return behind
            return NULL
        if reading.type == INTEGER or reading.type == NUMBER:
            if not is_whole(&found) or found.count > MAX_EXACT or found.digits > INT64_MAX:
                return NULL
            whole = <int64_t>found.digits
            if found.negative:
                whole = -whole
            if not reading.least <= whole <= reading.greatest:
                return NULL
            if put_integer(column, whole):
                return behind
            return NULL
        if found.has_exponent or (reading.type == SECONDS and not is_second(p, end)):
            return NULL
        add_text(self.columns, column, p, found.end - p)
        return behind


cdef inline bint is_whole(Number* found) noexcept nogil:
    return not found.has_point and not found.has_exponent


cdef bint to_double(const char* p, const char* end, double* value) except -1:
    """A number as the nearest double; whether that is certain."""
    cdef char[MAX_DOUBLE] text
    cdef Py_ssize_t size = end - p
    if size >= MAX_DOUBLE:
        return False
    memcpy(text, p, size)
    text[size] = 0
    value[0] = PyOS_string_to_double(text, NULL, <object>NULL)
    return isfinite(value[0]) and value[0] != 0.0


cdef bint is_second(const char* p, const char* end) noexcept nogil:
    """Whether a number is a time of the years 1970 to 9999, in seconds since the epoch."""
    cdef uint64_t seconds = 0
    cdef const char* behind = digits(p, end, &seconds)
    return behind > p and behind - p <= 12 and seconds <= LAST_SECOND


cdef bint is_moment(const char* p, const char* end) noexcept nogil:
    """Whether a text is a time as in RFC 3339 that any month has, in UTC."""
    cdef const char* form = b"0000-00-00T00:00:00"
    cdef int position
    if end - p < 20 or (end - 1)[0] != b"Z":
        return False
    for position in range(19):
        if form[position] == b"0":
            if not is_digit(p[position]):
                return False
        elif p[position] != form[position]:
            return False
    if p[19] == b".":
        if end - p < 22:
            return False
        for position in range(20, <int>(end - p) - 1):
            if not is_digit(p[position]):
                return False
    elif end - p != 20:
        return False
    return (
        memcmp(p, b"0000", 4) != 0
        and 1 <= two(p + 5) <= 12
        and 1 <= two(p + 8) <= 28
        and two(p + 11) < 24
        and two(p + 14) < 60
        and two(p + 17) < 60
    )


cdef inline int two(const char* p) noexcept nogil:
    return 10 * (p[0] - 48) + p[1] - 48
