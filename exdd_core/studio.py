"""The studio: from an order for painted defects to candidates in the workspace.

An `Order` says what a person wants: which images, engine, prompt, mask, how many. `recipes` turns it into one
`Recipe` a painting, each a pure function of the order and the workspace's data sets; `paint` follows one. Knows
which images may be painted on and which defects may lend. Does not know how an engine paints, who ordered, or
what the result is worth.

Only the training split gives images and lends masks and defects. Taking from the test split needs the switch
`from_test` in the order's mask, which is part of every candidate's record.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from exdd_core import candidates, datasets, files, synthesis
from exdd_core.candidates import Candidate
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import encode_png, read_image, read_mask
from exdd_core.progress import Progress
from exdd_core.region import Region
from exdd_core.synthesis import masks, prompts
from exdd_core.synthesis.engine import Control, Donor, Engine, Painting, PaintRequest

if TYPE_CHECKING:
    from exdd_core.workspace import ImageRow, Workspace

MASKS = "masks"  # folder of drawn and uploaded masks, named by their content
MODELS = "models"  # folder where a workspace's own models for SDXL and LoRAs are looked for
MOST, MOST_CELLS = 2000, 36
MOST_SEED = 2**53  # what JSON keeps exactly in a browser
PAINTING = "Painting defects"  # a batch's stage
TRIES, NEXT_SEED = 3, 1_000_003  # seeds that one painting of a batch is given, and how far they lie apart
SENTENCES_KEPT = 5  # of what went wrong in a batch: they are mostly the same
OF_ORDER = ("prompt", "negative_prompt", "engine", "seed")  # axes that are no control of an engine

log = logging.getLogger(__name__)
Preview = Callable[[np.ndarray], None]
Made = tuple[Painting, np.ndarray] | Exception  # what became of a recipe: painting and drawn mask, or why not


class NotReady(BadInput):
    """An engine cannot paint at all: its weights are missing, or do not fit."""


@dataclass(frozen=True)
class Order:
    """What somebody wants painted; all of it can be written as JSON.

    sources: ids of normal images, taken in turn; [] draws one at random for each painting. template: the prompt,
    with alternatives. each: `count` paintings of every prompt the template can become, instead of `count` in all.
    mask: a `MaskSpec` as JSON. donor: the real defect to transplant, "" for any. parent: the candidate this was
    edited from. axes: of a comparison, see `grid`.
    The i-th painting has the seed `seed + i`; in a batch another one where nothing came of that, see `_alone`.
    """

    dataset: str
    engine: str
    sources: list[str] = field(default_factory=list)
    template: str = ""
    negative_prompt: str = ""
    prompt_id: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    mask: dict[str, Any] = field(default_factory=dict)
    donor: str = ""
    count: int = 1
    each: bool = False
    seed: int = 0
    parent: str = ""
    defect_type: str = ""
    axes: list[dict[str, Any]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Order:
        """The inverse of `to_json`. Raises BadInput for what is no order."""
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise BadInput(f'An order has no "{unknown[0]}"; leave it out.')
        if not {"dataset", "engine"} <= set(values):
            raise BadInput("An order needs a data set and an engine.")
        return cls(**values)


@dataclass(frozen=True)
class Recipe:
    """One painting, with everything decided. `mask` is a `MaskSpec` as JSON, `donor` the id of what lends."""

    number: int
    dataset: str
    source: str
    engine: str
    template: str
    prompt: str
    negative_prompt: str
    prompt_id: str
    settings: dict[str, Any]
    mask: dict[str, Any]
    seed: int
    donor: str
    parent: str
    defect_type: str
    axes: list[dict[str, Any]]


def engine(workspace: Workspace, name: str) -> Engine:
    """The engine of that name, with this workspace's models. Raises BadInput for an unknown one."""
    return synthesis.engine(name, **_options(workspace, name))


def default_engine(workspace: Workspace) -> str:
    """ "sdxl" where its weights are there, else "procedural"."""
    return synthesis.default_engine(**_options(workspace, "sdxl"))


def _options(workspace: Workspace, name: str) -> dict[str, str]:
    return {"models": str(workspace.path / MODELS)} if name == "sdxl" else {}


# --- orders become recipes --------------------------------------------------------------------------------


