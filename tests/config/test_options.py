from __future__ import annotations

import dataclasses
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fastingest import OptionError, Options
from fastingest.config.settings import Settings


@pytest.mark.parametrize(
    "url",
    ["ws://host", "wss://host:8443/a?b=c", "ws://[::1]:9/", "ws://bücher.example/", "demo://"],
)
def test_good_urls_are_taken(url: str) -> None:
    assert Options(url=(url,)).url == (url,)


def test_an_exact_number_of_rows_needs_one_receiver() -> None:
    two = ("ws://127.0.0.1:1/", "ws://127.0.0.1:2/")
    with pytest.raises(OptionError, match="--max-rows: is exact within one receiver only"):
        Options(url=two, receivers=2, max_rows=5)
    assert Options(url=two, receivers=1, max_rows=5).max_rows == 5
    assert Options(url=two[:1], receivers=2, max_rows=5).receivers == 2  # one feed has one receiver


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": ""}, "--url: no feed was named"),
        ({"url": "http://host/"}, "must begin with ws://, wss:// or demo://"),
        ({"url": "ws://host/a b"}, "holds a space"),
        ({"url": "ws://host/\n"}, "holds a space or a control character"),
        ({"url": "ws://"}, "names no host"),
        ({"url": "ws://:80/"}, "names no host"),
        ({"url": "ws://host:0/"}, "port 0"),
        ({"url": "ws://host:99999/"}, "malformed"),
        ({"url": "ws://[::1/"}, "malformed"),
        ({"url": "ws://host/#top"}, "fragment"),
        ({"ca_file": "/nowhere/at/all"}, "No such file"),
        ({"ca_file": __file__}, "holds no certificates"),
        ({"proxy": "ftp://host"}, "must be http://"),
        ({"proxy": "http://host:x"}, "must be http://"),
    ],
)
def test_what_cannot_be_connected_to_is_refused_by_name(change: dict[str, Any], says: str) -> None:
    with pytest.raises(OptionError) as refused:
        Options(**{"url": "ws://127.0.0.1/", **change})
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)
    assert refused.value.exit_status == 2
    assert refused.value.option in change


def test_the_settings_alone_are_as_they_were_checked(tmp_path: Path) -> None:
    text = tmp_path / "subscribe.json"
    text.write_text("@nosuch")  # read once: it is no name of a file any more
    options = Options(url="ws://x", subscribe=(f"@{text}",), batch_size=7)
    found = pickle.loads(pickle.dumps(options.settings))
    assert type(found) is Settings
    names = [each.name for each in dataclasses.fields(Settings)]
    assert [getattr(found, name) for name in names] == [getattr(options, name) for name in names]
    assert found.subscribe == ("@nosuch",)
    assert not hasattr(found, "feeds")


@pytest.mark.parametrize("module", ["receiver", "writer"])
def test_a_process_of_a_run_loads_nothing_of_what_describes_feeds(module: str) -> None:
    script = (
        f"import sys; import fastingest.{module}.process\n"
        "print(sorted(name for name in sys.modules if name.startswith('fastingest.config.')))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert ended.stdout == "['fastingest.config.setting', 'fastingest.config.settings']\n"
