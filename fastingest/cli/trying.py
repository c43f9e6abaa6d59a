"""``fastingest try``: a configuration on recorded messages."""

from __future__ import annotations

import inspect
import shutil
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from fastingest.cli.arguments import options_of, takes
from fastingest.cli.output import fail, print_out
from fastingest.config.offline import feed_offline
from fastingest.config.options import Options, settings_from
from fastingest.native.availability import find_native
from fastingest.trial.options import TrialOptions

__all__ = ["try_command", "try_file"]

_OF_RUN = (
    *("config", "feed", "url", "symbols", "subscribe", "strip", "split"),
    *("columns", "rows", "where", "out", "escape_formulas"),
)
"""The options of a run that a trial has: those that say which rows come of messages, and where."""


def try_command() -> Callable[..., Callable[[], int]]:
    """The command."""
    file = inspect.Parameter(
        "file",
        inspect.Parameter.POSITIONAL_ONLY,
        annotation=Annotated[
            Path, Parameter(help="Messages, one a line; - is stdin.", allow_leading_hyphen=True)
        ],
    )
    own = options_of(TrialOptions)

    def command(file: Path, /, **values: Any) -> Callable[[], int]:
        """Show what comes of recorded messages: the first rows, counts, and rejects.

        Nothing is connected to, and nothing is written. No secret needs to be there.

        Of several feeds in a file for --config, --feed names the one that is meant.

        Exit status: 0 nothing is rejected, 1 something is, 2 it cannot be tried.
        """
        how = {each.name: values.pop(each.name) for each in own if each.name in values}
        return partial(try_file, file, values, TrialOptions(**how))

    return takes([file, *own, *options_of(Options, _OF_RUN)], command)


def try_file(file: Path, given: Mapping[str, Any], how: TrialOptions) -> int:
    """Try what is given, as for a run, on a file of messages; the exit status.

    :raises UsageError: there are no messages, or no feed.
    """
    from fastingest.trial.recorded import STDIN, recorded
    from fastingest.trial.text import trial_text
    from fastingest.trial.trial import try_messages

    settings = settings_from(given)
    feed = feed_offline(settings)
    trial = try_messages(
        feed,
        recorded(file),
        show=how.show,
        now=time.time_ns(),
        native=find_native().is_used,
        escape_formulas=settings.escape_formulas,
    )
    name = "stdin" if file == STDIN else str(file)
    width = shutil.get_terminal_size().columns
    unprinted = print_out(trial_text(trial, feed, name, show=how.show, width=width), "the report")
    return fail(unprinted) if unprinted else int(trial.rejected > 0)
