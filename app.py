"""Puts the pages on one app and serves it on this machine.

`python -m exdd_core serve` starts `python app.py --workspace DIR --host 127.0.0.1 --port 7860`. Loads nothing from
other machines: no analytics, no web fonts, no scripts. Knows addresses and files. Does not know what the pages do.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import signal
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict

# Read by Gradio and the hub's client when they are imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["FORWARDED_ALLOW_IPS"] = ""  # pages.guard.proxied says which proxies are believed, not uvicorn

import gradio as gr
from gradio.route_utils import CustomCORSMiddleware
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from assets.theme import theme
from exdd_core import api, extras, jobs, later, logs
from exdd_core.cli.run import check_port, door_options, place_options
from exdd_core.cli.terminal import progress
from exdd_core.errors import BadInput
from exdd_core.spec import Json
from exdd_core.workspace import Workspace, failures, people
from pages import (
    banks,
    curate,
    data,
    evaluate,
    frame,
    health,
    idle,
    inspect,
    mcp,
    programs,
    routes,
    studio,
    tab,
)
from pages.guard import Doors, controls, oidc, person, sign_in
from pages.guard.checks import EVENTS, FUNCTIONS, UPLOAD
from pages.guard.doors import provider
from pages.guard.middleware import Guard
from pages.guard.proxied import Proxied
from pages.guard.uploads import allowed_path
from pages.guard.visitors import Visitors, visitor_of_request
from pages.who import WHO

ASSETS = Path(__file__).resolve().parent / "assets"
TITLE = "ExDD Workbench"
COUNTED = frozenset((*EVENTS, FUNCTIONS, UPLOAD))  # addresses of Gradio that metrics name
STOPS = (signal.SIGTERM, signal.SIGINT)
DRAIN = 25.0  # seconds that a running job has to stop; service managers wait 30 or more
log = logging.getLogger(__name__)


def create_app(workspace: Workspace, worker: jobs.Worker | None = None) -> gr.Blocks:
    """Every page inside its frame. `launch_options` brings theme, style, scripts, pictures and the guard.

    worker: runs the workspace's jobs; one is started where there is none.
    """
    app = gr.Blocks(title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400))
    with app, frame.frame(workspace, inspect.PATH):
        inspect.render(workspace)
    with app.route(
        "Programs", "/programs"
    ):  # a page that nobody is shown, so that none of the others carries them
        programs.render(api.Served(workspace, person, allowed_path))
    for page in (studio, curate, evaluate, data, banks):
        with app.route(page.TITLE, page.PATH), frame.frame(workspace, page.PATH):
            page.render(workspace)
    tab.keep_data_sets_apart(app)
    idle.rest(app._queue)
    if worker is None:  # the process that serves the pages also runs their jobs
        jobs.start_worker(workspace)
    return app


class LaunchOptions(TypedDict):
    """Arguments of `gr.Blocks.launch`; app_kwargs: of the FastAPI app that Gradio makes."""

    theme: gr.themes.Base
    favicon_path: str
    footer_links: list[Literal["api", "gradio", "settings", "runs"] | dict[str, str]]
    run_history: bool
    quiet: bool
    ssr_mode: bool
    enable_monitoring: bool
    root_path: str
    allowed_paths: list[str]
    app_kwargs: Json


def launch_options(workspace: Workspace, doors: Doors | None = None) -> LaunchOptions:
    """What `gr.Blocks.launch` needs beside an address: the look, our own routes, the guard before everything.

    doors: who may come in; None for a server that only this machine reaches.
    """
    doors = doors or Doors()
    visitors = Visitors(workspace, doors)
    counts = health.Counts(workspace)
    ours = [
        *routes.routes(workspace),
        *sign_in.routes(visitors),
        *oidc.routes(visitors),
        *health.routes(workspace, counts),
    ]
    tools = mcp.Tools(api.Served(workspace, person, allowed_path)) if doors.mcp else None
    ours += [tools.route] if tools else []
    own, shown = frozenset(route.path for route in ours), frozenset(path for _, path in frame.PAGES)
    return {
        "theme": theme(),
        "favicon_path": str(ASSETS / "logo.svg"),
        "footer_links": [],
        "run_history": False,
        "quiet": True,
        "ssr_mode": False,
        "enable_monitoring": False,
        "root_path": doors.root,
        "allowed_paths": [str(workspace.path / "cache" / "exports")],
        "app_kwargs": {
            "lifespan": partial(_lifespan, tools=tools),
            "routes": [
                Mount("/look", Look(directory=ASSETS)),
                Mount(api.PREFIX, api.create(workspace, person, allowed_path)),
                *ours,
            ],
            "middleware": [
                Middleware(Proxied, doors=doors),
                Middleware(health.Counting, counts=counts, known=own | shown | COUNTED),
                Middleware(TrustedHostMiddleware, allowed_hosts=list(doors.hosts), www_redirect=False),
                Middleware(idle.Resting, waking=shown | {*EVENTS}),
                Middleware(Guard, doors=doors, visitors=visitors, pages=shown, own=own),
                Middleware(HeadFirst, head=lambda path: _head(path) + _visitor(path)),
            ],
        },
    }


@asynccontextmanager
async def _lifespan(app: Starlette, tools: mcp.Tools | None) -> AsyncIterator[None]:
    """Take out what Gradio adds after our own middleware: it lets pages of other ports of this machine read answers."""
    app.user_middleware = [one for one in app.user_middleware if one.cls is not CustomCORSMiddleware]
    app.middleware_stack = app.build_middleware_stack()
    async with tools.running() if tools else nullcontext():
        yield


class Look(StaticFiles):
    """Serves only the scripts, styles and pictures in `assets`.

    Modules import each other by plain relative addresses, which do not change with a file's content. So browsers ask
    whether a file has changed (ETag) before they use their copy.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        if not _is_served(ASSETS / path):
            raise HTTPException(status_code=404)
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def _is_served(file: Path) -> bool:
    tools = "node_modules" in file.parts or file.name.endswith((".test.js", ".config.js"))
    return file.suffix in {".css", ".js", ".png", ".svg"} and not tools


