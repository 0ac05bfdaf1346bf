"""What every page has in common: the frame (header, first steps, footer), sentences, progress, HTML buttons.

Pages put their parts between header and footer (`frame`) and speak to people through `note`, `sentences` and
`JobPanel`. This module asks the workspace, jobs and doctor what to show; it knows nothing of any one page.
"""

from __future__ import annotations

import base64
import functools
import html
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import gradio as gr
from gradio.context import Context
from gradio.events import Dependency

from exdd_core import doctor, jobs
from exdd_core.errors import BadInput
from exdd_core.progress import Progress

if TYPE_CHECKING:
    from exdd_core.workspace import DatasetInfo, Workspace

Handler = TypeVar("Handler", bound=Callable[..., Any])

# Title and path of every page, in the order of the header's links.
PAGES = [("Inspect", "/"), ("Data", "/data"), ("Banks", "/banks")]

FIRST_STEPS = [
    ("Look at a heatmap", "/", "Inspect"),
    ("Bring your own images", "/data", "Data"),
    ("Build banks from them", "/banks", "Banks"),
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


def text(value: object) -> str:
    """`value` made safe to stand in HTML, attributes included."""
    return html.escape(str(value), quote=True)


def count(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 image", "1,204 images"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


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


def thumbnail_url(image_id: str, *, outline: bool = True) -> str:
    """Address of a small picture of an image, with its mask's outline; made when a browser asks for it."""
    return f"/thumbnail?image={quote(image_id, safe='')}" + ("" if outline else "&outline=0")


def inspect_url(image_id: str) -> str:
    """Address of the Inspect page with this image open."""
    return f"/?image={quote(image_id, safe='')}"


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


def note(kind: str = "info", sentence: str = "") -> gr.HTML:
    """A place for one sentence, hidden while there is none. `kind`: info, done or error."""
    return markup(_note_html(kind, sentence), visible=bool(sentence), elem_classes="note-slot")


def say(kind: str, sentence: str) -> Any:
    """Update that shows `sentence` in a `note`; an empty one hides it."""
    return gr.update(value=_note_html(kind, sentence), visible=bool(sentence))


def _note_html(kind: str, sentence: str) -> str:
    icon = {"info": "i", "done": "✓", "error": "!"}[kind]
    role = "alert" if kind == "error" else "status"
    sign = f'<span class="note-icon" aria-hidden="true">{icon}</span>'
    return f'<p class="note {kind}" role="{role}">{sign}<span>{text(sentence)}</span></p>'


def sentence_of(error: BaseException) -> str:
    """What a person reads when `error` happened; what is not their doing also goes to the terminal."""
    if isinstance(error, BadInput):
        return str(error)
    traceback.print_exception(error, file=sys.stderr)
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


END_SAID = 3  # times, a second apart
QUIET: dict[str, Any] = {"show_progress": "hidden", "queue": False, "api_visibility": "private"}


class JobPanel:
    """Where a page shows its own kind of job: bar, count, time left and cancel; then how it ended.

    Asked once a second, so that a reloaded page shows the running job again, and whoever comes back reads how the
    last one ended. `ended(job)` gives the sentence for a job that is done.
    """

    def __init__(self, kind: str, ended: Callable[[jobs.ThreadJob], str]):
        self.kind, self._ended = kind, ended
        self.panel = buttons(visible=False, elem_classes="job-panel")
        self.note = note()
        self._timer = gr.Timer(1.0)
        # The job this page shows, and how often its end is still to be said: answers may overtake each other.
        self._shown = gr.State(("", 0))
        self._told: set[str] = set()  # jobs whose end somebody has read

    def connect(self, refresh: Callable[[], dict[Any, Any]], outputs: list[Any]) -> None:
        """Start watching; call when every component in `outputs`, what `refresh` updates, exists."""

        def look(shown: tuple[str, int]) -> dict[Any, Any]:
            job = self._job()
            if job is None or tuple(shown) == (job.id, 0):
                return {self._shown: shown}
            if job.state == "running":
                html = gr.update(value=_job_html(job), visible=True)
                return {self.panel: html, self.note: say("info", ""), self._shown: (job.id, END_SAID)}
            if shown[0] != job.id and job.id in self._told:
                return {self._shown: (job.id, 0)}
            left = shown[1] if shown[0] == job.id else END_SAID
            over = self._over(job) | {self._shown: (job.id, left - 1)}
            return over | self._refreshed(refresh) if left == END_SAID else over

        everything = [self.panel, self.note, self._shown, *outputs]
        self._look: dict[str, Any] = {"fn": look, "inputs": self._shown, "outputs": everything}
        self._timer.tick(**self._look, **QUIET)
        self.panel.act(self._cancel, None, self.panel, **QUIET)

    def begin(self, title: str, work: Callable[[Progress], Any]) -> None:
        """Start a job of this kind; chain `look_after` to the event. Raises BadInput while another runs."""
        jobs.start(self.kind, title, work)

    def look_after(self, event: Dependency) -> None:
        """Show at once what `event`'s handler has begun, and not only at the next second."""
        event.then(**self._look, **QUIET)

    def _job(self) -> jobs.ThreadJob | None:
        job = jobs.current()
        return job if job and job.kind == self.kind else None

    def _over(self, job: jobs.ThreadJob) -> dict[Any, Any]:
        self._told.add(job.id)
        if job.state == "done":
            said = say("done", self._ended(job))
        elif job.state == "cancelled":
            said = say("info", f"{job.title}: cancelled, and nothing was changed.")
        else:
            said = say("error", job.error)
        return {self.panel: gr.update(visible=False), self.note: said}

    def _refreshed(self, refresh: Callable[[], dict[Any, Any]]) -> dict[Any, Any]:
        try:
            return refresh()
        except Exception as error:
            return {self.note: say("error", sentence_of(error))}

    def _cancel(self) -> Any:
        job = self._job()
        if job:
            job.cancel()
        return gr.skip()


def _job_html(job: jobs.ThreadJob) -> str:
    return (
        f'<div class="job"><p class="job-title">{text(job.title)}</p>{bar(job.progress.fraction, job.title)}'
        f'<p class="job-line"><span>{text(job.progress.text)}</span>'
        f'<button type="button" class="plain-button" data-act="cancel">Cancel</button></p></div>'
    )


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
    """The page's title with one line of what it is for."""
    markup(f'<h1 class="title">{text(title)}</h1><p class="hint">{text(hint)}</p>')


def _header(workspace: Workspace, path: str) -> None:
    links = "".join(
        f'<a href="{url}"{" aria-current=page" if url == path else ""}>{text(title)}</a>'
        for title, url in PAGES
    )
    with gr.Row(elem_classes="frame-header"):
        brand = f'<a class="brand" href="/">{MARK}<span>ExDD Workbench</span></a>'
        markup(f'<div class="frame-links">{brand}<nav aria-label="Pages">{links}</nav></div>')
        state = markup(_state_html(workspace), elem_classes="frame-state-slot")
        markup(THEME_BUTTON)
    seen = gr.State("")

    def refresh(before: str) -> tuple[Any, str]:
        now = _state_html(workspace)
        return (gr.skip(), before) if now == before else (now, now)

    quiet: dict[str, Any] = {"queue": False, "api_visibility": "private"}
    on_load(refresh, inputs=seen, outputs=[state, seen], **quiet)
    gr.Timer(1.5).tick(refresh, seen, [state, seen], show_progress="hidden", **quiet)


def _state_html(workspace: Workspace) -> str:
    """Running job, active data set and active bank version, as the header shows them."""
    parts = []
    job = jobs.current()
    if job and job.state == "running":
        parts.append(
            f'<span class="frame-job" title="{text(job.title)}">{bar(job.progress.fraction, job.title)}'
            f"<span>{text(job.progress.text)}</span></span>"
        )
    dataset, bank = active_dataset(workspace), workspace.active_bank()
    parts.append(_chip("/data", "Data set", dataset.name if dataset else "none yet"))
    parts.append(_chip("/banks", "Bank", f"{bank.name} · {bank.dataset}" if bank else "none yet"))
    return f'<div class="frame-state">{"".join(parts)}</div>'


def _chip(url: str, label: str, value: str) -> str:
    return f'<a class="chip" href="{url}"><span class="chip-label">{label}</span> {text(value)}</a>'


def _first_steps(workspace: Workspace, path: str) -> None:
    """The strip that a newcomer sees until they dismiss it, for good."""
    steps = "".join(
        f'<li><a href="{url}"{" aria-current=step" if url == path else ""}><span class="step">{number}</span>'
        f'{text(title)} <span class="step-page">{text(page)}</span></a></li>'
        for number, (title, url, page) in enumerate(FIRST_STEPS, 1)
    )
    strip = buttons(
        f'<div class="first-steps"><span class="first-steps-title">First steps</span><ol>{steps}</ol>'
        '<button type="button" class="plain-button" data-act="dismiss">Dismiss</button></div>',
        visible=not workspace.setting(FIRST_STEPS_DISMISSED, False),
    )

    def dismiss() -> Any:
        workspace.set_setting(FIRST_STEPS_DISMISSED, True)
        return gr.update(visible=False)

    def visible() -> Any:
        return gr.update(visible=not workspace.setting(FIRST_STEPS_DISMISSED, False))

    strip.act(dismiss, None, strip, queue=False, show_progress="hidden", api_visibility="private")
    on_load(visible, outputs=strip, queue=False, api_visibility="private")


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
