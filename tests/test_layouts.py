"""Layouts of public data sets are read as their authors mean them: labels, types, masks, splits and parts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from exdd_core.datasets import DEFECT, NORMAL, Choices, Survey, look
from exdd_core.datasets.mvtec import POINTS
from exdd_core.errors import BadInput
from tests.layouts import gif, labels, left_out, mask, picture, rows


def area(found: Survey, path: str) -> int:
    """How many pixels the mask of an image marks."""
    marked = found.mask_of(rows(found)[path])
    assert marked is not None
    return int(marked.sum())


# --- VisA -------------------------------------------------------------------------------------------------


def make_visa(root: Path, category: str = "candle", normal: int = 6, anomalous: int = 4) -> Path:
    folder = root / category
    lines = ["image,label,mask"]
    for n in range(normal):
        picture(folder / f"Data/Images/Normal/{n:04d}.JPG")
        lines.append(f"{category}/Data/Images/Normal/{n:04d}.JPG,normal,")
    for n in range(anomalous):
        picture(folder / f"Data/Images/Anomaly/{n:03d}.JPG")
        mask(folder / f"Data/Masks/Anomaly/{n:03d}.png", value=1 + n % 3)
        kind = '"chunk of wax missing,foreign particals"' if n == 0 else "spot"
        lines.append(
            f"{category}/Data/Images/Anomaly/{n:03d}.JPG,{kind},{category}/Data/Masks/Anomaly/{n:03d}.png"
        )
    (folder / "image_anno.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_visa_takes_types_from_its_table_and_labels_of_masks(tmp_path: Path) -> None:
    name, found = look(make_visa(tmp_path))
    assert name == "visa"
    assert labels(found) == {
        (NORMAL, ""): 6,
        (DEFECT, "spot"): 3,
        (DEFECT, "chunk of wax missing, foreign particals"): 1,
    }
    assert [area(found, f"Data/Images/Anomaly/{n:03d}.JPG") for n in range(4)] == [36] * 4
    assert not found.left_out and not found.questions
    assert Counter(r.split for r in found.records) == {"train": 6, "test": 4}
    assert "There is no split_csv/1cls.csv next to candle/" in found.notes[0]


@pytest.mark.parametrize("separator", [",", ";"])
def test_visa_keeps_the_official_split(tmp_path: Path, separator: str) -> None:
    folder = make_visa(tmp_path)
    make_visa(tmp_path, "cashew")  # its file names are the same, its sides are not
    lines = ["object,split,label,image,mask"]
    for n in range(6):
        side = "test" if n >= 4 else "train"
        lines.append(f"candle,{side},normal,candle/Data/Images/Normal/{n:04d}.JPG,")
        lines.append(f"cashew,train,normal,cashew/Data/Images/Normal/{n:04d}.JPG,")
    for n in range(4):
        image = f"candle/Data/Images/Anomaly/{n:03d}.JPG"
        lines.append(f"candle,test,anomaly,{image},candle/Data/Masks/Anomaly/{n:03d}.png")
    (tmp_path / "split_csv").mkdir()
    (tmp_path / "split_csv/1cls.csv").write_text("\n".join(lines).replace(",", separator))
    _, found = look(folder)
    assert found.notes == ["The split is taken from split_csv/1cls.csv."]
    assert Counter((r.label, r.split) for r in found.records) == {
        (NORMAL, "train"): 4,
        (NORMAL, "test"): 2,
        (DEFECT, "test"): 4,
    }
    with pytest.raises(
        BadInput, match=r"2 categories of VisA \(candle, cashew\); choose one, such as .*candle"
    ):
        look(tmp_path)


def test_visa_names_what_its_table_contradicts_or_lacks(tmp_path: Path) -> None:
    folder = make_visa(tmp_path)
    table = folder / "image_anno.csv"
    text = table.read_text().replace(
        "Anomaly/001.JPG,spot,candle/Data/Masks/Anomaly/001.png", "Anomaly/001.JPG,normal,"
    )
    table.write_text(text + "candle/Data/Images/Normal/9999.JPG,normal,\n")
    picture(folder / "Data/Images/Other/1.JPG")
    picture(folder / "preview.png")
    _, found = look(folder)
    left = left_out(found)
    assert "contradict each other" in left["Data/Images/Anomaly/001.JPG"]
    assert left["Data/Masks/Anomaly/001.png"] == "masks of images that are left out"
    assert "neither in Normal/ nor in Anomaly/" in left["Data/Images/Other/1.JPG"]
    assert set(left) - set(rows(found)) >= {"preview.png"} and len(left) == 4
    assert "Rows of image_anno.csv whose image does not exist: 1." in found.notes


def test_the_images_of_visa_alone_keep_their_anomalies(tmp_path: Path) -> None:
    name, found = look(make_visa(tmp_path) / "Data/Images")
    assert name == "folder"
    assert labels(found) == {(NORMAL, ""): 6, (DEFECT, "defect"): 4}


# --- Real-IAD -----------------------------------------------------------------------------------------------


def make_real_iad(root: Path, name: str = "audiojack") -> Path:
    """Two good parts of 3 views, two bad ones of which the third view does not show the defect."""
    folder = root / name
    for part in range(2):
        for view in range(1, 4):
            picture(folder / f"OK/S{part:04d}/{name}_{part:04d}_OK_C{view}_x.jpg")
            bad = folder / f"NG/HS/S{part:04d}/{name}_{part:04d}_NG_HS_C{view}_x.jpg"
            picture(bad)
            if view < 3:
                mask(bad.with_suffix(".png"))
    return folder


def write_split(file: Path, folder: Path, test_parts: tuple[str, ...], torn: str = "") -> None:
    sides: dict[str, list[dict[str, str | None]]] = {"train": [], "test": []}
    for image in sorted(folder.rglob("*.jpg")):
        path = image.relative_to(folder).as_posix()
        marked = image.with_suffix(".png").is_file()
        side = "test" if path.rpartition("/")[0] in test_parts else "train"
        side = "test" if torn and path.startswith(torn) and "C1" in path else side
        sides[side].append(
            {
                "category": folder.name,
                "anomaly_class": "HS" if marked else "OK",
                "image_path": path,
                "mask_path": path.replace(".jpg", ".png") if marked else None,
            }
        )
    file.parent.mkdir(parents=True, exist_ok=True)
    meta = {"prefix": f"{folder.name}/", "normal_class": "OK", "pre_transform": None}
    file.write_text(json.dumps({"meta": meta, **sides}))


@pytest.mark.parametrize(
    "place", ["realiad_jsons", "realiad_1024", "realiad_1024/audiojack", "realiad_jsons/realiad_jsons"]
)
def test_real_iad_follows_its_json_file(tmp_path: Path, place: str) -> None:
    folder = make_real_iad(tmp_path / "realiad_1024")
    write_split(tmp_path / place / "audiojack.json", folder, ("OK/S0001", "NG/HS/S0000", "NG/HS/S0001"))
    name, found = look(folder)
    assert name == "real_iad"
    assert labels(found) == {(NORMAL, ""): 8, (DEFECT, "HS"): 4}
    assert {r.group: r.split for r in found.records} == {
        "OK/S0000": "train",
        "OK/S0001": "test",
        "NG/HS/S0000": "test",
        "NG/HS/S0001": "test",
    }
    assert all(r.mask for r in found.records if r.label == DEFECT)
    assert found.notes == ["The split is taken from audiojack.json."] and not found.left_out


def test_real_iad_never_tears_a_part(tmp_path: Path) -> None:
    folder = make_real_iad(tmp_path)
    write_split(tmp_path / "realiad_jsons/audiojack.json", folder, ("NG/HS/S0000",), torn="OK/S0001")
    _, found = look(folder)
    assert {r.split for r in found.records if r.group == "OK/S0001"} == {"test"}
    assert any("views of 1 part on both sides of the split (OK/S0001)" in note for note in found.notes)


def test_real_iad_without_its_json_file_leaves_out_what_nobody_knows(tmp_path: Path) -> None:
    folder = make_real_iad(tmp_path)
    _, found = look(folder)
    assert labels(found) == {(NORMAL, ""): 6, (DEFECT, "HS"): 4}
    left = left_out(found)
    assert set(left) == {f"NG/HS/S000{n}/audiojack_000{n}_NG_HS_C3_x.jpg" for n in range(2)}
    assert all("may or may not show the defect" in why for why in left.values())
    assert "no audiojack.json" in found.notes[0]
    sides = {(r.group, r.split) for r in found.records}
    assert len(sides) == 4
    for png in folder.rglob("*.png"):
        png.unlink()
    _, found = look(folder)
    assert labels(found) == {(NORMAL, ""): 6, (DEFECT, "HS"): 6} and not found.left_out


def test_real_iad_of_several_objects_and_a_wrong_json_file(tmp_path: Path) -> None:
    folder = make_real_iad(tmp_path / "realiad_256")
    make_real_iad(tmp_path / "realiad_256", "toy")
    (tmp_path / "realiad_jsons").mkdir()
    with pytest.raises(BadInput, match=r"2 categories of Real-IAD \(.*audiojack, .*toy\); choose one"):
        look(tmp_path)
    (tmp_path / "realiad_jsons/audiojack.json").write_text('{"train": [{"file": "a"}]}')
    with pytest.raises(BadInput, match=r"audiojack\.json does not have the format that the authors"):
        look(folder)


def test_real_iad_names_a_mask_without_its_image(tmp_path: Path) -> None:
    folder = make_real_iad(tmp_path)
    (folder / "NG/HS/S0000/audiojack_0000_NG_HS_C1_x.jpg").unlink()
    _, found = look(folder)
    assert (
        left_out(found)["NG/HS/S0000/audiojack_0000_NG_HS_C1_x.png"]
        == "masks whose name and folders match no image"
    )


# --- DAGM 2007 ------------------------------------------------------------------------------------------------


def make_dagm(root: Path, name: str = "Class1") -> Path:
    folder = root / name
    for side in ("Train", "Test"):
        for n in range(1, 6):
            picture(folder / side / f"{n:04d}.PNG")
        mask(folder / side / "Label/0002_label.PNG")
    return folder


def test_dagm(tmp_path: Path) -> None:
    folder = make_dagm(tmp_path)
    mask(folder / "Test/Label/0077_label.PNG")  # its image is missing
    name, found = look(folder)
    assert name == "dagm"
    assert Counter((r.label, r.split) for r in found.records) == {
        (NORMAL, "train"): 4,
        (NORMAL, "test"): 4,
        (DEFECT, "train"): 1,
        (DEFECT, "test"): 1,
    }
    assert rows(found)["Test/0002.PNG"].mask == "Test/Label/0002_label.PNG"
    assert left_out(found) == {"Test/Label/0077_label.PNG": "masks whose name and folders match no image"}
    assert [note.split(":")[0] for note in found.notes][0] == "Images without a label file are normal"
    assert "ellipses" in found.notes[1]
    make_dagm(tmp_path, "Class2")
    with pytest.raises(BadInput, match=r"2 categories of DAGM 2007 \(Class1, Class2\); choose one"):
        look(tmp_path)


def test_dagm_knows_from_labels_txt_that_a_label_file_is_missing(tmp_path: Path) -> None:
    folder = make_dagm(tmp_path)
    (folder / "Train/Label/Labels.txt").write_text(
        "1\n1\t0\t0001.PNG\t0\t0\n2\t1\t0002.PNG\t0\t0002_label.PNG\n3\t1\t0003.PNG\t0\t0003_label.PNG\n"
    )
    _, found = look(folder)
    assert rows(found)["Train/0003.PNG"].label == DEFECT and rows(found)["Train/0003.PNG"].mask is None
    assert rows(found)["Test/0003.PNG"].label == NORMAL
    assert labels(found)[DEFECT, "defect"] == 3


# --- MVTec AD and its kin -------------------------------------------------------------------------------------


def make_mvtec(
    root: Path, good: str = "good", bad: str = "crack", suffix: str = ".png", ending: str = "_mask"
) -> Path:
    for n in range(3):
        picture(root / f"train/{good}/{n:03d}{suffix}")
        picture(root / f"test/{good}/{n:03d}{suffix}")
        picture(root / f"test/{bad}/{n:03d}{suffix}")
        mask(root / f"ground_truth/{bad}/{n:03d}{ending}.png")
    return root


@pytest.mark.parametrize(
    ("good", "bad", "suffix", "ending"),
    [
        ("good", "crack", ".png", "_mask"),
        ("Good", "crack", ".png", "_mask"),
        ("ok", "ko", ".bmp", ""),
        ("GOOD", "bad", ".JPG", ""),
    ],
)
def test_mvtec_and_its_kin(tmp_path: Path, good: str, bad: str, suffix: str, ending: str) -> None:
    folder = make_mvtec(tmp_path / "01", good, bad, suffix, ending)
    for root in (folder, tmp_path):  # a single category is found below its wrapping
        name, found = look(root)
        assert name == "mvtec"
        assert labels(found) == {(NORMAL, ""): 6, (DEFECT, bad): 3}
        assert [area(found, f"test/{bad}/{n:03d}{suffix}") for n in range(3)] == [36] * 3
        assert not found.left_out and not found.questions
    make_mvtec(tmp_path / "02", good, bad, suffix, ending)
    with pytest.raises(BadInput, match=r"2 categories of MVTec AD \(01, 02\)"):
        look(tmp_path)


def test_sides_of_another_case_keep_their_masks(tmp_path: Path) -> None:
    for n in range(3):
        picture(tmp_path / f"Train/Good/{n}.png")
        picture(tmp_path / f"Test/Crack/{n}.png")
        mask(tmp_path / f"Ground_Truth/crack/{n}_Mask.PNG")
    name, found = look(tmp_path)
    assert name == "mvtec" and labels(found) == {(NORMAL, ""): 3, (DEFECT, "Crack"): 3}
    assert all(r.mask for r in found.records if r.label == DEFECT)


def test_loco_unites_the_masks_of_an_image_and_trains_on_its_validation_side(tmp_path: Path) -> None:
    for n in range(3):
        picture(tmp_path / f"train/good/{n:03d}.png")
        picture(tmp_path / f"validation/good/{n:03d}.png")
        picture(tmp_path / f"test/good/{n:03d}.png")
        for kind in ("logical_anomalies", "structural_anomalies"):
            picture(tmp_path / f"test/{kind}/{n:03d}.png")
            for m in range(n + 1):
                mask(tmp_path / f"ground_truth/{kind}/{n:03d}/{m:03d}.png", left=2 + 8 * m)
    (tmp_path / "defects_config.json").write_text(
        json.dumps([{"defect_name": "missing", "pixel_value": 255}])
    )
    name, found = look(tmp_path)
    assert name == "mvtec"
    assert Counter((r.label, r.split) for r in found.records) == {
        (NORMAL, "train"): 6,
        (NORMAL, "test"): 3,
        (DEFECT, "test"): 6,
    }
    for kind in ("logical_anomalies", "structural_anomalies"):
        assert [area(found, f"test/{kind}/{n:03d}.png") for n in range(3)] == [36, 72, 108]
    assert found.notes == ["validation/ counts as training."] and not found.left_out


def test_of_3d_ad_the_pictures_are_read_and_the_points_named(tmp_path: Path) -> None:
    for place in ("train/good", "validation/good", "test/good", "test/crack"):
        for n in range(2):
            picture(tmp_path / f"{place}/rgb/{n:03d}.png")
            picture(tmp_path / f"{place}/xyz/{n:03d}.tiff")
            if place == "test/crack":
                mask(tmp_path / f"{place}/gt/{n:03d}.png")
    name, found = look(tmp_path)
    assert name == "mvtec"
    assert labels(found) == {(NORMAL, ""): 6, (DEFECT, "crack"): 2}
    assert [area(found, f"test/crack/rgb/{n:03d}.png") for n in range(2)] == [36, 36]
    assert {left.reason for left in found.left_out} == {POINTS} and len(found.left_out) == 4


def test_ad2_names_the_sides_whose_labels_are_not_published(tmp_path: Path) -> None:
    for n in range(2):
        for place in ("train/good", "validation/good", "test_public/good", "test_public/bad"):
            picture(tmp_path / f"{place}/{n:03d}_regular.png")
        mask(tmp_path / f"test_public/ground_truth/bad/{n:03d}_regular_mask.png")
        picture(tmp_path / f"test_private/{n:03d}_regular.png")
        picture(tmp_path / f"test_private_mixed/{n:03d}_mixed.png")
    name, found = look(tmp_path)
    assert name == "mvtec"
    assert labels(found) == {(NORMAL, ""): 6, (DEFECT, "bad"): 2}
    assert all(area(found, r.path) == 36 for r in found.records if r.label == DEFECT)
    left = left_out(found)
    assert len(left) == 4 and all("do not publish the labels" in why for why in left.values())


def test_mvtec_asks_for_folders_that_may_be_no_type_of_defect(tmp_path: Path) -> None:
    make_mvtec(tmp_path)
    picture(tmp_path / "test/no_defects_seen/1.png")
    picture(tmp_path / "train/unlabeled/1.png")
    picture(tmp_path / "test/7.png")
    picture(tmp_path / "extra/8.png")
    name, found = look(tmp_path)
    assert name == "mvtec"
    assert {(q.folder, q.guess) for q in found.questions} == {
        ("test/no_defects_seen", NORMAL),
        ("train/unlabeled", ""),
        ("test", ""),
    }
    assert set(left_out(found)) == {
        "test/no_defects_seen/1.png",
        "train/unlabeled/1.png",
        "test/7.png",
        "extra/8.png",
    }
    assert labels(found) == {(NORMAL, ""): 6, (DEFECT, "crack"): 3}
    answers = {
        "test/no_defects_seen": "normal",
        "train/unlabeled": "none",
        "test": "defect",
        "extra": "normal",
    }
    name, found = look(tmp_path, Choices(roles=answers))
    assert name == "mvtec" and not found.questions
    assert labels(found) == {(NORMAL, ""): 8, (DEFECT, "crack"): 3, (DEFECT, "defect"): 1}
    assert left_out(found) == {"train/unlabeled/1.png": "as you chose"}
    assert rows(found)["extra/8.png"].split == "train" and "extra/ counts as training." in found.notes


def test_masks_of_good_test_images_are_none_of_training_images(tmp_path: Path) -> None:
    make_mvtec(tmp_path)
    mask(tmp_path / "ground_truth/good/001_mask.png", value=0)
    _, found = look(tmp_path)
    assert not found.left_out and not found.masks_of_normal
    mask(tmp_path / "ground_truth/good/002_mask.png")
    assert look(tmp_path)[1].masks_of_normal == ["test/good/002.png"]


def test_mvtec_names_masks_of_pictures_that_are_not_read(tmp_path: Path) -> None:
    make_mvtec(tmp_path)
    (tmp_path / "test/crack/001.png").unlink()
    gif(tmp_path / "test/crack/001.gif")
    _, found = look(tmp_path)
    assert left_out(found)["ground_truth/crack/001_mask.png"] == "masks of images that are left out"
    assert "GIF images are not supported" in left_out(found)["test/crack/001.gif"]
    assert not found.masks_of_normal


# --- layouts of single files -----------------------------------------------------------------------------------


def test_masks_of_pictures_that_are_not_read_are_named_everywhere(tmp_path: Path) -> None:
    for n in range(12):
        picture(tmp_path / f"ksdd2/train/{n}.png")
        mask(tmp_path / f"ksdd2/train/{n}_GT.png", value=255 * (n % 2))
        picture(tmp_path / f"kolektor/kos{n:02d}/Part0.jpg")
        mask(tmp_path / f"kolektor/kos{n:02d}/Part0_label.bmp", value=255 * (n % 2))
    picture(tmp_path / "ksdd2/test/20.png")
    mask(tmp_path / "ksdd2/test/20_GT.png")
    gif(tmp_path / "ksdd2/test/21.gif")
    mask(tmp_path / "ksdd2/test/21_GT.png")
    gif(tmp_path / "kolektor/kos03/Part1.gif")
    mask(tmp_path / "kolektor/kos03/Part1_label.bmp")
    for name, unread, marked in (
        ("ksdd2", "test/21.gif", "test/21_GT.png"),
        ("kolektor", "kos03/Part1.gif", "kos03/Part1_label.bmp"),
    ):
        found = look(tmp_path / name)[1]
        left = left_out(found)
        assert set(left) == {unread, marked} and left[marked] == "masks of images that are left out"
        assert Counter(r.label for r in found.records)[NORMAL] == 6
