"""Bit rot: a disk returns other bytes than were written, in a bank version, its later changes or its caches."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from exdd_core import files
from exdd_core.banks import bank_map
from exdd_core.banks.detectors import load_detector
from exdd_core.banks.options import rebuild_spec
from exdd_core.cli import main
from exdd_core.detector import Detector
from exdd_core.errors import BadInput
from exdd_core.review.results import Results, StoredRow
from exdd_core.workspace import Workspace, checking, doctor, runs, version_files
from tests.trust.conftest import opened


def flip(file: Path, at: int, bits: int = 1) -> None:
    """Flip bits of one byte of a file."""
    content = bytearray(file.read_bytes())
    content[at] ^= bits
    file.write_bytes(content)


def first_number(file: Path) -> int:
    """Where the numbers of a safetensors file begin."""
    return 8 + struct.unpack("<Q", file.read_bytes()[:8])[0]


def held_out(detector: Detector) -> list[np.ndarray]:
    """The features of the held-out images of a version, float16 (n, d) each."""
    return list(detector.fitted.held.features or [])


def without_digests(workspace: Workspace) -> None:
    """As a version lies there that was built before there were digests."""
    with workspace.writing() as db:
        db.execute("update banks set files = null")


def test_a_damaged_bank_never_gives_a_score(workspace, backbone):
    version = workspace.bank()
    file = version.path / "positive.safetensors"
    for at in range(4):  # four flipped bytes once turned a defect into "normal" without a word
        flip(file, first_number(file) + 4 * at + 3, 0x40)
    with pytest.raises(BadInput, match="v1 is damaged.*positive.safetensors has changed.*banks rebuild v1"):
        load_detector(opened(workspace.path, backbone))


def test_a_lost_file_of_a_version_is_named(workspace, backbone):
    (workspace.bank().path / "held_out.safetensors").unlink()
    with pytest.raises(BadInput, match="v1 is damaged.*held_out.safetensors is missing"):
        load_detector(opened(workspace.path, backbone))


def test_the_command_line_says_in_one_sentence_that_a_version_is_damaged(workspace, tmp_path, capsys):
    flip(workspace.bank().path / "negative.safetensors", -1)
    image = next(workspace.path.glob("datasets/plates/defect/bar/0.png"))
    assert (
        main(["score", str(image), "--workspace", str(workspace.path), "--csv", str(tmp_path / "r.csv")]) == 2
    )
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and "v1 is damaged" in said.err
    assert not (tmp_path / "r.csv").exists()


@pytest.mark.slow
def test_a_damaged_version_can_be_built_again(workspace, backbone):
    from exdd_core.banks.building import build_bank

    flip(workspace.bank().path / "negative.safetensors", -1)
    again = opened(workspace.path, backbone)
    assert build_bank(again, rebuild_spec(again)).active
    load_detector(again)


def test_a_version_from_before_digests_gets_them_at_first_use_and_that_is_said(workspace, backbone, unseen):
    scores = [seen.score for seen in load_detector(workspace).score(unseen)]
    without_digests(workspace)
    again = opened(workspace.path, backbone)
    assert "gets them when it is next used" in version_files.sentence(again.bank())
    assert [seen.score for seen in load_detector(again).score(unseen)] == scores
    assert "earlier damage is not detected" in version_files.sentence(again.bank())
    assert any("v1 was built before" in line for line in doctor.lines(doctor.report(again)))
    flip(workspace.bank().path / "negative.safetensors", -1)
    with pytest.raises(BadInput, match="v1 is damaged"):
        load_detector(opened(workspace.path, backbone))


@pytest.mark.parametrize(
    ("name", "array", "value", "said"),
    [
        ("positive", "rows", np.nan, "not finite"),
        ("negative", "rows", np.inf, "not finite"),
        ("negative", "image", 10_000, "does not name"),
        ("negative", "position", 500, "outside the patch grid"),
        ("defects", "beside", np.inf, "not finite"),
        ("held_out", "negative_rows", 10**6, "do not exist"),
        ("held_out", "negative_distances", np.nan, "do not exist"),
        ("direction", "own", np.nan, "discriminant"),
        ("direction", "weights", np.nan, "direction"),
    ],
)
def test_values_that_cannot_be_are_found_without_digests(workspace, backbone, name, array, value, said):
    file = workspace.bank().path / f"{name}.safetensors"
    arrays = load_file(file)
    from safetensors import safe_open

    with safe_open(file, "numpy") as stored:
        metadata = stored.metadata()
    arrays[array] = arrays[array].copy()
    arrays[array].flat[0] = value
    save_file(arrays, file, metadata=metadata)
    without_digests(workspace)
    with pytest.raises(BadInput, match=f"v1 is damaged.*{said}"):
        load_detector(opened(workspace.path, backbone))


def test_a_threshold_that_is_no_number_is_found_without_digests(workspace, backbone):
    file = workspace.bank().path / "detector.json"
    state = json.loads(file.read_text())
    state["fusions"][state["fusion"]]["calibration"]["threshold"] = float("nan")
    file.write_text(json.dumps(state))
    without_digests(workspace)
    with pytest.raises(BadInput, match="v1 is damaged.*calibration"):
        load_detector(opened(workspace.path, backbone))


def changed_row(workspace: Workspace, column: str, at: int) -> None:
    """Flip a bit in a column of the version's last change."""
    with workspace.writing() as db:
        id, value = db.execute(f"select id, {column} from bank_changes order by id desc limit 1").fetchone()
        content = bytearray(value if isinstance(value, bytes) else value.encode())
        content[at] ^= 1
        new = bytes(content) if isinstance(value, bytes) else content.decode()
        db.execute(f"update bank_changes set {column} = ? where id = ?", [new, id])


