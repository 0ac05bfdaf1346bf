"""Scores and heatmaps of images, from a data set or not: score.

Knows files and folders of images, and the truth where a data set has it. Does not know how a score is made.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exdd_core.cli.arguments import Add, new_file, open_workspace
from exdd_core.cli.terminal import progress, say
from exdd_core.errors import BadInput

BATCH = 8  # images scored at a time: their maps have the images' own size


def score_options(add: Add) -> None:
    add("paths", type=Path, nargs="+", metavar="PATH", help="images, or folders of images")
    add("--bank", metavar="VERSION", help="such as v3; default: the active one")
    add("--csv", type=new_file(), metavar="FILE", help="write the table of results")
    add(
        "--png",
        type=Path,
        metavar="DIR",
        help="write image, both heatmaps and their difference for each image",
    )


def score(options: argparse.Namespace) -> dict[str, Any]:
    """Score images or whole folders with PatchCore and ExDD, by the active bank version."""
    from exdd_core import reports

    workspace = open_workspace(options)
    paths, bank = _images_in(options.paths), workspace.bank(options.bank)
    known = {row.path: row for info in workspace.datasets() for row in workspace.images(info.name)}
    for target in (options.png, options.csv.parent if options.csv else None):
        if target:
            target.mkdir(parents=True, exist_ok=True)
    detector, watched = workspace.detector(bank.id), progress()
    watched.begin("Scoring images", len(paths))
    rows, unreadable = [], []
    for start in range(0, len(paths), BATCH):
        images, broken = _read_images(paths[start : start + BATCH], strict=options.paths)
        unreadable += broken
        compared = detector.compare([pixels for _, pixels in images]) if images else []
        for (path, pixels), (patchcore, exdd) in zip(images, compared, strict=True):
            truth = known.get(path.resolve())
            known_of = (truth.label, truth.defect_type) if truth else ("", "")
            rows.append(reports.result_row(str(path), *known_of, patchcore, exdd, bank.name))
            if options.png:
                mask = _truth_mask(truth, pixels.shape[:2])
                target = options.png / f"{_flat_name(path, options.paths)}.png"
                reports.write_panes(target, pixels, patchcore, exdd, mask, title=path.name)
        watched.advance(min(BATCH, len(paths) - start))
    if options.csv:
        reports.write_csv(options.csv, rows)
    for item in unreadable:
        say(f"Left out: {item['reason']}")
    if not rows:
        raise BadInput("None of these images could be read; nothing was scored.")
    if not options.json:
        _print_scores(rows)
    return {"bank_version": bank.name, "bank": bank.id, "images": rows, "unreadable": unreadable}


def _images_in(paths: Sequence[Path]) -> list[Path]:
    from exdd_core.datasets.tree import image_files

    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path} does not exist; check the path.")
        inside = image_files(path) if path.is_dir() else [path]
        if not inside:
            raise BadInput(f"{path} holds no images; name the folder that holds them.")
        found += inside
    return list(dict.fromkeys(found))


def _read_images(
    paths: Sequence[Path], strict: Sequence[Path]
) -> tuple[list[tuple[Path, Any]], list[dict[str, str]]]:
    """The images that can be read with their paths, and the others with a reason.

    One that was named itself (in `strict`) must be readable; one in a named folder may be left out.
    """
    from exdd_core.images import read_image

    images, broken = [], []
    for path in paths:
        try:
            images.append((path, read_image(path)))
        except BadInput as error:
            if path in strict:
                raise
            broken.append({"image": str(path), "reason": str(error)})
    return images, broken


def _truth_mask(truth: Any, shape: tuple[int, int]) -> Any:
    from exdd_core.images import read_mask

    return read_mask(truth.mask, shape) if truth is not None and truth.mask else None


def _flat_name(path: Path, named: Sequence[Path]) -> str:
    """A file name no other image of the named folders has: its path below the folder, joined by dashes."""
    folder = next((p for p in named if p.is_dir() and path.is_relative_to(p)), path.parent)
    return "-".join((folder.name, *path.relative_to(folder).with_suffix("").parts, path.suffix[1:])).lstrip(
        "-."
    )


def _print_scores(rows: list[dict[str, Any]]) -> None:
    print(f"{'PatchCore':>24}  {'ExDD':>24}  image")
    for row in rows:
        cells = [
            f"{row[f'{m}_score']:9.3f} of {row[f'{m}_threshold']:<9.3f} {row[f'{m}_verdict']:>8}"
            for m in ("patchcore", "exdd")
        ]
        chance = row["exdd_probability"]
        likely = "" if chance is None else f" Probability of a defect: {chance:.0%}."
        print(f"{'  '.join(cells)}  {row['image']}\n    {row['exdd_reason']}{likely}")
