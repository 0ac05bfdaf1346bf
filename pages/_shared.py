"""What every page has in common: the frame (header, first steps, footer), sentences, progress, HTML buttons.

Pages put their parts between header and footer (`frame`) and speak to people through `note`, `sentences` and
`JobPanel`. This module asks the workspace, jobs and doctor what to show; it knows nothing of any one page.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import html
import json
import sqlite3
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote

import gradio as gr
from gradio.context import Context
from gradio.events import Dependency

from exdd_core import doctor, jobs
from exdd_core.errors import BadInput
from exdd_core.images import read_layer
from exdd_core.sentences import count

if TYPE_CHECKING:
    import numpy as np

    from exdd_core.workspace import DatasetInfo, Workspace

Handler = TypeVar("Handler", bound=Callable[..., Any])

# Title and path of every page, in the order of the header's links.
PAGES = [
    ("Inspect", "/"),
    ("Studio", "/studio"),
    ("Curate", "/curate"),
    ("Evaluate", "/evaluate"),
    ("Data", "/data"),
    ("Banks", "/banks"),
]

FIRST_STEPS = [
    ("Look at a heatmap", "/", "Inspect"),
    ("Paint a defect", "/studio", "Studio"),
    ("Accept it and look again", "/curate", "Curate"),
]
FIRST_STEPS_DISMISSED = "first_steps_dismissed"

MARK = """<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
<circle cx="11.5" cy="16" r="8.5" fill="currentColor"/>
<circle cx="20.5" cy="16" r="8.5" fill="none" stroke="currentColor" stroke-width="2.5"/>
</svg>"""
THEME_BUTTON = """<button type="button" class="icon-button" data-theme-toggle title="Light or dark"
aria-label="Switch between light and dark"><svg viewBox="0 0 24 24" aria-hidden="true">
<circle cx="12" cy="12" r="8" fill="none" stroke="currentColor" stroke-width="2"/>
<path d="M12 4a8 8 0 0 1 0 16z" fill="currentColor"/></svg></button>"""

JOBS_HTML = (Path(__file__).resolve().parent.parent / "assets" / "jobs.html").read_text("utf-8")

# A click on any [data-act] inside the component becomes one event `act` that carries the data- attributes.
BUTTONS_JS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-act]');
  if (button && element.contains(button)) { event.preventDefault(); trigger('act', { ...button.dataset }); }
});
"""


def markup(value: str = "", **options: Any) -> gr.HTML:
    """HTML that takes its looks from theme.css and not from Gradio's text styles."""
    return gr.HTML(value, apply_default_css=False, **options)


def buttons(value: str = "", **options: Any) -> gr.HTML:
    """HTML whose elements with data-act="..." raise `.act(handler)`; the event carries their data- names."""
    return markup(value, js_on_load=BUTTONS_JS, **options)


