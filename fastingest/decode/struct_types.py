"""Paths, put together into one tree, as msgspec types that parse all of them at once.

A :class:`PathNode` is a value in a message: a *leaf*, whose value somebody wants, or an inner one
that only leads on. Inner nodes become structs, positional ones (``array_like``) where the steps are
indices. Members that nobody asked for are passed over by msgspec, at 1 ns a byte.

A string whose text is JSON becomes what that is parsed as, by a hook of msgspec's, which takes
half a microsecond.

Not every set of paths has a tree: a value cannot be a string and lead on as well, or be an object
and an array. :class:`NoTree` says so; whoever asked reads messages one by one instead.

:func:`access` says in Python how to come from a struct to a leaf, for comprehensions that are
compiled: ``[x.f0.f2 for x in xs]`` takes 18 ns a cell, anything that interprets paths ten times as
much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from fastingest.decode.cells import ColumnType
from fastingest.model.jsonpath import Embedded, NoTree, Step, Steps
from fastingest.model.path_tree import PathTree

__all__ = ["PathNode", "access", "compiled", "comprehension", "decoder_of", "getter"]

_NOT_RENAMED = re.compile(r'["\\\x00-\x1f\ud800-\udfff]')  # what msgspec takes in no field's name
_SCALAR = re.compile(r"-?[0-9].*|true|false|null")
_NOTHING = msgspec.Raw(b"")


@dataclass(eq=False)
class PathNode(PathTree):
    """A value in a message, and as what it is to be parsed.

    :param kinds: as what its value is wanted.
    :param values: the texts that a condition allows.
    :param is_strict: whether nothing else than ``values`` is parsed.
    :param is_asked: whether its text is wanted for a condition that no type can say.
    :param is_required: whether it must be there and not be null.
    :param is_row: whether it is a row: then its first element, if it has elements, is no array.
    :param elements: it is an array of these.
    :param members: it is an object of these, whatever their names are.
    :param is_whole: whether its text is wanted, whatever it is.
    :param is_loose: whether its value stays JSON text, because it may be of several types.
    :param length: how many elements it has, where some are counted from the end.
    :param attr: its name in the struct.
    """

    kinds: list[ColumnType] = field(default_factory=list)
    values: frozenset[str] | None = None
    is_strict: bool = True
    is_asked: bool = False
    is_required: bool = False
    is_row: bool = False
    elements: PathNode | None = None
    members: PathNode | None = None
    is_whole: bool = False
    is_loose: bool = False
    length: int = 0
    attr: str = ""

    def require(self, steps: Steps) -> PathNode:
        """What the steps lead to, which must be there and not be null, as must all on the way."""
        node = self
        for node in self.along(steps):
            node.is_required = True
        return node

    def check_row(self) -> None:
        """See that a single row that is an array is not taken for an array of rows.

        :raises NoTree: its first element may be an array.
        """
        if self.is_row and any(
            child.is_asked
            for step, child in self.steps.items()
            if isinstance(step, int) and step <= 0
        ):
            raise NoTree

    def _grown(self, step: Step) -> PathNode:
        node = super()._grown(step)
        node.attr = f"f{len(self.steps)}"
        return node

    def allow(self, values: Iterable[str]) -> None:
        """Parse nothing but these values."""
        allowed = frozenset(values)
        self.values = allowed if self.values is None else allowed & self.values

    def compare(self, values: Iterable[str]) -> None:
        """Parse any value, so that it can be compared with these."""
        self.values = frozenset(values) | (self.values or frozenset())
        self.is_strict = False

    def arrange(self, value: Any) -> None:
        """Put the members into the order in which they stand in ``value``, and count elements.

        msgspec looks for each member behind the one before; where that is right, it takes up to a
        fifth less. Where elements are counted from the end, an array must be as long as here.
        """
        if self.elements is not None and isinstance(value, list):
            wanted = self.elements.steps.keys()
            # The one that has most of what is wanted, as others may be of another kind.
            like = max(
                (each for each in value if isinstance(each, dict)),
                key=lambda each: len(wanted & each.keys()),
                default=value[0] if value else None,
            )
            self.elements.arrange(like)
        elif self.members is not None and isinstance(value, dict):
            self.members.arrange(next(iter(value.values()), None))
        elif isinstance(value, list):
            self.length = len(value)
        elif isinstance(value, str) and Embedded.JSON in self.steps:
            value = {Embedded.JSON: msgspec.json.decode(value)}
        elif isinstance(value, dict):
            order = {name: index for index, name in enumerate(value)}
            self.steps = dict(
                sorted(self.steps.items(), key=lambda item: order.get(item[0], len(order)))
            )
        for step, child in self.steps.items():
            with suppress(KeyError, IndexError, TypeError):
                child.arrange(value[step])

    @property
    def takes_arrays(self) -> bool:
        """Whether its value may be an array."""
        return any(kind.parsed is msgspec.Raw for kind in self.kinds)

    @property
    def is_compared(self) -> bool:
        """Whether a condition asks for it."""
        return self.is_asked or self.values is not None

    @property
    def is_raw(self) -> bool:
        """Whether its value stays JSON text, because it is wanted in more than one way."""
        if self.is_loose or self.is_asked:
            return True
        if self.values is None:
            return len(self.kinds) > 1
        return any(kind.parsed is not str or kind.checked for kind in self.kinds) or any(
            map(is_scalar_text, self.values)
        )


def is_scalar_text(value: str) -> bool:
    """Whether a condition's value may be a JSON number, true, false or null, besides a string."""
    return _SCALAR.fullmatch(value) is not None


