# cython: language_level=3
"""One column's buffer, and how a cell is added to it: what must be inlined where it is used.

There is room for the cell: :meth:`~fastingest.native._builders.ColumnBuilders.make_room` made it.
How strings are held, :mod:`fastingest.native._strings` says.
"""

from cpython.mem cimport PyMem_Realloc
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t

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


cdef inline void* grown(void* buffer, Py_ssize_t size) except NULL:
    buffer = PyMem_Realloc(buffer, size)
    if buffer is NULL:
        raise MemoryError
    return buffer


cdef inline void add_double(Column* column, double value) noexcept:
    (<double*>column.cells)[column.count] = value
    column.count += 1


cdef inline void add_integer(Column* column, int64_t value) noexcept:
    (<int64_t*>column.cells)[column.count] = value
    column.count += 1


cdef inline bint put_double(Column* column, double value) noexcept:
    """Add a double to a column of doubles, or of numbers, if it has a place for it."""
    if column.held == INTEGERS and not to_doubles(column):
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


cdef inline bint to_doubles(Column* column) noexcept:
    """Hold numbers as doubles from now on; whether each of them is one."""
    cdef Py_ssize_t row
    if column.is_big or not column.is_number:
        return False
    for row in range(column.count):
        (<double*>column.cells)[row] = <double>(<int64_t*>column.cells)[row]
    column.held = DOUBLES
    return True


cdef inline void add_bool(Column* column, bint value) noexcept:
    (<uint8_t*>column.cells)[column.count] = value
    column.count += 1
