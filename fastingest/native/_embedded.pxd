# cython: language_level=3
"""Strings whose text is JSON, as :mod:`fastingest.native._embedded` has it."""

from libc.stdint cimport uint64_t

from fastingest.native._parser cimport RowParser
from fastingest.native._tree cimport Node


cdef const char* embedded(
    RowParser parser, Node* node, uint64_t walk, const char* p, const char* end
) except? NULL
