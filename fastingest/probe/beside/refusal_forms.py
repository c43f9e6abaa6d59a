"""How venues refuse that reply in a certain way, as far as one can tell from the reply.

``{"success": true}`` becomes ``{"success": false}``, and where ``event`` is ``subscribe`` it is
``error``. These are guesses, to be kept or taken out by who reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastingest.probe.beside.message_kinds import Said

__all__ = ["refusals_like"]


def refusals_like(beginning: str, reply: Said, raw: bytes) -> Iterator[tuple[str, ...]]:
    """What a refusal is like where a reply is so."""
    said = dict(each.split("=", 1) for each in reply.conditions if "=" in each)
    about = [f"{beginning}{each}" for each in reply.conditions if _says_what(each)]
    if "success" in said and said["success"] == "true":
        yield (f"{beginning}success=false",)
        if b'"request"' in raw:
            yield (f"{beginning}error",)
        return
    if "status" in said and not said["status"].isdigit():
        yield (*about, f"{beginning}status={_no(said['status'])}")
    is_numbered = bool(reply.ident) and not about
    is_result = b'"result"' in raw or said.get("status", "").isdigit()
    if (is_numbered and is_result) or re.search(rb'"error"\s*:\s*null', raw):
        yield (f"{beginning}error",)
    if b'"jsonrpc"' in raw and re.search(rb'"result"\s*:\s*\[\s*"', raw):
        yield (f"{beginning}id exists", f"{beginning}result=[]")
    for name in ("event", "type", "channel", "T"):
        text = said.get(name, "")
        if text and "status" not in text.lower() and "error" not in raw.decode(errors="replace"):
            prefix = text.rpartition(":")[0]
            yield (f"{beginning}{name}={prefix + ':' if prefix else ''}error",)
    if "status" in said.get("event", "").lower():  # Kraken's subscriptionStatus
        yield (f"{beginning}event=error",)
    if said.get("channel") == "subscriptions":  # Coinbase's, whose errors have no channel
        yield (f"{beginning}type=error",)
    for name in ("code", "retCode"):
        if said.get(name) in ("0", "00000", "200"):
            is_no = (f"{beginning}{name} exists", f"{beginning}{name}!={said[name]}")
            words = [each for each in ("msg", "message") if f'"{each}"'.encode() in raw]
            if about or words:
                yield (*about, *is_no, *(f"{beginning}{each} exists" for each in words))


def _says_what(condition: str) -> bool:
    """Whether it says to what kind of command a message is the answer."""
    return condition.partition("=")[0] in (
        *("event", "type", "op", "method", "channel", "action", "cmd", "command", "T", "ev"),
    )


def _no(yes: str) -> str:
    """The status that is the contrary of one."""
    return "auth_failed" if yes == "auth_success" else "error"
