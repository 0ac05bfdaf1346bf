"""What a folder would become as a data set, before anything is made: read by a layout, then settled from its pixels.

The preview shows it and the import follows it, so both say the same. Here the rule for masks and the bit depth are
decided, once for all of a data set; images whose label is told by their mask get it; what looks like a mask and
belongs to no image is taken out; and every picture that became neither an image nor a mask is named. Knows layouts,
masks and depths. Does not know the workspace or what will be copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from exdd_core import depth as depths, images
from exdd_core.datasets import outlines
from exdd_core.datasets.groups import GroupRule
from exdd_core.datasets.record import BY_MASK, DEFECT, NORMAL, Question, Reading, Record, natural_key
from exdd_core.datasets.tree import Tree, is_below, name_key, parent, stem
from exdd_core.depth import OUTLIERS, Depth
from exdd_core.errors import BadInput
from exdd_core.mask_rules import USUAL, MaskRule, Tally
from exdd_core.progress import Progress
from exdd_core.sentences import count, counted, listed

BACK = {6: 8, 8: 6}  # EXIF orientation -> the one that undoes it; the others undo themselves
DENSE = 0.15  # bytes a pixel: a picture of two levels takes less, so only smaller files are looked at
TWO_LEVELS = 0.98  # share of the pixels of a mask that are its darkest or its brightest value
UNCLAIMED = "the layout has no place for them; put them into a folder that it has, or move them away"
EMPTY = "it holds nothing"
UNPRINTABLE = "their names hold characters that cannot be stored, such as line breaks; rename them"
DIFFER = "that alone may change their brightness; save all of them alike"
AS_CHOSEN = "as you chose"
CHOSEN = (AS_CHOSEN,)  # reasons that nobody needs to look at
LIKE_A_MASK = (
    "black and white as masks are, and no image has their name; name each like its image with _mask behind"
)


@dataclass(frozen=True)
class Choices:
    """What a person says of a source before it is imported; all of it has a default.

    layout: "auto" or the name of one. groups: which images show one physical part. roles: folder -> a key of
    `ROLES`, the answers to a layout's questions. depth, masks: in place of what is decided from the images.
    """

    layout: str = "auto"
    groups: GroupRule | None = None
    roles: Mapping[str, str] = field(default_factory=dict)
    depth: Depth | None = None
    masks: MaskRule | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "layout": self.layout,
            "groups": str(self.groups) if self.groups else None,
            "roles": dict(self.roles),
            "depth": str(self.depth) if self.depth else None,
            "masks": str(self.masks) if self.masks else None,
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Choices:
        """Raises `BadInput` for what cannot be meant."""
        groups, depth, masks = (values.get(name) for name in ("groups", "depth", "masks"))
        return cls(
            values.get("layout") or "auto",
            GroupRule.parse(groups) if groups else None,
            dict(values.get("roles") or {}),
            Depth.parse(depth) if depth else None,
            MaskRule.parse(masks) if masks else None,
        )


@dataclass(frozen=True)
class LeftOut:
    """Pictures of one folder that became neither image nor mask, for one reason. `serious`: somebody should look."""

    folder: str
    reason: str
    paths: tuple[str, ...]
    serious: bool = True

    @property
    def sentence(self) -> str:
        what = f"{self.folder}/" if self.folder else "the folder itself"
        many = len(self.paths)
        if self.paths == (self.folder,):
            return f"{what if self.reason == EMPTY else self.folder} is left out: {self.reason}."
        shown = listed([path[len(self.folder) :].lstrip("/") for path in self.paths])
        files = f"1 file of {what} is" if many == 1 else f"{many} files of {what} are"
        return f"{files} left out ({shown}): {self.reason}."


@dataclass(frozen=True)
class Survey:
    """A folder as a data set. `records` have their labels, and a split only where the layout brings one.

    depth: None where no image has more than 8 bits a channel. clipped: image -> share of its pixels beyond the depth.
    turned: image -> what its mask was turned by, where the EXIF of only one of both says so. several_pages:
    image -> how many pages or frames its file has, of which the first is read. masks_of_normal: images that the
    layout calls normal although their mask marks something. doubts: what the layout says somebody should look at.
    """

    tree: Tree
    records: list[Record]
    left_out: list[LeftOut]
    questions: list[Question]
    notes: list[str]
    rule: MaskRule
    depth: Depth | None
    clipped: dict[str, float] = field(default_factory=dict)
    turned: dict[str, str] = field(default_factory=dict)
    several_pages: dict[str, int] = field(default_factory=dict)
    masks_of_normal: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)

    def mask_of(self, record: Record) -> np.ndarray | None:
        """The mask of a record as bool (H, W) of its upright image, by the rule of the data set; None without one.

        Raises `BadInput` where the files cannot be used.
        """
        return _mask_of(self.tree, record, self.rule)

    def must_be_written(self, record: Record) -> bool:
        """Whether its mask is something else than one file that is white above 127."""
        if not record.masks and not record.outlines:
            return False
        usual = (self.rule.above, self.rule.inverted) == (USUAL, False)
        return bool(record.outlines or record.more_masks or not usual or record.path in self.turned)

    def to_report(self) -> dict[str, Any]:
        """What preview and import say of it, ready for JSON:

        left_out: [{folder, reason, count, paths, serious}]. masks: {rule, sentence, turned, of_normal, united}.
        depth: {bits or window, title, clipped: {image: share}} or None. several_pages: {image: pages}.
        questions: [{folder, images, guess}]. notes: sentences. problems: sentences about what somebody should look at.
        """
        return {
            "left_out": [
                {
                    "folder": f.folder,
                    "reason": f.reason,
                    "count": len(f.paths),
                    "paths": list(f.paths),
                    "serious": f.serious,
                }
                for f in self.left_out
            ],
            "mask_rule": {
                "rule": str(self.rule),
                "title": self.rule.title,
                "sentence": self.rule.sentence if self._with_masks else "",
            },
            "masks_turned": self.turned,
            "masks_of_normal": self.masks_of_normal,
            "depth": {"value": str(self.depth), "title": self.depth.title, "clipped": self.clipped}
            if self.depth
            else None,
            "several_pages": self.several_pages,
            "questions": [vars(question) for question in self.questions],
            "notes": self._notes(),
            "problems": self._problems(),
        }

    @property
    def _with_masks(self) -> bool:
        return any(record.masks for record in self.records)

    def _notes(self) -> list[str]:
        lines = [*self.notes]
        united = sum(bool(record.more_masks) for record in self.records)
        if united:
            lines.append(f"{count(united, 'image')} with several masks each: they are united.")
        if self._with_masks and (self.rule.above, self.rule.inverted) != (USUAL, False):
            lines.append(self.rule.sentence)
        if self.depth is not None:
            lines.append(
                f"Images of more than 8 bits are read with {self.depth.title}; --depth chooses another."
            )
        if self.clipped and max(self.clipped.values()) <= OUTLIERS:
            lines.append(self._clipping())
        lines += [left.sentence for left in self.left_out if not left.serious]
        return lines

    def _clipping(self) -> str:
        window = self.depth.title if self.depth else ""
        return (
            f"Values beyond {window} are clipped in {counted(list(self.clipped))}, up to "
            f"{float(f'{100 * max(self.clipped.values()):.2g}'):g} % of an image's pixels."
        )

    def _problems(self) -> list[str]:
        lines = [*self.doubts, *(left.sentence for left in self.left_out if left.serious)]
        if self.turned:
            lines.append(
                f"Masks that are not turned as their images are: {counted(list(self.turned))}; they are turned here."
            )
        if self.masks_of_normal:
            lines.append(
                f"Called normal, but a mask marks a defect: {counted(self.masks_of_normal)}; move them to the defects, "
                "or take the masks away."
            )
        if self.several_pages:
            lines.append(
                "Several pages or frames in one file, of which only the first is read: "
                f"{counted(list(self.several_pages))}; "
                "save each page as a file of its own."
            )
        if self.clipped and max(self.clipped.values()) > OUTLIERS:
            lines.append(self._clipping())
        return lines


def survey(tree: Tree, reading: Reading, choices: Choices, progress: Progress | None = None) -> Survey:
    """Settle what a layout has read of a tree. Raises `BadInput` only where nothing can be settled."""
    progress = progress or Progress()
    records = _with_same_stem(tree, reading.records)
    records, like_masks = _without_masks(tree, records)
    unnamed = [r for r in records if not all(name.isprintable() for name in (r.path, *r.masks))]
    records = [record for record in records if record not in unnamed]
    rule = choices.masks or _rule(tree, records, progress)
    records, turned, of_normal = _settled(tree, records, rule, progress)
    depth, clipped, pages, shallow = _depth(tree, records, choices.depth, progress)
    claimed = {name for record in records for name in (record.path, *record.masks)}
    reasons = {name: reading.left_out.get(name, UNCLAIMED) for name in tree.images if name not in claimed}
    reasons |= {name: LIKE_A_MASK for name in like_masks if name not in claimed}
    reasons |= {name: UNPRINTABLE for record in unnamed for name in (record.path, *record.masks)}
    return Survey(
        tree,
        [
            record if record.label == DEFECT else replace(record, mask=None, more_masks=(), outlines=())
            for record in records
        ],
        _left_out(tree, reasons),
        reading.questions,
        reading.notes,
        rule,
        depth,
        clipped,
        turned,
        pages,
        of_normal,
        [*reading.problems, *shallow],
    )


# --- files that look like masks ---------------------------------------------------------------------------


def _with_same_stem(tree: Tree, records: list[Record]) -> list[Record]:
    """Of two files of one name but for the suffix, the one that looks like a mask becomes the other's mask."""
    by_stem: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_stem[name_key(stem(record.path))].append(record)
    masks: dict[str, str] = {}
    for twins in by_stem.values():
        if len(twins) != 2 or any(twin.masks or twin.outlines for twin in twins):
            continue
        alike = [like_a_mask(tree.path(twin.path)) for twin in twins]
        if alike[0] != alike[1]:
            image, mask = (twins[1], twins[0]) if alike[0] else (twins[0], twins[1])
            masks[image.path] = mask.path
    taken = set(masks.values())
    return [replace(r, mask=masks.get(r.path, r.mask)) for r in records if r.path not in taken]


