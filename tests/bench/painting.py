"""What each way of painting is worth: transfer on training parts first, then figures of the detector on held-out folds.

Transfer: on the training side of each grouped fold, normal and defective parts are cut in halves. A discriminant
(`detector/context.py`) learns normal patches of one half from PAINTED paintings on them, made after that half's
defects alone, and is tried on the real defects of the other half against normal patches of parts that it does not
know: the area under the ROC curve (AUROC) of patches, pooled and as the mean over defective images. Then the halves
change places. No test image is looked at.

Apart: whether a classifier tells paintings of one type from real defects of it (`evaluation/resemblance.py`).

Table: what placed ways give on held-out folds (`painting_table`).

Folds are kept as JSON in OUT/painting, so that a run that was interrupted goes on. `--steps transfer --datasets tiles
--seeds 0 --folds 1` takes minutes, all of it hours.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from exdd_core import datasets
from exdd_core.datasets import DEFECT, Record
from exdd_core.detector.examples import Marked
from exdd_core.evaluation.resemblance import Pooled, Resemblance, Test, compare
from exdd_core.images import Size
from tests.bench import painting_table, real_images
from tests.bench.contact_sheet import PROMPTS
from tests.bench.grid import FOLDERS, FOLDS
from tests.bench.ways import PAINTED, WAYS, Reader, Side, paint, patches_of
from tests.lines import fit

APART = 12  # paintings of each type
SHAPES_OF = {  # generated masks for a defect of this kind
    "blowhole": ("spot",),
    "break": ("blotch",),
    "crack": ("crack", "scratch"),
    "fray": ("blotch",),
    "uneven": ("blotch",),
    "defect": ("crack",),  # the commutators'
}
SAMPLED = 60  # normal images of a half whose patches are compared


class Tried(TypedDict):
    """Transfer of one way on one half. types: mean AUROC over the images of each type of defect."""

    pooled: float
    mean: float
    types: dict[str, float]


def main(options: argparse.Namespace) -> None:
    data, kept = real_images(), Path(options.out) / "painting"
    kept.mkdir(parents=True, exist_ok=True)
    steps = options.steps.split(",") if options.steps else ["transfer", "apart", "table"]
    seeds = [int(seed) for seed in options.seeds.split(",")]
    chosen = [(seed, fold) for seed in seeds for fold in range(options.folds or FOLDS)]
    for name in options.datasets.split(","):
        began, (folder, size) = time.monotonic(), FOLDERS[name]
        if "transfer" in steps:
            show_transfer(name, [transferred(data / folder, size, kept, name, *one) for one in chosen])
        if "apart" in steps:
            show_apart(name, apart(data / folder, size, kept, name, *chosen[0]))
        print(f"({name}: {time.monotonic() - began:.0f} s)")
    if "table" in steps:
        painting_table.run(data, kept, options.datasets.split(","), seeds, options.folds)


# --- transfer -----------------------------------------------------------------------------------------


def transferred(
    root: Path, size: Size, kept: Path, name: str, seed: int, fold: int
) -> dict[str, list[Tried]]:
    """By way, its transfer from each half of a fold's training side to the other."""
    file = kept / f"transfer_{name}_{seed}_{fold}.json"
    found: dict[str, list[Tried]] = json.loads(file.read_text()) if file.is_file() else {}
    missing = [way for way in ("perfect", *WAYS) if way not in found]
    if missing:
        _, records = datasets.read_layout(root)
        test = datasets.folds(records, FOLDS, seed)[fold]
        training = [record for number, record in enumerate(records) if number not in test]
        sides = halves(training, np.random.default_rng([seed, fold]))
        read = Reader(root, size)
        for way in missing:
            found[way] = [
                tried(read, way, *sides, [seed, fold]),
                tried(read, way, *sides[::-1], [seed, fold]),
            ]
            file.write_text(json.dumps(found))
    return found


def halves(training: Sequence[Record], rng: np.random.Generator) -> tuple[Side, Side]:
    """The training images in two halves that share no physical part; each has SAMPLED normal images at most."""
    defective = {record.group for record in training if record.label == DEFECT}
    first: set[str] = set()
    for groups in (defective, {record.group for record in training} - defective):
        first.update(rng.permutation(sorted(groups))[::2].tolist())
    sides = []
    for own in ([r for r in training if r.group in first], [r for r in training if r.group not in first]):
        normals = [record for record in own if record.label != DEFECT]
        chosen = [normals[int(i)] for i in rng.permutation(len(normals))[:SAMPLED]]
        sides.append(Side(chosen, [r for r in own if r.label == DEFECT and r.mask]))
    return sides[0], sides[1]


