"""A writer that dies, and what several receivers have in the spool when another starts.

The spool is real, its segments are those that a receiver would have written; a kill is made by
putting the beginning of the batch under way into the files, as a writer that was killed leaves it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastingest import Options, OutputRefused
from fastingest.format.csv import CsvFormat
from fastingest.metrics import counters_file
from fastingest.metrics.counters import Counters, Slot
from fastingest.model.batch import Batch, Position, Reject
from fastingest.model.counts import Counts
from fastingest.model.schema import TRADES
from fastingest.runtime.assignment import OutputSpec, SharedOutput
from fastingest.runtime.control import Notice, Report
from fastingest.spool import segment
from fastingest.spool.directories import SpoolDirectories
from fastingest.storage.journal import Journal, journal_path
from fastingest.storage.ledger import read_entries
from fastingest.storage.lock import OutputLock
from fastingest.storage.names import beside
from fastingest.storage.reject_line import to_lines
from fastingest.storage.run_events import Events
from fastingest.supervisor.account import new_stream
from fastingest.writer.committer import Committer
from fastingest.writer.earlier_run import feeds_of
from fastingest.writer.recovery import Recovery
from tests.support.builders import make_batch

HEADER = b"symbol,price,volume\n"
RUN = new_stream(1_700_000_000_000_000_000, 0)
PARTITIONS, FEEDS = 3, 5
NAMES = [f"feed {number}" for number in range(FEEDS)]


def text_of(batch: Batch) -> bytes:
    """Its rows, as they must be in the file."""
    columns = batch.columns()
    return b"".join(
        b"%s,1.5,%d\n" % (symbol.encode(), n) for symbol, _, n in zip(*columns, strict=True)
    )


class Run:
    """A run's receivers with their spool, and its writer, whichever lives."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "o.csv"
        self.places = SpoolDirectories(folder / "spool", folder / "spill")
        self.places.make()
        self.reports: list[tuple[str, str, dict[str, Any]]] = []
        self.lock = OutputLock(self.path)
        self.run = 0
        self.done: list[Batch] = []
        """All that is committed, in order."""
        self.is_open = False
        self.header = TRADES.header
        self._rows = 0
        self.begin(RUN)

    def begin(self, run: int, names: Sequence[str] = NAMES) -> None:
        """A run begins, with streams of its own.

        :param names: of its feeds.
        """
        self.run = run
        self.names = list(names)
        self.streams = [new_stream(run, partition) for partition in range(PARTITIONS)]
        self.held: dict[int, list[Batch]] = {partition: [] for partition in range(PARTITIONS)}
        """What each receiver has in the spool."""
        self.sequences = dict.fromkeys(range(PARTITIONS), 0)
        self.counters = Counters.create(self.places.counters(run), self.names)
        described = {n: (name, "ws://x") for n, name in enumerate(self.names)}
        Events(self.places.events(run), described)

    # The receivers

    def emit(self, feed: int, rows: int, rejects: int) -> None:
        """A receiver puts a batch into the spool, and may send it."""
        partition = feed % PARTITIONS
        numbers = range(self._rows, self._rows + rows)
        self._rows += rows
        batch = make_batch(
            [(f"F{self.names[feed][-1]}", 1.5, number) for number in numbers],
            received=self._rows,
            rejects=[Reject(feed, f"{feed}.{self._rows}.{n}", b"{") for n in range(rejects)],
            stream=self.streams[partition],
            sequence=self.sequences[partition],
            feed=self.names[feed],
        )
        self.sequences[partition] += 1
        self.counters.feeds[feed].add(Slot.RECEIVED, batch.count)
        self.held[partition].append(batch)
        self.put(partition)

    def put(self, partition: int) -> None:
        """The partition's segment, as it is now."""
        path = self.places.spool / segment.file_name(self.streams[partition], 0)
        batches = self.held[partition]
        if not batches:
            path.unlink(missing_ok=True)
            return
        parts = [segment.header(self.streams[partition], batches[0].sequence)]
        for batch in batches:
            wire = batch.to_bytes()
            parts += [segment.record(batch.sequence, wire), wire]
        path.write_bytes(b"".join(parts))

    def acknowledge(self, partition: int) -> None:
        """The receiver lets go of what is committed."""
        position = self.committer.position(partition)
        self.held[partition] = [each for each in self.held[partition] if each.position > position]
        self.put(partition)

    # The writer

    def start(self, *, look: Callable[[], None] = lambda: None) -> None:
        """A writer starts, and does what must be done before anything is received."""
        target = OutputSpec(self.path, self.header, dict.fromkeys(self.names, (0,)))
        share = SharedOutput(target, self.run, self.places, self.counters, self.lock)
        journal = Journal(journal_path(self.path), self.names)
        if journal.entries:
            last = journal.entries[0].run
            journal.learn_names(feeds_of(self.places, self.path, last))
        options = Options(url="ws://x", out=self.path, fsync=None, min_free=0)
        self.committer = Committer(
            options,
            self.path,
            self.header,
            journal,
            self.counters,
            format_=CsvFormat(),
            tell=self._told,
            wait=lambda _: False,
        )
        self.is_open = True
        self.recovery = Recovery(share, journal, self.committer, look=look)
        before = dict(self.committer.output.positions)
        self.recovery.check_columns()
        self.recovery.note_places()
        self.recovery.earlier_runs()
        self._note_done(before)

    def _note_done(self, before: dict[int, Position]) -> None:
        """What was committed at the start; of each partition that is what comes next."""
        for partition, batches in self.held.items():
            last = before.get(partition, Position(0, -1))
            position = self.committer.position(partition)
            self.done += [each for each in batches if last < each.position <= position]

    def _told(self, notice: Notice) -> None:
        if isinstance(notice, Report):
            self.reports.append((notice.level, notice.event, notice.fields))

    def commit_next(self, partition: int) -> None:
        """What the partition sends next."""
        position = self.committer.position(partition)
        batch = next((each for each in self.held[partition] if each.position > position), None)
        if batch is not None:
            self.committer.commit(batch)
            self.done.append(batch)

    def die_in(self, partition: int, cut: int, cut_rejects: int) -> None:
        """The writer is killed while it commits what the partition sends next."""
        position = self.committer.position(partition)
        batch = next((each for each in self.held[partition] if each.position > position), None)
        self.die()
        if batch is None:
            return
        text, lines = text_of(batch) if batch.rows else b"", to_lines(batch.rejects, batch.feed)
        cut = min(cut, len(text))
        with self.path.open("ab") as file:
            file.write(text[:cut])
        if cut == len(text) and lines[:cut_rejects]:
            with beside(self.path, ".rejected.jsonl").open("ab") as file:
                file.write(lines[:cut_rejects])

    def die(self) -> None:
        self.committer.output.close()
        self.is_open = False

    def close(self) -> None:
        if self.is_open:
            self.die()
        self.lock.release()

    # What must be

    def check(self) -> None:
        rows = HEADER + b"".join(text_of(each) for each in self.done if each.rows)
        assert self.path.read_bytes() == rows
        kept = beside(self.path, ".rejected.jsonl")
        rejects = b"".join(to_lines(each.rejects, each.feed) for each in self.done)
        assert (kept.read_bytes() if kept.exists() else b"") == rejects
        for partition in range(PARTITIONS):
            mine = [each for each in self.done if each.stream == self.streams[partition]]
            assert [each.sequence for each in mine] == list(range(len(mine)))
            if mine:
                assert self.committer.position(partition) == mine[-1].position
        for feed, counters in zip(self.names, self.counters.feeds, strict=True):
            mine = [e for e in self.done if e.feed == feed and e.stream in self.streams]
            written = sum(each.rows for each in mine)
            rejected = sum(len(each.rejects) for each in mine)
            assert (counters[Slot.WRITTEN], counters[Slot.REJECTS_COMMITTED]) == (written, rejected)
        foreign = "another program has appended to the output"
        assert foreign not in [event for _, event, _ in self.reports]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    run = Run(tmp_path)
    yield run
    run.close()


