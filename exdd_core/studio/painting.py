"""Paints one recipe.

Knows engines, masks and the workspace's images. Does not know batches or pages.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.errors import BadInput
from exdd_core.images import read_image, read_mask
from exdd_core.progress import Progress
from exdd_core.region import Region
from exdd_core.studio.ordering import engine, recipes
from exdd_core.synthesis import mask_spec, masks
from exdd_core.synthesis.orders import Order, Recipe
from exdd_core.synthesis.request import Donor, Painting, PaintRequest
from exdd_core.workspace import candidates
from exdd_core.workspace.candidates import Candidate
from exdd_core.workspace.drawn_masks import MASKS

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

OnStep = Callable[[np.ndarray], None]
# Of one recipe: painting and drawn mask, bool (H, W), or error.
Made = tuple[Painting, np.ndarray] | Exception


def paint(
    workspace: Workspace, recipe: Recipe, progress: Progress | None = None, preview: OnStep | None = None
) -> tuple[Painting, np.ndarray]:
    """Paint one recipe: the painting and its drawn mask, bool (H, W). Raises `BadInput` and `Cancelled`.

    The same recipe gives the same pixels. The caller holds the lock of `workspace.device`.
    """
    request, cut = request_of(workspace, recipe)
    painting = engine(workspace, recipe.engine).paint(request, progress, preview)
    return noted(painting, cut), request.mask


def noted(painting: Painting, sentence: str) -> Painting:
    """The painting with a further note, if there is one."""
    return replace(painting, notes=[*painting.notes, sentence]) if sentence else painting


def request_of(workspace: Workspace, recipe: Recipe) -> tuple[PaintRequest, str]:
    """The engine's request, and sentences on why its mask lies there and what of it was cut off, or ""."""
    row = workspace.image(recipe.source)
    image = read_image(row.path, row.id, row.depth)
    donor = _donor(workspace, recipe.donor) if recipe.donor else None
    mask = mask_of(workspace, recipe, image)
    region = region_of(workspace, recipe.dataset, recipe.mask.region, image.shape[:2])
    masks.check(mask, image, region)
    mask, cut = masks.within(mask, region)
    request = PaintRequest(
        image=image,
        mask=mask,
        prompt=recipe.prompt,
        negative_prompt=recipe.negative_prompt,
        settings=recipe.settings,
        seed=recipe.seed,
        donor=donor,
        region=region,
    )
    return request, " ".join(said for said in (recipe.mask.why, cut) if said)


def region_of(workspace: Workspace, dataset: str, file: str, shape: tuple[int, int]) -> np.ndarray | None:
    """A current or former region of interest of a data set, by its file, for an image of `shape` (H, W): bool (H, W).

    None for "", where all of an image counts. Former regions are kept, so that a painting can be made again after
    the region has changed.
    """
    if not file:
        return None
    folder = workspace.path / "datasets" / dataset
    if (folder / file).parent != folder or not (folder / file).is_file():
        raise BadInput("The region of interest that this was painted in no longer exists; paint it again.")
    return Region(read_mask(folder / file, None, file)).at(shape)


def mask_of(workspace: Workspace, recipe: Recipe, image: np.ndarray) -> np.ndarray:
    """The mask of a recipe: bool (H, W) for `image` (H, W, 3). Raises `BadInput` where there is none.

    It may reach beyond the region of interest; `masks.check` and `masks.within` cut it.
    """
    spec = recipe.mask
    donor = _donor(workspace, recipe.donor) if recipe.donor else None
    region = region_of(workspace, recipe.dataset, spec.region, image.shape[:2])
    return masks.realise(spec, image, recipe.seed, _lent(workspace, spec, donor), region)


def _donor(workspace: Workspace, id: str) -> Donor:
    row = workspace.image(id)
    if row.mask is None:
        raise BadInput(f"{id} no longer has a mask, so it cannot lend its defect.")
    return Donor(row.id, row.path, row.mask, row.defect_type, row.group, row.split, row.depth)


def _lent(workspace: Workspace, spec: mask_spec.MaskSpec, donor: Donor | None) -> np.ndarray | None:
    """The mask that a spec borrows or has as a file, bool, of its own size; None for a generated one."""
    if spec.source == "real" and donor:
        return read_mask(donor.mask, None, donor.id)
    if spec.source in ("drawn", "uploaded") and spec.file:
        path = workspace.path / MASKS / spec.file
        if path.parent != workspace.path / MASKS or not path.is_file():
            raise BadInput("The drawn or uploaded mask is no longer in the workspace; create it again.")
        return read_mask(path, None, "the mask")
    return None


def paint_one(
    workspace: Workspace,
    order: Order,
    progress: Progress | None = None,
    preview: OnStep | None = None,
    draft: bool = False,
) -> Candidate:
    """Paint the first recipe of an order now and store it as a candidate or a draft. Waits for at most one other
    painting."""
    from exdd_core.workspace import device

    recipe = recipes(workspace, order)[0]
    with device.device(workspace):
        painting, drawn = paint(workspace, recipe, progress, preview)
    return candidates.add(workspace, painting, recipe, drawn, draft=draft)


def recipe_of(candidate: Candidate) -> Recipe:
    """The recipe of a candidate, from its record."""
    shared = {field.name for field in fields(Recipe)} - {"mask", "number"}
    values = {name: getattr(candidate, name) for name in shared}
    return Recipe(
        **values, mask=mask_spec.MaskSpec.from_json(candidate.mask_spec), number=candidate.number or 0
    )


def remake(workspace: Workspace, candidate: Candidate) -> Painting:
    """Paint a candidate again from its record: the same pixels with the same version of its engine."""
    return paint(workspace, recipe_of(candidate))[0]
