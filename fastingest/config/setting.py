"""One setting: its default, its help, how its text is read, and what its value may be.

All of that stands in the metadata of a dataclass's field, which :func:`setting` and those that are
made of it put there. The command line and the files for ``--config`` are made from it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastingest.errors import OptionError
from fastingest.units import format_duration, format_size, parse_duration, parse_size

__all__ = [
    "check_choice",
    "check_range",
    "duration_setting",
    "format_fsync",
    "parse_fsync",
    "read_subscription",
    "read_value",
    "setting",
    "size_setting",
]


def setting(
    help: str,  # noqa: A002 - the field's standard name, as in argparse
    default: Any = dataclasses.MISSING,
    *,
    parse: Callable[[str], Any] | None = None,
    show: Callable[[Any], str] = str,
    metavar: str = "",
    off: bool = False,
    limits: tuple[float, float] | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A field of a dataclass of settings.

    :param help: its line of help.
    :param parse: reads what a person wrote; None where the type alone says how.
    :param show: writes a value the way ``parse`` reads it, for the help text.
    :param metavar: what the help text shows for the value.
    :param off: whether ``off`` may be written, meaning None.
    :param limits: the least and the greatest number that it may be; None where it is no number.
    :param choices: the only texts that it may be; empty where it may be others.
    """
    return dataclasses.field(
        default=default,
        metadata={
            "help": help,
            "parse": parse,
            "show": show,
            "metavar": metavar,
            "off": off,
            "limits": limits,
            "choices": choices,
        },
    )


def duration_setting(
    help: str,  # noqa: A002
    default: float | None,
    limits: tuple[float, float],
    *,
    off: bool = False,
) -> Any:
    """A setting that is a number of seconds."""
    return setting(
        help,
        default,
        parse=parse_duration,
        show=format_duration,
        metavar="DURATION",
        off=off,
        limits=limits,
    )


def size_setting(
    help: str,  # noqa: A002
    default: int | None,
    limits: tuple[int, int],
    *,
    off: bool = False,
) -> Any:
    """A setting that is a number of bytes."""
    return setting(
        help,
        default,
        parse=parse_size,
        show=format_size,
        metavar="SIZE",
        off=off,
        limits=limits,
    )


# What a value may be


def check_range(field: dataclasses.Field[Any], value: Any) -> None:
    """Refuse what is no number, or beyond the field's limits; a field without any takes all.

    :raises OptionError: it is.
    """
    limits = field.metadata["limits"]
    if limits is None or _is_left_open(field, value):
        return
    is_whole = str(field.type).startswith("int")
    if isinstance(value, bool) or not isinstance(value, int if is_whole else (int, float)):
        problem = f"{value!r} is not {'a whole' if is_whole else 'a'} number"
        raise OptionError(field.name, problem)
    least, most = limits
    if not least <= value <= most:
        show = field.metadata["show"]
        limit = f"at least {show(least)}" if value < least else f"at most {show(most)}"
        raise OptionError(field.name, f"{show(value)} is out of range; it must be {limit}")


def _is_left_open(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether the value is None, and the field may be that."""
    return value is None and "None" in str(field.type)


def check_choice(field: dataclasses.Field[Any], value: Any) -> None:
    """Refuse what is none of the field's choices; a field without any takes all.

    :raises OptionError: it is.
    """
    choices = field.metadata["choices"]
    if choices and value not in choices and not _is_left_open(field, value):
        raise OptionError(field.name, f"{value!r} is not one of {', '.join(choices)}")


# How texts are read


def parse_fsync(text: str) -> float | None:
    """Seconds between two syncs; 0.0 for ``batch``, None for ``never``.

    :raises ValueError: the text is neither of them, nor a duration.
    """
    named = {"never": None, "batch": 0.0}
    if text in named:
        return named[text]
    try:
        return parse_duration(text)
    except ValueError:
        raise ValueError(
            f"{text!r} is neither never, nor batch, nor a duration such as 1s"
        ) from None


def format_fsync(seconds: float | None) -> str:
    """As :func:`parse_fsync` reads it."""
    if seconds is None:
        return "never"
    return format_duration(seconds) if seconds else "batch"


def read_value(field: dataclasses.Field[Any], text: str) -> Any:
    """What a text stands for in a field of numbers with a unit; of any other, the text itself.

    :raises OptionError: it is no such number.
    """
    parse = field.metadata["parse"]
    if parse is None:
        return text
    if field.metadata["off"] and text.lower() == "off":
        return None
    try:
        return parse(text)
    except ValueError as error:
        raise OptionError(field.name, str(error)) from None


def read_subscription(text: str) -> str:
    """The text to send: ``text`` itself, or what stands in FILE where it is ``@FILE``.

    :raises OptionError: the file cannot be read, or is not UTF-8.
    """
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text("utf-8")
    except OSError as error:
        raise OptionError("subscribe", f"{text[1:]}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise OptionError("subscribe", f"{text[1:]}: is not UTF-8") from None
