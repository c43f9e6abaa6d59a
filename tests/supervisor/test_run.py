"""Runs as objects: several at once in one process."""

from __future__ import annotations

import threading
from pathlib import Path

from fastingest import Options, Summary, ingest
from tests.end_to_end.command import left_by, read_rows


def test_two_runs_at_once_know_nothing_of_each_other(tmp_path: Path) -> None:
    summaries: dict[str, Summary] = {}

    def run(name: str, rows: int) -> None:
        url = f"demo://?rows={rows}&rate=2000&sequence=1"
        out = tmp_path / name / "out.csv"
        out.parent.mkdir()
        summaries[name] = ingest(Options(url=url, out=out, max_rows=rows))

    sizes = {"a": 1000, "b": 1700}
    threads = [threading.Thread(target=run, args=each) for each in sizes.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for name, rows in sizes.items():
        out = tmp_path / name / "out.csv"
        assert summaries[name].ledger.written == rows
        assert [row[2] for row in read_rows(out)] == [str(number) for number in range(rows)]
        assert left_by(out) == ["out.csv", "out.csv.ledger.jsonl"]
