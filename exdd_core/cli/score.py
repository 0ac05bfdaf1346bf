"""The command that writes scores and heatmaps of images: score.

Knows files and folders of images, and the label and mask where a data set has them. Does not know how a score is
computed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import Add, new_file, open_workspace
from exdd_core.cli.terminal import progress, say
from exdd_core.errors import BadInput
from exdd_core.sentences import spelt

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.cli import answers
    from exdd_core.detector import Inspection
    from exdd_core.picture import Picture
    from exdd_core.review import ImageRegions
    from exdd_core.review.regions import RegionRow
    from exdd_core.workspace import BankVersion, ImageRow, Workspace

BATCH = 8  # images scored at a time, few because a map has its image's size
LONGEST = 120  # bytes of a file name without suffix; some file systems allow no more than 143 in all


def score_options(add: Add) -> None:
    add("paths", type=Path, nargs="+", metavar="PATH", help="images or folders of images")
    add("--bank", metavar="VERSION", help="bank version, such as v3 (default: the active one)")
    add("--csv", type=new_file(), metavar="FILE", help="write the results as a CSV table")
    add("--coco", type=new_file(".json"), metavar="FILE", help="write the regions as COCO annotations")
    add(
        "--png",
        type=Path,
        metavar="DIR",
        help="write each image with both heatmaps and their difference",
    )


@dataclass(frozen=True)
class ReadImage:
    """An image to score. truth: its row where it belongs to a data set of the workspace."""

    path: Path
    picture: Picture
    truth: ImageRow | None


def score(options: argparse.Namespace) -> answers.Scored:
    """Score images or whole folders with PatchCore and ExDD."""
    from exdd_core.datasets import incoming
    from exdd_core.review import write_coco, write_csv

    if options.csv and options.coco and options.csv.resolve() == options.coco.resolve():
        raise BadInput("--csv and --coco name the same file; choose two.")
    _require_own_results(options.csv, options.coco)
    if options.png:
        _require_outside(options.png, options.paths)
    workspace = open_workspace(options)
    (paths, left_out), bank = _images_in(options.paths), workspace.bank(options.bank)
    for target in (options.png, *(file.parent for file in (options.csv, options.coco) if file)):
        if target:
            target.mkdir(parents=True, exist_ok=True)
    scoring = _Scoring(workspace, bank, options)
    rows, unreadable = scoring.score(paths)
    if options.csv:
        write_csv(options.csv, rows)
    if options.coco:
        write_coco(options.coco, scoring.found)
    for item in unreadable:
        say(f"Left out: {item['reason']}")
    for item in left_out:
        say(f"Left out: {item['image']}: {item['reason']}.")
    if not rows:
        raise BadInput("None of these images could be read; nothing was scored.")
    shallow, depth = sum(row["depth"] is None for row in rows), scoring.detector.settings.depth
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


def _require_own_results(csv: Path | None, coco: Path | None) -> None:
    """Raise `BadInput` if results would replace a file that is no result of an earlier run, such as annotations."""
    from exdd_core.review.table import COLUMNS

    for file in (csv, coco):
        if not file or not file.exists() or not file.stat().st_size:
            continue
        if file is csv:
            with file.open("rb") as stream:
                is_own = (
                    stream.read(100).removeprefix(b"\xef\xbb\xbf").startswith(",".join(COLUMNS[:2]).encode())
                )
        else:
            is_own = _is_own_coco(file)
        if not is_own:
            raise BadInput(f"{file} exists and does not hold results of this command; specify another file.")


def _is_own_coco(file: Path) -> bool:
    """Whether a file holds regions of an earlier run: each has a score, which annotations by people lack."""
    try:
        content = json.loads(file.read_bytes())
        regions = content["annotations"]
        return set(content) == {"images", "categories", "annotations"} and all(
            "score" in one for one in regions
        )
    except (ValueError, TypeError, LookupError):
        return False


def _require_outside(panes: Path, paths: Sequence[Path]) -> None:
    """Raise `BadInput` if panes would lie among the images to score, where the next run would take them for parts."""
    for path in paths:
        if path.is_dir() and panes.resolve().is_relative_to(path.resolve()):
            raise BadInput(
                f"--png {panes} lies in {path}, so that the next run would score the heatmaps as parts; specify a "
                "folder outside it."
            )


class _Scoring:
    """Scores images in batches with one bank version, and writes their panes with --png."""

    def __init__(self, workspace: Workspace, bank: BankVersion, options: argparse.Namespace):
        from exdd_core.banks.detectors import judging_detector
        from exdd_core.banks.training_images import TrainingImages
        from exdd_core.workspace import scales

        self.known = {row.path: row for info in workspace.datasets() for row in workspace.images(info.name)}
        self.bank, self.options = bank, options
        self.mm_per_pixel = scales.scale(workspace, bank.dataset)
        self.found: list[ImageRegions] = []
        self.detector = judging_detector(workspace, bank.id)
        self.training = TrainingImages(workspace, bank, self.detector)

    def score(self, paths: Sequence[Path]) -> tuple[list[answers.ScoredRow], list[answers.LeftOut]]:
        """The rows of the readable images, and the other images. Raises `BadInput` as `_read` does."""
        watched = progress()
        names = pane_names(paths, self.options.paths)
        watched.begin("Scoring images", len(paths))
        rows: list[answers.ScoredRow] = []
        unreadable: list[answers.LeftOut] = []
        for start in range(0, len(paths), BATCH):
            batch = paths[start : start + BATCH]
            images, broken = self._read(batch)
            unreadable += broken
            compared = self.detector.compare([image.picture.pixels for image in images]) if images else []
            for image, (patchcore, exdd) in zip(images, compared, strict=True):
                rows.append(self._row(image, patchcore, exdd))
                if self.options.png:
                    self._write_panes(image, patchcore, exdd, f"{names[image.path]}.png")
            watched.advance(len(batch))
        return rows, unreadable

    def _read(self, paths: Sequence[Path]) -> tuple[list[ReadImage], list[answers.LeftOut]]:
        """Read images as the bank reads them.

        Raises `BadInput` for an unreadable image that was named itself; one in a named folder is left out.
        """
        from exdd_core.picture import read as read_picture

        settings = self.detector.settings
        images: list[ReadImage] = []
        broken: list[answers.LeftOut] = []
        for path in paths:
            truth = self.known.get(path.resolve())
            try:
                own = truth.depth if truth else None
                picture = read_picture(path, None, settings.depth, settings.by_brightest, own)
                images.append(ReadImage(path, picture, truth))
            except BadInput as error:
                if path in self.options.paths:
                    raise
                broken.append({"image": str(path), "reason": str(error)})
        return images, broken

    def _row(self, image: ReadImage, patchcore: Inspection, exdd: Inspection) -> answers.ScoredRow:
        from exdd_core.datasets import incoming
        from exdd_core.review import ImageRegions, result_row, scaled

        settings, truth, picture = self.detector.settings, image.truth, image.picture
        in_bank = self.training.sentence(truth.id if truth else _id_of(image.path), image.path)
        label, defect_type = (truth.label, truth.defect_type) if truth else ("", "")
        about = str(image.path), label, defect_type
        row = result_row(*about, patchcore, exdd, self.bank.name, in_bank)
        row["regions"] = regions = scaled(row["regions"] or (), self.mm_per_pixel)
        height, width = exdd.shape
        self.found.append(ImageRegions(str(image.path), width, height, regions))
        like_a_mask = incoming.mask_note(image.path)
        notes = incoming.notes(picture, self.bank.name, settings.depth, settings.by_brightest)
        notes += filter(None, [like_a_mask])
        return {
            **row,
            "in_bank": bool(in_bank),
            "pages": picture.pages,
            "depth": str(picture.depth) if picture.depth else None,
            "clipped": picture.clipped,
            "like_a_mask": bool(like_a_mask),
            "notes": notes,
        }

    def _write_panes(self, image: ReadImage, patchcore: Inspection, exdd: Inspection, name: str) -> None:
        from exdd_core.images import read_mask
        from exdd_core.review import write_panes

        pixels, mask = image.picture.pixels, None
        if image.truth is not None and image.truth.mask:
            mask = read_mask(image.truth.mask, pixels.shape[:2])
        write_panes(self.options.png / name, pixels, patchcore, exdd, mask, title=image.path.name)


def _images_in(paths: Sequence[Path]) -> tuple[list[Path], list[answers.LeftOut]]:
    """Every named image and every image in a named folder, and the files that are left out."""
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
            raise BadInput(
                f"{path} contains no images; specify the folder that contains them. {told}".rstrip()
            )
        found += [path / name for name in tree.images]
        left_out |= {str(path / name): reason for name, reason in aside.items()}
    items: list[answers.LeftOut] = [{"image": image, "reason": reason} for image, reason in left_out.items()]
    return list(dict.fromkeys(found)), items


def _id_of(path: Path) -> str:
    """The id of a file outside the data sets, under which a bank may have learned from it."""
    place = path.resolve()
    return f"file:{place}#{place.stat().st_mtime_ns}"


# --- names of the files that --png writes -----------------------------------------------------------------


def pane_names(paths: Sequence[Path], named: Sequence[Path]) -> dict[Path, str]:
    """The name of a pane's file, without ".png", for every image. Names differ in more than case.

    A name is the path below the named folder, joined by dashes; equal names start with parent folders, too.
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
    """The parts of an absolute path, and how many of them follow the named folder."""
    folder = next((p for p in named if p.is_dir() and path.is_relative_to(p)), path.parent)
    place = Path(os.path.abspath(path))
    parts = (*place.parts[1:-1], *filter(None, (place.stem, place.suffix[1:])))
    return parts, len(parts) - len(Path(os.path.abspath(folder)).parts[1:-1])


