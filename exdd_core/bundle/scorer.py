"""Scores images with a bundle: network -> distances to both banks -> fusion -> map, score, verdict and regions.

Before its first verdict a bundle scores its golden images and compares them with what was expected: a difference beyond
the stated tolerance is an error and no verdict. Knows the files of a bundle, numpy and OpenCV. Does not know PyTorch,
workspaces or how a bank is built.

>>> from exdd_core.bundle.scorer import load
>>> load("no.zip")
Traceback (most recent call last):
exdd_core.errors.BadInput: no.zip is not a valid bundle: No such file or directory; create one with `banks export`.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
import zlib
from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from exdd_core.bundle.engines import NETWORK, compiled
from exdd_core.bundle.manifest import Golden, Manifest
from exdd_core.bundle.searched_rows import SearchedRows
from exdd_core.depth import Depth
from exdd_core.detector import fusion
from exdd_core.detector.anomaly_map import anomaly_map, enlarged, on_scale_of_score
from exdd_core.detector.anomaly_regions import AnomalyRegion, RegionRules, regions_of_image
from exdd_core.detector.fusion import Distances
from exdd_core.detector.thresholds import Calibration
from exdd_core.detector.weighted_distances import weighted_mean
from exdd_core.errors import BadInput
from exdd_core.geometry import MAX_MODEL_SIDE, MIN_MODEL_SIDE, Size, patch_at, resize_image, restore_map
from exdd_core.pixels import depth_of, to_rgb, values_of
from exdd_core.region import HALF, Region

if TYPE_CHECKING:
    from exdd_core.detector.inspection import Inspection

# 1 had the rows of both banks in banks.npz, and no version to import; 1 and 2 had OpenVINO's network; before 4 the
# border of a letterbox counted; 2 to 4 had the patches of a region in banks.npz, not together with a letterbox.
FORMAT = 5
MANIFEST, ARRAYS = "bundle.json", "banks.npz"
DIGEST = "bundle.sha256"  # of the manifest; older bundles have none
SIDES = ("negative", "positive")
SMALL = 64 << 20  # bytes to which any bundle may unpack
MOST_PACKED = 100  # how many times its own size a larger one may unpack to
VERSION = "version/"  # the files of the bank version, by which a workspace imports it
Source = str | Path | bytes | np.ndarray
DAMAGED = (
    *(OSError, EOFError, zlib.error, zipfile.BadZipFile, cv2.error),  # of files
    *(AssertionError, AttributeError, LookupError, MemoryError),  # of what they hold
    *(RuntimeError, TypeError, ValueError),
)


@dataclass(frozen=True)
class BundleRegion:
    """A region in pixels of its image.

    peak, mean: of the map on the scale of the score, 1 being the threshold. nearest_type: None without a positive bank.
    probability: of a defect at the peak, 0 to 1; None where unknown.
    """

    region: AnomalyRegion
    area_mm2: float | None
    nearest_type: str | None
    probability: float | None


@dataclass(frozen=True)
class BundleVerdict:
    """What a bundle says of an image.

    score, threshold: raw. calibrated: 0 is the median of normal images, 1 the threshold. verdict: "defect", "not sure",
    "normal" or "cannot judge". probability: of a defect, 0 to 1; None where unknown. model_map: float32 at the model's
    size, raw. size: of the model's input. shape: (H, W) of the image.
    """

    score: float
    threshold: float
    calibrated: float
    verdict: str
    probability: float | None
    regions: list[BundleRegion]
    model_map: np.ndarray
    size: Size
    shape: tuple[int, int]
    _region: Region | None
    _outside: float

    @property
    def map(self) -> np.ndarray:
        """The map at the size of the image, float32 (H, W), raw; computed each time, which large images notice."""
        whole = restore_map(self.model_map, self.size, self.shape)
        return whole if self._region is None else self._region.kept(whole, self._outside)


def load(path: str | Path, engine: str | None = None) -> Bundle:
    """Open a bundle and check it by its golden images. Raises BadInput for a damaged one and one that differs.

    engine: onnxruntime or openvino; None for what is installed.
    """
    bundle = Bundle(path, engine)
    bundle.check()
    return bundle


def require_plausible(archive: zipfile.ZipFile, path: str | Path) -> None:
    """Raise `BadInput` for a bundle, or an archive in it, of few bytes that would take all memory when unpacked."""
    packed, unpacked = (
        sum(getattr(file, size) for file in archive.infolist()) for size in ("compress_size", "file_size")
    )
    if unpacked > max(SMALL, MOST_PACKED * packed):
        raise BadInput(
            f"{path} is no bundle that this program exported: it unpacks to {unpacked / max(packed, 1):,.0f} times its "
            "size; export it again."
        )


def manifest_of(archive: zipfile.ZipFile, path: str | Path) -> Manifest:
    """What a bundle says of itself, such as its threshold. Raises `BadInput` where that was changed later."""
    content = archive.read(MANIFEST)
    if DIGEST in archive.namelist() and archive.read(DIGEST) != digest_of(content):
        raise BadInput(
            f"{path} was changed after it was created: its {MANIFEST} is not what was exported; export it again."
        )
    found: Manifest = json.loads(content)
    size = found["size"]
    if not all(MIN_MODEL_SIDE <= side <= MAX_MODEL_SIDE for side in (size["width"], size["height"])):
        raise ValueError("no network has this size")
    return found


def digest_of(manifest: bytes) -> bytes:
    """What the file `DIGEST` of a bundle holds: the manifest's SHA-256 in hexadecimal digits."""
    return hashlib.sha256(manifest).hexdigest().encode()


