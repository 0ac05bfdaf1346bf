"""The prompt library and its scoreboard.

Knows the tables of prompts and candidates. Does not know pages or how a prompt is painted.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from exdd_core.errors import BadInput
from exdd_core.sentences import count
from exdd_core.spec import Json
from exdd_core.synthesis import ENGINES
from exdd_core.synthesis.templates import LONGEST, PAPER_NEGATIVE, expand, squeezed
from exdd_core.workspace.clock import now

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.workspace import Workspace

MOST_IMPORTED = 1000
KIND = "exdd-prompts"  # marks an exported file
GIVEN = "prompts_given"  # set once the paper's prompts were added, so that a deleted one stays deleted
PAPER = {"Copper scratches": "copper metal scratches", "White marks": "white marks on the wall"}


@dataclass(frozen=True)
class Prompt:
    """One prompt of the library. engine: "" for whichever is chosen. Times are ISO 8601."""

    name: str
    prompt: str
    negative_prompt: str = ""
    tags: list[str] = field(default_factory=list)
    engine: str = ""
    settings: Json = field(default_factory=dict)
    id: str = ""
    created: str = ""
    changed: str = ""


@dataclass(frozen=True)
class Score:
    """The results of one prompt: counts of candidates, the rate of acceptance and the mean quality.

    prompt: None for a prompt that is not in the library. template: its text. made: all paintings, deleted candidates
    included. rate: accepted among those decided on. rate and quality are 0 to 1, None without candidates.
    """

    prompt: Prompt | None
    template: str
    made: int
    accepted: int
    rejected: int
    pending: int
    deleted: int
    rate: float | None
    quality: float | None
    interval: tuple[float, float] | None = None  # of the rate, 95 %


@dataclass(frozen=True)
class Imported:
    """The result of an import: names of added and replaced prompts. `undo_import` undoes it."""

    added: list[str]
    replaced: list[str]
    before: list[Prompt]
    after: list[Prompt]


def library(workspace: Workspace) -> list[Prompt]:
    """All prompts, by name."""
    with _filled(workspace).reading() as db:
        return [_prompt(row) for row in db.query("select * from prompts order by name collate nocase")]


def get(workspace: Workspace, id: str) -> Prompt:
    """The prompt of that id or name. Raises `BadInput`."""
    with _filled(workspace).reading() as db:
        row = next(iter(db.query("select * from prompts where id = :id or name = :id", {"id": id})), None)
    if row is None:
        raise BadInput(f'There is no prompt "{id}" in the library; it may have been deleted.')
    return _prompt(row)


def save(workspace: Workspace, prompt: Prompt) -> Prompt:
    """Store a new prompt (without `id`) or a changed one, which is restored if it was deleted.

    Returns the stored prompt. Raises `BadInput` for a name in use, no name or a broken template.
    """
    prompt = _checked(prompt)
    with _filled(workspace).writing() as db:
        taken = db.execute(
            "select 1 from prompts where name = ? and id <> ?", [prompt.name, prompt.id]
        ).fetchone()
        if taken:
            raise BadInput(f'There is already a prompt named "{prompt.name}"; choose another name.')
        return _keep(db, prompt)


def delete(workspace: Workspace, id: str) -> Prompt:
    """Delete a prompt and return it; `save` restores it. Candidates keep their record."""
    prompt = get(workspace, id)
    with workspace.writing() as db:
        db.execute("delete from prompts where id = ?", [prompt.id])
    return prompt


def differences(a: Prompt, b: Prompt) -> list[tuple[str, Any, Any]]:
    """(field, value in a, value in b) wherever two prompts differ. Each setting is a field; None: not set."""
    found: list[tuple[str, Any, Any]] = []
    for name in ("prompt", "negative_prompt", "engine", "tags"):
        if getattr(a, name) != getattr(b, name):
            found.append((name.replace("_", " "), getattr(a, name), getattr(b, name)))
    for name in dict.fromkeys((*a.settings, *b.settings)):
        if a.settings.get(name) != b.settings.get(name):
            found.append((name.replace("_", " "), a.settings.get(name), b.settings.get(name)))
    return found


def _filled(workspace: Workspace) -> Workspace:
    """The workspace, after adding the paper's prompts if that was never done."""
    if not workspace.setting(GIVEN, False):
        with workspace.writing() as db:
            fresh = db.execute("insert or ignore into settings (key, value) values (?, 'true')", [GIVEN])
            if fresh.rowcount:  # 0 if another process was faster
                for name, text in PAPER.items():
                    _keep(db, Prompt(name, text, PAPER_NEGATIVE, ["paper"]))
    return workspace


