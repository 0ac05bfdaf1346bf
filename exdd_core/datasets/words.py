"""What the names of folders say: normal or defective, masks, training or test side; and which names say nothing.

Knows words in any case and spelling. Does not know files.
"""

from __future__ import annotations

import re

from exdd_core.datasets.record import DEFECT, NORMAL


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NORMAL_WORDS = _words(
    "good ok okay normal normals pass passed fine clean healthy perfect intact io gut free correct "
    "nondefective nondefect nodefect nodefects defectfree faultfree flawless negative negatives"
)
DEFECT_WORDS = _words(
    "defect defects defective bad ng nok notok notgood ko fail failed failure fault faults faulty flaw flaws reject "
    "rejects rejected anomaly anomalies anomalous abnormal nio schlecht nonconforming positive positives"
)
MASK_WORDS = _words(
    "mask masks groundtruth groundtruths gt gts label labels annotation annotations seg segs segmentation "
    "segmentations segmentationclass labelmask groundtruthmask defectmask defectmasks"
)
TRAIN_WORDS = _words("train training trainset val valid validation dev")
TEST_WORDS = _words("test testing testset testpublic eval evaluation")
HELD_BACK_WORDS = _words("val valid validation dev")  # of TRAIN_WORDS: a side of its own elsewhere
NEGATIONS = frozenset(("non", "no", "not", "un", "without", "free"))
UNSURE_WORDS = frozenset(("positive", "positives", "negative", "negatives", "free", "correct"))


def squeezed(name: str) -> str:
    """A name without case, spaces and dashes: "Not_OK" and "not-ok" are one."""
    return re.sub(r"[^0-9a-z]+", "", name.casefold())


def label_word(name: str) -> str:
    """ "normal" or "defect" where the name of a folder surely says so, else ""."""
    word = squeezed(name)
    return "" if word in UNSURE_WORDS else _label(word)


def label_guess(name: str) -> str:
    """As `label_word`, and what a name of several words, or one of two meanings, suggests."""
    if told := _label(squeezed(name)):
        return told
    words = [word for word in re.split(r"[^0-9a-z]+", name.casefold()) if word]
    told = next((label for label in map(_label, words) if label), "")
    if told and NEGATIONS & set(words):
        return NORMAL if told == DEFECT else DEFECT
    return told


def is_mask_word(name: str) -> bool:
    """Whether a folder of this name holds masks."""
    word = squeezed(name)
    return word in MASK_WORDS or re.sub(r"\d+$", "", word) in MASK_WORDS


def split_word(name: str) -> str:
    """ "train" or "test" where the name of a folder says so, else ""."""
    word = squeezed(name)
    return "train" if word in TRAIN_WORDS else "test" if word in TEST_WORDS else ""


def is_held_back(name: str) -> bool:
    """Whether a folder is a validation side, which counts as training here."""
    return squeezed(name) in HELD_BACK_WORDS


def _label(word: str) -> str:
    return NORMAL if word in NORMAL_WORDS else DEFECT if word in DEFECT_WORDS else ""
