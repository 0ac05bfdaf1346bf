"""The commands on data sets: datasets list, show, move, relabel, ..., delete.

Knows data sets by name and images by id or file. Does not know what a change does to rows or files.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import Add, Group, at_least, model_size, number, open_workspace, who_option
from exdd_core.cli.terminal import print_result, progress
from exdd_core.errors import BadInput
from exdd_core.sentences import count

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.cli import dataset_answers
    from exdd_core.workspace import DatasetInfo, Workspace
    from exdd_core.workspace.dataset_changes import Changed


def list_datasets(options: argparse.Namespace) -> dict[str, list[dataset_answers.DatasetRow]]:
    """List data sets with their images, state and layout."""
    workspace = open_workspace(options)
    active = workspace.setting("active_dataset")
    rows: list[dataset_answers.DatasetRow] = [
        {**_summary(info), "active": info.name == active} for info in workspace.datasets()
    ]
    if not options.json:
        width = max(20, *(len(row["called"]) for row in rows), 0)
        print(f"{'data set':<{width}} {'normal':>7} {'defect':>7} {'state':>6}  {'imported':<20} layout")
        for row in rows:
            counts = [sum(side[label] for side in row["counts"].values()) for label in ("normal", "defect")]
            mark = ", active" if row["active"] else ""
            print(
                f"{row['called']:<{width}} {counts[0]:>7} {counts[1]:>7} {row['state']:>6}  "
                f"{row['created'][:19]:<20} {row['title']}{mark}"
            )
    return {"datasets": rows}


def _summary(info: DatasetInfo) -> dataset_answers.Summary:
    return {
        "dataset": info.name,
        "called": info.called,
        "layout": info.layout,
        "title": info.title,
        "size": str(info.size),
        "created": info.created,
        "counts": info.counts,
        "state": info.state,
        "depth": str(info.depth) if info.depth else None,
        "mask_rule": info.mask_rule,
        "roi": info.roi,
        "healthy": info.report["healthy"],
    }


def one_or_active(add: Add) -> None:
    add("name", nargs="?", metavar="NAME", help="name of the data set (default: the active one)")


def show_dataset(options: argparse.Namespace) -> dataset_answers.DatasetShown:
    """Show a data set: its report, its settings, what it was used for, and all its changes."""
    from exdd_core.workspace import dataset_changes, dataset_uses

    workspace = open_workspace(options)
    info = workspace.dataset(options.name)
    changes = dataset_changes.changes(workspace, info.name)
    used = dataset_uses.uses(workspace, info.name)
    if not options.json:
        print(f'"{info.called}", state {info.state}: {info.title}, built at {info.size}.')
        print("\n".join(info.report["sentences"]))
        print(f"Used by: {used.sentence or 'nothing yet'}.")
        for change in changes:
            undone = " (undone)" if change.undone else ""
            print(f"{change.state:>5}  {change.created[:19]}  {change.who:<12} {change.sentence}{undone}")
    return {
        **_summary(info),
        "used_by": used,
        "changes": changes,
        "report": info.report,
    }


def _of_images(options: argparse.Namespace, change: Callable[[Workspace, list[str]], Changed]) -> Changed:
    return _changed(change(open_workspace(options), options.images), options)


def _changed(changed: Changed, options: argparse.Namespace) -> Changed:
    return print_result(changed.sentence, changed, options)


def images_options(add: Add) -> None:
    add("images", nargs="+", metavar="IMAGE", help="image ids or files")
    who_option(add)


def move_options(add: Add) -> None:
    images_options(add)
    add("--split", required=True, choices=("train", "test"), help="side of the split to move them to")


def move(options: argparse.Namespace) -> Changed:
    """Move images to a side of the split, each together with all images of its part."""
    from exdd_core.workspace import dataset_changes

    return _of_images(
        options,
        lambda workspace, names: dataset_changes.move(
            workspace, names, options.split, options.who, progress()
        ),
    )


def relabel_options(add: Add) -> None:
    images_options(add)
    add("--label", required=True, choices=("normal", "defect"), help="what the images show")
    add("--type", default="", metavar="TYPE", help="defect type")
    add(
        "--mask",
        type=Path,
        metavar="FILE",
        help="for a single image: mask of the same size, white on the defect",
    )


def relabel(options: argparse.Namespace) -> Changed:
    """Label images as normal or defective, or give a defective image its mask."""
    from exdd_core.datasets import incoming
    from exdd_core.workspace import dataset_changes

    def change(workspace: Workspace, names: list[str]) -> Changed:
        mask = None
        if options.mask:
            ids = dataset_changes.named(workspace, names)[1]
            row = workspace.image(ids[0])
            mask = incoming.take_mask(options.mask, (row.height, row.width), image=row.path)
        return dataset_changes.relabel(
            workspace, names, options.label, options.who, options.type, mask, progress()
        )

    return _of_images(options, change)


def retire(options: argparse.Namespace) -> Changed:
    """Retire images, so that they no longer count in any bank or figure."""
    from exdd_core.workspace import dataset_changes

    return _of_images(
        options,
        lambda workspace, names: dataset_changes.retire(workspace, names, options.who, progress()),
    )


def restore(options: argparse.Namespace) -> Changed:
    """Restore retired images, so that they count again."""
    from exdd_core.workspace import dataset_changes

    return _of_images(
        options,
        lambda workspace, names: dataset_changes.restore(workspace, names, options.who, progress()),
    )


def undo_options(add: Add) -> None:
    one_or_active(add)
    who_option(add)


def undo(options: argparse.Namespace) -> Changed:
    """Undo the last change to a data set."""
    from exdd_core.workspace import dataset_changes

    return _changed(dataset_changes.undo(open_workspace(options), options.name, options.who), options)


def rename_options(add: Add) -> None:
    add("name", metavar="OLD", help="current name of the data set")
    add("new", metavar="NEW", help="new name of the data set")
    who_option(add)


def rename(options: argparse.Namespace) -> Changed:
    """Rename a data set; the old name also remains valid."""
    from exdd_core.workspace import dataset_settings

    changed = dataset_settings.rename(open_workspace(options), options.name, options.new, options.who)
    return _changed(changed, options)


def rename_type_options(add: Add) -> None:
    add("name", metavar="NAME", help="name of the data set")
    add("old", metavar="OLD", help="defect type of some of its images")
    add("new", metavar="NEW", help="new name of the defect type")
    who_option(add)


def rename_type(options: argparse.Namespace) -> Changed:
    """Rename a defect type on all images of a data set; datasets undo reverts this."""
    from exdd_core.workspace import dataset_settings

    workspace = open_workspace(options)
    changed = dataset_settings.rename_type(workspace, options.name, options.old, options.new, options.who)
    return _changed(changed, options)


def set_options(add: Add) -> None:
    add("name", metavar="NAME", help="name of the data set")
    add(
        "--depth",
        metavar="BITS",
        help="depth: 8, 10, 12, 14, 16, or the values of black and white, such as 100-3000",
    )
    add(
        "--masks",
        metavar="RULE",
        help="mask values that mean defect: labels or above:N, optionally followed by inverted",
    )
    add("--size", metavar="WxH", help="size that banks are built at, width x height")
    add("--keep-aspect", action="store_true", help="letterbox images into --size instead of stretching them")
    add(
        "--mm-per-pixel",
        type=number,
        metavar="MM",
        help="side of a pixel in mm, for areas in mm²; 0 if unknown; datasets undo does not change it",
    )
    who_option(add)


def set_choices(options: argparse.Namespace) -> Changed:
    """Change how a data set's images and masks are read, or the size that banks are built at."""
    from exdd_core.depth import Depth
    from exdd_core.mask_rules import MaskRule
    from exdd_core.workspace import dataset_changes, dataset_settings, scales

    millimetres = options.mm_per_pixel
    depth = Depth.parse(options.depth) if options.depth else None
    masks = MaskRule.parse(options.masks) if options.masks else None
    size = model_size(options)
    if not (depth or masks or size or millimetres is not None):
        raise BadInput("Specify what to set: --depth, --masks, --size or --mm-per-pixel.")
    workspace, said = open_workspace(options), ""
    if millimetres is not None:
        said = scales.set_scale(workspace, options.name, millimetres)
        if not (depth or masks or size):
            info = workspace.dataset(options.name)
            return _changed(dataset_changes.Changed(info.name, info.state, [], said), options)
    changed = dataset_settings.set_choices(
        workspace, options.name, options.who, depth, masks, size, progress()
    )
    return _changed(replace(changed, sentence=f"{said} {changed.sentence}".strip()), options)


