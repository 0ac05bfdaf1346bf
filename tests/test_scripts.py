"""The scripts in assets, one by one in a browser, without the app: presses and answers that come at a bad moment.

The server is a stand-in in the page, so that a test says in which order its answers arrive.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pages.data import gallery
from pages.who import WHO_JS
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
CURATE = """
<div class="page"><button class="cu-trim"></button><div class="cu-trimbar" hidden></div><div class="cu-decide"></div>
<span class="cu-you"></span><dialog class="st-dialog"></dialog></div>
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


@pytest.mark.parametrize("radius", [0.5, 1, 8])
def test_a_click_with_a_brush_paints_wherever_it_falls(scripts: Page, radius: float) -> None:
    """A pixel is in a mask from half of its opacity on."""
    clicked = """async (radius) => {
      const { MaskEditor } = await import("/shared/mask_editor.js");
      document.documentElement.style.setProperty("--defect", "#ff0000");
      const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 64 });
      const editor = new MaskEditor(canvas, () => {});
      return [[10, 10], [10.5, 20.9], [20.99, 30.01], [0, 0]].map(([x, y]) => {
        editor.begin([x, y], radius, false);
        editor.end();
        return editor.context.getImageData(Math.floor(x), Math.floor(y), 1, 1).data[3] >= 128;
      });
    }"""
    assert all(scripts.evaluate(clicked, radius))


def test_a_press_and_the_focus_outlive_new_words_of_a_line(scripts: Page) -> None:
    scripts.evaluate("""async () => {
      const { make, renew } = await import("/shared/dom.js");
      window.cancelled = [];
      const box = document.body.appendChild(make("div"));
      const line = ([id, done]) => make("div", { "data-id": id, class: done > 0.5 ? "late" : null },
        make("span", { style: `width: ${100 * done}%` }), done < 0.9 && make("b", {}, id),
        make("button", { onclick: () => window.cancelled.push(id) }, `Cancel ${id} at ${done}`));
      window.show = (...jobs) => renew(box, jobs.map(line));
      window.show(["a", 0.1], ["b", 0.2]);
    }""")
    button = scripts.get_by_role("button", name="Cancel b")
    button.hover()
    scripts.mouse.down()
    scripts.evaluate("show(['a', 0.6], ['b', 0.3])")
    scripts.mouse.up()
    assert scripts.evaluate("cancelled") == ["b"]
    scripts.evaluate("show(['b', 0.95], ['c', 0.1])")  # the job before it has ended
    assert scripts.evaluate("document.activeElement.textContent") == "Cancel b at 0.95"
    lines = "[...document.querySelectorAll('[data-id]')].map((one) => [one.className, one.innerText])"
    assert scripts.evaluate(lines) == [["late", "Cancel b at 0.95"], ["", "cCancel c at 0.1"]]
    scripts.get_by_role("button", name="Cancel c").click()
    assert scripts.evaluate("cancelled") == ["b", "c"]
    scripts.evaluate("show()")
    assert scripts.get_by_role("button").count() == 0


def test_one_timer_follows_a_box_however_often_it_is_shown_anew(scripts: Page) -> None:
    scripts.evaluate("""async () => {
      const { floater } = await import("/shared/toast.js");
      const box = document.body.appendChild(document.createElement("div"));
      box.style.cssText = "position: fixed; right: 0; bottom: 0; width: 90px; height: 30px";
      const float = floater(box, null);
      for (let shown = 0; shown < 20; shown++) float(true);
      window.looks = 0;
      const look = Element.prototype.matches;
      box.matches = function (asked) { window.looks++; return look.call(this, asked); };
    }""")
    scripts.wait_for_timeout(1100)
    assert 2 <= scripts.evaluate("looks") <= 5


