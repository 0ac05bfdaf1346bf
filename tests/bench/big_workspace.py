"""A workspace as large as a year makes it: `python -m tests.bench big_workspace --path DIR`.

The first images and candidates go through the program's own code: demo images imported, a bank built, defects painted,
measured and decided, test images scored. All others are hard links to those files with rows of the same shape, written
at once: 50,000 imports would take five minutes and 10,000 paintings half an hour. Knows the tables. Does not measure.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from exdd_core import curation, studio
from exdd_core.banks.building import build_bank
from exdd_core.curation.judge import Judge
from exdd_core.datasets import demo
from exdd_core.datasets.record import natural_text
from exdd_core.progress import Progress
from exdd_core.review import Review
from exdd_core.review.results import StoredRow
from exdd_core.synthesis.orders import Order
from exdd_core.workspace import Workspace, candidates
from exdd_core.workspace.imports import import_dataset

NAME, WHO = "demo", "Ada"
BASE_NORMAL, BASE_DEFECTIVE, BASE_PAINTED, BASE_ACCEPTED = 96, 48, 40, 4
TYPES = ("scratch", "pit", "stain", "")
Row = dict[str, Any]


def main(options: argparse.Namespace) -> None:
    folder = Path(options.path or "build/big")
    began = time.perf_counter()
    images = options.images or 50_000
    make(folder, images, options.candidates)
    print(f"{images:,} images and {options.candidates:,} candidates in {folder}: {took(began)}")


def took(began: float) -> str:
    return f"{time.perf_counter() - began:.0f} s"


def make(folder: Path, images: int, painted: int) -> Workspace:
    """Make the workspace in a new folder. images and painted: how many images and candidates it has in the end."""
    workspace = _base(folder)
    _multiply_images(workspace, images)
    _multiply_candidates(workspace, painted)
    _multiply_results(workspace)
    with workspace.reading() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return workspace


def _base(folder: Path) -> Workspace:
    """What the program itself makes: a few of everything."""
    workspace = Workspace.create(folder, backbone="efficientnet_lite0")
    with tempfile.TemporaryDirectory() as temporary:
        source = demo.generate(Path(temporary) / NAME, normal=BASE_NORMAL, defective=BASE_DEFECTIVE)
        import_dataset(workspace, source, name=NAME)
    build_bank(workspace, NAME)
    order = Order(
        NAME,
        "procedural",
        template="{fine|deep} {scratches|pits}",
        mask={"source": "generated", "shape": "scratch"},
        count=BASE_PAINTED,
    )
    studio.run_batch(workspace, order, Progress(), "base")
    made = [c.id for c in candidates.listed(workspace, NAME, "pending")]
    curation.accept(workspace, made[:BASE_ACCEPTED], WHO)
    Judge(workspace).measure(made[BASE_ACCEPTED:])
    Review(workspace).score([*Review(workspace).images(f"{NAME}/test")])
    return workspace


def _linked(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    os.link(old, new)


def _multiply_images(workspace: Workspace, wanted: int) -> None:
    """Every image again and again, each time as a part of its own."""
    root = workspace.path / "datasets" / NAME
    with workspace.reading() as db:
        base: list[Row] = list(db.query("select * from images order by rowid"))
    shares = {"train": 7, "test": 3}
    # Seven in ten are normal training images, as in most data sets; the others keep the base's mixture.
    pool = [row for row in base if (row["split"], row["label"]) == ("train", "normal")] * shares["train"]
    pool += [row for row in base if row["split"] == "test" or row["label"] == "defect"] * shares["test"]
    random.Random(0).shuffle(pool)
    rows = list(islice(_copies(root, pool), max(0, wanted - len(base))))
    with workspace.writing() as db:
        db.table("images").insert_all(rows, batch_size=500)
        info = next(iter(db.query("select * from datasets")))
        report = json.loads(info["report"])
        db.table("datasets").update(NAME, {"report": json.dumps(_counted(report, [*base, *rows]))})


def _copies(root: Path, pool: list[Row]) -> Iterator[Row]:
    number = 0
    while True:
        for row in pool:
            number += 1
            copied = dict(row)
            for name in ("path", "mask"):
                if row[name]:
                    old = Path(row[name])
                    new = old.parent / f"{number // 1000:03d}" / f"{old.stem}-{number:06d}{old.suffix}"
                    _linked(root / old, root / new)
                    copied[name] = new.as_posix()
            part = f"{row['group']}-{number:06d}"
            place = natural_text(copied["path"])
            yield copied | {"id": f"{NAME}/{copied['path']}", "group": part, "place": place}


def _counted(report: Row, rows: list[Row]) -> Row:
    counts = Counter((row["split"], row["label"]) for row in rows)
    types = Counter((row["defect_type"], row["split"]) for row in rows if row["defect_type"])
    return report | {
        "images": len(rows),
        "groups": len({row["group"] for row in rows}),
        "counts": {s: {k: counts[s, k] for k in ("normal", "defect")} for s in ("train", "test")},
        "types": {name: {s: types[name, s] for s in ("train", "test")} for name in report["types"]},
    }


def _multiply_candidates(workspace: Workspace, wanted: int) -> None:
    """Every candidate again and again; three in ten of them are rejected, a tenth of those after an undo."""
    with workspace.reading() as db:
        base: list[Row] = list(db.query("select * from candidates where status = 'pending' order by rowid"))
    rng = random.Random(1)
    rows, decided = [], []
    for number in range(max(0, wanted - BASE_PAINTED)):
        row = base[number % len(base)]
        id = uuid.UUID(int=rng.getrandbits(128)).hex[:12]
        for file in ("image.png", "mask.png", "drawn.png"):
            _linked(
                workspace.path / "candidates" / row["id"] / file, workspace.path / "candidates" / id / file
            )
        quality = json.loads(row["quality"])
        quality["effect"]["value"] = round(quality["effect"]["value"] + rng.gauss(0, 0.5), 3)
        changed = {"id": id, "job": None, "number": None, "seed": number, "quality": json.dumps(quality)}
        status = "rejected" if rng.random() < 0.3 else "pending"
        rows.append(row | changed | {"status": status, "defect_type": rng.choice(TYPES)})
        if status == "rejected":
            decided.append((id, rng.random() < 0.1))
    with workspace.writing() as db:
        db.table("candidates").insert_all(rows, batch_size=200)
    _decide(workspace, decided)


def _decide(workspace: Workspace, decided: list[tuple[str, bool]]) -> None:
    """Rejections as rows, some of them after one that was taken back. decided: id and whether there was such a one."""
    from exdd_core.workspace import decisions

    with workspace.writing() as db:
        for id, twice in decided:
            first = decisions.write(db, id, "reject", WHO, ["artefact"], dataset=NAME)
            if twice:
                decisions.write(db, id, "undo", WHO, of=first, dataset=NAME)
                decisions.write(db, id, "reject", WHO, ["too faint"], dataset=NAME)


def _multiply_results(workspace: Workspace) -> None:
    """The scores of the base's test images for all of their copies."""
    review = Review(workspace)
    bank = review.bank_state()
    assert bank is not None
    results = review.results(bank.version)
    known = results.rows(bank.state)
    of = {Path(id).stem: row for id, row in known.items()}
    rows: list[StoredRow] = []
    for image in workspace.images(NAME, split="test"):
        scored = of.get(image.path.stem.partition("-")[0])
        if scored and image.id not in known:
            rows.append({**scored, "id": image.id, "image": image.id.partition("/")[2]})
    results.add(bank.state, rows)
