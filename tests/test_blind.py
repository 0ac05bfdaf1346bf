"""The blind test and the comparison with real defects on Curate: what they keep, tell and do not give away."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from exdd_core import cli, curation, jobs, studio
from exdd_core.curation import blind, resembling
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.synthesis.mask_spec import MaskSpec
from exdd_core.synthesis.orders import Order
from exdd_core.workspace import Workspace, candidates
from pages.curate import blind as page_of, likeness, questions, state
from pages.questions import Question
from tests.browser import SIDEWAYS, SLOW, serving, shoot, until, visiting

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

ANNA = questions.Person(who="Anna")


@pytest.fixture(scope="module")
def filled(demo_workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a workspace with a bank version and five painted scratches that are named so."""
    folder = tmp_path_factory.mktemp("blind") / "workspace"
    shutil.copytree(demo_workspace.path, folder)
    workspace = Workspace.open(folder)
    mask = MaskSpec(source="generated", shape="scratch", vary=True).to_json()
    order = Order(
        dataset="demo",
        engine="procedural",
        template="deep dark scratches",
        mask=mask,
        count=5,
        seed=5,
        defect_type="scratch",
    )
    studio.run_batch(workspace, order, Progress(), "painted")
    return folder


@pytest.fixture
def workspace(filled: Path, tmp_path: Path) -> Workspace:
    shutil.copytree(filled, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def test_an_interval_by_hand() -> None:
    """18 of 20: Clopper and Pearson give 0.683 to 0.988. 6 of 12 may be guessed, and none of 8 is no guess either."""
    assert told(18, 20).low == pytest.approx(0.683, abs=0.001)
    assert told(18, 20).high == pytest.approx(0.988, abs=0.001)
    assert told(6, 12).guessed and not told(18, 20).guessed and not told(0, 8).guessed


def told(right: int, count: int) -> blind.Outcome:
    shown = [
        blind.Shown(
            truth="real",
            id="",
            engine="sdxl",
            defect_type="pit",
            side=64,
            said="real" if i < right else "painted",
        )
        for i in range(count)
    ]
    every, group = blind.outcomes(blind.BlindTest(id="", who="", created="", shown=shown))
    assert (every.answered, every.right, group.engine) == (count, right, "sdxl")
    return group


def test_a_crop_is_pixels_and_a_number_and_a_test_goes_on_where_it_was_left(workspace: Workspace) -> None:
    shared = state.Curate(workspace)
    first: Any = page_of.begin_blind(shared, ANNA)
    assert set(first) == {"number", "total", "picture"} and first["picture"].startswith(
        "data:image/png;base64,"
    )
    test = blind.going_on(workspace, "demo", " Anna ")
    assert test is not None and first["total"] == len(test.shown) <= 2 * 5
    assert sum(one.truth == "real" for one in test.shown) == len(test.shown) / 2
    assert len({one.side for one in test.shown}) == 1  # the zoom does not tell which is which
    answered: Any = page_of.answer_blind(shared, questions.Blind(who="Anna", number=0, said="real"))
    assert set(answered) == {"number", "total", "picture"}
    assert (
        page_of.answer_blind(shared, questions.Blind(who="Anna", number=0, said="painted")) == answered
    )  # twice
    assert page_of.begin_blind(shared, ANNA) == answered
    told: Any = page_of.blind_tests(shared, ANNA)
    assert told["mine"] == [1, len(test.shown)] and told["over"] == []
    page_of.end_blind(shared, ANNA)
    (over,) = blind.listed(workspace, "demo")
    assert over.ended and over.shown[0].said == "real" and over.answered == 1
    with pytest.raises(BadInput, match="over"):
        page_of.answer_blind(shared, questions.Blind(who="Anna", number=1, said="real"))
    page_of.begin_blind(shared, questions.Person(who="Ben"))
    page_of.end_blind(shared, questions.Person(who="Ben"))
    assert [test.who for test in blind.listed(workspace, "demo")] == [
        "Anna"
    ]  # without an answer nothing is kept


def test_whoever_always_says_the_same_is_right_half_of_the_time(workspace: Workspace) -> None:
    test = blind.begin(workspace, "demo", "Anna", np.random.default_rng(1))
    for number in range(len(test.shown)):
        test = blind.answer(workspace, "demo", test, number, "painted")
    every, group = blind.outcomes(test)
    assert test.ended and every.right * 2 == every.answered and every.guessed
    assert (group.engine, group.defect_type) == ("procedural", "scratch")
    again = blind.begin(workspace, "demo", "Anna")
    lost = next(one.id for one in again.shown if one.truth == "painted")
    shutil.rmtree(candidates.get(workspace, lost).folder)
    again, crop = blind.standing(workspace, "demo", again)
    while crop is not None:
        again = blind.answer(workspace, "demo", again, again.answered, "real")
        again, crop = blind.standing(workspace, "demo", again)
    assert again.ended and lost not in {one.id for one in again.shown}  # whose picture is gone is left out
    assert len(again.shown) == len(test.shown) - 1 and again.lost == 1
    newest: Any = page_of.blind_tests(state.Curate(workspace), ANNA)["over"]
    assert newest[0]["lines"][-1] == {"name": "Left out", "said": "1 picture, whose files are missing"}


def test_the_command_line_lists_deletes_and_restores_tests(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    test = blind.begin(workspace, "demo", "Anna", np.random.default_rng(1))

    def said(action: str, *words: str) -> str:
        code = cli.main(["blind-tests", action, *words, "--workspace", str(workspace.path)])
        told = capsys.readouterr()
        assert code == (2 if told.err else 0)
        return told.out or told.err

    assert f"Anna          in progress, 0 of {len(test.shown)} answered" in said("list")
    blind.end(workspace, "demo", blind.answer(workspace, "demo", test, 0, test.shown[0].truth))
    assert "all: 1 of 1 right, 95 % interval 3 to 100 %: no better than guessing" in said("list")
    assert "not deleted" in said("restore", test.id) and 'no blind test "x"' in said("delete", "x")
    assert "blind test by Anna" in said("delete", test.id) and said("list") == "0 blind tests.\n"
    assert 'no blind test "' in said("delete", test.id) and "no longer exists" in said("restore", "x")
    assert "listed again" in said("restore", test.id)
    rows = json.loads(said("list", "--json"))["tests"]
    assert [row["id"] for row in rows] == [test.id] and rows[0]["outcomes"][0]["right"] == 1


def test_without_painted_defects_of_a_real_type_there_is_no_test(workspace: Workspace) -> None:
    curation.set_type(workspace, [one.id for one in candidates.listed(workspace, "demo")], "hole", "Anna")
    with pytest.raises(BadInput, match="type of a real training defect"):
        blind.begin(workspace, "demo", "Anna")
    with pytest.raises(BadInput, match="enter your name"):
        blind.begin(workspace, "demo", "  ")


def test_a_comparison_is_kept_and_stale_once_candidates_change(workspace: Workspace) -> None:
    shared = state.Curate(workspace)
    assert likeness.likeness(shared, Question()) == {
        "job": None, "made": "", "stale": False, "groups": [], "any": True
    }  # fmt: skip
    likeness.compare_all(shared, Question())
    with pytest.raises(BadInput, match="already"):
        likeness.compare_all(shared, Question())
    likeness.stop_comparing(shared, Question())
    stopped: Any = likeness.likeness(shared, Question())["job"]
    assert not stopped["active"] and stopped["text"].startswith("Cancelled")
    likeness.compare_all(shared, Question())
    jobs.run_next(workspace)
    answer: Any = likeness.likeness(shared, Question())
    (group,) = answer["groups"]
    assert answer["job"] is None and answer["made"] and not answer["stale"]
    assert group["title"] == "Procedural, scratch" and group["counts"].startswith("5 painted, ")
    assert {"Position", "Position of real ones"} <= {name for name, _ in group["lines"]}
    some = candidates.listed(workspace, "demo")[0].id
    curation.accept(workspace, [some], "Anna")
    assert not likeness.likeness(shared, Question())["stale"]  # accepted ones are compared, too
    curation.undo_last(workspace, "Anna")
    curation.reject(workspace, [some], "Anna", [])
    assert likeness.likeness(shared, Question())["stale"]
    found = resembling.kept(Workspace.open(workspace.path), "demo")
    assert found is not None and found.made == answer["made"] and found.groups[0].engine == "procedural"


def refuse(*given: object) -> None:
    raise BadInput("There is nothing to show.")


def test_both_are_used_on_a_phone_and_nothing_moves(browser: Browser, workspace: Workspace) -> None:
    with serving(workspace) as address, visiting(browser, 390, 780) as page:
        page.goto(f"{address}curate")
        page.fill(".cu-askwho", "Anna")
        page.click(".st-dialog .main-button")
        page.locator(".cu-card").first.wait_for(timeout=SLOW)
        page.click(".cu-likeness")
        page.locator(".cu-likestatus", has_text="Nothing has been compared yet").wait_for()
        sheet, told = (page.locator(name).bounding_box() for name in (".st-dialog", ".cu-likestatus"))
        assert sheet and told
        assert sheet["y"] + sheet["height"] - told["y"] - told["height"] < 48  # no room is kept for results
        watch(page)
        page.keyboard.press("Tab")
        page.click(".cu-compare")
        until(page, lambda: jobs.listed(workspace, active=True) != [])
        jobs.run_next(workspace)
        page.locator(".cu-likegroup h3", has_text="Procedural, scratch").wait_for()
        shoot(page, "curate-likeness")
        page.keyboard.press("Escape")
        page.click(".cu-blind")
        page.locator(".cu-begin:focus").wait_for()
        page.keyboard.press("Enter")
        page.locator(".cu-crop[src^=data]").wait_for()
        shoot(page, "curate-blind")
        (test,) = blind.listed(workspace, "demo")
        assert not any(one.id in page.locator(".st-dialog").inner_html() for one in test.shown)
        page.get_by_text(f"Picture 1 of {len(test.shown)}").wait_for()
        held: list[Route] = []
        page.route("**/component_server**", lambda route: held.append(route))
        for key in (
            "prrr"
        ):  # all but the first come before the next picture: none is lost in silence or answers for it
            page.keyboard.press(key)
        page.get_by_text("your last press did not count").wait_for()
        page.locator(".cu-crop.cu-next").wait_for()
        shoot(page, "curate-blind-waits")
        waiting, held = held, []
        for route in waiting:
            route.continue_()
        page.route("**/component_server**", lambda route: route.continue_())
        for route in held:
            route.continue_()
        page.get_by_text(f"Picture 2 of {len(test.shown)}").wait_for()
        assert [bool(one.said) for one in blind.listed(workspace, "demo")[0].shown[:2]] == [True, False]
        page.keyboard.press("Escape")
        page.click(".cu-blind")
        page.click(".cu-begin")
        for number in range(2, len(test.shown) + 1):
            page.get_by_text(f"Picture {number} of {len(test.shown)}").wait_for()
            page.click(".cu-say-real" if number % 2 else ".cu-say-painted")
        page.locator(".cu-likegroup dt", has_text="Procedural, scratch").wait_for()
        shoot(page, "curate-blind-result")
        assert page.evaluate(SIDEWAYS) <= 0
        assert page.evaluate("window.moved") < 0.01
        assert all(one.said for one in blind.listed(workspace, "demo")[0].shown)
        page.click(".cu-dropblind")
        page.get_by_text("No one has taken it yet").wait_for()
        assert blind.listed(workspace, "demo") == []
        page.locator(".st-toast", has_text="Blind test deleted.").get_by_role("button", name="Undo").click()
        page.locator(".cu-likegroup dt", has_text="Procedural, scratch").wait_for()
        assert [one.id for one in blind.listed(workspace, "demo")] == [test.id]
        with pytest.raises(BadInput, match="no longer exists"):
            blind.delete(workspace, "demo", "nothing")
        # What is wrong is said in the dialog, which covers the page, and goes with it.
        page.keyboard.press("Escape")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blind, "begin", refuse)
            page.click(".cu-blind")
            page.click(".cu-begin")
            page.locator(".st-dialog .note.error", has_text="There is nothing to show.").wait_for()
        page.keyboard.press("Escape")
        page.locator(".curate .st-message").wait_for(state="hidden")


def watch(page: Page) -> None:
    """Add up from now on how far things in the dialog move by themselves (cumulative layout shift)."""
    page.evaluate(
        """() => {
          window.moved = 0;
          const isInside = ({ node }) => (node?.parentElement || node)?.closest('.st-dialog');
          new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
            if (!entry.hadRecentInput && entry.sources.some(isInside)) window.moved += entry.value;
          })).observe({ type: 'layout-shift' });
        }"""
    )
