"""The command as a user runs it: a process, and all that it has printed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.end_to_end.command import ROOT
from tests.support.patience import LIMIT

__all__ = ["COMMAND", "FEED", "environment", "execute", "run", "run_program"]


COMMAND = [sys.executable, "-m", "fastingest"]

FEED = "demo://?rate=20000&burst=1"


def environment(**more: str) -> dict[str, str]:
    plain = {k: v for k, v in os.environ.items() if not k.startswith("FASTINGEST_")}
    plain.update(PYTHONPATH=str(ROOT), COLUMNS="100", TERM="xterm-256color")
    plain.pop("NO_COLOR", None)
    return plain | more


def execute(
    command: Sequence[str],
    cwd: Path,
    variables: Mapping[str, str] | None = None,
    stdout: int | IO[bytes] = subprocess.PIPE,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env=environment(**(variables or {})),
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=LIMIT,
        check=False,
    )


def run(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return execute([*COMMAND, *arguments], cwd, variables)


def run_program(
    program: str | Path, *arguments: object, cwd: Path
) -> subprocess.CompletedProcess[str]:
    """A user's program, which imports the package.

    :param program: its text, or its file.
    """
    what = [str(program)] if isinstance(program, Path) else ["-c", program]
    return execute([sys.executable, *what, *map(str, arguments)], cwd)
