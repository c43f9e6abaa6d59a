"""JSON texts → nearly the same: what a fuzzer that knows nothing of JSON does not come upon.

A text is changed as text and not as the value that it stands for, since what matters is that which
no writer of JSON would write: a member twice, ``01``, a space that is none, a string that does not
end.
"""

from __future__ import annotations

import re
from random import Random

__all__ = ["mutate"]

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[-+.\w]+|[ \t\r\n]+|.', re.DOTALL)
_NUMERIC = re.compile(rb'"?[-+]?\.?[0-9][-+.\w]*"?')

_ODD_NUMBERS = rb"""
    0 -0 00 01 -01 -0.0 0.0 0.000 1. .5 -.5 - +1 1.0 -1 100.50 0x10 1_000 12345678 1234567812345678
    1e5 1E+2 1e-7 1e05 1e 1e+ 1e22 1e308 1e309 1e999 2.5e-324 1.5e0 12e-1 true
    0.1 0.30000000000000004 123456789.123456789 0.1234567890123456789 9007199254740993.5
    9007199254740991 9007199254740992 9007199254740993 -9007199254740993 900719925474099.31
    999999999999999999 1000000000000000000 -1000000000000000000 1234567890123456789
    9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
    18446744073709551616 99999999999999999999 NaN Infinity -Infinity nan inf
    253402300799 253402300800 253402300799999 253402300800000 253402300799999999 -62135596800
    """.split()
_ODD_TEXTS = [
    *rb"""
    A \u0041 \u00e9 \ud83d \n \" \\ \x \ " - . true null nan
    2023-01-01T00:00:00Z 2023-02-30T00:00:00Z 2023-01-01T24:00:00Z 2023-06-30T23:59:60Z
    2023-01-01t00:00:00z 2023-01-01T00:00:00+01:00 0000-01-01T00:00:00Z 2023-13-01T00:00:00Z
    Infinity -inf +NaN infinit nan- nanx
    2023-01-01T00:00:00.123456789Z 2023-01-01T00:00:00.Z 2023-01-01T00:00:00
    """.split(),
    *(
        b"",
        b" 1",
        b"1 ",
        b"a\nb",
        b"a\0b",
        b"\x1f",
        b"\x7f",
        b"\xc3\xa9",
        b"\xe2\x88\x9e",
        b"-\xe2\x88\x9e",
        b"\xff",
        b"x" * 300,
    ),
]
_ODD_VALUES = [
    *b'true false null True nul truex nulll {} [] [[]] {"a":1} [1,2] [{}] {"a":{}} "'.split(),
    b"9" * 400,
    b"[" * 70 + b"]" * 70,
]
_SPACE = [
    b" ",
    b"\n",
    b"\t",
    b"\r",
    b"  \r\n",
    b"\x0b",
    b"\x0c",
    b"\x00",
    b"\xc2\xa0",
    b"\xef\xbb\xbf",
]
_MARKS = (b"{", b"}", b"[", b"]", b",", b":")
_CHARACTERS = b'0123456789.eE+-" \\ntZT:{}[],'


def mutate(text: bytes, random: Random) -> bytes:
    """A text of which some things are other than in ``text``."""
    tokens = _TOKEN.findall(text)
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        if not tokens:
            break
        random.choice(_CHANGES)(tokens, random)
    return b"".join(tokens)


def _items(tokens: list[bytes]) -> list[tuple[int, int]]:
    """Where the members of objects and the elements of arrays begin and end."""
    found: list[tuple[int, int]] = []
    begun: list[int] = []
    for index, token in enumerate(tokens):
        if token in (b"]", b"}", b",") and begun:
            start = begun.pop()
            if index > start:
                found.append((start, index))
        if token in (b"[", b"{", b","):
            begun.append(index + 1)
    return found


def _is_scalar(token: bytes) -> bool:
    return token[:1] == b'"' or token[:1].isalnum() or token[:1] in b"-+."


def _scalar(tokens: list[bytes], random: Random) -> int:
    """Where one of the scalars is, or anything where there are none; seldom a member's name."""
    places = [index for index, token in enumerate(tokens) if _is_scalar(token)]
    if random.randrange(8):
        names = {index - 1 for index, token in enumerate(tokens) if token == b":"}
        places = [index for index in places if index not in names]
    return random.choice(places or range(len(tokens)))


