"""Accounts of people who sign in, and their sessions.

Passwords are kept as Argon2id hashes (RFC 9106), sessions as SHA-256 of a random token, so that a copy of the
database lets nobody in. Knows tables. Does not know requests, cookies or what a role may do.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput
from exdd_core.files import is_writable
from exdd_core.workspace.clock import now
from exdd_core.workspace.connections import connect
from exdd_core.workspace.failures import DATABASE, as_bad_input

if TYPE_CHECKING:
    from sqlite3 import Connection

    from argon2 import PasswordHasher
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

ROLES = ("viewer", "curator", "admin")
SESSION = """select name, role, people.created from sessions join people on name = person
             where token = ? and until >= ?"""
LASTS = 14 * 86_400  # seconds after signing in that a session ends
SHORTEST = 10  # characters of a password


@dataclass(frozen=True)
class Person:
    """Somebody with an account. password: whether they sign in with one, not by another service alone."""

    name: str
    role: str
    created: str
    password: bool = True


def add(workspace: Workspace, name: str, role: str, password: str | None) -> Person:
    """Make an account. password: None for people who sign in by another service under this name.

    Raises BadInput for a name that is taken or no name, an unknown role and a short password.
    """
    name, role = _name(name), _role(role)
    kept, created = _hashed(password), now()
    with workspace.writing() as db:
        if db.execute("select 1 from people where name = ?", [name]).fetchone():
            raise BadInput(f'There is already an account "{name}"; change it with "users set".')
        db.table("people").insert({"name": name, "role": role, "password": kept, "created": created})
    return Person(name, role, created, kept is not None)


def change(workspace: Workspace, name: str, *, role: str | None = None, password: str | None = None) -> None:
    """Give an account another role or password; whoever is signed in with it must sign in again."""
    changes: dict[str, str | None] = {}
    if role is not None:
        changes["role"] = _role(role)
    if password is not None:
        changes["password"] = _hashed(password)
    if not changes:
        raise BadInput("There is nothing to change; specify a role or a password.")
    with workspace.writing() as db:
        _require(db, name)
        db.table("people").update(name, changes)
        db.execute("delete from sessions where person = ?", [name])


def rename(workspace: Workspace, name: str, new: str) -> None:
    """Give an account another name, under which it must sign in again; what its owner decided keeps the former one.

    Raises BadInput for a name that is taken or no name.
    """
    new = _name(new)
    with workspace.writing() as db:
        _require(db, name)
        if db.execute("select 1 from people where name = ?", [new]).fetchone():
            raise BadInput(f'There is already an account "{new}"; choose another name.')
        db.execute("update people set name = ? where name = ?", [new, name])
        db.execute("delete from sessions where person = ?", [name])


def end_sessions(workspace: Workspace, name: str) -> int:
    """End every session and key of an account, which stays as it is; how many there were."""
    with workspace.writing() as db:
        _require(db, name)
        return int(db.execute("delete from sessions where person = ?", [name]).rowcount)


def remove(workspace: Workspace, name: str) -> None:
    """Delete an account and end its sessions; the name stays with what its owner decided."""
    with workspace.writing() as db:
        _require(db, name)
        db.execute("delete from sessions where person = ?", [name])
        db.table("people").delete(name)


def listed(workspace: Workspace) -> list[Person]:
    """Every account, by name."""
    with workspace.reading() as db:
        rows = db.execute(
            "select name, role, created, password is not null from people order by name"
        ).fetchall()
    return [Person(name, role, created, bool(password)) for name, role, created, password in rows]


def sign_in(workspace: Workspace, name: str, password: str) -> str:
    """Check a password and open a session; returns its token. Raises BadInput, in the same words and after the
    same work, for an unknown name and for a wrong password."""
    from argon2.exceptions import InvalidHashError, VerificationError

    with workspace.reading() as db:
        row = db.execute("select password from people where name = ?", [name.strip()]).fetchone()
    try:
        _hasher().verify(row[0] if row and row[0] else _nobody(), password)
    except (VerificationError, InvalidHashError):
        row = None
    if row is None:
        raise BadInput("The name or the password is wrong.")
    return open_session(workspace, name.strip())


def sign_in_by(workspace: Workspace, subject: str, name: str, role: str) -> str:
    """Open a session of somebody whom another service knows as `subject`; returns its token.

    Their account is made at the first time, under `name`, and has the `role` that the service gives now. Raises
    BadInput where the name is another's.
    """
    name, role = _name(name), _role(role)
    with workspace.writing() as db:
        known = db.execute("select name, role from people where subject = ?", [subject]).fetchone()
        if known is None:
            if db.execute("select 1 from people where name = ?", [name]).fetchone():
                raise BadInput(
                    f'The account "{name}" belongs to someone else here; ask whoever runs the workbench '
                    "for another name."
                )
            db.table("people").insert({"name": name, "role": role, "created": now(), "subject": subject})
            known = name, role
        elif known[1] != role:
            db.table("people").update(known[0], {"role": role})
    return open_session(workspace, known[0])


def open_session(workspace: Workspace, name: str, lasts: int = LASTS) -> str:
    """A new session of an account that somebody has proven to be theirs; returns its token. lasts: in seconds."""
    token = secrets.token_urlsafe(32)
    with workspace.writing() as db:
        _require(db, name)
        db.execute("delete from sessions where until < ?", [now()])
        db.table("sessions").insert({"token": _digest(token), "person": name, "until": now(later=lasts)})
    return token


class Sessions(threading.local):
    """Looks sessions up anew each time, by a connection that each thread keeps open: what ends one anywhere, in another
    process too, ends it at once. A new connection would take many times as long."""

    def __init__(self, workspace: Workspace):
        self._workspace = workspace
        self._file: tuple[int, int] | None = None  # that the connection has open
        self._connection: Connection | None = None

    def person(self, token: str) -> Person | None:
        """The account of a session; None where there is none or it has ended."""
        try:
            with as_bad_input():
                # All rows, so that no transaction stays open.
                rows = self._connected().execute(SESSION, [_digest(token), now()]).fetchall()
        except BadInput:
            self.close()
            raise
        return Person(*rows[0]) if rows else None

    def close(self) -> None:
        """Close this thread's connection; the next call opens one."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._file = None

    def _connected(self) -> Connection:
        place = self._workspace.path / DATABASE
        told = place.stat()
        found = told.st_dev, told.st_ino
        if self._connection is None or self._file != found:
            self.close()
            self._connection = connect(place)
            if is_writable(place.parent):  # else SQLite looks for no changes of others
                self._file = found
        return self._connection


def sign_out(workspace: Workspace, token: str) -> None:
    """End a session."""
    with workspace.writing() as db:
        db.execute("delete from sessions where token = ?", [_digest(token)])


def _require(db: Database, name: str) -> None:
    if not db.execute("select 1 from people where name = ?", [name]).fetchone():
        raise BadInput(f'There is no account "{name}"; "users list" shows all accounts.')


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not name or len(name) > 40 or not name.isprintable():
        raise BadInput("A name must have 1 to 40 characters.")
    return name


def _role(role: str) -> str:
    if role not in ROLES:
        raise BadInput(f'There is no role "{role}"; choose one of {", ".join(ROLES)}.')
    return role


def _hashed(password: str | None) -> str | None:
    if password is None:
        return None
    if len(password) < SHORTEST:
        raise BadInput(f"A password must have at least {SHORTEST} characters; choose a longer one.")
    return _hasher().hash(password)


@cache
def _hasher() -> PasswordHasher:
    from argon2 import PasswordHasher

    return PasswordHasher()


@cache
def _nobody() -> str:
    """The hash of a password that nobody has: checking an unknown name takes as long as checking a known one."""
    return _hasher().hash(secrets.token_urlsafe())


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
