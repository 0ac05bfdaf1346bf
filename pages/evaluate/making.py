"""Makes files of a run in the background: Figure 2 and the report.

Knows files and progress. Does not know what a figure shows.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core.errors import BadInput
from exdd_core.experiments import figure_two, write_figure, write_html
from exdd_core.progress import Progress
from exdd_core.sentences import count
from exdd_core.workspace import runs
from pages import html
from pages.evaluate import questions
from pages.evaluate.measuring import whole
from pages.evaluate.state import Evaluate
from pages.html import Answer
from pages.questions import One

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

MOST_ROWS = 24  # largest number of rows of Figure 2


def figure(shared: Evaluate, asked: questions.Figure) -> Answer:
    """Begin to draw Figure 2 as PNG and PDF, of the chosen images or of those on which methods disagree most."""
    found, ids = runs.get(shared.workspace, asked.id), asked.images
    most = whole(asked.count, "rows", 1, MOST_ROWS)
    if len(ids) > MOST_ROWS:
        raise BadInput(
            f"{count(len(ids), 'row is', 'rows are')} too many for one figure; choose at most {MOST_ROWS}."
        )

    def draw(progress: Progress) -> list[Path]:
        sheet = figure_two(shared.workspace, found, ids, most, progress)
        files = [_file(shared.workspace, f"figure-2-{found.id}.{ending}") for ending in ("png", "pdf")]
        for file in files:
            write_figure(sheet, file)
        return files

    return {"making": shared.making.begin("making", draw)}


def report(shared: Evaluate, asked: One) -> Answer:
    """Begin to write the report: one HTML file that opens offline."""
    found = runs.get(shared.workspace, asked.id)

    def write(progress: Progress) -> list[Path]:
        file = _file(shared.workspace, f"report-{found.id}.html")
        write_html(shared.workspace, found, file, progress)
        return [file]

    return {"making": shared.making.begin("making", write)}


def _file(workspace: Workspace, name: str) -> Path:
    folder = workspace.path / "cache" / "exports"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / name


def look(shared: Evaluate, asked: questions.Making) -> Answer:
    """The progress of a file, and its address once it is written."""
    made = shared.making.get(asked.making)
    if made is None:
        raise BadInput("The workbench has been restarted in the meantime; request the file again.")
    if not made.over.is_set():
        return {"over": False, "text": made.progress.text, "fraction": made.progress.fraction}
    shared.making.pop(asked.making, None)  # two tabs may look at once
    if made.was_cancelled:
        return {"over": True, "files": []}
    if made.error is not None:
        raise made.error
    return {
        "over": True,
        "files": [{"address": html.download_url(file), "name": file.name} for file in made.result or ()],
    }


def stop(shared: Evaluate, asked: questions.Making) -> Answer:
    made = shared.making.get(asked.making)
    if made is not None:
        made.cancel()
    return {}
