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
window.call = (name, asked) =>
  new Promise((done, fail) => (window.held[Object.values(asked)[0]] = { done, fail }));
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


# --- Studio, Inspect and Evaluate -------------------------------------------------------------------------------


def test_of_two_that_are_opened_the_later_one_is_shown(scripts: Page) -> None:
    """Whichever answer is there first."""
    seen = scripts.evaluate("""async () => {
      const { createStore } = await import("/shared/store.js");
      const { showCandidate } = await import("/studio/results.js");
      const { openSource } = await import("/studio/sources.js");
      const { maskSources } = await import("/studio/donors.js");
      const store = createStore({ shown: null, previous: null, pinned: null, kind: "drawn", donors: [], real: {} });
      const studio = { store, call: window.call, attempt: window.attempt, say() {} };
      const { lend } = maskSources(studio);
      const both = async (open, record) => {
        open("a");
        open("b");
        window.held.b.done(record("b"));
        await window.tick();
        window.held.a.done(record("a"));
        await window.tick();
      };
      await both((id) => showCandidate(studio, id), (id) => ({ id }));
      await both((id) => openSource(studio, id), (id) => ({ id }));
      await both(lend, (id) => ({ x: 0, y: 0 }));
      const { shown, source, real } = store.get();
      return [shown.id, source, real.image];
    }""")
    assert seen == ["b", "b", "b"]


def test_an_error_about_a_point_is_said_only_of_the_image_that_is_open(scripts: Page) -> None:
    said = scripts.evaluate("""async () => {
      const { createStore } = await import("/shared/store.js");
      const { choosePoint } = await import("/inspect/point.js");
      const store = createStore({ id: "a", result: {}, point: null, box: null });
      const said = [];
      const inspect = { store, call: window.call, say: (words) => said.push(words) };
      const { Sentence } = await import("/shared/server.js");
      const first = choosePoint(inspect, 1, 1);
      store.patch({ id: "b", point: null });
      window.held.a.fail(new Sentence("This image has gone."));
      await first;
      const second = choosePoint(inspect, 2, 2);
      window.held.b.fail(new Sentence("This one has, too."));
      await second;
      return said;
    }""")
    assert said == ["This one has, too."]


def test_a_list_that_answers_late_is_not_shown_over_a_later_one(scripts: Page) -> None:
    shown = scripts.evaluate("""async () => {
      const { createStore } = await import("/shared/store.js");
      const { openList } = await import("/inspect/opening.js");
      const { initial } = await import("/inspect/state.js");
      const store = createStore(initial({ opacity: 0.5 }, null));
      const kept = { results: new Map(), pictures: new Map() };
      const inspect = { store, call: window.call, say() {}, attempt: window.attempt, ...kept };
      const bank = { bank: null, active: null, threshold: null };
      const answer = (list) => ({ need: null, lists: [{ key: list }], list, images: [], types: [], marked: [], rows: {},
        links: {}, scales: null, seen: 0, job: null, note: "", stamp: list, ...bank });
      openList(inspect, "a");
      openList(inspect, "b");
      window.held.b.done(answer("b"));
      await window.tick();
      window.held.a.done(answer("a"));
      await window.tick();
      return store.get().list;
    }""")
    assert shown == "b"