def answering(
    question: Callable[[Any, dict[str, Any]], dict[str, Any]], about: Any
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A function for a script in the browser: one object in, one out, every error a sentence in it (`error`)."""

    @functools.wraps(question)
    def answer(asked: dict[str, Any]) -> dict[str, Any]:
        try:
            return question(about, asked)
        except Exception as error:
            return {"error": sentence_of(error)}

    del answer.__wrapped__  # Gradio looks at the signature, which is of one object
    return answer


def text(value: object) -> str:
    """`value` made safe to stand in HTML, attributes included."""
    return html.escape(str(value), quote=True)


def layer_of(address: str) -> bytes:
    """The PNG in a data URL that an editor of the browser sends. Raises `BadInput` for none."""
    try:
        content = base64.b64decode(address.partition(",")[2])
    except ValueError:
        content = b""
    if not content:
        raise BadInput("The drawing did not arrive; save it again.")
    return content


def drawn(address: str) -> np.ndarray:
    """What is painted in it: bool (h, w) of the editor's copy. Raises `BadInput`."""
    return read_layer(layer_of(address), "The drawing")


def duration(seconds: float) -> str:
    """A time as people say it: "8 s", "2 min 5 s", "1 h 4 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 1 else "under 1 s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def file_size(octets: int) -> str:
    """Bytes as people say them: "14 KB", "3.2 MB"."""
    if octets < 1_000_000:
        return f"{max(1, round(octets / 1000))} KB"
    return f"{octets / 1_000_000:.1f} MB" if octets < 1_000_000_000 else f"{octets / 1_000_000_000:.1f} GB"


def thumbnail_url(image_id: str) -> str:
    """Address of a small picture of an image, with its mask's outline; made when a browser asks for it."""
    return f"/thumbnail?image={quote(image_id, safe='')}"


def inspect_url(image_id: str) -> str:
    """Address of the Inspect page with this image open."""
    return f"/?image={quote(image_id, safe='')}"


def download_url(path: Path) -> str:
    """Address of a file in the workspace's cache."""
    return f"/gradio_api/file={quote(str(path))}"


def picture_svg(jpeg: bytes, shape: tuple[int, ...], lines: list[list[tuple[int, int]]]) -> str:
    """A picture of an image of `shape` (H, W) with closed lines in the image's own pixels drawn over it."""
    height, width = shape[:2]
    area = f'width="{width}" height="{height}"'
    paths = "".join("M" + "L".join(f"{x} {y}" for x, y in line) + "Z" for line in lines)
    stroke = 'fill="none" stroke-linejoin="round" vector-effect="non-scaling-stroke"'
    outline = (
        f'<path d="{paths}" {stroke} stroke="#000" stroke-opacity=".55" stroke-width="4"/>'
        f'<path d="{paths}" {stroke} stroke="#4fd8ff" stroke-width="2"/>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" {area}>'
        f'<image href="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" {area}'
        f' preserveAspectRatio="none"/>{outline if paths else ""}</svg>'
    )


def active_dataset(workspace: Workspace) -> DatasetInfo | None:
    """The active data set, or None while there is none at all."""
    return workspace.dataset() if workspace.setting("active_dataset") else None


# ---- sentences -------------------------------------------------------------------------------------------


def note() -> gr.HTML:
    """A place for one sentence, hidden until `say` puts one there."""
    return markup(_note_html("info", ""), visible=False, elem_classes="note-slot")


def say(kind: str, sentence: str, link: tuple[str, str] | None = None) -> Any:
    """Update that shows `sentence` in a `note`, with a link (title, address) behind it; an empty one hides it.

    kind: info, done or error.
    """
    return gr.update(value=_note_html(kind, sentence, link), visible=bool(sentence))


def _note_html(kind: str, sentence: str, link: tuple[str, str] | None = None) -> str:
    icon = {"info": "i", "done": "✓", "error": "!"}[kind]
    role = "alert" if kind == "error" else "status"
    sign = f'<span class="note-icon" aria-hidden="true">{icon}</span>'
    after = f' <a href="{text(link[1])}">{text(link[0])}</a>' if link else ""
    return f'<p class="note {kind}" role="{role}">{sign}<span>{text(sentence)}{after}</span></p>'


def sentence_of(error: BaseException) -> str:
    """What a person reads when `error` happened; what is not their doing also goes to the terminal."""
    if isinstance(error, BadInput):
        return str(error)
    traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, (OSError, sqlite3.Error)):
        from exdd_core.workspace import plain_sentence

        return plain_sentence(error)
    return (
        f"Something went wrong that should not have ({type(error).__name__}); the terminal has the details."
    )


def sentences(place: gr.HTML) -> Callable[[Handler], Handler]:
    """Decorator for handlers that return {component: update}: what they raise is said in the note `place`.

    The note is emptied when the handler succeeds without saying something itself. `place` must be an output.
    """

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def run(*values: Any) -> dict[Any, Any]:
            try:
                return {place: say("info", "")} | (handler(*values) or {})
            except Exception as error:
                return {place: say("error", sentence_of(error))}

        return run  # type: ignore[return-value]

    return decorate


