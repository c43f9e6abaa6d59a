"""Paths into JSON, and conditions on what they lead to.

::

    price            the member "price"
    last.price       the member "price" of the member "last"
    [0]  data[0].p   an element of an array, counted from 0; [-1] is the last one, [-2] that before
    ["a.b"]          a member whose name is not made of letters, digits, _, -, @, / and : alone
    payload|json.p   the member "p" of the JSON that the text of the string "payload" is
    $  $.arg.instId  from the message's root; without $, from where the row is
    $[0]|remembered.symbol     from the message that is remembered by the text of $[0]

Where rows are, ``.*`` and ``[*]`` may stand for each member and each element in turn.

A condition compares the text of a JSON string, number, true, false or null; what is not there, an
object and an array have none::

    e=trade,quote    it is one of these
    e!=trade,quote   it is none of these, or has no text
    id^=BTC-,ETH-    it begins with one of these
    s~=*-USD?        it is as one of these say: * is any characters, ? is any one
    e exists         it is there, whatever it is, and not null
    e absent         it is not there, or null

A value that begins with ``=`` is taken for a slip: ``path==value``.

What reads several paths of one message puts them into a tree (:mod:`fastingest.model.path_tree`).
"""

from __future__ import annotations

import json
import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, TypeAlias

import msgspec

__all__ = [
    "ANY",
    "OWN",
    "Condition",
    "Each",
    "Embedded",
    "JsonPath",
    "NoTree",
    "PlaceSteps",
    "Step",
    "Steps",
    "parse_condition",
    "parse_path",
    "parse_place",
    "text_of",
    "text_of_steps",
]


class Embedded(Enum):
    """A step from a text to other JSON: that which it is, or the message remembered by it."""

    JSON = "|json"
    REMEMBERED = "|remembered"


Step: TypeAlias = str | int | Embedded
Steps = tuple[Step, ...]
"""Member names and array indices, one step after the other; indices below 0 are from the end."""


class Each(Enum):
    """A step to each member of an object, or to each element of an array."""

    MEMBER = "*"
    ELEMENT = "[*]"


PlaceSteps = tuple[Step | Each, ...]
"""Steps to where rows are."""

ANY = -(10**9)
"""The step that is written ``[*]`` in a path: any element of an array; few paths may have it. It is
no index: those have six digits at most."""

_NAME = r"[^\W\d][\w@/:-]*|[\d@][\w@/:-]*"
_STEP = re.compile(
    rf"\.?(?P<name>{_NAME}|\*)|(?P<element>\[\*\])|\[(?P<index>\d{{1,6}}|-(?!0+\])\d{{1,6}})\]|"
    r'\[(?P<quoted>"(?:[^"\\]|\\.)*")\]|(?P<piped>\|(?:json|remembered)(?![\w@/:-]))'
)
_BARE = re.compile(_NAME)
_MAX_STEPS = 64


OWN = ("@key", "@value", "@index", "@rows")
"""What there is of a row besides what stands in it: the name of the member that the last ``.*`` has
led to; the row's own value, where it is no object and no array, or the column is of JSON; where it
stands in its array, from 0; which of the places of rows it is from."""


class JsonPath(NamedTuple):
    """Where a value is."""

    steps: Steps = ()
    from_root: bool = False
    """Whether it begins at the message's root and not at the row."""
    own: str = ""
    """What it is where no steps lead to it: the JSON of a constant, or one of :data:`OWN`."""

    @property
    def split(self) -> tuple[Steps, Steps]:
        """The steps in the message itself, and those in one that is remembered."""
        if Embedded.REMEMBERED not in self.steps:
            return self.steps, ()
        behind = self.steps.index(Embedded.REMEMBERED) + 1
        return self.steps[: behind - 1], self.steps[behind:]

    def __str__(self) -> str:
        if self.own:
            return self.own
        return text_of_steps(self.steps, "$" if self.from_root else "")


