"""Curation: what a candidate is worth, what people decide about it, and what that does to the active bank version.

Measures a candidate against the banks, claims it for whoever looks at it, and writes decisions: a decision, the
candidate's status and the change of the bank are one transaction, so that history and bank agree whatever is
killed. Real images come the same way: a defect that was missed, a false alarm. Knows the workspace, candidates and
detectors; does not know pages or the command line, nor how a candidate was painted.

Everything that people decided and did not take back stands in the table `decisions`. The active version of the
candidate's data set changes at once; versions built later hold what is in force then.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from filelock import FileLock

from exdd_core import candidates, files, images, incoming
from exdd_core.candidates import Candidate
from exdd_core.detector import Change, Detector, patches
from exdd_core.detector import context as surroundings
from exdd_core.detector.bank import BankImage
from exdd_core.detector.examples import Marked, TrainingImage
from exdd_core.errors import BadInput
from exdd_core.progress import Progress
from exdd_core.studio import keep_mask
from exdd_core.synthesis import masks
from exdd_core.target import Target

if TYPE_CHECKING:
    from sqlite_utils import Database

    from exdd_core.detector.inspection import Inspection
    from exdd_core.workspace import Workspace

REASONS = ("unrealistic", "wrong place", "artefact", "duplicate", "too faint")
CLAIMED = 180.0  # seconds that a candidate stays somebody's after they last showed a sign of life
LOCK = ".deciding.lock"
FEATURES = "cache/candidates"
TAUGHT, MASKS = "taught", "masks"  # images from outside that taught the banks, and masks that people drew
OF_BANK = ("accept", "missed", "false_alarm", "drop")  # decisions that change a bank


@dataclass(frozen=True)
class Decision:
    """One line of the history. subject: id of a candidate or image. undone: the id of the decision that took it back.

    action: accept, reject, trim, type, missed, false_alarm, drop, align or undo. reason: tags.
    """

    id: int
    subject: str
    action: str
    reason: list[str]
    who: str
    created: str  # ISO 8601, UTC
    detail: dict[str, Any]
    undone: int | None


@dataclass(frozen=True)
class Decided:
    """What became of a decision on one or many. left_out: by id, why nothing was decided there. bank: the version
    that has changed, "" for none. rows: how many came to its banks (below 0: left them). sentence: all that for
    people."""

    ids: list[str]
    left_out: dict[str, str]
    bank: str
    rows: int
    sentence: str


# --- who has it open ----------------------------------------------------------------------------------------


def claim(workspace: Workspace, id: str, who: str) -> str:
    """Take a candidate for yourself while you look at it, or stay with it. Returns "" or the name of who has it."""
    with workspace.writing() as db:
        holder = _holder(db, id)
        if holder not in ("", who):
            return holder
        _hold(db, id, who)
    return ""


def _hold(db: Database, id: str, who: str) -> None:
    until = (datetime.now(UTC) + timedelta(seconds=CLAIMED)).isoformat(timespec="milliseconds")
    db.execute("delete from claims where candidate = ? or until < ?", [id, _now()])
    db.execute("insert into claims (candidate, who, until) values (?, ?, ?)", [id, who, until])


def release(workspace: Workspace, id: str, who: str) -> None:
    with workspace.writing() as db:
        db.execute("delete from claims where candidate = ? and who = ?", [id, who])


def claims(workspace: Workspace) -> dict[str, str]:
    """Who has which candidates open."""
    with workspace.reading() as db:
        return dict(db.execute("select candidate, who from claims where until >= ?", [_now()]).fetchall())


def _holder(db: Database, id: str) -> str:
    row = db.execute("select who from claims where candidate = ? and until >= ?", [id, _now()]).fetchone()
    return row[0] if row else ""


# --- the history ------------------------------------------------------------------------------------------


def decisions(workspace: Workspace, subject: str | None = None, limit: int = -1) -> list[Decision]:
    """Everything that was decided, the newest first."""
    with workspace.reading() as db:
        return _decisions(db, "where (:subject is null or candidate = :subject)", subject, limit)


def newest(workspace: Workspace) -> int:
    """The number of the last decision, 0 where there is none. Cheap: for asking whether anything is new."""
    with workspace.reading() as db:
        return int(db.execute("select coalesce(max(id), 0) from decisions").fetchone()[0])


def _decisions(db: Database, where: str, subject: str | int | None = None, limit: int = -1) -> list[Decision]:
    undone = "select id as undone, json_extract(detail, '$.of') as one from decisions where action = 'undo'"
    query = (
        f"with back as ({undone}) select * from decisions left join back on one = id {where} order by id desc"
    )
    rows = db.query(f"{query} limit :limit", {"subject": subject, "limit": limit})
    return [
        Decision(
            row["id"],
            row["candidate"],
            row["action"],
            json.loads(row["reason"]),
            row["who"],
            row["created"],
            json.loads(row["detail"]),
            row["undone"],
        )
        for row in rows
    ]


def _standing(db: Database, decision: int) -> Decision:
    """A decision that can be taken back. Raises BadInput."""
    found = next(iter(_decisions(db, "where id = :subject", decision)), None)
    if found is None:
        raise BadInput(f"There is no decision {decision} in this workspace.")
    if found.undone is not None or found.action == "undo":
        raise BadInput("This was taken back already.")
    if found.action == "align":
        raise BadInput("This only made the bank follow what was decided; take those decisions back instead.")
    return found


def in_force(workspace: Workspace, *actions: str, dataset: str | None = None) -> list[Decision]:
    """Decisions of these kinds that nobody took back, the oldest first."""
    found = [d for d in decisions(workspace) if d.action in actions and d.undone is None]
    return [d for d in reversed(found) if dataset in (None, d.detail.get("dataset"))]


def _write(
    db: Database, subject: str, action: str, who: str, reason: Sequence[str] = (), **detail: Any
) -> int:
    row = [subject, action, json.dumps(list(reason)), who, _now(), json.dumps(detail)]
    marks = (
        "insert into decisions (candidate, action, reason, who, created, detail) values (?, ?, ?, ?, ?, ?)"
    )
    return int(db.execute(marks, row).lastrowid or 0)


# --- deciding on candidates -----------------------------------------------------------------------------------


def accept(
    workspace: Workspace,
    ids: Sequence[str],
    who: str,
    defect_type: str | None = None,
    progress: Progress | None = None,
) -> Decided:
    """Take pending candidates into the positive bank of their data set's active version, and remember it.

    What somebody else has decided meanwhile, or has open, is left out and named. Raises BadInput where a single
    one was asked for and cannot be accepted.
    """
    progress = progress or Progress()
    with _deciding(workspace), _taken(workspace, ids, who) as (chosen, left_out):
        before = {candidate.id: candidate for candidate in chosen}
        if defect_type is not None:
            chosen = [replace(candidate, defect_type=_name(defect_type)) for candidate in chosen]
        target = Target.active(workspace, chosen[0].dataset) if chosen else None
        changes: list[Change] = []
        if target is not None:
            progress.begin("Reading the candidates' patches", len(chosen))
            several = []
            for candidate in chosen:
                several.append(marked(workspace, candidate, target.detector))
                progress.advance()
            progress.begin("Fitting the bank to them", 1)
            changes = target.add(several)
        with workspace.writing() as db:
            for candidate in chosen:
                if defect_type is not None:
                    _retype(db, before[candidate.id], defect_type, who)
                _set_status(db, candidate.id, "pending", "accepted")
                number = _write(db, candidate.id, "accept", who, dataset=candidate.dataset)
                if target is not None:
                    target.enter([c for c in changes if c.image.id == candidate.id], number)
            last = target.write(db) if target else 0
        if target is not None:
            target.publish(last)
    return _decided("Accepted", [c.id for c in chosen], left_out, target, changes)


def reject(workspace: Workspace, ids: Sequence[str], who: str, reasons: Sequence[str] = ()) -> Decided:
    """Say no to pending candidates, with tags of your own or of `REASONS`."""
    with workspace.writing() as db:  # it changes no bank, so it waits for nobody who does
        chosen, left_out = _decidable(workspace, ids, who)
        for candidate in chosen:
            _set_status(db, candidate.id, "pending", "rejected")
            _write(db, candidate.id, "reject", who, _tags(reasons), dataset=candidate.dataset)
    return _decided("Rejected", [c.id for c in chosen], left_out, None, [])


def trim(workspace: Workspace, id: str, mask: np.ndarray, who: str) -> Decided:
    """Let only a part of a pending candidate's mask count. mask: bool (H, W); what lies outside the measured mask is
    cut off. Raises BadInput where nothing is left."""
    candidate = candidates.get(workspace, id)
    measured = images.read_mask(candidate.mask, None, "the mask")
    if mask.shape != measured.shape:
        raise BadInput(
            "The trimmed mask has another size than the candidate; draw it on the candidate itself."
        )
    left = mask.astype(bool) & measured
    if not left.any():
        raise BadInput("Nothing of the mask is left; keep some of it, or reject the candidate.")
    name = keep_mask(workspace, left)
    with _deciding(workspace):
        chosen, left_out = _decidable(workspace, [id], who)
        with workspace.writing() as db:
            _write(db, id, "trim", who, mask=name, dataset=candidate.dataset)
    return _decided("Trimmed the mask of", [c.id for c in chosen], left_out, None, [])


def set_type(workspace: Workspace, ids: Sequence[str], defect_type: str, who: str) -> Decided:
    """Give pending candidates a defect type."""
    with _deciding(workspace):
        chosen, left_out = _decidable(workspace, ids, who)
        with workspace.writing() as db:
            for candidate in chosen:
                _retype(db, candidate, defect_type, who)
    return _decided("Named the defect of", [c.id for c in chosen], left_out, None, [])


def undo(workspace: Workspace, decision: int, who: str) -> Decided:
    """Take one decision back: what it changed changes back, and exactly that. Raises BadInput."""
    with workspace.reading() as db:
        found = _standing(db, decision)
    with _deciding(workspace) if found.action in OF_BANK else nullcontext():
        target, changes = _reversal(workspace, found)
        with workspace.writing() as db:
            _standing(db, decision)
            number = _write(db, found.subject, "undo", who, of=found.id, dataset=found.detail.get("dataset"))
            if found.action in ("accept", "reject"):
                old = "accepted" if found.action == "accept" else "rejected"
                _set_status(db, found.subject, old, "pending")
            elif found.action in ("trim", "type"):
                _require_pending(db, found.subject)
            if found.action == "type":
                before = found.detail["before"]
                db.execute("update candidates set defect_type = ? where id = ?", [before, found.subject])
            if target is not None:
                target.enter(changes, number)
            last = target.write(db) if target else 0
        if target is not None:
            target.publish(last)
    what = "image" if found.action in ("missed", "false_alarm", "drop") else "candidate"
    return _decided("Took back the decision on", [found.subject], {}, target, changes, what)


def undo_last(workspace: Workspace, who: str) -> Decided:
    """Take back what this person decided last and has not taken back. Raises BadInput where there is nothing."""
    with workspace.reading() as db:
        query = "where who = :subject and action not in ('undo', 'align') and undone is null"
        mine = _decisions(db, query, who, 1)
    if not mine:
        raise BadInput("There is nothing of yours to take back.")
    return undo(workspace, mine[0].id, who)


def _reversal(workspace: Workspace, found: Decision) -> tuple[Target | None, list[Change]]:
    """What the active version needs to lose, or to get back, when a decision is taken back."""
    dataset = found.detail.get("dataset")
    target = Target.active(workspace, dataset) if found.action in OF_BANK and dataset else None
    if target is None:
        return None, []
    if found.action == "drop":
        side = found.detail["side"]
        if not target.holds(found.subject, side):
            return target, target.put_back(found.subject, side) or target.add(
                [_remembered(workspace, found.subject, side, target.detector)], side
            )
    else:
        side = "negative" if found.action == "false_alarm" else "positive"
        if target.holds(found.subject, side):
            return target, target.remove(found.subject, side)
    return None, []


def _decidable(workspace: Workspace, ids: Sequence[str], who: str) -> tuple[list[Candidate], dict[str, str]]:
    """Of these candidates the pending ones that nobody else has open, and why the others are left out."""
    chosen, left_out, holders = [], {}, claims(workspace)
    for id in dict.fromkeys(ids):
        candidate = candidates.get(workspace, id)
        holder = holders.get(id, who)
        if candidate.status != "pending":
            left_out[id] = _already(workspace, candidate)
        elif holder != who:
            left_out[id] = f"{holder} has it open"
        else:
            chosen.append(candidate)
    if len(left_out) == 1 and not chosen:
        raise BadInput(f"Nothing was decided: {next(iter(left_out.values()))}.")
    if len({c.dataset for c in chosen}) > 1:
        raise BadInput("These candidates belong to several data sets; decide on one data set at a time.")
    return chosen, left_out


@contextmanager
def _taken(
    workspace: Workspace, ids: Sequence[str], who: str
) -> Iterator[tuple[list[Candidate], dict[str, str]]]:
    """What `_decidable` says, and those it chose kept from everybody else meanwhile."""
    with workspace.writing() as db:
        chosen, left_out = _decidable(workspace, ids, who)
        free = [candidate.id for candidate in chosen if not _holder(db, candidate.id)]
        for id in free:
            _hold(db, id, who)
    try:
        yield chosen, left_out
    finally:
        # Where this fails, what was decided stands all the same, and claims end by themselves.
        with suppress(BadInput), workspace.writing() as db:
            for id in free:
                db.execute("delete from claims where candidate = ? and who = ?", [id, who])


def _already(workspace: Workspace, candidate: Candidate) -> str:
    last = next(
        (d for d in decisions(workspace, candidate.id) if d.undone is None and d.action != "undo"), None
    )
    by = f" by {last.who}" if last else ""
    return f"it was {candidate.status} already{by}"


def _set_status(db: Database, id: str, old: str, new: str) -> None:
    """Change a status that is what it is taken for. Whoever comes second raises BadInput and changes nothing."""
    if (
        db.execute("update candidates set status = ? where id = ? and status = ?", [new, id, old]).rowcount
        != 1
    ):
        raise BadInput("Somebody else has decided on this meanwhile; nothing was changed.")


def _require_pending(db: Database, id: str) -> None:
    if db.execute("select status from candidates where id = ?", [id]).fetchone()[0] != "pending":
        raise BadInput("It was decided on since; take that back first.")


def _retype(db: Database, candidate: Candidate, defect_type: str, who: str) -> None:
    named = _name(defect_type)
    db.execute("update candidates set defect_type = ? where id = ?", [named, candidate.id])
    _write(
        db, candidate.id, "type", who, before=candidate.defect_type, after=named, dataset=candidate.dataset
    )


def _name(defect_type: str) -> str:
    return " ".join(defect_type.split())[:60]


def _tags(reasons: Sequence[str]) -> list[str]:
    cleaned = (" ".join(reason.split())[:40] for reason in reasons)
    return [tag for tag in dict.fromkeys(cleaned) if tag]


def _decided(
    done: str,
    ids: list[str],
    left_out: dict[str, str],
    target: Target | None,
    changes: Sequence[Change],
    what: str = "candidate",
) -> Decided:
    rows = sum(int(c.kept.sum()) * (-1 if c.action == "remove" else 1) for c in changes)
    count = f"{len(ids)} {what}s" if len(ids) != 1 else f"1 {what}"
    sentence = f"{done} {count}"
    if target is not None:
        count = f"{abs(rows)} {'row' if abs(rows) == 1 else 'rows'}"
        sentence += f"; {count} {'came to' if rows >= 0 else 'left'} bank {target.version.name}"
    if left_out:
        sentence += f"; {len(left_out)} left out: {next(iter(left_out.values()))}"
    return Decided(ids, left_out, target.version.name if target else "", rows, sentence + ".")


# --- real images --------------------------------------------------------------------------------------------


def missed(
    workspace: Workspace, image: str, path: Path, mask: np.ndarray, who: str, defect_type: str = ""
) -> Decided:
    """A defect that was missed: its patches go into the positive bank, and evaluation leaves its part out from now on.

    image: an id of the workspace, or of an image elsewhere whose file is `path` (kept as a copy). mask: bool (H, W).
    What probabilities learn from patches off the mask (`training.Unmarked`) waits for the next build, which takes the
    image as it takes any training image with a mask. Raises BadInput for a training image, an empty mask, or an
    image that taught the bank already.
    """
    require_marked(mask)
    _require_untrained(workspace, image)
    check_missed(mask, images.probe(path)[::-1])
    origin = _origin(workspace, image, path)
    known = BankImage(image, origin["group"], _name(defect_type))
    return _teach(workspace, "missed", known, mask, who, origin)


def false_alarm(
    workspace: Workspace, image: str, path: Path, who: str, mask: np.ndarray | None = None
) -> Decided:
    """A false alarm: these patches go into the negative bank, and evaluation leaves the part out from now on.

    mask: bool (H, W), or None for what raised the alarm. Raises BadInput as `missed` does, and for a defective image
    without a mask.
    """
    origin = _origin(workspace, image, path)
    if mask is None:
        if origin["label"] == "defect":
            raise BadInput("This image has a defect; mark the place that was a false alarm.")
        detector = workspace.detector(workspace.bank().id)
        mask = alarming(detector.score([pixels_of(workspace, image, path, detector)])[0])
    if not mask.any():
        raise BadInput("The mask is empty; draw over the false alarm.")
    return _teach(workspace, "false_alarm", BankImage(image, origin["group"]), mask, who, origin)


def require_marked(mask: np.ndarray) -> None:
    """Raise `BadInput` for an empty mask of a missed defect."""
    if not mask.any():
        raise BadInput("The mask is empty; draw over the defect that was missed.")


def check_missed(mask: np.ndarray, shape: tuple[int, int]) -> None:
    """Raise `BadInput` where a mask, bool (H, W), cannot be that of a defect of an image of `shape` (H, W).

    That is one that is empty, of another size, marks most of the image, or is inverted.
    """
    require_marked(mask)
    if mask.shape != shape:
        raise BadInput("The mask has another size than the image; draw it on the image itself.")
    incoming.require_defect(mask, masks.TOO_LARGE)


def alarming(seen: Inspection) -> np.ndarray:
    """What raised an alarm, bool (H, W): where the map lies above its threshold, else the most suspicious patch."""
    above = seen.map > seen.calibration.map_threshold
    if not above.any():
        y, x = seen.peak
        x0, y0, x1, y1 = seen.at(y, x).box
        above[y0:y1, x0:x1] = True
    return seen.within(above)


def _teach(
    workspace: Workspace, action: str, image: BankImage, mask: np.ndarray, who: str, origin: dict[str, Any]
) -> Decided:
    side = "negative" if action == "false_alarm" else "positive"
    name = keep_mask(workspace, mask)
    with _deciding(workspace):
        if any(d.subject == image.id for d in in_force(workspace, action)):
            raise BadInput(
                "This image has taught the bank already; take that back first, then mark all at once."
            )
        target = Target.active(workspace, origin["dataset"])
        changes: list[Change] = []
        if target is not None:
            if target.holds(image.id, side):
                raise BadInput(f"This image is in the {side} bank already.")
            pixels = pixels_of(workspace, image.id, workspace.path / origin["path"], target.detector)
            changes = target.add([_marked(pixels, mask, image, target.detector)], side)
        with workspace.writing() as db:
            detail = {k: v for k, v in origin.items() if k != "label"} | {
                "mask": name,
                "defect_type": image.defect_type,
            }
            number = _write(db, image.id, action, who, **detail)
            if target is not None:
                target.enter(changes, number)
            last = target.write(db) if target else 0
        if target is not None:
            target.publish(last)
    decided = _decided("", [image.id], {}, target, changes)
    said = "Remembered the missed defect" if action == "missed" else "Remembered the false alarm"
    rows = f"{decided.rows} {'row' if decided.rows == 1 else 'rows'}"
    where = f"; {rows} came to the {side} bank of {decided.bank}" if target else ""
    return Decided(
        decided.ids, {}, decided.bank, decided.rows, f"{said}{where}. Evaluation leaves this part out."
    )


def pixels_of(workspace: Workspace, id: str, path: Path, detector: Detector) -> np.ndarray:
    """An image that teaches the banks, uint8 (H, W, 3), read as the bank's own images were."""
    own = None
    with suppress(BadInput):  # of a data set that is gone
        own = None if id.startswith("file:") else workspace.image(id).depth
    kept = detector.settings
    return incoming.read(path, None, kept.depth, kept.by_brightest, own).pixels


