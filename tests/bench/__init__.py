"""Figures that the README states and sheets to look at; measurements, not tests.

`make bench`, or `python -m tests.bench NAME`; `--help` lists the names.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def real_images() -> Path:
    """The folder with the real images; ends the program with a sentence where it is not there."""
    data = Path(os.environ.get("EXDD_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not data.is_dir():
        sys.exit(f"The real images are not in {data}; set EXDD_REAL_DATA to the folder that holds them.")
    return data
