"""A memory bank (Eq. 5-6): patch features with the place each one came from, and the search for the nearest.

Rows are added and removed by image. The bank knows distances, never what a distance means: scores are made
elsewhere. Search is exact (flat L2) by faiss, on the GPU where faiss has one.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import faiss
import numpy as np
import torch  # noqa: F401  (loaded before faiss searches: both bring an OpenMP, and torch's must come first)
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from exdd_core.errors import BadInput

QUERIES_AT_ONCE = 8192


@dataclass(frozen=True)
class BankImage:
    """Where rows come from: an image, the physical part it shows, and what is known of its defect."""

    id: str
    group: str
    defect_type: str = ""
    origin: str = "real"  # or "synthetic"


class Bank:
    """Patch features and their origins.

    rows: float32 (n, d). image: int32 (n,), an index into `images`. position: int16 (n, 2), row and column on that
    image's patch grid.
    """

    def __init__(
        self, rows: np.ndarray, image: np.ndarray, position: np.ndarray, images: Iterable[BankImage]
    ):
        self.rows = np.ascontiguousarray(rows, np.float32)
        self.image = np.asarray(image, np.int32)
        self.position = np.asarray(position, np.int16)
        self.images = list(images)
        if not (len(self.rows) == len(self.image) == len(self.position)):
            raise ValueError("rows, image and position must be of one length")
        self._index: faiss.Index | None = None
        self._neighbours: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dimension(self) -> int:
        return self.rows.shape[1]

    @property
    def groups(self) -> np.ndarray:
        """The physical part of every row: str (n,)."""
        return np.array([i.group for i in self.images])[self.image] if len(self) else np.zeros(0, str)

    def of(self, name: str) -> np.ndarray:
        """Which rows come from the physical part, or the image, of that name: bool (n,)."""
        mine = np.array([name in (i.group, i.id) for i in self.images], bool)
        return mine[self.image]

    def origin(self, row: int) -> tuple[BankImage, int, int]:
        """The image of a row, and its row and column on that image's patch grid."""
        y, x = self.position[row]
        return self.images[self.image[row]], int(y), int(x)

    def rows_by_image(self) -> dict[str, int]:
        """How many rows each image has in the bank, most first; images without any are left out."""
        counts = np.bincount(self.image, minlength=len(self.images))
        pairs = ((self.images[i].id, int(counts[i])) for i in np.argsort(-counts, kind="stable") if counts[i])
        return dict(pairs)

    def search(
        self, queries: np.ndarray, k: int = 1, without: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest rows of every query.

        queries: float32 (q, d). without: bool (n,), rows that must not be found, such as those of the queries' own
        physical part. Returns distances float32 (q, k), Euclidean and ascending, and row numbers int64 (q, k); where
        fewer than k rows are left, the last one is repeated; where none is, distances are infinite and numbers -1.
        Raises BadInput for features of another length than the bank's.
        """
        self._check(queries)
        if without is None or not without.any():
            if self._index is None:
                self._index = _flat_index(self.rows)
            return _search(self._index, self.rows, queries, k)
        others = np.flatnonzero(~without)
        rows = self.rows[others]
        distances, numbers = _search(_flat_index(rows), rows, queries, k)
        return distances, others[numbers] if len(others) else numbers

    def around(self, queries: np.ndarray, matched: np.ndarray, b: int) -> np.ndarray:
        """Distances from every query to the b bank rows nearest to its matched row, that row first (Eq. 16-17).

        queries: float32 (q, d). matched: int64 (q,), row numbers. Returns float32 (q, min(b, n)).
        """
        if self._neighbours is None or self._neighbours.shape[1] < min(b, len(self)):
            found = self.search(self.rows, b)[1][:, : len(self)]
            for i in np.flatnonzero(
                found[:, 0] != np.arange(len(self))
            ):  # copies of one row: itself comes first
                others = found[i][found[i] != i]
                found[i] = np.concatenate([[i], others])[: found.shape[1]]
            self._neighbours = found
        near = self.rows[self._neighbours[matched, :b]]  # (q, b, d)
        return np.linalg.norm(queries[:, None] - near, axis=-1)

    def add(self, image: BankImage, rows: np.ndarray, position: np.ndarray) -> None:
        """Append the rows (m, d) of one image with their grid positions (m, 2)."""
        self._check(rows)
        if image.id in {i.id for i in self.images}:
            raise BadInput(f"{image.id} is already in the bank; remove it first.")
        self.images.append(image)
        self.rows = np.concatenate([self.rows, np.asarray(rows, np.float32)])
        self.image = np.concatenate([self.image, np.full(len(rows), len(self.images) - 1, np.int32)])
        self.position = np.concatenate([self.position, np.asarray(position, np.int16)])
        self._forget()

    def remove(self, image_id: str) -> int:
        """Drop every row of one image; returns how many there were. Raises BadInput for an unknown image."""
        number = next((i for i, image in enumerate(self.images) if image.id == image_id), None)
        if number is None:
            raise BadInput(f"{image_id} is not in the bank.")
        keep = self.image != number
        self.rows, self.position = self.rows[keep], self.position[keep]
        self.image = self.image[keep] - (self.image[keep] > number)
        del self.images[number]
        self._forget()
        return int((~keep).sum())

    def save(self, file: Path) -> None:
        """Write the bank to one safetensors file; origins travel in its metadata."""
        arrays: dict[str, np.ndarray] = {"rows": self.rows, "image": self.image, "position": self.position}
        save_file(arrays, file, metadata={"images": json.dumps([asdict(i) for i in self.images])})

    @classmethod
    def load(cls, file: Path) -> Bank:
        """Read what `save` wrote. Raises BadInput when the file is missing or damaged."""
        try:
            arrays = load_file(file)
            with safe_open(file, "numpy") as opened:
                images = [BankImage(**i) for i in json.loads(opened.metadata()["images"])]
            return cls(arrays["rows"], arrays["image"], arrays["position"], images)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise BadInput(f"The bank file {file} is missing or damaged; build the bank again.") from error

    def _forget(self) -> None:
        """Drop what was derived from the rows."""
        self._index, self._neighbours = None, None

    def _check(self, features: np.ndarray) -> None:
        if features.ndim != 2 or features.shape[1] != self.dimension:
            raise BadInput(
                f"Features of length {features.shape[-1]} were compared with a bank of length {self.dimension}; "
                "use the backbone and layers that the bank was built with."
            )


@functools.cache
def _gpu_resources() -> faiss.StandardGpuResources:
    return faiss.StandardGpuResources()  # sets memory aside, so all indexes share one


def _flat_index(rows: np.ndarray) -> faiss.Index:
    index: faiss.Index = faiss.IndexFlatL2(rows.shape[1])
    if getattr(faiss, "get_num_gpus", int)():  # faiss-cpu lacks the function or answers 0
        index = faiss.index_cpu_to_gpu(_gpu_resources(), 0, index)
    index.add(np.ascontiguousarray(rows))
    return index


def _search(
    index: faiss.Index, rows: np.ndarray, queries: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    queries = np.ascontiguousarray(queries, np.float32)
    distances = np.full((len(queries), k), np.inf, np.float32)
    numbers = np.full((len(queries), k), -1, np.int64)
    there = min(k, len(rows))
    for start in range(0, len(queries) if there else 0, QUERIES_AT_ONCE):
        part = queries[start : start + QUERIES_AT_ONCE]
        squared, found = index.search(part, there)
        # faiss expands |a - b|^2 into dot products and loses digits where a and b are alike: measured again there.
        scale = np.einsum("qd,qd->q", part, part)[:, None]
        close_q, close_k = np.nonzero(squared < 1e-3 * scale)
        gap = part[close_q] - rows[found[close_q, close_k]]
        squared[close_q, close_k] = np.einsum("qd,qd->q", gap, gap)
        stop = start + len(part)
        distances[start:stop, :there], numbers[start:stop, :there] = np.sqrt(np.maximum(squared, 0)), found
    if 0 < there < k:
        distances[:, there:], numbers[:, there:] = (
            distances[:, there - 1 : there],
            numbers[:, there - 1 : there],
        )
    return distances, numbers
