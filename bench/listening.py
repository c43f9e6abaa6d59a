"""One listener in a process of its own, which takes one feed and gives nobody the batches.

    python -m bench.listening --url ws://127.0.0.1:9000/ --shape record --native

It is a receiver without its sender: the same event loop, connection and listener. Its time begins
with the second read, since the load generator makes what it sends when it has a client. When the
server has ended the connection, it says as one JSON line on stdout: ``rows`` in all, ``rejected``,
``timed``, which are the rows since then, ``seconds`` that these took, ``cpu_seconds`` of them, and
``peak``, of memory, in MiB, where the system tells (that of getrusage would be the parent's).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import time

import picows

from bench.end_to_end import COLUMNS
from bench.process import Sampler
from bench.samples import feed_of
from fastingest import Options
from fastingest.access.secrets import Redactor
from fastingest.decode.factory import decoder_of
from fastingest.metrics.counters import Counters, FeedCounters, Slot
from fastingest.native.factory import reader_of
from fastingest.runtime.process_setup import let_enums_be_fast
from fastingest.source.connector import Connector
from fastingest.source.intake import Intake
from fastingest.source.listener import Listener
from fastingest.source.loop import ReceiverLoop

__all__ = ["main"]


async def listen(url: str, shape: str, is_native: bool) -> dict[str, float]:
    """Take a feed to its end; what it says of that."""
    options, feed = Options(url=url), feed_of(shape, url)
    counters = Counters.create()
    intake = Intake(
        decoder_of(feed, options.batch_size),
        FeedCounters([counters]),
        emit=lambda batch: None,
        finished=lambda: None,
        flush_interval=options.flush_interval,
    )
    listener = Listener(
        intake,
        max_message_size=options.max_message_size,
        make_reader=reader_of(feed) if is_native else None,
    )
    opening = Connector(feed, listener, options.max_message_size, Redactor())
    gc.collect()
    gc.freeze()
    transport, _ = await opening.open()
    while listener.is_connected and not listener.reads:
        await asyncio.sleep(0)
    started, cpu_started = time.perf_counter(), time.process_time()
    before = counters.rows_received
    with contextlib.suppress(picows.WSError):  # it is how some ends are told
        await transport.wait_disconnected()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started
    said: dict[str, float] = {
        "rows": counters.rows_received,
        "rejected": counters[Slot.REJECTED],
        "timed": counters.rows_received - before,
        "seconds": round(seconds, 6),
        "cpu_seconds": round(cpu_seconds, 6),
    }
    with contextlib.suppress(OSError):  # there is no /proc
        said["peak"] = Sampler(os.getpid()).read(os.getpid()).peak
    return said


def main() -> None:
    """Listen, and say what it took."""
    parser = argparse.ArgumentParser(prog="python -m bench.listening")
    parser.add_argument("--url", required=True)
    parser.add_argument("--shape", choices=tuple(COLUMNS), default="record")
    parser.add_argument("--native", action="store_true", help="by the native listener")
    options = parser.parse_args()
    let_enums_be_fast()
    with asyncio.Runner(loop_factory=ReceiverLoop) as runner:
        print(json.dumps(runner.run(listen(options.url, options.shape, options.native))))


if __name__ == "__main__":
    main()
