"""The engine `learned` and its training, with a tiny network: interruption, parts, pixels outside, sizes, bad input."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from exdd_core import cli, jobs, studio
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import encode_png
from exdd_core.progress import Progress
from exdd_core.studio import teaching
from exdd_core.synthesis import learned, learned_crops, learned_network, learned_training
from exdd_core.synthesis.learned import Learned
from exdd_core.synthesis.lora_crops import Picture, Words
from exdd_core.synthesis.lora_settings import TeachingSettings, TeachSpec
from exdd_core.synthesis.lora_training import Lesson, Taught
from exdd_core.synthesis.orders import Order
from exdd_core.synthesis.request import Donor, PaintRequest
from exdd_core.workspace import Workspace, adapters

QUICK = TeachingSettings(steps=4, every=2)
HALO = 4


@pytest.fixture(scope="module", autouse=True)
def tiny():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learned_network, "WIDTHS", (8, 8, 8, 32))
        patch.setattr(learned_network, "SIDE", 32)
        patch.setattr(learned_crops, "SIDE", 32)
        patch.setattr(learned_crops, "EACH", 2)
        patch.setattr(learned_training, "BATCH", 2)
        patch.setattr(learned_training, "MOST_TRIED", 2)
        patch.setattr(learned_training, "SAMPLE_STEPS", 1)
        yield


def picture(number: int, defective: bool) -> Picture:
    pixels = np.random.default_rng(number).integers(90, 160, (80, 96, 3), dtype=np.uint8)
    mask = np.zeros((80, 96), bool)
    mask[20:34, 30 + number : 60] = True
    if defective:
        pixels[mask] //= 3
    kind = "scratch" if defective else ""
    return Picture(f"{number}.png", f"part {number}", kind, lambda: (pixels, mask if defective else None))


def lesson() -> Lesson:
    defects, held_out, normals = (
        [picture(n, n < 5) for n in numbers] for numbers in ((0, 1, 2), (3, 4), (5, 6))
    )
    return Lesson(defects, held_out, normals, Words("metal"), ((False, 0), (True, 0)))


@pytest.fixture(scope="module")
def taught(tiny: None, tmp_path_factory: pytest.TempPathFactory) -> Taught:
    return learned_training.teach(lesson(), QUICK, tmp_path_factory.mktemp("adapters") / "mine", Progress())


@pytest.fixture
def engine(taught: Taught) -> Learned:
    return Learned(str(taught.file.parents[1]), "mine")


@pytest.fixture
def donor(tmp_path: Path) -> Donor:
    pixels, mask = picture(0, True).read()
    assert mask is not None
    (tmp_path / "d.png").write_bytes(encode_png(pixels))
    (tmp_path / "m.png").write_bytes(encode_png(mask.astype(np.uint8) * 255))
    return Donor("d", tmp_path / "d.png", tmp_path / "m.png", "scratch", "part 0", "train")


def request(donor: Donor, shape: tuple[int, int] = (70, 90), **settings: object) -> PaintRequest:
    image = np.random.default_rng(9).integers(90, 160, (*shape, 3), dtype=np.uint8)
    mask = np.zeros(shape, bool)
    mask[shape[0] // 4 : shape[0] // 2, shape[1] // 5 : shape[1] // 2] = True
    return PaintRequest(image, mask, seed=3, donor=donor, settings={"steps": 2, **settings})


def test_stopped_and_resumed_is_the_same_bit_for_bit(taught: Taught, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.stage.startswith("Teaching") and progress.done == 3:  # one step after a checkpoint
            progress.cancel()

    with pytest.raises(Cancelled):
        learned_training.teach(lesson(), QUICK, tmp_path, Progress(stop))
    begun: list[int] = []
    progress = Progress(lambda told: begun.append(told.done) if told.stage.startswith("Teaching") else None)
    again = learned_training.teach(lesson(), QUICK, tmp_path, progress)
    assert begun[0] == 2 and again.losses == taught.losses
    assert [row["step"] for row in again.losses] == [0, 2, 4]
    one, other = load_file(taught.file), load_file(again.file)  # the header's order differs
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
    one, other = (
        torch.load(result.file.parent / "checkpoint.pt", weights_only=True)["learner"]
        for result in (taught, again)
    )
    assert all(torch.equal(a, b) for a, b in zip(one["adapter"], other["adapter"], strict=True))
    assert len(list(tmp_path.glob("sample-*.png"))) == 2
    fewer = replace(lesson(), normals=[])  # another training does not go on from that checkpoint
    assert learned_training.teach(fewer, QUICK, tmp_path, Progress()).losses != taught.losses


def test_squares_show_their_defect_and_normal_ones_none() -> None:
    found = learned_crops.of_defects(lesson().defects, ["scratch"], ((False, 0),), 4, 0, Progress())
    dark = found.pixels.mean(axis=3) < 60
    assert len(found) == 12 and (found.kind == 1).all()
    assert all(
        (mask & spot).any() and not (spot & ~mask).any() for mask, spot in zip(found.mask, dark, strict=True)
    )
    normal = learned_crops.of_normals(lesson().normals, found.mask, ((True, 2),), 5, 0, Progress())
    assert len(normal) == 5 and (normal.kind == 0).all()
    assert normal.mask.any(axis=(1, 2)).all() and normal.pixels.min() >= 90


@pytest.mark.parametrize("draft", ["transplant", "quilt", "procedural"])
def test_only_the_mask_and_its_halo_change_and_the_parts_are_recorded(
    engine: Learned, donor: Donor, draft: str
) -> None:
    asked = request(donor, draft=draft)
    painting = engine.paint(asked)
    around = np.zeros_like(asked.mask)
    rows, columns = np.nonzero(asked.mask)
    around[rows.min() - HALO : rows.max() + HALO + 1, columns.min() - HALO : columns.max() + HALO + 1] = True
    assert np.array_equal(painting.image[~around], asked.image[~around])
    assert painting.taught_by == [f"part {n}" for n in range(7)]
    plain = learned.DRAFTS[draft]().paint(replace(asked, settings={"halo": HALO})).image
    assert not np.array_equal(painting.image, plain)
    assert np.array_equal(engine.paint(asked).image, painting.image)
    assert not np.array_equal(
        engine.paint(replace(asked, settings={**asked.settings, "noise": 0.6})).image, plain
    )


@pytest.mark.parametrize("shape", [(33, 41), (150, 301)])
def test_any_size_of_image_and_defects_larger_than_a_square(
    engine: Learned, donor: Donor, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned, "LARGEST", 96)
    for geometry in ("native", "paper"):
        painting = engine.paint(request(donor, shape, geometry=geometry))
        assert painting.image.shape == (*shape, 3)
        assert any("so large" in note for note in painting.notes) == (shape[1] > 96)


def test_what_cannot_be_refined_is_one_sentence(engine: Learned, donor: Donor, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has not been taught yet"):
        Learned().paint(request(donor))
    assert Learned().missing() and not engine.missing()
    with pytest.raises(BadInput, match='There is no taught adapter named "../mine"'):
        engine.paint(request(donor, taught="../mine"))
    with pytest.raises(BadInput, match='not taught defects of the type "dent"'):
        engine.paint(request(replace(donor, defect_type="dent")))
    with pytest.raises(BadInput, match="needs a real defect"):
        engine.paint(replace(request(donor), donor=None))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "adapter.safetensors").write_bytes(b"no network")
    with pytest.raises(BadInput, match="does not contain a network of the Learned engine"):
        Learned(str(tmp_path), "bad").paint(request(donor))


def test_a_job_teaches_it_and_what_was_taught_is_listed_used_and_dropped(
    demo_workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    workspace, place = Workspace.open(tmp_path / "workspace"), str(tmp_path / "workspace")
    assert studio.engine(workspace, "learned").missing()
    told = {"engine": "learned", "steps": 2, "every": 1, "name": "small", "dataset": "demo"}
    spec = TeachSpec.from_json(told)
    assert teaching.checked(workspace, spec) == ("small", None)
    jobs.submit(workspace, "teach", "Teaching small", spec.to_json())
    ended = jobs.run_next(workspace)
    assert ended is not None and ended.state == "done", ended and ended.error
    (kept,) = adapters.listed(workspace)
    train = {row.id: row for row in workspace.images("demo", split="train")}
    assert kept.engine == "learned" and kept.images and set(kept.images) <= set(train)
    assert kept.parts == sorted({train[id].group for id in kept.images})
    assert adapters.in_use(workspace, "learned") == "small" and adapters.in_use(workspace) == ""
    order = Order("demo", "learned", settings={"steps": 1}, mask={"source": "real"})
    painted = studio.paint_one(workspace, order)
    assert painted.taught_by == kept.parts and painted.settings["taught"] == "small" and painted.donor
    assert cli.main(["adapters", "rename", "small", "other", "--workspace", place]) == 0
    assert adapters.in_use(workspace, "learned") == "other"
    capsys.readouterr()
    assert cli.main(["adapters", "list", "--workspace", place, "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out.splitlines()[-1])["adapters"]
    assert row["engine"] == "learned" and row["in_use"]
    assert cli.main(["adapters", "drop", "other", "--workspace", place]) == 0
    assert adapters.in_use(workspace, "learned") == "" and studio.engine(workspace, "learned").missing()
    assert cli.main(["teach", "--engine", "quilt", "--workspace", place]) == 2
    assert "engine" in capsys.readouterr().err
