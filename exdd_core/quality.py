"""What a candidate is worth: five measures with plain names, and which candidates are worth accepting.

Visible, Clean, Plausible and New compare a candidate with its source and with the banks; Effect says what accepting
it would change for defective parts held back from training. Every measure is a value, a light and its meaning in a
sentence. Test images are never looked at. Measures are kept with the candidate, for sorting a queue, together with
the state of the bank that they hold for: what comes to the positive bank outdates New and Effect, and nothing else.
Knows candidates, detectors and validations; does not decide.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from exdd_core import candidates, curation, history, images, recall
from exdd_core.candidates import Candidate
from exdd_core.detector import Change, Detector
from exdd_core.detector.bank import Bank, BankImage
from exdd_core.detector.detector import Examined
from exdd_core.detector.examples import Marked
from exdd_core.effect import Advice, Outcome, Trial, Validation, advise
from exdd_core.errors import BadInput
from exdd_core.progress import Progress

if TYPE_CHECKING:
    from exdd_core.workspace import BankVersion, Workspace

CHANGED = 3  # grey levels: less is no change that a network or a person would see
ALIKE = 3  # real defects shown beside a candidate
FEW = 16  # patches of a candidate that are compared with those of many others
TWIN = 0.8  # share of patches that lie close to those of one other image, for a near-duplicate
GREEN, AMBER, RED, GREY = "green", "amber", "red", "grey"
# Names the mask that a candidate has now: of its decisions the last that can have changed it.
TRIMMED = """coalesce((select max(id) from decisions where candidate = candidates.id
    and action in ('trim', 'undo')), 0)"""
LIGHT_WORTH = {GREEN: 1.0, AMBER: 0.5, RED: 0.0}  # grey: not known

MEANINGS = {
    "visible": "Share of the mask's patches that are farther from normal surface than 99 % of the patches of held-out "
    "normal images. A defect that the network cannot see teaches nothing.",
    "clean": "Share of the changed area that lies outside the mask. What changed there would be taken for normal.",
    "plausible": "Distance of its patches to real defects of other parts, against the distance that real defects of "
    "different parts have among themselves. 1 is as alike as they are to each other.",
    "new": "Share of its patches that are farther from the positive bank than the bank's own rows cover. The others "
    "are known already.",
    "effect": "What accepting it would change for defects of training parts that are held back, one part at a time. "
    "Test images play no role.",
}


@dataclass(frozen=True)
class Measure:
    """One measure. value: a share, a ratio, or percentage points of image AUROC for the effect; None where it cannot
    be taken. light: green, amber, red or grey. text: the value in a sentence. meaning: what it is."""

    name: str
    value: float | None
    light: str
    text: str
    meaning: str


@dataclass(frozen=True)
class Alike:
    """A real defect that a candidate resembles. distance: median over the candidate's patches."""

    image: str
    defect_type: str
    distance: float


@dataclass(frozen=True)
class Quality:
    """All that is known of a candidate's worth, for one state of one bank version.

    patches: "kept", "known" or "too normal" for each [row, column] of the patch grid that its mask marks. left_out:
    (x0, y0, x1, y1) in pixels of the image, ends excluded, of those that are too normal. alike: the most alike real
    defects. twins: candidates and bank images that it nearly repeats. state: names what its measures hold for, basis
    what all but New and Effect do; effect_state: what the effect holds for, "" where it was not taken yet.
    """

    visible: Measure
    clean: Measure
    plausible: Measure
    new: Measure
    effect: Measure
    alike: list[Alike]
    twins: list[str]
    patches: list[tuple[int, int, str]]
    left_out: list[tuple[int, ...]]
    basis: str
    state: str
    effect_state: str

    @property
    def measures(self) -> list[Measure]:
        return [self.visible, self.clean, self.plausible, self.new, self.effect]

    @property
    def overall(self) -> float | None:
        """The mean of its lights, green 1, amber 0.5, red 0; None where none is known. For comparing prompts."""
        known = [LIGHT_WORTH[measure.light] for measure in self.measures if measure.light in LIGHT_WORTH]
        return sum(known) / len(known) if known else None

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"overall": self.overall}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Quality:
        visible, clean, plausible, new, effect = (Measure(**values[name]) for name in MEANINGS)
        return cls(
            visible=visible,
            clean=clean,
            plausible=plausible,
            new=new,
            effect=effect,
            alike=[Alike(**a) for a in values["alike"]],
            twins=values["twins"],
            patches=[(int(y), int(x), str(what)) for y, x, what in values["patches"]],
            left_out=[tuple(box) for box in values["left_out"]],
            basis=values["basis"],
            state=values["state"],
            effect_state=values["effect_state"],
        )


