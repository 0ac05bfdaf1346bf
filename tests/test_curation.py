"""Curation: decisions that count once, banks that follow them and go back, whatever is killed; real images too."""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlite_utils import Database

from exdd_core import cli, curation
from exdd_core.banks import compare, teachers
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.banks.history import newest as newest_change
from exdd_core.curation import aligning, finding, judge
from exdd_core.detector.bank import Bank
from exdd_core.detector.change import examine
from exdd_core.detector.context import TrainingSums
from exdd_core.detector.examples import defect_patches
from exdd_core.errors import BadInput
from exdd_core.images import encode_png, read_mask
from exdd_core.review import Review, Wanted
from exdd_core.studio import editor
from exdd_core.workspace import ImageRow, Workspace, candidates, decisions, drawn_masks
from exdd_core.workspace.versions import activate_bank, delete_bank, pin_bank, roll_back
from pages.curate import candidate, questions
from tests.forked import Forked
from tests.plates import SHAPE, SMALL, build, paint, painting, pending


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("curation"))


@pytest.fixture
def workspace(built: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(built, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def held_back(workspace: Workspace, label: str = "defect") -> ImageRow:
    return workspace.images(split="test", label=label)[0]


def truth(row: ImageRow) -> np.ndarray:
    assert row.mask is not None
    return read_mask(row.mask, SHAPE)


def scores(workspace: Workspace) -> list[float]:
    rows = workspace.images(split="test")
    return [seen.score for seen in load_detector(workspace).score([row.path for row in rows])]


def positive_ids(workspace: Workspace) -> set[str]:
    bank = load_detector(workspace).positive
    assert bank is not None
    return {image.id for image in bank.images}


def agree(workspace: Workspace) -> None:
    """History, statuses and bank say the same."""
    accepted = {c.id for c in candidates.listed(workspace, status="accepted")}
    in_bank = {id for id in positive_ids(workspace) if "/" not in id}
    decided = {d.subject for d in decisions.in_force(workspace, "accept")}
    assert accepted == in_bank == decided


# --- accepting and undoing --------------------------------------------------------------------------------


def test_accepting_changes_the_detector_at_once_and_undo_changes_it_back(workspace):
    before, rows = scores(workspace), len(load_detector(workspace).positive or [])
    first = pending(workspace)[0]
    decided = curation.accept(workspace, [first], "Anna")
    assert decided.ids == [first] and decided.bank == "v1" and decided.rows > 0
    assert len(load_detector(workspace).positive or []) == rows + decided.rows
    after = scores(workspace)
    assert after != before
    agree(workspace)
    undone = curation.undo(workspace, decisions.history(workspace, first)[0].id, "Anna")
    assert undone.rows == -decided.rows
    assert scores(workspace) == before  # to the last bit: what was fitted then is what is taken again
    assert candidates.get(workspace, first).status == "pending"
    agree(workspace)


def test_whoever_looks_before_the_fit_sees_the_decision_all_the_same(workspace):
    """What was remembered, scored or chosen a threshold by before an undo is not what holds after it."""
    shown, first = Review(workspace), pending(workspace)[0]
    ids = [row.id for row in workspace.images(split="test")]
    images, bank = [shown.image(id) for id in ids], workspace.bank()
    before = [shown.compare(id).exdd.score for id in ids]
    curation.accept(workspace, [first], "Anna")
    after = [shown.compare(id).exdd.score for id in ids]
    assert after != before
    number = decisions.history(workspace, first)[0].id
    curation.undo(workspace, number, "Anna", wait=False)
    assert [shown.compare(id).exdd.score for id in ids] == before
    curation.accept(workspace, [first], "Anna", wait=False)
    assert shown.score(images) == [] and [shown.compare(id).exdd.score for id in ids] == after
    curation.undo_last(workspace, "Anna", wait=False)
    shown.choose_threshold(Wanted("rate", rate=0.2), "Anna")
    kept = shown.results(bank).rows(shown.bank_state().state)
    assert [kept[id]["exdd_score"] for id in ids] == pytest.approx(before, rel=1e-4)


def test_what_is_prepared_before_the_first_decision_changes_nothing_but_its_time(workspace, monkeypatch):
    other = Workspace.open(workspace.path)
    judge.Judge(other).prepare("plates")
    detector, first = load_detector(other), pending(workspace)[0]
    marked = teachers.marked(workspace, candidates.get(workspace, first), detector)
    fitted = load_detector(workspace).changed(load_detector(workspace).additions([marked])).fitted_state()
    monkeypatch.setattr(TrainingSums, "of", None)  # summed up already
    again = detector.changed(detector.additions([marked])).fitted_state()
    for name, kept in fitted["fusions"].items():
        one, other_one = kept["calibration"], again["fusions"][name]["calibration"]
        assert one["threshold"] == pytest.approx(other_one["threshold"], rel=1e-4)
        assert one["map_threshold"] == pytest.approx(other_one["map_threshold"], rel=1e-4)


def test_who_accepts_a_candidate_by_itself_vouches_for_it(workspace):
    one, *others = pending(workspace)[:3]
    curation.accept(workspace, [one], "Anna")
    curation.accept(workspace, others, "Anna")
    known = {image.id: image for image in load_detector(workspace).fitted.examples.defects.images}
    built = {image.id: image for image in teachers.accepted(workspace, "plates")}
    for images in (known, built):
        assert images[one].vouched and not any(images[id].vouched for id in others)
        assert {images[id].engine for id in (one, *others)} == {"procedural"}


def test_candidates_are_tried_on_the_real_defects_before_anybody_accepts_them(workspace, capsys):
    bank = workspace.bank().id
    (found,) = finding.transfers(workspace, "plates")
    assert (found.engine, found.images) == ("procedural", len(pending(workspace)))
    real = {i.group for i in load_detector(workspace).fitted.examples.defects.images if i.origin == "real"}
    assert found.found and set(found.found) <= real
    assert cli.main(["candidates", "transfer", "--workspace", str(workspace.path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)["groups"]
    assert row["transfer"] == pytest.approx(found.transfer()) and row["parts"] == len(found.found)
    assert scores(workspace) and workspace.bank().id == bank and len(pending(workspace)) == row["candidates"]


def test_candidates_are_compared_with_real_defects_of_their_type(workspace, capsys):
    assert cli.main(["candidates", "measure", "--workspace", str(workspace.path), "--json"]) == 0
    groups = json.loads(capsys.readouterr().out)["groups"]
    for group in groups:
        figures = group["figures"]
        assert group["engine"] == "procedural" and figures["painted"] and figures["real"]
        assert group["verdict"] == ("too few" if figures["own"] is None else group["verdict"])
        assert "Paintings lie" in group["sentence"] and 0 <= group["gap"] <= 1
    assert groups


def test_another_process_sees_the_same_detector(workspace):
    curation.accept(workspace, pending(workspace)[:2], "Anna")
    here = scores(workspace)
    other = Workspace.open(workspace.path)
    assert scores(other) == pytest.approx(here, rel=1e-6)
    curation.accept(other, pending(other)[:1], "Ben")
    assert scores(workspace) == pytest.approx(scores(other), rel=1e-6)  # the first one notices, too


def test_the_folder_of_the_version_never_changes(workspace):
    folder = workspace.bank().path
    files = {p.name: p.read_bytes() for p in folder.iterdir()}
    curation.accept(workspace, pending(workspace), "Anna")
    curation.undo_last(workspace, "Anna")
    assert files == {p.name: p.read_bytes() for p in folder.iterdir()}


def test_a_disk_that_fills_up_after_a_decision_does_not_deny_it(workspace, monkeypatch):
    id, writing, times = pending(workspace)[0], Workspace.writing, []

    def full(self: Workspace) -> AbstractContextManager[Database]:
        if self is workspace:  # not what threads of earlier tests still measure in other workspaces
            times.append(1)
            if len(times) == 2:  # after deciding: fitting the bank
                raise BadInput("The disk is full.")
        return writing(self)

    monkeypatch.setattr(Workspace, "writing", full)
    assert curation.accept(workspace, [id], "Anna").ids == [id]
    assert id in positive_ids(workspace) and len(times) == 3  # whoever needs the bank next fits it
    agree(workspace)


def test_undo_of_one_among_many_takes_exactly_its_rows(workspace):
    ids = pending(workspace)[:3]
    curation.accept(workspace, ids, "Anna")
    held = load_detector(workspace).positive.rows_by_image()
    curation.undo(workspace, decisions.history(workspace, ids[1])[0].id, "Ben")
    left = load_detector(workspace).positive.rows_by_image()
    assert left == {id: count for id, count in held.items() if id != ids[1]}
    agree(workspace)
    curation.accept(workspace, [ids[1]], "Ben")
    agree(workspace)


def test_only_rows_that_widen_coverage_are_added(workspace):
    first, twin = paint(workspace, 50), paint(workspace, 50)
    gained = curation.accept(workspace, [first.id], "Anna").rows
    assert gained > 0
    assert curation.accept(workspace, [twin.id], "Anna").rows == 0  # there is nothing new in it
    agree(workspace)


def test_what_normal_surface_comes_close_to_is_left_out(workspace):
    detector = load_detector(workspace)
    faint = [paint(workspace, seed, strength=0) for seed in range(60, 72)]  # nothing was painted at all
    seen = [examine(detector.fitted, teachers.marked(workspace, one, detector)) for one in faint]
    clean = np.concatenate([one.clean for one in seen])
    assert 0.2 < clean.mean() < 0.8  # as half of normal surface is
    for one in seen:
        assert np.array_equal(one.clean, one.distances.mean(-1) > detector.fitted.reference.too_normal)
    decided = curation.accept(workspace, [one.id for one in faint], "Anna")
    assert 0 < decided.rows <= clean.sum()
    kept = {tuple(row) for one in seen for row in one.marked.rows[~one.clean]}
    assert not kept & {tuple(row) for row in load_detector(workspace).positive.rows}
    agree(workspace)


def test_a_candidate_without_any_row_of_use_can_be_accepted(workspace):
    """Whoever opens the workspace next finds the same banks, and can go on."""
    detector = load_detector(workspace)
    faint = (paint(workspace, seed, strength=0) for seed in range(60, 100))
    plain = next(
        c for c in faint if not examine(detector.fitted, teachers.marked(workspace, c, detector)).clean.any()
    )
    assert curation.accept(workspace, [plain.id], "Anna").rows == 0
    other = Workspace.open(workspace.path)
    assert scores(other) == pytest.approx(scores(workspace), rel=1e-6)
    assert plain.id in positive_ids(other)
    curation.accept(other, pending(other)[:1], "Ben")
    judged = judge.Judge(workspace).quality(pending(workspace)[0])
    assert judged.effect.value is not None
    curation.undo(workspace, decisions.history(workspace, plain.id)[0].id, "Anna")
    agree(workspace)


def test_decisions_are_remembered_with_who_when_and_what(workspace):
    first, second = pending(workspace)[:2]
    curation.accept(workspace, [first], "Anna", defect_type=" long  bar ")
    curation.reject(workspace, [second], "Ben", ["too faint", "too faint", " ", "my own"])
    newest = decisions.history(workspace)[0]
    assert (newest.subject, newest.action, newest.who) == (second, "reject", "Ben")
    assert newest.reason == ["too faint", "my own"] and newest.created > "2020" and newest.undone is None
    assert [d.action for d in decisions.history(workspace, first)] == ["accept", "type"]
    assert candidates.get(workspace, first).defect_type == "long bar"
    bank = load_detector(workspace).positive
    assert next(i for i in bank.images if i.id == first).defect_type == "long bar"
    curation.undo_last(workspace, "Ben")
    assert candidates.get(workspace, second).status == "pending"
    with pytest.raises(BadInput, match="no decision to undo"):
        curation.undo_last(workspace, "Ben")


def test_nothing_is_taken_back_twice_or_out_of_order(workspace):
    first = pending(workspace)[0]
    curation.set_type(workspace, [first], "bar", "Anna")
    curation.accept(workspace, [first], "Anna")
    accepted, typed = decisions.history(workspace, first)[:2]
    with pytest.raises(BadInput, match="undo that decision first"):
        curation.undo(workspace, typed.id, "Anna")
    curation.undo(workspace, accepted.id, "Ben")
    with pytest.raises(BadInput, match="already"):
        curation.undo(workspace, accepted.id, "Anna")
    curation.undo(workspace, typed.id, "Anna")
    assert candidates.get(workspace, first).defect_type == ""
    with pytest.raises(BadInput, match="no decision"):
        curation.undo(workspace, 12345, "Anna")


def test_a_layer_that_is_painted_all_over_is_full_and_not_empty(workspace):
    first = candidates.get(workspace, pending(workspace)[0])
    layer = np.full((*SHAPE, 4), (79, 216, 255, 255), np.uint8)
    assert editor.drawn(workspace, first.source, encode_png(layer)).all()
    address = "data:image/png;base64," + base64.b64encode(encode_png(layer)).decode()
    measured = candidates.mask_of(workspace, first)
    shared: Any = SimpleNamespace(workspace=workspace)
    candidate.trim(shared, questions.Trimmed(id=first.id, layer=address, who="Anna"))
    assert np.array_equal(candidates.mask_of(workspace, first), measured)


def test_a_trimmed_mask_is_what_counts(workspace):
    first = candidates.get(workspace, pending(workspace)[0])
    measured = read_mask(first.mask, SHAPE)
    half = measured.copy()
    half[:, : np.flatnonzero(measured.any(0)).mean().astype(int)] = False
    whole = len(teachers.marked(workspace, first, load_detector(workspace)).rows)
    curation.trim(
        workspace, first.id, half | ~measured, "Anna"
    )  # what is outside the measured mask is cut off
    assert np.array_equal(candidates.mask_of(workspace, first), half)
    assert 0 < len(teachers.marked(workspace, first, load_detector(workspace)).rows) < whole
    with pytest.raises(BadInput, match="Nothing of the mask is left"):
        curation.trim(workspace, first.id, ~measured, "Anna")
    with pytest.raises(BadInput, match="not the size"):
        curation.trim(workspace, first.id, half[:-1], "Anna")
    curation.undo_last(workspace, "Anna")
    assert np.array_equal(candidates.mask_of(workspace, first), measured)


# --- several people ---------------------------------------------------------------------------------------


def test_a_claim_keeps_others_from_deciding_until_it_ends(workspace, monkeypatch):
    first, second = pending(workspace)[:2]
    assert decisions.claim(workspace, first, "Anna") == ""
    assert decisions.claim(workspace, first, "Anna") == ""
    assert decisions.claim(workspace, first, "Ben") == "Anna"
    assert decisions.claims(workspace) == {first: "Anna"}
    with pytest.raises(BadInput, match="Anna has it open"):
        curation.accept(workspace, [first], "Ben")
    decided = curation.reject(workspace, [first, second], "Ben")
    assert decided.ids == [second] and list(decided.left_out) == [first] and "left out" in decided.sentence
    decisions.release(workspace, first, "Ben")  # not his to give up
    assert decisions.claim(workspace, first, "Ben") == "Anna"
    decisions.release(workspace, first, "Anna")
    monkeypatch.setattr(decisions, "CLAIMED", -1.0)
    assert decisions.claim(workspace, first, "Anna") == ""
    assert decisions.claim(workspace, first, "Ben") == ""  # hers has run out


def test_two_decisions_on_one_never_both_count(workspace):
    ids = pending(workspace)
    other = Workspace.open(workspace.path)

    def decide(place: Workspace, who: str, id: str) -> bool:
        try:
            (curation.accept if who == "Anna" else curation.reject)(place, [id], who)
            return True
        except BadInput:
            return False

    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(decide, p, w, id) for id in ids for p, w in ((workspace, "Anna"), (other, "Ben"))]
        done = [job.result() for job in jobs]
    assert sum(done) == len(ids)
    counted = [d for d in decisions.history(workspace) if d.action in ("accept", "reject")]
    assert sorted(d.subject for d in counted) == sorted(ids)
    assert not pending(workspace)
    agree(workspace)


SCRIPT = """
import sys
from exdd_core import curation
from exdd_core.banks.detectors import load_detector
from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace, candidates
workspace, who = Workspace.open(sys.argv[1]), sys.argv[2]
load_detector(workspace)
print("ready", flush=True)
sys.stdin.readline()
for candidate in candidates.listed(workspace, status="pending"):
    try:
        curation.accept(workspace, [candidate.id], who)
        print(candidate.id, flush=True)
    except BadInput:
        pass
"""


def run(workspace: Workspace, who: str) -> Forked:
    process = Forked(SCRIPT, workspace.path, who)
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: Forked) -> None:
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.slow
def test_two_processes_decide_on_one_queue(workspace):
    ids, both = set(pending(workspace)), [run(workspace, "Anna"), run(workspace, "Ben")]
    for process in both:
        go(process)
    told = [process.said().split() for process in both]
    assert not set(told[0]) & set(told[1]) and set(told[0]) | set(told[1]) == ids
    agree(workspace)
    agree(Workspace.open(workspace.path))


@pytest.mark.slow
@pytest.mark.parametrize("moment", [0.0, 0.02, 0.1, 0.3])
def test_a_kill_while_accepting_leaves_history_and_bank_agreeing(workspace, moment):
    process = run(workspace, "Anna")
    go(process)
    if moment:
        process.stdout.readline()  # the first is in; the next one is on its way
        time.sleep(moment)
    process.kill()
    opened = Workspace.open(workspace.path)
    agree(opened)
    curation.accept(opened, pending(opened)[:1], "Ben")
    agree(opened)
    assert np.isfinite(scores(opened)).all()


# --- real images ------------------------------------------------------------------------------------------


def test_a_missed_defect_goes_into_the_positive_bank_and_out_of_evaluation(workspace):
    row = held_back(workspace)
    before = scores(workspace)
    decided = curation.mark_missed(workspace, row.id, row.path, truth(row), "Anna", "bar")
    assert decided.rows > 0 and "Evaluation" in decided.sentence
    assert row.id in positive_ids(workspace) and row.id in teachers.marked_images(workspace, "plates")
    assert scores(workspace) != before
    with pytest.raises(BadInput, match="already"):
        curation.mark_missed(workspace, row.id, row.path, truth(row), "Anna")
    rebuilt = build_bank(workspace, negative_ratio=0.2)
    assert row.id in positive_ids(workspace) and rebuilt.active
    undone = curation.undo_last(workspace, "Anna")
    assert undone.sentence.startswith("Undid the decision on 1 image")
    assert row.id not in positive_ids(workspace) and not teachers.marked_images(workspace, "plates")


def test_what_lies_off_the_mask_of_a_missed_defect_counts_from_the_next_build_on(workspace, tmp_path):
    row, other = workspace.images(split="test", label="defect")[:2]
    shutil.copy(other.path, tmp_path / "elsewhere.png")
    names = {row.id: row, f"file:{tmp_path / 'elsewhere.png'}#1": other}

    def counted() -> dict[str, float]:
        unmarked = load_detector(workspace).fitted.examples.unmarked
        each = load_detector(workspace).fitted.examples.stand_for
        return {i.id: float(each[unmarked.of_images([i.id])].sum()) for i in unmarked.images}

    before = counted()
    for id, shown in names.items():
        path = tmp_path / "elsewhere.png" if id.startswith("file:") else shown.path
        curation.mark_missed(workspace, id, path, truth(shown), "Anna", "bar")
    assert counted() == before  # on the spot only what the mask marks
    build_bank(workspace, negative_ratio=0.2)
    after, patches = counted(), np.prod(load_detector(workspace).grid)
    assert set(after) == {*before, *names}
    for id, shown in names.items():
        marked = defect_patches(truth(shown), SMALL, load_detector(workspace).grid)
        assert after[id] == pytest.approx(patches - marked.sum(), rel=1e-3)
    build_bank(workspace, negative_ratio=0.2, positives="none")
    assert counted() == {}


def test_a_missed_defect_needs_a_mask_and_an_image_that_is_not_trained_on(workspace):
    row, trained = held_back(workspace), workspace.images(split="train", label="defect")[0]
    with pytest.raises(BadInput, match="empty"):
        curation.mark_missed(workspace, row.id, row.path, np.zeros(SHAPE, bool), "Anna")
    with pytest.raises(BadInput, match="not the size"):
        curation.mark_missed(workspace, row.id, row.path, np.ones((5, 5), bool), "Anna")
    with pytest.raises(BadInput, match="training image"):
        curation.mark_missed(workspace, trained.id, trained.path, np.ones(SHAPE, bool), "Anna")
    assert not decisions.history(workspace)


@pytest.mark.parametrize("levels", [(0, 1), (100, 200), (0, 255)])
def test_a_mask_file_of_a_missed_defect_is_read_by_its_own_values(workspace, tmp_path, capsys, levels):
    row = held_back(workspace)
    file = tmp_path / "mask.png"
    file.write_bytes(encode_png(np.where(truth(row), levels[1], levels[0]).astype(np.uint8)))
    place = ["--who", "Anna", "--workspace", str(workspace.path)]
    assert cli.main(["mark", "missed", row.id, "--mask", str(file), *place]) == 0
    (kept,) = (workspace.path / drawn_masks.MASKS).iterdir()
    assert np.array_equal(read_mask(kept, SHAPE), truth(row))


def test_a_mask_file_that_cannot_be_a_defect_is_refused_with_what_to_do(workspace, tmp_path, capsys):
    row = held_back(workspace)

    def refused(mask: np.ndarray, *command: str) -> str:
        file = tmp_path / "mask.png"
        file.write_bytes(encode_png(mask))
        assert cli.main([*command, str(file), "--workspace", str(workspace.path)]) == 2
        return capsys.readouterr().err

    mark = ("mark", "missed", row.id, "--mask")
    ring = np.ones(SHAPE, bool)
    ring[6:-6, 6:-6] = False
    assert "marks nothing" in refused(np.zeros(SHAPE, bool), *mark)
    assert "marks nothing" in refused(np.zeros(SHAPE, bool), "synthesize", "--prompt", "scratch", "--masks")
    assert "invert the mask" in refused(~truth(row), *mark)
    assert "seems to be inverted" in refused(ring, *mark)
    assert "seems to be rotated by 90°" in refused(truth(row).T, *mark)
    assert not decisions.history(workspace) and not (workspace.path / drawn_masks.MASKS).exists()
    with pytest.raises(BadInput, match="nothing.png marks nothing"):  # as the Studio page says it
        (tmp_path / "nothing.png").write_bytes(encode_png(np.zeros(SHAPE, bool)))
        editor.keep_upload(workspace, row.id, str(tmp_path / "nothing.png"), "nothing.png")


def test_a_false_alarm_goes_into_the_negative_bank(workspace, tmp_path):
    """An image from elsewhere; its file may go afterwards."""
    made = painting(77, strength=60)
    file = tmp_path / "camera" / "alarm.png"
    file.parent.mkdir()
    file.write_bytes(encode_png(made.image))
    id = f"file:{file}#1"
    detector = load_detector(workspace)
    before = detector.score([file])[0]
    decided = curation.mark_false_alarm(workspace, id, file, "Anna")
    assert decided.rows > 0
    after = load_detector(workspace).score([file])[0]
    assert after.negative_distance.max() < before.negative_distance.max()
    file.unlink()
    build_bank(workspace, negative_ratio=0.2)
    assert id in {image.id for image in load_detector(workspace).negative.images}
    curation.undo_last(workspace, "Anna")
    assert id not in {image.id for image in load_detector(workspace).negative.images}
    rows = len(load_detector(workspace).negative)
    build_bank(workspace, negative_ratio=0.2)
    assert len(load_detector(workspace).negative) == rows


def test_a_defective_image_is_no_false_alarm_as_a_whole(workspace):
    row = held_back(workspace)
    with pytest.raises(BadInput, match="mark the place"):
        curation.mark_false_alarm(workspace, row.id, row.path, "Anna")


def content(bank: Bank) -> list[bytes]:
    """Every row with its origin, in no order."""
    names = [asdict(image) for image in bank.images]
    parts = zip(bank.image, bank.position, bank.rows, strict=True)
    return sorted(repr((names[i], y, x)).encode() + row.tobytes() for i, (y, x), row in parts)


def held(workspace: Workspace) -> list[list[bytes]]:
    """What both banks hold, and what is fitted learns from."""
    d = load_detector(workspace)
    assert d.positive
    return [
        content(bank)
        for bank in (d.negative, d.positive, d.fitted.examples.normals, d.fitted.examples.defects)
    ]


def test_what_comes_back_to_a_bank_comes_with_exactly_its_rows(workspace):
    """An image of the build, normal or defective, and what was added later, whatever else came in between."""
    ids, row = pending(workspace), held_back(workspace)
    curation.accept(workspace, ids[:2], "Anna")
    curation.mark_missed(workspace, row.id, row.path, truth(row), "Anna", "bar")
    build_of = workspace.images(split="train")
    normal, defect = (next(r.id for r in build_of if r.label == label) for label in ("normal", "defect"))
    before, fitted = held(workspace), load_detector(workspace).fitted_state()
    rows = len(load_detector(workspace).negative)
    for image, side in (
        (normal, "negative"),
        (defect, "positive"),
        (ids[0], "positive"),
        (row.id, "positive"),
    ):
        gone = aligning.drop(workspace, image, side, "Ben").rows
        assert gone <= 0 and held(workspace) != before
        place = Workspace.open(workspace.path) if side == "negative" else workspace
        assert aligning.put_back(place, image, "Ben").rows == -gone
        assert held(workspace) == before
        assert load_detector(workspace).fitted_state() == fitted  # and nothing was fitted anew
    assert len(load_detector(workspace).negative) == rows
    # Others come in between: what is fitted is another thing then, but the rows are the same ones.
    aligning.drop(workspace, normal, "negative", "Ben")
    curation.accept(workspace, ids[2:3], "Anna")
    aligning.put_back(workspace, normal, "Ben")
    curation.undo_last(workspace, "Anna")
    assert held(workspace) == before and held(Workspace.open(workspace.path)) == before
    agree(workspace)


def test_what_was_taken_back_is_accepted_again_as_it_was_unless_its_mask_is_another(workspace):
    first = candidates.get(workspace, pending(workspace)[0])
    curation.accept(workspace, [first.id], "Anna")
    before = held(workspace)
    curation.undo_last(workspace, "Anna")
    curation.accept(workspace, [first.id], "Anna")
    assert held(workspace) == before
    curation.undo_last(workspace, "Anna")
    half = read_mask(first.mask, SHAPE)
    half[:, : np.flatnonzero(half.any(0)).mean().astype(int)] = False
    curation.trim(workspace, first.id, half, "Anna")
    curation.accept(workspace, [first.id], "Anna", defect_type="bar")
    there, detector = (
        load_detector(workspace).fitted.examples.defects.of_image(first.id),
        load_detector(workspace),
    )
    left = teachers.marked(workspace, candidates.get(workspace, first.id), detector)
    assert 0 < len(there) <= len(left.rows) and left.image.defect_type == "bar"
    assert {tuple(p) for p in there.position} <= {tuple(p) for p in left.position}
    assert first.id in {i.id for i in there.images if i.defect_type == "bar"}


def test_what_was_fitted_follows_an_image_of_the_build_that_is_dropped(workspace):
    built = load_detector(workspace).fitted_state()
    trained = workspace.images(split="train", label="defect")[0].id
    curation.drop(workspace, trained, "positive", "Anna")
    without, after = load_detector(workspace).fitted_state(), scores(workspace)
    assert without != built
    curation.undo_last(workspace, "Anna")
    assert load_detector(workspace).fitted_state() == built and scores(workspace) != after
    curation.drop(workspace, trained, "positive", "Anna")
    assert (
        load_detector(workspace).fitted_state() == without and scores(workspace) == after
    )  # as it was once before


def test_an_image_dropped_from_a_bank_stays_out_until_it_is_taken_back(workspace):
    before = scores(workspace)
    trained = workspace.images(split="train", label="defect")[0].id
    curation.drop(workspace, trained, "positive", "Anna")
    assert trained not in positive_ids(workspace) and scores(workspace) != before
    build_bank(workspace, negative_ratio=0.2)
    assert trained not in positive_ids(workspace)
    roll_back(workspace)
    curation.undo_last(workspace, "Anna")
    assert trained in positive_ids(workspace)
    first = pending(workspace)[0]
    curation.accept(workspace, [first], "Anna")
    curation.drop(workspace, first, "positive", "Ben")  # the same as taking the acceptance back
    assert candidates.get(workspace, first).status == "pending"
    with pytest.raises(BadInput, match="not in the positive bank"):
        curation.drop(workspace, "plates/good/0.png", "positive", "Anna")


# --- building with them --------------------------------------------------------------------------------------


def test_builds_take_accepted_defects_and_incremental_banks_agree_with_them(workspace):
    """Image scores move by no more than `versions.TOLERANCE` of their spread, and no verdict changes here."""
    curation.accept(workspace, pending(workspace)[:4], "Anna")
    rows = workspace.images(split="test")
    grown = load_detector(workspace).score([row.path for row in rows])
    version = build_bank(workspace, positives="both", negative_ratio=0.2)
    assert version.summary["positive_images"] == len(positive_ids(workspace))
    agree(workspace)
    fresh = load_detector(workspace).score([row.path for row in rows])
    calibrated = np.array(
        [[a.calibrated_score, b.calibrated_score] for a, b in zip(grown, fresh, strict=True)]
    )
    assert np.abs(calibrated[:, 0] - calibrated[:, 1]).max() < compare.TOLERANCE * np.ptp(calibrated)
    assert [a.verdict for a in grown] == [b.verdict for b in fresh]
    only = build_bank(workspace, positives="synthetic", negative_ratio=0.2)
    assert only.summary["positive_images"] == 4
    with workspace.reading() as db:
        assert newest_change(db, version.id) == 0  # a new version needs no changes


@pytest.mark.slow
def test_a_kill_during_a_rebuild_leaves_the_active_version_whole(workspace):
    curation.accept(workspace, pending(workspace)[:2], "Anna")
    before = scores(workspace)
    code = "import sys; from exdd_core.banks.building import build_bank; from exdd_core.workspace import Workspace; "
    code += "w = Workspace.open(sys.argv[1]); "
    code += "print('go', flush=True); build_bank(w, positives='both', negative_ratio=0.2)"
    for wait in (0.5, 2.5):
        process = Forked(code, workspace.path)
        process.stdout.readline()
        time.sleep(wait)
        process.kill()
        opened = Workspace.open(workspace.path)
        agree(opened)
        if opened.bank().name == "v1":
            assert scores(opened) == pytest.approx(before, rel=1e-6)
        assert not [p for p in (opened.path / "banks").iterdir() if p.name.startswith(".making")]


def test_versions_are_rolled_back_pinned_and_deleted_with_their_changes(workspace):
    curation.accept(workspace, pending(workspace)[:1], "Anna")
    second = build_bank(workspace, negative_ratio=0.2)
    assert roll_back(workspace).name == "v1"
    with pytest.raises(BadInput, match="before"):
        roll_back(workspace)
    activate_bank(workspace, second.id)
    pin_bank(workspace, "v1")
    with pytest.raises(BadInput, match="pinned"):
        delete_bank(workspace, "v1")
    pin_bank(workspace, "v1", False)
    old = workspace.bank("v1")
    delete_bank(workspace, "v1")
    with workspace.reading() as db:
        assert newest_change(db, old.id) == 0
    with pytest.raises(BadInput, match="before"):
        roll_back(workspace)


def test_features_that_are_gone_from_the_cache_are_made_again(workspace):
    first, second = pending(workspace)[:2]
    shutil.rmtree(workspace.path / "cache" / "banks")
    workspace = Workspace.open(workspace.path)
    with_made = curation.accept(workspace, [first], "Anna").rows
    assert with_made > 0 and (workspace.path / "cache" / "banks").is_dir()
    for file in (workspace.path / "cache" / "candidates").rglob("*.npz"):
        file.write_bytes(b"damaged")
    assert curation.accept(workspace, [second], "Anna").rows > 0
    agree(workspace)


def test_accepting_without_a_bank_version_only_remembers(built, tmp_path):
    shutil.copytree(built, tmp_path / "workspace")
    workspace = Workspace.open(tmp_path / "workspace")
    with workspace.writing() as db:
        db.execute("delete from settings where key = 'active_bank'")
        db.execute("delete from banks")
    decided = curation.accept(workspace, pending(workspace)[:1], "Anna")
    assert decided.bank == "" and candidates.get(workspace, decided.ids[0]).status == "accepted"
    build_bank(workspace, positives="both", negative_ratio=0.2)
    agree(workspace)


# --- the command line -----------------------------------------------------------------------------------------


@pytest.fixture
def command(workspace: Workspace, capsys: pytest.CaptureFixture) -> Callable[..., dict]:
    def run(*words: str) -> dict:
        code = cli.main(["candidates", *words, "--workspace", str(workspace.path), "--json"])
        told = capsys.readouterr()
        assert code == 0, told.err
        return json.loads(told.out.splitlines()[-1])

    return run


def test_the_command_line_decides_by_the_same_rules(workspace, command):
    ids = pending(workspace)
    assert {c["id"] for c in command("list")["candidates"]} == set(ids)
    shown = command("effect", ids[0])["measures"]
    assert [m["name"] for m in shown] == ["visible", "clean", "plausible", "new", "effect"]
    assert "held-out defects" in command("effect", "--all")["sentence"]
    decisions.claim(workspace, ids[1], "Anna")
    decided = command("accept", ids[0], ids[1], "--type", "bar", "--who", "Ben")
    assert decided["ids"] == [ids[0]] and "Anna" in decided["left_out"][ids[1]]
    command("reject", ids[2], "--reason", "too faint", "--reason", "artefact", "--who", "Ben")
    history = command("history")["decisions"]
    assert [d["action"] for d in history] == ["reject", "accept", "type"]
    assert history[0]["reason"] == ["too faint", "artefact"]
    agree(workspace)
    assert command("undo", str(history[1]["id"]))["ids"] == [ids[0]]
    agree(workspace)
    told = command("effect", "--recommended")
    assert told["of"] == 5 and told["sentence"].startswith("Accept ") and set(told["recommended"]) <= set(ids)
    assert set(command("accept", "--recommended")["ids"]) <= set(told["recommended"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("accept",), "Specify the candidates"),
        (("accept", "nobody"), "no candidate"),
        (("undo", "nobody"), "number"),
        (("list", "--sort", "beauty"), "sorted by"),
        (("praise",), "invalid choice"),
    ],
)
def test_what_the_command_line_cannot_do_is_a_sentence(built, words, said, capsys):
    assert cli.main(["candidates", *words, "--workspace", str(built)]) == 2
    assert said in capsys.readouterr().err
