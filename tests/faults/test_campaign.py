"""Some points of the campaign of :mod:`tests.faults.campaign`; ``scripts/faults`` does them all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.faults.campaign import KINDS, Point, points, sample, trace, try_all, try_out
from tests.faults.shim import Call, missing
from tests.faults.starters import Forks, Processes
from tests.faults.trial import VARIANTS, Trial, Variant

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(missing()), reason=f"the shim {missing()}"),
    pytest.mark.timeout(600),  # a point that does not come to an end says so itself
]

ROOT = Path(__file__).parents[2]
SHARE = 2  # points of each kind and variant


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    with Forks() as forks:
        yield forks


def _chosen(variant: Variant, calls: Sequence[Call]) -> list[Point]:
    seed = os.environ["FASTINGEST_SEED"]
    print(f"FASTINGEST_SEED={seed}")
    kinds = [points(variant.name, kind, calls, seed) for kind in KINDS]
    return [point for kind in kinds for point in sample(kind, SHARE, seed)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_some_of_all_points(variant: str, forks: Forks) -> None:
    """What goes on by itself waits most of its time, so two go on at once."""
    with Forks() as others:
        todo = _chosen(VARIANTS[variant], trace(VARIANTS[variant], forks))
        results = list(try_all(todo, [forks, others]))
    assert len(results) == SHARE * len(KINDS)
    faults = [f"{each.point.command}\n  {each.fault}" for each in results if each.fault]
    assert not faults, "\n\n".join(faults)


@pytest.mark.parametrize("role", ["supervisor", "receiver", "writer"])
def test_real_processes(role: str) -> None:
    """Not only forks of one."""
    with Processes() as processes:
        calls = [call for call in trace(VARIANTS["rejects"], processes) if call.role == role]
        (point,) = sample(points("rejects", "kill", calls, ""), 1, os.environ["FASTINGEST_SEED"])
        result = try_out(point, processes)
    assert not result.fault, f"{point.command}\n  {result.fault}"


def test_what_could_not_be_synced_is_not_said_to_be_written(tmp_path: Path, forks: Forks) -> None:
    """The next run does it again."""
    plan = "writer:EIO/fsync@1+1000000"
    outcome, *_ = Trial(tmp_path, VARIANTS["synced"], forks).run([plan])
    assert outcome.calls
    assert outcome.status == 1


def test_what_finds_room_nowhere_is_tried_again_before_it_is_lost(
    tmp_path: Path, forks: Forks
) -> None:
    """Neither memory nor the disk takes anything, until some seconds after the run shall end."""
    plan = "receiver:ENOSPC@1+25,writer:ENOSPC/write@5+1000000"
    outcome, *_ = Trial(tmp_path, VARIANTS["plain"], forks).run([plan])
    refused = [call for call in outcome.calls if call.role == "receiver"]
    assert (len(refused), outcome.status) == (25, 1)


def test_forks_do_what_processes_do(forks: Forks) -> None:
    """Each call, in each process's order, but for how often: that is a matter of time."""

    def named(calls: Sequence[Call]) -> set[tuple[str, str, str]]:
        return {(call.role, call.name, Path(call.path).suffix) for call in calls}

    with Processes() as processes:
        for variant in (VARIANTS["rejects"], VARIANTS["spilled"]):
            assert named(trace(variant, forks)) == named(trace(variant, processes))


def test_a_bug_is_found() -> None:
    """A batch that is in the journal too early, and lost with the writer that is killed then."""
    with Forks("tests.faults.mutant") as mutants:
        calls = trace(VARIANTS["plain"], mutants)
        appends = [
            call for call in calls if call.name == "write" and call.path.endswith("/out.csv")
        ]
        assert len(appends) > 5  # the first one is the header
        result = try_out(Point("plain", (f"writer:kill@{appends[3].own}",)), mutants)
        assert result.reached
        lost = r"of \d+ messages read, \d+ were written|.* is missing in the middle"
        assert re.match(lost, result.fault)
        assert "kill at writer's call" in result.fault
        assert not try_out(Point("plain", ("supervisor:kill@3",)), mutants).fault


def test_a_point_is_done_again_by_its_command() -> None:
    point = Point("plain", ("writer:kill@9", "kill@5"))
    name, *arguments = point.command.replace("'", "").split()
    assert name == "scripts/faults"
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.campaign", *arguments, "--seed", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, _, last = done.stdout.splitlines()
    assert first == "FASTINGEST_SEED=7"
    assert last.startswith("1 points, 0 faults")


def test_points_are_of_all_roles_and_kinds(forks: Forks) -> None:
    calls = trace(VARIANTS["synced"], forks)
    assert {call.role for call in calls} == {"supervisor", "receiver", "writer"}
    for kind in KINDS:
        found = points("synced", kind, calls, "1")
        assert found == points("synced", kind, calls, "1")
        assert len(found) >= len(calls) / 3
        assert sample(found, 5, "1") == sample(found, 5, "1")
    assert points("synced", "window", calls, "1") != points("synced", "window", calls, "2")
