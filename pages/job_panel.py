"""A page's panel for its own jobs: progress, cancel, and the result.

Knows jobs and Gradio. Does not know what a job does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import gradio as gr
from gradio.events import Dependency

from exdd_core import jobs
from exdd_core.errors import BadInput
from exdd_core.sentences import count
from exdd_core.workspace.clock import now
from pages.answers import BUTTONS_JS, QUIET, explained, markup, note, say, toasted, told
from pages.html import bar, download_url, duration, text

if TYPE_CHECKING:
    from exdd_core.curation.searching import Searched
    from exdd_core.jobs.results import Built, Exported, Imported, Scored
    from exdd_core.measurements import RunResult
    from exdd_core.studio.batch import Painted
    from exdd_core.workspace import Workspace

EXPORTS = "exports"  # folder of the cache for exported files
HELD_SAID = 3  # lines of the gate that the end of a build repeats
MOST_TOLD = 100  # ends that a panel remembers, as many as the list of jobs
END_SAID = 3  # number of updates that show a job's end
# The header's script (assets/jobs) says when the list of jobs has changed, and some seconds more.
LOOK_JS = "document.addEventListener('exdd-jobs', () => trigger('act', {})); trigger('act', {});"
PANEL_JS = BUTTONS_JS + "exdd.panel(element);"
# Brings a job that somebody has just begun to sight, wherever the form is.
SEEN_JS = """() => requestAnimationFrame(() => requestAnimationFrame(() =>
  document.querySelector('.heading-job .job')?.scrollIntoView({ block: 'nearest' })))"""
STARTED = now()  # pages show jobs that ended after this


class JobPanel:
    """The panel for jobs of some kinds: bar, count, time left and cancel; afterwards, how the last one ended.

    It updates when the page is opened and when the list of jobs changes, so a reloaded page shows the running job or
    the end of the last one.
    """

    def __init__(self, workspace: Workspace, *kinds: str):
        self.workspace, self.kinds = workspace, kinds
        self.panel = markup(visible=False, js_on_load=PANEL_JS, elem_classes="job-panel")
        self.note = note()
        self._changes = markup("", js_on_load=LOOK_JS, visible="hidden")
        # The shown job, and how many more updates show its end, since an update may overtake another.
        self._shown, self._left = gr.Textbox(visible=False), gr.Number(0, visible=False)
        self._told: dict[str, None] = {}  # ends that were shown, the last one last

    def connect(self, refresh: Callable[[], dict[Any, Any]], outputs: list[Any]) -> None:
        """Start updating. Call once every component in `outputs`, which `refresh` updates, exists."""

        def look(shown: str, left: float) -> dict[Any, Any]:
            job, others = self._job()
            if job is None:
                return {self._shown: shown}
            if job.active:
                html = gr.update(value=_job_html(job, others), visible=True)
                return {self.panel: html, self.note: say("info", ""), self._shown: job.id}
            end = f"{job.id} {job.ended}"  # a resumed job ends again
            if (shown, left) == (end, 0):
                return {self._shown: shown}
            if shown not in (job.id, end) and end in self._told:
                return {self._shown: end, self._left: 0}
            left = left if shown == end else END_SAID
            over = self._over(job, end) | {self._shown: end, self._left: left - 1}
            return over | self._refreshed(refresh) if left == END_SAID else over

        kept = [self._shown, self._left]
        self._look = look, kept, [self.panel, self.note, *kept, *outputs]
        # A look that is asked for while one is on its way comes after it, or the end of a job could be missed.
        self._changes.act(*self._look, trigger_mode="always_last", **QUIET)
        self.panel.act(self._act, None, self.panel, **QUIET)

    def begin(self, kind: str, title: str, spec: Mapping[str, Any], upload: Path | None = None) -> None:
        """Queue a job; chain `look_after` to the event. Raises `BadInput` where the same job waits or runs."""
        for job in jobs.listed(self.workspace, active=True):
            if job.kind == kind and upload is None and job.spec == spec:
                raise BadInput(
                    f'"{job.title}" with these exact settings is already queued or running; see Jobs above.'
                )
        jobs.submit(self.workspace, kind, title, spec, upload=upload)

    def look_after(self, event: Dependency) -> Dependency:
        """Update the panel right after `event`, before the header looks at the jobs."""
        return event.then(*self._look, **QUIET)

    def _job(self) -> tuple[jobs.Job | None, int]:
        """The job to show (the first active one, else the last that ended), and how many wait after it."""
        mine = [job for job in jobs.listed(self.workspace) if job.kind in self.kinds]
        active = [job for job in mine if job.active]
        if active:
            return active[0], len(active) - 1
        return next((job for job in mine if job.ended > STARTED), None), 0

    def _over(self, job: jobs.Job, end: str) -> dict[Any, Any]:
        self._told[end] = None
        while len(self._told) > MOST_TOLD:
            self._told.pop(next(iter(self._told)), None)
        if job.state == "done":
            outcome = outcome_of(job)
            said = say("done", outcome.said, outcome.link)
        elif job.state == "failed":
            said = say("error", job.error)
        elif job.state == "interrupted":
            why = job.error or "interrupted when the program ended; resume it in Jobs above."
            said = say("info", f"{job.title}: {why}")
        else:
            said = say("info", f"{job.title}: cancelled, and nothing was changed.")
        offer = gr.update(value=_without_html(job), visible=True) if job.lost else gr.update(visible=False)
        return {self.panel: offer, self.note: said}

    def _refreshed(self, refresh: Callable[[], dict[Any, Any]]) -> dict[Any, Any]:
        try:
            return refresh()
        except Exception as error:
            return {self.note: say("error", explained(error))}

    @toasted
    def _act(self, event: gr.EventData) -> Any:
        if told(event, "act", "cancel", "without") == "without":
            jobs.resume(self.workspace, told(event, "id"), without_missing=True)
            return gr.update(visible=False)
        jobs.cancel(self.workspace, told(event, "id"))
        return gr.skip()


def _job_html(job: jobs.Job, others: int) -> str:
    behind = f"<span> · {others} more behind it</span>" if others else ""
    told = f' data-fraction="{job.fraction}" data-text="{text(job.text)}"' if job.state == "running" else ""
    return (
        f'<div class="job" data-id="{job.id}"{told}><p class="job-title">{text(job.title)}</p>'
        f"{bar(job.fraction, job.title)}"
        f'<p class="job-line"><span><span class="job-told">{text(job.text)}</span>{behind}</span>'
        f'<button type="button" class="plain-button" data-act="cancel" data-id="{job.id}">Cancel</button></p></div>'
    )


def _without_html(job: jobs.Job) -> str:
    act = f'data-act="without" data-id="{job.id}"'
    return f'<button type="button" class="plain-button" {act}>Go on without them</button>'


class Outcome(NamedTuple):
    """The result of a job: a sentence, and a link (title, address) to continue with."""

    said: str
    link: tuple[str, str] | None = None


def outcome_of(job: jobs.Job) -> Outcome:
    """The result of a job that is done."""
    return OUTCOMES[job.kind](job, job.result or {})


def _built(job: jobs.Job, made: Built) -> Outcome:
    summary = made["summary"]
    rows = f"{summary['negative_rows']:,} normal and {count(summary['positive_rows'], 'defect row')}"
    active = " It is active now." if made["active"] else ""
    said = f"Built {made['name']} in {duration(made['seconds'])} from {made['dataset']}: {rows}.{active}"
    if held := made.get("held"):
        why = "; ".join(made["lines"][:HELD_SAID])
        said += f" {held} {why}{'. ' if why else ''}Activate on Banks lists every image and can activate it anyway."
    return Outcome(said, ("Open in Inspect", "./"))


def _imported(job: jobs.Job, made: Imported) -> Outcome:
    images = count(made["images"], "image")
    if "joined" in made:
        return Outcome(
            " ".join(made["sentences"]), ("Rebuild the bank", "./banks") if made["changed"] else None
        )
    if not made["changed"]:
        return Outcome(f"{made['dataset']} already exists with the same {images}; nothing changed.")
    return Outcome(f"Imported {images} as {made['dataset']}.", ("Build banks from them", "./banks"))


def _scored(job: jobs.Job, made: Scored) -> Outcome:
    broken = made["unreadable"]
    said = f"Scored, but {count(broken, 'image')} could not be read." if broken else "Scored."
    return Outcome(said, ("Open in Inspect", "./"))


def _painted(job: jobs.Job, made: Painted) -> Outcome:
    said = f"Painted {count(made['made'], 'candidate')}."
    if made["failed"]:
        said = f"Painted {made['made']:,} of {count(made['ordered'], 'candidate')}; "
        said += f"{made['failed']:,} could not be painted: {made['reasons'][0]}"
    if job.spec.get("search"):
        said = " ".join((said, *_searched(cast("Searched", made)))).strip()
    drafts = bool(job.spec.get("axes")) and not job.spec.get("search")  # the cells of a comparison
    return Outcome(
        said, ("Compare them in Studio", "./studio") if drafts else ("Decide on them in Curate", "./curate")
    )


def _searched(made: Searched) -> list[str]:
    """What a search found: the best combination, how many are as good, and why it ended early."""
    best, *others = made["arms"]
    alike = sum(one["useful"] * best["tried"] == best["useful"] * one["tried"] > 0 for one in others)
    also = f"; {alike} more equally so" if alike else ""
    of_use = f"{best['useful']} of {count(best['tried'], 'painting')} visible, plausible and new"
    found = f"Most useful: {best['words']} ({of_use}{also})."
    return [found if best["useful"] else "None was visible, plausible and new.", made["stopped"]]


def _evaluated(job: jobs.Job, made: RunResult) -> Outcome:
    from exdd_core.experiments import short_title  # scikit-learn lies behind it

    named = "with {} painted" if job.kind == "sweep" else "{}"
    found = ", ".join(
        f"{named.format(short_title(name))} {values['image_auroc']:.3f}"
        for name, values in made["methods"].items()
    )
    said = f"Image AUROC on {made['dataset']}: {found}."
    return Outcome(said, ("Open in Evaluate", f"./evaluate?run={made['run']}"))


def _exported(job: jobs.Job, made: Exported) -> Outcome:
    path = Path(made["path"])  # outside the cache if the command line exported it
    link = ("Download", download_url(path)) if path.parent.name == EXPORTS else None
    return Outcome(" ".join(made["sentences"]), link)


OUTCOMES: dict[str, Callable[[jobs.Job, Any], Outcome]] = {
    "build": _built,
    "import": _imported,
    "demo": lambda job, made: Outcome(
        "The demo images and a first bank version are ready.", ("Open in Inspect", "./")
    ),
    "score": _scored,
    "export": lambda job, made: Outcome("The file is ready.", ("Download", download_url(Path(made["path"])))),
    "export_dataset": _exported,
    "synthesize": _painted,
    "teach": lambda job, made: Outcome(made["sentence"], ("Paint with it in Studio", "./studio")),
    "evaluate": _evaluated,
    "table1": _evaluated,
    "sweep": _evaluated,
    "compare": lambda job, made: Outcome(
        f"The candidates of {made['dataset']} have been compared with its real defects.",
        ("Open in Curate", "./curate"),
    ),
    "map": lambda job, made: Outcome(
        f"The UMAP map of {made['name']} is ready.", ("Open in Banks", "./banks")
    ),
}
