"""Adds the images of a source to an existing data set.

The source is read as the data set was: with its layout, answers, bit depth and rule for masks. A known part keeps its
split; the rule for splits continues for new parts. Knows sources, records and the rows of a data set. Does not know
pages or commands.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeVar

from exdd_core import datasets, files
from exdd_core.datasets import integrity
from exdd_core.datasets.record import DEFECT, Record, natural_key
from exdd_core.datasets.survey import LeftOut, Survey
from exdd_core.datasets.tree import Tree, parent, stem
from exdd_core.datasets.words import split_word
from exdd_core.errors import BadInput
from exdd_core.mask_rules import MaskRule
from exdd_core.progress import Progress
from exdd_core.sentences import count, counted
from exdd_core.workspace import dataset_reports, imports
from exdd_core.workspace.columns import DatasetColumns, ImageColumns
from exdd_core.workspace.dataset_changes import Draft, changing
from exdd_core.workspace.known_images import differences

if TYPE_CHECKING:
    from exdd_core.datasets.reports import Report
    from exdd_core.workspace import Workspace

UNREADABLE = "cannot be read as images; copy them again from their source"
Told = TypeVar("Told")


@dataclass
class Joined:
    """The result of joining a source to a data set. All lists are paths in the source.

    joined: new images. passed_over: images that the data set has already. renamed: path -> its stored path, where
    another image has its name. copies: path -> the image with the same content. sentences: for people. state: the new
    one; the former one where nothing was new.
    """

    dataset: str
    state: int
    joined: list[str] = field(default_factory=list)
    passed_over: list[str] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    sentences: list[str] = field(default_factory=list)
    report: Report = field(init=False)


def join(
    workspace: Workspace,
    dataset: str,
    source: Path | str,
    choices: datasets.Choices | None = None,
    who: str = "",
    progress: Progress | None = None,
) -> Joined:
    """Add the images of a source (a folder or a zip file) to an existing data set.

    choices: a person's answers on the source; the data set's own are the defaults. A rule for masks counts for this
    source only. Raises `BadInput` for an unreadable source and for another bit depth.
    """
    source, choices, progress = (
        Path(source).expanduser(),
        choices or datasets.Choices(),
        progress or Progress(),
    )
    info = workspace.dataset(dataset)
    result = Joined(info.name, info.state)
    with changing(workspace, info.name, "join", who, progress) as draft:
        folder, left = imports.opened(source, draft.new.parent / "unpacked", progress)
        module, found = _read(source, folder, draft, choices, left, result, progress)
        plan = _Plan(draft, found, result)
        records = plan.with_sides(module, plan.new(progress))
        _fill(draft, replace(found, records=[record for _, record in records]), records, plan, progress)
        stored = {row["path"] for row in draft.images.values()}
        result.joined = [path for path in result.joined if plan.names[path] in stored]
        lines = _sentences(result, source, list(draft.images.values()))
        result.sentences = [*lines, *result.sentences]
        draft.sentence = lines[0]
    after = workspace.dataset(info.name)
    result.state, result.report = after.state, after.report
    return result


def _read(
    source: Path,
    folder: Path,
    draft: Draft,
    choices: datasets.Choices,
    left: Mapping[str, str],
    result: Joined,
    progress: Progress,
) -> tuple[ModuleType, Survey]:
    """Read the source with the data set's layout and settings. Adds sentences to `result` where others would fit."""
    info = draft.info
    depth = dataset_reports.depth_of(info)
    if choices.depth is not None and depth is not None and choices.depth != depth:
        raise BadInput(
            f"The data set is read with {depth.title}; leave out --depth, or change it for all images "
            f"with datasets set {info['name']} --depth {choices.depth}."
        )
    wanted = _as_before(draft, choices, folder)
    kept = MaskRule.parse(info["mask_rule"]) if info["mask_rule"] else MaskRule()
    name, own = _by_its_layout(source, folder, replace(wanted, depth=depth or choices.depth), left, progress)
    if not own.records:
        datasets.require_normal(own, source)
    found = own
    if choices.masks is None and (kept.above, kept.inverted) != (own.rule.above, own.rule.inverted):
        settled = replace(wanted, layout=name, masks=kept, depth=own.depth)
        _, found = imports.look(source, folder, settled, progress, left)
        found = replace(found, rule=kept)
        if _read_otherwise(own, found):
            result.sentences.append(
                f"The new masks seem to be {own.rule.title}, but the data set's rule is kept ({kept}); "
                f"if that is wrong, undo this (datasets undo {info['name']}) and join with --masks "
                f'"{own.rule}".'
            )
    if own.depth is not None and depth is None:
        draft.settings["depth"] = str(own.depth)
        result.sentences.append(
            f"These are the data set's first images of more than 8 bits: they are read with {own.depth.title}."
        )
    if name != info["layout"]:
        result.sentences.append(f"The source was read as: {datasets.LAYOUTS[name].TITLE}.")
    return datasets.LAYOUTS[name], found


