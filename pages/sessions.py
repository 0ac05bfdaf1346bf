"""Keeps Gradio's sessions small. Every page that somebody opens is one, and Gradio keeps the last of them.

Knows what Gradio remembers of a session. Does not know pages.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from gradio import state_holder
from gradio.blocks import Blocks
from gradio.components import Dropdown
from gradio.exceptions import Error

GradioSession = state_holder.SessionState
of_dropdown = Dropdown.preprocess
FORGOTTEN = "This page was opened so long ago that its lists of choices are gone; reload it."


class Session(GradioSession):
    """A session without the configuration of every component, half a megabyte that takes 20 ms: Gradio's links to a
    copy of a session, which no page of ours offers, are all that reads it."""

    def __init__(self, blocks: Blocks):
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks={}))  # type: ignore[arg-type]

    def _update_config(self, key: int) -> None:
        """Note nothing."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Note nothing."""


def keep_small() -> None:
    """Have Gradio make sessions of this kind from now on, and say plainly when it has forgotten one."""
    state_holder.SessionState = Session  # type: ignore[misc]
    Dropdown.preprocess = _chosen  # type: ignore[assignment, method-assign]


def _chosen(dropdown: Dropdown, payload: Any) -> Any:
    """A choice of a list. A forgotten session had the choices, so that Gradio knows none of them any more."""
    try:
        return of_dropdown(dropdown, payload)
    except Error:
        raise Error(FORGOTTEN, print_exception=False) from None
