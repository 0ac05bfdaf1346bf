"""Runs benchmarks one after another, and writes one table and one JSON file with the machine's description.

A benchmark that fails is named, and the others go on. Knows modules by their names. Does not know what they measure.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import TextIO, TypedDict

import psutil

PACKAGES = (
    "torch",
    "numpy",
    "openvino",
    "faiss-cpu",
    "faiss-gpu",
    "scikit-learn",
    "timm",
    "gradio",
    "anomalib",
)


class Machine(TypedDict):
    """What figures depend on. load: of the last minute, of all programs."""

    processor: str
    cores: int
    memory_gb: float
    system: str
    python: str
    packages: dict[str, str]
    load: float


class Ended(TypedDict):
    """One benchmark. cpu_seconds: of this process. error: "" where it came to its end. printed: its own tables."""

    name: str
    seconds: float
    cpu_seconds: float
    error: str
    printed: str


def machine() -> Machine:
    """The machine and the packages of now."""
    installed = {found.metadata["Name"].lower(): found.version for found in metadata.distributions()}
    return {
        "processor": _processor(),
        "cores": os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: installed[name] for name in PACKAGES if name in installed},
        "load": round(os.getloadavg()[0], 1),
    }


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


class _Both(io.TextIOBase):
    """Passes on what is printed, and keeps it."""

    def __init__(self, shown: TextIO):
        self.shown, self.kept = shown, io.StringIO()

    def write(self, text: str) -> int:
        self.kept.write(text)
        return self.shown.write(text)

    def flush(self) -> None:
        self.shown.flush()


def run(names: Sequence[str], not_run: Sequence[str], options: argparse.Namespace) -> list[Ended]:
    """Run benchmarks. Both files, `bench.md` and `bench.json` in `options.out`, are written anew after each."""
    found, about = list[Ended](), machine()
    folder = Path(options.out)
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        found.append(_ended(name, options))
        content = {"machine": about, "benchmarks": found, "not_run": list(not_run)}
        (folder / "bench.json").write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        (folder / "bench.md").write_text(table(about, found, not_run), "utf-8")
    return found


def _ended(name: str, options: argparse.Namespace) -> Ended:
    both, error = _Both(sys.stdout), ""
    began, cpu = time.monotonic(), time.process_time()
    with contextlib.redirect_stdout(both):
        try:
            importlib.import_module(f"tests.bench.{name}").main(options)
        except (Exception, SystemExit) as failure:
            error = f"{type(failure).__name__}: {failure}"
            traceback.print_exc()
    return {
        "name": name,
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "error": error,
        "printed": both.kept.getvalue(),
    }


def table(about: Machine, found: Sequence[Ended], not_run: Sequence[str]) -> str:
    """One table of all benchmarks in Markdown, and below it what each printed."""
    versions = ", ".join(f"{name} {version}" for name, version in about["packages"].items())
    lines = [
        f"{about['processor']}, {about['cores']} cores, {about['memory_gb']} GB, {about['system']}, "
        f"Python {about['python']}, {versions}; load {about['load']} at the start.",
        "",
        "| benchmark | s | cpu s | end |",
        "|---|---|---|---|",
        *(f"| {e['name']} | {e['seconds']} | {e['cpu_seconds']} | {e['error'] or 'done'} |" for e in found),
        *(f"| {name} | | | not run |" for name in not_run),
    ]
    for ended in found:
        lines += ["", f"## {ended['name']}", "", ended["printed"].strip()]
    return "\n".join(lines) + "\n"
