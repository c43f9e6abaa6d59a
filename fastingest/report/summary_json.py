"""A run's result as one JSON object, for programs."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

from fastingest.model.counts import Counts
from fastingest.report.summary import Summary

__all__ = ["summary_json"]


def summary_json(summary: Summary) -> str:
    """The run's result as one JSON object on one line.

    - ``feed``, ``out``: the URL and the path, as given; where there are several feeds, how many,
      and the first of several paths. ``seconds``: the run's length.
    - ``received``, ``written``, ``quarantined``, ``ignored``, ``dropped``, ``lost``, ``set_aside``,
      ``in_flight``: the ledger; at the end, what is in flight is kept for the next run.
    - ``rejects_not_kept``: of the rejects, how many are counted only.
    - ``messages_lost``: messages that a process had not decoded when it died; ``restarts``: times
      that another one took its place.
    - ``mean_rate``, ``best_rate``: rows written a second, over the run and in its best second.
    - ``latency_p50``, ``latency_p99``, ``latency_max``: seconds from receipt to file; null without
      rows.
    - ``connections``, ``gaps``, ``gap_seconds``: connections opened; times without one that was
      ready, and their length, of each of a feed's connections. ``never_ready``: the names of the
      feeds that had none, or of which a connection was not ready once.
    - ``refused``: messages by which feeds have refused something.
    - ``blanked``: cells that are empty because their value was no number, such as ``"NaN"``.
    - ``stale``: how much of the feeds had brought no row for too long, at the end.
    - ``listener``: what read the feeds, ``native``, or ``Python`` and why it was that.
    - ``pauses``, ``queue_peak``, ``spill_peak``: times the feed was left unread; the most bytes
      that waited for the writer; of them, on disk.
    - ``file_size``: bytes, of all files; ``rejects``: the file of rejects, null where nothing went
      there (of the first output).
    - ``feeds``: for each its ``name``, ``url``, the counts of the ledger, ``connections``,
      ``gaps``, ``gap_seconds``, whether it was ``never_ready``, ``refused``, ``blanked``,
      ``stale``, and the ``stale_names``, the first 100 of them; ``outputs``: for each its ``out``,
      ``written``, ``quarantined``, ``file_size``.
    """
    rejects = summary.outputs[0].rejects
    latency = [None if math.isnan(seconds) else round(seconds, 6) for seconds in summary.latency]
    return json.dumps(
        {
            "feed": summary.feed,
            "out": str(summary.out),
            "seconds": round(summary.seconds, 3),
            **_counts(summary.ledger),
            "mean_rate": round(summary.mean_rate, 1),
            "best_rate": round(summary.best_rate, 1),
            **dict(zip(("latency_p50", "latency_p99", "latency_max"), latency, strict=True)),
            "connections": summary.connections,
            "gaps": summary.gaps,
            "gap_seconds": round(summary.gap_seconds, 3),
            "never_ready": [feed.name for feed in summary.feeds if feed.never_ready],
            "refused": summary.refused,
            "blanked": summary.blanked,
            "stale": summary.stale,
            "listener": summary.listener,
            "pauses": summary.pauses,
            "queue_peak": summary.outbox_peak,
            "spill_peak": summary.spill_peak,
            "rejects_not_kept": summary.rejects_not_kept,
            "messages_lost": summary.messages_lost,
            "restarts": summary.restarts,
            "file_size": summary.file_size,
            "rejects": str(rejects) if rejects else None,
            "feeds": [
                {
                    "name": feed.name,
                    "url": feed.url,
                    **_counts(feed.ledger),
                    "connections": feed.connections,
                    "gaps": feed.gaps,
                    "gap_seconds": round(feed.gap_seconds, 3),
                    "never_ready": feed.never_ready,
                    "refused": feed.refused,
                    "blanked": feed.blanked,
                    "stale": feed.stale,
                    "stale_names": list(feed.stale_names),
                }
                for feed in summary.feeds
            ],
            "outputs": [
                {
                    "out": str(output.path),
                    "written": output.ledger.written,
                    "quarantined": output.ledger.rejected,
                    "file_size": output.file_size,
                }
                for output in summary.outputs
            ],
        }
    )


def _counts(ledger: Counts) -> dict[str, int]:
    counts = asdict(ledger) | {"in_flight": ledger.in_flight}
    # A key is for good, whatever it is called here.
    return {"quarantined" if name == "rejected" else name: n for name, n in counts.items()}