def _keep(db: Database, prompt: Prompt) -> Prompt:
    stamp = now("seconds")
    kept = replace(
        prompt, id=prompt.id or uuid.uuid4().hex[:12], created=prompt.created or stamp, changed=stamp
    )
    row = asdict(kept) | {"tags": json.dumps(kept.tags), "settings": json.dumps(kept.settings)}
    changes = ", ".join(f"{name} = excluded.{name}" for name in row)
    db.execute(
        f"insert into prompts ({', '.join(row)}) values ({', '.join('?' * len(row))}) "
        f"on conflict (id) do update set {changes}",
        list(row.values()),
    )
    return kept


def _prompt(row: Mapping[str, Any]) -> Prompt:
    return Prompt(**{**row, "tags": json.loads(row["tags"]), "settings": json.loads(row["settings"])})


def _checked(prompt: Prompt) -> Prompt:
    """The prompt without extra spaces. Raises `BadInput` where it cannot be stored."""
    name = squeezed(prompt.name)
    if not name or len(name) > 80 or not name.isprintable():
        raise BadInput("A prompt needs a name of up to 80 characters.")
    expand(prompt.prompt, 1, 0)
    if prompt.engine and prompt.engine not in ENGINES:
        raise BadInput(f'There is no engine "{prompt.engine}"; choose {", ".join(ENGINES)}.')
    if len(prompt.negative_prompt) > LONGEST:
        raise BadInput(f"The negative prompt is longer than {LONGEST} characters; shorten it.")
    tags = list(dict.fromkeys(filter(None, map(squeezed, prompt.tags))))
    return replace(
        prompt,
        name=name,
        prompt=squeezed(prompt.prompt),
        negative_prompt=squeezed(prompt.negative_prompt),
        tags=tags,
    )


def export_json(prompts: Sequence[Prompt]) -> str:
    """The prompts as JSON for `import_json`, in this or another workspace."""
    fields = ("name", "prompt", "negative_prompt", "tags", "engine", "settings")
    rows = [{name: getattr(prompt, name) for name in fields} for prompt in prompts]
    return json.dumps({"kind": KIND, "prompts": rows}, indent=2, ensure_ascii=False) + "\n"


def import_json(workspace: Workspace, text: str, replace_same_names: bool = False) -> Imported:
    """Add all prompts of an exported file, or none. Raises `BadInput` for an unreadable file.

    A prompt that differs from the library's of the same name gets another name ("NAME 2") or replaces it; an
    identical one changes nothing.
    """
    prompts = _read_json(text)
    before: list[Prompt] = []
    after: list[Prompt] = []
    with _filled(workspace).writing() as db:
        known = {row["name"]: _prompt(row) for row in db.query("select * from prompts")}
        for prompt in prompts:
            same = known.get(prompt.name)
            if same is not None and not differences(same, prompt):
                continue
            if same is not None and replace_same_names:
                before.append(same)
                prompt = replace(prompt, id=same.id, created=same.created)
            elif same is not None:
                prompt = replace(prompt, name=_free_name(prompt.name, known))
            after.append(_keep(db, prompt))
            known[after[-1].name] = after[-1]
    replaced = {prompt.id for prompt in before}
    return Imported(
        added=[prompt.name for prompt in after if prompt.id not in replaced],
        replaced=[prompt.name for prompt in before],
        before=before,
        after=after,
    )


def undo_import(workspace: Workspace, imported: Imported) -> None:
    """Undo an import: delete added prompts and restore replaced ones, under their names if these are free."""
    with workspace.writing() as db:
        for prompt in imported.after:
            db.execute("delete from prompts where id = ?", [prompt.id])
        names = {row[0] for row in db.execute("select name from prompts")}
        for prompt in imported.before:
            _keep(
                db,
                replace(prompt, name=_free_name(prompt.name, names) if prompt.name in names else prompt.name),
            )


def _free_name(name: str, known: Container[str]) -> str:
    number = 2
    while f"{name[:76]} {number}" in known:
        number += 1
    return f"{name[:76]} {number}"


