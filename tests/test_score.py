"""`score`: which pictures are looked at, how they are read, what is said of them, and the files that are written."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from exdd_core import cli
from exdd_core.banks.building import build_bank
from exdd_core.cli import score as cli_score
from exdd_core.images import encode_png, read_image
from exdd_core.workspace import Workspace
from exdd_core.workspace.imports import import_dataset
from tests.plates import SMALL, painting, plate

Said = pytest.CaptureFixture[str]


def deep_plate(seed: int, bits: int = 12, bar: bool = False) -> np.ndarray:
    """`plate` with the values of a camera of so many bits, uint16 (48, 64), bright where a bar is painted."""
    pixels = painting(seed).image if bar else plate(seed)
    return pixels[..., 0].astype(np.uint16) << (bits - 8)


def written(file: Path, values: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(file), values)
    return file


def copied(workspace: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(workspace, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture(scope="module")
def shallow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with plates of 8 bits and one bank version; read only."""
    from tests import plates

    return plates.build(tmp_path_factory.mktemp("shallow"))


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with plates of 12 bits and one bank version; read only."""
    folder = tmp_path_factory.mktemp("deep")
    for i in range(15):
        written(folder / "plates" / "good" / f"{i}.png", deep_plate(i))
    for i in range(6):
        made = painting(1000 + i)
        written(folder / "plates" / "defect" / f"{i}.png", deep_plate(1000 + i, bar=True))
        written(folder / "plates" / "masks" / f"{i}.png", made.mask.astype(np.uint8) * 255)
    workspace = Workspace.create(folder / "workspace", backbone="efficientnet_lite0")
    import_dataset(workspace, folder / "plates", size=SMALL)
    build_bank(workspace, negative_ratio=0.2)
    return workspace.path


def scored(capsys: Said, workspace: Path, *arguments: object) -> dict[str, Any]:
    capsys.readouterr()
    assert cli.main(["score", *map(str, arguments), "--workspace", str(workspace), "--json"]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])


def refused(capsys: Said, workspace: Path, *arguments: object) -> str:
    capsys.readouterr()
    assert cli.main(["score", *map(str, arguments), "--workspace", str(workspace)]) == 2
    return capsys.readouterr().err


# --- which pictures ---------------------------------------------------------------------------------------


def test_every_picture_is_scored_or_named(shallow: Path, tmp_path: Path, capsys: Said) -> None:
    folder = tmp_path / "new"
    (folder / "sub").mkdir(parents=True)
    Image.fromarray(plate(50)).save(folder / "a.jfif", format="JPEG")
    Image.fromarray(plate(51)).save(folder / "sub" / "b.dat", format="PNG")
    Image.fromarray(plate(52)).save(folder / "wrong.gif", format="PNG")  # the content counts
    Image.fromarray(plate(53)).save(folder / "sub" / "c.gif")
    (folder / "d.png").write_text("no image")
    (folder / "e.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    (folder / "gone.png").symlink_to(folder / "nowhere.png")
    (folder / "notes.txt").write_text("no picture")
    outside = tmp_path / "outside"
    outside.mkdir()
    Image.fromarray(plate(54)).save(outside / "linked.png")
    (folder / "link").symlink_to(outside)
    result = scored(capsys, shallow, folder)
    names = [Path(row["image"]).relative_to(folder).as_posix() for row in result["images"]]
    assert sorted(names) == ["a.jfif", "link/linked.png", "sub/b.dat", "wrong.gif"]
    left = {Path(item["image"]).relative_to(folder).as_posix(): item["reason"] for item in result["left_out"]}
    assert set(left) == {"sub/c.gif", "d.png", "e.heic", "gone.png"}
    assert "GIF" in left["sub/c.gif"] and "HEIC" in left["e.heic"] and "a broken link" in left["gone.png"]
    assert [Path(item["image"]).name for item in result["unreadable"]] == ["d.png"]
    assert cli.main(["score", str(folder), "--workspace", str(shallow)]) == 0
    said = capsys.readouterr()
    assert all(name in said.err for name in left)
    assert "GIF images are not supported" in refused(capsys, shallow, folder / "sub" / "c.gif")
    (tmp_path / "only").mkdir()
    shutil.copy(folder / "sub" / "c.gif", tmp_path / "only")
    assert "c.gif" in refused(capsys, shallow, tmp_path / "only")


def test_only_one_page_and_masks_among_images_are_said(shallow: Path, tmp_path: Path, capsys: Said) -> None:
    pages = [Image.fromarray(plate(seed)) for seed in (60, 61, 62)]
    folder = tmp_path / "new"
    folder.mkdir()
    pages[0].save(folder / "stack.tif", save_all=True, append_images=pages[1:])
    (folder / "007.png").write_bytes(encode_png(plate(7)))
    (folder / "007_mask.png").write_bytes(encode_png(painting(7).mask))
    table = tmp_path / "scores.csv"
    rows = {Path(row["image"]).name: row for row in scored(capsys, shallow, folder, "--csv", table)["images"]}
    assert rows["stack.tif"]["pages"] == 3 and rows["007.png"]["pages"] == 1
    assert any("page 1 of 3" in note for note in rows["stack.tif"]["notes"])
    assert [name for name, row in rows.items() if row["like_a_mask"]] == ["007_mask.png"]
    assert rows["007.png"]["notes"] == []
    with table.open(newline="") as file:
        told = {Path(row["image"]).name: row["notes"] for row in csv.DictReader(file)}
    assert told == {name: " ".join(row["notes"]) for name, row in rows.items()}
    assert cli.main(["score", str(folder), "--workspace", str(shallow)]) == 0
    said = capsys.readouterr().out
    assert "Only page 1 of 3" in said and "looks like a black-and-white mask" in said


# --- bit depth ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bank", ["shallow", "deep"])
def test_one_bright_pixel_leaves_the_score_where_it_is(
    bank: str, tmp_path: Path, capsys: Said, request: pytest.FixtureRequest
) -> None:
    workspace = request.getfixturevalue(bank)
    values = np.kron(deep_plate(70), np.ones((4, 4), np.uint16))  # so that one pixel is no defect in itself
    bright = values.copy()
    bright[3, 3] = 4200
    written(tmp_path / "new" / "a.png", values)
    written(tmp_path / "new" / "b.png", bright)
    written(tmp_path / "new" / "c.png", np.where(np.arange(256) < 128, values, 5000).astype(np.uint16))
    written(tmp_path / "new" / "d.png", (values >> 8).astype(np.uint8))  # as 16 bits would show it
    plain, one, half, dark = scored(capsys, workspace, tmp_path / "new")["images"]
    for method in ("patchcore", "exdd"):
        difference = abs(plain[f"{method}_calibrated"] - dark[f"{method}_calibrated"])
        assert abs(plain[f"{method}_calibrated"] - one[f"{method}_calibrated"]) < difference / 3
    assert plain["depth"] == one["depth"] == "12" and plain["clipped"] == 0
    assert one["clipped"] == pytest.approx(1 / values.size)
    assert any("outside 12 bits" in note for note in one["notes"])
    said = [any(note.startswith("Read as 12 bits") for note in row["notes"]) for row in (plain, one)]
    assert said == [bank == "shallow"] * 2
    if bank == "deep":  # its own depth, whatever the image holds
        assert half["depth"] == "12" and half["clipped"] == 0.5


def test_images_of_8_bits_are_said_once_by_a_bank_of_deeper_ones(
    deep: Path, shallow: Path, tmp_path: Path, capsys: Said
) -> None:
    for seed in (71, 72):
        written(tmp_path / "new" / f"{seed}.png", plate(seed))
    (said,) = scored(capsys, deep, tmp_path / "new")["notes"]
    assert said.startswith("2 images have 8 bits") and "12 bits (0 to 4095)" in said
    assert scored(capsys, shallow, tmp_path / "new")["notes"] == []


# --- images of the bank -------------------------------------------------------------------------------------


def test_an_image_of_the_bank_is_said_to_be_in_it(shallow: Path, tmp_path: Path, capsys: Said) -> None:
    workspace = copied(shallow, tmp_path)
    train = workspace.images(split="train")
    test = workspace.images(split="test")[0]
    (tmp_path / "copy").mkdir()
    for label in ("normal", "defect"):
        row = next(row for row in train if row.label == label)
        shutil.copy(row.path, tmp_path / "copy" / f"{label}.png")
        (inside,) = scored(capsys, workspace.path, row.path)["images"]
        (copy,) = scored(capsys, workspace.path, tmp_path / "copy" / f"{label}.png")["images"]
        for seen in (inside, copy):
            assert seen["in_bank"]
            for method in ("patchcore", "exdd"):
                words = f"{seen[f'{method}_verdict'].capitalize()}: this image is in the bank itself (v1 was built"
                assert seen[f"{method}_reason"].startswith(words)
                assert "that same image" not in seen[f"{method}_reason"]
    (other,) = scored(capsys, workspace.path, test.path)["images"]
    assert not other["in_bank"] and "in the bank itself" not in other["exdd_reason"]
    changed = read_image(train[0].path).copy()
    changed[0, 0] += 1
    (tmp_path / "copy" / "changed.png").write_bytes(encode_png(changed))
    assert not scored(capsys, workspace.path, tmp_path / "copy" / "changed.png")["images"][0]["in_bank"]


# --- files that are written ----------------------------------------------------------------------------------


def test_pictures_of_folders_with_one_name_never_overwrite_each_other(
    shallow: Path, tmp_path: Path, capsys: Said
) -> None:
    places = ["line1/good/0.png", "line2/good/0.png", "line2/good/a-b/c.png", "line2/good/a/b-c.png"]
    places += [f"line1/good/{'x' * 240}1.png", f"line1/good/{'x' * 240}2.png"]
    places += [
        "line1/good/part #1 50%.png",
        "line1/good/a&b=c?.png",
        "line1/good/two\nlines.png",
        "line1/good/-x.png",
    ]
    for seed, place in enumerate(places):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(encode_png(plate(80 + seed)))
    folders = [tmp_path / "line1" / "good", tmp_path / "line2" / "good"]
    result = scored(capsys, shallow, *folders, "--png", tmp_path / "panes", "--csv", tmp_path / "scores.csv")
    assert len(result["images"]) == len(places)
    made = [file.name for file in (tmp_path / "panes").iterdir()]
    assert len(made) == len(places) == len({name.casefold() for name in made})
    assert {"line1-good-0-png.png", "line2-good-0-png.png"} <= set(made)
    with (tmp_path / "scores.csv").open(newline="") as file:
        assert [row["image"] for row in csv.DictReader(file)] == [row["image"] for row in result["images"]]


def _region(likely: float) -> dict[str, Any]:
    known = {"box": (1, 2, 3, 4), "area": 4, "area_mm2": None, "peak": 1.5, "nearest_type": "pit"}
    return known | {"probability": likely}


def test_no_probability_is_printed_that_contradicts_the_verdict(capsys: Said) -> None:
    known: dict[str, Any] = {
        "patchcore_score": None,
        "patchcore_threshold": None,
        "patchcore_verdict": "normal",
    }
    known |= {
        "exdd_score": 2.0,
        "exdd_threshold": 1.0,
        "exdd_reason": "Defect: seen.",
        "notes": [],
        "regions": [_region(0.02), _region(0.97)],
    }
    for verdict, likely in (("defect", 0.08), ("defect", 0.9), ("normal", 0.7), ("normal", 0.1)):
        row: Any = known | {"image": "a.png", "exdd_verdict": verdict, "exdd_probability": likely}
        cli_score._print_scores([row])
    said = capsys.readouterr().out
    assert [f"defect: {share}%" in said for share in (8, 90, 70, 10)] == [False, True, False, True]
    assert "probability 2%" not in said and "probability 97%" in said


def test_results_replace_only_results(shallow: Path, tmp_path: Path, capsys: Said) -> None:
    part = tmp_path / "parts" / "0.png"
    part.parent.mkdir()
    part.write_bytes(encode_png(plate(3)))
    people = {"images": [], "categories": [], "annotations": [{"id": 1, "image_id": 1, "bbox": [0, 0, 1, 1]}]}
    for option, name, content in (
        ("--csv", "list.csv", "file,type\n0.png,pit\n"),
        ("--coco", "a.json", json.dumps(people)),
    ):
        file = tmp_path / name
        file.write_text(content)
        assert "does not hold results of this command" in refused(capsys, shallow, part, option, file)
        assert file.read_text() == content
        file.unlink()
        for _ in range(2):  # its own may be replaced
            scored(capsys, shallow, part, option, file)
    database = shallow / "workspace.db"
    before = database.read_bytes()
    assert "among a workspace's own files" in refused(capsys, shallow, part, "--csv", database)
    assert database.read_bytes() == before
    assert "score the heatmaps as parts" in refused(
        capsys, shallow, part.parent, "--png", part.parent / "panes"
    )
    assert [file.name for file in part.parent.iterdir()] == ["0.png"]
