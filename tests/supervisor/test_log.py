from __future__ import annotations

import logging
from typing import get_args

import pytest

from fastingest.model.event import Level
from fastingest.runtime.control import Report
from fastingest.supervisor.events import Stopping
from fastingest.supervisor.log import report, said, write


@pytest.mark.parametrize("level", get_args(Level))
def test_what_a_process_tells_is_a_record_with_its_fields(
    caplog: pytest.LogCaptureFixture, level: Level
) -> None:
    caplog.set_level(logging.DEBUG, "fastingest")
    write(Report(level, "gap", {"length": 1.5}))
    (record,) = caplog.records
    assert (record.name, record.levelname, record.message) == ("fastingest", level.upper(), "gap")
    assert record.__dict__["facts"] == {"length": 1.5}


def test_an_event_of_this_process_is_one_as_well(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "fastingest")
    report(Stopping("SIGINT"))
    report(Stopping("SIGINT"), feed="a")
    assert [each.message for each in caplog.records] == ["stopping", "stopping"]
    facts = [each.__dict__["facts"] for each in caplog.records]
    assert facts == [{"reason": "SIGINT"}, {"feed": "a", "reason": "SIGINT"}]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ValueError("a mistake"), "a mistake"),
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError(5, "Input/output error", "/a"), "/a: Input/output error"),
        (OSError(5, "Input/output error", b"/\xff"), "/\udcff: Input/output error"),
        (OSError("something"), "something"),
    ],
)
def test_an_error_in_words(error: Exception, words: str) -> None:
    assert said(error) == words
