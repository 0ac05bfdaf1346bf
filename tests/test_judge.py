"""The measures of a candidate: what is plain comes out plain, and effects look at training parts only."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exdd_core import curation
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.curation import bench, judge, measures, queue
from exdd_core.curation.judge import Judge
from exdd_core.curation.measures import Quality
from exdd_core.curation.measuring import Measuring
from exdd_core.detector import Change, Detector
from exdd_core.detector.examples import Marked
from exdd_core.detector.fusion import Context, DistanceRatio
from exdd_core.detector.transfer import Found, Paintings
from exdd_core.errors import BadInput, Cancelled
from exdd_core.evaluation import Advice, Outcome
from exdd_core.evaluation.advice import Trial
from exdd_core.images import encode_png
from exdd_core.progress import Progress
from exdd_core.workspace import Workspace, candidates, context, prompts
from tests.plates import SHAPE, build, paint, painting, pending, recipe


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("quality"))


@pytest.fixture
def workspace(built: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(built, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def test_a_defect_like_the_real_ones_is_visible_clean_and_plausible(workspace):
    found = Judge(workspace).quality(pending(workspace)[0])
    assert [m.name for m in found.measures] == list(measures.MEANINGS)
    assert found.visible.light == found.clean.light == found.plausible.light == "green"
    assert found.clean.value == 0 and "0 %" in found.clean.text
    assert len(found.alike) == 3 and found.alike[0].distance <= found.alike[2].distance
    assert all(workspace.image(alike.image).split == "train" for alike in found.alike)
    assert {what for *_, what in found.patches} <= {"kept", "known", "too normal"}
    assert all(m.text and m.meaning for m in found.measures)


def test_a_defect_that_nobody_sees_is_not_visible(workspace):
    found = Judge(workspace).quality(paint(workspace, 60, strength=0).id)
    assert found.visible.light == "red" and found.visible.value == pytest.approx(0, abs=0.2)
    assert "too normal" in {what for *_, what in found.patches}
    assert "too similar to normal surface" in found.new.text


def test_what_changed_outside_the_mask_is_told(workspace):
    made = painting(70)
    image = made.image.copy()
    image[40:48, :20] = 0
    kept = candidates.add(workspace, type(made)(**vars(made) | {"image": image}), recipe(7), made.mask)
    assert Judge(workspace).quality(kept.id).clean.light != "green"


def test_a_twin_is_named_and_brings_nothing_new(workspace):
    one, other = paint(workspace, 50), paint(workspace, 50)
    curation.accept(workspace, [one.id], "Anna")
    found = Judge(workspace).quality(other.id)
    assert found.new.value == 0 and found.new.light == "red"
    assert found.twins == [one.id]


def test_of_those_that_wait_the_ones_that_repeat_others_are_named(workspace):
    one, copy = paint(workspace, 50), paint(workspace, 50, defect_type="bar")
    nothing, others = paint(workspace, 60, strength=0), pending(workspace)[:3]
    judge = Judge(workspace)
    assert judge.repeats([others[0], one.id, *others[1:], nothing.id, copy.id]) == {copy.id: one.id}
    assert judge.repeats([copy.id, one.id, others[2]]) == {one.id: copy.id}
    assert judge.repeats(others) == judge.repeats([]) == judge.repeats([nothing.id]) == {}


def test_a_twin_is_told_by_all_patches_of_what_is_accepted_and_not_by_the_few_rows_kept(
    workspace, monkeypatch
):
    one, other = paint(workspace, 50), paint(workspace, 50)
    monkeypatch.setattr(Detector, "additions", lambda self, several, side="positive": [few(several[0])])

    def few(marked: Marked) -> Change:
        kept = np.arange(len(marked.rows)) == 0
        return Change(
            "positive", "add", marked.image, marked.rows, marked.position, kept, marked.surroundings
        )

    curation.accept(workspace, [one.id], "Anna")
    monkeypatch.undo()
    assert Judge(workspace).quality(other.id).twins == [one.id]


def test_measures_are_kept_until_the_bank_or_the_mask_changes(workspace, monkeypatch):
    first, second = pending(workspace)[:2]
    judge = Judge(workspace)
    made = judge.quality(first)
    kept = candidates.get(workspace, first).quality
    assert Quality.from_json(json.loads(json.dumps(kept))) == made
    monkeypatch.setattr(bench.Bench, "quality", None)  # nothing is measured again
    assert judge.quality(first) == made and Judge(workspace).quality(first) == made
    monkeypatch.undo()
    curation.accept(workspace, [second], "Anna")
    again = judge.quality(first)
    assert again.state != made.state
    mask = candidates.mask_of(workspace, candidates.get(workspace, first))
    mask[: np.flatnonzero(mask.any(1)).mean().astype(int)] = False
    curation.trim(workspace, first, mask, "Anna")
    assert len(judge.quality(first).patches) < len(again.patches)


def test_a_decision_outdates_what_it_can_have_changed_and_nothing_else(workspace):
    first, second, third = pending(workspace)[:3]
    judge = Judge(workspace)
    made = [judge.quality(id) for id in (first, second, third)]

    def current() -> dict[str, tuple[bool, bool]]:
        return {one.id: (one.measured, one.effect) for one in queue.waiting(workspace, "plates")}

    assert {id for id, state in current().items() if state == (True, True)} == {first, second, third}
    curation.reject(workspace, [first], "Anna")
    assert current()[second] == current()[third] == (True, True)
    curation.accept(workspace, [second], "Anna")
    assert current()[third] == (False, False)
    again = judge.quality(third, effect=False)
    assert current()[third] == (True, False)
    assert again.effect == made[2].effect and again.effect_state == made[2].effect_state != again.state
    assert again.basis == made[2].basis and (again.visible, again.clean) == (made[2].visible, made[2].clean)
    judge.quality(third)
    assert current()[third] == (True, True)


def test_effects_stay_measured_against_the_banks_of_the_sessions_start(workspace):
    first, second = pending(workspace)[:2]
    judge, bank = Judge(workspace, keeps_start=True), workspace.bank().id
    made = judge.quality(first)
    curation.accept(workspace, [second], "Anna")
    again = judge.quality(first)
    assert again.state != made.state
    assert (again.effect, again.effect_state) == (made.effect, made.effect_state)

    def current(start: int | None) -> tuple[bool, bool]:
        (one,) = queue.waiting(workspace, "plates", [first], start)
        return one.measured, one.effect

    assert current(judge.start(bank)) == (True, True) and current(None) == (True, False)
    judge.start_anew()
    assert judge.start(bank) is None and judge.quality(first).effect_state == again.state
    assert current(judge.start(bank)) == (True, True)


def test_the_scoreboard_has_the_mean_of_what_was_measured(workspace):
    first, second = pending(workspace)[:2]
    judge = Judge(workspace)
    worth = [judge.quality(id).overall for id in (first, second)]
    lights = [measure.light for measure in judge.quality(first).measures]
    known = {"green": 1.0, "amber": 0.5, "red": 0.0}
    assert worth[0] == pytest.approx(np.mean([known[light] for light in lights if light in known]))
    template = candidates.get(workspace, first).template
    same = [
        w
        for w, id in zip(worth, (first, second), strict=True)
        if candidates.get(workspace, id).template == template
    ]
    row = next(row for row in prompts.scoreboard(workspace) if row.template == template)
    assert row.quality == pytest.approx(sum(w for w in same if w is not None) / len(same))


def test_the_effect_speaks_of_held_back_training_defects(workspace):
    ids = pending(workspace)
    one, many = Judge(workspace).effect(ids[:1]), Judge(workspace).effect(ids)
    training = {row.id for row in workspace.images(split="train", label="defect")}
    for found in (one, many):
        assert f"of {len(training)} held-out defects" in found.text and "false alarm" in found.text
        assert found.value is not None and found.light in ("green", "amber", "red", "grey")
    with pytest.raises(BadInput, match="at least one"):
        Judge(workspace).effect([])


def test_the_effect_never_looks_at_test_images(workspace):
    before = Judge(workspace).effect(pending(workspace))
    for row in workspace.images(split="test"):
        row.path.write_bytes(encode_png(np.zeros((*SHAPE, 3), np.uint8)))
    assert Judge(Workspace.open(workspace.path)).effect(pending(workspace)) == before


def test_a_judge_follows_the_bank_as_it_grows_and_shrinks(workspace):
    ids = pending(workspace)
    judge = Judge(workspace)
    judge.quality(ids[0])
    curation.accept(workspace, ids[1:3], "Anna")
    followed, fresh = judge.effect(ids[:1]), Judge(workspace).effect(ids[:1])
    assert followed.value == pytest.approx(fresh.value, abs=2.0)  # sampled otherwise, not measured otherwise
    curation.undo_last(workspace, "Anna")
    assert judge.effect(ids[:1]).value == pytest.approx(Judge(workspace).effect(ids[:1]).value, abs=2.0)


def test_what_is_decided_while_others_are_measured_is_not_measured(workspace, monkeypatch):
    """Though it was sought, with others, before: those to measure next are sought together."""
    measuring = Measuring(workspace)
    every, took, sought = pending(workspace), list[str](), list[int]()
    quality, next_late = measuring.judge.quality, queue.next_late

    def decide_after_the_first(id: str, *more: Any) -> Any:
        took.append(id)
        if len(took) == 1:
            curation.reject(workspace, [next(one for one in every if one != id)], "Ada")
        return quality(id, *more)

    def counted(*given: Any) -> list[queue.Waiting]:
        sought.append(1)
        return next_late(*given)

    monkeypatch.setattr(measuring.judge, "quality", decide_after_the_first)
    monkeypatch.setattr(queue, "next_late", counted)
    with context.working_on("plates"):
        measuring.want()
        for thread in threading.enumerate():
            if thread.name == "measuring candidates":
                thread.join(120)
        assert measuring.late() == 0
    assert set(took) == set(pending(workspace)) and len(pending(workspace)) == len(every) - 1
    assert len(sought) < len(took), (sought, took)


def test_measuring_begins_again_after_it_failed(workspace, monkeypatch):
    measuring, next_late, failed = Measuring(workspace), queue.next_late, list[int]()

    def fails_once(*given: Any) -> list[queue.Waiting]:
        if not failed:
            failed.append(1)
            raise OSError("disk I/O error")
        return next_late(*given)

    monkeypatch.setattr(queue, "next_late", fails_once)
    monkeypatch.setattr(measuring, "_compare", lambda: None)
    with context.working_on("plates"):
        late = measuring.late()
        for left in (late, 0):
            measuring.want()
            for thread in threading.enumerate():
                if thread.name == "measuring candidates":
                    thread.join(120)
            assert measuring.late() == left and failed and late


def test_the_queue_is_sorted_by_any_measure(workspace):
    ids = pending(workspace)
    Judge(workspace).measure(ids[:4])
    for order in measures.MEANINGS:
        found = queue.queue(workspace, order=order)
        assert {c.id for c, _ in found} == set(ids)
        assert [q is None for _, q in found] == [False] * 4 + [True] * 2
        values = [getattr(q, order).value for _, q in found[:4]]
        assert values == sorted(values, reverse=order not in ("clean", "plausible"))
    assert [c.id for c, _ in queue.queue(workspace, order="oldest")] == ids
    assert queue.queue(workspace, order="newest", engine="sdxl") == []
    with pytest.raises(BadInput, match="sorted by"):
        queue.queue(workspace, order="beauty")


def test_without_real_defects_the_effect_says_why_it_cannot_be_measured(workspace):
    build_bank(workspace, positives="none", negative_ratio=0.2)
    found = Judge(workspace).quality(pending(workspace)[0])
    assert found.effect.light == found.plausible.light == "grey" and "two parts" in found.effect.text
    assert not any(one.text.endswith(".") for one in found.measures)  # they stand within sentences
    curation.accept(workspace, pending(workspace)[:1], "Anna")
    assert load_detector(workspace).positive is not None


def test_a_recommendation_shows_its_stages_can_be_stopped_in_each_and_then_begun_again(workspace):
    judge, stages = Judge(workspace), []

    def told(progress: Progress) -> None:
        if progress.stage not in stages:
            stages.append(progress.stage)
            progress.cancel()

    for _ in range(3):
        with pytest.raises(Cancelled):
            judge.recommend(progress=Progress(told))
    assert [stage.split()[0] for stage in stages] == ["Holding", "Reading", "Trying"]
    found = judge.recommend(progress=Progress(told))
    assert "by procedural find" in found.sentence and "(transfer " in found.sentence
    assert found == Judge(workspace).recommend() and found.of == len(pending(workspace))
    assert found.trials and set(found.ids) <= set(pending(workspace))


def test_without_a_bank_version_nothing_is_measured(workspace):
    with workspace.writing() as db:
        db.execute("delete from settings where key = 'active_bank'")
    with pytest.raises(BadInput, match="bank version"):
        Judge(workspace).quality(pending(workspace)[0])


@pytest.mark.parametrize(
    ("gain", "found", "light"),
    [
        (0.01, 1, "green"),
        (0.01, -1, "amber"),
        (0.0, -1, "red"),
        (-0.01, 1, "red"),
        (0.0, 1, "amber"),
        (0.0, 0, "grey"),
    ],
)
def test_an_effect_is_green_only_where_nothing_contradicts_it(gain: float, found: int, light: str) -> None:
    before, after = (
        Outcome({}, auroc, 0.5, number, 9, 0.0, 9) for auroc, number in ((0.9, 5), (0.9 + gain, 5 + found))
    )
    assert measures.effect_of(before, after).light == light
    # A gain of 1.0 ± 1.5 over two parts is noise, one of 1.0 ± 0.1 is not.
    for apart, seen in ((0.03, "grey"), (0.002, "green")):
        parts = {"a": 0.81 - apart / 2, "b": 0.81 + apart / 2}
        two = (
            Outcome(auroc, 0.9 + i / 100, 0.5, 5, 9, 0.0, 9)
            for i, auroc in enumerate(({"a": 0.8, "b": 0.8}, parts))
        )
        assert measures.effect_of(*two).light == seen
    assert "-0.0" not in measures.effect_of(before, Outcome({}, 0.9 - 1e-5, 0.5 - 1e-5, 5, 9, 0.0, 9)).text


def test_painted_defects_are_said_to_change_no_score_only_where_that_is_known() -> None:
    idle, found = (
        Paintings("e", 5, 5, 1.0, {"a": Found(0.5, 64)}),
        Paintings("f", 5, 5, 1.0, {"a": Found(1.0, 64)}),
    )
    assert judge._is_idle(Context(), {"e"}, [idle])
    assert not judge._is_idle(Context(), {"e", "f"}, [idle, found])
    assert not judge._is_idle(Context(), {"e"}, [])  # where nothing could be tried
    assert not judge._is_idle(DistanceRatio(), {"e"}, [idle])  # every row counts
    advice = Advice(Trial(("e",), 3, 0.0, 0.0, 0.0, 8), [])
    assert "they change no score unless" in judge._advised(advice, 5, idle=True)
    assert "may help with future defects" in judge._advised(advice, 5, idle=False)