def _require_untrained(workspace: Workspace, image: str) -> None:
    if not image.startswith("file:") and workspace.image(image).split == "train":
        raise BadInput(
            f"{image} is a training image, so its data set should say what it shows; correct that and import it "
            "again. Here, images that the banks have not learned from can be marked."
        )


def _origin(workspace: Workspace, image: str, path: Path) -> dict[str, Any]:
    """Where an image comes from: data set, physical part, label, and its file within the workspace."""
    _require_untrained(workspace, image)
    if not image.startswith("file:"):
        row = workspace.image(image)
        place = str(row.path.relative_to(workspace.path))
        state = workspace.dataset(row.dataset).state
        origin = {"dataset": row.dataset, "group": row.group, "label": row.label, "path": place}
        return origin | {"state": state}
    content = path.read_bytes()
    name = f"{hashlib.sha256(content).hexdigest()[:20]}{path.suffix.lower()}"
    kept = workspace.path / TAUGHT / name
    kept.parent.mkdir(exist_ok=True)
    if not kept.exists():
        with files.whole(kept) as unfinished:
            unfinished.write_bytes(content)
    dataset = workspace.bank().dataset
    return {"dataset": dataset, "group": f"file:{name}", "label": "", "path": f"{TAUGHT}/{name}"}


def drop(workspace: Workspace, image: str, side: str, who: str) -> Decided:
    """Take an image's rows out of a bank of the active version, and leave it out of those built later.

    An accepted candidate becomes pending again. Raises BadInput where the bank has no rows of it.
    """
    bank = workspace.bank()
    for found in in_force(workspace, "accept", "missed", "false_alarm"):
        if found.subject == image and (found.action == "false_alarm") == (side == "negative"):
            return undo(workspace, found.id, who)
    with _deciding(workspace):
        target = Target.active(workspace, bank.dataset)
        assert target is not None
        changes = target.remove(image, side)
        with workspace.writing() as db:
            target.enter(changes, _write(db, image, "drop", who, side=side, dataset=bank.dataset))
            last = target.write(db)
        target.publish(last)
    return _decided("Dropped", [image], {}, target, changes)


