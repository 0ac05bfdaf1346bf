"""Layouts of annotation files: what their regions mark, pixel by pixel, and what cannot be used is named."""

from __future__ import annotations

import base64
import io
import json
import re
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image, ImageOps
from pycocotools import mask as pycoco

from exdd_core.datasets import Choices, GroupRule, look, require_normal
from exdd_core.datasets.marks import Marks
from exdd_core.datasets.outlines import draw, fault, runs_of, unpacked
from exdd_core.datasets.record import DEFECT, NORMAL, Outline, Record
from exdd_core.datasets.report_sentences import problems_of
from exdd_core.datasets.survey import Survey
from exdd_core.datasets.texts import json_format
from exdd_core.datasets.tree import Tree
from exdd_core.errors import BadInput
from exdd_core.workspace.imports import import_dataset

WIDTH, HEIGHT = 64, 48
BOX = (10, 8, 30, 20)  # left, top, right, bottom


def picture(path: Path, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(seed).integers(60, 200, (HEIGHT, WIDTH), dtype=np.uint8)
    Image.fromarray(values).save(path)


def pictures(root: Path, *names: str) -> None:
    for seed, name in enumerate(names):
        picture(root / name, seed)


def write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def filled(left: int = 10, top: int = 8, right: int = 30, bottom: int = 20) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[top:bottom, left:right] = True
    return mask


def seen(root: Path, layout: str) -> tuple[dict[str, Record], Survey]:
    name, found = look(root)
    assert name == layout
    return {record.path: record for record in found.records}, found


def mask_of(found: Survey, record: Record) -> np.ndarray:
    mask = found.mask_of(record)
    assert mask is not None
    return mask


def told(found: Survey) -> str:
    report = found.to_report()
    return "\n".join([*report["notes"], *report["problems"]])


def problems(found: Survey) -> str:
    return "\n".join(found.to_report()["problems"])


# --- COCO -----------------------------------------------------------------------------------------------------


def coco(names: list[str], annotations: list[dict[str, Any]], **size: int) -> dict[str, Any]:
    return {
        "images": [{"id": i, "file_name": name, **size} for i, name in enumerate(names)],
        "annotations": [{"id": i, "category_id": 1, **row} for i, row in enumerate(annotations)],
        "categories": [{"id": 1, "name": "scratch"}, {"id": 2, "name": "pit"}],
    }


def test_coco_regions(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(6)]
    pictures(tmp_path / "images", *names)
    expected = filled()
    expected[40:44, 50:60] = True
    packed = pycoco.encode(np.asfortranarray(filled().astype(np.uint8)))
    runs = [int(n) for n in runs_of(filled()).runs.split()]
    two = [[10, 8, 30, 8, 30, 20, 10, 20], [50, 40, 60, 40, 60, 44, 50, 44]]
    size = [HEIGHT, WIDTH]
    rows: list[dict[str, Any]] = [
        {"image_id": 0, "segmentation": two, "bbox": [0, 0, 64, 48]},
        {"image_id": 1, "segmentation": {"size": size, "counts": packed["counts"].decode()}},
        {"image_id": 2, "segmentation": {"size": size, "counts": runs}, "iscrowd": 1},
        {"image_id": 3, "segmentation": [], "bbox": [10, 8, 20, 12]},
        {"image_id": 3, "segmentation": [[0, 0, 40, 0, 40, 20, 0, 20]], "category_id": 2},
    ]
    write(tmp_path / "annotations" / "instances_default.json", coco(names, rows, width=64, height=48))
    records, found = seen(tmp_path, "coco")
    assert [records[f"images/{n}"].label for n in names] == [DEFECT] * 4 + [NORMAL] * 2
    assert [records[f"images/{n}"].defect_type for n in names] == [*["scratch"] * 3, "pit", "", ""]
    masks = [mask_of(found, records[f"images/{n}.png"]) for n in range(4)]
    np.testing.assert_array_equal(masks[0], expected)
    np.testing.assert_array_equal(masks[1], filled())
    np.testing.assert_array_equal(masks[2], filled())
    np.testing.assert_array_equal(masks[3], filled(0, 0, 40, 20))
    assert "1 region on 1 image (images/3.png) is boxed, not outlined" in told(found)
    assert not problems(found)
    assert {record.split for record in found.records} == {"train", "test"}


def test_coco_sides_and_images_by_any_path(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"pictures/a/{n}.png" for n in range(3)), "pictures/b/9.png")
    outline = {"image_id": 0, "segmentation": [[10, 8, 30, 8, 30, 20, 10, 20]]}
    write(
        tmp_path / "annotations" / "instances_train2017.json",
        coco(["pictures\\a\\0.png", "1.png"], [outline]),
    )
    content = json.dumps(coco(["C:\\data\\pictures\\a\\2.png", "gone.png"], []))
    (tmp_path / "annotations" / "instances_test.json").write_bytes(content.encode("utf-8-sig"))
    records, found = seen(tmp_path, "coco")
    assert {path: (r.label, r.split) for path, r in records.items()} == {
        "pictures/a/0.png": (DEFECT, "train"),
        "pictures/a/1.png": (NORMAL, "train"),
        "pictures/a/2.png": (NORMAL, "test"),
    }
    assert "instances_test.json lists 1 image (gone.png) that is missing" in problems(found)
    assert "9.png" in problems(found) and "it is unknown whether they are normal" in problems(found)


