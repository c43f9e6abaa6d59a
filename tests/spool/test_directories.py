"""Real directories. What is made on ``/dev/shm`` is removed again."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fastingest.spool import directories as module
from fastingest.spool.directories import SpoolDirectories
from fastingest.spool.segment import FileName, file_name
from fastingest.storage.names import beside
from fastingest.storage.ownership import NotOurs
from tests.support.privileges import under_file_modes

STRANGER = 12345
"""A user that nobody is."""


@pytest.fixture(params=["system", "test"])
def memory(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file system in memory; and a directory in its stead, as anybody may have one."""
    if request.param == "test":
        (tmp_path / "shm").mkdir()
        monkeypatch.setattr(module, "_MEMORY", tmp_path / "shm")
    elif not os.access("/dev/shm", os.W_OK):
        pytest.skip("needs a /dev/shm that can be written")
    return module._MEMORY


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "o.csv"


@pytest.fixture
def places(memory: Path, out: Path) -> Iterator[SpoolDirectories]:
    places = SpoolDirectories.of(out)
    assert places.spool.parent == memory
    yield places
    shutil.rmtree(places.spool, ignore_errors=True)


def test_the_spool_is_in_memory_and_the_spill_beside_the_output(
    places: SpoolDirectories, out: Path
) -> None:
    assert places.spool.name.removeprefix("fastingest-").isalnum()
    assert len(places.spool.name) == len("fastingest-") + 16
    assert places.spill == out.parent / "o.csv.spill"
    assert not places.spool.exists()  # asking makes nothing
    assert list(out.parent.iterdir()) == []


def test_every_name_of_an_output_has_the_same_places(places: SpoolDirectories, out: Path) -> None:
    (out.parent.parent / "link").symlink_to(out.parent)
    for name in (
        out.parent / ".." / "data" / "o.csv",
        out.parent.parent / "link" / "o.csv",
        Path(os.path.relpath(out)),
    ):
        assert SpoolDirectories.of(name) == places
    out.write_bytes(b"")  # whether there is a file or not
    assert SpoolDirectories.of(out) == places


def test_other_outputs_have_other_places(places: SpoolDirectories, out: Path) -> None:
    names = [out.with_name("o2.csv"), out.parent.parent / "o.csv"]
    found = [places, *map(SpoolDirectories.of, names)]
    assert len({each.spool for each in found}) == 3
    assert len({each.spill for each in found}) == 3
    out.parent.rename(out.parent.parent / "before")
    out.parent.mkdir()
    another = SpoolDirectories.of(out)  # the same path, in another directory
    assert another.spool != places.spool
    assert another.spill == places.spill


def test_the_spool_is_for_its_owner_alone(places: SpoolDirectories) -> None:
    before = os.umask(0)
    try:
        places.make()
    finally:
        os.umask(before)
    assert places.spool.stat().st_mode & 0o777 == 0o700
    (places.spool / "kept").touch()
    places.make()
    assert [each.name for each in places.spool.iterdir()] == ["kept"]


def test_a_spool_of_an_earlier_run_is_used(places: SpoolDirectories, out: Path) -> None:
    places.make()
    assert SpoolDirectories.of(out) == places


# Squatters: anybody may write to /dev/shm


