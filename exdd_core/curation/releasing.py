"""Makes a bank version the active one where the gate lets it: after a build, and when somebody asks for it.

Knows builds, the gate and which version is active. Does not know jobs, pages or how a version is tried.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from exdd_core.banks.building import build_bank
from exdd_core.curation import gate
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.workspace.versions import activate_bank

if TYPE_CHECKING:
    from exdd_core.banks.options import BuildOptions
    from exdd_core.workspace import BankVersion, Workspace


class Released(NamedTuple):
    """A version that was built. held: one sentence where it was to become active and did not, else "". lines: what the
    gate said, image by image, what fails first."""

    bank: BankVersion
    held: str = ""
    lines: tuple[str, ...] = ()


def release(workspace: Workspace, id: str, anyway: bool = False) -> gate.Gate | None:
    """Make a version active unless the gate holds it back. anyway: without asking it, which returns None.

    Raises BadInput for an unknown version.
    """
    found = None if anyway else gate.look(workspace, id)
    if found is None or not found.holds:
        activate_bank(workspace, id)
    return found


def build_and_release(
    workspace: Workspace, options: BuildOptions, progress: Progress, coreset_state: Path | None = None
) -> Released:
    """Build a version as `build_bank` does; where it is to become active, the gate is asked first.

    The first version of a workspace becomes active at once. One that cannot be tried is kept and not active.
    """
    kept = options.model_copy(update={"activate": False})
    bank = build_bank(workspace, kept, progress=progress, coreset_state=coreset_state)
    if bank.active or not options.activate:
        return Released(bank)
    progress.begin("Testing the version on marked images", 1)
    try:
        found = gate.look(workspace, bank.id)
    except BadInput as error:  # such as the damaged file of a marked image
        return Released(bank, f"{bank.name} could not be tested on the marked images: {error}")
    progress.advance()
    if found.holds:
        return Released(bank, found.sentence, tuple(found.lines))
    activate_bank(workspace, bank.id)
    return Released(workspace.bank(bank.id), "", tuple(found.lines))
