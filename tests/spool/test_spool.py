"""The spool on real files: in a directory for the memory, and in one for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest.model.event import Event
from fastingest.spool import segment as form
from fastingest.spool.events import SpoolUnwritable, SpoolWritable
from fastingest.spool.held import Held, Place, Segment
from fastingest.spool.outbox import Outbox
from fastingest.spool.spool import Spool
from fastingest.storage.ownership import NotOurs
from tests.support.limits import largest_file

STREAM = 77
KIB = 1024

Action = Callable[[Segment, Callable[[Segment, OSError | None], None]], None]


class Rig:
    """A spool, the outbox that says where each batch belongs, and all that was put in.

    :param directory: the spool and the spill are in there.
    :param journal: False: the spool has no directory in memory.
    """

    def __init__(
        self,
        directory: Path,
        *,
        segment_size: int = 4 * KIB,
        min_free: int = 0,
        sync: bool = False,
        journal: bool = True,
    ) -> None:
        self.memory = directory / "memory"
        self.memory.mkdir(exist_ok=True)
        self.disk = directory / "disk"
        self.outbox = Outbox(
            memory_limit=2**30, spill_limit=2**30, segment_size=segment_size, window=2**30
        )
        self.events: list[Event] = []
        self.spool = Spool(
            STREAM,
            self.memory if journal else None,
            self.disk,
            min_free=min_free,
            sync=sync,
            report=self.events.append,
        )
        self.wires: dict[Held, bytes] = {}

    def add(self, size: int = KIB) -> Held:
        """Append a batch that is like no other."""
        number = self.outbox.next_sequence
        wire = (b"%d " % number * size)[:size]
        held = self.outbox.add(size, rows=1)
        self.spool.append(held, wire)
        self.wires[held] = wire
        return held

    def fill(self) -> Segment:
        """Append batches until a segment is sealed."""
        while not (held := self.add()).segment.sealed:
            pass
        return held.segment

    async def move(self, segment: Segment) -> OSError | None:
        """Move it to disk; the error."""
        self.outbox.moving(segment)
        error = await self._wait(self.spool.move, segment)
        self.outbox.moved(segment, succeeded=error is None)
        return error

    async def load(self, segment: Segment) -> OSError | None:
        """Load it from disk; the error."""
        return await self._wait(self.spool.load, segment)

    async def _wait(self, action: Action, segment: Segment) -> OSError | None:
        done = asyncio.get_running_loop().create_future()
        action(segment, lambda which, error: done.set_result((which, error)))
        which, error = await asyncio.wait_for(done, 30)
        assert which is segment
        found: OSError | None = error
        return found

    async def settle(self) -> None:
        """Wait until the thread has done what it was given, and the loop what it has said."""
        done = asyncio.Event()
        self.spool._worker.do(lambda: None, lambda error: done.set())
        await asyncio.wait_for(done.wait(), 30)

    def acknowledge(self, held: Held) -> None:
        """Let go of it and of all before it."""
        for segment in self.outbox.link(held.sequence):
            self.spool.free(segment)
        self.wires = {
            each: wire for each, wire in self.wires.items() if each.segment.place is not Place.GONE
        }

    def of(self, segment: Segment) -> list[Held]:
        """The segment's batches."""
        return [held for held in self.wires if held.segment is segment]

    def is_readable(self, segment: Segment) -> bool:
        """Whether all its batches are read back as they were; else none is."""
        read = [self.spool.read(held) for held in self.of(segment)]
        if read == [None] * len(read):
            return False
        assert read == [self.wires[held] for held in self.of(segment)]
        return True

    def contents(self, directory: Path) -> dict[int, bytes]:
        """What the next start would find: the wire forms by their sequence numbers."""
        found: dict[int, bytes] = {}
        for path in directory.glob("*"):
            name = form.parse_name(path)
            assert name is not None
            assert name.stream == STREAM
            data = path.read_bytes()
            stream, batches = form.read(data)
            for sequence, start, end in batches:
                assert stream == STREAM
                assert sequence not in found
                found[sequence] = data[start:end]
        return found

    def expected(self, *segments: Segment) -> dict[int, bytes]:
        """What :meth:`contents` is to say of these segments; of none, of all."""
        return {
            held.sequence: wire
            for held, wire in self.wires.items()
            if not segments or held.segment in segments
        }


