"""The Curate page: candidates that wait, one after another, for somebody to accept or reject them.

The page itself (assets/curate*) runs in the browser; this module answers its questions with what `curation` and
`candidates` return, as plain values and pictures. It knows neither arrays nor the database, and keeps nothing but
what is on its way, decisions on many at once and measurements: what was decided stands in the history.
"""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exdd_core import candidates, curation, editing, quality, reports, studio
from exdd_core.errors import BadInput, Cancelled
from exdd_core.images import encode_png
from exdd_core.progress import Progress
from exdd_core.synthesis import masks
from pages import _shared

if TYPE_CHECKING:
    from exdd_core.candidates import Candidate
    from exdd_core.curation import Decided, Decision
    from exdd_core.quality import Quality
    from exdd_core.workspace import Workspace

TITLE = "Curate"
PATH = "/curate"

TEMPLATE = (Path(__file__).resolve().parent.parent / "assets" / "curate.html").read_text("utf-8")
SOURCES = {"drawn": "Drawn", "real": "Borrowed", "generated": "Generated", "uploaded": "Uploaded"}
TRAITS = ("prompt", "engine", "mask", "type")
MEASURES = tuple(quality.MEANINGS)
FILTERS = (*TRAITS, *MEASURES)
LIGHTS = {"green": "good", "amber": "so-so", "red": "poor", "grey": "not known"}
LESS_IS_BETTER = ("clean", "plausible")
SAID = {
    "accept": "accepted",
    "reject": "rejected",
    "trim": "trimmed the mask",
    "type": "named the defect",
    "missed": "marked a missed defect",
    "false_alarm": "marked a false alarm",
    "drop": "dropped from the bank",
    "align": "brought a bank version in line",
}

NO_DATASET = {
    "title": "No images yet",
    "text": "Defects are painted into normal images and decided on here: import a data set that has some.",
    "link": "/data",
    "button": "Import images in Data",
}
NO_CANDIDATES = {
    "title": "Nothing to decide on yet",
    "text": "Painted defects wait here until somebody accepts them into the positive bank or rejects them.",
    "link": "/studio",
    "button": "Paint defects in Studio",
}

Answer = dict[str, Any]


@dataclass
class Bulk:
    """What takes a while and is on its way, such as a decision on many: when it is `over` there is its `answer`, or an
    `error`."""

    progress: Progress = field(default_factory=Progress)
    over: threading.Event = field(default_factory=threading.Event)
    answer: Answer = field(default_factory=dict)
    error: Exception | None = None


