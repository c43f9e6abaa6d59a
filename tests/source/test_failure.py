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
from fastingest.source.failure import Trouble, diagnose
from fastingest.source.proxy import ProxyFailed


def _rejected(status: int, phrase: str = "", version: str = "1.1", **headers: str) -> Exception:
    lines = [f"HTTP/{version} {status} {phrase}".rstrip()]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return picows.WSHandshakeError("expected 101", "\r\n".join(lines).encode(), b"")


@pytest.mark.parametrize("status", [s for s in HTTPStatus if s >= 400])
def test_only_refusals_for_good_are_hopeless(status: HTTPStatus) -> None:
    trouble = diagnose(_rejected(status, status.phrase))
    assert trouble.hopeless == (status in (401, 403, 404, 410))
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
    assert diagnose(_rejected(429, Retry_After=value)).retry_after == seconds


def test_answers_that_picows_does_not_know_are_read() -> None:
    assert diagnose(_rejected(404, "Not Found", version="1.0")).hopeless
    trouble = diagnose(_rejected(521, "Web Server Is Down", retry_after="7"))
    assert trouble == Trouble("the server answered 521 Web Server Is Down", False, 7.0)
    assert diagnose(_rejected(599)).reason == "the server answered 599"


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_does_not_let_us_through_is_hopeless(status: int) -> None:
    error = python_socks.ProxyError(f"HTTP proxy rejected connection with status {status}")
    assert diagnose(error) == Trouble(f"the proxy answered {status}", hopeless=True)
    assert diagnose(ProxyFailed.with_status(status)) == diagnose(error)


def test_retry_after_a_date() -> None:
    now = time.time()
    date = email.utils.formatdate(now + 100, usegmt=True)  # without the fraction of its second
    found = diagnose(_rejected(503, Retry_After=date))
    took = time.time() - now
    assert 99 - took < found.retry_after <= 100


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (ConnectionRefusedError(111, "Connection refused"), Trouble("Connection refused")),
        (ConnectionResetError(), Trouble("the server broke the connection off")),
        (TimeoutError(), Trouble("no answer in time")),
        (
            socket.gaierror(-2, "Name or service not known"),
            Trouble("the host name has no address: Name or service not known"),
        ),
        (ssl.SSLError(1, "[SSL] bad record"), Trouble("TLS failed: [SSL] bad record")),
        (
            picows.WSProtocolError(picows.WSCloseCode.MESSAGE_TOO_BIG, "too big"),
            Trouble("closed with code 1009: too big"),
        ),
        (picows.WSError("what"), Trouble("the opening handshake failed: what")),
        (
            python_socks.ProxyError("closed the connection"),
            Trouble("the proxy does not connect us: closed the connection"),
        ),
        (
            python_socks.ProxyError("HTTP proxy rejected connection with status 502"),
            Trouble("the proxy answered 502"),
        ),
        (ProxyFailed("the proxy is tired"), Trouble("the proxy is tired")),
        (OptionError("header", "the token is gone"), Trouble("header: the token is gone")),
        (RuntimeError("what"), Trouble("RuntimeError: what")),
    ],
)
def test_troubles_that_are_worth_another_try(error: Exception, trouble: Trouble) -> None:
    found = diagnose(error)
    assert (found.reason, found.hopeless, found.retry_after) == (trouble.reason, False, 0.0)
