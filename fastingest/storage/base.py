"""What a sink is: a place for the bytes of an output, which are only ever appended.

The bytes of an output go to one *part* after the other: a file in work, or one that is finished. A
part is known by what it is (:class:`Part`), not by its name alone, since another file may get that.
Today an output has one part, the file that the user names, which is never finished by us; when
another program moves it away, the next one has the same name.

Rotation will add to this what nothing asks for today: of a part its number, its name and where in
the output it starts, and of a sink ``roll(now)``, which finishes a part when its time has come or
it is large enough, and says which one.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

__all__ = ["Part", "Sink"]


class Part(NamedTuple):
    """A file with bytes of an output."""

    inode: int
    """What tells it from another file under its name."""
    size: int
    """Bytes of it that are settled."""


class Sink(Protocol):
    """A place for bytes, as the writer's commits need it."""

    @property
    def part(self) -> Part:
        """The part in work."""

    def append(self, data: bytes | memoryview) -> int:
        """Append bytes; the offset where they are in the part.

        :raises WriteFailed: it could not be done; what was written of them is cut off again.
        """

    def sync(self) -> None:
        """Have the system put the part on the disk.

        :raises OSError: it is not known to be there.
        """
