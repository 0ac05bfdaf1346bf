"""The region of interest on the Data page: drawn, by brightness, from a file, taken back; nothing outside counts."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pytest

from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.errors import BadInput
from exdd_core.images import Size, encode_png, read_image
from exdd_core.workspace import Workspace, dataset_settings
from exdd_core.workspace.imports import import_dataset
from pages.data import questions, region
from tests.browser import serving, shoot, visit

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SHAPE = (96, 128)


def part(seed: int, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    """A bright part on a dark ground, both with grain, uint8 (H, W, 3)."""
    rng = np.random.default_rng(seed)
    image = rng.integers(20, 40, (*shape, 3), dtype=np.uint8)
    height, width = shape
    inner = image[height // 6 : -(height // 6), width // 8 : -(width // 8)]
    inner[:] = rng.integers(140, 160, inner.shape, dtype=np.uint8)
    return image


def part_mask(shape: tuple[int, int] = SHAPE) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[shape[0] // 6 : -(shape[0] // 6), shape[1] // 8 : -(shape[1] // 8)] = True
    return mask


def kept(workspace: Workspace) -> np.ndarray:
    """The region of the active data set, which has one."""
    mask = workspace.region()
    assert mask is not None
    return mask


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a workspace with 12 normal parts, one of another size and 4 with a dark bar; to be copied."""
    folder = tmp_path_factory.mktemp("region")
    for place in ("good", "defect/bar", "masks/bar"):
        (folder / "parts" / place).mkdir(parents=True)
    for n in range(12):
        (folder / "parts" / "good" / f"{n:02}.png").write_bytes(encode_png(part(n)))
    (folder / "parts" / "good" / "other.png").write_bytes(encode_png(part(50, (120, 128))))
    for n in range(4):
        image, mask = part(100 + n), np.zeros(SHAPE, bool)
        mask[30 + 4 * n : 40 + 4 * n, 30:60] = True
        image[mask] //= 4
        (folder / "parts" / "defect" / "bar" / f"{n}.png").write_bytes(encode_png(image))
        (folder / "parts" / "masks" / "bar" / f"{n}.png").write_bytes(encode_png(mask))
    made = Workspace.create(folder / "workspace", backbone="efficientnet_lite0")
    import_dataset(made, folder / "parts", size=Size(128, 96))
    return made.path


