"""The strip below every page's header: what is worth doing next.

Knows the facts of the review. Does not know what is worth doing, nor which kinds a browser has dismissed.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from exdd_core import jobs
from exdd_core.review.facts import Gatherer
from exdd_core.review.next_steps import Step, next_steps as steps_of
from exdd_core.workspace import unfitted
from pages.answers import answering, markup
from pages.html import Answer
from pages.questions import Question

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

HTML = (Path(__file__).resolve().parent.parent / "assets" / "next.html").read_text("utf-8")
# What a job is doing already needs no button: the kinds of steps, the kinds of jobs, and what is said instead.
UNDER_WAY = (
    (("import",), ("import", "demo"), "Images are on their way; Jobs shows how far they are."),
    (
        ("build", "mismatch", "rebuild"),
        ("build", "demo"),
        "A bank version is being built; Jobs shows how far it is.",
    ),
)


def render(workspace: Workspace) -> None:
    """The strip. Its row has a fixed height, so that nothing moves when it is filled."""
    with gr.Row(elem_classes="next-slot"):
        markup(
            HTML,
            js_on_load="exdd.next(element, server)",
            server_functions=[answering(next_steps, Gatherer(workspace))],
        )


def next_steps(gatherer: Gatherer, asked: Question) -> Answer:
    """All that is worth doing, the most urgent first. soon: whether it may change by itself, as a bank is updated."""
    # Counted before the facts are read: where an update ends in between, the page asks once more.
    soon = unfitted.count(gatherer.workspace) > 0
    steps = steps_of(gatherer.facts())
    for kinds, making, said in UNDER_WAY:
        if any(step.kind in kinds for step in steps) and _is_coming(gatherer.workspace, making):
            steps = [Step("coming", said, "", ""), *(step for step in steps if step.kind not in kinds)]
    return {"steps": [asdict(step) for step in steps], "soon": soon}


def _is_coming(workspace: Workspace, kinds: tuple[str, ...]) -> bool:
    """Whether jobs of these kinds are about to make a data set or a bank version."""
    made = workspace.datasets() if "import" in kinds else workspace.banks()
    return bool(jobs.coming(workspace, kinds, [one.created for one in made]))