@pytest.mark.parametrize("first", range(PARTITIONS))
@pytest.mark.parametrize("dying", range(PARTITIONS))
@pytest.mark.parametrize("cut", [1, 5, 14, 100])
def test_what_a_dead_writer_had_begun_with_is_there_once_whichever_partition_comes_first(
    first: int, dying: int, cut: int, run: Run
) -> None:
    run.start()
    for feed in range(FEEDS):
        run.emit(feed, 2, 1)
    run.commit_next(1)
    run.die_in(dying, cut, 20)
    run.start()
    for partition in (first, *range(PARTITIONS), *range(PARTITIONS)):
        run.commit_next(partition)
    run.check()
    assert len(run.done) == FEEDS


@pytest.mark.parametrize("cut", [1, 30, 1000])
def test_rejects_without_rows_that_a_dead_writer_had_begun_with_are_there_once(
    cut: int, run: Run
) -> None:
    run.start()
    for feed in range(FEEDS):
        run.emit(feed, 0, 2)
    run.die_in(2, 0, cut)
    run.start()
    for partition in (0, 1, 2, 0, 1):
        run.commit_next(partition)
    run.check()


def test_what_another_program_has_left_is_nobodys(run: Run) -> None:
    run.start()
    run.emit(0, 2, 0)
    run.emit(1, 1, 0)
    run.commit_next(0)
    run.die()
    with run.path.open("ab") as file:
        file.write(b"FOREIGN,1,1\n")
    run.start()
    run.commit_next(1)
    assert run.path.read_bytes() == (
        HEADER + text_of(run.done[0]) + b"FOREIGN,1,1\n" + text_of(run.done[1])
    )


