"""Which function of a page a call runs, and whether a role may run it.

The guard asks before Gradio runs anything, so hiding a button is never what protects. Does not know who is asking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pages.guard.checks import Refused
from pages.guard.doors import ROLES, Role

if TYPE_CHECKING:
    import gradio as gr


def may(own: Role | None, wanted: Role) -> bool:
    """Whether somebody with a role of their `own` may do what asks for the `wanted` one."""
    return own is not None and ROLES.index(own) >= ROLES.index(wanted)


def server_function(blocks: gr.Blocks, call: Mapping[str, Any]) -> object:
    """The function that a script's call names. Refuses one that is not there."""
    block = blocks.blocks.get(call["component_id"])
    found = getattr(block, call["fn_name"], None) if block is not None else None
    if not getattr(found, "_is_server_fn", False):
        raise Refused(404, "There is no such function; reload the page.")
    return found


def event_function(blocks: gr.Blocks, call: Mapping[str, Any]) -> object:
    """The function behind an event of a page. Refuses one that is not there."""
    found = blocks.fns.get(call["fn_index"])
    if found is None:
        raise Refused(404, "There is no such event; reload the page.")
    return found.fn
