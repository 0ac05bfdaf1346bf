"""What tests in a browser share: the app served, a visitor's page, and what somebody does there and waits for.

One section a page of the app. It knows selectors; what a test asserts stands in the test.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock
from urllib.parse import quote

from exdd_core import jobs
from exdd_core.banks.detectors import load_detector
from exdd_core.workspace import Workspace, candidates

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Playwright, Route

    from pages.guard import Doors

ROOT = Path(__file__).resolve().parent.parent
SCREENSHOTS = Path(__file__).parent / "screenshots"
SLOW = 120_000  # milliseconds; a busy machine loads the network and builds banks slowly
# Pixels by which a page is wider than its window, and those between the header's links and its list of jobs.
SIDEWAYS = "document.documentElement.scrollWidth - window.innerWidth"
# Sum of layout shifts since a page was opened, from 0 to 1, without those that a press brings about; and what moved.
MOVED = """window.moved = 0; window.movers = []; new PerformanceObserver((list) => {
  const named = ({ node }) => (node?.nodeType === 1 ? node : node?.parentElement)?.outerHTML.slice(0, 90);
  for (const one of list.getEntries()) if (!one.hadRecentInput) {
    window.moved += one.value;
    window.movers.push([one.value.toFixed(4), ...one.sources.map(named)].join(' '));
  }
}).observe({ type: 'layout-shift', buffered: true });"""
# Count anew from now on.
STILL = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => {
  [window.moved, window.movers] = [0, []];
  done();
}))))"""
# Whether a diagram's own buttons lie over what it shows, its legend or a title.
COVERED = """[...document.querySelectorAll('.js-plotly-plot')].some((plot) => {
  const buttons = plot.querySelector('.modebar')?.getBoundingClientRect();
  const { x, y } = plot.getBoundingClientRect(), { l, t, w, h } = plot._fullLayout._size;
  const words = [...plot.querySelectorAll('.legend, .gtitle, .xtitle, .ytitle')];
  return buttons?.width && [new DOMRect(x + l, y + t, w, h), ...words.map((one) => one.getBoundingClientRect())].some(
    (one) => one.width && one.right > buttons.left && one.left < buttons.right && one.bottom > buttons.top &&
      one.top < buttons.bottom);
})"""
# Notes what a list of places tells of a job, whenever any of it changes.
TELLING = """(places) => {
  window.told = [];
  const look = () => {
    const counts = places.map((one) => /\\d+ of \\d+/.exec(document.querySelector(one)?.textContent)?.[0] || '');
    if (counts.join() !== window.told.at(-1)?.join()) window.told.push(counts);
    requestAnimationFrame(look);
  };
  look();
}"""
APART = """document.querySelector('.jobs-button').getBoundingClientRect().left -
document.querySelector('.frame-links nav').getBoundingClientRect().right"""


# --- the app ----------------------------------------------------------------------------------------------------


def chromium() -> str | None:
    """The browser's program; None where there is none."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    return os.environ.get("EXDD_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(workspace: Workspace, doors: Doors | None = None, **tls: Any) -> Iterator[str]:
    """The app in this process, on a free port of this machine; its address, which ends in /.

    tls: what Gradio needs for https.
    """
    import app

    port, worker = free_port(), jobs.start_worker(workspace)
    # Gradio makes its routes three times, and serves those of `launch`.
    with mock.patch("gradio.blocks.App.create_app"):
        blocks = app.create_app(workspace, worker)
    options = app.launch_options(workspace, doors)
    blocks.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, **options, **tls)
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{port}/"
    finally:
        app.close(blocks)
        worker.drain(10)  # otherwise it would look for jobs until all tests have run


def start(workspace: Path, port: int) -> subprocess.Popen[str]:
    program = [sys.executable, "app.py", "--workspace", str(workspace), "--port", str(port)]
    return subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@contextmanager
def program(workspace: Path, *, kill: bool = False) -> Iterator[str]:
    """The program as people start it, on a free port; its address. `kill` ends it as nothing should be ended."""
    port = free_port()
    process = start(workspace, port)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(1200):
            assert process.poll() is None, process.communicate()[1]
            try:
                urllib.request.urlopen(address, timeout=5).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.kill() if kill else process.terminate()
        process.wait(60)


# --- a visitor --------------------------------------------------------------------------------------------------

# What browsers asked of other machines: the beginning of a request or, of https, of its handshake.
ELSEWHERE: list[bytearray] = []
# What the console says, as errors, of an answer from 500 on and of an address that the page must not ask.
GRAVE = re.compile(r"with a status of 5|Content Security Policy")
# What Gradio's client says there when a page is left before it has its answers: of the request, and of the event.
OF_LEAVING = re.compile(r"AbortError: signal is aborted|Unexpected error (Connection errored out|\[\])")


class _Elsewhere(socketserver.BaseRequestHandler):
    """Stands for all other machines: notes who asks and hangs up."""

    def handle(self) -> None:
        ELSEWHERE.append(said := bytearray())
        self.request.settimeout(5)
        with suppress(OSError):
            said += self.request.recv(2000)


@contextmanager
def launched(playwright: Playwright, program: str) -> Iterator[Browser]:
    """Chromium, which takes this machine for every other one.

    Playwright can tell of every request, too, at a tenth of the time that a page takes.
    """
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Elsewhere) as elsewhere:
        threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
        rules = f"MAP * 127.0.0.1:{elsewhere.server_address[1]}, EXCLUDE 127.0.0.1"
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
        arguments += ["--disable-background-networking", "--disable-component-update"]
        # Certificates of tests sign themselves. A context that ignores their errors has Chromium start a request anew
        # at each connection, which under load ends in ERR_TOO_MANY_RETRIES.
        arguments += [f"--host-resolver-rules={rules}", "--ignore-certificate-errors"]
        chromium = playwright.chromium.launch(executable_path=program, args=arguments)
        yield chromium
        chromium.close()
        elsewhere.shutdown()


@contextmanager
def visiting(
    browser: Browser,
    width: int = 1280,
    height: int = 800,
    dark: bool = False,
    errors: bool = True,
    leaving: bool = False,
) -> Iterator[Page]:
    """A fresh visitor. Fails when a request would leave the machine, the page's own code failed or the app did.

    browser: by `launched`. `errors` says whether what the console calls an error fails the test, too; `leaving`, that
    pages may be left before they have their answers.
    """
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
    )
    page = context.new_page()
    failures: list[str] = []

    def note(said: ConsoleMessage) -> None:
        if leaving and OF_LEAVING.match(said.text):
            return
        if said.type == "error" and (errors or GRAVE.search(said.text)):
            failures.append(f"{said.text} ({said.location['url']})")

    page.on("pageerror", lambda error: failures.append(str(error)))
    page.on("console", note)
    before = len(ELSEWHERE)
    yield page
    context.close()
    assert ELSEWHERE[before:] == [], "requests left the machine"
    assert not failures, failures


def until(page: Page, true: Callable[[], Any], seconds: float = 90) -> None:
    """Wait, and let the browser's requests through meanwhile."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        page.wait_for_timeout(50)


