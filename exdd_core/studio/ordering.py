"""Turns an order into recipes: for each painting its source, mask, donor, prompt and seed.

Only the training split gives images and lends masks and defects. Taking from the test split needs `from_test` in
the order's mask, which every candidate's record keeps. Knows the workspace and engines. Does not know how a recipe
is painted.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core import datasets, synthesis
from exdd_core.errors import BadInput
from exdd_core.images import read_mask
from exdd_core.sentences import count
from exdd_core.synthesis import mask_spec, prior, templates, weights
from exdd_core.synthesis.controls import Control
from exdd_core.synthesis.engine import Engine
from exdd_core.synthesis.engines import LENDING, TEACHABLE
from exdd_core.synthesis.orders import MOST, MOST_CELLS, MOST_SEED, Axis, Order, Recipe
from exdd_core.synthesis.prior import Place
from exdd_core.synthesis.request import Donor
from exdd_core.synthesis.sdxl_adapters import weighted
from exdd_core.workspace import adapters, candidates, names

if TYPE_CHECKING:
    from exdd_core.workspace import ImageRow, Workspace

MOST_KNOWN = 256  # known masks that say where defects lie
FILES = ("model", "lora", "embeddings")  # settings of engines that may name files of this machine
# Axes that are not controls of an engine.
OF_ORDER = ("prompt", "negative_prompt", "engine", "mask_shape", "seed")


def engine(workspace: Workspace, name: str) -> Engine:
    """The engine of that name, with this workspace's models. Raises BadInput for an unknown one."""
    return synthesis.engine_named(name, **options_of(workspace, name))


def default_engine(workspace: Workspace) -> str:
    """ "sdxl" where its weights are on this machine, else "procedural"."""
    return synthesis.default_engine(**options_of(workspace, "sdxl"))


def options_of(workspace: Workspace, name: str) -> dict[str, str]:
    """The arguments of the engine of that name: this workspace's folders of models and adapters."""
    if name not in TEACHABLE:
        return {}
    taught = {"adapters": str(adapters.folder(workspace)), "adapter": adapters.in_use(workspace, name)}
    return taught | ({"models": str(workspace.path / weights.MODELS)} if name == "sdxl" else {})


def files_of(order: Order) -> list[str]:
    """The paths on this machine that an order's settings name; names among the workspace's models are none."""
    given = [order.settings.get(name) for name in FILES]
    given += [value for axis in order.axes if axis["name"] in FILES for value in axis["values"]]
    texts = [value.strip() for value in given if isinstance(value, str)]
    names = [name for text in texts for name, _ in weighted(text)]
    return sorted(name for name in {*texts, *names} if _is_path(name))


def _is_path(name: str) -> bool:
    place = os.path.expanduser(name)
    return os.path.isabs(place) or ".." in Path(place).parts or (name != "" and os.path.exists(place))


def recipes(workspace: Workspace, order: Order) -> list[Recipe]:
    """The recipes of an order, one for each painting; those of a comparison by rows. Raises `BadInput`.

    The same order gives the same recipes as long as its data set is the same.
    """
    order = replace(order, defect_type=names.checked(order.defect_type))
    if order.axes:
        return _cells(workspace, order)
    spec = replace(_checked(workspace, order), region=workspace.dataset(order.dataset).roi or "")
    texts = _prompts(order)
    sources = _sources(workspace, order, spec.from_test)
    placed = spec.vary and spec.prior
    known = donors(workspace, order.dataset, spec.from_test) if placed or _borrows(order, spec) else []
    found = []
    for number, text in enumerate(texts):
        seed = order.seed + number
        source = sources[number % len(sources)] if order.sources else sources[_draw(seed, 1, len(sources))]
        donor = _lender(known, spec.image or order.donor, seed) if _borrows(order, spec) else None
        kind = order.defect_type or (donor.defect_type if donor else "")
        mask = replace(
            spec,
            image=donor.id if donor and spec.source == "real" else spec.image,
            place=_place(known, kind, seed) if placed else None,
        )
        found.append(
            Recipe(
                number=number,
                dataset=order.dataset,
                source=source.id,
                engine=order.engine,
                template=order.template,
                prompt=text,
                negative_prompt=order.negative_prompt,
                prompt_id=order.prompt_id,
                settings=order.settings,
                mask=mask,
                seed=seed,
                donor=donor.id if donor else "",
                parent=order.parent,
                defect_type=kind if order.engine in LENDING else order.defect_type,
                axes=[],
            )
        )
    return found


