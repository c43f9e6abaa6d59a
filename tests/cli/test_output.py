"""What becomes of what nobody reads, or what cannot be printed."""

from __future__ import annotations

import errno
import io
import os
import sys
from pathlib import Path

import pytest

from fastingest import OptionError
from fastingest.cli.output import fail, note
from tests.end_to_end.command import read_rows
from tests.support.command_line import COMMAND, FEED, execute


def test_a_reader_that_leaves_costs_nothing(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb") as stdout:
        command = [*COMMAND, "--url", FEED, "--max-rows", "10"]
        ended = execute(command, tmp_path, stdout=stdout)
    assert ended.returncode == 0
    assert "rror" not in ended.stderr
    assert len(read_rows(tmp_path / "stock_data.csv")) == 10


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_summary_that_cannot_be_printed_is_an_error(tmp_path: Path) -> None:
    with open("/dev/full", "wb") as stdout:
        command = [*COMMAND, "--url", FEED, "--max-rows", "10", "--log-level", "error"]
        ended = execute(command, tmp_path, stdout=stdout)
    assert ended.returncode == 1
    assert ended.stderr == (
        "fastingest: error: the summary could not be printed: No space left on device\n"
    )


def test_an_error_is_one_line_whatever_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert fail(OptionError("url", "a\nb")) == 2
    assert capsys.readouterr() == ("", "fastingest: error: --url: a\\nb\n")


def test_an_stderr_that_is_gone_changes_no_exit_status(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone(io.StringIO):
        said = 0

        def write(self, text: str) -> int:
            Gone.said += 1
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(sys, "stderr", Gone())
    assert fail(OptionError("url", "x")) == 2
    note("anything")
    assert Gone.said == 2
