"""An error that nobody expected, in the supervisor: all is ended, and told in one way."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from fastingest import Options, RunFailed, ingest
from fastingest.storage.ledger import read_entries
from fastingest.storage.lock import OutputLock
from fastingest.supervisor import accounts, monitor
from fastingest.supervisor.account import Account
from tests.end_to_end.command import left_by

ENDLESS = "demo://?rate=20000&sequence=1&burst=1"


def _children() -> list[str]:
    """The processes that this one has started, but the resource tracker."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    if not children.exists():
        pytest.skip("needs Linux's /proc with the children of a process")
    found = [Path(f"/proc/{pid}/cmdline") for pid in children.read_text().split()]
    return [path.read_text() for path in found if "resource_tracker" not in path.read_text()]


def _options(out: Path) -> Options:
    return Options(url=ENDLESS, out=out, duration=30.0)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(5, "Input/output error", "/some/file"), "/some/file: Input/output error"),
        (OSError(12, "Cannot allocate memory"), "Cannot allocate memory"),
        (ValueError("a mistake"), "an error in fastingest itself: ValueError('a mistake')"),
    ],
    ids=["of a file", "of none", "a bug"],
)
def test_an_error_in_the_middle_of_a_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    said: str,
) -> None:
    out = tmp_path / "out.csv"

    def fail(path: Path) -> int:
        size = path.stat().st_size if path.exists() else 0
        if size > 10_000:
            raise error
        return size

    monkeypatch.setattr(monitor, "_size", fail)
    with caplog.at_level(logging.INFO, "fastingest"), pytest.raises(RunFailed) as raised:
        ingest(_options(out))
    assert str(raised.value).startswith(f"{said}; ")
    assert raised.value.__cause__ is error
    summary = raised.value.summary
    assert summary is not None
    assert summary.ledger.written > 0
    assert _children() == []
    traced = [each for each in caplog.records if each.message == "internal error"]
    assert len(traced) == isinstance(error, ValueError)
    assert all("a mistake" in each.__dict__["facts"]["traceback"] for each in traced)
    monkeypatch.undo()
    ingest(Options(url="demo://?rows=1", out=out, max_rows=1))
    interrupted = read_entries(out)[0]
    assert interrupted["received"] == summary.ledger.received
    assert left_by(out) == ["out.csv", "out.csv.ledger.jsonl"]


def test_an_error_of_the_account_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise OSError(30, "Read-only file system", "/some/journal")

    release = OutputLock.release

    def fail_after(lock: OutputLock) -> None:
        release(lock)
        fail()

    for name in ("balance", "close", "clean_up"):
        monkeypatch.setattr(Account, name, fail)
    monkeypatch.setattr(OutputLock, "release", fail_after)
    out = tmp_path / "out.csv"
    with pytest.raises(RunFailed) as raised:
        ingest(Options(url="demo://?rows=10", out=out, max_rows=10))
    assert str(raised.value) == (
        f"{out}: what is kept of it cannot be told: /some/journal: Read-only file system; "
        "every row received is written"
    )
    said = [each.message for each in caplog.records if each.levelno >= logging.WARNING]
    assert said == [
        "the ledger cannot be written; the next start does it",
        "the lock file cannot be removed",
    ]


def test_an_error_before_the_run_has_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(accounts, "Account", fail)
    with pytest.raises(RunFailed, match="the run could not begin: Too many open files"):
        ingest(_options(tmp_path / "out.csv"))
    assert left_by(tmp_path / "out.csv") == []
