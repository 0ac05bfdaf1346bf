"""MVTec AD: a category with train/good, test/good, test/TYPE and ground_truth/TYPE/NNN_mask.png.

P. Bergmann et al., "The MVTec anomaly detection dataset", International Journal of Computer Vision, 2021. Its
own split is kept; its training side has no defects, so a bank of defects needs synthetic ones. Which part an
image shows is not told: every image is its own group. Knows folders and names, no pixels.
"""

from __future__ import annotations

from pathlib import Path

from exdd_core.datasets.record import DEFECT, NORMAL, Record, image_files, in_natural_order, subfolders
from exdd_core.errors import BadInput
from exdd_core.images import Size

NAME = "mvtec"
TITLE = "MVTec AD (train/good, test/TYPE, ground_truth/TYPE)"
DEFAULT_SIZE = Size(256, 256)


def detect(root: Path) -> bool:
    return _is_category(root) or bool(_categories(root))


def read(root: Path) -> list[Record]:
    """One record an image of the category `root`. Raises `BadInput` for the folder of all categories."""
    if not _is_category(root):
        names = [folder.name for folder in _categories(root)]
        raise BadInput(
            f"{root} holds {len(names)} categories of MVTec AD ({', '.join(names)}); choose one, "
            f"such as {root / names[0]}."
        )
    masks = {
        path.relative_to(root / "ground_truth").with_suffix("").as_posix(): path.relative_to(root).as_posix()
        for path in image_files(root / "ground_truth")
    }
    return in_natural_order(
        _record(root, path, split, folder.name, masks)
        for split in ("train", "test")
        for folder in subfolders(root / split)
        for path in image_files(folder)
    )


def _record(root: Path, path: Path, split: str, kind: str, masks: dict[str, str]) -> Record:
    normal = kind == "good"
    stem = f"{kind}/{path.stem}"
    return Record(
        path=path.relative_to(root).as_posix(),
        label=NORMAL if normal else DEFECT,
        defect_type="" if normal else kind,
        mask=None if normal else masks.get(f"{stem}_mask") or masks.get(stem),
        split=split,
        group=path.relative_to(root).with_suffix("").as_posix(),
    )


def _is_category(root: Path) -> bool:
    return (root / "train" / "good").is_dir() and (root / "test").is_dir()


def _categories(root: Path) -> list[Path]:
    return [folder for folder in subfolders(root) if _is_category(folder)]
