"""What goes out as MVTec AD or COCO comes in again with the same sides, labels, types and masks; nothing is silent."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from exdd_core import cli, curation
from exdd_core.banks.building import build_bank
from exdd_core.datasets import DEFECT, NORMAL, Choices, GroupRule, look
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import encode_jpeg, encode_png, read_image, read_mask
from exdd_core.progress import Progress
from exdd_core.workspace import ImageRow, Workspace, candidates, dataset_changes, exporting, scales
from exdd_core.workspace.dataset_settings import set_region
from exdd_core.workspace.export_layouts import Item, mvtec_places, safe, type_folders
from exdd_core.workspace.imports import import_dataset
from tests import plates

LAYOUTS = pytest.mark.parametrize("layout", ["mvtec", "coco"])


def rows_of(place: Path) -> list[dict[str, str]]:
    with (place / "manifest.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def content(row: ImageRow) -> tuple:
    """What has to come back of an image: its pixels, side, label, type and mask."""
    mask = read_mask(row.mask, (row.height, row.width)).tobytes() if row.mask else None
    return read_image(row.path).tobytes(), row.split, row.label, row.defect_type, mask


@pytest.fixture(scope="module")
def imported(demo_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.create(tmp_path_factory.mktemp("exporting") / "w", backbone="efficientnet_lite0")
    import_dataset(workspace, demo_dataset, name="demo")
    return workspace


@LAYOUTS
@pytest.mark.parametrize("suffix", ["", ".zip"])
def test_the_demo_goes_out_and_comes_in_as_it_was(layout, suffix, imported, tmp_path):
    place = tmp_path / f"out{suffix}"
    made = exporting.export(imported, "demo", layout, place)
    name = f"{layout}{suffix.strip('.')}"
    info = import_dataset(imported, place, name=name)
    assert info.layout == layout and not info.report["left_out"]
    before, after = (Counter(content(row) for row in imported.images(of)) for of in ("demo", name))
    assert before == after and made["images"] == sum(before.values()) == 24
    assert {row.label for row in imported.images(name)} == {NORMAL, DEFECT}


@LAYOUTS
def test_physical_parts_come_in_by_the_table_of_groups(layout, imported, tmp_path):
    place = tmp_path / "out"
    said = exporting.export(imported, "demo", layout, place)["sentences"]
    assert any("groups.csv" in sentence for sentence in said)
    name, found = look(place, Choices(groups=GroupRule("csv", str(place / "groups.csv"))))
    assert name == layout
    parts = {row.id: row.group for row in imported.images("demo")}
    source = {row["path"]: row["source"] for row in rows_of(place)}
    assert len(set(parts.values())) < len(parts)
    assert {source[record.path]: record.group for record in found.records} == parts
    assert all(record.masks or record.outlines for record in found.records if record.label == DEFECT)


# --- painted defects, marks and what lacks something ------------------------------------------------------------


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Plates with 2 accepted candidates, one of them trimmed, 1 pending, and marks; no bank learned from them."""
    folder = tmp_path_factory.mktemp("judged")
    source = folder / "plates"
    for side, seeds in (("train", range(4)), ("test", range(4, 7))):
        for seed in seeds:
            write(source / side / "good" / f"{seed}.png", encode_png(plates.plate(seed)))
    made = plates.painting(50)
    write(source / "test" / "bar" / "50.png", encode_png(made.image))
    write(source / "ground_truth" / "bar" / "50_mask.png", encode_png(made.mask))
    write(source / "test" / "bar" / "51.png", encode_png(plates.painting(51).image))
    workspace = Workspace.create(folder / "workspace", backbone="efficientnet_lite0")
    import_dataset(workspace, source, size=plates.SMALL)
    build_bank(workspace, negative_ratio=0.2)
    for seed in range(3):
        plates.paint(workspace, seed, source=f"plates/train/good/{seed}.png", defect_type="bar")
    first, second, _ = plates.pending(workspace)
    trimmed = read_mask(candidates.get(workspace, first).mask, None)
    trimmed[:, : int(np.flatnonzero(trimmed.any(axis=0)).mean())] = False
    curation.trim(workspace, first, trimmed, "Anna")
    curation.accept(workspace, [first, second], "Anna")
    for name, seed in (("missed.png", 60), ("alarm.png", 61)):
        write(folder / name, encode_png(plates.painting(seed).image))
    curation.mark_missed(
        workspace,
        f"file:{folder / 'missed.png'}#1",
        folder / "missed.png",
        upper(60),
        "Bo",
        "dent",
    )
    curation.mark_false_alarm(
        workspace, f"file:{folder / 'alarm.png'}#1", folder / "alarm.png", "Bo", upper(61)
    )
    normal = workspace.image("plates/test/good/5.png")
    curation.mark_missed(workspace, normal.id, normal.path, upper(62), "Bo", "dent")
    return workspace


