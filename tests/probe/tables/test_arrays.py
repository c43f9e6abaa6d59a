from __future__ import annotations

from typing import Any

from fastingest.model.jsonpath import text_of_steps
from fastingest.probe.tables.arrays import arrays_in, in_clusters, with_sisters
from fastingest.probe.tables.field_profile import FieldProfile

LEVELS = [["1.5", "2"]]


def clusters(*messages: Any) -> list[list[tuple[str, str, bool]]]:
    """The arrays together: where each is, its side, and whether it is always there."""
    found = in_clusters(list(arrays_in(FieldProfile(messages))))
    return [
        [(text_of_steps(each.steps), each.side, each.is_always) for each in with_sisters(cluster)]
        for cluster in found
    ]


def test_arrays_that_are_alike_are_together() -> None:
    assert clusters({"bids": LEVELS, "asks": LEVELS, "trades": [{"p": 1}]}) == [
        [("bids", "bid", True), ("asks", "ask", True)],
        [("trades", "", True)],
    ]


def test_a_side_that_was_empty_or_never_there_is_found_beside_its_sister() -> None:
    assert clusters({"b": LEVELS, "a": []}) == [[("b", "bid", True), ("a", "ask", False)]]
    assert clusters({"askLevels": LEVELS}) == [
        [("askLevels", "ask", True), ("bidLevels", "bid", False)]
    ]
    assert clusters({"b": LEVELS, "a": 5}) == [[("b", "bid", True)]]
    assert clusters({"a": LEVELS}, {"b": LEVELS}) == [[("a", "ask", False), ("b", "bid", False)]]


def test_of_two_arrays_of_levels_the_bids_are_those_of_the_lower_prices() -> None:
    assert clusters({"levels": [LEVELS, [["1.6", "2"]]]}) == [
        [("levels[0]", "bid", True), ("levels[1]", "ask", True)]
    ]
    assert clusters({"levels": [[{"px": "9"}], [{"px": "8"}]]}) == [
        [("levels[0]", "ask", True), ("levels[1]", "bid", True)]
    ]
    crossed = [{"levels": [LEVELS, LEVELS]}]
    assert [side for _, side, _ in clusters(*crossed)[0]] == ["", ""]


def test_stars_lead_through_arrays_and_maps() -> None:
    assert clusters({"events": [{"trades": [{"p": 1}]}]}) == [
        [("events", "", True)],
        [("events[*].trades", "", True)],
    ]
    book = {"bids": LEVELS, "asks": LEVELS}
    assert clusters({"data": {"AAA": book, "BBB": book}}) == [
        [("data.*.bids", "bid", True), ("data.*.asks", "ask", True)]
    ]
