"""The command on a terminal: the log, and the live view below it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from pathlib import Path
from typing import Any

import pytest

from fastingest import (
    OutputLocked,
)
from fastingest.storage.lock import OutputLock
from tests.end_to_end.command import read_rows, wait_until
from tests.support.command_line import COMMAND, FEED, environment
from tests.support.patience import LIMIT


class Screen:
    """What a terminal shows after the output so far; of its controls those that rich uses."""

    _TOKEN = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)")

    def __init__(self) -> None:
        self.lines = [""]
        self.seen: list[list[str]] = []  # the lines, whenever they were to be drawn again
        self.cursor_hidden = False
        self._row = self._column = 0

    def feed(self, text: str) -> None:
        end = 0
        for token in self._TOKEN.finditer(text):
            assert token.start() == end, text[end : token.start()]
            end = token.end()
            argument, command, move, plain = token.groups()
            if plain:
                line = self.lines[self._row].ljust(self._column)
                rest = line[self._column + len(plain) :]
                self.lines[self._row] = line[: self._column] + plain + rest
                self._column += len(plain)
            elif move == "\r":
                self._column = 0
            elif move == "\n":
                self._row += 1
                self.lines += [""] * (self._row + 1 - len(self.lines))
            else:
                self._control(argument, command)
        assert end == len(text), text[end:]

    def _control(self, argument: str, command: str) -> None:
        match command, argument:
            case "A", count:
                self._row -= int(count or 1)
                assert self._row >= 0
            case "K", "2":
                if self._row == len(self.lines) - 1:
                    self.seen.append(list(self.lines))
                self.lines[self._row] = ""
            case "l" | "h", "?25":
                self.cursor_hidden = command == "l"
            case "m", _:
                pass
            case _:
                raise AssertionError((argument, command))


class Terminal:
    """The command on a pseudo-terminal."""

    def __init__(self, *arguments: str, cwd: Path, columns: int = 80, **variables: str) -> None:
        self._master, self.slave = pty.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        self.screen = Screen()
        self.raw = ""
        self._environment = environment(**variables)
        del self._environment["COLUMNS"]
        self.process = subprocess.Popen(
            [*COMMAND, *arguments],
            cwd=cwd,
            env=self._environment,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
        )

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.terminate()
        with contextlib.suppress(OSError):
            os.close(self.slave)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        os.close(self._master)

    def read(self) -> bool:
        """Take some output; False at the end."""
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says so at a pseudo-terminal's end
            return False
        text = data.decode()  # no character is ever cut: each write is one, and less than a page
        self.raw += text
        self.screen.feed(text)
        return bool(data)

    def read_until(self, pattern: str) -> re.Match[str]:
        while not (match := re.search(pattern, "\n".join(self.screen.lines), re.MULTILINE)):
            assert self.read(), self.screen.lines
        return match

    def count(self, name: str) -> int:
        """A number of the summary."""
        match = re.search(rf"^  {name} +([\d,]+)$", "\n".join(self.screen.lines), re.MULTILINE)
        assert match is not None, self.screen.lines
        return int(match[1].replace(",", ""))

    def finish(self) -> int:
        """Read to the end; the exit status."""
        os.close(self.slave)
        while self.read():
            pass
        return self.process.wait(LIMIT)


LOG = r"20\d\d-\d\d-\d\dT\S+Z (INFO   |WARNING) \S.*"

VIEW = r"● |rows    |rate    |queue   |latency |file    |feed    |━|─"


@pytest.mark.parametrize("columns", [80, 40])
def test_a_terminal_shows_the_view_in_place(tmp_path: Path, columns: int) -> None:
    # the dropped connections bring lines of the log while the view stands
    feed = FEED + "&drop-every=500ms"
    arguments = ("--url", feed, "--max-rows", "40000", "--reconnect-initial", "10ms")
    with Terminal(*arguments, cwd=tmp_path, columns=columns) as terminal:
        status = terminal.finish()
    assert status == 0
    screen = terminal.screen
    views = 0
    for lines in screen.seen:
        starts = [i for i, line in enumerate(lines) if line.startswith("● ")]
        assert len(starts) <= 1
        if not starts or not lines[-1]:
            continue
        views += 1
        log, view = lines[: starts[0]], lines[starts[0] :]
        assert all(re.fullmatch(LOG, line) for line in log), lines
        assert len(view) == 8
        assert all(re.match(VIEW, line) and len(line) <= columns - 2 for line in view), lines
        assert re.match(r"rows    [\d,]+ written  0 rejected", view[1])
    assert views >= 3
    assert not screen.cursor_hidden
    lines = screen.lines
    summary = lines.index(feed)
    assert all(re.fullmatch(LOG, line) for line in lines[:summary])
    assert sum(" WARNING gap " in line for line in lines[:summary]) >= 2
    assert lines[summary + 1 : summary + 3] == ["  received     40,000", "  written      40,000"]
    assert len(lines[summary:]) == 15
    assert lines[-1] == ""
    assert len(read_rows(tmp_path / "stock_data.csv")) == 40_000


def test_interrupting_a_run_on_a_terminal_ends_it_well(tmp_path: Path) -> None:
    with Terminal("--url", FEED, cwd=tmp_path, NO_COLOR="1") as terminal:
        terminal.read_until(r"^rows    [\d,]*[1-9]")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.finish() == 0
    received = terminal.count("received")
    assert received == terminal.count("written") > 0
    assert len(read_rows(tmp_path / "stock_data.csv")) == received
    assert not re.search(r"\x1b\[[\d;]*3\dm", terminal.raw), "NO_COLOR was set"


def test_a_stopped_terminal_does_not_stop_the_run(tmp_path: Path) -> None:
    with Terminal("--url", FEED, "--duration", "4s", cwd=tmp_path) as terminal:
        terminal.read_until(r"^rows    [\d,]*[1-9]")
        termios.tcflow(terminal.slave, termios.TCOOFF)  # what Ctrl-S does
        wait_until(lambda: is_free(tmp_path / "stock_data.csv"), "the run goes on")
        assert terminal.process.poll() is None  # it has words left to say
        termios.tcflow(terminal.slave, termios.TCOON)
        assert terminal.finish() == 0
    assert re.search(
        r'INFO    stopping reason="duration reached"', "\n".join(terminal.screen.lines)
    )
    assert terminal.count("written") == len(read_rows(tmp_path / "stock_data.csv"))


@pytest.mark.parametrize(
    ("arguments", "variables"),
    [
        (("--log-format", "json"), {}),
        (("--quiet",), {}),
        ((), {"TERM": "dumb"}),
    ],
)
def test_some_want_no_view(
    arguments: tuple[str, ...], variables: dict[str, Any], tmp_path: Path
) -> None:
    with Terminal(
        "--url", FEED, "--max-rows", "15000", *arguments, cwd=tmp_path, **variables
    ) as terminal:
        assert terminal.finish() == 0
    assert "\x1b" not in terminal.raw
    assert "●" not in terminal.raw
    assert ("--quiet" in arguments) == (terminal.raw == "")


def is_free(out: Path) -> bool:
    try:
        OutputLock(out).release()
    except OutputLocked:
        return False
    return True
