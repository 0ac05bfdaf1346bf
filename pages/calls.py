"""Functions of the API as calls with values of JSON: what each takes, how that is read, and what it answers.

`programs` offers them to gradio_client and `mcp` as tools. Knows signatures. Does not know what a function does, who
asks, or how a file comes.
"""

from __future__ import annotations

import inspect
import json
import typing
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import cached_property
from typing import Any, BinaryIO

from fastapi import UploadFile
from fastapi.encoders import jsonable_encoder
from fastapi.responses import Response
from pydantic import TypeAdapter, ValidationError

from exdd_core import api
from exdd_core.errors import BadInput

# Opens the value that a program gave as a file: the file, and its name.
File = Callable[[Any, ExitStack], tuple[BinaryIO, str]]
MOST_FILES = 1000  # as many as FastAPI takes of a form


class Call:
    """A function of the API. parameters: what it takes besides the workspace."""

    def __init__(self, function: Callable[..., Any]):
        self.function = function
        hints = typing.get_type_hints(function, include_extras=True)
        taken = [one for one in inspect.signature(function).parameters.values() if one.name != "here"]
        self.parameters = [one.replace(annotation=hints[one.name]) for one in taken]

    @cached_property
    def _readers(self) -> dict[str, TypeAdapter[Any]]:
        return {
            one.name: TypeAdapter(one.annotation) for one in self.parameters if not is_file(one.annotation)
        }

    def ask(self, here: api.Served, given: Mapping[str, Any], file: File) -> Any:
        """What the function answers, in JSON, or a `Response` that has no JSON.

        given: values by name. Raises BadInput for what does not fit, and where the function refuses.
        """
        api.require_known(given, [one.name for one in self.parameters])
        with ExitStack() as opened:
            read = {}
            for one in self.parameters:
                if one.name in given:
                    read[one.name] = self._read(one, given[one.name], file, opened)
                elif one.default is inspect.Parameter.empty:
                    raise BadInput(f'This call needs "{one.name}"; send it.')
            answer = self.function(here, **read)
        if isinstance(answer, Response) and answer.status_code >= 400:
            refused = json.loads(bytes(answer.body))
            raise BadInput(" ".join([refused["detail"], *refused.get("lines", ())]))
        return answer if isinstance(answer, Response) else jsonable_encoder(answer)

    def _read(self, one: inspect.Parameter, value: Any, file: File, opened: ExitStack) -> Any:
        if is_file(one.annotation):
            return _files(bare(one.annotation), value, lambda given: _upload(*file(given, opened)))
        try:
            return self._readers[one.name].validate_python(value)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"])) or one.name
            raise BadInput(api.what_is_wrong(first, name)) from None


def is_file(hint: object) -> bool:
    """Whether a parameter of this type takes files."""
    return "UploadFile" in str(hint)


def bare(hint: object) -> object:
    """A type without what FastAPI is told of it."""
    return typing.get_args(hint)[0] if typing.get_origin(hint) is typing.Annotated else hint


def _files(
    wanted: object, value: Any, upload: Callable[[Any], UploadFile]
) -> UploadFile | list[UploadFile] | None:
    """Files as the API takes them. wanted: the type of one, several, or one or None."""
    if typing.get_origin(wanted) is list:
        several = value if isinstance(value, list) else [value]
        if not several:
            raise BadInput("This call needs a file; send at least one.")
        if len(several) > MOST_FILES:
            raise BadInput(f"A call takes at most {MOST_FILES:,} files; send the rest in another call.")
        return [upload(one) for one in several]
    if value is None and type(None) in typing.get_args(wanted):
        return None
    return upload(value)


def _upload(content: BinaryIO, name: str) -> UploadFile:
    return UploadFile(content, filename=name)