def _as_before(draft: Draft, choices: datasets.Choices, folder: Path) -> datasets.Choices:
    """A person's choices, completed with those of the data set."""
    former = json.loads(draft.info["report"]).get("choices", {})
    groups = choices.groups
    if groups is None and former.get("groups"):
        kind = former["groups"].partition(":")[0]
        if kind == "csv":
            raise BadInput(
                "The parts of this data set come from a CSV file; specify one for the new images with "
                "--groups csv:FILE."
            )
        groups = datasets.GroupRule.parse(former["groups"])
    there = Tree.read(folder)
    roles = {name: role for name, role in former.get("roles", {}).items() if there.has_folder(name)}
    layout = choices.layout if choices.layout != "auto" else draft.info["layout"]
    return replace(choices, groups=groups, roles={**roles, **choices.roles}, layout=layout)


def _by_its_layout(
    source: Path, folder: Path, choices: datasets.Choices, left: Mapping[str, str], progress: Progress
) -> tuple[str, Survey]:
    """The layout and survey of a source: with the data set's layout if it fits, else with the source's own."""
    module = datasets.LAYOUTS.get(choices.layout)
    plain = datasets.LAYOUTS["folder"]
    if module is not None and module is not plain and not choices.roles:
        root = datasets.find_root(folder)
        if not module.detect(Tree.read(root)):
            choices = replace(choices, layout="auto")
    return imports.look(source, folder, choices, progress, left)


def _read_otherwise(own: Survey, found: Survey) -> bool:
    """Whether two rules disagree on a mask of the source."""
    others = {record.path: record for record in found.records}
    for record in own.records:
        other = others.get(record.path)
        if other is None or record.label != other.label:
            return True
        if record.masks:
            try:
                if (own.mask_of(record) != found.mask_of(other)).any():  # type: ignore[union-attr]
                    return True
            except BadInput:  # named by the report
                continue
    return False


