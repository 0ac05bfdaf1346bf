"""Answers the script of the Banks page: the map of a bank, histograms, and images that are dropped.

Knows the banks' map and jobs. Does not know Gradio's layout.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from exdd_core import extras, jobs
from exdd_core.errors import BadInput
from pages.banks import questions
from pages.banks.parts import page_of, patch_url
from pages.guard import person
from pages.html import Answer

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace


def open_picture(workspace: Workspace, asked: questions.Picture) -> Answer:
    """The map of a version (the active one if it was deleted), by `method` if that map is computed."""
    from exdd_core.banks import bank_map

    banks = {bank.id: bank for bank in workspace.banks()}
    bank = banks.get(asked.bank) or next((b for b in banks.values() if b.active), None)
    if bank is None:
        return {"bank": None, "stamp": _stamp(workspace, "")}
    made = bank_map.has_umap(workspace, bank.id)
    method = "umap" if made and asked.method == "umap" else "pca"
    return {
        "bank": {"id": bank.id, "name": bank.name, "active": bank.active},
        "made": made,
        "map": bank_map.map_bank(workspace, bank.id, method).to_json(),
        "stamp": _stamp(workspace, bank.id),
    }


def histograms(workspace: Workspace, asked: questions.Version) -> Answer:
    """The distances of normal, real and painted patches from both banks of the version `bank`."""
    from exdd_core.banks.histograms import distances

    return asdict(distances(workspace, asked.bank))


def image(workspace: Workspace, asked: questions.Place) -> Answer:
    """The places of an image's rows in one bank, the chosen one first, and the page that shows the image."""
    from exdd_core.banks import bank_map

    chosen = (asked.row, asked.column)
    every = bank_map.patches_of_image(workspace, asked.bank, asked.image, asked.side)
    others = [patch for patch in every if patch != chosen]
    found = bank_map.source_image(workspace, asked.bank, asked.image, [chosen, *others])
    return {
        "url": patch_url(asked.bank, found.id, large=True),
        "height": found.shape[0],
        "width": found.shape[1],
        "boxes": found.boxes,
        "link": page_of(workspace, found.id),
    }


def drop(workspace: Workspace, asked: questions.Dropped) -> Answer:
    """Drop an image from a bank of the active version, which has to be the shown one."""
    from exdd_core.curation import aligning

    bank = workspace.bank(asked.bank)
    if not bank.active:
        raise BadInput(f"{bank.name} is no longer active; activate it to drop images from it.")
    return {"sentence": aligning.drop(workspace, asked.image, asked.side, _who(asked)).sentence}


def put_back(workspace: Workspace, asked: questions.Dropped) -> Answer:
    """Undo `drop`."""
    from exdd_core.curation import aligning

    return {"sentence": aligning.put_back(workspace, asked.image, _who(asked)).sentence}


def _who(asked: questions.Dropped) -> str:
    who = person(asked.who)
    if not who:
        raise BadInput("Enter your name first; it is stored with your decisions.")
    return who


def order_map(workspace: Workspace, asked: questions.Version) -> Answer:
    """Queue the computation of a map by UMAP. Raises `BadInput` where the package for it is not installed."""
    extras.MAP.require()
    bank = workspace.bank(asked.bank)
    if _map_job(workspace, bank.id) is None:
        jobs.submit(workspace, "map", f"Creating a UMAP map of {bank.name}", {"bank": bank.id})
    return news(workspace, asked)


def cancel_map(workspace: Workspace, asked: questions.Version) -> Answer:
    job = _map_job(workspace, asked.bank)
    if job is not None:
        jobs.cancel(workspace, job.id)
    return news(workspace, asked)


def news(workspace: Workspace, asked: questions.Shown) -> Answer:
    """A `stamp` that changes with the map of the version `bank`, and the progress of a map by UMAP."""
    id = asked.bank
    job, last = _map_job(workspace, id), _map_job(workspace, id, active=False)
    return {
        "stamp": _stamp(workspace, id),
        "job": {"text": job.text, "fraction": job.fraction} if job else None,
        "failed": last.error if last and last.state == "failed" else "",
    }


def _stamp(workspace: Workspace, id: str) -> str:
    from exdd_core.banks import bank_map

    active = workspace.active_bank()
    there = any(bank.id == id for bank in workspace.banks())
    return f"{active.id if active else ''} {bank_map.stamp(workspace, id) if there else ''}"


def _map_job(workspace: Workspace, bank: str, active: bool = True) -> jobs.Job | None:
    """The job that makes the map of a version; with `active` False, else the last one that ended."""
    found = jobs.listed(workspace, active)
    return next((job for job in found if job.kind == "map" and job.spec["bank"] == bank), None)
