"""Starting, connecting and ending the processes of a run; most of them are fakes here."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from fastingest import OptionError, Options, ProcessDied, RunFailed
from fastingest.model.feed import Feed, Table
from fastingest.runtime.control import Go, Listening, Ready, Stop, UnknownMessage, encode
from fastingest.supervisor import demo
from fastingest.supervisor import processes as module
from fastingest.supervisor.children import spawn
from fastingest.supervisor.processes import RELAY_PIPES, WRITER, Processes
from fastingest.supervisor.receivers import ReceiverPool
from fastingest.transport.pipe.wiring import PipeEnd
from tests.supervisor.fakes import RECEIVERS, FakeChild, add, no_processes, patch_spawn

TABLE = Table(Path("/nowhere/out.csv"))


def _stream(processes: Processes, name: str) -> int:
    return processes._pool.streams[name]


def _pipes(children: list[FakeChild]) -> list[int]:
    return [len(each.pipes) for each in children]


def test_each_is_connected_with_those_that_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = no_processes(outputs=2)
    started = patch_spawn(monkeypatch, None)
    processes.start(WRITER, is_first=True)
    assert _pipes(started) == [0]
    receivers = add(processes, *RECEIVERS)
    again = patch_spawn(monkeypatch, None)
    processes.start(WRITER, is_first=False)
    assert _pipes(receivers) == [2, 2]
    streams = [_stream(processes, name) for name in RECEIVERS]
    assert [fields[:2] for fields in again[0].pipes] == [
        (number, stream) for stream in streams for number in range(2)
    ]


def test_a_receiver_that_is_started_again_has_another_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    processes = no_processes()
    add(processes)
    before = _stream(processes, RECEIVERS[0])
    started = patch_spawn(monkeypatch, None)
    processes.start(RECEIVERS[0], is_first=False)
    assert [each.name for each in started] == [RECEIVERS[0]]
    assert _stream(processes, RECEIVERS[0]) > before


def test_only_those_that_are_there_are_told_anything() -> None:
    processes = no_processes()
    (there,) = add(processes, RECEIVERS[1])
    processes.tell_receivers(Go())
    processes.tell(WRITER, Go())
    processes.tell(RECEIVERS[1], Stop())
    assert there.told == [Go(), Stop()]


# Pipes that break


def test_a_pipe_that_broke_is_laid_anew_when_both_ends_are_still_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    processes = no_processes(outputs=1)
    children = add(processes)
    assert processes.next_pipe == float("inf")
    processes.pipe_broke(_stream(processes, RECEIVERS[1]), 100.0)
    processes.pipe_broke(_stream(processes, RECEIVERS[1]), 100.2)  # at the other end
    assert processes.next_pipe == 100.0 + RELAY_PIPES
    processes.lay_broken_pipes(100.0, are_needed=True)
    assert _pipes(children) == [0, 0, 0]
    processes.lay_broken_pipes(100.0 + RELAY_PIPES, are_needed=True)
    assert _pipes(children) == [1, 0, 1]
    assert processes.next_pipe == float("inf")
    assert [each.__dict__["facts"] for each in caplog.records] == [{"process": RECEIVERS[1]}]


def test_a_pipe_of_a_life_before_is_no_matter() -> None:
    processes = no_processes(outputs=1)
    add(processes)
    processes.pipe_broke(_stream(processes, RECEIVERS[0]) - 256, 100.0)
    assert processes.next_pipe == float("inf")


@pytest.mark.parametrize(("absent", "are_needed"), [(WRITER, True), (None, False)])
def test_a_pipe_that_nobody_needs_is_not_laid_anew(absent: str | None, are_needed: bool) -> None:
    processes = no_processes(outputs=1)
    children = add(processes)
    if absent is not None:
        del processes.children[absent]
    processes.pipe_broke(_stream(processes, RECEIVERS[0]), 100.0)
    processes.lay_broken_pipes(101.0, are_needed=are_needed)
    assert _pipes(children) == [0, 0, 0]
    assert processes.next_pipe == float("inf")


def test_where_no_pipe_can_be_laid_it_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    processes = no_processes(outputs=1)
    children = add(processes)
    children[0].pipe_error = OSError(24, "Too many open files")
    processes.pipe_broke(_stream(processes, RECEIVERS[0]), 100.0)
    processes.lay_broken_pipes(101.0, are_needed=True)
    said = [(each.message, each.__dict__["facts"]) for each in caplog.records]
    assert said[1] == ("no pipe can be laid", {"problem": "Too many open files"})
    children[0].pipe_error = None
    processes.lay_broken_pipes(time.monotonic() + RELAY_PIPES, are_needed=True)
    assert _pipes(children) == [1, 1, 0]


# Demo exchanges: real ones


def _demos(*urls: str) -> tuple[Processes, list[Feed], ReceiverPool]:
    feeds = [Feed(f"feed {number}", url, (TABLE,)) for number, url in enumerate(urls)]
    pool = ReceiverPool(feeds, [], [], 1, native=False)
    return Processes(Options(url="ws://127.0.0.1/"), [], pool), feeds, pool


def test_each_demo_feed_gets_an_exchange_of_its_own() -> None:
    processes, feeds, pool = _demos("demo://?rows=1", "ws://127.0.0.1:1/", "demo://?rows=2")
    try:
        processes.start_demos(feeds)
        assert list(processes.children) == ["demo exchange", "demo exchange 2"]
        urls = [feed.url for feed in pool.begin("receiver", {}).feeds]
        assert urls[1] == "ws://127.0.0.1:1/"
        ports = [int(url.removeprefix("ws://127.0.0.1:")[:-1]) for url in urls]
        assert ports[0] != ports[2]
        for port in (ports[0], ports[2]):
            socket.create_connection(("127.0.0.1", port), 30).close()
        with socket.socket() as other:
            assert processes.wait(other, 0.0)[1] == []
    finally:
        assert processes.end() == []


def test_a_demo_that_cannot_be_is_refused_before_anything_is_started() -> None:
    processes, feeds, _ = _demos("demo://?rate=x")
    with pytest.raises(OptionError, match="rate"):
        processes.start_demos(feeds)
    assert processes.children == {}


def _dies(settings: object, control: PipeEnd) -> None:
    raise SystemExit(7)


def _says_something_else(settings: object, control: PipeEnd) -> None:
    control.send_bytes(encode(Ready()))
    control.recv_bytes()


def _says_nothing(settings: object, control: PipeEnd) -> None:
    control.recv_bytes()


@pytest.mark.parametrize(
    ("main", "error", "said"),
    [
        (_dies, ProcessDied, "the demo exchange process ended with status 7"),
        (_says_something_else, UnknownMessage, r"no notice of a demo exchange: Ready\(\)"),
        (_says_nothing, RunFailed, "the demo exchange did not start within 2s"),
    ],
)
def test_a_demo_exchange_that_does_not_say_where_it_is(
    monkeypatch: pytest.MonkeyPatch, main: object, error: type[Exception], said: str
) -> None:
    target = f"{__name__}:{main.__name__}"  # type: ignore[attr-defined]
    monkeypatch.setattr(
        module, "spawn", lambda context, name, _, *args: spawn(context, name, target, *args)
    )
    monkeypatch.setattr(module, "DEMO_LIMIT", 2.0 if main is _says_nothing else 60.0)
    processes, feeds, _ = _demos("demo://?rows=1")
    try:
        with pytest.raises(error, match=said):
            processes.start_demos(feeds)
    finally:
        assert processes.end() == []


def test_the_exchange_says_its_port_as_a_child_of_the_supervisor_does() -> None:
    said = []

    class Control:
        def send_bytes(self, data: bytes) -> None:
            said.append(data)

        def fileno(self) -> int:
            return 7

    lifeline = demo._Lifeline(Control())  # type: ignore[arg-type]
    lifeline.send(4321)
    assert said == [encode(Listening(4321))]
    assert lifeline.fileno() == 7
