"""The commands for decisions on candidates and for marks on misjudged images: candidates, mark.

Knows who decides, and how to print a decision. Does not know what a decision does to a bank.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from exdd_core.cli.arguments import Add, Group, at_least, open_workspace, who_option
from exdd_core.cli.resemblance import measure_candidates, measure_options
from exdd_core.cli.terminal import print_result, progress, say
from exdd_core.errors import BadInput

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    import numpy as np

    from exdd_core.cli import answers
    from exdd_core.curation import Decided
    from exdd_core.curation.measures import Quality
    from exdd_core.detector.inspection import Inspection
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.candidates import Candidate
    from exdd_core.workspace.decisions import Decision

    # Marks one image: the workspace, the image's id and file, and a mask, bool (H, W).
    Mark: TypeAlias = Callable[[Workspace, str, Path, np.ndarray | None], Decided]


def list_options(add: Add) -> None:
    add("--dataset", metavar="NAME", help="default: the active one")
    add(
        "--status",
        default="pending",
        choices=("pending", "accepted", "rejected", "draft", "deleted"),
        help="default: pending",
    )
    add("--engine", metavar="NAME", help="only those of one engine")
    add("--sort", metavar="MEASURE", help="effect, new, plausible, visible, clean, newest or oldest")


def list_candidates(options: argparse.Namespace) -> answers.CandidatesListed:
    """List candidates with their measures."""
    from exdd_core.curation import queue
    from exdd_core.workspace.candidates import listed

    _check_engine(options.engine)
    workspace = open_workspace(options)
    dataset, order = workspace.dataset(options.dataset).name, options.sort
    if options.status == "pending":
        found = queue.queue(workspace, dataset, order or "newest", engine=options.engine)
    elif order:
        raise BadInput("--sort is for pending candidates; leave it or --status out.")
    else:
        made = listed(workspace, dataset, options.status, options.engine)
        found = [(candidate, queue.kept_quality(candidate)) for candidate in made]
    rows = [_candidate_row(candidate, quality) for candidate, quality in found]
    if not options.json:
        for row in rows:
            values = (row["measures"] or {}).items()
            shown = "  ".join(f"{name} {value:.2f}" for name, value in values if value is not None)
            print(f"{row['id']}  {row['status']:<9} {row['engine']:<11} {row['prompt'][:40]:<40}  {shown}")
        print(f"{len(rows)} candidate{'' if len(rows) == 1 else 's'}.")
    return {"dataset": dataset, "candidates": rows}


def _candidate_row(candidate: Candidate, quality: Quality | None) -> answers.CandidateRow:
    return {
        "id": candidate.id,
        "status": candidate.status,
        "engine": candidate.engine,
        "prompt": candidate.prompt,
        "defect_type": candidate.defect_type,
        "source": candidate.source,
        "seed": candidate.seed,
        "created": candidate.created,
        "image": str(candidate.image),
        "mask": str(candidate.mask),
        "measures": {measure.name: measure.value for measure in quality.measures} if quality else None,
    }


def _check_engine(name: str | None) -> None:
    from exdd_core.synthesis import ENGINES

    if name is not None and name not in ENGINES:
        raise BadInput(f'There is no engine "{name}"; choose {", ".join(ENGINES)}.')


def _choice_options(add: Add) -> None:
    add("ids", nargs="*", metavar="ID", help="of candidates, as candidates list shows them")
    add("--all", action="store_true", help="all pending candidates of the data set")
    add("--recommended", action="store_true", help="those that help on held-out training parts; maybe none")
    add("--dataset", metavar="NAME", help="default: the active one")
    add("--engine", metavar="NAME", help="--all: only those of one engine")


def _chosen_candidates(workspace: Workspace, options: argparse.Namespace) -> list[str]:
    """The ids of the named candidates, of all pending ones, or of the recommended ones."""
    _check_engine(options.engine)
    if options.engine and not options.all:
        raise BadInput("--engine narrows --all; leave it out or add --all.")
    if options.all and (options.ids or options.recommended):
        raise BadInput("--all means all pending candidates; leave it, or the ids and --recommended, out.")
    if options.recommended:
        from exdd_core.curation.judge import Judge

        advice = Judge(workspace).recommend(options.dataset, options.ids or None, progress())
        say(advice.sentence)
        return advice.ids
    if options.all:
        from exdd_core.workspace.candidates import listed

        return [
            c.id
            for c in listed(workspace, workspace.dataset(options.dataset).name, "pending", options.engine)
        ]
    if not options.ids:
        raise BadInput("Say which candidates: ID ..., --all or --recommended; candidates list shows them.")
    return options.ids


def accept_options(add: Add) -> None:
    _choice_options(add)
    add("--type", metavar="TYPE", help="the defect's type")
    who_option(add)


def accept_candidates(options: argparse.Namespace) -> Decided | answers.NothingDecided:
    """Accept candidates: they join the positive bank of the active version before it is used next."""
    from exdd_core import curation

    workspace = open_workspace(options)
    ids = _chosen_candidates(workspace, options)
    if not ids:
        nothing: answers.NothingDecided = {
            "ids": [],
            "left_out": {},
            "rows": 0,
            "sentence": "Nothing to accept.",
            "waits": False,
        }
        return print_result(nothing["sentence"], nothing, options)
    return _decided(curation.accept(workspace, ids, options.who, options.type, wait=False), options)


def _decided(decided: Decided, options: argparse.Namespace) -> Decided:
    print_result(decided.sentence, decided, options)
    if not options.json:
        for id, why in decided.left_out.items():
            say(f"{id}: {why}.")
    return decided


def reject_options(add: Add) -> None:
    _choice_options(add)
    add("--reason", action="append", metavar="TAG", help="such as unrealistic or artefact; may be repeated")
    who_option(add)


def reject_candidates(options: argparse.Namespace) -> Decided:
    """Reject candidates."""
    from exdd_core import curation

    workspace = open_workspace(options)
    ids = _chosen_candidates(workspace, options)
    return _decided(curation.reject(workspace, ids, options.who, options.reason or []), options)


def effect_of_candidates(
    options: argparse.Namespace,
) -> answers.Recommended | answers.CandidateMeasured | answers.Effect:
    """Say what accepting candidates would change, on held-out training parts; changes nothing."""
    from exdd_core.curation.judge import Judge

    workspace = open_workspace(options)
    judge = Judge(workspace)
    if options.recommended:
        advice = judge.recommend(options.dataset, options.ids or None, progress())
        advised: answers.Recommended = {
            "recommended": advice.ids,
            "of": advice.of,
            "sentence": advice.sentence,
            "trials": [{"groups": t.groups, "gain": t.gain, "error": t.error} for t in advice.trials],
        }
        return print_result(advice.sentence, advised, options)
    ids = _chosen_candidates(workspace, options)
    if len(ids) == 1:
        measured: answers.CandidateMeasured = {"ids": ids, "measures": judge.quality(ids[0]).measures}
        lines = [f"{m.name:<10} {m.light:<6} {m.text}" for m in measured["measures"]]
        return print_result("\n".join(lines), measured, options)
    found = judge.effect(ids)
    effect: answers.Effect = {"ids": ids, "effect": found, "sentence": found.text}
    return print_result(found.text, effect, options)


def transfer_options(add: Add) -> None:
    add("--dataset", metavar="NAME", help="default: the active one")
    add("--by", default="engine", choices=("engine", "type", "prompt"), help="groups; default: engine")


def transfer_of_candidates(options: argparse.Namespace) -> dict[str, list[answers.Transfer]]:
    """Say what candidates find of real defects that they were not made from; changes nothing."""
    from exdd_core.curation.finding import transfers

    found = transfers(open_workspace(options), options.dataset, options.by, progress())
    rows: list[answers.Transfer] = [
        {
            "group": one.engine,
            "candidates": one.images,
            "found": one.seen,
            "parts": len(one.found),
            "transfer": one.transfer(),
            "weight": one.weight(),
        }
        for one in found
    ]
    return print_result("\n".join(one.sentence() for one in found), {"groups": rows}, options)


def undo_options(add: Add) -> None:
    add(
        "decision",
        nargs="?",
        type=at_least(1),
        metavar="NUMBER",
        help="of the decision, as candidates history shows it; default: your last",
    )
    who_option(add)


def undo_decision(options: argparse.Namespace) -> Decided:
    """Take a decision back."""
    from exdd_core import curation

    workspace = open_workspace(options)
    if options.decision is None:
        return _decided(curation.undo_last(workspace, options.who, wait=False), options)
    return _decided(curation.undo(workspace, options.decision, options.who, wait=False), options)


def history_options(add: Add) -> None:
    add("ids", nargs="*", metavar="ID", help="of candidates or marked images; default: all")


def decision_history(options: argparse.Namespace) -> dict[str, list[Decision]]:
    """Show who decided what, newest first."""
    from exdd_core.workspace import decisions

    workspace = open_workspace(options)
    every = [d for id in options.ids or [None] for d in decisions.history(workspace, id)]
    found = sorted(every, key=lambda d: -d.id)
    if not options.json:
        for d in found:
            more = ", ".join(d.reason) + (" (taken back)" if d.undone else "")
            print(f"{d.id:>5}  {d.created[:19]}  {d.who:<12} {d.action:<11} {d.subject}  {more}")
    return {"decisions": found}


CANDIDATES = Group(
    "What was painted, and decisions on it",
    {
        "list": (list_candidates, list_options),
        "accept": (accept_candidates, accept_options),
        "reject": (reject_candidates, reject_options),
        "effect": (effect_of_candidates, _choice_options),
        "transfer": (transfer_of_candidates, transfer_options),
        "measure": (measure_candidates, measure_options),
        "undo": (undo_decision, undo_options),
        "history": (decision_history, history_options),
    },
)


def missed_options(add: Add) -> None:
    add("image", metavar="IMAGE", help="the id of an image, or a file")
    add("--mask", type=Path, required=True, metavar="FILE", help="as large as the image, white on the defect")
    add("--type", default="", metavar="TYPE", help="the defect's type")
    who_option(add)


def mark_missed(options: argparse.Namespace) -> answers.Marked:
    """Teach the active version a defect that it missed: into the positive bank."""
    from exdd_core import curation

    def mark(workspace: Workspace, id: str, path: Path, mask: np.ndarray | None) -> Decided:
        assert mask is not None  # --mask is required
        return curation.mark_missed(workspace, id, path, mask, options.who, options.type)

    return _marked(mark, options, check=True)


def false_alarm_options(add: Add) -> None:
    add("image", metavar="IMAGE", help="the id of an image, or a file")
    add(
        "--mask",
        type=Path,
        metavar="FILE",
        help="as large as the image, white where it is normal; default: what lies above the threshold",
    )
    who_option(add)


def mark_false_alarm(options: argparse.Namespace) -> answers.Marked:
    """Teach the active version that what it took for a defect is normal: into the negative bank."""
    from exdd_core import curation

    def mark(workspace: Workspace, id: str, path: Path, mask: np.ndarray | None) -> Decided:
        return curation.mark_false_alarm(workspace, id, path, options.who, mask)

    return _marked(mark, options)


def _marked(mark: Mark, options: argparse.Namespace, check: bool = False) -> answers.Marked:
    """Run `mark`, and return the image's score before and after it. check: whether the mask must mark a defect."""
    from exdd_core import curation
    from exdd_core.datasets import incoming
    from exdd_core.images import probe
    from exdd_core.review import Review, score_change
    from exdd_core.workspace import decisions

    workspace = open_workspace(options)
    id, path = _image_named(workspace, options.image)
    if reason := Review(workspace).why_not(id):
        raise BadInput(reason)
    mask = None
    if options.mask:
        shape = probe(path)[::-1]
        mask = incoming.take_mask(options.mask, shape, image=path)
        if check:
            curation.check_missed(mask, shape)
    before = _seen(workspace, id, path)
    decided = mark(workspace, id, path, mask)
    after = _seen(workspace, id, path)
    number = decisions.history(workspace, id, limit=1)[0].id
    said = f"{decided.sentence} {score_change(before, after)}. Take it back with: candidates undo {number}"
    answer: answers.Marked = {
        "ids": decided.ids,
        "left_out": decided.left_out,
        "bank": decided.bank,
        "rows": decided.rows,
        "sentence": said,
        "before": before.calibrated_score,
        "after": after.calibrated_score,
        "verdict": after.verdict,
        "decision": number,
    }
    return print_result(said, answer, options)


def _seen(workspace: Workspace, id: str, path: Path) -> Inspection:
    """The active version's inspection of an image."""
    from exdd_core.banks import teachers
    from exdd_core.banks.detectors import load_detector

    detector = load_detector(workspace)
    return detector.score([teachers.pixels_of(workspace, id, path, detector)])[0]


def _image_named(workspace: Workspace, name: str) -> tuple[str, Path]:
    """The id and file of an image: an image of a data set by its id or file, or any other file."""
    path = Path(name).expanduser().resolve()
    for info in workspace.datasets():
        for row in workspace.images(info.name):
            if name == row.id or path == row.path:
                return row.id, row.path
    if not path.is_file():
        raise BadInput(f"{name} is neither an image's id nor a file; check it.")
    return f"file:{path}#{path.stat().st_mtime_ns}", path


MARK = Group(
    "Images that the active version judged wrongly",
    {"missed": (mark_missed, missed_options), "false-alarm": (mark_false_alarm, false_alarm_options)},
)
