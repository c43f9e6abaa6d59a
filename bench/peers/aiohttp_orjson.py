"""aiohttp, orjson and csv, on uvloop: a thousand rows at a time.

python bench/peers/aiohttp_orjson.py URL OUT ROWS
"""

import csv
import sys

import aiohttp
import orjson
import uvloop

COLUMNS = ["symbol", "price", "volume"]
BATCH = 1000


async def capture(url: str, out: str, rows: int) -> None:
    """Write the rows to a new file, until it has all of them or the server closes."""
    with open(out, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        batch = []
        count = 0
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(url, decode_text=False) as websocket,  # orjson takes the bytes
        ):
            async for message in websocket:
                row = orjson.loads(message.data)
                batch.append((row["symbol"], row["price"], row.get("volume")))
                count += 1
                if count == rows:
                    break
                if len(batch) >= BATCH:
                    writer.writerows(batch)
                    batch.clear()
        writer.writerows(batch)


uvloop.run(capture(sys.argv[1], sys.argv[2], int(sys.argv[3])))
