from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import struct
import sys
import threading
import time
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import pytest

from fastingest.runtime.control import Go, Notice, Report, Stop, UnknownMessage, encode
from fastingest.supervisor.children import Child, spawn
from fastingest.supervisor.signals import SIGNALS
from fastingest.transport.pipe.fd_passing import receive_pipe

_context = multiprocessing.get_context("spawn")


def _describe(first: str, control: Connection, *, second: int) -> None:
    """Tell what this process got and sees; then wait for a word."""
    blocked = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    has_main = hasattr(sys.modules["__main__"], "__file__")
    control.send((first, second, blocked, has_main, os.getpid()))
    control.recv_bytes()


def _use_pipe(control: Connection, *, pipes: socket.socket) -> None:
    control.send("ready")
    pipe, fields = receive_pipe(pipes)
    assert pipe is not None
    pipe.send(fields)


def test_a_child_gets_its_arguments_and_no_signals() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    main = sys.modules["__main__"]
    child = spawn(_context, "somebody", f"{__name__}:{_describe.__name__}", "a", second=2)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert sys.modules["__main__"] is main
    first, second, blocked, has_main, pid = child.control.recv()
    assert (first, second, pid) == ("a", 2, child.process.pid)
    assert set(blocked) >= set(SIGNALS)
    assert not has_main  # the program that called has not been imported again
    assert (child.name, child.process.name, child.process.daemon) == ("somebody",) * 2 + (True,)
    for number in SIGNALS:
        os.kill(pid, number)
    child.tell(Go())
    child.process.join(30)
    assert child.process.exitcode == 0
    child.close()


def test_who_is_gone_can_be_told_anything() -> None:
    child = spawn(_context, "somebody", f"{__name__}:{_describe.__name__}", "a", second=2)
    child.control.recv()
    child.process.kill()
    child.process.join(30)
    assert child.process.exitcode == -signal.SIGKILL
    child.tell(Stop())
    with pytest.raises(EOFError):  # no copy of the child's end is left here
        child.control.recv()
    child.close()
    assert child.control.closed
    assert child.pipes.fileno() == -1
    with pytest.raises(ValueError, match="process object is closed"):
        child.process.is_alive()


def test_a_child_that_wants_pipes_gets_them() -> None:
    child = spawn(_context, "somebody", f"{__name__}:{_use_pipe.__name__}", with_pipes=True)
    assert child.control.recv() == "ready"
    kept, sent = _context.Pipe()
    child.hand_over(sent, 7, "é")
    answer: Any = kept.recv()
    assert answer == [7, "é"]
    child.process.join(30)
    assert child.process.exitcode == 0
    child.close()
    kept.close()


MANY = 1000
"""More pipes than any system keeps for who does not take them."""


def _echo_names(control: Connection, *, pipes: socket.socket) -> None:
    control.recv_bytes()
    for _ in range(MANY):
        pipe, fields = receive_pipe(pipes)
        assert pipe is not None
        pipe.send(fields)
        pipe.close()


def test_pipes_for_a_child_that_takes_none_yet_hold_up_nobody_and_reach_it() -> None:
    child = spawn(_context, "somebody", f"{__name__}:{_echo_names.__name__}", with_pipes=True)
    kept = []
    for number in range(MANY):
        ours, theirs = _context.Pipe()
        child.hand_over(theirs, number)
        kept.append(ours)
    assert not child.hand_over_more()
    child.tell(Go())
    deadline = time.monotonic() + 30
    while not child.hand_over_more():
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert [ours.recv() for ours in kept] == [[number] for number in range(MANY)]
    child.process.join(30)
    assert child.process.exitcode == 0
    child.close()
    for ours in kept:
        ours.close()


def test_pipes_that_a_child_never_took_are_closed_with_it() -> None:
    child = spawn(_context, "somebody", f"{__name__}:{_echo_names.__name__}", with_pipes=True)
    kept = []
    for number in range(MANY):
        ours, theirs = _context.Pipe()
        child.hand_over(theirs, number)
        kept.append(ours)
    child.process.kill()
    child.process.join(30)
    assert child.hand_over_more()  # there is nobody to keep them for
    child.close()
    for ours in kept:
        with pytest.raises(EOFError):
            ours.recv()
        ours.close()


