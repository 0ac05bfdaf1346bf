"""The Studio page: a normal image, a mask, a prompt and an engine become candidates; one, a comparison, a batch.

The page itself (assets/studio.*) runs in the browser; this module answers its questions with what `studio`,
`editing`, `candidates` and `prompts` return, encoded as pictures and plain values. It knows neither arrays nor
the database, and keeps nothing: everything that was made is a candidate, everything queued a job.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core import candidates, datasets, editing, jobs, reports, studio, synthesis
from exdd_core.editing import Previews, Run
from exdd_core.errors import BadInput
from exdd_core.images import encode_jpeg, encode_png, read_image, read_mask, thumbnail
from exdd_core.studio import Order
from exdd_core.synthesis import masks, prompts, vocabulary, weights
from exdd_core.synthesis.prompts import Prompt
from pages import _shared

if TYPE_CHECKING:
    import numpy as np

    from exdd_core.candidates import Candidate
    from exdd_core.jobs import Job
    from exdd_core.synthesis.engine import Control
    from exdd_core.workspace import ImageRow, Workspace

TITLE = "Studio"
PATH = "/studio"

TEMPLATE = (Path(__file__).resolve().parent.parent / "assets" / "studio.html").read_text("utf-8")
DISPLAY_SIDE = 1600  # pixels of the longer side of a result as it is shown
GROWING_SIDE = 640  # of a painting that is not ready yet
THUMBNAIL_SIDE = 256
CLOSE_UP_SIDE = 112
PAGE = 48
EXAMPLES = 8  # prompts of a template that are shown where it has too many
KIND = "synthesize"

NO_DATASET = {
    "title": "No images yet",
    "text": "Defects are painted into normal images: import a data set that has some.",
    "link": "/data",
    "button": "Import images in Data",
}

Answer = dict[str, Any]


class Studio:
    """What the questions of one app's pages share."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.previews = Previews(workspace)
        self.loading: dict[str, Run] = {}  # engines that somebody has asked for


def render(workspace: Workspace) -> None:
    """Put the page's own part between header and footer."""
    shared = Studio(workspace)
    questions = [
        open_page, source, donors, piece, mask, keep_mask, drawn, expand, words,
        preview, look, stop, warm, queue, compare, comparison, cancel_job,
        results, news, candidate, delete, restore,
        save_prompt, delete_prompt, scoreboard, differences, export_prompts, import_prompts, undo_import,
    ]  # fmt: skip
    _shared.markup(
        "",
        html_template=TEMPLATE,
        js_on_load="exddStudio(element, server, upload)",
        server_functions=[_answering(question, shared) for question in questions],
        elem_id="studio",
    )


def _answering(question: Callable[[Studio, Answer], Answer], shared: Studio) -> Callable[[Answer], Answer]:
    """The function that the browser calls: one object in, one out, every error a sentence in it."""

    @functools.wraps(question)
    def answer(asked: Answer) -> Answer:
        try:
            return question(shared, asked)
        except Exception as error:
            return {"error": _shared.sentence_of(error)}

    del answer.__wrapped__  # Gradio looks at the signature, which is of one object
    return answer


# --- opening the page -------------------------------------------------------------------------------------


def open_page(shared: Studio, asked: Answer) -> Answer:
    """Everything that does not change while somebody works: images, engines, prompts, sliders."""
    workspace = shared.workspace
    info = _shared.active_dataset(workspace)
    rows = workspace.images(info.name, split="train", label=datasets.NORMAL) if info else []
    if info is None or not rows:
        return {"need": NO_DATASET if info is None else _no_normals(info.name)}
    running = next((run.id for run in shared.previews.running()), None)
    return {
        "need": None,
        "dataset": info.name,
        "sources": [_entry(row) for row in rows],
        "engines": [_engine(workspace, name) for name in synthesis.ENGINES],
        "engine": studio.default_engine(workspace),
        "prompts": _prompts(workspace),
        "types": sorted(
            {row.defect_type for row in workspace.images(info.name, label=datasets.DEFECT)} - {""}
        ),
        "shapes": {shape: _sliders("generated", shape) for shape in masks.SHAPES},
        "borrowed": _sliders("real", "scratch"),
        "run": running,
        "most": studio.MOST,
        "cells": studio.MOST_CELLS,
        "results": results(shared, asked | {"limit": PAGE}),
    }


