"""The command line: arguments and environment → :class:`~fastingest.Options`, and a run in words.

The parameters are made from the fields of ``Options``, so nothing about a setting stands here. The
log and the live view go to stderr, the summary to stdout. An error is one line on stderr, and the
exit status that it names. The commands make no run: ``verify`` looks at what runs have left,
``feeds`` and ``check`` at what they can be told to capture, ``probe`` at what a feed sends.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import inspect
import logging
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args, get_type_hints

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    Group,
    MissingArgumentError,
    Parameter,
    UnknownOptionError,
)
from cyclopts import UnusedCliTokensError as UnusedTokensError

import fastingest
from fastingest.access.secrets import shown
from fastingest.cli.log import configure
from fastingest.cli.terminal import StreamLog, Terminal
from fastingest.cli.view import progress_facts, summary_json, summary_text
from fastingest.config.catalog import known_text, listing
from fastingest.config.check import check, check_text
from fastingest.config.options import Options, options_from
from fastingest.config.settings import Texts
from fastingest.errors import FastingestError, OptionError, RunFailed, UsageError
from fastingest.model.feed import Feed
from fastingest.native.availability import VARIABLE, find_native
from fastingest.probe.options import ProbeOptions
from fastingest.report.summary import Summary
from fastingest.supervisor.supervisor import ingest
from fastingest.text import escape
from fastingest.units import format_duration
from fastingest.verify.report import report_text
from fastingest.verify.verify import verify

__all__ = ["PROGRESS_INTERVAL", "VIEW_INTERVAL", "main", "parse", "run"]

PROGRESS_INTERVAL = 10.0
"""Seconds between two lines of progress in the log, where there is no view."""

VIEW_INTERVAL = 0.5
"""Seconds between two states of the view."""

_PREFIX = "FASTINGEST_"
_EPILOGUE = (
    "Every option can be set by an environment variable as well: --flush-interval by "
    f"{_PREFIX}FLUSH_INTERVAL. A repeatable one takes one value a line there. The command line "
    "comes first, and an empty variable counts as not set.\n\n"
    "Exit status: 0 the run ended as asked, 1 it failed, 2 something asked for cannot be done, "
    "3 rows were lost or dropped, 130 interrupted twice."
)

_log = logging.getLogger("fastingest")
_OnTick: TypeAlias = Callable[[Summary], None]
_Command: TypeAlias = Callable[[], int]


def main(arguments: Sequence[str]) -> int:
    """Run the command line ``arguments``; the exit status."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # None: it was closed when the program started
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        asked = parse(arguments)
        if asked is None or isinstance(asked, Options):
            return run(asked) if asked else 0
        return asked()
    except FastingestError as error:
        return _fail(error)
    except OSError as error:  # of any command
        where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
        return _fail(RunFailed(f"{where}{error.strerror or error}"))


# Arguments


def parse(arguments: Sequence[str]) -> Options | _Command | None:
    """The options of a run, or another command, which returns the exit status.

    None if help or the version was asked for, and has been printed.

    :raises UsageError: the arguments, or the environment, make neither.
    """
    try:
        asked = _app()(arguments, result_action="return_value")
    except CycloptsError as error:
        raise UsageError(_explain(error)) from None
    except OptionError as error:
        variable = _PREFIX + error.option.upper()
        option = "--" + error.option.replace("_", "-")
        if os.environ.get(variable) and not any(a.split("=")[0] == option for a in arguments):
            raise UsageError(f"{variable}: {error.problem}") from None
        raise
    return asked if isinstance(asked, Options) or callable(asked) else None


