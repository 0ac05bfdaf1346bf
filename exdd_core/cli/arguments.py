"""What several commands take: the workspace, numbers within limits, how a bank is built, who decides.

Turns words into values; one that cannot be meant is refused by argparse with our sentence. Does not know which
command asked, and opens nothing but the workspace.
"""

from __future__ import annotations

import argparse
import getpass
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported by the command that needs them: --help answers at once
    from exdd_core.workspace import Workspace

Add = Callable[..., Any]  # `ArgumentParser.add_argument`, which is all that a command needs of its parser


def open_workspace(options: argparse.Namespace) -> Workspace:
    from exdd_core.workspace import Workspace

    return Workspace.open(options.workspace)


def bank_options(add: Add) -> None:
    add("--max-real-parts", type=at_least(0), metavar="M", help="learn from at most M defective parts")
    add("--seed", type=at_least(0), default=0, metavar="S", help="default: 0")
    add("--negative-ratio", type=share, metavar="R", help="share of normal patches kept, above 0 to 1")
    add("--positive-ratio", type=share, metavar="R", help="share of defect patches kept, above 0 to 1")
    add("--size", metavar="WxH", help="of the model's input, width x height; default: the data set's")
    add("--backbone", metavar="NAME", help="default: the workspace's")


def bank_spec(options: argparse.Namespace) -> dict[str, Any]:
    names = ("max_real_parts", "seed", "negative_ratio", "positive_ratio", "backbone")
    return {name: getattr(options, name) for name in names}


def at_least(lowest: int) -> Any:
    def parse(text: str) -> int:
        if not text.strip().lstrip("-").isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {lowest} on")
        return int(text)

    return parse


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share above 0 and up to 1")
    return value


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "someone"
