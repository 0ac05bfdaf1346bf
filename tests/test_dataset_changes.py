"""Data sets that change: every state comes back exactly, nothing half, nothing torn, nothing unsaid."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from PIL import Image

from exdd_core import cli, curation
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.banks.training_images import TrainingImages
from exdd_core.datasets import Choices, natural_key
from exdd_core.depth import Depth
from exdd_core.errors import BadInput
from exdd_core.images import Size, encode_png, read_image, read_mask
from exdd_core.mask_rules import MaskRule
from exdd_core.progress import Progress
from exdd_core.workspace import (
    ImageRow,
    Workspace,
    candidates,
    dataset_changes,
    dataset_settings,
    dataset_states,
    dataset_uses,
    decisions,
    joining,
    merging,
    runs,
    schema,
    thresholds,
)
from exdd_core.workspace.columns import dataset_rows
from exdd_core.workspace.dataset_settings import set_region
from exdd_core.workspace.imports import import_dataset
from exdd_core.workspace.versions import pin_bank
from tests import plates
from tests.forked import Forked

SHAPE = (32, 40)
WHO = "anna"


def plate(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(90, 110, (*SHAPE, 3), dtype=np.uint8)


def mark(row: int) -> np.ndarray:
    mask = np.zeros(SHAPE, bool)
    mask[4 + row : 16 + row, 6:30] = True
    return mask


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode_png(pixels))


def make(folder: Path, good: int, bad: int, seed: int = 0, value: int = 255) -> Path:
    """Plain folders: normal plates, plates with a bar, and masks whose defect has that value."""
    for i in range(good):
        write(folder / "good" / f"{i}.png", plate(seed + i))
    for i in range(bad):
        image, mask = plate(seed + 500 + i), mark(i)
        image[mask] = 230
        write(folder / "defect" / "bar" / f"{i}.png", image)
        write(folder / "masks" / "bar" / f"{i}.png", mask.astype(np.uint8) * value)
    return folder


def deep(folder: Path, count: int, highest: int, seed: int = 0) -> Path:
    """Normal images of 16 bits a pixel whose values reach `highest`."""
    for i in range(count):
        values = np.random.default_rng(seed + i).integers(0, highest + 1, SHAPE).astype(np.uint16)
        (folder / "good").mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(folder / "good" / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("empty") / "w"
    return Workspace.create(place, backbone="efficientnet_lite0").path


@pytest.fixture(scope="module")
def imported(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with 6 normal and 4 defective images, to be copied."""
    folder = tmp_path_factory.mktemp("imported")
    shutil.copytree(empty, folder / "w")
    import_dataset(Workspace.open(folder / "w"), make(folder / "plates", 6, 4), size=Size(64, 64))
    return folder / "w"


@pytest.fixture
def bare(empty: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(empty, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def workspace(imported: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(imported, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def row(workspace: Workspace, path: str, state: int | None = None) -> ImageRow:
    return next(r for r in workspace.images("plates", state=state) if r.id == f"plates/{path}")


def marked(r: ImageRow) -> np.ndarray:
    """What the mask of an image marks, bool (H, W)."""
    assert r.mask is not None
    return read_mask(r.mask, SHAPE)


def region(workspace: Workspace, state: int | None = None) -> np.ndarray:
    found = workspace.region("plates", state)
    assert found is not None
    return found


def masks(rows: list[ImageRow]) -> dict[str, list[bool]]:
    return {r.id: read_mask(r.mask, None).ravel().tolist() for r in rows if r.mask}


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# --- states -------------------------------------------------------------------------------------------------

ACTIONS = ("move", "relabel", "mask", "retire", "restore", "rename", "size", "masks", "roi", "join", "undo")


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 9)), min_size=3, max_size=7))
def test_every_state_comes_back_as_it_was(imported, tmp_path_factory, steps):
    folder = tmp_path_factory.mktemp("states")
    shutil.copytree(imported, folder / "w")
    workspace = Workspace.open(folder / "w")
    ids = [r.id for r in workspace.images("plates")]
    seen = [snapshot(workspace)]
    for number, (action, n) in enumerate(steps):
        before = workspace.dataset("plates")
        standing = [
            c for c in dataset_changes.changes(workspace, "plates") if c.action != "undo" and not c.undone
        ]
        try:
            act(workspace, action, ids[n], n, make(folder / f"more{number}", 1, 1, 2000 + 10 * number))
        except BadInput:
            assert workspace.dataset("plates").state == before.state
            assert snapshot(workspace) == seen[-1]
            continue
        assert workspace.dataset("plates").state == before.state + 1 == len(seen) + 1
        seen.append(snapshot(workspace))
        if action == "undo":
            assert seen[-1] == seen[standing[0].state - 2]
        assert workspace.dataset("plates").report["counts"] == counted(workspace)
    for state, then in enumerate(seen, start=1):
        assert snapshot(workspace, state) == then
    prints = [runs.fingerprint(workspace, "plates", state) for state in range(1, len(seen) + 1)]
    for first, second in zip(range(len(seen)), range(1, len(seen)), strict=False):
        assert (prints[first] == prints[second]) <= (seen[first] == seen[second])


def snapshot(workspace: Workspace, state: int | None = None) -> tuple:
    """Everything that a state says: rows, what their masks mark, and what is set for all of them."""
    info, rows = workspace.dataset("plates", state), workspace.images("plates", state=state)
    region = workspace.region("plates", state)
    settings = (
        info.called,
        info.size,
        info.depth,
        info.mask_rule,
        None if region is None else region.tolist(),
    )
    return rows, masks(rows), settings, info.report


def counted(workspace: Workspace) -> dict[str, dict[str, int]]:
    rows = workspace.images("plates")
    return {
        split: {
            label: sum((r.split, r.label) == (split, label) for r in rows) for label in ("normal", "defect")
        }
        for split in ("train", "test")
    }


