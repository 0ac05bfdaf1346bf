"""A person's judgement: candidates to accept or reject, and images that the detector judged wrongly: candidates, mark.

Knows who decides and how a decision is told. Does not know what a decision does to a bank.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core.cli.arguments import Add, open_workspace, user
from exdd_core.cli.terminal import progress, say, told
from exdd_core.errors import BadInput

if TYPE_CHECKING:  # imported by the command that needs them: --help answers at once
    from exdd_core.workspace import Workspace


def candidates_options(add: Add) -> None:
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
    add("--who", default=user(), metavar="NAME", help="who decides; default: you")


def candidates(options: argparse.Namespace) -> dict[str, Any]:
    """List candidates, accept or reject them, say what that would do, take decisions back, show their history."""
    workspace = open_workspace(options)
    return CANDIDATE_ACTIONS[options.action](workspace, options)


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
        return told({"ids": [], "left_out": {}, "rows": 0, "sentence": "Nothing to accept."}, options)
    decided = curation.accept(workspace, ids, options.who, options.type, progress())
    return told(asdict(decided), options)


def _reject_candidates(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import curation

    ids = _chosen_candidates(workspace, options)
    return told(asdict(curation.reject(workspace, ids, options.who, options.reason or [])), options)


def _effect_of_candidates(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core.quality import Judge

    judge = Judge(workspace)
    if options.recommended:
        advice = judge.recommend(options.dataset, options.ids or None, progress())
        result = {"recommended": advice.ids, "of": advice.of, "sentence": advice.sentence}
        trials = [{"groups": t.groups, "gain": t.gain, "error": t.error} for t in advice.trials]
        return told(result | {"trials": trials}, options)
    ids = _chosen_candidates(workspace, options)
    if len(ids) == 1:
        measures = [asdict(measure) for measure in judge.quality(ids[0]).measures]
        if not options.json:
            print("\n".join(f"{m['name']:<10} {m['light']:<6} {m['text']}" for m in measures))
        return {"ids": ids, "measures": measures}
    return told({"ids": ids, "effect": asdict(effect := judge.effect(ids)), "sentence": effect.text}, options)


def _undo_decision(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import curation

    if not options.ids:
        return told(asdict(curation.undo_last(workspace, options.who)), options)
    if len(options.ids) > 1 or not options.ids[0].isdecimal():
        raise BadInput(
            "Say which decision by its number, as candidates history shows it, or none for your last."
        )
    return told(asdict(curation.undo(workspace, int(options.ids[0]), options.who)), options)


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

        advice = Judge(workspace).recommend(options.dataset, options.ids or None, progress())
        say(advice.sentence)
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


CANDIDATE_ACTIONS = {
    "list": _list_candidates,
    "accept": _accept_candidates,
    "reject": _reject_candidates,
    "effect": _effect_of_candidates,
    "undo": _undo_decision,
    "history": _decision_history,
}


def mark_options(add: Add) -> None:
    add("action", choices=("missed", "false-alarm"), metavar="ACTION", help="missed, false-alarm")
    add("image", metavar="IMAGE", help="the id of an image, or a file")
    add(
        "--mask",
        type=Path,
        metavar="FILE",
        help="where it is, white; for false-alarm default: what lies above the threshold",
    )
    add("--type", default="", metavar="TYPE", help="missed: the defect's type")
    add("--who", default=user(), metavar="NAME", help="who says so; default: you")


def mark(options: argparse.Namespace) -> dict[str, Any]:
    """Teach the active bank version by an image that it judged wrongly: a missed defect, or a false alarm."""
    from exdd_core import curation
    from exdd_core.images import read_mask
    from exdd_core.review import Review, score_change

    workspace = open_workspace(options)
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
    return told(
        asdict(decided) | scores | {"verdict": after.verdict, "decision": number, "sentence": said}, options
    )


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
