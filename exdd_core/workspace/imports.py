"""Imports a folder or zip file as a new data set, or previews the import.

`joining`, which adds images to an existing data set, uses the same functions. Knows folders, zip files and the rows of
`datasets` and `images`. Does not know layouts or later changes of a data set.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import datasets, files
from exdd_core.datasets import archive, integrity
from exdd_core.datasets.record import Record, natural_text
from exdd_core.datasets.survey import Survey
from exdd_core.errors import BadInput
from exdd_core.images import Size, encode_png, probe, read_image
from exdd_core.progress import Progress
from exdd_core.sentences import count, quoted
from exdd_core.workspace import clock, copies, dataset_files, failures, settings
from exdd_core.workspace.columns import DatasetColumns, ImageColumns
from exdd_core.workspace.placing import making, placed
from exdd_core.workspace.rows import DatasetPreview, dataset_info

if TYPE_CHECKING:
    from exdd_core.datasets.reports import Report
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.rows import DatasetInfo

# The folder of a data set for masks that were drawn, or converted from outlines or other masks.
WRITTEN = "exdd-masks"


def import_dataset(
    workspace: Workspace,
    source: Path | str,
    name: str | None = None,
    layout: str = "auto",
    size: Size | None = None,
    groups: datasets.GroupRule | None = None,
    progress: Progress | None = None,
    choices: datasets.Choices | None = None,
) -> DatasetInfo:
    """Copy a data set (a folder or a .zip) into the workspace, check it and make it the active one.

    name: None for the source's. size: for banks; None for the layout's. choices: a person's answers on the source, in
    place of `layout` and `groups`. Every mask becomes a single file that is white above 127. The same content under
    the same name changes nothing (`changed` is False). Raises `BadInput` for anything that cannot be imported.
    """
    source, progress = Path(source).expanduser(), progress or Progress()
    choices = choices or datasets.Choices(layout, groups)
    name = dataset_name(source, name)
    with (
        failures.as_bad_input(),
        making(workspace, workspace.path / "datasets", "import", progress) as temporary,
    ):
        layout, found = read(source, temporary / "unpacked", choices, progress)
        datasets.require_normal(found, source)
        root, records = found.tree.root, found.records
        size = size or datasets.LAYOUTS[layout].DEFAULT_SIZE
        settings = (layout, *size_row(size).values(), str(found.rule), str(found.depth))
        fingerprint = _fingerprint(root, records, settings, progress)
        if known := _same_as_before(workspace, name, fingerprint):
            return known
        require_free(workspace, name)
        whole = temporary / "whole"
        written, unusable = write_masks(found, whole, WRITTEN, progress)
        names = _files(records)
        copy(root, whole, dict(zip(names, names, strict=True)), progress, move=not source.is_dir())
        report = integrity.check(whole, written, progress, found, unusable, size)
        report["choices"], report["doubts"] = choices.to_json(), found.doubts
        name_unreadable(report, written)
        rows = image_rows(name, whole, written, report, originals(records))
        datasets.write_manifests(written, whole)
        enter(workspace, whole, new_row(name, layout, size, fingerprint, found, report), rows)
    return workspace.dataset(name)


def _same_as_before(workspace: Workspace, name: str, fingerprint: str) -> DatasetInfo | None:
    """The data set of that name with this content, or None. Raises `BadInput` where its content differs."""
    known = workspace.dataset_row(name)
    if known is None or known["fingerprint"] == fingerprint:
        return dataset_info(known, changed=False) if known else None
    raise BadInput(
        f'There is already a data set "{name}" with different images, masks, groups or size; give this '
        "one another name (--name), or add its images to that one (--into)."
    )


def new_row(
    name: str,
    layout: str,
    size: Size,
    fingerprint: str,
    found: Survey,
    report: Mapping[str, object],
    title: str | None = None,
) -> DatasetColumns:
    """The row of a new data set. title: None for the layout's."""
    return {
        "name": name,
        "layout": layout,
        "title": title or datasets.LAYOUTS[layout].TITLE,
        **size_row(size),
        "created": clock.now(),
        "fingerprint": fingerprint,
        "report": json.dumps(report),
        "depth": str(found.depth) if found.depth else None,
        "mask_rule": str(found.rule),
    }


def require_free(workspace: Workspace, name: str) -> None:
    """Raise `BadInput` for the name of an existing data set, or of a folder that no row names."""
    if any(name in (info.name, info.called) for info in workspace.datasets()):
        raise BadInput(f'There is already a data set "{name}"; choose another name.')
    folder = workspace.path / "datasets" / name
    if folder.exists():
        raise BadInput(
            f"{folder} contains files of a data set that is not in the workspace's database; move that "
            "folder away, or give this data set another name with --name."
        )