def _no_normals(dataset: str) -> Answer:
    return NO_DATASET | {
        "title": "No normal image to paint on",
        "text": f'The training split of "{dataset}" holds no normal image; choose or import another data set.',
        "button": "Choose a data set in Data",
    }


def _entry(row: ImageRow) -> Answer:
    return {"id": row.id, "name": row.id.partition("/")[2]}


def _engine(workspace: Workspace, name: str) -> Answer:
    engine = studio.engine(workspace, name)
    return {
        "name": name,
        "title": engine.TITLE,
        "about": engine.DESCRIPTION,
        "missing": engine.missing(),
        "command": weights.download(workspace.path / studio.MODELS) if name == "sdxl" else "",
        "controls": [_control(control) for control in engine.CONTROLS],
        "words": name == "procedural",
        "lends": name == "transplant",
        "loads": name == "sdxl",
        "axes": list(studio.axes_of(name)),
    }


def _control(control: Control) -> Answer:
    return asdict(control)


def _sliders(source: str, shape: str) -> list[Answer]:
    return [_control(control) for control in masks.controls(source, shape)]


# --- image and mask ---------------------------------------------------------------------------------------


def source(shared: Studio, asked: Answer) -> Answer:
    """One image, reduced, to paint on."""
    made = editing.canvas(shared.workspace, asked["id"])
    height, width = made.pixels.shape[:2]
    return {
        "image": _jpeg(made.pixels, quality=92),
        "width": made.width,
        "height": made.height,
        "editor": [width, height],
    }


def donors(shared: Studio, asked: Answer) -> Answer:
    """Real defects that may lend their mask or themselves."""
    workspace = shared.workspace
    info = workspace.dataset()
    found = studio.donors(workspace, info.name, bool(asked["from_test"]))
    return {
        "donors": [
            {
                "id": donor.id,
                "name": donor.id.partition("/")[2],
                "type": donor.defect_type,
                "split": donor.split,
            }
            for donor in found
        ]
    }


def piece(shared: Studio, asked: Answer) -> Answer:
    """A real defect's mask as a picture to move about; x, y: where it lies in its own image."""
    made = editing.piece(shared.workspace, asked["id"])
    height, width = made.mask.shape
    small = reports.reduce(made.mask.astype("uint8"), editing.SIDE) > 0
    layer = masks.to_editor(small, small.shape, editing.COLOUR)
    return {"mask": _png(layer), "width": width, "height": height, "x": made.x, "y": made.y}


def mask(shared: Studio, asked: Answer) -> Answer:
    """The mask that a painting would get, as the editor shows it; with `keep` also stored, to be painted on."""
    spec = asked["mask"]
    if spec["source"] == "drawn" and spec.get("layer") and not spec["vary"]:
        shown = editing.drawn_shown(shared.workspace, asked["source"], _drawn(shared, asked))
    else:
        shown = editing.mask_shown(shared.workspace, _order(shared, asked))
    return _mask(shown) | {
        "file": studio.keep_mask(shared.workspace, shown.mask) if asked.get("keep") else ""
    }


def _mask(shown: editing.Shown) -> Answer:
    return {
        "layer": _png(shown.layer),
        "share": shown.share,
        "box": list(shown.box),
        "problem": shown.problem,
        "note": shown.note,
    }


def keep_mask(shared: Studio, asked: Answer) -> Answer:
    """Take an uploaded mask file."""
    return {"file": editing.keep_upload(shared.workspace, asked["source"], asked["path"], asked["name"])}


def drawn(shared: Studio, asked: Answer) -> Answer:
    """The mask that a candidate was painted into, to be painted on."""
    shown, file = editing.painted_shown(shared.workspace, candidates.get(shared.workspace, asked["id"]))
    return _mask(shown) | {"file": file}


