"""Answers the Studio page's script on the prompt library.

Knows prompts. Does not know masks or results.
"""

from __future__ import annotations

import base64
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from exdd_core import files
from exdd_core.errors import BadInput
from exdd_core.synthesis import templates, vocabulary
from exdd_core.synthesis.engines import LENDING
from exdd_core.workspace import prompts
from exdd_core.workspace.prompts import Prompt
from pages.guard.uploads import uploaded
from pages.html import Answer
from pages.questions import One, Question
from pages.studio import questions
from pages.studio.results import words_of
from pages.studio.state import EXAMPLES, Studio

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

LARGEST_LIBRARY = 8 << 20  # bytes of a prompt library to import


@dataclass(frozen=True)
class Expanded:
    """The prompts of a template. each: whether they are all of them. total: images of a batch. problem: why not all."""

    prompts: list[str]
    each: bool
    total: int
    problem: str = ""


def expand(shared: Studio, asked: questions.Expand) -> Answer:
    """The prompts of a template: all of them if they are few, else some drawn at random."""
    return asdict(expanded(asked.prompt, asked.count, asked.seed, asked.engine))


def expanded(template: str, count: int, seed: int, engine: str) -> Expanded:
    """The prompts of a template, of which `count` images each, or in all, would be painted."""
    count = max(1, count)
    if not template.strip() and engine in LENDING:
        return Expanded([""], True, count)
    try:
        found = templates.every(template)
    except BadInput as error:
        return Expanded(templates.expand(template, EXAMPLES, seed), False, count, str(error))
    return Expanded(found, True, count * len(found))


def words(shared: Studio, asked: Question) -> Answer:
    """The words that the procedural engine knows, by kind."""
    rows = [
        {"words": list(word.words), "kind": word.kind, "effect": word.effect} for word in vocabulary.WORDS
    ]
    return {"rows": rows}


def _prompts(workspace: Workspace) -> list[Answer]:
    return [asdict(prompt) for prompt in prompts.library(workspace)]


def _prompt(asked: questions.Saved) -> Prompt:
    return Prompt(**asked.model_dump(exclude={"changed", "dataset"}))


def save_prompt(shared: Studio, asked: questions.Saved) -> Answer:
    """Save a new prompt (without id), change one, or restore a deleted one."""
    saved = prompts.save(shared.workspace, _prompt(asked))
    return {"saved": saved.id, "prompts": _prompts(shared.workspace)}


def delete_prompt(shared: Studio, asked: One) -> Answer:
    gone = prompts.delete(shared.workspace, asked.id)
    return {"deleted": asdict(gone), "prompts": _prompts(shared.workspace)}


def scoreboard(shared: Studio, asked: Question) -> Answer:
    """Every prompt with its results, the best first."""
    found = prompts.scoreboard(shared.workspace)
    return {"rows": [asdict(score) for score in found]}


def differences(shared: Studio, asked: questions.Two) -> Answer:
    a, b = (prompts.get(shared.workspace, id) for id in (asked.a, asked.b))
    rows = [
        {"field": name, "a": _told(left), "b": _told(right)}
        for name, left, right in prompts.differences(a, b)
    ]
    return {"names": [a.name, b.name], "rows": rows}


def _told(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(value)
    return "as the engine's default" if value is None else words_of(value)


def export_prompts(shared: Studio, asked: questions.Several) -> Answer:
    """Write the chosen prompts, or all of them, to a file for download."""
    chosen = [
        prompt for prompt in prompts.library(shared.workspace) if not asked.ids or prompt.id in asked.ids
    ]
    content = base64.b64encode(prompts.export_json(chosen).encode()).decode()
    return {"download": {"address": f"data:application/json;base64,{content}", "name": "prompts.json"}}


def import_prompts(shared: Studio, asked: questions.File) -> Answer:
    try:
        content = files.read_regular(uploaded(asked.path), "This file", LARGEST_LIBRARY).decode()
    except (OSError, UnicodeDecodeError):
        raise BadInput(
            "This file is not valid JSON; choose one that was exported from a prompt library."
        ) from None
    made = prompts.import_json(shared.workspace, content)
    return {"imported": asdict(made), "prompts": _prompts(shared.workspace)}


def undo_import(shared: Studio, asked: questions.UndoImport) -> Answer:
    made = asked.imported
    before, after = ([Prompt(**prompt.model_dump()) for prompt in side] for side in (made.before, made.after))
    prompts.undo_import(shared.workspace, prompts.Imported(made.added, made.replaced, before, after))
    return {"prompts": _prompts(shared.workspace)}
