"""The Inspect page: image, PatchCore, ExDD and their difference side by side, for one image or for many.

The viewer itself (assets/viewer.*) runs in the browser; this module answers its questions with what `Review`
and `reports` return, encoded as pictures and plain values. It knows neither arrays nor the database.
"""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core import jobs, reports
from exdd_core.errors import BadInput
from exdd_core.images import encode_jpeg, encode_png, read_image, thumbnail
from exdd_core.review import Review, ShownImage, truth_of
from pages import _shared

if TYPE_CHECKING:
    import numpy as np

    from exdd_core.detector import Inspection, Match
    from exdd_core.workspace import BankVersion, Workspace

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
        score, progress, cancel, export_table, export_panes, export_all,
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
    """The list that holds `image`, or the one named `list`, or the first: its images and what is known."""
    lists = review.lists()
    bank = review.workspace.active_bank()
    keys = [known.key for known in lists]
    key = _list_of(review, asked.get("image") or "") or asked.get("list")
    key = key if key in keys else (keys or [""])[0]
    images = review.images(key) if key else []
    seen, rows = review.results(bank).since(0) if bank else (0, [])
    shown = {image.id for image in images}
    return {
        "need": None if review.workspace.datasets() else NO_DATASET,
        "links": {"banks": "/banks"},
        "lists": [{"key": known.key, "title": known.title, "count": known.count} for known in lists],
        "list": key,
        "images": [_entry(image) for image in images],
        "bank": bank.name if bank else None,
        "rows": {row["id"]: _sides(row) for row in rows if row["id"] in shown},
        "seen": seen,
        "scales": {
            "score": _png(reports.colour_scale()),
            "difference": _png(reports.colour_scale(diverging=True)),
            "range": reports.CALIBRATED,
            "difference_range": reports.DIFFERENCE,
        },
        "job": _active_job(review),
        "note": _note(key, bank),
    }


def _list_of(review: Review, id: str) -> str | None:
    """The list of the image that the page's address names; None when it names none that is there."""
    try:
        return review.list_of(id) if id else None
    except BadInput:
        return None


def _note(key: str, bank: BankVersion | None) -> str:
    dataset = key.rpartition("/")[0]
    if bank is None or key.startswith("folder:") or not dataset or dataset == bank.dataset:
        return ""
    return (
        f'Bank {bank.name} was built from the data set "{bank.dataset}", these images are of "{dataset}": '
        "scores mean little. Build or activate a bank version of this data set in Banks."
    )


def _entry(image: ShownImage) -> Answer:
    known = {"id": image.id, "name": image.name, "label": image.label, "type": image.defect_type}
    return known | {"ratio": image.ratio}


def _sides(row: Answer) -> Answer:
    parts = ("score", "threshold", "calibrated", "verdict", "reason")
    return {method: {part: row[f"{method}_{part}"] for part in parts} for method in ("patchcore", "exdd")}


def add_files(review: Review, asked: Answer) -> Answer:
    """Take uploaded files and open the list of uploads."""
    ids, refused = review.add_files([(Path(file["path"]), file["name"]) for file in asked["files"]])
    if not ids:
        raise BadInput(" ".join(refused))
    return open_list(review, {"image": ids[0]}) | {"note": " ".join(refused), "first": ids[0]}


def add_folder(review: Review, asked: Answer) -> Answer:
    return open_list(review, {"list": review.open_folder(asked["path"])})


def thumbnails(review: Review, asked: Answer) -> Answer:
    """Small pictures by id; empty for an image that cannot be read, which says why when it is opened."""
    return {"thumbnails": {id: _thumbnail(review, id) for id in asked["ids"]}}


@functools.lru_cache(maxsize=4096)  # an id never stands for other pixels
def _thumbnail(review: Review, id: str) -> str:
    try:
        image = review.image(id)
        return _jpeg(thumbnail(read_image(image.path, image.name), THUMBNAIL_SIDE))
    except BadInput:
        return ""


# --- one image --------------------------------------------------------------------------------------------


def picture(review: Review, asked: Answer) -> Answer:
    """The image as it is shown, and the outline of its truth in its own pixels: needs no bank version."""
    image = review.image(asked["id"])
    pixels = read_image(image.path, image.name)
    height, width = pixels.shape[:2]
    shown = reports.reduce(pixels, DISPLAY_SIDE)
    truth = truth_of(image, (height, width))
    return {
        "image": _jpeg(shown, quality=95),
        "width": width,
        "height": height,
        "reduced": width / shown.shape[1],
        "truth": {"lines": reports.outline(truth) if truth is not None else []},
    }