@pytest.mark.parametrize("what", ["file", "link", "dangling link"])
def test_what_is_no_directory_of_ours_is_not_used(
    what: str, places: SpoolDirectories, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    match what:
        case "file":
            places.spool.touch()
        case "link":
            places.spool.symlink_to(tmp_path / "elsewhere")
        case "dangling link":
            places.spool.symlink_to(tmp_path / "nowhere")
    found = SpoolDirectories.of(out)
    assert found == replace(places, spool=out.parent / "o.csv.spool")
    said = "is not a directory" if what == "file" else "is a link, and may lead anywhere"
    assert found.problem == f"{places.spool}: {said}; move it away"
    with pytest.raises(NotOurs, match=said) as refused:
        SpoolDirectories.from_notes(places.to_notes(), out)
    assert refused.value.path == places.spool
    with pytest.raises(NotOurs, match=said):
        places.make()
    found.make()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()
    places.spool.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who may give a directory away")
def test_somebody_elses_directory_is_not_used(places: SpoolDirectories, out: Path) -> None:
    places.spool.mkdir()
    os.chown(places.spool, STRANGER, STRANGER)
    found = SpoolDirectories.of(out)
    assert found.spool == out.parent / "o.csv.spool"
    said = f"belongs to user {STRANGER}, and is not used; start as that user, or move it away"
    assert found.problem == f"{places.spool}: {said}"
    with pytest.raises(NotOurs, match=said):
        SpoolDirectories.from_notes(places.to_notes(), out)
    places.spool.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a directory away")
def test_a_directory_that_somebody_makes_first_is_not_used(
    places: SpoolDirectories, out: Path
) -> None:
    """Between the look and the making: then the one beside the output is."""
    assert places.problem == ""
    places.spool.mkdir()
    os.chown(places.spool, STRANGER, STRANGER)
    made = places.made()
    assert made.spool == out.parent / "o.csv.spool"
    assert made.problem.startswith(f"{places.spool}: belongs to user {STRANGER}")
    os.chown(made.spool, STRANGER, STRANGER)
    with pytest.raises(NotOurs):
        places.made()
    places.spool.rmdir()


def test_without_a_file_system_in_memory_the_spool_is_beside_the_output(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MEMORY", tmp_path / "nowhere")
    found = SpoolDirectories.of(out)
    assert found.spool == found.spare == out.parent / "o.csv.spool"
    assert found.problem == f"there is no {tmp_path / 'nowhere'}"


def test_a_file_system_in_memory_that_cannot_be_written(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shm").mkdir(0o500)
    monkeypatch.setattr(module, "_MEMORY", tmp_path / "shm")
    assert under_file_modes(lambda: SpoolDirectories.of(out)).spool == out.parent / "o.csv.spool"


def test_an_output_in_no_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SpoolDirectories.of(tmp_path / "nowhere" / "o.csv")


def test_a_spool_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        SpoolDirectories(tmp_path / "nowhere" / "spool", tmp_path / "spill").make()


# --spill-dir


def test_a_spill_directory_holds_the_spills_of_several_outputs(
    places: SpoolDirectories, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill_dir = tmp_path / "spills"
    found = SpoolDirectories.of(out, spill_dir)
    other = SpoolDirectories.of(tmp_path / "o.csv", spill_dir)
    assert found.spool == places.spool
    assert found.spill.parent == other.spill.parent == spill_dir
    assert found.spill.name.startswith("o.csv-")
    assert found.spill.name.endswith(".spill")
    assert found.spill != other.spill
    monkeypatch.chdir(tmp_path)
    assert SpoolDirectories.of(Path("data/o.csv"), Path("spills")) == found
    assert not spill_dir.exists()


def test_a_spill_in_a_directory_is_found_though_the_outputs_directory_is_another(
    places: SpoolDirectories, out: Path, tmp_path: Path
) -> None:
    """As after the machine has started again, when the disk has another number."""
    before = SpoolDirectories.of(out, tmp_path)
    out.parent.rename(tmp_path / "before")
    out.parent.mkdir()
    assert SpoolDirectories.of(out, tmp_path).spill == before.spill
    assert SpoolDirectories.of(out, tmp_path).spool != places.spool


# Notes


def test_notes_say_where_both_are(places: SpoolDirectories, out: Path) -> None:
    assert places.to_notes() == {"spool": str(places.spool), "spill": str(places.spill)}
    assert SpoolDirectories.from_notes(places.to_notes(), out) == places
    places.make()
    assert SpoolDirectories.from_notes(places.to_notes(), out) == places
    elsewhere = SpoolDirectories.of(out, out.parent / "spills")
    assert SpoolDirectories.from_notes(elsewhere.to_notes(), out) == elsewhere


@pytest.mark.parametrize("notes", [{}, {"spool": "/x"}, {"spool": "a", "spill": "b", "c": "d"}])
def test_notes_that_say_nothing(notes: dict[str, str], out: Path) -> None:
    assert SpoolDirectories.from_notes(notes, out) is None


@pytest.mark.parametrize(
    "name",
    ["home", "", "o.csv", "o.spill", "oXcsv.spill", "other.csv.spill", "o.csv-1234567.spill"],
)
def test_notes_with_a_name_that_we_do_not_give_are_refused(
    name: str, places: SpoolDirectories, out: Path, tmp_path: Path
) -> None:
    there = tmp_path / name
    for notes in ({"spill": str(there)}, {"spool": str(there)}):
        with pytest.raises(NotOurs, match=f"names {re.escape(str(there))}, which is no") as refused:
            SpoolDirectories.from_notes(places.to_notes() | notes, out)
        assert refused.value.path == out.parent / "o.csv.journal"


def test_a_spill_in_the_notes_that_is_a_link_is_refused(
    places: SpoolDirectories, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "treasure").mkdir()
    spill = tmp_path / "o.csv-0123abcd.spill"
    spill.symlink_to(tmp_path / "treasure")
    with pytest.raises(NotOurs, match="is a link") as refused:
        SpoolDirectories.from_notes(places.to_notes() | {"spill": str(spill)}, out)
    assert refused.value.path == spill


# What is in them


def fill(places: SpoolDirectories) -> None:
    places.make()
    places.spill.mkdir()
    for name in ("5.counters", "30.counters", "4.events.jsonl", "x.counters", "7.counters.part"):
        (places.spool / name).touch()
    (places.spool / file_name(6, 1)).touch()
    (places.spill / file_name(200, 0)).touch()
    (places.spill / file_name(3, 0)).with_suffix(".part").touch()


def test_where_there_is_nothing(places: SpoolDirectories) -> None:
    assert (places.runs(), places.newest(), list(places.segments())) == ([], 0, [])
    places.forget(1)
    places.remove()


def test_runs_segments_and_the_newest_of_them(places: SpoolDirectories) -> None:
    fill(places)
    assert places.runs() == [5, 30]
    assert sorted(places.segments()) == [
        (FileName(6, 1), places.spool / "6-1.segment"),
        (FileName(200, 0), places.spill / "200-0.segment"),
    ]
    assert places.newest() == 200
    (places.spill / "200-0.segment").unlink()
    assert places.newest() == 30
    (places.spool / "30.counters").unlink()
    assert places.newest() == 6


def test_the_files_of_a_run(places: SpoolDirectories) -> None:
    assert places.counters(12) == places.spool / "12.counters"
    assert places.events(12) == places.spool / "12.events.jsonl"


def test_a_run_is_forgotten_and_the_directories_where_nothing_else_is(
    places: SpoolDirectories,
) -> None:
    places.make()
    places.spill.mkdir()
    for run in (1, 2):
        places.counters(run).touch()
        places.events(run).touch()
    places.forget(1)
    assert sorted(each.name for each in places.spool.iterdir()) == [
        "2.counters",
        "2.events.jsonl",
    ]
    assert not places.spill.exists()
    places.forget(2)
    assert not places.spool.exists()


def test_all_that_is_ours_is_removed(places: SpoolDirectories, out: Path) -> None:
    fill(places)
    (places.spool / "x.counters").unlink()
    out.touch()
    places.remove()
    assert not places.spool.exists()
    assert [each.name for each in out.parent.iterdir()] == ["o.csv"]


def test_what_is_not_ours_is_not_removed(
    places: SpoolDirectories, out: Path, tmp_path: Path
) -> None:
    fill(places)
    (places.spill / "letters").mkdir()
    (places.spill / "letters" / file_name(1, 1)).touch()
    (places.spill / file_name(1, 2)).mkdir()
    (places.spool / file_name(1, 3)).symlink_to(tmp_path)
    places.remove()
    left = sorted(each.name for each in places.spill.rglob("*"))
    assert left == ["1-1.segment", "1-2.segment", "letters"]
    assert sorted(each.name for each in places.spool.iterdir()) == [file_name(1, 3), "x.counters"]


@pytest.mark.parametrize("whose", ["a link's", "somebody's"])
def test_nothing_is_read_or_removed_where_the_directory_is_not_ours(
    whose: str, places: SpoolDirectories, out: Path, tmp_path: Path
) -> None:
    fill(places)
    found = sorted(each.name for each in places.spill.iterdir())
    if whose == "a link's":
        places.spill.rename(tmp_path / "elsewhere")
        places.spill.symlink_to(tmp_path / "elsewhere")
    elif os.geteuid() == 0:
        os.chown(places.spill, STRANGER, STRANGER)
    else:
        pytest.skip("only root may give a directory away")
    assert [path.parent for _, path in places.segments()] == [places.spool]
    assert list(places.parts()) == []
    places.forget(3)
    places.remove()
    assert sorted(each.name for each in places.spill.iterdir()) == found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_of_somebody_in_a_directory_of_ours_is_not_read(places: SpoolDirectories) -> None:
    fill(places)
    os.chown(places.spill / "200-0.segment", STRANGER, STRANGER)
    assert [path.parent for _, path in places.segments()] == [places.spool]
    assert places.newest() == 30


# The spare


def test_counters_and_events_that_found_no_room_are_beside_the_output(
    places: SpoolDirectories, out: Path
) -> None:
    spare = out.parent / "o.csv.spool"
    places.make()
    assert not spare.exists()
    assert places.spare_counters(7) == spare / "7.counters"
    assert spare.stat().st_mode & 0o777 == 0o700
    assert places.spare_events(7) == spare / "7.events.jsonl"
    (spare / "7.counters").touch()
    (spare / "7.events.jsonl").touch()
    (places.spool / "7.events.jsonl").touch()
    (places.spool / "5.counters").touch()
    assert places.counters(7) == spare / "7.counters"
    assert places.events(7) == spare / "7.events.jsonl"
    assert places.counters(5) == places.spool / "5.counters"
    assert places.runs() == [5, 7]
    assert places.newest() == 7
    places.forget(7)
    assert not spare.exists()
    assert [each.name for each in places.spool.iterdir()] == ["5.counters"]


def test_a_spool_on_disk_has_no_spare(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MEMORY", tmp_path / "nowhere")
    places = SpoolDirectories.of(out).made()
    assert places.spare_counters(7) is None
    assert places.spare_events(7) is None
    places.remove()


def test_what_a_spool_on_disk_has_kept_is_found_when_there_is_memory_again(
    places: SpoolDirectories, out: Path
) -> None:
    before = replace(places, spool=out.parent / "o.csv.spool")
    before.make()
    (before.spool / file_name(6, 1)).write_bytes(bytes(100))
    (before.spool / "5.counters").touch()
    assert [name for name, _ in places.segments()] == [FileName(6, 1)]
    assert places.size_before(7) == (0, 100)
    assert places.counters(5) == before.spool / "5.counters"


def test_a_copy_of_a_journal_says_nothing_of_the_original_s_places(tmp_path: Path) -> None:
    """Whoever took the original's rows up would delete what a run is still writing."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    original, copy = tmp_path / "a" / "o.csv", tmp_path / "b" / "o.csv"
    notes = SpoolDirectories.of(original).to_notes()
    beside(original, ".journal").touch()
    assert SpoolDirectories.from_notes(notes, original) == SpoolDirectories.of(original)
    assert SpoolDirectories.from_notes(notes, copy) is None
    beside(original, ".journal").unlink()  # moved, and not copied
    moved = SpoolDirectories.from_notes(notes, copy)
    assert moved is not None
    assert moved.to_notes() == notes
