"""Prompts: templates, the library, its files and its scoreboard."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from exdd_core.errors import BadInput
from exdd_core.synthesis import templates, vocabulary
from exdd_core.workspace import Workspace, prompts
from exdd_core.workspace.prompts import Prompt

TEMPLATE = "{copper|steel} {fine|deep} scratches"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.create(tmp_path / "workspace", backbone="efficientnet_lite0")


# --- templates --------------------------------------------------------------------------------------------


def test_a_template_becomes_every_one_of_its_prompts():
    expected = {f"{metal} {kind} scratches" for metal in ("copper", "steel") for kind in ("fine", "deep")}
    assert set(templates.every(TEMPLATE)) == expected == set(templates.expand(TEMPLATE, 100, 0))
    assert templates.every("{a|a|b} spot") == ["a spot", "b spot"]
    assert templates.every("50 % | white_marks :: $5") == ["50 % | white_marks :: $5"]


# The first prompts of a program: what pyparsing finds out with these it keeps.
AT_ONCE = """
from concurrent.futures import ThreadPoolExecutor
import dynamicprompts.generators
from exdd_core.synthesis import templates
with ThreadPoolExecutor(8) as threads:
    print(*list(threads.map(lambda seed: templates.expand("{copper|steel} pits", 1, seed)[0], range(400)))[:3])
