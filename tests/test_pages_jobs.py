"""The Jobs drawer in a real browser, served by the real program, which is killed on the way."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from exdd_core import jobs
from exdd_core.workspace import Workspace
from tests.browser import MOVED, SLOW, STILL, program, serving, shoot, visit

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

PAINTING = {
    "dataset": "demo",
    "engine": "procedural",
    "template": "scratch",
    "mask": {"source": "generated", "shape": "scratch", "vary": True},
}


@pytest.fixture
def workspace(demo_workspace: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def entry(page: Page, title: str) -> Locator:
    return page.locator(".jobs-entry", has_text=title)


def order(page: Page) -> list[str]:
    return page.locator(".jobs-active .jobs-title").all_inner_texts()


def until(found: Callable[[], Any]) -> Any:
    end = time.monotonic() + SLOW / 1000
    while not (value := found()):
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.1)
    return value


def test_the_drawer_shows_orders_cancels_and_clears(page: Page, workspace: Workspace) -> None:
    with serving(workspace) as address:
        page.add_init_script(MOVED)
        visit(page, address)
        button, drawer = page.locator(".jobs-button"), page.locator(".jobs-drawer")
        assert not drawer.is_visible() and button.get_attribute("aria-expanded") == "false"
        button.press("Enter")
        drawer.get_by_text("No jobs", exact=True).wait_for()
        assert page.evaluate("document.activeElement.id") == "jobs-drawer"
        shoot(page, "jobs-none")

        long = jobs.submit(workspace, "build", "Build large", {"dataset": "demo", "size": "1024x1024"})
        jobs.submit(workspace, "synthesize", "Paint scratches", PAINTING | {"count": 3})
        jobs.submit(workspace, "synthesize", "Paint more", PAINTING | {"count": 200})
        jobs.submit(workspace, "import", "Import nothing", {"source": "/nowhere"})
        running = entry(page, "Build large")
        running.get_by_text(re.compile(r"\d+ of \d+, about \d+ (s|min) left")).wait_for(timeout=SLOW)
        assert int(running.get_by_role("progressbar").get_attribute("aria-valuenow") or 0) > 0
        page.locator(".frame-told", has_text=re.compile(r"\d+ of \d+")).wait_for()
        assert page.locator(".jobs-count").inner_text() == "+3"
        assert order(page) == ["Build large", "Paint scratches", "Paint more", "Import nothing"]

        drawer.get_by_role("button", name="Later: Paint scratches").press("Enter")
        until(lambda: order(page)[1:] == ["Paint more", "Paint scratches", "Import nothing"])
        assert page.evaluate("document.activeElement.title") == "Later"  # the focus went along
        drawer.get_by_role("button", name="Run next: Import nothing").click()
        until(lambda: order(page)[1:] == ["Import nothing", "Paint more", "Paint scratches"])
        assert drawer.get_by_role("button", name="Earlier: Import nothing").is_disabled()
        assert [job.title for job in jobs.listed(workspace)][1] == "Import nothing"
        drawer.get_by_role("button", name="Cancel: Paint more").click()
        entry(page, "Paint more").get_by_text("Cancelled").wait_for()
        shoot(page, "jobs-running")

        page.get_by_role("link", name="Banks", exact=True).first.click()  # open wherever one goes
        drawer.wait_for()
        running.get_by_role("button", name="Cancel").click()
        entry(page, "Build large").get_by_text("Cancelled").wait_for(timeout=SLOW)
        assert jobs.get(workspace, long.id).state == "cancelled"
        entry(page, "Import nothing").get_by_text("/nowhere does not exist; check the path.").wait_for()
        done = entry(page, "Paint scratches")
        done.get_by_text("3 candidates.").wait_for(timeout=SLOW)
        page.locator("#versions tr", has_text="Build large").wait_for(state="detached", timeout=SLOW)
        page.evaluate(STILL)  # a job that is alone to do moves nothing when it comes or ends
        jobs.submit(workspace, "synthesize", "Paint one", PAINTING | {"count": 1})
        entry(page, "Paint one").get_by_text("1 candidate.").wait_for(timeout=SLOW)
        assert page.evaluate("window.moved") < 0.01, "\n".join(page.evaluate("window.movers"))
        assert done.get_by_role("link").get_attribute("href") == "./curate"
        shoot(page, "jobs-ended")
        drawer.get_by_role("button", name="Clear list").click()
        clear = drawer.get_by_role("button", name="Clear for good")
        clear.wait_for()
        page.keyboard.press("Tab")  # whoever goes on has not meant it
        drawer.get_by_role("button", name="Clear list").click()
        assert done.is_visible()
        clear.click()
        drawer.get_by_text("No jobs", exact=True).wait_for()
        page.keyboard.press("Escape")
        drawer.wait_for(state="hidden")
        assert page.evaluate("document.activeElement.className") == "jobs-button"


def test_an_import_that_would_fail_again_is_not_offered_again(page: Page, workspace: Workspace) -> None:
    """As its name is taken; one whose folder is missing may be tried again."""
    (kept,) = workspace.datasets()
    folder = str(workspace.path / "datasets" / kept.name)
    for source, name in (folder, kept.name), ("/nowhere", "other"):
        spec = {"source": source, "name": name, "size": "64x64"}  # another size than it has
        jobs.submit(workspace, "import", f"Import {name}", spec)
    with serving(workspace) as address:
        visit(page, address)
        page.locator(".jobs-button").click()
        taken, missing = entry(page, "Import demo"), entry(page, "Import other")
        taken.get_by_text("There is already a data set").wait_for(timeout=SLOW)
        missing.get_by_role("button", name="Try again").wait_for(timeout=SLOW)
        assert taken.get_by_role("button").count() == 0


def test_a_killed_program_loses_no_job(page: Page, workspace: Workspace) -> None:
    killed = jobs.submit(workspace, "synthesize", "Paint many", PAINTING | {"count": 900})
    jobs.submit(workspace, "synthesize", "Paint few", PAINTING | {"count": 2, "seed": 1000})

    def made() -> int:
        with workspace.reading() as db:
            return int(db.execute("select count(*) from candidates where job = ?", [killed.id]).fetchone()[0])

    with program(workspace.path, kill=True):
        until(lambda: made() >= 3)
    kept = made()
    with program(workspace.path) as address:
        visit(page, address)
        page.locator(".jobs-button").click()
        lost = entry(page, "Paint many")
        lost.get_by_text("Running").wait_for(timeout=SLOW)  # by itself
        lost.get_by_text(re.compile(r"Painting defects: \d+ of 900")).wait_for()
        until(lambda: made() > kept)
        lost.get_by_role("button", name="Cancel").click()
        lost.get_by_text("Cancelled").wait_for(timeout=SLOW)
        entry(page, "Paint few").get_by_text("2 candidates.").wait_for(timeout=SLOW)
    with workspace.reading() as db:
        numbers = [
            r[0]
            for r in db.execute("select number from candidates where job = ? order by number", [killed.id])
        ]
    assert numbers == list(range(len(numbers))) and len(numbers) > kept
