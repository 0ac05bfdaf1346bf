"""Stored measurements: kept whole, found again, compared, and measured again to the same figures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exdd_core import curation, jobs
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.detector.examples import defect_patches
from exdd_core.errors import BadInput
from exdd_core.experiments import run_differences
from exdd_core.images import read_mask
from exdd_core.workspace import Workspace, runs


@pytest.fixture
def workspace(demo_workspace: Workspace, tmp_path: Path) -> Workspace:
    """A copy that a test may change."""
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def some(auroc: float = 0.9, scores: tuple[float, ...] = (0.5, 1.5)) -> dict[str, Any]:
    return {
        "methods": {"exdd": {"image_auroc": auroc, "aupro": float("nan")}},
        "per_image": {"id": ["a.png", "b.png"], "label": ["normal", "defect"]},
        "calibrated": {"exdd": list(scores)},
        "scores": {"exdd": list(scores)},
    }


def test_a_run_is_kept_and_found(workspace: Workspace) -> None:
    spec = {"dataset": "demo", "seed": 3}
    first = runs.store(workspace, "abc1", "evaluate", "One", spec, some(), "bank", 2.5)
    second = runs.store(workspace, "abd2", "sweep", "Two", {"dataset": "other"}, some())
    assert runs.get(workspace, "abc1") == first == runs.get(workspace, "abc")
    assert runs.get(workspace) == second  # the newest
    assert first.spec == spec and (first.bank, first.seconds) == ("bank", 2.5)
    assert first.result["methods"]["exdd"] == {"image_auroc": 0.9, "aupro": None}  # JSON knows no NaN
    assert first.result["libraries"]["numpy"]
    assert [run.id for run in runs.listed(workspace)] == ["abd2", "abc1"]
    assert [run.id for run in runs.listed(workspace, dataset="demo")] == ["abc1"]
    assert [run.id for run in runs.listed(workspace, kind="sweep")] == ["abd2"]
    brief = runs.listed(workspace)[0].result
    assert brief["methods"] and not set(brief) & set(runs.BULKY)
    gone = runs.delete(workspace, "abd2")
    assert [run.id for run in runs.listed(workspace)] == ["abc1"]
    runs.restore(workspace, gone)
    assert runs.get(workspace, "abd2") == second and [run.id for run in runs.listed(workspace)] == [
        "abd2",
        "abc1",
    ]


@pytest.mark.parametrize(("id", "words"), [("x", "is no stored"), ("ab", "is more than one"), ("", "is no")])
def test_a_run_that_is_not_clear_is_refused(workspace: Workspace, id: str, words: str) -> None:
    for name in ("abc1", "abd2"):
        runs.store(workspace, name, "evaluate", "One", {}, some())
    with pytest.raises(BadInput, match=words):
        runs.get(workspace, id)


def test_one_job_keeps_one_run(workspace: Workspace) -> None:
    stamps = [runs.stamp(workspace)]
    runs.store(workspace, "abc", "evaluate", "Killed before it could say so", {}, some(0.1))
    stamps.append(runs.stamp(workspace))
    runs.store(workspace, "abc", "evaluate", "Resumed", {}, some(0.2))
    stamps.append(runs.stamp(workspace))
    assert len(set(stamps)) == 3 and runs.stamp(workspace) == stamps[-1]
    found = [(run.title, run.result["methods"]["exdd"]["image_auroc"]) for run in runs.listed(workspace)]
    assert found == [("Resumed", 0.2)]


def test_differences_name_settings_and_figures(workspace: Workspace) -> None:
    spec = {"seed": 0, "rate": 0.05}
    one = runs.store(workspace, "one", "evaluate", "", spec, some(0.9, (0.5, 1.5)))
    two = runs.store(workspace, "two", "evaluate", "", spec | {"seed": 1}, some(0.8, (1.2, 0.4)))
    assert run_differences.differences(one, one) == []
    found = [(d.what, d.name, d.first, d.second) for d in run_differences.differences(one, two)]
    assert found == [("setting", "seed", 0, 1), ("figure", "methods, exdd, image_auroc", 0.9, 0.8)]
    changed = run_differences.changed_verdicts(one, two, "exdd")
    assert changed == {"found": [], "lost": ["b.png"], "new_alarms": ["a.png"], "ended_alarms": []}
    assert run_differences.changed_verdicts(two, one, "exdd")["found"] == ["b.png"]
    with pytest.raises(BadInput, match="did not measure magic"):
        run_differences.changed_verdicts(one, two, "magic")


def test_an_evaluation_is_stored_and_measured_again(workspace: Workspace) -> None:
    said = jobs.run_here(workspace, "evaluate", "First", {"rate": 0.1})
    run = runs.get(workspace, said["run"])
    bank = workspace.bank()
    assert run.bank == bank.id == run.spec["bank"] and run.spec["dataset"] == "demo"
    assert said["methods"] == run.result["methods"] and not set(said) & set(runs.BULKY)
    assert len(json.dumps(said)) < 10_000  # a list of jobs reads all of them
    test = {row.id: row for row in workspace.images(split="test")}
    images = run.result["per_image"]
    assert sorted(images["id"]) == sorted(test)
    assert images["group"] == [test[id].group for id in images["id"]]
    assert len(run.result["scores"]["exdd"]) == len(test) == len(run.result["calibrated"]["patchcore"])
    # again, after the version has changed and another become the active one: the record names its own as it was
    dropped = curation.drop(
        workspace, load_detector(workspace).fitted.examples.defects.images[0].id, "positive", "tester"
    )
    assert dropped.rows
    build_bank(workspace, positives="none")
    again = runs.get(workspace, jobs.run_here(workspace, run.kind, "Again", run.spec)["run"])
    assert again.id != run.id and run_differences.differences(run, again) == []
    assert again.result["scores"] == run.result["scores"]
    now = runs.get(workspace, jobs.run_here(workspace, "evaluate", "As it is now", {"bank": bank.id})["run"])
    assert {d.name for d in run_differences.differences(run, now)} > {"changes"}
    assert run_differences.changes_of(now)["exdd"] > run_differences.changes_of(run)["exdd"] == 0


def test_what_a_run_says_of_recall_follows_from_its_scores(workspace: Workspace) -> None:
    run = runs.get(workspace, jobs.run_here(workspace, "evaluate", "", {"rate": 0.25})["run"])
    labels, scores = run.result["per_image"]["label"], run.result["calibrated"]["exdd"]
    at = run.result["at_rate"]["exdd"]
    normal = [s for s, label in zip(scores, labels, strict=True) if label == "normal"]
    assert at["normal"] == len(normal) and at["false_alarms"] == sum(s > at["threshold"] for s in normal)
    assert at["false_alarms"] <= 0.25 * len(normal)
    own = run.result["at_threshold"]["exdd"]
    assert own["threshold"] == 1 and own["false_alarms"] == sum(s > 1 for s in normal)
    found = sum(s > 1 for s, label in zip(scores, labels, strict=True) if label == "defect")
    assert sum(kind["found"] for kind in own["types"].values()) == found
    sure = run.result["recall"]["at_threshold"]["intervals"]["exdd"]
    low, high = sure["defects"]
    assert 0 <= low <= found / sum(kind["count"] for kind in own["types"].values()) <= high <= 1
    assert set(sure["types"]) == set(own["types"])
    (pair,) = run.result["recall"]["at_rate"]["comparisons"]
    assert (pair["method"], pair["against"], pair["p"]) == ("exdd", "patchcore", None)  # too few parts
    for method, intervals in run.result["intervals"].items():
        for figure, (low, high) in intervals.items():
            value = run.result["methods"][method][figure]
            assert value is not None and 0 <= low <= value + 1e-9 and high <= 1


def test_what_a_run_says_of_verdicts_is_what_inspections_say(workspace: Workspace) -> None:
    run = runs.get(workspace, jobs.run_here(workspace, "evaluate", "", {})["run"])
    ids, labels = run.result["per_image"]["id"], run.result["per_image"]["label"]
    found = load_detector(workspace, run.bank).score([workspace.image(id).path for id in ids])
    said = {(label, i.verdict) for i, label in zip(found, labels, strict=True)}
    unsure = {kind: sum(i.verdict == "not sure" and own == kind for i, own in zip(found, labels, strict=True))
              for kind in ("normal", "defect")}  # fmt: skip
    assert run.result["not_sure"]["exdd"] == unsure and len(said) > 1
    assert run.result["promised"]["exdd"] == found[0].calibration.promised
    told = run.result["probabilities"]["exdd"]
    assert told == pytest.approx([i.probability for i in found], abs=1e-3)
    kept = run.result["reliability"]["exdd"]
    assert sum(bin["count"] for bin in kept["bins"]) == len(ids)
    base = sum(label == "defect" for label in labels)
    assert sum(bin["count"] * bin["found"] for bin in kept["bins"]) == pytest.approx(base)
    assert 0 <= kept["ece"] <= 1


def test_what_a_run_says_of_patches_is_what_inspections_say(workspace: Workspace) -> None:
    run = runs.get(workspace, jobs.run_here(workspace, "evaluate", "", {})["run"])
    rows = [workspace.image(id) for id in run.result["per_image"]["id"]]
    found = load_detector(workspace, run.bank).score([row.path for row in rows])
    likely = [i.patch_probabilities for i in found]
    assert likely[0] is not None
    kept = run.result["patch_reliability"]["exdd"]
    total = sum(bin["count"] for bin in kept["bins"])
    assert total == len(found) * likely[0].size and len(kept["bins"]) <= 10 and 0 <= kept["ece"] <= 1
    said = sum(bin["count"] * bin["said"] for bin in kept["bins"]) / total
    assert said == pytest.approx(np.mean([own for own in likely if own is not None]), abs=1e-4)
    marked = 0
    for row, one in zip(rows, found, strict=True):
        if row.mask is not None:
            mask = read_mask(row.mask, one.shape)
            marked += int(defect_patches(mask, one.size, one.patch_scores.shape).sum())
    assert sum(bin["count"] * bin["found"] for bin in kept["bins"]) == pytest.approx(marked) and marked
