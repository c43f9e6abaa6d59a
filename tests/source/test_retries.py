"""When what is refused is asked for again: with moments of our own."""

from __future__ import annotations

import math

from fastingest.source.retries import MOST, Retries


def sent_again(retries: Retries, at: float) -> tuple[int, list[str]]:
    """What is due at this moment, and sent then."""
    number = retries.due(at)
    assert number is not None
    return number, sorted(retries.try_again(number))


def test_nothing_is_due_that_was_not_refused() -> None:
    retries = Retries(5.0, [("A",)])
    assert (retries.next, retries.due(1e9), retries.things) == (math.inf, None, 0)


def test_the_waits_grow_up_to_a_limit_and_start_over_once_it_is_granted() -> None:
    retries, now, waits = Retries(5.0, [("A",)]), 100.0, []
    for _ in range(7):
        retries.refused(0, ("A",), now)
        assert retries.due(retries.next - 0.001) is None
        waits.append(retries.next - now)
        now = retries.next
        assert sent_again(retries, now) == (0, ["A"])
    assert waits == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0, MOST * 5.0]
    assert retries.settle(0, now) == ("A",)
    assert retries.things == 0
    retries.refused(0, ("A",), now)
    assert retries.next == now + 5.0


def test_each_subscription_waits_by_itself() -> None:
    retries = Retries(5.0, [("A",), ("B",), ()])
    retries.refused(1, ("B",), 0.0)
    retries.refused(0, (), 1.0)
    retries.refused(2, (), 2.0)
    assert retries.things == 3
    assert [sent_again(retries, at) for at in (5.0, 6.0, 7.0)] == [(1, ["B"]), (0, []), (2, [])]
    assert retries.due(1e9) is None
    assert [retries.settle(number, 8.0) for number in (0, 1, 2)] == [("A",), ("B",), ()]


def test_only_the_symbols_that_are_refused_are_sent_again() -> None:
    retries = Retries(5.0, [("A", "B", "C", "D")])
    for symbol in ("B", "D", "C"):
        retries.refused(0, (symbol,), 0.0)
    assert retries.things == 3
    assert sent_again(retries, 5.0) == (0, ["B", "C", "D"])
    retries.refused(0, ("D",), 5.1)
    assert retries.is_tried(0)  # there is no word of the others yet
    retries.settles(0, 6.0)
    assert (retries.due(5.9), retries.due(6.0)) == (None, 0)
    assert retries.settle(0, 6.0) == ("B", "C")
    assert (retries.things, retries.next) == (1, 16.0)
    assert sent_again(retries, 16.0) == (0, ["D"])


def test_all_that_was_tried_may_be_refused_one_by_one() -> None:
    retries = Retries(5.0, [("A", "B")])
    retries.refused(0, (), 0.0)
    assert sent_again(retries, 5.0) == (0, [])
    retries.refused(0, ("A",), 5.0)
    assert retries.is_tried(0)
    retries.refused(0, ("B",), 5.0)
    assert not retries.is_tried(0)
    assert (retries.things, retries.next) == (2, 15.0)


def test_a_refusal_of_the_whole_counts_for_all_symbols() -> None:
    retries = Retries(5.0, [("A", "B", "C")])
    retries.refused(0, ("A",), 0.0)
    retries.refused(0, (), 0.0)
    assert sent_again(retries, 5.0) == (0, [])
    retries.refused(0, ("C",), 5.0)
    assert retries.settle(0, 6.0) == ("A", "B")


def test_what_gets_no_reply_is_refused_still() -> None:
    retries = Retries(5.0, [("A", "B")])
    retries.refused(0, ("B",), 0.0)
    assert sent_again(retries, 5.0) == (0, ["B"])
    assert retries.latest == 0
    retries.unanswered(0, 8.0)
    assert not retries.is_tried(0)
    assert (retries.things, retries.next) == (1, 18.0)
