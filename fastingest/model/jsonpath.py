"""Paths into JSON, and conditions on what they lead to.

::

    price            the member "price"
    last.price       the member "price" of the member "last"
    [0]  data[0].p   an element of an array, counted from 0
    ["a.b"]          a member whose name is not made of letters, digits, _, -, @, / and : alone
    $  $.arg.instId  from the message's root; without $, from where the row is

A condition is ``path=value``, or ``path=value,value`` where any of them will do. A value is
compared with the text of a JSON string, number, true, false or null; nothing equals what is not
there, an object or an array. A value that begins with ``=`` is taken for a slip: ``path==value``.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

__all__ = ["Condition", "JsonPath", "parse_condition", "parse_path"]

_NAME = r"[^\W\d][\w@/:-]*|[\d@][\w@/:-]*"
_STEP = re.compile(
    rf'\.?(?P<name>{_NAME})|\[(?P<index>\d{{1,6}})\]|\[(?P<quoted>"(?:[^"\\]|\\.)*")\]'
)
_BARE = re.compile(_NAME)
_MOST_STEPS = 64


class JsonPath(NamedTuple):
    """Where a value is: member names and array indices, one step after the other."""

    steps: tuple[str | int, ...] = ()
    from_root: bool = False
    """Whether it begins at the message's root and not at the row."""

    def __str__(self) -> str:
        text = "$" if self.from_root else ""
        for step in self.steps:
            if isinstance(step, int):
                text += f"[{step}]"
            elif _BARE.fullmatch(step):
                text += f".{step}" if text else step
            else:
                text += f"[{json.dumps(step, ensure_ascii=False)}]"
        return text


def parse_path(text: str) -> JsonPath:
    """The path that ``text`` says.

    :raises ValueError: it says none.
    """
    rest = text.strip()
    from_root = rest.startswith("$")
    rest = rest.removeprefix("$")
    steps: list[str | int] = []
    offset = 0
    while offset < len(rest):
        step = _STEP.match(rest, offset)
        # A dot stands between two names, and behind $.
        dotted = step is not None and rest[offset] == "."
        if step is None or (step["name"] and dotted != (from_root or bool(steps))):
            raise ValueError(
                f"{text.strip()!r} is no path; write for example price, last.price, [0], "
                '["odd name"] or $.data.symbol'
            )
        if step["index"] is not None:
            steps.append(int(step["index"]))
        else:
            steps.append(step["name"] or json.loads(step["quoted"]))
        offset = step.end()
    if len(steps) > _MOST_STEPS:
        raise ValueError(f"a path of {len(steps)} steps is too long; {_MOST_STEPS} are the most")
    return JsonPath(tuple(steps), from_root)


class Condition(NamedTuple):
    """What a message or a row must say to be taken."""

    path: JsonPath
    values: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}={','.join(self.values)}"


def parse_condition(text: str) -> Condition:
    """The condition that ``text`` says.

    :raises ValueError: it says none.
    """
    # The = that ends the path is the first one outside quotes.
    match = re.match(r'\s*((?:"(?:[^"\\]|\\.)*"|[^"=])*)=(.*)$', text, re.DOTALL)
    if match is None or not match[1].strip():
        raise ValueError(f"{text!r} is no condition; write for example $.data.e=trade")
    if match[2].startswith("=") or match[1].rstrip().endswith(("!", "<", ">")):
        raise ValueError(f"{text!r} is no condition; there is = alone, as in $.data.e=trade")
    path = parse_path(match[1])
    if not path.steps:
        raise ValueError(f"{text!r} compares a whole message; name a member of it")
    return Condition(path, tuple(value.strip() for value in match[2].split(",")))
