"""The command line as a person and a script meet it: results, exit codes, and one sentence for bad input."""

from __future__ import annotations

import csv
import errno
import json
import os
import re
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from exdd_core import cli, jobs
from exdd_core.cli.arguments import Group
from exdd_core.errors import BadInput
from exdd_core.experiments import names
from exdd_core.images import encode_png, read_mask
from exdd_core.studio import editor
from exdd_core.workspace import Workspace, candidates, copies, decisions, prompts
from exdd_core.workspace.imports import import_dataset
from pages.loading import say_interrupted

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


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace without a data set; tests must not change that."""
    return Workspace.create(
        tmp_path_factory.mktemp("empty") / "workspace", backbone="efficientnet_lite0"
    ).path


def every_command() -> list[list[str]]:
    words: list[list[str]] = [[]]
    for name, entry in cli.COMMANDS.items():
        words += (
            [[name], *([name, action] for action in entry.actions)] if isinstance(entry, Group) else [[name]]
        )
    return words


@pytest.mark.parametrize("command", every_command(), ids=" ".join)
def test_every_command_has_help_workspace_and_json(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([*command, "--help"])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert "--workspace" in text and "--json" in text
    said = text.split("\n\n")[1]
    assert said[0].isupper() and said.endswith(".")


@pytest.mark.parametrize("before", [0, 1, 2])
def test_what_is_common_may_stand_before_a_command_or_after_it(before, workspace, capsys):
    words = ["banks", "list"]
    words[before:before] = ["--workspace", str(workspace), "--json"]
    assert cli.main(words) == 0
    assert json.loads(capsys.readouterr().out) == {"banks": []}


def test_a_source_or_workspace_that_cannot_be_leaves_nothing_behind(demo_dataset, tmp_path, capsys):
    place = tmp_path / "workspace"
    assert "nowhere does not exist" in refusal(capsys, "import", "nowhere", "--workspace", place)
    assert not place.exists()
    place.write_text("a letter")
    for command in (["import", demo_dataset], ["banks", "list"], ["doctor"], ["serve"]):
        assert "is a file; specify a folder" in refusal(capsys, *command, "--workspace", place)
    assert place.read_text() == "a letter"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["frobnicate"], "frobnicate"),
        (["build", "--nonsense"], "--nonsense"),
        (["import"], "source"),
        (["import", "nowhere"], "nowhere does not exist"),
        (["import", os.devnull], "is a pipe, a device or a socket"),
        (["import", "nowhere", "--groups", f"csv:{os.devnull}"], "is a pipe, a device or a socket"),
        (["import", "nowhere", "--size", "large"], "large"),
        (["import", "nowhere", "--size", "8x8"], "8x8"),
        (["import", "nowhere", "--keep-aspect"], "only be used with --size"),
        (["import", "nowhere", "--groups", "by-luck"], "by-luck"),
        (["import", "nowhere", "--name", "../up"], "../up"),
        (["import", "nowhere", "--role", "pictures"], "use FOLDER=ROLE"),
        (["import", "nowhere", "--role", "pictures=nice"], "normal, defect, mask, none"),
        (["import", "nowhere", "--depth", "many"], "not a valid bit depth"),
        (["import", "nowhere", "--masks", "white"], "not a valid mask rule"),
        (["import", "nowhere", "--into", "tiles"], 'no data set "tiles"'),
        (["import", "nowhere", "--into", "tiles", "--name", "x"], "leave out --name and --size"),
        (["datasets"], "required: ACTION"),
        (["datasets", "show"], "import one first"),
        (["datasets", "undo"], "import one first"),
        (["datasets", "move", "a/b.png"], "--split"),
        (["datasets", "move", "a/b.png", "--split", "train"], 'no image "a/b.png"'),
        (["datasets", "relabel", "a/b.png", "--label", "odd"], "odd"),
        (["datasets", "set", "tiles"], "--depth, --masks, --size or --mm-per-pixel"),
        (["datasets", "roi", "tiles"], "Specify exactly one of"),
        (["datasets", "roi", "tiles", "--clear", "--threshold", "3"], "Specify exactly one of"),
        (["datasets", "delete", "tiles"], 'no data set "tiles"'),
        (["build"], "import one first"),
        (["build", "--seed", "-1"], "-1"),
        (["build", "--seed", "9" * 20], "to 4294967295"),
        (["build", "--negative-ratio", "0"], "'0' is not a fraction"),
        (["build", "--positive-ratio", "nan"], "'nan' is not a fraction"),
        (["build", "--max-real-parts", "many"], "'many' is not a whole number"),
        (["score", "nowhere.png"], "nowhere.png does not exist"),
        (["evaluate"], "build one first"),
        (["evaluate", "--folds", "1"], "'1' is not a whole number from 2"),
        (["evaluate", "--folds", "2"], "import one first"),
        (["evaluate", "--folds", "2", "--bank", "v1"], "--bank cannot be combined with --folds"),
        (["evaluate", "--max-real-parts", "3"], "--max-real-parts requires --folds"),
        (["synthesize", "--prompt", "pits"], "import one first"),
        (["synthesize", "--count", "0"], "'0' is not a whole number from 1"),
        (["teach", "--steps", "many"], "'many' is not a whole number"),
        (["teach", "--rate", "fast"], "'fast' is not a number"),
        (["datasets", "set", "tiles", "--mm-per-pixel", "1mm"], "'1mm' is not a number"),
        (["import", "--", ""], "An argument is empty"),
        (["users", "key", "zoe", "--days", "9999999"], "'9999999' is not a whole number from 1 to 36500"),
        (["synthesize", "--engine", "magic"], "import one first"),
        (["prompts", "forget"], "forget"),
        (["prompts", "export"], "required: FILE"),
        (["prompts", "export", "."], "'.' is a folder"),
        (
            ["prompts", "list", "file.json"],
            "Unrecognized arguments: file.json; see python -m exdd_core prompts list",
        ),
        (["prompts", "import", "nowhere.json"], "nowhere.json"),
        (["banks"], "required: ACTION"),
        (["banks", "list", "--side", "positive"], "--side"),
        (["banks", "map"], "--to FILE.csv"),
        (["banks", "map", "--to", "map.png"], "does not end in .csv"),
        (["mark", "missed", "part.png"], "--mask"),
        (["candidates", "accept", "x", "--all"], "--all cannot be combined"),
        (["candidates", "list", "--engine", "magic"], 'no engine "magic"'),
        (["candidates", "undo", "last"], "'last' is not a whole number"),
        (["runs", "report", "last"], "--to"),
        (["evaluate", "--seed", "3"], "--seed requires --folds"),
        (["score", "x.png", "--csv", "t.json", "--coco", "./t.json"], "--csv and --coco name the same file"),
        (
            ["score", "--csv", ROOT / "docs" / "pages" / "data.webp", "x.png"],
            "data.webp' is an image; specify the file",
        ),
        (["prompts", "export", "part.png"], "'part.png' is an image"),
        (["users", "key", "zoe", "--days", "9", "--end"], "--days does not apply"),
        (["teach", "--engine", "learned", "--rank", "4"], "--rank requires --engine sdxl"),
        (["serve", "--port", "0"], "'0' is not a port"),
        (["serve", "--host", "256.1.1.1"], "256.1.1.1"),
        (["serve", "--host", "a" * 300], "is not an address"),
        (["import", ""], "An argument is empty"),
        (["score", " "], "An argument is empty"),
        (["score", "x.png", "--png", ""], "The value of --png is empty"),
        (["build", "--dataset="], "The value of --dataset is empty"),
        (["import", "~nobody-of-that-name/x"], "There is no home folder"),
        (["banks", "rebuild", "--who", "A\udcff"], "bytes that are not valid text"),
        (["import", ROOT, "--backbone", "vgg"], "already has the backbone efficientnet_lite0"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(arguments, words, workspace, capsys):
    if arguments and arguments[0] != "frobnicate":
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
    assert "contains no images" in refusal(capsys, "import", tmp_path / "empty", *place)
    assert "zip" in refusal(capsys, "import", tmp_path / "notes.txt", *place)
    assert "contains no images" in refusal(capsys, "score", tmp_path / "empty", *place)


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


def test_a_full_disk_is_a_sentence_and_what_was_there_stays(workspace, tmp_path, capsys, monkeypatch):
    if Path("/dev/full").exists():  # a device is written to as it is
        assert "The disk is full" in refusal(
            capsys, "prompts", "export", "/dev/full", "--workspace", workspace
        )
    file = tmp_path / "kept.json"
    file.write_text("old")

    def full(path: Path, text: str, **_: object) -> None:
        if not path.parent.exists():
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
        path.write_bytes(text.encode()[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    assert "The disk is full" in refusal(capsys, "prompts", "export", file, "--workspace", workspace)
    assert file.read_bytes() == b"old" and list(tmp_path.iterdir()) == [file]
    nowhere = refusal(capsys, "prompts", "export", tmp_path / "none" / "p.json", "--workspace", workspace)
    assert f"{tmp_path / 'none' / 'p.json'} cannot be used" in nowhere


def test_a_port_in_use_is_a_sentence(workspace, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"{port} cannot be used" in refusal(capsys, "serve", "--port", port, "--workspace", workspace)


@pytest.mark.slow
def test_a_whole_round_by_processes(demo_dataset, tmp_path, monkeypatch):
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
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    done = run("score", demo_dataset / "defect", "--csv", table, "--png", panes, *place)
    monkeypatch.delenv("PYTHONPROFILEIMPORTTIME")
    assert done.returncode == 0, done.stderr
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "torch" in imported and not imported & {"timm", "torchvision", "torch._dynamo", "gradio"}
    scored = json.loads(done.stdout.splitlines()[-1])
    images = scored["images"]
    assert images and {"patchcore_score", "exdd_score", "exdd_verdict", "exdd_reason"} <= images[0].keys()
    assert all(image["exdd_verdict"] in ("normal", "defect") for image in images)
    with table.open() as file:
        assert [row["image"] for row in csv.DictReader(file)] == [image["image"] for image in images]
    assert len(list(panes.glob("*.png"))) == len(images)

    measured = result("evaluate")
    assert measured["dataset"] == "demo"
    for method in ("patchcore", "exdd"):
        assert set(measured["methods"][method]) >= set(names.METRIC_TITLES)
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


# --- data sets ----------------------------------------------------------------------------------------------


def spoken(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict:
    assert cli.main([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_a_person_says_what_folders_hold_how_deep_images_are_and_what_masks_mean(workspace, tmp_path, capsys):
    shutil.copytree(workspace, tmp_path / "w")
    place, source = ["--workspace", tmp_path / "w"], tmp_path / "parts"
    rng = np.random.default_rng(0)
    for folder, count in (("monday", 6), ("broken", 2), ("drawn", 2)):
        (source / folder).mkdir(parents=True)
        for i in range(count):
            values = rng.integers(0, 4000, (32, 40)).astype(np.uint16)
            if folder == "drawn":
                values = np.zeros((32, 40), np.uint8)
                values[4:20, 4:30] = 1
            Image.fromarray(values).save(source / folder / f"{i}.png")
    assert "--role" in refusal(capsys, "import", source, *place)
    roles = ["--role", "monday=normal", "--role", "broken=defect", "--role", "drawn=mask"]
    told = spoken(capsys, "import", source, *roles, "--depth", "100-3000", "--masks", "labels", *place)
    report = told["report"]
    assert told["counts"]["train"]["normal"] + told["counts"]["test"]["normal"] == 6 and told["state"] == 1
    assert report["depth"]["value"] == "100-3000" and report["mask_rule"]["rule"] == "labels"
    assert report["masks"]["empty"] == report["masks"]["missing"] == [] and report["left_out"] == []
    assert report["questions"] == []
    kept = [row.mask for row in Workspace.open(tmp_path / "w").images("parts", label="defect")]
    assert [int(read_mask(mask, (32, 40)).sum()) for mask in kept if mask] == 2 * [16 * 26]
    told = spoken(capsys, "import", source, "--name", "some", *roles[:2], "--role", "broken=none", *place)
    assert [item["folder"] for item in told["report"]["left_out"]] == ["broken", "drawn"]
    assert not told["healthy"]  # drawn/ is asked for


def test_a_data_set_grows_changes_and_goes_by_commands(workspace, demo_dataset, tmp_path, capsys):
    shutil.copytree(workspace, tmp_path / "w")
    place = ["--workspace", tmp_path / "w"]
    spoken(capsys, "import", demo_dataset, "--name", "demo", *place)
    more = tmp_path / "tomorrow"
    (more / "good").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for i in range(4):
        image = rng.integers(90, 110, (64, 64, 3), dtype=np.uint8)
        (more / "good" / f"n{i}.png").write_bytes(encode_png(image))
    told = spoken(capsys, "import", more, "--into", "demo", "--who", "Anna", *place)
    assert (told["dataset"], told["state"], len(told["joined"]), told["changed"]) == ("demo", 2, 4, True)
    assert told["report"]["images"] == 28 and "4 new images joined" in told["sentences"][0]
    opened = Workspace.open(tmp_path / "w")
    first = opened.images("demo", split="train", label="normal")[0]
    assert first.id in spoken(capsys, "datasets", "move", first.path, "--split", "test", *place)["images"]
    mask = tmp_path / "mask.png"
    mask.write_bytes(
        encode_png(np.pad(np.ones((9, 9), bool), ((5, first.height - 14), (5, first.width - 14))))
    )
    words = ["datasets", "relabel", first.id, "--label", "defect", "--type", "pit", "--mask", mask, *place]
    assert spoken(capsys, *words)["state"] == 4
    assert spoken(capsys, "datasets", "retire", "demo/good/n1.png", *place)["state"] == 5
    assert spoken(capsys, "datasets", "restore", "demo/good/n1.png", *place)["state"] == 6
    assert "Undone: Restored" in spoken(capsys, "datasets", "undo", "demo", *place)["sentence"]
    assert spoken(capsys, "datasets", "rename", "demo", "wood", *place)["dataset"] == "demo"
    assert spoken(capsys, "datasets", "set", "wood", "--size", "64x64", *place)["state"] == 9
    assert 0 < spoken(capsys, "datasets", "roi", "wood", "--threshold", "100", *place)["share"] < 1
    assert spoken(capsys, "datasets", "roi", "wood", "--clear", *place)["roi"] is None
    shown = spoken(capsys, "datasets", "show", "wood", *place)
    assert (shown["dataset"], shown["called"], shown["state"], shown["size"]) == ("demo", "wood", 11, "64x64")
    actions = [change["action"] for change in shown["changes"]]
    assert actions == [
        "roi", "roi", "set", "rename", "undo", "restore", "retire", "relabel", "move", "join"
    ]  # fmt: skip
    assert shown["changes"][-1]["who"] == "Anna" and shown["changes"][5]["undone"] == 7
    spoken(capsys, "import", demo_dataset, "--name", "other", *place)
    both = spoken(capsys, "datasets", "join", "both", "wood", "other", *place)
    assert both["report"]["images"] == 27 + 24
    assert [row["called"] for row in spoken(capsys, "datasets", "list", *place)["datasets"]] == [
        "wood", "other", "both"
    ]  # fmt: skip
    said = refusal(capsys, "datasets", "delete", "wood", *place)
    assert 'permanently delete "wood" with its 27 images' in said and "--yes" in said
    assert "was deleted" in spoken(capsys, "datasets", "delete", "wood", "--yes", *place)["sentence"]
    assert [info.name for info in Workspace.open(tmp_path / "w").datasets()] == ["other", "both"]


def test_a_measurement_is_made_again_on_the_images_of_then(demo_workspace, tmp_path, capsys):
    shutil.copytree(demo_workspace.path, tmp_path / "w")
    place = ["--workspace", tmp_path / "w"]
    spoken(capsys, "evaluate", *place)
    first = spoken(capsys, "runs", "show", "last", *place)
    assert first["spec"]["state"] == first["result"]["state"] == 1
    opened = Workspace.open(tmp_path / "w")
    test = opened.images("demo", split="test")
    for row in (test[0], test[-1]):
        spoken(capsys, "datasets", "retire", row.id, *place)
    other = "normal" if test[1].label == "defect" else "defect"
    spoken(capsys, "datasets", "relabel", test[1].id, "--label", other, *place)
    again = spoken(capsys, "runs", "rerun", first["id"], *place)
    assert again["differences"] == []
    spoken(capsys, "evaluate", *place)
    now = spoken(capsys, "runs", "show", "last", *place)
    assert cli.main(["runs", "compare", first["id"], now["id"], *map(str, place)]) == 0
    out = capsys.readouterr().out
    assert "at threshold, ExDD, types" in out and "exdd" not in out  # a figure is called as on the page
    assert now["result"]["state"] == 4 and now["result"]["images"] == first["result"]["images"] - 2
    assert now["result"]["fingerprint"] != first["result"]["fingerprint"]
    assert spoken(capsys, "banks", "list", *place)["banks"][0]["state"] == 1
    spoken(capsys, "banks", "rename", "v1", "x" * 63, *place)
    assert cli.main(["banks", "list", *map(str, place)]) == 0
    assert f'active, named "{"x" * 63}"' in capsys.readouterr().out
    spoken(capsys, "banks", "rename", "v1", *place)
    assert cli.main(["banks", "list", *map(str, place)]) == 0
    assert "named" not in capsys.readouterr().out
    spoken(capsys, "datasets", "rename", "demo", "y" * 63, *place)
    assert cli.main(["datasets", "list", *map(str, place)]) == 0
    heads, row, *_ = capsys.readouterr().out.splitlines()
    assert heads.index("imported") == row.index("20")  # no name, however long, shifts its row's columns
    spoken(capsys, "datasets", "rename", "y" * 63, "demo", *place)
    spoken(capsys, "runs", "rename", now["id"], "With the new lamp", *place)
    assert spoken(capsys, "runs", "show", "last", *place)["title"] == "With the new lamp"
    spoken(capsys, "runs", "delete", now["id"], *place)
    assert now["id"] not in {run["id"] for run in spoken(capsys, "runs", "list", *place)["runs"]}


# --- painting -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def painted(demo_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the demo data set and no bank version, to paint in."""
    workspace = Workspace.create(
        tmp_path_factory.mktemp("painted") / "workspace", backbone="efficientnet_lite0"
    )
    import_dataset(workspace, demo_dataset, name="demo")
    return workspace.path


