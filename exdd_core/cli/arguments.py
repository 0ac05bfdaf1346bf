"""Options that several commands share: the workspace, numbers within limits, how a bank is built, who decides.

Knows words and values; argparse refuses an invalid word with the sentence raised here. Does not know the commands.
"""

from __future__ import annotations

import argparse
import getpass
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from exdd_core.errors import BadInput

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.images import Size
    from exdd_core.spec import Json
    from exdd_core.workspace import Workspace

Add = Callable[..., Any]  # `ArgumentParser.add_argument`, which is all that a command needs of its parser
# A function of the options, whose answer `--json` prints, and what adds the options that it takes.
Command = tuple[Callable[[argparse.Namespace], object], Callable[[Add], Any] | None]
# The options of how banks are built, which several commands have, and what stands for their values.
BANK = {
    "max_real_parts": "M",
    "seed": "S",
    "negative_ratio": "R",
    "positive_ratio": "R",
    "size": "WxH",
    "backbone": "NAME",
    "likeness": "L",
}
WORKSPACE_FOLDERS = (
    *("adapters", "banks", "before-migration", "cache", "candidates", "copies", "datasets", "models"),
)
LARGEST = 2**32 - 1  # as `spec.LARGEST_SEED`, whose module takes its time to import


class Group(NamedTuple):
    """Commands under one word, such as `banks list`. title: for --help."""

    title: str
    actions: dict[str, Command]


def open_workspace(options: argparse.Namespace) -> Workspace:
    from exdd_core.workspace import Workspace

    return Workspace.open(options.workspace)


def bank_options(add: Add) -> None:
    for name in BANK:
        bank_option(add, name)


def without_missing_option(add: Add) -> None:
    add(
        "--without-missing",
        action="store_true",
        help="continue without images whose files are missing or were replaced",
    )


def bank_option(add: Add, name: str) -> None:
    """An option for a field of `BuildOptions`, which has its help and its bounds."""
    from annotated_types import Ge

    from exdd_core import spec
    from exdd_core.banks.options import BuildOptions

    field = BuildOptions.model_fields[name]
    kinds = spec.types(field)
    read = share if float in kinds else at_least(spec.bound(field, Ge)) if int in kinds else str
    others = {"positives": "WHICH", "false_alarm_rate": "R", "region_area": "PX", "region_gap": "PX"}
    metavar = {**others, **BANK}.get(name, "NAME")
    add("--" + name.replace("_", "-"), type=read, metavar=metavar, help=field.description)


def bank_spec(options: argparse.Namespace) -> Json:
    """The given options for how banks are built, by name; None for those left out, 0 for the seed."""
    return {name: getattr(options, name) for name in BANK} | {"seed": options.seed or 0}


def model_size(options: argparse.Namespace) -> Size | None:
    """The model's input size by --size and --keep-aspect; None where neither is given. Raises `BadInput`."""
    from exdd_core.images import Size

    if options.keep_aspect and not options.size:
        raise BadInput(
            "--keep-aspect can only be used with --size; specify the size to fit images into, such as 256x256."
        )
    return Size.parse(options.size, options.keep_aspect) if options.size else None


def at_least(lowest: int, highest: int = LARGEST) -> Any:
    def parse(text: str) -> int:
        if not text.strip().removeprefix("-").isdecimal() or not lowest <= int(text) <= highest:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {lowest} to {highest}")
        return int(text)

    return parse


def number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number") from None


def share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a fraction above 0 and up to 1")
    return value


def folder(text: str) -> Path:
    if Path(text).is_file():
        raise argparse.ArgumentTypeError(f"'{text}' is a file; specify a folder")
    return Path(text)


def new_file(*suffixes: str) -> Any:
    """A type for a file to write: refuses a folder, a workspace's own files and other suffixes before any work is done,
    and without suffixes an image, which a forgotten name would overwrite."""
    from exdd_core.formats import picture_format

    def parse(text: str) -> Path:
        if Path(text).is_dir():
            raise argparse.ArgumentTypeError(f"'{text}' is a folder; specify a file in it")
        if suffixes and Path(text).suffix.lower() not in suffixes:
            raise argparse.ArgumentTypeError(f"'{text}' does not end in {' or '.join(suffixes)}")
        if not suffixes and picture_format(Path(text)):
            raise argparse.ArgumentTypeError(f"'{text}' is an image; specify the file to write")
        if _is_of_a_workspace(Path(text)):
            raise argparse.ArgumentTypeError(
                f"'{text}' is among a workspace's own files; specify another place"
            )
        return Path(text)

    return parse


def _is_of_a_workspace(path: Path) -> bool:
    """Whether a path leads to a workspace's database or into a folder that the workspace keeps."""
    place = path.resolve()
    for folder in place.parents:
        first = place.relative_to(folder).parts[0]
        if (first in WORKSPACE_FOLDERS or ".db" in first) and (folder / "workspace.db").exists():
            return True
    return False


def who_option(add: Add) -> None:
    add(
        "--who",
        default=user(),
        metavar="NAME",
        help="name to record for this action (default: your user name)",
    )


def user() -> str:
    """The name of the person who runs this program."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "someone"
