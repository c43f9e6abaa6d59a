from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import websockets.sync.client

from tests.support.patience import LIMIT

_COMMAND = [sys.executable, "-m", "fastingest.demo"]
_ROOT = Path(__file__).parents[2]


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_COMMAND, *arguments],
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen(
        [*_COMMAND, "--url", "demo://?sequence=1"],
        cwd=_ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            match = re.fullmatch(r"listening on (ws://127\.0\.0\.1:[1-9][0-9]*/)\n", line)
            assert match is not None
            with websockets.sync.client.connect(match[1], open_timeout=LIMIT) as client:
                assert json.loads(client.recv(LIMIT))["volume"] == 0
                process.send_signal(number)
                assert process.communicate(timeout=LIMIT) == ("", "")
            assert process.returncode == 0
        finally:
            process.kill()


def test_a_port_in_use_is_one_clear_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = _run("--port", str(port))
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert re.fullmatch(
        rf"fastingest\.demo: cannot listen on port {port}: [^\n]*already in use\n", ended.stderr
    )


def test_a_bad_url_is_one_clear_line() -> None:
    ended = _run("--url", "demo://?rate=fast")
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        "fastingest.demo: the demo URL's parameter 'rate' is 'fast', "
        "but must be rows a second, above 0 and at most 10 million\n"
    )


@pytest.mark.parametrize("arguments", [["--port", "65536"], ["--port", "x"], ["--prot", "1"]])
def test_a_bad_argument_is_no_traceback(arguments: list[str]) -> None:
    ended = _run(*arguments)
    assert ended.returncode == 2
    assert arguments[0] in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_help_names_every_option() -> None:
    ended = _run("--help")
    assert ended.returncode == 0
    assert "--port" in ended.stdout
    assert "--url" in ended.stdout
    assert "default: 0" in ended.stdout
    assert "default: demo://" in ended.stdout