def with_rig(directory: Path, body: Callable[[Rig], Awaitable[None]], **options: Any) -> None:
    async def run() -> None:
        await body(Rig(directory, **options))

    asyncio.run(run())


# Memory


def test_what_is_appended_is_in_a_file_at_once(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        for size in (0, 1, 5000, 300, 20_000):
            held = rig.add(size)
            assert rig.contents(rig.memory) == rig.expected()
            assert rig.spool.read(held) == rig.wires[held]
        assert len(list(rig.memory.iterdir())) == 2
        assert {path.stat().st_mode & 0o777 for path in rig.memory.iterdir()} == {0o600}
        assert not rig.disk.exists()
        assert rig.events == []

    with_rig(tmp_path, body)


@settings(max_examples=60)
@given(st.lists(st.none() | st.integers(0, 700), max_size=60))
def test_a_file_that_is_used_again_holds_nothing_old(steps: list[int | None]) -> None:
    """None acknowledges the oldest segment; a number appends a batch of that size."""

    async def body(rig: Rig) -> None:
        for size in steps:
            if size is not None:
                rig.add(size)
            elif rig.wires:
                oldest = next(iter(rig.wires)).segment
                rig.acknowledge(rig.of(oldest)[-1])
            assert rig.contents(rig.memory) == rig.expected()
            for held, wire in rig.wires.items():
                assert rig.spool.read(held) == wire

    with tempfile.TemporaryDirectory() as directory:
        with_rig(Path(directory), body, segment_size=1000)


def test_while_the_writer_keeps_up_it_is_one_file(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        for _ in range(50):
            rig.acknowledge(rig.add())
            assert rig.contents(rig.memory) == {}
        assert len(list(rig.memory.iterdir())) == 1

    with_rig(tmp_path, body)


def test_a_file_that_cannot_be_used_again_is_deleted(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        held = rig.add()
        (path,) = rig.memory.iterdir()
        descriptor = rig.spool._files[held.segment]
        for_reading = os.open(path, os.O_RDONLY)  # in its place: nothing can be written any more
        os.dup2(for_reading, descriptor)
        os.close(for_reading)
        rig.acknowledge(held)
        assert list(rig.memory.iterdir()) == []
        rig.add()
        assert rig.contents(rig.memory) == rig.expected()
        assert rig.events == []

    with_rig(tmp_path, body)


def test_after_a_burst_few_files_are_left(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        for _ in range(3):
            for _ in range(20):
                rig.fill()
            assert len(list(rig.memory.iterdir())) == 20
            rig.acknowledge(list(rig.wires)[-1])
            assert len(list(rig.memory.iterdir())) == 4
        rig.fill()
        assert rig.contents(rig.memory) == rig.expected()

    with_rig(tmp_path, body)


# No room in memory


@contextlib.contextmanager
def tiny_file_system(directory: Path) -> Iterator[None]:
    """Mount 12 KiB of memory there, as a container may have it."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=12k", "none", directory], check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", directory], check=True)


@pytest.mark.parametrize("kind", ["full", "limit"])
def test_what_has_no_room_in_memory_is_kept_and_moved_to_disk(tmp_path: Path, kind: str) -> None:
    (tmp_path / "memory").mkdir()
    full: AbstractContextManager[None] = nullcontext()
    if kind == "full":
        full = tiny_file_system(tmp_path / "memory")

    async def body(rig: Rig) -> None:
        with largest_file(10 * KIB) if kind == "limit" else nullcontext():
            segment = rig.fill()  # the file system ends in the middle of a batch
        in_file = rig.contents(rig.memory)
        assert 5 <= len(in_file) < 30
        assert in_file.items() < rig.expected().items()
        problem = {"full": "No space left on device", "limit": "File too large"}[kind]
        assert rig.events == [SpoolUnwritable(str(rig.memory), problem)]
        assert rig.is_readable(segment)
        assert await rig.move(segment) is None
        assert rig.contents(rig.disk) == rig.expected(segment)
        assert rig.contents(rig.memory) == {}
        assert not rig.is_readable(segment)
        assert await rig.load(segment) is None
        assert rig.is_readable(segment)
        following = rig.fill() if kind == "limit" else rig.add().segment
        assert rig.contents(rig.memory) == rig.expected(following)
        assert rig.events[1:] == [SpoolWritable(str(rig.memory))]

    with full:
        with_rig(tmp_path, body, segment_size=30 * KIB)


def test_without_a_directory_in_memory_everything_is_kept(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        rig.memory.rmdir()  # as somebody does who cleans up
        segment = rig.fill()
        assert rig.events == [SpoolUnwritable(str(rig.memory), "No such file or directory")]
        assert rig.is_readable(segment)
        assert await rig.move(segment) is None
        assert rig.contents(rig.disk) == rig.expected()
        rig.memory.mkdir()
        later = rig.fill()
        assert rig.contents(rig.memory) == rig.expected(later)

    with_rig(tmp_path, body)


def test_without_a_journal_nothing_is_in_the_spool(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        first, second = rig.fill(), rig.fill()
        assert rig.is_readable(first)
        assert await rig.move(second) is None
        assert rig.contents(rig.disk) == rig.expected(second)
        assert list(rig.memory.iterdir()) == []
        rig.acknowledge(rig.of(first)[-1])
        assert rig.spool._kept == {}
        assert await rig.load(second) is None
        assert rig.is_readable(second)
        assert rig.events == []

    with_rig(tmp_path, body, journal=False)


# Disk


@pytest.mark.parametrize("sync", [False, True])
def test_a_segment_moves_to_disk_and_back(tmp_path: Path, sync: bool) -> None:
    async def body(rig: Rig) -> None:
        first, second = rig.fill(), rig.fill()
        assert await rig.move(second) is None
        assert rig.contents(rig.disk) == rig.expected(second)
        assert rig.contents(rig.memory) == rig.expected(first)
        assert rig.disk.stat().st_mode & 0o777 == 0o700
        assert rig.is_readable(first)
        assert not rig.is_readable(second)
        assert await rig.load(second) is None
        assert rig.is_readable(second)
        rig.acknowledge(rig.of(second)[-1])
        await rig.settle()
        assert list(rig.disk.iterdir()) == []
        assert rig.contents(rig.memory) == {}
        assert not rig.is_readable(second)

    with_rig(tmp_path, body, sync=sync)


def test_a_large_segment_moves_whole(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        for _ in range(3):
            held = rig.add(1024 * KIB - 7)
        assert await rig.move(held.segment) is None
        assert rig.contents(rig.disk) == rig.expected()

    with_rig(tmp_path, body, segment_size=3000 * KIB)


def test_a_segment_can_be_read_while_it_moves(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        segment = rig.fill()
        rig.outbox.moving(segment)
        moved: list[OSError | None] = []
        rig.spool.move(segment, lambda _, error: moved.append(error))
        while not moved:
            assert rig.is_readable(segment)
            await asyncio.sleep(0)
        assert moved == [None]
        assert not rig.is_readable(segment)

    with_rig(tmp_path, body)


def test_what_was_loaded_is_forgotten_and_loaded_again(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        segments = [rig.fill() for _ in range(3)]
        for segment in segments:
            assert await rig.move(segment) is None
            assert await rig.load(segment) is None
        rig.spool.unload(segments[1])
        assert [rig.is_readable(segment) for segment in segments] == [False, True, True]
        assert await rig.load(segments[0]) is None
        assert rig.is_readable(segments[0])

    with_rig(tmp_path, body)


@pytest.mark.parametrize("fails", [False, True])
def test_a_segment_that_is_not_needed_any_more_while_it_moves(tmp_path: Path, fails: bool) -> None:
    async def body(rig: Rig) -> None:
        segment = rig.fill()
        moving = asyncio.create_task(rig.move(segment))
        await asyncio.sleep(0)  # it has begun
        assert rig.outbox.is_moving
        rig.acknowledge(rig.of(segment)[-1])
        error = await moving
        assert (error is not None) == fails
        await rig.settle()
        assert list(rig.disk.iterdir()) == []
        assert rig.contents(rig.memory) == {}
        later = rig.fill()
        assert len(list(rig.memory.iterdir())) == 1  # the same file
        assert rig.contents(rig.memory) == rig.expected(later)

    with_rig(tmp_path, body, min_free=2**60 if fails else 0)


def test_a_segment_that_is_not_needed_any_more_while_it_is_loaded(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        segment = rig.fill()
        assert await rig.move(segment) is None
        rig.spool.load(segment, lambda *_: pytest.fail("nobody waits for it"))
        rig.acknowledge(rig.of(segment)[-1])
        await rig.settle()
        assert not rig.is_readable(segment)
        assert list(rig.disk.iterdir()) == []

    with_rig(tmp_path, body)


# A disk that fails


def test_no_room_on_disk_leaves_the_segment_in_memory(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        segment = rig.fill()
        error = await rig.move(segment)
        assert error is not None
        assert error.strerror == "too little would stay free on the disk (--min-free)"
        assert list(rig.disk.iterdir()) == []
        assert rig.is_readable(segment)
        assert rig.contents(rig.memory) == rig.expected()

    with_rig(tmp_path, body, min_free=2**60)


def test_a_segment_that_was_half_written_is_no_segment(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        segment = rig.fill()
        with largest_file(segment.size - 1):
            error = await rig.move(segment)
        assert error is not None
        assert error.strerror == "File too large"
        assert list(rig.disk.iterdir()) == []
        assert rig.is_readable(segment)
        assert rig.contents(rig.memory) == rig.expected()
        assert await rig.move(segment) is None
        assert rig.contents(rig.disk) == rig.expected()

    with_rig(tmp_path, body)


def test_a_spill_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "disk").write_text("a file")

    async def body(rig: Rig) -> None:
        segment = rig.fill()
        error = await rig.move(segment)
        assert isinstance(error, NotOurs)
        assert rig.is_readable(segment)
        rig.disk.unlink()
        assert await rig.move(segment) is None
        assert rig.contents(rig.disk) == rig.expected()

    with_rig(tmp_path, body)


def test_a_spill_that_somebody_deletes_is_made_again(tmp_path: Path) -> None:
    async def body(rig: Rig) -> None:
        first, second = rig.fill(), rig.fill()
        assert await rig.move(first) is None
        for path in rig.disk.iterdir():
            path.unlink()
        rig.disk.rmdir()
        assert await rig.move(second) is None
        assert rig.contents(rig.disk) == rig.expected(second)
        assert isinstance(await rig.load(first), FileNotFoundError)
        assert not rig.is_readable(first)
        assert await rig.load(second) is None
        assert rig.is_readable(second)
        rig.acknowledge(rig.of(second)[-1])  # of the first, too, whose file is not there
        await rig.settle()
        assert list(rig.disk.iterdir()) == []

    with_rig(tmp_path, body)


@pytest.mark.parametrize("cut", [True, False])
def test_what_was_damaged_on_disk_is_noticed(tmp_path: Path, cut: bool) -> None:
    """By its checksum; its neighbours are read all the same."""

    async def body(rig: Rig) -> None:
        first, second, third = (rig.add(100) for _ in range(3))
        assert await rig.move(first.segment) is None
        (path,) = rig.disk.iterdir()
        whole = path.read_bytes()
        damage = range(second.offset - form.RECORD_SIZE, second.offset + second.size)
        for position in damage:
            if cut:
                path.write_bytes(whole[:position])
            else:
                path.write_bytes(
                    whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :]
                )
            rig.spool.unload(Segment(number=99, first=0))
            assert await rig.load(first.segment) is None
            assert rig.spool.read(first) == rig.wires[first]
            with pytest.raises(OSError, match="it is damaged"):
                rig.spool.read(second)
            if cut:
                with pytest.raises(OSError, match="it is damaged"):
                    rig.spool.read(third)
            else:
                assert rig.spool.read(third) == rig.wires[third]

    with_rig(tmp_path, body)
