"""What a feed's messages must become: the form in which it is told."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Expected", "cells"]


class Expected(NamedTuple):
    """What becomes of a feed's messages.

    :param rows: how many rows there are.
    :param first: the cells of the first of them, but for metadata columns.
    :param rejects: how many messages, or elements of messages, are rejected.
    :param ignored: how many are neither row nor reject.
    :param replies: the messages, counted from 0, that answer its subscriptions.
    :param refused: how many say no to something.
    :param reconnects: the messages, counted from 0, that ask for another connection.
    :param answers: what is to be answered, in order.
    :param binary: whether they are sent as binary messages.
    """

    rows: int
    first: list[str]
    rejects: int
    ignored: int
    replies: tuple[int, ...] = ()
    refused: int = 0
    reconnects: tuple[int, ...] = ()
    answers: tuple[str, ...] = ()
    binary: bool = False


def cells(text: str) -> list[str]:
    """The cells of a row, from a text with bars between them."""
    return [cell.strip() for cell in text.split("|")]