def test_the_folders_of_an_image_stay_in_their_order_in_whatever_alphabet(scripts: Page) -> None:
    """The name is cut off at its beginning, for which its element runs from right to left."""
    places = """async () => {
      const { chosenPane } = await import("/inspect/chosen.js");
      document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: "/inspect.css" }));
      document.body.innerHTML = `<div class="viewer"><div class="vw-strip"></div><div class="vw-tablebox"><table>
        <tbody></tbody></table></div><span class="vw-position"></span>
        <div style="display: flex"><span class="vw-name"></span></div></div>`;
      const name = "defect/\u0634\u0631\u062e/7.png";
      const store = { subscribe: (names, show) =>
        names[0] === "pictured" && show({ pictured: "a", byId: new Map([["a", { name }]]) }) };
      chosenPane({ viewer: document.querySelector(".viewer"), store });
      await new Promise((done) => (document.querySelector("link").onload = done));
      const text = document.createTreeWalker(document.querySelector(".vw-name"), NodeFilter.SHOW_TEXT).nextNode();
      return [0, name.length - 1].map((at) => {
        const range = document.createRange();
        range.setStart(text, at);
        range.setEnd(text, at + 1);
        return range.getBoundingClientRect().left;
      });
    }"""
    first, last = scripts.evaluate(places)
    assert first < last


# --- every page -----------------------------------------------------------------------------------------------


def test_the_frame_works_where_the_browser_stores_nothing(scripts: Page) -> None:
    frame = (ROOT / "assets" / "frame.js").read_text("utf-8")
    refused = """for (const where of ['localStorage', 'sessionStorage'])
      Object.defineProperty(window, where, { get() { throw new DOMException('refused', 'SecurityError'); } });"""
    body = f"<script>{refused}{frame}</script><button data-theme-toggle>Theme</button>"
    scripts.route(SITE + "bare", lambda route: route.fulfill(body=body, content_type="text/html"))
    scripts.goto(SITE + "bare")
    is_dark = "document.documentElement.classList.contains('dark')"
    assert scripts.evaluate(is_dark) is False
    for wanted in (True, False, True):
        scripts.click("[data-theme-toggle]")
        assert scripts.evaluate(is_dark) is wanted
    scripted = {WHO_JS: "", f"({gallery.KEEP_JS})('Train')": ["Train"], f"({gallery.KEPT_JS})()": ""}
    assert {script: scripts.evaluate(script) for script in scripted} == scripted
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.headers["x-exdd-dataset"])
        route.fulfill(status=200, body="{}")

    scripts.route(SITE + "queue/join", refuse)
    scripts.evaluate("fetch('/queue/join')")
    assert asked == [""]


def test_a_refusal_that_is_no_json_is_said(browser: Browser) -> None:
    frame = (ROOT / "assets" / "frame.js").read_text("utf-8")
    with visiting(browser, errors=False) as page:
        body = f"<script>{frame}</script><div class='gradio-container'><main class='page'></main></div>"
        page.route(SITE + "**", lambda route: route.fulfill(body=body, content_type="text/html"))
        page.route(SITE + "queue/join", lambda route: route.fulfill(status=403, body="<h1>Forbidden</h1>"))
        page.goto(SITE)
        answered = "fetch('/queue/join').then((answer) => answer.text())"
        assert page.evaluate(answered) == '{"detail": []}'
        assert "Sign in again" in page.locator(".frame-refused").inner_text()


def test_a_line_that_the_browser_does_not_copy_is_selected(scripts: Page) -> None:
    """At a plain http address there is no clipboard; elsewhere it may be refused."""
    steps = """async (clipboard) => {
      const { copyButton } = await import("/shared/parts.js");
      const value = clipboard && { writeText: () => Promise.reject(new DOMException("", "NotAllowedError")) };
      Object.defineProperty(navigator, "clipboard", { value, configurable: true });
      const line = Object.assign(document.createElement("code"), { textContent: "exdd evaluate" });
      const button = copyButton(line);
      document.body.replaceChildren(line, button);
      button.click();
      await tick();
      return [getSelection().toString(), button.textContent];
    }"""
    for clipboard in (False, True):
        assert scripts.evaluate(steps, clipboard) == ["exdd evaluate", "Selected; press Ctrl+C or ⌘C"]


def test_an_order_that_is_on_its_way_is_not_sent_twice(scripts: Page) -> None:
    """On a slow connection somebody presses Queue again, not as a double click."""
    steps = """async () => {
      const [{ painter }, { createStore }, { FRESH }] = await Promise.all(
        ["/studio/painting.js", "/shared/store.js", "/studio/state.js"].map((file) => import(file)));
      const asked = [];
      const call = (name) => (asked.push(name), new Promise((done) => (window.answer = done)));
      const studio = { root: document.body, store: createStore(FRESH), call, attempt, toast() {}, say() {} };
      const { queue } = painter(studio);
      queue();
      queue();
      answer({ job: "a", count: 2 });
      await tick();
      queue();
      return asked.filter((name) => name === "queue").length;
    }"""
    assert scripts.evaluate(steps) == 2


