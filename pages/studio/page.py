"""The Studio page: a normal image, a mask, a prompt and an engine make candidates: one, a comparison or a batch.

The page itself (assets/studio) runs in the browser and calls the functions of this package, which return values and
pictures of `studio`, `candidates` and `prompts`. Stores nothing itself: every painting is a candidate, every batch a
job. Does not know arrays or the database.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core import datasets, drawing, jobs, sentences, studio, synthesis
from exdd_core.synthesis import mask_spec, orders, weights
from exdd_core.synthesis.engines import LENDING, TEACHABLE
from exdd_core.workspace import image_windows
from pages import answers
from pages.guard.visitors import without_places
from pages.html import Answer
from pages.pictures import jpeg_url
from pages.questions import One
from pages.studio import questions
from pages.studio.eyes import seen
from pages.studio.masks import (
    allowed,
    donors,
    drawn,
    keep_mask,
    like,
    mask,
    order_of,
    piece,
    source,
    sources,
    usable_sources,
    words_for,
)
from pages.studio.prompts import (
    _prompts,
    delete_prompt,
    differences,
    expand,
    expanded,
    export_prompts,
    import_prompts,
    save_prompt,
    scoreboard,
    undo_import,
    words,
)
from pages.studio.results import (
    axis_title,
    candidate,
    candidate_answer,
    comparison,
    delete,
    ended,
    keep,
    news,
    restore,
    results,
)
from pages.studio.state import GROWING_SIDE, KIND, Studio
from pages.studio.teaching import drop_adapter, rename_adapter, teach, teaching, use_adapter

if TYPE_CHECKING:
    from exdd_core.synthesis.controls import Control
    from exdd_core.workspace import Workspace

TITLE = "Studio"
PATH = "/studio"
TEMPLATE = (Path(__file__).resolve().parents[2] / "assets" / "studio.html").read_text("utf-8")
NO_DATASET = {
    "title": "No images yet",
    "text": "Defects are painted into normal images: import a data set that has some.",
    "link": "./data",
    "button": "Import images in Data",
}


def render(workspace: Workspace) -> None:
    """Build the page's content between header and footer."""
    shared = Studio(workspace)
    functions: list[answers.Answerer] = [
        open_page, source, sources, donors, piece, mask, keep_mask, drawn, like, words_for, expand, words,
        preview, look, stop, warm, queue, compare, search, comparison, cancel_job,
        results, news, ended, candidate, seen, keep, delete, restore,
        teaching, teach, use_adapter, drop_adapter, rename_adapter,
        save_prompt, delete_prompt, scoreboard, differences, export_prompts, import_prompts, undo_import,
    ]  # fmt: skip
    answers.markup(
        "",
        html_template=TEMPLATE,
        js_on_load="exdd.studio(element, server, upload)",
        server_functions=[answers.answering(function, shared) for function in functions],
        elem_id="studio",
    )


def open_page(shared: Studio, asked: questions.Results) -> Answer:
    """Everything that stays the same while the page is open: images, engines, prompts, sliders."""
    workspace = shared.workspace
    info = workspace.active_dataset()
    number = image_windows.count(workspace, usable_sources(info.name)) if info else 0
    if info is None or not number:
        return {"need": NO_DATASET if info is None else _no_normals(info.name)}
    running = next((run.id for run in shared.previews.running()), None)
    return {
        "need": None,
        "dataset": info.name,
        "sourceCount": number,
        "engines": [_engine(workspace, name) for name in synthesis.ENGINES],
        "engine": studio.default_engine(workspace),
        "prompts": _prompts(workspace),
        "types": image_windows.types(workspace, image_windows.Which(info.name, label=datasets.DEFECT)),
        "shapes": {shape: _sliders("generated", shape) for shape in mask_spec.SHAPES},
        "borrowed": _sliders("real", "scratch"),
        "run": running,
        "most": orders.MOST,
        "cells": orders.MOST_CELLS,
        "page": questions.PAGE,
        "results": results(shared, asked),
    }


def _no_normals(dataset: str) -> Answer:
    return {
        **NO_DATASET,
        "title": "No normal image to paint on",
        "text": f'The training split of "{dataset}" contains no normal images; choose or import another data set.',
        "button": "Choose a data set in Data",
    }


