"""The rooms of the package, and which of them may import which: read from the syntax trees."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / "fastingest"

LAYERS = (
    ("units", "isotime", "text", "version", "checksum", "model"),
    ("errors", "metrics"),
    ("access", "transport", "format", "demo"),
    ("storage",),
    ("config", "spool", "verify"),
    ("decode", "runtime"),
    ("source", "report", "writer"),
    ("native",),
    ("trial",),
    ("probe",),
    ("receiver",),
    ("supervisor",),
    ("fastingest",),
    ("cli",),
    ("__main__",),
)
"""From the ground up. A room imports what stands before its own layer, and itself."""

APART = {"_build": "no run imports it, and it imports nothing of the package"}

NARROW = {"errors": {"model.counts"}}
"""Rooms that may not even import all of what stands below them."""

PURE = {"model", "decode"}
NO_IO = {"asyncio", "os", "socket"}

ONLY = {
    "polars": ("format",),
    "multiprocessing.connection": (
        "transport.pipe",
        "supervisor.children",
        "runtime.control",
    ),
}
"""Modules of others that only some of ours may import."""

LATE = {"polars", "rich", "cyclopts"}
"""What may be imported inside a function, as the native modules may."""
LATE_OURS = {
    ("__main__", "cli"): "so that Ctrl-C while it is imported is met",
    ("cli.commands", "probe"): "no run needs it, nor what it needs: 40 ms and 5 MB",
    ("cli.trying", "trial"): "no run needs it in the supervisor, nor what it needs: polars",
}
"""Modules of ours that are imported inside a function, and why."""
NATIVE = {
    f"native.{name}"
    for name in (
        *("_builders", "_embedded", "_listener", "_parser", "_places", "_remembered", "_strings"),
        "_tree",
    )
}


MAX_LINES = 350
"""Of a module."""


class Import(NamedTuple):
    """One name that a module imports."""

    by: str
    """The module, without the package's name: ``writer.process``; ``fastingest`` is the package."""
    what: str
    """Likewise, for a module of ours; otherwise its full name."""
    is_ours: bool
    is_late: bool
    """Whether it stands inside a function."""
    is_for_types: bool
    """Whether only a type checker sees it."""
    line: int

    def __str__(self) -> str:
        return f"{self.by}:{self.line} imports {self.what}"


def name_of(path: Path, package: Path) -> str:
    parts = path.relative_to(package).with_suffix("").parts
    return ".".join(parts).removesuffix("__init__").rstrip(".") or "fastingest"


def sources(package: Path = PACKAGE) -> dict[str, str]:
    """Each module's text."""
    return {name_of(path, package): path.read_text() for path in sorted(package.rglob("*.py"))}


