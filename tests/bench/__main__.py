"""Runs every benchmark, or those named on the command line."""

from __future__ import annotations

import argparse

from tests.bench import cases, contact_sheet, curation, fusions, grid, layers, scores, speed, tables

BENCHMARKS = {
    "cases": cases.main,
    "contact_sheet": contact_sheet.main,
    "curation": curation.main,
    "fusions": fusions.main,
    "grid": grid.main,
    "layers": layers.main,
    "scores": scores.main,
    "speed": speed.main,
    "tables": tables.main,
}

parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; default: all")
parser.add_argument("--seeds", default="0,1,2", help="of all tables; default: 0,1,2")
parser.add_argument("--datasets", default="tiles,commutators", help="of all tables; default: both")
parser.add_argument("--out", default="build", help="folder of what is written; default: build")
parser.add_argument(
    "--cells", default="every", help=f"of the grid: {', '.join(grid.CELLS)}; default: every one"
)
parser.add_argument("--cases", default=str(cases.FOLDER), help="folder of cases; default: ../shared/cases")
options = parser.parse_args()
if len(options.names) == 2 and options.names[0] == "cases":
    options.cases = options.names.pop()
unknown = set(options.names) - set(BENCHMARKS)
if unknown:
    parser.error(f"there is no benchmark named {', '.join(sorted(unknown))}")
for name in options.names or BENCHMARKS:
    BENCHMARKS[name](options)
