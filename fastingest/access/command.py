"""Runs the command of a ``${command:…}`` without holding up the loop; what it prints is a secret.

It is the leader of a process group of its own, which is killed when its time is over, when it
prints more than a secret, and when whoever waits for it is cancelled. So a connection that is given
up leaves no command behind, nor what that has started.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence

from fastingest.access.references import SecretError
from fastingest.text import shortened
from fastingest.units import format_duration

__all__ = ["COMMAND_TIMEOUT", "MAX_BYTES", "run_command"]

COMMAND_TIMEOUT = 10.0
"""Seconds that a command may take."""

MAX_BYTES = 64 * 1024
"""Bytes of a secret; what is longer is something else than was meant."""

_SHOWN = 200  # characters of what a command has said


class _TooLong(Exception):
    pass


class _Output(asyncio.SubprocessProtocol):
    """Takes what a command prints and says."""

    def __init__(self) -> None:
        self.printed = bytearray()
        """At most :data:`MAX_BYTES`, and what came with the last of them."""
        self.said = bytearray()
        """The end of what has come on stderr."""
        self.complete = asyncio.get_running_loop().create_future()
        """Done when it has ended and both are whole."""
        self.gone = asyncio.Event()
        """Set when nothing is left of it."""

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """For the loop."""
        if fd == 2:
            self.said += data
            del self.said[:-MAX_BYTES]
        elif len(self.printed) <= MAX_BYTES:
            self.printed += data
            if len(self.printed) > MAX_BYTES and not self.complete.done():
                self.complete.set_exception(_TooLong())

    def connection_lost(self, exc: Exception | None) -> None:
        """For the loop."""
        if not self.complete.done():
            self.complete.set_result(None)
        self.gone.set()


async def run_command(words: Sequence[str], timeout: float = COMMAND_TIMEOUT) -> str:
    """What a command prints, without the line feed at its end.

    :param words: a program, and its arguments.
    :param timeout: seconds.
    :raises SecretError: it cannot be started, fails, prints nothing, or takes too long; with the
        last line that it has said on stderr.
    """
    name = f"the command {os.path.basename(words[0])!r}"
    if any("\0" in word for word in words):  # at which uvloop would cut it off
        raise SecretError(f"{name} has an argument that no program can have")
    try:
        transport, output = await _start(words)
    except OSError as error:
        raise SecretError(f"{name} cannot be started: {error.strerror or error}") from None
    try:
        async with asyncio.timeout(timeout):
            await output.complete
    except TimeoutError:
        problem = f"{name} did not end within {format_duration(timeout)}"
        raise SecretError(problem + _last_line(output.said)) from None
    except _TooLong:
        raise SecretError(
            f"{name} prints more than {MAX_BYTES // 1024}KiB; that is no secret"
        ) from None
    finally:
        await _end(transport, output)
    status = transport.get_returncode()
    if status:
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        raise SecretError(f"{name} {how}{_last_line(output.said)}")
    try:
        value = output.printed.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise SecretError(f"{name} prints what is not UTF-8") from None
    if not value:
        raise SecretError(f"{name} prints nothing{_last_line(output.said)}")
    return value


async def _start(words: Sequence[str]) -> tuple[asyncio.SubprocessTransport, _Output]:
    starting = asyncio.ensure_future(
        asyncio.get_running_loop().subprocess_exec(
            _Output, *words, stdin=subprocess.DEVNULL, start_new_session=True
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:  # it may run already
        with contextlib.suppress(OSError):
            await _end(*await starting)
        raise


async def _end(transport: asyncio.SubprocessTransport, output: _Output) -> None:
    """Kill it with all that it has started, where it has not ended."""
    if not output.gone.is_set():
        with contextlib.suppress(OSError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
        transport.close()
        await output.gone.wait()
    transport.close()


def _last_line(said: bytearray) -> str:
    lines = said.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {shortened(last, _SHOWN)}" if last else ""
