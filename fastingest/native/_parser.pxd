# cython: language_level=3
"""What reads a table's messages, as :mod:`fastingest.native._parser` has it."""

cimport cython
from libc.stdint cimport uint64_t

from fastingest.native._builders cimport ColumnBuilders
from fastingest.native._tree cimport Node, ParseTree, Reading, Test, Text


@cython.final
cdef class RowParser:
    cdef readonly ColumnBuilders columns
    cdef public Py_ssize_t ignored
    cdef Py_ssize_t messages  # that were read, as listeners count them
    cdef public Py_ssize_t blanked
    cdef Py_ssize_t blanked_before  # the message
    cdef Py_ssize_t blanked_in_row
    cdef uint64_t blanked_walk  # which row that is
    cdef ParseTree tree
    cdef Node* nodes  # the tree's
    cdef Reading* readings
    cdef Test* tests  # the tree's
    cdef int of_root
    cdef int of_row
    cdef int in_row  # columns that are read from the row
    cdef bint is_asked_for
    cdef bint is_array
    cdef bint many
    cdef bint is_value
    cdef bint has_own
    cdef uint64_t required  # places of rows, a bit for each
    cdef uint64_t everywhere  # all of them
    cdef Text* places  # the tree's
    cdef const char* key  # the name of the member that the last star has led to; NULL: none has
    cdef Py_ssize_t index  # of the element
    cdef bint is_empty_fine
    cdef uint64_t walk  # the number of the message, or of the row, that is walked through
    cdef public dict remembered  # by the keys' text: the values, or None
    cdef bint failed  # whether a condition does not hold
    cdef uint64_t found  # the places whose rows have come, a bit for each
    cdef int held  # conditions that are met by a value
    cdef int cells  # of the row

    cdef bint read(self, const char* message, Py_ssize_t size) except -1
    cdef bint message(self, const char* p, const char* end) except -1
    cdef const char* value(
        self, int number, uint64_t walk, const char* p, const char* end
    ) except? NULL
    cdef const char* other_value(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL
    cdef const char* object(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL
    cdef const char* array(
        self, Node* node, uint64_t walk, const char* p, const char* end
    ) except? NULL
    cdef const char* rows(self, Node* node, const char* p, const char* end) except? NULL
    cdef const char* row(self, const char* p, const char* end) except? NULL
    cdef const char* condition(self, int index, const char* p, const char* end) except? NULL
    cdef bint add_whole(self, int index, const char* p, const char* behind) except False
    cdef const char* cell(self, int index, const char* p, const char* end) except? NULL
