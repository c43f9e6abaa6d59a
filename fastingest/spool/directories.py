"""Where what belongs to an output is: beside it, in memory (the spool), on disk (the spill).

The spool is a directory on ``/dev/shm``, named by a checksum of the output's path and directory, so
that the next run of the same output finds it; where there is no such file system (macOS) it stands
beside the output. The spill stands beside the output, or in ``--spill-dir``. Where both were is
noted in the journal as well, for a next start with other settings.

The counters and events of a run are in the spool. Where that has no room left, since it is full of
rows that were kept, they are in the *spare*, which is the directory beside the output that the
spool would otherwise be. What a run has left is looked for in all of them.

None of them is used that is not ours (:mod:`fastingest.storage.ownership`), nor one that a journal
names without a name that we give. Nothing is deleted there but files with the names of ours.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from fastingest.spool import segment
from fastingest.storage.names import beside, named
from fastingest.storage.ownership import (
    NotOurs,
    check_own_directory,
    make_own_directory,
    own_files,
    remove_files,
    remove_if_empty,
)

__all__ = ["SpoolDirectories"]

_MEMORY = Path("/dev/shm")  # noqa: S108 - whose directory there is whose is checked


@dataclass(frozen=True)
class SpoolDirectories:
    """The directories of one output.

    :param spool: of the segments in memory, the counters and the events of a run.
    :param spill: of the segments on disk; made when it is needed.
    :param spare: of the counters and events that find no room in the spool; made when it is needed.
        None: there is no such place.
    :param problem: why the spool is not in memory; empty where it is.
    """

    spool: Path
    spill: Path
    spare: Path | None = None
    problem: str = field(default="", compare=False)

    @classmethod
    def of(cls, out: Path, spill_dir: Path | None = None) -> SpoolDirectories:
        """Where they are for ``out``. Makes nothing."""
        path = named(out)
        parent = os.stat(path.parent)
        name = hashlib.sha256(f"{path}|{parent.st_dev}|{parent.st_ino}".encode()).hexdigest()[:16]
        spool, spare = _MEMORY / f"fastingest-{name}", beside(path, ".spool")
        problem = _problem_of(spool)
        if problem:
            spool = spare
        if spill_dir is None:
            return cls(spool, beside(path, ".spill"), spare, problem)
        # Without the device, whose number may be another after the machine has started again.
        name = hashlib.sha256(str(path).encode()).hexdigest()[:8]
        return cls(spool, spill_dir.resolve() / f"{path.name}-{name}.spill", spare, problem)

    @property
    def directories(self) -> tuple[Path, ...]:
        """All of them, each once."""
        spare = () if self.spare is None else (self.spare,)
        return tuple(dict.fromkeys((self.spill, self.spool, *spare)))

    def check(self) -> None:
        """See that all that are there are ours.

        :raises NotOurs: one is not.
        """
        for directory in self.directories:
            check_own_directory(directory)

    def make(self) -> None:
        """Make the spool.

        :raises OSError: it cannot be made, or is not ours.
        """
        make_own_directory(self.spool)

    def made(self) -> SpoolDirectories:
        """These, with the spool made; or with another one, where it cannot be made in memory.

        :raises OSError: that cannot be made either.
        """
        try:
            self.make()
        except OSError as error:
            if self.spare is None or self.spool == self.spare:
                raise
            problem = f"{self.spool}: {error.strerror}"
            return replace(self, spool=self.spare, problem=problem).made()
        return self

    def remove(self, but: SpoolDirectories | None = None) -> None:
        """Remove them, with all that is ours in them; not where ``but`` has the same one."""
        for directory in self.directories:
            if but is None or directory not in but.directories:
                remove_files(directory, _is_file_of_ours)
                remove_if_empty(directory)

    def to_notes(self) -> dict[str, str]:
        """For the journal."""
        return {"spool": str(self.spool), "spill": str(self.spill)}

    @classmethod
    def from_notes(cls, notes: dict[str, str], out: Path) -> SpoolDirectories | None:
        """What :meth:`to_notes` said, in the journal of ``out``; None where it says nothing.

        Nor does it say anything for ``out`` where it is a copy: the output that it was made for is
        still there, with its journal, and maybe being written.

        :raises NotOurs: it names a directory that is not ours, or whose name is not what we give.
        """
        if notes.keys() != {"spool", "spill"}:
            return None
        path = named(out)
        places = cls(Path(notes["spool"]), Path(notes["spill"]), beside(path, ".spool"))
        origin = places.spill.parent / path.name  # unless there is a --spill-dir
        is_beside = places.spill == beside(origin, ".spill")
        if is_beside and origin != path and os.path.lexists(beside(origin, ".journal")):
            return None
        name = re.escape(path.name)
        for directory, form in (
            (places.spool, rf"fastingest-[0-9a-f]{{16}}|{name}\.spool"),
            (places.spill, rf"{name}(-[0-9a-f]{{8}})?\.spill"),
        ):
            if not re.fullmatch(form, directory.name):
                problem = f"names {directory}, which is no directory of this output; move it away"
                raise NotOurs(beside(path, ".journal"), problem)
        places.check()
        return places

    def forget(self, run: int) -> None:
        """Remove a run's counters and events, and the directories where nothing else is in them."""
        self.forget_files(run)
        for directory in self.directories:
            remove_if_empty(directory)

    def forget_files(self, run: int) -> None:
        """Remove a run's counters and events, wherever they are."""
        names = (_counters_name(run), _events_name(run))
        for directory in self.directories:
            remove_files(directory, lambda name: name in names)

    def counters(self, run: int) -> Path:
        """The file of a run's shared counters: where it is, or else where it should be."""
        return self._find(_counters_name(run))

    def remembers(self, run: int) -> bool:
        """Whether the machine has certainly not been started anew since that run."""
        return self.spool.parent == _MEMORY and (self.spool / f"{run}.counters").exists()

    def events(self, run: int) -> Path:
        """The file of a run's events for the ledger: where it is, or else where it should be."""
        return self._find(_events_name(run))

    def spare_counters(self, run: int) -> Path | None:
        """Where the counters are to be made that found no room; None: there is no other place.

        :raises OSError: it cannot be made.
        """
        return self._in_spare(_counters_name(run))

    def spare_events(self, run: int) -> Path | None:
        """The same for the events."""
        return self._in_spare(_events_name(run))

    def _find(self, name: str) -> Path:
        if self.spare is not None and os.path.lexists(self.spare / name):
            return self.spare / name  # what is in the spool then is a piece of it
        return self.spool / name

    def _in_spare(self, name: str) -> Path | None:
        if self.spare is None or self.spare == self.spool:
            return None
        make_own_directory(self.spare)
        return self.spare / name

    def runs(self) -> list[int]:
        """The runs whose counters are there, the oldest first."""
        found = (re.fullmatch(r"(\d+)\.counters", path.name) for path in self._files())
        return sorted({int(match[1]) for match in found if match})

    def newest(self) -> int:
        """The newest stream or run that has left anything; 0: none has."""
        streams = [name.stream for name, _ in self.segments()]
        return max([0, *streams, *self.runs()])

    def size_before(self, stream: int) -> tuple[int, int]:
        """Bytes that streams older than ``stream`` have left: in the spool, and on disk."""
        memory = disk = 0
        for name, path in self.segments():
            with contextlib.suppress(OSError):
                size = path.stat().st_size * (name.stream < stream)
                if path.parent == self.spool:
                    memory += size
                else:
                    disk += size
        return memory, disk

    def segments(self) -> Iterator[tuple[segment.FileName, Path]]:
        """All segments that there are, in no order."""
        for path in self._files():
            name = segment.parse_name(path)
            if name is not None:
                yield name, path

    def parts(self) -> Iterator[tuple[segment.FileName, Path]]:
        """All pieces of segments that were being moved to disk, in no order."""
        for path in self._files():
            name = _part_name(path)
            if name is not None:
                yield name, path

    def _files(self) -> Iterator[Path]:
        for directory in self.directories:
            yield from own_files(directory)


def _counters_name(run: int) -> str:
    return f"{run}.counters"


def _events_name(run: int) -> str:
    return f"{run}.events.jsonl"


def _part_name(path: Path) -> segment.FileName | None:
    return segment.parse_name(path.with_suffix(".segment")) if path.suffix == ".part" else None


def _is_file_of_ours(name: str) -> bool:
    """Whether it is a name that we give to a file in these directories."""
    if re.fullmatch(r"\d+\.(counters(\.unread|\.part)?|events\.jsonl)", name):
        return True
    return (segment.parse_name(Path(name)) or _part_name(Path(name))) is not None


def _problem_of(spool: Path) -> str:
    """Why a spool in memory cannot be used; empty where it can: anybody may write to /dev/shm."""
    memory = spool.parent
    if not memory.is_dir():
        return f"there is no {memory}"
    try:
        check_own_directory(spool)
    except OSError as error:
        return f"{spool}: {error.strerror}"
    if not os.path.lexists(spool) and not os.access(memory, os.W_OK | os.X_OK):
        return f"{memory} cannot be written"
    return ""
