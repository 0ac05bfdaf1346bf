"""What a folder would become is settled from its pixels, and every picture that becomes nothing is named."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from exdd_core.datasets import Choices, integrity, look
from exdd_core.datasets.record import DEFECT, NORMAL
from exdd_core.datasets.reports import Report
from exdd_core.depth import Depth
from exdd_core.images import Size, encode_png, read_image
from exdd_core.mask_rules import MaskRule

SIDE = 64
SPOT = (slice(20, 34), slice(12, 40))


def surface(seed: int, spot: bool = False) -> np.ndarray:
    """A rough grey surface, uint8 (64, 64); with a dark spot where that is asked."""
    rng = np.random.default_rng(seed)
    rough = cv2.GaussianBlur(rng.standard_normal((SIDE, SIDE)), (0, 0), 1.5)
    grey = 140 + 18 * rough / rough.std()
    if spot:
        grey[SPOT] -= 70
    return np.clip(grey, 0, 255).astype(np.uint8)


def spot_mask(value: int = 255) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    mask[SPOT] = value
    return mask


def put(path: Path, pixels: np.ndarray, orientation: int = 1, suffix: str = "PNG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    options = {"exif": exif.tobytes()} if orientation != 1 else {}
    Image.fromarray(pixels).save(stream, suffix, **options)
    path.write_bytes(stream.getvalue())


def make(root: Path, normal: int = 8, defects: int = 4, value: int = 255) -> Path:
    for n in range(normal):
        put(root / "good" / f"{n:03}.png", surface(n))
    for n in range(defects):
        put(root / "defect" / f"{n:03}.png", surface(100 + n, spot=True))
        put(root / "masks" / f"{n:03}.png", spot_mask(value))
    return root


def checked(root: Path, choices: Choices | None = None, size: Size | None = None) -> Report:
    """The report of an import whose masks are plain files."""
    found = look(root, choices)[1]
    return integrity.check(found.tree.root, found.records, None, found, {}, size)


def test_a_plain_set_is_healthy(tmp_path: Path) -> None:
    report = checked(make(tmp_path, normal=12))
    assert report["healthy"] and report["left_out"] == [] and report["depth"] is None
    assert report["sentences"][-1] == "Every file can be read, and no images leak across the split."


@pytest.mark.parametrize("value", [1, 2, 40, 200])
def test_masks_of_any_value_keep_their_defects(tmp_path: Path, value: int) -> None:
    _, found = look(make(tmp_path, value=value))
    defects = [record for record in found.records if record.label == DEFECT]
    assert len(defects) == 4 and found.to_report()["mask_rule"]["sentence"]
    for record in defects:
        mask = found.mask_of(record)
        assert mask is not None and np.array_equal(mask, spot_mask() > 0)


def test_labels_by_masks_of_zero_and_one(tmp_path: Path) -> None:
    """KSDD2 with masks of 0 and 1: none of its defects becomes a normal image."""
    for split in ("train", "test"):
        for n in range(6):
            put(tmp_path / split / f"{n}.png", surface(n, spot=n < 2))
            put(tmp_path / split / f"{n}_GT.png", spot_mask(1 if n < 2 else 0))
    name, found = look(tmp_path)
    assert name == "ksdd2"
    assert [r.label for r in found.records] == [DEFECT, DEFECT, *[NORMAL] * 4] * 2


def test_a_chosen_rule_and_a_chosen_depth_are_followed(tmp_path: Path) -> None:
    make(tmp_path)
    for n in range(4):
        put(tmp_path / "masks" / f"{n:03}.png", 255 - spot_mask())
    _, found = look(tmp_path, Choices(masks=MaskRule.parse("above:127 inverted"), depth=Depth(0, 4095)))
    record = next(r for r in found.records if r.label == DEFECT)
    mask = found.mask_of(record)
    assert mask is not None and np.array_equal(mask, spot_mask() > 0)
    assert found.depth == Depth(0, 4095) and found.must_be_written(record)


def test_inverted_masks_are_questioned(tmp_path: Path) -> None:
    make(tmp_path)
    for n in range(4):
        put(tmp_path / "masks" / f"{n:03}.png", 255 - spot_mask())
    report = checked(tmp_path)
    assert len(report["masks"]["inverted"]) == 4 and not report["healthy"]
    assert any("seems inverted: 4 images" in line for line in report["sentences"])
    assert checked(make(tmp_path / "right"))["masks"]["inverted"] == []


def test_a_large_defect_is_not_called_inverted(tmp_path: Path) -> None:
    make(tmp_path, defects=0)
    image, mask = surface(7), np.zeros((SIDE, SIDE), np.uint8)
    image[:, :50] //= 3
    mask[:, :50] = 255
    put(tmp_path / "defect" / "0.png", image)
    put(tmp_path / "masks" / "0.png", mask)
    report = checked(tmp_path)
    assert report["masks"]["inverted"] == [] and report["masks"]["covering"] == ["defect/0.png"]


def test_an_empty_mask_of_a_defective_image_is_named(tmp_path: Path) -> None:
    make(tmp_path)
    put(tmp_path / "masks" / "001.png", spot_mask(0))
    report = checked(tmp_path)
    assert report["masks"]["empty"] == ["defect/001.png"] and not report["healthy"]


def test_a_mask_of_a_normal_image(tmp_path: Path) -> None:
    make(tmp_path)
    put(tmp_path / "good" / "000_mask.png", spot_mask(0))
    put(tmp_path / "good" / "001_mask.png", spot_mask())
    _, found = look(tmp_path)
    assert found.masks_of_normal == ["good/001.png"]
    assert sum(r.label == NORMAL for r in found.records) == 8
    assert all(r.mask is None for r in found.records if r.label == NORMAL)


def test_masks_that_pair_with_nothing_are_no_images(tmp_path: Path) -> None:
    make(tmp_path)
    put(tmp_path / "defect" / "sketch of something.png", spot_mask())
    put(tmp_path / "good" / "black.bmp", np.zeros((SIDE, SIDE), np.uint8), suffix="BMP")
    _, found = look(tmp_path)
    assert len(found.records) == 12
    left = {path: row.reason for row in found.left_out for path in row.paths}
    assert set(left) == {"defect/sketch of something.png", "good/black.bmp"}
    assert all("black and white" in reason for reason in left.values())


def test_folders_of_images_and_of_masks_side_by_side(tmp_path: Path) -> None:
    """images/train/good and masks/test/bad: nothing is a category, and every mask finds its image."""
    for n in range(6):
        put(tmp_path / "images" / "train" / "good" / f"{n}.png", surface(n))
        put(tmp_path / "images" / "test" / "bad" / f"{n}.png", surface(n + 50, spot=True))
        put(tmp_path / "masks" / "test" / "bad" / f"{n}.png", spot_mask())
    name, found = look(tmp_path)
    assert name == "folder" and found.left_out == []
    assert {(r.split, r.label, bool(r.mask)) for r in found.records} == {
        ("train", NORMAL, False),
        ("test", DEFECT, True),
    }


def test_a_set_of_black_and_white_images_stays(tmp_path: Path) -> None:
    """Where most images look like masks, that is how the product looks."""
    for n in range(6):
        put(tmp_path / "good" / f"{n}.png", ((surface(n) > 140) * 255).astype(np.uint8))
    assert len(look(tmp_path)[1].records) == 6


def test_twins_of_another_suffix_are_image_and_mask(tmp_path: Path) -> None:
    make(tmp_path, defects=0)
    for n in range(3):
        put(tmp_path / "defect" / f"{n}.jpg", surface(n + 50, spot=True), suffix="JPEG")
        put(tmp_path / "defect" / f"{n}.png", spot_mask())
    records = [r for r in look(tmp_path)[1].records if r.label == DEFECT]
    assert [(r.path, r.mask) for r in records] == [(f"defect/{n}.jpg", f"defect/{n}.png") for n in range(3)]


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
def test_a_mask_that_is_not_turned_with_its_image(tmp_path: Path, orientation: int) -> None:
    """The camera's EXIF turns the image; its mask was drawn on the stored pixels, also of a square."""
    make(tmp_path)
    put(tmp_path / "defect" / "000.png", surface(100, spot=True), orientation)
    _, found = look(tmp_path)
    assert list(found.turned) == ["defect/000.png"]
    record = next(r for r in found.records if r.path == "defect/000.png")
    mask, image = found.mask_of(record), read_image(tmp_path / "defect" / "000.png")
    assert mask is not None and image[mask].mean() < image[~mask].mean() - 50
    assert found.must_be_written(record)
    # A mask that was drawn on the upright image is left as it is.
    put(tmp_path / "masks" / "000.png", mask.astype(np.uint8) * 255)
    assert look(tmp_path)[1].turned == {}


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("image_turn", [1, 3])
def test_a_mask_that_is_turned_and_its_image_is_not(
    tmp_path: Path, orientation: int, image_turn: int
) -> None:
    """A program left an EXIF turn in the mask that its image does not have, or has otherwise."""
    make(tmp_path)
    put(tmp_path / "defect" / "000.png", surface(100, spot=True), image_turn)
    put(tmp_path / "masks" / "000.png", spot_mask(), orientation)
    _, found = look(tmp_path)
    assert list(found.turned) == ([] if orientation == image_turn else ["defect/000.png"])
    record = next(r for r in found.records if r.path == "defect/000.png")
    mask, image = found.mask_of(record), read_image(tmp_path / "defect" / "000.png")
    assert mask is not None and image[mask].mean() < image[~mask].mean() - 50