FIRST, SECOND, THIRD = (Report("info", event, {}) for event in ("first", "second", "third"))


def _say(control: Connection, *, pipes: socket.socket) -> None:
    """Two messages, of which the second comes in two pieces; the rest when told so."""
    control.send_bytes(encode(FIRST))
    message, last = encode(SECOND), encode(THIRD)
    os.write(control.fileno(), struct.pack("!i", len(message)) + message[:3])
    control.recv_bytes()
    os.write(control.fileno(), message[3:] + struct.pack("!i", len(last)) + last[:3])


def _next(child: Child) -> list[Notice]:
    assert wait([child.control], 30)
    return list(child.notices())


def test_who_stops_in_the_middle_of_a_message_holds_up_nobody() -> None:
    child = spawn(_context, "somebody", f"{__name__}:{_say.__name__}", with_pipes=True)
    heard: list[Notice] = []
    while heard != [FIRST] or len(child._received) < 7:
        heard += _next(child)
    assert list(child.notices()) == []
    child.tell(Go())
    while child.watched:
        heard += _next(child)
    assert heard == [FIRST, SECOND]  # the third is lost with its sender
    assert child.close()


def _say_what_nobody_knows(control: Connection) -> None:
    control.send_bytes(encode(FIRST))
    control.send_bytes(b"second")
    control.recv_bytes()


def _hear(child: Child, heard: list[Notice]) -> None:
    while wait([child.control], 30):
        for notice in child.notices():
            heard.append(notice)


def test_what_is_no_message_is_an_error_that_names_it() -> None:
    child = spawn(_context, "somebody", f"{__name__}:{_say_what_nobody_knows.__name__}")
    heard: list[Notice] = []
    with pytest.raises(UnknownMessage, match="b'second'"):
        _hear(child, heard)
    assert heard == [FIRST]
    child.tell(Go())
    assert child.close()


def _be_large(*_: Any) -> None:
    raise AssertionError


def test_a_child_that_dies_before_it_knows_what_to_do_holds_up_nobody() -> None:
    """What it is told is more than a pipe takes."""
    resource_tracker.ensure_running()  # or it would be the next child, where nobody has started it
    for _ in range(20):
        killer = threading.Thread(target=_kill_next_child, args=(set(_children()),))
        killer.start()
        child = spawn(_context, "somebody", f"{__name__}:{_be_large.__name__}", "x" * 2**22)
        killer.join(30)
        child.process.join(30)
        assert child.process.exitcode == -signal.SIGKILL
        assert child.close()


def _children() -> list[int]:
    path = Path(f"/proc/self/task/{threading.main_thread().native_id}/children")
    if not path.exists():
        pytest.skip("needs Linux's /proc with the children of a process")
    return list(map(int, path.read_text().split()))


def _kill_next_child(before: set[int]) -> None:
    while True:
        for pid in set(_children()) - before:
            os.kill(pid, signal.SIGKILL)
            return


def test_the_arguments_of_the_program_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["program", "x" * 2**17]
    monkeypatch.setattr(sys, "argv", arguments)
    child = spawn(_context, "somebody", f"{__name__}:{_tell_arguments.__name__}")
    assert child.control.recv() == ["program"]
    assert sys.argv is arguments
    assert child.close()


def _tell_arguments(control: Connection) -> None:
    control.send(sys.argv)


def test_threads_that_start_processes_at_once_leave_the_program_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments, main = ["program", "x"], sys.modules["__main__"]
    monkeypatch.setattr(sys, "argv", arguments)
    started: list[Child] = []
    at_once = threading.Barrier(4)

    def start() -> None:
        at_once.wait(30)
        for _ in range(3):
            started.append(spawn(_context, "somebody", f"{__name__}:{_tell_arguments.__name__}"))

    threads = [threading.Thread(target=start) for _ in range(at_once.parties)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sys.modules["__main__"] is main
    assert sys.argv is arguments
    assert [child.control.recv() for child in started] == [["program"]] * 12
    assert [child.close() for child in started] == [True] * 12


def test_a_child_that_does_not_end_is_left_behind() -> None:
    child = spawn(_context, "somebody", f"{__name__}:{_describe.__name__}", "a", second=2)
    process = child.process
    child.control.recv()
    assert not child.close(patience=0.1)
    assert process not in multiprocessing.active_children()
    process.kill()
    process.join(30)
