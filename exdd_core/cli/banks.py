"""Bank versions from the first to the active one: banks and its actions.

Knows versions by name. Does not know what lies in a version's folder.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core.cli.arguments import Add, open_workspace, user
from exdd_core.cli.measure import METRICS
from exdd_core.cli.terminal import progress, say, told
from exdd_core.errors import BadInput

if TYPE_CHECKING:  # imported by the command that needs them: --help answers at once
    from exdd_core.workspace import BankVersion, Workspace


def banks_options(add: Add) -> None:
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
    add("--who", default=user(), metavar="NAME", help="drop, rebuild: who decides; default: you")


def banks(options: argparse.Namespace) -> dict[str, Any]:
    """List bank versions; compare two, activate, roll back, pin, delete or rebuild one, drop an image, make a map."""
    function, fewest, most = BANK_ACTIONS[options.action]
    if not fewest <= len(options.ids) <= most:
        needed = {0: "no name", 1: "one name such as v3", 2: "two names such as v3"}[most]
        raise BadInput(f"banks {options.action} takes {needed}; banks list shows the versions there are.")
    return function(open_workspace(options), options)


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
                "who": bank.who,
                "active": bank.active,
                "pinned": bank.pinned,
                "rows": counts,
                "changes": versions.changes(workspace, bank.id),
                "measured": asdict(last) if last else None,
            }
        )
    if not options.json:
        print(
            f"{'version':<8} {'made':<20} {'normal':>8} {'defect':>7} {'changes':>8} {'AUROC':>6}  {'by':<12} data set"
        )
        for row in rows:
            auroc = row["measured"]["metrics"]["image_auroc"] if row["measured"] else None
            counts = f"{row['rows']['negative']:>8} {row['rows']['positive']:>7} {row['changes']:>8}"
            measured = "-" if auroc is None else f"{auroc:.3f}"
            marks = "".join(f", {name}" for name in ("active", "pinned") if row[name])
            print(
                f"{row['name']:<8} {row['created'][:19]:<20} {counts} {measured:>6}  "
                f"{row['who'] or '-':<12} {row['dataset']}{marks}"
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
    result = {"bank": bank.id, "name": bank.name, "due": found.due, "behind": found.behind}
    result["drift"] = asdict(found.drift)
    return told(result | {"sentence": f"{bank.name}: {found.sentence}"}, options)


def _align_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import versions

    decided = versions.catch_up(workspace, options.who)
    return told({"images": decided.ids, "name": decided.bank, "sentence": decided.sentence}, options)


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
    return told({"bank": bank.id, "name": bank.name, "sentence": f"{bank.name} {said}"}, options)


def _rebuild_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import jobs, versions

    bank = workspace.bank(options.ids[0] if options.ids else None)
    spec = versions.rebuild_spec(workspace, bank.id) | {"who": options.who}
    made = jobs.run_here(workspace, "build", f"Rebuilding {bank.name}", spec, progress())
    said = f"Built {made['name']} from what is known and decided now; it is active."
    return told(made | {"rebuilt": bank.name, "sentence": said}, options)


def _drop_from_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import versions

    decided = versions.drop(workspace, options.ids[0], options.side, options.who)
    return told({"image": options.ids[0], "side": options.side, "sentence": decided.sentence}, options)


def _map_of_bank(workspace: Workspace, options: argparse.Namespace) -> dict[str, Any]:
    from exdd_core import jobs, landscape

    bank = workspace.bank(options.ids[0] if options.ids else None)
    if options.method == "umap" and not landscape.is_made(workspace, bank.id):
        title = f"Making a map of {bank.name} by UMAP"
        jobs.run_here(workspace, "map", title, {"bank": bank.id}, progress())
    found = landscape.landscape(workspace, bank.id, options.method)
    if options.to:
        landscape.write_csv(found, options.to)
        say(f"Wrote {len(found.place)} rows to {options.to}.")
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
