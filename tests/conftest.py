"""Options of the test run, and what tests of several modules share."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# The seed of everything that is random in tests/faults, and of the order (--shuffle). It is chosen
# here, before pytest-xdist starts its workers, so that all have the one that the header says.
if not os.environ.get("FASTINGEST_SEED"):
    os.environ["FASTINGEST_SEED"] = str(random.SystemRandom().randrange(10**9))

# Property tests draw anew in each run, in CI as well, and try first what has failed before: that is
# kept in .hypothesis, or where HYPOTHESIS_STORAGE_DIRECTORY says. What they find becomes an
# @example, since no other machine has that directory. A busy machine is no reason to fail.
settings.register_profile(
    "fastingest",
    settings.get_profile("default"),
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fastingest")

# A proxy that this machine needs for other things is none for what is tested.
for _name in [name for name in os.environ if name.lower().endswith("_proxy")]:
    del os.environ[_name]

# Under nohup, or behind an & in a script, some signals are ignored, by all that is started, too.
for _number, _usual in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


# One in so many of the tests that are marked `long`; FASTINGEST_SEED says which, --all runs all.
LONG_SHARE = 6


def pytest_report_header(config: pytest.Config) -> list[str]:
    seed = os.environ["FASTINGEST_SEED"]
    share = "all long tests" if config.getoption("--all") else f"one in {LONG_SHARE} long tests"
    return [
        f"FASTINGEST_SEED={seed} gives the faults, the choice of long tests, and the order of "
        "--shuffle, again",
        f"{share} (--all runs all)",
    ]


def _is_chosen(item: pytest.Item) -> bool:
    """Whether it is run without --all."""
    if item.get_closest_marker("long") is None:
        return True
    return zlib.crc32(f"{os.environ['FASTINGEST_SEED']} {item.nodeid}".encode()) % LONG_SHARE == 0


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-node",
        action="store_true",
        help="fail where Node.js or npm is missing, instead of skipping the tests that need them",
    )
    parser.addoption("--all", action="store_true", help="run all tests that are marked long")
    parser.addoption(
        "--shuffle",
        action="store_true",
        help="run the tests in a random order, that of FASTINGEST_SEED",
    )


def _names_tests(config: pytest.Config) -> bool:
    """Whether the command names tests, or files of them, which are all run then."""
    return any("::" in each or ".py" in each for each in config.invocation_params.args)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--all") and not _names_tests(config):
        left_out = [item for item in items if not _is_chosen(item)]
        items[:] = filter(_is_chosen, items)
        config.hook.pytest_deselected(items=left_out)
    if config.getoption("--shuffle"):
        random.Random(os.environ["FASTINGEST_SEED"]).shuffle(items)
    if config.getoption("--require-node") or (shutil.which("node") and shutil.which("npm")):
        return
    for item in items:
        if item.get_closest_marker("node"):
            item.add_marker(pytest.mark.skip(reason="needs Node.js and npm"))


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger = logging.getLogger("fastingest")
    before = logger.level, logger.propagate, logger.handlers[:]
    yield logger
    logger.setLevel(before[0])
    logger.propagate, logger.handlers[:] = before[1:]
