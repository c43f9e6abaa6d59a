from __future__ import annotations

import email.utils
import socket
import ssl
import time
from http import HTTPStatus

import picows
import pytest

from fastingest import OptionError
from fastingest.source.failure import ConnectionFailure, classify
from fastingest.source.proxy import ProxyFailed
from fastingest.source.scheme import WrongScheme


def _rejected(status: int, phrase: str = "", version: str = "1.1", **headers: str) -> Exception:
    lines = [f"HTTP/{version} {status} {phrase}".rstrip()]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return picows.WSHandshakeError("expected 101", "\r\n".join(lines).encode(), b"")


@pytest.mark.parametrize("status", [s for s in HTTPStatus if s >= 400])
def test_only_refusals_for_good_are_hopeless(status: HTTPStatus) -> None:
    trouble = classify(_rejected(status, status.phrase))
    assert trouble.permanent == (status in (401, 403, 404, 410))
    assert trouble.reason == f"the server answered {status.value} {status.phrase}"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120),
        ("0", 0),
        (" 7 ", 7),
        ("-1", 0),
        ("soon", 0),
        ("", 0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("1.5", 1.5),
        ("1e3", 0),
        ("172800", 86400),  # two days
        # No server means this: neither 13 days, nor 1970, nor the year 2128.
        ("1111111", 0),
        ("999999999", 0),
        ("5000000000", 0),
        ("9" * 400, 0),
    ],
)
def test_retry_after(value: str, seconds: float) -> None:
    assert classify(_rejected(429, Retry_After=value)).retry_after == seconds


def test_answers_that_picows_does_not_know_are_read() -> None:
    assert classify(_rejected(404, "Not Found", version="1.0")).permanent
    trouble = classify(_rejected(521, "Web Server Is Down", retry_after="7"))
    assert trouble == ConnectionFailure("the server answered 521 Web Server Is Down", False, 7.0)
    assert classify(_rejected(599)).reason == "the server answered 599"


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_does_not_let_us_through_is_hopeless(status: int) -> None:
    assert classify(ProxyFailed.with_status(status)) == ConnectionFailure(
        f"the proxy answered {status}", permanent=True
    )


@pytest.mark.parametrize(
    ("after", "seconds"),
    [(100, 100), (-5, 0), (2 * 86400, 86400), (8 * 86400, 0)],
)
@pytest.mark.parametrize("unit", [1, 1000])
def test_retry_after_a_unix_time(unit: int, after: int, seconds: float) -> None:
    now = time.time()
    found = classify(_rejected(429, Retry_After=str(int((now + after) * unit)))).retry_after
    took = time.time() - now
    assert seconds - took - 1 < found <= seconds or found == seconds == 0


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (403, b'{"msg": "no\r\n key"}', '403 Forbidden: {"msg": "no key"}'),
        (418, b"\x1b[1mbanned", "418: \\x1b[1mbanned"),
        (404, b" Not Found\n", "404: Not Found"),
        (404, b"404", "404"),  # which is said already
        (200, b"<html><title>Home</title>", "200, and is no WebSocket endpoint: Home"),
        (204, b"", "204, and is no WebSocket endpoint"),
        (500, b"x" * 201, "500: " + "x" * 200 + "…"),
    ],
)
def test_a_refusal_is_quoted(status: int, body: bytes, reason: str) -> None:
    phrase = "Forbidden" if status == 403 else ""
    error = picows.WSHandshakeError("", f"HTTP/1.1 {status} {phrase}".encode(), body)
    assert classify(error).reason == f"the server answered {reason}"


def test_a_phrase_is_shown_on_one_line() -> None:
    assert classify(_rejected(500, "\x1b[2J")).reason == "the server answered 500 \\x1b[2J"


@pytest.mark.parametrize("permanent", [False, True])
def test_a_wrong_scheme_is_hopeless_where_the_server_has_said_so(permanent: bool) -> None:
    assert classify(WrongScheme("ws", permanent)) == ConnectionFailure(
        "the server speaks TLS there: write wss:// in place of ws://", permanent
    )


def test_retry_after_a_date() -> None:
    now = time.time()
    date = email.utils.formatdate(now + 100, usegmt=True)  # without the fraction of its second
    found = classify(_rejected(503, Retry_After=date))
    took = time.time() - now
    assert 99 - took < found.retry_after <= 100


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (
            ConnectionRefusedError(111, "Connection refused"),
            ConnectionFailure("Connection refused"),
        ),
        (ConnectionResetError(), ConnectionFailure("the server broke the connection off")),
        (TimeoutError(), ConnectionFailure("no answer in time")),
        (
            socket.gaierror(-2, "Name or service not known"),
            ConnectionFailure("the host name has no address: Name or service not known"),
        ),
        (ssl.SSLError(1, "[SSL] bad record"), ConnectionFailure("TLS failed: [SSL] bad record")),
        (
            picows.WSProtocolError(picows.WSCloseCode.MESSAGE_TOO_BIG, "too big"),
            ConnectionFailure("closed with code 1009: too big"),
        ),
        (picows.WSError("what"), ConnectionFailure("the opening handshake failed: what")),
        (ProxyFailed.with_status(502), ConnectionFailure("the proxy answered 502")),
        (ProxyFailed("the proxy is tired"), ConnectionFailure("the proxy is tired")),
        (
            OptionError("header", "the token is gone"),
            ConnectionFailure("header: the token is gone"),
        ),
        (RuntimeError("what"), ConnectionFailure("RuntimeError: what")),
    ],
)
def test_troubles_that_are_worth_another_try(error: Exception, trouble: ConnectionFailure) -> None:
    found = classify(error)
    assert (found.reason, found.permanent, found.retry_after) == (trouble.reason, False, 0.0)
