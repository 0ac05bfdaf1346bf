"""Prompt search: more paintings of what proves useful, the same after an interruption, and an end where nothing is."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from exdd_core import cli, studio
from exdd_core.curation import searching
from exdd_core.errors import BadInput, Cancelled
from exdd_core.progress import Progress
from exdd_core.synthesis.orders import Axis, Order
from exdd_core.workspace import Workspace, candidates, prompts
from exdd_core.workspace.prompts import Prompt

MASK = {"source": "generated", "shape": "scratch", "vary": True}
STRENGTH: Axis = {"name": "strength", "values": [0.2, 2.0]}
ORDER = Order(
    "demo",
    "procedural",
    template="{deep dark|faint} scratch",
    mask=MASK,
    count=24,
    seed=5,
    axes=[STRENGTH],
    search=True,
)


@pytest.fixture
def workspace(demo_workspace: Workspace, tmp_path: Path) -> Workspace:
    shutil.copytree(demo_workspace.path, tmp_path / "workspace")
    return Workspace.open(tmp_path / "workspace")


def test_the_arm_is_that_of_the_highest_draw_of_the_beta_distributions() -> None:
    counts = np.array([[2, 1], [1, 2]])
    drawn = [searching.choose(counts, 3, number) for number in range(4000)]
    # A draw from Beta(3, 2) is above one from Beta(2, 3) with the probability 53/70; 5 standard errors are 0.034.
    assert abs(np.mean(np.array(drawn) == 0) - 53 / 70) < 0.034
    assert drawn == [searching.choose(counts, 3, number) for number in range(4000)]
    unknown = [searching.choose(np.zeros((4, 2), int), 3, number) for number in range(2000)]
    assert np.allclose(np.bincount(unknown) / 2000, 0.25, atol=0.05)


def test_arms_are_the_combinations_of_values_and_alternatives(workspace: Workspace) -> None:
    arms = studio.arms(workspace, ORDER)
    assert [(arm.settings["strength"], arm.template) for arm in arms] == [
        (strength, f"{words} scratch") for strength in (0.2, 2.0) for words in ("deep dark", "faint")
    ]
    assert all(not arm.axes and not arm.search for arm in arms)
    engines: Axis = {"name": "engine", "values": ["procedural", "transplant"]}
    prompts: Axis = {"name": "prompt", "values": ["dark scratch", "{bright|dull} spot"]}
    assert len(studio.arms(workspace, replace(ORDER, axes=[prompts, engines]))) == 6
    shapes: Axis = {"name": "mask_shape", "values": ["spot", "real"]}
    arms = studio.arms(workspace, replace(ORDER, template="dark", axes=[shapes]))
    assert [arm.mask["source"] for arm in arms] == ["generated", "real"] and arms[0].mask["length"] == 6.0
    assert all(arm.mask["vary"] for arm in arms)
    assert [words for arm in arms if (words := searching._words(arms, arm))] == ["mask spot", "mask real"]
    for order, words in (
        (replace(ORDER, axes=[{"name": "mask_shape", "values": ["star", "spot"]}]), 'shape is "star"'),
        (
            replace(ORDER, axes=[], template="scratch"),
            "chooses from 2 to 36 combinations, and this is only one",
        ),
        (
            replace(ORDER, axes=[{"name": "strength", "values": [0.5 + n / 50 for n in range(19)]}]),
            "at most 36",
        ),
        (replace(ORDER, axes=[{"name": "seed", "values": [1, 2]}]), "has its own seed"),
        (replace(ORDER, count=99_999), "99999 paintings cannot be ordered"),
        (replace(ORDER, count=1), "compares nothing; order at least 2"),
        (replace(ORDER, count=0), "0 paintings cannot be ordered"),
        (replace(ORDER, axes=[{"name": "strength", "values": [9]}]), "it must be a number from 0.2"),
    ):
        with pytest.raises(BadInput, match=words):
            studio.arms(workspace, order)


def test_most_paintings_are_of_what_proves_useful_also_after_an_interruption(
    workspace: Workspace, tmp_path: Path
) -> None:
    found = searching.search(workspace, ORDER, Progress(), "whole", tmp_path / "whole.json")
    best, *others = found["arms"]
    assert best["words"] == '"deep dark scratch", strength 2.0'
    assert sum(arm["tried"] for arm in found["arms"]) == found["made"] == found["ordered"] == 24
    assert best["tried"] > sum(arm["tried"] for arm in others) and best["useful"] > 6
    assert best["interval"] and best["interval"][0] < best["useful"] / best["tried"] < best["interval"][1]
    pending = candidates.listed(workspace, "demo", "pending", job="whole")
    assert len(pending) == 24 and len({made.source for made in pending}) > 1

    def stop(progress: Progress) -> None:
        if progress.done == 13:
            progress.cancel()

    state = tmp_path / "parts.json"
    with pytest.raises(Cancelled):
        searching.search(workspace, ORDER, Progress(stop), "parts", state)
    assert 0 < candidates.count(workspace, job="parts") < 24
    again = searching.search(workspace, ORDER, Progress(), "parts", state)
    assert again["arms"] == found["arms"]
    assert [(c.seed, c.prompt, c.source) for c in candidates.listed(workspace, job="parts")] == [
        (c.seed, c.prompt, c.source) for c in pending
    ]


def test_what_a_search_paints_counts_for_the_prompt_with_its_alternatives(
    workspace: Workspace, tmp_path: Path
) -> None:
    """Also where the prompt is saved afterwards, or is one of those that are compared."""
    searching.search(workspace, replace(ORDER, count=8), Progress(), "typed", tmp_path / "typed.json")
    prompts.save(workspace, Prompt("Scratches", ORDER.template))
    compared: Axis = {"name": "prompt", "values": [ORDER.template, "bright spot"]}
    order = replace(ORDER, count=8, axes=[compared], template="anything")
    searching.search(workspace, order, Progress(), "compared", tmp_path / "compared.json")
    made = [*candidates.listed(workspace, job="typed"), *candidates.listed(workspace, job="compared")]
    of_it = [one for one in made if one.prompt != "bright spot"]
    assert {one.prompt for one in of_it} == {"deep dark scratch", "faint scratch"}
    by_name = {score.prompt.name: score for score in prompts.scoreboard(workspace) if score.prompt}
    saved = by_name["Scratches"]
    assert saved.made == saved.pending == len(of_it) > 8


def test_a_search_ends_where_nothing_is_of_use(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(searching, "PATIENCE", 8)
    words = ["--prompt", "faint scratch", "--vary", "strength=0.2,0.25", "--masks", "procedural"]
    told = ["synthesize", "--search", "--engine", "procedural", *words, "--count", "200"]
    assert cli.main([*told, "--workspace", str(workspace.path), "--json"]) == 0
    made = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert made["stopped"] == "Stopped after 8 of 200 paintings: none of the last 8 was useful."
    assert made["made"] + made["failed"] == 8 and [arm["useful"] for arm in made["arms"]] == [0, 0]


def test_mistakes_are_sentences(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    for words, sentence in (
        (["--vary", "strength=0.5,1"], "--vary requires --search."),
        (["--search", "--each"], "use only one of the two"),
        (["--search", "--vary", "strength"], "is not in the form NAME=A,B, such as --vary strength=0.5,1."),
        (["--search", "--vary", "colour=red,blue"], '"colour" cannot be compared'),
    ):
        told = ["synthesize", "--engine", "procedural", "--prompt", "scratch", *words]
        assert cli.main([*told, "--workspace", str(workspace.path)]) == 2
        assert sentence in capsys.readouterr().err
