"""Lists, kept results and exports of a review, without a browser."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from exdd_core import curation, tables
from exdd_core import review as review_module
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import encode_png, read_image
from exdd_core.progress import Progress
from exdd_core.review import Results, Review
from exdd_core.workspace import Workspace


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
        assert np.isclose(row["exdd_score"], made.exdd.score, rtol=1e-4)
        assert (row["patchcore_verdict"], row["exdd_verdict"]) == (made.patchcore.verdict, made.exdd.verdict)
        assert row["exdd_reason"] == made.exdd.reason and row["truth"] == image.label
    again.score(images, told)
    assert told.total == 0  # nothing was left to score
    other = review.workspace.build("demo", positives="none")
    assert review.results(other).rows() == {}


def test_a_comparison_is_made_once_and_memory_stays_bounded(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, *_ = [image.id for image in review.images("demo/test")]
    made = review.compare(first)
    assert review.compare(first) is made
    assert made.pixels.nbytes < made.bytes < 100 * made.pixels.nbytes
    monkeypatch.setattr(review_module, "MEMORY", 1)
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


def test_a_result_line_cut_short_by_a_crash_is_left_out(tmp_path: Path) -> None:
    results = Results(tmp_path / "results" / "b.jsonl")
    results.add("", [{"id": "a"}, {"id": "b"}])
    results.add("", [{"id": "b", "newer": True}, {"id": "c"}])
    seen, rows = results.since(2)
    assert seen == 3 and rows == [{"id": "c", "state": ""}]
    path = tmp_path / "results" / "b.jsonl"
    path.write_text(path.read_text()[:-4] + '\n["not", "a", "row"]\n')
    assert list(Results(path).rows()) == ["a", "b"]


def test_rows_that_another_process_adds_show_up_once(tmp_path: Path) -> None:
    ours, theirs = Results(tmp_path / "b.jsonl"), Results(tmp_path / "b.jsonl")
    ours.add("", [{"id": "a", "by": "us"}])
    theirs.add("", [{"id": "a", "by": "them"}, {"id": "b"}])
    assert ours.since(1) == (2, [{"id": "b", "state": ""}]) and ours.rows()["a"]["by"] == "us"
    with (tmp_path / "b.jsonl").open("a") as file:
        file.write('{"id": "half')  # killed while it wrote
    assert ours.since(2) == (2, [])
    ours.add("", [{"id": "c"}])
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


def test_exports_of_what_is_not_scored_are_refused_and_a_cancelled_zip_leaves_nothing(review: Review) -> None:
    ids = [image.id for image in review.images("demo/test")]
    with pytest.raises(BadInput, match="score"):
        review.export_table(ids)
    with pytest.raises(Cancelled):
        review.export_all(ids, Progress(lambda told: told.cancel() if told.done else None))
    assert list((review.workspace.path / "cache" / "exports").iterdir()) == []


def test_an_old_row_is_told_as_stale_until_it_is_scored_again(tmp_path: Path) -> None:
    results = Results(tmp_path / "b.jsonl")
    results.add("", [{"id": "a", "score": 1}, {"id": "b", "score": 1}])
    results.add("changed", [{"id": "a", "score": 2}])
    assert {id: row["score"] for id, row in results.rows("changed").items()} == {"a": 2}
    seen, known = Results(tmp_path / "b.jsonl").known("changed")
    assert seen == 3 and known["a"]["score"] == 2 and "stale" not in known["a"]
    assert known["b"] == {"id": "b", "score": 1, "state": "", "stale": True}
    assert results.known("")[1]["a"]["score"] == 1  # changed back: what was known then counts again
    assert results.since(1, "changed")[1] == [{"id": "a", "score": 2, "state": "changed"}]


def test_a_missed_defect_is_learnt_at_once_and_forgotten_exactly(review: Review) -> None:
    id = next(i.id for i in review.images("demo/test") if i.label == "defect" and i.defect_type == "spot")
    before = review.compare(id)
    other = next(image.id for image in review.images("demo/test") if image.id != id)
    review.compare(other)
    mask = before.truth
    assert mask is not None and review.why_not(id) == ""
    decided = review.mark_missed(id, mask, " Anna ", "dent")
    assert decided.rows > 0
    after = review.compare(id)
    assert after.exdd.calibrated_score > before.exdd.calibrated_score and after.standing != before.standing
    assert not np.array_equal(after.exdd.model_map, before.exdd.model_map)
    rows = review.results(after.bank)
    assert (
        set(rows.rows(after.standing.state)) == {id} and rows.known(after.standing.state)[1][other]["stale"]
    )
    (mark,) = review.marks(id)
    assert (mark.who, mark.action, mark.defect_type) == ("Anna", "missed", "dent")
    assert np.array_equal(mark.mask, mask) and review.marked() == {id}
    part = review.workspace.image(id).group
    left, note = tables.unseen_images(review.workspace, "demo", [])
    assert part not in {row.group for row in left} and "left out" in note  # it is no test any more
    curation.undo(review.workspace, mark.decision, "Ben")
    assert part in {row.group for row in tables.unseen_images(review.workspace, "demo", [])[0]}
    again = Review(Workspace.open(review.workspace.path)).compare(id)
    assert again.standing.state == before.standing.state and review.marked() == set()
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
    with pytest.raises(BadInput, match="who you are"):
        review.mark_missed(test, mask, "  ")
    with pytest.raises(BadInput, match="training image"):
        review.mark_missed(train, mask, "Anna")
    with pytest.raises(BadInput, match="empty"):
        review.mark_missed(test, ~mask, "Anna")
    older, newer = review.workspace.bank(), review.workspace.build("demo", positives="none")
    assert "not the active one" in review.why_not(test, older.id if newer.active else newer.id)
    assert review.compare(test, older.id).bank.id == older.id
    with pytest.raises(BadInput, match="no bank version"):
        review.standing("v99")
    assert curation.decisions(review.workspace) == []