def test_pages_depth_and_clipping_are_told(tmp_path: Path) -> None:
    make(tmp_path)
    stack = [Image.fromarray(surface(n)) for n in range(3)]
    stack[0].save(tmp_path / "good" / "stack.tif", save_all=True, append_images=stack[1:])
    deep = surface(3).astype(np.uint16) * 16
    put(tmp_path / "good" / "deep.png", deep)
    glint = deep.copy()
    glint[5, 5] = 5000
    put(tmp_path / "good" / "glint.png", np.tile(glint, (1, 1)))
    _, found = look(tmp_path)
    assert found.several_pages == {"good/stack.tif": 3}
    assert found.depth == Depth.of_bits(14)  # one pixel of 8,192 is no outlier yet
    _, found = look(tmp_path, Choices(depth=Depth.of_bits(12)))
    assert found.clipped == {"good/glint.png": pytest.approx(1 / SIDE**2)}
    assert any("clipped in 1 image (good/glint.png)" in line for line in found.to_report()["problems"])


def test_images_of_8_bits_beside_deeper_ones_are_named(tmp_path: Path) -> None:
    make(tmp_path)
    for n in range(4):
        put(tmp_path / "defect" / f"{n:03}.png", surface(100 + n, spot=True).astype(np.uint16) * 16)
    report = checked(tmp_path)
    assert not report["healthy"]
    assert any(
        "8 images (good/000.png" in s and "8 bits per channel and 4 images have more" in s
        for s in report["sentences"]
    )
    for n in range(8):
        put(tmp_path / "good" / f"{n:03}.png", surface(n).astype(np.uint16) * 16)
    assert not any("of 8 bits" in line for line in look(tmp_path)[1].to_report()["problems"])


