"""The campaign: a fault at every system call by which a run changes a file, one run for each.

    scripts/faults                                      all of it
    scripts/faults --share 0.05 --seed 7                one in twenty, chosen by the seed
    scripts/faults --kind kill --variant synced --role writer --from 10 --to 40
    scripts/faults --variant plain --plan writer:EIO@17         one point, again
    scripts/faults --variant plain --plan kill@17 --plan kill@5 --real

A run is first traced, undisturbed, to see what calls it has. Then there are points of these kinds,
each with its own runs (:mod:`tests.faults.trial`), which is what must hold after them as well:

===========  =======================================================================================
``kill``     a process is killed before the call
``after``    a process is killed after the call
``group``    all processes of the run are killed before the call
``tear``     a process is killed when half of a write is done
``fail``     the call fails, with each of the errors that it can fail with
``short``    a write writes half
``window``   it fails, and so do the following ones, 5 to 40 in all; of one process or of all
``mixed``    it fails, and so do some that follow; then the process is killed
``chain``    a process is killed, or all are; then one in the next start's recovery, and once more
===========  =======================================================================================

Which calls there are is not quite the same in each run, since processes work side by side. So some
points are never come to; they are counted.
"""

from __future__ import annotations

import argparse
import os
import queue
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.faults.fault import Fault
from tests.faults.shim import ROLES, Call, memory, missing
from tests.faults.starters import Forks, Processes
from tests.faults.trial import VARIANTS, Trial, Variant

__all__ = ["KINDS", "Point", "Result", "points", "sample", "trace", "try_all", "try_out"]

WINDOWS = (5, 40)
"""How many calls fail in a row, from and to."""
RECOVERY = 40
"""Calls of a start in which its recovery is."""


@dataclass(frozen=True)
class Point:
    """What is done to the runs of a trial."""

    variant: str
    plans: tuple[str, ...]
    """For each start but the last."""

    @property
    def command(self) -> str:
        """Does it again."""
        plans = " ".join(f"--plan '{plan}'" for plan in self.plans)
        return f"scripts/faults --variant {self.variant} {plans}"


@dataclass(frozen=True)
class Result:
    """What came of a point."""

    point: Point
    fault: str
    """What was not as it should be; empty where all was."""
    reached: bool
    """Whether anything was done to the first start."""


# The points


def _each(action: str) -> Callable[[random.Random, Call], Iterable[tuple[str, ...]]]:
    return lambda _, call: [(f"{call.role}:{action}@{call.own}",)]


def _each_write(action: str) -> Callable[[random.Random, Call], Iterable[tuple[str, ...]]]:
    each = _each(action)
    return lambda choice, call: each(choice, call) if call.is_write else []


def _fail(_: random.Random, call: Call) -> Iterator[tuple[str, ...]]:
    for error in call.errors:
        yield (f"{call.role}:{error}@{call.own}",)


def _window(choice: random.Random, call: Call) -> Iterator[tuple[str, ...]]:
    times = choice.randint(*WINDOWS)
    error = choice.choice(call.errors)
    yield (f"{call.role}:{error}@{call.own}+{times}",)
    yield (f"{choice.choice(call.errors)}@{call.number}+{choice.randint(*WINDOWS)}",)


def _mixed(choice: random.Random, call: Call) -> Iterator[tuple[str, ...]]:
    times = choice.randint(1, 10)
    dead = call.own + times + choice.randint(0, 10)
    action = choice.choice(("kill", "after", "tear"))
    error = choice.choice(call.errors)
    yield (f"{call.role}:{error}@{call.own}+{times},{call.role}:{action}@{dead}",)


def _chain(choice: random.Random, call: Call) -> Iterator[tuple[str, ...]]:
    def deadly(before: str) -> str:
        return before + choice.choice(("kill", "after", "group", "tear"))

    first = f"{deadly(f'{call.role}:')}@{call.own}"
    # Who is killed alone has a successor in the same run, which recovers; so may it be the second.
    following = [f"{deadly('')}@{choice.randint(1, RECOVERY)}" for _ in range(2)]
    yield (first, *following)
    yield (f"{call.role}:group@{call.own}", *following)


KINDS: dict[str, Callable[[random.Random, Call], Iterable[tuple[str, ...]]]] = {
    "kill": _each("kill"),
    "after": _each("after"),
    "group": _each("group"),
    "tear": _each_write("tear"),
    "fail": _fail,
    "short": _each_write("short"),
    "window": _window,
    "mixed": _mixed,
    "chain": _chain,
}


def points(variant: str, kind: str, calls: Sequence[Call], seed: str) -> list[Point]:
    """All points of a kind, given the calls of a run; what is random in them is the seed's."""
    choice = random.Random(f"{seed} {variant} {kind}")
    return [Point(variant, plans) for call in calls for plans in KINDS[kind](choice, call)]


