"""What the functions of the API share: the workspace, who decides, and errors as one sentence of JSON.

Knows FastAPI. Does not know any address.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import Depends, params
from fastapi.exceptions import RequestValidationError
from fastapi.requests import Request
from fastapi.responses import JSONResponse, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from exdd_core.errors import BadInput
from exdd_core.spec import LONGEST, NO_NULLS
from exdd_core.workspace.failures import sentence_of

if TYPE_CHECKING:
    from exdd_core.curation.judge import Judge
    from exdd_core.review import Review
    from exdd_core.workspace import Workspace


@dataclass(frozen=True)
class Served:
    """What one application serves. person, allowed: as `application.create` takes them."""

    workspace: Workspace
    person: Callable[[str], str]
    allowed: Callable[[str], str]

    @cached_property
    def review(self) -> Review:
        from exdd_core.review import Review

        return Review(self.workspace)

    @cached_property
    def judge(self) -> Judge:
        from exdd_core.curation.judge import Judge

        return Judge(self.workspace)


def _served(request: Request) -> Served:
    found = request.app.state.served
    assert isinstance(found, Served)
    return found


Here = Annotated[Served, Depends(_served)]


class Refusal(BaseModel):
    """Why a call was refused. detail: the reason in one sentence."""

    detail: str = Field(examples=["There is no bank version yet; build one first."])


class Sentences(APIRoute):
    """A route whose errors are a `Refusal`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answer(request: Request) -> Response:
            try:
                await self._require_known(request)
                return await handle(request)
            except HTTPException as error:  # Starlette's, of a form that is no proper one
                return refused(error.status_code, f"{error.detail.rstrip('.')}.")
            except RequestValidationError as error:
                first = error.errors()[0]
                name = ".".join(str(part) for part in first["loc"][1:]) or "body"
                return refused(422, what_is_wrong(first, name))
            except Exception as error:
                return refused(400 if isinstance(error, BadInput) else 500, sentence_of(error))

        return answer

    async def _require_known(self, request: Request) -> None:
        """Refuse parameters that the call does not have: a misspelt `bank` would mean the active version."""
        taken, form = self.dependant.query_params, self.dependant.body_params
        require_known(request.query_params, [one.alias for one in taken], " in its address")
        if any(isinstance(one.field_info, params.Form) for one in form):
            require_known(await request.form(), [one.alias for one in form], " in its form")


def require_known(given: Iterable[str], names: Sequence[str], where: str = "") -> None:
    """Raise `BadInput` for a parameter that is none of `names`. where: they stand, such as " in its form"."""
    if unknown := sorted(set(given) - set(names)):
        raise BadInput(
            f'This call has no parameter "{unknown[0][:LONGEST]}"{where}; it takes {", ".join(names) or "nothing"}.'
        )


def refused(status: int, sentence: str) -> JSONResponse:
    """A `Refusal` with a status of HTTP."""
    return JSONResponse(Refusal(detail=sentence).model_dump(), status)


def what_is_wrong(first: Mapping[str, Any], name: str) -> str:
    """A sentence on the first error of pydantic in a call. name: of the field or the parameter."""
    own, name = first.get("ctx", {}).get("error"), name[:LONGEST]
    if isinstance(own, BadInput):  # raised by one of our models
        return str(own)
    if first["type"] == "missing":
        return f'This call needs "{name}".'
    if first["type"] == "value_error":  # FastAPI's, of a text in place of a file
        return f'"{name}" is not valid; send a file.'
    if first["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f'"{name}" is not valid; send an object with its fields.'
    if first["type"] == "string_pattern_mismatch":
        return f'"{name}" is not valid; send {NO_NULLS}.'
    return f'"{name}" is not valid: {first["msg"]}.'
