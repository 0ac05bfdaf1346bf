"""Answers the Studio page's script on teaching: what runs, what was taught, and what is used.

Knows jobs and adapters. Does not know how one teaches.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core import drawing, jobs
from exdd_core.errors import BadInput
from exdd_core.images import read_image
from exdd_core.jobs.kinds import TRAINING
from exdd_core.jobs.table import job_folder
from exdd_core.studio import engine, teaching as taught
from exdd_core.synthesis.engines import TEACHABLE
from exdd_core.synthesis.lora_settings import TeachSpec
from exdd_core.workspace import adapters
from pages.html import Answer
from pages.pictures import jpeg_url
from pages.questions import Named, One
from pages.studio import questions
from pages.studio.state import Studio

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

KIND = "teach"
SAMPLE_SIDE = 160  # pixels


def teaching(shared: Studio, asked: questions.Teaching) -> Answer:
    """Why an engine cannot be taught, if so; the training that runs or waits, with its samples; and its adapters."""
    workspace = shared.workspace
    problem = ""
    try:
        taught.checked(workspace, TeachSpec(engine=asked.engine))
    except BadInput as reason:
        problem = str(reason)
    used = adapters.in_use(workspace, asked.engine)
    ours = [one for one in adapters.listed(workspace) if one.engine == asked.engine]
    return {
        "engine": asked.engine,
        "setting": TEACHABLE[asked.engine],
        "missing": engine(workspace, asked.engine).missing(),
        "problem": problem,
        "surface": TeachSpec.model_fields["surface"].default,
        "trigger": TeachSpec.model_fields["trigger"].default,
        "job": _job(workspace),
        "inUse": used,
        "adapters": [_adapter(workspace, one, one.name == used) for one in ours],
    }


def _job(workspace: Workspace) -> Answer | None:
    """The training that runs or waits; else the last one, where it failed."""
    ours = [job for job in jobs.listed(workspace) if job.kind == KIND]
    job = next((job for job in ours if job.active), None) or next(iter(ours), None)
    if job is None or job.state == "done":
        return None
    return {
        "id": job.id,
        "title": job.title,
        "active": job.active,
        "text": job.text,
        "fraction": job.fraction,
        "samples": _pictures(sorted((job_folder(workspace, job.id) / TRAINING).glob("sample-*.png"))),
    }


def _adapter(workspace: Workspace, one: adapters.Adapter, used: bool) -> Answer:
    losses = {row["step"]: row["held_out"] for row in one.losses}
    return {
        "name": one.name,
        "images": len(one.images),
        "dataset": one.dataset,
        "best": one.best,
        "before": losses.get(0),
        "after": losses.get(one.best),
        "inUse": used,
        "samples": _pictures(adapters.samples(workspace, one.name)),
    }


def _pictures(files: list[Path]) -> list[str]:
    found = []
    for file in files:
        try:
            found.append(jpeg_url(drawing.reduce(read_image(file), SAMPLE_SIDE)))
        except (BadInput, OSError):  # just being replaced, or dropped
            continue
    return found


def teach(shared: Studio, asked: questions.Teach) -> Answer:
    """Queue a training on the active data set. Raises `BadInput` where it could not begin."""
    workspace = shared.workspace
    dataset = workspace.dataset().name
    given = TeachSpec(dataset=dataset, surface=asked.surface, trigger=asked.trigger, engine=asked.engine)
    name, _ = taught.checked(workspace, given)
    job = jobs.submit(workspace, KIND, f"Teaching {name}", given.to_json() | {"name": name})
    return {"job": job.id}


def use_adapter(shared: Studio, asked: questions.UsedAdapter) -> Answer:
    """Paint with an adapter by default, or for "" with none."""
    adapters.use(shared.workspace, asked.id, asked.engine)
    return {}


def drop_adapter(shared: Studio, asked: One) -> Answer:
    adapters.drop(shared.workspace, asked.id)
    return {}


def rename_adapter(shared: Studio, asked: Named) -> Answer:
    adapters.rename(shared.workspace, asked.id, asked.name)
    return {}