def test_coco_does_not_take_another_image_of_the_same_name(tmp_path: Path) -> None:
    pictures(tmp_path, "crack/000.png", "fine/000.png")
    rows = [{"image_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}]
    write(tmp_path / "all.json", coco(["crack/000.png", "hole/000.png", "fine/000.png"], rows))
    records, found = seen(tmp_path, "coco")
    assert records["crack/000.png"].outlines == ()
    assert "hole/000.png" in problems(found)
    write(tmp_path / "all.json", coco(["test/000.png", "train/001.png"], []))
    pictures(tmp_path, "train/000.png", "train/001.png")
    records, found = seen(tmp_path, "coco")
    assert list(records) == ["fine/000.png", "train/001.png"]
    assert "test/000.png" in problems(found)


FIRST, SECOND = ("line1/000.png", "line1/001.png"), ("line2/000.png", "line2/001.png", "line2/002.png")


@pytest.mark.parametrize("kind", ["coco", "labelme", "voc", "yolo"])
def test_the_annotation_of_a_missing_image_is_not_of_one_in_another_folder(tmp_path: Path, kind: str) -> None:
    pictures(tmp_path, *(f"images/{name}" for name in (*FIRST, *SECOND)))
    if kind == "coco":
        rows = [{"image_id": 2, "segmentation": [[0, 0, 9, 0, 9, 9]]}]
        write(tmp_path / "all.json", coco([*FIRST, "line1/002.png"], rows))
    for name in (*FIRST, "line1/002.png") if kind != "coco" else ():
        place = tmp_path / "labels" / name
        if kind == "labelme":
            square = shape("rectangle", [[0, 0], [9, 9]])
            write(place.with_suffix(".json"), labelme(f"../../images/{name}", square))
        elif kind == "voc":
            box = f"<object><name>pit</name>{bndbox(1, 1, 9, 9)}</object>"
            write(place.with_suffix(".xml"), voc(place.name, box))
        else:
            write(place.with_suffix(".txt"), "1 " + POLYGON)
    records, found = seen(tmp_path, kind)
    assert not any(record.outlines for name, record in records.items() if "line2" in name)
    if kind != "yolo":  # whose images without a file are normal
        assert set(records) == {f"images/{name}" for name in FIRST}
        assert "002" in problems(found)


def test_an_annotation_that_names_another_image_is_told(tmp_path: Path) -> None:
    pictures(tmp_path, "a.png", "b.png", "c.png")
    for name in ("a", "c"):
        write(tmp_path / f"{name}.json", labelme("b.png" if name == "a" else "elsewhere.png"))
    write(tmp_path / "b.json", labelme("b.png", shape("rectangle", [[0, 0], [9, 9]])))
    records, found = seen(tmp_path, "labelme")
    assert [name for name, record in records.items() if record.outlines] == ["b.png"]
    assert "The file name decided for 1 annotation file (a.json names b.png)" in told(found)


def test_roboflow_coco(tmp_path: Path) -> None:
    copies = [f"part_jpg.rf.{digit * 32}.jpg" for digit in "ab"]
    pictures(tmp_path, *(f"train/{n}" for n in copies), "valid/x.jpg", "test/y.jpg")
    for side, names in (("train", copies), ("valid", ["x.jpg"]), ("test", ["y.jpg"])):
        rows = [{"image_id": 0, "bbox": [10, 8, 20, 12]}] if side != "valid" else []
        write(tmp_path / side / "_annotations.coco.json", coco(names, rows))
    records, found = seen(tmp_path, "coco")
    assert [(r.path.split("/")[0], r.split, r.label) for r in found.records] == [
        ("test", "test", DEFECT),
        ("train", "train", DEFECT),
        ("train", "train", NORMAL),
        ("valid", "train", NORMAL),
    ]
    assert len({records[f"train/{n}"].group for n in copies}) == 1
    assert "valid/ counts as training." in told(found)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"images": [], "annotations": [], "categories": []}, "lists no images"),
        ({"images": [{"id": 1, "file_name": "0.png"}], "categories": []}, 'no "annotations" list'),
        ({"images": [{"id": 1}], "annotations": []}, "without an id or a file_name"),
        (coco(["x.png", "y.png"], []), "None of the images that a.json lists"),
        (json.dumps(coco(["0.png"], []))[:-4], "a.json is damaged at line 1"),
        ('{"images": [' * 50000 + ', "annotations":', "a.json cannot be read as JSON"),
    ],
)
def test_coco_that_says_nothing_is_refused(tmp_path: Path, content: Any, sentence: str) -> None:
    pictures(tmp_path, "0.png", "1.png")
    write(tmp_path / "a.json", content)
    with pytest.raises(BadInput) as error:
        look(tmp_path)
    assert sentence in str(error.value)


def test_coco_outlines_that_cannot_be_drawn_are_named_and_never_make_an_image_normal(tmp_path: Path) -> None:
    names = [f"{i}.png" for i in range(8)]
    pictures(tmp_path, *names)
    nan = float("nan")
    rows: list[dict[str, Any]] = [
        {"image_id": 0, "segmentation": [[1, 1, 2, 2]]},
        {"image_id": 1, "segmentation": [[nan, 1, 2, 2, 3, 9]]},
        {"image_id": 2, "segmentation": {"size": [HEIGHT, WIDTH], "counts": "11"}},
        {"image_id": 3, "segmentation": {"size": [HEIGHT, WIDTH], "counts": [1, -1]}},
        {"image_id": 4},
        {"image_id": 5, "segmentation": "x", "bbox": [10, 8, 20, 12]},
        {"image_id": 6, "bbox": [50, 40, 100, 100]},
        {"image_id": 77, "bbox": [0, 0, 1, 1]},
    ]
    write(tmp_path / "a.json", coco(names, rows, width=WIDTH, height=HEIGHT))
    records, found = seen(tmp_path, "coco")
    assert [records[n].label for n in names] == [DEFECT] * 7 + [NORMAL]
    assert [bool(records[n].outlines) for n in names] == [False] * 5 + [True] * 2 + [False]
    np.testing.assert_array_equal(mask_of(found, records["6.png"]), filled(50, 40, WIDTH, HEIGHT))
    for part in ("fewer than 3 points", "not numbers", "do not fill", "neither a segmentation nor a box"):
        assert part in problems(found)
    assert "1 annotation belongs to no image" in problems(found)
    assert "extends beyond the image: clipped" in told(found)


