"""Who takes part in the comparison: each peer's command, and what it needs.

A peer is a command of ``URL OUT ROWS``: it connects, writes the header and the rows to a new file,
and exits with 0 when it has ROWS of them, or the server has closed. Each one is written as its own
users would write it at its best. What is not installed here is left out, and why is said.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastingest import __version__
from fastingest.errors import UsageError
from fastingest.native.availability import VARIABLE, find_native

__all__ = ["Peer", "peers"]

FOLDER = Path(__file__).parent / "peers"
MODULES = FOLDER / "node_modules"
REFERENCE = Path(__file__).parent / "reference" / "reference"
# Programs that Python packages bring stand beside the interpreter, wherever PATH leads.
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
NPM = "npm install --ignore-scripts --prefix bench/peers"


@dataclass(frozen=True)
class Peer:
    """One who takes part.

    :param name: for the command line.
    :param title: for people.
    :param kind: what it is: its language, ``fastingest``, or ``reference``.
    :param start: the command, to which URL, OUT and ROWS are added; None if it is not here.
    :param versions: what it is made of, with the version of each.
    :param missing: what is not installed, and how to do so; empty if it can run.
    :param options: makes URL, OUT and ROWS the command's last arguments.
    :param environment: variables for it.
    """

    name: str
    title: str
    kind: str
    start: Sequence[str] = ()
    versions: Callable[[], dict[str, str]] = dict
    missing: str = ""
    options: Callable[[str, Path, int], list[str]] = lambda *of_capture: [*map(str, of_capture)]
    environment: dict[str, str] = field(default_factory=dict)

    def command(self, url: str, out: Path, rows: int) -> list[str]:
        """The command that captures so many rows into a file."""
        return [*self.start, *self.options(url, out, rows)]


def python(name: str, title: str, packages: Sequence[str]) -> Peer:
    """A script of ours, and the packages that it imports."""
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    return Peer(
        name,
        title,
        "Python",
        [sys.executable, str(FOLDER / f"{name.replace('-', '_')}.py")],
        lambda: python_versions(packages),
        f"needs {', '.join(absent)}: pip install {' '.join(absent)}" if absent else "",
    )


def python_versions(packages: Sequence[str]) -> dict[str, str]:
    """The interpreter's version, and the packages'."""
    versions = {package: importlib.metadata.version(package) for package in packages}
    return {"Python": sys.version.split()[0], **versions}


def node() -> Peer:
    """Node.js with the package ``ws``."""
    program = shutil.which("node")
    package = MODULES / "ws" / "package.json"
    missing = "" if program else "needs Node.js: install it, version 18 or newer"
    if not missing and not package.exists():
        missing = f"needs the package ws: {NPM}"
    return Peer(
        "node-ws",
        "Node.js ws",
        "JavaScript",
        [program or "node", str(FOLDER / "ws.mjs")],
        lambda: {
            "Node.js": said([program or "node", "--version"]),
            "ws": json.loads(package.read_text())["version"],
        },
        missing,
    )


def runtime(name: str, title: str, pattern: str, arguments: Sequence[str]) -> Peer:
    """A JavaScript runtime with a WebSocket of its own: npm's, or else one that is installed.

    :param pattern: where npm's package for this platform has the program. The packages' own
        commands are not used: they need a script that npm may not run, or start through Node.js.
    """
    found = [str(path) for path in MODULES.glob(pattern)] + [shutil.which(name) or ""]
    program = next((path for path in found if path and runs(path)), "")
    return Peer(
        name,
        title,
        "JavaScript",
        [program, *arguments, str(FOLDER / "native.mjs")],
        lambda: {title.partition("'")[0]: said([program, "--version"]).partition(" ")[0]},
        "" if program else f"needs {name}: {NPM}",
    )


def websocat() -> Peer:
    """websocat, piped into jq."""
    absent = [program for program in ("websocat", "jq") if not shutil.which(program, path=PATH)]
    return Peer(
        "websocat-jq",
        "websocat | jq",
        "shell",
        ["sh", str(FOLDER / "websocat_jq.sh")],
        lambda: {
            program: said([shutil.which(program, path=PATH) or program, "--version"])
            for program in ("websocat", "jq")
        },
        f"needs {', '.join(absent)}: install {' and '.join(absent)}" if absent else "",
        environment={"PATH": PATH},
    )


def reference(threads: int) -> Peer:
    """The C++ reference."""
    return Peer(
        f"cpp-{threads}",
        f"C++ simdjson ({threads} thread{'s'[: threads - 1]})",
        "reference",
        [str(REFERENCE), "--threads", str(threads)],
        lambda: {"C++": said([str(REFERENCE), "--version"])},
        "" if REFERENCE.exists() else "needs simdjson (libsimdjson-dev): make -C bench/reference",
    )


def fastingest(native: bool) -> Peer:
    """Fastingest itself, with or without its compiled modules."""
    return Peer(
        "fastingest" if native else "fastingest-python",
        "fastingest" if native else "fastingest (pure Python)",
        "fastingest",
        [sys.executable, "-m", "fastingest", "--quiet"],
        lambda: {
            "fastingest": __version__,
            **python_versions(["picows", "msgspec", "polars", "uvloop"]),
        },
        missing_native() if native else "",
        lambda url, out, rows: ["--url", url, "--out", str(out), "--max-rows", str(rows)],
        {VARIABLE: str(int(native))},
    )


def missing_native() -> str:
    """What fastingest says where its native listener must be used, and cannot be."""
    try:
        find_native({VARIABLE: "1"})
    except UsageError as error:
        return str(error)
    return ""


def runs(program: str) -> bool:
    """Whether a program can be run here; npm's may be for another C library."""
    try:
        said([program, "--version"])
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def said(command: Sequence[str]) -> str:
    """The first line of what a command says, without the program's name."""
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    line = (done.stdout.splitlines() or [""])[0].strip()
    return line.removeprefix(Path(command[0]).name).lstrip(" -v")


def peers() -> list[Peer]:
    """All of them."""
    return [
        python("classic", "websockets + json + pandas", ["websockets", "pandas"]),
        python("websockets-csv", "websockets + json + csv", ["websockets"]),
        websocat(),
        python("aiohttp-orjson", "aiohttp + orjson + csv", ["aiohttp", "orjson", "uvloop"]),
        python("picows-msgspec", "picows + msgspec + csv", ["picows", "msgspec", "uvloop"]),
        node(),
        runtime(
            "deno",
            "Deno's WebSocket",
            "@deno/*/deno",
            ["run", "--allow-net", "--allow-read", "--allow-write"],
        ),
        runtime("bun", "Bun's WebSocket", "@oven/*/bin/bun", []),
        fastingest(native=False),
        fastingest(native=True),
        reference(1),
        reference(2),
    ]
