"""Takes the README's pictures of the six pages, so that they show what there is: `make screenshots`.

The workspace is the demo as a newcomer gets it, with a few candidates and one measurement. Needs a browser. Knows pages
and what they wait for. Asserts nothing.
"""

from __future__ import annotations

import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from exdd_core import cli
from exdd_core.banks.building import make_demo
from exdd_core.workspace import Workspace
from tests import browser

PLACE = browser.ROOT / "docs" / "pages"
WIDTH, HEIGHT = 1400, 900
# Whether every picture that is seen has come, and nothing that is seen is said to be loading.
SHOWN = """[...document.images].every((one) => {
  const { left, top, width, height } = one.getBoundingClientRect();
  const seen = document.elementFromPoint(left + width / 2, top + height / 2);
  return one.complete || (seen !== one && seen !== one.parentElement);
}) && ![...document.querySelectorAll('[aria-busy=true]')].some((one) => one.getClientRects().length)"""
MADE = (
    ("synthesize", "--engine", "procedural", "--prompt", "{fine|deep} scratches", "--count", "6"),
    ("synthesize", "--engine", "transplant", "--prompt", "stain", "--count", "6", "--seed", "6"),
    ("evaluate", "--table1", "--folds", "3"),
)


def main() -> int:
    """Write every page as docs/pages/NAME.webp."""
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        workspace = make_demo(Path(folder) / "workspace")
        for words in MADE:
            if cli.main([*words, "--workspace", str(workspace.path)]):
                return 1
        _take(workspace)
    return 0


def _take(workspace: Workspace) -> None:
    waits: dict[str, Callable[[Page], object]] = {
        "inspect": browser.scored,
        "studio": lambda page: page.locator(".st-seen", has_text="Bank v1").wait_for(timeout=browser.SLOW),
        "curate": _measured,
        "evaluate": lambda page: page.locator(".js-plotly-plot .legend").first.wait_for(timeout=browser.SLOW),
        "data": lambda page: page.locator("#gallery img").first.wait_for(timeout=browser.SLOW),
        "banks": lambda page: page.locator(".lm-told", has_text="Every dot").wait_for(timeout=browser.SLOW),
    }
    program = browser.chromium()
    assert program, "there is no Chromium"
    with (
        browser.serving(workspace) as address,
        sync_playwright() as playwright,
        browser.launched(playwright, program) as chromium,
    ):
        for name, ready in waits.items():
            with browser.visiting(chromium, WIDTH, HEIGHT) as page:
                page.add_init_script("localStorage.setItem('exdd.who', 'Anna')")  # Curate asks who decides
                browser.visit(page, address + ("" if name == "inspect" else name))
                ready(page)
                page.wait_for_function(SHOWN)
                shown = Image.open(io.BytesIO(page.screenshot(animations="disabled")))
                shown.save(PLACE / f"{name}.webp", quality=80, method=6)
                print(PLACE / f"{name}.webp", (PLACE / f"{name}.webp").stat().st_size)


def _measured(page: Page) -> None:
    browser.ready(page)
    page.locator(".cu-about", has_text="held-out").first.wait_for(timeout=browser.SLOW)


if __name__ == "__main__":
    sys.exit(main())
