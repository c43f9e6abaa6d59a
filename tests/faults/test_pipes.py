"""A pipe between a receiver and the writer breaks while both live: it is laid anew, and said."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.end_to_end.command import wait_until
from tests.faults.run import Capture, feed, running

# What the process does with its pipe fails once, when there is a file that says so.
BREAKER = """
import os, sys, threading, time
from fastingest.{module} import {holder}
original = {holder}.{method}
def wrapped(self, *arguments):
    if os.path.exists(os.environ["BREAK"]):
        os.unlink(os.environ["BREAK"])
        raise OSError(5, "the test")
    return original(self, *arguments)
{holder}.{method} = wrapped
"""
PLACES = {
    "receiver": ("receiver.delivery", "Delivery", "stored"),
    "writer": ("transport.pipe.inlet", "Inlet", "receive"),
}


@pytest.mark.parametrize("role", PLACES)
def test_a_pipe_that_breaks_is_laid_anew(tmp_path: Path, role: str) -> None:
    module, holder, method = PLACES[role]
    site = tmp_path / "site"
    site.mkdir()
    code = BREAKER.format(module=module, holder=holder, method=method)
    (site / "sitecustomize.py").write_text(code)
    sign = tmp_path / "break"
    path = os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])
    environment = {"PYTHONPATH": path, "BREAK": str(sign)}
    out = tmp_path / "out.csv"
    with feed("--rate", 20_000) as server:
        with running(out, server, "--batch-size", 1000, environment=environment) as command:
            command.wait_for("connected")
            for count in (1, 2, 3):
                sign.touch()
                said = "a pipe to the writer broke and is laid anew"
                assert command.wait_for(said, count)["process"] == "receiver"
                size = out.stat().st_size
                wait_until(lambda: out.stat().st_size > size + 200_000)  # noqa: B023 - at once
            command.stop()
        server.stop()
    capture = Capture(server, out)
    capture.is_whole()