def _read_json(text: str) -> list[Prompt]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise BadInput(
            "This file is not valid JSON; choose one that was exported from a prompt library."
        ) from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise BadInput("This file contains no prompts; choose one that was exported from a prompt library.")
    rows = content.get("prompts")
    if not isinstance(rows, list) or not rows:
        raise BadInput("There are no prompts in this file.")
    if len(rows) > MOST_IMPORTED:
        raise BadInput(
            f"This file contains {count(len(rows), 'prompt')}; import at most {MOST_IMPORTED} at a time."
        )
    return [_read_row(row, number) for number, row in enumerate(rows, 1)]


def _read_row(row: Any, number: int) -> Prompt:
    kinds = {
        "name": str,
        "prompt": str,
        "negative_prompt": str,
        "tags": list,
        "engine": str,
        "settings": dict,
    }
    if not isinstance(row, dict):
        raise BadInput(f"Entry {number} of this file is not a prompt; export the library again.")
    for name, kind in kinds.items():
        right = isinstance(row.get(name, kind()), kind)
        if not right or (name == "tags" and not all(isinstance(tag, str) for tag in row.get("tags", []))):
            raise BadInput(
                f'Prompt {number} of this file cannot be read: "{name.replace("_", " ")}" is not valid.'
            )
    try:
        return _checked(Prompt(**{name: row.get(name, kind()) for name, kind in kinds.items()}))
    except BadInput as error:
        raise BadInput(f"Prompt {number} of this file cannot be used: {error}") from None


def scoreboard(workspace: Workspace, dataset: str | None = None) -> list[Score]:
    """The results of every prompt, in the library or only typed, the best first.

    A candidate counts for the prompt of its order, or else for the library's prompt of the same text; a draft for none.
    """
    prompts = library(workspace)
    by_id = {prompt.id: prompt.id for prompt in prompts}
    by_text = {prompt.prompt: prompt.id for prompt in reversed(prompts)}
    sums: dict[str, dict[str, float]] = {prompt.id: {} for prompt in prompts}
    templates = {prompt.id: prompt.prompt for prompt in prompts}
    with workspace.reading() as db:
        rows = db.query(
            "select prompt_id, template, status, count(*) as n, sum(json_extract(quality, '$.overall')) as quality,"
            " count(json_extract(quality, '$.overall')) as measured from candidates"
            " where (:dataset is null or dataset = :dataset) and status <> 'draft'"
            " group by prompt_id, template, status",
            {"dataset": dataset},
        )
        for row in rows:
            key = (
                by_id.get(row["prompt_id"])
                or by_text.get(squeezed(row["template"]))
                or f"text {row['template']}"
            )
            templates.setdefault(key, row["template"])
            total = sums.setdefault(key, {})
            for name, value in (
                ("made", row["n"]),
                (row["status"], row["n"]),
                ("quality", row["quality"] or 0.0),
                ("measured", row["measured"]),
            ):
                total[name] = total.get(name, 0) + value
    known = {prompt.id: prompt for prompt in prompts}
    scores = [_score(known.get(key), templates[key], total) for key, total in sums.items()]
    return sorted(
        scores, key=lambda score: (-(score.rate or -1.0), -score.accepted, -score.made, score.template)
    )


def _score(prompt: Prompt | None, template: str, total: Mapping[str, float]) -> Score:
    accepted, rejected = int(total.get("accepted", 0)), int(total.get("rejected", 0))
    return Score(
        prompt=prompt,
        template=template,
        made=int(total.get("made", 0)),
        accepted=accepted,
        rejected=rejected,
        pending=int(total.get("pending", 0)),
        deleted=int(total.get("deleted", 0)),
        rate=accepted / (accepted + rejected) if accepted + rejected else None,
        quality=total["quality"] / total["measured"] if total.get("measured") else None,
        interval=rate_interval(accepted, accepted + rejected),
    )


def rate_interval(accepted: int, decided: int) -> tuple[float, float] | None:
    """The 95 % interval of a rate (Wilson, 1927), 0 to 1; None where nothing was decided on."""
    if not decided:
        return None
    z = 1.959964  # the normal distribution's 97.5 % point
    rate, spread = accepted / decided, z * z / decided
    middle = (rate + spread / 2) / (1 + spread)
    half = z / (1 + spread) * math.sqrt(rate * (1 - rate) / decided + spread / (4 * decided))
    return max(0.0, middle - half), min(1.0, middle + half)
