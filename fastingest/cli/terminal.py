"""Where the log goes: a terminal with a live view below it, or any other stderr.

Neither may hold up the run. A terminal that is stopped (Ctrl-S), or a pipe that nobody reads, takes
nothing for a while. The latest 1,000 lines are held then, and printed when there is room again. A
stream that is gone takes nothing any more, and the run goes on.
"""

from __future__ import annotations

import contextlib
import logging
import select
import sys
from collections import deque
from typing import Any, ClassVar, TextIO

from fastingest.cli.view import View
from fastingest.config.options import Options
from fastingest.report.summary import Summary

__all__ = ["StreamLog", "Terminal"]


class _Patient(logging.Handler):
    """Prints lines when there is room for them.

    Room is for at least ``PIPE_BUF`` bytes, 4 KiB on Linux, which is what makes a pipe writable.
    """

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__()
        self._stream = stream
        self._held: deque[tuple[str, str]] = deque(maxlen=1000)  # level, line

    def emit(self, record: logging.LogRecord) -> None:
        """Print a line, or hold it."""
        try:
            self._held.append((record.levelname, self.format(record)))
            self._print_held()
        except Exception:
            self.handleError(record)

    def stop(self) -> None:
        """Print what is held: the run is over, so this may wait."""
        self._print_held(patient=False)

    def _print_held(self, patient: bool = True) -> None:
        with contextlib.suppress(OSError):
            while self._held and (not patient or self._is_writable()):
                level, line = self._held.popleft()
                self._print(level, line)

    def _is_writable(self) -> bool:
        try:
            return self._stream is not None and bool(select.select([], [self._stream], [], 0)[1])
        except ValueError:  # no file of the system's, such as a StringIO
            return True

    def _print(self, level: str, line: str) -> None:
        raise NotImplementedError


class StreamLog(_Patient):
    """The log on an stderr that is no terminal, or on one without a view."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def _print(self, level: str, line: str) -> None:
        print(line, file=self._stream, flush=True)


class Terminal(_Patient):
    """The log, and the view in place below it. At the end the view makes room for the summary."""

    _STYLES: ClassVar = {"WARNING": "yellow", "ERROR": "bold red", "DEBUG": "dim"}

    def __init__(self, options: Options) -> None:
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True, highlight=False, emoji=False)
        super().__init__(sys.stderr)
        self._options = options
        self._live = Live(
            console=self._console,
            auto_refresh=False,  # its thread would draw what has not changed
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            vertical_overflow="crop",
        )
        self._drawn: Any = None

    @property
    def is_dumb(self) -> bool:
        """Whether it cannot draw in place."""
        return self._console.is_dumb_terminal

    def draw(self, summary: Summary) -> None:
        """Bring the view up to date."""
        view = View(summary, self._options)
        size = self._console.size
        new = (size, list(view.lines(size.width, height=size.height)))
        with contextlib.suppress(OSError):
            if self._is_writable():
                self._print_held()
                if new != self._drawn:
                    self._live.start()
                    self._live.update(view, refresh=True)
                    self._drawn = new

    def stop(self) -> None:
        """Take the view away, and print what is held."""
        super().stop()
        with contextlib.suppress(OSError):
            self._live.stop()

    def _print(self, level: str, line: str) -> None:
        from rich.text import Text

        self._console.print(Text(line, style=self._STYLES.get(level, "")), soft_wrap=True)
