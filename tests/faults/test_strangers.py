"""Runs in a directory where anybody may make files, and somebody has: as in /tmp.

Nothing of ours may be changed through what they have put there, and the run that is refused says
by name what is in its way.
"""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastingest import Options, OutputRefused, ingest
from fastingest.spool.directories import SpoolDirectories
from fastingest.spool.segment import file_name
from fastingest.storage.journal import Journal, journal_path
from fastingest.storage.names import beside
from tests.end_to_end.command import Command, is_running, wait_until
from tests.faults.run import feed, kill, running

STRANGER = 12345
"""A user that nobody is."""
URL = "demo://?rows=10"
ARGUMENTS = ("--url", URL, "--max-rows", "10")


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """An output in a directory like /tmp."""
    public = tmp_path / "public"
    public.mkdir()
    public.chmod(0o1777)
    out = public / "out.csv"
    yield out
    shutil.rmtree(SpoolDirectories.of(out).spool, ignore_errors=True)
    public.chmod(0o700)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A directory of ours, which must be as it was in the end."""
    path = tmp_path / "home"
    (path / "letters").mkdir(parents=True)
    names = ["letters/one", "treasure", file_name(5, 5), "5.counters", "5-5.part"]
    for name in names:
        (path / name).write_text("gold")
    yield path
    assert sorted(str(each.relative_to(path)) for each in path.rglob("*") if each.is_file()) == (
        sorted(names)
    )
    assert {each.read_text() for each in path.rglob("*") if each.is_file()} == {"gold"}


def give_away(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root, to give a file to somebody else")
    os.chown(path, STRANGER, STRANGER, follow_symlinks=False)


def refused(out: Path) -> str:
    """What a run says that must not begin; nothing in the output's directory is changed by it."""
    before = {path: path.lstat() for path in out.parent.iterdir()}
    with pytest.raises(OutputRefused) as error:
        ingest(Options(url=URL, out=out, max_rows=10))
    after = {path: path.lstat() for path in out.parent.iterdir()}
    assert after.keys() == before.keys()
    for path, status in after.items():
        assert (status.st_ino, status.st_mtime_ns) == (
            before[path].st_ino,
            before[path].st_mtime_ns,
        )
    return str(error.value)


def works(out: Path) -> None:
    """A run does, when what was in its way is gone."""
    assert ingest(Options(url=URL, out=out, max_rows=10)).ledger.written == 10
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.csv", "out.csv.ledger.jsonl"]


@pytest.mark.parametrize("which", ["spill", "spool"])
def test_a_journal_of_somebody_deletes_nothing(which: str, out: Path, home: Path) -> None:
    journal = Journal(journal_path(out))
    journal.note(SpoolDirectories.of(out).to_notes() | {which: str(home)})
    journal.close()
    give_away(journal_path(out))
    said = refused(out)
    assert said.startswith(f"{journal_path(out)}: belongs to user {STRANGER}, and is not used; ")
    journal_path(out).unlink()
    works(out)


@pytest.mark.parametrize("which", ["spill", "spool"])
def test_a_journal_that_names_what_is_no_directory_of_the_output_deletes_nothing(
    which: str, out: Path, home: Path
) -> None:
    """Whoever may have made it."""
    journal = Journal(journal_path(out))
    journal.note(SpoolDirectories.of(out).to_notes() | {which: str(home)})
    journal.close()
    said = refused(out)
    assert said == (
        f"{journal_path(out)}: names {home}, which is no directory of this output; move it away"
    )


@pytest.mark.parametrize(
    "suffix", [".lock", ".journal", ".ledger.jsonl", ".rejected.jsonl", ".spill", ".spool"]
)
@pytest.mark.parametrize("whose", ["a link", "somebody's"])
def test_what_has_a_name_of_ours_is_refused_by_name(
    suffix: str, whose: str, out: Path, home: Path
) -> None:
    path = beside(out, suffix)
    is_directory = suffix in (".spill", ".spool")
    if whose == "a link":
        path.symlink_to(home if is_directory else home / "treasure")
        problem = "is a link, and may lead anywhere; move it away"
    else:
        path.mkdir() if is_directory else path.touch()
        give_away(path)
        problem = (
            f"belongs to user {STRANGER}, and is not used; start as that user, or move it away"
        )
    assert refused(out) == f"{path}: {problem}"


def test_a_link_of_somebody_that_has_the_outputs_name_is_refused(out: Path, home: Path) -> None:
    out.symlink_to(home / "treasure")
    give_away(out)
    said = refused(out)
    assert said.startswith(f"{out}: belongs to user {STRANGER}")
    with Command(*ARGUMENTS, "--out", out) as command:  # as all that is refused here
        assert command.wait() == 2, command.events
        (error,) = [each for each in command.events if "error" in each]
    assert (error["error"], error["event"]) == ("OutputRefused", said)
    out.unlink()
    works(out)


def test_a_spool_in_memory_that_somebody_has_made_is_not_used_and_that_is_said(
    out: Path, home: Path
) -> None:
    spool = SpoolDirectories.of(out).spool
    spool.symlink_to(home)
    try:
        with Command(*ARGUMENTS, "--out", out) as command:
            said = command.wait_for("the spool is on disk and not in memory")
            assert command.summary()["written"] == 10
        assert said["level"] == "warning"
        assert said["path"] == f"{out}.spool"
        assert said["problem"] == f"{spool}: is a link, and may lead anywhere; move it away"
        assert spool.is_symlink()
    finally:
        spool.unlink()
    assert sorted(path.name for path in out.parent.iterdir()) == ["out.csv", "out.csv.ledger.jsonl"]


def test_a_spill_that_somebody_makes_during_a_run_is_not_used(out: Path, home: Path) -> None:
    """The rows stay in memory; they are written when the writer goes on."""
    spill = SpoolDirectories.of(out).spill
    with feed("--rate", 100_000) as server:
        with running(out, server, "--memory-limit", "1MiB", "--min-free", "0") as command:
            command.wait_for("connected")
            wait_until(lambda: out.exists() and out.stat().st_size > 0)
            spill.symlink_to(home)
            os.kill(command.child("writer"), signal.SIGSTOP)
            said = command.wait_for("the spill cannot be written")
            os.kill(command.child("writer"), signal.SIGCONT)
            summary = command.stop()
        server.stop()
    assert said["problem"] == "is a link, and may lead anywhere; move it away"
    assert summary["written"] == summary["received"] > 0
    assert spill.is_symlink()


def test_who_is_named_as_writing_the_file_is_alive(out: Path) -> None:
    """The supervisor is dead, and its children have not noticed yet: they stand still."""
    with feed("--rate", 1_000) as server:
        with running(out, server) as command:
            command.wait_for("connected")
            children = command.children()
            for pid in children:
                os.kill(pid, signal.SIGSTOP)
            kill([command.pid])
            try:
                with running(out, server) as second:
                    assert second.wait() == 2
                    (error,) = [each for each in second.events if "error" in each]
                assert error["error"] == "OutputLocked"
                named = int(error["event"].partition(": process ")[2].partition(" ")[0])
                assert named in children
                assert is_running(named)
            finally:
                kill(children)
        server.stop()