def upper(seed: int) -> np.ndarray:
    """The upper half of a plate's bar: a mask that marks all that stands out is refused."""
    mask = plates.painting(seed).mask.copy()
    mask[int(np.flatnonzero(mask.any(axis=1)).mean()) :] = False
    return mask


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@LAYOUTS
def test_painted_defects_and_marks_go_out_and_the_manifest_says_which(layout, judged, tmp_path):
    place = tmp_path / "out"
    made = exporting.export(judged, "plates", layout, place)
    assert (made["images"], made["painted"], made["marked"], made["masks"]) == (13, 2, 3, 5)
    rows = rows_of(place)
    assert Counter(row["origin"] for row in rows) == {"real": 8, "painted": 2, "marked": 3}
    accepted = candidates.listed(judged, status="accepted")
    painted = {row["source"]: row for row in rows if row["origin"] == "painted"}
    for candidate in accepted:
        row = painted[candidate.source]
        told = (row["engine"], row["engine_version"], row["prompt"], row["seed"], row["split"], row["group"])
        group = judged.image(candidate.source).group
        assert told == ("procedural", "1", "bright bar", str(candidate.seed), "train", group)
        assert (place / row["path"]).read_bytes() == candidate.image.read_bytes()
    info = import_dataset(judged, place, name=f"again-{layout}")
    again = {row.id.removeprefix(f"{info.name}/"): row for row in judged.images(info.name)}
    assert {path: (row.label, row.split, row.defect_type) for path, row in again.items()} == {
        row["path"]: (row["label"], row["split"], row["defect_type"]) for row in rows
    }
    for candidate in accepted:
        back = again[painted[candidate.source]["path"]]
        assert np.array_equal(read_mask(back.mask, None), candidates.mask_of(judged, candidate))
    first = accepted[-1]
    assert candidates.mask_of(judged, first).sum() < read_mask(first.mask, None).sum()
    marked = {Path(row["source"]).name: row for row in rows if row["origin"] == "marked"}
    assert set(marked) == {"missed.png", "alarm.png", "5.png"}
    assert (marked["5.png"]["label"], marked["5.png"]["split"]) == (DEFECT, "test")
    alarm = marked["alarm.png"]
    assert alarm["label"] == NORMAL and "false alarm" in alarm["note"] and "Bo" in alarm["note"]
    assert np.array_equal(decoded(json.loads(alarm["region"])), upper(61))
    for name, seed in (("missed.png", 60), ("5.png", 62)):
        back = again[marked[name]["path"]]
        assert back.defect_type == "dent"
        assert np.array_equal(read_mask(back.mask, None), upper(seed))


def decoded(runs: dict) -> np.ndarray:
    from pycocotools import mask

    return mask.decode({"size": runs["size"], "counts": runs["counts"].encode()}).astype(bool)


