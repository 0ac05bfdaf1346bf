"""The three ways in, from end to end in a browser: an inspector's, a prompt engineer's and a vision engineer's.

Each station is looked at in every window, light and dark (tests/sizes.py).
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.images import read_mask
from exdd_core.workspace import Workspace, candidates, thresholds
from tests.browser import look_at, ready, said, scored, sentence, serving, until, visit, visiting
from tests.sizes import everywhere

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


def known_as(page: Page, name: str) -> None:
    page.add_init_script(f"localStorage.setItem('exdd.who', '{name}')")


def test_an_inspectors_way(browser: Browser, real_data: Path, tmp_path: Path) -> None:
    """Own good images, a bank, a list of uploads, missed defects, ten more like them, a threshold, the list again."""
    tiles = real_data / "magnetic_tile"
    good = sorted((tiles / "MT_Free" / "Imgs").glob("*.jpg"))
    blowholes = sorted((tiles / "MT_Blowhole" / "Imgs").glob("*.jpg"))
    (tmp_path / "line 3").mkdir()
    for file in good[:: len(good) // 24][:24]:
        shutil.copy(file, tmp_path / "line 3")
    several = blowholes[:: len(blowholes) // 6][:6]
    own = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    with serving(own) as address, visiting(browser, 1400, 900) as page:
        page.set_default_timeout(20000)
        known_as(page, "Anna")
        visit(page, f"{address}data")
        everywhere(page, "way-inspector-1-nothing", "#import-look")
        look_at(page, tmp_path / "line 3")
        page.get_by_role("button", name="Normal images", exact=True).click()
        page.get_by_role("button", name="Import 24 images").wait_for()
        everywhere(page, "way-inspector-2-import", "#import-start")
        page.get_by_role("button", name="Import 24 images").click()
        sentence(page, "Imported 24 images")
        page.locator(".next-do", has_text="Build one").click()
        everywhere(page, "way-inspector-3-build", "#build-start")
        page.locator("#build-start").click()
        sentence(page, "Built v1 in")
        page.locator(".next-do", has_text="Look at a heatmap").click()
        page.locator(".vw-files").set_input_files([*several, *good[5:40:7]])
        page.locator(".vw-lists option:checked", has_text="Uploaded images (11)").wait_for(state="attached")
        page.get_by_text("All scored").wait_for()
        everywhere(page, "way-inspector-4-uploads", ".vw-missed", phone=True)
        assert verdicts(page) == "0"  # the bank misses all of them

        mark(page, several[0], "way-inspector-5-marking")
        assert re.search(r"now Defect .* \d+ more judged defective", page.locator(".st-toast").inner_text())
        everywhere(page, "way-inspector-6-again", ".vw-like.main-button", phone=True)
        mark(page, several[1])
        more_like_this(page, own)
        page.get_by_role("link", name="Inspect").click()
        page.locator(".vw-lists").select_option("uploads")
        scored(page)
        if page.locator(".vw-score").is_enabled():
            page.click(".vw-score")
        page.get_by_text("All scored").wait_for()
        page.locator(".vw-cut summary").click()
        page.locator(".vw-cutline").focus()
        page.keyboard.press("ArrowLeft")
        told = page.locator(".vw-counts", has_text=re.compile(r"exceeded by \d+ of 11 images"))
        told.wait_for()
        above = re.findall(r"\d+", told.inner_text())[0]
        everywhere(page, "way-inspector-9-threshold", ".vw-cut .main-button")
        page.locator(".vw-cut").get_by_role("button", name="Use this").click()
        said(page, "v1 now has the threshold")
        page.get_by_text("All scored").wait_for()
        assert verdicts(page) == above != "0"
        chosen = thresholds.in_force(own, own.bank().id)
        assert chosen and chosen.who == "Anna" and chosen.way == "hand"


def verdicts(page: Page) -> str:
    """How many images of the list are judged defective."""
    return page.locator(".vw-filters button", has_text="Verdict defect").locator("b").inner_text()


def mark(page: Page, image: Path, name: str = "") -> None:
    """A missed defect: M, a stroke over it, Save; the list is scored again by itself. name: of a look at the tools."""
    page.locator(f".vw-thumb[data-id*='{image.name}']").click()
    scored(page, image.name)
    page.keyboard.press("m")
    page.locator(".vw-keep").wait_for()
    if name:
        everywhere(page, name, ".vw-keep", phone=True)
    true = read_mask(image.with_suffix(".png"), None)
    (row, column), stage = (
        np.median(np.argwhere(true), axis=0),
        page.locator(".vw-marking .vw-stage").bounding_box(),
    )
    assert stage
    at = [
        stage["x"] + stage["width"] * column / true.shape[1],
        stage["y"] + stage["height"] * row / true.shape[0],
    ]
    page.mouse.move(at[0] - 4, at[1])
    page.mouse.down()
    page.mouse.move(at[0] + 4, at[1], steps=4)
    page.mouse.up()
    page.fill(".vw-type", "blowhole")
    page.click(".vw-keep")
    said(page, "now not sure")
    page.get_by_text("All scored").wait_for()
    assert "~" not in page.locator(".vw-filters").inner_text()


def more_like_this(page: Page, own: Workspace) -> None:
    """From a missed defect to ten painted candidates like it, curated by the recommendation: at most 6 clicks."""
    clicks: list[str] = []

    def click(selector: str) -> None:
        clicks.append(selector)
        page.locator(selector).click()

    click(".vw-like.main-button")
    said(page, "Loaded the mask of")
    assert "#" not in page.locator(".st-toast").inner_text()  # a name, not an id
    assert page.input_value(".st-type") == "blowhole" and page.locator(".st-vary").is_checked()
    assert "blowhole" in page.input_value(".st-prompt")
    page.locator(".st-queue", has_text="Queue 10").wait_for()
    everywhere(page, "way-inspector-7-like-this", ".st-queue")
    click(".st-queue")
    until(page, lambda: candidates.count(own) == 10)
    page.locator(".next-do", has_text="Decide").wait_for()
    click(".next-do")
    ready(page)
    page.locator(".cu-about", has_text="held-out").first.wait_for()  # marked uploads are real defects, too
    page.wait_for_function(
        "[...document.images].every((one) => one.complete && (one.naturalWidth || !one.src))"
    )
    everywhere(page, "way-inspector-8-curate", ".cu-accept", phone=True)
    click("[data-bulk=recommended]")
    sheet = page.locator(".st-dialog .st-sheet")
    sheet.locator("h2", has_text=re.compile("Accept|Nothing is recommended")).wait_for()
    everywhere(page, "way-inspector-8-recommended", ".st-dialog .st-sheet button", phone=True)
    confirm = sheet.locator(".cu-confirm")
    if confirm.count():  # none may be recommended, which is an answer too
        click(".cu-confirm")
        said(page, "Accepted")
    else:
        assert "held-out training parts" in sheet.inner_text()
        page.keyboard.press("Escape")
    assert len(clicks) <= 6
    assert {made.mask_spec["file"] for made in candidates.listed(own)} != {""}
