"""Bit depth is kept with a bank: every file that it looks at is read as its own images were."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from exdd_core import images
from exdd_core.banks import features
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.depth import Depth
from exdd_core.detector import Detector, Settings, backbones
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.examples import TrainingImage
from exdd_core.detector.summary import knows
from exdd_core.images import Size
from exdd_core.workspace import Workspace
from exdd_core.workspace.imports import import_dataset
from exdd_core.workspace.versions import cache_of

SIDE = 64
SMALL = Settings(size=Size(SIDE, SIDE), negative_ratio=0.1)
FOURTEEN = Depth.of_bits(14)


def texture(seed: int) -> np.ndarray:
    """A grey surface of 8 bits, uint8 (64, 64)."""
    rng = np.random.default_rng(seed)
    return np.clip(110 + cv2.GaussianBlur(rng.normal(0, 60, (SIDE, SIDE)), (0, 0), 1.5), 0, 255).astype(
        np.uint8
    )


def write(file: Path, values: np.ndarray) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(file)
    return file


def deep(seed: int, bits: int = 14) -> np.ndarray:
    """The same surface in more bits: uint16, from 2^(bits - 8) times its 8-bit values on."""
    low = np.random.default_rng([9, seed]).integers(0, 2 ** (bits - 8), (SIDE, SIDE))
    return (texture(seed).astype(np.uint16) << (bits - 8)) + low.astype(np.uint16)


def bright(values: np.ndarray) -> np.ndarray:
    """The same with one pixel that no camera of so many bits has."""
    hot = values.copy()
    hot[3, 60] = 65535
    return hot


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return backbones.load(device="cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Normal images of 14 bits and the same of 8 bits."""
    folder = tmp_path_factory.mktemp("deep")
    for i in range(6):
        write(folder / "deep" / f"{i}.png", deep(i))
        write(folder / "shallow" / f"{i}.png", texture(i))
    return folder


def fitted(backbone: Backbone, folder: Path, depth: Depth | None) -> Detector:
    normals = [TrainingImage(f.stem, f, f.stem) for f in sorted(folder.iterdir())]
    return Detector(backbone, Settings(size=SMALL.size, negative_ratio=0.1, depth=depth)).fit(normals)


def test_settings_keep_the_depth_and_read_older_ones() -> None:
    for depth in (None, FOURTEEN, Depth(100, 3000)):
        settings = Settings(depth=depth)
        text = json.dumps(settings.to_json())
        assert Settings.from_json(json.loads(text)) == settings
    assert json.loads(json.dumps(Settings(depth=FOURTEEN).to_json()))["depth"] == "14"
    older = dict(Settings().to_json())
    del older["depth"]
    assert Settings.from_json(older).depth is None and Settings.from_json(older).by_brightest


def test_a_bank_of_deep_images_reads_files_as_it_read_its_own(
    backbone: Backbone, files: Path, tmp_path: Path
) -> None:
    """14 bits at a depth of 14 are just what 8 bits are, so that bank and scores are the same."""
    by_depth, by_eight = fitted(backbone, files / "deep", FOURTEEN), fitted(backbone, files / "shallow", None)
    assert np.array_equal(by_depth.negative.rows, by_eight.negative.rows)
    path, hot = write(tmp_path / "one.png", deep(50)), write(tmp_path / "hot.png", bright(deep(50)))
    dark = write(tmp_path / "dark.png", deep(50) // 32)
    plain, with_pixel, dim = by_depth.score([path, hot, dark])
    assert plain.score == by_eight.score([texture(50)[..., None].repeat(3, 2)])[0].score
    assert with_pixel.score == pytest.approx(plain.score, rel=0.05)
    assert dim.score > 1.5 * plain.score  # a dark image stays dark: its own values do not set the depth
    by_depth.save(tmp_path)
    loaded = Detector.load(tmp_path, backbone)
    assert loaded.settings.depth == FOURTEEN and not loaded.settings.by_brightest
    assert loaded.score([path])[0].score == plain.score


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_a_bank_of_8_bits_reads_a_deep_file_by_its_own_depth(
    bits: int, backbone: Backbone, files: Path, tmp_path: Path
) -> None:
    detector = fitted(backbone, files / "shallow", None)
    path, hot = (
        write(tmp_path / "one.png", deep(51, bits)),
        write(tmp_path / "hot.png", bright(deep(51, bits))),
    )
    plain, with_pixel = detector.score([path, hot])
    assert plain.score == detector.score([texture(51)[..., None].repeat(3, 2)])[0].score
    assert with_pixel.score == pytest.approx(plain.score, rel=0.05)


def test_a_bank_from_before_depths_reads_as_it_did_but_for_a_bright_pixel(
    backbone: Backbone, files: Path, tmp_path: Path
) -> None:
    fitted(backbone, files / "deep", None).save(tmp_path)
    state = json.loads((tmp_path / "detector.json").read_text())
    del state["settings"]["depth"]
    (tmp_path / "detector.json").write_text(json.dumps(state))
    older = Detector.load(tmp_path, backbone)
    for bits, kept in ((10, 12), (12, 12), (14, 16), (16, 16)):
        values = deep(52, bits)
        wanted = Depth.of_bits(kept).to_8_bits(values)
        path, hot = write(tmp_path / "one.png", values), write(tmp_path / "hot.png", bright(values))
        assert np.array_equal(older.settings.read(path)[..., 0], wanted)
        assert np.array_equal(older.settings.read(path), images.read_image(path))
        seen = older.settings.read(hot)[..., 0]
        assert seen[3, 60] == 255 and (seen != wanted).sum() == 1


def test_a_built_bank_has_the_depth_of_its_data_set(tmp_path: Path) -> None:
    """From import to the features that are made again when the cache is gone."""
    for i in range(8):
        write(tmp_path / "set" / "good" / f"{i}.png", deep(i))
    workspace = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    info = import_dataset(workspace, tmp_path / "set", size=SMALL.size)
    assert info.depth == FOURTEEN
    bank = build_bank(workspace, negative_ratio=0.2)
    assert bank.settings["depth"] == "14"
    detector = load_detector(workspace, bank.id)
    assert detector.settings.depth == FOURTEEN and detector.fitted.held.features is not None
    kept = np.array(detector.fitted.held.features[:])
    shutil.rmtree(cache_of(workspace, bank.id))
    again = np.array(features.HeldOutFeatures(workspace, bank.id, detector)[:])
    np.testing.assert_allclose(kept, again, rtol=1e-2, atol=1e-3)
    hot = write(tmp_path / "hot.png", bright(deep(70)))
    plain = write(tmp_path / "plain.png", deep(70))
    one, other = detector.score([plain, hot])
    assert one.score == pytest.approx(other.score, rel=0.05)
    assert knows(detector.fitted, detector.negative.images[0].id) and not knows(
        detector.fitted, "set/good/none.png"
    )
