"""The differences between two stored runs: settings, figures, verdicts and images.

Knows stored runs. Does not know pages or how a run was measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exdd_core.errors import BadInput
from exdd_core.measurements import SAME
from exdd_core.spec import Json
from exdd_core.workspace.runs import Run, flattened, settings


@dataclass(frozen=True)
class Difference:
    """One thing in which two runs differ. what: "setting" or "figure"; name such as "exdd, image_auroc"."""

    what: str
    name: str
    first: Any
    second: Any


def differences(first: Run, second: Run) -> list[Difference]:
    """The settings and the figures in which two runs differ, settings first."""
    asked = [settings(run) for run in (first, second)]
    figures = [_figures(run) for run in (first, second)]
    found = []
    for what, (a, b) in (("setting", asked), ("figure", figures)):
        for name in dict.fromkeys([*a, *b]):
            if not _same(a.get(name), b.get(name)):
                found.append(Difference(what, name, a.get(name), b.get(name)))
    return found


def changed_verdicts(first: Run, second: Run, method: str) -> dict[str, list[str]]:
    """The images of both runs that a method judged differently, by the threshold that it had in each run.

    Returns {"found", "lost", "new_alarms", "ended_alarms": lists of image ids}, from the first run to the
    second. Raises BadInput where a run did not measure the method.
    """
    alarms = [_alarms(run, method) for run in (first, second)]
    result: dict[str, list[str]] = {"found": [], "lost": [], "new_alarms": [], "ended_alarms": []}
    for id, (label, before) in alarms[0].items():
        now = alarms[1].get(id, (label, before))[1]
        if now != before:
            gained, gone = ("found", "lost") if label == "defect" else ("new_alarms", "ended_alarms")
            result[gained if now else gone].append(id)
    return result


def other_images(first: Run, second: Run) -> str:
    """One sentence where two runs measured different images; "" where not, or unknown."""
    ids = [set(run.result.get("per_image", {}).get("id", ())) for run in (first, second)]
    if not all(ids) or ids[0] == ids[1]:
        return ""
    both = len(ids[0] & ids[1])
    return (
        f"They did not measure the same images: {len(ids[0])} and {len(ids[1])}, {both} of them in both; "
        "figures may differ for that reason alone."
    )


def _alarms(run: Run, method: str) -> dict[str, tuple[str, bool]]:
    """{image id: its label, and whether its calibrated score is above the threshold, 1}."""
    if method not in run.result.get("calibrated", {}):
        raise BadInput(f'"{run.title}" did not measure {method}; choose a method that both have.')
    images = run.result["per_image"]
    scores = run.result["calibrated"][method]
    return {id: (label, s > 1) for id, label, s in zip(images["id"], images["label"], scores, strict=True)}


def changes_of(run: Run) -> dict[str, int]:
    """{method: the number of the last change of its bank version when it was measured}, where it is known."""
    known = run.spec.get("changes", run.result.get("changes"))
    if isinstance(known, Mapping):
        return {f"exdd_{name}": number for name, number in known.items()}
    return {} if known is None else {"exdd": known}


def _figures(run: Run) -> Json:
    return flattened(
        {key: run.result[key] for key in ("methods", "at_rate", "at_threshold") if key in run.result}
    )


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= SAME
    return bool(a == b)
