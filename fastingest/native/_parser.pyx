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
past 64 bits, what is missing or null and must not be, and all that is no JSON. So no reject is made
here, and no reason.

The tree is :mod:`fastingest.native._tree`'s, and what a cell's text means is that of
:mod:`fastingest.native._cells`.

**Where the root has columns** besides the rows, their texts are remembered, and read once it is
known how many rows there are.

``p`` points to a byte of the message everywhere but behind a bracket that closes, where it is
compared with the end; see :mod:`fastingest.native._json` for why that is enough.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stdint cimport uint64_t
from fastingest.native._builders cimport ColumnBuilders
from fastingest.native._cells cimport add_cell
from fastingest.native._json cimport behind_item, literal, scalar, skip, space
from fastingest.native._places cimport (
    array_from_end,
    blank,
    fill_up,
    own_rows,
    rare_value,
    read_later,
)
from fastingest.native._strings cimport add_rare_text
from fastingest.native._tree cimport (
    ABSENT,
    ARRAY,
    COLUMN,
    CONDITION,
    EXISTS,
    EXPECTED,
    IS_NOT,
    OBJECT,
    ROWS,
    SEVERAL,
    WHOLE,
    Node,
    ParseTree,
    behind_name,
    is_met,
)

cdef enum:
    SHORTEST = 16  # bytes of a message: as many can be looked at together at its end


