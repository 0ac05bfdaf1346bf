"""The integrity report: what a data set holds, what of it cannot be used, and where it leaks.

Reads every image and mask once. Knows records, pixels and a perceptual hash; knows nothing of layouts, of
features or of who reads the report.

**Near-duplicates** are images of different groups that look like one part photographed twice. Each image
becomes 256 bits (ImageHash's `phash` at size 16: the signs of the low frequencies of a 64 x 64 thumbnail).
Two images are alike when at most 60 bits differ, or half of what usually differs between groups where that is
less: images of one aligned product have much in common without showing the same part. Measured:

- Magnetic tiles, 230,432 pairs of images of different groups: half of them differ in 124 bits or more. 27
  differ in at most 60, all of the same two groups (frames 306425-306696 and 309352-309443), and looking at
  them shows one tile with the same mark: true duplicates that frame numbers do not tell. The first wrong pair
  differs in 64 bits. Of 1,693 pairs of one tile under two exposures 73 % are found, of the images that have
  such a twin 96 %; with images split at random, 87 to 93 of the 91 to 96 torn tiles are found (5 seeds).
- A shift by 1 % of the side changes some 30 bits, by 2 % some 70: a second shot must be framed like the first.
- Commutators, 19,200 pairs of images of different parts: none is flagged.
- Demo surfaces (3 seeds): 88 to 90 % of second shots are found; different parts differ in 98 bits or more.
- Others, on tiles: phash at size 8 finds 67 % of the pairs at the price of 98 pairs between groups,
  difference, average and wavelet hashes (8 and 16) and the correlation of thumbnails at the price of hundreds
  to thousands, since they see the lighting first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import imagehash
import numpy as np
from PIL import Image

from exdd_core.datasets.looks import Looks
from exdd_core.datasets.manifests import SPLITS
from exdd_core.datasets.record import DEFECT, NORMAL, Record
from exdd_core.datasets.survey import Survey
from exdd_core.errors import BadInput
from exdd_core.images import Size, mask_values, read_image, require_mask, thumbnail
from exdd_core.mask_rules import MaskRule
from exdd_core.progress import Progress
from exdd_core.sentences import count, counted

HASH_SIDE = 16
BITS = HASH_SIDE**2
ALIKE = 60  # differing bits, see above
ALIKE_SHARE = 0.5  # of the median between groups
MEDIAN_ROWS = 500  # images from which that median is taken
BLOCK = 1024  # rows of the distance matrix held at once
LISTED = 100  # group pairs that the report names
MOST = 0.5  # share of an image above which a mask is questioned
FEW_SMALL = 0.1  # share of the defects that may be smaller than a patch before somebody should look
FEW_NORMAL = 10  # normal training images below which a threshold is worth little
HEALTHY = "Every file can be read and no image leaks."


def check(
    root: Path,
    records: Sequence[Record],
    progress: Progress | None = None,
    found: Survey | None = None,
    unusable: Mapping[str, str] | None = None,
    size: Size | None = None,
) -> dict[str, Any]:
    """The report, ready for JSON:

    images, groups: numbers. counts: split -> label -> images. types: defect type -> split -> images.
    sizes: {different, smallest, largest, most_common}, each but the first (width, height) in pixels.
    unreadable: [{path, reason}]. blank: [path of an image of one value everywhere].
    masks, of defect images: {empty, missing, covering, inverted: [path of the image], wrong_size, unreadable: [{path,
    reason}], small: [path of the image], small_size: "WxH" or ""}. covering: most of the image is marked. small: no
    patch of the model's input is covered enough to show it.
    grey: {label: share of images without colour}.
    near_duplicates: {pairs, across_split: how many pairs of images of different groups; group_pairs: how
    many pairs of groups; listed: [{groups, images, pairs, difference 0..1, across_split}], one a pair of
    groups with its most alike images, leaks first}.
    healthy: nothing needs looking at. sentences: all of it for people. Besides all that `Survey.to_report` tells.

    found: what the records were settled by. unusable: image -> why its mask could not be written. size: what banks are
    built at; None leaves small defects unnamed.
    """
    progress = progress or Progress()
    progress.begin("Checking images", len(records))
    unreadable: list[dict[str, str]] = []
    masks: dict[str, list[Any]] = {
        name: [] for name in ("empty", "missing", "covering", "inverted", "wrong_size", "unreadable", "small")
    }
    looks = Looks(size)
    sizes: list[tuple[int, int]] = []
    hashes: list[np.ndarray] = []
    hashed: list[Record] = []
    for record in records:
        image = None
        try:
            image = read_image(root / record.path, record.path, found.depth if found else None)
            sizes.append((image.shape[1], image.shape[0]))
            hashes.append(_hash(image))
            hashed.append(record)
        except BadInput as error:
            unreadable.append({"path": record.path, "reason": str(error)})
        mask = None
        if record.label == DEFECT:
            mask = _check_mask(root, record, image, masks, unusable or {})
        if image is not None:
            looks.add(record, image, mask)
        progress.advance()
    masks["small"], masks["inverted"] = looks.small, looks.inverted()
    report: dict[str, Any] = {
        "images": len(records),
        "groups": len({record.group for record in records}),
        "counts": _counts(records),
        "types": _types(records),
        "sizes": _sizes(sizes),
        "unreadable": unreadable,
        "blank": looks.blank,
        "masks": {**masks, "small_size": looks.size_that_shows()},
        "grey": looks.grey(),
        "near_duplicates": near_duplicates(hashed, np.array(hashes, dtype=bool).reshape(-1, BITS)),
    }
    told = found.to_report() if found else {"notes": [], "problems": []}
    problems = [*_problems(report, size), *told.pop("problems")]
    if masks["small"] and not _many_small(report):
        told["notes"] = [*told["notes"], _small(report, size)]
    report["healthy"] = not problems
    report["sentences"] = _summary(report) + told["notes"] + (problems or [HEALTHY])
    return report | told


def _check_mask(
    root: Path,
    record: Record,
    image: np.ndarray | None,
    masks: dict[str, list[Any]],
    unusable: Mapping[str, str],
) -> np.ndarray | None:
    """Sort a record's mask by what is wrong with it; bool (H, W) where it can be used."""
    if record.path in unusable:
        kind = "wrong_size" if "pixels but its image" in unusable[record.path] else "unreadable"
        masks[kind].append({"path": record.path, "reason": unusable[record.path]})
        return None
    if record.mask is None:
        masks["missing"].append(record.path)
        return None
    try:
        values = mask_values(root / record.mask, record.mask)
        require_mask(values, record.mask)
        mask = MaskRule().marks(values)  # as everybody reads the masks that are kept
    except BadInput as error:
        masks["unreadable"].append({"path": record.path, "reason": str(error)})
        return None
    if image is not None and mask.shape != image.shape[:2]:
        height, width = image.shape[:2]
        reason = f"{mask.shape[1]} x {mask.shape[0]} instead of {width} x {height} pixels"
        masks["wrong_size"].append({"path": record.path, "reason": reason})
        return None
    if not mask.any():
        masks["empty"].append(record.path)
        return None
    if mask.mean() > MOST:
        masks["covering"].append(record.path)
    return mask


