"""Two versions side by side: settings, figures, rows.

Knows Gradio and comparisons. Does not know how a figure is measured.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core import jobs
from exdd_core.sentences import count
from exdd_core.workspace.dataset_settings import called
from exdd_core.workspace.versions import former
from pages import answers, html, job_panel
from pages.banks.parts import fact, figure, page_of, patch_url, setting
from pages.banks.verdicts import Verdicts
from pages.html import text

if TYPE_CHECKING:
    from exdd_core.banks.compare import Comparison
    from exdd_core.workspace import BankVersion, Workspace

METRICS = {
    "image_auroc": "Image AUROC",
    "image_ap": "Image AP",
    "pixel_auroc": "Pixel AUROC",
    "pixel_ap": "Pixel AP",
}
SIDES = {"negative": "negative bank", "positive": "positive bank"}
SHOWN = 12  # largest number of images shown that only one version has


class Compared:
    """Two versions side by side: rows, radius, measurements, settings, and the images that only one of them has."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        with gr.Column(visible=False, elem_classes="section", elem_id="compared") as self.section:
            with gr.Row(elem_classes="compare-bar", equal_height=True):
                answers.markup('<h2 class="section-title">Compare</h2>')
                version = functools.partial(
                    gr.Dropdown, [], show_label=False, container=False, min_width=96, scale=0
                )
                self.first = version(label="First version")
                answers.markup('<span class="aside">with</span>')
                self.second = version(label="Second version")
                self.go = gr.Button("Compare", size="sm", min_width=96, scale=0, elem_id="compare-go")
            self.note = answers.note()
            self.job = job_panel.JobPanel(workspace, "evaluate", "score")
            self.verdicts = Verdicts(workspace)
            self.result = answers.buttons(visible=False)
            self.pair = gr.Textbox(visible="hidden")  # ids of the shown versions
        self.outputs = [self.section, self.first, self.second]
        self.shown = [self.result, *self.verdicts.outputs]  # what a comparison shows

    def updates(self) -> dict[Any, Any]:
        banks = [bank for bank in self.workspace.banks() if not bank.is_measurement]
        first, second = self._usual()
        names = called(self.workspace)
        choices = [(f"{bank.title} · {names.get(bank.dataset, bank.dataset)}", bank.id) for bank in banks]
        return {
            self.section: gr.update(visible=bool(banks)),
            self.first: gr.update(choices=choices, value=first),
            self.second: gr.update(choices=choices, value=second),
        }

    def _usual(self) -> tuple[str | None, str | None]:
        """The active version and the one that was active before, or else the newest other one, of the same data set.
        Where there is none, the active version twice, to compare its fusions."""
        active = self.workspace.active_bank()
        if active is None:
            return None, None
        before = former(self.workspace)
        if before is not None and before.dataset == active.dataset:
            return active.id, before.id
        alike = [bank for bank in self.workspace.banks(active.dataset) if not bank.is_measurement]
        return active.id, next((bank.id for bank in alike if bank.id != active.id), active.id)

    def _compare(self, first: str, second: str) -> dict[Any, Any]:
        """Show two versions, or one by two of its fusions. Compares them again where their banks changed meanwhile: a
        quicker answer to another request may show the change already."""
        from exdd_core.banks.compare import compare

        before = None
        while before != (before := self._newest(first, second)):
            found = None if first == second else compare(self.workspace, first, second)
            html = _comparison_html(self.workspace, found) if found else ""
            shown = {self.result: gr.update(value=html, visible=bool(html))}
            shown |= self.verdicts.updates(first, second)
        return shown

    def _newest(self, *versions: str) -> list[int]:
        """The numbers of the last changes of versions."""
        from exdd_core.banks import history

        with self.workspace.reading() as db:
            return [history.newest(db, self.workspace.bank(version).id) for version in versions]

    def again(self, pair: str) -> dict[Any, Any]:
        """Update the shown comparison, or the one that is about to be shown."""
        first, second = pair.split() if pair else self._usual()
        there = {bank.id for bank in self.workspace.banks()}
        return self._compare(first, second) if first and second and there >= {first, second} else {}

    def connect(self, refresh: Callable[..., dict[Any, Any]], outputs: list[Any]) -> None:
        said = answers.sentences(self.note)
        shown = [self.note, *self.shown, self.pair]

        def compare(first: str, second: str) -> dict[Any, Any]:
            return self._compare(first, second) | {self.pair: f"{first} {second}"}

        def follow(first: str | None, second: str | None, pair: str) -> dict[Any, Any]:
            if not first or not second or f"{first} {second}" == pair:
                return {}
            return compare(first, second)

        def measured() -> dict[Any, Any]:
            first, second = self._usual()
            return refresh() | (compare(first, second) if first and second else {})

        def measure(event: gr.EventData) -> dict[Any, Any]:
            bank = self.workspace.bank(answers.told(event, "id"))
            self.job.begin("evaluate", *jobs.measuring(self.workspace, bank))
            return {}

        self.go.click(said(compare), [self.first, self.second], shown, **answers.HIDDEN)
        # Also without a click, when the page is opened and when the pair of versions has changed.
        chosen = [self.first, self.second, self.pair]
        gr.on(
            [self.first.change, self.second.change, self.pair.change],
            said(follow),
            chosen,
            shown,
            **answers.HIDDEN,
        )
        self.job.connect(measured, [*outputs, *self.shown, self.pair])
        self.verdicts.connect(self.job, self.note)
        self.job.look_after(self.result.act(said(measure), None, self.note, **answers.HIDDEN))