def test_a_silent_server_is_said_until_it_answers_and_ends_what_waits(scripts: Page) -> None:
    """Gradio would cover the page, and reload it without what was typed."""
    steps = """async () => {
      const page = '<main class="page"><p class="st-message"></p><p class="st-toast"></p></main>';
      document.body.innerHTML = `<div class="gradio-container">${page}</div>`;
      const frame = await (await fetch("/frame.js")).text();
      const { SILENT, caller } = await import("/shared/server.js");
      const { voice } = await import("/shared/voice.js");
      const broken = new ReadableStream({ pull: () => Promise.reject(new TypeError("network error")) });
      let answers = () => Promise.reject(new TypeError("Failed to fetch"));
      window.fetch = () => answers();
      document.head.appendChild(document.createElement("script")).textContent = frame;
      const { attempt } = voice(document.querySelector(".page"));
      const look = attempt(caller({ look: () => fetch("component_server") }).bind(null, "look"));
      const said = () => document.body.innerText.split(SILENT).length - 1;
      const counts = [said()];
      const step = async (asked) => (await asked, counts.push(said()));
      await step(look());
      const ended = await fetch("/queue/join");
      await step(ended);
      answers = async () => new Response("Bad gateway", { status: 502 });
      await step(fetch("/queue/join"));
      answers = async () => new Response("{}");
      await step(fetch("component_server"));
      answers = async () => new Response(broken);
      const last = await (await fetch("/queue/data")).text();
      await step(last);
      answers = async () => new Response("data: close_stream");
      const whole = await (await fetch("/queue/data")).text();
      await step(whole);
      window.dispatchEvent(new Event("pagehide"));
      answers = () => Promise.reject(new TypeError("network error"));
      await step(fetch("/queue/data"));
      return [counts, ended.status, await ended.text(), last.match(/"msg":"\\w+"/g), whole];
    }"""
    counts, *answers = scripts.evaluate(steps)
    assert counts == [0, 1, 2, 2, 0, 1, 0, 0]
    last = ['"msg":"unexpected_error"', '"msg":"close_stream"']
    assert answers == [422, '{"detail": []}', last, "data: close_stream"]


def test_the_focus_stays_where_a_press_draws_its_place_anew(scripts: Page) -> None:
    scripts.evaluate("""async () => {
      const text = await (await fetch("/frame.js")).text();
      document.body.innerHTML = `<main id="content"><div id="box"></div>
        <details><summary>Export</summary><button>As CSV</button></details></main>`;
      document.head.appendChild(document.createElement("script")).textContent = text;
      document.querySelector("details button").onclick = () => (document.querySelector("details").open = false);
      window.presses = 0;
      const act = () => {
        window.presses += 1;
        show(`Missed ${window.presses}`, "Delete one", "Normal");
      };
      window.show = (...words) => document.querySelector("#box").replaceChildren(...words.map((name) =>
        Object.assign(document.createElement("button"), { textContent: name, onclick: act })));
      window.show("Missed 0", "Delete one", "Normal");
    }""")
    focused = "document.activeElement.textContent"
    scripts.get_by_role("button", name="Missed").focus()
    for count in (1, 2):  # the second press reaches what came instead
        scripts.keyboard.press("Enter")
        assert scripts.evaluate(f"[presses, {focused}]") == [count, f"Missed {count}"]
    scripts.evaluate("show('Cancel')")  # Tab goes on from there, and what comes back has the focus again
    assert scripts.evaluate("document.activeElement.id") == "box"
    scripts.evaluate("show('Normal', 'Missed 9')")
    assert scripts.evaluate(focused) == "Missed 9"
    scripts.evaluate("document.activeElement.disabled = true")
    scripts.wait_for_function("document.activeElement.id === 'box'")
    scripts.keyboard.press("x")
    scripts.evaluate("show('Missed 9')")  # somebody has gone on meanwhile
    assert scripts.evaluate("document.activeElement.id") == "box"
    scripts.evaluate("show('Delete one', 'Delete one')")
    scripts.get_by_role("button", name="Delete").first.focus()
    scripts.keyboard.press("Enter")  # a key that is held down deletes nothing else
    assert scripts.evaluate("document.activeElement.id") == "box"
    scripts.locator("summary").click()
    scripts.get_by_role("button", name="As CSV").focus()
    scripts.keyboard.press("Enter")
    scripts.wait_for_function("document.activeElement.textContent === 'Export'")
    scripts.evaluate("document.activeElement.blur()")  # given up on purpose
    scripts.evaluate("() => new Promise(requestAnimationFrame).then(() => show('Missed 1'))")
    assert scripts.evaluate("document.activeElement === document.body")


