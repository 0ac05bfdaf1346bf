"""Fitted models as JSON, as they are stored with a change to the banks.

Knows models. Does not know where the JSON is stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, TypedDict

import numpy as np

from exdd_core.detector import fusion
from exdd_core.detector.context import Discriminant, DiscriminantState
from exdd_core.detector.direction import Direction
from exdd_core.detector.fitted import Models
from exdd_core.detector.fusion import Fusion
from exdd_core.detector.thresholds import Calibration
from exdd_core.detector.transfer import Paintings, PaintingsState


class DirectionState(TypedDict):
    """`Direction` as JSON."""

    weights: list[float]
    bias: float


class FusionState(TypedDict):
    """A fusion and its calibration as JSON."""

    state: fusion.State
    calibration: dict[str, float | tuple[float, float] | None]


class ModelsState(TypedDict):
    """`Models` as JSON, without the discriminants of folds."""

    direction: DirectionState | None
    discriminant: DiscriminantState | None
    fusion: str
    fusions: dict[str, FusionState]
    paintings: list[PaintingsState]


def state(models: Models) -> ModelsState:
    """The models as JSON; `restored` reads them."""
    line = models.direction
    return {
        "direction": {"weights": line.weights.tolist(), "bias": line.bias} if line else None,
        "discriminant": models.discriminant.state() if models.discriminant else None,
        "fusion": models.fusion.name,
        "fusions": fusions_state(models),
        "paintings": [one.state() for one in models.paintings],
    }


def restored(state: Mapping[str, Any], models: Models) -> Models:
    """`models` with what `state` described in place of its own."""
    line, whole = state["direction"], state.get("discriminant")
    fusions = restored_fusions(state["fusions"])
    return replace(
        models,
        direction=Direction(np.array(line["weights"], np.float32), float(line["bias"])) if line else None,
        discriminant=Discriminant.restore(whole) if whole else None,
        fusions=fusions,
        fusion=fusions[state["fusion"]][0],
        paintings=[Paintings.restore(kept) for kept in state.get("paintings", ())],
    )


def fusions_state(models: Models) -> dict[str, FusionState]:
    """All fusions with their calibrations as JSON."""
    return {
        name: {"state": one.state(), "calibration": asdict(calibration)}
        for name, (one, calibration) in models.fusions.items()
    }


def restored_fusions(states: Mapping[str, FusionState]) -> dict[str, tuple[Fusion, Calibration]]:
    """The fusions that `fusions_state` described."""
    return {
        name: (fusion.restore(kept["state"]), Calibration.restore(kept["calibration"]))
        for name, kept in states.items()
    }
