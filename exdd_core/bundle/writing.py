"""Writes a bundle of a bank version: its banks, models and network, golden images, licences, and the program itself.

Knows bank versions, detectors and the files of a bundle. Does not know how a bundle scores.
"""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import zipfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import numpy as np

import exdd_core
from exdd_core import datasets, extras, files, packages
from exdd_core.banks.detectors import judging_detector
from exdd_core.bundle import engines, quantizing, scorer
from exdd_core.bundle.manifest import Cost, Golden, Manifest
from exdd_core.detector import Detector, context, coreset, onnx_network
from exdd_core.detector.fusion import Context
from exdd_core.detector.patch_network import PatchNetwork
from exdd_core.detector.row_weights import engine_of_each
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.workspace import scales, version_files

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, ImageRow, Workspace

TOLERANCE = 0.01
# In int8 the engines round otherwise: scores of 32 demo images differ by 0.069 at most and maps by 0.050, those of 275
# magnetic tiles by 0.039 and 0.041.
INT8_TOLERANCE = 0.1
GOLDEN_OF_EACH = 2  # golden images with and without a defect
# The files of this package that score: every bundle holds them, so that `python FILE.zip IMAGES` needs no installation.
PROGRAM = (
    *(
        "__init__.py",
        "errors.py",
        "file_tags.py",
        "files.py",
        "formats.py",
        "geometry.py",
        "region.py",
        "depth.py",
        "pixels.py",
        "sentences.py",
        "tiffs.py",
    ),
    *(
        "bundle/__init__.py",
        "bundle/engines.py",
        "bundle/manifest.py",
        "bundle/program.py",
        "bundle/scorer.py",
        "bundle/searched_rows.py",
    ),
    *("detector/__init__.py", "detector/anomaly_map.py", "detector/anomaly_regions.py"),
    *(
        "detector/fusion.py",
        "detector/likeness.py",
        "detector/thresholds.py",
        "detector/weighted_distances.py",
    ),
)
MAIN = "import sys\n\nfrom exdd_core.bundle.program import main\n\nsys.exit(main(bundle=sys.argv[0]))\n"


class Written(TypedDict):
    """A bundle that was written. golden: names of its golden images. int8: None for a network in float32."""

    path: Path
    bank: str
    bytes: int
    golden: list[str]
    tolerance: float
    int8: Cost | None


def write(
    workspace: Workspace,
    path: Path,
    bank: str | None = None,
    progress: Progress | None = None,
    int8: bool = False,
) -> Written:
    """Write a bundle of a bank version (None: the active one), and check it by its own golden images.

    int8: quantize its network. Raises BadInput for a version that bundles cannot hold, and where its scores differ from
    the workspace's, or those of one engine in int8 from those of the other.
    """
    if int8:
        extras.INT8.require()
    progress, version = progress or Progress(), workspace.bank(bank)
    detector = judging_detector(workspace, version.id)
    _require_possible(detector)
    progress.begin("Writing the bundle", 3)
    arrays, types = _arrays(detector)
    kept = _version(detector)
    network = onnx_network.serialized(PatchNetwork(detector.backbone))
    progress.advance()
    rows = _golden_rows(workspace, version)
    golden = [_golden(detector, row, number) for number, row in enumerate(rows)]
    held = {scorer.ARRAYS: _npz(arrays), engines.NETWORK: network, **kept}
    for one, content, expected in golden:
        held |= {one["image"]: content, one["map"]: _npy(expected)}
    manifest = _manifest(workspace, version, detector, types, [one for one, _, _ in golden])
    progress.advance()
    with files.whole(path) as unfinished:
        _store(unfinished, manifest, held)
        bundle = scorer.load(unfinished)  # raises where it judges otherwise than the workspace
        progress.advance()
        if int8:
            _quantize(workspace, version, detector, bundle, manifest, held, progress)
            _store(unfinished, manifest, held)
            _require_alike(unfinished, path.name)
    return {
        "path": path,
        "bank": version.name,
        "bytes": path.stat().st_size,
        "golden": [one["name"] for one in manifest["golden"]],
        "tolerance": manifest["tolerance"],
        "int8": manifest.get("int8"),
    }


