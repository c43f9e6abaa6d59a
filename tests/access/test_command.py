"""Commands that print a secret: real ones, in the receiver's kind of loop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest
import uvloop

from fastingest.access.command import run_command
from fastingest.access.references import SecretError
from tests.end_to_end.command import is_running, wait_until

T = TypeVar("T")


def in_loop(work: Coroutine[Any, Any, T]) -> T:
    return uvloop.run(work)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_what_a_command_prints_is_taken_without_its_last_newline(ending: str) -> None:
    program = f"import sys; sys.stdout.write('a\\n b é' + {ending!r})"
    assert in_loop(run_command([sys.executable, "-c", program])) == "a\n b é"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 3", "the command 'sh' ended with status 3"),
        ("echo a >&2; echo 'the  last' >&2; echo >&2; exit 1", "ended with status 1: the  last"),
        ("printf 'a\\033[1mb\\n' >&2; exit 1", "status 1: a\\x1b[1mb"),
        ("kill -9 $$", "the command 'sh' was killed by signal 9"),
        ("echo why >&2", "the command 'sh' prints nothing: why"),
        ("printf '\\377'", "the command 'sh' prints what is not UTF-8"),
        ("cat /dev/zero", "the command 'sh' prints more than 64KiB"),
        ("cat", "the command 'sh' prints nothing"),  # its stdin is empty
    ],
)
def test_a_command_that_brings_no_secret_says_why(script: str, says: str) -> None:
    with pytest.raises(SecretError) as error:
        in_loop(run_command(["sh", "-c", script]))
    assert str(error.value).endswith(says) or says in str(error.value)
    assert "\n" not in str(error.value)


def test_what_a_command_says_is_cut_off_in_its_reason() -> None:
    with pytest.raises(SecretError) as error:
        in_loop(run_command(["sh", "-c", "head -c 70000 /dev/zero | tr '\\0' x >&2; exit 1"]))
    assert str(error.value).endswith("xxx…")
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["/no/such/program"], "the command 'program' cannot be started: No such file"),
        (["/"], "cannot be started: Permission denied"),
        (["echo", "a\0b"], "the command 'echo' has an argument that no program can have"),
    ],
)
def test_a_command_that_cannot_be_started_says_why(words: list[str], says: str) -> None:
    with pytest.raises(SecretError) as error:
        in_loop(run_command(words))
    assert says in str(error.value)


def _pids(path: Path) -> list[int]:
    wait_until(lambda: path.exists() and len(path.read_text().split()) == 2, "no process")
    return list(map(int, path.read_text().split()))


SLEEPS = "sleep 600 & echo $$ $! >> {pids}; echo so far >&2; wait"


def test_one_that_takes_too_long_is_killed_with_all_it_has_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    with pytest.raises(SecretError, match="'sh' did not end within 500ms: so far"):
        in_loop(run_command(["sh", "-c", SLEEPS.format(pids=pids)], timeout=0.5))
    wait_until(lambda: not any(map(is_running, _pids(pids))), "it goes on")


def test_one_whose_connect_is_given_up_is_killed_with_all_it_has_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"

    async def give_up() -> None:
        task = asyncio.create_task(run_command(["sh", "-c", SLEEPS.format(pids=pids)]))
        while not pids.exists() or len(pids.read_text().split()) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        assert task.cancelled()

    in_loop(give_up())
    wait_until(lambda: not any(map(is_running, _pids(pids))), "it goes on")


def test_the_loop_goes_on_meanwhile(tmp_path: Path) -> None:
    """The command waits for what only the loop does."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)

    async def answer() -> str:
        task = asyncio.create_task(run_command(["cat", str(fifo)]))
        await asyncio.sleep(0)
        descriptor = None
        while descriptor is None:
            with contextlib.suppress(OSError):  # nobody reads yet
                descriptor = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
            await asyncio.sleep(0.005)
        os.write(descriptor, b"from the loop")
        os.close(descriptor)
        return await task

    assert in_loop(answer()) == "from the loop"


def test_one_whose_connect_is_given_up_while_it_is_started_is_killed() -> None:
    seconds = f"600.{os.getpid()}"

    async def give_up() -> None:
        task = asyncio.create_task(run_command(["sleep", seconds]))
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    in_loop(give_up())
    for path in Path("/proc").glob("[1-9]*/cmdline"):
        with contextlib.suppress(OSError):
            assert seconds.encode() not in path.read_bytes()