def act(workspace: Workspace, action: str, id: str, n: int, source: Path) -> None:
    if action == "move":
        dataset_changes.move(workspace, [id], ("train", "test")[n % 2], WHO)
    elif action == "relabel":
        dataset_changes.relabel(workspace, [id], ("normal", "defect")[n % 2], WHO)
    elif action == "mask":
        dataset_changes.relabel(workspace, [id], "defect", WHO, f"type {n}", mark(n))
    elif action == "retire":
        dataset_changes.retire(workspace, [id], WHO)
    elif action == "restore":
        dataset_changes.restore(workspace, [id], WHO)
    elif action == "rename":
        dataset_settings.rename(workspace, "plates", f"name{n}", WHO)
    elif action == "size":
        dataset_settings.set_choices(workspace, "plates", WHO, size=Size(32 + 8 * n, 64))
    elif action == "masks":
        dataset_settings.set_choices(workspace, "plates", WHO, masks=MaskRule(127 + n, bool(n % 2)))
    elif action == "roi":
        set_region(workspace, "plates", mark(n) if n else None, WHO)
    elif action == "join":
        joining.join(workspace, "plates", source, who=WHO)
    else:
        dataset_changes.undo(workspace, "plates", WHO)


def test_a_state_that_there_is_not_is_a_sentence(workspace):
    for state in (0, 2, -1):
        with pytest.raises(BadInput, match="its states are 1 to 1"):
            workspace.images("plates", state=state)
    with pytest.raises(BadInput, match="nothing to undo"):
        dataset_changes.undo(workspace, "plates", WHO)


def test_the_same_state_come_back_to_has_the_same_number_of_its_content(workspace):
    first = runs.fingerprint(workspace, "plates")
    dataset_changes.retire(workspace, ["plates/good/1.png"], WHO)
    second = runs.fingerprint(workspace, "plates")
    dataset_changes.undo(workspace, "plates", WHO)
    assert (
        first == runs.fingerprint(workspace, "plates") == runs.fingerprint(workspace, "plates", 1) != second
    )
    dataset_changes.retire(workspace, ["plates/good/1.png"], WHO)
    assert runs.fingerprint(workspace, "plates") == second


# --- images -------------------------------------------------------------------------------------------------


def test_a_part_moves_as_a_whole_and_is_counted(bare, tmp_path):
    source = tmp_path / "parts"
    for i in range(12):
        write(source / "good" / f"part{i // 2}_{i % 2}.png", plate(i))
    import_dataset(bare, source, name="plates", choices=Choices(groups=_pattern(), layout="folder"))
    train = bare.images("plates", split="train")[0]
    twin = next(r for r in bare.images("plates") if r.group == train.group and r.id != train.id)
    dataset_changes.retire(bare, [twin.id], WHO)
    done = dataset_changes.move(bare, [train.id], "test", WHO)
    assert (
        set(done.images) == {train.id, twin.id}
        and "1 of them because they show the same part" in done.sentence
    )
    assert bare.image(twin.id).split == bare.image(train.id).split == "test"  # retired ones go with it
    with pytest.raises(BadInput, match="already in test"):
        dataset_changes.move(bare, [train.id], "test", WHO)
    manifest = (bare.path / "datasets" / "plates" / "test.csv").read_text()
    assert train.id.removeprefix("plates/") in manifest and twin.id.removeprefix("plates/") not in manifest


def _pattern():
    from exdd_core.datasets import GroupRule

    return GroupRule.parse(r"pattern:(part\d+)_")


def test_images_are_named_by_id_or_file_and_of_one_data_set(workspace, tmp_path):
    first = row(workspace, "good/0.png")
    assert dataset_changes.named(workspace, [first.id, first.path]) == ("plates", [first.id])
    for names, words in (
        (["plates/none.png"], "no image"),
        ([], "Specify the images"),
        ([tmp_path], "no image"),
    ):
        with pytest.raises(BadInput, match=words):
            dataset_changes.named(workspace, names)
    import_dataset(workspace, make(tmp_path / "other", 3, 1, 50))
    with pytest.raises(BadInput, match="several data sets"):
        dataset_changes.named(workspace, [first.id, "other/good/0.png"])


def test_an_image_can_be_given_its_mask_later(workspace):
    path = "good/2.png"
    done = dataset_changes.relabel(workspace, [f"plates/{path}"], "defect", WHO, "pit", mark(3))
    now = row(workspace, path)
    assert (now.label, now.defect_type, done.state) == ("defect", "pit", 2)
    assert np.array_equal(marked(now), mark(3)) and "exdd-masks/2/" in str(now.mask)
    assert row(workspace, path, state=1).label == "normal" and row(workspace, path, state=1).mask is None
    dataset_changes.relabel(workspace, [now.id], "defect", WHO, mask=mark(9))  # the type stays
    assert (row(workspace, path).defect_type, row(workspace, path, 2).mask) == ("pit", now.mask)
    assert np.array_equal(marked(row(workspace, path, 2)), mark(3))
    dataset_changes.relabel(workspace, [now.id], "normal", WHO)
    assert (row(workspace, path).mask, row(workspace, path).defect_type) == (None, "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda w: dataset_changes.relabel(w, ["plates/good/1.png"], "odd", WHO), "not a label"),
        (
            lambda w: dataset_changes.relabel(w, ["plates/good/1.png"], "normal", WHO, "pit"),
            "has no defect type",
        ),
        (lambda w: dataset_changes.relabel(w, ["plates/good/1.png"], "normal", WHO), "Nothing changes"),
        (
            lambda w: dataset_changes.relabel(
                w, ["plates/good/1.png"], "defect", WHO, mask=np.ones((9, 9), bool)
            ),
            "9 x 9 pixels but its image is 40 x 32",
        ),
        (
            lambda w: dataset_changes.relabel(
                w, ["plates/good/1.png"], "defect", WHO, mask=np.zeros(SHAPE, bool)
            ),
            "marks nothing",
        ),
        (
            lambda w: dataset_changes.relabel(
                w, ["plates/good/1.png", "plates/good/2.png"], "defect", WHO, mask=mark(1)
            ),
            "belongs to a single image",
        ),
        (lambda w: dataset_changes.move(w, ["plates/good/1.png"], "validation", WHO), "train or test"),
        (lambda w: dataset_changes.restore(w, ["plates/good/1.png"], WHO), "Nothing changes"),
        (lambda w: dataset_changes.retire(w, [r.id for r in w.images()], WHO), "delete the data set"),
        (
            lambda w: dataset_settings.set_choices(w, "plates", WHO, depth=Depth.of_bits(12)),
            "more than 8 bits",
        ),
        (lambda w: set_region(w, "plates", np.ones((8, 8), bool)), "most images are 40 x 32"),
        (lambda w: set_region(w, "plates", np.zeros(SHAPE, bool)), "marks nothing"),
        (lambda w: set_region(w, "plates", np.ones(SHAPE, bool)), "the whole image"),
        (lambda w: set_region(w, "plates", None), "Nothing changes"),
    ],
)
def test_changes_that_cannot_be_meant_are_sentences_and_leave_the_state(workspace, change, words):
    before = files(workspace.path / "datasets")
    with pytest.raises(BadInput, match=words):
        change(workspace)
    assert workspace.dataset("plates").state == 1 and files(workspace.path / "datasets") == before


