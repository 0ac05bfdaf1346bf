"""What must hold between the steps of a session: nothing is lost, nothing is shown that is not so, nothing overlaps."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from exdd_core import jobs, later, studio
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.progress import Progress
from exdd_core.review.next_steps import Step
from exdd_core.synthesis.mask_spec import MaskSpec
from exdd_core.synthesis.orders import Order
from exdd_core.workspace import Workspace, candidates, thresholds
from exdd_core.workspace.imports import import_dataset
from exdd_core.workspace.versions import activate_bank
from pages import next_steps
from pages.html import PAGES
from tests.browser import (
    MOVED,
    SIDEWAYS,
    SLOW,
    STILL,
    TELLING,
    chosen,
    holding,
    opened,
    ready,
    said,
    scored,
    serving,
    shoot,
    until,
    visiting,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

# Whether an element ends within another one, with a pixel for rounding.
INSIDE = """([inner, outer]) => {
  const [a, b] = [inner, outer].map((one) => document.querySelector(one).getBoundingClientRect());
  return a.left >= b.left - 1 && a.right <= b.right + 1 && a.width > 0;
}"""

# The words of buttons and fields that a box lies over.
UNDER = """(name) => {
  const box = document.querySelector(name), over = box.getBoundingClientRect();
  const isUnder = (box) => box.width && box.left < over.right && box.right > over.left &&
    box.top < over.bottom && box.bottom > over.top;
  return [...document.querySelectorAll('button, input, select, textarea, [role=progressbar]')]
    .filter((one) => !box.contains(one) && isUnder(one.getBoundingClientRect()))
    .map((one) => one.textContent || one.className);
}"""

# What the header sends when somebody made another version active: the page looks whether its bank has changed.
LOOK = "document.dispatchEvent(new CustomEvent('exdd-active'))"


@pytest.fixture(scope="module")
def workspace(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with two bank versions and three candidates."""
    folder = tmp_path_factory.mktemp("flow") / "workspace"
    shutil.copytree(demo_workspace.path, folder)
    made = Workspace.open(folder)
    mask = MaskSpec(source="generated", shape="scratch", vary=True).to_json()
    order = Order(dataset="demo", engine="procedural", template="scratch", mask=mask, count=3, seed=5)
    studio.run_batch(made, order, Progress(), "painted")
    build_bank(made, "demo", positives="none", activate=False)
    return made


@pytest.fixture(scope="module")
def address(workspace: Workspace) -> Iterator[str]:
    with serving(workspace) as address:
        yield address


def known_as(page: Page, name: str) -> None:
    page.add_init_script(f"localStorage.setItem('exdd.who', '{name}')")


