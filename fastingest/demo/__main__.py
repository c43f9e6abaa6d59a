"""``python -m fastingest.demo``: the synthetic exchange alone, until SIGINT or SIGTERM."""

from __future__ import annotations

import sys
from typing import Annotated

import uvloop
from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from fastingest.demo.exchange import serve_until_stopped
from fastingest.demo.settings import parse

app = App(name="python -m fastingest.demo", version_flags=[], result_action="return_value")


@app.default
def demo(
    *,
    port: Annotated[int, Parameter(validator=Number(gte=0, lte=65535))] = 0,
    url: str = "demo://",
) -> int:
    """Send synthetic trades to WebSocket clients on 127.0.0.1.

    Parameters
    ----------
    port
        Port to listen on; 0 takes a free one.
    url
        What to send, such as 'demo://?rate=50000&symbols=50&burst=10&drop-every=30s&sequence=1'.

    """
    try:
        uvloop.run(serve_until_stopped(parse(url), port, _announce))
    except ValueError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"cannot listen on port {port}: {error.strerror}")
    return 0


def _fail(problem: str) -> int:
    print(f"fastingest.demo: {problem}", file=sys.stderr)
    return 2


def _announce(port: int) -> None:
    print(f"listening on ws://127.0.0.1:{port}/", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(app(exit_on_error=False))
    except CycloptsError:
        sys.exit(2)  # it has printed what was wrong