class _Plan:
    """Finds the new records of a source and the paths under which their files are stored."""

    def __init__(self, draft: Draft, found: Survey, result: Joined):
        self._draft, self._found, self._result = draft, found, result
        self._rows = {_key(row["path"]): row for row in draft.rows.values()}
        self._taken: set[str] = set()
        self.names: dict[str, str] = {}  # file of the source -> its path in the data set
        self._digests: dict[Path, str] = {}

    def new(self, progress: Progress) -> list[tuple[Record, Record]]:
        """For every new image, its record in the source and its stored record, without the stored mask."""
        found = []
        sizes = self._by_size()
        progress.begin("Comparing files", len(self._found.records))
        known: list[tuple[Record, ImageColumns]] = []
        for record in self._found.records:
            progress.advance()
            row = self._rows.get(_key(record.path))
            if row is not None and self._same(record.path, row["path"]):
                self._result.passed_over.append(record.path)
                known.append((record, row))
                continue
            twin = self._twin(record.path, sizes)
            if row is not None and twin is not None and _is_renamed(record.path, twin["path"]):
                self._result.passed_over.append(record.path)
                known.append((record, twin))
                continue
            place = self.place(record.path)
            if place != record.path:
                self._result.renamed[record.path] = place
            own = record.group == stem(record.path)  # a group of one image, named after it
            group = stem(place) if own else record.group
            if twin is not None:
                self._result.copies[record.path] = twin["path"]
                group = twin["group"] if own else group
            for mask in record.masks:
                self.place(mask)
            self._result.joined.append(record.path)
            found.append((record, replace(record, path=place, group=group)))
        self._result.sentences += differences(self._found, self._draft.folder, known)
        return found

    def place(self, name: str) -> str:
        """The path under which a file of the source is stored: its own unless another file has it."""
        if name in self.names:
            return self.names[name]
        for number in range(1, 10**6):
            front, dot, suffix = name.rpartition(".")
            tried = name if number == 1 else f"{front}-{number}{dot}{suffix}"
            if tried in self._taken or _key(tried) in self._rows:
                continue
            if not (self._draft.folder / tried).exists() or self._same(name, tried):
                break
        self._taken.add(tried)
        self.names[name] = tried
        return tried

    def digest(self, path: Path) -> str:
        """The SHA-256 of a file, read once."""
        if path not in self._digests:
            self._digests[path] = files.digest(path)
        return self._digests[path]

    def _same(self, name: str, stored: str) -> bool:
        """Whether a file of the source has the same content as one of the data set."""
        a, b = self._found.tree.path(name), self._draft.folder / stored
        if not b.is_file() or a.stat().st_size != b.stat().st_size:
            return False
        return self.digest(a) == self.digest(b)

    def _by_size(self) -> dict[int, list[ImageColumns]]:
        found: dict[int, list[ImageColumns]] = defaultdict(list)
        for row in self._draft.rows.values():
            place = self._draft.folder / row["path"]
            if place.is_file():
                found[place.stat().st_size].append(row)
        return found

    def _twin(self, name: str, sizes: Mapping[int, list[ImageColumns]]) -> ImageColumns | None:
        """The row of an image with the same content as a file of the source."""
        path = self._found.tree.path(name)
        same = sizes.get(path.stat().st_size, ())
        return next((row for row in same if self._same(name, row["path"])), None)

    def with_sides(
        self, module: ModuleType, records: Sequence[tuple[Record, Record]]
    ) -> list[tuple[Record, Record]]:
        """The records with their splits: a known part keeps its own, the layout's rule continues for new ones."""
        side, defective = _known_sides(self._draft.rows.values())
        counts = {kind: sum((group in defective) == kind for group in side) for kind in (False, True)}
        groups: dict[str, list[Record]] = defaultdict(list)
        for _, record in records:
            groups[record.group].append(record)
        every = dict(zip((False, True), getattr(module, "TEST_EVERY", (0, 0)), strict=True))
        for group in sorted(groups.keys() - side.keys(), key=natural_key):
            kind = any(record.label == DEFECT for record in groups[group])
            counts[kind] += 1
            told = next((r.split for r in groups[group] if r.split and _brings_side(module, r)), "")
            due = every[kind] and counts[kind] % every[kind] == 0
            side[group] = told or ("test" if due else "train")
        return [(old, replace(new, split=side[new.group])) for old, new in records]


def _is_renamed(name: str, stored: str) -> bool:
    """Whether `stored` is a name that `_Plan.place` makes from `name`."""
    front, dot, suffix = name.rpartition(".")
    return bool(re.fullmatch(rf"{re.escape(front)}-\d+{re.escape(dot + suffix)}", stored))


def _known_sides(rows: Collection[ImageColumns]) -> tuple[dict[str, str], set[str]]:
    side = {row["group"]: row["split"] for row in rows}
    return side, {row["group"] for row in rows if row["label"] == DEFECT}


