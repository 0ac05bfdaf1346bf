"""The output of commands: sentences and progress on standard error, results in words on standard output.

Knows the terminal. Does not know the commands or what they compute.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TypeVar

from exdd_core.progress import Progress
from exdd_core.sentences import spelt

Answer = TypeVar("Answer")


def say(sentence: str) -> None:
    print(spelt(sentence), file=sys.stderr, flush=True)


def print_result(sentence: str, answer: Answer, options: argparse.Namespace) -> Answer:
    """Print the sentence of a result, unless --json asks for JSON, and return the result."""
    if not options.json:
        print(sentence)
    return answer


def progress() -> Progress:
    """Progress on standard error: one changing line on a terminal, otherwise a line now and then."""
    stage, told_at = "", 0.0
    terminal = sys.stderr.isatty()

    def show(progress: Progress) -> None:
        nonlocal stage, told_at
        new, last = progress.stage != stage, progress.done >= progress.total
        pause = time.monotonic() - told_at
        if not new and not (terminal and last) and pause < (0.1 if terminal else 10):
            return
        stage, told_at = progress.stage, time.monotonic()
        end = "\n" if last or not terminal else ""
        print(f"\r\033[K{progress.text}" if terminal else progress.text, end=end, file=sys.stderr, flush=True)

    return Progress(show)
