"""Exports a data set as MVTec AD or COCO: images, masks, accepted painted defects and marks, and a manifest.

    manifest.csv    a row for each image: label, split, type, mask, part, and whether it is real, painted or marked
    groups.csv      path and group, as `import --groups csv:FILE` reads it
    region.json     the region of interest as COCO's run lengths, where the data set has one

Images are copied byte for byte; masks are written again, white on black. Knows a workspace's rows, candidates, marks
and files. Does not know pages or commands; `export_layouts` knows the paths of a layout.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np
from PIL import ExifTags, Image

from exdd_core import datasets, images, tables
from exdd_core.datasets.record import DEFECT, NORMAL
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.sentences import count, counted
from exdd_core.workspace import candidates, dataset_states, decisions, drawn_masks, scales
from exdd_core.workspace.export_layouts import (
    SPLITS,
    CocoWriter,
    Item,
    Place,
    box,
    coco_places,
    mvtec_places,
    run_lengths,
)
from exdd_core.workspace.export_target import Put, free_place, whole_target

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.decisions import Decision
    from exdd_core.workspace.rows import DatasetInfo, ImageRow

LAYOUTS = {"mvtec": "MVTec AD", "coco": "COCO"}
COLUMNS = (
    "path", "label", "split", "defect_type", "mask", "group", "origin", "engine", "engine_version", "prompt",
    "seed", "source", "depth", "dataset", "state", "region", "note",
)  # fmt: skip
BACK = {6: 8, 8: 6}  # EXIF orientations and their inverses; all others are their own


class Written(TypedDict):
    """Facts on the files of an export. without_mask: paths of defective images without a mask. turned: paths of images
    that EXIF turns. renamed_types: type of defect -> its spelling."""

    without_mask: list[str]
    turned: list[str]
    renamed_types: dict[str, str]


class Exported(Written):
    """An export, ready for JSON: its path, counts of images and masks, and sentences for people."""

    dataset: str
    layout: str
    path: str
    images: int
    normal: int
    defect: int
    masks: int
    painted: int
    marked: int
    sentences: list[str]


def export(
    workspace: Workspace,
    dataset: str | None,
    layout: str,
    target: Path | str,
    painted: bool = True,
    marks: bool = True,
    progress: Progress | None = None,
) -> Exported:
    """Write a data set (None: the active one) to `target`, a new folder or .zip, completely or not at all.

    layout: a key of `LAYOUTS`. painted: include accepted candidates. marks: include missed defects and false alarms
    that people marked. Raises `BadInput`.
    """
    progress, info, target = progress or Progress(), workspace.dataset(dataset), Path(target)
    if layout not in LAYOUTS:
        raise BadInput(f'"{layout}" is not an export layout; choose {" or ".join(LAYOUTS)}.')
    target = _outside(workspace, free_place(target))
    items = gathered(workspace, info, painted, marks)
    if layout == "mvtec" and not any(item.label == NORMAL and item.split == "train" for item in items):
        raise BadInput(
            f'"{info.name}" has no normal images on its training side, which MVTec AD requires; export '
            "it as COCO."
        )
    places = mvtec_places(items) if layout == "mvtec" else coco_places(items)
    region = workspace.region(info.name)
    with whole_target(target, sum(item.file.stat().st_size for item in items)) as put:
        written = _write(put, items, places, info, layout, progress)
        if region is not None:
            put("region.json", json.dumps(run_lengths(region)).encode())
    return {
        "dataset": info.name,
        "layout": layout,
        "path": str(target),
        "images": len(items),
        "normal": sum(item.label == NORMAL for item in items),
        "defect": sum(item.label == DEFECT for item in items),
        "masks": sum(item.mask is not None for item in items),
        "painted": sum(item.about["origin"] == "painted" for item in items),
        "marked": sum(item.about["origin"] == "marked" for item in items),
        **written,
        "sentences": [
            *_sentences(info, items, places, layout, written),
            *_not_exported(workspace, info, layout),
        ],
    }


def _outside(workspace: Workspace, target: Path) -> Path:
    """The target. Raises `BadInput` for one among the workspace's own files."""
    place = target.resolve()
    if place.is_relative_to(workspace.path) and not place.is_relative_to(workspace.path / "cache"):
        raise BadInput(f"{target} is inside the workspace; choose a place outside it.")
    return target


def gathered(workspace: Workspace, info: DatasetInfo, painted: bool, marks: bool) -> list[Item]:
    """The images of a data set, then the accepted painted ones, then marked images outside data sets.

    A mark of a missed defect gives an image of the data set its mask and, if it is labelled normal, its label. The
    image stays in its split.
    """
    by_image = _marks(workspace, info.name) if marks else {}
    items = [_real(workspace, info, row, by_image.pop(row.id, [])) for row in workspace.images(info.name)]
    if painted:
        accepted = candidates.listed(workspace, info.name, status="accepted")
        items += [_painted(workspace, candidate) for candidate in reversed(accepted)]
    return items + [_marked(workspace, info, found) for found in by_image.values()]