class Curate:
    """What the questions of one app's pages share."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.bulks: dict[str, Bulk] = {}
        self.measuring = Measuring(workspace)


class Measuring:
    """Takes the measures of candidates in one thread beside the pages, in small steps between which decisions go
    first: of what somebody has open, then of what is on their screen, then of the rest."""

    def __init__(self, workspace: Workspace):
        self.workspace = workspace
        self.judge = quality.Judge(workspace, self._rest)
        self._unable: dict[str, str] = {}  # by candidate: why it cannot be measured against `_bank`
        self._bank = ""
        self._wanted: list[str] = []
        self._deciding = 0
        self._running = False
        self._lock = threading.Lock()

    def waiting(self) -> list[quality.Waiting]:
        """The pending candidates of the active data set."""
        info = _shared.active_dataset(self.workspace)
        return quality.waiting(self.workspace, info.name) if info else []

    def problem(self, id: str) -> str:
        """Why this candidate cannot be measured, or ""."""
        return self._unable.get(id, "")

    def want(self, ids: Sequence[str] = ()) -> None:
        """Measure these, the first one before the others, and then the rest."""
        with self._lock:
            self._wanted = list(ids) or self._wanted
            if self._running:
                return
            self._running = True
        threading.Thread(target=self._run, name="measuring candidates").start()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Begin no other step meanwhile: a decision is not to share the processor with it."""
        with self._lock:
            self._deciding += 1
        try:
            yield
        finally:
            with self._lock:
                self._deciding -= 1

    def _rest(self) -> None:
        while self._deciding:
            time.sleep(0.02)

    def _run(self) -> None:
        self._rest()
        with suppress(Exception):  # the first measure says what is wrong
            self._prepare()
        # A program that ends waits for the step in hand: ended within, torch would end it with an error.
        while threading.main_thread().is_alive() and (step := self._next()):
            self._rest()
            try:
                self.judge.quality(*step)
            except Exception as error:
                self._unable[step[0]] = _shared.sentence_of(error)

    def _prepare(self) -> None:
        info, bank = _shared.active_dataset(self.workspace), self.workspace.active_bank()
        if info and bank and bank.dataset == info.name:
            self.judge.prepare(info.name)

    def _next(self) -> tuple[str, bool] | None:
        """What to measure next: which candidate, and whether its effect."""
        with self._lock:
            bank = self.workspace.active_bank()
            if self._bank != (now := bank.id if bank else ""):
                self._bank, self._unable = now, {}
            late = [w for w in self.waiting() if not (w.measured and w.effect) and w.id not in self._unable]
            if not late:
                self._running = False
                return None

            def urgency(one: quality.Waiting) -> tuple[int, bool]:
                return (2 if one.id not in self._wanted else int(one.id != self._wanted[0])), one.measured

            first = min(late, key=urgency)
            return first.id, first.measured


def render(workspace: Workspace) -> None:
    """Put the page's own part between header and footer."""
    shared = Curate(workspace)
    questions = [
        open_page, queue, candidate, stay, leave, accept, reject, name_type, mask, trim,
        undo, undo_last, undo_all, history, chosen, recommend, bulk, look, stop, news, measures, effect,
    ]  # fmt: skip
    _shared.markup(
        "",
        html_template=TEMPLATE,
        js_on_load="exddCurate(element, server)",
        server_functions=[_shared.answering(question, shared) for question in questions],
        elem_id="curate",
    )


# --- the queue --------------------------------------------------------------------------------------------


def open_page(shared: Curate, asked: Answer) -> Answer:
    """The queue, or what is missing for one."""
    info = _shared.active_dataset(shared.workspace)
    if info is None:
        return {"need": NO_DATASET, "dataset": ""}
    if not candidates.count(shared.workspace, info.name):
        return {"need": NO_CANDIDATES, "dataset": info.name}
    shared.measuring.want()  # which also loads the active version: the first decision need not wait for it
    return {"need": None, "dataset": info.name, "queue": queue(shared, asked)}


def queue(shared: Curate, asked: Answer) -> Answer:
    """The first `limit` of the candidates that pass the filters, in order; how many there are, by status and filter."""
    workspace = shared.workspace
    dataset = workspace.dataset().name
    everything = [_Entry.of(made) for made in candidates.listed(workspace, dataset)]
    alike = [one for one in everything if one.passes(asked)]
    found = _in_order([one for one in alike if asked["status"] in ("all", one.made.status)], asked["sort"])
    holders = curation.claims(workspace)
    shown = [one for one in everything if asked["status"] in ("all", one.made.status)]
    return {
        "items": [_item(workspace, one, holders) for one in found[: asked["limit"]]],
        "total": len(found),
        "counts": Counter(one.made.status for one in alike),
        "filters": {name: _options(workspace, shown, name, asked[name]) for name in FILTERS},
        "types": _types(workspace, everything),
        "reasons": _reasons(workspace),
        "stamp": _stamp(workspace, dataset),
    }


