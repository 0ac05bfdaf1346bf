"""Lists, kept results and exports of a review, without a browser."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import cv2
import gradio as gr
import numpy as np
import pytest
from PIL import Image

from exdd_core import curation, review as review_module
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.curation import outlining
from exdd_core.errors import BadInput, Cancelled
from exdd_core.experiments import unseen
from exdd_core.images import encode_png, read_image, read_mask
from exdd_core.progress import Progress
from exdd_core.review import Results, Review, comparing
from exdd_core.workspace import Workspace, dataset_changes, decisions
from pages.banks.comparison import Compared


@pytest.fixture
def review(demo_workspace: Workspace, tmp_path: Path) -> Review:
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    return Review(Workspace.open(tmp_path / "workspace"))


def test_the_first_list_is_the_active_data_sets_test_images(review: Review) -> None:
    lists = review.lists()
    assert [known.key for known in lists] == ["demo/test", "demo/train"]
    images = review.images("demo/test")
    assert lists[0].count == len(images) and {image.label for image in images} == {"normal", "defect"}
    assert all(review.list_of(image.id) == "demo/test" for image in images)


def test_scores_are_kept_for_their_bank_version_and_made_once(review: Review) -> None:
    images, bank = review.images("demo/test"), review.workspace.bank()
    told = Progress()
    assert review.score(images, told) == []
    assert told.done == told.total == len(images)
    again = Review(review.workspace)  # as after a restart
    rows = again.results(bank).rows()
    assert set(rows) == {image.id for image in images}
    for image in images:
        made = again.compare(image.id)
        row = rows[image.id]
        assert np.isclose(row["exdd_score"] or np.nan, made.exdd.score, rtol=1e-4)
        assert (row["patchcore_verdict"], row["exdd_verdict"]) == (made.patchcore.verdict, made.exdd.verdict)
        assert row["exdd_reason"] == made.exdd.reason and row["truth"] == image.label
    again.score(images, told)
    assert told.total == 0  # nothing was left to score
    other = build_bank(review.workspace, "demo", positives="none")
    assert review.results(other).rows() == {}


def test_a_comparison_is_made_once_and_memory_stays_bounded(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = [image.id for image in review.images("demo/test")]
    made = review.compare(first)
    assert review.compare(first) is made
    assert made.pixels.nbytes < made.bytes < 100 * made.pixels.nbytes
    monkeypatch.setattr(comparing, "MEMORY", 1)
    kept = review.compare(second)
    assert review.compare(second) is kept  # the newest always stays
    assert review.compare(first) is not made


def test_cancelling_keeps_what_was_scored(review: Review) -> None:
    images = review.images("demo/train") + review.images("demo/test")
    told = Progress(lambda progress: progress.cancel() if progress.done >= 4 else None)
    with pytest.raises(Cancelled):
        review.score(images, told)
    kept = Review(review.workspace).results(review.workspace.bank()).rows()
    assert 4 <= len(kept) < len(images)
    review.score(images)
    assert len(Review(review.workspace).results(review.workspace.bank()).rows()) == len(images)


def stored(id: str, **values: Any) -> Any:
    """A row with a few of its values."""
    return {"id": id, **values}


def test_a_result_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    results = Results(tmp_path / "results" / "b.jsonl")
    results.add("", [stored("a"), stored("b")])
    results.add("", [stored("b", image="newer"), stored("c")])
    seen, rows = results.since(2)
    assert seen == 3 and rows == [{"id": "c", "state": ""}]
    path = tmp_path / "results" / "b.jsonl"
    path.write_text(path.read_text()[:-4] + '\n["not", "a", "row"]\n')
    assert list(Results(path).rows()) == ["a", "b"]


def test_rows_that_another_process_adds_show_up_once(tmp_path: Path) -> None:
    ours, theirs = Results(tmp_path / "b.jsonl"), Results(tmp_path / "b.jsonl")
    ours.add("", [stored("a", image="us")])
    theirs.add("", [stored("a", image="them"), stored("b")])
    assert ours.since(1) == (2, [{"id": "b", "state": ""}]) and ours.rows()["a"]["image"] == "us"
    with (tmp_path / "b.jsonl").open("a") as file:
        file.write('{"id": "half')  # killed while it wrote
    assert ours.since(2) == (2, [])
    ours.add("", [stored("c")])
    assert theirs.since(2) == (3, [{"id": "c", "state": ""}])


def test_a_folder_is_remembered_and_a_changed_file_is_another_image(review: Review, tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    (folder / "sub").mkdir(parents=True)
    pixels = read_image(review.images("demo/test")[0].path)
    (folder / "part10.png").write_bytes(encode_png(pixels))
    (folder / "sub" / "part2.png").write_bytes(encode_png(pixels[::-1]))
    key = review.open_folder(folder)
    images = review.images(key)
    assert [image.name for image in images] == ["part10.png", "sub/part2.png"]
    assert review.lists()[-1].key == key and review.list_of(images[0].id) == key
    assert {image.label for image in images} == {""}
    before = review.compare(images[0].id).exdd.score
    (folder / "part10.png").write_bytes(encode_png(np.full_like(pixels, 40)))
    changed = review.images(key)[0]
    assert changed.id != images[0].id and review.compare(changed.id).exdd.score != before
    for number in range(review_module.FOLDERS_KEPT):
        shutil.copytree(folder, tmp_path / f"more{number}")
        review.open_folder(tmp_path / f"more{number}")
    assert key not in [known.key for known in review.lists()]


def test_files_outside_every_list_are_not_shown(review: Review, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(encode_png(np.zeros((32, 32, 3), np.uint8)))
    shutil.copytree(tmp_path / "workspace" / "datasets", tmp_path / "images")
    review.open_folder(tmp_path / "images")
    for id in (
        f"file:{tmp_path}/images/../secret.png#1",
        f"file:{secret}#1",
        "file:/etc/passwd#1",
        "demo/../../secret.png",
        "nothing",
    ):
        with pytest.raises(BadInput):
            review.image(id)
    for folder in (tmp_path / "nowhere", secret, tmp_path / "empty"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        with pytest.raises(BadInput):
            review.open_folder(folder)
    with pytest.raises(BadInput):
        review.images("folder:/etc")


def test_an_upload_that_was_cut_short_is_copied_again(
    review: Review, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "part.png").write_bytes(encode_png(np.full((40, 40, 3), 90, np.uint8)))
    with monkeypatch.context() as patched:

        def cut_short(source: Path, target: Path) -> None:
            Path(target).write_bytes(Path(source).read_bytes()[:20])
            raise OSError("No space left on device")

        patched.setattr(shutil, "copyfile", cut_short)
        with pytest.raises(OSError):
            review.add_files([(tmp_path / "part.png", "part.png")])
    (id,), _ = review.add_files([(tmp_path / "part.png", "part.png")])
    assert review.image(id).path.read_bytes() == (tmp_path / "part.png").read_bytes()


def test_uploads_are_copied_once_whatever_they_are_called(review: Review, tmp_path: Path) -> None:
    pixels = encode_png(np.full((40, 40, 3), 90, np.uint8))
    (tmp_path / "upload1").write_bytes(pixels)
    (tmp_path / "upload2").write_text("not an image")
    files = [(tmp_path / "upload1", "../../part.png"), (tmp_path / "upload2", "notes.png")]
    ids, refused = review.add_files(files)
    assert len(ids) == 1 and len(refused) == 1 and "notes.png" in refused[0]
    (tmp_path / "upload1").unlink()  # Gradio cleans up behind itself
    image = review.image(ids[0])
    assert image.name == "part.png" and image.path.is_relative_to(review.workspace.path)
    (tmp_path / "upload1").write_bytes(pixels)
    review.add_files([(tmp_path / "upload1", "part.png")])
    assert len(review.images("uploads")) == 1
    assert review.list_of(review.images("uploads")[0].id) == "uploads"
    review.open_folder(tmp_path)
    assert review.clear(f"folder:{tmp_path}").startswith("Removed ") and (tmp_path / "upload1").is_file()
    assert review.clear("uploads") == "Removed 1 uploaded image." and not image.path.parent.exists()
    assert review.put_back() == "Restored 1 uploaded image." and review.image(image.id) == image
    with pytest.raises(BadInput, match="already restored"):
        review.put_back()
    assert review.clear("uploads") == "Removed 1 uploaded image." and not image.path.exists()
    assert not {"uploads", f"folder:{tmp_path}"} & {known.key for known in review.lists()}
    with pytest.raises(BadInput, match="Only uploaded images and folders"):
        review.clear("demo/test")


def test_one_version_is_looked_at_by_two_of_its_fusions_without_keeping_what_the_other_says(
    review: Review,
) -> None:
    id = review.images("demo/test")[0].id
    own, other = review.fusions()[:2]
    seen, usual = review.by_fusion(id, None, other), review.by_fusion(id, None, own)
    assert (seen.exdd.fusion, usual.exdd.fusion) == (other, own) and usual is review.compare(id)
    assert seen.exdd.score == load_detector(review.workspace).with_fusion(other).score([seen.pixels])[0].score
    kept = review.results(seen.bank).rows(seen.bank_state.state)
    assert list(kept) == [id] and kept[id]["exdd_score"] == usual.exdd.score
    with pytest.raises(BadInput):
        review.by_fusion(id, None, "nothing")
    with gr.Blocks():
        compared = Compared(review.workspace)
    first, second = compared._usual()
    assert first == second == seen.bank.id  # there is no other version
    shown = compared._compare(seen.bank.id, seen.bank.id)
    assert [shown[side]["value"] for side in compared.verdicts.sides] == [
        f"{first}/{own}",
        f"{first}/{other}",
    ]


def test_exports_of_what_is_not_scored_are_refused_and_a_cancelled_zip_leaves_nothing(review: Review) -> None:
    ids = [image.id for image in review.images("demo/test")]
    with pytest.raises(BadInput, match="score"):
        review.export_table(ids)
    with pytest.raises(Cancelled):
        review.export_all(ids, Progress(lambda told: told.cancel() if told.done else None))
    assert list((review.workspace.path / "cache" / "exports").iterdir()) == []


def test_an_old_row_is_told_as_stale_until_it_is_scored_again(tmp_path: Path) -> None:
    results = Results(tmp_path / "b.jsonl")
    results.add("", [stored("a", exdd_score=1), stored("b", exdd_score=1)])
    results.add("changed", [stored("a", exdd_score=2)])
    assert {id: row["exdd_score"] for id, row in results.rows("changed").items()} == {"a": 2}
    seen, known = Results(tmp_path / "b.jsonl").known("changed")
    assert seen == 3 and known["a"]["exdd_score"] == 2 and "stale" not in known["a"]
    assert known["b"] == {"id": "b", "exdd_score": 1, "state": "", "stale": True}
    assert results.known("")[1]["a"]["exdd_score"] == 1  # changed back: what was known then counts again
    assert results.since(1, "changed")[1] == [{"id": "a", "exdd_score": 2, "state": "changed"}]
    assert results.of_images(["a", "z"], "changed") == {"a": results.rows("changed")["a"]}
    assert results.of_images(["b"], "changed")["b"]["stale"]
    renamed = Results(tmp_path / "b.jsonl", {"changed": "called otherwise"})
    assert list(renamed.rows("called otherwise")) == ["a"] and renamed.rows("changed") == {}


def test_a_missed_defect_joins_the_bank_at_once_and_leaves_it_exactly(review: Review) -> None:
    id = next(i.id for i in review.images("demo/test") if i.label == "defect" and i.defect_type == "spot")
    before = review.compare(id)
    other = next(image.id for image in review.images("demo/test") if image.id != id)
    review.compare(other)
    mask = before.truth
    assert mask is not None and review.why_not(id) == ""
    decided = review.mark_missed(id, mask, " Anna ", "dent")
    assert decided.rows > 0
    after = review.compare(id)
    assert (
        after.exdd.calibrated_score > before.exdd.calibrated_score and after.bank_state != before.bank_state
    )
    assert not np.array_equal(after.exdd.model_map, before.exdd.model_map)
    rows = review.results(after.bank)
    assert (
        set(rows.rows(after.bank_state.state)) == {id}
        and rows.known(after.bank_state.state)[1][other]["stale"]
    )
    (mark,) = review.marks(id)
    assert (mark.who, mark.action, mark.defect_type) == ("Anna", "missed", "dent")
    assert np.array_equal(mark.mask, mask) and review.marked() == {id}
    part = review.workspace.image(id).group
    left, note = unseen.unseen_images(review.workspace, "demo", [])
    assert part not in {row.group for row in left} and "left out" in note  # it is no test any more
    curation.undo(review.workspace, mark.decision, "Ben")
    assert part in {row.group for row in unseen.unseen_images(review.workspace, "demo", [])[0]}
    again = Review(Workspace.open(review.workspace.path)).compare(id)
    assert again.bank_state.state == before.bank_state.state and review.marked() == set()
    assert np.array_equal(again.exdd.model_map, before.exdd.model_map)
    assert again.exdd.score == before.exdd.score


def test_a_false_alarm_teaches_what_raised_it(review: Review) -> None:
    normal, defect = (
        next(image.id for image in review.images("demo/test") if image.label == label)
        for label in ("normal", "defect")
    )
    region, words = review.alarm(normal)
    assert region.any() and not region.all() and "threshold" in words
    empty, words = review.alarm(defect)
    assert not empty.any() and "draw" in words
    with pytest.raises(BadInput, match="has a defect"):
        review.mark_false_alarm(defect, None, "Anna")
    before = review.compare(normal)
    y, x = before.exdd.peak
    assert region[y, x]
    assert review.mark_false_alarm(normal, None, "Anna").rows >= 0
    assert np.array_equal(review.marks(normal)[0].mask, region)
    assert (
        review.compare(normal).patchcore.at(y, x).negative.distance
        <= before.patchcore.at(y, x).negative.distance
    )


def test_what_cannot_teach_the_bank_is_refused_in_a_sentence(review: Review, tmp_path: Path) -> None:
    test, train = review.images("demo/test")[0].id, review.images("demo/train")[0].id
    mask = np.ones(review.compare(test).pixels.shape[:2], bool)
    with pytest.raises(BadInput, match="Enter your name"):
        review.mark_missed(test, mask, "  ")
    with pytest.raises(BadInput, match="training image"):
        review.mark_missed(train, mask, "Anna")
    with pytest.raises(BadInput, match="empty"):
        review.mark_missed(test, ~mask, "Anna")
    older, newer = review.workspace.bank(), build_bank(review.workspace, "demo", positives="none")
    assert "not the active one" in review.why_not(test, older.id if newer.active else newer.id)
    assert review.compare(test, older.id).bank.id == older.id
    with pytest.raises(BadInput, match="no bank version"):
        review.bank_state("v99")
    assert decisions.history(review.workspace) == []


def test_uploads_are_taken_by_content_and_appear_whatever_they_are_called(
    review: Review, tmp_path: Path
) -> None:
    pixels = read_image(review.images("demo/test")[0].path)
    names = [
        "part.jfif",
        "part.dat",
        ".hidden.png",
        "Thumbs.db",
        "no suffix",
        "é" * 200 + ".png",
        "a&b=c?<b>.PNG",
    ]
    files = []
    for number, name in enumerate(names):
        file = tmp_path / f"upload{number}"
        Image.fromarray(np.roll(pixels, number, axis=0)).save(file, format="JPEG" if number == 0 else "PNG")
        files.append((file, name))
    Image.fromarray(pixels).save(tmp_path / "moving", format="GIF")
    ids, refused = review.add_files([*files, (tmp_path / "moving", "moving.png")])
    assert len(refused) == 1 and refused[0].startswith(
        "moving.png: GIF images are not supported; save it as PNG"
    )
    listed = review.images("uploads")
    assert len(ids) == len(names) and {image.id for image in listed} == set(ids)
    assert {"part.jfif", "part.dat", "no suffix", "a&b=c?<b>.PNG"} <= {image.name for image in listed}
    assert all(review.compare(id).pixels.shape == pixels.shape for id in ids)


def test_what_of_a_folder_is_left_out_is_counted_and_named(review: Review, tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    pixels = read_image(review.images("demo/test")[0].path)
    Image.fromarray(pixels).save(folder / "a.jfif", format="JPEG")
    Image.fromarray(pixels).save(folder / "b.gif")
    key = review.open_folder(folder)
    (listed,) = [known for known in review.lists() if known.key == key]
    assert (listed.count, listed.left_out) == (1, 1)
    (said,) = review.left_out(key)
    assert "b.gif" in said and "GIF" in said
    assert review.left_out("demo/test") == []
    (tmp_path / "gifs").mkdir()
    shutil.copy(folder / "b.gif", tmp_path / "gifs")
    with pytest.raises(BadInput, match=r"holds no images.*b\.gif.*GIF"):
        review.open_folder(tmp_path / "gifs")


def test_images_of_more_than_8_bits_and_of_several_pages_are_said(review: Review, tmp_path: Path) -> None:
    folder = tmp_path / "incoming"
    folder.mkdir()
    pixels = read_image(review.images("demo/test")[0].path)
    values = pixels.mean(axis=2).astype(np.uint16) << 4
    bright = values.copy()
    bright[5, 5] = 60000
    for name, content in (("a.png", values), ("b.png", bright)):
        assert cv2.imwrite(str(folder / name), content)
    stack = [Image.fromarray(np.roll(pixels, n, axis=1)) for n in range(3)]
    stack[0].save(folder / "c.tif", save_all=True, append_images=stack[1:])
    plain, one, pages = review.images(review.open_folder(folder))
    seen = [review.read(image) for image in (plain, one, pages)]
    said = [
        " ".join(review.notes(image, read)) for image, read in zip((plain, one, pages), seen, strict=True)
    ]
    assert "Read as 12 bits" in said[0] and "bank v1 was built from 8-bit images" in said[0]
    assert "clipped" in said[1] and "clipped" not in said[0] and "page 1 of 3" in said[2]
    first, second = (review.compare(image.id) for image in (plain, one))
    assert (first.pixels != second.pixels).any(axis=2).sum() == 1
    assert np.array_equal(first.pixels, seen[0].pixels)  # what is shown is what is scored


def test_an_image_of_the_bank_says_so_in_place_of_itself_as_its_neighbour(
    review: Review, tmp_path: Path
) -> None:
    train = review.images("demo/train")
    (tmp_path / "copies").mkdir()
    for label in ("normal", "defect"):
        image = next(image for image in train if image.label == label)
        shutil.copy(image.path, tmp_path / "copies" / f"{label}.png")
        made = review.compare(image.id)
        assert "v1 was built from it" in made.in_bank
        assert made.reason(made.exdd) == f"{made.exdd.verdict.capitalize()}: {made.in_bank}."
        row = review.results(made.bank).rows(made.bank_state.state)[image.id]
        assert row["exdd_reason"] == made.reason(made.exdd)
    for image in review.images(review.open_folder(tmp_path / "copies")):
        assert "v1 was built from it" in review.compare(image.id).in_bank
    test = review.compare(review.images("demo/test")[0].id)
    assert test.in_bank == "" and test.reason(test.exdd) == test.exdd.reason


def test_a_mask_of_most_of_the_image_or_an_inverted_one_is_no_missed_defect(review: Review) -> None:
    id = next(image.id for image in review.images("demo/test") if image.label == "defect")
    truth = review.compare(id).truth
    assert truth is not None
    with pytest.raises(BadInput, match=r"marks \d+ % of the image.*invert"):
        review.mark_missed(id, ~truth, "Anna")
    large = np.zeros_like(truth)
    height, width = large.shape
    large[height // 10 : -height // 10, width // 10 : -width // 10] = True
    with pytest.raises(BadInput, match="inverted"):
        review.mark_missed(id, ~large, "Anna")
    assert decisions.history(review.workspace) == []


def test_a_defect_without_a_mask_gets_one_that_its_data_set_keeps(review: Review) -> None:
    workspace = review.workspace
    normal, defect = (
        next(image.id for image in review.images("demo/test") if image.label == label)
        for label in ("normal", "defect")
    )
    assert not outlining.wanted(workspace, normal) and not outlining.wanted(workspace, defect)
    with pytest.raises(BadInput, match="no mask"):
        review.outline(defect, None, "Anna")
    dataset_changes.relabel(workspace, [normal], "defect", "Anna", "stain")
    assert outlining.wanted(workspace, normal) and review.compare(normal).truth is None
    region, words = review.shown(normal)
    for wrong, said in ((np.zeros_like(region), "empty"), (np.ones_like(region), "invert")):
        with pytest.raises(BadInput, match=said):
            review.outline(normal, wrong, "Anna")
    with pytest.raises(BadInput, match="Enter your name"):
        review.outline(normal, region, " ")
    changed = review.outline(normal, None, "Anna")
    row = workspace.image(normal)
    assert row.mask and np.array_equal(read_mask(row.mask, region.shape), region) and "threshold" in words
    truth = review.compare(normal).truth
    assert truth is not None and np.array_equal(truth, region) and row.defect_type == "stain"
    by = outlining.outlined(workspace, normal)
    assert by is not None and (by.who, by.state, by.last) == ("Anna", changed.state, True)
    assert outlining.outlined(workspace, defect) is None
    dataset_changes.relabel(workspace, [defect], "defect", "Ben", "other")
    with pytest.raises(BadInput, match="changed since"):
        review.undo_outline(normal, "Anna")
    dataset_changes.undo(workspace, "demo", "Ben")
    review.undo_outline(normal, "Anna")
    assert outlining.wanted(workspace, normal) and review.compare(normal).truth is None
    drawn = np.zeros_like(region)
    drawn[5:20, 5:30] = True
    review.outline(normal, drawn, "Ben")
    assert np.array_equal(read_mask(workspace.image(normal).mask or Path(), None), drawn)
