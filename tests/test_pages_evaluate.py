"""Evaluate in a real browser on a real app: measure, drag the threshold, look at what was missed, take files along."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlparse

import pytest
from PIL import Image

from exdd_core import curation, studio
from exdd_core.errors import BadInput
from exdd_core.experiments import disagreements, figure_two
from exdd_core.progress import Progress
from exdd_core.synthesis import orders
from exdd_core.workspace import Workspace, candidates, runs, thresholds
from exdd_core.workspace.runs import Run
from pages.evaluate.listing import open_page
from pages.evaluate.measuring import start
from pages.evaluate.one_run import compare, use_threshold
from pages.evaluate.questions import Start, Two, Used
from pages.evaluate.state import Evaluate
from pages.questions import Question
from tests.browser import COVERED, SLOW, scored, serving, shoot, styled, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

MEASURED = 300_000  # a busy machine measures slowly


@pytest.fixture(scope="module")
def workspace(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The demo with three accepted procedural defects."""
    folder = tmp_path_factory.mktemp("evaluate") / "workspace"
    shutil.copytree(demo_workspace.path, folder)
    workspace = Workspace.open(folder)
    mask = {"source": "generated", "shape": "blotch", "vary": True}
    order = orders.Order(dataset="demo", engine="procedural", template="dark scratch", count=3, mask=mask)
    studio.run_batch(workspace, order, Progress(), "painting")
    curation.accept(workspace, [made.id for made in candidates.listed(workspace, "demo")], "tester")
    return workspace


def newest(workspace: Workspace, kind: str) -> Run:
    return runs.get(workspace, runs.listed(workspace, kind=kind)[0].id)


def refused(page: Page, words: str) -> None:
    """The button is pressed and one plain sentence is the answer."""
    page.click(".ev-start")
    page.locator(".st-message .note.error", has_text=words).wait_for()
    assert len(page.locator(".st-message").inner_text().splitlines()) <= 4  # sign, sentence, button


def wrong(run: Run, method: str, threshold: float) -> tuple[int, int]:
    """How many defects are missed and how many normal images alarm, by the stored scores."""
    pairs = list(zip(run.result["calibrated"][method], run.result["per_image"]["label"], strict=True))
    missed = sum(score <= threshold for score, label in pairs if label == "defect")
    return missed, sum(score > threshold for score, label in pairs if label == "normal")


def counted(page: Page) -> tuple[int, int]:
    words = " ".join(page.locator(".ms-counts").inner_text().split())
    missed, false = re.search(r"(\d+) missed", words), re.search(r"(\d+) false alarm", words)
    assert missed and false, words
    return int(missed[1]), int(false[1])


def drag(page: Page, to: float) -> float:
    """The line with the mouse to this share of the plot; where it then is."""
    handle = page.locator(".ms-handle")
    handle.scroll_into_view_if_needed()
    box, plot = handle.bounding_box(), page.locator(".ms-drag").bounding_box()
    assert box and plot
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, y)
    page.mouse.down()
    page.mouse.move(plot["x"] + to * plot["width"], y, steps=8)
    page.mouse.up()
    return float(handle.get_attribute("aria-valuenow") or "nan")


def percent(run: Run, method: str, metric: str) -> str:
    value = run.result["methods"][method][metric]
    assert value is not None
    return f"{100 * value:.1f}"


def figures_are_the_runs(page: Page, run: Run) -> None:
    for method, figures in run.result["methods"].items():
        for metric in figures:
            shown = page.locator(f".ms-figures [data-method={method}] [data-metric={metric}]").inner_text()
            assert shown == percent(run, method, metric)


