"""Pings of a server that want an answer, and the answers."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

__all__ = ["KNOWN", "pong_of", "pongs_of_texts"]

_TEXTS = {"ping": "pong", "Ping": "Pong", "PING": "PONG"}
_SOCKET_IO = re.compile(rb'0\{"sid":')  # its first message, Engine.IO's "open"

_CRYPTO_COM = ("$.method=public/heartbeat",)
_DERIBIT = ("$.method=heartbeat", "$.params.type=test_request")
KNOWN = {
    _CRYPTO_COM: '{"id":{$.id},"method":"public/respond-heartbeat"}',
    _DERIBIT: '{"jsonrpc":"2.0","id":0,"method":"public/test"}',
}
"""What two venues want to be answered, each to a message that looks like a mere sign of life."""


def pongs_of_texts(messages: Sequence[bytes]) -> dict[str, str]:
    """What is answered to those of the messages that are no JSON objects."""
    pongs = dict(_TEXTS)
    if any(map(_SOCKET_IO.match, messages[:5])):
        pongs["2"] = "3"
    return {ping: pong for ping, pong in pongs.items() if ping.encode() in messages}


def pong_of(ping: Mapping[str, Any], names: Collection[str]) -> dict[tuple[str, ...], str]:
    """What is answered to a ping, if that is known: what it holds goes back with it.

    :param names: the members of what we have sent; empty: nothing is known of that.
    """
    if "ping" in ping:
        more = [name for name in ping if name != "ping"]
        parts = ['"pong":{$.ping}', *(f"{json.dumps(name)}:{{$.{name}}}" for name in more)]
        return {("$.ping",): "{" + ",".join(parts) + "}"}
    verb = next(name for name, said in ping.items() if str(said).lower() == "ping")
    if (
        len(ping) < 2
        or (names and verb not in names)
        or not all(re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) for name in ping)
    ):
        return {}  # it may be a mere sign of life
    pong = "PONG" if ping[verb] == "PING" else "pong"
    parts = [
        f"{json.dumps(name)}:" + (f'"{pong}"' if name == verb else f"{{$.{name}}}") for name in ping
    ]
    return {(f"$.{verb}={ping[verb]}",): "{" + ",".join(parts) + "}"}