def test_an_annotation_for_another_size_is_not_drawn(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png", "1.png")
    write(
        tmp_path / "a.json",
        coco(["0.png", "1.png"], [{"image_id": 0, "bbox": [1, 1, 5, 5]}], width=128, height=96),
    )
    records, found = seen(tmp_path, "coco")
    with pytest.raises(BadInput, match="is for 128 x 96 pixels but its image has 64 x 48"):
        found.mask_of(records["0.png"])


def test_folders_that_say_normal_or_defect_count_beside_coco(tmp_path: Path) -> None:
    pictures(tmp_path, "good/0.png", "good/1.png", "bad/2.png", "bad/3.png")
    write(tmp_path / "a.json", coco(["bad/2.png", "bad/3.png"], [{"image_id": 0, "bbox": [1, 1, 5, 5]}]))
    records, found = seen(tmp_path, "coco")
    assert [r.label for r in found.records] == [DEFECT, DEFECT, NORMAL, NORMAL]
    assert "bad/3.png" in problems(found) and "without a mask" in problems(found)
    assert "2 images (good/0.png, good/1.png) that no annotation file mentions: counted as normal" in told(
        found
    )


# --- LabelMe --------------------------------------------------------------------------------------------------


def labelme(image: str, *shapes: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"version": "5.0", "shapes": list(shapes), "imagePath": image, "imageData": "AAAA", **more}


def shape(kind: str, points: list[list[float]], label: str = "dent", **more: Any) -> dict[str, Any]:
    return {"label": label, "points": points, "shape_type": kind, **more}


def test_labelme_shapes(tmp_path: Path) -> None:
    inside = np.zeros((12, 20), np.uint8)
    inside[2:5, 3:9] = 1
    stream = io.BytesIO()
    Image.fromarray(inside).save(stream, "PNG")
    text = base64.b64encode(stream.getvalue()).decode()
    size = {"imageWidth": WIDTH, "imageHeight": HEIGHT}
    files = {
        "0": labelme("..\\other\\0.png", shape("rectangle", [[30, 20], [10, 8]])),
        "1": labelme("1.png", shape("polygon", [[10, 8], [30, 8], [30, 20], [10, 20]])),
        "2": labelme("2.png", shape("mask", [[10, 8], [29, 19]], mask=text), **size),
        "3": labelme("3.png", shape("circle", [[20, 20], [20, 25]])),
        "4": labelme("4.png", shape("linestrip", [[10, 20.5], [30, 20.5]])),
        "5": labelme("5.png", shape("point", [[10.5, 20.5]])),
        "6": labelme("6.png", shape("cube", [[10, 20]])),
        "7": labelme("7.png"),
        "8": labelme("8.png", shape("rectangle", [[1, 1], [9, 9]], "normal")),
        "9": labelme("9.png", flags={"defect": True, "checked": True}),
    }
    pictures(tmp_path, *(f"{n}.png" for n in range(12)))
    for name, content in files.items():
        write(tmp_path / f"{name}.json", content)
    write(tmp_path / "10.json", '{"shapes": [')
    records, found = seen(tmp_path, "labelme")
    assert [record.label for record in found.records] == [*[DEFECT] * 7, NORMAL, NORMAL, DEFECT]
    masks = {n: mask_of(found, records[f"{n}.png"]) for n in range(6)}
    np.testing.assert_array_equal(masks[0], filled())
    np.testing.assert_array_equal(masks[1], filled())
    np.testing.assert_array_equal(masks[2], filled(13, 10, 19, 13))
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    np.testing.assert_array_equal(masks[3], (x - 20) ** 2 + (y - 20) ** 2 <= 25)
    np.testing.assert_array_equal(np.flatnonzero(masks[4][:, 20]), [19, 20, 21])
    assert masks[4][:, 11:29].sum() == 3 * 18 and not masks[4][:, :8].any()
    assert masks[5][20, 10] and 1 <= masks[5].sum() <= 9
    assert "is not supported (cube)" in problems(found)
    assert "10.json is damaged" in problems(found) and "11.png" in problems(found)
    assert 'labelled "normal": not counted as a defect' in told(found)


@pytest.mark.parametrize("kind", ["rotation", "quadrilateral"])
def test_shapes_of_x_anylabeling_are_polygons(tmp_path: Path, kind: str) -> None:
    pictures(tmp_path, "0.png", "1.png")
    write(tmp_path / "0.json", labelme("0.png", shape(kind, [[10, 8], [30, 8], [30, 20], [10, 20]])))
    write(tmp_path / "1.json", labelme("1.png"))
    records, found = seen(tmp_path, "labelme")
    np.testing.assert_array_equal(mask_of(found, records["0.png"]), filled())


def test_labelme_in_a_folder_of_its_own(tmp_path: Path) -> None:
    pictures(tmp_path, "images/a.png", "images/b.png")
    write(
        tmp_path / "json" / "first.json",
        labelme("..\\images\\a.png", shape("rectangle", [[10, 8], [30, 20]])),
    )
    write(tmp_path / "json" / "b.json", labelme("renamed.png"))
    write(tmp_path / "json" / "c.json", labelme("c.png"))
    records, found = seen(tmp_path, "labelme")
    assert {n: r.label for n, r in records.items()} == {"images/a.png": DEFECT, "images/b.png": NORMAL}
    assert "json/c.json lists 1 image (c.png) that is missing" in problems(found)


def test_annotations_beside_images_of_plain_folders(tmp_path: Path) -> None:
    pictures(
        tmp_path, "good/0.png", "good/1.png", "defect/2.png", "defect/3.png", "defect/4.png", "defect/5.png"
    )
    write(tmp_path / "defect" / "2.json", labelme("2.png", shape("rectangle", [[10, 8], [30, 20]])))
    write(
        tmp_path / "defect" / "3.xml", voc("3.png", "<object><name>pit</name>" + bndbox(*BOX) + "</object>")
    )
    write(tmp_path / "defect" / "4.txt", "0 0.3125 0.2916666667 0.3125 0.25\n")
    write(tmp_path / "defect" / "5.txt", "seen by Anna\n")
    records, found = seen(tmp_path, "folder")
    assert [records[f"defect/{n}.png"].defect_type for n in (2, 3, 4, 5)] == [
        "dent",
        "pit",
        "class 0",
        "defect",
    ]
    for n in (2, 3, 4):
        np.testing.assert_array_equal(mask_of(found, records[f"defect/{n}.png"]), filled())
    assert found.mask_of(records["defect/5.png"]) is None
    assert "3 regions on 3 images" in told(found) and "boxed, not outlined" in told(found)


# --- YOLO -----------------------------------------------------------------------------------------------------

POLYGON = " ".join(f"{x / WIDTH} {y / HEIGHT}" for x, y in ((10, 8), (30, 8), (30, 20), (10, 20)))


@pytest.mark.parametrize("order", ["{side}/{kind}", "{kind}/{side}"])
def test_yolo(tmp_path: Path, order: str) -> None:
    for side in ("train", "valid", "test"):
        images, labels = (tmp_path / order.format(side=side, kind=kind) for kind in ("images", "labels"))
        pictures(images, "0.png", "1.png", "2.png")
        write(labels / "0.txt", "\ufeff1 " + POLYGON + "\n")
        write(labels / "1.txt", "")
    write(tmp_path / "data.yaml", "names: [pit, scratch]\nnc: 2\ntrain: ../train/images\n")
    _, found = seen(tmp_path, "yolo")
    assert [r.label for r in found.records] == [DEFECT, NORMAL, NORMAL] * 3
    assert {r.split for r in found.records if "valid" in r.path} == {"train"}
    assert {r.split for r in found.records if "test" in r.path} == {"test"}
    for record in found.records:
        if record.label == DEFECT:
            assert record.defect_type == "scratch"
            np.testing.assert_array_equal(mask_of(found, record), filled())
    assert "valid/ counts as training." in told(found)
    assert "3 images have no text file" in told(found)


def test_names_of_classes_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    pictures(tmp_path / "images", "0.png", "1.png")
    write(tmp_path / "labels" / "0.txt", f"1 {POLYGON}")
    write(tmp_path / "labels" / "1.txt", "")
    write(tmp_path / "data.yaml", "names: [pit, scratch")
    records, found = seen(tmp_path, "yolo")
    assert records["images/0.png"].defect_type == "class 1"
    assert told(found).count("data.yaml cannot be read as YAML") == 1
    assert "No name of a class was taken from it." in told(found)


def test_yolo_boxes_beside_images_and_lines_that_are_none(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"set/{n}.png" for n in range(5)), "set/away/x.png")
    write(tmp_path / "set" / "0.txt", "0 0.3125 0.2916666667 0.3125 0.25")
    write(tmp_path / "set" / "1.txt", "0 20 14 20 12")
    # The last line is a box whose class is missing.
    lines = "0 nan 0.5 0.1 0.1\n0 0.3125 0.2916666667 0.3125 0.25\n0.5 0.5 0.2 0.2 0.9"
    write(tmp_path / "set" / "2.txt", lines)
    write(tmp_path / "set" / "3.txt", "")
    write(tmp_path / "set" / "classes.txt", "hole\n")
    write(tmp_path / "train.txt", "set/0.png\n./set/3.png\n")
    write(tmp_path / "test.txt", "set/1.png\nset/2.png\nset/4.png\n")
    records, found = seen(tmp_path, "yolo")
    assert [r.label for r in found.records] == [DEFECT, DEFECT, DEFECT, NORMAL, NORMAL]
    assert [r.split for r in found.records] == ["train", "test", "test", "train", "test"]
    assert records["set/0.png"].defect_type == "hole"
    np.testing.assert_array_equal(mask_of(found, records["set/0.png"]), filled())
    np.testing.assert_array_equal(mask_of(found, records["set/2.png"]), filled())
    assert not records["set/1.png"].outlines
    assert "not fractions of the image" in problems(found) and "not numbers" in problems(found)
    assert "not a class with its points" in problems(found)
    assert "set/away/ is left out (x.png)" in problems(found)