def roi_options(add: Add) -> None:
    add("name", metavar="NAME", help="name of the data set")
    add(
        "--file",
        type=Path,
        metavar="MASK",
        help="mask of the same size as most images, white where something counts",
    )
    add("--threshold", type=at_least(0), metavar="N", help="count what is brighter than N in normal images")
    add("--clear", action="store_true", help="count the whole image again")
    who_option(add)


def region_of_interest(options: argparse.Namespace) -> dataset_answers.RegionSet:
    """Set the region of interest of a data set; nothing counts outside it."""
    from exdd_core.images import take_mask
    from exdd_core.workspace import dataset_settings
    from exdd_core.workspace.dataset_settings import set_region

    if sum((options.file is not None, options.threshold is not None, options.clear)) != 1:
        raise BadInput("Specify exactly one of --file MASK, --threshold N and --clear.")
    workspace = open_workspace(options)
    mask = take_mask(options.file, None) if options.file else None
    if options.threshold is not None:
        mask = dataset_settings.region_by_threshold(workspace, options.name, options.threshold)
    info = set_region(workspace, options.name, mask, options.who)
    share = None if mask is None else float(mask.mean())
    said = "the whole image" if share is None else f"{share:.0%} of the image"
    answer: dataset_answers.RegionSet = {
        "dataset": info.name,
        "state": info.state,
        "roi": info.roi,
        "share": share,
        "sentence": f"The region of interest is now {said}.",
    }
    return print_result(answer["sentence"], answer, options)