def empty(title: str, hint: str, action: str = "") -> str:
    """An empty state: what is missing, what to do, and the button or link (HTML) that does it."""
    return f'<div class="empty"><p class="empty-title">{text(title)}</p><p>{text(hint)}</p>{action}</div>'


def table(columns: list[tuple[str, str, str]], rows: list[str]) -> str:
    """A table whose columns (title, a second line, class) sort by a click; `rows` are whole <tr> elements.

    A cell sorts by its data-sort where it has one, else by its text.
    """

    def head(title: str, under: str, kind: str) -> str:
        button = f'<button type="button" class="sort">{text(title)}<span>{text(under)}</span></button>'
        return f'<th class="{kind}">{button if title else ""}</th>'

    heads = "".join(head(*column) for column in columns)
    inside = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="wide"><table class="table sortable">{inside}</table></div>'


@contextmanager
def folded(title: str) -> Iterator[None]:
    """A section that opens and closes by a click on its title.

    Its fields are there from the start. gr.Accordion makes them when it is opened and gives them their first values
    once more a frame later: what somebody typed by then, on a busy machine, was lost.
    """
    with gr.Column(elem_classes="folded"):
        markup(
            f'<button type="button" class="fold" aria-expanded="false">{text(title)}</button>',
            js_on_load="const button = element.querySelector('.fold');"
            "button.onclick = () => button.setAttribute('aria-expanded', button.ariaExpanded === 'false');",
        )
        with gr.Column(elem_classes="fold-body"):
            yield


def pager(page: int, size: int, number: int) -> str:
    """Buttons previous and next (data-act) around "61 to 120"; nothing where one page holds all `number`."""
    if number <= size:
        return ""
    first, last = page * size + 1, min((page + 1) * size, number)

    def button(act: str, title: str, possible: bool) -> str:
        disabled = "" if possible else " disabled"
        return f'<button type="button" class="plain-button small" data-act="{act}"{disabled}>{title}</button>'

    before, after = button("previous", "‹ Previous", page > 0), button("next", "Next ›", last < number)
    return f'<span class="pager">{before}<span>{first:,} to {last:,}</span>{after}</span>'


def on_load(handler: Callable[..., Any], **options: Any) -> None:
    """Run `handler` whenever somebody opens the page that is being built."""
    page = Context.root_block
    assert page is not None, "on_load belongs inside a page"
    page.load(handler, show_progress="hidden", **options)


# ---- long things -----------------------------------------------------------------------------------------


def bar(share: float, label: str) -> str:
    """A progress bar (0 to 1) with its label for people who do not see it."""
    value = f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * share:.0f}"'
    inside = f'<span style="width:{share:.1%}"></span>'
    return f'<span class="bar" role="progressbar" aria-label="{text(label)}" {value}>{inside}</span>'


EXPORTS = "exports"  # folder of the cache with what pages export
END_SAID = 3  # times, a second apart
QUIET: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}
STARTED = datetime.now(UTC).isoformat(
    timespec="milliseconds"
)  # pages tell of what ended since the program began