@pytest.mark.parametrize(("column", "at"), [("rows", 40), ("detail", 12), ("detail", -3), ("action", 0)])
def test_a_damaged_change_of_a_bank_is_never_applied(workspace, backbone, column, at):
    changed_row(workspace, column, at)
    with pytest.raises(BadInput, match="v1 is damaged.*change 1, made after the build"):
        load_detector(opened(workspace.path, backbone))


def test_fitted_models_that_are_damaged_are_fitted_again(workspace, backbone, unseen):
    scores = [seen.score for seen in load_detector(workspace).score(unseen)]
    with workspace.writing() as db:
        (state,) = db.execute("select state from bank_states").fetchone()
        db.execute("update bank_states set state = ?", [state[:50] + bytes([state[50] ^ 1]) + state[51:]])
    again = load_detector(opened(workspace.path, backbone)).score(unseen)
    assert [seen.score for seen in again] == pytest.approx(scores, rel=1e-6)


def test_damaged_features_in_the_cache_are_computed_again(workspace, backbone):
    before = np.array(held_out(load_detector(workspace))[0])
    (file,) = (workspace.path / "cache" / "banks").rglob("held_out.npy")
    flip(file, 1000, 0x08)
    assert np.array_equal(held_out(load_detector(opened(workspace.path, backbone)))[0], before)
    assert files.holds(file)


@pytest.mark.slow
def test_of_200_flipped_bits_in_all_files_of_a_version_each_is_found_or_changes_no_score(
    workspace, backbone, unseen
):
    version, rng = workspace.bank(), np.random.default_rng(0)
    detector = load_detector(workspace)
    wanted, held = [seen.score for seen in detector.score(unseen)], list(held_out(detector))
    cached = sorted((workspace.path / "cache" / "banks").rglob("*.np[yz]"))
    kept = [*sorted(f for f in version.path.iterdir() if f.is_file()), *cached]
    assert len(kept) >= 8 and cached
    found = 0
    for turn in range(200):
        file = kept[turn % len(kept)]
        whole = file.read_bytes()
        flip(file, int(rng.integers(len(whole))), 1 << int(rng.integers(8)))
        try:
            again = load_detector(opened(workspace.path, backbone))
            assert all(map(np.array_equal, held_out(again), held)), file.name
            assert [seen.score for seen in again.score(unseen)] == wanted, file.name
        except BadInput as error:
            assert "v1 is damaged" in str(error)
            found += 1
        file.write_bytes(whole)
    assert found == 200 - sum(1 for turn in range(200) if kept[turn % len(kept)] in cached)


