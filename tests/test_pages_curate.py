"""Curate in a real browser on a real app: what somebody sees, presses and takes back, alone and with others."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exdd_core import curation, studio
from exdd_core.curation import measures
from exdd_core.curation.queue import kept_quality, waiting
from exdd_core.progress import Progress
from exdd_core.synthesis.mask_spec import MaskSpec
from exdd_core.synthesis.orders import Order
from exdd_core.workspace import Workspace, candidates, decisions
from pages.curate import bulk, candidate, questions, state
from pages.curate.cards import queue
from tests.browser import (
    SLOW,
    at,
    holding,
    positive_rows,
    ready,
    said,
    serving,
    shoot,
    status,
    until,
    visiting,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Dialog, Page, Route

ENDS_WHILE_MEASURING = """
import threading, time
from types import SimpleNamespace
from exdd_core.curation.measuring import Measuring
from exdd_core.workspace import Workspace

begun, measuring = threading.Event(), Measuring(Workspace("nowhere"))

def quality(id, effect):
    begun.set()
    time.sleep(0.3)
    print("measured", flush=True)

measuring.judge, measuring._next = SimpleNamespace(quality=quality), lambda: ("demo", "one", False)
measuring.want()
assert begun.wait(60), "nothing was measured"
"""
PAINTED = 9


def test_a_program_that_ends_waits_for_the_measure_in_hand_and_for_no_other():
    code = [sys.executable, "-c", ENDS_WHILE_MEASURING]
    ended = subprocess.run(code, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=120)
    assert (ended.returncode, ended.stdout) == (0, "measured\n"), ended.stderr


@pytest.fixture(scope="module")
def filled(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a workspace with a bank version and nine candidates of two prompts, to be copied."""
    folder = tmp_path_factory.mktemp("curate") / "workspace"
    shutil.copytree(demo_workspace.path, folder)
    workspace = Workspace.open(folder)
    for prompt, shape, number in (("deep dark scratches", "scratch", 6), ("bright oil stain", "blotch", 3)):
        order = Order(
            dataset="demo",
            engine="procedural",
            template=prompt,
            mask=MaskSpec(source="generated", shape=shape, vary=True).to_json(),
            count=number,
            seed=5,
        )
        studio.run_batch(workspace, order, Progress(), f"painted {shape}")
    assert candidates.count(workspace) == PAINTED
    return folder


