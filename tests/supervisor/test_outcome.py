"""Which error a run ends with."""

from __future__ import annotations

import pytest

from fastingest.errors import Aborted, OutboxFull, RunFailed
from fastingest.supervisor.outcome import CallersError, Outcome


def test_a_run_that_has_not_failed() -> None:
    assert Outcome().failure is None


def test_the_first_failure_is_the_reason() -> None:
    outcome, first = Outcome(), OutboxFull()
    outcome.fail(first)
    outcome.fail(RunFailed("another"))
    assert outcome.failure is first


def test_a_second_interrupt_comes_before_all() -> None:
    outcome = Outcome()
    outcome.fail(OutboxFull())
    outcome.abort()
    assert type(outcome.failure) is Aborted


def test_an_error_of_ours_is_noted_as_it_is() -> None:
    outcome, error = Outcome(), OutboxFull()
    outcome.note(error)
    assert outcome.failure is error


def test_an_error_of_the_system_is_told_with_its_file() -> None:
    outcome = Outcome()
    outcome.note(OSError(5, "Input/output error", "/some/file"))
    assert type(outcome.failure) is RunFailed
    assert str(outcome.failure) == "/some/file: Input/output error"


def test_a_fault_of_fastingest_goes_to_the_log_with_its_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcome = Outcome()
    outcome.note(ValueError("a mistake"))
    assert str(outcome.failure) == "an error in fastingest itself: ValueError('a mistake')"
    (record,) = caplog.records
    assert record.message == "internal error"
    assert record.__dict__["facts"]["what"] == "ValueError('a mistake')"
    assert "a mistake" in record.__dict__["facts"]["traceback"]


def test_the_caller_s_own_error_is_no_failure_of_the_run() -> None:
    outcome, error = Outcome(), KeyError("x")
    outcome.note(CallersError(error))
    assert outcome.failure is None
    assert CallersError(error).error is error
