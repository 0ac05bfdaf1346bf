"""Which function of a page or of the API a call runs, and whether a role may run it.

The guard asks before Gradio runs anything, so hiding a button is never what protects. Does not know who is asking.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from exdd_core import api
from pages.guard import rights
from pages.guard.checks import Refused
from pages.guard.doors import ROLES, Role

if TYPE_CHECKING:
    import gradio as gr


def may(own: Role | None, wanted: Role) -> bool:
    """Whether somebody with a role of their `own` may do what asks for the `wanted` one."""
    return own is not None and ROLES.index(own) >= ROLES.index(wanted)


def refusal(own: Role | None, wanted: Role) -> str:
    """A sentence for a visitor whose role does not suffice; "" for one whose does."""
    if may(own, wanted):
        return ""
    return f"This needs the role {wanted}; yours is {own}. Ask the administrator of the workbench."


def of_message(message: Mapping[str, Any]) -> Role:
    """The role that a message of MCP asks for: that of the tool that it calls."""
    asked = message.get("params")
    if message.get("method") != "tools/call" or not isinstance(asked, dict):
        return "viewer"
    return next(
        (rights.role_of(one.endpoint) for one in api.endpoints() if one.name == asked.get("name")), "viewer"
    )


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
