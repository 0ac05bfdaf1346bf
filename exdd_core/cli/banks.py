"""The commands on bank versions: banks list, compare, ..., map.

Knows versions by name. Does not know the content of a version's folder.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import Add, Group, at_least, new_file, open_workspace, who_option
from exdd_core.cli.data import say_held
from exdd_core.cli.terminal import print_result, progress, say
from exdd_core.errors import BadInput
from exdd_core.jobs.results import Built
from exdd_core.sentences import count, spelt

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.banks.compare import Comparison
    from exdd_core.bundle.writing import Written
    from exdd_core.cli import bank_answers
    from exdd_core.workspace import BankVersion


def list_banks(options: argparse.Namespace) -> dict[str, list[bank_answers.BankRow]]:
    """List bank versions with the rows of both banks, later changes, the last measurement, and who built them."""
    from exdd_core.banks import compare

    workspace = open_workspace(options)
    measured = compare.measured(workspace)
    rows: list[bank_answers.BankRow] = []
    for bank in workspace.banks():
        last = measured.get(bank.id)
        counts = {"negative": bank.summary["negative_rows"], "positive": bank.summary["positive_rows"]}
        rows.append(
            {
                "id": bank.id,
                "name": bank.name,
                "called": bank.called,
                "dataset": bank.dataset,
                "state": bank.state,
                "created": bank.created,
                "who": bank.who,
                "made_for": bank.made_for,
                "imported": bank.imported,
                "active": bank.active,
                "pinned": bank.pinned,
                "rows": counts,
                "changes": compare.changes(workspace, bank.id),
                "measured": last,
            }
        )
    if not options.json:
        print(
            f"{'version':<8} {'built':<20} {'normal':>8} {'defect':>7} {'changes':>8} {'AUROC':>6}  {'by':<12} data set"
        )
        for row in rows:
            auroc = row["measured"].metrics["image_auroc"] if row["measured"] else None
            rows_of = f"{row['rows']['negative']:>8} {row['rows']['positive']:>7} {row['changes']:>8}"
            shown = "-" if auroc is None else f"{auroc:.3f}"
            marks = (", active" if row["active"] else "") + (", pinned" if row["pinned"] else "")
            called = f', named "{row["called"]}"' if row["called"] else ""
            print(
                f"{row['name']:<8} {row['created'][:19]:<20} {rows_of} {shown:>6}  "
                f"{row['who'] or row['made_for'] or '-':<12} {row['dataset']}, state {row['state']}{marks}"
                f"{', imported' if row['imported'] else ''}{called}"
            )
    return {"banks": rows}


def compare_options(add: Add) -> None:
    add("versions", nargs=2, metavar="VERSION", help="two bank versions, such as v3 v4")


def compare_banks(options: argparse.Namespace) -> bank_answers.BanksCompared:
    """Compare two versions: rows, images, radius, measurements, settings, and the images that only one of them has."""
    from exdd_core.banks import compare

    found = compare.compare(open_workspace(options), *options.versions)
    pairs = _pairs(found)
    names = [bank.name for bank in found.versions]
    if not options.json:
        print(f"{'':<20} {names[0]:>16} {names[1]:>16}")
        for name, values in pairs.items():
            shown = [f"{v:.3f}" if isinstance(v, float) else "-" if v is None else str(v) for v in values]
            print(f"{name:<20} {shown[0]:>16} {shown[1]:>16}")
        for name, only in zip(names, found.only, strict=True):
            for side, ids in only.items():
                print("\n  ".join([f"{count(len(ids), 'image')} only in the {side} bank of {name}", *ids]))
    return {
        "versions": names,
        "values": pairs,
        "only": dict(zip(names, found.only, strict=True)),
    }


def _pairs(found: Comparison) -> dict[str, list[object]]:
    """What both versions have, by name: of each side, of the last measurement and of the settings that differ."""
    from exdd_core.banks import compare
    from exdd_core.experiments import METRIC_TITLES

    pairs: dict[str, list[object]] = {}
    for side in compare.SIDES:
        a, b = (asdict(sides[side]) for sides in found.sides)
        pairs |= {f"{side} {key}": [a[key], b[key]] for key in a}
    for key in compare.METRICS:
        pairs[METRIC_TITLES[key]] = [last.metrics[key] if last else None for last in found.measured]
    return pairs | {key: list(values) for key, values in found.settings.items()}


def one_version(add: Add) -> None:
    add("version", metavar="VERSION", help="bank version, such as v3")


def version_or_active(add: Add) -> None:
    add("version", nargs="?", metavar="VERSION", help="bank version, such as v3 (default: the active one)")


def bank_state(options: argparse.Namespace) -> bank_answers.BankState:
    """Tell whether a version should be rebuilt, and why."""
    from exdd_core.banks import drift
    from exdd_core.workspace import dataset_changes

    workspace = open_workspace(options)
    bank = workspace.bank(options.version)
    found = drift.state(workspace, bank.id)
    changed = dataset_changes.due(workspace, bank.id)
    answer: bank_answers.BankState = {
        "bank": bank.id,
        "name": bank.name,
        "due": found.due,
        "behind": found.behind,
        "drift": found.drift,
        "changed": changed,
        "sentence": f"{bank.name}: {found.sentence} {changed}".strip(),
    }
    return print_result(answer["sentence"], answer, options)


def align_bank(options: argparse.Namespace) -> bank_answers.BankAligned:
    """Bring the active version in line with the current decisions, for example after a rollback."""
    from exdd_core.curation import aligning

    workspace = open_workspace(options)
    decided = aligning.catch_up(workspace, options.who)
    answer: bank_answers.BankAligned = {
        "images": decided.ids,
        "name": decided.bank,
        "sentence": decided.sentence,
    }
    return print_result(decided.sentence, answer, options)


def activate_options(add: Add) -> None:
    one_version(add)
    add("--anyway", action="store_true", help="even if it fails marked images or its figures got worse")


def activate_bank(options: argparse.Namespace) -> bank_answers.BankSaid:
    """Activate a version, unless it fails marked images or its figures got worse."""
    from exdd_core.curation.releasing import release

    workspace = open_workspace(options)
    found = release(workspace, options.version, options.anyway)
    for line in found.lines if found else ():
        say(line)
    if found and found.holds:
        raise BadInput(f"{found.sentence} Use --anyway to activate it nevertheless.")
    return _of_bank(workspace.bank(), "is now active.", options)


def roll_back(options: argparse.Namespace) -> bank_answers.BankSaid:
    """Activate the previously active version again."""
    from exdd_core.workspace import versions

    workspace = open_workspace(options)
    return _of_bank(versions.roll_back(workspace), "is active again.", options)


def pin_bank(options: argparse.Namespace) -> bank_answers.BankSaid:
    """Pin a version, so that it cannot be deleted."""
    from exdd_core.workspace import versions

    workspace = open_workspace(options)
    versions.pin_bank(workspace, options.version)
    return _of_bank(workspace.bank(options.version), "is pinned and cannot be deleted.", options)


def unpin_bank(options: argparse.Namespace) -> bank_answers.BankSaid:
    """Unpin a version, so that it can be deleted again."""
    from exdd_core.workspace import versions

    workspace = open_workspace(options)
    versions.pin_bank(workspace, options.version, False)
    return _of_bank(workspace.bank(options.version), "is no longer pinned.", options)


def rename_options(add: Add) -> None:
    one_version(add)
    said = "display name in addition to its own; leave it out to remove it"
    add("name", nargs="?", default="", metavar="NAME", help=said)


def rename_bank(options: argparse.Namespace) -> bank_answers.BankSaid:
    """Give a version a display name, or remove it."""
    from exdd_core.workspace import versions

    bank = versions.rename_bank(open_workspace(options), options.version, options.name)
    return _of_bank(
        bank, f'is now named "{bank.called}".' if bank.called else "no longer has another name.", options
    )


def remove_options(add: Add) -> None:
    one_version(add)
    add("--yes", action="store_true", help="delete it even if a measurement or a job needs it")


def remove_bank(options: argparse.Namespace) -> bank_answers.BankSaid:
    """Delete a version and its changes; requires --yes if a measurement or a job needs it."""
    from exdd_core import jobs
    from exdd_core.workspace import versions

    workspace = open_workspace(options)
    bank = workspace.bank(options.version)
    needed = jobs.needing(workspace, bank.id)
    if needed and not options.yes:
        raise BadInput(f"{bank.name} is still needed: {needed} Add --yes to delete it anyway.")
    versions.delete_bank(workspace, bank.id)
    return _of_bank(bank, "was deleted.", options)


def _of_bank(bank: BankVersion, said: str, options: argparse.Namespace) -> bank_answers.BankSaid:
    answer: bank_answers.BankSaid = {"bank": bank.id, "name": bank.name, "sentence": f"{bank.name} {said}"}
    return print_result(answer["sentence"], answer, options)


def rebuild_options(add: Add) -> None:
    version_or_active(add)
    who_option(add)


def rebuild_bank(options: argparse.Namespace) -> bank_answers.BankRebuilt:
    """Rebuild a version with its settings, from the current images and decisions."""
    from exdd_core import jobs
    from exdd_core.banks.options import rebuild_spec

    workspace = open_workspace(options)
    bank = workspace.bank(options.version)
    spec = rebuild_spec(workspace, bank.id, options.who).to_json()
    made: Built = jobs.run_here(workspace, "build", f"Rebuilding {bank.name}", spec, progress())
    active = "it is active" if made["active"] else "it is not active"
    said = f"Built {made['name']} from the current images and decisions; {active}."
    answer: bank_answers.BankRebuilt = {**made, "rebuilt": bank.name, "sentence": said}
    say_held(made)
    return print_result(said, answer, options)


def blame_options(add: Add) -> None:
    version_or_active(add)
    add("--most", type=at_least(1), default=10, metavar="N", help="maximum number of images (default: 10)")


def blame_images(options: argparse.Namespace) -> bank_answers.BankBlamed:
    """List the bank images that cause marked misses and false alarms, suspicious normal images first."""
    from exdd_core.curation import blaming

    found = blaming.blame(open_workspace(options), options.version)
    if not options.json:
        print("\n  ".join([found.sentence, *(one.sentence for one in found.images[: options.most])]))
    return {
        "name": found.version,
        "tried": found.tried,
        "lost": found.lost,
        "images": [asdict(one) for one in found.images[: options.most]],  # type: ignore[misc]
    }


def drop_options(add: Add) -> None:
    add("image", metavar="IMAGE", help="image or candidate id, as shown by banks compare and banks map")
    add("--side", default="positive", choices=("positive", "negative"), help="which bank (default: positive)")
    who_option(add)


def drop_image(options: argparse.Namespace) -> bank_answers.ImageDropped:
    """Remove an image's rows from a bank of the active version."""
    from exdd_core.curation import aligning

    workspace = open_workspace(options)
    decided = aligning.drop(workspace, options.image, options.side, options.who)
    answer: bank_answers.ImageDropped = {
        "image": options.image,
        "side": options.side,
        "sentence": decided.sentence,
    }
    return print_result(decided.sentence, answer, options)