def _name(parts: tuple[str, ...], count: int, more: int) -> str:
    """The last `count + more` parts of a path, joined by dashes, shortened to `LONGEST` bytes."""
    name = "-".join(parts[-min(len(parts), count + more) :]).lstrip("-.") or "image"
    content = os.fsencode(name)
    if len(content) <= LONGEST:
        return name
    mark = hashlib.sha256(content).hexdigest()[:12]
    return f"{content[:LONGEST].decode('utf-8', 'ignore')}-{mark}"


def _key(name: str) -> str:
    from exdd_core.datasets.tree import name_key

    return name_key(name)


def _print_scores(rows: list[answers.ScoredRow]) -> None:
    from exdd_core.review.table import agreeing

    print(f"{'PatchCore':>24}  {'ExDD':>24}  image")
    for row in rows:
        patchcore = _cell(row["patchcore_score"], row["patchcore_threshold"], row["patchcore_verdict"])
        exdd = _cell(row["exdd_score"], row["exdd_threshold"], row["exdd_verdict"])
        chance = agreeing(row["exdd_verdict"], row["exdd_probability"])
        likely = "" if chance is None else f" Probability of a defect: {chance:.0%}."
        print(f"{patchcore}  {exdd}  {spelt(row['image'])}\n    {row['exdd_reason']}{likely}")
        for region in row["regions"] or ():
            print(f"    {_region(region)}")
        for note in row["notes"]:
            print(f"    {spelt(note)}")


def _region(region: RegionRow) -> str:
    """A region in words, in pixels of the image."""
    from exdd_core.review.table import agreeing

    x0, y0, x1, y1 = region["box"]
    area = f"{region['area']} px" if region["area_mm2"] is None else f"{region['area_mm2']:.3g} mm²"
    known = "" if region["nearest_type"] is None else f", nearest to {region['nearest_type'] or 'a defect'}"
    chance = agreeing("defect", region["probability"])
    likely = "" if chance is None else f", probability {chance:.0%}"
    return f"Region x {x0} to {x1}, y {y0} to {y1}: {area}, peak {region['peak']:.2f}{known}{likely}."


def _cell(score: float | None, threshold: float | None, verdict: str) -> str:
    if score is None or threshold is None:
        return f"{verdict:>24}"
    return f"{score:9.3f} of {threshold:<9.3f} {verdict:>8}"
