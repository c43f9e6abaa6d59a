"""Where a new writer carries on: what the journal says, against what is in the file.

Theory of operation. The newest entry says how long the files were with the last batch that is
committed. What is behind it is settled by the next batch (:mod:`fastingest.storage.append_file`),
which must be the one that the dead writer was about to commit, if it had begun with any. With
several partitions that need not be the one that comes first: :mod:`fastingest.writer.recovery`
looks for it. If there is none, whole rows stay: they were received, or somebody else's, and no
entry says so because the machine lost power; a piece of a row goes to the rejects (:func:`settle`).

If the file is shorter than the newest entry says, power was lost as well, and with it the rows that
had not been synced; the newest entry that the file can hold is where it goes on. Where the machine
may have been started anew, the file may also be as long as it says and hold zeroes instead of rows:
then the entries' checksums tell which is the newest that it still holds (:func:`sound_entries`).

Each partition of receivers has a position of its own, each feed a count of its own; both are told
from the feeds' newest entries. When the file has become shorter, entries that tell too much stay in
the journal; the state is then to be recorded for each feed and each partition that they speak of. A
feed that has gone on for longer than its ring remembers may have no entry from before the place
where the file ends now. Then its partition goes on behind the oldest one that there is, so that no
batch is written twice, and its count is what the others' leave of all rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from fastingest.model.batch import partition_of
from fastingest.storage.journal import Entry
from fastingest.storage.offsets import CommittedOffsets
from fastingest.writer.events import (
    OutputDamaged,
    OutputShort,
    OutputSwapped,
    UncommittedRowsKept,
)
from fastingest.writer.files import OutputFiles
from fastingest.writer.regions import Regions

__all__ = ["Resumed", "resume", "settle", "sound_entries"]


class Resumed(NamedTuple):
    """The state to go on from."""

    entry: Entry
    offsets: CommittedOffsets


def resume(
    files: OutputFiles, regions: Regions, entries: Sequence[Entry], *, is_doubtful: bool
) -> Resumed:
    """Make the files such that the next batch can be committed.

    :param entries: the journal's, the newest first; at least one.
    :param is_doubtful: whether the file may hold something else than what was written.
    :returns: the state; where its entry is not the newest one, nothing has recorded it yet.
    :raises WriteFailed: it could not be done.
    """
    newest, file, offsets = entries[0], files.file, CommittedOffsets(entries)
    if newest.inode != file.inode:
        return Resumed(_on_another_file(files, regions, newest), offsets)
    length = file.length
    fitting = [each for each in entries if each.inode == newest.inode and each.size <= length]
    held = sound_entries(fitting, file.checksums) if is_doubtful else fitting
    if held and held[0] is newest:
        file.size = newest.size
        return Resumed(newest, offsets)
    if newest.size <= length and not held:
        return Resumed(_behind_damage(files, newest), offsets)
    # Rows are missing that had been written: back to the last batch that is there. What follows
    # it comes again where the spill has it, and is settled like what a dead writer has left.
    missing = newest.size - length
    if file.is_empty:  # of no run there is anything in it
        regions.tell(newest.run, "truncated", newest.region)
    if held and held[0] is not fitting[0]:
        missing = newest.size - held[0].size
        files.move_damaged(held[0].size)
    entry, offsets = _cut_back(files, entries, held)
    files.report(OutputShort(missing, rows_missing=newest.written - entry.written))
    file.size = entry.size
    files.rejects.go_back(entry.rejects_size)
    return Resumed(entry, offsets)


def sound_entries(
    entries: Sequence[Entry], checksums: Callable[[int, Sequence[int]], list[int]]
) -> list[Entry]:
    """Those from the newest one on of which the file holds what it held when they were made.

    :param entries: the newest first.
    :param checksums: of the file's bytes from an offset to before each of several others.
    """
    found: dict[tuple[int, int], int] = {}  # checksums by the region's start and end
    empty: int | None = None  # the newest entry since which nothing but empty regions came
    for index, entry in enumerate(entries):
        if entry.size == entry.start:  # which says nothing: what is before it must be sound
            empty = index if empty is None else empty
            continue
        if (entry.start, entry.size) not in found:
            ends = sorted({each.size for each in entries if each.start == entry.start})
            sums = checksums(entry.start, ends)
            found |= {(entry.start, end): crc for end, crc in zip(ends, sums, strict=True)}
        if found[entry.start, entry.size] == entry.crc32:
            return list(entries[index if empty is None else empty :])
        empty = None
    return [] if empty is None else list(entries[empty:])


def settle(files: OutputFiles, regions: Regions, entry: Entry) -> Entry:
    """Leave what is behind an entry as nobody's, since nobody will tell: whole rows stay.

    :returns: the entry with all that is in the files.
    :raises WriteFailed: a piece of a row is there, and cannot be moved yet.
    """
    known = entry.size if entry.run else 0  # where a row begins
    end = files.settle_torn(known)
    if known and end > known:
        files.report(UncommittedRowsKept(end - known))
    files.file.size = end
    files.file.unsure = False
    regions.begin()
    return files.describe(entry)


def _on_another_file(files: OutputFiles, regions: Regions, newest: Entry) -> Entry:
    """The state where another file has the name now."""
    files.report(OutputSwapped(str(files.path)))
    entry = regions.end(newest, "moved")
    entry = settle(files, regions, replace(entry, inode=files.file.inode, start=0, size=0))
    return replace(entry, start=entry.size)


def _behind_damage(files: OutputFiles, newest: Entry) -> Entry:
    """The state where of nothing that the run has appended can be told that it is whole."""
    end = files.settle_torn(newest.start)
    files.report(OutputDamaged(str(files.path), start=newest.start, end=newest.size))
    files.file.size = end
    rejects = files.rejects.size
    return replace(newest, start=end, size=end, rows=0, crc32=0, rejects_size=rejects)


def _cut_back(files: OutputFiles, entries: Sequence[Entry], held: Sequence[Entry]) -> Resumed:
    """The state where rows are missing.

    :param held: of ``entries``, those that the file still holds.
    """
    newest = entries[0]
    if held:
        entry = held[0]
        if entry.run != newest.run:  # all that the run had committed is behind it
            entry = _begun(newest, entry)
        index = entries.index(held[0])
        later, known = entries[:index], entries[index:]
    else:
        entry = _measured(files, newest)
        later = [each for each in entries if each.inode == newest.inode]
        known = [each for each in entries if each.inode != newest.inode]
    offsets = CommittedOffsets(entries).as_of(entry, later, known)
    count, position = offsets.count(entry.feed), offsets.position(partition_of(entry.stream))
    entry = replace(
        entry,
        stream=position.stream,
        sequence=position.sequence,
        feed_written=count.written,
        feed_rejected=count.rejected,
        feed_set_aside=count.set_aside,
    )
    return Resumed(entry, offsets)


def _begun(newest: Entry, before: Entry) -> Entry:
    """A run's state where it has committed nothing, and begins behind an entry of another one.

    :param newest: the run's newest entry.
    """
    return Entry(
        newest.run,
        feed=newest.feed,
        stream=before.stream,
        sequence=before.sequence,
        inode=before.inode,
        size=before.size,
        rejects_size=before.rejects_size,
        start=before.size,
    )


def _measured(files: OutputFiles, newest: Entry) -> Entry:
    """The state where the file is shorter than any entry says."""
    length = files.settle_torn(newest.start if newest.start <= files.file.length else 0)
    start = min(newest.start, length)
    rows, crc = files.file.measure(start, length)
    return replace(
        newest,
        size=length,
        rejects_size=files.rejects.size,
        start=start,
        rows=rows,
        crc32=crc,
        written=max(0, newest.written - newest.rows + rows),
    )