def test_names_that_cannot_be_stored_are_named_and_the_rest_comes_in(tmp_path: Path) -> None:
    make(tmp_path)
    put(tmp_path / "good" / "two\nlines.png", surface(70))
    (tmp_path / "good" / os.fsdecode(b"gr\xfcn.png")).write_bytes(encode_png(surface(71)))
    report = checked(tmp_path)
    (row,) = report["left_out"]
    assert row["folder"] == "good" and row["count"] == 2 and "rename them" in row["reason"]
    assert row["paths"] == ["good/gr\\udcfcn.png", "good/two\\nlines.png"]
    assert report["images"] == 12 and not report["healthy"]
    json.dumps(report, ensure_ascii=False).encode()


def test_images_that_show_nothing_are_named(tmp_path: Path) -> None:
    """What is wholly transparent is laid on black, and would teach a bank that black is normal."""
    make(tmp_path)
    layer = np.dstack([surface(5)] * 3 + [np.zeros((SIDE, SIDE), np.uint8)])
    put(tmp_path / "good" / "clear.png", layer)
    put(tmp_path / "good" / "grey.jpg", np.full((SIDE, SIDE), 128, np.uint8), suffix="JPEG")
    told = checked(tmp_path)
    named = {*told["blank"], *(path for row in told["left_out"] for path in row["paths"])}
    assert {"good/clear.png", "good/grey.jpg"} <= named and not told["healthy"]
    assert checked(make(tmp_path / "right"))["blank"] == []


