"""Scores and heatmaps of images, from a data set or not: score.

Knows files and folders of images, and the truth where a data set has it. Does not know how a score is made.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core.cli.arguments import Add, new_file, open_workspace
from exdd_core.cli.terminal import progress, say
from exdd_core.errors import BadInput

if TYPE_CHECKING:  # imported by the command that needs them: --help answers at once
    from exdd_core.detector import Settings
    from exdd_core.picture import Picture
    from exdd_core.workspace import ImageRow

BATCH = 8  # images scored at a time: their maps have the images' own size
LONGEST = 120  # bytes of a file's name without suffix; some file systems take no more than 143


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


@dataclass(frozen=True)
class Read:
    """One image that can be scored. truth: its row where a data set of the workspace has it."""

    path: Path
    picture: Picture
    truth: ImageRow | None


def score(options: argparse.Namespace) -> dict[str, Any]:
    """Score images or whole folders with PatchCore and ExDD, by the active bank version."""
    from exdd_core.banks import training_images
    from exdd_core.banks.detectors import load_detector
    from exdd_core.datasets import incoming
    from exdd_core.review import export

    workspace = open_workspace(options)
    (paths, left_out), bank = _images_in(options.paths), workspace.bank(options.bank)
    known = {row.path: row for info in workspace.datasets() for row in workspace.images(info.name)}
    for target in (options.png, options.csv.parent if options.csv else None):
        if target:
            target.mkdir(parents=True, exist_ok=True)
    detector, watched = load_detector(workspace, bank.id), progress()
    taught, settings = training_images.TrainingFiles(workspace, bank, detector), detector.settings
    names = pane_names(paths, options.paths)
    watched.begin("Scoring images", len(paths))
    rows, unreadable, shallow = [], [], 0
    for start in range(0, len(paths), BATCH):
        images, broken = _read_images(paths[start : start + BATCH], options.paths, known, settings)
        unreadable += broken
        compared = detector.compare([one.picture.pixels for one in images]) if images else []
        for one, (patchcore, exdd) in zip(images, compared, strict=True):
            of = (one.truth.label, one.truth.defect_type) if one.truth else ("", "")
            row = export.result_row(str(one.path), *of, patchcore, exdd, bank.name)
            id = one.truth.id if one.truth else _id_of(one.path)
            rows.append(_with_notes(row, one, taught.sentence(id, one.path), bank.name, settings))
            shallow += one.picture.depth is None
            if options.png:
                mask = _truth_mask(one.truth, one.picture.pixels.shape[:2])
                target = options.png / f"{names[one.path]}.png"
                export.write_panes(target, one.picture.pixels, patchcore, exdd, mask, title=one.path.name)
        watched.advance(min(BATCH, len(paths) - start))
    if options.csv:
        export.write_csv(options.csv, rows)
    for item in unreadable:
        say(f"Left out: {item['reason']}")
    for item in left_out:
        say(f"Left out: {item['image']}: {item['reason']}.")
    if not rows:
        raise BadInput("None of these images could be read; nothing was scored.")
    depth = settings.depth
    notes = [incoming.shallow_note(shallow, bank.name, depth)] if shallow and depth else []
    if not options.json:
        _print_scores(rows)
        print(*notes, sep="\n", end="\n" if notes else "")
    return {
        "bank_version": bank.name,
        "bank": bank.id,
        "images": rows,
        "unreadable": unreadable,
        "left_out": unreadable + left_out,
        "notes": notes,
    }


def _images_in(paths: Sequence[Path]) -> tuple[list[Path], list[dict[str, str]]]:
    """Every image that is named, itself or by its folder, and what of the folders is not looked at."""
    from exdd_core.datasets import incoming
    from exdd_core.datasets.tree import Tree

    found: list[Path] = []
    left_out: dict[str, str] = {}
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path} does not exist; check the path.")
        if not path.is_dir():
            incoming.require_picture(path, str(path))
            found.append(path)
            continue
        tree = Tree.read(path)
        aside = incoming.left_out(tree)
        if not tree.images:
            told = " ".join(incoming.left_out_sentences(tree))
            raise BadInput(f"{path} holds no images; name the folder that holds them. {told}".rstrip())
        found += [path / name for name in tree.images]
        left_out |= {str(path / name): reason for name, reason in aside.items()}
    items = [{"image": image, "reason": reason} for image, reason in left_out.items()]
    return list(dict.fromkeys(found)), items


def _read_images(
    paths: Sequence[Path], strict: Sequence[Path], known: Mapping[Path, ImageRow], settings: Settings
) -> tuple[list[Read], list[dict[str, str]]]:
    """The images that can be read, and the others with a reason. settings: of the bank.

    One that was named itself (in `strict`) must be readable; one in a named folder may be left out.
    """
    from exdd_core import picture as picture_

    images, broken = [], []
    for path in paths:
        truth = known.get(path.resolve())
        try:
            own = truth.depth if truth else None
            picture = picture_.read(path, None, settings.depth, settings.by_brightest, own)
            images.append(Read(path, picture, truth))
        except BadInput as error:
            if path in strict:
                raise
            broken.append({"image": str(path), "reason": str(error)})
    return images, broken


def _id_of(path: Path) -> str:
    """What the workspace calls a file elsewhere, should it have taught a bank."""
    place = path.resolve()
    return f"file:{place}#{place.stat().st_mtime_ns}"


def _with_notes(row: dict[str, Any], one: Read, taught: str, bank: str, settings: Settings) -> dict[str, Any]:
    """A row of the table with what a person should know of the image beside its score."""
    from exdd_core.banks import training_images
    from exdd_core.datasets import incoming

    for method in ("patchcore", "exdd"):
        row[f"{method}_reason"] = training_images.reason(
            row[f"{method}_verdict"], taught, row[f"{method}_reason"]
        )
    like_a_mask = incoming.mask_note(one.path)
    notes = incoming.notes(one.picture, bank, settings.depth, settings.by_brightest)
    notes += filter(None, [like_a_mask])
    return row | {
        "in_bank": bool(taught),
        "pages": one.picture.pages,
        "depth": str(one.picture.depth) if one.picture.depth else None,
        "clipped": one.picture.clipped,
        "like_a_mask": bool(like_a_mask),
        "notes": notes,
    }


def _truth_mask(truth: ImageRow | None, shape: tuple[int, int]) -> Any:
    from exdd_core.images import read_mask

    return read_mask(truth.mask, shape) if truth is not None and truth.mask else None


# --- names of the files that --png writes -----------------------------------------------------------------


def pane_names(paths: Sequence[Path], named: Sequence[Path]) -> dict[Path, str]:
    """A file's name, without ".png", for every image; no two are the same, in no case of their letters.

    It is the path from the named folder on, joined by dashes; where that is not enough, from a folder above it on.
    """
    shown = {path: _shown(path, named) for path in paths}
    alike: dict[str, list[Path]] = defaultdict(list)
    for path in paths:
        alike[_key(_name(*shown[path], 0))].append(path)
    names: dict[Path, str] = {}
    taken: set[str] = set()
    for group in alike.values():
        deepest = max(len(shown[path][0]) for path in group)
        more = next(
            (n for n in range(deepest) if len({_key(_name(*shown[p], n)) for p in group}) == len(group)), 0
        )
        for path in group:
            wanted = name = _name(*shown[path], more)
            number = 1
            while _key(name) in taken:
                number += 1
                name = f"{wanted}-{number}"
            taken.add(_key(name))
            names[path] = name
    return names


def _shown(path: Path, named: Sequence[Path]) -> tuple[tuple[str, ...], int]:
    """The parts of a path from the root on, and how many of them its name has: from the named folder on."""
    folder = next((p for p in named if p.is_dir() and path.is_relative_to(p)), path.parent)
    place = Path(os.path.abspath(path))
    parts = (*place.parts[1:-1], *filter(None, (place.stem, place.suffix[1:])))
    return parts, len(parts) - len(Path(os.path.abspath(folder)).parts[1:-1])


def _name(parts: tuple[str, ...], count: int, more: int) -> str:
    """The last `count` parts of a path and `more` of those before, joined; cut where no file may be called so."""
    name = "-".join(parts[-min(len(parts), count + more) :]).lstrip("-.") or "image"
    content = os.fsencode(name)
    if len(content) <= LONGEST:
        return name
    mark = hashlib.sha256(content).hexdigest()[:12]
    return f"{content[:LONGEST].decode('utf-8', 'ignore')}-{mark}"


def _key(name: str) -> str:
    from exdd_core.datasets.tree import name_key

    return name_key(name)


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
        for note in row["notes"]:
            print(f"    {note}")
