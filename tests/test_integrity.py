"""The integrity report: what cannot be used is named, and what leaks is found."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from exdd_core.datasets import DEFECT, NORMAL, Record, demo, integrity, near_duplicates, read_layout
from exdd_core.errors import Cancelled
from exdd_core.images import encode_jpeg, encode_png, read_image
from exdd_core.progress import Progress


def surface(seed: int) -> np.ndarray:
    """A texture (128, 128, 3) with structure at several scales."""
    rng = np.random.default_rng(seed)
    total = sum(
        cv2.GaussianBlur(rng.standard_normal((128, 128)), (0, 0), sigma) * sigma for sigma in (1, 3, 8, 16)
    )
    grey = 128 + 40 * (total - np.mean(total)) / np.std(total)
    return np.repeat(np.clip(grey, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


def normal(path: str, split: str = "train", group: str = "") -> Record:
    return Record(path, NORMAL, "", None, split, group or path)


def defect(path: str, mask: str | None, split: str = "train") -> Record:
    return Record(path, DEFECT, "pit", mask, split, path)


def test_a_healthy_set(tmp_path: Path) -> None:
    for n in range(6):
        (tmp_path / f"{n}.png").write_bytes(encode_png(surface(n)))
    (tmp_path / "mask.png").write_bytes(encode_png(surface(0)[..., 0] > 200))
    records = [normal(f"{n}.png", "test" if n > 3 else "train") for n in range(5)]
    records.append(defect("5.png", "mask.png", "test"))
    report = integrity.check(tmp_path, records)
    assert json.loads(json.dumps(report)) == report
    assert report["healthy"] is True
    assert report["counts"] == {"train": {NORMAL: 4, DEFECT: 0}, "test": {NORMAL: 1, DEFECT: 1}}
    assert report["types"] == {"pit": {"train": 0, "test": 1}}
    assert report["sizes"]["smallest"] == report["sizes"]["largest"] == [128, 128]
    text = "\n".join(report["sentences"])
    assert "6 images, 5 normal and 1 with a defect, each counted as a part of its own." in text
    assert "All images are 128 x 128 pixels." in text
    assert "The training side has no defects" in text
    assert "Every file can be read, and no images leak across the split." in text


def test_a_part_on_both_sides_of_the_split_is_named(tmp_path: Path) -> None:
    records = []
    for n, group in enumerate(["part10", "part2", "part3"] * 2):
        (tmp_path / f"{n}.png").write_bytes(encode_png(surface(n)))
        side = "test" if n > 2 and group != "part3" else "train"
        records.append(normal(f"{n}.png", side, group))
    report = integrity.check(tmp_path, records)
    assert report["torn"] == ["part2", "part10"] and not report["healthy"]
    assert any("On both sides of the split: 2 parts (part2, part10)" in line for line in report["sentences"])
    assert integrity.HEALTHY not in report["sentences"]


def test_a_picture_of_both_labels_is_named(tmp_path: Path) -> None:
    for n in range(4):
        (tmp_path / f"{n}.png").write_bytes(encode_png(surface(n)))
    (tmp_path / "again.bmp").write_bytes(cv2.imencode(".bmp", surface(1))[1].tobytes())
    report = integrity.check(tmp_path, [*(normal(f"{n}.png") for n in range(4)), defect("again.bmp", None)])
    assert report["of_both_labels"] == ["1.png and again.bmp"] and not report["healthy"]
    assert any(
        "labelled normal and defective: 1 pair (1.png and again" in line for line in report["sentences"]
    )


def test_everything_that_is_wrong_is_named(tmp_path: Path) -> None:
    for n in range(5):
        (tmp_path / f"{n}.png").write_bytes(encode_png(surface(n)))
    (tmp_path / "cut.png").write_bytes(encode_png(surface(9))[:500])
    (tmp_path / "empty.png").write_bytes(encode_png(np.zeros((128, 128), bool)))
    (tmp_path / "small.png").write_bytes(encode_png(np.ones((64, 128), bool)))
    (tmp_path / "broken.png").write_bytes(b"text")
    (tmp_path / "photograph.png").write_bytes((tmp_path / "4.png").read_bytes())
    records = [
        normal("cut.png"),
        normal("gone.png"),
        defect("0.png", "empty.png"),
        defect("1.png", "small.png"),
        defect("2.png", "broken.png"),
        defect("3.png", None),
        defect("4.png", "photograph.png"),
    ]
    report = integrity.check(tmp_path, records)
    assert report["healthy"] is False
    assert [row["path"] for row in report["unreadable"]] == ["cut.png", "gone.png"]
    masks = report["masks"]
    assert masks["empty"] == ["0.png"] and masks["missing"] == ["3.png"]
    assert masks["wrong_size"] == [{"path": "1.png", "reason": "128 x 64 instead of 128 x 128 pixels"}]
    assert [row["path"] for row in masks["unreadable"]] == ["2.png", "4.png"]
    assert "photograph.png is a photograph, not a mask" in masks["unreadable"][1]["reason"]
    text = "\n".join(report["sentences"])
    assert "Cannot be read: 2 images (cut.png, gone.png); replace or remove." in text
    assert "Defect without a mask: 1 image (3.png);" in text
    assert "nothing brighter than 127: 1 image (0.png);" in text


def test_near_duplicates_across_groups_and_the_split(tmp_path: Path) -> None:
    """A second shot, shifted, brighter and saved as JPEG, is found in another group; other surfaces are not."""
    records = []
    for n in range(12):
        (tmp_path / f"{n}.png").write_bytes(encode_png(surface(n)))
        records.append(normal(f"{n}.png"))
    again = np.clip(np.roll(surface(3), (1, -1), axis=(0, 1)) * 0.8 + 30, 0, 255).astype(np.uint8)
    (tmp_path / "again.jpg").write_bytes(encode_jpeg(again, 80))
    (tmp_path / "copy.png").write_bytes(encode_png(surface(5)))
    records += [normal("again.jpg", "test"), normal("copy.png", "train")]
    found = integrity.check(tmp_path, records)
    twins = found["near_duplicates"]
    assert (twins["pairs"], twins["across_split"], twins["group_pairs"]) == (2, 1, 2)
    assert [sorted(row["images"]) for row in twins["listed"]] == [
        ["3.png", "again.jpg"],
        ["5.png", "copy.png"],
    ]
    assert twins["listed"][0]["across_split"] and not twins["listed"][1]["across_split"]
    assert twins["listed"][1]["difference"] == 0
    assert not found["healthy"]
    assert (
        "2 pairs of images (1 with one on each side of the split), such as 3.png and again.jpg"
        in found["sentences"][-1]
    )
    # The same images in one group are what groups are for.
    joined = [replace(r, group="3.png" if r.path == "again.jpg" else r.group) for r in records]
    joined = [replace(r, group="5.png" if r.path == "copy.png" else r.group) for r in joined]
    assert integrity.check(tmp_path, joined)["near_duplicates"]["pairs"] == 0


def test_images_of_one_aligned_product_are_not_duplicates(tmp_path: Path) -> None:
    """Bottles seen from above look much alike; only a second photograph of one bottle is a duplicate."""
    y, x = np.mgrid[-1:1:256j, -1:1:256j]
    rings = 120 + 60 * np.cos(14 * np.hypot(x, y)) * (np.hypot(x, y) < 0.9)
    records = []
    for n in range(20):
        rng = np.random.default_rng(n)
        own = cv2.GaussianBlur(rng.standard_normal((256, 256)), (0, 0), 6)
        image = rings + 12 * own / own.std()
        (tmp_path / f"{n}.png").write_bytes(encode_png(np.clip(image, 0, 255).astype(np.uint8)))
        records.append(normal(f"{n}.png"))
    (tmp_path / "again.png").write_bytes(
        encode_png(np.clip(read_image(tmp_path / "4.png") * 0.9, 0, 255).astype(np.uint8))
    )
    records.append(normal("again.png", "test"))
    twins = integrity.check(tmp_path, records)["near_duplicates"]
    assert [row["images"] for row in twins["listed"]] == [["4.png", "again.png"]]


def test_thousands_of_images_are_compared_in_seconds() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.random((4000, near_duplicates.BITS)) < 0.5
    hashes[3999] = hashes[17] ^ (rng.random(near_duplicates.BITS) < 0.1)
    records = [normal(f"{n}.png") for n in range(4000)]
    began = time.process_time()
    twins = near_duplicates.near_duplicates(records, hashes)
    assert [row["images"] for row in twins["listed"]] == [["17.png", "3999.png"]]
    assert time.process_time() - began < 10  # 0.3 s on two idle cores


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    base = rng.random((40, near_duplicates.BITS)) < 0.5
    hashes = np.concatenate([base, base ^ (rng.random(base.shape) < 0.1)])
    records = [normal(f"{n}.png", "test" if n % 3 else "train", f"g{n // 2}") for n in range(80)]
    whole = near_duplicates.near_duplicates(records, hashes)
    monkeypatch.setattr(near_duplicates, "BLOCK", 7)
    assert near_duplicates.near_duplicates(records, hashes) == whole
    assert whole["pairs"] == 40


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_images(tmp_path: Path, count: int) -> None:
    (tmp_path / "0.png").write_bytes(encode_png(surface(0)))
    report = integrity.check(tmp_path, [normal("0.png")][:count])
    assert report["images"] == count and report["near_duplicates"]["pairs"] == 0


def test_cancelling_stops(tmp_path: Path) -> None:
    (tmp_path / "0.png").write_bytes(encode_png(surface(0)))
    progress = Progress(lambda p: p.cancel() if p.done == 1 else None)
    with pytest.raises(Cancelled):
        integrity.check(tmp_path, [normal("0.png")] * 3, progress)


def test_the_demo_is_healthy(demo_dataset: Path) -> None:
    report = integrity.check(demo_dataset, read_layout(demo_dataset)[1])
    assert report["healthy"], report["sentences"]
    assert report["sizes"]["most_common"] == [demo.SIDE, demo.SIDE]


def test_magnetic_tiles_one_tile_in_two_groups(real_data: Path) -> None:
    """Frame numbers tell 101 groups; the pictures tell that two of them are one tile."""
    root = real_data / "magnetic_tile"
    report = integrity.check(root, read_layout(root)[1])
    twins = report["near_duplicates"]
    assert [sorted(row["groups"]) for row in twins["listed"]] == [
        ["frames 306425-306696", "frames 309352-309443"]
    ]
    assert report["unreadable"] == [] and report["masks"]["wrong_size"] == []
    assert report["masks"]["empty"] == [
        "MT_Uneven/Imgs/exp3_num_45042.jpg",
        "MT_Uneven/Imgs/exp4_num_45057.jpg",
        "MT_Uneven/Imgs/exp4_num_352527.jpg",
    ]


def test_exposures_of_one_tile_are_found_when_groups_are_lost(real_data: Path) -> None:
    root = real_data / "magnetic_tile"
    records = read_layout(root)[1][:120]
    lost = [replace(record, group=record.path) for record in records]
    hashes = np.array([near_duplicates.hash_of(read_image(root / record.path)) for record in records])
    found = near_duplicates.near_duplicates(lost, hashes)["listed"]
    group = {record.path: record.group for record in records}
    right = [row for row in found if group[row["images"][0]] == group[row["images"][1]]]
    assert len(right) == len(found) >= 60


def test_commutators_are_all_different(real_data: Path) -> None:
    root = real_data / "kolektor_sdd"
    report = integrity.check(root, read_layout(root)[1][::2])  # four sides of each part
    assert report["healthy"], report["sentences"]
