"""When which host may be asked, over all receivers: with moments of our own."""

from __future__ import annotations

from fastingest.runtime.control import AskTurn, HostRefused, Turn
from fastingest.runtime.gate import FIRST_HOLD, FIRST_PACE
from fastingest.supervisor.gates import Gates
from tests.peers.venue import Meter, Rate


class Rig:
    """Gates, with a clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.gates = Gates(lambda: self.now)

    def ask(self, receiver: str, host: str = "h", feeds: int = 1) -> Turn:
        return self.gates.answer(receiver, AskTurn(7, host, feeds))


def test_a_host_that_has_not_complained_may_be_asked() -> None:
    rig = Rig()
    assert [rig.ask(name) for name in ("one", "two", "one")] == [Turn(7, 100.0, True)] * 3


def test_a_refusal_holds_all_receivers_and_no_other_host() -> None:
    rig = Rig()
    for name in ("one", "two"):
        rig.ask(name)
    rig.gates.refused(HostRefused("h", 100.0, 0.0))
    until = 100.0 + FIRST_HOLD
    assert [rig.ask(name) for name in ("one", "two")] == [Turn(7, until, False)] * 2
    assert rig.ask("one", "other").is_now


def test_who_gets_a_turn_and_dies_costs_the_others_no_more_than_that_turn() -> None:
    rig = Rig()
    for name in ("one", "two"):
        rig.ask(name)
    rig.gates.refused(HostRefused("h", 100.0, 1.0))
    rig.now = 101.0
    assert rig.ask("one").is_now  # and is heard of no more
    assert rig.ask("two") == Turn(7, 101.0 + FIRST_PACE, False)
    rig.now += FIRST_PACE
    assert rig.ask("two").is_now


def test_a_host_with_a_single_feed_in_all_receivers_is_held_as_long_as_it_says() -> None:
    rig = Rig()
    rig.ask("one")
    rig.gates.refused(HostRefused("h", 100.0, 0.0))
    rig.now += FIRST_PACE
    assert rig.ask("one").is_now  # its waits are those after any failure
    rig.ask("one", feeds=2)
    rig.gates.refused(HostRefused("h", rig.now, 0.0))
    assert rig.ask("one").at > rig.now + FIRST_HOLD


def test_twenty_feeds_of_two_receivers_get_in_as_those_of_one_do() -> None:
    """What a venue allows, told by its meter: five in two seconds, and each try prolongs a ban."""
    rig, meter = Rig(), Meter(Rate(5, 2.0, ban=10.0))
    waiting = {"one": 10, "two": 10}
    due, refused = dict.fromkeys(waiting, 100.0), 0
    while waiting:
        name = min(waiting, key=lambda each: due[each])
        rig.now = max(rig.now, due[name])
        turn = rig.ask(name, feeds=10)
        due[name] = turn.at
        if not turn.is_now:
            continue
        if meter.exceeded(rig.now):
            refused += 1
            rig.gates.refused(HostRefused("h", turn.at, 0.0))
        else:
            waiting[name] -= 1
            if not waiting[name]:
                del waiting[name]
    assert rig.now < 160.0
    assert refused < 5
