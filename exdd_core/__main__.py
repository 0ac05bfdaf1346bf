"""`python -m exdd_core COMMAND`, or `exdd COMMAND`: see `exdd_core.cli`."""

from __future__ import annotations

import sys

from exdd_core.errors import NOT_BEGUN


def run() -> int:
    """Run one command as a program of its own; Ctrl+C ends it even while its modules load."""
    try:
        from exdd_core.cli import run_program

        return run_program()
    except KeyboardInterrupt:
        print(NOT_BEGUN, file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(run())
