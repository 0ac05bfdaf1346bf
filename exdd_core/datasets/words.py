"""What names of folders mean: normal or defective, masks, training or test side, or images of any kind.

Knows words in any case and spelling. Does not know files.
"""

from __future__ import annotations

import re

from exdd_core.datasets.record import DEFECT, NORMAL


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NORMAL_WORDS = _words(
    "good ok okay normal normals pass passed fine clean healthy perfect intact io gut free correct "
    "gutteil gutteile nondefective nondefect nodefect nodefects defectfree faultfree flawless negative negatives"
)
DEFECT_WORDS = _words(
    "defect defects defective bad ng nok notok notgood ko fail failed failure fault faults faulty flaw flaws "
    "reject rejects rejected def anomaly anomalies anomalous abnormal nio schlecht schlechtteil schlechtteile "
    "ausschuss nonconforming positive positives"
)
MASK_WORDS = _words(
    "mask masks maske masken groundtruth groundtruths gt gts label labels annotation annotations seg segs segmentation "
    "segmentations segmentationclass labelmask groundtruthmask defectmask defectmasks"
)
TRAIN_WORDS = _words("train training trainset val valid validation dev")
TEST_WORDS = _words("test testing testset testpublic eval evaluation")
IMAGE_WORDS = _words("image images img imgs picture pictures photo photos data rgb")
HELD_BACK_WORDS = _words("val valid validation dev")  # of TRAIN_WORDS: names of a validation side
NEGATIONS = frozenset(("non", "no", "not", "un", "without", "free"))
UNSURE_WORDS = frozenset(("positive", "positives", "negative", "negatives", "free", "correct", "def"))


def squeezed(name: str) -> str:
    """A name without case, spaces and dashes, so "Not_OK" and "not-ok" are equal."""
    return re.sub(r"[^0-9a-z]+", "", name.casefold())


def label_word(name: str) -> str:
    """The label that the name of a folder clearly means, "normal" or "defect", else ""."""
    word = squeezed(name)
    return "" if word in UNSURE_WORDS else _label(word)


def label_guess(name: str) -> str:
    """As `label_word`, and also the label that a name of several words or of two meanings suggests."""
    if label := _label(squeezed(name)):
        return label
    words = [word for word in re.split(r"[^a-z]+", name.casefold()) if word]
    label = next((label for label in map(_label, words) if label), "")
    if label and NEGATIONS & set(words):
        return NORMAL if label == DEFECT else DEFECT
    return label


def is_mask_word(name: str) -> bool:
    """Whether a name is that of a folder of masks: "masks", "GT_2", "scratch_mask"."""
    word = squeezed(name)
    return word in MASK_WORDS or re.sub(r"\d+$", "", word) in MASK_WORDS or bool(masks_of(name))


def masks_of(name: str) -> str:
    """What a folder of masks is named after: "scratch" for "scratch_masks"; "" for "masks", "no_mask" and
    others."""
    match = re.fullmatch(r"(.*[^\s._-])[\s._-]+(?:masks?|gts?|ground[\s._-]?truths?)", name.casefold())
    if (
        match is None
        or squeezed(name) in MASK_WORDS
        or {"with", *NEGATIONS} & set(re.split(r"[\s._-]+", match[1]))
    ):
        return ""
    return match[1]


def is_image_word(name: str) -> bool:
    """Whether a name is that of a folder of images of any label."""
    return squeezed(name) in IMAGE_WORDS


def role_guess(name: str) -> str:
    """The role that the name of a folder suggests: "mask", "normal", "defect" or ""."""
    words = re.split(r"[^0-9a-z]+", name.casefold())
    return "mask" if is_mask_word(name) or any(map(is_mask_word, words)) else label_guess(name)


def split_word(name: str) -> str:
    """The side of the split that the name of a folder means, "train" or "test", else ""."""
    word = squeezed(name)
    return "train" if word in TRAIN_WORDS else "test" if word in TEST_WORDS else ""


def is_held_back(name: str) -> bool:
    """Whether a name is that of a validation side, which counts as training here."""
    return squeezed(name) in HELD_BACK_WORDS


def _label(word: str) -> str:
    return NORMAL if word in NORMAL_WORDS else DEFECT if word in DEFECT_WORDS else ""
