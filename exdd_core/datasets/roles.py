"""Roles of the images of a folder: as a person answered, else as the names of folders say.

Knows names, words and answers. Does not know pixels, or which mask belongs to which image.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from exdd_core.datasets.pairing import in_mask_folder
from exdd_core.datasets.record import DEFECT, ROLES, Question
from exdd_core.datasets.tree import Tree, base, is_below, name_key, parent
from exdd_core.datasets.words import (
    is_image_word,
    is_mask_word,
    label_word,
    role_guess,
    split_word,
)
from exdd_core.errors import BadInput

MASK, NONE, UNKNOWN = "mask", "none", ""
ASKED = (
    "it is unknown whether they are normal or defective; answer in the preview or with --role FOLDER=defect"
)


def checked(tree: Tree, roles: Mapping[str, str]) -> dict[str, str]:
    """The answers by paths of the tree's folders. Raises `BadInput` for an unknown role or folder."""
    answers: dict[str, str] = {}
    for folder, role in roles.items():
        if role not in ROLES:
            raise BadInput(f'"{role}" is not a valid role for {folder}; choose normal, defect, mask or none.')
        found = _folder_called(tree, folder)
        if found is None:
            raise BadInput(
                f"There is no folder {folder} in {tree.root}; use the path of a folder relative to it."
            )
        if answers.setdefault(found, role) != role:
            raise BadInput(f"{folder} has both the role {answers[found]} and the role {role}; choose one.")
    return answers


def _folder_called(tree: Tree, written: str) -> str | None:
    """The folder with a path that a person wrote: relative to the root, or beginning with folders of the
    root."""
    by_key = {name_key(folder): folder for folder in ("", *tree.folders)}
    parts = [name_key(part) for part in written.replace("\\", "/").split("/") if part not in ("", ".")]
    above = [name_key(part) for part in tree.root.absolute().parts if part != "/"]
    for many in range(len(parts) + 1):
        found = by_key.get("/".join(parts[many:]))
        if found is not None and parts[:many] == above[len(above) - many :]:
            return found
    return None


def role_of(folder: str, answers: Mapping[str, str]) -> str:
    """The role of the images directly in a folder: a key of `ROLES`, or "" if it is not known.

    The answer for the closest folder above holds. But below a folder of normal or defective images a folder
    with a clear name, such as masks/ or good/, keeps the role of its name.
    """
    at = folder
    while at and at not in answers:
        at = parent(at)
    answer = answers.get(at, UNKNOWN)
    if answer in (MASK, NONE):
        return answer
    below = [part for part in folder[len(at) :].split("/") if part]
    if any(is_mask_word(part) for part in below):
        return MASK
    labels = {label for label in map(label_word, below) if label}
    if labels and answer and label_word(base(at)) == answer:
        labels.add(answer)
    if len(labels) > 1:
        return UNKNOWN
    return labels.pop() if labels else answer


def says_nothing(folder: str) -> bool:
    """Whether a folder and all above it are only named as images or sides of a split, so masks decide the
    labels."""
    return all(is_image_word(part) or split_word(part) for part in folder.split("/") if part)


def questions(unknown: Iterable[str], known: Iterable[str]) -> list[Question]:
    """The questions about images of unknown role, one for each topmost folder without images of a known role.

    unknown, known: paths of images. If names of subfolders suggest a role, there is a question for each
    subfolder.
    """
    settled: set[str] = set()
    for name in known:
        while name := parent(name):
            settled.add(name)
    asked: dict[str, Counter[str]] = defaultdict(Counter)
    for name in unknown:
        asked[_top(parent(name), settled)][parent(name)] += 1
    found = []
    for top, folders in asked.items():
        one_by_one = len(folders) > 1 and any(role_guess(base(folder)) for folder in folders if folder != top)
        for folder, count in folders.items() if one_by_one else ((top, folders.total()),):
            found.append(Question(folder, count, role_guess(base(folder))))
    return sorted(found, key=lambda question: question.folder)


def _top(folder: str, settled: set[str]) -> str:
    """The topmost folder above `folder`, or `folder` itself, that one answer can hold for."""
    parts = folder.split("/")
    labelled = [i for i, part in enumerate(parts) if label_word(part)]
    if labelled:  # two labels may contradict each other, so the question is about the folder below both
        return "/".join(parts[: labelled[-1] + 1])
    for i, part in enumerate(parts):
        top = "/".join(parts[: i + 1])
        if top not in settled and not split_word(part):
            return top
    return folder


def defect_type(folder: str, answers: Mapping[str, str], without_last: bool = False) -> str:
    """The defect type of a folder: the folders below the one that says defect, or else all others of its
    path.

    without_last: the last folder is a part and no defect type.
    """
    parts = [part for part in folder.split("/") if part]
    below = max((i + 1 for i, part in enumerate(parts) if label_word(part) == DEFECT), default=0)
    answered = [a for a in answers if a and answers[a] == DEFECT and (folder == a or is_below(folder, a))]
    start = max(len(a.split("/")) for a in answered) - 1 if answered else 0
    for first in (max(below, start), 0):
        kept = [
            part
            for part in parts[first:]
            if not (label_word(part) or split_word(part) or is_image_word(part))
        ]
        if without_last and kept and kept[-1] == parts[-1]:
            kept.pop()
        if kept:
            return "/".join(kept)
    return "defect"


def place_of_mask(mask: str, answers: Mapping[str, str]) -> str:
    """The path to compare with images: without the folder that a person called one of masks."""
    above = [folder for folder, role in answers.items() if role == MASK and is_below(mask, folder)]
    longest = max(above, key=len, default="")
    return mask[len(longest) + 1 :] if longest and not in_mask_folder(mask) else mask
