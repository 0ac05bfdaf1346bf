"""The studio: orders become recipes, recipes candidates, and the same record the same pixels."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from exdd_core import curation, jobs, studio
from exdd_core.curation import sifting
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import encode_png, read_image, read_mask
from exdd_core.progress import Progress
from exdd_core.studio import batch, contact_sheet, editor, ordering
from exdd_core.synthesis import mask_spec, masks
from exdd_core.synthesis.compositing import with_halo
from exdd_core.synthesis.engine import NotReady
from exdd_core.synthesis.orders import Order
from exdd_core.synthesis.procedural import Procedural
from exdd_core.synthesis.request import PaintRequest
from exdd_core.synthesis.sdxl import SDXL
from exdd_core.workspace import Workspace, candidates, drawn_masks, prompts
from exdd_core.workspace.dataset_settings import set_region
from exdd_core.workspace.imports import import_dataset
from tests.forked import Forked

GENERATED = {"source": "generated", "shape": "scratch", "vary": True}
BORROWED = {"source": "real", "vary": True}
ORDER = Order("small", "procedural", template="deep dark scratch", mask=GENERATED, seed=10)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """12 normal and 6 defective images of 96 x 80 pixels, of two sizes of defect; a third of them test images."""
    folder = tmp_path_factory.mktemp("studio")
    rng = np.random.default_rng(0)
    for number in range(18):
        image = np.clip(rng.normal(128, 8, (80, 96, 1)) + rng.normal(0, 2, (80, 96, 3)), 0, 255).astype(
            np.uint8
        )
        place = (
            folder / "small" / ("good" if number < 12 else "defect/pit" if number % 2 else "defect/scratch")
        )
        place.mkdir(parents=True, exist_ok=True)
        if number >= 12:
            mask = np.zeros((80, 96), bool)
            mask[26:42, 16 : 40 + 8 * (number % 2)] = True
            image[mask] //= 3
            masks_folder = folder / "small" / "masks" / place.name
            masks_folder.mkdir(parents=True, exist_ok=True)
            (masks_folder / f"{number}.png").write_bytes(encode_png(mask))
        (place / f"{number}.png").write_bytes(encode_png(image))
    made = Workspace.create(folder / "workspace", backbone="efficientnet_lite0")
    import_dataset(made, folder / "small", name="small")
    return made


def train(workspace: Workspace, label: str = "normal") -> list[str]:
    return [row.id for row in workspace.images("small", split="train", label=label)]


def test(workspace: Workspace, label: str = "normal") -> list[str]:
    return [row.id for row in workspace.images("small", split="test", label=label)]


test.__test__ = False  # type: ignore[attr-defined]


def run(workspace: Workspace, order: Order, job: str, progress: Progress | None = None) -> dict[str, Any]:
    asked = Order.from_json(json.loads(json.dumps(order.to_json())))
    return dict(studio.run_batch(workspace, asked, progress or Progress(), job))


def pixels(workspace: Workspace, job: str) -> list[np.ndarray]:
    made = candidates.listed(workspace, job=job)
    return [read_image(c.image) for c in sorted(made, key=lambda c: c.number or 0)]


# --- orders become recipes --------------------------------------------------------------------------------


def test_a_recipe_depends_on_the_order_and_its_number_alone(workspace):
    order = replace(ORDER, engine="transplant", template="{a|b|c|d} scratch", mask=BORROWED, count=20)
    many = studio.recipes(workspace, order)
    assert many == studio.recipes(workspace, Order.from_json(json.loads(json.dumps(order.to_json()))))
    assert many[:5] == studio.recipes(workspace, replace(order, count=5))
    assert [recipe.seed for recipe in many] == list(range(10, 30))
    later = studio.recipes(workspace, replace(order, count=5, seed=15))
    assert [replace(recipe, number=recipe.number + 5) for recipe in later] == many[5:10]
    for name in ("prompt", "source", "donor"):  # each drawn anew
        assert len({getattr(recipe, name) for recipe in many}) > 2, name


def test_without_a_choice_only_normal_training_images_are_painted_on(workspace):
    sources = {recipe.source for recipe in studio.recipes(workspace, replace(ORDER, count=200))}
    assert sources == set(train(workspace))


def test_chosen_images_take_turns(workspace):
    chosen = train(workspace)[:3]
    order = replace(ORDER, sources=chosen, count=7)
    assert [recipe.source for recipe in studio.recipes(workspace, order)] == [*chosen, *chosen, chosen[0]]


def test_so_many_of_each_prompt(workspace):
    order = replace(ORDER, template="{fine|deep} {scratch|dent}", count=3, each=True)
    found = [recipe.prompt for recipe in studio.recipes(workspace, order)]
    assert len(found) == 12 and all(found.count(text) == 3 for text in found)
    assert len(set(found)) == 4 and {r.template for r in studio.recipes(workspace, order)} == {order.template}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"count": 0}, "0 paintings"),
        ({"count": 2001}, "from 1 to 2000"),
        ({"count": True}, "paintings"),
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"engine": "magic"}, 'no engine "magic"'),
        ({"settings": {"nonsense": 1}}, "nonsense"),
        ({"settings": {"feather": -1}}, "Feather"),
        ({"dataset": "nowhere"}, "nowhere"),
        ({"sources": ["small/good/none.png"]}, "no image"),
        ({"template": ""}, "empty"),
        ({"template": "{fine scratch"}, "never closes"),
        ({"mask": {"source": "magic"}}, "magic"),
        ({"mask": {"nonsense": 1}}, "nonsense"),
        ({"parent": "nobody"}, "nobody"),
        ({"template": "{a|b|c|d} scratch", "each": True, "count": 600}, "2,400"),
    ],
)
def test_an_order_that_cannot_be_painted_is_a_sentence(workspace, changes, words):
    with pytest.raises(BadInput, match=words):
        studio.recipes(workspace, replace(ORDER, **changes))


def test_an_order_of_something_else_is_a_sentence():
    with pytest.raises(BadInput, match="nonsense"):
        Order.from_json({"dataset": "small", "engine": "procedural", "nonsense": 1})
    with pytest.raises(BadInput, match="needs a data set"):
        Order.from_json({"engine": "procedural"})


# --- the test split lends nothing -------------------------------------------------------------------------


def test_only_the_training_split_lends_unless_switched_and_recorded(workspace):
    inside, outside = set(train(workspace, "defect")), set(test(workspace, "defect"))
    assert inside and outside
    assert {donor.id for donor in studio.donors(workspace, "small")} == inside
    assert {donor.id for donor in studio.donors(workspace, "small", from_test=True)} == inside | outside
    for engine, mask in (("transplant", GENERATED), ("procedural", BORROWED)):
        order = replace(ORDER, engine=engine, mask=mask, count=100)
        assert {recipe.donor for recipe in studio.recipes(workspace, order)} == inside
        switched = replace(order, mask=mask | {"from_test": True})
        assert {recipe.donor for recipe in studio.recipes(workspace, switched)} == inside | outside

    leak = min(outside)
    named = [
        replace(ORDER, mask=BORROWED | {"image": leak}),
        replace(ORDER, engine="transplant", donor=leak),
        replace(ORDER, sources=[test(workspace)[0]]),
    ]
    for order in named:
        with pytest.raises(BadInput, match="test split"):
            studio.recipes(workspace, order)
        switched = replace(order, mask={**order.mask, "from_test": True})
        made = candidates.get(
            workspace, run(workspace, switched, f"leak {named.index(order)}")["candidates"][0]
        )
        assert made.mask_spec["from_test"] is True


def test_varied_masks_lie_where_known_training_defects_of_the_type_lie(workspace):
    def places(**changes):
        order = replace(ORDER, count=40, **changes)
        return [recipe.mask.place for recipe in studio.recipes(workspace, order)]

    placed, known = places(), train(workspace, "defect")
    assert 0 < sum(place is None for place in placed) < 12  # one in ten lies anywhere
    assert len(known) >= 3 and {place.image for place in placed if place} == set(known)
    assert not any(places(mask=GENERATED | {"prior": False}))
    assert not any(places(defect_type="of which no mask is known"))
    assert not any(places(mask={"source": "generated", "shape": "spot"}))  # it lies where a person put it


def test_a_defective_image_is_not_painted_on(workspace):
    with pytest.raises(BadInput, match="has a defect already"):
        studio.recipes(workspace, replace(ORDER, sources=[train(workspace, "defect")[0]]))


def test_a_data_set_whose_defects_have_no_masks_says_so(workspace, monkeypatch):
    monkeypatch.setattr(ordering, "donors", lambda *_: [])
    with pytest.raises(BadInput, match="could be borrowed"):
        studio.recipes(workspace, replace(ORDER, engine="transplant"))


# --- painting ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["procedural", "transplant"])
@pytest.mark.parametrize("mask", [GENERATED, BORROWED])
def test_the_same_record_gives_the_same_pixels(workspace, engine, mask):
    order = replace(ORDER, engine=engine, template="{black|deep} dent", mask=mask, count=3, seed=40)
    job = f"again {engine} {mask['source']}"
    run(workspace, order, job)
    again = Workspace.open(workspace.path)
    made = candidates.listed(again, job=job)
    assert len(made) == 3
    for candidate in made:
        painting = studio.remake(again, candidate)
        assert np.array_equal(painting.image, read_image(candidate.image))
        assert np.array_equal(painting.mask, read_mask(candidate.mask, None))
        assert painting.engine_version == candidate.engine_version
        request = PaintRequest(painting.image, read_mask(candidate.drawn, None))
        outside = ~with_halo(request, int(str(painting.settings["halo"])))
        source = read_image(again.image(candidate.source).path)
        assert np.array_equal(source[outside], painting.image[outside])
    different = {read_mask(candidate.drawn, None).tobytes() for candidate in made}
    assert len(different) == 3  # another mask each time


@pytest.mark.parametrize("at_once", [1, 2])
def test_the_same_record_gives_the_same_pixels_with_sdxl(workspace, tiny_sdxl, at_once, monkeypatch):
    monkeypatch.setattr(SDXL, "_at_once", lambda *_: at_once)
    settings = {"model": str(tiny_sdxl), "steps": 2, "resolution": 64}
    order = replace(ORDER, engine="sdxl", settings=settings, mask=GENERATED | {"width": 30}, count=3)
    job = f"sdxl {at_once}"
    assert run(workspace, order, job)["made"] == 3
    for candidate in candidates.listed(workspace, job=job):
        painting = studio.remake(workspace, candidate)
        assert np.array_equal(painting.image, read_image(candidate.image))
        assert painting.settings == candidate.settings and candidate.settings["steps"] == 2


def test_weights_that_are_missing_are_told_once_and_leave_the_other_engine_its_column(workspace):
    order = replace(ORDER, engine="sdxl", settings={"model": "no/such"}, count=3)
    with pytest.raises(BadInput, match="^The model no/such is not on this machine"):
        run(workspace, order, "no weights")
    compared = studio.grid(workspace, replace(order, count=1), ("engine", ["sdxl", "procedural"]))
    result = run(workspace, compared, "one column")
    assert result["made"] == 1 and result["failed"] == 1 and "no/such" in result["reasons"][0]


def test_a_drawn_mask_is_kept_by_its_content_and_fits_other_sizes(workspace):
    drawn = np.zeros((160, 192), bool)  # twice the images' size
    drawn[40:80, 20:60] = True
    name = drawn_masks.keep_mask(workspace, drawn)
    assert name == drawn_masks.keep_mask(workspace, drawn) != drawn_masks.keep_mask(workspace, drawn[::-1])
    order = replace(ORDER, mask={"source": "drawn", "file": name})
    made = candidates.get(workspace, run(workspace, order, "drawn")["candidates"][0])
    expected = np.zeros((80, 96), bool)
    expected[20:40, 10:30] = True
    assert np.array_equal(read_mask(made.drawn, None), expected)


@pytest.mark.parametrize("file", ["gone.png", "../workspace.db", "/etc/passwd", "..", ""])
def test_a_mask_that_is_not_there_is_a_sentence(workspace, file):
    order = replace(ORDER, mask={"source": "drawn", "file": file})
    with pytest.raises(BadInput, match="no longer in the workspace|No mask was drawn"):
        studio.paint(workspace, studio.recipes(workspace, order)[0])


def test_a_preview_is_kept_too(workspace):
    made = studio.paint_one(workspace, replace(ORDER, seed=77))
    assert made.status == "pending" and made.job == "" and made == candidates.listed(workspace, limit=1)[0]


def test_a_draft_waits_for_no_decision_until_it_is_kept(workspace):
    def waiting() -> tuple[int, int]:
        found = sifting.sift(workspace, "small", dict.fromkeys(sifting.FILTERS), "all", "newest", 99)
        return found.total, sum(score.made for score in prompts.scoreboard(workspace))

    before, draft = waiting(), studio.paint_one(workspace, replace(ORDER, seed=78), draft=True)
    assert draft.status == "draft" and waiting() == before
    with pytest.raises(BadInput, match="it is a draft; keep it first"):
        curation.accept(workspace, [draft.id], "Anna")
    assert candidates.delete_undecided(workspace, [draft.id]) == [draft.id]
    assert candidates.restore(workspace, [draft.id], draft=True) == [draft.id] and waiting() == before
    sheet = contact_sheet.contact_sheet(workspace, [draft] * 7)
    assert sheet.shape == (16 + 2 * 308, 16 + 6 * 256, 3) and sheet.std() > 20
    assert (
        sheet[16 : 16 + 240, 16 : 16 + 240].reshape(-1, 3).min(1) < 255
    ).mean() > 0.95  # small ones are enlarged
    assert candidates.keep(workspace, [draft.id, draft.id]) == [draft.id]
    assert candidates.get(workspace, draft.id).status == "pending"
    assert waiting() == (before[0] + 1, before[1] + 1)


# --- batches ----------------------------------------------------------------------------------------------


def test_a_batch_keeps_every_image_and_counts(workspace):
    told: list[tuple[str, int, int]] = []
    progress = Progress(lambda p: told.append((p.stage, p.done, p.total)))
    result = run(workspace, replace(ORDER, count=4), "batch", progress)
    assert (result["ordered"], result["made"], result["failed"], result["reasons"]) == (4, 4, 0, [])
    assert told == [("Painting defects", n, 4) for n in range(5)]
    made = [candidates.get(workspace, id) for id in result["candidates"]]
    assert [c.number for c in made] == [0, 1, 2, 3] and {c.status for c in made} == {"pending"}
    again = run(workspace, replace(ORDER, count=4), "batch")
    assert again["candidates"] == result["candidates"]


def test_a_picture_is_kept_once_and_the_others_are_counted_with_the_reason(workspace):
    """A transplant into one mask of one image is the same with every seed; also after an interruption."""
    donor = studio.donors(workspace)[0].id
    order = replace(ORDER, engine="transplant", mask={"source": "real", "image": donor}, settings={}, count=4)
    order = replace(order, sources=train(workspace)[:2])
    for _ in range(2):
        result = run(workspace, order, "same")
        assert (result["ordered"], result["made"], result["failed"]) == (4, 2, 2)
        (reason, _) = result["reasons"]
        assert reason.endswith(batch.SAME)
        assert candidates.numbers(workspace, "same") == {0, 1}


def test_cancelling_keeps_what_is_finished_and_another_run_makes_the_rest(workspace):
    order = replace(ORDER, count=6, seed=300)
    progress = Progress(lambda p: p.cancel() if p.done == 2 else None)
    with pytest.raises(Cancelled):
        run(workspace, order, "cancelled", progress)
    first = candidates.numbers(workspace, "cancelled")
    assert 2 <= len(first) < 6
    run(workspace, order, "cancelled")
    run(workspace, order, "at once")
    for one, other in zip(pixels(workspace, "cancelled"), pixels(workspace, "at once"), strict=True):
        assert np.array_equal(one, other)


def failing(monkeypatch: pytest.MonkeyPatch, seeds: Sequence[int], error: Exception) -> list[int]:
    """Let paintings with these seeds fail, however often they are tried; the seeds that are tried."""
    tried: list[int] = []
    real = Procedural._render

    def render(self: Procedural, window: Any, step: Any) -> np.ndarray:
        tried.append(window.request.seed)
        if window.request.seed % studio.NEXT_SEED in seeds:
            raise error
        return real(self, window, step)

    monkeypatch.setattr(Procedural, "_render", render)
    return tried


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BadInput("Nothing visible changed."), "Nothing visible changed."),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "The memory is full"),
        (ValueError("a\nlong\n" * 100), "ValueError: a long"),
    ],
)
def test_one_that_fails_is_told_and_the_others_are_made(workspace, monkeypatch, error, words):
    tried = failing(monkeypatch, [11], error)
    job = f"fails {words}"
    result = run(workspace, replace(ORDER, count=4), job)
    assert (result["made"], result["failed"]) == (3, 1)
    (reason,) = result["reasons"]
    assert words in reason and "\n" not in reason and len(reason) < 400
    assert candidates.numbers(workspace, job) == {0, 2, 3}
    assert len(tried) == (6 if isinstance(error, BadInput) else 4)


def test_where_all_fail_the_job_fails_with_the_reason(workspace, monkeypatch):
    failing(monkeypatch, range(10, 14), BadInput("The model is tired; wait."))
    with pytest.raises(BadInput, match="^None of 4 paintings succeeded. small/.*The model is tired; wait.$"):
        run(workspace, replace(ORDER, count=4), "all fail")


def test_what_does_not_fit_into_memory_is_tried_once_and_told_once(workspace, monkeypatch):
    tried = failing(
        monkeypatch, range(10, 14), NotReady("The memory does not hold it; lower the resolution.")
    )
    with pytest.raises(BadInput, match="^The memory does not hold it; lower the resolution.$"):
        run(workspace, replace(ORDER, count=4), "too large")
    assert tried == [10]


def test_as_many_in_one_call_as_the_engine_takes_and_one_by_one_where_that_fails(workspace, monkeypatch):
    calls: list[int] = []
    real = Procedural._render_batch

    def render_batch(self: Procedural, windows: Any, step: Any) -> Any:
        calls.append(len(windows))
        return real(self, windows, step)

    run(workspace, replace(ORDER, count=10), "singly")
    monkeypatch.setattr(Procedural, "_at_once", lambda *_: 4)
    monkeypatch.setattr(Procedural, "_render_batch", render_batch)
    run(workspace, replace(ORDER, count=10), "four at once")
    assert calls == [4, 4, 2]
    for one, other in zip(pixels(workspace, "singly"), pixels(workspace, "four at once"), strict=True):
        assert np.array_equal(one, other)
    calls.clear()
    failing(monkeypatch, [15], RuntimeError("broken"))
    assert run(workspace, replace(ORDER, count=10), "one of four")["failed"] == 1
    assert calls == [
        4,
        4,
        1,
        1,
        1,
        1,
        2,
    ]  # in the second call the sixth fails; its fellows have no result yet


def test_another_seed_gets_a_chance_where_nothing_came_of_one(workspace, monkeypatch):
    real = Procedural._render
    tried: list[int] = []

    def render(self: Procedural, window: Any, step: Any) -> np.ndarray:
        tried.append(window.request.seed)
        if window.request.seed in (11, 11 + studio.NEXT_SEED):
            return window.image  # nothing visible changes
        return real(self, window, step)

    monkeypatch.setattr(Procedural, "_render", render)
    result = run(workspace, replace(ORDER, count=3), "tried again")
    assert result["made"] == 3 and tried == [10, 11, 11 + studio.NEXT_SEED, 11 + 2 * studio.NEXT_SEED, 12]
    seeds = [candidates.get(workspace, id).seed for id in result["candidates"]]
    assert seeds == [10, 11 + 2 * studio.NEXT_SEED, 12]
    again = candidates.get(workspace, result["candidates"][1])
    assert np.array_equal(studio.remake(workspace, again).image, read_image(again.image))
    tried.clear()
    compared = studio.grid(workspace, ORDER, ("seed", [11, 12]))
    assert run(workspace, compared, "compared seeds")["failed"] == 1 and tried == [11, 12]


def test_a_preview_waits_for_one_image_of_a_batch_at_most(workspace):
    done: list[str] = []
    begun = threading.Event()

    def told(progress: Progress) -> None:
        begun.set() if progress.done else None
        time.sleep(0.05)

    def paint_thirty() -> None:
        run(workspace, replace(ORDER, count=30), "long", Progress(told))
        done.append("batch")

    batch = threading.Thread(target=paint_thirty)
    batch.start()
    assert begun.wait(30)
    before = len(candidates.numbers(workspace, "long"))
    studio.paint_one(workspace, ORDER)
    done.append("preview")
    assert len(candidates.numbers(workspace, "long")) - before < 15
    batch.join()
    assert done == ["preview", "batch"] and len(candidates.numbers(workspace, "long")) == 30


WORKER = """
import sys
from exdd_core import jobs
from exdd_core.workspace import Workspace
jobs.run_next(Workspace.open(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_batch_of_thirty_killed_again_and_again_loses_nothing_and_doubles_nothing(workspace):
    order = replace(ORDER, template="{fine|deep} scratch", count=30, seed=1000)
    job = jobs.submit(workspace, "synthesize", "Painting 30 defects", order.to_json()).id
    finished = 0
    for kill_at, pause in ((4, 0.0), (12, 0.013), (21, 0.029)):
        process = Forked(WORKER, workspace.path)
        while len(candidates.numbers(workspace, job)) < kill_at and process.poll() is None:
            time.sleep(0.01)
        time.sleep(pause)  # somewhere within the next image
        process.kill()
        again = Workspace.open(workspace.path)
        there = candidates.numbers(again, job)
        assert there == set(range(len(there))) and max(kill_at, finished) <= len(there) < 30
        finished = len(there)
        assert jobs.get(again, job).state == "interrupted"
        jobs.resume(again, job)
    kept = {c.number: c.id for c in candidates.listed(again, job=job)}
    ended = jobs.run_next(again)
    assert ended is not None and ended.state == "done" and ended.result is not None
    assert ended.result["made"] == 30 and candidates.count(again, job=job) == 30
    assert candidates.numbers(again, job) == set(range(30))
    made = {c.number: c.id for c in candidates.listed(again, job=job)}
    assert kept.items() <= made.items()
    rooms = {path.name for path in (again.path / "candidates").iterdir() if path.name != ".lock"}
    with again.reading() as db:
        assert rooms == {row[0] for row in db.execute("select id from candidates")}
    run(again, order, "never killed")
    for one, other in zip(pixels(again, job), pixels(again, "never killed"), strict=True):
        assert np.array_equal(one, other)


# --- comparisons ------------------------------------------------------------------------------------------


def test_a_comparison_changes_its_axes_alone(workspace):
    base = replace(ORDER, template="{fine|deep} scratch")
    order = studio.grid(workspace, base, ("feather", [0, 4, 8]), ("seed", [1, 2]))
    cells = studio.recipes(workspace, order)
    places = [(c.axes[0]["index"], c.axes[1]["index"]) for c in cells]
    assert places == [(0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1)]
    assert [(c.settings["feather"], c.seed) for c in cells] == [
        (0, 1),
        (4, 1),
        (8, 1),
        (0, 2),
        (4, 2),
        (8, 2),
    ]
    assert [c.number for c in cells] == list(range(6))
    assert len({(c.source, c.prompt, json.dumps(c.mask.to_json())) for c in cells}) == 1
    assert {c.template for c in cells} == {base.template}


def test_seeds_are_compared_on_the_same_words(workspace):
    base = replace(ORDER, template="")
    order = studio.grid(workspace, base, ("seed", range(12)), ("prompt", ["{a|b|c|d} scratch", "{e|f} dent"]))
    cells = studio.recipes(workspace, order)
    assert len({cell.prompt for cell in cells[:12]}) == 1 == len({cell.prompt for cell in cells[12:]})
    assert len({cell.source for cell in cells}) == 1 and [cell.seed for cell in cells] == [*range(12)] * 2


def test_engines_and_prompts_side_by_side_with_the_settings_each_has(workspace):
    base = replace(ORDER, engine="transplant", settings={"feather": 3, "angle": 10.0})
    texts = ["fine scratch", "{deep|wide} dent"]
    order = studio.grid(workspace, base, ("prompt", texts), ("engine", ["procedural", "transplant"]))
    cells = studio.recipes(workspace, order)
    assert [(c.engine, c.prompt.split()[-1]) for c in cells] == [
        ("procedural", "scratch"),
        ("procedural", "dent"),
        ("transplant", "scratch"),
        ("transplant", "dent"),
    ]
    assert [c.template for c in cells] == texts * 2 and len({c.prompt for c in cells}) == 2
    assert [c.settings for c in cells] == [{"feather": 3}] * 2 + [{"feather": 3, "angle": 10.0}] * 2


def test_a_comparisons_results_are_candidates_that_know_their_place(workspace):
    order = studio.grid(workspace, ORDER, ("feather", [0, 6]), ("seed", [1, 2]))
    run(workspace, order, "compared")
    made = candidates.listed(Workspace.open(workspace.path), job="compared")
    assert len(made) == 4 and {c.status for c in made} == {"draft"}
    for candidate in made:
        x, y = candidate.axes
        assert (x["name"], x["values"], y["name"], y["values"]) == ("feather", [0, 6], "seed", [1, 2])
        assert (
            candidate.settings["feather"] == x["values"][x["index"]]
            and candidate.seed == y["values"][y["index"]]
        )
        assert np.array_equal(studio.remake(workspace, candidate).image, read_image(candidate.image))
    assert len({read_mask(c.drawn, None).tobytes() for c in made if c.seed == 1}) == 1


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (("feather", []), None, "no values"),
        (("feather", [1]), ("feather", [2]), "Both axes"),
        (("seed", range(7)), ("feather", range(6)), "42 cells"),
        (("nonsense", [1]), None, "cannot be compared.*feather"),
        (("feather", [-5]), None, "Feather"),
        (("seed", ["x"]), None, "not a whole number"),
        (("engine", ["magic"]), None, "magic"),
        (("prompt", ["{fine"]), None, "never closes"),
        (("engine", ["procedural", "transplant"]), ("angle", [1, 2]), "Procedural has no setting"),
    ],
)
def test_a_comparison_that_cannot_be_is_a_sentence(workspace, x, y, words):
    with pytest.raises(BadInput, match=words):
        studio.grid(workspace, ORDER, x, y)


