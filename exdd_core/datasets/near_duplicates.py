"""Near-duplicates: images of different groups that look like one part photographed twice.

Each image becomes 256 bits (ImageHash's `phash` at size 16: the signs of the low frequencies of a 64 x 64
thumbnail). Two images count as near-duplicates if at most 60 bits differ, or at most half of the median
between groups if that is less: images of one aligned product have much in common without showing the same
part. Measured:

- Magnetic tiles, 230,432 pairs of images of different groups: half of them differ in 124 bits or more. 27
  differ in at most 60, all of the same two groups (frames 306425-306696 and 309352-309443); both groups show
  one tile with the same mark, so they are true duplicates that frame numbers do not tell. The first wrong
  pair differs in 64 bits. Of 1,693 pairs of one tile under two exposures 73 % are found, of the images that
  have such a twin 96 %. With images split at random, 87 to 93 of the 91 to 96 tiles on both sides are found
  (5 seeds).
- A shift by 1 % of the side changes some 30 bits, by 2 % some 70: a second shot must be framed like the
  first.
- Commutators, 19,200 pairs of images of different parts: none is reported.
- Demo surfaces (3 seeds): 88 to 90 % of second shots are found; different parts differ in 98 bits or more.
- Other hashes, on tiles: phash at size 8 finds 67 % of the pairs but also reports 98 pairs between groups;
  difference, average and wavelet hashes (8 and 16) and the correlation of thumbnails report hundreds to
  thousands, since lighting changes them most.

Knows records, pixels and hashes. Does not know files, masks or sentences.
"""

from __future__ import annotations

from collections.abc import Sequence

import imagehash
import numpy as np
from PIL import Image

from exdd_core.datasets.record import Record
from exdd_core.datasets.reports import NearDuplicates, Twins
from exdd_core.images import thumbnail

HASH_SIDE = 16
BITS = HASH_SIDE**2
ALIKE = 60  # differing bits, measured above
ALIKE_SHARE = 0.5  # of the median of differing bits between groups
MEDIAN_ROWS = 500  # images that this median is computed from
BLOCK = 1024  # rows of the distance matrix in memory at once
LISTED = 100  # pairs of groups that the report lists


def hash_of(image: np.ndarray) -> np.ndarray:
    """The perceptual hash of an image, uint8 (H, W, 3): bool (BITS,)."""
    return imagehash.phash(Image.fromarray(thumbnail(image, 256)), hash_size=HASH_SIDE).hash.ravel()


def near_duplicates(records: Sequence[Record], hashes: np.ndarray) -> NearDuplicates:
    """Find the near-duplicates among records. hashes: bool (n, BITS), one row for each record."""
    names, group = np.unique([record.group for record in records], return_inverse=True)
    test = np.array([record.split == "test" for record in records], dtype=bool)
    first, second, differing = _alike_pairs(hashes, group)
    across = test[first] != test[second]
    # One row for each pair of groups; its example is the pair of images with the fewest differing bits.
    order = np.lexsort((second, first, differing, ~across))
    low, high = np.minimum(group[first], group[second]), np.maximum(group[first], group[second])
    key = low[order].astype(np.int64) * len(names) + high[order]
    _, example, pairs = np.unique(key, return_index=True, return_counts=True)
    listed: list[Twins] = []
    for rank in np.lexsort((example, -pairs, ~across[order][example]))[:LISTED]:
        pair = order[example[rank]]
        a, b = records[first[pair]], records[second[pair]]
        listed.append(
            {
                "groups": [a.group, b.group],
                "images": [a.path, b.path],
                "pairs": int(pairs[rank]),
                "difference": round(float(differing[pair]) / BITS, 3),
                "across_split": bool(across[pair]),
            }
        )
    return {
        "pairs": len(first),
        "across_split": int(across.sum()),
        "group_pairs": len(pairs),
        "listed": listed,
    }


def _alike_pairs(hashes: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All near-duplicates: their rows i < j, and how many bits differ, as three int64 (pairs,).

    hashes: bool (n, BITS). group: int (n,). With bits as -1 and 1 the scalar product of two hashes is
    BITS - 2 * differing, so a block of rows takes one matrix product.
    """
    signs = hashes.astype(np.float32) * 2 - 1
    limit = _limit(signs, group)
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for start in range(0, len(signs), BLOCK):
        differing = (BITS - signs[start : start + BLOCK] @ signs[start:].T) / 2
        close = (differing <= limit) & (group[start : start + BLOCK, None] != group[None, start:])
        rows, columns = np.nonzero(np.triu(close, 1))
        found.append((rows + start, columns + start, differing[rows, columns].astype(np.int64)))
    if not found:
        nothing = np.empty(0, dtype=np.int64)
        return nothing, nothing, nothing
    first, second, bits = (np.concatenate(parts) for parts in zip(*found, strict=True))
    return first, second, bits


def _limit(signs: np.ndarray, group: np.ndarray) -> float:
    """How many bits of two near-duplicates may differ. signs: hashes as -1 and 1, float32 (n, BITS)."""
    rows = np.unique(np.linspace(0, len(signs) - 1, min(len(signs), MEDIAN_ROWS)).astype(int))
    differing = (BITS - signs[rows] @ signs.T) / 2
    between = differing[group[rows, None] != group[None, :]]
    return min(ALIKE, ALIKE_SHARE * float(np.median(between))) if between.size else ALIKE
