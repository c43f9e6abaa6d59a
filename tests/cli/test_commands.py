"""The commands that make no run, as a user runs them."""

from __future__ import annotations

import importlib.metadata
import re
import zlib
from pathlib import Path

import pytest

import fastingest
from fastingest import (
    __main__,
)
from fastingest.cli import commands as cli
from fastingest.native.availability import find_native
from fastingest.storage.ledger import Region, append_entry
from tests.support.command_line import COMMAND, execute, run


def test_version(tmp_path: Path) -> None:
    ended = run("--version", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    first, second, third = ended.stdout.splitlines()
    assert first == f"fastingest {fastingest.__version__}" == "fastingest 0.1.0"
    for package in ("picows", "msgspec", "polars", "uvloop"):
        assert f"{package} {importlib.metadata.version(package)}" in second
    assert "Python 3." in second
    native = find_native({})
    assert third == f"native listener: {'used' if native.is_used else native.reason}"


def test_the_version_says_that_the_native_listener_is_switched_off(tmp_path: Path) -> None:
    ended = run("--version", cwd=tmp_path, FASTINGEST_NATIVE="0")
    last = "native listener: switched off by FASTINGEST_NATIVE=0"
    assert ended.stdout.splitlines()[-1] == last


@pytest.mark.parametrize("said", ["1", "yes"])
def test_the_version_is_said_whatever_is_demanded_of_the_native_listener(
    said: str, tmp_path: Path
) -> None:
    ended = run("--version", cwd=tmp_path, FASTINGEST_NATIVE=said)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == run("--version", cwd=tmp_path).stdout


def test_an_interrupt_before_the_run_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(arguments: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", interrupt)
    assert __main__.main() == 130


# Verify


def keep_ledger(out: Path, rows: bytes, crc32: int | None = None) -> None:
    """A file with ``rows``, as one run has left it."""
    start = len(b"symbol,price,volume\n")
    out.write_bytes(b"symbol,price,volume\n" + rows)
    crc = zlib.crc32(rows) if crc32 is None else crc32
    region = Region(start, start + len(rows), rows.count(b"\n"), crc)
    append_entry(out, {"run": 1795356180 * 10**9, "file": region.to_json()})


def test_verify_is_in_the_help(tmp_path: Path) -> None:
    said = run("--help", cwd=tmp_path).stdout
    assert re.search(r"^│ verify  Say whether a file is what its ledger says\. +│$", said, re.M)
    ended = run("verify", "--help", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("Usage: fastingest verify FILE\n")
    assert "Exit status: 0 it is, 1 it is not, 2 something" in ended.stdout


def test_verify_of_a_file_that_agrees(tmp_path: Path) -> None:
    keep_ledger(tmp_path / "o.csv", b"A,1.0,2\nB,1.5,\n")
    ended = run("verify", "o.csv", cwd=tmp_path, FASTINGEST_BATCH_SIZE="x")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        "o.csv: 2 rows, 35B\n  2026-11-22T14:03:00Z  2 rows  15B  agrees\nagrees with its ledger\n"
    )


def test_verify_of_a_file_that_does_not_agree(tmp_path: Path) -> None:
    keep_ledger(tmp_path / "o.csv", b"A,1.0,2\n", crc32=0xABC)
    ended = run("verify", str(tmp_path / "o.csv"), cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    last = ended.stdout.splitlines()[-1]
    assert last == (
        "does NOT agree: run 2026-11-22T14:03:00Z, bytes 20 to 28 (line 2): "
        f"CRC-32 {zlib.crc32(b'A,1.0,2' + bytes([10])):08x}, and 00000abc in the ledger"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "FILE needs a value; see fastingest verify --help"),
        (("o.csv",), "o.csv: no ledger is beside it; o.csv.ledger.jsonl does not exist"),
        (("none.csv",), "none.csv: No such file or directory"),
        (("a\nb",), r"a\nb: No such file or directory"),
        (("/",), "/: is not a regular file"),
        (("o.csv", "b"), "'b' belongs to no option; see fastingest verify --help"),
        (("o.csv", "--quiet"), "unknown option: --quiet; see fastingest verify --help"),
        (("--url", "ws://x"), "unknown option: --url; see fastingest verify --help"),
    ],
)
def test_what_verify_cannot_do_is_one_line(
    arguments: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    (tmp_path / "o.csv").write_text("symbol,price,volume\n")
    ended = run("verify", *arguments, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == f"fastingest: error: {said}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["o.csv"]


def test_verify_belongs_to_no_run(tmp_path: Path) -> None:
    ended = run("--url", "ws://127.0.0.1:9/", "verify", cwd=tmp_path)
    said = "fastingest: error: 'verify' belongs to no option; see fastingest --help\n"
    assert (ended.returncode, ended.stderr) == (2, said)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_report_that_cannot_be_printed_is_an_error(tmp_path: Path) -> None:
    keep_ledger(tmp_path / "o.csv", b"A,1.0,2\n")
    with open("/dev/full", "wb") as stdout:
        ended = execute([*COMMAND, "verify", "o.csv"], tmp_path, stdout=stdout)
    assert ended.returncode == 1
    problem = "the report could not be printed: No space left on device"
    assert ended.stderr == f"fastingest: error: {problem}\n"
