"""The references ``${…}`` in the texts of a feed: where they are, and whether they are well formed.

Nothing is read here, and nothing run: :mod:`fastingest.access.secrets` does that, at each connect.

=======================  ===========================================================================
``${NAME}``              an environment variable
``${file:PATH}``         a file's content
``${command:WORDS}``     what a program prints; words as in a shell, which is not used
``${shell:TEXT}``        what ``sh -c TEXT`` prints
``${now:s}``, ms, us,    the Unix time of the connect in this unit, the same in all of its texts; it
ns                       is no secret
``$${``                  ``${`` itself
=======================  ===========================================================================

A reference ends at its own ``}``: braces between are counted, in quotes as well. References may
stand in ``file``, ``command`` and ``shell``, and are read first. In a command what they stand for
is a part of the word that they stand in, whatever it is; it never begins another one. To a shell it
would be text to be read as its own, so that only ``${now:…}`` may stand there.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

__all__ = [
    "UNITS",
    "Reference",
    "SecretError",
    "check_syntax",
    "has_secret",
    "masked",
    "pieces_of",
    "starts_with_command",
    "variables_in",
    "words_of",
]

UNITS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
"""Those of ``${now:…}``, in nanoseconds."""

_MARK = re.compile(r"\$\$\{|\$\{")
_BRACE = re.compile(r"[{}]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_KIND = re.compile(r"\s*(file|command|shell|now):(.*)", re.DOTALL)
_PLACE = re.compile("\0(\\d+)\0")  # of a reference in a command that is split into words


class SecretError(ValueError):
    """A secret that cannot be read; says which, and never what it is."""


class Reference(NamedTuple):
    """One ``${…}``, the outermost.

    :param kind: ``variable``, ``file``, ``command``, ``shell`` or ``now``.
    :param argument: its name, path, words, text or unit, as it is written.
    :param end: the offset behind it.
    :param is_closed: whether its ``}`` is there; otherwise it goes on to the text's end.
    """

    kind: str
    argument: str
    start: int
    end: int
    is_closed: bool

    @property
    def is_secret(self) -> bool:
        """Whether what it stands for must not be shown."""
        return self.kind != "now" or not self.is_closed

    def check(self) -> None:
        """Refuse one that can stand for nothing, or one in it.

        :raises SecretError: it is that.
        """
        argument = self.argument.strip()
        if not self.is_closed:
            raise SecretError("a ${ has no } behind it; write $${ where no secret is meant")
        if self.kind == "variable" and not _NAME.fullmatch(argument):
            raise SecretError(
                f"${{{argument}}} names no environment variable; write ${{NAME}}, ${{file:PATH}}, "
                "${command:WORDS}, or $${ where no secret is meant"
            )
        if self.kind == "now" and argument not in UNITS:
            units = " or ".join(f"${{now:{unit}}}" for unit in UNITS)
            raise SecretError(f"${{now:{argument}}} names no unit; write {units}")
        if self.kind == "file" and not argument:
            raise SecretError("${file:} names no file; write ${file:PATH}")
        if self.kind in ("command", "shell") and not argument:
            raise SecretError(f"${{{self.kind}:}} names no command; write ${{{self.kind}:…}}")
        if self.kind == "shell" and has_secret(self.argument):
            raise SecretError(
                "a secret in ${shell:…} would be read as a part of the script; "
                "write $NAME or $(cat PATH) there, which the shell reads"
            )
        if self.kind == "command" and not words_of(self.argument, lambda _: "")[0]:
            raise SecretError("${command:…} begins with an empty word; name a program first")
        if self.kind in ("file", "command", "shell"):
            check_syntax(self.argument)


def pieces_of(text: str) -> Iterator[str | Reference]:
    """The parts of ``text``: what stands for itself, with ``${`` for ``$${``, and references."""
    at = 0
    while mark := _MARK.search(text, at):
        yield text[at : mark.start()]
        if mark[0] == "$${":
            yield "${"
            at = mark.end()
            continue
        reference = _reference(text, mark.start())
        yield reference
        at = reference.end
    yield text[at:]


def _reference(text: str, start: int) -> Reference:
    end, depth = len(text), 1
    for brace in _BRACE.finditer(text, start + 2):
        depth += 1 if brace[0] == "{" else -1
        if not depth:
            end = brace.end()
            break
    inside = text[start + 2 : end - (not depth)]
    match = _KIND.fullmatch(inside)
    kind, argument = (match[1], match[2]) if match else ("variable", inside)
    return Reference(kind, argument, start, end, not depth)


def _references(text: str) -> Iterator[Reference]:
    return (piece for piece in pieces_of(text) if isinstance(piece, Reference))


def check_syntax(text: str) -> str:
    """``text``, if its references are well formed, whether or not they can be read.

    :raises SecretError: one is not.
    """
    for reference in _references(text):
        reference.check()
    return text


def has_secret(text: str) -> bool:
    """Whether ``text`` holds a reference to what must not be shown."""
    return any(reference.is_secret for reference in _references(text))


def starts_with_command(text: str) -> bool:
    """Whether it is not known before a connect how ``text`` begins."""
    first = next(_references(text), None)
    return first is not None and not first.start and first.kind in ("command", "shell")


def masked(text: str) -> str:
    """``text`` with a NUL for each character of its references, so that all offsets stay."""
    for reference in _references(text):
        length = reference.end - reference.start
        text = text[: reference.start] + "\0" * length + text[reference.end :]
    return text


def words_of(argument: str, value_of: Callable[[Reference], str]) -> tuple[str, ...]:
    """The words of a ``${command:…}``: a program, and its arguments.

    :param value_of: what a reference in it stands for.
    :raises SecretError: they are not whole, or ``value_of`` raises it.
    """
    written = ""
    values: list[str] = []
    for piece in pieces_of(argument.replace("\0", "")):
        if isinstance(piece, str):
            written += piece
        else:
            written += f"\0{len(values)}\0"
            values.append(value_of(piece))
    try:
        words = shlex.split(written)
    except ValueError as error:
        raise SecretError(f"${{command:…}} has words that are not whole: {error}") from None
    return tuple(_PLACE.sub(lambda found: values[int(found[1])], word) for word in words)


def variables_in(texts: Iterable[str]) -> list[str]:
    """The environment variables that ``texts`` need, in the order of their first use."""
    return list(dict.fromkeys(name for text in texts for name in _variables(text)))


def _variables(text: str) -> Iterator[str]:
    for reference in _references(text):
        if reference.kind != "variable":
            yield from _variables(reference.argument if reference.kind != "now" else "")
        elif reference.is_closed and _NAME.fullmatch(reference.argument.strip()):
            yield reference.argument.strip()