# --- settings -----------------------------------------------------------------------------------------------


def test_masks_are_read_anew_from_what_came_and_earlier_states_keep_theirs(bare, tmp_path):
    source = make(tmp_path / "plates", 4, 0)
    for i in range(3):  # labels 1 and 2 side by side
        image, values = plate(800 + i), np.zeros(SHAPE, np.uint8)
        values[4:16, 4:16], values[4:16, 16:28] = 1, 2
        image[values > 0] = 220
        write(source / "defect" / "bar" / f"{i}.png", image)
        write(source / "masks" / "bar" / f"{i}.png", values)
    import_dataset(bare, source)
    assert bare.dataset().mask_rule == "labels"
    both = masks(bare.images(label="defect"))
    assert {sum(marked) for marked in both.values()} == {288}
    done = dataset_settings.set_choices(bare, None, WHO, masks=MaskRule.parse("above:1"))
    assert "3 masks were written again" in done.sentence and bare.dataset().report["masks"]["empty"] == []
    assert {sum(marked) for marked in masks(bare.images(label="defect")).values()} == {144}
    assert masks(bare.images(label="defect", state=1)) == both
    done = dataset_settings.set_choices(bare, None, WHO, masks=MaskRule.parse("above:9"))
    assert "3 of which mark nothing" in done.sentence
    assert len(bare.dataset().report["masks"]["empty"]) == 3 and not bare.dataset().report["healthy"]
    dataset_settings.set_choices(bare, None, WHO, masks=MaskRule.parse("labels"))
    assert masks(bare.images(label="defect")) == both
    assert "above" not in " ".join(bare.dataset().report["sentences"])


def test_masks_that_were_drawn_here_stay_when_the_rule_changes(workspace):
    dataset_changes.relabel(workspace, ["plates/good/2.png"], "defect", WHO, mask=mark(3))
    dataset_settings.set_choices(workspace, "plates", WHO, masks=MaskRule.parse("above:127 inverted"))
    assert np.array_equal(marked(row(workspace, "good/2.png")), mark(3))
    assert np.array_equal(marked(row(workspace, "defect/bar/0.png")), ~mark(0))


def test_a_change_of_depth_changes_nothing_that_an_earlier_state_reads(bare, tmp_path):
    import_dataset(bare, deep(tmp_path / "plates", 5, 4000))
    assert bare.dataset().depth == Depth.of_bits(12)
    first = row(bare, "good/0.png")
    before = read_image(first.path, first.id, first.depth)
    done = dataset_settings.set_choices(bare, "plates", WHO, depth=Depth.of_bits(10))
    assert "10 bits" in done.sentence
    now, then = row(bare, "good/0.png"), row(bare, "good/0.png", state=1)
    assert (now.depth, then.depth, bare.image(now.id).depth) == (Depth.of_bits(10), first.depth, now.depth)
    assert bare.image(now.id, 1) == then
    assert np.array_equal(read_image(then.path, then.id, then.depth), before)
    assert not np.array_equal(read_image(now.path, now.id, now.depth), before)
    clipped = bare.dataset().report["depth"]["clipped"]
    assert set(clipped) == {f"good/{i}.png" for i in range(5)} and clipped["good/0.png"] > 0.5


def test_both_names_of_a_data_set_are_understood_and_none_means_two(workspace, tmp_path):
    import_dataset(workspace, make(tmp_path / "other", 3, 1, 60))
    done = dataset_settings.rename(workspace, "plates", "brackets", WHO)
    assert done.dataset == "plates" and workspace.dataset("brackets") == workspace.dataset("plates")
    assert workspace.dataset("plates").called == "brackets"
    assert [r.id for r in workspace.images("brackets")] == [r.id for r in workspace.images("plates")]
    for taken in ("other", "brackets/x", ""):
        with pytest.raises(BadInput):
            dataset_settings.rename(workspace, "plates", taken, WHO)
    for taken in ("brackets", "plates"):
        with pytest.raises(BadInput):
            dataset_settings.rename(workspace, "other", taken, WHO)
        with pytest.raises(BadInput):
            import_dataset(workspace, make(tmp_path / "third", 4, 1, 70), name=taken)
    dataset_settings.rename(workspace, "brackets", "plates", WHO)
    assert workspace.dataset("plates").called == "plates"
    with pytest.raises(BadInput, match="no data set"):
        workspace.dataset("brackets")


