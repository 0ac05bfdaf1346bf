"""What becomes of small inputs of the kinds that people have: `python -m tests.bench cases FOLDER`.

Every folder below FOLDER is a case: its README says how to run it and what is right, `in` is the input. Each goes
through the command line in one process and one workspace. What came is judged by `CASES`, which says of each case what
is right and checks it in what the commands return; a case that is not there is run and shown, without a verdict.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from exdd_core import cli
from exdd_core.workspace import Workspace
from tests.bench import ROOT

FOLDER = ROOT.parent / "shared" / "cases"
BASE = "00-base"  # the case whose bank scores the images of others
BACKBONE = "efficientnet_lite0"
SMALL = "128x128"  # the size of most images, at which a build takes a second


@dataclass(frozen=True)
class Came:
    """What a command came to: its exit code, the result of --json ({} where it was refused), all that it said."""

    code: int
    result: dict[str, Any]
    said: str

    @property
    def report(self) -> dict[str, Any]:
        return self.result.get("report", {})

    @property
    def counts(self) -> tuple[int, int]:
        """How many normal and defective images an import has, sides together."""
        sides = self.result.get("counts", {}).values()
        return sum(side["normal"] for side in sides), sum(side["defect"] for side in sides)

    @property
    def left_out(self) -> list[str]:
        return [path for left in self.report.get("left_out", ()) for path in left["paths"]]

    @property
    def all_masked(self) -> bool:
        """Whether every defective image has a mask that can be used."""
        masks = self.report.get("masks", {})
        return bool(self.result) and not any(
            masks[name] for name in ("missing", "empty", "wrong_size", "unreadable")
        )

    @property
    def brief(self) -> str:
        if not self.result:
            return f"exit {self.code}: {self.said.strip().splitlines()[-1]}"
        if not self.report:
            return f"exit {self.code}"
        normal, defect = self.counts
        left = f", {len(self.left_out)} left out" if self.left_out else ""
        return f"exit {self.code}: {self.result['layout']}, {normal} normal, {defect} defect{left}"


class Runner:
    """Runs commands for one case; an import gives its data set the case's name, with a number."""

    def __init__(self, workspace: Path, folder: Path, scratch: Path):
        self.workspace, self.folder, self.scratch = workspace, folder, scratch
        self.imports: list[Came] = []

    def run(self, *words: object) -> Came:
        command = [*map(str, words), "--workspace", str(self.workspace), "--json"]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(command)
        lines = out.getvalue().strip().splitlines()
        return Came(code, json.loads(lines[-1]) if code == 0 and lines else {}, err.getvalue())

    def import_(self, place: str | Path = "in", *words: object) -> Came:
        name = f"{self.folder.name}-{len(self.imports) + 1}"
        came = self.run("import", self.folder / place, "--name", name, *words)
        self.imports.append(came)
        return came

    def base_bank(self) -> str:
        """The version built from the base case, once."""
        known = {bank["dataset"]: bank["name"] for bank in self.run("banks", "list").result["banks"]}
        if BASE not in known:
            self.run("import", self.folder.parent / BASE / "in", "--name", BASE)
            known[BASE] = self.run("build", "--dataset", BASE, "--size", SMALL).result["name"]
        return known[BASE]

    def build(self, *words: str) -> Came:
        """Of what was imported last."""
        return self.run("build", "--dataset", self.imports[-1].result["dataset"], *words)


Wrong = Iterator[str]  # what is not as it should be; none where all is right


def wants(right: object, what: str) -> Iterator[str]:
    if not right:
        yield what


def base(runner: Runner) -> Wrong:
    came = runner.import_()
    yield from wants(came.counts == (16, 6) and came.all_masked, "not 16 normal and 6 defects with masks")
    yield from wants(came.report.get("healthy"), "not healthy")


def types_beside_good(runner: Runner) -> Wrong:
    came = runner.import_()
    yield from _counted_or_named(came, 8, 6)


