"""Accounts of people who sign in to the workbench: users add, set, rename, remove, key, list.

Knows the terminal, where passwords are typed unseen. Does not know what a role may do.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from exdd_core.cli.arguments import Add, Group, at_least, open_workspace
from exdd_core.errors import BadInput

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

ROLES = "viewer (looks), curator (scores, paints and decides) or admin (data sets, banks and all else)"


def _name(add: Add) -> None:
    add("name", metavar="NAME", help="what they sign in with; it is stored with what they decide")


def add_options(add: Add) -> None:
    _name(add)
    add("--role", default="viewer", metavar="ROLE", help=f"{ROLES}; default: viewer")
    add(
        "--password-stdin",
        action="store_true",
        help="read the password from standard input, not the terminal",
    )


def add_user(options: argparse.Namespace) -> dict[str, object]:
    """Make an account. The password is asked for on the terminal."""
    from exdd_core.workspace import people

    workspace = open_or_create(options)
    made = people.add(workspace, options.name, options.role, _password(options))
    if not options.json:
        print(f"{made.name} may sign in as {made.role}.")
    return asdict(made)


def set_options(add: Add) -> None:
    _name(add)
    add("--role", metavar="ROLE", help=ROLES)
    add("--password", action="store_true", help="ask for a new password on the terminal")
    add("--password-stdin", action="store_true", help="read a new password from standard input")


def set_user(options: argparse.Namespace) -> dict[str, object]:
    """Give an account another role or another password; it must sign in again."""
    from exdd_core.workspace import people

    new = _password(options) if options.password or options.password_stdin else None
    people.change(open_workspace(options), options.name, role=options.role, password=new)
    if not options.json:
        print(f"{options.name} is changed and must sign in again.")
    return {"name": options.name, "changed": True}


def rename_options(add: Add) -> None:
    _name(add)
    add("new", metavar="NEW", help="what they sign in with from now on")


def rename_user(options: argparse.Namespace) -> dict[str, object]:
    """Give an account another name; its keys end, and what its owner decided keeps the former name."""
    from exdd_core.workspace import people

    people.rename(open_workspace(options), options.name, options.new)
    if not options.json:
        print(f"{options.name} signs in as {options.new} from now on. Decisions keep the former name.")
    return {"name": options.new, "former": options.name}


def remove_user(options: argparse.Namespace) -> dict[str, object]:
    """Delete an account; what its owner decided keeps the name."""
    from exdd_core.workspace import people

    people.remove(open_workspace(options), options.name)
    if not options.json:
        print(f"{options.name} cannot sign in any more.")
    return {"name": options.name, "removed": True}


def key_options(add: Add) -> None:
    _name(add)
    add("--days", type=at_least(1), default=365, metavar="N", help="until it ends; default: 365")
    add("--end", action="store_true", help="print none: end all keys, and whatever is signed in")


def key_for_user(options: argparse.Namespace) -> dict[str, object]:
    """Print a key by which programs act as an account, as header Authorization: Bearer KEY; --end ends it."""
    from exdd_core.workspace import people

    if options.end:
        ended = people.end_sessions(open_workspace(options), options.name)
        if not options.json:
            print(f"{options.name} is signed in nowhere any more; keys and sign-ins that ended: {ended}.")
        return {"name": options.name, "ended": ended}
    key = people.open_session(open_workspace(options), options.name, options.days * 86_400)
    if not options.json:
        print(key)
    return {"name": options.name, "key": key}


def list_users(options: argparse.Namespace) -> dict[str, object]:
    """List the accounts."""
    from exdd_core.workspace import people

    found = people.listed(open_workspace(options))
    if not options.json:
        for person in found:
            print(f"{person.name}  {person.role}  since {person.created[:10]}")
        if not found:
            print('There are no accounts; make one with "users add NAME --role admin".')
    return {"users": [asdict(person) for person in found]}


def open_or_create(options: argparse.Namespace) -> Workspace:
    """The workspace of the options; a new one where there is none, so that accounts can come first."""
    from exdd_core.workspace import Workspace

    if Workspace.exists(options.workspace):
        return open_workspace(options)
    return Workspace.create(options.workspace)


def _password(options: argparse.Namespace) -> str:
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise BadInput(
            "A password is typed on a terminal; here, give --password-stdin and send it as one line."
        )
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise BadInput("The two passwords differ; try again.")
    return first


USERS = Group(
    "Accounts of people who sign in",
    {
        "add": (add_user, add_options),
        "set": (set_user, set_options),
        "rename": (rename_user, rename_options),
        "remove": (remove_user, _name),
        "key": (key_for_user, key_options),
        "list": (list_users, None),
    },
)
