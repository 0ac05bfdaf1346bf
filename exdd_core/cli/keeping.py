"""The workspace as a whole: workspace check, backup, restore, adopt.

Knows folders and archives. Does not know what is in them.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from exdd_core.cli.arguments import Add, Group, new_file, open_workspace
from exdd_core.cli.terminal import print_result, progress
from exdd_core.sentences import count

if TYPE_CHECKING:  # commands import what they need when they run, so that --help answers at once
    from exdd_core.workspace.adopting import Adopted
    from exdd_core.workspace.backup import Saved
    from exdd_core.workspace.checking import Finding


class Checked(TypedDict):
    """What a check found; healthy: nothing that was not repaired."""

    healthy: bool
    findings: list[Finding]


def check_options(add: Add) -> None:
    add(
        "--repair",
        action="store_true",
        help="move files that the database does not name aside, and remove unfinished ones",
    )


def check(options: argparse.Namespace) -> Checked:
    """Compare every file with its digest, and find files that are missing, damaged or left over."""
    from exdd_core.workspace import checking

    found = checking.check(open_workspace(options), options.repair, progress())
    lines = [f"{one['what']}{' ' + one['repaired'] + '.' if one['repaired'] else ''}" for one in found]
    result = Checked(healthy=all(one["repaired"] for one in found), findings=found)
    return print_result("\n".join(lines or ["All files are present and unchanged."]), result, options)


def backup_options(add: Add) -> None:
    add("file", type=new_file(".zip"), metavar="FILE", help="archive to write, such as backup.zip")


def backup(options: argparse.Namespace) -> Saved:
    """Save the workspace as one archive, even while the workbench runs; caches and models are left out."""
    from exdd_core.workspace import backup as backup_

    made = backup_.save(open_workspace(options), options.file.expanduser().absolute(), progress())
    size = f"{count(made['files'], 'file')}, {made['bytes'] / 2**20:.0f} MB"
    said = f"Saved {size}, to {made['path']}, and verified them."
    return print_result(said, made, options)


def restore_options(add: Add) -> None:
    add("file", type=Path, metavar="FILE", help="archive written by workspace backup")


def restore(options: argparse.Namespace) -> Saved:
    """Restore a workspace from an archive, in the new or empty folder specified by --workspace."""
    from exdd_core.workspace import backup as backup_

    made = backup_.restore(options.file, options.workspace, progress())
    return print_result(f"Restored {count(made['files'], 'file')} in {made['path']}.", made, options)


def adopt_options(add: Add) -> None:
    add("folder", type=Path, metavar="FOLDER", help="folder of a workspace whose database is lost or damaged")


def adopt(options: argparse.Namespace) -> Adopted:
    """Rebuild a workspace's database from the files in its folder; nothing is overwritten."""
    from exdd_core.workspace import adopting

    made = adopting.adopt(options.folder, progress())
    came = [
        count(made["datasets"], "data set") + " with " + count(made["images"], "image"),
        count(made["banks"], "bank version"),
        count(made["candidates"], "candidate"),
        count(made["decisions"], "decision"),
    ]
    said = [f"Adopted {made['path']}: {', '.join(came)} recovered."]
    said += [f"The damaged database is kept as {made['kept']}."] if made["kept"] else []
    return print_result("\n".join([*said, *made["missing"]]), made, options)


WORKSPACE = Group(
    "Check, back up and restore the workspace",
    {
        "check": (check, check_options),
        "backup": (backup, backup_options),
        "restore": (restore, restore_options),
        "adopt": (adopt, adopt_options),
    },
)
