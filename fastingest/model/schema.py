"""What a table is: its columns, and where in a message its rows are.

A schema is a description, made from text (:func:`parse_columns`) and compiled elsewhere: into
msgspec types by the receiver (:mod:`fastingest.decode.shapes`), into polars types by the writer
(:mod:`fastingest.format.csv`). What lies between the two, the *cells* of a batch, is fixed here;
the form in which they travel is chosen in :mod:`fastingest.model.chunks`:

============================  ==================================================================
type                          a cell on its way from the receiver to the writer
============================  ==================================================================
``str``                       str
``int``                       int of 64 bits; beyond, its digits as str
``float``                     float, finite
``number``                    as ``int``, or as ``float``
``bool``                      bool
``decimal``                   str, the number's own text
``json``                      str, the value's own text
``timestamp[s]``              str, a number without exponent: seconds, maybe with a fraction
``timestamp[ns]``             int of 64 bits, in this unit, since the epoch
``timestamp[ms]``, us         likewise; with a fraction, its text: a number without exponent
``timestamp[iso]``            str, RFC 3339 with upper-case T and Z, or an offset
============================  ==================================================================

A constant column (``side="bid"``) has its text in each row. An empty cell is None. A timestamp is
written as ISO 8601 in UTC; where a number of digits is given (``timestamp[ms:6]``), with so many
behind the second, and no cell has more that are not zero. Where a second unit is given
(``timestamp[ms,ns]``), it is written as the integer in this unit. Metadata columns
(:data:`METADATA`) have no cells: the writer makes them of what the batch says of itself.

Where formulas are escaped (``--escape-formulas``), a batch says so itself: its columns of ``str``
are :data:`ESCAPED`. Their cells are the same, and only what is written differs, so that another run
that writes the batch, whatever its options are, writes the same.

Where columns are not described, messages are told by themselves: :data:`TRADES`, which is what
:mod:`fastingest.decode.auto` reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from fastingest.model.jsonpath import OWN, Condition, Each, JsonPath, parse_path
from fastingest.model.rows import Rows

__all__ = [
    "ESCAPED",
    "EXAMPLE",
    "METADATA",
    "TRADES",
    "Column",
    "Schema",
    "base_type",
    "check_own",
    "check_type",
    "digits_of",
    "header_of",
    "parse_columns",
]

METADATA = ("@received", "@feed", "@connection", "@sequence")
"""When the row was received, in nanoseconds since the epoch; its feed's name; which connection of
the feed it came by, from 1; its number among the rows of the feed in this file, from 1."""

ESCAPED = "str:escaped"
"""The type of a column of ``str`` in a batch whose formulas are escaped when they are written."""

_TYPES = ("str", "int", "float", "number", "bool", "decimal", "json")
_UNITS = ("iso", "s", "ms", "us", "ns")
EXAMPLE = "write for example 'symbol:str=s, price:float=p, time:timestamp[ms]=T'"


@dataclass(frozen=True)
class Column:
    """One column of the file.

    :param name: its name in the header.
    :param type: as in the table above; of a metadata column: ``@received``, …, with the type that
        it is written as behind a colon where that is another: ``@received:timestamp[ns]``.
    :param path: where its value is, from the row or from the message's root, or the constant that
        it is; None for a metadata column.
    :param required: whether a row without it, or with null, is no row; otherwise the cell stays
        empty.
    """

    name: str
    type: str
    path: JsonPath | None = None
    required: bool = True

    @property
    def is_metadata(self) -> bool:
        """Whether it is one of :data:`METADATA`."""
        return self.type.startswith("@")

    @property
    def is_constant(self) -> bool:
        """Whether it has the same text in each row."""
        return self.path is not None and self.path.own.startswith('"')


@dataclass(frozen=True)
class Schema:
    """A table: which messages, which rows of them, which columns of these in the file's order.

    :param columns: at least one that is no metadata and no constant.
    :param rows: where in a message the rows are: one row there, or an array of rows.
    :param where: conditions that must all hold, of the message (``$``) or of the row.
    :param described: whether columns say where they are; otherwise messages are told by themselves.
    """

    columns: tuple[Column, ...]
    rows: Rows = Rows()
    where: tuple[Condition, ...] = ()
    described: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names, in the file's order."""
        return tuple(column.name for column in self.columns)

    @property
    def types(self) -> tuple[str, ...]:
        """The columns' types."""
        return tuple(column.type for column in self.columns)

    @property
    def header(self) -> str:
        """The file's first line, without its end (RFC 4180 quoting)."""
        return header_of(self.names)

    @property
    def where_message(self) -> tuple[Condition, ...]:
        """The conditions of the message."""
        return tuple(condition for condition in self.where if condition.path.from_root)

    @property
    def where_row(self) -> tuple[Condition, ...]:
        """The conditions of the row."""
        return tuple(condition for condition in self.where if not condition.path.from_root)

    @property
    def own(self) -> frozenset[str]:
        """What columns show of :data:`fastingest.model.jsonpath.OWN`."""
        return frozenset(
            column.path.own
            for column in self.columns
            if column.path is not None and column.path.own in OWN
        )

    @property
    def has_arrays(self) -> bool:
        """Whether an array is one of rows, unless it can be a row itself."""
        return self.row_container is not None or not self.own.isdisjoint(("@value", "@index"))

    @property
    def row_container(self) -> type | None:
        """What a row is: dict, list, or None where nothing is read from it."""
        paths = [column.path for column in self.columns if column.path is not None]
        paths += [condition.path for condition in self.where]
        steps = [path.steps[0] for path in paths if not path.from_root and not path.own]
        if not steps:
            return None
        return list if any(isinstance(step, int) for step in steps) else dict


