"""A workspace's database is lost or damaged, and everything else is still there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from exdd_core.banks.detectors import load_detector
from exdd_core.cli import main
from exdd_core.curation import accept, reject, undo_last
from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace, candidates, checking, copies, dataset_changes, decisions
from exdd_core.workspace.adopting import adopt
from tests.trust.conftest import opened


def everything(folder: Path) -> dict[str, bytes]:
    """Every file of a workspace but its database."""
    kept = {
        file for file in folder.rglob("*") if file.is_file() and not file.name.startswith((".", "workspace"))
    }
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in kept}


def standing(workspace: Workspace) -> dict[str, object]:
    """What a workspace says of itself, as far as it must come back."""
    return {
        "sets": workspace.datasets(),
        "images": workspace.images(),
        "before": workspace.images("plates", state=1),
        "changes": dataset_changes.changes(workspace),
        "banks": [(b.id, b.number, b.settings, b.summary, b.files, b.active) for b in workspace.banks()],
        "candidates": {
            c.id: (c.status, c.prompt, c.seed, c.defect_type) for c in candidates.listed(workspace)
        },
        "decisions": decisions.history(workspace),
        "backbone": workspace.backbone_name,
    }


def test_all_that_lies_beside_a_lost_database_comes_back(workspace, backbone, unseen, capsys):
    first, second, third = [c.id for c in candidates.listed(workspace, status="pending")][:3]
    accept(workspace, [first], "Ann")
    reject(workspace, [second], "Ann", ["blurred"])
    reject(workspace, [third], "Ben")
    undo_last(workspace, "Ben")
    dataset_changes.retire(workspace, ["plates/good/3.png"], "Ann")
    dataset_changes.relabel(workspace, ["plates/good/4.png"], "defect", "Ann")
    was, held = standing(workspace), everything(workspace.path)
    built = opened(workspace.path, backbone).bank()
    for file in workspace.path.glob("workspace.db*"):
        file.unlink()
    assert main(["workspace", "adopt", str(workspace.path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    numbers = [told[name] for name in ("datasets", "images", "banks", "candidates", "decisions")]
    assert numbers == [1, 27, 1, 6, 5]
    assert any("Only the database contained these: accounts" in said for said in told["missing"])
    again = opened(workspace.path, backbone)
    assert standing(again) == was
    assert everything(workspace.path) == held
    assert checking.check(again) == []
    detector = load_detector(
        again, built.id
    )  # as it was built: what decisions changed since is said to be gone
    assert [seen.verdict for seen in detector.score(unseen)] == ["normal", "defect"]
    accept(again, [third], "Ann")
    assert [d.id for d in decisions.history(again)] == [6, 5, 4, 3, 2, 1]


def test_a_damaged_database_is_kept_under_another_name(workspace):
    place = workspace.path / "workspace.db"
    place.write_bytes(place.read_bytes()[:4096] + b"rot" * 9000)
    rotten = place.read_bytes()
    told = adopt(workspace.path)
    assert told["kept"] == "workspace-damaged-1.db"
    assert (workspace.path / told["kept"]).read_bytes() == rotten
    assert [bank.name for bank in Workspace.open(workspace.path).banks()] == ["v1"]


def test_what_does_not_come_back_is_named(workspace):
    path = workspace.path
    (path / "copies" / "datasets" / "plates.json").write_text("{")
    (path / "copies" / "decisions.jsonl").unlink()
    (path / "workspace.db").unlink()
    one, two = sorted(path for path in (path / "candidates").iterdir() if path.is_dir())[:2]
    (one / "candidate.json").unlink()
    (two / "mask.png").unlink()
    shutil.copytree(path / "banks", path / "banks" / "other")
    said = " ".join(adopt(path)["missing"])
    for words in (
        'The data set "plates" has no readable record',
        'v1 was built from "plates", which could not be restored',
        "Bank version other has no readable manifest",
        "2 candidates have no record or are missing images",
        "No decisions were copied",
    ):
        assert words in said
    assert (path / "banks" / "other").is_dir() and one.is_dir()


def test_files_that_changed_meanwhile_are_named_and_the_newest_sound_version_is_active(workspace):
    path, bank = workspace.path, workspace.bank()
    (path / "workspace.db").unlink()
    (path / "datasets" / "plates" / "good" / "2.png").write_bytes(b"")
    newer = shutil.copytree(bank.path, path / "banks" / "0123456789ab")
    manifest = json.loads((newer / "manifest.json").read_text())
    (newer / "manifest.json").write_text(json.dumps({**manifest, "id": newer.name, "created": "2999-01-01"}))
    (newer / "positive.safetensors").write_bytes(b"rot")
    said = " ".join(adopt(path)["missing"])
    assert "plates/good/2.png: its file is empty" in said and "v2 is damaged: positive.safetensors" in said
    assert Workspace.open(path).bank().id == bank.id


def test_a_sound_database_is_not_replaced_and_an_odd_folder_not_adopted(workspace, tmp_path):
    with pytest.raises(BadInput, match="has an intact database; there is nothing to adopt"):
        adopt(workspace.path)
    with pytest.raises(BadInput, match="does not contain a workspace"):
        adopt(tmp_path)


def test_a_decision_that_was_not_committed_is_not_copied(workspace):
    before = len(copies.decisions(workspace.path))
    with pytest.raises(ZeroDivisionError), workspace.writing() as db:
        decisions.write(db, "x", "accept", "Ann")
        raise ZeroDivisionError
    with (workspace.path / "copies" / "decisions.jsonl").open("a") as file:
        file.write('\n{"id": 99, "cut sho')
    with workspace.writing() as db:
        decisions.write(db, "x", "accept", "Ann")
    assert len(copies.decisions(workspace.path)) == before + 1
