"""Every table on the real images by one command: Table 1 and Table 2, all fusions, their grid, curation.

Table 1 and Table 2 go through the command line, as a user would, in a fresh workspace: import, build, paint
procedural defects with the masks of real training defects, accept all of them, `evaluate --table1` on the test split
and by grouped folds, `sweep`. The others have benchmarks of their own, which are called where they are.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import ROOT, real_images
from tests.bench.fusions import FOLDERS

PAINTED = 150  # the most that the paper adds
PROMPTS = {
    "tiles": "{dark|deep} {crack|blowhole|fray}",
    "commutators": "{fine|deep} crack",
}
OTHERS = ("fusions", "grid", "curation")


def main(options: argparse.Namespace) -> None:
    data = real_images()
    seeds = [int(seed) for seed in options.seeds.split(",")]
    with tempfile.TemporaryDirectory() as folder:
        for name in options.datasets.split(","):
            _tables(Path(folder) / name, name, data / FOLDERS[name], seeds)
    if options.names:  # where everything runs, these do anyway
        for other in OTHERS:
            if importlib.util.find_spec(f"tests.bench.{other}"):
                _heading(f"The benchmark {other}")
                importlib.import_module(f"tests.bench.{other}").main(options)


def _tables(workspace: Path, name: str, images: Path, seeds: list[int]) -> None:
    began = time.monotonic()
    _exdd(workspace, "import", images, "--name", name, "--backbone", "efficientnet_lite0")
    _exdd(workspace, "build")
    painted = ("--engine", "procedural", "--prompt", PROMPTS[name], "--masks", "real")
    _exdd(workspace, "synthesize", *painted, "--count", PAINTED, "--seed", seeds[0])
    _exdd(workspace, "candidates", "accept", "--all", "--who", "benchmark")
    for words in (["--table1"], ["--table1", "--folds", 4]):
        _heading(f"{name}: Table 1 {'by grouped folds' if '--folds' in words else 'on the test split'}")
        _exdd(workspace, "evaluate", *words, "--seed", seeds[0])
    _heading(f"{name}: Table 2")
    _exdd(workspace, "sweep", "--counts", "0,50,100,150", "--seeds", len(seeds))
    print(f"({name}: {time.monotonic() - began:.0f} s)", flush=True)


def _heading(words: str) -> None:
    print(f"\n{words}\n{'-' * len(words)}", flush=True)


def _exdd(workspace: Path, *words: object) -> None:
    """One command of the product; what it prints is the table."""
    command = [sys.executable, "-m", "exdd_core", *map(str, words), "--workspace", str(workspace)]
    subprocess.run(command, cwd=ROOT, check=True)
