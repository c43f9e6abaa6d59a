"""Messages that a server compresses by itself, to a probe that nobody has told so."""

from __future__ import annotations

import gzip
import zlib

import pytest

from fastingest import Options
from fastingest.probe.inflation import inflated
from fastingest.probe.listen import listen
from fastingest.probe.options import ProbeOptions
from fastingest.probe.proposal import proposal_of
from fastingest.probe.text import config_text
from tests.peers.raw import BINARY, RawConnection, RawServer

MESSAGES = [b'{"ping": 1}', '{"symbol": "Ä", "price": 1.5}'.encode(), b""]
MOST = 1000


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize(
    ("kind", "compress"), [("gzip", gzip.compress), ("zlib", zlib.compress), ("raw", raw_deflate)]
)
def test_it_is_found_with_what(kind: str, compress: object) -> None:
    assert callable(compress)
    messages = [compress(each) for each in MESSAGES[:2]]
    assert inflated(messages, MOST) == (kind, MESSAGES[:2])
    mixed = [MESSAGES[0], *messages]  # a text among binary messages
    assert inflated(mixed, MOST) == (kind, [MESSAGES[0], *MESSAGES[:2]])


def test_what_is_something_else_stays_as_it_is() -> None:
    for messages in (MESSAGES, [b"\xff\xfe"], [gzip.compress(b"x"), b"\xff\xfe"], []):
        assert inflated(messages, MOST) == ("", messages)
    broken = gzip.compress(MESSAGES[0])[:-1]
    assert inflated([broken], MOST) == ("", [broken])
    large = gzip.compress(bytes(MOST + 1))
    assert inflated([large], MOST) == ("", [large])


def test_the_file_says_so_and_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def script(peer: RawConnection) -> None:
        peer.handshake()
        said = f'{{"key": "{peer.headers["x-key"]}", "price": 1.5}}'
        peer.send_frame(BINARY, gzip.compress(said.encode()))
        peer.stall()

    monkeypatch.setenv("PROBED_KEY", "a-secret-value")
    with RawServer(script) as server:
        options = Options(url=(server.url,), header=("X-Key: ${PROBED_KEY}",))
        sample = listen(options, ProbeOptions(messages=1))
    assert server.errors == []
    assert sample.messages == [b'{"key": "***", "price": 1.5}']
    text = config_text(sample, proposal_of(sample.messages, 0.0))
    assert 'inflate = "gzip"' in text.splitlines()
