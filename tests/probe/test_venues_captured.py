"""Many venues, each probed at a server that behaves as it does, and all captured in one run."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest

from fastingest import Options
from fastingest.probe.dry_run import dry_run
from fastingest.probe.listen import listen
from fastingest.probe.options import ProbeOptions
from fastingest.probe.proposal import proposal_of
from fastingest.probe.text import config_text
from tests.peers.venue import Step, Venue, accept, hear, send
from tests.probe.venues import VENUES, ProbedVenue
from tests.support.command_line import run

SECRETS = {"KEY": "a-secret-key", "SECRET": "another-secret"}


def of(venue: ProbedVenue, *kinds: str) -> list[str]:
    return [text for kind, text in venue.messages if kind in kinds]


def script(venue: ProbedVenue) -> list[Step]:
    """Reply to each subscription when it has come, then send data and signs of life."""
    replies, last = of(venue, "reply"), len(venue.sent) - 1
    steps = [accept()]
    for number in range(len(venue.sent)):
        more = replies[number:] if number == last else replies[number : number + 1]
        steps += [hear(number + 1), send(*more)]
    return [*steps, send(*of(venue, "data"), *of(venue, "sign", "ping"), *of(venue, "data"))]


def test_each_venue_is_captured_as_it_was_probed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    expected, files = 0, []
    with contextlib.ExitStack() as stack:
        servers = []
        for each in VENUES.values():
            server = stack.enter_context(Venue(script(each)))
            options = Options(url=(server.url,), subscribe=tuple(each.sent))
            count = len(of(each, "reply", "sign", "ping")) + 2 * len(of(each, "data"))
            sample = listen(options, ProbeOptions(messages=count))
            proposal = proposal_of(sample.messages, 1_700_000_000.0, sample.feed.subscriptions)
            tried = dry_run(proposal, sample.messages)
            if tried is not None:
                assert tried.rejected == 0
                expected += tried.rows
                files.append(config_text(sample, proposal))
                servers.append(server)
        config = tmp_path / "venues.toml"
        config.write_text("\n\n".join(files), "utf-8")
        captured = run(
            *("--config", str(config), "--max-rows", str(expected), "--log-format", "json"),
            cwd=tmp_path,
            **SECRETS,
        )
        assert captured.returncode == 0, captured.stderr
        assert [len(server.clients) for server in servers] == [2] * len(servers)
        sent = [[client.texts[0] for client in server.clients] for server in servers]
    assert all(first == second for first, second in sent)
    assert len(servers) >= 17
    summary = json.loads(captured.stdout.splitlines()[-1])
    assert (summary["written"], summary["quarantined"]) == (expected, 0)
    assert (summary["refused"], summary["gaps"]) == (0, 0)
    texts = [path.read_text("utf-8") for path in tmp_path.glob("*.csv")]
    assert sum(len(text.splitlines()) - 1 for text in texts) == expected
