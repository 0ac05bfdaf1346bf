"""What the images of a folder are: as a person answered, else as the folders' names surely say.

Knows names, words and answers. Knows no pixels, and not which mask belongs to which image.
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
ASKED = "nobody has said whether they are normal or defective; answer in the preview, or with --role FOLDER=defect"


def checked(tree: Tree, roles: Mapping[str, str]) -> dict[str, str]:
    """Answers by the folders' names below the tree's root. Raises `BadInput` for one that cannot be meant."""
    answers: dict[str, str] = {}
    for folder, role in roles.items():
        if role not in ROLES:
            raise BadInput(f'"{role}" does not say what {folder} holds; choose normal, defect, mask or none.')
        found = _folder_called(tree, folder)
        if found is None:
            raise BadInput(f"There is no folder {folder} in {tree.root}; name one as it stands below that.")
        if answers.setdefault(found, role) != role:
            raise BadInput(f"{folder} is called both {answers[found]} and {role}; choose one.")
    return answers


def _folder_called(tree: Tree, written: str) -> str | None:
    """The folder that somebody wrote, below the tree's root or with the end of the root's own path before it."""
    by_key = {name_key(folder): folder for folder in ("", *tree.folders)}
    parts = [name_key(part) for part in written.replace("\\", "/").split("/") if part not in ("", ".")]
    above = [name_key(part) for part in tree.root.absolute().parts if part != "/"]
    for many in range(len(parts) + 1):
        found = by_key.get("/".join(parts[many:]))
        if found is not None and parts[:many] == above[len(above) - many :]:
            return found
    return None


def role_of(folder: str, answers: Mapping[str, str]) -> str:
    """What the images directly in a folder are: a key of `ROLES`, or "" where nobody knows.

    The nearest answer counts for all below it. Below a folder of normal or defective images, though, a folder that
    surely says something else, such as masks/ or good/, is what it says.
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
    told = {label for label in map(label_word, below) if label}
    if told and answer and label_word(base(at)) == answer:
        told.add(answer)
    if len(told) > 1:
        return UNKNOWN
    return told.pop() if told else answer


def says_nothing(folder: str) -> bool:
    """Whether a folder and all above it are named as images or sides of a split only, so that masks tell the labels."""
    return all(is_image_word(part) or split_word(part) for part in folder.split("/") if part)


def questions(unknown: Iterable[str], known: Iterable[str]) -> list[Question]:
    """What to ask about images of unknown role: one question a folder that holds nothing of a known one.

    unknown, known: paths of images. Folders whose names suggest something are asked one by one.
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
        apart = len(folders) > 1 and any(role_guess(base(folder)) for folder in folders if folder != top)
        for folder, count in folders.items() if apart else ((top, folders.total()),):
            found.append(Question(folder, count, role_guess(base(folder))))
    return sorted(found, key=lambda question: question.folder)


def _top(folder: str, settled: set[str]) -> str:
    """The topmost folder above `folder`, or itself, about which one answer can be given."""
    parts = folder.split("/")
    told = [i for i, part in enumerate(parts) if label_word(part)]
    if told:  # two labels contradict each other: only an answer below both is sure
        return "/".join(parts[: told[-1] + 1])
    for i, part in enumerate(parts):
        top = "/".join(parts[: i + 1])
        if top not in settled and not split_word(part):
            return top
    return folder


def defect_type(folder: str, answers: Mapping[str, str], without_last: bool = False) -> str:
    """The type of the defects in a folder: the folders below the one that says defect, else those around it.

    without_last: the last of these is a part, and no type.
    """
    parts = [part for part in folder.split("/") if part]
    told = max((i + 1 for i, part in enumerate(parts) if label_word(part) == DEFECT), default=0)
    answered = [a for a in answers if a and answers[a] == DEFECT and (folder == a or is_below(folder, a))]
    start = max(len(a.split("/")) for a in answered) - 1 if answered else 0
    for first in (max(told, start), 0):
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
    """A mask's path as names compare: without the folder that somebody called one of masks."""
    above = [folder for folder, role in answers.items() if role == MASK and is_below(mask, folder)]
    longest = max(above, key=len, default="")
    return mask[len(longest) + 1 :] if longest and not in_mask_folder(mask) else mask
