"""What a workspace says is worth doing next: from facts, and from a real workspace."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exdd_core import jobs
from exdd_core.detector.bank_header import RowsOfImage
from exdd_core.review.facts import Gatherer
from exdd_core.review.next_steps import Facts, next_steps
from exdd_core.workspace import Workspace
from pages.next_steps import next_steps as strip
from pages.questions import Question

DONE = Facts(
    "tiles", "tiles", "v3", "tiles", "v3", looked=True, painted=True, accepted=True, again=True, worked=True
)


@pytest.mark.parametrize(
    ("facts", "kind", "said", "link"),
    [
        (None, "import", "no images yet", "./data"),
        (Facts("tiles", "tiles"), "build", 'There is no bank for "tiles" yet', "./banks"),
        (
            replace(DONE, bank_dataset="first", bank_called="demo"),
            "mismatch",
            'v3 was built from "demo", but the images are from "tiles"',
            "./banks",
        ),
        (replace(DONE, scored=24), "threshold", "v3 finds 0 of 24 known defects", "./?threshold=1"),
        (replace(DONE, pending=39), "pending", "39 candidates are waiting for a decision", "./curate"),
        (replace(DONE, again=False, changes_most="a b.png"), "again", "changed", "./?image=a%20b.png"),
        (replace(DONE, marks=12), "test", "v3 has not been tested since 12 marks changed it", "./evaluate"),
        (replace(DONE, new_normals=12), "rebuild", "12 new normal images", "./banks"),
        (replace(DONE, untried=16), "untried", "v3 has not been tried on the 16 known defects", "./"),
    ],
)
def test_a_state_of_a_workspace_has_its_sentence(
    facts: Facts | None, kind: str, said: str, link: str
) -> None:
    step = next_steps(facts)[0]
    assert (step.kind, step.link) == (kind, link)
    assert said in step.said and step.button


def test_a_type_with_few_rows_is_named_with_the_image_that_has_most() -> None:
    rows = {f"blow {n}": RowsOfImage("blowhole", 1) for n in range(3)}
    rows |= {"u": RowsOfImage("uneven", 253), "v": RowsOfImage("uneven", 109), "c": RowsOfImage("crack", 800)}
    (step,) = next_steps(replace(DONE, rows=rows))
    assert step.said == "blowhole has only 3 of 1,165 defect rows; one image of crack alone has 800."
    assert (step.button, step.link) == ("Paint blowhole", "./studio?type=blowhole")
    even = {"a": RowsOfImage("a", 40), "b": RowsOfImage("b", 60)}
    assert next_steps(replace(DONE, rows=even)) == [] and next_steps(DONE) == []


def test_first_steps_are_ticked_off_one_by_one() -> None:
    facts, seen = Facts("demo", "demo", "v1", "demo", "v1"), []
    for change in (
        {},
        {"looked": True},
        {"painted": True, "pending": 2},
        {"accepted": True},
        {"again": True},
    ):
        facts = replace(facts, **change)
        step = next(iter(next_steps(facts)), None)
        seen.append(
            (step.link, [tick.done for tick in step.ticks]) if step and step.kind == "first" else None
        )
    assert seen == [
        ("./", [False] * 4),
        ("./studio", [True, False, False, False]),
        ("./curate", [True, True, False, False]),
        ("./", [True, True, True, False]),
        None,
    ]
    assert next_steps(replace(Facts("d", "d", "v1", "d", "v1"), worked=True)) == []  # nobody new here


def test_a_fresh_workspace_is_at_the_first_step(demo_workspace: Workspace) -> None:
    facts = Gatherer(demo_workspace).facts()
    assert facts is not None
    assert (facts.bank, facts.bank_dataset, facts.scored, facts.pending) == ("v1", "demo", 0, 0)
    assert facts.untried == len(demo_workspace.images("demo", split="test", label="defect")) > 0
    assert sum(known.rows for known in facts.rows.values()) == demo_workspace.bank().summary["positive_rows"]
    assert next_steps(facts)[0].kind == "first"


def test_a_measurement_that_nobody_asked_for_leaves_the_first_steps(
    demo_workspace: Workspace, tmp_path: Path
) -> None:
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    own = Workspace.open(tmp_path / "workspace")
    gatherer = Gatherer(own)

    def measured() -> bool:
        jobs.run_next(own)
        facts = gatherer.facts()
        return facts is not None and facts.worked

    jobs.measure_newest(own)
    assert not measured()
    jobs.submit(own, "evaluate", "Measuring", {"bank": own.bank().id, "dataset": "demo"})
    assert measured()


def test_facts_follow_marks_joined_images_and_what_waits(demo_workspace: Workspace, tmp_path: Path) -> None:
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    own = Workspace.open(tmp_path / "workspace")
    normal = next(row for row in own.images("demo", split="train", label="normal"))
    with own.writing() as db:
        row = next(iter(db.query("select * from images where id = ?", [normal.id])))
        db.table("images").insert({**row, "id": "demo/new.png", "path": "new.png"})
        db.execute(
            "insert into dataset_changes (dataset, state, action, detail, who, created) values "
            "('demo', 2, 'join', ?, 'A', '2026')",
            ['{"images": {"demo/new.png": null, "demo/gone.png": null}, "columns": {}, "sentence": ""}'],
        )
        db.execute("update datasets set state = 2")
        db.execute(
            "insert into decisions (candidate, action, reason, who, created, detail, dataset) values "
            "('demo/x.png', 'missed', '[]', 'A', '2026-01-01', '{}', 'demo')"
        )
    facts = Gatherer(own).facts()
    assert facts is not None and (facts.new_normals, facts.marks, facts.worked) == (1, 1, True)
    assert [step.kind for step in next_steps(facts)][:3] == ["test", "rebuild", "untried"]


def test_what_a_job_makes_already_is_not_asked_for(tmp_path: Path) -> None:
    own, asked = Workspace.create(tmp_path / "workspace"), Question()
    gatherer = Gatherer(own)

    def kinds() -> list[tuple[str, str]]:
        steps: Any = strip(gatherer, asked)["steps"]
        return [(step["kind"], step["button"]) for step in steps]

    assert kinds() == [("import", "Bring images")]
    jobs.submit(own, "demo", "Creating demo images", {})
    assert kinds() == [("coming", "")]
