"""Looking through images: lists to look through, what both methods say of an image, results that are kept.

Knows the workspace, its detectors and files elsewhere on this computer. Does not know pages, nor how anything
is coloured or computed. Results are kept per bank version in cache/results/, one JSON line an image, appended
as images are scored: another bank version starts afresh, and an old one finds its results again. So does a version
whose banks have changed and changed back: a result belongs to a version in one state of its banks (`Standing`).
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core import curation, picture as picture_
from exdd_core.banks import history
from exdd_core.banks.detectors import load_detector
from exdd_core.banks.training_images import TrainingFiles, reason
from exdd_core.curation import outlining
from exdd_core.datasets import incoming
from exdd_core.datasets.tree import Tree, image_files
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.formats import FORMATS_TEXT, is_system_file
from exdd_core.images import encode_png, probe, read_mask
from exdd_core.progress import Progress
from exdd_core.review import export
from exdd_core.review.lists import (
    FOLDERS,
    FOLDERS_KEPT,
    UPLOADS,
    ImageList,
    ShownImage,
    elsewhere,
    of_dataset,
)
from exdd_core.review.marks import Mark
from exdd_core.review.results import Results
from exdd_core.workspace import decisions, drawn_masks

if TYPE_CHECKING:
    from exdd_core.curation import Decided
    from exdd_core.detector import Detector, Inspection
    from exdd_core.workspace import BankVersion, Workspace
    from exdd_core.workspace.dataset_changes import Changed

MEMORY = 384 * 2**20  # bytes of comparisons that stay in memory, for points clicked and images gone back to
BATCH = 4  # images scored between two looks at the cancel button
NAME = 200  # bytes of the name of an uploaded file; file systems take 255


@dataclass(frozen=True)
class MeasuredState:
    """A bank version in one state of its banks. state: "" as it was built, else a name of the changes that stand."""

    version: BankVersion
    state: str

    @property
    def stamp(self) -> str:
        """Differs wherever scores may."""
        return f"{self.version.id} {self.state}"


@dataclass(frozen=True)
class Compared:
    """What both methods say of one image. `pixels` uint8 (H, W, 3), `truth` bool (H, W) or None.

    learnt: as `Learnt.sentence`.
    """

    image: ShownImage
    standing: MeasuredState
    pixels: np.ndarray
    truth: np.ndarray | None
    patchcore: Inspection
    exdd: Inspection
    learnt: str = ""

    @property
    def bank(self) -> BankVersion:
        return self.standing.version

    def reason(self, seen: Inspection) -> str:
        """Why the verdict of one of the methods is what it is."""
        return reason(seen.verdict, self.learnt, seen.reason)

    @property
    def bytes(self) -> int:
        values = [self.pixels, self.truth, *vars(self.patchcore).values(), *vars(self.exdd).values()]
        return sum(value.nbytes for value in values if isinstance(value, np.ndarray))


class Review:
    """The lists and results of one workspace. Any thread may call anything."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self._results: dict[str, Results] = {}
        self._comparisons: OrderedDict[tuple[str, str], Compared] = OrderedDict()
        self._learnt: tuple[str, TrainingFiles] | None = None  # of one standing
        self._lock = threading.Lock()

    # --- lists ----------------------------------------------------------------------------------------

    def lists(self) -> list[ImageList]:
        """The active data set's test images first, then its others, other data sets, uploads and folders."""
        found = []
        active = self.workspace.setting("active_dataset")
        for info in sorted(self.workspace.datasets(), key=lambda info: info.name != active):
            for split in ("test", "train"):
                count = len(self.workspace.images(info.name, split=split))
                if count:
                    found.append(ImageList(f"{info.name}/{split}", f"{info.name} · {split}", count))
        uploads = len(image_files(self._uploads)) if self._uploads.is_dir() else 0
        if uploads:
            found.append(ImageList(UPLOADS, "Uploaded images", uploads))
        for folder in map(Path, self.workspace.setting(FOLDERS, [])):
            if folder.is_dir():
                tree = Tree.read(folder)
                left = len(incoming.left_out(tree))
                found.append(ImageList(f"folder:{folder}", f"Folder {folder.name}", len(tree.images), left))
        return found

    def left_out(self, key: str) -> list[str]:
        """Sentences about the pictures of a list's folder that are not looked at."""
        folder = Path(key.removeprefix("folder:"))
        return incoming.left_out_sentences(Tree.read(folder)) if key.startswith("folder:") else []

    def images(self, key: str) -> list[ShownImage]:
        """The images of a list, in natural order. Raises BadInput for a list that is not there (any more)."""
        if key == UPLOADS:
            newest_first = sorted(image_files(self._uploads), key=lambda path: -path.stat().st_mtime_ns)
            return [elsewhere(path, path.name) for path in newest_first]
        if key.startswith("folder:"):
            folder = Path(key.removeprefix("folder:"))
            if str(folder) not in self.workspace.setting(FOLDERS, []) or not folder.is_dir():
                raise BadInput(f"The folder {folder} is not there any more; add it again.")
            return [elsewhere(path, path.relative_to(folder).as_posix()) for path in image_files(folder)]
        dataset, _, split = key.rpartition("/")
        return [of_dataset(row) for row in self.workspace.images(dataset, split=split)]

    def image(self, id: str) -> ShownImage:
        """One image by its id. Raises BadInput when it is gone, or is no image of a list."""
        if not id.startswith("file:"):
            return of_dataset(self.workspace.image(id))
        path = Path(os.path.normpath(id.removeprefix("file:").rpartition("#")[0]))  # no way out by ".."
        roots = [self._uploads, *map(Path, self.workspace.setting(FOLDERS, []))]
        if not any(path.is_relative_to(root) for root in roots):
            raise BadInput(f"{path} is in none of the lists; add its folder again.")
        if not path.is_file():
            raise BadInput(f"{path} is not there any more.")
        return elsewhere(path, path.name)

    def list_of(self, id: str) -> str:
        """The key of the list that an image is in. Raises BadInput when it is in none."""
        if not id.startswith("file:"):
            row = self.workspace.image(id)
            return f"{row.dataset}/{row.split}"
        path = self.image(id).path
        if path.is_relative_to(self._uploads):
            return UPLOADS
        return next(f"folder:{f}" for f in self.workspace.setting(FOLDERS, []) if path.is_relative_to(f))

    def open_folder(self, path: Path | str) -> str:
        """Remember a folder of images on this computer; the key of its list. Raises BadInput."""
        folder = Path(path).expanduser().resolve()
        if not folder.is_dir():
            raise BadInput(f"{folder} is not a folder on this computer; give the full path of one.")
        tree = Tree.read(folder)
        if not tree.images:
            told = " ".join(incoming.left_out_sentences(tree))
            raise BadInput(f"{folder} holds no images; choose one with {FORMATS_TEXT} files. {told}".rstrip())
        kept = [known for known in self.workspace.setting(FOLDERS, []) if known != str(folder)]
        self.workspace.set_setting(FOLDERS, [str(folder), *kept][:FOLDERS_KEPT])
        return f"folder:{folder}"

    def add_files(self, files: Sequence[tuple[Path, str]]) -> tuple[list[str], list[str]]:
        """Keep uploaded files (path, name): ids of the images, and a sentence for each that is none."""
        ids, refused = [], []
        for path, name in files:
            try:
                incoming.require_picture(path, name)
                probe(path, name)
                with path.open("rb") as file:
                    folder = self._uploads / hashlib.file_digest(file, "sha256").hexdigest()[:16]
                folder.mkdir(parents=True, exist_ok=True)
                kept = folder / _kept_name(name)
                if not kept.exists():
                    shutil.copyfile(path, kept)
                ids.append(elsewhere(kept, kept.name).id)
            except BadInput as error:
                refused.append(str(error))
        return ids, refused

    @property
    def _uploads(self) -> Path:
        return self.workspace.path / "cache" / "uploads"

    # --- what both methods say -----------------------------------------------------------------------

    def standing(self, bank: str | None = None) -> MeasuredState | None:
        """A bank version (None: the active one) as its banks are now; None where none is active.

        Raises BadInput for a version that is not there.
        """
        version = self.workspace.bank(bank) if bank else self.workspace.active_bank()
        return MeasuredState(version, _state(self.workspace, version)) if version else None

    def _there(self, bank: str | None) -> MeasuredState:
        standing = self.standing(bank)
        if standing is None:
            raise BadInput("There is no bank version yet; build one first.")
        return standing

    def results(self, bank: BankVersion) -> Results:
        with self._lock:
            if bank.id not in self._results:
                self._results[bank.id] = Results(
                    self.workspace.path / "cache" / "results" / f"{bank.id}.jsonl"
                )
            return self._results[bank.id]

    def compare(self, id: str, bank: str | None = None) -> Compared:
        """Both methods on one image with a bank version (None: the active one); what was compared lately is
        remembered."""
        key, image = (self._there(bank).stamp, id), self.image(id)
        with self._lock:
            known = self._comparisons.get(key)
            if known is not None and known.image == image:  # its label, mask and depth may have changed
                self._comparisons.move_to_end(key)
                return known
        comparison = self._compare(bank, [image], [self.read(image, bank)])[0]
        with self._lock:
            self._comparisons[comparison.standing.stamp, id] = comparison
            while len(self._comparisons) > 1 and sum(c.bytes for c in self._comparisons.values()) > MEMORY:
                self._comparisons.popitem(last=False)
        return comparison

    def read(self, image: ShownImage, bank: str | None = None) -> picture_.Picture:
        """An image as a bank version (None: the active one) sees it. Raises BadInput."""
        standing = self.standing(bank)
        depth, by_brightest = depth_of(standing.version) if standing else (None, False)
        return picture_.read(image.path, image.name, depth, by_brightest, image.depth)

    def notes(self, image: ShownImage, picture: picture_.Picture, bank: str | None = None) -> list[str]:
        """What a person should know of how an image was read by that version."""
        standing = self.standing(bank)
        version = standing.version if standing else None
        if version is None:
            said = incoming.notes(picture)
        else:
            depth, by_brightest = depth_of(version)
            said = incoming.notes(picture, version.name, depth, by_brightest)
            if picture.depth is None and depth is not None:
                said.append(incoming.shallow_note(1, version.name, depth))
        if image.id.startswith("file:") and (alike := incoming.mask_note(image.path)):
            said.append(alike)
        return said

    def _compare(
        self, bank: str | None, images: Sequence[ShownImage], pictures: Sequence[picture_.Picture]
    ) -> list[Compared]:
        while True:  # a detector and the state that it is in: somebody may decide between the two
            standing = self._there(bank)
            detector = load_detector(self.workspace, standing.version.id)
            if self._there(bank) == standing:
                break
        taught = self._learnt_by(standing, detector)
        compared = detector.compare([picture.pixels for picture in pictures])
        made = [
            Compared(
                image,
                standing,
                picture.pixels,
                truth_of(image, picture.pixels.shape[:2]),
                patchcore,
                exdd,
                taught.sentence(image.id, image.path),
            )
            for image, picture, (patchcore, exdd) in zip(images, pictures, compared, strict=True)
        ]
        rows = [_row(comparison) for comparison in made]
        self.results(standing.version).add(standing.state, rows)
        return made

    def _learnt_by(self, standing: MeasuredState, detector: Detector) -> TrainingFiles:
        """The last one is kept: it has listed the files of the data sets."""
        with self._lock:
            if self._learnt is None or self._learnt[0] != standing.stamp:
                self._learnt = standing.stamp, TrainingFiles(self.workspace, standing.version, detector)
            return self._learnt[1]

    def score(
        self, images: Sequence[ShownImage], progress: Progress | None = None, bank: str | None = None
    ) -> list[str]:
        """Score every image that the bank version has not scored as it is now; sentences about those unreadable.

        What is scored is kept as it comes: cancelling loses nothing.
        """
        progress, standing = progress or Progress(), self._there(bank)
        known = self.results(standing.version).rows(standing.state)
        left = [image for image in images if image.id not in known]
        progress.begin("Scoring images", len(left))
        refused = []
        for start in range(0, len(left), BATCH):
            batch = left[start : start + BATCH]
            readable, pictures = [], []
            for image in batch:
                try:
                    pictures.append(self.read(image, standing.version.id))
                    readable.append(image)
                except BadInput as error:
                    refused.append(str(error))
            if readable:
                self._compare(standing.version.id, readable, pictures)
            progress.advance(len(batch))
        return refused

    # --- teaching the banks by an image -----------------------------------------------------------------

    def why_not(self, id: str, bank: str | None = None) -> str:
        """One sentence on why an image cannot teach the banks here, or ""."""
        standing = self.standing(bank)
        if standing is None:
            return "There is no bank version that could learn from it; build one in Banks."
        version = standing.version
        if not version.active:
            return f"Bank {version.name} is not the active one; activate it in Banks to mark this image."
        if not id.startswith("file:"):
            row = self.workspace.image(id)
            if row.split == "train":
                return (
                    "This is a training image: its data set says what it shows. Correct that and import it again; "
                    "other images can be marked here."
                )
            if row.dataset != version.dataset:
                return (
                    f'Bank {version.name} was built from "{version.dataset}"; activate a bank version of '
                    f'"{row.dataset}" in Banks to mark this image.'
                )
        if not load_detector(self.workspace, version.id).fitted.can_change:
            return f"Bank {version.name} cannot be changed any more, it is too old; build a new one in Banks."
        return ""

    def marks(self, id: str) -> list[Mark]:
        """What this image taught the banks and nobody took back, the oldest first."""
        found = [d for d in self._marked() if d.subject == id]
        return [
            Mark(
                d.id,
                d.action,
                d.who,
                d.created,
                d.detail["defect_type"],
                read_mask(self.workspace.path / drawn_masks.MASKS / d.detail["mask"], None, "the mask"),
            )
            for d in found
        ]

    def marked(self) -> set[str]:
        """Ids of the images that taught the banks and still do."""
        return {d.subject for d in self._marked()}

    def _marked(self) -> list[decisions.Decision]:
        return decisions.in_force(self.workspace, "missed", "false_alarm")

    def alarm(self, id: str) -> tuple[np.ndarray, str]:
        """What of an image a false alarm would teach, bool (H, W), and that in words; an empty mask where it has
        to be drawn."""
        made = self.compare(id)
        height, width = made.pixels.shape[:2]
        if made.image.label == "defect":
            words = "This image has a defect: draw over the place that was a false alarm."
            return np.zeros((height, width), bool), words
        return self.shown(id)

    def shown(self, id: str) -> tuple[np.ndarray, str]:
        """What the heatmap shows of an image, bool (H, W), as a proposal for its mask; and that in words."""
        made = self.compare(id)
        region = curation.alarming(made.exdd)
        if (made.exdd.map[region] > made.exdd.calibration.map_threshold).any():
            return region, "What lies above the threshold"
        return region, "Nothing lies above the threshold; the most suspicious patch"

    def outline(self, id: str, mask: np.ndarray | None, who: str) -> Changed:
        """As `outlining.keep`; None for what `shown` says. Raises BadInput."""
        region = self.shown(id)[0] if mask is None else mask
        return outlining.keep(self.workspace, id, region, who)

    def undo_outline(self, id: str, who: str) -> Changed:
        """As `outlining.undo`."""
        return outlining.undo(self.workspace, id, who)

    def mark_missed(self, id: str, mask: np.ndarray, who: str, defect_type: str = "") -> Decided:
        """As `curation.missed`. mask: bool (H, W). Raises BadInput."""
        self._check_mark(id, who)
        return curation.missed(self.workspace, id, self.image(id).path, mask, who.strip(), defect_type)

    def mark_false_alarm(self, id: str, mask: np.ndarray | None, who: str) -> Decided:
        """As `curation.false_alarm`. mask: bool (H, W), None for what `alarm` says. Raises BadInput."""
        self._check_mark(id, who)
        return curation.false_alarm(self.workspace, id, self.image(id).path, who.strip(), mask)

    def _check_mark(self, id: str, who: str) -> None:
        if not who.strip():
            raise BadInput("Say who you are; your name stands beside the mark.")
        if reason := self.why_not(id):
            raise BadInput(reason)

    # --- export ---------------------------------------------------------------------------------------

    def export_table(self, ids: Iterable[str], bank: str | None = None) -> Path:
        """The results of these images as CSV, in this order; those not scored yet are left out."""
        standing = self._there(bank)
        rows = self.results(standing.version).rows(standing.state)
        chosen = [self._labelled(rows[id]) for id in ids if id in rows]
        if not chosen:
            raise BadInput("None of these images is scored yet; score them first.")
        path = self._exports / f"results-bank-{standing.version.name}.csv"
        export.write_csv(path, chosen)
        return path

    def _labelled(self, row: dict[str, Any]) -> dict[str, Any]:
        """A row with the label and type that its image has now; they may have changed since it was scored."""
        with suppress(BadInput):  # of an image that is gone
            image = self.image(row["id"])
            return row | {"truth": image.label, "defect_type": image.defect_type}
        return row

    def export_panes(self, id: str, bank: str | None = None) -> Path:
        """The four panes of one image as PNG."""
        comparison = self.compare(id, bank)
        path = self._exports / f"{_file_name(comparison.image)}-bank-{comparison.bank.name}.png"
        path.write_bytes(encode_png(_panes(comparison)))
        return path

    def export_all(
        self, ids: Sequence[str], progress: Progress | None = None, bank: str | None = None
    ) -> Path:
        """The panes of many images and their table, as one zip."""
        progress, version = progress or Progress(), self._there(bank).version
        path = self._exports / f"panes-bank-{version.name}.zip"
        unfinished = path.with_suffix(".part")
        progress.begin("Drawing panes", len(ids))
        try:
            with zipfile.ZipFile(unfinished, "w", zipfile.ZIP_STORED) as archive:  # PNG is packed already
                rows = []
                for number, id in enumerate(ids, 1):
                    comparison = self.compare(id, version.id)
                    rows.append(_row(comparison))
                    name = f"{number:04d}-{_file_name(comparison.image)}.png"
                    archive.writestr(name, encode_png(_panes(comparison)))
                    progress.advance()
                archive.writestr("results.csv", export.csv_text(rows))
            unfinished.rename(path)
        finally:
            unfinished.unlink(missing_ok=True)
        return path

    @property
    def _exports(self) -> Path:
        folder = self.workspace.path / "cache" / "exports"
        folder.mkdir(parents=True, exist_ok=True)
        return folder


