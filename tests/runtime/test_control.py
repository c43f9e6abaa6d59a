"""What the processes of a run say to each other, as it goes over the connection."""

from __future__ import annotations

import os
import random
import typing

import msgspec
import pytest

from fastingest.runtime import control
from fastingest.runtime.control import (
    Command,
    GiveUp,
    Go,
    Notice,
    Report,
    UnknownMessage,
    command_from,
    encode,
    notice_from,
)
from fastingest.source.events import Gap

COMMANDS: list[Command] = [
    control.Go(),
    control.Stop(),
    control.Save(),
    control.Save(3),
    control.Turn(3, 1.5, is_now=True),
    control.End(),
    control.GiveUp(),
    control.GiveUp(0),
]
NOTICES: list[Notice] = [
    control.Report("warning", "no connection", {"reason": "é", "retry": 1.5, "more": [1, None]}),
    control.Listening(65535),
    control.Finished(),
    control.Full(),
    control.FeedRefusal("wss://x/", "403"),
    control.GapEnded("feed", 1_700_000_000_123_456_789, 0.1, "the server closed"),
    control.LineState("f", 2, 1, never_ready=True),
    control.Sampled("feed", '{"error":"é"}'),
    control.StaleNow("feed", ("é", "B")),
    control.PipeBroke(2**62 + 5),
    control.AskTurn(3, "host:1", 10),
    control.HostRefused("host:1", 1.5, 0.0),
    control.Ready(),
    control.Failing("/out.csv", "/out.csv.journal", "no space"),
    control.WorksAgain("/out.csv"),
    control.Complete("/out.csv"),
    control.OutputRefusal("/out.csv", "is a directory"),
    control.WriteFailure("/out.csv", "no space"),
]


def test_an_event_is_told_as_the_log_shows_it() -> None:
    event = Gap(1_700_000_000_000_000_000, 0.5, "no answer")
    fields = {"start_ns": 1_700_000_000_000_000_000, "length": 0.5, "reason": "no answer"}
    assert Report.of(event) == Report("warning", "gap", fields)
    told = Report.of(event, feed="a")
    assert list(told.fields.items()) == [("feed", "a"), *fields.items()]
    told = Report.of(event, feed="a", connection=2)
    assert list(told.fields)[:3] == ["feed", "connection", "start_ns"]
    assert told.fields["connection"] == 2


def test_every_command_comes_as_it_was_sent() -> None:
    assert [command_from(encode(each)) for each in COMMANDS] == COMMANDS
    assert {type(each) for each in COMMANDS} == set(typing.get_args(Command))


def test_every_notice_comes_as_it_was_sent() -> None:
    assert [notice_from(encode(each)) for each in NOTICES] == NOTICES
    assert {type(each) for each in NOTICES} == set(typing.get_args(Notice))


def test_a_file_s_name_that_is_no_utf_8_keeps_nothing_from_being_said() -> None:
    name = os.fsdecode(b"a\xff.pem")
    said = notice_from(encode(Report("error", f"{name}: gone", {"path": name, "size": 1})))
    shown = r"a\udcff.pem"
    assert said == Report("error", f"{shown}: gone", {"path": shown, "size": 1})


def test_no_two_messages_are_taken_for_each_other() -> None:
    tags = [msgspec.msgpack.decode(encode(each))["type"] for each in [*COMMANDS, *NOTICES]]
    assert len(set(tags)) == len(typing.get_args(Command)) + len(typing.get_args(Notice))


def _message(**fields: object) -> bytes:
    return msgspec.msgpack.encode(fields)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_message(type="Dance"), "Invalid value 'Dance'"),
        (_message(output=3), "missing required field `type`"),
        (_message(type="GiveUp", output="3"), "Expected `int | null`, got `str` - at `$.output`"),
        (_message(type="GiveUp", outputs=3), "unknown field `outputs`"),
        (encode(Report("info", "x", {})), "Invalid value 'Report'"),
        (b"", "truncated"),
        (b"give up 3", "b'give up 3'"),
        (encode(GiveUp(3))[:-1], "truncated"),
        (encode(Go()) + b"\n", "trailing characters"),
        (b"\x91" * 5000, r"b'\x91\x91"),
    ],
)
def test_what_is_no_command_is_an_error_that_names_it(data: bytes, said: str) -> None:
    with pytest.raises(UnknownMessage) as raised:
        command_from(data)
    assert str(raised.value).startswith("no command: ")
    assert said in str(raised.value)
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (_message(type="Dance"), "Invalid value 'Dance'"),
        (encode(Go()), "Invalid value 'Go'"),
        (_message(type="Ready", when=1), "unknown field `when`"),
        (_message(type="Report", level="loud", event="x", fields={}), "at `$.level`"),
        (_message(type="Report", level="info", event="x"), "missing required field `fields`"),
        (encode(Report("info", "é", {})).replace("é".encode(), b"\xff\xfe"), "can't decode byte"),
        (encode(Report("info", "", {"a": 1}))[:-1] + b"\x91" * 2**16 + b"\x01", "recursion"),
        (msgspec.msgpack.encode(("log", "info", "x", {})), "Expected `object`, got `array`"),
    ],
)
def test_what_is_no_notice_is_an_error_that_names_it(data: bytes, said: str) -> None:
    with pytest.raises(UnknownMessage) as raised:
        notice_from(data)
    assert str(raised.value).startswith("no notice: ")
    assert said in str(raised.value)


@pytest.mark.parametrize("number", range(len(NOTICES)))
def test_a_damaged_notice_is_a_notice_or_an_error_of_ours(number: int) -> None:
    chance = random.Random(number)
    whole = encode(NOTICES[number])
    for size in range(len(whole)):
        with pytest.raises(UnknownMessage):
            notice_from(whole[:size])
    for _ in range(2000):
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        try:
            found = notice_from(bytes(data))
        except UnknownMessage:
            continue
        assert isinstance(found, typing.get_args(Notice))