def _require_alike(unfinished: Path, name: str) -> None:
    """Raise `BadInput` where an engine judges golden images otherwise in int8 than the one that was measured."""
    for engine in engines.ENGINES:
        try:
            scorer.load(unfinished, engine)
        except BadInput as error:
            why = str(error).replace(unfinished.name, f"with {engine}, it")
            raise BadInput(f"{name} was not written ({why.rstrip('.')}); export it without --int8.") from None


def sentence(made: Written) -> str:
    """What was written, for people."""
    said = (
        f"Wrote {made['bank']} to {made['path']} ({made['bytes'] / 2**20:.1f} MB), with {len(made['golden'])} golden "
        f"images and a tolerance of {made['tolerance']:.0%}. Score with it: python {made['path']} IMAGES."
    )
    return said if made["int8"] is None else f"{said} {quantizing.sentence(made['int8'])}"


def _store(path: Path, manifest: Manifest, held: dict[str, bytes]) -> None:
    """Write the files of a bundle, by their names in it, with their digests and the program."""
    manifest["digests"] = {name: hashlib.sha256(content).hexdigest() for name, content in held.items()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(scorer.MANIFEST, told := json.dumps(manifest, indent=1).encode())
        archive.writestr(scorer.DIGEST, scorer.digest_of(told))
        for name, content in held.items():
            archive.writestr(name, content)
        archive.writestr("__main__.py", MAIN)
        root = Path(exdd_core.__file__).parent
        for name in PROGRAM:
            archive.write(root / name, f"exdd_core/{name}")
        archive.write(_licence(), "LICENSE")


def _quantize(
    workspace: Workspace,
    version: BankVersion,
    detector: Detector,
    bundle: scorer.Bundle,
    manifest: Manifest,
    held: dict[str, bytes],
    progress: Progress,
) -> None:
    """Put the network in int8 into a bundle's files, and what it cost and judges golden images as into its manifest."""
    network = held[engines.NETWORK]
    quantized, calibrated_by = quantizing.quantized(workspace, version, bundle, network)
    judge = bundle.with_network(quantized, "onnxruntime")
    both = {"float32": (bundle.with_network(network, "onnxruntime"), network), "int8": (judge, quantized)}
    manifest["int8"] = quantizing.cost(workspace, version, detector, both, calibrated_by, progress)
    manifest["golden_of_version"], golden = manifest["golden"], list[Golden]()
    for one in manifest["golden_of_version"]:
        seen = judge.score(held[one["image"]])
        file = f"{one['map'].removesuffix('.npy')}.int8.npy"
        held[file] = _npy(seen.model_map)
        golden.append({**one, "map": file, "score": seen.score, "verdict": seen.verdict})
    # An image close to a limit may fall on either side of it within the tolerance, and proves nothing.
    c = detector.fusions[detector.fusion.name][1]
    near = INT8_TOLERANCE * (c.threshold - c.median)
    clear = [one for one in golden if min(abs(one["score"] - at) for at in (c.doubt, c.threshold)) > near]
    manifest["golden"], manifest["tolerance"] = clear or golden, INT8_TOLERANCE
    held[engines.NETWORK] = quantized


def _require_possible(detector: Detector) -> None:
    if detector.fusion.around:
        raise BadInput(
            f"The fusion {detector.fusion.name} uses neighbours within a bank, which bundles do not support; build "
            "with another fusion."
        )


def _arrays(detector: Detector) -> tuple[dict[str, np.ndarray], list[str]]:
    """The arrays of banks.npz, and the types of defects that `positive_type` numbers."""
    arrays: dict[str, np.ndarray] = {}
    types: list[str] = []
    models, positive, region = detector.fitted.models, detector.positive, detector.region
    if positive is not None:
        types = sorted({image.defect_type for image in positive.images})
        numbers = np.array([types.index(image.defect_type) for image in positive.images], np.int32)
        arrays |= {"positive_type": numbers[positive.image]}
        if isinstance(detector.fusion, Context) and detector.fusion.counts:
            arrays |= {"positive_engine": engine_of_each(positive, list(detector.fusion.counts))}
    if models.direction is not None and detector.fusion.uses_direction:
        arrays |= {
            "direction": models.direction.weights,
            "direction_bias": np.array(models.direction.bias, np.float32),
        }
    if models.discriminant is not None and detector.fusion.uses_context:
        one, d = models.discriminant, len(models.discriminant.own)
        around = one.surrounding
        if d > context.WIDEST:  # longer features are projected first; both products are one
            around = around @ coreset.projection(d, context.WIDEST, seed=0).numpy().T
        arrays |= {"own": one.own, "around": around.astype(np.float32), "bias": np.array(one.bias)}
    if region is not None:
        arrays["roi"] = region.mask
    return arrays, types


def _version(detector: Detector) -> dict[str, bytes]:
    """The files of a bank version that judges as the detector does, by their names in the bundle."""
    with tempfile.TemporaryDirectory(prefix="exdd-bundle-") as folder:
        Detector.of(detector.fitted.judging_alone()).save(Path(folder))
        return {f"{scorer.VERSION}{file.name}": file.read_bytes() for file in sorted(Path(folder).iterdir())}


def _golden_rows(workspace: Workspace, version: BankVersion) -> list[ImageRow]:
    """Test images of the version's data set, and training images where a class has none."""
    rows = [row for split in ("test", "train") for row in workspace.images(version.dataset, split=split)]
    found = []
    for label in (datasets.NORMAL, datasets.DEFECT):
        found += [row for row in rows if row.label == label and row.path.is_file()][:GOLDEN_OF_EACH]
    if not found:
        raise BadInput("The data set of this version has no image left to check a bundle with.")
    return found


def _golden(detector: Detector, row: ImageRow, number: int) -> tuple[Golden, bytes, np.ndarray]:
    seen = detector.score([detector.settings.read(row.path)])[0]
    golden: Golden = {
        "name": row.id,
        "image": f"golden/{number}{row.path.suffix}",
        "map": f"golden/{number}.npy",
        "score": float(seen.score),
        "verdict": seen.verdict,
    }
    return golden, row.path.read_bytes(), seen.model_map.astype(np.float32)


def _manifest(
    workspace: Workspace,
    version: BankVersion,
    detector: Detector,
    types: list[str],
    golden: list[Golden],
) -> Manifest:
    backbone, settings, size = detector.backbone, detector.settings, detector.settings.size
    told = json.loads((version.path / version_files.MANIFEST).read_text("utf-8"))
    return {
        "format": scorer.FORMAT,
        "bank": f"{version.name} ({version.id})",
        "dataset": f"{version.dataset}, state {version.state}",
        "created": version.created,
        "exported": datetime.now(UTC).isoformat(timespec="seconds"),
        "backbone": {"name": backbone.name, "weights": backbone.weights, "fingerprint": backbone.fingerprint},
        "licences": {
            "program": "Apache-2.0",
            **{one.name: one.licence for one in packages.WEIGHTS if backbone.name in one.name.split(", ")},
        },
        "made_with": {"program": exdd_core.__version__, "libraries": told.get("libraries", {})},
        "size": {"width": size.width, "height": size.height, "keep_aspect": size.keep_aspect},
        "depth": str(settings.depth) if settings.depth else None,
        "by_brightest": settings.by_brightest,
        "grid": list(detector.grid),
        "fusion": detector.fusion.state(),
        "calibration": asdict(detector.fusions[detector.fusion.name][1]),
        "region_area": settings.region_area,
        "region_gap": settings.region_gap,
        "mm_per_pixel": scales.scale(workspace, version.dataset),
        "windows": list(context.WINDOWS),
        "types": types,
        "tolerance": TOLERANCE,
        "golden": golden,
        "positives": version.settings.get("positives", "real"),
        "digests": {},
    }


def _npz(arrays: dict[str, np.ndarray]) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _licence() -> Path:
    """The program's licence: beside the package where it was checked out, in its metadata where it was installed."""
    return next(place for place in _places() if place.is_file())


def _places() -> list[Path]:
    root = Path(exdd_core.__file__).parent.parent
    return [root / "LICENSE", *sorted(root.glob("exdd_workbench-*.dist-info/licenses/LICENSE"))]
