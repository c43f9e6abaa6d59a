from __future__ import annotations

import gzip

import pytest

from fastingest.source.answer import MAX_BODY, NoAnswer, OpeningAnswer, words_of

ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


def read(data: bytes, *, step: int = 0) -> bytes | None:
    """What is handed on of ``data``, which comes in pieces of ``step`` bytes; 0: as a whole.

    What comes behind it goes straight on, as it does in a connection.
    """
    answer, handed = OpeningAnswer(), None
    for start in range(0, len(data), step or len(data)):
        piece = data[start : start + (step or len(data))]
        handed = answer.feed(piece) if handed is None else handed + piece
    return handed


@pytest.mark.parametrize("step", [0, 1, 7])
@pytest.mark.parametrize("behind", [b"", b"\x81\x02{}", b"HTTP/1.1 100 Continue\r\n\r\n"])
@pytest.mark.parametrize(
    "before",
    [
        b"",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 102 \r\n\r\n",
    ],
)
@pytest.mark.parametrize(
    "headers",
    [
        b"Upgrade: websocket\r\nConnection: Upgrade",
        b"Upgrade: websocket\r\nConnection: keep-alive, Upgrade",
        b"Upgrade: websocket\r\nConnection: upgrade , keep-alive",
        b"connection: keep-alive\r\nUpgrade: websocket\r\nCONNECTION:Upgrade",
        b"Upgrade: websocket\r\nConnection: keep-alive,\r\n\tUpgrade",
        b"Upgrade: websocket\r\nServer: me\r\nX-\xff: \x01\r\nConnection: Upgrade",
    ],
)
def test_what_agrees_is_handed_on_in_one_form(
    headers: bytes, before: bytes, behind: bytes, step: int
) -> None:
    answer = before + b"HTTP/1.1 101 Switching Protocols\r\n" + headers + b"\r\n\r\n"
    assert read(answer + behind, step=step) == ACCEPTED + behind


def test_lines_may_end_as_they_do_elsewhere() -> None:
    assert read(ACCEPTED.replace(b"\r\n", b"\n"), step=1) == ACCEPTED


def test_picows_sees_what_is_wrong() -> None:
    bad = ACCEPTED.replace(b"Upgrade\r\n\r\n", b"close\r\nConnection: Upgraded\r\nnonsense\r\n\r\n")
    assert read(bad) == (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nnonsense\r\n"
        b"Connection: close, Upgraded\r\n\r\n"
    )


@pytest.mark.parametrize("count", [1, 1000])
def test_headers_may_be_up_to_64_kib(count: int) -> None:
    line = b"X-Filling: " + b"x" * (64_000 // count - 13) + b"\r\n"
    long = ACCEPTED.replace(b"Upgrade: w", line * count + b"Upgrade: w")
    assert 63_000 < len(long) < 65_536
    assert read(long, step=4096) == ACCEPTED
    with pytest.raises(NoAnswer, match="the headers of its answer are longer than 64KiB"):
        read(long.replace(b"Upgrade: w", line * count + b"Upgrade: w"), step=4096)
    with pytest.raises(NoAnswer, match="longer than 64KiB"):
        read(b"HTTP/1.1 101 Switching Protocols\r\nX-Endless: " + b"x" * 70_000, step=4096)


# Refusals


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize(
    ("headers", "body", "handed"),
    [
        (b"Content-Length: 4", b"gone", b"gone"),
        (b"Content-Length: 4", b"gone and more", b"gone"),
        (b"Content-Length: 0", b"", b""),
        (b"Transfer-Encoding: chunked", b"3\r\ngon\r\n1;x=y\r\ne\r\n0\r\n\r\n", b"gone"),
        (b"Content-Length: 9\r\nTransfer-Encoding: Chunked", b"2\r\nno\r\n0\r\n\r\n", b"no"),
    ],
)
def test_the_body_of_a_refusal_is_waited_for(
    headers: bytes, body: bytes, handed: bytes, step: int
) -> None:
    head = b"HTTP/1.1 404 Not Found\r\n" + headers + b"\r\n\r\n"
    found = read(head + body, step=step)
    assert found is not None
    assert found[: len(head) + len(handed)] == head + handed
    answer = OpeningAnswer()
    if handed:
        assert answer.feed(head + body[:1]) is None
        assert answer.is_refusal


@pytest.mark.parametrize("framing", [b"Content-Length: 999999", b"Transfer-Encoding: chunked", b""])
def test_of_a_long_body_the_beginning_will_do(framing: bytes) -> None:
    head = b"HTTP/1.0 500 Oops" + (b"\r\n" + framing if framing else b"") + b"\r\n\r\n"
    size = b"%x\r\n" % 999_999 if b"chunked" in framing else b""
    answer = OpeningAnswer()
    assert answer.feed(head + size + b"x" * (MAX_BODY - 1)) is None
    assert answer.feed(b"xx") == head + b"x" * MAX_BODY


def test_chunks_that_bring_nothing_have_an_end() -> None:
    answer = OpeningAnswer()
    head = b"HTTP/1.1 500 Oops\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert answer.feed(head) is None
    assert answer.feed(b"1;" + b"x" * 3 * MAX_BODY) == head


def test_a_body_may_end_with_the_connection() -> None:
    answer = OpeningAnswer()
    assert answer.end() == b""
    assert answer.feed(b"HTTP/1.1 403 Forbidden\r\nServer: me\r\nRetry-After: 7\r\n\r\nno") is None
    assert answer.end() == b"HTTP/1.1 403 Forbidden\r\nRetry-After: 7\r\n\r\nno"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
    ],
)
def test_what_has_no_body_or_leads_elsewhere_is_not_waited_for(head: bytes) -> None:
    assert read(head) == head


