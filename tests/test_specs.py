"""What builds, measurements and jobs take: read from JSON of any age, refused in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from exdd_core.background import Background
from exdd_core.banks.options import BankOptions, BuildOptions
from exdd_core.errors import BadInput
from exdd_core.experiments.specs import EvaluateSpec, SweepSpec
from exdd_core.geometry import Size
from exdd_core.jobs import kinds
from exdd_core.progress import Progress
from exdd_core.synthesis.engines import engine_named
from exdd_core.synthesis.lora_settings import TeachSpec


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"negative_ratio": 7}, "The negative kept share is 7; it must be a number above 0 and up to 1."),
        (
            {"positive_ratio": "much"},
            "The positive kept share is much; it must be a number above 0 and up to 1.",
        ),
        ({"seed": -1}, "The seed is -1; it must be a whole number from 0 to 4294967295."),
        ({"seed": 10**20}, f"The seed is {10**20}; it must be a whole number from 0 to 4294967295."),
        (
            {"max_real_parts": 1.5},
            "The number of defective parts is 1.5; it must be a whole number, 0 or more.",
        ),
        (
            {"positives": "all"},
            'The defects to learn from cannot be "all"; choose real, synthetic, both, none.',
        ),
        ({"size": "9"}, '"9" is not a valid size; use width x height in pixels, such as 256x632.'),
        ({"seed": ""}, "The seed is empty; it must be a whole number from 0 to 4294967295."),
        ({"colour": "red"}, 'A build has no "colour"; leave it out.'),
    ],
)
def test_a_build_refuses_in_one_sentence(given: dict[str, Any], sentence: str) -> None:
    for read in (BuildOptions.from_json, kinds.KINDS["build"].read):
        with pytest.raises(BadInput) as refused:
            read(given)
        assert str(refused.value) == sentence


def test_a_build_reads_what_older_programs_queued() -> None:
    """The command line's and the page's, with nulls for what nobody gave."""
    nothing = dict.fromkeys(("max_real_parts", "negative_ratio", "positive_ratio", "backbone", "fusion"))
    line = {"dataset": "demo", "positives": "real", "size": None, "activate": False, "who": "Ben", "seed": 0}
    assert BuildOptions.from_json(nothing | line) == BuildOptions(dataset="demo", activate=False, who="Ben")
    page = {"dataset": "demo", "positives": "both", "size": "64x32", "keep_aspect": True, "seed": 3}
    assert BuildOptions.from_json(nothing | page).to_json() == nothing | page
    assert BuildOptions.from_json({"seed": None, "who": None, "activate": None}) == BuildOptions()


def test_a_size_takes_the_aspect_along() -> None:
    assert BankOptions.from_json({"size": Size(64, 32, True)}) == BankOptions(size="64x32", keep_aspect=True)


def test_measurements_pass_over_what_they_do_not_know() -> None:
    record = {
        "dataset": "demo",
        "bank": "abc",
        "changes": 2,
        "rate": 0.1,
        "seed": 0,
        "fusion": None,
        "old": 1,
    }
    spec = EvaluateSpec.from_json(record)
    assert (spec.bank, spec.changes, spec.folds) == ("abc", 2, None)
    assert spec.to_json() == {name: value for name, value in record.items() if name != "old"}
    with pytest.raises(BadInput, match="^A measurement needs the number of draws.$"):
        SweepSpec.from_json({"counts": [0, 2]})
    with pytest.raises(BadInput, match="^The false-alarm rate is 1; it must be a number from 0 to below 1.$"):
        EvaluateSpec.from_json({"rate": 1})


def test_background_work_ends_with_a_result_an_error_or_cancelled() -> None:
    def until_cancelled(progress: Progress) -> None:
        while True:
            progress.begin("Waiting", 1)

    def fail(progress: Progress) -> None:
        raise BadInput("No.")

    done, failed = Background("done", lambda progress: 42), Background("failed", fail)
    stopped = Background("stopped", until_cancelled)
    stopped.cancel()
    assert all(work.over.wait(20) for work in (done, failed, stopped))
    assert (done.result, done.error, done.was_cancelled) == (42, None, False)
    assert str(failed.error) == "No." and not failed.was_cancelled
    assert stopped.was_cancelled and stopped.result is None


def test_a_choice_names_what_can_be_chosen() -> None:
    with pytest.raises(BadInput, match="^The engine is empty; it must be one of sdxl, learned.$"):
        TeachSpec.from_json({"engine": ""})
    for value in (None, "", "half", [1]):
        for control in engine_named("sdxl").CONTROLS:
            try:
                control.read(value)
            except BadInput as refused:
                assert "None" not in str(refused) and "''" not in str(refused)
