"""A workspace: one folder with all stored data, and a database of its content.

    workspace.db      settings, data sets, images, bank versions (SQLite in WAL mode)
    jobs.db           messages to the worker of background jobs; the jobs themselves are rows of workspace.db
    datasets/NAME/    the files of a data set in their original layout, with train.csv and test.csv; converted and
                      drawn masks in exdd-masks/, regions of interest in roi-STATE.png
    banks/ID/         one bank version, which never changes; later changes are in the database
    candidates/ID/    one painted defect: image, measured mask, drawn mask
    copies/           copies of rows, in case the database is lost
    adapters/NAME/    what an engine was taught: a LoRA, samples, and what it was taught with
    cache/            results that can be computed again

Knows files, rows and which of both belong together. Does not know pages or commands, or how a bank is computed.

Every folder is made in a hidden place, renamed into place when it is complete, and counts once its row is in the
database. A folder that a killed process left has a mark and no row. Opening the workspace removes it, unless a lock
shows that its process is still running.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock, Timeout

from exdd_core import datasets, files
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.images import read_mask
from exdd_core.workspace import columns, context, copies, dataset_states, names, schema
from exdd_core.workspace.backup import keep_before_migration
from exdd_core.workspace.columns import BankColumns, DatasetColumns, ImageColumns
from exdd_core.workspace.connections import Connections
from exdd_core.workspace.failures import DATABASE, as_bad_input
from exdd_core.workspace.placing import LOCK, MADE, bring_caches_up_to_date, sweep
from exdd_core.workspace.rows import (
    BankSettings,
    BankVersion,
    DatasetInfo,
    FileDigests,
    ImageRow,
    dataset_info,
)
from exdd_core.workspace.settings import get, put
from exdd_core.workspace.versions import PINNED, built_to_measure, leading

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.detector.backbones import Backbone

    ById = Mapping[str, str]


class Workspace:
    """One workspace on disk. Any number of threads and processes may use it at the same time."""

    def __init__(self, path: Path | str):
        """Use `create` or `open`; this only stores the path."""
        self.path = Path(path).expanduser().resolve()
        self._connections = Connections(self.path / DATABASE)
        self._backbones: dict[str, Backbone] = {}
        self._loading = threading.RLock()  # so that threads load a network only once

    # --- making and opening ---------------------------------------------------------------------------

    @staticmethod
    def exists(path: Path | str) -> bool:
        return (Path(path).expanduser() / DATABASE).is_file()

    @classmethod
    def create(cls, path: Path | str, backbone: str = "auto") -> Workspace:
        """Make a workspace in a new or empty folder, and choose and load its backbone.

        Raises `BadInput` for a folder that is a workspace or has other files, for an unknown backbone and for one
        whose weights are not available.
        """
        from exdd_core.detector import backbones

        workspace = cls(path)
        name, reason = backbones.choose(backbone)
        # Load the weights now, so that missing ones are known before the first build.
        network = backbones.load(name)
        chosen = {"backbone": name, "backbone_reason": reason, "backbone_weights": network.weights}
        with as_bad_input():
            workspace.path.mkdir(parents=True, exist_ok=True)
            with FileLock(workspace.path / LOCK):
                if cls.exists(workspace.path):
                    raise BadInput(
                        f"There is already a workspace in {path}; open it or choose another folder."
                    )
                if any(not entry.name.startswith(".") for entry in workspace.path.iterdir()):
                    raise BadInput(f"{path} contains other files; choose a new or empty folder.")
                temporary = workspace.path / f".{DATABASE}"
                try:
                    temporary.unlink(missing_ok=True)
                    schema.write(temporary, chosen)
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
        """Open an existing workspace and remove what killed processes left incomplete. Raises `BadInput`.

        One that cannot be written to is left as it is: it can be looked at, and scores images.
        """
        workspace = cls(path)
        if not cls.exists(path):
            raise BadInput(
                f"There is no workspace in {path}; import a data set into it first, which creates one, "
                "or choose another folder with --workspace."
            )
        with workspace.reading() as db:
            version = schema.version(db)
        if version == 0:  # a workspace's database always has a version
            raise BadInput(
                f"{workspace.path / DATABASE} is not the database of a workspace; replace it with a copy "
                "from a backup, or choose another folder with --workspace."
            )
        if version > schema.VERSION:
            raise BadInput(
                f"The workspace {path} has version {version}, but this program uses version "
                f"{schema.VERSION}; use the version of the program that created it."
            )
        if not files.is_writable(workspace.path):
            _require_present(path, version)
            return workspace
        if version < schema.VERSION:
            keep_before_migration(workspace.path, version)
            with workspace.writing() as db:
                schema.bring_up_to_date(db)
            if version < 11:
                copies.keep_all(workspace)
        with as_bad_input():
            for name in (*MADE, "cache"):
                (workspace.path / name).mkdir(exist_ok=True)
            bring_caches_up_to_date(workspace.path / "cache")
            for name in MADE:
                try:
                    with FileLock(workspace.path / name / LOCK, timeout=0):
                        sweep(workspace, workspace.path / name)
                except Timeout:
                    pass  # the process that holds the lock will sweep
        return workspace

    @property
    def _datasets(self) -> Path:
        return self.path / "datasets"

    @property
    def _banks(self) -> Path:
        return self.path / "banks"

    # --- the database: threads share no connection --------------------------------------------------------

    def reading(self) -> AbstractContextManager[Database]:
        """A connection to read the database as it is now."""
        return self._connections.one()

    def keeping_open(self) -> AbstractContextManager[None]:
        """Within the block all reads of this thread are made through one connection (`Connections.keeping_open`)."""
        return self._connections.keeping_open()

    @contextmanager
    def writing(self) -> Iterator[Database]:
        """A transaction. It takes the write lock at once, since a later upgrade from reading to writing could fail."""
        with self._connections.new() as db:
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
            put(db, key, value)

    # --- data sets --------------------------------------------------------------------------------------

    def datasets(self) -> list[DatasetInfo]:
        """All data sets, the oldest first."""
        with self.reading() as db:
            found = columns.dataset_rows(db, "select * from datasets order by rowid")
        return [dataset_info(row) for row in found]

    def active_dataset(self) -> DatasetInfo | None:
        """The active data set, None where there is no data set."""
        return self.dataset() if self.active_name() else None

    def active_name(self) -> str | None:
        """The name of the data set that is worked on here (`context`), else of the active one."""
        named = context.dataset()
        return named if named and self.dataset_row(named) else self.setting("active_dataset")

    def dataset(self, name: str | None = None, state: int | None = None) -> DatasetInfo:
        """The data set of that name, its own or that for people (None: the active one), in a state (None: the current
        one). Raises `BadInput` where there is none."""
        wanted = name or self.active_name()
        if wanted is None:
            raise BadInput("There is no data set yet; import one first.")
        row = self.dataset_row(wanted)
        if row is None:
            names = ", ".join(info.called for info in self.datasets()) or "none"
            raise BadInput(f'There is no data set "{wanted}"; available data sets: {names}.')
        if state is not None and state != dataset_states.current(row):
            with self.reading() as db:
                row, _ = dataset_states.at(db, row["name"], state)
        return dataset_info(row)

    def activate_dataset(self, name: str) -> None:
        self.set_setting("active_dataset", self.dataset(name).name)

    def dataset_row(self, name: str) -> DatasetColumns | None:
        """The row of the data set of that name, or of that name for people; None where there is none."""
        query = "select * from datasets where name = :name or called = :name order by name <> :name"
        with self.reading() as db:
            return next(iter(columns.dataset_rows(db, query, {"name": name})), None)

    def images(
        self,
        dataset: str | None = None,
        split: str | None = None,
        label: str | None = None,
        defect_type: str | None = None,
        state: int | None = None,
    ) -> list[ImageRow]:
        """The readable images of a data set (None: the active one) in natural order, without retired ones.

        split, label, defect_type: filters; None does not filter. state: of the data set; None for the current one.
        """
        info = self.dataset(dataset, state)
        filters = {"split": split, "label": label, "defect_type": defect_type}
        wanted = {k: v for k, v in filters.items() if v is not None}
        with self.reading() as db:
            if state is None:  # the table is as they are now
                terms = "".join(f" and {name} = :{name}" for name in wanted)
                query = (
                    f"select * from images where dataset = :dataset and retired is null{terms} order by rowid"
                )
                found = columns.image_rows(db, query, {"dataset": info.name, **wanted})
            else:
                _, rows = dataset_states.at(db, info.name, state)
                found = [
                    row
                    for row in dataset_states.counting(rows)
                    if all(row.get(name) == value for name, value in wanted.items())
                ]
        if info.state > dataset_states.FIRST:  # images that joined later have later rows
            found.sort(key=lambda row: datasets.natural_key(row["path"]))
        return [self._image_row(row, info.depth) for row in found]

    def image(self, id: str, state: int | None = None) -> ImageRow:
        """One image, retired or not, in a state of its data set (None: the current one). Raises `BadInput`."""
        with self.reading() as db:
            found = columns.image_rows(db, "select * from images where id = ?", [id])
            if not found:
                raise BadInput(f'There is no image "{id}" in this workspace.')
            row = found[0]
            if state is None:
                owner = db.execute("select depth from datasets where name = ?", [row["dataset"]]).fetchone()
                depth = owner[0] if owner else None  # the data set may have been deleted
            else:
                info, rows = dataset_states.at(db, row["dataset"], state)
                row, depth = rows.get(id, row), info["depth"]
        return self._image_row(row, Depth.parse(depth) if depth else None)

    def files_of_images(self) -> list[tuple[str, Path]]:
        """Id and file of every image of any data set, retired and undone ones included."""
        with self.reading() as db:
            rows = db.execute("select id, dataset, path from images order by rowid").fetchall()
        return [(id, self._datasets / dataset / path) for id, dataset, path in rows]

    def image_rows(self, dataset: str, rows: Sequence[ImageColumns]) -> list[ImageRow]:
        """Rows of the table `images` as values."""
        depth = self.dataset(dataset).depth
        return [self._image_row(row, depth) for row in rows]

    def _image_row(self, row: ImageColumns, depth: Depth | None) -> ImageRow:
        folder = self._datasets / row["dataset"]
        return ImageRow(
            id=row["id"],
            dataset=row["dataset"],
            path=folder / row["path"],
            label=row["label"],
            split=row["split"],
            defect_type=row["defect_type"],
            mask=folder / row["mask"] if row["mask"] else None,
            group=row["group"],
            width=row["width"],
            height=row["height"],
            depth=depth,
        )

    def region(self, dataset: str | None = None, state: int | None = None) -> np.ndarray | None:
        """The region of interest, bool (H, W), True where an image counts; None where all of it does."""
        info = self.dataset(dataset, state)
        return read_mask(self._datasets / info.name / info.roi, None, info.roi) if info.roi else None

    # --- backbone ---------------------------------------------------------------------------------------

    @property
    def backbone_name(self) -> str:
        return str(self.setting("backbone"))

    def backbone(self, name: str | None = None) -> Backbone:
        """The workspace's backbone, or another by name. Loads it once."""
        from exdd_core.detector import backbones

        name, _ = backbones.choose(name or self.backbone_name)
        with self._loading:
            if name not in self._backbones:
                self._backbones[name] = backbones.load(name)
            return self._backbones[name]

    # --- bank versions ------------------------------------------------------------------------------------

    def banks(self, dataset: str | None = None) -> list[BankVersion]:
        """All bank versions, or those built from one data set; the newest first."""
        where = "where dataset = :dataset" if dataset else ""
        with self.reading() as db:
            active, pinned = leading(db, context.dataset()), json.loads(get(db, PINNED, "null"))
            query = f"select * from banks {where} order by number desc"
            found = columns.bank_rows(db, query, {"dataset": dataset})
            measured, called = built_to_measure(db), names.of_banks(db)
        return [self._bank_version(row, active, pinned or [], measured, called) for row in found]

    def bank(self, id: str | None = None) -> BankVersion:
        """The bank version of that id, name ("v3", or its other one) or number (None: the active one)."""
        if id is None:
            bank = self.active_bank()
            if bank is None:
                raise BadInput("There is no bank version yet; build one first.")
            return bank
        for bank in self.banks():
            if str(id) in (bank.id, bank.name, str(bank.number), bank.called or bank.id):
                return bank
        there = ", ".join(bank.name for bank in self.banks()) or "none"
        raise BadInput(f'There is no bank version "{id}"; available bank versions: {there}.')

    def active_bank(self, dataset: str = "") -> BankVersion | None:
        """The active version; that of a data set where one is named or worked on (`context`) and has one."""
        with context.working_on(dataset):
            return next((bank for bank in self.banks() if bank.active), None)

    def _bank_version(
        self, row: BankColumns, active: str | None, pinned: list[str], measured: ById, called: ById
    ) -> BankVersion:
        settings: BankSettings = json.loads(row["settings"])
        return BankVersion(
            id=row["id"],
            number=row["number"],
            dataset=row["dataset"],
            created=row["created"],
            seconds=row["seconds"],
            settings=settings,
            summary=json.loads(row["summary"]),
            active=row["id"] == active,
            path=self._banks / row["id"],
            pinned=row["id"] in pinned,
            who=row["who"] or "",
            files=FileDigests(**json.loads(row["files"])) if row["files"] else None,
            made_for=settings.get("made_for") or measured.get(row["id"], ""),
            called=called.get(row["id"], ""),
        )


def _require_present(path: Path | str, version: int) -> None:
    """Raise `BadInput` for a workspace of an older program in a place that cannot be written to."""
    if version < schema.VERSION:
        raise BadInput(
            f"The workspace {path} has version {version} and must be upgraded to version "
            f"{schema.VERSION}, but cannot be written to; copy it to another place and open it there."
        )
