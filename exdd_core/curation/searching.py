"""Prompt search: spends a batch on the prompts, masks, engines and settings whose paintings are of use.

A bandit by Thompson sampling (Thompson, 1933): the share of useful paintings of each combination, an arm, has a beta
distribution that begins uniform, and every painting takes the arm with the highest of one draw from each. What is of
use is measured against the active bank version, whose images are training images; test images play no role. Knows
orders, batches and the judge. Does not know who decides on the paintings, or pages.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypedDict

import numpy as np

from exdd_core import files
from exdd_core.curation.judge import Judge, require_bank
from exdd_core.curation.measures import GREEN, RED, Quality
from exdd_core.progress import Progress
from exdd_core.sentences import count
from exdd_core.studio import batch, ordering
from exdd_core.workspace import candidates, prompts

if TYPE_CHECKING:
    from exdd_core.synthesis.orders import Order, Recipe
    from exdd_core.workspace import Workspace

ROUND = 8  # paintings between two measurements
PATIENCE = 24  # paintings in a row without a useful one that end a search; at least two of every arm
STREAM = 4  # of random numbers: `ordering` draws from others


class Arm(TypedDict):
    """One combination. tried: its paintings, also failed ones. interval: of the share that is of use, 95 %, 0 to 1;
    None where nothing was tried."""

    words: str
    tried: int
    useful: int
    interval: tuple[float, float] | None


class Searched(batch.Painted):
    """What a search made. arms: the best first. stopped: why it ended before the last painting, or ""."""

    arms: list[Arm]
    stopped: str


class _Step(NamedTuple):
    """One painting. useful: None where it was not measured yet."""

    arm: int
    useful: bool | None = None
    reason: str = ""


def search(workspace: Workspace, order: Order, progress: Progress, job_id: str, state: Path) -> Searched:
    """Paint `order.count` candidates at most, and more of the arms whose paintings are of use.

    state: a file, from which a search that was interrupted goes on. Raises `BadInput` where the order has no arms,
    where no active bank version of its data set can measure paintings, and where no painting succeeds.
    """
    arms = arms_of(workspace, order)
    judge = Judge(workspace)
    judge.prepare(order.dataset)
    steps = _read(state)
    patience = max(PATIENCE, 2 * len(arms))
    progress.begin(batch.PAINTING, order.count, sum(step.useful is not None for step in steps))
    while True:
        waiting = [number for number, step in enumerate(steps) if step.useful is None]
        if not waiting:
            if len(steps) >= order.count or _is_in_vain(steps, patience):
                break
            more = range(len(steps), min(order.count, len(steps) + ROUND))
            steps += [_Step(choose(_counts(steps, len(arms)), order.seed, number)) for number in more]
            _write(state, steps)
            continue
        _paint(workspace, order, arms, steps, waiting, progress, job_id)
        _measure(workspace, judge, steps, waiting, job_id)
        _write(state, steps)
    failures = [step.reason for step in steps if step.reason]
    made = batch.summary(workspace, job_id, len(steps), failures)
    stopped = ""
    if len(steps) < order.count:
        of = count(order.count, "painting")
        stopped = f"Stopped after {len(steps)} of {of}: none of the last {patience} was useful."
    return {**made, "ordered": order.count, "arms": _told(arms, steps), "stopped": stopped}


def arms_of(workspace: Workspace, order: Order) -> list[Order]:
    """What the search of an order chooses from. Raises `BadInput` for what `search` does."""
    require_bank(workspace, order.dataset)
    return ordering.arms(workspace, order)


def choose(counts: np.ndarray, seed: int, number: int) -> int:
    """The arm of a search's painting `number`. counts: int (arms, 2), of useful and of other paintings so far."""
    chance = np.random.default_rng([seed, STREAM, number])
    return int(chance.beta(1 + counts[:, 0], 1 + counts[:, 1]).argmax())


def is_useful(found: Quality) -> bool:
    """Whether a painting is visible, not unlike real defects where any are known, and new to the positive bank."""
    return RED not in (found.visible.light, found.plausible.light) and found.new.light == GREEN


