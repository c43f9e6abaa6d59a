"""What the load generator sends: synthetic rows, as frames, in blocks that are ready to be sent.

Rows come in one of the :data:`SHAPES`: ``record`` (a message each), ``array50`` (fifty records a
message), ``map`` (fifty members of ``{symbol: price}`` a message), or as venues send trades:
``binance`` (a combined stream), ``finnhub50`` (fifty a message), ``kraken`` (an array). They vary,
over 50 symbols, with 52 bytes to a record on average. A *numbered* row *n* has the volume
1,000,000,000 + *n*, so that it has ten digits without a leading zero, which JSON forbids, and a
reader can tell that none is missing; all records are then of one size.

A block is made once, and sent again and again: rows that are not numbered are the same in every
block. A record can have more members than the three: the same three again under other names, and
some padding that nobody asks for.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator, Sequence

__all__ = [
    "FIRST_NUMBER",
    "MEMBERS",
    "NAMES",
    "SHAPES",
    "blocks",
    "column_names",
    "frame",
    "members",
    "records",
]

FIRST_NUMBER = 1_000_000_000
MEMBERS = 50  # of a message with several rows
NAMES = ("symbol", "price", "volume")
Row = Callable[[str, str, int], str]
"""Makes the text of a row of its symbol, price and volume."""


def symbols(sizes: Sequence[int]) -> list[str]:
    """A synthetic symbol of each size, no two the same, for a map would lose one of them."""
    generator = random.Random(1)
    made: dict[str, None] = {}
    for index, size in enumerate(sizes):
        while len(made) == index:
            made["".join(generator.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ", k=size))] = None
    return list(made)


def records(rows: int, numbered: bool) -> list[tuple[str, str, int]]:
    """Symbol, price and volume of so many rows from the first one on."""
    generator = random.Random(2)
    names = symbols([4] * 50 if numbered else [2] * 3 + [3] * 12 + [4] * 28 + [5] * 7)
    made = []
    for index in range(rows):
        name = names[index % len(names)]
        if numbered:
            made.append((name, f"{generator.uniform(100, 999):.2f}", FIRST_NUMBER + index))
        else:
            price = f"{generator.lognormvariate(6, 1):.2f}"
            made.append((name, price, round(generator.lognormvariate(11.5, 2.5)) + 1))
    return made


def record(symbol: str, price: str, volume: int) -> str:
    """A row as an object."""
    return f'{{"symbol": "{symbol}", "price": {price}, "volume": {volume}}}'


def column_names(columns: int) -> list[str]:
    """The members of a record that has so many: the three, then ``symbol2``, ``price2``, ..."""
    repeats = range(1, columns // len(NAMES) + 2)
    return [f"{name}{n if n > 1 else ''}" for n in repeats for name in NAMES][:columns]


def larger_record(columns: int, padding: int) -> Row:
    """What makes a row an object of so many columns, three at least, and letters of padding."""
    names = column_names(columns)
    letters = random.Random(3).choices("abcdefghijklmnopqrstuvwxyz ", k=padding)
    end = f', "padding": "{"".join(letters)}"}}' if padding else "}"

    def row(symbol: str, price: str, volume: int) -> str:
        values = (f'"{symbol}"', price, volume)
        parts = (f'"{name}": {values[index % 3]}' for index, name in enumerate(names))
        return "{" + ", ".join(parts) + end

    return row


def member(symbol: str, price: str, volume: int) -> str:
    """A row as a member of a map, which has no place for the volume."""
    return f'"{symbol}": {price}'


def binance(symbol: str, price: str, volume: int) -> str:
    """A trade of Binance's combined streams."""
    return (
        f'{{"stream":"{symbol.lower()}@trade","data":{{"e":"trade","E":1672515782136,"s":"{symbol}"'
        f',"t":{volume},"p":"{price}","q":"{volume}","T":1672515782136,"m":true,"M":true}}}}'
    )


def finnhub(symbol: str, price: str, volume: int) -> str:
    """A trade of Finnhub's, of which a message has several."""
    return f'{{"c":["1"],"p":{price},"s":"{symbol}","t":1575526691134,"v":{volume}}}'


def kraken(symbol: str, price: str, volume: int) -> str:
    """A trade of Kraken's, version 1, of which a message has one here."""
    return f'[337,[["{price}","{volume}","1534614057.321597","s","l",""]],"trade","{symbol}/USD"]'


SHAPES: dict[str, tuple[Row, str, str]] = {
    "record": (record, "", ""),
    "array50": (record, "[", "]"),
    "map": (member, "{", "}"),
    "binance": (binance, "", ""),
    "finnhub50": (finnhub, '{"data":[', '],"type":"trade"}'),
    "kraken": (kraken, "", ""),
}
"""A row's text, and what stands around fifty of them; nothing where a message has one."""


def members(shape: str) -> int:
    """Rows in a message."""
    return MEMBERS if SHAPES[shape][1] else 1


def frames(
    made: Sequence[tuple[str, str, int]], shape: str, columns: int, padding: int
) -> list[bytes]:
    """The rows as text frames."""
    row, opening, closing = SHAPES[shape]
    if columns > len(NAMES) or padding:
        row = larger_record(columns, padding)
    parts = [row(*each) for each in made]
    groups = (parts[at : at + members(shape)] for at in range(0, len(parts), members(shape)))
    return [frame(opening + ", ".join(group) + closing) for group in groups]


def frame(text: str) -> bytes:
    """A text frame, unmasked (RFC 6455, section 5.2)."""
    payload = text.encode()
    if len(payload) < 126:
        return struct.pack("!BB", 0x81, len(payload)) + payload
    if len(payload) < 65536:
        return struct.pack("!BBH", 0x81, 126, len(payload)) + payload
    return struct.pack("!BBQ", 0x81, 127, len(payload)) + payload


def blocks(
    rows: int, block: int, shape: str, numbered: bool, *, columns: int = 3, padding: int = 0
) -> Iterator[tuple[bytearray, int]]:
    """What to send, with the number of rows in each piece; the last piece may be a smaller one.

    :param columns: members of a ``record``, three or more.
    :param padding: letters of one member more; 0: there is none.
    """
    made = records(min(rows, block), numbered)
    piece = bytearray().join(frames(made, shape, columns, padding))
    if numbered and rows >= block:
        yield from numbered_blocks(piece, members(shape), rows, block)
    else:
        for _ in range(rows // block):
            yield piece, block
    if rest := rows % block:
        last = frames(
            [
                (symbol, price, volume + (rows - rest if numbered else 0))
                for symbol, price, volume in made[:rest]
            ],
            shape,
            columns,
            padding,
        )
        yield bytearray().join(last), rest


def numbered_blocks(
    piece: bytearray, per_frame: int, rows: int, block: int
) -> Iterator[tuple[bytearray, int]]:
    """Whole blocks: one buffer, in which only the digits are rewritten that have changed.

    A block is a power of ten, so that the digits above it are the same in all of its rows. Frames
    are all of one size, so that one slice with a step reaches a digit in all of them.

    :param per_frame: rows in a frame.
    """
    count = block // per_frame
    size = len(piece) // count
    places = [
        piece.index(str(FIRST_NUMBER + index).encode(), 0, size) for index in range(per_frame)
    ]
    before = str(FIRST_NUMBER)
    for first in range(FIRST_NUMBER, FIRST_NUMBER + rows - rows % block, block):
        number = str(first)
        for digit, (old, new) in enumerate(zip(before, number, strict=True)):
            if old != new:
                for place in places:
                    piece[place + digit :: size] = new.encode() * count
        before = number
        yield piece, block