def compiled(node: PathNode, text: Any) -> Any:
    """The msgspec type of a node that is there.

    :param text: ``str`` or ``msgspec.Raw``: as what numbers that stay text are parsed.
    :raises NoTree: there is none.
    """
    if node.elements is not None or node.members is not None:
        if node.steps or node.kinds or node.is_compared or (node.elements and node.members):
            raise NoTree
        if node.members is not None:
            return dict[str, compiled(node.members, text)]  # type: ignore[misc]
        return list[compiled(node.elements, text)]  # type: ignore[arg-type, misc]
    container = node.container
    if container is None:
        return _leaf(node, text)
    if node.kinds or node.is_compared:
        raise NoTree
    if container is str:
        return _embedded(node.steps[Embedded.JSON], text)
    return _object(node, text) if container is dict else _array(node, text)


def _leaf(node: PathNode, text: Any) -> Any:
    if node.is_raw or node.is_whole:
        return msgspec.Raw
    if not node.kinds and node.values is None:
        raise NoTree
    if node.values is not None:
        if not node.is_strict:
            return str
        if not node.values:
            raise NoTree
        return Literal[tuple(sorted(node.values))]
    (kind,) = node.kinds
    return text if kind.parsed is None else kind.parsed


class _Embedded(type):
    """A type of what :func:`_decode_inside` makes of strings; msgspec asks whether it is that."""

    inside: Any

    def __instancecheck__(cls, _: object) -> bool:
        return True


def _embedded(node: PathNode, text: Any) -> Any:
    """The type of a string whose text is JSON, which is parsed as what is inside."""
    return _Embedded("Embedded", (), {"inside": staticmethod(decoder_of(compiled(node, text)))})


def _decode_inside(type_: Any, value: object) -> Any:
    if type(value) is not str:
        raise ValueError("no string")
    return type_.inside(value)


def decoder_of(type_: Any) -> Callable[[bytes], Any]:
    """A function that parses a message as a type, numbers and the like in strings as well."""
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(
        type_, strict=False, dec_hook=_decode_inside
    ).decode
    return decode


def _field(node: PathNode, text: Any) -> tuple[Any, Any]:
    """A node's type, and its default where it need not be there."""
    type_ = compiled(node, text)
    if node.is_required:
        return type_, msgspec.NODEFAULT
    if type_ is msgspec.Raw:  # which stands in no union; null is one like others
        return type_, _NOTHING
    return type_ | None, None


def _object(node: PathNode, text: Any) -> Any:
    fields, names = [], {}
    for name, child in node.steps.items():
        if not isinstance(name, str) or _NOT_RENAMED.search(name):
            raise NoTree
        fields.append((child.attr, *_field(child, text)))
        names[child.attr] = name
    return msgspec.defstruct("Object", fields, rename=names, gc=False, kw_only=True)


def _array(node: PathNode, text: Any) -> Any:
    fields: list[tuple[str, Any, Any]] = []
    children, is_exact = _elements(node)
    last = node.length - 1 if is_exact else max(children)
    for index in range(last, -1, -1):
        child = children.get(index)
        if child is not None:
            attr, (type_, default) = child.attr, _field(child, text)
        else:
            attr, type_, default = f"unused{index}", msgspec.Raw, _NOTHING
        if index == 0 and node.is_row:
            if child is None:
                type_ = str | int | float | bool | None
            elif child.elements or child.container is list or child.takes_arrays:
                raise NoTree
            default = msgspec.NODEFAULT
        if is_exact or (fields and fields[-1][2] is msgspec.NODEFAULT):
            default = msgspec.NODEFAULT  # what follows must be there, and so must this
        fields.append((attr, type_, default))
    return msgspec.defstruct(
        "Array", fields[::-1], array_like=True, gc=False, forbid_unknown_fields=is_exact
    )


def _elements(node: PathNode) -> tuple[dict[int, PathNode], bool]:
    """An array's elements by their index from 0, and whether it has as many as it says."""
    children: dict[int, PathNode] = {}
    is_exact = any(isinstance(step, int) and step < 0 for step in node.steps)
    for step, child in node.steps.items():
        if isinstance(step, int):
            index = step + node.length if step < 0 else step
            if index < 0 or index in children or (is_exact and index >= node.length):
                raise NoTree
            children[index] = child
    return children, is_exact


def access(root: PathNode, steps: Steps) -> str:
    """Python that comes from a root's struct, ``x``, to the value; None if it is not there."""
    text, node, names = "x", root, 0
    for step in steps:
        child = node.steps[step]
        if step is Embedded.JSON:  # what was parsed of the string stands in its place
            node = child
            continue
        if node.is_required or node is root:
            text = f"{text}.{child.attr}"
        elif re.fullmatch(r"[\w.]+", text):
            text = f"(None if {text} is None else {text}.{child.attr})"
        else:
            names += 1
            text = f"(None if (v{names} := {text}) is None else v{names}.{child.attr})"
        node = child
    return text


def getter(root: PathNode, steps: Steps) -> Callable[[Any], Any]:
    """A function of a root's struct: the value that the steps lead to; None if it is not there."""
    made: Callable[[Any], Any] = eval(f"lambda x: {access(root, steps)}")  # noqa: S307  # our text
    return made


def comprehension(texts: Iterable[str], names: dict[str, Any] | None = None) -> Callable[..., Any]:
    """A function of a list, of which it makes a list for each of the Python texts about ``x``."""
    source = ", ".join(f"[{text} for x in xs]" for text in texts)
    made: Callable[..., Any] = eval(f"lambda xs: [{source}]", names or {})  # noqa: S307  # our text
    return made