def test_a_type_is_renamed_on_all_images_and_back(workspace, capsys):
    def types():
        return {row.id: row.defect_type for row in workspace.images("plates")}

    before = types()
    old = next(kind for kind in before.values() if kind)
    with pytest.raises(BadInput, match='no defect|type "nothing"'):
        dataset_settings.rename_type(workspace, "plates", "nothing", "pit", WHO)
    for unusable in (" ", old):
        with pytest.raises(BadInput):
            dataset_settings.rename_type(workspace, "plates", old, unusable, WHO)
    some = next(id for id, kind in before.items() if kind)
    for call in (  # nothing is cut off without a word
        lambda: dataset_settings.rename_type(workspace, "plates", old, "x" * 64, WHO),
        lambda: dataset_changes.relabel(workspace, [some], "defect", WHO, defect_type="x" * 64),
    ):
        with pytest.raises(BadInput, match="at most 63 characters"):
            call()
    assert types() == before
    place = ["--workspace", str(workspace.path)]
    assert cli.main(["datasets", "rename-type", "plates", old, "  deep   pit ", *place]) == 0
    number = sum(kind == old for kind in before.values())
    assert f'Renamed "{old}" to "deep pit" on {number} image' in capsys.readouterr().out
    assert types() == {id: "deep pit" if kind == old else kind for id, kind in before.items()}
    assert "deep pit" in " ".join(workspace.dataset("plates").report["sentences"])
    dataset_changes.undo(workspace, "plates", WHO)
    assert types() == before


def test_taking_a_name_back_that_another_has_now_is_a_sentence(workspace, tmp_path):
    dataset_settings.rename(workspace, "plates", "a", WHO)
    dataset_settings.rename(workspace, "plates", "b", WHO)
    import_dataset(workspace, make(tmp_path / "other", 3, 1, 60), name="a")
    with pytest.raises(BadInput, match='named "a"'):
        dataset_changes.undo(workspace, "plates", WHO)
    assert workspace.dataset("plates").called == "b" and workspace.dataset("plates").state == 3


def test_a_region_lasts_by_state_and_can_be_taken_from_brightness(workspace):
    assert workspace.region("plates") is None
    info = set_region(workspace, "plates", mark(2), WHO)
    assert np.array_equal(region(workspace), mark(2)) and info.roi == "roi-2.png"
    set_region(workspace, "plates", mark(5), WHO)
    assert np.array_equal(region(workspace, 2), mark(2)) and workspace.region("plates", 1) is None
    set_region(workspace, "plates", None, WHO)
    assert workspace.region("plates") is None and np.array_equal(region(workspace, 3), mark(5))
    bright = dataset_settings.region_by_threshold(workspace, "plates", 99)
    assert bright.shape == SHAPE and bright.dtype == bool and 0.2 < bright.mean() < 0.8
    assert not dataset_settings.region_by_threshold(workspace, "plates", 200).any()


# --- joining ------------------------------------------------------------------------------------------------


def test_new_images_join_and_what_is_there_is_passed_over(workspace, tmp_path):
    before = {r.id: r for r in workspace.images("plates")}
    source = make(tmp_path / "more", 6, 4)  # all that is there
    for i in range(10):
        write(source / "good" / f"new{i}.png", plate(900 + i))
    joined = joining.join(workspace, "plates", source, who=WHO)
    assert len(joined.joined) == 10 and len(joined.passed_over) == 10 and joined.state == 2
    assert not joined.renamed and not joined.copies
    after = {r.id: r for r in workspace.images("plates")}
    assert {id: after[id] for id in before} == before  # nothing that was there has moved
    new = [r for id, r in after.items() if id not in before]
    assert {r.label for r in new} == {"normal"}
    assert [r.split for r in new].count("test") == 3  # the 9th, 12th and 15th of every third
    assert workspace.dataset("plates").report["images"] == 20
    assert list(after) == sorted(after, key=lambda id: natural_key(id))
    again = joining.join(workspace, "plates", source)
    assert (again.joined, len(again.passed_over), again.state) == ([], 20, 2)
    assert "are already in the data set" in again.sentences[0]


def test_masks_of_known_images_that_differ_are_said(workspace, tmp_path):
    source = make(tmp_path / "more", 6, 4)
    write(source / "masks" / "bar" / "1.png", mark(9))
    (source / "masks" / "bar" / "2.png").unlink()  # says nothing
    (said,) = joining.join(workspace, "plates", source).sentences[1:]
    assert said.startswith(
        "The source marks the defect of 1 image (defect/bar/1.png) otherwise than the data set"
    )
    kept = row(workspace, "defect/bar/1.png").mask
    assert kept is not None and np.array_equal(read_mask(kept, SHAPE), mark(1))
    bare = make(tmp_path / "bare", 6, 4)
    shutil.rmtree(bare / "masks")
    import_dataset(workspace, bare, "bare")
    (said,) = joining.join(workspace, "bare", make(tmp_path / "bare", 6, 4)).sentences[1:]
    assert "marks the defect of 4 images" in said and "or none; where the source is right, outline" in said


def test_another_image_of_a_known_name_is_stored_under_another_and_said(workspace, tmp_path):
    source = make(tmp_path / "more", 2, 1, seed=300)
    joined = joining.join(workspace, "plates", source)
    assert joined.renamed["good/0.png"] == "good/0-2.png" and len(joined.renamed) == 3
    assert any("Stored under another name" in said for said in joined.sentences)
    new = row(workspace, "good/0-2.png")
    assert new.group == "good/0-2" and new.path.read_bytes() == (source / "good/0.png").read_bytes()
    defect = row(workspace, "defect/bar/0-2.png")
    assert np.array_equal(marked(defect), mark(0))
    again = joining.join(workspace, "plates", source)
    assert again.joined == [] and len(again.passed_over) == 3


def test_a_mask_of_a_known_name_with_another_content_does_not_overwrite(workspace, tmp_path):
    source = tmp_path / "more"
    image = plate(700)
    image[mark(11)] = 230
    write(source / "defect" / "bar" / "0.jpg.png", image)
    write(source / "masks" / "bar" / "0.png", mark(11))
    write(source / "good" / "x.png", plate(701))
    os.rename(source / "defect/bar/0.jpg.png", source / "defect/bar/0.bmp")
    Image.fromarray(image).save(source / "defect/bar/0.bmp")
    joining.join(workspace, "plates", source)
    assert np.array_equal(marked(row(workspace, "defect/bar/0.png")), mark(0))
    assert np.array_equal(marked(row(workspace, "defect/bar/0.bmp")), mark(11))