def made(capsys: pytest.CaptureFixture[str], painted: Path, *arguments: object) -> dict:
    words = ["synthesize", "--workspace", painted, "--json", *arguments]
    assert cli.main([str(word) for word in words]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def test_candidates_are_of_the_named_data_set_and_a_link_to_itself_is_no_file(painted, tmp_path, capsys):
    order = ["--engine", "procedural", "--prompt", "scratch", "--count", 1]
    id = made(capsys, painted, *order)["candidates"][0]
    accept = ["candidates", "reject", id, "--workspace", painted, "--dataset"]
    assert 'no data set "nothing"' in refusal(capsys, *accept, "nothing")
    with Workspace.open(painted).writing() as db:
        db.execute("update candidates set dataset = 'other' where id = ?", [id])
    assert f"{id} is not a candidate of demo" in refusal(capsys, *accept, "demo")
    assert cli.main(["candidates", "history", "nothing", "--workspace", str(painted)]) == 0
    assert 'There is no decision on "nothing" in this workspace.' in capsys.readouterr().err
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    said = refusal(capsys, "prompts", "export", tmp_path / "loop", "--workspace", painted)
    assert "is a link that leads back to itself" in said


def test_painting_with_every_option(painted, capsys):
    row = next(row for row in Workspace.open(painted).images("demo", split="train", label="normal"))
    result = made(
        capsys, painted, "--dataset", "demo", "--engine", "procedural", "--prompt", "{long|deep} dark scratch",
        "--negative-prompt", "bright", "--each", "--count", 2, "--seed", 5, "--masks", "procedural",
        "--shape", "blotch", "--image", row.id.removeprefix("demo/"), "--setting", "feather=1.5",
        "--setting", "match_brightness=on", "--defect-type", "scratch",
    )  # fmt: skip
    assert result["engine"] == "procedural" and result["ordered"] == result["made"] == 4
    kept = [candidates.get(Workspace.open(painted), id) for id in result["candidates"]]
    assert [c.prompt for c in kept] == ["long dark scratch"] * 2 + ["deep dark scratch"] * 2
    assert [c.seed for c in kept] == [5, 6, 7, 8]
    for candidate in kept:
        assert (candidate.source, candidate.negative_prompt, candidate.defect_type) == (
            row.id,
            "bright",
            "scratch",
        )
        assert candidate.settings["feather"] == 1.5 and candidate.settings["match_brightness"] is True
        assert candidate.mask_spec["shape"] == "blotch" and candidate.mask_spec["from_test"] is False
        assert candidate.status == "pending"
    job = jobs.get(Workspace.open(painted), kept[0].job)
    assert job.kind == "synthesize" and job.state == "done" and "4 defects" in job.title


def test_real_masks_transplants_and_a_mask_file(painted, tmp_path, capsys):
    workspace = Workspace.open(painted)
    lending = {row.id for row in workspace.images("demo", split="train", label="defect")}
    kept = [
        candidates.get(workspace, id) for id in made(capsys, painted, "--engine", "transplant")["candidates"]
    ]
    assert len(kept) > 7 and {c.donor for c in kept} <= lending  # a place may have no room for a defect
    row = workspace.images("demo", split="train", label="normal")[0]
    mask = np.zeros((row.height, row.width), bool)
    mask[20:60, 30:70] = True
    (tmp_path / "mask.png").write_bytes(encode_png(mask))
    options = [
        "--prompt",
        "dark stain",
        "--engine",
        "procedural",
        "--count",
        1,
        "--masks",
        tmp_path / "mask.png",
    ]
    (id,) = made(capsys, painted, *options)["candidates"]
    assert np.array_equal(read_mask(candidates.get(workspace, id).drawn, mask.shape), mask)
    with pytest.raises(BadInput, match="mine.png is a photograph, not a mask"):
        editor.keep_upload(workspace, row.id, str(row.path), "mine.png")
    assert "--anywhere requires" in refusal(
        capsys, "synthesize", "--workspace", painted, *options, "--anywhere"
    )
    (tmp_path / "small.png").write_bytes(encode_png(mask[:90]))
    small = refusal(capsys, "synthesize", "--workspace", painted, *options[:-1], tmp_path / "small.png")
    assert f"small.png is {row.width} x 90 pixels but its image is {row.width} x {row.height}" in small
    long = refusal(capsys, "synthesize", "--workspace", painted, *options, "--defect-type", "a" * 64)
    assert "A name can have at most 63 characters" in long
    photograph = refusal(capsys, "synthesize", "--workspace", painted, *options[:-1], row.path)
    assert "is a photograph, not a mask" in photograph


def test_the_test_split_lends_only_when_told_to_and_then_it_says_so(painted, capsys):
    workspace = Workspace.open(painted)
    outside = workspace.images("demo", split="test", label="normal")[0].id
    options = ["--prompt", "dark stain", "--engine", "procedural", "--count", 1, "--image", outside]
    assert "test split" in refusal(capsys, "synthesize", "--workspace", painted, *options)
    (id,) = made(capsys, painted, *options, "--from-test")["candidates"]
    assert candidates.get(workspace, id).mask_spec["from_test"] is True


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--engine", "magic", "--prompt", "pits"], 'no engine "magic"'),
        (["--engine", "sdxl", "--sdxl-model", "a", "--setting", "model=b"], "are the same setting"),
        (["--engine", "procedural"], "prompt is empty"),
        (["--prompt", "{pits"], "never closes"),
        (["--engine", "procedural", "--prompt", "dark \udcff pits"], "bytes that are not valid text"),
        (["--prompt", "pits", "--count=--5"], "'--5' is not a whole number"),
        (["--prompt", "pits", "--setting", "feather"], "NAME=VALUE"),
        (["--prompt", "pits", "--setting", "feather=soft"], "Feather"),
        (["--prompt", "pits", "--setting", "nonsense=1"], "nonsense"),
        (["--prompt", "pits", "--masks", "nowhere.png"], "nowhere.png does not exist"),
        (["--prompt", "pits", "--masks", "procedural", "--shape", "star"], "star"),
        (["--prompt", "pits", "--shape", "spot"], "--shape requires"),
        (["--prompt", "pits", "--image", "good/none.png"], "no image"),
        (["--prompt", "pits", "--dataset", "other"], "other"),
        (["--engine", "procedural", "--prompt", "pits", "--sdxl-model", "x"], "--sdxl-model requires"),
        (["--engine", "sdxl", "--prompt", "pits", "--sdxl-model", "no/such"], "no/such"),
        (["--saved", "nobody"], 'no prompt "nobody"'),
    ],
)
def test_what_cannot_be_painted_is_one_sentence(painted, arguments, words, capsys, monkeypatch):
    monkeypatch.delenv("EXDD_SDXL", raising=False)
    assert words in refusal(capsys, "synthesize", "--workspace", painted, "--count", 1, *arguments)


