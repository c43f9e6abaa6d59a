"""Row number *n*, wherever it is sent or checked: a test recomputes what a server must have sent.

``ws_server.mjs`` makes the same rows in JavaScript; ``test_peers.py`` holds the two equal.
"""

from __future__ import annotations

__all__ = ["SYMBOLS", "message", "row"]

SYMBOLS = ("AAPL", "MSFT", "GOOG", "AMZN", "BRK.B", "MÜV2", "TSLA")
"""One has a dot; one has a letter outside ASCII, which fragments may split between its bytes."""


def row(n: int) -> tuple[str, float, int]:
    """Symbol, price and volume of row ``n``. The price is the double nearest to ``n`` cents."""
    return SYMBOLS[n % len(SYMBOLS)], n / 100, n


def message(n: int) -> str:
    """Row ``n`` as a JSON record. The price always has two decimals, ``1.00`` too."""
    symbol = SYMBOLS[n % len(SYMBOLS)]
    return f'{{"symbol": "{symbol}", "price": {n // 100}.{n % 100:02d}, "volume": {n}}}'
