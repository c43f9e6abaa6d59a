# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The rows that are being gathered, as column buffers.

What takes cells one by one without any Python object (:mod:`fastingest.native._parser`) writes into
the buffers itself; there is room for a row when :meth:`ColumnBuilders.make_room` says so, so it
need not look. Rows that were decoded in Python are added by :meth:`ColumnBuilders.extend`. Both end
up in the same batch, in order, as :class:`fastingest.model.chunks.Chunk`.

Doubles, integers and bools are held as what they are. So are numbers: as integers, until the first
double comes, and as doubles from there on, as long as each integer is a double, too. Strings are
counted, or held one after the other (:mod:`fastingest.native._strings`). Whatever has no place in a
column's buffer (an integer past 64 bits, as text) makes it a Python list for the rest of the batch.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_CheckExact
from cpython.long cimport PyLong_CheckExact
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.unicode cimport PyUnicode_CheckExact, PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t
from libc.string cimport memchr, memset

from fastingest.native._column cimport (
    BOOLS,
    CODES,
    DOUBLES,
    INTEGERS,
    OBJECTS,
    TEXTS,
    Column,
    Held,
    add_bool,
    grown,
    put_double,
    put_integer,
)
from fastingest.native._strings cimport add_text, count_values, forget_values

from fastingest.model.chunks import DICTIONARY, OBJECT, UTF8, Chunk, cells, encode_values

cdef extern from *:
    const char* FASTINGEST_PICOWS  # a definition of the build

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object value, int* overflow) except? -1
    const char* PyUnicode_AsUTF8AndSize(object text, Py_ssize_t* size) except NULL

cdef enum:
    FIRST_CAPACITY = 1024

BUILT_FOR = FASTINGEST_PICOWS.decode()
"""The version of picows that the native listener was compiled against."""

cdef dict KINDS = {
    "f8": DOUBLES, "i8": INTEGERS, "number": INTEGERS, "bool": BOOLS, "text": CODES
}


