"""Transplants: a real defect, cut out of its image by its mask and grown into another one.

The defect is turned, scaled and flipped until it fits the drawn mask, brought to the brightness and contrast of
the place where it goes, and laid into it along its own outline, so that the surface around it stays the
receiver's. No network, nothing is invented: what is pasted was photographed. Knows one donor and one receiver;
not where donors come from, nor which split may lend them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np

from exdd_core.errors import BadInput
from exdd_core.images import read_image, read_mask
from exdd_core.synthesis.engine import Control, Engine, Step, Window, shared_controls
from exdd_core.synthesis.masks import foreground

Array = np.ndarray

BEYOND = 24  # pixels by which a defect that its image's edge cuts off is thought to go on
RING = 12  # pixels around the defect that are compared with the place where it goes
SEARCH_SIDE = 192  # the longer side of the copy in which a place is looked for
TRIES = 24  # random poses that are compared
LIKELY_SCALE = 1.35  # a defect is rarely shrunk or blown up by more than this
GRAIN_SIDE = 512  # pixels of a surface in which its grain is looked for
GRAIN = 0.3  # coherence of the structure tensor from which a surface counts as grained
GAIN, TEXTURE = (0.15, 3.0), (0.7, 1.4)  # limits of what is done to the donor's brightness and contrast
# In usual deviations of the donor's surface. Below the first not defect but surface, above the second surely
# defect: labels are drawn generously, and surface pasted along with a crack is seen as a band.
TOLD = (1.0, 3.0)
FIRM = (4.0, 12.0)  # and from where to where a defect takes the surface's place
FINEST = 3  # a level that follows the ring in steps of 2**3 pixels: finer is texture
THICK = 12  # half the width in pixels from which a defect is a field, which may end without an edge
EDGE = (1.5, 4.0)  # of the surface's usual deviation: no edge below, surely one above
OVERHANG = 8  # pixels that a defect cut off by its image's edge is continued by


class Transplant(Engine):
    NAME = "transplant"
    TITLE = "Transplant"
    DESCRIPTION = "Cuts a real defect of the training split out of its image and blends it into this one."
    CONTROLS = (
        Control(
            "placing",
            "Placing",
            "choice",
            "fit",
            choices=("fit", "as set"),
            help="fit: turned, scaled and flipped to suit the drawn mask and the grain of the surface; "
            "as set: by the three settings below",
        ),
        Control("angle", "Angle", "number", 0.0, -180, 180, 1, unit="°", help="used where placing is as set"),
        Control("scale", "Scale", "number", 1.0, 0.25, 4, 0.05, help="used where placing is as set"),
        Control("flip", "Flip", "switch", False, help="left to right; used where placing is as set"),
        Control("strength", "Strength", "number", 1.0, 0.2, 2, 0.05, help="contrast of the defect"),
        Control(
            "margin",
            "Margin",
            "number",
            5.0,
            0,
            16,
            0.5,
            unit="px",
            help="how far around the defect its own surroundings come along, fading out",
        ),
        *shared_controls(geometry="native", feather=1.0, match_brightness=False),
    )

    @property
    def version(self) -> str:
        return "1"

    def _render(self, window: Window, step: Step) -> Array:
        donor = window.request.donor
        if donor is None:
            raise BadInput("A transplant needs a real defect that lends itself; choose one.")
        image = read_image(donor.image, donor.id, donor.depth)
        piece = cut(image, read_mask(donor.mask, image.shape[:2]))
        left, top, right, bottom = window.box
        squeeze = (window.image.shape[1] / (right - left), window.image.shape[0] / (bottom - top))
        part = foreground(window.request.image)[top:bottom, left:right]
        if squeeze != (1, 1):
            part = cv2.resize(part.astype(np.uint8), window.mask.shape[::-1]) > 0
        region = window.mask & part
        if not region.any():
            raise BadInput("The mask lies outside the part, on the background; paint it onto the part.")
        pose = find_pose(piece, region, part, squeeze, window)
        kind = f"{donor.defect_type} " if donor.defect_type else ""
        flipped = ", flipped" if pose.flip else ""
        window.notes.append(
            f"The {kind}defect of {donor.id}, turned by {pose.angle:.0f}°, scaled by {pose.scale:.2f}{flipped}."
        )
        painted = blend(window.image, part, piece, pose, squeeze, window.settings)
        return _fading(window.image, painted, region)


# --- the donor ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Piece:
    """A defect with some of its surroundings, cut out of its image.

    `image` float32 (h, w, 3); `mask` bool (h, w) the defect; `beyond` bool (h, w) where it would go on behind
    an edge of its image; `known` bool (h, w) False behind such an edge, where `image` repeats its last pixels;
    `surface` bool (h, w) where it shows the part.
    """

    image: Array
    mask: Array
    beyond: Array
    known: Array
    surface: Array


def cut(image: Array, mask: Array) -> Piece:
    """The main defect of an image, uint8 (H, W, 3), by its mask, bool (H, W). Raises `BadInput` when empty."""
    if not mask.any():
        raise BadInput("The mask of the real defect is empty; choose another one.")
    mask = _main(mask)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    pad = 3 * RING
    y0, y1 = max(0, top - pad), min(mask.shape[0], bottom + pad)
    x0, x1 = max(0, left - pad), min(mask.shape[1], right + pad)
    above, below = (BEYOND if cut_off else 0 for cut_off in (top == 0, bottom == mask.shape[0]))
    before, after = (BEYOND if cut_off else 0 for cut_off in (left == 0, right == mask.shape[1]))

    def extended(array: Array, how: int) -> Array:
        return cv2.copyMakeBorder(array, above, below, before, after, how)

    inside = mask[y0:y1, x0:x1].astype(np.uint8)
    known = extended(np.ones_like(inside), cv2.BORDER_CONSTANT) > 0
    within = extended(inside, cv2.BORDER_CONSTANT) > 0
    return Piece(
        image=extended(image[y0:y1, x0:x1].astype(np.float32), cv2.BORDER_REPLICATE),
        mask=within,
        beyond=(extended(inside, cv2.BORDER_REPLICATE) > 0) & ~known,
        known=known,
        surface=extended(foreground(image)[y0:y1, x0:x1].astype(np.uint8), cv2.BORDER_CONSTANT) > 0,
    )


def _main(mask: Array) -> Array:
    """The largest group of a mask's pieces that lie near each other; specks far from it stay behind."""
    reach = max(5, int(0.04 * min(mask.shape))) | 1
    _, labels = cv2.connectedComponents(cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)))
    areas = np.bincount(labels[mask])
    return mask & (labels == areas.argmax())