def test_from_nothing_to_a_missed_defect_in_inspect(
    browser: Browser, workspace: Workspace, tmp_path: Path
) -> None:
    with serving(workspace) as address, visiting(browser, 1400, 900) as page:
        page.set_default_timeout(SLOW)
        page.goto(address)
        page.locator(".frame-footer").wait_for()  # nothing of this page is on its way any more
        page.get_by_role("link", name="Evaluate", exact=True).click()
        page.locator(".ev-none .main-button", has_text="Measure Table 1").wait_for()
        shoot(page, "evaluate-empty")

        for rate in ("700", "seven", "-1", ""):
            page.fill("[name=rate]", rate)
            said = f'"{rate}"' if rate else "An empty field"
            refused(page, f"{said} is not a valid false-alarm rate; enter a percentage")
        page.click("[data-kind=sweep]")
        page.fill("[name=counts]", "abc")
        refused(page, '"abc" is not a list of counts')
        page.fill("[name=counts]", "0, 4")
        refused(page, "4 synthetic defects are needed, but only 3 are accepted")
        shoot(page, "evaluate-refused")
        assert runs.listed(workspace) == []

        page.click("[data-kind=table1]")
        page.fill("[name=rate]", "0")
        page.click(".ev-start")
        page.locator(".ev-job button").click()
        page.locator(".st-message", has_text="was cancelled. Nothing was saved.").wait_for()
        assert runs.listed(workspace) == []
        page.fill("[name=rate]", "40 %")
        page.click(".ev-start")
        page.locator(".ev-job [role=progressbar]").wait_for()
        shoot(page, "evaluate-measuring")
        page.locator(".ms-figures").wait_for(timeout=MEASURED)
        run = newest(workspace, "table1")
        assert run.spec["rate"] == 0.4 and list(run.result["methods"]) == [
            "patchcore",
            "exdd_base",
            "exdd_full",
        ]
        figures_are_the_runs(page, run)
        assert "93.1" in page.locator("[data-method=exdd_base] .ms-theirs").first.inner_text()
        # The version that everybody works with has no figures yet, and gets them.
        page.locator(".ev-run").nth(1).wait_for(timeout=MEASURED)
        assert newest(workspace, "evaluate").spec["bank"] == workspace.bank().id

        page.locator(".ms-switch [data-method=patchcore]").click()
        assert counted(page) == wrong(run, "patchcore", 1)
        low, high = drag(page, 0.15), drag(page, 0.9)
        assert low < 1 < high and counted(page) == wrong(run, "patchcore", high)
        missed = page.locator("[data-gallery=defect] .ms-thumb")
        assert missed.count() == wrong(run, "patchcore", high)[0] > 0
        drag(page, 0.08)
        at = float(page.locator(".ms-handle").get_attribute("aria-valuenow") or 0)
        assert counted(page) == wrong(run, "patchcore", at) != wrong(run, "patchcore", high)
        page.locator(".ms-handle").press("End")
        assert counted(page)[1] == 0
        shoot(page, "evaluate-threshold")
        assert not page.evaluate(COVERED)
        assert page.locator(".ms-use").is_hidden()  # PatchCore judges by no version of its own
        page.evaluate("localStorage.setItem('exdd.who', 'Anna')")
        page.locator(".ms-switch [data-method=exdd_base]").click()
        page.locator(".ms-handle").press("End")
        page.click(".ms-use")
        page.locator(".st-toast", has_text="now has the threshold").wait_for(timeout=MEASURED)
        page.locator(".ms-note", has_text="has been changed to").wait_for()
        page.locator(".ms-switch [data-method=exdd_base]").click()
        assert page.locator(".ms-value").inner_text() == "1.00"  # the threshold, as on Inspect
        used = thresholds.undo(workspace, str(run.spec["base"]), "Anna")
        assert used.who == "Anna" and used.value > 1
        assert counted(page) == wrong(run, "exdd_base", used.value)
        page.locator(f".ev-run[data-id='{run.id}']").click()
        page.locator(".ms-note", has_text="has been changed to").wait_for(state="detached")
        page.locator(".ms-switch [data-method=patchcore]").click()

        take_files_along(page, workspace, run, tmp_path)
        page.evaluate("scrollTo(0, 0)")
        shoot(page, "evaluate-light")
        page.click("[data-theme-toggle]")
        shoot(page, "evaluate-dark", full_page=True)
        page.click("[data-theme-toggle]")

        page.click(".ev-again")
        page.locator(".ev-compared", has_text="No differences").wait_for(timeout=MEASURED)
        assert len(runs.listed(workspace)) == 3 and len(workspace.banks()) == 3
        sweep(page, workspace)

        # What was measured again is offered, neither opened over nor compared with what is looked at meanwhile.
        page.locator(f".ev-run[data-id='{run.id}']").click()
        page.wait_for_url(re.compile(f"run={run.id}"))
        page.click(".ev-again")
        page.locator(".ev-job").wait_for()
        other = newest(workspace, "sweep").id
        page.locator(f".ev-run[data-id='{other}']").click()
        page.wait_for_url(re.compile(f"run={other}"))
        done = page.locator(".st-message", has_text="is done.")
        done.wait_for(timeout=MEASURED)
        assert f"run={other}" in page.url and not page.locator(".ev-compared").inner_text()
        done.get_by_role("button", name="Open it").click()
        page.locator(".ev-compared", has_text="No differences").wait_for()

        page.locator(f".ev-run[data-id='{run.id}']").click()
        page.wait_for_url(re.compile(f"run={run.id}"))  # till then another measurement's line is there
        page.locator(".ms-handle").press("End")
        id = missed.first.get_attribute("data-id")
        missed.first.click()
        scored(page, str(id).rpartition("/")[2])
        opened = parse_qs(urlparse(page.url).query)
        bank = workspace.bank(run.spec["full"])  # of the method whose threshold is shown at first
        assert opened == {"dataset": ["demo"], "image": [id], "bank": [bank.id]}
        assert workspace.image(str(id)).label == "defect"
        page.locator(".vw-bank", has_text=f"Bank {bank.name}").first.wait_for()