class JobPanel:
    """Where a page shows its own kinds of job: bar, count, time left and cancel; then how the last one ended.

    Asked once a second, so that a reloaded page shows the running job again, and whoever comes back reads how the
    last one ended.
    """

    def __init__(self, workspace: Workspace, *kinds: str):
        self.workspace, self.kinds = workspace, kinds
        self.panel = buttons(visible=False, elem_classes="job-panel")
        self.note = note()
        self._timer = gr.Timer(1.0)
        # What this page shows, and how often its end is still to be said: answers may overtake each other.
        self._shown = gr.State(("", 0))
        self._told: set[str] = set()  # ends that somebody has read

    def connect(self, refresh: Callable[[], dict[Any, Any]], outputs: list[Any]) -> None:
        """Start watching; call when every component in `outputs`, what `refresh` updates, exists."""

        def look(shown: tuple[str, int]) -> dict[Any, Any]:
            job, others = self._job()
            if job is None:
                return {self._shown: shown}
            if job.active:
                html = gr.update(value=_job_html(job, others), visible=True)
                return {self.panel: html, self.note: say("info", ""), self._shown: (job.id, END_SAID)}
            end = f"{job.id} {job.ended}"  # one that is resumed ends again
            if tuple(shown) == (end, 0):
                return {self._shown: shown}
            if shown[0] not in (job.id, end) and end in self._told:
                return {self._shown: (end, 0)}
            left = shown[1] if shown[0] == end else END_SAID
            over = self._over(job, end) | {self._shown: (end, left - 1)}
            return over | self._refreshed(refresh) if left == END_SAID else over

        everything = [self.panel, self.note, self._shown, *outputs]
        self._look: dict[str, Any] = {"fn": look, "inputs": self._shown, "outputs": everything}
        self._timer.tick(**self._look, **QUIET)
        self.panel.act(self._cancel, None, self.panel, **QUIET)

    def begin(self, kind: str, title: str, spec: dict[str, Any], upload: Path | None = None) -> None:
        """Queue a job of one of these kinds; chain `look_after` to the event. Raises BadInput for one pressed twice."""
        for job in jobs.listed(self.workspace, active=True):
            if job.kind == kind and upload is None and job.spec == spec:
                raise BadInput(
                    f'"{job.title}" with these very settings is on its way already; see Jobs above.'
                )
        jobs.submit(self.workspace, kind, title, spec, upload=upload)

    def look_after(self, event: Dependency) -> None:
        """Show at once what `event`'s handler has begun, and not only at the next second."""
        event.then(**self._look, **QUIET)

    def _job(self) -> tuple[jobs.Job | None, int]:
        """The job to show, which is the first that runs or waits, else the last that ended; how many wait behind it."""
        mine = [job for job in jobs.listed(self.workspace) if job.kind in self.kinds]
        active = [job for job in mine if job.active]
        if active:
            return active[0], len(active) - 1
        return next((job for job in mine if job.ended > STARTED), None), 0

    def _over(self, job: jobs.Job, end: str) -> dict[Any, Any]:
        self._told.add(end)
        if job.state == "done":
            outcome = outcome_of(job)
            said = say("done", outcome.said, outcome.link)
        elif job.state == "failed":
            said = say("error", job.error)
        elif job.state == "interrupted":
            said = say("info", f"{job.title}: interrupted when the program ended. Resume it in Jobs above.")
        else:
            said = say("info", f"{job.title}: cancelled, and nothing was changed.")
        return {self.panel: gr.update(visible=False), self.note: said}

    def _refreshed(self, refresh: Callable[[], dict[Any, Any]]) -> dict[Any, Any]:
        try:
            return refresh()
        except Exception as error:
            return {self.note: say("error", sentence_of(error))}

    def _cancel(self, event: gr.EventData) -> Any:
        jobs.cancel(self.workspace, event.id)
        return gr.skip()


def _job_html(job: jobs.Job, others: int) -> str:
    behind = f" · {others} more behind it" if others else ""
    return (
        f'<div class="job"><p class="job-title">{text(job.title)}</p>{bar(job.fraction, job.title)}'
        f'<p class="job-line"><span>{text(job.text)}{behind}</span>'
        f'<button type="button" class="plain-button" data-act="cancel" data-id="{job.id}">Cancel</button></p></div>'
    )


class Outcome(NamedTuple):
    """What came of a job that is done: a sentence, and where to go from there as (title, address)."""

    said: str
    link: tuple[str, str] | None = None


def outcome_of(job: jobs.Job) -> Outcome:
    """Of a job that is done."""
    return OUTCOMES[job.kind](job, job.result or {})