def align(workspace: Workspace, missing: Sequence[str], surplus: Sequence[str], who: str) -> Decided:
    """Give the active version the accepted candidates that it lacks and take from it those that are accepted no
    longer. No candidate's status changes."""
    with _deciding(workspace):
        version = workspace.bank()
        target = Target.active(workspace, version.dataset)
        assert target is not None
        status = {id: candidates.get(workspace, id).status for id in (*missing, *surplus)}
        there = [id for id in surplus if status[id] != "accepted" and target.holds(id, "positive")]
        wanted = [candidates.get(workspace, id) for id in missing if status[id] == "accepted"]
        changes = target.exchange([marked(workspace, c, target.detector) for c in wanted], there)
        with workspace.writing() as db:
            number = _write(db, version.id, "align", who, dataset=version.dataset)
            target.enter(changes, number)
            last = target.write(db)
        target.publish(last)
    return _decided("Brought the bank in line with", [*there, *(c.id for c in wanted)], {}, target, changes)


# --- what is in force, for building -----------------------------------------------------------------------------


def accepted(workspace: Workspace, dataset: str) -> list[TrainingImage]:
    """The accepted candidates of a data set, as a build takes them."""
    found = []
    for candidate in reversed(candidates.listed(workspace, dataset, status="accepted")):
        image = bank_image(workspace, candidate)
        mask = mask_of(workspace, candidate)
        found.append(_training(image, candidate.image, mask))
    return found


