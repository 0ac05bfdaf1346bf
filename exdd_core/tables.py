"""The paper's tables on one's own images: methods side by side (Table 1), and more and more synthetic ones (Table 2).

Table 1 builds two bank versions from the training split, with real defects only and with accepted synthetic ones too,
and measures both and PatchCore on the test split, or does so by grouped folds of all images. Table 2 draws that many
of the accepted ones, with several seeds.
What taught the banks beyond the training split is left out of the test images, with its whole physical part.

Knows the workspace's banks and candidates, and stores what it measures as runs. Does not know pages or commands.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core import dataset_settings, runs
from exdd_core.confidence import PIXEL_FIGURES
from exdd_core.errors import BadInput
from exdd_core.progress import Progress

if TYPE_CHECKING:
    from exdd_core.detector import Detector, Settings
    from exdd_core.detector.backbones import Backbone
    from exdd_core.detector.bank import BankImage
    from exdd_core.detector.examples import TrainingImage
    from exdd_core.workspace import BankVersion, ImageRow, Workspace

TITLES = {
    "patchcore": "PatchCore",
    "exdd": "ExDD",
    "exdd_base": "ExDD base (real defects)",
    "exdd_full": "ExDD full (and accepted synthetic ones)",
}
METRIC_TITLES = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "image_f1": "best F1",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO",
}
# What the paper reports of KSDD2, as shares: its own images and backbone, so they stand beside ours, never among them.
PAPER_DATASET = "KSDD2"
PAPER = {
    "patchcore": {"image_auroc": 0.912, "pixel_auroc": 0.958},
    "exdd_base": {"image_auroc": 0.931, "pixel_auroc": 0.969},
    "exdd_full": {"image_auroc": 0.942, "pixel_auroc": 0.977},
}
PAPER_SWEEP = {
    0: {"image_auroc": 0.931, "pixel_auroc": 0.969},
    50: {"image_auroc": 0.934, "pixel_auroc": 0.971},
    100: {"image_auroc": 0.942, "pixel_auroc": 0.977},
    150: {"image_auroc": 0.935, "pixel_auroc": 0.972},
}
COUNTS = (0, 50, 100, 150)


NO_MASKS = "no masks"


def without_masks(result: Mapping[str, Any], metric: str) -> bool:
    """Whether a measurement has no such figure because no defective image has a mask."""
    masks = result.get("masks") or {}
    return metric in PIXEL_FIGURES and not masks.get("used") and bool(masks.get("missing"))


def title(method: str) -> str:
    """What people call a method: a fusion by its name."""
    return TITLES.get(method, method)


def short_title(method: str) -> str:
    """The same without what stands in brackets."""
    return title(method).split(" (")[0]


def unseen_images(
    workspace: Workspace,
    dataset: str,
    learnt: Iterable[BankImage | TrainingImage],
    state: int | None = None,
) -> tuple[list[ImageRow], str]:
    """The test images of parts that taught no bank, and one sentence on those left out ("" for none).

    A person may teach a bank by a test image (a missed defect, a false alarm) or paint into one. learnt: what banks are
    made of. state: of the data set; None is as it is now. Raises BadInput where nothing is left.
    """
    from exdd_core import curation

    rows = workspace.images(dataset, split="test", state=state)
    if not rows:
        raise BadInput(f'The data set "{dataset}" has no test images; measure it by folds instead.')
    taught = {found.detail["group"] for found in curation.taught(workspace, dataset).values()}
    trained = {row.id for row in workspace.images(dataset, split="train", state=state)}
    for image in learnt:  # a version may hold what was marked when it was built and is no longer
        if image.origin == "synthetic" or image.id not in trained:
            taught |= {image.group, image.donor} - {""}
    left = [row for row in rows if row.group not in taught]
    if not left:
        raise BadInput(
            f'Every test image of "{dataset}" has taught a bank; there is none left to measure with.'
        )
    out = len(rows) - len(left)
    return left, f"{out} test images are left out: their parts have taught a bank." if out else ""


def table_one(workspace: Workspace, spec: dict[str, Any], progress: Progress, job_id: str) -> dict[str, Any]:
    """PatchCore, ExDD base and ExDD full on the test split or by folds, stored as a run of the job's id.

    spec: `dataset`, its `state` (null: as it is now), `rate`, `seed`, `fusion`, `max_real_parts` and the kept shares
    as `Workspace.build` takes them; `folds` (null: the test split); `base` and `full`, ids of bank versions that are
    built already, and `changes`, the number of the last change of each; by folds `synthetic`, ids of accepted
    defects (null: all). Without accepted synthetic defects full is left out.
    """
    from exdd_core.evaluation import FALSE_ALARM_RATE

    began = time.monotonic()
    info, guessed = dataset_settings.settled(workspace, spec.get("dataset"), spec.get("state"), progress)
    dataset = info.name
    spec = {
        **spec,
        "dataset": dataset,
        "state": info.state,
        "rate": FALSE_ALARM_RATE if spec.get("rate") is None else spec["rate"],
    }
    measure = _by_folds if spec.get("folds") else _by_test_split
    result, banks = measure(workspace, dataset, spec, progress)
    made_of = {"state": info.state, "fingerprint": runs.fingerprint(workspace, dataset, info.state)}
    notes = [*filter(None, [guessed]), *result["notes"]]
    result = {"dataset": dataset, **made_of, **result, "notes": notes}
    title = f"{dataset}: Table 1" + (f", {spec['folds']} grouped folds" if spec.get("folds") else "")
    seconds = time.monotonic() - began
    runs.store(workspace, job_id, "table1", title, {**spec, **banks}, result, seconds=seconds)
    return {key: value for key, value in result.items() if key not in runs.BULKY} | {"run": job_id}


NO_FULL = "ExDD full is left out: no synthetic defect has been accepted yet."


def _by_test_split(
    workspace: Workspace, dataset: str, spec: dict[str, Any], progress: Progress
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was measured, and the ids of the bank versions that were, with their last changes."""
    from exdd_core import history
    from exdd_core.evaluation import evaluate_methods, require_measurable, taught_by

    require_measurable(unseen_images(workspace, dataset, [], spec["state"])[0], spec["rate"])
    banks = {"exdd_base": _version(workspace, dataset, spec, "base", "real", progress)}
    note = NO_FULL
    if spec.get("full") or _accepted(workspace, dataset):
        banks["exdd_full"], note = _version(workspace, dataset, spec, "full", "both", progress), ""
    with workspace.reading() as db:
        changes = {name.removeprefix("exdd_"): history.newest(db, bank.id) for name, bank in banks.items()}
    changes |= spec.get("changes") or {}
    detectors = {
        name: workspace.detector(bank.id, changes[name.removeprefix("exdd_")]) for name, bank in banks.items()
    }
    learnt = taught_by(*detectors.values())
    rows, left_out = unseen_images(workspace, dataset, learnt, spec["state"])
    methods = {"patchcore": detectors["exdd_base"].patchcore(), **detectors}
    result = evaluate_methods(methods, rows, progress, rate=spec["rate"])
    result = {
        "banks": {name: bank.name for name, bank in banks.items()},
        "synthetic": len({image.id for image in learnt if image.origin == "synthetic"}),
        **result,
        "notes": [sentence for sentence in (note, left_out, *result["notes"]) if sentence],
    }
    return result, {name.removeprefix("exdd_"): bank.id for name, bank in banks.items()} | {
        "changes": changes
    }


