"""HTML that several parts of the Banks page show.

Knows HTML. Does not know Gradio.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from exdd_core.errors import BadInput
from exdd_core.sentences import quoted
from pages import html
from pages.html import text

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace

SETTINGS = {
    "positives": "Defects learned from",
    "max_real_parts": "Maximum number of defective parts",
    "negative_ratio": "Share of normal patches kept",
    "positive_ratio": "Share of defect patches kept",
    "keep_aspect": "Aspect ratio kept",
    "likeness": "Painted defects look like yours, 0 to 1",
    "guaranteed": "Guaranteed false-alarm rate",
    "depth": "Bit depth",
    "state": "State of the data set",
    "roi": "Region of interest, share of an image",
}


def figure(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def under(line: str) -> str:
    return f'<span class="under">{text(line)}</span>'


def two_lines(name: str) -> str:
    """A name of a person's choice that takes two lines at most, and is whole in a hint."""
    return f'<span class="two-lines" title="{text(name)}">{text(name)}</span>'


def patch_url(bank: str, image: str, large: bool = False) -> str:
    """The address of a picture of an image with rows in a bank, see `pages.routes`."""
    asked = {"bank": bank, "image": image} | ({"large": "1"} if large else {})
    return f"./patch?{urlencode(asked)}"


def whole(value: Any, what: str) -> int:
    try:
        return int(str(value).strip())
    except ValueError:
        raise BadInput(f"{quoted(value)} is not a valid {what}; enter a whole number.") from None


def setting(name: str) -> str:
    return SETTINGS.get(name, name.replace("_", " ").capitalize())


def fact(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "–", True: "yes", False: "no"}[value]
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def page_of(workspace: Workspace, id: str) -> tuple[str, str] | None:
    """A link (title, address) to the page that shows an image in full, or None."""
    try:
        return ("Open in Inspect", html.inspect_url(workspace.image(id).id))
    except BadInput:
        return None if id.startswith("file:") else ("Open in Curate", f"./curate?{urlencode({'id': id})}")
