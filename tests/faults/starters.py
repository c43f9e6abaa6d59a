"""Starts runs of the command under a shim: real ones, or forks of one process."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from tests.faults.shim import Shim, library

__all__ = ["Forks", "Processes", "Started", "Starter"]

ROOT = Path(__file__).parents[2]
FORK_LIMIT = 30.0
"""Seconds that a fork may take to begin; the process imports everything before the first."""


class Started(Protocol):
    """A run of the command."""

    pid: int
    """The supervisor's, and that of its process group."""

    def wait(self, seconds: float) -> int | None:
        """The exit status, negative for a signal; None: it has not ended within so long."""


class Starter(Protocol):
    """Starts runs under a shim."""

    def start(
        self, shim: Shim, arguments: Sequence[str], plan: str, stderr: Path, *, trace: bool
    ) -> Started:
        """Start one."""


class _Process:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.pid = process.pid

    def wait(self, seconds: float) -> int | None:
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None


class Processes:
    """Starts real ones."""

    def start(
        self, shim: Shim, arguments: Sequence[str], plan: str, stderr: Path, *, trace: bool
    ) -> Started:
        """Start one."""
        with stderr.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "fastingest", *arguments],
                cwd=ROOT,
                env=os.environ | shim.environment(plan, trace=trace),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=file,
                start_new_session=True,
            )
        return _Process(process)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _Fork:
    def __init__(self, pid: int, status: Callable[[float], int | None]) -> None:
        self.pid = pid
        self._status = status
        self._known: int | None = None

    def wait(self, seconds: float) -> int | None:
        if self._known is None:
            self._known = self._status(seconds)
        return self._known


class Forks:
    """A context manager that starts forks of one process: :mod:`tests.faults.forks`.

    :param changes: modules that change the program, for the tests of the campaign.
    """

    def __init__(self, *changes: str) -> None:
        self._changes = changes

    def __enter__(self) -> Forks:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.forks", *self._changes],
            cwd=ROOT,
            env=os.environ | {"LD_PRELOAD": str(library())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(
        self, shim: Shim, arguments: Sequence[str], plan: str, stderr: Path, *, trace: bool
    ) -> Started:
        """Start one, when the one before has ended."""
        settings = shim.environment(plan, trace=trace)
        request = {
            "arguments": list(arguments),
            "stdout": os.devnull,
            "stderr": str(stderr),
            "paths": settings["FAULT_PATHS"].split(":"),
            "plan": plan,
            "log": settings["FAULT_LOG"],
            "trace": trace,
        }
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        return _Fork(self._answer(FORK_LIMIT, "pid"), self._status)

    def _answer(self, seconds: float, name: str) -> int:
        answer = self._read(seconds)
        if answer is None:
            raise TimeoutError("no fork")
        return int(answer[name])

    def _status(self, seconds: float) -> int | None:
        answer = self._read(seconds)
        return None if answer is None else int(answer["status"])

    def _read(self, seconds: float) -> dict[str, Any] | None:
        """The next line; there is never more than one to come."""
        stdout = self._process.stdout
        assert stdout is not None
        if not select.select([stdout], [], [], seconds)[0]:
            return None
        answer: dict[str, Any] = json.loads(stdout.readline())
        return answer