@LAYOUTS
def test_a_defect_without_a_mask_goes_out_and_is_named(layout, judged, tmp_path):
    made = exporting.export(judged, "plates", layout, tmp_path / "out", painted=False, marks=False)
    assert (made["images"], made["painted"], made["marked"]) == (9, 0, 0)
    (path,) = made["without_mask"]
    assert path.endswith("51.png") and any("51.png" in sentence for sentence in made["sentences"])
    _, found = look(tmp_path / "out")
    record = next(record for record in found.records if record.path == path)
    assert (record.label, record.defect_type, found.mask_of(record)) == (DEFECT, "bar", None)


def test_coco_is_what_its_own_program_reads(judged, tmp_path):
    from pycocotools.coco import COCO

    exporting.export(judged, "plates", "coco", tmp_path / "out")
    read = COCO(str(tmp_path / "out" / "annotations" / "instances_train.json"))
    assert len(read.getImgIds()) == 4 + 2 + 2
    assert {row["name"] for row in read.loadCats(read.getCatIds())} == {"bar", "dent"}
    painted = [row for row in read.loadImgs(read.getImgIds()) if row["origin"] == "painted"]
    assert {row["engine"] for row in painted} == {"procedural"} and len(painted) == 2
    for image in painted:
        (annotation,) = read.loadAnns(read.getAnnIds(imgIds=[image["id"]]))
        mask = read.annToMask(annotation)
        assert mask.shape == (image["height"], image["width"]) == plates.SHAPE
        assert mask.sum() == annotation["area"] > 0
        left, top, width, height = annotation["bbox"]
        assert mask[top : top + height, left : left + width].sum() == annotation["area"]
        assert mask[top].any() and mask[:, left + width - 1].any()


# --- what images are ------------------------------------------------------------------------------------------


@LAYOUTS
def test_bytes_depth_and_turns_stay(layout, imported, tmp_path):
    """16-bit values go out as they are; an image that its EXIF turns comes in with its mask on the same pixels."""
    source, rng = tmp_path / "deep", np.random.default_rng(0)
    for i in range(3):
        values = rng.integers(0, 4000, (32, 32)).astype(np.uint16)
        write(source / "good" / f"{i}.png", b"")
        Image.fromarray(values).save(source / "good" / f"{i}.png")
    turned = np.tile(np.linspace(20, 230, 32).astype(np.uint8), (32, 1))
    exif = Image.Exif()
    exif[274] = 3  # upside down, so that the shape does not tell
    write(source / "defect" / "t.jpg", b"")
    Image.fromarray(turned).save(source / "defect" / "t.jpg", exif=exif, quality=95)
    mask = np.zeros((32, 32), bool)
    mask[3:9, 4:20] = True
    stored = Image.fromarray(mask[::-1, ::-1].astype(np.uint8) * 255)
    write(source / "masks" / "t.png", b"")
    stored.save(source / "masks" / "t.png", exif=exif)
    import_dataset(imported, source, name=f"deep-{layout}")
    rows = imported.images(f"deep-{layout}")
    place = tmp_path / "out"
    made = exporting.export(imported, f"deep-{layout}", layout, place)
    assert len(made["turned"]) == 1 and any("--depth" in sentence for sentence in made["sentences"])
    by_source = {row["source"]: row for row in rows_of(place)}
    for row in rows:
        assert (place / by_source[row.id]["path"]).read_bytes() == row.path.read_bytes()
        assert by_source[row.id]["depth"] == ("12" if row.label == NORMAL else "8")
    info = import_dataset(imported, place, name=f"deep-{layout}-again")
    (defect,) = imported.images(info.name, label=DEFECT)
    assert np.array_equal(read_mask(defect.mask, (32, 32)), mask)
    assert str(info.depth) == "12"


# --- whole or not at all ------------------------------------------------------------------------------------------


@LAYOUTS
@pytest.mark.parametrize("suffix", ["", ".zip"])
def test_a_cancel_leaves_nothing(layout, suffix, imported, tmp_path):
    progress = Progress(lambda progress: progress.cancel() if progress.done == 5 else None)
    with pytest.raises(Cancelled):
        exporting.export(imported, "demo", layout, tmp_path / f"out{suffix}", progress=progress)
    assert not list(tmp_path.iterdir())


