"""The Inspect page: image, PatchCore, ExDD and their difference side by side, for one image or for many.

The viewer itself (assets/viewer.*) runs in the browser; this module answers its questions with what `Review`
and `reports` return, encoded as pictures and plain values. It knows neither arrays nor the database.
"""

from __future__ import annotations

import base64
import functools
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core import curation, editing, jobs, outlining, reports
from exdd_core.errors import BadInput
from exdd_core.images import encode_jpeg, encode_png, thumbnail
from exdd_core.review import (
    Comparison,
    ImageList,
    Mark,
    Review,
    ShownImage,
    Standing,
    score_change,
    truth_of,
)
from exdd_core.synthesis import masks
from pages import _shared

if TYPE_CHECKING:
    import numpy as np

    from exdd_core.curation import Decided
    from exdd_core.detector import Inspection
    from exdd_core.detector.inspection import Match
    from exdd_core.workspace import Workspace

TITLE = "Inspect"
PATH = "/"

TEMPLATE = (Path(__file__).resolve().parent.parent / "assets" / "viewer.html").read_text("utf-8")
DISPLAY_SIDE = 1600  # pixels of the longer side of the picture that is shown; the maps need far fewer
MAP_SIDE = 320
THUMBNAIL_SIDE = 144
CROP_SIDE = 208
JOBS = ("score", "export")

NO_DATASET = {
    "title": "No images yet",
    "text": "Import a data set: a folder or zip with normal images and, if there are any, images of defects.",
    "link": "/data",
    "button": "Import images in Data",
}

Answer = dict[str, Any]


def render(workspace: Workspace) -> None:
    """Put the viewer on the page that is being built."""
    review = Review(workspace)
    questions = [
        open_list, add_files, add_folder, thumbnails, picture, inspect, point,
        score, progress, cancel, known, alarm, mark, undo, export_table, export_panes, export_all,
        proposal, outline, undo_outline,
    ]  # fmt: skip
    _shared.markup(
        "",
        html_template=TEMPLATE,
        js_on_load="exddViewer(element, server, upload)",
        server_functions=[_shared.answering(question, review) for question in questions],
        elem_id="inspect",
    )


# --- lists ------------------------------------------------------------------------------------------------


def open_list(review: Review, asked: Answer) -> Answer:
    """The list that holds `image`, or the one named `list`, or the first: its images and what is known.

    bank: the version to look with, where that is not to be the active one.
    """
    lists = review.lists()
    keys = [known.key for known in lists]
    key, gone = _list_of(review, asked.get("image") or "")
    standing, unknown = _standing(review, asked.get("bank"))
    key = key or asked.get("list")
    key = key if key in keys else (keys or [""])[0]
    images = review.images(key) if key else []
    return _known(review, standing, images) | {
        "need": None if review.workspace.datasets() else NO_DATASET,
        "links": {"banks": "/banks"},
        "lists": [_listed(known) for known in lists],
        "list": key,
        "images": [_entry(image) for image in images],
        "types": _types(review, standing),
        "scales": {
            "score": _png(reports.colour_scale()),
            "difference": _png(reports.colour_scale(diverging=True)),
            "range": reports.CALIBRATED,
            "difference_range": reports.DIFFERENCE,
        },
        "job": _active_job(review),
        "note": " ".join(filter(None, [gone, unknown, _note(key, standing), *review.left_out(key)])),
    }


def _listed(known: ImageList) -> Answer:
    left = f", {known.left_out} left out" if known.left_out else ""
    return {"key": known.key, "title": known.title, "count": known.count, "left": left}


def known(review: Review, asked: Answer) -> Answer:
    """What is known of the images of a list now that the banks are no longer what they were."""
    standing, _ = _standing(review, asked.get("bank"))
    return _known(review, standing, review.images(asked["list"]))


def _known(review: Review, standing: Standing | None, images: list[ShownImage]) -> Answer:
    seen, rows = review.results(standing.version).known(standing.state) if standing else (0, {})
    marked = review.marked()
    return _bank(review, standing) | {
        "rows": {image.id: _sides(rows[image.id]) for image in images if image.id in rows},
        "seen": seen,
        "marked": [image.id for image in images if image.id in marked],
    }


def _bank(review: Review, standing: Standing | None) -> Answer:
    """The version that is looked with; `stamp` differs wherever scores may, `active` names the active version."""
    active = review.workspace.active_bank()
    return {
        "bank": standing.version.name if standing else None,
        "stamp": standing.stamp if standing else "",
        "active": active.name if active else None,
    }


def _list_of(review: Review, id: str) -> tuple[str | None, str]:
    """The list of the image that the page's address names, or None and why there is none."""
    try:
        return (review.list_of(id), "") if id else (None, "")
    except BadInput:
        return None, f'There is no image "{id}" in this workspace any more; here is another one.'


