"""A workspace: one folder with everything that is kept, and the database that says what is there.

    workspace.db      settings, data sets, images, bank versions (SQLite in WAL mode)
    jobs.db           messages to whoever runs the background jobs, which are rows of workspace.db
    datasets/NAME/    the files of a data set in their original layout, with train.csv and test.csv; masks that were
                      written from others or drawn in exdd-masks/, regions of interest in roi-STATE.png
    banks/ID/         one bank version, never changed once it is there; what came later is in the database
    candidates/ID/    one painted defect: image, measured mask, drawn mask
    cache/            what can be made again

Knows files, rows and which of both belong together. Does not know pages or commands, nor how a bank is
computed.

Whatever is made is made in a hidden folder, renamed into place when it is whole, and counts once its row is
in the database. What a killed process leaves carries a mark and has no row; whoever opens the workspace next
removes it, unless a lock says that its maker is still alive.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import sqlite3
import tempfile
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from sqlite_utils import Database

from exdd_core import dataset_states, datasets, schema
from exdd_core.datasets.record import Record
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.images import Size, read_mask
from exdd_core.progress import Progress

if TYPE_CHECKING:  # torch and its kin take seconds to import, and half of the workspace needs none of them
    from exdd_core.detector import Detector
    from exdd_core.detector.backbones import Backbone
    from exdd_core.detector.examples import TrainingImage

DATABASE = "workspace.db"
LOCK, TEMPORARY, MARK = ".lock", ".making-", ".unfinished"
DETECTORS_KEPT = 2
PINNED, FORMER = "pinned_banks", "former_banks"  # settings: ids of versions
FORMER_KEPT = 20
READ_ONLY = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM)
DAMAGED = (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT)
IMAGE_COLUMNS = ("id", "dataset", "label", "split", "defect_type", "group", "width", "height")
POSITIVES = ("real", "synthetic", "both", "none")
# folders of things that are made whole: the table and the column that say what is there
MADE = {"datasets": ("datasets", "name"), "banks": ("banks", "id"), "candidates": ("candidates", "id")}


@dataclass(frozen=True)
class DatasetInfo:
    """One imported data set. `report` is the integrity report; `size` is what banks are built at."""

    name: str
    layout: str
    title: str
    size: Size
    created: str  # ISO 8601, UTC
    counts: dict[str, Any]
    report: dict[str, Any]
    depth: Depth | None = None  # of images with more than 8 bits a channel; None where there are none
    changed: bool = True  # False when an import found that this very data set was there already
    state: int = 1  # the number of its last change, 1 as it was imported
    called: str = ""  # what people call it; `name` stays in ids and folders
    roi: str | None = None  # file of the region outside of which nothing counts, in its folder
    mask_rule: str = ""  # how masks that come with new images are read, as `MaskRule.parse` takes it


@dataclass(frozen=True)
class Preview:
    """What an import would make of a source: the name, layout and size it would get, its records and what it says."""

    name: str
    layout: str
    title: str
    size: Size
    records: list[Record]
    report: dict[str, Any]  # as `datasets.Survey.to_report`
    # A defective image, uint8 (H, W, 3), and its mask, bool (H, W).
    example: tuple[np.ndarray, np.ndarray] | None = None


@dataclass(frozen=True)
class ImageRow:
    """One image of a data set. `id` is "DATASET/relative/path.png"; width and height in pixels, upright."""

    id: str
    dataset: str
    path: Path
    label: str
    split: str
    defect_type: str
    mask: Path | None
    group: str
    width: int
    height: int
    depth: Depth | None = None  # how its values are read where they have more than 8 bits


@dataclass(frozen=True)
class BankVersion:
    """One bank version.

    settings: the detector's (size as "256x632"), layers, positives, max_real_parts. summary: rows and images
    of both banks, the fusion, and a `note` on what was left out. seconds: the time the build took. who: built
    it, "" where that is not known.
    """

    id: str
    number: int
    dataset: str
    created: str  # ISO 8601, UTC
    seconds: float
    settings: dict[str, Any]
    summary: dict[str, Any]
    active: bool
    path: Path
    pinned: bool = False  # cannot be deleted
    who: str = ""

    @property
    def name(self) -> str:
        return f"v{self.number}"

    @property
    def state(self) -> int:
        """The state of its data set that it was built from."""
        return int(self.settings.get("state", dataset_states.FIRST))


def plain_sentence(error: OSError | sqlite3.Error | SafetensorError) -> str:
    """What a person needs to know about a failed file or database access, in one sentence."""
    number, said = getattr(error, "errno", None), str(error)
    if number in (errno.ENOSPC, errno.EDQUOT) or "is full" in said or "No space left" in said:
        return "The disk is full; free some space and try again, nothing half-made was kept."
    place = getattr(error, "filename", None) or "the workspace"
    if isinstance(error, PermissionError):
        return f"No permission for {place}; change its owner or rights, or choose another place."
    if getattr(error, "sqlite_errorcode", 0) & 0xFF in READ_ONLY:
        return (
            f"The workspace cannot be written to ({error}): its folder or its disk is read-only, or not yours; change "
            "that, or copy it to another place."
        )
    if getattr(error, "sqlite_errorcode", None) in DAMAGED:
        return (
            f"The workspace's database is damaged ({error}); put a copy of {DATABASE} from a backup in its place, "
            "or choose another folder with --workspace: the files beside it are still there."
        )
    if isinstance(error, sqlite3.Error):
        return (
            f"The workspace's database cannot be used ({error}); check that its disk works and is not full."
        )
    return (
        f"{place} cannot be used ({getattr(error, 'strerror', None) or error}); check the path and the disk."
    )


@contextmanager
def plainly() -> Iterator[None]:
    """Files and databases that cannot be used end as one sentence, a `BadInput`."""
    try:
        yield
    except (OSError, sqlite3.Error, SafetensorError) as error:
        raise BadInput(plain_sentence(error)) from error


class Workspace:
    """One workspace on disk. Any number of threads and processes may use it at once."""

    def __init__(self, path: Path | str):
        """Use `create` or `open`; this only notes the place."""
        self.path = Path(path).expanduser().resolve()
        self._backbones: dict[str, Backbone] = {}
        self._detectors: OrderedDict[str, tuple[int, Detector]] = (
            OrderedDict()
        )  # with its last change's number
        self._loading = threading.RLock()  # a network or a bank is read once, however many threads ask

    # --- making and opening ---------------------------------------------------------------------------

    @staticmethod
    def exists(path: Path | str) -> bool:
        return (Path(path).expanduser() / DATABASE).is_file()

    @classmethod
    def create(cls, path: Path | str, backbone: str = "auto") -> Workspace:
        """A new workspace in a folder that is new or empty. Its backbone is chosen and loaded here, once.

        Raises BadInput where there is one already, where other files are in the way, for an unknown backbone
        and for one whose weights cannot be had.
        """
        from exdd_core.detector import backbones

        workspace = cls(path)
        name, reason = backbones.choose(backbone)
        network = backbones.load(
            name
        )  # weights that cannot be had should be known now, not at the first build
        chosen = {"backbone": name, "backbone_reason": reason, "backbone_weights": network.weights}
        with plainly():
            workspace.path.mkdir(parents=True, exist_ok=True)
            with FileLock(workspace.path / LOCK):
                if cls.exists(workspace.path):
                    raise BadInput(
                        f"There is a workspace in {path} already; open it or choose another folder."
                    )
                if any(not entry.name.startswith(".") for entry in workspace.path.iterdir()):
                    raise BadInput(f"{path} holds other files; choose a new or an empty folder.")
                temporary = workspace.path / f".{DATABASE}"
                try:
                    temporary.unlink(missing_ok=True)
                    _write_schema(temporary, chosen)
                    temporary.rename(workspace.path / DATABASE)
                except BaseException:
                    for left in workspace.path.glob(f".{DATABASE}*"):
                        left.unlink(missing_ok=True)
                    raise
        opened = cls.open(workspace.path)
        opened._backbones[name] = network
        return opened

    @classmethod
    def open(cls, path: Path | str) -> Workspace:
        """An existing workspace; what killed processes left half-made is removed. Raises BadInput."""
        workspace = cls(path)
        if not cls.exists(path):
            raise BadInput(
                f"There is no workspace in {path}; import a data set into it first, which makes one, "
                "or choose another with --workspace."
            )
        with workspace.reading() as db:
            version = schema.version(db)
        if version == 0:  # ours has had its number since before it was renamed into place
            raise BadInput(
                f"{workspace.path / DATABASE} is not the database of a workspace; put a copy of the right one from a "
                "backup in its place, or choose another folder with --workspace."
            )
        if version > schema.VERSION:
            raise BadInput(
                f"The workspace {path} is of version {version}, this program uses version {schema.VERSION}; "
                "use the program that it was made with."
            )
        if version < schema.VERSION:
            with workspace.writing() as db:
                schema.bring_up_to_date(db)
        with plainly():
            for name in (*MADE, "cache"):
                (workspace.path / name).mkdir(exist_ok=True)
            for name in MADE:
                try:
                    with FileLock(workspace.path / name / LOCK, timeout=0):
                        workspace._sweep(workspace.path / name)
                except Timeout:
                    pass  # somebody is making something right now and will sweep
        return workspace

    @property
    def _datasets(self) -> Path:
        return self.path / "datasets"

    @property
    def _banks(self) -> Path:
        return self.path / "banks"

    # --- the database: one connection a call, so that threads share nothing --------------------------------

    @contextmanager
    def reading(self) -> Iterator[Database]:
        """A connection of one's own to the database."""
        with plainly(), closing(_connect(self.path / DATABASE)) as connection:
            yield Database(connection, execute_plugins=False)

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """All or nothing. Takes the write lock first: one that reads and then writes could fail late."""
        with self.reading() as db:
            db.conn.execute("BEGIN IMMEDIATE")
            try:
                yield db
                db.conn.commit()
            except BaseException:
                db.conn.rollback()
                raise

    def setting(self, key: str, default: Any = None) -> Any:
        with self.reading() as db:
            row = db.execute("select value from settings where key = ?", [key]).fetchone()
        return json.loads(row[0]) if row else default

    def set_setting(self, key: str, value: Any) -> None:
        with self.writing() as db:
            _set(db, key, value)

    # --- making something whole -------------------------------------------------------------------------

    @contextmanager
    def making(self, folder: Path, what: str, progress: Progress) -> Iterator[Path]:
        """A hidden folder to make something in, held by one maker at a time; removed whatever happens.

        `folder` is one of `MADE` in this workspace; `what` names the kind of work to whoever has to wait. A full
        disk and the like end as BadInput.
        """
        lock = FileLock(folder / LOCK)
        while True:
            try:
                lock.acquire(timeout=1)
                break
            except Timeout:
                progress.begin(f"Waiting for another {what} to end", 1)  # raises when cancelled
        try:
            self._sweep(folder)
            temporary = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder))
            try:
                with plainly():
                    yield temporary
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        finally:
            lock.release()

    def _sweep(self, folder: Path) -> None:
        """Remove what was begun and never entered in the database. The folder's lock must be held."""
        table, key = MADE[folder.name]
        names = os.listdir(folder)  # plain strings: there may be many thousands
        begun = [name for name in names if os.path.exists(f"{folder}/{name}/{MARK}")]
        with self.reading() as db:
            entered = {
                name
                for name in begun
                if db.execute(f"select 1 from {table} where {key} = ?", [name]).fetchone()
            }
        for name in names:
            if name.startswith(TEMPORARY) or (name in begun and name not in entered):
                shutil.rmtree(folder / name, ignore_errors=True)
        for name in entered:
            (folder / name / MARK).unlink(missing_ok=True)

    @contextmanager
    def placed(self, whole: Path, final: Path) -> Iterator[Database]:
        """Rename `whole` to `final` and run the block that enters it in the database: both or neither."""
        (whole / MARK).touch()
        os.sync()  # the files reach the disk before the row that vouches for them
        whole.rename(final)
        try:
            with self.writing() as db:
                yield db
        except BaseException:
            shutil.rmtree(final, ignore_errors=True)
            raise
        (final / MARK).unlink()

    # --- data sets --------------------------------------------------------------------------------------

    def import_dataset(
        self,
        source: Path | str,
        name: str | None = None,
        layout: str = "auto",
        size: Size | None = None,
        groups: datasets.GroupRule | None = None,
        progress: Progress | None = None,
        choices: datasets.Choices | None = None,
    ) -> DatasetInfo:
        """Copy a data set (a folder or a .zip) into the workspace, check it and make it the active one.

        name: None takes the source's. size: what banks are built at; None takes the layout's. choices: what a person
        says of the source, in place of `layout` and `groups`. Masks that are not one file that is white above 127 are
        written as such. The same content under the same name changes nothing (`changed` is False). Raises BadInput for
        anything that cannot be imported.
        """
        from exdd_core import imports

        choices = choices or datasets.Choices(layout, groups)
        return imports.import_dataset(
            self, Path(source).expanduser(), name, size, choices, progress or Progress()
        )

    def preview_dataset(
        self,
        source: Path | str,
        layout: str = "auto",
        groups: datasets.GroupRule | None = None,
        progress: Progress | None = None,
        choices: datasets.Choices | None = None,
    ) -> Preview:
        """What `import_dataset` would make of a source, the split included; nothing is kept. Raises BadInput."""
        from exdd_core import imports

        choices = choices or datasets.Choices(layout, groups)
        return imports.preview_dataset(self, Path(source).expanduser(), choices, progress or Progress())

    def datasets(self) -> list[DatasetInfo]:
        """All data sets, the oldest first."""
        with self.reading() as db:
            return [dataset_info(row) for row in db.query("select * from datasets order by rowid")]

    def dataset(self, name: str | None = None, state: int | None = None) -> DatasetInfo:
        """The data set of that name, or the active one, as it was in a state (None: as it is).

        The name may be the one that people call it by. Raises BadInput when there is none.
        """
        wanted = name or self.setting("active_dataset")
        if wanted is None:
            raise BadInput("There is no data set yet; import one first.")
        row = self.dataset_row(wanted)
        if row is None:
            names = ", ".join(info.called for info in self.datasets()) or "none"
            raise BadInput(f'There is no data set "{wanted}"; those here are: {names}.')
        if state is not None and state != dataset_states.current(row):
            with self.reading() as db:
                row, _ = dataset_states.at(db, row["name"], state)
        return dataset_info(row)

    def activate_dataset(self, name: str) -> None:
        self.set_setting("active_dataset", self.dataset(name).name)

    def dataset_row(self, name: str) -> dict[str, Any] | None:
        """The row of the data set of that name, or called so; None where there is none."""
        query = "select * from datasets where name = :name or called = :name order by name <> :name"
        with self.reading() as db:
            return next(iter(db.query(query, {"name": name})), None)

    def images(
        self,
        dataset: str | None = None,
        split: str | None = None,
        label: str | None = None,
        defect_type: str | None = None,
        state: int | None = None,
    ) -> list[ImageRow]:
        """The readable images of a data set (None: the active one) in natural order; None filters nothing.

        state: as they were in that state of the data set, in place of now. What is retired is left out.
        """
        info = self.dataset(dataset, state)
        filters = {"split": split, "label": label, "defect_type": defect_type}
        wanted = {k: v for k, v in filters.items() if v is not None}
        with self.reading() as db:
            _, rows = dataset_states.at(db, info.name, state)
        found = [
            row
            for row in dataset_states.counting(rows)
            if all(row[column] == value for column, value in wanted.items())
        ]
        if info.state > dataset_states.FIRST:  # what joined later has later rows
            found.sort(key=lambda row: datasets.natural_key(row["path"]))
        return [self._image_row(row, info.depth) for row in found]

    def image(self, id: str, state: int | None = None) -> ImageRow:
        """One image as it is now, or was in a state of its data set; also a retired one. Raises BadInput."""
        query = (
            "select images.*, datasets.depth from images left join datasets on dataset = name where id = ?"
        )
        with self.reading() as db:
            row = next(iter(db.query(query, [id])), None)
            if row is None:
                raise BadInput(f'There is no image "{id}" in this workspace.')
            if state is not None:
                info, rows = dataset_states.at(db, row["dataset"], state)
                row = {**rows.get(id, row), "depth": info["depth"]}
        return self._image_row(row, Depth.parse(row["depth"]) if row["depth"] else None)

    def files_of_images(self) -> list[tuple[str, Path]]:
        """Id and file of every image that any data set has or had, those that count no more included."""
        with self.reading() as db:
            rows = db.execute("select id, dataset, path from images order by rowid").fetchall()
        return [(id, self._datasets / dataset / path) for id, dataset, path in rows]

    def _image_row(self, row: dict[str, Any], depth: Depth | None) -> ImageRow:
        folder = self._datasets / row["dataset"]
        known = {name: row[name] for name in IMAGE_COLUMNS}
        mask = folder / row["mask"] if row["mask"] else None
        return ImageRow(**known | {"path": folder / row["path"], "mask": mask, "depth": depth})

    def region(self, dataset: str | None = None, state: int | None = None) -> np.ndarray | None:
        """The region of interest, bool (H, W), True where something counts; None where all of an image does."""
        info = self.dataset(dataset, state)
        return read_mask(self._datasets / info.name / info.roi, None, info.roi) if info.roi else None

    def set_region(self, dataset: str | None, mask: np.ndarray | None, who: str = "") -> DatasetInfo:
        """Set the region of interest, bool (H, W), or take it away (None). Raises BadInput for one without sense."""
        from exdd_core import dataset_settings

        return dataset_settings.set_region(self, dataset, mask, who)

    # --- backbone ---------------------------------------------------------------------------------------

    @property
    def backbone_name(self) -> str:
        return str(self.setting("backbone"))

    def backbone(self, name: str | None = None) -> Backbone:
        """The workspace's backbone, or another by name; loaded once."""
        from exdd_core.detector import backbones

        name, _ = backbones.choose(name or self.backbone_name)
        with self._loading:
            if name not in self._backbones:
                self._backbones[name] = backbones.load(name)
            return self._backbones[name]

    # --- bank versions ------------------------------------------------------------------------------------

    def build(
        self,
        dataset: str | None = None,
        *,
        positives: str = "real",
        max_real_parts: int | None = None,
        seed: int = 0,
        negative_ratio: float | None = None,
        positive_ratio: float | None = None,
        size: Size | None = None,
        backbone: str | None = None,
        fusion: str | None = None,
        activate: bool = True,
        who: str = "",
        state: int | None = None,
        progress: Progress | None = None,
    ) -> BankVersion:
        """Build a bank version from the training split of a data set (None: the active one).

        positives: which defects teach the positive bank, one of `POSITIVES`: real ones, accepted synthetic ones,
        both or none. max_real_parts: at most that many defective parts, and of the training split only. The
        negative bank also gets what people marked as false alarms. The ratios are the shares of patches kept
        (0 to 1]; None leaves the detector's default. who: whoever asked for it. state: of the data set; None is as
        it is now. Raises BadInput where nothing can be built of that.
        """
        from exdd_core import curation, dataset_settings, recall
        from exdd_core.detector import Detector, Settings

        began, progress = time.monotonic(), progress or Progress()
        info, guessed = dataset_settings.settled(self, dataset, state, progress)
        normals, defects, note = self._training_images(info.name, positives, max_real_parts, seed, info.state)
        network = self.backbone(backbone)
        given: dict[str, Any] = {"negative_ratio": negative_ratio, "positive_ratio": positive_ratio}
        given["fusion"] = fusion
        settings = Settings(
            backbone=network.name,
            size=size or info.size,
            seed=seed,
            depth=info.depth,
            **{key: value for key, value in given.items() if value is not None},
        )
        with plainly(), self.making(self._banks, "build", progress) as temporary:
            detector = Detector(network, settings, self.region(info.name, info.state))
            detector.fit(normals, defects, progress)
            note = " ".join(filter(None, [guessed, note, *detector.notes(_larger(info, settings.size))]))
            detector = curation.without_false_alarms(self, info.name, detector, progress, state)
            progress.begin("Storing the bank version", 1)
            whole = temporary / "whole"
            whole.mkdir()
            detector.save(whole)
            row = {
                "id": uuid.uuid4().hex[:12],
                "dataset": info.name,
                "created": now(),
                "who": " ".join(who.split())[:40],
                "seconds": round(time.monotonic() - began, 2),
                "settings": {
                    **settings.to_json(),
                    "size": str(settings.size),
                    "keep_aspect": settings.size.keep_aspect,
                    "layers": network.layers,
                    "positives": positives,
                    "max_real_parts": max_real_parts,
                    "state": info.state,
                },
                "summary": {**detector.summary(), "radius": detector.radius, "note": note},
            }
            recall.keep(self, str(row["id"]), detector)
            manifest = {**row, "backbone_weights": network.weights, "libraries": _versions()}
            (whole / "manifest.json").write_text(json.dumps(manifest, indent=2))
            progress.advance()
            with self.placed(whole, self._banks / str(row["id"])) as db:
                dataset_states.at(db, info.name)  # raises where it was deleted meanwhile
                number = (
                    json.loads(_get(db, "last_bank_number", "0")) + 1
                )  # a deleted number never comes back
                _set(db, "last_bank_number", number)
                stored = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()}
                db.table("banks").insert({**stored, "number": number})
                if activate or _get(db, "active_bank", "null") == "null":
                    _activate(db, str(row["id"]))
        return self.bank(str(row["id"]))

    def _training_images(
        self, dataset: str, positives: str, max_real_parts: int | None, seed: int, state: int | None = None
    ) -> tuple[list[TrainingImage], list[TrainingImage], str]:
        """Normal and defective training images, and one sentence on what was left out ("" for nothing)."""
        from exdd_core import curation
        from exdd_core.datasets import integrity
        from exdd_core.detector.examples import TrainingImage

        if positives not in POSITIVES:
            raise BadInput(f'"{positives}" does not say which defects to use; choose {", ".join(POSITIVES)}.')
        accepted = curation.accepted(self, dataset) if positives in ("synthetic", "both") else []
        if positives == "synthetic" and not accepted:
            raise BadInput(
                "There are no accepted synthetic defects in this workspace; build with real ones or none."
            )
        rows = self.images(dataset, split="train", state=state)
        rows = [rows[i] for i in datasets.limit_parts(rows, max_real_parts, seed)]
        out = {side: curation.dropped(self, dataset, side) for side in ("negative", "positive")}
        normals = [row for row in rows if row.label == datasets.NORMAL and row.id not in out["negative"]]
        if not normals:
            raise BadInput(
                f'The training split of "{dataset}" has no normal images; nothing can be learned from it.'
            )
        wanted = positives in ("real", "both")
        defects = [
            row for row in rows if row.label == datasets.DEFECT and row.id not in out["positive"] and wanted
        ]
        empty = {f"{dataset}/{path}" for path in self.dataset(dataset, state).report["masks"]["empty"]}
        masked = [row for row in defects if row.mask is not None and row.id not in empty]
        notes = []
        if positives == "both" and not accepted:
            notes.append("There are no accepted synthetic defects yet, so only real ones were used.")
        if len(masked) < len(defects):
            notes.append(
                f"{len(defects) - len(masked)} defective images have no usable mask and were left out."
            )

        def training(row: ImageRow) -> TrainingImage:
            return TrainingImage(row.id, row.path, row.group, row.mask, row.defect_type)

        real = [training(row) for row in masked]
        if wanted and max_real_parts is None:
            # One that was moved to the training side is there already, and one that was retired teaches nothing.
            known = {row.id for row in self.images(dataset, split="test", state=state)}
            missed = curation.missed_defects(self, dataset)
            real += [image for image in missed if image.id in known or image.id.startswith("file:")]
        notes += filter(None, [integrity.few_normal(len(normals))])
        return [training(row) for row in normals], real + accepted, " ".join(notes)

    def banks(self, dataset: str | None = None) -> list[BankVersion]:
        """All bank versions, or those built from one data set; the newest first."""
        where = "where dataset = :dataset" if dataset else ""
        with self.reading() as db:
            active, pinned = (json.loads(_get(db, key, "null")) for key in ("active_bank", PINNED))
            found = list(db.query(f"select * from banks {where} order by number desc", {"dataset": dataset}))
        return [self._bank_version(row, active, pinned or []) for row in found]

    def bank(self, id: str | None = None) -> BankVersion:
        """The bank version of that id, name ("v3") or number; None: the active one. Raises BadInput."""
        if id is None:
            bank = self.active_bank()
            if bank is None:
                raise BadInput("There is no bank version yet; build one first.")
            return bank
        for bank in self.banks():
            if str(id) in (bank.id, bank.name, str(bank.number)):
                return bank
        names = ", ".join(bank.name for bank in self.banks()) or "none"
        raise BadInput(f'There is no bank version "{id}"; those here are: {names}.')

    def active_bank(self) -> BankVersion | None:
        return next((bank for bank in self.banks() if bank.active), None)

    def activate_bank(self, id: str) -> None:
        bank = self.bank(id)
        with self.writing() as db:
            _activate(db, bank.id)

    def roll_back(self) -> BankVersion:
        """Make the version active again that was so before, and return it. Raises BadInput where there is none."""
        there = {bank.id for bank in self.banks()}
        with self.writing() as db:
            active = json.loads(_get(db, "active_bank", "null"))
            former = [id for id in json.loads(_get(db, FORMER, "[]")) if id in there and id != active]
            if not former:
                raise BadInput("No other bank version was active before; choose one from the list.")
            _set(db, "active_bank", former.pop())
            _set(db, FORMER, former)
        return self.bank()

    def pin_bank(self, id: str, pinned: bool = True) -> None:
        """Protect a version from being deleted, or no longer."""
        bank = self.bank(id)
        with self.writing() as db:
            others = [other for other in json.loads(_get(db, PINNED, "[]")) if other != bank.id]
            _set(db, PINNED, [*others, bank.id] if pinned else others)

    def delete_bank(self, id: str) -> None:
        """Remove a bank version and its changes for good. Raises BadInput for the active one and a pinned one."""
        from exdd_core import landscape, recall

        bank = self.bank(id)
        with self.writing() as db:
            if _get(db, "active_bank", "null") == json.dumps(bank.id):
                raise BadInput(
                    f"{bank.name} is the active bank version; activate another before deleting it."
                )
            if bank.id in json.loads(_get(db, PINNED, "[]")):
                raise BadInput(f"{bank.name} is pinned; take the pin off before deleting it.")
            db.table("banks").delete(bank.id)
            db.execute("delete from bank_changes where bank = ?", [bank.id])
            (
                bank.path / MARK
            ).touch()  # should we be killed before the folder is gone, the next sweep takes it
        shutil.rmtree(bank.path, ignore_errors=True)
        recall.forget(self, bank.id)
        landscape.forget(self, bank.id)
        self.forget_detector(bank.id)

    def forget_detector(self, bank: str) -> None:
        """Let the detector of a version that is gone go, too."""
        with self._loading:
            self._detectors.pop(bank, None)

    def _bank_version(self, row: dict[str, Any], active: str | None, pinned: list[str]) -> BankVersion:
        parsed = {key: json.loads(row[key]) for key in ("settings", "summary")}
        kept = {"active": row["id"] == active, "pinned": row["id"] in pinned, "who": row["who"] or ""}
        return BankVersion(**row | parsed | kept, path=self._banks / row["id"])

    def detector(self, bank: str | None = None, until: int | None = None) -> Detector:
        """The detector of a bank version (None: the active one), with all that has come to its banks since.

        until: the number of its last change then (`history.newest`), for what is measured again; None: as it is now.
        The last two used stay in memory and notice what other threads and processes change.
        """
        from exdd_core import history, recall
        from exdd_core.detector import Detector

        version = self.bank(bank)
        with self._loading, plainly():
            with self.reading() as db:
                newest = history.newest(db, version.id)
            then = until is not None and until != newest
            newest = until if until is not None else newest
            last, detector = (0, None) if then else self._detectors.get(version.id, (0, None))
            if detector is None:
                network = self.backbone(version.settings["backbone"])
                detector = Detector.load(version.path, network)
                if detector.can_change:
                    detector.recall(recall.Features(self, version.id, detector))
            if last < newest:
                with self.reading() as db:
                    later = history.read(db, version.id, last, newest)
                last, detector = later.last, detector.changed(later.changes, later.state)
            if not then:
                self.keep_detector(version.id, last, detector)
            return detector

    def keep_detector(self, bank: str, last: int, detector: Detector) -> None:
        """Have this detector ready for whoever asks for the version; `last` is the number of its last change."""
        with self._loading:
            if bank not in self._detectors or self._detectors[bank][0] <= last:
                self._detectors[bank] = (last, detector)
            self._detectors.move_to_end(bank)
            while len(self._detectors) > DETECTORS_KEPT:
                self._detectors.popitem(last=False)