def test_places_that_cannot_be_are_one_sentence(imported, tmp_path):
    full, empty = tmp_path / "full", tmp_path / "empty"
    write(full / "mine.txt", b"mine")
    write(tmp_path / "there.zip", b"mine")
    empty.mkdir()
    for place, words in (
        (full, "contains files"),
        (full / "mine.txt", "already exists"),
        (tmp_path / "there.zip", "already exists"),
        (tmp_path / "no" / "where", "no folder"),
        (imported.path / "datasets" / "x", "inside the workspace"),
    ):
        with pytest.raises(BadInput, match=words):
            exporting.export(imported, "demo", "mvtec", place)
    assert (full / "mine.txt").read_bytes() == (tmp_path / "there.zip").read_bytes() == b"mine"
    exporting.export(imported, "demo", "mvtec", empty)
    assert (empty / "manifest.csv").is_file()


def test_the_command_says_what_it_wrote(judged, tmp_path, capsys):
    words = ["export", "plates", "--workspace", str(judged.path)]
    assert (
        cli.main([*words, "--as", "coco", "--to", str(tmp_path / "a.zip"), "--without-painted", "--json"])
        == 0
    )
    made = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert made["painted"] == 0 and made["marked"] == 3 and made["layout"] == "coco"
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = set(archive.namelist())
    assert {"manifest.csv", "groups.csv", "annotations/instances_test.json"} < names
    assert cli.main([*words, "--as", "mvtec", "--to", str(tmp_path / "b")]) == 0
    said = capsys.readouterr().out
    assert "13 images" in said and "51.png" in said
    assert cli.main([*words, "--as", "mvtec", "--to", str(tmp_path / "b")]) == 2
    assert "nothing is overwritten" in capsys.readouterr().err


# --- any names ------------------------------------------------------------------------------------------------------

NAMES = st.one_of(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.sampled_from(
        ["000", "7", "007_mask", "gt_7", "a_", "A", "a", "ä", "A\u0308", "label", "con", ".x", "x.tar"]
    ),
    st.sampled_from(
        ["good", "ok", "masks", "test", "train", "images", "mask2", "7 (copy)", "seg", "nul.1", "x."]
    ),
)
KINDS = st.lists(NAMES, min_size=1, max_size=2).map("/".join)


@st.composite
def exported(draw: st.DrawFn) -> list[Item]:
    """Items of a data set; each has a mask of its own, so that a wrong one is known."""
    items = [Item(Path("g.png"), "good/g.png", NORMAL, "train")]
    for number in range(draw(st.integers(1, 9))):
        label, split = (
            draw(st.sampled_from([NORMAL, DEFECT, DEFECT])),
            draw(st.sampled_from(["train", "test"])),
        )
        name = f"{draw(NAMES)}/{draw(NAMES)}{draw(st.sampled_from(['.png', '.PNG', '.jpg', '']))}"
        mask = np.zeros((16, 24), bool)
        mask[number : number + 5, 2 * number : 2 * number + 3] = True
        reader = (lambda mask=mask: mask) if draw(st.integers(0, 4)) else None
        kind = draw(KINDS) if label == DEFECT else ""
        items.append(Item(Path(name), name, label, split, kind, "", reader if label == DEFECT else None))
    return items


@LAYOUTS
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=exported())
def test_any_names_and_types_come_in_with_their_own_masks(layout, items, tmp_path):
    """Through the reader of the layout: every image, on its side, with its label, its spelled type and its mask."""
    place = tmp_path / "out"
    shutil.rmtree(place, ignore_errors=True)
    places, masks = lay_out(layout, items, place)
    name, found = look(place)
    assert name == layout
    records = {record.path: record for record in found.records}
    assert set(records) == {place.path for place in places} and len(records) == len(items)
    for item, placed, mask in zip(items, places, masks, strict=True):
        record = records[placed.path]
        assert (record.label, record.split, record.defect_type) == (item.label, item.split, placed.kind)
        back = found.mask_of(record)
        if mask is None or back is None:
            assert mask is back is None
        else:
            assert np.array_equal(back, mask)
    assert {left.folder for left in found.left_out} <= {"test/good"}  # which is empty without a test side


