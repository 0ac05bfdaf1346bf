"""Names that people give: to bank versions, beside the one that each has, such as v3, and to types of defect.

Knows a setting. Does not know versions.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput
from exdd_core.workspace.settings import get, put

if TYPE_CHECKING:
    from sqlite_utils import Database

KEY = "bank_names"  # the setting: {id of a version: its name for people}
LONGEST = 63  # characters


def checked(name: str) -> str:
    """A name for people, without spaces around it; "" for none. Raises `BadInput` where it cannot be one."""
    name = " ".join(name.split())
    if len(name) > LONGEST or not name.isprintable():
        raise BadInput(
            f"A name can have at most {LONGEST} characters, all of them visible; this one has {len(name)}."
        )
    return name


def of_banks(db: Database) -> dict[str, str]:
    """Id of a version -> its name for people, of those that have one."""
    found: dict[str, str] = json.loads(get(db, KEY, "{}"))
    return found


def call_bank(db: Database, id: str, name: str) -> None:
    """Name a version, or for "" take its name away, within the caller's transaction. Raises `BadInput`."""
    name, others = checked(name), {other: its for other, its in of_banks(db).items() if other != id}
    if re.fullmatch(r"v?\d+", name):
        raise BadInput(f'"{name}" could be the number of another version; choose a name with other letters.')
    if name in others.values():
        raise BadInput(f'Another version is already named "{name}"; choose another name.')
    put(db, KEY, others | ({id: name} if name else {}))
