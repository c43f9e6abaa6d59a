"""The writer process: batch → frame → append → acknowledge. It may block; that is what it is for.

It lives until the receiver closes the pipe, and then has written all there was: whoever dies first,
nothing that reached the pipe is left in it. The control connection says that the supervisor is
still there. Without it the writer ends as well, once the pipe is closed or ``ORPHAN_LIMIT`` is
over, whichever comes first.
"""

from __future__ import annotations

import contextlib
import gc
import os
import threading
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

import msgspec

from fastingest.batch import Batch, Reject
from fastingest.child import ORPHAN_LIMIT, show_name
from fastingest.counters import Counters, Slot
from fastingest.errors import OutputRefused, WriteFailed
from fastingest.schema import TRADES, Schema
from fastingest.writer.csv_file import CsvFile, OutputLock
from fastingest.writer.quarantine import Quarantine

__all__ = ["main"]


def main(out: Path, pipe: Connection, control: Connection, block: Any, lock: OutputLock) -> None:
    """Write batches until the pipe is closed; the target of the writer process.

    :param out: the CSV file.
    :param pipe: from the receiver; acknowledgements go back on it.
    :param control: to the supervisor.
    :param block: the shared counters.
    :param lock: the output's; this process holds it for as long as it lives.
    """
    show_name("writer")
    # One thread writes a batch faster than several share it, and a pool's memory is not needed.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    try:
        writer = _Writer(out, TRADES, Counters(block), control)
        writer.serve(pipe)
        writer.close()
    except OutputRefused as error:
        _tell(control, "output refused", str(error.path), error.problem)
    except WriteFailed as error:
        _tell(control, "write failed", str(error.path), error.problem)


def _tell(control: Connection, *message: Any) -> None:
    # Where the supervisor is gone, the exit status and the files tell the rest.
    with contextlib.suppress(OSError):
        control.send_bytes(msgspec.msgpack.encode(message))


class _Writer:
    def __init__(self, out: Path, schema: Schema, counters: Counters, control: Connection) -> None:
        from fastingest.writer.table import (
            to_frame,
        )  # polars is not for the processes that only talk

        self._to_frame = to_frame
        self._schema = schema
        self._counters = counters
        self._control = control
        self._file = CsvFile(out, schema.header)
        self._quarantine = Quarantine(out)
        if self._file.torn:
            torn = Reject(time.time_ns(), "torn last line of the file", self._file.torn)
            self._quarantine.add([torn])
            self._file.cut_torn()
            facts = {"bytes": len(torn.raw), "kept_in": str(self._quarantine.path)}
            _tell(control, "log", "warning", "cut off a torn last line", facts)
        counters[Slot.FILE_SIZE] = self._file.size
        gc.collect()
        gc.freeze()
        _tell(control, "ready")

    def serve(self, pipe: Connection) -> None:
        """Commit what comes through the pipe until the other end closes it."""
        watched = [pipe, self._control]
        while True:
            ready = wait(watched)
            if self._control in ready:  # nothing is ever sent on it, so this is its end
                watched.remove(self._control)
                self._end_within(ORPHAN_LIMIT)
            if pipe in ready:
                try:
                    message = pipe.recv_bytes()
                except (EOFError, OSError):  # an OSError where it ends in the middle of a message
                    return
                batch = Batch.from_bytes(message)
                self._commit(batch)
                # Where the receiver is gone, what it had sent is still to be read.
                with contextlib.suppress(ConnectionError):
                    pipe.send_bytes(msgspec.msgpack.encode((batch.stream, batch.sequence)))

    def _commit(self, batch: Batch) -> None:
        if batch.rows:
            self._file.append(self._to_frame(self._schema, batch.columns()))
            self._counters[Slot.FILE_SIZE] = self._file.size
            self._counters.add(Slot.WRITTEN, batch.rows)
            self._measure(batch)
        if batch.rejects:
            self._quarantine.add(batch.rejects)
            self._counters.add(Slot.QUARANTINED, len(batch.rejects))

    def _measure(self, batch: Batch) -> None:
        now = time.time_ns()
        start = 0
        for end, received in batch.stamps:
            self._counters.latency.add(now - received, end - start)
            start = end
        oldest = now - batch.stamps[0][1]
        self._counters[Slot.LATENCY_MAX] = max(self._counters[Slot.LATENCY_MAX], oldest)

    @staticmethod
    def _end_within(seconds: float) -> None:
        timer = threading.Timer(seconds, os._exit, (1,))
        timer.daemon = True  # it must not keep a writer alive that is done before
        timer.start()

    def close(self) -> None:
        self._file.close()
        self._quarantine.close()
