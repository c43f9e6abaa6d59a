"""The thread that syncs, waited for and never slept for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue

import pytest

from fastingest import WriteFailed
from fastingest.writer.fsync import Syncer

LIMIT = 30


class Disk:
    """What a syncer syncs: says when and where it was asked to, and fails when it is told to."""

    def __init__(self) -> None:
        self.asked: SimpleQueue[tuple[str, str]] = SimpleQueue()
        self.failing = False
        self.failed: SimpleQueue[str] = SimpleQueue()

    def sync(self) -> None:
        self._do("sync")

    def secure(self) -> None:
        self._do("secure")

    def _do(self, what: str) -> None:
        is_failing = self.failing
        self.asked.put((what, threading.current_thread().name))
        if is_failing:
            raise WriteFailed(Path("out.csv"), f"no {what}")

    def wait(self) -> tuple[str, str]:
        """For the next one: what was asked, and the thread's name."""
        return self.asked.get(timeout=LIMIT)

    def syncer(self, interval: float | None) -> Syncer:
        return Syncer(self.sync, self.secure, interval, lambda error: self.failed.put(str(error)))


HERE = threading.current_thread().name


@pytest.fixture
def disk() -> Disk:
    return Disk()


def _until(condition: Callable[[], bool]) -> None:
    for _ in range(LIMIT * 1000):
        if condition():
            return
        threading.Event().wait(0.001)
    raise AssertionError("it did not come")


def _is_well(syncer: Syncer) -> bool:
    try:
        syncer.check()
    except WriteFailed:
        return False
    return True


def test_none_never_syncs(disk: Disk) -> None:
    syncer = disk.syncer(None)
    for _ in range(3):
        syncer.written()
    syncer.finish()
    syncer.close()
    assert disk.asked.empty()


def test_zero_leaves_each_batch_to_the_output_and_syncs_at_the_end(disk: Disk) -> None:
    syncer = disk.syncer(0)
    for _ in range(3):
        syncer.written()
    assert disk.asked.empty()
    syncer.finish()
    assert disk.wait() == ("sync", HERE)
    syncer.close()
    assert disk.asked.empty()


def test_an_interval_syncs_in_a_thread_after_each_write(disk: Disk) -> None:
    syncer = disk.syncer(0.001)
    for _ in range(3):
        syncer.written()
        assert disk.wait() == ("sync", "sync")
    syncer.finish()
    assert disk.wait() == ("sync", HERE)
    syncer.close()
    assert disk.asked.empty()


def test_writes_within_an_interval_are_synced_together_and_at_the_end(disk: Disk) -> None:
    syncer = disk.syncer(3600)
    for _ in range(100):
        syncer.written()
    assert disk.asked.empty()
    syncer.finish()
    assert disk.wait() == ("sync", HERE)
    assert disk.asked.empty()


def test_a_write_while_a_sync_is_under_way_is_synced_after_it() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: SimpleQueue[int] = SimpleQueue()

    def sync() -> None:
        begun.set()
        assert go_on.wait(LIMIT) is True
        done.put(1)

    syncer = Syncer(sync, lambda: None, 0.001, lambda _: None)
    syncer.written()
    assert begun.wait(LIMIT) is True
    syncer.written()
    assert done.empty()
    go_on.set()
    assert [done.get(timeout=LIMIT) for _ in range(2)] == [1, 1]
    syncer.finish()
    assert (done.get(timeout=LIMIT), done.empty()) == (1, True)


def test_after_a_sync_that_failed_only_securing_helps(disk: Disk) -> None:
    syncer = disk.syncer(0.001)
    syncer.check()
    disk.failing = True
    syncer.written()
    assert disk.wait() == ("sync", "sync")
    assert disk.failed.get(timeout=LIMIT) == "out.csv: no sync; every row received is written"
    for _ in range(2):
        assert disk.wait() == ("secure", "sync")
        with pytest.raises(WriteFailed, match="no s"):
            syncer.check()
    disk.failing = False
    _until(lambda: _is_well(syncer))
    while not disk.asked.empty():
        assert disk.wait() == ("secure", "sync")
    syncer.written()
    assert disk.wait() == ("sync", "sync")
    syncer.close()
    assert disk.failed.empty()


@pytest.mark.parametrize("interval", [0, 3600])
def test_at_the_end_it_is_secured_until_that_succeeds(disk: Disk, interval: float) -> None:
    syncer = disk.syncer(interval)
    syncer.written()
    disk.failing = True
    for what in ("sync", "secure", "secure"):
        with pytest.raises(WriteFailed, match=f"no {what}"):
            syncer.finish()
        assert disk.wait() == (what, HERE)
    disk.failing = False
    syncer.finish()
    assert disk.wait() == ("secure", HERE)
    syncer.finish()
    assert disk.wait() == ("sync", HERE)


def test_what_failed_in_the_thread_is_secured_at_the_end(disk: Disk) -> None:
    syncer = disk.syncer(0.001)
    disk.failing = True
    syncer.written()
    assert disk.wait() == ("sync", "sync")
    disk.failed.get(timeout=LIMIT)
    with pytest.raises(WriteFailed, match="no secure"):
        syncer.finish()
    disk.failing = False
    syncer.finish()
    seen = []
    while not disk.asked.empty():
        seen.append(disk.wait())
    assert {what for what, _ in seen} == {"secure"}
    assert seen[-2:] == [("secure", HERE)] * 2


@pytest.mark.parametrize("interval", [None, 0, 0.001, 3600])
def test_the_thread_ends_with_it(interval: float | None, disk: Disk) -> None:
    before = threading.active_count()
    syncer = disk.syncer(interval)
    assert threading.active_count() == before + bool(interval)
    syncer.close()
    assert threading.active_count() == before
