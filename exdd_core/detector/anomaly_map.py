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


def enlarged(of_patches: np.ndarray, size: Size) -> np.ndarray:
    """bool (h, w) of patches to bool (size.height, size.width) of pixels."""
    whole = (size.width, size.height)
    return cv2.resize(of_patches.astype(np.uint8), whole, interpolation=cv2.INTER_NEAREST).astype(bool)
