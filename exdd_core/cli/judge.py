"""The commands for candidates: list, accept, reject, delete, and what they would change.

Knows who decides, and how to print a decision. Does not know what a decision does to a bank.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import Add, Group, at_least, open_workspace, who_option
from exdd_core.cli.resemblance import measure_candidates, measure_options
from exdd_core.cli.terminal import print_result, progress, say
from exdd_core.errors import BadInput
from exdd_core.sentences import count

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.cli import answers
    from exdd_core.curation import Decided
    from exdd_core.curation.measures import Quality
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.candidates import Candidate
    from exdd_core.workspace.decisions import Decision


def list_options(add: Add) -> None:
    add("--dataset", metavar="NAME", help="data set (default: the active one)")
    add(
        "--status",
        default="pending",
        choices=("pending", "accepted", "rejected", "draft", "deleted"),
        help="status of the candidates to list (default: pending)",
    )
    add("--engine", metavar="NAME", help="list only candidates of this engine")
    add(
        "--sort",
        metavar="MEASURE",
        help="order: effect, new, plausible, visible, clean, newest or oldest (default: newest)",
    )


def list_candidates(options: argparse.Namespace) -> answers.CandidatesListed:
    """List candidates with the measures that Curate, or candidates effect for one of them, has taken."""
    from exdd_core.curation import queue
    from exdd_core.workspace.candidates import listed

    _check_engine(options.engine)
    workspace = open_workspace(options)
    dataset, order = workspace.dataset(options.dataset).name, options.sort
    if options.status == "pending":
        found = queue.queue(workspace, dataset, order or "newest", engine=options.engine)
    elif order:
        raise BadInput("--sort can only be used with pending candidates; leave out --sort or --status.")
    else:
        made = listed(workspace, dataset, options.status, options.engine)
        found = [(candidate, queue.kept_quality(candidate)) for candidate in made]
    rows = [_candidate_row(candidate, quality) for candidate, quality in found]
    if not options.json:
        for row in rows:
            values = (row["measures"] or {}).items()
            shown = "  ".join(f"{name} {value:.2f}" for name, value in values if value is not None)
            print(f"{row['id']}  {row['status']:<9} {row['engine']:<11} {row['prompt'][:40]:<40}  {shown}")
        waiting = sum(row["measures"] is None for row in rows)
        print(f"{count(len(rows), 'candidate')}{f', {waiting} not measured' if waiting else ''}.")
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
    add("ids", nargs="*", metavar="ID", help="candidate id, as shown by candidates list")
    add("--all", action="store_true", help="all pending candidates of the data set")
    add(
        "--recommended",
        action="store_true",
        help="the candidates that help on held-out training parts, possibly none",
    )
    add("--dataset", metavar="NAME", help="data set (default: the active one)")
    add("--engine", metavar="NAME", help="with --all: only candidates of this engine")


def _chosen_candidates(workspace: Workspace, options: argparse.Namespace) -> list[str]:
    """The ids of the named candidates, of all pending ones, or of the recommended ones."""
    _check_engine(options.engine)
    if options.engine and not options.all:
        raise BadInput("--engine can only be used with --all; leave it out or add --all.")
    if options.all and (options.ids or options.recommended):
        raise BadInput("--all cannot be combined with ids or --recommended; leave one of them out.")
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
        raise BadInput(
            "Specify the candidates: ID ..., --all or --recommended; candidates list shows the ids."
        )
    if options.dataset:
        from exdd_core.workspace.candidates import get

        name = workspace.dataset(options.dataset).name
        if strange := [id for id in options.ids if get(workspace, id).dataset != name]:
            raise BadInput(f"{strange[0]} is not a candidate of {name}; leave --dataset out or correct it.")
    return options.ids


def accept_options(add: Add) -> None:
    _choice_options(add)
    add("--type", metavar="TYPE", help="defect type")
    who_option(add)


def accept_candidates(options: argparse.Namespace) -> Decided | answers.NothingDecided:
    """Accept candidates; they join the positive bank of their data set's version before its next use."""
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
    add(
        "--reason",
        action="append",
        metavar="TAG",
        help="reason, such as unrealistic or artefact; may be repeated",
    )
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
    """Show what accepting candidates would change on held-out training parts, without accepting them."""
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
    add("--dataset", metavar="NAME", help="data set (default: the active one)")
    add(
        "--by",
        default="engine",
        choices=("engine", "type", "prompt"),
        help="what to group candidates by (default: engine)",
    )


