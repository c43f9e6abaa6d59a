"""The build of extension modules, with small ones: a project in a directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.end_to_end.command import ROOT

pytestmark = pytest.mark.skipif(
    os.environ.get("FASTINGEST_BUILD_NATIVE") != "1"
    and not shutil.which(os.environ.get("CC", "cc")),
    reason="needs a C compiler",
)

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
SOURCE = """
cdef extern from *:
    const char* FASTINGEST_PICOWS
PICOWS = FASTINGEST_PICOWS.decode()
"""
BROKEN = "cdef int f(:\n"
WARNED = SOURCE + "cdef int unused(int i):\n    cdef int other = i\n    return i\n"


class Project:
    """A package ``small`` with the extension modules ``a`` and ``b``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "small").mkdir()
        (folder / "small" / "__init__.py").touch()
        for name in ("a", "b"):
            self.write(name, SOURCE)
        (folder / "setup.py").write_text(
            "from setuptools import Extension, setup\n"
            "from fastingest._build import BuildNative\n"
            "modules = [Extension(f'small.{n}', [f'small/{n}.pyx']) for n in 'ab']\n"
            "setup(name='small', packages=['small'], ext_modules=modules,\n"
            "      cmdclass={'build_ext': BuildNative})\n"
        )

    def write(self, name: str, source: str) -> None:
        (self.folder / "small" / f"{name}.pyx").write_text(source)

    def build(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        plain = {k: v for k, v in os.environ.items() if not k.startswith("FASTINGEST_")}
        return subprocess.run(
            [sys.executable, "setup.py", "build_ext", *(arguments or ["--inplace"])],
            cwd=self.folder,
            env=plain | {"PYTHONPATH": str(ROOT)} | variables,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    @property
    def built(self) -> list[str]:
        """The names of all modules that are there, wherever."""
        return sorted(path.name.partition(".")[0] for path in self.folder.rglob("*.so"))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def warnings_in(ended: subprocess.CompletedProcess[str]) -> list[str]:
    said = (ended.stdout + ended.stderr).splitlines()
    return [line for line in said if "the native listener is not built" in line]


def test_what_is_built_knows_for_which_picows_and_leaves_no_c_beside_the_sources(
    project: Project,
) -> None:
    ended = project.build(FASTINGEST_BUILD_NATIVE="1")
    assert ended.returncode == 0, ended.stderr
    script = "from small import a, b; print(a.PICOWS, b.PICOWS)"
    said = subprocess.check_output([sys.executable, "-c", script], cwd=project.folder, text=True)
    assert said.split() == [version("picows")] * 2
    assert list((project.folder / "small").glob("*.c")) == []


def test_without_a_compiler_there_is_one_warning_and_nothing_is_left(project: Project) -> None:
    assert project.build().returncode == 0
    assert project.built == ["a", "a", "b", "b"]
    ended = project.build(CC="/nonexistent")
    assert ended.returncode == 0, ended.stderr
    (warning,) = warnings_in(ended)
    assert "'/nonexistent'" in warning
    assert project.built == []


def test_one_module_that_cannot_be_built_takes_the_other_with_it(project: Project) -> None:
    project.write("b", BROKEN)
    ended = project.build()
    assert ended.returncode == 0, ended.stderr
    assert len(warnings_in(ended)) == 1
    assert project.built == []


def test_where_it_is_demanded_a_failure_is_an_error_and_nothing_is_left(project: Project) -> None:
    assert project.build().returncode == 0
    ended = project.build(FASTINGEST_BUILD_NATIVE="1", CC="/nonexistent")
    assert ended.returncode == 1
    assert warnings_in(ended) == []
    assert project.built == []


def test_where_it_is_demanded_a_warning_is_an_error(project: Project) -> None:
    project.write("b", WARNED)
    assert project.build().returncode == 0
    assert project.built == ["a", "a", "b", "b"]
    assert project.build(FASTINGEST_BUILD_NATIVE="1").returncode == 1
    assert project.built == []


def test_it_can_be_left_out_and_an_earlier_one_goes(project: Project) -> None:
    assert project.build().returncode == 0
    ended = project.build(FASTINGEST_BUILD_NATIVE="0")
    assert ended.returncode == 0, ended.stderr
    assert warnings_in(ended) == []
    assert project.built == []


def test_another_wish_is_refused(project: Project) -> None:
    ended = project.build(FASTINGEST_BUILD_NATIVE="yes")
    assert ended.returncode == 1
    assert "FASTINGEST_BUILD_NATIVE is 'yes'; 0 and 1 can be asked for" in ended.stderr


def test_a_build_elsewhere_leaves_alone_what_is_beside_the_sources(project: Project) -> None:
    assert project.build().returncode == 0
    project.build("--build-lib", str(project.folder / "other"), CC="/nonexistent")
    beside = sorted(path.name[0] for path in (project.folder / "small").glob("*.so"))
    assert beside == ["a", "b"]


def test_what_is_installed_is_what_it_is_built_for() -> None:
    pinned = [each for each in SETTINGS["build-system"]["requires"] if "picows" in each]
    assert pinned == [f"picows=={version('picows')}"]
    assert set(pinned) <= set(SETTINGS["project"]["dependencies"])


def test_every_module_is_built_and_every_source_is_known_to_the_build() -> None:
    modules = SETTINGS["tool"]["setuptools"]["ext-modules"]
    files = [file for each in modules for file in each["sources"] + each.get("depends", [])]
    there = [str(path.relative_to(ROOT)) for path in (ROOT / "fastingest").rglob("_*.p[xy][xd]")]
    assert sorted(files) == sorted(there)
    assert {each["name"].replace(".", "/") + ".pyx" for each in modules} == {
        file for file in files if file.endswith(".pyx")
    }
