"""Messages told by themselves: the default, where no columns are described.

- An object that has at least one column's name among its members is a *record*, one row.
- An array is a list of records, a row for each.
- Any other object is a *map* of symbol to price, a row for each member, the volume empty; but not
  one whose only member is one of :data:`SIGNALS`: ``{"ping": 1795729903425}`` is no price.

A broken record (``{"price": 145.67}``, which lacks its symbol) is therefore never taken for a map
whose symbol is "price".

Records are the rows of :data:`fastingest.model.schema.TRADES`, read as those of any other table
(:mod:`fastingest.decode.feed_decoder`). What is here tells maps from them, and reads these. It is
stricter than a table with columns in what a person would miss: an array without a single object,
empty or not, and an object without members are rejects, whole. So is a map of which one member is
no price: half of a subscription reply such as ``{"result": null, "id": 1}`` must not become the row
``id,1``.
"""

from __future__ import annotations

from itertools import chain
from typing import Any

import msgspec

from fastingest.decode import shapes
from fastingest.decode.elements import is_empty, members_decoder
from fastingest.decode.number_types import Double
from fastingest.decode.reasons import Unfit, reason_of
from fastingest.decode.reference import DecodedMessage, ReferenceDecoder
from fastingest.decode.shapes import Columns, MessageShape
from fastingest.model.schema import TRADES, Schema

__all__ = ["SIGNALS", "RecordOrMap", "shape_of"]

SIGNALS = frozenset(
    {
        *("ping", "pong", "heartbeat", "hb", "id", "time", "ts", "timestamp", "seq", "sequence"),
        *("event", "type", "op", "channel", "code", "status", "error", "result", "success"),
    }
)
"""What feeds call the only member of a heartbeat or of a reply, in small letters as they do."""

_decode_map = msgspec.json.Decoder(dict[str, Double], strict=False).decode
_members = members_decoder(TRADES.names)
_NAMES = frozenset(TRADES.names)
_TOLD = _NAMES | SIGNALS


class RecordOrMap(ReferenceDecoder):
    """Tells what messages mean where no columns are described."""

    def of(self, text: bytes, raw: bytes) -> DecodedMessage:
        """As in :class:`ReferenceDecoder`."""
        if _is_map(text):
            return _map_of(text, raw)
        outcome = super().of(text, raw)
        if outcome.rows or not text.startswith(b"["):
            return outcome
        if is_empty(text):
            return DecodedMessage(rejects=[(raw, "an empty array holds no row")])
        bad = [element for element, _ in outcome.rejects]
        if bad == [raw] or any(element.startswith(b"{") for element in bad):
            return outcome
        return DecodedMessage(rejects=[(raw, "no element of the array is an object")])


def _is_map(text: bytes) -> bool:
    """Whether JSON is a map of symbol to price, or nothing."""
    return text.startswith(b"{") and not any(bytes(value) for _, value in _members(text))


def _map_of(text: bytes, raw: bytes) -> DecodedMessage:
    try:
        prices = _decode_map(text)
    except Unfit as error:
        reason = f"no record (none of {', '.join(TRADES.names)}), and no map of symbol to price: "
        return DecodedMessage(rejects=[(raw, reason + reason_of(error))])
    if not prices:
        return DecodedMessage(rejects=[(raw, "an empty object holds no row")])
    if _is_signal(prices):
        reason = f"its only member is {next(iter(prices))!r}, which is no symbol"
        return DecodedMessage(rejects=[(raw, reason)])
    return DecodedMessage(rows=[(symbol, price, None) for symbol, price in prices.items()])


def _is_signal(prices: dict[str, Any]) -> bool:
    return len(prices) == 1 and not SIGNALS.isdisjoint(prices)


def shape_of(schema: Schema, sample: bytes) -> MessageShape | None:
    """As :func:`fastingest.decode.shapes.shape_of`, where no columns are described."""
    if _is_map(sample.strip()):
        return _Maps()
    shape = shapes.shape_of(schema, sample)
    return None if shape is None else _Records(shape)


class _Maps(MessageShape):
    """Maps, of which each has a member."""

    name = "map"
    decode = staticmethod(_decode_map)

    def columns(self, parsed: list[Any]) -> Columns | None:
        symbols = list(chain.from_iterable(parsed))
        if not all(parsed):
            return None
        if not _TOLD.isdisjoint(symbols) and (
            not _NAMES.isdisjoint(symbols) or any(map(_is_signal, parsed))
        ):
            return None
        prices = list(chain.from_iterable(map(dict.values, parsed)))
        return Columns([symbols, prices, [None] * len(symbols)], list(map(len, parsed)))


class _Records(MessageShape):
    """Records, of which an array has at least one."""

    def __init__(self, shape: MessageShape) -> None:
        self.name, self.decode, self.lenient = shape.name, shape.decode, shape.lenient
        self._columns = shape.columns

    def columns(self, parsed: list[Any]) -> Columns | None:
        run = self._columns(parsed)
        return None if run is None or run.ignored else run
