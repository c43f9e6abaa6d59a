"""A server's answer to an opening request: bytes in, and out what picows is to read of it.

Theory of operation. picows (2.3.1) reads one head, of 16 KiB and 128 lines at the most. It takes
``100 Continue`` for the answer, wants ``Connection`` to be one line with one word, and raises
before the body of a refusal has come. :class:`OpeningAnswer` stands before it until the answer is
whole:

- 1xx answers before the last one are passed over (RFC 9110, section 15.2); 101 is a last one;
- of the headers only those are handed on that somebody reads, with the tokens of all ``Connection``
  lines looked at (RFC 6455, section 4.1: it must *include* ``Upgrade``), and folded lines joined;
- the beginning of a refusal's body is waited for, and handed on with its head.

Whatever is wrong with a 101 picows says itself. What is no HTTP at all is a :class:`NoAnswer`.
"""

from __future__ import annotations

import re

import picows

from fastingest.text import escape

__all__ = ["MAX_BODY", "REDIRECTS", "NoAnswer", "OpeningAnswer", "words_of"]

REDIRECTS = frozenset({301, 302, 303, 307, 308})
"""The statuses that lead elsewhere, where they say to where."""

MAX_BODY = 4096
"""Bytes of a refusal's body that are handed on."""

_MAX_HEAD = 64 * 1024  # bytes of a head
_MAX_WORDS = 200  # characters of what a server says
_SWITCHING = 101

_HTTP = b"HTTP/"
_TLS_RECORDS = {0x15, 0x16}  # an alert and a handshake: what answers in place of HTTP (RFC 8446)
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_STATUS = re.compile(rb"(HTTP/\d\.\d \d{3})(?!\d)([^\r\n]*)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[^\r\n]*\r?\n")

_READ = {
    *(b"upgrade", b"connection", b"sec-websocket-accept", b"sec-websocket-extensions"),
    *(b"sec-websocket-protocol", b"content-length", b"transfer-encoding"),
    *(b"location", b"retry-after"),
}

_UNSEEN = re.compile(r"(?is)<!--.*?(?:-->|$)|<(script|style)\b.*?(?:</\1\s*>|$)")
_TAG = re.compile(r"<[^>]*(?:>|$)")


class NoAnswer(picows.WSError):
    """What has come is no answer to an opening request.

    :param problem: what it is; the beginning of a sentence.
    :param is_tls: whether it is TLS.
    """

    def __init__(self, problem: str, *, is_tls: bool = False) -> None:
        super().__init__(problem)
        self.is_tls = is_tls


class OpeningAnswer:
    """Collects an answer, in whatever pieces it comes."""

    def __init__(self) -> None:
        self._data = bytearray()  # what has come, and is no part of a head that is read
        self._scanned = 0  # bytes of it in which no head ends
        self._head = b""  # of a refusal, as it is handed on
        self._length: int | None = None  # of its body; None: as long as it comes
        self._is_chunked = False
        self.has_begun = False
        """Whether anything has come."""

    @property
    def is_refusal(self) -> bool:
        """Whether the head has come, is no 101, and its body is waited for."""
        return bool(self._head)

    def feed(self, data: bytes) -> bytes | None:
        """Take ``data``; what picows is to read once the answer is whole, with all behind it.

        :raises NoAnswer: it is none, and nothing more needs to come.
        """
        self.has_begun = True
        self._data += data
        while not self._head:
            head = self._next_head()
            if head is None:
                return None
            status = int(head[9:12])
            if status == _SWITCHING:
                return _trimmed(head) + bytes(self._data)
            if status >= 200:
                self._refuse(head, status)
        body, is_whole = self._body()
        return self._head + body if is_whole else None

    def end(self) -> bytes:
        """No more comes, or no more is waited for: what picows is to read, if anything."""
        return self._head + self._body()[0] if self._head else b""

    def _next_head(self) -> bytes | None:
        """The next head, without the blank line at its end; None: it is not there yet."""
        _check_beginning(self._data)
        end = _HEAD_END.search(self._data, self._scanned)
        if (len(self._data) if end is None else end.start()) > _MAX_HEAD:
            raise NoAnswer(f"the headers of its answer are longer than {_MAX_HEAD // 1024}KiB")
        if end is None:
            self._scanned = max(0, len(self._data) - 3)
            return None
        head = _FOLD.sub(b" ", bytes(self._data[: end.start()]))
        del self._data[: end.end()]
        self._scanned = 0
        if _STATUS.match(head) is None:
            raise NoAnswer(f"its answer is no HTTP: {words_of(head.splitlines()[0])}")
        return head

    def _refuse(self, head: bytes, status: int) -> None:
        self._head = _trimmed(head)
        headers = dict(_named(line) for line in reversed(_lines(self._head)))
        length = headers.get(b"content-length", b"")
        if status in (204, 304) or (status in REDIRECTS and b"location" in headers):
            self._length = 0
        elif b"chunked" in headers.get(b"transfer-encoding", b"").lower():
            self._is_chunked = True
        elif length.isdigit() and len(length) < 20:
            self._length = int(length)

    def _body(self) -> tuple[bytes, bool]:
        """What has come of a refusal's body, and whether no more is wanted."""
        if self._is_chunked:
            body, is_whole = _unchunked(bytes(self._data))
        else:
            body = bytes(self._data[: self._length])
            is_whole = self._length is not None and len(body) == self._length
        is_enough = len(body) >= MAX_BODY or len(self._data) >= 2 * MAX_BODY
        return body[:MAX_BODY], is_whole or is_enough


