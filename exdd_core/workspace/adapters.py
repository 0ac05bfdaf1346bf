"""Adapters: what engines were taught of the defects of this workspace, each a folder.

    adapters/NAME/adapter.safetensors    a LoRA, or a network, which also names the parts that taught it
    adapters/NAME/adapter.json           what it was taught with, and its losses
    adapters/NAME/sample-0.png ...       what it painted into crops of held-out parts

A folder is written whole and renamed into place. Knows files and the setting of the adapter in use. Does not know how
one is taught or painted with.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict

from exdd_core import files
from exdd_core.errors import BadInput
from exdd_core.sentences import quoted
from exdd_core.spec import Json, Spec
from exdd_core.synthesis.engines import TEACHABLE
from exdd_core.synthesis.sdxl_adapters import ADAPTER as FILE
from exdd_core.workspace.failures import as_bad_input
from exdd_core.workspace.settings import get as get_setting, put

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

FOLDER, ABOUT = "adapters", "adapter.json"
# The setting with the name of the adapter that an engine paints with by default.
IN_USE = {"sdxl": "adapter", "learned": "adapter_learned"}
# The setting `lora` has other signs between files.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]{0,59}(?<! )")
LARGEST = 64 << 20  # bytes of adapter.json


class Adapter(Spec):
    """What is known of an adapter.

    engine: which one paints with it. base, fingerprint: the model that it was taught on, "" for none. images, parts: of
    all that it was taught with; held_out: parts that chose the checkpoint, which are among `parts`. losses: rows of
    step, learnt and held_out. best: the step that was kept, 0 where none was better than what it began with.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")
    ABOUT: ClassVar[str] = "An adapter"

    name: str
    dataset: str
    state: int
    base: str
    fingerprint: str
    surface: str
    trigger: str
    types: list[str]
    images: list[str]
    parts: list[str]
    held_out: list[str]
    settings: Json
    resolution: int
    crops: int
    losses: list[Json]
    best: int
    created: str
    seconds: float
    who: str = ""
    engine: str = "sdxl"


def folder(workspace: Workspace) -> Path:
    return workspace.path / FOLDER


def listed(workspace: Workspace) -> list[Adapter]:
    """All adapters, the oldest first; folders that hold none are passed over."""
    names = [place.name for place in folder(workspace).glob("*/") if NAME.fullmatch(place.name)]
    found = [_read(workspace, name) for name in names if files.is_regular(folder(workspace) / name / ABOUT)]
    return sorted(found, key=lambda adapter: (adapter.created, adapter.name))


def get(workspace: Workspace, name: str) -> Adapter:
    """The adapter of that name. Raises `BadInput` where there is none."""
    _require(workspace, name)
    return _read(workspace, name)


def _require(workspace: Workspace, name: str) -> None:
    if not NAME.fullmatch(name) or not files.is_regular(folder(workspace) / name / ABOUT):
        names = ", ".join(adapter.name for adapter in listed(workspace)) or "none"
        raise BadInput(f'There is no adapter "{name}"; available adapters: {names}.')


def _read(workspace: Workspace, name: str) -> Adapter:
    file = folder(workspace) / name / ABOUT
    try:
        values: Any = json.loads(files.read_regular(file, str(file), LARGEST))
        return Adapter.from_json({**values, "name": name})
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"{file} cannot be read; drop the adapter {name} and teach it again.") from error


def new_name(workspace: Workspace, name: str, dataset: str) -> str:
    """`name`, or for "" one that is free. Raises `BadInput` for one that cannot be used or is taken."""
    taken = {place.name for place in folder(workspace).glob("*/")}
    if not name:
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", dataset).lstrip("_.-")[:40] or "defects"
        return next(free for number in range(1, len(taken) + 2) if (free := f"{stem}-{number}") not in taken)
    if not NAME.fullmatch(name):
        raise BadInput(
            f"{quoted(name[:80])} is not a valid name for an adapter; use up to 60 letters, digits, spaces, "
            "dots, dashes and underscores, starting with a letter or digit."
        )
    if name in taken:
        raise BadInput(f'There is already an adapter "{name}"; choose another name or drop that one first.')
    return name


def keep(workspace: Workspace, adapter: Adapter, made: Path, samples: Sequence[Path]) -> Adapter:
    """Store an adapter with the LoRA `made` and its samples. Raises `BadInput` where its name is taken."""
    place = folder(workspace)
    temporary = place / f".{uuid.uuid4().hex[:12]}"
    with as_bad_input():
        temporary.mkdir(parents=True)
        try:
            for source, name in [(made, FILE), *((sample, sample.name) for sample in samples)]:
                shutil.copyfile(source, temporary / name)
                files.sync(temporary / name)
            with files.whole(temporary / ABOUT) as about:
                about.write_text(json.dumps(adapter.to_json(), indent=1), encoding="utf-8")
            new_name(workspace, adapter.name, adapter.dataset)
            temporary.rename(place / adapter.name)
            files.sync_folder(place)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    return adapter


def in_use(workspace: Workspace, engine: str = "sdxl") -> str:
    """The name of the adapter that an engine paints with by default; "" for none, or where it is gone."""
    name = str(workspace.setting(IN_USE[engine]) or "")
    return name if name and files.is_regular(folder(workspace) / name / FILE) else ""


def use(workspace: Workspace, name: str, engine: str = "sdxl") -> None:
    """Let its engine paint with this adapter by default, or for "" `engine` with none. Raises `BadInput`."""
    workspace.set_setting(IN_USE[get(workspace, name).engine if name else engine], name)


def rename(workspace: Workspace, name: str, new: str) -> str:
    """Give an adapter another name, and return it; stored prompts and the default follow. Raises `BadInput`.

    What it has painted keeps the name that the adapter had then.
    """
    _require(workspace, name)
    if not new.strip():
        raise BadInput("An adapter needs a name; enter one.")
    new = new_name(workspace, new.strip(), "")
    with as_bad_input(), workspace.writing() as db:
        for place in (f"$.{setting}" for setting in TEACHABLE.values()):
            db.execute(
                "update prompts set settings = json_set(settings, ?, ?) where json_extract(settings, ?) = ?",
                [place, new, place, name],
            )
        for setting in IN_USE.values():
            if json.loads(get_setting(db, setting, "null")) == name:
                put(db, setting, new)
        (folder(workspace) / name).rename(folder(workspace) / new)
        files.sync_folder(folder(workspace))
    return new


def drop(workspace: Workspace, name: str) -> None:
    """Delete an adapter. Its paintings stay, and know which parts it was taught with. Raises `BadInput`."""
    _require(workspace, name)
    for engine in IN_USE:
        if in_use(workspace, engine) == name:
            use(workspace, "", engine)
    place = folder(workspace)
    gone = place / f".{uuid.uuid4().hex[:12]}"
    with as_bad_input():
        (place / name).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def samples(workspace: Workspace, name: str) -> list[Path]:
    """The pictures that an adapter painted into crops of held-out parts."""
    return sorted((folder(workspace) / name).glob("sample-*.png"))
