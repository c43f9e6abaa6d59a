"""Starts runs of the command in a tenth of the time: in forks of a process that has it imported.

The campaign makes thousands of runs, and a second of processor time for each would go into starting
Python three times. So one process, under the shim, imports everything, and each run is a fork of
it. The run's own children, which ``multiprocessing`` starts with *spawn*, are forks of the run's
supervisor in which everything is closed that a spawned process would not get; what runs there is
what would run in the spawned one. A fault that is found so can be looked at in a real run
(``--real``).

On stdin comes a request, a JSON line, for one run after another; on stdout goes ``{"pid": …}`` when
it has begun, in a process group of its own, and ``{"status": …}``, negative for a signal, when its
supervisor has ended.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import logging
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from multiprocessing import util
from typing import Any, NoReturn

__all__ = ["arm", "not_counted"]


def arm(paths: Sequence[str], plan: str, log: str, *, trace: bool = False) -> None:
    """Have the shim, which this process must be under, follow this plan from now on."""
    shim_arm = ctypes.CDLL(None).shim_arm
    shim_arm.restype = None
    shim_arm(":".join(paths).encode(), plan.encode(), log.encode(), int(trace))


@contextlib.contextmanager
def not_counted() -> Iterator[None]:
    """What is done meanwhile is not the program's, and the shim lets it pass."""
    shim_pause = ctypes.CDLL(None).shim_pause
    shim_pause.restype = None
    shim_pause(1)
    yield
    shim_pause(0)


def _import_everything() -> None:
    # Before polars starts its threads, of which there are none in a fork; it starts them when it
    # first has anything to do.
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
    for name in (
        "fastingest.__main__",
        "fastingest.cli.commands",
        "fastingest.receiver.process",
        "fastingest.writer.process",
        "fastingest.format.csv",
        "nanoarrow",
        "picows",
        "polars",
        "rich.live",
        "uvloop",
    ):
        importlib.import_module(name)
    with contextlib.suppress(ImportError):
        importlib.import_module("fastingest.native._listener")


def _fork_instead(path: bytes, args: Sequence[Any], passfds: Sequence[int]) -> int:
    """What ``multiprocessing.util.spawnv_passfds`` does, without another interpreter."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        _forget({0, 1, 2, *map(int, passfds)})
        at = list(args).index("-c")
        sys.argv = ["-c", *map(str, args[at + 2 :])]
        exec(args[at + 1], {"__name__": "__main__"})
        status = 0
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.flush()
        os._exit(status)


def _forget(kept: set[int]) -> None:
    """Of the process that this is a fork of: what would not outlive ``exec``."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):  # that of the listing itself
                os.close(int(name))
    for logger in (logging.getLogger(), logging.getLogger("fastingest")):
        logger.handlers.clear()


def _run(request: dict[str, Any]) -> NoReturn:
    """In the fork: be the command."""
    os.setsid()
    for descriptor, name, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, request["stdout"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, request["stderr"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, descriptor)
        os.close(opened)
    util.spawnv_passfds = _fork_instead
    sys.argv = ["fastingest", *request["arguments"]]
    arm(request["paths"], request["plan"], request["log"], trace=request["trace"])
    from fastingest.__main__ import main

    sys.exit(main())


def serve(changes: Sequence[str]) -> None:
    """Make a run of each request.

    :param changes: modules that change the program, for the tests of the campaign.
    """
    _import_everything()
    for name in changes:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            _run(request)
        print(json.dumps({"pid": pid}), flush=True)
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"status": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    serve(sys.argv[1:])
