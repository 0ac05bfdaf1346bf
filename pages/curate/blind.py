"""Answers the Curate page's script on the blind test. Before an answer, a crop is pixels and a number, nothing else.

Knows tests. Does not know how crops are chosen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core import studio
from exdd_core.curation import blind
from exdd_core.errors import BadInput
from exdd_core.sentences import count
from pages.curate import questions
from pages.curate.state import Curate
from pages.html import Answer
from pages.pictures import png_url

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace


def blind_tests(shared: Curate, asked: questions.Person) -> Answer:
    """The tests that are over, the newest first, and how far this person is with one."""
    dataset = shared.workspace.dataset().name
    mine = blind.going_on(shared.workspace, dataset, asked.who)
    over = [test for test in blind.listed(shared.workspace, dataset) if test.ended]
    return {
        "most": 2 * blind.PAIRS,
        "kept": blind.KEPT,
        "mine": [mine.answered, len(mine.shown)] if mine else None,
        "over": [_result(shared.workspace, test) for test in over],
    }


def begin_blind(shared: Curate, asked: questions.Person) -> Answer:
    """Begin a test, or go on with one's own."""
    dataset = shared.workspace.dataset().name
    return _standing(shared.workspace, dataset, blind.begin(shared.workspace, dataset, asked.who))


def answer_blind(shared: Curate, asked: questions.Blind) -> Answer:
    """Record an answer; the next crop, or the result."""
    dataset = shared.workspace.dataset().name
    test = _mine(shared.workspace, dataset, asked.who)
    test = blind.answer(shared.workspace, dataset, test, asked.number, asked.said)
    return _standing(shared.workspace, dataset, test)


def end_blind(shared: Curate, asked: questions.Person) -> Answer:
    """End one's own test before its last crop."""
    dataset = shared.workspace.dataset().name
    blind.end(shared.workspace, dataset, _mine(shared.workspace, dataset, asked.who))
    return {}


def delete_blind(shared: Curate, asked: questions.Test) -> Answer:
    """Delete a test that is over; `restore_blind` brings it back."""
    blind.delete(shared.workspace, shared.workspace.dataset().name, asked.id)
    return {}


def restore_blind(shared: Curate, asked: questions.Test) -> Answer:
    blind.delete(shared.workspace, shared.workspace.dataset().name, asked.id, restored=True)
    return {}


def _mine(workspace: Workspace, dataset: str, who: str) -> blind.BlindTest:
    if found := blind.going_on(workspace, dataset, who):
        return found
    raise BadInput("This test is over; start another one.")


def _standing(workspace: Workspace, dataset: str, test: blind.BlindTest) -> Answer:
    test, crop = blind.standing(workspace, dataset, test)
    if crop is None:
        return {"result": _result(workspace, test)}
    return {"number": test.answered, "total": len(test.shown), "picture": png_url(crop)}


def _result(workspace: Workspace, test: blind.BlindTest) -> Answer:
    lines = [_line(workspace, outcome) for outcome in blind.outcomes(test)]
    if test.lost:
        lines.append({"name": "Left out", "said": f"{count(test.lost, 'picture')}, whose files are missing"})
    return {"id": test.id, "who": test.who, "ended": test.ended, "lines": lines}


def _line(workspace: Workspace, outcome: blind.Outcome) -> Answer:
    kind = outcome.defect_type or "no type"
    name = f"{studio.engine(workspace, outcome.engine).TITLE}, {kind}" if outcome.engine else "All"
    return {"name": name, "said": outcome.sentence}
