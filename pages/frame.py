"""The frame around every page: header, what is next, the drawer of jobs, footer.

Knows the workspace, jobs and what `doctor` reports. Does not know what any one page shows.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import gradio as gr

from exdd_core import jobs, later
from exdd_core.workspace import context, doctor, unchanged, unfitted
from pages import html, next_steps
from pages.answers import answering, markup, on_load
from pages.guard.visitors import Visitor, visitor_of_request, without_places
from pages.html import Answer, text
from pages.job_panel import Outcome, outcome_of
from pages.questions import Id, Question

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

PAGES = [*html.PAGES.items()]  # title and path of every page, in the order of the header's links
TABS = 100  # whose last look is remembered
OFFERED = 12  # versions that the header offers
MARK = """<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
<circle cx="11.5" cy="16" r="8.5" fill="currentColor"/>
<circle cx="20.5" cy="16" r="8.5" fill="none" stroke="currentColor" stroke-width="2.5"/>
</svg>"""
THEME_BUTTON = """<button type="button" class="icon-button" data-theme-toggle title="Light or dark"
aria-label="Switch between light and dark"><svg viewBox="0 0 24 24" aria-hidden="true">
<circle cx="12" cy="12" r="8" fill="none" stroke="currentColor" stroke-width="2"/>
<path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor"/></svg></button>"""
JOBS_HTML = (Path(__file__).resolve().parent.parent / "assets" / "jobs.html").read_text("utf-8")

# By workspace, data set and stamp: the state of the database with which that stamp was right.
_LOOKED: dict[tuple[str, str, str], unchanged.State] = {}
_LOOKING = threading.Lock()  # several visitors look at once


@contextmanager
def frame(workspace: Workspace, path: str) -> Iterator[None]:
    """Header, what is next, and footer around a page's own components."""
    gr.Navbar(visible=False)
    _header(workspace, path)
    next_steps.render(workspace)
    with gr.Column(elem_classes="page", elem_id="content"):
        yield
    _footer(workspace)


def heading(title: str, hint: str) -> gr.Row:
    """The page's title with one line on its purpose. The row reserves its space: Gradio shows HTML a moment later. A
    page may show beside it what comes and goes."""
    with gr.Row(elem_classes="heading-slot") as row:
        markup(f'<h1 class="title">{text(title)}</h1><p class="hint">{text(hint)}</p>')
    return row


def _header(workspace: Workspace, path: str) -> None:
    links = "".join(
        f'<a href=".{url}"{" aria-current=page" if url == path else ""}>{text(title)}</a>'
        for title, url in PAGES
    )
    with gr.Row(elem_classes="frame-header"):
        skip = '<a class="skip" href="#content">Skip to the page</a>'
        brand = f'<a class="brand" href="./">{MARK}<span>ExDD Workbench</span></a>'
        markup(f'<div class="frame-links">{skip}{brand}<nav aria-label="Pages">{links}</nav></div>')
        markup(
            JOBS_HTML,
            js_on_load="exdd.jobs(element, server)",
            server_functions=[answering(look, workspace), answering(act, workspace)],
            elem_classes="frame-state-slot",
        )
        markup(THEME_BUTTON)


class Look(Question):
    """stamp: of what the script shows already."""

    stamp: Id = ""


class Act(Question):
    act: Literal["clear", "up", "down", "first", "cancel", "resume", "without"]
    id: Id = ""


def look(workspace: Workspace, asked: Look) -> Answer:
    """The data set and bank version that the tab works with, those to choose from, and the jobs; only the `stamp` where
    it equals the script's. loading: whether what takes seconds to import is being imported."""
    return {**_looked(workspace, asked), "loading": later.is_loading()}