def _by_folds(
    workspace: Workspace, dataset: str, spec: dict[str, Any], progress: Progress
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was measured, and the ids of the synthetic defects; every fold builds its own banks, which nobody keeps."""
    from exdd_core import curation
    from exdd_core.evaluation import cross_validate

    backbone, settings = fold_settings(workspace, dataset, spec)
    painted = _those(curation.accepted(workspace, dataset), spec.get("synthetic"))
    rows = workspace.images(dataset, state=spec["state"])
    result = cross_validate(
        rows,
        backbone,
        settings,
        folds=spec["folds"],
        seed=settings.seed,
        max_real_parts=spec.get("max_real_parts"),
        rate=spec["rate"],
        painted=painted,
        roi=workspace.region(dataset, spec["state"]),
        progress=progress,
    )
    labels = result["per_image"]["label"]  # without the images that were left out
    counts = {"images": len(labels), "defective": labels.count("defect")}
    notes = [*([] if painted else [NO_FULL]), *result["notes"]]
    made_of = {"synthetic": [image.id for image in painted]}
    return {**counts, "synthetic": len(painted), **result, "notes": notes}, made_of


def fold_settings(workspace: Workspace, dataset: str, spec: dict[str, Any]) -> tuple[Backbone, Settings]:
    """What the banks of folds are built with; what the spec leaves out or has as null is the default."""
    from exdd_core.detector import Settings
    from exdd_core.images import Size

    size, backbone = (
        workspace.dataset(dataset, spec.get("state")).size,
        workspace.backbone(spec.get("backbone")),
    )
    if spec.get("size"):
        size = Size.parse(spec["size"], spec.get("keep_aspect", size.keep_aspect))
    given = {name: spec.get(name) for name in ("negative_ratio", "positive_ratio", "fusion", "seed")}
    return backbone, Settings(
        backbone=backbone.name,
        size=size,
        depth=workspace.dataset(dataset, spec.get("state")).depth,
        **{name: value for name, value in given.items() if value is not None},
    )


def _version(
    workspace: Workspace, dataset: str, spec: dict[str, Any], which: str, positives: str, progress: Progress
) -> BankVersion:
    """The bank version that the spec names, or a new one, which does not become the active one."""
    if spec.get(which):
        return workspace.bank(spec[which])
    names = ("state", "seed", "max_real_parts", "negative_ratio", "positive_ratio", "backbone", "fusion")
    given = {name: spec[name] for name in names if spec.get(name) is not None}
    return workspace.build(dataset, positives=positives, activate=False, progress=progress, **given)


def _those(accepted: Sequence[TrainingImage], wanted: Sequence[str] | None) -> list[TrainingImage]:
    """The accepted defects that a record names, in its order; all where it names none. Raises BadInput."""
    if wanted is None:
        return list(accepted)
    there = {image.id: image for image in accepted}
    gone = [id for id in wanted if id not in there]
    if gone:
        raise BadInput(
            f"{len(gone)} of the {len(wanted)} synthetic defects of that measurement are no longer accepted; "
            "accept them again in Curate, or measure anew."
        )
    return [there[id] for id in wanted]


def _accepted(workspace: Workspace, dataset: str) -> int:
    from exdd_core import candidates

    return candidates.count(workspace, dataset, status="accepted")


# --- Table 2 ----------------------------------------------------------------------------------------------


def sweep(workspace: Workspace, spec: dict[str, Any], progress: Progress, job_id: str) -> dict[str, Any]:
    """ExDD with real defects and `counts` of the accepted synthetic ones, for each of `seeds` draws; one run in all.

    spec: `dataset`, `counts` (a list), `seeds` (how many), and the kept shares as `Workspace.build` takes them;
    `synthetic`, ids of accepted ones to draw from (null: all). Every cell is stored as soon as it is measured; called
    again with the same job id, this goes on after the last one.
    Raises BadInput where a count is more than there are accepted ones.
    """
    began = time.monotonic()
    info, guessed = dataset_settings.settled(workspace, spec.get("dataset"), spec.get("state"), progress)
    dataset, spec = info.name, {**spec, "state": info.state}
    counts, seeds = sorted(set(spec["counts"])), spec["seeds"]
    require_accepted(workspace, dataset, counts)
    work = _Sweep(workspace, dataset, spec, progress)
    work.notes[:0] = filter(None, [guessed])
    result: dict[str, Any] = {
        "dataset": dataset,
        "state": info.state,
        "fingerprint": runs.fingerprint(workspace, dataset, info.state),
        "counts": counts,
        "seeds": seeds,
        "synthetic": [image.id for image in work.pool],
        "cells": [],
        "complete": False,
    }
    result |= {"notes": work.notes, "masks": None} | _so_far(workspace, job_id, result)
    spec = {**spec, "dataset": dataset, "counts": counts, "synthetic": result["synthetic"]}
    wanted = [(seed, count) for seed in range(seeds) for count in counts]
    there = {(cell["seed"], cell["count"]) for cell in result["cells"]}
    for seed, count in wanted:
        if (seed, count) in there:
            continue
        result["cells"].append({"seed": seed, "count": count, **work.measure(seed, count)})
        result |= {"notes": work.notes, "masks": work.masks}
        _keep(workspace, job_id, spec, result | _by_count(result["cells"]), began)
    result |= _by_count(result["cells"])
    result["complete"] = True
    _keep(workspace, job_id, spec, result, began)
    return {**result, "synthetic": len(result["synthetic"]), "run": job_id}


def require_accepted(workspace: Workspace, dataset: str, counts: Sequence[int]) -> None:
    """Raise BadInput where more synthetic defects are asked for than have been accepted."""
    there = _accepted(workspace, dataset)
    if max(counts) > there:
        raise BadInput(
            f"{max(counts)} synthetic defects are asked for and {there} are accepted; "
            "accept more in Curate, or give smaller counts."
        )


def _by_count(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """{"methods", "deviation": {count: {metric: mean or standard deviation over the seeds measured so far}}}."""
    from exdd_core.evaluation import METRICS

    of = {
        str(count): [cell["figures"] for cell in cells if cell["count"] == count]
        for count in sorted({cell["count"] for cell in cells})
    }
    return {
        name: {n: {m: _combined(own, m, combine) for m in METRICS} for n, own in of.items()}
        for name, combine in (("methods", np.mean), ("deviation", np.std))
    }


def _combined(figures: Sequence[dict[str, Any]], metric: str, combine: Any) -> float | None:
    """One figure of several draws; None where there are none, as of images without masks."""
    known = [own[metric] for own in figures if own[metric] is not None]
    return float(combine(known)) if known else None


def _so_far(workspace: Workspace, job_id: str, result: dict[str, Any]) -> dict[str, Any]:
    """What an interrupted sweep had measured, unless other images or other accepted ones are there now."""
    try:
        former = runs.get(workspace, job_id).result
    except BadInput:
        return {}
    same = all(former[key] == result[key] for key in ("fingerprint", "synthetic"))
    return {key: former[key] for key in ("cells", "notes", "masks") if key in former} if same else {}


def _keep(
    workspace: Workspace, job_id: str, spec: dict[str, Any], result: dict[str, Any], began: float
) -> None:
    title = f"{result['dataset']}: synthetic defects {', '.join(map(str, result['counts']))}"
    runs.store(workspace, job_id, "sweep", title, spec, result, seconds=time.monotonic() - began)


class _Sweep:
    """What the cells of one sweep have in common: features are computed once, the negative bank once a seed."""

    def __init__(self, workspace: Workspace, dataset: str, spec: dict[str, Any], progress: Progress):
        from exdd_core.detector import Settings
        from exdd_core.evaluation import require_measurable, without_outside
        from exdd_core.region import Region

        self.workspace, self.dataset, self.progress = workspace, dataset, progress
        kind = "both" if _accepted(workspace, dataset) else "real"
        self.normals, defects, _ = workspace._training_images(
            dataset, kind, spec.get("max_real_parts"), 0, spec.get("state")
        )
        self.real = [image for image in defects if image.origin != "synthetic"]
        synthetic = [image for image in defects if image.origin == "synthetic"]
        self.pool = _those(synthetic, spec.get("synthetic"))
        self.backbone = workspace.backbone(spec.get("backbone"))
        ratios = {k: spec[k] for k in ("negative_ratio", "positive_ratio") if spec.get(k) is not None}
        info, roi = (
            workspace.dataset(dataset, spec.get("state")),
            workspace.region(dataset, spec.get("state")),
        )
        self.settings = Settings(backbone=self.backbone.name, size=info.size, depth=info.depth, **ratios)
        self.region = None if roi is None else Region(roi)
        rows, left_out = unseen_images(workspace, dataset, self.pool, spec.get("state"))
        self.rows, outside = without_outside(rows, self.region)
        self.notes = [*([left_out] if left_out else []), *outside]
        require_measurable(self.rows)
        self._begun: tuple[int, Detector] | None = None
        self._features: Any = None
        self._test: Any = None
        self.masks: dict[str, int] | None = None  # as `TestImages.masked`, once images are read

    def measure(self, seed: int, count: int) -> dict[str, Any]:
        """One cell: {"figures", "fusion", "positive_rows"}."""
        from exdd_core import curation
        from exdd_core.evaluation import measure_images, read_images

        if self._test is None:
            self._test = read_images(self.rows, self.backbone, self.settings, self.progress, self.region)
            self.masks, self.notes = self._test.masked, [*self.notes, *self._test.notes]
        detector = self._detector(seed, count)
        detector = curation.without_false_alarms(self.workspace, self.dataset, detector, self.progress)
        figures = measure_images(detector, self.rows, self._test, self.progress)
        summary = detector.summary()
        return {"figures": figures, "fusion": summary["fusion"], "positive_rows": summary["positive_rows"]}

    def _detector(self, seed: int, count: int) -> Detector:
        """A detector of all normals, all real defects and `count` synthetic ones; more hold those of fewer."""
        from exdd_core.detector import Detector
        from exdd_core.detector.examples import patch_set

        n, m = len(self.normals), len(self.real)
        if self._features is None:
            images = [*self.normals, *self.real, *self.pool]
            size, reader = self.settings.size, self.settings.read
            self._features = patch_set(self.backbone, images, size, self.progress, reader, self.region)
        drawn = np.random.default_rng(seed).permutation(len(self.pool))[:count]
        defects = self._features.take([*range(n, n + m), *(n + m + i for i in np.sort(drawn))])
        if self._begun is None or self._begun[0] != seed:
            detector = Detector(self.backbone, replace(self.settings, seed=seed), self.region)
            detector.fit_patches(self._features.take(range(n)), defects, self.progress)
            self._begun = (seed, detector)
            return detector
        return self._begun[1].fit_defects(defects.marked(), self.progress)
