"""Comparisons of bank versions: rows in one only, drift, what a rebuild takes, what is put back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import gradio as gr
import numpy as np
import pytest

from exdd_core import cli, curation
from exdd_core.banks import compare, drift as drift_, options, teachers
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.curation import aligning
from exdd_core.detector.records import Drift
from exdd_core.errors import BadInput
from exdd_core.experiments import evaluation
from exdd_core.experiments.specs import EvaluateSpec
from exdd_core.jobs import kinds
from exdd_core.progress import Progress
from exdd_core.workspace import Workspace, candidates, decisions, runs
from exdd_core.workspace.versions import former, roll_back
from pages.banks.comparison import Compared
from tests.plates import build, pending, plate


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("versions"))


@pytest.fixture
def workspace(built: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(built, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def test_a_comparison_names_what_each_holds_alone(workspace):
    ids = pending(workspace)[:2]
    build_bank(workspace, negative_ratio=0.1, activate=False)
    curation.accept(workspace, ids, "Anna")
    few = build_bank(workspace, negative_ratio=1e-300, activate=False)
    assert "The negative bank has only 1 row, so most normal surface looks unlike it" in few.summary["note"]
    found = compare.compare(workspace, "v1", "v2")
    held = set(load_detector(workspace, "v1").positive.rows_by_image())
    assert set(found.only[0]["positive"]) == held & set(ids) != set()
    assert not found.only[1]["positive"]
    assert found.settings == {"negative_ratio": (0.2, 0.1)}
    (first, second) = found.sides
    assert first["negative"].rows > second["negative"].rows
    assert (first["negative"].radius or 0) < (
        second["negative"].radius or 0
    )  # fewer rows lie farther from what they cover
    assert first["positive"].rows == len(load_detector(workspace, "v1").positive or [])
    assert found.measured == (None, None)
    with pytest.raises(BadInput, match="with itself"):
        compare.compare(workspace, "v1", "1")


def test_a_version_says_who_built_it_and_older_ones_say_nothing(workspace):
    assert build_bank(workspace, negative_ratio=0.2, who="  Anna \n Berg ").who == "Anna Berg"
    with workspace.writing() as db:
        db.execute("alter table banks drop column who")  # as a workspace of an earlier program
        db.execute("PRAGMA user_version = 2")
    opened = Workspace.open(workspace.path)
    assert [bank.who for bank in opened.banks()] == ["", ""]
    built = kinds.build(opened, options.BuildOptions(negative_ratio=0.2, who="Ben"), Progress(), "job")
    assert opened.bank(built["bank"]).who == "Ben" == Workspace.open(workspace.path).bank().who


def test_a_measurement_is_of_its_version_and_says_how_much_has_changed_since(workspace):
    evaluation.evaluate(workspace, EvaluateSpec(bank="v1"), Progress(), "first")
    run = runs.get(workspace, "first")
    found = compare.measured(workspace)[workspace.bank("v1").id]
    assert found.metrics["image_auroc"] == run.result["methods"]["exdd"]["image_auroc"]
    assert (found.run, found.changes) == ("first", 0)
    evaluation.evaluate(workspace, EvaluateSpec(bank="v1", fusion="patchcore"), Progress(), "otherwise")
    assert compare.measured(workspace)[run.bank].run == "first"  # the other says nothing about how it judges
    curation.accept(workspace, pending(workspace)[:2], "Anna")
    assert compare.measured(workspace)[run.bank].changes == 2
    assert compare.changes(workspace, run.bank) == 2
    curation.undo(workspace, decisions.history(workspace)[0].id, "Anna")  # came and went: as if it had not
    assert compare.measured(workspace)[run.bank].changes == compare.changes(workspace, run.bank) == 1


def test_a_fresh_version_has_not_drifted_and_one_that_grew_far_has(workspace):
    found = drift_.state(workspace)
    assert not found.due and found.drift.rows == found.drift.built and found.drift.uncovered == 0
    assert found.sentence.startswith("No rebuild is due")
    curation.accept(workspace, pending(workspace), "Anna")
    found = drift_.state(workspace)
    assert found.drift.rows > found.drift.built
    assert found.due == (found.drift.rows > drift_.GROWN * found.drift.built)


@pytest.mark.parametrize(
    ("drift", "words"),
    [
        (Drift(100, 201, 0.0, 4.0, 4.0), "its positive bank has grown from 100 to 201 rows"),
        (Drift(100, 150, 0.0, 6.4, 4.0), "its covering radius is 1.6 times that of a new build"),
        (
            Drift(100, 100, 0.06, 5.0, 4.0),
            "6 % of the known defects' patches are no longer covered by bank rows",
        ),
        (Drift(100, 200, 0.05, 6.0, 4.0), ""),
    ],
)
def test_what_has_drifted_too_far_is_due_in_words(workspace, monkeypatch, drift, words):
    monkeypatch.setattr(drift_, "drift", lambda fitted: drift)
    found = drift_.state(workspace)
    assert found.due == bool(words) and words in found.sentence
    assert found.sentence.startswith(
        "A full rebuild is due: " if words else "No rebuild is due: 200 defect rows (100"
    )


def test_a_version_that_somebody_rolled_back_to_lacks_what_was_accepted_since(workspace):
    first, second = pending(workspace)[:2]
    curation.accept(workspace, [first], "Anna")
    build_bank(workspace, positives="both", negative_ratio=0.2)
    before = former(workspace)
    assert before is not None and before.name == "v1"
    curation.accept(workspace, [second], "Anna")
    accepted = next(d for d in decisions.history(workspace, first) if d.action == "accept")
    curation.undo(workspace, accepted.id, "Anna")
    roll_back(workspace)
    assert drift_.lacking(workspace) == ([second], [first])
    found = drift_.state(workspace)
    assert found.behind and "1 accepted candidate is not in it" in found.sentence
    assert "1 candidate is in it although no longer accepted" in found.sentence
    aligning.catch_up(workspace, "Ben")
    assert drift_.lacking(workspace) == ([], []) and not drift_.state(workspace).behind
    positive = load_detector(Workspace.open(workspace.path)).positive
    assert positive is not None
    assert {i.id for i in positive.images if i.origin == "synthetic"} == {second}
    with pytest.raises(BadInput, match="already"):
        aligning.catch_up(workspace, "Ben")


def test_what_is_accepted_while_a_rebuild_runs_is_brought_into_it(workspace):
    id = pending(workspace)[0]

    def meanwhile(progress: Progress) -> None:
        if progress.stage == "Storing the bank version" and not progress.done:
            assert curation.accept(workspace, [id], "Anna").bank == "v1"
            assert workspace.bank().name == "v1"  # still scores, and with what has just come to it
            assert load_detector(workspace).score([plate(3)])[0].verdict == "normal"
            assert id in {i.id for i in load_detector(workspace).positive.images}

    kinds.build(workspace, options.rebuild_spec(workspace), Progress(meanwhile), "job")
    assert workspace.bank().name == "v2" and drift_.lacking(workspace) == ([id], [])
    aligning.catch_up(workspace, "Anna")
    assert drift_.lacking(workspace) == ([], [])


def test_a_build_without_candidates_lacks_only_what_came_later(workspace):
    first, second = pending(workspace)[:2]
    curation.accept(workspace, [first], "Anna")
    build_bank(workspace, negative_ratio=0.2, activate=False)
    assert drift_.lacking(workspace, "v2") == ([], [])
    build_bank(workspace, positives="none", activate=False)
    curation.accept(workspace, [second], "Anna")
    assert drift_.lacking(workspace, "v2") == ([second], [])
    assert drift_.lacking(workspace, "v3") == ([], [])  # knows only normal surfaces, as somebody chose
    assert "normal surface only" in drift_.state(workspace, "v3").sentence


def test_a_rebuild_has_the_same_settings_and_what_was_accepted(workspace):
    id = pending(workspace)[0]
    curation.accept(workspace, [id], "Anna")
    spec = options.rebuild_spec(workspace)
    made = kinds.build(workspace, spec, Progress(), "job")
    old, new = workspace.bank("v1"), workspace.bank(made["bank"])
    assert new.settings == old.settings | {"positives": "both"}
    assert new.active and id in {i.id for i in load_detector(workspace, new.id).positive.images}
    assert drift_.lacking(workspace) == ([], [])
    assert options.rebuild_spec(workspace) == spec


def test_a_real_defect_that_is_dropped_comes_back_as_it_was(workspace):
    before = load_detector(workspace).positive.rows_by_image()
    id = next(iter(before))
    assert aligning.drop(workspace, id, "positive", "Anna").ids == [id]
    assert id not in load_detector(workspace).positive.rows_by_image()
    aligning.put_back(workspace, id, "Anna")
    assert load_detector(workspace).positive.rows_by_image()[id] > 0
    with pytest.raises(BadInput, match="was not dropped"):
        aligning.put_back(workspace, id, "Anna")
    with pytest.raises(BadInput, match="no left bank"):
        aligning.drop(workspace, id, "left", "Anna")


def test_an_accepted_candidate_that_is_dropped_is_accepted_again(workspace):
    id = pending(workspace)[0]
    curation.accept(workspace, [id], "Anna")
    rows = load_detector(workspace).positive.rows_by_image()[id]
    aligning.drop(workspace, id, "positive", "Ben")
    assert candidates.get(workspace, id).status == "pending"
    aligning.put_back(workspace, id, "Ben")
    assert candidates.get(workspace, id).status == "accepted"
    assert load_detector(workspace).positive.rows_by_image()[id] == rows


@pytest.mark.parametrize("action", ["missed", "false_alarm"])
def test_a_marked_image_that_is_dropped_is_marked_again(workspace, action):
    row = workspace.images(split="test", label="defect" if action == "missed" else "normal")[0]
    mask = np.zeros((48, 64), bool)
    mask[10:30, 10:40] = True
    if action == "missed":
        curation.mark_missed(workspace, row.id, row.path, mask, "Anna", "bar")
    else:
        curation.mark_false_alarm(workspace, row.id, row.path, "Anna", mask)
    side = "positive" if action == "missed" else "negative"
    bank = getattr(load_detector(workspace), side)
    rows = bank.rows_by_image().get(row.id, 0)
    aligning.drop(workspace, row.id, side, "Ben")
    assert row.id not in {i.id for i in getattr(load_detector(workspace), side).images}
    aligning.put_back(workspace, row.id, "Ben")
    again = getattr(load_detector(workspace), side)
    assert row.id in {i.id for i in again.images} and again.rows_by_image().get(row.id, 0) == rows
    assert set(teachers.marked_images(workspace)) == {row.id}


def test_the_command_line_does_the_same(workspace, tmp_path, capsys):
    def banks(*words: str, code: int = 0) -> dict:
        assert cli.main(["banks", *words, "--json", "--workspace", str(workspace.path)]) == code
        said = capsys.readouterr()
        return json.loads(said.out.splitlines()[-1]) if code == 0 else {"error": said.err}

    curation.accept(workspace, pending(workspace)[:1], "Anna")
    assert banks("rebuild")["name"] == "v2"
    listed = banks("list")["banks"]
    assert [(b["name"], b["active"], b["changes"]) for b in listed] == [("v2", True, 0), ("v1", False, 1)]
    compared = banks("compare", "v2", "v1")
    assert compared["values"]["positives"] == ["both", "real"] and compared["only"]["v1"]["positive"] == []
    with workspace.writing() as db:  # versions of two data sets are compared only where somebody chooses them
        db.execute("update banks set dataset = 'other' where number = 1")
    with gr.Blocks():
        usual = Compared(workspace)._usual
    assert usual() == (workspace.bank("v2").id,) * 2
    with workspace.writing() as db:
        db.execute("update banks set dataset = ? where number = 1", [workspace.bank("v2").dataset])
    assert usual() == (workspace.bank("v2").id, workspace.bank("v1").id)
    assert banks("rollback")["name"] == "v1"
    assert banks("activate", "v2")["name"] == "v2" and workspace.bank().name == "v2"
    assert banks("rename", "v1", "new lamp")["bank"] == workspace.bank("new lamp").id
    assert workspace.bank("v1").title == "v1 new lamp" and banks("list")["banks"][1]["called"] == "new lamp"
    for name, why in (
        ("new lamp", "Another version"),
        ("v3", "number of another"),
        ("n" * 64, "63 characters"),
    ):
        assert why in banks("rename", "v2", name, code=2)["error"]
    banks("pin", "v1")
    assert "v1 is pinned" in banks("delete", "v1", code=2)["error"]
    banks("unpin", "v1")
    banks("delete", "v1")
    assert [bank.name for bank in workspace.banks()] == ["v2"]
    assert not banks("state")["due"]
    before = load_detector(workspace).positive.rows_by_image()
    image = next(iter(before))
    assert banks("drop", image, "--who", "Ben")["image"] == image
    assert image not in load_detector(workspace).positive.rows_by_image()
    assert banks("put-back", image, "--who", "Ben")["image"] == image
    assert load_detector(workspace).positive.rows_by_image() == before
    assert len(banks("map", "--to", str(tmp_path / "map.csv"))["map"]["x"]) > 100
    for words in (
        ["compare", "v2"],
        ["activate"],
        ["list", "v2"],
        ["state", "v9"],
        ["align"],
        ["drop", "nothing"],
        ["put-back", image],
    ):
        assert banks(*words, code=2)["error"].count("\n") == 1
