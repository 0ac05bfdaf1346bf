"""Distances from the held-out images of a validation to positive rows, as each fold sees these.

Knows held-out pictures, and rows by fold. Does not know fusions, scores, or what a painting is worth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from exdd_core.evaluation.fold_rows import FoldRows, K
from exdd_core.evaluation.pictures import Pictures


@dataclass(frozen=True)
class Seen:
    """Distances to the nearest K positive rows.

    normals: float32 (folds, m, n, K), of held-out normal images as each fold sees the bank. defects: float32
    (n, K) each, of the held-out defects as their own fold sees it.
    """

    normals: np.ndarray
    defects: Sequence[np.ndarray]


@dataclass(frozen=True)
class HeldOutPictures:
    """What a validation holds out.

    normals: images, with the part of each in normal_parts. defects: images, with the part of each in groups. fold_of:
    the fold that leaves out a part, by part.
    """

    normals: Pictures
    normal_parts: Sequence[str]
    defects: Pictures
    groups: Sequence[str]
    fold_of: Mapping[str, int]

    def seeing(self, rows: FoldRows) -> Seen:
        """The distances to these rows."""
        folds = range(max(self.fold_of.values()) + 1)
        of_each = [rows.nearest(f, part) for f, part in zip(self.normals, self.normal_parts, strict=True)]
        normals = np.stack([rows.seen_by(fold, np.stack(of_each, 1)) for fold in folds])
        pictures = [
            rows.seen_by(self.fold_of[group], rows.nearest(picture))
            for picture, group in zip(self.defects, self.groups, strict=True)
        ]
        return Seen(normals, pictures)

    def seeing_more(self, seen: Seen, kept: FoldRows) -> Seen:
        """The distances after the rows `kept` have joined those that were seen."""
        normals = seen.normals.copy()
        folds = range(len(normals))
        flat, (n, d) = normals.reshape(len(folds), -1, K), self.normals[0].shape
        for part, several in self.normals.together():
            kept.merge_into(flat[:, part.start * n : part.stop * n], several.reshape(-1, d), folds)
        owners = {name for image in kept.bank.images for name in (image.id, *image.parts)}
        # Normal images of the same part must not be compared with its rows: they begin again without them.
        for i in (i for i, part in enumerate(self.normal_parts) if part in owners):
            normals[:, i] = seen.normals[:, i]
            kept.merge_into(normals[:, i], self.normals[i], folds, self.normal_parts[i])
        pictures = [found.copy() for found in seen.defects]
        for found, picture, group in zip(pictures, self.defects, self.groups, strict=True):
            kept.merge_into(found[None], picture, [self.fold_of[group]])
        return Seen(normals, pictures)
