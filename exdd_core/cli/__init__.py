"""The command line: every capability without a browser, one function a command.

Results go to standard output (with --json as one line of JSON, the last one), everything else to standard
error. Ends with 0; with 2 and one plain sentence for what cannot be used; with 130 when interrupted. Knows
the core and the terminal. Knows nothing of Gradio; `serve` starts the app as a program of its own.
"""

from __future__ import annotations

import argparse
import getpass
import json
import math
import os
import socket
import sqlite3
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress

if TYPE_CHECKING:  # imported by the command that needs them: --help answers at once
    from exdd_core.runs import Run
    from exdd_core.studio import Order
    from exdd_core.workspace import BankVersion, Workspace

APP = Path(__file__).resolve().parents[2] / "app.py"
METRICS = {
    "image_auroc": "image AUROC",
    "image_ap": "image AP",
    "image_f1": "image F1",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "aupro": "AUPRO",
}
RUNS_NAMED = {
    "list": 0,
    "show": 1,
    "compare": 2,
    "rerun": 1,
    "report": 1,
    "figure": 1,
}  # how many ids each action of `runs` takes
RUN_SHOWN = ("id", "kind", "title", "spec", "bank", "created", "seconds")
BATCH = 8  # images scored at a time: their maps have the images' own size


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        options = _parser().parse_args(arguments)
        result = options.command(options)
        if options.json:
            print(json.dumps(_strict(result), ensure_ascii=False), flush=True)
        return 0
    except BadInput as error:
        return _refuse(str(error))
    except (KeyboardInterrupt, Cancelled):
        print("Interrupted; nothing half-made was kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # whoever read our output has gone, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, sqlite3.Error) as error:
        from exdd_core.workspace import plain_sentence

        return _refuse(plain_sentence(error))
    except MemoryError:
        return _refuse("The memory is full; use smaller images, a smaller share of patches or fewer images.")


# --- commands -------------------------------------------------------------------------------------------


def import_(options: argparse.Namespace) -> dict[str, Any]:
    """Copy a data set (a folder or a zip file) into the workspace, making the workspace if there is none."""
    from exdd_core import jobs, tasks
    from exdd_core.datasets import GroupRule
    from exdd_core.images import Size
    from exdd_core.workspace import Workspace

    size = Size.parse(options.size, options.keep_aspect) if options.size else None
    groups = GroupRule.parse(options.groups) if options.groups else None
    if Workspace.exists(options.workspace):
        workspace = Workspace.open(options.workspace)
    else:
        workspace = Workspace.create(options.workspace, options.backbone)
        _say(f"Made the workspace {workspace.path}. Backbone: {workspace.setting('backbone_reason')}")
    spec = {"source": str(options.source.expanduser().absolute())}
    spec |= tasks.import_spec(options.name, options.layout, size, groups)
    title = f"Importing {options.name or options.source.name}"
    result = jobs.run_here(workspace, "import", title, spec, _progress())
    info = workspace.dataset(result["dataset"])
    if not options.json:
        done = "Imported" if result["changed"] else "Nothing changed: already there as"
        print(f'{done} "{info.name}": {info.title}.')
        print("\n".join(info.report["sentences"]))
    return {
        "dataset": info.name,
        "changed": result["changed"],
        "layout": info.layout,
        "size": str(info.size),
        "counts": info.counts,
        "healthy": info.report["healthy"],
        "report": info.report,
    }


def build(options: argparse.Namespace) -> dict[str, Any]:
    """Build a bank version from the training split of a data set."""
    from exdd_core import jobs
    from exdd_core.images import Size

    workspace = _open(options)
    dataset = workspace.dataset(options.dataset)
    spec = {
        "dataset": dataset.name,
        "positives": options.positives,
        "size": str(Size.parse(options.size)) if options.size else None,
        "fusion": options.fusion,
        "activate": not options.keep_active,
        **_bank_spec(options),
    }
    title = f"Building a bank version from {dataset.name}"
    result = jobs.run_here(workspace, "build", title, spec, _progress())
    if not options.json:
        state = ", now active" if result["active"] else ""
        print(f"Built {result['name']} from {result['dataset']} in {result['seconds']:.1f} s{state}.")
        for key, value in result["summary"].items():
            print(f"  {key.replace('_', ' ')}: {value}")
    return result


def synthesize(options: argparse.Namespace) -> dict[str, Any]:
    """Paint defects into normal images; every result waits as a pending candidate in the workspace."""
    from exdd_core import candidates, jobs, studio

    workspace = _open(options)
    order = _order(workspace, options)
    painter = studio.engine(workspace, order.engine)
    if not order.settings.get("model") and (missing := painter.missing()):
        raise BadInput(missing)  # before anything is queued for it
    number = len(studio.recipes(workspace, order))
    title = f"Painting {number} {'defect' if number == 1 else 'defects'} with {painter.TITLE}"
    result = jobs.run_here(workspace, "synthesize", title, order.to_json(), _progress())
    made = [candidates.get(workspace, id) for id in result["candidates"]]
    if not options.json:
        for candidate in made:
            print("  ".join((candidate.id, candidate.source, candidate.prompt, *candidate.notes)))
        print(f"Painted {len(made)} of {result['ordered']}; they wait as pending candidates.")
    for reason in result["reasons"]:
        _say(reason)
    return {"dataset": order.dataset, "engine": order.engine, **result}


def prompts(options: argparse.Namespace) -> dict[str, Any]:
    """List the prompts of the library with what came of them, or export or import them as JSON."""
    from exdd_core.synthesis import prompts as library

    workspace = _open(options)
    if (options.file is None) == (options.action != "list"):
        raise BadInput("prompts list takes no file; prompts export and prompts import take one.")
    if options.action == "export":
        kept = library.library(workspace)
        options.file.write_text(library.export_json(kept), encoding="utf-8")
        _say(f"Wrote {len(kept)} prompts to {options.file}.")
        return {"exported": len(kept), "file": str(options.file)}
    if options.action == "import":
        imported = library.import_json(workspace, _text(options.file), options.replace)
        _say(f"Added {len(imported.added)} prompts and replaced {len(imported.replaced)}.")
        return {"added": imported.added, "replaced": imported.replaced}
    rows = [_prompt_row(score) for score in library.scoreboard(workspace)]
    if not options.json:
        print(f"{'made':>6} {'accepted':>9} {'rejected':>9} {'pending':>8}  prompt")
        for row in rows:
            counts = f"{row['made']:>6} {row['accepted']:>9} {row['rejected']:>9} {row['pending']:>8}"
            print(f"{counts}  {row['prompt']}{' (' + row['name'] + ')' if row['name'] else ''}")
    return {"prompts": rows}


def score(options: argparse.Namespace) -> dict[str, Any]:
    """Score images or whole folders with PatchCore and ExDD, by the active bank version."""
    from exdd_core import reports

    workspace = _open(options)
    paths, bank = _images_in(options.paths), workspace.bank(options.bank)
    known = {row.path: row for info in workspace.datasets() for row in workspace.images(info.name)}
    for target in (options.png, options.csv.parent if options.csv else None):
        if target:
            target.mkdir(parents=True, exist_ok=True)
    detector, progress = workspace.detector(bank.id), _progress()
    progress.begin("Scoring images", len(paths))
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
        progress.advance(min(BATCH, len(paths) - start))
    if options.csv:
        reports.write_csv(options.csv, rows)
    for item in unreadable:
        _say(f"Left out: {item['reason']}")
    if not rows:
        raise BadInput("None of these images could be read; nothing was scored.")
    if not options.json:
        _print_scores(rows)
    return {"bank_version": bank.name, "bank": bank.id, "images": rows, "unreadable": unreadable}


def evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """Measure PatchCore and ExDD against the masks: the test split with the active bank, or grouped folds."""
    from exdd_core import jobs
    from exdd_core.images import Size

    workspace = _open(options)
    if options.table1:
        return _table_one(workspace, options)
    given = _bank_spec(options) | {"size": str(Size.parse(options.size)) if options.size else None}
    if options.folds:
        if options.bank is not None:
            raise BadInput("--bank and --folds exclude each other: every fold builds banks of its own.")
        dataset = workspace.dataset(options.dataset).name
        spec = given | {"folds": options.folds}
    else:
        for name in given:
            if name != "seed" and getattr(options, name) is not None:
                flag = "--" + name.replace("_", "-")
                raise BadInput(
                    f"{flag} needs --folds: without folds the bank version is used as it was built."
                )
        bank = workspace.bank(options.bank)
        dataset = workspace.dataset(options.dataset or bank.dataset).name
        spec = {"bank": bank.id}
    spec |= {"dataset": dataset, "fusion": options.fusion, "rate": options.false_alarm_rate}
    title = f"Evaluating {dataset}: {_how(options)}"
    result = jobs.run_here(workspace, "evaluate", title, spec, _progress())
    if not options.json:
        print(f"{result['dataset']}: {_how(options)}")
        _print_metrics(result["methods"])
        _print_recall(result)
    return result


def sweep(options: argparse.Namespace) -> dict[str, Any]:
    """Measure ExDD with more and more accepted synthetic defects, several draws each (the paper's Table 2)."""
    from exdd_core import jobs

    workspace = _open(options)
    names = ("max_real_parts", "negative_ratio", "positive_ratio", "backbone")
    spec = {name: getattr(options, name) for name in names}
    dataset = workspace.dataset(options.dataset).name
    spec |= {"dataset": dataset, "counts": options.counts, "seeds": options.seeds}
    title = f"Measuring {dataset} with {', '.join(map(str, options.counts))} synthetic defects"
    result = jobs.run_here(workspace, "sweep", title, spec, _progress())
    if not options.json:
        print(f"{dataset}: mean of {options.seeds} seeds by the number of synthetic defects")
        _print_metrics(result["methods"])
        print("standard deviation")
        _print_metrics(result["deviation"])
        _print_notes(result)
    return result


def runs(options: argparse.Namespace) -> dict[str, Any]:
    """List the stored measurements; show, compare, measure again by the record, or write a report or Figure 2."""
    from exdd_core import jobs, runs

    workspace, ids = _open(options), options.ids
    if len(ids) != RUNS_NAMED[options.action]:
        raise BadInput(f"{options.action} needs {RUNS_NAMED[options.action]} of the ids that list shows.")
    found = [runs.get(workspace, id) for id in ids]
    if options.action == "list":
        listed = runs.listed(workspace)
        if not options.json:
            for run in listed:
                print(f"{run.id}  {run.created}  {run.title}")
            print(f"{len(listed)} stored measurements")
        return {"runs": [{key: getattr(run, key) for key in RUN_SHOWN} for run in listed]}
    if options.action == "show":
        if not options.json:
            print(f"{found[0].title}, {found[0].created}")
            _print_metrics(found[0].result["methods"])
            _print_recall(found[0].result)
        return asdict(found[0])
    if options.action in ("report", "figure"):
        return _write_report(workspace, found[0], options)
    if options.action == "rerun":
        title = f"Measuring again: {found[0].title}"
        again = jobs.run_here(workspace, found[0].kind, title, found[0].spec, _progress())
        found.append(runs.get(workspace, again["run"]))
    different = runs.differences(*found)
    if not options.json:
        for item in different:
            print(f"{item.what} {item.name}: {item.first} -> {item.second}")
        print(f"{len(different)} differences between {found[0].id} and {found[1].id}")
    return {"runs": [run.id for run in found], "differences": [asdict(item) for item in different]}


def banks(options: argparse.Namespace) -> dict[str, Any]:
    """List bank versions; compare two, activate, roll back, pin, delete or rebuild one, drop an image, make a map."""
    function, fewest, most = BANK_ACTIONS[options.action]
    if not fewest <= len(options.ids) <= most:
        needed = {0: "no name", 1: "one name such as v3", 2: "two names such as v3"}[most]
        raise BadInput(f"banks {options.action} takes {needed}; banks list shows the versions there are.")
    return function(_open(options), options)


def jobs(options: argparse.Namespace) -> dict[str, Any]:
    """List the background jobs of a workspace, cancel one, or resume one that was interrupted."""
    from exdd_core import jobs

    workspace = _open(options)
    if options.action == "list":
        listed = jobs.listed(workspace)
        if not options.json:
            print("\n".join(f"{job.id}  {job.state:<11}  {job.title}: {job.text}" for job in listed))
        return {"jobs": [{k: v for k, v in asdict(job).items() if k != "spec"} for job in listed]}
    if options.id is None:
        raise BadInput(f"Say which job: jobs {options.action} ID; jobs list shows their ids.")
    job = (jobs.cancel if options.action == "cancel" else jobs.resume)(workspace, options.id)
    if not options.json:
        after = {"running": "stops at its next step", "queued": "waits for the workbench to run it"}
        print(f"{job.title}: {after.get(job.state, job.state)}.")
    return {"job": job.id, "state": job.state}


def candidates(options: argparse.Namespace) -> dict[str, Any]:
    """List candidates, accept or reject them, say what that would do, take decisions back, show their history."""
    workspace = _open(options)
    return CANDIDATE_ACTIONS[options.action](workspace, options)


def mark(options: argparse.Namespace) -> dict[str, Any]:
    """Teach the active bank version by an image that it judged wrongly: a missed defect, or a false alarm."""
    from exdd_core import curation
    from exdd_core.images import read_mask
    from exdd_core.review import Review, score_change

    workspace = _open(options)
    id, path = _image_named(workspace, options.image)
    if reason := Review(workspace).why_not(id):
        raise BadInput(reason)
    before = workspace.detector().score([path])[0]
    mask = read_mask(options.mask, before.shape) if options.mask else None
    if options.action == "false-alarm":
        decided = curation.false_alarm(workspace, id, path, options.who, mask)
    elif mask is None:
        raise BadInput(
            "A missed defect needs --mask FILE: an image as large as this one, white on the defect."
        )
    else:
        decided = curation.missed(workspace, id, path, mask, options.who, options.type)
    after = workspace.detector().score([path])[0]
    number = curation.decisions(workspace, id, limit=1)[0].id
    said = f"{decided.sentence} {score_change(before, after)}. Take it back with: candidates undo {number}"
    scores = {name: seen.calibrated_score for name, seen in (("before", before), ("after", after))}
    return _told(
        asdict(decided) | scores | {"verdict": after.verdict, "decision": number, "sentence": said}, options
    )


def serve(options: argparse.Namespace) -> dict[str, Any]:
    """Start the workbench in the browser."""
    from exdd_core.workspace import Workspace, make_demo

    _check_port(options.host, options.port)
    if options.demo:
        make_demo(options.workspace, _progress())
    elif not Workspace.exists(options.workspace):
        Workspace.create(options.workspace)
    if not APP.is_file():
        raise BadInput(f"{APP} is missing; run this from a complete copy of the project.")
    address = f"http://{options.host}:{options.port}"
    _say(f"Starting the workbench on {address} (stop it with Ctrl-C).")
    if options.json:  # serving does not end, so the result comes first
        print(json.dumps({"address": address, "workspace": str(options.workspace)}), flush=True)
    program = [sys.executable, str(APP), "--workspace", str(options.workspace)]
    program += ["--host", options.host, "--port", str(options.port)]
    sys.stderr.flush()
    os.execv(sys.executable, program)  # signals and the exit code are the app's own from here on


def doctor(options: argparse.Namespace) -> dict[str, Any]:
    """Say what this machine offers: device, backbone, faiss, SDXL weights, disk, versions."""
    from exdd_core import doctor as examination
    from exdd_core.workspace import Workspace

    workspace = Workspace.open(options.workspace) if Workspace.exists(options.workspace) else None
    report = examination.report(workspace)
    if not options.json:
        print("\n".join(examination.lines(report)))
    return report


# --- what build and evaluate are asked ------------------------------------------------------------------


def _table_one(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import jobs, tables

    if options.bank or options.size:
        raise BadInput("--table1 builds its own bank versions; --bank and --size do not go with it.")
    dataset = workspace.dataset(options.dataset).name
    spec = _bank_spec(options) | {"dataset": dataset, "rate": options.false_alarm_rate}
    spec |= {"folds": options.folds, "fusion": options.fusion}
    result = jobs.run_here(workspace, "table1", f"Evaluating {dataset}: Table 1", spec, _progress())
    if not options.json:
        print(
            f"{dataset}: Table 1, {_how(options)}, {result['images']} images, "
            f"{result['synthetic']} synthetic defects"
        )
        _print_metrics({tables.TITLES[name]: values for name, values in result["methods"].items()})
        print(f"The paper's own figures, of its own experiments on {tables.PAPER_DATASET}:")
        _print_metrics({tables.TITLES[name]: values for name, values in tables.PAPER.items()})
        print("Differences, 95 % intervals and p, parts resampled:")
        for item in result["comparisons"]:
            if item["metric"] in ("image_auroc", "pixel_auroc"):
                print(
                    f"{tables.TITLES[item['method']]} - {tables.TITLES[item['against']]}, {METRICS[item['metric']]}: "
                    f"{item['difference']:+.4f} [{item['low']:+.4f}, {item['high']:+.4f}], {_p(item['p'])}"
                )
        _print_recall(result)
    return result | {"paper": tables.PAPER}


def _bank_spec(options: argparse.Namespace) -> dict[str, Any]:
    names = ("max_real_parts", "seed", "negative_ratio", "positive_ratio", "backbone")
    return {name: getattr(options, name) for name in names}


def _how(options: argparse.Namespace) -> str:
    if not options.folds:
        return "test split"
    parts = f", {options.max_real_parts} defective parts each" if options.max_real_parts is not None else ""
    return f"{options.folds} grouped folds, seed {options.seed}{parts}"


# --- synthesize's details -------------------------------------------------------------------------------


def _order(workspace: Workspace, options: argparse.Namespace) -> Order:
    """What the options ask for. A saved prompt's words, engine and settings count where no option says otherwise."""
    from exdd_core import studio
    from exdd_core.synthesis import prompts as library

    saved = library.get(workspace, options.saved) if options.saved else None
    engine = options.engine or (saved and saved.engine) or studio.default_engine(workspace)
    dataset = workspace.dataset(options.dataset).name
    negative = options.negative_prompt
    settings = _settings(options.setting)
    if options.sdxl_model:
        if engine != "sdxl":
            raise BadInput("--sdxl-model needs --engine sdxl.")
        model = Path(options.sdxl_model).expanduser()
        settings["model"] = str(model.resolve()) if model.exists() else options.sdxl_model
    return studio.Order(
        dataset=dataset,
        engine=engine,
        sources=[name if name.startswith(f"{dataset}/") else f"{dataset}/{name}" for name in options.image],
        template=options.prompt or (saved.prompt if saved else ""),
        negative_prompt=negative if negative is not None else (saved.negative_prompt if saved else ""),
        prompt_id=saved.id if saved else "",
        settings=(saved.settings if saved and saved.engine in ("", engine) else {}) | settings,
        mask=_mask(workspace, options),
        count=options.count,
        each=options.each,
        seed=options.seed,
        defect_type=options.defect_type or "",
    )


def _settings(pairs: Sequence[str]) -> dict[str, Any]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInput(f'--setting "{pair}" is no NAME=VALUE; write it like --setting steps=30.')
        found[name.strip()] = value.strip()
    return found


def _mask(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    """A `MaskSpec` as JSON: another mask for each painting, or that of a file for all."""
    from exdd_core import studio
    from exdd_core.images import read_mask
    from exdd_core.synthesis import masks

    if options.shape and options.masks != "procedural":
        raise BadInput("--shape needs --masks procedural.")
    spec: dict[str, Any] = {"source": "real", "vary": True}
    if options.masks == "procedural":
        shape = options.shape or masks.SHAPES[0]
        spec = {"source": "generated", "shape": shape, "vary": True} | masks.STARTS.get(shape, {})
    elif options.masks != "real":
        file = studio.keep_mask(workspace, read_mask(Path(options.masks), None))
        spec = {"source": "uploaded", "file": file}
    return spec | {"from_test": options.from_test}


def _prompt_row(score: Any) -> dict[str, Any]:
    counts = ("made", "accepted", "rejected", "pending", "deleted", "rate", "quality")
    row = {"name": score.prompt.name if score.prompt else "", "prompt": score.template}
    return row | {name: getattr(score, name) for name in counts}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError:
        raise BadInput(
            f"{path} is no text file; choose one that was exported from a prompt library."
        ) from None


# --- score's details ------------------------------------------------------------------------------------


def _images_in(paths: Sequence[Path]) -> list[Path]:
    from exdd_core.datasets.record import image_files

    found: list[Path] = []
    for path in paths:
        if not path.exists():
            raise BadInput(f"{path} does not exist; check the path.")
        inside = image_files(path) if path.is_dir() else [path]
        if not inside:
            raise BadInput(f"{path} holds no images; name the folder that holds them.")
        found += inside
    return list(dict.fromkeys(found))


def _image_named(workspace: Workspace, name: str) -> tuple[str, Path]:
    """The id and file of an image: one of a data set by its id or file, or a file elsewhere."""
    path = Path(name).expanduser().resolve()
    for info in workspace.datasets():
        for row in workspace.images(info.name):
            if name == row.id or path == row.path:
                return row.id, row.path
    if not path.is_file():
        raise BadInput(f"{name} is neither an image's id nor a file; check it.")
    return f"file:{path}#{path.stat().st_mtime_ns}", path


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


# --- candidates' actions --------------------------------------------------------------------------------


def _list_candidates(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import quality
    from exdd_core.candidates import listed

    dataset, order = workspace.dataset(options.dataset).name, options.sort
    if options.status == "pending":
        found = quality.queue(workspace, dataset, order or "newest", engine=options.engine)
    elif order:
        raise BadInput("--sort is for pending candidates; leave it or --status out.")
    else:
        made = listed(workspace, dataset, options.status, options.engine)
        found = [(candidate, quality.kept_quality(candidate)) for candidate in made]
    rows: list[dict[str, Any]] = [
        {"id": c.id, "status": c.status, "engine": c.engine, "prompt": c.prompt, "defect_type": c.defect_type}
        | {
            "source": c.source,
            "seed": c.seed,
            "created": c.created,
            "image": str(c.image),
            "mask": str(c.mask),
        }
        | {"measures": {m.name: m.value for m in q.measures} if q else None}
        for c, q in found
    ]
    if not options.json:
        for row in rows:
            values = (row["measures"] or {}).items()
            shown = "  ".join(f"{name} {value:.2f}" for name, value in values if value is not None)
            print(f"{row['id']}  {row['status']:<9} {row['engine']:<11} {row['prompt'][:40]:<40}  {shown}")
        print(f"{len(rows)} candidates.")
    return {"dataset": dataset, "candidates": rows}


def _accept_candidates(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import curation

    ids = _chosen_candidates(workspace, options)
    if not ids:
        return _told({"ids": [], "left_out": {}, "rows": 0, "sentence": "Nothing to accept."}, options)
    decided = curation.accept(workspace, ids, options.who, options.type, _progress())
    return _told(asdict(decided), options)


def _reject_candidates(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import curation

    ids = _chosen_candidates(workspace, options)
    return _told(asdict(curation.reject(workspace, ids, options.who, options.reason or [])), options)


def _effect_of_candidates(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core.quality import Judge

    judge = Judge(workspace)
    if options.recommended:
        advice = judge.recommend(options.dataset, options.ids or None, _progress())
        result = {"recommended": advice.ids, "of": advice.of, "sentence": advice.sentence}
        trials = [{"groups": t.groups, "gain": t.gain, "error": t.error} for t in advice.trials]
        return _told(result | {"trials": trials}, options)
    ids = _chosen_candidates(workspace, options)
    if len(ids) == 1:
        measures = [asdict(measure) for measure in judge.quality(ids[0]).measures]
        if not options.json:
            print("\n".join(f"{m['name']:<10} {m['light']:<6} {m['text']}" for m in measures))
        return {"ids": ids, "measures": measures}
    return _told(
        {"ids": ids, "effect": asdict(effect := judge.effect(ids)), "sentence": effect.text}, options
    )


def _undo_decision(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import curation

    if not options.ids:
        return _told(asdict(curation.undo_last(workspace, options.who)), options)
    if len(options.ids) > 1 or not options.ids[0].isdecimal():
        raise BadInput(
            "Say which decision by its number, as candidates history shows it, or none for your last."
        )
    return _told(asdict(curation.undo(workspace, int(options.ids[0]), options.who)), options)


def _decision_history(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import curation

    found = [d for d in curation.decisions(workspace) if not options.ids or d.subject in options.ids]
    if not options.json:
        for d in found:
            more = ", ".join(d.reason) + (" (taken back)" if d.undone else "")
            print(f"{d.id:>5}  {d.created[:19]}  {d.who:<12} {d.action:<11} {d.subject}  {more}")
    return {"decisions": [asdict(d) for d in found]}


def _chosen_candidates(workspace: Workspace, options: argparse.Namespace) -> list[str]:
    """Those named, all pending ones, or those that the tool recommends."""
    if options.recommended:
        from exdd_core.quality import Judge

        advice = Judge(workspace).recommend(options.dataset, options.ids or None, _progress())
        _say(advice.sentence)
        return advice.ids
    if options.all:
        from exdd_core.candidates import listed

        return [
            c.id
            for c in listed(workspace, workspace.dataset(options.dataset).name, "pending", options.engine)
        ]
    if not options.ids:
        raise BadInput(f"Say which candidates: candidates {options.action} ID ..., --all or --recommended.")
    return options.ids


def _told(result: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    if not options.json:
        print(result["sentence"])
        for id, why in result.get("left_out", {}).items():
            _say(f"{id}: {why}.")
    return result


# --- actions on bank versions ---------------------------------------------------------------------------------


def _list_banks(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import versions

    measured = versions.measured(workspace)
    rows: list[dict[str, Any]] = []
    for bank in workspace.banks():
        last = measured.get(bank.id)
        counts = {side: bank.summary[f"{side}_rows"] for side in versions.SIDES}
        rows.append(
            {
                "id": bank.id,
                "name": bank.name,
                "dataset": bank.dataset,
                "created": bank.created,
                "active": bank.active,
                "pinned": bank.pinned,
                "rows": counts,
                "changes": versions.changes(workspace, bank.id),
                "measured": asdict(last) if last else None,
            }
        )
    if not options.json:
        print(
            f"{'version':<8} {'made':<26} {'normal':>8} {'defect':>7} {'changes':>8} {'AUROC':>6}  data set"
        )
        for row in rows:
            auroc = row["measured"]["metrics"]["image_auroc"] if row["measured"] else None
            marks = "".join(f", {name}" for name in ("active", "pinned") if row[name])
            print(
                f"{row['name']:<8} {row['created']:<26} {row['rows']['negative']:>8} {row['rows']['positive']:>7} "
                f"{row['changes']:>8} {'-' if auroc is None else f'{auroc:.3f}':>6}  {row['dataset']}{marks}"
            )
    return {"banks": rows}


def _compare_banks(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import versions

    found = versions.compare(workspace, *options.ids)
    pairs: list[tuple[str, Any, Any]] = []
    for side in versions.SIDES:
        a, b = (asdict(sides[side]) for sides in found.sides)
        pairs += [(f"{side} {key}", a[key], b[key]) for key in a]
    for key in versions.METRICS:
        first, second = (last.metrics[key] if last else None for last in found.measured)
        pairs.append((METRICS[key], first, second))
    pairs += [(key, *values) for key, values in found.settings.items()]
    names = [bank.name for bank in found.versions]
    if not options.json:
        print(f"{'':<20} {names[0]:>16} {names[1]:>16}")
        for name, *values in pairs:
            shown = [f"{v:.3f}" if isinstance(v, float) else "-" if v is None else str(v) for v in values]
            print(f"{name:<20} {shown[0]:>16} {shown[1]:>16}")
        for name, only in zip(names, found.only, strict=True):
            for side, ids in only.items():
                print("\n  ".join([f"{len(ids)} images only in the {side} bank of {name}", *ids]))
    return {
        "versions": names,
        "values": {name: values for name, *values in pairs},
        "only": dict(zip(names, found.only, strict=True)),
    }


def _state_of_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import versions

    bank = workspace.bank(options.ids[0] if options.ids else None)
    found = versions.state(workspace, bank.id)
    told = {"bank": bank.id, "name": bank.name, "due": found.due, "behind": found.behind}
    told["drift"] = asdict(found.drift)
    return _told(told | {"sentence": f"{bank.name}: {found.sentence}"}, options)


def _align_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import versions

    decided = versions.catch_up(workspace, options.who)
    return _told({"images": decided.ids, "name": decided.bank, "sentence": decided.sentence}, options)


def _activate_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    workspace.activate_bank(options.ids[0])
    return _of_bank(workspace.bank(), "is active now.", options)


def _roll_back(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    return _of_bank(workspace.roll_back(), "is active again.", options)


def _pin_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    pinned = options.action == "pin"
    workspace.pin_bank(options.ids[0], pinned)
    said = "is pinned and cannot be deleted." if pinned else "is not pinned any more."
    return _of_bank(workspace.bank(options.ids[0]), said, options)


def _delete_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    bank = workspace.bank(options.ids[0])
    workspace.delete_bank(bank.id)
    return _of_bank(bank, "is deleted.", options)


def _of_bank(bank: BankVersion, said: str, options: argparse.Namespace) -> dict[str, Any]:
    return _told({"bank": bank.id, "name": bank.name, "sentence": f"{bank.name} {said}"}, options)


def _rebuild_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import jobs, versions

    bank = workspace.bank(options.ids[0] if options.ids else None)
    spec = versions.rebuild_spec(workspace, bank.id)
    made = jobs.run_here(workspace, "build", f"Rebuilding {bank.name}", spec, _progress())
    said = f"Built {made['name']} from what is known and decided now; it is active."
    return _told(made | {"rebuilt": bank.name, "sentence": said}, options)


def _drop_from_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import versions

    decided = versions.drop(workspace, options.ids[0], options.side, options.who)
    return _told({"image": options.ids[0], "side": options.side, "sentence": decided.sentence}, options)


def _map_of_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import jobs, landscape

    bank = workspace.bank(options.ids[0] if options.ids else None)
    if options.method == "umap" and not landscape.is_made(workspace, bank.id):
        title = f"Making a map of {bank.name} by UMAP"
        jobs.run_here(workspace, "map", title, {"bank": bank.id}, _progress())
    found = landscape.landscape(workspace, bank.id, options.method)
    if options.to:
        landscape.write_csv(found, options.to)
        _say(f"Wrote {len(found.place)} rows to {options.to}.")
    elif not options.json:
        raise BadInput("Say where the map goes: --to FILE.csv, or --json.")
    return {"bank": bank.id, "name": bank.name, "map": found.to_json()}


BANK_ACTIONS = {
    "list": (_list_banks, 0, 0),
    "compare": (_compare_banks, 2, 2),
    "state": (_state_of_bank, 0, 1),
    "align": (_align_bank, 0, 0),
    "activate": (_activate_bank, 1, 1),
    "rollback": (_roll_back, 0, 0),
    "pin": (_pin_bank, 1, 1),
    "unpin": (_pin_bank, 1, 1),
    "delete": (_delete_bank, 1, 1),
    "rebuild": (_rebuild_bank, 0, 1),
    "drop": (_drop_from_bank, 1, 1),
    "map": (_map_of_bank, 0, 1),
}  # with how many names each takes, at least and at most


CANDIDATE_ACTIONS = {
    "list": _list_candidates,
    "accept": _accept_candidates,
    "reject": _reject_candidates,
    "effect": _effect_of_candidates,
    "undo": _undo_decision,
    "history": _decision_history,
}


# --- what a terminal shows ------------------------------------------------------------------------------


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


def _print_metrics(methods: dict[str, dict[str, Any]]) -> None:
    width = max(len(name) for name in methods) + 2
    print(" " * width + "".join(f"{title:>13}" for title in METRICS.values()))
    for name, values in methods.items():
        cells = [values.get(key) for key in METRICS]
        shown = ["-" if cell is None or math.isnan(cell) else f"{cell:.4f}" for cell in cells]
        print(f"{name:<{width}}" + "".join(f"{cell:>13}" for cell in shown))


def _print_recall(result: dict[str, Any]) -> None:
    """Defects found by type: at the wanted false-alarm rate, and at each method's own threshold."""
    at = {"at_rate": f"at {result.get('rate', 0):.1%} false alarms", "at_threshold": "at its own threshold"}
    for key, words in at.items():
        for name, found in result.get(key, {}).items():
            kinds = ", ".join(
                f"{kind or 'defect'} {n['found']}/{n['count']}" for kind, n in found["types"].items()
            )
            print(f"{name} {words}: found {kinds}; false alarms {found['false_alarms']}/{found['normal']}")
    _print_notes(result)


def _write_report(workspace: Workspace, run: Run, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import evaluation_report

    if options.to is None:
        raise BadInput(f"{options.action} needs --to with the name of the file to write.")
    if options.action == "report":
        evaluation_report.write_html(workspace, run, options.to, _progress())
    else:
        sheet = evaluation_report.figure_two(workspace, run, options.image)
        evaluation_report.write_figure(sheet, options.to)
    if not options.json:
        print(f"Wrote {options.to}")
    return {"run": run.id, "path": options.to}


def _p(value: float | None) -> str:
    return "too few parts for p" if value is None or math.isnan(value) else f"p = {value:.3f}"


def _print_notes(result: dict[str, Any]) -> None:
    for sentence in result.get("notes", ()):
        print(sentence)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _refuse(sentence: str) -> int:
    print(" ".join(sentence.split()), file=sys.stderr)  # one line, whatever a path or a library put into it
    return 2


def _progress() -> Progress:
    """Progress on standard error: one line that changes on a terminal; elsewhere a line now and then."""
    shown: dict[str, Any] = {"stage": "", "time": 0.0}
    terminal = sys.stderr.isatty()

    def show(progress: Progress) -> None:
        new, last = progress.stage != shown["stage"], progress.done >= progress.total
        if (
            not new
            and not (terminal and last)
            and time.monotonic() - shown["time"] < (0.1 if terminal else 10)
        ):
            return
        shown.update(stage=progress.stage, time=time.monotonic())
        end = "\n" if last or not terminal else ""
        print(f"\r\033[K{progress.text}" if terminal else progress.text, end=end, file=sys.stderr, flush=True)

    return Progress(show)


def _strict(value: Any) -> Any:
    """The value as JSON can hold it: no paths, no NaN (null instead), no numpy numbers."""
    if isinstance(value, dict):
        return {str(key): _strict(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_strict(item) for item in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


# --- options --------------------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message[0].upper()}{message[1:]}; {self.prog} --help lists what can be given.")


def _parser() -> argparse.ArgumentParser:
    common = _Parser(add_help=False)
    place = os.environ.get("EXDD_WORKSPACE") or "data/workspace"
    common.add_argument(
        "--workspace", type=Path, metavar="DIR", default=Path(place), help=f"default: {place}"
    )
    common.add_argument("--json", action="store_true", help="the result as the last line of standard output")

    parser = _Parser(prog="python -m exdd_core", description="ExDD Workbench without a browser.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(function: Any, name: str = "") -> argparse.ArgumentParser:
        sub = commands.add_parser(
            name or function.__name__,
            parents=[common],
            help=function.__doc__.split("\n")[0],
            description=function.__doc__,
            allow_abbrev=False,
        )
        sub.set_defaults(command=function)
        return sub

    _import_options(command(import_, "import"))
    _build_options(command(build))
    _score_options(command(score))
    _evaluate_options(command(evaluate))
    _sweep_options(command(sweep))
    _runs_options(command(runs))
    _synthesize_options(command(synthesize))
    _prompts_options(command(prompts))
    _candidates_options(command(candidates))
    _mark_options(command(mark))
    _banks_options(command(banks))
    _jobs_options(command(jobs))
    _serve_options(command(serve))
    command(doctor)
    return parser


def _import_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("source", type=Path, help="a folder or a zip file")
    add("--name", help="of the data set; default: the source's name")
    add(
        "--layout",
        default="auto",
        help="ksdd2, kolektor_sdd, magnetic_tile, mvtec, folder, demo; default: auto",
    )
    add("--size", metavar="WxH", help="what banks are built at, width x height; default: the layout's")
    add("--keep-aspect", action="store_true", help="letterbox images into --size instead of stretching them")
    add("--groups", metavar="RULE", help="plain folders: subfolder, csv:FILE or pattern:REGEX")
    add("--backbone", default="auto", metavar="NAME", help="of a workspace that is made now; default: auto")


def _build_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--dataset", metavar="NAME", help="default: the active one")
    add("--positives", default="real", metavar="WHICH", help="real, synthetic, both or none; default: real")
    add("--keep-active", action="store_true", help="do not make the new bank version the active one")
    add("--fusion", metavar="NAME", help="how distances become a score; default: chosen by what there is")
    _bank_options(sub)


def _score_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("paths", type=Path, nargs="+", metavar="PATH", help="images, or folders of images")
    add("--bank", metavar="VERSION", help="such as v3; default: the active one")
    add("--csv", type=Path, metavar="FILE", help="write the table of results")
    add(
        "--png",
        type=Path,
        metavar="DIR",
        help="write image, both heatmaps and their difference for each image",
    )


def _evaluate_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--dataset", metavar="NAME", help="default: the bank version's; with --folds, the active one")
    add("--bank", metavar="VERSION", help="such as v3; default: the active one")
    add(
        "--folds",
        type=_at_least(2),
        metavar="K",
        help="grouped folds over all images, each with its own banks",
    )
    add(
        "--fusion",
        metavar="NAME",
        help="of ExDD; default: the bank version's; with --folds also: all",
    )
    add(
        "--table1",
        action="store_true",
        help="PatchCore, ExDD with real defects, and with accepted synthetic ones",
    )
    add(
        "--false-alarm-rate",
        type=_rate,
        metavar="R",
        help="share of normal test images at which recall is read, from 0 to below 1; default: 0.05",
    )
    _bank_options(sub)


def _sweep_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--dataset", metavar="NAME", help="default: the active one")
    add("--counts", type=_counts, default=[0, 50, 100, 150], metavar="N,N", help="default: 0,50,100,150")
    add("--seeds", type=_at_least(1), default=3, metavar="K", help="draws of each count; default: 3")
    add("--max-real-parts", type=_at_least(0), metavar="M", help="learn from at most M defective parts")
    add("--negative-ratio", type=_share, metavar="R", help="share of normal patches kept, above 0 to 1")
    add("--positive-ratio", type=_share, metavar="R", help="share of defect patches kept, above 0 to 1")
    add("--backbone", metavar="NAME", help="default: the workspace's")


def _runs_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("action", choices=tuple(RUNS_NAMED))
    sub.add_argument("ids", nargs="*", metavar="ID", help="of a measurement, as list shows it, or: last")
    sub.add_argument(
        "--to", type=Path, metavar="FILE", help="report: an .html file; figure: a .png or .pdf file"
    )
    sub.add_argument(
        "--image",
        action="append",
        default=[],
        metavar="ID",
        help="figure: one row's image, again for more; default: where the methods disagree most",
    )


def _synthesize_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--dataset", metavar="NAME", help="default: the active one")
    add(
        "--engine", metavar="NAME", help="sdxl, procedural or transplant; default: sdxl where its weights are"
    )
    add(
        "--prompt",
        metavar="TEXT",
        help="the defect in words; may hold alternatives, {copper|steel} scratches",
    )
    add("--negative-prompt", metavar="TEXT", help="what the defect shall not be")
    add("--saved", metavar="NAME", help="a prompt of the library, with its negative prompt and settings")
    add("--count", type=_at_least(1), default=10, metavar="N", help="how many paintings; default: 10")
    add("--each", action="store_true", help="as many of every prompt that --prompt can become")
    add("--seed", type=_at_least(0), default=0, metavar="S", help="of the first painting; default: 0")
    add(
        "--masks",
        default="real",
        metavar="real|procedural|FILE",
        help="where: like real defects of the training split, a generated shape, or a mask file; default: real",
    )
    add(
        "--shape",
        metavar="NAME",
        help="of --masks procedural: scratch, spot, crack, blotch; default: scratch",
    )
    add(
        "--image",
        action="append",
        default=[],
        metavar="ID",
        help="paint on this normal image; may be repeated",
    )
    add("--setting", action="append", default=[], metavar="NAME=VALUE", help="of the engine; may be repeated")
    add("--sdxl-model", metavar="MODEL", help="a folder, a .safetensors file or a model id")
    add("--from-test", action="store_true", help="let the test split lend too; every record will say so")
    add("--defect-type", metavar="TYPE", help="what the painted defects are called in the positive bank")


def _prompts_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("action", choices=("list", "export", "import"), help="list, export or import")
    add("file", type=Path, nargs="?", metavar="FILE", help="the JSON file of export and import")
    add(
        "--replace",
        action="store_true",
        help="import: replace prompts of the same name instead of keeping both",
    )


def _bank_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--max-real-parts", type=_at_least(0), metavar="M", help="learn from at most M defective parts")
    add("--seed", type=_at_least(0), default=0, metavar="S", help="default: 0")
    add("--negative-ratio", type=_share, metavar="R", help="share of normal patches kept, above 0 to 1")
    add("--positive-ratio", type=_share, metavar="R", help="share of defect patches kept, above 0 to 1")
    add("--size", metavar="WxH", help="of the model's input, width x height; default: the data set's")
    add("--backbone", metavar="NAME", help="default: the workspace's")


def _candidates_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("action", choices=CANDIDATE_ACTIONS, metavar="ACTION", help=", ".join(CANDIDATE_ACTIONS))
    add(
        "ids",
        nargs="*",
        metavar="ID",
        help="of candidates; for undo, the number of a decision (default: your last)",
    )
    add("--all", action="store_true", help="all pending candidates of the data set")
    add("--recommended", action="store_true", help="those that help on training parts held back; maybe none")
    add("--dataset", metavar="NAME", help="default: the active one")
    add(
        "--status",
        default="pending",
        choices=("pending", "accepted", "rejected", "deleted"),
        help="list: default pending",
    )
    add("--engine", metavar="NAME", help="list, --all: only those of one engine")
    add("--sort", metavar="MEASURE", help="list: effect, new, plausible, visible, clean, newest or oldest")
    add(
        "--reason",
        action="append",
        metavar="TAG",
        help="reject: such as unrealistic or artefact; may be repeated",
    )
    add("--type", metavar="TYPE", help="accept: the defect's type")
    add("--who", default=_user(), metavar="NAME", help="who decides; default: you")


def _mark_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("action", choices=("missed", "false-alarm"), metavar="ACTION", help="missed, false-alarm")
    add("image", metavar="IMAGE", help="the id of an image, or a file")
    add(
        "--mask",
        type=Path,
        metavar="FILE",
        help="where it is, white; for false-alarm default: what lies above the threshold",
    )
    add("--type", default="", metavar="TYPE", help="missed: the defect's type")
    add("--who", default=_user(), metavar="NAME", help="who says so; default: you")


def _banks_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("action", choices=tuple(BANK_ACTIONS), metavar="ACTION", help=", ".join(BANK_ACTIONS))
    add(
        "ids",
        nargs="*",
        metavar="VERSION",
        help="such as v3; default: the active one. For drop, an image's id",
    )
    add(
        "--side",
        default="positive",
        choices=("positive", "negative"),
        help="drop: which bank; default: positive",
    )
    add("--method", default="pca", choices=("pca", "umap"), help="map: default pca; umap takes a minute")
    add("--to", type=Path, metavar="FILE", help="map: a .csv file with the place and the origin of every row")
    add("--who", default=_user(), metavar="NAME", help="drop: who decides; default: you")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in some containers
        return "someone"


def _jobs_options(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("action", choices=("list", "cancel", "resume"))
    sub.add_argument("id", nargs="?", metavar="ID", help="of the job, as list shows it")


def _serve_options(sub: argparse.ArgumentParser) -> None:
    add = sub.add_argument
    add("--host", default="127.0.0.1", help="default: 127.0.0.1, this machine only")
    add("--port", type=_port, default=7860, help="default: 7860")
    add("--demo", action="store_true", help="fill a workspace without data sets with generated images first")


def _at_least(lowest: int) -> Any:
    def parse(text: str) -> int:
        if not text.strip().lstrip("-").isdecimal() or int(text) < lowest:
            raise argparse.ArgumentTypeError(f"'{text}' is not a whole number from {lowest} on")
        return int(text)

    return parse


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share above 0 and up to 1")
    return value


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a share from 0 to below 1")
    return value


def _counts(text: str) -> list[int]:
    return sorted({_at_least(0)(part) for part in text.split(",")})


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"'{text}' is not a port from 1 to 65535")
    return int(text)


def _check_port(host: str, port: int) -> None:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except socket.gaierror:
        raise BadInput(f"{host} is not an address of this machine; use 127.0.0.1 or 0.0.0.0.") from None
    except OSError as error:
        raise BadInput(
            f"{host}:{port} cannot be used ({error.strerror}); stop the program that uses it or choose "
            "another --port."
        ) from None


def _open(options: argparse.Namespace) -> Workspace:
    from exdd_core.workspace import Workspace

    return Workspace.open(options.workspace)
