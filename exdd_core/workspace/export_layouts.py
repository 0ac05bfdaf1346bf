"""The paths of images and masks in an export as MVTec AD or COCO.

Chooses names that every file system accepts and that pair a mask with its own image only. Knows names, masks and the
two layouts. Does not know the workspace or how files are written.

MVTec AD: P. Bergmann et al., "The MVTec anomaly detection dataset", International Journal of Computer Vision, 2021.
It has no defects in its training split; here they lie in train/TYPE with masks in ground_truth/train/TYPE, so that
ground_truth/TYPE has a mask for each defect of the test split, as programs expect.
COCO: T.-Y. Lin et al., "Microsoft COCO: common objects in context", ECCV 2014.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import NamedTuple, TypedDict

import numpy as np
from pycocotools import mask as coco

from exdd_core.datasets.mvtec import NO_TYPE
from exdd_core.datasets.pairing import named_masks, plain_stem
from exdd_core.datasets.record import DEFECT, NORMAL, natural_key
from exdd_core.datasets.tree import base, name_key, parent, stem
from exdd_core.datasets.words import is_image_word, is_mask_word, label_word, role_guess, split_word, squeezed
from exdd_core.formats import SUFFIXES, is_system_file, picture_format
from exdd_core.spec import Json
from exdd_core.synthesis.mask_geometry import bounds

SPLITS = ("train", "test")
ILLEGAL = frozenset('<>:"/\\|?*')  # in file names on Windows
DEVICES = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10)))
)
LONGEST = 160  # bytes of one part of a path
LONGEST_CATEGORY = 70  # characters
SUFFIX_OF = {"JPEG": ".jpg", "BMP": ".bmp", "TIFF": ".tif", "WEBP": ".webp", "PPM": ".ppm"}  # else .png


@dataclass(frozen=True)
class Item:
    """One image to export.

    file: its path. name: a posix path that is unique among the images. split: "train" or "test". mask: reads its mask,
    bool (H, W), of the upright image; None without a mask. about: further columns of the manifest.
    """

    file: Path
    name: str
    label: str
    split: str
    defect_type: str = ""
    group: str = ""
    mask: Callable[[], np.ndarray] | None = None
    about: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Its type of defect, "defect" for an unnamed type, "" for a normal image."""
        return "" if self.label == NORMAL else self.defect_type or DEFECT


class Place(NamedTuple):
    """The posix paths of an image and its mask in an export.

    mask: "" where the layout has no file for it. kind: the type of defect as the layout spells it.
    """

    path: str
    mask: str
    kind: str


def mvtec_places(items: Sequence[Item]) -> list[Place]:
    """train/good, test/good, test/TYPE and ground_truth/TYPE/NAME_mask.png; train/TYPE and ground_truth/train/TYPE."""
    folders = type_folders(items)
    nested = any("/" in folder for folder in folders.values())

    def scope(item: Item) -> Hashable:
        """The set in which names must be unique: folders of both splits, and of nested types, may coincide."""
        if item.label == NORMAL:
            return item.split
        return DEFECT if nested else (DEFECT, folders[item.kind])

    places = []
    for item, name in zip(items, unique_names(items, scope), strict=True):
        kind = "" if item.label == NORMAL else folders[item.kind]
        side = "train/" if item.split == "train" else ""
        mask = f"ground_truth/{side}{kind}/{stem(name)}_mask.png" if kind and item.mask else ""
        places.append(Place(f"{item.split}/{kind or 'good'}/{name}", mask, kind))
    return places


def coco_places(items: Sequence[Item]) -> list[Place]:
    """All images in images/, since other folder names might be read as labels; masks are in the annotation files."""
    categories = _spelled((item.kind for item in items if item.label == DEFECT), _category)
    names = unique_names(items, lambda item: "")
    return [
        Place(f"images/{name}", "", categories[item.kind] if item.label == DEFECT else "")
        for item, name in zip(items, names, strict=True)
    ]


