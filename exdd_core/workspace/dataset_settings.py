"""Changes the settings of a data set: its name, bit depth, rule for masks, size and region of interest.

Each is a change that makes a new state, so earlier states stay readable. Knows the imported files of masks and the
files in a data set's folder. Does not know banks.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import datasets, images
from exdd_core.datasets.survey import Survey
from exdd_core.datasets.tree import Tree
from exdd_core.depth import Depth, guess
from exdd_core.errors import BadInput
from exdd_core.images import Size, encode_png
from exdd_core.mask_rules import USUAL, MaskRule
from exdd_core.progress import Progress
from exdd_core.sentences import count, percent
from exdd_core.workspace import dataset_reports, dataset_states, imports, names
from exdd_core.workspace.columns import ImageColumns
from exdd_core.workspace.dataset_changes import Changed, Draft, changed, changing, require_own_name

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.rows import DatasetInfo

# For a region by threshold: the largest and smallest number of normal images, and the pixels that limit the number.
PICTURES, LEAST_PICTURES, MOST_PIXELS = 32, 5, 64_000_000
BAND = 64  # rows of pixels whose median is computed at a time


def called(workspace: Workspace) -> dict[str, str]:
    """The name for people of every data set, by the one that ids and folders have."""
    with workspace.reading() as db:
        return dict(db.execute("select name, coalesce(called, name) from datasets").fetchall())


def rename(workspace: Workspace, dataset: str, new: str, who: str) -> Changed:
    """Give a data set another name for people. The old one stays in ids and folders, and both are accepted."""
    new = imports.dataset_name(Path(new), new)
    with changing(workspace, dataset, "rename", who, Progress()) as draft:
        name, old = draft.info["name"], draft.info["called"] or draft.info["name"]
        with workspace.reading() as db:
            require_own_name(db, name, new)
        if new != old:
            draft.settings = {"called": None if new == name else new}
        draft.renews_report, draft.sentence = False, f'"{old}" is now named "{new}".'
    return changed(draft)


def rename_type(workspace: Workspace, dataset: str | None, old: str, new: str, who: str) -> Changed:
    """Rename a type of defect on all images of a data set; if another type has the name already, the two are merged.

    Candidates keep the type that they were painted as, and banks theirs until a rebuild. Raises `BadInput`.
    """
    if not (kind := names.checked(new)):
        raise BadInput("A defect type needs a name; enter one.")
    with changing(workspace, dataset, "rename type", who, Progress()) as draft:
        name, types = draft.info["name"], {row["defect_type"] for row in draft.rows.values()} - {""}
        if old not in types:
            known = ", ".join(sorted(types)) or "none"
            raise BadInput(f'No image of {name} has the defect type "{old}"; its types: {known}.')
        of_type = [id for id, row in draft.rows.items() if row["defect_type"] == old and old != kind]
        draft.images = {id: {"defect_type": kind} for id in of_type}
        with workspace.reading() as db:
            asked = "select count(*) from candidates where dataset = ? and defect_type = ? and status <> 'deleted'"
            painted = int(db.execute(asked, [name, old]).fetchone()[0])
        keep = "keeps it" if painted == 1 else "keep it"
        stays = f" {count(painted, 'candidate')} of the old type {keep}." if painted else ""
        joins = ", joining images that already had that type" if kind in types else ""
        draft.sentence = f'Renamed "{old}" to "{kind}" on {count(len(of_type), "image")}{joins}.{stays}'
    return changed(draft)


def set_choices(
    workspace: Workspace,
    dataset: str | None,
    who: str,
    depth: Depth | None = None,
    masks: MaskRule | None = None,
    size: Size | None = None,
    progress: Progress | None = None,
) -> Changed:
    """Change the bit depth, the rule for masks or the size that banks are built at; None keeps one.

    Masks are written again from their imported files; drawn masks, masks from outlines, and labels stay. Raises
    `BadInput`.
    """
    progress = progress or Progress()
    with changing(workspace, dataset, "set", who, progress) as draft:
        said = []
        if size is not None and size != dataset_reports.size_of(draft.info):
            draft.settings.update(imports.size_row(size))
            said.append(f"Banks are now built at {size}.")
        if depth is not None and str(depth) != draft.info["depth"]:
            _require_deep(draft)
            draft.settings["depth"] = str(depth)
            said.append(f"Images of more than 8 bits are now read with {depth.title}.")
        if masks is not None and str(masks) != draft.info["mask_rule"]:
            draft.settings["mask_rule"] = str(masks)
            said.append(_masks_anew(draft, masks, progress))
        draft.sentence = " ".join(said) or "the data set already has these settings."
    return changed(draft)


def settled(
    workspace: Workspace, dataset: str | None, state: int | None, progress: Progress
) -> tuple[DatasetInfo, str]:
    """A data set in a state (None: the current one), and a sentence if this call guessed its bit depth, else "".

    Old versions of the program stored no depths and scaled each image by its own brightest values. The first build
    from such a data set guesses one depth for all images and stores it, which is a change like any other.
    """
    info = workspace.dataset(dataset, state)
    # One with a rule for masks was imported by a program that stores depths.
    if state is not None or info.depth is not None or info.mask_rule:
        return info, ""
    paths = [row.path for row in workspace.images(info.name) if images.header(row.path).deep]
    depth = guess(values for path in paths if (values := images.read_deep(path)) is not None)
    if depth is None:
        return info, ""
    set_choices(workspace, info.name, "", depth, progress=progress)
    said = (
        f"Images of {info.called}, for which no bit depth was stored, are now read with {depth.title}, "
        f"estimated from all of them; to change this, use datasets set {info.name} --depth."
    )
    return workspace.dataset(info.name), said


def _require_deep(draft: Draft) -> None:
    files = (draft.folder / row["path"] for row in draft.rows.values())
    if not any(images.header(file).deep for file in files):
        raise BadInput(
            "No image has more than 8 bits per channel, so a bit depth changes nothing; leave it out."
        )


def _masks_anew(draft: Draft, rule: MaskRule, progress: Progress) -> str:
    """Write masks by another rule into the draft; returns a sentence on the result."""
    found = Survey(Tree(draft.folder), [], [], [], [], rule, None)
    written = empty = 0
    progress.begin("Writing masks", len(draft.rows))
    for id, row in draft.rows.items():
        progress.advance()
        files = dataset_reports.mask_files(row)
        drawn = row["mask"] and row["mask"].startswith(f"{imports.WRITTEN}/") and not row["originals"]
        usual = not row["originals"] and (rule.above, rule.inverted) == (USUAL, False)
        if row["label"] != datasets.DEFECT or not files or drawn or usual:
            continue
        record = replace(dataset_reports.record_of(row), mask=files[0], more_masks=tuple(files[1:]))
        new: ImageColumns = {"mask": None, "originals": json.dumps(files)}
        try:
            mask = found.mask_of(record)
            assert mask is not None
            new["mask"] = imports.write_mask(draft.new, draft.masks, row["path"], mask)
            written, empty = written + 1, empty + (not mask.any())
        except BadInput as error:
            draft.unusable[row["path"]] = str(error)
        draft.images[id] = new
    nothing = f", {empty} of which {'marks' if empty == 1 else 'mark'} nothing" if empty else ""
    return f"{rule.sentence} {count(written, 'mask was', 'masks were')} written again{nothing}; labels stay the same."


def set_region(
    workspace: Workspace,
    dataset: str | None,
    mask: np.ndarray | None,
    who: str = "",
) -> DatasetInfo:
    """Set the region of interest, bool (H, W), of the most common image size; None removes it. Raises `BadInput`."""
    with changing(workspace, dataset, "roi", who, Progress()) as draft:
        draft.renews_report = False
        if mask is None:
            draft.settings = {"roi": None} if draft.info["roi"] else {}
            draft.sentence = "The region of interest is the whole image."
        else:
            _require_region(workspace, draft.info["name"], mask)
            name = f"roi-{dataset_states.current(draft.info) + 1}.png"
            (draft.new / name).write_bytes(encode_png(mask))
            draft.settings = {"roi": name}
            draft.sentence = f"The region of interest is now {percent(mask.mean())} of an image."
    changed(draft)
    return workspace.dataset(draft.info["name"])


def _require_region(workspace: Workspace, dataset: str, mask: np.ndarray) -> None:
    width, height = workspace.dataset(dataset).commonest_size
    if mask.dtype != bool or mask.shape != (height, width):
        raise BadInput(
            f"The region is {mask.shape[1]} x {mask.shape[0]} pixels, but most images are {width} x "
            f"{height}; use a region of that size."
        )
    if not mask.any():
        raise BadInput("The region marks nothing; draw the area to inspect in white.")
    if mask.all():
        raise BadInput("The region marks the whole image; leave something out or clear it.")


def region_by_threshold(workspace: Workspace, dataset: str | None, threshold: int) -> np.ndarray:
    """A region by threshold, bool (H, W): where the median of normal images is brighter than a grey value."""
    return usual_brightness(workspace, dataset) > threshold


def usual_brightness(workspace: Workspace, dataset: str | None) -> np.ndarray:
    """The median of normal images of the most common size, in grey values from 0 to 255: float32 (H, W)."""
    info = workspace.dataset(dataset)
    size = info.commonest_size
    rows = [row for row in workspace.images(info.name, label="normal") if (row.width, row.height) == size]
    if not rows:
        raise BadInput("No normal image has the most common size; use a region from a file.")
    rows = rows[: min(PICTURES, max(LEAST_PICTURES, MOST_PIXELS // (size[0] * size[1])))]
    # The sums of three channels: dividing them only after the median keeps fractions.
    sums = np.empty((len(rows), size[1], size[0]), np.uint16)
    for number, row in enumerate(rows):
        sums[number] = images.read_image(row.path, row.id, row.depth).sum(axis=2, dtype=np.uint16)
    result = np.empty(sums.shape[1:], np.float32)
    for top in range(0, len(result), BAND):
        result[top : top + BAND] = np.median(sums[:, top : top + BAND], axis=0) / 3
    return result
