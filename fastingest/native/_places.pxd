# cython: language_level=3
"""What stars lead to, as :mod:`fastingest.native._places` has it."""

from fastingest.native._parser cimport RowParser
from fastingest.native._tree cimport Node


cdef const char* each_member(
    RowParser parser, Node* node, const char* p, const char* end
) except? NULL
cdef const char* each_element(
    RowParser parser, Node* node, const char* p, const char* end
) except? NULL
cdef const char* own_rows(
    RowParser parser, int place, const char* p, const char* end
) except? NULL
