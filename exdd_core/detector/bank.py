"""A memory bank (Eq. 5-6): patch features with their places of origin, and the search for the nearest rows.

Rows are added and removed by image; the search is exact. Knows features, images and physical parts by name, and
safetensors files. Does not know what a distance means.
"""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from exdd_core.detector.flat_search import FlatIndex
from exdd_core.detector.soundness import Damaged, require_bank_arrays
from exdd_core.errors import BadInput
from exdd_core.spec import Json


@dataclass(frozen=True)
class BankImage:
    """The image that rows come from: its id, the physical part it shows, and its defect.

    origin: "real" or "synthetic". donor: the physical part whose defect was transplanted into the image, or "".
    engine: what painted a synthetic one, and vouched: whether a person accepted it by itself, not among many.
    taught_by: the physical parts whose images its engine was taught with.
    """

    id: str
    group: str
    defect_type: str = ""
    origin: str = "real"
    donor: str = ""
    engine: str = ""
    vouched: bool = False
    taught_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "taught_by", tuple(self.taught_by))  # JSON has lists

    @property
    def parts(self) -> frozenset[str]:
        """Every physical part that the image may show something of."""
        return frozenset((self.group, self.donor, *self.taught_by)) - {""}

    def to_json(self) -> Json:
        """The image as JSON. Without `taught_by` where it is empty: older versions of the program do not know it."""
        return {name: value for name, value in asdict(self).items() if value or name != "taught_by"}