@dataclass(frozen=True)
class _Entry:
    """A candidate with what is known of it."""

    made: Candidate
    known: Quality | None

    @classmethod
    def of(cls, made: Candidate) -> _Entry:
        return cls(made, quality.kept_quality(made))

    def passes(self, asked: Answer) -> bool:
        """Whether it passes every filter but that of its status. None lets everything pass."""
        return all(asked[name] is None or asked[name] == self.trait(name) for name in FILTERS)

    def trait(self, name: str) -> str:
        """What a filter looks at; of a measure its light."""
        made = self.made
        if name in MEASURES:
            return getattr(self.known, name).light if self.known else quality.GREY
        if name == "prompt":
            return made.template or made.prompt
        if name == "mask":
            return str(made.mask_spec.get("source", ""))
        return made.engine if name == "engine" else made.defect_type


def _in_order(found: list[_Entry], sort: str) -> list[_Entry]:
    """Those that have no such measure come last."""
    if sort not in MEASURES:
        return found[::-1] if sort == "oldest" else found
    sign = 1 if sort in LESS_IS_BETTER else -1

    def place(one: _Entry) -> tuple[bool, float]:
        value = getattr(one.known, sort).value if one.known else None
        return value is None, sign * (value or 0.0)

    return sorted(found, key=place)


def _options(workspace: Workspace, shown: Sequence[_Entry], name: str, chosen: str | None) -> list[Answer]:
    """What a filter may be set to, with how many there are; the most frequent first, lights from good to poor.
    What it is set to stays among them when there is none of it any more."""
    counts = Counter(one.trait(name) for one in shown)
    if chosen is not None:
        counts[chosen] += 0
    values = (
        [light for light in LIGHTS if light in counts]
        if name in MEASURES
        else list(dict(counts.most_common()))
    )
    return [
        {"value": value, "title": _option_title(workspace, name, value), "count": counts[value]}
        for value in values
    ]


def _option_title(workspace: Workspace, name: str, value: str) -> str:
    if name == "engine":
        return studio.engine(workspace, value).TITLE
    if name in MEASURES:
        return f"{name.capitalize()}: {LIGHTS[value]}"
    if name == "mask":
        return SOURCES.get(value, value)
    return value or {"prompt": "No prompt", "type": "No type"}[name]


def _types(workspace: Workspace, everything: Sequence[_Entry]) -> list[str]:
    """Defect types that are known, for choosing one of them."""
    real = {row.defect_type for row in workspace.images(workspace.dataset().name, split="train")}
    return sorted((real | {one.made.defect_type for one in everything}) - {""})


def _reasons(workspace: Workspace) -> list[str]:
    """The usual reasons, and the own ones that people have given most."""
    given = Counter(reason for decision in curation.decisions(workspace) for reason in decision.reason)
    own = [reason for reason, _ in given.most_common() if reason not in curation.REASONS]
    return [*curation.REASONS, *own[:4]]


def _item(workspace: Workspace, one: _Entry, holders: dict[str, str]) -> Answer:
    made = one.made
    return {
        "id": made.id,
        "prompt": made.prompt,
        "title": studio.engine(workspace, made.engine).TITLE,
        "type": made.defect_type,
        "status": made.status,
        "holder": holders.get(made.id, ""),
        "effect": _effect_shown(one.known),
    }


def _effect_shown(known: Quality | None) -> Answer | None:
    if known is None or known.effect.value is None:
        return None
    return {
        "light": known.effect.light,
        "text": known.effect.text,
        "short": f"{round(known.effect.value, 1) + 0:+.1f}",
    }


def _stamp(workspace: Workspace, dataset: str) -> str:
    """Differs as soon as there is anything new to show."""
    counts = [candidates.count(workspace, dataset, status) for status in candidates.STATUSES]
    held = sorted(curation.claims(workspace).items())
    return str([dataset, counts, curation.newest(workspace), held])


def news(shared: Curate, asked: Answer) -> Answer:
    """Whether anything has changed since `stamp`: asked every few seconds."""
    info = _shared.active_dataset(shared.workspace)
    stamp = _stamp(shared.workspace, info.name) if info else ""
    return {"dataset": info.name if info else "", "changed": stamp != asked["stamp"]}


# --- one candidate ----------------------------------------------------------------------------------------


