"""A bug, for the tests of the campaign: a batch is in the journal before it is in the file.

To import it plants it. A writer that is killed between the two has lost the batch.
"""

from __future__ import annotations

from msgspec.structs import replace

from fastingest.model.batch import Batch
from fastingest.writer.output import Output

_commit = Output.commit


def _commit_too_early(self: Output, batch: Batch, text: memoryview) -> None:
    early = replace(self.entry, stream=batch.stream, sequence=batch.sequence, feed=batch.feed)
    self._committed.write(early)
    _commit(self, batch, text)


Output.commit = _commit_too_early  # type: ignore[method-assign]