def _without_masks(tree: Tree, records: list[Record]) -> tuple[list[Record], list[str]]:
    """The records without those that look like masks, and the paths of these; where most do, the images are so."""
    alike = [record.path for record in records if like_a_mask(tree.path(record.path))]
    if 2 * len(alike) >= len(records):
        return records, []
    return [record for record in records if record.path not in set(alike)], alike


def like_a_mask(path: Path) -> bool:
    """Whether nearly all pixels of an image are its darkest or its brightest grey, as in a mask."""
    try:
        width, height = images.probe(path)
        compressed = path.suffix.lower() not in (".bmp", ".dib", ".tif", ".tiff", ".pgm", ".ppm", ".pnm")
        if compressed and path.stat().st_size > DENSE * width * height + 2000:
            return False
        values = images.mask_values(path)
    except (BadInput, OSError):
        return False
    low, high = int(values.min()), int(values.max())
    return bool(((values == low) | (values == high)).mean() >= TWO_LEVELS)


# --- masks --------------------------------------------------------------------------------------------------


def _rule(tree: Tree, records: Sequence[Record], progress: Progress) -> MaskRule:
    """One rule for all masks; files that cannot be read are named when they are checked."""
    files = list(dict.fromkeys(name for record in records for name in record.masks))
    tally = Tally()
    progress.begin("Reading masks", len(files))
    for name in files:
        with suppress(BadInput):
            tally.add(images.mask_values(tree.path(name), name))
        progress.advance()
    return tally.rule()