def test_the_counters_are_right_again_where_a_writer_died_before_it_had_counted(run: Run) -> None:
    run.start()
    for feed in range(FEEDS):
        run.emit(feed, feed + 1, feed)
    for partition in (0, 1, 2, 0, 1):
        run.commit_next(partition)
    for counters in run.counters.feeds:  # each has lagged behind at some time
        counters[Slot.WRITTEN] = counters[Slot.REJECTS_COMMITTED] = 0
    run.die()
    run.start()
    run.check()


def test_a_run_of_several_partitions_that_was_killed_is_completed_by_the_next(run: Run) -> None:
    """Its last batch is in the file and not in the journal; each feed has its own account."""
    run.start()
    for feed in range(FEEDS):
        run.emit(feed, 2, 1)
        run.emit(feed, 1, 0)
    run.commit_next(0)
    run.counters.feeds[3].add(Slot.RECEIVED, 5)  # which had not come so far as the spool
    run.die_in(2, 1000, 1000)
    left = {partition: list(batches) for partition, batches in run.held.items()}
    killed = run.run
    run.begin(new_stream(max(run.streams), 0))
    run.start()
    data = run.path.read_bytes()
    for batches in left.values():
        places = [data.index(text_of(each)) for each in batches]
        assert places == sorted(places)
        assert [data.count(text_of(each)) for each in batches] == [1] * len(batches)
    assert data.count(b"\n") == 1 + 3 * FEEDS
    kept = beside(run.path, ".rejected.jsonl").read_bytes()
    assert kept.count(b"\n") == FEEDS
    (line,) = read_entries(run.path)
    assert (line["run"], line["received"], line["written"]) == (killed, 4 * FEEDS + 5, 3 * FEEDS)
    assert [each["lost"] for each in line["feeds"]] == [0, 0, 0, 5, 0]
    assert {(each["written"], each["quarantined"], each["kept"]) for each in line["feeds"]} == {
        (3, 1, 0)
    }
    assert [each.name for each in run.places.spool.glob("*.segment")] == []
    assert not run.places.counters(killed).exists()
    lost = ("error", "an earlier run has lost rows", {"rows": 5, "messages": 0})
    assert lost in [tuple(each) for each in run.reports]
    assert run.counters.whole_ledger.written == 0