def missed_defects(workspace: Workspace, dataset: str) -> list[TrainingImage]:
    """What people marked as missed defects, as a build takes it."""
    return [
        _training(
            BankImage(d.subject, d.detail["group"], d.detail["defect_type"]),
            workspace.path / d.detail["path"],
            images.read_mask(workspace.path / MASKS / d.detail["mask"], None, "the mask"),
        )
        for d in in_force(workspace, "missed", dataset=dataset)
    ]


def dropped(workspace: Workspace, dataset: str, side: str) -> set[str]:
    """Ids of training images that were taken out of one bank."""
    return {d.subject for d in in_force(workspace, "drop", dataset=dataset) if d.detail["side"] == side}


def taught(workspace: Workspace, dataset: str | None = None) -> dict[str, Decision]:
    """Images beyond the training split that have taught the banks, by id: evaluation leaves their parts out."""
    return {d.subject: d for d in in_force(workspace, "missed", "false_alarm", dataset=dataset)}


def without_false_alarms(
    workspace: Workspace,
    dataset: str,
    detector: Detector,
    progress: Progress | None = None,
    state: int | None = None,
) -> Detector:
    """A detector that was just built, with what people marked as false alarms in its negative bank.

    state: of the data set, None as it is now; an image that is retired in it teaches nothing.
    """
    several = []
    known = {row.id for row in workspace.images(dataset, state=state)}
    for found in in_force(workspace, "false_alarm", dataset=dataset):
        if found.subject not in known and not found.subject.startswith("file:"):
            continue
        pixels = pixels_of(workspace, found.subject, workspace.path / found.detail["path"], detector)
        mask = images.read_mask(workspace.path / MASKS / found.detail["mask"], None, "the mask")
        several.append(_marked(pixels, mask, BankImage(found.subject, found.detail["group"]), detector))
    return (
        detector.changed(detector.additions(several, "negative"), progress=progress) if several else detector
    )


