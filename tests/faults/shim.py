"""The shim ``shim.c``: builds it, and says how a program runs under it, and what it has seen.

    shim = Shim(tmp_path, [out.parent, Places.of(out).spool])
    subprocess.run(command, env=os.environ | shim.environment("writer:EIO@17"))
    assert [call.action for call in shim.log()] == ["EIO"]

What it can do, and what calls count, stands at the top of ``shim.c``.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

__all__ = ["ERRORS", "ROLES", "Call", "Shim", "library", "memory", "missing", "read_log"]

ROLES = ("supervisor", "receiver", "writer")
ERRORS = ("EIO", "ENOSPC", "EDQUOT", "EROFS", "EINTR", "EMFILE")

LEDGER_TORN = "of the ledger was torn by a crash and is passed over"
"""What ``fastingest verify`` rightly says where half of a line has been written."""

SOURCE = Path(__file__).with_name("shim.c")
BUILT = Path(__file__).parents[2] / "build" / "faults"
FLAGS = ("-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-pthread")
STATE_SIZE = 4096  # more than it takes


def memory() -> Path | None:
    """A place in memory, where a sync costs nothing; None: wherever temporary files are."""
    place = Path("/dev/shm")
    return place if os.access(place, os.W_OK) else None


def missing() -> str:
    """What the shim needs and is not here; empty where nothing is missing."""
    if sys.platform != "linux":
        return "needs Linux"
    return "" if shutil.which("gcc") else "needs gcc"


@functools.cache
def library() -> Path:
    """The shim, built.

    :raises RuntimeError: it cannot be.
    """
    if missing():
        raise RuntimeError(f"the shim {missing()}")
    name = hashlib.sha256(SOURCE.read_bytes() + " ".join(FLAGS).encode()).hexdigest()[:16]
    path = BUILT / f"shim-{name}.so"
    if not path.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}")  # others may build it at the same time
        command = ["gcc", *FLAGS, "-o", str(part), str(SOURCE), "-ldl"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"the shim cannot be built: {done.stderr}")
        part.rename(path)
    return path


class Call(NamedTuple):
    """A call that the shim has logged."""

    number: int
    """Among all calls, from 1."""
    own: int
    """Among those of its role, from 1."""
    role: str
    action: str
    """What was done to it; ``-`` is nothing."""
    name: str
    path: str

    @property
    def is_write(self) -> bool:
        """Whether half of it can be written."""
        return self.name.startswith(("write", "pwrite"))

    @property
    def errors(self) -> list[str]:
        """What it can fail with: as ``fits`` in ``shim.c``, but for files that are only opened."""
        cannot = set()
        if not self.name.startswith(("open", "creat")):
            cannot.add("EMFILE")
        if self.name.startswith(("unlink", "rmdir", "mmap")):
            cannot |= {"ENOSPC", "EDQUOT"}
        if self.name.startswith(("fsync", "fdatasync", "sync", "mmap")):
            cannot.add("EROFS")
        if self.name.startswith(("rename", "link", "symlink", "mkdir", "unlink", "rmdir", "mmap")):
            cannot.add("EINTR")
        return [error for error in ERRORS if error not in cannot]

    def __str__(self) -> str:
        what = "" if self.action == "-" else f"{self.action} at "
        return f"{what}{self.role}'s call {self.own} ({self.name} {self.path})"


def read_log(path: Path) -> list[Call]:
    """The calls in a log of the shim's."""
    calls = []
    for line in path.read_text("utf-8", "surrogateescape").splitlines():
        number, own, *texts = line.split("\t")
        calls.append(Call(int(number), int(own), *texts))
    return calls


class Shim:
    """The shim, for one program after another.

    :param folder: where its own files may be.
    :param paths: the calls that count are those for what begins with one of these.
    """

    def __init__(self, folder: Path, paths: Sequence[Path]) -> None:
        self._state = folder / "shim.state"
        self._log = folder / "shim.log"
        self._paths = [str(path.resolve()) for path in paths]

    def environment(self, plan: str = "", *, trace: bool = False) -> dict[str, str]:
        """What to add to the environment of a program; it begins to count at zero.

        :param plan: what shall happen; empty: nothing.
        :param trace: log each call, not only those that something happens to.
        """
        self._state.write_bytes(bytes(STATE_SIZE))
        self._log.write_bytes(b"")
        others = os.environ.get("LD_PRELOAD", "").split()
        return {
            "LD_PRELOAD": " ".join([str(library()), *others]),
            "FAULT_PATHS": ":".join(self._paths),
            "FAULT_PLAN": plan,
            "FAULT_STATE": str(self._state),
            "FAULT_LOG": str(self._log),
            **({"FAULT_TRACE": "1"} if trace else {}),
        }

    def counts(self) -> dict[str, int]:
        """How many calls there were, of ``any`` role and of each."""
        values = struct.unpack_from("<4Q", self._state.read_bytes())
        return dict(zip(("any", *ROLES), values, strict=True))

    def log(self) -> list[Call]:
        """What has been done, and with ``trace`` each call."""
        return read_log(self._log)