def recipes(workspace: Workspace, order: Order) -> list[Recipe]:
    """One recipe a painting, in their order; those of a comparison by rows. Raises BadInput.

    The same order gives the same recipes as long as its data set is the same.
    """
    if order.axes:
        return _cells(workspace, order)
    spec = replace(_checked(workspace, order), region=workspace.dataset(order.dataset).roi or "")
    texts = _prompts(order)
    sources = _sources(workspace, order, spec.from_test)
    lenders = donors(workspace, order.dataset, spec.from_test) if _borrows(order, spec) else []
    found = []
    for number, text in enumerate(texts):
        seed = order.seed + number
        source = sources[number % len(sources)] if order.sources else sources[_draw(seed, 1, len(sources))]
        donor = _lender(lenders, spec.image or order.donor, seed) if _borrows(order, spec) else None
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
                mask=(replace(spec, image=donor.id) if donor and spec.source == "real" else spec).to_json(),
                seed=seed,
                donor=donor.id if donor else "",
                parent=order.parent,
                defect_type=order.defect_type
                or (donor.defect_type if donor and order.engine == "transplant" else ""),
                axes=[],
            )
        )
    return found


def _checked(workspace: Workspace, order: Order) -> masks.MaskSpec:
    """The order's mask, when everything else in the order can be used too."""
    if isinstance(order.count, bool) or not isinstance(order.count, int) or not 1 <= order.count <= MOST:
        raise BadInput(f"{order.count} paintings cannot be ordered; choose a whole number from 1 to {MOST}.")
    if isinstance(order.seed, bool) or not isinstance(order.seed, int) or not 0 <= order.seed <= MOST_SEED:
        raise BadInput(f"The seed {order.seed} cannot be used; choose a whole number from 0 to {MOST_SEED}.")
    if order.parent:
        candidates.get(workspace, order.parent)
    workspace.dataset(order.dataset)
    engine(workspace, order.engine).complete(order.settings)
    return masks.MaskSpec.from_json(order.mask)


def _prompts(order: Order) -> list[str]:
    """The prompt of every painting."""
    if not order.template.strip() and order.engine == "transplant":
        return [""] * order.count  # a real defect needs no words
    if not order.each:
        return prompts.expand(order.template, order.count, order.seed)
    texts = [text for text in prompts.every(order.template) for _ in range(order.count)]
    if len(texts) > MOST:
        raise BadInput(f"That would be {len(texts)} paintings; order at most {MOST} at a time.")
    return texts


def _sources(workspace: Workspace, order: Order, from_test: bool) -> list[ImageRow]:
    """The images to paint on: those asked for, or else all normal ones of the training split."""
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
        f"{id} is in the test split, which measures how good the detector is and so must not teach it; choose one "
        "of the training split, or switch on taking from the test split, which the record then says."
    )


def _borrows(order: Order, spec: masks.MaskSpec) -> bool:
    return spec.source == "real" or order.engine == "transplant"


def donors(workspace: Workspace, dataset: str | None = None, from_test: bool = False) -> list[Donor]:
    """The real defects that may lend their mask or themselves: of the training split, with a mask that marks one.

    `from_test` adds those of the test split; whoever passes it keeps that in the record (`MaskSpec.from_test`).
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
            "one, and choose another engine than transplant."
        )
    if not wanted:
        return lenders[_draw(seed, 2, len(lenders))]
    for donor in lenders:
        if donor.id == wanted:
            return donor
    raise BadInput(
        f"{wanted} cannot lend its defect: it has no mask, or it is in the test split, which lends nothing."
    )


def _draw(seed: int, stream: int, length: int) -> int:
    """A number below `length`; streams are independent of each other and of what engines draw."""
    return int(np.random.default_rng([seed, stream]).integers(length))


# --- comparisons ------------------------------------------------------------------------------------------


def grid(
    workspace: Workspace,
    order: Order,
    x: tuple[str, Sequence[Any]],
    y: tuple[str, Sequence[Any]] | None = None,
) -> Order:
    """An order for a comparison: one painting for every value of `x` (columns), or of `x` and `y` (rows).

    An axis is a name and its values: "prompt", "negative_prompt", "engine", "seed" or a control of the engine. All
    cells share source image and mask, and the seed unless it is an axis. Raises BadInput.
    """
    if y is not None and x[0] == y[0]:
        raise BadInput(f"Both axes are {_title(x[0])}; choose another one for the rows.")
    axes = []
    for name, values in (x,) if y is None else (x, y):
        different = list(dict.fromkeys(values))
        if not different:
            raise BadInput(f"The axis {_title(name)} has no values; give at least one.")
        axes.append({"name": name, "values": different})
    cells = int(np.prod([len(axis["values"]) for axis in axes]))
    if cells > MOST_CELLS:
        raise BadInput(f"That would be {cells} cells; a comparison has at most {MOST_CELLS}.")
    compared = replace(order, axes=axes, count=1, each=False)
    recipes(workspace, compared)  # says what cannot be painted before anything is
    return compared


def _cells(workspace: Workspace, order: Order) -> list[Recipe]:
    pinned = replace(order, axes=[], count=1, each=False)
    if order.template.strip() and all(axis["name"] != "prompt" for axis in order.axes):
        pinned = replace(pinned, template=prompts.expand(order.template, 1, order.seed)[0])
    found: list[Recipe] = []
    for places in _places([len(axis["values"]) for axis in order.axes]):
        cell = pinned
        chosen = {axis["name"]: axis["values"][place] for axis, place in zip(order.axes, places, strict=True)}
        # The engine says which controls there are; the seed comes last, so that it chooses no other words.
        for name in sorted(chosen, key=lambda name: {"engine": 0, "seed": 2}.get(name, 1)):
            cell = _varied(workspace, cell, name, chosen[name], compared="engine" in chosen)
        if found:
            cell = replace(cell, sources=[found[0].source])
        recipe = recipes(workspace, cell)[0]
        axes = [axis | {"index": place} for axis, place in zip(order.axes, places, strict=True)]
        template = str(chosen.get("prompt", order.template))
        found.append(replace(recipe, number=len(found), axes=axes, template=template))
    return found


def _places(lengths: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Every cell's place (column,) or (column, row), by rows."""
    for row in range(lengths[1] if len(lengths) > 1 else 1):
        for column in range(lengths[0]):
            yield (column, row)[: len(lengths)]