def _category(kind: str) -> str:
    """A type of defect as a category's name: one short line that does not mean normal."""
    text = " ".join("".join(char if char.isprintable() else " " for char in kind).split())
    text = text[:LONGEST_CATEGORY].strip() or DEFECT
    means_nothing = label_word(text) == NORMAL or text.strip("_").lower() in ("background", "ignore")
    return f"{text}-type" if means_nothing else text


class RunLengths(TypedDict):
    """A mask as COCO's compressed run lengths. size: [H, W]. counts: the lengths as text."""

    size: list[int]
    counts: str


class CocoAnnotation(TypedDict):
    """A defect in COCO's format. segmentation: [] for an empty mask. area: in pixels. bbox: as `box` returns it."""

    id: int
    image_id: int
    category_id: int
    segmentation: RunLengths | list[float]
    area: int
    bbox: list[int]
    iscrowd: int


class CocoWriter:
    """Collects the content of COCO's annotation files, one for each split."""

    def __init__(self, kinds: Iterable[str]):
        """kinds: all types of defect, so that both files number them in the same way."""
        names = sorted({kind for kind in kinds if kind}, key=natural_key)
        self._numbers = {name: number for number, name in enumerate(names, 1)}
        self._images: dict[str, list[Json]] = {split: [] for split in SPLITS}
        self._annotations: dict[str, list[CocoAnnotation]] = {split: [] for split in SPLITS}
        self._count = 0

    def add(self, item: Item, place: Place, size: tuple[int, int], mask: np.ndarray | None) -> None:
        """Add one image. size: (width, height) of the upright image. mask: bool (H, W), or None.

        A defective image without a mask gets an empty annotation, since an image without annotations is normal.
        """
        self._count += 1
        width, height = size
        known: Json = {"label": item.label, "defect_type": place.kind, "group": item.group}
        known |= {name: value for name, value in item.about.items() if value not in ("", None)}
        file: Json = {"id": self._count, "file_name": place.path.removeprefix("images/")}
        self._images[item.split].append(known | file | {"width": width, "height": height})
        if item.label == NORMAL:
            return
        self._annotations[item.split].append(
            {
                "id": self._count,
                "image_id": self._count,
                "category_id": self._numbers[place.kind],
                "segmentation": [] if mask is None else run_lengths(mask),
                "area": 0 if mask is None else int(mask.sum()),
                "bbox": [0, 0, 0, 0] if mask is None else box(mask),
                "iscrowd": 0,
            }
        )

    def document(self, split: str, description: str) -> Json:
        """One annotation file."""
        return {
            "info": {"description": description},
            "images": self._images[split],
            "annotations": self._annotations[split],
            "categories": [{"id": number, "name": name} for name, number in self._numbers.items()],
        }


def run_lengths(mask: np.ndarray) -> RunLengths:
    """Encode a mask, bool (H, W), as COCO's compressed run lengths."""
    packed = coco.encode(np.asfortranarray(mask, np.uint8))
    return {"size": list(mask.shape), "counts": packed["counts"].decode()}


def box(mask: np.ndarray) -> list[int]:
    """[left, top, width, height] of a mask's bounding box; zeros for an empty mask."""
    if not mask.any():
        return [0, 0, 0, 0]
    top, bottom, left, right = bounds(mask)
    return [left, top, right - left, bottom - top]


def type_folders(items: Iterable[Item]) -> dict[str, str]:
    """Type of defect -> its folder: the type itself, unless that is no valid folder name or means something else.

    A reader takes a folder without masks for a type of defect only in the test split, and only if its name does not
    mean something else. So a type without masks goes into defect/.
    """
    defects = [item for item in items if item.label == DEFECT]
    folders = _spelled((item.kind for item in defects), _folder)
    with_masks = {folders[item.kind].split("/")[0] for item in defects if item.mask}
    for kind, folder in folders.items():
        top = folder.split("/")[0]
        tested = all(item.split == "test" for item in defects if item.kind == kind)
        told = label_word(top) == DEFECT or (role_guess(top) in ("", DEFECT) and squeezed(top) not in NO_TYPE)
        if top not in with_masks and label_word(top) != DEFECT and not (tested and told):
            folders[kind] = f"{DEFECT}/{folder}"
    return folders


