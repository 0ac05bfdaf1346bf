"""The command line: every capability without a browser, one function a command.

Results go to standard output (with --json as one line of JSON, the last one), everything else to standard
error. Ends with 0; with 2 and one plain sentence for what cannot be used; with 130 when interrupted. A module
holds a group of commands, each function after the options it takes. Knows the core and the terminal. Knows
nothing of Gradio; `serve` starts the app as a program of its own.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sqlite3
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from exdd_core.cli import banks, data, judge, measure, paint, run, score
from exdd_core.cli.arguments import Add
from exdd_core.errors import BadInput, Cancelled

COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], dict[str, Any]], Callable[[Add], None]]] = {
    "import": (data.import_, data.import_options),
    "build": (data.build, data.build_options),
    "score": (score.score, score.score_options),
    "evaluate": (measure.evaluate, measure.evaluate_options),
    "sweep": (measure.sweep, measure.sweep_options),
    "runs": (measure.runs, measure.runs_options),
    "synthesize": (paint.synthesize, paint.synthesize_options),
    "prompts": (paint.prompts, paint.prompts_options),
    "candidates": (judge.candidates, judge.candidates_options),
    "mark": (judge.mark, judge.mark_options),
    "banks": (banks.banks, banks.banks_options),
    "jobs": (run.jobs, run.jobs_options),
    "serve": (run.serve, run.serve_options),
    "doctor": (run.doctor, lambda add: None),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        options = _parser().parse_args(arguments)
        result = options.command(options)
        if options.json:
            print(json.dumps(_strict(result), ensure_ascii=False), flush=True)
        return 0
    except BadInput as error:
        return _refuse(str(error))
    except (KeyboardInterrupt, Cancelled):
        print("Interrupted; nothing half-made was kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, sqlite3.Error) as error:
        from exdd_core.workspace import plain_sentence

        return _refuse(plain_sentence(error))
    except MemoryError:
        return _refuse("The memory is full; use smaller images, a smaller share of patches or fewer images.")


def _refuse(sentence: str) -> int:
    print(" ".join(sentence.split()), file=sys.stderr)  # one line, whatever a path or a library put into it
    return 2


def _strict(value: Any) -> Any:
    """The value as JSON can hold it: no paths, no NaN (null instead), no numpy numbers."""
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
        raise BadInput(f"{message[0].upper()}{message[1:]}; {self.prog} --help lists what can be given.")


def _parser() -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    place = os.environ.get("EXDD_WORKSPACE") or "data/workspace"
    common.add_argument(
        "--workspace", type=Path, metavar="DIR", default=Path(place), help=f"default: {place}"
    )
    common.add_argument("--json", action="store_true", help="the result as the last line of standard output")

    parser = _Parser(prog="python -m exdd_core", description="ExDD Workbench without a browser.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, (function, options) in COMMANDS.items():
        said = function.__doc__ or ""
        sub = commands.add_parser(
            name, parents=[common], help=said.split("\n")[0], description=said, allow_abbrev=False
        )
        sub.set_defaults(command=function)
        options(sub.add_argument)
    return parser
