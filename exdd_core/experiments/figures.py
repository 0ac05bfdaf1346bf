"""Figure 2 of the paper on one's own images: image, ground truth, and the anomaly map of each method.

Knows stored runs, bank versions and drawing. Does not know pages.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from exdd_core import drawing, files, images
from exdd_core.banks.detectors import load_detector
from exdd_core.detector import reduced_map
from exdd_core.errors import BadInput
from exdd_core.experiments import names, run_differences
from exdd_core.experiments.curves import labels_of
from exdd_core.progress import Progress
from exdd_core.workspace import runs
from exdd_core.workspace.runs import Run

if TYPE_CHECKING:
    from exdd_core.detector import Detector
    from exdd_core.workspace import ImageRow, Workspace

GALLERY = 60  # images of each class and method that a report holds, for when its threshold is dragged
THUMBNAIL, PANE = 160, 260  # pixels of the longer side


def galleries_of(run: Run) -> dict[str, list[str]]:
    """{method: ids of the defects with the lowest and the normal images with the highest scores}.

    These are the images whose verdict changes first when the threshold is dragged.
    """
    ids, labels = run.result["per_image"]["id"], run.result["per_image"]["label"]
    made = {}
    for name, scores in run.result["calibrated"].items():
        every = sorted(zip(scores, ids, labels, strict=True))
        low = [id for _, id, label in every if label == "defect"]
        high = [id for _, id, label in reversed(every) if label == "normal"]
        made[name] = [*low[:GALLERY], *high[:GALLERY]]
    return made


def thumbnails(
    workspace: Workspace, ids: Sequence[str], progress: Progress, state: int | None
) -> dict[str, str]:
    """{image id: data URI of a small JPEG with the defect outlined}; images that are gone are left out.

    state: of the data set, which says what mask an image had; None: the present one.
    """
    made = {}
    progress.begin("Creating thumbnails", len(ids))
    for id in ids:
        progress.advance()
        try:
            row = workspace.image(id, state)
            picture = _with_truth(row, THUMBNAIL)
        except BadInput:
            continue
        made[id] = "data:image/jpeg;base64," + base64.b64encode(images.encode_jpeg(picture)).decode()
    return made


def _with_truth(row: ImageRow, longest: int) -> np.ndarray:
    image = images.read_image(row.path, row.id, row.depth)
    small = drawing.reduce(image, longest)
    if row.mask is None:
        return small
    lines = drawing.outline(images.read_mask(row.mask, image.shape[:2]))
    return drawing.outlined(small, lines, small.shape[1] / image.shape[1])


def disagreements(run: Run, count: int) -> list[str]:
    """The ids of the `count` images on which the calibrated scores of the methods differ most.

    The first image of every physical part comes before all second ones, because images of one part resemble
    each other. Scores are clipped to the range of the colour scale. Raises BadInput for a run without scores
    of images.
    """
    labels_of(run)
    scores = np.clip(np.array(list(run.result["calibrated"].values())), *drawing.CALIBRATED)
    order = np.argsort(-np.ptp(scores, axis=0), kind="stable")
    _, first = np.unique(np.array(run.result["per_image"]["group"])[order], return_index=True)
    chosen = [*order[np.sort(first)], *np.delete(order, first)]
    return [run.result["per_image"]["id"][i] for i in chosen[:count]]


def figure_two(
    workspace: Workspace,
    run: Run,
    ids: Sequence[str] = (),
    count: int = 4,
    progress: Progress | None = None,
) -> np.ndarray:
    """Draw a row for each image: the image, its ground truth and the heatmap of each method.

    ids: of images; without any, the `count` images of `disagreements`. Returns one sheet, uint8 (H, W, 3).
    All heatmaps share one scale: 0 is the median of normal images and 1 the threshold. Raises BadInput for a
    run that names no bank version.
    """
    banks, progress = runs.banks_of(run), progress or Progress()
    if not banks:
        raise BadInput(
            f'"{run.title}" does not name a bank version; create the figure from Table 1 or from a test split.'
        )
    changes = run_differences.changes_of(run)
    detectors = {name: load_detector(workspace, bank, changes.get(name)) for name, bank in banks.items()}
    if fusion := run.spec.get("fusion"):
        detectors = {name: judge.with_fusion(fusion) for name, judge in detectors.items()}
    detectors = {"patchcore": next(iter(detectors.values())).patchcore(), **detectors}
    sheet_rows = []
    chosen = ids or disagreements(run, count)
    progress.begin("Drawing rows", len(chosen))
    for id in chosen:
        sheet_rows.append(_row(workspace.image(id, run.spec.get("state")), list(detectors.values())))
        progress.advance()
    return _sheet(["Image", "Truth", *map(names.short_title, detectors)], sheet_rows)


def _row(row: ImageRow, detectors: Sequence[Detector]) -> list[tuple[np.ndarray, str]]:
    """The panes of one image, uint8 (h, w, 3) each, with their captions."""
    image = images.read_image(row.path, row.id, row.depth)
    small = drawing.reduce(image, PANE)
    truth = np.zeros(image.shape[:2], bool)
    if row.mask is not None:
        truth = images.read_mask(row.mask, image.shape[:2])
    drawn = Image.fromarray(np.where(truth, 255, 0).astype(np.uint8)).resize(small.shape[1::-1])
    panes = [(small, row.id.partition("/")[2]), (np.repeat(np.asarray(drawn)[..., None], 3, 2), row.label)]
    for detector in detectors:
        found = detector.score([row.path])[0]
        heat = drawing.heatmap(reduced_map.small_map(found, max(small.shape[:2])))
        picture = np.asarray(Image.fromarray(heat[..., :3]).resize(small.shape[1::-1]))
        panes.append((picture, f"{found.calibrated_score:.2f} {found.verdict}"))
    return panes


def _sheet(titles: Sequence[str], rows: Sequence[list[tuple[np.ndarray, str]]]) -> np.ndarray:
    """All rows under the titles of their columns, with the colour scale below: uint8 (H, W, 3)."""
    gap, top, under, scale = 8, 28, 22, 32
    width = max(max(pane.shape[1] for panes in rows for pane, _ in panes), 120)
    heights = [panes[0][0].shape[0] + under for panes in rows]
    grey, small = "#60646c", drawing.font(11)
    meaning = "0 median of normal images, 1 (middle) threshold, 2 and above"
    least = gap + 264 + round(small.getlength(meaning)) + gap
    size = (max(least, gap + len(titles) * (width + gap)), top + sum(heights) + gap * len(rows) + scale)
    sheet = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(sheet)
    for column, words in enumerate(titles):
        head, face = drawing.shortened(words, 14, width)
        draw.text((gap + column * (width + gap), 6), head, fill="black", font=face)
    y = top
    for panes, height in zip(rows, heights, strict=True):
        for column, (pane, words) in enumerate(panes):
            x = gap + column * (width + gap)
            sheet.paste(Image.fromarray(pane), (x, y))
            under_it, face = drawing.shortened(words, 11, width, keeps_end=True)  # names differ at their ends
            draw.text((x, y + height - under + 4), under_it, fill=grey, font=face)
        y += height + gap
    bar = Image.fromarray(np.rot90(drawing.colour_scale(256), -1)).resize((256, 10))
    sheet.paste(bar, (gap, y + 4))
    draw.text((gap + 264, y + 2), meaning, fill=grey, font=small)
    return np.asarray(sheet)


def write_figure(sheet: np.ndarray, path: Path) -> None:
    """Write a sheet as PNG or PDF, by the ending of the name. Raises BadInput for another ending."""
    kind = {".png": "PNG", ".pdf": "PDF"}.get(path.suffix.lower())
    if kind is None:
        raise BadInput(f"{path.name} is neither a .png nor a .pdf file; use one of these.")
    with files.whole(path) as place:
        Image.fromarray(sheet).save(place, format=kind, resolution=150.0)
