"""Building a bank version from the training split of a data set.

Knows the workspace, training images and the detector. Does not know jobs, pages or how a defect was painted.
"""

from __future__ import annotations

import json
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core import datasets
from exdd_core.banks import features, teachers
from exdd_core.banks.options import BuildOptions
from exdd_core.datasets import report_sentences
from exdd_core.errors import BadInput
from exdd_core.images import Size
from exdd_core.progress import Progress
from exdd_core.sentences import count, listed
from exdd_core.workspace import (
    BankVersion,
    DatasetInfo,
    ImageRow,
    Workspace,
    dataset_files,
    dataset_settings,
    dataset_states,
    version_files,
)
from exdd_core.workspace.clock import now
from exdd_core.workspace.failures import as_bad_input
from exdd_core.workspace.imports import import_dataset
from exdd_core.workspace.placing import making, placed
from exdd_core.workspace.settings import get, put
from exdd_core.workspace.versions import make_active

if TYPE_CHECKING:
    from exdd_core.detector import Detector
    from exdd_core.detector.examples import TrainingImage
    from exdd_core.detector.summary import StoredSummary

WHOLE = "whole"  # folder of a version that is complete, in an unfinished one


def build_bank(
    workspace: Workspace,
    options: BuildOptions | str | None = None,
    *,
    progress: Progress | None = None,
    coreset_state: Path | None = None,
    **given: Any,
) -> BankVersion:
    """Build a bank version from the training split of a data set.

    options: what to build; in place of them a data set's name (None: the active one) with any other of their fields
    by name. The negative bank also gets what people marked as false alarms. coreset_state: a file from which an
    interrupted selection of normal rows continues; its owner deletes it. Raises BadInput where nothing can be built
    from them.
    """
    from exdd_core.detector import Detector
    from exdd_core.detector.summary import notes

    if not isinstance(options, BuildOptions):
        options = BuildOptions(dataset=options, **given)
    began, progress = time.monotonic(), progress or Progress()
    info, guessed = dataset_settings.settled(workspace, options.dataset, options.state, progress)
    normals, defects, note = training_split(workspace, info, options)
    network = workspace.backbone(options.backbone)
    settings = options.settings_on(info, network.name)
    with as_bad_input(), making(workspace, workspace.path / "banks", "build", progress) as temporary:
        detector = Detector(network, settings, workspace.region(info.name, info.state))
        detector.fit(normals, defects, progress, features.shared(workspace, settings), coreset_state)
        said = [guessed, note, *notes(detector.fitted, larger_size(info, settings.size))]
        detector = teachers.without_false_alarms(workspace, info.name, detector, progress, options.state)
        progress.begin("Storing the bank version", 1)
        made = {"made_for": options.made_for} if options.made_for else {}
        row = written(temporary, detector, info, options, said, time.monotonic() - began, made)
        features.keep(workspace, str(row["id"]), detector)
        progress.advance()
        place(workspace, temporary, row, options.activate)
    return workspace.bank(str(row["id"]))


def written(
    temporary: Path,
    detector: Detector,
    info: DatasetInfo,
    options: BuildOptions,
    said: Sequence[str],
    seconds: float,
    more: Mapping[str, object],
) -> dict[str, object]:
    """Write a detector as a whole version in an unfinished folder of `making`; returns its row, for `place`.

    info: the data set that it judges. said: the sentences of its note. more: settings of its own.
    """
    (whole := temporary / WHOLE).mkdir()
    detector.save(whole)
    row: dict[str, object] = {
        "id": uuid.uuid4().hex[:12],
        "dataset": info.name,
        "created": now(),
        "who": " ".join(options.who.split())[:40],
        "seconds": round(seconds, 2),
        "settings": {**_kept_settings(detector, options, info.state), **more},
        "summary": _kept_summary(detector, said),
    }
    made_with = {"backbone_weights": detector.backbone.weights, "libraries": library_versions()}
    manifest = {**row, **made_with, "files": version_files.digests(whole)}
    (whole / version_files.MANIFEST).write_text(json.dumps(manifest, indent=2))
    return row | {"files": version_files.kept(whole, str(row["created"]))}


def _kept_settings(detector: Detector, options: BuildOptions, state: int) -> dict[str, object]:
    """What a version keeps of how it was built, ready for JSON."""
    settings = detector.settings
    return {
        **settings.to_json(),
        "size": str(settings.size),
        "keep_aspect": settings.size.keep_aspect,
        "layers": detector.backbone.layers,
        "positives": options.positives,
        "max_real_parts": options.max_real_parts,
        "state": state,
    }


def _kept_summary(detector: Detector, said: Sequence[str]) -> StoredSummary:
    note = " ".join(filter(None, said))
    return {**detector.summary(), "radius": detector.fitted.reference.radius, "note": note}


