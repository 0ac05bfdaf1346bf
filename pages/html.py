"""HTML that several pages show: text, tables, addresses, empty states.

Knows HTML, and addresses of our own routes. Does not know Gradio or the workspace.
"""

from __future__ import annotations

import base64
import html
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from exdd_core.errors import BadInput
from exdd_core.images import read_layer

if TYPE_CHECKING:
    import numpy as np


# Title -> address below the server's. Links are relative: a proxy may put a prefix before.
PAGES = {
    "Inspect": "/",
    "Studio": "/studio",
    "Curate": "/curate",
    "Evaluate": "/evaluate",
    "Data": "/data",
    "Banks": "/banks",
}
# JSON between a page's script and the functions that it calls, in either direction.
Answer = dict[str, object]


def text(value: object) -> str:
    """`value` escaped for HTML text and attributes."""
    return html.escape(str(value), quote=True)


def layer_of(address: str) -> bytes:
    """The PNG of a data URL that an editor in the browser sends. Raises `BadInput` where there is none."""
    try:
        content = base64.b64decode(address.partition(",")[2])
    except ValueError:
        content = b""
    if not content:
        raise BadInput("The drawing did not arrive; save it again.")
    return content


def drawn(address: str) -> np.ndarray:
    """The mask in a data URL, bool (h, w) of the editor's copy. Raises `BadInput`."""
    return read_layer(layer_of(address), "The drawing")


def linked(sentence: str, here: str = "") -> str:
    """A sentence escaped for HTML, where the names of other pages, and "Jobs above", lead there.

    here: address of the page it is on.
    """

    def link(found: re.Match[str]) -> str:
        words, place, name = found[1], found[2], found[3]
        address = PAGES.get(name)
        if address == here:
            return found[0]
        return f'{words}<a href="{f".{address}" if address else "#jobs"}">{place}</a>'

    places = "|".join([*PAGES, "Jobs above"])
    return re.sub(rf"\b((?:in|on|to|see) (?:the )?)(({places})(?: page)?)\b", link, text(sentence))


def duration(seconds: float) -> str:
    """A duration for people: "8 s", "2 min 5 s", "1 h 4 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s" if seconds >= 1 else "under 1 s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def file_size(octets: int) -> str:
    """A number of bytes for people: "14 KB", "3.2 MB"."""
    if octets < 1_000_000:
        return f"{max(1, round(octets / 1000))} KB"
    return f"{octets / 1_000_000:.1f} MB" if octets < 1_000_000_000 else f"{octets / 1_000_000_000:.1f} GB"


def thumbnail_url(image_id: str) -> str:
    """The address of a small picture of an image, with its mask's outline."""
    return f"./thumbnail?image={quote(image_id, safe='')}"


def inspect_url(image_id: str) -> str:
    """The address of the Inspect page with this image open."""
    return f"./?image={quote(image_id, safe='')}"


def download_url(path: Path) -> str:
    """The address of a file in the workspace's cache."""
    return f"./gradio_api/file={quote(str(path))}"


def empty(title: str, hint: str, action: str = "") -> str:
    """An empty state: what is missing, what to do, and a button or link (HTML)."""
    return f'<div class="empty"><p class="empty-title">{text(title)}</p><p>{text(hint)}</p>{action}</div>'


def table(columns: list[tuple[str, str, str]], rows: list[str]) -> str:
    """A table that is sorted by a click on a column. columns: (title, second line, class). rows: <tr> elements.

    A cell sorts by its data-sort attribute, or else by its text.
    """

    def head(title: str, under: str, kind: str) -> str:
        button = f'<button type="button" class="sort">{text(title)}<span>{text(under)}</span></button>'
        return f'<th class="{kind}">{button if title else ""}</th>'

    heads = "".join(head(*column) for column in columns)
    inside = f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody>"
    return f'<div class="wide"><table class="table sortable">{inside}</table></div>'


def row_of(content: str, columns: int) -> str:
    """A row of a table that asks or says something in place of one of its cells."""
    return f'<tr class="asked"><td colspan="{columns}">{content}</td></tr>'


def coming_row(title: str, columns: int) -> str:
    """The row of what a job is making, where that will stand: the job's end moves nothing."""
    return row_of(f"<p><strong>{text(title)}…</strong></p>", columns)


def pager(page: int, size: int, number: int) -> str:
    """Buttons previous and next (data-act) around "61 to 120"; "" where one page holds all `number`."""
    if number <= size:
        return ""
    first, last = page * size + 1, min((page + 1) * size, number)

    def button(act: str, title: str, possible: bool) -> str:
        disabled = "" if possible else " disabled"
        return f'<button type="button" class="plain-button small" data-act="{act}"{disabled}>{title}</button>'

    before, after = button("previous", "‹ Previous", page > 0), button("next", "Next ›", last < number)
    return f'<span class="pager">{before}<span>{first:,} to {last:,}</span>{after}</span>'


def bar(share: float, label: str) -> str:
    """A progress bar (0 to 1) with a label for screen readers."""
    value = f'aria-valuemin="0" aria-valuemax="100" aria-valuenow="{100 * share:.0f}"'
    inside = f'<span style="width:{share:.1%}"></span>'
    return f'<span class="bar" role="progressbar" aria-label="{text(label)}" {value}>{inside}</span>'
