"""The Inspect page in a real browser on a real app: what a person sees, clicks, types, scores and takes away."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import cv2
import numpy as np
import pytest
from PIL import Image

from exdd_core import curation, jobs
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.curation import outlining
from exdd_core.detector.inspection import Inspection
from exdd_core.images import encode_png, read_image, read_mask
from exdd_core.review import COLUMNS
from exdd_core.workspace import Workspace, dataset_changes, decisions
from exdd_core.workspace.imports import import_dataset
from exdd_core.workspace.versions import activate_bank
from tests.browser import (
    MOVED,
    SLOW,
    chosen,
    holding,
    opened,
    said,
    scored,
    serving,
    shoot,
    styled,
    until,
    visiting,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


@pytest.fixture(scope="module")
def workspace(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A copy of the demo workspace, for this module to write results into."""
    folder = tmp_path_factory.mktemp("inspect") / "workspace"
    shutil.copytree(demo_workspace.path, folder)
    return Workspace.open(folder)


@pytest.fixture(scope="module")
def address(workspace: Workspace) -> Iterator[str]:
    with serving(workspace) as address:
        yield address


@pytest.mark.parametrize(("width", "height", "dark"), [(1280, 800, False), (1400, 900, True)])
def test_four_equal_panes_on_one_row(
    browser: Browser, address: str, workspace: Workspace, width: int, height: int, dark: bool
) -> None:
    with visiting(browser, width, height, dark) as page:
        opened(page, address, chosen(workspace)[0])
        boxes = [page.locator(".vw-view").nth(i).bounding_box() for i in range(4)]
        assert all(boxes)
        assert len({(round(b["width"]), round(b["height"]), round(b["y"])) for b in boxes if b}) == 1
        left = [b["x"] for b in boxes if b]
        assert left == sorted(left) and boxes[3] and boxes[3]["x"] + boxes[3]["width"] < width
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing sticks out
        for pane in range(4):  # the whole image is in sight
            view, stage = page.locator(".vw-view").nth(pane), page.locator(".vw-stage").nth(pane)
            inner, outer = stage.bounding_box(), view.bounding_box()
            assert inner and outer
            assert inner["x"] >= outer["x"] and inner["x"] + inner["width"] <= outer["x"] + outer["width"]
            assert inner["y"] >= outer["y"] and inner["y"] + inner["height"] <= outer["y"] + outer["height"]
        assert page.locator(".vw-truthline").count() == 4
        shoot(page, f"inspect-{width}-{'dark' if dark else 'light'}", full_page=True)