def _spelled(kinds: Iterable[str], spell: Callable[[str], str]) -> dict[str, str]:
    """Each type as a layout spells it. Spellings are unique even where case does not count."""
    found: dict[str, str] = {}
    used: set[str] = set()
    exact = sorted(set(kinds), key=lambda kind: (spell(kind) != kind, natural_key(kind)))
    for kind in exact:  # types that keep their spelling come first
        name = spell(kind)
        tries = chain([name], (f"{name}-{number}" for number in count(2)))
        found[kind] = next(tried for tried in tries if name_key(tried) not in used)
        used.add(name_key(found[kind]))
    return found


def _folder(kind: str) -> str:
    """A type of defect as a path whose folders do not mean a label, a split or masks."""
    parts = [safe(part) for part in kind.split("/") if part] or [DEFECT]
    means = (is_mask_word, split_word, is_image_word, lambda part: label_word(part) == NORMAL)
    return "/".join(f"{part}-type" if any(told(part) for told in means) else part for part in parts)


def unique_names(items: Sequence[Item], scope: Callable[[Item], Hashable]) -> list[str]:
    """A file name for every item, unique in its scope even where neither case nor suffix counts.

    An item keeps its name if possible; names that occur several times in a scope are prefixed with folders.
    """
    names = [_file_name(item) for item in items]
    scopes = [scope(item) for item in items]
    longer = [_with_folders(item.name, stem(name)) for item, name in zip(items, names, strict=True)]
    often = Counter(
        (where, name_key(tried)) for where, tries in zip(scopes, longer, strict=True) for tried in tries
    )
    used: set[tuple[Hashable, str]] = set()
    chosen = []
    for name, where, tries in zip(names, scopes, longer, strict=True):
        alone = [tried for tried in tries if often[where, name_key(tried)] == 1]
        last = tries[-1]
        others = (f"{last}-image", f"image-{last}", f"image-{last}-image")
        numbered = (f"image-{number}" for number in count(1))
        taken = next(
            tried
            for tried in chain(alone, others, numbered)
            if (where, name_key(tried)) not in used and _pairs(tried)
        )
        used.add((where, name_key(taken)))
        chosen.append(taken + name[len(stem(name)) :])
    return chosen


def _with_folders(name: str, file_stem: str) -> list[str]:
    """Possible names for a file: its own name, then prefixed with more and more folders; "b/a/7" gives b-a-7."""
    tries = [file_stem]
    for folder in reversed(parent(name).split("/")):
        if folder:
            tries.append(safe(f"{folder}-{tries[-1]}"))
    return list(dict.fromkeys(tries))


def _file_name(item: Item) -> str:
    """An item's file name without characters that some systems refuse, with the suffix of its format."""
    name = base(item.name)
    if Path(name).suffix.lower() in SUFFIXES:
        start, suffix = stem(name), Path(name).suffix
    else:
        start, suffix = name, SUFFIX_OF.get(picture_format(item.file), ".png")
    return safe(start).rstrip(" ._-") + suffix if safe(start).rstrip(" ._-") else f"image{suffix}"


def _pairs(file_stem: str) -> bool:
    """Whether a reader pairs an image of this name with its own mask and does not take it for another's mask."""
    image, mask = f"{file_stem}.png", f"{file_stem}_mask.png"
    own = plain_stem(mask) == name_key(file_stem) and named_masks([image, mask]) == {image: [mask]}
    return own and not plain_stem(image) and not named_masks(["another.png", image])


def safe(part: str) -> str:
    """One part of a path without characters that some systems refuse, and neither hidden nor a reserved name."""
    text = "".join("_" if char in ILLEGAL or not char.isprintable() else char for char in part)
    while len(text.encode()) > LONGEST:
        text = text[:-1]
    text = text.rstrip(" .")
    if not text or is_system_file(text) or text.split(".")[0].strip().casefold() in DEVICES:
        text = f"_{text}"
    return text