@pytest.mark.parametrize("version", ["older", "newer"])
def test_what_another_version_has_counted_is_not_misread(version: str, run: Run) -> None:
    """A run is completed by a later version: its rows are written, its numbers are unknown."""
    run.start()
    run.emit(0, 2, 1)
    run.emit(1, 1, 0)
    run.commit_next(0)
    run.die()
    killed, path = run.run, run.places.counters(run.run)
    if version == "older":  # which had no header; each slot says something
        data = struct.pack("<279Q", *range(1000, 1030), *[0] * 249) * FEEDS
    else:
        data = path.read_bytes().replace(b"ficounts\2", b"ficounts\3") + bytes(64)
    path.write_bytes(data)
    run.begin(new_stream(max(run.streams), 0))
    run.start()
    assert run.path.read_bytes() == HEADER + b"F0,1.5,0\nF0,1.5,1\nF1,1.5,2\n"
    (line,) = read_entries(run.path)
    assert (line["run"], line["written"], line["quarantined"]) == (killed, 3, 1)
    assert (line["received"], line["lost"], line["kept"]) == (None, None, None)
    unread = beside(path, ".unread")
    assert (path.exists(), unread.read_bytes()) == (False, data)
    (problem,) = (
        fields["problem"]
        for level, event, fields in run.reports
        if event == "what an earlier run has counted cannot be read, and is unknown"
    )
    assert str(path) in problem
    assert f"{version} version" in problem
    assert run.counters.whole_ledger.written == 0


def test_a_writer_that_dies_while_it_completes_an_earlier_run(run: Run) -> None:
    """Again and again, before each of the batches that are left."""

    class Killed(Exception):
        pass

    run.start()
    for feed in range(FEEDS):
        run.emit(feed, 2, 1)
    run.die()
    killed = run.run
    run.begin(new_stream(max(run.streams), 0))
    deaths = 0
    while True:
        looks = 0

        def look() -> None:
            nonlocal looks
            looks += 1
            if looks == 2:
                raise Killed

        try:
            run.start(look=look)
        except Killed:
            deaths += 1
            run.die()
        else:
            break
    assert deaths == FEEDS - 1
    (line,) = read_entries(run.path)
    assert (line["run"], line["written"], line["lost"]) == (killed, 2 * FEEDS, 0)
    assert [each["written"] for each in line["feeds"]] == [2] * FEEDS
    assert run.path.read_bytes().count(b"\n") == 1 + 2 * FEEDS


@pytest.mark.parametrize("size", [0, 10, 100, -1])
def test_a_run_that_died_while_it_made_its_counters_has_no_account(size: int, run: Run) -> None:
    """Nothing else had begun; the ledger need not say that nobody knows what it received."""
    counters, events = run.places.counters(run.run - 64), run.places.events(run.run - 64)
    counters.write_bytes(run.places.counters(run.run).read_bytes()[:size])
    events.write_bytes(b"")
    run.start()
    assert read_entries(run.path) == []
    assert not counters.exists()
    assert not events.exists()
    run.emit(0, 2, 1)
    run.commit_next(0)
    run.check()


def test_rows_with_other_columns_are_refused_before_anything_is_received(run: Run) -> None:
    run.start()
    run.emit(0, 1, 0)
    run.die()
    run.path.unlink()
    journal_path(run.path).unlink()
    run.header = "time,price"
    run.begin(new_stream(max(run.streams), 0))
    with pytest.raises(OutputRefused, match="start it once with the columns that it had"):
        run.start()
    run.die()
    assert run.path.read_bytes() == b"time,price\n"
    run.path.unlink()
    run.header = TRADES.header
    run.start()
    assert run.path.read_bytes() == HEADER + b"F0,1.5,0\n"


# A run whose feeds are others, in another order


OTHERS = ["feed 9", *NAMES[:0:-1]]
"""One more, one less, and the others the other way round."""


