"""Arguments and environment → the settings that were given.

The parameters are made from the fields of a dataclass of settings, so nothing about any of them
stands here. A value is looked for on the command line, then in the environment.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, TypeVar, get_args, get_type_hints

from cyclopts import (
    App,
    CoercionError,
    CycloptsError,
    MissingArgumentError,
    Parameter,
    UnknownOptionError,
)
from cyclopts import UnusedCliTokensError as UnusedTokensError

from fastingest.config.settings import Texts
from fastingest.errors import OptionError, UsageError

__all__ = ["PREFIX", "call", "options_of", "takes", "unknown_variables", "with_urls"]

PREFIX = "FASTINGEST_"
"""What the name of a setting's environment variable begins with."""

F = TypeVar("F", bound=Callable[..., Any])


def options_of(owner: type, names: Iterable[str] | None = None) -> list[inspect.Parameter]:
    """An option for each of the fields of ``owner``, a dataclass made with ``setting``.

    :param names: of the fields; None: all that may be given.
    """
    fields = {field.name: field for field in dataclasses.fields(owner) if field.init}
    return [_parameter(fields[name], owner) for name in (fields if names is None else names)]


def takes(parameters: Sequence[inspect.Parameter], function: F) -> F:
    """``function``, which takes keywords, as a command that has these options."""
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {each.name: each.annotation for each in parameters}
    return function


def with_urls(arguments: Sequence[str], owner: type) -> list[str]:
    """``arguments`` with ``--url`` before each URL that stands by itself.

    :param owner: the dataclass of the options; those that are true or false take no value.
    """
    flags = {_option(each.name) for each in dataclasses.fields(owner) if each.default is False}
    made: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--":
            return [*made, word, *words]
        is_option = word.startswith("--")
        made += ["--url", word] if "://" in word and not is_option else [word]
        if is_option and "=" not in word and word not in flags:
            made += [value for value in (next(words, None),) if value is not None]
    return made


def unknown_variables(
    owners: Iterable[type], others: Iterable[str], environ: Mapping[str, str] = os.environ
) -> Iterator[tuple[str, str]]:
    """The variables that seem to be settings, and are none: the name, and one that may be meant.

    :param owners: dataclasses of settings.
    :param others: names that mean something else.
    """
    known = {PREFIX + each.name.upper() for owner in owners for each in dataclasses.fields(owner)}
    known |= {*others}
    for name, value in environ.items():
        if name.startswith(PREFIX) and value.strip() and name not in known:
            yield name, _meant(name, sorted(known))


def _meant(name: str, known: Sequence[str]) -> str:
    """The variable that is most like ``name``, which is none; empty where none is like it."""
    begun = [each for each in known if each.startswith(name)]
    ends = {each.removeprefix(PREFIX): each for each in known}
    close = difflib.get_close_matches(name.removeprefix(PREFIX), ends, 1)
    return begun[0] if begun else ends[close[0]] if close else ""


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def call(app: App, arguments: Sequence[str]) -> Any:
    """What the command that ``arguments`` name returns.

    :raises UsageError: the arguments, or the environment, name none, or not as it must be.
    """
    try:
        return app(arguments, result_action="return_value")
    except CycloptsError as error:
        raise UsageError(_explain(error, arguments, app)) from None
    except OptionError as error:
        variable = PREFIX + error.option.upper()
        option = _option(error.option)
        if os.environ.get(variable) and not any(a.split("=")[0] == option for a in arguments):
            raise UsageError(f"{variable}: {error.problem}") from None
        raise


def _parameter(field: dataclasses.Field[Any], owner: type) -> inspect.Parameter:
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
        name=_option(field.name),
        help=setting["help"] + (" Or: off." if setting["off"] else ""),
        converter=convert,
        n_tokens=1 if convert else None,
        # so that "-5s" is said to be out of range, and not to be an option
        allow_leading_hyphen=convert is not None and wanted in (int, float),
        metavar=metavar,
        show_default=False if nothing else setting["show"](default),
        required=False,
        negative=(),
        env_var=PREFIX + field.name.upper(),
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


def _explain(error: CycloptsError, arguments: Sequence[str], app: App) -> str:
    command = f" {arguments[0]}" if arguments and arguments[0] in {*app} - {"--help"} else ""
    see = f"see fastingest{command} --help"
    match error:
        case CoercionError(token=token, msg=problem) if token and problem:
            return f"{token.keyword}: {problem}"
        case MissingArgumentError(argument=argument) if argument:
            return f"{argument.name} needs a value; {see}"
        case UnusedTokensError(unused_tokens=[token, *_]):
            if token == arguments[0] and (close := difflib.get_close_matches(token, app, 1)):
                return f"{token!r} is no command; did you mean {close[0]}? {see}"
            return f"{token!r} belongs to no option; {see}"
        case UnknownOptionError(token=token) if meant := _begun(error):
            written = token.keyword or token.value
            return f"unknown option: {written}. Did you mean {meant}? {see}"
    error.verbose = False
    said = str(error).rstrip(".")
    return f"{said[:1].lower()}{said[1:]}{' ' if said.endswith('?') else '; '}{see}"


def _begun(error: UnknownOptionError) -> str:
    """The only option whose name begins as it was written; empty where there are none, or more."""
    written = error.token.keyword or error.token.value
    names = (name for argument in error.argument_collection for name in argument.names)
    begun = [name for name in names if name.startswith(written)]
    return begun[0] if len(begun) == 1 else ""
