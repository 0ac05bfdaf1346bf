"""Plain folders whose names say what they hold: good/ and defect/, masks/ anywhere, train/ and test/ if there are any.

Words in any case and spelling count (see `words`); what a name does not surely say is asked. Folders below those of
defects are the types of defect. A mask lies beside its image, named like it with _mask, _GT, _label or _seg behind, or
in a folder of masks at the place of its image; outlines may also come from annotation files beside the images. Every
image is its own group unless a `GroupRule` says better. Knows folders and names, no pixels.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from exdd_core.datasets.annotated import outlines_beside
from exdd_core.datasets.groups import GroupRule, apply_rule
from exdd_core.datasets.pairing import in_mask_folder, joined, masks_in_folders, named_masks
from exdd_core.datasets.record import DEFECT, NORMAL, Question, Reading, Record, in_natural_order
from exdd_core.datasets.survey import AS_CHOSEN
from exdd_core.datasets.tree import Tree, base, is_below, parent, stem
from exdd_core.datasets.words import is_held_back, is_mask_word, label_guess, label_word, split_word
from exdd_core.errors import BadInput
from exdd_core.images import Size

NAME = "folder"
TITLE = "Plain folders (good/, defect/, masks/)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)  # of the groups without and with a defect, see groups.grouped_split
GROUPS = True

MASK, NONE, UNKNOWN = "mask", "none", ""
ASKED = "nobody has said whether they are normal or defective; answer in the preview, or with --role FOLDER=defect"
NO_IMAGE = "masks of which no image has the name"


def detect(tree: Tree) -> bool:
    """Whether a folder at the top, or in one of a split, says that its images are normal."""
    tops = [folder for folder in tree.subfolders() if not split_word(folder)]
    inner = [below for folder in tree.subfolders() if split_word(folder) for below in tree.subfolders(folder)]
    return any(label_word(base(folder)) == NORMAL for folder in (*tops, *inner))


def says_something(folder: str) -> bool:
    """Whether the name of a folder says what it holds, so that it is no mere wrapping."""
    name = base(folder)
    return bool(label_word(name) or split_word(name) or is_mask_word(name))


def read(tree: Tree, rule: GroupRule | None = None, roles: Mapping[str, str] | None = None) -> Reading:
    """One record an image. roles: folder -> a key of `ROLES`, which counts for all below it.

    Raises `BadInput` for an answer that cannot be meant, and where the rule leaves an image without a group.
    """
    answers = _checked(tree, roles or {})
    by_subfolder = rule is not None and rule.kind == "subfolder"
    role_of = {folder: _role(folder, answers) for folder in {parent(name) for name in tree.images}}
    sorted_out: dict[str, list[str]] = {role: [] for role in (NORMAL, DEFECT, MASK, NONE, UNKNOWN)}
    for name in tree.images:
        sorted_out[role_of[parent(name)]].append(name)
    images = [*sorted_out[NORMAL], *sorted_out[DEFECT]]
    beside = named_masks(images)
    taken = {mask for masks in beside.values() for mask in masks}
    images = [name for name in images if name not in taken]
    masks = joined(beside, _masks_apart(tree, images, role_of, sorted_out[MASK], answers))
    beside = outlines_beside(tree)

    records = []
    for name in images:
        label = role_of[parent(name)]
        own = masks.get(name, [])
        records.append(
            Record(
                path=name,
                label=label,
                defect_type=_type(name, answers, by_subfolder) if label == DEFECT else "",
                mask=own[0] if own else None,
                split=_split(name),
                group=_group(name, answers, by_subfolder),
                more_masks=tuple(own[1:]),
                outlines=() if own else beside.outlines.get(name, ()),
            )
        )
    paired = {mask for own in masks.values() for mask in own}
    left = {name: AS_CHOSEN for name in sorted_out[NONE]} | {name: ASKED for name in sorted_out[UNKNOWN]}
    left |= {name: NO_IMAGE for name in sorted_out[MASK] if name not in paired}
    records = in_natural_order(records)
    if rule is not None and not by_subfolder:
        records = apply_rule(records, rule)
    notes = [*_notes(records), *beside.notes]
    asked = _questions(sorted_out[UNKNOWN], answers)
    return Reading(records, left, asked, notes, beside.used, beside.problems)


# --- what folders are -------------------------------------------------------------------------------------


def _checked(tree: Tree, roles: Mapping[str, str]) -> dict[str, str]:
    answers = {}
    for folder, role in roles.items():
        name = folder.strip("/").removeprefix("./")
        name = "" if name == "." else name
        while (
            name and not tree.has_folder(name) and "/" in name
        ):  # as it stands below what wraps the data set
            name = name.partition("/")[2]
        if name == tree.root.name and not tree.has_folder(name):
            name = ""
        if role not in (NORMAL, DEFECT, MASK, NONE):
            raise BadInput(f'"{role}" does not say what {folder} holds; choose normal, defect, mask or none.')
        if not tree.has_folder(name):
            raise BadInput(f"There is no folder {folder} in {tree.root}; name one as it stands below that.")
        answers[name] = role
    return answers


def _role(folder: str, answers: Mapping[str, str]) -> str:
    """What the images directly in a folder are: by the nearest answer, else by the words above them."""
    at = folder
    while True:
        if at in answers:
            return answers[at]
        if not at:
            return _by_words(folder)
        at = parent(at)


def _by_words(folder: str) -> str:
    parts = [part for part in folder.split("/") if part]
    if any(is_mask_word(part) for part in parts):
        return MASK
    told = {label for label in map(label_word, parts) if label}
    return told.pop() if len(told) == 1 else UNKNOWN


def _questions(unknown: Sequence[str], answers: Mapping[str, str]) -> list[Question]:
    """One question a folder of images that nothing is known of; the folder itself only where images lie in it."""
    asked = Counter(parent(name) for name in unknown)
    # Folders of which all that is below is unknown are asked together.
    tops: Counter[str] = Counter()
    for folder, count in asked.items():
        parts = folder.split("/")
        start = next((i for i, part in enumerate(parts) if not split_word(part)), len(parts) - 1)
        tops["/".join(parts[: start + 1])] += count
    return [Question(folder, count, label_guess(base(folder))) for folder, count in sorted(tops.items())]


def _notes(records: Sequence[Record]) -> list[str]:
    held_back = {part for r in records for part in parent(r.path).split("/") if is_held_back(part)}
    return [f"{name}/ counts as training." for name in sorted(held_back)]


# --- what images are ----------------------------------------------------------------------------------------


def _masks_apart(
    tree: Tree,
    images: Sequence[str],
    role_of: Mapping[str, str],
    masks: Sequence[str],
    answers: Mapping[str, str],
) -> dict[str, list[str]]:
    """Masks in folders of their own: those of defective images first, as normal ones have the same names."""
    places = {mask: _below_answer(mask, answers) for mask in masks}
    found: dict[str, list[str]] = {}
    for label in (DEFECT, NORMAL):
        left = [mask for mask in masks if mask not in {m for own in found.values() for m in own}]
        wanted = [name for name in images if role_of[parent(name)] == label]
        found = joined(found, masks_in_folders(wanted, left, places))
    return found


def _below_answer(mask: str, answers: Mapping[str, str]) -> str:
    """A mask's path as names compare: without the folder that somebody called one of masks."""
    above = [folder for folder, role in answers.items() if role == MASK and is_below(mask, folder)]
    longest = max(above, key=len, default="")
    return mask[len(longest) + 1 :] if longest and not in_mask_folder(mask) else mask


def _inner(name: str, answers: Mapping[str, str]) -> list[str]:
    """The folders above an image that say neither its label nor its side."""
    parts = [part for part in parent(name).split("/") if part]
    kept = [part for part in parts if not label_word(part) and not split_word(part)]
    return kept


def _type(name: str, answers: Mapping[str, str], by_subfolder: bool) -> str:
    """The folders that say no label, without the part's own folder when that is the group."""
    inner = _inner(name, answers)
    if by_subfolder:
        inner = inner[:-1]
    return "/".join(inner) or "defect"


def _split(name: str) -> str:
    return next((split for split in map(split_word, parent(name).split("/")) if split), "")


def _group(name: str, answers: Mapping[str, str], by_subfolder: bool) -> str:
    if not by_subfolder:
        return stem(name)
    folder = base(parent(name))
    if not folder or label_word(folder) or split_word(folder):
        raise BadInput(
            f"{name} lies in no subfolder, so its part is unknown; put the images of each "
            "part in a folder of their own, or group by a CSV file or a pattern."
        )
    return folder
