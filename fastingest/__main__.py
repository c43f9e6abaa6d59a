"""``python -m fastingest``, and the entry of the ``fastingest`` command."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> int:
    """Run the command line of this process; the exit status."""
    try:
        from fastingest.cli import commands as cli

        return cli.main(sys.argv[1:])
    except KeyboardInterrupt:  # before or after the run, which deals with signals itself
        return 130


if __name__ == "__main__":
    sys.exit(main())
