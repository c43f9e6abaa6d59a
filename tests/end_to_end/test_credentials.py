"""Credentials made at the moment, against servers that look at them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.end_to_end.command import ROOT, Command, read_rows, wait_until
from tests.peers.raw import RawServer
from tests.peers.signed import TokenServer, admits_tokens, checks_signature

QUICK = ("--reconnect-initial", "20ms", "--reconnect-max", "50ms", "--flush-interval", "50ms")
SECRET = "it's a $ecret \" 0815"


def signed_feed(url: str) -> str:
    """The README's example of a signature, of another server."""
    blocks = re.findall(r"^```toml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.S | re.M)
    (block,) = (each for each in blocks if 'name = "signed"' in each)
    text: str = block[block.rindex("[[feed]]") :]
    assert "wss://feed.example/" in text
    return text.replace("wss://feed.example/", url).replace("python3", sys.executable)


def test_a_signature_over_the_time_of_the_connect_is_made_anew_for_each(tmp_path: Path) -> None:
    file, out = tmp_path / "signed.toml", tmp_path / "out.csv"
    keys = {"API_KEY": "a key 4711", "API_SECRET": SECRET}
    with RawServer(checks_signature(SECRET)) as server:
        file.write_text(signed_feed(server.url))
        with Command("--config", file, "--out", out, *QUICK, environment=keys) as command:
            command.wait_for("connected", 3)
            wait_until(lambda: out.exists() and out.read_bytes().count(b"A,1.0,0") >= 3, "rows")
            command.stop()
        times = [peer.headers["x-time"] for peer in server.accepted]
        signatures = [peer.headers["x-sign"] for peer in server.accepted]
        assert len({*times}) == len({*signatures}) == len(times) >= 3
        assert {peer.headers["x-key"] for peer in server.accepted} == {"a key 4711"}
        seen = str(command.events)
        assert SECRET not in seen
        assert not [each for each in signatures if each in seen]
    assert server.errors == []


def test_a_wrong_signature_is_refused_by_that_server(tmp_path: Path) -> None:
    file = tmp_path / "signed.toml"
    keys = {"API_KEY": "a key 4711", "API_SECRET": "another one"}
    with RawServer(checks_signature(SECRET)) as server:
        file.write_text(signed_feed(server.url))
        with Command(
            "--config", file, "--out", tmp_path / "out.csv", *QUICK, environment=keys
        ) as command:
            assert command.wait() == 2
        assert "401" in command.events[-1]["event"]


FETCH = """'import json, sys, urllib.request
print(json.load(urllib.request.urlopen(sys.argv[1], b""))["data"]["token"])'"""


def test_a_token_is_fetched_for_each_connect_and_hidden_and_a_failure_is_tried_again(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out.csv"
    with TokenServer() as tokens, RawServer(admits_tokens(tokens)) as server:
        fetch = f"${{command:{sys.executable} -c {FETCH} {tokens.url}}}"
        with Command("--url", f"{server.url}?token={fetch}", "--out", out, *QUICK) as command:
            command.wait_for("connected", 3)
            wait_until(lambda: out.exists() and out.read_bytes().count(b"A,1.0,") >= 3, "rows")
            command.stop()
        reasons = [each["reason"] for each in command.events if each["event"] == "no connection"]
        seen = str(command.events) + (tmp_path / "out.csv.rejected.jsonl").read_text()
        seen += (tmp_path / "out.csv.ledger.jsonl").read_text()
        assert len(tokens.given) >= 3
        assert not [token for token in tokens.given if token in seen]
    assert len(read_rows(out)) >= 3
    failed = [reason for reason in reasons if "the command" in reason]
    name = Path(sys.executable).name
    assert failed == [
        f"url: the command '{name}' ended with status 1: "
        "urllib.error.HTTPError: HTTP Error 503: Service Unavailable"
    ]
    closed = "the server closed with code 1001: bye ***"
    assert any(reason.startswith(closed) for reason in reasons), reasons
    assert server.errors == []


def test_a_command_under_way_does_not_outlive_the_run(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    url = f"ws://127.0.0.1:9/?t=${{shell:echo $$ > {pid}; exec sleep 600}}"
    with Command("--url", url, "--out", tmp_path / "out.csv") as command:
        wait_until(lambda: pid.exists() and pid.read_text().strip(), "the command")
        command.stop(3)  # it was never ready
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()