def _marks(workspace: Workspace, dataset: str) -> dict[str, list[Decision]]:
    """Image -> its marks: at most one missed defect and one false alarm."""
    found: dict[str, list[Decision]] = {}
    for decision in decisions.in_force(workspace, "missed", "false_alarm", dataset=dataset):
        found.setdefault(decision.subject, []).append(decision)
    return found


def _real(workspace: Workspace, info: DatasetInfo, row: ImageRow, marks: Sequence[Decision]) -> Item:
    name = row.id.removeprefix(f"{row.dataset}/")
    label, kind, mask = row.label, row.defect_type, _reader(row.mask) if row.mask else None
    origin = "real"
    for decision in marks:
        if decision.action == "missed" and mask is None:
            kind = kind or decision.detail["defect_type"]
            label, mask, origin = DEFECT, _reader(_mask_file(workspace, decision)), "marked"
    about = _about(origin, row.path, info, row.id) | _noted(workspace, marks)
    return Item(row.path, name, label, row.split, kind, row.group, mask, about)


def _painted(workspace: Workspace, candidate: candidates.Candidate) -> Item:
    notes = [f"its defect or mask is borrowed from {candidate.donor}"] if candidate.donor else []
    if candidate.taught_by:
        notes.append(f"its engine was taught with parts {', '.join(candidate.taught_by)}")
    about: dict[str, str | int] = {
        "origin": "painted",
        "engine": candidate.engine,
        "engine_version": candidate.engine_version,
        "prompt": candidate.prompt,
        "seed": candidate.seed,
        "source": candidate.source,
        "depth": "8",
        "dataset": candidate.dataset,
        "note": "; ".join(notes),
    }
    return Item(
        file=candidate.image,
        name=f"painted/painted-{candidate.id}.png",
        label=DEFECT,
        split="train",
        defect_type=candidate.defect_type,
        group=workspace.image(candidate.source).group,
        mask=lambda: candidates.mask_of(workspace, candidate),
        about=about,
    )


def _marked(workspace: Workspace, info: DatasetInfo, marks: Sequence[Decision]) -> Item:
    """A marked image outside data sets. Banks have learned from it, so it goes to the training split."""
    missed = next((decision for decision in marks if decision.action == "missed"), None)
    detail = (missed or marks[0]).detail
    file = workspace.path / detail["path"]
    place = marks[0].subject.removeprefix("file:")
    place = place.rpartition("#")[0] or place
    return Item(
        file=file,
        name=f"marked/{Path(place).name}",
        label=DEFECT if missed else NORMAL,
        split="train",
        defect_type=detail["defect_type"] if missed else "",
        group=detail["group"],
        mask=_reader(_mask_file(workspace, missed)) if missed else None,
        about=_about("marked", file, info, place) | _noted(workspace, marks),
    )


def _about(origin: str, file: Path, info: DatasetInfo, source: str) -> dict[str, str | int]:
    deep = images.header(file, file.name).deep
    depth = str(info.depth or "") if deep else "8"
    return {"origin": origin, "source": source, "depth": depth, "dataset": info.name}


def _noted(workspace: Workspace, marks: Sequence[Decision]) -> dict[str, str | int]:
    """Notes on an image's marks, and the marked region."""
    notes, region = [], ""
    for decision in marks:
        mask = _reader(_mask_file(workspace, decision))()
        left, top, width, height = box(mask)
        what = "missed defect" if decision.action == "missed" else "false alarm"
        notes.append(f"{what} at {left},{top} of {width} x {height} pixels, marked by {decision.who}")
        if not region or decision.action == "false_alarm":
            region = json.dumps(run_lengths(mask))
    return {"note": "; ".join(notes), "region": region} if notes else {}


def _mask_file(workspace: Workspace, decision: Decision) -> Path:
    return workspace.path / drawn_masks.MASKS / decision.detail["mask"]


def _reader(file: Path) -> Callable[[], np.ndarray]:
    return lambda: images.read_mask(file, None, file.name)


def _write(
    put: Put,
    items: Sequence[Item],
    places: Sequence[Place],
    info: DatasetInfo,
    layout: str,
    progress: Progress,
) -> Written:
    """Write all files of an export; returns the facts for its sentences."""
    annotations = CocoWriter(place.kind for place in places)
    without: list[str] = []
    turned: list[str] = []
    progress.begin("Exporting images", len(items))
    for item, place in zip(items, places, strict=True):
        mask = item.mask() if item.mask else None
        turn = images.exif_orientation(item.file, item.name)
        if turn != 1:
            turned.append(place.path)
        if item.label == DEFECT and mask is None:
            without.append(place.path)
        put(place.path, item.file)
        if place.mask and mask is not None:
            put(place.mask, _mask_bytes(mask, turn))
        annotations.add(item, place, images.probe(item.file, item.name), mask)
        progress.advance()
    if layout == "coco":
        for split in SPLITS:
            text = json.dumps(annotations.document(split, f"{info.name}, {split}"), ensure_ascii=False)
            put(f"annotations/instances_{split}.json", text.encode(errors="surrogateescape"))
    elif not any(item.split == "test" for item in items):
        put("test/good", None)  # readers recognise the layout by it
    rows = [_row(item, place, info, layout) for item, place in zip(items, places, strict=True)]
    put("manifest.csv", _table(COLUMNS, rows))
    put("groups.csv", _table(("path", "group"), rows))
    renamed = {
        item.kind: place.kind for item, place in zip(items, places, strict=True) if item.kind != place.kind
    }
    return {"without_mask": without, "turned": turned, "renamed_types": renamed}


