"""The output of commands: sentences and progress on standard error, results in words on standard output.

Knows the terminal. Does not know the commands or what they compute.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

from exdd_core.progress import Progress


def say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def print_result(result: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Print the sentence of a result, unless --json asks for JSON, and return the result."""
    if not options.json:
        print(result["sentence"])
        for id, why in result.get("left_out", {}).items():
            say(f"{id}: {why}.")
    return result


def progress() -> Progress:
    """Progress on standard error: one changing line on a terminal, otherwise a line now and then."""
    shown: dict[str, Any] = {"stage": "", "time": 0.0}
    terminal = sys.stderr.isatty()

    def show(progress: Progress) -> None:
        new, last = progress.stage != shown["stage"], progress.done >= progress.total
        if (
            not new
            and not (terminal and last)
            and time.monotonic() - shown["time"] < (0.1 if terminal else 10)
        ):
            return
        shown.update(stage=progress.stage, time=time.monotonic())
        end = "\n" if last or not terminal else ""
        print(f"\r\033[K{progress.text}" if terminal else progress.text, end=end, file=sys.stderr, flush=True)

    return Progress(show)
