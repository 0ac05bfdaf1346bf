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

ROLES = "viewer (only views), curator (scores, paints and decides) or admin (data sets, banks and all else)"


def _name(add: Add) -> None:
    add("name", metavar="NAME", help="name of the account, which is stored with its user's decisions")


def add_options(add: Add) -> None:
    _name(add)
    add("--role", default="viewer", metavar="ROLE", help=f"{ROLES} (default: viewer)")
    add(
        "--password-stdin",
        action="store_true",
        help="read the password from standard input instead of the terminal",
    )


def add_user(options: argparse.Namespace) -> dict[str, object]:
    """Create an account; the password is entered on the terminal."""
    from exdd_core.workspace import people

    workspace = open_or_create(options)
    made = people.add(workspace, options.name, options.role, _password(options))
    if not options.json:
        print(f"{made.name} can now sign in as {made.role}.")
    return asdict(made)


def set_options(add: Add) -> None:
    _name(add)
    add("--role", metavar="ROLE", help=ROLES)
    add("--password", action="store_true", help="ask for a new password on the terminal")
    add("--password-stdin", action="store_true", help="read a new password from standard input")


def set_user(options: argparse.Namespace) -> dict[str, object]:
    """Change the role or the password of an account; its user must sign in again."""
    from exdd_core.workspace import people

    new = _password(options) if options.password or options.password_stdin else None
    people.change(open_workspace(options), options.name, role=options.role, password=new)
    if not options.json:
        print(f"{options.name} was changed and must sign in again.")
    return {"name": options.name, "changed": True}


def rename_options(add: Add) -> None:
    _name(add)
    add("new", metavar="NEW", help="new name of the account")


def rename_user(options: argparse.Namespace) -> dict[str, object]:
    """Rename an account; its keys are revoked, and past decisions keep the former name."""
    from exdd_core.workspace import people

    people.rename(open_workspace(options), options.name, options.new)
    if not options.json:
        print(f"{options.name} now signs in as {options.new}. Past decisions keep the former name.")
    return {"name": options.new, "former": options.name}


def remove_user(options: argparse.Namespace) -> dict[str, object]:
    """Delete an account; its user's decisions keep the name."""
    from exdd_core.workspace import people

    people.remove(open_workspace(options), options.name)
    if not options.json:
        print(f"{options.name} can no longer sign in.")
    return {"name": options.name, "removed": True}


def key_options(add: Add) -> None:
    _name(add)
    add(
        "--days",
        type=at_least(1, 36_500),
        metavar="N",
        help="number of days until the key expires (default: 365)",
    )
    add(
        "--end",
        action="store_true",
        help="print no key; instead revoke all keys and sign the user out everywhere",
    )


def key_for_user(options: argparse.Namespace) -> dict[str, object]:
    """Print a key with which programs act as an account, in the header Authorization: Bearer KEY."""
    from exdd_core.workspace import people

    if options.end:
        if options.days:
            raise BadInput("--end prints no key, so --days does not apply; use only one of the two.")
        ended = people.end_sessions(open_workspace(options), options.name)
        if not options.json:
            print(f"{options.name} is no longer signed in anywhere; keys and sign-ins ended: {ended}.")
        return {"name": options.name, "ended": ended}
    key = people.open_session(open_workspace(options), options.name, (options.days or 365) * 86_400)
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
            print('There are no accounts; create one with "users add NAME --role admin".')
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
            "There is no terminal to enter a password on; use --password-stdin and send it as one line."
        )
    first = getpass.getpass("Password: ")
    if getpass.getpass("Repeat the password: ") != first:
        raise BadInput("The two passwords differ; try again.")
    return first


USERS = Group(
    "Manage user accounts",
    {
        "add": (add_user, add_options),
        "set": (set_user, set_options),
        "rename": (rename_user, rename_options),
        "remove": (remove_user, _name),
        "key": (key_for_user, key_options),
        "list": (list_users, None),
    },
)
