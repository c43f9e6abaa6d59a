"""A peer in a process of its own, which tells what it does as JSON lines on its stdout."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

__all__ = ["JsonLines", "Peer", "PeerError"]

ROOT = Path(__file__).parents[2]


class PeerError(RuntimeError):
    """The peer ended without saying what was waited for; the message has its stderr."""


class JsonLines(threading.Thread):
    """Reads JSON lines from a pipe to its end. One that is none becomes ``{"text": line}``."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__(name="JSON lines", daemon=True)
        self._stream = stream
        self._news = threading.Condition()
        self._events: list[dict[str, Any]] = []
        self._ended = False
        self.start()

    @property
    def events(self) -> list[dict[str, Any]]:
        """The objects so far, in order."""
        with self._news:
            return list(self._events)

    def wait_for(
        self, wanted: Callable[[dict[str, Any]], bool], count: int, timeout: float
    ) -> dict[str, Any]:
        """The ``count``-th object that is ``wanted``.

        :raises TimeoutError: it did not come within ``timeout`` seconds.
        :raises EOFError: the pipe ended without it.
        """
        deadline = time.monotonic() + timeout
        with self._news:
            while True:
                found = [event for event in self._events if wanted(event)]
                if len(found) >= count:
                    return found[count - 1]
                said = f"it came {len(found)} of {count} times; last: {self._events[-3:]}"
                if self._ended:
                    raise EOFError(said)
                if not self._news.wait(deadline - time.monotonic()):
                    raise TimeoutError(said)

    def run(self) -> None:
        """Read."""
        for line in self._stream:
            try:
                event = json.loads(line)
            except ValueError:
                event = {"text": line.decode(errors="replace")}
            with self._news:
                self._events.append(event)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def close(self) -> None:
        """Wait for the end, and close the pipe."""
        self.join()
        self._stream.close()


class Peer:
    """A context manager that runs ``command`` and ends exactly that process.

    Entering waits until the peer has said ``{"listening": port}``. Leaving terminates it, and kills
    it where that takes more than two seconds.

    :param command: the program and its arguments. It runs in the repository's root.
    :param start_timeout: seconds until it must be listening.
    """

    def __init__(self, command: Sequence[str], *, start_timeout: float = 20.0) -> None:
        self.command = list(command)
        self.start_timeout = start_timeout

    def __enter__(self) -> Peer:
        self._stderr = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            self.command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
        )
        assert self._process.stdout is not None
        self._lines = JsonLines(self._process.stdout)
        try:
            self.port: int = self.wait_for("listening", self.start_timeout)["listening"]
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Where to connect."""
        return f"ws://127.0.0.1:{self.port}/"

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def events(self) -> list[dict[str, Any]]:
        """What the peer has said so far, in order."""
        return self._lines.events

    def wait_for(self, key: str, timeout: float = 30.0, count: int = 1) -> dict[str, Any]:
        """The ``count``-th event that has the member ``key``.

        :raises TimeoutError: it did not come within ``timeout`` seconds.
        :raises PeerError: the peer ended without it.
        """
        try:
            return self._lines.wait_for(lambda event: key in event, count, timeout)
        except EOFError as error:
            raise PeerError(
                f"{self.command} ended without {key!r}: {error}; {self.stderr.strip()}"
            ) from None

    def wait(self, timeout: float = 30.0) -> int:
        """The exit status of a peer that ends by itself.

        :raises subprocess.TimeoutExpired: it did not, within ``timeout`` seconds.
        """
        return self._process.wait(timeout)

    def stop(self) -> None:
        """End the process, if it still runs, and close its pipes. Events can still be read."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._lines.close()
        self._stderr.close()

    @property
    def stderr(self) -> str:
        """What the peer has written to its stderr; empty once it was stopped."""
        if self._stderr.closed:
            return ""
        # The position is shared with the process, which would write wherever a seek has left it.
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode(errors="replace")
