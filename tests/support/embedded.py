"""Messages that are the text of a string in another message, and tables of these."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import strategies as st

from fastingest.model.jsonpath import Embedded, JsonPath
from fastingest.model.rows import Rows
from fastingest.model.schema import Schema

__all__ = ["embedded", "embedded_table", "ways_to_embed"]

_WAY = ("w", Embedded.JSON)

ways_to_embed = st.sampled_from(["plain", "spaced", "unicode", "slashes"])
"""How a string may be written."""


def embedded_table(schema: Schema) -> Schema:
    """A table of messages in which those of this one are in a string."""

    def inside(path: JsonPath) -> JsonPath:
        return path._replace(steps=_WAY + path.steps) if path.from_root else path

    return replace(
        schema,
        columns=tuple(
            replace(column, path=None if column.path is None else inside(column.path))
            for column in schema.columns
        ),
        where=tuple(each._replace(path=inside(each.path)) for each in schema.where),
        # @rows says what it says of them where they are messages.
        rows=Rows(
            tuple(
                place._replace(steps=_WAY + place.steps, name=place.name or place.path)
                for place in schema.rows.places
            )
        ),
    )


def embedded(message: bytes, way: str = "plain") -> bytes:
    """A message with this one in a string."""
    text = message.decode()
    if way == "spaced":
        text = f" \n{text}\t"
    string = json.dumps(text, ensure_ascii=way == "unicode")
    if way == "unicode":
        string = string.replace('\\"', "\\u0022").replace("}", "\\u007D")
    elif way == "slashes":
        string = string.replace("/", "\\/")
    return f'{{"v":[1,"\\"x"],"w":{string}, "x":"\\n"}}'.encode()
