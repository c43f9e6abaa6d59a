"""A receiver process: one event loop, and what it wires together.

::

    Connection ──frames──▶ Listener ──messages──▶ Intake ──batches──▶ Sender ══▶ writer
              one or more for each feed                      one for each output

No call here waits, and the only other thread is the spool's: sockets are read and pings answered
whatever the writer is doing. When the outbox is full, ``--when-full`` says what becomes of the
feed; that is the only thing that the writer can do to it.

The control channel leads to the supervisor: events for its log go up, commands come down, and
nothing is connected before ``Go``. ``Stop`` ends the run once everything is acknowledged; ``Save``
ends it at once, with all that is not acknowledged on disk, or does so for one of its outputs, while
the others go on. A message that is no command for a receiver ends the process, as any fault does.
When the channel breaks, the supervisor is gone; the receiver then ends as if told to, but within a
bound. What is left in the spool is for the next start.

The pipes to the writer, one for each output, come over a socket of their own, and others each time
that there is another writer. Connections to the feeds know nothing of it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from fastingest.config.settings import Settings
from fastingest.decode.factory import decoder_of
from fastingest.errors import FeedRefused
from fastingest.metrics.counters import FeedCounters
from fastingest.model.batch import Batch
from fastingest.model.event import Event
from fastingest.model.feed import Feed
from fastingest.native.factory import layout_problem
from fastingest.receiver.capture import Capture, Surroundings
from fastingest.receiver.delivery import Delivery
from fastingest.receiver.events import PipeUnusable, ReceivingEnded
from fastingest.receiver.stale_watch import StaleWatch
from fastingest.receiver.turns import Turns
from fastingest.runtime.assignment import Assignment
from fastingest.runtime.control import (
    FeedRefusal,
    Finished,
    Full,
    Go,
    Notice,
    PipeBroke,
    Report,
    Save,
    Stop,
    Turn,
    UnknownMessage,
    command_from,
    encode,
)
from fastingest.runtime.events import InternalError, NativeUnused
from fastingest.runtime.process_setup import (
    ORPHAN_LIMIT,
    allow_many_files,
    keep_memory,
    let_enums_be_fast,
    show_name,
)
from fastingest.source.base import Source
from fastingest.source.gap import Outage
from fastingest.source.intake import Intake, Limit
from fastingest.source.loop import ReceiverLoop
from fastingest.transport.pipe.channel import Channel
from fastingest.transport.pipe.fd_passing import receive_pipe
from fastingest.transport.pipe.uplink import PipeUplink
from fastingest.transport.pipe.wiring import PipeEnd

__all__ = ["main"]


def main(
    options: Settings,
    plan: Assignment,
    control: PipeEnd,
    *,
    pipes: socket.socket,
) -> None:
    """Receive until told to stop; the target of a receiver process.

    :param options: the run's settings.
    :param plan: what this receiver has to do.
    :param control: to the supervisor.
    :param pipes: brings the pipes to the writer.
    """
    show_name("receiver")
    allow_many_files()
    keep_memory()
    let_enums_be_fast()
    try:
        with asyncio.Runner(loop_factory=ReceiverLoop) as runner:
            runner.run(_Receiver(options, plan).run(pipes, control))
    except BaseException:
        _end_at_fault()


def _end_at_fault() -> None:
    """End the process, with the exception that is handled on the standard error output."""
    traceback.print_exc()
    sys.stderr.flush()
    os._exit(1)  # as at the end of a run: an exit would wait for threads


class _Receiver:
    def __init__(self, options: Settings, plan: Assignment) -> None:
        self._options = options
        self._plan = plan
        self._turns = Turns(self._tell)
        self._saves = {number: asyncio.Event() for number in plan.shares}
        self._go = asyncio.Event()
        self._waiting_outputs: set[int] = set()  # for which nothing is received
        self._has_been_full = False
        self._sources: dict[str, Source] = {}  # by the feeds' names
        self._intakes: list[Intake] = []
        self._stale_watches: dict[str, StaleWatch] = {}  # of the feeds that have a limit
        self._outputs_of: dict[str, set[int]] = {}  # where each feed goes
        self._joining: set[asyncio.Task[None]] = set()

    async def run(self, pipes: socket.socket, control: PipeEnd) -> None:
        # Everything so far lives as long as the process; the collector need not look at it again.
        gc.collect()
        gc.freeze()
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unexpected)
        self._senders = {
            number: Delivery(
                self._options,
                self._plan.stream,
                share,
                feed=next(f.name for f in self._plan.feeds if f.name in share.target.tables),
                parts=self._plan.parts,
                report=self._report,
                broken=partial(self._tell, PipeBroke(self._plan.stream)),
                full=partial(self._full, number),
            )
            for number, share in self._plan.shares.items()
        }
        # A receiver that follows on one that died takes the rows that are left to take.
        self._limit = Limit(self._options.max_rows)
        if self._limit.left is not None:
            shares = self._plan.shares.values()
            taken = sum(each.rows_received for share in shares for each in share.counters.feeds)
            self._limit.left = max(0, self._limit.left - taken)
        problem = layout_problem() if self._plan.native else None
        around = Surroundings(
            self._options,
            native=self._plan.native and problem is None,
            is_one_of_many=self._plan.is_one_of_many,
            limit=self._limit,
            queues=self._turns.queues(self._options.receivers if self._plan.is_one_of_many else 1),
            tell=self._tell,
            finished=self._finish,
        )
        for feed in self._plan.feeds:
            capture = self._capture_of(feed, around)
            self._sources[feed.name] = capture.source
            self._intakes.append(capture.intake)
            if capture.stale_watch is not None:
                self._stale_watches[feed.name] = capture.stale_watch
        self._to_supervisor = await Channel.open(control, self._on_message, self._on_orphaned)
        if problem is not None:
            self._report(NativeUnused(problem))
        for sender in self._senders.values():
            sender.begin()
        pipes.setblocking(False)
        loop.add_reader(pipes, self._on_pipe, pipes)
        await self._go.wait()
        for name, watch in self._stale_watches.items():
            watch.begin(self._sources[name])
        if self._limit.left == 0:
            self._finish()
        await asyncio.gather(*map(self._capture, self._sources))
        unacknowledged = sum(sender.unacknowledged for sender in self._senders.values())
        self._report(ReceivingEnded(unacknowledged))
        for intake in self._intakes:
            intake.stop()
        for watch in self._stale_watches.values():
            watch.end()
        await asyncio.gather(
            *(sender.finish(self._saves[number]) for number, sender in self._senders.items())
        )
        await self._to_supervisor.close()
        # At once: a name look-up that hangs has a thread of libuv's, which an exit would wait for.
        os._exit(0)

    def _capture_of(self, feed: Feed, around: Surroundings) -> Capture:
        """What captures a feed."""
        targets = [
            next(
                (number, share)
                for number, share in self._plan.shares.items()
                if table in share.target.tables.get(feed.name, ())
            )
            for table in range(len(feed.tables))
        ]
        of_output = {number: share.counters.of(feed.name) for number, share in targets}
        counters = FeedCounters([of_output[number] for number, _ in targets])
        emits: list[Callable[[Batch], None]] = [self._senders[n].emit for n, _ in targets]
        self._outputs_of[feed.name] = {number for number, _ in targets}
        decoder = decoder_of(feed, self._options.batch_size)
        for table, each in zip(decoder.tables, counters.tables, strict=True):
            table.first = each.rows_received + 1
            if self._options.escape_formulas:
                table.escape_formulas()
        before = self._plan.lines.get(feed.name, {})
        return Capture(feed, around, decoder=decoder, counters=counters, emits=emits, before=before)

    async def _capture(self, feed: str) -> None:
        since = self._plan.gaps.get(feed)
        try:
            await self._sources[feed].run(since and Outage(*since))
        except FeedRefused as error:
            self._tell(FeedRefusal(error.url, error.problem))
            self._stop_all()

    def _stop_all(self) -> None:
        for source in self._sources.values():
            source.stop()

    def _on_pipe(self, pipes: socket.socket) -> None:
        pipe, fields = receive_pipe(pipes)
        if pipe is not None:
            joining = asyncio.create_task(self._join(self._senders[fields[0]], pipe))
            self._joining.add(joining)
            joining.add_done_callback(self._joining.discard)
        elif fields:
            self._report(PipeUnusable("too many open files"))
            self._tell(PipeBroke(self._plan.stream))

    async def _join(self, sender: Delivery, pipe: PipeEnd) -> None:
        uplink = PipeUplink(self._plan.stream, sender)
        sender.join(uplink)
        try:
            await uplink.open(pipe)
        except OSError as error:
            self._report(PipeUnusable(error.strerror or str(error)))
            self._tell(PipeBroke(self._plan.stream))

    def _full(self, output: int, is_full: bool, is_exposed: bool) -> None:
        """Do with the feeds as --when-full says; dropping is done by the sender.

        :param is_exposed: the output has a batch that only this process has. Where it is not full,
            that is kept somewhere in a moment, and nothing is received meanwhile.
        """
        when_full = self._options.when_full
        if is_full and when_full == "exit" and not self._has_been_full:
            self._has_been_full = True
            self._tell(Full())
            # Not from here: the listener may be in the middle of handing on its batches.
            asyncio.get_running_loop().call_soon(self._stop_all)
        must_wait = when_full == "block" if is_full else is_exposed
        if not must_wait and output not in self._waiting_outputs:
            return
        if must_wait:  # again and again: a connection may be a new one
            self._waiting_outputs.add(output)
        else:
            self._waiting_outputs.remove(output)
        for feed, source in self._sources.items():
            if self._outputs_of[feed] & self._waiting_outputs:
                source.pause()
            else:
                source.resume()

    def _finish(self) -> None:
        self._tell(Finished())
        self._stop_all()

    def _on_message(self, message: bytes) -> None:
        try:
            self._obey(message)
        except UnknownMessage:
            _end_at_fault()

    def _obey(self, message: bytes) -> None:
        match command_from(message):
            case Go():
                pass
            case Turn() as turn:
                self._turns.answered(turn)
            case Stop():
                self._stop_all()
            case Save(output):
                self._stop_all()
                for number, save in self._saves.items():
                    if output in (None, number):
                        save.set()
            case command:
                raise UnknownMessage(f"no command for a receiver: {command}")
        self._go.set()

    def _on_orphaned(self) -> None:
        asyncio.get_running_loop().call_later(ORPHAN_LIMIT, os._exit, 1)
        self._stop_all()
        self._go.set()

    def _unexpected(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """An exception that met nobody: a bug, here or in a library; the connection it hit ends."""
        error = context.get("exception")
        trace = "".join(traceback.format_exception(error)) if error else ""
        for source in self._sources.values():
            trace = source.redactor.hide(trace)
        self._report(InternalError(context["message"], trace))

    def _report(self, event: Event) -> None:
        self._tell(Report.of(event))

    def _tell(self, notice: Notice) -> None:
        self._to_supervisor.send(encode(notice))