def test_without_weights_it_says_what_to_download_and_what_works_now(painted, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.delenv("EXDD_SDXL", raising=False)
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    before = len(jobs.listed(Workspace.open(painted)))
    sentence = refusal(capsys, "synthesize", "--workspace", painted, "--engine", "sdxl", "--prompt", "pits")
    for words in ("stable-diffusion-xl-1.0-inpainting-0.1", "6.9 GB", str(painted / "models"), "procedural"):
        assert words in sentence
    assert len(jobs.listed(Workspace.open(painted))) == before


def test_sdxl_paints_by_the_command_line_with_a_model_of_ones_own(painted, tiny_sdxl, capsys):
    options = ["--engine", "sdxl", "--sdxl-model", tiny_sdxl, "--saved", "White marks", "--count", 2]
    settings = [
        "--setting",
        "steps=2",
        "--setting",
        "resolution=64",
        "--masks",
        "procedural",
        "--shape",
        "blotch",
    ]
    result = made(capsys, painted, *options, *settings)
    workspace = Workspace.open(painted)
    kept = [candidates.get(workspace, id) for id in result["candidates"]]
    assert len(kept) == 2 and {c.prompt for c in kept} == {"white marks on the wall"}
    assert {(c.settings["steps"], c.settings["model"]) for c in kept} == {(2, str(tiny_sdxl))}
    score = next(s for s in prompts.scoreboard(workspace) if s.prompt and s.prompt.name == "White marks")
    assert score.made == 2


def test_candidates_are_deleted_and_restored(painted, capsys):
    first, second = made(capsys, painted, "--prompt", "pits", "--count", "2")["candidates"]
    place = ["--workspace", str(painted)]
    capsys.readouterr()
    assert cli.main(["candidates", "list", *place]) == 0
    assert re.search(r"\n(\d+) candidates, \1 not measured\.\n$", capsys.readouterr().out)
    assert cli.main(["candidates", "reject", second, "--who", "Anna", *place]) == 0
    assert cli.main(["candidates", "delete", first, second, *place]) == 0
    said = capsys.readouterr().out
    assert f"1 candidate deleted. Left unchanged because already decided on or deleted: {second}." in said
    assert candidates.get(Workspace.open(painted), first).status == "deleted"
    assert "candidates undo" in refusal(capsys, "candidates", "delete", first, second, *place)
    assert "no candidate" in refusal(capsys, "candidates", "restore", first, "x", *place)
    assert cli.main(["candidates", "restore", first, second, *place]) == 0
    assert f"1 candidate restored. Left unchanged because not deleted: {second}." in capsys.readouterr().out
    assert candidates.get(Workspace.open(painted), first).status == "pending"
    assert "--status deleted" in refusal(capsys, "candidates", "restore", first, *place)


def test_own_reasons_are_deleted_and_restored(painted, capsys):
    (id,) = made(capsys, painted, "--prompt", "pits", "--count", "1")["candidates"]
    place = ["--workspace", str(painted)]
    assert cli.main(["candidates", "reject", id, "--reason", "dusty lens", *place]) == 0
    assert cli.main(["reasons", "list", *place]) == 0
    assert "too faint\ndusty lens  (own)\n" in capsys.readouterr().out
    assert "always offered" in refusal(capsys, "reasons", "delete", "too faint", *place)
    assert "reasons list shows" in refusal(capsys, "reasons", "delete", "dirty lens", *place)
    assert "none is deleted" in refusal(capsys, "reasons", "restore", "dusty lens", *place)
    assert "is always offered" in refusal(capsys, "reasons", "rename", "dusty lens", "too faint", *place)
    assert "no reason" in refusal(capsys, "reasons", "rename", "dirty lens", "dirt", *place)
    assert cli.main(["reasons", "rename", "dusty lens", "lens", *place]) == 0
    assert decisions.history(Workspace.open(painted), id)[0].reason == ["lens"]
    capsys.readouterr()
    assert '"lens" already' in refusal(capsys, "reasons", "rename", "lens", "lens", *place)
    kept = copies.decisions(painted)
    assert kept[-1]["reason"] == '["lens"]'  # and so would a workspace that lost its database
    assert cli.main(["reasons", "rename", "lens", "dusty lens", *place]) == 0
    assert cli.main(["reasons", "delete", "dusty lens", *place]) == 0
    capsys.readouterr()
    assert cli.main(["reasons", "list", "--json", *place]) == 0
    rows = json.loads(capsys.readouterr().out)["reasons"]
    assert {row["own"] for row in rows} == {False} and "dusty lens" not in {row["reason"] for row in rows}
    assert "deleted ones are dusty lens" in refusal(capsys, "reasons", "restore", "dirty lens", *place)
    assert cli.main(["reasons", "restore", "dusty lens", *place]) == 0
    assert "offered again" in capsys.readouterr().out


def test_prompts_go_out_and_come_in(painted, tmp_path, capsys):
    file = tmp_path / "prompts.json"
    place = ["--workspace", str(painted), "--json"]

    def result(*arguments: object) -> dict:
        assert cli.main([*map(str, arguments), *place]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])

    assert result("prompts", "export", file)["exported"] == 2
    file.write_text(file.read_text().replace("copper metal", "brass metal"))
    assert result("prompts", "import", file)["added"] == ["Copper scratches 2"]
    assert result("prompts", "import", file, "--replace")["replaced"] == ["Copper scratches"]
    texts = [row["prompt"] for row in result("prompts", "list")["prompts"]]
    assert texts.count("brass metal scratches") == 2 and "copper metal scratches" not in texts
    assert result("prompts", "rename", "Copper scratches 2", "Brass")["name"] == "Brass"
    assert "named" in refusal(capsys, "prompts", "rename", "Brass", "White marks", "--workspace", painted)
    assert result("prompts", "delete", "Brass")["deleted"]
    texts = [row["prompt"] for row in result("prompts", "list")["prompts"]]
    assert texts.count("brass metal scratches") == 1
    assert "no prompt named" in refusal(capsys, "prompts", "delete", "Copper", "--workspace", painted)
    done = jobs.submit(Workspace(painted), "demo", "Making demo images", {})
    jobs.cancel(Workspace(painted), done.id)
    ended = len(result("jobs", "list")["jobs"])
    assert result("jobs", "clear") == {"cleared": ended} and ended and result("jobs", "list") == {"jobs": []}
    file.write_bytes(b"\xff\xfe")
    assert "not a text file" in refusal(capsys, "prompts", "import", file, "--workspace", painted)