def transfer_of_candidates(options: argparse.Namespace) -> dict[str, list[answers.Transfer]]:
    """Show how well candidates find real defects that they were not made from."""
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
        help="number of the decision, as shown by candidates history (default: your last one)",
    )
    who_option(add)


def undo_decision(options: argparse.Namespace) -> Decided:
    """Undo a decision."""
    from exdd_core import curation

    workspace = open_workspace(options)
    if options.decision is None:
        return _decided(curation.undo_last(workspace, options.who, wait=False), options)
    return _decided(curation.undo(workspace, options.decision, options.who, wait=False), options)


def history_options(add: Add) -> None:
    add("ids", nargs="*", metavar="ID", help="id of a candidate or a marked image (default: all)")


def decision_history(options: argparse.Namespace) -> dict[str, list[Decision]]:
    """Show decisions and who made them, newest first."""
    from exdd_core.workspace import decisions

    workspace = open_workspace(options)
    by_id = {id: decisions.history(workspace, id) for id in options.ids or [None]}
    found = sorted((d for own in by_id.values() for d in own), key=lambda d: -d.id)
    for id, own in by_id.items():
        if not own:
            say(
                "Nothing is decided yet."
                if id is None
                else f'There is no decision on "{id}" in this workspace.'
            )
    if not options.json:
        for d in found:
            more = ", ".join(d.reason) + (" (undone)" if d.undone else "")
            print(f"{d.id:>5}  {d.created[:19]}  {d.who:<12} {d.action:<11} {d.subject}  {more}")
    return {"decisions": found}


def ids_options(add: Add) -> None:
    add("ids", nargs="+", metavar="ID", help="candidate id, as shown by candidates list")


def delete_candidates(options: argparse.Namespace) -> answers.CandidatesDeleted:
    """Delete undecided candidates; candidates restore brings them back."""
    from exdd_core.workspace import candidates

    workspace = open_workspace(options)
    every = [candidates.get(workspace, id).id for id in options.ids]
    deleted = candidates.delete_undecided(workspace, every)
    left = [id for id in every if id not in deleted]
    if not deleted:
        raise BadInput(
            "All of them are already decided on or deleted; undo a decision first with candidates undo."
        )
    said = f"{count(len(deleted), 'candidate')} deleted."
    if left:
        said += f" Left unchanged because already decided on or deleted: {', '.join(left)}."
    answer: answers.CandidatesDeleted = {"deleted": deleted, "left_out": left}
    return print_result(said, answer, options)


def restore_candidates(options: argparse.Namespace) -> answers.CandidatesRestored:
    """Restore deleted candidates; they are pending again."""
    from exdd_core.workspace import candidates

    workspace = open_workspace(options)
    every = [candidates.get(workspace, id).id for id in options.ids]
    restored = candidates.restore(workspace, every)
    if not restored:
        raise BadInput("None of them is deleted; candidates list --status deleted shows the deleted ones.")
    left = [id for id in every if id not in restored]
    said = f"{count(len(restored), 'candidate')} restored."
    if left:
        said += f" Left unchanged because not deleted: {', '.join(left)}."
    answer: answers.CandidatesRestored = {"restored": restored, "left_out": left}
    return print_result(said, answer, options)


CANDIDATES = Group(
    "Review and decide on painted candidates",
    {
        "list": (list_candidates, list_options),
        "accept": (accept_candidates, accept_options),
        "reject": (reject_candidates, reject_options),
        "delete": (delete_candidates, ids_options),
        "restore": (restore_candidates, ids_options),
        "effect": (effect_of_candidates, _choice_options),
        "transfer": (transfer_of_candidates, transfer_options),
        "measure": (measure_candidates, measure_options),
        "undo": (undo_decision, undo_options),
        "history": (decision_history, history_options),
    },
)