def test_a_double_click_begins_a_job_once_and_repeats_a_step(scripts: Page) -> None:
    scripts.evaluate("""async () => {
      const text = await (await fetch("/frame.js")).text();
      document.body.innerHTML = ["Queue 50", "Score 31 more", "Next"].map((name) =>
        `<button onclick="presses['${name}'] = (presses['${name}'] || 0) + 1"> ${name}</button>`).join(" ");
      document.head.appendChild(document.createElement("script")).textContent = text;
      window.presses = {};
    }""")
    for button in scripts.get_by_role("button").all():
        button.dblclick()
    assert scripts.evaluate("presses") == {"Queue 50": 1, "Score 31 more": 1, "Next": 2}
    scripts.get_by_role("button", name="Queue").click()  # whoever wants it twice presses it twice
    assert scripts.evaluate("presses")["Queue 50"] == 2


def test_a_hint_of_cut_words_goes_when_they_are_whole(scripts: Page) -> None:
    scripts.evaluate("""async () => {
      const text = await (await fetch("/frame.js")).text();
      document.body.innerHTML = `<p id="one" style="width: 60px; overflow: hidden; white-space: nowrap;
        text-overflow: ellipsis">A long name of an image</p>`;
      document.head.appendChild(document.createElement("script")).textContent = text;
    }""")
    title = "document.querySelector('#one').title"
    for name in ("A long name of an image", "Another long name of one"):
        scripts.evaluate("(name) => (document.querySelector('#one').textContent = name)", name)
        scripts.mouse.move(300, 300)
        scripts.hover("#one")
        assert scripts.evaluate(title) == name
    scripts.evaluate("document.querySelector('#one').textContent = 'Short'")
    scripts.mouse.move(300, 300)
    scripts.hover("#one")
    assert scripts.evaluate(title) == ""
    scripts.evaluate("document.querySelector('#one').title = 'The page says this'")
    scripts.mouse.move(300, 300)
    scripts.hover("#one")
    assert scripts.evaluate(title) == "The page says this"


def test_a_list_stays_open_while_a_job_runs_and_the_page_is_told_only_of_changes(scripts: Page) -> None:
    """What is next is asked for a moment after the last change: a job that told its progress put it off for ever."""
    header = (ROOT / "assets" / "jobs.html").read_text("utf-8")
    scripts.evaluate("(html) => (document.body.innerHTML = html)", header)
    scripts.evaluate("""async () => {
      const { start } = await import("/jobs/page.js");
      const others = [{ title: "plates", query: { dataset: "plates" } }];
      const job = { id: "1", title: "Building", text: "", link: null, ended: null };
      window.looks = window.told = 0;
      window.state = "running";
      document.addEventListener("exdd-active", () => window.told++);
      const look = async () => ({ stamp: `${++window.looks}`, dataset: "demo", loading: false,
        chips: [{ url: "./data", label: "Data set", value: "demo", warning: "", others }],
        jobs: [{ ...job, state: window.state, fraction: window.looks / 100 }] });
      start(document.body, { look, act: look });
    }""")
    scripts.locator(".pick summary").click()
    scripts.wait_for_function("looks >= 3")
    assert scripts.locator(".pick[open]").count() == 1
    assert scripts.evaluate("told") == 1
    scripts.evaluate("window.state = 'done'")
    scripts.wait_for_function("told === 2")


# --- Curate ---------------------------------------------------------------------------------------------------


def test_the_question_who_decides_cannot_be_left_without_a_name(scripts: Page) -> None:
    scripts.set_content(CURATE)
    scripts.evaluate("""async () => {
      const { knowWho } = await import("/curate/who.js");
      const { createStore } = await import("/shared/store.js");
      const store = createStore({ who: "" });
      knowWho({ page: document.querySelector(".page"), store }).then(() => (window.known = store.get().who));
    }""")
    field = scripts.locator(".cu-askwho")
    for _ in range(3):
        scripts.keyboard.press("Escape")
        scripts.wait_for_timeout(50)
    field.click(timeout=5000)
    scripts.keyboard.type(" Anna  B ")
    scripts.keyboard.press("Enter")
    scripts.wait_for_function("window.known === 'Anna B'", timeout=5000)
    assert scripts.locator("dialog[open]").count() == 0


