"""Real directories. What is made on ``/dev/shm`` is removed again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from fastingest import places as module
from fastingest.places import Places
from fastingest.segment import FileName, file_name
from tests.privileges import under_file_modes


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
def places(memory: Path, out: Path) -> Iterator[Places]:
    places = Places.of(out)
    assert places.spool.parent == memory
    yield places
    places.remove()


def test_the_spool_is_in_memory_and_the_spill_beside_the_output(places: Places, out: Path) -> None:
    assert places.spool.name.removeprefix("fastingest-").isalnum()
    assert len(places.spool.name) == len("fastingest-") + 16
    assert places.spill == out.parent / "o.csv.spill"
    assert not places.spool.exists()  # asking makes nothing
    assert list(out.parent.iterdir()) == []


def test_every_name_of_an_output_has_the_same_places(places: Places, out: Path) -> None:
    (out.parent.parent / "link").symlink_to(out.parent)
    for name in (
        out.parent / ".." / "data" / "o.csv",
        out.parent.parent / "link" / "o.csv",
        Path(os.path.relpath(out)),
    ):
        assert Places.of(name) == places
    out.write_bytes(b"")  # whether there is a file or not
    assert Places.of(out) == places


def test_other_outputs_have_other_places(places: Places, out: Path) -> None:
    names = [out.with_name("o2.csv"), out.parent.parent / "o.csv"]
    found = [places, *map(Places.of, names)]
    assert len({each.spool for each in found}) == 3
    assert len({each.spill for each in found}) == 3
    out.parent.rename(out.parent.parent / "before")
    out.parent.mkdir()
    another = Places.of(out)  # the same path, in another directory
    assert another.spool != places.spool
    assert another.spill == places.spill


def test_the_spool_is_for_its_owner_alone(places: Places) -> None:
    before = os.umask(0)
    try:
        places.make()
    finally:
        os.umask(before)
    assert places.spool.stat().st_mode & 0o777 == 0o700
    (places.spool / "kept").touch()
    places.make()
    assert [each.name for each in places.spool.iterdir()] == ["kept"]


def test_a_spool_of_an_earlier_run_is_used(places: Places, out: Path) -> None:
    places.make()
    assert Places.of(out) == places


# Squatters: anybody may write to /dev/shm


@pytest.mark.parametrize("what", ["file", "link", "dangling link"])
def test_what_is_no_directory_of_ours_is_not_used(
    what: str, places: Places, out: Path, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    match what:
        case "file":
            places.spool.touch()
        case "link":
            places.spool.symlink_to(tmp_path / "elsewhere")
        case "dangling link":
            places.spool.symlink_to(tmp_path / "nowhere")
    found = Places.of(out)
    assert found == replace(places, spool=out.parent / "o.csv.spool")
    assert Places.from_notes(places.to_notes()) is None
    found.make()
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert not (tmp_path / "nowhere").exists()
    places.spool.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who may give a directory away")
def test_somebody_elses_directory_is_not_used(places: Places, out: Path) -> None:
    places.spool.mkdir()
    os.chown(places.spool, 12345, 12345)
    assert Places.of(out).spool == out.parent / "o.csv.spool"
    assert Places.from_notes(places.to_notes()) is None


def test_without_a_file_system_in_memory_the_spool_is_beside_the_output(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MEMORY", tmp_path / "nowhere")
    assert Places.of(out).spool == out.parent / "o.csv.spool"


def test_a_file_system_in_memory_that_cannot_be_written(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shm").mkdir(0o500)
    monkeypatch.setattr(module, "_MEMORY", tmp_path / "shm")
    assert under_file_modes(lambda: Places.of(out)).spool == out.parent / "o.csv.spool"


def test_an_output_in_no_directory_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Places.of(tmp_path / "nowhere" / "o.csv")


def test_a_spool_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Places(tmp_path / "nowhere" / "spool", tmp_path / "spill").make()


# --spill-dir


def test_a_spill_directory_holds_the_spills_of_several_outputs(
    places: Places, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spill_dir = tmp_path / "spills"
    found = Places.of(out, spill_dir)
    other = Places.of(tmp_path / "o.csv", spill_dir)
    assert found.spool == places.spool
    assert found.spill.parent == other.spill.parent == spill_dir
    assert found.spill.name.startswith("o.csv-")
    assert found.spill.name.endswith(".spill")
    assert found.spill != other.spill
    monkeypatch.chdir(tmp_path)
    assert Places.of(Path("data/o.csv"), Path("spills")) == found
    assert not spill_dir.exists()


def test_a_spill_in_a_directory_is_found_though_the_outputs_directory_is_another(
    places: Places, out: Path, tmp_path: Path
) -> None:
    """As after the machine has started again, when the disk has another number."""
    before = Places.of(out, tmp_path)
    out.parent.rename(tmp_path / "before")
    out.parent.mkdir()
    assert Places.of(out, tmp_path).spill == before.spill
    assert Places.of(out, tmp_path).spool != places.spool


# Notes


def test_notes_say_where_both_are(places: Places) -> None:
    assert places.to_notes() == {"spool": str(places.spool), "spill": str(places.spill)}
    assert Places.from_notes(places.to_notes()) == places
    places.make()
    assert Places.from_notes(places.to_notes()) == places


@pytest.mark.parametrize("notes", [{}, {"spool": "/x"}, {"spool": "a", "spill": "b", "c": "d"}])
def test_notes_that_say_nothing(notes: dict[str, str]) -> None:
    assert Places.from_notes(notes) is None


# What is in them


def fill(places: Places) -> None:
    places.make()
    places.spill.mkdir()
    for name in ("5.counters", "30.counters", "4.events.jsonl", "x.counters", "7.counters.part"):
        (places.spool / name).touch()
    (places.spool / file_name(6, 1)).touch()
    (places.spill / file_name(200, 0)).touch()
    (places.spill / file_name(3, 0)).with_suffix(".part").touch()


def test_where_there_is_nothing(places: Places) -> None:
    assert (places.runs(), places.newest(), list(places.segments())) == ([], 0, [])
    places.forget(1)
    places.remove()


def test_runs_segments_and_the_newest_of_them(places: Places) -> None:
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


def test_the_files_of_a_run(places: Places) -> None:
    assert places.counters(12) == places.spool / "12.counters"
    assert places.events(12) == places.spool / "12.events.jsonl"


def test_a_run_is_forgotten_and_the_directories_where_nothing_else_is(places: Places) -> None:
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


def test_all_is_removed(places: Places, out: Path) -> None:
    fill(places)
    out.touch()
    places.remove()
    assert not places.spool.exists()
    assert [each.name for each in out.parent.iterdir()] == ["o.csv"]
