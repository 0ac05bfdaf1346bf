"""Teaches the engine the defects of a data set: the job "teach".

Only images of the training split are looked at. Of the parts with marked defects a fifth is held out, to choose among
the checkpoints. Knows the workspace and what a training needs. Does not know how one trains, or banks.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from exdd_core import datasets
from exdd_core.errors import BadInput
from exdd_core.images import read_image, read_mask
from exdd_core.progress import Progress
from exdd_core.sentences import count
from exdd_core.studio.ordering import donors
from exdd_core.synthesis import posing, weights
from exdd_core.synthesis.lora_crops import Picture, Words, symmetries
from exdd_core.synthesis.lora_settings import TeachSpec
from exdd_core.workspace import adapters
from exdd_core.workspace.clock import now

if TYPE_CHECKING:
    from exdd_core.synthesis.lora_training import Lesson
    from exdd_core.synthesis.request import Donor
    from exdd_core.workspace import ImageRow, Workspace

FEWEST_PARTS = 3  # with marked defects: two to learn from and one to choose the checkpoint
HELD_OUT = 5  # of so many parts with defects one is held out
GRAINS = 8  # normal images whose grain is looked at


class TaughtAdapter(TypedDict):
    """The result of a training. held_out_before, held_out_after: loss under the masks of held-out crops.

    best: the step that was kept. prompt: one to paint with. sentence: what came of it.
    """

    adapter: str
    dataset: str
    best: int
    steps: int
    held_out_before: float
    held_out_after: float
    prompt: str
    sentence: str


def run_teaching(workspace: Workspace, spec: TeachSpec, progress: Progress, folder: Path) -> TaughtAdapter:
    """Run the job "teach" in `folder`, which keeps its checkpoints, and store the adapter.

    Raises `BadInput` where there are too few defects, no model or too little memory, and `Cancelled`.
    """
    from exdd_core.synthesis import learned_training, lora_training
    from exdd_core.workspace import device

    began = time.monotonic()
    name, model = checked(workspace, spec)
    info = workspace.dataset(spec.dataset)
    lesson = lesson_of(workspace, spec)
    progress.begin("Waiting for paintings to finish", 1)
    with device.device(workspace):  # so that no painting loads its model beside the training
        taught = (
            lora_training.teach(model, lesson, spec.training(), folder, progress)
            if model
            else learned_training.teach(lesson, spec.training(), folder, progress)
        )
    adapter = adapters.Adapter(
        name=name,
        dataset=info.name,
        state=info.state,
        base=model.name if model else "",
        fingerprint=weights.fingerprint(model) if model else "",
        surface=spec.surface,
        trigger=spec.trigger,
        types=sorted({picture.defect_type for picture in lesson.defects}),
        images=[picture.id for picture in (*lesson.defects, *lesson.held_out, *lesson.normals)],
        parts=lesson.parts,
        held_out=sorted({picture.part for picture in lesson.held_out}),
        settings=spec.training().model_dump(),
        resolution=taught.resolution,
        crops=taught.crops,
        losses=[dict(row) for row in taught.losses],
        best=taught.best,
        created=now(),
        seconds=round(time.monotonic() - began, 1),
        who=spec.who,
        engine=spec.engine,
    )
    adapters.keep(workspace, adapter, taught.file, sorted(folder.glob("sample-*.png")))
    if spec.engine == "learned" and adapter.best and not adapters.in_use(workspace, spec.engine):
        adapters.use(workspace, name)  # without one this engine cannot paint
    return _result(adapter, lesson.words, taught.steps)


def checked(workspace: Workspace, spec: TeachSpec) -> tuple[str, Path | None]:
    """The name of the adapter and the place of the model, None where the engine needs none.

    Raises `BadInput` where a training could not begin.
    """
    info = workspace.dataset(spec.dataset)
    name = adapters.new_name(workspace, spec.name, info.called)
    if spec.engine == "learned":
        _parts(info.called, donors(workspace, info.name))
        return name, None
    models = workspace.path / weights.MODELS
    path = weights.find(spec.model, models).path
    if path is None:
        raise BadInput(weights.missing(spec.model, models))
    _parts(info.called, donors(workspace, info.name))
    return name, path


def lesson_of(workspace: Workspace, spec: TeachSpec) -> Lesson:
    """The defects of the training split, those of a fifth of their parts held out, and as many normal images.

    Only so few normal images, because folds that hold out their parts must not see what the adapter paints.
    """
    from exdd_core.synthesis.lora_training import Lesson

    info = workspace.dataset(spec.dataset)
    known = donors(workspace, info.name)
    parts = _parts(info.called, known)
    rng = np.random.default_rng(spec.seed)
    held_out = set(rng.permutation(parts)[: max(1, len(parts) // HELD_OUT)].tolist())
    every = workspace.images(info.name, split="train", label=datasets.NORMAL)
    rows = [row for row in every if row.group not in held_out]
    some = rng.permutation(len(rows))[: len(known)]
    normals = [rows[at] for at in sorted(some.tolist())]
    return Lesson(
        defects=[_defect(donor) for donor in known if donor.group not in held_out],
        held_out=[_defect(donor) for donor in known if donor.group in held_out],
        normals=[_normal(row) for row in normals],
        words=Words(spec.surface, spec.trigger),
        allowed=symmetries(_grains(normals[:GRAINS])),
    )


def _parts(dataset: str, known: Sequence[Donor]) -> list[str]:
    """The physical parts of these defects. Raises `BadInput` for too few."""
    parts = sorted({donor.group for donor in known})
    if len(parts) < FEWEST_PARTS:
        raise BadInput(
            f"Teaching needs marked defects of at least {FEWEST_PARTS} parts, and the training split of "
            f'"{dataset}" has {len(parts) or "none"}; import more defective images with masks, or outline defects.'
        )
    return parts


def _defect(donor: Donor) -> Picture:
    def read() -> tuple[np.ndarray, np.ndarray | None]:
        pixels = read_image(donor.image, donor.id, donor.depth)
        return pixels, read_mask(donor.mask, pixels.shape[:2], donor.id)

    return Picture(donor.id, donor.group, donor.defect_type, read)


def _normal(row: ImageRow) -> Picture:
    return Picture(row.id, row.group, "", lambda: (read_image(row.path, row.id, row.depth), None))


def _grains(rows: Sequence[ImageRow]) -> list[float | None]:
    found = []
    for row in rows:
        pixels = read_image(row.path, row.id, row.depth)
        found.append(posing.grain(pixels, np.ones(pixels.shape[:2], bool)))
    return found


def _result(adapter: adapters.Adapter, words: Words, steps: int) -> TaughtAdapter:
    held_out = {row["step"]: float(str(row["held_out"])) for row in adapter.losses}
    before, best = held_out[0], min(loss for step, loss in held_out.items() if step)
    gained = f"the loss on held-out defects went from {before:.4f} to {best:.4f}"
    images, best_step = count(len(adapter.images), "image"), count(adapter.best, "step")
    sentence = f"{adapter.name} was taught with {images}: {gained} after {best_step}."
    if not adapter.best:
        sentence = (
            f"{adapter.name} did not learn anything useful: no step painted held-out defects better than the "
            f"model without it ({before:.4f}, at best {best:.4f}). Teach it with more defects or a lower "
            "learning rate."
        )
    return {
        "adapter": adapter.name,
        "dataset": adapter.dataset,
        "best": adapter.best,
        "steps": steps,
        "held_out_before": before,
        "held_out_after": best,
        "prompt": words.of(adapter.types[0] if adapter.types else ""),
        "sentence": sentence,
    }