def test_outlines_beside_images_of_a_split_are_their_masks(tmp_path: Path) -> None:
    """test/bad without ground_truth/, each image with LabelMe's JSON next to it."""
    for n in range(4):
        put(tmp_path / "train" / "good" / f"{n}.png", surface(n))
        put(tmp_path / "test" / "bad" / f"{n}.png", surface(n + 50, spot=True))
        shape = {"label": "spot", "shape_type": "rectangle", "points": [[12, 20], [40, 34]]}
        content = {"shapes": [shape], "imagePath": f"{n}.png", "imageHeight": SIDE, "imageWidth": SIDE}
        (tmp_path / "test" / "bad" / f"{n}.json").write_text(json.dumps(content))
    name, found = look(tmp_path)
    defects = [record for record in found.records if record.label == DEFECT]
    assert name == "mvtec" and len(defects) == 4
    for record in defects:
        mask = found.mask_of(record)
        assert mask is not None and np.array_equal(mask, spot_mask() > 0)


def test_damaged_annotations_beside_images_are_named(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "annotations.json").write_text('{"images": [{"id": 1, "file_name": "defect/0')
    (tmp_path / "camera.json").write_text('{"exposure": 12}')
    found = look(tmp_path)[1]
    (line,) = found.to_report()["problems"]
    assert line.startswith("annotations.json is damaged")


def test_empty_folders_are_named(tmp_path: Path) -> None:
    make(tmp_path, defects=0)
    (tmp_path / "defect" / "scratch").mkdir(parents=True)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "readme.txt").write_text("no image here")
    report = checked(tmp_path)
    assert [(row["folder"], row["reason"]) for row in report["left_out"]] == [
        ("defect/scratch", "it holds nothing")
    ]
    assert not report["healthy"]


