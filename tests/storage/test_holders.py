"""Real processes that have a lock file open, or have had."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest.storage import holders
from fastingest.storage.holders import add_holder, holder_of, is_alive, taker_of

_WAIT = "import sys; sys.stdin.read()"


@pytest.fixture
def lock(tmp_path: Path) -> Iterator[int]:
    """The file, open for appending."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
    descriptor = os.open(tmp_path / "o.lock", flags)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def seen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bool:
    """Whether the system shows what processes have open; where it does not, there is no /proc."""
    if not request.param:
        monkeypatch.setattr(holders, "_PROCESSES", tmp_path / "nowhere")
    elif not Path("/proc/self/fd").exists():
        pytest.skip("needs Linux, which shows what processes have open")
    return bool(request.param)


either = pytest.mark.parametrize("seen", [True, False], ids=["seen", "not seen"], indirect=True)


def process(*descriptors: int) -> subprocess.Popen[bytes]:
    """One that has these open as well."""
    return subprocess.Popen(
        [sys.executable, "-c", _WAIT], stdin=subprocess.PIPE, pass_fds=descriptors
    )


def end(process: subprocess.Popen[bytes]) -> int:
    """Its id, when it is gone."""
    process.communicate()
    return process.pid


def write(lock: int, *pids: int) -> None:
    os.ftruncate(lock, 0)
    os.write(lock, b"".join(b"%d\n" % pid for pid in pids))


def test_each_holder_writes_a_line(lock: int, tmp_path: Path) -> None:
    add_holder(lock)
    add_holder(lock)
    assert (tmp_path / "o.lock").read_text() == f"{os.getpid()}\n" * 2
    assert taker_of(lock) == holder_of(lock) == os.getpid()


def test_a_line_that_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "o.lock").touch()
    descriptor = os.open(tmp_path / "o.lock", os.O_RDONLY)
    add_holder(descriptor)
    os.close(descriptor)
    assert (tmp_path / "o.lock").read_bytes() == b""


@either
def test_a_process_that_is_there_is_named(lock: int, seen: bool) -> None:
    dead = end(process())
    with process(lock) as holder:
        write(lock, dead, holder.pid)
        assert taker_of(lock) == dead
        assert holder_of(lock) == holder.pid
        end(holder)
    assert not is_alive(dead)
    assert holder_of(lock) is None


@either
def test_a_number_that_is_another_processs_by_now_is_not_named(lock: int, seen: bool) -> None:
    with process(lock) as holder, process() as stranger:
        write(lock, stranger.pid, holder.pid)
        assert holder_of(lock) == (holder.pid if seen else stranger.pid)
        end(holder)
        assert holder_of(lock) == (None if seen else stranger.pid)
        end(stranger)


@either
def test_a_holder_that_could_not_write_its_line_is_found(lock: int, seen: bool) -> None:
    with process(lock) as holder:
        assert holder_of(lock) == (holder.pid if seen else None)
        write(lock, end(process()))
        assert holder_of(lock) == (holder.pid if seen else None)
        end(holder)


@pytest.mark.parametrize("text", [b"", b"garbage", b"-1", b"12 x", b"9" * 30])
def test_a_file_that_says_something_else(text: bytes, lock: int) -> None:
    os.write(lock, text)
    assert taker_of(lock) == (int(text) if text.isdigit() else None)
    assert holder_of(lock) is None