def header_of(names: Sequence[str]) -> str:
    """The first line of a file with these columns, without its end (RFC 4180 quoting)."""
    return ",".join(
        '"' + name.replace('"', '""') + '"' if re.search(r'[",\r\n]', name) else name
        for name in names
    )


def check_type(text: str) -> str:
    """A type as it stands in a :class:`Column`; ``timestamp`` alone is ``timestamp[iso]``.

    :raises ValueError: there is none of that name.
    """
    text = re.sub(r"\s", "", text)
    if text in _TYPES:
        return text
    if text == "timestamp":
        return "timestamp[iso]"
    match = re.fullmatch(r"timestamp\[(\w+)(:[0-9])?(?:,(\w+))?\]", text)
    if match and match[1] in _UNITS and match[3] in (None, *_UNITS):
        if match[3] in (None, "iso"):
            return f"timestamp[{match[1]}{match[2] or ''}]"
        if match[2] is None:
            return text
    raise ValueError(
        f"{text!r} is no type; there are {', '.join(_TYPES)}, timestamp[s|ms|us|ns|iso], "
        "timestamp[ms:6] for one with so many digits (0 to 9) behind the second, and "
        "timestamp[ms,ns] for one that is written as an integer"
    )


def base_type(type_: str) -> str:
    """A type without what a timestamp is written as: ``timestamp[ms]`` of ``timestamp[ms,ns]``."""
    match = re.match(r"timestamp\[\w+", type_)
    return type_ if match is None else f"{match[0]}]"


def digits_of(type_: str) -> int | None:
    """How many digits a timestamp is written with behind the second; None: those that it has."""
    match = re.search(r":([0-9])\]$", type_)
    return None if match is None else int(match[1])


def parse_columns(text: str | Sequence[str]) -> tuple[Column, ...]:
    """The columns that ``name:type=path, name:type=path, …`` describes.

    - the path may be left out where it is the column's name: ``price:float``;
    - the type may be left out where it is ``str``: ``symbol=$.arg.instId``;
    - a ``?`` behind the type makes it optional: ``volume:float?=q``;
    - a metadata column needs no type: ``@received``, ``time=@received``,
      ``time:timestamp[ns]=@received``;
    - a constant stands in quotes: ``side="bid"``, with the escapes of JSON, or ``side='bid'``,
      where there are none.

    In a text with several, a name with a space stands in quotes: ``"last price":float``.

    :param text: all of them, or a sequence with one each.
    :raises ValueError: it describes none; the message says what is wrong and with which.
    """
    if isinstance(text, str):
        columns = tuple(map(_column_between_commas, _split(text)))
    else:
        columns = tuple(_column(part.strip()) for part in text)
    if all(column.is_metadata or column.is_constant for column in columns):
        raise ValueError(f"there is no column that comes from the feed; {EXAMPLE}")
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            raise ValueError(f"two columns are named {column.name!r}")
        seen.add(column.name)
    return columns


