"""A writer's commits, with a fault at every system call: :mod:`tests.faults.commits`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fastingest.format.csv import to_csv, to_frame
from tests.faults.commits import BATCHES, SCENES, TEXTS
from tests.faults.shim import missing

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(missing()), reason=f"the shim {missing()}"),
]

ROOT = Path(__file__).parents[2]
CHAINS = 300  # of each scene


def _explore(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.commits", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("scene", SCENES)
def test_whatever_happens_to_it_each_batch_is_there_once(scene: str) -> None:
    done = _explore(
        "--scene", scene, "--chains", str(CHAINS), "--seed", os.environ["FASTINGEST_SEED"]
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    points = re.fullmatch(r"(\d+) points, 0 faults, .*\n", done.stdout)
    assert points is not None
    assert int(points[1]) > (CHAINS if SCENES[scene].deadly else 150)


def test_a_bug_is_found() -> None:
    """An entry that is in the journal too early; the calls are the third batch's."""
    planted = ("--with", "tests.faults.mutant", "--scene", "plain")
    done = _explore(*planted, "--chains", "0")
    assert done.returncode == 1
    assert re.search(r"--plan '(kill|after)@\d+': the rows are", done.stdout)
    # Without a crash nothing is wrong with it.
    assert _explore(*planted, "--plan", "short@1000").returncode == 0


def test_the_rows_are_what_they_are_in_a_file() -> None:
    assert [bytes(to_csv(to_frame(b))) if b.rows else b"" for b in BATCHES] == TEXTS
