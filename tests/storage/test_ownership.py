"""Real files of other users, and links: in directories where anybody may put them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest.storage.ownership import (
    NotOurs,
    check_output_file,
    check_own_directory,
    check_own_file,
    make_own_directory,
    open_output,
    open_own,
    own_files,
    remove_files,
    remove_if_empty,
    remove_own,
)

STRANGER = 12345
"""A user that nobody is."""
THEIRS = f"belongs to user {STRANGER}, and is not used; start as that user, or move it away"
WRITE = os.O_RDWR | os.O_CREAT | os.O_TRUNC

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "o"


@pytest.fixture
def treasure(tmp_path: Path) -> Iterator[Path]:
    """A file of ours, which must be as it was in the end."""
    path = tmp_path / "treasure"
    path.write_text("gold")
    yield path
    assert path.read_text() == "gold"


def give_away(path: Path) -> None:
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def is_refused(path: Path, problem: str, *, alone: bool = False) -> None:
    """However it is opened."""
    for flags in (os.O_RDONLY, os.O_RDWR, WRITE, os.O_WRONLY | os.O_APPEND):
        with pytest.raises(NotOurs, match=problem) as refused:
            open_own(path, flags, alone=alone)
        assert (refused.value.path, refused.value.filename) == (path, str(path))
    with pytest.raises(NotOurs, match=problem):
        check_own_file(path, alone=alone)


# A file


def test_a_file_is_made_and_opened_again(path: Path) -> None:
    check_own_file(path)
    with pytest.raises(FileNotFoundError):
        open_own(path, os.O_RDWR)
    descriptor = open_own(path, os.O_RDWR | os.O_CREAT, 0o640, alone=True)
    os.write(descriptor, b"x")
    assert not os.get_inheritable(descriptor)
    os.close(descriptor)
    assert path.stat().st_mode & 0o777 == 0o640
    check_own_file(path, alone=True)
    descriptor = open_own(path, os.O_RDONLY, alone=True)
    assert os.read(descriptor, 10) == b"x"
    os.close(descriptor)
    os.close(open_own(path, WRITE))
    assert path.read_bytes() == b""
    remove_own(path)
    assert not path.exists()
    remove_own(path)


def test_a_link_is_not_followed(path: Path, treasure: Path) -> None:
    path.symlink_to(treasure)
    is_refused(path, "is a link, and may lead anywhere; move it away")
    remove_own(path)
    assert path.is_symlink()


def test_a_link_that_leads_nowhere_makes_nothing(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "nowhere")
    is_refused(path, "is a link")
    assert not (tmp_path / "nowhere").exists()


def test_another_name_of_a_file_is_not_written_over(path: Path, treasure: Path) -> None:
    path.hardlink_to(treasure)
    for flags in (os.O_RDONLY, os.O_RDWR | os.O_CREAT):
        with pytest.raises(NotOurs, match="has another name as well"):
            open_own(path, flags, alone=True)
    with pytest.raises(NotOurs, match="has another name as well"):
        check_own_file(path, alone=True)
    os.close(open_own(path, os.O_RDWR))


def test_a_pipe_is_refused_and_not_waited_for(path: Path) -> None:
    os.mkfifo(path)
    is_refused(path, "is not a regular file; move it away")


def test_a_directory_is_an_error_of_the_system(path: Path) -> None:
    path.mkdir()
    for flags in (os.O_RDONLY, os.O_RDWR):
        with pytest.raises(IsADirectoryError):
            open_own(path, flags)
    with pytest.raises(IsADirectoryError):
        check_own_file(path)


@as_root
def test_somebody_elses_file_is_refused_even_to_root(path: Path) -> None:
    path.write_text("theirs")
    give_away(path)
    is_refused(path, THEIRS)
    remove_own(path)
    assert path.read_text() == "theirs"


def test_where_all_files_are_one_users_they_are_ours(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a share that is mounted so: what we make has an owner that we are not."""
    path.touch()
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    os.close(open_own(path, os.O_RDWR))
    check_own_directory(path.parent)
    assert own_files(path.parent) == [path]
    assert [each.name for each in path.parent.iterdir()] == ["o"]
    if os.getuid() == 0:
        monkeypatch.undo()
        os.chown(path, STRANGER + 1, 0)
        monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
        with pytest.raises(NotOurs, match=f"belongs to user {STRANGER + 1}"):
            open_own(path, os.O_RDWR)


# A directory


