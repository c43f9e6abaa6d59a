"""What the README shows of a probe is what it prints."""

from __future__ import annotations

import re

from fastingest.model.feed import Feed, Subscription
from fastingest.probe.dry_run import dry_run
from fastingest.probe.listen import Sample
from fastingest.probe.proposal import proposal_of
from fastingest.probe.text import config_text, report_text
from tests.end_to_end.command import ROOT

URL = "wss://stream.venue.example/ws"
SENT = '{"op":"subscribe","args":["trade.BTC-USD","trade.ETH-USD"]}'
PRICES = {"BTC-USD": 64000, "ETH-USD": 3100}
MESSAGES = [
    '{"success":true,"op":"subscribe"}',
    '{"ping":1700000000123}',
    *(
        f'{{"topic":"trade.{name}","data":[{{"s":"{name}","p":"{price + n}.50","q":"0.012",'
        f'"T":{1_700_000_000_000 + n}}}]}}'
        for n in range(91)
        for name, price in PRICES.items()
    ),
]


def test_the_report_and_the_file_are_those_that_are_shown() -> None:
    subscriptions = (Subscription(SENT),)
    feed = Feed("stream.venue.example", URL, (), subscriptions=subscriptions)
    sample = Sample(feed, [each.encode() for each in MESSAGES], 5.0)
    proposal = proposal_of(sample.messages, 1_700_000_000.0, subscriptions)
    report = report_text(sample, proposal, dry_run(proposal, sample.messages), 96)
    lines = [
        f"$ fastingest probe {URL} \\",
        f"      --subscribe '{SENT}' > venue.toml",
        f"listening to {URL} for 5s; Ctrl-C ends it earlier",
        *report.splitlines(),
        "$ cat venue.toml",
        *config_text(sample, proposal).splitlines(),
        "$ fastingest --config venue.toml --symbols BTC-USD,SOL-USD",
    ]
    readme = (ROOT / "README.md").read_text("utf-8")
    (shown,) = re.findall(r"^```\n(\$ fastingest probe .*?)^```$", readme, re.DOTALL | re.MULTILINE)
    assert shown.splitlines() == lines
