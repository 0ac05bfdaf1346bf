"""Calls of the API as named endpoints of Gradio, for programs that use gradio_client.

Each is the API's own function with its model, its role and its sentence where it fails. Files come as uploads, and the
answer is what the API answers in JSON. Knows Gradio. Does not know what a call does.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import gradio as gr
from pydantic import BaseModel

from exdd_core import api
from exdd_core.errors import BadInput
from pages.answers import explained
from pages.calls import Call, bare, is_file
from pages.guard.uploads import uploaded

LEFT_OUT = ("map", "description")  # what they answer is no value


def render(here: api.Served) -> None:
    """Add the endpoints to the page under construction; each is named as its function."""
    for route in api.endpoints():
        if route.name not in LEFT_OUT:
            gr.api(_named(route.endpoint, here), api_name=route.name, api_description=route.description)


def _named(function: Callable[..., Any], here: api.Served) -> Callable[..., Any]:
    """A function of the API with the workspace given, files as uploads, models as objects, and errors as Gradio's."""
    asked = Call(function)
    names = [one.name for one in asked.parameters]

    @functools.wraps(function)
    def call(*values: Any) -> Any:
        try:
            return asked.ask(here, dict(zip(names, values, strict=True)), _file)
        except Exception as error:
            raise gr.Error(explained(error), print_exception=False) from None

    del call.__wrapped__  # else Gradio would read the signature of the API
    plain = [one.replace(annotation=_plain(one.annotation)) for one in asked.parameters]
    call.__signature__ = inspect.Signature(plain, return_annotation=dict)  # type: ignore[attr-defined]
    call.__annotations__ = {one.name: one.annotation for one in plain} | {"return": dict}
    return call


def _plain(hint: object) -> object:
    """A type that Gradio describes, in place of a model or an upload."""
    known = bare(hint)
    if is_file(known):
        return list[dict] if typing.get_origin(known) is list else dict
    return dict if inspect.isclass(known) and issubclass(known, BaseModel) else known


def _file(value: Any, opened: ExitStack) -> tuple[BinaryIO, str]:
    """A file that a client has uploaded."""
    if not isinstance(value, dict):
        raise BadInput("Send a file as gradio_client's handle_file returns it.")
    file = uploaded(value.get("path"))
    name = str(value.get("orig_name") or file.name)
    return opened.enter_context(file.open("rb")), Path(name).name
