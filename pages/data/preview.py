"""The preview of an import as HTML: the split, an example of a mask, files left out, and questions.

Knows a `DatasetPreview`. Does not know how it is made.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from exdd_core import drawing
from exdd_core.datasets import ROLES, Record
from exdd_core.images import encode_jpeg, thumbnail
from exdd_core.sentences import count
from pages.html import text
from pages.pictures import picture_svg

if TYPE_CHECKING:
    from exdd_core.workspace import DatasetPreview

EXAMPLE_SIDE = 320  # pixels of the longer side of the example


class Asked(TypedDict):
    """A folder that somebody is asked about. images: how many it holds, None once it was answered. guess: a role."""

    folder: str
    images: int | None
    guess: str


def asked_of(preview: DatasetPreview, roles: dict[str, str]) -> list[Asked]:
    """Open questions and answered ones, since answers can be changed until the import begins."""
    open_ones: dict[str, Asked] = {
        question["folder"]: {**question} for question in preview.report["questions"]
    }
    answered: dict[str, Asked] = {
        folder: {"folder": folder, "images": None, "guess": ""} for folder in roles if folder not in open_ones
    }
    return [*open_ones.values(), *answered.values()]


def questions_html(asked: list[Asked], roles: dict[str, str]) -> str:
    """One row for each folder, with a button for each answer; the given one is pressed."""
    open_ones = sum(question["folder"] not in roles for question in asked)
    lead = f"{count(open_ones, 'folder')} to answer" if open_ones else "All answered"
    rows = "".join(_question_html(question, roles.get(question["folder"], "")) for question in asked)
    return f'<h3 class="card-title">What do these folders hold? <span class="aside">{lead}</span></h3>{rows}'


def _question_html(question: Asked, role: str) -> str:
    folder = question["folder"]
    name = f"{folder}/" if folder else "the folder itself"
    images = f" · {count(question['images'], 'image')}" if question["images"] is not None else ""
    guess = f" · its name suggests {question['guess']}" if question["guess"] and not role else ""
    buttons = "".join(
        f'<button type="button" class="plain-button small{" chosen" if key == role else ""}" data-act="role"'
        f' data-folder="{text(folder)}" data-role="{key}" aria-pressed="{str(key == role).lower()}">'
        f"{text(title)}</button>"
        for key, title in ROLES.items()
    )
    return (
        f'<div class="question"><p><strong>{text(name)}</strong><span class="aside">{images}{text(guess)}</span></p>'
        f'<div class="choices" role="group" aria-label="What {text(name)} holds">{buttons}</div></div>'
    )


def summary_html(preview: DatasetPreview) -> str:
    """The layout, and the numbers of images and parts by split and label."""
    records = preview.records
    rows = "".join(
        f'<tr><th scope="row">{title}</th>'
        + "".join(f'<td class="number">{_of(records, split, label):,}</td>' for label in ("normal", "defect"))
        + f'<td class="number">{len({r.group for r in records if r.split == split}):,}</td></tr>'
        for split, title in (("train", "Training"), ("test", "Test"))
    )
    return f"""<h2 class="card-title">Import preview</h2>
<p class="lead">{text(preview.title)}: {count(len(records), "image")}</p>
<table class="table compact"><thead><tr><th></th><th class="number">Normal</th><th class="number">Defect</th>
<th class="number">Parts</th></tr></thead><tbody>{rows}</tbody></table>"""


def details_html(preview: DatasetPreview) -> str:
    """Problems, remarks and an example of a mask."""
    report = preview.report
    problems = "".join(f'<li class="problem">! {text(line)}</li>' for line in report["problems"])
    notes = "".join(f"<li>{text(line)}</li>" for line in [*_lines(preview.records), *report["notes"]])
    return f'<ul class="sentences">{problems}{notes}</ul>{_example_html(preview)}'


def _lines(records: list[Record]) -> list[str]:
    types = Counter(r.defect_type for r in records if r.label == "defect")
    lines = []
    if types:
        lines.append(f"Defect types: {', '.join(f'{name} ({n})' for name, n in types.most_common())}.")
    else:
        lines.append("No defective images: ExDD will work like PatchCore until it has some.")
    bare = sum(1 for r in records if r.label == "defect" and not r.masks and not r.outlines)
    if bare:
        lines.append(
            f"{count(bare, 'defective image')} without a mask: used for testing, but not for training."
        )
    return lines


def _example_html(preview: DatasetPreview) -> str:
    """One defective image with the outline of its mask, as read by the guessed rule."""
    if preview.example is None:
        return ""
    image, mask = preview.example
    small = thumbnail(image, EXAMPLE_SIDE)
    scale = small.shape[0] / mask.shape[0]
    lines = [
        [(round(x * scale), round(y * scale)) for x, y in line] for line in drawing.outline(np.asarray(mask))
    ]
    share = f"{100 * mask.mean():.2g} % of the image"
    sentence = preview.report["mask_rule"]["sentence"] or "Masks are drawn from annotations."
    picture = picture_svg(encode_jpeg(small), small.shape, lines)
    caption = f'<figcaption class="aside">{text(sentence)} Here: {share}.</figcaption>'
    return f'<figure class="example">{picture}{caption}</figure>'


def _of(records: list[Record], split: str, label: str) -> int:
    return sum(1 for record in records if (record.split, record.label) == (split, label))
