"""The same feed through everyone, in one run.

    python -m bench.side_by_side --rounds 5 --seconds 5

``scripts/bench`` makes the environment for it first, and installs the others. Each round lets every
peer of :mod:`bench.roster` capture the feed once, one after the other, and every second round does
so in the opposite order: what the machine does beside changes with time, so only figures of one run
compare, and these are medians, with the least and the greatest. The generator and the peer share
the machine's cores. Time and CPU time begin with the connection (:mod:`bench.capture`).

A slow peer gets fewer rows than a fast one, so that each takes about ``--seconds``: as many as its
trial runs say, which are not in the figures and also warm the caches. A file is compared with what
was sent, row by row, before its figure counts (:mod:`bench.expected`); one that is not exact ends
the run with status 1. A peer whose trial fails, or that is not installed, is left out, and why is
said; it is an error if it was asked for by name.

In ``--output`` there are then ``side_by_side.json`` with all figures, ``.md`` with the table, and
``.svg`` and ``.png`` with the chart. The captured files are made in there as well, so it should be
on a real disk.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from bench.capture import BenchmarkError, Capture, capture, one_line
from bench.expected import WrongFileError, check
from bench.machine import machine
from bench.results import Result, Results
from bench.roster import Peer, peers
from bench.trials import rows_that_take

__all__ = ["main"]

TIMEOUT = 60.0  # seconds that a capture may take longer than it should


class Bench:
    """Runs captures, in a folder of its own.

    :param folder: where the files are made; each is removed when it was compared.
    :param seconds: what a capture should take.
    :param numbered: no two of the rows are the same, which costs the generator some more.
    """

    def __init__(self, folder: Path, seconds: float, *, numbered: bool = False) -> None:
        self.folder = folder
        self.seconds = seconds
        self.numbered = numbered

    def run(self, peer: Peer, rows: int) -> Capture:
        """One capture, compared with what was sent.

        :raises BenchmarkError: it failed.
        :raises WrongFileError: its file is not exact.
        """
        with tempfile.TemporaryDirectory(dir=self.folder, prefix="capture-") as folder:
            out = Path(folder, "rows.csv")
            done = capture(
                lambda url: peer.command(url, out, rows),
                rows,
                ["--rows", str(rows), *["--numbered"][: self.numbered]],
                timeout=self.seconds + TIMEOUT,
                stderr=Path(folder, "stderr"),
                environment=peer.environment,
            )
            try:
                check(out, rows, numbered=self.numbered)
            except WrongFileError as error:
                raise WrongFileError(f"{peer.name}: {error}") from None
        return done


def measure(bench: Bench, taking_part: Sequence[Peer], rounds: int, *, required: bool) -> Results:
    """Run the trials, then the rounds.

    :param required: whether it is an error that a peer cannot run here.
    :raises BenchmarkError: it is, or a capture failed in a round.
    :raises WrongFileError: a file is not exact.
    """
    results = Results(machine(), bench.seconds)
    running = {}
    for peer in taking_part:
        try:
            if peer.missing:
                raise BenchmarkError(peer.missing)
            rows = rows_that_take(bench.seconds, partial(bench.run, peer))
            running[peer.name] = Result(peer.name, peer.title, peer.kind, peer.versions(), rows)
            print(f"trial  {peer.title}: {rows:,} rows a round", flush=True)
        except BenchmarkError as error:
            if required:
                raise BenchmarkError(f"{peer.name}: {error}") from None
            reason = str(error).splitlines()[-1]
            results.skipped[peer.title] = reason
            print(f"trial  {peer.title}: left out: {reason}", flush=True)
    results.peers = list(running.values())
    for number in range(rounds):
        order = [peer for peer in taking_part if peer.name in running]
        for peer in order[:: -1 if number % 2 else 1]:
            result = running[peer.name]
            done = bench.run(peer, result.rows)
            result.add(done)
            print(
                f"{number + 1}/{rounds}  {peer.title:28}{done.rate:12,.0f} rows/s"
                f"{done.cost:10,.0f} ns/row{done.peak:8,.0f} MiB{done.seconds:8.2f} s",
                flush=True,
            )
    return results


def chosen(names: str, known: Sequence[Peer]) -> list[Peer]:
    """The peers of those names, in the order in which they stand here.

    :raises BenchmarkError: there is none of that name.
    """
    wanted = [name.strip() for name in names.split(",")]
    if unknown := set(wanted) - {peer.name for peer in known}:
        raise BenchmarkError(
            f"--peers: there is no {', '.join(sorted(unknown))}; --list says which there are"
        )
    return [peer for peer in known if peer.name in wanted]


def print_list(known: Sequence[Peer]) -> None:
    """Print a line for each peer: of what it is made, or what it needs."""
    for peer in known:
        of = peer.missing or ", ".join(f"{name} {at}" for name, at in peer.versions().items())
        print(f"{peer.name:18}{peer.title:28}{of}")


def write(results: Results, folder: Path) -> None:
    """Write the figures, the table and the chart."""
    from bench.bars import draw_bars  # only a run needs matplotlib

    (folder / "side_by_side.json").write_text(json.dumps(results.as_dict(), indent=1) + "\n")
    (folder / "side_by_side.md").write_text(results.markdown())
    draw_bars(results, folder / "side_by_side")


def main() -> int:
    """Run it; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m bench.side_by_side")
    parser.add_argument("--peers", help="names with commas; without: all that can run here")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="for a capture, about")
    parser.add_argument("--output", type=Path, default=Path("bench/results"), metavar="DIR")
    parser.add_argument("--numbered", action="store_true", help="no two rows are the same")
    parser.add_argument("--list", action="store_true", help="say who can take part, and end")
    options = parser.parse_args()
    if options.rounds < 1 or options.seconds <= 0:
        parser.error("--rounds and --seconds must be more than nothing")
    known = peers()
    if options.list:
        print_list(known)
        return 0
    try:
        taking_part = known if options.peers is None else chosen(options.peers, known)
        options.output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=options.output, prefix="running-") as folder:
            bench = Bench(Path(folder), options.seconds, numbered=options.numbered)
            required = options.peers is not None
            results = measure(bench, taking_part, options.rounds, required=required)
    except (BenchmarkError, WrongFileError, OSError) as error:
        print(f"bench: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(results.markdown())
    write(results, options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
