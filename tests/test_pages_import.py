"""Odd data sets come in through the questions of the preview, in a real browser."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from PIL import Image

from exdd_core.banks.building import build_bank
from exdd_core.images import read_image, read_mask
from exdd_core.workspace import Workspace
from exdd_core.workspace.imports import import_dataset
from tests.browser import APART, SIDEWAYS, labelled, look_at, sentence, serving, shoot, visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

LONG = "covers_" + "abcdefg_" * 7  # as many characters as a name may have, but for one


def fourteen_bits(seed: int, spot: bool = False) -> np.ndarray:
    """A surface of 96 x 96 pixels as a 14-bit camera sees it, uint16; with a dark spot where that is asked."""
    rng = np.random.default_rng(seed)
    rough = cv2.GaussianBlur(rng.standard_normal((96, 96)), (0, 0), 2)
    values = 9000 + 2500 * rough / rough.std()
    if spot:
        values[40:56, 30:50] *= 0.3
    return np.clip(values, 0, 16383).astype(np.uint16)


def save(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    path.write_bytes(stream.getvalue())


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good/ with 12 images of 14 bits, broken/ with 6 more, whose masks hold 0 and 1, and a gif that is not read."""
    root = tmp_path_factory.mktemp("odd") / "housings"
    for n in range(12):
        save(root / "good" / f"{n:02}.png", fourteen_bits(n))
    for n in range(6):
        save(root / "broken" / f"{n:02}.png", fourteen_bits(100 + n, spot=True))
        mask = np.zeros((96, 96), np.uint8)
        mask[40:56, 30:50] = 1
        save(root / "masks" / f"{n:02}.png", mask)
    Image.fromarray(np.zeros((32, 32), np.uint8)).save(root / "good" / "old.gif")
    return root


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("import") / "workspace"
    Workspace.create(folder, "efficientnet_lite0")
    with serving(Workspace.open(folder)) as address:
        yield address.rstrip("/"), folder


def test_an_odd_folder_comes_in_as_it_was_meant(served: tuple[str, Path], page: Page, odd: Path) -> None:
    address, folder = served
    visit(page, f"{address}/data")
    look_at(page, odd)
    preview = page.locator("#import-preview")
    preview.get_by_text("1 file of good/ is left out (old.gif): GIF images are not supported").wait_for()
    preview.get_by_text("14 bits (0 to 16383)").first.wait_for()
    question = page.locator("#import-questions")
    question.get_by_text("broken/").wait_for()
    question.get_by_text("6 images").wait_for()
    shoot(page, "import-asked")
    assert page.get_by_role("button", name="Import 12 images").is_enabled()

    question.get_by_role("button", name="Images with a defect").click()
    page.get_by_role("button", name="Import 18 images").wait_for()
    preview.get_by_text("every value except 0 counts as a defect").first.wait_for()
    preview.get_by_text("Defect types: broken (6).").wait_for()
    assert question.get_by_role("button", name="Images with a defect").get_attribute("aria-pressed") == "true"
    assert preview.locator(".example path").count() == 2  # the outline, dark under bright
    shoot(page, "import-answered")

    page.get_by_role("button", name="Import 18 images").click()
    sentence(page, "Imported 18 images as housings.")
    page.locator("#report").get_by_text("Left out of good/: 1 file").wait_for()
    assert page.locator("#report").get_by_text("Needs attention").count() == 1
    shoot(page, "import-done")

    workspace = Workspace.open(folder)
    info = workspace.dataset("housings")
    assert str(info.depth) == "14" and not info.report["healthy"]
    rows = workspace.images("housings", label="defect")
    assert len(rows) == 6 and {row.defect_type for row in rows} == {"broken"}
    wanted = np.zeros((96, 96), bool)
    wanted[40:56, 30:50] = True
    for row in rows:
        assert row.mask is not None and np.array_equal(read_mask(row.mask, (96, 96)), wanted)
    first = workspace.images("housings", label="normal")[0]
    assert np.array_equal(read_image(first.path, None, info.depth)[..., 0], fourteen_bits(0) >> 6)


def test_a_folder_that_says_nothing_is_asked_for(
    served: tuple[str, Path], page: Page, tmp_path: Path
) -> None:
    address, _ = served
    for n in range(3):
        save(tmp_path / "line" / "monday" / f"{n}.png", fourteen_bits(n))
        save(tmp_path / "line" / "tuesday" / f"{n}.png", fourteen_bits(n + 50))
    visit(page, f"{address}/data")
    look_at(page, tmp_path / "line")
    start = page.locator("#import-start")
    page.get_by_role("button", name="Choose the normal images").wait_for()
    assert not start.is_enabled()
    monday = page.locator(".question", has_text="monday/")
    monday.get_by_role("button", name="Normal images").click()
    page.get_by_role("button", name="Import 3 images").wait_for()
    page.locator("#import-questions").get_by_text("1 folder to answer").wait_for()
    page.locator(".question", has_text="tuesday/").get_by_role("button", name="Leave out").click()
    page.locator("#import-questions").get_by_text("All answered").wait_for()
    page.locator("#import-preview").get_by_text("as you chose").wait_for()


def test_nonsense_for_a_depth_is_one_sentence(served: tuple[str, Path], page: Page, odd: Path) -> None:
    address, _ = served
    visit(page, f"{address}/data")
    look_at(page, odd)
    page.locator("#import-preview").get_by_text("14 bits").first.wait_for()
    field = page.get_by_role("combobox", name="Bit depth")
    field.fill("many")
    field.press("Enter")
    sentence(page, '"many" is not a valid bit depth')
    field.fill("100-12000")
    field.press("Enter")
    page.locator("#import-preview").get_by_text("values 100 to 12000").first.wait_for()


