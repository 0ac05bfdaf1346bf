"""Candidates: written whole, once, found again, put away and brought back."""

from __future__ import annotations

import errno
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exdd_core.errors import BadInput
from exdd_core.images import read_image, read_mask
from exdd_core.synthesis.mask_spec import MaskSpec
from exdd_core.synthesis.orders import Recipe
from exdd_core.synthesis.request import Painting
from exdd_core.workspace import MARK, Workspace, candidates

RNG = np.random.default_rng(0)
IMAGE = RNG.integers(0, 256, (40, 60, 3), dtype=np.uint8)
MASK = RNG.random((40, 60)) > 0.8
DRAWN = MASK | (RNG.random((40, 60)) > 0.8)
PAINTING = Painting(IMAGE, MASK, "procedural", "3", {"feather": 2.0}, 7, ["A note."], 0.25)
RECIPE = Recipe(
    number=0,
    dataset="demo",
    source="demo/good/a.png",
    engine="procedural",
    template="{fine|deep} scratch",
    prompt="fine scratch",
    negative_prompt="dark",
    prompt_id="p1",
    settings={},
    mask=MaskSpec("generated"),
    seed=7,
    donor="demo/defect/b.png",
    parent="c0",
    defect_type="scratch",
    axes=[{"name": "seed", "values": [1, 2], "index": 1}],
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")


def folders(workspace: Workspace) -> set[str]:
    return {path.name for path in (workspace.path / "candidates").iterdir() if path.name != ".lock"}


def raw_notes(workspace: Workspace, id: str) -> str:
    with workspace.reading() as db:
        return str(db.execute("select notes from candidates where id = ?", [id]).fetchone()[0])


def test_a_candidate_is_kept_with_its_whole_record(workspace):
    made = candidates.add(workspace, PAINTING, RECIPE, DRAWN, job="j1", number=4)
    kept = candidates.get(Workspace.open(workspace.path), made.id)
    assert kept == made
    assert np.array_equal(read_image(kept.image), IMAGE)
    assert np.array_equal(read_mask(kept.mask, (40, 60)), MASK)
    assert np.array_equal(read_mask(kept.drawn, (40, 60)), DRAWN)
    assert kept.size == (60, 40) and kept.status == "pending" and kept.quality == {}
    assert (kept.engine_version, kept.settings, kept.notes, kept.seconds) == (
        "3",
        {"feather": 2.0},
        ["A note."],
        0.25,
    )
    assert (kept.job, kept.number, kept.mask_spec) == ("j1", 4, RECIPE.mask.to_json())
    for name in set(vars(RECIPE)) - {"number", "mask", "settings"}:
        assert getattr(kept, name) == getattr(RECIPE, name), name
    assert kept.taught_by == [] and "taught_by" not in raw_notes(workspace, kept.id)
    other = candidates.add(workspace, replace(PAINTING, taught_by=["part 1", "part 2"]), RECIPE, DRAWN)
    assert other.taught_by == ["part 1", "part 2"]
    assert folders(workspace) == {kept.id, other.id}
    names = ["candidate.json", "drawn.png", "image.png", "mask.png"]
    assert sorted(path.name for path in kept.folder.iterdir()) == names


def test_the_same_number_of_a_job_is_kept_once(workspace):
    first = candidates.add(workspace, PAINTING, RECIPE, DRAWN, job="j1", number=0)
    again = candidates.add(workspace, replace(PAINTING, image=IMAGE[::-1]), RECIPE, DRAWN, job="j1", number=0)
    assert again == first and np.array_equal(read_image(again.image), IMAGE)
    assert candidates.numbers(workspace, "j1") == {0} and candidates.numbers(workspace, "j2") == set()
    for _ in range(2):  # by hand there is no number, and each counts
        candidates.add(workspace, PAINTING, RECIPE, DRAWN)
    assert candidates.count(workspace) == 3 == len(folders(workspace))


def test_many_at_once_are_kept_once_each(workspace):
    with ThreadPoolExecutor(6) as pool:
        ids = list(
            pool.map(lambda n: candidates.add(workspace, PAINTING, RECIPE, DRAWN, "j", n % 4).id, range(12))
        )
    assert len(set(ids)) == 4 and folders(workspace) == set(ids)
    assert candidates.numbers(workspace, "j") == {0, 1, 2, 3}


def test_newest_first_by_any_filter_and_in_pages(workspace):
    variations = [
        replace(RECIPE),
        replace(RECIPE, dataset="tiles"),
        replace(RECIPE, prompt_id="p2"),
        replace(RECIPE, defect_type="pit"),
    ]
    ids = [
        candidates.add(workspace, PAINTING, recipe, DRAWN, "j", n).id for n, recipe in enumerate(variations)
    ]
    ids.append(candidates.add(workspace, replace(PAINTING, engine="sdxl"), RECIPE, DRAWN).id)

    def found(**filters: object) -> list[str]:
        listed = candidates.listed(workspace, **filters)  # type: ignore[arg-type]
        assert "limit" in filters or candidates.count(workspace, **filters) == len(listed)  # type: ignore[arg-type]
        return [candidate.id for candidate in listed]

    assert found() == ids[::-1]
    assert found(dataset="tiles") == [ids[1]]
    assert found(prompt_id="p2") == [ids[2]]
    assert found(defect_type="pit") == [ids[3]]
    assert found(engine="sdxl") == [ids[4]]
    assert found(job="j", dataset="demo") == [ids[3], ids[2], ids[0]]
    assert found(status="accepted") == []
    assert found(limit=2) == ids[:2:-1] and found(limit=2, offset=4) == ids[:1]


def test_pending_ones_are_put_away_and_come_back(workspace):
    ids = [candidates.add(workspace, PAINTING, RECIPE, DRAWN, "j", n).id for n in range(3)]
    with workspace.writing() as db:
        db.execute("update candidates set status = 'accepted' where id = ?", [ids[2]])
    assert candidates.delete_undecided(workspace, [*ids, "nobody"]) == ids[:2]  # what was decided on stays
    assert [c.id for c in candidates.listed(workspace)] == [ids[2]] and candidates.count(workspace) == 1
    assert {c.id for c in candidates.listed(workspace, status="deleted")} == set(ids[:2])
    assert candidates.get(workspace, ids[0]).image.is_file()
    assert candidates.numbers(workspace, "j") == {0, 1, 2}  # a resumed job does not paint it again
    assert candidates.restore(workspace, ids) == ids[:2]
    assert {c.status for c in candidates.listed(workspace)} == {"pending", "accepted"}


def test_an_unknown_one_is_a_sentence(workspace):
    with pytest.raises(BadInput, match='no candidate "nobody"'):
        candidates.get(workspace, "nobody")


def test_a_full_disk_is_a_sentence_and_leaves_nothing(workspace, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for place in ("os.sync", "pathlib.Path.write_bytes", "pathlib.Path.rename"):
        with monkeypatch.context() as patch:
            patch.setattr(place, full)
            with pytest.raises(BadInput, match="disk is full"):
                candidates.add(workspace, PAINTING, RECIPE, DRAWN)
        assert folders(workspace) == set() and candidates.count(workspace) == 0, place


def test_a_row_that_cannot_be_written_takes_its_folder_along(workspace, monkeypatch):
    monkeypatch.setattr("exdd_core.workspace.candidates._row", lambda *_: {"id": "c1", "no_such_column": 1})
    with pytest.raises(BadInput):
        candidates.add(workspace, PAINTING, RECIPE, DRAWN)
    assert folders(workspace) == set()


def test_what_a_killed_process_left_is_swept_and_what_has_a_row_stays(workspace):
    kept = candidates.add(workspace, PAINTING, RECIPE, DRAWN)
    (kept.folder / MARK).touch()  # killed after the row was written, before the mark was removed
    room = workspace.path / "candidates"
    for name in (".making-abc", "without-a-row"):
        (room / name).mkdir()
        (room / name / "image.png").write_bytes(b"half")
    (room / "without-a-row" / MARK).touch()
    again = Workspace.open(workspace.path)
    assert folders(again) == {kept.id}
    assert not (kept.folder / MARK).exists()
    assert candidates.listed(again) == [kept]


def test_a_record_is_plain_json(workspace):
    made = candidates.add(workspace, PAINTING, RECIPE, DRAWN)
    with workspace.reading() as db:
        row = next(iter(db.query("select * from candidates")))
    assert json.loads(row["mask"]) == RECIPE.mask.to_json() and json.loads(row["settings"]) == made.settings
    assert row["job"] is None and row["number"] is None