def join_options(add: Add) -> None:
    add("new", metavar="NEW", help="name of the new data set")
    add("names", nargs="+", metavar="NAME", help="data sets to join")


def join(options: argparse.Namespace) -> dataset_answers.DatasetJoined:
    """Join several data sets, such as products or cameras, for a single bank of all of them."""
    from exdd_core.workspace import merging

    info = merging.join_datasets(open_workspace(options), options.new, options.names, progress())
    images = count(info.report["images"], "image")
    said = f'Created "{info.name}" from {", ".join(options.names)}: {images}.'
    answer: dataset_answers.DatasetJoined = {
        **_summary(info),
        "report": info.report,
        "sentence": "\n".join([said, *info.report["sentences"]]),
    }
    return print_result(answer["sentence"], answer, options)


def delete_options(add: Add) -> None:
    add("name", metavar="NAME", help="name of the data set")
    add(
        "--yes",
        action="store_true",
        help="delete it and everything created from it; this cannot be undone",
    )


def delete(options: argparse.Namespace) -> dataset_answers.DatasetDeleted:
    """Delete a data set with its bank versions, measurements, candidates and decisions."""
    from exdd_core.workspace import dataset_uses

    workspace = open_workspace(options)
    info = workspace.dataset(options.name)
    used = dataset_uses.uses(workspace, info.name)
    if not options.yes:
        also = f" and {used.sentence} that used it" if used.sentence else ""
        images = count(info.report["images"], "image")
        raise BadInput(
            f'This would permanently delete "{info.called}" with its {images}{also}; add --yes to confirm.'
        )
    said = dataset_uses.delete(workspace, info.name)
    answer: dataset_answers.DatasetDeleted = {"dataset": info.name, "deleted": used, "sentence": said}
    return print_result(said, answer, options)


DATASETS = Group(
    "Manage data sets",
    {
        "list": (list_datasets, None),
        "show": (show_dataset, one_or_active),
        "move": (move, move_options),
        "relabel": (relabel, relabel_options),
        "retire": (retire, images_options),
        "restore": (restore, images_options),
        "undo": (undo, undo_options),
        "rename": (rename, rename_options),
        "rename-type": (rename_type, rename_type_options),
        "set": (set_choices, set_options),
        "roi": (region_of_interest, roi_options),
        "join": (join, join_options),
        "delete": (delete, delete_options),
    },
)
