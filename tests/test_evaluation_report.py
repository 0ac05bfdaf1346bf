"""The report opens offline with its plots and says what the run says; Figure 2 has a row for each image."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from exdd_core import cli, jobs
from exdd_core.banks.building import build_bank
from exdd_core.errors import BadInput
from exdd_core.experiments import curves, disagreements, figure_two, report, title, write_figure
from exdd_core.images import encode_png
from exdd_core.workspace import Workspace, runs
from exdd_core.workspace.imports import import_dataset
from exdd_core.workspace.runs import Run
from tests import plates
from tests.browser import SIDEWAYS, shoot

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Error


@pytest.fixture(scope="module")
def workspace(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("report") / "workspace"
    shutil.copytree(demo_workspace.path, folder)
    return Workspace.open(folder)


@pytest.fixture(scope="module")
def run(workspace: Workspace) -> Run:
    return runs.get(workspace, jobs.run_here(workspace, "evaluate", "", {})["run"])


def test_the_curve_is_the_figure(run: Run) -> None:
    roc = curves.curves(run)["roc"]
    labels = np.array(run.result["per_image"]["label"]) == "defect"
    for line, (name, scores) in zip(roc.data, run.result["calibrated"].items(), strict=True):
        area = np.trapezoid(line.y, line.x)
        assert area == pytest.approx(roc_auc_score(labels, scores))
        assert area == pytest.approx(run.result["methods"][name]["image_auroc"])


def test_the_report_opens_offline_and_its_threshold_moves(
    workspace: Workspace, run: Run, tmp_path: Path, browser: Browser
) -> None:
    file = tmp_path / "report.html"
    report.write_html(workspace, run, file)
    page = browser.new_page(viewport={"width": 1400, "height": 900})
    asked: list[str] = []
    broken: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.goto(file.as_uri())
    page.wait_for_selector(".js-plotly-plot .main-svg")
    assert page.locator(".js-plotly-plot").count() == 5  # histogram and four curves
    labels, scores = run.result["per_image"]["label"], run.result["calibrated"]["exdd"]
    handle, counts = page.locator(".ms-handle"), page.locator(".ms-counts")

    def wrong(threshold: float) -> tuple[int, int]:
        missed = sum(s <= threshold for s, label in zip(scores, labels, strict=True) if label == "defect")
        return missed, sum(
            s > threshold for s, label in zip(scores, labels, strict=True) if label == "normal"
        )

    def said() -> tuple[int, int]:
        words = " ".join(counts.inner_text().split())
        missed, false = re.search(r"(\d+) missed", words), re.search(r"(\d+) false alarm", words)
        assert missed and false, words
        return int(missed[1]), int(false[1])

    assert said() == wrong(1) and page.locator(".ms-value").inner_text() == "1.00"
    handle.scroll_into_view_if_needed()
    box = handle.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 60, y, steps=6)
    moved = float(handle.get_attribute("aria-valuenow") or 0)  # while the button is still down
    assert moved > 1 and said() == wrong(moved)
    page.mouse.up()
    shown = page.locator("[data-gallery=defect] .ms-thumb")
    assert shown.count() == wrong(moved)[0]
    assert all(
        page.locator(".ms-thumb img").evaluate_all("all => all.map(one => one.src.startsWith('data:'))")
    )
    page.locator("button[data-method=patchcore]").first.click()
    assert page.locator(".ms-value").inner_text() == "1.00"
    shoot(page, "evaluation-report", full_page=True)
    # Names of 63 characters break within a phone's window, and types within their columns.
    page.set_viewport_size({"width": 390, "height": 844})
    page.reload()
    page.wait_for_selector(".js-plotly-plot .main-svg")
    page.locator("h1").evaluate("(one) => (one.textContent = 'x'.repeat(63))")
    assert page.evaluate(SIDEWAYS) <= 0
    head = page.locator(".ms-recall thead th").nth(2)
    assert head.evaluate("(one) => (one.textContent = 'x'.repeat(63)) && one.offsetWidth") < 200
    page.close()
    assert broken == [] and [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_a_diagram_is_what_the_run_tells_and_old_runs_open(workspace: Workspace, run: Run) -> None:
    figures = curves.curves(run)
    known = {"reliability": run.result["reliability"], "patch_reliability": run.result["patch_reliability"]}
    for told, things in (("reliability", "images"), ("patch_reliability", "patches")):
        lines = figures[told].data[1:]  # after the diagonal
        for line, (name, own) in zip(lines, known[told].items(), strict=True):
            assert list(line.x) == [bin["said"] for bin in own["bins"]], name
            assert list(line.y) == [bin["found"] for bin in own["bins"]]
            assert line.text[0] == f"{own['bins'][0]['count']:,} {things}"
    former = {key: value for key, value in run.result.items() if key != "patch_reliability"}
    old = runs.store(workspace, "old", run.kind, "Of an older version", run.spec, former)
    assert set(figures) - set(report.shown(old)["figures"]) == {"patch_reliability"}


def test_names_from_outside_are_text(workspace: Workspace, run: Run, tmp_path: Path) -> None:
    runs.store(workspace, "evil", run.kind, "<img src=x onerror=alert(1)>", {"n": "</script>"}, run.result)
    report.write_html(workspace, runs.get(workspace, "evil"), tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<img src=x" not in text and "&lt;img src=x" in text and '"</script>"' not in text


@pytest.mark.parametrize("ending", ["png", "pdf"])
def test_figure_two_has_a_row_for_each_image(
    workspace: Workspace, run: Run, tmp_path: Path, ending: str
) -> None:
    chosen = disagreements(run, 2)
    images, scores = run.result["per_image"], np.array(list(run.result["calibrated"].values()))
    part, spread = (
        dict(zip(images["id"], images["group"], strict=True)),
        np.ptp(np.clip(scores, 0, 2), axis=0),
    )
    assert spread[images["id"].index(chosen[0])] == spread.max() and part[chosen[0]] != part[chosen[1]]
    assert sorted(disagreements(run, 99)) == sorted(images["id"])
    assert len(set(chosen)) == 2 and set(chosen) <= set(run.result["per_image"]["id"])
    one = figure_two(workspace, run, chosen[:1])
    two = figure_two(workspace, run, chosen)
    assert two.shape[1] == one.shape[1] and two.shape[0] > 1.7 * one.shape[0]
    file = tmp_path / f"figure.{ending}"
    write_figure(two, file)
    if ending == "png":
        assert Image.open(file).size == two.shape[1::-1]
    else:
        assert file.read_bytes().startswith(b"%PDF")
    with pytest.raises(BadInput, match=r"neither a .png nor a .pdf"):
        write_figure(two, tmp_path / "figure.gif")


def test_what_cannot_be_drawn_is_said(workspace: Workspace, run: Run) -> None:
    without = runs.store(workspace, "folds", "evaluate", "Folds", {"dataset": "demo"}, run.result)
    with pytest.raises(BadInput, match="does not name a bank version"):
        figure_two(workspace, without)
    with pytest.raises(BadInput, match="not a sweep with results"):
        curves.sweep_curves(run)
    empty = runs.store(workspace, "swept", "sweep", "Sweep", {}, {"methods": {}})
    with pytest.raises(BadInput, match="has no image scores"):
        curves.curves(empty)


# --- a data set without masks -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unmasked(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Plates with and without a bar, of which nobody has drawn where the bars are; and a bank of them."""
    folder = tmp_path_factory.mktemp("unmasked")
    for i in range(15):
        for place, pixels in (("good", plates.plate(i)), ("defect", plates.painting(1000 + i).image)):
            (folder / "plates" / place).mkdir(parents=True, exist_ok=True)
            (folder / "plates" / place / f"{i}.png").write_bytes(encode_png(pixels))
    workspace = Workspace.create(folder / "workspace", backbone="efficientnet_lite0")
    import_dataset(workspace, folder / "plates", size=plates.SMALL)
    build_bank(workspace, negative_ratio=0.2)
    return workspace


