"""Searches for the pose in which a real defect fits a drawn mask.

Knows cutouts, regions and the grain of surfaces. Does not know blending or where donors come from.
"""

from __future__ import annotations

import math
from dataclasses import replace

import cv2
import numpy as np

from exdd_core.synthesis.cutouts import THICK, Cutout, Pose, TransplantSettings, matrix_of, warped
from exdd_core.synthesis.mask_geometry import Array, grown, half_width
from exdd_core.synthesis.request import Window

SEARCH_SIDE = 192  # the longer side, in pixels, of the copy in which poses are compared
TRIES = 24  # number of random poses that are compared
LIKELY_SCALE = 1.35  # random poses shrink or enlarge a defect by at most this factor
GRAIN_SIDE = 512  # side, in pixels, of the square in which a surface's grain is measured
GRAIN = 0.3  # coherence of the structure tensor from which a surface counts as grained


def find_pose(
    piece: Cutout,
    region: Array,
    part: Array,
    squeeze: tuple[float, float],
    window: Window[TransplantSettings],
) -> Pose:
    """The best pose of the defect in `region`, bool (h, w) of the window, a region of the `part`.

    The defect lies inside the region as far as possible and fills it; one that an edge of its image cuts off
    lies at an edge again; its size hardly changes; its grain is parallel to the surface's. The seed decides
    between equally good positions.
    """
    settings = window.settings
    search = _Search(piece, region, part, squeeze, _grain_turns(piece, window), window.rng)
    if settings["placing"] == "as set":
        _, best = search.placed(Pose(settings["angle"], settings["scale"], settings["flip"]))
        return search.refined(best)
    poses = [*search.aligned(), *(search.random() for _ in range(TRIES))]
    score, best = max((search.placed(pose) for pose in poses), key=lambda found: found[0])
    turn, grow = 12.0, 0.15
    for _ in range(3):  # improves the best of them in ever smaller steps
        for angle, scale in ((turn, 1), (-turn, 1), (0, 1 + grow), (0, 1 / (1 + grow))):
            tried = replace(best, angle=best.angle + angle, scale=best.scale * scale)
            found, placed = search.placed(tried)
            if found > score:
                score, best = found, placed
        turn, grow = turn / 2, grow / 2
    return search.refined(best)


class _Search:
    """Compares poses in a reduced copy of the window. grain_turns: see `_grain_turns`."""

    def __init__(
        self,
        piece: Cutout,
        region: Array,
        part: Array,
        squeeze: tuple[float, float],
        grain_turns: tuple[float, float] | None,
        rng: np.random.Generator,
    ):
        self.piece, self.squeeze, self.grain_turns, self.rng = piece, squeeze, grain_turns, rng
        self.whole = region.astype(np.float32)
        self.reduced = min(1.0, SEARCH_SIDE / max(region.shape))
        size = (max(1, round(region.shape[1] * self.reduced)), max(1, round(region.shape[0] * self.reduced)))
        self.region, self.part = (
            cv2.resize(layer.astype(np.float32), size, interpolation=cv2.INTER_AREA)
            for layer in (region, part)
        )
        self.area = float(self.region.sum())
        # A field contains grain of its own, which is conspicuous where it crosses the surface's.
        self.grain = 0.8 if half_width(piece.mask) >= THICK else 0.15

    def random(self) -> Pose:
        """A random pose of about the defect's own size, along the grain or about as in its own image."""
        scale = float(np.exp(self.rng.uniform(-1, 1) * math.log(LIKELY_SCALE)))
        flip = bool(self.rng.integers(2))
        turn, spread = (0.0, 25.0) if self.grain_turns is None else (self.grain_turns[flip], 6.0)
        return Pose(float(self.rng.normal(turn + 180 * self.rng.integers(2), spread)), scale, flip)

    def aligned(self) -> list[Pose]:
        """The poses in which the longer axis of the defect is parallel to the region's."""
        of_piece, long = _axis(self.piece.mask)
        of_region, wanted = _axis(self.region > 0.5)
        natural = self.reduced * math.sqrt(self.squeeze[0] * self.squeeze[1])
        fill = math.sqrt(self.area / self.piece.mask.sum()) / natural
        scales = {min(max(scale, 0.25), 2.5) for scale in (fill, wanted / long / natural)}
        return [
            Pose(of_region + (of_piece if flip else -of_piece) + turn, scale, flip)
            for scale in sorted(scales)
            for flip in (False, True)
            for turn in (0.0, 180.0)
        ]

    def placed(self, pose: Pose) -> tuple[float, Pose]:
        """The quality of a pose at its best position, and the pose there."""
        footprint, beyond = _footprint(self.piece, pose, self.squeeze, self.reduced)
        overlap = self._correlated(self.region, footprint)
        area = max(float(footprint.sum()), 1e-3)
        worth = 2 * overlap / area + 0.3 * overlap / (area + self.area - overlap + 1e-3)
        if beyond.sum() > 0.5:
            worth = worth - 0.6 * self._correlated(self.part, beyond) / float(beyond.sum())
        best = float(worth.max())
        row, column = divmod(int(self.rng.choice(np.flatnonzero(worth >= best - 0.005))), worth.shape[1])
        best -= 0.15 * abs(math.log(pose.scale)) / math.log(LIKELY_SCALE)
        if self.grain_turns is not None:
            best -= self.grain * abs(math.sin(math.radians(pose.angle - self.grain_turns[pose.flip])))
        return best, replace(pose, x=column / self.reduced, y=row / self.reduced)

    def refined(self, pose: Pose) -> Pose:
        """The same pose, moved by the few pixels that the reduced copy cannot resolve."""
        if self.reduced == 1:
            return pose
        footprint, _ = _footprint(self.piece, pose, self.squeeze, 1.0)
        slack = math.ceil(2 / self.reduced)
        height, width = footprint.shape
        left, top = round(pose.x - width / 2) - slack, round(pose.y - height / 2) - slack
        shift = np.array([[1.0, 0, -left], [0, 1, -top]])
        around = cv2.warpAffine(
            self.whole, shift, (width + 2 * slack, height + 2 * slack), flags=cv2.INTER_NEAREST
        )
        worth = cv2.matchTemplate(around, footprint, cv2.TM_CCORR)
        if worth.max() <= worth[slack, slack] * 1.01:
            return pose
        row, column = divmod(int(worth.argmax()), worth.shape[1])
        return replace(pose, x=left + column + width / 2, y=top + row + height / 2)

    @staticmethod
    def _correlated(layer: Array, footprint: Array) -> Array:
        """The overlap of `footprint` and `layer` for every corner of a pixel as its middle: float32 (h + 1, w + 1)."""
        down, across = footprint.shape[0] // 2, footprint.shape[1] // 2
        padded = cv2.copyMakeBorder(layer, down, down, across, across, cv2.BORDER_CONSTANT)
        return cv2.matchTemplate(padded, footprint, cv2.TM_CCORR)


