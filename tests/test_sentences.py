"""Numbers and names in sentences: one is one, many have commas, and no name is dropped without being counted."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from exdd_core.errors import BadInput
from exdd_core.geometry import Size
from exdd_core.jobs import Job
from exdd_core.sentences import count, counted, listed
from pages import job_panel
from pages.banks.parts import whole
from pages.evaluate import measuring
from pages.html import linked
from pages.job_panel import Outcome, outcome_of


def test_one_is_one_and_thousands_are_told_apart() -> None:
    assert [count(n, "image") for n in (0, 1, 2, 1204)] == ["0 images", "1 image", "2 images", "1,204 images"]
    assert count(2, "defect is", "defects are") == "2 defects are"


@given(st.lists(st.text("ab", min_size=1), max_size=8), st.integers(1, 9))
def test_names_that_stand_and_those_that_are_counted_are_all(names: list[str], most: int) -> None:
    shown, _, more = listed(names, most).partition(" and ")
    there = len(shown.split(", ")) if shown else 0
    assert there + (int(more.removesuffix(" more")) if more else 0) == len(names)


def test_images_are_counted_before_they_are_named() -> None:
    assert counted(["a.png"]) == "1 image (a.png)"
    assert counted(["a", "b", "c", "d"]) == "4 images (a, b, c and 1 more)"


def test_a_sentence_that_names_the_page_to_go_to_leads_there() -> None:
    assert linked("A < B; import images on the Data page.") == (
        'A &lt; B; import images on the <a href="./data">Data page</a>.'
    )
    assert linked("Resume it in Jobs above.") == 'Resume it in <a href="#jobs">Jobs above</a>.'
    assert linked("Activate it in Banks.", "/banks") == "Activate it in Banks."
    assert linked("Lost in Datasets") == "Lost in Datasets"


def test_how_a_job_ended_is_said_with_what_is_next_and_methods_by_their_titles() -> None:
    def ended(kind: str, result: dict[str, object]) -> Outcome:
        words = dict.fromkeys(("id", "title", "text", "error", "created", "started", "ended", "who"), "")
        return outcome_of(
            Job(
                kind=kind,
                spec={},
                state="done",
                fraction=1.0,
                seconds_left=None,
                result=result,
                lost=False,
                **words,
            )
        )

    counts = {"ordered": 24, "made": 22, "failed": 2, "reasons": ["a.png: nothing visible changed."]}
    assert ended("synthesize", counts) == (
        "Painted 22 of 24 candidates; 2 could not be painted: a.png: nothing visible changed.",
        ("Decide on them in Curate", "./curate"),
    )
    measured: dict[str, object] = {
        "dataset": "tiles",
        "run": "r",
        "methods": {"exdd_base": {"image_auroc": 0.9}},
    }
    assert ended("table1", measured).said == "Image AUROC on tiles: ExDD base 0.900."
    measured["methods"] = {"50": {"image_auroc": 0.9}}
    assert ended("sweep", measured).said == "Image AUROC on tiles: with 50 painted 0.900."


def test_a_search_names_the_best_and_how_many_are_as_good() -> None:
    def said(*arms: tuple[int, int]) -> str:
        found = [
            {"words": f"arm {number}", "useful": useful, "tried": tried, "interval": None}
            for number, (useful, tried) in enumerate(arms)
        ]
        return job_panel._searched({"arms": found, "stopped": ""})[0]  # type: ignore[typeddict-item]

    assert said((3, 4), (1, 2), (0, 0)) == (
        "Most useful: arm 0 (3 of 4 paintings visible, plausible and new)."
    )
    assert said((1, 2), (2, 4), (1, 2), (0, 0)) == (
        "Most useful: arm 0 (1 of 2 paintings visible, plausible and new; 2 more equally so)."
    )
    assert said((0, 2), (0, 2)) == "None was visible, plausible and new."


@pytest.mark.parametrize("entered", [None, "", " "])
def test_an_empty_field_is_called_that(entered: str | None) -> None:
    """Not "None", and no empty quotes."""
    for use in (
        lambda: whole(entered, "seed"),
        lambda: measuring.whole(entered or "", "seeds", 1, 100),
        lambda: Size.parse(entered or ""),
    ):
        with pytest.raises(BadInput, match="^An empty field is not"):
            use()
