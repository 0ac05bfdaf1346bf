"""Answers the Curate page's script on the queue: filters, order, cards.

Knows candidates and measures. Does not know how a measure is computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exdd_core import curation, studio
from exdd_core.curation import measures
from exdd_core.curation.queue import kept_quality
from exdd_core.workspace import candidates, decisions
from pages.curate.state import LESS_IS_BETTER, LIGHTS, MEASURES, Curate, queue_stamp
from pages.html import Answer

if TYPE_CHECKING:
    from exdd_core.curation.measures import Quality
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.candidates import Candidate

SOURCES = {"drawn": "Drawn", "real": "Borrowed", "generated": "Generated", "uploaded": "Uploaded"}
TRAITS = ("prompt", "engine", "mask", "type")
FILTERS = (*TRAITS, *MEASURES)


def queue(shared: Curate, asked: Answer) -> Answer:
    """The first `limit` candidates that pass the filters, in order, and their counts by status and filter."""
    workspace = shared.workspace
    dataset = workspace.dataset().name
    everything = [Entry.of(made) for made in candidates.listed(workspace, dataset)]
    alike = [one for one in everything if one.passes(asked)]
    found = _in_order([one for one in alike if asked["status"] in ("all", one.made.status)], asked["sort"])
    holders = decisions.claims(workspace)
    shown = [one for one in everything if asked["status"] in ("all", one.made.status)]
    return {
        "items": [card(workspace, one, holders) for one in found[: asked["limit"]]],
        "total": len(found),
        "counts": Counter(one.made.status for one in alike),
        "filters": {name: _options(workspace, shown, name, asked[name]) for name in FILTERS},
        "types": _types(workspace, everything),
        "reasons": _reasons(workspace),
        "stamp": queue_stamp(workspace, dataset),
    }


@dataclass(frozen=True)
class Entry:
    """A candidate and its known measures."""

    made: Candidate
    known: Quality | None

    @classmethod
    def of(cls, made: Candidate) -> Entry:
        return cls(made, kept_quality(made))

    def passes(self, asked: Answer) -> bool:
        """Whether it passes every filter except that of the status. None passes everything."""
        return all(asked[name] is None or asked[name] == self.trait(name) for name in FILTERS)

    def trait(self, name: str) -> str:
        """The value that a filter compares; for a measure, its light."""
        made = self.made
        if name in MEASURES:
            return getattr(self.known, name).light if self.known else measures.GREY
        if name == "prompt":
            return made.template or made.prompt
        if name == "mask":
            return str(made.mask_spec.get("source", ""))
        return made.engine if name == "engine" else made.defect_type


def _in_order(found: list[Entry], sort: str) -> list[Entry]:
    """Sort by age or by a measure; candidates without that measure come last."""
    if sort not in MEASURES:
        return found[::-1] if sort == "oldest" else found
    sign = 1 if sort in LESS_IS_BETTER else -1

    def place(one: Entry) -> tuple[bool, float]:
        value = getattr(one.known, sort).value if one.known else None
        return value is None, sign * (value or 0.0)

    return sorted(found, key=place)


def _options(workspace: Workspace, shown: Sequence[Entry], name: str, chosen: str | None) -> list[Answer]:
    """The values of a filter with their counts, the most frequent first; lights from good to poor.

    The chosen value is included even if no candidate has it.
    """
    counts = Counter(one.trait(name) for one in shown)
    if chosen is not None:
        counts[chosen] += 0
    values = (
        [light for light in LIGHTS if light in counts]
        if name in MEASURES
        else list(dict(counts.most_common()))
    )
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


def _types(workspace: Workspace, everything: Sequence[Entry]) -> list[str]:
    """The known defect types, to choose from."""
    real = {row.defect_type for row in workspace.images(workspace.dataset().name, split="train")}
    return sorted((real | {one.made.defect_type for one in everything}) - {""})


def _reasons(workspace: Workspace) -> list[str]:
    """The usual reasons, and the most frequent ones that people added."""
    given = Counter(reason for decision in decisions.history(workspace) for reason in decision.reason)
    own = [reason for reason, _ in given.most_common() if reason not in curation.REASONS]
    return [*curation.REASONS, *own[:4]]


def card(workspace: Workspace, one: Entry, holders: dict[str, str]) -> Answer:
    made = one.made
    return {
        "id": made.id,
        "prompt": made.prompt,
        "title": studio.engine(workspace, made.engine).TITLE,
        "type": made.defect_type,
        "status": made.status,
        "holder": holders.get(made.id, ""),
        "effect": effect_answer(one.known),
    }


def effect_answer(known: Quality | None) -> Answer | None:
    if known is None or known.effect.value is None:
        return None
    return {
        "light": known.effect.light,
        "text": known.effect.text,
        "short": f"{round(known.effect.value, 1) + 0:+.1f}",
    }
