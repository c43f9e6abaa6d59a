"""A run of the real command, and what it says: for the tests that cross processes."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fastingest.spool.directories import SpoolDirectories
from tests.peers.process import JsonLines
from tests.support.patience import LIMIT

__all__ = [
    "ROOT",
    "Command",
    "is_running",
    "left_by",
    "lines_so_far",
    "read_rows",
    "rejects_of",
    "wait_until",
]

ROOT = Path(__file__).parents[2]

OF_TESTS = {f"FASTINGEST_{name}" for name in ("PICOWS", "SANITIZE", "SEED", "SHORT_RUNS")}
"""Variables that are meant for the tests, and that a run would warn of."""


def wait_until(condition: Callable[[], Any], what: str = "", timeout: float = LIMIT) -> Any:
    """The first true value of ``condition``.

    :raises TimeoutError: there was none within ``timeout`` seconds.
    """
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(what or condition)
        time.sleep(0.005)  # between two looks; nothing is assumed to have happened by then
    return value


def read_rows(path: Path) -> list[list[str]]:
    """The file's rows without the header; the file must end with a whole row."""
    data = path.read_bytes()
    assert data.endswith(b"\n")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, strict=True))
    assert rows[0] == ["symbol", "price", "volume"]
    assert {len(row) for row in rows} == {3}
    return rows[1:]


def lines_so_far(path: Path) -> int:
    """How many whole lines a file has that is being written, and may not be there yet."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def rejects_of(path: Path) -> list[dict[str, Any]]:
    """The rejects of the output ``path``."""
    rejects = path.with_name(path.name + ".rejected.jsonl")
    return [json.loads(line) for line in rejects.read_text("utf-8").splitlines()]


def left_by(out: Path) -> list[str]:
    """What is in the directory of the output ``out``; and its spool and spill, where they are."""
    places = SpoolDirectories.of(out)
    found = [path.name for path in out.parent.iterdir()]
    return sorted(found + [str(path) for path in (places.spool, places.spill) if path.exists()])


class Command:
    """A context manager that runs ``python -m fastingest`` with a JSON log, and ends it.

    :param arguments: of the command; ``--url`` and ``--out`` among them.
    :param environment: more variables.
    :param within: a command that runs it, with the same process id.
    :param program: what Python is to run; ``-c`` and a program that ends with the command, so that
        something may be otherwise.
    """

    def __init__(
        self,
        *arguments: object,
        environment: Mapping[str, str] | None = None,
        within: Sequence[str] = (),
        log_level: str = "debug",
        program: Sequence[str] = ("-m", "fastingest"),
    ) -> None:
        self._program = program
        self.arguments = [str(argument) for argument in arguments]
        self.arguments += ["--log-format", "json", "--log-level", log_level]
        self._within = within
        inherited = {name: value for name, value in os.environ.items() if name not in OF_TESTS}
        self._environment = {**inherited, **(environment or {})}

    def __enter__(self) -> Command:
        self._stdout = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*self._within, sys.executable, *self._program, *self.arguments],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=subprocess.PIPE,
            start_new_session=True,  # its group is its own, for signals to all of it
        )
        assert self.process.stderr is not None
        self._log = JsonLines(self.process.stderr)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            for pid in self.children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.kill()
        self.process.wait()
        self._log.close()
        self._stdout.close()

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        return self.process.pid

    @property
    def events(self) -> list[dict[str, Any]]:
        """The log so far; what is no JSON has the event "not JSON"."""
        return [{"event": "not JSON", **entry} for entry in self._log.events]

    def wait_for(self, event: str, count: int = 1, timeout: float = LIMIT) -> dict[str, Any]:
        """The ``count``-th log entry with this event.

        :raises TimeoutError: it did not come within ``timeout`` seconds.
        :raises EOFError: the command ended without it.
        """
        return self._log.wait_for(lambda entry: entry.get("event") == event, count, timeout)

    def signal(self, number: int) -> None:
        """Send a signal to the supervisor alone."""
        self.process.send_signal(number)

    def stop(self, *status: int) -> dict[str, Any]:
        """End it by SIGTERM; the summary, once it has ended with one of these statuses (0)."""
        self.signal(signal.SIGTERM)
        ended = self.wait()
        assert ended in (status or (0,)), self.events
        return self.summary(ended)

    def wait(self, timeout: float = LIMIT) -> int:
        """The exit status, when it has ended by itself."""
        status = self.process.wait(timeout)
        self._log.join()
        return status

    def summary(self, status: int = 0) -> dict[str, Any]:
        """The summary that it printed, once it has ended, with this status."""
        assert self.wait() == status, self.events
        self._stdout.seek(0)
        summary: dict[str, Any] = json.loads(self._stdout.read())
        return summary

    def children(self) -> list[int]:
        """The ids of the processes that it has started, as it said so."""
        return list(self._roles().values())

    def child(self, role: str) -> int:
        """The process id of the receiver, the writer or the demo exchange."""
        return int(wait_until(lambda: self._roles().get(role), f"no {role}"))

    def _roles(self) -> dict[str, int]:
        entries = [entry for entry in self.events if entry["event"] == "started"]
        return {entry["process"]: entry["pid"] for entry in entries}


def is_running(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    return _state_of(pid) not in ("", "Z")


def is_stopped(pid: int) -> bool:
    """Whether SIGSTOP has reached the process."""
    return _state_of(pid) == "T"


def _state_of(pid: int) -> str:
    """The letter that Linux has for it; empty where there is no such process."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return ""
    match = re.search(r"^State:\s+(\S)", status, re.MULTILINE)
    return match[1] if match else ""
