"""What one GPU does: coreset, backbones, search and scoring at the size of KSDD2, then SDXL of full size.

`python -m tests.bench gpu --json FILE` ends within eight minutes. Every step has a deadline of its own, and the file
is written after every figure, so that a step that fails or overruns costs only itself. Features, images and weights are
synthetic or random: the figures are seconds, memory and agreement, and say nothing about detection or about pictures.
Without a GPU everything runs at small sizes, which rehearses the script. Needs no network.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import psutil
import torch

from tests.bench import gpu_detecting, gpu_painting, gpu_training
from tests.bench.gpu_measuring import GB, REAL, SMALL, Figures, Sizes, Step, device, release, repeated

MOST_SECONDS = 460  # of all steps together
FEWEST_SECONDS = 5  # that must be left for a step to begin


class Overrun(BaseException):
    """The deadline of a step is over. No library that catches exceptions catches this one."""


# --- the machine ----------------------------------------------------------------------------------


def machine(sizes: Sizes, _: Path) -> Iterator[Figures]:
    """What everything else ran on, and the two ceilings: memory bandwidth and matrix products."""
    found: Figures = {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "threads": torch.get_num_threads(),
        "memory_gb": psutil.virtual_memory().total / GB,
        "cudnn_tf32": torch.backends.cudnn.allow_tf32,
        "products_tf32": torch.backends.cuda.matmul.allow_tf32,
    }
    if torch.cuda.is_available():
        card = torch.cuda.get_device_properties(0)
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        driver = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        free, total = torch.cuda.mem_get_info()
        found |= {"card": card.name, "driver": driver, "cuda": torch.version.cuda}
        found |= {"free_gb": free / GB, "total_gb": total / GB, "processors": card.multi_processor_count}
    yield found
    side = 8192 if sizes.name == "real" else 128
    a = torch.randn(side, side, device=device())
    for name in ("float32", "bfloat16", "float16"):
        part = a.to(getattr(torch, name))
        middle = statistics.median(repeated(sizes.seconds, torch.matmul, part, part))
        yield {"product": name, "tflops": 2 * side**3 / middle / 1e12}
    source = torch.empty(4 * side, side, device=device())
    target = torch.empty_like(source)
    middle = statistics.median(repeated(sizes.seconds, target.copy_, source))
    yield {"copy": "on the device", "gb_per_second": 2 * 4 * source.numel() / middle / GB}


# --- one step after another -----------------------------------------------------------------------

# What is worth most comes first. Seconds: the deadline of each.
STEPS: dict[str, tuple[Step, float]] = {
    "machine": (machine, 15),
    "coreset": (gpu_detecting.coreset, 110),
    "network": (gpu_detecting.network, 60),
    "search": (gpu_detecting.search, 40),
    "scoring": (gpu_detecting.scoring, 70),
    "weights": (gpu_painting.write_weights, 60),
    "painting": (gpu_painting.painting, 100),
    "memory": (gpu_painting.memory, 60),
    "budgets": (gpu_painting.budgets, 110),
    "lora": (gpu_training.lora, 70),
    "small networks": (gpu_training.small_networks, 20),
}


def measure(
    file: Path, sizes: Sizes, steps: dict[str, tuple[Step, float]], most_seconds: float = MOST_SECONDS
) -> dict[str, Any]:
    """Run the steps and write `file` (JSON) after every figure. Returns what was written.

    A step that fails or overruns is recorded with its sentence and the figures it had; the next one goes on.
    """
    began = time.monotonic()
    record: dict[str, Any] = {"sizes": sizes.name, "began": time.strftime("%Y-%m-%d %H:%M:%S"), "steps": {}}
    with tempfile.TemporaryDirectory(prefix="exdd-gpu-", dir=_roomy()) as folder:
        for name, (step, seconds) in steps.items():
            left = most_seconds - (time.monotonic() - began)
            figures: list[Figures] = []
            entry: dict[str, Any] = {"state": "running", "figures": figures}
            record["steps"][name] = entry
            if left < FEWEST_SECONDS:
                entry |= {
                    "state": "not reached",
                    "sentence": f"All {most_seconds:g} seconds were spent before it.",
                }
            else:
                _run(step, sizes, Path(folder), min(seconds, left), entry, lambda: _write(file, record))
            record["seconds"] = time.monotonic() - began
            _write(file, record)
    return record


def _run(
    step: Step, sizes: Sizes, folder: Path, seconds: float, entry: dict[str, Any], write: Callable[[], None]
) -> None:
    """One step until its deadline; what becomes of it is put into `entry`."""

    def overrun(_: int, frame: FrameType | None) -> None:
        raise Overrun

    began, before = time.monotonic(), signal.signal(signal.SIGALRM, overrun)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        for row in step(sizes, folder):
            entry["figures"].append(row)
            print(json.dumps(_rounded(row)), flush=True)
            write()
        entry["state"] = "done"
    except Overrun:
        entry |= {"state": "overran", "sentence": f"It was stopped at its deadline of {seconds:.0f} seconds."}
    except Exception as error:  # whatever it was, the next step is not concerned
        entry |= {"state": "failed", "sentence": f"{type(error).__name__}: {error}"[:1000]}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        entry["seconds"] = time.monotonic() - began
        release()


def _roomy() -> str | None:
    """Main memory for files of a few gigabytes where it has such a folder; None for the usual one."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and psutil.disk_usage(str(shared)).free > 20 * GB else None


def _write(file: Path, record: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_suffix(".part")
    unfinished.write_text(json.dumps(_rounded(record), indent=1) + "\n")
    unfinished.replace(file)


def _rounded(value: Any) -> Any:
    """Numbers with five digits; what is not finite as text, which JSON can hold."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(item) for item in value]
    if isinstance(value, float):
        return float(f"{value:.5g}") if np.isfinite(value) else str(value)
    return value


def main(options: argparse.Namespace) -> None:
    names = options.steps.split(",") if options.steps else list(STEPS)
    if unknown := set(names) - set(STEPS):
        sys.exit(f"There is no step {', '.join(sorted(unknown))}; the steps are {', '.join(STEPS)}.")
    sizes = REAL if torch.cuda.is_available() else SMALL
    if sizes is SMALL:
        print("There is no GPU: everything runs at small sizes on the CPU, as a rehearsal.")
    file = Path(options.json) if options.json else Path(options.out) / "gpu.json"
    record = measure(file, sizes, {name: STEPS[name] for name in names})
    for name, step in record["steps"].items():
        print(f"{name}: {step['state']}, {step.get('seconds', 0):.0f} s. {step.get('sentence', '')}")
    print(f"{record['seconds']:.0f} s in all, written to {file}")