def _training(image: BankImage, path: Path, mask: np.ndarray) -> TrainingImage:
    return TrainingImage(image.id, path, image.group, mask, image.defect_type, image.origin, image.donor)


# --- candidates and their patches ---------------------------------------------------------------------------------


def bank_image(workspace: Workspace, candidate: Candidate) -> BankImage:
    """How a candidate is named in a bank: it belongs to the parts of its source and of what lent to it."""
    group = workspace.image(candidate.source).group
    donor = workspace.image(candidate.donor).group if candidate.donor else ""
    return BankImage(candidate.id, group, candidate.defect_type, "synthetic", donor)


def mask_of(workspace: Workspace, candidate: Candidate) -> np.ndarray:
    """The mask that counts, bool (H, W): the measured one, or what somebody trimmed it to."""
    trims = [d for d in decisions(workspace, candidate.id) if d.action == "trim" and d.undone is None]
    file = workspace.path / MASKS / trims[0].detail["mask"] if trims else candidate.mask
    return images.read_mask(file, None, "the mask")


def marked(workspace: Workspace, candidate: Candidate, detector: Detector) -> Marked:
    """The patches that a candidate's mask marks, with their features; computed once and kept in the cache."""
    size, grid = detector.settings.size, detector.grid
    kind = (
        f"{detector.backbone.fingerprint[:12]}-{size}{'-fitted' if size.keep_aspect else ''}-{detector.roi}"
    )
    file = workspace.path / FEATURES / kind / f"{candidate.id}.npz"
    try:
        with np.load(file) as kept:
            rows, position, beside = kept["rows"], kept["position"], kept["beside"]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        pixels = images.read_image(candidate.image)
        touched = (
            patches.covered(images.mask_share(images.read_mask(candidate.mask, None, ""), size), grid) > 0
        )
        features = detector.features(pixels)
        rows, position = features[touched], np.argwhere(touched).astype(np.int16)
        beside = surroundings.around(features)[touched]
        _keep(file, rows, position, beside)
    on = detector.marks(mask_of(workspace, candidate))[position[:, 0], position[:, 1]]
    return Marked(bank_image(workspace, candidate), rows[on], position[on], beside[on])