def _counted_or_named(came: Came, normal: int, defect: int) -> Wrong:
    """Defects are counted as such, or left out by name, and then not called healthy."""
    told = any("left out" in sentence for sentence in came.report.get("sentences", ()))
    named = (
        came.counts == (normal, 0) and len(came.left_out) == defect and told and not came.report["healthy"]
    )
    yield from wants(came.counts == (normal, defect) or named, "defects are neither counted nor named")


def visa(runner: Runner) -> Wrong:
    came = runner.import_("in/candle")
    yield from wants(
        came.counts == (8, 4) and came.all_masked, "candle: not 8 normal and 4 defects with masks"
    )
    inner = runner.import_("in/candle/Data/Images")
    yield from _counted_or_named(inner, 8, 4)


def btad(runner: Runner) -> Wrong:
    came = runner.import_("in/01")
    yield from wants(came.counts == (9, 3) and came.all_masked, "not 9 normal and 3 defects with masks")


def loco(runner: Runner) -> Wrong:
    came = runner.import_("in/breakfast_box")
    held = [path for path in came.left_out if path.startswith("validation/")]
    yield from wants(came.counts[0] + len(held) == 12, "validation/ is neither read nor named")
    yield from wants(came.counts[1] == 6 and came.all_masked, "not 6 defects with masks")


def ad2(runner: Runner) -> Wrong:
    came = runner.import_("in/can")
    held = [path for path in came.left_out if path.startswith("validation/")]
    yield from wants(came.counts[0] + len(held) == 12, "normal images are lost")
    yield from wants(came.counts[1] == 3 and came.all_masked, "not 3 defects with masks")


def masks_of_0_and_1(runner: Runner) -> Wrong:
    came = runner.import_()
    yield from wants(came.counts == (10, 6) and came.all_masked, "not 6 of 16 defective, with masks")


def masks_beside_good(runner: Runner) -> Wrong:
    came = runner.import_()
    yield from wants(came.counts == (8, 4) and came.all_masked, "not 8 normal and 4 defects with masks")
    bank = runner.build("--size", SMALL).result.get("name")
    black = runner.folder / "in" / "good" / "000_mask.png"
    scored = runner.run("score", black, "--bank", bank)
    told = [row["exdd_verdict"] for row in scored.result.get("images", ())]
    yield from wants(told == ["defect"], f"an all-black image is {told or scored.said.strip()}")


def masks_of_other_names(runner: Runner) -> Wrong:
    for place in sorted(runner.folder.glob("in*")):
        came = runner.import_(place.name)
        right = came.counts == (8, 4) and came.all_masked
        yield from wants(right, f"{place.name}: not 8 normal and 4 defects with masks")


def inverted(runner: Runner) -> Wrong:
    came = runner.import_()
    masks = came.report.get("masks", {})
    named = {*masks.get("inverted", ()), *masks.get("covering", ())}
    yield from wants(len(named) == 4, "4 masks that seem inverted are not named")
    yield from wants(came.report.get("healthy") is False, "healthy")


def bright_pixel(runner: Runner) -> Wrong:
    yield from wants(runner.import_().counts == (8, 4), "not 8 normal and 4 defects")
    scored = runner.run("score", runner.folder / "new_parts", "--bank", runner.base_bank())
    scores = {Path(row["image"]).stem: row for row in scored.result.get("images", ())}
    yield from wants(len(scores) == 8, "not 8 images are scored")
    for name, row in scores.items():
        other = scores.get(f"{name}_one_bright_pixel")
        if other is not None:
            difference = abs(row["exdd_score"] - other["exdd_score"]) / row["exdd_score"]
            same = row["exdd_verdict"] == other["exdd_verdict"] or difference < 0.25
            yield from wants(
                same, f"{name}: {row['exdd_score']:.2f}, with one bright pixel {other['exdd_score']:.2f}"
            )


def other_suffixes(runner: Runner) -> Wrong:
    came = runner.import_()
    yield from wants(came.counts[0] == 10, "not 10 normal images: .jfif is lost")
    gifs = sorted(path for path in came.left_out if path.endswith(".gif"))
    yield from wants(len(gifs) == 3 and "gif" in " ".join(came.report["sentences"]), "3 gif are not named")
    scored = runner.run("score", runner.folder / "in" / "good", "--bank", runner.base_bank())
    yield from wants(len(scored.result.get("images", ())) == 10, "score does not score 10 images")


