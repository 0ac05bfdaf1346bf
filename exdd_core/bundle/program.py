"""The program `exdd-score BUNDLE IMAGES...`, which is also `python BUNDLE IMAGES...`: verdicts without a workspace.

Knows the terminal. Does not know how a score is computed.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput
from exdd_core.sentences import spelt

if TYPE_CHECKING:
    from exdd_core.bundle import scorer


def main(words: Sequence[str] | None = None, bundle: str | None = None) -> int:
    """Score images and print a line for each; 2 with one sentence for bad input, an image that cannot be read included.

    bundle: the file to score with, in place of the first word.
    """
    parser = argparse.ArgumentParser(prog="exdd-score", description="Score images with a bundle.")
    if bundle is None:
        parser.add_argument("bundle", metavar="BUNDLE", help="bundle from `banks export`")
    parser.add_argument("images", metavar="IMAGE", nargs="+", type=Path)
    parser.add_argument(
        "--engine",
        choices=("onnxruntime", "openvino"),
        help="computes the network (default: the first that is installed)",
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON for each image")
    options = parser.parse_args(words)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name of bytes that are no text is no reason to stop
            stream.reconfigure(errors="backslashreplace")
    try:
        return _score(options, bundle or options.bundle)
    except BrokenPipeError:  # the reader of the output has ended, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _score(options: argparse.Namespace, bundle: str) -> int:
    """Print a line for each image; returns the exit code."""
    # Each image asks numpy for two small products. Threads of its OpenBLAS turn idly for longer than these take, on the
    # cores that the network computes on.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "80000000")  # more is refused before it is decoded
    from exdd_core import file_tags
    from exdd_core.bundle import scorer

    try:
        opened = scorer.load(bundle, options.engine)
    except BadInput as error:
        print(spelt(str(error)), file=sys.stderr)
        return 2
    code = 0
    for path in options.images:
        try:
            made = opened.score(path)
        except BadInput as error:
            print(spelt(str(error)), file=sys.stderr)
            code = 2
            continue
        with path.open("rb") as stream:
            pages = file_tags.pages(stream)
        if pages > 1:
            print(spelt(f"{path}: {file_tags.ONE_PAGE.format(pages)}"), file=sys.stderr)
        print(
            json.dumps(_told(path, made) | {"pages": pages}) if options.json else _line(path, made),
            flush=True,
        )
    return code


def run() -> int:
    return main()


def _line(path: Path, made: scorer.BundleVerdict) -> str:
    places = "; ".join("x {0} to {2}, y {1} to {3}".format(*one.region.box) for one in made.regions)
    return f"{made.verdict:>12} {made.calibrated:8.3f}  {spelt(str(path))}{f'  ({places})' if places else ''}"


def _told(path: Path, made: scorer.BundleVerdict) -> dict[str, object]:
    known = math.isfinite(made.score)
    return {
        "image": str(path),
        "verdict": made.verdict,
        "score": made.score if known else None,
        "threshold": made.threshold,
        "calibrated": made.calibrated if known else None,
        "probability": made.probability,
        "regions": [
            {
                "box": one.region.box,
                "contour": one.region.contour,
                "area": one.region.area,
                "area_mm2": one.area_mm2,
                "peak": one.region.peak,
                "mean": one.region.mean,
                "at": one.region.at,
                "nearest_type": one.nearest_type,
                "probability": one.probability,
            }
            for one in made.regions
        ],
    }