def _looked(workspace: Workspace, asked: Look) -> Answer:
    known, state = (str(workspace.path), context.dataset(), asked.stamp), unchanged.state(workspace)
    if state is not None and _LOOKED.get(known) == state:
        return {"stamp": asked.stamp}
    shown = {
        "dataset": workspace.active_name() or "",
        "chips": _chips(workspace),
        "jobs": [_job_told(workspace, job) for job in jobs.listed(workspace)],
    }
    stamp = hashlib.sha256(json.dumps(shown).encode()).hexdigest()
    if asked.stamp != stamp:
        return {"stamp": stamp, **shown}
    if state is not None:
        with _LOOKING:
            while len(_LOOKED) >= TABS:
                del _LOOKED[next(iter(_LOOKED))]
            _LOOKED[known] = state
    return {"stamp": stamp}


def _chips(workspace: Workspace) -> list[Answer]:
    """What the header names, each with what else can be chosen. warning: why the two do not belong together, or ""."""
    name, bank, infos = workspace.active_name(), workspace.active_bank(), workspace.datasets()
    called = {info.name: info.called for info in infos}
    behind = " · being updated" if bank and unfitted.count(workspace, bank.id) else ""
    strange = bool(bank and name and bank.dataset != name)
    versions = [one for one in workspace.banks(name) if not one.is_measurement][:OFFERED] if name else []
    return [
        {
            "url": "./data",
            "label": "Data set",
            "value": called.get(name or "", name),
            "warning": "",
            "others": [{"title": info.called, "query": {"dataset": info.name}} for info in infos],
        },
        {
            "url": "./banks",
            "label": "Bank",
            "value": f"{bank.title} · {called.get(bank.dataset, bank.dataset)}{behind}" if bank else None,
            "warning": f"This version was built from a data set other than {called.get(name or '', name)}."
            if strange
            else "",
            "others": [
                {"title": f"Use {one.title}", "query": {"bank": one.name, "dataset": one.dataset}}
                for one in versions
            ],
        },
    ]


def act(workspace: Workspace, asked: Act) -> Answer:
    """Cancel, resume or move one job, or clear those that have ended; returns as `look`."""
    if asked.act == "clear":
        jobs.clear_ended(workspace)
    elif asked.act == "cancel":
        jobs.cancel(workspace, asked.id)
    elif asked.act == "resume" or asked.act == "without":
        jobs.resume(workspace, asked.id, without_missing=asked.act == "without")
    else:
        jobs.move(workspace, asked.id, asked.act)
    return look(workspace, Look())


def _job_told(workspace: Workspace, job: jobs.Job) -> Answer:
    outcome = outcome_of(job) if job.state == "done" else Outcome(job.text)
    return {
        "id": job.id,
        "title": job.title,
        "state": job.state,
        "text": outcome.said,
        "link": outcome.link,
        "fraction": job.fraction,
        "ended": job.ended,
        "lost": job.lost,
        "vain": _is_vain(workspace, job),
    }


def _is_vain(workspace: Workspace, job: jobs.Job) -> bool:
    """Whether a failed job would fail again: an import under a name that another data set has."""
    name = "" if job.kind != "import" or job.spec.get("into") else job.spec.get("name")
    return job.state == "failed" and bool(name) and workspace.dataset_row(str(name)) is not None


def _footer(workspace: Workspace) -> None:
    line = markup(elem_classes="frame-footer-slot")
    on_load(lambda: _footer_html(workspace), outputs=line)


def _signed_in_html(visitor: Visitor) -> str:
    if not visitor.name:
        return ""
    return (
        f'<form class="signed-in" method="post" action="./sign-out">Signed in as {text(visitor.name)} '
        f'({visitor.role}) <button class="plain-button">Sign out</button></form>'
    )


def _footer_html(workspace: Workspace) -> str:
    parts, told = [_signed_in_html(visitor_of_request())], "\n".join(doctor.lines(doctor.report(workspace)))
    for line in without_places(told, workspace).splitlines():
        label, _, value = line.partition(":")
        if label == "Versions":  # too long for one line
            parts.append(f"<details><summary>{label}</summary>{text(value.strip())}</details>")
        elif label != "Workspace":  # the line on the disk names it
            parts.append(f"<span><b>{text(label)}</b> {text(value.strip())}</span>")
    return f'<div class="frame-footer">{"".join(parts)}</div>'
