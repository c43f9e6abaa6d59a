# cython: language_level=3
"""The buffers of columns, and how a cell is added to one: what must be inlined where it is used.

The classes are those of :mod:`fastingest.native._builders`.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t
from libc.string cimport memcmp, memcpy

from fastingest.native._json cimport load

cdef extern from *:
    """
    #define FI_WHOLE ((int64_t)1 << 53)
    """
    const int64_t WHOLE "FI_WHOLE"  # below it every integer is a double, and no two are the same

# How a column's cells are held.
cdef enum Held:
    DOUBLES
    INTEGERS
    BOOLS
    CODES
    TEXTS
    OBJECTS


cdef enum:
    SLOTS = 16384  # of a hash table of values, a power of two


cdef struct Value:
    uint64_t first  # its first eight bytes, and its last eight: up to 16 bytes are told by them
    uint64_t last
    int32_t start
    int32_t size


cdef struct Column:
    Held held
    bint is_number  # whether integers become doubles when the first double comes
    bint is_big  # whether there is an integer that is no double
    int width  # bytes of a cell
    Py_ssize_t count  # of the cells
    char* cells  # of texts: where they end
    uint8_t* valid  # a byte a cell, 1: it is there; NULL: all are
    char* text  # of texts all of them; of codes that of the values
    Py_ssize_t size
    Py_ssize_t room
    Value* values
    int distinct
    uint16_t* slots  # a hash table of the values: 0, or the value's number + 1
    int batches  # for which values are not counted, because they did not repeat


@cython.final
cdef class ColumnBuilders:
    cdef Column* columns
    cdef Held* at_first
    cdef readonly int width
    cdef readonly Py_ssize_t rows
    cdef Py_ssize_t capacity
    cdef list objects  # of a column that holds them: its cells
    cdef int holding  # how many do

    cdef bint make_room(self) except False
    cdef bint add_new_text(
        self, Column* column, const char* text, Py_ssize_t size, uint64_t slot
    ) except False
    cdef bint to_texts(self, Column* column) except False
    cdef bint to_doubles(self, Column* column) noexcept
    cdef bint add_null(self, Column* column) except False
    cdef bint add_characters(
        self, Column* column, const char* text, Py_ssize_t size
    ) except False
    cdef bint add_object(self, Column* column, object cell) except -1
    cdef bint to_objects(self, int index) except False
    cdef void forget_values(self, Column* column) noexcept
    cdef void cut_to(self, Py_ssize_t rows) noexcept
    cdef object chunk(self, int index, Py_ssize_t start, Py_ssize_t stop)
    cdef bytes validity(self, Column* column, Py_ssize_t start, Py_ssize_t stop)


cdef inline void add_double(Column* column, double value) noexcept:
    (<double*>column.cells)[column.count] = value
    column.count += 1


cdef inline void add_integer(Column* column, int64_t value) noexcept:
    (<int64_t*>column.cells)[column.count] = value
    column.count += 1


cdef inline bint put_double(ColumnBuilders columns, Column* column, double value) noexcept:
    """Add a double to a column of doubles, or of numbers, if it has a place for it."""
    if column.held == INTEGERS and not columns.to_doubles(column):
        return False
    add_double(column, value)
    return True


cdef inline bint put_integer(Column* column, int64_t value) noexcept:
    """Add an integer to a column of integers, or of numbers, if it has a place for it."""
    if column.held == INTEGERS:
        column.is_big |= not -WHOLE < value < WHOLE
        add_integer(column, value)
        return True
    if -WHOLE < value < WHOLE:
        add_double(column, <double>value)
        return True
    return False


cdef inline void add_bool(Column* column, bint value) noexcept:
    (<uint8_t*>column.cells)[column.count] = value
    column.count += 1


cdef inline void ends_of(
    const char* text, Py_ssize_t size, uint64_t* first, uint64_t* last
) noexcept nogil:
    """The first and the last eight bytes, which overlap or have zeros where there are fewer."""
    first[0] = last[0] = 0
    if size >= 8:
        first[0] = load(text)
        last[0] = load(text + size - 8)
    elif size >= 4:
        memcpy(first, text, 4)
        memcpy(last, text + size - 4, 4)
    elif size:
        first[0] = <uint8_t>text[0] | <uint64_t><uint8_t>text[size // 2] << 8
        last[0] = <uint8_t>text[size - 1]


cdef inline uint64_t hash_of(
    const char* text, Py_ssize_t size, uint64_t first, uint64_t last
) noexcept nogil:
    """A hash of a string whose ends are known."""
    cdef Py_ssize_t start
    # Two odd numbers without a pattern: the fractions of the golden ratio and of pi.
    for start in range(8, size - 8, 8):  # what stands between the ends
        first = (first ^ load(text + start)) * <uint64_t>0x9E3779B97F4A7C15
        first ^= first >> 32
    first = (first ^ <uint64_t>size) * <uint64_t>0x9E3779B97F4A7C15
    first = (first ^ (first >> 32) ^ last) * <uint64_t>0x243F6A8885A308D3
    return first ^ (first >> 32)


cdef inline bint add_text(
    ColumnBuilders columns, Column* column, const char* text, Py_ssize_t size
) except False:
    """Add a string's cell."""
    cdef uint64_t slot = 0
    cdef uint64_t first = 0
    cdef uint64_t last = 0
    cdef Value* value
    if column.held == CODES:
        ends_of(text, size, &first, &last)
        slot = hash_of(text, size, first, last) % SLOTS
        while column.slots[slot]:
            value = &column.values[column.slots[slot] - 1]
            if (
                value.first == first
                and value.last == last
                and value.size == size
                and (size <= 16 or memcmp(column.text + value.start, text, size) == 0)
            ):
                (<uint16_t*>column.cells)[column.count] = column.slots[slot] - 1
                column.count += 1
                return True
            slot = (slot + 1) % SLOTS
    return columns.add_new_text(column, text, size, slot)