def test_values_given_twice_are_compared_once(workspace):
    assert len(studio.recipes(workspace, studio.grid(workspace, ORDER, ("seed", [3, 3, 4])))) == 2


def test_every_axis_that_is_offered_can_be_compared(workspace):
    for engine in ("procedural", "transplant", "sdxl"):
        axes = studio.axes_of(engine)
        assert {"prompt", "negative_prompt", "engine", "seed"} < set(axes)
        for name, control in axes.items():
            if control is not None:
                studio.grid(workspace, replace(ORDER, engine=engine), (name, [control.default]))


def test_masks_check_is_asked(workspace, monkeypatch):
    def refuse(*_: object) -> None:
        raise BadInput("The mask lies outside the part.")

    monkeypatch.setattr(masks, "check", refuse)
    with pytest.raises(BadInput, match="outside the part"):
        run(workspace, ORDER, "outside")


# --- the region of interest ---------------------------------------------------------------------------------

REGION = np.zeros((80, 96), bool)
REGION[8:40, 50:90] = True


@pytest.fixture
def regional(workspace: Workspace, tmp_path: Path) -> Workspace:
    """A copy of the workspace whose data set has `REGION`."""
    shutil.copytree(workspace.path, tmp_path / "workspace")
    made = Workspace.open(tmp_path / "workspace")
    set_region(made, "small", REGION, "Ann")
    return made