@cython.final
cdef class RowParser:
    """Reads one table's messages into :attr:`columns`, and counts in :attr:`ignored`
    and, cells that are empty because their value is no number, in :attr:`blanked`.

    :param plan: the table's :class:`fastingest.native.parse_plan.ParsePlan`.
    """

    def __cinit__(self, plan):
        self.tree = ParseTree(plan)
        self.nodes, self.readings = self.tree.nodes, self.tree.readings
        self.in_row = self.tree.in_row
        self.tests = self.tree.tests
        self.of_root, self.of_row = plan.of_root, plan.of_row
        self.is_asked_for = plan.is_asked_for
        self.is_array, self.many = plan.is_array, plan.many
        self.is_value, self.is_empty_fine = plan.is_value, plan.is_empty_fine
        self.has_own = any([column.own is not None for column in plan.columns])
        self.required, self.places = plan.required, self.tree.places
        self.everywhere = (1 << len(plan.places)) - 1
        self.remembered = {}
        self.columns = ColumnBuilders([column.kind for column in plan.columns])

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
        self.blanked_before = self.blanked
        try:
            certain = self.message(space(message), end)
        finally:
            if not certain:
                self.columns.cut_to(rows)
                self.ignored, self.blanked = ignored, self.blanked_before
        return certain

    cdef bint message(self, const char* p, const char* end) except -1:
        cdef Py_ssize_t rows = self.columns.rows
        cdef Py_ssize_t ignored = self.ignored
        cdef int index
        self.walk += 1
        self.failed = False
        self.held = 0
        self.found = 0
        if self.has_own:
            self.key, self.index = NULL, 0
        if self.in_row != self.columns.width:
            for index in range(self.columns.width):
                self.readings[index].later = NULL
        if self.nodes[0].kind == ROWS:
            p = self.rows(&self.nodes[0], p, end)
        else:
            p = self.value(0, self.walk, p, end)
        if p != end:
            return False
        if self.failed or self.held != self.of_root or self.found != self.everywhere:
            if self.failed or self.held != self.of_root or not self.found:
                if not self.failed and self.held == self.of_root and self.is_asked_for:
                    return False  # it was meant to have rows
                self.columns.cut_to(rows)
                self.ignored, self.blanked = ignored + 1, self.blanked_before
                return True
            if self.found & self.required != self.required:
                return False
        if self.in_row != self.columns.width:
            return read_later(self, rows, end)
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
        cdef const char* behind
        if self.failed:
            return skip(p, end)
        if node.kind == OBJECT:
            if p[0] == b"{":
                return self.object(node, walk, p, end)
            return NULL
        if node.kind == ROWS:
            return self.rows(node, p, end)
        if node.kind == CONDITION:
            return self.condition(node.index, p, end)
        if node.kind == ARRAY:
            if p[0] == b"[":
                return self.array(node, walk, p, end)
            return NULL
        if node.kind >= SEVERAL:
            return rare_value(self, node, walk, p, end)
        behind = skip(p, end)
        if behind is not NULL:
            if node.kind == WHOLE:
                self.cells += 1
                self.add_whole(node.index, p, behind)
            else:
                self.readings[node.index].later = p
                self.readings[node.index].behind = behind
        return behind

    cdef const char* object(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL:
        cdef int number = -1
        cdef int position = 0
        cdef bint closed = False
        p = space(p + 1)
        if p[0] == b"}":
            return p + 1
        while True:
            p = behind_name(node, position, p, end, &number)
            if p is NULL:
                return NULL
            position += position < EXPECTED - 1
            p = space(p)
            if p[0] != b":":
                return NULL
            p = space(p + 1)
            p = skip(p, end) if number < 0 else self.value(number, walk, p, end)
            p = behind_item(p, end, b"}", &closed)
            if p is NULL or closed:
                return p

    cdef const char* array(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL:
        cdef int number
        cdef int position = 0
        cdef bint closed = False
        if node.from_end:
            return array_from_end(self, node, walk, p, end)
        p = space(p + 1)
        if p[0] == b"]":
            return p + 1
        while True:
            number = node.children[position].node if position < node.count else -1
            position += position < node.count
            p = skip(p, end) if number < 0 else self.value(number, walk, p, end)
            p = behind_item(p, end, b"]", &closed)
            if p is NULL or closed:
                return p

    cdef const char* rows(self, Node* node, const char* p, const char* end) except? NULL:
        """Take what stands where the rows are: one, or an array of them."""
        cdef int held = self.held
        cdef char opening = b"[" if self.is_array else b"{"
        cdef char inside = space(p + 1)[0] if p[0] == b"[" else 0
        cdef bint closed = False
        if inside == b"]":
            if not self.is_empty_fine:
                return NULL
            self.ignored += 1
            self.found |= <uint64_t>1 << node.index
            return space(p + 1) + 1
        if self.has_own and p[0] != b"n":
            p = own_rows(self, node.index, p, end)
        elif p[0] == opening and inside != b"[":
            p = self.row(p, end)
        elif p[0] == b"[" and self.many:
            p = space(p + 1)
            while not closed:
                if p[0] != opening:
                    return NULL
                p = behind_item(self.row(p, end), end, b"]", &closed)
                if p is NULL:
                    return NULL
        elif p[0] == b"n":
            return literal(p, end)
        else:
            return NULL
        self.found |= <uint64_t>1 << node.index
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
            if self.blanked_walk == self.walk:
                self.blanked -= self.blanked_in_row
            return p
        if self.cells != self.in_row and not fill_up(self):
            return NULL
        columns.rows += 1
        return p

    cdef const char* condition(self, int index, const char* p, const char* end) except? NULL:
        """Ask a condition of the value that stands here; what stands behind it."""
        cdef const char* behind
        cdef Py_ssize_t size
        cdef bint met = False
        test = &self.tests[index]
        if test.kind >= EXISTS:
            met = p[0] != b"n"
            behind = skip(p, end)
        elif p[0] == b"{" or p[0] == b"[":  # which nothing equals
            behind = skip(p, end)
        else:
            behind = scalar(p, end)
            if behind is NULL:
                return NULL
            size = behind - p
            if p[0] == b'"':
                p += 1
                size -= 2
            met = is_met(test, p, size)
        if test.kind == IS_NOT or test.kind == ABSENT:
            self.failed = self.failed or met
        elif met:
            self.held += 1
        else:
            self.failed = True
        return behind

    cdef const char* cell(self, int index, const char* p, const char* end) except? NULL:
        """Add the cell that stands here; what stands behind it."""
        cdef const char* behind
        reading = &self.readings[index]
        column = &self.columns.columns[index]
        if p[0] != b"n":
            behind = add_cell(column, reading, p, end)
            if behind is NULL and not reading.required:
                return blank(self, index, p, end)
            return behind
        p = literal(p, end)
        if p is NULL or reading.required:
            return NULL
        self.columns.add_null(column)
        return p

    cdef bint add_whole(self, int index, const char* p, const char* behind) except False:
        """Add a value as it stands here."""
        column = &self.columns.columns[index]
        if p[0] == b"n":
            self.columns.add_null(column)
        else:
            add_rare_text(column, p, behind - p)
        return True
