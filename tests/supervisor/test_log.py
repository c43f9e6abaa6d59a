from __future__ import annotations

import logging

import pytest

from fastingest.supervisor.log import report, said


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_an_event_is_a_record_with_its_facts(caplog: pytest.LogCaptureFixture, level: str) -> None:
    caplog.set_level(logging.DEBUG, "fastingest")
    report(level, "gap", {"length": 1.5})
    (record,) = caplog.records
    assert (record.name, record.levelname, record.message) == ("fastingest", level.upper(), "gap")
    assert record.__dict__["facts"] == {"length": 1.5}


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