def several_pages(runner: Runner) -> Wrong:
    came = runner.import_()
    named = {Path(name).name for name in came.report.get("several_pages", ())}
    yield from wants(
        named == {"anim.png", "anim.webp", "stack.tif"}, f"files of several pages: {named or 'none'}"
    )
    scored = runner.run("score", runner.folder / "in/defect/stack.tif", "--bank", runner.base_bank())
    said = scored.said + json.dumps(scored.result)
    yield from wants("page 1 of 3" in said, "score does not say that it reads the first page only")


def two_normal(runner: Runner) -> Wrong:
    came, built = runner.import_(), runner.build()
    said = " ".join(came.report.get("sentences", ())) + built.said + json.dumps(built.result)
    yield from wants(
        "only 2 normal" in said and "threshold" in said, "nothing is said of a threshold from 2 images"
    )


def ksdd2_copy(runner: Runner) -> Wrong:
    came = runner.import_()
    yield from wants(sum(came.counts) == 16 and came.result["layout"] == "ksdd2", "not 16 images of KSDD2")
    yield from wants(
        sum("(copy)" in path for path in came.left_out) == 2,
        "the copy and its mask are not named as left out",
    )


def wide(runner: Runner) -> Wrong:
    came = runner.import_()
    small = came.report.get("masks", {}).get("small", ())
    if len(small) == 3 and "--size" in " ".join(came.report["sentences"]):
        return
    rows = runner.build().result.get("summary", {}).get("positive_rows", 0)
    yield from wants(rows > 0, f"{rows} positive rows, and 3 masks that vanish are not named")


def capital_good(runner: Runner) -> Wrong:
    came = runner.import_()
    yield from wants(
        came.counts == (9, 3) and set(came.report["types"]) == {"scratch"}, "test/Good is not normal"
    )


def other_layouts(runner: Runner) -> Wrong:
    for name, right in {"labelme": (4, 4), "visa1cls/candle": (8, 4), "realiad": (4, 4)}.items():
        came = runner.import_(name)
        yield from wants(
            came.counts == right and came.all_masked,
            f"{name}: not {right[0]} normal and {right[1]} defects with masks",
        )
    marked = json.loads((runner.folder / "coco/annotations/instances.json").read_text())
    defects = {row["image_id"] for row in marked["annotations"]}
    came = runner.import_("coco")
    if len(defects) == len(marked["images"]):  # nothing to learn from: refused, and the reason is said
        yield from wants(
            came.code == 2 and "normal" in came.said, "coco: without normal images and not refused so"
        )
    else:
        right = (len(marked["images"]) - len(defects), len(defects))
        yield from wants(came.counts == right and came.all_masked, f"coco: not {right}")


def special_names(runner: Runner) -> Wrong:
    panes, table = runner.scratch / "panes", runner.scratch / "table.csv"
    place = runner.folder / "in"
    files = [path for path in place.rglob("*") if path.is_file()]
    came = runner.run("score", place, "--png", panes, "--csv", table, "--bank", runner.base_bank())
    yield from wants(came.code == 0 and len(came.result["images"]) == len(files), "not all are scored")
    yield from wants(len(list(panes.rglob("*.png"))) == len(files), "not all have a picture")
    yield from wants(table.is_file(), "there is no table")


def nothing_in_defect(runner: Runner) -> Wrong:
    place = runner.scratch / "in"
    shutil.copytree(runner.folder / "in", place)
    (place / "defect" / "scratch").mkdir(parents=True, exist_ok=True)  # empty folders get lost in copies
    came = runner.import_(place)
    said = " ".join(came.report.get("sentences", ()))
    yield from wants(
        "defect" in " ".join(came.left_out) and "holds nothing" in said, "empty defect/ is not named"
    )


