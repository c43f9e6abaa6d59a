"""Disks that give trouble: full ones, as near as a test can have one without being root, by a limit
for the size of a file; and, for root, small ones and ones that have become read-only.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["largest_file", "read_only", "small_disk"]


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow past ``size`` bytes; a write that would gets EFBIG instead of a signal."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)


@contextmanager
def read_only(directory: Path) -> Iterator[None]:
    """The directory can only be read, by root as well; what is open in it stays open."""
    _mount("--bind", str(directory), str(directory))
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(directory)], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


@contextmanager
def small_disk(directory: Path, size: str) -> Iterator[Path]:
    """A file system of this size is in the directory, which is made."""
    directory.mkdir()
    _mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(directory))
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def _mount(*arguments: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a file system")
    done = subprocess.run(["mount", *arguments], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"needs a machine where one may mount: {done.stderr.decode().strip()}")
