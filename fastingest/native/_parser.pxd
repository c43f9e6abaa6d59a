# cython: language_level=3
"""The tree that messages are walked through by, as :mod:`fastingest.native._parser` holds it."""

cimport cython

from fastingest.native._builders cimport Column, ColumnBuilders
from libc.stdint cimport int64_t, uint64_t

cdef enum:
    EXPECTED = 128  # members of an object whose order is remembered


cdef struct Expected:
    uint64_t first  # eight bytes of the name with its quotes, and eight more
    uint64_t second
    uint64_t first_mask
    uint64_t second_mask
    int size  # 0: it is too long to be remembered
    int node  # -1: leads nowhere


cdef struct Child:
    const char* name  # with its quotes; of an array's element b""
    Py_ssize_t size
    int node  # -1: leads nowhere


cdef struct Node:
    int kind
    int index  # of the column, or of the condition
    int children  # where they begin in the list of all
    int count  # of an array: one for each element up to the last that leads on
    uint64_t seen  # the walk in which a value stood here
    int known  # members whose order is remembered
    Expected* expected  # of an object


cdef struct Reading:
    int type
    bint required
    bint is_later
    int64_t least
    int64_t greatest
    const char* later  # of the root: where its text begins; NULL: it has not come


@cython.final
cdef class RowParser:
    cdef readonly ColumnBuilders columns
    cdef public Py_ssize_t ignored
    cdef Reading* readings
    cdef Node* nodes
    cdef Child* children
    cdef Expected* expected
    cdef list names  # what the children's names point into
    cdef list conditions
    cdef int of_root
    cdef int of_row
    cdef int in_row  # columns that are read from the row
    cdef bint is_array
    cdef bint many
    cdef uint64_t walk  # the number of the message, or of the row, that is walked through
    cdef bint failed  # whether a condition does not hold
    cdef bint found  # whether the rows have come
    cdef int held  # conditions that hold
    cdef int cells  # of the row

    cdef bint read(self, const char* message, Py_ssize_t size) except -1
    cdef bint message(self, const char* p, const char* end) except -1
    cdef bint read_later(self, Py_ssize_t start, const char* end) except -1
    cdef const char* value(
        self, int number, uint64_t walk, const char* p, const char* end
    ) except? NULL
    cdef const char* other_value(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL
    cdef const char* object(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL
    cdef int child(self, Node* node, const char* name, Py_ssize_t size) noexcept
    cdef const char* array(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL
    cdef const char* rows(self, const char* p, const char* end) except? NULL
    cdef const char* row(self, const char* p, const char* end) except? NULL
    cdef bint fill_up(self) except -1
    cdef const char* condition(self, int index, const char* p, const char* end) except? NULL
    cdef const char* cell(self, int index, const char* p, const char* end) except? NULL