def require_same(
    path: Path, manifest: Manifest, golden: Golden, expected: np.ndarray, found: BundleVerdict | Inspection
) -> None:
    """Raise `BadInput` where a golden image is judged otherwise than expected, or what is expected is damaged.
    expected: its map, of the model's size."""
    try:
        c, most = Calibration.restore(manifest["calibration"]), manifest["tolerance"]
        off = abs(found.score - golden["score"]) / (c.threshold - c.median)
        map_off = np.abs(found.model_map - expected).max() / (c.map_threshold - c.map_median)
        is_same = off <= most and map_off <= most and found.verdict == golden["verdict"]
    except DAMAGED as error:
        raise _damaged(path, error) from error
    if not is_same:
        raise BadInput(
            f"{path.name} does not judge here as it did where it was created: the score of its golden image "
            f"{golden['name']} is off by {off:.2%} and its map by {map_off:.2%}, but only {most:.2%} is allowed; "
            "nothing is scored with it."
        )


class Bundle:
    """An opened bundle, not checked yet; see `load`. engine: the package that computes its network."""

    def __init__(self, path: str | Path, engine: str | None = None):
        try:
            with zipfile.ZipFile(path) as archive:
                require_plausible(archive, path)
                manifest = manifest_of(archive, path)
                if manifest["format"] > FORMAT:
                    raise BadInput(
                        f"{path} was created by a newer version of the program; use that version or a later one."
                    )
                if not math.isfinite(manifest["tolerance"]):
                    raise ValueError("the tolerance is not finite")
                packed = io.BytesIO(archive.read(ARRAYS))
                with zipfile.ZipFile(packed) as inner:
                    require_plausible(inner, path)
                with np.load(packed, allow_pickle=False) as arrays:
                    self._arrays: Mapping[str, np.ndarray] = dict(arrays) | _rows(archive)
                self._golden = [
                    (one, archive.read(one["image"]), np.load(io.BytesIO(archive.read(one["map"]))))
                    for one in manifest["golden"]
                ]
                network = {name: archive.read(name) for name in archive.namelist() if "network." in name}
            if self._arrays.get("positive_type", np.empty(0)).max(initial=-1) >= len(manifest["types"]):
                raise ValueError("a defect row has no type")
            self._banks = {side: SearchedRows(self._arrays[side]) for side in SIDES if side in self._arrays}
            self.manifest, self.path = manifest, Path(path)
            self.size = Size(**manifest["size"])
            self.calibration = Calibration.restore(manifest["calibration"])
            self.fusion = fusion.restore(manifest["fusion"])
            self._counting = _counting(self.fusion, self._arrays)
            self._depth = Depth.parse(manifest["depth"]) if manifest["depth"] else None
            roi = self._arrays.get("roi")
            self._region = None if roi is None else Region(roi)
            self.engine, self._network = compiled(network, self.size, engine)
        except BadInput:
            raise
        except DAMAGED as error:
            raise _damaged(path, error) from error

    def check(self) -> None:
        """Score the golden images. Raises BadInput where one differs by more than the bundle's tolerance."""
        if not self._golden:
            raise BadInput(f"{self.path} has no golden images to check it with; export it again.")
        for golden, content, expected in self._golden:
            try:
                found = self.score(content)
            except DAMAGED as error:
                raise _damaged(self.path, error) from error
            require_same(self.path, self.manifest, golden, expected, found)

    def score(self, image: Source) -> BundleVerdict:
        """Judge a file, its bytes, or a uint8 (H, W, 3) RGB array. Raises BadInput for one that cannot be read."""
        pixels = self.read(image)
        shape = pixels.shape[0], pixels.shape[1]
        found = self.features(pixels)
        distances, rows = self._distances(found, shape)
        scores = self.fusion.patch_scores(distances)
        score = self.fusion.image_score(distances) if np.isfinite(found).all() else math.nan
        model_map = self._within(anomaly_map(scores, self.fusion.sigma, self.size), shape)
        verdict, c = "cannot judge", self.calibration
        if math.isfinite(score) and np.isfinite(model_map).all():
            verdict = c.verdict(score)
        return BundleVerdict(
            score=score,
            threshold=c.threshold,
            calibrated=c.calibrated(score),
            verdict=verdict,
            probability=_probability(score, c.odds) if verdict != "cannot judge" else None,
            regions=self._regions(verdict, score, scores, model_map, rows, shape),
            model_map=model_map,
            size=self.size,
            shape=shape,
            _region=self._region,
            _outside=c.map_median,
        )

    def read(self, image: Source) -> np.ndarray:
        """An image as the workbench reads it, uint8 (H, W, 3) RGB. Raises BadInput."""
        if isinstance(image, np.ndarray):
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise BadInput("The array is not a uint8 (H, W, 3) RGB image; convert it, or pass a file.")
            return image
        values = values_of(image, "the image" if isinstance(image, bytes) else str(image))
        if values.dtype == np.uint8:
            return to_rgb(values, None)
        depth = self._depth or depth_of(values, self.manifest.get("by_brightest", False))
        return to_rgb(values, depth)

    def prepared(self, image: Source) -> np.ndarray:
        """An image as the network gets it, uint8 (1, H, W, 3) of the model's size. Raises BadInput as `score`."""
        pixels = self.read(image)
        if self._region is not None:
            pixels = self._region.painted_over(pixels)
        return resize_image(pixels, self.size)[None]

    def features(self, image: Source) -> np.ndarray:
        """Patch features of an image, float32 (h, w, d). Raises BadInput as `score`."""
        pixels = self.read(image)
        found = self._network(self.prepared(pixels))[0]
        return self._spread(found, (pixels.shape[0], pixels.shape[1]))

    def with_network(self, network: bytes, engine: str) -> Bundle:
        """The same bundle, not checked, with another network, an ONNX file. engine: the package that computes it."""
        other = copy(self)
        other.engine, other._network = compiled({NETWORK: network}, self.size, engine)
        return other

    def _distances(self, found: np.ndarray, shape: tuple[int, int]) -> tuple[Distances, np.ndarray | None]:
        """The distances of the features (h, w, d) of an image of `shape`, and each patch's nearest positive row."""
        arrays, (h, w, d) = self._arrays, found.shape
        flat = found.reshape(-1, d)
        negative, _ = self._banks["negative"].nearest(flat)
        if "positive" not in arrays:
            return Distances(negative.reshape(h, w, -1)), None
        positive, rows = self._banks["positive"].nearest(flat)
        along = context = None
        if "direction" in arrays:
            along = found @ arrays["direction"] + np.float32(arrays["direction_bias"])
        if "own" in arrays:
            context = self._spread(self._context(flat).reshape(h, w), shape)
        both = Distances(
            negative.reshape(h, w, -1),
            positive.reshape(h, w, -1),
            direction=along,
            context=context,
            counted=self._counted(flat).reshape(h, w) if self._counting else None,
        )
        return both, rows[:, 0].reshape(h, w)

    def _counted(self, flat: np.ndarray) -> np.ndarray:
        """`Distances.counted` of every patch, (h * w,)."""
        return weighted_mean([(w, rows.nearest(flat)[0]) for w, rows in self._counting], fusion.NEIGHBOURS)

    def _context(self, flat: np.ndarray) -> np.ndarray:
        """The discriminant's value of every patch, as `context.Discriminant.of_image` computes it; (h * w,)."""
        h, w = self.manifest["grid"]
        parts = flat @ self._arrays["around"].T
        value = flat @ self._arrays["own"] + np.float32(self._arrays["bias"]) + parts[:, -1].mean()
        for level, side in enumerate(self.manifest["windows"]):
            level_map = np.ascontiguousarray(parts[:, level].reshape(h, w))
            value += cv2.blur(level_map, (side, side), borderType=cv2.BORDER_REFLECT).ravel()
        return value

    def _spread(self, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        """Values of patches (h, w, ...), those outside the region repeating the nearest patch inside."""
        if self._region is None:
            return values
        height, width = values.shape[:2]
        return self._region.spread(values, self._region.inside(self.size, (height, width), shape))

    def _within(self, model_map: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
        if self._region is None:
            return model_map
        height, width = self.manifest["grid"]
        inside = self._region.inside(self.size, (height, width), shape)
        shown = enlarged(inside, self.size) & (self._region.share(self.size, shape) >= HALF)
        return np.where(shown, model_map, np.float32(self.calibration.map_median))

    def _regions(
        self,
        verdict: str,
        score: float,
        scores: np.ndarray,
        model_map: np.ndarray,
        rows: np.ndarray | None,
        shape: tuple[int, int],
    ) -> list[BundleRegion]:
        if verdict == "cannot judge":
            return []
        m, c = self.manifest, self.calibration
        calibrated = (model_map - np.float32(c.map_median)) / np.float32(c.map_threshold - c.map_median)
        rules, is_defect = RegionRules(m["region_area"], m["region_gap"]), verdict == "defect"
        if self._region is not None:
            height, width = scores.shape
            scores = np.where(self._region.inside(self.size, (height, width), shape), scores, -np.inf)
        shown = on_scale_of_score(calibrated, c.calibrated(score), scores)
        squared = None if m["mm_per_pixel"] is None else m["mm_per_pixel"] ** 2
        found = []
        for region in regions_of_image(shown, scores, rules, self.size, shape, is_defect):
            row, column = patch_at(region.at[1], region.at[0], scores.shape, self.size, shape)
            known = (
                None if rows is None else m["types"][int(self._arrays["positive_type"][rows[row, column]])]
            )
            likely = _probability(float(scores[row, column]), c.patch_odds)
            found.append(
                BundleRegion(region, None if squared is None else region.area * squared, known, likely)
            )
        return found


def _probability(score: float, odds: tuple[float, float] | None) -> float | None:
    if odds is None:
        return None
    slope, offset = odds
    return 1 / (1 + math.exp(-min(max(slope * score + offset, -700.0), 700.0)))


def _damaged(path: str | Path, error: Exception) -> BadInput:
    why = getattr(error, "strerror", None) or "files are missing or damaged"
    return BadInput(f"{path} is not a valid bundle: {why}; create one with `banks export`.")


def _rows(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    """The rows of both banks, float32 (n, d), by side, from their safetensors files; none for format 1."""
    found = {}
    for side in SIDES:
        if (name := f"{VERSION}{side}.safetensors") in archive.namelist():
            content = archive.read(name)
            start = 8 + int.from_bytes(content[:8], "little")
            told = json.loads(content[8:start])["rows"]
            n, d = told["shape"]
            found[side] = np.frombuffer(content, "<f4", n * d, start + told["data_offsets"][0]).reshape(n, d)
    return found


def _counting(one: fusion.Fusion, arrays: Mapping[str, np.ndarray]) -> list[tuple[float, SearchedRows]]:
    """Positive rows and what each counts for, where painted ones do not all count fully (`row_weights.parted`)."""
    if not isinstance(one, fusion.Context) or not one.counts:
        return []
    rows, engines = arrays["positive"], arrays["positive_engine"]
    own = [(weight, rows[engines == place]) for place, weight in enumerate(one.counts.values())]
    return [
        (w, SearchedRows(r)) for w, r in [(1.0, rows[engines < 0]), *(o for o in own if o[0] > 0)] if len(r)
    ]
