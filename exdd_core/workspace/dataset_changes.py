"""Changes of a data set: moves, relabels, retires and restores images, and undoes changes.

A change makes the next numbered state, completely or not at all: new files are moved into place, a new report is
computed, and the rows follow in one transaction. Settings for all images are in `dataset_settings`. Knows images,
groups and masks. Does not know banks; `due` only counts the changes since one was built.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import datasets, images
from exdd_core.datasets import incoming
from exdd_core.datasets.manifests import SPLITS
from exdd_core.datasets.record import Record
from exdd_core.datasets.survey import Survey
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.spec import Json
from exdd_core.synthesis.masks import TOO_LARGE
from exdd_core.workspace import copies, dataset_files, dataset_reports, dataset_states, failures, imports
from exdd_core.workspace.columns import DatasetColumns, ImageColumns
from exdd_core.workspace.dataset_states import RETIRED, UNDONE, Change
from exdd_core.workspace.names import checked
from exdd_core.workspace.placing import making

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import ImageRow, Workspace

log = logging.getLogger(__name__)
LABELS = (datasets.NORMAL, datasets.DEFECT)


@dataclass(frozen=True)
class Changed:
    """The result of a change. images: ids of changed images. state: the new one. sentence: for people."""

    dataset: str
    state: int
    images: list[str]
    sentence: str


@dataclass
class Draft:
    """A change in preparation.

    info, rows: the data set's row and its images' rows by id before the change, without those of undone joins. new:
    a folder for new files, which get the same paths in `folder`. images, settings: the changes, as in
    `dataset_states.record`. sentence: for people. survey, unusable: as in `dataset_reports.renewed`.
    """

    folder: Path
    new: Path
    info: DatasetColumns
    rows: dict[str, ImageColumns]
    images: dict[str, ImageColumns] = field(default_factory=dict)
    settings: DatasetColumns = field(default_factory=DatasetColumns)
    sentence: str = ""
    detail: Json = field(default_factory=dict)
    survey: Survey | None = None
    unusable: dict[str, str] = field(default_factory=dict)
    renews_report: bool = True  # False where the change does not affect the report
    state: int = 0  # the new state, set at the end of the block

    @property
    def masks(self) -> str:
        """The folder for masks that this change writes. Masks of earlier states stay unchanged."""
        return f"{imports.WRITTEN}/{dataset_states.current(self.info) + 1}"

    def after(self) -> list[ImageColumns]:
        """The rows of the images that count after the change."""
        whole = {**self.rows}
        for id, values in self.images.items():
            whole[id] = {**whole.get(id, ImageColumns()), **values}
        rows = dataset_states.counting(whole)
        return sorted(rows, key=lambda row: datasets.natural_key(row["path"]))


@contextmanager
def changing(
    workspace: Workspace, dataset: str | None, action: str, who: str, progress: Progress
) -> Iterator[Draft]:
    """A draft to fill in. When the block ends, the change is made; a lock excludes other changes and imports."""
    name = workspace.dataset(dataset).name
    place = workspace.path / "datasets"
    with failures.as_bad_input(), making(workspace, place, "change of a data set", progress) as temporary:
        with workspace.reading() as db:
            info, rows = dataset_states.at(db, name)
        rows = {id: row for id, row in rows.items() if row["retired"] != UNDONE}
        draft = Draft(place / name, temporary / "new", info, rows)
        draft.new.mkdir()
        yield draft
        if not (draft.images or draft.settings):
            return
        brought = _move_files(draft)
        try:
            report: DatasetColumns = {}
            if draft.renews_report:
                before: DatasetColumns = {**info, **draft.settings}
                made = dataset_reports.renewed(
                    draft.folder, before, draft.after(), progress, draft.survey, draft.unusable
                )
                report = {"report": json.dumps(made)}
            os.sync()  # the files reach the disk before the rows that name them
            with workspace.writing() as db:
                draft.state = dataset_states.record(
                    db, name, action, who, draft.sentence, draft.images, {**draft.settings, **report},
                    **draft.detail,
                )  # fmt: skip
                places = [file.relative_to(draft.folder).as_posix() for file in brought]
                dataset_files.record(db, draft.folder, places)
        except BaseException:
            for file in brought:
                file.unlink(missing_ok=True)
            raise
        _write_manifests(draft.folder, draft.after(), temporary)
        copies.keep_dataset(workspace, name)


def _move_files(draft: Draft) -> list[Path]:
    """Move new files into the data set's folder. If the process is killed, no row names them.

    A file that exists already has the same content, or is left from a killed change to the same state.
    """
    brought = []
    for file in sorted(path for path in draft.new.rglob("*") if path.is_file()):
        name = file.relative_to(draft.new).as_posix()
        place = draft.folder / name
        if place.exists() and not name.startswith((f"{draft.masks}/", "roi-")):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)
        brought.append(place)
    return brought


def _write_manifests(folder: Path, rows: Sequence[ImageColumns], temporary: Path) -> None:
    """Write the manifests for people. The change is in force already, so that an error is logged and stops nothing."""
    records = [
        Record(row["path"], row["label"], row["defect_type"], row["mask"], row["split"], row["group"])
        for row in rows
    ]
    try:
        for file in datasets.write_manifests(records, temporary):
            os.replace(file, folder / file.name)
    except OSError as error:
        log.warning("The manifests of %s could not be written: %s", folder.name, error)


def changed(draft: Draft) -> Changed:
    """The result of a draft whose block has ended. Raises `BadInput` where it changed nothing."""
    if not draft.state:
        raise BadInput(f"Nothing changes: {draft.sentence[0].lower()}{draft.sentence[1:]}")
    return Changed(draft.info["name"], draft.state, list(draft.images), draft.sentence)


def changes(workspace: Workspace, dataset: str | None = None) -> list[Change]:
    """All changes of a data set, the newest first."""
    name = workspace.dataset(dataset).name
    with workspace.reading() as db:
        return dataset_states.changes(db, name)


def undo(workspace: Workspace, dataset: str | None, who: str) -> Changed:
    """Undo the last change that is not undone. Raises `BadInput` where there is none."""
    name = workspace.dataset(dataset).name
    place = workspace.path / "datasets"
    with failures.as_bad_input(), making(workspace, place, "change of a data set", Progress()) as temporary:
        with workspace.writing() as db:
            last = dataset_states.undo(db, name, who)
            info, rows = dataset_states.at(db, name)
            require_own_name(db, name, info["called"])
        _write_manifests(place / name, dataset_states.counting(rows), temporary)
        copies.keep_dataset(workspace, name)
    return Changed(name, dataset_states.current(info), [], f"Undone: {last.sentence}")


def require_own_name(db: Database, dataset: str, called: str | None) -> None:
    """Raise `BadInput` where another data set has the name `called`, as its own or for people; None is free."""
    taken = "select name from datasets where name <> ? and (name = ? or called = ?)"
    if called and db.execute(taken, [dataset, called, called]).fetchone():
        raise BadInput(f'Another data set is already named "{called}"; choose another name.')


def named(workspace: Workspace, names: Sequence[str | Path]) -> tuple[str, list[str]]:
    """The data set and the ids of images, given by id or file. Raises `BadInput`."""
    if not names:
        raise BadInput("Specify the images by id, such as NAME/good/1.png, or by file.")
    ids = []
    for name in dict.fromkeys(names):
        path = Path(name).expanduser().resolve()
        inside = path.is_relative_to(workspace.path / "datasets")
        ids.append(path.relative_to(workspace.path / "datasets").as_posix() if inside else str(name))
    owners = {workspace.image(id).dataset for id in ids}
    if len(owners) > 1:
        raise BadInput(
            f"These images belong to several data sets ({', '.join(sorted(owners))}); change one data set at a time."
        )
    return owners.pop(), list(dict.fromkeys(ids))


def _known(draft: Draft, id: str) -> ImageColumns:
    if id not in draft.rows:
        raise BadInput(f"{id} was added by a join that has been undone; join it again.")
    return draft.rows[id]


def _images(ids: Sequence[str], what: str = "image") -> str:
    return f"1 {what} ({ids[0]})" if len(ids) == 1 else f"{len(ids):,} {what}s"


def move(
    workspace: Workspace, names: Sequence[str | Path], split: str, who: str, progress: Progress | None = None
) -> Changed:
    """Move images to the split "train" or "test", each with all images of its physical part."""
    if split not in SPLITS:
        raise BadInput(f'"{split}" is not a side of the split; choose train or test.')
    dataset, ids = named(workspace, names)
    with changing(workspace, dataset, "move", who, progress or Progress()) as draft:
        groups = {_known(draft, id)["group"] for id in ids}
        moved = [id for id, row in draft.rows.items() if row["group"] in groups and row["split"] != split]
        draft.images = {id: {"split": split} for id in moved}
        also = len(set(moved) - set(ids))
        part = f", {also} of them because they show the same part" if also else ""
        draft.sentence = (
            f"Moved {_images(moved)} to {split}{part}." if moved else f"all of them are already in {split}."
        )
    return changed(draft)


def relabel(
    workspace: Workspace,
    names: Sequence[str | Path],
    label: str,
    who: str,
    defect_type: str = "",
    mask: np.ndarray | None = None,
    progress: Progress | None = None,
) -> Changed:
    """Label images normal or defective. mask: bool (H, W), of a single image; it may be given later.

    A defective image keeps its mask and type where none is given. Raises `BadInput`.
    """
    if label not in LABELS:
        raise BadInput(f'"{label}" is not a label; choose normal or defect.')
    if label == datasets.NORMAL and (defect_type or mask is not None):
        raise BadInput("A normal image has no defect type and no mask; leave them out or choose defect.")
    dataset, ids = named(workspace, names)
    kind = checked(defect_type)
    if mask is not None:
        _require_mask(workspace, ids, mask)
    with changing(workspace, dataset, "relabel", who, progress or Progress()) as draft:
        for id in ids:
            row = _known(draft, id)
            new: ImageColumns = {"label": label, "defect_type": "", "mask": None, "originals": None}
            if label == datasets.DEFECT:
                new = {"label": label, "defect_type": kind or row["defect_type"] or "defect"}
            if mask is not None:
                written = imports.write_mask(draft.new, draft.masks, row["path"], mask)
                new["mask"], new["originals"] = written, None
            if any(row.get(name) != value for name, value in new.items()):
                draft.images[id] = new
        said = f"{label} ({kind})" if kind else label
        masked = ", with a mask" if mask is not None else ""
        draft.sentence = (
            f"Labelled {_images(list(draft.images))} as {said}{masked}."
            if draft.images
            else f"all of them are already {said}."
        )
    return changed(draft)


def _require_mask(workspace: Workspace, ids: Sequence[str], mask: np.ndarray) -> None:
    if len(ids) != 1:
        raise BadInput("A mask belongs to a single image; specify one.")
    row = workspace.image(ids[0])
    images.of_shape(mask, (row.height, row.width), "that is given")
    if not mask.any():
        raise BadInput("The mask marks nothing; draw the defect in white on black.")
    incoming.require_defect(mask, TOO_LARGE)


def retire(
    workspace: Workspace, names: Sequence[str | Path], who: str, progress: Progress | None = None
) -> Changed:
    """Exclude images from all banks and figures; `restore` brings them back."""
    return _retired(workspace, names, who, "retire", RETIRED, progress)


def restore(
    workspace: Workspace, names: Sequence[str | Path], who: str, progress: Progress | None = None
) -> Changed:
    """Include retired images again."""
    return _retired(workspace, names, who, "restore", None, progress)


def _retired(
    workspace: Workspace,
    names: Sequence[str | Path],
    who: str,
    action: str,
    value: str | None,
    progress: Progress | None,
) -> Changed:
    dataset, ids = named(workspace, names)
    with changing(workspace, dataset, action, who, progress or Progress()) as draft:
        wanted = [id for id in ids if _known(draft, id)["retired"] != value]
        draft.images = {id: {"retired": value} for id in wanted}
        if wanted and not draft.after():
            raise BadInput(f'No image of "{dataset}" would be left; delete the data set instead.')
        done = "Retired" if value else "Restored"
        draft.sentence = (
            f"{done} {_images(wanted)}."
            if wanted
            else f"all of them are already {'retired' if value else 'in use'}."
        )
    return changed(draft)


def due(workspace: Workspace, bank_id: str | None = None) -> str:
    """A sentence on how the training images changed since a bank was built, "" for no change.

    bank_id: None for the active bank.
    """
    bank = workspace.bank(bank_id) if bank_id else workspace.active_bank()
    if bank is None or workspace.dataset_row(bank.dataset) is None:
        return ""
    info = workspace.dataset(bank.dataset)
    if info.state == bank.state:
        return ""
    then, now = (
        {row.id: row for row in workspace.images(info.name, split="train", state=state)}
        for state in (bank.state, None)
    )
    other = [id for id in then.keys() & now.keys() if _training_values(then[id]) != _training_values(now[id])]
    counts = (
        (len(now.keys() - then.keys()), "added"),
        (len(then.keys() - now.keys()), "removed"),
        (len(other), "changed"),
    )
    said = [f"{count} {what}" for count, what in counts if count]
    before = workspace.dataset(info.name, bank.state)
    said += ["its bit depth changed"] if before.depth != info.depth else []
    said += ["its region of interest changed"] if before.roi != info.roi else []
    if not said:
        return ""
    return (
        f"Changes to the training images of {info.called} since {bank.name} was built (state "
        f"{bank.state}, now {info.state}): {', '.join(said)}; a rebuild would include them."
    )


def _training_values(row: ImageRow) -> tuple[object, ...]:
    return row.label, row.defect_type, row.mask, row.group