class Bank:
    """Patch features and their origins.

    rows: float32 (n, d). image: int32 (n,), an index into `images`. position: int16 (n, 2), row and column on
    the patch grid of that image. surroundings: float32 (n, e), the mean features around each row
    (`context.around`), NaN where unknown, or None for a bank without them; distances do not use them.
    """

    def __init__(
        self,
        rows: np.ndarray,
        image: np.ndarray,
        position: np.ndarray,
        images: Iterable[BankImage],
        surroundings: np.ndarray | None = None,
    ):
        self.rows = np.ascontiguousarray(rows, np.float32)
        self.image = np.asarray(image, np.int32)
        self.position = np.asarray(position, np.int16)
        self.images = list(images)
        self.surroundings = None if surroundings is None else np.ascontiguousarray(surroundings, np.float32)
        lengths = {len(self.rows), len(self.image), len(self.position)}
        if self.surroundings is not None:
            lengths.add(len(self.surroundings))
        if len(lengths) > 1:
            raise ValueError("rows, image, position and surroundings must be of one length")
        self._forget()

    def __getstate__(self) -> Json:
        """Pickle without the search index and `parts`, which the other process builds itself."""
        return {**vars(self), "_index": None, "parts": {}}

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dimension(self) -> int:
        return self.rows.shape[1]

    @property
    def groups(self) -> np.ndarray:
        """The physical part of every row: str (n,)."""
        return np.array([i.group for i in self.images])[self.image] if len(self) else np.zeros(0, str)

    @property
    def real(self) -> np.ndarray:
        """Which rows come from real defects, or from normal images: bool (n,)."""
        return np.array([i.origin == "real" for i in self.images], bool)[self.image]

    def of(self, *names: str) -> np.ndarray:
        """Which rows come from the physical parts, or the images, of these names: bool (n,).

        A painted defect comes from several parts: that of its image, that of its donor, and those that its engine
        was taught by.
        """
        wanted = set(names) - {""}
        mine = np.array([not wanted.isdisjoint((i.id, *i.parts)) for i in self.images], bool)
        return mine[self.image]

    def by_image(self, values: np.ndarray) -> dict[str, np.ndarray]:
        """Arrays of the values of each image's rows, by image id. values: (n, ...), one for every row."""
        return {image.id: values[self.image == number] for number, image in enumerate(self.images)}

    def of_images(self, ids: Iterable[str]) -> np.ndarray:
        """Which rows come from the images of these ids: bool (n,)."""
        wanted = set(ids)
        return np.array([i.id in wanted for i in self.images], bool)[self.image]

    def of_image(self, id: str) -> Bank:
        """A bank of one image's rows."""
        return self.take(np.flatnonzero(self.of_images([id])))

    def take(self, numbers: np.ndarray) -> Bank:
        """A bank of the rows with these numbers. It lists the same images, even those without a row in it."""
        surroundings = None if self.surroundings is None else self.surroundings[numbers]
        return Bank(
            self.rows[numbers], self.image[numbers], self.position[numbers], self.images, surroundings
        )

    def joined(self, other: Bank) -> Bank:
        """A bank of these rows and then the other's; with surroundings where both have them."""
        surroundings = None
        if self.surroundings is not None and other.surroundings is not None:
            surroundings = np.concatenate([self.surroundings, other.surroundings])
        return Bank(
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.image, other.image + len(self.images)]),
            np.concatenate([self.position, other.position]),
            [*self.images, *other.images],
            surroundings,
        )

    def with_surroundings(self) -> Bank:
        """The rows whose surroundings are known."""
        there = (
            np.zeros(len(self), bool) if self.surroundings is None else np.isfinite(self.surroundings).all(1)
        )
        return self.take(np.flatnonzero(there))

    def without_surroundings(self) -> Bank:
        """The same rows, for searches alone."""
        return Bank(self.rows, self.image, self.position, self.images)

    def origin(self, row: int) -> tuple[BankImage, int, int]:
        """The image of a row, and its row and column on that image's patch grid."""
        y, x = self.position[row]
        return self.images[self.image[row]], int(y), int(x)

    def rows_by_image(self) -> dict[str, int]:
        """The number of rows of each image id, largest first; without images that have no row."""
        counts = np.bincount(self.image, minlength=len(self.images))
        pairs = ((self.images[i].id, int(counts[i])) for i in np.argsort(-counts, kind="stable") if counts[i])
        return dict(pairs)

    def search(
        self, queries: np.ndarray, k: int = 1, without: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The k nearest rows of every query.

        queries: float32 (q, d). without: bool (n,), rows to leave out, such as those of the queries' own
        physical part. Returns distances float32 (q, k), Euclidean and ascending, and row numbers int64 (q,
        k). With fewer than k rows left, the last one is repeated; with none left, distances are infinite and
        numbers -1. Raises BadInput for features of another length than the bank's.
        """
        self._check(queries)
        return self._find(queries, k, without)

    def around(
        self, queries: np.ndarray, matched: np.ndarray, b: int, without: np.ndarray | None = None
    ) -> np.ndarray:
        """Distances from queries to the b bank rows nearest to their matched row, that row first (Eq. 16-17).

        queries: float32 (q, d). matched: int64 (q,), row numbers. without: as for `search`; must not include
        a matched row. Returns float32 (q, min(b, rows left)).
        """
        b = min(b, len(self) - (0 if without is None else int(without.sum())))
        rows, which = np.unique(matched, return_inverse=True)
        nearest = self._find(self.rows[rows], b, without)[1]
        for i in np.flatnonzero(nearest[:, 0] != rows):  # among copies of a row the matched one is first
            nearest[i] = np.concatenate([[rows[i]], nearest[i][nearest[i] != rows[i]]])[:b]
        return np.linalg.norm(queries[:, None] - self.rows[nearest[which]], axis=-1)

    def add(
        self, image: BankImage, rows: np.ndarray, position: np.ndarray, surroundings: np.ndarray | None = None
    ) -> None:
        """Append the rows (m, d) of one image with their grid positions (m, 2) and, in a bank that has them,
        their surroundings (m, e); unknown ones become NaN. Raises BadInput for an image that is in the bank
        already."""
        self.add_all([(image, rows, position, surroundings)])

    def add_all(self, several: Sequence[tuple[BankImage, np.ndarray, np.ndarray, np.ndarray | None]]) -> None:
        """`add` for several images: image, rows, positions and surroundings of each."""
        known = {i.id for i in self.images}
        for image, rows, _, _ in several:
            self._check(rows)
            if image.id in known:
                raise BadInput(f"{image.id} is already in the bank; remove it first.")
            known.add(image.id)
        first, counts = len(self.images), [len(rows) for _, rows, _, _ in several]
        numbers = np.repeat(np.arange(first, first + len(several)), counts).astype(np.int32)
        # A new list, as a shallow copy of this bank shares the old one.
        self.images = [*self.images, *(image for image, _, _, _ in several)]
        self.rows = np.concatenate([self.rows, *(np.asarray(rows, np.float32) for _, rows, _, _ in several)])
        self.image = np.concatenate([self.image, numbers])
        self.position = np.concatenate([self.position, *(np.asarray(p, np.int16) for _, _, p, _ in several)])
        if self.surroundings is not None:
            width = self.surroundings.shape[1]
            added = [
                np.full((len(rows), width), np.nan, np.float32) if around is None else around
                for _, rows, _, around in several
            ]
            self.surroundings = np.concatenate([self.surroundings, *added])
        self._forget()

    def remove(self, image_id: str) -> int:
        """Remove every row of one image and return their number. Raises BadInput for an unknown image."""
        number = next((i for i, image in enumerate(self.images) if image.id == image_id), None)
        if number is None:
            raise BadInput(f"{image_id} is not in the bank.")
        keep = self.image != number
        self.rows, self.position = self.rows[keep], self.position[keep]
        self.surroundings = None if self.surroundings is None else self.surroundings[keep]
        self.image = self.image[keep] - (self.image[keep] > number)
        self.images = [*self.images[:number], *self.images[number + 1 :]]
        self._forget()
        return int((~keep).sum())

    def widening(self, rows: np.ndarray, radius: float, room: int = 0) -> tuple[np.ndarray, float]:
        """Which of `rows` (m, d) extend the bank's coverage, chosen greedily as in the coreset.

        Takes the row with the largest distance from the bank and the rows taken, until no distance exceeds
        `radius`. The first `room` rows are taken at any distance above 0. Returns row numbers int64 in the
        order taken, and the largest remaining distance.
        """
        self._check(rows)
        nearest = self.search(rows)[0][:, 0] if len(self) else np.full(len(rows), np.inf, np.float32)
        taken: list[int] = []
        while len(rows) and (farthest := float(nearest.max())) > (0 if len(taken) < room else radius):
            at = int(nearest.argmax())
            taken.append(at)
            nearest = np.minimum(nearest, np.linalg.norm(rows - rows[at], axis=1))
            nearest[at] = 0
        return np.array(taken, np.int64), farthest if len(rows) else 0.0

    def drop(self, image_id: str) -> None:
        """Remove every row of one image, if the bank has the image."""
        if any(image.id == image_id for image in self.images):
            self.remove(image_id)

    def save(self, file: Path) -> None:
        """Write the bank to one safetensors file, with the images in its metadata."""
        arrays: dict[str, np.ndarray] = {"rows": self.rows, "image": self.image, "position": self.position}
        if self.surroundings is not None:
            arrays["beside"] = self.surroundings
        save_file(arrays, file, metadata={"images": json.dumps([i.to_json() for i in self.images])})

    @classmethod
    def load(cls, file: Path) -> Bank:
        """Read a file that `save` wrote. Raises Damaged for a missing or damaged file."""
        try:
            arrays = load_file(file)
            with safe_open(file, "numpy") as opened:
                images = [BankImage(**i) for i in json.loads(opened.metadata()["images"])]
            require_bank_arrays(file.name, arrays, len(images))
            return cls(arrays["rows"], arrays["image"], arrays["position"], images, arrays.get("beside"))
        except Damaged:
            raise
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise Damaged(f"{file.name} is missing or cannot be read") from error

    def _forget(self) -> None:
        """Drop what was computed from the rows: the search index, and the banks of `row_weights.parted` by weights."""
        self._index: FlatIndex | None = None
        self.parts: dict[Hashable, Sequence[tuple[float, Bank]]] = {}

    def _find(self, queries: np.ndarray, k: int, without: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
        if without is None or not without.any():
            if self._index is None:
                self._index = FlatIndex(self.rows)
            return self._index.search(queries, k)
        others = np.flatnonzero(~without)
        distances, numbers = FlatIndex(self.rows[others]).search(queries, k)
        return distances, others[numbers] if len(others) else numbers

    def _check(self, features: np.ndarray) -> None:
        if features.ndim != 2 or features.shape[1] != self.dimension:
            raise BadInput(
                f"Features of length {features.shape[-1]} were compared with a bank of length "
                f"{self.dimension}; "
                "use the backbone and layers that the bank was built with."
            )