def put_back_options(add: Add) -> None:
    add("image", metavar="IMAGE", help="id of the dropped image")
    who_option(add)


def put_back_image(options: argparse.Namespace) -> bank_answers.ImagePutBack:
    """Put a dropped image back, with the rows it had."""
    from exdd_core.curation import aligning

    workspace = open_workspace(options)
    decided = aligning.put_back(workspace, options.image, options.who)
    answer: bank_answers.ImagePutBack = {"image": options.image, "sentence": decided.sentence}
    return print_result(decided.sentence, answer, options)


def export_options(add: Add) -> None:
    add("file", type=new_file(".zip"), metavar="FILE.zip", help="bundle to write")
    version_or_active(add)
    add("--int8", action="store_true", help="quantize its network, and measure the costs and savings")


def export_bundle(options: argparse.Namespace) -> Written:
    """Export a version as a bundle that scores images elsewhere without PyTorch: python FILE.zip IMAGES."""
    from exdd_core.bundle import writing

    options.file.parent.mkdir(parents=True, exist_ok=True)
    made = writing.write(
        open_workspace(options), options.file, options.version, progress(), int8=options.int8
    )
    return print_result(writing.sentence(made), made, options)


def import_options(add: Add) -> None:
    add("file", type=Path, metavar="FILE", help="bundle from banks export, or .ckpt of anomalib's PatchCore")
    add("--dataset", metavar="NAME", help="data set to judge (default: the one named like the bundle's)")
    who_option(add)


