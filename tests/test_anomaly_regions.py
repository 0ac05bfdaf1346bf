"""Regions of maps above a threshold by hand-computed numbers, as rows, as COCO, and counted against masks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra.numpy import arrays

from exdd_core import cli
from exdd_core.detector.anomaly_regions import (
    RegionRules,
    on_image,
    pixels_above,
    regions_above,
    regions_of_image,
)
from exdd_core.errors import BadInput
from exdd_core.evaluation.regions import region_counts, summed
from exdd_core.geometry import Size
from exdd_core.review import Review
from exdd_core.review.regions import ImageRegions, RegionRow, coco, scaled
from exdd_core.workspace import Workspace, scales


def drawn(*lines: str) -> np.ndarray:
    """A map of digits, tenths each: "." is 0."""
    return np.array([[0 if c == "." else int(c) / 10 for c in line] for line in lines], np.float32)


HAND = drawn(
    "......8",
    ".96....",
    ".7.....",
    "...6..6",
)


def test_regions_by_hand() -> None:
    first, *others = regions_above(HAND, 0.5)
    assert (first.box, first.area, first.at) == ((1, 1, 3, 3), 3, (1, 1))
    assert np.isclose(first.peak, 0.9) and np.isclose(first.mean, (0.9 + 0.6 + 0.7) / 3)
    assert [(o.box, o.area) for o in others] == [((6, 0, 7, 1), 1), ((3, 3, 4, 4), 1), ((6, 3, 7, 4), 1)]
    square = regions_above(HAND, 0.75)[1]  # one pixel has the four corners of its square as contour
    assert set(square.contour[0]) == {(6, 0), (7, 0), (7, 1), (6, 1)}
    assert regions_above(HAND, 0.9) == []  # nothing lies above its own value


def test_a_gap_joins_and_an_area_leaves_out() -> None:
    row = drawn("9..9...9")
    assert [len(part) for part in pixels_above(row, 0.5, RegionRules(gap=1))] == [1, 1, 1]
    assert [len(part) for part in pixels_above(row, 0.5, RegionRules(gap=2))] == [2, 1]
    assert [r.box for r in regions_above(row, 0.5, RegionRules(gap=3))] == [(0, 0, 8, 1)]
    assert [r.box for r in regions_above(row, 0.5, RegionRules(gap=10**9))] == [(0, 0, 8, 1)]
    assert [r.area for r in regions_above(row, 0.5, RegionRules(area=2, gap=2))] == [2]
    joined = regions_above(row, 0.5, RegionRules(gap=3))[0]
    assert joined.area == 3 and len(joined.contour) == 3  # what lies between is not part of it


@given(
    arrays(np.float32, (9, 11), elements=st.integers(0, 9)), st.integers(0, 8), st.integers(0, 3), st.data()
)
def test_regions_divide_the_pixels_above(
    values: np.ndarray, threshold: int, gap: int, data: st.DataObject
) -> None:
    parts = pixels_above(values, threshold, RegionRules(gap=gap))
    every = np.sort(np.concatenate([*parts, np.zeros(0, int)]))
    assert np.array_equal(every, np.flatnonzero(values > threshold))
    for one in range(len(parts)):
        for other in range(one):
            a, b = (np.stack(np.divmod(parts[n], 11)) for n in (one, other))
            assert np.abs(a[:, :, None] - b[:, None]).max(0).min() > gap + 1
    least = data.draw(st.integers(0, 20))
    kept = regions_above(values, threshold, RegionRules(least, gap))
    assert sorted(r.area for r in kept) == sorted(len(p) for p in parts if len(p) >= least)
    assert [r.peak for r in kept] == sorted((r.peak for r in kept), reverse=True)
    for r in kept:
        x0, y0, x1, y1 = r.box
        assert x0 <= r.at[0] < x1 and y0 <= r.at[1] < y1 and values[r.at[1], r.at[0]] == r.peak
        assert all(x0 <= x <= x1 and y0 <= y <= y1 for line in r.contour for x, y in line)


def test_a_region_in_pixels_of_its_image() -> None:
    found = regions_above(drawn("....", ".99.", "....", "...."), 0.5)[0]
    large = on_image(found, Size(4, 4), (40, 80))
    assert (large.box, large.area, large.at) == ((20, 10, 60, 20), 400, (30, 15))
    assert set(large.contour[0]) == {(20, 10), (60, 10), (60, 20), (20, 20)}
    # Letterboxed: the image fills rows 1 and 2 of the model's input.
    wide = on_image(found, Size(4, 4, keep_aspect=True), (20, 40))
    assert (wide.box, wide.area) == ((10, 0, 30, 10), 200)
    edge = regions_above(drawn("9...", "....", "....", "...."), 0.5)[0]  # in the letterbox alone
    assert on_image(edge, Size(4, 4, keep_aspect=True), (20, 40)).box == (0, 0, 10, 1)


def test_a_region_never_reaches_into_the_border_of_a_letterbox() -> None:
    size, shape = Size(4, 4, keep_aspect=True), (20, 40)  # the image fills rows 1 and 2 of the model's input
    scores = np.zeros((2, 2), np.float32)
    high = 10 * drawn("9...", "9...", "9...", "9..8")
    found = regions_of_image(high, scores, RegionRules(), size, shape, True)
    assert [(r.box, r.area, r.peak) for r in found] == [((0, 0, 10, 20), 200, 9)]
    border = 10 * drawn("9...", "....", "....", "....")
    assert regions_of_image(border, scores, RegionRules(), size, shape, False) == []
    assert [r.area for r in regions_of_image(border, scores, RegionRules(), size, shape, True)] == [200]


def test_counts_by_hand() -> None:
    mask = drawn("1....1", "1....1", "......") > 0
    maps = np.stack([drawn("9..7..", "......", "......"), drawn("....9.", "9.....", ".....6")])
    masks = np.stack([mask, np.zeros_like(mask)])
    rules = RegionRules()
    # The first image finds one of two and shows a false one; the second is normal and shows three.
    assert region_counts(maps, masks, 0.5, rules, [True, True]) == {
        "found": 1, "count": 2, "false": 4, "images": 2
    }  # fmt: skip
    alone = region_counts(maps, masks, 0.5, rules, [True, False])
    assert alone == {"found": 1, "count": 2, "false": 1, "images": 1}
    counted = np.stack([np.arange(6) < 3] * 3)[None].repeat(2, 0)  # the left half alone
    assert region_counts(maps, masks, 0.5, rules, [True, True], counted) == {
        "found": 1, "count": 1, "false": 1, "images": 2
    }  # fmt: skip
    assert summed([alone, alone])["false"] == 2


def row(
    nearest_type: str | None, probability: float | None, box: tuple[int, int, int, int], area: int
) -> RegionRow:
    x0, y0, x1, y1 = box
    known: RegionRow = {
        "box": list(box),
        "contour": [[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]],
        "area": area,
        "area_mm2": None,
        "peak": 1.5,
        "mean": 1.2,
        "at": [x0, y0],
        "nearest_type": nearest_type,
        "probability": probability,
    }
    return known


def test_coco_is_read_by_its_own_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from pycocotools.coco import COCO

    scratch, unnamed = row("scratch", 0.75, (1, 2, 4, 6), 12), row(None, None, (0, 0, 2, 2), 4)
    images = [ImageRegions("a.png", 8, 9, [scratch, unnamed]), ImageRegions("b.png", 8, 9, [])]
    file = tmp_path / "regions.json"
    file.write_text(json.dumps(coco(images)))
    read = COCO(str(file))
    assert [image["file_name"] for image in read.loadImgs(read.getImgIds())] == ["a.png", "b.png"]
    first, second = read.loadAnns(read.getAnnIds(imgIds=[1]))
    assert first["bbox"] == [1, 2, 3, 4] and first["score"] == 0.75 and second["score"] == 1.5
    names = {c["id"]: c["name"] for c in read.loadCats(read.getCatIds())}
    assert [names[a["category_id"]] for a in (first, second)] == ["scratch", "defect"]
    assert read.annToMask(first).sum() in range(12, 21)  # its reader counts the edges in
    assert [one["area_mm2"] for one in scaled([scratch], 0.5)] == [3.0]


def test_every_verdict_lists_its_regions(demo_workspace: Workspace, tmp_path: Path) -> None:
    shutil.copytree(demo_workspace.path, tmp_path / "own")
    review = Review(Workspace.open(tmp_path / "own"))
    defects = 0
    for image in review.images("demo/test"):
        seen = review.compare(image.id).exdd
        above = seen.shown_model_map > 1
        assert (seen.verdict == "defect") == bool(seen.regions) == above.any()
        # Images have the model's size.
        assert sum(known.region.area for known in seen.regions) == above.sum()
        for known in seen.regions:
            x, y = known.region.at
            assert known.region.peak == seen.shown_model_map[y, x]
            match = seen.at(y, x).positive
            assert match is not None and known.defect_type == match.defect_type
        if seen.regions:
            assert seen.regions[0].region.peak == pytest.approx(seen.calibrated_score)
        defects += seen.verdict == "defect"
    assert defects


def test_a_scale_gives_areas_in_square_millimetres(
    demo_workspace: Workspace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(demo_workspace.path, tmp_path / "own")
    own = Workspace.open(tmp_path / "own")
    defect = next(i for i in own.images("demo", split="test") if i.label == "defect")
    place = ["--workspace", str(own.path)]
    wrong = ["--mm-per-pixel", "7", "--depth", "deep"]
    assert cli.main(["datasets", "set", "demo", *wrong, *place]) == 2 and scales.scale(own, "demo") is None
    for width in ("1e300", "1e-300", "-1", "nan", "inf"):
        assert cli.main(["datasets", "set", "demo", f"--mm-per-pixel={width}", *place]) == 2
    assert scales.scale(own, "demo") is None
    assert cli.main(["datasets", "set", "demo", "--mm-per-pixel", "0.5", *place]) == 0
    assert scales.scale(own, "demo") == 0.5
    files = ["--csv", str(tmp_path / "a.csv"), "--coco", str(tmp_path / "a.json")]
    capsys.readouterr()
    assert cli.main(["score", str(defect.path), *files, "--json", *place]) == 0
    found = json.loads(capsys.readouterr().out.splitlines()[-1])["images"][0]["regions"]
    assert found and all(one["area_mm2"] == one["area"] / 4 for one in found)
    annotations = json.loads((tmp_path / "a.json").read_text())["annotations"]
    assert [a["area"] for a in annotations] == [one["area"] for one in found]
    assert (
        '""area_mm2""' in (tmp_path / "a.csv").read_text()
        and "contour" not in (tmp_path / "a.csv").read_text()
    )
    with pytest.raises(BadInput, match="from 0.000001 to 1,000,000, or 0"):
        scales.set_scale(own, "demo", -1)
    assert "unknown" in scales.set_scale(own, "demo", 0) and scales.scale(own, "demo") is None
