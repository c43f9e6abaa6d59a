"""websockets, json and pandas: ten rows at a time, the script that everyone writes first.

python bench/peers/classic.py URL OUT ROWS
"""

import asyncio
import json
import sys

import pandas as pd
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK

COLUMNS = ["symbol", "price", "volume"]
BATCH = 10


async def capture(url: str, out: str, rows: int) -> None:
    """Append the rows to a new file, until it has all of them or the server closes."""
    pd.DataFrame(columns=COLUMNS).to_csv(out, index=False)
    batch = []
    async with connect(url, proxy=None) as websocket:
        try:
            for _ in range(rows):
                batch.append(json.loads(await websocket.recv()))
                if len(batch) >= BATCH:
                    append(batch, out)
                    batch = []
        except ConnectionClosedOK:
            pass
    if batch:
        append(batch, out)


def append(batch: list[dict[str, object]], out: str) -> None:
    """Write the rows at the file's end."""
    frame = pd.DataFrame(batch, columns=COLUMNS)
    frame.to_csv(out, mode="a", header=False, index=False)


asyncio.run(capture(sys.argv[1], sys.argv[2], int(sys.argv[3])))
