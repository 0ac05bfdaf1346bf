"""Markup with events: buttons, answers to a page's script, notes, and errors as sentences.

Knows Gradio. Does not know what a page shows.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypedDict, TypeVar

import gradio as gr
import orjson
from fastapi.encoders import jsonable_encoder
from gradio.components import Component
from gradio.context import Context
from starlette.responses import Response

from exdd_core.errors import BadInput
from exdd_core.workspace import Workspace, context
from exdd_core.workspace.failures import sentence_of
from pages.html import Answer, linked, text
from pages.questions import Question

MOST_TOLD = 1000  # characters of a text that comes with an event
Handler = TypeVar("Handler", bound=Callable[..., Any])
Answerer = Callable[[Any, Any], Answer]  # of what a page shares, and a `Question`


class EventOptions(TypedDict, total=False):
    """What Gradio's events take besides the function and what it reads and sets."""

    api_visibility: Literal["public", "private", "undocumented"]
    show_progress: Literal["full", "minimal", "hidden"]
    show_progress_on: list[Component]
    queue: bool


PRIVATE: EventOptions = {"api_visibility": "private"}
# No component learns that an event began and ended: Gradio would copy all of the data of each for every such step.
HIDDEN: EventOptions = {"show_progress": "hidden", "show_progress_on": [], "api_visibility": "private"}
QUIET: EventOptions = {**HIDDEN, "queue": False}
ENCODED = orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY
# A click on any [data-act] inside the component triggers one event `act` with the data- attributes.
BUTTONS_JS = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-act]');
  if (button && element.contains(button)) { event.preventDefault(); trigger('act', { ...button.dataset }); }
});
"""
# Keeps a table in place while it grows (assets/lists).
GROWING_JS = "exdd.lists(element);"


def markup(value: str = "", **options: Any) -> gr.HTML:
    """HTML that is styled by theme.css and not by Gradio's text styles."""
    return gr.HTML(value, apply_default_css=False, **options)


def buttons(value: str = "", **options: Any) -> gr.HTML:
    """HTML whose elements with data-act trigger `.act(handler)`; the event has their data- attributes."""
    return markup(value, js_on_load=BUTTONS_JS, **options)


def answering(question: Answerer, about: Any) -> Callable[[Answer], Response]:
    """A function that a script in the browser calls: one object in, one out, with errors as a sentence in `error`.

    question: a function of `about` (the workspace or what has one) and a `Question`, which the object is read as before
    anything is done. Without a data set it is asked of the active one and that one's own version. The answer is encoded
    here, in a thread of the call: FastAPI would hold all other requests up for half a second by a long list.
    """
    asks = asked_by(question)

    @functools.wraps(question)
    def answer(asked: Answer) -> Response:
        try:
            read = asks.from_json(asked)
            workspace: Workspace = getattr(about, "workspace", about)
            with (
                workspace.keeping_open(),
                context.working_on(read.dataset or workspace.active_name() or ""),
            ):
                found = question(about, read)
        except Exception as error:
            found = {"error": explained(error)}
        return encoded(found)

    del answer.__wrapped__  # else Gradio would read the signature of `question`, which has two parameters
    return answer


def encoded(found: Answer) -> Response:
    """An answer as JSON; numbers that are not finite become null."""
    return Response(orjson.dumps(found, jsonable_encoder, ENCODED), media_type="application/json")


def asked_by(question: Answerer) -> type[Question]:
    """The model of what a function is asked: the type of its second parameter."""
    annotation = list(inspect.signature(question).parameters.values())[1].annotation
    first, *rest = annotation.split(".")
    found = functools.reduce(getattr, rest, question.__globals__[first])
    if not issubclass(found, Question):
        raise TypeError(f"{question.__qualname__} has no Question as its second parameter")
    return found


def told(event: gr.EventData, name: str, *choices: str) -> str:
    """A text that came with an event. Raises `BadInput` where it did not come or is none of the `choices`, if any."""
    value = _of_event(event, name)
    if not isinstance(value, str) or len(value) > MOST_TOLD or (choices and value not in choices):
        raise BadInput(f"This click is missing its {name}; reload the page.")
    return value


def told_several(event: gr.EventData, name: str) -> list[str]:
    """A list of texts that came with an event. Raises `BadInput` where it did not come."""
    value = _of_event(event, name)
    if not isinstance(value, list) or not all(
        isinstance(one, str) and len(one) <= MOST_TOLD for one in value
    ):
        raise BadInput(f"This click is missing its {name}; reload the page.")
    return value


def toasted(handler: Handler) -> Handler:
    """A decorator for handlers of events without a `note`: Gradio shows what is wrong with the input for a while."""

    @functools.wraps(handler)
    def run(*values: Any) -> Any:
        try:
            return handler(*values)
        except Exception as error:
            raise gr.Error(explained(error), print_exception=False) from None

    return run  # type: ignore[return-value]


def _of_event(event: gr.EventData, name: str) -> object:
    given = getattr(event, "_data", None)
    return given.get(name) if isinstance(given, dict) else None


def note() -> gr.HTML:
    """A component for one sentence, hidden until `say` fills it."""
    return markup(_note_html("info", ""), visible=False, elem_classes="note-slot")


def say(kind: str, sentence: str, link: tuple[str, str] | None = None) -> Any:
    """The update that shows `sentence` in a `note`, followed by a link (title, address); "" hides the note.

    kind: info, done or error.
    """
    return gr.update(value=_note_html(kind, sentence, link), visible=bool(sentence))


def _note_html(kind: str, sentence: str, link: tuple[str, str] | None = None) -> str:
    icon = {"info": "i", "done": "✓", "error": "!"}[kind]
    role = "alert" if kind == "error" else "status"
    sign = f'<span class="note-icon" aria-hidden="true">{icon}</span>'
    after = f' <a href="{text(link[1])}">{text(link[0])}</a>' if link else ""
    return f'<p class="note {kind}" role="{role}">{sign}<span>{linked(sentence)}{after}</span></p>'


def explained(error: BaseException) -> str:
    """The sentence for an error. One that nobody foresaw is in the log, under the number in its sentence."""
    return sentence_of(error)


def sentences(place: gr.HTML, clears: bool = True) -> Callable[[Handler], Handler]:
    """A decorator for handlers that return {component: update}: shows their errors in the note `place`.

    A handler that succeeds clears the note unless it updates the note itself. `place` must be an output.
    clears: False for what nobody pressed, as the note may say how something else ended.
    """

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def run(*values: Any) -> dict[Any, Any]:
            try:
                return ({place: say("info", "")} if clears else {}) | (handler(*values) or {})
            except Exception as error:
                return {place: say("error", explained(error))}

        return run  # type: ignore[return-value]

    return decorate


@contextmanager
def folded(title: str) -> Iterator[None]:
    """A section that opens and closes by a click on its title.

    Its fields exist from the start. gr.Accordion creates them when it is opened and sets their initial values again a
    frame later, which on a busy machine overwrote what somebody had typed.
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
    """Run `handler` whenever somebody opens the page under construction."""
    page = Context.root_block
    assert page is not None, "on_load belongs inside a page"
    page.load(handler, **HIDDEN, **options)