def lay_out(layout: str, items: list[Item], root: Path) -> tuple[list, list]:
    """Write items as an export does, with pictures of noise."""
    from exdd_core.workspace.export_layouts import CocoWriter, coco_places

    places = mvtec_places(items) if layout == "mvtec" else coco_places(items)
    if layout == "mvtec" and all(item.split == "train" for item in items):
        (root / "test" / "good").mkdir(parents=True)
    writer, masks = CocoWriter(place.kind for place in places), []
    for number, (item, place) in enumerate(zip(items, places, strict=True)):
        pixels = np.random.default_rng(number).integers(0, 256, (16, 24, 3), dtype=np.uint8)
        write(root / place.path, encode_jpeg(pixels) if place.path.endswith("jpg") else encode_png(pixels))
        mask = item.mask() if item.mask else None
        masks.append(mask)
        writer.add(item, place, (24, 16), mask)
        if place.mask and mask is not None:
            write(root / place.mask, encode_png(mask))
    if layout == "coco":
        for split in ("train", "test"):
            document = json.dumps(writer.document(split, ""))
            write(root / "annotations" / f"instances_{split}.json", document.encode())
    return places, masks


@given(st.lists(KINDS, max_size=8))
def test_types_keep_their_names_where_those_can_be_folders(kinds):
    plain = ["scratch", "a/b c", "Riß"]

    def of(kinds: list[str]) -> dict[str, str]:
        return type_folders(
            Item(Path("x.png"), "x.png", DEFECT, "train", kind, "", no_mask) for kind in kinds
        )

    folders = of([*kinds, *plain])
    assert set(folders) == {*kinds, *plain} and all(folders[kind] == kind for kind in plain)
    assert len({name.casefold() for name in folders.values()}) == len(folders)


def no_mask() -> np.ndarray:
    return np.zeros((16, 16), bool)


@given(st.text(max_size=300))
def test_a_safe_name_is_one_that_windows_takes(text):
    name = safe(text)
    assert name and not set(name) & set('<>:"/\\|?*') and name.isprintable() and len(name.encode()) < 200
    assert not name.endswith((" ", ".")) and not name.startswith(".") and safe(name) == name
    assert name.split(".")[0].strip().lower() not in ("con", "nul", "aux", "prn", "com1", "lpt9")


# --- data sets that grew --------------------------------------------------------------------------------------------


@LAYOUTS
def test_retired_images_stay_behind_and_the_region_and_state_are_told(layout, demo_dataset, tmp_path):
    workspace = Workspace.create(tmp_path / "w", backbone="efficientnet_lite0")
    import_dataset(workspace, demo_dataset, name="demo", size=plates.SMALL)
    gone = workspace.images("demo")[0]
    dataset_changes.retire(workspace, [gone.id], "Anna")
    region = np.ones((gone.height, gone.width), bool)
    region[:, : gone.width // 8] = False
    info = set_region(workspace, "demo", region, "Anna")
    scales.set_scale(workspace, "demo", 0.05)
    made = exporting.export(workspace, "demo", layout, tmp_path / "out")
    rows = rows_of(tmp_path / "out")
    assert made["images"] == len(rows) == 23 and gone.id not in {row["source"] for row in rows}
    assert {row["state"] for row in rows} == {str(info.state)} and info.state == 3
    assert any("retired" in sentence and gone.path.name in sentence for sentence in made["sentences"])
    assert np.array_equal(decoded(json.loads((tmp_path / "out" / "region.json").read_text())), region)
    said = " ".join(made["sentences"])
    assert f"--size {plates.SMALL}" in said and "--mm-per-pixel 0.05" in said
    assert not look(tmp_path / "out")[1].left_out
