from __future__ import annotations

import email.utils
import socket
import ssl
import time
from http import HTTPStatus

import picows
import pytest
import python_socks

from fastingest import OptionError
from fastingest.source.failure import ConnectionFailure, classify
from fastingest.source.proxy import ProxyFailed


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
        ("9" * 400, 86400),
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
    error = python_socks.ProxyError(f"HTTP proxy rejected connection with status {status}")
    assert classify(error) == ConnectionFailure(f"the proxy answered {status}", permanent=True)
    assert classify(ProxyFailed.with_status(status)) == classify(error)


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
        (
            python_socks.ProxyError("closed the connection"),
            ConnectionFailure("the proxy does not connect us: closed the connection"),
        ),
        (
            python_socks.ProxyError("HTTP proxy rejected connection with status 502"),
            ConnectionFailure("the proxy answered 502"),
        ),
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
