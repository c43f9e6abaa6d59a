"""Whose a file is: what lies on the disk is used only if it is ours.

An output may be in a directory where anybody can make files, as ``/tmp`` is, and its names are easy
to guess. So somebody else may have put a journal there that names directories to be emptied, or a
link that leads to a file of ours to be cut off. What is beside an output is therefore opened
without following a link, and looked at once it is open: a regular file, whose owner is the user
that we are. A directory is looked at after it was made, since another one may have come first.

The output itself may be a link, which rotation needs, and somebody else's, whom its readers may
share it with; but not where anybody could have put it: there the same holds as what Linux calls
``protected_regular`` and ``protected_symlinks``, which not every system has switched on.

Where all files belong to one user, whoever makes them (a network share that is mounted so), nothing
can be told from it, and all are ours.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path

from fastingest.errors import OutputRefused

__all__ = [
    "NotOurs",
    "check_output_file",
    "check_own_directory",
    "check_own_file",
    "check_writable",
    "make_own_directory",
    "open_output",
    "open_own",
    "own_files",
    "refused",
    "remove_files",
    "remove_if_empty",
    "remove_own",
]

READ_ONLY = "its file system is mounted read-only"
"""Why a file cannot be written there."""

_LINK = "is a link, and may lead anywhere; move it away"


class NotOurs(PermissionError):
    """Something else has the place of a file or a directory of ours."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(errno.EPERM, problem, str(path))
        self.path = path
        self.problem = problem


def refused(path: Path, error: OSError) -> OutputRefused:
    """What to raise where ``error`` came of an output, or of a file beside it."""
    if isinstance(error, NotOurs):
        return OutputRefused(error.path, error.problem)
    if error.errno == errno.EROFS:
        return OutputRefused(path, f"cannot be written: {READ_ONLY}")
    return OutputRefused(path, f"cannot be written: {error.strerror}")


def check_writable(path: Path) -> None:
    """See that a file, or a directory, may be written by us.

    :raises OSError: it may not; a file system that is mounted read-only is told as such.
    """
    if not os.access(path, os.W_OK):
        is_read_only = os.statvfs(path).f_flag & os.ST_RDONLY
        number = errno.EROFS if is_read_only else errno.EACCES
        raise OSError(number, READ_ONLY if is_read_only else os.strerror(number), str(path))


def _check_owner(path: Path, status: os.stat_result) -> None:
    user = status.st_uid
    if user != os.geteuid() and user != _user_of_new_files(path.parent):
        raise NotOurs(
            path, f"belongs to user {user}, and is not used; start as that user, or move it away"
        )


def _user_of_new_files(directory: Path) -> int:
    """Whose the files are that we make there."""
    name = directory / f".fastingest-{secrets.token_hex(8)}"
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return os.geteuid()
    try:
        return os.fstat(descriptor).st_uid
    finally:
        os.close(descriptor)
        name.unlink(missing_ok=True)


def _check_file(path: Path, status: os.stat_result, *, alone: bool) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise NotOurs(path, _LINK)
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(status.st_mode):
        raise NotOurs(path, "is not a regular file; move it away")
    _check_owner(path, status)
    if alone and status.st_nlink > 1:
        problem = "has another name as well (a hard link), and would be written over"
        raise NotOurs(path, f"{problem}; move it away")


def check_own_file(path: Path, *, alone: bool = False) -> None:
    """See that a file is ours, if it is there.

    :param alone: it must have no other name.
    :raises NotOurs: it is not.
    :raises OSError: it is a directory, or cannot be looked at.
    """
    with contextlib.suppress(FileNotFoundError):
        _check_file(path, path.lstat(), alone=alone)


