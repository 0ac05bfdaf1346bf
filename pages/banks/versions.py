"""The list of bank versions: activate, roll back, pin, delete, and whether a rebuild is due.

Knows Gradio and rows of versions. Does not know how a bank is computed.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import gradio as gr

from exdd_core import jobs
from exdd_core.sentences import count
from exdd_core.workspace.dataset_settings import called
from exdd_core.workspace.versions import delete_bank, former, judging, pin_bank, rename_bank, roll_back
from pages import answers, html
from pages.banks.builder import Builder
from pages.banks.comparison import Compared
from pages.banks.parts import figure, two_lines, under
from pages.banks.rows import Rows
from pages.banks.version_rows import (
    ANSWERED_JS,
    ASKED_JS,
    BEGUN_JS,
    COLUMNS,
    confirm_row,
    disk,
    gone_row,
    held_row,
    name_row,
)
from pages.guard import person
from pages.guard.uploads import uploaded
from pages.html import text
from pages.who import NAMED_BUTTONS_JS, who_of

if TYPE_CHECKING:
    from exdd_core.banks.compare import Measured
    from exdd_core.banks.drift import State
    from exdd_core.curation.gate import Gate
    from exdd_core.workspace import BankVersion, Workspace

VERSION_COLUMNS = [
    ("Version", "", ""),
    ("Created", "by", ""),
    ("Data set", "", ""),
    ("Rows built", "− normal · + defect", "number"),
    ("Radius", "of defects", "number"),
    ("Image AUROC", "test split", "number"),
    ("Fusion", "", ""),
    ("", "", ""),
]
# What the buttons of the table do; "anyway" activates a version that is held back.
ACTS = (
    "back",
    "every",
    "rows",
    "activate",
    "anyway",
    "pin",
    "unpin",
    "delete",
    "keep",
    "confirm",
    "name",
    "called",
)
MEASUREMENTS = {"table1": "Table 1"}  # that build versions for themselves
# Adds the name that is typed for a version; Enter presses the button beside it.
TABLE_JS = answers.BUTTONS_JS.replace(
    "...button.dataset", "...button.dataset, called: element.querySelector('.version-called')?.value ?? ''"
)
TABLE_JS += """
element.addEventListener('keydown', (event) => {
  if (event.key !== 'Enter' || !event.target.matches('.version-called')) return;
  element.querySelector('[data-act=called]').click();
});
"""
TABLE_JS += answers.GROWING_JS
# Ignores further clicks until the first is answered; after an error the button works again.
DUE_JS = (
    NAMED_BUTTONS_JS
    + """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-act]'), words = button?.textContent;
  if (!button) return;
  Object.assign(button, { disabled: true, textContent: `${words}…` });
  if (button.dataset.act === 'rebuild') { BEGUN }
  setTimeout(() => Object.assign(button, { disabled: false, textContent: words }), 10000);
});
""".replace("BEGUN", BEGUN_JS)
)


class Versions:
    """The table of bank versions, with buttons to activate, roll back, pin, delete and show one."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.note = answers.note()
        self.table = answers.markup(elem_id="versions", js_on_load=TABLE_JS)
        # The page shows these two below the form.
        self.due = answers.markup(visible=False, elem_id="due", js_on_load=DUE_JS, render=False)
        self.bundle = gr.UploadButton(
            "Import a bundle or checkpoint",
            type="filepath",  # of any type, so that what is wrong with it is said on the page
            size="sm",
            elem_id="bundle",
            render=False,
        )
        self.outputs = [self.note, self.table, self.due]

    def updates(self) -> dict[Any, Any]:
        return self.listed()

    def listed(
        self,
        asking: str = "",
        gone: tuple[int, str] | None = None,
        every: bool = False,
        held: Gate | None = None,
        naming: bool = False,
    ) -> dict[Any, Any]:
        """The table. asking: id of a version whose row asks whether to delete it; with `held`, whether to activate it;
        with `naming`, for its name. gone: place and name of a version just deleted, whose row says so, so that nothing
        else moves under the pointer. every: also versions that measurements built for themselves."""
        from exdd_core.banks import compare

        ready = bool(self.workspace.datasets())
        before, found = former(self.workspace), compare.measured(self.workspace)
        judges, names = judging(self.workspace), called(self.workspace)
        banks = self._shown(asking, every)
        rows = [
            self._asking_row(bank, held, naming)
            if bank.id == asking
            else _version_row(
                bank,
                found.get(bank.id),
                compare.changes(self.workspace, bank.id),
                names.get(judges.get(bank.id, ""), ""),
                names.get(bank.dataset, bank.dataset),
            )
            for bank in banks
        ]
        hidden = len(self.workspace.banks()) - len(banks)
        if gone is not None:
            rows.insert(gone[0], gone_row(gone[1]))
        built = jobs.coming(self.workspace, ["build"], [bank.created for bank in self.workspace.banks()])
        rows = [*(html.coming_row(job.title, COLUMNS) for job in built), *rows]
        return {self.table: _versions_html(rows, len(banks), hidden, ready, before)}

    def _asking_row(self, bank: BankVersion, held: Gate | None, naming: bool) -> str:
        if naming:
            return name_row(bank)
        return held_row(bank, held) if held else confirm_row(bank, jobs.needing(self.workspace, bank.id))

    def _shown(self, asking: str = "", every: bool = False) -> list[BankVersion]:
        banks = self.workspace.banks()
        every = every or any(bank.id == asking and bank.is_measurement for bank in banks)
        return [bank for bank in banks if every or not bank.is_measurement]

    def state(self) -> dict[Any, Any]:
        """A banner if the active version should be rebuilt. Slow: loads the bank."""
        from exdd_core.banks import drift
        from exdd_core.workspace import dataset_changes

        bank = self.workspace.active_bank()
        if bank is None:
            return {self.due: gr.update(visible=False)}
        html = _due_html(bank, drift.state(self.workspace, bank.id), dataset_changes.due(self.workspace))
        return {self.due: gr.update(value=html, visible=True)}

    def _release(self, id: str, anyway: bool, refresh: Callable[..., dict[Any, Any]]) -> dict[Any, Any]:
        """Make a version active, or ask again where the gate holds it back; says which marked images are lost."""
        from exdd_core.curation.releasing import release

        found = release(self.workspace, id, anyway)
        if found is not None and found.holds:
            return self.listed(asking=id, held=found)
        untried = found.lines[-len(found.lost) :] if found is not None and found.lost else []
        bank = self.workspace.bank(id)
        judged = called(self.workspace).get(bank.dataset, bank.dataset)
        others = [] if bank.active else [f"{bank.name} now judges {judged}, which is not open in this tab"]
        return refresh(id) | {self.note: answers.say("info", ". ".join([*untried, *others]))}

    def _rename(self, id: str, called: str, refresh: Callable[..., dict[Any, Any]]) -> dict[Any, Any]:
        named = rename_bank(self.workspace, id, called)
        return refresh(id) | {self.note: answers.say("done", f"{named.name} {_called(named)}.")}

    def connect(
        self,
        refresh: Callable[..., dict[Any, Any]],
        rows: Rows,
        builder: Builder,
        compared: Compared,
        outputs: list[Any],
    ) -> None:
        @answers.sentences(self.note)
        def act(event: gr.EventData) -> dict[Any, Any]:
            asked = answers.told(event, "act", *ACTS)
            if asked == "every":
                return self.listed(every=True)
            if asked == "back":
                bank = roll_back(self.workspace)
                return refresh(bank.id) | {self.note: answers.say("done", f"{bank.name} is active again.")}
            bank = self.workspace.bank(answers.told(event, "id"))
            if asked == "rows":
                return rows.updates(bank.id)
            if asked in ("activate", "anyway"):
                return self._release(bank.id, asked == "anyway", refresh)
            if asked in ("pin", "unpin"):
                pin_bank(self.workspace, bank.id, asked == "pin")
                return self.updates()
            if asked == "called":
                return self._rename(bank.id, answers.told(event, "called"), refresh)
            if asked != "confirm":
                return self.listed(
                    naming=asked == "name", asking=bank.id if asked in ("delete", "name") else ""
                )
            place = [other.id for other in self._shown(bank.id)].index(bank.id)
            delete_bank(self.workspace, bank.id)
            return refresh() | self.listed(gone=(place, bank.name))

        @answers.sentences(self.note)
        def mend(pair: str, event: gr.EventData) -> dict[Any, Any]:
            from exdd_core.curation import aligning

            who = answers.told(event, "who")
            if answers.told(event, "act", "rebuild", "align") == "rebuild":
                builder.rebuild(answers.told(event, "id"), person(who))
                return self.updates()
            decided = aligning.catch_up(self.workspace, who_of(who))
            return refresh() | compared.again(pair) | {self.note: answers.say("done", decided.sentence)}

        self.table.act(act, None, outputs, **answers.HIDDEN).then(None, js=ASKED_JS)
        mended = self.due.act(mend, compared.pair, [*outputs, *compared.shown], **answers.HIDDEN)
        mended.then(None, js=ANSWERED_JS)
        builder.job.look_after(mended)

    def connect_bundle(self, refresh: Callable[..., dict[Any, Any]], outputs: list[Any]) -> None:
        @answers.sentences(self.note)
        def bring(file: str) -> dict[Any, Any]:
            from exdd_core.bundle import importing

            made = importing.import_bundle(self.workspace, uploaded(file), who=person(""))
            return refresh(made.id) | {
                self.note: answers.say("done", f"Imported {made.name} from {made.imported}.")
            }

        self.bundle.upload(bring, self.bundle, outputs, **answers.PRIVATE)