def _order(shared: Studio, asked: Answer) -> Order:
    """What the browser wants painted. A mask that was painted there is stored first."""
    spec = dict(asked["mask"])
    if spec["source"] == "drawn":
        spec["file"] = studio.keep_mask(shared.workspace, _drawn(shared, asked)) if spec["layer"] else ""
        del spec["layer"], spec["base"]
    template = asked.get("template", "")
    return Order(
        dataset=shared.workspace.dataset().name,
        engine=asked.get("engine", ""),
        sources=[] if asked.get("where") == "random" else [asked["source"]],
        template=template,
        negative_prompt=asked.get("negative_prompt", ""),
        prompt_id=asked.get("prompt_id", ""),
        settings=asked.get("settings", {}),
        mask=masks.MaskSpec.from_json(spec).to_json(),
        donor=asked.get("donor", ""),
        count=asked.get("count", 1),
        seed=asked["seed"],
        parent=asked.get("parent", ""),
        defect_type=asked.get("defect_type", ""),
    )


def _drawn(shared: Studio, asked: Answer) -> np.ndarray:
    """What was painted in the browser, as a mask of the image."""
    content = _shared.layer_of(asked["mask"]["layer"])
    return editing.drawn(shared.workspace, asked["source"], content, asked["mask"]["base"])


# --- prompt -----------------------------------------------------------------------------------------------


def expand(shared: Studio, asked: Answer) -> Answer:
    """What a template becomes: every prompt where they can be counted, else some of them drawn."""
    template, count = asked["prompt"], max(1, int(asked["count"]))
    if not template.strip() and asked["engine"] == "transplant":
        return {"prompts": [""], "each": True, "total": count, "problem": ""}
    try:
        found = prompts.every(template)
    except BadInput as error:
        examples = prompts.expand(template, EXAMPLES, asked["seed"])
        return {"prompts": examples, "each": False, "total": count, "problem": str(error)}
    return {"prompts": found, "each": True, "total": count * len(found), "problem": ""}


def words(shared: Studio, asked: Answer) -> Answer:
    """The words that the procedural engine knows, by what they are about."""
    rows = [
        {"words": list(word.words), "kind": word.kind, "effect": word.effect} for word in vocabulary.WORDS
    ]
    return {"rows": rows}


# --- preview, batch, comparison ---------------------------------------------------------------------------


def preview(shared: Studio, asked: Answer) -> Answer:
    """Begin to paint one on the image that is shown."""
    order = replace(_order(shared, asked), count=1, sources=[asked["source"]])
    return {"run": shared.previews.begin(order).id}


def look(shared: Studio, asked: Answer) -> Answer:
    """How far a preview is, what it looks like by now if that is new, and at its end the candidate."""
    run = shared.previews.get(asked["run"])
    over = run.over.is_set()
    answer: Answer = {"state": "over" if over else "running"}
    answer |= {"text": run.progress.text, "fraction": run.progress.fraction, "seen": run.pictures}
    if not over and run.picture is not None and run.pictures > asked["seen"]:
        answer["picture"] = _jpeg(reports.reduce(run.picture, GROWING_SIDE))
    if over and run.candidate:
        answer["result"] = _record(shared, run.candidate)
    if over and run.error and not Previews.was_stopped(run):
        answer["failure"] = _shared.sentence_of(run.error)
    return answer


def stop(shared: Studio, asked: Answer) -> Answer:
    shared.previews.stop(asked["run"])
    return {}


def warm(shared: Studio, asked: Answer) -> Answer:
    """Load an engine's model in the background, once; how far that is, and what went wrong."""
    name = asked["engine"]
    run = shared.loading.get(name) or shared.loading.setdefault(name, shared.previews.load(name))
    over = run.over.is_set()
    failure = _shared.sentence_of(run.error) if over and run.error else ""
    if failure:
        shared.loading.pop(name, None)  # so that whoever asks again tries again
    return {"over": over, "text": run.progress.text, "fraction": run.progress.fraction, "failure": failure}


