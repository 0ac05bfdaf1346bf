"""The commands that teach an engine the user's defects, and keep what it learnt: teach, adapters.

Knows the fields of a training. Does not know how one trains.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import Add, Group, at_least, number, open_workspace, user
from exdd_core.cli.terminal import print_result, progress
from exdd_core.errors import BadInput
from exdd_core.sentences import count

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.cli import answers
    from exdd_core.studio.teaching import TaughtAdapter

TAKES = {  # the fields of `TeachSpec` that are options, and what stands for their values
    "engine": "NAME",
    "dataset": "NAME",
    "name": "NAME",
    "surface": "WORDS",
    "trigger": "WORD",
    "model": "MODEL",
    "resolution": "PIXELS",
    "steps": "N",
    "rank": "R",
    "rate": "X",
    "variants": "N",
    "every": "N",
    "seed": "S",
}
LEARNED = {"engine", "dataset", "name", "steps", "every", "seed"}  # those that the engine learned takes


def teach_options(add: Add) -> None:
    from exdd_core import spec
    from exdd_core.synthesis.lora_settings import TeachSpec

    for name, metavar in TAKES.items():
        field = TeachSpec.model_fields[name]
        kinds = spec.types(field)
        kind = number if float in kinds else at_least(0) if int in kinds else str
        usual = "the active one" if name == "dataset" else field.default
        told = field.description or field.title or ""
        said = told if "default" in told or not usual else f"{told} (default: {usual})"
        add("--" + name, type=kind, metavar=metavar, help=said)


def teach(options: argparse.Namespace) -> TaughtAdapter:
    """Teach an engine the defects of the training split; the result is an adapter."""
    from exdd_core import jobs
    from exdd_core.studio import teaching
    from exdd_core.synthesis.lora_settings import TeachSpec

    workspace = open_workspace(options)
    given = {name: getattr(options, name) for name in TAKES}
    if options.engine == "learned":
        for name in TAKES:
            if name not in LEARNED and given[name] is not None:
                raise BadInput(f"--{name} requires --engine sdxl; leave it out for learned.")
    spec = TeachSpec(**given, who=user())
    name, _ = teaching.checked(workspace, spec)  # before a job is queued
    settled = spec.to_json() | {"name": name, "dataset": workspace.dataset(spec.dataset).name}
    result: TaughtAdapter = jobs.run_here(workspace, "teach", f"Teaching {name}", settled, progress())
    if not options.json:
        print(result["sentence"])
        if spec.engine == "sdxl":
            print(f'Use it with: adapters use "{name}"; a prompt for it: {result["prompt"]}')
        else:
            print("Paint with it: synthesize --engine learned")
    return result


def list_adapters(options: argparse.Namespace) -> dict[str, list[answers.AdapterRow]]:
    """List the adapters of this workspace."""
    from exdd_core.workspace import adapters

    workspace = open_workspace(options)
    used = {adapters.in_use(workspace, engine) for engine in adapters.IN_USE} - {""}
    rows: list[answers.AdapterRow] = [
        {
            "name": one.name,
            "in_use": one.name in used,
            "engine": one.engine,
            "dataset": one.dataset,
            "base": one.base,
            "images": len(one.images),
            "parts": one.parts,
            "held_out": one.held_out,
            "best": one.best,
            "losses": one.losses,
            "created": one.created,
        }
        for one in adapters.listed(workspace)
    ]
    if not options.json:
        for row in rows:
            mark = "*" if row["in_use"] else " "
            images = f"{count(row['images'], 'image')} of {row['dataset']}, {count(row['best'], 'step')}"
            print(f"{mark} {row['name']}  {images}, for {row['base'] or row['engine']}")
        print(
            "There are no adapters yet."
            if not rows
            else "* is used by default"
            if used
            else "None is used by default."
        )
    return {"adapters": rows}


def use_options(add: Add) -> None:
    add("name", nargs="?", metavar="NAME", help="name of an adapter; leave it out to paint without one")


def use_adapter(options: argparse.Namespace) -> answers.AdapterNow:
    """Use an adapter for painting by default, or none with any engine."""
    from exdd_core.workspace import adapters

    workspace, name = open_workspace(options), options.name or ""
    if name:
        adapters.use(workspace, name)
    else:
        for engine in adapters.IN_USE:
            adapters.use(workspace, "", engine)
    answer: answers.AdapterNow = {"adapter": name, "in_use": bool(name)}
    said = f"{name} is now used by default." if name else "Painting now uses no adapter by default."
    return print_result(said, answer, options)


def rename_options(add: Add) -> None:
    add("name", metavar="NAME", help="current name of the adapter")
    add("new", metavar="NEW", help="new name")


def rename_adapter(options: argparse.Namespace) -> answers.AdapterNow:
    """Rename an adapter, also in the prompts that use it."""
    from exdd_core.workspace import adapters

    workspace = open_workspace(options)
    new = adapters.rename(workspace, options.name, options.new)
    used = adapters.in_use(workspace, adapters.get(workspace, new).engine)
    answer: answers.AdapterNow = {"adapter": new, "in_use": used == new}
    return print_result(f"{options.name} is now named {new}.", answer, options)


def drop_options(add: Add) -> None:
    add("name", metavar="NAME", help="name of the adapter")


def drop_adapter(options: argparse.Namespace) -> answers.AdapterNow:
    """Delete an adapter; what it painted is kept."""
    from exdd_core.workspace import adapters

    adapters.drop(open_workspace(options), options.name)
    answer: answers.AdapterNow = {"adapter": options.name, "in_use": False}
    return print_result(f"{options.name} was deleted; what it painted is kept.", answer, options)


ADAPTERS = Group(
    "Manage trained adapters",
    {
        "list": (list_adapters, None),
        "use": (use_adapter, use_options),
        "rename": (rename_adapter, rename_options),
        "drop": (drop_adapter, drop_options),
    },
)
