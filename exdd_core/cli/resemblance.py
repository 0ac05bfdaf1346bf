"""The command that compares candidates with real defects: candidates measure.

Knows what is printed. Does not know how a figure is computed.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import Add, open_workspace
from exdd_core.cli.terminal import print_result, progress

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.curation.comparing import Compared


def measure_options(add: Add) -> None:
    add("--dataset", metavar="NAME", help="data set (default: the active one)")


def measure_candidates(options: argparse.Namespace) -> dict[str, list[Compared]]:
    """Compare candidates with real defects of their type, in looks and in position."""
    from exdd_core.curation.comparing import resemblances

    found = resemblances(open_workspace(options), options.dataset, progress())
    return print_result("\n".join(one.sentence for one in found), {"groups": found}, options)
