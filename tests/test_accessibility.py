"""Every page, in light and dark, has no fault that axe-core calls serious or critical, Gradio's own fields included."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from exdd_core import curation, jobs, studio
from exdd_core.banks.building import build_bank
from exdd_core.experiments.evaluation import evaluate
from exdd_core.experiments.specs import EvaluateSpec
from exdd_core.progress import Progress
from exdd_core.synthesis.orders import Order
from exdd_core.workspace import Workspace, candidates
from tests.browser import SLOW, ready, scored, serving, shoot, until, visit, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

GRAVE = {"serious", "critical"}
PAINTING = Order(
    dataset="demo",
    engine="procedural",
    template="dark scratch",
    mask={"source": "generated", "shape": "blotch", "vary": True},
    count=1,
)


def grave(page: Page, name: str) -> list[str]:
    """The faults of a page in light, and then in dark."""
    found = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        page.wait_for_function(
            f"document.documentElement.classList.contains('dark') == {str(theme == 'dark').lower()}"
        )
        page.wait_for_timeout(300)  # until colours have changed over
        shoot(page, f"accessible-{name}-{theme}")
        found += [f"{theme}: {fault}" for fault in faults(page)]
    return found


def faults(page: Page) -> list[str]:
    """Each grave fault: how grave, which rule, the element, and what to do about it."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{fault['impact']} {fault['id']}: {node['target']} {node['html'][:160]}: {node['failureSummary']}"
        for fault in found
        if fault["impact"] in GRAVE
        for node in fault["nodes"]
    ]


@pytest.fixture(scope="module")
def workspace(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The demo with three painted defects, one of them accepted, a measurement, two versions and ended jobs."""
    folder = tmp_path_factory.mktemp("accessible") / "workspace"
    shutil.copytree(demo_workspace.path, folder)
    workspace = Workspace.open(folder)
    studio.run_batch(workspace, replace(PAINTING, count=3), Progress(), "painting")
    curation.accept(workspace, [candidates.listed(workspace, "demo")[0].id], "Anna")
    evaluate(workspace, EvaluateSpec(bank="v1"), Progress(), "measured")
    build_bank(workspace, "demo", negative_ratio=0.2)
    grid = studio.grid(workspace, PAINTING, ("seed", [1, 2]))
    jobs.submit(workspace, "synthesize", "Compare seeds", grid.to_json())
    jobs.submit(workspace, "import", "Import nothing", {"source": "/nowhere"})
    return workspace


@pytest.fixture(scope="module")
def address(workspace: Workspace) -> Iterator[str]:
    with serving(workspace) as address:
        yield address


def scored_image(page: Page) -> None:
    scored(page)


def scored_list(page: Page) -> None:
    scored(page)
    page.click("[data-view=table]")
    if page.locator(".vw-score").is_enabled():
        page.click(".vw-score")
    page.get_by_text("All scored").wait_for(timeout=SLOW)


def results_and_a_comparison(page: Page) -> None:
    page.locator(".st-cell img").nth(1).wait_for(timeout=SLOW)
    page.locator(".st-result").first.click()
    page.locator(".st-split[aria-valuenow]").wait_for(timeout=SLOW)


def candidate(page: Page) -> None:
    page.fill(".cu-askwho", "Anna")
    page.click(".st-dialog .main-button")
    ready(page)
    page.locator(".cu-measures li").first.wait_for(timeout=SLOW)
    page.eval_on_selector(".cu-measures li", "(measure) => measure.classList.add('cu-late')")  # out of date


def name_asked_for(page: Page) -> None:
    page.locator(".cu-askwho").wait_for(timeout=SLOW)


def measurement(page: Page) -> None:
    page.locator(".ev-run").first.click()
    page.locator(".ms-handle").wait_for(timeout=SLOW)


def report(page: Page) -> None:
    page.locator("#report").wait_for(timeout=SLOW)


def region(page: Page) -> None:
    page.get_by_role("button", name="Region of interest").click()
    page.locator("#region-editor .rg.rg-ready").wait_for(timeout=SLOW)


def versions_and_a_map(page: Page) -> None:
    page.locator("#compared .compared").wait_for(timeout=SLOW)
    page.wait_for_function("document.querySelector('.lm-plot').data", timeout=SLOW)


# What has a ring, once it has the focus, that a frame around it cuts off at more than one side.
CUT_RINGS = """() => [...document.querySelectorAll(".gradio-container :is(a, button, input, select, [tabindex])")]
  .filter((one) => {
    one.focus({ preventScroll: true });
    const { outlineStyle, outlineOffset, outlineWidth } = getComputedStyle(one);
    if (document.activeElement !== one || outlineStyle === "none") return false;
    const room = parseFloat(outlineOffset) + parseFloat(outlineWidth) - 1;
    const { left, top, right, bottom } = one.getBoundingClientRect();
    for (let frame = one.parentElement; frame; frame = frame.parentElement) {
      if (getComputedStyle(frame).overflow === "visible") continue;
      const edge = frame.getBoundingClientRect();
      const gaps = [left - edge.left, top - edge.top, edge.right - right, edge.bottom - bottom];
      if (Math.min(...gaps) > -1 && gaps.filter((gap) => gap < room).length > 1) return true;
    }
    return false;
  })
  .filter((one) => !one.matches(".st-split")) // as high as its pane
  .map((one) => one.outerHTML.slice(0, 120))"""


# What is looked at: where it lies, and what brings its data to the screen.
LOOKS: list[tuple[str, Callable[[Page], None]]] = [
    ("", scored_image),
    ("", scored_list),
    ("studio", results_and_a_comparison),
    ("curate", name_asked_for),
    ("curate", candidate),
    ("evaluate", measurement),
    ("data", report),
    ("data", region),
    ("banks", versions_and_a_map),
]


@pytest.mark.parametrize(("path", "fill"), LOOKS)
def test_a_page_with_data_in_it_has_no_grave_fault(
    browser: Browser, address: str, path: str, fill: Callable[[Page], None]
) -> None:
    with visiting(browser, 1400, 900) as page:
        visit(page, address + path)
        fill(page)
        assert not (wrong := grave(page, fill.__name__)), "\n".join(wrong)
        page.keyboard.press("Tab")  # from now on the focus is shown
        assert page.evaluate(CUT_RINGS) == []


def test_jobs_that_run_wait_and_ended_have_no_grave_fault(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    many = [
        jobs.submit(workspace, "synthesize", f"Paint {words}", replace(PAINTING, count=300).to_json())
        for words in ("many", "more")
    ]
    with visiting(browser, 1400, 900) as page:
        visit(page, address + "studio")
        page.locator(".st-job [role=progressbar]").first.wait_for(timeout=SLOW)
        page.locator(".jobs-button").click()
        page.locator(".jobs-active .jobs-entry").nth(1).wait_for(timeout=SLOW)
        page.locator(".jobs-over .jobs-entry", has_text="/nowhere").wait_for(timeout=SLOW)
        wrong = grave(page, "jobs")
        for job in many:
            jobs.cancel(workspace, job.id)
        until(page, lambda: all(jobs.get(workspace, job.id).state == "cancelled" for job in many))
    assert not wrong, "\n".join(wrong)


def test_a_grave_fault_is_found(browser: Browser) -> None:
    with visiting(browser) as page:
        page.set_content('<html lang="en"><title>x</title><main><button></button><h1>Hello</h1></main>')
        assert [fault.split(":")[0] for fault in faults(page)] == ["critical button-name"]
