"""What the processes of a run say to each other over their control connections.

The supervisor gives a child commands (:data:`Command`), and a child gives the supervisor notice of
what has happened (:data:`Notice`). Each is a struct of its own: on the connection it is a msgpack
map of its fields, with the name of its class as ``type``. How a message is cut out of the bytes
there is no matter of this module; it does no I/O. What a receiver says is described in
:mod:`fastingest.runtime.receiver_notices`.

What the supervisor acts on has a notice of its own. A :class:`Report` is for the log, and nobody
decides anything by its text.

All processes of a run are of one version, so each knows what the others say. A message that is not
known comes from a process that is broken, or goes to one: :class:`UnknownMessage` says which it is.
A child that gets one ends as at any fault of its own; a child that sends one is killed. Another
takes its place, as it does for any that dies.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

from fastingest.model.event import Event, Level
from fastingest.runtime.message import Message
from fastingest.runtime.receiver_notices import (
    AskTurn,
    FeedRefusal,
    Finished,
    Full,
    GapEnded,
    HostRefused,
    LineState,
    PipeBroke,
    Sampled,
    StaleNow,
)

__all__ = [
    "AskTurn",
    "Command",
    "Complete",
    "End",
    "Failing",
    "FeedRefusal",
    "Finished",
    "Full",
    "GapEnded",
    "GiveUp",
    "Go",
    "HostRefused",
    "LineState",
    "Listening",
    "Notice",
    "OutputRefusal",
    "PipeBroke",
    "Ready",
    "Report",
    "Sampled",
    "Save",
    "StaleNow",
    "Stop",
    "Turn",
    "UnknownMessage",
    "WorksAgain",
    "WriteFailure",
    "command_from",
    "encode",
    "notice_from",
]

_SHOWN = 60
"""Bytes of a message that nobody knows, in the error that names it."""


class UnknownMessage(ValueError):
    """A message that is none, or none for the process that has got it."""


# To a receiver


class Go(Message, frozen=True):
    """Connect: the writer has the files open."""


class Stop(Message, frozen=True):
    """Receive nothing more, and end once everything is acknowledged."""


class Save(Message, frozen=True):
    """Receive nothing more, and put on disk what is not acknowledged.

    :param output: only what goes to this output, by its index; None: all.
    """

    output: int | None = None


class Turn(Message, frozen=True):
    """The answer to :class:`AskTurn`.

    :param number: as it was asked.
    :param at: the moment, in seconds by the clock that goes on while the machine is suspended.
    :param is_now: the host may be asked, once; otherwise nobody may ask before that moment.
    """

    number: int
    at: float
    is_now: bool


# To the writer


class End(Message, frozen=True):
    """There will be no other receiver: end when everything is written."""


class GiveUp(Message, frozen=True):
    """End without writing what is left.

    :param output: only with this output, by its index; None: with all.
    """

    output: int | None = None


Command: TypeAlias = Go | Stop | Save | Turn | End | GiveUp
"""What the supervisor says to a child."""


# From any child


class Report(Message, frozen=True):
    """An event for the log.

    :param level: ``debug``, ``info``, ``warning`` or ``error``.
    :param event: what has happened.
    :param fields: more of it, by name; values that msgpack knows.
    """

    level: Level
    event: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, event: Event, feed: str | None = None, connection: int | None = None) -> Report:
        """How an event is told.

        :param feed: the name of the feed that it is about, where there are several: the first
            field then.
        :param connection: likewise the number of the feed's connection, from 1.
        """
        about: dict[str, Any] = {} if feed is None else {"feed": feed}
        if connection is not None:
            about["connection"] = connection
        return cls(event.level, event.message, about | event.fields)


# From a demo exchange


class Listening(Message, frozen=True):
    """It can be connected to, at this port."""

    port: int


# From the writer. An output is told by its path, as the run names it.


class Ready(Message, frozen=True):
    """All files are open: what is received has a place to go."""


class Failing(Message, frozen=True):
    """An output cannot be written just now; this is said at each try.

    :param path: what it is that cannot be written.
    """

    output: str
    path: str
    problem: str


class WorksAgain(Message, frozen=True):
    """An output that was failing is written again."""

    output: str


class Complete(Message, frozen=True):
    """All that there was for an output is written."""

    output: str


class OutputRefusal(Message, frozen=True):
    """A file cannot, or must not, be appended to."""

    path: str
    problem: str


class WriteFailure(Message, frozen=True):
    """An output has ended without all its rows.

    :param path: what it is that could not be written.
    """

    path: str
    problem: str


Notice: TypeAlias = (
    Report
    | Listening
    | Finished
    | Full
    | FeedRefusal
    | GapEnded
    | LineState
    | Sampled
    | StaleNow
    | PipeBroke
    | AskTurn
    | HostRefused
    | Ready
    | Failing
    | WorksAgain
    | Complete
    | OutputRefusal
    | WriteFailure
)
"""What a child says to the supervisor."""

_commands: msgspec.msgpack.Decoder[Command] = msgspec.msgpack.Decoder(Command)
_notices: msgspec.msgpack.Decoder[Notice] = msgspec.msgpack.Decoder(Notice)

_MALFORMED = (msgspec.DecodeError, ValueError, RecursionError)
"""What msgspec raises; a text that is no UTF-8 is a ValueError."""


def encode(message: Command | Notice) -> bytes:
    """The message as it goes over the connection."""
    try:
        return msgspec.msgpack.encode(message)
    except UnicodeEncodeError:  # a file's name may be no UTF-8, and stand in what is said of it
        said = {name: _in_utf8(getattr(message, name)) for name in message.__struct_fields__}
        return msgspec.msgpack.encode(type(message)(**said))


def _in_utf8(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _in_utf8(each) for name, each in value.items()}
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return value


def command_from(data: bytes) -> Command:
    """The command that a child has got.

    :raises UnknownMessage: it is none.
    """
    try:
        return _commands.decode(data)
    except _MALFORMED as error:
        raise _unknown("command", data, error) from None


def notice_from(data: bytes) -> Notice:
    """What a child has said.

    :raises UnknownMessage: it is no notice.
    """
    try:
        return _notices.decode(data)
    except _MALFORMED as error:
        raise _unknown("notice", data, error) from None


def _unknown(what: str, data: bytes, error: Exception) -> UnknownMessage:
    more = "…" if len(data) > _SHOWN else ""
    return UnknownMessage(f"no {what}: {error}: {data[:_SHOWN]!r}{more}")
