"""The command line: every capability without a browser, one function for each command.

Results go to standard output (with --json, the last line is JSON), everything else to standard error. The exit code
is 0; 2 with one plain sentence for bad input; 1 with one for an unexpected error, whose number the log has; 130 when
interrupted. A module holds a group of commands, each function below its options. Knows the core and the terminal.
Does not know Gradio: `serve` starts the app as a separate program.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import logging
import math
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from exdd_core import __version__, logs
from exdd_core.cli import (
    banks,
    data,
    datasets,
    export,
    judge,
    keeping,
    kept,
    mark,
    measure,
    packages,
    paint,
    run,
    score,
    teach,
    threshold,
    users,
)
from exdd_core.cli.arguments import Command, Group, folder, user
from exdd_core.errors import INTERRUPTED, BadInput, Cancelled
from exdd_core.sentences import spelt

COMMANDS: dict[str, Command | Group] = {
    "import": (data.import_, data.import_options),
    "export": (export.export, export.export_options),
    "datasets": datasets.DATASETS,
    "build": (data.build, data.build_options),
    "score": (score.score, score.score_options),
    "evaluate": (measure.evaluate, measure.evaluate_options),
    "sweep": (measure.sweep, measure.sweep_options),
    "runs": measure.RUNS,
    "synthesize": (paint.synthesize, paint.synthesize_options),
    "prompts": paint.PROMPTS,
    "teach": (teach.teach, teach.teach_options),
    "adapters": teach.ADAPTERS,
    "candidates": judge.CANDIDATES,
    "reasons": kept.REASONS,
    "blind-tests": kept.BLIND_TESTS,
    "mark": mark.MARK,
    "banks": banks.BANKS,
    "threshold": threshold.THRESHOLD,
    "jobs": run.JOBS,
    "users": users.USERS,
    "workspace": keeping.WORKSPACE,
    "packages": packages.PACKAGES,
    "serve": (run.serve, run.serve_options),
    "doctor": (run.doctor, None),
}


UNEXPECTED = 1  # exit code of an error that the log has by its number
MAY_BE_EMPTY = ("--prompt", "--negative-prompt", "--type", "--defect-type")


def run_program() -> int:
    """Run one command as a program of its own, which has a log."""
    try:
        logs.begin(user, logging.WARNING)
    except BadInput as error:
        return _refuse(str(error))
    return main()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        words = list(sys.argv[1:] if arguments is None else arguments)
        for stream in (sys.stdout, sys.stderr):  # file names may contain bytes that are not valid text
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        options = parse(words)
        result = options.command(options)
        if options.json:
            print(json.dumps(_strict(result), ensure_ascii=False), flush=True)
        return 0
    except BadInput as error:
        return _refuse(str(error))
    except (KeyboardInterrupt, Cancelled):
        print(INTERRUPTED, file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has ended, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except UnicodeEncodeError:
        return _refuse(
            "An argument or a file name contains bytes that are not valid text; rename the file or retype the argument."
        )
    except RuntimeError as error:
        if "home directory" in str(error):  # pathlib's message for an unknown ~user
            return _refuse("There is no home folder with that name; use the full path instead of ~.")
        if "Symlink loop" in str(error):  # pathlib's message, too
            return _refuse("A path is a link that leads back to itself; use another path.")
        return _fail(error)
    except Exception as error:
        return _fail(error)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Parse the words of one command. The result has its options and, as `command`, its function.

    Raises `BadInput` for unknown words and `UnicodeEncodeError` for words that are not valid text; --help and --version
    print and raise `SystemExit`.
    """
    _check_empty(words)
    given = argparse.Namespace(workspace=_place(), json=False)
    options, unknown = _parser(words).parse_known_args(words, given)
    if unknown:
        options.refuse(f"unrecognized arguments: {' '.join(unknown)}")
    for value in vars(options).values():
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str):  # a path, which may have any bytes, is none
                word.encode()
    return options


def _check_empty(words: Sequence[str]) -> None:
    """Raise `BadInput` for an empty word.

    It is mostly an unset variable of a script, and would otherwise mean a default or the current folder.
    """
    for before, word in zip(["", *words], words, strict=False):
        ends = word.startswith("--") and word.endswith("=")
        name = word[:-1] if ends else before
        if (ends or not word.strip()) and name not in MAY_BE_EMPTY:
            what = f"The value of {name}" if name.startswith("--") and name != "--" else "An argument"
            raise BadInput(f"{what} is empty; specify a value or leave it out.")


def _refuse(sentence: str, code: int = 2) -> int:
    """Print a sentence in one line, even where a path or a library has line breaks; returns the exit code."""
    print(spelt(" ".join(sentence.split())), file=sys.stderr)
    return code


def _fail(error: Exception) -> int:
    from exdd_core.workspace import sentence_of

    sentence = sentence_of(error)
    return _refuse(sentence, UNEXPECTED if logs.is_numbered(error) else 2)


def _strict(value: Any) -> Any:
    """Convert a value for strict JSON: paths to text, NaN to None, numpy numbers to Python's."""
    if dataclasses.is_dataclass(value):
        return {field.name: _strict(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[0].upper()}{message[1:]}; see {self.prog} --help.")


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for these words. Commands that are not among them get no options, so that --help answers at once.

    Common options may precede or follow a command's name; SUPPRESS keeps the later parser's defaults from
    overwriting the earlier value.
    """
    none = argparse.SUPPRESS
    common = _Parser(add_help=False)
    common.add_argument(
        "--workspace",
        type=folder,
        metavar="DIR",
        default=none,
        help=f"workspace folder (default: {_place()})",
    )
    common.add_argument(
        "--json",
        action="store_true",
        default=none,
        help="print the result as JSON, in the last line of standard output",
    )

    def add(parsers: Any, name: str, said: str) -> argparse.ArgumentParser:
        help = said.split("\n")[0]
        return parsers.add_parser(name, parents=[common], help=help, description=said, allow_abbrev=False)

    def add_all(parser: argparse.ArgumentParser, what: str, entries: Mapping[str, Command | Group]) -> None:
        parsers = parser.add_subparsers(metavar=what, required=True)
        for name, entry in entries.items():
            if isinstance(entry, Group):
                below = add(parsers, name, f"{entry.title}: {', '.join(entry.actions)}.")
                add_all(below, "ACTION", entry.actions if name in words else {})
                continue
            function, options = entry
            below = add(parsers, name, function.__doc__ or "")
            below.set_defaults(command=function, refuse=below.error)
            if options and name in words:
                options(below.add_argument)

    said = "Use ExDD Workbench from the command line."
    parser = _Parser(prog="python -m exdd_core", parents=[common], description=said, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"ExDD Workbench {__version__}")
    add_all(parser, "COMMAND", COMMANDS)
    return parser


def _place() -> Path:
    return Path(os.environ.get("EXDD_WORKSPACE") or "data/workspace")
