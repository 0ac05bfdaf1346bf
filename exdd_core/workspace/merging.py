"""Several data sets become one: products or cameras that are to share a bank, grouped by name.

Knows the rows and files of data sets. Does not know sources from outside, nor banks.
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
from exdd_core.workspace import clock, dataset_reports, dataset_states, failures, imports, runs
from exdd_core.workspace.placing import making

if TYPE_CHECKING:
    from exdd_core.workspace import Workspace
    from exdd_core.workspace.rows import DatasetInfo


def join_datasets(
    workspace: Workspace, name: str, names: Sequence[str], progress: Progress | None = None
) -> DatasetInfo:
    """A new data set of the images of several, such as products or cameras; those stay as they are.

    Their files lie below their names, which also stand before their groups: no part is torn. The size is that of the
    first. Raises `BadInput` where their bit depths differ.
    """
    progress, name = progress or Progress(), imports.dataset_name(Path(name), name)
    infos = list({info.name: info for info in map(workspace.dataset, names)}.values())
    if len(infos) < 2:
        raise BadInput("Name two data sets or more that are to be joined.")
    depths = {info.depth: info for info in infos if info.depth is not None}
    if len(depths) > 1:
        said = ", ".join(f"{info.called} with {depth.title}" for depth, info in depths.items())
        raise BadInput(f"They are read with different bit depths: {said}; set them to one with datasets set.")
    place = workspace.path / "datasets"
    with failures.plainly(), making(workspace, place, "import", progress) as temporary:
        imports.require_free(workspace, name)
        whole = temporary / "whole"
        records, masks_of = [], {}
        for info in infos:
            with workspace.reading() as db:
                rows = dataset_states.counting(dataset_states.at(db, info.name)[1])
            files = {
                file
                for row in rows
                for file in (row["path"], row["mask"], *dataset_reports.came(row))
                if file
            }
            copied = {file: f"{info.called}/{file}" for file in sorted(files)}
            imports.copy(place / info.name, whole, copied, progress, move=False)
            for row in rows:
                record = _below(dataset_reports.record_of(row), info.called)
                records.append(record)
                masks_of[record.path] = [f"{info.called}/{file}" for file in dataset_reports.came(row)]
        rules = {info.mask_rule for info in infos}
        rule = MaskRule.parse(rules.pop()) if len(rules) == 1 and infos[0].mask_rule else MaskRule()
        found = Survey(Tree(whole), records, [], [], _notes(infos), rule, next(iter(depths), None))
        found = replace(found, doubts=dataset_reports.of_two_depths(whole, found))
        report = integrity.check(whole, records, progress, found, {}, infos[0].size)
        imports.name_unreadable(report, records)
        datasets.write_manifests(records, whole)
        content = json.dumps([[info.called, runs.fingerprint(workspace, info.name)] for info in infos])
        record_of_all = {
            "name": name,
            "layout": "folder",
            "title": f"Joined: {', '.join(info.called for info in infos)}",
            **imports.size_row(infos[0].size),
            "created": clock.now(),
            "fingerprint": hashlib.sha256(content.encode()).hexdigest(),
            "report": json.dumps(report | {"choices": {}, "doubts": found.doubts}),
            "depth": str(found.depth) if found.depth else None,
            "mask_rule": str(rule),
        }
        imports.enter(
            workspace, whole, record_of_all, imports.image_rows(name, whole, records, report, masks_of)
        )
    return workspace.dataset(name)


def _below(record: Record, name: str) -> Record:
    mask = f"{name}/{record.mask}" if record.mask else None
    return replace(record, path=f"{name}/{record.path}", group=f"{name}/{record.group}", mask=mask)


def _notes(infos: Sequence[DatasetInfo]) -> list[str]:
    """What of the data sets is not as in the joined one."""
    notes = []
    others = [info for info in infos if info.size != infos[0].size]
    if others:
        notes.append(
            f"Banks are built at {infos[0].size}, as of {infos[0].called}; "
            + ", ".join(f"{info.called} had {info.size}" for info in others)
            + "."
        )
    with_roi = [info.called for info in infos if info.roi]
    if with_roi:
        notes.append(f"Regions of interest are not taken over: {', '.join(with_roi)}.")
    return notes
