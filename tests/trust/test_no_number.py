"""A score or a heatmap that is no finite number: an overflow, or an image that the network cannot read."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.cli import main
from exdd_core.detector import patches
from exdd_core.errors import BadInput
from exdd_core.images import encode_png
from exdd_core.jobs import run_here
from exdd_core.progress import Progress
from exdd_core.review import Review
from exdd_core.workspace import Workspace, runs
from pages.inspect.image import inspection_answer

WHITE = np.full((48, 64, 3), 255, np.uint8)


@pytest.fixture
def overflowing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network overflows where an image is white all over, and the others come out as always."""
    sound = patches.features

    def features(backbone, images):
        found = sound(backbone, images)
        found[np.asarray(images).reshape(len(images), -1).min(1) == 255] = np.nan
        return found

    monkeypatch.setattr(patches, "features", features)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_never_normal(workspace, unseen, value):
    from dataclasses import replace

    seen = load_detector(workspace).score(unseen[:1])[0]
    assert seen.verdict == "normal"
    for damaged in (replace(seen, score=value), replace(seen, model_map=np.full_like(seen.model_map, value))):
        assert damaged.verdict == "cannot judge" and damaged.reason.startswith("Cannot judge: ")
        assert damaged.probability is None and damaged.patch_probabilities is None
        with pytest.raises(BadInput, match="Cannot judge"):
            damaged.at(3, 3)


def test_a_threshold_that_is_no_number_judges_nothing(workspace, unseen):
    from dataclasses import replace

    seen = load_detector(workspace).score(unseen[:1])[0]
    calibration = replace(seen.calibration, threshold=float("nan"))
    assert replace(seen, calibration=calibration).verdict == "cannot judge"


def test_the_command_line_and_its_tables_say_that_an_image_cannot_be_judged(
    workspace, overflowing, tmp_path, capsys
):
    (tmp_path / "white.png").write_bytes(encode_png(WHITE))
    table, panes = tmp_path / "r.csv", tmp_path / "panes"
    place = ["--workspace", str(workspace.path), "--csv", str(table), "--png", str(panes)]
    assert main(["score", str(tmp_path / "white.png"), *place]) == 0
    assert "cannot judge" in capsys.readouterr().out
    (row,) = csv.DictReader(table.open())
    assert row["exdd_verdict"] == row["patchcore_verdict"] == "cannot judge"
    assert row["exdd_score"] == row["exdd_calibrated"] == row["exdd_probability"] == ""
    assert len(list(panes.glob("*.png"))) == 1
    assert main(["score", str(tmp_path / "white.png"), *place, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out.splitlines()[-1])["images"]
    assert row["exdd_score"] is None and row["exdd_verdict"] == "cannot judge"


def test_the_inspect_page_gets_no_number_that_is_none(workspace, overflowing, tmp_path):
    (tmp_path / "white.png").write_bytes(encode_png(WHITE))
    review = Review(workspace)
    (id,), _ = review.add_files([(tmp_path / "white.png", "white.png")])
    answer: Any = inspection_answer(review, review.compare(id))
    json.dumps(answer, allow_nan=False)
    assert answer["exdd"]["verdict"] == "cannot judge" and answer["exdd"]["score"] is None


def imported_white(workspace: Workspace, path: Path) -> None:
    """Make an image of a data set white, as though it had been imported so."""
    path.write_bytes(encode_png(WHITE))
    with workspace.writing() as db:
        db.execute("delete from files")  # the digests, by which a replaced image is refused


@pytest.mark.slow
def test_evaluation_leaves_out_what_cannot_be_judged_and_says_so(workspace, overflowing, tmp_path):
    first = next(row for row in workspace.images("plates", split="test") if row.label == "normal")
    imported_white(workspace, first.path)
    for folds in (None, 2):
        spec = {"dataset": "plates"} | ({"folds": folds} if folds else {"bank": workspace.bank().id})
        run_here(workspace, "evaluate", "Measuring", spec, Progress())
        run = runs.get(workspace)
        named = [note for note in run.result["notes"] if "cannot be judged" in note]
        assert len(named) == 1 and first.id in named[0]
        own = run.result["methods"]["exdd"]
        assert np.isfinite(np.array([own["image_auroc"], own["pixel_auroc"]], float)).all()


def test_what_is_no_number_never_gets_into_a_bank(workspace, overflowing, tmp_path):
    first = next(row for row in workspace.images("plates", split="train") if row.label == "normal")
    imported_white(workspace, first.path)
    with pytest.raises(BadInput, match=f"{first.id}.*not finite"):
        build_bank(workspace)
    (tmp_path / "white.png").write_bytes(encode_png(WHITE))
    review = Review(workspace)
    (id,), _ = review.add_files([(tmp_path / "white.png", "white.png")])
    with pytest.raises(BadInput, match="not finite"):
        review.mark_missed(id, np.eye(48, 64, dtype=bool), "Ada")
