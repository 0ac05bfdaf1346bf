"""Rows of the table of versions that ask or say something in place of a version.

Knows rows of versions and jobs. Does not know Gradio or what an answer does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exdd_core.sentences import count
from pages import html
from pages.html import text

if TYPE_CHECKING:
    from exdd_core.curation.gate import Gate
    from exdd_core.workspace import BankVersion

COLUMNS = 8  # of the table
# Adds such a row when a build is ordered; the answer says more in its place.
BEGUN_JS = (
    "document.querySelector('#versions tbody')?.insertAdjacentHTML('afterbegin', "
    f"'<tr class=\"asked begun\"><td colspan={COLUMNS}><p><strong>Building…</strong></p></td></tr>');"
)
# Removes that row where the build was refused, since the table was not drawn again, and scrolls to the note of the
# form.
ANSWERED_JS = """() => requestAnimationFrame(() => requestAnimationFrame(() => {
  document.querySelector('#versions tr.begun')?.remove();
  document.querySelector('#build .note')?.scrollIntoView({ block: 'nearest' });
}))"""

# Scrolls the question of a row into view, and focuses the answer that changes nothing.
ASKED_JS = """() => requestAnimationFrame(() => requestAnimationFrame(() => {
  const asked = document.querySelector('#versions .confirm');
  asked?.closest('tr').scrollIntoView({ block: 'nearest' });
  asked?.querySelector('input, [data-act=keep]').focus({ preventScroll: true });
}))"""


def confirm_row(bank: BankVersion, needed: str) -> str:
    """The question in place of the version's row. Cancel is where the pressed button was. needed: sentences on what
    needs the version, or ""."""
    rows = (
        f"{bank.summary['negative_rows']:,} normal and {count(bank.summary['positive_rows'], 'defect row')}"
    )
    where = f"learned from {bank.dataset}, {disk(bank)}"

    def button(act: str, shown: str) -> str:
        id = f'data-id="{text(bank.id)}"'
        return (
            f'<button type="button" class="plain-button small" data-act="{act}" {id}>{text(shown)}</button>'
        )

    return _row_of(
        f'<div class="confirm" role="alertdialog" aria-label="Delete {text(bank.name)}">'
        f"<p><strong>Delete {text(bank.name)}?</strong> Its {rows} ({text(where)}) are deleted permanently. The images "
        f"stay. <strong>{text(needed)}</strong></p>"
        f'<span class="actions">{button("confirm", f"Delete {bank.name}")}{button("keep", "Cancel")}</span></div>'
    )


def name_row(bank: BankVersion) -> str:
    """The field for the name of a version, in place of its row."""
    buttons = "".join(
        f'<button type="button" class="plain-button small" data-act="{act}" data-id="{text(bank.id)}">{shown}</button>'
        for act, shown in (("called", "Save"), ("keep", "Cancel"))
    )
    field = f'<input class="version-called" value="{text(bank.called)}" placeholder="none" autofocus>'
    return _row_of(
        f'<div class="confirm"><label>Display name of {text(bank.name)} {field}</label>'
        f'<span class="actions">{buttons}</span></div>'
    )


def held_row(bank: BankVersion, held: Gate) -> str:
    """What got better and worse, in place of the row of a version that is held back, and the question. The button that
    changes something is at the left, so that a double click on the former button does not press it."""
    lines = "".join(f"<li>{_linked(line, held)}</li>" for line in held.lines)
    anyway, keep = (
        f'<button type="button" class="plain-button small" data-act="{act}" data-id="{text(bank.id)}">{shown}</button>'
        for act, shown in (("anyway", "Activate anyway"), ("keep", "Cancel"))
    )
    return _row_of(
        f'<div class="confirm held" role="alertdialog" aria-label="Activate {text(bank.name)}">'
        f"<div><p><strong>{text(held.sentence)}</strong></p><ul>{lines}</ul>{anyway}</div>"
        f'<span class="actions">{keep}</span></div>'
    )


def _linked(line: str, held: Gate) -> str:
    """A line of the gate, whose image, where it begins with one, leads to Inspect."""
    image = next((one.image for one in held.images if line == one.sentence), "")
    link = f'<a href="{text(html.inspect_url(image))}">{text(image)}</a>' if image else ""
    return link + text(line.removeprefix(image))


def gone_row(name: str) -> str:
    return _row_of(f"<p>{text(name)} was deleted.</p>")


def _row_of(content: str) -> str:
    return html.row_of(content, COLUMNS)


def disk(bank: BankVersion) -> str:
    return html.file_size(sum(file.stat().st_size for file in bank.path.rglob("*") if file.is_file()))
