"""Answers the Curate page's script on one candidate: facts, measures, masks, history.

Knows candidates and decisions. Does not know the queue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exdd_core import curation, drawing, studio
from exdd_core.curation import queue
from exdd_core.curation.measures import left_out
from exdd_core.studio import editor
from exdd_core.synthesis import mask_layers
from exdd_core.workspace import candidates, decisions
from pages import html
from pages.curate import questions
from pages.curate.cards import SOURCES, card, effect_answer
from pages.curate.state import Curate, decided_answer
from pages.guard.roles import may
from pages.guard.visitors import visitor_of_request
from pages.html import Answer
from pages.pictures import png_url
from pages.questions import One

if TYPE_CHECKING:
    from exdd_core.curation.measures import Quality
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.candidates import Candidate
    from exdd_core.workspace.decisions import Decision

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


def candidate(shared: Curate, asked: questions.Opened) -> Answer:
    """Everything about one candidate. With `who`, claims it for that person and releases their former one; who may
    only look claims nothing."""
    workspace = shared.workspace
    made = candidates.get(workspace, asked.id)
    deciding = may(visitor_of_request().role, "curator")
    if asked.before and deciding:
        decisions.release(workspace, asked.before, asked.who)
    holder = decisions.claim(workspace, made.id, asked.who) if made.status == "pending" and deciding else ""
    return _record(workspace, made, holder)


def ahead(shared: Curate, asked: questions.Next) -> Answer:
    """Everything about the candidates that come next, without a claim on them; those that are gone are left out."""
    holders = decisions.claims(shared.workspace)
    made = candidates.of_ids(shared.workspace, asked.ids)
    return {"candidates": [_record(shared.workspace, one, holders.get(one.id, "")) for one in made]}


def _record(workspace: Workspace, made: Candidate, holder: str) -> Answer:
    width, height = made.size
    last = next(reversed(decisions.in_force(workspace, "accept", "reject", subject=made.id)), None)
    return card(workspace, made, {made.id: holder}) | {
        "width": width,
        "height": height,
        "outline": drawing.outline(candidates.mask_of(workspace, made)),
        "trimmed": bool(decisions.in_force(workspace, "trim", subject=made.id)),
        "facts": _facts(workspace, made),
        "notes": made.notes,
        "decision": _line(last) if last else None,
    }


def _facts(workspace: Workspace, made: Candidate) -> list[tuple[str, str]]:
    """The settings that a candidate was painted with, as (name, value), without empty ones."""
    engine = studio.engine(workspace, made.engine)
    told = [
        ("Prompt", made.prompt),
        ("Negative prompt", made.negative_prompt),
        ("Engine", f"{engine.TITLE} {made.engine_version}"),
        ("Seed", str(made.seed)),
        ("Painted into", _name(made.source)),
        ("Mask", SOURCES.get(str(made.mask_spec.get("source", "")), "")),
        ("Donor", _name(made.donor)),
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


def measures(shared: Curate, asked: questions.Measured) -> Answer:
    """The known measures of one candidate, and the effects of the candidates on the screen.

    known: None where the script has them already (`have`). late: which measures are of an earlier state of the bank:
    "all", "effect" or "". left: the number of candidates that wait to be measured.
    """
    measuring, made = shared.measuring, candidates.get(shared.workspace, asked.id)
    waiting = {one.id: one for one in measuring.standing([made.id, *asked.screen])}
    left = measuring.late()
    problem, known = measuring.problem(made.id), queue.kept_quality(made)
    if left:
        measuring.want([made.id, *asked.screen])
    own = waiting.get(made.id)  # decided candidates are not measured any more
    late = "" if own is None or problem else "all" if not own.measured else "" if own.effect else "effect"
    stamp = f"{known.state} {known.effect_state}" if known else ""
    new = known is not None and stamp != asked.have
    screen = candidates.of_ids(shared.workspace, [id for id in asked.screen if id in waiting])
    return {
        "known": _quality(shared.workspace, made, known) | {"stamp": stamp} if new and known else None,
        "late": late,
        "problem": problem,
        "left": left,
        "screen": {one.id: effect_answer(queue.kept_quality(one)) for one in screen},
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
        "leftOut": drawing.outline(left_out(known, candidates.mask_of(workspace, made))),
        "patches": [len(known.left_out), len(known.patches)],
    }


def effect(shared: Curate, asked: questions.Several) -> Answer:
    """The effect of accepting these candidates together, and which of them nearly repeat others."""
    found = shared.measuring.judge.effect(asked.ids)
    repeats = shared.measuring.judge.repeats(asked.ids)
    return {"light": found.light, "text": found.text, "repeats": list(repeats)}


def mask(shared: Curate, asked: One) -> Answer:
    """A candidate's mask as a layer of the editor."""
    made = candidates.get(shared.workspace, asked.id)
    shape = editor.canvas(shared.workspace, made.source).pixels.shape[:2]
    layer = mask_layers.to_editor(candidates.mask_of(shared.workspace, made), shape, editor.COLOUR)
    address = png_url(layer)
    return {"layer": address, "width": shape[1], "height": shape[0]}


def trim(shared: Curate, asked: questions.Trimmed) -> Answer:
    """Trim the mask to the editor's layer. Wherever the layer was not changed, the mask's finer pixels stay."""
    made = candidates.get(shared.workspace, asked.id)
    width, height = made.size
    left = mask_layers.from_editor(
        html.drawn(asked.layer), (height, width), candidates.mask_of(shared.workspace, made)
    )
    return decided_answer(curation.trim(shared.workspace, made.id, left, asked.who))


def history(shared: Curate, asked: questions.Lines) -> Answer:
    """The decisions on this data set, the newest first; undone ones with the person who undid them."""
    found, total = decisions.past(shared.workspace, shared.workspace.dataset().name, asked.limit)
    return {"lines": [_line(decision, by) for decision, by in found], "total": total}


def _line(decision: Decision, undone_by: str = "") -> Answer:
    said = SAID[decision.action]
    if decision.action == "type" and decision.detail["after"]:
        said += f" {decision.detail['after']}"
    if decision.reason:
        said += f": {', '.join(decision.reason)}"
    return {
        "id": decision.id,
        "subject": decision.subject,
        "real": decision.action in ("missed", "false_alarm", "drop"),
        # A decision on a bank has no picture and cannot be undone.
        "bank": decision.action == "align",
        "action": decision.action,
        "said": said,
        "who": decision.who,
        "created": decision.created,
        "undone": decision.undone is not None,
        "undone_by": undone_by,
    }
