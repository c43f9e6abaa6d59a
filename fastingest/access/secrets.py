"""Secrets in the texts of a feed: where they are read, and where they are hidden.

How a text refers to them says :mod:`fastingest.access.references`. Three rules keep what they stand
for out of sight:

- A text travels as it was written. It is expanded at each connect, in the receiver, and nowhere
  kept; a file is read and a command run anew each time, since tokens are exchanged while a run goes
  on.
- What is shown of a text is :func:`shown`: made from the text as written, so that it cannot hold a
  secret, whatever that is.
- What comes from elsewhere, such as a server's words, a library's error or a message that is no
  row, may hold what we have sent. There a :class:`Redactor`, which knows the values in use, hides
  them.

In a URL's user info (``user:password@``) a secret stands for itself; elsewhere in a URL it must be
percent-encoded where a URL needs that, as if it had been written there.

Reading a text does not wait: a command whose output is not known yet is an :class:`Unanswered`, and
whoever wants the text has it run, puts the output into :attr:`Answers.outputs`, and reads again.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import quote, unquote

from fastingest.access.command import MAX_BYTES
from fastingest.access.references import (
    UNITS,
    Reference,
    SecretError,
    masked,
    pieces_of,
    words_of,
)

__all__ = [
    "HIDDEN",
    "Answers",
    "Redactor",
    "Unanswered",
    "expand",
    "expand_url",
    "joint",
    "shown",
    "user_info",
]

HIDDEN = "***"
"""What stands where a secret is."""

_MIN_LENGTH = 4  # characters of a value that is hidden where it is met; fewer are met everywhere

# The last @ before the path ends the user info, as for urllib.
_USER_INFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^/?#]*)@")
# A password with a / in it, which makes the URL malformed, and is still a password.
_BROKEN_USER_INFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)(?!\[)[^/?#@:]*:(?!\0)[^/?#@\d][^@]*@")


class Unanswered(Exception):
    """A command has to be run before a text can be read. ``words`` are its program and arguments.

    ``values`` are the secrets that were read until then, which its words may hold.
    """

    def __init__(self, words: tuple[str, ...], values: frozenset[str]) -> None:
        super().__init__(words)
        self.words = words
        self.values = values


@dataclass
class Answers:
    """What the texts of one connect ask for that neither a variable nor a file says.

    :param now_ns: the time of the connect, in nanoseconds since the epoch.
    :param outputs: what commands have printed, by their words.
    :param is_trial: whether no command is run, and something else stands for what they print. That
        their programs are there is checked.
    """

    now_ns: int = field(default_factory=time.time_ns)
    outputs: dict[tuple[str, ...], str] = field(default_factory=dict)
    is_trial: bool = False

    def output(self, words: tuple[str, ...], values: Iterable[str]) -> str:
        """What a command has printed.

        :param values: the secrets that were read until now.
        :raises Unanswered: it was not run yet.
        :raises SecretError: in a trial, its program is not there.
        """
        if words in self.outputs:
            return self.outputs[words]
        if not self.is_trial:
            raise Unanswered(words, frozenset(values))
        if shutil.which(words[0]) is None:
            raise SecretError(
                f"the command {words[0]!r} is not there; install it, or name its path"
            )
        return "S"


def expand(text: str, values: set[str] | None = None, answers: Answers | None = None) -> str:
    """``text`` with its secrets in their places.

    :param values: takes the secrets' values.
    :param answers: what commands and the clock say; None: it is a trial.
    :raises SecretError: one cannot be read.
    :raises Unanswered: a command has to be run first.
    """
    return _expand(text, values, answers, str)


def expand_url(url: str, values: set[str] | None = None, answers: Answers | None = None) -> str:
    """As :func:`expand`, for a URL: what is in its user info gets percent-encoded.

    :param values: takes the secrets' values, and the password that the URL itself holds.
    :raises SecretError: one cannot be read.
    :raises Unanswered: a command has to be run first.
    """
    match = _USER_INFO.match(masked(url))
    if match is None:
        expanded = expand(url, values, answers)
    else:
        pair_text, rest = url[match.end(1) : match.end(2)], url[match.end() :]
        written = _expand(pair_text, values, answers, lambda value: quote(value, safe=""))
        expanded = f"{match[1]}{written}@{expand(rest, values, answers)}"
    _, pair = user_info(expanded)
    if pair is not None and values is not None:
        values |= {pair[1] or pair[0], base64.b64encode(":".join(pair).encode()).decode()}
    return expanded


def user_info(url: str) -> tuple[str, tuple[str, str] | None]:
    """An expanded URL without its user info, and user and password, if there is one."""
    match = _USER_INFO.match(url)
    if match is None:
        return url, None
    user, _, password = match[2].partition(":")
    return match[1] + url[match.end() :], (unquote(user), unquote(password))


def shown(text: str) -> str:
    """``text`` for display: ``***`` for each secret, and for the user info of a URL."""
    for pattern in (_USER_INFO, _BROKEN_USER_INFO):
        if match := pattern.search(masked(text)):
            text = f"{text[: match.end(1)]}{HIDDEN}{text[match.end() - 1 :]}"
    return "".join(
        piece
        if isinstance(piece, str)
        else HIDDEN
        if piece.is_secret
        else text[piece.start : piece.end]
        for piece in pieces_of(text)
    )


class Redactor:
    """Hides values that are in use now, or were at the connect before.

    A value of less than four characters is not hidden: it would be met everywhere.
    """

    def __init__(self) -> None:
        self._now: frozenset[str] = frozenset()
        self._texts: list[str] = []
        self._bytes: list[bytes] = []

    def __bool__(self) -> bool:
        """Whether there is anything to hide."""
        return bool(self._texts)

    def use(self, values: Iterable[str]) -> None:
        """The values that are in use from now on."""
        before, self._now = self._now, frozenset(values)
        forms = {
            form
            for value in self._now | before
            if len(value) >= _MIN_LENGTH
            for form in _forms(value)
        }
        # The longest first: another value may be a part of it.
        self._texts = sorted(forms, key=len, reverse=True)
        self._bytes = [form.encode() for form in self._texts]

    def hide(self, text: str) -> str:
        """``text`` without the values, and without what is left of one where it was cut off.

        That is at an ``…``, and at its end: a close frame has room for 123 bytes.
        """
        for value in self._texts:
            text = text.replace(value, HIDDEN)
        return "…".join(map(self._without_beginning, text.split("…")))

    def _without_beginning(self, text: str) -> str:
        """``text``, which was cut off, without the beginning of a value at its end."""
        for value in self._texts:
            for length in range(min(len(value), len(text)), _MIN_LENGTH - 1, -1):
                if text.endswith(value[:length]):
                    return text[:-length] + HIDDEN
        return text

    def hide_in(self, raw: bytes) -> bytes:
        """``raw`` without the values."""
        for value in self._bytes:
            raw = raw.replace(value, HIDDEN.encode())
        return raw


class _Joint(Redactor):
    """Hides what any of several hides."""

    def __init__(self, each: Sequence[Redactor]) -> None:
        super().__init__()
        self._each = tuple(each)

    def __bool__(self) -> bool:
        return any(self._each)

    def hide(self, text: str) -> str:
        for redactor in self._each:
            text = redactor.hide(text)
        return text

    def hide_in(self, raw: bytes) -> bytes:
        for redactor in self._each:
            raw = redactor.hide_in(raw)
        return raw


def joint(redactors: Sequence[Redactor]) -> Redactor:
    """One that hides what any of ``redactors`` hides, now and whatever they are told later."""
    return redactors[0] if len(redactors) == 1 else _Joint(redactors)


def _forms(value: str) -> set[str]:
    """How ``value`` may be written by one who repeats it: as it is, in JSON, in a URL."""
    in_json = json.dumps(value)[1:-1]
    unescaped = json.dumps(value, ensure_ascii=False)[1:-1]
    return {value, in_json, unescaped, in_json.replace("/", r"\/"), quote(value, safe="")}


def _expand(
    text: str, values: set[str] | None, answers: Answers | None, write: Callable[[str], str]
) -> str:
    taken: set[str] = set() if values is None else values
    value_of = partial(_value_of, values=taken, answers=answers or Answers(is_trial=True))
    return "".join(
        piece if isinstance(piece, str) else write(value_of(piece)) for piece in pieces_of(text)
    )


def _value_of(reference: Reference, *, values: set[str], answers: Answers) -> str:
    """What a reference stands for; a secret is added to ``values``."""
    reference.check()
    argument = reference.argument.strip()
    if reference.kind == "now":
        return str(answers.now_ns // UNITS[argument])
    if reference.kind == "variable":
        value = _read_variable(argument)
    elif reference.kind == "file":
        value = _read_file(_expand(argument, values, answers, str))
    else:
        if reference.kind == "shell":
            words: tuple[str, ...] = ("sh", "-c", _expand(argument, values, answers, str))
        else:
            words = words_of(argument, partial(_value_of, values=values, answers=answers))
        value = answers.output(words, values)
        if answers.is_trial:  # that is no secret
            return value
    values.add(value)
    return value


def _read_variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        how = "is not set" if value is None else "is empty"
        raise SecretError(
            f"the environment variable {name} {how}; set it, or write $${{ where no secret is meant"
        )
    return value


def _read_file(path: str) -> str:
    try:
        # A pipe is refused, and does not block: it can be read once, and a secret is read often.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SecretError(f"{path} is no regular file; a secret is read at every connect")
            content = os.read(descriptor, MAX_BYTES + 1)
        finally:
            os.close(descriptor)
        value = content.decode().removesuffix("\n").removesuffix("\r")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "is not UTF-8"
        raise SecretError(f"the secret's file {path}: {why}") from None
    except ValueError as error:
        if isinstance(error, SecretError):
            raise
        raise SecretError("${file:PATH} names a path that no file can have") from None
    if len(content) > MAX_BYTES:
        raise SecretError(f"{path} is longer than {MAX_BYTES // 1024}KiB; that is no secret")
    if not value:
        raise SecretError(f"the secret's file {path} is empty")
    return value