def _marked(pixels: np.ndarray, mask: np.ndarray, image: BankImage, detector: Detector) -> Marked:
    if mask.shape != pixels.shape[:2]:
        raise BadInput("The mask has another size than the image; draw it on the image itself.")
    return Marked.of(image, detector.features(pixels), detector.marks(mask))


def _remembered(workspace: Workspace, id: str, side: str, detector: Detector) -> Marked:
    """An image that was dropped, for coming back: a training image (of a normal one, every patch) or a candidate."""
    if "/" not in id:
        return marked(workspace, candidates.get(workspace, id), detector)
    row = workspace.image(id)
    pixels = pixels_of(workspace, id, row.path, detector)
    mask = np.ones(pixels.shape[:2], bool)
    if side == "positive":
        mask = images.read_mask(row.mask, pixels.shape[:2]) if row.mask else mask
    return _marked(pixels, mask, BankImage(row.id, row.group, row.defect_type), detector)


def _keep(file: Path, rows: np.ndarray, position: np.ndarray, beside: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with files.whole(file) as place:
        np.savez(place, rows=rows, position=position, beside=beside)


@contextmanager
def _deciding(workspace: Workspace) -> Iterator[None]:
    """One change of the banks at a time, in all threads and processes; the lock goes with a process that is killed."""
    with FileLock(workspace.path / LOCK, poll_interval=0.01):
        yield


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
