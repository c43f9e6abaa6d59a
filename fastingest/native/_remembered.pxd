# cython: language_level=3
"""What is remembered, as :mod:`fastingest.native._remembered` has it."""

from fastingest.native._parser cimport RowParser
from fastingest.native._tree cimport Node


cdef const char* recalled(
    RowParser parser, Node* node, const char* p, const char* end
) except? NULL
cdef bint recalled_cell(
    RowParser parser, int index, const char* p, const char* behind
) except -1
