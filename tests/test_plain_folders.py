"""Plain folders: what names surely say is done, what they do not is asked, and nothing is lost without a word."""

from __future__ import annotations

import os
import tempfile
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from exdd_core.datasets import DEFECT, NORMAL, ROLES, Choices, GroupRule, Survey, look, read_layout
from exdd_core.datasets.pairing import IMAGE_LEFT_OUT, NO_IMAGE, SEVERAL, plain_stem
from exdd_core.datasets.roles import ASKED, says_nothing
from exdd_core.datasets.survey import LIKE_A_MASK
from exdd_core.datasets.words import is_mask_word, label_word, masks_of, role_guess
from exdd_core.errors import BadInput
from tests.layouts import gif, labels, left_out, mask, picture, rows


def make(root: Path, *names: str) -> Path:
    """Files by their names: masks where a folder or the name says so, else pictures; an ending slash is a folder."""
    for name in names:
        path = root / name
        if name.endswith("/"):
            path.mkdir(parents=True, exist_ok=True)
        elif name.endswith(".gif"):
            gif(path)
        elif plain_stem(name) or any(map(is_mask_word, name.split("/")[:-1])):
            mask(path)
        else:
            picture(path)
    return root


def goods(many: int = 4, folder: str = "good") -> list[str]:
    return [f"{folder}/g{n}.png" for n in range(many)]


def masks(found: Survey) -> dict[str, tuple[str, ...]]:
    return {record.path: record.masks for record in found.records if record.masks}


# --- masks find their images -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        "masks/7.png",
        "mask/7.png",
        "Masks/defect/7.png",
        "ground_truth/7.png",
        "Ground Truth/7.png",
        "GT/7.png",
        "labels/7.png",
        "Label/7.png",
        "defect/masks/7.png",
        "masks/defect/7.png",
        "annotations/gt/defect/7.bmp",
        "defect_masks/7.png",
        "bad_mask/7.png",
        "masks/7_mask.png",
        "masks/7/0.png",
        "masks/7.png.png",
        "masks/defect/7/segment_1.png",
        "masks/7_2.png",
        "masks/defect/7-001.png",
        "masks/7_mask_2.png",
        "segmentation/mask_7.png",
        "defect/7_mask.png",
        "defect/7_GT.png",
        "defect/7_Label.png",
        "defect/7_seg.png",
        "defect/7-mask.png",
        "defect/7.mask.png",
        "defect/7 mask.png",
        "defect/7_MASK_0.png",
        "defect/7_mask12.png",
        "defect/7_ground_truth.png",
        "defect/7_defect_mask.png",
        "defect/mask_7.png",
        "defect/GT-7.PNG",
        "defect/7_binary_mask.png",
        "defect/7_lbl.png",
        "Masken/7.png",
    ],
)
def test_a_mask_is_found_wherever_its_name_says_that_it_is_one(tmp_path: Path, place: str) -> None:
    make(tmp_path, *goods(), "good/7.png", "defect/7.png", "defect/8.png", place)
    name, found = look(tmp_path)
    assert name == "folder"
    assert masks(found) == {"defect/7.png": (place,)}
    assert labels(found) == {(NORMAL, ""): 5, (DEFECT, "defect"): 2}
    assert not found.left_out and not found.questions


def test_several_masks_of_one_image_are_united(tmp_path: Path) -> None:
    make(tmp_path, *goods(), "defect/7.png", "defect/7_mask_0.png", "defect/7_mask_1.png", "masks/7.png")
    _, found = look(tmp_path)
    assert masks(found) == {"defect/7.png": ("defect/7_mask_0.png", "defect/7_mask_1.png", "masks/7.png")}


def test_a_number_behind_a_mask_counts_only_where_no_image_has_it(tmp_path: Path) -> None:
    make(
        tmp_path, *goods(), "defect/7.png", "good/7_1.png", "masks/7_1.png", "masks/7_2.png", "masks/9_1.png"
    )
    _, found = look(tmp_path)
    assert masks(found) == {"defect/7.png": ("masks/7_2.png",)} and found.masks_of_normal == ["good/7_1.png"]
    assert [left.paths for left in found.left_out] == [("masks/9_1.png",)]