# --- where it goes ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pose:
    """Flipped left to right, turned clockwise by `angle` degrees, scaled; its mask's middle at (x, y) pixels."""

    angle: float
    scale: float
    flip: bool
    x: float = 0.0
    y: float = 0.0


def find_pose(piece: Piece, region: Array, part: Array, squeeze: tuple[float, float], window: Window) -> Pose:
    """Where in `region`, bool (h, w) of the window and within the `part`, the defect lies best.

    As much of it as can be lies in the region, and it fills it; a defect that an edge of its image cuts off
    goes to an edge again; it is hardly shrunk or blown up; grain follows grain. Where many places are equally
    good the seed decides.
    """
    settings = window.settings
    search = _Search(piece, region, part, squeeze, _lean(piece, window), window.rng)
    if settings["placing"] == "as set":
        _, best = search.placed(Pose(settings["angle"], settings["scale"], settings["flip"]))
        return search.refined(best)
    poses = [*search.aligned(), *(search.random() for _ in range(TRIES))]
    score, best = max((search.placed(pose) for pose in poses), key=lambda found: found[0])
    turn, grow = 12.0, 0.15
    for _ in range(3):  # from the best of them uphill
        for angle, scale in ((turn, 1), (-turn, 1), (0, 1 + grow), (0, 1 / (1 + grow))):
            tried = replace(best, angle=best.angle + angle, scale=best.scale * scale)
            found, placed = search.placed(tried)
            if found > score:
                score, best = found, placed
        turn, grow = turn / 2, grow / 2
    return search.refined(best)


