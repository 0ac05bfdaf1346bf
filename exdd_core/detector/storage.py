"""A fitted detector as a folder of safetensors files and one JSON file, detector.json.

Knows files. Does not know where a bank version's folder is, or how the detector was fitted.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from exdd_core.detector import backbones, models_state
from exdd_core.detector.backbones import Backbone
from exdd_core.detector.bank import Bank
from exdd_core.detector.context import Discriminant
from exdd_core.detector.direction import Direction
from exdd_core.detector.evidence import defect_distances, unmarked_distances
from exdd_core.detector.fitted import (
    Banks,
    Examples,
    Fitted,
    Models,
    Reference,
    Refit,
    empty_bank,
    empty_examples,
    unfitted,
)
from exdd_core.detector.held_out import HeldOut
from exdd_core.detector.settings import Settings
from exdd_core.detector.soundness import Damaged
from exdd_core.detector.storage_checks import require_sound
from exdd_core.detector.thresholds import NormalScores
from exdd_core.detector.transfer import Paintings
from exdd_core.errors import BadInput
from exdd_core.region import Region

FORMAT = 2  # format 1 had no examples and no held-out images, which changes to the banks need
ROI = "roi.safetensors"
DAMAGED = (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, IndexError)


def save(fitted: Fitted, folder: Path) -> None:
    """Write a detector into an existing, empty folder."""
    fitted.banks.negative.save(folder / "negative.safetensors")
    if fitted.banks.positive is not None:
        fitted.banks.positive.save(folder / "positive.safetensors")
        if len(fitted.examples.unmarked):
            fitted.examples.unmarked.save(folder / "unmarked.safetensors")
        save_file(_arrays(fitted), folder / "direction.safetensors")
    if fitted.setup.region is not None:
        save_file({"roi": fitted.setup.region.mask}, folder / ROI)
    fitted.examples.normals.save(folder / "learnt.safetensors")
    fitted.examples.defects.save(folder / "defects.safetensors")
    if fitted.held_out is not None:
        fitted.held_out.save(folder / "held_out.safetensors")
    state = folder / "detector.json"
    state.write_text(json.dumps(_state(fitted), indent=1))
    # Its library keeps these files from other users, whatever the umask says.
    for file in folder.glob("*.safetensors"):
        file.chmod(state.stat().st_mode)


def _arrays(fitted: Fitted) -> dict[str, np.ndarray]:
    """Distances of examples and weights of models: the arrays of direction.safetensors."""
    models = fitted.models
    arrays = {"near": defect_distances(fitted)}
    if len(fitted.examples.unmarked):
        arrays["unmarked_near"] = unmarked_distances(fitted)
        arrays["stand_for"] = fitted.examples.stand_for
    if models.direction is not None:
        arrays["weights"] = models.direction.weights
        arrays["bias"] = np.array([models.direction.bias], np.float32)
    if models.discriminant is not None:
        arrays["own"] = models.discriminant.own
        arrays["beside"] = models.discriminant.surrounding
        arrays["middle"] = np.array([models.discriminant.bias])
    return arrays


def _state(fitted: Fitted) -> dict[str, object]:
    """The content of detector.json."""
    setup, backbone, reference = fitted.setup, fitted.setup.backbone, fitted.reference
    state: dict[str, object] = {
        "format": FORMAT,
        "settings": setup.settings.to_json(),
        "backbone": {
            "name": backbone.name,
            "layers": list(backbone.layers),
            "dimension": backbone.dimension,
            "weights": backbone.weights,
            "fingerprint": backbone.fingerprint,
            "engine": setup.engine,
        },
        "grid": list(setup.grid),
        "guaranteed": reference.guaranteed,
        "roi": setup.region is not None,
        "held_out": fitted.held_out is not None,
        "distances": {
            n: getattr(reference, n) for n in ("radius", "radius_of_full", "too_normal", "visible_from")
        },
        "fusion": fitted.models.fusion.name,
        "fusions": models_state.fusions_state(fitted.models),
        "paintings": [one.state() for one in fitted.models.paintings],
    }
    plain = fitted.refit.patchcore
    if plain is not None and fitted.held_out is not None and plain[0] is fitted.held_out.negative:
        state["usual"] = plain[1].state()
    return state


@dataclass(frozen=True)
class _Stored:
    """The content of a folder in the present format. state: of detector.json. arrays: of direction.safetensors.

    held_out: None where the folder has format 1, or holds what judges alone.
    """

    state: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    banks: Banks
    examples: Examples
    held_out: HeldOut | None
    region: Region | None


def load(folder: Path, backbone: Backbone | None = None) -> Fitted:
    """Read a folder that `save` wrote, in this or an older format.

    backbone: one that is loaded already; None loads the one that the banks were built with. Raises Damaged
    for a damaged folder, and BadInput for a backbone other than the one that the banks were built with.
    """
    try:
        state = json.loads((folder / "detector.json").read_text())
        settings, backbone = Settings.from_json(state["settings"]), _backbone(state["backbone"], backbone)
        stored = _read(folder, state, backbone.dimension)
        empty = unfitted(backbone, settings, stored.region)
        height, width = state["grid"]
        fitted = replace(
            empty,
            setup=replace(
                empty.setup,
                grid=(int(height), int(width)),
                engine=str(state["backbone"].get("engine", "")),
            ),
            banks=stored.banks,
            examples=stored.examples,
            held_out=stored.held_out,
            reference=_reference(stored),
            models=_models(stored),
            refit=_refit(stored),
        )
        require_sound(fitted)
        return fitted
    except BadInput:
        raise
    except DAMAGED as error:
        raise Damaged(f"files of {folder} are missing or cannot be read") from error


def _backbone(kept: Mapping[str, Any], backbone: Backbone | None) -> Backbone:
    """The backbone that banks were built with. Raises BadInput where another one is given."""
    backbone = backbone or backbones.load(kept["name"])
    if backbone.fingerprint != kept["fingerprint"] or list(backbone.layers) != kept["layers"]:
        raise BadInput(
            f"This bank version was built with {kept['name']} ({', '.join(kept['layers'])}; "
            f"{kept['weights']}),"
            f" not {backbone.name} ({', '.join(backbone.layers)}; {backbone.weights}); build a new one."
        )
    return backbone


def _read(folder: Path, state: Mapping[str, Any], dimension: int) -> _Stored:
    """Read a folder of any format, with defaults for what older formats lack. Nothing else knows older formats.

    Format 1 has no examples, held-out images and reference distances. Folders of format 2 may be older than
    the region of interest, guaranteed thresholds, the stored scores of PatchCore ("usual"), unmarked patches
    ("stand_for"), the transfer of paintings and versions without held-out images.
    """
    older: Mapping[str, Any] = {"roi": False, "usual": None, "paintings": []}
    lifted = {"guaranteed": False, "held_out": True, **older, **state}
    negative, positive, arrays = Bank.load(folder / "negative.safetensors"), None, {}
    if any(name != "patchcore" for name in state["fusions"]):
        positive = Bank.load(folder / "positive.safetensors")
        arrays = load_file(folder / "direction.safetensors")
    region = Region(load_file(folder / ROI)["roi"]) if lifted["roi"] else None
    banks, unmarked = Banks(negative, positive), empty_examples(dimension)
    if state["format"] < 2:
        lifted["distances"] = {"radius": 0.0, "too_normal": 0.0, "visible_from": 0.0}
        empty = Examples(empty_bank(dimension), unmarked, unmarked, np.zeros(0, np.float32))
        return _Stored(lifted, arrays | {"near": np.zeros((0, 0))}, banks, empty, None, region)
    normals, defects = (Bank.load(folder / f"{name}.safetensors") for name in ("learnt", "defects"))
    if "stand_for" in arrays:
        unmarked = Bank.load(folder / "unmarked.safetensors")
    examples = Examples(normals, defects, unmarked, arrays.get("stand_for", np.zeros(0, np.float32)))
    held = HeldOut.load(folder / "held_out.safetensors") if lifted["held_out"] else None
    return _Stored(lifted, arrays, banks, examples, held, region)


def _reference(stored: _Stored) -> Reference:
    distances, positive = stored.state["distances"], stored.banks.positive
    return Reference(
        radius=float(distances["radius"]),
        built=len(positive) if positive and stored.held_out else 0,
        too_normal=float(distances["too_normal"]),
        visible_from=float(distances["visible_from"]),
        guaranteed=bool(stored.state["guaranteed"]),
        radius_of_full=float(distances.get("radius_of_full", distances["radius"])),
    )


def _models(stored: _Stored) -> Models:
    fusions = models_state.restored_fusions(stored.state["fusions"])
    direction = discriminant = None
    arrays = stored.arrays
    if "weights" in arrays:
        direction = Direction(arrays["weights"], float(arrays["bias"][0]))
    if "own" in arrays:
        discriminant = Discriminant(arrays["own"], arrays["beside"], float(arrays["middle"][0]))
    painted = [Paintings.restore(kept) for kept in stored.state["paintings"]]
    return Models(fusions, fusions[stored.state["fusion"]][0], direction, discriminant, paintings=painted)


def _refit(stored: _Stored) -> Refit:
    held, examples, usual = stored.held_out, stored.examples, stored.state["usual"]
    if held is None:
        return Refit()
    patchcore = (held.negative, NormalScores.restore(usual)) if usual is not None else None
    if stored.banks.positive is None:
        return Refit(patchcore=patchcore, seen=stored.banks)
    unmarked = {}
    if "unmarked_near" in stored.arrays:
        unmarked = examples.unmarked.by_image(stored.arrays["unmarked_near"])
    distances = examples.defects.by_image(stored.arrays["near"])
    return Refit(distances, unmarked, patchcore=patchcore, seen=stored.banks)
