"""Messages → rows by the tables' columns.

What a message means, rule by rule; where no columns are described, :mod:`fastingest.decode.auto`
has two more:

1. A message that stands word for word in ``ignore`` is ignored. One that is not UTF-8, or not JSON
   as RFC 8259 has it (no NaN, no byte order mark, no half of a surrogate pair in an escape, not
   nested too deeply), is a reject, once, of the feed's first table; wherever in the message it is
   wrong, in members that nobody asked for as well. Of duplicate members the last one counts.
2. A table takes a message if all its conditions of the message (``$``) hold. A condition compares
   text: a string's characters, or a number, true, false or null as it is written, so that
   ``$.x=1`` is 1 and "1", and not 1.0. Nothing equals what is not there, an object or an array, so
   that ``$.x!=1`` holds of these. For ``exists`` and ``absent``, null is not there.
3. What stands at ``rows`` is one row, or an array of rows: an array, whatever its elements are.
   Where the row's own paths begin with an index, a row is itself an array; then it is an array of
   rows if its first element is an array. Where all paths begin with ``$``, a message is one row.
   If nothing stands at ``rows``, or null, it is a reject for a table that has conditions of the
   message (it was meant to have rows), unless they are optional (``rows = "data?"``); others do
   not take it. An empty array is one ignored.

   Of several places (``data.b, data.a``) each is such a place, in the order in which they stand in
   the message. Where one is there and another is not, which must be, its rows are rows, and the
   message is a reject besides. A star (``events[*].trades``, ``mids.*``) leads to as many values as
   an array or an object has; each is one row, or an array of rows. Where it leads on to nothing, or
   null, or where the array or object is empty, that is one ignored. Of several, or behind a star, a
   bad row is rejected alone, as an element of an array is.
4. A row for which a condition of the row does not hold is left out, and is one ignored.
5. A column is read where its path leads, from the row or from the root; ``@key`` and the like
   (:data:`fastingest.model.jsonpath.OWN`) as if they stood there. Where a path goes on behind
   ``|remembered``, it does so in the message that the connection has remembered by the text that
   stands before it; where it has not, nothing is there. With ``@value`` a row may be of
   any kind, and an array is one of rows. With ``@index`` it is, too. What is not there, or null,
   makes a reject of a row that requires it, and an empty cell otherwise; so does what stands for
   no value (``""``, ``"NaN"``). A bad element of an array
   is rejected alone, with its own bytes; of more than 1,000 the message is rejected whole, with its
   good rows. So it is, once, for a bad column of the root, unless all its rows were left out. What
   fits which type: :mod:`fastingest.decode.column_types`.
6. A message that no table takes is one ignored.

Theory of operation. :class:`fastingest.decode.reference.ReferenceDecoder` does this one message at
a time, in 5 to 10 µs. Everything else merely gets there sooner, and gives up where it cannot:

- A table remembers the :class:`fastingest.decode.shapes.MessageShape` of its last messages, and
  takes a run of them at once: a message that fails is done alone, and the run goes on behind it. If
  a column of the run fails, it is halved until the message is found. Once a message was done alone
  and had rows, a shape that fits it is looked for, and kept.
- Where many messages are not for a table, or where there are several tables, a
  :class:`fastingest.decode.router.Router` sorts the messages first.
- Rows are counted before anything is handed on, so that a run in which the limit is reached can be
  done again message by message.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from itertools import compress
from operator import and_
from typing import Literal

from fastingest.decode.decoded import DecodedRun, untaken
from fastingest.decode.decoder import Decoder
from fastingest.decode.router import Route, Router, routers_of
from fastingest.decode.table_decoder import TableDecoder
from fastingest.decode.values import Recall
from fastingest.model.batch import Batch
from fastingest.model.schema import Schema

__all__ = ["FeedDecoder"]

# One message in so many that no table wants makes it worth while to sort them first. Sorting takes
# half of what reading a row takes, and a message that fails ten times as much.
_SORTED_FROM = 16
_MAX_ROUTERS = 16  # kept, each for one way in which the tables come
_MEMORY = 4096  # messages that this is judged by


class FeedDecoder(Decoder):
    """See :class:`Decoder`."""

    def __init__(
        self,
        schemas: Sequence[Schema],
        batch_size: int,
        name: str = "",
        ignore: Iterable[str] = (),
    ) -> None:
        super().__init__(schemas, batch_size, name, ignore)
        self._decoders = [
            TableDecoder(schema, self._ignore, is_first=index == 0)
            for index, schema in enumerate(schemas)
        ]
        # By which tables' messages are one row each; to make them takes a millisecond.
        self._routers: dict[tuple[bool, ...], list[Router]] = {}
        self._seen = self._unwanted = 0  # messages, of late
        # Whether what is to be ignored might have rows, or more than one that is left out.
        self._may_ignore_rows = any(
            any(outcome.rows for outcome in decoded_messages)
            or sum(outcome.ignored for outcome in decoded_messages) > 1
            for decoded_messages in (
                [decoder.decode_regardless(message) for decoder in self._decoders]
                for message in self._ignore
            )
        )

    def decode(
        self, messages: list[bytes], stamps: list[tuple[int, int]], limit: int | None = None
    ) -> list[Batch]:
        """As in :class:`Decoder`."""
        if not _is_utf8(messages) or (
            self._may_ignore_rows and not self._ignore.isdisjoint(messages)
        ):
            runs, read = self._one_by_one(messages, limit)
        else:
            runs, read = self._together(messages), len(messages)
            if limit is not None and sum(decoded.rows for decoded in runs) >= limit:
                runs, read = self._one_by_one(messages, limit)
        self.ignored += sum(decoded.ignored for decoded in runs)
        self.ignored += untaken(runs, read)
        closed: list[Batch] = []
        for table, decoded in zip(self.tables, runs, strict=True):
            table.blanked += decoded.blanked
            for index, raw, reason in decoded.rejects:
                table.reject(raw, stamps[bisect_right(stamps, index, key=_end)][1], reason)
            if decoded.rows or decoded.rejects:
                closed += table.fill(decoded.columns, decoded.stamps(stamps))
        return closed

    def recall_with(self, recall: Recall) -> None:
        """As in :class:`Decoder`."""
        for decoder in self._decoders:
            decoder.recall_with(recall)

    def fate_of(self, message: bytes) -> Literal["row", "reject", "ignored"]:
        """As in :class:`Decoder`."""
        decoded = [decoder.decode_alone(message) for decoder in self._decoders]
        if any(each.rows for each in decoded):
            return "row"
        return "reject" if any(each.rejects for each in decoded) else "ignored"

    def _one_by_one(
        self, messages: Sequence[bytes], limit: int | None
    ) -> tuple[list[DecodedRun], int]:
        """What the messages bring, up to a limit of rows; and how many were read."""
        runs = [decoder.new_run() for decoder in self._decoders]
        for read, message in enumerate(messages, 1):
            for decoder, decoded in zip(self._decoders, runs, strict=True):
                decoded.add_alone(decoder.decode_alone(message))
                if limit is not None:
                    over = sum(each.rows for each in runs) - limit
                    if over >= 0:
                        decoded.cut(decoded.rows - over)
                        return runs, read
        return runs, len(messages)

    def _together(self, messages: Sequence[bytes]) -> list[DecodedRun]:
        routers = self._fitting_routers()
        if len(self._decoders) == 1 and (
            not routers or self._unwanted * _SORTED_FROM <= self._seen
        ):
            (decoder,) = self._decoders
            decoded = decoder.new_run()
            most = len(messages) // _SORTED_FROM + 4 if routers else len(messages)
            if decoder.read(messages, decoded, most):
                self._count(len(messages), decoded.misses)
                return [decoded]
        routes = [route for router in routers for route in router.sort(messages)]
        if not routes:
            routes = [Route()] * len(self._decoders)
        runs = [
            _sorted(decoder, route, messages)
            for decoder, route in zip(self._decoders, routes, strict=True)
        ]
        self._count(len(messages), len(messages) - runs[0].messages + runs[0].misses)
        return runs

    def _fitting_routers(self) -> list[Router]:
        one_row = tuple(decoder.takes_one_row for decoder in self._decoders)
        routers = self._routers.get(one_row)
        if routers is None:
            tables = [decoder.schema for decoder in self._decoders]
            routers = routers_of(list(zip(tables, one_row, strict=True)))
            if len(self._routers) >= _MAX_ROUTERS:
                self._routers.clear()
            self._routers[one_row] = routers
        return routers

    def _count(self, seen: int, unwanted: int) -> None:
        self._seen += seen
        self._unwanted += unwanted
        while self._seen > _MEMORY:
            self._seen //= 2
            self._unwanted //= 2


def _end(stamp: tuple[int, int]) -> int:
    return stamp[0]


def _is_utf8(messages: Sequence[bytes]) -> bool:
    """Whether all are; msgspec looks at the encoding of what it is asked for only."""
    if b"".join(messages).isascii():
        return True
    try:
        # No sequence of bytes goes on across a line feed.
        b"\n".join(messages).decode()
    except UnicodeDecodeError:
        return False
    return True


def _sorted(decoder: TableDecoder, route: Route, messages: Sequence[bytes]) -> DecodedRun:
    """What a table has of the messages that passed its router."""
    takes, keeps = route
    passes = takes if keeps is None else keeps
    if keeps is not None and takes is not None:
        passes = list(map(and_, takes, keeps))
    if passes is None or all(passes):
        decoded = decoder.new_run()
    else:
        decoded = decoder.new_run(list(compress(range(len(messages)), passes)), takes)
        if keeps is not None:
            taken = len(messages) if takes is None else sum(takes)
            decoded.ignored += taken - sum(passes)
        messages = list(compress(messages, passes))
    decoder.read(messages, decoded, len(messages))
    return decoded