class _Search:
    """Compares poses in a reduced copy of the window. `lean`: see `_lean`."""

    def __init__(
        self,
        piece: Piece,
        region: Array,
        part: Array,
        squeeze: tuple[float, float],
        lean: tuple[float, float] | None,
        rng: np.random.Generator,
    ):
        self.piece, self.squeeze, self.lean, self.rng = piece, squeeze, lean, rng
        self.whole = region.astype(np.float32)
        self.reduced = min(1.0, SEARCH_SIDE / max(region.shape))
        size = (max(1, round(region.shape[1] * self.reduced)), max(1, round(region.shape[0] * self.reduced)))
        self.region, self.part = (
            cv2.resize(layer.astype(np.float32), size, interpolation=cv2.INTER_AREA)
            for layer in (region, part)
        )
        self.area = float(self.region.sum())
        # A field brings its own grain along, and slanted grain among upright one is seen at once.
        self.grain = 0.8 if _thickness(piece.mask) >= THICK else 0.15

    def random(self) -> Pose:
        """Near its own size; along the grain, or about as it lay in its own image."""
        scale = float(np.exp(self.rng.uniform(-1, 1) * math.log(LIKELY_SCALE)))
        flip = bool(self.rng.integers(2))
        lean, spread = (0.0, 25.0) if self.lean is None else (self.lean[flip], 6.0)
        return Pose(float(self.rng.normal(lean + 180 * self.rng.integers(2), spread)), scale, flip)

    def aligned(self) -> list[Pose]:
        """The poses that lay the longer axis of the defect along that of the region."""
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
        """How good a pose is at its best place, and the pose there."""
        stamp, beyond = _stamp(self.piece, pose, self.squeeze, self.reduced)
        overlap = self._correlated(self.region, stamp)
        area = max(float(stamp.sum()), 1e-3)
        worth = 2 * overlap / area + 0.3 * overlap / (area + self.area - overlap + 1e-3)
        if beyond.sum() > 0.5:
            worth = worth - 0.6 * self._correlated(self.part, beyond) / float(beyond.sum())
        best = float(worth.max())
        row, column = divmod(int(self.rng.choice(np.flatnonzero(worth >= best - 0.005))), worth.shape[1])
        best -= 0.15 * abs(math.log(pose.scale)) / math.log(LIKELY_SCALE)
        if self.lean is not None:
            best -= self.grain * abs(math.sin(math.radians(pose.angle - self.lean[pose.flip])))
        return best, replace(pose, x=column / self.reduced, y=row / self.reduced)

    def refined(self, pose: Pose) -> Pose:
        """The same pose, moved by the few pixels that the reduced copy could not tell."""
        if self.reduced == 1:
            return pose
        stamp, _ = _stamp(self.piece, pose, self.squeeze, 1.0)
        slack = math.ceil(2 / self.reduced)
        height, width = stamp.shape
        left, top = round(pose.x - width / 2) - slack, round(pose.y - height / 2) - slack
        shift = np.array([[1.0, 0, -left], [0, 1, -top]])
        around = cv2.warpAffine(
            self.whole, shift, (width + 2 * slack, height + 2 * slack), flags=cv2.INTER_NEAREST
        )
        worth = cv2.matchTemplate(around, stamp, cv2.TM_CCORR)
        if worth.max() <= worth[slack, slack] * 1.01:
            return pose
        row, column = divmod(int(worth.argmax()), worth.shape[1])
        return replace(pose, x=left + column + width / 2, y=top + row + height / 2)

    @staticmethod
    def _correlated(layer: Array, stamp: Array) -> Array:
        """What `stamp` covers of `layer`, float32 (h + 1, w + 1), with its middle at every corner of a pixel."""
        down, across = stamp.shape[0] // 2, stamp.shape[1] // 2
        padded = cv2.copyMakeBorder(layer, down, down, across, across, cv2.BORDER_CONSTANT)
        return cv2.matchTemplate(padded, stamp, cv2.TM_CCORR)


def _stamp(piece: Piece, pose: Pose, squeeze: tuple[float, float], reduced: float) -> tuple[Array, Array]:
    """The defect and what is beyond its image's edge, float32 (h, w), even, around the middle of its mask."""
    at = replace(pose, x=0.0, y=0.0)
    matrix = _matrix(piece, at, squeeze, reduced)
    rows, columns = np.nonzero(piece.mask | piece.beyond)
    corners = np.array([[x, y, 1] for x in (columns.min() - 1, columns.max() + 1)
                        for y in (rows.min() - 1, rows.max() + 1)])  # fmt: skip
    reach = np.ceil(np.abs(corners @ matrix.T).max(axis=0)).astype(int) + 1
    matrix[:, 2] += reach - 0.5
    size = (int(2 * reach[0]), int(2 * reach[1]))
    stamp, beyond = (
        _warped(layer.astype(np.float32), matrix, size, cv2.INTER_LINEAR)
        for layer in (piece.mask, piece.beyond)
    )
    return stamp, beyond