def interrupted(run: Run, *, is_begun: bool) -> list[Batch]:
    """A run that is killed when some of its rows are written; all that it had received.

    :param is_begun: whether the writer dies in the middle of a batch.
    """
    run.start()
    for feed in range(FEEDS):
        run.emit(feed, feed + 1, 1)
        run.emit(feed, 1, feed)
    for partition in (0, 1, 0, 2):
        run.commit_next(partition)
    run.counters.of("feed 3").add(Slot.RECEIVED, 5)  # which had not come so far as the spool
    received = [batch for batches in run.held.values() for batch in batches]
    run.acknowledge(0)
    run.die_in(1, 9 if is_begun else 0, 0)
    return received


def check_taken_up(run: Run, received: Sequence[Batch], *, lost: dict[str, int]) -> None:
    """Every row and reject is there once, with its feed's name, and counted as the feed's.

    :param lost: of each feed that has lost any.
    """
    data = run.path.read_bytes()
    for batch in received:
        assert data.count(text_of(batch)) == 1
    assert data.count(b"\n") == 1 + sum(batch.rows for batch in received)
    kept = beside(run.path, ".rejected.jsonl").read_bytes().splitlines(keepends=True)
    rejects = [to_lines([each], batch.feed) for batch in received for each in batch.rejects]
    assert sorted(kept) == sorted(rejects)
    line, *later = read_entries(run.path)
    assert line["run"] == RUN
    assert {each["written"] for each in later} <= {0}  # runs that were killed while they did it
    assert [each["name"] for each in line["feeds"]] == NAMES
    for each in line["feeds"]:
        own = [batch for batch in received if batch.feed == each["name"]]
        written, rejected = sum(b.rows for b in own), sum(len(b.rejects) for b in own)
        assert (each["written"], each["quarantined"]) == (written, rejected)
        gone = lost.get(each["name"], 0)
        numbers = (each["received"], each["lost"], each["kept"])
        assert numbers == (written + rejected + gone, gone, 0)
    # Nothing of it is counted as the run's that has taken it up.
    assert run.counters.whole_ledger == Counts()


def check_goes_on(run: Run) -> None:
    """The run that has taken another one up has an account of its own, through a writer's death."""
    run.done.clear()
    before = run.path.read_bytes()
    for feed in range(len(run.names)):
        run.emit(feed, 2, 1)
    for partition in (0, 1):
        run.commit_next(partition)
    run.die()
    run.start()
    for partition in (2, 0, 1):
        run.commit_next(partition)
    assert run.path.read_bytes() == before + b"".join(map(text_of, run.done))
    for name in run.names:
        counters = run.counters.of(name)
        assert (counters[Slot.WRITTEN], counters[Slot.REJECTS_COMMITTED]) == (2, 1)


@pytest.mark.parametrize("is_begun", [False, True])
@pytest.mark.parametrize("names", [OTHERS, ["feed 9"], [*NAMES, "feed 9"], NAMES[::-1]])
def test_what_a_run_has_left_is_its_feeds_whichever_feeds_the_next_one_has(
    names: list[str], is_begun: bool, run: Run
) -> None:
    received = interrupted(run, is_begun=is_begun)
    run.begin(new_stream(max(run.streams), 0), names)
    run.start()
    check_taken_up(run, received, lost={"feed 3": 5})
    if len(names) == FEEDS:
        check_goes_on(run)


def test_what_takes_a_run_up_may_be_killed_by_a_run_with_still_other_feeds(run: Run) -> None:
    """Before each of the batches that are left, and each time the next start has other feeds."""

    class Killed(Exception):
        pass

    received = interrupted(run, is_begun=True)
    looks, deaths = 0, 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise Killed

    while True:
        turned = OTHERS[deaths % FEEDS :] + OTHERS[: deaths % FEEDS]
        run.begin(new_stream(max(run.streams), 0), turned[: FEEDS - deaths % 2])
        looks = 0
        try:
            run.start(look=look)
        except Killed:
            deaths += 1
            run.die()
        else:
            break
    assert deaths > 3
    check_taken_up(run, received, lost={"feed 3": 5})