def open_own(path: Path, flags: int, mode: int = 0o644, *, alone: bool = False) -> int:
    """Open a file of ours, as :func:`os.open` does; the descriptor.

    :param alone: it must have no other name: it is going to be written over.
    :raises NotOurs: what is there is not ours, or no regular file.
    :raises OSError: it cannot be opened.
    """
    how = (flags | os.O_NOFOLLOW | os.O_CLOEXEC) & ~os.O_TRUNC
    if not flags & os.O_RDWR:
        how |= os.O_NONBLOCK  # a named pipe would wait for its other end
    try:
        descriptor = os.open(path, how, mode)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EACCES, errno.EPERM):
            check_own_file(path, alone=alone)  # which says more
        raise
    try:
        _check_file(path, os.fstat(descriptor), alone=alone)
        if flags & os.O_TRUNC:  # not before it is known whose it is
            os.ftruncate(descriptor, 0)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def remove_own(path: Path) -> None:
    """Delete a file, if it is there and ours, and can be deleted."""
    with contextlib.suppress(OSError):
        check_own_file(path)
        path.unlink()


# Directories


def check_own_directory(path: Path) -> None:
    """See that a directory is ours, if it is there.

    :raises NotOurs: it is not, or is something else.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(status.st_mode):
        raise NotOurs(path, _LINK)
    if not stat.S_ISDIR(status.st_mode):
        raise NotOurs(path, "is not a directory; move it away")
    _check_owner(path, status)


def make_own_directory(path: Path, *, parents: bool = False) -> None:
    """Make a directory for us alone, where it is not there yet.

    :param parents: make what it is in as well.
    :raises NotOurs: somebody else has made one of them first.
    :raises OSError: it cannot be made.
    """
    if parents:
        _make_parents(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700)
    check_own_directory(path)


def _make_parents(path: Path) -> None:
    if not path.exists():
        _make_parents(path.parent)
        with contextlib.suppress(FileExistsError):
            path.mkdir()
        check_own_directory(path)


def _open_own_directory(path: Path) -> int | None:
    """The directory, open; None where there is none of ours."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EMLINK):
            return None
        raise
    try:
        _check_owner(path, os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def own_files(directory: Path) -> list[Path]:
    """The regular files of ours in a directory of ours, in no order; none where it is not.

    :raises OSError: it cannot be read.
    """
    descriptor = _open_own_directory(directory)
    if descriptor is None:
        return []
    try:
        return [directory / name for name in _names_in(descriptor)]
    finally:
        os.close(descriptor)


def _names_in(directory: int) -> list[str]:
    owner = os.fstat(directory).st_uid
    names = []
    with os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):  # it has just gone
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode) and status.st_uid == owner:
                    names.append(entry.name)
    return names


def remove_files(directory: Path, wanted: Callable[[str], bool]) -> None:
    """Delete files of ours from a directory of ours, as far as they can be deleted.

    :param wanted: says of a file's name whether it is to be deleted.
    """
    with contextlib.suppress(OSError):
        descriptor = _open_own_directory(directory)
        if descriptor is None:
            return
        try:
            for name in filter(wanted, _names_in(descriptor)):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=descriptor)
        finally:
            os.close(descriptor)


def remove_if_empty(directory: Path) -> None:
    """Remove a directory of ours, where nothing is in it."""
    with contextlib.suppress(OSError):
        check_own_directory(directory)
        directory.rmdir()


# The output


def _check_output(path: Path, status: os.stat_result) -> None:
    directory = os.stat(path.parent)
    anybody = bool(directory.st_mode & stat.S_IWOTH)
    if anybody and status.st_uid != directory.st_uid:
        _check_owner(path, status)


def check_output_file(path: Path) -> None:
    """See that the output, if it is there, is nothing that anybody could have put there.

    :raises NotOurs: it is.
    :raises OSError: it cannot be looked at.
    """
    for each in (path, Path(os.path.realpath(path))):  # the link, and where it leads
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            _check_output(each, each.lstat())


def open_output(path: Path, flags: int, mode: int = 0o666) -> int:
    """Open the output, which may be a link, as :func:`os.open` does; the descriptor.

    :raises NotOurs: anybody could have put there what is there.
    :raises OSError: it cannot be opened.
    """
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    except OSError:
        if not path.is_symlink():
            raise
        check_output_file(path)  # which nobody but its owner can exchange after that
        descriptor = os.open(path, flags | os.O_CLOEXEC, mode)
    try:
        _check_output(Path(os.path.realpath(path)), os.fstat(descriptor))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