def _matrix(piece: Piece, pose: Pose, squeeze: tuple[float, float], reduced: float = 1.0) -> Array:
    """The affine map (2, 3) from the piece's pixel indices to those of a window reduced by `reduced`."""
    rows, columns = np.flatnonzero(piece.mask.any(axis=1)), np.flatnonzero(piece.mask.any(axis=0))
    middle = np.array([(columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2])
    turn = math.radians(pose.angle)
    cos, sin = math.cos(turn), math.sin(turn)
    linear = pose.scale * np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if pose.flip else 1.0, 1.0])
    linear = reduced * np.diag(squeeze) @ linear
    target = np.array([pose.x, pose.y]) * reduced
    return np.column_stack([linear, target - linear @ middle])


def _axis(mask: Array) -> tuple[float, float]:
    """Direction of a mask's longer axis in degrees clockwise from the right, and its length."""
    rows, columns = np.nonzero(mask)
    if len(rows) < 3:
        return 0.0, float(max(1, len(rows)))
    values, vectors = np.linalg.eigh(np.cov(np.stack([columns, rows])))
    return math.degrees(math.atan2(vectors[1, 1], vectors[0, 1])), max(1.0, 4 * math.sqrt(values[1]))


def _lean(piece: Piece, window: Window) -> tuple[float, float] | None:
    """Degrees from the donor's grain to the receiver's, as it is and flipped; None where either has none."""
    donor = _grain(piece.image, piece.surface & ~_grown(piece.mask | piece.beyond, 3))
    receiver = _grain(window.image, np.ones(window.mask.shape, bool))
    return None if donor is None or receiver is None else (receiver - donor, receiver + donor)


def _grain(image: Array, where: Array) -> float | None:
    """The direction of a surface's lines in degrees, from the structure tensor; None where it has none."""
    top, left = (max(0, (side - GRAIN_SIDE) // 2) for side in where.shape)  # the middle says enough
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


# --- blending -----------------------------------------------------------------------------------------


def blend(
    image: Array, part: Array, piece: Piece, pose: Pose, squeeze: tuple[float, float], settings: dict
) -> Array:
    """`image`, uint8 (h, w, 3), with the piece at its pose: uint8 (h, w, 3).

    The donor is brought to the receiver's level by a smooth field that equals their difference in a ring
    around the defect, as in Poisson blending (Perez et al., 2003), but from smoothed levels: the pixels along
    the seam do not run into the defect as streaks.
    """
    matrix = _matrix(piece, pose, squeeze)
    top, bottom, left, right = _reach(piece, matrix, settings["margin"], image.shape[:2])
    receiver, part = image[top:bottom, left:right].astype(np.float32), part[top:bottom, left:right]
    matrix[:, 2] -= left, top
    size = (right - left, bottom - top)
    donor = _warped(piece.image, matrix, size, cv2.INTER_CUBIC)
    mask, known, beyond, surface = (
        _warped(layer.astype(np.float32), matrix, size, cv2.INTER_LINEAR)
        for layer in (piece.mask, piece.known, piece.beyond, piece.surface)
    )
    behind = _depth_behind(beyond > 0.5, known > 0.5, part)
    if behind <= OVERHANG:  # a sliver along the edge, from a small turn: the defect runs on through it
        mask, known = np.maximum(mask, beyond), np.ones_like(known)
    defect, margin = mask > 0.5, settings["margin"]
    seen = _grown((mask > 0.02) | (beyond > 0.02), max(3.0, margin))
    ring = _grown(seen, RING) & ~seen & (surface > 0.99) & part
    surrounded = np.count_nonzero(ring) >= 8
    if not surrounded:  # nothing to go by but the receiver's level under the defect
        ring = _grown(defect, margin + 2) & part
    donor = _matched(donor, receiver, ring)
    donor += _spread(receiver - donor, ring)
    ground = _spread(receiver, ring)
    share, firm = _share(defect, known > 0.5, margin) * part, defect.astype(np.float32)
    if surrounded and defect.any():
        difference = cv2.cvtColor(donor - ground, cv2.COLOR_RGB2GRAY)
        standing = _standing_out(difference, defect, ring)
        firm = np.clip((standing - FIRM[0]) / (FIRM[1] - FIRM[0]), 0, 1)
        # In a faint defect what stands out most is the defect all the same.
        faint = min(1.0, float(np.quantile(standing[defect], 0.9)) / TOLD[1])
        share *= np.clip((standing - faint * TOLD[0]) / (faint * (TOLD[1] - TOLD[0]) + 1e-3), 0, 1)
        share *= _soft(difference, defect, surface > 0.5, ring)
    donor = ground + settings["strength"] * (donor - ground)
    painted = _laid_on(receiver, donor, ground, share, firm)
    result = image.copy()
    result[top:bottom, left:right] = np.rint(np.clip(painted, 0, 255))
    return result


def _fading(receiver: Array, painted: Array, region: Array) -> Array:
    """`painted` inside `region`, fading towards its edge: a halo that is cut off shows where the cut was."""
    depth = cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5)
    share = np.clip(depth / np.clip(depth.max() / 4, 1, 4), 0, 1)[..., None]
    return np.rint(receiver + share * (painted.astype(np.float32) - receiver)).astype(np.uint8)


def _reach(piece: Piece, matrix: Array, margin: float, shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """top, bottom, left, right of the part of a window, (h, w), that the piece and its ring fall on."""
    rows, columns = np.nonzero(piece.mask)
    corners = np.array([[x, y, 1] for x in (columns.min(), columns.max()) for y in (rows.min(), rows.max())])
    pad = math.ceil(2 * RING + BEYOND + margin)
    (left, top), (right, bottom) = (corners @ matrix.T).min(axis=0), (corners @ matrix.T).max(axis=0)
    y0, x0 = (
        min(max(0, math.floor(at) - pad), side - 1) for at, side in zip((top, left), shape, strict=True)
    )
    y1, x1 = (min(max(0, math.ceil(at) + pad), side) for at, side in zip((bottom, right), shape, strict=True))
    return y0, max(y1, y0 + 1), x0, max(x1, x0 + 1)


def _depth_behind(beyond: Array, known: Array, part: Array) -> float:
    """How many pixels of the part lie behind the edge that cut the defect off, across that edge."""
    behind = beyond & part
    if not behind.any():
        return 0.0
    return float(cv2.distanceTransform((~known).astype(np.uint8), cv2.DIST_L2, 5)[behind].max())


def _matched(donor: Array, receiver: Array, ring: Array) -> Array:
    """The donor under the receiver's light and with a texture as strong, as far as the ring can tell."""
    if not ring.any():
        return donor
    donor = donor * float(np.clip((receiver[ring].mean() + 4) / (donor[ring].mean() + 4), *GAIN))
    rough_donor, rough = (_roughness(pixels, ring) for pixels in (donor, receiver))
    mean = donor[ring].mean(axis=0)
    return mean + float(np.clip(math.sqrt((rough + 0.5) / (rough_donor + 0.5)), *TEXTURE)) * (donor - mean)


def _roughness(image: Array, where: Array) -> float:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return float(np.median(np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 3))[where]))