def queue(shared: Studio, asked: Answer) -> Answer:
    """Queue a batch: `count` of every prompt where the template's prompts can be counted."""
    told = expand(shared, asked | {"prompt": asked["template"]})
    order = replace(_order(shared, asked), each=told["each"])
    number = len(studio.recipes(shared.workspace, order))
    title = f"Paint {_shared.count(number, 'candidate')}: {_short(order.template or 'transplanted defects')}"
    job = jobs.submit(shared.workspace, KIND, title, order.to_json())
    return {"job": job.id, "count": number}


def compare(shared: Studio, asked: Answer) -> Answer:
    """Queue the cells of a grid over one or two axes, before whatever waits: somebody looks at it."""
    axes = [(axis["name"], axis["values"]) for axis in asked["axes"]]
    order = replace(_order(shared, asked), count=1, sources=[asked["source"]])
    made = studio.grid(shared.workspace, order, axes[0], axes[1] if len(axes) > 1 else None)
    titles = [_axis_title(shared, order.engine, name) for name, _ in axes]
    number = len(studio.recipes(shared.workspace, made))
    title = f"Compare {' × '.join(titles)}: {_shared.count(number, 'candidate')}"
    return {"job": jobs.submit(shared.workspace, KIND, title, made.to_json(), first=True).id}


def comparison(shared: Studio, asked: Answer) -> Answer:
    """The grid of a comparison: axes with the labels of their values, and the candidates by row and column."""
    made = candidates.listed(shared.workspace, job=asked["job"])
    try:
        job: Job | None = jobs.get(shared.workspace, asked["job"])
    except BadInput:  # cleared from the list; what it made is still there
        job = None
    axes = made[0].axes if made else job.spec["axes"] if job else []
    if not axes:
        raise BadInput("This comparison is not there any more.")
    engine = made[0].engine if made else str(job.spec["engine"]) if job else ""
    columns, rows = len(axes[0]["values"]), len(axes[1]["values"]) if len(axes) > 1 else 1
    by_number = {candidate.number: candidate.id for candidate in made}
    return {
        "job": asked["job"],
        "axes": [_axis(shared, engine, axis) for axis in axes],
        "cells": [
            [by_number.get(row * columns + column) for column in range(columns)] for row in range(rows)
        ],
        "text": job.text if job and job.state != "done" else "",
        "active": bool(job and job.active),
    }


def _axis(shared: Studio, engine: str, axis: Answer) -> Answer:
    values = [_axis_value(shared, axis["name"], value) for value in axis["values"]]
    return {"name": axis["name"], "title": _axis_title(shared, engine, axis["name"]), "values": values}


def _axis_title(shared: Studio, engine: str, name: str) -> str:
    controls = {control.name: control.title for control in studio.engine(shared.workspace, engine).CONTROLS}
    return controls.get(name, name.replace("_", " ")).lower()


def _axis_value(shared: Studio, name: str, value: Any) -> str:
    return studio.engine(shared.workspace, str(value)).TITLE if name == "engine" else _shown(value)


def cancel_job(shared: Studio, asked: Answer) -> Answer:
    jobs.cancel(shared.workspace, asked["id"])
    return {}


def _short(words: str) -> str:
    return words if len(words) <= 48 else f"{words[:47]}…"


# --- results ----------------------------------------------------------------------------------------------


def results(shared: Studio, asked: Answer) -> Answer:
    """The newest candidates of the active data set that pass the filters, counts, and the jobs that make more."""
    workspace = shared.workspace
    dataset = workspace.dataset().name
    names = {"status": "status", "engine": "engine", "job": "job", "prompt_id": "prompt"}
    wanted: dict[str, Any] = {name: asked.get(given) or None for name, given in names.items()}
    found = candidates.listed(workspace, dataset, **wanted, limit=asked["limit"])
    return {
        "items": [_item(shared, candidate) for candidate in found],
        "total": candidates.count(workspace, dataset, **wanted),
        "counts": _counts(workspace, dataset),
        "jobs": _jobs(workspace, dataset),
        "comparison": _latest_comparison(workspace, dataset),
        "stamp": _stamp(workspace, dataset),
    }