def _varied(workspace: Workspace, order: Order, name: str, value: Any, compared: bool) -> Order:
    """The order with one value changed. With engines `compared`, settings that an engine has not are left out."""
    if name == "prompt":
        text = prompts.expand(str(value), 1, order.seed)[0]
        return replace(order, template=text, prompt_id="")
    if name == "negative_prompt":
        return replace(order, negative_prompt=str(value))
    if name == "seed":
        return replace(order, seed=_whole(value))
    if name == "engine":
        known = {control.name for control in engine(workspace, str(value)).CONTROLS}
        settings = {key: setting for key, setting in order.settings.items() if key in known}
        return replace(order, engine=str(value), settings=settings)
    control = next((c for c in engine(workspace, order.engine).CONTROLS if c.name == name), None)
    if control is not None:
        return replace(order, settings=order.settings | {name: control.read(value)})
    if compared:  # the row of an engine that has no such control shows the same picture in every column
        raise BadInput(
            f'{engine(workspace, order.engine).TITLE} has no setting "{name}"; compare engines by another.'
        )
    raise BadInput(f'"{name}" cannot be compared; choose {", ".join(axes_of(order.engine))}.')


def axes_of(name: str) -> dict[str, Control | None]:
    """What can be an axis of a comparison with that engine; None for what is no control of the engine."""
    controls = synthesis.ENGINES[name].CONTROLS
    return dict.fromkeys(OF_ORDER) | {c.name: c for c in controls if c.kind != "text"}


def _whole(value: Any) -> int:
    try:
        return int(str(value))
    except ValueError:
        raise BadInput(f"The seed {value} is no whole number.") from None


def _title(name: str) -> str:
    return name.replace("_", " ")


# --- painting ---------------------------------------------------------------------------------------------


def paint(
    workspace: Workspace, recipe: Recipe, progress: Progress | None = None, preview: Preview | None = None
) -> tuple[Painting, np.ndarray]:
    """Follow one recipe: the painting, and the mask bool (H, W) it was painted into. Raises BadInput, Cancelled.

    The same recipe gives the same pixels. Whoever calls this holds `jobs.device`.
    """
    request, cut = _request(workspace, recipe)
    painting = engine(workspace, recipe.engine).paint(request, progress, preview)
    return _noted(painting, cut), request.mask


def _noted(painting: Painting, sentence: str) -> Painting:
    return replace(painting, notes=[*painting.notes, sentence]) if sentence else painting


def _request(workspace: Workspace, recipe: Recipe) -> tuple[PaintRequest, str]:
    """What an engine is asked for, and a sentence on what of the mask lay outside the region of interest, or ""."""
    row = workspace.image(recipe.source)
    image = read_image(row.path, row.id, row.depth)
    donor = _donor(workspace, recipe.donor) if recipe.donor else None
    mask = mask_of(workspace, recipe, image)
    region = region_of(workspace, recipe.dataset, recipe.mask.get("region", ""), image.shape[:2])
    masks.check(mask, image, region)
    mask, cut = masks.within(mask, region)
    request = PaintRequest(
        image=image,
        mask=mask,
        prompt=recipe.prompt,
        negative_prompt=recipe.negative_prompt,
        settings=recipe.settings,
        seed=recipe.seed,
        donor=donor,
    )
    return request, cut


