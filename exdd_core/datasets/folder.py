"""Plain folders: good/ (or ok/, normal/), defect/ (or bad/, ng/) and, where there are any, masks/.

Subfolders of defect/ are the types of defect. A mask lies in masks/ at the same place as its image (from the
root, or from inside defect/), named like it or with _mask behind, or as NAME_mask beside it. No split. Every
image is its own group unless a `GroupRule` says better. Knows folders and names, no pixels.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from exdd_core.datasets.groups import GroupRule, apply_rule
from exdd_core.datasets.record import DEFECT, NORMAL, Record, image_files, in_natural_order, subfolders
from exdd_core.errors import BadInput
from exdd_core.images import Size

NAME = "folder"
TITLE = "Plain folders (good/, defect/, masks/)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)  # of the groups without and with a defect, see groups.grouped_split

NORMAL_NAMES = ("good", "ok", "normal")
DEFECT_NAMES = ("defect", "defects", "bad", "ng")
MASK_NAMES = ("masks", "mask")


def detect(root: Path) -> bool:
    return bool(_named(root, NORMAL_NAMES))


def read(root: Path, rule: GroupRule | None = None) -> list[Record]:
    """One record an image, split "". Raises `BadInput` where the rule leaves an image without a group."""
    masks = _index(root, [path for folder in _named(root, MASK_NAMES) for path in image_files(folder)])
    by_subfolder = rule is not None and rule.kind == "subfolder"
    records = [
        Record(_relative(root, path), NORMAL, "", None, "", _group(root, path, folder, by_subfolder))
        for folder in _named(root, NORMAL_NAMES)
        for path in image_files(folder)
    ]
    for folder in _named(root, DEFECT_NAMES):
        images = image_files(folder)
        beside = _index(root, images)
        for path in images:
            if _is_mask_beside(root, path, beside):
                continue
            records.append(
                Record(
                    path=_relative(root, path),
                    label=DEFECT,
                    defect_type=_type(path, folder, by_subfolder),
                    mask=_mask(root, path, folder, masks | beside),
                    split="",
                    group=_group(root, path, folder, by_subfolder),
                )
            )
    records = in_natural_order(records)
    return apply_rule(records, rule) if rule is not None and not by_subfolder else records


def _named(root: Path, names: tuple[str, ...]) -> list[Path]:
    return [folder for folder in subfolders(root) if folder.name.lower() in names]


def _relative(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix()


def _stem(root: Path, path: Path) -> str:
    return path.relative_to(root).with_suffix("").as_posix()


def _index(root: Path, files: list[Path]) -> dict[str, str]:
    """Path without suffix -> path, both relative to the root."""
    return {_stem(root, path): _relative(root, path) for path in files}


def _is_mask_beside(root: Path, path: Path, beside: dict[str, str]) -> bool:
    stem = _stem(root, path)
    return stem.endswith("_mask") and stem.removesuffix("_mask") in beside


def _mask(root: Path, path: Path, folder: Path, files: dict[str, str]) -> str | None:
    stem, inner = _stem(root, path), _stem(folder, path)
    places = [stem + "_mask"]
    for masks in _named(root, MASK_NAMES):
        for name in (stem, inner):
            places += [f"{masks.name}/{name}", f"{masks.name}/{name}_mask"]
    return next((files[place] for place in places if place in files), None)


def _type(path: Path, folder: Path, by_subfolder: bool) -> str:
    """The folders between defect/ and the image, without the part's own folder when that is the group."""
    inner = PurePosixPath(path.relative_to(folder).as_posix()).parent
    if by_subfolder:
        inner = inner.parent
    return "/".join(inner.parts) or "defect"


def _group(root: Path, path: Path, folder: Path, by_subfolder: bool) -> str:
    if not by_subfolder:
        return _stem(root, path)
    if path.parent == folder:
        raise BadInput(
            f"{_relative(root, path)} lies in no subfolder, so its part is unknown; put the images of each "
            "part in a folder of their own, or group by a CSV file or a pattern."
        )
    return path.parent.name
