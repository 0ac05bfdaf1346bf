"""The gate before a version becomes active: a worse one is held back and says by which images."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exdd_core import cli, curation, jobs
from exdd_core.banks import compare
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import judging_detector, load_detector
from exdd_core.curation import blaming, gate
from exdd_core.curation.gate import Gate, Seen, Tried
from exdd_core.images import read_mask
from exdd_core.measurements import RunResult
from exdd_core.workspace import Workspace, runs, thresholds
from exdd_core.workspace.thresholds import Choice
from pages.banks.versions import held_row
from pages.job_panel import outcome_of
from tests import plates


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plates.build(tmp_path_factory.mktemp("gate"))


@pytest.fixture
def own(built: Path, tmp_path: Path) -> Workspace:
    return Workspace.open(shutil.copytree(built, tmp_path / "own"))


def test_blame_begins_with_the_good_image_that_hides_a_defect(
    own: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert blaming.blame(own).sentence == "There is no marked image to trace back to v1."
    hides, missed, other = [row for row in own.images("plates", split="test") if row.label == "defect"][:3]
    masks = [read_mask(row.mask, (row.height, row.width)) for row in (hides, missed, other) if row.mask]
    curation.mark_false_alarm(
        own, hides.id, hides.path, "Anna", masks[0]
    )  # now the negative bank knows a bar
    curation.mark_missed(own, missed.id, missed.path, masks[1], "Anna", "bar")
    curation.mark_missed(own, other.id, other.path, masks[2], "Anna", "bar")
    found = blaming.blame(own)
    first = found.images[0]
    assert (first.image, first.side, first.marked) == (hides.id, "negative", [missed.id, other.id])
    assert 0.2 < first.alone / first.patches < 1 and found.tried == 3 and not found.lost
    alarms = [one for one in found.images if one.side == "positive"]
    assert alarms == found.images[-len(alarms) :] and all(one.marked == [hides.id] for one in alarms)
    assert alarms[0].defect_type == "bar" and alarms[0].image in load_detector(own).positive.rows_by_image()
    capsys.readouterr()
    place = ["--workspace", str(own.path)]
    assert cli.main(["banks", "blame", *place]) == 0
    assert (
        f"{hides.id}: the nearest image to {first.patches} patches of 2 missed defects, "
        in capsys.readouterr().out
    )
    assert cli.main(["banks", "blame", "--most", "1", "--json", *place]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [one["image"] for one in told["images"]] == [hides.id] and told["tried"] == 3
    missed.path.unlink()
    left = blaming.blame(own)
    assert left.lost == [missed.id] and left.images[0].marked == [other.id]
    assert left.sentence.endswith("to what 2 marked images show. 1 marked image could not be read.")


def test_a_worse_version_is_held_back_and_says_by_which_images(
    own: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset, place = own.dataset().name, ["--workspace", str(own.path)]
    worse = build_bank(own, negative_ratio=0.2, activate=False)
    unmarked = gate.look(own, worse.id)
    assert not unmarked.holds and unmarked.sentence.endswith("was not tested on any image: none is marked.")
    defect = next(row for row in own.images(dataset, split="test") if row.label == "defect")
    assert defect.mask is not None
    mask = read_mask(defect.mask, (defect.height, defect.width))
    curation.mark_missed(own, defect.id, defect.path, mask, "Anna", "bar")
    normal = next(row for row in own.images(dataset, split="test") if row.label == "normal")
    corner = np.zeros((normal.height, normal.width), bool)
    corner[:16, :16] = True
    curation.mark_false_alarm(own, normal.id, normal.path, "Anna", corner)
    assert judging_detector(own).score([defect.path])[0].verdict == "defect"
    # Made worse on purpose: with such a threshold it finds nothing.
    thresholds.choose(own, worse.id, Choice(value=500, way="hand", who="Ben"))
    found = gate.look(own, worse.id)
    assert [(one.image, one.action) for one in found.failing] == [(defect.id, "missed")] and found.holds
    capsys.readouterr()
    assert cli.main(["banks", "activate", worse.name, *place]) == 2
    said = capsys.readouterr().err
    assert f"{worse.name} is held back: it fails 1 of 2 marked images" in said and "--anyway" in said
    assert f"{defect.id}, marked as a missed defect: worse (defect" in said
    assert f"{normal.id}, marked as a false alarm: passes" in said
    assert own.bank().id != worse.id
    thresholds.undo(own, worse.id, "Ben")
    assert cli.main(["banks", "activate", worse.name, *place]) == 0 and own.bank().id == worse.id
    thresholds.choose(own, own.banks()[-1].id, Choice(value=500, way="hand", who="Ben"))
    assert cli.main(["banks", "activate", own.banks()[-1].name, "--anyway", *place]) == 0
    # A build ends at the gate too: this one knows no defect, and one was marked that looks like normal surface.
    plain = [row for row in own.images(dataset, split="test") if row.label == "normal"][1]
    curation.mark_missed(own, plain.id, plain.path, corner, "Anna", "stain")
    active, building = own.bank().id, ["build", "--positives", "none", "--negative-ratio", "0.2", *place]
    capsys.readouterr()
    assert cli.main([*building, "--json"]) == 0
    out, err = capsys.readouterr()
    built = json.loads(out.splitlines()[-1])
    assert not built["active"] and own.bank().id == active
    assert f"{built['name']} is held back" in built["held"] and plain.id in built["lines"][0]
    assert f"To activate it nevertheless, run banks activate {built['name']} --anyway." in err
    assert built["held"] in (said := outcome_of(jobs.listed(own)[0]).said) and "Activate on Banks" in said
    curation.undo_last(own, "Anna")
    next((own.path / "masks").glob("*")).unlink()  # what was left out is said
    left = gate.look(own, worse.id)
    assert (
        len(left.images) == 1
        and left.lines[-1] == f"{left.lost[0]}: not tested because its file or its mark's mask is missing"
    )


def test_a_figure_below_the_interval_holds_a_version_back(
    demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    active = demo_workspace.bank()
    other = replace(active, id="other", number=9, active=False)
    figures: dict[str, float | None] = dict.fromkeys(compare.METRICS, 0.9)
    told = {
        active.id: compare.Measured("run", figures, 6, 0),
        "other": compare.Measured("run2", {**figures, "image_ap": 0.79, "pixel_auroc": 0.81}, 6, 0),
    }
    result: RunResult = {"intervals": {"exdd": dict.fromkeys(figures, [0.8, 1.0])}}
    run = runs.Run("run", "evaluate", "", {}, result, active.id, "", 0.0)
    monkeypatch.setattr(compare, "measured", lambda workspace: told)
    monkeypatch.setattr(runs, "get", lambda workspace, id: run)
    assert gate._fallen(demo_workspace, other, active) == [
        "image ap is 0.7900, below the interval of v1, 0.8000 to 1.0000"
    ]
    # Where all draws agree, they say nothing about other parts: the interval of the other version counts.
    sure: RunResult = {"intervals": {"exdd": dict.fromkeys(figures, [1.0, 1.0])}}
    unsure: RunResult = {
        "intervals": {"exdd": {**dict.fromkeys(figures, [0.9, 1.0]), "image_ap": [0.6, 0.9]}}
    }
    both = {"run": replace(run, result=sure), "run2": replace(run, result=unsure)}
    monkeypatch.setattr(runs, "get", lambda workspace, id: both[id])
    assert [line[:18] for line in gate._fallen(demo_workspace, other, active)] == ["image ap is 0.7900"]
    nothing: RunResult = {"intervals": {"exdd": dict.fromkeys(figures, [None, None])}}  # type: ignore[list-item]
    both["run"] = replace(run, result=nothing)
    assert not gate._fallen(demo_workspace, other, active)
    row = held_row(other, Gate("v9", [], ["<image ap> is low"]))
    assert 'data-act="anyway" data-id="other"' in row and "<li>&lt;image ap&gt; is low</li>" in row
    fallen = Gate("v9", [], ["image ap is low"])
    assert (
        fallen.holds
        and fallen.sentence == "v9 is held back: 1 figure fell below the interval of the active version."
    )


def test_what_got_better_and_worse_is_said_in_words() -> None:
    good, bad = Seen("defect", 1.5, True), Seen("normal", 0.25, False)
    words = [
        Tried("a.png", "missed", *pair).sentence
        for pair in ((bad, good), (good, bad), (bad, bad), (None, good))
    ]
    assert [sentence.split(": ")[1] for sentence in words] == [
        "better (normal 0.25, now defect 1.50)",
        "worse (defect 1.50, now normal 0.25)",
        "fails (normal 0.25, now normal 0.25)",
        "passes (defect 1.50)",
    ]
    lines = Gate("v2", [Tried("a", "missed", None, good), Tried("b", "missed", None, bad)], []).lines
    assert lines[0].startswith("b,")