def test_a_directory_is_made_for_us_alone(path: Path) -> None:
    check_own_directory(path)
    before = os.umask(0)
    try:
        make_own_directory(path)
        make_own_directory(path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o700
    with pytest.raises(FileNotFoundError):
        make_own_directory(path / "a" / "b")
    make_own_directory(path / "a" / "b", parents=True)
    assert (path / "a" / "b").is_dir()


@pytest.mark.parametrize("what", ["file", "link", "dangling link", "somebody's"])
def test_what_is_no_directory_of_ours_is_left_alone(what: str, path: Path, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").touch()
    if what == "file":
        path.touch()
    elif what == "link":
        path.symlink_to(tmp_path / "home")
    elif what == "dangling link":
        path.symlink_to(tmp_path / "nowhere")
    elif os.geteuid() == 0:
        path.mkdir()
        (path / "letter").touch()
        give_away(path)
    else:
        pytest.skip("only root may give a directory away")
    before = sorted(tmp_path.rglob("*"))
    for make in (make_own_directory, check_own_directory):
        with pytest.raises(NotOurs) as refused:
            make(path)
        assert refused.value.path == path
    assert own_files(path) == []
    remove_files(path, lambda _: True)
    remove_if_empty(path)
    if what == "somebody's":
        (path / "letter").unlink()
        remove_if_empty(path)
        assert path.is_dir()
    else:
        assert sorted(tmp_path.rglob("*")) == before


@as_root
def test_a_parent_that_somebody_makes_first_is_not_used(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come between the look and the making."""
    make = Path.mkdir

    def late(self: Path, mode: int = 0o777) -> None:
        if self == path:
            make(self)
            give_away(self)
        make(self, mode)

    monkeypatch.setattr(Path, "mkdir", late)
    with pytest.raises(NotOurs, match=THEIRS) as refused:
        make_own_directory(path / "spill", parents=True)
    assert refused.value.path == path
    assert list(path.iterdir()) == []


def test_files_in_it_are_found_and_removed_by_name(path: Path, treasure: Path) -> None:
    make_own_directory(path)
    for name in ("a", "b", "c"):
        (path / name).touch()
    (path / "d").symlink_to(treasure)
    (path / "e").mkdir()
    assert sorted(own_files(path)) == [path / "a", path / "b", path / "c"]
    remove_files(path, lambda name: name != "b")
    remove_if_empty(path)
    assert sorted(each.name for each in path.iterdir()) == ["b", "d", "e"]
    for name in ("b", "d"):
        (path / name).unlink()
    (path / "e").rmdir()
    remove_if_empty(path)
    assert not path.exists()
    assert own_files(path) == []
    remove_if_empty(path)


# The output


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Path]:
    """A directory like /tmp."""
    path = tmp_path / "public"
    path.mkdir()
    path.chmod(0o1777)
    yield path
    path.chmod(0o700)


def is_opened(path: Path) -> None:
    check_output_file(path)
    os.close(open_output(path, os.O_RDWR | os.O_CREAT))


def test_the_output_may_be_a_link_of_ours(public: Path, tmp_path: Path) -> None:
    for directory in (tmp_path, public):
        out = directory / "out.csv"
        is_opened(out)
        out.unlink()
        out.symlink_to(tmp_path / "day1.csv")
        is_opened(out)
        is_opened(out)
        assert (tmp_path / "day1.csv").exists()
        (tmp_path / "day1.csv").unlink()


@as_root
def test_the_output_may_be_somebodys_where_not_anybody_could_have_put_it(tmp_path: Path) -> None:
    out, link = tmp_path / "out.csv", tmp_path / "link.csv"
    out.touch()
    link.symlink_to(out)
    give_away(out)
    give_away(link)
    is_opened(out)
    is_opened(link)


@as_root
@pytest.mark.parametrize("what", ["file", "link", "where our link leads"])
def test_an_output_that_anybody_could_have_put_there_is_refused(
    what: str, public: Path, tmp_path: Path, treasure: Path
) -> None:
    out = public / "out.csv"
    theirs = out
    if what == "link":
        out.symlink_to(treasure)
    else:
        out.touch()
    give_away(out)
    if what == "where our link leads":
        theirs, out = out, tmp_path / "out.csv"
        out.symlink_to(theirs)
    with pytest.raises(NotOurs, match=THEIRS) as refused:
        check_output_file(out)
    assert refused.value.path == theirs
    with pytest.raises(PermissionError):  # from the system, where it is careful itself
        open_output(out, os.O_RDWR | os.O_CREAT)


@as_root
def test_what_the_directorys_owner_has_put_there_is_used(public: Path) -> None:
    give_away(public)
    out = public / "out.csv"
    out.touch()
    give_away(out)
    check_output_file(out)


def test_an_output_that_leads_to_itself_is_an_error(path: Path) -> None:
    path.symlink_to(path)
    check_output_file(path)
    with pytest.raises(OSError, match="symbolic links"):
        open_output(path, os.O_RDWR | os.O_CREAT)