def candidate(shared: Curate, asked: Answer) -> Answer:
    """Everything about one candidate. With a `who` it is theirs from now on, and what they had open is free again."""
    workspace = shared.workspace
    made = candidates.get(workspace, asked["id"])
    if asked.get("before"):
        curation.release(workspace, asked["before"], asked["who"])
    holder = curation.claim(workspace, made.id, asked["who"]) if made.status == "pending" else ""
    width, height = made.size
    last = next((d for d in curation.decisions(workspace, made.id) if _stands(d, "accept", "reject")), None)
    return _item(workspace, _Entry.of(made), {made.id: holder}) | {
        "width": width,
        "height": height,
        "outline": reports.outline(curation.mask_of(workspace, made)),
        "trimmed": any(_stands(d, "trim") for d in curation.decisions(workspace, made.id)),
        "facts": _facts(workspace, made),
        "notes": made.notes,
        "decision": _line(workspace, last, {}) if last else None,
    }


def _stands(decision: Decision, *actions: str) -> bool:
    return decision.action in actions and decision.undone is None


def _facts(workspace: Workspace, made: Candidate) -> list[tuple[str, str]]:
    """What it was made with, as (name, value); what is not there is left out."""
    engine = studio.engine(workspace, made.engine)
    told = [
        ("Prompt", made.prompt),
        ("Negative prompt", made.negative_prompt),
        ("Engine", f"{engine.TITLE} {made.engine_version}"),
        ("Seed", str(made.seed)),
        ("Painted into", _name(made.source)),
        ("Mask", SOURCES.get(made.mask_spec.get("source", ""), "")),
        ("Lent by", _name(made.donor)),
    ]
    changed = [
        f"{control.title.lower()} {_setting(made.settings[control.name])}"
        for control in engine.CONTROLS
        if made.settings.get(control.name, control.default) != control.default
    ]
    return [(name, value) for name, value in [*told, ("Settings", ", ".join(changed))] if value]


def _name(image: str) -> str:
    return image.partition("/")[2]


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)


def stay(shared: Curate, asked: Answer) -> Answer:
    """A sign of life from whoever has a candidate open."""
    return {"holder": curation.claim(shared.workspace, asked["id"], asked["who"])}


def leave(shared: Curate, asked: Answer) -> Answer:
    curation.release(shared.workspace, asked["id"], asked["who"])
    return {}


def accept(shared: Curate, asked: Answer) -> Answer:
    with shared.measuring.held():
        return _told(curation.accept(shared.workspace, [asked["id"]], asked["who"]))


def reject(shared: Curate, asked: Answer) -> Answer:
    return _told(curation.reject(shared.workspace, [asked["id"]], asked["who"], asked["reasons"]))


def name_type(shared: Curate, asked: Answer) -> Answer:
    return _told(curation.set_type(shared.workspace, [asked["id"]], asked["type"], asked["who"]))


def _told(decided: Decided) -> Answer:
    return {"ids": decided.ids, "sentence": decided.sentence, "left_out": len(decided.left_out)}


def measures(shared: Curate, asked: Answer) -> Answer:
    """The measures of one candidate as far as they are known, and the effects of those on the screen.

    known: None where they are what the asker has already (`have`). late: which of them hold for an earlier state of
    the bank: "all", "effect" or "". left: how many candidates wait for being measured.
    """
    measuring, made = shared.measuring, candidates.get(shared.workspace, asked["id"])
    waiting = {one.id: one for one in measuring.waiting()}
    left = sum(not (w.measured and w.effect) and not measuring.problem(w.id) for w in waiting.values())
    problem, known = measuring.problem(made.id), quality.kept_quality(made)
    if left:
        measuring.want([made.id, *asked["screen"]])
    own = waiting.get(made.id)  # what is decided is measured no more
    late = "" if own is None or problem else "all" if not own.measured else "" if own.effect else "effect"
    stamp = f"{known.state} {known.effect_state}" if known else ""
    new = known is not None and stamp != asked["have"]
    screen = [candidates.get(shared.workspace, id) for id in asked["screen"] if id in waiting]
    return {
        "known": _quality(shared.workspace, made, known) | {"stamp": stamp} if new and known else None,
        "late": late,
        "problem": problem,
        "left": left,
        "screen": {one.id: _effect_shown(quality.kept_quality(one)) for one in screen},
    }


