"""The integrity report in sentences.

Knows the report. Does not know files, pixels or who reads the sentences.
"""

from __future__ import annotations

from collections.abc import Sequence

from exdd_core.datasets.manifests import SPLITS
from exdd_core.datasets.record import DEFECT, NORMAL
from exdd_core.datasets.reports import Fault, Report
from exdd_core.images import Size
from exdd_core.sentences import count, counted

FEW_SMALL = 0.1  # share of the defects that may be smaller than a patch before it counts as a problem
FEW_NORMAL = 10  # normal training images below which a threshold is not reliable


def summary(report: Report) -> list[str]:
    """What the data set holds."""
    counts, sizes = report["counts"], report["sizes"]
    normal, defect = (sum(counts[split][label] for split in SPLITS) for label in (NORMAL, DEFECT))
    own = report["groups"] == report["images"] > 0
    lines = [
        f"{count(report['images'], 'image')}, {normal} normal and {defect} with a defect, "
        + ("each counted as a part of its own." if own else f"of {count(report['groups'], 'part')}."),
        "; ".join(
            f"{split}: {counts[split][NORMAL]} normal, {counts[split][DEFECT]} defect" for split in SPLITS
        ).capitalize()
        + ".",
    ]
    if report["types"]:
        kinds = ", ".join(f"{kind} ({sum(by.values())})" for kind, by in report["types"].items())
        lines.append(f"Defect types: {kinds}.")
    if sizes["different"] == 1:
        lines.append(f"All images are {_pixels(sizes['largest'])} pixels.")
    elif sizes["different"]:
        lines.append(
            f"Image sizes range from {_pixels(sizes['smallest'])} to {_pixels(sizes['largest'])} pixels; "
            f"there are {sizes['different']} different sizes."
        )
    lines += filter(None, [few_normal(counts["train"][NORMAL])])
    if not counts["train"][DEFECT]:
        lines.append("The training side has no defects: a positive bank needs accepted synthetic ones.")
    return lines


def few_normal(number: int) -> str:
    """A sentence about a threshold from `number` normal training images; "" for none and from `FEW_NORMAL`
    on."""
    if not 0 < number < FEW_NORMAL:
        return ""
    return (
        f"With only {count(number, 'normal training image')}, the threshold cannot promise fewer false "
        f"alarms than 1 in {number + 1}, and one new image may change every verdict; import {FEW_NORMAL} "
        "or more."
    )


def problems_of(report: Report, size: Size | None) -> list[str]:
    """What of images, masks and groups a person should look at.

    size: the model's input that banks are built at.
    """
    lines = _problems_of_files(report)
    if many_small(report):
        lines.append(small_defects(report, size))
    grey = report["grey"]
    if len(grey) == 2 and abs(grey[NORMAL] - grey[DEFECT]) > 0.5:
        colour, plain = ("normal", "defective") if grey[NORMAL] < grey[DEFECT] else ("defective", "normal")
        lines.append(
            f"Most {colour} images are in colour and most {plain} images are grey: a bank would tell "
            "them apart by that alone; take both with the same camera and save them in the same way."
        )
    if both := report.get("of_both_labels"):
        lines.append(
            f"The same picture is labelled normal and defective: {counted(both, 'pair')}; relabel or remove one of "
            "each, since a bank would learn that a defect is normal."
        )
    if torn := report.get("torn"):
        lines.append(
            f"On both sides of the split: {counted(torn, 'part')}; a bank would be tested on parts that it knows, "
            "so move an image of each to one side, and the others follow."
        )
    twins = report["near_duplicates"]
    if twins["pairs"]:
        a, b = twins["listed"][0]["images"]
        leak = (
            f" ({twins['across_split']} with one on each side of the split)" if twins["across_split"] else ""
        )
        lines.append(
            f"Near-duplicates in different groups: {count(twins['pairs'], 'pair')} of images{leak}, such as "
            f"{a} and {b}; figures look better than they are until each part's images are in one group."
        )
    return lines


def _problems_of_files(report: Report) -> list[str]:
    masks = report["masks"]
    covering = [path for path in masks["covering"] if path not in masks["inverted"]]
    rows: list[tuple[str, Sequence[str | Fault], str]] = [
        ("Cannot be read", report["unreadable"], "replace or remove"),
        (
            "The same value everywhere, such as fully transparent",
            report["blank"],
            "they show nothing, so save them again or remove them",
        ),
        ("Defect without a mask", masks["missing"], "without one, it cannot enter the positive bank"),
        ("Empty mask, nothing brighter than 127", masks["empty"], "draw defects in white on black"),
        (
            "Mask that seems inverted",
            masks["inverted"],
            "if they are inverted, import again and say so (--masks inverted on the command line)",
        ),
        ("Mask that marks more than half of its image", covering, "check whether this is intended"),
        ("Mask of a different size", masks["wrong_size"], "save masks at the size of their image"),
        (
            "Mask that cannot be used",
            masks["unreadable"],
            "save it again, white on black, or correct its annotation file",
        ),
    ]
    return [f"{what}: {_named(found)}; {advice}." for what, found, advice in rows if found]


def many_small(report: Report) -> bool:
    """Whether so many defects are smaller than a patch that the report calls it a problem."""
    return len(report["masks"]["small"]) > FEW_SMALL * sum(
        report["counts"][split][DEFECT] for split in SPLITS
    )


def small_defects(report: Report, size: Size | None) -> str:
    """A sentence about defects that are smaller than a patch at `size`."""
    masks = report["masks"]
    few = count(len(masks["small"]), "defect")
    verb = "is" if len(masks["small"]) == 1 else "are"
    shows = masks["small_size"]
    advice = (
        f"--size {shows} would show them" if shows else "no size shows them all, so cut the images into tiles"
    )
    return f"{few} {verb} smaller than a patch at {size}: {_named(masks['small'])}; {advice}."


def _pixels(size: Sequence[int] | None) -> str:
    assert size is not None  # there are images
    return f"{size[0]} x {size[1]}"


def _named(found: Sequence[str | Fault]) -> str:
    """Paths, or rows with a path, as "5 images (a.png, b.png, c.png and 2 more)"."""
    return counted([item if isinstance(item, str) else item["path"] for item in found])
