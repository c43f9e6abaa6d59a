"""Conditions that keep out of a table what is no data, where those that let its rows in do not.

A feed whose rows say nothing of what they are needs none, until a sign of life comes between them:
``{"type": "heartbeat", "time": 1700000000}`` would be a reject. It says itself what it is, so
``$.type!=heartbeat`` leaves it out, whatever else is in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from fastingest.model.jsonpath import Condition, JsonPath
from fastingest.probe.conditions import meets
from fastingest.probe.discriminators import discriminators_of
from fastingest.probe.field_profile import follow
from fastingest.probe.tables import Candidate

__all__ = ["keep_out"]

_WORD = re.compile(r"[A-Za-z][\w:/.-]*", re.ASCII)


def keep_out(tables: Sequence[Candidate], others: Iterable[int], values: Sequence[Any]) -> set[int]:
    """Give tables the conditions that they need; the indices of what is kept out of all then.

    :param others: the indices of messages that are no data.
    :param values: all messages, decoded.
    """
    others = sorted(others)
    met = {index for index in others for table in tables if meets(table.schema, values[index])}
    kept = set(met)
    for table in tables:
        theirs = [index for index in others if meets(table.schema, values[index])]
        found = _exclusions(table, theirs, values)
        kept.difference_update(each for each in theirs if not _excludes(found, values[each]))
        table.schema = replace(table.schema, where=(*table.schema.where, *found))
    return kept


def _exclusions(
    table: Candidate, others: Iterable[int], values: Sequence[Any]
) -> tuple[Condition, ...]:
    found: list[Condition] = []
    for index in others:
        other = values[index]
        if not isinstance(other, dict) or _excludes(found, other):
            continue
        for steps, text in discriminators_of(other).items():
            if (
                len(steps) == 1
                and _WORD.fullmatch(text)
                and all(follow(values[each], steps) != text for each in table.messages)
            ):
                found.append(Condition(JsonPath(steps, True), (text,), "!="))
                break
    return tuple(found)


def _excludes(conditions: Iterable[Condition], value: Any) -> bool:
    return any(follow(value, each.path.steps) in each.values for each in conditions)
