"""Getting images in and banks out of them: import, build.

Knows what a data set and a bank version are called. Does not know layouts, features or coresets.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from exdd_core.cli.arguments import Add, bank_options, bank_spec, open_workspace, who_option
from exdd_core.cli.terminal import progress, say
from exdd_core.errors import BadInput


def import_options(add: Add) -> None:
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
    add("--backbone", metavar="NAME", help="of a workspace that is made now; default: auto")


def import_(options: argparse.Namespace) -> dict[str, Any]:
    """Copy a data set (a folder or a zip file) into the workspace, making the workspace if there is none."""
    from exdd_core import jobs, tasks
    from exdd_core.datasets import Choices, GroupRule
    from exdd_core.images import Size
    from exdd_core.workspace import Workspace

    size = Size.parse(options.size, options.keep_aspect) if options.size else None
    groups = GroupRule.parse(options.groups) if options.groups else None
    source = options.source.expanduser().absolute()
    if Workspace.exists(options.workspace):
        workspace = Workspace.open(options.workspace)
        if options.backbone not in (None, "auto", workspace.backbone_name):
            raise BadInput(
                f"This workspace has the backbone {workspace.backbone_name} already; --backbone is for one that is "
                "made now, so leave it out or choose another --workspace."
            )
    elif not source.exists():
        raise BadInput(f"{source} does not exist; check the path.")  # before a workspace is made for it
    else:
        workspace = Workspace.create(options.workspace, options.backbone or "auto")
        say(f"Made the workspace {workspace.path}. Backbone: {workspace.setting('backbone_reason')}")
    spec = {"source": str(source)}
    spec |= tasks.import_spec(options.name, size, Choices(options.layout, groups))
    title = f"Importing {options.name or options.source.name}"
    result = jobs.run_here(workspace, "import", title, spec, progress())
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


def build_options(add: Add) -> None:
    add("--dataset", metavar="NAME", help="default: the active one")
    add("--positives", default="real", metavar="WHICH", help="real, synthetic, both or none; default: real")
    add("--keep-active", action="store_true", help="do not make the new bank version the active one")
    add("--fusion", metavar="NAME", help="how distances become a score; default: chosen by what there is")
    bank_options(add)
    who_option(add)


def build(options: argparse.Namespace) -> dict[str, Any]:
    """Build a bank version from the training split of a data set."""
    from exdd_core import jobs
    from exdd_core.images import Size

    workspace = open_workspace(options)
    dataset = workspace.dataset(options.dataset)
    spec = {
        "dataset": dataset.name,
        "positives": options.positives,
        "size": str(Size.parse(options.size)) if options.size else None,
        "fusion": options.fusion,
        "activate": not options.keep_active,
        "who": options.who,
        **bank_spec(options),
    }
    title = f"Building a bank version from {dataset.name}"
    result = jobs.run_here(workspace, "build", title, spec, progress())
    if not options.json:
        state = ", now active" if result["active"] else ""
        print(f"Built {result['name']} from {result['dataset']} in {result['seconds']:.1f} s{state}.")
        for key, value in result["summary"].items():
            if value != "":
                print(f"  {key.replace('_', ' ')}: {_shown(value)}")
    return result


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.3f}"
    return ", ".join(value) if isinstance(value, list) else str(value)