def test_images_that_no_annotation_mentions_are_told_apart_in_no_time(tmp_path: Path) -> None:
    """The time grows with their number, not with its square."""
    names = tuple(f"{folder}/{n}.png" for folder in ("good", "away") for n in range(15_000))
    began = time.process_time()
    found = Marks().reading(Tree(tmp_path, images=names))
    assert time.process_time() - began < 5
    assert len(found.records) == len(found.left_out) == 15_000


@pytest.mark.parametrize(
    ("image", "text"),
    [
        ("0.png", "labels/0.txt"),
        ("a/0.png", "a/labels/0.txt"),
        ("a/0.png", "labels/a/0.txt"),
        ("Images/a/0.png", "Labels/a/0.txt"),
        ("pictures/a/0.png", "labels/0.txt"),
    ],
)
def test_yolo_text_in_other_places(tmp_path: Path, image: str, text: str) -> None:
    pictures(tmp_path, image, image.replace("0", "1"))
    if "/a/" in text or text.startswith("a/"):  # another image of the same name, with a text of its own
        pictures(tmp_path, image.replace("a/", "b/"))
        write(tmp_path / text.replace("a/", "b/"), "")
    write(tmp_path / text, "1 " + POLYGON)
    records, found = seen(tmp_path, "yolo")
    assert {name for name, record in records.items() if record.label == DEFECT} == {image}
    np.testing.assert_array_equal(mask_of(found, records[image]), filled())


def test_yolo_text_is_of_the_image_that_is_spelt_like_it(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"images/{name}.png" for name in ("A", "a", "B", "b", "c")))
    for name in ("A", "a", "b"):
        write(tmp_path / "labels" / f"{name}.txt", "" if name == "a" else "1 " + POLYGON)
    records, _ = seen(tmp_path, "yolo")
    assert {name for name, record in records.items() if record.label == DEFECT} == {
        "images/A.png",
        "images/b.png",
    }


@pytest.mark.parametrize("text", ["# by a tool\n1 " + POLYGON, ("1 " + POLYGON).replace(" ", ",")])
def test_yolo_text_of_plain_folders_with_a_faulty_line_is_told(tmp_path: Path, text: str) -> None:
    pictures(tmp_path, "good/0.png", "defect/1.png")
    write(tmp_path / "defect/1.txt", text)
    _, found = seen(tmp_path, "folder")
    assert "a line that is not a class with its points" in problems(found)


def test_measurements_beside_images_are_no_regions(tmp_path: Path) -> None:
    pictures(tmp_path, "good/0.png", "good/1.png", "defect/2.png")
    write(tmp_path / "good/0.txt", "operator Anna\n3,12.5,13.1,14.2,10\n")
    records, found = seen(tmp_path, "folder")
    assert records["good/0.png"].label == NORMAL and not problems(found)


def test_groups_are_taken_from_a_rule(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"p{n // 2}/p{n // 2}_{n}.png" for n in range(4)))
    names = [f"p{n // 2}/p{n // 2}_{n}.png" for n in range(4)]
    write(tmp_path / "a.json", coco(names, [{"image_id": 0, "bbox": [1, 1, 5, 5]}]))
    for rule in ("subfolder", "pattern:(p[0-9])_"):
        _, found = look(tmp_path, Choices(groups=GroupRule.parse(rule)))
        assert [record.group for record in found.records] == ["p0", "p0", "p1", "p1"]


# --- VOC ------------------------------------------------------------------------------------------------------


def bndbox(*sides: float) -> str:
    names = ("xmin", "ymin", "xmax", "ymax")
    return "<bndbox>" + "".join(f"<{n}>{v}</{n}>" for n, v in zip(names, sides, strict=True)) + "</bndbox>"


def voc(image: str, objects: str = "", head: str = "") -> str:
    return f"{head}<annotation><filename>{image}</filename>{objects}</annotation>"


def test_voc(tmp_path: Path) -> None:
    pictures(tmp_path / "JPEGImages", *(f"{n}.jpg" for n in range(6)))
    box = f"<object><name>pit</name>{bndbox(*BOX)}</object>"
    for n, text in enumerate((voc("0.jpg", box), voc("1.jpg"), voc("2.jpg", box), voc("3.jpg", "<object/>"))):
        write(tmp_path / "Annotations" / f"{n}.xml", text)
    write(tmp_path / "Annotations" / "4.xml", voc("4.jpg", box, '<!DOCTYPE a [<!ENTITY x "y">]>'))
    write(tmp_path / "ImageSets" / "Main" / "train.txt", "0\n1\n")
    write(tmp_path / "ImageSets" / "Main" / "val.txt", "2 1\n")
    write(tmp_path / "ImageSets" / "Main" / "test.txt", "3\n")
    mask = Image.fromarray(filled(0, 0, 32, 24).astype(np.uint8))
    mask.putpalette([0, 0, 0, 128, 0, 0] + [0] * 762)
    for folder in ("SegmentationClass", "SegmentationObject"):
        (tmp_path / folder).mkdir()
        mask.save(tmp_path / folder / "2.png")
    records, found = seen(tmp_path, "voc")
    assert [(r.label, r.split) for r in found.records] == [
        (DEFECT, "train"),
        (NORMAL, "train"),
        (DEFECT, "train"),
        (DEFECT, "test"),
    ]
    np.testing.assert_array_equal(mask_of(found, records["JPEGImages/0.jpg"]), filled())
    np.testing.assert_array_equal(mask_of(found, records["JPEGImages/2.jpg"]), filled(0, 0, 32, 24))
    assert records["JPEGImages/2.jpg"].defect_type == "pit"
    assert "boxed, not outlined" in told(found) and "val counts as training." in told(found)
    for part in ("has no box", "declares entities", "5.jpg", "masks of single objects"):
        assert part in problems(found)


# --- Label Studio ---------------------------------------------------------------------------------------------


def result(kind: str, value: dict[str, Any]) -> dict[str, Any]:
    sides = {"original_width": WIDTH, "original_height": HEIGHT, "image_rotation": 0}
    return {"type": kind, "value": {**value, kind: ["crack"]} if kind != "choices" else value, **sides}


