"""What a build takes.

Knows names, types and bounds. Does not know how a bank is built.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exdd_core.workspace import candidates

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace


def rebuild_spec(workspace: Workspace, id: str | None = None) -> dict[str, Any]:
    """What the job "build" takes to build a version (None: the active one) again, of what is known and decided now."""
    version = workspace.bank(id)
    kept = version.settings
    positives = kept.get("positives", "real")
    if positives == "real" and candidates.count(workspace, version.dataset, "accepted"):
        positives = "both"  # what was accepted has come to it since, and is to stay
    names = (
        "max_real_parts",
        "seed",
        "negative_ratio",
        "positive_ratio",
        "size",
        "keep_aspect",
        "backbone",
        "fusion",
    )
    return {"dataset": version.dataset, "positives": positives} | {name: kept.get(name) for name in names}
