"""Lets each event of Gradio work on the data set of the browser's tab that it comes from (assets/frame.js names it), or
on the active one where the tab has none yet.

Knows a header and Gradio's events. Does not know what they do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import gradio as gr

from exdd_core.workspace import Workspace, context
from pages.guard.visitors import header_of_request

HEADER = "x-exdd-dataset"


def keep_data_sets_apart(app: gr.Blocks, workspace: Workspace) -> None:
    """Call once every event is connected."""
    for event in app.fns.values():
        if event.fn is not None:
            event.fn = _of_its_tab(event.fn, workspace)


def _of_its_tab(handler: Callable[..., Any], workspace: Workspace) -> Callable[..., Any]:
    @functools.wraps(handler)
    def run(*values: Any) -> Any:
        named = unquote(header_of_request(HEADER))
        with workspace.keeping_open(), context.working_on(named or workspace.active_name() or ""):
            return handler(*values)

    return run