def _versions_html(
    rows: list[str], versions: int, hidden: int, ready: bool, former: BankVersion | None
) -> str:
    """hidden: how many versions are left out, which measurements built for themselves."""
    if not rows and ready:
        return html.empty(
            "No bank version yet", "Build the first one with the form on this page; it takes a minute or two."
        )
    if not rows:
        action = '<a class="main-button" href="./data">Import images in Data</a>'
        return html.empty(
            "No bank version yet", "Banks are built from images, and there are none yet.", action
        )
    back = (
        f'<button type="button" class="plain-button small" data-act="back" title="Activate {former.name} again, '
        f'which was active before">Roll back to {former.name}</button>'
        if former
        else ""
    )
    more = (
        f'<span class="aside">and {hidden:,} built by measurements</span>'
        '<button type="button" class="plain-button small" data-act="every">Show all</button>'
        if hidden
        else ""
    )
    jump = '<a class="plain-button small jump" href="#compared">Compare ↓</a>'
    head = f'<p class="list-head"><strong>{count(versions, "bank version")}</strong>{more}{back}{jump}</p>'
    return head + html.table(VERSION_COLUMNS, rows)


def _version_row(bank: BankVersion, found: Measured | None, changes: int, judges: str, learned: str) -> str:
    """judges, learned: the data sets that this version judges, "" for none, and learned from, as people call them."""
    summary, settings = bank.summary, bank.settings
    tags = ' <span class="tag active">active</span>' if bank.active else ""
    judged = f' <span class="tag" title="It judges {text(judges)}">for {text(judges)}</span>'
    tags += judged if judges and not bank.active else ""
    tags += ' <span class="tag">pinned</span>' if bank.pinned else ""
    since = f"{count(changes, 'change')} since" if changes else ""
    took = f"Took {html.duration(bank.seconds)}, {disk(bank)}"
    by = f"for {MEASUREMENTS.get(bank.made_for, bank.made_for)}" if bank.made_for else bank.who
    by = f"imported {by}".strip() if bank.imported else by
    made = f"{_when(bank.created)}{under(by) if by else ''}"
    version = f"<strong>{text(bank.title)}</strong>{tags}{under(since)}"
    images = f"from {summary['negative_images']:,} · {count(summary['positive_images'], 'image')}"
    reached = summary.get("radius") if summary["positive_rows"] else None
    cells = [
        f'<td class="{"whole" if bank.title == bank.name else "named"}" data-sort="{bank.number}">{version}</td>',
        f'<td class="whole" data-sort="{bank.created}" title="{took}">{made}</td>',
        f'<td class="named">{two_lines(learned)}{under(settings["size"])}</td>',
        f'<td class="number">{summary["negative_rows"]:,} · {summary["positive_rows"]:,}{under(images)}</td>',
        f'<td class="number" data-sort="{reached or 0}">{figure(reached, 2)}</td>',
        f'<td class="number">{_measured_html(found)}</td>',
        f"<td>{text(summary['fusion'])}{under(settings['backbone'])}</td>",
        f'<td class="end">{_actions(bank)}</td>',
    ]
    selected = ' class="selected"' if bank.active else ""
    return f"<tr{selected}>{''.join(cells)}</tr>"


