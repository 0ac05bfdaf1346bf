"""Reports the state of this machine quickly, without loading models or downloading anything.

Knows where weights lie, the versions of libraries and the free disk space. Does not know whether any of it is
sufficient.
"""

from __future__ import annotations

import functools
import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from exdd_core.device import asked
from exdd_core.sentences import count

if TYPE_CHECKING:
    from exdd_core.synthesis.weights import Status
    from exdd_core.workspace import Workspace

ASK_FAISS = (
    "import faiss; print(faiss.__version__, faiss.get_num_gpus() if hasattr(faiss, 'get_num_gpus') else 0)"
)
FAISS_SECONDS = 60  # in which faiss must answer
LIBRARIES = (
    "torch",
    "torchvision",
    "openvino",
    "faiss-gpu",
    "faiss-cpu",
    "gradio",
    "diffusers",
    "transformers",
    "accelerate",
    "peft",
    "opencv-python",
    "numpy",
    "scikit-learn",
    "sqlite-utils",
    "safetensors",
    "pillow",
)


class Faiss(TypedDict):
    """The device that faiss searches on. version: None where faiss cannot be imported; device is then "none", or
    "unknown" where it did not answer in time."""

    version: str | None
    device: str
    gpus: int


class Disk(TypedDict):
    """The disk that holds a path."""

    path: str
    free_bytes: int
    total_bytes: int


class Report(TypedDict):
    """The state of a machine; versions by package. banks: sentences on bank versions, see `version_files.sentence`."""

    device: dict[str, str]
    backbone: dict[str, str | None]
    faiss: Faiss
    sdxl: Status
    workspace: str | None
    disk: Disk
    versions: dict[str, str]
    banks: list[str]


def report(workspace: Workspace | None = None) -> Report:
    """The state of this machine, and of the workspace if there is one; ready for JSON."""
    place = workspace.path if workspace else Path.cwd()
    usage = shutil.disk_usage(place)
    return {
        "device": _device(),
        "backbone": _backbone(workspace),
        "faiss": _faiss(),
        "sdxl": _sdxl(workspace),
        "workspace": str(workspace.path) if workspace else None,
        "disk": {"path": str(place), "free_bytes": usage.free, "total_bytes": usage.total},
        "versions": {
            "python": platform.python_version(),
            **{name: found for name in LIBRARIES if (found := _version(name)) is not None},
        },
        "banks": _banks(workspace),
    }


def lines(report: Report) -> list[str]:
    """The report for people, one line for each subject."""
    disk, faiss, backbone = report["disk"], report["faiss"], report["backbone"]
    versions = ", ".join(f"{name} {number}" for name, number in report["versions"].items())
    network = f"{backbone['name']}, weights {backbone['weights']}" if backbone["name"] else backbone["reason"]
    free, total = disk["free_bytes"] / 2**30, disk["total_bytes"] / 2**30
    return [
        f"Device:    {report['device']['name']}",
        f"Backbone:  {network}",
        f"faiss:     {_search(faiss)}",
        f"SDXL:      {report['sdxl']['sentence']}",
        f"Workspace: {report['workspace'] or 'none yet'}",
        f"Disk:      {free:.1f} GB of {total:.0f} GB free ({disk['path']})",
        f"Versions:  {versions}",
        *(f"Banks:     {sentence}" for sentence in report["banks"]),
    ]


def advice(report: Report) -> list[str]:
    """What can be done about what is missing: how to download weights into the workspace where there are none."""
    from exdd_core.synthesis import weights

    if (
        report["sdxl"]["present"]
        or not report["workspace"]
        or weights.DEFAULT not in report["sdxl"]["sentence"]
    ):
        return []
    command = weights.download_command(Path(report["workspace"], weights.MODELS))
    return [f"Download SDXL's weights with: {command}"]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _device() -> dict[str, str]:
    """The device: "kind" is "cuda" or "cpu". Imports torch, which takes seconds, only where a GPU is likely."""
    cpu = f"CPU, {count(os.cpu_count() or 1, 'core')}"
    if asked() == "cpu":
        return {"kind": "cpu", "name": f"{cpu}, as set by EXDD_DEVICE"}
    driver = any(Path(p).exists() for p in ("/dev/nvidiactl", "/dev/dxg")) or shutil.which("nvidia-smi")
    if driver or "torch" in sys.modules:
        import torch

        if torch.cuda.is_available():
            return {"kind": "cuda", "name": torch.cuda.get_device_name()}
    return {"kind": "cpu", "name": cpu}


def _backbone(workspace: Workspace | None) -> dict[str, str | None]:
    if workspace is None:
        return {"name": None, "weights": None, "reason": "It is chosen when a workspace is created."}
    return {
        "name": workspace.backbone_name,
        "weights": workspace.setting("backbone_weights"),
        "reason": workspace.setting("backbone_reason"),
    }


def _banks(workspace: Workspace | None) -> list[str]:
    """What is to be said of the files of bank versions."""
    from exdd_core.workspace import version_files

    return list(filter(None, map(version_files.sentence, workspace.banks()))) if workspace else []


def _search(faiss: Faiss) -> str:
    if faiss["device"] == "unknown":
        return f"did not answer within {FAISS_SECONDS} seconds"
    if faiss["version"] is None:
        return "cannot be imported, so PyTorch does the searches"
    return f"{faiss['version']}, searches on the {faiss['device']}"


@functools.cache
def _faiss() -> Faiss:
    """The state of faiss, from a separate process: importing it here before torch would load the wrong OpenMP."""
    ask = [sys.executable, "-c", ASK_FAISS]
    try:
        asked = subprocess.run(ask, capture_output=True, text=True, timeout=FAISS_SECONDS)
    except subprocess.TimeoutExpired:  # on a busy machine, or with a driver that hangs
        return {"version": None, "device": "unknown", "gpus": 0}
    if asked.returncode:
        return {"version": None, "device": "none", "gpus": 0}
    version, gpus = asked.stdout.split()[-2:]
    return {"version": version, "device": "GPU" if int(gpus) else "CPU", "gpus": int(gpus)}


def _sdxl(workspace: Workspace | None) -> Status:
    """Whether a model for the engine sdxl is on this machine, and where."""
    from exdd_core.synthesis import weights

    return weights.status(models=workspace.path / weights.MODELS if workspace else "")