def _counts(workspace: Workspace, dataset: str) -> dict[str, int]:
    return {status: candidates.count(workspace, dataset, status) for status in candidates.STATUSES}


def _stamp(workspace: Workspace, dataset: str) -> str:
    """Differs as soon as there is anything new to show."""
    active = [
        (job.id, job.state, round(job.fraction, 3), job.text)
        for job in _mine(workspace, dataset)
        if job.active
    ]
    return json.dumps([dataset, _counts(workspace, dataset), active])


def _mine(workspace: Workspace, dataset: str) -> list[Job]:
    return [job for job in jobs.listed(workspace) if job.kind == KIND and job.spec.get("dataset") == dataset]


def _jobs(workspace: Workspace, dataset: str) -> list[Answer]:
    return [
        {"id": job.id, "title": job.title, "state": job.state, "text": job.text, "fraction": job.fraction}
        for job in _mine(workspace, dataset)
        if job.active
    ]


def _latest_comparison(workspace: Workspace, dataset: str) -> str:
    """The job of the comparison that was asked for last; "" for none."""
    asked = [job for job in _mine(workspace, dataset) if job.spec.get("axes") and job.state != "cancelled"]
    return max(asked, key=lambda job: job.created).id if asked else ""


def news(shared: Studio, asked: Answer) -> Answer:
    """Whether anything has changed since `stamp`: asked every few seconds."""
    info = _shared.active_dataset(shared.workspace)
    dataset = info.name if info else ""
    return {"dataset": dataset, "changed": bool(info) and _stamp(shared.workspace, dataset) != asked["stamp"]}


def _item(shared: Studio, made: Candidate) -> Answer:
    title = studio.engine(shared.workspace, made.engine).TITLE
    known = {"id": made.id, "prompt": made.prompt, "title": title, "seed": made.seed, "status": made.status}
    return known | {"engine": made.engine}


def candidate(shared: Studio, asked: Answer) -> Answer:
    return _record(shared, candidates.get(shared.workspace, asked["id"]))


def _record(shared: Studio, made: Candidate) -> Answer:
    """A candidate with its whole record, as the page shows it and edits from it."""
    width, height = made.size
    engine = studio.engine(shared.workspace, made.engine)
    used = [axis["name"] for axis in made.axes]
    return _item(shared, made) | {
        "source": made.source,
        "width": width,
        "height": height,
        "outline": reports.outline(read_mask(made.mask, (height, width))),
        "negative_prompt": made.negative_prompt,
        "prompt_id": made.prompt_id,
        "settings": made.settings,
        "settings_shown": [
            {"name": control.name, "title": control.title, "value": _shown(made.settings[control.name])}
            for control in engine.CONTROLS
            if control.name in made.settings
        ],
        "version": made.engine_version,
        "mask": made.mask_spec,
        "mask_key": hashlib.sha256(json.dumps(made.mask_spec, sort_keys=True).encode()).hexdigest(),
        "donor": made.donor,
        "defect_type": made.defect_type,
        "notes": made.notes,
        "parent": made.parent,
        "seconds": made.seconds,
        "created": made.created,
        "compares_prompts": "prompt" in used or "negative_prompt" in used,
    }


