"""How venues refuse that reply in a certain way, as far as one can tell from the reply.

``{"success": true}`` becomes ``{"success": false}``, and where ``event`` is ``subscribe`` it is
``error``. These are guesses, to be kept or taken out by who reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fastingest.probe.message_kinds import Said

__all__ = ["refusals_like"]


def refusals_like(beginning: str, reply: Said, raw: bytes) -> Iterator[tuple[str, ...]]:
    """What a refusal is like where a reply is so."""
    said = dict(each.split("=", 1) for each in reply.conditions if "=" in each)
    about = [f"{beginning}{each}" for each in reply.conditions if _says_what(each)]
    if "success" in said and said["success"] == "true":
        yield (f"{beginning}success=false",)
        return
    if "status" in said and not said["status"].isdigit():
        yield (*about, f"{beginning}status={_no(said['status'])}")
    is_numbered = bool(reply.ident) and not about
    is_result = b'"result"' in raw or said.get("status", "").isdigit()
    if (is_numbered and is_result) or re.search(rb'"error"\s*:\s*null', raw):
        yield (f"{beginning}error",)
    if b'"jsonrpc"' in raw and re.search(rb'"result"\s*:\s*\[\s*"', raw):
        yield (f"{beginning}id={reply.ident}", f"{beginning}result=[]")
    for name in ("event", "type", "channel", "T"):
        text = said.get(name, "")
        if text and "status" not in text.lower() and "error" not in raw.decode(errors="replace"):
            prefix = text.rpartition(":")[0]
            yield (f"{beginning}{name}={prefix + ':' if prefix else ''}error",)
    for name in ("event",):
        if "status" in said.get(name, "").lower():  # Kraken's subscriptionStatus
            yield (f"{beginning}{name}=error",)
    for name in ("code", "retCode"):
        if said.get(name) in ("0", "00000", "200") and about:
            yield (*about, f"{beginning}{name} exists", f"{beginning}{name}!={said[name]}")


def _says_what(condition: str) -> bool:
    """Whether it says to what kind of command a message is the answer."""
    return condition.partition("=")[0] in (
        *("event", "type", "op", "method", "channel", "action", "cmd", "command", "T", "ev"),
    )


def _no(yes: str) -> str:
    """The status that is the contrary of one."""
    return "auth_failed" if yes == "auth_success" else "error"