"""


def test_several_threads_may_read_templates_at_once():
    ended = subprocess.run([sys.executable, "-c", AT_ONCE], capture_output=True, text=True)
    assert ended.returncode == 0 and ended.stdout.count("pits") == 3, ended.stderr


def test_the_ith_prompt_depends_on_its_own_seed_alone():
    many = templates.expand(TEMPLATE, 20, 5)
    assert many == templates.expand(TEMPLATE, 20, 5) != templates.expand(TEMPLATE, 20, 6)
    assert many[:7] == templates.expand(TEMPLATE, 7, 5)
    assert many[7:] == templates.expand(TEMPLATE, 13, 12)


def test_weights_and_several_of_a_list():
    drawn = templates.expand("{9::fine|1::deep} scratch", 400, 0)
    assert 300 < drawn.count("fine scratch") < 390
    assert templates.expand("{0::fine|1::deep} scratch", 50, 0) == ["deep scratch"] * 50
    assert set(templates.expand("{2$$ and $$rust|oil}", 50, 0)) == {"rust and oil", "oil and rust"}


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("copper {fine|deep scratches", "never closes"),
        ("copper fine|deep} scratches", "never opened"),
        ("{copper|steel} }{ scratches", "never opened"),
        ("{__metals__|steel} scratches", "underscores"),
        ("{@copper|steel} scratches", "in turn"),
        ("{-1::copper|steel} scratches", "weight"),
        ("{many::copper|steel} scratches", "weight"),
        ("{0::copper|0::steel} scratches", "cannot be read"),
        ("${metal} {fine|deep}", "has no value"),
        ("{copper|steel} 50 % scratches", "cannot be read"),
        ("{copper|}", "empty"),
        ("{" * 900 + "a|b" + "}" * 900, "nested"),
        ("{a|b}" * 600, "at most 2000"),
    ],
)
def test_a_broken_template_is_a_sentence(template, words):
    with pytest.raises(BadInput, match=words) as refused:
        templates.expand(template, 50, 0)
    assert str(refused.value).endswith(".") and "\n" not in str(refused.value)
    with pytest.raises(BadInput):
        templates.every(template)


@given(st.text(alphabet="ab {}|:$@_%~\\#()19\n", max_size=40), st.integers(0, 2**31))
@settings(max_examples=150)
def test_whatever_is_typed_becomes_prompts_or_a_sentence(template, seed):
    try:
        found = templates.expand(template, 3, seed)
    except BadInput:
        return
    assert len(found) == 3
    assert all(text and text == " ".join(text.split()) for text in found)


def test_more_prompts_than_can_be_painted_each_are_refused():
    assert len(templates.every("{1|2|3|4|5|6|7|8}{1|2|3|4|5|6|7|8} pits")) == 64
    with pytest.raises(BadInput, match="more than 64"):
        templates.every("{1|2|3|4|5|6|7|8|9}{1|2|3|4|5|6|7|8} pits")
    with pytest.raises(BadInput, match="more than 64"):
        templates.every("{1|2|3|4|5|6|7|8|9}" * 40)  # must not be counted out to its end


# --- the library ------------------------------------------------------------------------------------------


def test_the_papers_prompts_are_there_and_a_deleted_one_stays_away(workspace):
    there = prompts.library(workspace)
    assert {p.prompt for p in there} == {"copper metal scratches", "white marks on the wall"}
    assert {p.negative_prompt for p in there} == {"smooth, plain, black, dark, shadow"}
    prompts.delete(workspace, there[0].id)
    again = Workspace.open(workspace.path)
    assert prompts.library(again) == there[1:]


def test_the_papers_prompts_come_to_a_workspace_made_before(workspace):
    with workspace.writing() as db:
        db.execute("drop table prompts")
        db.execute("PRAGMA user_version = 1")
    assert len(prompts.library(Workspace.open(workspace.path))) == 2


def test_the_papers_prompts_come_once_however_many_ask(workspace):
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: prompts.library(workspace), range(16)))
    assert {len(there) for there in found} == {2}


def test_the_procedural_engine_can_read_the_papers_prompts(workspace):
    for prompt in prompts.library(workspace):
        vocabulary.read(prompt.prompt, prompt.negative_prompt)


def test_saving_changing_deleting_and_taking_it_back(workspace):
    tags = [" metal ", "fine", "metal", ""]
    kept = prompts.save(
        workspace, Prompt("  My  scratch ", f" {TEMPLATE} ", "dark", tags, "sdxl", {"steps": 9})
    )
    assert (kept.name, kept.prompt, kept.tags) == ("My scratch", TEMPLATE, ["metal", "fine"])
    assert prompts.get(workspace, kept.id) == prompts.get(workspace, "My scratch") == kept
    changed = prompts.save(workspace, replace(kept, settings={"steps": 30}))
    assert changed.id == kept.id and changed.created == kept.created
    assert len(prompts.library(workspace)) == 3
    assert prompts.delete(workspace, kept.id) == changed
    with pytest.raises(BadInput, match="no prompt"):
        prompts.get(workspace, kept.id)
    assert prompts.save(workspace, changed).id == kept.id


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (Prompt("Copper scratches", "pits"), "already"),
        (Prompt("", "pits"), "name"),
        (Prompt("a" * 81, "pits"), "name"),
        (Prompt("new", "{pits"), "never closes"),
        (Prompt("new", ""), "empty"),
        (Prompt("new", "pits", engine="magic"), 'no engine "magic"'),
        (Prompt("new", "pits", "dark " * 1000), "negative prompt"),
    ],
)
def test_what_cannot_be_kept_is_a_sentence(workspace, prompt, words):
    with pytest.raises(BadInput, match=words):
        prompts.save(workspace, prompt)
    assert len(prompts.library(workspace)) == 2


def test_differences_name_fields_and_settings():
    a = Prompt("a", "pits", "dark", ["metal"], "sdxl", {"steps": 30, "guidance_scale": 20.0})
    b = Prompt("b", "deep pits", "dark", ["metal"], "sdxl", {"guidance_scale": 7.5, "strength": 0.9})
    assert prompts.differences(a, b) == [
        ("prompt", "pits", "deep pits"),
        ("steps", 30, None),
        ("guidance scale", 20.0, 7.5),
        ("strength", None, 0.9),
    ]
    assert prompts.differences(a, a) == []


# --- files ------------------------------------------------------------------------------------------------


def test_export_and_import_bring_everything_elsewhere(workspace, tmp_path):
    prompts.save(
        workspace, Prompt("Kratzer, fein", TEMPLATE, "dunkel", ["übung"], "procedural", {"feather": 2})
    )
    text = prompts.export_json(prompts.library(workspace))
    other = Workspace.create(tmp_path / "other", backbone="efficientnet_lite0")
    imported = prompts.import_json(other, text)
    assert imported.added == ["Kratzer, fein"] and imported.replaced == []  # the paper's are there already
    for here, there in zip(prompts.library(workspace), prompts.library(other), strict=True):
        assert here.name == there.name and prompts.differences(here, there) == []


def file_of(*rows: dict) -> str:
    return json.dumps({"kind": "exdd-prompts", "prompts": list(rows)})


def test_a_prompt_of_the_same_name_is_kept_apart_or_replaced_and_both_can_be_undone(workspace):
    before = prompts.library(workspace)
    other = file_of({"name": "White marks", "prompt": "chalk"}, {"name": "New", "prompt": "pits"})
    both = prompts.import_json(workspace, other)
    assert both.added == ["White marks 2", "New"] and both.replaced == []
    assert prompts.get(workspace, "White marks").prompt == "white marks on the wall"
    prompts.undo_import(workspace, both)
    assert prompts.library(workspace) == before

    replaced = prompts.import_json(workspace, other, replace_same_names=True)
    assert replaced.added == ["New"] and replaced.replaced == ["White marks"]
    assert prompts.get(workspace, "White marks").prompt == "chalk"
    prompts.undo_import(workspace, replaced)
    names = [(p.id, p.name, p.prompt) for p in prompts.library(workspace)]
    assert names == [(p.id, p.name, p.prompt) for p in before]


def test_one_name_twice_in_a_file_is_kept_apart(workspace):
    imported = prompts.import_json(
        workspace, file_of({"name": "A", "prompt": "pits"}, {"name": "A", "prompt": "dents"})
    )
    assert imported.added == ["A", "A 2"]


def test_undoing_an_import_leaves_a_name_to_whoever_took_it(workspace):
    imported = prompts.import_json(workspace, file_of({"name": "White marks", "prompt": "chalk"}), True)
    chalk = prompts.get(workspace, "White marks")
    prompts.save(workspace, replace(chalk, name="Chalk"))
    prompts.save(workspace, Prompt("White marks", "snow"))
    prompts.undo_import(workspace, imported)
    texts = {p.name: p.prompt for p in prompts.library(workspace)}
    assert texts["White marks"] == "snow" and texts["White marks 2"] == "white marks on the wall"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not valid JSON"),
        ("not json", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "contains no prompts"),
        ('{"prompts": []}', "contains no prompts"),
        (file_of(), "no prompts in"),
        (json.dumps({"kind": "exdd-prompts", "prompts": [3]}), "Entry 1 of this file is not a prompt"),
        (
            file_of({"name": "A", "prompt": "pits"}, {"name": "B", "prompt": 7}),
            'Prompt 2.*"prompt" is not valid',
        ),
        (file_of({"name": "A", "prompt": "pits", "tags": [1]}), '"tags" is not valid'),
        (file_of({"name": "A", "prompt": "{pits"}), "Prompt 1.*never closes"),
        (file_of({"name": "A", "prompt": "pits", "engine": "magic"}), 'no engine "magic"'),
        (file_of({"prompt": "pits"}), "Prompt 1.*name"),
        (file_of({"name": "A", "prompt": "pits", "settings": []}), '"settings" is not valid'),
        (file_of(*[{"name": "A", "prompt": "pits"}] * 1001), "at most 1000"),
    ],
)
def test_a_bad_file_is_a_sentence_and_changes_nothing(workspace, text, words):
    before = prompts.library(workspace)
    with pytest.raises(BadInput, match=words):
        prompts.import_json(workspace, text)
    assert prompts.library(workspace) == before


# --- the scoreboard ---------------------------------------------------------------------------------------


def insert(workspace: Workspace, number: int, **values: str) -> None:
    row = {
        "id": f"c{number}",
        "dataset": "demo",
        "prompt_id": "",
        "status": "pending",
        "quality": "{}",
    } | values
    with workspace.writing() as db:
        db.table("candidates").insert(row)


def test_every_use_counts_for_its_prompt(workspace):
    copper, white = prompts.library(workspace)
    uses = [
        {"prompt_id": copper.id, "status": "accepted", "quality": '{"overall": 0.9}'},
        {
            "prompt_id": copper.id,
            "status": "accepted",
            "quality": '{"overall": 0.5}',
            "template": "as it was",
        },
        {"prompt_id": copper.id, "status": "rejected"},
        {"prompt_id": copper.id, "status": "deleted"},
        {"template": f" {white.prompt.replace(' ', '  ')} "},  # typed, but word for word the library's
        {"template": "typed only", "status": "rejected", "prompt_id": "deleted prompt"},
        {"template": "typed only", "dataset": "other"},
    ]
    for number, values in enumerate(uses):
        insert(workspace, number, **values)
    board = {
        score.prompt.name if score.prompt else score.template: score
        for score in prompts.scoreboard(workspace)
    }
    first = board["Copper scratches"]
    assert (first.made, first.accepted, first.rejected, first.pending, first.deleted) == (4, 2, 1, 0, 1)
    assert first.rate == pytest.approx(2 / 3) and first.quality == pytest.approx(0.7)
    assert first.interval == pytest.approx((0.2077, 0.9385), abs=1e-4)  # Wilson's, by hand
    assert (board["White marks"].made, board["White marks"].pending) == (1, 1)
    assert board["White marks"].rate is None and board["White marks"].quality is None
    assert (board["typed only"].made, board["typed only"].prompt) == (2, None)
    assert list(board) == ["Copper scratches", "typed only", "White marks"]
    of_demo = {score.template: score.made for score in prompts.scoreboard(workspace, "demo")}
    assert of_demo["typed only"] == 1
