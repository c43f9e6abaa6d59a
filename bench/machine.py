"""What the figures were measured on, for people: the machine and its system.

The load is that of the last minute before: on a machine that does other things as well, all figures
are lower, and those of what uses two cores are so the most.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

__all__ = ["machine"]


def machine() -> dict[str, str]:
    """Processor, cores, memory, kernel, distribution and load, as far as the system tells."""
    found = {
        "processor": field("/proc/cpuinfo", "model name", ":") or platform.processor(),
        "cores": str(cores()),
        "memory": memory(),
        "kernel": f"{platform.system()} {platform.release()}",
        "system": field("/etc/os-release", "PRETTY_NAME", "=").strip('"'),
        "load before": f"{os.getloadavg()[0]:.2f}",
    }
    return {name: value for name, value in found.items() if value}


def cores() -> int:
    """How many of them this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS
        return os.cpu_count() or 1


def memory() -> str:
    """All of the machine's memory; empty where it does not tell."""
    size = field("/proc/meminfo", "MemTotal", ":").partition(" ")[0]
    return f"{int(size) / 2**20:.0f} GiB" if size else ""


def field(path: str, name: str, separator: str) -> str:
    """The first value of that name in a file of names and values; empty if there is none."""
    try:
        lines = Path(path).read_text().splitlines()
    except OSError:
        return ""
    parts = (line.partition(separator) for line in lines)
    return next((value.strip() for key, _, value in parts if key.strip() == name), "")