def _shown(value: Any) -> str:
    """A setting's value for people."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value == "" else f"{value:g}" if isinstance(value, float) else str(value)


def delete(shared: Studio, asked: Answer) -> Answer:
    if not candidates.delete_pending(shared.workspace, [asked["id"]]):
        raise BadInput("Only a pending candidate can be deleted; this one has been decided on.")
    return {}


def restore(shared: Studio, asked: Answer) -> Answer:
    candidates.restore(shared.workspace, [asked["id"]])
    return {}


def picture(workspace: Workspace, id: str, what: str, full: bool = False) -> tuple[bytes, str]:
    """A candidate's file for the address /candidate: its bytes and media type. Raises BadInput.

    what: "image", "source" (what it was painted into), "mask", "thumb" or "close" (a square around what was painted).
    Reduced to what a page shows, unless `full`.
    """
    made = candidates.get(workspace, id)
    if what == "mask":
        return made.mask.read_bytes(), "image/png"
    if what == "close":
        return encode_jpeg(thumbnail(editing.painted_close_up(made), THUMBNAIL_SIDE)), "image/jpeg"
    if what not in ("image", "source", "thumb"):
        raise BadInput(f'A candidate has no picture "{what}"; ask for image, source, mask, thumb or close.')
    row = workspace.image(made.source) if what == "source" else None
    if full and row is None:
        return made.image.read_bytes(), "image/png"
    pixels = read_image(row.path, row.id, row.depth) if row else read_image(made.image)
    if what == "thumb":
        return encode_jpeg(thumbnail(pixels, THUMBNAIL_SIDE)), "image/jpeg"
    return encode_jpeg(reports.reduce(pixels, DISPLAY_SIDE), 95), "image/jpeg"


def close_up(workspace: Workspace, image: str) -> bytes:
    """A real defect and its outline as an SVG for the address /defect. Raises BadInput."""
    pixels, where = editing.close_up(workspace, image)
    small = encode_jpeg(thumbnail(pixels, CLOSE_UP_SIDE))
    return _shared.picture_svg(small, pixels.shape[:2], reports.outline(where)).encode()


# --- the prompt library -----------------------------------------------------------------------------------


def _prompts(workspace: Workspace) -> list[Answer]:
    return [asdict(prompt) for prompt in prompts.library(workspace)]


def _prompt(asked: Answer) -> Prompt:
    names = ("id", "name", "prompt", "negative_prompt", "tags", "engine", "settings", "created")
    return Prompt(**{name: asked[name] for name in names if name in asked})


def save_prompt(shared: Studio, asked: Answer) -> Answer:
    """Save a prompt under a new name (no id), change one, or bring a deleted one back."""
    saved = prompts.save(shared.workspace, _prompt(asked))
    return {"saved": saved.id, "prompts": _prompts(shared.workspace)}


def delete_prompt(shared: Studio, asked: Answer) -> Answer:
    gone = prompts.delete(shared.workspace, asked["id"])
    return {"deleted": asdict(gone), "prompts": _prompts(shared.workspace)}


def scoreboard(shared: Studio, asked: Answer) -> Answer:
    """Every prompt with what came of it, the best first."""
    found = prompts.scoreboard(shared.workspace)
    return {"rows": [asdict(score) for score in found]}


def differences(shared: Studio, asked: Answer) -> Answer:
    a, b = (prompts.get(shared.workspace, id) for id in (asked["a"], asked["b"]))
    rows = [
        {"field": name, "a": _told(left), "b": _told(right)}
        for name, left, right in prompts.differences(a, b)
    ]
    return {"names": [a.name, b.name], "rows": rows}


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "as the engine's default" if value is None else _shown(value)


def export_prompts(shared: Studio, asked: Answer) -> Answer:
    """The chosen prompts, or all of them, as a file to take away."""
    chosen = [
        prompt
        for prompt in prompts.library(shared.workspace)
        if not asked["ids"] or prompt.id in asked["ids"]
    ]
    content = base64.b64encode(prompts.export_json(chosen).encode()).decode()
    return {"download": {"address": f"data:application/json;base64,{content}", "name": "prompts.json"}}


def import_prompts(shared: Studio, asked: Answer) -> Answer:
    try:
        content = Path(asked["path"]).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        raise BadInput("This file is no JSON; choose one that was exported from a prompt library.") from None
    made = prompts.import_json(shared.workspace, content)
    return {"imported": asdict(made), "prompts": _prompts(shared.workspace)}


def undo_import(shared: Studio, asked: Answer) -> Answer:
    made = asked["imported"]
    before, after = ([Prompt(**prompt) for prompt in made[name]] for name in ("before", "after"))
    prompts.undo_import(shared.workspace, prompts.Imported(made["added"], made["replaced"], before, after))
    return {"prompts": _prompts(shared.workspace)}


# --- pictures as text -------------------------------------------------------------------------------------


def _png(pixels: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode()


def _jpeg(pixels: np.ndarray, quality: int = 85) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels, quality)).decode()
