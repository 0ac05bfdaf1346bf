"""The commands that import images and build banks: import, build.

Knows names of data sets and bank versions. Does not know layouts, features or coresets.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import (
    Add,
    bank_option,
    bank_options,
    bank_spec,
    model_size,
    open_workspace,
    who_option,
    without_missing_option,
)
from exdd_core.cli.terminal import progress, say
from exdd_core.errors import BadInput

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.cli import dataset_answers
    from exdd_core.datasets import Choices
    from exdd_core.jobs.results import Built, Imported
    from exdd_core.workspace import Workspace


def import_options(add: Add) -> None:
    add("source", type=Path, help="folder or zip file to import")
    add("--name", help="name of the data set (default: the source's name)")
    add("--into", metavar="NAME", help="existing data set to add the new images to")
    add(
        "--layout",
        default="auto",
        help="name of the layout; an unknown name lists all of them (default: auto)",
    )
    add("--size", metavar="WxH", help="size that banks are built at, width x height (default: the layout's)")
    add("--keep-aspect", action="store_true", help="letterbox images into --size instead of stretching them")
    add(
        "--groups",
        metavar="RULE",
        help="which images show one part, where the layout does not say: subfolder, csv:FILE or pattern:REGEX",
    )
    add(
        "--role",
        action="append",
        default=[],
        metavar="FOLDER=ROLE",
        help="for plain folders, what a folder contains: normal, defect, mask or none; may be repeated",
    )
    add(
        "--depth",
        metavar="BITS",
        help="depth of images with more than 8 bits: 10, 12, 14, 16, or a range of values such as 100-3000",
    )
    add(
        "--masks",
        metavar="RULE",
        help="mask values that mean defect: labels or above:N, optionally followed by inverted",
    )
    add("--backbone", metavar="NAME", help="backbone of a new workspace (default: auto)")
    who_option(add)


def import_(options: argparse.Namespace) -> dataset_answers.DatasetImported:
    """Copy a data set (a folder or a zip file) into the workspace, which is created if it does not exist."""
    from exdd_core import jobs
    from exdd_core.jobs.specs import ImportSpec
    from exdd_core.workspace.imports import dataset_name

    size = model_size(options)
    choices = _choices(options)
    if options.into and (options.name or size):
        raise BadInput(
            "--into adds images to a data set that already has a name and a size; leave out --name and --size."
        )
    source = options.source.expanduser().absolute()
    if not options.into:
        dataset_name(source, options.name)  # raises before a workspace is made and a job stored
    workspace = _workspace_for(options, source)
    into = workspace.dataset(options.into).name if options.into else None
    spec = ImportSpec.of(options.name, size, choices, into, options.who).to_json() | {"source": str(source)}
    title = f"Importing {options.name or options.source.name}" + (f" into {options.into}" if into else "")
    result: Imported = jobs.run_here(workspace, "import", title, spec, progress())
    info = workspace.dataset(result["dataset"])
    if not options.json:
        if into:
            print("\n".join([*result["sentences"], f'"{info.called}" is now in state {info.state}:']))
        else:
            done = "Imported" if result["changed"] else "Nothing changed: already imported as"
            print(f'{done} "{info.name}": {info.title}.')
        print("\n".join(info.report["sentences"]))
    joined: dataset_answers.JoinedFiles = {}
    if into:
        joined = {
            "joined": result["joined"],
            "passed_over": result["passed_over"],
            "renamed": result["renamed"],
            "copies": result["copies"],
            "sentences": result["sentences"],
        }
    return {
        "dataset": info.name,
        "changed": result["changed"],
        "layout": info.layout,
        "size": str(info.size),
        "counts": info.counts,
        "state": info.state,
        "healthy": info.report["healthy"],
        "report": info.report,
        **joined,
    }


def _choices(options: argparse.Namespace) -> Choices:
    from exdd_core.datasets import ROLES, Choices, GroupRule
    from exdd_core.depth import Depth
    from exdd_core.mask_rules import MaskRule

    roles = {}
    for text in options.role:
        folder, equals, role = text.rpartition("=")
        if not equals or not folder.strip() or role not in ROLES:
            raise BadInput(
                f'"{text}" does not say what a folder contains; use FOLDER=ROLE, with one of {", ".join(ROLES)}.'
            )
        roles[folder] = role
    return Choices(
        options.layout,
        GroupRule.parse(options.groups) if options.groups else None,
        roles,
        Depth.parse(options.depth) if options.depth else None,
        MaskRule.parse(options.masks) if options.masks else None,
    )


def _workspace_for(options: argparse.Namespace, source: Path) -> Workspace:
    """The existing workspace, or a new one."""
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.imports import in_archive

    if Workspace.exists(options.workspace):
        workspace = Workspace.open(options.workspace)
        if options.backbone not in (None, "auto", workspace.backbone_name):
            raise BadInput(
                f"This workspace already has the backbone {workspace.backbone_name}; --backbone applies only to a new "
                "workspace, so leave it out or choose another --workspace."
            )
        return workspace
    if options.into:
        return open_workspace(options)  # raises, because there is none
    in_archive(source)  # raises for a missing source before a workspace is made
    workspace = Workspace.create(options.workspace, options.backbone or "auto")
    say(f"Created the workspace {workspace.path}. Backbone: {workspace.setting('backbone_reason')}")
    return workspace


def build_options(add: Add) -> None:
    bank_option(add, "dataset")
    bank_option(add, "positives")
    add("--keep-active", action="store_true", help="do not make the new bank version the active one")
    bank_option(add, "fusion")
    for name in ("false_alarm_rate", "region_area", "region_gap"):
        bank_option(add, name)
    bank_options(add)
    without_missing_option(add)
    who_option(add)


def build(options: argparse.Namespace) -> Built:
    """Build a bank version from the training split of a data set."""
    from exdd_core import jobs
    from exdd_core.banks.options import BuildOptions

    workspace = open_workspace(options)
    given = {
        "dataset": workspace.dataset(options.dataset).name,
        "positives": options.positives,
        "fusion": options.fusion,
        "false_alarm_rate": options.false_alarm_rate,
        "region_area": options.region_area,
        "region_gap": options.region_gap,
        "activate": not options.keep_active,
        "who": options.who,
    }
    wanted = BuildOptions.from_json(given | bank_spec(options) | {"without_missing": options.without_missing})
    title = f"Building a bank version from {wanted.dataset}"
    result: Built = jobs.run_here(workspace, "build", title, wanted.to_json(), progress())
    if not options.json:
        state = ", now active" if result["active"] else ""
        print(f"Built {result['name']} from {result['dataset']} in {result['seconds']:.1f} s{state}.")
        for key, value in result["summary"].items():
            if value != "":
                print(f"  {key.replace('_', ' ')}: {_shown(value)}")
    say_held(result)
    return result


def say_held(made: Built) -> None:
    """Say why a version that was built is not active, image by image; nothing for one that is."""
    if made.get("held"):
        for line in made["lines"]:
            say(line)
        say(f"{made['held']} To activate it nevertheless, run banks activate {made['name']} --anyway.")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return ", ".join(value) if isinstance(value, list) else str(value)