def test_a_mask_that_arrives_late_is_not_trimmed_on_another_candidate(scripts: Page) -> None:
    scripts.set_content(CURATE)
    scripts.evaluate("""async () => {
      const { showTrimming } = await import("/curate/trimming.js");
      const { createStore } = await import("/shared/store.js");
      const shown = (id) => ({ id, status: "pending", holder: "", width: 8, height: 8 });
      const store = createStore({ shown: shown("a"), at: "a", tool: "", view: { brush: 4 }, strokes: 0, past: [] });
      window.opened = 0;
      const editor = { past: [], future: [] };
      const viewer = { editor, open: () => window.opened++, setTool() {}, brush: 0, showBrush() {} };
      const voice = { attempt: window.attempt, toast() {} };
      const pane = { page: document.querySelector(".page"), store, call: window.call, voice, viewer };
      Object.assign(window, { store, shown, trimming: showTrimming(pane, { undoOne() {} }) });
    }""")
    empty = "document.createElement('canvas').toDataURL()"
    mask = f"{{ layer: {empty}, width: 8, height: 8 }}"
    scripts.evaluate("void trimming.start()")
    scripts.evaluate("store.patch({ at: 'b', shown: shown('b') })")
    scripts.evaluate(f"held.a.done({mask})")
    scripts.wait_for_timeout(100)
    assert scripts.evaluate("[opened, store.get().tool]") == [0, ""]
    scripts.evaluate("void trimming.start()")
    scripts.evaluate(f"held.b.done({mask})")
    scripts.wait_for_function("opened === 1 && store.get().tool === 'eraser'")


def test_the_end_of_a_wait_leaves_another_question_open(scripts: Page) -> None:
    scripts.set_content(CURATE)
    scripts.evaluate("""async () => {
      const { follower, sheet } = await import("/curate/sheet.js");
      const page = document.querySelector(".page");
      sheet(page, "Accept them?", []);
      window.over = false;
      const call = async () => ({ over: window.over, fraction: 0.5, text: "5 of 10" });
      const followed = follower(page, call, { attempt: window.attempt });
      window.ended = followed({ run: "1" });
      await window.tick();
      sheet(page, "Who decides?", []);
      window.over = true;
      await window.ended;
    }""")
    assert scripts.locator("dialog[open] h2").inner_text() == "Who decides?"


def test_a_picture_that_is_not_there_yet_shows_no_other_candidate(scripts: Page) -> None:
    scripts.evaluate("""async () => {
      const { CurateView } = await import("/curate/view.js");
      const view = document.body.appendChild(document.createElement("div"));
      view.style.cssText = "width: 300px; height: 300px";
      const told = { painted() {}, slid() {}, zoomed() {} };
      window.view = new CurateView(view, told);
      const canvas = Object.assign(document.createElement("canvas"), { width: 8, height: 8 });
      window.picture = canvas.toDataURL();
      const outline = [[[1, 1], [4, 1], [4, 4]]];
      window.show = (before) => window.view.show({ before, after: window.picture, width: 8, height: 8, outline });
      window.show(window.picture);
    }""")
    visible = "getComputedStyle(view.before).visibility"
    scripts.wait_for_function(f"{visible} === 'visible'")
    scripts.route(SITE + "late.png", lambda route: None)  # not answered
    scripts.evaluate("show('/late.png')")
    scripts.wait_for_function(f"{visible} === 'hidden'", timeout=5000)
    scripts.evaluate("show(picture)")
    scripts.wait_for_function(f"{visible} === 'visible'")


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


