"""Twenty people browse and inspect while banks are built: `python -m tests.bench people --path WORKSPACE`.

WORKSPACE is one that `big_workspace` made; a copy of it is served (files as links), so that it stays as it is. Each
person opens one page after another, or an image of the test split and its heatmaps. `--root DIR` serves the program of
another checkout, on a workspace of its own kind. Knows addresses of the app. Does not know what a page shows.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.bench import ROOT

PEOPLE, SECONDS, THINKING = (
    20,
    60.0,
    1.0,
)  # people, how long, mean seconds between two questions of one person
# What a page asks for when it is opened: its path, the function and what is asked of it.
OPENED: dict[str, tuple[str, str, dict[str, Any]]] = {
    "Inspect": ("/", "open_list", {}),
    "Studio": ("/studio", "open_page", {}),
    "Curate": ("/curate", "open_page", {"status": "pending", "sort": "effect", "limit": 120, "who": "Ada"}),
    "Evaluate": ("/evaluate", "open_page", {}),
}
FILTERS = ("prompt", "engine", "mask", "type", "visible", "clean", "plausible", "new", "effect")


def main(options: argparse.Namespace) -> None:
    source = Path(options.path or "build/big")
    with tempfile.TemporaryDirectory(dir=source.parent) as temporary:
        workspace = Path(temporary) / "workspace"
        shutil.copytree(source, workspace, copy_function=_linked)
        figures = measure(workspace, Path(options.root or ROOT))
    print(f"{PEOPLE} people, {SECONDS:.0f} s, a build running: {json.dumps(figures)}")


def _linked(old: str, new: str) -> None:
    """Databases and what is appended to are copied, all else is linked."""
    if Path(old).suffix in (".db", ".jsonl"):
        shutil.copy2(old, new)
    else:
        os.link(old, new)


def measure(workspace: Path, root: Path) -> dict[str, Any]:
    """Serve a workspace by the program in `root`, build, and let people browse: seconds at p50 and p95 by kind."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    quiet: dict[str, Any] = {"cwd": root, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    words = ["--workspace", str(workspace)]
    program = subprocess.Popen([sys.executable, "app.py", *words, "--port", str(port)], **quiet)
    building = None
    try:
        site = Site(f"http://127.0.0.1:{port}")
        # A data set of 50,000 images is not built in a minute: the build runs all the while.
        building = subprocess.Popen([sys.executable, "-m", "exdd_core", "build", *words], **quiet)
        return site.visited(_images(workspace))
    finally:
        for process in filter(None, (building, program)):
            process.terminate()
            process.wait(30)


def _images(workspace: Path) -> list[str]:
    with sqlite3.connect(workspace / "workspace.db") as db:
        rows = db.execute(
            "select id from images where split = 'test' and label = 'defect' limit 2000"
        ).fetchall()
    return [row[0] for row in rows]


class Site:
    """The app as a browser meets it: pages, and the functions of their components."""

    def __init__(self, address: str):
        self.address = address
        self.taken: dict[str, list[float]] = defaultdict(list)
        self.errors: list[str] = []
        self._lock = threading.Lock()
        end = time.monotonic() + 600
        while True:
            try:
                self._components = {path: self._component(path, fn) for path, fn, _ in OPENED.values()}
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.2)

    def _component(self, path: str, function: str) -> int:
        """The id of the component on a page that has this function."""
        page = self._read(path).decode()
        found = re.search(r"window\.gradio_config = (\{.*?\});\s*(?:window|</script>)", page, re.S)
        assert found is not None, f"{path} holds no configuration"
        for component in json.loads(found[1])["components"]:
            if function in component.get("props", {}).get("server_fns", []):
                return int(component["id"])
        raise AssertionError(f"no component of {path} answers {function}")

    def _read(self, path: str, body: bytes | None = None) -> bytes:
        asked = urllib.request.Request(self.address + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(asked, timeout=120) as answer:
            return bytes(answer.read())

    def ask(self, path: str, function: str, given: dict[str, Any]) -> Any:
        body = {"component_id": self._components[path], "fn_name": function, "data": given}
        return json.loads(
            self._read("/gradio_api/component_server", json.dumps(body | {"session_hash": "people"}).encode())
        )

    def visited(self, images: list[str]) -> dict[str, Any]:
        """Let people look around; seconds by kind, and what went wrong. The program has loaded its network by then."""
        self.ask("/", "inspect", {"id": images[0]})
        end = time.monotonic() + SECONDS
        people = [
            threading.Thread(target=self._person, args=(number, images, end)) for number in range(PEOPLE)
        ]
        for person in people:
            person.start()
        for person in people:
            person.join()
        return {
            kind: {"n": len(taken), "p50": round(statistics.median(taken), 3), "p95": round(_p95(taken), 3)}
            for kind, taken in sorted(self.taken.items())
        } | {"errors": len(self.errors), "first": self.errors[:1]}

    def _person(self, number: int, images: list[str], end: float) -> None:
        rng = random.Random(number)
        while time.monotonic() < end:
            time.sleep(rng.expovariate(1 / THINKING))
            if rng.random() < 0.3:
                self._timed("page", self._open, rng.choice(list(OPENED)))
                continue
            image = rng.choice(images)
            self._timed("picture", self.ask, "/", "picture", {"id": image})
            self._timed("heatmap", self.ask, "/", "inspect", {"id": image})

    def _open(self, page: str) -> Any:
        path, function, given = OPENED[page]
        self._read(path)
        return self.ask(path, function, given | (dict.fromkeys(FILTERS) if page == "Curate" else {}))

    def _timed(self, kind: str, act: Any, *given: Any) -> None:
        began = time.perf_counter()
        try:
            answer = act(*given)
            failed = answer.get("error") if isinstance(answer, dict) else None
        except Exception as error:
            failed = repr(error)
        with self._lock:
            self.taken[kind].append(time.perf_counter() - began)
            if failed:
                self.errors.append(f"{kind}: {failed}")


def _p95(taken: list[float]) -> float:
    return sorted(taken)[min(len(taken) - 1, int(0.95 * len(taken)))]
