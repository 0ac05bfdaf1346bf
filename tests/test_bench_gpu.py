"""The GPU benchmark at small sizes on the CPU: every step runs, and what a step does wrong costs only itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.bench import gpu, gpu_detecting
from tests.bench.gpu_measuring import SMALL, Figures, Sizes


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory, tiny_sdxl: Path) -> dict[str, Any]:
    """What the benchmark wrote. tiny_sdxl: has the garbage collector leave out diffusers, which it would walk a lot."""
    file = tmp_path_factory.mktemp("gpu") / "figures" / "gpu.json"
    patient = {name: (step, 600.0) for name, (step, _) in gpu.STEPS.items()}  # a busy machine is no fault
    gpu.measure(file, SMALL, patient, most_seconds=3600)
    return json.loads(file.read_text())


def rows(record: dict[str, Any], step: str, having: str) -> list[dict[str, Any]]:
    return [row for row in record["steps"][step]["figures"] if having in row]


def test_every_step_ends(record: dict[str, Any]) -> None:
    states = {name: (step["state"], step.get("sentence")) for name, step in record["steps"].items()}
    assert states == {name: ("done", None) for name in gpu.STEPS}
    assert sum(seconds for _, seconds in gpu.STEPS.values()) < 12 * 60 and gpu.MOST_SECONDS < 8 * 60


def test_the_coreset_is_greedy_and_covers(record: dict[str, Any]) -> None:
    found = rows(record, "coreset", "radius")
    assert [row["rows"] for row in found] == list(SMALL.rows)
    assert all(row["covers"] and row["distinct"] and row["rising_at_most"] < 1.001 for row in found)
    compared = rows(record, "coreset", "radius_ratio")
    assert all(row["radius_ratio"] == pytest.approx(1, abs=1e-3) for row in compared)


def test_a_coreset_that_is_not_greedy_shows() -> None:
    features = gpu_detecting.synthetic(3_000, 64, 0)
    anyhow = features[torch.arange(30)]
    steps = gpu_detecting.insertions(anyhow)[1:]
    assert float((steps[1:] / steps[:-1].cummin(0).values).max()) > 1.01
    assert gpu_detecting.radius_of(features, anyhow) > float(steps[-1])


def test_precisions_and_searches_agree_as_far_as_they_can(record: dict[str, Any]) -> None:
    errors = {
        (row["backbone"], row["precision"]): row["relative_error"]
        for row in rows(record, "network", "relative_error")
    }
    assert len({precision for _, precision in errors}) == 4
    assert all(0 <= error < 0.2 for error in errors.values())
    found = rows(record, "search", "largest_error")
    assert len(found) == 4
    allowed = {"float32": 1e-4, "bfloat16": 1e-2, "float16": 1e-3}
    for row in found[1:]:
        assert row["largest_relative_difference"] < allowed[row["index"].split(", ")[1]]


def test_painting_repeats_itself_and_gives_memory_back(record: dict[str, Any]) -> None:
    (alone,) = rows(record, "painting", "same_seed_same_pixels")
    (stopped,) = rows(record, "painting", "cancel")
    (unloaded,) = rows(record, "painting", "unloaded")
    assert alone["same_seed_same_pixels"] and alone["spread_of_pixels"] > 1
    assert stopped["cancel"] == "cancelled" and stopped["next_painting_same"]
    assert unloaded["within"]
    assert rows(record, "painting", "other_seed_differs")[0]["other_seed_differs"]
    assert {row["part"] for row in rows(record, "memory", "part")} >= {"unet", "decode", "encode"}
    assert not any(row["ran_out"] for row in rows(record, "budgets", "ran_out"))


def test_what_is_not_finite_is_refused_and_a_lora_leaves_no_trace(record: dict[str, Any]) -> None:
    (broken,) = rows(record, "painting", "not_finite")
    assert broken["not_finite"]["unet"].startswith("refused: ") and broken["next_painting_same"]
    assert "Decoded in" in broken["not_finite"]["autoencoder"]
    (worn,) = rows(record, "lora", "worn_differs")
    assert worn["worn_differs"] and worn["taken_off_exactly"]
    assert {row.get("budget_gb") for row in rows(record, "lora", "seconds")} == {None, 12}
    assert all(row["images_per_second"] > 0 for row in rows(record, "small networks", "side"))


def test_a_step_that_fails_or_overruns_costs_only_itself(tmp_path: Path) -> None:
    def fails(sizes: Sizes, folder: Path) -> Iterator[Figures]:
        yield {"first": float("inf")}
        raise RuntimeError("no such kernel")

    def lasts(sizes: Sizes, folder: Path) -> Iterator[Figures]:
        yield {"first": 1.234567}
        time.sleep(30)

    def works(sizes: Sizes, folder: Path) -> Iterator[Figures]:
        yield {"seen": json.loads(file.read_text())["steps"]["lasts"]["state"]}

    file = tmp_path / "gpu.json"
    steps: dict[str, Any] = {"fails": (fails, 5), "lasts": (lasts, 0.2), "works": (works, 5)}
    gpu.measure(file, SMALL, steps)
    found = json.loads(file.read_text())["steps"]
    assert (
        found["fails"]["state"] == "failed" and found["fails"]["sentence"] == "RuntimeError: no such kernel"
    )
    assert found["fails"]["figures"] == [{"first": "inf"}]
    assert found["lasts"]["state"] == "overran" and found["lasts"]["figures"] == [{"first": 1.2346}]
    assert found["works"]["state"] == "done" and found["works"]["figures"] == [{"seen": "overran"}]


def test_what_is_not_reached_says_so(tmp_path: Path) -> None:
    record = gpu.measure(tmp_path / "gpu.json", SMALL, {"machine": gpu.STEPS["machine"]}, most_seconds=1)
    assert record["steps"]["machine"]["state"] == "not reached"
