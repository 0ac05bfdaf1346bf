"""Gradio's events and our own markup: buttons, answers of a page's functions, notes, errors as sentences.

Knows Gradio. Does not know what a page shows.
"""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import gradio as gr
from gradio.context import Context

from exdd_core.errors import BadInput
from exdd_core.workspace.failures import sentence_of
from pages.html import text

Handler = TypeVar("Handler", bound=Callable[..., Any])
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
            return {"error": explained(error)}

    del answer.__wrapped__  # Gradio looks at the signature, which is of one object
    return answer


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


def explained(error: BaseException) -> str:
    """What a person reads when `error` happened; the terminal gets the traceback of what is not their doing."""
    if not isinstance(error, BadInput):
        traceback.print_exception(error, file=sys.stderr)
    return sentence_of(error)


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
                return {place: say("error", explained(error))}

        return run  # type: ignore[return-value]

    return decorate


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


def on_load(handler: Callable[..., Any], **options: Any) -> None:
    """Run `handler` whenever somebody opens the page that is being built."""
    page = Context.root_block
    assert page is not None, "on_load belongs inside a page"
    page.load(handler, show_progress="hidden", **options)