def _brings_side(module: ModuleType, record: Record) -> bool:
    """Whether the layout or a folder's name determines an image's split."""
    return not hasattr(module, "TEST_EVERY") or any(map(split_word, parent(record.path).split("/")))


def _key(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _fill(
    draft: Draft,
    found: Survey,
    records: Sequence[tuple[Record, Record]],
    plan: _Plan,
    progress: Progress,
) -> None:
    """Copy the new files and add the new images to the draft."""
    if not records:
        draft.settings = DatasetColumns()
        return
    came = replace(found, records=[old for old, _ in records])
    written, unusable = imports.write_masks(came, draft.new, draft.masks, progress)
    stored = []
    for (_, new), mask in zip(records, written, strict=True):
        at = mask.mask if mask.mask is None or mask.mask not in plan.names else plan.names[mask.mask]
        stored.append(replace(new, mask=at, more_masks=(), outlines=()))
    stored_as = {name: plan.names[name] for old, _ in records for name in (old.path, *old.masks)}
    imports.copy(found.tree.root, draft.new, stored_as, progress, move=False)
    place = {old.path: new.path for old, new in records}
    draft.survey = _renamed(came, place)
    failed = {place[path]: reason for path, reason in unusable.items()}
    report = integrity.check(draft.new, stored, progress, draft.survey, failed)
    masks_of = {new.path: [plan.names[mask] for mask in old.masks] for old, new in records}
    rows = imports.image_rows(draft.info["name"], draft.new, stored, report, masks_of)
    draft.images = {row["id"]: row for row in rows}
    draft.unusable = failed
    draft.survey = _without(draft.survey, stored, {row["path"] for row in rows}, draft.new)
    draft.detail["content"] = {new: plan.digest(found.tree.path(old)) for old, new in stored_as.items()}


def _without(found: Survey, stored: Sequence[Record], readable: set[str], folder: Path) -> Survey:
    """The survey with unreadable images among those left out; their files are not copied."""
    by_folder: dict[str, list[str]] = defaultdict(list)
    for record in stored:
        if record.path not in readable:
            by_folder[parent(record.path)].append(record.path)
            (folder / record.path).unlink()
    left = [LeftOut(at, UNREADABLE, tuple(paths)) for at, paths in by_folder.items()]
    return replace(found, left_out=[*found.left_out, *left])


def _renamed(found: Survey, place: Mapping[str, str]) -> Survey:
    """The survey with images under their stored paths."""

    def told(values: Mapping[str, Told]) -> dict[str, Told]:
        return {place[path]: value for path, value in values.items() if path in place}

    return replace(
        found,
        clipped=told(found.clipped),
        turned=told(found.turned),
        several_pages=told(found.several_pages),
        masks_of_normal=[place[path] for path in found.masks_of_normal if path in place],
    )


def _sentences(result: Joined, source: Path, rows: Sequence[ImageColumns]) -> list[str]:
    """Sentences on the result, the total first."""
    if not rows:
        known = count(len(result.passed_over), "image of {0} is", "images of {0} are").format(source.name)
        return [f"Nothing joined: {known} already in the data set."]

    def having(column: str, value: str) -> int:
        return sum(row.get(column) == value for row in rows)

    lines = [
        f"{count(len(rows), 'new image')} joined: {having('label', 'normal')} normal, {having('label', DEFECT)} with a "
        f"defect; {having('split', 'train')} to train, {having('split', 'test')} to test."
    ]
    if result.passed_over:
        lines.append(f"Skipped because they are already in the data set: {counted(result.passed_over)}.")
    if result.renamed:
        shown = [f"{old} as {new}" for old, new in result.renamed.items()]
        lines.append(f"Stored under another name because their names were taken: {counted(shown)}.")
    if result.copies:
        shown = [f"{new} of {old}" for new, old in result.copies.items()]
        lines.append(f"Exact copies of images that the data set has under another name: {counted(shown)}.")
    return lines
