"""The ASGI application of the API: its routes, its description, and which function answers an address.

Knows the routers of this room. Does not know what their functions do, nor who may call them.
"""

from __future__ import annotations

from collections.abc import Callable

from fastapi import APIRouter, Depends, FastAPI
from fastapi.requests import Request
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from exdd_core import __version__
from exdd_core.api import candidates, images, making, marking, versions
from exdd_core.api.served import Refusal, Sentences, Served
from exdd_core.spec import Json
from exdd_core.workspace import Workspace

PREFIX = "/api/v1"
ROUTERS = (images.router, marking.router, candidates.router, making.router, versions.router)
SAID = """The functions of the workbench, for programs. Errors are JSON with one sentence in `detail`: 400 if a call
cannot be carried out, 413 if it is too large, 415 if its body is of another type, 422 if one of its fields is not
valid. `bank` identifies a bank version by id or name; the default is the active one."""
BEARER = "a key from `users key NAME`, or the token of `--token`; not needed if everyone has access"
own = APIRouter(route_class=Sentences)


@own.get("/openapi.json", include_in_schema=False)
def description(request: Request) -> JSONResponse:
    """This description."""
    return JSONResponse(request.app.openapi())


def create(
    workspace: Workspace, person: Callable[[str], str] = str.strip, allowed: Callable[[str], str] = str
) -> FastAPI:
    """The application of a workspace, to be mounted at `PREFIX`.

    person: the name of who decides, of the name that a call gives. allowed: returns the path of a folder that a call
    names; raises `BadInput` where calls may not look.
    """
    api = _application()
    api.state.served = Served(workspace, person, allowed)
    return api


def described() -> Json:
    """The description of the API in OpenAPI."""
    return _application().openapi()


def _application() -> FastAPI:
    api = FastAPI(
        title="ExDD Workbench",
        version=__version__,
        description=SAID,
        servers=[{"url": "."}],  # relative to the description, so that it holds below any prefix
        root_path_in_servers=False,
        openapi_url=None,  # ours is an address with a role like all others
        dependencies=[Depends(HTTPBearer(auto_error=False, description=BEARER))],  # the guard asks for it
        docs_url=None,  # FastAPI's pages load scripts from other machines
        redoc_url=None,
        responses={
            400: {"model": Refusal, "description": "The call cannot be carried out"},
            401: {"model": Refusal, "description": "A valid key is required"},
            403: {"model": Refusal, "description": "The account's role does not allow this"},
            422: {"model": Refusal, "description": "A field of the call is not valid"},
        },
        generate_unique_id_function=lambda route: route.name,
    )
    for router in (*ROUTERS, own):
        api.include_router(router)
    return api


def endpoints() -> list[APIRoute]:
    """Every route of the API."""
    return [route for router in (*ROUTERS, own) for route in router.routes if isinstance(route, APIRoute)]


def endpoint_of(method: str, path: str) -> Callable[..., object] | None:
    """The function that answers a path below `PREFIX`; None where none does."""
    for route in endpoints():
        if method in (route.methods or ()) and route.path_regex.match(path):
            return route.endpoint
    return None
