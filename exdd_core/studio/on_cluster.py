"""Painting a batch on the machines of a cluster: one image a task.

Masks are drawn here, where the workspace is; a task gets pixels, and the files of the donor by their bytes. Knows
recipes, requests and engines. Does not know candidates, jobs or Ray.
"""

from __future__ import annotations

import logging
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exdd_core import cluster, synthesis
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.studio.ordering import options_of
from exdd_core.studio.painting import Made, noted, request_of
from exdd_core.synthesis.orders import Recipe
from exdd_core.synthesis.request import Donor, Painting, PaintRequest

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Task:
    """One painting. options: those of the engine. files: the donor's image and mask, by their names' endings."""

    engine: str
    options: Mapping[str, str]
    request: PaintRequest
    files: tuple[tuple[str, bytes], ...] = ()


def painted(
    workspace: Workspace, left: Sequence[Recipe], seeds: Sequence[int], progress: Progress
) -> Iterator[tuple[Recipe, Made]]:
    """Each recipe with its painting or error. seeds: what is added to a recipe's seed at each try, 0 first.

    A recipe that raised `BadInput` is tried with the next seed after all others, unless seeds are compared; where every
    seed fails, it comes with its first error.
    """
    problems: dict[int, BadInput] = {}
    for number, further in enumerate(seeds):
        failed: list[Recipe] = []
        for recipe, made in _round(workspace, left, further, progress):
            if isinstance(made, BadInput):
                problem = problems.setdefault(recipe.number, made)
                if recipe.axes or number == len(seeds) - 1:
                    yield recipe, problem
                else:
                    failed.append(recipe)
            else:
                yield recipe, made
        left = failed


def _round(
    workspace: Workspace, recipes: Sequence[Recipe], further: int, progress: Progress
) -> Iterator[tuple[Recipe, Made]]:
    """Each recipe, with `further` added to its seed, and its painting or the reason why there is none."""
    asked: deque[tuple[Recipe, BadInput | tuple[str, np.ndarray]]] = deque()

    def tasks() -> Iterator[Task]:
        for recipe in recipes:
            try:
                request, cut = request_of(workspace, replace(recipe, seed=recipe.seed + further))
            except BadInput as error:
                asked.append((recipe, error))
                continue
            asked.append((recipe, (cut, request.mask)))
            yield _task(workspace, recipe, request)

    def refused() -> Iterator[tuple[Recipe, Made]]:
        while asked and isinstance(error := asked[0][1], BadInput):
            yield asked.popleft()[0], error

    for made in cluster.map_tasks(_paint, None, tasks(), progress):
        yield from refused()
        recipe, known = asked.popleft()
        assert not isinstance(known, BadInput)
        cut, mask = known
        yield recipe, made if isinstance(made, Exception) else (noted(made, cut), mask)
    yield from refused()


def _task(workspace: Workspace, recipe: Recipe, request: PaintRequest) -> Task:
    donor = request.donor
    files = () if donor is None else tuple((p.suffix, p.read_bytes()) for p in (donor.image, donor.mask))
    return Task(recipe.engine, options_of(workspace, recipe.engine), request, files)


def _paint(shared: None, task: Task) -> Painting | Exception:
    """Paint on a machine of the cluster. An error is returned, so that it does not stop the paintings of others."""
    del shared
    with tempfile.TemporaryDirectory(prefix="exdd-") as folder:
        request = task.request
        if request.donor is not None:
            request = replace(request, donor=_received(request.donor, task.files, Path(folder)))
        try:
            painter = synthesis.engine_named(task.engine, **task.options)
            painter.prepare(request.settings, Progress())
            return painter.paint(request)
        except Exception as error:
            log.info("Painting ended with %s.", error)
            return error


def _received(donor: Donor, files: Sequence[tuple[str, bytes]], folder: Path) -> Donor:
    """The donor with its image and mask as files in `folder`."""
    places = [folder / f"{name}{suffix}" for name, (suffix, _) in zip(("image", "mask"), files, strict=True)]
    for place, (_, content) in zip(places, files, strict=True):
        place.write_bytes(content)
    return replace(donor, image=places[0], mask=places[1])
