"""The demo data set: the same from the same seed, grouped by part, with defects where the masks say."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from exdd_core.datasets import DEFECT, NORMAL, Record, demo, demo_surfaces, read_layout
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import read_image, read_mask
from exdd_core.progress import Progress


def files(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Record]]:
    """One defective part of each material and type, and a few normal ones."""
    root = demo.generate(tmp_path_factory.mktemp("demo") / "set", seed=1, normal=18, defective=24)
    name, records = read_layout(root)
    assert name == "demo"
    return root, records


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    first = demo.generate(tmp_path / "a", seed=5, normal=2, defective=2)
    again = demo.generate(tmp_path / "b", seed=5, normal=2, defective=2)
    other = demo.generate(tmp_path / "c", seed=6, normal=2, defective=2)
    assert files(first) == files(again)
    changed = files(other)
    assert all(changed[path] != digest for path, digest in files(first).items())


def test_counts_groups_and_split(made: tuple[Path, list[Record]]) -> None:
    _, records = made
    assert Counter(r.label for r in records) == {NORMAL: 18, DEFECT: 24}
    assert set(Counter(r.group for r in records).values()) == {demo.SHOTS}
    for kind in demo.DEFECTS:  # each type has parts to learn from and parts to find
        assert {r.split for r in records if r.defect_type == kind} == {"train", "test"}
    sides: dict[str, set[str]] = {}
    for record in records:
        sides.setdefault(record.group, set()).add(record.split)
    assert all(len(side) == 1 for side in sides.values())
    for material in demo.MATERIALS:  # and each material has normal parts on both sides
        normal = [r for r in records if r.group.startswith(material) and r.label == NORMAL]
        assert {r.split for r in normal} == {"train", "test"}


def test_images_are_well_exposed_and_masks_small(made: tuple[Path, list[Record]]) -> None:
    root, records = made
    for record in records:
        image = read_image(root / record.path)
        assert image.shape == (demo.SIDE, demo.SIDE, 3)
        assert 20 < image.mean() < 235 and (image == 255).mean() < 0.06 and (image == 0).mean() < 0.02
        if record.label == DEFECT:
            assert record.mask
            mask = read_mask(root / record.mask, image.shape[:2])
            assert 10 <= mask.sum() < 0.25 * mask.size, record.path


@pytest.mark.parametrize("material", demo.MATERIALS)
@pytest.mark.parametrize("defect", demo.DEFECTS)
def test_defects_change_the_surface_inside_their_mask_most(material: str, defect: str) -> None:
    before = demo.MATERIALS[material](np.random.default_rng(3))
    after = demo.MATERIALS[material](np.random.default_rng(3))
    mask = demo.DEFECTS[defect](after, np.random.default_rng(4))
    window = np.s_[: demo.SIDE * demo_surfaces.FINE, : demo.SIDE * demo_surfaces.FINE]
    shots = [
        demo_surfaces.photograph(s, window, np.random.default_rng(7)).astype(int) for s in (before, after)
    ]
    change = np.abs(shots[1] - shots[0]).max(axis=2)
    inside = mask[window][:: demo_surfaces.FINE, :: demo_surfaces.FINE]
    assert np.percentile(change[inside], 75) > 12  # it can be seen
    assert change[~inside].mean() < 1.5  # and is nowhere else


def test_shots_of_a_part_are_alike_but_not_the_same(made: tuple[Path, list[Record]]) -> None:
    root, records = made
    groups: dict[str, list[np.ndarray]] = {}
    for record in records:
        groups.setdefault(record.group, []).append(read_image(root / record.path))
    for first, second in groups.values():
        assert np.abs(first.astype(int) - second).mean() > 2


def test_an_odd_number_of_images_is_made_exactly(tmp_path: Path) -> None:
    root = demo.generate(tmp_path / "set", seed=0, normal=3, defective=1)
    assert Counter(r.label for r in read_layout(root)[1]) == {NORMAL: 3, DEFECT: 1}


def test_a_folder_that_holds_something_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(BadInput, match="already exists and is not an empty folder"):
        demo.generate(tmp_path, normal=1, defective=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_cancelling_leaves_nothing(tmp_path: Path) -> None:
    progress = Progress(lambda p: p.cancel() if p.done == 2 else None)
    with pytest.raises(Cancelled):
        demo.generate(tmp_path / "set", normal=4, defective=2, progress=progress)
    assert list(tmp_path.iterdir()) == []
