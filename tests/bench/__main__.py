"""Runs every benchmark, or those named on the command line; `bench.md` and `bench.json` in --out have all they say."""

from __future__ import annotations

import argparse
import sys

from tests.bench import ROOT, together

# Each is a module here, imported when it is run: a machine that runs one need not have what others compare with.
BENCHMARKS = (
    "approximate",
    "big_workspace",
    "cases",
    "contact_sheet",
    "curation",
    "exported",
    "fusions",
    "gpu",
    "grid",
    "guard",
    "layers",
    "oracle",
    "pages",
    "painting",
    "people",
    "real_size",
    "scale",
    "scores",
    "speed",
    "tables",
    "year",
)
ON_REQUEST = ("big_workspace", "painting", "people", "real_size", "year")  # only where they are named

parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; default: all")
parser.add_argument("--seeds", default="0,1,2", help="of all tables; default: 0,1,2")
parser.add_argument("--datasets", default="tiles,commutators", help="of all tables; default: both")
parser.add_argument("--out", default="build", help="folder of what is written; default: build")
parser.add_argument("--folds", type=int, help="of painting: so many of the four; default: all")
parser.add_argument("--cells", default="every", help="of the grid: names of its cells; default: every one")
folder = str(ROOT.parent / "shared" / "cases")
parser.add_argument("--cases", default=folder, help="folder of cases; default: ../shared/cases")
parser.add_argument(
    "--json", default="", help="of gpu, real_size and scale: file of figures; default: NAME.json in --out"
)
parser.add_argument(
    "--steps", default="", help="of gpu, painting and real_size: names of steps; default: all"
)
parser.add_argument(
    "--path",
    default="",
    help="of big_workspace and people: the workspace; default: build/big; of pages, default: the demo",
)
parser.add_argument("--images", type=int, help="of big_workspace, default: 50000; of real_size, default: 240")
parser.add_argument("--candidates", type=int, default=10_000, help="of big_workspace; default: 10000")
parser.add_argument(
    "--root", default="", help="of people: another checkout, to compare with; default: this one"
)
options = parser.parse_args()
if len(options.names) == 2 and options.names[0] == "cases":
    options.cases = options.names.pop()
unknown = set(options.names) - set(BENCHMARKS)
if unknown:
    parser.error(f"there is no benchmark named {', '.join(sorted(unknown))}")
asked = options.names or [name for name in BENCHMARKS if name not in ON_REQUEST]
ended = together.run(asked, [name for name in BENCHMARKS if name not in asked], options)
sys.exit(1 if any(one["error"] for one in ended) else 0)
