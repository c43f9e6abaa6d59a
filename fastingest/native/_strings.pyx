# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The strings of a column: what is done when a new one comes.

They are counted: each value stands once in a batch, and a row is 16 bits. Where values hardly
repeat, as trade ids do, they are held one after the other; this is tried anew now and then.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.mem cimport PyMem_Free
from libc.stdint cimport INT32_MAX, int32_t, uint16_t, uint64_t
from libc.string cimport memcpy, memset

from fastingest.native._column cimport CODES, TEXTS, Column, Value, grown

cdef enum:
    FEW_VALUES = 256  # that need not repeat
    MAX_VALUES = 4096  # different ones of a column in a batch, a quarter of SLOTS
    RETRY = 32  # batches until values that did not repeat are counted again


cdef bint count_values(Column* column) except False:
    """Make room for a column's values."""
    column.slots = <uint16_t*>grown(NULL, SLOTS * sizeof(uint16_t))
    memset(column.slots, 0, SLOTS * sizeof(uint16_t))
    column.values = <Value*>grown(NULL, MAX_VALUES * sizeof(Value))
    return True


cdef void forget_values(Column* column) noexcept:
    if column.distinct:
        memset(column.slots, 0, SLOTS * sizeof(uint16_t))
        column.distinct = 0


cdef bint add_new_text(
    Column* column, const char* text, Py_ssize_t size, uint64_t slot
) except False:
    """Add a string that has no number yet, or whose column has none.

    :param slot: where its number goes.
    """
    if column.held == CODES:
        if column.distinct < MAX_VALUES and (
            column.distinct < FEW_VALUES or 4 * column.distinct < column.count
        ):
            value = &column.values[column.distinct]
            ends_of(text, size, &value.first, &value.last)
            value.start, value.size = <int32_t>column.size, <int32_t>size
            add_characters(column, text, size)
            (<uint16_t*>column.cells)[column.count] = <uint16_t>column.distinct
            column.count += 1
            column.distinct += 1
            column.slots[slot] = <uint16_t>column.distinct
            return True
        to_texts(column)
    add_characters(column, text, size)
    column.count += 1
    (<int32_t*>column.cells)[column.count] = <int32_t>column.size
    return True


cdef bint add_rare_text(Column* column, const char* text, Py_ssize_t size) except False:
    """As :func:`add_text`, where that is not worth being inlined once more."""
    return add_text(column, text, size)


cdef inline bint add_characters(Column* column, const char* text, Py_ssize_t size) except False:
    if column.size + size > column.room:
        if column.size + size > INT32_MAX:
            raise OverflowError("the strings of one batch are over 2 GiB")
        column.room = min(<Py_ssize_t>INT32_MAX, max(2 * column.room, column.size + size + 256))
        column.text = <char*>grown(column.text, column.room)
    if size:  # otherwise there may be no buffer yet
        memcpy(column.text + column.size, text, size)
    column.size += size
    return True


cdef bint to_texts(Column* column) except False:
    """Hold a column's strings one after the other from now on."""
    cdef Py_ssize_t row
    cdef Py_ssize_t count = column.count
    cdef char* values = column.text
    cdef bytes codes = PyBytes_FromStringAndSize(column.cells, count * 2)
    cdef const uint16_t* code = <const uint16_t*>PyBytes_AS_STRING(codes)
    column.held = TEXTS
    column.batches = RETRY
    column.text, column.size, column.room, column.count = NULL, 0, 0, 0
    (<int32_t*>column.cells)[0] = 0
    try:
        for row in range(count):
            if column.distinct:  # otherwise all of them are empty cells
                value = &column.values[code[row]]
                add_characters(column, values + value.start, value.size)
            column.count += 1
            (<int32_t*>column.cells)[column.count] = <int32_t>column.size
    finally:
        PyMem_Free(values)
    forget_values(column)
    return True
