"""Plain folders whose names say what they hold: good/ and defect/, masks/ anywhere, and optionally train/ and
test/.

`words` knows the names in any case and spelling; a folder whose name is not clear becomes a question. Folders
below those of defects are defect types. If folders such as images/ say no label, the masks of their images
do. A mask lies in the folder of its image and has its name with _mask, _GT, _label or _seg added, or it lies
in a folder of masks at the same relative path as its image. Outlines may also come from annotation files.
Every image is its own group unless a `GroupRule` is given. Knows folders and names. Does not know pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exdd_core.datasets.annotated import annotations_of
from exdd_core.datasets.groups import GroupRule, apply_rule
from exdd_core.datasets.left_out import AS_CHOSEN
from exdd_core.datasets.pairing import paired
from exdd_core.datasets.record import BY_MASK, DEFECT, NORMAL, Reading, Record, in_natural_order, record_of
from exdd_core.datasets.roles import (
    ASKED,
    MASK,
    NONE,
    UNKNOWN,
    checked,
    defect_type,
    place_of_mask,
    questions,
    role_of,
    says_nothing,
)
from exdd_core.datasets.tree import Tree, base, parent, stem
from exdd_core.datasets.words import is_held_back, is_image_word, label_word, split_word
from exdd_core.errors import BadInput
from exdd_core.images import Size

NAME = "folder"
TITLE = "Plain folders (good/, defect/, masks/)"
DEFAULT_SIZE = Size(256, 256)
TEST_EVERY = (3, 2)  # of the groups without and with a defect, see groups.grouped_split
GROUPS = True


def detect(tree: Tree) -> bool:
    """Whether a folder is named as one of normal images, at the top or below folders of a split or of
    images."""
    folders = list(tree.subfolders())
    for folder in folders:  # the loop also visits folders that it appends
        if label_word(base(folder)) == NORMAL:
            return True
        if split_word(base(folder)) or is_image_word(base(folder)):
            folders += tree.subfolders(folder)
    return False


def says_something(folder: str) -> bool:
    """Whether the name of a folder says a label or a side of the split.

    Names of masks do not count: a single folder of such a name that holds everything is only a wrapping.
    """
    name = base(folder)
    return bool(label_word(name) or split_word(name))


def read(tree: Tree, rule: GroupRule | None = None, roles: Mapping[str, str] | None = None) -> Reading:
    """One record for each image. roles: folder -> a key of `ROLES`, which holds for all below it.

    Raises `BadInput` for a role of a folder that does not exist, and if the rule leaves an image without a
    group.
    """
    answers = checked(tree, roles or {})
    by_subfolder = rule is not None and rule.kind == "subfolder"
    role = {name: role_of(parent(name), answers) for name in (*tree.images, *tree.unread)}
    pairs = paired(
        role, tree.unread, {name: place_of_mask(name, answers) for name in role if role[name] == MASK}
    )
    images = [name for name in tree.images if name not in pairs.masks]
    for name in images:
        if pairs.of.get(name) and role[name] in (NORMAL, UNKNOWN) and says_nothing(parent(name)):
            role[name] = BY_MASK
    chosen = [name for name in images if role[name] in (NORMAL, DEFECT, BY_MASK)]
    annotations = annotations_of(tree)

    records = []
    for name in chosen:
        label, folder = role[name], parent(name)
        own = pairs.of.get(name, [])
        kind = defect_type(folder, answers, by_subfolder)
        if kind == "defect" and not own:
            kind = annotations.label_of(name) or kind
        group = _group(name, answers) if by_subfolder else stem(name)
        outlines = () if own else annotations.outlines.get(name, ())
        records.append(record_of(name, label, kind, own, _split(name), group, outlines))
    records = in_natural_order(records)
    if rule is not None and not by_subfolder:
        records = apply_rule(records, rule)
    unknown = [name for name in images if role[name] == UNKNOWN]
    left = pairs.left_out(chosen)
    left |= {mask: AS_CHOSEN for name, own in pairs.of.items() if role[name] == NONE for mask in own}
    left |= {name: AS_CHOSEN for name in images if role[name] == NONE} | {name: ASKED for name in unknown}
    notes = [*_notes(records), *annotations.notes]
    return Reading(records, left, questions(unknown, chosen), notes, annotations.used, annotations.problems)


def _notes(records: Sequence[Record]) -> list[str]:
    held_back = {part for r in records for part in parent(r.path).split("/") if is_held_back(part)}
    unlabelled = sorted({parent(r.path) for r in records if r.label == BY_MASK})
    return [
        *(f"{name}/ counts as training." for name in sorted(held_back)),
        *(
            f"{f'{folder}/' if folder else 'The folder itself'} gives no labels: images whose mask marks "
            "something are defects, and those with an empty mask are normal."
            for folder in unlabelled
        ),
    ]


def _split(name: str) -> str:
    return next((split for split in map(split_word, parent(name).split("/")) if split), "")


def _group(name: str, answers: Mapping[str, str]) -> str:
    """The name of the folder that an image lies in: its part.

    Raises `BadInput` for a folder that is no part.
    """
    folder = parent(name)
    if not folder or folder in answers or label_word(base(folder)) or split_word(base(folder)):
        raise BadInput(
            f"{name} is not in a subfolder, so its part is unknown; put the images of each part in a "
            "folder of their own, or group by a CSV file or a pattern."
        )
    return base(folder)
