from __future__ import annotations

import subprocess
import sys


def test_enums_lose_no_member_by_being_fast() -> None:
    """In a process of its own: it changes the standard library there."""
    program = """
import enum
from fastingest.receiver import process
from fastingest.runtime.process_setup import let_enums_be_fast
def below(kind):
    for each in kind.__subclasses__():
        yield each
        yield from below(each)
let_enums_be_fast()
found = [(kind, name) for kind in set(below(enum.Enum)) for name in kind.__members__]
assert all(getattr(kind, name) is kind.__members__[name] for kind, name in found)
print(len(found))
"""
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stderr == ""
    assert int(ended.stdout) > 100
