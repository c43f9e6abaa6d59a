"""Node's side of the tests: the ``ws`` package, and the command that runs ``ws_server.mjs``."""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from pathlib import Path

__all__ = ["NodeError", "install", "server_command"]

FOLDER = Path(__file__).parent
MODULES = FOLDER / "node_modules"
INSTALL_TIMEOUT = 300.0  # seconds


class NodeError(RuntimeError):
    """Node or npm is missing here, or npm could not install what ``package.json`` names."""


def install() -> Path:
    """Install ``ws`` beside ``ws_server.mjs``, unless it is there, and return ``node_modules``.

    Test runs that come at the same time wait for one another. An installation that was cut short,
    or made for another ``package.json``, is made again.

    :raises NodeError: says what is missing, or what npm said.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise NodeError(f"{program} is not on the PATH: install Node.js 18 or newer")
    package = FOLDER / "package.json"
    stamp = MODULES / ".installed-for"
    with package.open() as lock:  # the lock needs some file that is always there
        fcntl.flock(lock, fcntl.LOCK_EX)
        wanted = lock.read()
        if not stamp.exists() or stamp.read_text() != wanted:
            _npm_install()
            stamp.write_text(wanted)  # last, so that it vouches for the rest
    return MODULES


def _npm_install() -> None:
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--prefix"]
    try:
        done = subprocess.run(
            [*command, str(FOLDER)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=INSTALL_TIMEOUT,
        )
    except subprocess.TimeoutExpired as error:
        raise NodeError(f"npm install took more than {INSTALL_TIMEOUT:.0f} s") from error
    if done.returncode != 0:
        raise NodeError(f"npm install failed with status {done.returncode}:\n{done.stderr}")


def server_command(*arguments: str) -> list[str]:
    """The command that runs ``ws_server.mjs``. :func:`install` must have been called."""
    return ["node", str(FOLDER / "ws_server.mjs"), *arguments]
