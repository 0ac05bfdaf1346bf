"""What the program is made of: packages licences, packages sbom, packages audit.

Knows the terminal. Does not know where a package's data come from.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from exdd_core.cli.arguments import Add, Group, new_file
from exdd_core.cli.terminal import print_result
from exdd_core.sentences import count
from exdd_core.spec import Json

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.packages import Known


class Audited(TypedDict):
    """packages: the number of those that were looked up."""

    packages: int
    vulnerabilities: list[Known]


def licences(options: argparse.Namespace) -> Json:
    """List the licences of all packages and weights, as they state them."""
    from exdd_core import packages

    found = packages.installed()
    lines = [f"{one.name} {one.version}  {one.licence}" for one in found]
    lines += [f"weights {one.name}  {one.licence}; from {one.place}" for one in packages.WEIGHTS]
    result: Json = {
        "packages": [asdict(one) for one in found],
        "weights": [asdict(w) for w in packages.WEIGHTS],
    }
    return print_result("\n".join(lines), result, options)


def sbom_options(add: Add) -> None:
    add("--to", type=new_file(".json"), metavar="FILE", help="file to write to (default: standard output)")


def sbom(options: argparse.Namespace) -> Json:
    """List all packages and weights as a CycloneDX 1.6 bill of materials."""
    from exdd_core import files, packages

    made = packages.bill(packages.installed())
    if options.to is None:
        return print_result(json.dumps(made, indent=1), {**made}, options)
    with files.whole(options.to) as place:
        place.write_text(json.dumps(made, indent=1), encoding="utf-8")
    said = f"Wrote {count(len(made['components']), 'component')} to {options.to}."
    return print_result(said, {"path": str(options.to), "components": len(made["components"])}, options)


def audit_options(add: Add) -> None:
    add(
        "database",
        type=Path,
        metavar="DATABASE",
        help="OSV's all.zip for PyPI, or a folder of its entries",
    )


def audit(options: argparse.Namespace) -> Audited:
    """Check the installed versions against a database of known vulnerabilities, without network access."""
    from exdd_core import packages

    installed = packages.installed()
    found = packages.vulnerabilities(installed, options.database)
    lines = [
        f"{one['package']} {one['version']}: {one['id']}, {one['summary']}"
        + (f" Fixed in {one['fixed']}." if one["fixed"] else "")
        for one in found
    ]
    none = f"None of {count(len(installed), 'package')} has a vulnerability listed in {options.database}."
    result = Audited(packages=len(installed), vulnerabilities=found)
    return print_result("\n".join(lines or [none]), result, options)


PACKAGES = Group(
    "Show the packages and weights in use",
    {"licences": (licences, None), "sbom": (sbom, sbom_options), "audit": (audit, audit_options)},
)
