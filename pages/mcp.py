"""Calls of the API as tools of MCP, by streamable HTTP at /mcp, where `serve --mcp` asks for them.

Each is the API's own function with its model and its sentence where it fails; a visitor sees and calls the tools of
the own role. Files come in base64. Needs the package mcp. Knows its server. Does not know what a call does.
"""

from __future__ import annotations

import base64
import io
import json
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO

from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, create_model
from starlette.concurrency import run_in_threadpool
from starlette.routing import Route

from exdd_core import __version__, api, extras
from exdd_core.errors import BadInput
from exdd_core.spec import Json
from pages.answers import explained
from pages.calls import Call, is_file
from pages.guard import checks, rights, roles
from pages.guard.visitors import resume, visitor_of_request

if TYPE_CHECKING:
    from mcp import types
    from mcp.server import ServerRequestContext

LEFT_OUT = ("description",)  # clients of MCP ask for the list of tools
SAID = "Surface inspection: score images, see where defects are, mark what is wrong, paint defects, build versions."


class Given(BaseModel):
    """A file. name: of it, with its suffix. data: its content in base64."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=1000)] = "image"
    data: Annotated[str, Field(json_schema_extra={"format": "base64"})]


class Tools:
    """The tools of a workspace. Raises BadInput where the package mcp is not installed."""

    def __init__(self, here: api.Served):
        extras.MCP.require()
        from mcp.server import Server
        from mcp.server.streamable_http_manager import StreamableHTTPASGIApp, StreamableHTTPSessionManager

        self._here = here
        self._routes = {one.name: one for one in api.endpoints() if one.name not in LEFT_OUT}
        self._calls = {name: Call(one.endpoint) for name, one in self._routes.items()}
        served: Server[Any] = Server(
            "exdd-workbench",
            version=__version__,
            instructions=SAID,
            on_list_tools=self._list,
            on_call_tool=self._call,
        )
        # No sessions: a key that ends, ends at once, and nothing is kept of who came.
        self._manager = StreamableHTTPSessionManager(
            served, json_response=True, stateless=True, max_request_body_size=checks.LARGEST_CALL
        )
        self.route = Route(checks.MCP, StreamableHTTPASGIApp(self._manager), methods=["POST"])

    def running(self) -> AbstractAsyncContextManager[None]:
        """While it lasts the tools answer."""
        return self._manager.run()

    async def _list(self, context: ServerRequestContext[Any], _: object) -> types.ListToolsResult:
        """The tools that the visitor may call."""
        from mcp import types

        _resume(context)
        own = visitor_of_request().role
        may = [one for one in self._routes.values() if roles.may(own, rights.role_of(one.endpoint))]
        return types.ListToolsResult(tools=[_tool(one, self._calls[one.name]) for one in may])

    async def _call(
        self, context: ServerRequestContext[Any], asked: types.CallToolRequestParams
    ) -> types.CallToolResult:
        from mcp import types

        _resume(context)
        try:
            answer = await run_in_threadpool(self._ask, asked.name, asked.arguments or {})
        except Exception as error:
            said = types.TextContent(type="text", text=explained(error))
            return types.CallToolResult(content=[said], is_error=True)
        if isinstance(answer, Response):
            return types.CallToolResult(content=[_picture_or_file(answer)])
        text = types.TextContent(type="text", text=json.dumps(answer, ensure_ascii=False))
        told = answer if isinstance(answer, dict) else {"result": answer}
        return types.CallToolResult(content=[text], structured_content=told)

    def _ask(self, name: str, given: Json) -> Any:
        call = self._calls.get(name)
        if call is None:
            raise BadInput(f'There is no tool "{name[:100]}"; tools/list lists all tools.')
        if sentence := roles.refusal(visitor_of_request().role, rights.role_of(call.function)):
            raise BadInput(sentence)
        return call.ask(self._here, given, _file)


def _resume(context: ServerRequestContext[Any]) -> None:
    """A message is answered in a task of the server's; it counts as what it is, the visitor's request."""
    assert context.request is not None, "tools are asked by HTTP"
    resume(context.request.scope)


def _tool(route: APIRoute, call: Call) -> types.Tool:
    """A tool as clients see it: what it takes as a JSON schema, and whether it changes anything."""
    from mcp import types

    fields: dict[str, tuple[Any, Any]] = {}
    for one in call.parameters:
        required = one.default is one.empty
        kind = _with_files(one.annotation) if is_file(one.annotation) else one.annotation
        fields[one.name] = (kind, ... if required else one.default)
    asked = create_model(route.name, **fields)  # type: ignore[call-overload]  # fields that have no names of options
    schema = asked.model_json_schema(by_alias=False)
    looks = rights.role_of(route.endpoint) == "viewer"
    return types.Tool(
        name=route.name,
        description=route.description,
        input_schema=schema,
        annotations=types.ToolAnnotations(read_only_hint=looks),
    )


def _with_files(hint: Any) -> Any:
    """The type of a parameter with files in base64 in place of uploads."""
    text, told = str(hint), hint.__metadata__[0]
    kind: Any = list[Given] if "list[" in text else Given | None if "None" in text else Given
    return Annotated[kind, Field(description=told.description)]


def _file(value: Any, opened: ExitStack) -> tuple[BinaryIO, str]:
    try:
        given = Given.model_validate(value)
        content = base64.b64decode("".join(given.data.split()), validate=True)
    except ValueError:  # a ValidationError, or letters that base64 does not have
        raise BadInput('A file is an object with its "name" and its "data" in base64.') from None
    return opened.enter_context(io.BytesIO(content)), given.name


def _picture_or_file(answer: Response) -> types.ContentBlock:
    from mcp import types

    data, kind = base64.b64encode(bytes(answer.body)).decode(), str(answer.media_type)
    if kind.startswith("image/"):
        return types.ImageContent(type="image", data=data, mime_type=kind)
    held = types.BlobResourceContents(uri="exdd:map.npy", blob=data, mime_type=kind)
    return types.EmbeddedResource(type="resource", resource=held)
