"""All layouts, and the survey of a folder by the one that it has.

A layout is a module with NAME, TITLE, DEFAULT_SIZE, `detect(tree)` and `read(tree)`. TEST_EVERY is there if
the layout has no split of its own, GROUPS if `read` takes a `GroupRule`, and ASKS if it also takes answers to its
questions. Knows what layouts have in common. Does not know features, the workspace or where a folder came
from.
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
from exdd_core.datasets.choices import Choices
from exdd_core.datasets.groups import GroupRule, grouped_split
from exdd_core.datasets.record import NORMAL, Question, Reading, Record, natural_key
from exdd_core.datasets.survey import Survey, survey
from exdd_core.datasets.texts import not_read, tables_not_read
from exdd_core.datasets.tree import Tree, is_below
from exdd_core.errors import BadInput
from exdd_core.progress import Progress

# In the order of detection: special layouts first.
LAYOUTS: dict[str, ModuleType] = {
    module.NAME: module
    for module in (
        *(demo, ksdd2, kolektor_sdd, magnetic_tile, visa, real_iad, dagm),
        *(coco, label_studio, labelme, voc, yolo),
        *(mvtec, folder),
    )
}

FOLDERS_NAMED = 6  # in the error that asks what folders hold


def find_root(root: Path) -> Path:
    """The folder that a layout begins in: `root`, or one below it that is wrapped in folders, as in
    archives."""
    return _find(Tree.read(_folder(root)))[0].root


def detect_layout(root: Path) -> str:
    """The name of the layout that `root` has. Raises `BadInput` if it has none."""
    tree = Tree.read(_folder(root))
    name = _detect(tree)
    if name is None:
        raise _unknown(root, tree)
    return name


def read_layout(
    root: Path, layout: str = "auto", groups: GroupRule | None = None
) -> tuple[str, list[Record]]:
    """Read a folder: the name of its layout, and a record for each image in natural order of their paths.

    layout: "auto" or the name of one. groups: which images show one part, for layouts that do not say so. A
    layout without a split gets a grouped one. Raises `BadInput` for a folder that has not the layout or no
    normal images.
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
    """Survey a folder as a data set, every record with its split; returns the layout's name and the survey.

    A folder without a layout is surveyed as plain folders with a question about each. `require_normal` raises
    an error if these must be answered before the import. not_followed: what an archive held but was not
    unpacked, with the reason. Raises `BadInput` for choices that do not fit the folder.
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
    module = LAYOUTS[name]
    if module is not folder and not module.detect(tree):
        raise BadInput(f"{root} does not have the layout {module.TITLE}; choose another one or auto.")
    found = survey(tree, _read(tree, module, choices), choices, progress)
    return name, replace(found, records=_with_splits(found.records, module))


def _read(tree: Tree, module: ModuleType, choices: Choices) -> Reading:
    if choices.groups is not None and not hasattr(module, "GROUPS"):
        raise BadInput(f"{module.TITLE} takes no groups; leave --groups out.")
    if module is folder or hasattr(module, "ASKS"):
        return module.read(tree, choices.groups, choices.roles)
    return module.read(tree) if choices.groups is None else module.read(tree, choices.groups)


def require_normal(found: Survey, root: Path) -> None:
    """Raise `BadInput`, with the questions to answer, if a survey found no normal images."""
    if any(record.label == NORMAL for record in found.records):
        return
    if found.questions or not found.records:
        raise _unknown(root, found.tree, found.questions)
    others = " ".join(left.sentence for left in found.left_out[:FOLDERS_NAMED] if left.serious)
    raise BadInput(
        f"{root} contains no normal images; add some, because ExDD learns from them first. {others}".rstrip()
    )


def no_images(root: Path, tree: Tree) -> BadInput:
    """The error for a source without an image that can be read; it names pictures and archives that are left
    out."""
    left = tree.unread | tree.not_followed
    if not left:
        return BadInput(f"{root} contains no images; choose the folder or zip file that contains them.")
    name = min(left, key=natural_key)
    more = f" and {len(left) - 1} more" if len(left) > 1 else ""
    return BadInput(f"{root} contains no images that can be read; left out: {name}{more} ({left[name]}).")


def _with_splits(records: list[Record], module: ModuleType) -> list[Record]:
    """The records, with a side of the grouped split for those without any."""
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
    whole = Tree.read(root)  # with what lies beside the only folder of images
    foreign = [*voc.not_read(whole), *not_read(whole), *tables_not_read(whole)]
    return BadInput(
        f"{root} does not have a known layout: put normal images in good/ and images with a defect in "
        "defect/, or say what its folders contain with --role FOLDER=normal, =defect, =mask or =none. "
        f"The folders are: {names}{more}. Layouts: "
        f"{'; '.join(module.TITLE for module in LAYOUTS.values())}. {' '.join(foreign)}".rstrip()
    )


def _folder(root: Path) -> Path:
    if not root.is_dir():
        raise BadInput(f"{root} is not a folder; choose the folder that contains the images.")
    return root


def _find(tree: Tree) -> tuple[Tree, str | None]:
    """The listing of the folder that a layout begins in, and the layout's name; None where there is no
    layout."""
    while True:
        if name := _detect(tree):
            return tree, name
        below = tree.subfolders()
        if len(below) != 1 or tree.directly_in("") or folder.says_something(below[0]):
            return tree, None
        tree = _unwrapped(tree, below[0])


def _unwrapped(tree: Tree, inner: str) -> Tree:
    """The listing of the folder `inner`, which also names what lies outside of it and is not read."""

    def outside(reasons: Mapping[str, str]) -> dict[str, str]:
        return {f"../{name}": why for name, why in reasons.items() if not is_below(name, inner)}

    found = tree.under(inner)
    return replace(
        found,
        unread=found.unread | outside(tree.unread),
        not_followed=found.not_followed | outside(tree.not_followed),
    )


def _detect(tree: Tree) -> str | None:
    return next((name for name, module in LAYOUTS.items() if module.detect(tree)), None)
