from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]


TESTS = """
import pytest

@pytest.mark.parametrize("number", range(24))
@pytest.mark.long
def test_that_takes_long(number: int) -> None:
    pass

@pytest.mark.parametrize("number", range(4))
def test_that_does_not(number: int) -> None:
    pass
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some tests, most of which are long."""
    (tmp_path / "test_some.py").write_text(TESTS)
    return tmp_path


# Several runs of pytest that only collect, in one process: most of their time is its start.
COLLECT = """
import json, os, sys
import pytest

for seed, arguments in json.loads(sys.argv[1]):
    os.environ["FASTINGEST_SEED"] = seed
    print("a run", flush=True)
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-p", "tests.conftest"]
    assert pytest.main([*options, "--collect-only", *arguments]) == 0
"""


def _collect(*runs: tuple[str, Sequence[object]]) -> list[list[str]]:
    """The tests that each run of pytest has, of a seed and its arguments, in its order."""
    wanted = [(seed, [str(each) for each in arguments]) for seed, arguments in runs]
    ended = subprocess.run(
        [sys.executable, "-c", COLLECT, json.dumps(wanted)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    _, *found = ended.stdout.split("a run\n")
    return [[line for line in each.splitlines() if "::" in line] for each in found]


def test_the_seed_gives_the_order_again(folder: Path) -> None:
    shuffled: list[object] = [folder, "--all", "--shuffle"]
    first, again, other, usual = _collect(
        ("1", shuffled), ("1", shuffled), ("2", shuffled), ("1", [folder, "--all"])
    )
    assert first == again
    assert sorted(first) == sorted(other) == sorted(usual)
    assert len({tuple(order) for order in (first, other, usual)}) == 3


def test_some_of_the_long_tests_are_run_and_in_the_end_all(folder: Path) -> None:
    # What is chosen goes by the names, which are the same in each run below this root.
    named = [folder, f"--rootdir={folder}"]
    seeds = [*map(str, range(28)), "27"]
    found = _collect(("1", [*named, "--all"]), *((seed, named) for seed in seeds))
    everything, *shares = map(set, found)
    assert all(line.startswith("test_some.py::") for line in everything)
    usual = {line for line in everything if "takes_long" not in line}
    assert (len(usual), len(everything)) == (4, 28)
    assert all(usual < share < everything for share in shares)
    assert shares[-1] == shares[-2]
    assert len({frozenset(share) for share in shares}) > 1
    assert set.union(*shares) == everything


def test_what_is_named_is_run_though_it_is_long(folder: Path) -> None:
    (found,) = _collect(("1", [folder / "test_some.py"]))
    assert len(found) == 28


def test_property_tests_neither_repeat_themselves_nor_fail_for_time() -> None:
    usual = settings()
    assert not usual.derandomize
    assert usual.deadline is None
    assert HealthCheck.too_slow in usual.suppress_health_check
    assert usual.print_blob


@pytest.mark.parametrize("ci", ["", "true"])
def test_what_fails_is_kept_where_the_environment_says(tmp_path: Path, ci: str) -> None:
    (tmp_path / "test_wrong.py").write_text(
        "from hypothesis import given, strategies as st\n"
        "@given(st.integers())\n"
        "def test_wrong(number: int) -> None:\n"
        "    assert number < 1000\n"
    )
    kept = tmp_path / "kept"
    environment = {**os.environ, "CI": ci, "HYPOTHESIS_STORAGE_DIRECTORY": str(kept)}
    ended = subprocess.run(
        [*PYTEST, "-p", "tests.conftest", f"--rootdir={tmp_path}", tmp_path],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout
    assert "number=1000" in ended.stdout
    assert "@reproduce_failure(" in ended.stdout
    assert any(path.is_file() for path in (kept / "examples").rglob("*"))