def _split(text: str) -> list[str]:
    """At the commas that stand outside brackets and quotes."""
    pieces = re.findall(
        r"""(?:=\s*'[^']*'|\[(?:"(?:[^"\\]|\\.)*"|[^\]"])*\]|"(?:[^"\\]|\\.)*"|[^,])+""", text
    )
    return [piece.strip() for piece in pieces if piece.strip()]


def _column_between_commas(text: str) -> Column:
    words = text.split()
    try:
        several = len(words) > 1 and all(
            _column(word) and not word.endswith((":", "=")) for word in words
        )
    except ValueError:
        several = False
    if several and not text.startswith('"'):
        raise ValueError(
            f"{text!r} has no comma between the columns; write {', '.join(words)!r}, or put a name "
            "with a space into quotes"
        )
    return _column(text)


def _column(text: str) -> Column:
    match = re.fullmatch(
        r"""(?P<name>"(?:[^"\\]|\\.)*"|[^:="?]+?)\s*
            (?::\s*(?P<type>[\w]+(?:\[[^\]]*\])?))?\s*(?P<optional>\?)?\s*
            (?:=\s*(?P<path>.*))?""",
        text,
        re.VERBOSE | re.DOTALL,
    )
    if match is None:
        raise ValueError(f"{text!r} describes no column; {EXAMPLE}")
    name = match["name"]
    if name.startswith('"'):
        name = re.sub(r"\\(.)", r"\1", name[1:-1])
    path = (match["path"] or "").strip()
    kind = match["type"]
    if path.startswith("@") or (not path and name.startswith("@")):
        own = path or name
        if own in OWN:
            type_ = check_type(kind or ("int" if own == "@index" else "str"))
            path_ = JsonPath(own=own)
            return Column(name.removeprefix("@"), type_, path_, required=not match["optional"])
        if own not in METADATA:
            known = ", ".join((*METADATA, *OWN))
            raise ValueError(f"{own!r} is no column of our own; there are {known}")
        if kind and (own != "@received" or check_type(kind) != "timestamp[ns]"):
            raise ValueError(f"{text!r}: {own} is written as it is, or @received as timestamp[ns]")
        name = name.removeprefix("@")
        return Column(name, f"{own}:{check_type(kind)}" if kind else own)
    if not path and not text.startswith('"') and re.search(r"[$.\[\]]|\|json", name):
        raise ValueError(f"column {name!r} looks like a path; give it a name: NAME={name}")
    try:
        if path.startswith(('"', "'")):
            if kind not in (None, "str") or match["optional"]:
                raise ValueError(f"{path} is a text, and always there: it needs no type, and no ?")
            return Column(name, "str", JsonPath(own=_constant(path)))
        where = parse_path(path) if path else JsonPath((name,))
        if not where.steps:
            raise ValueError(f"{path!r} is the whole message; name a member of it")
        return Column(name, check_type(kind or "str"), where, required=not match["optional"])
    except ValueError as error:
        raise ValueError(f"column {name!r}: {error}") from None


def check_own(columns: Sequence[Column], rows: Rows) -> None:
    """See that what columns show of where their row is can be there.

    :raises ValueError: it cannot.
    """
    for column in columns:
        if column.path is not None and column.path.own == "@key":
            have = [Each.MEMBER in place.steps for place in rows.places]
            if not any(have) or (column.required and not all(have)):
                raise ValueError(
                    f"column {column.name!r}: @key is the name that a .* in rows has led to, and "
                    'there is none; write for example rows = "mids.*"'
                )


def _constant(text: str) -> str:
    """The JSON of a text in quotes.

    :raises ValueError: it is none.
    """
    if re.fullmatch(r"'[^']*'", text):
        return json.dumps(text[1:-1], ensure_ascii=False)
    with suppress(ValueError):  # no JSON, or half of a surrogate pair
        constant = json.loads(text, strict=False)
        constant.encode()
        return json.dumps(constant, ensure_ascii=False)
    raise ValueError(f'{text} is no text in quotes; write for example "bid"')


TRADES = Schema(
    (
        Column("symbol", "str", JsonPath(("symbol",))),
        Column("price", "float", JsonPath(("price",))),
        Column("volume", "number", JsonPath(("volume",)), required=False),
    ),
    described=False,
)
"""The default: ``{"symbol": "AAPL", "price": 145.67, "volume": 1500}`` or ``{"AAPL": 145.67}``."""
