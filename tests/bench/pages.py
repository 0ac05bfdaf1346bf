"""How fast each page opens in a browser that was never there and in one that was, beside a page of one word.

A demo workspace is served by this process; `--path WORKSPACE` serves that one. The paints, the shift and the time that
long tasks block a page are what Chromium's own observers tell, as Lighthouse reads them. Does not know what pages show.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.banks.building import make_demo
from exdd_core.workspace import Workspace
from pages.html import PAGES
from tests.browser import MOVED, SLOW, chromium, free_port, launched, serving

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext

VISITS = 3  # by as many browsers to each page, each of them twice
RESTS = 2500  # milliseconds after the first half second without a request, for what is drawn last
SEEN = """window.seen = { largest: 0, blocked: 0 };
const watch = (type, note) => new PerformanceObserver((list) => list.getEntries().forEach(note))
  .observe({ type, buffered: true });
watch('largest-contentful-paint', (one) => (window.seen.largest = one.startTime));
watch('longtask', (one) => (window.seen.blocked += one.duration - 50));"""
TOLD = """() => {
  const [first] = performance.getEntriesByName('first-contentful-paint');
  const files = [...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')];
  const bytes = files.reduce((sum, one) => sum + one.transferSize, 0);
  return [first.startTime, window.seen.largest, window.seen.blocked, window.moved, files.length, bytes / 1000];
}"""
COLUMNS = ("first paint, ms", "largest paint, ms", "blocked, ms", "shift", "requests", "kB")


def main(options: argparse.Namespace) -> None:
    from playwright.sync_api import sync_playwright

    program = chromium()
    if program is None:
        raise SystemExit("no Chromium: install it, or set EXDD_CHROMIUM to its path")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(options.path or "")
        workspace = Workspace.open(path) if options.path else make_demo(Path(folder) / "demo")
        with launched(playwright, program) as browser, serving(workspace) as address, _plain() as plain:
            addresses = {title: address.rstrip("/") + place for title, place in PAGES.items()}
            print(f"\npages, medians of {VISITS} visits; in brackets the same browser's second visit")
            print(f"\n| page | {' | '.join(COLUMNS)} |\n|---|{'---|' * len(COLUMNS)}")
            for title, at in {"one word of Gradio": plain, **addresses}.items():
                print(f"| {title} | {' | '.join(_opened(browser, at))} |", flush=True)


def _opened(browser: Browser, address: str) -> list[str]:
    """The columns for a page."""
    both: list[tuple[list[float], list[float]]] = []
    for _ in range(VISITS):
        context = browser.new_context(viewport={"width": 1400, "height": 900})
        both.append((_visit(context, address), _visit(context, address)))
        context.close()
    new, known = (
        [statistics.median(column) for column in zip(*one, strict=True)] for one in zip(*both, strict=True)
    )
    return [f"{_short(a)} ({_short(b)})" for a, b in zip(new, known, strict=True)]


def _visit(context: BrowserContext, address: str) -> list[float]:
    page = context.new_page()
    page.add_init_script(MOVED + SEEN)
    page.goto(address, timeout=SLOW)
    page.wait_for_selector(".frame-footer span, .one-word", state="attached", timeout=SLOW)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(RESTS)
    told: list[float] = page.evaluate(TOLD)
    page.close()
    return told


def _short(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:,.0f}"


@contextmanager
def _plain() -> Iterator[str]:
    """The address of a page with nothing but a word: what Gradio itself takes."""
    import gradio as gr

    with gr.Blocks(analytics_enabled=False) as blocks:
        gr.HTML('<p class="one-word">Word</p>')
    port = free_port()
    blocks.launch(server_name="127.0.0.1", server_port=port, prevent_thread_lock=True, quiet=True)
    yield f"http://127.0.0.1:{port}/"
    blocks.close()
