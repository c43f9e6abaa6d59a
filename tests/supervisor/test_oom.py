"""What the kernel says of whom it has killed; and that it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastingest.supervisor.oom import RECENT, OomWatch

V2 = "35 24 0:30 {above} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw,nsdelegate\n"
V1 = (
    "34 31 0:31 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n"
    "35 31 0:32 {above} /sys/fs/cgroup/memory rw,relatime shared:7 - cgroup cgroup rw,memory\n"
)
DISK = "23 1 254:0 / / rw,relatime - ext4 /dev/root rw\n"
ROOT = {"proc/vmstat": "nr_free_pages 7\noom_kill 3\n"}


def _system(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("group", "above", "folder"),
    [
        ("/a/b", "/", "a/b"),
        ("/docker/1234", "/docker/1234", ""),  # a container that sees its own group alone
        ("/", "/", ""),
    ],
)
def test_the_count_of_our_group_is_taken(
    tmp_path: Path, group: str, above: str, folder: str
) -> None:
    events = Path("sys/fs/cgroup", folder, "memory.events")
    root = _system(
        tmp_path,
        ROOT
        | {
            "proc/self/cgroup": f"0::{group}\n",
            "proc/self/mountinfo": DISK + V2.format(above=above),
            str(events): "low 0\nhigh 0\nmax 9\noom 2\noom_kill 2\n",
        },
    )
    watch = OomWatch(root)
    assert watch.source == root / events


def test_the_first_version_of_control_groups_counts_as_well(tmp_path: Path) -> None:
    control = "sys/fs/cgroup/memory/service/memory.oom_control"
    root = _system(
        tmp_path,
        ROOT
        | {
            "proc/self/cgroup": "4:memory:/service\n3:cpu:/other\n0::/\n",
            "proc/self/mountinfo": DISK + V1.format(above="/"),
            control: "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
        },
    )
    assert OomWatch(root).source == root / control


def test_without_a_group_it_is_the_count_of_the_machine(tmp_path: Path) -> None:
    root = _system(tmp_path, ROOT)
    assert OomWatch(root).source == root / "proc/vmstat"


def test_a_count_that_goes_up_is_evidence_for_a_while(tmp_path: Path) -> None:
    root = _system(tmp_path, ROOT)
    watch = OomWatch(root)
    assert not watch.has_killed()  # nobody knows what it was before
    watch.look(10.0)
    assert not watch.has_killed()
    _system(tmp_path, {"proc/vmstat": "oom_kill 4\n"})
    assert watch.has_killed()
    watch.look(10.0 + RECENT / 2)  # between the death and its notice
    assert watch.has_killed()
    watch.look(10.0 + RECENT)
    watch.look(10.0 + 2 * RECENT)
    assert not watch.has_killed()


@pytest.mark.parametrize("text", ["", "oom_kill many\n", "oom_killer 3\n"])
def test_a_count_that_cannot_be_read_is_no_evidence(tmp_path: Path, text: str) -> None:
    root = _system(tmp_path, {"proc/vmstat": text})
    watch = OomWatch(root)
    watch.look(1.0)
    _system(tmp_path, {"proc/vmstat": "oom_kill 9\n"})
    assert not watch.has_killed()


def test_no_proc_at_all(tmp_path: Path) -> None:
    watch = OomWatch(tmp_path)
    watch.look(1.0)
    assert not watch.has_killed()
