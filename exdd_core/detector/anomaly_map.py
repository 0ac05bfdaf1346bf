"""From patch scores to a map at the size of the model's input (Eq. 21-23).

Knows arrays and sizes. Does not know what a score means.
"""

from __future__ import annotations

import cv2
import numpy as np

from exdd_core.geometry import Size


def anomaly_map(patch_scores: np.ndarray, sigma: float, size: Size) -> np.ndarray:
    """Upsample patch scores (h, w) bilinearly to `size` and blur them: float32 (size.height, size.width).

    sigma: standard deviation of the Gaussian, in pixels of the model's input.
    """
    scores = np.ascontiguousarray(patch_scores, np.float32)
    large = cv2.resize(scores, (size.width, size.height), interpolation=cv2.INTER_LINEAR)
    return cv2.GaussianBlur(large, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)


def on_scale_of_score(calibrated: np.ndarray, score: float, patch_scores: np.ndarray) -> np.ndarray:
    """A calibrated map on the scale of calibrated scores, float32 at the model's size.

    0 is the median of normal images and 1 the threshold. The patch with the highest score has the image's score, which
    no pixel exceeds.

    A map is calibrated by the maps of held-out normal images and a score by their scores, so the same place would have
    two numbers. A score above the median stretches the map from 0, the median of normal maps; any other moves it as a
    whole. score: of the image, calibrated. patch_scores: float (h, w), -inf for patches that do not count.
    """
    there = float(calibrated[middle_of_patch(patch_scores, calibrated.shape)])
    shown = calibrated * (score / there) if score > 0 and there > 0 else calibrated + (score - there)
    return np.minimum(shown, score).astype(np.float32)


def middle_of_patch(
    patch_scores: np.ndarray, shape: tuple[int, ...], patch: tuple[int, int] | None = None
) -> tuple[int, int]:
    """The pixel (y, x) at the middle of a patch in a map of `shape`, (H, W) or longer.

    patch_scores: float (h, w). patch: (row, column); None for the patch with the highest score.
    """
    height, width = patch_scores.shape
    row, column = patch or divmod(int(patch_scores.argmax()), width)
    return int((row + 0.5) * shape[0] / height), int((column + 0.5) * shape[1] / width)


def enlarged(of_patches: np.ndarray, size: Size) -> np.ndarray:
    """Pixels of the patches that are True, bool (size.height, size.width). of_patches: bool (h, w)."""
    shape = (size.width, size.height)
    return cv2.resize(of_patches.astype(np.uint8), shape, interpolation=cv2.INTER_NEAREST).astype(bool)
