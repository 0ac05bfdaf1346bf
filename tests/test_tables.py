"""Table 1 and Table 2: what they compare, what they leave out, what they are made of, and that they go on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from exdd_core import cli, curation, datasets, images, jobs, studio
from exdd_core.banks import compare
from exdd_core.banks.building import build_bank
from exdd_core.detector import fit
from exdd_core.detector.bank import BankImage
from exdd_core.detector.fitted import Fitted
from exdd_core.errors import BadInput, Cancelled
from exdd_core.experiments import curves, names, run_differences, sweeping, unseen
from exdd_core.experiments.specs import SweepSpec
from exdd_core.progress import Progress
from exdd_core.synthesis import orders
from exdd_core.workspace import Workspace, runs

MASK = {"source": "generated", "shape": "blotch", "vary": True}


def copy_of(workspace: Workspace, folder: Path) -> Workspace:
    shutil.copytree(workspace.path, folder / "workspace")
    return Workspace.open(folder / "workspace")


@pytest.fixture(scope="module")
def with_synthetic(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The demo with three accepted procedural defects."""
    workspace = copy_of(demo_workspace, tmp_path_factory.mktemp("synthetic"))
    order = orders.Order(dataset="demo", engine="procedural", template="dark scratch", count=3, mask=MASK)
    studio.run_batch(workspace, order, Progress(), "painting")
    from exdd_core.workspace import candidates

    ids = [candidate.id for candidate in candidates.listed(workspace, "demo")]
    curation.accept(workspace, ids, "tester", "scratch")
    return workspace