def _standing(review: Review, bank: str | None) -> tuple[Standing | None, str]:
    """The version that the page's address names, or the active one and why it is that."""
    try:
        return review.standing(bank), ""
    except BadInput as error:
        return review.standing(), f"{error} Here is the active one."


def _note(key: str, standing: Standing | None) -> str:
    dataset = key.rpartition("/")[0]
    if standing is None or key.startswith("folder:") or dataset in ("", standing.version.dataset):
        return ""
    bank = standing.version
    return (
        f'Bank {bank.name} was built from the data set "{bank.dataset}", these images are of "{dataset}": '
        "scores mean little. Build or activate a bank version of this data set in Banks."
    )


def _types(review: Review, standing: Standing | None) -> list[str]:
    """Defect types that are known, for choosing one of them."""
    rows = review.workspace.images(standing.version.dataset, label="defect") if standing else []
    return sorted({row.defect_type for row in rows} - {""})


def _entry(image: ShownImage) -> Answer:
    known = {"id": image.id, "name": image.name, "label": image.label, "type": image.defect_type}
    return known | {"ratio": image.ratio}


def _sides(row: Answer) -> Answer:
    parts = ("score", "threshold", "calibrated", "verdict", "probability", "reason")
    sides = {m: {part: row.get(f"{m}_{part}") for part in parts} for m in ("patchcore", "exdd")}
    return sides | {"stale": row.get("stale", False)}


def add_files(review: Review, asked: Answer) -> Answer:
    """Take uploaded files and open the list of uploads."""
    ids, refused = review.add_files([(Path(file["path"]), file["name"]) for file in asked["files"]])
    if not ids:
        raise BadInput(" ".join(refused))
    opened = open_list(review, {"image": ids[0]})
    return opened | {"note": " ".join(filter(None, [*refused, opened["note"]])), "first": ids[0]}


def add_folder(review: Review, asked: Answer) -> Answer:
    return open_list(review, {"list": review.open_folder(asked["path"])})


def thumbnails(review: Review, asked: Answer) -> Answer:
    """Small pictures by id; empty for an image that cannot be read, which says why when it is opened."""
    return {"thumbnails": {id: _thumbnail(review, id) for id in asked["ids"]}}


@functools.lru_cache(maxsize=4096)  # an id never stands for other pixels
def _thumbnail(review: Review, id: str) -> str:
    try:
        image = review.image(id)
        return _jpeg(thumbnail(review.read(image).pixels, THUMBNAIL_SIDE))
    except BadInput:
        return ""


# --- one image --------------------------------------------------------------------------------------------


def picture(review: Review, asked: Answer) -> Answer:
    """The image as it is shown, and the outline of its truth in its own pixels: needs no bank version."""
    image, bank = review.image(asked["id"]), asked.get("bank")
    read = review.read(image, bank)
    pixels = read.pixels
    height, width = pixels.shape[:2]
    shown = reports.reduce(pixels, DISPLAY_SIDE)
    truth = truth_of(image, (height, width))
    return {
        "image": _jpeg(shown, quality=95),
        "width": width,
        "height": height,
        "reduced": width / shown.shape[1],
        "truth": {"lines": reports.outline(truth) if truth is not None else []},
        "notes": review.notes(image, read, bank),
        "outline": _outline(review, image.id),
    }


def _outline(review: Review, id: str) -> Answer:
    """Whether an image wants a mask, and who gave it the one that it has."""
    by = outlining.outlined(review.workspace, id)
    return {"wanted": outlining.wanted(review.workspace, id), "by": asdict(by) if by else None}


def inspect(review: Review, asked: Answer) -> Answer:
    """Scores, verdicts, reasons and coloured maps of both methods, and what the image taught the banks."""
    return _inspected(review, review.compare(asked["id"], asked.get("bank")))


def _inspected(review: Review, made: Comparison) -> Answer:
    row = review.results(made.bank).rows(made.standing.state)[made.image.id]
    y, x = made.exdd.peak
    maps = [reports.small_map(inspection, MAP_SIDE) for inspection in (made.patchcore, made.exdd)]
    return _bank(review, made.standing) | {
        "positive": made.exdd.positive_distance is not None,
        "peak": [int(x), int(y)],
        "patchcore": _side(made.patchcore) | {"reason": made.reason(made.patchcore)},
        "exdd": _side(made.exdd) | {"reason": made.reason(made.exdd)},
        "difference": _png(reports.difference_heatmap(reports.difference(*maps))),
        "rows": {made.image.id: _sides(row)},
        "marks": [_mark(mark) for mark in review.marks(made.image.id)],
        "why_not": review.why_not(made.image.id, made.bank.id),
        "test": not made.image.id.startswith("file:"),
    }