@cython.final
cdef class ColumnBuilders:
    """Column buffers.

    :param kinds: for each column ``f8``, ``i8``, ``number``, ``bool`` or ``text``.
    """

    def __cinit__(self, kinds, *args, **kwargs):
        self.width = len(kinds)
        self.columns = <Column*>PyMem_Malloc(max(1, self.width) * sizeof(Column))
        if self.columns is NULL:
            raise MemoryError
        memset(self.columns, 0, self.width * sizeof(Column))
        self.at_first = <Held*>PyMem_Malloc(max(1, self.width) * sizeof(Held))
        if self.at_first is NULL:
            raise MemoryError
        self.objects = [None] * self.width
        for index, kind in enumerate(kinds):
            column = &self.columns[<int>index]
            column.held = self.at_first[<int>index] = KINDS[kind]
            column.is_number = kind == "number"
            column.width = 1 if kind == "bool" else 8
            if kind == "text":
                count_values(column)
        self.make_room()

    def __dealloc__(self):
        cdef int index
        if self.columns is not NULL:
            for index in range(self.width):
                column = &self.columns[index]
                PyMem_Free(column.cells)
                PyMem_Free(column.valid)
                PyMem_Free(column.text)
                PyMem_Free(column.values)
                PyMem_Free(column.slots)
        PyMem_Free(self.columns)
        PyMem_Free(self.at_first)

    # Cells

    cdef bint make_room(self) except False:
        """Make room for at least one more row."""
        cdef int index
        cdef Py_ssize_t capacity = max(FIRST_CAPACITY, 2 * self.capacity)
        for index in range(self.width):
            column = &self.columns[index]
            # One more: where texts end begins with a zero.
            column.cells = <char*>grown(column.cells, (capacity + 1) * column.width)
            if column.valid is not NULL:
                column.valid = <uint8_t*>grown(column.valid, capacity)
                memset(column.valid + self.capacity, 1, capacity - self.capacity)
        self.capacity = capacity
        return True

    cdef bint add_null(self, Column* column) except False:
        """Add an empty cell."""
        if column.valid is NULL:
            column.valid = <uint8_t*>grown(NULL, self.capacity)
            memset(column.valid, 1, self.capacity)
        column.valid[column.count] = 0
        if column.held == TEXTS:
            (<int32_t*>column.cells)[column.count + 1] = <int32_t>column.size
        elif column.held == CODES:
            (<uint16_t*>column.cells)[column.count] = 0
        elif column.held == BOOLS:
            column.cells[column.count] = 0
        else:
            (<int64_t*>column.cells)[column.count] = 0
        column.count += 1
        return True

    cdef void cut_to(self, Py_ssize_t rows) noexcept:
        """Drop all cells behind so many rows, and those of a row that is not whole."""
        cdef int index
        for index in range(self.width):
            column = &self.columns[index]
            if column.count > rows:
                if column.valid is not NULL:
                    memset(column.valid + rows, 1, column.count - rows)
                if column.held == TEXTS:
                    column.size = (<int32_t*>column.cells)[rows]
                column.count = rows
        self.rows = rows

    # Rows

    def cut(self, Py_ssize_t rows):
        """Keep only so many rows."""
        if rows < self.rows:
            self.cut_to(rows)
            for cells in self.objects:
                if cells is not None:
                    del cells[rows:]

    def extend(self, columns):
        """Add rows that were decoded in Python.

        :param columns: their cells (:mod:`fastingest.model.schema`), a list for each column.
        """
        cdef Py_ssize_t more = len(columns[0])
        cdef int index
        while self.rows + more > self.capacity:
            self.make_room()
        for index in range(self.width):
            column = &self.columns[index]
            for cell in columns[index]:
                if column.held == OBJECTS:
                    (<list>self.objects[index]).append(cell)
                    column.count += 1
                elif cell is None:
                    self.add_null(column)
                elif not add_object(column, cell):
                    self.to_objects(index)
                    (<list>self.objects[index]).append(cell)
                    column.count += 1
        self.rows += more

    cdef bint to_objects(self, int index) except False:
        """Hold a column's cells in a Python list for the rest of the batch."""
        self.objects[index] = cells(self.chunk(index, 0, self.columns[index].count))
        self.columns[index].held = OBJECTS
        self.holding += 1
        return True

    # Batches

    @property
    def size(self):
        """Bytes of the rows as they are sent, about."""
        cdef int index
        cdef Py_ssize_t size = 0
        for index in range(self.width):
            column = &self.columns[index]
            size += column.size  # of texts, or of the values
            if column.held == CODES:
                size += 2 * column.count
            elif column.held == TEXTS:
                size += 4 * column.count
            else:
                size += column.width * column.count
        return size

    def chunks(self, Py_ssize_t start, Py_ssize_t stop):
        """The rows from ``start`` to ``stop``, a :class:`~.chunks.Chunk` a column."""
        return [self.chunk(index, start, stop) for index in range(self.width)]

    def begin(self, Py_ssize_t start):
        """Begin a batch with the rows from ``start`` on; those before are dropped."""
        cdef int index
        rest = []
        if start < self.rows:
            rest = [cells(chunk) for chunk in self.chunks(start, self.rows)]
        self.cut_to(0)
        for index in range(self.width):
            column = &self.columns[index]
            column.size = 0
            column.is_big = False
            self.objects[index] = None
            forget_values(column)
            if column.held == TEXTS:
                column.batches -= column.batches > 0
                if not column.batches:
                    column.held = CODES
            elif column.held != CODES:
                column.held = self.at_first[index]
        self.holding = 0
        if rest:
            self.extend(rest)

    cdef object chunk(self, int index, Py_ssize_t start, Py_ssize_t stop):
        cdef Py_ssize_t row
        cdef Py_ssize_t rows = stop - start
        cdef int number
        cdef int32_t first
        cdef int32_t* ends
        cdef int32_t* from_zero
        column = &self.columns[index]
        if column.held == OBJECTS:
            return Chunk(OBJECT, rows, encode_values(self.objects[index][start:stop]))
        validity = validity_of(column, start, stop)
        if column.held == CODES:
            values = [] if column.distinct else [""]  # there is one for the empty cells
            for number in range(column.distinct):
                value = &column.values[number]
                values.append(PyUnicode_DecodeUTF8(column.text + value.start, value.size, NULL))
            codes = PyBytes_FromStringAndSize(column.cells + 2 * start, 2 * rows)
            return Chunk(DICTIONARY, rows, codes, encode_values(values), validity)
        if column.held == TEXTS:
            ends = <int32_t*>column.cells
            first = ends[start]
            text = PyBytes_FromStringAndSize(column.text + first, ends[stop] - first)
            offsets = PyBytes_FromStringAndSize(<char*>(ends + start), 4 * (rows + 1))
            from_zero = <int32_t*>PyBytes_AS_STRING(offsets)
            for row in range(rows + 1):
                from_zero[row] -= first
            return Chunk(UTF8, rows, text, offsets, validity)
        data = PyBytes_FromStringAndSize(column.cells + column.width * start, column.width * rows)
        kind = "f8" if column.held == DOUBLES else "i8" if column.held == INTEGERS else "bool"
        return Chunk(kind, rows, data, b"", validity)


cdef bint add_object(Column* column, object cell) except -1:
    """Add a Python object's cell, if the column has a place for it."""
    cdef Py_ssize_t size = 0
    cdef const char* text
    cdef int overflow = 0
    cdef int64_t value
    if column.held == CODES or column.held == TEXTS:
        if not PyUnicode_CheckExact(cell):
            return False
        text = PyUnicode_AsUTF8AndSize(cell, &size)
        add_text(column, text, size)
    elif column.held == BOOLS:
        add_bool(column, cell)
    elif PyFloat_CheckExact(cell):
        return put_double(column, PyFloat_AS_DOUBLE(cell))
    elif PyLong_CheckExact(cell):
        value = PyLong_AsLongLongAndOverflow(cell, &overflow)
        return not overflow and put_integer(column, value)
    else:
        return False
    return True


cdef bytes validity_of(Column* column, Py_ssize_t start, Py_ssize_t stop):
    """The validity bitmap; empty where all cells are there."""
    cdef Py_ssize_t row
    cdef Py_ssize_t rows = stop - start
    cdef const uint8_t* valid = column.valid + start
    cdef uint8_t* bits
    if column.valid is NULL or memchr(valid, 0, rows) is NULL:
        return b""
    bitmap = PyBytes_FromStringAndSize(NULL, (rows + 7) // 8)
    bits = <uint8_t*>PyBytes_AS_STRING(bitmap)
    memset(bits, 0, (rows + 7) // 8)
    for row in range(rows):
        bits[row >> 3] |= <uint8_t>(valid[row] << (row & 7))
    return bitmap
