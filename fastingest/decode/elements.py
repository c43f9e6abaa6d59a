"""The elements of a JSON array one after the other, and the wanted members of an object.

msgspec can make a list of all elements of an array, but a message of 16 MiB has room for millions,
and a list of their texts takes sixty times the message. Who reads such a message needs the first
thousand that are bad, and then no more: :func:`elements_of` finds each when it is asked for.

Of a short array msgspec's list is small, and made in a fifth of the time.

What is here splits and does not check: the array must be JSON that msgspec has seen. Then an
element is a string, or a scalar that ends before a comma, a bracket or space, or it is nested.
Regular expressions that never go back (``*+``) find the end of what is nested a few levels deep, as
rows are; what is deeper takes a count of the brackets.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import msgspec

__all__ = ["elements_of", "is_empty", "members_decoder"]

_STRING = rb'"(?:[^"\\]++|\\.)*+"'
_SHORT = 256 * 1024  # bytes; a list of the elements of so many takes 20 MiB at most
_LEVELS = 3  # of nesting that one expression finds the end of


def _nested(levels: int) -> bytes:
    inside = rb"|" + _nested(levels - 1) if levels > 1 else b""
    return rb'[\[{](?:[^][{}"]++|' + _STRING + inside + rb")*+[\]}]"


_SPACE = rb"[ \t\n\r]*+"
_ELEMENT = re.compile(
    _SPACE + rb"(" + _STRING + rb'|[^][{}", \t\n\r]++|' + _nested(_LEVELS) + rb")" + _SPACE + b",?"
)
_OPENING = re.compile(_SPACE + rb"[\[{]")
_TOKEN = re.compile(_STRING + rb"|[\[{]|[\]}]")
_COMMA = re.compile(_SPACE + b",?")
_EMPTY = re.compile(rb"[\[{]" + _SPACE + rb"[\]}]")

_decode_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_NOT_RENAMED = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')  # what msgspec takes in no field's name


def elements_of(array: bytes) -> Iterator[bytes]:
    """The texts of the elements, without space around them.

    :param array: JSON that is an array, without space around it.
    """
    if len(array) <= _SHORT:
        yield from map(bytes, _decode_elements(array))
        return
    behind = 1
    while True:
        element = _ELEMENT.match(array, behind)
        if element is not None:
            yield element[1]
            behind = element.end()
        elif (opening := _OPENING.match(array, behind)) is not None:
            start = opening.end() - 1
            end = _end_of_nested(array, start)
            yield array[start:end]
            behind = _COMMA.match(array, end).end()  # type: ignore[union-attr]  # it always does
        else:
            return


def _end_of_nested(text: bytes, start: int) -> int:
    depth = 0
    for token in _TOKEN.finditer(text, start):
        kind = text[token.start()]
        if kind in b"[{":
            depth += 1
        elif kind in b"]}":
            depth -= 1
            if not depth:
                return token.end()
    raise ValueError("an array or an object has no end")


def is_empty(text: bytes) -> bool:
    """Whether JSON that is an array or an object has nothing in it."""
    return _EMPTY.match(text) is not None


@lru_cache(maxsize=256)
def members_decoder(names: tuple[str, ...]) -> Callable[[bytes], Iterable[tuple[str, msgspec.Raw]]]:
    """A function of an object's JSON: those of its members that have these names."""
    if any(map(_NOT_RENAMED.search, names)):

        def all_members(text: bytes) -> Iterable[tuple[str, msgspec.Raw]]:
            members = _decode_members(text)
            return [(name, members[name]) for name in names if name in members]

        return all_members

    attributes = [f"f{index}" for index in range(len(names))]
    wanted = msgspec.defstruct(
        "Members",
        [(attribute, msgspec.Raw, msgspec.Raw(b"")) for attribute in attributes],
        rename=dict(zip(attributes, names, strict=True)),
        gc=False,
    )
    decode = msgspec.json.Decoder(wanted).decode

    def wanted_members(text: bytes) -> Iterable[tuple[str, msgspec.Raw]]:
        return zip(names, msgspec.structs.astuple(decode(text)), strict=True)

    return wanted_members
