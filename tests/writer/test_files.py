"""What goes from the file to the rejects."""

from __future__ import annotations

import json

import pytest

from fastingest.writer import files as module
from tests.support.output_writer import (
    HEADER,
    Writer,
    rows,
)

pytestmark = pytest.mark.usefixtures("impatient")


def test_what_is_damaged_goes_to_the_rejects_in_pieces(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_DAMAGED", 40)
    writer.commit(1)
    writer.commit(50)
    writer.close()
    left = bytearray(writer.path.read_bytes())
    left[-5:] = bytes(5)
    writer.path.write_bytes(left)
    writer.is_doubtful = True
    writer.start()
    texts = [json.loads(line)["text"] for line in writer.rejected.splitlines()]
    assert "".join(texts).encode() == left[len(HEADER + rows(0, 1)) :]
    assert max(map(len, texts)) <= 40
    assert writer.data == HEADER + rows(0, 1)
