"""The scripts in assets, one by one in a browser, without the app: presses and answers that come at a bad moment.

The server is a stand-in in the page, so that a test says in which order its answers arrive.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import ROOT, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

SITE = "http://scripts.test/"
KINDS = {".js": "text/javascript", ".css": "text/css"}
# Answers of the server that a test lets arrive when it wants.
HELD = """
window.held = {};
window.call = (name, argument) => new Promise((done, fail) => (window.held[Object.values(argument)[0]] = { done, fail }));
window.tick = () => new Promise((done) => setTimeout(done, 20));
window.attempt = (action) => action;
"""


@pytest.fixture
def scripts(browser: Browser) -> Iterator[Page]:
    """An empty page that can import the scripts in assets."""

    def answer(route: Route) -> None:
        file = ROOT / "assets" / route.request.url.removeprefix(SITE).partition("?")[0]
        if file.is_file():
            return route.fulfill(body=file.read_text("utf-8"), content_type=KINDS[file.suffix])
        return route.fulfill(body="<!doctype html><body></body>", content_type="text/html")

    with visiting(browser) as page:
        page.route(SITE + "**", answer)
        page.add_init_script(HELD)
        page.goto(SITE)
        yield page


# --- shared ---------------------------------------------------------------------------------------------------


def test_undo_and_redo_during_a_stroke_lose_no_step(scripts: Page) -> None:
    steps = """async () => {
      const { MaskEditor } = await import("/shared/mask_editor.js");
      document.documentElement.style.setProperty("--defect", "#ff0000");
      const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
      const editor = new MaskEditor(canvas, () => {});
      for (const at of [10, 30]) { editor.begin([at, at], 4, false); editor.end(); }
      editor.undo();
      editor.begin([50, 50], 4, false);
      editor.undo();
      editor.redo();
      const during = [editor.past.length, editor.future.length];
      editor.end();
      editor.undo();
      editor.undo();
      return [during, editor.empty];
    }"""
    assert scripts.evaluate(steps) == [[1, 1], True]