def _engine(workspace: Workspace, name: str) -> Answer:
    engine = studio.engine(workspace, name)
    command = weights.download_command(workspace.path / weights.MODELS) if name == "sdxl" else ""
    return {
        "name": name,
        "title": engine.TITLE,
        "about": engine.DESCRIPTION,
        "missing": without_places(engine.missing(), workspace),
        "command": without_places(command, workspace),
        "controls": [_control(control) for control in engine.CONTROLS],
        "words": name == "procedural",
        "lends": name in LENDING,
        "loads": name == "sdxl",
        "teaches": name in TEACHABLE,
        "axes": list(studio.axes_of(name)),
    }


def _control(control: Control) -> Answer:
    return asdict(control)


def _sliders(source: str, shape: str) -> list[Answer]:
    return [_control(control) for control in mask_spec.controls(source, shape)]


def preview(shared: Studio, asked: questions.Painting) -> Answer:
    """Begin to paint a preview on the shown image."""
    order = replace(order_of(shared, asked), count=1, sources=[asked.source])
    return {"run": shared.previews.begin(order).id}


def look(shared: Studio, asked: questions.Look) -> Answer:
    """The progress of a preview, its picture if that is new, and at its end the candidate."""
    run = shared.previews.get(asked.run)
    over = run.over.is_set()
    answer: Answer = {"state": "over" if over else "running"}
    answer |= {"text": run.progress.text, "fraction": run.progress.fraction, "seen": run.pictures}
    if not over and run.picture is not None and run.pictures > asked.seen:
        answer["picture"] = jpeg_url(drawing.reduce(run.picture, GROWING_SIDE))
    if over and run.candidate:
        answer["result"] = candidate_answer(shared, run.candidate)
    if over and run.error and not run.was_cancelled:
        answer["failure"] = answers.explained(run.error)
    return answer


def stop(shared: Studio, asked: questions.Run) -> Answer:
    shared.previews.stop(asked.run)
    return {}


def warm(shared: Studio, asked: questions.Warm) -> Answer:
    """Load an engine's model in the background, once; returns the progress, and the error if it failed."""
    name = asked.engine
    run = shared.loading.get(name) or shared.loading.setdefault(name, shared.previews.load(name))
    over = run.over.is_set()
    failure = answers.explained(run.error) if over and run.error else ""
    if failure:
        shared.loading.pop(name, None)  # so that the next call tries again
    return {"over": over, "text": run.progress.text, "fraction": run.progress.fraction, "failure": failure}


def queue(shared: Studio, asked: questions.Painting) -> Answer:
    """Queue a batch: `count` of every prompt of the template, if these are few enough to list."""
    few = expanded(asked.template, asked.count, asked.seed, asked.engine).each
    order = replace(order_of(shared, asked), each=few)
    number = len(studio.recipes(shared.workspace, order))
    title = (
        f"Paint {sentences.count(number, 'candidate')}: {_short(order.template or 'transplanted defects')}"
    )
    job = jobs.submit(shared.workspace, KIND, title, order.to_json())
    return {"job": job.id, "count": number}


def compare(shared: Studio, asked: questions.Comparison) -> Answer:
    """Queue the cells of a grid over one or two axes, before all waiting jobs, since somebody is waiting for it."""
    axes = [(axis.name, axis.values) for axis in asked.axes]
    order = replace(order_of(shared, asked), count=1, sources=[asked.source])
    made = allowed(studio.grid(shared.workspace, order, axes[0], axes[1] if len(axes) > 1 else None))
    titles = [axis_title(shared, order.engine, name) for name, _ in axes]
    number = len(studio.recipes(shared.workspace, made))
    title = f"Compare {' × '.join(titles)}: {sentences.count(number, 'candidate')}"
    return {"job": jobs.submit(shared.workspace, KIND, title, made.to_json(), first=True).id}


def search(shared: Studio, asked: questions.Search) -> Answer:
    """Queue a search: `count` paintings, most of them of the combinations that prove useful."""
    from exdd_core.curation.searching import arms_of

    axes: list[orders.Axis] = [{"name": axis.name, "values": axis.values} for axis in asked.axes]
    order = replace(order_of(shared, asked), axes=axes, search=True)
    arms = arms_of(shared.workspace, order)
    number = sentences.count(order.count, "candidate")
    title = f"Search {sentences.count(len(arms), 'combination')}: {number}"
    return {"job": jobs.submit(shared.workspace, KIND, title, order.to_json()).id, "count": order.count}


def cancel_job(shared: Studio, asked: One) -> Answer:
    jobs.cancel(shared.workspace, asked.id)
    return {}


def _short(words: str) -> str:
    return words if len(words) <= 48 else f"{words[:47]}…"