def tried(read: Reader, name: str, learn: Side, other: Side, seed: list[int]) -> Tried:
    """The transfer of one way from a half's defects to the other half's."""
    if name == "perfect":
        paintings = read.real(learn.defects)
    else:
        made = paint(read.root, WAYS[name], learn, np.random.default_rng(seed), PAINTED)
        paintings = read.painted(name, made)
    weights = np.concatenate([np.full(len(m.rows), len(m.rows) ** -0.5) for m in paintings])
    found, _ = fit(read.normals(learn.normals), patches_of(*_joined(paintings), weights))
    usual = read.normals(other.normals)
    at_normals = np.sort(found(usual.rows, usual.around))
    real = read.real(other.defects)
    values = [found(*_joined([marked])) for marked in real]
    each = [_auroc(value, at_normals) for value in values]
    types: dict[str, list[float]] = {}
    for marked, value in zip(real, each, strict=True):
        types.setdefault(marked.image.defect_type, []).append(value)
    return {
        "pooled": _auroc(np.concatenate(values), at_normals),
        "mean": float(np.mean(each)),
        "types": {kind: float(np.mean(several)) for kind, several in sorted(types.items())},
    }


def _joined(several: Sequence[Marked]) -> tuple[np.ndarray, np.ndarray]:
    """Patches (n, d) and their surroundings (n, e)."""
    around = [marked.surroundings for marked in several if marked.surroundings is not None]
    return np.concatenate([marked.rows for marked in several]), np.concatenate(around)


def _auroc(values: np.ndarray, usual: np.ndarray) -> float:
    """usual: sorted. Ties count half."""
    below = np.searchsorted(usual, values, "left") + np.searchsorted(usual, values, "right")
    return float(below.mean() / (2 * len(usual)))


def show_transfer(name: str, folds: list[dict[str, list[Tried]]]) -> None:
    every = {way: [one for fold in folds for one in fold[way]] for way in folds[0]}
    kinds = sorted(every["perfect"][0]["types"])
    print(
        f"\n{name}: transfer of {PAINTED} paintings, mean over {len(every['perfect'])} halves of {len(folds)} folds"
    )
    print(f"{'':22s} pooled  mean" + "".join(f"{kind:>10s}" for kind in kinds))
    for way, several in every.items():
        types = [np.mean([one["types"][kind] for one in several if kind in one["types"]]) for kind in kinds]
        line = f"{way:22s} {_mean(several, 'pooled'):6.2f} {_mean(several, 'mean'):5.2f}"
        print(line + "".join(f"{value:10.2f}" for value in types))


def _mean(several: Sequence[Mapping[str, object]], name: str) -> float:
    return float(np.mean([float(str(one[name])) for one in several]))


# --- told apart? --------------------------------------------------------------------------------------


def apart(
    root: Path, size: Size, kept: Path, name: str, seed: int, fold: int
) -> dict[str, dict[str, Resemblance]]:
    """By way and type, APART paintings against all real defects of a fold's training side."""
    file = kept / f"apart_{name}_{seed}_{fold}.json"
    found = json.loads(file.read_text()) if file.is_file() else {}
    _, records = datasets.read_layout(root)
    test = datasets.folds(records, FOLDS, seed)[fold]
    training = [record for number, record in enumerate(records) if number not in test]
    read, real = Reader(root, size), dict[str, Pooled]()
    normals = [record for record in training if record.label != DEFECT]
    kinds = sorted({record.defect_type for record in training if record.label == DEFECT})
    for way, kind in itertools.product(WAYS, kinds):
        if kind in found.setdefault(way, {}):
            continue
        defects = [r for r in training if r.label == DEFECT and r.mask and r.defect_type == kind]
        if kind not in real:
            real[kind] = read.pooled([read.training(record) for record in defects])
        one, prompt, rng = WAYS[way], "", np.random.default_rng([seed, fold])
        if one.shapes:  # as a person would order it
            one, prompt = replace(one, shapes=SHAPES_OF[kind]), PROMPTS[kind]
        made = paint(root, one, Side(normals, defects), rng, APART, prompt)
        found[way][kind] = asdict(compare(real[kind], read.pooled(read.paintings(way, made))))
        file.write_text(json.dumps(found))
    return {way: {kind: restored(one) for kind, one in several.items()} for way, several in found.items()}


def restored(values: dict[str, Any]) -> Resemblance:
    own, ring = (Test(**values[name]) if values[name] else None for name in ("own", "ring"))
    return Resemblance(**values | {"own": own, "ring": ring})


def show_apart(name: str, found: dict[str, dict[str, Resemblance]]) -> None:
    print(f"\n{name}: {APART} paintings of each type against real defects of the training side of one fold")
    for way, several in found.items():
        for kind, one in several.items():
            if one.own and one.ring:
                print(
                    f"{way:22s} {kind:9s} {one.real_parts:3d} parts: {one.own.auroc:.2f} (chance up to "
                    f"{one.own.high:.2f}), ring {one.ring.auroc:.2f} ({one.ring.high:.2f}): {one.verdict}; kernel "
                    f"distance {one.kid:.2f} (real {one.kid_real:.2f} +- {one.kid_spread:.2f}), diversity "
                    f"{one.diversity:.2f}, copies {100 * (one.copies or 0):.0f} %"
                )