def test_the_darker_twin_of_another_suffix_is_a_mask(tmp_path: Path) -> None:
    make(tmp_path, *goods(), "defect/a.jpg", "defect/b.jpg")
    mask(tmp_path / "defect/a.png")
    picture(tmp_path / "defect/b.png")
    _, found = look(tmp_path)
    assert masks(found) == {"defect/a.jpg": ("defect/a.png",)}
    assert labels(found) == {(NORMAL, ""): 4, (DEFECT, "defect"): 3}


@pytest.mark.parametrize("place", ["defect/{}_mask.png", "masks/{}.png"])
def test_names_that_differ_in_case_alone_keep_their_own_masks(tmp_path: Path, place: str) -> None:
    lower, upper = (place.format(name) for name in ("a", "A"))
    make(tmp_path, *goods(), "defect/a.png", "defect/A.png", lower)
    if (tmp_path / upper).exists():
        pytest.skip("this disk does not tell cases apart")
    make(tmp_path, upper)
    assert masks(look(tmp_path)[1]) == {"defect/a.png": (lower,), "defect/A.png": (upper,)}


def test_unicode_forms_of_one_name_pair_up(tmp_path: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "Prüfteil é") for form in ("NFC", "NFD"))
    make(tmp_path, *goods(), f"defect/{composed}.png", f"masks/{decomposed}.png")
    make(tmp_path, f"defect/{decomposed}2.png", f"defect/{composed}2_mask.png")
    _, found = look(tmp_path)
    assert masks(found) == {
        f"defect/{composed}.png": (f"masks/{decomposed}.png",),
        f"defect/{decomposed}2.png": (f"defect/{composed}2_mask.png",),
    }


def test_train_and_test_with_their_own_words(tmp_path: Path) -> None:
    for n in range(3):
        make(tmp_path, f"train/good/{n}.png", f"train/bad/{n}.png", f"test/ok/{n}.png", f"test/ko/{n}.png")
        make(tmp_path, f"train/GT/bad/{n}.png", f"test/ko/{n}_label.png")
    _, found = look(tmp_path)
    assert Counter((r.label, r.split, r.mask is not None) for r in found.records) == {
        (NORMAL, "train", False): 3,
        (NORMAL, "test", False): 3,
        (DEFECT, "train", True): 3,
        (DEFECT, "test", True): 3,
    }
    assert all(r.mask and r.mask.split("/")[0] == r.split for r in found.records if r.label == DEFECT)
    assert not found.left_out


# --- and none that are not theirs --------------------------------------------------------------------------------


def test_a_mask_belongs_rather_to_a_defect_than_to_a_good_image_of_the_same_name(tmp_path: Path) -> None:
    make(tmp_path, "good/1.png", "good/2.png", "defect/1.png", "masks/1.png", "masks/bad/2.png")
    _, found = look(tmp_path)
    assert masks(found) == {"defect/1.png": ("masks/1.png",)}
    assert left_out(found) == {"masks/bad/2.png": NO_IMAGE}
    assert not found.masks_of_normal


@pytest.mark.parametrize("place", ["bad/masks/1.png", "masks/bad/1.png", "bad_masks/1.png", "bad/1_mask.png"])
def test_a_mask_of_a_bad_image_never_marks_a_good_one(tmp_path: Path, place: str) -> None:
    make(tmp_path, *goods(), "good/1.png", "bad/9.png", place)
    _, found = look(tmp_path)
    assert masks(found) == {} and not found.masks_of_normal
    assert left_out(found)[place] in (NO_IMAGE, LIKE_A_MASK)


def test_a_mask_in_good_is_none_of_a_bad_image(tmp_path: Path) -> None:
    make(tmp_path, *goods(), "good/1.png", "bad/1.png")
    mask(tmp_path / "masks/good/1.png", value=0)
    _, found = look(tmp_path)
    assert masks(found) == {} and not found.left_out and not found.masks_of_normal
    assert rows(found)["bad/1.png"].mask is None


