"""One image as two versions see it, and the images whose verdict differs between them.

Knows Gradio and the review. Does not know how an image is scored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core.drawing import reduce
from exdd_core.errors import BadInput
from exdd_core.review import Review, sheet
from exdd_core.review.differing import Differing, differing
from exdd_core.sentences import count
from pages import answers, html, job_panel
from pages.html import text
from pages.pictures import jpeg_url

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, Workspace

SHOWN = 24  # largest number of images listed whose verdict differs
SIDE = 720  # pixels of the longer side of a picture

Pair = tuple[str, str] | None  # ids of the two versions


class Verdicts:
    """The part of the comparison of two versions that shows images of their test split."""

    def __init__(self, workspace: Workspace):
        self.workspace, self.review = workspace, Review(workspace)
        with gr.Column(visible=False, elem_id="verdicts") as self.section:
            self.list = answers.buttons()
            self.image = gr.Dropdown([], label="One picture, both versions", filterable=True)
            self.both = answers.markup()
        self.outputs = [self.section, self.list, self.image, self.both]

    def updates(self, first: str, second: str) -> dict[Any, Any]:
        """What these versions, by id, judge otherwise; nothing where they are of two data sets."""
        versions = self.workspace.bank(first), self.workspace.bank(second)
        ids = self._images(versions)
        if not ids:
            return {self.section: gr.update(visible=False), self.both: ""}
        found, missing = differing(self.review, versions[0].id, versions[1].id, ids)
        choices = [(id.partition("/")[2], id) for id in [*(one.id for one in found), *ids]]
        return {
            self.section: gr.update(visible=True),
            self.list: _list_html(versions, found, missing, len(ids)),
            self.image: gr.update(choices=list(dict.fromkeys(choices)), value=None),
            self.both: "",
        }

    def _images(self, versions: tuple[BankVersion, BankVersion]) -> list[str]:
        first, second = versions
        if first.dataset != second.dataset:
            return []
        return [row.id for row in self.workspace.images(first.dataset, split="test")]

    def connect(self, pair: gr.State, job: job_panel.JobPanel, note: gr.HTML) -> None:
        said = answers.sentences(note)

        def look(pair: Pair, id: str | None) -> dict[Any, Any]:
            return {self.both: self._both_html(pair, id) if pair and id else ""}

        def act(pair: Pair, event: gr.EventData) -> dict[Any, Any]:
            if answers.told(event, "act", "look", "score") == "look":
                id = answers.told(event, "id")
                return {self.image: id, self.both: self._both_html(pair, id)}
            bank = self.workspace.bank(answers.told(event, "id"))
            title = f"Scoring the test images of {bank.dataset} with {bank.name}"
            job.begin("score", title, {"list": f"{bank.dataset}/test", "bank": bank.id})
            return {}

        shown = [note, self.image, self.both]
        self.image.input(said(look), [pair, self.image], [note, self.both], **answers.HIDDEN)
        job.look_after(self.list.act(said(act), pair, shown, **answers.HIDDEN))

    def _both_html(self, pair: Pair, id: str) -> str:
        if not pair:
            raise BadInput("Compare two versions first.")
        return f'<div class="both">{"".join(self._one_html(id, bank) for bank in pair)}</div>'

    def _one_html(self, id: str, bank: str) -> str:
        made = self.review.compare(id, bank)
        picture = sheet.single(reduce(made.pixels, SIDE), made.exdd, made.truth)
        score = f"{made.exdd.calibrated_score:.2f}" if made.exdd.is_judged else "–"
        said = (
            f"<strong>{text(made.bank.name)}</strong> {text(made.exdd.verdict)}, score {score} (threshold 1)"
        )
        under = f'<span class="under">{text(made.exdd.fusion)} · {text(made.reason(made.exdd))}</span>'
        address = text(f"{html.inspect_url(id)}&bank={made.bank.name}")
        return (
            f'<figure><a href="{address}" title="Open in Inspect"><img alt="Heatmap of {text(made.bank.name)}" '
            f'src="{jpeg_url(picture, 88)}"></a><figcaption>{said}{under}</figcaption></figure>'
        )


def _list_html(
    versions: tuple[BankVersion, BankVersion], found: list[Differing], missing: tuple[int, int], total: int
) -> str:
    first, second = versions
    scored = "".join(
        f'<button type="button" class="plain-button small" data-act="score" data-id="{text(bank.id)}">'
        f"Score {count(left, 'test image')} with {text(bank.name)}</button>"
        for bank, left in zip(versions, missing, strict=True)
        if left
    )
    some = " of those that both have scored" if any(missing) else f" of {count(total, 'test image')}"
    if found:
        words = (
            f"{text(second.name)} and {text(first.name)} judge {count(len(found), 'image')} otherwise{some}."
        )
    elif max(missing) == total:
        words = "Which images they judge otherwise is known once both have scored the test images."
    else:
        words = f"{text(second.name)} and {text(first.name)} give the same verdict on all{some}."
    lines = "".join(_line_html(one) for one in found[:SHOWN])
    more = (
        f'<li class="aside">and {len(found) - SHOWN:,} more in the list below</li>'
        if len(found) > SHOWN
        else ""
    )
    listed = f'<ul class="changed">{lines}{more}</ul>' if found else ""
    return f'<p class="only-head">{words}</p>{listed}<p class="actions">{scored}</p>'


def _line_html(one: Differing) -> str:
    scores = " → ".join(
        "–" if side.score is None else f"{side.score:.2f}" for side in (one.second, one.first)
    )
    picture = f'<img loading="lazy" alt="" src="{html.thumbnail_url(one.id)}">'
    words = f"{text(one.second.verdict)} → {text(one.first.verdict)}"
    return (
        f'<li><button type="button" data-act="look" data-id="{text(one.id)}" title="{text(one.id)}">{picture}'
        f'<span>{words}</span><span class="under">{scores}</span></button></li>'
    )
