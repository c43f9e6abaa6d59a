"""Streams in the form in which venues send them, with invented values, and how to describe them.

What a person who knows the venue would write stands beside each. A stream goes on (``later``) after
what a probe has heard of it: with other symbols, with the other side of a book, with other kinds of
messages.
"""

from __future__ import annotations

from tests.probe.streams.cases import CASES
from tests.probe.streams.more_venues import MORE_VENUES
from tests.probe.streams.odd_venues import ODD_VENUES
from tests.probe.streams.stream import Expert, Stream
from tests.probe.streams.venues import VENUES
from tests.probe.streams.venues_of_arrays import VENUES_OF_ARRAYS

__all__ = ["STREAMS", "Expert", "Stream"]

STREAMS: tuple[Stream, ...] = (*CASES, *VENUES, *MORE_VENUES, *VENUES_OF_ARRAYS, *ODD_VENUES)
