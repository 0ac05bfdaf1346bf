"""The commands that paint defects and keep prompts: synthesize, prompts.

Knows the fields of an order. Does not know how an engine paints, or what happens to a candidate.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from exdd_core.cli.arguments import Add, Group, at_least, new_file, open_workspace
from exdd_core.cli.terminal import print_result, progress, say
from exdd_core.errors import BadInput
from exdd_core.sentences import count

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.cli import answers
    from exdd_core.curation.searching import Searched
    from exdd_core.spec import Json
    from exdd_core.studio.batch import Painted
    from exdd_core.synthesis.orders import Axis, Order
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.prompts import Prompt, Score


def synthesize_options(add: Add) -> None:
    add("--dataset", metavar="NAME", help="data set (default: the active one)")
    add(
        "--engine",
        metavar="NAME",
        help="sdxl, procedural, transplant, quilt or learned (default: sdxl if its weights exist, else procedural)",
    )
    add(
        "--prompt",
        metavar="TEXT",
        help="the defect in words; may contain alternatives, as in {copper|steel} scratches",
    )
    add("--negative-prompt", metavar="TEXT", help="what the defect should not look like")
    add("--saved", metavar="NAME", help="prompt from the library, with its negative prompt and settings")
    add("--count", type=at_least(1), default=10, metavar="N", help="number of paintings (default: 10)")
    add("--each", action="store_true", help="paint --count of every prompt that --prompt expands to")
    _search_options(add)
    add("--seed", type=at_least(0), default=0, metavar="S", help="seed of the first painting (default: 0)")
    add(
        "--masks",
        default="real",
        metavar="real|procedural|FILE",
        help="where to paint: like real defects of the training split, in generated shapes, or in a mask file "
        "(default: real)",
    )
    add(
        "--shape",
        metavar="NAME",
        help="shape for --masks procedural: scratch, spot, crack, blotch, or any, from a pit to a field "
        "(default: scratch)",
    )
    add(
        "--anywhere",
        action="store_true",
        help="place masks anywhere on the part instead of near where known defects of the type lie",
    )
    add(
        "--image",
        action="append",
        default=[],
        metavar="ID",
        help="paint on this normal image; may be repeated",
    )
    add(
        "--setting", action="append", default=[], metavar="NAME=VALUE", help="engine setting; may be repeated"
    )
    add("--sdxl-model", metavar="MODEL", help="SDXL model: a folder, a .safetensors file or a model id")
    add("--from-test", action="store_true", help="also use the test split as a source; every record says so")
    add("--defect-type", metavar="TYPE", help="type of the painted defects in the positive bank")


def _search_options(add: Add) -> None:
    add(
        "--search",
        action="store_true",
        help="measure along the way, and spend most paintings on what the active bank finds visible, plausible and new",
    )
    add(
        "--vary",
        action="append",
        default=[],
        metavar="NAME=A,B",
        help="values of a setting, or of engine, that --search tries; may be repeated",
    )


def synthesize(options: argparse.Namespace) -> answers.Synthesized:
    """Paint defects into normal images; every result becomes a pending candidate in the workspace."""
    from exdd_core import jobs, studio
    from exdd_core.curation import searching
    from exdd_core.workspace import candidates

    workspace = open_workspace(options)
    order = _order(workspace, options)
    painter = studio.engine(workspace, order.engine)
    named = order.settings.get("model") or order.settings.get("taught")
    if not named and (missing := painter.missing()):
        raise BadInput(missing)  # before a job is queued
    arms = searching.arms_of(workspace, order) if order.search else []
    number = order.count if arms else len(studio.recipes(workspace, order))
    title = f"Painting {count(number, 'defect')} with {painter.TITLE}"
    result: Painted = jobs.run_here(workspace, "synthesize", title, order.to_json(), progress())
    made = [candidates.get(workspace, id) for id in result["candidates"]]
    if not options.json:
        for candidate in made:
            print("  ".join((candidate.id, candidate.source, candidate.prompt, *candidate.notes)))
        print(f"Painted {len(made)} of {result['ordered']}; the results are pending candidates.")
        if order.search:
            _print_search(cast("Searched", result))
    for reason in result["reasons"]:
        say(reason)
    return {"dataset": order.dataset, "engine": order.engine, **result}


def _print_search(result: Searched) -> None:
    print(
        "Useful: visible, not unlike real defects, new to the bank, and not a near copy of an earlier painting."
    )
    for arm in result["arms"]:
        between = " ({:.0%} to {:.0%})".format(*arm["interval"]) if arm["interval"] else ""
        print(f"{arm['useful']:>5} of {arm['tried']:>3} useful{between}: {arm['words']}")
    if result["stopped"]:
        say(result["stopped"])


def _axes(pairs: Sequence[str]) -> list[Axis]:
    found: list[Axis] = []
    for pair in pairs:
        name, equals, values = pair.partition("=")
        if not equals or not values:
            raise BadInput(f'--vary "{pair}" is not in the form NAME=A,B, such as --vary strength=0.5,1.')
        different = dict.fromkeys(value.strip() for value in values.split(","))
        found.append({"name": name.strip(), "values": [*different]})
    return found


def _order(workspace: Workspace, options: argparse.Namespace) -> Order:
    """The order of the options. Options override the text, engine and settings of a saved prompt."""
    from exdd_core import studio
    from exdd_core.synthesis import orders
    from exdd_core.workspace import prompts

    if options.vary and not options.search:
        raise BadInput("--vary requires --search.")
    if options.each and options.search:
        raise BadInput(
            "--search chooses among prompts, and --each paints all of them; use only one of the two."
        )
    saved = prompts.get(workspace, options.saved) if options.saved else None
    engine = options.engine or (saved and saved.engine) or studio.default_engine(workspace)
    dataset = workspace.dataset(options.dataset).name
    negative = options.negative_prompt
    settings = _settings(options.setting)
    if options.sdxl_model:
        if engine != "sdxl":
            raise BadInput("--sdxl-model requires --engine sdxl.")
        if "model" in settings:
            raise BadInput(
                "--sdxl-model and --setting model=MODEL are the same setting; use only one of the two."
            )
        model = Path(options.sdxl_model).expanduser()
        settings["model"] = str(model.resolve()) if model.exists() else options.sdxl_model
    sources = [name if name.startswith(f"{dataset}/") else f"{dataset}/{name}" for name in options.image]
    return orders.Order(
        dataset=dataset,
        engine=engine,
        sources=sources,
        template=options.prompt or (saved.prompt if saved else ""),
        negative_prompt=negative if negative is not None else (saved.negative_prompt if saved else ""),
        prompt_id=saved.id if saved else "",
        settings=(saved.settings if saved and saved.engine in ("", engine) else {}) | settings,
        mask=_mask(workspace, dataset, sources, options),
        count=options.count,
        each=options.each,
        seed=options.seed,
        defect_type=options.defect_type or "",
        axes=_axes(options.vary),
        search=options.search,
    )


def _settings(pairs: Sequence[str]) -> dict[str, str]:
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise BadInput(f'--setting "{pair}" is not in the form NAME=VALUE, such as --setting steps=30.')
        found[name.strip()] = value.strip()
    return found


def _mask(workspace: Workspace, dataset: str, sources: Sequence[str], options: argparse.Namespace) -> Json:
    """A `MaskSpec` as JSON: a varied mask for each painting, or one file for all, of the size of one of their images.

    sources: ids of the images to paint on; none for any of the data set.
    """
    from exdd_core import images
    from exdd_core.datasets import incoming
    from exdd_core.synthesis import mask_spec
    from exdd_core.workspace import drawn_masks

    if options.shape and options.masks != "procedural":
        raise BadInput("--shape requires --masks procedural.")
    if options.masks in ("real", "procedural"):
        shape = "" if options.masks == "real" else options.shape or mask_spec.SHAPES[0]
        return mask_spec.varied(shape, anywhere=options.anywhere, from_test=options.from_test)
    if options.anywhere:
        raise BadInput(
            "--anywhere requires --masks real or procedural; a mask file is painted where its mask lies."
        )
    mask = incoming.take_mask(Path(options.masks), None)
    painted = workspace.images(dataset, split="train", label="normal")
    sizes = {(row.height, row.width) for row in ([workspace.image(one) for one in sources] or painted)}
    if sizes and mask.shape not in sizes:
        images.of_shape(mask, min(sizes), options.masks)
    file = drawn_masks.keep_mask(workspace, mask)
    return {
        "source": "uploaded",
        "file": file,
        "from_test": options.from_test,
    }


def list_prompts(options: argparse.Namespace) -> dict[str, list[answers.PromptRow]]:
    """List the prompts of the library and of the candidates, with their results."""
    from exdd_core.workspace import prompts

    rows = [_prompt_row(score) for score in prompts.scoreboard(open_workspace(options))]
    if not options.json:
        print(f"{'painted':>7} {'accepted':>9} {'rejected':>9} {'pending':>8}  prompt")
        for row in rows:
            counts = f"{row['made']:>7} {row['accepted']:>9} {row['rejected']:>9} {row['pending']:>8}"
            words = row["prompt"] or "without words"
            print(f"{counts}  {words}{' (' + row['name'] + ')' if row['name'] else ''}")
    return {"prompts": rows}


def _prompt_row(score: Score) -> answers.PromptRow:
    return {
        "name": score.prompt.name if score.prompt else "",
        "prompt": score.template,
        "made": score.made,
        "accepted": score.accepted,
        "rejected": score.rejected,
        "pending": score.pending,
        "deleted": score.deleted,
        "rate": score.rate,
        "quality": score.quality,
    }


def export_options(add: Add) -> None:
    add("file", type=new_file(), metavar="FILE", help="JSON file to write")


def export_prompts(options: argparse.Namespace) -> answers.PromptsExported:
    """Export the prompts of the library to a JSON file."""
    from exdd_core import files
    from exdd_core.workspace import prompts

    kept = prompts.library(open_workspace(options))
    with files.whole(options.file) as place:
        place.write_text(prompts.export_json(kept), encoding="utf-8")
    answer: answers.PromptsExported = {"exported": len(kept), "file": str(options.file)}
    return print_result(f"Wrote {count(len(kept), 'prompt')} to {options.file}.", answer, options)


def import_prompts_options(add: Add) -> None:
    add("file", type=Path, metavar="FILE", help="JSON file that was exported from a prompt library")
    add("--replace", action="store_true", help="replace prompts with the same name instead of keeping both")


def import_prompts(options: argparse.Namespace) -> answers.PromptsImported:
    """Add the prompts of a JSON file to the library."""
    from exdd_core.workspace import prompts

    imported = prompts.import_json(open_workspace(options), _text(options.file), options.replace)
    answer: answers.PromptsImported = {"added": imported.added, "replaced": imported.replaced}
    said = f"Added {count(len(imported.added), 'prompt')} and replaced {len(imported.replaced)}."
    return print_result(said, answer, options)


LARGEST = 64 << 20  # bytes of an exported library of prompts


def _text(path: Path) -> str:
    from exdd_core import files

    try:
        return files.read_regular(path, str(path), LARGEST).decode("utf-8")
    except UnicodeDecodeError:
        raise BadInput(
            f"{path} is not a text file; choose one that was exported from a prompt library."
        ) from None


def name_options(add: Add) -> None:
    add("name", metavar="NAME", help="name of the prompt, as shown by prompts list")


def rename_prompt_options(add: Add) -> None:
    name_options(add)
    add("new", metavar="NEW", help="new name")


def rename_prompt(options: argparse.Namespace) -> answers.PromptRenamed:
    """Rename a prompt of the library; what was painted with it remains linked to it."""
    from exdd_core.workspace import prompts

    workspace = open_workspace(options)
    saved = prompts.save(workspace, replace(_named(workspace, options.name), name=options.new))
    answer: answers.PromptRenamed = {"name": saved.name, "was": options.name}
    return print_result(f'"{options.name}" is now named "{saved.name}".', answer, options)


def delete_prompt(options: argparse.Namespace) -> answers.PromptDeleted:
    """Delete a prompt from the library; what was painted with it is kept."""
    from exdd_core.workspace import prompts

    workspace = open_workspace(options)
    found = _named(workspace, options.name)
    prompts.delete(workspace, found.id)
    answer: answers.PromptDeleted = {"name": found.name, "deleted": True}
    return print_result(f'"{found.name}" was deleted.', answer, options)


def _named(workspace: Workspace, name: str) -> Prompt:
    from exdd_core.workspace import prompts

    found = next((one for one in prompts.library(workspace) if one.name == name), None)
    if found is None:
        raise BadInput(f'The library has no prompt named "{name}"; prompts list shows the names.')
    return found


PROMPTS = Group(
    "Manage the prompt library",
    {
        "list": (list_prompts, None),
        "export": (export_prompts, export_options),
        "import": (import_prompts, import_prompts_options),
        "rename": (rename_prompt, rename_prompt_options),
        "delete": (delete_prompt, name_options),
    },
)
