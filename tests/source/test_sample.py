from __future__ import annotations

import pytest

from fastingest.source.sample import MAX_SHAPES, RECENT, Sample


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("one", "other", "is_new"),
    [
        (b'{"a": 1, "b": "x"}', b' {"b": "y", "a": 2.5} ', False),
        (b'{"a": 1}', b'{"a": "1"}', True),
        (b'{"a": 1}', b'{"a": null}', True),
        (b'{"a": true}', b'{"a": 1}', True),
        (b'{"a": 1}', b'{"a": 1, "b": 1}', True),
        (b'{"a": {"b": 1}}', b'{"a": {"c": 1}}', True),
        (b'[{"a": 1}, {"a": 2}]', b'[{"a": 3}]', False),
        (b"[1]", b'["x"]', True),
        (b"ping", b"pong", False),  # neither is JSON
        (b"ping", b"{}", True),
        (b"[" * 3000, b"\xff", False),
    ],
)
def test_a_shape_is_names_and_kinds(one: bytes, other: bytes, is_new: bool) -> None:
    sample = Sample()
    assert sample.add(one)
    assert sample.add(other) is is_new
    assert not sample.add(one)


def test_so_many_shapes_are_told_apart_and_no_more_over_all_connections() -> None:
    sample = Sample()
    messages = [b'{"a%d": 1}' % number for number in range(2 * MAX_SHAPES)]
    assert sum(map(sample.add, messages)) == MAX_SHAPES
    sample.connected()
    assert sum(map(sample.add, messages)) == 0


def test_the_last_message_is_the_reason_where_no_rows_came() -> None:
    sample = Sample()
    assert sample.reason(has_rows=False) is None
    for number in (1, 2):
        sample.add(b'{"a": %d}' % number)
    assert sample.reason(has_rows=False) == b'{"a": 2}'
    sample.connected()
    assert sample.reason(has_rows=False) is None


def test_where_rows_came_it_is_one_of_a_new_shape_of_a_moment_ago() -> None:
    clock = Clock()
    sample = Sample(clock)
    sample.add(b'{"a": 1}')
    sample.add(b'{"a": 2}')
    assert sample.reason(has_rows=True) == b'{"a": 1}'
    clock.now = RECENT + 1
    sample.add(b'{"a": 3}')
    assert sample.reason(has_rows=True) is None
    sample.connected()  # on which this shape is new again
    sample.add(b'{"a": 4}')
    assert sample.reason(has_rows=True) == b'{"a": 4}'


def test_what_is_kept_of_a_long_message_is_bounded() -> None:
    sample = Sample()
    assert sample.add(b"[" + b"1," * 10**6 + b"1]")
    assert len(sample.reason(has_rows=False) or b"") == 4096