def test_masks_of_pictures_that_are_not_read_are_named(tmp_path: Path) -> None:
    make(tmp_path, *(f"good/{n:03d}.png" for n in range(5)), *(f"defect/{n:03d}.gif" for n in range(3)))
    make(tmp_path, *(f"masks/{n:03d}.png" for n in range(3)), "defect/001_mask.png")
    _, found = look(tmp_path)
    left = left_out(found)
    assert {path for path, why in left.items() if why == IMAGE_LEFT_OUT} == {
        *(f"masks/{n:03d}.png" for n in range(3)),
        "defect/001_mask.png",
    }
    assert labels(found) == {(NORMAL, ""): 5} and not found.masks_of_normal


def test_masks_of_folders_that_are_asked_for_wait_for_the_answer(tmp_path: Path) -> None:
    make(
        tmp_path,
        "good/1.png",
        "good/2.png",
        "broken/1.png",
        "masks/1.png",
        "broken/2.png",
        "broken/2_mask.png",
    )
    _, found = look(tmp_path)
    assert [(q.folder, q.images) for q in found.questions] == [("broken", 2)]
    assert left_out(found) == {
        "broken/1.png": ASKED,
        "broken/2.png": ASKED,
        "masks/1.png": IMAGE_LEFT_OUT,
        "broken/2_mask.png": IMAGE_LEFT_OUT,
    }
    _, found = look(tmp_path, Choices(roles={"broken": "defect"}))
    assert masks(found) == {"broken/1.png": ("masks/1.png",), "broken/2.png": ("broken/2_mask.png",)}
    assert labels(found) == {(NORMAL, ""): 2, (DEFECT, "broken"): 2} and not found.left_out
    _, found = look(tmp_path, Choices(roles={"broken": "none"}))
    assert set(left_out(found).values()) == {"as you chose"} and len(left_out(found)) == 4


def test_a_mask_that_fits_two_images_is_named(tmp_path: Path) -> None:
    make(tmp_path, *goods(), "good/1.png", "defect/dent/1.png", "defect/scratch/1.png", "masks/1.png")
    _, found = look(tmp_path)
    assert left_out(found) == {"masks/1.png": SEVERAL} and not found.masks_of_normal
    make(tmp_path, "masks/dent/1.png", "scratch_masks/1.png")
    _, found = look(tmp_path)
    assert masks(found) == {
        "defect/dent/1.png": ("masks/dent/1.png",),
        "defect/scratch/1.png": ("scratch_masks/1.png",),
    }


def test_a_folder_of_masks_that_holds_everything_is_a_wrapping(tmp_path: Path) -> None:
    make(tmp_path, "good/1.png", "good/2.png", "bad/1.png", "bad/1_mask.png")
    whole = tmp_path / "outer"
    whole.mkdir()
    (whole / "segmentation").mkdir()
    for name in ("good", "bad"):
        (tmp_path / name).rename(whole / "segmentation" / name)
    _, found = look(whole)
    assert labels(found) == {(NORMAL, ""): 2, (DEFECT, "defect"): 1} and len(masks(found)) == 1


def test_a_file_that_is_called_mask_marks_the_image_beside_it(tmp_path: Path) -> None:
    make(tmp_path, *goods(), "bad/part7/image.png", "bad/part8/a.png", "bad/part8/b.png")
    for part in ("part7", "part8"):
        mask(tmp_path / f"bad/{part}/mask.png")
    _, found = look(tmp_path)
    assert masks(found) == {"bad/part7/image.png": ("bad/part7/mask.png",)}
    assert left_out(found) == {"bad/part8/mask.png": LIKE_A_MASK}


@pytest.mark.parametrize("place", ["", "images/", "train/images/"])
def test_masks_tell_the_labels_where_no_folder_does(tmp_path: Path, place: str) -> None:
    make(tmp_path, *(f"{place}{n}.png" for n in range(6)))
    for n in range(5):
        mask(tmp_path / f"masks/{n}.png", value=255 * (n % 2))
    _, found = look(tmp_path)
    folder = place.rstrip("/")
    assert labels(found) == {(NORMAL, ""): 3, (DEFECT, "defect"): 2}
    assert [(q.folder, q.images) for q in found.questions] == [(folder, 1)]
    assert any("those with an empty mask are normal" in note for note in found.notes)
    _, found = look(tmp_path, Choices(roles={folder or ".": "normal"}))
    assert labels(found) == {(NORMAL, ""): 4, (DEFECT, "defect"): 2}
    assert not found.masks_of_normal and not found.left_out


