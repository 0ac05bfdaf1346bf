"""The commands for marks on misjudged images: mark missed, mark false-alarm.

Knows how to print what a mark changed. Does not know what a decision does to a bank.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from exdd_core.cli.arguments import Add, Group, open_workspace, who_option
from exdd_core.cli.terminal import print_result
from exdd_core.errors import BadInput

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    import numpy as np

    from exdd_core.cli import answers
    from exdd_core.curation import Decided
    from exdd_core.detector.inspection import Inspection
    from exdd_core.workspace import Workspace

    # Marks one image: the workspace, the image's id and file, and a mask, bool (H, W).
    Mark: TypeAlias = Callable[[Workspace, str, Path, np.ndarray | None], Decided]


def missed_options(add: Add) -> None:
    add("image", metavar="IMAGE", help="image id or file")
    add(
        "--mask",
        type=Path,
        required=True,
        metavar="FILE",
        help="mask of the same size as the image, white on the defect",
    )
    add("--type", default="", metavar="TYPE", help="defect type")
    who_option(add)


def mark_missed(options: argparse.Namespace) -> answers.Marked:
    """Teach the active version a defect that it missed; its patches go into the positive bank."""
    from exdd_core import curation

    def mark(workspace: Workspace, id: str, path: Path, mask: np.ndarray | None) -> Decided:
        assert mask is not None  # --mask is required
        return curation.mark_missed(workspace, id, path, mask, options.who, options.type)

    return _marked(mark, options, check=True)


def false_alarm_options(add: Add) -> None:
    add("image", metavar="IMAGE", help="image id or file")
    add(
        "--mask",
        type=Path,
        metavar="FILE",
        help="mask of the same size as the image, white where it is normal (default: what lies above the threshold)",
    )
    who_option(add)


def mark_false_alarm(options: argparse.Namespace) -> answers.Marked:
    """Teach the active version that an alarm was false; its patches go into the negative bank."""
    from exdd_core import curation

    def mark(workspace: Workspace, id: str, path: Path, mask: np.ndarray | None) -> Decided:
        return curation.mark_false_alarm(workspace, id, path, options.who, mask)

    return _marked(mark, options)


def _marked(mark: Mark, options: argparse.Namespace, check: bool = False) -> answers.Marked:
    """Run `mark`, and return the image's score before and after it. check: whether the mask must mark a defect."""
    from exdd_core import curation
    from exdd_core.datasets import incoming
    from exdd_core.images import probe
    from exdd_core.review import Review, score_change
    from exdd_core.workspace import decisions

    workspace = open_workspace(options)
    id, path = _image_named(workspace, options.image)
    if reason := Review(workspace).why_not(id):
        raise BadInput(reason)
    mask = None
    if options.mask:
        shape = probe(path)[::-1]
        mask = incoming.take_mask(options.mask, shape, image=path)
        if check:
            curation.check_missed(mask, shape)
    before = _seen(workspace, id, path)
    decided = mark(workspace, id, path, mask)
    after = _seen(workspace, id, path)
    number = decisions.history(workspace, id, limit=1)[0].id
    said = f"{decided.sentence} {score_change(before, after)}. Undo this with: candidates undo {number}"
    answer: answers.Marked = {
        "ids": decided.ids,
        "left_out": decided.left_out,
        "bank": decided.bank,
        "rows": decided.rows,
        "sentence": said,
        "before": before.calibrated_score,
        "after": after.calibrated_score,
        "verdict": after.verdict,
        "decision": number,
    }
    return print_result(said, answer, options)


def _seen(workspace: Workspace, id: str, path: Path) -> Inspection:
    """The active version's inspection of an image."""
    from exdd_core.banks import teachers
    from exdd_core.banks.detectors import load_detector

    detector = load_detector(workspace)
    return detector.score([teachers.pixels_of(workspace, id, path, detector)])[0]


def _image_named(workspace: Workspace, name: str) -> tuple[str, Path]:
    """The id and file of an image: an image of a data set by its id or file, or any other file."""
    path = Path(name).expanduser().resolve()
    for info in workspace.datasets():
        for row in workspace.images(info.name):
            if name == row.id or path == row.path:
                return row.id, row.path
    if not path.is_file():
        raise BadInput(f"{name} is neither an image id nor a file; check the spelling.")
    return f"file:{path}#{path.stat().st_mtime_ns}", path


MARK = Group(
    "Mark images that the active version misjudged",
    {"missed": (mark_missed, missed_options), "false-alarm": (mark_false_alarm, false_alarm_options)},
)