def words_of(body: bytes) -> str:
    """The first 200 characters of what a server says, on one line; of a web page its text."""
    if body.startswith(b"\x1f\x8b"):  # gzip, which nobody has asked for
        return ""
    text = body.decode("utf-8", "replace").strip()
    if text.startswith("<"):
        text = _TAG.sub(" ", _UNSEEN.sub(" ", text))
    text = escape(" ".join(text.split()))
    is_cut = len(body) >= MAX_BODY or len(text) > _MAX_WORDS
    return text[:_MAX_WORDS] + "…" if text and is_cut else text


def _check_beginning(data: bytearray) -> None:
    """Refuse what cannot become an answer, however it goes on.

    :raises NoAnswer: it is.
    """
    if data[: len(_HTTP)] == _HTTP[: len(data)]:
        return
    if data[0] in _TLS_RECORDS:
        raise NoAnswer("it speaks TLS", is_tls=True)
    raise NoAnswer(f"its answer is no HTTP: {words_of(bytes(data[:MAX_BODY]).splitlines()[0])}")


def _lines(head: bytes) -> list[bytes]:
    """The header lines of a head."""
    return re.split(rb"\r?\n", head)[1:]


def _named(line: bytes) -> tuple[bytes, bytes]:
    name, _, value = line.partition(b":")
    return name.lower(), value.strip()


def _trimmed(head: bytes) -> bytes:
    """The head with what is read of it, and the blank line; a line that is none stays."""
    status = _STATUS.match(head)
    if status is None:
        raise AssertionError("a head without a status")  # which _next_head has seen
    lines = [status[1] + (status[2][:_MAX_WORDS] or b" ")]
    connection: list[bytes] = []
    for line in _lines(head):
        name, value = _named(line)
        if name == b"connection":
            connection.append(value)
        elif name in _READ or b":" not in line:
            lines.append(line)
    tokens = {token.strip().lower() for line in connection for token in line.split(b",")}
    if b"upgrade" in tokens:
        lines.append(b"Connection: Upgrade")
    elif connection:
        lines.append(b"Connection: " + b", ".join(connection))
    return b"\r\n".join([*lines, b"", b""])


def _unchunked(data: bytes) -> tuple[bytes, bool]:
    """The content of what came in chunks (RFC 9112, section 7.1), and whether it is whole."""
    body, at = b"", 0
    while chunk := _CHUNK.match(data, at):
        size, start = int(chunk[1], 16), chunk.end()
        body += data[start : start + size]
        if size == 0:
            return body, True
        at = start + size + len(b"\r\n")
    return body, False
