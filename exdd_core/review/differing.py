"""The images that two bank versions judge differently, from their stored results.

Knows results by version. Does not know how an image is scored, or pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exdd_core.review.results import StoredRow
    from exdd_core.review.review import Review


@dataclass(frozen=True)
class Judged:
    """What ExDD says of an image with one version. score: calibrated, 1 at the threshold, or None."""

    verdict: str
    score: float | None


@dataclass(frozen=True)
class Differing:
    """An image whose verdict differs between a first and a second version."""

    id: str
    first: Judged
    second: Judged


def differing(
    review: Review, first: str, second: str, images: Sequence[str]
) -> tuple[list[Differing], tuple[int, int]]:
    """The images that two versions, by id, judge differently, the largest change of score first; and for each version
    how many of these images it has not scored in its present state."""
    rows = [_rows(review, bank) for bank in (first, second)]
    missing = [sum(id not in known for id in images) for known in rows]
    found = []
    for id in images:
        if id in rows[0] and id in rows[1]:
            one, other = (_judged(known[id]) for known in rows)
            if one.verdict != other.verdict:
                found.append(Differing(id, one, other))
    found.sort(key=lambda pair: -abs((pair.first.score or 0.0) - (pair.second.score or 0.0)))
    return found, (missing[0], missing[1])


def _rows(review: Review, bank: str) -> dict[str, StoredRow]:
    state = review.bank_state(bank)
    return review.results(state.version).rows(state.state) if state else {}


def _judged(row: StoredRow) -> Judged:
    return Judged(row["exdd_verdict"], row["exdd_calibrated"])