def _settled(
    tree: Tree, records: Sequence[Record], rule: MaskRule, progress: Progress
) -> tuple[list[Record], dict[str, str], list[str]]:
    """Records with labels; image -> how its mask is turned; normal images whose mask marks something."""
    settled, turned, of_normal = [], {}, []
    progress.begin("Looking at masks", len(records))
    for record in records:
        if told := _turn(tree, record):
            turned[record.path] = told
        if record.label != DEFECT and (record.masks or record.outlines):
            marks = _marks(tree, record, rule)
            if record.label == BY_MASK:
                record = replace(
                    record, label=DEFECT if marks else NORMAL, defect_type=record.defect_type if marks else ""
                )
            elif marks:
                of_normal.append(record.path)
        settled.append(record)
        progress.advance()
    return settled, turned, of_normal


def _marks(tree: Tree, record: Record, rule: MaskRule) -> bool:
    """Whether a mask marks anything. One that cannot be read may mark something: its image must not be normal."""
    try:
        mask = _mask_of(tree, record, rule)
    except BadInput:
        return True
    return mask is not None and bool(mask.any())


def _mask_of(tree: Tree, record: Record, rule: MaskRule) -> np.ndarray | None:
    if not record.masks and not record.outlines:
        return None
    width, height = images.probe(tree.path(record.path), record.path)
    parts = []
    for name in record.masks:
        values = images.mask_values(tree.path(name), name)
        images.require_mask(values, name)
        parts.append(images.of_shape(rule.marks(_upright(tree, record, name, values)), (height, width), name))
    if record.outlines:
        parts.append(outlines.draw(record.outlines, (height, width), record.path))
    return np.logical_or.reduce(parts)


