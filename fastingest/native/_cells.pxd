# cython: language_level=3, cdivision=True
"""What the text of a cell means, as long as that is certain; inlined where cells are read.

**Doubles** are exact. Up to 19 digits are one integer; where it is below 2**53, it and the power of
ten that the point stands for are doubles, so that their quotient is rounded correctly (W. Clinger,
*How to read floating point numbers accurately*, PLDI 1990). Others go through CPython's ``strtod``.
"""

from libc.math cimport isfinite
from libc.stdint cimport INT64_MAX, int64_t, uint64_t
from libc.string cimport memcmp, memcpy

from fastingest.native._column cimport WHOLE, Column, add_bool, put_double, put_integer
from fastingest.native._json cimport Number, digits, is_digit, literal, number, string
from fastingest.native._strings cimport add_rare_text, add_text
from fastingest.native._tree cimport (
    BOOL,
    DOUBLE,
    INTEGER,
    ISO,
    NUMBER,
    SECONDS,
    TEXT,
    Reading,
)

cdef extern from *:
    """
    /* Of ten: exact, as all are up to 10**22. */
    static const double fi_powers[] = {
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
        1e17, 1e18, 1e19
    };
    #define FI_LAST_SECOND 253402300799u
    """
    const double* POWERS "fi_powers"
    const uint64_t LAST_SECOND "FI_LAST_SECOND"  # of the year 9999, since the epoch

cdef extern from "Python.h":
    double PyOS_string_to_double(const char* text, char** end, object error) except? -1.0

cdef enum:
    MAX_EXACT = 19  # digits of which an integer of 64 bits without a sign holds any
    MAX_DOUBLE = 64
    MAX_MOMENT = 64
    LONG_MONTHS = 0b1010110101010  # a bit for each that has 31 days


cdef inline const char* add_cell(
    Column* column, Reading* reading, const char* p, const char* end
) except? NULL:
    """Add the cell that stands here and is not null; what stands behind it, or NULL.

    :param reading: not of JSON.
    """
    cdef const char* behind
    if reading.type == TEXT or reading.type == ISO:
        if p[0] != b'"':
            return NULL
        behind = string(p + 1, end)
        if behind is NULL:
            return NULL
        if reading.type == ISO and not is_moment(p + 1, behind, reading.digits):
            return add_corrected(column, p + 1, behind, reading.digits)
        add_text(column, p + 1, behind - p - 1)
        return behind + 1
    if reading.type == BOOL:
        behind = literal(p, end)
        if behind is not NULL:
            add_bool(column, p[0] == b"t")
        return behind
    return add_number(column, reading, p, end)


cdef inline const char* add_number(
    Column* column, Reading* reading, const char* p, const char* end
) except? NULL:
    """Add a number, which may stand in a string."""
    cdef Number found
    cdef const char* behind = p
    cdef double value = 0.0
    cdef int64_t whole
    p += p[0] == b'"'
    if not number(p, end, &found):
        return NULL
    if behind == p:
        behind = found.end
    elif found.end[0] == b'"':
        behind = found.end + 1
    else:
        return NULL
    if reading.type == DOUBLE or (reading.type == NUMBER and not is_whole(&found)):
        if to_double(p, &found, &value) and put_double(column, value):
            return behind
        return NULL
    if reading.type == INTEGER or reading.type == NUMBER:
        if not is_whole(&found) or found.count > MAX_EXACT or found.digits > INT64_MAX:
            return NULL
        whole = <int64_t>found.digits
        if found.negative:
            whole = -whole
        if not reading.least <= whole <= reading.greatest:
            return NULL
        if reading.step != 1 and whole % reading.step:
            return NULL
        return behind if put_integer(column, whole) else NULL
    # A decimal, or a time in seconds, which is kept as its text.
    if found.has_exponent or found.fraction > reading.digits:
        return NULL
    if reading.type == SECONDS and not is_second(p, end):
        return NULL
    add_text(column, p, found.end - p)
    return behind


