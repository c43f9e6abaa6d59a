from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fastingest.model.feed import MAX_FEEDS
from fastingest.transport.pipe.fd_passing import receive_pipe, send_pipe

_context = multiprocessing.get_context("spawn")

Sockets = tuple[socket.socket, socket.socket]


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    """Two ends, as the supervisor makes them; the second does not block."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.setblocking(False)
    with ours, theirs:
        yield ours, theirs


def test_a_pipe_arrives_with_its_facts(sockets: Sockets) -> None:
    ours, theirs = sockets
    kept, sent = multiprocessing.Pipe()
    send_pipe(ours, sent, 2**63, "é", None)
    assert sent.closed  # an end still open here would hide that the other one is gone
    received, fields = receive_pipe(theirs)
    assert fields == [2**63, "é", None]
    assert received is not None
    assert not os.get_inheritable(received.fileno())
    with kept, received:
        kept.send_bytes(b"there")
        assert received.recv_bytes() == b"there"
        received.send_bytes(b"and back")
        assert kept.recv_bytes() == b"and back"


def test_where_there_is_nothing_there_is_none(sockets: Sockets) -> None:
    assert receive_pipe(sockets[1]) == (None, [])


def test_several_pipes_arrive_in_order_each_with_its_own_facts(sockets: Sockets) -> None:
    ours, theirs = sockets
    pipes = [multiprocessing.Pipe() for _ in range(5)]
    for number, (_, sent) in enumerate(pipes):
        send_pipe(ours, sent, number)
    for number, (kept, _) in enumerate(pipes):
        received, fields = receive_pipe(theirs)
        assert fields == [number]
        assert received is not None
        with kept, received:
            received.send_bytes(b"%d" % number)
            assert kept.recv_bytes() == b"%d" % number
    assert receive_pipe(theirs) == (None, [])


def test_a_message_without_a_pipe_is_none(sockets: Sockets) -> None:
    sockets[0].send(b"\x90")
    assert receive_pipe(sockets[1]) == (None, [])


def test_the_end_of_a_pipe_is_seen_once_it_was_sent(sockets: Sockets) -> None:
    kept, sent = multiprocessing.Pipe()
    send_pipe(sockets[0], sent)
    received, _ = receive_pipe(sockets[1])
    assert received is not None
    received.close()
    with kept, pytest.raises(EOFError):
        kept.recv_bytes()


def test_sending_to_a_process_that_is_gone_closes_the_pipe() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    theirs.close()
    kept, sent = multiprocessing.Pipe()
    with ours, kept:
        send_pipe(ours, sent, 1)
        assert sent.closed
        with pytest.raises(EOFError):
            kept.recv_bytes()


def test_the_facts_of_a_thousand_feeds_come_with_a_pipe(sockets: Sockets) -> None:
    before = [[feed, 2**63 - feed, 2**62 + feed] for feed in range(MAX_FEEDS)]
    kept, sent = multiprocessing.Pipe()
    assert send_pipe(sockets[0], sent, 1, 2**63, before)
    received, fields = receive_pipe(sockets[1])
    assert received is not None
    with kept, received:
        assert fields == [1, 2**63, before]


def test_where_there_is_no_room_a_pipe_stays_with_its_sender(sockets: Sockets) -> None:
    ours, theirs = sockets
    sent = 0
    kept, pipe = multiprocessing.Pipe()
    with kept:
        while send_pipe(ours, pipe, sent):
            sent += 1
            kept.close()
            kept, pipe = multiprocessing.Pipe()
            assert sent < 100_000
        assert not pipe.closed
        for number in range(sent):
            received, fields = receive_pipe(theirs)
            assert received is not None
            received.close()
            assert fields == [number]
        assert send_pipe(ours, pipe, "after all")
        received, fields = receive_pipe(theirs)
        assert fields == ["after all"]
        assert received is not None
        received.close()
        kept.close()


def test_a_process_may_have_as_many_files_open_as_the_system_lets_it() -> None:
    program = (
        "import resource\n"
        "from fastingest.runtime.process_setup import allow_many_files\n"
        "most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, most))\n"
        "allow_many_files()\n"
        "print(resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr) == ("True\n", "")


def _answer(pipes: socket.socket) -> None:
    while True:
        pipe, fields = receive_pipe(pipes)
        if pipe is None or fields == ["end"]:
            return
        pipe.send((fields, pipe.recv()))
        pipe.close()


def test_a_process_gets_one_pipe_after_another(sockets: Sockets) -> None:
    ours, theirs = sockets
    theirs.setblocking(True)
    process = _context.Process(target=_answer, args=(theirs,))
    process.start()
    theirs.close()
    for number in range(3):
        kept, sent = _context.Pipe()
        send_pipe(ours, sent, number)
        with kept:
            kept.send(["anything"])
            answer: Any = kept.recv()
            assert answer == ([number], ["anything"])
            with pytest.raises(EOFError):
                kept.recv()
    kept, sent = _context.Pipe()
    send_pipe(ours, sent, "end")
    process.join(30)
    assert process.exitcode == 0
    kept.close()


@pytest.mark.skipif(not Path("/proc/self/comm").exists(), reason="needs Linux's /proc")
def test_a_process_has_a_name() -> None:
    program = (
        "from fastingest.runtime.process_setup import show_name\n"
        "show_name('receiver')\n"
        "print(open('/proc/self/comm').read(), end='')"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (ended.stdout, ended.stderr) == ("fi:receiver\n", "")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's glibc")
def test_freed_memory_is_kept_for_the_next_batch() -> None:
    code = """if True:
        import resource, sys
        from fastingest.runtime.process_setup import keep_memory
        if sys.argv[1] == "kept":
            keep_memory()
        def batch():
            pieces = [bytes(size) for size in (400_000, 900_000, 1_300_000)]
        batch()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(100):
            batch()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    """
    kept, given_back = (
        int(subprocess.check_output([sys.executable, "-c", code, how]))
        for how in ("kept", "given back")
    )
    assert kept < 1000 < given_back