def _put_odd_value(tokens: list[bytes], random: Random) -> None:
    index = _scalar(tokens, random)
    is_text = tokens[index][:1] == b'"'
    is_number = bool(_NUMERIC.fullmatch(tokens[index]))
    if not random.randrange(4):  # of another kind
        is_text, is_number = random.choice(((True, True), (True, False), (False, False)))
    value = random.choice(_ODD_NUMBERS if is_number else _ODD_TEXTS if is_text else _ODD_VALUES)
    tokens[index] = b'"%b"' % value if is_text else value


def _change_character(tokens: list[bytes], random: Random) -> None:
    index = _scalar(tokens, random)
    token = tokens[index]
    at = random.randrange(len(token) + 1)
    put = bytes([random.choice(_CHARACTERS)]) * random.randrange(3)
    tokens[index] = token[:at] + put + token[at + random.randrange(2) :]


def _change_number(tokens: list[bytes], random: Random) -> None:
    """Another number of the same form, or one with more digits."""
    places = [index for index, token in enumerate(tokens) if _NUMERIC.fullmatch(token)]
    if not places:
        return
    index = random.choice(places)
    digits = b"".join(random.choice((b"0", b"9", b"%d" % random.randrange(10))) for _ in range(20))
    size = random.randrange(1, 20)
    token = tokens[index]
    at = random.randrange(len(token))
    tokens[index] = token[:at] + digits[:size] + token[at + random.choice((0, size)) :]


def _quote(tokens: list[bytes], random: Random) -> None:
    index = _scalar(tokens, random)
    token = tokens[index]
    tokens[index] = token[1:-1] if token[:1] == b'"' else b'"%b"' % token


def _take_value_of_another(tokens: list[bytes], random: Random) -> None:
    tokens[_scalar(tokens, random)] = tokens[_scalar(tokens, random)]


def _space(tokens: list[bytes], random: Random) -> None:
    tokens.insert(random.randrange(len(tokens) + 1), random.choice(_SPACE))


def _drop_token(tokens: list[bytes], random: Random) -> None:
    del tokens[random.randrange(len(tokens))]


def _repeat_token(tokens: list[bytes], random: Random) -> None:
    tokens.insert(random.randrange(len(tokens)), random.choice(tokens))


def _put_other_mark(tokens: list[bytes], random: Random) -> None:
    """Another bracket, comma or colon than there was."""
    places = [index for index, token in enumerate(tokens) if token in _MARKS]
    if places:
        tokens[random.choice(places)] = random.choice(_MARKS)


def _cut_off(tokens: list[bytes], random: Random) -> None:
    end = random.randrange(1, len(tokens) + 1)
    del tokens[end:]
    tokens[-1] = tokens[-1][: random.randrange(len(tokens[-1]) + 1)]


def _repeat_item(tokens: list[bytes], random: Random) -> None:
    """A member or an element twice, or many times, in its container or in another."""
    items = _items(tokens)
    if items:
        start, end = random.choice(items)
        at = random.choice((end, random.choice(items)[1]))
        times = random.choice((1, 1, 1, 1, 2, 20))
        tokens[at:at] = [b",", *tokens[start:end]] * times


def _drop_item(tokens: list[bytes], random: Random) -> None:
    items = _items(tokens)
    if items:
        start, end = random.choice(items)
        if end < len(tokens) and tokens[end] == b",":
            end += 1
        elif start and tokens[start - 1] == b",":
            start -= 1
        del tokens[start:end]


def _swap_items(tokens: list[bytes], random: Random) -> None:
    items = _items(tokens)
    if items:
        (start, end), (other, its_end) = sorted(random.choices(items, k=2))
        if end <= other:
            first = tokens[start:end]
            tokens[start:end], tokens[other:its_end] = tokens[other:its_end], first


def _wrap(tokens: list[bytes], random: Random) -> None:
    """Put a run of tokens into an array or an object, or take brackets away."""
    items = [*_items(tokens), (0, len(tokens))]
    start, end = random.choice(items)
    opening, closing = random.choice(((b"[", b"]"), (b'{"x":', b"}"), (b"", b"")))
    if opening:
        tokens[start:end] = [opening, *tokens[start:end], closing]
    elif end - start > 2:
        del tokens[end - 1], tokens[start]


_CHANGES = (
    _put_odd_value,
    _put_odd_value,
    _change_character,
    _change_character,
    _change_number,
    _change_number,
    _quote,
    _take_value_of_another,
    _space,
    _drop_token,
    _repeat_token,
    _put_other_mark,
    _cut_off,
    _repeat_item,
    _repeat_item,
    _drop_item,
    _swap_items,
    _wrap,
)
