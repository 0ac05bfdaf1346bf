"""A data set that a request works on has its own active version; other requests keep theirs."""

from __future__ import annotations

import json
import shutil

import pytest

from exdd_core.workspace import Workspace, context, unfitted
from exdd_core.workspace.versions import activate_bank


@pytest.fixture(scope="module")
def two(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Two data sets: "demo" with version v1, active, and "tiles" with v2, v3 and a measurement's v4, as rows alone."""
    folder = tmp_path_factory.mktemp("context") / "workspace"
    shutil.copytree(demo_workspace.path, folder)
    made = Workspace.open(folder)
    with made.writing() as db:
        dataset, bank = (next(iter(db.query(f"select * from {table}"))) for table in ("datasets", "banks"))
        db.table("datasets").insert({**dataset, "name": "tiles", "called": "tiles"})
        for number in (2, 3):
            db.table("banks").insert({**bank, "id": f"b{number}", "number": number, "dataset": "tiles"})
        settings = json.dumps(json.loads(bank["settings"]) | {"made_for": "table1"})
        measured = {"id": "b4", "number": 4, "dataset": "tiles", "settings": settings}
        db.table("banks").insert({**bank, **measured})
    return made


def name(workspace: Workspace, dataset: str = "") -> str:
    bank = workspace.active_bank(dataset)
    assert bank is not None and bank.active
    return bank.name


def test_the_version_follows_the_data_set(two: Workspace) -> None:
    assert (two.active_name(), name(two)) == ("demo", "v1")
    with context.working_on("tiles"):
        assert two.dataset().name == two.active_name() == "tiles"
        assert name(two) == "v3"  # the newest that a person built, as none of them was active yet
        with context.working_on(""):
            assert name(two) == "v3"
    assert (two.dataset().name, name(two), name(two, "tiles")) == ("demo", "v1", "v3")
    with context.working_on("gone"):
        assert (two.active_name(), name(two)) == ("demo", "v1")


def test_a_version_that_was_active_leads_its_data_set_still(two: Workspace) -> None:
    activate_bank(two, "v2")
    activate_bank(two, "v1")
    assert (name(two), name(two, "tiles")) == ("v1", "v2")
    with two.writing() as db:
        assert unfitted.enter(db, 1, "tiles") == "v2"  # a decision on tiles changes the bank of tiles
        assert unfitted.enter(db, 2, "demo") == "v1" and unfitted.enter(db, 3, "gone") == ""
    assert unfitted.count(two, "b2") == 1 and unfitted.count(two, "b3") == 0
