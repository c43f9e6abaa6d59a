from __future__ import annotations

from fastingest.probe.dry_run import Trial, trial_of
from fastingest.probe.proposal import proposal_of

NOW = 1_700_000_000.0
ROW = b'{"symbol": "A", "price": 1.5}'


def test_a_proposal_is_tried_on_messages() -> None:
    proposal = proposal_of([ROW, b"pong"], NOW)
    messages = [ROW, b"pong", ROW, b'{"price": 2}']
    assert trial_of(proposal, messages) == Trial(2, 1, 1, "symbol: symbol is missing")


def test_the_default_is_tried_as_well() -> None:
    messages = [b'{"AAPL": 1.5, "MSFT": 2}', ROW]
    assert trial_of(proposal_of(messages, NOW), messages) == Trial(3, 0, 0, "")


def test_nothing_proposed_is_nothing_tried() -> None:
    assert trial_of(proposal_of([b"pong"], NOW), [b"pong"]) is None