@pytest.fixture
def filled(served: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The served workspace with a data set of its own, and a bank version of it."""
    _, folder = served
    workspace = Workspace.open(folder)
    if "lids" not in [info.name for info in workspace.datasets()]:
        root = tmp_path_factory.mktemp("lids") / "lids"
        for n in range(12):
            save(root / "good" / f"{n:02}.png", fourteen_bits(200 + n))
        for n in range(4):
            save(root / "defect" / f"{n:02}.png", fourteen_bits(300 + n, spot=True))
            mask = np.zeros((96, 96), bool)
            mask[40:56, 30:50] = True
            save(root / "masks" / f"{n:02}.png", mask)
        import_dataset(workspace, root)
        build_bank(workspace, "lids")
    workspace.activate_dataset("lids")
    return workspace


def test_ten_more_images_join_and_a_rebuild_is_offered(
    served: tuple[str, Path], page: Page, filled: Workspace, tmp_path: Path
) -> None:
    address, _ = served
    for n in range(10):
        save(tmp_path / "tomorrow" / "good" / f"next{n}.png", fourteen_bits(500 + n))
    visit(page, f"{address}/data")
    look_at(page, tmp_path / "tomorrow")
    page.get_by_role("button", name="Import 10 images").wait_for()
    labelled(page, "Destination").click()
    page.get_by_role("option", name="Add to lids").click()
    page.get_by_role("button", name="Import 10 images").click()
    sentence(page, "10 new images joined")
    page.locator("#datasets tr.selected", has_text="26").wait_for()
    page.locator("#data-due").get_by_text("added").wait_for()
    assert page.locator("#data-due a").get_attribute("href") == "./banks"
    shoot(page, "import-joined")
    info = filled.dataset("lids")
    assert info.state == 2 and str(info.depth) == "14" and len(filled.images("lids")) == 26
    assert len(filled.images("lids", state=1)) == 16


def test_ticked_images_are_moved_and_taken_back(
    served: tuple[str, Path], page: Page, filled: Workspace
) -> None:
    address, _ = served
    before = {row.id: row.split for row in filled.images("lids")}
    visit(page, f"{address}/data")
    page.get_by_label("Training", exact=True).check()
    page.locator("#gallery .list-head").get_by_text("of").first.wait_for()
    page.wait_for_function(
        "() => [...document.querySelectorAll('.thumb-label')].every(l => l.innerText.includes('train'))"
    )
    first = page.locator(".tick").first
    id = first.get_attribute("value")
    assert not page.get_by_role("button", name="Move to test").is_visible()
    first.check()
    page.get_by_text("1 ticked").wait_for()
    page.get_by_role("button", name="Move to test").click()
    sentence(page, "Moved 1 image")
    assert {row.id: row.split for row in filled.images("lids")} == before | {id: "test"}

    page.get_by_role("button", name="State of the data set").click()
    states = page.locator("#states")
    states.get_by_text("Moved 1 image").wait_for()
    shoot(page, "data-states")
    states.get_by_role("button", name="Undo").click()
    sentence(page, "Undone:")
    assert {row.id: row.split for row in filled.images("lids")} == before
    states.get_by_text("undone").first.wait_for()


def test_a_data_set_is_renamed_exported_and_deleted(
    served: tuple[str, Path], page: Page, filled: Workspace
) -> None:
    address, _ = served
    visit(page, f"{address}/data")
    page.get_by_role("button", name="State of the data set").click()
    manage = page.locator("#manage")
    field = manage.get_by_label("Display name")
    field.fill(LONG)
    page.locator("#manage-keep").click()
    sentence(page, f'"lids" is now named "{LONG}".')
    page.locator("#datasets tr.selected", has_text=LONG).wait_for()
    page.locator(f".frame-chips summary[title='{LONG}']").wait_for()
    kinds = {row.defect_type for row in filled.images("lids")} - {""}
    manage.get_by_label("New type name").fill(LONG)
    page.locator("#manage-keep").click()
    sentence(page, "Choose the defect type to rename.")
    manage.get_by_label("Type to rename").click()
    page.get_by_role("option", name=min(kinds), exact=True).click()
    page.locator("#manage-keep").click()
    sentence(page, f'Renamed "{min(kinds)}" to "{LONG}" on ')
    assert {row.defect_type for row in filled.images("lids")} - {""} == kinds - {min(kinds)} | {LONG}
    shoot(page, "data-type-renamed")
    manage.get_by_role("button", name="Undo").click()
    sentence(page, "Undone: Renamed")
    assert {row.defect_type for row in filled.images("lids")} - {""} == kinds

    manage.get_by_role("button", name="Export as COCO").click()
    with page.expect_download(timeout=60_000) as taken:
        manage.get_by_role("link", name="Download").click(timeout=60_000)
    assert taken.value.suggested_filename == f"{LONG}-coco.zip"

    page.set_viewport_size({"width": 933, "height": 600})  # 1400x900 at 150 %
    assert page.evaluate(APART) > 0 and page.evaluate(SIDEWAYS) <= 0
    manage.get_by_role("button", name="Delete…").click()
    manage.get_by_text("along with 1 bank version (v1)").wait_for()
    shoot(page, "data-delete")
    manage.get_by_role("button", name="Cancel").click()
    manage.get_by_role("button", name="Delete…").click()
    manage.get_by_role("button", name="Delete permanently").click()
    page.locator("#datasets tr", has_text=LONG).wait_for(state="detached")
    assert "lids" not in [info.name for info in filled.datasets()] and filled.banks() == []
