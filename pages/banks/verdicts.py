"""One image as two versions or two fusions see it, and the images whose verdict differs between two versions.

Knows Gradio and the review. Does not know how an image is scored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import gradio as gr

from exdd_core.drawing import CALIBRATED, colour_scale, reduce
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


class _Seen(NamedTuple):
    """A version that judges an image by one of its fusions."""

    bank: BankVersion
    fusion: str

    @property
    def key(self) -> str:
        return f"{self.bank.id}/{self.fusion}"

    @property
    def title(self) -> str:
        own = "" if self.fusion == self.bank.summary["fusion"] else ", not as built"
        return f"{self.bank.name} by {self.fusion}{own}"


class Verdicts:
    """The part of the comparison of two versions that shows images of their test split."""

    def __init__(self, workspace: Workspace):
        self.workspace, self.review = workspace, Review(workspace)
        with gr.Column(visible=False, elem_id="verdicts") as self.section:
            with gr.Row():
                self.image = gr.Dropdown([], label="Image", filterable=True, min_width=200)
                self.left, self.right = (
                    gr.Dropdown([], label=f"On the {side}", min_width=160) for side in ("left", "right")
                )
            self.list = answers.buttons()  # below the choice, which it does not move
            self.both = answers.markup()
        self.sides = [self.left, self.right]
        self.outputs = [self.section, self.list, self.image, *self.sides, self.both]

    def updates(self, first: str, second: str) -> dict[Any, Any]:
        """The images that these versions, by id, judge differently; nothing where they are of two data sets. One
        version is compared with itself by two of its fusions."""
        versions = self.workspace.bank(first), self.workspace.bank(second)
        ids, alone = self._images(versions), versions[0].id == versions[1].id
        if not ids:
            return {self.section: gr.update(visible=False), self.both: ""}
        found, missing = ([], (0, 0)) if alone else differing(self.review, first, second, ids)
        choices = [(id.partition("/")[2], id) for id in [*(one.id for one in found), *ids]]
        seen = [
            _Seen(bank, name)
            for bank in versions[: 1 if alone else 2]
            for name in self.review.fusions(bank.id)
        ]
        left = seen[0]
        right = (
            seen[min(1, len(seen) - 1)]
            if alone
            else next(one for one in seen if one.bank.id == versions[1].id)
        )
        by = [(one.title, one.key) for one in seen]
        return {
            self.section: gr.update(visible=True),
            self.list: "" if alone else _list_html(versions, found, missing, len(ids)),
            self.image: gr.update(choices=list(dict.fromkeys(choices)), value=None),
            self.left: gr.update(choices=by, value=left.key),
            self.right: gr.update(choices=by, value=right.key),
            self.both: "",
        }

    def _images(self, versions: tuple[BankVersion, BankVersion]) -> list[str]:
        first, second = versions
        if first.dataset != second.dataset:
            return []
        return [row.id for row in self.workspace.images(first.dataset, split="test")]

    def connect(self, job: job_panel.JobPanel, note: gr.HTML) -> None:
        said = answers.sentences(note)

        def look(id: str | None, left: str | None, right: str | None) -> dict[Any, Any]:
            return {self.both: self._both_html(id, left, right) if id and left and right else ""}

        def act(left: str, right: str, event: gr.EventData) -> dict[Any, Any]:
            if answers.told(event, "act", "look", "score") == "look":
                id = answers.told(event, "id")
                return {self.image: id, self.both: self._both_html(id, left, right)}
            bank = self.workspace.bank(answers.told(event, "id"))
            title = f"Scoring the test images of {bank.dataset} with {bank.name}"
            job.begin("score", title, {"list": f"{bank.dataset}/test", "bank": bank.id})
            return {}

        shown = [note, self.image, self.both]
        chosen = [self.image, *self.sides]
        changed = [one.input for one in chosen]
        gr.on(changed, said(look), chosen, [note, self.both], **answers.HIDDEN)
        job.look_after(self.list.act(said(act), self.sides, shown, **answers.HIDDEN))

    def _both_html(self, id: str, *sides: str) -> str:
        return f'<div class="both">{"".join(self._one_html(id, side) for side in sides)}</div>{_scale_html()}'

    def _one_html(self, id: str, side: str) -> str:
        bank, _, fusion = side.partition("/")
        made = self.review.by_fusion(id, bank, fusion)
        picture = sheet.single(reduce(made.pixels, SIDE), made.exdd, made.truth)
        score = f"{made.exdd.calibrated_score:.2f}" if made.exdd.is_judged else "–"
        verdict = _verdict_html(made.exdd.verdict)
        said = f"<strong>{text(made.bank.name)}</strong> {verdict}, score {score} (threshold 1)"
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
    pair = f"{text(first.name)} and {text(second.name)}"
    some = ", of those that both have scored" if any(missing) else ""
    if found:
        words = f"{pair} judge {of_images(len(found), None if some else total)} differently{some}."
    elif max(missing) == total:
        words = "Images that they judge differently are listed once both have scored the test images."
    else:
        words = f"{pair} give the same verdict on all{some or ' of ' + count(total, 'test image')}."
    lines = "".join(_line_html(one, versions) for one in found[:SHOWN])
    left = len(found) - SHOWN
    more = f'<li class="aside">and {left:,} more, at the top of "Image"</li>' if left > 0 else ""
    listed = f'<ul class="changed">{lines}{more}</ul>' if found else ""
    buttons = f'<p class="actions">{scored}</p>' if scored else ""
    return f'<p class="only-head">{words}</p>{listed}{buttons}'


def of_images(found: int, total: int | None) -> str:
    """Some of all test images; total: None where not all count."""
    return count(found, "image") if total is None else f"{found:,} of {count(total, 'test image')}"


def _line_html(one: Differing, versions: tuple[BankVersion, BankVersion]) -> str:
    """An image with what each version says of it, in the order of the versions."""
    picture = f'<img loading="lazy" alt="" src="{html.thumbnail_url(one.id)}">'
    said = "".join(
        f'<span class="under"><strong>{text(bank.name)}</strong> {_verdict_html(side.verdict)} '
        f"{'–' if side.score is None else f'{side.score:.2f}'.replace('-', '−')}</span>"
        for bank, side in zip(versions, (one.first, one.second), strict=True)
    )
    name = text(one.id.rpartition("/")[2])
    return (
        f'<li><button type="button" data-act="look" data-id="{text(one.id)}" title="{text(one.id)}">{picture}'
        f'<span class="changed-name">{name}</span>{said}</button></li>'
    )


def _verdict_html(verdict: str) -> str:
    return f'<span class="verdict {text(verdict.replace(" ", "-"))}">{text(verdict)}</span>'


def _scale_html() -> str:
    """Which colour of both heatmaps stands for which score; 0 is the median of normal, 1 the threshold."""
    colours = ", ".join(f"rgb({r} {g} {b})" for r, g, b in colour_scale(9)[::-1, 0].tolist())
    low, high = (f"{value:.0f}" for value in CALIBRATED)
    return (
        f'<p class="both-scale under"><span>{low} median normal</span>'
        f'<i style="background: linear-gradient(to right, {colours})"></i><span>{high} and above · 1, '
        "the threshold, in the middle</span></p>"
    )