def _side(inspection: Inspection) -> Answer:
    low, high = reports.raw_range(inspection)
    marks = inspection.calibration
    return {
        "score": float(inspection.score),
        "threshold": float(inspection.threshold),
        "calibrated": float(inspection.calibrated_score),
        "verdict": inspection.verdict,
        "probability": inspection.probability,
        "promised": marks.promised,
        "doubt": (min(marks.doubt, marks.threshold) - marks.median) / (marks.threshold - marks.median),
        "fusion": inspection.fusion,
        "map": _png(reports.heatmap(reports.small_map(inspection, MAP_SIDE))),
        "raw_map": _png(reports.heatmap(reports.small_map(inspection, MAP_SIDE, raw=True), low, high)),
        "raw_marks": {"low": low, "high": high, "median": marks.map_median, "threshold": marks.map_threshold},
    }


def point(review: Review, asked: Answer) -> Answer:
    """The patch at pixel (x, y) and its nearest patches in both banks."""
    made = review.compare(asked["id"], asked.get("bank"))
    x, y = int(asked["x"]), int(asked["y"])
    found = made.exdd.at(y, x)
    probabilities = made.exdd.patch_probabilities
    return {
        "here": _crop(made.pixels, found.box)
        | {
            "at": [int(edge) for edge in found.box],
            "row": found.row,
            "column": found.column,
            "patchcore": float(made.patchcore.calibrated_map[y, x]),
            "exdd": float(made.exdd.calibrated_map[y, x]),
            "probability": (None if probabilities is None else float(probabilities[found.row, found.column])),
        },
        "normal": _neighbour(review, found.negative),
        "defect": _neighbour(review, found.positive) if found.positive else None,
        "ratio": None if found.ratio is None else float(found.ratio),
    }


def _neighbour(review: Review, match: Match) -> Answer:
    answer: Answer = {"distance": float(match.distance), "type": match.defect_type, "origin": match.origin}
    try:
        image = review.image(match.image)
        pixels = review.read(image).pixels
        return answer | {"name": image.name} | _crop(pixels, match.box(pixels.shape[:2]))
    except BadInput:
        return answer | {"name": f"{match.image} (no longer there)", "image": "", "box": [0, 0, 0, 0]}


def _crop(pixels: np.ndarray, box: tuple[int, int, int, int]) -> Answer:
    """A patch with its surroundings, and the patch's box as shares of the view."""
    view, (x0, y0, x1, y1) = reports.crop_around(pixels, box)
    height, width = view.shape[:2]
    shares = [x0 / width, y0 / height, x1 / width, y1 / height]
    return {"image": _jpeg(thumbnail(view, CROP_SIDE)), "box": shares}


# --- teaching the banks by an image -----------------------------------------------------------------------


def _mark(mark: Mark) -> Answer:
    return {
        "decision": mark.decision,
        "action": mark.action,
        "who": mark.who,
        "created": mark.created,
        "type": mark.defect_type,
        "lines": reports.outline(mark.mask),
    }


def alarm(review: Review, asked: Answer) -> Answer:
    """What of an image a false alarm would teach, as the editor shows it on a canvas of width x height."""
    region, words = review.alarm(asked["id"])
    layer = masks.to_editor(region, (int(asked["height"]), int(asked["width"])), editing.COLOUR)
    return {"layer": _png(layer) if region.any() else "", "words": words}


def mark(review: Review, asked: Answer) -> Answer:
    """Teach the banks by an image: a missed defect or a false alarm; then what the image looks like with them.

    layer: what was drawn, "" for what `alarm` says.
    """
    id, who, layer = asked["id"], asked["who"], asked["layer"]
    before = review.compare(id)
    mask = None
    if layer:
        mask = masks.from_editor(_shared.drawn(layer), before.pixels.shape[:2])
    if asked["action"] == "missed":
        if mask is None or not mask.any():
            raise BadInput("The mask is empty; draw over the defect that was missed.")
        decided = review.mark_missed(id, mask, who, asked["type"])
    else:
        decided = review.mark_false_alarm(id, mask, who)
    return _taught(review, before, decided)


def proposal(review: Review, asked: Answer) -> Answer:
    """What the heatmap shows, as the editor shows it on a canvas of width x height."""
    region, words = review.shown(asked["id"])
    layer = masks.to_editor(region, (int(asked["height"]), int(asked["width"])), editing.COLOUR)
    return {"layer": _png(layer), "words": words}