# --- stored results ---------------------------------------------------------------------------------------------------


def test_a_stored_measurement_with_a_flipped_byte_is_named_and_never_shown(workspace):
    figures = {"methods": {"exdd": {"aupro": 0.91}}}
    for id in ("good", "poor"):
        runs.store(workspace, id, "evaluate", "One", {"dataset": "d"}, figures, "b", 2.29)
    healthy = runs.listed(workspace)
    assert runs.damaged(workspace) == [] and len(healthy) == 2
    columns = ("kind", "title", "spec", "result", "bank", "created", "digest")
    for column in columns:
        with workspace.writing() as db:
            was = db.execute(f"select cast({column} as blob) from runs where id = 'poor'").fetchone()[0]
        for at in {0, len(was) // 2, len(was) - 1}:
            for bit in (1, 0x80):  # 0x80: the text cannot be decoded any more
                now = was[:at] + bytes([was[at] ^ bit]) + was[at + 1 :]
                with workspace.writing() as db:
                    db.execute(f"update runs set {column} = cast(? as text) where id = 'poor'", [now])
                assert [run.id for run in runs.listed(workspace)] == ["good"]
                assert ["poor is damaged" in said for said in runs.damaged(workspace)] == [True]
                with pytest.raises(BadInput, match="poor is damaged.*Measure again"):
                    runs.get(workspace, "poor")
        with workspace.writing() as db:
            db.execute(f"update runs set {column} = cast(? as text) where id = 'poor'", [was])
    assert runs.listed(workspace) == healthy
    with workspace.writing() as db:
        db.execute("update runs set seconds = 3.29 where id = 'poor'")
    assert any("poor is damaged" in finding["what"] for finding in checking.check(workspace))


def test_a_measurement_from_before_digests_is_shown_while_it_can_be_read(workspace):
    runs.store(workspace, "old", "evaluate", "One", {"dataset": "d"}, {"methods": {}})
    with workspace.writing() as db:
        db.execute("update runs set digest = null")
    assert [run.id for run in runs.listed(workspace)] == ["old"] and not runs.damaged(workspace)
    with workspace.writing() as db:
        db.execute("update runs set result = substr(result, 2)")
    assert runs.listed(workspace) == [] and len(runs.damaged(workspace)) == 1


def test_a_flipped_byte_in_results_of_inspect_shows_no_other_score(tmp_path):
    file = tmp_path / "results.jsonl"
    rows = [cast(StoredRow, {"id": name, "exdd_score": 0.25}) for name in ("a", "b")]
    Results(file).add("s", rows)
    written = file.read_bytes()
    healthy, end = Results(file).rows("s"), written.index(b"\n")
    for at in range(end):
        for bit in (1, 0x10):
            flip(file, at, bit)
            assert Results(file).rows("s") == {"b": healthy["b"]}, at
            file.write_bytes(written)
    file.write_bytes(
        b'{"id": "old", "state": "s", "reason": "a} b"}\n' + written
    )  # before there were digests
    assert set(Results(file).rows("s")) == {"old", "a", "b"}


def test_a_damaged_map_is_said_to_be_damaged(workspace):
    kept = bank_map.cache_of(workspace, workspace.bank().id) / "map.npz"
    kept.parent.mkdir(parents=True, exist_ok=True)
    with files.sealed(kept) as place:
        np.savez(place.open("wb"), place=np.zeros((1, 2)))
    flip(kept, 100)
    with pytest.raises(BadInput, match="was damaged and has been removed"):
        bank_map.map_bank(workspace, method="umap")
    with pytest.raises(BadInput, match="does not exist yet"):
        bank_map.map_bank(workspace, method="umap")
