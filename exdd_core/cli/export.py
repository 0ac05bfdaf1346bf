"""The command that writes a data set in a layout for other programs: export.

Knows the options and the target. Does not know layouts.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import Add, open_workspace
from exdd_core.cli.terminal import print_result, progress

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.workspace.exporting import Exported


def export_options(add: Add) -> None:
    add("dataset", nargs="?", metavar="DATASET", help="name of the data set (default: the active one)")
    add(
        "--as",
        dest="layout",
        required=True,
        choices=("mvtec", "coco"),
        help="layout: MVTec AD, or COCO with RLE",
    )
    add("--to", type=Path, required=True, metavar="PLACE", help="new folder or new .zip file to write")
    add("--without-painted", action="store_true", help="leave out accepted painted defects")
    add(
        "--without-marks", action="store_true", help="leave out what was marked as missed or as a false alarm"
    )


def export(options: argparse.Namespace) -> Exported:
    """Export a data set, its painted defects and its marks as MVTec AD or COCO, with a manifest."""
    from exdd_core import jobs
    from exdd_core.jobs.specs import ExportDatasetSpec

    workspace = open_workspace(options)
    dataset = workspace.dataset(options.dataset).name
    spec = ExportDatasetSpec(
        dataset=dataset,
        layout=options.layout,
        target=str(options.to.expanduser().absolute()),
        painted=not options.without_painted,
        marks=not options.without_marks,
    ).to_json()
    result: Exported = jobs.run_here(workspace, "export_dataset", f"Exporting {dataset}", spec, progress())
    return print_result(
        "\n".join([f'Exported "{dataset}" to {result["path"]}.', *result["sentences"]]), result, options
    )
