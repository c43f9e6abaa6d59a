"""Capture a live WebSocket feed into a CSV file, without losing a row in silence.

::

    from fastingest import Options, ingest

    summary = ingest(Options(url="wss://feed.example/trades", out="trades.csv", duration="60s"))
    print(summary.ledger.written, "rows")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fastingest.version import __version__

if TYPE_CHECKING:
    from fastingest.config.options import Options, options_from
    from fastingest.errors import (
        Aborted,
        CaptureIncomplete,
        ConfigError,
        FastingestError,
        FeedRefused,
        FeedsStale,
        HeaderMismatch,
        NeverReady,
        OptionError,
        OutboxFull,
        OutputLocked,
        OutputRefused,
        ProcessDied,
        RowsLost,
        RunFailed,
        UsageError,
        WriteFailed,
    )
    from fastingest.model.counts import Counts
    from fastingest.report.summary import Summary
    from fastingest.supervisor.run import ingest

__all__ = [
    "Aborted",
    "CaptureIncomplete",
    "ConfigError",
    "Counts",
    "FastingestError",
    "FeedRefused",
    "FeedsStale",
    "HeaderMismatch",
    "NeverReady",
    "OptionError",
    "Options",
    "OutboxFull",
    "OutputLocked",
    "OutputRefused",
    "ProcessDied",
    "RowsLost",
    "RunFailed",
    "Summary",
    "UsageError",
    "WriteFailed",
    "__version__",
    "ingest",
    "options_from",
]

_HOMES = {
    "config.options": ("Options", "options_from"),
    "model.counts": ("Counts",),
    "report.summary": ("Summary",),
    "supervisor.run": ("ingest",),
}


def __getattr__(name: str) -> Any:
    """What the package exports, imported when it is asked for (PEP 562).

    Each process of a run imports the package, and none needs all of it.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = next((home for home, names in _HOMES.items() if name in names), "errors")
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