def test_what_builds_without_masks_is_patchcore_and_says_so(unmasked: Workspace) -> None:
    summary = unmasked.bank().summary
    assert summary["fusion"] == "patchcore" and summary["positive_rows"] == 0
    assert "have no usable mask and were left out" in summary["note"]


def test_figures_without_masks_are_said_on_the_command_line_and_in_reports(
    unmasked: Workspace, tmp_path: Path, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = ["--workspace", str(unmasked.path)]
    assert cli.main(["evaluate", *folder]) == 0
    table, rest = capsys.readouterr().out.split(" at ")[0], "No defective image has a mask"
    titles = [f"{title(name)}  " for name in ("patchcore", "exdd")]
    lines = [
        line.removeprefix(name) for line in table.splitlines() for name in titles if line.startswith(name)
    ]
    assert len(lines) == 2
    for line in lines:
        assert line.count("no masks") == 3 and "-" not in line and float(line.split()[0]) > 0.9
    assert cli.main(["evaluate", "--json", *folder]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told["methods"]["exdd"]["pixel_auroc"] is None and told["methods"]["exdd"]["image_auroc"] > 0.9
    assert told["masks"]["used"] == 0 and told["masks"]["missing"] == told["defective"]
    assert any(rest in sentence for sentence in told["notes"])
    for kind, spec in (("table1", {}), ("sweep", {"counts": [0], "seeds": 1}), ("evaluate", {"folds": 2})):
        run = runs.get(unmasked, jobs.run_here(unmasked, kind, "", spec)["run"])
        assert all(figures["aupro"] is None for figures in run.result["methods"].values()), kind
        assert any(rest in sentence for sentence in run.result["notes"])
        assert cli.main(["runs", "show", run.id, *folder]) == 0
        assert "no masks" in capsys.readouterr().out
        report.write_html(unmasked, run, tmp_path / f"{kind}.html")
        page = browser.new_page()
        broken: list[Error] = []

        def note(error: Error, kept: list[Error] = broken) -> None:
            kept.append(error)

        page.on("pageerror", note)
        page.goto((tmp_path / f"{kind}.html").as_uri())
        page.wait_for_selector(".ms-table tbody tr")
        cells = page.locator(".ms-table td.ms-number b").all_inner_texts()
        assert cells.count("no masks") == 3 * len(run.result["methods"]) and broken == [], kind
        page.close()
