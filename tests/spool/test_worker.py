from __future__ import annotations

import asyncio
import errno
import threading

from fastingest.spool.worker import Worker

LIMIT = 30.0


def test_jobs_are_done_in_order_by_one_thread_and_their_ends_told_to_the_loop() -> None:
    async def run() -> None:
        worker = Worker("spill")
        threads: list[threading.Thread] = []
        told: list[tuple[int, OSError | None, threading.Thread]] = []
        over = asyncio.Event()

        def end(number: int, error: OSError | None) -> None:
            told.append((number, error, threading.current_thread()))
            if len(told) == 3:
                over.set()

        for number in range(3):
            worker.do(
                lambda: threads.append(threading.current_thread()),
                lambda error, number=number: end(number, error),  # type: ignore[misc]
            )
        await asyncio.wait_for(over.wait(), LIMIT)
        assert told == [(number, None, threading.current_thread()) for number in range(3)]
        assert [thread.name for thread in threads] == ["spill"] * 3
        assert len(set(threads)) == 1
        assert threads[0].daemon

    asyncio.run(run())


def test_an_error_is_told_and_ends_nothing() -> None:
    async def run() -> None:
        worker = Worker("spill")

        def fail(error: Exception) -> None:
            raise error

        async def outcome(error: Exception) -> OSError | None:
            told: asyncio.Future[OSError | None] = asyncio.get_running_loop().create_future()
            worker.do(lambda: fail(error), told.set_result)
            return await asyncio.wait_for(told, LIMIT)

        full = OSError(errno.ENOSPC, "full")
        assert await outcome(full) is full
        strange = await outcome(ValueError("a bug"))
        assert strange is not None
        assert (strange.errno, strange.strerror) == (errno.EIO, "ValueError('a bug')")

    asyncio.run(run())
