"""Teaching from a workspace: the job, its adapter, the commands, and what candidates record of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from exdd_core import cli, jobs, studio
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import read_image
from exdd_core.jobs.table import job_folder
from exdd_core.progress import Progress
from exdd_core.studio import teaching
from exdd_core.synthesis import lora_steps, lora_training, weights
from exdd_core.synthesis.lora_settings import TeachSpec
from exdd_core.synthesis.orders import Order
from exdd_core.workspace import Workspace, adapters, candidates

pytestmark = pytest.mark.usefixtures("unloading")

QUICK = {"resolution": 64, "steps": 2, "rank": 2, "rate": 0.05, "every": 1, "variants": 1}
PAINT = {"resolution": 64, "steps": 2, "strength": 1.0, "geometry": "native"}


@pytest.fixture(scope="module")
def workspace(
    demo_workspace: Workspace, tiny_sdxl: Path, tmp_path_factory: pytest.TempPathFactory
) -> Workspace:
    """A copy of the demo workspace with a tiny model in it."""
    folder = tmp_path_factory.mktemp("teaching") / "workspace"
    shutil.copytree(demo_workspace.path, folder)
    (folder / "models").mkdir(exist_ok=True)
    shutil.copytree(tiny_sdxl, folder / "models" / "stable-diffusion-xl-1.0-inpainting-0.1")
    return Workspace.open(folder)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(lora_training, "SAMPLE_STEPS", 1)
    monkeypatch.setattr(lora_training, "SAMPLES", 1)
    monkeypatch.setattr(lora_training, "MOST_HELD_OUT", 2)
    monkeypatch.setattr(lora_steps, "WARM_UP", 1)
    monkeypatch.delenv("EXDD_SDXL", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))


def painted(workspace: Workspace, **settings: object) -> candidates.Candidate:
    mask = {"source": "generated", "shape": "blotch"}
    chosen = PAINT | settings
    return studio.paint_one(
        workspace, Order("demo", "sdxl", template="exdd scratch", settings=chosen, mask=mask)
    )


def test_a_killed_training_goes_on_and_its_adapter_is_used_recorded_and_dropped(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = TeachSpec.from_json({**QUICK, "dataset": "demo", "name": "mine", "surface": "tile"})
    job = jobs.submit(workspace, "teach", "Teaching mine", spec.to_json())

    def stop(progress: Progress) -> None:
        if progress.stage.startswith("Teaching") and progress.done == 1:
            progress.cancel()

    folder = job_folder(workspace, job.id) / "training"
    with pytest.raises(Cancelled):  # as a kill between two steps leaves it
        teaching.run_teaching(workspace, spec, Progress(stop), folder)
    assert (folder / "checkpoint.pt").is_file() and adapters.listed(workspace) == []
    ended = jobs.run_next(workspace)
    assert ended is not None and ended.id == job.id and ended.state == "done", ended and ended.error
    assert ended.result is not None and ended.result["adapter"] == "mine" and ended.result["steps"] == 2

    (kept,) = adapters.listed(workspace)
    train = {row.id: row for row in workspace.images("demo", split="train")}
    assert [row["step"] for row in kept.losses] == [0, 1, 2] and kept.surface == "tile"
    assert set(kept.images) <= set(train) and kept.parts == sorted({train[id].group for id in kept.images})
    assert set(kept.held_out) < set(kept.parts) and kept.fingerprint
    assert len(adapters.samples(workspace, "mine")) == 1

    plain = painted(workspace)
    assert plain.settings["lora"] == "" and plain.taught_by == []
    assert cli.main(["adapters", "use", "mine", "--workspace", str(workspace.path)]) == 0
    worn = painted(workspace)
    assert worn.settings["lora"] == "mine" and worn.taught_by == kept.parts
    assert worn.image.read_bytes() != plain.image.read_bytes()
    assert painted(workspace, lora="").image.read_bytes() == plain.image.read_bytes()
    assert (studio.remake(workspace, plain).image == read_image(plain.image)).all()
    capsys.readouterr()
    assert cli.main(["adapters", "list", "--workspace", str(workspace.path), "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out.splitlines()[-1])["adapters"]
    assert row["in_use"] and row["parts"] == kept.parts and row["images"] == len(kept.images)

    with pytest.raises(BadInput, match='already an adapter "mine"'):
        teaching.checked(workspace, spec)
    assert cli.main(["adapters", "rename", "mine", "our cracks", "--workspace", str(workspace.path)]) == 0
    assert adapters.in_use(workspace) == "our cracks"
    assert cli.main(["adapters", "drop", "our cracks", "--workspace", str(workspace.path)]) == 0
    assert adapters.listed(workspace) == [] and adapters.in_use(workspace) == ""
    assert candidates.get(workspace, worn.id).taught_by == kept.parts
    assert painted(workspace).settings["lora"] == ""
    with pytest.raises(BadInput, match="The LoRA mine does not exist"):
        studio.remake(workspace, worn)


def test_painting_without_an_adapter_counts_for_every_engine(workspace: Workspace) -> None:
    for setting in adapters.IN_USE.values():
        workspace.set_setting(setting, "mine")
    assert cli.main(["adapters", "use", "--workspace", str(workspace.path)]) == 0
    assert [workspace.setting(setting) for setting in adapters.IN_USE.values()] == ["", ""]


def test_what_cannot_be_taught_is_one_sentence(
    demo_workspace: Workspace,
    workspace: Workspace,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(BadInput, match="SDXL's weights are not on this machine"):
        teaching.checked(demo_workspace, TeachSpec())
    with pytest.raises(BadInput, match="is not a valid name for an adapter"):
        adapters.new_name(workspace, "a:0.5", "demo")
    with pytest.raises(BadInput, match='no adapter "../x"; available adapters: '):
        adapters.get(workspace, "../x")
    monkeypatch.setattr(teaching, "donors", lambda *_: [])
    with pytest.raises(
        BadInput, match='needs marked defects of at least 3 parts, and the training split of "demo" has none'
    ):
        teaching.checked(workspace, TeachSpec())
    code = cli.main(["teach", "--workspace", str(workspace.path), "--rate", "0"])
    assert (
        code == 2
        and "learning rate is 0.0; it must be a number above 0 and up to 1" in capsys.readouterr().err
    )
    assert adapters.new_name(workspace, "", "My tiles: A") == "My-tiles-A-1"
    assert weights.MODELS == "models"