def text_of_steps(steps: PlaceSteps, text: str = "") -> str:
    """Steps as they are written, behind ``text``."""
    for step in steps:
        if step in (ANY, Each.ELEMENT):
            text += "[*]"
        elif isinstance(step, int):
            text += f"[{step}]"
        elif isinstance(step, Embedded):
            text += step.value
        elif isinstance(step, Each) or _BARE.fullmatch(step):
            name = "*" if isinstance(step, Each) else step
            text += f".{name}" if text else name
        else:
            text += f"[{json.dumps(step, ensure_ascii=False)}]"
    return text


def parse_path(text: str, *, any_element: bool = False) -> JsonPath:
    """The path that ``text`` says.

    :param any_element: whether ``[*]`` may stand in it, once.
    :raises ValueError: it says none.
    """
    found, from_root = _parse(text)
    steps = [ANY if any_element and step is Each.ELEMENT else step for step in found]
    plain = [step for step in steps if not isinstance(step, Each)]
    if len(plain) < len(steps):
        also = ", and [*] in conditions of whole messages" if Each.ELEMENT in steps else ""
        raise ValueError(
            f"{text.strip()!r} is no path of one value; * stands only where rows are{also}"
        )
    if plain.count(ANY) > 1:
        raise ValueError(f"{text.strip()!r} is no path here; [*] may stand once in a path")
    if Embedded.REMEMBERED in plain and any_element:
        raise ValueError(f"{text.strip()!r} is no path here; columns and 'where' may have such")
    if isinstance(plain[0] if plain else None, Embedded) and not from_root:
        raise ValueError(
            f"{text.strip()!r}: a row is no string; where rows are, write for example items[*]|json"
        )
    return JsonPath(tuple(plain), from_root)


def parse_place(text: str) -> PlaceSteps:
    """The steps to the rows that ``text`` says.

    :raises ValueError: it says none.
    """
    steps = _parse(text, "data, events[*].trades, mids.* or [1]")[0]
    if Embedded.REMEMBERED in steps:
        raise ValueError(f"{text.strip()!r}: what is remembered has no rows")
    return tuple(steps)


def _parse(
    text: str, hint: str = 'price, last.price, [0], [-1], ["odd name"] or $.data.symbol'
) -> tuple[list[Step | Each], bool]:
    """The steps of a path, and whether it begins with ``$``.

    :param hint: what may be written, where it is none.
    """
    rest = text.strip()
    from_root = rest.startswith("$")
    rest = rest.removeprefix("$")
    steps: list[Step | Each] = []
    offset = 0
    while offset < len(rest):
        step = _STEP.match(rest, offset)
        # A dot stands between two names, and behind $.
        dotted = step is not None and rest[offset] == "."
        if step is None or (step["name"] and dotted != (from_root or bool(steps))):
            if rest[offset] == "|":
                hint = 'payload|json.price, or ["a|b"] for a name with | in it'
            raise ValueError(f"{text.strip()!r} is no path; write for example {hint}")
        if step["index"] is not None:
            steps.append(int(step["index"]))
        elif step["piped"]:
            steps.append(Embedded(step["piped"]))
        elif step["element"] or step["name"] == "*":
            steps.append(Each.ELEMENT if step["element"] else Each.MEMBER)
        else:
            steps.append(step["name"] or json.loads(step["quoted"]))
        offset = step.end()
    if Embedded.REMEMBERED in steps[:1] + steps[-1:] or steps.count(Embedded.REMEMBERED) > 1:
        raise ValueError(
            f"{text.strip()!r} is no path; |remembered stands once, between what a message is "
            "remembered by and a path into it: $[0]|remembered.symbol"
        )
    if len(steps) > _MAX_STEPS:
        raise ValueError(f"a path of {len(steps)} steps is too long; {_MAX_STEPS} are the most")
    return steps, from_root


class NoTree(Exception):
    """The paths cannot be read together."""