def test_a_copy_under_another_name_is_said_and_stays_with_its_part(workspace, tmp_path):
    test = workspace.images("plates", split="test", label="normal")[0]
    source = tmp_path / "more"
    (source / "good").mkdir(parents=True)
    shutil.copy(test.path, source / "good" / "again.png")
    joined = joining.join(workspace, "plates", source)
    assert joined.copies == {"good/again.png": test.id.removeprefix("plates/")}
    assert any("Exact copies" in said for said in joined.sentences)
    copy = row(workspace, "good/again.png")
    assert (copy.group, copy.split) == (test.group, "test")


def test_a_known_part_keeps_its_side_and_the_rule_goes_on(bare, tmp_path):
    source, more = tmp_path / "plates", tmp_path / "more"
    for i in range(10):
        write(source / "good" / f"part{i:02}_0.png", plate(i))
        write(more / "good" / f"part{i:02}_1.png", plate(100 + i))
    for i in range(10, 13):
        write(more / "good" / f"part{i}_0.png", plate(200 + i))
    import_dataset(bare, source, choices=Choices(groups=_pattern()))
    side = {r.group: r.split for r in bare.images("plates")}
    joining.join(bare, "plates", more)  # grouped as the data set was
    for r in bare.images("plates"):
        assert side.setdefault(r.group, r.split) == r.split
    assert [side[f"part{i}"] for i in (10, 11, 12)] == ["train", "test", "train"]  # the 12th of every third


def test_one_image_at_a_time_is_split_as_many_at_once(workspace, tmp_path):
    sides = []
    for i in range(6):
        write(tmp_path / str(i) / "good" / f"new{i}.png", plate(900 + i))
        joining.join(workspace, "plates", tmp_path / str(i))
        sides.append(row(workspace, f"good/new{i}.png").split)
    assert sides.count("test") == 2


def test_masks_that_call_for_another_rule_are_said_and_can_be_read_by_it(workspace, tmp_path):
    source = make(tmp_path / "more", 1, 2, seed=300, value=1)
    joined = joining.join(workspace, "plates", source)
    assert any("--masks" in said and "above:127" in said for said in joined.sentences)
    assert len(joined.report["masks"]["empty"]) == 2 and not joined.report["healthy"]
    dataset_changes.undo(workspace, "plates", WHO)
    assert len(workspace.images("plates")) == 10
    joined = joining.join(workspace, "plates", source, Choices(masks=MaskRule.parse("labels")))
    assert joined.report["masks"]["empty"] == [] and len(workspace.images("plates")) == 13
    assert np.array_equal(marked(row(workspace, "defect/bar/1-2.png")), mark(1))
    assert workspace.dataset("plates").mask_rule == "above:127"


def test_deep_images_are_read_by_the_depth_of_the_data_set(bare, tmp_path):
    import_dataset(bare, deep(tmp_path / "plates", 4, 4000))
    joined = joining.join(bare, "plates", deep(tmp_path / "more", 2, 900, seed=50))
    assert {r.depth for r in bare.images("plates")} == {Depth.of_bits(12)} and len(joined.joined) == 2
    joined = joining.join(bare, "plates", deep(tmp_path / "beyond", 2, 16000, seed=70))
    assert any("clipped" in said for said in joined.report["sentences"])
    with pytest.raises(BadInput, match="datasets set plates --depth 14"):
        joining.join(bare, "plates", tmp_path / "more", Choices(depth=Depth.of_bits(14)))


def test_the_first_deep_images_give_a_data_set_its_depth(workspace, tmp_path):
    source = deep(tmp_path / "more", 3, 4000)
    joined = joining.join(workspace, "plates", source)
    assert workspace.dataset("plates").depth == Depth.of_bits(12)
    assert any("first images of more than 8 bits" in said for said in joined.sentences)
    mixed = [said for said in joined.report["sentences"] if "8 bits per channel" in said]
    assert len(mixed) == 1 and "and 3 images have more" in mixed[0]
    more = joining.join(workspace, "plates", make(tmp_path / "shallow", 2, 0, seed=90))
    mixed_again = [said for said in more.report["sentences"] if "8 bits per channel" in said]
    assert len(mixed_again) == 1 and mixed_again != mixed and not more.report["healthy"]
    assert workspace.dataset("plates", 1).depth is None


def test_what_cannot_be_read_is_left_out_named_and_welcome_when_it_is_mended(workspace, tmp_path):
    source = make(tmp_path / "more", 3, 0, seed=400)
    shutil.copy(source / "good/2.png", tmp_path / "whole.png")
    for name, cut in (("good/bad.png", 80), ("good/2.png", 90)):
        (source / name).write_bytes((tmp_path / "whole.png").read_bytes()[:cut])
    joined = joining.join(workspace, "plates", source)
    assert sorted(joined.joined) == ["good/0.png", "good/1.png"]
    left = [item for item in joined.report["left_out"] if "cannot be read" in item["reason"]]
    assert sum(item["count"] for item in left) == 2 and not joined.report["healthy"]
    shutil.copy(tmp_path / "whole.png", source / "good/bad.png")
    again = joining.join(workspace, "plates", source)
    assert again.joined == ["good/bad.png"] and row(workspace, "good/bad.png")
    left = [item for item in again.report["left_out"] if "cannot be read" in item["reason"]]
    assert "good/bad.png" not in str(left)


def test_answers_for_folders_are_asked_for_and_kept(bare, tmp_path):
    source, more = tmp_path / "plates", tmp_path / "more"
    for i in range(6):
        write(source / "monday" / f"{i}.png", plate(i))
        write(more / "monday" / f"n{i}.png", plate(50 + i))
    import_dataset(bare, source, choices=Choices(roles={"monday": "normal"}))
    assert len(joining.join(bare, "plates", more).joined) == 6
    for i in range(3):
        write(tmp_path / "third" / "tuesday" / f"{i}.png", plate(80 + i))
    with pytest.raises(BadInput, match="--role"):
        joining.join(bare, "plates", tmp_path / "third")
    joined = joining.join(bare, "plates", tmp_path / "third", Choices(roles={"tuesday": "normal"}))
    assert len(joined.joined) == 3 and len(bare.images("plates")) == 15


