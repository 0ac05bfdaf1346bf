"""A map of both banks of a version: their rows in two dimensions, and the images that rows come from.

The map by principal components is computed at once. The one by UMAP (McInnes et al., arXiv 1802.03426) takes a minute
and is a job; its result is cached with the version. Knows banks, detectors and files of images. Does not know colours
or pages.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict
from zipfile import BadZipFile

import numpy as np

from exdd_core import extras, files, images, tables
from exdd_core.banks import history, teachers
from exdd_core.banks.detectors import load_detector
from exdd_core.banks.histograms import METHODS
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.held_out import sample
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.sentences import count
from exdd_core.workspace import candidates
from exdd_core.workspace.versions import cache_of

if TYPE_CHECKING:
    from exdd_core.depth import Depth
    from exdd_core.detector import Detector
    from exdd_core.workspace import Workspace

MOST = 20_000  # rows on a map: more are no clearer, and slow to draw
NEIGHBOURS = 15  # of each row, whose distances UMAP preserves
# Principal components that UMAP is given: further ones are mostly noise, and cost time.
COMPONENTS = 50


class MapImage(TypedDict):
    """An image on a map: `BankImage` as JSON, and "negative" or "positive"."""

    id: str
    group: str
    defect_type: str
    origin: str
    donor: str
    side: str


class MapColumns(TypedDict):
    """`BankMap` as JSON, a list a column."""

    method: str
    x: list[float]
    y: list[float]
    image: list[int]
    row: list[int]
    column: list[int]
    images: list[MapImage]
    explained: list[float]
    left_out: int


@dataclass(frozen=True)
class BankMap:
    """Rows of both banks on a map. place: float32 (n, 2). image: int (n,), an index into `images`. position: int
    (n, 2), row and column on that image's patch grid. sides: "negative" or "positive" of each image. explained: share
    of the variance along each axis, of a map by principal components. left_out: rows that are in a bank and not here.
    """

    method: str
    place: np.ndarray
    image: np.ndarray
    position: np.ndarray
    images: list[BankImage]
    sides: list[str]
    explained: tuple[float, ...]
    left_out: int

    def to_json(self) -> MapColumns:
        """Columns of plain numbers, as a page draws them."""
        return {
            "method": self.method,
            "x": np.round(self.place[:, 0].astype(float), 4).tolist(),
            "y": np.round(self.place[:, 1].astype(float), 4).tolist(),
            "image": self.image.tolist(),
            "row": self.position[:, 0].tolist(),
            "column": self.position[:, 1].tolist(),
            "images": [_map_image(image, side) for image, side in zip(self.images, self.sides, strict=True)],
            "explained": list(self.explained),
            "left_out": self.left_out,
        }


def _map_image(image: BankImage, side: str) -> MapImage:
    return {
        "id": image.id,
        "group": image.group,
        "defect_type": image.defect_type,
        "origin": image.origin,
        "donor": image.donor,
        "side": side,
    }


def map_bank(workspace: Workspace, bank: str | None = None, method: str = "pca") -> BankMap:
    """Both banks of a version (None: the active one), as they are now. Raises BadInput for a map that is not made."""
    version = workspace.bank(bank)
    if method not in METHODS:
        raise BadInput(f'There is no map "{method}"; choose {" or ".join(METHODS)}.')
    every = _Rows.of(load_detector(workspace, version.id))
    if method == "pca":
        place, explained = principal_components(every.rows, every.positive)
        return every.on(method, place, np.ones(len(place), bool), explained)
    known = _kept(_file(workspace, version.id))
    if known is None and has_umap(workspace, version.id):
        _file(workspace, version.id).unlink(missing_ok=True)
        raise BadInput(f"The UMAP map of {version.name} was damaged and has been removed; create it again.")
    if known is None:
        raise BadInput(f"The UMAP map of {version.name} does not exist yet; create it, which takes a minute.")
    keys = every.keys()
    there = np.array([key in known for key in keys], bool)
    place = np.array([known[key] for key in keys if key in known], np.float32).reshape(-1, 2)
    return every.on(method, place, there, ())


def write_csv(found: BankMap, file: Path) -> None:
    """A line for every row of the map: where it lies, which bank it is of and where it comes from."""
    with files.whole(file) as place, place.open("w", newline="", encoding="utf-8") as opened:
        columns = ("x", "y", "bank", "image", "row", "column", "source", "defect_type", "part")
        tables.write(opened, columns, (dict(zip(columns, line, strict=True)) for line in _lines(found)))


def _lines(found: BankMap) -> Iterator[tuple[object, ...]]:
    for (x, y), at, (row, column) in zip(found.place, found.image, found.position, strict=True):
        image, side = found.images[at], found.sides[at]
        source = "normal" if side == "negative" else image.origin
        yield f"{x:.4f}", f"{y:.4f}", side, image.id, row, column, source, image.defect_type, image.group


def has_umap(workspace: Workspace, bank: str) -> bool:
    """Whether there is a map by UMAP of the version of this id."""
    return _file(workspace, bank).exists()


def make_umap(workspace: Workspace, bank: str | None = None, progress: Progress | None = None) -> BankMap:
    """Make the map by UMAP of a version and keep it with it; the same rows give the same map. Raises BadInput."""
    version, progress = workspace.bank(bank), progress or Progress()
    extras.MAP.require()
    progress.begin("Loading the bank version", 1)
    every = _Rows.of(load_detector(workspace, version.id))
    place = umap_layout(every.rows, every.positive, progress)
    _keep(_file(workspace, version.id), every, place)
    return every.on("umap", place, np.ones(len(place), bool), ())


def principal_components(
    rows: np.ndarray, positive: np.ndarray, count: int = 2
) -> tuple[np.ndarray, tuple[float, ...]]:
    """The first principal components of rows (n, d): float32 (n, count), and the share of variance along each.

    Both banks have the same weight, though one is many times larger. positive: bool (n,), True for rows of the positive
    bank, whose mean has the larger first coordinate.
    """
    weight = np.full(len(rows), 1.0)
    for own in (positive, ~positive):
        weight[own] = 1 / max(1, int(own.sum()))
    weight /= weight.sum()
    centred = rows - (weight @ rows).astype(np.float32)
    spread = (centred * weight[:, None].astype(np.float32)).T @ centred
    values, vectors = np.linalg.eigh(spread.astype(np.float64))
    axes = vectors[:, ::-1][:, :count]
    place = (centred @ axes.astype(np.float32)).astype(np.float32)
    if positive.any() and not positive.all():
        place *= np.where(place[positive].mean(0) < place[~positive].mean(0), -1, 1).astype(np.float32)
    total = max(float(values.sum()), 1e-12)
    return place, tuple(float(max(v, 0) / total) for v in values[::-1][:count])


def umap_layout(rows: np.ndarray, positive: np.ndarray, progress: Progress) -> np.ndarray:
    """Rows (n, d) on a map by UMAP, float32 (n, 2). Raises BadInput for fewer than twenty, and `Cancelled`."""
    if len(rows) < 20:
        raise BadInput("UMAP needs at least 20 rows, and this version has fewer; use the PCA map.")
    progress.begin("Loading UMAP", 1)
    from umap import UMAP  # half a minute where its code was never compiled before

    progress.begin("Finding neighbours", 1)
    reduced = principal_components(rows, positive, min(COMPONENTS, rows.shape[1]))[0]
    numbers = np.arange(len(reduced))
    bank = Bank(reduced, np.zeros_like(numbers), np.zeros((len(numbers), 2)), [BankImage("", "")])
    distances, found = bank.search(reduced, min(NEIGHBOURS, len(reduced) - 1))
    start = reduced[:, :2] / max(float(np.abs(reduced[:, :2]).max()), 1e-12) * 10
    layout = UMAP(
        n_neighbors=found.shape[1],
        precomputed_knn=(found, distances, None),
        init=start,
        random_state=0,
        n_jobs=1,  # UMAP uses one thread wherever it has a seed
        tqdm_kwds={"file": _Counted(progress, f"Laying out {count(len(rows), 'row')}"), "disable": False},
    )
    with warnings.catch_warnings():
        # UMAP warns that a map from given neighbours cannot place further rows; none are placed.
        warnings.filterwarnings("ignore", "precomputed_knn")
        return np.asarray(layout.fit_transform(reduced), np.float32)


class _Counted:
    """The file that UMAP writes its progress bar to: its only way to report progress and to be cancelled."""

    def __init__(self, progress: Progress, stage: str):
        self._progress, self._stage = progress, stage

    def write(self, line: str) -> None:
        if counted := re.search(r"(\d+)/(\d+)", line):
            done, total = map(int, counted.groups())
            if self._progress.stage != self._stage:
                self._progress.begin(self._stage, total)
            self._progress.advance(done - self._progress.done)

    def flush(self) -> None:
        pass


@dataclass(frozen=True)
class _Rows:
    """Rows of both banks in one array, those of the negative bank first; at most MOST of them."""

    rows: np.ndarray
    image: np.ndarray
    position: np.ndarray
    images: list[BankImage]
    sides: list[str]
    left_out: int

    @classmethod
    def of(cls, detector: Detector) -> _Rows:
        negative, positive = detector.negative, detector.positive
        seed = detector.settings.seed
        defects = sample(positive, MOST // 2, seed) if positive else np.zeros(0, int)
        normals = sample(negative, MOST - len(defects), seed)
        parts = [(negative, normals)] + ([(positive, defects)] if positive else [])
        first = len(negative.images)
        named = list(negative.images) + (list(positive.images) if positive else [])
        return cls(
            np.concatenate([bank.rows[chosen] for bank, chosen in parts]),
            np.concatenate([bank.image[chosen] + at * first for at, (bank, chosen) in enumerate(parts)]),
            np.concatenate([bank.position[chosen] for bank, chosen in parts]),
            named,
            ["negative"] * first + ["positive"] * (len(named) - first),
            sum(len(bank) - len(chosen) for bank, chosen in parts),
        )

    @property
    def positive(self) -> np.ndarray:
        """Which rows are of the positive bank: bool (n,)."""
        return np.array([side == "positive" for side in self.sides], bool)[self.image]

    def keys(self) -> list[tuple[str, str, int, int]]:
        """A key of each row that stays the same when other rows come or go: its bank, image, row and column."""
        names = [(side, image.id) for side, image in zip(self.sides, self.images, strict=True)]
        return [
            (*names[i], y, x) for i, (y, x) in zip(self.image.tolist(), self.position.tolist(), strict=True)
        ]

    def on(self, method: str, place: np.ndarray, there: np.ndarray, explained: tuple[float, ...]) -> BankMap:
        return BankMap(
            method,
            place,
            self.image[there],
            self.position[there],
            self.images,
            self.sides,
            explained,
            self.left_out + int((~there).sum()),
        )


def _file(workspace: Workspace, bank: str) -> Path:
    return cache_of(workspace, bank) / "map.npz"


def _keep(file: Path, every: _Rows, place: np.ndarray) -> None:
    names = json.dumps([[side, i.id] for side, i in zip(every.sides, every.images, strict=True)])
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.sealed(file) as unfinished:
        np.savez(unfinished, place=place, image=every.image, position=every.position, names=np.array(names))


def _kept(file: Path) -> dict[tuple[str, str, int, int], list[float]] | None:
    """Where each row lies, by its key; None where there is no map, or a damaged one."""
    try:
        if files.holds(file) is False:
            return None
        with np.load(file) as found:
            names = json.loads(str(found["names"]))
            columns = (found[name].tolist() for name in ("image", "position", "place"))
            return {(*names[i], y, x): place for i, (y, x), place in zip(*columns, strict=True)}
    except (OSError, ValueError, KeyError, IndexError, BadZipFile):
        return None


@dataclass(frozen=True)
class SourceImage:
    """An image that a bank has rows of. shape: (H, W). boxes: (x0, y0, x1, y1) in its pixels, of the patches asked for.
    depth: the bit depth that the bank reads it with."""

    id: str
    path: Path
    shape: tuple[int, int]
    boxes: list[tuple[int, int, int, int]]
    depth: Depth | None = None


def source_image(
    workspace: Workspace, bank: str, image: str, patches: Sequence[tuple[int, int]] = ()
) -> SourceImage:
    """An image of a version's banks and where patches (row, column) lie on it. Raises BadInput."""
    version, path = workspace.bank(bank), image_file(workspace, image)
    width, height = images.probe(path)
    size = images.Size.parse(version.settings["size"], bool(version.settings.get("keep_aspect")))
    detector = load_detector(workspace, version.id)
    grid = detector.grid
    if any(not (0 <= y < grid[0] and 0 <= x < grid[1]) for y, x in patches):
        raise BadInput(f"The patch grid of {version.name} has {grid[0]} rows and {grid[1]} columns.")
    boxes = [images.patch_box(y, x, grid, size, (height, width)) for y, x in patches]
    return SourceImage(image, path, (height, width), boxes, detector.settings.depth)


def patches_of_image(workspace: Workspace, bank: str, image: str, side: str) -> list[tuple[int, int]]:
    """The patches, (row, column), of an image that a bank holds rows of. side: "negative" or "positive"."""
    detector = load_detector(workspace, bank)
    held = detector.positive if side == "positive" else detector.negative
    if held is None:
        return []
    return [(int(y), int(x)) for y, x in held.position[held.of_images([image])]]


def image_file(workspace: Workspace, image: str) -> Path:
    """The file of an image that a bank names: of a data set, painted, or marked by somebody. Raises BadInput."""
    try:
        return workspace.image(image).path
    except BadInput:
        pass
    mark = teachers.marked_images(workspace).get(image)
    if mark is not None:
        return workspace.path / mark.detail["path"]
    try:
        return candidates.get(workspace, image).image
    except BadInput:
        raise BadInput(f'The image "{image}" is no longer in this workspace.') from None


def stamp(workspace: Workspace, bank: str) -> str:
    """A string that changes whenever the map of a version may have changed."""
    file = _file(workspace, bank)
    made = file.stat().st_mtime_ns if file.exists() else 0
    with workspace.reading() as db:
        return f"{bank} {history.newest(db, bank)} {made}"
