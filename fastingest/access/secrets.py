"""Secrets in the texts of a feed: where they are read, and where they are hidden.

A text may hold ``${NAME}``, an environment variable, and ``${file:PATH}``, a file's content without
the line feed at its end; ``$${`` writes ``${`` itself. Three rules keep what they stand for out of
sight:

- A text travels as it was written. It is expanded at each connect, in the receiver, and nowhere
  kept; a file is read anew each time, since tokens are exchanged while a run goes on.
- What is shown of a text is :func:`shown`: made from the text as written, so that it cannot hold a
  secret, whatever that is.
- What comes from elsewhere, such as a server's words, a library's error or a message that is no
  row, may hold what we have sent. There a :class:`Redactor`, which knows the values in use, hides
  them.

In a URL's user info (``user:password@``) a secret stands for itself; elsewhere in a URL it must be
percent-encoded where a URL needs that, as if it had been written there.
"""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from collections.abc import Callable, Iterable
from urllib.parse import quote, unquote

__all__ = [
    "HIDDEN",
    "Redactor",
    "SecretError",
    "expand",
    "expand_url",
    "shown",
    "user_info",
    "variables_in",
]

HIDDEN = "***"
"""What stands where a secret is."""

_MAX_BYTES = 64 * 1024  # of a secret; a file that holds more is another one than was meant
_MIN_LENGTH = 4  # characters of a value that is hidden where it is met; fewer are met everywhere

_SECRET = re.compile(r"\$\$\{|\$\{([^}]*)(\}?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# The last @ before the path ends the user info, as for urllib.
_USER_INFO = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)((?:\$\{[^}]*\}|[^/?#])*)@")
# A password with a / in it, which makes the URL malformed, and is still a password.
_BROKEN_USER_INFO = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*://)(?!\[)[^/?#@:]*:(?!\$\{)[^/?#@\d][^@]*@"
)


class SecretError(ValueError):
    """A secret that cannot be read; says which, and never what it is."""


def expand(text: str, values: set[str] | None = None) -> str:
    """``text`` with its secrets in their places.

    :param values: takes the secrets' values.
    :raises SecretError: one cannot be read.
    """
    return _expand(text, values, str)


def expand_url(url: str, values: set[str] | None = None) -> str:
    """As :func:`expand`, for a URL: what is in its user info gets percent-encoded.

    :param values: takes the secrets' values, and the password that the URL itself holds.
    :raises SecretError: one cannot be read.
    """
    match = _USER_INFO.match(url)
    if match is None:
        expanded = expand(url, values)
    else:
        written = _expand(match[2], values, lambda value: quote(value, safe=""))
        expanded = f"{match[1]}{written}@{expand(url[match.end() :], values)}"
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
        text = pattern.sub(rf"\1{HIDDEN}@", text, count=1)
    return _SECRET.sub(lambda found: "${" if found[0] == "$${" else HIDDEN, text)


def variables_in(texts: Iterable[str]) -> list[str]:
    """The environment variables that ``texts`` need, in the order of their first use."""
    names = (found[1].strip() for text in texts for found in _SECRET.finditer(text) if found[2])
    return list(dict.fromkeys(filter(_NAME.fullmatch, names)))


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


def _forms(value: str) -> set[str]:
    """How ``value`` may be written by one who repeats it: as it is, in JSON, in a URL."""
    in_json = json.dumps(value)[1:-1]
    unescaped = json.dumps(value, ensure_ascii=False)[1:-1]
    return {value, in_json, unescaped, in_json.replace("/", r"\/"), quote(value, safe="")}


def _expand(text: str, values: set[str] | None, write: Callable[[str], str]) -> str:
    def value_of(found: re.Match[str]) -> str:
        if found[0] == "$${":
            return "${"
        name = found[1].strip()
        if not found[2]:
            raise SecretError("a ${ has no } behind it; write $${ where no secret is meant")
        value = _read_file(name[5:].strip()) if name.startswith("file:") else _read_variable(name)
        if values is not None:
            values.add(value)
        return write(value)

    return _SECRET.sub(value_of, text)


def _read_variable(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise SecretError(
            f"${{{name}}} names no environment variable; write ${{NAME}}, ${{file:PATH}}, "
            "or $${ where no secret is meant"
        )
    value = os.environ.get(name)
    if not value:
        how = "is not set" if value is None else "is empty"
        raise SecretError(
            f"the environment variable {name} {how}; set it, or write $${{ where no secret is meant"
        )
    return value


def _read_file(path: str) -> str:
    if not path:
        raise SecretError("${file:} names no file; write ${file:PATH}")
    try:
        # A pipe is refused, and does not block: it can be read once, and a secret is read often.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SecretError(f"{path} is no regular file; a secret is read at every connect")
            content = os.read(descriptor, _MAX_BYTES + 1)
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
    if len(content) > _MAX_BYTES:
        raise SecretError(f"{path} is longer than {_MAX_BYTES // 1024}KiB; that is no secret")
    if not value:
        raise SecretError(f"the secret's file {path} is empty")
    return value