# --- killed in the middle -----------------------------------------------------------------------------------

KILLED = """
import os, pathlib, signal, sys
from exdd_core.workspace import dataset_changes, dataset_states, joining
from exdd_core.progress import Progress
from exdd_core.workspace import Workspace

place, point, source = sys.argv[1:]
die = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
workspace = Workspace.open(place)
if point == "while files move":
    replace, moved = os.replace, []
    def half(a, b):
        replace(a, b)
        moved.append(a)
        if len(moved) == 3:
            die()
    dataset_changes.os.replace = half
elif point == "before the commit":
    dataset_states._insert = die
elif point == "after the commit":
    dataset_changes._write_manifests = die
progress = Progress(lambda p: die() if p.stage == point and p.done * 2 >= p.total else None)
joining.join(workspace, "plates", source, progress=progress)
"""


@pytest.mark.parametrize(
    "point", ["Copying files", "Checking images", "while files move", "before the commit", "after the commit"]
)
def test_a_join_that_is_killed_counts_in_whole_or_not_at_all(workspace, tmp_path, point):
    source = make(tmp_path / "more", 4, 2, seed=300, value=200)
    before = snapshot(workspace)
    assert Forked(KILLED, workspace.path, point, source).wait() == -signal.SIGKILL
    reopened = Workspace.open(workspace.path)
    assert not list(reopened.path.glob("datasets/.making-*"))
    if point == "after the commit":
        assert len(reopened.images("plates")) == 16 and reopened.dataset("plates").state == 2
        assert all(r.path.is_file() and (not r.mask or r.mask.is_file()) for r in reopened.images("plates"))
        return
    assert snapshot(reopened) == before
    joined = joining.join(reopened, "plates", source)  # what lies there is in nobody's way
    assert len(joined.joined) == 6 and joined.renamed["good/0.png"] == "good/0-2.png"
    assert np.array_equal(marked(row(reopened, "defect/bar/0-2.png")), mark(0))


