"""Bit rot: a disk returns other bytes than were written, in a bank version, its later changes or its caches."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from exdd_core.banks.detectors import load_detector
from exdd_core.banks.options import rebuild_spec
from exdd_core.cli import main
from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace, doctor, version_files
from tests.trust.conftest import opened


def flip(file: Path, at: int, bits: int = 1) -> None:
    """Flip bits of one byte of a file."""
    content = bytearray(file.read_bytes())
    content[at] ^= bits
    file.write_bytes(content)


def first_number(file: Path) -> int:
    """Where the numbers of a safetensors file begin."""
    return 8 + struct.unpack("<Q", file.read_bytes()[:8])[0]


def without_digests(workspace: Workspace) -> None:
    """As a version lies there that was built before there were digests."""
    with workspace.writing() as db:
        db.execute("update banks set files = null")


def test_a_damaged_bank_never_gives_a_score(workspace, backbone):
    version = workspace.bank()
    file = version.path / "positive.safetensors"
    for at in range(4):  # four flipped bytes once turned a defect into "normal" without a word
        flip(file, first_number(file) + 4 * at + 3, 0x40)
    with pytest.raises(
        BadInput, match="v1 is damaged.*positive.safetensors is not what it was.*banks rebuild v1"
    ):
        load_detector(opened(workspace.path, backbone))


def test_a_lost_file_of_a_version_is_named(workspace, backbone):
    (workspace.bank().path / "held_out.safetensors").unlink()
    with pytest.raises(BadInput, match="v1 is damaged.*held_out.safetensors is lost"):
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
    assert "damage from before is not noticed" in version_files.sentence(again.bank())
    assert any("v1 was built before" in line for line in doctor.lines(doctor.report(again)))
    flip(workspace.bank().path / "negative.safetensors", -1)
    with pytest.raises(BadInput, match="v1 is damaged"):
        load_detector(opened(workspace.path, backbone))


@pytest.mark.parametrize(
    ("name", "array", "value", "said"),
    [
        ("positive", "rows", np.nan, "no finite numbers"),
        ("negative", "rows", np.inf, "no finite numbers"),
        ("negative", "image", 10_000, "does not name"),
        ("negative", "position", 500, "outside the patch grid"),
        ("defects", "beside", np.inf, "no finite numbers"),
        ("held_out", "negative_rows", 10**6, "not there"),
        ("held_out", "negative_distances", np.nan, "not there"),
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
