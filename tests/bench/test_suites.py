"""The benchmarks run, say what they measured, and stay out of a run of the tests."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.capture import ROOT
from fastingest.native.availability import find_native

pytestmark = pytest.mark.long

SUITES = sorted((ROOT / "bench").glob("bench_*.py"))
ROLES = {"supervisor", "receiver", "writer"} if Path("/proc/self").exists() else set()
PROCESSES = {
    "bench_burst": {*ROLES, "all", "generator"},
    "bench_listener": {"listener"},
    "bench_pipe": {"receiver", "writer"},
}
MEMORY = {"bench_burst": {*ROLES, "all"}, "bench_listener": {"listener"}} if ROLES else {}
SOME = {"bench_burst": "test_a_steady_rate", "bench_listener": "record"}  # the others are alike
LATENCY = {"test_a_steady_rate": {"p50", "p99", "p99.9"}}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command ``pytest``, as a user types it, and not under the pytest that runs this."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("pytest")), "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )


def collected(*arguments: str) -> set[str]:
    """The files of which something would be run."""
    done = run("--collect-only", "-q", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return {line.partition("::")[0] for line in done.stdout.splitlines() if "::" in line}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("suite", SUITES, ids=lambda path: str(path.stem))
def test_every_benchmark_runs_and_notes_its_figures(suite: Path, tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    some = SOME.get(suite.stem, "test_")
    arguments = ["--benchmark", "--benchmark-quick", f"--benchmark-json={path}", str(suite)]
    done = run(*arguments, "-k", some)
    assert done.returncode == 0, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(path.read_text())["benchmarks"]
    functions = re.findall(r"^def (test_\w+)", suite.read_text(), re.MULTILINE)
    if some.startswith("test_a"):
        functions = [some]
    if not find_native().is_used:
        functions = [name for name in functions if "native" not in name]
    assert {each["name"].partition("[")[0] for each in found} == set(functions)
    for each in found:
        info, seconds = each["extra_info"], each["stats"]["median"]
        assert info["rows"] >= 1000
        assert info["ns_per_row"] == pytest.approx(seconds / info["rows"] * 1e9, 0.01)
        assert info["ns_per_row"] * info["rows_per_second"] == pytest.approx(1e9, 0.01)
        for name, kinds in (
            ("cpu_ns_per_row", PROCESSES.get(suite.stem, set())),
            ("peak_mib", MEMORY.get(suite.stem, set())),
            ("latency_ms", LATENCY.get(each["name"], set())),
        ):
            values = info.get(name, {})
            assert values.keys() == kinds
            assert all(0 <= value < 1e6 for value in values.values())
            assert name == "cpu_ns_per_row" or all(values.values())  # CPU time is in steps
        assert f"{each['name']}: {info['rows_per_second']:,.0f} rows/s" in done.stdout


def test_the_option_runs_all_suites_and_no_tests() -> None:
    assert collected("--benchmark") == {f"bench/{suite.name}" for suite in SUITES}


def test_some_of_them_are_chosen_as_tests_are() -> None:
    assert collected("--benchmark", "-k", "listener") == {"bench/bench_listener.py"}
    assert collected("bench/bench_wire.py", "--benchmark") == {"bench/bench_wire.py"}


def test_without_the_option_their_folder_has_no_tests() -> None:
    done = run("--collect-only", "-q", "bench")
    assert done.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, done.stdout + done.stderr


def test_without_the_option_one_that_is_named_is_skipped() -> None:
    done = run("bench/bench_pipe.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^=+ 2 skipped in", done.stdout, re.MULTILINE), done.stdout


def test_two_at_once_are_refused() -> None:
    done = run("--benchmark", "-n", "2")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert done.stderr == "ERROR: --benchmark runs one benchmark at a time; leave out -n\n\n"


def test_a_run_is_compared_with_one_that_was_saved(tmp_path: Path) -> None:
    one = ["bench/bench_decoding.py", "-k", "python and record", "--benchmark-quick", "--benchmark"]
    storage = f"--benchmark-storage=file://{tmp_path}"
    alone = run(*one, storage, "--benchmark-compare")
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert "Can't compare. No benchmark files" in alone.stdout + alone.stderr
    saved = run(*one, storage, "--benchmark-autosave")
    assert saved.returncode == 0, saved.stdout + saved.stderr
    (path,) = tmp_path.glob("*/0001_*.json")
    assert json.loads(path.read_text())["benchmarks"][0]["extra_info"]["rows"] == 1000
    compared = run(*one, storage, "--benchmark-compare")
    assert compared.returncode == 0, compared.stdout + compared.stderr
    for which in ("(NOW)", "(0001_"):  # the faster one first
        assert f"[python-record] {which}" in compared.stdout