@pytest.mark.parametrize("at", ["report", "rows"])
def test_a_change_that_fails_leaves_no_file(workspace, tmp_path, monkeypatch, at):
    source = make(tmp_path / "more", 4, 2, seed=300)
    before, then = files(workspace.path / "datasets" / "plates"), snapshot(workspace)

    def fail(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    name = "dataset_reports.renewed" if at == "report" else "dataset_states._insert"
    monkeypatch.setattr(f"exdd_core.workspace.{name}", fail)
    for change in (
        lambda: joining.join(workspace, "plates", source),
        lambda: dataset_changes.relabel(workspace, ["plates/good/1.png"], "defect", WHO, mask=mark(1)),
        lambda: dataset_settings.set_choices(workspace, "plates", WHO, masks=MaskRule(9, True)),
    ):
        with pytest.raises(BadInput, match="disk is full"):
            change()
        assert files(workspace.path / "datasets" / "plates") == before and snapshot(workspace) == then


# --- several, deleting, older ones ----------------------------------------------------------------------------


def test_several_data_sets_become_one_with_their_parts_apart(workspace, tmp_path):
    import_dataset(workspace, make(tmp_path / "other", 4, 2, 60, value=1), size=Size(64, 64))
    dataset_settings.rename(workspace, "plates", "brackets", WHO)
    dataset_changes.retire(workspace, ["plates/good/1.png"], WHO)
    info = merging.join_datasets(workspace, "all", ["plates", "other"])
    rows = {r.id: r for r in workspace.images("all")}
    assert len(rows) == 15 and workspace.dataset() == info and "all/brackets/good/1.png" not in rows
    for name, key in (("brackets", "plates"), ("other", "other")):
        for old in workspace.images(key):
            new = rows[f"all/{name}/{old.id.removeprefix(key + '/')}"]
            assert (new.label, new.split, new.defect_type) == (old.label, old.split, old.defect_type)
            assert new.group == f"{name}/{old.group}" and new.path.read_bytes() == old.path.read_bytes()
            assert (new.mask is None) == (old.mask is None)
            if old.mask and new.mask:
                assert np.array_equal(read_mask(new.mask, SHAPE), read_mask(old.mask, SHAPE))
    for names, words in (
        (["plates"], "two or more data sets"),
        (["plates", "brackets"], "two or more data sets"),
    ):
        with pytest.raises(BadInput, match=words):
            merging.join_datasets(workspace, "more", names)
    with pytest.raises(BadInput, match="another name"):
        merging.join_datasets(workspace, "brackets", ["plates", "other"])


def test_data_sets_of_different_depths_are_not_joined(bare, tmp_path):
    import_dataset(bare, deep(tmp_path / "a", 4, 4000))
    import_dataset(bare, deep(tmp_path / "b", 4, 60000, 40))
    import_dataset(bare, make(tmp_path / "c", 4, 0))
    with pytest.raises(BadInput, match=r"a with 12 bits .*, b with 16 bits"):
        merging.join_datasets(bare, "all", ["a", "b"])
    both = merging.join_datasets(bare, "all", ["c", "a"])
    assert both.depth == Depth.of_bits(12) and not both.report["healthy"]
    told = [said for said in both.report["sentences"] if "8 bits per channel and 4 images have more" in said]
    assert len(told) == 1 and "c/" in told[0]


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a data set, a bank version, candidates and decisions, to be copied."""
    return plates.build(tmp_path_factory.mktemp("used"))


@pytest.fixture
def curated(used: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(used, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def test_a_deleted_data_set_takes_all_that_it_made_with_it(curated, tmp_path):
    curation.accept(curated, plates.pending(curated)[:2], WHO)
    make(tmp_path / "other", 6, 3, 40)
    import_dataset(curated, tmp_path / "other", size=Size(64, 64))
    kept = build_bank(curated, "other", negative_ratio=0.2, activate=False)
    runs.store(curated, "r1", "evaluate", "one", {"dataset": "plates"}, {"methods": {}}, "")
    runs.store(curated, "r2", "evaluate", "two", {"dataset": "other"}, {"methods": {}}, kept.id)
    used = dataset_uses.uses(curated, "plates")
    assert (used.versions, used.runs, used.candidates) == (["v1"], 1, 6) and used.decisions >= 2
    assert "1 bank version (v1)" in used.sentence
    pin_bank(curated, "v1")
    with pytest.raises(BadInput, match=r"pinned bank versions \(v1\)"):
        dataset_uses.delete(curated, "plates")
    pin_bank(curated, "v1", False)
    built = curated.bank("v1").id
    thresholds.choose(curated, built, thresholds.Choice(value=2.0, way="hand", who=WHO))
    said = dataset_uses.delete(curated, "plates")
    assert thresholds.listed(curated, built) == []
    assert said.startswith('"plates" was deleted, with 1 bank version (v1)')
    assert [info.name for info in curated.datasets()] == ["other"] and curated.dataset().name == "other"
    assert [bank.name for bank in curated.banks()] == ["v2"] and curated.bank().id == kept.id
    assert candidates.listed(curated) == [] and decisions.history(curated) == []
    assert [run.id for run in runs.listed(curated)] == ["r2"]
    reopened = Workspace.open(curated.path)
    for place in ("datasets", "banks", "candidates"):
        left = [entry.name for entry in (reopened.path / place).iterdir() if entry.is_dir()]
        assert left == {"datasets": ["other"], "banks": [kept.id], "candidates": []}[place]
    with reopened.reading() as db:
        for table in ("images", "candidates", "banks", "dataset_changes"):
            assert db.execute(f"select count(*) from {table} where dataset = 'plates'").fetchone() == (0,)
    again = import_dataset(reopened, make(tmp_path / "plates", 6, 3))
    assert again.changed and again.state == 1


def test_the_last_data_set_can_go_and_nothing_is_active_then(curated):
    dataset_uses.delete(curated, "plates")
    assert curated.datasets() == [] and curated.banks() == [] and curated.active_bank() is None
    with pytest.raises(BadInput, match="import one first"):
        curated.dataset()
    assert dataset_changes.due(curated) == ""


def test_an_image_that_lent_a_defect_to_another_data_set_is_still_known(curated, tmp_path):
    import_dataset(curated, make(tmp_path / "other", 4, 2, 40))
    lender = curated.images("plates", label="defect")[0]
    made = plates.paint(curated, 50, dataset="other", source="other/good/0.png", donor=lender.id)
    dataset_uses.delete(curated, "plates")
    assert curated.image(lender.id).group == lender.group
    assert candidates.get(curated, made.id).donor == lender.id
    import_dataset(curated, make(tmp_path / "plates", 4, 12, 80))  # its row is in nobody's way
    assert len(curated.images("plates")) == 16


def test_a_job_that_may_use_a_data_set_keeps_it(curated):
    with curated.writing() as db:
        db.execute(
            "insert into jobs (id, kind, title, spec, state) values ('j', 'build', 'Building', ?, 'queued')",
            [json.dumps({"dataset": "plates"})],
        )
    with pytest.raises(BadInput, match='"Building" is not finished'):
        dataset_uses.delete(curated, "plates")
    assert curated.dataset("plates")


def test_banks_say_their_state_and_what_a_rebuild_would_take_in(curated, tmp_path):
    assert curated.bank().state == 1 and dataset_changes.due(curated) == ""
    train = curated.images("plates", split="train", label="normal")
    dataset_settings.rename(curated, "plates", "panels", WHO)
    test = curated.images("plates", split="test")[0]
    dataset_changes.retire(curated, [test.id], WHO)  # teaches nothing
    assert dataset_changes.due(curated) == ""
    for i in range(3):
        write(tmp_path / "more" / "good" / f"new{i}.png", plates.plate(5000 + i))
    joining.join(curated, "plates", tmp_path / "more")
    dataset_changes.retire(curated, [train[0].id], WHO)
    dataset_changes.relabel(curated, [train[1].id], "defect", WHO, mask=_bar())
    said = dataset_changes.due(curated)
    assert "panels since v1 was built (state 1, now 6): 2 added, 1 removed, 1 changed" in said
    assert dataset_changes.due(curated, "v1") == said
    built = build_bank(curated, negative_ratio=0.2)
    assert built.state == 6 and dataset_changes.due(curated) == ""
    old = build_bank(curated, negative_ratio=0.2, state=1, activate=False)
    assert old.state == 1 and old.summary["negative_images"] == curated.bank("v1").summary["negative_images"]


def _bar() -> np.ndarray:
    mask = np.zeros(plates.SHAPE, bool)
    mask[5:15, 5:40] = True
    return mask


def test_a_marked_image_teaches_once_where_it_trains_and_nothing_where_it_is_retired(curated):
    marked_ones = curated.images("plates", split="test", label="defect")[:2]
    before = build_bank(curated, negative_ratio=0.2, activate=False).summary["positive_images"]
    for r in marked_ones:
        curation.mark_missed(curated, r.id, r.path, read_mask(r.mask or b"", None), WHO, "bar")
    mark_of = decisions.in_force(curated, "missed")[0]
    assert mark_of.detail["state"] == 1
    assert build_bank(curated, negative_ratio=0.2, activate=False).summary["positive_images"] == before + 2
    dataset_changes.move(curated, [marked_ones[0].id], "train", WHO)
    dataset_changes.retire(curated, [marked_ones[1].id], WHO)
    bank = build_bank(curated, negative_ratio=0.2, activate=False)
    assert bank.summary["positive_images"] == before + 1
    positive = load_detector(curated, bank.id).positive
    assert positive is not None and [i.id for i in positive.images].count(marked_ones[0].id) == 1


def test_a_false_alarm_on_a_retired_image_teaches_no_build(curated):
    normal = curated.images("plates", split="test", label="normal")[0]
    place = np.zeros((normal.height, normal.width), bool)
    place[4:20, 4:20] = True
    curation.mark_false_alarm(curated, normal.id, normal.path, WHO, place)

    def teachers() -> list[str]:
        bank = build_bank(curated, negative_ratio=0.2, activate=False)
        return [image.id for image in load_detector(curated, bank.id).negative.images]

    assert normal.id in teachers()
    dataset_changes.retire(curated, [normal.id], WHO)
    assert normal.id not in teachers()


def test_a_workspace_of_schema_version_3_opens_and_grows(imported, tmp_path):
    """Tables as they were before states, depths and rules were kept."""
    shutil.copytree(imported, tmp_path / "old")
    with sqlite3.connect(tmp_path / "old" / "workspace.db") as db:
        for (index,) in db.execute(
            "select name from sqlite_master where name like 'idx_images_%'"
        ).fetchall():
            db.execute(f"drop index {index}")
        for table, columns in (
            ("datasets", ("depth", "mask_rule", "state", "called", "roi")),
            ("images", ("retired", "originals", "place")),
        ):
            for column in columns:
                db.execute(f"alter table {table} drop column {column}")
        report = json.loads(db.execute("select report from datasets").fetchone()[0])
        for key in (
            "left_out",
            "mask_rule",
            "depth",
            "questions",
            "notes",
            "choices",
            "doubts",
            "several_pages",
        ):
            report.pop(key, None)
        db.execute("update datasets set report = ?", [json.dumps(report)])
        db.execute("drop table dataset_changes")
        db.execute("pragma user_version = 3")
    db.close()
    workspace = Workspace.open(tmp_path / "old")
    info = workspace.dataset("plates")
    assert (info.state, info.called, info.depth, info.roi) == (1, "plates", None, None)
    before = snapshot(workspace)
    joined = joining.join(workspace, "plates", make(tmp_path / "more", 3, 1, 600))
    assert joined.state == 2 and len(workspace.images("plates")) == 14
    dataset_settings.set_choices(workspace, "plates", WHO, masks=MaskRule(127, True))
    assert snapshot(workspace, 1) == before
    with workspace.reading() as reading:
        assert schema.version(reading) == schema.VERSION
        assert dataset_states.current(dataset_rows(reading, "select * from datasets")[0]) == 3


# --- what older versions left -----------------------------------------------------------------------------------


def as_of_an_older_version(workspace: Workspace) -> None:
    """Data sets as they were before depths and rules for masks were kept."""
    with workspace.writing() as db:
        db.execute("update datasets set depth = null, mask_rule = null")


def test_a_depth_that_was_never_kept_is_guessed_once_of_all_images_and_said(
    bare: Workspace, tmp_path: Path
) -> None:
    import_dataset(bare, deep(tmp_path / "deep", 6, 4095), size=Size(64, 64))
    as_of_an_older_version(bare)
    before = bare.dataset()
    info, said = dataset_settings.settled(bare, None, None, Progress())
    assert before.depth is None and info.depth == Depth.of_bits(12) and info.state == before.state + 1
    assert "12 bits (0 to 4095)" in said and "datasets set deep --depth" in said
    assert dataset_settings.settled(bare, None, None, Progress()) == (info, "")
    assert dataset_settings.settled(bare, None, before.state, Progress())[0].depth is None
    assert build_bank(bare, positives="none").settings["depth"] == "12"


def test_a_build_of_an_older_data_set_says_that_a_depth_was_guessed(bare: Workspace, tmp_path: Path) -> None:
    import_dataset(bare, deep(tmp_path / "deep", 6, 16383), size=Size(64, 64))
    as_of_an_older_version(bare)
    bank = build_bank(bare, positives="none")
    assert bank.settings["depth"] == "14" and "estimated from all of them" in bank.summary["note"]
    assert bank.state == bare.dataset().state


def test_images_of_8_bits_of_an_older_data_set_are_left_alone(workspace: Workspace) -> None:
    as_of_an_older_version(workspace)
    state = workspace.dataset().state
    assert dataset_settings.settled(workspace, None, None, Progress())[1] == ""
    assert workspace.dataset().state == state


def test_a_retired_image_is_still_known_to_the_bank_that_was_built_from_it(
    workspace: Workspace, tmp_path: Path
) -> None:
    bank = build_bank(workspace, positives="none")
    first = workspace.images(split="train", label="normal")[0]
    dataset_changes.retire(workspace, [first.id], WHO)
    copy = tmp_path / "copy.png"
    shutil.copyfile(first.path, copy)
    known = TrainingImages(workspace, bank, load_detector(workspace, bank.id))
    assert "in the bank itself" in known.sentence("file:copy", copy)
    write(copy, plate(4711))
    assert known.sentence("file:copy", copy) == ""


@pytest.mark.parametrize("share, words", [(0.9, "hardly any normal surface"), (0.6, "inverted")])
def test_a_mask_that_cannot_be_that_of_a_defect_labels_nothing(
    workspace: Workspace, share: float, words: str
) -> None:
    mask = np.ones(SHAPE, bool)
    height, width = SHAPE
    hole = int((height * width * (1 - share)) ** 0.5)
    mask[8 : 8 + hole, 8 : 8 + hole] = False
    image = row(workspace, "good/0.png").id
    with pytest.raises(BadInput, match=words):
        dataset_changes.relabel(workspace, [image], "defect", WHO, "dent", mask)
    assert workspace.image(image).label == "normal"


def test_a_measurement_from_before_states_is_made_again_of_what_was_imported() -> None:
    older = runs.Run("a", "evaluate", "old", {"dataset": "plates"}, {"methods": {}}, "", "", 0.0)
    assert runs.settings(older)["state"] == dataset_states.FIRST
    newer = runs.Run("b", "evaluate", "new", {"state": 3}, {"state": 3, "methods": {}}, "", "", 0.0)
    assert runs.settings(newer)["state"] == 3