def room(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def level(module: str) -> int:
    return next(number for number, rooms in enumerate(LAYERS) if room(module) in rooms)


def imports(texts: Mapping[str, str]) -> Iterator[Import]:
    """All that all modules import."""
    modules = set(texts) | NATIVE
    for by, text in texts.items():
        yield from _imports(by, _parsed(text), modules)


@functools.cache
def _parsed(text: str) -> ast.Module:
    """Each module is read once, whatever is added to another one."""
    return ast.parse(text)


def _imports(by: str, tree: ast.Module, modules: set[str]) -> Iterator[Import]:
    def walk(node: ast.AST, is_late: bool, is_for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            late = is_late or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typed = is_for_types or (
                isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"
            )
            for name in _names(child):
                is_ours = room(name) == "fastingest"
                what = name.removeprefix("fastingest.") if is_ours else name
                while is_ours and what not in modules and "." in what:
                    what = what.rpartition(".")[0]  # a name in a module, or a package
                if is_ours and what not in modules:
                    what = "fastingest"
                yield Import(by, what, is_ours, is_late, typed, child.lineno)  # type: ignore[attr-defined]
            yield from walk(child, late, typed)

    return walk(tree, False, False)


def _names(node: ast.AST) -> list[str]:
    """What a statement imports: a module, or a name in one."""
    if isinstance(node, ast.Import):
        return [each.name for each in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "a relative import"
        return [f"{node.module}.{each.name}" for each in node.names]
    return []


def faults(texts: Mapping[str, str]) -> list[str]:
    """Every import against a rule, with the rule."""
    return [f"{each}: {rule}" for each in imports(texts) if (rule := _broken_by(each))]


def _broken_by(each: Import) -> str:
    if room(each.by) in APART:
        return APART[room(each.by)] if each.is_ours else ""
    if not each.is_ours:
        return _broken_outside(each)
    by, what = room(each.by), room(each.what)
    if each.is_late:
        is_allowed = each.what in NATIVE or (each.by, what) in LATE_OURS
        return "" if is_allowed else "no module of ours is imported inside a function"
    if by in NARROW and each.what not in NARROW[by]:
        return f"{by} may import {' and '.join(sorted(NARROW[by]))} only"
    if by != what and level(each.what) >= level(each.by) and not _is_of_package(each):
        return f"{what} does not stand below {by}"
    return ""


def _is_of_package(each: Import) -> bool:
    """Whether it is one of the names that the package exports, imported when they are asked for."""
    return each.by == "fastingest" and each.is_for_types


def _broken_outside(each: Import) -> str:
    first = room(each.what)
    if room(each.by) in PURE and first in NO_IO:
        return f"{room(each.by)} does no I/O"
    for module, users in ONLY.items():
        names = (each.what, each.what.rpartition(".")[0])
        is_it = any(name == module or name.startswith(f"{module}.") for name in names)
        if is_it and not any(f"{each.by}.".startswith(f"{user}.") for user in users):
            return f"{module} is for {' and '.join(users)}"
    if each.is_late and first not in LATE:
        return "imported inside a function"
    return ""


def test_every_import_obeys_the_rules() -> None:
    assert faults(sources()) == []


AGAINST = [
    ("writer.process", "from fastingest.receiver import delivery", "not stand below writer"),
    ("storage.ledger", "import fastingest.supervisor.account", "not stand below storage"),
    ("errors", "from fastingest.model.feed import Feed", "may import model.counts only"),
    ("decode.router", "import os.path", "decode does no I/O"),
    ("model.feed", "from asyncio import sleep", "model does no I/O"),
    ("storage.csv_file", "import polars as pl", "polars is for format"),
    ("writer.outlet", "from multiprocessing import connection", "is for transport.pipe and"),
    ("cli.view", "def f():\n    from fastingest import units", "no module of ours"),
    ("cli.view", "def f():\n    import json", "imported inside a function"),
    ("cli.view", "if TYPE_CHECKING:\n    import fastingest.__main__", "not stand below cli"),
    ("_build", "from fastingest import units", "imports nothing of the package"),
]


@pytest.mark.parametrize(("module", "line", "fault"), AGAINST)
def test_an_import_against_a_rule_is_found(module: str, line: str, fault: str) -> None:
    texts = sources()
    texts[module] += f"\n{line}\n"
    found = faults(texts)
    assert len(found) == 1
    assert found[0].startswith(f"{module}:")
    assert fault in found[0]


def circle(texts: Mapping[str, str]) -> list[str]:
    """Modules of which each imports the next, and the last one the first; empty: there are none.

    What only a type checker sees counts, for whoever reads one has to know the other.
    """
    known: dict[str, set[str]] = {}
    for each in imports(texts):
        if each.is_ours and not each.is_late and not _is_of_package(each):
            known.setdefault(each.by, set()).add(each.what)
    try:
        TopologicalSorter(known).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    texts = sources()
    assert circle(texts) == []
    texts["probe.tables.maps"] += (
        "\nif TYPE_CHECKING:\n    import fastingest.probe.tables.field_profile\n"
    )
    assert {*circle(texts)} == {"probe.tables.maps", "probe.tables.field_profile"}


def test_every_module_stands_in_a_layer() -> None:
    placed = {each for rooms in LAYERS for each in rooms} | set(APART)
    assert {room(module) for module in sources()} == placed


def test_no_module_is_longer_than_one_can_keep_in_mind() -> None:
    modules = [path for suffix in ("py", "pyx", "pxd") for path in PACKAGE.rglob(f"*.{suffix}")]
    lengths = {path: path.read_text().count("\n") for path in modules}
    assert {path: length for path, length in lengths.items() if length > MAX_LINES} == {}
