"""File systems of our own, which fill up, stop, or turn read-only; not everybody may have them."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

__all__ = ["Ext4", "ext4", "small_disk"]

MIB = 2**20
OPTIONS = "loop,errors=remount-ro"


def _run(*command: object) -> bool:
    """Whether the command is there, and works."""
    try:
        ended = subprocess.run(list(map(str, command)), capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return ended.returncode == 0


@contextlib.contextmanager
def small_disk(path: Path, size: int) -> Iterator[Path]:
    """A file system in memory of ``size`` bytes."""
    path.mkdir()
    if not _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", path):
        pytest.skip("needs the right to mount a file system (root, and CAP_SYS_ADMIN)")
    try:
        yield path
    finally:
        subprocess.run(["umount", str(path)], check=True)


class Ext4:
    """A disk of ext4, which can be stopped, and can find itself damaged."""

    def __init__(self, path: Path) -> None:
        self.path = path
        found = subprocess.check_output(["findmnt", "-no", "SOURCE", str(path)], text=True)
        device = os.path.basename(found.strip())
        self.trigger = Path(f"/sys/fs/ext4/{device}/trigger_fs_error")
        """Whatever is written there, the disk takes itself for damaged, and turns read-only."""
        self._is_frozen = False

    def freeze(self) -> None:
        """From now on no write to it returns."""
        subprocess.run(["fsfreeze", "-f", str(self.path)], check=True)
        self._is_frozen = True

    def thaw(self) -> None:
        """From now on they do."""
        if self._is_frozen:
            subprocess.run(["fsfreeze", "-u", str(self.path)], check=True)
        self._is_frozen = False

    def turn_read_only(self) -> None:
        """As it does when it has found itself damaged."""
        self.trigger.write_text("for a test")


@contextlib.contextmanager
def ext4(path: Path) -> Iterator[Ext4]:
    """A disk of 64 MiB."""
    path.mkdir()
    image = path.with_name(path.name + ".image")
    with image.open("wb") as file:
        file.truncate(64 * MIB)
    made = _run("mkfs.ext4", "-q", image)
    if not (made and _run("mount", "-o", OPTIONS, image, path)):
        pytest.skip("needs mkfs.ext4, loop devices, and the right to mount them")
    disk = Ext4(path)
    try:
        yield disk
    finally:
        disk.thaw()
        subprocess.run(["umount", str(path)], check=True)
