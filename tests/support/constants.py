"""The command with other constants, where what is tested would take its real time."""

from __future__ import annotations

__all__ = ["with_constants"]


def with_constants(**values: float) -> tuple[str, str]:
    """What Python is to run in place of ``-m fastingest``; see :class:`Command`.

    It holds for the supervisor; who it starts has its own.

    :param values: constants by ``module__NAME``, of a module of the supervisor.
    """
    lines = ["import importlib, sys"]
    for name, value in values.items():
        module, _, constant = name.partition("__")
        lines += [
            f"module = importlib.import_module('fastingest.supervisor.{module}')",
            f"assert isinstance(module.{constant}, float)",
            f"module.{constant} = {value!r}",
        ]
    lines += ["from fastingest.cli.commands import main", "sys.exit(main(sys.argv[1:]))"]
    return "-c", "\n".join(lines)