# --- counting -----------------------------------------------------------------------------------------


def _counts(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    found = Counter((record.split, record.label) for record in records)
    return {split: {label: found[split, label] for label in (NORMAL, DEFECT)} for split in SPLITS}


def _types(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    found = Counter((record.defect_type, record.split) for record in records if record.label == DEFECT)
    return {kind: {split: found[kind, split] for split in SPLITS} for kind in sorted({k for k, _ in found})}


def _sizes(sizes: list[tuple[int, int]]) -> dict[str, Any]:
    if not sizes:
        return {"different": 0, "smallest": None, "largest": None, "most_common": None}
    by_area = sorted(set(sizes), key=lambda size: (size[0] * size[1], size))
    common = min(Counter(sizes).items(), key=lambda item: (-item[1], item[0]))[0]
    return {
        "different": len(by_area),
        "smallest": list(by_area[0]),
        "largest": list(by_area[-1]),
        "most_common": list(common),
    }


# --- near-duplicates ----------------------------------------------------------------------------------


def _hash(image: np.ndarray) -> np.ndarray:
    """bool (BITS,)"""
    return imagehash.phash(Image.fromarray(thumbnail(image, 256)), hash_size=HASH_SIDE).hash.ravel()


def near_duplicates(records: Sequence[Record], hashes: np.ndarray) -> dict[str, Any]:
    """`hashes` bool (n, BITS) of `records` to the report's near_duplicates, see `check`."""
    names, group = np.unique([record.group for record in records], return_inverse=True)
    test = np.array([record.split == "test" for record in records], dtype=bool)
    first, second, differing = _alike_pairs(hashes, group)
    across = test[first] != test[second]
    # One row a pair of groups; its example is its most alike pair of images.
    order = np.lexsort((second, first, differing, ~across))
    low, high = np.minimum(group[first], group[second]), np.maximum(group[first], group[second])
    key = low[order].astype(np.int64) * len(names) + high[order]
    _, example, count = np.unique(key, return_index=True, return_counts=True)
    listed = []
    for rank in np.lexsort((example, -count, ~across[order][example]))[:LISTED]:
        pair = order[example[rank]]
        a, b = records[first[pair]], records[second[pair]]
        listed.append(
            {
                "groups": [a.group, b.group],
                "images": [a.path, b.path],
                "pairs": int(count[rank]),
                "difference": round(float(differing[pair]) / BITS, 3),
                "across_split": bool(across[pair]),
            }
        )
    return {
        "pairs": len(first),
        "across_split": int(across.sum()),
        "group_pairs": len(count),
        "listed": listed,
    }


def _alike_pairs(hashes: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows i < j of different groups that are alike, and how many bits differ: (n, BITS), (n,) to 3 (pairs,).

    With bits as -1 and 1 the scalar product is BITS - 2 * differing: one matrix product a block of rows.
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
    """How many bits may differ between images that are alike."""
    rows = np.unique(np.linspace(0, len(signs) - 1, min(len(signs), MEDIAN_ROWS)).astype(int))
    differing = (BITS - signs[rows] @ signs.T) / 2
    between = differing[group[rows, None] != group[None, :]]
    return min(ALIKE, ALIKE_SHARE * float(np.median(between))) if between.size else ALIKE


# --- sentences ----------------------------------------------------------------------------------------


def _summary(report: dict[str, Any]) -> list[str]:
    counts, sizes = report["counts"], report["sizes"]
    normal, defect = (sum(counts[split][label] for split in SPLITS) for label in (NORMAL, DEFECT))
    own = report["groups"] == report["images"] > 0
    lines = [
        f"{count(report['images'], 'image')}, {normal} normal and {defect} with a defect, "
        + ("each counted as a part of its own." if own else f"of {count(report['groups'], 'part')}."),
        "; ".join(
            f"{split}: {counts[split][NORMAL]} normal, {counts[split][DEFECT]} defect" for split in SPLITS
        ).capitalize()
        + ".",
    ]
    if report["types"]:
        kinds = ", ".join(f"{kind} ({sum(by.values())})" for kind, by in report["types"].items())
        lines.append(f"Types of defect: {kinds}.")
    if sizes["different"] == 1:
        lines.append(f"All images are {_pixels(sizes['largest'])} pixels.")
    elif sizes["different"]:
        lines.append(
            f"Sizes from {_pixels(sizes['smallest'])} to {_pixels(sizes['largest'])} pixels, "
            f"{sizes['different']} different ones."
        )
    lines += filter(None, [few_normal(counts["train"][NORMAL])])
    if not counts["train"][DEFECT]:
        lines.append("The training side has no defects: a positive bank needs accepted synthetic ones.")
    return lines


def few_normal(number: int) -> str:
    """What a threshold from so few normal training images is worth, "" from `FEW_NORMAL` on and for none."""
    if not 0 < number < FEW_NORMAL:
        return ""
    return (
        f"Only {count(number, 'normal training image')}: a threshold from so few cannot promise fewer false alarms "
        f"than 1 in {number + 1}, and one new image may change every verdict; import {FEW_NORMAL} or more."
    )


def _problems(report: dict[str, Any], size: Size | None) -> list[str]:
    masks, twins = report["masks"], report["near_duplicates"]
    lines = [
        f"{what}: {_named(found)}; {advice}."
        for what, found, advice in (
            ("Cannot be read", report["unreadable"], "replace or remove"),
            (
                "One value everywhere, such as wholly transparent",
                report["blank"],
                "they show nothing, so save them again or take them out",
            ),
            ("Defect without a mask", masks["missing"], "without one it cannot enter the positive bank"),
            ("Empty mask, nothing brighter than 127", masks["empty"], "draw defects in white on black"),
            (
                "Mask that seems inverted",
                masks["inverted"],
                "import again with --masks inverted where that is so",
            ),
            (
                "Mask that marks more than half of its image",
                [path for path in masks["covering"] if path not in masks["inverted"]],
                "look whether that is meant",
            ),
            ("Mask of another size", masks["wrong_size"], "save masks at the size of their image"),
            ("Mask that cannot be used", masks["unreadable"], "save it again, white on black"),
        )
        if found
    ]
    if _many_small(report):
        lines.append(_small(report, size))
    grey = report["grey"]
    if len(grey) == 2 and abs(grey[NORMAL] - grey[DEFECT]) > 0.5:
        colour, plain = ("normal", "defective") if grey[NORMAL] < grey[DEFECT] else ("defective", "normal")
        lines.append(
            f"Most {colour} images have colours and most {plain} ones are grey: a bank would tell them apart by that "
            "alone; take both with one camera and save them alike."
        )
    if twins["pairs"]:
        a, b = twins["listed"][0]["images"]
        leak = (
            f" ({twins['across_split']} with one on each side of the split)" if twins["across_split"] else ""
        )
        lines.append(
            f"Near-duplicates in different groups: {count(twins['pairs'], 'pair')} of images{leak}, such as "
            f"{a} and {b}; figures look better than they are until each part's images are in one group."
        )
    return lines


def _many_small(report: dict[str, Any]) -> bool:
    return len(report["masks"]["small"]) > FEW_SMALL * sum(
        report["counts"][split][DEFECT] for split in SPLITS
    )


def _small(report: dict[str, Any], size: Size | None) -> str:
    masks = report["masks"]
    few = count(len(masks["small"]), "defect")
    verb = "is" if len(masks["small"]) == 1 else "are"
    shows = masks["small_size"]
    advice = (
        f"--size {shows} would show them" if shows else "no size shows them all, so cut the images into tiles"
    )
    return f"{few} {verb} smaller than a patch at {size}: {_named(masks['small'])}; {advice}."


def _pixels(size: Sequence[int]) -> str:
    return f"{size[0]} x {size[1]}"


def _named(found: Sequence[Any]) -> str:
    """ "5 images (a.png, b.png, c.png and 2 more)", of paths or of rows with a path."""
    return counted([item if isinstance(item, str) else item["path"] for item in found])