def _measured_html(found: Measured | None) -> str:
    if found is None:
        return f"–{under('not measured')}"
    since = under(f"{count(found.changes, 'change')} ago") if found.changes else ""
    return figure(found.metrics["image_auroc"]) + since


def _actions(bank: BankVersion) -> str:
    def button(act: str, what: str, shown: str) -> str:
        label = f'aria-label="{what} {text(bank.name)}" title="{what} {text(bank.name)}" data-id="{text(bank.id)}"'
        return f'<button type="button" class="plain-button small" data-act="{act}" {label}>{shown}</button>'

    pin = button("unpin", "Unpin", "Unpin") if bank.pinned else button("pin", "Pin", "Pin")
    activate = "" if bank.active else button("activate", "Activate", "Activate")
    delete = "" if bank.active or bank.pinned else button("delete", "Delete", "✕")
    name = button("name", "Rename", "✎")
    return f'<span class="actions">{button("rows", "Show", "Show")}{activate}{pin}{name}{delete}</span>'


def _due_html(bank: BankVersion, found: State, grown: str) -> str:
    """The banner on a due rebuild. grown: a sentence on changes of the data set since the build, or ""."""

    def button(act: str, kind: str, words: str) -> str:
        return f'<button type="button" class="{kind}" data-act="{act}" data-id="{text(bank.id)}">{text(words)}</button>'

    due = found.due or bool(grown)
    if not due and not found.behind:
        return f'<p class="aside">{text(bank.name)}: {text(found.sentence)}</p>'
    buttons = button("align", "main-button", "Bring it in line") if found.behind else ""
    if due:
        kind = "plain-button" if found.behind else "main-button"
        buttons += button("rebuild", kind, f"Rebuild {bank.name}")
    meanwhile = " Scoring continues with this version in the meantime." if due else ""
    sentences = " ".join(
        filter(None, (grown, found.sentence if found.due or found.behind or not grown else ""))
    )
    said = f"<span><strong>{text(bank.name)}.</strong> {text(sentences)}{meanwhile}</span>"
    sign = '<span class="note-icon" aria-hidden="true">i</span>'
    return f'<p class="note info due" role="status">{sign}{said}{buttons}</p>'


def _called(bank: BankVersion) -> str:
    return f'is now named "{bank.called}"' if bank.called else "has no display name now"


def _when(created: str) -> str:
    """Local day and time of a time in ISO 8601, UTC."""
    return f"{datetime.fromisoformat(created).astimezone():%d %b %H:%M}"