def test_table_one_without_synthetic_defects_says_so(
    demo_workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    workspace = copy_of(demo_workspace, tmp_path)
    before = workspace.bank().id
    said = jobs.run_here(workspace, "table1", "", {})
    run = runs.get(workspace, said["run"])
    assert list(run.result["methods"]) == ["patchcore", "exdd_base"]
    assert any("ExDD full is left out" in sentence for sentence in run.result["notes"])
    assert workspace.bank().id == before  # measuring activates nothing
    # The same as measuring that bank version, and a base that is named is not built again.
    bank = workspace.bank(run.spec["base"])
    assert bank.is_measurement and [one.id for one in runs.using(workspace, bank.id)] == [run.id]
    filled = compare.measured(workspace)[bank.id]
    assert filled.metrics["image_auroc"] == run.result["methods"]["exdd_base"]["image_auroc"]
    alone = jobs.run_here(workspace, "evaluate", "", {"bank": bank.id})
    assert alone["methods"]["exdd"] == run.result["methods"]["exdd_base"]
    assert alone["methods"]["patchcore"] == run.result["methods"]["patchcore"]
    again = runs.get(workspace, jobs.run_here(workspace, "table1", "", run.spec)["run"])
    assert run_differences.differences(run, again) == [] and len(workspace.banks()) == 2
    with workspace.writing() as db:  # as programs stored it that did not say what built a version
        db.execute("update banks set settings = json_remove(settings, '$.made_for')")
    assert [(one.made_for, one.is_measurement) for one in workspace.banks()] == [
        ("table1", True),
        ("", False),
    ]
    # It is deleted only by who says so, since the runs need it.
    needed = jobs.needing(workspace, bank.id)
    assert needed.startswith("3 measurements need it (demo: ") and jobs.needing(workspace, before) == ""
    for called in (before, workspace.bank(before).name):
        waits = jobs.submit(workspace, "score", "Scoring 3 images", {"list": "demo/test", "bank": called})
        assert jobs.needing(workspace, before) == "1 job needs it (Scoring 3 images), and would fail."
        jobs.cancel(workspace, waits.id)
    asked = ["banks", "delete", bank.name, "--workspace", str(workspace.path)]
    assert cli.main(asked) == 2 and "--yes" in capsys.readouterr().err and len(workspace.banks()) == 2
    assert cli.main([*asked, "--yes"]) == 0 and len(workspace.banks()) == 1


def test_table_one_and_the_sweep_with_synthetic_defects(with_synthetic: Workspace) -> None:
    workspace = with_synthetic
    table = jobs.run_here(workspace, "table1", "", {})
    assert list(table["methods"]) == ["patchcore", "exdd_base", "exdd_full"] and table["synthetic"] == 3
    pairs = {(item["method"], item["against"]) for item in table["comparisons"]}
    assert pairs == {
        ("exdd_base", "patchcore"),
        ("exdd_full", "patchcore"),
        ("exdd_full", "exdd_base"),
    }
    swept = jobs.run_here(workspace, "sweep", "", {"counts": [3, 0], "seeds": 1})
    assert swept["counts"] == [0, 3] and swept["complete"] and swept["synthetic"] == 3
    curve = curves.sweep_curves(runs.get(workspace, swept["run"]))["image_auroc"]
    assert [trace.name for trace in curve.data][:1] == ["ExDD, one draw"]  # which has no deviation
    # All of them, and none, are what Table 1 has.
    for count, name in (("0", "exdd_base"), ("3", "exdd_full")):
        assert swept["methods"][count] == pytest.approx(table["methods"][name], abs=1e-6)
    with pytest.raises(BadInput, match="4 synthetic defects are needed, but only 3 are accepted"):
        jobs.run_here(workspace, "sweep", "", {"counts": [0, 4], "seeds": 1})


def test_table_one_by_folds(
    with_synthetic: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Base is what an evaluation by folds measures; full learns from painted defects, but not of a held-out part."""
    workspace, used = copy_of(with_synthetic, tmp_path), []
    fit_defects = fit.fit_defects

    def spy(fitted: Fitted, defects: Any, *more: Any, **given: Any) -> Fitted:
        used.append([marked.image for marked in defects])
        return fit_defects(fitted, defects, *more, **given)

    monkeypatch.setattr(fit, "fit_defects", spy)
    rows = workspace.images("demo")
    sides = datasets.folds(rows, 2, 1)
    said = jobs.run_here(workspace, "table1", "", {"folds": 2, "seed": 1})
    assert len(used) == 4  # base and full of each fold
    for number, test in enumerate(sides):
        base, full = used[2 * number : 2 * number + 2]
        painted = [image for image in full if image.origin == "synthetic"]
        assert full == [*base, *painted] and all(image.origin == "real" for image in base)
        assert not {rows[i].group for i in test} & {name for i in full for name in (i.group, i.donor)}
    assert (
        sum(image.origin == "synthetic" for images in used for image in images) == 3
    )  # each in one of two folds
    run = runs.get(workspace, said["run"])
    assert list(run.result["methods"]) == ["patchcore", "exdd_base", "exdd_full"]
    assert run.result["intervals"]["exdd_full"] and len(workspace.banks()) == len(with_synthetic.banks())
    assert sorted(run.result["per_image"]["id"]) == sorted(row.id for row in rows)
    alone = jobs.run_here(workspace, "evaluate", "", {"folds": 2, "seed": 1})
    assert alone["methods"]["exdd"] == run.result["methods"]["exdd_base"]
    assert alone["methods"]["patchcore"] == run.result["methods"]["patchcore"]
    assert runs.banks_of(run) == {} and len(run.spec["synthetic"]) == 3


def test_a_sweep_goes_on_after_its_last_cell(
    with_synthetic: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace, spec = copy_of(with_synthetic, tmp_path), {"counts": [0, 1, 2], "seeds": 2}
    measured: list[tuple[int, int]] = []
    at: dict[str, Any] = {"stop": 2}

    def measure(sweep: Any, seed: int, count: int) -> dict[str, Any]:
        if len(measured) == at["stop"]:
            raise Cancelled("now")
        measured.append((seed, count))
        return {
            "figures": dict.fromkeys(names.METRIC_TITLES, seed + count / 10),
            "fusion": "",
            "positive_rows": 0,
        }

    monkeypatch.setattr(sweeping._Sweep, "measure", measure)
    with pytest.raises(Cancelled):
        sweeping.sweep(workspace, SweepSpec.from_json(spec), Progress(), "job")
    assert not runs.get(workspace, "job").result["complete"] and measured == [(0, 0), (0, 1)]
    at["stop"] = None
    result = sweeping.sweep(workspace, SweepSpec.from_json(spec), Progress(), "job")
    assert measured == [(seed, count) for seed in range(2) for count in (0, 1, 2)]  # none twice
    assert runs.get(workspace, "job").result["complete"]
    assert result["methods"]["2"]["aupro"] == pytest.approx(0.7)
    assert result["deviation"]["2"]["aupro"] == pytest.approx(0.5)
    # The record names what was drawn from, so that it is the same when more has been accepted, or is missed.
    kept = runs.get(workspace, "job").spec
    assert len(kept["synthetic"]) == 3
    asked = SweepSpec.from_json(kept | {"synthetic": kept["synthetic"][:0:-1]})
    fewer = sweeping._Sweep(workspace, workspace.dataset("demo"), asked, Progress())
    assert [image.id for image in fewer.pool] == kept["synthetic"][:0:-1]
    with pytest.raises(BadInput, match="1 of 4 synthetic defects of that measurement is no longer"):
        more = SweepSpec.from_json(kept | {"synthetic": [*kept["synthetic"], "gone"]})
        sweeping.sweep(workspace, more, Progress(), "again")


def test_more_synthetic_ones_hold_those_of_fewer(with_synthetic: Workspace) -> None:
    sweep = sweeping._Sweep(
        with_synthetic, with_synthetic.dataset("demo"), SweepSpec(counts=[], seeds=1), Progress()
    )
    few, more = (
        {i.id for i in sweep._detector(0, n).fitted.examples.defects.images if i.origin == "synthetic"}
        for n in (1, 2)
    )
    assert len(few) == 1 and len(more) == 2 and few < more


def test_parts_that_a_bank_was_built_from_are_no_test(demo_workspace: Workspace) -> None:
    test = demo_workspace.images("demo", split="test")
    everything, note = unseen.unseen_images(demo_workspace, "demo", [])
    assert everything == test and note == ""
    painted = BankImage("candidate", test[0].group, "", "synthetic")
    transplanted = BankImage("candidate", "elsewhere", "", "synthetic", test[1].group)
    left, note = unseen.unseen_images(demo_workspace, "demo", [painted, transplanted])
    assert not {test[0].group, test[1].group} & {row.group for row in left}
    assert f"{len(test) - len(left)} test images are left out" in note
    # Marked as a missed defect or a false alarm when the version was built, and the mark taken back since.
    marked = BankImage(test[2].id, test[2].group)
    known = demo_workspace.images("demo", split="train")[0]
    left, _ = unseen.unseen_images(demo_workspace, "demo", [marked, BankImage(known.id, known.group)])
    assert {row.group for row in test} - {row.group for row in left} == {test[2].group}
    every = [replace(painted, group=row.group) for row in test]
    with pytest.raises(BadInput, match="none is left to measure with"):
        unseen.unseen_images(demo_workspace, "demo", every)


# --- test images never enter banks, thresholds or fusion settings -----------------------------------------


def spoil_the_test_split(workspace: Workspace) -> int:
    """Other pixels and masks in every test image, other labels and types in every test row; how many."""
    rng = np.random.default_rng(0)
    rows = workspace.images("demo", split="test")
    for row in rows:
        row.path.write_bytes(images.encode_png(rng.integers(0, 256, (row.height, row.width, 3), np.uint8)))
        if row.mask is not None:
            row.mask.write_bytes(images.encode_png(rng.random((row.height, row.width)) < 0.5))
    with workspace.writing() as db:
        swap = "case label when 'normal' then 'defect' else 'normal' end"
        db.execute(f"update images set label = {swap}, defect_type = 'other' where split = 'test'")
    return len(rows)


def files_of(workspace: Workspace, bank: str) -> dict[str, bytes]:
    """What a bank version is made of: its banks, thresholds and fusions, but not when it was made."""
    folder = workspace.bank(bank).path
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "manifest.json"}


@pytest.mark.parametrize("positives", ["both", "none"])
def test_the_test_split_changes_nothing_in_a_bank_version(
    with_synthetic: Workspace, tmp_path: Path, positives: str
) -> None:
    workspace = copy_of(with_synthetic, tmp_path)
    clean = files_of(workspace, build_bank(workspace, "demo", positives=positives).id)
    assert spoil_the_test_split(workspace) > 3
    spoilt = files_of(workspace, build_bank(workspace, "demo", positives=positives).id)
    assert {"detector.json", "negative.safetensors"} <= set(clean)
    assert list(clean) and clean == spoilt  # byte by byte: banks, thresholds, fusions
    # Were one training image other, the files would be: the comparison can fail.
    first = next(r for r in workspace.images("demo", split="train", label="normal"))
    first.path.write_bytes(images.encode_png(np.full((first.height, first.width, 3), 90, np.uint8)))
    with workspace.writing() as db:
        db.execute("delete from files")  # digests, by which a build would refuse the replaced image
    assert files_of(workspace, build_bank(workspace, "demo", positives=positives).id) != spoilt
