"""Thresholds that people choose: found by rate, F1 and cost, stored with a version, judged by, and taken back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from exdd_core import cli
from exdd_core.banks.detectors import judging_detector, load_detector
from exdd_core.detector.inspection import reworded
from exdd_core.detector.thresholds import Calibration
from exdd_core.errors import BadInput
from exdd_core.evaluation import cutting
from exdd_core.review import Review, Wanted
from exdd_core.workspace import Workspace, thresholds
from exdd_core.workspace.versions import activate_bank, delete_bank


def test_the_cheapest_threshold_is_the_one_of_all_that_there_are() -> None:
    """Worked out by hand: with a miss at 3 one false alarm is worth it, at 0.5 it is not."""
    scores = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    labels = np.array([False, False, True, False, True])
    parts = list("abcde")
    dear, cheap = (cutting.by_cost(scores, labels, parts, miss) for miss in (3.0, 0.5))
    assert (dear.value, dear.missed, dear.false_alarms) == (1.5, 0, 1)
    assert (cheap.value, cheap.missed, cheap.false_alarms) == (3.5, 1, 0)
    assert dear.low <= dear.value <= dear.high
    best = cutting.by_f1(scores, labels, parts)
    assert (best.value, best.missed, best.false_alarms) == (1.5, 0, 1)  # F1 0.8; 0.67 at 3.5
    with pytest.raises(BadInput, match="known normal and known defective"):
        cutting.by_f1(scores, np.ones(5, bool), parts)
    with pytest.raises(BadInput, match="above 0"):
        cutting.by_cost(scores, labels, parts, 0)


@given(
    st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=2, max_size=14).filter(
        lambda pairs: len({label for _, label in pairs}) == 2
    ),
    st.sampled_from([0.25, 1.0, 4.0]),
)
@settings(max_examples=40)
def test_no_threshold_costs_less(pairs: list[tuple[int, bool]], miss: float) -> None:
    scores, labels = np.array([s for s, _ in pairs], float), np.array([d for _, d in pairs])
    cut = cutting.by_cost(scores, labels, [str(n) for n in range(len(pairs))], miss)
    tried = [cutting.counted(scores, labels, at) for at in np.arange(-0.5, 13, 0.5)]
    assert cut.missed * miss + cut.false_alarms == min(t.missed * miss + t.false_alarms for t in tried)


def test_a_moved_calibration_keeps_its_scale() -> None:
    own = Calibration(2.0, 6.0, 1.0, 3.0, 1.0, doubt=4.0, promised=0.02)
    low, high = own.moved(0.5), own.moved(2)
    assert (low.threshold, low.map_threshold, low.promised) == (4.0, 2.0, None)
    assert (high.threshold, high.map_threshold, high.promised) == (10.0, 5.0, 0.02)
    assert [own.verdict(score) for score in (3, 5, 7)] == ["normal", "not sure", "defect"]
    assert [low.verdict(score) for score in (3, 5, 7)] == ["normal", "defect", "defect"]
    assert low.calibrated(4) == 1 and own.moved(1) == own
    said = "Normal: even the most suspicious spot stays below the threshold; the patch is far."
    assert reworded(said, "normal", "defect") == "Defect: the patch is far."
    assert reworded("Defect: it is in the bank.", "defect", "normal").startswith("Normal: ")


@pytest.fixture(scope="module")
def workspace(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace whose test split is scored."""
    folder = tmp_path_factory.mktemp("thresholds") / "workspace"
    shutil.copytree(demo_workspace.path, folder)
    made = Workspace.open(folder)
    review = Review(made)
    review.score(review.images("demo/test"))
    return made


Capture = pytest.CaptureFixture[str]


def run(capsys: Capture, workspace: Workspace, *words: str) -> dict[str, Any]:
    """A command's answer."""
    assert cli.main([*words, "--workspace", str(workspace.path), "--json"]) == 0
    answer: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return answer


