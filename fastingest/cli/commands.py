"""The commands: a run, and what makes no run. Arguments in, exit status out.

``verify`` looks at what runs have left, ``feeds`` and ``check`` at what they can be told to
capture, ``probe`` at what a feed sends, ``try`` at what a run would make of that. An error is one
line on stderr, and the exit status that it names.

:func:`parse` only says what was asked for: the options of a run, or a command to call. So help, or
an argument that is wrong, ends before anything is done.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from cyclopts import App, Group, Parameter

import fastingest
from fastingest.access.secrets import shown
from fastingest.cli.arguments import (
    PREFIX,
    call,
    options_of,
    takes,
    unknown_variables,
    with_urls,
)
from fastingest.cli.output import escape_unprintable, fail, note, print_out
from fastingest.cli.run import run
from fastingest.cli.trying import try_command, try_file
from fastingest.config.catalog import known_text, listing
from fastingest.config.check import check, check_text
from fastingest.config.options import Options, options_from
from fastingest.errors import FastingestError, OptionError, RunFailed, UsageError
from fastingest.model.feed import Feed
from fastingest.native.availability import VARIABLE, find_native
from fastingest.probe.options import ProbeOptions
from fastingest.text import escape
from fastingest.trial.options import TrialOptions
from fastingest.units import format_duration
from fastingest.verify.report import report_text
from fastingest.verify.verify import verify

__all__ = ["main", "parse"]

_EPILOGUE = (
    "Every option can be set by an environment variable as well: --flush-interval by "
    f"{PREFIX}FLUSH_INTERVAL. A repeatable one takes one value a line there. The command line "
    "comes first, and an empty variable counts as not set.\n\n"
    "Exit status: 0 the run ended as asked, 1 it failed, 2 something asked for cannot be done, "
    "3 rows were lost or dropped, or a feed was not all that was asked for, 130 interrupted twice."
)

_WITHOUT_URL = ("verify", "feeds", "check")
"""The commands that connect to nothing."""

_WITH_VARIABLES = ("probe", "try")
"""The commands that settings in the environment are for."""

_OF_SCRIPTS = ("BUILD_NATIVE", "PYTHON", "SANITIZE", "SEED")
"""Variables, without their prefix, that mean something to the scripts of the source tree."""

_Command: TypeAlias = Callable[[], int]


def main(arguments: Sequence[str]) -> int:
    """Run the command line ``arguments``; the exit status."""
    escape_unprintable()
    try:
        asked = parse(arguments)
        if asked is None or isinstance(asked, Options):
            return run(asked, unknown=dict(_unknown_variables())) if asked else 0
        if arguments[0] in _WITH_VARIABLES:
            _remark_unknown_variables()
        return asked()
    except FastingestError as error:
        return fail(error)
    except OSError as error:  # of any command
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return fail(RunFailed(f"{where}{error.strerror or error}"))


def parse(arguments: Sequence[str]) -> Options | _Command | None:
    """The options of a run, or another command, which returns the exit status.

    None if help or the version was asked for, and has been printed.

    :raises UsageError: the arguments, or the environment, make neither.
    """
    if not arguments or arguments[0] not in _WITHOUT_URL:
        arguments = with_urls(arguments, Options)
    asked = call(_app(), arguments)
    return asked if isinstance(asked, Options) or callable(asked) else None


def _app() -> App:
    def ingest(**values: Any) -> Options:
        return options_from(values)

    app = App(
        name="fastingest",
        help=(fastingest.__doc__ or "").partition("\n")[0],
        usage="fastingest (URL | --feed NAME | --config PATH) [OPTIONS]",
        help_epilogue=_EPILOGUE,
        help_format="plaintext",
        version=_versions,
        version_format="plaintext",
        version_flags=["--version"],
        group_parameters=Group("Options"),
        group_commands=Group("Other"),
        print_error=False,
        exit_on_error=False,
    )
    app.default(takes(options_of(Options), ingest))
    for name, usage, function in (
        ("verify", "FILE", _verify_command),
        ("feeds", "[NAME]", _feeds_command),
        ("check", "FILE", _check_command),
        ("probe", "URL [OPTIONS]", _probe_command()),
        ("try", "FILE [OPTIONS]", try_command()),
    ):
        app.command(
            function,
            name=name,
            group="Commands",
            usage=f"fastingest {name} {usage}",
            help_epilogue="",
        )
    return app


def _versions() -> str:
    parts = (f"{name} {version(name)}" for name in ("picows", "msgspec", "polars", "uvloop"))
    python = f"Python {platform.python_version()}"
    # What is there is said even where it is not what must be.
    native = find_native({VARIABLE: "0"} if os.environ.get(VARIABLE) == "0" else {})
    return (
        f"fastingest {fastingest.__version__}\n"
        f"{', '.join((python, *parts))}\n"
        f"native listener: {'used' if native.is_used else native.reason}"
    )


# Verify


def _verify_command(
    file: Annotated[Path, Parameter(help="CSV file to look at; its ledger is beside it.")], /
) -> _Command:
    """Say whether a file is what its ledger says.

    Exit status: 0 it is, 1 it is not, 2 something needed for that cannot be read.
    """
    return partial(_verify, file)


def _verify(file: Path) -> int:
    report = verify(file)
    unprinted = print_out(report_text(report), "the report")
    return fail(unprinted) if unprinted else int(not report.agrees)


# Feeds and files that describe them


def _feeds_command(
    name: Annotated[str | None, Parameter(help="Print this one, as a file to begin with.")] = None,
    /,
    *,
    file: Annotated[
        Path | None,
        Parameter(
            name="--try",
            help="Try it on this file of messages instead, one a line, as fastingest try does.",
        ),
    ] = None,
) -> _Command:
    """List the known feeds, and the environment variables that they need."""
    return partial(_feeds, name, file)


def _feeds(name: str | None, file: Path | None) -> int:
    if file is not None:
        if name is None:
            raise UsageError("--try needs the name of a feed; fastingest feeds lists them")
        return try_file(file, {"feed": (name,)}, TrialOptions())
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    try:
        text = known_text(name).rstrip("\n") if name else listing(width)
    except OptionError as error:
        raise UsageError(error.problem) from None
    unprinted = print_out(text, "the feeds" if name is None else "the feed")
    return fail(unprinted) if unprinted else 0


def _check_command(
    file: Annotated[Path, Parameter(help="TOML file, as for --config.")], /
) -> _Command:
    """Say what a file for --config describes, or all that is wrong with it.

    Exit status: 0 nothing is wrong, 2 something is.
    """
    return partial(_check, file)


def _check(file: Path) -> int:
    try:
        found = check(file)
    except OptionError as error:
        raise UsageError(error.problem) from None
    unprinted = print_out(check_text(found), "the report")
    if unprinted:
        return fail(unprinted)
    return UsageError.exit_status if found.problems else 0


# Probe

# What a probe has in common with a run; its own options stand between.
_ASKED = ("url", "feed", "symbols", "config", "header", "subscribe", "strip", "split")
_CONNECTION = (
    "connect_timeout",
    "max_message_size",
    "compression",
    "ca_file",
    "cert_file",
    "key_file",
    "proxy",
)


def _probe_command() -> Callable[..., _Command]:
    own = options_of(ProbeOptions)

    def command(**values: Any) -> _Command:
        """Listen to a feed, and print a file for --config that captures it.

        What was seen is said on stderr, and the file goes to stdout. Ctrl-C ends the listening.
        """
        how = {each.name: values.pop(each.name) for each in own if each.name in values}
        return partial(_probe, options_from(values), ProbeOptions(**how))

    return takes([*options_of(Options, _ASKED), *own, *options_of(Options, _CONNECTION)], command)


def _unknown_variables() -> Iterator[tuple[str, str]]:
    others = (VARIABLE, *(PREFIX + name for name in _OF_SCRIPTS))
    return unknown_variables((Options, ProbeOptions, TrialOptions), others)


def _remark_unknown_variables() -> None:
    for name, meant in _unknown_variables():
        hint = f"; did you mean {meant}?" if meant else ""
        note(f"fastingest: warning: {escape(name)} is no setting{hint}")


def _probe(options: Options, how: ProbeOptions) -> int:
    from fastingest.probe.dry_run import dry_run
    from fastingest.probe.listen import listen
    from fastingest.probe.proposal import proposal_of
    from fastingest.probe.save import check_absent, save
    from fastingest.probe.text import config_text, nothing_text, report_text

    if how.save is not None:
        check_absent(how.save)
    try:
        sample = listen(options, how, partial(_listening, how))
    except OptionError as error:
        raise UsageError(str(error)) from None
    if how.save is not None:
        save(sample.messages, how.save)
    proposal = proposal_of(sample.messages, time.time(), sample.feed.subscriptions)
    tried = dry_run(proposal, sample.messages)
    width = shutil.get_terminal_size().columns
    note(report_text(sample, proposal, tried, width))
    if tried is None:
        raise UsageError(nothing_text(sample, proposal))
    unprinted = print_out(config_text(sample, proposal), "the file")
    if how.save is not None:
        kept = escape(str(how.save))
        note(f"kept in {kept}; when the file is fixed: fastingest try {kept} --config FILE")
    return fail(unprinted) if unprinted else 0


def _listening(how: ProbeOptions, feed: Feed) -> None:
    said = f"listening to {shown(feed.url)} for {format_duration(how.duration)}"
    note(f"{said}; Ctrl-C ends it earlier")