def _larger(info: DatasetInfo, size: Size) -> str:
    """The size at which a data set shows the defects that are smaller than a patch at this one; "" if not known."""
    return str(info.report["masks"].get("small_size", "")) if size == info.size else ""


def make_demo(path: Path | str, progress: Progress | None = None) -> Workspace:
    """The workspace that a newcomer meets: generated images and a first bank version.

    A workspace that has a data set of its own is opened and left alone; one that was killed on the way to
    its demo is completed.
    """
    from exdd_core.datasets import demo

    workspace = Workspace.open(path) if Workspace.exists(path) else Workspace.create(path)
    if not workspace.datasets():
        with tempfile.TemporaryDirectory(prefix="exdd-demo-") as folder:
            demo.generate(Path(folder) / "demo", progress=progress)
            workspace.import_dataset(Path(folder) / "demo", name="demo", progress=progress)
    if [info.name for info in workspace.datasets()] == ["demo"] and not workspace.setting("last_bank_number"):
        workspace.build("demo", progress=progress)
    return workspace


# --- rows -----------------------------------------------------------------------------------------------


def _connect(path: Path) -> sqlite3.Connection:
    if path.stat().st_size == 0:  # SQLite would take it for a new one, and remove the log beside it
        raise _damaged("it is empty")
    # mode=rw: a workspace that was deleted under our feet must not come back as an empty file
    return sqlite3.connect(f"{path.as_uri()}?mode=rw", uri=True, timeout=30)