def test_scores_verdicts_bank_and_reasons_are_those_of_the_detector(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    row = workspace.image(chosen(workspace)[0])
    patchcore, exdd = load_detector(workspace).compare([row.path])[0]
    with visiting(browser) as page:
        opened(page, address, row.id)
        heads = page.locator(".vw-panes .vw-head").all_inner_texts()
        notes = page.locator(".vw-bank").all_inner_texts()
        for place, inspection, name in ((1, patchcore, "PatchCore"), (2, exdd, "ExDD")):
            words = "Defect" if inspection.verdict == "defect" else "Missed defect"
            score = f"{inspection.calibrated_score:.2f}".replace("-", "−")
            assert heads[place].split() == [name, *words.split(), score]
            assert notes[place - 1] == f"Bank v1 · {inspection.fusion}"
            assert inspection.reason in page.locator(f".vw-why-{name.lower()}").inner_text()
        marks = page.locator(".vw-scale-score .vw-tick").all_inner_texts()
        assert [mark.split()[:2] for mark in marks] == [["2", "or"], ["1", "threshold"], ["0", "median"]]
        highest, *_ = exdd.regions  # the table names every region, and a click zooms to it
        lines = page.locator(".vw-regions tbody tr")
        lines.first.wait_for()
        assert lines.count() == min(12, len(exdd.regions)) and page.locator(".vw-outlines").count() == 1
        x0, y0, x1, y1 = highest.region.box
        cells = lines.first.locator("td").all_inner_texts()
        assert cells[:2] == [f"x {x0}–{x1}, y {y0}–{y1}", f"{highest.region.area:,} px"]
        assert cells[4] == (highest.defect_type or "defect")
        card = page.locator(".vw-card-here", has_text=f"ExDD {cells[2]}")
        card.wait_for()  # the highest patch is looked at first
        page.locator(".vw-view").nth(2).click(position={"x": 8, "y": 8})
        card.wait_for(state="detached")
        lines.first.locator("button").click()
        card.wait_for()
        width, height = (
            page.locator(".vw-view").nth(2).evaluate("(view) => [view.clientWidth, view.clientHeight]")
        )
        scale = min(width / exdd.map.shape[1], height / exdd.map.shape[0])
        small = (
            max((x1 - x0) * scale / width, (y1 - y0) * scale / height) < 1 / 3
        )  # only then it is zoomed to
        moved = str(page.locator(".vw-stage").nth(2).get_attribute("style"))
        assert ("scale(1)" not in moved) == small
        shoot(page, "inspect-regions", full_page=True)
        page.click("[data-values=raw]")
        raw = page.locator(".vw-panes .vw-head").nth(2).inner_text()
        assert raw.split()[-1] == f"{exdd.score:.{1 if abs(exdd.score) >= 100 else 2}f}".replace("-", "−")
        assert page.locator(".vw-scale-score .vw-left").count() >= 2  # each method has its own numbers


def test_a_click_shows_both_neighbours(browser: Browser, address: str, workspace: Workspace) -> None:
    row = workspace.image(chosen(workspace)[0])
    exdd = load_detector(workspace).compare([row.path])[0][1]
    with visiting(browser) as page:
        opened(page, address, row.id)
        assert page.locator(".vw-boxes path.vw-box").count() == 4  # the patch of the highest score
        assert page.locator(".vw-mark:not([hidden])").count() == 0
        box = page.locator(".vw-stage").nth(2).bounding_box()
        assert box
        x, y = 0.3, 0.7
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.locator(".vw-card-here", has_text="Patch here").wait_for(timeout=SLOW)
        assert page.locator(".vw-mark:not([hidden])").count() == 4  # marked in all four panes
        assert page.locator(".vw-boxes path.vw-box").count() == 4
        found = exdd.at(int(y * row.height), int(x * row.width))
        assert found.positive and found.ratio
        normal = page.locator(".vw-card-normal").inner_text().replace("\u200b", "")
        defect = page.locator(".vw-card-defect").inner_text().replace("\u200b", "")
        assert f"{found.negative.distance:.2f}" in normal
        assert found.negative.image.removeprefix(f"{row.dataset}/") in normal
        assert f"{found.positive.distance:.2f}" in defect and found.positive.defect_type in defect
        assert f"{found.ratio:.2f}" in page.locator(".vw-card-ratio").inner_text()
        for card in ("here", "normal", "defect"):  # a crop with its patch boxed, from the image it comes from
            crop = page.locator(f".vw-card-{card} .vw-crop")
            assert crop.locator("img").evaluate("i => i.complete && i.naturalWidth > 40")
            inner, outer = crop.locator("i").bounding_box(), crop.bounding_box()
            assert inner and outer and 4 < inner["width"] < outer["width"]


def test_zoom_and_pan_move_all_panes_and_a_double_click_resets(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with visiting(browser) as page:
        opened(page, address, chosen(workspace)[0])

        def moves() -> set[str]:
            return {page.locator(".vw-stage").nth(i).evaluate("e => e.style.transform") for i in range(4)}

        before = moves()
        box = page.locator(".vw-view").nth(1).bounding_box()
        assert box and len(before) == 1
        page.mouse.move(box["x"] + 60, box["y"] + 90)
        page.mouse.wheel(0, -600)
        page.wait_for_function("!document.querySelector('.vw-reset').disabled")
        zoomed = moves()
        assert len(zoomed) == 1 and zoomed != before
        page.mouse.down()
        page.mouse.move(box["x"] + 20, box["y"] + 50, steps=4)
        page.mouse.up()
        panned = moves()
        assert len(panned) == 1 and panned != zoomed
        assert page.locator(".vw-card-here", has_text="Highest score").count() == 1  # a drag is no click
        page.mouse.dblclick(box["x"] + 60, box["y"] + 90)
        assert moves() == before


def test_keys_step_through_images_and_panes_but_not_while_typing(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    names = [row.id.partition("/")[2] for row in workspace.images(split="test")]
    with visiting(browser) as page:
        opened(page, address, workspace.images(split="test")[1].id)
        for key, place in (("ArrowRight", 2), ("j", 3), ("ArrowLeft", 2), ("k", 1)):
            page.keyboard.press(key)
            scored(page, names[place])
        assert "image=" + quote(workspace.images(split="test")[1].id, safe="") in page.url
        page.keyboard.press("3")
        assert page.locator(".vw-view:visible").count() == 1
        assert page.locator(".vw-head:visible", has_text="ExDD").count() == 1
        pane = page.locator(".vw-view:visible").bounding_box()  # all of it is on the screen
        assert pane and page.viewport_size and pane["y"] + pane["height"] <= page.viewport_size["height"]
        page.keyboard.press("Escape")
        assert page.locator(".vw-view:visible").count() == 4
        page.keyboard.press("t")
        assert (
            page.locator(".vw-truthline:visible").count() == 0 and not page.locator(".vw-truth").is_checked()
        )
        page.keyboard.press("t")
        page.click(".vw-add summary")
        page.locator(".vw-folder").press_sequentially("jkt3")
        assert page.locator(".vw-folder").input_value() == "jkt3"
        assert page.locator(".vw-name").inner_text() == names[1]
        assert page.locator(".vw-view:visible").count() == 4 and page.locator(".vw-truth").is_checked()


def test_lists_can_be_changed_and_another_bank_version_is_noticed(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with visiting(browser) as page:
        opened(page, address, chosen(workspace)[0])
        page.select_option(".vw-lists", "demo/train")
        train = workspace.images(split="train")
        page.locator(".vw-position", has_text=f"of {len(train)}").wait_for(timeout=SLOW)
        scored(page)
        assert "demo%2F" in page.url and page.locator(".vw-thumb").count() == len(train)
        first = workspace.bank()
        second = build_bank(workspace, "demo", positives="none")
        activate_bank(workspace, second.id)
        try:
            page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
            page.locator(".vw-other", has_text=f"{second.name} was activated elsewhere").wait_for()
            page.get_by_role("button", name=f"Use {second.name}").click()
            page.locator(".vw-bank", has_text=f"Bank {second.name} ").first.wait_for(timeout=SLOW)
        finally:
            activate_bank(workspace, first.id)


def test_opacity_acts_at_once_and_is_remembered(browser: Browser, address: str, workspace: Workspace) -> None:
    with visiting(browser) as page:
        opened(page, address, chosen(workspace)[0])
        pane = page.locator(".vw-view").nth(2)
        shown = pixels(pane.screenshot())
        page.locator(".vw-opacity").fill("0")
        bare = pixels(pane.screenshot())
        assert np.abs(shown - bare).mean() > 5
        spread = np.ptp(bare[20:-20, 20:-20], axis=2)
        assert np.median(spread) <= 2  # the picture alone, in grey
        page.locator(".vw-opacity").fill("100")
        page.keyboard.press("Tab")
        page.reload()
        scored(page)
        assert page.locator(".vw-percent").inner_text() == "100 %"
        page.keyboard.press("o")  # maps off, and on again
        assert page.locator(".vw-percent").inner_text() == "0 %"
        page.keyboard.press("o")
        assert page.locator(".vw-percent").inner_text() == "100 %"


def test_score_all_sort_filter_open_and_find_it_again(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    count = len(workspace.images(split="test"))
    with visiting(browser) as page:
        opened(page, address)
        page.click("[data-view=table]")
        if page.locator(".vw-score").is_enabled():
            page.click(".vw-score")
        page.get_by_text("All scored").wait_for(timeout=SLOW)
        rows = page.locator(".vw-tablebox tbody tr")
        assert rows.count() == count
        page.click("th:has-text('ExDD score')")  # highest first

        def column(number: int) -> list[str]:
            return page.locator(f".vw-tablebox tbody td:nth-child({number})").all_inner_texts()

        def scores() -> list[float]:
            return [float(text.replace("−", "-")) for text in column(5)]

        assert scores() == sorted(scores(), reverse=True)
        page.click("th:has-text('ExDD score')")
        assert scores() == sorted(scores())
        last = column(1)[-1]
        rows.nth(count - 1).click()
        scored(page, last)
        shoot(page, "inspect-table", full_page=True)
        page.click("[data-filter=normal]")
        assert set(column(2)) == {"normal"} and rows.count() == len(chosen(workspace, "normal"))
        normals = rows.count()  # the image that is open is one of those that are shown
        page.locator(".vw-position", has_text=re.compile(f"of {normals}$")).wait_for()
        page.click("[data-filter=disagree]")
        said = {"False alarm": "Defect", "Missed defect": "Normal"}  # of the verdict alone
        if page.locator("[data-filter=disagree] b").inner_text() != "0":
            assert all(said.get(a, a) != said.get(b, b) for a, b in zip(column(4), column(6), strict=True))
        empty = page.locator(".vw-chip:enabled", has=page.locator("b", has_text=re.compile("^0$")))
        if empty.count():
            empty.first.click()
            page.click(".vw-all")
            assert rows.count() == count
        page.reload()
        scored(page)
        page.get_by_text("All scored").wait_for(timeout=SLOW)
        assert "not scored yet" not in page.locator(".vw-tablebox").inner_text()


def test_export_as_csv_png_and_zip(
    browser: Browser, address: str, workspace: Workspace, tmp_path: Path
) -> None:
    image = chosen(workspace)[0]
    with visiting(browser) as page:
        opened(page, address, image)
        if page.locator(".vw-score").is_enabled():
            page.click(".vw-score")
        page.get_by_text("All scored").wait_for(timeout=SLOW)
        page.click("[data-filter=defect]")
        taken = {}
        for kind in ("csv", "png", "zip", "coco"):
            page.click(".vw-export summary")
            with page.expect_download(timeout=SLOW) as download:
                page.click(f"[data-export={kind}]")
            taken[kind] = tmp_path / download.value.suggested_filename
            download.value.save_as(taken[kind])
        defects = chosen(workspace)
        rows = list(csv.DictReader(io.StringIO(taken["csv"].read_text("utf-8"))))
        assert len(rows) == len(defects) and {row["truth"] for row in rows} == {"defect"}
        assert tuple(rows[0]) == COLUMNS and taken["csv"].suffix == ".csv"
        patchcore, exdd = load_detector(workspace).compare([workspace.image(image).path])[0]
        name = image.partition("/")[2]
        row = next(row for row in rows if row["image"] == name)
        assert np.isclose(float(row["exdd_score"]), exdd.score, rtol=1e-4)
        assert row["exdd_verdict"] == exdd.verdict and row["patchcore_reason"] == patchcore.reason
        assert len(json.loads(row["regions"])) == len(exdd.regions)
        coco = json.loads(taken["coco"].read_text("utf-8"))
        number = next(one["id"] for one in coco["images"] if one["file_name"] == name)
        boxes = [a["bbox"][:2] for a in coco["annotations"] if a["image_id"] == number]
        assert boxes == [list(known.region.box[:2]) for known in exdd.regions]
        assert Image.open(taken["png"]).width > 4 * 160
        with zipfile.ZipFile(taken["zip"]) as archive:
            assert sum(name.endswith(".png") for name in archive.namelist()) == len(defects)
            assert len(archive.read("results.csv").splitlines()) == len(defects) + 1


def test_uploads_and_a_folder_with_a_file_that_is_no_image(
    browser: Browser, address: str, workspace: Workspace, tmp_path: Path
) -> None:
    sources = [workspace.image(id).path for id in chosen(workspace)[:2]]
    broken = tmp_path / "notes.png"
    broken.write_text("not an image")
    folder = tmp_path / "line 3"
    folder.mkdir()
    shutil.copy(sources[1], folder / "a.png")
    (folder / "b.png").write_bytes(sources[0].read_bytes()[:200])
    with visiting(browser) as page:
        opened(page, address)
        page.locator(".vw-files").set_input_files([broken])
        page.locator(".note.error", has_text="notes.png").wait_for(timeout=SLOW)
        page.locator(".vw-files").set_input_files([sources[0]])
        uploaded = page.locator(".vw-lists option:checked", has_text="Uploaded images (1)")
        uploaded.wait_for(state="attached", timeout=SLOW)
        scored(page, sources[0].name)
        assert "Truth unknown" in page.locator(".vw-panes .vw-note").first.inner_text()
        assert page.locator("[data-filter=missed]").count() == 0  # nothing is missed where nothing is known
        page.click(".vw-add summary")
        page.fill(".vw-folder", str(tmp_path / "nowhere"))
        page.keyboard.press("Enter")
        page.locator(".note.error", has_text="not a folder").wait_for(timeout=SLOW)
        page.fill(".vw-folder", str(folder))
        page.keyboard.press("Enter")
        page.locator(".vw-lists option:checked", has_text="line 3").wait_for(state="attached", timeout=SLOW)
        page.locator(".note.error", has_text="1 image could not be read").wait_for(timeout=SLOW)
        scored(page, "a.png")
        page.keyboard.press("ArrowRight")
        page.locator(".vw-cover", has_text="b.png is damaged").wait_for(timeout=SLOW)
        shoot(page, "inspect-unreadable", full_page=True)
        page.keyboard.press("ArrowLeft")
        scored(page, "a.png")
        assert page.locator(".vw-cover").count() == 0
        # The address holds no path of the server, and yet a reload shows the same.
        assert str(tmp_path) not in unquote(page.url)
        page.reload()
        scored(page, "a.png")
        # Both are taken off the lists again, and uploads come back by Undo.
        page.click(".vw-add summary")
        page.locator(".vw-clear", has_text="Remove this folder from the list").click()
        said(page, f"Removed {folder} from the lists")
        assert page.locator(".vw-lists option", has_text="line 3").count() == 0
        page.locator(".vw-lists").select_option("uploads")
        scored(page, sources[0].name)
        page.click(".vw-add summary")
        page.locator(".vw-clear", has_text="Remove 1 uploaded image").click()
        said(page, "Removed 1 uploaded image.")
        assert page.locator(".vw-lists option[value=uploads]").count() == 0
        page.locator(".st-toast").get_by_role("button", name="Undo").click()
        said(page, "Restored 1 uploaded image.")
        scored(page, sources[0].name)
        page.click(".vw-add summary")
        page.locator(".vw-clear", has_text="Remove 1 uploaded image").click()
        said(page, "Removed 1 uploaded image.")
        assert page.locator(".vw-lists option[value=uploads]").count() == 0
        scored(page)


def test_scoring_can_be_cancelled_and_keeps_what_it_has(
    browser: Browser, address: str, workspace: Workspace, tmp_path: Path
) -> None:
    source = read_image(workspace.image(chosen(workspace)[0]).path)
    for number in range(120):
        (tmp_path / f"{number:03d}.png").write_bytes(encode_png(np.roll(source, number, axis=1)))
    with visiting(browser) as page:
        opened(page, address)
        page.click(".vw-add summary")
        page.fill(".vw-folder", str(tmp_path))
        page.keyboard.press("Enter")
        page.locator(
            ".vw-told", has_text=re.compile(r"Scoring images: \d+ of \d+, about \d+ s left")
        ).wait_for(timeout=SLOW)
        shoot(page, "inspect-scoring")
        height = page.evaluate("document.querySelector('.vw-bar').clientHeight")
        page.click(".vw-cancel")
        page.locator(".note", has_text="Cancelled").wait_for(timeout=SLOW)
        assert page.evaluate("document.querySelector('.vw-bar').clientHeight") == height  # nothing moved
        words = page.locator(".vw-score").inner_text()
        assert re.fullmatch(r"Score \d+ more", words) and 0 < int(words.split()[1]) < 120


def test_without_a_data_set_the_page_leads_to_data(browser: Browser, tmp_path: Path) -> None:
    empty = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    with serving(empty) as address, visiting(browser) as page:
        page.goto(address)
        link = page.locator(".vw-need a")
        link.wait_for(timeout=SLOW)
        assert link.get_attribute("href") == "./data"
        assert page.locator(".vw-view:visible").count() == 0
        shoot(page, "inspect-no-data-set")


def test_without_a_bank_or_a_positive_bank_the_page_says_what_to_do(
    browser: Browser, demo_dataset: Path, tmp_path: Path
) -> None:
    fresh = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    import_dataset(fresh, demo_dataset, name="demo")
    with serving(fresh) as address, visiting(browser) as page:
        page.goto(address)
        link = page.locator(".vw-cover a")
        link.wait_for(timeout=SLOW)
        assert link.get_attribute("href") == "./banks"
        assert page.locator(".vw-view:visible").count() == 4  # the image can be looked at all the same
        shoot(page, "inspect-no-bank")
        # No second one is asked for while a job makes the first; once that has gone, it is again.
        job = jobs.submit(fresh, "build", "Build large", {"dataset": "demo", "size": "2048x2048"})
        page.locator(".vw-cover", has_text="is being built; see Jobs above").wait_for(timeout=SLOW)
        assert page.get_by_role("link", name="Build one").count() == 0
        shoot(page, "inspect-bank-coming")
        above = page.locator(".vw-cover").get_by_role("link", name="Jobs above")
        styled(above, "text-decoration-line", "underline")
        above.press("Enter")
        page.locator(".jobs-entry", has_text="Build large").get_by_role("button", name="Cancel").click()
        page.locator(".vw-cover", has_text="Build one in Banks").wait_for(timeout=SLOW)
        until(page, lambda: jobs.get(fresh, job.id).state == "cancelled")
        page.keyboard.press("Escape")
        build_bank(fresh, "demo", positives="none")
        page.reload()
        scored(page)
        assert "ExDD equals PatchCore" in page.locator(".vw-why-exdd").inner_text()
        assert "no positive bank" in page.locator(".vw-card-defect").inner_text()
        shoot(page, "inspect-no-positives", full_page=True)


def test_a_very_tall_and_a_very_large_image_are_whole(
    browser: Browser, address: str, workspace: Workspace, tmp_path: Path
) -> None:
    source = read_image(workspace.image(chosen(workspace)[0]).path)
    (tmp_path / "tall.png").write_bytes(encode_png(cv2.resize(source, (500, 1260))))
    (tmp_path / "vast.png").write_bytes(encode_png(cv2.resize(source, (4000, 3000))))
    with visiting(browser) as page:
        opened(page, address)
        page.click(".vw-add summary")
        page.fill(".vw-folder", str(tmp_path))
        page.keyboard.press("Enter")
        for name, ratio in (("tall.png", 500 / 1260), ("vast.png", 4 / 3)):
            scored(page, name)
            for pane in range(4):
                view = page.locator(".vw-view").nth(pane).bounding_box()
                stage = page.locator(".vw-stage").nth(pane).bounding_box()
                assert view and stage and np.isclose(stage["width"] / stage["height"], ratio, rtol=0.02)
                assert stage["width"] <= view["width"] and stage["height"] <= view["height"] <= 800
            shoot(page, f"inspect-{name.removesuffix('.png')}", full_page=True)
            page.keyboard.press("ArrowRight")
        assert (
            page.locator(".vw-base").first.evaluate("i => i.naturalWidth") == 1600
        )  # a reduced copy to look at


def test_magnetic_tiles_from_import_to_both_neighbours(
    browser: Browser, real_data: Path, tmp_path: Path
) -> None:
    """The issue's own test, on real images: a part of the magnetic tiles."""
    few = {"MT_Free": 36, "MT_Blowhole": 12, "MT_Crack": 12}
    for kind, number in few.items():
        files = sorted((real_data / "magnetic_tile" / kind / "Imgs").glob("*.jpg"))
        target = tmp_path / "magnetic_tile" / kind / "Imgs"
        target.mkdir(parents=True)
        for file in files[:: len(files) // number][:number]:
            shutil.copy(file, target)
            shutil.copy(file.with_suffix(".png"), target)
    tiles = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    import_dataset(tiles, tmp_path / "magnetic_tile", name="tiles")
    build_bank(tiles, "tiles")
    image = tiles.image(chosen(tiles)[0])
    with serving(tiles) as address, visiting(browser, 1400, 900) as page:
        opened(page, address, image.id)
        heat = page.locator(".vw-over")
        assert heat.nth(0).get_attribute("src") != heat.nth(1).get_attribute("src")
        box = page.locator(".vw-stage").first.bounding_box()
        assert box
        page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
        page.locator(".vw-card-here", has_text="Patch here").wait_for(timeout=SLOW)
        found = load_detector(tiles).compare([image.path])[0][1].at(image.height // 2, image.width // 2)
        assert found.positive
        for card, match in (("normal", found.negative), ("defect", found.positive)):
            words = page.locator(f".vw-card-{card}").inner_text().replace("\u200b", "")
            assert f"{match.distance:.2f}" in words and match.image.removeprefix("tiles/") in words
        shoot(page, "inspect-magnetic-tile", full_page=True)


def test_mark_a_missed_defect_and_a_false_alarm_with_the_keyboard_and_take_both_back(
    browser: Browser, demo_workspace: Workspace, tmp_path: Path
) -> None:
    """M, draw, keep: the heatmap changes at once; U: the same heatmap as before. F alike; then links to versions."""
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    workspace = Workspace.open(tmp_path / "workspace")
    row = next(row for row in workspace.images(split="test") if row.defect_type == "spot")
    normal = chosen(workspace, "normal")[-1]
    with serving(workspace) as address, visiting(browser, 1400, 900) as page:
        page.set_default_timeout(SLOW)
        opened(page, address, row.id)

        def heatmap() -> str | None:
            return page.locator(".vw-over").nth(1).get_attribute("src")

        def toast(words: str) -> None:
            import playwright.sync_api as playwright

            try:
                page.locator(".vw-toast:not([hidden])", has_text=words).wait_for()
            except playwright.TimeoutError as error:  # what the page says instead
                raise AssertionError(page.locator(".note, .vw-toast").all_inner_texts()) from error
            scored(page)

        page.click(".vw-score")
        page.get_by_text("All scored").wait_for()
        before = heatmap()
        page.keyboard.press("m")
        page.locator(".vw-keep").wait_for()
        page.keyboard.press("Enter")  # nothing is drawn yet, so nothing is kept
        page.keyboard.press("ArrowRight")  # nor does a slip of the hand lose what is
        assert page.locator(".vw-keep").is_disabled() and page.locator(".vw-markbar").is_visible()
        box = page.locator(".vw-stage").first.bounding_box()
        assert box and row.mask
        ys, xs = np.nonzero(read_mask(row.mask, (row.height, row.width)))
        middle = (
            box["x"] + box["width"] * float(np.median(xs)) / row.width,
            box["y"] + box["height"] * float(np.median(ys)) / row.height,
        )
        for _ in range(6):
            page.keyboard.press("]")  # a brush as large as the defect
        page.mouse.move(middle[0] - 12, middle[1])
        page.mouse.down()
        page.mouse.move(middle[0] + 12, middle[1], steps=6)
        page.mouse.up()
        shoot(page, "inspect-marking")
        page.keyboard.press("Enter")  # whose decision is it?
        assert page.evaluate("document.activeElement.className").startswith("vw-who")
        page.keyboard.type("Anna")
        page.fill(".vw-type", "spot")
        page.keyboard.press("Enter")
        toast(" Defect · ")  # "now" or "still", whatever the fusion made of it before
        assert heatmap() != before
        score = load_detector(workspace).score([row.path])[0].calibrated_score
        assert f"→ {score:.2f}," in page.locator(".vw-toast").inner_text() and score > 1
        assert page.locator(".vw-was").inner_text().startswith("Before: ")
        line = page.locator(".vw-markline", has_text="Marked as a missed defect (spot) by Anna")
        line.wait_for()
        assert page.locator(f".vw-thumb[data-id='{row.id}'] .vw-marked").inner_text() == "marked"
        (decision,) = decisions.history(workspace)
        assert (decision.action, decision.who, decision.detail["defect_type"]) == ("missed", "Anna", "spot")
        page.get_by_text("All scored").wait_for()  # again, by itself
        assert page.locator(".vw-stale").count() == 0
        shoot(page, "inspect-marked")
        page.keyboard.press("m")
        page.locator(".note", has_text="marked as a missed defect already").wait_for()
        page.keyboard.press("u")
        toast("Undone")
        assert heatmap() == before and line.count() == 0
        page.get_by_text("All scored").wait_for()  # what was known before counts again
        assert page.locator(".vw-stale, .vw-marked").count() == 0

        page.locator(f".vw-thumb[data-id='{normal}']").click()
        scored(page, normal.partition("/")[2])
        before, path = heatmap(), workspace.image(normal).path
        (known,) = load_detector(workspace).score([path])
        page.keyboard.press("f")
        page.locator(".vw-marktop", has_text="goes into the negative bank").wait_for()
        with holding(page, "progress"):  # the list is being scored again until the end of it
            page.keyboard.press("Enter")
            toast("added to bank")
            page.locator(".vw-markline", has_text="Marked as a false alarm by Anna").wait_for()
            assert decisions.history(workspace)[0].action == "false_alarm"
            (less,) = load_detector(workspace).score([path])
            assert less.score < known.score  # the heatmap of normal surface may be black before and after
            button = page.locator(".vw-toast button").bounding_box()
            assert button
            page.eval_on_selector(".vw-toast span", "words => words.append(' and no button moves'.repeat(9))")
            assert page.locator(".vw-toast button").bounding_box() == button
            page.mouse.click(button["x"] + 4, button["y"] + 4)
            toast("Undone")
        page.get_by_text("All scored").wait_for()
        page.wait_for_timeout(200)  # after which it would say what the mark had changed, with an Undo
        assert page.locator(".vw-toast").inner_text().startswith("Undone")
        assert heatmap() == before

        older = workspace.bank()
        newer = build_bank(workspace, "demo", positives="none")
        page.goto(f"{address}?image={quote(row.id, safe='')}&bank={older.id}")
        scored(page, row.id.partition("/")[2])
        assert f"Viewing with bank {older.name}" in page.locator(".vw-other:not(.vw-blind)").inner_text()
        assert page.locator(".vw-bank").nth(1).inner_text().startswith(f"Bank {older.name} ")
        page.keyboard.press("m")
        page.locator(".note", has_text="is not the active one").wait_for()
        shoot(page, "inspect-other-bank")
        page.locator(".vw-other:not(.vw-blind) button").click()
        page.locator(".vw-bank", has_text=f"Bank {newer.name} ").first.wait_for()
        assert "bank=" not in page.url and page.locator(".vw-name").inner_text() in row.id
        page.goto(address + "?image=demo/gone.png&bank=v99")
        page.locator(".note", has_text='Image "demo/gone.png" is no longer in this workspace').wait_for()
        assert 'no bank version "v99"' in page.locator(".note").first.inner_text()
        scored(page)
        page.keyboard.press("u")
        toast("There is no mark to undo")


def test_not_sure_and_the_probability_are_shown_wherever_a_verdict_is(
    browser: Browser, demo_workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verdict(seen: Inspection) -> str:
        return "not sure" if seen.calibrated_score < 1 else "defect"

    monkeypatch.setattr(Inspection, "verdict", property(verdict))
    monkeypatch.setattr(Inspection, "probability", property(lambda seen: 0.874))
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    workspace = Workspace.open(tmp_path / "workspace")
    inspected = {
        row.id: load_detector(workspace).score([row.path])[0] for row in workspace.images(split="test")
    }
    unsure = [id for id, seen in inspected.items() if seen.verdict == "not sure"]
    assert 0 < len(unsure) < len(inspected)
    with serving(workspace) as address, visiting(browser, 1280, 800) as page:
        opened(page, address, unsure[0])
        page.click(".vw-score")
        page.get_by_text("All scored").wait_for(timeout=SLOW)
        assert "Not sure" in page.locator(".vw-head").nth(2).inner_text()
        assert page.locator(".vw-probability").all_inner_texts() == ["Probability 87 %"] * 2
        shoot(page, "inspect-not-sure")
        page.click("[data-filter=doubt]")
        assert page.locator(".vw-thumb").count() == len(unsure)
        assert page.locator(".vw-thumb .vw-icon.doubt").first.get_attribute("title") == "ExDD: Not sure"
        page.click("[data-view=table]")
        cells = page.locator(".vw-tablebox tbody tr").first.locator("td").all_inner_texts()
        assert cells[5:7] == ["Not sure", "87 %"]
        shoot(page, "inspect-not-sure-table")
        page.click(".vw-export summary")
        with page.expect_download(timeout=SLOW) as download:
            page.click("[data-export=csv]")
        rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text("utf-8"))))
        assert {(row["exdd_verdict"], row["exdd_probability"]) for row in rows} == {("not sure", "0.874")}


def test_what_is_uploaded_is_taken_by_content_and_what_was_not_looked_at_is_said(
    browser: Browser, address: str, workspace: Workspace, tmp_path: Path
) -> None:
    source = read_image(workspace.image(chosen(workspace)[0]).path)
    picture = Image.fromarray(np.roll(source, 7, axis=0))
    picture.save(tmp_path / "part.jfif", format="JPEG")
    picture.save(tmp_path / "part.dat", format="PNG")
    picture.save(tmp_path / "moving.gif")
    folder = tmp_path / "line 4"
    folder.mkdir()
    stack = [Image.fromarray(np.roll(source, n, axis=1)) for n in range(3)]
    stack[0].save(folder / "stack.tif", save_all=True, append_images=stack[1:])
    picture.save(folder / "moving.gif")
    train = workspace.images(split="train")[0]
    with visiting(browser) as page:
        page.set_default_timeout(SLOW)
        opened(page, address)
        page.locator(".vw-files").set_input_files(
            [tmp_path / n for n in ("part.jfif", "part.dat", "moving.gif")]
        )
        page.locator(".note", has_text="moving.gif: GIF images are not supported").wait_for()
        titles = page.locator(".vw-thumb")
        for name in ("part.jfif", "part.dat"):
            page.locator(f".vw-thumb[title^='{name}']").wait_for()
        assert titles.count() >= 2
        page.click(".vw-add summary")
        page.fill(".vw-folder", str(folder))
        page.keyboard.press("Enter")
        page.locator(".vw-lists option:checked", has_text="Folder line 4 (1, 1 left out)").wait_for(
            state="attached"
        )
        page.locator(".note", has_text="Left out: moving.gif: GIF images are not supported").wait_for()
        scored(page, "stack.tif")
        note = page.locator(".vw-panes .vw-note").first
        assert "Only page 1 of 3 was inspected" in note.inner_text()
        shoot(page, "inspect-said", full_page=True)
        opened(page, address, train.id)
        for method in ("patchcore", "exdd"):
            words = page.locator(f".vw-why-{method}").inner_text()
            assert "this image is in the bank itself (v1 was built from it)" in words


def test_a_defect_without_a_mask_is_outlined_by_hand_or_from_the_heatmap(
    browser: Browser, demo_workspace: Workspace, tmp_path: Path
) -> None:
    """D, draw, keep; U; then the region above the threshold, as it is. The data set has the mask each time."""
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    workspace = Workspace.open(tmp_path / "workspace")
    id = chosen(workspace, "normal")[0]
    dataset_changes.relabel(workspace, [id], "defect", "Anna", "stain")
    with serving(workspace) as address, visiting(browser) as first, visiting(browser, 1400, 900) as page:
        opened(first, address, chosen(workspace)[0])  # else nothing is found, which a line of its own says
        page.set_default_timeout(SLOW)
        page.add_init_script(MOVED)
        with holding(page, "picture"):
            page.goto(f"{address}?image={quote(id, safe='')}")
            page.locator(".vw-cover", has_text="Opening the image").wait_for()
        scored(page)
        page.locator(".vw-wantsmask", has_text="no mask of it").wait_for()
        assert page.evaluate("window.moved") < 0.01, page.evaluate("window.movers")
        assert page.locator(".vw-truthline").count() == 0
        shoot(page, "inspect-wants-mask", full_page=True)
        page.keyboard.press("d")
        page.locator(".vw-marktop", has_text="The mask is saved with the data set").wait_for()
        assert page.locator(".vw-keep").is_disabled()
        box = page.locator(".vw-stage").first.bounding_box()
        assert box
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x - 20, y)
        page.mouse.down()
        page.mouse.move(x + 20, y, steps=6)
        page.mouse.up()
        page.fill(".vw-who", "Ben")
        page.keyboard.press("Enter")
        line = page.locator(".vw-markline", has_text="Outlined by Ben")
        line.wait_for()
        assert page.locator(".vw-truthline").count() == 4 and not outlining.wanted(workspace, id)
        row = workspace.image(id)
        assert row.mask is not None
        mask = read_mask(row.mask, (row.height, row.width))
        assert mask[row.height // 2, row.width // 2] and mask.mean() < 0.2
        with holding(page, "picture"):
            page.reload()
            page.locator(".vw-cover", has_text="Opening the image").wait_for()
        line.wait_for()
        assert page.evaluate("window.moved") < 0.01, page.evaluate("window.movers")
        shoot(page, "inspect-outlined", full_page=True)
        scored(page)
        page.keyboard.press("u")
        page.locator(".vw-wantsmask").wait_for()
        assert outlining.wanted(workspace, id) and page.locator(".vw-truthline").count() == 0

        page.get_by_text("Outline what the heatmap shows").click()
        page.locator(".vw-marktop", has_text="save it as the mask of the defect").wait_for()
        shoot(page, "inspect-outlining", full_page=True)
        page.keyboard.press("Enter")
        line.wait_for()
        seen = load_detector(workspace).compare([row.path])[0][1]
        row = workspace.image(id)
        assert row.mask is not None
        kept = read_mask(row.mask, (row.height, row.width))
        assert np.array_equal(kept, curation.alarming(seen))
        page.locator(".vw-toast button").click()
        page.locator(".vw-wantsmask").wait_for()
        assert outlining.wanted(workspace, id)
