"""Whether the native listener is used; the package is a real one in a directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.metadata import version
from pathlib import Path

import pytest

from fastingest.errors import UsageError
from fastingest.native.availability import Native, find_native
from tests.end_to_end.command import ROOT

PICOWS = version("picows")
SUFFIX = EXTENSION_SUFFIXES[0]
MISSING = (
    "FASTINGEST_NATIVE=1: the native listener is {}; install fastingest again with "
    "FASTINGEST_BUILD_NATIVE=1, which says what is missing (a C compiler, Python's headers)"
)


class Package:
    """A copy of the package, without extension modules; others can be put there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ignored = shutil.ignore_patterns("*.so", "__pycache__")
        shutil.copytree(ROOT / "fastingest", folder / "fastingest", ignore=ignored)

    def put(self, **sources: str) -> None:
        for name, source in sources.items():
            (self.folder / "fastingest" / "native" / name).write_text(source)

    def ask(self, said: str | None = None) -> list[str]:
        """What another process finds, and whether it has imported picows: words, one a line."""
        script = (
            "import sys; from fastingest.errors import UsageError\n"
            "from fastingest.native.availability import find_native\n"
            "try: print(*find_native(), sep='\\n')\n"
            "except UsageError as error: print(error)\n"
            "print('picows' in sys.modules)"
        )
        variables = {} if said is None else {"FASTINGEST_NATIVE": said}
        plain = {k: v for k, v in os.environ.items() if not k.startswith("FASTINGEST_")}
        ended = subprocess.run(
            [sys.executable, "-c", script],
            cwd=self.folder,
            env=plain | {"PYTHONPATH": str(self.folder)} | variables,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        assert ended.stderr == ""
        return ended.stdout.splitlines()


@pytest.fixture
def package(tmp_path: Path) -> Package:
    return Package(tmp_path)


def built_for(picows: str) -> dict[str, str]:
    return {"_builders.py": f"BUILT_FOR = {picows!r}", "_listener.py": "raise SystemExit"}


def test_it_is_used_where_it_is_built_for_this_picows_which_is_not_imported(
    package: Package,
) -> None:
    package.put(**built_for(PICOWS))
    for said in (None, "", "1"):
        assert package.ask(said) == ["True", "", "False", "False"]


def test_it_is_not_built_where_a_module_is_missing(package: Package) -> None:
    assert package.ask() == ["False", "not built", "False", "False"]
    package.put(**{"_builders.py": f"BUILT_FOR = {PICOWS!r}"})
    assert package.ask() == ["False", "not built", "False", "False"]
    assert package.ask("1") == [MISSING.format("not built"), "False"]


def test_another_picows_than_it_was_built_for_is_a_fault(package: Package) -> None:
    package.put(**built_for("0.9"))
    reason = f"built for picows 0.9, this is {PICOWS}"
    assert package.ask() == ["False", reason, "True", "False"]
    assert package.ask("1") == [MISSING.format(reason), "False"]


def test_a_module_that_cannot_be_loaded_is_a_fault(package: Package) -> None:
    package.put(**built_for(PICOWS))
    (package.folder / "fastingest" / "native" / f"_builders{SUFFIX}").write_bytes(b"not ELF")
    is_used, reason, is_broken, _ = package.ask()
    assert (is_used, is_broken) == ("False", "True")
    assert reason.startswith("not to be loaded: ")
    assert package.ask("1") == [MISSING.format(reason), "False"]


@pytest.mark.parametrize("picows", [PICOWS, "0.9"])
def test_it_can_be_left_unused(package: Package, picows: str) -> None:
    package.put(**built_for(picows))
    reason = "switched off by FASTINGEST_NATIVE=0"
    assert package.ask("0") == ["False", reason, "False", "False"]


def test_it_is_there_where_the_tests_are_told_that_it_must_be() -> None:
    find_native()


@pytest.mark.parametrize("said", ["yes", "2", " 1"])
def test_other_choices_are_refused(said: str) -> None:
    with pytest.raises(UsageError) as caught:
        find_native({"FASTINGEST_NATIVE": said})
    assert str(caught.value) == f"FASTINGEST_NATIVE: {said!r} is neither 0 nor 1"


def test_a_summary_says_which_listener_it_was() -> None:
    assert Native(True).listener == "native"
    assert Native(False, "not built").listener == "Python (not built)"


def run(package: Package, **variables: str) -> subprocess.CompletedProcess[str]:
    plain = {k: v for k, v in os.environ.items() if not k.startswith("FASTINGEST_")}
    return subprocess.run(
        [sys.executable, "-m", "fastingest", "--url", "demo://", "--max-rows", "1"],
        cwd=package.folder,
        env=plain | {"PYTHONPATH": str(package.folder)} | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_run_without_it_says_so_in_its_summary_alone(package: Package) -> None:
    ended = run(package)
    assert ended.returncode == 0, ended.stderr
    assert "\n  listener     Python (not built)\n" in ended.stdout
    assert "WARNING" not in ended.stderr


def test_a_run_warns_of_one_that_was_built_for_another_picows(package: Package) -> None:
    package.put(**built_for("0.9"))
    ended = run(package)
    assert ended.returncode == 0, ended.stderr
    reason = f"built for picows 0.9, this is {PICOWS}"
    assert ended.stderr.count(f' WARNING native listener not used reason="{reason}"\n') == 1
    assert f"\n  listener     Python ({reason})\n" in ended.stdout


def test_a_run_that_must_have_it_ends_before_it_begins(package: Package) -> None:
    ended = run(package, FASTINGEST_NATIVE="1")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"fastingest: error: {MISSING.format('not built')}\n"
    assert [path.name for path in package.folder.iterdir()] == ["fastingest"]