def region_of(workspace: Workspace, dataset: str, file: str, shape: tuple[int, int]) -> np.ndarray | None:
    """A region of interest that a data set has or had, by its file, on an image of `shape` (H, W): bool (H, W).

    None for "", where all of an image counts. So a painting can be made again after the region has changed.
    """
    if not file:
        return None
    folder = workspace.path / "datasets" / dataset
    if (folder / file).parent != folder or not (folder / file).is_file():
        raise BadInput(
            "The region of interest that this was painted in is not there any more; paint it anew."
        )
    return Region(read_mask(folder / file, None, file)).at(shape)


def mask_of(workspace: Workspace, recipe: Recipe, image: np.ndarray) -> np.ndarray:
    """The mask that a recipe asks for: bool (H, W) for `image` (H, W, 3). Raises BadInput where there is none.

    What of it lies outside the region of interest is not painted; that is for `masks.check` and `masks.within`.
    """
    spec = masks.MaskSpec.from_json(recipe.mask)
    donor = _donor(workspace, recipe.donor) if recipe.donor else None
    region = region_of(workspace, recipe.dataset, spec.region, image.shape[:2])
    return masks.realise(spec, image, recipe.seed, _lent(workspace, spec, donor), region)


def _donor(workspace: Workspace, id: str) -> Donor:
    row = workspace.image(id)
    if row.mask is None:
        raise BadInput(f"{id} has no mask any more and cannot lend its defect.")
    return Donor(row.id, row.path, row.mask, row.defect_type, row.group, row.split, row.depth)


def _lent(workspace: Workspace, spec: masks.MaskSpec, donor: Donor | None) -> np.ndarray | None:
    """The mask that a spec names, bool (H, W) of its own size; None where it names none."""
    if spec.source == "real" and donor:
        return read_mask(donor.mask, None, donor.id)
    if spec.source in ("drawn", "uploaded") and spec.file:
        path = workspace.path / MASKS / spec.file
        if path.parent != workspace.path / MASKS or not path.is_file():
            raise BadInput(
                "The mask that was drawn or uploaded is not in the workspace any more; make it again."
            )
        return read_mask(path, None, "the mask")
    return None


def paint_one(
    workspace: Workspace, order: Order, progress: Progress | None = None, preview: Preview | None = None
) -> Candidate:
    """Paint the first of an order at once and keep it as a candidate, waiting for one other image at most."""
    from exdd_core import jobs

    recipe = recipes(workspace, order)[0]
    with jobs.device(workspace):
        painting, drawn = paint(workspace, recipe, progress, preview)
    return candidates.add(workspace, painting, recipe, drawn)


def keep_mask(workspace: Workspace, mask: np.ndarray) -> str:
    """Store a drawn or uploaded mask, bool (H, W), and return the name for `MaskSpec.file`."""
    content = encode_png(mask)
    name = f"{hashlib.sha256(content).hexdigest()[:20]}.png"
    folder = workspace.path / MASKS
    folder.mkdir(exist_ok=True)
    if not (folder / name).exists():
        with files.whole(folder / name) as place:
            place.write_bytes(content)
    return name


# --- batches ----------------------------------------------------------------------------------------------


def run(workspace: Workspace, spec: Mapping[str, Any], progress: Progress, job_id: str) -> dict[str, Any]:
    """The job "synthesize": paint an order, keeping every image as soon as it is finished.

    What the job has made before is left alone, so that running it again finishes it. An image that fails is
    counted and told; where all fail, raises BadInput with the reason. Returns counts, sentences and ids.
    """
    wanted = recipes(workspace, Order.from_json(spec))
    there = candidates.numbers(workspace, job_id)
    left = [recipe for recipe in wanted if recipe.number not in there]
    failures: list[str] = []
    progress.begin(PAINTING, len(wanted), len(there))
    for recipe, made in _all_painted(workspace, left, len(wanted), progress):
        if isinstance(made, Exception):
            failures.append(_reason(recipe, made))
        else:
            candidates.add(workspace, made[0], recipe, made[1], job_id, recipe.number)
        progress.advance()
    reasons = list(dict.fromkeys(failures))
    if len(failures) == len(wanted):
        raise BadInput(
            reasons[0] if len(reasons) == 1 else f"None of {len(wanted)} could be painted. {reasons[0]}"
        )
    return {
        "ordered": len(wanted),
        "made": len(wanted) - len(failures),
        "failed": len(failures),
        "reasons": reasons[:SENTENCES_KEPT],
        "candidates": [c.id for c in reversed(candidates.listed(workspace, job=job_id))],
    }


