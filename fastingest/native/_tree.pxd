# cython: language_level=3
"""What messages are read by: the tree that they are walked through by, and a column's reading.

Theory of operation. The order of an object's members is expected to be that of the message before:
a node remembers the names as they came, those that lead nowhere as well, and compares 16 bytes at
once. Another order costs a search, and is the one expected from then on.
"""

cimport cython
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcmp

from fastingest.native._json cimport load, string

cdef enum:  # kinds of nodes
    OBJECT
    ARRAY
    COLUMN
    CONDITION
    ROWS
    LATER
    WHOLE  # a column of JSON
    SEVERAL
    EACH_MEMBER
    EACH_ELEMENT
    RECALLED
    RECALLED_CONDITION

cdef enum:  # what a column shows of where the row is
    NOT_OWN
    KEY
    VALUE
    INDEX
    PLACE

cdef enum:  # what conditions look at
    IS
    IS_NOT
    BEGINS
    LIKE
    EXISTS
    ABSENT

cdef enum:  # how cells are read
    TEXT
    DOUBLE
    INTEGER
    NUMBER
    BOOL
    DECIMAL
    SECONDS
    ISO
    JSON

cdef enum:
    EXPECTED = 128  # members of an object whose order is remembered
    NAMES = 8192  # room for names of members that each lead to rows, of which half is used
    MAX_FROM_END = 16  # elements of an array that are kept in mind until its end


cdef struct Expected:
    uint64_t first  # eight bytes of the name with its quotes, and eight more
    uint64_t second
    uint64_t first_mask
    uint64_t second_mask
    int size  # 0: none has come, or it is too long to be remembered
    int node  # -1: leads nowhere


cdef struct Child:
    const char* name  # with its quotes; of an array's element b""
    Py_ssize_t size
    int node  # -1: leads nowhere


cdef struct Name:
    uint64_t walk  # in which it has come
    const char* name
    Py_ssize_t size


cdef struct Node:
    int kind
    int index  # of the column, of the condition, or of the place of rows
    uint64_t places  # of which each member or element leads to rows: a bit for each
    Name* members  # of which each leads to rows: their names, by a hash
    Child* children
    int count  # of an array: one for each element up to the last that leads on
    int from_end  # of an array: how many follow them, for its last elements, the last one first
    uint64_t seen  # the walk in which a value stood here
    Expected* expected  # of an object


cdef struct Text:
    const char* text
    Py_ssize_t size


cdef struct Test:  # a condition
    int kind
    Text* texts  # any of which will do
    int count
    int recall  # as of a reading


cdef struct Reading:  # how a column's cells are read
    int type
    bint required
    bint has_words  # whether "NaN" and the like are empty cells, if there may be any
    bint is_later
    int64_t least
    int64_t greatest
    int64_t step  # what an integer is a multiple of
    int digits  # that may stand behind the point of what stays text
    const char* later  # of the root: where its text begins; NULL: it has not come
    const char* behind  # it
    int own  # what it shows of where the row is
    const char* constant  # the text that it is in each row; NULL: it is read
    Py_ssize_t constant_size
    int recall  # which of the values that are remembered by what is read; -1: what is read


@cython.final
cdef class ParseTree:
    cdef Node* nodes
    cdef Reading* readings  # of each column
    cdef Test* tests  # of each condition
    cdef Text* texts  # of all of them
    cdef Text* places  # what each of the places of rows is called
    cdef Name* members  # of all nodes that remember names
    cdef int in_row  # columns that are read from the row
    cdef Child* children  # of all nodes
    cdef Expected* expected  # of all objects
    cdef list names  # what the children's names point into, constants, and texts


cdef inline const char* behind_name(
    Node* node, int position, const char* p, const char* end, int* number
) noexcept nogil:
    """What stands behind the name of an object's member, and which node it leads to (``number``).

    :param position: how many members came before, up to EXPECTED - 1.
    """
    cdef uint64_t first = 0
    cdef uint64_t second = 0
    cdef const char* name = p
    cdef Expected* expected = &node.expected[position]
    words(p, end, &first, &second)
    if (
        expected.size
        and ((first ^ expected.first) & expected.first_mask) == 0
        and ((second ^ expected.second) & expected.second_mask) == 0
    ):
        number[0] = expected.node
        return p + expected.size
    if p[0] != b'"':
        return NULL
    p = string(p + 1, end)
    if p is NULL:
        return NULL
    p += 1
    number[0] = child_of(node, name, p - name)
    expected.node = number[0]
    expected.size = <int>(p - name) if p - name <= 16 else 0
    expected.first_mask = mask_of(expected.size)
    expected.second_mask = mask_of(expected.size - 8)
    expected.first = first & expected.first_mask
    expected.second = second & expected.second_mask
    return p


cdef bint is_like(
    const char* pattern, Py_ssize_t length, const char* p, Py_ssize_t size
) noexcept nogil


cdef inline bint is_met(Test* test, const char* p, Py_ssize_t size) noexcept nogil:
    """Whether a text is as one of a condition's says."""
    cdef int index
    for index in range(test.count):
        text = &test.texts[index]
        if test.kind == LIKE:
            if is_like(text.text, text.size, p, size):
                return True
        elif (text.size == size or (test.kind == BEGINS and text.size < size)) and memcmp(
            text.text, p, text.size
        ) == 0:
            return True
    return False


cdef inline bint is_new(
    Node* node, const char* name, Py_ssize_t size, uint64_t walk
) noexcept nogil:
    """Whether a member's name has not come yet in a walk, if there is room for it."""
    cdef uint64_t slot = 1469598103934665603
    cdef Py_ssize_t place
    for place in range(size):
        slot = (slot ^ <uint64_t>name[place]) * <uint64_t>1099511628211
    for _ in range(NAMES // 2):
        slot = (slot + 1) % NAMES
        member = &node.members[slot]
        if member.walk != walk:
            member.walk, member.name, member.size = walk, name, size
            return True
        if member.size == size and memcmp(member.name, name, size) == 0:
            return False
    return False


cdef inline int child_of(Node* node, const char* name, Py_ssize_t size) noexcept nogil:
    cdef int index
    for index in range(node.count):
        child = &node.children[index]
        if child.size == size and memcmp(child.name, name, size) == 0:
            return child.node
    return -1


cdef inline uint64_t mask_of(int size) noexcept nogil:
    """The first bytes of a word, on a little-endian machine."""
    return 0 if size <= 0 else ~<uint64_t>0 if size >= 8 else (<uint64_t>1 << (8 * size)) - 1


cdef inline void words(
    const char* p, const char* end, uint64_t* first, uint64_t* second
) noexcept nogil:
    """The next 16 bytes, zeros where the message has fewer."""
    cdef Py_ssize_t rest = end - p
    if rest >= 16:
        first[0], second[0] = load(p), load(p + 8)
    elif rest > 8:
        first[0], second[0] = load(p), load(end - 8) >> (8 * (16 - rest))
    else:
        first[0], second[0] = load(end - 8) >> (8 * (8 - rest)), 0
