"""What a plan's nodes and conditions are there for. The compiled parser has its own numbers."""

from __future__ import annotations

from enum import Enum, auto

__all__ = ["Comparison", "NodeKind", "Own"]


class NodeKind(Enum):
    """What a value is there for."""

    OBJECT = auto()
    ARRAY = auto()
    COLUMN = auto()
    CONDITION = auto()
    ROWS = auto()
    LATER = auto()
    """A column of the root, where there may be several rows."""
    SEVERAL = auto()
    """Several of these, each for the same value; never one that leads on."""
    EACH_MEMBER = auto()
    """An object of which each member leads to rows."""
    EACH_ELEMENT = auto()
    """An array of which each element does."""
    RECALLED = auto()
    """A key, by which the value of a column is remembered."""
    RECALLED_CONDITION = auto()
    """One by which the value of a condition is."""


class Own(Enum):
    """What of :data:`fastingest.model.jsonpath.OWN` a column shows."""

    KEY = auto()
    VALUE = auto()
    INDEX = auto()
    ROWS = auto()


class Comparison(Enum):
    """What a condition looks at."""

    IS = auto()
    IS_NOT = auto()
    BEGINS = auto()
    LIKE = auto()
    EXISTS = auto()
    ABSENT = auto()
