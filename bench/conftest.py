"""``pytest --benchmark`` runs the suites of this folder; without it, nothing here is run.

    pytest --benchmark                                       # all of them, some minutes
    pytest --benchmark bench/bench_wire.py -k native         # some
    pytest --benchmark --benchmark-autosave                  # and later: --benchmark-compare

The option stands here and not in a file above, since pytest reads the ``conftest.py`` of each
folder in ``testpaths``, and this is one. With it, ``bench_*.py`` are test modules, and the only
ones that are looked for where nothing is named. All options of pytest-benchmark go with it. What
runs side by side measures each other, so there is no benchmark under xdist (``-n``).

What a benchmark notes beside its times, such as CPU time a row, is in ``extra_info`` of the JSON
(:mod:`bench.figures`), and printed above pytest-benchmark's own tables.
"""

from __future__ import annotations

import gc
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.figures import Benchmark, Figures, Scale
from fastingest.native.availability import find_native

_noted: list[Figures] = []  # what was measured, in that order


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options, next to those of pytest-benchmark."""
    group = parser.getgroup("benchmark")
    group.addoption("--benchmark", action="store_true", help="Run the benchmarks, and no tests.")
    group.addoption(
        "--benchmark-quick",
        action="store_true",
        help="Take few rows and one round, only to see that the benchmarks work.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Make the benchmarks what is run, if they are asked for."""
    if not config.getoption("--benchmark"):
        return
    if config.getoption("dist", "no") != "no":
        raise pytest.UsageError("--benchmark runs one benchmark at a time; leave out -n")
    os.environ.setdefault("POLARS_MAX_THREADS", "1")  # as in the writer, before it is imported
    config.addinivalue_line("python_files", "bench_*.py")
    config.option.benchmark_skip = False
    config.option.benchmark_only = True
    if config.getoption("--benchmark-quick"):
        config.option.benchmark_min_rounds = 1
        config.option.benchmark_max_time = "0"
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        config.args = [str(Path(__file__).parent)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was noted."""
    lines = [str(figures) for figures in _noted if figures.are_there]
    if lines:
        terminalreporter.section("rows, processes, memory")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture
def figures(benchmark: Benchmark) -> Iterator[Figures]:
    """Takes what the benchmark notes beside its times.

    The collector need not look at what pytest has made so far; neither does a receiver's look at
    what was there before it began.
    """
    figures = Figures(benchmark)
    _noted.append(figures)
    gc.collect()
    gc.freeze()
    yield figures
    gc.unfreeze()


@pytest.fixture
def scale(request: pytest.FixtureRequest) -> Scale:
    """How much is measured."""
    return Scale(is_quick=request.config.getoption("--benchmark-quick"))


@pytest.fixture
def native() -> None:
    """The native listener is there; what needs it is skipped otherwise, with the reason."""
    found = find_native()
    if not found.is_used:
        pytest.skip(f"native listener: {found.reason}")


@pytest.fixture(params=["native", "python"])
def is_native(request: pytest.FixtureRequest) -> bool:
    """Whether it is the native listener that reads, or the one in Python."""
    if request.param == "native":
        request.getfixturevalue("native")
    return bool(request.param == "native")


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Iterator[Path]:
    """A folder on the disk on which the project is; ``/tmp`` may be in memory."""
    parent = request.config.rootpath / ".benchmarks"
    parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix="running-") as name:
        yield Path(name)