def drawn_order(workspace: Workspace, mask: np.ndarray, **changed: Any) -> Order:
    spec = {"source": "drawn", "file": drawn_masks.keep_mask(workspace, mask)}
    return replace(ORDER, mask=spec, sources=train(workspace)[:1], **changed)


def boxed(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros((80, 96), bool)
    mask[top:bottom, left:right] = True
    return mask


@pytest.mark.parametrize("spec", [GENERATED, GENERATED | {"shape": "blotch"}, BORROWED])
@pytest.mark.parametrize("engine", ["procedural", "transplant"])
def test_random_places_lie_in_the_region_and_nothing_outside_changes(regional, spec, engine):
    order = replace(
        ORDER, mask=spec, engine=engine, template="" if engine == "transplant" else ORDER.template, count=8
    )
    made = run(regional, order, "regional")
    assert made["made"] >= 7, made["reasons"]
    for candidate in candidates.listed(regional, job="regional"):
        assert (
            read_mask(candidate.drawn, None).any() and not (read_mask(candidate.drawn, None) & ~REGION).any()
        )
        source = read_image(regional.image(candidate.source).path)
        assert np.array_equal(read_image(candidate.image)[~REGION], source[~REGION])
        assert not (read_mask(candidate.mask, None) & ~REGION).any()


def test_a_mask_outside_the_region_is_refused_and_one_across_its_edge_is_cut_and_said(regional):
    with pytest.raises(BadInput, match="^The mask lies outside the region of interest") as refused:
        studio.paint_one(regional, drawn_order(regional, boxed(50, 70, 10, 40)))
    assert str(refused.value).count(".") == 1
    across = boxed(20, 32, 40, 60)  # half of it
    made = studio.paint_one(regional, drawn_order(regional, across))
    assert np.array_equal(read_mask(made.drawn, None), across & REGION)
    assert made.notes[-1] == "50 % of the mask lay outside the region of interest and was left out."
    within = studio.paint_one(regional, drawn_order(regional, boxed(20, 32, 60, 80)))
    assert not any("region" in note for note in within.notes)


def test_what_the_studio_shows_of_a_mask_says_so_too(regional):
    outside = editor.mask_shown(regional, drawn_order(regional, boxed(50, 70, 10, 40)))
    assert outside.problem.startswith("The mask lies outside the region of interest")
    across = editor.mask_shown(regional, drawn_order(regional, boxed(20, 32, 40, 60)))
    assert across.problem == "" and across.note.startswith("50 % of the mask lay outside")
    inside = editor.mask_shown(regional, drawn_order(regional, boxed(20, 32, 60, 80)))
    assert (inside.problem, inside.note) == ("", "")


def test_a_fixed_shape_outside_the_region_is_refused_as_a_drawn_one(regional):
    spec = {"source": "generated", "shape": "spot", "x": 0.2, "y": 0.8}
    with pytest.raises(BadInput, match="outside the region of interest"):
        studio.paint_one(regional, replace(ORDER, mask=spec))


def test_a_painting_is_made_again_in_the_region_that_it_was_painted_in(regional):
    made = studio.paint_one(regional, replace(ORDER, sources=train(regional)[:1]))
    set_region(regional, "small", np.roll(REGION, 30, axis=0), "Ann")
    assert np.array_equal(studio.remake(regional, made).image, read_image(made.image))
    set_region(regional, "small", None, "Ann")
    assert np.array_equal(studio.remake(regional, made).image, read_image(made.image))
    assert studio.recipes(regional, ORDER)[0].mask.region == ""


def test_without_a_place_in_the_region_the_reason_is_one_sentence(tmp_path):
    image = np.full((80, 96, 3), 20, np.uint8)  # a bright part on a dark ground
    image[20:60, 20:70] = 150
    image += np.random.default_rng(0).integers(0, 8, image.shape, dtype=np.uint8)
    elsewhere = boxed(0, 10, 0, 96)
    with pytest.raises(BadInput, match="The region of interest does not contain the part"):
        masks.realise(mask_spec.MaskSpec("generated", vary=True), image, 0, None, elsewhere)


@settings(max_examples=40)
@given(
    st.tuples(st.integers(0, 60), st.integers(4, 40), st.integers(0, 70), st.integers(4, 40)),
    st.sampled_from(["scratch", "spot", "crack", "blotch", "any", "corner", "edge", "free"]),
    st.integers(0, 2**31),
)
def test_any_varied_mask_lies_in_any_region_or_is_refused(box, kind, seed):
    region, lender = boxed(box[0], box[0] + box[1], box[2], box[2] + box[3]), None
    image = np.random.default_rng(3).integers(120, 136, (80, 96, 3), dtype=np.uint8)
    spec = mask_spec.MaskSpec("real", vary=True)
    if kind in ("corner", "edge", "free"):
        lender = boxed(0, 30, 0, 30) if kind == "corner" else boxed(20, 40, 0 if kind == "edge" else 20, 50)
    else:
        spec = mask_spec.MaskSpec("generated", shape=kind, vary=True)
    mask = masks.realise(spec, image, seed, lender, region)
    assert mask.any() and not (mask & ~region).any()
    assert np.array_equal(mask, masks.realise(spec, image, seed, lender, region))


def test_more_like_a_known_defect_has_its_mask_type_and_words(workspace: Workspace) -> None:
    """Pixel for pixel at its own place; a test image's mask says so, and what was accepted gives the words."""
    row = next(row for row in workspace.images("small", label="defect") if row.split == "test")
    normals = workspace.images("small", split="train", label="normal")
    made = studio.more_like(workspace, row.id, normals[3].id)
    assert row.mask is not None
    wanted = read_mask(row.mask, (80, 96))
    assert np.array_equal(read_mask(workspace.path / drawn_masks.MASKS / made.file, None), wanted)
    assert (made.source, made.defect_type, made.from_test) == (normals[3].id, row.defect_type, True)
    assert row.defect_type in made.words.template
    mask = {"source": "drawn", "file": made.file, "vary": True}
    order = replace(ORDER, template=f"a faint {row.defect_type}", mask=mask, defect_type=row.defect_type)
    painted = studio.paint_one(workspace, order)
    with workspace.writing() as db:
        db.execute("update candidates set status = 'accepted' where id = ?", [painted.id])
    assert studio.more_like(workspace, row.id).words.template == order.template
    with pytest.raises(BadInput, match="no mask that marks a defect"):
        studio.more_like(workspace, normals[0].id)
