"""Puts the pages on one app and serves it on this machine.

`python -m exdd_core serve` starts `python app.py --workspace DIR --host 127.0.0.1 --port 7860`. Loads nothing from
other machines: no analytics, no web fonts, no scripts. Knows addresses and files. Does not know what the pages do.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import secrets
import signal
import socket
import ssl
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypedDict

from pages.loading import loading_gradio, say_interrupted

if __name__ == "__main__":
    sys.excepthook = say_interrupted

with loading_gradio():
    import gradio as gr
    from gradio.route_utils import CustomCORSMiddleware

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from assets.theme import theme
from exdd_core import api, extras, files, jobs, later, logs
from exdd_core.cli.run import check_port, door_options, place_options
from exdd_core.cli.terminal import progress
from exdd_core.errors import INTERRUPTED, BadInput
from exdd_core.spec import Json
from exdd_core.workspace import Workspace, failures, people
from pages import (
    banks,
    curate,
    data,
    evaluate,
    frame,
    head,
    health,
    idle,
    inspect,
    mcp,
    programs,
    routes,
    sessions,
    studio,
    tab,
)
from pages.guard import Doors, oidc, person, sign_in, space
from pages.guard.checks import EVENTS, FUNCTIONS, UPLOAD
from pages.guard.doors import provider
from pages.guard.middleware import Guard, Named
from pages.guard.proxied import Proxied
from pages.guard.uploads import allowed_path
from pages.guard.visitors import Visitors, visitor_of_request

COUNTED = frozenset((*EVENTS, FUNCTIONS, UPLOAD))  # addresses of Gradio that metrics name
STOPS = (signal.SIGTERM, signal.SIGINT)
# Opened pages that Gradio remembers, some 80 kB each with the choices of their lists; then it forgets the oldest.
SESSIONS = 2000
DRAIN = 25.0  # seconds that a running job has to stop; service managers wait 30 or more
log = logging.getLogger(__name__)


def create_app(workspace: Workspace, worker: jobs.Worker | None = None) -> gr.Blocks:
    """Every page inside its frame. `launch_options` brings theme, style, scripts, pictures and the guard.

    worker: runs the workspace's jobs; one is started where there is none.
    """
    app = gr.Blocks(title=head.TITLE, analytics_enabled=False, fill_width=True, delete_cache=(3600, 86400))
    with app:
        with frame.frame(workspace, inspect.PATH):
            inspect.render(workspace)
        with _page(app, "Programs", "/programs"):  # nobody is shown it, so that no other page carries it
            programs.render(api.Served(workspace, person, allowed_path))
        for page in (studio, curate, evaluate, data, banks):
            with _page(app, page.TITLE, page.PATH), frame.frame(workspace, page.PATH):
                page.render(workspace)
    tab.keep_data_sets_apart(app, workspace)
    idle.rest(app._queue)
    sessions.keep_small()
    if worker is None:  # the process that serves the pages also runs their jobs
        jobs.start_worker(workspace)
    return app


@contextmanager
def _page(app: gr.Blocks, title: str, path: str) -> Iterator[None]:
    """A page of its own for what is made meanwhile, as `gr.Blocks.route` does.

    That one wants to leave the app in between, and Gradio makes all of its addresses anew each time somebody does.
    """
    app.pages.append((path.strip("/"), title, True))
    app.current_page = path.strip("/")
    yield


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
    state_session_capacity: int
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
        "favicon_path": str(head.ASSETS / "logo.svg"),
        "footer_links": [],
        "run_history": False,
        "quiet": True,
        "ssr_mode": False,
        "enable_monitoring": False,
        "root_path": doors.root,
        "allowed_paths": [str(workspace.path / "cache" / "exports")],
        "state_session_capacity": SESSIONS,
        "app_kwargs": {
            "lifespan": partial(_lifespan, tools=tools),
            "routes": [
                Mount("/look", head.Look(directory=head.ASSETS)),
                Mount(api.PREFIX, api.create(workspace, person, allowed_path)),
                *ours,
            ],
            "middleware": [
                Middleware(Proxied, doors=doors),
                Middleware(health.Counting, counts=counts, known=own | shown | COUNTED),
                Middleware(Named, doors=doors),
                Middleware(idle.Resting, waking=shown | {*EVENTS}),
                Middleware(Guard, doors=doors, visitors=visitors, pages=shown, own=own),
                Middleware(head.HeadFirst),
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
    threading.Thread(target=_load, args=[workspace], daemon=True).start()
    address = f"{'https' if tls else 'http'}://{host}:{port}/" + (
        f"?token={doors.token}" if doors.token else ""
    )
    print(f"ExDD Workbench: {address}  (workspace {workspace.path}; press Ctrl+C to stop)", flush=True)
    wait()
    log.info("Stopping: no new jobs start, and the running job stops at its next step.")
    worker.drain(DRAIN)  # one that does not stop in time is queued, and goes on where its results end
    close(app)
    logging.shutdown()
    sys.stdout.flush()
    # Threads in the middle of a step leave whole files, and Python need not clear up for a minute.
    os._exit(0)


def _load(workspace: Workspace) -> None:
    """Import what takes seconds in the background, so that the first heatmap appears sooner; and keep the garbage
    collector off all that is imported, which it would walk again and again, a quarter of a second each time. Then have
    the version measured that a command or an earlier program has built."""
    later.load()
    gc.collect()
    gc.freeze()
    with suppress(BadInput):  # such as a full disk, which whoever works will hear of
        jobs.measure_newest(workspace)


def close(app: gr.Blocks) -> None:
    """Close the server. Gradio wakes its streams from this thread, which fails where one of them ends meanwhile: then
    the server is still to be closed."""
    try:
        app.close(verbose=False)
    except RuntimeError:
        app.server.close()


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
        "--workspace", type=Path, default=default, metavar="DIR", help="workspace folder; created if missing"
    )
    place_options(parser.add_argument)
    door_options(parser.add_argument)
    parser.set_defaults(**space.defaults(os.environ))
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
        if space.is_space(os.environ):
            doors = replace(doors, framed_by=space.FRAMES)
        _check_tls(options.tls_cert, options.tls_key)
        workspace = _opened(options.workspace, options.demo)
        if (
            doors.sign_in
            and not doors.oidc
            and not any(person.role == "admin" for person in people.listed(workspace))
        ):
            raise BadInput(
                "No one can sign in as an admin yet; run 'python -m exdd_core users add NAME --role admin'."
            )
        tls = {"ssl_certfile": options.tls_cert, "ssl_keyfile": options.tls_key, "ssl_verify": False}
        serve(workspace, options.host, options.port, doors, tls if options.tls_cert else {})
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return 130
    except Exception as error:
        print(failures.sentence_of(error), file=sys.stderr)
        return 1 if logs.is_numbered(error) else 2
    return 0


def _check_tls(certificate: Path | None, key: Path | None) -> None:
    if (certificate is None) != (key is None):
        raise BadInput("HTTPS requires both --tls-cert and --tls-key.")
    if certificate is not None and key is not None:
        try:
            for file in (certificate, key):
                files.require_regular(file, str(file))
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        except OSError as error:  # ssl.SSLError is one
            raise BadInput(
                f"{certificate} and {key} are not a PEM certificate and its private key ({error})."
            ) from None


def _opened(folder: Path, demo: bool) -> Workspace:
    if demo:
        from exdd_core.banks.building import make_demo

        return make_demo(folder, progress())
    return Workspace.open(folder) if Workspace.exists(folder) else Workspace.create(folder)


if __name__ == "__main__":
    sys.exit(main())