@pytest.mark.slow
def test_ctrl_c_ends_with_130_and_nothing_half(demo_dataset, tmp_path):
    place = tmp_path / "workspace"
    words = ["import", demo_dataset, "--workspace", place, "--backbone", "efficientnet_lite0"]
    process = subprocess.Popen(
        [sys.executable, "-m", "exdd_core", *map(str, words)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background inherit that Ctrl+C is ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not list(place.glob("datasets/.making-*")) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in err
    assert err.strip().splitlines()[-1].startswith("Interrupted")
    assert Workspace.open(place).datasets() == []


@pytest.mark.parametrize("program", ["exdd_core", "app"])
def test_ctrl_c_while_modules_load_is_said_in_one_sentence(program, monkeypatch, capfd):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "run_program", interrupt)
    monkeypatch.setattr(os, "_exit", sys.exit)
    with pytest.raises(SystemExit) as end:
        if program == "app":
            say_interrupted(KeyboardInterrupt, KeyboardInterrupt(), None)
        runpy.run_module("exdd_core", run_name="__main__")
    assert end.value.code == 130
    assert capfd.readouterr().err == "Interrupted; nothing was done.\n"


def test_json_holds_no_nan():
    assert cli._strict({"a": float("nan"), "b": (1, np.float32(0.5)), "c": Path("x")}) == {
        "a": None,
        "b": [1, 0.5],
        "c": "x",
    }


def test_a_missed_defect_joins_the_bank_and_is_taken_back(demo_workspace, tmp_path, capsys):
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    workspace = Workspace.open(tmp_path / "workspace")
    row = next(row for row in workspace.images(split="test") if row.defect_type == "spot")
    place = ["--workspace", str(workspace.path), "--json"]
    assert "--mask" in refusal(capsys, "mark", "missed", row.id, *place)
    assert "neither" in refusal(capsys, "mark", "missed", "demo/gone.png", "--mask", row.mask, *place)
    trained = workspace.images(split="train")[0].id
    assert "training image" in refusal(capsys, "mark", "false-alarm", trained, *place)
    photograph = refusal(capsys, "mark", "missed", row.id, "--mask", row.path, *place)
    assert f"{row.path} is a photograph, not a mask" in photograph
    assert decisions.in_force(workspace, "missed") == [] and not (workspace.path / "masks").exists()
    options = ["--mask", str(row.mask), "--type", "spot", "--who", "Anna", *place]
    assert cli.main(["mark", "missed", str(row.path), *options]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["rows"] > 0 and told["after"] > told["before"] and "→" in told["sentence"]
    assert cli.main(["candidates", "undo", str(told["decision"]), *place]) == 0
    assert decisions.in_force(workspace, "missed") == []
