"""A whole round in a real browser: look, paint, accept, look again, undo. What the first steps promise a newcomer."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.workspace import Workspace, candidates
from tests.browser import (
    SLOW,
    at,
    chosen,
    opened,
    positive_rows,
    ready,
    said,
    scored,
    serving,
    shoot,
    status,
    stroke,
    until,
    visiting,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_paint_accept_see_the_heatmap_change_undo_see_it_change_back(
    browser: Browser, demo_workspace: Workspace, tmp_path: Path
) -> None:
    """The issue's own round. Every step is one click away, on the strip of what is next."""
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    workspace = Workspace.open(tmp_path / "workspace")
    image, rows = chosen(workspace)[0], positive_rows(workspace)
    with serving(workspace) as address, visiting(browser, 1400, 900) as page:
        page.set_default_timeout(SLOW)

        def heatmaps() -> list[str | None]:
            """PatchCore's and ExDD's, as the page shows them."""
            opened(page, address, image)
            scored(page, image.partition("/")[2])
            return [page.locator(".vw-over").nth(number).get_attribute("src") for number in (0, 1)]

        def step(words: str, done: int) -> None:
            """Go on by the strip, on which the first steps are ticked off."""
            page.locator(".next-do", has_text=words).wait_for()
            assert page.locator(".next-done").count() == done
            page.locator(".next-do").click()

        patchcore, before = heatmaps()
        step("Paint", 1)
        page.locator(".st-results .empty").wait_for()
        page.wait_for_function("document.querySelector('.st-base').complete")
        stroke(page, (0.3, 0.35), (0.5, 0.45), (0.7, 0.6))
        page.locator(".st-share", has_text="of the image").wait_for()
        page.fill(".st-number", "2")
        page.click(".st-queue")
        until(page, lambda: candidates.count(workspace) == 2)

        step("Accept one", 2)
        page.fill(".cu-askwho", "Anna")
        page.click(".st-dialog .main-button")
        ready(page)
        first = at(page)
        page.keyboard.press("a")
        said(page, "Accepted 1 candidate")
        until(page, lambda: status(workspace, first) == "accepted")
        grown = positive_rows(workspace)

        step("See the biggest change", 3)
        scored(page)
        assert "image=" in page.url
        still, after = heatmaps()
        shoot(page, "round-accepted")
        assert after != before and still == patchcore  # which has no positive bank
        assert grown[0] > rows[0]

        page.goto(address + "curate")
        ready(page)
        page.keyboard.press("u")
        until(page, lambda: status(workspace, first) == "pending")
        assert heatmaps() == [patchcore, before] and positive_rows(workspace) == rows