def styled(found: Locator, name: str, value: str | re.Pattern[str]) -> None:
    """Wait until an element has a style. An element that is drawn anew meanwhile has none."""
    from playwright.sync_api import expect

    expect(found).to_have_css(name, value, timeout=SLOW)


@contextmanager
def holding(page: Page, function: str) -> Iterator[list[Route]]:
    """Hold what the page's script asks of a function of its server, and let it go afterwards; those that are held."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if (route.request.post_data_json or {}).get("fn_name") == function:
            held.append(route)
        else:
            route.continue_()

    page.route("**/component_server**", hold)
    yield held
    for route in held:
        route.continue_()
    page.unroute("**/component_server**", hold)


def shoot(shown: Page | Locator, name: str, **options: Any) -> None:
    """Keep a picture for people to look at: a JPEG, as to write a PNG takes four times as long."""
    SCREENSHOTS.mkdir(exist_ok=True)
    shown.screenshot(path=SCREENSHOTS / f"{name}.jpg", quality=85, animations="disabled", **options)


# --- Data, Banks and the frame around every page ----------------------------------------------------------------


def visit(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_selector(".frame-footer span")


def labelled(page: Page, label: str) -> Locator:
    """The field of that label; Gradio counts the line of help as a part of it."""
    return page.get_by_label(re.compile(f"^\\s*{re.escape(label)}"))


def look_at(page: Page, source: Path | str) -> None:
    labelled(page, "Folder").fill(str(source))
    page.get_by_role("button", name="Preview").click()


def sentence(page: Page, words: str) -> Locator:
    found = page.locator(".note", has_text=words)
    found.wait_for(timeout=SLOW)
    return found


# --- Inspect ----------------------------------------------------------------------------------------------------


def opened(page: Page, address: str, image: str = "") -> None:
    """Open the page, on an image if one is named, and wait until it is scored and its peak compared."""
    page.goto(address + (f"?image={quote(image, safe='')}" if image else ""))
    scored(page)


def scored(page: Page, name: str = "") -> None:
    if name:
        page.locator(".vw-name", has_text=name).wait_for(timeout=SLOW)
    page.locator(".vw-card-ratio").wait_for(timeout=SLOW)
    page.wait_for_function(
        "[...document.querySelectorAll('.vw-over')].every(i => i.complete && i.naturalWidth)"
    )


def chosen(workspace: Workspace, label: str = "defect", dataset: str | None = None) -> list[str]:
    return [row.id for row in workspace.images(dataset, split="test", label=label)]


# --- Studio -----------------------------------------------------------------------------------------------------


def stroke(page: Page, *points: tuple[float, float], steps: int = 12) -> None:
    """Paint from point to point, in shares of the image as it lies in its pane."""
    box = page.locator(".st-stage .st-mask").bounding_box()
    assert box
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:] or places:
        page.mouse.move(*place, steps=steps)
    page.mouse.up()


# --- Curate -----------------------------------------------------------------------------------------------------


def ready(page: Page) -> None:
    """Wait until the candidate's pictures are there."""
    page.locator(".cu-card[aria-selected=true]").wait_for(timeout=SLOW)
    page.wait_for_function("document.querySelector('.cu-after').naturalWidth > 0")
    page.wait_for_function("document.querySelector('.cu-facts') !== null")


def at(page: Page) -> str:
    return str(page.locator(".cu-card[aria-selected=true]").get_attribute("data-id"))


def status(workspace: Workspace, id: str) -> str:
    return candidates.get(workspace, id).status


def said(page: Page, words: str) -> None:
    """Wait until the page says so in passing; tells what it says instead where it does not."""
    import playwright.sync_api as playwright

    try:
        page.locator(".st-toast", has_text=words).wait_for(timeout=SLOW)
    except playwright.TimeoutError as error:
        places = page.locator(".st-toast, .note, .st-dialogmessage")
        raise AssertionError(f"{words!r} is not said, but {places.all_inner_texts()}") from error


def positive_rows(workspace: Workspace) -> tuple[int, ...]:
    positive = load_detector(workspace, workspace.bank().id).positive
    assert positive is not None
    return positive.rows.shape