def _comparison_html(workspace: Workspace, found: Comparison) -> str:
    first, second = found.versions
    names = called(workspace)
    heads = [(bank.name, names.get(bank.dataset, bank.dataset), "number") for bank in found.versions]
    columns = [("", "", ""), *heads, ("Change", f"from {second.name} to {first.name}", "number")]
    measure = "".join(
        f'<button type="button" class="plain-button small" data-act="measure" data-id="{text(bank.id)}">'
        f"Measure {text(bank.name)}</button>"
        for bank, last in zip(found.versions, found.measured, strict=True)
        if last is None or last.changes
    )
    hint = f'<p class="actions">{measure}</p>' if measure else ""
    only = "".join(
        _only_html(workspace, f"{SIDES[side].capitalize()}: only in {bank.name}", bank, images)
        for bank, by_side in zip((first, second), found.only, strict=True)
        for side, images in reversed(by_side.items())
    )
    same = '<p class="aside">Both hold rows of the same images.</p>' if not only else ""
    return f'<div class="compared">{html.table(columns, _compared(found))}{hint}{only or same}</div>'


def _compared(found: Comparison) -> list[str]:
    """The lines of the table: rows, images and radius of both banks, figures, and differing settings."""
    lines = []
    for side, name in (("positive", "Defect"), ("negative", "Normal")):
        a, b = (sides[side] for sides in found.sides)
        lines.append(_compared_row(f"{name} rows", a.rows, b.rows))
        lines.append(_compared_row(f"Images with {name.lower()} rows", a.images, b.images))
        lines.append(_compared_row(f"Radius of the {SIDES[side]}", a.radius, b.radius, 2))
    for key, name in METRICS.items():
        first, second = (last.metrics[key] if last else None for last in found.measured)
        lines.append(_compared_row(f"{name}, test split", first, second))
    changes = [last.changes if last else 0 for last in found.measured]
    if any(changes):
        lines.append(_compared_row("Changes since measurement", *changes))
    lines += [_line(setting(key), fact(one), fact(other), "") for key, (one, other) in found.settings.items()]
    return lines


def _compared_row(name: str, first: float | None, second: float | None, digits: int = 3) -> str:
    whole = isinstance(first, int) and isinstance(second, int)
    shown = [f"{value:,}" if whole else figure(value, digits) for value in (first, second)]
    change = ""
    if first is not None and second is not None and shown[0] != shown[1]:
        change = f"{first - second:+,}" if whole else f"{first - second:+.{digits}f}"
    return _line(name, *shown, change.replace("-", "−"))


def _line(name: str, *values: str) -> str:
    cells = "".join(f'<td class="number">{text(value)}</td>' for value in values)
    return f'<tr><th scope="row">{text(name)}</th>{cells}</tr>'


def _only_html(workspace: Workspace, title: str, bank: BankVersion, images: list[str]) -> str:
    if not images:
        return ""
    shown = ""
    for image in images[:SHOWN]:
        address = (page_of(workspace, image) or ("", "#picture"))[1]
        picture = f'<img loading="lazy" src="{text(patch_url(bank.id, image))}" alt="">'
        shown += f'<li><a href="{text(address)}" title="{text(image)}">{picture}</a></li>'
    more = f'<li class="aside">and {len(images) - SHOWN:,} more</li>' if len(images) > SHOWN else ""
    head = f'<p class="only-head">{text(title)} <span class="tag">{count(len(images), "image")}</span></p>'
    return f'{head}<ul class="only">{shown}{more}</ul>'