def _app() -> App:
    parameters = [_parameter(field) for field in dataclasses.fields(Options) if field.init]

    def command(**values: Any) -> Options:
        return options_from(values)

    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    app = App(
        name="fastingest",
        help=(fastingest.__doc__ or "").partition("\n")[0],
        usage="fastingest (--url URL | --feed NAME | --config PATH) [OPTIONS]",
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
    app.default(command)
    for name, usage, function in (
        ("verify", "FILE", _verify_command),
        ("feeds", "[NAME]", _feeds_command),
        ("check", "FILE", _check_command),
        ("probe", "--url URL [OPTIONS]", _probe_command()),
    ):
        app.command(
            function,
            name=name,
            group="Commands",
            usage=f"fastingest {name} {usage}",
            help_epilogue="",
        )
    return app


def _verify_command(
    file: Annotated[Path, Parameter(help="CSV file to look at; its ledger is beside it.")], /
) -> _Command:
    """Say whether a file is what its ledger says.

    Exit status: 0 it is, 1 it is not, 2 something needed for that cannot be read.
    """
    return partial(_verify, file)


def _feeds_command(
    name: Annotated[str | None, Parameter(help="Print this one, as a file to begin with.")] = None,
    /,
) -> _Command:
    """List the known feeds, and the environment variables that they need."""
    return partial(_feeds, name)


def _check_command(
    file: Annotated[Path, Parameter(help="TOML file, as for --config.")], /
) -> _Command:
    """Say what a file for --config describes, or all that is wrong with it.

    Exit status: 0 nothing is wrong, 2 something is.
    """
    return partial(_check, file)


# What a probe has in common with a run.
_PROBED = (
    "url",
    "feed",
    "symbols",
    "config",
    "header",
    "subscribe",
    "max_message_size",
    "compression",
    "ca_file",
    "cert_file",
    "key_file",
    "proxy",
)


def _probe_command() -> Callable[..., _Command]:
    own = dataclasses.fields(ProbeOptions)

    def command(**values: Any) -> _Command:
        """Listen to a feed, and print a file for --config that captures it.

        What was seen is said on stderr, and the file goes to stdout. Ctrl-C ends the listening.
        """
        how = {field.name: values.pop(field.name) for field in own if field.name in values}
        return partial(_probe, options_from(values), ProbeOptions(**how))

    shared = [Options.__dataclass_fields__[name] for name in _PROBED]
    parameters = [_parameter(field) for field in shared[:6]]
    parameters += [_parameter(field, ProbeOptions) for field in own]
    parameters += [_parameter(field) for field in shared[6:]]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _parameter(field: dataclasses.Field[Any], owner: type = Options) -> inspect.Parameter:
    setting = field.metadata
    hint = get_type_hints(owner)[field.name]
    if hint == Texts:
        hint = tuple[str, ...]
    wanted = next((each for each in get_args(hint) or [hint] if each is not type(None)), hint)
    repeatable = get_args(hint)[1:] == (...,)
    convert = None if wanted is bool or repeatable else _converter(wanted, setting)
    default = None if field.default is dataclasses.MISSING else field.default
    nothing = default in (None, (), False)
    metavar = setting["metavar"] or (wanted.__name__.upper() if wanted is not bool else None)
    parameter = Parameter(
        name="--" + field.name.replace("_", "-"),
        help=setting["help"] + (" Or: off." if setting["off"] else ""),
        converter=convert,
        n_tokens=1 if convert else None,
        # so that "-5s" is said to be out of range, and not to be an option
        allow_leading_hyphen=convert is not None and wanted in (int, float),
        metavar=metavar,
        show_default=False if nothing else setting["show"](default),
        required=False,
        negative=(),
        env_var=_PREFIX + field.name.upper(),
        env_var_split=_lines if repeatable else _whole,
        show_env_var=False,
        json_list=False,
        json_dict=False,
    )
    return inspect.Parameter(
        field.name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[wanted if convert else hint, parameter],
    )


def _converter(wanted: type, setting: Any) -> Callable[[Any, Sequence[Any]], Any]:
    """What turns the text a person wrote into a value; a ValueError says what is wrong with it."""

    def convert(_: Any, tokens: Sequence[Any]) -> Any:
        text: str = tokens[0].value
        if wanted in (int, float) and text.startswith("--"):
            raise ValueError(f"needs a value, and {text} is none")
        if setting["off"] and text.lower() == "off":
            return None
        if setting["parse"]:
            return setting["parse"](text)
        return _whole_number(text) if wanted is int else wanted(text)

    return convert


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


def _lines(_: Any, value: str, delimiter: str | None = None) -> list[str]:
    return [line for line in value.splitlines() if line.strip()]


def _whole(_: Any, value: str, delimiter: str | None = None) -> list[str]:
    return [value] if value.strip() else []


def _explain(error: CycloptsError) -> str:
    match error:
        case CoercionError(token=token, msg=problem) if token and problem:
            return f"{token.keyword}: {problem}"
        case MissingArgumentError(argument=argument) if argument:
            return f"{argument.name} needs a value; see fastingest --help"
        case UnusedTokensError(unused_tokens=[token, *_]):
            return f"{token!r} belongs to no option; see fastingest --help"
        case UnknownOptionError(token=token) if meant := _begun(error):
            written = token.keyword or token.value
            return f"unknown option: {written}. Did you mean {meant}? see fastingest --help"
    error.verbose = False
    said = str(error).rstrip(".")
    return f"{said[:1].lower()}{said[1:]}{' ' if said.endswith('?') else '; '}see fastingest --help"


def _begun(error: UnknownOptionError) -> str:
    """The only option whose name begins as it was written; empty where there are none, or more."""
    written = error.token.keyword or error.token.value
    names = (name for argument in error.argument_collection for name in argument.names)
    begun = [name for name in names if name.startswith(written)]
    return begun[0] if len(begun) == 1 else ""


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


# Other commands


def _feeds(name: str | None) -> int:
    try:
        text = known_text(name).rstrip("\n") if name else listing()
    except OptionError as error:
        raise UsageError(error.problem) from None
    unprinted = _print_out(text, "the feeds" if name is None else "the feed")
    return _fail(unprinted) if unprinted else 0


def _check(file: Path) -> int:
    try:
        found = check(file)
    except OptionError as error:
        raise UsageError(error.problem) from None
    unprinted = _print_out(check_text(found), "the report")
    if unprinted:
        return _fail(unprinted)
    return UsageError.exit_status if found.problems else 0


def _probe(options: Options, how: ProbeOptions) -> int:
    from fastingest.probe.dry_run import trial_of
    from fastingest.probe.listen import listen
    from fastingest.probe.proposal import proposal_of
    from fastingest.probe.text import config_text, report_text

    try:
        heard = listen(options, how, partial(_listening, how))
    except OptionError as error:
        raise UsageError(str(error)) from None
    proposal = proposal_of(heard.messages, time.time())
    trial = trial_of(proposal, heard.messages)
    with contextlib.suppress(OSError):  # nobody is there to read it
        width = shutil.get_terminal_size().columns
        print(report_text(heard, proposal, trial, width), file=sys.stderr, flush=True)
    if trial is None:
        raise UsageError(
            "nothing came that looks like data; ask for some with --subscribe, or listen longer"
        )
    unprinted = _print_out(config_text(heard, proposal), "the file")
    return _fail(unprinted) if unprinted else 0


def _listening(how: ProbeOptions, feed: Feed) -> None:
    with contextlib.suppress(OSError):
        said = f"listening to {shown(feed.url)} for {format_duration(how.duration)}"
        print(f"{said}; Ctrl-C ends it earlier", file=sys.stderr, flush=True)


def _verify(file: Path) -> int:
    report = verify(file)
    unprinted = _print_out(report_text(report), "the report")
    return _fail(unprinted) if unprinted else int(not report.agrees)


# A run


def run(
    options: Options,
    *,
    progress_interval: float = PROGRESS_INTERVAL,
    view_interval: float = VIEW_INTERVAL,
) -> int:
    """Capture, and say on stderr and stdout how it goes and ends; the exit status."""
    error: FastingestError | None = None
    summary: Summary | None
    try:
        with _shown(options) as (on_tick, is_view):
            tick = view_interval if is_view else progress_interval
            summary = ingest(options, on_tick=on_tick, tick=tick)
    except FastingestError as caught:
        error = caught
        summary = caught.summary if isinstance(caught.summary, Summary) else None
    # What was refused has mostly captured nothing; a summary would only hide the reason.
    refused = isinstance(error, UsageError) and not (summary and summary.ledger.received)
    if summary and not options.quiet and not refused:
        show = summary_json if options.log_format == "json" else summary_text
        unprinted = _print_out(show(summary))
        error = error or unprinted
    return _fail(error, options.log_format) if error else 0


@contextlib.contextmanager
def _shown(options: Options) -> Iterator[tuple[_OnTick | None, bool]]:
    """Where the log goes, what to do at every tick, and whether that is the view."""
    level = options.log_level
    if options.quiet:
        level = level if level in ("warning", "error") else "warning"
    elif options.log_format == "text" and sys.stderr is not None and sys.stderr.isatty():
        terminal = Terminal(options)
        if not terminal.is_dumb:
            configure(level, options.log_format, terminal)
            try:
                yield terminal.draw, True
            finally:
                terminal.stop()
                configure(level, options.log_format, StreamLog())
            return
    log = StreamLog()
    configure(level, options.log_format, log)
    try:
        yield None if options.quiet else _log_progress, False
    finally:
        log.stop()


def _log_progress(summary: Summary) -> None:
    _log.info("progress", extra={"facts": progress_facts(summary)})


def _print_out(text: str, what: str = "the summary") -> FastingestError | None:
    try:
        print(text, flush=True)
    except OSError as error:
        # Python would try once more at its exit, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # A reader that has seen enough, or a terminal that was closed.
        if error.errno not in (errno.EPIPE, errno.EIO):
            return RunFailed(f"{what} could not be printed: {error.strerror}")
    return None


def _fail(error: FastingestError, form: str = "text") -> int:
    if form == "json":  # whoever reads the log as JSON meets nothing else in it
        _log.error(str(error), extra={"facts": {"error": type(error).__name__}})
    else:
        with contextlib.suppress(OSError):  # nobody is there to read it
            print(f"fastingest: error: {escape(str(error))}", file=sys.stderr, flush=True)
    return error.exit_status