def _head(path: str) -> str:
    """The first elements in the <head> of the page at `path`: title, theme, styles and the page's modules.

    A module's `start` becomes `exdd.FOLDER` for Gradio's `js_on_load`. Gradio adds its own `head` only after the page
    is shown, which would flash in the wrong colours.
    """
    icon = '<link rel="icon" href="./look/logo.svg">'  # else browsers ask for one above the prefix
    lines = [f"<title>{TITLE}</title>", icon, f"<script>{(ASSETS / 'frame.js').read_text('utf-8')}</script>"]
    for file in _looks("*.css", "*/*.css"):
        lines.append(f'<link rel="stylesheet" href="./look/{file}">')
    folders = [
        folder
        for folder in ("jobs", "next", path.strip("/") or "inspect")
        if (ASSETS / folder / "page.js").is_file()
    ]
    for file in _looks(*(f"{folder}/*.js" for folder in ("shared", *folders))):
        lines.append(f'<link rel="modulepreload" href="./look/{file}">')
    imports = "".join(
        f'import {{ start as {folder} }} from "./look/{folder}/page.js"; ' for folder in folders
    )
    lines.append(f'<script type="module">{imports}window.exdd = {{ {", ".join(folders)} }};</script>')
    return "\n".join(lines)


def _visitor(path: str) -> str:
    """What a page knows of its visitor: the account, where there is one, and the controls and keys that the role lacks.

    The guard tells the server's functions by itself who asks.
    """
    visitor = visitor_of_request()
    told = json.dumps(visitor.name).replace("<", "\\u003c")
    named = f"<script>localStorage.setItem('{WHO}', {told});</script>" if visitor.name else ""
    return controls.head(visitor.role, path) + named


def _looks(*patterns: str) -> list[str]:
    files = [file for pattern in patterns for file in sorted(ASSETS.glob(pattern)) if _is_served(file)]
    return [file.relative_to(ASSETS).as_posix() for file in files]


