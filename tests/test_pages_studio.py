"""The Studio in a real browser on a real app: what a prompt engineer draws, types, previews, compares and queues."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from exdd_core import jobs
from exdd_core.images import encode_jpeg, encode_png, read_image, read_mask
from exdd_core.jobs import kinds
from exdd_core.jobs.table import job_folder
from exdd_core.progress import Progress
from exdd_core.synthesis import mask_spec, masks
from exdd_core.synthesis.lora_settings import TeachSpec
from exdd_core.synthesis.procedural import Procedural
from exdd_core.workspace import Workspace, adapters, candidates, prompts
from exdd_core.workspace.imports import import_dataset
from tests.browser import SLOW, holding, said, serving, shoot, stroke, styled, until, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

    from exdd_core.workspace.candidates import Candidate


@pytest.fixture(scope="module")
def imported(demo_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a workspace with the demo images and nothing else, to be copied."""
    folder = tmp_path_factory.mktemp("studio") / "workspace"
    import_dataset(Workspace.create(folder, backbone="efficientnet_lite0"), demo_dataset, name="demo")
    return folder


@pytest.fixture
def workspace(imported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """One for a test to fill. There are no weights for SDXL."""
    for name in ("EXDD_SDXL", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    shutil.copytree(imported, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def address(workspace: Workspace) -> Iterator[str]:
    with serving(workspace) as address:
        yield address + "studio"


@contextmanager
def studio(browser: Browser, address: str) -> Iterator[Page]:
    """A visitor whose Studio is open."""
    with visiting(browser, 1400, 900) as page:
        page.set_default_timeout(30_000)
        opened(page, address)
        yield page


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(".st-result, .st-results .empty").first.wait_for(timeout=SLOW)
    page.wait_for_function("document.querySelector('.st-base').complete")


def preview(page: Page) -> None:
    """Press Preview and wait until another result is shown."""
    before = page.locator(".st-result").count()
    page.click(".st-preview")
    over = (
        "document.querySelectorAll('.st-result').length > n || !document.querySelector('.st-message').hidden"
    )
    page.wait_for_function(f"n => {over}", arg=before, timeout=SLOW)
    assert page.locator(".st-message").inner_text() == ""
    page.locator(".st-editfrom").wait_for(timeout=SLOW)
    page.locator(".st-running").wait_for(state="hidden")


def newest(workspace: Workspace) -> Candidate:
    return candidates.listed(workspace, limit=1)[0]


def box_of(page: Page, selector: str) -> Any:
    """Where an element lies once it stays there; it may be drawn anew meanwhile."""
    return stays(page, lambda: page.locator(selector).bounding_box())


def stays(page: Page, look: Callable[[], Any]) -> Any:
    """What is seen once there is something that stays for longer than a hand rests before the server is asked."""
    seen = None
    while not seen or seen != look():
        until(page, look)
        seen = look()
        page.wait_for_timeout(400)
    return seen


def measured(page: Page) -> None:
    """Wait until the server has said how large the mask is and the canvas shows what it made of it."""
    share, canvas = (
        "document.querySelector('.st-share').innerText",
        "document.querySelector('.st-mask').toDataURL()",
    )
    stays(page, lambda: page.evaluate(f"{share} && [{share}, {canvas}]"))


def sentence(page: Page, words: str) -> Locator:
    found = page.locator(".st-message .note, .st-undermask .st-told, .st-dialogmessage .note", has_text=words)
    found.first.wait_for()
    return found


def test_draw_preview_queue_twenty_close_the_tab_and_find_them(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    """The issue's own test, without weights."""
    with studio(browser, address) as page:
        assert page.locator("[data-engine=procedural]").get_attribute("aria-checked") == "true"
        assert page.locator(".st-empty", has_text="Nothing painted yet").is_visible()
        shoot(page, "studio-first")
        stroke(page, (0.3, 0.35), (0.5, 0.45), (0.7, 0.6))
        page.locator(".st-share", has_text="of the image").wait_for()
        began = time.monotonic()
        page.click(".st-preview")
        page.locator(".st-editfrom").wait_for()
        page.wait_for_function("document.querySelector('.st-afterpicture')?.naturalWidth > 0")
        assert time.monotonic() - began < 3
        made = newest(workspace)
        assert (
            made.status == "draft" and made.engine == "procedural" and made.prompt == "copper metal scratches"
        )
        page.locator(".st-seen", has_text="There is no bank version yet; build one").wait_for()
        shoot(page, "studio-preview", full_page=True)
        page.fill(".st-number", "20")
        page.locator(".st-queue", has_text="Queue 20").wait_for()
        page.click(".st-queue")
        said(page, "Queued 20 candidates")
        context = page.context
        page.close()
        page = context.new_page()
        until(page, lambda: candidates.count(workspace) == 21, 60)
        opened(page, address)
        page.locator(".st-count", has_text="21 results").wait_for()
        assert page.locator(".st-result").count() == 21
        assert page.locator(".st-result[tabindex='0'], .st-tile[tabindex='0']").count() == 2
        assert page.locator(
            ".st-share", has_text="of the image"
        ).is_visible()  # the drawn mask is there as well
        page.locator(".st-result").last.scroll_into_view_if_needed()
        page.wait_for_function(
            "[...document.querySelectorAll('.st-result img')].every(i => i.naturalWidth > 0)"
        )
        shoot(page, "studio-results", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")  # nothing sticks out
    images = {made.source for made in candidates.listed(workspace, status="pending")}
    rows = [workspace.image(image) for image in images]
    masks = [made.mask_spec for made in candidates.listed(workspace, status="pending")]
    assert len(masks) == 20 and all(spec["vary"] for spec in masks)  # the preview is a draft
    assert len(rows) > 3 and all(row.split == "train" and row.label == "normal" for row in rows)
    assert len({made.seed for made in candidates.listed(workspace)}) >= 20


def test_painting_on_a_vast_image_is_smooth_and_reaches_every_edge(
    browser: Browser, tmp_path: Path, workspace: Workspace
) -> None:
    rng = np.random.default_rng(0)
    small = rng.normal(128, 12, (750, 1000, 1)).clip(0, 255).astype(np.uint8)
    image = np.repeat(np.repeat(np.repeat(small, 4, axis=0), 4, axis=1), 3, axis=2)
    for number in range(4):
        (tmp_path / "vast" / "good").mkdir(parents=True, exist_ok=True)
        shifted = np.roll(image, 97 * number, axis=1)
        (tmp_path / "vast" / "good" / f"{number}.jpg").write_bytes(encode_jpeg(shifted, 90))
    import_dataset(workspace, tmp_path / "vast", name="vast")
    with serving(workspace) as address, studio(browser, address + "studio") as page:
        assert page.locator(".st-base").evaluate("i => i.naturalWidth") == 1024
        page.fill(".st-prompt", "bright spots")
        page.locator(".st-brushrange").fill("45")
        stroke(page, (-0.002, 0.9), (-0.002, 1.002), (0.1, 1.002), steps=20)
        taken = page.evaluate(PAINT_AND_MEASURE)
        assert np.quantile(taken, 0.9) < 16, (
            "a movement of the brush takes longer than a frame of 60 a second"
        )
        preview(page)
        drawn = read_mask(newest(workspace).drawn, (3000, 4000))
        assert drawn[2710:, 0].all() and drawn[-1, :390].all() and not drawn[:2600].any()
        across = drawn[2850, :400]  # half a brush, without a gap
        assert 0 < across.sum() < 100 and across[: across.sum()].all()
        page.click(".st-clear")
        stroke(page, (0.9, -0.002), (1.002, -0.002), (1.002, 0.1), steps=20)
        preview(page)
    drawn = read_mask(newest(workspace).drawn, (3000, 4000))
    assert drawn[0, 3610:].all() and drawn[:290, -1].all() and not drawn[400:].any()


# Draws in the page as fast as a pointer can move and answers the milliseconds that each movement took.
PAINT_AND_MEASURE = """() => {
  const view = document.querySelector('[data-pane=mask]'), { x, y, width, height } = view.getBoundingClientRect();
  const held = { button: 0, buttons: 1, pointerId: 1, bubbles: true };
  const send = (kind, across, down) => view.dispatchEvent(
    new PointerEvent(kind, { clientX: x + width * across, clientY: y + height * down, ...held }));
  view.setPointerCapture = () => {};
  const taken = [];
  send('pointerdown', 0.8, 0.5);
  for (let step = 0; step < 200; step += 1) {
    const began = performance.now();
    send('pointermove', 0.5 + 0.3 * Math.cos(step / 10), 0.5 + 0.3 * Math.sin(step / 10));
    taken.push(performance.now() - began);
  }
  send('pointerup', 0.5, 0.5);
  document.querySelector('.st-undo').click();
  return taken;
}"""


def test_brush_eraser_undo_and_redo(browser: Browser, address: str, workspace: Workspace) -> None:
    with studio(browser, address) as page:
        share = page.locator(".st-share").inner_text

        def changed(former: str) -> str:
            """What is said once a stroke has ended: it differs from before, and stays."""
            until(page, lambda: share() not in ("", former))
            return str(stays(page, share))

        stroke(page, (0.2, 0.5), (0.8, 0.5))
        whole = changed("")
        page.keyboard.press("e")
        assert page.locator("[data-tool=eraser]").get_attribute("aria-pressed") == "true"
        stroke(page, (0.5, 0.3), (0.5, 0.7))
        erased = changed(whole)
        page.keyboard.press("Control+z")
        assert changed(erased) == whole
        page.keyboard.press("Control+Shift+z")
        assert changed(whole) == erased
        page.click(".st-undo")
        page.click(".st-clear")
        sentence(page, "Paint on the image where the defect goes")
        page.click(".st-undo")
        assert changed("") == whole
        page.keyboard.press("b")
        before = page.locator(".st-brushpx").inner_text()
        page.keyboard.press("]")
        assert page.locator(".st-brushpx").inner_text() != before
        page.keyboard.press("Control+Enter")  # preview
        page.locator(".st-editfrom").wait_for()
    drawn = read_mask(newest(workspace).drawn, None)
    assert drawn[128, 60:190].all() and not drawn[40].any()


def test_a_borrowed_mask_is_moved_turned_and_flipped_on_the_image(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with studio(browser, address) as page:
        page.click("[data-kind=real]")
        tile = page.locator(".st-donors [data-id]").first
        tile.wait_for()
        donor = tile.get_attribute("data-id")
        assert donor and workspace.image(donor).split == "train"
        close_up = page.request.get(f"{address.removesuffix('studio')}defect?image={donor}").text()
        assert '<path d="M' in close_up  # its outline, which nothing covers
        picture, kind = tile.locator("img").bounding_box(), tile.locator(".st-flag").bounding_box()
        assert picture and kind and picture["y"] + picture["height"] <= kind["y"]
        image = page.locator(".st-stage .st-mask").bounding_box()
        assert image
        measured(page)
        at = box_of(page, ".st-frame path")
        start = (at["x"] + at["width"] / 2, at["y"] + at["height"] / 2)
        goal = (image["x"] + 0.4 * image["width"], image["y"] + 0.6 * image["height"])
        before = page.evaluate("document.querySelector('.st-mask').toDataURL()")
        page.mouse.move(*start)
        page.mouse.down()
        page.mouse.move(*goal)
        assert (
            page.evaluate("document.querySelector('.st-mask').toDataURL()") != before
        )  # at once, under the hand
        page.mouse.up()
        knob = box_of(page, ".st-frame .st-turn")
        page.mouse.move(knob["x"] + 6, knob["y"] + 6)
        page.mouse.down()
        page.mouse.move(goal[0] + 80, goal[1], steps=4)
        page.mouse.up()
        page.check(".st-flip")
        page.locator("[data-slider=scale] input").fill("1.5")
        measured(page)
        shoot(page, "studio-borrow")
        preview(page)
        made = newest(workspace)
        spec = mask_spec.MaskSpec.from_json(made.mask_spec)
        assert spec.source == "real" and spec.image == donor and spec.flip and spec.scale == 1.5
        assert 60 < spec.angle < 120 and not spec.from_test and made.donor == donor
        row = workspace.image(donor)
        assert row.mask
        wanted = masks.realise(
            spec, read_image(workspace.image(made.source).path), 0, read_mask(row.mask, None)
        )
        assert np.array_equal(wanted, read_mask(made.drawn, None))
        measured(page)
        shown = page.evaluate(
            "[...document.querySelector('.st-mask').getContext('2d').getImageData(0, 0, 256, 256).data]"
            ".filter((value, index) => index % 4 == 3)"
        )
        assert np.array_equal(
            np.array(shown).reshape(256, 256) > 127, wanted
        )  # what is seen is what is painted


def test_generated_varied_and_uploaded_masks(
    browser: Browser, address: str, workspace: Workspace, tmp_path: Path
) -> None:
    square = np.zeros((256, 256), bool)
    square[100:140, 60:200] = True
    (tmp_path / "square.png").write_bytes(encode_png(square))
    (tmp_path / "wrong.png").write_bytes(encode_png(square[:200]))
    with studio(browser, address) as page:
        page.click("[data-kind=generated]")
        page.click("[data-shape=any]")
        page.locator("[data-slider=length]").wait_for(state="hidden")  # another seed is another size
        shoot(page, "studio-any")
        page.click("[data-shape=blotch]")
        page.locator("[data-slider=length] input").fill("40")
        measured(page)
        shoot(page, "studio-generate")
        preview(page)
        spec = newest(workspace).mask_spec
        assert (spec["source"], spec["shape"], spec["length"]) == ("generated", "blotch", 40)
        known = page.locator(".st-where-known")
        assert known.is_hidden()  # a mask that stays lies where it was put
        page.check(".st-vary")
        known.wait_for()
        shoot(page, "studio-vary")
        page.fill(".st-number", "4")
        page.locator(".st-sum", has_text="each with a different mask").wait_for()
        page.click(".st-queue")
        until(page, lambda: candidates.count(workspace) == 5)
        drawn = [read_mask(made.drawn, None) for made in candidates.listed(workspace, limit=4)]
        assert len({mask.tobytes() for mask in drawn}) == 4
        assert any(
            "laced near where" in " ".join(made.notes) for made in candidates.listed(workspace, limit=4)
        )
        page.uncheck(".st-vary")
        page.click("[data-kind=uploaded]")
        page.locator(".st-file").set_input_files(tmp_path / "wrong.png")
        sentence(page, "save the mask at the size of its image")
        page.locator(".st-file").set_input_files(tmp_path / "square.png")
        page.locator(".st-share", has_text="140 × 40 px").wait_for()
        page.get_by_role("button", name="Paint on it").click()  # and goes on with the brush
        page.locator("[data-kind=drawn][aria-selected=true]").wait_for()
        page.locator(".st-view.st-painting").wait_for()
        stroke(page, (0.5, 0.1), (0.5, 0.3))
        preview(page)
        made = newest(workspace)
        assert made.mask_spec["source"] == "drawn"
        drawn = [read_mask(made.drawn, None)]
        assert (drawn[0] & square).sum() == square.sum() and drawn[0][40, 128]


def test_masks_of_the_test_split_need_a_switch_that_is_recorded(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with studio(browser, address) as page:
        page.click("[data-kind=real]")
        page.locator(".st-donors [data-id]").first.wait_for()
        ids = page.locator(".st-donors [data-id]").evaluate_all("e => e.map(x => x.dataset.id)")
        assert ids and all(workspace.image(id).split == "train" for id in ids)
        page.check(".st-fromtest")
        page.locator(".st-donors .st-flag", has_text="test").first.wait_for()
        tested = page.locator(".st-donors [data-id]", has=page.locator(".st-flag", has_text="test")).first
        donor = tested.get_attribute("data-id")
        tested.click()
        page.locator(f".st-donors [data-id='{donor}'][aria-selected=true]").wait_for()
        preview(page)
        made = newest(workspace)
        # As many pictures as there are different ones; Studio and Jobs say how many and why no more.
        page.click("[data-engine=transplant]")
        page.locator(".st-donors [data-id$='pit/stone_03_1.png']").click()
        page.select_option(".st-where", "this")
        page.select_option(".st-masks", "this")
        page.fill(".st-number", "3")
        page.locator(".st-sum", has_text="3 candidates on this image, with this mask").wait_for()
        page.click(".st-queue")
        fewer = "Painted 1 of 3 candidates; 2 could not be painted"
        message = page.locator(".st-message", has_text=fewer)
        message.get_by_text("the same as another one of this order; choose different masks").wait_for()
        shoot(page, "studio-fewer")
        assert message.get_by_role("link", name="Curate").get_attribute("href") == "./curate"
        page.click(".jobs-button")
        # Ended, it stays first in the upper list where the drawer was opened before its end was known.
        told = page.locator(".jobs-lists .jobs-text", has_text=fewer)
        styled(told.locator("a"), "text-decoration-line", "underline")
    assert donor and workspace.image(donor).split == "test"
    assert made.mask_spec["from_test"] is True and made.donor == donor


def test_what_cannot_be_painted_is_said_in_a_sentence(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with studio(browser, address) as page:
        page.click(".st-preview")
        sentence(page, "No mask was drawn or chosen")
        page.locator(".st-brushrange").fill("100")
        for y in (0.05, 0.3, 0.55, 0.8, 0.98):
            stroke(page, (0, y), (1, y))
        sentence(page, "of the part, which leaves too little of its surface")
        page.click(".st-clear")
        page.fill(".st-prompt", "{fine|deep scratches")
        page.locator(".st-sum", has_text="never closes").wait_for()
        page.fill(".st-prompt", "zebra scratches")
        page.locator(".st-brushrange").fill("60")
        stroke(page, (0.3, 0.3), (0.6, 0.6))
        preview(page)
        page.locator(".st-underresult", has_text="does not know: 'zebra'").wait_for()
        page.fill(".st-seed", "-5")
        page.click(".st-preview")
        sentence(page, "The seed -5 cannot be used")
    assert candidates.count(workspace) == 1


def test_alternatives_are_counted_before_they_are_queued(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with studio(browser, address) as page:
        stroke(page, (0.3, 0.3), (0.6, 0.6))
        page.fill(".st-prompt", "{fine|deep} {scratch|crack}")
        page.fill(".st-number", "2")
        page.locator(".st-sum", has_text="2 for each of 4 prompts: 8 candidates").wait_for()
        page.locator(".st-queue", has_text="Queue 8").wait_for()
        page.click(".st-expanded summary")
        assert "fine crack" in page.locator(".st-expanded ul").inner_text()
        page.click(".st-queue")
        until(page, lambda: candidates.count(workspace) == 8)
    made = [candidate.prompt for candidate in candidates.listed(workspace)]
    assert {prompt: made.count(prompt) for prompt in made} == dict.fromkeys(
        ("fine scratch", "fine crack", "deep scratch", "deep crack"), 2
    )


def test_edit_from_here_brings_everything_back(browser: Browser, address: str, workspace: Workspace) -> None:
    with studio(browser, address) as page:
        stroke(page, (0.2, 0.3), (0.7, 0.5))
        page.fill(".st-prompt", "deep scratch")
        page.fill(".st-type", "groove")
        page.locator("[data-control=strength] input[type=number]").fill("1.6")
        page.fill(".st-seed", "77")
        preview(page)
        first = newest(workspace)
        assert first.defect_type == "groove"
        page.click(".st-clear")
        page.click("[data-engine=transplant]")
        page.fill(".st-prompt", "something else")
        page.fill(".st-seed", "5")
        name = page.locator(".st-name").inner_text()
        page.click(".st-random")
        until(page, lambda: page.locator(".st-name").inner_text() not in ("", name))
        page.click(".st-editfrom")
        said(page, "Loaded")
        assert page.locator(".st-prompt").input_value() == "deep scratch"
        assert page.locator(".st-seed").input_value() == "77"
        assert page.locator("[data-control=strength] input[type=number]").input_value() == "1.6"
        page.locator(".st-undermask", has_text=f"Edited from {first.id[:6]}").wait_for()
        preview(page)
        again = newest(workspace)
        assert again.parent == first.id and again.source == first.source and again.settings == first.settings
        assert np.array_equal(read_image(again.image), read_image(first.image))  # same record, same pixels
        page.locator(".st-changes", has_text="Painted in the same way").wait_for()
        page.click(".st-otherseed")
        until(page, lambda: candidates.count(workspace) == 3)
        page.locator(".st-change", has_text="seed").wait_for()  # the one thing that changed
        assert page.locator(".st-change").count() == 1
    other = newest(workspace)
    assert other.seed != 77 and other.settings == first.settings


def test_a_comparison_is_a_grid_whose_cells_lend_their_settings(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with studio(browser, address) as page:
        stroke(page, (0.2, 0.3), (0.7, 0.5))
        page.click(".st-compare")
        page.select_option(".st-axis-x", "strength")
        page.fill(".st-values-strength", "0.5, 9")
        page.select_option(".st-axis-y", "prompt")
        page.click(".st-startcompare")
        sentence(page, "Strength (strength) cannot be 9")
        page.fill(".st-values-strength", "0.5, 1, 2")
        page.click(".st-startsearch")
        sentence(page, "There is no bank version yet; build one")  # a search needs a bank that measures
        page.locator(".st-form", has_text="3 × 2 = 6 candidates").wait_for()
        shoot(page, "studio-compare-axes")
        page.click(".st-startcompare")
        page.locator(".st-cell:not([disabled]) img").nth(5).wait_for(timeout=SLOW)
        heads = page.locator(".st-grid thead").inner_text().split()
        assert heads == ["prompt", "strength", "0.5", "1", "2"]
        rows = page.locator(".st-grid tbody th").all_inner_texts()
        assert rows == ["copper metal scratches", "white marks on the wall"]
        page.locator(".st-cell[tabindex='0']").focus()  # one stop of the Tab key for all of them
        for key in ("Home", "ArrowDown", "ArrowRight", "ArrowRight", "Enter"):
            page.keyboard.press(key)
        said(page, "Loaded the settings")
        assert page.locator("[data-control=strength] input[type=number]").input_value() == "2"
        assert page.locator(".st-prompt").input_value() == "white marks on the wall"
        shoot(page, "studio-comparison", full_page=True)
        page.reload()
        page.locator(".st-cell img").nth(5).wait_for(timeout=SLOW)  # it stays
        cell = candidates.get(workspace, str(page.locator(".st-cell").nth(5).get_attribute("data-id")))
        assert cell.settings["strength"] == 2 and cell.prompt == "white marks on the wall"
        assert candidates.count(workspace, status="draft") == 6
        page.get_by_role("button", name="Keep all").click()
        said(page, "Kept 6 drafts")
        assert candidates.count(workspace, status="pending") == 6
    assert len({made.seed for made in candidates.listed(workspace)}) == 1


def test_the_library_saves_loads_compares_deletes_and_travels(
    browser: Browser, address: str, workspace: Workspace, tmp_path: Path
) -> None:
    with studio(browser, address) as page:
        assert page.locator(".st-prompts option:checked").inner_text() == "Copper scratches"
        assert "smooth, plain" in page.locator(".st-negative").input_value()
        stroke(page, (0.3, 0.3), (0.6, 0.6))
        preview(page)
        page.click(".st-keepdraft")
        said(page, "Kept 1 draft")
        assert newest(workspace).status == "pending"
        page.fill(".st-prompt", "fine {copper|steel} scratches")
        page.locator("[data-control=strength] input[type=number]").fill("1.5")
        page.click(".st-save summary")
        page.click("[data-save=as]")
        page.fill(".st-newname", "Fine scratches")
        page.keyboard.press("Enter")
        said(page, 'Saved "Fine scratches"')
        saved = prompts.get(workspace, "Fine scratches")
        assert saved.engine == "procedural" and saved.settings == {"strength": 1.5}
        page.click(".st-library")
        row = page.locator(".st-scores tr", has_text="Copper scratches")
        row.wait_for()
        assert row.locator("td.number").all_inner_texts() == ["1", "0", "0", "1", "–", "–"]
        row.locator("input[type=checkbox]").check()
        page.locator(".st-scores tr", has_text="Fine scratches").locator("input[type=checkbox]").check()
        shoot(page, "studio-library")
        size = page.viewport_size
        page.set_viewport_size({"width": 933, "height": 600})  # 1400x900 at 150 %
        assert page.evaluate(
            "[...document.querySelectorAll('.st-dialog, .st-dialog .wide')]"
            ".every((one) => one.scrollWidth <= one.clientWidth)"
        )
        shoot(page, "studio-library-150")
        assert size
        page.set_viewport_size(size)
        page.click(".st-differences")
        told = page.locator(".st-difftable").inner_text()
        assert "strength" in told and "1.5" in told and "fine {copper|steel} scratches" in told
        page.get_by_role("button", name="Back to the library").click()
        with page.expect_download() as download:
            page.click(".st-export")
        download.value.save_as(tmp_path / "prompts.json")
        assert len(json.loads((tmp_path / "prompts.json").read_text())["prompts"]) == 2
        # By a double click too it is one that goes, whichever lies there then.
        page.locator(".st-scores tr", has_text="Fine scratches").get_by_role(
            "button", name="Delete"
        ).dblclick()
        said(page, 'Deleted "Fine scratches"')
        assert len(prompts.library(workspace)) == 2
        (tmp_path / "huge.json").write_bytes(b"[" + b"[]," * (3 << 20) + b"0]")
        page.locator(".st-importfile").set_input_files(tmp_path / "huge.json")
        page.get_by_text("This file is larger than 8 MB, the maximum; make it smaller").first.wait_for()
        page.locator(".st-importfile").set_input_files(tmp_path / "prompts.json")
        said(page, "Imported 1 prompt")
        page.locator(".st-scores tr", has_text="Fine scratches").locator(".st-tags").fill("copper, line 3")
        page.keyboard.press("Enter")
        page.locator(".st-dialog .st-chip", has_text="line 3").click()
        page.wait_for_function("document.querySelectorAll('.st-scores tbody tr').length == 1")
        page.get_by_role("button", name="Rename Fine scratches").click()
        page.locator(".st-scores .rename input").fill("Finer scratches")
        page.keyboard.press("Enter")
        said(page, '"Fine scratches" is now named "Finer scratches"')
        page.locator(".st-toast").get_by_role("button", name="Undo").click()
        page.locator(".st-scores tr", has_text="Fine scratches").get_by_role("button", name="Load").click()
        page.locator(".st-expanded summary", has_text="2 prompts").wait_for()
        assert page.locator("[data-control=strength] input[type=number]").input_value() == "1.5"
    assert prompts.get(workspace, "Fine scratches").tags == ["copper", "line 3"]


def test_a_deleted_candidate_and_a_deleted_prompt_come_back(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with studio(browser, address) as page:
        stroke(page, (0.3, 0.3), (0.6, 0.6))
        preview(page)
        page.click(".st-delete")
        page.locator(".st-results .empty").wait_for()
        assert candidates.count(workspace) == 0
        page.locator(".st-toast").get_by_role("button", name="Undo").click()
        page.locator(".st-result").wait_for()
        assert candidates.count(workspace) == 1
        page.keyboard.press("l")
        page.locator(".st-scores tr", has_text="White marks").get_by_role("button", name="Delete").click()
        said(page, "Deleted")
        assert len(prompts.library(workspace)) == 1
        page.locator(".st-toast").get_by_role("button", name="Undo").click()  # within the dialog
        until(page, lambda: len(prompts.library(workspace)) == 2)


def test_without_weights_the_page_says_what_to_download_and_offers_the_others(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with studio(browser, address) as page:
        page.click("[data-engine=sdxl]")
        told = page.locator(".st-missing").inner_text()
        assert "hf download diffusers/stable-diffusion-xl-1.0-inpainting-0.1" in told and "GB" in told
        assert str(workspace.path) in told
        page.click(".st-teach summary")
        assert "weights are not on this machine" in page.locator(".st-cannot").inner_text()
        assert page.locator(".st-begin").count() == 0
        assert page.locator(".st-preview").is_disabled() and page.locator(".st-queue").is_disabled()
        assert page.locator("[data-control=guidance] input[type=number]").input_value() == "20"
        shoot(page, "studio-no-weights")
        page.click("[data-engine=learned]")  # the open panel is about this engine then
        page.locator(".st-missing", has_text="has not been taught yet").wait_for()
        page.locator(".st-begin").wait_for()
        assert page.locator(".st-surface").is_hidden() and page.locator(".st-queue").is_disabled()
        shoot(page, "studio-learned")
        page.get_by_role("button", name="Use Transplant").click()
        stroke(page, (0.3, 0.3), (0.6, 0.6))
        measured(page)
        preview(page)
    assert newest(workspace).engine == "transplant"


def test_an_engine_is_taught_and_its_adapter_used_and_dropped(
    browser: Browser,
    address: str,
    workspace: Workspace,
    tiny_sdxl: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(tiny_sdxl, workspace.path / "models" / "tiny")
    monkeypatch.setenv("EXDD_SDXL", str(workspace.path / "models" / "tiny"))
    asked, go_on = [], threading.Event()

    def train(workspace: Workspace, spec: TeachSpec, progress: Progress, job_id: str) -> dict[str, str]:
        """What a training shows, without its hours."""
        asked.append(spec)
        folder = job_folder(workspace, job_id) / kinds.TRAINING
        folder.mkdir(parents=True)
        (folder / "sample-0.png").write_bytes(encode_png(np.full((64, 64, 3), 90, np.uint8)))
        (folder / "lora").write_bytes(b"a LoRA")
        progress.begin("Teaching, loss 0.5000, held-out 0.4000", 4)
        progress.advance(2)
        go_on.wait(SLOW / 1000)
        adapter = adapters.Adapter(
            name=spec.name, dataset="demo", state=1, base="tiny", fingerprint="0", surface=spec.surface,
            trigger=spec.trigger, types=["scratch"], images=["a", "b"], parts=["1", "2"], held_out=["2"], settings={},
            resolution=64, crops=2, best=4, created="2026-01-01T00:00:00", seconds=1.0,
            losses=[{"step": 0, "held_out": 0.5}, {"step": 4, "held_out": 0.25}],
        )  # fmt: skip
        adapters.keep(workspace, adapter, folder / "lora", [folder / "sample-0.png"])
        return {"adapter": spec.name, "sentence": "It was taught."}

    monkeypatch.setitem(kinds.KINDS, "teach", kinds.Kind(TeachSpec.from_json, train))
    with studio(browser, address) as page:
        page.click("[data-engine=sdxl]")
        page.click(".st-teach summary")
        page.fill(".st-surface", "copper metal")
        page.click(".st-begin")
        page.locator(".st-training", has_text="held-out 0.4000: 2 of 4").wait_for(timeout=SLOW)
        assert page.locator(".st-training img").count() == 1 and page.locator(".st-begin").count() == 0
        shoot(page, "studio-teaching")
        go_on.set()
        row = page.locator(".st-adapter[data-name=demo-1]")
        row.get_by_text("held-out loss 0.5000 → 0.2500 after 4 steps").wait_for(timeout=SLOW)
        assert [(spec.surface, spec.trigger, spec.dataset) for spec in asked] == [
            ("copper metal", "exdd", "demo")
        ]
        row.get_by_role("button", name="Use", exact=True).click()
        row.get_by_role("button", name="Stop using").wait_for()
        assert adapters.in_use(workspace) == "demo-1"
        page.click(".st-moresettings summary")
        assert page.locator("[data-control=lora] input").input_value() == "demo-1"
        page.locator(".st-teach").scroll_into_view_if_needed()
        shoot(page, "studio-taught")
        row.get_by_role("button", name="Rename").click()
        row.locator(".rename input").fill("../cracks")
        row.get_by_role("button", name="Save").click()
        page.locator(".st-message", has_text="is not a valid name for an adapter").wait_for()
        row.locator(".rename input").fill("cracks")
        row.locator(".rename input").press("Enter")
        row = page.locator(".st-adapter[data-name=cracks]", has_text="in use")
        row.get_by_role("button", name="Drop").click()
        row.get_by_role("button", name="Drop permanently").click()
        row.wait_for(state="detached")
    assert adapters.listed(workspace) == [] and adapters.in_use(workspace) == ""


def test_a_slow_preview_shows_its_steps_and_can_be_cancelled(
    browser: Browser, address: str, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted = Procedural._render

    def slowly(self: Procedural, window: Any, step: Any) -> np.ndarray:
        for number in range(60):
            step(number, 60, window.image // 2)
            time.sleep(0.1)
        return painted(self, window, lambda *_: None)

    monkeypatch.setattr(Procedural, "_render", slowly)
    with studio(browser, address) as page:
        stroke(page, (0.3, 0.3), (0.6, 0.6))
        page.click(".st-preview")
        page.locator(".st-growing").wait_for()
        page.locator(".st-running", has_text="of 60").wait_for()
        first = page.locator(".st-running").inner_text()
        until(page, lambda: page.locator(".st-running").inner_text() not in ("", first))
        shoot(page, "studio-growing")
        page.reload()  # it goes on meanwhile and is found again
        page.locator(".st-running", has_text="of 60").wait_for()
        began = time.monotonic()
        page.click(".st-stop")
        page.locator(".st-running").wait_for(state="hidden")
        assert time.monotonic() - began < 2
        assert page.locator(".st-message").is_hidden()
        page.locator(".st-empty").wait_for()
    assert candidates.count(workspace) == 0


def test_typed_text_settings_and_choices_outlast_a_reload(browser: Browser, address: str) -> None:
    with studio(browser, address) as page:
        page.fill(".st-prompt", "rusty pits")
        page.fill(".st-negative", "bright")
        page.fill(".st-seed", "4711")
        page.select_option(".st-where", "this")
        page.locator("[data-control=strength] input[type=number]").fill("0.7")
        before = page.locator(".st-name").inner_text()
        page.locator(".st-sources .st-tile").nth(3).click()
        until(page, lambda: page.locator(".st-name").inner_text() not in ("", before))
        page.click("[data-kind=generated]")
        page.click("[data-shape=spot]")
        measured(page)
        name = page.locator(".st-name").inner_text()
        page.reload()
        page.locator(".st-results .empty").wait_for()
        page.locator(".st-name", has_text=name).wait_for()
        values = [
            page.locator(f".st-{field}").input_value() for field in ("prompt", "negative", "seed", "where")
        ]
        assert values == ["rusty pits", "bright", "4711", "this"]
        assert page.locator("[data-control=strength] input[type=number]").input_value() == "0.7"
        assert page.locator("[data-shape=spot]").get_attribute("aria-pressed") == "true"


def test_both_panes_zoom_together_and_the_slider_shows_the_original(
    browser: Browser, address: str, workspace: Workspace
) -> None:
    with studio(browser, address) as page:
        stroke(page, (0.4, 0.4), (0.5, 0.5))
        preview(page)

        def moves() -> list[str]:
            return [stage.evaluate("e => e.style.transform") for stage in page.locator(".st-stage").all()]

        page.keyboard.press("z")
        assert len(set(moves())) == 1 and "scale(1)" not in moves()[0]
        page.keyboard.press("0")
        assert all(move.endswith("scale(1)") for move in moves())
        # A press before it is known where the mask lies counts once it is.
        with holding(page, "mask") as held:
            stroke(page, (0.45, 0.4), (0.5, 0.45))
            until(page, lambda: held)
            page.keyboard.press("z")
            assert all(move.endswith("scale(1)") for move in moves())
        until(page, lambda: "scale(1)" not in moves()[0])
        page.keyboard.press("0")
        # A speck in a corner has 64 pixels of the image around it, and nothing outside of the image.
        page.click(".st-clear")
        page.locator(".st-brushrange").fill("3")
        stroke(page, (0.985, 0.985))
        page.locator(".st-share", has_text="px").wait_for()
        page.keyboard.press("z")
        until(page, lambda: "scale(1)" not in moves()[0])
        pane, image = (page.locator(one).first.bounding_box() for one in ("[data-pane=mask]", ".st-base"))
        assert pane and image and image["x"] <= pane["x"] + 1 and image["y"] <= pane["y"] + 1
        assert image["x"] + image["width"] >= pane["x"] + pane["width"] - 2
        assert image["y"] + image["height"] >= pane["y"] + pane["height"] - 2
        assert min(pane["width"], pane["height"]) * 256 / image["width"] >= 63
        shoot(page, "studio-corner")
        page.keyboard.press("0")
        split, view = page.locator(".st-split"), page.locator("[data-pane=result]").bounding_box()
        assert view
        split.drag_to(page.locator("[data-pane=result]"), target_position={"x": view["width"] / 2, "y": 30})
        half = re.compile(r"inset\(0px 0px 0px 5")
        styled(page.locator(".st-afterpicture"), "clip-path", half)
        assert page.locator(".st-before").is_visible()
        outline = page.locator(".st-outlines")
        assert outline.is_hidden()
        page.keyboard.press("o")
        assert outline.is_visible()


def test_without_images_the_page_leads_to_data(browser: Browser, tmp_path: Path) -> None:
    empty = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    with serving(empty) as address, visiting(browser, 1400, 900) as page:
        page.goto(address + "studio")
        link = page.locator(".st-need a")
        link.wait_for(timeout=SLOW)
        assert link.get_attribute("href") == "./data"
        shoot(page, "studio-no-data-set")


def test_a_finished_job_is_opened_by_its_link(browser: Browser, address: str, workspace: Workspace) -> None:
    with studio(browser, address) as page:
        stroke(page, (0.3, 0.3), (0.6, 0.6))
        preview(page)
        page.fill(".st-number", "3")
        page.locator(".st-queue", has_text="Queue 3").wait_for()
        page.click(".st-queue")
        until(page, lambda: candidates.count(workspace) == 4)
        job = next(job for job in jobs.listed(workspace) if job.kind == "synthesize")
        opened(page, f"{address}?job={job.id}")
        page.locator(".st-count", has_text="3 results of one job").wait_for()
        assert page.locator(".st-result").count() == 3
        page.locator(".st-count").get_by_role("button", name="Show all").click()
        page.locator(".st-count", has_text="4 results").wait_for()
