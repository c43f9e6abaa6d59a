"""A fuzzer for the native reader, with atheris; scripts/fuzz runs it.

An input's first byte chooses one of :data:`tests.fuzz.comparison.SHAPES`; the rest are messages,
with a zero byte between two. The arguments are libFuzzer's. What is found is written to a file;
with its path among the arguments, that is done again, and nothing else.

Coverage is that of the decoders in Python, and says little of the native reader. What finds its way
there is the mutator, which knows JSON (:mod:`tests.fuzz.mutation`), and begins with real messages.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from random import Random

import atheris

with atheris.instrument_imports(include=["fastingest.decode", "fastingest.model"]):
    from tests.fuzz.comparison import SHAPES, compare
from tests.fuzz.mutation import mutate

_BETWEEN = b"\0"
_MAX_SIZE = 8192  # bytes of an input


def _one_input(data: bytes) -> None:
    if data:
        compare(data[0] % len(SHAPES), data[1:].split(_BETWEEN))


def _mutated(data: bytes, most: int, seed: int) -> bytes:
    random = Random(seed)
    shape = data[0] % len(SHAPES) if data else random.randrange(len(SHAPES))
    messages = data[1:].split(_BETWEEN)
    index = random.randrange(len(messages))
    match random.randrange(16):
        case 0:
            messages.insert(index, random.choice(SHAPES[shape].messages))
        case 1:
            messages.insert(index, random.choice(messages))
        case 2 if len(messages) > 1:
            del messages[index]
        case 3:  # as if it knew nothing of JSON
            messages[index] = bytes(atheris.Mutate(messages[index], len(messages[index]) + 8))
        case _:
            messages[index] = mutate(messages[index], random)
    return (bytes([shape]) + _BETWEEN.join(messages))[:most]


def _write_seeds(folder: Path) -> None:
    for shape, (_, messages, _) in enumerate(SHAPES):
        for number, message in enumerate(messages):
            (folder / f"{shape}-{number}").write_bytes(bytes([shape]) + message)


def main() -> None:
    """Fuzz until something is found, or as long as the arguments say."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = sys.argv
        if not any(Path(each).is_file() for each in arguments[1:]):
            _write_seeds(Path(folder))
            arguments = [*arguments, f"-max_len={_MAX_SIZE}", folder]
        atheris.Setup(arguments, _one_input, custom_mutator=_mutated)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