def _share(defect: Array, known: Array, margin: float) -> Array:
    """How much of the donor shows, float32 (h, w): all of it in the defect, fading out around it.

    Where an edge of its image cut the defect off and the receiver goes on, it fades before that edge.
    """
    if not defect.any():
        return np.zeros(defect.shape, np.float32)
    away = cv2.distanceTransform((~defect).astype(np.uint8), cv2.DIST_L2, 5)
    share = np.clip(1 - (away - 0.5) / (margin + 1), 0, 1)
    if not known.all():
        to_edge = cv2.distanceTransform(known.astype(np.uint8), cv2.DIST_L2, 5)
        share = share * np.clip(to_edge / np.clip(_thickness(defect) / 2, RING, 2 * RING), 0, 1)
    return (share * share * (3 - 2 * share)).astype(np.float32)


def _soft(difference: Array, defect: Array, surface: Array, ring: Array) -> Array:
    """A fade at the inside of a label's outline where the donor has no edge there, float32 (h, w), 0 to 1.

    A stain ends at its outline; the outline of an uneven field is where somebody stopped drawing, and there a
    sharp seam would be the most visible thing of the whole defect.
    """
    depth = cv2.distanceTransform(defect.astype(np.uint8), cv2.DIST_L2, 5)
    thick = float(depth.max())
    if thick < THICK:
        return np.ones(defect.shape, np.float32)
    reach = min(thick / 4, RING)
    inside, outside = defect & (depth <= reach), ~defect & surface & _grown(defect, reach)
    (level_in, near_in), (level_out, near_out) = (
        _local(difference, band, reach) for band in (inside, outside)
    )
    smooth = cv2.GaussianBlur(difference, (0, 0), reach / 2)
    usual = 1.48 * float(np.median(np.abs(smooth - np.median(smooth[ring]))[ring])) + 0.5
    edge = np.clip((np.abs(level_in - level_out) / usual - EDGE[0]) / (EDGE[1] - EDGE[0]), 0, 1)
    outline = inside & (depth <= 2) & (near_in > 0.01) & (near_out > 0.01)
    if not outline.any():
        return np.ones(defect.shape, np.float32)
    sharp, _ = _local(edge, outline, thick / 2)
    return np.clip(depth / (1 + (1 - sharp) * 0.6 * thick), 0, 1).astype(np.float32)