class HeadFirst:
    """ASGI middleware that inserts `head(path)` at the start of the <head> of pages.

    It also makes the one address relative that Gradio's page does not find below a prefix.
    """

    def __init__(self, app: ASGIApp, head: Callable[[str], str]):
        self._app, self._head = app, head

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in {path for _, path in frame.PAGES}:
            await self._app(scope, receive, send)
            return
        body, start = bytearray(), {}

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = dict(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            head = await run_in_threadpool(self._head, scope["path"])
            whole = bytes(body).replace(b"<head>", b"<head>" + head.encode(), 1)
            whole = whole.replace(b'href="/manifest.json"', b'href="./manifest.json"', 1)
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            start["headers"] = [*headers, (b"content-length", str(len(whole)).encode())]
            await send(start)
            await send({"type": "http.response.body", "body": whole})

        await self._app(scope, receive, collect)


def serve(workspace: Workspace, host: str, port: int, doors: Doors, tls: Mapping[str, Any]) -> None:
    """Serve until SIGTERM or Ctrl+C, let the running job stop, and end the program. tls: what Gradio takes for TLS."""
    wait, worker = _asked_to_stop(), jobs.start_worker(workspace)
    app = create_app(workspace, worker)
    options = launch_options(workspace, doors)
    try:
        app.launch(server_name=host, server_port=port, prevent_thread_lock=True, **options, **tls)
    except OSError:  # somebody took the port since it was looked at
        worker.drain(DRAIN)
        check_port(host, port)
        raise
    logs.take_over("uvicorn")
    # In the background, so that the first heatmap appears sooner.
    threading.Thread(target=later.load, daemon=True).start()
    address = f"{'https' if tls else 'http'}://{host}:{port}/" + (
        f"?token={doors.token}" if doors.token else ""
    )
    print(f"ExDD Workbench: {address}  (workspace {workspace.path}; Ctrl+C stops it)", flush=True)
    wait()
    log.info("Stopping: no further job begins, and the running one stops at its next step.")
    worker.drain(DRAIN)  # one that does not stop in time is queued, and goes on where its results end
    app.close(verbose=False)
    logging.shutdown()
    sys.stdout.flush()
    # Threads in the middle of a step leave whole files, and Python need not clear up for a minute.
    os._exit(0)


def _asked_to_stop() -> Callable[[], None]:
    """What waits for SIGTERM or Ctrl+C, from now on; a second one ends the program at once.

    It waits for what the handler in C writes to a socket: the kernel may hand a signal to any thread, and Python's own
    handler runs in the main thread, which nobody would wake from waiting for a lock.
    """
    woken, wakes = socket.socketpair()
    wakes.setblocking(False)
    seen: list[int] = []

    def asked(number: int, frame: object) -> None:
        seen.append(number)
        if len(seen) > 1:
            os._exit(128 + number)

    for number in STOPS:
        signal.signal(number, asked)
    signal.set_wakeup_fd(wakes.fileno())

    def wait() -> None:
        while woken.recv(1)[0] not in STOPS:  # some other signal
            pass
        signal.set_wakeup_fd(-1)
        woken.close()
        wakes.close()

    return wait


def main(arguments: list[str] | None = None) -> int:
    """Open or create the workspace and serve it; prints one sentence and returns 2 where that fails."""
    parser = argparse.ArgumentParser(prog="app.py", description="Serve ExDD Workbench on this machine.")
    default = Path(os.environ.get("EXDD_WORKSPACE") or "data/workspace")
    parser.add_argument(
        "--workspace", type=Path, default=default, metavar="DIR", help="made if there is none"
    )
    place_options(parser.add_argument)
    door_options(parser.add_argument)
    options = parser.parse_args(arguments)
    try:
        logs.begin(lambda: visitor_of_request().name)
        check_port(options.host, options.port)
        if options.mcp:
            extras.MCP.require()
        doors = Doors.on(
            options.host,
            address=options.address,
            token=secrets.token_urlsafe(24) if options.token else "",
            sign_in=options.sign_in,
            read_only=options.read_only,
            root=options.root_path,
            proxies=tuple(options.proxy),
            oidc=provider(options.oidc_issuer, options.oidc_client, options.oidc_claim),
            folders=None if options.folders is None else tuple(options.folders),
            mcp=options.mcp,
        )
        _check_tls(options.tls_cert, options.tls_key)
        workspace = _opened(options.workspace, options.demo)
        if (
            doors.sign_in
            and not doors.oidc
            and not any(person.role == "admin" for person in people.listed(workspace))
        ):
            raise BadInput(
                "Nobody can sign in as admin yet; run 'python -m exdd_core users add NAME --role admin'."
            )
        tls = {"ssl_certfile": options.tls_cert, "ssl_keyfile": options.tls_key, "ssl_verify": False}
        serve(workspace, options.host, options.port, doors, tls if options.tls_cert else {})
    except KeyboardInterrupt:
        print("Interrupted; nothing half-made was kept.", file=sys.stderr)
        return 130
    except Exception as error:
        print(failures.sentence_of(error), file=sys.stderr)
        return 1 if logs.is_numbered(error) else 2
    return 0


def _check_tls(certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise BadInput("https needs both --tls-cert and --tls-key.")
    if certificate is not None and key is not None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        except OSError as error:  # ssl.SSLError is one
            raise BadInput(
                f"{certificate} and {key} are no certificate and its key in PEM ({error})."
            ) from None


def _opened(folder: Path, demo: bool) -> Workspace:
    if demo:
        from exdd_core.banks.building import make_demo

        return make_demo(folder, progress())
    return Workspace.open(folder) if Workspace.exists(folder) else Workspace.create(folder)


if __name__ == "__main__":
    sys.exit(main())