@dataclass(frozen=True)
class Recommendation:
    """Which candidates to accept, out of how many, why, and every group that was tried, best first."""

    ids: list[str]
    of: int
    sentence: str
    trials: list[Trial]


def group_of(detector: Detector, engine: str, marked: Marked) -> str:
    """The group that a candidate is tried with: candidates of one engine that the network sees well, or hardly.

    "" for one that it does not see at all.
    """
    seen = detector.examine(marked)
    if not seen.clean.any():
        return ""
    visible = float((seen.distances.mean(-1) > detector.visible_from).mean())
    return f"{engine}, {'visible' if visible >= 0.5 else 'faint'}"


def _advised(advice: Advice, of: int) -> str:
    if advice.trial is None:
        best = advice.trials[0] if advice.trials else None
        tried = (
            f"; the best of {len(advice.trials)} groups tried gains {100 * best.gain:+.1f} points of image AUROC"
            if best
            else ""
        )
        return f"Accept none: nothing tried helps for sure on training parts held back{tried}."
    trial = advice.trial
    gain = f"image AUROC {100 * trial.gain:+.1f} ± {100 * trial.error:.1f}"
    what = f"Accept {trial.count} of {of} ({'; '.join(trial.groups)})"
    if trial.sure > 0:
        return f"{what}: {gain} on training parts held back."
    return (
        f"{what}: no training part held back fares worse ({gain}), and painted defects weigh little beside real "
        "ones, so they may help with defects still to come."
    )


class Judge:
    """Measures candidates against the active version of their data set. Any thread may call anything.

    What is dear to make (each defective part held back) is made once for a state of the bank and goes along when
    candidates are accepted.
    """

    def __init__(self, workspace: Workspace, pause: Callable[[], None] = lambda: None):
        """pause: called between the steps of what takes long, and may wait there."""
        self.workspace, self.pause = workspace, pause
        self._lock = threading.RLock()
        self._bench: _Bench | None = None

    def prepare(self, dataset: str) -> None:
        """Load the active version, for the first measure and the first decision not to wait for it. Raises BadInput
        where it is of another data set."""
        self._ready(dataset, False).detector.prepare()

    def quality(self, id: str, effect: bool = True) -> Quality:
        """The measures of one candidate, from what is kept or taken anew; without `effect` its effect stays as it was
        last measured. Raises BadInput where there is no bank version of its data set."""
        candidate = candidates.get(self.workspace, id)
        with self._lock:
            bench = self._ready(candidate.dataset, effect)
            kept, state = kept_quality(candidate), bench.state(self.workspace, candidate)
            if kept and kept.state == state and (kept.effect_state == state or not effect):
                return kept
            made = bench.quality(self.workspace, candidate, kept, effect)
        with self.workspace.writing() as db:
            db.execute("update candidates set quality = ? where id = ?", [json.dumps(made.to_json()), id])
        return made

    def measure(self, ids: Sequence[str], progress: Progress | None = None) -> None:
        """Take and keep the measures of many candidates, for sorting."""
        progress = progress or Progress()
        progress.begin("Measuring candidates", len(ids))
        for id in ids:
            self.quality(id)
            progress.advance()

    def effect(self, ids: Sequence[str]) -> Measure:
        """What accepting all of these at once would change. Raises BadInput where it cannot be measured."""
        chosen = [candidates.get(self.workspace, id) for id in ids]
        if not chosen:
            raise BadInput("No candidate was chosen; choose at least one.")
        bench = self._ready(chosen[0].dataset, True)
        with self._lock:
            return bench.effect([curation.marked(self.workspace, c, bench.detector) for c in chosen])

    def repeats(self, ids: Sequence[str]) -> dict[str, str]:
        """Of these candidates, by id, the ones that nearly repeat one of the others, which stands before them."""
        chosen = [candidates.get(self.workspace, id) for id in ids]
        if not chosen:
            return {}
        bench = self._ready(chosen[0].dataset, False)
        return bench.repeats([curation.marked(self.workspace, c, bench.detector) for c in chosen])

    def recommend(
        self, dataset: str | None = None, ids: Sequence[str] | None = None, progress: Progress | None = None
    ) -> Recommendation:
        """Which of these pending candidates (None: all of the data set) to accept: maybe none. Training data only."""
        progress = progress or Progress()
        name = self.workspace.dataset(dataset).name
        pending = candidates.listed(self.workspace, name, "pending")
        chosen = [c for c in pending if ids is None or c.id in set(ids)]
        if not chosen:
            return Recommendation([], 0, "There are no pending candidates.", [])
        bench = self._ready(name, True, progress)
        if bench.validation is None:
            return Recommendation([], len(chosen), f"Accept none: {bench.why_not}", [])
        progress.begin("Reading candidates", len(chosen))
        groups: dict[str, list[tuple[str, Marked]]] = {}
        for candidate in chosen:
            marked = curation.marked(self.workspace, candidate, bench.detector)
            kind = group_of(bench.detector, candidate.engine, marked)
            if kind and not bench.is_in(marked.image):
                groups.setdefault(kind, []).append((candidate.id, marked))
            progress.advance()
        with self._lock:
            advice = advise(bench.validation, {k: [m for _, m in v] for k, v in groups.items()}, progress)
        accepted = [id for group in advice.groups for id, _ in groups[group]]
        return Recommendation(accepted, len(chosen), _advised(advice, len(chosen)), advice.trials)

    def _ready(self, dataset: str, effect: bool, progress: Progress | None = None) -> _Bench:
        version = self.workspace.active_bank()
        if version is None or version.dataset != dataset:
            raise BadInput(f'The active bank version is not one of "{dataset}"; build or activate one first.')
        with self._lock:
            if self._bench is None or not self._bench.fits(version):
                self._bench = _Bench(version)
            self._bench.follow(self.workspace, effect, progress or Progress(lambda _: self.pause()))
            return self._bench