def _local(values: Array, where: Array, sigma: float) -> tuple[Array, Array]:
    """The average of `values` nearby where they are known, and how much is known; both float32 (h, w)."""
    known = cv2.GaussianBlur(where.astype(np.float32), (0, 0), sigma)
    total = cv2.GaussianBlur(np.where(where, values, 0).astype(np.float32), (0, 0), sigma)
    return total / np.maximum(known, 1e-6), known


def _standing_out(difference: Array, defect: Array, ring: Array) -> Array:
    """How far each pixel of the donor differs from its ground, in usual deviations of its surface; float32 (h, w).

    Judged at about the label's thickness: a pixel of a large faint field tells nothing, the field does.
    """
    sigma = min(max(_thickness(defect) / 4, 0.8), 8.0)
    grey = cv2.GaussianBlur(difference, (0, 0), sigma)
    usual = 1.48 * float(np.median(np.abs(grey[ring]))) + 0.5
    sign = np.sign(grey[defect].mean())
    grey = np.where(defect, np.abs(grey), sign * grey)  # in the margin only what continues the defect
    reach = 2 * math.ceil(2 * sigma) + 1  # what lies between pixels that stand out belongs to them
    grey = (grey / usual).astype(np.float32)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    return cv2.GaussianBlur(cv2.morphologyEx(grey, cv2.MORPH_CLOSE, kernel), (0, 0), 0.7)


def _laid_on(receiver: Array, donor: Array, ground: Array, share: Array, firm: Array) -> Array:
    """The defect on the receiver, float32 (h, w, 3).

    Where it is faint, it darkens or brightens the receiver's own surface, whose texture goes on through it; where
    it is `firm`, it takes the surface's place. A faint rim with a texture of its own is what gives a paste away.
    """
    light = np.clip((donor + 1) / (np.maximum(ground, 0) + 1), 0.02, 4)
    faint = (receiver + 1) * light ** share[..., None] - 1
    return faint + (share * firm)[..., None] * (donor - faint)


def _spread(values: Array, where: Array) -> Array:
    """A smooth field, float32 (h, w, 3), that follows `values` where they are known and continues elsewhere."""
    layer = np.dstack([values, np.ones(where.shape)]).astype(np.float32) * where[..., None]
    layers = [layer]  # sums, and in the last channel how much went into them
    while min(layer.shape[:2]) > 4:  # averages over ever larger places
        layer = cv2.pyrDown(layer)
        layers.append(layer)
    total = layers.pop().sum(axis=(0, 1), keepdims=True)
    field = np.broadcast_to(total[..., :3] / np.maximum(total[..., 3:], 1e-6), (*layer.shape[:2], 3))
    for number, layer in reversed(list(enumerate(layers))):
        field = cv2.pyrUp(np.ascontiguousarray(field, np.float32), dstsize=layer.shape[1::-1])
        if number >= FINEST:
            trust = np.clip(4 * layer[..., 3:], 0, 1)
            field = field + trust * (layer[..., :3] / np.maximum(layer[..., 3:], 1e-4) - field)
    return field.astype(np.float32)


def _warped(layer: Array, matrix: Array, size: tuple[int, int], how: int) -> Array:
    """`layer` under an affine map, averaged beforehand where it shrinks."""
    shrink = math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))
    if shrink < 0.9:
        layer = cv2.GaussianBlur(layer, (0, 0), 0.4 / shrink)
    border = cv2.BORDER_REPLICATE if layer.ndim == 3 else cv2.BORDER_CONSTANT
    return cv2.warpAffine(layer, matrix, size, flags=how, borderMode=border)


def _thickness(mask: Array) -> float:
    """Half the width, in pixels, of a mask where it is widest."""
    return float(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5).max())


def _grown(mask: Array, pixels: float) -> Array:
    """Everything within so many pixels of a mask."""
    if not mask.any():
        return mask
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) <= pixels
