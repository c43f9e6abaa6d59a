"""Children that are no processes, for what is told to whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pytest

from fastingest import Options
from fastingest.model.feed import Feed, Table
from fastingest.runtime.control import Command
from fastingest.supervisor import processes as module
from fastingest.supervisor.children import Child
from fastingest.supervisor.processes import WRITER, Processes
from fastingest.supervisor.receivers import ReceiverPool

__all__ = ["RECEIVERS", "FakeChild", "add", "no_processes", "patch_spawn"]

RECEIVERS = ["receiver 1", "receiver 2"]


class _FakeProcess:
    pid = 4711

    def __init__(self) -> None:
        self.is_killed = False

    def kill(self) -> None:
        self.is_killed = True


class FakeChild:
    """Notes what it is told."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.process = _FakeProcess()
        self.exit_code: int | None = None
        self.told: list[Command] = []
        self.pipes: list[tuple[Any, ...]] = []
        self.pipe_error: OSError | None = None

    def tell(self, command: Command) -> None:
        self.told.append(command)

    def hand_over(self, pipe: Any, *fields: Any) -> None:
        pipe.close()
        if self.pipe_error is not None:
            raise self.pipe_error
        self.pipes.append(fields)

    @property
    def as_child(self) -> Child:
        return cast(Child, self)


def no_processes(options: Options | None = None, *, outputs: int = 0) -> Processes:
    """Those of a run with two receivers; none is there.

    :param outputs: how many each receiver has pipes for, of which nothing else is there.
    """
    table = Table(Path("/nowhere/out.csv"))
    feeds = [Feed(name, f"ws://127.0.0.1/{name}", (table,)) for name in ("a", "b")]
    pool = ReceiverPool(feeds, [], [], len(RECEIVERS), native=False)
    for name in RECEIVERS:
        pool.begin(name, {})
        pool.before[name] = {number: [] for number in range(outputs)}
    return Processes(options or Options(url="ws://127.0.0.1/"), [], pool)


def add(processes: Processes, *names: str) -> list[FakeChild]:
    """Let these be there; all of them, where none is named."""
    added = [FakeChild(name) for name in names or (WRITER, *RECEIVERS)]
    processes.children.update({each.name: each.as_child for each in added})
    return added


def patch_spawn(monkeypatch: pytest.MonkeyPatch, *outcomes: OSError | None) -> list[FakeChild]:
    """Have fakes started, one for each of the outcomes: an error, or None for success.

    :returns: those that are started, as they are.
    """
    left, started = list(outcomes), []

    def spawn(_: object, name: str, *__: object, **___: object) -> FakeChild:
        error = left.pop(0)
        if error is not None:
            raise error
        started.append(FakeChild(name))
        return started[-1]

    monkeypatch.setattr(module, "spawn", spawn)
    return started