def _mask_bytes(mask: np.ndarray, turn: int) -> bytes:
    """Encode an upright mask, bool (H, W), as a PNG with its image's EXIF orientation."""
    if turn == 1:
        return images.encode_png(mask)
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turn
    stored = np.ascontiguousarray(images.turned(mask, BACK.get(turn, turn)))
    stream = io.BytesIO()
    Image.fromarray(stored.astype(np.uint8) * 255).save(stream, format="PNG", exif=exif)
    return stream.getvalue()


def _row(item: Item, place: Place, info: DatasetInfo, layout: str) -> dict[str, str | int]:
    annotated = f"annotations/instances_{item.split}.json" if layout == "coco" and item.mask else ""
    known = {"path": place.path, "label": item.label, "split": item.split, "defect_type": item.kind}
    return {**item.about, **known, "mask": place.mask or annotated, "group": item.group, "state": info.state}


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, str | int]]) -> bytes:
    text = io.StringIO(newline="")
    tables.write(text, columns, rows)
    return text.getvalue().encode(errors="surrogateescape")


def _sentences(
    info: DatasetInfo, items: Sequence[Item], places: Sequence[Place], layout: str, written: Written
) -> list[str]:
    """A sentence on what was exported, then warnings."""
    origins = Counter(item.about["origin"] for item in items)
    normal = sum(item.label == NORMAL for item in items)
    lines = [
        f"{count(len(items), 'image')}, {normal} normal and {len(items) - normal} with a defect: "
        f"{origins['real']} from the data set, {origins['painted']} painted, {origins['marked']} marked; "
        "manifest.csv says which."
    ]
    if unread := info.report.get("unreadable"):
        lines.append(
            f"Not exported because they cannot be read: {counted([item['path'] for item in unread])}."
        )
    if written["without_mask"]:
        told = "without a mask" if layout == "mvtec" else "with an annotation that marks nothing"
        lines.append(f"Defects that have no mask are exported {told}: {counted(written['without_mask'])}.")
    if layout == "mvtec" and any(i.label == DEFECT and i.split == "train" for i in items):
        lines.append(
            "MVTec AD has no defects on its training side; here they are in train/TYPE, with masks in "
            "ground_truth/train: programs that treat all of train/ as normal must be given only "
            "train/good."
        )
    if not any(item.split == "test" for item in items):
        lines.append("The data set has no test images.")
    renamed = ", ".join(f"{old} as {new}" for old, new in written["renamed_types"].items())
    if renamed:
        lines.append(f"Defect types renamed because the layout cannot hold them as they are: {renamed}.")
    if len({item.group for item in items}) < len(items):
        lines.append(
            "Several images show the same part: groups.csv lists them, for import --groups csv:FILE."
        )
    if any(item.about["depth"] not in ("8", "") for item in items):
        lines.append(
            f"Images of more than 8 bits are copied as they are: import them with --depth {info.depth}."
        )
    if written["turned"] and layout == "coco":
        lines.append(
            f"Rotated by EXIF: {counted(written['turned'])}; their annotations are for the upright image."
        )
    return lines


def _not_exported(workspace: Workspace, info: DatasetInfo, layout: str) -> list[str]:
    """Sentences on parts of the data set that the layout cannot hold."""
    with workspace.reading() as db:
        _, rows = dataset_states.at(db, info.name)
    retired = [
        id.removeprefix(f"{info.name}/")
        for id, row in rows.items()
        if row["retired"] not in (None, dataset_states.UNDONE)
    ]
    lines = [f"Not exported because they are retired: {counted(retired)}."] if retired else []
    if info.roi:
        lines.append("The region of interest is in region.json as run lengths; imports do not read it.")
    if info.size != datasets.LAYOUTS[layout].DEFAULT_SIZE:
        aspect = " --keep-aspect" if info.size.keep_aspect else ""
        lines.append(
            f"No file holds the size that banks are built at: import it with --size {info.size}{aspect}."
        )
    if side := scales.scale(workspace, info.name):
        lines.append(f"No file holds the scale: after an import, datasets set NAME --mm-per-pixel {side:g}.")
    return lines