def _quality(workspace: Workspace, made: Candidate, known: Quality) -> Answer:
    return {
        "measures": [
            {"name": m.name, "light": m.light, "text": m.text, "meaning": m.meaning} for m in known.measures
        ],
        "alike": [
            {"image": a.image, "type": a.defect_type, "distance": f"{a.distance:.1f}"} for a in known.alike
        ],
        "twins": [{"id": twin, "name": _name(twin), "real": "/" in twin} for twin in known.twins],
        "leftOut": reports.outline(quality.left_out(known, curation.mask_of(workspace, made))),
        "patches": [len(known.left_out), len(known.patches)],
    }


def effect(shared: Curate, asked: Answer) -> Answer:
    """What accepting all of these at once would change, and which of them nearly repeat others of them."""
    found = shared.measuring.judge.effect(asked["ids"])
    repeats = shared.measuring.judge.repeats(asked["ids"])
    return {"light": found.light, "text": found.text, "repeats": list(repeats)}


# --- trimming its mask ------------------------------------------------------------------------------------


def mask(shared: Curate, asked: Answer) -> Answer:
    """A candidate's mask as the editor shows it."""
    made = candidates.get(shared.workspace, asked["id"])
    shape = editing.canvas(shared.workspace, made.source).pixels.shape[:2]
    layer = masks.to_editor(curation.mask_of(shared.workspace, made), shape, editing.COLOUR)
    address = "data:image/png;base64," + base64.b64encode(encode_png(layer)).decode()
    return {"layer": address, "width": shape[1], "height": shape[0]}


def trim(shared: Curate, asked: Answer) -> Answer:
    """Keep what was left of the mask in the editor; where it was not touched, its own finer pixels."""
    made = candidates.get(shared.workspace, asked["id"])
    width, height = made.size
    left = masks.from_editor(
        _shared.drawn(asked["layer"]), (height, width), curation.mask_of(shared.workspace, made)
    )
    return _told(curation.trim(shared.workspace, made.id, left, asked["who"]))


# --- the history ------------------------------------------------------------------------------------------


def history(shared: Curate, asked: Answer) -> Answer:
    """What was decided on this data set, the newest first; what was taken back says by whom."""
    workspace = shared.workspace
    dataset = workspace.dataset().name
    everything = curation.decisions(workspace)
    by_number = {decision.id: decision for decision in everything}
    found = [d for d in everything if d.action != "undo" and d.detail.get("dataset") == dataset]
    lines = [_line(workspace, decision, by_number) for decision in found[: asked["limit"]]]
    return {"lines": lines, "total": len(found)}


def _line(workspace: Workspace, decision: Decision, by_number: dict[int, Decision]) -> Answer:
    said = SAID[decision.action]
    if decision.action == "type" and decision.detail["after"]:
        said += f" {decision.detail['after']}"
    if decision.reason:
        said += f": {', '.join(decision.reason)}"
    back = by_number.get(decision.undone or 0)
    return {
        "id": decision.id,
        "subject": decision.subject,
        "real": decision.action in ("missed", "false_alarm", "drop"),
        # A bank's and no picture's: there is none to show, and nothing to take back.
        "bank": decision.action == "align",
        "action": decision.action,
        "said": said,
        "who": decision.who,
        "created": decision.created,
        "undone": decision.undone is not None,
        "undone_by": back.who if back else "",
    }


def undo(shared: Curate, asked: Answer) -> Answer:
    with shared.measuring.held():
        return _told(curation.undo(shared.workspace, asked["decision"], asked["who"]))


