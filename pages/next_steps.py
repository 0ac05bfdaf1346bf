"""The strip below every page's header: what is worth doing next.

Knows the facts of the review. Does not know what is worth doing, nor which kinds a browser has dismissed.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from exdd_core.review.facts import Gatherer
from exdd_core.review.next_steps import next_steps as steps_of
from exdd_core.workspace import unfitted
from pages.answers import answering, markup
from pages.html import Answer
from pages.questions import Question

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

HTML = (Path(__file__).resolve().parent.parent / "assets" / "next.html").read_text("utf-8")


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
    return {"steps": [asdict(step) for step in steps_of(gatherer.facts())], "soon": soon}