def _upright(tree: Tree, record: Record, name: str, values: np.ndarray) -> np.ndarray:
    """A mask's values as its image lies: turned by the image's EXIF in place of its own where it fits better so."""
    turn, own = _turns(tree, record, name)
    if turn == own:
        return values
    picture = images.read_image(tree.path(record.path), record.path)
    other = images.turned(images.turned(values, BACK.get(own, own)), turn)
    return other if mask_fit(picture, other) > mask_fit(picture, values) else values


def _turns(tree: Tree, record: Record, name: str) -> tuple[int, int]:
    """The EXIF orientations of an image and of its mask."""
    turn = images.exif_orientation(tree.path(record.path), record.path)
    return turn, images.exif_orientation(tree.path(name), name)


def _turn(tree: Tree, record: Record) -> str:
    """What a mask of a record was turned by, in words, or ""."""
    for name in record.masks:
        with suppress(BadInput):
            turn, own = _turns(tree, record, name)
            if turn == own:
                continue
            values = images.mask_values(tree.path(name), name)
            if _upright(tree, record, name, values) is not values:
                if turn == 1:
                    return f"{name} has an EXIF turn that {record.path} has not and is not turned by it"
                return f"{name} lies as the camera held {record.path} and is turned with it"
    return ""


def mask_fit(picture: np.ndarray, values: np.ndarray) -> float:
    """How much what a mask marks differs from the rest of its picture; -1 where it has another size."""
    if values.shape != picture.shape[:2]:
        return -1.0
    marked = values > (int(values.min()) + int(values.max())) / 2
    if not marked.any() or marked.all():
        return 0.0
    grey = picture.mean(axis=2)
    rough = np.abs(grey - cv2.GaussianBlur(grey, (0, 0), 2))
    return sum(
        abs(float(plane[marked].mean() - plane[~marked].mean())) / (float(plane.std()) + 1e-6)
        for plane in (grey, rough)
    )


# --- bit depth and pages --------------------------------------------------------------------------------------


def _depth(
    tree: Tree, records: Sequence[Record], chosen: Depth | None, progress: Progress
) -> tuple[Depth | None, dict[str, float], dict[str, int], list[str]]:
    """The depth of all images together, image -> share of its pixels beyond it, and image -> pages where several.

    Last, what to say where some images have 8 bits and others more.
    """
    deep: list[str] = []
    shallow: list[str] = []
    pages: dict[str, int] = {}
    progress.begin("Reading headers", len(records))
    for record in records:
        with suppress(BadInput):
            told = images.header(tree.path(record.path), record.path)
            (deep if told.deep else shallow).append(record.path)
            if told.pages > 1:
                pages[record.path] = told.pages
        progress.advance()

    def values() -> Iterator[tuple[str, np.ndarray]]:
        for name in deep:
            with suppress(BadInput):
                found = images.read_deep(tree.path(name), name)
                if found is not None:
                    yield name, found

    if not deep:
        return chosen, {}, pages, []
    mixed = (
        [f"{counted(shallow)} of 8 bits beside {count(len(deep), 'image')} of more: {DIFFER}."]
        if shallow
        else []
    )
    depth = chosen or depths.guess(found for _, found in values())
    if depth is None:
        return None, {}, pages, mixed
    shares = {name: depth.beyond(found) for name, found in values()}
    return depth, {name: share for name, share in shares.items() if share}, pages, mixed


# --- what is left -----------------------------------------------------------------------------------------------


def _left_out(tree: Tree, reasons: dict[str, str]) -> list[LeftOut]:
    """What is left out, by folder and reason."""
    grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name, reason in (reasons | tree.unread).items():
        grouped[parent(name), reason].append(name)
    for name, reason in tree.not_followed.items():
        grouped[name, reason].append(name)
    full = {parent(name) for name in (*tree.images, *tree.files, *tree.unread, *tree.not_followed)}
    for folder in tree.folders:
        if folder not in full and not any(is_below(name, folder) for name in (*full, *tree.folders)):
            grouped[folder, EMPTY].append(folder)
    return [
        LeftOut(
            _spelt(folder), reason, tuple(map(_spelt, sorted(paths, key=natural_key))), reason not in CHOSEN
        )
        for (folder, reason), paths in sorted(grouped.items(), key=lambda item: natural_key(item[0][0]))
    ]


def _spelt(name: str) -> str:
    """A name as it can be shown and stored: what is no character that prints is written as its number."""
    return (
        name if name.isprintable() else name.encode("ascii", "backslashreplace").decode().replace("\n", "\\n")
    )