# --- labels and types ----------------------------------------------------------------------------------------------


def test_types_are_the_folders_below_the_one_that_says_defect(tmp_path: Path) -> None:
    make(tmp_path, *goods(), "Data/Images/Anomaly/1.png", "defect/scratch/2.png", "defect/scratch/deep/3.png")
    make(tmp_path, "lineA/ng/dent/images/4.png", "lineB/ng/5.png", "test/anomalies/6.png")
    _, found = look(tmp_path)
    kinds = {path.rpartition("/")[2]: r.defect_type for path, r in rows(found).items() if r.label == DEFECT}
    assert kinds == {
        "1.png": "defect",
        "2.png": "scratch",
        "3.png": "scratch/deep",
        "4.png": "dent",
        "5.png": "lineB",
        "6.png": "defect",
    }


def test_two_labels_above_one_image_are_a_question(tmp_path: Path) -> None:
    make(tmp_path, *goods(), "good/1.png", "good/anomaly/1.png", "good/anomaly/x/2.png", "masks/9.png")
    _, found = look(tmp_path)
    assert [(q.folder, q.images, q.guess) for q in found.questions] == [("good/anomaly", 2, DEFECT)]
    _, found = look(tmp_path, Choices(roles={"good": "normal"}))
    assert [q.folder for q in found.questions] == ["good/anomaly"]
    _, found = look(tmp_path, Choices(roles={"good/anomaly": "defect"}))
    assert labels(found) == {(NORMAL, ""): 5, (DEFECT, "defect"): 1, (DEFECT, "x"): 1} and not found.questions


def test_one_question_never_covers_what_is_known_already(tmp_path: Path) -> None:
    make(tmp_path, *goods(folder="lot7/ok"), "lot7/1.png", "lot7/odd/2.png", "lot8/a/3.png", "lot8/b/4.png")
    make(tmp_path, "lot9/good_ones/5.png", "lot9/bad_ones/6.png")
    _, found = look(tmp_path)
    assert {(q.folder, q.images, q.guess) for q in found.questions} == {
        ("lot7", 1, ""),
        ("lot7/odd", 1, ""),
        ("lot8", 2, ""),
        ("lot9/good_ones", 1, NORMAL),
        ("lot9/bad_ones", 1, DEFECT),
    }
    _, found = look(tmp_path, Choices(roles={"lot7": "defect"}))
    assert all(rows(found)[f"lot7/ok/g{n}.png"].label == NORMAL for n in range(4))
    assert rows(found)["lot7/1.png"].label == DEFECT


def test_masks_below_an_answered_folder_stay_masks(tmp_path: Path) -> None:
    make(tmp_path, *goods(), "broken/1.png", "broken/masks/1.png", "marks/2.png", "broken/2.png")
    mask(tmp_path / "marks/2.png")
    _, found = look(tmp_path, Choices(roles={"broken": "defect", "marks": "mask"}))
    assert masks(found) == {"broken/1.png": ("broken/masks/1.png",), "broken/2.png": ("marks/2.png",)}
    assert labels(found) == {(NORMAL, ""): 4, (DEFECT, "broken"): 2}


def test_answers_name_folders_as_people_see_them(tmp_path: Path) -> None:
    whole = make(tmp_path / "sets" / "plates", *goods(), "broken/1.png")
    for written in (
        "broken",
        "broken/",
        "./broken",
        "Broken",
        "plates/broken",
        "sets/plates/broken",
        "plates\\broken",
    ):
        _, found = look(whole, Choices(roles={written: "defect"}))
        assert labels(found) == {(NORMAL, ""): 4, (DEFECT, "broken"): 1}, written
    for written in ("brocken", "other/broken", "good/g1.png"):
        with pytest.raises(BadInput, match=f"There is no folder {written} in .*plates; use the path"):
            look(whole, Choices(roles={written: "defect"}))
    with pytest.raises(
        BadInput, match='"bad" is not a valid role for broken; choose normal, defect, mask or none'
    ):
        look(whole, Choices(roles={"broken": "bad"}))
    with pytest.raises(BadInput, match="has both the role defect and the role normal"):
        look(whole, Choices(roles={"broken": "defect", "broken/": "normal"}))


