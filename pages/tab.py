"""Lets each event of Gradio work on the data set of the browser's tab that it comes from (assets/frame.js names it).

Knows a header and Gradio's events. Does not know what they do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import gradio as gr

from exdd_core.workspace import context
from pages.guard.visitors import header_of_request

HEADER = "x-exdd-dataset"


def keep_data_sets_apart(app: gr.Blocks) -> None:
    """Call once every event is connected."""
    for event in app.fns.values():
        if event.fn is not None:
            event.fn = _of_its_tab(event.fn)


def _of_its_tab(handler: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(handler)
    def run(*values: Any) -> Any:
        with context.working_on(unquote(header_of_request(HEADER))):
            return handler(*values)

    return run
