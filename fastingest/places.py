"""Where what belongs to an output is: beside it, in memory (the spool), on disk (the spill).

The spool is a directory on ``/dev/shm``, named by a checksum of the output's path and directory, so
that the next run of the same output finds it; where there is no such file system (macOS) it stands
beside the output. The spill stands beside the output, or in ``--spill-dir``. Where both were is
noted in the journal as well, for a next start with other settings.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fastingest import segment

__all__ = ["Places", "beside", "named"]

_MEMORY = Path("/dev/shm")  # noqa: S108 - whose directory there is whose is checked


def beside(path: Path, suffix: str) -> Path:
    """``stock_data.csv`` and ``.lock`` → ``stock_data.csv.lock``."""
    return path.with_name(path.name + suffix)


def named(path: Path) -> Path:
    """The path from the root on, without links but for the last one.

    What belongs to an output goes by the name that it was given, not by what that leads to: a link
    may lead somewhere else tomorrow. Two names for one file are told by the lock on the file.
    """
    return path.parent.resolve() / path.name


@dataclass(frozen=True)
class Places:
    """The directories of one output.

    :param spool: of the segments in memory, the counters and the events of a run.
    :param spill: of the segments on disk; made when it is needed.
    """

    spool: Path
    spill: Path

    @classmethod
    def of(cls, out: Path, spill_dir: Path | None = None) -> Places:
        """Where they are for ``out``."""
        path = named(out)
        parent = os.stat(path.parent)
        name = hashlib.sha256(f"{path}|{parent.st_dev}|{parent.st_ino}".encode()).hexdigest()[:16]
        spool = _MEMORY / f"fastingest-{name}"
        if not _is_usable(spool):
            spool = beside(path, ".spool")
        if spill_dir is None:
            return cls(spool, beside(path, ".spill"))
        # Without the device, whose number may be another after the machine has started again.
        name = hashlib.sha256(str(path).encode()).hexdigest()[:8]
        return cls(spool, spill_dir.resolve() / f"{path.name}-{name}.spill")

    def make(self) -> None:
        """Make the spool.

        :raises OSError: it cannot be made.
        """
        self.spool.mkdir(mode=0o700, exist_ok=True)

    def remove(self, but: Places | None = None) -> None:
        """Remove both, with all that is in them; not where ``but`` has the same one."""
        for directory in {self.spool, self.spill} - ({but.spool, but.spill} if but else set()):
            shutil.rmtree(directory, ignore_errors=True)

    def to_notes(self) -> dict[str, str]:
        """For the journal."""
        return {"spool": str(self.spool), "spill": str(self.spill)}

    @classmethod
    def from_notes(cls, notes: dict[str, str]) -> Places | None:
        """What :meth:`to_notes` said; None where it says nothing, or not whose the spool is."""
        if notes.keys() != {"spool", "spill"}:
            return None
        places = cls(Path(notes["spool"]), Path(notes["spill"]))
        return places if not os.path.lexists(places.spool) or _is_ours(places.spool) else None

    def forget(self, run: int) -> None:
        """Remove a run's counters and events, and the directories where nothing else is in them."""
        self.counters(run).unlink(missing_ok=True)
        self.events(run).unlink(missing_ok=True)
        for directory in (self.spool, self.spill):
            with contextlib.suppress(OSError):
                directory.rmdir()

    def counters(self, run: int) -> Path:
        """The file of a run's shared counters."""
        return self.spool / f"{run}.counters"

    def remembers(self, run: int) -> bool:
        """Whether the machine has certainly not been started anew since that run."""
        return self.spool.parent == _MEMORY and (self.spool / f"{run}.counters").exists()

    def events(self, run: int) -> Path:
        """The file of a run's events for the ledger."""
        return self.spool / f"{run}.events.jsonl"

    def runs(self) -> list[int]:
        """The runs whose counters are there, the oldest first."""
        names = (path.name.removesuffix(".counters") for path in self.spool.glob("*.counters"))
        return sorted(int(name) for name in names if name.isdigit())

    def newest(self) -> int:
        """The newest stream or run that has left anything; 0: none has."""
        streams = [name.stream for name, _ in self.segments()]
        return max([0, *streams, *self.runs()])

    def size_before(self, stream: int) -> tuple[int, int]:
        """Bytes that streams older than ``stream`` have left: in the spool, and in the spill."""
        sizes = {self.spool: 0, self.spill: 0}
        for name, path in self.segments():
            with contextlib.suppress(OSError):
                sizes[path.parent] += path.stat().st_size * (name.stream < stream)
        return sizes[self.spool], sizes[self.spill]

    def segments(self) -> Iterator[tuple[segment.FileName, Path]]:
        """All segments that there are, in no order."""
        for directory in (self.spill, self.spool):
            with contextlib.suppress(FileNotFoundError):
                for path in directory.iterdir():
                    name = segment.parse_name(path)
                    if name is not None:
                        yield name, path


def _is_usable(spool: Path) -> bool:
    """Whether the directory is ours, or can be made: anybody may write to ``/dev/shm``."""
    if spool.is_symlink() or spool.exists():
        return _is_ours(spool)
    return os.access(spool.parent, os.W_OK | os.X_OK)


def _is_ours(spool: Path) -> bool:
    try:
        status = spool.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