def undo_last(shared: Curate, asked: Answer) -> Answer:
    with shared.measuring.held():
        return _told(curation.undo_last(shared.workspace, asked["who"]))


def undo_all(shared: Curate, asked: Answer) -> Answer:
    """Take back this person's decisions on these candidates, as far as they still stand."""

    def work(progress: Progress) -> Answer:
        with shared.measuring.held():
            return _told(_undo_all(shared.workspace, asked["ids"], asked["who"], progress))

    return _begin(shared, work)


def _undo_all(workspace: Workspace, ids: Sequence[str], who: str, progress: Progress) -> Decided:
    wanted = set(ids)
    standing = [
        decision
        for decision in curation.decisions(workspace)
        if decision.subject in wanted and _stands(decision, "accept", "reject") and decision.who == who
    ]
    progress.begin("Taking back", len(standing))
    back = []
    for decision in standing:
        back += curation.undo(workspace, decision.id, who).ids
        progress.advance()
    said = f"Took back {_shared.count(len(back), 'decision')}."
    return curation.Decided(back, {}, "", 0, said)


# --- many at once -----------------------------------------------------------------------------------------


def chosen(shared: Curate, asked: Answer) -> Answer:
    """The pending candidates that pass the filters now, and how many of them somebody else has open."""
    workspace = shared.workspace
    dataset = workspace.dataset().name
    pending = candidates.listed(workspace, dataset, "pending")
    found = [made.id for made in pending if _Entry.of(made).passes(asked)]
    holders = curation.claims(workspace)
    free = [id for id in found if holders.get(id, asked["who"]) == asked["who"]]
    return {"ids": free, "held": len(found) - len(free)}


def recommend(shared: Curate, asked: Answer) -> Answer:
    """Begin to find out which of those that `chosen` names would help."""
    ids, dataset = chosen(shared, asked)["ids"], shared.workspace.dataset().name

    def work(progress: Progress) -> Answer:
        advice = shared.measuring.judge.recommend(dataset, ids, progress)
        return {"ids": advice.ids, "sentence": advice.sentence}

    return _begin(shared, work)


def bulk(shared: Curate, asked: Answer) -> Answer:
    """Begin to accept or reject these."""
    workspace, ids, who = shared.workspace, asked["ids"], asked["who"]
    if not ids:
        raise BadInput("None of these candidates waits for a decision any more.")

    def work(progress: Progress) -> Answer:
        with shared.measuring.held():
            if asked["action"] == "accept":
                return _told(curation.accept(workspace, ids, who, progress=progress))
            return _told(curation.reject(workspace, ids, who, asked["reasons"]))

    return _begin(shared, work)


def _begin(shared: Curate, work: Callable[[Progress], Answer]) -> Answer:
    run, number = Bulk(), uuid.uuid4().hex[:12]
    shared.bulks[number] = run

    def do() -> None:
        try:
            run.answer = work(run.progress)
        except Exception as error:
            run.error = error
        finally:
            run.over.set()

    threading.Thread(target=do, name=f"at work {number}", daemon=True).start()
    return {"run": number}


def look(shared: Curate, asked: Answer) -> Answer:
    """How far it is; at its end what became of it."""
    run = shared.bulks.get(asked["run"])
    if run is None:
        raise BadInput(
            "This was begun before the workbench was last started; the history says what was decided."
        )
    if not run.over.is_set():
        return {"over": False, "text": run.progress.text, "fraction": run.progress.fraction}
    del shared.bulks[asked["run"]]
    if isinstance(run.error, Cancelled):
        said = "Cancelled; what was not decided yet is left as it was."
        return {"over": True, "cancelled": True, "ids": [], "sentence": said}
    if run.error is not None:
        raise run.error
    return {"over": True} | run.answer


def stop(shared: Curate, asked: Answer) -> Answer:
    if run := shared.bulks.get(asked["run"]):
        run.progress.cancel()
    return {}
