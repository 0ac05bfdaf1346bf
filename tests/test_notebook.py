"""The notebook: every cell runs, in this process, as Jupyter would run them one after another.

It has no magic words and stores no outputs.
"""

from __future__ import annotations

import json
from typing import Any

from tests.browser import ROOT


def test_the_tour_runs_and_stores_no_outputs() -> None:
    told = json.loads((ROOT / "docs" / "tour.ipynb").read_text("utf-8"))
    cells = [cell for cell in told["cells"] if cell["cell_type"] == "code"]
    assert told["nbformat"] == 4 and not any(cell["outputs"] or cell["execution_count"] for cell in cells)
    seen: dict[str, Any] = {"__name__": "__main__"}
    for cell in cells:
        exec(compile("".join(cell["source"]), "docs/tour.ipynb", "exec"), seen)
    assert seen["seen"].verdict == seen["told"].verdict == "defect"
    assert seen["heat"].shape[:2] == (256, 256) and not seen["folder"].exists()