def _all_painted(
    workspace: Workspace, left: Sequence[Recipe], total: int, progress: Progress
) -> Iterator[tuple[Recipe, Made]]:
    """Each recipe with what became of it. Whoever asks counts them in `progress`."""
    done = total - len(left)
    for (name, settings), alike in itertools.groupby(left, lambda recipe: (recipe.engine, recipe.settings)):
        group = list(alike)
        try:
            at_once = _prepared(workspace, name, settings, progress)
        except Cancelled:
            raise
        except Exception as error:
            unready = NotReady(_sentence(error))  # told once for all of them
            yield from ((recipe, unready) for recipe in group)
        else:
            if progress.stage != PAINTING:  # another model had to be loaded
                progress.begin(PAINTING, total, done)
            for start in range(0, len(group), at_once):
                yield from _painted(workspace, group[start : start + at_once], progress)
        done += len(group)


def _prepared(workspace: Workspace, name: str, settings: Mapping[str, Any], progress: Progress) -> int:
    """Make an engine ready and return how many images it takes in one call."""
    from exdd_core import jobs

    painter = engine(workspace, name)
    with jobs.device(workspace):
        painter.prepare(settings, progress)
        return painter.at_once(settings)


def _painted(
    workspace: Workspace, chunk: Sequence[Recipe], progress: Progress
) -> Iterator[tuple[Recipe, Made]]:
    """A few recipes with the same engine and settings, in one call; from the first that fails on one by one."""
    together = _together(workspace, chunk, progress) if len(chunk) > 1 else []
    yield from zip(chunk, together, strict=False)
    for recipe in chunk[len(together) :]:
        yield recipe, _alone(workspace, recipe, progress)


def _together(workspace: Workspace, chunk: Sequence[Recipe], progress: Progress) -> list[Made]:
    from exdd_core import jobs

    made: list[Made] = []
    try:
        with jobs.device(workspace):
            asked = [_request(workspace, recipe) for recipe in chunk]
            requests = [request for request, _ in asked]
            paintings = engine(workspace, chunk[0].engine).paint_many(requests, progress.part())
            for (request, cut), painting in zip(asked, paintings, strict=True):
                made.append((_noted(painting, cut), request.mask))
    except Cancelled:
        raise
    except Exception as error:  # what is wrong with this one is found when it is painted alone
        log.info("Painting %d at once ended with number %d (%s).", len(chunk), len(made), error)
    return made


def _alone(workspace: Workspace, recipe: Recipe, progress: Progress) -> Made:
    """One painting. Where it does not come off, another seed gets its chance, unless seeds are compared."""
    from exdd_core import jobs

    problem: Exception | None = None
    for attempt in range(1 if recipe.axes else TRIES):
        try:
            with jobs.device(workspace):
                again = replace(recipe, seed=recipe.seed + attempt * NEXT_SEED)
                return paint(workspace, again, progress.part())
        except Cancelled:
            raise
        except BadInput as error:  # nothing visible changed, or the mask fell beside the part
            problem = problem or error
        except Exception as error:
            return error
    assert problem is not None
    return problem


def _reason(recipe: Recipe, error: Exception) -> str:
    return str(error) if isinstance(error, NotReady) else f"{recipe.source}: {_sentence(error)}"


def _sentence(error: Exception) -> str:
    if isinstance(error, BadInput):
        return str(error)
    log.error("Painting failed", exc_info=error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "The memory is full; paint smaller images or close other programs."
    told = " ".join(str(error).split())[:160]
    return f"Painting failed ({type(error).__name__}: {told}); the program's log says where."


# --- again ------------------------------------------------------------------------------------------------


def recipe_of(candidate: Candidate) -> Recipe:
    """The recipe that a candidate was painted by, from its record."""
    shared = {field.name for field in fields(Recipe)} - {"mask", "number"}
    values = {name: getattr(candidate, name) for name in shared}
    return Recipe(**values, mask=candidate.mask_spec, number=candidate.number or 0)


def remake(workspace: Workspace, candidate: Candidate) -> Painting:
    """Paint a candidate again from its record: the same pixels with the same version of its engine."""
    return paint(workspace, recipe_of(candidate))[0]