def enter(workspace: Workspace, whole: Path, record: DatasetColumns, rows: Sequence[ImageColumns]) -> None:
    """Move a new data set's folder into place, insert its rows and make it the active one."""
    with placed(workspace, whole, workspace.path / "datasets" / record["name"]) as db:
        db.table("datasets").insert({**record})
        # A deleted data set of this name may have left rows of images that lent defects; they are replaced.
        db.table("images").insert_all(({**row} for row in rows), replace=True)
        folder = workspace.path / "datasets" / record["name"]
        dataset_files.forget(db, record["name"])
        dataset_files.record(
            db, folder, [name for row in rows for name in (row["path"], row["mask"]) if name]
        )
        settings.put(db, "active_dataset", record["name"])
    copies.keep_dataset(workspace, record["name"])


def preview_dataset(
    workspace: Workspace,
    source: Path | str,
    layout: str = "auto",
    groups: datasets.GroupRule | None = None,
    progress: Progress | None = None,
    choices: datasets.Choices | None = None,
) -> DatasetPreview:
    """The result that `import_dataset` would have, the split included; stores nothing. Raises `BadInput`."""
    source, progress = Path(source).expanduser(), progress or Progress()
    choices = choices or datasets.Choices(layout, groups)
    name = dataset_name(source, None)
    place = workspace.path / "cache"
    with failures.as_bad_input(), tempfile.TemporaryDirectory(prefix="preview-", dir=place) as temporary:
        layout, found = read(source, Path(temporary) / "unpacked", choices, progress)
        example = _example(found)
    module = datasets.LAYOUTS[layout]
    return DatasetPreview(
        name, layout, module.TITLE, module.DEFAULT_SIZE, found.records, found.to_report(), example
    )


def dataset_name(source: Path, name: str | None) -> str:
    """The name, or one made from the source's. Raises `BadInput` for a name that is no valid folder name."""
    if name is None:
        stem = source.stem if source.suffix.lower() == ".zip" else source.resolve().name
        plain = unicodedata.normalize("NFKD", stem.replace("ß", "ss"))  # an accent is a character of its own
        letters = "".join(one for one in plain if not unicodedata.combining(one))
        name = re.sub(r"[^A-Za-z0-9._-]+", "_", letters)[:64].strip("._-") or "dataset"
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise BadInput(
            f"{quoted(name)} is not a valid name for a data set; use up to 64 letters, digits, dots, dashes "
            "and underscores, starting with a letter or digit."
        )
    return name


def check_name(workspace: Workspace, source: Path, name: str | None) -> bool:
    """Whether a data set has this name already; raises `BadInput` for one that no import could use.

    A name that is taken stays possible, since importing the same content again changes nothing.
    """
    name = dataset_name(source, name)
    known = workspace.dataset_row(name)
    if known is not None and known["name"] != name:
        raise BadInput(f'There is already a data set named "{name}"; choose another name.')
    return known is not None


def read(
    source: Path, unpacked: Path, choices: datasets.Choices, progress: Progress
) -> tuple[str, datasets.Survey]:
    """The layout and survey of a source. A zip file is unpacked to `unpacked`."""
    folder, left = opened(source, unpacked, progress)
    return look(source, folder, choices, progress, left)


def opened(source: Path, unpacked: Path, progress: Progress) -> tuple[Path, dict[str, str]]:
    """The folder of a source, and the files of an archive that were not unpacked, with reasons."""
    archived, inside = in_archive(source)
    if archived is None:
        return source, {}
    left: dict[str, str] = {}
    folder = archive.unpack(archived, unpacked, progress, left) / inside
    if not folder.is_dir():
        raise BadInput(
            f"There is no folder {inside} in {archived}; use the path of a folder in the zip file."
        )
    return folder, left


def in_archive(source: Path) -> tuple[Path | None, str]:
    """The archive of a source and the folder inside it, as in sets.zip/bottle; (None, "") for a folder.

    Raises `BadInput` for a missing source.
    """
    if source.is_dir():
        return None, ""
    for place in (source, *source.parents):
        if place.is_file():
            return place, "" if place == source else source.relative_to(place).as_posix()
        if place.exists():
            break
    if source.exists():
        files.require_regular(source, str(source))
    raise BadInput(f"{source} does not exist; check the path.")


def look(
    source: Path, folder: Path, choices: datasets.Choices, progress: Progress, left: Mapping[str, str]
) -> tuple[str, datasets.Survey]:
    """`datasets.look` at the folder of a source, with error messages that name the source."""
    try:
        found = datasets.look(folder, choices, progress, left)
        if not found[1].tree.images:
            raise datasets.no_images(source, found[1].tree)
        return found
    except BadInput as error:  # people know the zip file, not its unpacked folder
        raise BadInput(str(error).replace(str(folder), str(source))) from error


