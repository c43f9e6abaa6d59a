"""websockets, json and csv: a thousand rows at a time.

python bench/peers/websockets_csv.py URL OUT ROWS
"""

import asyncio
import csv
import json
import sys

from websockets.asyncio.client import connect

COLUMNS = ["symbol", "price", "volume"]
BATCH = 1000


async def capture(url: str, out: str, rows: int) -> None:
    """Write the rows to a new file, until it has all of them or the server closes."""
    with open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        batch = []
        count = 0
        async with connect(url, proxy=None, compression=None) as websocket:
            async for message in websocket:
                row = json.loads(message)
                batch.append((row["symbol"], row["price"], row.get("volume")))
                count += 1
                if count == rows:
                    break
                if len(batch) >= BATCH:
                    writer.writerows(batch)
                    batch.clear()
        writer.writerows(batch)


asyncio.run(capture(sys.argv[1], sys.argv[2], int(sys.argv[3])))