class _Bench:
    """One version, ready to measure candidates against."""

    def __init__(self, version: BankVersion):
        self.version = version
        self.last = -1  # the number of the version's last change that was taken in
        self.grounds = 0  # how many changes concerned normal images or real defects
        self.detector: Detector
        self.validation: Validation | None = None
        self.why_not = ""  # why effects cannot be measured
        self._base: Validation | None = None  # of the banks as they were, without what has come since
        self._since: list[Change] = []

    def fits(self, version: BankVersion) -> bool:
        return self.version.id == version.id

    def follow(self, workspace: Workspace, effect: bool, progress: Progress) -> None:
        """Take in what has come to the banks or left them since."""
        with workspace.reading() as db:
            if self.last >= 0 and history.newest(db, self.version.id) == self.last:
                later = history.Changes(self.last, [], None)
            else:
                later = history.read(db, self.version.id, max(self.last, 0))
        if self.last < 0 or later.changes:
            self.detector = workspace.detector(self.version.id)
            self._take(later.changes)
            self._prepare()
        self.last = later.last
        if effect and self.validation is None and not self.why_not:
            self._validate(workspace, progress)

    def _take(self, changes: Sequence[Change]) -> None:
        """Every held-back part stays held back for what comes and goes of painted defects; for all else it is anew."""
        for change in changes:
            painted = change.image.origin != "real"
            known = [c for c in self._since if c.image.id == change.image.id]
            if painted and change.action != "remove":
                self._since.append(change)
            elif painted and known:
                self._since.remove(known[0])
            else:
                self._base, self._since = None, []
            self.grounds += not painted
        if changes:
            self.validation, self.why_not = None, ""

    def _validate(self, workspace: Workspace, progress: Progress) -> None:
        kind = type(self.detector.fusion)
        if self._base is None or self._base.kind is not kind:
            try:
                held = recall.defects(workspace, self.version.id, self.detector)
                self._base, self._since = Validation(self.detector, held, progress), []
            except BadInput as error:
                self.why_not = str(error)
                return
        self.validation = self._base.extended(self._since) if self._since else self._base

    def _prepare(self) -> None:
        """What Plausible and New compare with."""
        defects = self.detector.defects
        self.real = defects.take(np.flatnonzero(defects.real))
        self.usual_apart = self._usual_apart()
        bank = self.detector.positive
        self.reach = self.detector.radius
        if bank is not None and len(bank) > 1 and self.reach == 0:  # every patch is in the bank
            self.reach = float(np.median(bank.search(bank.rows, 2)[0][:, 1]))

    def _usual_apart(self) -> float | None:
        """Median distance of a real defect's patch to the nearest of another part; None with fewer than two."""
        parts = sorted(set(self.real.groups))
        if len(parts) < 2:
            return None
        found = []
        for part in parts:
            own = self.real.of(part)
            found.append(self.real.search(self.real.rows[own], 1, own)[0][:, 0])
        return float(np.median(np.concatenate(found)))

    def state(self, workspace: Workspace, candidate: Candidate) -> str:
        """Names what a candidate's measures depend on."""
        with workspace.reading() as db:
            query = f"select {TRIMMED} from candidates where id = ?"
            return f"{self.version.id}:{self.last}:{db.execute(query, [candidate.id]).fetchone()[0]}"

    def quality(
        self, workspace: Workspace, candidate: Candidate, kept: Quality | None, effect: bool
    ) -> Quality:
        """kept: what was measured last, of which is taken over what holds still."""
        state = self.state(workspace, candidate)
        basis = f"{self.version.id}:{self.grounds}:{state.rpartition(':')[2]}"
        known = kept if kept and kept.basis == basis else None
        marked = curation.marked(workspace, candidate, self.detector)
        seen = self.detector.examine(marked)
        rows, (width, height) = marked.rows[seen.clean], candidate.size
        what = np.where(seen.clean, "known", "too normal").astype("U10")
        change = self.detector.additions([marked])[0] if not self.is_in(marked.image) else None
        if change is not None:
            what[np.flatnonzero(seen.clean)[change.kept]] = "kept"
        places = [(int(y), int(x)) for y, x in marked.position]
        grid, size = self.detector.grid, self.detector.settings.size
        measured = self.effect([marked]) if effect else kept.effect if kept else None
        return Quality(
            visible=known.visible if known else _visible(seen, self.detector.visible_from),
            clean=known.clean if known else _clean(workspace, candidate),
            plausible=known.plausible if known else self._plausible(rows, marked.image),
            new=_new(self._beyond(rows), int(seen.clean.sum()), len(seen.clean)),
            effect=measured or _unknown("effect", "not measured yet"),
            alike=known.alike if known else self._alike(rows),
            twins=self._twins(rows, candidate.id),
            patches=[(y, x, str(w)) for (y, x), w in zip(places, what, strict=True)],
            left_out=[
                images.patch_box(y, x, grid, size, (height, width))
                for (y, x), clean in zip(places, seen.clean, strict=True)
                if not clean
            ],
            basis=basis,
            state=state,
            effect_state=state if effect else kept.effect_state if kept else "",
        )

    def effect(self, several: Sequence[Marked]) -> Measure:
        if self.validation is None:
            return _unknown("effect", self.why_not)
        fresh = [m for m in several if not self.is_in(m.image)]
        after = self.validation.outcome(self.detector.additions(fresh)) if fresh else self.validation.before
        return effect_of(self.validation.before, after)

    def is_in(self, image: BankImage) -> bool:
        bank = self.detector.positive
        return bank is not None and any(known.id == image.id for known in bank.images)

    def _beyond(self, rows: np.ndarray) -> float:
        """Share of rows that are farther from the positive bank than it covers."""
        if not len(rows):
            return 0.0
        bank = self.detector.positive
        return 1.0 if bank is None else float((bank.search(rows)[0][:, 0] > self.reach).mean())

    def _plausible(self, rows: np.ndarray, image: BankImage) -> Measure:
        others = ~self.real.of(image.donor) if image.donor else np.ones(len(self.real), bool)
        if not len(rows):
            return _unknown("plausible", "none of its patches differs from normal surface")
        if self.usual_apart is None or not others.any():
            return _unknown("plausible", "there are no real defects of two parts to compare with")
        distance = float(np.median(self.real.search(rows, 1, ~others)[0][:, 0]))
        ratio = distance / max(self.usual_apart, 1e-6)
        light = GREEN if ratio <= 1.15 else AMBER if ratio <= 1.5 else RED
        text = f"{ratio:.1f} times as far from real defects as these are from each other"
        return Measure("plausible", ratio, light, text, MEANINGS["plausible"])

    def _alike(self, rows: np.ndarray) -> list[Alike]:
        if not len(rows) or not len(self.real):
            return []
        found = []
        for number, image in enumerate(self.real.images):
            theirs = self.real.rows[self.real.image == number]
            if len(theirs):
                near = Bank(theirs, np.zeros(len(theirs)), np.zeros((len(theirs), 2)), [image]).search(rows)[
                    0
                ]
                found.append(Alike(image.id, image.defect_type, float(np.median(near))))
        return sorted(found, key=lambda alike: alike.distance)[:ALIKE]

    def _twins(self, rows: np.ndarray, id: str) -> list[str]:
        """Images that taught the positive bank and that this one nearly repeats; the bank itself keeps few rows."""
        known = self.detector.defects
        if not len(rows) or not len(known):
            return []
        distances, numbers = known.search(rows)
        images = self._repeated(distances[:, 0], known.image[numbers[:, 0]])
        return [known.images[i].id for i in images if known.images[i].id != id]

    def _repeated(self, distances: np.ndarray, image: np.ndarray) -> list[int]:
        """Numbers of the images that a defect nearly repeats, the most alike first: TWIN of its patches lie near one
        image's own. distances: float (m,) of its patches to the nearest ones, which are those of images int (m,)."""
        counts = np.bincount(image[distances <= self.reach / 2])
        order = np.argsort(-counts, kind="stable")
        return [int(i) for i in order if self.reach and counts[i] >= TWIN * len(distances)]

    def repeats(self, several: Sequence[Marked]) -> dict[str, str]:
        """Of these, by id, the ones that nearly repeat one before them. Looks at FEW patches of each."""
        clean = [m.rows[self.detector.examine(m).clean] for m in several]
        image = np.repeat(np.arange(len(several)), [len(rows) for rows in clean])
        every, found = torch.from_numpy(np.concatenate(clean)), {}
        every = every - every.mean(0)  # nothing is lost to rounding where vectors are long and alike
        for number, rows in enumerate(clean):
            start = int(np.searchsorted(image, number))
            if start and len(rows):
                some = every[start : start + len(rows)][:: -(-len(rows) // FEW)]
                nearest = torch.cdist(some, every[:start]).min(1)
                if twins := self._repeated(nearest.values.numpy(), image[nearest.indices.numpy()]):
                    found[several[number].image.id] = several[twins[0]].image.id
        return found


def kept_quality(candidate: Candidate) -> Quality | None:
    """The measures that were last taken of a candidate, though the bank may have changed since; None for none."""
    try:
        return Quality.from_json(candidate.quality) if candidate.quality else None
    except (KeyError, TypeError, ValueError):
        return None  # of another version of this program


@dataclass(frozen=True)
class Waiting:
    """A pending candidate, and whether its measures and its effect hold for the active version as it is now."""

    id: str
    measured: bool
    effect: bool


def waiting(workspace: Workspace, dataset: str) -> list[Waiting]:
    """All pending candidates of a data set, the newest first. Cheap: looks at no picture and at no bank."""
    version = workspace.active_bank()
    now = f"coalesce((select max(id) from bank_changes where bank = :bank), 0) || ':' || {TRIMMED}"
    parts = ", ".join(f"json_extract(quality, '$.{name}') = state" for name in ("state", "effect_state"))
    query = f"""
        with now as (select id, rowid as row, quality, :bank || ':' || {now} as state from candidates
                     where dataset = :dataset and status = 'pending')
        select id, {parts} from now order by row desc"""
    with workspace.reading() as db:
        rows = db.execute(query, {"bank": version.id if version else "", "dataset": dataset}).fetchall()
    return [Waiting(id, bool(measured), bool(effect)) for id, measured, effect in rows]


def left_out(found: Quality, mask: np.ndarray) -> np.ndarray:
    """The part of a candidate's mask, bool (H, W), whose patches are too normal for the positive bank."""
    boxes = np.zeros_like(mask)
    for x0, y0, x1, y1 in found.left_out:
        boxes[y0:y1, x0:x1] = True
    return boxes & mask


def queue(
    workspace: Workspace, dataset: str | None = None, order: str = "effect", **filters: Any
) -> list[tuple[Candidate, Quality | None]]:
    """Pending candidates with the measures kept of them, best first by one of them, or "newest" or "oldest".

    filters: engine, prompt_id, defect_type or job as `candidates.listed` takes them. Those without measures come last.
    """
    found = [(c, kept_quality(c)) for c in candidates.listed(workspace, dataset, "pending", **filters)]
    if order == "oldest":
        return found[::-1]
    if order == "newest":
        return found
    if order not in MEANINGS:
        raise BadInput(
            f'Candidates cannot be sorted by "{order}"; choose {", ".join(MEANINGS)}, newest or oldest.'
        )
    sign = 1 if order in ("clean", "plausible") else -1  # of those, less is better

    def place(pair: tuple[Candidate, Quality | None]) -> tuple[bool, float]:
        value = getattr(pair[1], order).value if pair[1] else None
        return value is None, sign * (value or 0.0)

    return sorted(found, key=place)


# --- single measures ----------------------------------------------------------------------------------------


def _unknown(name: str, why: str) -> Measure:
    return Measure(name, None, GREY, why, MEANINGS[name])


def _visible(seen: Examined, visible_from: float) -> Measure:
    share = float((seen.distances.mean(-1) > visible_from).mean()) if len(seen.clean) else 0.0
    light = GREEN if share >= 0.5 else AMBER if share >= 0.2 else RED
    return Measure(
        "visible",
        share,
        light,
        f"{share:.0%} of its patches stand out from normal surface",
        MEANINGS["visible"],
    )


def _new(beyond: float, clean: int, marked: int) -> Measure:
    light = GREEN if beyond >= 0.3 else AMBER if beyond > 0 else RED
    text = f"{beyond:.0%} of its patches are new to the positive bank"
    if clean < marked:
        text += f"; {marked - clean} of {marked} are too much like normal surface and are left out"
    return Measure("new", beyond, light, text, MEANINGS["new"])


def _clean(workspace: Workspace, candidate: Candidate) -> Measure:
    """Compares a candidate with its source, pixel by pixel."""
    row = workspace.image(candidate.source)
    source, painted = images.read_image(row.path, row.id, row.depth), images.read_image(candidate.image)
    if source.shape != painted.shape:
        return _unknown("clean", "its size is not that of its source")
    difference = np.abs(source.astype(np.int16) - painted).max(-1)
    changed, outside = difference >= CHANGED, ~images.read_mask(candidate.mask, painted.shape[:2])
    missed = float((changed & outside).sum() / max(1, changed.sum()))
    beyond = difference[outside] if outside.any() else np.zeros(1)
    largest, mean = int(beyond.max()), float(beyond.mean())
    light = GREEN if missed <= 0.1 else AMBER if missed <= 0.3 else RED
    text = f"{missed:.0%} of what changed lies outside the mask"
    text += f"; there it is {largest} of 255 at most, {mean:.2f} on average" if largest else ""
    return Measure("clean", missed, light, text, MEANINGS["clean"])


def effect_of(before: Outcome, after: Outcome) -> Measure:
    """The difference of two outcomes, as a measure."""
    gain = 100 * (after.auroc - before.auroc)
    found, alarms = after.found - before.found, round(after.false_alarms - before.false_alarms)
    ap = 100 * (after.ap - before.ap)
    helps, harms = gain > 0.1 and ap > -1 and alarms <= 0, gain < -0.1 or found < 0
    light = AMBER if helps == harms else GREEN if helps else RED
    if found:
        first = f"finds {abs(found)} {'more' if found > 0 else 'fewer'} of {after.defects} held-back defects"
    else:
        first = f"finds the same {after.found} of {after.defects} held-back defects"
    which = "new false alarm" if alarms >= 0 else "false alarm fewer"
    second = (
        f"{abs(alarms)} {which}" if abs(alarms) == 1 else f"{abs(alarms)} {which.replace('alarm', 'alarms')}"
    )
    third = f"image AUROC {round(gain, 1) + 0:+.1f}, AP {round(ap, 1) + 0:+.1f}"  # + 0: no "-0.0"
    return Measure("effect", gain, light, f"{first}; {second}; {third}", MEANINGS["effect"])