def sample(all_of_them: Sequence[Point], count: int, seed: str) -> list[Point]:
    """So many of them, chosen by the seed."""
    choice = random.Random(f"{seed} {len(all_of_them)} {all_of_them[:1]}")
    return choice.sample(all_of_them, min(count, len(all_of_them)))


# The runs


def trace(variant: Variant, starter: Forks | Processes) -> list[Call]:
    """The calls of a run to which nothing is done."""
    with tempfile.TemporaryDirectory(prefix="fastingest-test-", dir=memory()) as folder:
        return Trial(Path(folder), variant, starter).trace()


def try_out(point: Point, starter: Forks | Processes) -> Result:
    """Make the runs of a point, and look at what they leave."""
    with tempfile.TemporaryDirectory(prefix="fastingest-test-", dir=memory()) as folder:
        try:
            outcomes = Trial(Path(folder), VARIANTS[point.variant], starter).run(point.plans)
        except Fault as fault:
            return Result(point, str(fault), True)
    return Result(point, "", bool(outcomes[0].calls))


def try_all(todo: Sequence[Point], starters: Sequence[Forks | Processes]) -> Iterator[Result]:
    """The results, as they come; as many at a time as there are starters."""
    waiting: queue.SimpleQueue[Point] = queue.SimpleQueue()
    results: queue.SimpleQueue[Result | BaseException] = queue.SimpleQueue()
    for point in todo:
        waiting.put(point)

    def work(starter: Forks | Processes) -> None:
        while True:
            try:
                point = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                results.put(try_out(point, starter))
            except BaseException as error:
                results.put(error)
                return

    for starter in starters:
        threading.Thread(target=work, args=(starter,), daemon=True).start()
    for _ in todo:
        result = results.get()
        if isinstance(result, BaseException):
            raise result
        yield result


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/faults", description="Faults at the system calls of a run."
    )
    parser.add_argument("--seed", default=os.environ.get("FASTINGEST_SEED"), help="any text")
    parser.add_argument("--share", type=float, default=1.0, help="of the points, 0 to 1")
    parser.add_argument("--variant", choices=VARIANTS, action="append", help="repeatable")
    parser.add_argument("--kind", choices=KINDS, action="append", help="repeatable")
    parser.add_argument("--role", choices=ROLES, action="append", help="repeatable")
    parser.add_argument("--from", type=int, default=1, dest="first", help="of the role's calls")
    parser.add_argument("--to", type=int, default=sys.maxsize, dest="last")
    parser.add_argument("--plan", action="append", help="one point; repeatable, one for each start")
    parser.add_argument("--real", action="store_true", help="no forks, but the command as it is")
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="at a time")
    parser.add_argument("--list", action="store_true", help="only say how many points there are")
    return parser.parse_args()


def main() -> int:
    """Make the campaign that the command line asks for; the exit status."""
    if missing():
        sys.exit(f"scripts/faults {missing()}")
    options = _parse()
    seed = options.seed or str(random.SystemRandom().randrange(10**9))
    print(f"FASTINGEST_SEED={seed}", flush=True)
    began, faults, tried = time.monotonic(), 0, 0
    with ExitStack() as stack:
        jobs = 1 if options.plan else options.jobs
        starters: list[Forks | Processes] = []
        for _ in range(jobs):
            if options.real:
                starters.append(stack.enter_context(Processes()))
            else:
                starters.append(stack.enter_context(Forks()))
        for name in options.variant or VARIANTS:
            for what, todo in _planned(options, name, seed, starters[0]):
                if options.list:
                    print(f"{name} {what}: {len(todo)} points", flush=True)
                    continue
                started, counts = time.monotonic(), Counter[str]()
                for result in try_all(todo, starters):
                    counts["faults"] += bool(result.fault)
                    counts["not come to"] += not result.reached
                    if result.fault:
                        print(f"FAULT {result.point.command}\n  {result.fault}", flush=True)
                tried += len(todo)
                faults += counts["faults"]
                seconds = time.monotonic() - started
                print(
                    f"{name} {what}: {len(todo)} points, {seconds:.0f} s, {dict(counts)}",
                    flush=True,
                )
    print(f"{tried} points, {faults} faults, {time.monotonic() - began:.0f} s")
    return int(faults > 0)


def _planned(
    options: argparse.Namespace, name: str, seed: str, starter: Forks | Processes
) -> Iterator[tuple[str, list[Point]]]:
    """What shall be tried of a variant: of each kind, the points."""
    if options.plan:
        yield "as asked", [Point(name, tuple(options.plan))]
        return
    calls = [
        call
        for call in trace(VARIANTS[name], starter)
        if call.role in (options.role or ROLES) and options.first <= call.own <= options.last
    ]
    for kind in options.kind or KINDS:
        found = points(name, kind, calls, seed)
        yield kind, sample(found, round(options.share * len(found)), seed)


if __name__ == "__main__":
    sys.exit(main())
