"""Synthetic trades that look real, made fast. It does no I/O: a count in, WebSocket frames out.

A *lap* of trades is encoded once, and then sent again and again: what is left to do for a row is to
copy its bytes, or, where the rows are numbered, to join them with its number. Each symbol's prices
are a geometric random walk that ends where it began (a bridge), so that a lap joins onto the next
one without a jump.

Numbered rows are put together from three ready-made pieces: the trade up to its volume, the number
without its last four digits, and the last four. The pieces last for a *run* of rows: up to the next
multiple of 10,000, or the next power of ten, where the frames grow by a byte.
"""

from __future__ import annotations

import itertools
import math
import random
import string
from collections.abc import Iterator

__all__ = ["Market"]

_WELL_KNOWN = (  # noqa: SIM905 - as a list it would be fifty lines
    "AAPL MSFT NVDA AMZN GOOGL META TSLA AVGO BRK.B JPM LLY V UNH XOM MA COST HD PG JNJ NFLX "
    "ABBV CRM BAC ORCL KO CVX MRK AMD PEP WMT ADBE TMO LIN MCD CSCO ACN ABT IBM GE QCOM "
    "TXN INTU DIS CAT VZ AMGN PFE GS UBER BA"
).split()

_RUN = 10_000
# A multiple of _RUN, so that a run of numbered rows never straddles two laps; twice the largest
# number of symbols, so that each of them moves; and no longer, since a start waits for it.
_LAP = 2 * _RUN
_LARGEST_MOVE = 1e-3  # from one trade to the next, as a part of the price
# RFC 6455, section 5.2: a whole message of text, of a length that one byte can hold. A row has some
# 60 bytes.
_HEADERS = [bytes((0x81, length)) for length in range(126)]


class Market:
    """An endless tape of trades, as ready-made WebSocket frames of one JSON object each.

    :param symbols: how many instruments are traded: well-known ones first, then generated names.
    :param seed: the same seed makes the same walks, numbered or not.
    :param sequence: whether the volumes count 0, 1, 2, … instead of being round lots.
    """

    def __init__(self, symbols: int, seed: int = 0, *, sequence: bool = False) -> None:
        self._made = 0
        self._numbered = sequence
        rng = random.Random(seed)  # noqa: S311 - prices, not secrets
        heads = list(_heads(symbols, rng))
        if sequence:
            self._heads = heads
            self._framed: list[bytes] = []
            self._digits = 0
            self._last_four = [b"%04d}" % number for number in range(_RUN)]
        else:
            lots = [b"%d}" % (100 * (1 + int(rng.expovariate(0.3)))) for _ in range(1000)]
            payloads = map(bytes.__add__, heads, rng.choices(lots, k=_LAP))
            frames = [_HEADERS[len(payload)] + payload for payload in payloads]
            self._tape = b"".join(frames)
            self._offsets = list(itertools.accumulate(map(len, frames), initial=0))

    def frames(self, count: int) -> bytes:
        """The next ``count`` rows, each in a frame of its own."""
        pieces = []
        while count:
            start = self._made % _LAP
            run = min(count, _RUN - start % _RUN)
            if not self._numbered:
                pieces.append(self._tape[self._offsets[start] : self._offsets[start + run]])
            elif self._made < _RUN:
                pieces.extend(self._short_numbers(start, run))
            else:
                pieces.append(self._long_numbers(start, run))
            self._made += run
            count -= run
        return b"".join(pieces)

    def _short_numbers(self, start: int, run: int) -> Iterator[bytes]:
        for number in range(start, start + run):
            payload = b"%b%d}" % (self._heads[number], number)
            yield _HEADERS[len(payload)] + payload

    def _long_numbers(self, start: int, run: int) -> bytes:
        leading = b"%d" % (self._made // _RUN)
        if len(leading) != self._digits:
            self._digits = len(leading)
            extra = self._digits + len(self._last_four[0])
            self._framed = [_HEADERS[len(head) + extra] + head for head in self._heads]
        pieces = [leading] * (3 * run)
        pieces[::3] = self._framed[start : start + run]
        pieces[2::3] = self._last_four[start % _RUN : start % _RUN + run]
        return b"".join(pieces)


def _names() -> Iterator[str]:
    yield from _WELL_KNOWN
    for letters in itertools.product(string.ascii_uppercase, repeat=3):
        if (name := "".join(letters)) not in _WELL_KNOWN:
            yield name


def _walk(steps: int, rng: random.Random) -> list[float]:
    """A symbol's prices over a lap, of which the last leads back to the first."""
    start = math.exp(rng.uniform(math.log(20), math.log(500)))
    moves = [rng.uniform(-_LARGEST_MOVE, _LARGEST_MOVE) for _ in range(steps)]
    drift = math.fsum(moves) / steps
    return [start * math.exp(move) for move in itertools.accumulate(move - drift for move in moves)]


def _heads(symbols: int, rng: random.Random) -> Iterator[bytes]:
    """A lap of trades, each encoded up to where its volume begins."""
    order = [trade % symbols for trade in range(_LAP)]
    rng.shuffle(order)
    tapes = [
        (
            f'{{"symbol": "{name}", "price": '.encode(),
            iter(_walk(len(range(symbol, _LAP, symbols)), rng)),
        )
        for symbol, name in enumerate(itertools.islice(_names(), symbols))
    ]
    for symbol in order:
        begin, prices = tapes[symbol]
        yield b'%b%.2f, "volume": ' % (begin, next(prices))