def _built(job: jobs.Job, made: dict[str, Any]) -> Outcome:
    summary = made["summary"]
    rows = f"{summary['negative_rows']:,} normal and {summary['positive_rows']:,} defect rows"
    active = " It is active now." if made["active"] else ""
    said = f"Built {made['name']} in {duration(made['seconds'])} from {made['dataset']}: {rows}.{active}"
    return Outcome(said, ("Look at it in Inspect", "/"))


def _imported(job: jobs.Job, made: dict[str, Any]) -> Outcome:
    images = count(made["images"], "image")
    if "joined" in made:
        return Outcome(
            " ".join(made["sentences"]), ("Rebuild the bank", "/banks") if made["changed"] else None
        )
    if not made["changed"]:
        return Outcome(f"{made['dataset']} is here already with the same {images}; nothing changed.")
    return Outcome(f"Imported {images} as {made['dataset']}.", ("Build banks from them", "/banks"))


def _scored(job: jobs.Job, made: dict[str, Any]) -> Outcome:
    broken = made["unreadable"]
    said = f"Scored, but {count(broken, 'image')} could not be read." if broken else "Scored."
    return Outcome(said, ("Look at them in Inspect", "/"))


def _painted(job: jobs.Job, made: dict[str, Any]) -> Outcome:
    failed = f"; {made['failed']:,} could not be painted: {made['reasons'][0]}" if made["failed"] else "."
    said = f"{count(made['made'], 'candidate')}{failed}"
    return Outcome(said, ("Open in Studio", "/studio"))


def _evaluated(job: jobs.Job, made: dict[str, Any]) -> Outcome:
    found = ", ".join(f"{name} {values['image_auroc']:.3f}" for name, values in made["methods"].items())
    said = f"Image AUROC on {made['dataset']}: {found}."
    return Outcome(said, ("Open in Evaluate", f"/evaluate?run={made['run']}"))


def _exported(job: jobs.Job, made: dict[str, Any]) -> Outcome:
    path = Path(made["path"])  # elsewhere than in the cache where the command line said so
    link = ("Download", download_url(path)) if path.parent.name == EXPORTS else None
    return Outcome(" ".join(made["sentences"]), link)


OUTCOMES: dict[str, Callable[[jobs.Job, dict[str, Any]], Outcome]] = {
    "build": _built,
    "import": _imported,
    "demo": lambda job, made: Outcome(
        "The demo images and a first bank version are made.", ("Look at them in Inspect", "/")
    ),
    "score": _scored,
    "export": lambda job, made: Outcome(
        "The zip file is ready.", ("Download", download_url(Path(made["path"])))
    ),
    "export_dataset": _exported,
    "synthesize": _painted,
    "evaluate": _evaluated,
    "table1": _evaluated,
    "sweep": _evaluated,
    "map": lambda job, made: Outcome(
        f"The map of {made['name']} by UMAP is made.", ("Look at it in Banks", "/banks")
    ),
}


# ---- the frame -------------------------------------------------------------------------------------------


@contextmanager
def frame(workspace: Workspace, path: str) -> Iterator[None]:
    """Header, first steps and footer around a page's own components."""
    gr.Navbar(visible=False)
    _header(workspace, path)
    _first_steps(workspace, path)
    with gr.Column(elem_classes="page"):
        yield
    _footer(workspace)


def heading(title: str, hint: str) -> None:
    """The page's title with one line of what it is for; as with `_first_steps`, the row keeps its room."""
    with gr.Row(elem_classes="heading-slot"):
        markup(f'<h1 class="title">{text(title)}</h1><p class="hint">{text(hint)}</p>')


def _header(workspace: Workspace, path: str) -> None:
    links = "".join(
        f'<a href="{url}"{" aria-current=page" if url == path else ""}>{text(title)}</a>'
        for title, url in PAGES
    )
    with gr.Row(elem_classes="frame-header"):
        brand = f'<a class="brand" href="/">{MARK}<span>ExDD Workbench</span></a>'
        markup(f'<div class="frame-links">{brand}<nav aria-label="Pages">{links}</nav></div>')
        markup(
            JOBS_HTML,
            js_on_load="exdd.jobs(element, server)",
            server_functions=[answering(look, workspace), answering(act, workspace)],
            elem_classes="frame-state-slot",
        )
        markup(THEME_BUTTON)


