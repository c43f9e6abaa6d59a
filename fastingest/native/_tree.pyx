# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A :class:`fastingest.native.parse_plan.ParsePlan`, laid out for the compiled parser."""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING
from cpython.mem cimport PyMem_Calloc, PyMem_Free

from fastingest.native.kinds import Comparison, NodeKind, Own
from fastingest.native.parse_plan import Notation

# What the plan calls them.
cdef dict KINDS = {
    NodeKind.OBJECT: OBJECT,
    NodeKind.ARRAY: ARRAY,
    NodeKind.COLUMN: COLUMN,
    NodeKind.CONDITION: CONDITION,
    NodeKind.ROWS: ROWS,
    NodeKind.LATER: LATER,
    NodeKind.SEVERAL: SEVERAL,
    NodeKind.EACH_MEMBER: EACH_MEMBER,
    NodeKind.EACH_ELEMENT: EACH_ELEMENT,
    NodeKind.RECALLED: RECALLED,
    NodeKind.RECALLED_CONDITION: RECALLED_CONDITION,
}
cdef dict OWN = {None: NOT_OWN, Own.KEY: KEY, Own.VALUE: VALUE, Own.INDEX: INDEX, Own.ROWS: PLACE}
cdef dict TESTS = {
    Comparison.IS: IS,
    Comparison.IS_NOT: IS_NOT,
    Comparison.BEGINS: BEGINS,
    Comparison.LIKE: LIKE,
    Comparison.EXISTS: EXISTS,
    Comparison.ABSENT: ABSENT,
}
cdef dict NOTATIONS = {
    Notation.TEXT: TEXT,
    Notation.DOUBLE: DOUBLE,
    Notation.INTEGER: INTEGER,
    Notation.NUMBER: NUMBER,
    Notation.BOOL: BOOL,
    Notation.DECIMAL: DECIMAL,
    Notation.SECONDS: SECONDS,
    Notation.ISO: ISO,
    Notation.JSON: JSON,
}


cdef void* zeroed(size_t size) except NULL:
    cdef void* memory = PyMem_Calloc(size + 1, 1)
    if memory is NULL:
        raise MemoryError
    return memory


@cython.final
cdef class ParseTree:
    """The nodes of a plan, and how its columns are read."""

    def __cinit__(self, plan):
        cdef int index, child = 0, object_ = 0, text = 0, remembering = 0
        self.in_row = len(plan.columns)
        self.names = []
        children = sum([len(node.children) for node in plan.nodes])
        objects = sum([node.kind is NodeKind.OBJECT for node in plan.nodes])
        self.readings = <Reading*>zeroed(self.in_row * sizeof(Reading))
        self.nodes = <Node*>zeroed(len(plan.nodes) * sizeof(Node))
        self.children = <Child*>zeroed(children * sizeof(Child))
        self.expected = <Expected*>zeroed(objects * EXPECTED * sizeof(Expected))
        for index, column in enumerate(plan.columns):
            reading = &self.readings[index]
            reading.type, reading.required = NOTATIONS[column.notation], column.required
            reading.has_words = column.has_words
            reading.step, reading.digits = column.step, column.digits
            reading.least, reading.greatest = column.least, column.greatest
            reading.own, reading.recall = OWN[column.own], column.recall
            if reading.own:
                self.in_row -= 1
                reading.is_later = True
            if column.constant is not None:
                self.names.append(column.constant)
                reading.constant = PyBytes_AS_STRING(column.constant)
                reading.constant_size = len(column.constant)
                reading.is_later = True
                self.in_row -= 1
        texts = sum([len(condition.texts) for condition in plan.conditions])
        self.tests = <Test*>zeroed(len(plan.conditions) * sizeof(Test))
        self.texts = <Text*>zeroed(texts * sizeof(Text))
        for index, condition in enumerate(plan.conditions):
            test = &self.tests[index]
            test.kind, test.count = TESTS[condition.test], len(condition.texts)
            test.texts, test.recall = &self.texts[text], condition.recall
            for value in condition.texts:
                self.names.append(value)
                self.texts[text].text, self.texts[text].size = PyBytes_AS_STRING(value), len(value)
                text += 1
        self.places = <Text*>zeroed(len(plan.places) * sizeof(Text))
        for index, value in enumerate(plan.places):
            self.names.append(value)
            self.places[index].text, self.places[index].size = PyBytes_AS_STRING(value), len(value)
        members = sum([node.kind is NodeKind.EACH_MEMBER for node in plan.nodes])
        self.members = <Name*>zeroed(members * NAMES * sizeof(Name))
        for index, (kind, of, leads_to, from_end) in enumerate(plan.nodes):
            node = &self.nodes[index]
            node.kind = KINDS[kind]
            if node.kind == EACH_MEMBER or node.kind == EACH_ELEMENT:
                node.places = of
            else:
                node.index = of
            if node.kind == COLUMN and self.readings[node.index].type == JSON:
                node.kind = WHOLE
            elif node.kind == EACH_MEMBER:
                node.members = &self.members[remembering * NAMES]
                remembering += 1
            node.children, node.count = &self.children[child], len(leads_to) - from_end
            node.from_end = from_end
            if node.kind == OBJECT:
                node.expected = &self.expected[object_ * EXPECTED]
                object_ += 1
            elif node.kind == LATER:
                self.readings[node.index].is_later = True
                self.in_row -= 1
            for name, leads_on in leads_to:
                self.names.append(name)
                self.children[child].name = PyBytes_AS_STRING(name)
                self.children[child].size = len(name)
                self.children[child].node = leads_on
                child += 1

    def __dealloc__(self):
        PyMem_Free(self.readings)
        PyMem_Free(self.nodes)
        PyMem_Free(self.children)
        PyMem_Free(self.expected)
        PyMem_Free(self.tests)
        PyMem_Free(self.texts)
        PyMem_Free(self.places)
        PyMem_Free(self.members)


cdef bint is_like(
    const char* pattern, Py_ssize_t length, const char* p, Py_ssize_t size
) noexcept nogil:
    """Whether a text is as one with ``*`` and ``?`` says: each star takes as little as it can."""
    cdef Py_ssize_t at = 0, place = 0  # in the text, and in the pattern
    cdef Py_ssize_t star = -1, behind = 0  # the last one, and the text behind what it takes
    while at < size:
        if place < length and pattern[place] == b"*":
            star, behind = place, at
            place += 1
        elif place < length and (pattern[place] == b"?" or pattern[place] == p[at]):
            at += 1
            place += 1
        elif star >= 0:
            behind += 1
            at, place = behind, star + 1
        else:
            return False
    while place < length and pattern[place] == b"*":
        place += 1
    return place == length