def brush(mask: np.ndarray) -> list[int]:
    """rle-pack by its description: a run of up to 8 equal values at a time, or two values one by one."""
    values = np.repeat(mask.astype(int).ravel() * 255, 4)
    bits = f"{len(values):032b}" + f"{7:05b}" + "".join(f"{length - 1:04b}" for length in (1, 2, 3, 4))
    at = 0
    while at < len(values):
        same = 1
        while same < 8 and at + same < len(values) and values[at + same] == values[at]:
            same += 1
        if same == 1 and at + 1 < len(values):
            bits += "0" + "00" + "1" + f"{values[at]:08b}{values[at + 1]:08b}"
            at += 2
        else:
            bits += "1" + "10" + f"{same - 1:03b}" + f"{values[at]:08b}"
            at += same
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def test_label_studio(tmp_path: Path) -> None:
    box = {
        "x": 1000 / WIDTH,
        "y": 800 / HEIGHT,
        "width": 2000 / WIDTH,
        "height": 1200 / HEIGHT,
        "rotation": 0,
    }
    corners = [[x * 100 / WIDTH, y * 100 / HEIGHT] for x, y in ((10, 8), (30, 8), (30, 20), (10, 20))]
    turned = {
        "x": 3000 / WIDTH,
        "y": 800 / HEIGHT,
        "width": 1200 / WIDTH,
        "height": 2000 / HEIGHT,
        "rotation": 90,
    }
    oval = {"x": 2000 / WIDTH, "y": 2000 / HEIGHT, "radiusX": 1000 / WIDTH, "radiusY": 500 / HEIGHT}
    cut = {"format": "rle", "rle": brush(filled())[:20]}
    results: list[tuple[str, list[dict[str, Any]]]] = [
        ("/data/upload/1/ab12cd34-0.png", [result("rectanglelabels", box)]),
        ("/data/local-files/?d=pictures/1.png", [result("polygonlabels", {"points": corners})]),
        ("https://host/bucket/2%2Epng", [result("rectanglelabels", turned)]),
        ("0a0a0a0a-3.png", [result("brushlabels", {"format": "rle", "rle": brush(filled())})]),
        ("4.png", [result("ellipselabels", oval)]),
        ("5.png", [result("brushlabels", cut)]),
        ("6.png", [result("keypointlabels", {"x": 1, "y": 1, "width": 1})]),
        ("7.png", []),
        ("8.png", [result("choices", {"choices": ["NG"]})]),
        ("9.png", [result("choices", {"choices": ["later"]})]),
        ("gone.png", []),
    ]
    tasks: list[dict[str, Any]] = [
        {"id": n, "data": {"image": name, "part": "x"}, "annotations": [{"result": r}]}
        for n, (name, r) in enumerate(results)
    ]
    tasks.append({"id": 90, "data": {"image": "10.png"}, "annotations": []})
    tasks.append(
        {"id": 91, "data": {"image": "11.png"}, "annotations": [{"result": [], "was_cancelled": True}]}
    )
    pictures(tmp_path, *(f"pictures/{n}.png" for n in range(12)))
    write(tmp_path / "project-1.json", tasks)
    records, found = seen(tmp_path, "label_studio")
    assert [r.label for r in found.records] == [*[DEFECT] * 7, NORMAL, DEFECT]
    for n in range(4):
        np.testing.assert_array_equal(mask_of(found, records[f"pictures/{n}.png"]), filled(), err_msg=str(n))
    oval_mask = mask_of(found, records["pictures/4.png"])
    assert oval_mask[20, 11:29].all() and oval_mask[16:24, 20].all() and not oval_mask[16, 12]
    assert abs(oval_mask.sum() - np.pi * 10 * 5) < 8
    for part in ("(brushlabels) that cannot be read", "is not supported (keypointlabels)", "gone.png"):
        assert part in problems(found)
    for part in ('the choice "later"', "Label Studio tasks without an annotation"):
        assert part in problems(found)


def test_label_studio_min(tmp_path: Path) -> None:
    corners = [[x * 100 / WIDTH, y * 100 / HEIGHT] for x, y in ((10, 8), (30, 8), (30, 20), (10, 20))]
    item = {"points": corners, "polygonlabels": ["crack"], "original_width": WIDTH, "original_height": HEIGHT}
    tasks = [
        {"image": "/data/upload/ab12cd34-0.png", "id": 1, "label": [item], "annotator": 1},
        {"image": "/data/upload/ab12cd34-1.png", "id": 2, "annotator": 1},
        {"image": "/data/upload/ab12cd34-2.png", "id": 3},
    ]
    pictures(tmp_path, "0.png", "1.png", "2.png")
    write(tmp_path / "min.json", tasks)
    records, found = seen(tmp_path, "label_studio")
    assert {n: r.label for n, r in records.items()} == {"0.png": DEFECT, "1.png": NORMAL}
    np.testing.assert_array_equal(mask_of(found, records["0.png"]), filled())


# --- all of them ----------------------------------------------------------------------------------------------


def test_what_wraps_a_data_set_and_json_of_other_kinds(tmp_path: Path) -> None:
    pictures(tmp_path / "export", "images/0.png", "images/1.png")
    write(
        tmp_path / "export" / "labels.json", coco(["0.png", "1.png"], [{"image_id": 0, "bbox": [1, 1, 5, 5]}])
    )
    records, _ = seen(tmp_path, "coco")
    assert list(records) == ["images/0.png", "images/1.png"]
    pictures(tmp_path / "plain", "good/0.png", "good/1.png", "bad/2.png")
    for name, content in (("a.json", {"images": 3, "shapes": 1}), ("b.json", [1, 2]), ("c.json", "{")):
        write(tmp_path / "plain" / name, content)
    seen(tmp_path / "plain", "folder")