def test_a_redirect_to_nowhere_is_a_refusal_like_any_other() -> None:
    assert read(b"HTTP/1.1 302 Found\r\n\r\n") is None


def test_a_status_without_words_is_one_that_picows_can_read() -> None:
    head = b"HTTP/1.1 599 \r\nContent-Length: 0\r\n\r\n"
    assert read(head.replace(b" \r", b"\r", 1)) == head


# What is no answer


@pytest.mark.parametrize("step", [0, 1])
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"SSH-2.0-OpenSSH_9.6\r\n", "its answer is no HTTP: S"),
        (b"\x1b[2J\r\n", "its answer is no HTTP: \\x1b"),
        (b"\r\n", "its answer is no HTTP: "),
        (b"HTTP/2 101 x\r\n\r\n", "its answer is no HTTP: HTTP/2 101 x"),
        (b"HTTP/1.1 1010 x\r\n\r\n", "its answer is no HTTP: HTTP/1.1 1010 x"),
        (b"HTTP/1.1 100 x\r\n\r\nno", "its answer is no HTTP: n"),
    ],
)
def test_what_is_no_http_is_quoted(data: bytes, problem: str, step: int) -> None:
    with pytest.raises(NoAnswer) as raised:
        read(data, step=step)
    assert str(raised.value).startswith(problem)
    assert not raised.value.is_tls


@pytest.mark.parametrize("data", [b"\x15\x03\x01\x00\x02\x02\x28", b"\x15", b"\x16\x03\x03"])
def test_tls_is_known_by_its_first_byte(data: bytes) -> None:
    with pytest.raises(NoAnswer) as raised:
        read(data)
    assert raised.value.is_tls


# Words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", ""),
        (b' {"code": 1,\r\n\t"msg": "no"} ', '{"code": 1, "msg": "no"}'),
        ("zu früh\x07".encode(), "zu früh\\x07"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 200, "x" * 200),
        (b"x" * 201, "x" * 200 + "…"),
        (
            b"<!DOCTYPE html><html><head><title>Just a moment</title><style>a {b: c}</style>"
            b"<script>if (1 < 2) {}</script></head><!-- no --><body><h1>Sorry</h1>",
            "Just a moment Sorry",
        ),
        (b"<Error><Code>AccessDenied</Code></Error>", "AccessDenied"),
        (b"<p>shown<script>x = 1", "shown"),
        (b"<p>" + b"<b></b>" * MAX_BODY, ""),
        ((b"<p>shown" + b" " * MAX_BODY)[:MAX_BODY], "shown…"),
        (gzip.compress(b"no", mtime=0), ""),
    ],
)
def test_words_are_one_line_of_text(body: bytes, words: str) -> None:
    assert words_of(body) == words
