"""Imports a bundle as a bank version of a workspace, once its files and its golden images are what they were.

Knows the files of a bundle, detectors and bank versions. Does not know how a bundle is written, or who asks.
"""

from __future__ import annotations

import hashlib
import io
import time
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from exdd_core.banks.building import place, written
from exdd_core.banks.options import BuildOptions
from exdd_core.bundle import scorer
from exdd_core.bundle.manifest import Manifest
from exdd_core.bundle.scorer import DAMAGED
from exdd_core.detector import Detector
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.workspace.placing import making

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, DatasetInfo, Workspace

OLDEST = 2  # format 1 had no version to import
LARGEST = 16 << 30  # bytes of all files of a bundle, unpacked


def import_bundle(
    workspace: Workspace,
    path: Path,
    dataset: str | None = None,
    who: str = "",
    progress: Progress | None = None,
) -> BankVersion:
    """Make a bundle a bank version, which judges as the bundle does and whose banks do not change; a checkpoint of
    anomalib's PatchCore, told by its content, is read by `checkpoint.import_checkpoint`.

    dataset: that it is to judge; None for the one that has the name of the bundle's. It becomes active only where no
    version is. Raises BadInput for a damaged bundle, and where its golden images are judged otherwise here.
    """
    progress, began = progress or Progress(), time.monotonic()
    if _is_checkpoint(path):
        from exdd_core.bundle.checkpoint import import_checkpoint

        return import_checkpoint(workspace, path, dataset, who, progress)
    progress.begin("Checking the bundle", 2)
    try:
        manifest, held = _read(path)
        info = _dataset(workspace, path, dataset, manifest)
        options = BuildOptions(positives=manifest["positives"], who=who)
        came = (
            f"{path.name}: {manifest['bank']} of {manifest['dataset']}, exported {manifest['exported'][:10]}"
        )
        progress.advance()
        with making(workspace, workspace.path / "banks", "import", progress) as temporary:
            (unpacked := temporary / "version").mkdir()
            for name in held:
                if name.startswith(scorer.VERSION):
                    (unpacked / Path(name).name).write_bytes(held[name])
            detector = Detector.load(unpacked, workspace.backbone(manifest["backbone"]["name"]))
            _require_same(path, manifest, held, detector, temporary)
            said, seconds = [f"Imported from {came}."], time.monotonic() - began
            row = written(temporary, detector, info, options, said, seconds, {"imported": came})
            progress.advance()
            place(workspace, temporary, row, activate=False)
        return workspace.bank(str(row["id"]))
    except BadInput:
        raise
    except DAMAGED as error:
        raise _damaged(path, getattr(error, "strerror", None) or "files are missing or damaged") from error


def _is_checkpoint(path: Path) -> bool:
    """Whether a file is what torch.save writes."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _read(path: Path) -> tuple[Manifest, dict[str, bytes]]:
    """What a bundle says of itself, and its files by name, each compared with its digest."""
    with zipfile.ZipFile(path) as archive:
        if sum(file.file_size for file in archive.infolist()) > LARGEST:
            raise _damaged(path, f"it unpacks to more than {LARGEST >> 30} GB")
        scorer.require_plausible(archive, path.name)
        manifest = scorer.manifest_of(archive, path.name)
        if not OLDEST <= manifest["format"] <= scorer.FORMAT:
            newer = manifest["format"] > scorer.FORMAT
            told = (
                "a newer version of the program; import it with that version or a later one"
                if newer
                else "an older version of the program and cannot be imported; export it again with this one"
            )
            raise BadInput(f"{path.name} was created by {told}.")
        held = {name: archive.read(name) for name in manifest["digests"]}
    for name, content in held.items():
        if hashlib.sha256(content).hexdigest() != manifest["digests"][name]:
            raise _damaged(path, f"{name} in it is not what was exported")
    if not manifest["golden"]:
        raise _damaged(path, "it has no golden images to check it with")
    return manifest, held


def _dataset(workspace: Workspace, path: Path, name: str | None, manifest: Manifest) -> DatasetInfo:
    there = [info.name for info in workspace.datasets()]
    name = name or manifest["dataset"].rpartition(", state ")[0]
    if name in there:
        return workspace.dataset(name)
    if not there:
        raise BadInput(
            f"A version judges images of a data set, and there is no data set here; import one before {path.name}."
        )
    raise BadInput(
        f'There is no data set "{name}" here; specify which one {path.name} should judge, such as --dataset {there[0]}.'
    )


def _require_same(
    path: Path, manifest: Manifest, held: dict[str, bytes], detector: Detector, temporary: Path
) -> None:
    """Raise `BadInput` where a golden image is judged otherwise than where the bundle was made, before any int8."""
    for golden in manifest.get("golden_of_version", manifest["golden"]):
        image = temporary / f"golden{Path(golden['image']).suffix}"
        image.write_bytes(held[golden["image"]])
        expected = np.load(io.BytesIO(held[golden["map"]]), allow_pickle=False)
        found = detector.score([detector.settings.read(image)])[0]
        scorer.require_same(path, manifest, golden, expected, found)


def _damaged(path: Path, why: str) -> BadInput:
    return BadInput(
        f"{path.name} is not a valid bundle: {why}; create one with `banks export`, or use the complete .ckpt file of "
        "anomalib's PatchCore."
    )