def take_files_along(page: Page, workspace: Workspace, run: Run, folder: Path) -> None:
    """Figure 2 as PNG and PDF, its rows by hand; the report; a table."""

    def saved(button: str) -> Path:
        with page.expect_download() as download:
            page.locator(button).first.click()
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        return path

    page.fill(".ev-rows", "lots")
    page.click(".ev-draw")
    page.locator(".st-message .note.error", has_text='"lots" is not valid for rows').wait_for()
    page.fill(".ev-rows", "2")
    page.click(".ev-draw")
    page.locator(".ev-sheet").wait_for()
    page.get_by_role("button", name="Chosen by hand").click()
    most = disagreements(run, 3)
    for id in (most[2], most[0], most[1]):
        page.locator(f".ev-choice[data-id='{id}']").click()
    page.locator(f".ev-choice[data-id='{most[0]}']").click()  # not this one after all
    assert page.locator(f".ev-choice[data-id='{most[1]}'] .ev-number").inner_text() == "2"
    drawn = page.locator(".ev-sheet").get_attribute("src")
    page.click(".ev-draw")
    page.wait_for_function(
        "old => document.querySelector('.ev-sheet').getAttribute('src') !== old", arg=drawn
    )
    shoot(page.locator(".ev-figure"), "evaluate-figure")
    expected = figure_two(workspace, run, [most[2], most[1]])
    assert Image.open(saved(".ev-file >> text=PNG")).size == expected.shape[1::-1]
    assert saved(".ev-file >> text=PDF").read_bytes().startswith(b"%PDF")
    assert "Measure it again" in saved(".ev-report").read_text("utf-8")
    table = saved("section[aria-label='Table 1'] .ms-button").read_text("utf-8")
    assert percent(run, "exdd_full", "aupro") in table


def opens(route: Route) -> bool:
    """Whether a measurement is asked for; anything else goes on."""
    if (route.request.post_data_json or {}).get("fn_name") == "run":
        return True
    route.fallback()
    return False


