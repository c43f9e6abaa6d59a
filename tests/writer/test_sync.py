"""The thread that syncs, waited for and never slept for."""

from __future__ import annotations

import errno
import threading
from queue import SimpleQueue

import pytest

from fastingest.writer.sync import Syncer

LIMIT = 30


class Disk:
    """What a syncer syncs: says when, and fails when it is told to."""

    def __init__(self) -> None:
        self.synced: SimpleQueue[str] = SimpleQueue()
        self.count = 0
        self.error: OSError | None = None

    def sync(self) -> None:
        self.count += 1
        error, self.error = self.error, None
        self.synced.put(threading.current_thread().name)
        if error is not None:
            raise error

    def wait(self) -> str:
        """For the next sync; the thread's name."""
        return self.synced.get(timeout=LIMIT)


@pytest.fixture
def disk() -> Disk:
    return Disk()


def test_none_never_syncs(disk: Disk) -> None:
    syncer = Syncer(disk.sync, None)
    for _ in range(3):
        syncer.written()
    syncer.close()
    assert disk.count == 0


def test_zero_syncs_each_time_in_the_same_thread(disk: Disk) -> None:
    syncer = Syncer(disk.sync, 0)
    for count in (1, 2, 3):
        syncer.written()
        assert disk.count == count
        assert disk.wait() == threading.current_thread().name
    syncer.close()
    assert disk.count == 4


def test_zero_hands_on_an_error_at_once(disk: Disk) -> None:
    syncer = Syncer(disk.sync, 0)
    disk.error = OSError(errno.EIO, "x")
    with pytest.raises(OSError, match="x"):
        syncer.written()
    syncer.written()
    disk.error = OSError(errno.EIO, "y")
    with pytest.raises(OSError, match="y"):
        syncer.close()
    assert disk.count == 3


def test_an_interval_syncs_in_a_thread_after_each_write(disk: Disk) -> None:
    syncer = Syncer(disk.sync, 0.001)
    for _ in range(3):
        syncer.written()
        assert disk.wait() == "sync"
    syncer.close()
    assert disk.wait() == threading.current_thread().name
    assert disk.synced.empty()


def test_writes_within_an_interval_are_synced_together_and_at_the_end(disk: Disk) -> None:
    syncer = Syncer(disk.sync, 3600)
    for _ in range(100):
        syncer.written()
    assert disk.count == 0
    syncer.close()
    assert disk.count == 1


def test_a_write_while_a_sync_is_under_way_is_synced_after_it() -> None:
    begun, go_on = threading.Event(), threading.Event()
    done: SimpleQueue[int] = SimpleQueue()

    def sync() -> None:
        begun.set()
        assert go_on.wait(LIMIT) is True
        done.put(1)

    syncer = Syncer(sync, 0.001)
    syncer.written()
    assert begun.wait(LIMIT) is True
    syncer.written()
    assert done.empty()
    go_on.set()
    assert [done.get(timeout=LIMIT) for _ in range(2)] == [1, 1]
    syncer.close()
    assert (done.get(timeout=LIMIT), done.empty()) == (1, True)


def _failed(syncer: Syncer) -> OSError:
    """What a write says, as soon as the thread has failed."""
    for _ in range(100_000):
        try:
            syncer.written()
        except OSError as error:
            return error
        threading.Event().wait(0.001)
    raise AssertionError("no error came")


def test_an_error_in_the_thread_comes_with_the_next_write_once(disk: Disk) -> None:
    syncer = Syncer(disk.sync, 0.001)
    disk.error = OSError(errno.ENOSPC, "whatever")
    syncer.written()
    error = _failed(syncer)
    assert (error.errno, error.strerror) == (errno.ENOSPC, "No space left on device")
    syncer.written()
    syncer.close()


def test_a_write_that_is_told_of_an_error_is_synced_all_the_same(disk: Disk) -> None:
    syncer = Syncer(disk.sync, 0.001)
    disk.error = OSError(errno.EIO, "whatever")
    syncer.written()
    assert disk.wait() == "sync"
    _failed(syncer)
    assert disk.wait() == "sync"
    syncer.close()


def test_an_error_that_nobody_was_told_of_comes_at_the_end(disk: Disk) -> None:
    """The sync at the end may well succeed: the system has forgotten what it could not write."""
    syncer = Syncer(disk.sync, 0.001)
    disk.error = OSError(errno.EIO, "whatever")
    syncer.written()
    assert disk.wait() == "sync"
    with pytest.raises(OSError, match="Input/output error"):
        syncer.close()
    assert disk.count == 2


@pytest.mark.parametrize("interval", [None, 0, 0.001, 3600])
def test_the_thread_ends_with_it(interval: float | None, disk: Disk) -> None:
    before = threading.active_count()
    syncer = Syncer(disk.sync, interval)
    assert threading.active_count() == before + bool(interval)
    syncer.close()
    assert threading.active_count() == before