def inspect(review: Review, asked: Answer) -> Answer:
    """Scores, verdicts, reasons and coloured maps of both methods."""
    made = review.compare(asked["id"])
    row = review.results(made.bank).rows[made.image.id]
    y, x = made.exdd.peak
    maps = [reports.small_map(inspection, MAP_SIDE) for inspection in (made.patchcore, made.exdd)]
    return {
        "bank": made.bank.name,
        "positive": made.exdd.positive_distance is not None,
        "peak": [int(x), int(y)],
        "patchcore": _side(made.patchcore),
        "exdd": _side(made.exdd),
        "difference": _png(reports.difference_heatmap(reports.difference(*maps))),
        "rows": {made.image.id: _sides(row)},
    }


def _side(inspection: Inspection) -> Answer:
    low, high = reports.raw_range(inspection)
    marks = inspection.calibration
    return {
        "score": float(inspection.score),
        "threshold": float(inspection.threshold),
        "calibrated": float(inspection.calibrated_score),
        "verdict": inspection.verdict,
        "reason": inspection.reason,
        "fusion": inspection.fusion,
        "map": _png(reports.heatmap(reports.small_map(inspection, MAP_SIDE))),
        "raw_map": _png(reports.heatmap(reports.small_map(inspection, MAP_SIDE, raw=True), low, high)),
        "raw_marks": {"low": low, "high": high, "median": marks.map_median, "threshold": marks.map_threshold},
    }


def point(review: Review, asked: Answer) -> Answer:
    """The patch at pixel (x, y) and its nearest patches in both banks."""
    made = review.compare(asked["id"])
    x, y = int(asked["x"]), int(asked["y"])
    found = made.exdd.at(y, x)
    return {
        "here": _crop(made.pixels, found.box)
        | {
            "at": [int(edge) for edge in found.box],
            "row": found.row,
            "column": found.column,
            "patchcore": float(made.patchcore.calibrated_map[y, x]),
            "exdd": float(made.exdd.calibrated_map[y, x]),
        },
        "normal": _neighbour(review, found.negative),
        "defect": _neighbour(review, found.positive) if found.positive else None,
        "ratio": None if found.ratio is None else float(found.ratio),
    }


def _neighbour(review: Review, match: Match) -> Answer:
    answer: Answer = {"distance": float(match.distance), "type": match.defect_type, "origin": match.origin}
    try:
        image = review.image(match.image)
        pixels = read_image(image.path, image.name)
        return answer | {"name": image.name} | _crop(pixels, match.box(pixels.shape[:2]))
    except BadInput:
        return answer | {"name": f"{match.image} (no longer there)", "image": "", "box": [0, 0, 0, 0]}


def _crop(pixels: np.ndarray, box: tuple[int, int, int, int]) -> Answer:
    """A patch with its surroundings, and the patch's box as shares of the view."""
    view, (x0, y0, x1, y1) = reports.crop_around(pixels, box)
    height, width = view.shape[:2]
    shares = [x0 / width, y0 / height, x1 / width, y1 / height]
    return {"image": _jpeg(thumbnail(view, CROP_SIDE)), "box": shares}


# --- many images ------------------------------------------------------------------------------------------


def score(review: Review, asked: Answer) -> Answer:
    """Have every image of a list scored."""
    number = _shared.count(len(review.images(asked["list"])), "image")
    job = jobs.submit(review.workspace, "score", f"Scoring {number}", {"list": asked["list"]})
    return {"job": _shown(job)}


def progress(review: Review, asked: Answer) -> Answer:
    """The job that the page follows, if it follows one, and the rows that have come since the first `seen`."""
    # The job first: the rows of one that has ended are all there.
    job = jobs.get(review.workspace, asked["job"]) if "job" in asked else None
    bank = review.workspace.active_bank()
    seen, rows = review.results(bank).since(asked["seen"]) if bank else (0, [])
    shown = {row["id"]: _sides(row) for row in rows}
    return {
        "job": _shown(job) if job else None,
        "seen": seen,
        "rows": shown,
        "bank": bank.name if bank else None,
    }


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
    return {"download": _download(review.export_table(asked["ids"]))}


def export_panes(review: Review, asked: Answer) -> Answer:
    return {"download": _download(review.export_panes(asked["id"]))}


def export_all(review: Review, asked: Answer) -> Answer:
    """Begin to draw the panes of these images into one zip."""
    ids = list(asked["ids"])
    if not ids:
        raise BadInput("The list shows no image; choose another filter.")
    title = f"Exporting {_shared.count(len(ids), 'image')}"
    return {"job": _shown(jobs.submit(review.workspace, "export", title, {"ids": ids}))}


def _download(path: Path) -> Answer:
    return {"address": _shared.download_url(path), "name": path.name}


# --- pictures as text -------------------------------------------------------------------------------------


def _png(pixels: np.ndarray) -> str:
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode()


def _jpeg(pixels: np.ndarray, quality: int = 85) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels, quality)).decode()