def _checked(workspace: Workspace, order: Order) -> mask_spec.MaskSpec:
    """Check an order and return its mask. Raises `BadInput`."""
    if isinstance(order.count, bool) or not isinstance(order.count, int) or not 1 <= order.count <= MOST:
        raise BadInput(f"{order.count} paintings cannot be ordered; choose a whole number from 1 to {MOST}.")
    if isinstance(order.seed, bool) or not isinstance(order.seed, int) or not 0 <= order.seed <= MOST_SEED:
        raise BadInput(f"The seed {order.seed} cannot be used; choose a whole number from 0 to {MOST_SEED}.")
    if order.parent:
        candidates.get(workspace, order.parent)
    workspace.dataset(order.dataset)
    engine(workspace, order.engine).complete(order.settings)
    return mask_spec.MaskSpec.from_json(order.mask)


def _prompts(order: Order) -> list[str]:
    """The prompt of every painting."""
    if not order.template.strip() and order.engine in LENDING:
        return [""] * order.count  # a real defect needs no prompt
    if not order.each:
        return templates.expand(order.template, order.count, order.seed)
    texts = [text for text in templates.every(order.template) for _ in range(order.count)]
    if len(texts) > MOST:
        raise BadInput(f"That would be {count(len(texts), 'painting')}; order at most {MOST:,} at a time.")
    return texts


def _sources(workspace: Workspace, order: Order, from_test: bool) -> list[ImageRow]:
    """The images to paint on: the order's sources, or all normal images of the training split."""
    if not order.sources:
        rows = workspace.images(order.dataset, split="train", label=datasets.NORMAL)
        if not rows:
            raise BadInput(f'The training split of "{order.dataset}" has no normal images to paint on.')
        return rows
    rows = [workspace.image(id) for id in order.sources]
    for row in rows:
        if row.dataset != order.dataset:
            raise BadInput(f"{row.id} is not in the data set {order.dataset}; choose one of its images.")
        if row.label != datasets.NORMAL:
            raise BadInput(f"{row.id} has a defect already; choose a normal image to paint on.")
        if row.split != "train" and not from_test:
            raise BadInput(_refused(row.id))
    return rows


def _refused(id: str) -> str:
    return (
        f"{id} is in the test split, which measures how good the detector is and so must not teach it; "
        "choose an image from the training split, or turn on the use of the test split, which is then "
        "recorded."
    )


def _borrows(order: Order, spec: mask_spec.MaskSpec) -> bool:
    return spec.source == "real" or order.engine in LENDING


def donors(workspace: Workspace, dataset: str | None = None, from_test: bool = False) -> list[Donor]:
    """The real defects that may be transplanted or lend their mask: those of the training split with a mask.

    from_test: adds those of the test split. The caller records that in `MaskSpec.from_test`.
    """
    info = workspace.dataset(dataset)
    empty = {f"{info.name}/{path}" for path in info.report["masks"]["empty"]}
    return [
        Donor(row.id, row.path, row.mask, row.defect_type, row.group, row.split, row.depth)
        for row in workspace.images(info.name, label=datasets.DEFECT)
        if row.mask is not None and row.id not in empty and (from_test or row.split == "train")
    ]


def _lender(lenders: Sequence[Donor], wanted: str, seed: int) -> Donor:
    if not lenders:
        raise BadInput(
            "No defective image of the training split has a mask that could be borrowed; draw a mask or generate "
            "one, and choose an engine that needs no real defect."
        )
    if not wanted:
        return lenders[_draw(seed, 2, len(lenders))]
    for donor in lenders:
        if donor.id == wanted:
            return donor
    raise BadInput(
        f"{wanted} cannot lend its defect: it has no mask, or it is in the test split, whose defects are not used."
    )