@pytest.fixture
def workspace(filled: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(filled, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def address(workspace: Workspace) -> Iterator[str]:
    with serving(workspace) as address:
        yield address + "curate"


@contextmanager
def curating(browser: Browser, address: str, who: str = "Anna", dark: bool = False) -> Iterator[Page]:
    """Somebody who has said their name and looks at the first candidate."""
    with visiting(browser, 1400, 900, dark) as page:
        page.set_default_timeout(30_000)
        page.goto(address)
        page.fill(".cu-askwho", who)
        page.click(".st-dialog .main-button")
        ready(page)
        page.locator(".cu-sort").select_option("newest")  # an order that stays while measures come in
        ready(page)
        yield page


def open_to_decide(page: Page) -> bool:
    """Whether the candidate is there that the next key decides on."""
    return page.locator(".cu-decide[aria-busy=false] .cu-accept:enabled").count() == 1


def has_open(page: Page, workspace: Workspace, who: str) -> bool:
    """Whether the candidate that the next key decides on is there, and held for this person."""
    return open_to_decide(page) and decisions.claims(workspace).get(at(page)) == who


def cards(page: Page) -> set[str]:
    return set(page.eval_on_selector_all(".cu-card", "nodes => nodes.map((node) => node.dataset.id)"))


def shows(page: Page, ids: set[str]) -> bool:
    return cards(page) == ids


def fewer(left: Callable[[], int], before: int) -> bool:
    return left() < before


def again(workspace: Workspace, id: str, name: str = "again") -> None:
    """Make another candidate of the same pictures."""
    shutil.copytree(workspace.path / "candidates" / id, workspace.path / "candidates" / name)
    with workspace.writing() as db:
        (row,) = db.query("select * from candidates where id = ?", [id])
        db.table("candidates").insert(row | {"id": name, "job": None, "number": None, "quality": "{}"})


def test_twenty_decisions_at_ten_a_second_all_count_in_order(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    """Keys count when they are pressed, however far the server and the pictures are behind them."""
    (row, *_) = candidates.listed(workspace, "demo")
    for number in range(20):
        again(workspace, row.id, f"more{number}")

    with curating(browser, address) as page:
        wanted = page.eval_on_selector_all(".cu-card", "nodes => nodes.map((node) => node.dataset.id)")[:20]
        for number in range(20):
            page.keyboard.press("a" if number % 2 else "r")
            if not number % 2:
                page.keyboard.press("1")
            page.wait_for_timeout(100)
        for key in ("accepted", "rejected"):  # at once, however far the server is
            assert page.locator(f".st-chip[data-status={key}] b").inner_text() == "10"
        until(page, lambda: [status(workspace, id) for id in wanted] == ["rejected", "accepted"] * 10)
        in_order = [made.subject for made in reversed(decisions.history(workspace))]
        assert in_order == wanted
        until(page, lambda: page.locator(".cu-line").inner_text().startswith("20 of 29 decided"))
        # Whoever leaves while a decision still waits to be sent is asked.
        asked: list[str] = []

        def stay(dialog: Dialog) -> None:
            asked.append(dialog.type)
            dialog.dismiss()

        page.once("dialog", stay)
        with holding(page, "accept") as held:
            page.keyboard.press("a")
            until(page, lambda: held)
            page.keyboard.press("a")
            page.evaluate("setTimeout(() => location.reload())")
            until(page, lambda: asked == ["beforeunload"])
        until(page, lambda: candidates.count(workspace, status="accepted") == 12)


@pytest.mark.parametrize("dark", [False, True])
def test_a_round_with_the_keyboard(browser: Browser, address: str, workspace: Workspace, dark: bool) -> None:
    """Accept, reject for a reason, skip, go back, undo: what the history and the bank say follows."""
    theme = "dark" if dark else "light"
    rows = positive_rows(workspace)
    with curating(browser, address, dark=dark) as page:
        shoot(page, f"curate-{theme}")
        first = at(page)
        stop = page.locator(".cu-card[tabindex='0']")  # one of the Tab key for all cards
        assert stop.count() == 1 < page.locator(".cu-card").count()
        stop.focus()
        page.keyboard.press("ArrowRight")
        until(page, lambda: at(page) != first)
        focused = "document.activeElement.dataset.id"
        assert page.evaluate(focused) == at(page)
        page.keyboard.press("ArrowLeft")
        until(page, lambda: at(page) == first)
        page.keyboard.press("a")
        said(page, "Accepted 1 candidate")
        until(page, lambda: status(workspace, first) == "accepted")
        until(page, lambda: open_to_decide(page))
        second = at(page)
        assert second != first
        until(page, lambda: page.evaluate(focused) == second)  # though the queue was read anew
        page.keyboard.press("r")
        page.locator("[data-reason='too faint']").wait_for()
        toast, reasons = (page.locator(name).bounding_box() for name in (".st-toast", ".cu-reasons"))
        assert toast is None or (reasons and toast["y"] + toast["height"] <= reasons["y"])
        shoot(page, f"curate-reasons-{theme}")
        page.keyboard.press("Shift+5")
        page.locator("[data-reason='too faint'][aria-pressed=true]").wait_for()
        assert page.evaluate(focused) == second
        page.keyboard.press("Enter")  # which gives the reason and opens no card
        until(page, lambda: status(workspace, second) == "rejected")
        said(page, "Rejected 1 candidate")
        assert decisions.history(workspace)[0].reason == ["too faint"]
        until(page, lambda: open_to_decide(page))
        third = at(page)
        page.keyboard.press("s")
        until(page, lambda: at(page) not in (first, second, third))
        assert status(workspace, third) == "pending"
        page.keyboard.press("ArrowLeft")
        until(page, lambda: at(page) == third)
        page.locator(".cu-line", has_text=f"2 of {PAINTED} decided · 1 accepted").wait_for()
        page.locator(".cu-lines li", has_text="rejected: too faint").wait_for()
        shoot(page, f"curate-history-{theme}")
        page.keyboard.press("u")
        until(page, lambda: status(workspace, second) == "pending")
        page.keyboard.press("u")
        until(page, lambda: status(workspace, first) == "pending")
        assert positive_rows(workspace) == rows
        until(page, lambda: page.locator(".cu-undone").count() == 2)
        assert {decision.who for decision in decisions.history(workspace)} == {"Anna"}
        assert page.locator(".st-message").inner_text() == ""


def test_an_own_reason_is_offered_no_longer_and_again(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with curating(browser, address) as page:
        page.keyboard.press("r")
        page.fill(".cu-own", "dusty lens")
        page.keyboard.press("Enter")
        said(page, "Rejected 1 candidate")
        until(page, lambda: decisions.usual_reasons(workspace) == ["dusty lens"])
        page.reload()
        ready(page)
        until(page, lambda: open_to_decide(page))
        page.keyboard.press("r")
        page.get_by_role("button", name='Stop offering "dusty lens"').click()
        said(page, '"dusty lens" is no longer offered.')
        page.locator("[data-reason='dusty lens']").wait_for(state="detached")
        assert page.locator("[data-reason='too faint']").is_visible()  # the reasons stay open
        shoot(page, "curate-reason-left")
        page.locator(".st-toast").get_by_role("button", name="Undo").click()
        page.locator("[data-reason='dusty lens']").wait_for()
        shoot(page, "curate-reason-own")
        for name, now in (("dusty lens", "smear"), ("smear", "dusty lens")):
            page.get_by_role("button", name=f'Rename "{name}"').click()
            page.get_by_label("New name").fill(now)
            shoot(page, "curate-reason-renamed")
            page.keyboard.press("Enter")
            page.locator(f"[data-reason='{now}']").wait_for()
            page.locator(".cu-history, .cu-past").get_by_text(now).first.wait_for()
            assert decisions.history(workspace)[0].reason == [now]
        decisions.leave_reason(workspace, "dusty lens")
        assert decisions.usual_reasons(workspace) == []
        assert decisions.history(workspace)[0].reason == ["dusty lens"]
        later = next(one.id for one in candidates.listed(workspace, status="pending") if one.id != at(page))
        curation.reject(workspace, [later], "Ben", ["dusty lens"])  # given again, it is offered again
        assert decisions.usual_reasons(workspace) == ["dusty lens"]


def test_two_browsers_decide_on_one_queue(browser: Browser, address: str, workspace: Workspace) -> None:
    """What one has open the other sees and is not given; every candidate is decided on once."""
    with curating(browser, address) as anna, curating(browser, address, "Ben") as ben:
        assert at(anna) != at(ben)
        ben.locator(".cu-card", has_text="opened by Anna").click()
        ben.locator(".cu-status", has_text="opened by Anna").wait_for()
        assert ben.locator(".cu-accept").is_disabled() and ben.locator(".cu-reject").is_disabled()
        shoot(ben, "curate-open-by")
        ben.keyboard.press("a")  # nothing happens
        ben.keyboard.press("s")
        ben.locator(".cu-status .tag").wait_for(state="detached")

        def left() -> int:
            return candidates.count(workspace, status="pending")

        def deciding() -> list[tuple[Page, str, list[str]]]:
            return [turn for turn in turns if has_open(turn[0], workspace, turn[1])]

        turns = [(anna, "Anna", ["a"]), (ben, "Ben", ["r", "Enter"])]
        while before := left():  # in turns, but for the last one, which may be open with either; each counts
            until(anna, lambda: len(deciding()) == min(left(), 2))
            page, _, keys = deciding()[0]
            for key in keys:
                page.keyboard.press(key)
            until(page, partial(fewer, left, before))
            turns.reverse()
        decided = [decision.subject for decision in decisions.history(workspace)]
        assert sorted(decided) == sorted({made.id for made in candidates.listed(workspace)})
        anna.locator(".empty-title", has_text="All decided").wait_for()
        assert {decision.who for decision in decisions.history(workspace)} == {"Anna", "Ben"}


def test_a_filtered_selection_at_once_and_back(browser: Browser, address: str, workspace: Workspace) -> None:
    """Every measure filters, what the bank leaves out is hatched; the confirmation names count and effect."""
    with curating(browser, address) as page:
        until(page, lambda: all(one.measured and one.effect for one in waiting(workspace, "demo")), 180)
        known = {made.id: kept_quality(made) for made in candidates.listed(workspace)}
        page.click(".cu-sift")
        for name in measures.MEANINGS:
            lights = {id: getattr(one, name).light for id, one in known.items()}
            light = min(lights.values(), key=list(lights.values()).count)
            button = page.locator(
                f"[data-light='{name} {light}']", has_text=str(list(lights.values()).count(light))
            )
            button.click()
            right = {id for id, value in lights.items() if value == light}
            until(page, partial(shows, page, right))
            button.click()
            until(page, lambda: len(cards(page)) == PAINTED)
        left_out = next(id for id, one in known.items() if one and one.left_out)
        page.locator(f".cu-card[data-id='{left_out}']").click()
        page.locator(f".cu-card[data-id='{left_out}'][aria-selected='true']").wait_for()
        page.locator(".cu-decide[aria-busy='false']").wait_for()
        page.locator(".cu-left:enabled").wait_for()
        page.keyboard.press("l")
        page.locator(".cu-lefttag", has_text="too similar to normal surface").wait_for()
        page.locator(".cu-hatched[d^='M']").wait_for(state="attached")
        shoot(page, "curate-measures")
        page.locator("[data-filter=prompt]").select_option(label="bright oil stain (3)")
        page.locator(".cu-count", has_text="3").wait_for()
        page.click("[data-bulk=accept]")
        page.locator(".cu-confirm", has_text="Accept 3 candidates").wait_for()
        page.locator(".cu-together", has_text="held-out defects").wait_for(timeout=SLOW)
        shoot(page, "curate-bulk")
        page.click(".cu-confirm")
        said(page, "Accepted 3 candidates")
        assert candidates.count(workspace, status="accepted") == 3
        page.locator(".st-toast button").click()
        said(page, "3 decisions undone")
        assert candidates.count(workspace, status="accepted") == 0
        until(page, lambda: len(cards(page)) == 3)
        again(workspace, next(id for id in cards(page) if (one := known[id]) and one.new.value))
        page.locator(".cu-count", has_text="4").wait_for(timeout=SLOW)
        page.click("[data-bulk=accept]")
        page.locator(".cu-together", has_text="1 of them is a near-duplicate of another").wait_for(
            timeout=SLOW
        )
        page.get_by_label("Leave it out").check()
        page.locator(".cu-confirm", has_text="Accept 3 candidates").wait_for()
        shoot(page, "curate-repeats")
        page.click(".cu-confirm")
        said(page, "Accepted 3 candidates")
        assert page.locator("[data-filter=prompt]").input_value() == "=bright oil stain"
        page.keyboard.press("u")  # what was decided at once goes back at once
        said(page, "3 decisions undone")
        assert candidates.count(workspace, status="accepted") == 0


def test_trim_the_mask_and_name_the_type(browser: Browser, address: str, workspace: Workspace) -> None:
    with curating(browser, address) as page:
        id = at(page)
        before = candidates.mask_of(workspace, candidates.get(workspace, id))
        box = page.locator(".cu-view").bounding_box()
        outline = page.locator(".cu-view .st-outlines path").first.bounding_box()
        assert box and outline
        middle = outline["x"] + outline["width"] / 2 - box["x"]
        page.keyboard.press("t")
        page.locator(".cu-trimbar [data-tool=eraser]").wait_for()
        page.locator(".cu-size input").fill("20")
        box = page.locator(".cu-view").bounding_box()  # what comes late above it moves it
        assert box
        middle += box["x"]
        page.mouse.move(middle, box["y"] + 8)
        page.mouse.down()
        page.mouse.move(middle, box["y"] + box["height"] - 8, steps=12)
        shoot(page, "curate-trim")
        page.mouse.up()
        page.click(".cu-keep")
        page.locator(".cu-status", has_text="mask trimmed").wait_for()
        after = candidates.mask_of(workspace, candidates.get(workspace, id))
        assert 0 < after.sum() < before.sum() and not (after & ~before).any()
        page.keyboard.press("d")
        page.keyboard.type("gouge")
        page.keyboard.press("Enter")
        until(page, lambda: candidates.get(workspace, id).defect_type == "gouge")
        page.keyboard.press("d")
        page.keyboard.type("nick")
        page.keyboard.press("Enter")
        until(page, lambda: candidates.get(workspace, id).defect_type == "nick")
        page.locator(".st-toast button").wait_for()
        page.locator(".cu-lines li", has_text="trimmed the mask").locator("button", has_text="Undo").click()
        until(
            page, lambda: candidates.mask_of(workspace, candidates.get(workspace, id)).sum() == before.sum()
        )


def test_without_candidates_there_is_one_way_on(
    browser: Browser, demo_workspace: Workspace, tmp_path: Path
) -> None:
    """What is painted to try it is a draft: the bank says whether it finds it, and once kept it waits here."""
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    workspace = Workspace.open(tmp_path / "workspace")
    with serving(workspace) as address, visiting(browser, 1400, 900) as page:
        mask = MaskSpec(source="generated", shape="scratch", vary=True).to_json()
        order = Order("demo", "procedural", template="deep dark scratches", mask=mask, seed=5)
        draft = studio.paint_one(workspace, order, draft=True)
        page.goto(address + "curate")
        link = page.locator(".st-need a")
        link.wait_for(timeout=SLOW)
        shoot(page, "curate-empty")
        assert link.get_attribute("href") == "./studio"
        link.click()
        page.locator(".st-seen", has_text="are new to the positive bank").wait_for(timeout=SLOW)
        page.locator(".st-seen b", has_text="threshold 1").wait_for()  # found or not
        page.keyboard.press("h")
        page.wait_for_function("document.querySelector('.st-heatmap')?.naturalWidth > 0")
        shoot(page, "studio-draft")
        page.keyboard.press("g")
        said(page, "it waits on Curate")
        assert status(workspace, draft.id) == "pending"


def test_the_original_is_at_the_left_of_the_handle(browser: Browser, address: str) -> None:
    """With the handle at the right end, or Space held, only the original is seen; at the left end the result."""
    with curating(browser, address) as page:
        # No picture of the candidate before is seen under the name of one whose picture is on its way.
        held: list[Route] = []
        page.route("**/candidate?*what=image*", lambda route: held.append(route))
        page.locator(".cu-card").last.click()
        until(page, lambda: held)
        after = page.locator(".cu-after")
        until(page, lambda: str(after.get_attribute("src")).startswith(f"./candidate?id={at(page)}"))
        assert not after.is_visible()
        for route in held:
            route.continue_()
        page.unroute("**/candidate?*what=image*")
        until(page, after.is_visible)

        def shown() -> list[bool]:
            sides = [page.locator(f".st-side.st-{side}") for side in ("before", "after")]
            return [side.is_visible() for side in sides]

        assert shown() == [True, True]
        page.keyboard.press("z")  # the whole image, with the handle through its defect
        handle, defect = (
            page.locator(f".cu-view {n}").first.bounding_box() for n in (".st-split", ".st-outlines path")
        )
        assert handle and defect
        through = handle["x"] + handle["width"] / 2 - defect["x"]
        assert 0 < through < defect["width"]
        page.keyboard.down("Space")
        assert shown() == [True, False]
        page.keyboard.up("Space")
        page.locator(".st-split").focus()
        page.keyboard.press("Home")
        page.keyboard.press("End")
        assert shown() == [True, False]
        page.keyboard.press("Home")
        page.keyboard.press("End")
        for _ in range(20):
            page.keyboard.press("ArrowLeft")
        assert shown() == [False, True]


def test_the_history_tells_of_banks_that_were_brought_in_line(workspace: Workspace) -> None:
    curation.align(workspace, [], [], "Eva")
    told: Any = candidate.history(state.Curate(workspace), questions.Lines(limit=5))
    (line,) = told["lines"]
    assert (line["who"], line["said"], line["bank"]) == ("Eva", "brought a bank version in line", True)


def test_a_filter_that_nothing_passes_any_more_is_still_named(workspace: Workspace) -> None:
    asked = questions.Sought(status="pending", sort="newest", limit=9)
    chosen = asked.model_copy(update={"type": "dent", "engine": "transplant"})
    found: Any = queue(state.Curate(workspace), chosen)
    assert found["total"] == 0
    assert {"value": "dent", "title": "dent", "count": 0} in found["filters"]["type"]
    assert {"value": "transplant", "title": "Transplant", "count": 0} in found["filters"]["engine"]
    assert "dent" not in str(queue(state.Curate(workspace), asked)["filters"])


def test_a_narrow_window_has_room_for_everything(browser: Browser, address: str) -> None:
    with curating(browser, address) as page:
        page.set_viewport_size({"width": 1024, "height": 700})
        page.click(".cu-sift")
        page.locator(".cu-lights").wait_for()
        shoot(page, "curate-narrow")
        outside = page.evaluate(
            """() => [...document.querySelectorAll('.cu-body > section')].flatMap((section) => {
              const end = section.getBoundingClientRect().right + 5;
              return [...section.querySelectorAll('button, input, select, h2')].filter((node) => {
                const box = node.getBoundingClientRect();
                return box.width && box.right > end && !node.closest('.cu-view');
              }).map((node) => node.className || node.outerHTML);
            })"""
        )
        assert outside == []
        name, link, jobs = (
            page.locator(found).bounding_box()
            for found in (".cu-name", ".frame-links a >> nth=-1", ".jobs-word")
        )
        assert name and link and jobs
        assert name["width"] > 100 and link["x"] + link["width"] < jobs["x"]


def test_what_is_recommended_is_told_and_not_yet_accepted(workspace: Workspace) -> None:
    shared = state.Curate(workspace)
    everything = questions.Sought(status="pending", sort="newest", limit=9, who="Anna")
    run = str(bulk.recommend(shared, everything)["run"])
    assert shared.bulks[run].over.wait(120)
    answer: Any = bulk.look(shared, questions.Run(run=run))
    assert answer["over"] and answer["sentence"].startswith("Accept ")
    assert set(answer["ids"]) <= {made.id for made in candidates.listed(workspace, status="pending")}
    assert candidates.count(workspace, status="pending") == PAINTED


def test_a_decision_while_the_queue_is_asked_for_anew_goes_on_to_the_next(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with curating(browser, address) as page:
        held: list[Route] = []
        page.route("**/component_server**", lambda route: held.append(route))
        page.locator(".cu-sort").select_option("oldest")
        until(page, lambda: len(held) > 0)
        first = at(page)
        page.keyboard.press("a")
        page.wait_for_timeout(300)
        assert page.locator(".cu-card[aria-selected=true]").count() == 1 and at(page) != first
        page.route("**/component_server**", lambda route: route.continue_())
        for route in held:
            route.continue_()
        until(page, lambda: status(workspace, first) == "accepted")
        ready(page)
        until(page, lambda: first not in cards(page))
        assert status(workspace, at(page)) == "pending"
