"""Capture a live WebSocket feed into a CSV file, without losing a row in silence.

::

    from fastingest import Options, ingest

    summary = ingest(Options(url="wss://feed.example/trades", out="trades.csv", duration=60.0))
    print(summary.ledger.written, "rows")
"""

from fastingest.counters import Ledger
from fastingest.errors import (
    Aborted,
    FastingestError,
    FeedRefused,
    HeaderMismatch,
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
from fastingest.options import Options
from fastingest.summary import Summary
from fastingest.supervisor import ingest

__version__ = "0.1.0"

__all__ = [
    "Aborted",
    "FastingestError",
    "FeedRefused",
    "HeaderMismatch",
    "Ledger",
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
]
