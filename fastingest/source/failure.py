"""Why there is no connection, and whether waiting can help.

:func:`classify` is the one place that decides what is worth another try.
"""

from __future__ import annotations

import email.utils
import os
import re
import socket
import ssl
import time
from dataclasses import dataclass

import picows

from fastingest.errors import OptionError
from fastingest.source.answer import words_of
from fastingest.source.proxy import ProxyFailed
from fastingest.source.scheme import WrongScheme
from fastingest.text import escape

__all__ = ["ConnectionFailure", "classify"]

_MAX_RETRY_AFTER = 86400.0  # seconds that are waited at the most
_BELIEVABLE = 7 * 86400.0  # seconds; a server that names more, or a time behind them, is mistaken
_LEAST_TIME = 1e9  # of a number that is a time, in seconds since the epoch
_LEAST_TIME_MS = 1e12  # likewise, in milliseconds

# The answers to an opening request that waiting does not change.
_PERMANENT_STATUS = {401, 403, 404, 410}

# Those which say that one asks too often: RFC 6585, section 4, and Binance's for a ban. Others say
# it where they say how long to wait.
_TOO_OFTEN = {418, 429}
_MAYBE_TOO_OFTEN = {403, 503}

_ANSWER = re.compile(rb"HTTP/\d\.\d (\d{3})([^\r\n]*)")
_RETRY_AFTER = re.compile(rb"^Retry-After:(.*)$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class ConnectionFailure:
    """Why there is no connection (any more).

    :param reason: one line for people.
    :param permanent: whether waiting cannot change it.
    :param retry_after: seconds that the server asked to wait, if it did.
    :param asked: whether the server has asked for another connection.
    :param too_often: whether the server has said that it is asked for connections too often.
    """

    reason: str
    permanent: bool = False
    retry_after: float = 0.0
    asked: bool = False
    too_often: bool = False


def classify(error: BaseException) -> ConnectionFailure:  # noqa: PLR0911, PLR0912 - one for each kind of error
    """What an exception from connecting, or from a lost connection, means."""
    match error:
        case picows.WSHandshakeError(raw_header=bytes(header)) if answer := _ANSWER.match(header):
            # Read from the bytes, since picows knows neither HTTP/1.0 nor statuses of vendors.
            status, phrase = int(answer[1]), escape(answer[2].decode("latin-1").strip())
            if status == 101:
                return ConnectionFailure(f"the opening handshake failed: {error}")
            after = _RETRY_AFTER.search(header)
            said = f"the server answered {status} {phrase}".rstrip()
            if 200 <= status < 300:
                said += ", and is no WebSocket endpoint"
            words = words_of(error.raw_body or b"")
            if words.lower() not in said.lower():
                said += f": {words}"
            wait = _retry_after(after[1].decode("latin-1")) if after else 0.0
            too_often = status in _TOO_OFTEN or (wait > 0 and status in _MAYBE_TOO_OFTEN)
            return ConnectionFailure(
                said,
                permanent=status in _PERMANENT_STATUS and not too_often,
                retry_after=wait,
                too_often=too_often,
            )
        case OptionError():  # a secret or a certificate, which was good at the start
            return ConnectionFailure(f"{error.option}: {error.problem}")
        case ProxyFailed():
            return ConnectionFailure(error.reason, permanent=error.permanent)
        case WrongScheme():
            return ConnectionFailure(error.reason, permanent=error.permanent)
        case picows.WSInvalidURL():
            return ConnectionFailure(str(error), permanent=True)
        case picows.WSProtocolError():
            return ConnectionFailure(f"closed with code {error.code.value}: {error}")
        case picows.WSError():
            return ConnectionFailure(f"the opening handshake failed: {error}")
        case ssl.SSLCertVerificationError():
            return ConnectionFailure(
                f"its certificate is not trusted: {error.verify_message}; "
                "--ca-file names other authorities",
                permanent=True,
            )
        case ssl.SSLError():
            return ConnectionFailure(f"TLS failed: {getattr(error, 'reason', None) or error}")
        case TimeoutError():
            return ConnectionFailure("no answer in time")
        case socket.gaierror():
            return ConnectionFailure(f"the host name has no address: {error.strerror}")
        case ConnectionError() if not error.errno:
            return ConnectionFailure("the server broke the connection off")
        case OSError():
            if error.errno:  # what the loop says beside it differs from call to call
                return ConnectionFailure(os.strerror(error.errno))
            return ConnectionFailure(str(error) or type(error).__name__)
    return ConnectionFailure(f"{type(error).__name__}: {error}")


def _retry_after(value: str) -> float:
    """Seconds in a ``Retry-After`` header, a number or a date (RFC 9110, section 10.2.3).

    Venues write the time there at which a ban ends, too, in seconds or milliseconds.
    """
    try:
        if re.fullmatch(r"\s*\d+(\.\d*)?\s*", value, re.ASCII):
            seconds = float(value)
            if seconds > _LEAST_TIME_MS:
                seconds /= 1000
            if seconds > _LEAST_TIME:
                seconds -= time.time()
        else:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0
    return min(max(0.0, seconds), _MAX_RETRY_AFTER) if seconds <= _BELIEVABLE else 0.0