def outline(review: Review, asked: Answer) -> Answer:
    """Give an image the mask that was drawn; layer "": what `proposal` showed. Then the image as it is shown."""
    id, mask, before = asked["id"], None, None
    if asked["layer"]:
        before = review.shown(id)[0] if asked["proposed"] else None
        image = review.image(id)
        mask = masks.from_editor(_shared.drawn(asked["layer"]), review.read(image).pixels.shape[:2], before)
    changed = review.outline(id, mask, asked["who"])
    return {"picture": picture(review, asked), "said": f"The mask is kept with {changed.dataset}."}


def undo_outline(review: Review, asked: Answer) -> Answer:
    """Take the mask of an image back; then the image as it is shown."""
    changed = review.undo_outline(asked["id"], asked["who"])
    return {"picture": picture(review, asked), "said": changed.sentence}


def undo(review: Review, asked: Answer) -> Answer:
    """Take a mark back; then what the image looks like without it."""
    before = review.compare(asked["id"])
    return _taught(review, before, curation.undo(review.workspace, asked["decision"], asked["who"]))


def _taught(review: Review, before: Comparison, decided: Decided) -> Answer:
    after = review.compare(before.image.id)
    said = score_change(before.exdd, after.exdd)
    rows = _shared.count(abs(decided.rows), "row")
    if decided.bank:
        said += f" · {rows} {'came to' if decided.rows >= 0 else 'left'} bank {decided.bank}"
    was = {"calibrated": float(before.exdd.calibrated_score), "score": float(before.exdd.score)}
    return _inspected(review, after) | {"said": said, "was": was | {"verdict": before.exdd.verdict}}


# --- many images ------------------------------------------------------------------------------------------


def score(review: Review, asked: Answer) -> Answer:
    """Have every image of a list scored."""
    number = _shared.count(len(review.images(asked["list"])), "image")
    spec = {"list": asked["list"]} | _asked_bank(asked)
    job = jobs.submit(review.workspace, "score", f"Scoring {number}", spec)
    return {"job": _shown(job)}


def progress(review: Review, asked: Answer) -> Answer:
    """The job that the page follows, if it follows one, and the rows that have come since the first `seen`."""
    # The job first: the rows of one that has ended are all there.
    job = jobs.get(review.workspace, asked["job"]) if "job" in asked else None
    standing, _ = _standing(review, asked.get("bank"))
    seen, rows = (
        review.results(standing.version).since(asked["seen"], standing.state) if standing else (0, [])
    )
    return _bank(review, standing) | {
        "job": _shown(job) if job else None,
        "seen": seen,
        "rows": {row["id"]: _sides(row) for row in rows},
    }


def _asked_bank(asked: Answer) -> Answer:
    """The version to look with, as jobs are told: nothing where it is the active one."""
    return {"bank": asked["bank"]} if asked.get("bank") else {}


def cancel(review: Review, asked: Answer) -> Answer:
    jobs.cancel(review.workspace, asked["job"])
    return {}


def _active_job(review: Review) -> Answer | None:
    """The first of the page's own jobs that runs or waits."""
    active = (job for job in jobs.listed(review.workspace, active=True) if job.kind in JOBS)
    return next(map(_shown, active), None)


def _shown(job: jobs.Job) -> Answer:
    """One of the page's own jobs as the viewer shows it."""
    shown: Answer = {"id": job.id, "running": job.active, "fraction": job.fraction, "text": job.text}
    shown["error"] = job.error
    if job.state in ("cancelled", "interrupted"):
        kept = {"score": "What was scored until then is kept.", "export": "No file was written."}
        shown["note"] = f"{job.state.capitalize()}. {kept[job.kind]}"
    elif job.kind == "score" and job.result and job.result["unreadable"]:
        broken = _shared.count(job.result["unreadable"], "image")
        shown["error"] = f"{broken} could not be read. {job.result['reasons'][0]}"
    elif job.kind == "export" and job.result:
        shown["download"] = _download(Path(job.result["path"]))
    return shown


# --- export -----------------------------------------------------------------------------------------------


def export_table(review: Review, asked: Answer) -> Answer:
    return {"download": _download(review.export_table(asked["ids"], asked.get("bank")))}


def export_panes(review: Review, asked: Answer) -> Answer:
    return {"download": _download(review.export_panes(asked["id"], asked.get("bank")))}


def export_all(review: Review, asked: Answer) -> Answer:
    """Begin to draw the panes of these images into one zip."""
    ids = list(asked["ids"])
    if not ids:
        raise BadInput("The list shows no image; choose another filter.")
    title = f"Exporting {_shared.count(len(ids), 'image')}"
    return {"job": _shown(jobs.submit(review.workspace, "export", title, {"ids": ids} | _asked_bank(asked)))}


def _download(path: Path) -> Answer:
    return {"address": _shared.download_url(path), "name": path.name}


# --- pictures as text -------------------------------------------------------------------------------------


def _png(pixels: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode()


def _jpeg(pixels: np.ndarray, quality: int = 85) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels, quality)).decode()
