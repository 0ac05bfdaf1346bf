"""Bundles: the same verdicts in a process without PyTorch, refused where they differ, and what they cannot hold."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import exdd_core
from exdd_core import cli, evaluation, picture
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.bundle import engines, importing, program, quantizing, scorer, writing
from exdd_core.bundle.manifest import Cost, Figures
from exdd_core.detector import openvino_engine
from exdd_core.detector.patch_network import PatchNetwork
from exdd_core.errors import BadInput
from exdd_core.evaluation.masks import Counted, Masks
from exdd_core.geometry import Size
from exdd_core.images import read_image
from exdd_core.workspace import Workspace, dataset_settings
from exdd_core.workspace.imports import import_dataset
from tests import plates
from tests.conftest import missing

# What a machine with a bundle need not have.
ABSENT = (
    "torch",
    "torchvision",
    "faiss",
    "scipy",
    "sklearn",
    "PIL",
    "pydantic",
    "safetensors",
    "sqlite_utils",
    "onnx",
)
RUN = f"""
import runpy, sys
sys.modules |= dict.fromkeys({ABSENT})
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')
"""


@pytest.fixture(scope="module")
def bundle(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("bundle") / "demo.zip"
    assert cli.main(["banks", "export", str(file), "--workspace", str(demo_workspace.path)]) == 0
    return file


@pytest.fixture(scope="module")
def old(bundle: Path, demo_workspace: Workspace) -> Path:
    """The bundle as format 2 was, with the network as OpenVINO stores it."""
    network = openvino_engine.serialized(PatchNetwork(load_detector(demo_workspace).backbone))
    with zipfile.ZipFile(bundle) as source, zipfile.ZipFile(bundle.with_name("old.zip"), "w") as target:
        told = json.loads(source.read(scorer.MANIFEST)) | {"format": 2}
        told["digests"].pop(engines.NETWORK)
        for name in set(source.namelist()) - {engines.NETWORK, scorer.MANIFEST, scorer.DIGEST}:
            target.writestr(name, source.read(name))
        for name, content in zip((engines.OLD_NETWORK, engines.OLD_WEIGHTS), network, strict=True):
            target.writestr(name, content)
        target.writestr(scorer.MANIFEST, json.dumps(told))
    return bundle.with_name("old.zip")


def started(bundle: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """Run a bundle as a program, elsewhere, where only numpy, OpenCV and the engines can be imported."""
    command = [sys.executable, "-I", "-c", RUN, str(bundle), *map(str, words)]
    return subprocess.run(command, cwd=bundle.parent, capture_output=True, text=True, timeout=300)


def changed(bundle: Path, file: Path, change: Callable[[str, bytes], bytes], *, digest: bool = True) -> Path:
    """A bundle with other content. digest: whether that of the manifest is made anew."""
    with zipfile.ZipFile(bundle) as source, zipfile.ZipFile(file, "w") as target:
        held = {name: change(name, source.read(name)) for name in source.namelist()}
        if digest:
            held[scorer.DIGEST] = scorer.digest_of(held[scorer.MANIFEST])
        for name, content in held.items():
            target.writestr(name, content)
    return file


@pytest.mark.parametrize("engine", engines.ENGINES)
def test_the_same_verdicts_without_pytorch(bundle: Path, demo_workspace: Workspace, engine: str) -> None:
    rows = demo_workspace.images("demo", split="test")
    ended = started(bundle, *(row.path for row in rows), "--json", "--engine", engine)
    assert ended.returncode == 0, ended.stderr
    told = [json.loads(line) for line in ended.stdout.splitlines()]
    seen = load_detector(demo_workspace).score([row.path for row in rows])
    assert [one["verdict"] for one in told] == [one.verdict for one in seen]
    assert {one["verdict"] for one in told} >= {"normal", "defect"}
    for one, expected in zip(told, seen, strict=True):
        assert abs(one["calibrated"] - expected.calibrated_score) < writing.TOLERANCE
        assert one["probability"] == pytest.approx(expected.probability, abs=0.01)
        assert [r["nearest_type"] for r in one["regions"]] == [r.defect_type for r in expected.regions]
        for region, known in zip(one["regions"], expected.regions, strict=True):
            assert region["probability"] == pytest.approx(known.probability, abs=0.01)
            assert np.array(region["contour"][0]).shape[1] == 2 and len(region["at"]) == 2
        boxes = [
            np.subtract(r["box"], k.region.box) for r, k in zip(one["regions"], expected.regions, strict=True)
        ]
        assert np.abs([[0] * 4, *boxes]).max() <= 1


def test_neither_a_name_nor_the_end_of_a_pipe_ends_the_program(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(bundle) as archive:
        names = [os.fsdecode(b"a\xff.png"), "b\x1b[2J\n.png"]
        for name in names:
            (tmp_path / name).write_bytes(archive.read("golden/0.png"))
    words = [str(bundle), *(str(tmp_path / name) for name in names)]
    told = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="strict")  # as where a locale is set
    monkeypatch.setattr(sys, "stdout", told)
    assert program.main(words) == 0
    first, second = told.buffer.getvalue().decode().splitlines()
    assert first.endswith("a\\udcff.png") and second.endswith("b\\x1b[2J\\n.png")  # steers no terminal
    reading, writing_end = os.pipe()
    os.close(reading)
    with open(writing_end, "w") as closed:
        monkeypatch.setattr(sys, "stdout", closed)
        assert program.main(words) == 0


def test_a_bundle_says_that_it_looked_at_one_page(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    page = Image.fromarray(np.zeros((64, 64, 3), np.uint8))
    page.save(tmp_path / "two.tif", save_all=True, append_images=[page])
    page.save(tmp_path / "one.tif")
    assert program.main([str(bundle), "--json", str(tmp_path / "two.tif"), str(tmp_path / "one.tif")]) == 0
    told, said = capsys.readouterr()
    assert [json.loads(line)["pages"] for line in told.splitlines()] == [2, 1]
    assert said.strip().endswith(
        "two.tif: Only page 1 of 2 was inspected; save each page as a separate file."
    )


def test_a_damaged_network_is_refused_by_its_golden_images(bundle: Path, tmp_path: Path) -> None:
    def weaker(name: str, content: bytes) -> bytes:
        middle = len(content) // 2
        return (
            content[:middle] + bytes(4096) + content[middle + 4096 :] if name == engines.NETWORK else content
        )

    damaged = changed(bundle, tmp_path / "damaged.zip", weaker)
    with pytest.raises(
        BadInput, match=r"damaged.zip does not judge here as it did .* golden image demo/.* off by"
    ):
        exdd_core.load(damaged)
    ended = started(damaged, "any.png")
    assert ended.returncode == 2 and "nothing is scored" in ended.stderr and not ended.stdout


@pytest.mark.parametrize("key", ["threshold", "median", "mm_per_pixel", "region_area", "exported"])
def test_a_manifest_that_was_edited_is_refused_also_where_golden_images_do_not_tell(
    bundle: Path, demo_workspace: Workspace, tmp_path: Path, key: str
) -> None:
    def edited(name: str, content: bytes) -> bytes:
        told = f'"{key}": '.encode()
        assert name != scorer.MANIFEST or told in content
        return content.replace(told, told + b'0.25, "was": ') if name == scorer.MANIFEST else content

    file = changed(bundle, tmp_path / "edited.zip", edited, digest=False)
    with pytest.raises(
        BadInput, match=r"edited.zip was changed after .* bundle.json is not what was exported"
    ):
        exdd_core.load(file)
    ended = started(file, "any.png")
    assert ended.returncode == 2 and "export it again" in ended.stderr and not ended.stdout
    with pytest.raises(BadInput, match="edited.zip was changed after it was created"):
        importing.import_bundle(demo_workspace, file)


def test_a_bundle_that_would_take_all_memory_is_refused(
    bundle: Path, demo_workspace: Workspace, tmp_path: Path
) -> None:
    file = tmp_path / "bomb.zip"
    shutil.copyfile(bundle, file)
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as archive:
        for i in range(8):
            archive.writestr(f"network.{i}", bytes(100 << 20))
    ended = started(file, "any.png")
    assert ended.returncode == 2 and "bomb.zip is no bundle that this program exported" in ended.stderr
    for refused in (exdd_core.load, partial(importing.import_bundle, demo_workspace)):
        with pytest.raises(BadInput, match="it unpacks to [0-9,]+ times its size; export it again"):
            refused(file)


def test_arrays_of_a_bundle_that_would_take_all_memory_are_not_read(bundle: Path, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as inner:
        inner.writestr("negative.npy", bytes(100 << 20))

    def changing(name: str, content: bytes) -> bytes:
        return packed.getvalue() if name == scorer.ARRAYS else content

    with pytest.raises(BadInput, match="it unpacks to [0-9,]+ times its size"):
        exdd_core.load(changed(bundle, tmp_path / "inner.zip", changing))


def test_whatever_is_damaged_is_a_sentence(bundle: Path, tmp_path: Path) -> None:
    def without(name: str, content: bytes) -> bytes:
        return (
            content.replace(b'"golden": [', b'"golden": [], "was": [') if name == scorer.MANIFEST else content
        )

    def emptied(lost: str, name: str, content: bytes) -> bytes:
        return b"" if name == lost else content

    with pytest.raises(BadInput, match="no golden images to check it with"):
        exdd_core.load(changed(bundle, tmp_path / "unproved.zip", without))
    for lost in (
        "golden/0.npy",
        "golden/0.png",
        "version/negative.safetensors",
        "version/positive.safetensors",
    ):
        empty = changed(bundle, tmp_path / "empty.zip", partial(emptied, lost))
        with pytest.raises(
            BadInput, match="empty.zip is not a valid bundle: files are missing or damaged; create one"
        ):
            exdd_core.load(empty)

    def edited(key: bytes, value: bytes, name: str, content: bytes) -> bytes:
        told = b'"%s": ' % key
        return content.replace(told, told + value + b', "was": ') if name == scorer.MANIFEST else content

    for key, value in (
        (b"tolerance", b'"x"'),
        (b"types", b"[]"),
        (b"width", b"60000"),
        (b"score", b"[1]"),
        (b"map_threshold", b"null"),
        (b"map", b'"golden/0.png"'),
    ):
        with pytest.raises(BadInput, match="edited.zip is not a valid bundle: files are missing or damaged"):
            exdd_core.load(changed(bundle, tmp_path / "edited.zip", partial(edited, key, value)))
    with zipfile.ZipFile(bundle) as archive:
        at = archive.getinfo(scorer.ARRAYS).header_offset + 60  # within what is compressed
    content = bytearray(bundle.read_bytes())
    content[at : at + 40] = b"\xff" * 40
    (tmp_path / "flipped.zip").write_bytes(content)
    with pytest.raises(BadInput, match="flipped.zip is not a valid bundle: files are missing or damaged"):
        exdd_core.load(tmp_path / "flipped.zip")


def test_what_is_installed_computes_the_network(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert exdd_core.load(bundle).engine == "onnxruntime"
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert exdd_core.load(bundle).engine == "openvino"
    with pytest.raises(BadInput, match="onnxruntime is not installed; install it .pip install onnxruntime"):
        scorer.load(bundle, "onnxruntime")
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(BadInput, match="install one .pip install onnxruntime, or openvino"):
        exdd_core.load(bundle)


def test_a_bundle_of_a_version_without_defects_scores(demo_workspace: Workspace, tmp_path: Path) -> None:
    own = Workspace.open(shutil.copytree(demo_workspace.path, tmp_path / "own"))
    build_bank(own, "demo", positives="none")
    writing.write(own, tmp_path / "normal.zip")
    path = own.images("demo", split="test", label="defect")[0].path
    found, expected = exdd_core.load(tmp_path / "normal.zip").score(path), load_detector(own).score([path])[0]
    assert found.score == pytest.approx(expected.score, rel=1e-4) and found.verdict == expected.verdict
    assert found.regions and {region.nearest_type for region in found.regions} == {None}


def test_a_bundle_with_openvinos_network_scores(
    old: Path, demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = demo_workspace.images("demo", split="test")[0].path
    expected = load_detector(demo_workspace).score([path])[0].score
    assert exdd_core.load(old).score(path).score == pytest.approx(expected, rel=1e-4)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(
        BadInput, match="an older version requires OpenVINO; install it .pip install openvino"
    ):
        exdd_core.load(old)


def test_python_scores_files_bytes_and_arrays(
    bundle: Path, demo_workspace: Workspace, tmp_path: Path
) -> None:
    path = demo_workspace.images("demo", split="test")[0].path
    opened = exdd_core.load(bundle)
    made = [opened.score(source) for source in (path, path.read_bytes(), read_image(path))]
    assert len({one.score for one in made}) == 1 and made[0].map.shape == read_image(path).shape[:2]
    licences = opened.manifest["licences"]
    assert licences["program"] == "Apache-2.0" and "Apache-2.0" in licences["efficientnet_lite0"]
    with pytest.raises(BadInput, match="not a uint8"):
        opened.score(np.zeros((8, 8), np.uint8))
    (tmp_path / "no.zip").write_bytes(b"PK no")
    with pytest.raises(BadInput, match="not a valid bundle"):
        exdd_core.load(tmp_path / "no.zip")
    ended = started(bundle, tmp_path / "none.png")
    assert ended.returncode == 2 and ended.stderr.count("\n") == 1 and "does not exist" in ended.stderr


def test_a_bundle_becomes_a_version_of_another_workspace(
    bundle: Path,
    old: Path,
    demo_workspace: Workspace,
    demo_dataset: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = Workspace.create(tmp_path / "own", backbone="efficientnet_lite0")

    def ran(*words: object, code: int = 0) -> str:
        capsys.readouterr()
        assert cli.main([*map(str, words), "--workspace", str(own.path)]) == code
        out, err = capsys.readouterr()
        return err if code else out

    def told(name: str, content: bytes) -> bytes:
        return content.replace(b'"verdict": "defect"', b'"verdict": "normal"')

    assert "there is no data set here; import one before demo.zip" in ran("banks", "import", bundle, code=2)
    import_dataset(own, demo_dataset, name="parts")
    assert 'no data set "demo" here; specify which' in ran("banks", "import", bundle, code=2)
    to = ("--dataset", "parts")
    cut = changed(
        bundle, tmp_path / "cut.zip", lambda name, kept: kept[:-1] if name.endswith("/0.npy") else kept
    )
    assert "golden/0.npy in it is not what was exported" in ran("banks", "import", cut, *to, code=2)
    lies = changed(
        bundle, tmp_path / "lies.zip", lambda n, kept: told(n, kept) if n == scorer.MANIFEST else kept
    )
    assert "lies.zip does not judge here as it did" in ran("banks", "import", lies, *to, code=2)
    number = f'"format": {scorer.FORMAT}'.encode()
    later = changed(
        bundle,
        tmp_path / "later.zip",
        lambda n, kept: kept.replace(number, b'"format": 9') if n == scorer.MANIFEST else kept,
    )
    assert "later.zip was created by a newer version of the program; import it with" in ran(
        "banks", "import", later, *to, code=2
    )
    assert started(later, "any.png").stderr.endswith(
        "newer version of the program; use that version or a later one.\n"
    )
    (tmp_path / "no.zip").write_bytes(b"PK no")
    assert "no.zip is not a valid bundle" in ran("banks", "import", tmp_path / "no.zip", *to, code=2)
    assert own.banks() == [] and not [f for f in (own.path / "banks").iterdir() if f.name[0] != "."]

    # It says where it came from, judges the same, and says what it cannot do.
    assert "v1 was imported from demo.zip: v1 (" in ran("banks", "import", bundle, *to) and own.bank().active
    assert "imported" in ran("banks", "list") and "Imported from demo.zip" in own.bank().summary["note"]
    rows = demo_workspace.images("demo", split="test")
    seen, expected = (load_detector(one).score([row.path for row in rows]) for one in (own, demo_workspace))
    assert [one.score for one in seen] == [one.score for one in expected]
    assert [one.verdict for one in seen] == [one.verdict for one in expected]
    assert seen[0].reason == expected[0].reason  # names the same nearest images
    assert [one[0].score for one in load_detector(own).compare([rows[0].path])] == [
        one[0].score for one in load_detector(demo_workspace).compare([rows[0].path])
    ]
    known, other = (load_detector(one).fitted for one in (own, demo_workspace))
    assert {image.id for image in known.known()} == {image.id for image in other.known()}
    held_out = {image.id for image in other.held.images}  # set the threshold, though they are in no bank
    assert held_out <= {image.id for image in evaluation.images_in_banks(load_detector(own))}
    assert "No rebuild is due" in ran("banks", "state")
    assert "was imported or is too old, so it has no scores" in ran(
        "threshold", "set", "--false-alarm-rate", "0.1", code=2
    )

    # Exported again it scores the same; a second one, of format 2, is deleted with all its files.
    ran("banks", "export", tmp_path / "again.zip")
    again, first = exdd_core.load(tmp_path / "again.zip"), exdd_core.load(bundle)
    assert [again.score(row.path).score for row in rows] == [first.score(row.path).score for row in rows]
    assert "to activate it, run banks activate v2" in ran("banks", "import", old, *to)
    second = own.bank("v2")
    assert not second.active and "negative rows" in ran("banks", "compare", "v1", "v2")
    ran("banks", "delete", "v2")
    assert not second.path.exists() and len(own.banks()) == 1


def test_int8_is_measured_and_judges_alike_by_both_engines(
    demo_workspace: Workspace,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, to = tmp_path / "int8.zip", ("--workspace", str(demo_workspace.path))
    assert cli.main(["banks", "export", str(file), "--int8", *to]) == 0  # it checks itself by both engines
    by_each = [exdd_core.load(file), scorer.load(file, "openvino")]
    told = by_each[0].manifest["int8"]
    assert f"changed verdicts is {told['otherwise']}." in capsys.readouterr().out
    assert told["int8"]["bytes"] < told["float32"]["bytes"] / 2 and told["calibrated_by"] > 4
    rows = demo_workspace.images("demo", split="test")
    truth = [row.label == "defect" for row in rows]
    ours = load_detector(demo_workspace).score([row.path for row in rows])
    eight, other = ([bundle.score(row.path) for row in rows] for bundle in by_each)
    for figures, made in ((told["float32"], ours), (told["int8"], eight)):
        assert figures["image_auroc"] == pytest.approx(roc_auc_score(truth, [one.score for one in made]))
    differ = [one.verdict != known.verdict for one, known in zip(eight, ours, strict=True)]
    assert (told["images"], told["defective"], told["otherwise"]) == (len(rows), sum(truth), sum(differ))
    off = [abs(one.calibrated - two.calibrated) for one, two in zip(eight, other, strict=True)]
    far = [abs(one.calibrated - known.calibrated_score) for one, known in zip(eight, ours, strict=True)]
    assert max(off) < by_each[0].manifest["tolerance"] and max(far) > writing.TOLERANCE

    # Imported it is the version itself, in float32.
    own = Workspace.open(shutil.copytree(demo_workspace.path, tmp_path / "own"))
    version = importing.import_bundle(own, file)
    assert load_detector(own, version.id).score([rows[0].path])[0].score == ours[0].score
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BadInput, match="An int8 bundle requires the package onnxruntime"):
        writing.write(demo_workspace, file, int8=True)


def test_a_bundle_whose_engines_disagree_in_int8_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def differs(path: Path, engine: str) -> None:
        raise BadInput(f"{path.name} does not judge here; nothing is scored with it.")

    monkeypatch.setattr(writing.scorer, "load", differs)
    with pytest.raises(
        BadInput, match=r"^a\.zip was not written \(with \w+, it does not judge .*\); export it without"
    ):
        writing._require_alike(tmp_path / ".x1.zip", "a.zip")


def test_what_int8_costs_is_not_made_up() -> None:
    size = Size(8, 8)
    known = Counted(size, [], np.ones(2, bool), None)
    maps = np.zeros((2, 8, 8), np.float32)
    none = quantizing._figures(np.zeros(2), np.zeros(2, bool), maps, Masks(size, [False] * 2), known)
    assert none == {"image_auroc": None, "pixel_auroc": None}
    one: Figures = {**none, "milliseconds": 4.0, "bytes": 1 << 20}
    cost: Cost = {
        "float32": one,
        "int8": one,
        "images": 2,
        "defective": 0,
        "otherwise": 0,
        "calibrated_by": 9,
    }
    assert "its cost was not measured" in quantizing.sentence(cost)


def test_what_bundles_cannot_hold_is_refused(
    demo_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    paper = load_detector(demo_workspace).with_fusion("paper")
    monkeypatch.setattr(writing, "judging_detector", lambda *_: paper)
    with pytest.raises(BadInput, match="fusion paper"):
        writing.write(demo_workspace, demo_workspace.path / "paper.zip")
    assert not (demo_workspace.path / "paper.zip").exists()


@pytest.mark.slow
@pytest.mark.parametrize(("region", "letterboxed"), [(True, False), (False, True), (True, True)])
def test_what_counts_and_the_supervised_direction_go_along(
    region: bool, letterboxed: bool, tmp_path: Path
) -> None:
    own = Workspace.open(plates.build(tmp_path))
    info = own.dataset()
    width, height = info.commonest_size
    mask = np.zeros((height, width), bool)
    mask[: height * 2 // 3, width // 4 :] = True
    size = f"{info.size.width}x{info.size.height * 2}" if letterboxed else str(info.size)
    mask[height // 2, width // 2] = False  # no rectangle
    if region:
        dataset_settings.set_region(own, info.name, mask)
    version = build_bank(own, negative_ratio=0.2, fusion="stacked", size=size, keep_aspect=letterboxed)
    writing.write(own, tmp_path / "own.zip", version.id)  # checks itself
    opened = exdd_core.load(tmp_path / "own.zip")
    detector = load_detector(own, version.id)
    pictures = [read_image(row.path) for row in own.images(info.name, split="test")]
    for shown in (*pictures, *map(np.rot90, pictures[:4])):
        found, expected = opened.score(np.ascontiguousarray(shown)), detector.score([shown])[0]
        assert found.verdict == expected.verdict
        assert found.score == pytest.approx(expected.score, rel=1e-4)
        np.testing.assert_allclose(found.map, expected.map, rtol=1e-3, atol=1e-4)
        assert [r.region.box for r in found.regions] == [k.region.box for k in expected.regions]
    assert started(tmp_path / "own.zip", own.images(info.name)[0].path).returncode == 0
    came = load_detector(own, importing.import_bundle(own, tmp_path / "own.zip").id)
    assert came.fusion == detector.fusion and came.region is not None
    paths = [row.path for row in own.images(info.name, split="test")]
    for one, other in zip(came.score(paths), detector.score(paths), strict=True):
        assert one.score == other.score and np.array_equal(one.map, other.map)


def test_pictures_are_read_as_the_workbench_reads_them(bundle: Path, tmp_path: Path) -> None:
    import cv2
    from PIL import Image

    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (20, 30, 3), np.uint8)
    image = Image.fromarray(pixels)
    clear = Image.fromarray(np.dstack([pixels, rng.integers(0, 256, (20, 30), np.uint8)]))
    for turn in (1, 3, 6):
        exif = Image.Exif()
        exif[0x0112] = turn
        for kind in ("png", "tif", "webp"):
            clear.save(tmp_path / f"clear{turn}.{kind}", exif=exif, lossless=True)
        image.save(tmp_path / f"plain{turn}.jpg", exif=exif, quality=95)
        Image.fromarray(pixels[..., 0]).save(tmp_path / f"grey{turn}.png", exif=exif)
    for kind in ("gif", "bmp", "ppm", "jp2"):
        image.save(tmp_path / f"plain.{kind}")
    image.convert("CMYK").save(tmp_path / "cmyk.jpg")
    clear.convert("LA").save(tmp_path / "grey.png")
    image.quantize(16).save(tmp_path / "palette.png", transparency=3)
    deep = rng.integers(0, 4096, (20, 30, 4)).astype(np.uint16)
    deep[:9, :9, 3] = 0
    Image.fromarray(deep[..., 0]).save(tmp_path / "deep6.png", exif=exif)
    for name, made in (("deep.png", deep), ("deep.tif", deep), ("signed.tif", deep[..., 0].astype(np.int32))):
        cv2.imwrite(str(tmp_path / name), made)
    Image.fromarray(pixels[..., 0].astype(np.float32)).save(tmp_path / "float.tif")
    cv2.imwrite(str(tmp_path / "floats.tif"), pixels.astype(np.float32))
    image.save(tmp_path / "flipped.tif", compression="tiff_adobe_deflate")
    flipped = bytearray((tmp_path / "flipped.tif").read_bytes())
    flipped[len(flipped) // 2] ^= 0xFF
    (tmp_path / "flipped.tif").write_bytes(flipped)
    (tmp_path / "dim.pgm").write_bytes(b"P5 # to 100\n30 20 100\n" + (pixels[..., 0] % 101).tobytes())
    for name in ("plain1.jpg", "clear1.png", "clear1.tif", "clear1.webp"):
        content = (tmp_path / name).read_bytes()
        for cut in (0, 20, len(content) // 2, len(content) - 4):
            (tmp_path / f"cut{cut}.{name}").write_bytes(content[:cut])
    Image.fromarray(pixels[:15]).save(tmp_path / "low.png")
    for name in ("large", "far.larger"):
        size = (9_000, 9_000) if name == "large" else (1_000_001, 16)
        Image.new("1", size).save(tmp_path / f"{name}.png")
    said = compared(bundle, sorted(tmp_path.iterdir()))
    assert len(said) == 24
    assert "floating-point" in said["floats.tif"] and said["flipped.tif"].startswith("flipped.tif is damaged")
    assert said["low.png"].startswith("low.png is 30 x 15 pixels; an image needs at least 16 on each side")
    assert "80 megapixels" in said["large.png"] == said["far.larger.png"].replace("far.larger", "large")


def test_the_pictures_of_the_cases_are_read_as_the_workbench_reads_them(
    bundle: Path, real_data: Path
) -> None:
    files = [file for file in sorted((real_data.parent / "cases").rglob("*")) if file.is_file()]
    if not files:
        missing("no cases beside the real images")
    assert len(compared(bundle, files)) < len(files) / 2


def compared(bundle: Path, files: list[Path]) -> dict[str, str]:
    """What both readers say of the files that they refuse, by name; the pixels of the others are the same."""
    opened, refused = scorer.Bundle(bundle), {}
    for file in files:
        ours, theirs = (tried(read, file) for read in (lambda path: picture.read(path).pixels, opened.read))
        np.testing.assert_array_equal(ours, theirs, err_msg=file.name)
        if isinstance(ours, str):
            refused[file.name] = ours.replace(str(file), file.name)
    return refused


def tried(read: Callable[[Path], np.ndarray], file: Path) -> np.ndarray | str:
    """The pixels of a file, or the sentence with which it is refused."""
    try:
        return read(file)
    except BadInput as error:
        return str(error)
