from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
PYTEST = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider"]


def _collected(*arguments: str, **environment: str) -> list[str]:
    """The tests of the demo's market in the order that a run of pytest has them in."""
    return _collect("tests/demo/test_market.py", *arguments, **environment)


def _collect(*arguments: str, **environment: str) -> list[str]:
    """The tests that a run of pytest has, in its order."""
    ended = subprocess.run(
        [*PYTEST, "--collect-only", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in ended.stdout.splitlines() if "::" in line]


def test_the_seed_gives_the_order_again() -> None:
    first, again, other = (
        _collected("--shuffle", FASTINGEST_SEED=seed) for seed in ("1", "1", "2")
    )
    usual = _collected()
    assert first == again
    assert sorted(first) == sorted(other) == sorted(usual)
    assert len({tuple(order) for order in (first, other, usual)}) == 3


def _long(*arguments: str, seed: str) -> set[str]:
    """Of the tests of kills, which are long, those that a run of pytest has."""
    found = _collect("tests/faults", "-k", "killed", *arguments, FASTINGEST_SEED=seed)
    return {line for line in found if "test_kills.py::" in line}


def test_some_of_the_long_tests_are_run_and_in_the_end_all() -> None:
    everything = _long("--all", seed="1")
    shares = [_long(seed=str(seed)) for seed in range(4)]
    assert all(share < everything for share in shares)
    assert _long(seed="3") == shares[3]
    assert len({frozenset(share) for share in shares}) > 1
    assert 2 * len(set.union(*shares)) > len(everything)


def test_what_is_named_is_run_though_it_is_long() -> None:
    name = "tests/faults/test_kills.py"
    assert len(_collected(name, FASTINGEST_SEED="1")) > len(_long("--all", seed="1"))


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