def as_before(run: Run) -> None:
    """Have the version before made the journal, the counters and the batches of a run."""
    path = journal_path(run.path)
    journal = Journal(path, NAMES)
    journal.close()
    ring = 64 * 160
    data = bytearray(4096 + FEEDS * ring)
    notes = json.dumps(journal.notes).encode().ljust(4088, b"\0")
    data[:4096] = b"fij3" + struct.pack("<I", zlib.crc32(b"fij3" + notes)) + notes
    used = [0] * FEEDS
    for number, entry in enumerate(reversed(journal.entries)):
        feed = NAMES.index(entry.feed)
        values = [*msgspec.structs.astuple(entry)]
        values[13] = feed
        body = struct.pack("<Qqqq Q qqqq I qqqq I qq qqq", number, *values)
        slot = b"fij3" + struct.pack("<I", zlib.crc32(b"fij3" + body)) + body
        place = 4096 + feed * ring + used[feed] * 160
        data[place : place + len(slot)] = slot
        used[feed] += 1
    path.unlink()
    path.write_bytes(data)
    # The counters had these slots, in their order, under a checksum of their names.
    checksum = "f1567e72e424afa12b70dd223b233202e387eafbe817708e614c0831e683b341"
    *names, _ = counters_file._FIRST_SLOTS[bytes.fromhex(checksum)]
    renamed = counters_file._RENAMED
    rows = [
        [*(each[Slot[renamed.get(name, name)]] for name in names), *each.slots[Slot.LATENCY :]]
        for each in run.counters.feeds[:FEEDS]
    ]
    head = struct.pack("<8sIII", b"ficounts", 1, FEEDS, len(rows[0])) + bytes.fromhex(checksum)
    path = run.places.counters(run.run)
    path.unlink()
    path.write_bytes(head.ljust(64, b"\0") + b"".join(struct.pack(f"<{len(r)}q", *r) for r in rows))
    for partition, batches in run.held.items():
        if batches:
            stream = run.streams[partition]
            parts = [segment.header(stream, batches[0].sequence)]
            for b in batches:
                index = NAMES.index(b.feed)
                fields = (b.stream, b.sequence, index, b.rows, b.segments, b.layout, b.stamps)
                more = (b.connections, b.first, b.rejects)
                wire = msgspec.msgpack.encode(("fastingest batch 2", *fields, *more))
                parts += [segment.record(b.sequence, wire), wire]
            (run.places.spool / segment.file_name(stream, 0)).write_bytes(b"".join(parts))


@pytest.mark.parametrize("is_begun", [False, True])
def test_what_the_version_before_has_left_is_its_feeds_by_the_names_that_it_noted(
    is_begun: bool, run: Run
) -> None:
    received = interrupted(run, is_begun=is_begun)
    as_before(run)
    run.begin(new_stream(max(run.streams), 0), OTHERS)
    run.start()
    check_taken_up(run, received, lost={"feed 3": 5})
    check_goes_on(run)


# Anything

Step = tuple[str, int, int, int]

_steps: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("emit"), st.integers(0, FEEDS - 1), st.integers(0, 3), st.integers(0, 2)),
    st.tuples(st.just("commit"), st.integers(0, PARTITIONS - 1), st.just(0), st.just(0)),
    st.tuples(st.just("acknowledge"), st.integers(0, PARTITIONS - 1), st.just(0), st.just(0)),
    st.tuples(
        st.just("die"), st.integers(0, PARTITIONS - 1), st.integers(0, 40), st.integers(0, 200)
    ),
)


@settings(max_examples=150)
@given(st.lists(_steps, max_size=40))
def test_whatever_is_killed_each_batch_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    run = Run(tmp_path_factory.mktemp("anything"))
    run.start()
    for what, who, *numbers in steps:
        match what:
            case "emit":
                run.emit(who, *numbers)
            case "commit":
                run.commit_next(who)
            case "acknowledge":
                run.acknowledge(who)
            case "die":
                run.die_in(who, *numbers)
                run.start()
                run.check()
    for partition in range(PARTITIONS):
        for _ in range(len(run.held[partition])):
            run.commit_next(partition)
    run.check()
    received = sum(counters[Slot.RECEIVED] for counters in run.counters.feeds)
    assert sum(each.count for each in run.done) == received
    assert run.counters.whole_ledger.in_flight == 0
    run.close()
