"""Paints an order in a batch: the job "synthesize".

An `Order` has the images, engine, prompt, mask and number of paintings. `ordering.recipes` turns it into one
`Recipe` for each painting, which depends only on the order and the workspace's data sets; `painting.paint` follows
a recipe. Knows recipes, seeds and candidates. Does not know how an engine paints or what a candidate is worth.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from exdd_core import cluster
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import read_image
from exdd_core.progress import Progress
from exdd_core.studio import on_cluster
from exdd_core.studio.ordering import engine, recipes
from exdd_core.studio.painting import Made, noted, paint, request_of
from exdd_core.synthesis.engine import NotReady
from exdd_core.synthesis.orders import MOST, Order, Recipe
from exdd_core.workspace import candidates
from exdd_core.workspace.failures import sentence_of

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

PAINTING = "Painting defects"  # the stage of a batch's progress
TRIES, NEXT_SEED = 3, 1_000_003  # number of seeds that a painting tries, and their difference
SENTENCES_KEPT = 5  # on failures in a batch, which are mostly the same
SAME = "the picture is the same as another one of this order; choose different masks or images."
log = logging.getLogger(__name__)


class Painted(TypedDict):
    """The result of an order, ready for JSON: counts, reasons of the first failures, and ids of candidates."""

    ordered: int
    made: int
    failed: int
    reasons: list[str]
    candidates: list[str]


def run_batch(workspace: Workspace, order: Order, progress: Progress, job_id: str) -> Painted:
    """Run the job "synthesize": paint an order and keep every painting as soon as it is finished.

    Paintings that the job made before are kept, so running it again finishes it. The cells of a comparison are drafts.
    Failed paintings are counted, with reasons. Raises `BadInput` with a reason where all fail.
    """
    wanted = recipes(workspace, order)
    there = candidates.numbers(workspace, job_id)
    left = [recipe for recipe in wanted if recipe.number not in there]
    failures: list[str] = []
    progress.begin(PAINTING, len(wanted), len(there))
    for _, reason in painted(workspace, left, len(there), len(wanted), progress, job_id):
        failures += [reason] if reason else []
        progress.advance()
    return summary(workspace, job_id, len(wanted), failures)


def summary(workspace: Workspace, job_id: str, ordered: int, failures: Sequence[str]) -> Painted:
    """The result of an order. failures: a reason for each painting that failed. Raises `BadInput` where all did."""
    reasons = list(dict.fromkeys(failures))
    if len(failures) == ordered:
        raise BadInput(
            reasons[0] if len(reasons) == 1 else f"None of {ordered} paintings succeeded. {reasons[0]}"
        )
    return {
        "ordered": ordered,
        "made": ordered - len(failures),
        "failed": len(failures),
        "reasons": reasons[:SENTENCES_KEPT],
        "candidates": [c.id for c in reversed(candidates.listed(workspace, job=job_id))],
    }


def painted(
    workspace: Workspace, left: Sequence[Recipe], done: int, total: int, progress: Progress, job_id: str
) -> Iterator[tuple[Recipe, str]]:
    """Paint recipes and keep each painting as a candidate; each recipe with why it could not be painted, or "".

    A picture that the job has made already is kept only in a comparison. The caller counts recipes in `progress`,
    which has `total` steps, `done` of them before these.
    """
    earlier = candidates.listed(workspace, job=job_id) if job_id else []
    known = {(one.source, _picture_in(one.image)) for one in earlier if one.image.is_file()}
    for recipe, made in _paint_all(workspace, left, done, total, progress):
        if isinstance(made, Exception):
            yield recipe, _reason(recipe, made)
            continue
        draft = bool(recipe.axes)  # the cells of a comparison
        picture = recipe.source, _picture(made[0].image)
        if picture in known and not draft:
            yield recipe, _reason(recipe, BadInput(SAME))
            continue
        known.add(picture)
        candidates.add(workspace, made[0], recipe, made[1], job_id, recipe.number, draft)
        yield recipe, ""


def _picture(image: np.ndarray) -> bytes:
    """What tells a picture, uint8 (H, W, 3), from every other one of its size."""
    return hashlib.sha256(image.tobytes()).digest()


@functools.lru_cache(maxsize=MOST)
def _picture_in(path: Path) -> bytes:
    """That of a candidate's file, which never changes; a search asks again for each of its rounds."""
    return _picture(read_image(path))


