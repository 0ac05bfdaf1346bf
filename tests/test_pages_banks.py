"""Banks in a real browser: two versions compared, the map of both banks, an image dropped and put back, a roll back."""

from __future__ import annotations

import io
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
import pytest
import torch

from exdd_core import curation
from exdd_core.banks import bank_map
from exdd_core.banks.building import build_bank
from exdd_core.banks.detectors import load_detector
from exdd_core.bundle import writing
from exdd_core.experiments import evaluation
from exdd_core.experiments.specs import EvaluateSpec
from exdd_core.images import read_mask
from exdd_core.progress import Progress
from exdd_core.workspace import Workspace, candidates, decisions, thresholds
from exdd_core.workspace.dataset_settings import rename
from exdd_core.workspace.thresholds import Choice
from exdd_core.workspace.versions import roll_back
from pages.banks.builder import Builder
from pages.banks.comparison import Compared
from pages.banks.verdicts import of_images
from pages.html import inspect_url
from tests import plates, tiny_umap
from tests.browser import COVERED, SLOW, serving, shoot, styled, visit

if TYPE_CHECKING:
    from playwright.sync_api import Page

# Where on the page a dot of a trace lies, and how many dots there are.
PLACE = """([trace, dot]) => {
  const plot = document.querySelector('.lm-plot'), { xaxis, yaxis } = plot._fullLayout, data = plot.data[trace];
  const at = plot.getBoundingClientRect();
  return [at.x + xaxis._offset + xaxis.d2p(data.x[dot]), at.y + yaxis._offset + yaxis.d2p(data.y[dot])];
}"""
DOTS = """document.querySelector('.lm-plot').data
  .filter((t) => t.showlegend !== false).reduce((n, t) => n + t.x.length, 0)"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """v1 with two accepted candidates and a map by UMAP, measured; v2, active, with other rows."""
    made = Workspace.open(plates.build(tmp_path_factory.mktemp("banks")))
    ids = plates.pending(made)[:2]
    curation.accept(made, ids, "Anna", "7 <b>")  # as somebody might call it
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "umap", tiny_umap)
        bank_map.make_umap(made)
    evaluation.evaluate(made, EvaluateSpec(bank="v1"), Progress(), "measured")
    build_bank(made, negative_ratio=0.1, positives="both")
    return made


@pytest.fixture
def address(workspace: Workspace, tmp_path: Path) -> Iterator[str]:
    shutil.copytree(workspace.path, tmp_path / "workspace")
    with serving(Workspace.open(tmp_path / "workspace")) as address:
        yield address.rstrip("/")


def still(page: Page, dot: list[int]) -> list[float]:
    """Where a dot is once what loads around the map, or scrolls to it, moves it no more."""
    before: list[float] = []
    while before != (now := page.evaluate(PLACE, dot)):
        before = now
        page.wait_for_timeout(300)
    return now


def drawn(page: Page, name: str, dots: int) -> None:
    page.locator(".lm-name", has_text=name).wait_for(timeout=SLOW)
    page.wait_for_function(
        f"() => document.querySelector('.lm-plot').data && {DOTS} === {dots}", timeout=SLOW
    )
    assert not page.evaluate(COVERED)


def checkpoint(workspace: Workspace, backbone: str = "tf_efficientnet_lite0") -> bytes:
    """What anomalib's PatchCore keeps of a model with this workspace's network, and a bank of four rows."""
    ours, negative = workspace.backbone(), load_detector(workspace).negative
    transforms = {
        "Resize": {"size": [plates.SMALL.height, plates.SMALL.width]},
        "Normalize": {"mean": ours.mean, "std": ours.std},
    }
    steps = [{"class_path": f"torchvision.{name}", "init_args": args} for name, args in transforms.items()]
    state = {f"model.feature_extractor.{key}": value for key, value in ours.network.state_dict().items()}
    held = {
        "hyper_parameters": {"backbone": backbone, "layers": list(ours.layers)},
        "state_dict": state | {"model.memory_bank": torch.from_numpy(negative.rows[:4].copy())},
        "anomalib_pre_processor_config": {"transform": {"init_args": {"transforms": steps}}},
    }
    stream = io.BytesIO()
    torch.save(held, stream)
    return stream.getvalue()


def test_versions_are_compared_and_a_map_shows_what_is_dropped_and_put_back(
    address: str, page: Page, workspace: Workspace, tmp_path: Path
) -> None:
    own = Workspace.open(tmp_path / "workspace")

    def rows(name: str) -> int:
        detector = load_detector(own, name)
        return len(detector.negative) + len(detector.positive or [])

    visit(page, f"{address}/banks")
    # The last two versions are compared without being chosen.
    compared = page.locator("#compared .compared")
    compared.wait_for(timeout=SLOW)
    line = compared.locator("tr", has_text="Share of normal patches kept").inner_text().split()
    assert line[-2:] == ["0.1", "0.2"]
    negatives = [len(load_detector(own, name).negative) for name in ("v2", "v1")]
    told = compared.get_by_role("row", name=re.compile("^Normal rows")).inner_text().replace(",", "").split()
    assert told[2:] == [str(negatives[0]), str(negatives[1]), f"−{negatives[1] - negatives[0]}"]
    auroc = compared.locator("tr", has_text="Image AUROC").inner_text().split()
    assert auroc[-2] == "–" and 0 <= float(auroc[-1]) <= 1
    page.locator("#due", has_text="v2: No rebuild is due").wait_for(timeout=SLOW)
    compared.get_by_role("button", name="Measure v2").click()
    page.locator("#compared .note.done", has_text="Image AUROC on plates").wait_for(timeout=SLOW)
    compared.get_by_role("button", name="Measure v2").wait_for(state="detached", timeout=SLOW)
    assert "–" not in compared.locator("tr", has_text="Image AUROC").inner_text()

    # The map: every row a dot, colours by a switch.
    page.locator(".lm-frame").scroll_into_view_if_needed()
    drawn(page, "v2", rows("v2"))
    painted = [i for i in load_detector(own, "v2").positive.images if i.origin == "synthetic"]
    assert len(painted) == 2
    page.get_by_role("button", name="Defect type").click()
    page.locator(".lm-plot .legendtext", has_text="7 <b> (").first.wait_for()
    page.get_by_role("button", name="Source").click()
    page.locator(".lm-plot .legendtext", has_text="Painted defect (").wait_for()

    # A dot: its patch while one points at it, its image after a click.
    page.locator(".lm-frame").evaluate("frame => frame.scrollIntoView({ block: 'center' })")
    x, y = still(page, [2, 0])
    page.mouse.move(x - 4, y - 4)
    page.mouse.move(x, y)
    hover = page.locator(".lm-hover")
    hover.wait_for()
    hover.locator("img").evaluate("image => image.decode()")
    assert "Positive bank" in hover.inner_text()
    shoot(page, "banks-hover")
    page.mouse.click(x, y)
    side = page.locator(".lm-side")
    side.locator(".lm-id").wait_for()
    side.locator("img").evaluate("image => image.decode()")
    assert page.evaluate(PLACE, [2, 0]) == pytest.approx([x, y], abs=0.5)  # no dot moves when one is chosen
    words = side.inner_text()
    id = side.locator(".lm-id").inner_text().removeprefix("painted ")
    source = "Painted defect" if "painted" in words else "Real defect"
    assert source in words and "Rows here" in words
    squares = str(side.locator("path").nth(0).get_attribute("d")).count("M") + 1
    full = id if source == "Painted defect" else f"plates/{id}"
    assert squares == len(bank_map.patches_of_image(own, "v2", full, "positive")) > 0

    # Dropped, with the name of who did it; and undone.
    before = rows("v2")
    side.get_by_role("button", name="Drop from the positive bank").click()
    page.locator(".st-message", has_text="Enter your name first").wait_for()
    side.get_by_label("Your name").fill("Anna")
    side.get_by_role("button", name="Drop from the positive bank").click()
    toast = page.locator(".landscape .st-toast")
    toast.get_by_role("button", name="Undo").wait_for(timeout=SLOW)
    toast.hover()  # so it stays
    drawn(page, "v2", before - squares)
    assert rows("v2") == before - squares
    assert decisions.history(own)[0].who == "Anna"
    shoot(page, "banks-dropped")
    listed = page.locator("#rows .list-head strong")  # and so do the lists that stand above and below the map
    defects = len(load_detector(own, "v2").positive or [])
    listed.get_by_text(f"{defects} rows from").wait_for(timeout=SLOW)
    compared.get_by_role("row", name=re.compile(f"^Defect rows {defects} ")).wait_for(timeout=SLOW)
    page.locator("#versions tr.selected", has_text="1 change since").wait_for(timeout=SLOW)
    toast.get_by_role("button", name="Undo").click()
    drawn(page, "v2", before)
    listed.get_by_text(f"{defects + squares} rows from").wait_for(timeout=SLOW)
    assert full in load_detector(own, "v2").positive.rows_by_image()

    # Histograms of both distances with the line that 99 % of normal patches stay below.
    page.locator(".lm-negative .annotation-text", has_text="99 % of normal").wait_for(timeout=SLOW)
    page.locator(".lm-positive .legendtext", has_text="Real defects").wait_for()
    assert "real defects" in page.locator(".lm-beyond").inner_text()

    # A map by UMAP is made when somebody asks for it; v1 has one already. Of it nothing can be dropped yet.
    page.get_by_role("button", name="UMAP").click()
    page.locator(".lm-order").get_by_role("button", name="Create map").wait_for()
    shoot(page, "banks-umap-none")
    page.get_by_role("button", name="Show v1").click()
    drawn(page, "v1", rows("v1"))
    page.wait_for_function("document.querySelector('.landscape').getBoundingClientRect().top < 200")
    page.locator(".lm-order").wait_for(state="hidden")
    page.locator(".lm-told", has_text="UMAP keeps similar rows together").wait_for()
    page.locator(".lm-frame").evaluate("frame => frame.scrollIntoView({ block: 'center' })")
    page.locator("#rows", has_text="Rows of v1 by image").wait_for(timeout=SLOW)
    x, y = still(page, [1, 0])
    page.mouse.move(x - 4, y - 4)
    page.mouse.move(x, y)
    hover.wait_for()  # a click is of the dot that one points at
    page.mouse.click(x, y)
    side.locator("p", has_text="v1 is not active").wait_for()
    assert side.get_by_role("button", name="Drop from").is_disabled()

    # Another version becomes the active one, and follows what was decided meanwhile; then back.
    page.get_by_role("button", name="Activate v1").click()
    page.locator("#versions tr.selected", has_text="v1").wait_for(timeout=SLOW)
    page.locator(".frame-state", has_text="v1 · plates").wait_for()
    drawn(page, "v1", rows("v1"))
    page.locator("#due", has_text="v1").wait_for(timeout=SLOW)
    page.get_by_role("button", name="Pin v1").click()
    page.locator("#versions tr", has_text="pinned").wait_for()
    page.get_by_role("button", name="Roll back to v2").click()
    page.locator("#versions tr.selected", has_text="v2").wait_for(timeout=SLOW)
    assert page.get_by_role("button", name="Delete v1").count() == 0  # pinned
    page.get_by_role("button", name="Switch between light and dark").click()
    page.evaluate("window.scrollTo(0, 0)")
    shoot(page, "banks-versions-dark")


def test_a_version_behind_what_was_decided_is_brought_in_line(
    page: Page, workspace: Workspace, tmp_path: Path
) -> None:
    shutil.copytree(workspace.path, tmp_path / "workspace")
    own = Workspace.open(tmp_path / "workspace")
    later = plates.pending(own)[0]
    curation.accept(own, [later], "Anna")
    roll_back(own)
    page.add_init_script("localStorage.setItem('exdd.who', 'Ben')")
    with serving(own) as address:
        visit(page, f"{address}banks")
        due = page.locator("#due")
        due.get_by_text("1 accepted candidate is not in it").wait_for(timeout=SLOW)
        shoot(page, "banks-behind")
        due.get_by_role("button", name="Bring it in line").click()
        page.locator(".note.done", has_text="Updated the bank for").wait_for(timeout=SLOW)
        due.get_by_text("v1: No rebuild is due").wait_for(timeout=SLOW)
        positive = load_detector(own, "v1").positive
        assert positive is not None and later in {i.id for i in positive.images}
        row = page.locator("#compared").get_by_role("row", name=re.compile(f"^Defect rows {len(positive)} "))
        row.wait_for(timeout=SLOW)
        assert candidates.get(own, later).status == "accepted"

        # So many rows join the bank that a rebuild is due, and the page says so.
        curation.accept(
            own, [*plates.pending(own), *(plates.paint(own, seed).id for seed in (50, 51, 52))], "Anna"
        )
        page.reload()
        due.get_by_text("A full rebuild is due: its positive bank has grown from").wait_for(timeout=SLOW)
        due.get_by_role("button", name="Rebuild v1").click()
        page.locator("#versions tr.selected", has_text="v3").wait_for(timeout=SLOW)
        due.get_by_text("v3: No rebuild is due").wait_for(timeout=SLOW)
        assert own.bank().settings["positives"] == "both" and own.bank().who == "Ben"

        # A bundle becomes a version that says so, and marks say which of its images are to blame.
        defect = next(row for row in own.images("plates", split="test") if row.mask is not None)
        assert defect.mask is not None
        curation.mark_missed(own, defect.id, defect.path, read_mask(defect.mask, None, ""), "Ben")
        writing.write(own, tmp_path / "line 3.zip", "v1")
        upload = page.get_by_test_id("Import a bundle or checkpoint-upload-button")
        upload.set_input_files(tmp_path / "line 3.zip")
        said = page.locator(".note.done", has_text="Imported v4 from line 3.zip: v1 (")
        said.wait_for(timeout=SLOW)
        normal = own.images("plates", split="test", label="normal")[0]
        curation.mark_false_alarm(
            own, normal.id, normal.path, "Ben", np.ones((normal.height, normal.width), bool)
        )
        rows = f"^Normal rows {len(load_detector(own, 'v3').negative):,} "
        page.locator("#compared").get_by_role("row", name=re.compile(rows)).wait_for(timeout=SLOW)
        assert said.is_visible()  # also though the bank has changed elsewhere since then
        page.locator("#versions tr", has_text="imported").get_by_role("button", name="Activate v4").wait_for()
        page.get_by_role("button", name="Which images cause misses and false alarms?").click()
        page.locator("#blame li a[href*='good']").first.wait_for(timeout=SLOW)
        page.locator("#blame li", has_text="of 1 missed defect, ").first.scroll_into_view_if_needed()
        shoot(page, "banks-blame")
        held = checkpoint(own)
        for name, content, words in (
            ("no.zip", b"PK no", "no.zip is not a valid bundle: files are missing or damaged"),
            ("cut ü.ckpt", held[:-900], "cut ü.ckpt is not a valid bundle"),
            ("other.ckpt", checkpoint(own, "resnet18"), "other.ckpt was created with resnet18"),
        ):
            (tmp_path / name).write_bytes(content)
            upload.set_input_files(tmp_path / name)
            page.locator(".note.error", has_text=words).wait_for(timeout=SLOW)
        assert len(own.banks()) == 4
        (tmp_path / "their model.ckpt").write_bytes(held)
        upload.set_input_files(tmp_path / "their model.ckpt")
        page.locator(".note.done", has_text="Imported v5 from their model.ckpt").wait_for(timeout=SLOW)
        row = page.locator("#versions tr", has_text="imported").filter(has_text="v5")
        row.get_by_role("button", name="Activate v5").wait_for(timeout=SLOW)
        row.scroll_into_view_if_needed()
        shoot(page, "banks-checkpoint")

        bank = own.bank("v1").id
        for asked, words in (
            (f"bank={bank}&image=nothing", "is no longer in this workspace"),
            (f"bank=v9&image={later}", "There is no bank version"),
            (f"bank={bank}&image={later}&row=x&column=1", "is not a valid row"),
            (f"bank={bank}&image={later}&row=999&column=1", "patch grid"),
            ("", "no bank version"),
        ):
            answer: Any = page.request.get(f"{address}patch?{asked}")
            assert answer.status == 404 and words in answer.text()


def test_a_renamed_data_set_is_called_so_in_the_form_and_the_comparison(
    demo_workspace: Workspace, tmp_path: Path
) -> None:
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    own = Workspace.open(tmp_path / "workspace")
    rename(own, "demo", "line-3", "Ann")
    with gr.Blocks():
        form, compared = Builder(own, gr.Row()), Compared(own)
    assert form.updates()[form.dataset]["choices"] == [("line-3", "demo")]
    bank = own.bank()
    assert compared.updates()[compared.first]["choices"] == [(f"{bank.title} · line-3", bank.id)]


def test_images_that_are_judged_differently_are_counted_as_they_are_many() -> None:
    assert [of_images(1, None), of_images(2, None)] == ["1 image", "2 images"]
    assert [of_images(1, 1), of_images(1, 1200)] == ["1 of 1 test image", "1 of 1,200 test images"]


def test_what_got_worse_and_which_verdicts_differ_is_whole_in_small_windows(
    address: str, page: Page, tmp_path: Path
) -> None:
    own = Workspace.open(tmp_path / "workspace")
    tested = [row for row in own.images("plates", split="test") if row.mask is not None]
    for row in tested:
        assert row.mask is not None
        curation.mark_missed(own, row.id, row.path, read_mask(row.mask, None, ""), "Ben")
    thresholds.choose(own, own.bank("v1").id, Choice(value=500, way="hand", who="Ben"))  # it finds nothing
    page.set_viewport_size({"width": 1280, "height": 720})
    visit(page, f"{address}/banks")
    page.locator("#due").get_by_text("v2").first.wait_for(timeout=SLOW)
    form = page.locator(".column:has(> #build)")
    assert form.evaluate("(form) => form.scrollWidth <= form.clientWidth")  # nothing of it beside the page
    page.locator("#versions td.named").first.evaluate("(cell) => (cell.style.minWidth = '1200px')")
    activate = page.get_by_role("button", name="Activate v1")
    activate.dblclick()
    asked = page.get_by_role("alertdialog", name="Activate v1")
    asked.get_by_text(f"v1 is held back: it fails {len(tested)} of").wait_for(timeout=SLOW)
    page.wait_for_function("document.activeElement?.textContent === 'Cancel'")
    whole = """(row) => { const frame = row.closest('.wide').getBoundingClientRect();
      return [...row.querySelectorAll('li, strong, button')].every((one) => {
        const box = one.getBoundingClientRect();
        return box.left >= frame.left && box.right <= frame.right;
      }) }"""
    page.locator("#versions td.named").first.evaluate("(cell) => (cell.style.minWidth = '1200px')")
    for left in (0, 900):
        page.locator("#versions .wide").evaluate(f"(list) => (list.scrollLeft = {left})")
        assert asked.evaluate(whole)
    assert asked.get_by_role("link", name=tested[0].id).get_attribute("href") == inspect_url(tested[0].id)
    shoot(page, "banks-held-back")
    asked.get_by_role("button", name="Cancel").click()
    activate.wait_for()
    assert own.bank().name == "v2"

    page.set_viewport_size({"width": 933, "height": 600})
    score = page.locator("#verdicts [data-act=score]")
    for _ in range(2):
        left = score.count()
        score.first.click()
        page.wait_for_function(
            f"document.querySelectorAll('#verdicts [data-act=score]').length < {left}", timeout=SLOW
        )
    card = page.locator(".changed button").first
    lines = card.locator(".under").all_inner_texts()
    assert lines[0].startswith("v2 defect ") and re.match("v1 (normal|not sure) ", lines[1])
    heights = [line.bounding_box() for line in card.locator("span.under").all()]
    assert heights[0] and heights[1] and heights[1]["y"] >= heights[0]["y"] + heights[0]["height"]
    styled(card.locator("img"), "object-fit", "contain")
    card.click()
    page.locator(".both img").nth(1).wait_for(timeout=SLOW)
    filled = "(one) => one.getBoundingClientRect().width / one.closest('.both').clientWidth"
    assert page.locator(".both img").first.evaluate(filled) > 0.45
    bar = page.locator(".both-scale i").bounding_box()
    assert bar and bar["width"] > 100
    page.locator(".both").scroll_into_view_if_needed()
    shoot(page, "banks-one-picture")
