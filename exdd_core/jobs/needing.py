"""What still needs a bank version: stored measurements, and jobs that run or wait.

Knows runs and jobs. Does not know pages or commands.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from exdd_core.jobs.table import listed
from exdd_core.sentences import count
from exdd_core.workspace import runs

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

NAMED = 3  # most titles in a sentence
BY_NAME = ("bank", "base", "full")  # fields of a job's specification that name a version


def needing(workspace: Workspace, bank: str) -> str:
    """Sentences on what needs the bank version of that id, and what is lost without it; "" where nothing does."""
    said = []
    measured = [run.title for run in runs.using(workspace, bank)]
    if measured:
        said.append(
            f"{_many(measured, 'measurement')}. Without it, the figures cannot be measured again and the "
            "images cannot be opened."
        )
    version = workspace.bank(bank)
    called = {version.id, version.name, str(version.number)}  # whatever `Workspace.bank` takes
    at_work = [
        job.title
        for job in listed(workspace, active=True)
        if not called.isdisjoint(str(job.spec.get(name)) for name in BY_NAME)
    ]
    if at_work:
        said.append(f"{_many(at_work, 'job')}, and would fail.")
    return " ".join(said)


def _many(titles: Sequence[str], one: str) -> str:
    more = f" and {len(titles) - NAMED} more" if len(titles) > NAMED else ""
    verb = "needs" if len(titles) == 1 else "need"
    return f"{count(len(titles), one)} {verb} it ({'; '.join(titles[:NAMED])}{more})"