def sweep(page: Page, workspace: Workspace) -> None:
    """Table 2 with its band; the list's filter."""
    page.click("[data-kind=sweep]")
    page.fill("[name=counts]", "3 0")
    page.fill("[name=seeds]", "2")
    page.click(".ev-start")
    page.locator(".ms-sweep").wait_for(timeout=MEASURED)
    run = newest(workspace, "sweep")
    assert run.spec["counts"] == [0, 3] and run.spec["seeds"] == 2
    first = page.locator(".ms-sweep tbody tr").first.inner_text()
    assert percent(run, "0", "image_auroc") in first and "93.1" in first
    page.locator(".ms-switch [data-metric=pixel_auroc]").click()
    shoot(page, "evaluate-sweep")
    page.select_option(".ev-filters [name=kind]", "sweep")
    assert page.locator(".ev-run").count() == 1 and page.locator(".ev-count").inner_text() == "1 of 4"
    page.reload()  # which the filter outlives
    page.locator(".ev-count", has_text="1 of 4").wait_for()
    assert page.locator(".ev-filters [name=kind]").input_value() == "sweep"
    page.locator(".ms-sweep").wait_for()
    page.select_option(".ev-filters [name=kind]", "")
    # One that cannot be opened leaves the one that is seen, whose buttons act on it.
    gone = {"error": "This measurement is gone."}
    page.route("**/component_server**", lambda route: opens(route) and route.fulfill(json=gone))
    page.locator(".ev-run[aria-selected=false]").first.click()
    page.locator(".st-message", has_text="is gone").wait_for()
    page.unroute("**/component_server**")
    assert page.locator(".ev-run[aria-selected=true]").get_attribute("data-id") == run.id
    page.select_option(".ev-filters [name=sort]", "oldest")
    assert page.locator(".ev-run").last.get_attribute("data-id") == run.id
    page.click(".ev-rename")
    page.set_viewport_size({"width": 933, "height": 900})
    field, title = page.get_by_label("New name").bounding_box(), page.locator(".ev-title").bounding_box()
    assert field and title and field["x"] + field["width"] <= title["x"] + title["width"] + 1
    page.get_by_label("New name").fill("")
    page.keyboard.press("Enter")
    page.locator(".evaluate .st-message", has_text="A measurement needs a name").wait_for()
    longest = "Two_draws".ljust(63, "_")
    page.get_by_label("New name").fill(longest)
    page.keyboard.press("Enter")
    listed = page.locator(f".ev-run[aria-selected=true] b[title={longest}]", has_text=longest)
    # It ends in dots before its date, and is whole where the pointer rests.
    styled(listed, "overflow-x", "hidden")
    named = page.locator(".ev-title", has_text=f"{longest}: demo")
    named.wait_for()
    for width in (933, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        assert (box := named.bounding_box()) and box["height"] <= 48  # in two lines at most
    run = newest(workspace, "sweep")
    shoot(page, "evaluate-renamed")
    page.click(".ev-delete")
    undo = page.locator(".st-toast", has_text=f"Deleted {longest} of demo").locator("button")
    undo.wait_for()
    toast, button = page.locator(".st-toast").bounding_box(), undo.bounding_box()
    assert toast and button and button["x"] + button["width"] < toast["x"] + toast["width"]
    assert len(runs.listed(workspace)) == 3
    undo.click()
    page.locator(f".ev-run[data-id='{run.id}'][aria-selected=true]").wait_for()
    assert runs.get(workspace, run.id) == run


def test_without_a_data_set_there_is_one_way_on(tmp_path: Path) -> None:
    workspace = Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")
    answer: Any = open_page(Evaluate(workspace), Question())
    assert answer["need"]["link"] == "./data"


def test_what_only_one_run_has_is_no_difference(workspace: Workspace) -> None:
    def store(id: str, names: list[str], images: list[str], spec: dict[str, object]) -> None:
        labels = ["defect"] * len(images)
        result = {
            "methods": {name: {"image_auroc": 0.9 + len(images) / 100} for name in names},
            "per_image": {"id": images, "label": labels},
            "calibrated": {name: [2.0] * len(images) for name in names},
        }
        runs.store(workspace, id, "evaluate", id, {"dataset": "demo", **spec}, result)

    store("one", ["patchcore", "exdd"], ["a", "b"], {"bank": "x", "fusion": None})
    store("two", ["patchcore", "exdd_full"], ["b", "c", "d"], {"full": "y", "fusion": "ratio"})
    told: Any = compare(Evaluate(workspace), Two(first="one", second="two"))
    assert "2 and 3, 1 of them in both" in told["images"]
    assert [item["name"] for item in told["figures"]] == ["PatchCore, image AUROC"]
    assert told["only"] == [["ExDD"], ["ExDD full"]] and told["others"] == []
    asked = {item["name"]: (item["first"], item["second"]) for item in told["settings"]}
    assert asked["bank version ID"] == ("x", "–") and asked["fusion"] == ("default", "ratio")
    same: Any = compare(Evaluate(workspace), Two(first="one", second="one"))
    assert same["images"] == "" and not same["settings"] + same["figures"]
    for id in ("one", "two"):
        runs.delete(workspace, id)


def test_a_threshold_is_used_only_with_the_version_that_was_measured(workspace: Workspace) -> None:
    bank = workspace.bank()
    runs.store(workspace, "with", "evaluate", "with", {"dataset": "demo", "bank": bank.id}, {"methods": {}})
    asked = Used(id="with", method="patchcore", value=2.0, who="Ann")  # not the method of the version
    with pytest.raises(BadInput, match="was not measured with a stored bank version"):
        use_threshold(Evaluate(workspace), asked)
    assert thresholds.in_force(workspace, bank.id) is None
    runs.delete(workspace, "with")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"folds": "1"}, '"1" is not valid for folds; enter a whole number from 2 to 50.'),
        ({"folds": "none"}, '"none" is not valid for folds'),
        ({"folds": "2", "seed": "1.5"}, '"1.5" is not valid for seed'),
        ({"rate": "nan"}, '"nan" is not a valid false-alarm rate'),
        ({"kind": "sweep", "counts": "10, -1"}, '"10, -1" is not a list of counts'),
        ({"kind": "sweep", "counts": " "}, "An empty field is not a list of counts"),
        ({"kind": "sweep", "counts": "0", "seeds": "0"}, '"0" is not valid for seeds'),
        ({"kind": "evaluate", "bank": "v99"}, "v99"),
        ({"dataset": "nowhere"}, "nowhere"),
    ],
)
def test_nonsense_is_refused_with_one_sentence(
    demo_workspace: Workspace, typed: dict[str, str], words: str
) -> None:
    given = {"kind": "table1", "dataset": "demo", "bank": "", "rate": "5", "fusion": "", "folds": ""}
    given |= {"seed": "0", "counts": "0", "seeds": "1"} | typed
    with pytest.raises(BadInput) as caught:
        start(Evaluate(demo_workspace), Start.from_json(given))
    assert words in str(caught.value) and str(caught.value).endswith(".")
