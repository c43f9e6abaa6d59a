from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from fastingest.decode.decoded import DecodedRun, untaken
from fastingest.decode.reference import DecodedMessage
from fastingest.decode.shapes import Columns


@dataclass
class _Message:
    """One of a run, and what a table has of it."""

    passes: bool  # is added to the decoded at all
    rows: int
    ignored: int = 0
    rejects: int = 0
    taken: bool = True


def _stamps(ends: Sequence[int], count: int) -> list[tuple[int, int]]:
    """The messages of a run came in these pieces, each at its own time."""
    return [(end, 1000 + end) for end in sorted({min(end, count) for end in ends} | {count}) if end]


def _expanded(stamps: Sequence[tuple[int, int]]) -> list[int]:
    """The time of each."""
    times: list[int] = []
    for end, time in stamps:
        assert end > len(times)
        times += [time] * (end - len(times))
    return times


def _outcome(index: int, message: _Message) -> DecodedMessage:
    rows = [(index, row) for row in range(message.rows)]
    rejects = [(b"%d" % index, "odd")] * message.rejects
    return DecodedMessage(message.taken, rows, rejects, message.ignored)


def _run(messages: Sequence[tuple[int, _Message]]) -> Columns:
    rows = [(index, row) for index, message in messages for row in range(message.rows)]
    columns = [[index for index, _ in rows], [row for _, row in rows]]
    counts: list[int] | None = [message.rows for _, message in messages]
    if counts == [1] * len(messages):
        counts = None
    return Columns(columns, counts, sum(message.ignored for _, message in messages))


_messages = st.lists(
    st.builds(
        _Message,
        st.integers(0, 3).map(bool),
        st.sampled_from([1, 1, 1, 0, 2]),
        st.integers(0, 2),
        st.sampled_from([0, 0, 0, 1, 2]),
        st.integers(0, 3).map(bool),
    )
    | st.just(_Message(passes=True, rows=1)),
    max_size=10,
)


def _fill(
    decoded: DecodedRun, messages: Sequence[tuple[int, _Message]], sizes: Sequence[int]
) -> None:
    """Add them, in runs of these sizes where they can be in one, and the rest alone."""
    left, pieces = list(messages), list(sizes)
    while left:
        size = pieces.pop(0) if pieces else 0
        run, left = left[: size or 1], left[size or 1 :]
        if size and all(message.taken and not message.rejects for _, message in run):
            decoded.add(_run(run), len(run))
        else:
            for index, message in run:
                decoded.add_alone(_outcome(index, message))


@given(
    _messages,
    st.lists(st.integers(0, 4), max_size=8),
    st.lists(st.integers(1, 10), max_size=4),
    st.integers(0, 12),
)
def test_rows_and_rejects_stay_with_their_messages_however_these_are_added(
    messages: list[_Message], sizes: list[int], ends: list[int], limit: int
) -> None:
    positions = [index for index, message in enumerate(messages) if message.passes]
    whole = len(positions) == len(messages)
    decoded = DecodedRun(2, None if whole else positions)
    added = [(index, messages[index]) for index in positions]
    _fill(decoded, added, sizes)
    stamps = _stamps(ends, len(messages))
    rows = [(index, row) for index, message in added for row in range(message.rows)]

    assert list(zip(*decoded.columns, strict=True)) == rows
    assert (decoded.rows, decoded.messages) == (len(rows), len(added))
    rejected = [index for index, message in added for _ in range(message.rejects)]
    assert decoded.rejects == [(index, b"%d" % index, "odd") for index in rejected]
    assert decoded.ignored == sum(message.ignored for _, message in added)
    assert decoded.untaken == [index for index, message in added if not message.taken]
    times = _expanded(stamps)
    assert _expanded(decoded.stamps(stamps)) == [times[index] for index, _ in rows]

    decoded.cut(limit)
    assert list(zip(*decoded.columns, strict=True)) == rows[:limit]
    assert _expanded(decoded.stamps(stamps)) == [times[index] for index, _ in rows[:limit]]


def test_the_stamps_of_runs_and_of_messages_alone_go_on_from_each_other() -> None:
    stamps = [(1, 100), (2, 200), (3, 300), (4, 400)]
    for counts, expected in (
        ([0, 2], [(2, 200), (3, 300)]),
        ([2, 0], [(2, 100), (3, 300)]),
        (None, [(1, 100), (2, 200), (3, 300)]),
    ):
        decoded = DecodedRun(1)
        decoded.add(Columns([["a", "b"]], counts), 2)
        decoded.add(Columns([["c"]]), 1)
        decoded.add_alone(DecodedMessage(ignored=1))
        assert decoded.stamps(stamps) == expected


def test_a_run_that_was_left_early_has_the_stamps_of_what_was_added() -> None:
    decoded = DecodedRun(1)
    decoded.add_alone(DecodedMessage(rows=[("a",)]))
    stamps = [(1, 100), (2, 200), (4, 300)]
    assert decoded.stamps(stamps) == [(1, 100)]
    decoded.add_alone(DecodedMessage(rows=[("b",), ("c",)]))
    assert decoded.stamps(stamps) == [(1, 100), (3, 200)]
    decoded.cut(2)
    assert decoded.stamps(stamps) == [(1, 100), (2, 200)]


def test_a_message_is_missed_if_it_was_looked_at_alone_and_brought_nothing() -> None:
    decoded = DecodedRun(1)
    decoded.add(Columns([[]], [0, 0], 2), 2)
    assert decoded.misses == 0
    for outcome, misses in (
        (DecodedMessage(rows=[("a",)]), 0),
        (DecodedMessage(rejects=[(b"x", "odd")]), 0),
        (DecodedMessage(ignored=1), 1),
        (DecodedMessage(taken=False), 2),
    ):
        decoded.add_alone(outcome)
        assert decoded.misses == misses


@given(st.lists(st.lists(st.sampled_from(["sorted out", "not taken", "taken"]), max_size=6)))
def test_a_message_is_untaken_if_no_table_takes_it(tables: list[list[str]]) -> None:
    count = min(map(len, tables), default=0)
    runs = []
    for table in tables:
        takes = [what != "sorted out" for what in table[:count]]
        # As a router says it: the places of what it left, and, where it left all, neither.
        positions = [index for index, takes_it in enumerate(takes) if takes_it]
        decoded = DecodedRun(1) if all(takes) else DecodedRun(1, positions, takes)
        for index in positions:
            decoded.add_alone(DecodedMessage(taken=table[index] == "taken"))
        runs.append(decoded)
    expected = [index for index in range(count) if all(t[index] != "taken" for t in tables)]
    assert untaken(runs, count) == (len(expected) if tables else 0)


def test_a_message_whose_row_is_left_out_is_taken() -> None:
    # The first and the second pass, of which the table takes all but the last.
    decoded = DecodedRun(1, [0, 1], [True, True, True, False])
    decoded.add(Columns([["a", "b"]]), 2)
    assert untaken([decoded], 4) == 1
