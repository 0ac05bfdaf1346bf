"""Data sets: one module a layout, each turning a folder's `Tree` into the same table of `Record`s.

Knows which layouts there are and what they have in common: splits, groups, manifests. Knows nothing of
features, of the workspace or of where a folder came from. A layout is a module with NAME, TITLE,
DEFAULT_SIZE, `detect(tree)`, `read(tree)` and, where the layout brings no split of its own, TEST_EVERY; one with
GROUPS also takes a `GroupRule`, one with ASKS the answers to its questions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from exdd_core.datasets import (
    coco,
    dagm,
    demo,
    folder,
    kolektor_sdd,
    ksdd2,
    label_studio,
    labelme,
    magnetic_tile,
    mvtec,
    real_iad,
    visa,
    voc,
    yolo,
)
from exdd_core.datasets.groups import GroupRule, folds, grouped_split, limit_parts
from exdd_core.datasets.manifests import read_manifests, write_manifests
from exdd_core.datasets.record import DEFECT, NORMAL, ROLES, Question, Record, natural_key
from exdd_core.datasets.survey import Choices, LeftOut, Survey, survey
from exdd_core.datasets.tree import Tree, image_files, is_below
from exdd_core.errors import BadInput
from exdd_core.progress import Progress

__all__ = [
    "DEFECT",
    "LAYOUTS",
    "NORMAL",
    "ROLES",
    "Choices",
    "GroupRule",
    "LeftOut",
    "Question",
    "Record",
    "Survey",
    "Tree",
    "detect_layout",
    "find_root",
    "folds",
    "grouped_split",
    "image_files",
    "limit_parts",
    "look",
    "natural_key",
    "no_images",
    "read_layout",
    "read_manifests",
    "require_normal",
    "write_manifests",
]

# In the order of detection: the particular before the general.
LAYOUTS: dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        *(demo, ksdd2, kolektor_sdd, magnetic_tile, visa, real_iad, dagm),
        *(coco, label_studio, labelme, voc, yolo),
        *(mvtec, folder),
    )
}

FOLDERS_NAMED = 6  # in the sentence that asks what they hold


def find_root(root: Path) -> Path:
    """Where a layout begins: `root`, or what it wraps, as archives do, in folders of one folder each."""
    return _find(Tree.read(_folder(root)))[0].root


def detect_layout(root: Path) -> str:
    """The name of the layout that `root` has. Raises `BadInput` when it has none."""
    tree = Tree.read(_folder(root))
    name = _detect(tree)
    if name is None:
        raise _unknown(root, tree)
    return name


def read_layout(
    root: Path, layout: str = "auto", groups: GroupRule | None = None
) -> tuple[str, list[Record]]:
    """The layout's name and a record for every image, in natural order of the paths, each with its split.

    Where a layout has no split, the grouped one is made. `groups` is for plain folders. Raises `BadInput`.
    """
    name, found = look(root, Choices(layout, groups))
    require_normal(found, root)
    return name, found.records


def look(
    root: Path,
    choices: Choices | None = None,
    progress: Progress | None = None,
    not_followed: Mapping[str, str] | None = None,
) -> tuple[str, Survey]:
    """The layout of a folder and what it would become, every record with its split; nothing is made.

    A folder without a layout is surveyed as a plain one whose folders are all asked for. Raises `BadInput` for what
    cannot be meant; `require_normal` says what still has to be answered before it can be imported. not_followed:
    what an archive held besides, with the reason why it was not unpacked.
    """
    choices = choices or Choices()
    tree = Tree.read(_folder(root))
    tree = replace(tree, not_followed={**tree.not_followed, **(not_followed or {})})
    if choices.layout != "auto" and choices.layout not in LAYOUTS:
        raise BadInput(f'"{choices.layout}" is not a layout; choose auto, {", ".join(LAYOUTS)}.')
    tree, found_name = _find(tree)
    name = choices.layout if choices.layout != "auto" else found_name or folder.NAME
    if choices.roles and not hasattr(LAYOUTS[name], "ASKS"):
        name = folder.NAME
    if name != folder.NAME and not LAYOUTS[name].detect(tree):
        raise BadInput(
            f"{root} does not have the layout {LAYOUTS[name].TITLE}; choose another or leave it to auto."
        )
    module = LAYOUTS[name]
    if choices.groups is not None and not hasattr(module, "GROUPS"):
        raise BadInput(f"Groups can be given for plain folders only; {module.TITLE} has its own.")
    if module is folder:
        reading = folder.read(tree, choices.groups, choices.roles)
    elif hasattr(module, "ASKS"):
        reading = module.read(tree, choices.roles)
    else:
        reading = module.read(tree) if choices.groups is None else module.read(tree, choices.groups)
    found = survey(tree, reading, choices, progress)
    return name, replace(found, records=_with_splits(found.records, module))


def require_normal(found: Survey, root: Path) -> None:
    """Raise `BadInput`, with what there is to be answered, where a folder has no normal images."""
    if any(record.label == NORMAL for record in found.records):
        return
    if found.questions or not found.records:
        raise _unknown(root, found.tree, found.questions)
    others = " ".join(left.sentence for left in found.left_out[:FOLDERS_NAMED] if left.serious)
    raise BadInput(f"{root} holds no normal images; add some, ExDD learns from them first. {others}".rstrip())


def no_images(root: Path, tree: Tree) -> BadInput:
    """What to say of a source without an image that can be read: what it holds in place of one, where it does."""
    left = tree.unread | tree.not_followed
    if not left:
        return BadInput(f"{root} holds no images; name the folder or zip file that holds them.")
    name = min(left, key=natural_key)
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    return BadInput(f"{root} holds no images that can be read; left out: {name}{more} ({left[name]}).")


def _with_splits(records: list[Record], module: ModuleType) -> list[Record]:
    """Records whose layout, or whose folder, says no side get one by the grouped split."""
    open_ones = [record for record in records if not record.split]
    if not open_ones or not hasattr(module, "TEST_EVERY"):
        return records
    sides = {record.path: record for record in grouped_split(open_ones, module.TEST_EVERY)}
    return [sides.get(record.path, record) for record in records]


def _unknown(root: Path, tree: Tree, questions: Sequence[Question] = ()) -> BadInput:
    if not tree.images:
        return no_images(root, tree)
    asked = list(questions) or folder.read(tree).questions
    names = ", ".join(
        f"{question.folder or tree.root.name} ({question.images})" for question in asked[:FOLDERS_NAMED]
    )
    more = f" and {len(asked) - FOLDERS_NAMED} more" if len(asked) > FOLDERS_NAMED else ""
    return BadInput(
        f"{root} has no layout that is known: put normal images in good/ and images with a defect in defect/, or say "
        f"what its folders hold with --role FOLDER=normal, =defect, =mask or =none. They are: {names}{more}. Layouts: "
        f"{'; '.join(module.TITLE for module in LAYOUTS.values())}."
    )


def _folder(root: Path) -> Path:
    if not root.is_dir():
        raise BadInput(f"{root} is not a folder; name the folder that holds the images.")
    return root


def _find(tree: Tree) -> tuple[Tree, str | None]:
    """The listing where a layout begins, past folders of one folder each, as archives have them; and its name."""
    while True:
        if name := _detect(tree):
            return tree, name
        below = tree.subfolders()
        if len(below) != 1 or tree.directly_in("") or folder.says_something(below[0]):
            return tree, None
        tree = _unwrapped(tree, below[0])


def _unwrapped(tree: Tree, inner: str) -> Tree:
    """The listing of a folder, with what lies beside it and is not read, which is named all the same."""

    def beside(reasons: Mapping[str, str]) -> dict[str, str]:
        return {f"../{name}": why for name, why in reasons.items() if not is_below(name, inner)}

    found = tree.under(inner)
    return replace(
        found,
        unread=found.unread | beside(tree.unread),
        not_followed=found.not_followed | beside(tree.not_followed),
    )


def _detect(tree: Tree) -> str | None:
    return next((name for name, module in LAYOUTS.items() if module.detect(tree)), None)
