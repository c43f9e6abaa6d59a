# cython: language_level=3
"""What few tables need, as :mod:`fastingest.native._places` has it."""

from libc.stdint cimport uint64_t

from fastingest.native._parser cimport RowParser
from fastingest.native._tree cimport Node


cdef const char* rare_value(
    RowParser parser, Node* node, uint64_t walk, const char* p, const char* end
) except? NULL
cdef const char* own_rows(
    RowParser parser, int place, const char* p, const char* end
) except? NULL
cdef const char* array_from_end(
    RowParser parser, Node* node, uint64_t walk, const char* p, const char* end
) except? NULL
cdef bint read_later(RowParser parser, Py_ssize_t start, const char* end) except -1
cdef const char* blank(
    RowParser parser, int index, const char* p, const char* end
) except? NULL
cdef bint fill_up(RowParser parser) except -1
