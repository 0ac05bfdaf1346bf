"""Puts the Evaluate page on the app: its template, its script and the functions that the script calls.

The page itself (assets/evaluate) runs in the browser. Every number on it is a stored run's or follows from its
scores. Knows the functions. Does not know what they return.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pages import answers
from pages.evaluate.listing import listed, open_page
from pages.evaluate.making import figure, look, report, stop
from pages.evaluate.measuring import again, cancel, start, without, work
from pages.evaluate.one_run import compare, delete, rename, restore, run, use_threshold
from pages.evaluate.state import Evaluate

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

TITLE = "Evaluate"
PATH = "/evaluate"
TEMPLATE = (Path(__file__).resolve().parents[2] / "assets" / "evaluate.html").read_text("utf-8")


def render(workspace: Workspace) -> None:
    """Build the page's content between header and footer."""
    shared = Evaluate(workspace)
    functions: list[answers.Answerer] = [
        open_page,
        listed,
        run,
        compare,
        delete,
        rename,
        restore,
        use_threshold,
        start,
        again,
        without,
        work,
        cancel,
        figure,
        report,
        look,
        stop,
    ]
    answers.markup(
        "",
        html_template=TEMPLATE,
        js_on_load="exdd.evaluate(element, server)",
        server_functions=[answers.answering(function, shared) for function in functions],
        elem_id="evaluate",
    )
