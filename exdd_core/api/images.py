"""Answers what programs ask of images: scores, regions, nearest patches and maps.

Knows the review and jobs. Does not know how anything is computed or drawn.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

from fastapi import APIRouter, File, Query, UploadFile
from fastapi.responses import Response

from exdd_core import jobs
from exdd_core.api import answers, questions
from exdd_core.api.questions import Bank, Id, Limit, Offset
from exdd_core.api.served import Here, Sentences, Served
from exdd_core.errors import BadInput
from exdd_core.sentences import count
from exdd_core.spec import Json

if TYPE_CHECKING:
    from exdd_core.detector.inspection import Match

router = APIRouter(route_class=Sentences, tags=["images"])
Key = Annotated[Id, Query(alias="list", description="key of a list of images, as returned by GET /lists")]
ImageId = Annotated[Id, Query(description="id of an image, as returned in lists and results")]
Files = Annotated[list[UploadFile], File(description="one or more images")]
FLOATS = "application/octet-stream"
MAP: dict[int | str, Json] = {
    200: {
        "description": "An image, or float32 values (height, width) in NumPy's .npy format",
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}} for kind in ("image/png", FLOATS)
        },
    }
}


@router.get("/lists")
def lists(here: Here) -> list[answers.ImageListed]:
    """The lists of images: splits of data sets, uploaded images, folders."""
    return [answers.ImageListed.model_validate(one) for one in here.review.lists()]


@router.get("/images")
def images(here: Here, key: Key, limit: Limit = 1000, offset: Offset = 0) -> list[answers.Image]:
    """The images in a list."""
    return [answers.Image.model_validate(one) for one in here.review.entries(key)[offset : offset + limit]]


@router.post("/score")
def score(here: Here, files: Files, bank: Bank = None) -> answers.ScoredUploads:
    """Score uploaded images, and keep them in the list "uploads"."""
    here.review.bank_state(bank)  # raises for a version that does not exist, before anything is kept
    with received(files) as places:
        ids, refused = here.review.add_files(places)
    uploads = [here.review.image(id) for id in ids]
    refused += here.review.score(uploads, None, bank)
    rows = _rows(here, ids, bank)
    scored = {row["id"] for row in rows}
    notes = [
        f"{image.name}: {said}"
        for image in uploads
        if image.id in scored
        for said in here.review.notes(image, here.review.read(image, bank), bank)
    ]
    return answers.ScoredUploads(images=rows, refused=refused, notes=notes)


@router.post("/score/list", status_code=202)
def score_list(here: Here, asked: questions.ScoreList) -> answers.ScoreQueued:
    """Queue the scoring of the images in a list, or in a folder, which becomes a list."""
    if bool(asked.list) == bool(asked.folder):
        raise BadInput("Send either the key of a list or the path of a folder.")
    here.review.bank_state(asked.bank)
    key = asked.list or here.review.open_folder(here.allowed(asked.folder))
    title = f"Scoring {count(len(here.review.images(key)), 'image')}"
    spec = {"list": key} | ({"bank": asked.bank} if asked.bank else {})
    job = jobs.submit(here.workspace, "score", title, spec)
    return answers.ScoreQueued(job=answers.Job.model_validate(job), list=key)


@router.get("/results")
def results(
    here: Here, key: Key, bank: Bank = None, limit: Limit = 1000, offset: Offset = 0
) -> list[answers.Scored]:
    """The results for the images in a list; images that have not been scored yet are left out."""
    return _rows(here, [one.id for one in here.review.entries(key)[offset : offset + limit]], bank)


@router.get("/regions")
def regions(here: Here, image: ImageId, bank: Bank = None) -> answers.Regions:
    """The regions in which an image's map lies above the threshold."""
    made = here.review.compare(image, bank)
    height, width = made.exdd.shape
    return answers.Regions(image=image, width=width, height=height, regions=here.review.regions(made))


@router.get("/neighbours")
def neighbours(
    here: Here, image: ImageId, x: float | None = None, y: float | None = None, bank: Bank = None
) -> answers.Patch:
    """The patch at pixel (x, y) of the image (default: where the score comes from), and its nearest patches in both
    banks."""
    from exdd_core.review import at_pixel

    made = here.review.compare(image, bank)
    peak_y, peak_x = made.exdd.peak
    found = at_pixel(made, peak_x if x is None else x, peak_y if y is None else y)
    row = found.matches
    return answers.Patch(
        row=row.row,
        column=row.column,
        box=row.box,
        patchcore=found.patchcore,
        exdd=found.exdd,
        probability=found.probability,
        normal=_neighbour(here, row.negative),
        defect=_neighbour(here, row.positive) if row.positive else None,
        ratio=row.ratio,
    )


@router.get("/map", name="map", response_class=Response, responses=MAP)
def map_(
    here: Here,
    image: ImageId,
    method: Literal["exdd", "patchcore"] = "exdd",
    form: Literal["png", "npy"] = "png",
    bank: Bank = None,
) -> Response:
    """An image's anomaly map by a method, as displayed, where 1 is the threshold. form: png for a coloured image, or
    npy for its values, float32 (height, width)."""
    import numpy as np

    from exdd_core import drawing
    from exdd_core.images import encode_png

    made = here.review.compare(image, bank)
    values = (made.exdd if method == "exdd" else made.patchcore).shown_map
    if form == "png":
        return Response(encode_png(drawing.heatmap(values)), media_type="image/png")
    np.save(whole := io.BytesIO(), values, allow_pickle=False)
    return Response(whole.getvalue(), media_type=FLOATS)


@contextmanager
def received(files: Sequence[UploadFile]) -> Iterator[list[tuple[Path, str]]]:
    """Uploaded files on disk while the block runs: (path, name) of each."""
    with tempfile.TemporaryDirectory(prefix="exdd-api-") as folder:
        places = []
        for number, upload in enumerate(files):
            place = Path(folder) / str(number)
            with place.open("wb") as file:
                shutil.copyfileobj(upload.file, file)
            places.append((place, upload.filename or "image"))
        yield places


def _rows(here: Served, ids: Sequence[str], bank: str | None) -> list[answers.Scored]:
    return cast("list[answers.Scored]", here.review.rows(ids, bank))


def _neighbour(here: Served, match: Match) -> answers.Neighbour:
    try:
        box = match.box(here.review.read(here.review.image(match.image)).pixels.shape[:2])
    except BadInput:  # the image is gone
        box = None
    return answers.Neighbour(
        image=match.image,
        group=match.group,
        defect_type=match.defect_type,
        origin=match.origin,
        distance=match.distance,
        box=box,
    )