@pytest.fixture
def workspace(parts: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(parts, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


# --- what the page's questions answer -----------------------------------------------------------------------


def layer_of(mask: np.ndarray) -> str:
    """A mask of the editor's copy as the browser sends it."""
    pixels = np.zeros((*mask.shape, 4), np.uint8)
    pixels[mask] = (79, 216, 255, 255)
    return "data:image/png;base64," + base64.b64encode(encode_png(pixels)).decode()


Asked = TypeVar("Asked", bound=questions.OfDataset)


def asked(kind: type[Asked], dataset: str = "parts", **more: Any) -> Asked:
    """A question about the data set in the name of Ann."""
    who = {"who": "Ann"} if "who" in kind.model_fields else {}
    return kind(dataset=dataset, **who, **more)


def test_images_of_the_commonest_size_are_shown_one_after_the_other(workspace: Workspace) -> None:
    editor = region.Editor(workspace)
    first: Any = region.look(editor, asked(questions.Look, index=0))
    assert (first["size"], first["number"], first["layer"], first["base"]) == ([128, 96], 16, "", "")
    assert first["others"].startswith("1 image of another size")
    names = [str(region.look(editor, asked(questions.Look, index=n))["name"]) for n in range(16)]
    assert len(set(names)) == 16 and "good/other.png" not in names and names[0].startswith("good/")
    assert region.look(editor, asked(questions.Look, index=-1))["name"] == names[-1]
    assert region.look(editor, asked(questions.Look, index=16))["name"] == names[0]


def test_what_is_drawn_is_kept_as_drawn_with_a_name_and_can_be_taken_back(workspace: Workspace) -> None:
    editor, drawn = region.Editor(workspace), np.zeros(SHAPE, bool)
    drawn[10:50, 20:90] = True
    made: Any = region.save(editor, asked(questions.Save, layer=layer_of(drawn)))
    assert made["state"] == workspace.dataset().state == 2 and made["said"].startswith(
        "Saved: 23 % of an image counts."
    )
    assert np.array_equal(kept(workspace), drawn)
    shown = region.look(editor, asked(questions.Look, index=0))
    assert shown["layer"] and shown["base"] == "state:2"

    gone = region.remove(editor, asked(questions.Owned))
    assert workspace.region() is None
    with pytest.raises(BadInput, match="changed again since"):
        region.undo(editor, asked(questions.Undo, state=2))
    region.undo(editor, asked(questions.Undo, state=gone["state"]))
    assert np.array_equal(kept(workspace), drawn)


@pytest.mark.parametrize("nothing", [True, False])
def test_a_region_of_nothing_or_of_everything_is_refused(workspace: Workspace, nothing: bool) -> None:
    with pytest.raises(BadInput, match="marks nothing" if nothing else "marks the whole"):
        region.save(
            region.Editor(workspace), asked(questions.Save, layer=layer_of(np.full(SHAPE, not nothing)))
        )
    assert workspace.region() is None and workspace.dataset().state == 1


def test_brightness_proposes_the_part(workspace: Workspace) -> None:
    editor = region.Editor(workspace)
    made = region.propose(editor, asked(questions.Propose, threshold=90, shown=[128, 96]))
    assert made["base"] == "above:90" and made["share"] == pytest.approx(part_mask().mean())
    region.save(editor, asked(questions.Save, layer=made["layer"], base=made["base"]))
    assert np.array_equal(kept(workspace), part_mask())
    assert np.array_equal(dataset_settings.region_by_threshold(workspace, "parts", 90), part_mask())


def test_of_two_data_sets_at_once_each_is_proposed_by_its_own_brightness(workspace: Workspace) -> None:
    """Another tab's threshold may be answered between the two halves of this one."""

    class Shared(region.Editor):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name == "_brightness" and value is not None:
                super().__setattr__(name, (("another", "", 1), np.full(SHAPE, 255.0)))

    made = region.propose(Shared(workspace), asked(questions.Propose, threshold=90, shown=[128, 96]))
    assert made["share"] == pytest.approx(part_mask().mean())


def test_the_usual_brightness_is_the_median_of_the_mean_of_three_channels(workspace: Workspace) -> None:
    rows = [r for r in workspace.images("parts", label="normal") if (r.width, r.height) == (128, 96)]
    wanted = np.median(np.stack([read_image(row.path).mean(axis=2) for row in rows]), axis=0)
    np.testing.assert_allclose(dataset_settings.usual_brightness(workspace, "parts"), wanted, rtol=1e-6)


def test_a_file_is_taken_by_its_own_values_or_refused_with_one_sentence(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))  # a file there counts as uploaded
    editor, file = region.Editor(workspace), tmp_path / "mask.png"

    def take(values: np.ndarray) -> dict[str, Any]:
        file.write_bytes(encode_png(values))
        return region.take(editor, asked(questions.Take, path=str(file), name="mask.png", shown=[128, 96]))

    made = take(part_mask().astype(np.uint8))  # 0 and 1
    region.save(editor, asked(questions.Save, layer=made["layer"], base=made["base"]))
    assert np.array_equal(kept(workspace), part_mask())
    with pytest.raises(BadInput, match="128 x 96"):
        take(np.pad(part_mask(), ((0, 2), (0, 0))))
    with pytest.raises(BadInput, match="marks nothing"):
        take(np.zeros(SHAPE, bool))
    with pytest.raises(BadInput):
        take(np.random.default_rng(0).integers(0, 256, (*SHAPE, 3), dtype=np.uint8))
    with pytest.raises(BadInput, match="choose it again"):
        region.save(region.Editor(workspace), asked(questions.Save, layer=made["layer"], base=made["base"]))


@pytest.mark.slow
def test_a_mask_of_a_large_image_keeps_every_pixel_that_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))  # a file there counts as uploaded
    shape, editor_shape = (3000, 4000), (768, 1024)
    for n in range(3):
        (tmp_path / "large" / "good").mkdir(parents=True, exist_ok=True)
        (tmp_path / "large" / "good" / f"{n}.png").write_bytes(encode_png(part(n, shape)))
    workspace = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    import_dataset(workspace, tmp_path / "large", size=Size(128, 96))
    editor = region.Editor(workspace)
    seen = region.look(editor, asked(questions.Look, "large", index=0))
    assert (seen["shown"], seen["size"]) == ([1024, 768], [4000, 3000])

    wanted = part_mask(shape)
    wanted[700:900, 1201:1203] = False  # thinner than a pixel of the editor
    (tmp_path / "mask.png").write_bytes(encode_png(wanted))
    given = region.take(
        editor,
        asked(questions.Take, "large", path=str(tmp_path / "mask.png"), name="mask.png", shown=seen["shown"]),
    )
    region.save(editor, asked(questions.Save, "large", layer=given["layer"], base=given["base"]))
    assert np.array_equal(kept(workspace), wanted)

    drawn = np.zeros(editor_shape, bool)
    drawn[100:300, 200:400] = True
    region.save(editor, asked(questions.Save, "large", layer=layer_of(drawn)))
    sharp = kept(workspace)
    assert sharp.shape == shape
    rows, columns = np.flatnonzero(sharp.any(axis=1)), np.flatnonzero(sharp.any(axis=0))
    assert sharp[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()
    assert [rows[0], rows[-1] + 1, columns[0], columns[-1] + 1] == pytest.approx(
        [390.6, 1171.9, 781.2, 1562.5], abs=1
    )


# --- in a browser -----------------------------------------------------------------------------------------------


@pytest.fixture
def served(parts: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path / "served"
    shutil.copytree(parts, folder)
    with serving(Workspace.open(folder)) as address:
        yield address.rstrip("/"), folder


def unfolded(page: Page, address: str) -> Locator:
    """The editor, opened, with its picture."""
    visit(page, f"{address}/data")
    page.get_by_role("button", name="Region of interest").click()
    editor = page.locator("#region-editor .rg.rg-ready")
    editor.wait_for()
    editor.locator(".rg-stage").scroll_into_view_if_needed()
    return editor


def drag(page: Page, editor: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place of the picture to another, given as shares of it."""
    box = editor.locator(".rg-stage").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=6)
    page.mouse.up()


def test_outside_of_a_drawn_region_the_map_is_empty_and_a_defect_changes_nothing(
    served: tuple[str, Path], page: Page
) -> None:
    address, folder = served
    editor = unfolded(page, address)
    share, save = editor.locator(".rg-share"), editor.get_by_role("button", name="Save")
    assert share.inner_text() == "Nothing is drawn: the whole image counts" and save.is_disabled()
    drag(page, editor, (0.25, 0.25), (0.75, 0.75))
    assert share.inner_text() == "25 % of the image counts"
    shoot(page, "region-drawn")
    save.click()
    editor.get_by_text('Enter your name in "By"').wait_for()
    editor.get_by_label("By").fill("Ann")
    save.click()
    editor.get_by_text("Saved: 25 % of an image counts. Existing banks keep their own region.").wait_for()
    assert editor.get_by_role("link", name="Rebuild in Banks").get_attribute("href") == "./banks"
    page.locator("#states").get_by_text("The region of interest is now 25 % of an image.").wait_for(
        state="attached"
    )
    shoot(page, "region-saved")

    workspace = Workspace.open(folder)
    wanted = np.zeros(SHAPE, bool)
    wanted[24:72, 32:96] = True
    assert np.array_equal(kept(workspace), wanted)
    build_bank(workspace)
    detector = load_detector(workspace)
    image = part(7)
    spoilt = image.copy()
    spoilt[76:92, 4:124] = 255  # a bright bar below the region
    found, same = detector.score([image, spoilt])
    outside = found.map[~wanted]
    assert (outside == outside[0]).all() and outside[0] == np.float32(found.calibration.map_median)
    assert np.ptp(found.map[wanted]) > 0
    assert np.array_equal(found.map, same.map) and found.score == same.score and found.verdict == same.verdict
    inside = image.copy()
    inside[40:56, 44:80] = 20
    assert detector.score([inside])[0].score > found.score

    defect = workspace.images(label="defect")[0]
    page.goto(f"{address}/?image={defect.id}")
    page.locator(".vw-verdict").first.wait_for()
    shoot(page, "region-inspect")


def test_tools_undo_other_images_and_the_way_back(served: tuple[str, Path], page: Page) -> None:
    address, folder = served
    editor = unfolded(page, address)
    share = editor.locator(".rg-share")
    stage = editor.locator(".rg-stage")
    drag(page, editor, (0.0, 0.0), (0.5, 1.0))
    assert share.inner_text() == "50 % of the image counts"
    page.keyboard.press("e")
    assert editor.get_by_role("button", name="Eraser").get_attribute("aria-pressed") == "true"
    drag(page, editor, (0.25, 0.3), (0.25, 0.7))
    assert share.inner_text() != "50 % of the image counts"
    page.keyboard.press("Control+z")
    assert share.inner_text() == "50 % of the image counts"
    page.keyboard.press("r")
    editor.get_by_role("button", name="Invert").click()
    drag(page, editor, (0.0, 0.0), (0.25, 1.0))
    assert share.inner_text() == "75 % of the image counts"
    editor.get_by_role("button", name="Undo").click()
    editor.get_by_role("button", name="Redo").click()
    assert share.inner_text() == "75 % of the image counts"
    before = editor.locator(".rg-caption").inner_text()
    editor.get_by_role("button", name="Next ›").click()
    editor.get_by_text("2 of 16").wait_for()
    assert (
        editor.locator(".rg-caption").inner_text() != before
        and share.inner_text() == "75 % of the image counts"
    )

    editor.get_by_role("button", name="By brightness…").click()
    editor.get_by_text(f"{round(100 * part_mask().mean())} % of the image would count").wait_for()
    shoot(page, "region-brightness")
    editor.get_by_role("button", name="Use").click()
    editor.get_by_label("By", exact=True).fill("Ann")
    stage.focus()
    editor.get_by_role("button", name="Save").click()
    editor.get_by_text("Saved: ").wait_for()
    assert np.array_equal(kept(Workspace.open(folder)), part_mask())
    page.locator("#states").get_by_text("state 2").wait_for(state="attached")

    editor.get_by_role("button", name="Remove").click()
    editor.get_by_text("Removed: the whole image counts again.").wait_for()
    assert Workspace.open(folder).region() is None
    share.get_by_text("Nothing is drawn").wait_for()
    editor.locator(".note").get_by_role("button", name="Undo").click()
    editor.get_by_text("Undone: The region of interest is the whole image.").wait_for()
    assert np.array_equal(kept(Workspace.open(folder)), part_mask())
    share.get_by_text("of the image counts").wait_for()


def test_files_that_do_not_fit_are_one_sentence_and_dark_is_as_good(
    served: tuple[str, Path], page: Page, tmp_path: Path
) -> None:
    address, folder = served
    page.emulate_media(color_scheme="dark")
    editor = unfolded(page, address)
    file = tmp_path / "mask.png"
    file.write_bytes(encode_png(np.ones((40, 40), bool)))
    editor.locator("input[type=file]").set_input_files(file)
    said = editor.locator(".note.error")
    said.wait_for()
    assert "mask.png" in said.inner_text() and "128 x 96" in said.inner_text()
    ring = part_mask()
    ring[40:56, 50:80] = False
    file.write_bytes(encode_png(ring))
    editor.locator("input[type=file]").set_input_files(file)
    editor.locator(".rg-share").get_by_text(f"{round(100 * ring.mean())} % of the image counts").wait_for()
    shoot(page, "region-dark")
    editor.get_by_label("By", exact=True).fill("Ann")
    editor.get_by_label("By", exact=True).press("Enter")
    editor.get_by_text("Saved: ").wait_for()
    assert np.array_equal(kept(Workspace.open(folder)), ring)
