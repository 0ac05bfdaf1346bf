"""What the <head> of every page holds, and the files in `assets` that it names.

Knows files, and who visits. Does not know what pages show.
"""

from __future__ import annotations

import hashlib
import json
import re
from functools import lru_cache
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exdd_core import later
from pages import html, joined
from pages.guard import controls
from pages.guard.visitors import visitor_of_request
from pages.who import WHO

TITLE = "ExDD Workbench"
ASSETS = Path(__file__).resolve().parent.parent / "assets"
EDITION = re.compile("[0-9a-f]{12}/")
STYLES = "joined/styles.css"
SCRIPTS = {path: f"joined/{path.strip('/') or 'inspect'}.js" for path in html.PAGES.values()}
EVERYWHERE = ("gallery", "jobs", "lists", "next", "panel")  # folders with the scripts of what all pages have
# Said by the page itself: what it asks the server may not be answered while PyTorch is read from a cold disk.
LOADING = """<style id="exdd-loading">body::after {
  content: "Loading PyTorch. The first time takes up to half a minute; then the page continues by itself.";
  position: fixed; z-index: 90; left: 50%; bottom: 32px; width: max-content; max-width: calc(100vw - 64px);
  padding: 12px 16px; transform: translateX(-50%); box-sizing: border-box; color: #fff; background: #232831;
  border: 1px solid #4d5664; border-radius: 8px; font: 14px/20px system-ui, sans-serif;
}</style>"""


class Look(StaticFiles):
    """Serves only the styles and pictures in `assets`, and its scripts and styles joined to one file each for a page.

    A page names them below their edition, so a browser keeps its copies without asking. Below any other edition it gets
    the files of this one, and asks each time.
    """

    async def get_response(self, path: str, scope: Scope) -> Response:
        edition, _, file = path.partition("/") if EDITION.match(path) else ("", "", path)
        current = await run_in_threadpool(_edition)
        if file == STYLES or file in SCRIPTS.values():
            kind = "text/css" if file == STYLES else "text/javascript"
            response = Response(await run_in_threadpool(_joined, file, current), media_type=kind)
        elif _is_served(ASSETS / file) and not file.endswith(".js"):
            response = await super().get_response(file, scope)
        else:
            raise HTTPException(status_code=404)
        is_kept = edition == current
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable" if is_kept else "no-cache"
        return response


def _edition() -> str:
    """A name that changes with any file in `assets` that a page loads."""
    told = hashlib.sha256()
    for file in _looks("*", "*/*"):
        found = (ASSETS / file).stat()
        told.update(f"{file} {found.st_size} {found.st_mtime_ns}\n".encode())
    return told.hexdigest()[:12]


@lru_cache(maxsize=16)
def _joined(name: str, edition: str) -> str:
    """The styles of all pages or the script of one, of this edition."""
    if name == STYLES:
        return joined.styles(ASSETS, _looks("*.css", "*/*.css"))
    own = (*EVERYWHERE, Path(name).stem)
    return joined.script(ASSETS, [folder for folder in own if (ASSETS / folder / "page.js").is_file()])


def _is_served(file: Path) -> bool:
    tools = "node_modules" in file.parts or file.name.endswith((".test.js", ".config.js"))
    return file.suffix in {".css", ".js", ".png", ".svg"} and not tools


def _head(path: str) -> str:
    """The first elements in the <head> of the page at `path`: title, theme, styles and the page's script.

    A folder's `start` becomes `exdd.FOLDER` for Gradio's `js_on_load`. Gradio adds its own `head` only after the page
    is shown, which would flash in the wrong colours.
    """
    icon = '<link rel="icon" href="./look/logo.svg">'  # else browsers ask for one above the prefix
    lines = [f"<title>{TITLE}</title>", icon, f"<script>{(ASSETS / 'frame.js').read_text('utf-8')}</script>"]
    look = f"./look/{_edition()}"
    lines.append(f'<link rel="stylesheet" href="{look}/{STYLES}">')
    lines.append(f'<script type="module" src="{look}/{SCRIPTS[path]}"></script>')
    return "\n".join(lines) + _visitor(path) + (LOADING if later.is_loading() else "")


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
    """ASGI middleware that inserts what a page loads and knows at the start of the <head> of pages.

    It also makes the one address relative that Gradio's page does not find below a prefix.
    """

    def __init__(self, app: ASGIApp):
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in html.PAGES.values():
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
            head = await run_in_threadpool(_head, scope["path"])
            whole = bytes(body).replace(b"<head>", b"<head>" + head.encode(), 1)
            whole = whole.replace(b'href="/manifest.json"', b'href="./manifest.json"', 1)
            headers = [(name, value) for name, value in start["headers"] if name.lower() != b"content-length"]
            start["headers"] = [*headers, (b"content-length", str(len(whole)).encode())]
            await send(start)
            await send({"type": "http.response.body", "body": whole})

        await self._app(scope, receive, collect)
