from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fastingest import FeedRefused
from fastingest.source import loop
from fastingest.source.loop import BoundedReads
from tests.peers.proxies import PASSWORD, USER, http_proxy, socks4_proxy, socks5_proxy
from tests.peers.raw import (
    TEXT,
    RawConnection,
    RawServer,
    Script,
    certificates,
    closed_port,
    frame,
)
from tests.support.meeting import Met, meet, record

SCRIPTS: dict[str, Callable[[list[str]], Script]] = {
    "http": http_proxy,
    "https": http_proxy,
    "socks4": socks4_proxy,
    "socks5": socks5_proxy,
}


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROXY_USER", USER)
    monkeypatch.setenv("PROXY_PASSWORD", PASSWORD)


def serve(peer: RawConnection) -> None:
    peer.handshake()
    for number in range(3):
        peer.send_text(record(number))
    peer.stall()


def through(scheme: str, port: int) -> str:
    return f"{scheme}://${{PROXY_USER}}:${{PROXY_PASSWORD}}@127.0.0.1:{port}"


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("scheme", list(SCRIPTS))
def test_a_feed_is_had_through_a_proxy_of_each_kind(
    tmp_path: Path, scheme: str, secure: bool
) -> None:
    made = certificates(tmp_path)
    asked: list[str] = []
    tls = made.server if scheme == "https" else None
    with (
        RawServer(serve, tls=made.server if secure else None) as server,
        RawServer(SCRIPTS[scheme](asked), tls=tls) as proxy,
    ):
        met = meet(
            server.url,
            lambda met: len(met.volumes) >= 3,
            proxy=through(scheme, proxy.port),
            ca_file=made.ca_file,
        )
    assert (server.errors, proxy.errors) == ([], [])
    assert (met.volumes, met.reasons) == ([0, 1, 2], [])
    assert asked == [f"127.0.0.1:{server.port}"]


def test_an_answer_that_comes_in_pieces_is_waited_for() -> None:
    asked: list[str] = []
    with RawServer(serve) as server, RawServer(http_proxy(asked, piecemeal=True)) as proxy:
        met = meet(server.url, lambda met: len(met.volumes) >= 3, proxy=through("http", proxy.port))
    assert (met.volumes, met.reasons) == ([0, 1, 2], [])


def test_an_ipv6_target_is_asked_for_in_brackets() -> None:
    asked: list[str] = []

    def script(peer: RawConnection) -> None:
        peer.read_request()
        asked.append(peer.request_line)
        peer.reject(502)

    with RawServer(script) as proxy:
        met = meet(
            "ws://[::1]:9/",
            lambda met: bool(met.reasons),
            proxy=f"http://127.0.0.1:{proxy.port}",
        )
    assert asked[0] == "CONNECT [::1]:9 HTTP/1.1"
    assert met.reasons[0] == "the proxy answered 502 Bad Gateway"


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("scheme", list(SCRIPTS))
def test_reads_are_bounded_behind_a_proxy_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, secure: bool
) -> None:
    made = certificates(tmp_path)
    monkeypatch.setattr(loop, "_READ_SIZE", 1024)
    rows = b"".join(frame(TEXT, record(number)) for number in range(1000))
    sizes: list[int] = []
    take = BoundedReads.buffer_updated

    def note(bounded: BoundedReads, nbytes: int) -> None:
        sizes.append(nbytes)
        take(bounded, nbytes)

    def burst(peer: RawConnection) -> None:
        peer.handshake()
        peer.send_raw(rows)
        peer.stall()

    monkeypatch.setattr(BoundedReads, "buffer_updated", note)
    tls = made.server if secure else None
    outer = made.server if scheme == "https" else None
    with (
        RawServer(burst, tls=tls) as server,
        RawServer(SCRIPTS[scheme]([]), tls=outer) as proxy,
    ):
        met = meet(
            server.url,
            lambda met: len(met.volumes) >= 1000,
            proxy=through(scheme, proxy.port),
            ca_file=made.ca_file,
        )
    assert met.volumes == list(range(1000))
    assert sum(sizes) > len(rows)
    assert max(sizes) <= 1024


def _says(met: Met) -> str:
    return str(met.error) if met.error else met.reasons[0]


@pytest.mark.parametrize(
    ("scheme", "says"),
    [
        ("http", "the proxy answered 407 Proxy Authentication Required"),
        ("https", "the proxy answered 407 Proxy Authentication Required"),
        ("socks4", "the proxy does not connect us: "),
        ("socks5", "the proxy does not connect us: "),
    ],
)
def test_a_wrong_password_is_told_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str, says: str
) -> None:
    monkeypatch.setenv("PROXY_USER", "somebody")
    monkeypatch.setenv("PROXY_PASSWORD", "wr0ng")
    made = certificates(tmp_path)
    tls = made.server if scheme == "https" else None
    with RawServer(serve) as server, RawServer(SCRIPTS[scheme]([]), tls=tls) as proxy:
        met = meet(
            server.url,
            lambda met: bool(met.reasons),
            proxy=through(scheme, proxy.port),
            ca_file=made.ca_file,
        )
    assert says in _says(met)
    assert "wr0ng" not in repr((met.events, met.error))
    # Waiting does not change what the proxy has said so clearly.
    assert isinstance(met.error, FeedRefused) == scheme.startswith("http")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (b"220 mail.example ESMTP\r\n\r\n", "the proxy's answer is no HTTP"),
        (b"", "the proxy closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\n\r\nmore", "the proxy's answer has no end, or something behind it"),
        (b"HTTP/1.1 200 " + b"x" * 70_000, "the proxy's answer has no end"),
        (b"HTTP/1.1 503 Busy now\r\n\r\n", "the proxy answered 503 Busy now"),
    ],
)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_talks_nonsense_is_tried_again(
    tmp_path: Path, scheme: str, answer: bytes, says: str
) -> None:
    def script(peer: RawConnection) -> None:
        peer.read_request()
        peer.send_raw(answer)
        peer.drop()

    made = certificates(tmp_path)
    with RawServer(script, tls=made.server if scheme == "https" else None) as proxy:
        met = meet(
            "ws://127.0.0.1:9/",
            lambda met: len(met.reasons) >= 2,
            proxy=f"{scheme}://127.0.0.1:{proxy.port}",
            ca_file=made.ca_file,
        )
    assert met.error is None
    assert all(reason.startswith(says) for reason in met.reasons)


@pytest.mark.parametrize("scheme", list(SCRIPTS))
def test_a_proxy_that_is_not_there_is_tried_again(scheme: str) -> None:
    with closed_port() as port:
        met = meet("ws://127.0.0.1:9/", lambda met: bool(met.reasons), proxy=through(scheme, port))
    assert met.reasons[0] == "the proxy cannot be reached: Connection refused"
    assert PASSWORD not in repr(met.events)


@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_a_proxy_that_does_not_answer_is_given_up(scheme: str) -> None:
    more: dict[str, Any] = {"connect_timeout": 0.1}
    with RawServer(RawConnection.stall) as proxy:
        more["proxy"] = f"{scheme}://127.0.0.1:{proxy.port}"
        met = meet("ws://127.0.0.1:9/", lambda met: len(met.reasons) >= 2, **more)
    assert met.reasons[0] == "the proxy did not answer in time"
