"""What several commands take: the workspace, numbers within limits, how a bank is built, who decides.

Turns words into values; one that cannot be meant is refused by argparse with our sentence. Does not know which
command asked, and opens nothing but the workspace.
"""

from __future__ import annotations

import argparse
import getpass
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from exdd_core.errors import BadInput

if TYPE_CHECKING:  # imported by the command that needs them: --help answers at once
    from exdd_core.images import Size
    from exdd_core.workspace import Workspace

Add = Callable[..., Any]  # `ArgumentParser.add_argument`, which is all that a command needs of its parser
Command = tuple[Callable[[argparse.Namespace], Mapping[str, Any]], Callable[[Add], Any] | None]
LARGEST = 2**32 - 1  # whole number; every generator of random numbers takes it


class Group(NamedTuple):
    """Commands under one word, such as `banks list`; `title` says what they are about."""

    title: str
    actions: dict[str, Command]


def open_workspace(options: argparse.Namespace) -> Workspace:
    from exdd_core.workspace import Workspace

    return Workspace.open(options.workspace)


def bank_options(add: Add) -> None:
    add("--max-real-parts", type=at_least(0), metavar="M", help="learn from at most M defective parts")
    add(
        "--seed", type=at_least(0), metavar="S", help="of the rows that are kept and of the folds; default: 0"
    )
    add("--negative-ratio", type=share, metavar="R", help="share of normal patches kept, above 0 to 1")
    add("--positive-ratio", type=share, metavar="R", help="share of defect patches kept, above 0 to 1")
    add("--size", metavar="WxH", help="of the model's input, width x height; default: the data set's")
    add("--backbone", metavar="NAME", help="default: the workspace's")


def bank_spec(options: argparse.Namespace) -> dict[str, Any]:
    names = ("max_real_parts", "negative_ratio", "positive_ratio", "backbone")
    return {name: getattr(options, name) for name in names} | {"seed": options.seed or 0}


def model_size(options: argparse.Namespace) -> Size | None:
    """What --size and --keep-aspect say of the model's input; None where neither is given. Raises `BadInput`."""
    from exdd_core.images import Size

    if options.keep_aspect and not options.size:
        raise BadInput(
            "--keep-aspect goes with --size; say the size that images are fitted into, such as 256x256."
        )
    return Size.parse(options.size, options.keep_aspect) if options.size else None


def at_least(lowest: int) -> Any:
    def parse(text: str) -> int:
        if not text.strip().removeprefix("-").isdecimal() or not lowest <= int(text) <= LARGEST:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {lowest} to {LARGEST}")
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


def folder(text: str) -> Path:
    if Path(text).is_file():
        raise argparse.ArgumentTypeError(f"'{text}' is a file; name a folder")
    return Path(text)


def new_file(*suffixes: str) -> Any:
    """For a file to be written: refused before the work where it cannot become one, or is no .suffix."""

    def parse(text: str) -> Path:
        if Path(text).is_dir():
            raise argparse.ArgumentTypeError(f"'{text}' is a folder; name a file in it")
        if suffixes and Path(text).suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"'{text}' does not end in {' or '.join(suffixes)}")
        return Path(text)

    return parse


def who_option(add: Add) -> None:
    add("--who", default=_user(), metavar="NAME", help="who decides; default: you")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "someone"
