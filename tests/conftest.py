"""Options of the test run."""

from __future__ import annotations

import shutil

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-node",
        action="store_true",
        help="fail where Node.js or npm is missing, instead of skipping the tests that need them",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--require-node") or (shutil.which("node") and shutil.which("npm")):
        return
    for item in items:
        if item.get_closest_marker("node"):
            item.add_marker(pytest.mark.skip(reason="needs Node.js and npm"))
