"""Answers the Curate page's script on the queue: filters, order, cards.

Knows candidates and measures. Does not know how a measure is computed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core import curation, studio
from exdd_core.curation import sifting
from exdd_core.curation.queue import kept_quality
from exdd_core.sentences import signed
from exdd_core.workspace import candidates, decisions, image_windows, unfitted
from pages.curate import questions
from pages.curate.state import LIGHTS, MEASURES, Curate, queue_stamp
from pages.html import Answer

if TYPE_CHECKING:
    from exdd_core.curation.measures import Quality
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.candidates import Candidate

SOURCES = {"drawn": "Drawn", "real": "Borrowed", "generated": "Generated", "uploaded": "Uploaded"}


def queue(shared: Curate, asked: questions.Sought) -> Answer:
    """The first `limit` candidates that pass the filters, in order, and their counts by status and filter."""
    workspace = shared.workspace
    dataset = workspace.dataset().name
    found = sifting.sift(workspace, dataset, asked.filters, asked.status, asked.sort, asked.limit)
    holders = decisions.claims(workspace)
    return {
        "items": [
            card(workspace, made, holders) | {"alike": shared.measuring.alike.get(made.id, made.id)}
            for made in candidates.of_ids(workspace, found.ids)
        ],
        "total": found.total,
        "counts": found.counts,
        "filters": {
            name: _options(workspace, counts, name, asked.filters[name])
            for name, counts in found.options.items()
        },
        "types": _types(workspace, dataset),
        **offered_reasons(workspace),
        "fitting": unfitted.count(workspace),
        "behind": shared.measuring.behind(),
        "stamp": queue_stamp(shared, dataset),
    }


def _options(workspace: Workspace, counts: dict[str, int], name: str, chosen: str | None) -> list[Answer]:
    """The values of a filter with their counts, the most frequent first; lights from good to poor.

    The chosen value is included even if no candidate has it.
    """
    if chosen is not None:
        counts = {**counts, chosen: counts.get(chosen, 0)}
    values = [light for light in LIGHTS if light in counts] if name in MEASURES else list(counts)
    return [
        {"value": value, "title": _option_title(workspace, name, value), "count": counts[value]}
        for value in values
    ]


def _option_title(workspace: Workspace, name: str, value: str) -> str:
    if name == "engine":
        return studio.engine(workspace, value).TITLE
    if name in MEASURES:
        return f"{name.capitalize()}: {LIGHTS[value]}"
    if name == "mask":
        return SOURCES.get(value, value)
    return value or {"prompt": "No prompt", "type": "No type"}[name]


def _types(workspace: Workspace, dataset: str) -> list[str]:
    """The known defect types, to choose from."""
    real = image_windows.types(workspace, image_windows.Which(dataset, "train"))
    return sorted({*real, *candidates.types(workspace, dataset)} - {""})


def offered_reasons(workspace: Workspace) -> Answer:
    """The usual reasons, then the most frequent ones that people added lately, which are their own."""
    own = curation.own_reasons(workspace)[:4]
    return {"reasons": [*curation.REASONS, *own], "own": own}


def card(workspace: Workspace, made: Candidate, holders: dict[str, str]) -> Answer:
    return {
        "id": made.id,
        "prompt": made.prompt,
        "title": studio.engine(workspace, made.engine).TITLE,
        "type": made.defect_type,
        "status": made.status,
        "holder": holders.get(made.id, ""),
        "effect": effect_answer(kept_quality(made)),
    }


def effect_answer(known: Quality | None) -> Answer | None:
    if known is None or known.effect.value is None:
        return None
    error = "" if known.effect.error is None else f" ± {known.effect.error:.1f}"
    return {
        "light": known.effect.light,
        "text": known.effect.text,
        "short": signed(known.effect.value) + error,
    }
