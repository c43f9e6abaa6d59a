"""How costs grow: the loads, the parts of a long capture, the tables, and the command itself."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from bench.capture import ROOT, BenchmarkError
from bench.filling import PARTS, Look, at, points
from bench.growth import MESSAGE_SIZES, TRENDS, Growth, Load, columns, connections, sizes
from bench.trend import Point, Trend, Trends

PART = 1_000_000  # bytes


def looks(count: int = PARTS + 1, slower: float = 1.0) -> list[Look]:
    """A file that grows by a part a second, of which each costs ``slower`` times the one before."""
    cpu, made = 1.0, []
    for number in range(count):
        made.append(Look(number * PART, float(number), cpu, 100.0 + number))
        cpu += 0.5 * slower**number
    return made


class TestFilling:
    def test_each_part_has_its_rate_and_its_cost(self) -> None:
        made = points(looks(), row_size=20.0)
        assert len(made) == PARTS
        assert [point.rates for point in made] == [[pytest.approx(PART / 20)]] * PARTS
        assert [point.costs for point in made] == [[pytest.approx(0.5e9 / PART * 20)]] * PARTS
        assert [point.peaks[0] for point in made] == [101.0 + number for number in range(PARTS)]
        assert made[-1].at == pytest.approx(PARTS * PART / 2**30)

    def test_a_part_that_costs_more_shows(self) -> None:
        costs = [point.costs[0] for point in points(looks(slower=1.1), row_size=20.0)]
        ratios = [after / before for before, after in pairwise(costs)]
        assert ratios == [pytest.approx(1.1)] * (PARTS - 1)

    def test_what_comes_after_a_process_has_ended_is_left_out(self) -> None:
        seen = looks()
        end = Look(seen[-1].size, seen[-1].seconds + 0.1, 0.3, 40.0)
        assert points([*seen, end], 20.0) == points(seen, 20.0)

    def test_in_between_two_looks_is_in_proportion(self) -> None:
        assert at(looks(), 2.25 * PART) == Look(2.25 * PART, 2.25, 2.125, 103.0)

    @pytest.mark.parametrize("count", [0, 1])
    def test_a_file_that_was_not_seen_to_grow_has_no_parts(self, count: int) -> None:
        with pytest.raises(BenchmarkError, match="a larger --file-size may help"):
            points(looks(count), 20.0)


class TestLoads:
    def test_a_message_has_the_size_that_it_should(self) -> None:
        assert [load.message_size for load in sizes()[1:]] == [
            pytest.approx(size, rel=0.08) for size in MESSAGE_SIZES
        ]

    @pytest.mark.parametrize(
        "load", [pytest.param(columns()[-1], marks=pytest.mark.long), connections()[2]]
    )
    def test_all_rows_of_a_load_are_captured(self, load: Load, tmp_path: Path) -> None:
        done = Growth(tmp_path, seconds=1.0).run(load, 1000)
        assert done.rows == 1000 - 1000 % load.connections
        assert list(tmp_path.iterdir()) == []

    def test_a_steady_rate_is_measured_in_between(self, tmp_path: Path) -> None:
        load = Load(5000, "5,000", rate=5000)
        point = Point(load.at, load.label, load.message_size)
        Growth(tmp_path, seconds=0.2).run_steady(load, point)
        assert 0 < point.rates[0] <= 5000
        assert point.costs[0] > 0
        assert point.peaks[0] > 1


class TestTables:
    def test_a_trend_has_a_row_for_each_point(self) -> None:
        rates, costs, peaks = [2e6, 1e6, 3e6], [400.0, 100.0, 200.0], [99.0, 101.0, 100]
        point = Point(512, "512", 512.0, rates=rates, costs=costs, peaks=peaks)
        assert Trend("sizes", "message size, bytes", [point]).markdown().splitlines() == [
            "| message size, bytes | rows/s | from, to | MiB/s | CPU ns a row | CPU ns a KiB "
            "| memory, MiB |",
            "| --- | --: | --: | --: | --: | --: | --: |",
            "| 512 | 2.00 M | 1.00 M, 3.00 M | 976.6 | 200 | 400 | 100 |",
        ]

    def test_the_tables_say_what_they_were_measured_on(self) -> None:
        text = Trends({"cores": "2"}, "1.2, native listener", [Trend("a", "b", [])]).markdown()
        assert text.endswith("fastingest 1.2, native listener; cores: 2.\n")


@pytest.mark.long
@pytest.mark.skipif(
    importlib.util.find_spec("matplotlib") is None, reason="needs matplotlib for the charts"
)
def test_a_quick_run_writes_figures_tables_and_charts(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.growth", "--quick", "--output", str(tmp_path)]
    command += ["--only", "files"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90
    )
    assert done.returncode == 0, done.stderr
    read = json.loads((tmp_path / "growth.json").read_text())
    found = {trend["name"]: len(trend["points"]) for trend in read["trends"]}
    assert found == {"files": PARTS}
    assert (tmp_path / "growth.md").read_text() in done.stdout
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"growth.{end}" for end in ("json", "md", "png", "svg")]


def test_a_trend_that_there_is_not_is_refused() -> None:
    command = [sys.executable, "-m", "bench.growth", "--only", "rates,moons"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30
    )
    assert done.returncode == 2
    assert f"there is no moons, only {', '.join([*TRENDS, 'files'])}" in done.stderr