def _paint_all(
    workspace: Workspace, left: Sequence[Recipe], done: int, total: int, progress: Progress
) -> Iterator[tuple[Recipe, Made]]:
    """Each recipe with its painting or error."""
    if cluster.address():
        seeds = [attempt * NEXT_SEED for attempt in range(TRIES)]
        yield from on_cluster.painted(workspace, left, seeds, progress)
        return
    for (name, settings), alike in itertools.groupby(left, lambda recipe: (recipe.engine, recipe.settings)):
        group = list(alike)
        try:
            at_once = _prepared(workspace, name, settings, progress)
        except Cancelled:
            raise
        except Exception as error:
            unready = NotReady(_sentence(error))  # one sentence for the whole group
            yield from ((recipe, unready) for recipe in group)
        else:
            if progress.stage != PAINTING:  # another model had to be loaded
                progress.begin(PAINTING, total, done)
            yield from _paint_group(workspace, group, at_once, progress)
        done += len(group)


def _prepared(workspace: Workspace, name: str, settings: Mapping[str, Any], progress: Progress) -> int:
    """Load an engine and return how many images it takes in one call."""
    from exdd_core.workspace import device

    painter = engine(workspace, name)
    with device.device(workspace):
        painter.prepare(settings, progress)
        return painter.at_once(settings)


def _paint_group(
    workspace: Workspace, group: Sequence[Recipe], at_once: int, progress: Progress
) -> Iterator[tuple[Recipe, Made]]:
    """Paint recipes with the same engine and settings; once the engine is not ready, the rest are not tried."""
    unready: NotReady | None = None
    for start in range(0, len(group), at_once):
        chunk = group[start : start + at_once]
        if unready:
            yield from ((recipe, unready) for recipe in chunk)
            continue
        for recipe, made in _paint_chunk(workspace, chunk, progress):
            unready = made if isinstance(made, NotReady) else unready
            yield recipe, made


def _paint_chunk(
    workspace: Workspace, chunk: Sequence[Recipe], progress: Progress
) -> Iterator[tuple[Recipe, Made]]:
    """Paint recipes with the same engine and settings in one call; from the first that fails, one by one."""
    done_together = _paint_together(workspace, chunk, progress) if len(chunk) > 1 else []
    yield from zip(chunk, done_together, strict=False)
    for recipe in chunk[len(done_together) :]:
        yield recipe, _paint_one(workspace, recipe, progress)


def _paint_together(workspace: Workspace, chunk: Sequence[Recipe], progress: Progress) -> list[Made]:
    from exdd_core.workspace import device

    made: list[Made] = []
    try:
        with device.device(workspace):
            asked = [request_of(workspace, recipe) for recipe in chunk]
            requests = [request for request, _ in asked]
            paintings = engine(workspace, chunk[0].engine).paint_many(requests, progress.part())
            for (request, cut), painting in zip(asked, paintings, strict=True):
                made.append((noted(painting, cut), request.mask))
    except Cancelled:
        raise
    except Exception as error:  # painting the recipe on its own will show its error
        log.info("Painting %d at once ended with number %d (%s).", len(chunk), len(made), error)
    return made


def _paint_one(workspace: Workspace, recipe: Recipe, progress: Progress) -> Made:
    """Paint one recipe. A painting without a visible change is tried with other seeds, unless seeds are compared."""
    from exdd_core.workspace import device

    problem: Exception | None = None
    for attempt in range(1 if recipe.axes else TRIES):
        try:
            with device.device(workspace):
                again = replace(recipe, seed=recipe.seed + attempt * NEXT_SEED)
                return paint(workspace, again, progress.part())
        except Cancelled:
            raise
        except NotReady as error:
            return error
        except BadInput as error:  # nothing visible changed, or the mask missed the part
            problem = problem or error
        except Exception as error:
            return error
    assert problem is not None
    return problem


def _reason(recipe: Recipe, error: Exception) -> str:
    return str(error) if isinstance(error, NotReady) else f"{recipe.source}: {_sentence(error)}"


def _sentence(error: Exception) -> str:
    return sentence_of(error, "Painting", less_memory="paint smaller images or close other programs")