def groups_with_semicolons(runner: Runner) -> Wrong:
    came = runner.import_("in", "--groups", f"csv:{runner.folder / 'groups.csv'}")
    lines = (runner.folder / "groups.csv").read_text(encoding="utf-8-sig").strip().splitlines()[1:]
    groups = {line.split(";")[1] for line in lines}
    yield from wants(came.report.get("groups") == len(groups), f"not {len(groups)} parts")


CASES: dict[str, Callable[[Runner], Wrong]] = {
    BASE: base,
    "01-types-beside-good": types_beside_good,
    "02-visa": visa,
    "04-btad": btad,
    "05-mvtec-loco": loco,
    "06-mvtec-ad2": ad2,
    "07-ksdd2-masks-0-1": masks_of_0_and_1,
    "09-masks-beside-good": masks_beside_good,
    "10-masks-beside-other-name": masks_of_other_names,
    "11-inverted-masks": inverted,
    "12-16bit-around-4095": bright_pixel,
    "14-other-extensions": other_suffixes,
    "18-multipage": several_pages,
    "20-two-normal": two_normal,
    "22-ksdd2-copy-file": ksdd2_copy,
    "23-wide-line-scan": wide,
    "25-mvtec-capital-good": capital_good,
    "26-other-layouts": other_layouts,
    "33-special-names": special_names,
    "39-nothing-in-defect": nothing_in_defect,
    "42-groups-csv-semicolon": groups_with_semicolons,
}


class Tried(NamedTuple):
    """A case that was run. wrong: what is not right; None where nobody has said what is."""

    name: str
    expected: str  # as its README says
    imports: list[Came]
    wrong: list[str] | None
    seconds: float

    @property
    def verdict(self) -> str:
        return "not judged" if self.wrong is None else "WRONG" if self.wrong else "right"


def tried(folder: Path, workspace: Path) -> Iterator[Tried]:
    """Every case of a folder, run one by one in a workspace that is there."""
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as scratch:
            runner = Runner(workspace, place, Path(scratch))
            wrong = _judged(runner, CASES[place.name]) if place.name in CASES else None
            if wrong is None:
                for source in sorted(place.glob("in*")):
                    runner.import_(source.name)
        yield Tried(place.name, _expected(place), runner.imports, wrong, time.monotonic() - began)


def _judged(runner: Runner, check: Callable[[Runner], Wrong]) -> list[str]:
    """What is wrong; a check that cannot go on because of what came says so too."""
    found: list[str] = []
    try:
        found.extend(check(runner))
    except (KeyError, IndexError, FileNotFoundError) as error:
        last = runner.imports[-1].brief if runner.imports else "nothing was imported"
        found.append(f"there is no {error} in what came ({last})")
    return found


def _expected(place: Path) -> str:
    """What is right, in the words of the case's README."""
    readme = place / "README"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    _, found, behind = text.partition("expected:")
    return " ".join(behind.partition("| got:")[0].split()) if found else "-"


def new_workspace(folder: Path) -> Path:
    return Workspace.create(folder, BACKBONE).path


def main(options: argparse.Namespace) -> None:
    folder = Path(options.cases)
    if not folder.is_dir():
        sys.exit(f"There are no cases in {folder}; name the folder that holds them.")
    with tempfile.TemporaryDirectory() as scratch:
        found = list(_shown(tried(folder, new_workspace(Path(scratch) / "workspace"))))
    counts = {
        verdict: sum(one.verdict == verdict for one in found) for verdict in ("right", "WRONG", "not judged")
    }
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    if counts["WRONG"]:
        sys.exit(1)


def _shown(cases: Iterator[Tried]) -> Iterator[Tried]:
    for one in cases:
        print(f"\n{one.name}: {one.verdict} ({one.seconds:.1f} s)\n  expected: {one.expected}")
        for came in one.imports:
            print(f"  came: {came.brief}")
            for sentence in _problems(came):
                print(f"    - {sentence}")
        for wrong in one.wrong or ():
            print(f"  wrong: {wrong}")
        sys.stdout.flush()
        yield one


def _problems(came: Came) -> Sequence[str]:
    if not came.report:
        return ()
    return came.report["sentences"][-4:] if not came.report["healthy"] else ("healthy",)
