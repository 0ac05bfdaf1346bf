"""Calls of the API as named endpoints of Gradio, for programs that use gradio_client.

Each is the API's own function with its model, its role and its sentence where it fails. Files come as uploads, and the
answer is what the API answers in JSON. Knows signatures. Does not know what a call does.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gradio as gr
from fastapi import UploadFile
from fastapi.encoders import jsonable_encoder
from pydantic import BaseModel, TypeAdapter, ValidationError

from exdd_core import api
from exdd_core.errors import BadInput
from pages.answers import explained
from pages.guard.uploads import uploaded

LEFT_OUT = ("map", "description")  # what they answer is no value


def render(here: api.Served) -> None:
    """Add the endpoints to the page under construction; each is named as its function."""
    for route in api.endpoints():
        if route.name not in LEFT_OUT:
            gr.api(_named(route.endpoint, here), api_name=route.name, api_description=route.description)


def _named(function: Callable[..., Any], here: api.Served) -> Callable[..., Any]:
    """A function of the API with the workspace given, files as uploads, models as objects, and errors as Gradio's."""
    hints = typing.get_type_hints(function, include_extras=True)
    asked = [one for one in inspect.signature(function).parameters.values() if one.name != "here"]
    reads = {one.name: TypeAdapter(hints[one.name]) for one in asked if not _is_file(hints[one.name])}

    @functools.wraps(function)
    def call(*values: Any) -> Any:
        given = dict(zip((one.name for one in asked), values, strict=True))
        try:
            with ExitStack() as opened:
                read = {
                    name: _read(name, reads[name], value)
                    if name in reads
                    else _files(_bare(hints[name]), value, opened)
                    for name, value in given.items()
                }
                return jsonable_encoder(function(here, **read))
        except Exception as error:
            raise gr.Error(explained(error), print_exception=False) from None

    del call.__wrapped__  # else Gradio would read the signature of the API
    plain = [one.replace(annotation=_plain(hints[one.name])) for one in asked]
    call.__signature__ = inspect.Signature(plain, return_annotation=dict)  # type: ignore[attr-defined]
    call.__annotations__ = {one.name: one.annotation for one in plain} | {"return": dict}
    return call


def _read(name: str, reader: TypeAdapter[Any], value: Any) -> Any:
    try:
        return reader.validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        raise BadInput(api.what_is_wrong(first, ".".join(map(str, first["loc"])) or name)) from None


def _is_file(hint: object) -> bool:
    return "UploadFile" in str(hint)


def _plain(hint: object) -> object:
    """A type that Gradio describes, in place of a model or an upload."""
    bare = _bare(hint)
    if _is_file(bare):
        return list[dict] if typing.get_origin(bare) is list else dict
    return dict if inspect.isclass(bare) and issubclass(bare, BaseModel) else bare


def _bare(hint: object) -> object:
    return typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint


def _files(wanted: object, value: Any, opened: ExitStack) -> UploadFile | list[UploadFile] | None:
    """The files that a client has uploaded, as the API takes them. wanted: the type of one, several, or one or None."""
    if typing.get_origin(wanted) is list:
        return [_file(one, opened) for one in (value if isinstance(value, list) and value else [value])]
    if value is None and type(None) in typing.get_args(wanted):
        return None
    return _file(value, opened)


def _file(value: Any, opened: ExitStack) -> UploadFile:
    if not isinstance(value, dict):
        raise BadInput("A file comes as gradio_client's handle_file gives it.")
    file = uploaded(value.get("path"))
    name = str(value.get("orig_name") or file.name)
    return UploadFile(opened.enter_context(file.open("rb")), filename=Path(name).name)