def test_only_defects_cannot_be_imported(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png")
    write(tmp_path / "a.json", coco(["0.png"], [{"image_id": 0, "bbox": [1, 1, 5, 5]}]))
    _, found = seen(tmp_path, "coco")
    with pytest.raises(BadInput, match="no normal images"):
        require_normal(found, tmp_path)


def test_import_writes_the_masks(tmp_path: Path) -> None:
    from exdd_core.images import read_mask
    from exdd_core.workspace import Workspace

    source = tmp_path / "source"
    pictures(source, *(f"images/{n}.png" for n in range(10)))
    rows = [{"image_id": n, "segmentation": [[10, 8, 30, 8, 30, 20, 10, 20]]} for n in range(4)]
    rows += [{"image_id": 4, "segmentation": [[1, 1]]}]
    write(source / "annotations.json", coco([f"{n}.png" for n in range(10)], rows))
    workspace = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    info = import_dataset(workspace, source, name="parts")
    assert info.layout == "coco"
    rows_kept = workspace.images("parts")
    assert sum(row.label == DEFECT for row in rows_kept) == 5
    masks = [row.mask for row in rows_kept if row.mask is not None]
    assert len(masks) == 4
    for path in masks:
        np.testing.assert_array_equal(read_mask(path, (HEIGHT, WIDTH)), filled())
    assert not info.report["healthy"]
    assert info.report["masks"]["missing"] == ["images/4.png"]


def test_outlines_outside_of_the_image_mark_nothing_and_thin_ones_mark_something() -> None:
    def pixels(kind: str, *points: float) -> int:
        return int(draw([Outline(kind, points)], (HEIGHT, WIDTH), "x").sum())

    for box in ((-20, 5, -3, 9), (70, 5, 90, 9), (5, -20, 9, -3), (5, 50, 9, 60)):
        assert pixels("box", *box) == 0
    assert pixels("polygon", -9, -9, -3, -9, -3, -3) == pixels("disc", -9, -9, 3) == 0
    assert pixels("box", 5.2, 5.2, 5.3, 25) == 20
    assert pixels("polygon", 5, 5.1, 25, 5.2, 5, 5.3) >= 20
    assert pixels("polygon", -1e8, -1e8, 1e8, -1e8, 1e8, 1e8, -1e8, 1e8) == HEIGHT * WIDTH


@settings(max_examples=60)
@given(st.integers(1, 30), st.integers(1, 30), st.randoms(use_true_random=False))
def test_run_lengths_are_those_of_pycocotools(height: int, width: int, random: Any) -> None:
    share = random.random()
    mask = np.array([[random.random() < share for _ in range(width)] for _ in range(height)])
    outline = runs_of(mask)
    np.testing.assert_array_equal(draw([outline], (height, width), "x"), mask)
    packed = pycoco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    assert unpacked(packed) == outline.runs


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-90, 150), st.integers(-90, 150)), min_size=3, max_size=8, unique=True))
def test_polygons_are_clipped_at_the_border(points: list[tuple[int, int]]) -> None:
    """A polygon on a canvas that holds it all, cut out, is what the clipped one marks, but for its rim."""
    flat = tuple(float(value) for point in points for value in point)
    outline = Outline("polygon", flat)
    if fault(outline):
        return
    moved = Outline("polygon", tuple(value + 100 for value in flat))
    whole = draw([moved], (260, 260), "x")[100 : 100 + HEIGHT, 100 : 100 + WIDTH]
    clipped = draw([outline], (HEIGHT, WIDTH), "x")
    assert (whole != clipped).sum() <= 2 * (HEIGHT + WIDTH) * len(points) // 3


JUNK: tuple[Any, ...] = (
    None,
    True,
    -1,
    3,
    10**30,
    float("nan"),
    "",
    "x",
    "../..",
    [],
    [[]],
    [[1, 2]],
    {},
    {"a": 1},
)


def places(content: Any, at: tuple = ()) -> list[tuple]:
    """The path of every value in JSON."""
    inner = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    return [*([at] if at else []), *(place for key, value in inner for place in places(value, (*at, key)))]


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), st.sampled_from(["coco", "labelme", "label_studio"]))
def test_damaged_annotations_are_refused_in_a_sentence_or_read(random: Any, kind: str) -> None:
    """And no image of which an outline was damaged becomes a normal one because of that."""
    box = {"x": 9, "y": 9, "width": 20, "height": 20, "rotation": 4}
    strokes = result("brushlabels", {"format": "rle", "rle": brush(filled())[:60]})
    content: Any = {
        "coco": coco(
            ["0.png"], [{"image_id": 0, "bbox": [1, 1, 5, 5], "segmentation": [[1, 1, 9, 1, 9, 9]]}]
        ),
        "labelme": labelme("0.png", shape("rectangle", [[1, 1], [9, 9]]), shape("circle", [[9, 9], [9, 20]])),
        "label_studio": [
            {"data": {"image": "0.png"}, "annotations": [{"result": [result("rectanglelabels", box)]}]}
        ],
    }[kind]
    if kind == "label_studio":
        content[0]["annotations"][0]["result"] += [strokes]
    *way, last = random.choice(places(content))
    inner = content
    for key in way:
        inner = inner[key]
    inner[last] = random.choice(JUNK)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pictures(root, "0.png", "1.png")
        write(root / "0.json", content)
        try:
            _, found = look(root)
        except BadInput:
            return
        json.dumps(found.to_report())
        inside_an_outline = {"bbox", "segmentation", "points", "value", "shape_type", "type"} & {*way, last}
        for record in found.records:
            assert record.label == DEFECT or not (record.path == "0.png" and inside_an_outline)
            with suppress(BadInput):
                found.mask_of(record)


@settings(max_examples=80)
@given(st.text(alphabet="0123456789:;<=>?@PQRSTopn[]{} ", max_size=30))
def test_damaged_run_lengths_are_never_drawn(text: str) -> None:
    try:
        runs = unpacked(text)
    except ValueError:
        return
    outline = Outline("runs", (HEIGHT, WIDTH), runs=runs)
    assert fault(outline) or sum(map(int, runs.split())) == HEIGHT * WIDTH


# --- what tools leave to chance -------------------------------------------------------------------------------


def test_an_empty_line_in_a_list_of_classes_is_a_class(tmp_path: Path) -> None:
    """Tools count the lines, so a list without it would give every later class the name of the next one."""
    pictures(tmp_path / "images", "0.png", "1.png", "2.png")
    for number, cls in enumerate((2, 1, 1.5)):
        write(tmp_path / "labels" / f"{number}.txt", f"{cls} 0.5 0.5 0.2 0.2")
    write(tmp_path / "classes.txt", "scratch\r\n\r\ndent\r\n")
    records, found = seen(tmp_path, "yolo")
    assert [r.defect_type for r in found.records] == ["dent", "class 1", "defect"]
    assert (
        "a line that is not a class with its points" in problems(found) and not records["images/2.png"].mask
    )


def test_coco_categories_of_one_id_are_refused_and_unknown_ones_told(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png", "1.png")
    content = coco(["0.png", "1.png"], [{"image_id": 0, "bbox": [1, 1, 5, 5], "category_id": 7}])
    write(tmp_path / "a.json", content)
    _, found = seen(tmp_path, "coco")
    assert "a.json: 1 annotation is of no category that it lists" in problems(found)
    write(tmp_path / "a.json", {**content, "categories": [{"id": 7, "name": "a"}, {"id": 7, "name": "b"}]})
    with pytest.raises(BadInput, match="two categories the same id 7"):
        look(tmp_path)


@pytest.mark.parametrize("points", [[[1, 2, 3], [4, 5, 6]], [1, 2, 3, 4, 5, 6]])
def test_label_studio_points_are_not_taken_apart(tmp_path: Path, points: list) -> None:
    pictures(tmp_path, "0.png", "1.png")
    region = result("polygonlabels", {"points": points})
    write(tmp_path / "a.json", [{"data": {"image": "0.png"}, "annotations": [{"result": [region]}]}])
    _, found = seen(tmp_path, "label_studio")
    assert "that cannot be read" in problems(found) and not found.records[0].outlines


@pytest.mark.parametrize("corner", [[-3, 8], [50, 8], [10, 40]])
def test_labelme_mask_beyond_its_image_is_told(tmp_path: Path, corner: list[int]) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.ones((12, 20), np.uint8)).save(stream, "PNG")
    pictures(tmp_path, "0.png", "1.png")
    one = shape("mask", [[*corner], [99, 99]], mask=base64.b64encode(stream.getvalue()).decode())
    write(tmp_path / "0.json", labelme("0.png", one, imageWidth=WIDTH, imageHeight=HEIGHT))
    _, found = seen(tmp_path, "labelme")
    assert "a shape (mask) that cannot be read" in problems(found) and found.records[0].label == DEFECT