def _counts(steps: Sequence[_Step], arms: int) -> np.ndarray:
    counts = np.zeros((arms, 2), int)
    for step in steps:
        if step.useful is not None:
            counts[step.arm, 0 if step.useful else 1] += 1
    return counts


def _is_in_vain(steps: Sequence[_Step], patience: int) -> bool:
    return len(steps) >= patience and not any(step.useful for step in steps[-patience:])


def _paint(
    workspace: Workspace,
    order: Order,
    arms: Sequence[Order],
    steps: list[_Step],
    waiting: Sequence[int],
    progress: Progress,
    job_id: str,
) -> None:
    """Paint what waits and was not painted before an interruption; arm by arm, since engines load models."""
    there = candidates.numbers(workspace, job_id)
    recipes = [
        _recipe(workspace, order, arms[steps[number].arm], number)
        for number in sorted(waiting, key=lambda number: steps[number].arm)
        if number not in there
    ]
    done = len(steps) - len(recipes)
    for _ in range(len(waiting) - len(recipes)):
        progress.advance()
    for recipe, reason in batch.painted(workspace, recipes, done, order.count, progress, job_id):
        if reason:
            steps[recipe.number] = _Step(steps[recipe.number].arm, False, reason)
        progress.advance()


def _recipe(workspace: Workspace, order: Order, arm: Order, number: int) -> Recipe:
    sources = order.sources[number % len(order.sources) :][:1] if order.sources else []
    one = replace(arm, sources=sources, seed=order.seed + number)
    template = ordering.template_of(order, arm)
    return replace(ordering.recipes(workspace, one)[0], number=number, template=template)


def _measure(
    workspace: Workspace, judge: Judge, steps: list[_Step], waiting: Sequence[int], job_id: str
) -> None:
    """Measure the paintings that wait for it. One that nearly repeats an earlier one of the search is of no use."""
    made = {c.number: c.id for c in candidates.listed(workspace, job=job_id) if c.number is not None}
    repeated = judge.repeats([made[number] for number in sorted(made)])
    for number in waiting:
        if steps[number].useful is None:
            id = made.get(number)  # None: somebody deleted it
            useful = id is not None and id not in repeated and is_useful(judge.quality(id, effect=False))
            steps[number] = _Step(steps[number].arm, useful)


def _told(arms: Sequence[Order], steps: Sequence[_Step]) -> list[Arm]:
    """The arms, those first whose share of useful paintings is surely the largest."""
    told: list[Arm] = [
        {
            "words": _words(arms, arm),
            "tried": int(useful + other),
            "useful": int(useful),
            "interval": prompts.rate_interval(int(useful), int(useful + other)),
        }
        for arm, (useful, other) in zip(arms, _counts(steps, len(arms)), strict=True)
    ]
    return sorted(told, key=lambda arm: -(arm["interval"] or (-1, 0))[0])


def _words(arms: Sequence[Order], arm: Order) -> str:
    """What tells an arm from the others."""
    told = [
        (name, getattr(arm, name))
        for name in ("template", "negative_prompt", "engine")
        if any(getattr(other, name) != getattr(arm, name) for other in arms)
    ]
    masks = [_shape_of(other.mask) for other in arms]
    told += [("mask", _shape_of(arm.mask))] if len(set(masks)) > 1 else []
    names = dict.fromkeys(name for other in arms for name in other.settings)
    told += [
        (name.replace("_", " "), arm.settings.get(name, "as usual"))
        for name in names
        if any(other.settings.get(name) != arm.settings.get(name) for other in arms)
    ]
    return ", ".join(f'"{value}"' if name == "template" else f"{name} {value}" for name, value in told)


def _shape_of(mask: Mapping[str, object]) -> str:
    """The shape of an arm's masks."""
    return str(
        mask.get("shape", "scratch") if mask.get("source") == "generated" else mask.get("source", "drawn")
    )


def _read(state: Path) -> list[_Step]:
    if not state.exists():
        return []
    return [_Step(int(arm), useful, str(reason)) for arm, useful, reason in json.loads(state.read_text())]


def _write(state: Path, steps: Sequence[_Step]) -> None:
    with files.whole(state) as unfinished:
        unfinished.write_text(json.dumps(steps))