def look(workspace: Workspace, asked: dict[str, Any]) -> dict[str, Any]:
    """Active data set and bank version, and the jobs; only a `stamp` where it is still the one asked with."""
    bank = workspace.active_bank()
    shown = {
        "chips": [
            {"url": "/data", "label": "Data set", "value": workspace.setting("active_dataset")},
            {"url": "/banks", "label": "Bank", "value": f"{bank.name} · {bank.dataset}" if bank else None},
        ],
        "jobs": [_job_told(job) for job in jobs.listed(workspace)],
    }
    stamp = hashlib.sha256(json.dumps(shown).encode()).hexdigest()
    return {"stamp": stamp} if asked.get("stamp") == stamp else {"stamp": stamp, **shown}


def act(workspace: Workspace, asked: dict[str, Any]) -> dict[str, Any]:
    """Cancel, resume or move one job, or clear those that have ended; then as `look`."""
    if asked["act"] == "clear":
        jobs.clear_ended(workspace)
    elif asked["act"] in ("up", "down", "first"):
        jobs.move(workspace, asked["id"], asked["act"])
    else:
        {"cancel": jobs.cancel, "resume": jobs.resume}[asked["act"]](workspace, asked["id"])
    return look(workspace, {})


def _job_told(job: jobs.Job) -> dict[str, Any]:
    outcome = outcome_of(job) if job.state == "done" else Outcome(job.text)
    return {
        "id": job.id,
        "title": job.title,
        "state": job.state,
        "text": outcome.said,
        "link": outcome.link,
        "fraction": job.fraction,
        "ended": job.ended,
    }


def first_style(workspace: Workspace) -> str:
    """What a page's <head> holds beside what is always there: a strip that was dismissed never takes any room."""
    try:
        dismissed = workspace.setting(FIRST_STEPS_DISMISSED, False)
    except BadInput:  # the page itself will say it
        return ""
    return "<style>.gradio-container .first-steps-slot { display: none; }</style>" if dismissed else ""


def _first_steps(workspace: Workspace, path: str) -> None:
    """The strip that a newcomer sees until they dismiss it, for good.

    Gradio shows rows at once and HTML a moment later: the row keeps the strip's room, so that nothing moves.
    """
    steps = "".join(
        f'<li><a href="{url}"{" aria-current=step" if url == path else ""}><span class="step">{number}</span>'
        f'{text(title)} <span class="step-page">{text(page)}</span></a></li>'
        for number, (title, url, page) in enumerate(FIRST_STEPS, 1)
    )
    with gr.Row(elem_classes="first-steps-slot") as slot:
        strip = buttons(
            f'<div class="first-steps"><span class="first-steps-title">First steps</span><ol>{steps}</ol>'
            '<button type="button" class="plain-button" data-act="dismiss">Dismiss</button></div>'
        )

    def dismiss() -> Any:
        workspace.set_setting(FIRST_STEPS_DISMISSED, True)
        return gr.update(visible=False)

    strip.act(dismiss, None, slot, queue=False, show_progress="hidden", api_visibility="private")


def _footer(workspace: Workspace) -> None:
    line = markup(elem_classes="frame-footer-slot")
    on_load(lambda: _footer_html(workspace), outputs=line, api_visibility="private")


def _footer_html(workspace: Workspace) -> str:
    parts = []
    for line in doctor.lines(doctor.report(workspace)):
        label, _, value = line.partition(":")
        if label == "Versions":  # too many for one line
            parts.append(f"<details><summary>{label}</summary>{text(value.strip())}</details>")
        elif label != "Workspace":  # the disk's line names it
            parts.append(f"<span><b>{text(label)}</b> {text(value.strip())}</span>")
    return f'<div class="frame-footer">{"".join(parts)}</div>'
