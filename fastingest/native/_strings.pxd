# cython: language_level=3, cdivision=True
"""How a string is added to a column that has it already: what must be inlined where it is used."""

from libc.stdint cimport uint8_t, uint16_t, uint64_t
from libc.string cimport memcmp, memcpy

from fastingest.native._column cimport CODES, Column, Value
from fastingest.native._json cimport load

cdef enum:
    SLOTS = 16384  # of a hash table of values, a power of two


cdef bint count_values(Column* column) except False
cdef void forget_values(Column* column) noexcept


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


cdef bint add_new_text(
    Column* column, const char* text, Py_ssize_t size, uint64_t slot
) except False
cdef bint add_rare_text(Column* column, const char* text, Py_ssize_t size) except False


cdef inline bint add_text(Column* column, const char* text, Py_ssize_t size) except False:
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
    return add_new_text(column, text, size, slot)
