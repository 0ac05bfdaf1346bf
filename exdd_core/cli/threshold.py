"""The commands on thresholds: threshold set, list, undo.

Knows versions by name. Does not know how a threshold is found.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TypedDict

from exdd_core.cli.arguments import Add, Group, number, open_workspace, who_option
from exdd_core.cli.terminal import print_result, progress, say
from exdd_core.errors import BadInput

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.thresholds import Choice


class ChoiceRow(TypedDict):
    """One choice. value: on the version's own scale, 1 being the threshold that it was built with. undone: "" while it
    was not taken back."""

    value: float
    way: str
    said: str
    who: str
    created: str
    undone: str
    undone_by: str


class Chosen(TypedDict):
    """A version, what was chosen or taken back, and that in words."""

    bank: str
    name: str
    choice: ChoiceRow
    sentence: str


class Listed(TypedDict):
    """A version, where its threshold lies now, and every choice, the newest first."""

    bank: str
    name: str
    value: float
    choices: list[ChoiceRow]


def set_options(add: Add) -> None:
    _version(add)
    add(
        "--false-alarm-rate",
        type=number,
        metavar="R",
        help="share of held-out normal images that may lie above the threshold",
    )
    add("--f1", action="store_true", help="find the largest F1 on the images of --images")
    add(
        "--cost",
        type=number,
        metavar="C",
        help="find the lowest cost there, where a missed defect costs C false alarms",
    )
    add(
        "--value",
        type=number,
        metavar="V",
        help="set it by hand: 0 is the median of normal images, 1 the threshold as built",
    )
    add(
        "--images",
        metavar="LIST",
        help="list of images, such as demo/test, which are scored first (default: the test split)",
    )
    who_option(add)


def set_threshold(options: argparse.Namespace) -> Chosen:
    """Set the threshold of a version by false-alarm rate, by F1, by cost or by hand."""
    from exdd_core.review import Review
    from exdd_core.review.thresholds import Wanted

    workspace = open_workspace(options)
    bank = workspace.bank(options.version)
    images = options.images or f"{bank.dataset}/test"
    ways = [
        Wanted("rate", rate=options.false_alarm_rate) if options.false_alarm_rate is not None else None,
        Wanted("f1", images=images) if options.f1 else None,
        Wanted("cost", images=images, miss=options.cost) if options.cost is not None else None,
        Wanted("hand", value=options.value) if options.value is not None else None,
    ]
    wanted = [way for way in ways if way is not None]
    if len(wanted) != 1:
        raise BadInput("Specify exactly one of --false-alarm-rate R, --f1, --cost C and --value V.")
    if options.images and not wanted[0].images:
        raise BadInput("--images requires --f1 or --cost; no other way looks at images of a list.")
    review = Review(workspace)
    if wanted[0].images:  # those that Inspect has scored already keep their results
        for reason in review.score(review.images(images), progress(), bank.id):
            say(f"Left out: {reason}")
    choice, said = review.choose_threshold(wanted[0], options.who, bank.id)
    return _told(workspace, bank.id, choice, said, options)


def list_thresholds(options: argparse.Namespace) -> Listed:
    """List the thresholds chosen for a version, by whom and when, newest first."""
    from exdd_core.workspace import thresholds

    workspace = open_workspace(options)
    bank = workspace.bank(options.version)
    choices = thresholds.listed(workspace, bank.id)
    value = thresholds.factor(workspace, bank.id)
    if not options.json:
        print(f"{bank.name}: threshold {value:.2f} (1 is the one it was built with)")
        for one in choices:
            back = f", undone by {one.undone_by}" if one.undone else ""
            print(f"  {one.created[:19]} {one.value:.2f} by {one.who}: {one.said}{back}")
    return {"bank": bank.id, "name": bank.name, "value": value, "choices": [_row(one) for one in choices]}


def undo_options(add: Add) -> None:
    _version(add)
    who_option(add)


def undo_threshold(options: argparse.Namespace) -> Chosen:
    """Undo the last choice; the previous threshold applies again."""
    from exdd_core.review import Review

    workspace = open_workspace(options)
    bank = workspace.bank(options.version)
    choice, said = Review(workspace).undo_threshold(options.who, bank.id)
    return _told(workspace, bank.id, choice, said, options)


def _version(add: Add) -> None:
    add("version", nargs="?", metavar="VERSION", help="bank version, such as v3 (default: the active one)")


def _told(workspace: Workspace, bank: str, choice: Choice, said: str, options: argparse.Namespace) -> Chosen:
    name = workspace.bank(bank).name
    answer: Chosen = {"bank": bank, "name": name, "choice": _row(choice), "sentence": said}
    return print_result(said, answer, options)


def _row(choice: Choice) -> ChoiceRow:
    return {
        "value": choice.value,
        "way": choice.way,
        "said": choice.said,
        "who": choice.who,
        "created": choice.created,
        "undone": choice.undone,
        "undone_by": choice.undone_by,
    }


THRESHOLD = Group(
    "Manage the thresholds of bank versions",
    {
        "set": (set_threshold, set_options),
        "list": (list_thresholds, _version),
        "undo": (undo_threshold, undo_options),
    },
)
