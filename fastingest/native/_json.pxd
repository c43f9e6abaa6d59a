# cython: language_level=3
"""JSON text, looked at without copying or converting anything.

Bytes are looked at eight at a time, the first one lowest: machines are little-endian. A text has 16
of them at least. Its last byte must be one that closes an object or an array, which the caller has
looked at: digits and white space end there at the latest.

What is not known for certain to be right is none: a string with an escape, unless it is passed over
or unescaped, a character that is not ASCII, a number with a long exponent. Whatever is none has
NULL, or False, for an answer.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy

cdef extern from *:
    """
    #define fi_zeros __builtin_ctzll
    static const unsigned long long fi_tens[] = {
        1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000
    };

    /* Not inlined: few strings have escapes, and what others need is to stay small. */
    static __attribute__((noinline, unused)) const char*
    fi_unescape(const char* p, const char* end, char** out)
    {
        const unsigned long long ones = 0x0101010101010101ull;
        while (p < end) {
            unsigned long long word, quotes, backslashes, others;
            int count, character;
            if (end - p >= 8) {
                memcpy(&word, p, 8);
            } else {
                memcpy(&word, end - 8, 8);
                word >>= 8 * (8 - (end - p));
            }
            quotes = word ^ (ones * 34);
            backslashes = word ^ (ones * 92);
            others = (((quotes - ones) & ~quotes) | ((backslashes - ones) & ~backslashes)
                      | ((word - ones * 32) & ~word) | word) & (ones * 128);
            count = others ? fi_zeros(others) >> 3 : 8;
            if (out) {
                memcpy(*out, &word, 8);
                *out += count;
            }
            p += count;
            if (count == 8)
                continue;
            if (p < end && p[0] == 34)
                return p;
            if (end - p < 2 || p[0] != 92)
                return NULL;
            switch (p[1]) {
            case 34: case 92: case 47: character = p[1]; break;
            case 'b': character = 8; break;
            case 'f': character = 12; break;
            case 'n': character = 10; break;
            case 'r': character = 13; break;
            case 't': character = 9; break;
            case 'u':  /* of ASCII */
                if (end - p < 6 || p[2] != '0' || p[3] != '0' || p[4] < '0' || p[4] > '7')
                    return NULL;
                character = 16 * (p[4] - '0');
                if (p[5] >= '0' && p[5] <= '9')
                    character += p[5] - '0';
                else if ((p[5] | 32) >= 'a' && (p[5] | 32) <= 'f')
                    character += (p[5] | 32) - 'a' + 10;
                else
                    return NULL;
                p += 4;
                break;
            default: return NULL;
            }
            p += 2;
            if (out)
                *(*out)++ = (char)character;
        }
        return NULL;
    }
    """
    # The quote that ends the string whose characters, or escapes of ASCII, begin at ``p``. Where
    # ``out`` is not NULL, they are put there, and it behind them; eight bytes more are overwritten.
    const char* unescape "fi_unescape"(const char* p, const char* end, char** out) nogil
    const unsigned long long* TENS "fi_tens"
    int zeros "fi_zeros"(unsigned long long word) nogil

cdef enum:
    MAX_DEPTH = 64  # of what is passed over
    MAX_DIGITS = 300  # of a number that is passed over


cdef struct Number:
    uint64_t digits  # all of them as one integer, where there are at most 19
    int count
    int fraction  # how many of them stand behind the point
    bint negative
    bint has_point
    bint has_exponent
    const char* end


cdef inline uint64_t load(const char* p) noexcept nogil:
    cdef uint64_t word = 0
    memcpy(&word, p, 8)
    return word


cdef inline uint64_t window(const char* p, const char* end) noexcept nogil:
    """The next eight bytes, the first one lowest; zeros behind the end.

    There must be at least one, and the eight bytes before the end must be the message's.
    """
    if end - p >= 8:
        return load(p)
    return load(end - 8) >> (8 * (8 - (end - p)))


cdef inline uint64_t all_bytes(uint8_t byte) noexcept nogil:
    return <uint64_t>0x0101010101010101 * byte


cdef inline const char* space(const char* p) noexcept nogil:
    """What stands behind white space."""
    while p[0] <= b" " and (p[0] == b" " or p[0] == b"\n" or p[0] == b"\t" or p[0] == b"\r"):
        p += 1
    return p


cdef inline const char* string(const char* p, const char* end) noexcept nogil:
    """The quote that ends the string whose characters begin at ``p``."""
    cdef uint64_t word, quotes, backslashes, others
    while p < end:
        # In each sum the lowest bit that is set is right; those above it may not be.
        word = window(p, end)
        quotes = word ^ all_bytes(b'"')
        backslashes = word ^ all_bytes(b"\\")
        others = (
            ((quotes - all_bytes(1)) & ~quotes)
            | ((backslashes - all_bytes(1)) & ~backslashes)
            | ((word - all_bytes(32)) & ~word)
            | word
        ) & all_bytes(128)
        if others:
            p += zeros(others) >> 3
            if p < end and p[0] == b'"':
                return p
            return NULL
        p += 8
    return NULL


cdef inline bint is_digit(char byte) noexcept nogil:
    return <uint8_t>(<uint8_t>byte - 48) < 10


cdef inline const char* digits(const char* p, const char* end, uint64_t* value) noexcept nogil:
    """What stands behind the digits that begin here, with which ``value`` goes on.

    Eight at a time, which are three multiplications (D. Lemire, *Quickly parsing eight digits*,
    2018).
    """
    cdef uint64_t word, others
    cdef int count
    while True:
        word = window(p, end) ^ all_bytes(b"0")
        others = ((word + all_bytes(0x76)) | word) & all_bytes(128)
        count = zeros(others) >> 3 if others else 8
        if count == 0:
            return p
        word <<= 8 * (8 - count)  # in front of them come zeros
        word = word * 10 + (word >> 8)
        word = (
            (word & <uint64_t>0x000000FF000000FF) * <uint64_t>0x000F424000000064
            + ((word >> 16) & <uint64_t>0x000000FF000000FF) * <uint64_t>0x0000271000000001
        ) >> 32
        value[0] = value[0] * TENS[count] + <uint32_t>word
        p += count
        if count < 8:
            return p


cdef inline bint number(const char* p, const char* end, Number* found) noexcept nogil:
    """Whether a number begins here (RFC 8259, section 6)."""
    cdef uint64_t all_digits = 0
    cdef const char* start
    found.negative = p[0] == b"-"
    p += found.negative
    start = p
    p = digits(p, end, &all_digits)
    found.count = <int>(p - start)
    if found.count == 0 or (start[0] == b"0" and found.count > 1):
        return False
    found.fraction = 0
    found.has_point = p[0] == b"."
    if found.has_point:
        start = p + 1
        p = digits(start, end, &all_digits)
        found.fraction = <int>(p - start)
        found.count += found.fraction
        if found.fraction == 0:
            return False
    found.digits = all_digits
    found.has_exponent = p[0] == b"e" or p[0] == b"E"
    if found.has_exponent:
        p += 1
        p += p[0] == b"-" or p[0] == b"+"
        start = p
        while is_digit(p[0]):
            p += 1
        if p == start or p - start > 2:
            return False
    found.end = p
    return True


cdef inline const char* literal(const char* p, const char* end) noexcept nogil:
    """What stands behind true, false or null."""
    if end - p > 4 and (memcmp(p, b"true", 4) == 0 or memcmp(p, b"null", 4) == 0):
        return p + 4
    if end - p > 5 and memcmp(p, b"false", 5) == 0:
        return p + 5
    return NULL


cdef inline const char* scalar(const char* p, const char* end) noexcept nogil:
    """What stands behind a value that is no object and no array."""
    cdef Number found
    if p[0] == b'"':
        p = string(p + 1, end)
        if p is NULL:
            return NULL
        return p + 1
    if p[0] == b"-" or is_digit(p[0]):
        if number(p, end, &found) and not found.has_exponent and found.count <= MAX_DIGITS:
            return found.end
        return NULL
    return literal(p, end)


cdef inline const char* skip(const char* p, const char* end) noexcept nogil:
    """What stands behind a value, whatever it is."""
    cdef char[MAX_DEPTH] closing  # of the objects and arrays that are open
    cdef int depth = 0
    cdef const char* start
    while True:
        # A value begins here.
        if p[0] == b"{" or p[0] == b"[":
            if depth == MAX_DEPTH:
                return NULL
            closing[depth] = p[0] + 2  # as ASCII has them
            depth += 1
            p = space(p + 1)
            if p[0] != closing[depth - 1]:
                if closing[depth - 1] == b"}":
                    p = name(p, end)
                    if p is NULL:
                        return NULL
                continue
        else:
            start = p
            p = scalar(p, end)
            if p is NULL and start[0] == b'"':
                p = unescape(start + 1, end, NULL)
                p += p is not NULL
            if p is NULL or depth == 0:
                return p
            p = space(p)
        # A value has ended here, or an empty object or array is about to.
        while p[0] == closing[depth - 1]:
            p += 1
            depth -= 1
            if depth == 0:
                return p
            if p >= end:
                return NULL
            p = space(p)
        if p[0] != b",":
            return NULL
        p = space(p + 1)
        if closing[depth - 1] == b"}":
            p = name(p, end)
            if p is NULL:
                return NULL


cdef inline const char* behind_item(
    const char* p, const char* end, char closing, bint* closed
) noexcept nogil:
    """The next member or element; or what stands behind the bracket that closes (``closed``).

    :param p: what stands behind the one before; NULL: it is none.
    """
    if p is NULL or p >= end:
        return NULL
    p = space(p)
    closed[0] = p[0] == closing
    if closed[0]:
        return p + 1
    if p[0] == b",":
        return space(p + 1)
    return NULL


cdef inline const char* name(const char* p, const char* end) noexcept nogil:
    """The value behind a member's name."""
    if p[0] != b'"':
        return NULL
    p = string(p + 1, end)
    if p is NULL:
        return NULL
    p = space(p + 1)
    if p[0] == b":":
        return space(p + 1)
    return NULL