def depth_of(version: BankVersion) -> tuple[Depth | None, bool]:
    """Of the images with more than 8 bits that a version was built from, None where it had none of these; and whether
    the version is older than depths that are kept, so that nobody knows."""
    kept = version.settings.get("depth")
    return (Depth.parse(kept) if kept else None), "depth" not in version.settings


def _state(workspace: Workspace, bank: BankVersion) -> str:
    """A name of the changes to a version's banks that stand; what came and went again leaves no trace in it."""
    with workspace.reading() as db:
        there = history.standing(db, bank.id).there
    standing = sorted([*key, since] for key, since in there.items())
    return hashlib.sha256(json.dumps(standing).encode()).hexdigest()[:16] if standing else ""


def score_change(before: Inspection, after: Inspection) -> str:
    """What became of an image's score and verdict, in words."""
    scores = " → ".join(f"{seen.calibrated_score:.2f}".replace("-", "−") for seen in (before, after))
    again = "now" if before.verdict != after.verdict else "still"
    return f"Score {scores}, {again} {after.verdict.capitalize()}"


def truth_of(image: ShownImage, shape: tuple[int, int]) -> np.ndarray | None:
    """The ground-truth mask as bool (H, W); None where there is none or it cannot be read."""
    if image.mask is None:
        return None
    try:
        return read_mask(image.mask, shape)
    except BadInput:
        return None  # the data set's integrity report says so; the image can be looked at all the same


def _row(comparison: Compared) -> dict[str, Any]:
    image = comparison.image
    methods = (comparison.patchcore, comparison.exdd)
    row = export.result_row(image.name, image.label, image.defect_type, *methods, comparison.bank.name)
    for method, seen in zip(("patchcore", "exdd"), methods, strict=True):
        row[f"{method}_reason"] = comparison.reason(seen)
    return {"id": image.id} | row


def _panes(comparison: Compared) -> np.ndarray:
    title = f"{comparison.image.name}   bank {comparison.bank.name}"
    return export.panes(comparison.pixels, comparison.patchcore, comparison.exdd, comparison.truth, title)


def _kept_name(name: str) -> str:
    """The name of an uploaded file as it is kept: no folder, not too long, and none that a listing passes over."""
    last = Path(name.replace("\0", "")).name.encode("utf-8", "replace").decode()
    if len(last.encode()) > NAME:
        last = last.encode()[: NAME // 2].decode("utf-8", "ignore") + Path(last).suffix[-10:]
    return last if last and not is_system_file(last) else f"image-{last.lstrip('.')}"


def _file_name(image: ShownImage) -> str:
    name = Path(image.name).with_suffix("").as_posix()
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
