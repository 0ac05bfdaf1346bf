"""The picture of both banks: rows on a map, kept with their version; histograms of distances; images behind rows."""

from __future__ import annotations

import csv
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from exdd_core import curation
from exdd_core.banks import bank_map, histograms
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.curation import aligning
from exdd_core.detector.evidence import defect_distances
from exdd_core.errors import BadInput, Cancelled
from exdd_core.jobs.kinds import KINDS
from exdd_core.progress import Progress
from exdd_core.workspace import Workspace
from exdd_core.workspace.versions import delete_bank
from tests import tiny_umap
from tests.plates import build, pending


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With two accepted candidates in the positive bank."""
    workspace = Workspace.open(build(tmp_path_factory.mktemp("landscape")))
    curation.accept(workspace, pending(workspace)[:2], "Anna")
    return workspace.path


@pytest.fixture
def workspace(built: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(built, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


# --- principal components -----------------------------------------------------------------------------------


def test_principal_components_are_those_of_banks_that_weigh_the_same():
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(900, 6)) * [1, 3, 1, 1, 1, 1]
    defect = rng.normal(size=(30, 6)) * 0.1 + [0, 0, 8, 0, 0, 0]
    rows = np.concatenate([normal, defect]).astype(np.float32)
    positive = np.arange(930) >= 900
    place, explained = bank_map.principal_components(rows, positive)
    assert place.dtype == np.float32 and place.shape == (930, 2)
    assert place[positive, 0].mean() > place[~positive, 0].mean() + 7  # though few, they make the first axis
    assert abs(np.corrcoef(place[~positive, 1], normal[:, 1])[0, 1]) > 0.99
    assert 1 > explained[0] > explained[1] > 0
    weigh = np.where(positive, 1 / 30, 1 / 900) / 2
    centred = rows - weigh @ rows
    assert explained[0] == pytest.approx(
        (weigh @ (place[:, 0].astype(float) ** 2)) / (weigh @ (centred.astype(float) ** 2).sum(1)), rel=1e-3
    )


def test_rows_that_are_all_the_same_have_a_place_too():
    place, explained = bank_map.principal_components(np.ones((5, 3), np.float32), np.zeros(5, bool))
    assert np.isfinite(place).all() and explained == (0.0, 0.0)


# --- the map --------------------------------------------------------------------------------------------------


def test_the_map_holds_every_row_of_both_banks_with_its_origin(workspace):
    detector, found = load_detector(workspace), bank_map.map_bank(workspace)
    negative, positive = detector.negative, detector.positive
    assert len(found.place) == len(negative) + len(positive or []) and found.left_out == 0
    sides = [found.sides[at] for at in found.image]
    assert sides.count("positive") == len(positive or [])
    at = len(negative) + 3  # the positive rows come last
    image, row, column = positive.origin(3)
    assert found.images[found.image[at]] == image and tuple(found.position[at]) == (row, column)
    assert {i.origin for i in found.images} == {"real", "synthetic"}
    told = json.loads(json.dumps(found.to_json()))
    assert len(told["x"]) == len(told["row"]) == len(found.place)
    assert {image["side"] for image in told["images"]} == {"negative", "positive"}


def test_too_many_rows_are_thinned_and_counted(workspace, monkeypatch):
    everything = bank_map.map_bank(workspace)
    monkeypatch.setattr(bank_map, "MOST", 60)
    found = bank_map.map_bank(workspace)
    assert len(found.place) == 60 and found.left_out == len(everything.place) - 60
    assert sum(found.sides[at] == "positive" for at in found.image) == 30


def test_the_map_follows_a_drop_and_its_undo(workspace):
    detector = load_detector(workspace)
    id = pending_ids(workspace)[0]
    rows = detector.positive.rows_by_image()[id]
    before = len(bank_map.map_bank(workspace).place)
    stamp = bank_map.stamp(workspace, workspace.bank().id)
    aligning.drop(workspace, id, "positive", "Anna")
    assert len(bank_map.map_bank(workspace).place) == before - rows
    assert bank_map.stamp(workspace, workspace.bank().id) != stamp
    aligning.put_back(workspace, id, "Anna")
    assert len(bank_map.map_bank(workspace).place) == before


def pending_ids(workspace: Workspace) -> list[str]:
    positive = load_detector(workspace).positive
    assert positive is not None
    return [i.id for i in positive.images if i.origin == "synthetic"]


def test_a_version_of_normal_surface_only_has_a_map(workspace):
    build_bank(workspace, positives="none", negative_ratio=0.2)
    found = bank_map.map_bank(workspace)
    assert set(found.sides) == {"negative"} and len(found.place) == len(load_detector(workspace).negative)


def test_a_map_as_csv(workspace, tmp_path):
    found = bank_map.map_bank(workspace)
    bank_map.write_csv(found, tmp_path / "map.csv")
    lines = list(csv.DictReader((tmp_path / "map.csv").open()))
    assert len(lines) == len(found.place)
    assert {line["source"] for line in lines} == {"normal", "real", "synthetic"}
    assert float(lines[5]["x"]) == pytest.approx(found.place[5, 0], abs=1e-4)


# --- UMAP -------------------------------------------------------------------------------------------------------


@pytest.fixture
def umap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", tiny_umap)


def test_a_map_by_umap_is_made_once_and_kept_with_its_version(workspace, umap):
    bank = workspace.bank().id
    with pytest.raises(BadInput, match="does not exist yet"):
        bank_map.map_bank(workspace, bank, "umap")
    stages: list[tuple[str, int, int]] = []
    progress = Progress(lambda p: stages.append((p.stage, p.done, p.total)))
    kind = KINDS["map"]
    told = kind.work(workspace, kind.read({"bank": bank}), progress, "job")
    found = bank_map.map_bank(workspace, bank, "umap")
    assert told["rows"] == len(found.place) == len(bank_map.map_bank(workspace).place)
    assert any(stage.startswith("Laying out") and (done, total) == (50, 200) for stage, done, total in stages)
    assert bank_map.has_umap(workspace, bank)
    id = pending_ids(workspace)[0]
    dropped = int(load_detector(workspace).positive.rows_by_image()[id])
    aligning.drop(workspace, id, "positive", "Anna")
    after = bank_map.map_bank(workspace, bank, "umap")
    assert (
        len(after.place) == len(found.place) - dropped and after.left_out == 0
    )  # all others where they were
    assert {tuple(p) for p in after.place.round(3)} <= {tuple(p) for p in found.place.round(3)}
    curation.accept(workspace, pending(workspace)[-1:], "Anna")
    came = bank_map.map_bank(workspace, bank, "umap").left_out
    assert came == len(bank_map.map_bank(workspace).place) - len(after.place) > 0
    build_bank(workspace, negative_ratio=0.2)
    delete_bank(workspace, bank)
    assert not list((workspace.path / "cache").rglob(f"{bank}*"))


def test_a_map_in_the_making_can_be_cancelled(workspace, umap):
    progress = Progress(lambda p: p.cancel() if p.stage.startswith("Laying out") else None)
    with pytest.raises(Cancelled):
        bank_map.make_umap(workspace, progress=progress)
    assert not bank_map.has_umap(workspace, workspace.bank().id)


def test_a_damaged_map_is_said_once_and_then_as_none(workspace, umap):
    bank_map.make_umap(workspace)
    file = next((workspace.path / "cache" / "banks").rglob("map.npz"))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(BadInput, match="was damaged and has been removed; create it again"):
        bank_map.map_bank(workspace, method="umap")
    with pytest.raises(BadInput, match="does not exist yet"):
        bank_map.map_bank(workspace, method="umap")
    with pytest.raises(BadInput, match='no map "tsne"'):
        bank_map.map_bank(workspace, method="tsne")
    assert not bank_map.has_umap(workspace, workspace.bank().id)


@pytest.mark.slow
def test_the_real_umap_separates_what_is_far_apart():
    rng = np.random.default_rng(0)
    rows = np.concatenate([rng.normal(0, 1, (40, 8)), rng.normal(20, 1, (40, 8))]).astype(np.float32)
    positive = np.arange(80) >= 40
    stages: list[str] = []
    place = bank_map.umap_layout(rows, positive, Progress(lambda p: stages.append(f"{p.stage} {p.done}")))
    assert place.shape == (80, 2) and np.isfinite(place).all()
    centres = place[~positive].mean(0), place[positive].mean(0)
    own = np.linalg.norm(place[positive] - centres[1], axis=1).max()
    assert np.linalg.norm(centres[0] - centres[1]) > 2 * own
    assert len([s for s in stages if s.startswith("Laying out 80 rows")]) > 2
    with pytest.raises(BadInput, match="at least 20 rows"):
        bank_map.umap_layout(rows[:5], positive[:5], Progress())


# --- distances ----------------------------------------------------------------------------------------------------


def test_histograms_hold_all_patches_and_one_in_a_hundred_normal_ones_is_past_the_line(workspace):
    detector, found = load_detector(workspace), histograms.distances(workspace)
    kinds = {kind.name: kind for kind in found.kinds}
    assert list(kinds) == ["normal", "real", "synthetic"]
    assert found.visible_from == detector.fitted.reference.visible_from
    assert kinds["normal"].beyond == pytest.approx(0.01, abs=0.012)
    assert kinds["real"].beyond > 0.5  # bright bars
    real = detector.fitted.examples.defects.real
    assert (kinds["real"].patches, kinds["synthetic"].patches) == (real.sum(), (~real).sum())
    for kind in found.kinds:
        assert sum(kind.negative) == pytest.approx(1, abs=1e-3)
        assert kind.positive is not None and sum(kind.positive) == pytest.approx(1, abs=1e-3)
        assert len(kind.negative) == len(found.edges["negative"]) - 1 == len(found.edges["positive"]) - 1


def test_distances_leave_a_patchs_own_part_out(workspace):
    detector = load_detector(workspace)
    to_negative, to_positive = histograms._of_defects(detector)["real"]
    numbers = np.flatnonzero(detector.fitted.examples.defects.real)
    image = detector.fitted.examples.defects.images[detector.fitted.examples.defects.image[numbers[0]]]
    own = detector.positive.of(image.group, image.id, image.donor)
    expected = np.sort(
        np.linalg.norm(
            detector.positive.rows[~own] - detector.fitted.examples.defects.rows[numbers[0]], axis=1
        )
    )
    assert to_positive is not None and to_positive[0] == pytest.approx(expected[:5].mean(), rel=1e-3)
    assert to_negative[0] == pytest.approx(defect_distances(detector.fitted)[numbers[0]].mean(), rel=1e-5)


def test_without_defects_there_are_normal_patches_only(workspace):
    build_bank(workspace, positives="none", negative_ratio=0.2)
    found = histograms.distances(workspace)
    assert [kind.name for kind in found.kinds] == ["normal"]
    assert found.kinds[0].positive is None and "positive" not in found.edges


def test_defects_of_a_single_part_have_no_others_to_be_near_to(workspace):
    build_bank(workspace, positives="real", max_real_parts=1, negative_ratio=0.2)
    found = histograms.distances(workspace)
    real = next(kind for kind in found.kinds if kind.name == "real")
    assert real.patches > 0 and real.positive is None


# --- images behind rows -------------------------------------------------------------------------------------------


def test_an_image_is_found_wherever_its_rows_came_from(workspace, tmp_path):
    real = load_detector(workspace).positive.images[0].id
    painted = pending_ids(workspace)[0]
    outside = tmp_path / "outside.png"
    shutil.copy(workspace.images(split="test", label="defect")[0].path, outside)
    mask = np.zeros((48, 64), bool)
    mask[10:30, 10:40] = True
    curation.mark_missed(workspace, f"file:{outside}", outside, mask, "Anna")
    for id in (real, painted, f"file:{outside}"):
        found = bank_map.source_image(workspace, "v1", id, [(0, 0)])
        assert found.path.is_file() and found.shape == (48, 64)
        x0, y0, x1, y1 = found.boxes[0]
        assert (x0, y0) == (0, 0) and 0 < x1 < 64 and 0 < y1 < 48
    with pytest.raises(BadInput, match="no longer in this workspace"):
        bank_map.source_image(workspace, "v1", "nothing")
    with pytest.raises(BadInput, match="patch grid of v1"):
        bank_map.source_image(workspace, "v1", real, [(0, 999)])
    bank = load_detector(workspace).positive
    assert len(bank_map.patches_of_image(workspace, "v1", real, "positive")) == bank.rows_by_image()[real]
    assert bank_map.patches_of_image(workspace, "v1", real, "negative") == []
