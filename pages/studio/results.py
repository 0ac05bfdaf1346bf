"""Answers the Studio page's script on candidates and comparisons.

Knows candidates and jobs. Does not know how a mask is drawn.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypedDict

from exdd_core import drawing, jobs, studio
from exdd_core.errors import BadInput
from exdd_core.images import read_mask
from exdd_core.workspace import candidates, image_windows
from pages.html import Answer
from pages.job_panel import outcome_of
from pages.questions import One
from pages.studio import questions
from pages.studio.masks import usable_sources
from pages.studio.state import KIND, Studio

if TYPE_CHECKING:
    from exdd_core.jobs import Job
    from exdd_core.synthesis.orders import Axis
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.candidates import Candidate


def comparison(shared: Studio, asked: questions.OfJob) -> Answer:
    """The grid of a comparison: axes with labels, and the candidates by row and column."""
    made = candidates.listed(shared.workspace, job=asked.job)
    try:
        job: Job | None = jobs.get(shared.workspace, asked.job)
    except BadInput:  # the job was cleared from the list, but its candidates exist
        job = None
    axes = made[0].axes if made else job.spec["axes"] if job else []
    if not axes:
        raise BadInput("This comparison no longer exists.")
    engine = made[0].engine if made else str(job.spec["engine"]) if job else ""
    columns, rows = len(axes[0]["values"]), len(axes[1]["values"]) if len(axes) > 1 else 1
    by_number = {candidate.number: candidate.id for candidate in made}
    return {
        "job": asked.job,
        "axes": [_axis(shared, engine, axis) for axis in axes],
        "cells": [
            [by_number.get(row * columns + column) for column in range(columns)] for row in range(rows)
        ],
        "text": job.text if job and job.state != "done" else "",
        "active": bool(job and job.active),
    }


def _axis(shared: Studio, engine: str, axis: Axis) -> Answer:
    values = [_axis_value(shared, axis["name"], value) for value in axis["values"]]
    return {"name": axis["name"], "title": axis_title(shared, engine, axis["name"]), "values": values}


def axis_title(shared: Studio, engine: str, name: str) -> str:
    controls = {control.name: control.title for control in studio.engine(shared.workspace, engine).CONTROLS}
    return controls.get(name, name.replace("_", " ")).lower()


def _axis_value(shared: Studio, name: str, value: Any) -> str:
    return studio.engine(shared.workspace, str(value)).TITLE if name == "engine" else words_of(value)


class Filters(TypedDict):
    """What `candidates.listed` filters by; None filters nothing."""

    status: str | None
    engine: str | None
    job: str | None
    prompt_id: str | None


def results(shared: Studio, asked: questions.Results) -> Answer:
    """The newest candidates of the active data set that pass the filters, counts, and the active jobs."""
    workspace = shared.workspace
    dataset = workspace.dataset().name
    wanted: Filters = {
        "status": asked.status or None,
        "engine": asked.engine or None,
        "job": asked.job or None,
        "prompt_id": asked.prompt or None,
    }
    found = candidates.listed(workspace, dataset, **wanted, limit=asked.limit)
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
    """A text that changes whenever the page has something new to show."""
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
    """The id of the last comparison's job, "" without one."""
    asked = [job for job in _mine(workspace, dataset) if _compares(job) and job.state != "cancelled"]
    return max(asked, key=lambda job: job.created).id if asked else ""


def _compares(job: Job) -> bool:
    return bool(job.spec.get("axes")) and not job.spec.get("search")


def news(shared: Studio, asked: questions.Stamp) -> Answer:
    """Whether anything has changed since `stamp`. Called every few seconds."""
    info = shared.workspace.active_dataset()
    dataset = info.name if info else ""
    return {"dataset": dataset, "changed": bool(info) and _stamp(shared.workspace, dataset) != asked.stamp}


def _item(shared: Studio, made: Candidate) -> Answer:
    title = studio.engine(shared.workspace, made.engine).TITLE
    known = {"id": made.id, "prompt": made.prompt, "title": title, "seed": made.seed, "status": made.status}
    return known | {"engine": made.engine}


def ended(shared: Studio, asked: One) -> Answer:
    """How an order ended, in a sentence ("" where somebody cancelled it), where to go on, and whether it was painted
    as a whole."""
    job = jobs.get(shared.workspace, asked.id)
    if job.state != "done":
        return {"said": job.error, "way": "", "whole": False}
    outcome = outcome_of(job)
    whole = not (job.result or {}).get("failed")
    if whole and _compares(job):
        return {"said": "", "way": "", "whole": True}  # the comparison shows itself
    return {"said": outcome.said, "way": f"{outcome.link[0]}." if outcome.link else "", "whole": whole}


def candidate(shared: Studio, asked: One) -> Answer:
    return candidate_answer(shared, candidates.get(shared.workspace, asked.id))


def candidate_answer(shared: Studio, made: Candidate) -> Answer:
    """A candidate with its complete record, to show and to edit from."""
    width, height = made.size
    engine = studio.engine(shared.workspace, made.engine)
    used = [axis["name"] for axis in made.axes]
    return _item(shared, made) | {
        "source": made.source,
        "isThere": image_windows.number_of(shared.workspace, usable_sources(made.dataset), made.source) >= 0,
        "width": width,
        "height": height,
        "outline": drawing.outline(read_mask(made.mask, (height, width))),
        "negative_prompt": made.negative_prompt,
        "prompt_id": made.prompt_id,
        "settings": made.settings,
        "settings_shown": [
            {"name": control.name, "title": control.title, "value": words_of(made.settings[control.name])}
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


def words_of(value: Any) -> str:
    """A setting's value for people."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "none" if value == "" else f"{value:g}" if isinstance(value, float) else str(value)


def delete(shared: Studio, asked: One) -> Answer:
    if not candidates.delete_undecided(shared.workspace, [asked.id]):
        raise BadInput(
            "Only a draft or a pending candidate can be deleted; this one has already been decided."
        )
    return {}


def restore(shared: Studio, asked: questions.Restored) -> Answer:
    candidates.restore(shared.workspace, [asked.id], asked.draft)
    return {}


def keep(shared: Studio, asked: questions.Several) -> Answer:
    """Make drafts candidates, which wait on Curate."""
    return {"ids": candidates.keep(shared.workspace, asked.ids)}