def place(workspace: Workspace, temporary: Path, row: Mapping[str, object], activate: bool) -> None:
    """Move a version that was `written` to its place and enter its row; the first version always becomes active."""
    id = str(row["id"])
    with placed(workspace, temporary / WHOLE, workspace.path / "banks" / id) as db:
        dataset_states.at(db, str(row["dataset"]))  # raises where it was deleted meanwhile
        number = json.loads(get(db, "last_bank_number", "0")) + 1  # a deleted number never comes back
        put(db, "last_bank_number", number)
        stored = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in row.items()}
        db.table("banks").insert({**stored, "number": number})
        if activate or get(db, "active_bank", "null") == "null":
            make_active(db, id)


UNMARKED = "defective image has no usable mask and was", "defective images have no usable mask and were"


def training_split(
    workspace: Workspace, info: DatasetInfo, options: BuildOptions
) -> tuple[list[TrainingImage], list[TrainingImage], str]:
    """Normal and defective training images, and one sentence on what was left out ("" for nothing).

    info: the data set in the state that is to be built from. Raises BadInput where nothing can be learned from it.
    """
    from exdd_core.detector.examples import TrainingImage

    dataset, state, positives = info.name, info.state, options.positives
    gone: list[str] | None = [] if options.without_missing else None
    accepted = teachers.accepted(workspace, dataset, gone) if positives in ("synthetic", "both") else []
    if positives == "synthetic" and not accepted:
        raise BadInput(
            "There are no accepted synthetic defects in this workspace; build with real defects or none."
        )
    rows = workspace.images(dataset, split="train", state=state)
    rows = [rows[i] for i in datasets.limit_parts(rows, options.max_real_parts, options.seed)]
    out = {side: teachers.dropped(workspace, dataset, side) for side in ("negative", "positive")}
    rows, lost = dataset_files.intact(workspace, rows, options.without_missing)
    normals = [row for row in rows if row.label == datasets.NORMAL and row.id not in out["negative"]]
    if not normals:
        raise BadInput(
            f'The training split of "{dataset}" has no normal images; nothing can be learned from it.'
        )
    wanted = positives in ("real", "both")
    defects = [
        row for row in rows if row.label == datasets.DEFECT and row.id not in out["positive"] and wanted
    ]
    empty = {f"{dataset}/{path}" for path in info.report["masks"]["empty"]}
    masked = [row for row in defects if row.mask is not None and row.id not in empty]
    notes = [lost] if lost else []
    if positives == "both" and not accepted:
        notes.append("There are no accepted synthetic defects yet, so only real ones were used.")
    if unmarked := len(defects) - len(masked):
        notes.append(count(unmarked, *UNMARKED) + " left out.")

    def training(row: ImageRow) -> TrainingImage:
        return TrainingImage(row.id, row.path, row.group, row.mask, row.defect_type)

    real = [training(row) for row in masked]
    if wanted and options.max_real_parts is None:
        # One that was moved to the training side is there already, and one that was retired teaches nothing.
        known = {row.id for row in workspace.images(dataset, split="test", state=state)}
        missed = teachers.missed_defects(workspace, dataset, gone)
        real += [image for image in missed if image.id in known or image.id.startswith("file:")]
    if gone:
        notes.append(f"Painted or marked defects with missing or damaged files are left out: {listed(gone)}.")
    notes += filter(None, [report_sentences.few_normal(len(normals))])
    return [training(row) for row in normals], real + accepted, " ".join(notes)


def larger_size(info: DatasetInfo, size: Size) -> str:
    """The size at which a data set shows the defects that are smaller than a patch at this one; "" if not known."""
    return str(info.report["masks"].get("small_size", "")) if size == info.size else ""


def make_demo(path: Path | str, progress: Progress | None = None) -> Workspace:
    """A workspace with the demo data set and a first bank version of it.

    A workspace that has another data set is opened and not changed. One whose demo was interrupted is completed.
    """
    from exdd_core.datasets import demo

    workspace = Workspace.open(path) if Workspace.exists(path) else Workspace.create(path)
    if not workspace.datasets():
        with tempfile.TemporaryDirectory(prefix="exdd-demo-") as folder:
            demo.generate(Path(folder) / "demo", progress=progress)
            import_dataset(workspace, Path(folder) / "demo", name="demo", progress=progress)
    if [info.name for info in workspace.datasets()] == ["demo"] and not workspace.setting("last_bank_number"):
        build_bank(workspace, "demo", progress=progress)
    return workspace


def library_versions() -> dict[str, str]:
    """The installed versions, by name, of the libraries on which a bank version depends."""
    wanted = ("torch", "torchvision", "faiss-gpu", "faiss-cpu", "numpy", "scikit-learn", "safetensors")
    found = {}
    for name in wanted:  # reading all that is installed takes a tenth of a second
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
