"""The command line as a person and a script meet it: results, exit codes, and one sentence for bad input."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from exdd_core import cli
from exdd_core.images import encode_png
from exdd_core.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    words = [sys.executable, "-m", "exdd_core", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT)


def refusal(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    """The sentence with which the command refuses: on standard error, alone, with exit code 2."""
    code = cli.main([str(word) for word in arguments])
    out, err = capsys.readouterr()
    assert code == 2, (out, err)
    last = err.strip().splitlines()[-1]
    assert "Traceback" not in err and last.endswith(".") and out == ""
    return last


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A workspace without a data set."""
    return Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0").path


@pytest.mark.parametrize("command", ["import", "build", "score", "evaluate", "serve", "doctor"])
def test_every_command_has_help_workspace_and_json(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([command, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "--workspace" in text and "--json" in text


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["frobnicate"], "frobnicate"),
        (["build", "--nonsense"], "--nonsense"),
        (["import"], "source"),
        (["import", "nowhere"], "nowhere does not exist"),
        (["import", "nowhere", "--size", "large"], "large"),
        (["import", "nowhere", "--size", "8x8"], "8x8"),
        (["import", "nowhere", "--groups", "by-luck"], "by-luck"),
        (["import", "nowhere", "--name", "../up"], "../up"),
        (["build"], "import one first"),
        (["build", "--seed", "-1"], "-1"),
        (["build", "--negative-ratio", "0"], "'0' is not a share"),
        (["build", "--positive-ratio", "nan"], "'nan' is not a share"),
        (["build", "--max-real-parts", "many"], "'many' is not a whole number"),
        (["score", "nowhere.png"], "nowhere.png does not exist"),
        (["evaluate"], "build one first"),
        (["evaluate", "--folds", "1"], "'1' is not a whole number from 2"),
        (["evaluate", "--folds", "2"], "import one first"),
        (["evaluate", "--folds", "2", "--bank", "v1"], "--bank and --folds"),
        (["evaluate", "--max-real-parts", "3"], "--max-real-parts needs --folds"),
        (["serve", "--port", "0"], "'0' is not a port"),
        (["serve", "--host", "256.1.1.1"], "256.1.1.1"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, words, workspace, capsys):
    if arguments and arguments[0] in ("import", "build", "score", "evaluate", "serve"):
        arguments = [*arguments, "--workspace", workspace]
    assert words in refusal(capsys, *arguments)


@pytest.mark.parametrize("command", [["build"], ["score", "x.png"], ["evaluate"]])
def test_without_a_workspace_the_sentence_says_what_to_do(command, tmp_path, capsys):
    assert "import a data set" in refusal(capsys, *command, "--workspace", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_sources_that_hold_nothing_are_named(workspace, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("no image")
    place = ["--workspace", workspace]
    assert "holds no images" in refusal(capsys, "import", tmp_path / "empty", *place)
    assert "zip" in refusal(capsys, "import", tmp_path / "notes.txt", *place)
    assert "holds no images" in refusal(capsys, "score", tmp_path / "empty", *place)


def test_a_folder_with_other_files_does_not_become_a_workspace(demo_dataset, tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("mine")
    sentence = refusal(
        capsys, "import", demo_dataset, "--workspace", tmp_path, "--backbone", "efficientnet_lite0"
    )
    assert "other files" in sentence
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["thesis.tex"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_a_place_without_permission_is_a_sentence(demo_dataset, capsys):
    place = "/proc/exdd" if os.geteuid() == 0 else "/exdd"
    assert place in refusal(
        capsys, "import", demo_dataset, "--workspace", place, "--backbone", "efficientnet_lite0"
    )


def test_a_port_in_use_is_a_sentence(workspace, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"{port} cannot be used" in refusal(capsys, "serve", "--port", port, "--workspace", workspace)


def test_a_whole_round_by_processes(demo_dataset, tmp_path):
    """import, import again, build, score, evaluate: what a script would do."""
    place = ["--workspace", tmp_path / "workspace", "--json"]

    def result(*arguments: object) -> dict:
        done = run(*arguments, *place)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    first = result("import", demo_dataset, "--name", "demo", "--backbone", "efficientnet_lite0")
    assert first["dataset"] == "demo" and first["changed"] and first["layout"] == "demo"
    assert result("import", demo_dataset, "--name", "demo")["changed"] is False

    bank = result("build", "--size", "64x64", "--seed", "3")
    assert bank["name"] == "v1" and bank["active"] and bank["settings"]["seed"] == 3

    table, panes = tmp_path / "out" / "scores.csv", tmp_path / "panes"
    scored = result("score", demo_dataset / "defect", "--csv", table, "--png", panes)
    images = scored["images"]
    assert images and {"patchcore_score", "exdd_score", "exdd_verdict", "exdd_reason"} <= images[0].keys()
    assert all(image["exdd_verdict"] in ("normal", "defect") for image in images)
    with table.open() as file:
        assert [row["image"] for row in csv.DictReader(file)] == [image["image"] for image in images]
    assert len(list(panes.glob("*.png"))) == len(images)

    measured = result("evaluate")
    assert measured["dataset"] == "demo"
    for method in ("patchcore", "exdd"):
        assert set(measured["methods"][method]) >= set(cli.METRICS)
        assert 0 <= measured["methods"][method]["image_auroc"] <= 1


def test_scores_for_people_name_verdict_and_reason(demo_workspace, demo_dataset, capsys):
    image = next((demo_dataset / "good").glob("*.png"))
    assert cli.main(["score", str(image), "--workspace", str(demo_workspace.path)]) == 0
    out = capsys.readouterr().out
    assert image.name in out and ("normal" in out or "defect" in out)


def test_a_broken_image_in_a_folder_is_left_out_and_named(demo_workspace, tmp_path, capsys):
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "a.png").write_bytes(encode_png(np.full((64, 64, 3), 90, np.uint8)))
    (folder / "b.png").write_text("not an image")
    place = ["--workspace", str(demo_workspace.path), "--json"]
    assert cli.main(["score", str(folder), *place]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [Path(row["image"]).name for row in result["images"]] == ["a.png"]
    assert [Path(item["image"]).name for item in result["unreadable"]] == ["b.png"]
    # named itself, it is an error
    assert "b.png" in refusal(capsys, "score", folder / "b.png", "--workspace", demo_workspace.path)


def test_ctrl_c_ends_with_130_and_nothing_half(demo_dataset, tmp_path):
    place = tmp_path / "workspace"
    words = ["import", demo_dataset, "--workspace", place, "--backbone", "efficientnet_lite0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "exdd_core", *map(str, words)], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    while not list(place.glob("datasets/.making-*")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("Interrupted")
    assert Workspace.open(place).datasets() == []


def test_json_holds_no_nan():
    assert cli._strict({"a": float("nan"), "b": (1, np.float32(0.5)), "c": Path("x")}) == {
        "a": None,
        "b": [1, 0.5],
        "c": "x",
    }