def _damaged(why: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(why)
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    return error


def _write_schema(path: Path, settings: dict[str, str]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        db = Database(connection, execute_plugins=False)
        db.enable_wal()
        db.table("settings").create({"key": str, "value": str}, pk="key")
        schema.bring_up_to_date(db)
        for key, value in settings.items():
            _set(db, key, value)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # only the main file is renamed into place


def _get(db: Database, key: str, default: str) -> str:
    row = db.execute("select value from settings where key = ?", [key]).fetchone()
    return str(row[0]) if row else default


def _activate(db: Database, id: str) -> None:
    """Make a bank version the active one and remember which was."""
    active = json.loads(_get(db, "active_bank", "null"))
    former = json.loads(_get(db, FORMER, "[]"))
    if active not in (None, id):
        _set(db, FORMER, [*former, active][-FORMER_KEPT:])
    _set(db, "active_bank", id)


def _set(db: Database, key: str, value: Any) -> None:
    db.table("settings").upsert({"key": key, "value": json.dumps(value)}, pk="key")


def dataset_info(row: dict[str, Any], changed: bool = True) -> DatasetInfo:
    """What a row of `datasets` says."""
    report = json.loads(row["report"])
    return DatasetInfo(
        row["name"],
        row["layout"],
        row["title"],
        Size(row["width"], row["height"], bool(row["keep_aspect"])),
        row["created"],
        report["counts"],
        report,
        Depth.parse(row["depth"]) if row["depth"] else None,
        changed,
        dataset_states.current(row),
        row["called"] or row["name"],
        row["roi"],
        row["mask_rule"] or "",
    )


def now() -> str:
    """ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _versions() -> dict[str, str]:
    """Of the libraries on which a bank version depends."""
    wanted = (
        "torch",
        "torchvision",
        "timm",
        "faiss-gpu",
        "faiss-cpu",
        "numpy",
        "scikit-learn",
        "safetensors",
    )
    installed = {dist.name: dist.version for dist in metadata.distributions()}
    return {name: installed[name] for name in wanted if name in installed}