class Condition(NamedTuple):
    """What a message or a row must say to be taken.

    :param values: any of which will do; ``exists`` and ``absent`` have none.
    :param test: ``=``, ``!=``, ``^=``, ``~=``, ``exists`` or ``absent``.
    """

    path: JsonPath
    values: tuple[str, ...] = ()
    test: str = "="

    def __str__(self) -> str:
        if self.test in _WORDS:
            return f"{self.path} {self.test}"
        return f"{self.path}{self.test}{','.join(self.values)}"

    @property
    def holds_of_nothing(self) -> bool:
        """Whether it holds where the path leads to nothing."""
        return self.test in ("!=", "absent")

    def holds(self, value: bytes | msgspec.Raw | None) -> bool:
        """Whether it holds where the path leads to this.

        :param value: JSON; None or empty: it leads to nothing.
        """
        if self.test == "=":
            return text_of(value) in self.values
        if self.test in _WORDS:
            is_there = value is not None and bytes(value) not in (b"", b"null")
            return is_there == (self.test == "exists")
        text = text_of(value)
        if self.test == "!=":
            return text not in self.values
        if text is None:
            return False
        if self.test == "^=":
            return text.startswith(self.values)
        return any(_pattern(each).fullmatch(text) for each in self.values)


_WORDS = ("exists", "absent")
_TESTS = "there are =, !=, ^= (it begins with), ~= (as * and ? say), exists and absent"


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    """What a text with ``*`` and ``?`` is said of, in time that does not explode."""
    first, *others = (
        "".join("." if each == "?" else re.escape(each) for each in part)
        for part in text.split("*")
    )
    if not others:
        return re.compile(first, re.DOTALL)
    *inner, last = others
    between = "".join(f"(?>.*?{part})" for part in inner)
    return re.compile(f"{first}{between}.*{last}", re.DOTALL)


_decode_text = msgspec.json.Decoder(str).decode


def text_of(value: bytes | msgspec.Raw | None) -> str | None:
    """What a condition compares of a value; None: nothing equals it.

    :param value: JSON; None or empty: there is no value.
    """
    text = b"" if value is None else bytes(value)
    if text[:1] == b'"':
        return _decode_text(text) if b"\\" in text else text[1:-1].decode()
    return None if text[:1] in (b"", b"{", b"[") else text.decode()


def parse_condition(text: str, *, any_element: bool = False) -> Condition:
    """The condition that ``text`` says.

    :param any_element: as in :func:`parse_path`.
    :raises ValueError: it says none.
    """
    # The = that ends the path is the first one outside quotes.
    match = re.match(r'\s*((?:"(?:[^"\\]|\\.)*"|[^"=])*)=(.*)$', text, re.DOTALL)
    if match is None:
        match = re.fullmatch(r"(.*?)\s(?:exists|absent)\s*", text, re.DOTALL)
        if match is None or not match[1].strip():
            said = f"{_TESTS}, as in" if re.search("[<>]", text) else "write for example"
            raise ValueError(f"{text!r} is no condition; {said} $.data.e=trade")
        return Condition(
            _path_in(text, match[1], any_element=any_element), (), text.rsplit(maxsplit=1)[-1]
        )
    before, test = match[1], "="
    if before.endswith(("!", "^", "~")):
        before, test = before[:-1], f"{before[-1]}="
    if match[2].startswith("=") or before.rstrip().endswith(("<", ">")):
        raise ValueError(f"{text!r} is no condition; {_TESTS}, as in $.data.e=trade")
    values = tuple(value.strip() for value in match[2].split(","))
    if test == "^=" and "" in values:
        raise ValueError(f"{text!r} is no condition; every text begins with nothing")
    return Condition(_path_in(text, before, any_element=any_element), values, test)


def _path_in(text: str, part: str, *, any_element: bool) -> JsonPath:
    """The path of a condition."""
    if not part.strip():
        raise ValueError(f"{text!r} is no condition; write for example $.data.e=trade")
    path = parse_path(part, any_element=any_element)
    if not path.steps:
        raise ValueError(f"{text!r} compares a whole message; name a member of it")
    return path
