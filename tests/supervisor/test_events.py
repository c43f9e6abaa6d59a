from __future__ import annotations

import sys

import pytest

from fastingest.supervisor.events import CountersOnDisk, SpoolOnDisk, level_on_disk


@pytest.mark.parametrize(
    ("platform", "level"), [("linux", "warning"), ("darwin", "info"), ("win32", "info")]
)
def test_only_where_memory_could_be_used_is_the_disk_a_matter(platform: str, level: str) -> None:
    assert level_on_disk(platform) == level
    here = level_on_disk(sys.platform)
    assert (SpoolOnDisk.level, CountersOnDisk.level) == (here, here)