def import_bundle(options: argparse.Namespace) -> bank_answers.BankSaid:
    """Import a bundle as a version, or the bank of an anomalib checkpoint if its network is the same as here."""
    from exdd_core.bundle import importing

    workspace = open_workspace(options)
    made = importing.import_bundle(workspace, options.file, options.dataset, options.who, progress())
    active = "it is active" if made.active else f"to activate it, run banks activate {made.name}"
    return _of_bank(made, f"was imported from {spelt(made.imported or '')}; {active}.", options)


def map_options(add: Add) -> None:
    version_or_active(add)
    add("--method", default="pca", choices=("pca", "umap"), help="umap takes a minute (default: pca)")
    add("--to", type=new_file(".csv"), metavar="FILE", help=".csv file to write; optional with --json")


def map_bank(options: argparse.Namespace) -> bank_answers.BankMapped:
    """Project both banks onto a map, and write the position and origin of every row."""
    from exdd_core import extras, jobs
    from exdd_core.banks import bank_map

    if not options.to and not options.json:
        raise BadInput("Specify where to write the map: --to FILE.csv, or --json.")
    workspace = open_workspace(options)
    bank = workspace.bank(options.version)
    if options.method == "umap" and not bank_map.has_umap(workspace, bank.id):
        extras.MAP.require()  # before anything is queued for it
        title = f"Making a map of {bank.name} by UMAP"
        jobs.run_here(workspace, "map", title, {"bank": bank.id}, progress())
    found = bank_map.map_bank(workspace, bank.id, options.method)
    if options.to:
        bank_map.write_csv(found, options.to)
        if not options.json:
            print(f"Wrote {count(len(found.place), 'row')} to {options.to}.")
    return {"bank": bank.id, "name": bank.name, "map": found.to_json()}


BANKS = Group(
    "Manage bank versions",
    {
        "list": (list_banks, None),
        "compare": (compare_banks, compare_options),
        "state": (bank_state, version_or_active),
        "align": (align_bank, who_option),
        "activate": (activate_bank, activate_options),
        "rollback": (roll_back, None),
        "pin": (pin_bank, one_version),
        "unpin": (unpin_bank, one_version),
        "rename": (rename_bank, rename_options),
        "delete": (remove_bank, remove_options),
        "rebuild": (rebuild_bank, rebuild_options),
        "blame": (blame_images, blame_options),
        "drop": (drop_image, drop_options),
        "put-back": (put_back_image, put_back_options),
        "map": (map_bank, map_options),
        "export": (export_bundle, export_options),
        "import": (import_bundle, import_options),
    },
)
