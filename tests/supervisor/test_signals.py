from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from types import FrameType

from fastingest.supervisor.signals import SIGNALS, signals_blocked, signals_to_socket


def _mask() -> set[int]:
    return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def test_a_process_that_is_started_blocked_stays_so() -> None:
    before = _mask()
    program = "import signal; print(*map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ())))"
    with signals_blocked():
        assert _mask() == before | set(SIGNALS)
        ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert _mask() == before
    assert {int(number) for number in ended.stdout.split()} >= set(SIGNALS)


def test_signals_arrive_as_bytes_and_do_nothing_else() -> None:
    handlers = [signal.getsignal(number) for number in SIGNALS]
    with signals_to_socket() as received:
        received.settimeout(30)
        for number in (*SIGNALS, signal.SIGINT):
            os.kill(os.getpid(), number)
            assert received.recv(64) == bytes([number])
    assert [signal.getsignal(number) for number in SIGNALS] == handlers
    assert signal.set_wakeup_fd(-1) == -1


def test_those_that_the_program_handles_arrive_and_are_handled() -> None:
    handled = []

    def handle(number: int, frame: FrameType | None) -> None:
        handled.append(number)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        with signals_to_socket() as received:
            received.settimeout(30)
            os.kill(os.getpid(), signal.SIGUSR1)
            assert received.recv(64) == bytes([signal.SIGUSR1])
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert handled == [signal.SIGUSR1]
    assert signal.SIGUSR1 not in SIGNALS


def test_one_that_is_ignored_stays_ignored() -> None:
    """As nohup has it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals_to_socket() as received:
            received.settimeout(30)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGHUP)
            os.kill(os.getpid(), signal.SIGTERM)
            assert received.recv(64) == bytes([signal.SIGTERM])
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_signals_are_left_alone() -> None:
    handlers = [signal.getsignal(number) for number in SIGNALS]
    found = []

    def look() -> None:
        with signals_to_socket() as received:
            received.setblocking(False)
            found.append([signal.getsignal(number) for number in SIGNALS])
            try:
                received.recv(1)
            except BlockingIOError:
                found.append([])

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(30)
    assert found == [handlers, []]