cdef inline const char* no_number(const char* p, const char* end) noexcept nogil:
    """What stands behind a string that is a word for what is no number; NULL: it is none."""
    p += 1
    p += p[0] == b"-" or p[0] == b"+"
    if end - p > 4 and memcmp(p, b'\xe2\x88\x9e"', 4) == 0:
        return p + 4
    if is_word(p, end, b"nan", 3) or is_word(p, end, b"inf", 3):
        return p + 4
    return p + 9 if is_word(p, end, b"infinity", 8) else NULL


cdef inline bint is_word(
    const char* p, const char* end, const char* word, Py_ssize_t size
) noexcept nogil:
    """Whether a string's rest is a word, which stands here in small letters."""
    cdef Py_ssize_t at
    if end - p <= size or p[size] != b'"':
        return False
    for at in range(size):
        if p[at] | 32 != word[at]:
            return False
    return True


cdef inline bint is_whole(Number* found) noexcept nogil:
    return not found.has_point and not found.has_exponent


cdef inline bint to_double(const char* p, Number* found, double* value) except -1:
    """A number that begins at ``p`` as the nearest double; whether that is certain."""
    if found.count > MAX_EXACT or found.digits >= <uint64_t>WHOLE or found.has_exponent:
        return convert(p, found.end, value)
    value[0] = <double>found.digits / POWERS[found.fraction]
    if found.negative:
        value[0] = -value[0]
        return found.digits != 0
    return True


cdef inline bint convert(const char* p, const char* end, double* value) except -1:
    """As :func:`to_double`, whatever digits there are."""
    cdef char[MAX_DOUBLE] text
    cdef Py_ssize_t size = end - p
    if size >= MAX_DOUBLE:
        return False
    memcpy(text, p, size)
    text[size] = 0
    value[0] = PyOS_string_to_double(text, NULL, <object>NULL)
    return isfinite(value[0]) and value[0] != 0.0


cdef inline bint is_second(const char* p, const char* end) noexcept nogil:
    """Whether a number is a time of the years 1970 to 9999, in seconds since the epoch."""
    cdef uint64_t seconds = 0
    cdef const char* behind = digits(p, end, &seconds)
    return behind > p and behind - p <= 12 and seconds <= LAST_SECOND


cdef inline const char* add_corrected(
    Column* column, const char* p, const char* end, int most
) except? NULL:
    """Add a time in which the T is a space, or something is small, or that has no offset."""
    cdef char[MAX_MOMENT + 1] text
    cdef Py_ssize_t size = end - p
    if not 19 <= size <= MAX_MOMENT:
        return NULL
    memcpy(text, p, size)
    if text[10] == b" " or text[10] == b"t":
        text[10] = b"T"
    if text[size - 1] == b"z":
        text[size - 1] = b"Z"
    elif text[size - 1] != b"Z":
        text[size] = b"Z"
        size += 1
    if not is_moment(text, text + size, most):
        return NULL
    add_rare_text(column, text, size)
    return end + 1


cdef inline bint is_moment(const char* p, const char* end, int most) noexcept nogil:
    """Whether a text is a time as in RFC 3339, in UTC; February has no 29th here.

    :param most: how many digits may stand behind the second.
    """
    cdef const char* form = b"0000-00-00T00:00:00"
    cdef int position
    if end - p < 20 or (end - 1)[0] != b"Z":
        return False
    for position in range(19):
        if form[position] == b"0":
            if not is_digit(p[position]):
                return False
        elif p[position] != form[position]:
            return False
    if p[19] == b".":
        if end - p < 22 or end - p - 21 > most:
            return False
        for position in range(20, <int>(end - p) - 1):
            if not is_digit(p[position]):
                return False
    elif end - p != 20:
        return False
    return (
        memcmp(p, b"0000", 4) != 0
        and 1 <= two(p + 5) <= 12
        and 1 <= two(p + 8) <= days_of(two(p + 5))
        and two(p + 11) < 24
        and two(p + 14) < 60
        and two(p + 17) < 60
    )


cdef inline int days_of(int month) noexcept nogil:
    return 28 if month == 2 else 30 + ((LONG_MONTHS >> month) & 1)


cdef inline int two(const char* p) noexcept nogil:
    return 10 * (p[0] - 48) + p[1] - 48