def _place(known: Sequence[Donor], kind: str, seed: int) -> Place | None:
    """Where a varied mask lies by the known defects of its type, of any type for ""; None for anywhere."""
    alike = [donor for donor in known if kind in ("", donor.defect_type)]
    alike = alike[:: -(-len(alike) // MOST_KNOWN) or 1]
    lying = [(donor.id, _lying(donor.mask, donor.mask.stat().st_mtime_ns)) for donor in alike]
    return prior.draw([(id, one) for id, one in lying if one], np.random.default_rng([seed, 3]))


@functools.lru_cache(maxsize=4 * MOST_KNOWN)
def _lying(mask: Path, changed: int) -> prior.Lying | None:
    """How the mask of a file lies. changed: when the file was last changed."""
    return prior.lying_of(read_mask(mask, None))


def _draw(seed: int, stream: int, length: int) -> int:
    """A random number below `length`. Streams are independent of each other and of the engines' random numbers."""
    return int(np.random.default_rng([seed, stream]).integers(length))


def grid(
    workspace: Workspace,
    order: Order,
    x: tuple[str, Sequence[Any]],
    y: tuple[str, Sequence[Any]] | None = None,
) -> Order:
    """An order for a comparison: one painting for every value of `x` (columns), or of `x` and `y` (rows).

    An axis is a name (of `OF_ORDER` or a control of the engine) and its values. All cells share source image, mask and
    seed, unless one of these is an axis. Raises `BadInput`.
    """
    if y is not None and x[0] == y[0]:
        raise BadInput(f"Both axes are {_title(x[0])}; choose another one for the rows.")
    axes: list[Axis] = []
    for name, values in (x,) if y is None else (x, y):
        different = list(dict.fromkeys(values))
        if not different:
            raise BadInput(f"The axis {_title(name)} has no values; enter at least one.")
        axes.append({"name": name, "values": different})
    cells = int(np.prod([len(axis["values"]) for axis in axes]))
    if cells > MOST_CELLS:
        raise BadInput(f"That would be {cells} cells; a comparison has at most {MOST_CELLS}.")
    compared = replace(order, axes=axes, count=1, each=False)
    recipes(workspace, compared)  # raises before anything is painted
    return compared


def arms(workspace: Workspace, order: Order) -> list[Order]:
    """What a search chooses from: each combination of the axes' values and the template's prompts, as an order.

    Raises `BadInput`, also for fewer than two and for more than `MOST_CELLS`.
    """
    _checked(workspace, order)
    if order.count < 2:
        raise BadInput("A search of one painting compares nothing; order at least 2.")
    if any(axis["name"] == "seed" for axis in order.axes):
        raise BadInput("Every painting of a search has its own seed; vary something else.")
    plain = replace(order, axes=[], each=False, search=False, count=1)
    counts = [len(axis["values"]) for axis in order.axes]
    varied = [_arm(workspace, plain, order.axes, places) for places in _places(counts)] if counts else [plain]
    found = [replace(arm, template=text) for arm in varied for text in _every(arm)]
    if not 2 <= len(found) <= MOST_CELLS:
        raise BadInput(
            f"A search chooses from 2 to {MOST_CELLS} combinations, and this is only one; write alternatives "
            "such as {fine|deep} into the prompt, or vary a setting."
            if len(found) < 2
            else f"That would be {count(len(found), 'combination')}; a search chooses from at most {MOST_CELLS}."
        )
    for arm in found:
        recipes(workspace, arm)  # raises before anything is painted
    return found


def template_of(order: Order, arm: Order) -> str:
    """The template that an arm's prompt comes from: the paintings of all its alternatives count for it."""
    written = next((axis["values"] for axis in order.axes if axis["name"] == "prompt"), [order.template])
    fitting = (str(one) for one in written if arm.template in _every(replace(arm, template=str(one))))
    return next(fitting, arm.template)


def _arm(workspace: Workspace, order: Order, axes: Sequence[Axis], places: Sequence[int]) -> Order:
    chosen = {axis["name"]: axis["values"][place] for axis, place in zip(axes, places, strict=True)}
    # The engine comes first, since it defines the controls.
    for name in sorted(chosen, key=lambda name: name != "engine"):
        if name == "prompt":  # with its alternatives, which are arms of their own
            order = replace(order, template=str(chosen[name]), prompt_id="")
        else:
            order = _varied(workspace, order, name, chosen[name], compared="engine" in chosen)
    return order


def _every(order: Order) -> list[str]:
    """The prompts of an order's template."""
    bare = not order.template.strip() and order.engine in LENDING
    return [""] if bare else templates.every(order.template)


def _cells(workspace: Workspace, order: Order) -> list[Recipe]:
    pinned = replace(order, axes=[], count=1, each=False)
    if order.template.strip() and all(axis["name"] != "prompt" for axis in order.axes):
        pinned = replace(pinned, template=templates.expand(order.template, 1, order.seed)[0])
    found: list[Recipe] = []
    for places in _places([len(axis["values"]) for axis in order.axes]):
        cell = pinned
        chosen = {axis["name"]: axis["values"][place] for axis, place in zip(order.axes, places, strict=True)}
        # The engine first, since it defines the controls; the seed last, so that it does not change the prompt.
        for name in sorted(chosen, key=lambda name: {"engine": 0, "seed": 2}.get(name, 1)):
            cell = _varied(workspace, cell, name, chosen[name], compared="engine" in chosen)
        if found:
            cell = replace(cell, sources=[found[0].source])
        recipe = recipes(workspace, cell)[0]
        mask = replace(recipe.mask, place=(found or [recipe])[0].mask.place)
        axes = [axis | {"index": place} for axis, place in zip(order.axes, places, strict=True)]
        template = str(chosen.get("prompt", order.template))
        found.append(replace(recipe, number=len(found), axes=axes, template=template, mask=mask))
    return found


def _places(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every cell's (column,) or (column, row), by rows."""
    for row in range(lengths[1] if len(lengths) > 1 else 1):
        for column in range(lengths[0]):
            yield (column, row)[: len(lengths)]


def _varied(workspace: Workspace, order: Order, name: str, value: Any, compared: bool) -> Order:
    """The order with one value changed. Where engines are `compared`, settings that an engine lacks are left out."""
    if name == "prompt":
        text = templates.expand(str(value), 1, order.seed)[0]
        return replace(order, template=text, prompt_id="")
    if name == "negative_prompt":
        return replace(order, negative_prompt=str(value))
    if name == "seed":
        return replace(order, seed=_whole(value))
    if name == "mask_shape":
        return replace(order, mask=mask_spec.shaped(order.mask, str(value)))
    if name == "engine":
        known = {control.name for control in engine(workspace, str(value)).CONTROLS}
        settings = {key: setting for key, setting in order.settings.items() if key in known}
        return replace(order, engine=str(value), settings=settings)
    control = next((c for c in engine(workspace, order.engine).CONTROLS if c.name == name), None)
    if control is not None:
        return replace(order, settings={**order.settings, name: control.read(value)})
    if compared:  # an engine without this control would show the same picture in every cell
        raise BadInput(
            f'{engine(workspace, order.engine).TITLE} has no setting "{name}"; compare engines by another setting.'
        )
    raise BadInput(f'"{name}" cannot be compared; choose {", ".join(axes_of(order.engine))}.')


def axes_of(name: str) -> dict[str, Control | None]:
    """The possible axes of a comparison with an engine, by name; None for an axis that is not its control."""
    controls = synthesis.ENGINES[name].CONTROLS
    return dict.fromkeys(OF_ORDER) | {c.name: c for c in controls if c.kind != "text"}


def _whole(value: Any) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise BadInput(f"The seed {value} is not a whole number.") from None


def _title(name: str) -> str:
    return name.replace("_", " ")