def test_colours_on_one_side_only_are_a_warning(tmp_path: Path) -> None:
    make(tmp_path, defects=4)
    for n in range(8):
        tinted = np.stack([surface(n), surface(n) // 2, surface(n) // 3], axis=2)
        put(tmp_path / "good" / f"{n:03}.png", tinted)
    report = checked(tmp_path)
    assert report["grey"] == {NORMAL: 0.0, DEFECT: 1.0}
    assert any("Most normal images are in colour" in line for line in report["sentences"])


@pytest.mark.parametrize(("normal", "said"), [(2, "than 1 in 3"), (16, "")])
def test_too_few_normal_images(tmp_path: Path, normal: int, said: str) -> None:
    report = checked(make(tmp_path, normal=normal, defects=0))
    told = [line for line in report["sentences"] if "cannot promise" in line]
    assert bool(told) == bool(said) and all(said in line for line in told)


def test_small_defects_are_named_with_a_size_that_shows_them(tmp_path: Path) -> None:
    """A scratch of 2 pixels across an image of 1,024: half a pixel of a model that sees 256."""
    for n in range(4):
        put(tmp_path / "good" / f"{n}.png", np.tile(surface(n), (4, 16)))
    for n, column in enumerate((500, 501)):
        image, mask = np.tile(surface(9), (4, 16)), np.zeros((256, 1024), np.uint8)
        image[100:103, column : column + 2] = 0
        mask[100:103, column : column + 2] = 255
        put(tmp_path / "defect" / f"{n}.png", image)
        put(tmp_path / "masks" / f"{n}.png", mask)
    report = checked(tmp_path, size=Size(256, 256))
    assert report["masks"]["small"] == ["defect/0.png", "defect/1.png"]
    line = next(line for line in report["sentences"] if "smaller than a patch at 256x256" in line)
    shows = report["masks"]["small_size"]
    assert shows and f"--size {shows} would show them" in line
    assert checked(tmp_path, size=Size.parse(shows))["masks"]["small"] == []


def test_preview_and_report_say_the_same(tmp_path: Path) -> None:
    make(tmp_path)
    put(tmp_path / "unknown" / "1.png", surface(5))
    (tmp_path / "good" / "x.gif").write_bytes(b"GIF89a" + encode_png(surface(1))[:50])
    told = look(tmp_path)[1].to_report()
    report: dict[str, Any] = dict(checked(tmp_path))
    assert {name: report[name] for name in told if name != "problems"} == {
        name: value for name, value in told.items() if name != "problems"
    }
    assert set(told["problems"]) <= set(report["sentences"])


def test_a_mask_stored_as_its_rotated_tiff_image_is_turned_with_it(tmp_path: Path) -> None:
    make(tmp_path)
    put(tmp_path / "defect" / "t.tif", np.rot90(surface(50, spot=True), 2), orientation=3, suffix="TIFF")
    put(tmp_path / "masks" / "t.png", np.rot90(spot_mask(), 2))
    _, found = look(tmp_path)
    (record,) = (record for record in found.records if record.path == "defect/t.tif")
    mask = found.mask_of(record)
    assert mask is not None and np.array_equal(mask, spot_mask() > 0)
    assert "not rotated like their images: 1 image (defect/t.tif)" in "\n".join(found.problems())


def test_further_pages_of_a_mask_are_told(tmp_path: Path) -> None:
    make(tmp_path)
    pages = [Image.fromarray(spot_mask()), Image.fromarray(spot_mask(0))]
    (tmp_path / "masks" / "000.png").unlink()
    pages[0].save(tmp_path / "masks" / "000.tif", save_all=True, append_images=pages[1:])
    assert (
        "Several pages in one mask file, of which only the first is read: 1 image (masks/000.tif)"
        in "\n".join(look(tmp_path)[1].problems())
    )


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_picture_with_one_channel_at_its_limit_is_no_mask(tmp_path: Path, dtype: type) -> None:
    make(tmp_path)
    values: np.ndarray = np.dstack([surface(1)] * 3).astype(dtype)
    values[..., 2] = 255
    cv2.imwrite(str(tmp_path / "good" / "red.tif"), values, [cv2.IMWRITE_TIFF_COMPRESSION, 1])
    _, found = look(tmp_path)
    assert "good/red.tif" in {record.path for record in found.records} and not found.left_out


def test_deep_images_of_few_levels_suggest_a_window(tmp_path: Path) -> None:
    for n in range(3):
        put(tmp_path / "good" / f"{n}.png", surface(n).astype(np.uint16) + 30000)
    _, found = look(tmp_path)
    (sentence,) = (one for one in found.doubts if "of 256 levels" in one)
    window = sentence.partition("--depth ")[2].split()[0]
    values = np.stack([surface(n) for n in range(3)])
    low, high = map(int, window.split("-"))
    assert values.min() <= low - 30000 < high - 30000 <= values.max() and "differ by 1 of 256" in sentence
    chosen = look(tmp_path, Choices(depth=Depth.parse(window)))[1]
    assert not chosen.doubts
    for n in range(3):
        put(tmp_path / "good" / f"{n}.png", surface(n).astype(np.uint16) * 16)
    assert not look(tmp_path)[1].doubts