def _example(found: datasets.Survey) -> tuple[np.ndarray, np.ndarray] | None:
    """A defective image, uint8 (H, W, 3), and its mask, bool (H, W), for the preview; None without masks."""
    for record in found.records:
        if record.label == datasets.DEFECT and (record.masks or record.outlines):
            try:
                mask = found.mask_of(record)
                image = read_image(found.tree.path(record.path), record.path, found.depth)
            except BadInput:
                continue
            if mask is not None and mask.any() and mask.shape == image.shape[:2]:
                return image, mask
    return None


def write_masks(
    found: datasets.Survey, target: Path, below: str, progress: Progress
) -> tuple[list[Record], dict[str, str]]:
    """Records with one mask file each, white above 127, and image -> why its mask cannot be used.

    Other masks are converted to such files in the folder `below` of `target`.
    """
    records, unusable = [], {}
    progress.begin("Writing masks", len(found.records))
    for record in found.records:
        if found.must_be_written(record):
            plain = replace(record, mask=None, more_masks=(), outlines=())
            try:
                mask = found.mask_of(record)
                assert mask is not None
                record = replace(plain, mask=write_mask(target, below, record.path, mask))
            except BadInput as error:
                unusable[record.path] = str(error)
                record = plain
        records.append(record)
        progress.advance()
    return records, unusable


def write_mask(target: Path, below: str, image: str, mask: np.ndarray) -> str:
    """Write the mask of an image, bool (H, W), as 0 and 255; returns its path in `target`."""
    name = f"{below}/{image}.png"
    place = target / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(encode_png(mask))
    return name


def _files(records: Sequence[Record]) -> list[str]:
    """Every file that the records name, once, in order."""
    named = [name for record in records for name in (record.path, *record.masks)]
    for name in named:
        if not name.isprintable():
            raise BadInput(f"The file name {name!a} contains characters that cannot be stored; rename it.")
    return list(dict.fromkeys(named))


def _fingerprint(root: Path, records: Sequence[Record], settings: tuple, progress: Progress) -> str:
    """A digest of every file's bytes and every record's fields, independent of the source's path."""
    named = _files(records)
    progress.begin("Reading files", len(named))
    total = hashlib.sha256(json.dumps([settings, [asdict(record) for record in records]]).encode())
    for name in named:
        total.update(bytes.fromhex(files.digest(root / name)))
        progress.advance()
    return total.hexdigest()


def copy(root: Path, target: Path, names: Mapping[str, str], progress: Progress, move: bool) -> None:
    """Copy or move files of `root` to `target`. names: old -> new path. Raises `BadInput` for lack of space."""
    needed = 0 if move else sum((root / name).stat().st_size for name in names)
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise BadInput(
            f"The images take {needed / 2**20:.0f} MB, but the workspace's disk has only "
            f"{free / 2**20:.0f} MB left; free up some space or put the workspace on another disk."
        )
    progress.begin("Copying files", len(names))
    for old, new in names.items():
        place = target / new
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(root / old, place) if move else shutil.copyfile(root / old, place)
        progress.advance()


def size_row(size: Size) -> DatasetColumns:
    return {"width": size.width, "height": size.height, "keep_aspect": int(size.keep_aspect)}


def originals(records: Sequence[Record]) -> dict[str, list[str]]:
    """Image -> the files of its mask in the source."""
    return {record.path: list(record.masks) for record in records if record.masks}


def image_rows(
    dataset: str,
    root: Path,
    records: Sequence[Record],
    report: Report,
    masks_of: Mapping[str, Sequence[str]],
) -> list[ImageColumns]:
    """A row for every readable image, without unusable masks.

    masks_of: image -> the imported files of its mask, which are stored so that the rule for masks can change.
    """
    masks = report["masks"]
    unreadable = {item["path"] for item in report["unreadable"]}
    useless = {item["path"] for item in (*masks["wrong_size"], *masks["unreadable"])}
    if len(unreadable) == len(records):
        raise BadInput(
            f"None of {count(len(records), 'image')} can be read; {report['unreadable'][0]['reason']}"
        )
    rows: list[ImageColumns] = []
    for record in records:
        if record.path in unreadable:
            continue
        width, height = probe(root / record.path)
        mask = None if record.path in useless else record.mask
        came = list(masks_of.get(record.path, ()))
        rows.append(
            {
                "path": record.path,
                "label": record.label,
                "defect_type": record.defect_type,
                "mask": mask,
                "split": record.split,
                "group": record.group,
                "id": f"{dataset}/{record.path}",
                "dataset": dataset,
                "width": width,
                "height": height,
                "place": natural_text(record.path),
                "originals": json.dumps(came) if came and came != [mask] else None,
                "retired": None,
            }
        )
    return rows


def name_unreadable(report: Report, records: Sequence[Record]) -> None:
    """Add the records' fields to the report's unreadable images, which have no row but stay in later reports."""
    of = {record.path: record for record in records}
    for item in report["unreadable"]:
        record = of[item["path"]]
        item["label"], item["split"] = record.label, record.split
        item["defect_type"], item["group"] = record.defect_type, record.group
