from __future__ import annotations

from fastingest.probe.dry_run import DryRun, dry_run
from fastingest.probe.proposal import proposal_of

NOW = 1_700_000_000.0
ROW = b'{"symbol": "A", "price": 1.5}'


def test_a_proposal_is_tried_on_messages() -> None:
    proposal = proposal_of([ROW, b"pong"], NOW)
    messages = [ROW, b"pong", ROW, b'{"price": 2}']
    assert dry_run(proposal, messages) == DryRun(2, 1, 1, "symbol: symbol is missing")


def test_the_default_is_tried_as_well() -> None:
    messages = [b'{"AAPL": 1.5, "MSFT": 2}', ROW]
    assert dry_run(proposal_of(messages, NOW), messages) == DryRun(3, 0, 0, "")


def test_nothing_proposed_is_nothing_tried() -> None:
    assert dry_run(proposal_of([b"pong"], NOW), [b"pong"]) is None
