"""Merges several data sets into one, such as products or cameras that share a bank.

Knows the rows and files of data sets. Does not know sources outside the workspace, or banks.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from exdd_core import datasets
from exdd_core.datasets import integrity
from exdd_core.datasets.record import Record
from exdd_core.datasets.survey import Survey
from exdd_core.datasets.tree import Tree
from exdd_core.errors import BadInput
from exdd_core.mask_rules import MaskRule
from exdd_core.progress import Progress
from exdd_core.workspace import dataset_reports, dataset_states, failures, imports, runs
from exdd_core.workspace.placing import making

if TYPE_CHECKING:
    from exdd_core.depth import Depth
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.rows import DatasetInfo


def join_datasets(
    workspace: Workspace, name: str, names: Sequence[str], progress: Progress | None = None
) -> DatasetInfo:
    """Make a new data set from the images of several, which stay unchanged.

    Their files lie in folders of their names, which also prefix their groups, so that parts stay distinct. The size is
    the first one's. Raises `BadInput` where their bit depths differ.
    """
    progress, name = progress or Progress(), imports.dataset_name(Path(name), name)
    infos = list({info.name: info for info in map(workspace.dataset, names)}.values())
    if len(infos) < 2:
        raise BadInput("Specify two or more data sets to join.")
    depth = _one_depth(infos)
    place = workspace.path / "datasets"
    with failures.as_bad_input(), making(workspace, place, "import", progress) as temporary:
        imports.require_free(workspace, name)
        whole = temporary / "whole"
        records, masks_of = [], {}
        for info in infos:
            for record, masks in _copied(workspace, info, whole, progress):
                records.append(record)
                masks_of[record.path] = masks
        found = Survey(Tree(whole), records, [], [], _notes(infos), _one_rule(infos), depth)
        found = replace(found, doubts=dataset_reports.mixed_depths(whole, found))
        report = integrity.check(whole, records, progress, found, {}, infos[0].size)
        imports.name_unreadable(report, records)
        report["choices"], report["doubts"] = {}, found.doubts
        datasets.write_manifests(records, whole)
        content = json.dumps([[info.called, runs.fingerprint(workspace, info.name)] for info in infos])
        row = imports.new_row(
            name,
            "folder",
            infos[0].size,
            hashlib.sha256(content.encode()).hexdigest(),
            found,
            report,
            title=f"Joined: {', '.join(info.called for info in infos)}",
        )
        imports.enter(workspace, whole, row, imports.image_rows(name, whole, records, report, masks_of))
    return workspace.dataset(name)


def _one_depth(infos: Sequence[DatasetInfo]) -> Depth | None:
    """The bit depth that data sets are read with; None where no image has more than 8 bits. Raises `BadInput`."""
    depths = {info.depth: info for info in infos if info.depth is not None}
    if len(depths) > 1:
        said = ", ".join(f"{info.called} with {depth.title}" for depth, info in depths.items())
        raise BadInput(
            f"The data sets are read with different bit depths: {said}; set them to the same one with "
            "datasets set."
        )
    return next(iter(depths), None)


def _one_rule(infos: Sequence[DatasetInfo]) -> MaskRule:
    """The rule for masks of all data sets; the default where they have several or none."""
    rules = {info.mask_rule for info in infos}
    return MaskRule.parse(rules.pop()) if len(rules) == 1 and infos[0].mask_rule else MaskRule()


def _copied(
    workspace: Workspace, info: DatasetInfo, whole: Path, progress: Progress
) -> list[tuple[Record, list[str]]]:
    """Copy a data set to its own folder in `whole`; returns the records there with their original mask files."""
    with workspace.reading() as db:
        rows = dataset_states.counting(dataset_states.at(db, info.name)[1])
    used = (
        file for row in rows for file in (row["path"], row["mask"], *dataset_reports.mask_files(row)) if file
    )
    copied = {file: f"{info.called}/{file}" for file in sorted(set(used))}
    imports.copy(workspace.path / "datasets" / info.name, whole, copied, progress, move=False)
    return [
        (
            _below(dataset_reports.record_of(row), info.called),
            [f"{info.called}/{file}" for file in dataset_reports.mask_files(row)],
        )
        for row in rows
    ]


def _below(record: Record, name: str) -> Record:
    mask = f"{name}/{record.mask}" if record.mask else None
    return replace(record, path=f"{name}/{record.path}", group=f"{name}/{record.group}", mask=mask)


def _notes(infos: Sequence[DatasetInfo]) -> list[str]:
    """Sentences on how the data sets differ from the merged one."""
    notes = []
    others = [info for info in infos if info.size != infos[0].size]
    if others:
        notes.append(
            f"Banks are built at {infos[0].size}, as for {infos[0].called}; "
            + ", ".join(f"{info.called} had {info.size}" for info in others)
            + "."
        )
    with_roi = [info.called for info in infos if info.roi]
    if with_roi:
        notes.append(f"Regions of interest are not carried over: {', '.join(with_roi)}.")
    return notes
