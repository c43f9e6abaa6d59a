"""picows, msgspec and csv, on uvloop, in one process: the rows of one read at a time.

python bench/peers/picows_msgspec.py URL OUT ROWS
"""

import csv
import sys
from operator import attrgetter
from typing import TextIO

import msgspec
import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

COLUMNS = ("symbol", "price", "volume")
BATCH = 1000


class Row(msgspec.Struct, gc=False):
    """A row as it comes."""

    symbol: str
    price: float
    volume: int | float | None = None


class Capture(WSListener):
    """Writes the rows to a file, until it has all of them."""

    def __init__(self, file: TextIO, rows: int) -> None:
        self.writer = csv.writer(file, lineterminator="\n")
        self.writer.writerow(COLUMNS)
        self.missing = rows
        self.decode = msgspec.json.Decoder(Row).decode
        self.cells = attrgetter(*COLUMNS)
        self.batch: list[Row] = []

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a message; write those of one read together."""
        if frame.msg_type == WSMsgType.TEXT and self.missing:
            self.batch.append(self.decode(frame.get_payload_as_memoryview()))
            self.missing -= 1
            if not self.missing:
                self.flush()
                transport.disconnect()
            elif frame.last_in_buffer or len(self.batch) >= BATCH:
                self.flush()
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()

    def flush(self) -> None:
        """Write the rows that are there."""
        self.writer.writerows(map(self.cells, self.batch))
        self.batch.clear()


async def capture(url: str, out: str, rows: int) -> None:
    """Write the rows to a new file, until it has all of them or the server closes."""
    with open(out, "w", newline="", encoding="utf-8") as file:
        listener = Capture(file, rows)
        transport, _ = await ws_connect(lambda: listener, url)
        await transport.wait_disconnected()
        listener.flush()


uvloop.run(capture(sys.argv[1], sys.argv[2], int(sys.argv[3])))
