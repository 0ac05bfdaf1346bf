"""The commands for what Curate keeps beside decisions: people's own reasons for rejecting, and blind tests.

Knows names and results. Does not know how a test is taken, for which one sees pictures.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import Add, Group, open_workspace
from exdd_core.cli.terminal import print_result
from exdd_core.errors import BadInput
from exdd_core.sentences import count

if TYPE_CHECKING:
    from exdd_core.cli import answers


def list_reasons(options: argparse.Namespace) -> dict[str, list[answers.Reason]]:
    """List the reasons for rejecting: the usual ones, then your own, most frequent first."""
    from exdd_core import curation

    own = curation.own_reasons(open_workspace(options))
    rows: list[answers.Reason] = [{"reason": one, "own": one in own} for one in (*curation.REASONS, *own)]
    lines = [f"{row['reason']}{'  (own)' if row['own'] else ''}" for row in rows]
    return print_result("\n".join(lines), {"reasons": rows}, options)


def reason_option(add: Add) -> None:
    add("reason", metavar="REASON", help="reason, as shown by reasons list")


def delete_reason(options: argparse.Namespace) -> answers.ReasonNow:
    """Stop offering a reason of your own, until someone uses it again; decisions keep it."""
    from exdd_core import curation
    from exdd_core.workspace import decisions

    workspace = open_workspace(options)
    if options.reason in curation.REASONS:
        raise BadInput(f'"{options.reason}" is always offered; only reasons of your own can be deleted.')
    if options.reason not in curation.own_reasons(workspace):
        raise BadInput(f'There is no reason "{options.reason}" of your own; reasons list shows them.')
    decisions.leave_reason(workspace, options.reason)
    answer: answers.ReasonNow = {"reason": options.reason, "offered": False}
    return print_result(
        f'"{options.reason}" was deleted; decisions keep it. To offer it again, run reasons restore.',
        answer,
        options,
    )


def rename_options(add: Add) -> None:
    reason_option(add)
    add("called", metavar="NAME", help="new name")


def rename_reason(options: argparse.Namespace) -> answers.ReasonNow:
    """Rename a reason of your own, also in the decisions that have it."""
    from exdd_core import curation

    called = curation.rename_reason(open_workspace(options), options.reason, options.called)
    answer: answers.ReasonNow = {"reason": called, "offered": True}
    return print_result(f'"{options.reason}" is called "{called}" now.', answer, options)


def restore_reason(options: argparse.Namespace) -> answers.ReasonNow:
    """Offer a deleted reason again."""
    from exdd_core.workspace import decisions

    workspace = open_workspace(options)
    if options.reason not in (left := decisions.left_reasons(workspace)):
        known = f"the deleted ones are {', '.join(left)}" if left else "none is deleted"
        raise BadInput(f'There is no deleted reason "{options.reason}"; {known}.')
    decisions.leave_reason(workspace, options.reason, restored=True)
    answer: answers.ReasonNow = {"reason": options.reason, "offered": True}
    return print_result(f'"{options.reason}" is offered again.', answer, options)


def dataset_option(add: Add) -> None:
    add("--dataset", metavar="NAME", help="data set (default: the active one)")


def list_tests(options: argparse.Namespace) -> dict[str, list[answers.BlindTestRow]]:
    """List the blind tests of a data set, newest first, with how often each person was right."""
    from exdd_core.curation import blind

    workspace = open_workspace(options)
    tests = blind.listed(workspace, workspace.dataset(options.dataset).name)
    found = [(test, blind.outcomes(test) if test.ended else []) for test in tests]
    rows: list[answers.BlindTestRow] = [
        {
            "id": test.id,
            "who": test.who,
            "created": test.created,
            "ended": test.ended,
            "crops": len(test.shown),
            "answered": test.answered,
            "outcomes": [one.to_json() for one in outcomes],
        }
        for test, outcomes in found
    ]
    if not options.json:
        for row, (_, outcomes) in zip(rows, found, strict=True):
            going_on = f"in progress, {row['answered']} of {row['crops']} answered"
            print(
                f"{row['id']}  {row['created'][:19]}  {row['who']:<12}  {going_on if not row['ended'] else ''}"
            )
            for one in outcomes:
                of = f"{one.engine}, {one.defect_type or 'no type'}" if one.engine else "all"
                print(f"    {of}: {one.sentence}")
        print(f"{count(len(rows), 'blind test')}.")
    return {"tests": rows}


def test_options(add: Add) -> None:
    add("id", metavar="ID", help="blind test id, as shown by blind-tests list")
    dataset_option(add)


def delete_test(options: argparse.Namespace) -> answers.BlindTestNow:
    """Delete a blind test; blind-tests restore brings it back."""
    return _keep_test(options, deleted=True)


def restore_test(options: argparse.Namespace) -> answers.BlindTestNow:
    """Restore a deleted blind test."""
    return _keep_test(options, deleted=False)


def _keep_test(options: argparse.Namespace, *, deleted: bool) -> answers.BlindTestNow:
    from exdd_core.curation import blind

    workspace = open_workspace(options)
    dataset = workspace.dataset(options.dataset).name
    if deleted == (options.id not in {test.id for test in blind.listed(workspace, dataset)}):
        raise BadInput(
            f'"{dataset}" has no blind test "{options.id}"; blind-tests list shows them.'
            if deleted
            else f'The blind test "{options.id}" of "{dataset}" is not deleted.'
        )
    test = blind.delete(workspace, dataset, options.id, restored=not deleted)
    answer: answers.BlindTestNow = {"id": test.id, "deleted": deleted}
    said = "was deleted; blind-tests restore brings it back" if deleted else "is listed again"
    return print_result(f"The blind test by {test.who} on {test.created[:10]} {said}.", answer, options)


REASONS = Group(
    "Manage reasons for rejecting",
    {
        "list": (list_reasons, None),
        "rename": (rename_reason, rename_options),
        "delete": (delete_reason, reason_option),
        "restore": (restore_reason, reason_option),
    },
)
BLIND_TESTS = Group(
    "Manage blind tests, which are taken on Curate",
    {
        "list": (list_tests, dataset_option),
        "delete": (delete_test, test_options),
        "restore": (restore_test, test_options),
    },
)