def test_the_folder_itself_can_be_answered(tmp_path: Path) -> None:
    make(tmp_path, "1.png", "2.png", "broken/3.png")
    _, found = look(tmp_path)
    assert [(q.folder, q.images) for q in found.questions] == [("", 2), ("broken", 1)]
    for written in (".", tmp_path.name):
        _, found = look(tmp_path, Choices(roles={written: "normal", "broken": "defect"}))
        assert labels(found) == {(NORMAL, ""): 2, (DEFECT, "broken"): 1}


def test_images_directly_in_an_answered_folder_have_no_part(tmp_path: Path) -> None:
    make(tmp_path, "good/A/1.png", "broken/B/2.png")
    choices = Choices(groups=GroupRule.parse("subfolder"), roles={"broken": "defect"})
    assert {r.group: r.defect_type for r in look(tmp_path, choices)[1].records} == {"A": "", "B": "broken"}
    make(tmp_path, "broken/3.png")
    with pytest.raises(BadInput, match=r"broken/3\.png is not in a subfolder"):
        look(tmp_path, choices)


def test_empty_folders_are_named(tmp_path: Path) -> None:
    make(tmp_path, *goods(), "defect/scratch/", "defect/dent/", "masks/")
    _, found = look(tmp_path)
    assert left_out(found) == dict.fromkeys(("defect/scratch", "defect/dent", "masks"), "it holds nothing")
    assert any(
        "defect/scratch/ is left out: it holds nothing." in line for line in found.to_report()["problems"]
    )


@pytest.mark.parametrize(
    ("name", "guess"),
    [
        ("crack_masks", "mask"),
        ("my labels v2", "mask"),
        ("good_parts", "normal"),
        ("parts-ng", "defect"),
        ("no_defects_found", "normal"),
        ("positive", "defect"),
        ("NG1", "defect"),
        ("def_front", "defect"),
        ("lot7", ""),
        ("良品", ""),
    ],
)
def test_names_suggest_an_answer(name: str, guess: str) -> None:
    assert role_guess(name) == guess


def test_a_folder_without_masks_is_none_of_masks() -> None:
    assert not any(map(is_mask_word, ("no_mask", "without_masks", "with_mask", "unmasked", "masking tape")))
    assert [masks_of(name) for name in ("scratch_mask", "Bad Masks", "dent-GT", "masks", "mask")] == [
        "scratch",
        "bad",
        "dent",
        "",
        "",
    ]


# --- nothing is lost, whatever the folder ---------------------------------------------------------------------------

WORDS = (
    *("good", "OK", "bad", "Defect", "anomaly", "not_ok", "positive", "no_defect_seen"),
    *("masks", "GT", "ground_truth", "labels", "bad_masks", "segmentation"),
    *("train", "Test", "validation", "images", "Data", "scratch", "lot 7", "é"),
)
FILES = ("0", "1", "2", "0_mask", "1_GT", "2_label_0", "mask_1", "odd name", "e\u0301", "é_seg")
KINDS = ("picture.png", "picture.jpg", "picture.png", "marked.png", "marked.bmp", "empty.png", "gif.gif")
JUNK = ("Thumbs.db", ".DS_Store", "notes.txt", "__MACOSX/0.png", "@eaDir/1.png", ".hidden.png", "Labels.txt")

folders = st.lists(st.sampled_from(WORDS), max_size=3).map("/".join)
pictures = st.tuples(folders, st.sampled_from(FILES), st.sampled_from(KINDS))
trees = st.tuples(
    st.lists(pictures, min_size=1, max_size=12),
    st.lists(st.tuples(folders, st.sampled_from(JUNK)), max_size=3),
)