def _footprint(
    piece: Cutout, pose: Pose, squeeze: tuple[float, float], reduced: float
) -> tuple[Array, Array]:
    """The defect at a pose, and its continuation beyond its image's edge: float32 (h, w) each, of even size.

    The middle of the defect's mask is the middle of both.
    """
    at = replace(pose, x=0.0, y=0.0)
    matrix = matrix_of(piece, at, squeeze, reduced)
    rows, columns = np.nonzero(piece.mask | piece.beyond)
    corners = np.array([[x, y, 1] for x in (columns.min() - 1, columns.max() + 1)
                        for y in (rows.min() - 1, rows.max() + 1)])  # fmt: skip
    reach = np.ceil(np.abs(corners @ matrix.T).max(axis=0)).astype(int) + 1
    matrix[:, 2] += reach - 0.5
    size = (int(2 * reach[0]), int(2 * reach[1]))
    footprint, beyond = (
        warped(layer.astype(np.float32), matrix, size, cv2.INTER_LINEAR)
        for layer in (piece.mask, piece.beyond)
    )
    return footprint, beyond


def _axis(mask: Array) -> tuple[float, float]:
    """The direction of a mask's longer axis in degrees clockwise from the right, and its length in pixels."""
    rows, columns = np.nonzero(mask)
    if len(rows) < 3:
        return 0.0, float(max(1, len(rows)))
    values, vectors = np.linalg.eigh(np.cov(np.stack([columns, rows])))
    return math.degrees(math.atan2(vectors[1, 1], vectors[0, 1])), max(1.0, 4 * math.sqrt(values[1]))


def _grain_turns(piece: Cutout, window: Window[TransplantSettings]) -> tuple[float, float] | None:
    """The turn in degrees from the donor's grain to the receiver's, unflipped and flipped; None without grain."""
    donor = grain(piece.image, piece.surface & ~grown(piece.mask | piece.beyond, 3))
    receiver = grain(window.image, np.ones(window.mask.shape, bool))
    return None if donor is None or receiver is None else (receiver - donor, receiver + donor)


def grain(image: Array, where: Array) -> float | None:
    """The direction of a surface's lines in degrees, from the structure tensor; None where it has none."""
    top, left = (max(0, (side - GRAIN_SIDE) // 2) for side in where.shape)  # the middle of the image suffices
    middle = np.s_[top : top + GRAIN_SIDE, left : left + GRAIN_SIDE]
    image, where = np.ascontiguousarray(image[middle]), where[middle]
    if np.count_nonzero(where) < 64:
        return None
    grey = cv2.cvtColor(image.astype(np.float32), cv2.COLOR_RGB2GRAY)
    grey = cv2.GaussianBlur(grey, (0, 0), 1.0)
    across, down = cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1)
    limit = 4 * np.median(np.hypot(across, down)[where]) + 1e-3  # an edge of the part is no grain
    calm = where & (np.hypot(across, down) < limit)
    xx, yy, xy = (float((a * b)[calm].mean()) for a, b in ((across, across), (down, down), (across, down)))
    if math.hypot(xx - yy, 2 * xy) < GRAIN * (xx + yy):
        return None
    return math.degrees(math.atan2(2 * xy, xx - yy) / 2) + 90
