"""Options of the test run, and what tests of several modules share."""

from __future__ import annotations

import logging
import os
import random
import shutil
import signal
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

# Under nohup, or behind an & in a script, some signals are ignored, by all that is started, too.
for _number, _usual in (
    (signal.SIGHUP, signal.SIG_DFL),
    (signal.SIGINT, signal.default_int_handler),
):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _usual)


def pytest_report_header() -> str:
    seed = os.environ["FASTINGEST_SEED"]
    return f"FASTINGEST_SEED={seed} gives the faults, and the order of --shuffle, again"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-node",
        action="store_true",
        help="fail where Node.js or npm is missing, instead of skipping the tests that need them",
    )
    parser.addoption(
        "--shuffle",
        action="store_true",
        help="run the tests in a random order, that of FASTINGEST_SEED",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
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