def test_a_name_that_is_typed_stays_while_a_training_runs(scripts: Page) -> None:
    scripts.set_content("""<div class="studio"><details class="st-teach"><summary>Teach</summary>
      <div class="st-taught"></div></details></div>""")
    scripts.evaluate("""async () => {
      const { teachingPane } = await import("/studio/teaching.js");
      const { createStore } = await import("/shared/store.js");
      const engines = [{ name: "sdxl", teaches: true, controls: [], missing: "" }];
      const store = createStore({ engine: "", engines });
      const losses = { best: 0, before: 1, after: 1 };
      const adapter = { name: "first", images: 8, dataset: "demo", ...losses, inUse: false, samples: [] };
      window.looks = 0;
      const call = async () => ({ engine: "sdxl", setting: "", missing: "", problem: "", surface: "", trigger: "",
        job: { id: "1", title: "Teaching", active: true, text: `Step ${++window.looks}`, fraction: 0.1, samples: [] },
        inUse: "", adapters: [adapter] });
      const root = document.querySelector(".studio");
      teachingPane({ root, store, call, attempt: window.attempt, say: (words) => (window.said = words) });
      store.patch({ engine: "sdxl" });
    }""")
    scripts.locator("summary").click()
    scripts.get_by_role("button", name="Drop").click()
    sure = scripts.get_by_role("button", name="Drop permanently")
    sure.wait_for()
    scripts.wait_for_function("looks >= 3")
    assert sure.count() == 1 and scripts.evaluate("window.said") is None
    assert scripts.locator(".st-training span", has_text="Step").count() == 1


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


def test_a_job_that_was_begun_after_another_is_followed_in_its_place(scripts: Page) -> None:
    """Else an export that was asked for while a list was scored would never be saved."""
    scripts.set_content("<div class='viewer'><div class='vw-job'></div></div>")
    followed = scripts.evaluate("""async () => {
      const { createStore } = await import("/shared/store.js");
      const { scoringPane } = await import("/inspect/scoring.js");
      const { initial } = await import("/inspect/state.js");
      const store = createStore(initial({ opacity: 0.5 }, null));
      const asked = {};
      const call = (name, { job }) => new Promise((done) => (asked[job] = done));
      const more = { call, attempt: window.attempt, say() {}, toast() {} };
      scoringPane({ viewer: document.querySelector(".viewer"), store, ...more });
      const job = (id) => ({ id, running: true, fraction: 0, text: "" });
      store.patch({ job: job("a") });
      while (!asked.a) await window.tick();
      store.patch({ job: job("b") });
      asked.a({ rows: {}, seen: 0, job: { ...job("a"), running: false } });
      await window.tick();
      return store.get().job?.id;
    }""")
    assert followed == "b"


def test_what_is_kept_of_one_image_ends_no_drawing_on_the_next(scripts: Page) -> None:
    marked = scripts.evaluate("""async () => {
      const { createStore } = await import("/shared/store.js");
      const { keepMark } = await import("/inspect/marking.js");
      const { initial } = await import("/inspect/state.js");
      const store = createStore({ ...initial({ opacity: 0.5 }, null), id: "a", marking: { action: "outline" } });
      const inspect = { store, call: window.call, attempt: window.attempt, toast() {}, pictures: new Map() };
      const kept = keepMark(inspect, { action: "outline", who: "Ann", type: "", layer: "" });
      store.patch({ id: "b", marking: { action: "missed" } });
      window.held.a.done({ picture: {}, said: "Saved." });
      await kept;
      return store.get().marking?.action;
    }""")
    assert marked == "missed"


def test_a_picture_of_the_former_data_set_is_not_shown_in_the_region_of_the_next(scripts: Page) -> None:
    shown = scripts.evaluate("""async () => {
      const { createStore } = await import("/shared/store.js");
      const { stepper } = await import("/data/changes.js");
      const store = createStore({ dataset: "a", picture: { index: 0 } });
      const stepped = stepper({ store, call: window.call, voice: { attempt: window.attempt } })(1);
      store.patch({ dataset: "b", picture: null });
      window.held.a.done({ picture: document.createElement("canvas").toDataURL() });
      await stepped;
      return store.get().picture;
    }""")
    assert shown is None


def test_a_plot_that_left_the_page_is_given_back_once_it_is_drawn(scripts: Page) -> None:
    scripts.clock.install()
    scripts.evaluate("""async () => {
      window.purged = [];
      window.Plotly = { react() {}, purge: (place) => purged.push(place.id) };
      const { plot } = await import("/evaluate/plots.js");
      const places = ["a", "b", "c"].map((id) => Object.assign(document.createElement("div"), { id }));
      for (const place of places) {
        document.body.replaceChildren(place);
        plot(place, { data: [], layout: {} }, 100, "figure");
      }
    }""")
    scripts.clock.fast_forward(5_000)
    assert scripts.evaluate("purged") == []
    scripts.clock.fast_forward(60_000)
    assert scripts.evaluate("purged") == ["a", "b"]