def test_a_stopped_server_leaves_no_picture_under_another_name(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    """Name, picture and verdict are always those of one image."""
    with visiting(browser, errors=False) as page:
        opened(page, address, chosen(workspace)[0])
        name = page.locator(".vw-name").inner_text()
        page.context.set_offline(True)
        page.locator(".vw-thumb").last.click()  # whose picture this browser does not have
        page.locator(".vw-cover", has_text="is not responding").wait_for(timeout=SLOW)
        assert page.locator(".vw-base").count() == 0 and page.locator(".vw-verdict").count() == 0
        assert page.locator(".vw-name").inner_text() != name
        # And a decision that was not stored does not count, once the server is there again.
        page.context.set_offline(False)
        known_as(page, "Anna")
        page.goto(address + "curate")
        ready(page)
        pending = page.locator(".st-chip[data-status=pending] b")
        page.locator(".cu-accept:enabled").wait_for(timeout=SLOW)  # before, the key decides on nothing
        before = pending.inner_text()
        page.context.set_offline(True)
        page.keyboard.press("a")
        page.locator(".st-message", has_text="is not responding").wait_for(timeout=SLOW)
        assert pending.inner_text() != before
        page.context.set_offline(False)
        until(page, lambda: pending.inner_text() == before)
        page.locator(".st-message", has_text="is not responding").wait_for(state="hidden")
        # Nor is the page loaded anew, without what was typed.
        page.goto(address + "data")
        folder = page.locator("#import-path").locator("input, textarea").first
        folder.fill("/home/anna/parts")
        page.context.set_offline(True)
        page.get_by_role("button", name="Preview").click()
        said = page.locator(".frame-refused", has_text="is not responding")
        said.wait_for(timeout=SLOW)
        page.context.set_offline(False)
        said.wait_for(state="detached", timeout=SLOW)
        page.get_by_role("button", name="Preview").click()
        page.get_by_text("does not exist").first.wait_for(timeout=SLOW)
        assert folder.input_value() == "/home/anna/parts"


def test_another_active_version_is_announced_and_not_applied(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    first, second = reversed(workspace.banks()) if workspace.banks()[0].number > 1 else workspace.banks()
    with visiting(browser) as page, visiting(browser) as other:
        opened(page, address, chosen(workspace)[0])
        map_of = page.locator(".vw-over").nth(1)
        before = map_of.get_attribute("src")
        other.goto(address + "evaluate")
        other.locator(".frame-chips", has_text=first.name).wait_for(timeout=SLOW)
        try:
            activate_bank(workspace, second.id)
            page.locator(".vw-other", has_text=f"{second.name} was activated elsewhere").wait_for(
                timeout=SLOW
            )
            page.keyboard.press("ArrowRight")
            scored(page)
            assert page.locator(".vw-bank").first.inner_text().startswith(f"Bank {first.name} ")
            page.keyboard.press("ArrowLeft")
            scored(page)
            until(page, lambda: map_of.get_attribute("src") == before)
            page.get_by_role("button", name=f"Use {second.name}").click()
            page.locator(".vw-bank", has_text=f"Bank {second.name} ").first.wait_for(timeout=SLOW)
            other.locator(".frame-elsewhere", has_text=f"Bank {second.name}").wait_for(timeout=SLOW)
            other.locator(".frame-elsewhere").get_by_role("button", name="Open it here").click()
            other.locator(".frame-elsewhere").wait_for(state="hidden")
        finally:
            activate_bank(workspace, first.id)


def test_a_mark_says_that_a_name_is_missing_and_a_filter_outlives_a_reload(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with visiting(browser) as page:
        opened(page, address, chosen(workspace)[0])
        page.keyboard.press("m")
        view = page.locator(".vw-view.vw-marking").bounding_box()
        assert view
        page.mouse.click(view["x"] + view["width"] / 2, view["y"] + view["height"] / 2)
        page.click(".vw-keep")
        page.locator(".vw-markbar .vw-noname", has_text='Enter your name in "By"').wait_for()
        assert page.evaluate("document.activeElement.className") == "vw-who"
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        page.click(".vw-cut summary")  # nor is a threshold anybody's
        page.click(".vw-use")
        page.locator(".vw-cut .vw-noname", has_text='Enter your name in "By"').wait_for()
        page.click(".vw-cut summary")
        page.click("[data-filter=defect]")
        assert "filter=defect" in page.url
        page.reload()
        scored(page)
        assert page.locator("[data-filter=defect]").get_attribute("aria-pressed") == "true"
        assert page.locator(".vw-thumb").count() == len(chosen(workspace))
        page.emulate_media(reduced_motion="reduce")
        cover = "Object.assign(document.createElement('p'), { className: 'vw-cover vw-waiting' })"
        add = "(one) => document.querySelector('.vw-view').append(one) || getComputedStyle(one).animationDuration"
        assert page.evaluate(f"({add})({cover})") == "0.001s"
        page.click("[data-view=table]")
        longest = "(one) => (one.textContent = 'x'.repeat(63)) && one.parentElement.offsetWidth"
        assert page.locator(".vw-table td:nth-child(2) > span").first.evaluate(longest) < 200
        page.click("[data-view=strip]")
        # Nor does a long name push the other reason aside, or itself out of the window.
        page.set_viewport_size({"width": 1024, "height": 768})
        for reason in (".vw-why-exdd", ".vw-why-patchcore"):
            page.locator(reason).evaluate("(one) => (one.textContent = 'x'.repeat(200))")
            told = page.locator(reason).bounding_box()
            assert told and 400 < told["width"] < 500 and told["x"] + told["width"] <= 1024
        assert page.evaluate(SIDEWAYS) <= 0
        cut = "(all) => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent)"
        assert page.locator(".vw-head .vw-verdict").evaluate_all(cut) == []
        # Where there is room, the strip lies at the side.
        page.set_viewport_size({"width": 1920, "height": 1080})
        strip, panes = page.locator(".vw-strip").bounding_box(), page.locator(".vw-panes").bounding_box()
        assert strip and panes and strip["x"] + strip["width"] <= panes["x"] and strip["height"] > 600
        shoot(page, "inspect-1920")


def test_nothing_overlaps_on_curate_whatever_the_window_down_to_a_phones(
    browser: Browser, address: str
) -> None:
    with visiting(browser, 1280, 720) as page:
        known_as(page, "Anna")
        page.add_init_script(MOVED)
        page.goto(address + "curate")
        ready(page)
        assert page.evaluate("window.moved") < 0.005, page.evaluate("window.movers")
        for width in (933, 1024, 1199, 1200, 1280, 1340, 1400):
            page.set_viewport_size({"width": width, "height": 720})
            for inner in (".cu-type", ".cu-undo", ".cu-next"):
                assert page.evaluate(INSIDE, [inner, ".cu-middle"]), (inner, width)
            page.keyboard.press("r")
            reasons, accept = (page.locator(one).bounding_box() for one in (".cu-reasons", ".cu-accept"))
            assert reasons and accept and reasons["y"] + reasons["height"] < accept["y"], width
            page.keyboard.press("Escape")
            assert page.evaluate("document.querySelector('.cu-type').offsetWidth") >= 92, (
                width
            )  # a type's name
            assert page.evaluate(SIDEWAYS) <= 0
        page.set_viewport_size({"width": 390, "height": 844})
        middle, queue, about = (
            page.locator(f".cu-{part}").bounding_box() for part in ("middle", "queue", "right")
        )
        assert middle and queue and about
        assert middle["y"] + middle["height"] <= queue["y"] and queue["y"] + queue["height"] <= about["y"]
        assert page.evaluate(SIDEWAYS) <= 0
        for inner in (".cu-accept", ".cu-undo", ".cu-type", ".cu-view"):
            assert page.evaluate(INSIDE, [inner, ".cu-middle"]), inner
        # No page's link lies below the switch of light and dark.
        assert page.evaluate(INSIDE, [".frame-links nav a:last-child", ".frame-header > :first-child"])
        assert page.evaluate("document.querySelector('.cu-bar').offsetHeight") < 84  # a name, and one row
        page.emulate_media(color_scheme="dark")
        shoot(page, "curate-390-dark")


def test_a_phone_can_look(browser: Browser, address: str, workspace: Workspace) -> None:
    with visiting(browser, 390, 844) as page:
        known_as(page, "Anna")
        opened(page, address, chosen(workspace)[0])
        page.locator(".vw-panepick button[data-solo='3'][aria-pressed=true]").wait_for()
        pane = page.locator(".vw-view[data-pane='3']").bounding_box()
        assert pane and pane["width"] > 240
        # The picture with its verdict, and what can be done about it, are seen without scrolling.
        for part in (
            ".vw-view[data-pane='3']",
            ".vw-head .vw-verdict >> visible=true",
            ".vw-missed",
            ".vw-thumb >> nth=0",
        ):
            box = page.locator(part).bounding_box()
            assert box and box["y"] >= 0 and box["y"] + box["height"] <= 844, part
        assert pane["y"] < 300 and page.evaluate("scrollY") == 0
        assert page.evaluate("document.querySelector('.vw-name').offsetWidth") >= 96  # the end of its name
        for menu in (".vw-add", ".vw-cut", ".vw-export"):
            page.locator(f"{menu} summary").click()
            page.locator(f"{menu} .vw-sheet").wait_for()
            assert page.evaluate(INSIDE, [f"{menu} .vw-sheet", ".vw-bar"]), menu
            page.keyboard.press("Escape")
        for width, height in ((700, 450), (820, 1180)):  # 1400 x 900 at 200 % zoom, and a tablet
            page.set_viewport_size({"width": width, "height": height})
            page.evaluate("() => new Promise((done) => setTimeout(done, 100))")
            assert page.locator(".vw-view >> visible=true").count() == 1 and page.evaluate(SIDEWAYS) <= 0
            shoot(page, f"inspect-{width}")
        page.locator(".vw-panepick").get_by_text("Image").click()
        page.locator(".vw-view[data-pane='1']").wait_for()


def test_nothing_moves_when_inspect_says_what_a_threshold_or_version_is_worth(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    """Neither when the last image is scored, nor when somebody makes another version active."""
    bank, (other,) = workspace.bank(), [one for one in workspace.banks() if not one.active]
    for number, window in enumerate(((1400, 900), (1280, 720), (1920, 1080), (933, 600))):
        value = 40.0 + number  # by which no image is judged yet
        thresholds.choose(workspace, bank.id, thresholds.Choice(value=value, way="hand", who="Ben"))
        with visiting(browser, *window) as page:
            page.add_init_script(MOVED)
            opened(page, address, chosen(workspace)[0])
            page.wait_for_timeout(1000)
            page.evaluate(STILL)
            blind, another = page.locator(".vw-blind"), page.locator(".vw-other:not(.vw-blind)")
            assert blind.is_hidden()
            page.click(".vw-score")
            blind.get_by_text("finds 0 of").wait_for(timeout=SLOW)
            shoot(page, f"inspect-blind-{window[0]}")
            assert page.evaluate(UNDER, ".vw-blind") == []
            activate_bank(workspace, other.id)
            try:
                page.evaluate(LOOK)
                another.get_by_text(f"{other.name} was activated elsewhere").wait_for(timeout=SLOW)
                shoot(page, f"inspect-other-{window[0]}")
                assert page.evaluate(UNDER, ".vw-other:not(.vw-blind)") == []
            finally:
                activate_bank(workspace, bank.id)
            page.wait_for_timeout(500)
            assert page.evaluate("window.moved") < 0.01, page.evaluate("window.movers")
        thresholds.undo(workspace, bank.id, "Ben")


def test_a_threshold_is_found_used_and_taken_back_and_blindness_is_said(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    defects = len(chosen(workspace))
    with visiting(browser, 1400, 900) as page:
        known_as(page, "Anna")
        opened(page, address, chosen(workspace)[0])
        if page.locator(".vw-score").is_enabled():
            page.click(".vw-score")
        page.get_by_text("All scored").wait_for(timeout=SLOW)
        menu, toast = page.locator(".vw-cut"), page.locator(".st-toast")
        menu.locator("summary").click()
        menu.get_by_role("button", name="By cost").click()
        menu.locator(".vw-counts", has_text=f"of {defects}").filter(has_text="interval").wait_for(
            timeout=SLOW
        )
        page.locator(".vw-cutline").focus()
        page.keyboard.press("End")  # dragged beyond every score
        menu.locator(".vw-counts", has_text=f"finds 0 of {defects} known").wait_for()
        shoot(page, "inspect-threshold")
        menu.get_by_role("button", name="Use this").click()
        page.locator(".vw-blind", has_text=f"finds 0 of {defects} known defects").wait_for(timeout=SLOW)
        scored(page)
        assert page.locator(".vw-verdict.defect").count() <= 1  # PatchCore's own
        menu.locator("summary").click()
        menu.locator(".vw-help", has_text="by Anna").wait_for()
        menu.locator(".vw-cutundo").click()
        toast.filter(has_text="Undid the threshold").wait_for(timeout=SLOW)
        page.locator(".vw-blind").wait_for(state="hidden")


def test_a_key_counts_before_the_scores_are_there_and_no_drawing_is_thrown_away(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    """M while an image is scored marks it then; and M while the page asks what a changed bank knows stays."""
    bank = workspace.active_bank("demo")
    assert bank
    with visiting(browser, 1400, 900) as page:
        known_as(page, "Anna")
        hints = page.locator(".vw-hints")
        with holding(page, "picture"):
            page.goto(f"{address}?image={quote(chosen(workspace)[0], safe='')}")
            page.locator(".vw-cover", has_text="Opening the image").wait_for(timeout=SLOW)
            assert hints.is_hidden()  # what comes above would push them down
        scored(page)
        place = hints.bounding_box()
        with holding(page, "inspect") as held:
            page.locator(f".vw-thumb[data-id='{chosen(workspace)[-1]}']").click()
            until(page, lambda: held)
            assert hints.bounding_box() == place  # the image before leaves its height
            page.keyboard.press("m")
            said(page, "still being scored")
            assert page.locator(".vw-markbar").is_hidden()
        page.locator(".vw-usetruth").wait_for(timeout=SLOW)
        page.keyboard.press("Escape")

        scored(page)
        thresholds.choose(workspace, bank.id, thresholds.Choice(value=1.5, way="hand", who="Ben"))
        with holding(page, "known") as held:
            page.evaluate(LOOK)
            until(page, lambda: held)
            page.keyboard.press("m")
            page.locator(".vw-usetruth").wait_for(timeout=SLOW)
        with page.expect_response(lambda answer: "progress" in (answer.request.post_data or "")):
            page.locator(".vw-usetruth").click()
            page.keyboard.press("Escape")
            page.evaluate(LOOK)
        page.locator(".vw-cut summary").click()
        page.locator(".vw-cut .vw-help", has_text="by Ben").wait_for(timeout=SLOW)
        thresholds.undo(workspace, bank.id, "Ben")


def test_a_mark_scores_the_list_again_and_says_what_it_changed(
    browser: Browser, demo_workspace: Workspace, tmp_path: Path
) -> None:
    """M, the true outline, Keep: the list is scored again by itself, and after Undo shows what it showed before."""
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    own = Workspace.open(tmp_path / "workspace")
    with serving(own) as address, visiting(browser, 1400, 900) as page:
        known_as(page, "Anna")
        opened(page, address, chosen(own)[0])
        page.click(".vw-score")
        page.get_by_text("All scored").wait_for(timeout=SLOW)
        chips = page.locator(".vw-filters").inner_text()
        page.keyboard.press("m")
        page.locator(".vw-usetruth").click()
        page.locator(".vw-keep:enabled").click()
        said(page, "now not sure")
        page.get_by_text("All scored").wait_for(timeout=SLOW)
        assert "~" not in page.locator(".vw-filters").inner_text()
        page.keyboard.press("u")
        until(page, lambda: page.locator(".vw-marks").inner_text() == "")
        until(page, lambda: page.locator(".vw-filters").inner_text() == chips)


def with_another_set(demo_workspace: Workspace, demo_dataset: Path, folder: Path) -> Workspace:
    """The demo workspace with a second data set, the active one, and a version of it, which is not."""
    shutil.copytree(demo_workspace.path, folder / "workspace")
    own = Workspace.open(folder / "workspace")
    import_dataset(own, demo_dataset, name="other")
    build_bank(own, "other", positives="real", activate=False)
    return own


def test_more_tabs_than_a_browser_opens_connections(
    demo_workspace: Workspace, page: Page, tmp_path: Path
) -> None:
    """No tab keeps one of the six that a browser opens to a server over HTTP/1.1."""
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    with serving(Workspace.open(tmp_path / "workspace")) as address:
        for path in [*PAGES.values(), "/data"]:
            tab = page.context.new_page()
            tab.goto(address.rstrip("/") + path)
            tab.locator(".frame-footer span").first.wait_for(timeout=SLOW)
        tab.locator("#gallery img").first.wait_for(timeout=SLOW)


@pytest.mark.slow
def test_two_tabs_on_two_data_sets_leave_each_other_alone(
    browser: Browser, demo_workspace: Workspace, demo_dataset: Path, tmp_path: Path
) -> None:
    """A whole round in both, step by step in turn: look, paint, accept, look again."""
    own = with_another_set(demo_workspace, demo_dataset, tmp_path)
    names = ("demo", "other")
    before = {name: rows_of(own, name) for name in names}
    with serving(own) as address, visiting(browser, 1400, 900) as one, visiting(browser, 1024, 768) as two:
        tabs = dict(zip(names, (one, two), strict=True))
        for name, page in tabs.items():
            known_as(page, "Anna" if name == "demo" else "Ben")
            opened(page, f"{address}?dataset={name}", "")
            assert page.locator(".vw-lists").input_value().startswith(f"{name}/")
            page.locator(".frame-chips", has_text=f"· {name}").wait_for(timeout=SLOW)
        for name, page in tabs.items():
            page.get_by_role("link", name="Studio").click()
            page.locator(".studio.st-ready").wait_for(timeout=SLOW)
            page.locator(f".st-sources [data-id^='{name}/']").first.wait_for(timeout=SLOW)
            page.click("[data-kind=generated]")
            page.fill(".st-number", "2")
            page.locator(".st-queue", has_text="Queue 2").click()
        until(page, lambda: all(candidates.count(own, name) == 2 for name in names))
        for page in tabs.values():
            page.get_by_role("navigation", name="Pages").get_by_role("link", name="Curate").click()
            ready(page)
        for page in tabs.values():
            page.keyboard.press("a")
            said(page, "Accepted 1 candidate")
        until(page, lambda: all(candidates.count(own, name, "accepted") == 1 for name in names))
        for name, page in tabs.items():
            page.get_by_role("link", name="Inspect").click()
            scored(page)
            assert f"dataset={name}" in page.url
            assert page.locator(".vw-other:visible, .frame-elsewhere:visible").count() == 0
            shoot(page, f"two-tabs-{name}")
        for name, page in tabs.items():
            page.get_by_role("navigation", name="Pages").get_by_role("link", name="Banks").click()
            bank = own.active_bank(name)
            assert bank
            page.locator("#versions tr.selected", has_text=bank.name).wait_for(timeout=SLOW)
            page.locator("#rows .section-title", has_text=f"Rows of {bank.name} by image").wait_for(
                timeout=SLOW
            )
            page.locator("#due", has_text=bank.name).wait_for(timeout=SLOW)
            assert page.locator("#build input").first.input_value() == name
        other = two.context.new_page()  # Banks is still being answered
        other.goto(f"{address}data?dataset=other")
        other.locator(".section-title", has_text="Images of other").wait_for(timeout=SLOW)
        other.get_by_role("button", name="Open demo").click()
        other.locator(".section-title", has_text="Images of demo").wait_for(timeout=SLOW)
        until(other, lambda: "dataset=demo" in other.url)
    assert all(rows_of(own, name) > before[name] for name in names)  # each accepted into its own bank


def test_a_new_tab_works_with_the_own_version_of_the_active_data_set(
    browser: Browser, demo_workspace: Workspace, demo_dataset: Path, tmp_path: Path
) -> None:
    """Also before its address names the data set, where another set's version was activated last."""
    own = with_another_set(demo_workspace, demo_dataset, tmp_path)
    assert own.active_name() == "other" and own.bank().dataset == "demo"
    with serving(own) as address, visiting(browser) as page:
        opened(page, address)
        page.locator(".frame-chips", has_text="v2 · other").wait_for(timeout=SLOW)
        assert page.locator(".vw-bank").first.inner_text().startswith("Bank v2 ")
        assert page.locator(".vw-other:visible, .frame-elsewhere:visible, .note:visible").count() == 0


def rows_of(workspace: Workspace, dataset: str) -> int:
    """Rows of the positive bank that judges a data set."""
    bank = workspace.active_bank(dataset)
    positive = load_detector(workspace, bank.id).positive if bank else None
    return len(positive) if positive else 0


# How far the next toast reaches into Studio's actions, in pixels, told once it lies where it stays.
LYING = """() => {
  const [toast, actions] = [".st-toast", ".st-actions"].map((one) => document.querySelector(one));
  window.lying = new Promise((tell) => {
    new MutationObserver((_, watcher) => {
      if (toast.hidden) return;
      watcher.disconnect();
      setTimeout(() => tell(toast.getBoundingClientRect().right - actions.getBoundingClientRect().left), 500);
    }).observe(toast, { attributes: true });
  });
}"""


def test_a_search_spends_its_paintings_on_what_proves_useful(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with visiting(browser, 1400, 900) as page:
        page.add_init_script(MOVED)
        page.goto(f"{address}studio")
        page.locator(".studio.st-ready").wait_for(timeout=SLOW)
        page.click("[data-kind=generated]")
        page.fill(".st-prompt", "{deep dark|faint} scratch")
        page.click(".st-compare")
        page.select_option(".st-axis-x", "strength")
        page.fill(".st-values-strength", "0.2, 2")
        page.fill(".st-spent", "8")
        shoot(page, "studio-search-axes")
        page.route("**/component_server**", ended_in_part)
        page.evaluate(LYING)
        page.click(".st-startsearch")
        said(page, "Searching with 8 candidates")
        assert page.evaluate("window.lying") <= 0  # how far it is stays in sight
        page.evaluate(STILL)
        (job,) = (one for one in jobs.listed(workspace) if one.title == "Search 4 combinations: 8 candidates")
        until(page, lambda: jobs.get(workspace, job.id).state == "done")
        page.wait_for_function("!document.querySelector('.st-job')", timeout=SLOW)
        page.wait_for_timeout(500)
        assert page.evaluate("window.moved") < 0.01, page.evaluate("window.movers")
        # What could not be painted stays until it is closed, and is in nobody's way.
        note = page.locator(".st-over", has_text="1 could not be painted")
        for width, height in ((1400, 900), (933, 600)):
            page.set_viewport_size({"width": width, "height": height})
            until(page, lambda: page.evaluate(UNDER, ".st-over") == [])
            shoot(page, f"studio-note-{width}")
        note.get_by_role("button", name="Close").click()
        note.wait_for(state="hidden")
        page.set_viewport_size({"width": 1400, "height": 900})
        # What the tests before have left in the bank decides whether any is new to it.
        page.locator(".jobs-button").click()
        ended = page.locator(".jobs-entry", has_text=re.compile("Most useful: |None was visible"))
        ended.wait_for(timeout=SLOW)
        shoot(page, "studio-search-done")
        page.keyboard.press("Escape")
        page.set_viewport_size({"width": 933, "height": 600})  # 150 % zoom
        page.locator(".st-result").first.click()
        page.locator(".st-do").get_by_role("button", name="Delete").click()
        undo = page.locator(".st-toast").get_by_role("button", name="Undo")
        undo.wait_for(timeout=SLOW)
        until(page, lambda: page.evaluate(UNDER, ".st-toast") == [])
        shoot(page, "studio-toast")
        undo.click()
    result: Any = jobs.get(workspace, job.id).result
    assert sum(arm["tried"] for arm in result["arms"]) == 8


@pytest.mark.parametrize(
    ("path", "place", "ready", "begin"),
    [("studio", ".st-job", ".studio.st-ready", ".st-queue"), ("", ".vw-told", ".vw-card-ratio", ".vw-score")],
)
def test_every_place_tells_the_same_of_a_job(
    browser: Browser, address: str, workspace: Workspace, path: str, place: str, ready: str, begin: str
) -> None:
    """The page, the header and its list of jobs look at different times."""
    bank = workspace.bank()
    thresholds.choose(workspace, bank.id, thresholds.Choice(value=30, way="hand", who="Ben"))
    with visiting(browser, 1400, 900) as page:
        page.goto(address + path)
        page.locator(ready).wait_for(timeout=SLOW)
        if path:
            page.click("[data-kind=generated]")
            page.fill(".st-number", "12")
            page.locator(begin, has_text="Queue 12").wait_for()
        page.evaluate(TELLING, [place, ".frame-told", ".jobs-active .jobs-text"])
        page.click(begin)
        page.locator(place).wait_for(timeout=SLOW)
        page.locator(place).wait_for(state="detached", timeout=SLOW)
        told = page.evaluate("window.told")
        assert all(len({one for one in counts if one}) <= 1 for counts in told), told
        if path:  # Inspect's few images may be scored before the header looks
            assert any(counts[0] and counts[1] for counts in told), told
    thresholds.undo(workspace, bank.id, "Ben")


def ended_in_part(route: Route) -> None:
    """Answer how a job ended as where not all could be painted."""
    if (route.request.post_data_json or {}).get("fn_name") != "ended":
        return route.fallback()
    said = "Painted 7 of 8 candidates; 1 could not be painted: a.png: nothing visible changed."
    return route.fulfill(json={"said": said, "way": "", "whole": False})


def test_a_page_says_at_once_that_pytorch_is_being_loaded(
    browser: Browser, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = "getComputedStyle(document.body, '::after').content"
    over = threading.Event()
    monkeypatch.setattr(later, "_imported", lambda name: over.wait(60))
    loading = threading.Thread(target=later.load)
    loading.start()
    try:
        with visiting(browser, 1400, 900) as page:
            page.add_init_script(MOVED)
            page.route("**/component_server**", lambda route: None)  # no call is answered
            page.goto(f"{address}curate")
            page.wait_for_function(f"document.body && {words}.includes('Loading PyTorch')")
            page.unroute_all(behavior="ignoreErrors")
            page.goto(f"{address}curate")
            page.locator(".frame-chips").wait_for(timeout=SLOW)
            page.wait_for_timeout(500)
            assert "Loading PyTorch" in page.evaluate(words)  # also once the header knows its jobs
            shoot(page, "loading-pytorch")
            over.set()
            page.wait_for_function(f"{words} === 'none'")
            assert page.evaluate("window.moved") < 0.01, page.evaluate("window.movers")
            page.reload()
            page.locator(".frame-chips").wait_for(timeout=SLOW)
            assert page.evaluate(words) == "none"
    finally:
        over.set()
        loading.join()


def test_the_next_step_is_asked_again_while_a_bank_is_updated(
    browser: Browser, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A decision is followed seconds after the strip has asked, and nothing on the page tells of it."""
    updating = [True]
    monkeypatch.setattr(next_steps.unfitted, "count", lambda _: int(updating[0]))
    monkeypatch.setattr(
        next_steps,
        "steps_of",
        lambda _: [Step("kind", "It is updated." if not updating[0] else "It is not.", "Do", "./data")],
    )
    with visiting(browser) as page:
        page.goto(f"{address}evaluate")
        page.locator(".next-said", has_text="It is not.").wait_for(timeout=SLOW)
        updating[0] = False
        page.locator(".next-said", has_text="It is updated.").wait_for(timeout=30_000)
