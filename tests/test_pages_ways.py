"""The three ways in, from end to end in a browser: an inspector's, a prompt engineer's and a vision engineer's.

Each station is looked at in every window, light and dark (tests/sizes.py).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from exdd_core import jobs
from exdd_core.banks.building import build_bank
from exdd_core.curation import judge
from exdd_core.evaluation import Outcome, advise
from exdd_core.images import read_mask
from exdd_core.workspace import Workspace, candidates, thresholds
from exdd_core.workspace.imports import import_dataset
from tests.browser import SLOW, look_at, ready, said, scored, sentence, serving, until, visit, visiting
from tests.sizes import everywhere

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from exdd_core.evaluation import Advice, Validation


def visitor(browser: Browser) -> AbstractContextManager[Page]:
    """Somebody who goes on while a page still asks its server."""
    return visiting(browser, 1400, 900, leaving=True)


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
    with serving(own) as address, visitor(browser) as page:
        page.set_default_timeout(SLOW)
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
        more_like_this(page, own, "way-inspector")
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


def more_like_this(page: Page, own: Workspace, name: str = "") -> bool:
    """From a missed defect to ten painted candidates like it, curated by the recommendation: at most 6 clicks.

    name: of looks at the stations. Returns whether any was recommended, and thus accepted.
    """
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
    if name:
        everywhere(page, f"{name}-7-like-this", ".st-queue")
    click(".st-queue")
    until(page, lambda: candidates.count(own) == 10)
    page.locator(".next-do", has_text="Decide").wait_for()
    click(".next-do")
    ready(page)
    page.locator(".cu-about", has_text="held-out").first.wait_for()  # marked uploads are real defects, too
    page.wait_for_function(  # lazy ones far below what is seen may stay out
        """[...document.images].filter((one) => one.getBoundingClientRect().top < innerHeight)
        .every((one) => one.complete && (one.naturalWidth || !one.src))"""
    )
    if name:
        everywhere(page, f"{name}-8-curate", ".cu-accept", phone=True)
    click("[data-bulk=recommended]")
    sheet = page.locator(".st-dialog .st-sheet")
    sheet.locator("h2", has_text=re.compile("Accept|Nothing is recommended")).wait_for()
    if name:
        everywhere(page, f"{name}-8-recommended", ".st-dialog .st-sheet button", phone=True)
    is_recommended = sheet.locator(".cu-confirm").count() > 0
    if is_recommended:  # none may be recommended, which is an answer too
        click(".cu-confirm")
        said(page, "Accepted")
        until(page, lambda: candidates.count(own, status="accepted") > 0)
    else:
        assert "held-out training parts" in sheet.inner_text()
        page.keyboard.press("Escape")
    assert len(clicks) <= 6
    assert {made.mask_spec["file"] for made in candidates.listed(own)} != {""}
    return is_recommended


def test_ten_like_a_missed_defect_are_accepted_by_the_recommendation_in_six_clicks(
    browser: Browser, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where each painting helps every held-out part, which is stored here in place of a measurement."""

    def helping(_: object, groups: Any, progress: Any) -> Advice:
        def outcome(added: Sequence[object]) -> Outcome:
            parts = {
                part: gain * len(added) for part, gain in zip("abcd", (0.1, 0.11, 0.12, 0.1), strict=True)
            }
            return Outcome(parts, float(np.mean([*parts.values()])), 1.0, 4, 4, 0.0, 10)

        stored = SimpleNamespace(
            kind=SimpleNamespace(uses_context=False), before=outcome([]), outcome=outcome
        )
        stored.detector = SimpleNamespace(additions=list)
        return advise(cast("Validation", stored), groups, progress)

    monkeypatch.setattr(judge, "advise", helping)
    for kind, most in (("MT_Free", 48), ("MT_Crack", 24), ("MT_Blowhole", 36)):
        *files, missed = sorted((real_data / "magnetic_tile" / kind / "Imgs").glob("*.jpg"))
        (folder := tmp_path / "magnetic_tile" / kind / "Imgs").mkdir(parents=True)
        for file in files[:: -(-len(files) // most)]:
            shutil.copy(file, folder)
            shutil.copy(file.with_suffix(".png"), folder)
    own = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    import_dataset(own, tmp_path / "magnetic_tile", name="tiles")
    build_bank(own, "tiles")
    with serving(own) as address, visitor(browser) as page:
        page.set_default_timeout(SLOW)
        known_as(page, "Anna")
        page.goto(address)
        page.locator(".vw-files").set_input_files([missed, files[-1]])
        page.get_by_text("All scored").wait_for()
        mark(page, missed)
        assert more_like_this(page, own)


def test_a_prompt_engineers_way(browser: Browser, demo_workspace: Workspace, tmp_path: Path) -> None:
    """Alternatives, masks, a draft, a comparison kept, a search by measured effect, decisions by key, a rebuild."""
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    own = Workspace.open(tmp_path / "workspace")
    with serving(own) as address, visitor(browser) as page:
        page.set_default_timeout(SLOW)
        known_as(page, "Ben")
        page.goto(f"{address}studio")
        page.locator(".studio.st-ready").wait_for()
        page.click("[data-kind=generated]")
        page.fill(".st-prompt", "{deep dark|faint} scratch")
        page.locator(".st-expanded summary", has_text="2 prompts").wait_for()
        everywhere(page, "way-prompt-1-studio", ".st-queue")
        page.click(".st-preview")
        page.locator(".st-seen", has_text="new to the positive bank").wait_for()
        everywhere(page, "way-prompt-2-draft", ".st-preview")

        page.click(".st-compare")
        page.select_option(".st-axis-x", "strength")
        page.fill(".st-values-strength", "0.2, 2")
        page.fill(".st-spent", "6")
        everywhere(page, "way-prompt-3-axes", ".st-startsearch")
        page.click(".st-startcompare")
        page.locator(".st-cell:not([disabled]) img").nth(1).wait_for()
        everywhere(page, "way-prompt-4-comparison", ".st-queue")
        page.get_by_role("button", name="Keep all").click()
        said(page, "Kept 2 drafts")
        page.click(".st-compare")
        page.click(".st-startsearch")
        said(page, "Searching with 6 candidates")
        (job,) = (one for one in jobs.listed(own) if one.title.startswith("Search "))
        until(page, lambda: jobs.get(own, job.id).state == "done")
        page.locator(".st-job").wait_for(state="detached")
        everywhere(page, "way-prompt-5-searched", ".st-queue")

        waiting = candidates.count(own, status="pending")
        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Curate").click()
        ready(page)
        page.locator(".cu-about", has_text="held-out").first.wait_for()
        everywhere(page, "way-prompt-6-curate", ".cu-accept", phone=True)
        page.keyboard.press("a")
        said(page, "Accepted 1 candidate")
        page.keyboard.press("r")
        page.keyboard.press("1")
        said(page, "Rejected 1 candidate")
        until(page, lambda: candidates.count(own, status="pending") == waiting - 2)

        page.get_by_role("navigation", name="Pages").get_by_role("link", name="Banks").click()
        page.get_by_label("Real and accepted painted ones").and_(page.locator(":checked")).wait_for()
        page.locator("#build-start").click()
        sentence(page, "Built v2 in")
        everywhere(page, "way-prompt-7-rebuilt", "#build-start")
    assert own.bank().summary["positive_rows"] > own.bank("v1").summary["positive_rows"]


def test_a_vision_engineers_way(browser: Browser, demo_dataset: Path, tmp_path: Path) -> None:
    """A data set with masks, a bank, Table 1, its report, a threshold, and two versions on one picture."""
    own = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    with serving(own) as address, visitor(browser) as page:
        page.set_default_timeout(SLOW)
        known_as(page, "Eva")
        visit(page, f"{address}data")
        look_at(page, demo_dataset)
        page.get_by_role("button", name="Import 24 images").click()
        sentence(page, "Imported 24 images")
        everywhere(page, "way-vision-1-data", ".next-do")
        page.locator(".next-do", has_text="Build one").click()
        page.locator("#build-start").click()
        sentence(page, "Built v1 in")

        page.get_by_role("link", name="Evaluate", exact=True).click()
        page.locator("[name=rate]").wait_for()
        everywhere(page, "way-vision-2-evaluate", ".ev-start")
        page.fill("[name=rate]", "40 %")
        page.click(".ev-start")
        page.locator(".ev-run[aria-selected=true]", has_text="Table 1").wait_for(timeout=3 * SLOW)
        page.locator(".ms-switch [data-method=exdd_base]").wait_for()
        everywhere(page, "way-vision-3-table", ".ms-handle")
        page.locator(".ms-switch [data-method=exdd_base]").click()
        page.locator(".ms-handle").press("End")
        everywhere(page, "way-vision-4-threshold", ".ms-use")
        page.click(".ms-use")
        said(page, "now has the threshold")
        with page.expect_download() as download:
            page.locator(".ev-report").first.click()
        download.value.save_as(tmp_path / "report.html")
        assert "Measure it again" in (tmp_path / "report.html").read_text("utf-8")

        page.get_by_role("link", name="Banks", exact=True).click()
        page.get_by_label("None: normal images only, as PatchCore").check()
        page.locator("#build-start").click()
        sentence(page, "Built v")
        assert not own.bank().summary[
            "positive_rows"
        ]  # what was chosen, however soon after the page had opened
        thresholds.choose(own, own.bank().id, thresholds.Choice(value=500, way="hand", who="Eva"))
        page.reload()
        score = page.locator("#verdicts [data-act=score]")
        score.first.wait_for()
        while left := score.count():
            score.first.click()
            page.wait_for_function(
                f"document.querySelectorAll('#verdicts [data-act=score]').length < {left}", timeout=SLOW
            )
        page.locator(".changed button").first.click()
        page.locator(".both img").nth(1).wait_for()
        everywhere(page, "way-vision-5-one-picture", ".changed button")