def exif_picture(path: Path, stored: np.ndarray, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(stored).save(path, exif=exif)


@pytest.mark.parametrize("orientation", [2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("told_size", [True, False])
@pytest.mark.parametrize("drawn_on", ["stored", "upright"])
def test_outlines_follow_the_rotation_of_their_image(
    tmp_path: Path, orientation: int, told_size: bool, drawn_on: str
) -> None:
    """By the stated size, or where that fits both ways, by the pixels."""
    noise = np.random.default_rng(0).integers(100, 120, (HEIGHT, WIDTH), dtype=np.uint8)
    stored = np.where(filled(40, 6, 60, 16), 250, noise).astype(np.uint8)
    exif_picture(tmp_path / "0.png", stored, orientation)
    exif_picture(tmp_path / "1.png", noise, orientation)
    upright = np.array(ImageOps.exif_transpose(Image.open(tmp_path / "0.png")))
    seen_on = stored if drawn_on == "stored" else upright
    rows, columns = np.nonzero(seen_on > 200)
    box = [int(columns.min()), int(rows.min()), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1]
    size = {"width": seen_on.shape[1], "height": seen_on.shape[0]} if told_size else {}
    write(tmp_path / "a.json", coco(["0.png", "1.png"], [{"image_id": 0, "bbox": box}], **size))
    _, found = seen(tmp_path, "coco")
    np.testing.assert_array_equal(mask_of(found, found.records[0]), upright > 200)
    assert ("not rotated like their images" in problems(found)) == (drawn_on == "stored")


def test_the_own_xml_of_cvat_is_named(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png", "1.png")
    write(
        tmp_path / "annotations.xml",
        '<?xml version="1.0"?>\n<annotations><version>1.1</version></annotations>',
    )
    with pytest.raises(
        BadInput, match=r"annotations\.xml is CVAT's own XML, which is not read; export it as COCO"
    ):
        require_normal(look(tmp_path)[1], tmp_path)
    for name in ("0.png", "1.png"):
        (tmp_path / "good").mkdir(exist_ok=True)
        (tmp_path / name).rename(tmp_path / "good" / name)
    assert "annotations.xml is CVAT's own XML" in problems(look(tmp_path)[1])


@pytest.mark.parametrize("degrees", [0, 30, 90, 360])
def test_boxes_that_cvat_has_turned_are_drawn_turned(tmp_path: Path, degrees: float) -> None:
    pictures(tmp_path / "coco", "0.png", "1.png")
    row = {"image_id": 0, "segmentation": [], "bbox": [10, 8, 20, 12], "attributes": {"rotation": degrees}}
    write(tmp_path / "coco" / "a.json", coco(["0.png", "1.png"], [row]))
    pictures(tmp_path / "voc", "0.png", "1.png")
    told = f"<attributes><attribute><name>rotation</name><value>{degrees}</value></attribute></attributes>"
    write(tmp_path / "voc" / "0.xml", voc("0.png", f"<object><name>pit</name>{bndbox(*BOX)}{told}</object>"))
    write(tmp_path / "voc" / "1.xml", voc("1.png"))
    y, x = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    turn = np.deg2rad(degrees)  # clockwise on the screen, where y grows downwards
    along, aside = (
        np.cos(turn) * (x - 20) + np.sin(turn) * (y - 14),
        np.cos(turn) * (y - 14) - np.sin(turn) * (x - 20),
    )
    wanted = (np.abs(along) < 10) & (np.abs(aside) < 6)
    for kind in ("coco", "voc"):
        records, found = seen(tmp_path / kind, kind)
        assert (mask_of(found, records["0.png"]) != wanted).mean() < (0.01 if degrees % 90 else 1e-9)


def test_the_masks_of_cvat_need_no_other_file(tmp_path: Path) -> None:
    pictures(tmp_path / "JPEGImages", "0.png", "1.png", "2.png")
    for number in range(3):
        colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        colours[filled()] = (250, 50, 83) if number == 0 else 0
        for folder in ("SegmentationClass", "SegmentationObject"):
            (tmp_path / folder).mkdir(exist_ok=True)
            Image.fromarray(colours).save(tmp_path / folder / f"{number}.png")
    write(tmp_path / "labelmap.txt", "background:0,0,0::\nscratch:250,50,83::\n")
    records, found = seen(tmp_path, "voc")
    assert [record.label for record in found.records] == [DEFECT, NORMAL, NORMAL]
    np.testing.assert_array_equal(mask_of(found, records["JPEGImages/0.png"]), filled())
    assert "No annotation marks anything" not in problems(found)


FOREIGN = {
    "Supervisely": ("ann/0.png.json", {"size": {"height": 48, "width": 64}, "objects": []}),
    "VIA": ("via.json", {"0.png1": {"filename": "0.png", "size": 1, "regions": [], "file_attributes": {}}}),
    "Labelbox": ("export.ndjson", {"data_row": {"id": "a", "external_id": "0.png"}, "projects": {}}),
    "Datumaro": ("annotations/default.json", {"info": {}, "items": [{"id": "0", "annotations": []}]}),
}


@pytest.mark.parametrize("tool", FOREIGN)
def test_annotations_of_other_tools_are_named(tmp_path: Path, tool: str) -> None:
    name, content = FOREIGN[tool]
    pictures(tmp_path / "images", "0.png", "1.png")
    write(tmp_path / name, content)
    sentence = f"{name}: annotations of {tool}, which are not read; export them as COCO JSON."
    with pytest.raises(BadInput, match=re.escape(sentence)):
        require_normal(look(tmp_path)[1], tmp_path)
    pictures(tmp_path, "good/0.png", "good/1.png", "defect/2.png")
    assert sentence in problems(look(tmp_path)[1])


def test_files_that_may_hold_labels_are_named(tmp_path: Path) -> None:
    pictures(tmp_path, "images/0.png", "images/1.png")
    write(tmp_path / "metadata.jsonl", '{"file_name": "0.png", "label": 1}')
    write(tmp_path / "train.csv", "ImageId,ClassId\n0.png,1\n")
    with pytest.raises(
        BadInput, match=r"metadata\.jsonl, train\.csv: labels are not read from tables; sort the"
    ):
        require_normal(look(tmp_path)[1], tmp_path)
    pictures(tmp_path, "good/0.png", "good/1.png", "bad/2.png")
    write(tmp_path / "bad" / "2.json", {"info": {"description": "ISAT"}, "objects": []})
    write(tmp_path / "settings.json", {"gain": 2})
    assert "bad/2.json: named as images and of a kind that is not read" in problems(look(tmp_path)[1])
    assert "settings.json" not in problems(look(tmp_path)[1])


def test_labels_that_may_be_of_normal_parts_are_named(tmp_path: Path) -> None:
    pictures(tmp_path, *(f"{n}.png" for n in range(5)))
    rows = [{"image_id": n, "category_id": n, "bbox": [10, 8, 20, 12]} for n in range(4)]
    labels = ("Good Weld", "bad weld", "fine crack", "not ok, bad")
    categories = [{"id": n, "name": label} for n, label in enumerate(labels)]
    write(tmp_path / "a.json", coco([f"{n}.png" for n in range(5)], rows) | {"categories": categories})
    records, found = seen(tmp_path, "coco")
    assert [record.label for record in found.records] == [*[DEFECT] * 4, NORMAL]
    said = [line for line in found.to_report()["problems"] if "name the label good" in line]
    assert said == [
        '1 outline is labelled "Good Weld": counted as a defect; if it is none, name the label good.'
    ]


def test_images_of_cvat_lie_in_the_folder_of_their_side(tmp_path: Path) -> None:
    for side, place in (("train", BOX), ("val", (40, 30, 50, 40))):
        pictures(tmp_path, f"images/{side}/0.png", f"images/{side}/1.png")
        left, top, right, bottom = place
        row = {"image_id": 0, "bbox": [left, top, right - left, bottom - top]}
        write(tmp_path / f"annotations/instances_{side}.json", coco(["0.png", "1.png"], [row]))
    records, found = seen(tmp_path, "coco")
    np.testing.assert_array_equal(mask_of(found, records["images/train/0.png"]), filled())
    np.testing.assert_array_equal(mask_of(found, records["images/val/0.png"]), filled(40, 30, 50, 40))
    assert [record.label for record in found.records] == [DEFECT, NORMAL] * 2


def test_a_file_that_almost_looks_like_datumaro_is_searched_once(tmp_path: Path) -> None:
    file = tmp_path / "items.json"
    started, seconds = '"items":[{"id":', []
    for times in (1_000, 16_000):
        file.write_text("{" + started * times)
        begin = time.process_time()
        assert json_format(file) == ""
        seconds.append(time.process_time() - begin)
    assert seconds[1] < 64 * max(seconds[0], 0.005)  # 256 times where each beginning is searched to the end
    file.write_text("{" + started + ' 1, "annotations": []}]}')
    assert json_format(file) == "Datumaro"


def test_a_panoptic_file_is_refused(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png", "1.png")
    rows = [{"image_id": n, "segments_info": []} for n in range(2)]
    write(tmp_path / "a.json", coco(["0.png", "1.png"], rows))
    with pytest.raises(BadInput, match=r"a\.json is a panoptic COCO file, which is not read"):
        look(tmp_path)


def test_a_name_that_is_null_and_a_run_of_half_a_pixel(tmp_path: Path) -> None:
    """Neither becomes the type "None", nor is the run cut to whole pixels in silence."""
    pictures(tmp_path / "images", "0.png", "1.png")
    runs = {"size": [HEIGHT, WIDTH], "counts": [10.5, HEIGHT * WIDTH - 10]}
    content = coco(["0.png", "1.png"], [{"image_id": 0, "segmentation": runs}])
    write(tmp_path / "a.json", {**content, "categories": [{"id": 1, "name": None}]})
    records, found = seen(tmp_path, "coco")
    assert "has a segmentation that cannot be read" in problems(found) and not found.records[0].outlines
    assert found.records[0].defect_type == "defect"
    (tmp_path / "a.json").unlink()
    write(tmp_path / "labels" / "0.txt", "0 0.5 0.5 0.2 0.2")
    write(tmp_path / "data.yaml", "names: [null]")
    assert seen(tmp_path, "yolo")[0]["images/0.png"].defect_type == "class 0"


def test_a_circle_beyond_its_image_is_told(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png", "1.png")
    size = {"imageWidth": WIDTH, "imageHeight": HEIGHT}
    write(tmp_path / "0.json", labelme("0.png", shape("circle", [[0, 0], [10, 0]]), **size))
    assert "extends beyond the image: clipped" in told(seen(tmp_path, "labelme")[1])


@pytest.mark.parametrize("track", [0, 1, 2, 17])
def test_yolo_boxes_with_a_confidence_and_a_track_are_boxes(tmp_path: Path, track: int) -> None:
    pictures(tmp_path / "images", "0.png", "1.png")
    box = "0 0.3125 0.2916666667 0.3125 0.25"
    write(tmp_path / "labels" / "0.txt", f"{box} 0.91 {track}\n")
    write(tmp_path / "labels" / "1.txt", "")
    records, found = seen(tmp_path, "yolo")
    np.testing.assert_array_equal(mask_of(found, records["images/0.png"]), filled())
    assert "7 numbers are boxes" in told(found)


@pytest.mark.parametrize(
    "others",
    [
        "0 0.2 0.2 0.6 0.2 0.4 0.7",  # another triangle does not end with a whole number
        "0 0.9 0.2 0.6 0.2 0.4 1",  # as a box it would lie beyond the image
    ],
)
def test_yolo_triangles_at_the_border_stay_triangles(tmp_path: Path, others: str) -> None:
    pictures(tmp_path / "images", "0.png", "1.png", "2.png")
    write(tmp_path / "labels" / "0.txt", "0 0.5 0.5 0.25 0.25 0.75 1")
    write(tmp_path / "labels" / "1.txt", "")
    write(tmp_path / "labels" / "2.txt", others)
    records, found = seen(tmp_path, "yolo")
    assert records["images/0.png"].outlines[0].kind == "polygon"
    assert "7 numbers" not in told(found)


def boxed(*sides: int) -> str:
    return f"<object><name>pit</name>{bndbox(*sides)}</object>"


def test_a_box_beyond_an_image_whose_size_no_file_states_is_told(tmp_path: Path) -> None:
    pictures(tmp_path, "0.png", "1.png", "2.png")
    write(tmp_path / "0.xml", voc("0.png", boxed(-9, 8, 30, 20)))
    write(tmp_path / "1.xml", voc("1.png"))
    write(tmp_path / "2.xml", voc("2.png", boxed(*BOX)))
    records, found = seen(tmp_path, "voc")
    np.testing.assert_array_equal(mask_of(found, records["0.png"]), filled(left=0))
    assert "Outlines beyond the image: clipped in 1 image (0.png)." in told(found)


def test_outlines_outside_of_their_image_are_told_with_their_annotation_file(tmp_path: Path) -> None:
    from exdd_core.workspace import Workspace

    source = tmp_path / "source"
    pictures(source, *(f"{number}.png" for number in range(6)))
    write(source / "0.xml", voc("0.png", boxed(100, 8, 130, 20)))
    for number in range(1, 6):
        write(source / f"{number}.xml", voc(f"{number}.png"))
    info = import_dataset(Workspace.create(tmp_path / "work", backbone="efficientnet_lite0"), source)
    assert info.report["masks"]["empty"] == []
    assert [fault["path"] for fault in info.report["masks"]["unreadable"]] == ["0.png"]
    assert "correct its annotation file" in info.report["masks"]["unreadable"][0]["reason"]
    assert any("annotation file" in line for line in problems_of(info.report, None))
