"""Listening, to real servers that behave and that do not."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from fastingest import FeedRefused, OptionError, Options, UsageError
from fastingest.probe.listen import Sample, listen
from fastingest.probe.options import ProbeOptions
from fastingest.probe.proposal import proposal_of
from fastingest.probe.text import config_text
from tests.peers.raw import (
    BINARY,
    CONTINUATION,
    TEXT,
    RawConnection,
    RawServer,
    Script,
    certificates,
    closed_port,
)

LONG = 60.0  # seconds, which nothing here takes


def sample_of(
    script: Script, duration: float = LONG, messages: int = 3, **options: object
) -> Sample:
    with RawServer(script) as server:
        how = ProbeOptions(duration=duration, messages=messages)
        sample = listen(Options(url=(server.url,), **options), how)  # type: ignore[arg-type]
    assert server.errors == []
    return sample


def send_three(peer: RawConnection) -> None:
    peer.handshake()
    for number in range(3):
        peer.send_text(f'{{"n": {number}}}')
    peer.stall()


THREE = [b'{"n": 0}', b'{"n": 1}', b'{"n": 2}']


def test_it_ends_after_the_messages_asked_for() -> None:
    sample = sample_of(send_three, messages=2)
    assert (sample.messages, sample.ended) == (THREE[:2], "")
    assert 0 < sample.seconds < LONG


def test_each_document_of_a_message_is_one() -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        for kind in (TEXT, BINARY):
            peer.send_frame(kind, b"42" + b"\r\n".join(THREE) + b"\n\n")
        peer.stall()

    sample = sample_of(script, messages=5, strip="42", split="lines")
    assert sample.messages == [*THREE, *THREE[:2]]
    assert (sample.feed.strip, sample.feed.split) == (("42",), "lines")


def test_it_ends_after_the_time_asked_for() -> None:
    sample = sample_of(send_three, duration=0.3, messages=1000)
    assert (sample.messages, sample.ended) == (THREE, "")
    assert sample.seconds > 0.25  # the clocks differ by some microseconds


def test_split_and_binary_messages_are_whole() -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_frame(TEXT, b'{"n":', fin=False)
        peer.ping()
        peer.send_frame(CONTINUATION, b" 0}")
        peer.send_frame(BINARY, b"\xff")
        peer.stall()

    assert sample_of(script, messages=2).messages == [b'{"n": 0}', b"\xff"]


def test_headers_and_subscriptions_are_sent() -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        frame = peer.recv_frame()
        assert frame is not None
        peer.send_text(f"{peer.headers['x-key']} {frame[1].decode()}")
        peer.stall()

    sample = sample_of(script, messages=1, header=("X-Key: abc",), subscribe=('{"op":"sub"}',))
    assert sample.messages == [b'abc {"op":"sub"}']


def test_of_several_connections_the_first_is_listened_to(tmp_path: Path) -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        frame = peer.recv_frame()
        assert frame is not None
        peer.send_text(frame[1].decode())
        peer.stall()

    config = tmp_path / "f.toml"
    config.write_text(
        "subscribe = '{symbols}'\nper-connection = 2\nsymbols = ['A', 'B', 'C']\n", "utf-8"
    )
    sample = sample_of(script, messages=1, config=config)
    assert sample.messages == [b"A,B"]
    assert sample.feed.symbols == ("A", "B")
    said = "# It was the first of 2 connections: the file asks for 2 of 3 symbols only."
    assert said in config_text(sample, proposal_of(sample.messages, 0.0)).splitlines()


def test_a_secret_that_the_server_repeats_is_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_text(f"hello {peer.headers['x-key']}")
        peer.stall()

    monkeypatch.setenv("PROBED_KEY", "a-secret-value")
    sample = sample_of(script, messages=1, header=("X-Key: ${PROBED_KEY}",))
    assert sample.messages == [b"hello ***"]
    assert sample.feed.headers == ("X-Key: ${PROBED_KEY}",)


def test_a_lost_connection_ends_it_with_what_has_come() -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_text("{}")
        peer.close(1001, "bye")

    sample = sample_of(script)
    assert (sample.messages, sample.ended) == ([b"{}"], "the server closed with code 1001: bye")


def test_an_interrupt_ends_it_with_what_has_come() -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_text("{}")
        assert peer.recv_frame() is not None  # a heartbeat: the text was sent long before
        os.kill(os.getpid(), signal.SIGINT)
        peer.stall()

    before = signal.getsignal(signal.SIGINT)
    sample = sample_of(script, ping_interval=0.2)
    assert (sample.messages, sample.ended) == ([b"{}"], "interrupted")
    assert signal.getsignal(signal.SIGINT) == before


def test_an_interrupt_before_anything_came_is_one() -> None:
    def script(peer: RawConnection) -> None:
        peer.read_request()
        os.kill(os.getpid(), signal.SIGINT)
        peer.stall()

    with pytest.raises(KeyboardInterrupt):
        sample_of(script)


def test_silence_says_what_to_do() -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        peer.stall()

    with pytest.raises(UsageError) as refused:
        sample_of(script, duration=0.2)
    url, _, said = str(refused.value).partition("/: ")
    assert url.startswith("ws://127.0.0.1:")
    assert said == (
        "no message came within 200ms; a feed that waits to be asked needs --subscribe, "
        "and a quiet one a longer --duration"
    )


def test_a_connection_lost_before_anything_came_says_why() -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        peer.close(1008, "no key")

    with pytest.raises(UsageError, match="closed with code 1008: no key, and no message came"):
        sample_of(script)


@pytest.mark.parametrize(
    ("status", "said"), [(404, "the server answered 404"), (503, "the server answered 503")]
)
def test_a_refusal_says_why_and_is_not_tried_again(status: int, said: str) -> None:
    with RawServer(lambda peer: peer.reject(status)) as server:
        with pytest.raises(FeedRefused, match=said):
            listen(Options(url=(server.url,)), ProbeOptions())
        assert server.connections == 1


def test_a_port_where_nobody_listens_is_said() -> None:
    with closed_port() as port, pytest.raises(FeedRefused) as refused:
        listen(Options(url=(f"ws://127.0.0.1:{port}/",)), ProbeOptions())
    assert str(refused.value) == f"ws://127.0.0.1:{port}/: Connection refused"


def test_the_authorities_to_trust_may_be_named(tmp_path: Path) -> None:
    made = certificates(tmp_path)
    with RawServer(send_three, tls=made.server) as server:
        options = Options(url=(server.url,), ca_file=made.ca_file)
        assert listen(options, ProbeOptions(messages=3)).messages == THREE
        with pytest.raises(FeedRefused, match="certificate is not trusted"):
            listen(Options(url=(server.url,)), ProbeOptions())


def test_the_made_up_feed_can_be_listened_to() -> None:
    sample = listen(Options(url=("demo://?rate=5000&burst=1",)), ProbeOptions(messages=100))
    assert len(sample.messages) == 100
    assert sample.feed.url == "demo://?rate=5000&burst=1"
    with pytest.raises(OptionError, match="'x' is unknown"):
        listen(Options(url=("demo://?x=1",)), ProbeOptions())


def test_several_feeds_are_refused() -> None:
    with pytest.raises(UsageError, match="2 feeds are named, and a probe is of one"):
        listen(Options(url=("ws://a/", "ws://b/")), ProbeOptions())


def test_it_works_beside_the_main_thread() -> None:
    found: list[Sample] = []
    thread = threading.Thread(target=lambda: found.append(sample_of(send_three)))
    thread.start()
    thread.join(LONG)
    assert [sample.messages for sample in found] == [THREE]
