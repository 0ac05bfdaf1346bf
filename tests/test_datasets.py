"""Layouts become one table; splits and folds never divide a part."""

from __future__ import annotations

import csv
import doctest
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from exdd_core.datasets import (
    DEFECT,
    LAYOUTS,
    NORMAL,
    GroupRule,
    Record,
    detect_layout,
    find_root,
    folds,
    grouped_split,
    limit_parts,
    look,
    natural_key,
    read_layout,
    read_manifests,
    write_manifests,
)
from exdd_core.datasets.magnetic_tile import chain_frames
from exdd_core.errors import BadInput
from exdd_core.images import Size, encode_jpeg, encode_png, read_mask


def write_image(path: Path, shape: tuple[int, int] = (20, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((*shape, 3), 90, dtype=np.uint8)
    path.write_bytes(encode_jpeg(pixels) if path.suffix == ".jpg" else encode_png(pixels))


def write_mask(path: Path, defect: bool = True, shape: tuple[int, int] = (20, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mask = np.zeros(shape, dtype=bool)
    mask[5:9, 5:9] = defect
    path.write_bytes(encode_png(mask))


def by_path(records: list[Record]) -> dict[str, Record]:
    assert [r.path for r in records] == sorted((r.path for r in records), key=natural_key)
    return {record.path: record for record in records}


# --- real data ----------------------------------------------------------------------------------------


def test_magnetic_tiles(real_data: Path) -> None:
    name, records = read_layout(real_data / "magnetic_tile")
    assert name == "magnetic_tile"
    assert Counter(r.label for r in records) == {NORMAL: 487, DEFECT: 196}
    groups = {r.group for r in records}
    defective = {r.group for r in records if r.label == DEFECT}
    assert (len(records), len(groups), len(defective)) == (683, 101, 34)
    test = {r.group for r in records if r.split == "test"}
    assert (len(test - defective), len(test & defective)) == (67 // 3, 34 // 2)
    assert not test & {r.group for r in records if r.split == "train"}
    assert {r.defect_type for r in records} == {"", "blowhole", "break", "crack", "fray", "uneven"}
    for record in records:
        assert (record.mask is None) == (record.label == NORMAL)
        assert record.mask is None or (real_data / "magnetic_tile" / record.mask).is_file()
    assert Size(256, 256) == LAYOUTS[name].DEFAULT_SIZE


def test_kolektor_sdd(real_data: Path) -> None:
    name, records = read_layout(real_data / "kolektor_sdd")
    assert name == "kolektor_sdd" and len(records) == 200
    assert Size(256, 632) == LAYOUTS[name].DEFAULT_SIZE
    defective = [r for r in records if r.label == DEFECT]
    assert Counter(r.group for r in defective) == {f"kos{n:02d}": 1 for n in range(1, 26)}
    test = {r.group for r in records if r.split == "test"}
    assert test == {f"kos{n:02d}" for n in range(3, 26, 3)}
    some = defective[0]
    assert some.mask and read_mask(real_data / "kolektor_sdd" / some.mask, None).any()


def test_reading_is_deterministic(real_data: Path) -> None:
    root = real_data / "magnetic_tile"
    assert read_layout(root) == read_layout(root, "magnetic_tile")


# --- made-up data -------------------------------------------------------------------------------------


def test_frames_are_chained_by_gaps_of_at_most_200() -> None:
    groups = chain_frames([1000, 10, 210, 1400, 410, 1201])
    assert groups[10] == groups[210] == groups[410] == "frames 10-410"
    assert groups[1000] == "frames 1000-1000"
    assert groups[1201] == groups[1400] != groups[1000]


def make_ksdd2(root: Path) -> None:
    for split, number, defect in (("train", 10, False), ("train", 9, True), ("test", 20, True)):
        write_image(root / split / f"{number}.png")
        write_mask(root / split / f"{number}_GT.png", defect)


def test_ksdd2(tmp_path: Path) -> None:
    make_ksdd2(tmp_path)
    name, records = read_layout(tmp_path)
    assert name == "ksdd2" and Size(224, 632) == LAYOUTS[name].DEFAULT_SIZE
    rows = by_path(records)
    assert list(rows) == ["test/20.png", "train/9.png", "train/10.png"]
    assert rows["train/10.png"] == Record("train/10.png", NORMAL, "", None, "train", "train/10")
    assert rows["train/9.png"] == Record(
        "train/9.png", DEFECT, "defect", "train/9_GT.png", "train", "train/9"
    )
    assert rows["test/20.png"].split == "test"


def test_ksdd2_without_a_mask_is_refused(tmp_path: Path) -> None:
    make_ksdd2(tmp_path)
    (tmp_path / "test" / "20_GT.png").unlink()
    with pytest.raises(BadInput, match=r"test/20\.png has no mask"):
        read_layout(tmp_path)


def make_category(root: Path) -> None:
    for name in ("train/good/000", "train/good/001", "test/good/000", "test/crack/000"):
        write_image(root / f"{name}.png")
    write_mask(root / "ground_truth/crack/000_mask.png")


def test_mvtec_category(tmp_path: Path) -> None:
    make_category(tmp_path)
    name, records = read_layout(tmp_path)
    assert name == "mvtec"
    rows = by_path(records)
    assert rows["test/crack/000.png"] == Record(
        "test/crack/000.png",
        DEFECT,
        "crack",
        "ground_truth/crack/000_mask.png",
        "test",
        "test/crack/000",
    )
    assert [r.split for r in records] == ["test", "test", "train", "train"]
    assert len({r.group for r in records}) == 4


def test_mvtec_of_several_categories_says_to_choose_one(tmp_path: Path) -> None:
    make_category(tmp_path / "bottle")
    make_category(tmp_path / "cable")
    assert detect_layout(tmp_path) == "mvtec"
    with pytest.raises(BadInput, match="2 categories of MVTec AD \\(bottle, cable\\); choose one"):
        read_layout(tmp_path)


def test_kolektor_without_a_label_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "kos01" / "Part0.jpg")
    write_mask(tmp_path / "kos01" / "Part0_label.bmp")
    assert by_path(read_layout_of_defects(tmp_path))["kos01/Part0.jpg"].label == DEFECT
    write_image(tmp_path / "kos01" / "Part1.jpg")
    with pytest.raises(BadInput, match=r"kos01/Part1\.jpg has no label file"):
        read_layout(tmp_path)


def read_layout_of_defects(root: Path) -> list[Record]:
    """`read_layout` wants normal images; what the layout itself reads needs none."""
    with pytest.raises(BadInput, match="contains no normal images"):
        read_layout(root)
    return look(root)[1].records


def test_magnetic_tile_with_another_name_is_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "MT_Free" / "Imgs" / "holiday.jpg")
    with pytest.raises(BadInput, match=r"holiday\.jpg is not named expE_num_N\.jpg"):
        read_layout(tmp_path)


# --- plain folders ------------------------------------------------------------------------------------


def make_folder(root: Path) -> None:
    for n in range(1, 13):
        write_image(root / "good" / f"part{n}_a.png")
        write_image(root / "good" / f"part{n}_b.png")
    for n in range(13, 17):
        kind = "scratch" if n % 2 else "pit"
        write_image(root / "defect" / kind / f"part{n}_a.png")
        write_image(root / "defect" / kind / f"part{n}_b.png")
    write_mask(root / "masks/defect/scratch/part13_a.png")
    write_mask(root / "masks/scratch/part13_b_mask.png")
    write_mask(root / "defect/pit/part14_a_mask.png")
    (root / "good" / ".hidden.png").write_bytes(b"x")
    (root / "good" / "notes.txt").write_text("x")


def test_plain_folders(tmp_path: Path) -> None:
    make_folder(tmp_path)
    name, records = read_layout(tmp_path)
    assert name == "folder" and len(records) == 32
    rows = by_path(records)
    assert rows["defect/scratch/part13_a.png"].mask == "masks/defect/scratch/part13_a.png"
    assert rows["defect/scratch/part13_b.png"].mask == "masks/scratch/part13_b_mask.png"
    assert rows["defect/pit/part14_a.png"].mask == "defect/pit/part14_a_mask.png"
    assert rows["defect/pit/part14_b.png"].mask is None
    assert rows["defect/pit/part14_a.png"].defect_type == "pit"
    assert len({r.group for r in records}) == 32  # every image a part of its own


@pytest.mark.parametrize(
    ("good", "bad"), [("ok", "ng"), ("Normal", "BAD"), ("good", "defect"), ("Gutteile", "Ausschuss")]
)
def test_other_names_of_folders(tmp_path: Path, good: str, bad: str) -> None:
    write_image(tmp_path / good / "1.png")
    write_image(tmp_path / bad / "2.jpg")
    _, records = read_layout(tmp_path)
    assert {r.path: r.label for r in records} == {f"{good}/1.png": NORMAL, f"{bad}/2.jpg": DEFECT}
    assert {r.defect_type for r in records} == {"", "defect"}


def test_groups_by_pattern_keep_parts_together(tmp_path: Path) -> None:
    make_folder(tmp_path)
    _, records = read_layout(tmp_path, groups=GroupRule.parse(r"pattern:^(part\d+)_"))
    assert {r.group for r in records} == {f"part{n}" for n in range(1, 17)}
    # Of 12 normal parts every third, of 4 defective ones every second, in natural order.
    test = {r.group for r in records if r.split == "test"}
    assert test == {"part3", "part6", "part9", "part12", "part14", "part16"}


def test_groups_by_csv(tmp_path: Path) -> None:
    root, table = tmp_path / "set", tmp_path / "groups.csv"
    make_folder(root)
    paths = [r.path for r in read_layout(root)[1]]
    table.write_text("path,group\n" + "".join(f"{p},{p.split('/')[-1][:6]}\n" for p in paths))
    _, records = read_layout(root, groups=GroupRule.parse(f"csv:{table}"))
    assert by_path(records)["good/part10_a.png"].group == "part10"
    table.write_text("path,group\n" + "".join(f"{p},a\n" for p in paths[:-3]))
    with pytest.raises(BadInput, match=r"3 of 32 images have no row in .*groups\.csv \(first: good/part11_b"):
        read_layout(root, groups=GroupRule.parse(f"csv:{table}"))
    table.write_text("path,group\n" + "".join(f"{p},a\n" for p in paths) + "good\\part10_a.png,b\n")
    with pytest.raises(BadInput, match=r"assigns two groups to good/part10_a\.png, a and b"):
        read_layout(root, groups=GroupRule.parse(f"csv:{table}"))
    table.write_text("file,part\n")
    with pytest.raises(BadInput, match="needs the columns path and group"):
        read_layout(root, groups=GroupRule.parse(f"csv:{table}"))


def test_groups_by_subfolder(tmp_path: Path) -> None:
    write_image(tmp_path / "good/partA/1.png")
    write_image(tmp_path / "defect/scratch/partA/2.png")
    write_image(tmp_path / "defect/partB/3.png")
    rule = GroupRule.parse("subfolder")
    rows = by_path(read_layout(tmp_path, groups=rule)[1])
    assert [(r.group, r.defect_type) for r in rows.values()] == [
        ("partB", "defect"),
        ("partA", "scratch"),
        ("partA", ""),
    ]
    write_image(tmp_path / "good/4.png")
    with pytest.raises(BadInput, match=r"good/4\.png is not in a subfolder"):
        read_layout(tmp_path, groups=rule)


def test_a_pattern_that_misses_images_is_refused(tmp_path: Path) -> None:
    make_folder(tmp_path)
    with pytest.raises(BadInput, match="24 of 32 images have a name that the pattern"):
        read_layout(tmp_path, groups=GroupRule.parse(r"pattern:(part1[3-6])"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pattern:(", "is not a valid RE2 regular expression"),
        ("pattern:part", "captures nothing"),
        ("csv:/nowhere/groups.csv", "does not exist"),
        ("pattern:", "use subfolder, csv:FILE or pattern:REGEX"),
        ("subfolder:x", "use subfolder"),
        ("", "use subfolder"),
    ],
)
def test_wrong_group_rules_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence):
        GroupRule.parse(text)


@pytest.mark.parametrize("text", ["subfolder", r"pattern:(a:b)"])
def test_group_rules_are_written_as_they_are_read(text: str) -> None:
    assert str(GroupRule.parse(text)) == text


# --- what has no layout -------------------------------------------------------------------------------


def test_folders_without_a_layout_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "holiday" / "1.png")
    with pytest.raises(BadInput, match="put normal images in good/"):
        read_layout(tmp_path)
    with pytest.raises(BadInput, match="is not a folder"):
        read_layout(tmp_path / "nowhere")
    with pytest.raises(BadInput, match='"tiff" is not a layout; choose auto,'):
        read_layout(tmp_path, "tiff")
    with pytest.raises(BadInput, match="does not have the layout"):
        read_layout(tmp_path, "ksdd2")


def test_groups_are_for_layouts_that_may_not_know_parts(tmp_path: Path) -> None:
    make_ksdd2(tmp_path / "ksdd2")
    with pytest.raises(BadInput, match="takes no groups"):
        read_layout(tmp_path / "ksdd2", groups=GroupRule.parse("subfolder"))
    make_category(tmp_path / "mvtec")
    with pytest.raises(BadInput, match="defect types, not parts"):
        read_layout(tmp_path / "mvtec", groups=GroupRule.parse("subfolder"))


def test_find_root_unwraps_archives(tmp_path: Path) -> None:
    make_folder(tmp_path / "download" / "set")
    (tmp_path / "__MACOSX").mkdir()
    assert find_root(tmp_path) == tmp_path / "download" / "set"
    assert find_root(tmp_path / "download" / "set") == tmp_path / "download" / "set"
    (tmp_path / "other" / "more").mkdir(parents=True)
    assert detect_layout_or_none(find_root(tmp_path)) is None


def detect_layout_or_none(root: Path) -> str | None:
    try:
        return detect_layout(root)
    except BadInput:
        return None


# --- manifests ----------------------------------------------------------------------------------------


def test_manifests_come_back_as_they_were(tmp_path: Path) -> None:
    source = tmp_path / "set"
    make_folder(source)
    write_image(source / "good" / 'ü, "quoted".png')
    _, records = read_layout(source)
    write_manifests(records, tmp_path)
    with (tmp_path / "test.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["path", "label", "split", "defect_type", "mask", "group"]
    assert {row["split"] for row in rows} == {"test"}
    back = read_manifests(tmp_path)
    assert sorted(back, key=lambda r: natural_key(r.path)) == records


def test_broken_manifests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"train\.csv cannot be read"):
        read_manifests(tmp_path)
    write_manifests([Record("a.png", NORMAL, "", None, "train", "a")], tmp_path)
    (tmp_path / "test.csv").write_text("path,label\n")
    with pytest.raises(BadInput, match="must have the columns path,label,split"):
        read_manifests(tmp_path)
    (tmp_path / "test.csv").write_text("path,label,split,defect_type,mask,group\nb.png,perhaps,test,,,b\n")
    with pytest.raises(BadInput, match=r"\(b\.png\)"):
        read_manifests(tmp_path)


# --- splits and folds ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    group: str
    label: str


tables = st.lists(
    st.builds(Row, st.integers(0, 12).map(lambda n: f"part{n}"), st.sampled_from([NORMAL, NORMAL, DEFECT])),
    min_size=1,
    max_size=60,
)


@settings(max_examples=150)
@given(rows=tables, k=st.integers(2, 14), seed=st.integers(0, 5))
def test_folds_hold_every_row_once_and_no_group_twice(rows: list[Row], k: int, seed: int) -> None:
    groups = {row.group for row in rows}
    if k > len(groups):
        with pytest.raises(BadInput, match="cannot be divided into .* (choose 2 to|import more)"):
            folds(rows, k, seed)
        return
    sides = folds(rows, k, seed)
    assert sides == folds(rows, k, seed)
    assert len(sides) == k and all(sides)
    assert sorted(i for side in sides for i in side) == list(range(len(rows)))
    for group in groups:
        assert sum(any(rows[i].group == group for i in side) for side in sides) == 1
    defective = {row.group for row in rows if row.label == DEFECT}
    for kind in (defective, groups - defective):
        dealt = [len({rows[i].group for i in side} & kind) for side in sides]
        assert max(dealt) - min(dealt) <= 1


def test_folds_differ_by_seed_but_not_by_order() -> None:
    rows = [Row(f"part{n}", DEFECT if n % 3 == 0 else NORMAL) for n in range(30)]
    assert folds(rows, 4, 0) != folds(rows, 4, 1)
    turned = [{29 - i for i in side} for side in folds(rows[::-1], 4, 0)]
    assert turned == folds(rows, 4, 0)


def test_one_fold_is_refused() -> None:
    with pytest.raises(BadInput, match="choose 2 to 3 folds"):
        folds([Row("a", NORMAL), Row("b", NORMAL), Row("c", DEFECT)], 1)


@settings(max_examples=100)
@given(rows=tables, m=st.integers(0, 14), seed=st.integers(0, 5))
def test_limit_parts_keeps_normals_and_grows_with_m(rows: list[Row], m: int, seed: int) -> None:
    kept = limit_parts(rows, m, seed)
    assert kept == sorted(kept)
    assert {i for i, row in enumerate(rows) if row.label == NORMAL} <= set(kept)
    defective = {row.group for row in rows if row.label == DEFECT}
    chosen = {rows[i].group for i in kept if rows[i].label == DEFECT}
    assert len(chosen) == min(m, len(defective))
    assert {i for i, row in enumerate(rows) if row.group in chosen} <= set(kept)
    assert set(kept) <= set(limit_parts(rows, m + 1, seed))


def test_limit_parts_without_and_with_a_wrong_limit() -> None:
    rows = [Row("a", DEFECT), Row("b", NORMAL)]
    assert limit_parts(rows, None) == [0, 1]
    with pytest.raises(BadInput, match="choose 0 or more"):
        limit_parts(rows, -1)


@settings(max_examples=100)
@given(rows=tables, every=st.tuples(st.integers(2, 4), st.integers(2, 4)))
def test_grouped_split_tears_no_group(rows: list[Row], every: tuple[int, int]) -> None:
    records = [Record(f"{i}.png", row.label, "", None, "", row.group) for i, row in enumerate(rows)]
    split = grouped_split(records, every)
    sides: dict[str, set[str]] = {}
    for record in split:
        sides.setdefault(record.group, set()).add(record.split)
    assert all(len(side) == 1 for side in sides.values())
    defective = {row.group for row in rows if row.label == DEFECT}
    test = {group for group, side in sides.items() if side == {"test"}}
    assert len(test - defective) == len(sides.keys() - defective) // every[0]
    assert len(test & defective) == len(defective) // every[1]


def test_the_rooms_example_runs() -> None:
    import exdd_core.datasets as room

    found = doctest.testmod(room)
    assert found.attempted and not found.failed
    assert all(hasattr(room, name) for name in dir(room))


def test_the_room_imports_a_module_when_a_name_of_it_is_used() -> None:
    code = "import sys, exdd_core.datasets as room; assert 'cv2' not in sys.modules; "
    code += "room.natural_key; assert 'cv2' not in sys.modules; room.look; assert 'cv2' in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
