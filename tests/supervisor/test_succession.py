"""Who follows on whom, and what that one is told."""

from __future__ import annotations

import time
from typing import Any

import pytest

from fastingest.errors import ProcessDied
from fastingest.runtime.control import End, GiveUp, Go, Save, Stop
from fastingest.supervisor.ending import Ending
from fastingest.supervisor.monitor import Monitor
from fastingest.supervisor.outcome import Outcome
from fastingest.supervisor.processes import WRITER
from fastingest.supervisor.restarts import Restarts
from fastingest.supervisor.shutdown import Shutdown
from fastingest.supervisor.succession import Succession
from tests.supervisor.fakes import RECEIVERS, FakeChild, add, no_processes, patch_spawn

LACK = OSError(12, "Cannot allocate memory")


class _Run:
    def __init__(self, *, outputs: int = 0, keeps_journal: bool = True) -> None:
        self.processes = no_processes(outputs=outputs)
        self.writer, *self.receivers = add(self.processes)
        self.restarts = Restarts(WRITER, RECEIVERS, keeps_journal=keeps_journal)
        self.ending, self.outcome = Ending(), Outcome()
        shutdown = Shutdown(self.processes, self.restarts, self.ending, self.outcome)
        self.shutdown = shutdown
        monitor = Monitor([], [], "Python")
        self.succession = Succession(self.processes, self.restarts, shutdown, monitor)

    def dies(self, child: FakeChild) -> bool:
        del self.processes.children[child.name]
        child.exit_code = -9
        return self.succession.died(child.name, "was killed by signal 9", child.as_child)

    def start_due(self, *given_up: int, is_ready: bool = True) -> None:
        self.succession.start_due(time.monotonic(), given_up, is_ready=is_ready)


def _said(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, Any]]]:
    return [
        (each.message, each.__dict__["facts"])
        for each in caplog.records
        if each.levelname == "ERROR"
    ]


def test_another_writer_takes_the_place_of_a_dead_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run, started = _Run(outputs=2), patch_spawn(monkeypatch, None)
    assert run.dies(run.writer)
    fields = {"process": WRITER, "pid": 4711, "next": "another one takes its place"}
    assert _said(caplog) == [("a process was killed by signal 9", fields)]
    run.start_due()
    assert [each.name for each in started] == [WRITER]
    assert run.processes.children[WRITER] is started[0].as_child
    assert started[0].told == []
    assert [len(each.pipes) for each in (*started, *run.receivers)] == [4, 2, 2]
    assert run.outcome.failure is None
    run.start_due()
    assert len(started) == 1


def test_another_writer_is_told_what_the_one_before_was(monkeypatch: pytest.MonkeyPatch) -> None:
    run, started = _Run(), patch_spawn(monkeypatch, None)
    run.processes.children.clear()
    run.processes.children[WRITER] = run.writer.as_child
    run.dies(run.writer)
    run.start_due(0, 2)
    assert started[0].told == [GiveUp(0), GiveUp(2), End()]


@pytest.mark.parametrize(("is_ready", "told"), [(False, []), (True, [Go()])])
def test_another_receiver_begins_when_a_writer_is_ready(
    monkeypatch: pytest.MonkeyPatch, is_ready: bool, told: list[Go]
) -> None:
    run, started = _Run(outputs=1), patch_spawn(monkeypatch, None)
    assert run.dies(run.receivers[0])
    assert run.shutdown.is_receiving
    run.start_due(is_ready=is_ready)
    assert [each.name for each in started] == [RECEIVERS[0]]
    assert started[0].told == told
    assert run.writer.told == []


def test_a_run_that_fails_of_a_death_says_of_which(caplog: pytest.LogCaptureFixture) -> None:
    run = _Run(keeps_journal=False)
    assert not run.dies(run.writer)
    assert _said(caplog)[0][1]["next"] == "it is not started again"
    assert isinstance(run.outcome.failure, ProcessDied)
    assert (run.outcome.failure.process, run.outcome.failure.exit_code) == (WRITER, -9)
    assert run.ending.has_begun


def test_the_pause_is_said(caplog: pytest.LogCaptureFixture) -> None:
    run = _Run()
    for _ in range(8):
        run.restarts.started(WRITER, time.monotonic())
        run.succession.died(WRITER, "was killed by signal 9", run.writer.as_child)
    assert "pause" not in _said(caplog)[0][1]
    assert float(_said(caplog)[7][1]["pause"].removesuffix("s")) > 4


def test_who_cannot_be_started_has_died_and_is_tried_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run, started = _Run(), patch_spawn(monkeypatch, LACK, None)
    run.dies(run.writer)
    run.start_due()
    fields = {"process": WRITER, "next": "another one takes its place"}
    event, said = _said(caplog)[1]
    assert event == "a process could not be started: Cannot allocate memory"
    assert fields.items() <= said.items()
    assert started == []
    assert set(run.restarts.due) == {WRITER}
    run.succession.start_due(time.monotonic() + 1.0, (), is_ready=True)
    assert [each.name for each in started] == [WRITER]


def test_who_lacks_a_pipe_is_killed_and_dealt_with_at_its_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    run, started = _Run(outputs=1), patch_spawn(monkeypatch, None)
    run.dies(run.writer)
    run.receivers[1].pipe_error = OSError(24, "Too many open files")
    run.start_due()
    assert started[0].process.is_killed
    assert _said(caplog)[1] == (
        "a process could not be started: Too many open files",
        {"process": WRITER, "pid": 4711},
    )
    assert set(run.restarts.due) == set()
    assert run.processes.children[WRITER] is started[0].as_child


def test_without_a_writer_that_can_be_started_all_is_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    run = _Run()
    patch_spawn(monkeypatch, LACK)
    run.dies(run.writer)
    monkeypatch.setattr("fastingest.supervisor.restart_policy.MAX_DEATHS", 2)
    monkeypatch.setattr("fastingest.supervisor.restart_policy.PATIENCE", 0.0)
    run.start_due()
    assert run.ending.is_giving_up
    assert [each.told for each in run.receivers] == [[Save()], [Save()]]
    assert isinstance(run.outcome.failure, ProcessDied)
    assert run.outcome.failure.exit_code is None


def test_without_a_receiver_that_can_be_started_the_others_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = _Run()
    patch_spawn(monkeypatch, LACK)
    run.dies(run.receivers[0])
    monkeypatch.setattr("fastingest.supervisor.restart_policy.MAX_DEATHS", 2)
    monkeypatch.setattr("fastingest.supervisor.restart_policy.PATIENCE", 0.0)
    run.start_due()
    assert run.receivers[1].told == [Stop()]
    assert not run.ending.is_giving_up


def test_who_is_due_and_not_wanted_any_more_is_not_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of two that are due, what becomes of the first may make the other needless."""
    run = _Run()
    run.dies(run.writer)
    run.dies(run.receivers[0])
    patch_spawn(monkeypatch, LACK)
    monkeypatch.setattr("fastingest.supervisor.restart_policy.MAX_DEATHS", 2)
    monkeypatch.setattr("fastingest.supervisor.restart_policy.PATIENCE", 0.0)
    run.start_due()
    assert set(run.restarts.due) == set()
    assert WRITER not in run.processes.children
    assert RECEIVERS[0] not in run.processes.children
