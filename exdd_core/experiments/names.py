"""The titles of methods and metrics, and the figures that the paper reports.

Knows words and numbers. Does not know how a figure is measured.
"""

from __future__ import annotations

from exdd_core.evaluation import PIXEL_FIGURES
from exdd_core.measurements import RunResult

TITLES = {
    "patchcore": "PatchCore",
    "exdd": "ExDD",
    "exdd_base": "ExDD base (real defects)",
    "exdd_full": "ExDD full (and accepted synthetic ones)",
}
METRIC_TITLES = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "image_f1": "best F1",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO",
}
# Settings whose name in the record is not clear.
SETTINGS = {
    "rate": "false-alarm rate",
    "fingerprint": "fingerprint of the images",
    "bank": "bank version ID",
    "base": "ExDD base, bank version ID",
    "full": "ExDD full, bank version ID",
    "changes": "bank's last change",
}
# What the paper reports on KSDD2, as shares. Images and backbone differ, so they are shown next to one's own
# figures.
PAPER_DATASET = "KSDD2"
PAPER = {
    "patchcore": {"image_auroc": 0.912, "pixel_auroc": 0.958},
    "exdd_base": {"image_auroc": 0.931, "pixel_auroc": 0.969},
    "exdd_full": {"image_auroc": 0.942, "pixel_auroc": 0.977},
}
PAPER_SWEEP = {
    0: {"image_auroc": 0.931, "pixel_auroc": 0.969},
    50: {"image_auroc": 0.934, "pixel_auroc": 0.971},
    100: {"image_auroc": 0.942, "pixel_auroc": 0.977},
    150: {"image_auroc": 0.935, "pixel_auroc": 0.972},
}
COUNTS = (0, 50, 100, 150)
NO_MASKS = "no masks"


def without_masks(result: RunResult, metric: str) -> bool:
    """Whether a measurement lacks this metric because no defective image has a mask."""
    masks = result.get("masks")
    return metric in PIXEL_FIGURES and masks is not None and not masks["used"] and bool(masks["missing"])


def title(method: str) -> str:
    """The title of a method; a fusion is called by its name."""
    return TITLES.get(method, method)


def short_title(method: str) -> str:
    """The title of a method without its bracket."""
    return title(method).split(" (")[0]


def titled(name: str) -> str:
    """The name of a setting or figure in a record, such as "methods, exdd_base, image_auroc", for people."""
    parts = name.removeprefix("methods, ").split(", ")
    return SETTINGS.get(name) or ", ".join(
        METRIC_TITLES.get(part) or short_title(part).replace("_", " ") for part in parts
    )


NO_FULL = "ExDD full is left out: no synthetic defect has been accepted yet."