@cache
def _content(kind: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        what, _, suffix = kind.partition(".")
        path = Path(folder) / f"x.{suffix}"
        if what == "picture":
            picture(path)
        elif what == "gif":
            gif(path)
        else:
            mask(path, value=255 if what == "marked" else 0)
        return path.read_bytes()


def write(root: Path, files: tuple[list[tuple[str, str, str]], list[tuple[str, str]]]) -> dict[str, str]:
    """Write a tree, and return its pictures with their kinds; of two files of one name the first counts."""
    written: dict[str, str] = {}
    for folder, name, kind in files[0]:
        path = "/".join(filter(None, (folder, f"{name}.{kind.partition('.')[2]}")))
        if path not in written:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(_content(kind))
            written[path] = kind.partition(".")[0]
    for folder, name in files[1]:
        (root / folder / name).parent.mkdir(parents=True, exist_ok=True)
        (root / folder / name).write_bytes(_content("picture.png") if name.endswith(".png") else b"1 2 3")
    return written


def require_all_told(found: Survey, root: Path, written: Mapping[str, str]) -> None:
    """Images, masks and what is named as left out are all pictures, each once; masks of good images are read."""
    whole = {os.path.normpath(os.path.join(root, name)): kind for name, kind in written.items()}
    kinds = {os.path.relpath(path, found.tree.root): kind for path, kind in whole.items()}
    images = [record.path for record in found.records]
    marks = [name for record in found.records for name in record.masks]
    left = [path for out in found.left_out for path in out.paths if path in kinds]
    named = [*images, *marks, *left]
    assert len(named) == len(set(named))
    assert set(named) <= set(kinds)
    silent = set(kinds) - set(named)
    assert all(kinds[name] in ("marked", "empty", "picture") for name in silent)
    if any(kinds[name] != "empty" for name in silent):
        assert found.masks_of_normal


def require_labels(found: Survey, answers: Mapping[str, str]) -> None:
    """No image gets a label that a folder above it contradicts, unless a person said so."""
    if answers:
        return
    for record in found.records:
        told = {label_word(part) for part in record.path.split("/")[:-1]} - {""}
        assert told <= {record.label} or len(told) == 1 and record.label == DEFECT and record.defect_type, (
            record
        )
        if record.label == NORMAL and not says_nothing(record.path.rpartition("/")[0]):
            assert told == {NORMAL}, record


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(files=trees, data=st.data())
def test_whatever_a_folder_holds_every_picture_is_an_image_a_mask_or_named(
    files: tuple[list[tuple[str, str, str]], list[tuple[str, str]]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "set"
        root.mkdir()
        written = write(root, files)
        answers: dict[str, str] = {}
        for _ in range(20):
            try:
                _, found = look(root, Choices(roles=answers))
            except BadInput as error:
                assert "\n" not in str(error) and str(error).endswith(".")
                return
            require_all_told(found, root, written)
            require_labels(found, answers)
            if not found.questions:
                break
            for question in found.questions:
                assert question.images > 0 and question.folder not in answers
                answers[question.folder] = data.draw(st.sampled_from(list(ROLES)))
        assert not found.questions
        assert ASKED not in left_out(found).values()


@settings(max_examples=60)
@given(files=trees)
def test_what_is_imported_is_what_the_preview_shows(
    files: tuple[list[tuple[str, str, str]], list[tuple[str, str]]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, files)
        try:
            name, records = read_layout(root)
        except BadInput:
            return
        assert (name, records) == (look(root)[0], look(root)[1].records)
        assert all(record.split in ("train", "test") for record in records)
        assert any(record.label == NORMAL for record in records)


def test_arrays_among_the_pictures_are_named(tmp_path: Path) -> None:
    for i in range(3):
        picture(tmp_path / "good" / f"{i}.png")
    picture(tmp_path / "defect" / "0.png")
    (tmp_path / "masks").mkdir()
    for place in ("good/3.npy", "masks/0.npy"):
        np.save(tmp_path / place, np.zeros((4, 4)))
    report = look(tmp_path)[1].to_report()
    said = "\n".join([*report["notes"], *report["problems"]])
    assert "3.npy" in said and "0.npy" in said and "NumPy images are not supported" in said
