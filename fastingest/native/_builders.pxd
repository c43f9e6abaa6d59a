# cython: language_level=3
"""The buffers of all columns, as :mod:`fastingest.native._builders` has them."""

cimport cython

from fastingest.native._column cimport Column, Held


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
    cdef bint add_null(self, Column* column) except False
    cdef bint to_objects(self, int index) except False
    cdef void cut_to(self, Py_ssize_t rows) noexcept
    cdef object chunk(self, int index, Py_ssize_t start, Py_ssize_t stop)