def test_a_chosen_threshold_judges_and_is_taken_back(workspace: Workspace) -> None:
    """Verdict, score, map, stored rows and a fresh comparison all speak of the new threshold, and of the old again."""
    review, bank = Review(workspace), workspace.bank()
    ids = [image.id for image in review.images("demo/test")]
    before = review.results(bank).rows(review.bank_state().state)
    one = review.compare(ids[0]).exdd
    choice, said = review.choose_threshold(Wanted("hand", value=1000.0), "Anna")
    state = review.bank_state().state
    after = review.results(bank).rows(state)
    assert set(after) == set(ids) and not any(row["exdd_verdict"] == "defect" for row in after.values())
    assert "verdicts changed" in said and choice.who == "Anna"
    fresh = review.compare(ids[0])
    assert fresh.exdd.score == one.score  # the detector's scores stay
    # Regions end where the map crosses the threshold; they are found again when the image is.
    assert after[ids[0]] == {**fresh.row(), "state": state, "regions": None}
    assert fresh.exdd.calibrated_map.max() < one.calibrated_map.max() / 500
    assert (
        load_detector(workspace).score([review.image(ids[0]).path])[0].threshold == one.threshold
    )  # measures keep it
    assert judging_detector(workspace).patchcore().score([review.image(ids[0]).path])[0].threshold == (
        review.compare(ids[0]).patchcore.threshold
    )
    review.undo_threshold("Ben")
    assert review.results(bank).rows(review.bank_state().state) == before
    (undone,) = thresholds.listed(workspace, bank.id)
    assert undone.undone_by == "Ben" and thresholds.in_force(workspace, bank.id) is None
    with pytest.raises(BadInput, match="No one chose"):
        review.undo_threshold("Ben")


def test_by_f1_and_by_cost_what_is_said_is_what_is_found(workspace: Workspace) -> None:
    review = Review(workspace)
    bank, images = workspace.bank(), review.images("demo/test")
    for wanted in (Wanted("f1", "demo/test"), Wanted("cost", "demo/test", miss=5)):
        review.choose_threshold(wanted, "Anna")
        rows = review.results(bank).rows(review.bank_state().state)
        found = [i.id for i in images if i.label == "defect" and rows[i.id]["exdd_verdict"] == "defect"]
        count = sum(image.label == "defect" for image in images)
        choice = thresholds.in_force(workspace, bank.id)
        assert choice and f"finds {len(found)} of {count}" in choice.said and "interval" in choice.said
        review.undo_threshold("Anna")
    with pytest.raises(BadInput, match="score that list first"):
        review.find_threshold(Wanted("f1", "demo/train"))


def test_a_lower_rate_is_a_higher_threshold_and_its_own_rate_its_own(workspace: Workspace) -> None:
    review = Review(workspace)
    at = [review.find_threshold(Wanted("rate", rate=rate)).value for rate in (0.3, 0.1, 0.02)]
    assert at[0] < at[1] <= at[2] == pytest.approx(1, abs=1e-3)  # held-out features are stored as float16
    with pytest.raises(BadInput, match="between 0 and 1"):
        review.find_threshold(Wanted("rate", rate=1.5))


def test_the_commands_set_list_and_undo(workspace: Workspace, tmp_path: Path, capsys: Capture) -> None:
    shutil.copytree(workspace.path, tmp_path / "workspace")
    own = Workspace.open(tmp_path / "workspace")
    made = run(capsys, own, "threshold", "set", "--false-alarm-rate", "0.3", "--who", "Anna")
    listed = run(capsys, own, "threshold", "list")
    assert listed["value"] == made["choice"]["value"] < 1 and listed["choices"][0]["way"] == "rate"
    run(capsys, own, "threshold", "undo", "--who", "Anna")
    assert run(capsys, own, "threshold", "list")["value"] == 1
    assert cli.main(["threshold", "set", "--who", "Anna", "--workspace", str(own.path)]) == 2
    assert "Specify exactly one of" in capsys.readouterr().err
    without = ["--value", "0.5", "--images", "demo/train", "--workspace", str(own.path)]
    assert cli.main(["threshold", "set", *without]) == 2
    assert "--images requires --f1 or --cost" in capsys.readouterr().err
    found = run(capsys, own, "threshold", "set", "--f1", "--images", "demo/train", "--who", "Anna")
    assert "largest F1 on demo/train: finds" in found["choice"]["said"]  # the command scored these images
    run(capsys, own, "threshold", "undo", "--who", "Anna")
    built = run(capsys, own, "build", "--false-alarm-rate", "0.3", "--positives", "none", "--who", "Anna")
    assert own.bank(str(built["bank"])).settings["false_alarm_rate"] == 0.3
    run(capsys, own, "threshold", "set", "v1", "--value", "0.5", "--who", "Anna")
    delete_bank(own, "v1")
    assert json.loads(json.dumps(own.setting(thresholds.KEY))) == {}
    activate_bank(own, str(built["bank"]))
